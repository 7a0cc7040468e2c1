// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine: of whom it asks a difference, and what it does when that
// fails.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

static void a_difference_is_asked_of_the_primary_the_version_came_from(void **state)
{
	SCENARIO(&policy_known, {START_EMPTY, .want = "transfer!:0"},
	    {TRANSFERRED(5), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(6), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    // and after a NOTIFY without a question before it, at its other address, too
	    {.advance = 60 * S, NOTIFY_SERIAL(1, 7), .want = "ixfr:1"},
	    {IXFR_OF(7), .want = "publish"}, {EV(LIVE), .want = "store"});
}

static void a_difference_is_never_asked_of_another_primary(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(2, 6), .want = "transfer:2"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    // Now the version is the second primary's.
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 7), .want = "transfer:0"},
	    {EV(TRANSFER_FAILED), .want = "query:1"}, {SOA_IS(7), .want = "transfer:1"},
	    {EV(TRANSFER_FAILED), .want = "query:2"}, {SOA_IS(7), .want = "ixfr:2"},
	    {IXFR_OF(7), .want = "publish"}, {EV(LIVE), .want = "store"});
}

static void a_confirmation_by_another_primary_does_not_change_whose_version_it_is(void **state)
{
	SCENARIO(&policy_known, {START_FROM(22, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {EV(TRANSFER_FAILED), .want = "query:1"},
	    {EV(SOA_FAILED), .want = "query:2"}, {SOA_IS(6), .want = "ixfr:2"});
}

static void without_knowing_where_the_copy_came_from_the_zone_is_asked_for_whole(void **state)
{
	SCENARIO(&policy_known, {START_FROM(0, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(LIVE), .want = "store"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(7), .want = "ixfr:0"});
}

static void a_broken_difference_falls_back_at_the_same_primary_then_to_the_next(void **state)
{
	SCENARIO(&policy_known, {START_FROM(22, 5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(6), .want = "ixfr:2"}, {BROKEN, .want = "fallback:2"}, {BROKEN, .want = ""});
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {BROKEN, .want = "fallback:0"},
	    {BROKEN, .want = "query:1"}, {SOA_IS(6), .want = "transfer:1"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(REJECTED), .want = "query:2"},
	    {SOA_IS(6), .want = "transfer:2"});
}

static void a_difference_that_does_not_fit_falls_back_like_one_that_is_broken(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"},
	    {EV(REJECTED), .want = "fallback:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(LIVE), .want = "store"},
	    // Once more soon: for a minute the whole zone is the surer way.
	    {.advance = 10 * S, NOTIFY_SERIAL(0, 7), .want = "transfer:0"},
	    {TRANSFERRED(7), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 8), .want = "ixfr:0"});
}

static void a_rejected_whole_zone_that_answered_a_difference_is_not_asked_for_again(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(REJECTED), .want = "query:1"});
}

static void a_primary_that_refuses_differences_is_not_asked_for_one_for_an_hour(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {REFUSED, .want = "fallback:0"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 3300 * S, NOTIFY_SERIAL(0, 7), .want = "transfer:0"},
	    {TRANSFERRED(7), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 400 * S, NOTIFY_SERIAL(0, 8), .want = "ixfr:0"});
}

static void what_one_primary_refuses_is_not_held_against_another(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {REFUSED, .want = "fallback:0"},
	    {BROKEN, .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(6), .want = "transfer:2"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(LIVE), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(2, 7), .want = "ixfr:2"});
}

static void differences_that_keep_failing_are_asked_for_less_and_less(void **state)
{
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 1 * S};
	struct zone_event event = {
	    .kind = ZONE_EVENT_START, .has_copy = true, .origin = 11, .soa = SOA(1)};
	unsigned asked = 0, fell_back = 0;

	zone_init(&zone, &policy_known, 5);
	zone_handle(&zone, &event, now, &actions);
	event = (struct zone_event){.kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(1)};
	zone_handle(&zone, &event, now, &actions);
	for (uint32_t serial = 2; serial < 2 + 24 * 360; serial++) { // each 10 s for a day
		now.mono_ms += 10 * S;
		now.wall_ms += 10 * S;
		event = (struct zone_event){
		    .kind = ZONE_EVENT_NOTIFY, .has_serial = true, .soa = {.serial = serial}};
		zone_handle(&zone, &event, now, &actions);
		for (unsigned i = 0; i < actions.count; i++) {
			asked += actions.items[i].incremental;
		}
		event = (struct zone_event){.kind = ZONE_EVENT_TRANSFERRED,
		    .token = zone.token,
		    .incremental = zone.step_incremental,
		    .soa = SOA(serial)};
		zone_handle(&zone, &event, now, &actions);
		if (zone.step_incremental) {
			event =
			    (struct zone_event){.kind = ZONE_EVENT_REJECTED, .token = zone.token};
			zone_handle(&zone, &event, now, &actions);
			assert_int_equal(actions.items[0].kind, ZONE_ACTION_TRANSFER);
			assert_true(actions.items[0].fallback);
			fell_back++;
			event = (struct zone_event){.kind = ZONE_EVENT_TRANSFERRED,
			    .token = zone.token,
			    .soa = SOA(serial)};
			zone_handle(&zone, &event, now, &actions);
		}
		event = (struct zone_event){.kind = ZONE_EVENT_LIVE, .token = zone.token};
		zone_handle(&zone, &event, now, &actions);
		assert_int_equal(zone.soa.serial, serial);
	}
	assert_int_equal(asked, fell_back);
	assert_in_range(asked, 24, 32); // 1, 2, 4 ... 32 minutes, then each hour
}

static void a_primary_that_is_gone_is_not_asked_for_the_whole_zone_either(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {EV(TRANSFER_FAILED), .want = "query:1"},
	    {SOA_IS(6), .want = "ixfr:1"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_difference_is_asked_of_the_primary_the_version_came_from),
	    cmocka_unit_test(a_difference_is_never_asked_of_another_primary),
	    cmocka_unit_test(a_confirmation_by_another_primary_does_not_change_whose_version_it_is),
	    cmocka_unit_test(without_knowing_where_the_copy_came_from_the_zone_is_asked_for_whole),
	    cmocka_unit_test(a_broken_difference_falls_back_at_the_same_primary_then_to_the_next),
	    cmocka_unit_test(a_difference_that_does_not_fit_falls_back_like_one_that_is_broken),
	    cmocka_unit_test(
	        a_rejected_whole_zone_that_answered_a_difference_is_not_asked_for_again),
	    cmocka_unit_test(a_primary_that_refuses_differences_is_not_asked_for_one_for_an_hour),
	    cmocka_unit_test(what_one_primary_refuses_is_not_held_against_another),
	    cmocka_unit_test(differences_that_keep_failing_are_asked_for_less_and_less),
	    cmocka_unit_test(a_primary_that_is_gone_is_not_asked_for_the_whole_zone_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
