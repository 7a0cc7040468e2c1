// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Transaction signatures (see tsig.h). What is digested, RFC 8945 4.3.3 and 5.3.1:
//
//   request           message | variables
//   answer            length and MAC of the request | message | variables
//   answers after it  length and MAC of the one before | unsigned messages | message | timers
//
// where "message" is as it was before the TSIG record went in (original id, one additional record
// less), "variables" are key name, class, TTL, algorithm, time, fudge, error, other data, and
// "timers" are time and fudge alone.
#include "tsig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "rrtype.h"
#include "wire.h"

struct tsig_algorithm {
	const char *text;
	const char *digest; // OpenSSL's name
	uint8_t mac_len;
	uint8_t wire_len;
	uint8_t wire[16];
};

static const struct tsig_algorithm algorithms[] = {
    {"hmac-sha1", "SHA1", 20, 11, "\x09hmac-sha1"},
    {"hmac-sha224", "SHA224", 28, 13, "\x0bhmac-sha224"},
    {"hmac-sha256", "SHA256", 32, 13, "\x0bhmac-sha256"},
    {"hmac-sha384", "SHA384", 48, 13, "\x0bhmac-sha384"},
    {"hmac-sha512", "SHA512", 64, 13, "\x0bhmac-sha512"},
};

struct tsig_key {
	unsigned refs;
	const struct tsig_algorithm *algorithm;
	EVP_MAC_CTX *keyed; // never fed: duplicated for each use
	uint8_t name_len;
	uint8_t name[NAME_LEN_MAX]; // lower case
};

int tsig_key_new(const uint8_t *name, const char *algorithm, const uint8_t *secret, size_t len,
    struct tsig_key **out)
{
	const struct tsig_algorithm *found = NULL;

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strcasecmp(algorithm, algorithms[i].text) == 0) {
			found = &algorithms[i];
		}
	}
	if (found == NULL || len == 0) {
		return -EINVAL;
	}
	struct tsig_key *key = calloc(1, sizeof(*key));
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	char digest[16];
	OSSL_PARAM params[2];

	strcpy(digest, found->digest);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (key == NULL || hmac == NULL || (key->keyed = EVP_MAC_CTX_new(hmac)) == NULL ||
	    EVP_MAC_init(key->keyed, secret, len, params) != 1) {
		EVP_MAC_free(hmac);
		if (key != NULL) {
			EVP_MAC_CTX_free(key->keyed);
		}
		free(key);
		return -ENOMEM;
	}
	EVP_MAC_free(hmac); // the context holds its own reference
	key->refs = 1;
	key->algorithm = found;
	key->name_len = (uint8_t)name_len(name);
	name_lower(key->name, name, key->name_len);
	*out = key;
	return 0;
}

struct tsig_key *tsig_key_ref(struct tsig_key *key)
{
	if (key != NULL) {
		key->refs++;
	}
	return key;
}

void tsig_key_unref(struct tsig_key *key)
{
	if (key != NULL && --key->refs == 0) {
		EVP_MAC_CTX_free(key->keyed); // cleanses the secret
		free(key);
	}
}

const uint8_t *tsig_key_name(const struct tsig_key *key)
{
	return key->name;
}

const uint8_t *tsig_key_algorithm(const struct tsig_key *key)
{
	return key->algorithm->wire;
}

size_t tsig_mac_len(const struct tsig_key *key)
{
	return key->algorithm->mac_len;
}

size_t tsig_record_len(const struct tsig_key *key)
{
	return key == NULL
	           ? 0
	           : key->name_len + 10U + key->algorithm->wire_len + 16U + key->algorithm->mac_len;
}

bool tsig_key_same(const struct tsig_key *a, const struct tsig_key *b)
{
	return a == b || (a != NULL && b != NULL && a->algorithm == b->algorithm &&
	                     name_equal(a->name, b->name));
}

// Contexts do not tell their secret: what they make of nothing does.
static bool key_proof(const struct tsig_key *key, uint8_t mac[TSIG_MAC_MAX])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->keyed);
	size_t mac_len;
	const bool made = ctx != NULL && EVP_MAC_final(ctx, mac, &mac_len, TSIG_MAC_MAX) == 1;

	EVP_MAC_CTX_free(ctx);
	return made;
}

