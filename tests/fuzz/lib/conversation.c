// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A primary's side of a transfer (see conversation.h). Signs with OpenSSL's one-shot HMAC: nothing
// of tsig.c, which is judged here, is used.
#include "conversation.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "rrtype.h"
#include "wire.h"

#define ID 0x1234

// --- reading choices

static const uint8_t apex[] = CONVERSATION_APEX;

static void put(struct conversation *c, const void *bytes, size_t len)
{
	if (len <= sizeof(c->bytes) - c->used) {
		memcpy(c->bytes + c->used, bytes, len);
		c->used += len;
	}
}

// One more record, uncompressed. `label` may be empty: the apex.
static void record_put(struct conversation *c, const char *label, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, size_t len)
{
	const uint8_t label_len = (uint8_t)strlen(label);
	uint8_t fixed[10];

	if (c->record_count == CONVERSATION_RECORDS || sizeof(c->bytes) - c->used < len + 128)
		return;
	c->records[c->record_count].at = (uint32_t)c->used;
	if (label_len > 0) {
		put(c, &label_len, 1);
		put(c, label, label_len);
	}
	put(c, apex, sizeof(apex));
	wire_put16(fixed, type);
	wire_put16(fixed + 2, rrclass);
	wire_put32(fixed + 4, ttl);
	wire_put16(fixed + 8, (uint16_t)len);
	put(c, fixed, sizeof(fixed));
	put(c, rdata, len);
	c->records[c->record_count].len = (uint32_t)c->used - c->records[c->record_count].at;
	c->record_count++;
}

// What is around the secondary's serial, and where serial arithmetic turns (RFC 1982).
static uint32_t serial_choice(uint32_t ours, unsigned choice)
{
	static const uint32_t steps[16] = {0, 1, 2, 3, 4, 5, 6, UINT32_MAX, UINT32_MAX - 1,
	    INT32_MAX, (uint32_t)INT32_MAX + 1, (uint32_t)INT32_MAX + 2, 1000, 1u << 30, 100, 7};

	return ours + steps[choice & 15];
}

static void soa_put(struct conversation *c, uint32_t ours, uint8_t choice)
{
	uint8_t rdata[22] = {0};

	wire_put32(rdata + 2, serial_choice(ours, choice));
	for (int i = 6; i < 22; i += 4)
		wire_put32(rdata + i, (choice & 0x10) != 0 ? UINT32_MAX : 1);
	record_put(
	    c, (choice & 0x20) != 0 ? "a" : "", RRTYPE_SOA, RRCLASS_IN, 60, rdata, sizeof(rdata));
}

static void host_put(struct conversation *c, const char *label, uint16_t number)
{
	// The zone that differences are applied to has .2.1 and .2.2.
	const uint8_t rdata[4] = {0xc0, 0, (uint8_t)(2 + (number >> 8)), (uint8_t)number};

	record_put(c, label, RRTYPE_A, RRCLASS_IN, 60, rdata, sizeof(rdata));
}

static void message_end(struct conversation *c, uint8_t how, uint8_t edit_at, uint8_t edit)
{
	const size_t before = c->message_count > 0 ? c->messages[c->message_count - 1].records : 0;

	if (c->message_count == CONVERSATION_MESSAGES || c->record_count == before)
		return;
	c->messages[c->message_count].records = (uint16_t)c->record_count;
	c->messages[c->message_count].signature = (how & 0xf) < SIGNATURES ? how & 0xf : SIGNED;
	c->messages[c->message_count].questioned = c->message_count == 0 || (how & 0x10) != 0;
	c->messages[c->message_count].edit_at = edit_at % WIRE_HEADER_LEN;
	c->messages[c->message_count].edit = edit;
	c->edited |= edit != 0;
	c->message_count++;
}

static void bytes_record(struct conversation *c, struct cursor *cursor)
{
	uint8_t rdata[255];
	const uint16_t type = cursor_u16(cursor);
	const size_t len = cursor_bytes(cursor, rdata, cursor_u8(cursor));

	record_put(c, "u", type, RRCLASS_IN, cursor_u32(cursor), rdata, len);
}

// A record that may be none at all: then what follows in the message is what the parser makes of
// it.
static void bytes_put(struct conversation *c, struct cursor *cursor)
{
	uint8_t raw[255];
	const size_t len = cursor_bytes(cursor, raw, cursor_u8(cursor));

	if (c->record_count == CONVERSATION_RECORDS || len > sizeof(c->bytes) - c->used)
		return;
	c->edited = true;
	c->records[c->record_count].at = (uint32_t)c->used;
	c->records[c->record_count].len = (uint32_t)len;
	c->record_count++;
	put(c, raw, len);
}

