// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine with several primaries: the one it is pinned to, and those
// that must agree.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

static void another_primary_is_followed_after_the_tolerance_and_comes_whole(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    // The pinned one has what we have; the others are asked all the same.
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store store"},
	    {.advance = 1800 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {SOA_IS(7), .want = "store"},
	    // An hour after it was seen first, to the millisecond; it need not be the same version.
	    {.advance = 1799999, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {EV(SOA_FAILED), .want = "query:2"}, {SOA_IS(8), .want = "transfer:2"},
	    {TRANSFERRED(8), .want = "publish"}, {EV(LIVE), .want = "store"},
	    // Now it is the pinned one: asked first, and differences of it fit.
	    {EV(REFRESH), .want = "query:2"}, {SOA_IS(9), .want = "ixfr:2"});
}

// That the pinned one has what we have is no reason to wait for the next refresh.
static void a_follower_whose_transfer_breaks_is_asked_again_after_retry(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store store"}, {.advance = 3600 * S, EV(TIMER), .want = "query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "transfer:2"}, {EV(TRANSFER_FAILED), .want = "store"},
	    {.advance = 599 * S, EV(TIMER), .want = ""},
	    {.advance = S, EV(TIMER), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {SOA_IS(6), .want = "transfer:2"},
	    {EV(TRANSFER_FAILED), .want = "store"}, {.advance = 1199 * S, EV(TIMER), .want = ""},
	    {.advance = S, EV(TIMER), .want = "query:0"});
}

static void the_pinned_primary_catching_up_ends_the_others_lead(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store store"},
	    {.advance = 3500 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    // Ahead once more: from now on.
	    {.advance = 200 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "query:1"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(7), .want = "store store"});
}

static void a_lead_that_is_taken_back_is_forgotten(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store store"},
	    // One that does not answer says nothing: the time runs on.
	    {.advance = 600 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {EV(SOA_FAILED), .want = "store"},
	    {.advance = 600 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {SOA_IS(5), .want = "store store"},
	    {.advance = 3000 * S, EV(REFRESH), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {SOA_IS(6), .want = "store store"});
}

static void a_dead_pinned_primary_lags_as_well(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(22, 5), .want = "store query:2"},
	    {EV(SOA_FAILED), .want = "query:0"}, {SOA_IS(6), .want = "store query:1"},
	    {SOA_IS(6), .want = ""}, {.advance = 3600 * S, EV(TIMER), .want = "query:2"},
	    {EV(SOA_FAILED), .want = "query:0"}, {SOA_IS(6), .want = "transfer:0"});
}

static void a_notify_of_another_primary_asks_the_pinned_one_first(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(5), .want = "store"}, {.advance = S, NOTIFY_SERIAL(2, 6), .want = "query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store store"},
	    // Its own NOTIFY is as good as ever.
	    {.advance = S, NOTIFY_SERIAL(1, 6), .want = "ixfr:1"});
}

static void orders_and_an_expired_copy_take_what_there_is(void **state)
{
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(6), .want = "store"}, {EV(RETRANSFER), .want = "transfer!:0"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:1"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:2"}, {TRANSFERRED(6), .want = "publish"});
	SCENARIO(&policy_pinned, {START_FROM(11, 5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {EV(SOA_FAILED), .want = ""},
	    {.advance = 604801 * S, EV(TIMER), .want = "expire query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {EV(SOA_FAILED), .want = "query:2"},
	    {SOA_IS(6), .want = "transfer:2"});
}

static void the_tolerance_runs_on_over_a_restart(void **state)
{
	static const struct zone_timers timers = {.refreshed_ms = 1795000000 * S - 60 * S,
	    .expires_ms = 1795000000 * S + 604740 * S,
	    .behind_ms = 1795000000 * S - 3500 * S,
	    .behind_serial = 6};

	SCENARIO(&policy_pinned,
	    {EV(START, .has_copy = true, .origin = 11, .soa = SOA(5), .has_timers = true,
	         .timers = timers),
	        .want = "query:0"},
	    {SOA_IS(5), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "store"}, {.advance = 99999, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "query:0"}, {SOA_IS(5), .want = "query:1"},
	    {SOA_IS(5), .want = "query:2"}, {SOA_IS(6), .want = "transfer:2"});
}

static void a_version_is_published_when_enough_primaries_have_it(void **state)
{
	// Both addresses of one remote are one primary.
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "publish"}, {EV(LIVE), .want = "store"},
	    // From whoever is asked first; its other address is not asked.
	    {.advance = S, NOTIFY_SERIAL(2, 7), .want = "query:2"}, {SOA_IS(7), .want = "query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {SOA_IS(7), .want = "transfer:2"});
	// Whose serial it is has not agreed with itself at its other address.
	SCENARIO(&policy_two_behind, {START_FROM(11, 5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = "query:1"}, {SOA_IS(6), .want = "query:0"},
	    {SOA_IS(5), .want = "ixfr:1"}, {IXFR_OF(6), .want = "hold:1"});
	// Nor do two addresses of another count twice.
	SCENARIO(&policy_three_of_three, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:1"}, {SOA_IS(6), .want = "query:3"},
	    {SOA_IS(5), .want = "ixfr:0"}, {IXFR_OF(6), .want = "hold:2"});
	// Without a copy as well.
	SCENARIO(&policy_two, {START_EMPTY, .want = "query:0"}, {SOA_IS(6), .want = "query:2"},
	    {SOA_IS(6), .want = "transfer!:0"}, {TRANSFERRED(6), .want = "publish"});
	SCENARIO(&policy_two_of_three, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:1"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(6), .want = "ixfr:0"}, {IXFR_OF(6), .want = "publish"});
}

static void a_version_of_too_few_is_held_until_enough_have_it(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(5), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "hold:1"}, {SHORT, .want = "query:1"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(5), .want = "query:2"},
	    {SOA_IS(5), .want = "store"},
	    // It is not fetched a second time. The other one gets it, and says so.
	    {.advance = S, NOTIFY_SERIAL(2, 6), .want = "query:2"}, {SOA_IS(6), .want = "query:0"},
	    {SOA_IS(6), .want = "accept:6"}, {EV(LIVE), .want = "store"},
	    {.advance = S, EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "store"});
}

static void a_person_may_accept_what_too_few_have(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(5), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "hold:1"}, {SHORT, .want = "query:1"},
	    {EV(SOA_FAILED), .want = "query:2"}, {SOA_IS(5), .want = "store"},
	    {EV(LIVE), .handed = true, .want = "store"},
	    {.advance = S, EV(REFRESH), .want = "query:0"}, {SOA_IS(6), .want = "store"});
}

