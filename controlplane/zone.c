// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine (see zone.h): what each event does to it, and its deadlines.
// Everything here is arithmetic on the event and the time handed in. Called by engine.c on the
// event loop's thread, and by tests on any.
#include "zone.h"

#include <stddef.h>
#include <string.h>

#include "serial.h"
#include "zone_agree.h"
#include "zone_expiry.h"
#include "zone_interval.h"
#include "zone_pin.h"
#include "zone_round.h"
#include "zone_step.h"

static bool soa_wanted(const struct zone *zone, uint32_t serial)
{
	return !zone->has_copy || zone->round_any_serial || serial_newer(serial, zone->soa.serial);
}

static void on_soa(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	const uint32_t serial = event->soa.serial;

	if (zone->agreeing) {
		agree_heard(zone, serial);
		step_agree(zone, now, actions);
	} else if (zone->pinned && serial_newer(serial, zone->soa.serial)) {
		round_note_news(zone, serial, now, actions);
	} else if (zone->pinned) {
		round_not_newer(zone, serial, now, actions);
	} else if (!soa_wanted(zone, serial) && !(zone->has_held && serial == zone->held_serial)) {
		round_not_newer(zone, serial, now, actions);
	} else if (!step_may_take(zone, serial, now, actions)) {
		round_go_on(zone, now, actions);
	} else if (zone->has_held && serial == zone->held_serial && !zone->held_short) {
		round_go_on(zone, now, actions); // known, and nothing we may serve
	} else {
		step_take(zone, serial, now, actions);
	}
}

static void on_soa_failed(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->agreeing) {
		step_agree(zone, now, actions);
		return;
	}
	pin_unheard(zone, round_primary(zone));
	round_go_on(zone, now, actions);
}

static void on_transferred(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	if (zone->has_copy && !zone->round_any_serial &&
	    !serial_newer(event->soa.serial, zone->soa.serial)) {
		action_add(actions, ZONE_ACTION_DISCARD);
		round_not_newer(zone, event->soa.serial, now, actions);
		return;
	}
	// A version handed out long ago may have gone live since this was asked for.
	if (!step_may_take(zone, event->soa.serial, now, actions)) {
		action_add(actions, ZONE_ACTION_DISCARD);
		round_go_on(zone, now, actions);
		return;
	}
	if (event->incremental && zone->origin != zone_way_origin(zone, round_primary(zone))) {
		action_add(actions, ZONE_ACTION_DISCARD);
		step_fall_back(zone, false, now, actions);
		return;
	}
	zone->has_held = zone->held_short = false; // this one takes its place
	zone->phase = ZONE_PUBLISHING;
	zone->pending = event->soa;
	zone->pending_origin = zone_way_origin(zone, round_primary(zone));
	zone->step_incremental = event->incremental;
	zone->publish_ms = now.mono_ms + STEP_PUBLISH_WAIT_MS;
	zone->publish_token = action_token(zone);
	struct zone_action *action = action_add(actions, ZONE_ACTION_PUBLISH);

	action->token = zone->publish_token;
	action->origin = zone->pending_origin;
	if (agree_wanted(zone)) {
		action->lacks_agreement = !agree_has(zone, event->soa.serial);
		action->agreed = agree_count(zone, event->soa.serial);
	}
}

static void on_transfer_failed(struct zone *zone, const struct zone_event *event,
    struct zone_now now, struct zone_actions *actions)
{
	if (zone->step_incremental && event->heard && !event->no_room) {
		step_fall_back(zone, event->refused, now, actions);
		return;
	}
	if (event->no_room) { // the whole zone would take more than its difference
		round_no_room(zone, &event->soa);
	}
	pin_unheard(zone, round_primary(zone));
	zone->round_transfer_failed = true;
	round_go_on(zone, now, actions);
}

static void on_rejected(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	if (event->no_room) {
		round_no_room(zone, &zone->pending);
	} else if (zone->step_incremental && !zone->round_orphaned && !zone->pinned) {
		step_fall_back(zone, false, now, actions);
		return;
	}
	zone->has_held = zone->held_short = false; // if that was it, it is gone
	zone->round_transfer_failed = true;
	round_go_on(zone, now, actions);
}

// A person, or the agreement of primaries, put in force what was held, and it was refused: who has
// its serial is asked for it again.
static void on_held_refused(struct zone *zone)
{
	zone->has_held = zone->held_short = false;
	zone->publish_token = 0;
}

