// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine, scenarios told as (event, expected actions): what starts a
// round, whom it asks, how it ends, and when the next one begins. Random walks against a model are
// in tests/secondary.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"
#include "serial.h"

static void serial_arithmetic_follows_rfc_1982(void **state)
{
	static const struct {
		uint32_t a, b;
		bool newer;
	} rows[] = {
	    {1, 0, true},
	    {0, 1, false},
	    {0, 0, false},
	    {44, 0, true},
	    {100, 44, true},
	    {0, 0xffffffff, true},
	    {0xffffffff, 0, false},
	    {0x7fffffff, 0, true},
	    {0x80000000, 0, false}, // undefined in RFC 1982 3.2: neither way
	    {0, 0x80000000, false},
	    {0x80000001, 0, false},
	    {0, 0x80000001, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(serial_newer(rows[i].a, rows[i].b), rows[i].newer);
	}
}

static void without_a_copy_the_transfer_is_the_first_question(void **state)
{
	SCENARIO(&policy_one, {START_EMPTY, .want = "transfer!:0"},
	    {TRANSFERRED(7), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(7), .want = "store"});
}

static void primaries_are_tried_in_order_and_a_round_ends_with_the_last(void **state)
{
	SCENARIO(&policy_three, {START_EMPTY, .want = "transfer!:0"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:1"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:2"}, {EV(TRANSFER_FAILED), .want = ""},
	    {.to_timer = true, EV(TIMER), .want = "transfer!:0"});
}

static void a_dead_primary_hands_over_to_the_next(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {SOA_IS(6), .want = "transfer:1"},
	    {EV(TRANSFER_FAILED), .want = "query:2"}, {SOA_IS(6), .want = "transfer:2"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"});
}

static void a_rejected_version_leads_to_the_next_primary_and_changes_nothing(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(REJECTED), .want = "query:1"}, {SOA_IS(5), .want = "store"});
}

static void a_version_is_waited_for_as_long_as_it_is_worked_on(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {.advance = 119 * S, EV(WORKING), .want = ""},
	    {.to_timer = true, EV(WORKING), .want = ""},
	    {.to_timer = true, EV(WORKING), .want = ""},
	    {.advance = 119 * S, EV(REFRESH), .want = ""}, {EV(LIVE), .want = "store query:0"});
	// Another one's progress does not count, nor progress that is over.
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {.advance = 119 * S, .stale = true, EV(WORKING), .want = ""},
	    {.advance = 2 * S, EV(REFRESH), .want = "query:0"});
}

static void an_older_serial_is_reported_and_confirms_nothing(void **state)
{
	SCENARIO(&policy_three, {START_COPY(100), .want = "store query:0"},
	    {SOA_IS(99), .want = "regressed:0:99 query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(98), .want = "regressed:2:98"},
	    // Nothing was confirmed: the retry interval applies, and expiry runs on.
	    {.advance = 600 * S, EV(TIMER), .want = "query:0"});
}

static void half_the_serial_space_away_is_neither_newer_nor_a_reason_to_transfer(void **state)
{
	SCENARIO(&policy_one, {START_COPY(1), .want = "store query:0"},
	    {SOA_IS(0x80000001), .want = "regressed:0:2147483649"},
	    {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(0x80000000), .want = "transfer:0"});
}

static void a_serial_that_wraps_is_newer(void **state)
{
	SCENARIO(&policy_one, {START_COPY(0xffffffff), .want = "store query:0"},
	    {SOA_IS(0), .want = "transfer:0"}, {TRANSFERRED(0), .want = "publish"},
	    {EV(LIVE), .want = "store"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(0xfffffffe), .want = "regressed:0:4294967294"});
}

static void the_serial_that_arrives_counts_not_the_one_announced(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(5), .want = "discard store"});
}

static void an_answer_to_an_old_question_is_ignored(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {.stale = true, SOA_IS(9), .want = ""},
	    {.stale = true, EV(SOA_FAILED), .want = ""},
	    {.stale = true, TRANSFERRED(9), .want = "discard"}, {SOA_IS(5), .want = "store"});
}

