// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone transfer against a scripted primary: every way of ROBUSTNESS's "Transfers" in which an
// AXFR can be wrong, each a row with the sentence the operator will read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "session_script.h"

#include <stdlib.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_wrong_answer_is_refused_with_its_reason),
	    cmocka_unit_test(a_zone_split_over_messages_at_every_record_is_the_same_zone),
	    cmocka_unit_test(with_a_key_an_unsigned_answer_proves_nothing),
	    cmocka_unit_test(every_byte_changed_and_every_cut_ends_in_a_verdict),
	    cmocka_unit_test(more_bytes_than_allowed_end_the_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
