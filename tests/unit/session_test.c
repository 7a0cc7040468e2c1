// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone transfer against a scripted primary: every way of ROBUSTNESS's "Transfers" in which an
// AXFR or IXFR can be wrong, each a row with the sentence the operator will read. Whether a
// difference fits what we hold is the matter of delta_test.
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "rrtype.h"
#include "wire.h"

#define ID 0x1234

static const uint8_t apex[] = "\x07"
                              "example\x03"
                              "com";
static const struct session_limits limits = {.bytes = 1 << 20, .records = 100, .rrset_records = 5};

struct message {
	uint8_t bytes[65535];
	size_t len;
};

static void begin(struct message *m)
{
	m->len = wire_question(m->bytes, ID, WIRE_QR | WIRE_AA, apex, RRTYPE_AXFR);
}

static void begin_ixfr(struct message *m)
{
	m->len = wire_question(m->bytes, ID, WIRE_QR | WIRE_AA, apex, RRTYPE_IXFR);
}

static void record_at(struct message *m, const uint8_t *owner, size_t owner_len, uint16_t type,
    uint16_t rrclass, uint32_t ttl, const void *rdata, size_t rdlen)
{
	uint8_t *p = m->bytes + m->len;

	memcpy(p, owner, owner_len);
	p += owner_len;
	wire_put16(p, type);
	wire_put16(p + 2, rrclass);
	wire_put32(p + 4, ttl);
	wire_put16(p + 8, (uint16_t)rdlen);
	memcpy(p + 10, rdata, rdlen);
	m->len += owner_len + 10 + rdlen;
	wire_put16(m->bytes + 6, (uint16_t)(wire_get16(m->bytes + 6) + 1));
}

static void record_in(struct message *m, uint16_t type, const void *rdata, size_t rdlen)
{
	record_at(m, (const uint8_t *)"\xc0\x0c", 2, type, RRCLASS_IN, 300, rdata, rdlen);
}

static void soa(struct message *m, uint32_t serial)
{
	uint8_t rdata[24] = {0xc0, 0x0c, 0xc0, 0x0c}; // both names are the apex

	wire_put32(rdata + 4, serial);
	wire_put32(rdata + 8, 3600);
	wire_put32(rdata + 12, 600);
	wire_put32(rdata + 16, 604800);
	wire_put32(rdata + 20, 300);
	record_in(m, RRTYPE_SOA, rdata, sizeof(rdata));
}

static void ns(struct message *m)
{
	record_in(m, RRTYPE_NS, "\x02ns\xc0\x0c", 5);
}

static void whole(struct message *m)
{
	begin(m);
	soa(m, 7);
	ns(m);
	record_in(m, RRTYPE_A, "\xc0\x00\x02\x01", 4);
	soa(m, 7);
}