void conversation_read(struct conversation *c, struct cursor *cursor, uint32_t ours)
{
	static const uint8_t alias[] = "\1a" CONVERSATION_APEX;
	static const uint8_t text[] = "\5hello";
	uint8_t number;

	memset(c, 0, offsetof(struct conversation, bytes));
	while (cursor->left > 0) {
		const uint8_t op = cursor_u8(cursor);

		switch (op & 15) {
		case 0:
		case 1:
			soa_put(c, ours, cursor_u8(cursor));
			break;
		case 2:
			host_put(c, "a", cursor_u8(cursor));
			break;
		case 3:
			record_put(c, "", RRTYPE_NS, RRCLASS_IN, 60, alias, sizeof(alias));
			break;
		case 4:
			record_put(c, "b", RRTYPE_CNAME, RRCLASS_IN, 60, alias, sizeof(alias));
			break;
		case 5:
			record_put(c, "A", RRTYPE_TXT, RRCLASS_IN, cursor_u8(cursor), text, 6);
			break;
		case 6:
			bytes_record(c, cursor);
			break;
		case 7:
			record_put(c, "c", RRTYPE_A, cursor_u8(cursor), 60, text, 4);
			break;
		case 8: // a run of one type
			number = cursor_u8(cursor);
			for (uint16_t i = 0; i < number; i++)
				host_put(c, "run", i);
			break;
		case 9:
			bytes_put(c, cursor);
			break;
		case 10: // messages of one record, with or without a signature
			number = cursor_u8(cursor);
			for (uint16_t i = 0; i < number; i++) {
				host_put(c, "many", i);
				message_end(c, op >> 4, 0, 0);
			}
			break;
		case 11:
			message_end(c, cursor_u8(cursor), cursor_u8(cursor), cursor_u8(cursor));
			break;
		default:
			message_end(c, op >> 4, 0, 0);
			break;
		}
	}
	message_end(c, SIGNED, 0, 0);
	// What found no room in a message is not said in any other split either.
	c->record_count = c->message_count > 0 ? c->messages[c->message_count - 1].records : 0;
}

// --- saying it

struct signer {
	uint8_t prior[EVP_MAX_MD_SIZE];
	size_t prior_len;
	bool first;
	uint8_t *between; // messages without a signature
	size_t between_len;
};

static void hmac(const char *secret, const uint8_t *data, size_t len, uint8_t mac[32])
{
	unsigned mac_len = 32;

	must(HMAC(EVP_sha256(), secret, (int)strlen(secret), data, len, mac, &mac_len) != NULL);
}

static void time_put(uint8_t *out, uint64_t time_s)
{
	wire_put16(out, (uint16_t)(time_s >> 32));
	wire_put32(out + 2, (uint32_t)time_s);
	wire_put16(out + 6, 300);
}

// RFC 8945 5.3.1, in one piece. Post: the message with its record.
static size_t sign_message(
    struct signer *signer, uint8_t *msg, size_t len, enum signature how, uint64_t now_s)
{
	static const uint8_t algorithm[] = "\x0b"
	                                   "hmac-sha256";
	static const uint8_t key[] = CONVERSATION_KEY, other[] = "\1o";
	const uint8_t *name = how == SIGNED_BY_OTHER ? other : key;
	const uint64_t time_s = how == SIGNED_LATE ? now_s - 301 : now_s;
	uint8_t *data = malloc(signer->between_len + len + 512);
	uint8_t mac[32], *p = data;
	size_t mac_len = how == SIGNED_SHORT ? 16 : 32;

	must(data != NULL);
	wire_put16(p, (uint16_t)signer->prior_len);
	memcpy(p + 2, signer->prior, signer->prior_len);
	p += 2 + signer->prior_len;
	if (signer->between_len > 0)
		memcpy(p, signer->between, signer->between_len);
	p += signer->between_len;
	memcpy(p, msg, len);
	p += len;
	if (signer->first) {
		memcpy(p, name, sizeof(key));
		p += sizeof(key);
		wire_put16(p, RRCLASS_ANY);
		wire_put32(p + 2, 0);
		memcpy(p + 6, algorithm, sizeof(algorithm));
		p += 6 + sizeof(algorithm);
	}
	time_put(p, time_s);
	p += 8;
	if (signer->first) {
		memset(p, 0, 4); // no error, no other data
		p += 4;
	}
	hmac(CONVERSATION_SECRET, data, (size_t)(p - data), mac);
	free(data);
	memcpy(signer->prior, mac, 32);
	signer->prior_len = 32;
	signer->between_len = 0;
	signer->first = false;
	if (how == SIGNED_WRONG)
		mac[31] ^= 1;