bool tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b)
{
	uint8_t x[TSIG_MAC_MAX], y[TSIG_MAC_MAX];

	if (a == b || !tsig_key_same(a, b)) {
		return a == b;
	}
	return key_proof(a, x) && key_proof(b, y) && CRYPTO_memcmp(x, y, tsig_mac_len(a)) == 0;
}

static bool record_names_key(const struct tsig_record *record, const struct tsig_key *key)
{
	return name_equal(record->name, key->name) &&
	       name_equal(record->algorithm, key->algorithm->wire);
}

int tsig_parse(const uint8_t *msg, size_t len, size_t start, struct tsig_record *out)
{
	struct wire_record fixed;
	size_t offset = start;

	if (wire_record_read(msg, len, &offset, out->name, &fixed) < 0 || offset != len ||
	    fixed.type != RRTYPE_TSIG || fixed.rrclass != RRCLASS_ANY || fixed.ttl != 0) {
		return -EINVAL;
	}
	size_t at = fixed.rdata;
	int algorithm_len = wire_name(msg, len, &at, out->algorithm);

	// time 6, fudge 2, MAC size 2
	if (algorithm_len < 0 || at > len || len - at < 10) {
		return -EINVAL;
	}
	out->start = start;
	out->time_s = (uint64_t)wire_get16(msg + at) << 32 | wire_get32(msg + at + 2);
	out->fudge_s = wire_get16(msg + at + 6);
	out->mac_len = wire_get16(msg + at + 8);
	at += 10;
	// original id 2, error 2, other length 2
	if (len - at < out->mac_len || len - at - out->mac_len < 6) {
		return -EINVAL;
	}
	out->mac = msg + at;
	at += out->mac_len;
	out->original_id = wire_get16(msg + at);
	out->error = wire_get16(msg + at + 2);
	out->other_len = wire_get16(msg + at + 4);
	out->other = msg + at + 6;
	return len - at - 6 == out->other_len ? 0 : -EINVAL;
}

int tsig_find(const uint8_t *msg, size_t len, struct tsig_record *out)
{
	struct wire_header header;
	size_t offset = WIRE_HEADER_LEN;

	if (len < WIRE_HEADER_LEN) {
		return -EINVAL;
	}
	wire_header_read(msg, &header);
	for (unsigned i = 0; i < header.qdcount; i++) {
		if (wire_name_skip(msg, len, &offset) != 0 || len - offset < 4) {
			return -EINVAL;
		}
		offset += 4;
	}
	unsigned records = header.ancount + (unsigned)header.nscount + header.arcount;

	for (unsigned i = 0; i < records; i++) { // each takes at least 11 bytes of the message
		size_t start = offset;
		struct wire_record fixed;

		if (wire_name_skip(msg, len, &offset) != 0 ||
		    wire_record_fixed(msg, len, &offset, &fixed) != 0) {
			return -EINVAL;
		}
		if (fixed.type == RRTYPE_TSIG) {
			bool last = i + 1 == records && header.arcount > 0;

			return last && tsig_parse(msg, len, start, out) == 0 ? 1 : -EINVAL;
		}
	}
	return offset == len ? 0 : -EINVAL;
}

static bool mac_update16(EVP_MAC_CTX *mac, uint16_t value)
{
	uint8_t bytes[2];

	wire_put16(bytes, value);
	return EVP_MAC_update(mac, bytes, sizeof(bytes)) == 1;
}

static bool mac_update_prior(EVP_MAC_CTX *mac, const uint8_t *prior, size_t len)
{
	return mac_update16(mac, (uint16_t)len) && EVP_MAC_update(mac, prior, len) == 1;
}

static void put_time(uint8_t out[8], uint64_t time_s, uint16_t fudge_s)
{
	wire_put16(out, (uint16_t)(time_s >> 32));
	wire_put32(out + 2, (uint32_t)time_s);
	wire_put16(out + 6, fudge_s);
}

static bool mac_update_timers(EVP_MAC_CTX *mac, uint64_t time_s, uint16_t fudge_s)
{
	uint8_t bytes[8];

	put_time(bytes, time_s, fudge_s);
	return EVP_MAC_update(mac, bytes, sizeof(bytes)) == 1;
}

