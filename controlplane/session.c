// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One zone transfer, message by message (see session.h). The primary is the most dangerous input
// there is: nothing here trusts a length, a count or an order, and nothing is handed out before the
// last message has been verified. What is not judged here is left to records_check: whether the
// zone makes sense as a whole.
#include "session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rdata.h"
#include "serial.h"
#include "wire.h"

static enum session_state fail(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum session_state fail(struct session *session, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(session->error, sizeof(session->error), format, args);
	va_end(args);
	return session->state = SESSION_FAILED;
}

struct session *session_open(const uint8_t *apex, const struct tsig_key *key, uint16_t id,
    bool any_serial, uint32_t our_serial, const struct session_limits *limits)
{
	struct session *session = malloc(sizeof(*session));

	if (session == NULL) {
		return NULL;
	}
	memset(session, 0, offsetof(struct session, scratch));
	session->records = records_new(apex);
	if (session->records == NULL) {
		free(session);
		return NULL;
	}
	session->state = SESSION_MORE;
	session->key = key;
	session->limits = *limits;
	session->id = id;
	session->any_serial = any_serial;
	session->our_serial = our_serial;
	session->apex_len = (uint8_t)name_len(apex);
	name_lower(session->apex, apex, session->apex_len);
	return session;
}

void session_close(struct session *session)
{
	if (session != NULL) {
		tsig_stream_close(&session->stream);
		records_free(session->records);
		free(session);
	}
}

size_t session_request(struct session *session, uint8_t *out, size_t cap, uint64_t now_s)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len = 0;
	size_t len = wire_question(out, session->id, 0, session->apex, RRTYPE_AXFR);

	if (session->key != NULL) {
		len = tsig_sign(
		    session->key, out, len, cap, now_s, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	}
	if (len == 0 || tsig_stream_open(&session->stream, session->key, mac, mac_len) != 0) {
		return 0;
	}
	return len;
}

struct records *session_take(struct session *session)
{
	struct records *records = session->records;

	session->records = NULL;
	return records;
}

// The primary says no. A TSIG record beside the RCODE says what it has against our key; it is shown
// as the peer's word, and nothing depends on it.
static enum session_state refused(
    struct session *session, const uint8_t *msg, size_t len, unsigned rcode)
{
	struct tsig_record record;
	char number[16];

	if (tsig_find(msg, len, &record) == 1 && record.error != 0) {
		return fail(session, "primary answers %s, its signature record says %s",
		    wire_rcode_text(rcode, number),
		    record.error == TSIG_BADSIG || record.error == TSIG_BADKEY ||
		            record.error == TSIG_BADTIME || record.error == TSIG_BADTRUNC
		        ? tsig_result_text((enum tsig_result)record.error)
		        : "another error");
	}
	return fail(session, "primary answers %s", wire_rcode_text(rcode, number));
}

static bool header_good(
    struct session *session, const uint8_t *msg, size_t len, const struct wire_header *header)
{
	if (header->id != session->id) {
		fail(session, "message with another id");
	} else if ((header->flags & WIRE_QR) == 0) {
		fail(session, "a query came instead of an answer");
	} else if ((header->flags & WIRE_OPCODE) != 0) {
		fail(session, "answer with another opcode");
	} else if ((header->flags & WIRE_RCODE) != 0) {
		refused(session, msg, len, header->flags & WIRE_RCODE);
	} else if ((header->flags & WIRE_TC) != 0) {
		fail(session, "answer over TCP is truncated");
	} else if (header->qdcount > 1 || (header->qdcount == 0 && session->messages == 0)) {
		fail(session, "answer with %u questions", header->qdcount);
	} else if (header->ancount == 0) {
		fail(session, "message without records");
	} else if (header->nscount != 0) {
		fail(session, "authority section is not empty"); // RFC 5936 2.2.4
	} else {
		return true;
	}
	return false;
}

static bool question_good(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	uint8_t qname[NAME_LEN_MAX];

	if (wire_name(msg, len, offset, qname) < 0 || len - *offset < 4) {
		fail(session, "malformed question");
		return false;
	}
	if (!name_equal(qname, session->apex) || wire_get16(msg + *offset) != RRTYPE_AXFR ||
	    wire_get16(msg + *offset + 2) != RRCLASS_IN) {
		fail(session, "answer to another question");
		return false;
	}
	*offset += 4;
	return true;
}

// Reads the owner at *offset into session->owner. A pointer to where the last owner of this message
// began (which is what every primary sends for the second record of a name) costs nothing.
// Post: 1 when it is the same owner as before, 0 when another, -EINVAL.
static int owner_read(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	size_t at = *offset;

	if (len - at >= 2 && msg[at] >= 0xc0) {
		size_t target = (size_t)(msg[at] & 0x3f) << 8 | msg[at + 1];

		if (target == session->owner_at && session->owner_at != 0) {
			*offset = at + 2;
			return 1;
		}
		at = target;
	}
	int owner_len = wire_name(msg, len, offset, session->owner);

	if (owner_len < 0) {
		session->owner_at = 0;
		return owner_len;
	}
	session->owner_len = (uint8_t)owner_len;
	session->owner_at = at;
	return 0;
}

static void soa_read(const uint8_t *rdata, size_t len, struct zone_soa *out)
{
	const uint8_t *fixed = rdata + len - 20; // serial, refresh, retry, expire, minimum

	out->serial = wire_get32(fixed);
	out->refresh_s = wire_get32(fixed + 4);
	out->retry_s = wire_get32(fixed + 8);
	out->expire_s = wire_get32(fixed + 12);
}

// Two SOAs are the same when their names are (case aside) and their numbers are.
static bool soa_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (a_len != b_len || memcmp(a + a_len - 20, b + b_len - 20, 20) != 0) {
		return false;
	}
	size_t first = name_len(a);

	return first == name_len(b) && name_equal(a, b) && name_equal(a + first, b + first);
}

