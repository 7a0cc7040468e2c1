// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine: how long a copy is served, over restarts and clocks that are
// set.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

static void an_expired_zone_takes_an_older_serial_when_nobody_has_better(void **state)
{
	SCENARIO(&policy_three, {START_COPY(100), .want = "store query:0"},
	    {.advance = 604800 * S, EV(TIMER), .want = "expire"},
	    {EV(SOA_FAILED), .want = "query:1"}, {SOA_IS(7), .want = "regressed:1:7 query:2"},
	    {SOA_IS(8), .want = "regressed:2:8 transfer!:1"}, {TRANSFERRED(7), .want = "publish"},
	    {EV(LIVE), .want = "store"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(7), .want = "store"});
	// One that has ours goes before.
	SCENARIO(&policy_three, {START_COPY(100), .want = "store query:0"},
	    {.advance = 604800 * S, EV(TIMER), .want = "expire"},
	    {SOA_IS(7), .want = "regressed:0:7 query:1"}, {SOA_IS(100), .want = "revive store"});
	// It is one attempt in a round, like the others.
	SCENARIO(&policy_one, {START_COPY(100), .want = "store query:0"},
	    {.advance = 604800 * S, EV(TIMER), .want = "expire"},
	    {SOA_IS(7), .want = "regressed:0:7 transfer!:0"}, {BROKEN, .want = ""},
	    {.to_timer = true, EV(TIMER), .want = "query:0"});
}

static void a_strict_zone_expires_on_time_and_lives_again_without_a_transfer(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {EV(SOA_FAILED), .want = ""},
	    {.advance = 604800 * S - 1,
	        EV(NOTIFY, .primary = 0, .has_serial = true, .soa = {.serial = 1}),
	        .want = "query:0"},
	    {.advance = 1, EV(TIMER), .want = "expire"}, {EV(SOA_FAILED), .want = ""},
	    {.to_timer = true, EV(TIMER), .want = "query:0"}, {SOA_IS(5), .want = "revive store"});
}

static void grace_serves_longer_than_strict_by_exactly_the_grace(void **state)
{
	SCENARIO(&policy_grace, {START_COPY(5), .want = "store query:0"},
	    {.advance = 604800 * S - 1, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "stale"},
	    {.advance = 3600 * S - 1, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "expire"});
	// A word of a primary during the grace ends it.
	SCENARIO(&policy_grace, {START_COPY(5), .want = "store query:0"},
	    {.to_timer = true, EV(TIMER), .want = "stale"}, {SOA_IS(5), .want = "revive store"},
	    {.advance = 604800 * S, EV(TIMER), .want = "stale query:0"},
	    {SOA_IS(4), .want = "regressed:0:4"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {.advance = 3060 * S, EV(SOA_FAILED), .want = "expire"});
}

static void a_restart_remembers_the_age_of_the_copy(void **state)
{
	const int64_t wall = 1795000000 * S;

	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .soa = SOA(5), .has_timers = true,
	         .timers = {.refreshed_ms = wall - 604000 * S, .expires_ms = wall + 800 * S}),
	        .want = "query:0"},
	    {.advance = 800 * S - 1, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "expire"});
	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .soa = SOA(5), .has_timers = true,
	         .timers = {.refreshed_ms = wall - 700000 * S, .expires_ms = wall - 95200 * S}),
	        .want = "expire query:0"},
	    {SOA_IS(5), .want = "revive store"});
}

static void a_restart_with_a_clock_before_the_last_refresh_keeps_serving(void **state)
{
	const int64_t wall = 1795000000 * S;

	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .soa = SOA(5), .has_timers = true,
	         .timers = {.refreshed_ms = wall + 3650 * D, .expires_ms = wall + 3657 * D}),
	        .want = "store query:0"},
	    {.advance = 604800 * S - 1, EV(TIMER), .want = ""},
	    {.advance = 1, EV(TIMER), .want = "expire"});
}

static void a_wall_clock_that_jumps_changes_nothing_but_what_is_stored(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {.wall_jump = 3650 * D, EV(TIMER), .want = "store"},
	    {.wall_jump = 1 * S, EV(TIMER), .want = ""},
	    {.wall_jump = -7300 * D, EV(TIMER), .want = "store"},
	    {.advance = 3600 * S, EV(TIMER), .want = "query:0"});
}

static void a_held_version_does_not_keep_the_copy_from_expiring(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(HELD), .want = ""}, {.advance = 604800 * S, EV(TIMER), .want = "expire query:0"},
	    {SOA_IS(6), .want = ""});
}

static void a_pinned_zone_expires_only_when_nobody_can_be_asked(void **state)
{
	SCENARIO(&policy_one,
	    {EV(START, .has_copy = true, .pinned = true, .soa = SOA(5)), .want = "store query:0"},
	    {.advance = 6 * D, SOA_IS(6), .want = "store"},
	    {.advance = 6 * D, EV(TIMER), .want = "query:0"},
	    {.advance = D, EV(TIMER), .want = "expire"},
	    // An older serial is what we will not take, expired or not.
	    {SOA_IS(4), .want = "regressed:0:4"}, {.to_timer = true, EV(TIMER), .want = "query:0"},
	    {SOA_IS(6), .want = "revive store"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_expired_zone_takes_an_older_serial_when_nobody_has_better),
	    cmocka_unit_test(a_strict_zone_expires_on_time_and_lives_again_without_a_transfer),
	    cmocka_unit_test(grace_serves_longer_than_strict_by_exactly_the_grace),
	    cmocka_unit_test(a_restart_remembers_the_age_of_the_copy),
	    cmocka_unit_test(a_restart_with_a_clock_before_the_last_refresh_keeps_serving),
	    cmocka_unit_test(a_wall_clock_that_jumps_changes_nothing_but_what_is_stored),
	    cmocka_unit_test(a_held_version_does_not_keep_the_copy_from_expiring),
	    cmocka_unit_test(a_pinned_zone_expires_only_when_nobody_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
