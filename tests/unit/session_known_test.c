// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A whole zone that comes in place of a version that is known: what of it is collected, and what is
// only marked (zones/seen.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "session_script.h"

#include "compile.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_known_of_a_whole_zone_is_not_collected),
	    cmocka_unit_test(what_is_known_counts_as_what_has_come),
	    cmocka_unit_test(what_is_known_is_asked_for_only_where_it_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