static bool soa_first(struct session *session, const uint8_t *rdata, size_t len)
{
	memcpy(session->soa_rdata, rdata, len); // two names and 20 bytes at most: rdata_valid
	session->soa_len = (uint16_t)len;
	soa_read(rdata, len, &session->soa);
	if (!session->any_serial && !serial_newer(session->soa.serial, session->our_serial)) {
		session->state = SESSION_STALE;
		return false;
	}
	return true;
}

static bool soa_last(struct session *session, const uint8_t *rdata, size_t len)
{
	if (!soa_same(rdata, len, session->soa_rdata, session->soa_len)) {
		struct zone_soa last;

		soa_read(rdata, len, &last);
		fail(session, "last SOA (serial %u) differs from the first (serial %u)",
		    last.serial, session->soa.serial);
		return false;
	}
	session->ended = true;
	return true;
}

static void fail_at(struct session *session, uint16_t type, const char *what)
{
	char owner[NAME_TEXT_MAX];
	char type_text[16];

	name_to_text(session->owner, owner);
	fail(session, "%.120s %s: %s", owner, rrtype_to_text(type, type_text), what);
}

static bool record_add(
    struct session *session, const struct wire_record *record, const uint8_t *rdata, size_t len)
{
	// RFC 2181 8: a TTL with the highest bit set is zero.
	uint32_t ttl = record->ttl > INT32_MAX ? 0 : record->ttl;

	if (session->records->count >= session->limits.records) {
		fail(
		    session, "more than %llu records", (unsigned long long)session->limits.records);
		return false;
	}
	int rc = records_add(session->records, session->owner, record->type, ttl, rdata, len);

	if (rc == -ERANGE) {
		fail_at(session, record->type, "out of zone");
	} else if (rc != 0) {
		fail(session, "out of memory after %zu records", session->records->count);
	}
	return rc == 0;
}

// Counts records of one owner and type that follow each other, however the owner was written.
static bool run_good(struct session *session, bool same_owner, uint16_t type)
{
	const struct records *records = session->records;

	if (!same_owner && records->count > 0) {
		const struct record *last = &records->items[records->count - 1];

		same_owner = last->owner_len == session->owner_len &&
		             memcmp(last->owner, session->owner, session->owner_len) == 0;
	}
	if (same_owner && type == session->run_type) {
		session->run++;
	} else {
		session->run = 1;
		session->run_type = type;
	}
	if (session->run > session->limits.rrset_records) {
		fail_at(session, type, "too many records of one type");
		return false;
	}
	return true;
}

