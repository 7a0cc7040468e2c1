// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rounds (see zone_round.h). Arithmetic on the zone, as in zone.c. Rules worth knowing:
// - Without a copy, and after a NOTIFY with a newer serial, the transfer itself is the question:
//   its first record is the SOA, so a round trip is saved and nothing is lost when it is old.
// - A primary with an older serial confirms nothing (it may be the broken one): the next is asked.
//   Once our copy has expired there is nothing left to protect: if no primary has it or a newer
//   one, the older one is taken, as BIND, Knot and NSD do.
// - A NOTIFY ends a round of the timer that is still asking (a dead primary may hold it up for
//   long); otherwise it is remembered and looked at when the round is over. NOTIFYs that keep
//   bringing nothing new are spaced further and further apart, so that a primary that is "ahead for
//   ever" costs little.
// - With several primaries, whose version is taken is said in zone_pin.h, and how many must have it
//   in zone_agree.h.
#include "zone_round.h"

#include "serial.h"
#include "zone_expiry.h"
#include "zone_interval.h"
#include "zone_pin.h"
#include "zone_step.h"

// First retry without any copy; doubles up to the maximum (a primary that starts after us is found
// soon, one that is gone for a week is not bothered).
#define BOOTSTRAP_MS     1000
#define BOOTSTRAP_MAX_MS 600000
// From a refusal for want of memory to when it is asked for again because there is some; doubles.
#define ROOM_MS     1000
#define ROOM_MAX_MS 600000

// The primary of this step of the round.
unsigned round_primary(const struct zone *zone)
{
	if (zone->round_last) {
		return zone->round_older_primary;
	}
	return pin_round_way(zone, zone->round_step);
}

enum zone_urgency round_urgency(const struct zone *zone, struct zone_now now)
{
	if (zone->round_urgency == ZONE_URGENCY_NOTIFY) {
		return ZONE_URGENCY_NOTIFY;
	}
	if (!zone->has_copy || zone->expired ||
	    zone->expire_ms - now.mono_ms < expiry_lifetime_ms(zone) / 2) {
		return ZONE_URGENCY_EXPIRING;
	}
	return ZONE_URGENCY_REFRESH;
}

static void round_begin(struct zone *zone, unsigned first, enum zone_urgency urgency,
    struct zone_now now, struct zone_actions *actions)
{
	first = first < zone->policy->primary_count ? first : 0;
	zone->round_first = (uint8_t)pin_round_begin(zone, first);
	zone->round_direct = zone->round_first == first;
	zone->round_step = 0;
	zone->round_urgency = (uint8_t)urgency;
	zone->round_confirmed = false;
	zone->round_transfer_failed = false;
	zone->round_no_room = false;
	zone->wants_room = false;
	zone->round_older = false;
	zone->round_last = false;
	zone->round_orphaned = false;
	zone->next_ms = ZONE_NEVER;
	step_begin(zone, now, actions);
}

void round_timer(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	zone->round_any_serial = false;
	zone->round_hinted = false;
	if (zone->policy->primary_count == 0) {
		zone->next_ms = ZONE_NEVER;
		return;
	}
	round_begin(zone, 0, ZONE_URGENCY_REFRESH, now, actions);
}

static void round_ordered(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	zone->round_any_serial = zone->ordered_any_serial;
	zone->round_hinted = false;
	zone->ordered = zone->ordered_any_serial = false;
	round_begin(zone, 0, ZONE_URGENCY_NOTIFY, now, actions);
}

// True when the remembered NOTIFY may still bring something: a version, or the report that a
// primary went backwards.
static bool notify_useful(const struct zone *zone)
{
	return zone->notified && zone->policy->primary_count > 0 &&
	       (!zone->has_copy || zone->expired || !zone->notified_has_serial ||
	           (zone->notified_serial != zone->soa.serial &&
	               (!zone->has_held || zone->held_short ||
	                   zone->notified_serial != zone->held_serial)));
}

// A round that a NOTIFY may end: it asks, and nobody told it to.
bool round_may_yield(const struct zone *zone)
{
	return zone->phase == ZONE_QUERYING && zone->round_urgency != ZONE_URGENCY_NOTIFY;
}

static void round_notified(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	zone->round_any_serial = false;
	zone->round_hinted = zone->notified_has_serial && zone->has_copy &&
	                     serial_newer(zone->notified_serial, zone->soa.serial);
	zone->notified = false;
	round_begin(zone, zone->notified_primary, ZONE_URGENCY_NOTIFY, now, actions);
}

// What waits is taken up as soon as nothing is under way.
void round_take_up(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	bool yields = round_may_yield(zone);

	if (zone->phase != ZONE_IDLE && !yields) {
		return;
	}
	if (zone->ordered && !yields && zone->policy->primary_count > 0) {
		round_ordered(zone, now, actions);
		return;
	}
	zone->ordered = zone->ordered && yields; // nobody is there to be asked
	if (zone->notified && !notify_useful(zone)) {
		zone->notified = false;
	}
	if (zone->notified && now.mono_ms >= zone->notify_after_ms) {
		if (yields) {
			action_add(actions, ZONE_ACTION_ABORT);
		}
		round_notified(zone, now, actions);
	}
}

void round_space(struct zone *zone, bool news, struct zone_now now)
{
	if (news) {
		zone->notify_spacing_ms = 0;
	} else if (zone->round_urgency == ZONE_URGENCY_NOTIFY) {
		zone->notify_spacing_ms *= 2;
	}
	zone->notify_spacing_ms = (uint32_t)interval_clamp(
	    zone->notify_spacing_ms, zone->policy->notify_min_ms, zone->policy->notify_max_ms);
	zone->notify_after_ms = now.mono_ms + zone->notify_spacing_ms;
}