// Fetched anew, and asked about anew: nobody ever publishes what is not there.
static void what_was_held_and_is_gone_is_fetched_again(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(5), .want = "ixfr:0"},
	    {IXFR_OF(6), .want = "hold:1"}, {SHORT, .want = "query:1"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = "accept:6"},
	    {EV(REJECTED), .want = "query:2"}, {SOA_IS(6), .want = "query:0"},
	    {SOA_IS(6), .want = "transfer:2"}, {TRANSFERRED(6), .want = "publish"});
}

// What a primary has by the time it is fetched must be what was agreed on.
static void a_serial_that_moves_on_meanwhile_is_not_agreed_on(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = "ixfr:0"},
	    {IXFR_OF(7), .want = "hold:1"});
}

// A version handed out long ago goes live while another primary's is on its way.
static void a_version_that_came_too_late_for_the_pin_is_dropped(void **state)
{
	SCENARIO(&policy_pinned, {START_EMPTY, .want = "transfer!:0"},
	    {TRANSFERRED(5), .want = "publish"}, {.advance = 120 * S, EV(TIMER), .want = ""},
	    {.to_timer = true, EV(TIMER), .want = "transfer!:0"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:1"},
	    {EV(TRANSFER_FAILED), .want = "transfer!:2"},
	    {EV(LIVE), .handed = true, .want = "store"}, {TRANSFERRED(6), .want = "discard"});
}

static void what_was_held_before_a_restart_is_asked_about_again(void **state)
{
	SCENARIO(&policy_two,
	    {EV(START, .has_copy = true, .origin = 11, .soa = SOA(5), .has_held = true,
	         .held_serial = 6),
	        .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = "ixfr:0"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_primary_is_followed_after_the_tolerance_and_comes_whole),
	    cmocka_unit_test(a_follower_whose_transfer_breaks_is_asked_again_after_retry),
	    cmocka_unit_test(the_pinned_primary_catching_up_ends_the_others_lead),
	    cmocka_unit_test(a_lead_that_is_taken_back_is_forgotten),
	    cmocka_unit_test(a_dead_pinned_primary_lags_as_well),
	    cmocka_unit_test(a_notify_of_another_primary_asks_the_pinned_one_first),
	    cmocka_unit_test(orders_and_an_expired_copy_take_what_there_is),
	    cmocka_unit_test(the_tolerance_runs_on_over_a_restart),
	    cmocka_unit_test(a_version_is_published_when_enough_primaries_have_it),
	    cmocka_unit_test(a_version_of_too_few_is_held_until_enough_have_it),
	    cmocka_unit_test(a_person_may_accept_what_too_few_have),
	    cmocka_unit_test(what_was_held_and_is_gone_is_fetched_again),
	    cmocka_unit_test(a_serial_that_moves_on_meanwhile_is_not_agreed_on),
	    cmocka_unit_test(a_version_that_came_too_late_for_the_pin_is_dropped),
	    cmocka_unit_test(what_was_held_before_a_restart_is_asked_about_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