static bool mac_update_variables(EVP_MAC_CTX *mac, const struct tsig_key *key, uint64_t time_s,
    uint16_t fudge_s, uint16_t error, const uint8_t *other, uint16_t other_len)
{
	static const uint8_t class_and_ttl[6] = {0, RRCLASS_ANY, 0, 0, 0, 0};

	return EVP_MAC_update(mac, key->name, key->name_len) == 1 &&
	       EVP_MAC_update(mac, class_and_ttl, sizeof(class_and_ttl)) == 1 &&
	       EVP_MAC_update(mac, key->algorithm->wire, key->algorithm->wire_len) == 1 &&
	       mac_update_timers(mac, time_s, fudge_s) && mac_update16(mac, error) &&
	       mac_update16(mac, other_len) && EVP_MAC_update(mac, other, other_len) == 1;
}

// The message as it was before its TSIG record went in.
static bool mac_update_message(
    EVP_MAC_CTX *mac, const uint8_t *msg, const struct tsig_record *record)
{
	uint8_t header[WIRE_HEADER_LEN];

	memcpy(header, msg, sizeof(header));
	wire_put16(header, record->original_id);
	wire_put16(header + 10, (uint16_t)(wire_get16(msg + 10) - 1));
	return EVP_MAC_update(mac, header, sizeof(header)) == 1 &&
	       EVP_MAC_update(mac, msg + WIRE_HEADER_LEN, record->start - WIRE_HEADER_LEN) == 1;
}

// Writes the record; `algorithm` and `name` are wire names.
static size_t record_write(uint8_t *msg, size_t len, const uint8_t *name, const uint8_t *algorithm,
    uint64_t time_s, uint16_t fudge_s, const uint8_t *mac, size_t mac_len, uint16_t error,
    const uint8_t *other, uint16_t other_len)
{
	size_t key_len = name_len(name), algorithm_len = name_len(algorithm);
	uint8_t *p = msg + len;

	memcpy(p, name, key_len);
	p += key_len;
	wire_put16(p, RRTYPE_TSIG);
	wire_put16(p + 2, RRCLASS_ANY);
	wire_put32(p + 4, 0);
	wire_put16(p + 8, (uint16_t)(algorithm_len + 16 + mac_len + other_len));
	p += 10;
	memcpy(p, algorithm, algorithm_len);
	p += algorithm_len;
	put_time(p, time_s, fudge_s);
	wire_put16(p + 8, (uint16_t)mac_len);
	p += 10;
	if (mac_len > 0) {
		memcpy(p, mac, mac_len);
	}
	p += mac_len;
	memcpy(p, msg, 2); // original id
	wire_put16(p + 2, error);
	wire_put16(p + 4, other_len);
	p += 6;
	if (other_len > 0) {
		memcpy(p, other, other_len);
	}
	p += other_len;
	wire_put16(msg + 10, (uint16_t)(wire_get16(msg + 10) + 1));
	return (size_t)(p - msg);
}

size_t tsig_sign(const struct tsig_key *key, uint8_t *msg, size_t len, size_t cap, uint64_t time_s,
    const uint8_t *prior, size_t prior_len, enum tsig_result error, uint64_t server_time_s,
    uint8_t mac[TSIG_MAC_MAX], size_t *mac_len)
{
	uint8_t other[8];
	uint16_t other_len = error == TSIG_BADTIME ? 6 : 0;
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->keyed);
	size_t result = 0;

	put_time(other, server_time_s, 0);
	if (cap >= len + TSIG_LEN_MAX && ctx != NULL &&
	    (prior == NULL || mac_update_prior(ctx, prior, prior_len)) &&
	    EVP_MAC_update(ctx, msg, len) == 1 &&
	    mac_update_variables(
	        ctx, key, time_s, TSIG_FUDGE_S, (uint16_t)error, other, other_len) &&
	    EVP_MAC_final(ctx, mac, mac_len, TSIG_MAC_MAX) == 1) {
		result = record_write(msg, len, key->name, key->algorithm->wire, time_s,
		    TSIG_FUDGE_S, mac, *mac_len, (uint16_t)error, other, other_len);
	}
	EVP_MAC_CTX_free(ctx);
	return result;
}

