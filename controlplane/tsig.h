// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Transaction signatures (RFC 8945) with OpenSSL's HMAC directly, so that a stream of a hundred
// megabytes is digested as it arrives: hmac-sha1, -sha224, -sha256, -sha384, -sha512. Time is
// passed in. Used by queries, transfers and NOTIFY on the event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define TSIG_MAC_MAX      64  // hmac-sha512
#define TSIG_FUDGE_S      300 // RFC 8945 10 recommends it
#define TSIG_UNSIGNED_MAX 99  // messages in a row without TSIG (RFC 8945 5.3.1)
// What a signature may add to a message: owner, fixed part, algorithm name, the rest of the rdata.
#define TSIG_LEN_MAX (NAME_LEN_MAX + 10 + 32 + 16 + TSIG_MAC_MAX + 6)

// RFC 8945 3; 16 to 18 and 22 are TSIG errors on the wire, the others are ours.
enum tsig_result {
	TSIG_OK = 0,
	TSIG_BADSIG = 16,
	TSIG_BADKEY = 17,
	TSIG_BADTIME = 18,
	TSIG_BADTRUNC = 22,
	TSIG_FORMERR = 0x101, // the record itself is malformed, or not where it must be
	TSIG_MISSING,         // a signature was due
	TSIG_UNEXPECTED,      // signed, but no key is configured
	TSIG_BROKEN,          // OpenSSL failed (out of memory)
};

struct tsig_key; // immutable; shared by reference count on one thread

// `name` in wire form. Post: 0; -EINVAL for an algorithm that is not one of the five or an empty
// secret; -ENOMEM.
int tsig_key_new(const uint8_t *name, const char *algorithm, const uint8_t *secret, size_t len,
    struct tsig_key **out) __attribute__((warn_unused_result));
struct tsig_key *tsig_key_ref(struct tsig_key *key);           // NULL is accepted and returned
void tsig_key_unref(struct tsig_key *key);                     // NULL is accepted
const uint8_t *tsig_key_name(const struct tsig_key *key);      // lower case
const uint8_t *tsig_key_algorithm(const struct tsig_key *key); // wire form
size_t tsig_mac_len(const struct tsig_key *key);
size_t tsig_record_len(const struct tsig_key *key); // of a request's record; 0 for NULL
bool tsig_key_same(const struct tsig_key *a, const struct tsig_key *b); // name and algorithm
// The secret as well; false when that cannot be told (out of memory).
bool tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b);

// A TSIG record in a message; pointers are into the message.
struct tsig_record {
	size_t start; // where the record begins: the message without it ends here
	uint8_t name[NAME_LEN_MAX];
	uint8_t algorithm[NAME_LEN_MAX];
	uint64_t time_s; // 48 bits
	uint16_t fudge_s;
	const uint8_t *mac;
	uint16_t mac_len;
	uint16_t original_id;
	uint16_t error;
	const uint8_t *other;
	uint16_t other_len;
};

// The TSIG record that begins at `start` (its owner). Post: 0 and *out; -EINVAL when malformed,
// when class or TTL are wrong, or when anything follows it.
int tsig_parse(const uint8_t *msg, size_t len, size_t start, struct tsig_record *out);

// Walks the whole message. Post: 1 and *out when the last record is a TSIG; 0 when there is none;
// -EINVAL when the message is malformed, has trailing bytes, or has a TSIG anywhere else.
int tsig_find(const uint8_t *msg, size_t len, struct tsig_record *out);

// Appends a TSIG record. `prior` is the request's MAC when this is a response (NULL otherwise).
// Pre: cap >= len + TSIG_LEN_MAX. Post: the new length, mac[] holds *mac_len bytes; 0 when OpenSSL
// failed. With `error` BADTIME the server's time goes into other data, and `time_s` is the
// client's.
size_t tsig_sign(const struct tsig_key *key, uint8_t *msg, size_t len, size_t cap, uint64_t time_s,
    const uint8_t *prior, size_t prior_len, enum tsig_result error, uint64_t server_time_s,
    uint8_t mac[TSIG_MAC_MAX], size_t *mac_len);

// The messages of one answer, signed one after the other (RFC 8945 5.3.1).
struct tsig_signer {
	const struct tsig_key *key; // borrowed
	bool first;
	size_t mac_len; // of what the next one's digest begins with:
	uint8_t mac[TSIG_MAC_MAX];
};

// Pre: the request was verified with `key`; `request_mac` is its MAC, request_len <= TSIG_MAC_MAX.
void tsig_signer_open(struct tsig_signer *signer, const struct tsig_key *key,
    const uint8_t *request_mac, size_t request_len);
// Signs the next message. Pre and post as tsig_sign().
size_t tsig_signer_message(
    struct tsig_signer *signer, uint8_t *msg, size_t len, size_t cap, uint64_t now_s);

// Appends a TSIG record without a MAC, naming BADKEY or BADSIG (RFC 8945 5.2), for the key and
// algorithm that the request named. Post: the new length.
size_t tsig_refuse(uint8_t *msg, size_t len, size_t cap, const struct tsig_record *request,
    enum tsig_result error);

// A request: key and algorithm must be the record's own. Checks in the order of RFC 8945 5.2: key,
// MAC, time, truncation.
enum tsig_result tsig_verify_request(const struct tsig_key *key, const uint8_t *msg,
    const struct tsig_record *record, uint64_t now_s);

// The answers to one request, one message or many (RFC 8945 5.3, 5.3.1).
struct tsig_stream {
	const struct tsig_key *key; // borrowed; NULL: nothing is signed
	void *mac;                  // EVP_MAC_CTX under way
	bool first;
	unsigned unsigned_count;
	uint16_t error; // of the peer's TSIG record, when it refused us
};

// Pre: the request carried `request_mac`. Post: 0 or -ENOMEM.
int tsig_stream_open(struct tsig_stream *stream, const struct tsig_key *key,
    const uint8_t *request_mac, size_t request_mac_len);
void tsig_stream_close(struct tsig_stream *stream);

// Takes in the next message. `record` is NULL when it carries none. `last` demands a signature now.
enum tsig_result tsig_stream_message(struct tsig_stream *stream, const uint8_t *msg, size_t len,
    const struct tsig_record *record, uint64_t now_s, bool last);

// Does the answer with this RCODE say that the key of the question is not one the peer has, or not
// with this secret (RFC 8945 5.2)? Nothing proves that it does: another key may be tried, no more.
bool tsig_key_refused(unsigned rcode, const uint8_t *msg, size_t len);

// "BADSIG", "no signature" ... for logs.
const char *tsig_result_text(enum tsig_result result);