// Each builds one whole answer that is wrong (or odd and right).
static void good(struct message *m)
{
	whole(m);
}
static void short_header(struct message *m)
{
	whole(m);
	m->len = 11;
}
static void other_id(struct message *m)
{
	whole(m);
	m->bytes[0] ^= 1;
}
static void not_an_answer(struct message *m)
{
	whole(m);
	m->bytes[2] &= 0x7f;
}
static void other_opcode(struct message *m)
{
	whole(m);
	m->bytes[2] |= 0x20;
}
static void refused(struct message *m)
{
	begin(m);
	m->bytes[3] |= 5;
}
static void rcode_11(struct message *m)
{
	begin(m);
	m->bytes[3] |= 11;
}
static void truncated(struct message *m)
{
	whole(m);
	m->bytes[2] |= 2;
}
static void other_question(struct message *m)
{
	whole(m);
	m->bytes[13] ^= 1;
}
static void ixfr_question(struct message *m)
{
	whole(m);
	wire_put16(m->bytes + 12 + sizeof(apex), RRTYPE_IXFR);
}
static void other_class_question(struct message *m)
{
	whole(m);
	m->bytes[12 + sizeof(apex) + 3] = RRCLASS_CH;
}
static void two_questions(struct message *m)
{
	whole(m);
	m->bytes[5] = 2;
}
static void no_records(struct message *m)
{
	begin(m);
}
static void with_authority(struct message *m)
{
	whole(m);
	wire_put16(m->bytes + 6, 3);
	wire_put16(m->bytes + 8, 1);
}
static void no_first_soa(struct message *m)
{
	begin(m);
	ns(m);
	soa(m, 7);
}
static void soa_elsewhere(struct message *m)
{
	uint8_t rdata[22] = {0};

	begin(m);
	record_at(m, (const uint8_t *)"\x01x\xc0\x0c", 4, RRTYPE_SOA, RRCLASS_IN, 1, rdata, 22);
}
static void two_serials(struct message *m)
{
	begin(m);
	soa(m, 7);
	ns(m);
	soa(m, 8);
}
static void goes_on_after_the_end(struct message *m)
{
	whole(m);
	ns(m);
}
static void short_soa(struct message *m)
{
	begin(m);
	record_in(m, RRTYPE_SOA, "\xc0\x0c\xc0\x0c\0\0\0\1", 8);
}
static void out_of_zone(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_at(m, (const uint8_t *)"\x03net\0", 5, RRTYPE_A, RRCLASS_IN, 1, "\1\2\3\4", 4);
}
static void class_chaos(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_at(m, (const uint8_t *)"\xc0\x0c", 2, RRTYPE_A, RRCLASS_CH, 1, "\1\2\3\4", 4);
}
static void meta_type(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_in(m, RRTYPE_ANY, "", 0);
}
static void type_zero(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_in(m, 0, "", 0);
}
static void long_a(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_in(m, RRTYPE_A, "\1\2\3\4\5", 5);
}
static void rdlen_past_the_end(struct message *m)
{
	whole(m);
	m->len -= 3;
}
static void pointer_loop(struct message *m)
{
	begin(m);
	soa(m, 7);
	uint8_t self[2] = {(uint8_t)(0xc0 | m->len >> 8), (uint8_t)m->len};

	record_at(m, self, 2, RRTYPE_A, RRCLASS_IN, 1, "\1\2\3\4", 4);
}
static void trailing_bytes(struct message *m)
{
	whole(m);
	m->len++;
}
static void big_rrset(struct message *m)
{
	begin(m);
	soa(m, 7);
	for (uint8_t i = 0; i < 6; i++) {
		record_in(m, RRTYPE_A, (uint8_t[]){192, 0, 2, i}, 4);
	}
}
static void big_rrset_spelled_out(struct message *m)
{
	begin(m);
	soa(m, 7);
	for (uint8_t i = 0; i < 6; i++) {
		record_at(
		    m, apex, sizeof(apex), RRTYPE_A, RRCLASS_IN, 1, (uint8_t[]){192, 0, 2, i}, 4);
	}
}
static void too_many_records(struct message *m)
{
	begin(m);
	soa(m, 7);
	for (uint8_t i = 0; i < 101; i++) {
		uint8_t owner[] = {1, (uint8_t)(i + 33), 0xc0, 0x0c};

		record_at(m, owner, 4, RRTYPE_A, RRCLASS_IN, 1, "\1\2\3\4", 4);
	}
}
static void signed_without_a_key(struct message *m)
{
	static const uint8_t rdata[] = "\x0bhmac-sha256\0\0\0\0\0\0\0\x01\x2c\0\x10"
	                               "0123456789abcdef"
	                               "\x12\x34\0\0\0";

	whole(m);
	record_at(
	    m, (const uint8_t *)"\x01k\0", 3, RRTYPE_TSIG, RRCLASS_ANY, 0, rdata, sizeof(rdata));
	wire_put16(m->bytes + 6, 4);
	wire_put16(m->bytes + 10, 1);
}
static void stale(struct message *m)
{
	begin(m);
	soa(m, 5);
	ns(m);
}
static void half_the_space_away(struct message *m)
{
	begin(m);
	soa(m, 5 + 0x80000000u);
	ns(m);
}
static void unknown_type(struct message *m)
{
	begin(m);
	soa(m, 7);
	record_in(m, 65280, "\1\2\3", 3);
	record_in(m, 65281, "", 0);
	soa(m, 7);
}
static void soa_alone(struct message *m)
{
	begin(m);
	soa(m, 7);
}

struct row {
	void (*build)(struct message *m);
	enum session_state want;
	const char *error; // a part of it
	size_t records;
};

static const struct row rows[] = {
    {good, SESSION_DONE, "", 3},
    {unknown_type, SESSION_DONE, "", 3},
    {soa_alone, SESSION_MORE, "", 1},
    {stale, SESSION_STALE, "", 0},
    {half_the_space_away, SESSION_STALE, "", 0},
    {short_header, SESSION_FAILED, "11 bytes", 0},
    {other_id, SESSION_FAILED, "another id", 0},
    {not_an_answer, SESSION_FAILED, "a query came", 0},
    {other_opcode, SESSION_FAILED, "another opcode", 0},
    {refused, SESSION_FAILED, "REFUSED", 0},
    {rcode_11, SESSION_FAILED, "RCODE11", 0},
    {truncated, SESSION_FAILED, "truncated", 0},
    {other_question, SESSION_FAILED, "another question", 0},
    {ixfr_question, SESSION_FAILED, "another question", 0},
    {other_class_question, SESSION_FAILED, "another question", 0},
    {two_questions, SESSION_FAILED, "2 questions", 0},
    {no_records, SESSION_FAILED, "without records", 0},
    {with_authority, SESSION_FAILED, "authority section", 0},
    {no_first_soa, SESSION_FAILED, "before the first SOA", 0},
    {soa_elsewhere, SESSION_FAILED, "x.example.com. SOA: is not at the apex", 0},
    {two_serials, SESSION_FAILED, "(serial 8) differs from the first (serial 7)", 0},
    {goes_on_after_the_end, SESSION_FAILED, "after the last SOA", 0},
    {short_soa, SESSION_FAILED, "SOA: malformed rdata", 0},
    {out_of_zone, SESSION_FAILED, "net. A: out of zone", 0},
    {class_chaos, SESSION_FAILED, "not of class IN", 0},
    {meta_type, SESSION_FAILED, "ANY: cannot be zone data", 0},
    {type_zero, SESSION_FAILED, "cannot be zone data", 0},
    {long_a, SESSION_FAILED, "A: malformed rdata", 0},
    {rdlen_past_the_end, SESSION_FAILED, "malformed record", 0},
    {pointer_loop, SESSION_FAILED, "malformed record", 0},
    {trailing_bytes, SESSION_FAILED, "bytes behind the message", 0},
    {big_rrset, SESSION_FAILED, "too many records of one type", 0},
    {big_rrset_spelled_out, SESSION_FAILED, "too many records of one type", 0},
    {too_many_records, SESSION_FAILED, "more than 100 records", 0},
    {signed_without_a_key, SESSION_FAILED, "no key is configured", 0},
};

