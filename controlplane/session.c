// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One zone transfer, message by message (see session.h). The primary is the most dangerous input
// there is: nothing here trusts a length, a count or an order, and nothing is handed out before the
// last message has been verified. What is not judged here is left to records_check: whether the
// zone makes sense as a whole.
#include "session_private.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

enum session_state session_fail(struct session *session, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(session->error, sizeof(session->error), format, args);
	va_end(args);
	return session->state = SESSION_FAILED;
}

struct session *session_open(const uint8_t *apex, const struct tsig_key *key, uint16_t id,
    const struct session_ask *ask, const struct session_limits *limits)
{
	assert(!ask->incremental || !ask->any_serial);
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
	session->records->rrset_max = limits->rrset_records;
	session->room_at = SESSION_ROOM_STEP;
	session->id = id;
	session->ask = *ask;
	session->apex_len = (uint8_t)name_len(apex);
	name_lower(session->apex, apex, session->apex_len);
	return session;
}

void session_close(struct session *session)
{
	if (session != NULL) {
		tsig_stream_close(&session->stream);
		records_free(session->records);
		seen_free(session->seen);
		delta_free(session->delta);
		free(session);
	}
}

// The SOA of the version we hold (RFC 1995 3). The server reads its serial only, so the names are
// left at the root.
static size_t ours_put(const struct session *session, uint8_t *out, size_t len)
{
	const struct zone_soa *ours = &session->ask.ours;
	uint8_t *p = out + len;

	wire_put16(p, 0xc000 | WIRE_HEADER_LEN); // the question's name
	wire_put16(p + 2, RRTYPE_SOA);
	wire_put16(p + 4, RRCLASS_IN);
	wire_put32(p + 6, 0);
	wire_put16(p + 10, 22);
	p[12] = p[13] = 0;
	wire_put32(p + 14, ours->serial);
	wire_put32(p + 18, ours->refresh_s);
	wire_put32(p + 22, ours->retry_s);
	wire_put32(p + 26, ours->expire_s);
	wire_put32(p + 30, 0);
	wire_put16(out + 8, 1); // NSCOUNT
	return len + 34;
}

static uint16_t session_qtype(const struct session *session)
{
	return session->ask.incremental ? RRTYPE_IXFR : RRTYPE_AXFR;
}

size_t session_request(struct session *session, uint8_t *out, size_t cap, uint64_t now_s)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len = 0;
	size_t len = wire_question(out, session->id, 0, session->apex, session_qtype(session));

	if (session->ask.incremental) {
		len = ours_put(session, out, len);
	}
	if (session->ask.padded) {
		len = wire_opt(out, len, true, tsig_record_len(session->key));
	}
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

struct seen *session_take_seen(struct session *session)
{
	struct seen *seen = session->seen;

	session->seen = NULL;
	return seen;
}

struct delta *session_take_delta(struct session *session)
{
	struct delta *delta = session->delta;

	session->delta = NULL;
	return delta;
}

size_t session_count(const struct session *session)
{
	return session->count;
}

// The primary says no. A TSIG record beside the RCODE says what it has against our key; it is shown
// as the peer's word, and nothing depends on it.
static enum session_state refused(
    struct session *session, const uint8_t *msg, size_t len, unsigned rcode)
{
	struct tsig_record record;
	char number[16];

	session->rcode = (uint8_t)rcode;
	session->key_refused = tsig_key_refused(rcode, msg, len);
	if (tsig_find(msg, len, &record) == 1 && record.error != 0) {
		return session_fail(session, "primary answers %s, its signature record says %s",
		    wire_rcode_text(rcode, number),
		    record.error == TSIG_BADSIG || record.error == TSIG_BADKEY ||
		            record.error == TSIG_BADTIME || record.error == TSIG_BADTRUNC
		        ? tsig_result_text((enum tsig_result)record.error)
		        : "another error");
	}
	return session_fail(session, "primary answers %s", wire_rcode_text(rcode, number));
}

static bool header_good(
    struct session *session, const uint8_t *msg, size_t len, const struct wire_header *header)
{
	if (header->id != session->id) {
		session_fail(session, "message with another id");
	} else if ((header->flags & WIRE_QR) == 0) {
		session_fail(session, "a query came instead of an answer");
	} else if ((header->flags & WIRE_OPCODE) != 0) {
		session_fail(session, "answer with another opcode");
	} else if ((header->flags & WIRE_RCODE) != 0) {
		refused(session, msg, len, header->flags & WIRE_RCODE);
	} else if ((header->flags & WIRE_TC) != 0) {
		session_fail(session, "answer over TCP is truncated");
	} else if (header->qdcount > 1 || (header->qdcount == 0 && session->messages == 0)) {
		session_fail(session, "answer with %u questions", header->qdcount);
	} else if (header->ancount == 0) {
		session_fail(session, "message without records");
	} else if (header->nscount != 0) {
		session_fail(session, "authority section is not empty"); // RFC 5936 2.2.4
	} else {
		return true;
	}
	return false;
}

static bool question_good(struct session *session, const uint8_t *msg, size_t len, size_t *offset)
{
	uint8_t qname[NAME_LEN_MAX];

	if (wire_name(msg, len, offset, qname) < 0 || len - *offset < 4) {
		session_fail(session, "malformed question");
		return false;
	}
	if (!name_equal(qname, session->apex) ||
	    wire_get16(msg + *offset) != session_qtype(session) ||
	    wire_get16(msg + *offset + 2) != RRCLASS_IN) {
		session_fail(session, "answer to another question");
		return false;
	}
	*offset += 4;
	return true;
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
		return session_fail(
		    session, "more than %llu bytes", (unsigned long long)session->limits.bytes);
	}
	if (len < WIRE_HEADER_LEN) {
		return session_fail(session, "message of %zu bytes", len);
	}
	wire_header_read(msg, &header);
	if (!header_good(session, msg, len, &header) ||
	    (header.qdcount == 1 && !question_good(session, msg, len, &offset))) {
		return session->state;
	}
	session->messages++;
	session->owner_at = 0;

	unsigned taken = 0;

	while (taken < header.ancount && session_record(session, msg, len, &offset)) {
		taken++;
	}
	if (session->state == SESSION_FAILED) {
		return SESSION_FAILED;
	}
	if (session->state == SESSION_STALE &&
	    answers_skip(msg, len, &offset, header.ancount - taken - 1U) != 0) {
		return session_fail(session, "malformed answer section");
	}
	int has_tsig = additional_read(msg, len, &offset, header.arcount, &tsig);

	if (has_tsig < 0) {
		return session_fail(
		    session, "malformed additional section or bytes behind the message");
	}
	enum tsig_result verdict = tsig_stream_message(&session->stream, msg, len,
	    has_tsig == 1 ? &tsig : NULL, now_s, session->ended || session->state == SESSION_STALE);

	if (verdict != TSIG_OK) {
		return session_fail(session, "message %llu: %s",
		    (unsigned long long)session->messages, tsig_result_text(verdict));
	}
	if (session->ended) {
		session->state = SESSION_DONE;
	}
	return session->state;
}
