// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine: scenarios told as (event, expected actions). Random walks
// against a model are in tests/secondary.
#include "zone.h"

#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial.h"

#define MS INT64_C(1)
#define S  (1000 * MS)
#define H  (3600 * S)
#define D  (24 * H)

static const struct zone_policy policy_one = {.primary_count = 1,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};
static const struct zone_policy policy_three = {.primary_count = 3,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};
static const struct zone_policy policy_grace = {.primary_count = 1,
    .expire_grace = true,
    .grace_s = 3600,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};
static const struct zone_policy policy_none = {.primary_count = 0,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};
static const struct zone_policy policy_clamped = {.primary_count = 1,
    .refresh_min_s = 100,
    .refresh_max_s = 200,
    .retry_min_s = 10,
    .retry_max_s = 20,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};

// Two primaries, the first with two addresses.
static const uint64_t origins[] = {11, 11, 22};
static const struct zone_policy policy_known = {.primary_count = 3,
    .origins = origins,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};
static const uint64_t origins_other[] = {33};
static const struct zone_policy policy_other = {.primary_count = 1,
    .origins = origins_other,
    .refresh_min_s = 2,
    .refresh_max_s = 86400,
    .retry_min_s = 1,
    .retry_max_s = 86400,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};

// The same, pinned for an hour to the one whose versions are served.
#define INTERVALS                                                                           \
	.refresh_min_s = 2, .refresh_max_s = 86400, .retry_min_s = 1, .retry_max_s = 86400, \
	.notify_min_ms = 50, .notify_max_ms = 30000
static const struct zone_policy policy_pinned = {
    .primary_count = 3, .origins = origins, .pin_tolerance_s = 3600, INTERVALS};
// Two of them must have a version; two of three.
static const struct zone_policy policy_two = {
    .primary_count = 3, .origins = origins, .agreement = 2, INTERVALS};
static const uint64_t origins_behind[] = {22, 11, 11};
static const struct zone_policy policy_two_behind = {
    .primary_count = 3, .origins = origins_behind, .agreement = 2, INTERVALS};
static const uint64_t origins_twice[] = {11, 22, 22, 33};
static const struct zone_policy policy_three_of_three = {
    .primary_count = 4, .origins = origins_twice, .agreement = 3, INTERVALS};
static const uint64_t origins_three[] = {11, 22, 33};
static const struct zone_policy policy_two_of_three = {
    .primary_count = 3, .origins = origins_three, .agreement = 2, INTERVALS};

// What a zone in these tests has unless said otherwise: refresh 1 h, retry 10 min, expire 1 week.
#define SOA(n)                                                                       \
	{                                                                            \
		.serial = (n), .refresh_s = 3600, .retry_s = 600, .expire_s = 604800 \
	}

// One step: `advance` the clocks, or with `to_timer` go to the time the zone asked for; then the
// event. The token of SOA, TRANSFERRED, ... is the latest one unless `stale`.
struct step {
	int64_t advance;
	int64_t wall_jump;
	bool to_timer;
	bool stale;
	bool handed; // the token of the version that was handed out last
	struct zone_event event;
	const char *want; // actions, separated by spaces; "" none
};

static void actions_text(const struct zone_actions *actions, char *out, size_t cap)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < actions->count; i++) {
		const struct zone_action *action = &actions->items[i];
		char word[64] = "";

		switch (action->kind) {
		case ZONE_ACTION_QUERY:
			snprintf(word, sizeof(word), "query:%u", action->primary);
			break;
		case ZONE_ACTION_TRANSFER:
			snprintf(word, sizeof(word), "%s%s:%u",
			    action->incremental ? "ixfr"
			    : action->fallback  ? "fallback"
			                        : "transfer",
			    action->any_serial ? "!" : "", action->primary);
			break;
		case ZONE_ACTION_PUBLISH:
			if (action->lacks_agreement) {
				snprintf(word, sizeof(word), "hold:%u", action->agreed);
			} else {
				snprintf(word, sizeof(word), "publish");
			}
			break;
		case ZONE_ACTION_ACCEPT:
			snprintf(word, sizeof(word), "accept:%u", (unsigned)action->serial);
			break;
		case ZONE_ACTION_DISCARD:
			snprintf(word, sizeof(word), "discard");
			break;
		case ZONE_ACTION_ABORT:
			snprintf(word, sizeof(word), "abort");
			break;
		case ZONE_ACTION_STALE:
			snprintf(word, sizeof(word), "stale");
			break;
		case ZONE_ACTION_EXPIRE:
			snprintf(word, sizeof(word), "expire");
			break;
		case ZONE_ACTION_REVIVE:
			snprintf(word, sizeof(word), "revive");
			break;
		case ZONE_ACTION_STORE:
			snprintf(word, sizeof(word), "store");
			break;
		case ZONE_ACTION_REGRESSED:
			snprintf(word, sizeof(word), "regressed:%u:%u", action->primary,
			    (unsigned)action->serial);
			break;
		}
		used += (size_t)snprintf(out + used, cap - used, "%s%s", i > 0 ? " " : "", word);
	}
}