void tsig_signer_open(struct tsig_signer *signer, const struct tsig_key *key,
    const uint8_t *request_mac, size_t request_len)
{
	*signer = (struct tsig_signer){.key = key, .first = true, .mac_len = request_len};
	memcpy(signer->mac, request_mac, request_len);
}

size_t tsig_signer_message(
    struct tsig_signer *signer, uint8_t *msg, size_t len, size_t cap, uint64_t now_s)
{
	const struct tsig_key *key = signer->key;
	size_t result = 0;

	if (signer->first) {
		signer->first = false;
		return tsig_sign(key, msg, len, cap, now_s, signer->mac, signer->mac_len, TSIG_OK,
		    now_s, signer->mac, &signer->mac_len);
	}
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->keyed);

	if (cap >= len + TSIG_LEN_MAX && ctx != NULL &&
	    mac_update_prior(ctx, signer->mac, signer->mac_len) &&
	    EVP_MAC_update(ctx, msg, len) == 1 && mac_update_timers(ctx, now_s, TSIG_FUDGE_S) &&
	    EVP_MAC_final(ctx, signer->mac, &signer->mac_len, TSIG_MAC_MAX) == 1) {
		result = record_write(msg, len, key->name, key->algorithm->wire, now_s,
		    TSIG_FUDGE_S, signer->mac, signer->mac_len, 0, NULL, 0);
	}
	EVP_MAC_CTX_free(ctx);
	return result;
}

size_t tsig_refuse(
    uint8_t *msg, size_t len, size_t cap, const struct tsig_record *request, enum tsig_result error)
{
	// Both names are the client's: up to 255 bytes each.
	if (cap < len + 2 * (size_t)NAME_LEN_MAX + 26) {
		return len;
	}
	return record_write(msg, len, request->name, request->algorithm, request->time_s,
	    request->fudge_s, NULL, 0, (uint16_t)error, NULL, 0);
}

// RFC 8945 5.2.2.1: a MAC longer than the algorithm's, or shorter than the larger of 10 and half of
// it, is FORMERR.
static bool mac_len_possible(const struct tsig_key *key, uint16_t mac_len)
{
	size_t full = key->algorithm->mac_len;
	size_t least = full / 2 > 10 ? full / 2 : 10;

	return mac_len <= full && mac_len >= least;
}

// The MAC first, then the time, then whether so short a MAC is good enough: none of our keys is
// configured for truncation, so only the whole one is (RFC 8945 5.2.2, 5.2.3, 5.2.4).
static enum tsig_result judge(const struct tsig_key *key, const struct tsig_record *record,
    const uint8_t *mac, uint64_t now_s)
{
	uint64_t apart = now_s > record->time_s ? now_s - record->time_s : record->time_s - now_s;

	if (CRYPTO_memcmp(mac, record->mac, record->mac_len) != 0) {
		return TSIG_BADSIG;
	}
	if (apart > record->fudge_s) {
		return TSIG_BADTIME;
	}
	return record->mac_len < key->algorithm->mac_len ? TSIG_BADTRUNC : TSIG_OK;
}

enum tsig_result tsig_verify_request(const struct tsig_key *key, const uint8_t *msg,
    const struct tsig_record *record, uint64_t now_s)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len;

	if (key == NULL || !record_names_key(record, key)) {
		return TSIG_BADKEY;
	}
	// No MAC at all is none that is too short (RFC 8945 5.3.2); NSD, Knot and BIND agree.
	if (record->mac_len == 0) {
		return TSIG_BADSIG;
	}
	if (!mac_len_possible(key, record->mac_len)) {
		return TSIG_FORMERR;
	}
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->keyed);
	bool done = ctx != NULL && mac_update_message(ctx, msg, record) &&
	            mac_update_variables(ctx, key, record->time_s, record->fudge_s, record->error,
	                record->other, record->other_len) &&
	            EVP_MAC_final(ctx, mac, &mac_len, sizeof(mac)) == 1;

	EVP_MAC_CTX_free(ctx);
	return done ? judge(key, record, mac, now_s) : TSIG_BROKEN;
}