static void a_publication_without_answer_is_given_up_and_a_late_answer_still_counts(void **state)
{
	static const struct zone_policy *policy = &policy_one;
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 1 * S};
	struct zone_event event = {.kind = ZONE_EVENT_START, .has_copy = true, .soa = SOA(5)};

	zone_init(&zone, policy, 77);
	zone_handle(&zone, &event, now, &actions);
	event = (struct zone_event){.kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(6)};
	zone_handle(&zone, &event, now, &actions);
	event =
	    (struct zone_event){.kind = ZONE_EVENT_TRANSFERRED, .token = zone.token, .soa = SOA(6)};
	zone_handle(&zone, &event, now, &actions);
	assert_int_equal(zone.phase, ZONE_PUBLISHING);
	uint32_t handed_out = zone.token;

	now.mono_ms = zone.timer_ms;
	event = (struct zone_event){.kind = ZONE_EVENT_TIMER};
	zone_handle(&zone, &event, now, &actions);
	assert_int_equal(zone.phase, ZONE_IDLE);
	assert_int_equal(zone.soa.serial, 5);
	event = (struct zone_event){.kind = ZONE_EVENT_LIVE, .token = handed_out};
	zone_handle(&zone, &event, now, &actions);
	assert_int_equal(zone.soa.serial, 6);
}

static void without_primaries_a_copy_is_served_until_it_expires(void **state)
{
	SCENARIO(&policy_none, {START_COPY(5), .want = "store"}, {NOTIFY_SERIAL(0, 9), .want = ""},
	    {EV(REFRESH), .want = ""}, {.to_timer = true, EV(TIMER), .want = "expire"});
}

static void timers_of_the_soa_are_clamped(void **state)
{
	static const struct {
		uint32_t refresh_s, retry_s, expire_s;
		int64_t want_refresh_s, want_retry_s, want_expire_s;
	} rows[] = {
	    {0, 0, 0, 100, 10, 110},
	    {150, 15, 1000, 150, 15, 1000},
	    {UINT32_MAX, UINT32_MAX, UINT32_MAX, 200, 20, UINT32_MAX},
	    {150, 15, 1, 150, 15, 165},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zone zone;
		struct zone_actions actions;
		struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 1 * S};
		struct zone_event event = {.kind = ZONE_EVENT_START,
		    .has_copy = true,
		    .soa = {1, rows[i].refresh_s, rows[i].retry_s, rows[i].expire_s}};

		zone_init(&zone, &policy_clamped, 1 + (uint32_t)i);
		zone_handle(&zone, &event, now, &actions);
		assert_true(zone.expire_ms - now.mono_ms == rows[i].want_expire_s * S);
		event.kind = ZONE_EVENT_SOA;
		event.token = zone.token;
		zone_handle(&zone, &event, now, &actions);
		assert_in_range(zone.next_ms - now.mono_ms, rows[i].want_refresh_s * 900,
		    rows[i].want_refresh_s * S);
		now.mono_ms = zone.next_ms;
		event.kind = ZONE_EVENT_TIMER;
		zone_handle(&zone, &event, now, &actions);
		event.kind = ZONE_EVENT_SOA_FAILED;
		event.token = zone.token;
		zone_handle(&zone, &event, now, &actions);
		assert_in_range(zone.next_ms - now.mono_ms, rows[i].want_retry_s * 900,
		    rows[i].want_retry_s * S);
	}
}

static void without_a_copy_retries_back_off_to_ten_minutes(void **state)
{
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 0, .mono_ms = 0};
	struct zone_event event = {.kind = ZONE_EVENT_START};
	int64_t last = 0;

	zone_init(&zone, &policy_one, 4);
	zone_handle(&zone, &event, now, &actions);
	for (unsigned i = 0; i < 40; i++) {
		event =
		    (struct zone_event){.kind = ZONE_EVENT_TRANSFER_FAILED, .token = zone.token};
		zone_handle(&zone, &event, now, &actions);
		last = zone.timer_ms - now.mono_ms;
		assert_in_range(last, 900, 600000);
		now.mono_ms = zone.timer_ms;
		event = (struct zone_event){.kind = ZONE_EVENT_TIMER};
		zone_handle(&zone, &event, now, &actions);
		assert_int_equal(zone.phase, ZONE_TRANSFERRING);
	}
	assert_in_range(last, 540000, 600000);
}

