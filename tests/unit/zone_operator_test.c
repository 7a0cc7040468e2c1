// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine: what an operator orders, pins, rolls back and accepts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

static void a_refresh_order_asks_now_and_a_retransfer_takes_any_serial(void **state)
{
	SCENARIO(&policy_one, {START_COPY(50), .want = "store query:0"},
	    {SOA_IS(50), .want = "store"}, {EV(REFRESH), .want = "query:0"},
	    {SOA_IS(50), .want = "store"}, {EV(RETRANSFER), .want = "transfer!:0"},
	    {TRANSFERRED(3), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(4), .want = "transfer:0"});
}

static void an_order_during_a_round_waits_for_its_end(void **state)
{
	SCENARIO(&policy_one, {START_COPY(50), .want = "store query:0"},
	    {EV(RETRANSFER), .want = ""}, {SOA_IS(50), .want = "store transfer!:0"});
}

static void a_retransfer_takes_the_whole_zone(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {EV(RETRANSFER), .want = "transfer!:0"},
	    {TRANSFERRED(5), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 6), .want = "ixfr:0"});
}

static void a_held_version_is_neither_fetched_again_nor_a_confirmation(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"},
	    {EV(HELD), .want = "query:1"}, // no fallback: nothing was wrong with the transfer
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = ""},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 6), .want = ""},
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(6), .want = "query:1"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = ""},
	    // The next one is news again.
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 7), .want = "ixfr:0"},
	    {IXFR_OF(7), .want = "publish"}, {EV(LIVE), .want = "store"});
}

static void a_held_version_that_is_accepted_is_the_version_served(void **state)
{
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 1 * S};
	struct zone_event event = {
	    .kind = ZONE_EVENT_START, .has_copy = true, .origin = 11, .soa = SOA(5)};

	zone_init(&zone, &policy_known, 7);
	zone_handle(&zone, &event, now, &actions);
	event = (struct zone_event){.kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(6)};
	zone_handle(&zone, &event, now, &actions);
	event = (struct zone_event){.kind = ZONE_EVENT_TRANSFERRED,
	    .token = zone.token,
	    .incremental = true,
	    .soa = SOA(6)};
	zone_handle(&zone, &event, now, &actions);
	const uint32_t handed_out = zone.token;

	event = (struct zone_event){.kind = ZONE_EVENT_HELD, .token = handed_out};
	zone_handle(&zone, &event, now, &actions);
	for (unsigned i = 0; i < 2; i++) { // the other ways
		event = (struct zone_event){.kind = ZONE_EVENT_SOA_FAILED, .token = zone.token};
		zone_handle(&zone, &event, now, &actions);
	}
	assert_int_equal(zone.phase, ZONE_IDLE);
	assert_int_equal(zone.soa.serial, 5);
	now.mono_ms += 300 * S;
	event = (struct zone_event){.kind = ZONE_EVENT_LIVE, .token = handed_out};
	zone_handle(&zone, &event, now, &actions);
	assert_int_equal(zone.soa.serial, 6);
	assert_int_equal(zone.failures, 0);
	assert_false(zone.has_held);
}

// Somebody went back to an older version in between.
static void what_is_accepted_after_a_rollback_is_the_version_served(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"},
	    {EV(HELD), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {EV(SOA_FAILED), .want = ""}, {EV(PIN, .pinned = true), .want = ""},
	    {EV(REPLACED, .origin = 11, .soa = SOA(4)), .want = "store query:0"},
	    {SOA_IS(6), .want = "store"}, {EV(PIN), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {EV(SOA_FAILED), .want = ""}, {.handed = true, EV(LIVE), .want = "store"},
	    // What the primary has is what we have.
	    {EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "store"});
}

// A person has accepted it, and the data plane does not take it: it is held no longer.
static void what_was_held_and_is_refused_is_asked_for_again(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(HELD), .want = ""}, {EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = ""},
	    {EV(REJECTED), .handed = true, .want = ""}, {EV(REFRESH), .want = "query:0"},
	    {SOA_IS(6), .want = "transfer:0"});
	// Since before a restart nobody has a token.
	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .has_held = true, .held_serial = 6, .soa = SOA(5)),
	        .want = "store query:0"},
	    {SOA_IS(6), .want = ""}, {EV(REJECTED), .handed = true, .want = ""},
	    {EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "transfer:0"});
}

// What a difference would be applied to is not what a primary thinks; also after a restart.
static void what_comes_after_a_broken_version_comes_whole(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"},
	    {EV(LOST, .has_copy = true, .origin = 11, .soa = SOA(4)), .want = "query:0"},
	    {SOA_IS(5), .want = "transfer:0"}, {BROKEN, .want = "query:1"},
	    {SOA_IS(5), .want = "transfer:1"}, {TRANSFERRED(5), .want = "publish"},
	    {EV(LIVE), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 6), .want = "ixfr:0"});
	SCENARIO(&policy_known,
	    {EV(START, .has_copy = true, .origin = 11, .whole = true, .soa = SOA(4)),
	        .want = "store query:0"},
	    {SOA_IS(5), .want = "transfer:0"});
	// A difference on its way is to what is gone; without a copy nothing is asked first.
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {EV(LOST), .want = "abort transfer!:0"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"});
	// What is being published may be whole for all that.
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"},
	    {EV(LOST, .has_copy = true, .origin = 11, .soa = SOA(4)), .want = ""},
	    {EV(REJECTED), .want = "fallback:0"});
}