// Incremental answers; we hold serial 5.

static void a_record(struct message *m, uint8_t last)
{
	record_in(m, RRTYPE_A, (uint8_t[]){192, 0, 2, last}, 4);
}
static void one_step(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	a_record(m, 1);
	soa(m, 7);
	a_record(m, 2);
	a_record(m, 3);
	soa(m, 7);
}
static void two_steps(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	a_record(m, 1);
	soa(m, 6);
	soa(m, 6);
	soa(m, 7);
	a_record(m, 2);
	soa(m, 7);
}
static void whole_for_ixfr(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	ns(m);
	a_record(m, 1);
	soa(m, 7);
}
static void whole_of_a_soa_for_ixfr(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 7);
}
static void single_soa(struct message *m)
{
	begin_ixfr(m);
	soa(m, 5);
}
static void single_soa_newer(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
}
static void axfr_question(struct message *m)
{
	whole(m);
}
static void wrong_base(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 4);
	soa(m, 7);
	soa(m, 7);
}
static void gap(struct message *m)
{
	begin_ixfr(m);
	soa(m, 9);
	soa(m, 5);
	soa(m, 6);
	soa(m, 7);
	soa(m, 9);
	soa(m, 9);
}
static void gap_at_the_end(struct message *m)
{
	begin_ixfr(m);
	soa(m, 9);
	soa(m, 5);
	soa(m, 6);
	a_record(m, 1);
	soa(m, 9);
}
static void loop(struct message *m)
{
	begin_ixfr(m);
	soa(m, 9);
	soa(m, 5);
	soa(m, 6);
	soa(m, 6);
	soa(m, 5);
}
static void standing_still(struct message *m)
{
	begin_ixfr(m);
	soa(m, 9);
	soa(m, 5);
	soa(m, 5);
}
static void past_the_end(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	soa(m, 8);
}
static void other_soa_at_the_end(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	soa(m, 7);
	m->bytes[m->len - 1] ^= 1; // its minimum
}
static void ends_in_what_goes(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	a_record(m, 1);
}
static void ends_in_what_comes(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	soa(m, 7);
	a_record(m, 1);
}
static void goes_on_after_the_difference(struct message *m)
{
	one_step(m);
	a_record(m, 1);
}
static void removes_out_of_zone(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	record_at(m, (const uint8_t *)"\x03net\0", 5, RRTYPE_A, RRCLASS_IN, 1, "\1\2\3\4", 4);
}
static void adds_another_class(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	soa(m, 7);
	record_at(m, (const uint8_t *)"\xc0\x0c", 2, RRTYPE_A, RRCLASS_CH, 1, "\1\2\3\4", 4);
}
static void removes_with_class_none(struct message *m) // as an UPDATE would (RFC 2136 2.5.4)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	record_at(m, (const uint8_t *)"\xc0\x0c", 2, RRTYPE_A, 254, 0, "\1\2\3\4", 4);
}
static void adds_a_soa_elsewhere(struct message *m)
{
	uint8_t rdata[22] = {0};

	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	record_at(m, (const uint8_t *)"\x01x\xc0\x0c", 4, RRTYPE_SOA, RRCLASS_IN, 1, rdata, 22);
}
static void first_record_no_soa(struct message *m)
{
	begin_ixfr(m);
	a_record(m, 1);
	soa(m, 7);
}
static void removes_a_meta_type(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	record_in(m, RRTYPE_ANY, "", 0);
}
static void ixfr_refused(struct message *m)
{
	begin_ixfr(m);
	m->bytes[3] |= WIRE_RCODE_REFUSED;
}
static void ixfr_not_implemented(struct message *m)
{
	begin_ixfr(m);
	m->bytes[3] |= WIRE_RCODE_NOTIMP;
}
static void ixfr_malformed_to_them(struct message *m)
{
	begin_ixfr(m);
	m->bytes[3] |= WIRE_RCODE_FORMERR;
}
static void removes_too_many_of_a_type(struct message *m)
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	for (uint8_t i = 0; i < 6; i++) {
		a_record(m, i);
	}
}
static void many_go_and_as_many_come(struct message *m) // five of a type each: the limit
{
	begin_ixfr(m);
	soa(m, 7);
	soa(m, 5);
	for (uint8_t i = 0; i < 5; i++) {
		a_record(m, i);
	}
	soa(m, 7);
	for (uint8_t i = 5; i < 10; i++) {
		a_record(m, i);
	}
	soa(m, 7);
}
static void too_many_steps(struct message *m)
{
	begin_ixfr(m);
	soa(m, 200);
	for (uint32_t i = 5; i < 60; i++) {
		soa(m, i);
		soa(m, i + 1);
	}
}