// The next round by the timer: `ms` from now, or when a primary that is ahead may be followed.
static void round_next_in(struct zone *zone, int64_t ms, struct zone_now now)
{
	const int64_t due = pin_due_ms(zone, now);

	zone->next_ms = now.mono_ms + interval_jittered(zone, ms);
	zone->next_ms = due < zone->next_ms ? due : zone->next_ms;
}

void round_no_room(struct zone *zone, const struct zone_soa *soa)
{
	zone->round_no_room = true;
	zone->room_retry_s = soa->retry_s;
}

void round_room(struct zone *zone, struct zone_now now)
{
	if (zone->wants_room && zone->phase == ZONE_IDLE && now.mono_ms >= zone->room_after_ms) {
		zone->wants_room = false;
		zone->next_ms = now.mono_ms;
	}
}

static void round_room_want(struct zone *zone, struct zone_now now)
{
	if (!zone->round_no_room) {
		return;
	}
	zone->wants_room = true;
	zone->room_after_ms =
	    now.mono_ms + interval_doubled_ms(ROOM_MS, zone->room_failures, ROOM_MAX_MS);
	if (zone->room_failures < UINT32_MAX) {
		zone->room_failures++;
	}
}

static void round_count_failure(struct zone *zone)
{
	if (zone->failures < UINT32_MAX) {
		zone->failures++;
	}
}

// A primary has the version we have: the copy is fresh again. Another that has more may have
// failed to hand it over: that is no success.
static void round_confirmed(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t wait = interval_refresh_ms(zone);

	zone->phase = ZONE_IDLE;
	zone->has_regressed = zone->has_regressed && zone->round_older;
	round_space(zone, false, now);
	expiry_renew(zone, now, actions);
	if (zone->round_transfer_failed) {
		round_count_failure(zone);
		round_room_want(zone, now);
		wait = interval_broken_ms(zone);
	} else {
		zone->failures = 0;
		// A NOTIFY promised more than any primary has: look again sooner than usual.
		if (zone->round_hinted && interval_retry_ms(zone) < wait) {
			wait = interval_retry_ms(zone);
		}
	}
	round_next_in(zone, wait, now);
}

void round_failed(struct zone *zone, struct zone_now now)
{
	int64_t wait = interval_retry_ms(zone);

	zone->phase = ZONE_IDLE;
	round_count_failure(zone);
	round_space(zone, false, now);
	round_room_want(zone, now);
	if (!zone->has_copy && zone->round_no_room) { // it came, and costs both sides
		wait = interval_room_ms(zone, BOOTSTRAP_MAX_MS);
	} else if (!zone->has_copy) {
		wait = interval_doubled_ms(BOOTSTRAP_MS, zone->failures - 1, BOOTSTRAP_MAX_MS);
	} else if (zone->round_transfer_failed) {
		wait = interval_broken_ms(zone);
	}
	round_next_in(zone, wait, now);
}

// The configuration changed while a version was being published: this round's primaries may be
// others now. What is left of it is asked in a new one, at once.
void round_abandoned(struct zone *zone, struct zone_now now)
{
	zone->phase = ZONE_IDLE;
	zone->next_ms = now.mono_ms;
}

void round_go_on(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->round_orphaned) {
		round_abandoned(zone, now);
		return;
	}
	if (!zone->round_last && zone->round_step + 1U < zone->policy->primary_count) {
		zone->round_step++;
		step_begin(zone, now, actions);
		return;
	}
	if (pin_round_end(zone)) {
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	if (zone->round_confirmed) {
		round_confirmed(zone, now, actions);
	} else if (!zone->round_last && zone->round_older && zone->expired && !zone->pinned) {
		zone->round_last = true;
		zone->round_any_serial = true;
		zone->step_whole = false;
		step_take(zone, zone->round_older_serial, now, actions);
	} else {
		round_failed(zone, now);
	}
}

// A primary's serial is known and does not lead to a transfer.
void round_not_newer(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (serial == zone->soa.serial) {
		if (zone->lead_ms == ZONE_NEVER) {
			zone->timers.behind_ms = 0;
		}
		zone->round_confirmed = true;
		if (!zone->round_hinted && !pin_round_asks_all(zone)) {
			round_confirmed(zone, now, actions);
			return;
		}
	} else {
		struct zone_action *action = action_add(actions, ZONE_ACTION_REGRESSED);

		action->primary = round_primary(zone);
		action->serial = serial;
		zone->has_regressed = true;
		zone->regressed_primary = (uint8_t)action->primary;
		zone->regressed_serial = serial;
		if (!zone->round_older) {
			zone->round_older = true;
			zone->round_older_serial = serial;
			zone->round_older_primary = zone->regressed_primary;
		}
	}
	round_go_on(zone, now, actions);
}

// A primary has news for a pinned zone. It was there and could be asked: by RFC 1034 4.3.5 that is
// what keeps a copy from expiring.
void round_note_news(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (zone->timers.behind_ms == 0) {
		zone->timers.behind_ms = now.wall_ms;
	}
	zone->timers.behind_serial = serial;
	zone->round_hinted = false;
	round_confirmed(zone, now, actions);
}

// What is under way was for another state of things: its answer will be ignored.
void round_drop(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->phase == ZONE_QUERYING || zone->phase == ZONE_TRANSFERRING) {
		action_add(actions, ZONE_ACTION_ABORT);
	}
	action_token(zone);
	if (!zone->has_held) { // a person may accept that yet: it goes live with its token then
		zone->publish_token = 0;
	}
	zone->phase = ZONE_IDLE;
	zone->next_ms = now.mono_ms;
}