// Also when it comes after it was given up: what is served is what counts.
static void on_live(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	bool late = zone->phase != ZONE_PUBLISHING;

	zone->publish_token = 0;
	zone->soa = zone->pending;
	zone->has_held = zone->held_short = false;
	zone->timers.behind_ms = 0;
	zone->lead_ms = ZONE_NEVER;
	if (!zone->has_copy || zone->origin != zone->pending_origin) {
		zone->timers.origin_ms = now.wall_ms;
	}
	zone->has_copy = true;
	zone->whole = false;
	if (zone->origin != zone->pending_origin) {
		zone->origin = zone->pending_origin;
		zone->delta_after_ms = INT64_MIN; // that was about another primary
		zone->delta_failures = 0;
	}
	zone->failures = 0;
	zone->room_failures = 0;
	zone->wants_room = false;
	zone->has_regressed = false;
	// What is published is served: the publication half lifts the expiry with the new version.
	zone->stale = zone->expired = false;
	if (late) {
		expiry_renew(zone, now, actions);
		return;
	}
	if (zone->step_incremental) {
		zone->delta_failures = 0;
	}
	zone->phase = ZONE_IDLE;
	round_space(zone, true, now);
	expiry_renew(zone, now, actions);
	zone->next_ms = now.mono_ms + interval_jittered(zone, interval_refresh_ms(zone));
}