static const struct row ixfr_rows[] = {
    {one_step, SESSION_DONE, "", 5},
    {two_steps, SESSION_DONE, "", 6},
    {many_go_and_as_many_come, SESSION_DONE, "", 12},
    {whole_for_ixfr, SESSION_DONE, "", 3},
    {whole_of_a_soa_for_ixfr, SESSION_DONE, "", 1},
    {single_soa, SESSION_STALE, "", 0},
    {single_soa_newer, SESSION_MORE, "", 0}, // the rest may come in another message
    {ends_in_what_goes, SESSION_MORE, "", 2},
    {ends_in_what_comes, SESSION_MORE, "", 3},
    {axfr_question, SESSION_FAILED, "another question", 0},
    {first_record_no_soa, SESSION_FAILED, "before the first SOA", 0},
    {wrong_base, SESSION_FAILED, "starts from serial 4, not from ours (5)", 0},
    {gap, SESSION_FAILED, "goes on from serial 7, but stood at 6", 0},
    {gap_at_the_end, SESSION_FAILED, "goes on from serial 9, but stood at 6", 0},
    {loop, SESSION_FAILED, "goes back from serial 6 to 5", 0},
    {standing_still, SESSION_FAILED, "goes back from serial 5 to 5", 0},
    {past_the_end, SESSION_FAILED, "goes past serial 7 to 8", 0},
    {other_soa_at_the_end, SESSION_FAILED, "not the one the answer began with", 0},
    {goes_on_after_the_difference, SESSION_FAILED, "after the last SOA", 0},
    {removes_out_of_zone, SESSION_FAILED, "net. A: out of zone", 0},
    {adds_another_class, SESSION_FAILED, "not of class IN", 0},
    {removes_with_class_none, SESSION_FAILED, "not of class IN", 0},
    {adds_a_soa_elsewhere, SESSION_FAILED, "x.example.com. SOA: is not at the apex", 0},
    {removes_a_meta_type, SESSION_FAILED, "ANY: cannot be zone data", 0},
    {removes_too_many_of_a_type, SESSION_FAILED, "too many records of one type", 0},
    {too_many_steps, SESSION_FAILED, "more than 100 records", 0},
    {ixfr_refused, SESSION_FAILED, "REFUSED", 0},
    {ixfr_not_implemented, SESSION_FAILED, "NOTIMP", 0},
    {ixfr_malformed_to_them, SESSION_FAILED, "FORMERR", 0},
};

static struct session *asked(const struct tsig_key *key, bool incremental)
{
	const struct session_ask ask = {.incremental = incremental, .ours = {.serial = 5}};
	struct session *session = session_open(apex, key, ID, &ask, &limits);
	uint8_t request[1024];

	assert_non_null(session);
	assert_true(session_request(session, request, sizeof(request), 1795000000) > 0);
	return session;
}

static struct session *started(const struct tsig_key *key)
{
	return asked(key, false);
}

static void each_wrong_answer_is_refused_with_its_reason(void **state)
{
	struct message *m = malloc(sizeof(*m));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct session *session = started(NULL);

		rows[i].build(m);
		uint8_t *exact = malloc(m->len); // a sanitizer sees one byte too far

		memcpy(exact, m->bytes, m->len);
		if (session_message(session, exact, m->len, 1795000000) != rows[i].want ||
		    strstr(session->error, rows[i].error) == NULL) {
			fail_msg("row %zu: state %d, \"%s\"", i, session->state, session->error);
		}
		if (rows[i].records > 0) {
			assert_int_equal(session->records->count, rows[i].records);
		}
		free(exact);
		session_close(session);
	}
	free(m);
}