static void a_pinned_zone_asks_and_takes_nothing(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {EV(PIN, .pinned = true), .want = ""},
	    // What is newer is told and confirms that there is somebody to ask.
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(6), .want = "store"},
	    // A NOTIFY's word is no reason to transfer either, nor is an operator's order.
	    {.advance = 60 * S, NOTIFY_SERIAL(2, 7), .want = "query:2"},
	    {SOA_IS(7), .want = "store"}, {EV(RETRANSFER), .want = "query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {SOA_IS(4), .want = "regressed:1:4 query:2"},
	    {EV(SOA_FAILED), .want = ""},
	    // What was missed is fetched as soon as it may be.
	    {EV(PIN), .want = "store query:0"}, {SOA_IS(7), .want = "transfer:0"});
}

static void a_pin_stops_a_transfer(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {EV(PIN, .pinned = true), .want = "abort query:0"},
	    {.stale = true, TRANSFERRED(6), .want = "discard"}, {SOA_IS(6), .want = "store"});
}

// Primaries are being counted for a version: it would be fetched, or put in force, in the end.
static void a_pin_stops_the_search_for_agreement(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {EV(PIN, .pinned = true), .want = "abort query:0"},
	    {.stale = true, SOA_IS(6), .want = ""}, {SOA_IS(6), .want = "store"});
	// What is held with the serial that we have, or an older one, is no more than that.
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {EV(RETRANSFER), .want = "query:0"},
	    {SOA_IS(4), .want = "query:2"}, {SOA_IS(5), .want = "transfer!:0"},
	    {TRANSFERRED(4), .want = "hold:1"}, {SHORT, .want = "query:1"},
	    {EV(PIN, .pinned = true), .want = ""}, {SOA_IS(4), .want = "regressed:1:4 query:2"},
	    {SOA_IS(4), .want = "regressed:2:4"});
}

// What the end of a pin takes away must be away for a restart, too.
static void the_end_of_a_pin_is_stored_with_what_was_missed(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {EV(PIN, .pinned = true), .want = ""},
	    {EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "store"},
	    {EV(PIN), .want = "store query:0"});
}

static void the_lag_of_a_pinned_zone_is_since_it_was_first_seen(void **state)
{
	const int64_t wall = 1795000000 * S;
	struct zone_event event = {
	    .kind = ZONE_EVENT_START, .has_copy = true, .pinned = true, .soa = SOA(5)};
	struct zone_actions actions;
	struct zone zone;

	zone_init(&zone, &policy_one, 12345);
	zone_handle(&zone, &event, (struct zone_now){wall, 0}, &actions);
	for (uint32_t i = 1; i <= 3; i++) {
		event = (struct zone_event){
		    .kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(5 + i)};
		zone_handle(&zone, &event, (struct zone_now){wall + i * H, i * H}, &actions);
		assert_int_equal(zone.timers.behind_ms, wall + H);
		assert_int_equal(zone.timers.behind_serial, 5 + i);
		event = (struct zone_event){.kind = ZONE_EVENT_REFRESH};
		zone_handle(&zone, &event, (struct zone_now){wall + i * H, i * H}, &actions);
		assert_int_equal(zone.phase, ZONE_QUERYING);
	}
	// The primary is back at what we have.
	event = (struct zone_event){.kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(5)};
	zone_handle(&zone, &event, (struct zone_now){wall + 4 * H, 4 * H}, &actions);
	assert_int_equal(zone.timers.behind_ms, 0);
}

static void what_an_operator_puts_in_place_is_what_we_have(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"},
	    {EV(REPLACED, .origin = 22, .soa = SOA(3)), .want = "abort store query:0"},
	    {.stale = true, IXFR_OF(6), .want = "discard"},
	    // From whom it came decides who is asked for a difference.
	    {EV(SOA_FAILED), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(6), .want = "ixfr:2"}, {IXFR_OF(6), .want = "publish"},
	    // A version that was handed out before does not count any more.
	    {EV(REPLACED, .origin = 11, .soa = SOA(4)), .want = "store query:0"},
	    {.stale = true, EV(LIVE), .want = ""}, {SOA_IS(4), .want = "store"});
}

static void what_is_held_since_before_a_restart_is_known(void **state)
{
	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .has_held = true, .held_serial = 6, .soa = SOA(5)),
	        .want = "store query:0"},
	    {SOA_IS(6), .want = ""}, {EV(REPLACED, .soa = SOA(6)), .want = "store query:0"},
	    {SOA_IS(6), .want = "store"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refresh_order_asks_now_and_a_retransfer_takes_any_serial),
	    cmocka_unit_test(an_order_during_a_round_waits_for_its_end),
	    cmocka_unit_test(a_retransfer_takes_the_whole_zone),
	    cmocka_unit_test(a_held_version_is_neither_fetched_again_nor_a_confirmation),
	    cmocka_unit_test(a_held_version_that_is_accepted_is_the_version_served),
	    cmocka_unit_test(what_is_accepted_after_a_rollback_is_the_version_served),
	    cmocka_unit_test(what_was_held_and_is_refused_is_asked_for_again),
	    cmocka_unit_test(what_comes_after_a_broken_version_comes_whole),
	    cmocka_unit_test(a_pinned_zone_asks_and_takes_nothing),
	    cmocka_unit_test(a_pin_stops_a_transfer),
	    cmocka_unit_test(a_pin_stops_the_search_for_agreement),
	    cmocka_unit_test(the_end_of_a_pin_is_stored_with_what_was_missed),
	    cmocka_unit_test(the_lag_of_a_pinned_zone_is_since_it_was_first_seen),
	    cmocka_unit_test(what_an_operator_puts_in_place_is_what_we_have),
	    cmocka_unit_test(what_is_held_since_before_a_restart_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