// Refused for want of memory: as its SOA says, then later and later; when there is some, at once,
// but not as often as one might say so.
static void what_does_not_fit_is_asked_for_later_and_later(void **state)
{
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 0, .mono_ms = 0};
	struct zone_event event = {.kind = ZONE_EVENT_START};
	const struct zone_event room = {.kind = ZONE_EVENT_ROOM};

	zone_init(&zone, &policy_one, 4);
	zone_handle(&zone, &event, now, &actions);
	for (unsigned i = 0; i < 4; i++) {
		event = (struct zone_event){.kind = ZONE_EVENT_TRANSFER_FAILED,
		    .token = zone.token,
		    .heard = true,
		    .no_room = true,
		    .soa = {7, 3600, 60, 86400}};
		zone_handle(&zone, &event, now, &actions);
		assert_int_equal(zone.phase, ZONE_IDLE);
		assert_true(zone.wants_room);
		assert_in_range(zone.timer_ms - now.mono_ms, (54000 << i), (60000 << i));
		now.mono_ms += (1000 << i) - 1;
		zone_handle(&zone, &room, now, &actions);
		assert_int_equal(actions.count, 0);
		now.mono_ms += 1;
		zone_handle(&zone, &room, now, &actions);
		assert_int_equal(actions.count, 1);
		assert_int_equal(actions.items[0].kind, ZONE_ACTION_TRANSFER);
		zone_handle(&zone, &room, now, &actions); // it is at it
		assert_int_equal(actions.count, 0);
	}
	// Nothing of it is left when a version is live.
	event = (struct zone_event){
	    .kind = ZONE_EVENT_TRANSFERRED, .token = zone.token, .soa = {7, 3600, 60, 86400}};
	zone_handle(&zone, &event, now, &actions);
	event = (struct zone_event){.kind = ZONE_EVENT_LIVE, .token = zone.token};
	zone_handle(&zone, &event, now, &actions);
	assert_false(zone.wants_room);
	now.mono_ms += 5000;
	now.wall_ms += 5000;
	zone_handle(&zone, &room, now, &actions);
	assert_int_equal(actions.count, 0);
}

// The whole zone takes more than its difference does: it is not asked for in its place.
static void a_difference_that_does_not_fit_is_not_fetched_whole(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"},
	    {EV(TRANSFER_FAILED, .heard = true, .no_room = true, .soa = SOA(6)), .want = "query:1"},
	    {SOA_IS(6), .want = "ixfr:1"}, {IXFR_OF(6), .want = "publish"},
	    {EV(REJECTED, .no_room = true), .want = "query:2"}, {SOA_IS(5), .want = "store"},
	    {.advance = 1 * S, EV(ROOM), .want = "query:0"}, {SOA_IS(6), .want = "ixfr:0"});
}

static void a_new_configuration_asks_again_and_reckons_the_expiry_anew(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {EV(CONFIG, .policy = &policy_three), .want = "abort query:0"},
	    {EV(SOA_FAILED), .want = "query:1"},
	    {EV(CONFIG, .policy = &policy_grace), .want = "abort store query:0"},
	    {.advance = 608400 * S - 1, EV(TIMER), .want = "stale"},
	    {.advance = 1, EV(TIMER), .want = "expire"},
	    {EV(CONFIG, .policy = &policy_none), .want = "abort store"});
}

static void a_configuration_with_other_primaries_forgets_whose_version_it_is(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"},
	    {EV(CONFIG, .policy = &policy_none), .want = ""}, {EV(REJECTED), .want = ""});
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {EV(CONFIG, .policy = &policy_other), .want = "abort query:0"},
	    {SOA_IS(6), .want = "transfer:0"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(serial_arithmetic_follows_rfc_1982),
	    cmocka_unit_test(without_a_copy_the_transfer_is_the_first_question),
	    cmocka_unit_test(primaries_are_tried_in_order_and_a_round_ends_with_the_last),
	    cmocka_unit_test(a_dead_primary_hands_over_to_the_next),
	    cmocka_unit_test(a_rejected_version_leads_to_the_next_primary_and_changes_nothing),
	    cmocka_unit_test(a_version_is_waited_for_as_long_as_it_is_worked_on),
	    cmocka_unit_test(an_older_serial_is_reported_and_confirms_nothing),
	    cmocka_unit_test(half_the_serial_space_away_is_neither_newer_nor_a_reason_to_transfer),
	    cmocka_unit_test(a_serial_that_wraps_is_newer),
	    cmocka_unit_test(the_serial_that_arrives_counts_not_the_one_announced),
	    cmocka_unit_test(an_answer_to_an_old_question_is_ignored),
	    cmocka_unit_test(
	        a_publication_without_answer_is_given_up_and_a_late_answer_still_counts),
	    cmocka_unit_test(without_primaries_a_copy_is_served_until_it_expires),
	    cmocka_unit_test(timers_of_the_soa_are_clamped),
	    cmocka_unit_test(without_a_copy_retries_back_off_to_ten_minutes),
	    cmocka_unit_test(what_does_not_fit_is_asked_for_later_and_later),
	    cmocka_unit_test(a_difference_that_does_not_fit_is_not_fetched_whole),
	    cmocka_unit_test(a_new_configuration_asks_again_and_reckons_the_expiry_anew),
	    cmocka_unit_test(a_configuration_with_other_primaries_forgets_whose_version_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