#define EV(k, ...)          .event = {.kind = ZONE_EVENT_##k, ##__VA_ARGS__}
#define START_EMPTY         EV(START)
#define START_COPY(n)       EV(START, .has_copy = true, .soa = SOA(n))
#define SOA_IS(n)           EV(SOA, .soa = SOA(n))
#define TRANSFERRED(n)      EV(TRANSFERRED, .soa = SOA(n))
#define START_FROM(o, n)    EV(START, .has_copy = true, .origin = (o), .soa = SOA(n))
#define IXFR_OF(n)          EV(TRANSFERRED, .incremental = true, .soa = SOA(n))
#define BROKEN              EV(TRANSFER_FAILED, .heard = true)
#define SHORT               EV(HELD, .lacks_agreement = true)
#define REFUSED             EV(TRANSFER_FAILED, .heard = true, .refused = true)
#define STALE(n)            EV(TRANSFER_STALE, .soa = SOA(n))
#define NOTIFY(p)           EV(NOTIFY, .primary = (p))
#define NOTIFY_SERIAL(p, n) EV(NOTIFY, .primary = (p), .has_serial = true, .soa = {.serial = (n)})

static void scenario_run(const struct zone_policy *policy, const struct step *steps, size_t count)
{
	struct zone zone;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 5000 * S};

	zone_init(&zone, policy, 12345);
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		struct zone_event event = step->event;
		struct zone_actions actions;
		char got[512];

		if (step->to_timer) {
			assert_true(zone.timer_ms != ZONE_NEVER);
			if (zone.timer_ms > now.mono_ms) {
				now.wall_ms += zone.timer_ms - now.mono_ms;
				now.mono_ms = zone.timer_ms;
			}
		}
		now.mono_ms += step->advance;
		now.wall_ms += step->advance + step->wall_jump;
		event.token = step->handed  ? zone.publish_token
		              : step->stale ? zone.token - 1
		                            : zone.token;
		zone_handle(&zone, &event, now, &actions);
		actions_text(&actions, got, sizeof(got));
		if (strcmp(got, step->want) != 0) {
			fail_msg("step %zu: want \"%s\", got \"%s\"", i, step->want, got);
		}
	}
}

#define SCENARIO(policy, ...)                                                  \
	do {                                                                   \
		static const struct step steps[] = {__VA_ARGS__};              \
		scenario_run(policy, steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)

// --- several primaries: the one that is pinned

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

// --- several primaries: that must agree

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

// What a primary has by the time it is fetched must be what was agreed on.
static void a_serial_that_moves_on_meanwhile_is_not_agreed_on(void **state)
{
	SCENARIO(&policy_two, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "query:2"}, {SOA_IS(6), .want = "ixfr:0"},
	    {IXFR_OF(7), .want = "hold:1"});
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

static void a_held_version_does_not_keep_the_copy_from_expiring(void **state)
{
	SCENARIO(&policy_one, {START_COPY(5), .want = "store query:0"},
	    {SOA_IS(6), .want = "transfer:0"}, {TRANSFERRED(6), .want = "publish"},
	    {EV(HELD), .want = ""}, {.advance = 604800 * S, EV(TIMER), .want = "expire query:0"},
	    {SOA_IS(6), .want = ""});
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

static void a_retransfer_takes_the_whole_zone(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(5), .want = "store"}, {EV(RETRANSFER), .want = "transfer!:0"},
	    {TRANSFERRED(5), .want = "publish"}, {EV(LIVE), .want = "store"},
	    {.advance = 60 * S, NOTIFY_SERIAL(0, 6), .want = "ixfr:0"});
}