	p = msg + len;
	memcpy(p, name, sizeof(key));
	p += sizeof(key);
	wire_put16(p, RRTYPE_TSIG);
	wire_put16(p + 2, RRCLASS_ANY);
	wire_put32(p + 4, 0);
	wire_put16(p + 8, (uint16_t)(sizeof(algorithm) + 8 + 2 + mac_len + 6));
	memcpy(p + 10, algorithm, sizeof(algorithm));
	p += 10 + sizeof(algorithm);
	time_put(p, time_s);
	wire_put16(p + 8, (uint16_t)mac_len);
	memcpy(p + 10, mac, mac_len);
	p += 10 + mac_len;
	memcpy(p, msg, 2); // the original id
	memset(p + 2, 0, 4);
	wire_put16(msg + 10, (uint16_t)(wire_get16(msg + 10) + 1));
	return (size_t)(p + 6 - msg);
}

static void keep_unsigned(struct signer *signer, const uint8_t *msg, size_t len)
{
	signer->between = realloc(signer->between, signer->between_len + len);
	must(signer->between != NULL);
	memcpy(signer->between + signer->between_len, msg, len);
	signer->between_len += len;
}

// What holds after each message, whatever it was.
static void session_holds(const struct session *session)
{
	must(session_count(session) <= session->limits.records);
	must(session->state == SESSION_FAILED || session->bytes <= session->limits.bytes);
	if (session->state == SESSION_FAILED) {
		must(session->error[0] != '\0');
		for (const char *p = session->error; *p != '\0'; p++)
			must((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
	}
	if (session->state == SESSION_DONE && session->delta != NULL)
		must(session->delta->to == session->soa.serial && session->delta->steps > 0 &&
		     session->delta->from == session->ask.ours.serial);
}

size_t conversation_play(const struct conversation *c, struct session *session, enum split split,
    bool sign, const uint8_t *request_mac, size_t request_mac_len, uint64_t now_s, bool *sound)
{
	struct signer signer = {.prior_len = request_mac_len, .first = true};
	const uint16_t qtype = session->ask.incremental ? RRTYPE_IXFR : RRTYPE_AXFR;
	size_t from = 0, at, unsigned_count = 0;

	*sound = true;
	if (request_mac_len > 0)
		memcpy(signer.prior, request_mac, request_mac_len);
	for (at = 0; session->state == SESSION_MORE && from < c->record_count; at++) {
		size_t to = split == ONE_EACH ? from + 1 : c->record_count, size = 512;
		enum signature how = SIGNED;
		bool questioned = at == 0;

		if (split == AS_IT_STANDS) {
			if (at == c->message_count)
				break;
			to = c->messages[at].records;
			how = (enum signature)c->messages[at].signature;
			questioned = c->messages[at].questioned;
		}
		for (size_t i = from; i < to; i++)
			size += c->records[i].len;
		uint8_t *msg = malloc(size), *exact;
		uint8_t question[WIRE_HEADER_LEN + NAME_LEN_MAX + 4];
		size_t len = wire_question(question, ID, WIRE_QR | WIRE_AA, apex, qtype);

		must(msg != NULL);
		if (!questioned) {
			len = WIRE_HEADER_LEN;
			wire_put16(question + 4, 0);
		}
		memcpy(msg, question, len);
		wire_put16(msg + 6, (uint16_t)(to - from));
		for (; from < to; from++) {
			memcpy(msg + len, c->bytes + c->records[from].at, c->records[from].len);
			len += c->records[from].len;
		}
		if (split == AS_IT_STANDS)
			msg[c->messages[at].edit_at] ^= c->messages[at].edit;
		if (sign && how == UNSIGNED) {
			keep_unsigned(&signer, msg, len);
			*sound &= !signer.first && ++unsigned_count <= 99;
		} else if (sign) {
			len = sign_message(&signer, msg, len, how, now_s);
			*sound &= how == SIGNED;
			unsigned_count = 0;
		}
		// A message has at most 65535 bytes: what is longer cannot be framed.
		if (len <= WIRE_MESSAGE_MAX) {
			exact = malloc(len);
			must(exact != NULL);
			memcpy(exact, msg, len);
			session_message(session, exact, len, now_s);
			free(exact);
			session_holds(session);
			// Nothing is believed that is not signed to its very end.
			if (sign &&
			    (session->state == SESSION_DONE || session->state == SESSION_STALE))
				must(*sound && how == SIGNED);
		} else {
			from = c->record_count;
		}
		free(msg);
	}
	free(signer.between);
	return at;
}
