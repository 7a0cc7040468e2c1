// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The same for incremental answers (session_test.c). Whether a difference fits what we hold is the
// matter of delta_test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "session_script.h"

#include <stdlib.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_incremental_answer_is_what_it_is_or_refused_with_its_reason),
	    cmocka_unit_test(an_incremental_question_carries_the_soa_we_hold),
	    cmocka_unit_test(
	        a_difference_split_over_messages_at_every_record_is_the_same_difference),
	    cmocka_unit_test(with_a_key_an_unsigned_difference_proves_nothing),
	    cmocka_unit_test(every_byte_of_a_difference_changed_ends_in_a_verdict),
	    cmocka_unit_test(a_padded_question_is_a_multiple_of_128_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