static void a_zone_split_over_messages_at_every_record_is_the_same_zone(void **state)
{
	struct message *m = malloc(sizeof(*m));
	struct session *session = started(NULL);

	begin(m);
	soa(m, 7);
	assert_int_equal(session_message(session, m->bytes, m->len, 0), SESSION_MORE);
	begin(m);
	ns(m);
	assert_int_equal(session_message(session, m->bytes, m->len, 0), SESSION_MORE);
	// Later messages may leave the question out (RFC 5936 2.2.1); owners are spelled out then.
	m->len = WIRE_HEADER_LEN;
	wire_put16(m->bytes + 4, 0);
	wire_put16(m->bytes + 6, 0);
	record_at(m, apex, sizeof(apex), RRTYPE_A, RRCLASS_IN, 0x80000001, "\1\2\3\4", 4);
	assert_int_equal(session_message(session, m->bytes, m->len, 0), SESSION_MORE);
	begin(m);
	soa(m, 7);
	assert_int_equal(session_message(session, m->bytes, m->len, 0), SESSION_DONE);
	struct records *records = session_take(session);

	assert_int_equal(records->count, 3);
	assert_int_equal(records->items[2].ttl, 0);    // RFC 2181 8
	assert_int_equal(records->items[1].rdlen, 16); // ns.example.com, expanded
	assert_int_equal(session->soa.serial, 7);
	assert_int_equal(session->soa.expire_s, 604800);
	records_free(records);
	session_close(session);
	free(m);
}

static void with_a_key_an_unsigned_answer_proves_nothing(void **state)
{
	static const uint8_t name[] = "\x01k";
	struct message *m = malloc(sizeof(*m));
	struct tsig_key *key;

	assert_int_equal(tsig_key_new(name, "hmac-sha256", (const uint8_t *)"s", 1, &key), 0);
	whole(m);
	struct session *session = started(key);

	assert_int_equal(session_message(session, m->bytes, m->len, 1795000000), SESSION_FAILED);
	assert_non_null(strstr(session->error, "signature missing"));
	session_close(session);
	session = started(key);
	stale(m); // nor may it confirm what we have
	assert_int_equal(session_message(session, m->bytes, m->len, 1795000000), SESSION_FAILED);
	session_close(session);
	tsig_key_unref(key);
	free(m);
}

static void every_byte_changed_and_every_cut_ends_in_a_verdict(void **state)
{
	struct message *m = malloc(sizeof(*m));

	whole(m);
	for (size_t at = 0; at < m->len; at++) {
		static const uint8_t values[] = {0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff};

		for (size_t v = 0; v < sizeof(values); v++) {
			struct session *session = started(NULL);
			uint8_t *exact = malloc(m->len);

			memcpy(exact, m->bytes, m->len);
			exact[at] = values[v];
			session_message(session, exact, m->len, 0);
			session_close(session);
			free(exact);
		}
		struct session *session = started(NULL);
		uint8_t *exact = malloc(at + 1);

		memcpy(exact, m->bytes, at);
		assert_int_equal(session_message(session, exact, at, 0), SESSION_FAILED);
		session_close(session);
		free(exact);
	}
	free(m);
}

static void more_bytes_than_allowed_end_the_transfer(void **state)
{
	struct message *m = malloc(sizeof(*m));
	struct session *session = started(NULL);
	enum session_state got = SESSION_MORE;
	unsigned messages = 0;

	begin(m);
	soa(m, 7);
	got = session_message(session, m->bytes, m->len, 0);
	while (got == SESSION_MORE && messages++ < 100) {
		uint8_t big[60000] = {0};

		begin(m);
		record_in(m, 65280, big, sizeof(big));
		record_in(m, 65281, "", 0); // another type: the run begins anew
		got = session_message(session, m->bytes, m->len, 0);
	}
	assert_int_equal(got, SESSION_FAILED);
	assert_in_range(messages, 15, 18); // 1 MB of 60 kB each
	assert_non_null(strstr(session->error, "bytes"));
	session_close(session);
	free(m);
}

static void each_incremental_answer_is_what_it_is_or_refused_with_its_reason(void **state)
{
	struct message *m = malloc(sizeof(*m));

	for (size_t i = 0; i < sizeof(ixfr_rows) / sizeof(ixfr_rows[0]); i++) {
		const struct row *row = &ixfr_rows[i];
		struct session *session = asked(NULL, true);

		row->build(m);
		uint8_t *exact = malloc(m->len);

		memcpy(exact, m->bytes, m->len);
		if (session_message(session, exact, m->len, 1795000000) != row->want ||
		    strstr(session->error, row->error) == NULL) {
			fail_msg("row %zu: state %d, \"%s\"", i, session->state, session->error);
		}
		if (row->want != SESSION_FAILED) {
			assert_int_equal(session_count(session), row->records);
		}
		free(exact);
		session_close(session);
	}
	free(m);
}