int tsig_stream_open(struct tsig_stream *stream, const struct tsig_key *key,
    const uint8_t *request_mac, size_t request_mac_len)
{
	memset(stream, 0, sizeof(*stream));
	stream->key = key;
	stream->first = true;
	if (key == NULL) {
		return 0;
	}
	stream->mac = EVP_MAC_CTX_dup(key->keyed);
	if (stream->mac == NULL || !mac_update_prior(stream->mac, request_mac, request_mac_len)) {
		tsig_stream_close(stream);
		return -ENOMEM;
	}
	return 0;
}

void tsig_stream_close(struct tsig_stream *stream)
{
	EVP_MAC_CTX_free(stream->mac);
	stream->mac = NULL;
}

static enum tsig_result stream_unsigned(
    struct tsig_stream *stream, const uint8_t *msg, size_t len, bool last)
{
	if (stream->first || last || ++stream->unsigned_count > TSIG_UNSIGNED_MAX) {
		return TSIG_MISSING;
	}
	return EVP_MAC_update(stream->mac, msg, len) == 1 ? TSIG_OK : TSIG_BROKEN;
}

// The next message's digest begins with this one's MAC.
static bool stream_restart(struct tsig_stream *stream, const uint8_t *mac, size_t mac_len)
{
	EVP_MAC_CTX_free(stream->mac);
	stream->mac = EVP_MAC_CTX_dup(stream->key->keyed);
	stream->first = false;
	stream->unsigned_count = 0;
	return stream->mac != NULL && mac_update_prior(stream->mac, mac, mac_len);
}

enum tsig_result tsig_stream_message(struct tsig_stream *stream, const uint8_t *msg, size_t len,
    const struct tsig_record *record, uint64_t now_s, bool last)
{
	const struct tsig_key *key = stream->key;
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len;

	if (key == NULL) {
		return record == NULL ? TSIG_OK : TSIG_UNEXPECTED;
	}
	if (record == NULL) {
		return stream_unsigned(stream, msg, len, last);
	}
	stream->error = record->error;
	if (!record_names_key(record, key)) {
		return TSIG_BADKEY;
	}
	if (record->mac_len == 0 && record->error != 0) {
		return TSIG_BADSIG; // the peer refuses our signature and cannot sign its answer
	}
	if (!mac_len_possible(key, record->mac_len)) {
		return TSIG_FORMERR;
	}
	bool done =
	    mac_update_message(stream->mac, msg, record) &&
	    (stream->first ? mac_update_variables(stream->mac, key, record->time_s, record->fudge_s,
	                         record->error, record->other, record->other_len)
	                   : mac_update_timers(stream->mac, record->time_s, record->fudge_s)) &&
	    EVP_MAC_final(stream->mac, mac, &mac_len, sizeof(mac)) == 1;

	if (!done) {
		return TSIG_BROKEN;
	}
	enum tsig_result result = judge(key, record, mac, now_s);

	if (result == TSIG_OK && record->error != 0) {
		return record->error == TSIG_BADTIME ? TSIG_BADTIME : TSIG_BADSIG;
	}
	if (result == TSIG_OK && !stream_restart(stream, record->mac, record->mac_len)) {
		return TSIG_BROKEN;
	}
	return result;
}

bool tsig_key_refused(unsigned rcode, const uint8_t *msg, size_t len)
{
	struct tsig_record record;

	return rcode == WIRE_RCODE_NOTAUTH &&
	       (tsig_find(msg, len, &record) != 1 || record.error == 0 ||
	           record.error == TSIG_BADKEY || record.error == TSIG_BADSIG);
}

const char *tsig_result_text(enum tsig_result result)
{
	switch (result) {
	case TSIG_OK:
		return "good signature";
	case TSIG_BADSIG:
		return "BADSIG";
	case TSIG_BADKEY:
		return "BADKEY";
	case TSIG_BADTIME:
		return "BADTIME";
	case TSIG_BADTRUNC:
		return "BADTRUNC";
	case TSIG_FORMERR:
		return "malformed signature";
	case TSIG_MISSING:
		return "signature missing";
	case TSIG_UNEXPECTED:
		return "signed, but no key is configured";
	case TSIG_BROKEN:
		return "signature could not be computed";
	}
	return "unknown";
}
