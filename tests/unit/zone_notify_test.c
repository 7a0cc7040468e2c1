// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine: NOTIFY.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

static void a_notify_with_a_newer_serial_transfers_from_its_sender_at_once(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(2, 6), .want = "transfer:2"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"});
}

static void a_notify_without_serial_asks_its_sender_first(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {.advance = 60 * S, NOTIFY(1), .want = "query:1"},
	    {EV(SOA_FAILED), .want = "query:0"}, {EV(SOA_FAILED), .want = "query:2"},
	    {EV(SOA_FAILED), .want = ""});
}

static void a_notify_for_what_we_have_asks_nobody_one_for_less_is_looked_into(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {.advance = 60 * S, NOTIFY_SERIAL(0, 5), .want = ""},
	    {NOTIFY_SERIAL(0, 4), .want = "query:0"}, {SOA_IS(4), .want = "regressed:0:4"});
}

static void a_notify_does_not_wait_for_a_refresh_that_still_asks(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {.advance = 1 * S, NOTIFY_SERIAL(2, 6), .want = "abort transfer:2"},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"});
	// A round of a NOTIFY is not ended by the next one.
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {.advance = 60 * S, NOTIFY(1), .want = "query:1"},
	    {.advance = 60 * S, NOTIFY(2), .want = ""}, {SOA_IS(5), .want = "store"},
	    {.to_timer = true, EV(TIMER), .want = "query:2"});
}

static void a_flood_of_notifies_during_a_round_is_one_more_round(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {NOTIFY_SERIAL(0, 6), .want = "abort transfer:0"}, {NOTIFY_SERIAL(0, 7), .want = ""},
	    {NOTIFY_SERIAL(0, 6), .want = ""}, {TRANSFERRED(6), .want = "publish"},
	    {NOTIFY_SERIAL(0, 7), .want = ""}, {EV(LIVE), .want = "store"},
	    {.advance = 50, EV(TIMER), .want = "transfer:0"}, {TRANSFERRED(7), .want = "publish"},
	    {EV(LIVE), .want = "store"}, {.advance = 50, EV(TIMER), .want = ""});
}

static void a_notify_that_came_true_meanwhile_is_forgotten(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {NOTIFY_SERIAL(0, 6), .want = ""},
	    {TRANSFERRED(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 1 * S, EV(TIMER), .want = ""});
}

static void a_notify_ahead_of_every_primary_asks_all_and_confirms(void **state)
{
	SCENARIO(&policy_three, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 9), .want = "transfer:0"},
	    {STALE(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(5), .want = "store"},
	    // and looks again after the retry interval, not the refresh interval
	    {.advance = 600 * S, EV(TIMER), .want = "query:0"});
}

static void a_notifier_ahead_for_ever_is_asked_less_and_less(void **state)
{
	struct zone zone;
	struct zone_actions actions;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 1 * S};
	unsigned rounds = 0;

	zone_init(&zone, &policy_one, 9);
	zone_handle(&zone,
	    &(struct zone_event){.kind = ZONE_EVENT_START, .has_copy = true, .soa = SOA(5)}, now,
	    &actions);
	zone_handle(&zone,
	    &(struct zone_event){.kind = ZONE_EVENT_SOA, .token = zone.token, .soa = SOA(5)}, now,
	    &actions);
	for (unsigned ms = 0; ms < 600000; ms++) { // ten minutes of a thousand NOTIFYs a second
		now.mono_ms++;
		now.wall_ms++;
		zone_handle(&zone,
		    &(struct zone_event){
		        .kind = ZONE_EVENT_NOTIFY, .has_serial = true, .soa = SOA(900)},
		    now, &actions);
		if (zone.phase != ZONE_IDLE) {
			enum zone_event_kind answer = zone.phase == ZONE_QUERYING
			                                  ? ZONE_EVENT_SOA
			                                  : ZONE_EVENT_TRANSFER_STALE;

			rounds++;
			zone_handle(&zone,
			    &(struct zone_event){
			        .kind = answer, .token = zone.token, .soa = SOA(5)},
			    now, &actions);
		}
	}
	assert_in_range(rounds, 25, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_notify_with_a_newer_serial_transfers_from_its_sender_at_once),
	    cmocka_unit_test(a_notify_without_serial_asks_its_sender_first),
	    cmocka_unit_test(a_notify_for_what_we_have_asks_nobody_one_for_less_is_looked_into),
	    cmocka_unit_test(a_notify_does_not_wait_for_a_refresh_that_still_asks),
	    cmocka_unit_test(a_flood_of_notifies_during_a_round_is_one_more_round),
	    cmocka_unit_test(a_notify_that_came_true_meanwhile_is_forgotten),
	    cmocka_unit_test(a_notify_ahead_of_every_primary_asks_all_and_confirms),
	    cmocka_unit_test(a_notifier_ahead_for_ever_is_asked_less_and_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