static void an_incremental_question_carries_the_soa_we_hold(void **state)
{
	const struct session_ask ask = {.incremental = true,
	    .ours = {.serial = 0x01020304, .refresh_s = 1, .retry_s = 2, .expire_s = 3}};
	struct session *session = session_open(apex, NULL, ID, &ask, &limits);
	uint8_t request[1024];
	size_t len = session_request(session, request, sizeof(request), 0);
	size_t offset = WIRE_HEADER_LEN;
	struct wire_header header;
	struct wire_record record;
	uint8_t owner[NAME_LEN_MAX];

	wire_header_read(request, &header);
	assert_int_equal(header.qdcount, 1);
	assert_int_equal(header.ancount, 0);
	assert_int_equal(header.nscount, 1);
	assert_int_equal(header.arcount, 0);
	assert_int_equal(wire_name(request, len, &offset, owner), sizeof(apex));
	assert_int_equal(wire_get16(request + offset), RRTYPE_IXFR);
	offset += 4;
	assert_true(wire_record_read(request, len, &offset, owner, &record) > 0);
	assert_memory_equal(owner, apex, sizeof(apex));
	assert_int_equal(record.type, RRTYPE_SOA);
	assert_int_equal(record.rrclass, RRCLASS_IN);
	assert_int_equal(wire_get32(request + record.rdata + record.rdlen - 20), 0x01020304);
	assert_int_equal(offset, len);
	session_close(session);
}

static void a_difference_split_over_messages_at_every_record_is_the_same_difference(void **state)
{
	struct message *m = malloc(sizeof(*m));
	struct session *session = asked(NULL, true);
	const struct {
		bool is_soa;
		uint8_t value;
	} items[] = {{true, 7}, {true, 5}, {false, 1}, {true, 6}, {false, 2}, {true, 6}, {true, 7},
	    {false, 1}, {true, 7}};
	const size_t count = sizeof(items) / sizeof(items[0]);

	for (size_t i = 0; i < count; i++) {
		begin_ixfr(m);
		if (items[i].is_soa) {
			soa(m, items[i].value);
		} else {
			a_record(m, items[i].value);
		}
		assert_int_equal(session_message(session, m->bytes, m->len, 0),
		    i + 1 < count ? SESSION_MORE : SESSION_DONE);
	}
	struct delta *delta = session_take_delta(session);

	assert_non_null(delta);
	assert_int_equal(delta->from, 5);
	assert_int_equal(delta->to, 7);
	assert_int_equal(delta->steps, 2);
	assert_int_equal(delta->changes->count, 7);
	static const uint8_t added[] = {0, 0, 1, 1, 0, 1, 1};

	assert_memory_equal(delta->added, added, sizeof(added));
	delta_free(delta);
	session_close(session);
	free(m);
}

static void with_a_key_an_unsigned_difference_proves_nothing(void **state)
{
	static const uint8_t name[] = "\x01k";
	struct message *m = malloc(sizeof(*m));
	struct tsig_key *key;

	assert_int_equal(tsig_key_new(name, "hmac-sha256", (const uint8_t *)"s", 1, &key), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct session *session = asked(key, true);

		(i == 0 ? one_step : single_soa)(m);
		assert_int_equal(
		    session_message(session, m->bytes, m->len, 1795000000), SESSION_FAILED);
		assert_non_null(strstr(session->error, "signature missing"));
		session_close(session);
	}
	tsig_key_unref(key);
	free(m);
}

static void every_byte_of_a_difference_changed_ends_in_a_verdict(void **state)
{
	struct message *m = malloc(sizeof(*m));

	two_steps(m);
	for (size_t at = 0; at < m->len; at++) {
		static const uint8_t values[] = {0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff};

		for (size_t v = 0; v < sizeof(values); v++) {
			struct session *session = asked(NULL, true);
			uint8_t *exact = malloc(m->len);

			memcpy(exact, m->bytes, m->len);
			exact[at] = values[v];
			session_message(session, exact, m->len, 0);
			session_close(session);
			free(exact);
		}
	}
	free(m);
}

// RFC 8467 4.1: with the signature, whatever the lengths of zone and key are.
static void a_padded_question_is_a_multiple_of_128_bytes(void **state)
{
	static const char *const algorithms[] = {
	    NULL, "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};

	for (unsigned name = 1; name <= 63; name++) {
		for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
			uint8_t zone[NAME_LEN_MAX] = {0}, out[1024];
			struct session_ask asked = {.incremental = name % 2, .padded = true};
			struct tsig_key *key = NULL;
			struct tsig_record record;

			zone[0] = (uint8_t)name;
			memset(zone + 1, 'a', name);
			if (algorithms[i] != NULL) {
				assert_int_equal(
				    tsig_key_new((const uint8_t *)"\3key", algorithms[i],
				        (const uint8_t *)"secret", 6, &key),
				    0);
			}
			struct session *session = session_open(zone, key, ID, &asked, &limits);
			size_t len = session_request(session, out, sizeof(out), 1000);

			assert_true(len > 0 && len <= 512 && len % 128 == 0);
			assert_int_equal(tsig_find(out, len, &record), key != NULL);
			assert_int_equal(wire_get16(out + 10), key != NULL ? 2 : 1);
			session_close(session);
			tsig_key_unref(key);
		}
	}
}

// --- a version that is known
// -----------------------------------------------------------------------------------------------

static struct zone_version known_version;
static struct image_buffer known_buffer;
static unsigned known_asked, known_released;

static void known_release(void *ctx)
{
	known_released++;
}

static struct seen *known_give(void *ctx)
{
	known_asked++;
	return seen_new(&known_version, 5, known_release, NULL);
}