static void a_primary_that_is_gone_is_not_asked_for_the_whole_zone_either(void **state)
{
	SCENARIO(&policy_known, {START_FROM(11, 5), .want = "store query:0"},
	    {SOA_IS(6), .want = "ixfr:0"}, {EV(TRANSFER_FAILED), .want = "query:1"},
	    {SOA_IS(6), .want = "ixfr:1"});
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

static void without_primaries_a_copy_is_served_until_it_expires(void **state)
{
	SCENARIO(&policy_none, {START_COPY(5), .want = "store"}, {NOTIFY_SERIAL(0, 9), .want = ""},
	    {EV(REFRESH), .want = ""}, {.to_timer = true, EV(TIMER), .want = "expire"});
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(serial_arithmetic_follows_rfc_1982),
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
	    cmocka_unit_test(without_a_copy_the_transfer_is_the_first_question),
	    cmocka_unit_test(primaries_are_tried_in_order_and_a_round_ends_with_the_last),
	    cmocka_unit_test(a_dead_primary_hands_over_to_the_next),
	    cmocka_unit_test(a_rejected_version_leads_to_the_next_primary_and_changes_nothing),
	    cmocka_unit_test(a_version_is_waited_for_as_long_as_it_is_worked_on),
	    cmocka_unit_test(an_older_serial_is_reported_and_confirms_nothing),
	    cmocka_unit_test(half_the_serial_space_away_is_neither_newer_nor_a_reason_to_transfer),
	    cmocka_unit_test(a_serial_that_wraps_is_newer),
	    cmocka_unit_test(the_serial_that_arrives_counts_not_the_one_announced),
	    cmocka_unit_test(a_notify_with_a_newer_serial_transfers_from_its_sender_at_once),
	    cmocka_unit_test(a_notify_without_serial_asks_its_sender_first),
	    cmocka_unit_test(a_notify_for_what_we_have_asks_nobody_one_for_less_is_looked_into),
	    cmocka_unit_test(an_expired_zone_takes_an_older_serial_when_nobody_has_better),
	    cmocka_unit_test(a_notify_does_not_wait_for_a_refresh_that_still_asks),
	    cmocka_unit_test(a_flood_of_notifies_during_a_round_is_one_more_round),
	    cmocka_unit_test(a_notify_that_came_true_meanwhile_is_forgotten),
	    cmocka_unit_test(a_notify_ahead_of_every_primary_asks_all_and_confirms),
	    cmocka_unit_test(a_notifier_ahead_for_ever_is_asked_less_and_less),
	    cmocka_unit_test(a_refresh_order_asks_now_and_a_retransfer_takes_any_serial),
	    cmocka_unit_test(an_order_during_a_round_waits_for_its_end),
	    cmocka_unit_test(a_strict_zone_expires_on_time_and_lives_again_without_a_transfer),
	    cmocka_unit_test(grace_serves_longer_than_strict_by_exactly_the_grace),
	    cmocka_unit_test(a_restart_remembers_the_age_of_the_copy),
	    cmocka_unit_test(a_restart_with_a_clock_before_the_last_refresh_keeps_serving),
	    cmocka_unit_test(a_wall_clock_that_jumps_changes_nothing_but_what_is_stored),
	    cmocka_unit_test(an_answer_to_an_old_question_is_ignored),
	    cmocka_unit_test(
	        a_publication_without_answer_is_given_up_and_a_late_answer_still_counts),
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
	    cmocka_unit_test(a_held_version_is_neither_fetched_again_nor_a_confirmation),
	    cmocka_unit_test(a_held_version_does_not_keep_the_copy_from_expiring),
	    cmocka_unit_test(a_held_version_that_is_accepted_is_the_version_served),
	    cmocka_unit_test(what_is_accepted_after_a_rollback_is_the_version_served),
	    cmocka_unit_test(a_pinned_zone_asks_and_takes_nothing),
	    cmocka_unit_test(a_pin_stops_a_transfer),
	    cmocka_unit_test(a_pin_stops_the_search_for_agreement),
	    cmocka_unit_test(the_end_of_a_pin_is_stored_with_what_was_missed),
	    cmocka_unit_test(what_was_held_and_is_refused_is_asked_for_again),
	    cmocka_unit_test(a_pinned_zone_expires_only_when_nobody_can_be_asked),
	    cmocka_unit_test(the_lag_of_a_pinned_zone_is_since_it_was_first_seen),
	    cmocka_unit_test(what_an_operator_puts_in_place_is_what_we_have),
	    cmocka_unit_test(what_is_held_since_before_a_restart_is_known),
	    cmocka_unit_test(a_retransfer_takes_the_whole_zone),
	    cmocka_unit_test(a_primary_that_is_gone_is_not_asked_for_the_whole_zone_either),
	    cmocka_unit_test(a_configuration_with_other_primaries_forgets_whose_version_it_is),
	    cmocka_unit_test(without_primaries_a_copy_is_served_until_it_expires),
	    cmocka_unit_test(a_new_configuration_asks_again_and_reckons_the_expiry_anew),
	    cmocka_unit_test(timers_of_the_soa_are_clamped),
	    cmocka_unit_test(without_a_copy_retries_back_off_to_ten_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