static void on_start(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	zone->started = true;
	zone->has_copy = event->has_copy;
	zone->whole = event->whole;
	zone->next_ms = now.mono_ms; // NOTIFYs sent while we were away are lost: ask at once
	if (!zone->has_copy) {
		return;
	}
	zone->soa = event->soa;
	zone->origin = event->origin;
	zone->pinned = event->pinned;
	// Why it was held is not known any more; with agreement it is fetched again and asked
	// about.
	zone->has_held = event->has_held && !agree_wanted(zone);
	zone->held_serial = event->held_serial;
	int64_t lifetime = expiry_lifetime_ms(zone);
	int64_t left = lifetime; // age unknown: counted from now

	if (event->has_timers) {
		zone->timers = event->timers;
		pin_start(zone, now);
		// A clock that stands before the last refresh is wrong; the copy's age is unknown
		// then, and serving on is the lesser harm. Beyond a whole lifetime nothing can be
		// left.
		bool clock_wrong = now.wall_ms < event->timers.refreshed_ms;
		int64_t stored = event->timers.expires_ms - now.wall_ms;

		left = clock_wrong || stored > lifetime ? lifetime : stored;
	} else {
		zone->timers.refreshed_ms = now.wall_ms;
		zone->timers.expires_ms = now.wall_ms + lifetime;
		zone->timers.origin_ms = now.wall_ms;
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	zone->expire_ms = now.mono_ms + (left > 0 ? left : 0);
}

static void on_notify(struct zone *zone, const struct zone_event *event)
{
	bool newer =
	    !zone->notified || !event->has_serial ||
	    (zone->notified_has_serial && serial_newer(event->soa.serial, zone->notified_serial));

	if (!newer) {
		return;
	}
	zone->notified = true;
	zone->notified_has_serial = event->has_serial;
	zone->notified_serial = event->soa.serial;
	zone->notified_primary =
	    (uint8_t)(event->primary < zone->policy->primary_count ? event->primary : 0);
}

// The copy lives longer or shorter than it did, from the same day on.
static void lifetime_follow(
    struct zone *zone, int64_t old_lifetime, struct zone_now now, struct zone_actions *actions)
{
	if (zone->has_copy && expiry_lifetime_ms(zone) != old_lifetime) {
		int64_t change = expiry_lifetime_ms(zone) - old_lifetime;

		zone->expire_ms += change;
		zone->timers.expires_ms += change;
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	// The grace may have come, gone or changed, and with it what an expired copy is.
	if (zone->stale && now.mono_ms < zone->expire_ms) {
		bool fresh = now.mono_ms < zone->expire_ms - expiry_grace_ms(zone);

		if (zone->expired || fresh) {
			action_add(actions, ZONE_ACTION_REVIVE);
		}
		zone->stale = !fresh && !zone->expired;
		zone->expired = false;
	}
}

static void on_config(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	bool under_way = zone->phase == ZONE_QUERYING || zone->phase == ZONE_TRANSFERRING;
	int64_t old_lifetime = zone->has_copy ? expiry_lifetime_ms(zone) : 0;

	zone->policy = event->policy;
	zone->notified_primary = 0;
	zone->has_regressed = zone->round_older =
	    false; // other primaries may bear these numbers now
	if (under_way) {
		// The primaries may be others now; whatever was asked is asked again.
		action_add(actions, ZONE_ACTION_ABORT);
		action_token(zone);
		zone->phase = ZONE_IDLE;
	}
	if (zone->phase == ZONE_IDLE) {
		zone->next_ms = now.mono_ms;
	}
	zone->round_orphaned = zone->phase == ZONE_PUBLISHING;
	if (zone->policy->pin_tolerance_s == 0 && pin_forget(zone)) {
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	lifetime_follow(zone, old_lifetime, now, actions);
}

static void on_pin(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	if (zone->pinned && !event->pinned) {
		zone->ordered = true; // what was missed is fetched at once
		if (zone->timers.behind_ms != 0 && zone->lead_ms == ZONE_NEVER) {
			zone->timers.behind_ms = 0;
			action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
		}
	}
	// A zone without a version has none to stay with.
	zone->pinned = event->pinned && zone->has_copy;
	if (zone->pinned && (zone->phase == ZONE_TRANSFERRING ||
	                        (zone->phase == ZONE_QUERYING && zone->agreeing))) {
		round_drop(zone, now, actions);
	}
}

static void on_replaced(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	round_drop(zone, now, actions);
	if (zone->origin != event->origin) {
		zone->delta_after_ms = INT64_MIN; // that was about another primary
		zone->delta_failures = 0;
	}
	if (!zone->has_copy || zone->origin != event->origin) {
		zone->timers.origin_ms = now.wall_ms;
	}
	(void)pin_forget(zone);
	zone->soa = event->soa;
	zone->origin = event->origin;
	zone->has_held = zone->has_held && zone->held_serial != event->soa.serial;
	zone->has_copy = true;
	zone->whole = false;
	zone->has_regressed = false;
	zone->failures = 0;
	// As with any version that goes live.
	zone->stale = zone->expired = false;
	expiry_renew(zone, now, actions);
}

// What is left is as old as what was lost: a primary was heard of last at the same time. A version
// that is being published goes on; a transfer may be a difference to what is gone.
static void on_lost(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	const int64_t old_lifetime = expiry_lifetime_ms(zone);

	if (zone->phase != ZONE_PUBLISHING) {
		if (zone->phase != ZONE_IDLE) {
			action_add(actions, ZONE_ACTION_ABORT);
			action_token(zone);
		}
		zone->phase = ZONE_IDLE;
		zone->next_ms = now.mono_ms;
	}
	zone->whole = true;
	zone->has_copy = event->has_copy;
	zone->soa = event->soa;
	zone->origin = event->origin;
	zone->has_regressed = false;
	if (!zone->has_copy) {
		zone->stale = zone->expired = zone->pinned = false;
	}
	lifetime_follow(zone, old_lifetime, now, actions);
}

// Deadlines that have passed, whatever the event was.
static void deadlines(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->phase == ZONE_PUBLISHING && now.mono_ms >= zone->publish_ms) {
		action_token(zone);
		zone->round_transfer_failed = true;
		if (zone->round_orphaned) {
			round_abandoned(zone, now);
		} else {
			round_failed(zone, now);
		}
	}
	if (zone->has_copy && !zone->stale &&
	    now.mono_ms >= zone->expire_ms - expiry_grace_ms(zone)) {
		zone->stale = true;
		if (now.mono_ms < zone->expire_ms) {
			action_add(actions, ZONE_ACTION_STALE);
		}
	}
	if (zone->has_copy && !zone->expired && now.mono_ms >= zone->expire_ms) {
		zone->expired = true;
		action_add(actions, ZONE_ACTION_EXPIRE);
	}
	expiry_follow_wall(zone, now, actions);
	round_take_up(zone, now, actions);
	if (zone->phase == ZONE_IDLE && now.mono_ms >= zone->next_ms) {
		round_timer(zone, now, actions);
	}
}

static void timer_set(struct zone *zone)
{
	int64_t at = ZONE_NEVER;

	if (zone->has_copy && !zone->stale) {
		at = zone->expire_ms - expiry_grace_ms(zone);
	} else if (zone->has_copy && !zone->expired) {
		at = zone->expire_ms;
	}
	if (zone->phase == ZONE_PUBLISHING && zone->publish_ms < at) {
		at = zone->publish_ms;
	}
	if (zone->phase == ZONE_IDLE && zone->next_ms < at) {
		at = zone->next_ms;
	}
	if (zone->notified && (zone->phase == ZONE_IDLE || round_may_yield(zone)) &&
	    zone->notify_after_ms < at) {
		at = zone->notify_after_ms;
	}
	zone->timer_ms = at;
}

void zone_init(struct zone *zone, const struct zone_policy *policy, uint32_t seed)
{
	memset(zone, 0, sizeof(*zone));
	zone->policy = policy;
	zone->random = seed != 0 ? seed : 1; // zero is the generator's only fixed point
	zone->notify_spacing_ms = policy->notify_min_ms;
	zone->notify_after_ms = INT64_MIN;
	zone->delta_after_ms = INT64_MIN;
	zone->lead_ms = ZONE_NEVER;
	zone->next_ms = ZONE_NEVER;
	zone->timer_ms = ZONE_NEVER;
}

void zone_handle(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	bool current = event->token == zone->token;

	actions->count = 0;
	switch (event->kind) {
	case ZONE_EVENT_START:
		if (!zone->started) {
			on_start(zone, event, now, actions);
		}
		break;
	case ZONE_EVENT_TIMER:
		break;
	case ZONE_EVENT_SOA:
		if (current && zone->phase == ZONE_QUERYING) {
			on_soa(zone, event, now, actions);
		}
		break;
	case ZONE_EVENT_SOA_FAILED:
		if (current && zone->phase == ZONE_QUERYING) {
			on_soa_failed(zone, now, actions);
		}
		break;
	case ZONE_EVENT_TRANSFERRED:
		if (current && zone->phase == ZONE_TRANSFERRING) {
			on_transferred(zone, event, now, actions);
		} else {
			action_add(actions, ZONE_ACTION_DISCARD);
		}
		break;
	case ZONE_EVENT_TRANSFER_STALE:
		if (current && zone->phase == ZONE_TRANSFERRING) {
			round_not_newer(zone, event->soa.serial, now, actions);
		}
		break;
	case ZONE_EVENT_TRANSFER_FAILED:
		if (current && zone->phase == ZONE_TRANSFERRING) {
			on_transfer_failed(zone, event, now, actions);
		}
		break;
	case ZONE_EVENT_LIVE:
		if (zone->publish_token != 0 && event->token == zone->publish_token) {
			on_live(zone, now, actions);
		}
		break;
	case ZONE_EVENT_REJECTED:
		if (current && zone->phase == ZONE_PUBLISHING) {
			on_rejected(zone, event, now, actions);
		} else if (zone->has_held && event->token == zone->publish_token) {
			on_held_refused(zone);
		}
		break;
	case ZONE_EVENT_WORKING:
		if (current && zone->phase == ZONE_PUBLISHING) {
			zone->publish_ms = now.mono_ms + STEP_PUBLISH_WAIT_MS;
		}
		break;
	case ZONE_EVENT_HELD:
		if (current && zone->phase == ZONE_PUBLISHING) {
			zone->has_held = true;
			zone->held_short = event->lacks_agreement;
			zone->held_serial = zone->pending.serial;
			round_go_on(zone, now, actions);
		}
		break;
	case ZONE_EVENT_NOTIFY:
		on_notify(zone, event);
		break;
	case ZONE_EVENT_REFRESH:
	case ZONE_EVENT_RETRANSFER:
		zone->ordered = true;
		zone->ordered_any_serial |= event->kind == ZONE_EVENT_RETRANSFER;
		break;
	case ZONE_EVENT_CONFIG:
		on_config(zone, event, now, actions);
		break;
	case ZONE_EVENT_PIN:
		on_pin(zone, event, now, actions);
		break;
	case ZONE_EVENT_REPLACED:
		on_replaced(zone, event, now, actions);
		break;
	case ZONE_EVENT_ROOM:
		round_room(zone, now);
		break;
	case ZONE_EVENT_LOST:
		on_lost(zone, event, now, actions);
		break;
	}
	if (zone->started) {
		deadlines(zone, now, actions);
	}
	timer_set(zone);
}