// Serial 6: SOA, NS, an address at the apex.
static void known_make(void)
{
	const struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	uint8_t soa_rdata[2 * sizeof(apex) + 20] = {0}, ns_rdata[3 + sizeof(apex)] = "\2ns";
	struct records *records = records_new(apex);
	char error[COMPILE_ERROR_MAX];

	memcpy(soa_rdata, apex, sizeof(apex));
	memcpy(soa_rdata + sizeof(apex), apex, sizeof(apex));
	soa_rdata[2 * sizeof(apex) + 3] = 6;
	memcpy(ns_rdata + 3, apex, sizeof(apex));
	assert_int_equal(
	    records_add(records, apex, RRTYPE_SOA, 300, soa_rdata, sizeof(soa_rdata)), 0);
	assert_int_equal(records_add(records, apex, RRTYPE_NS, 300, ns_rdata, sizeof(ns_rdata)), 0);
	assert_int_equal(
	    records_add(records, ns_rdata, RRTYPE_A, 300, (const uint8_t *)"\xc0\0\2\1", 4), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&known_buffer, 1 << 20), 0);
	assert_int_equal(compile_image(records, &options, &known_buffer, error), 0);
	assert_int_equal(
	    image_open(&known_version.layer[0], known_buffer.mem, known_buffer.used), 0);
	known_version.layer_count = 1;
	records_free(records);
	known_asked = known_released = 0;
}

static struct session *known_session(bool incremental, bool any_serial, uint64_t records_max)
{
	const struct session_ask ask = {.incremental = incremental,
	    .any_serial = any_serial,
	    .ours = {.serial = 6},
	    .known = known_give};
	struct session_limits narrow = limits;
	struct session *session;
	uint8_t request[1024];

	narrow.records = records_max;
	session = session_open(apex, NULL, ID, &ask, &narrow);
	assert_non_null(session);
	assert_true(session_request(session, request, sizeof(request), 0) > 0);
	return session;
}

// SOA, NS and an address of the name server, which is what is known; and more below it.
static void whole_with_glue(struct message *m, uint32_t serial, unsigned more)
{
	soa(m, serial);
	ns(m);
	record_at(
	    m, (const uint8_t *)"\2ns\xc0\x0c", 5, RRTYPE_A, RRCLASS_IN, 300, "\xc0\0\2\1", 4);
	for (unsigned i = 0; i < more; i++)
		record_at(m, (const uint8_t[]){1, (uint8_t)('a' + i), 0xc0, 0x0c}, 4, RRTYPE_A,
		    RRCLASS_IN, 300, "\xc0\0\2\1", 4);
	soa(m, serial);
}

static void what_is_known_of_a_whole_zone_is_not_collected(void **state)
{
	static struct message m;
	struct delta *delta;

	known_make();
	for (int incremental = 0; incremental < 2; incremental++) {
		struct session *session = known_session(incremental, false, 100);

		incremental ? begin_ixfr(&m) : begin(&m);
		whole_with_glue(&m, 7, 1);
		assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_DONE);
		assert_int_equal(session_count(session), 4);
		struct records *records = session_take(session);
		struct seen *seen = session_take_seen(session);

		session_close(session);
		assert_non_null(seen);
		assert_int_equal(records->count, 3); // the apex and the new name
		assert_int_equal(seen_delta(seen, records, 7, &delta), 0);
		assert_int_equal(delta->changes->count, 3);
		assert_int_equal(known_released, incremental);
		delta_free(delta);
		seen_free(seen);
		records_free(records);
		assert_int_equal(known_asked, 1 + incremental);
		assert_int_equal(known_released, 1 + incremental);
	}
	image_buffer_close(&known_buffer);
}

static void what_is_known_counts_as_what_has_come(void **state)
{
	static struct message m;
	struct session *session;

	known_make();
	session = known_session(false, false, 3);
	begin(&m);
	whole_with_glue(&m, 7, 1);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_FAILED);
	assert_string_equal(session->error, "more than 3 records");
	session_close(session);
	assert_int_equal(known_released, 1); // whatever becomes of it
	session = known_session(false, false, 100);
	begin(&m);
	soa(&m, 7);
	for (int i = 0; i < 6; i++) // the same one over and over is a run of six
		record_at(&m, (const uint8_t *)"\2ns\xc0\x0c", 5, RRTYPE_A, RRCLASS_IN, 300,
		    "\xc0\0\2\1", 4);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_FAILED);
	assert_non_null(strstr(session->error, "too many records of one type"));
	session_close(session);
	image_buffer_close(&known_buffer);
}