// Post: false when the session has ended, one way or the other.
static bool record_take(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	struct wire_record record;
	int same = owner_read(session, msg, len, offset);

	if (same < 0 || wire_record_fixed(msg, len, offset, &record) != 0) {
		fail(session, "malformed record %zu", session->records->count + 1);
		return false;
	}
	if (session->ended) {
		fail_at(session, record.type, "comes after the last SOA");
		return false;
	}
	if (record.rrclass != RRCLASS_IN) {
		fail_at(session, record.type, "is not of class IN");
		return false;
	}
	if (rrtype_is_meta(record.type)) {
		fail_at(session, record.type, "cannot be zone data");
		return false;
	}
	const uint8_t *rdata = msg + record.rdata;
	int rdlen = record.rdlen;

	if (record.type == RRTYPE_A || record.type == RRTYPE_AAAA) { // most of most zones
		if (rdlen != (record.type == RRTYPE_A ? 4 : 16)) {
			rdlen = -EINVAL;
		}
	} else {
		rdlen = rdata_from_wire(record.type, msg, len, record.rdata, record.rdlen,
		    session->scratch, sizeof(session->scratch));
		rdata = session->scratch;
		if (rdlen >= 0 &&
		    (rdlen > RDATA_LEN_MAX || !rdata_valid(record.type, rdata, (size_t)rdlen))) {
			rdlen = -EINVAL;
		}
	}
	if (rdlen < 0) {
		fail_at(session, record.type, "malformed rdata");
		return false;
	}
	if (record.type == RRTYPE_SOA) {
		if (!name_equal(session->owner, session->apex)) {
			fail_at(session, record.type, "is not at the apex");
			return false;
		}
		if (session->records->count > 0) {
			return soa_last(session, rdata, (size_t)rdlen);
		}
		if (!soa_first(session, rdata, (size_t)rdlen)) {
			return false;
		}
	} else if (session->records->count == 0) {
		fail_at(session, record.type, "comes before the first SOA");
		return false;
	}
	return run_good(session, same == 1, record.type) &&
	       record_add(session, &record, rdata, (size_t)rdlen);
}

// The additional section: only TSIG means anything here, and it must be the very last record.
// Post: 1 with *tsig, 0 without, -EINVAL.
static int additional_read(
    const uint8_t *msg, size_t len, size_t *offset, unsigned count, struct tsig_record *tsig)
{
	for (unsigned i = 0; i < count; i++) {
		size_t start = *offset;
		struct wire_record record;

		if (wire_name_skip(msg, len, offset) != 0 ||
		    wire_record_fixed(msg, len, offset, &record) != 0) {
			return -EINVAL;
		}
		if (record.type == RRTYPE_TSIG) {
			return i + 1 == count && tsig_parse(msg, len, start, tsig) == 0 ? 1
			                                                                : -EINVAL;
		}
	}
	return *offset == len ? 0 : -EINVAL;
}

// The rest of a message after the answer that ended the session early is walked for its signature.
static int answers_skip(const uint8_t *msg, size_t len, size_t *offset, unsigned count)
{
	struct wire_record record;

	for (unsigned i = 0; i < count; i++) {
		if (wire_name_skip(msg, len, offset) != 0 ||
		    wire_record_fixed(msg, len, offset, &record) != 0) {
			return -EINVAL;
		}
	}
	return 0;
}

enum session_state session_message(
    struct session *session, const uint8_t *msg, size_t len, uint64_t now_s)
{
	struct wire_header header;
	struct tsig_record tsig;
	size_t offset = WIRE_HEADER_LEN;

	session->bytes += len;
	if (session->bytes > session->limits.bytes) {
		return fail(
		    session, "more than %llu bytes", (unsigned long long)session->limits.bytes);
	}
	if (len < WIRE_HEADER_LEN) {
		return fail(session, "message of %zu bytes", len);
	}
	wire_header_read(msg, &header);
	if (!header_good(session, msg, len, &header) ||
	    (header.qdcount == 1 && !question_good(session, msg, len, &offset))) {
		return session->state;
	}
	session->messages++;
	session->owner_at = 0;

	unsigned taken = 0;

	while (taken < header.ancount && record_take(session, msg, len, &offset)) {
		taken++;
	}
	if (session->state == SESSION_FAILED) {
		return SESSION_FAILED;
	}
	if (session->state == SESSION_STALE &&
	    answers_skip(msg, len, &offset, header.ancount - taken - 1U) != 0) {
		return fail(session, "malformed answer section");
	}
	int has_tsig = additional_read(msg, len, &offset, header.arcount, &tsig);

	if (has_tsig < 0) {
		return fail(session, "malformed additional section or bytes behind the message");
	}
	enum tsig_result verdict = tsig_stream_message(&session->stream, msg, len,
	    has_tsig == 1 ? &tsig : NULL, now_s, session->ended || session->state == SESSION_STALE);

	if (verdict != TSIG_OK) {
		return fail(session, "message %llu: %s", (unsigned long long)session->messages,
		    tsig_result_text(verdict));
	}
	if (session->ended) {
		session->state = SESSION_DONE;
	}
	return session->state;
}
