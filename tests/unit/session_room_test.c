// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a transfer may take of the memory: asked about as it grows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "session_script.h"

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
	    cmocka_unit_test(a_zone_without_end_ends_where_the_memory_does),
	    cmocka_unit_test(a_zone_that_fits_is_asked_about_and_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