static void what_is_known_is_asked_for_only_where_it_helps(void **state)
{
	static struct message m;
	struct session *session;

	known_make();
	session = known_session(false, false, 100); // no newer
	begin(&m);
	whole_with_glue(&m, 6, 0);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_STALE);
	session_close(session);
	session = known_session(false, true, 100); // whatever it is
	begin(&m);
	whole_with_glue(&m, 6, 0);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_DONE);
	assert_int_equal(session->records->count, 3);
	session_close(session);
	session = known_session(true, false, 100); // a difference
	begin_ixfr(&m);
	soa(&m, 7);
	soa(&m, 6);
	soa(&m, 7);
	soa(&m, 7);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_DONE);
	assert_non_null(session->delta);
	session_close(session);
	assert_int_equal(known_asked, 0);
	image_buffer_close(&known_buffer);
}

// --- memory

struct room {
	uint64_t left; // bytes
	uint64_t count, bytes;
	unsigned asked;
};

static bool room_look(void *ctx, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	struct room *room = ctx;

	assert_true(bytes >= room->bytes + SESSION_ROOM_STEP); // not for each record
	room->count = count;
	room->bytes = bytes;
	room->asked++;
	strcpy(reason, "the rest is taken");
	return bytes <= room->left;
}

static struct session *room_session(bool incremental, struct room *room)
{
	const struct session_ask ask = {
	    .incremental = incremental, .ours = {.serial = 6}, .room = room_look, .ctx = room};
	const struct session_limits wide = {
	    .bytes = UINT64_C(64) << 30, .records = 1000000000, .rrset_records = 5461};
	struct session *session = session_open(apex, NULL, ID, &ask, &wide);
	uint8_t request[1024];

	assert_non_null(session);
	assert_true(session_request(session, request, sizeof(request), 0) > 0);
	return session;
}

// Texts of 200 names, over and over.
static void texts(struct message *m, bool incremental)
{
	uint8_t text[256] = {255};

	incremental ? begin_ixfr(m) : begin(m);
	for (unsigned i = 0; i < 200; i++)
		record_at(m, (const uint8_t[]){2, 't', (uint8_t)i, 0xc0, 0x0c}, 5, RRTYPE_TXT,
		    RRCLASS_IN, 300, text, sizeof(text));
}

static void a_zone_without_end_ends_where_the_memory_does(void **state)
{
	static struct message m;

	for (int incremental = 0; incremental < 2; incremental++) {
		struct room room = {.left = 8 << 20};
		struct session *session = room_session(incremental, &room);
		unsigned messages = 0;

		incremental ? begin_ixfr(&m) : begin(&m);
		soa(&m, 7);
		if (incremental) { // a difference: what goes, and what comes without end
			soa(&m, 6);
			soa(&m, 7);
		} else {
			ns(&m);
		}
		assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_MORE);
		texts(&m, incremental);
		while (session_message(session, m.bytes, m.len, 0) == SESSION_MORE)
			assert_true(++messages < 1000); // 50 MB
		assert_int_equal(session->state, SESSION_FAILED);
		assert_non_null(strstr(session->error, "no memory for more than "));
		assert_non_null(strstr(session->error, " records: the rest is taken"));
		assert_true(room.bytes < room.left + 4 * SESSION_ROOM_STEP);
		assert_true(room.asked > 2 && room.asked <= 10);
		assert_int_equal(room.count > 0, !incremental);
		session_close(session);
	}
}

static void a_zone_that_fits_is_asked_about_and_taken(void **state)
{
	static struct message m;
	struct room room = {.left = 8 << 20};
	struct session *session = room_session(false, &room);

	begin(&m);
	soa(&m, 7);
	ns(&m);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_MORE);
	texts(&m, false);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_MORE);
	begin(&m);
	soa(&m, 7);
	assert_int_equal(session_message(session, m.bytes, m.len, 0), SESSION_DONE);
	assert_true(room.asked > 0);
	session_close(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_wrong_answer_is_refused_with_its_reason),
	    cmocka_unit_test(a_zone_split_over_messages_at_every_record_is_the_same_zone),
	    cmocka_unit_test(with_a_key_an_unsigned_answer_proves_nothing),
	    cmocka_unit_test(every_byte_changed_and_every_cut_ends_in_a_verdict),
	    cmocka_unit_test(each_incremental_answer_is_what_it_is_or_refused_with_its_reason),
	    cmocka_unit_test(an_incremental_question_carries_the_soa_we_hold),
	    cmocka_unit_test(
	        a_difference_split_over_messages_at_every_record_is_the_same_difference),
	    cmocka_unit_test(with_a_key_an_unsigned_difference_proves_nothing),
	    cmocka_unit_test(every_byte_of_a_difference_changed_ends_in_a_verdict),
	    cmocka_unit_test(more_bytes_than_allowed_end_the_transfer),
	    cmocka_unit_test(a_zone_without_end_ends_where_the_memory_does),
	    cmocka_unit_test(a_zone_that_fits_is_asked_about_and_taken),
	    cmocka_unit_test(what_is_known_of_a_whole_zone_is_not_collected),
	    cmocka_unit_test(what_is_known_counts_as_what_has_come),
	    cmocka_unit_test(what_is_known_is_asked_for_only_where_it_helps),
	    cmocka_unit_test(a_padded_question_is_a_multiple_of_128_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
