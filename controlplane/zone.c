// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The secondary zone's state machine (see zone.h). Everything here is arithmetic on the event and
// the time handed in. Called by engine.c on the event loop's thread, and by tests on any.
//
// A *round* is one pass over the primaries in order, begun by the timer, a NOTIFY or an operator.
// It ends with the first primary that has something newer which goes live; when a primary has what
// we have; or when all were tried. Rules worth knowing:
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
#include "zone.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "serial.h"
#include "zone_agree.h"
#include "zone_pin.h"

// First retry without any copy; doubles up to the maximum (a primary that starts after us is found
// soon, one that is gone for a week is not bothered).
#define BOOTSTRAP_MS     1000
#define BOOTSTRAP_MAX_MS 600000

// A primary that does not do IXFR is asked again after so long: it may have been upgraded.
#define DELTA_REFUSED_MS 3600000
// One whose difference did not fit: the whole zone has mended that, but when it happens again and
// again the attempt only costs. Doubles up to the hour.
#define DELTA_FAILED_MS 60000

// The wall clock against the monotonic one: less is drift, corrected with the next refresh.
#define WALL_SET_MS 2000

// A version that was handed out and never answered for is given up after so long. Compiling ten
// million records takes seconds; a minute means that the other side is in trouble.
#define PUBLISH_WAIT_MS 120000

static uint32_t zone_random(struct zone *zone)
{
	// xorshift32 (Marsaglia): only spreads load, nothing secret depends on it.
	uint32_t x = zone->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	zone->random = x;
	return x;
}

static int64_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
	uint32_t clamped = value < min ? min : value;

	return clamped > max && max >= min ? max : clamped;
}

static int64_t jittered(struct zone *zone, int64_t ms)
{
	return ms - ms * (zone_random(zone) % 1024) * zone->policy->jitter / 102400;
}

static int64_t refresh_ms(const struct zone *zone)
{
	return 1000 *
	       clamp(zone->soa.refresh_s, zone->policy->refresh_min_s, zone->policy->refresh_max_s);
}

static int64_t retry_ms(const struct zone *zone)
{
	return 1000 *
	       clamp(zone->soa.retry_s, zone->policy->retry_min_s, zone->policy->retry_max_s);
}

// The SOA's expire, but never shorter than one refresh and one retry: otherwise the zone would
// expire between two successful refreshes (RFC 1912 2.2; BIND does the same).
static int64_t expire_ms(const struct zone *zone)
{
	int64_t least = refresh_ms(zone) + retry_ms(zone);
	int64_t asked = 1000 * (int64_t)zone->soa.expire_s;

	return asked > least ? asked : least;
}

static int64_t grace_ms(const struct zone *zone)
{
	return zone->policy->expire_grace ? 1000 * (int64_t)zone->policy->grace_s : 0;
}

static int64_t lifetime_ms(const struct zone *zone)
{
	return expire_ms(zone) + grace_ms(zone);
}

static int64_t doubled_ms(int64_t base, uint32_t times, int64_t max)
{
	int64_t value = base;

	while (times-- > 0 && value < max) {
		value *= 2;
	}
	return value > max ? max : value;
}

// Zero is never a token, so that "none" can be said.
static uint32_t token_next(struct zone *zone)
{
	zone->token = zone->token == UINT32_MAX ? 1 : zone->token + 1;
	return zone->token;
}

static struct zone_action *action_add(struct zone_actions *actions, enum zone_action_kind kind)
{
	assert(actions->count < ZONE_ACTIONS_MAX);
	struct zone_action *action = &actions->items[actions->count++];

	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

// The primary of this step of the round.
static unsigned round_primary(const struct zone *zone)
{
	if (zone->round_last) {
		return zone->round_older_primary;
	}
	return pin_round_way(zone, zone->round_step);
}

static enum zone_urgency round_urgency(const struct zone *zone, struct zone_now now)
{
	if (zone->round_urgency == ZONE_URGENCY_NOTIFY) {
		return ZONE_URGENCY_NOTIFY;
	}
	if (!zone->has_copy || zone->expired ||
	    zone->expire_ms - now.mono_ms < lifetime_ms(zone) / 2) {
		return ZONE_URGENCY_EXPIRING;
	}
	return ZONE_URGENCY_REFRESH;
}

// A difference is asked for only where our version came from: another primary may have other data
// under the same serial.
static bool step_may_be_incremental(const struct zone *zone, struct zone_now now)
{
	return zone->has_copy && !zone->round_any_serial && !zone->step_whole &&
	       zone->origin != 0 && zone->origin == zone_way_origin(zone, round_primary(zone)) &&
	       now.mono_ms >= zone->delta_after_ms;
}

static void step_transfer(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	struct zone_action *action = action_add(actions, ZONE_ACTION_TRANSFER);

	zone->phase = ZONE_TRANSFERRING;
	zone->step_incremental = step_may_be_incremental(zone, now);
	action->incremental = zone->step_incremental;
	action->fallback = zone->step_whole;
	action->token = token_next(zone);
	action->primary = round_primary(zone);
	action->urgency = round_urgency(zone, now);
	action->any_serial = zone->round_any_serial || !zone->has_copy;
	action->serial = zone->soa.serial;
}

// The difference failed: the same primary is asked for the whole zone.
static void step_fall_back(
    struct zone *zone, bool refused, struct zone_now now, struct zone_actions *actions)
{
	int64_t wait = DELTA_REFUSED_MS;

	if (!refused) {
		wait = doubled_ms(DELTA_FAILED_MS, zone->delta_failures, DELTA_REFUSED_MS);
	}
	if (zone->delta_failures < UINT32_MAX) {
		zone->delta_failures++;
	}
	zone->delta_after_ms = now.mono_ms + wait;
	zone->step_whole = true;
	step_transfer(zone, now, actions);
}

// A zone without a version has none to stay with.
static bool zone_takes_nothing(const struct zone *zone)
{
	return zone->pinned && zone->has_copy;
}

static void step_query(
    struct zone *zone, unsigned primary, struct zone_now now, struct zone_actions *actions)
{
	struct zone_action *action = action_add(actions, ZONE_ACTION_QUERY);

	zone->phase = ZONE_QUERYING;
	action->token = token_next(zone);
	action->primary = primary;
	action->urgency = round_urgency(zone, now);
	action->serial = zone->soa.serial;
}

static void step_begin(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	const bool direct = zone->round_hinted && zone->round_direct && zone->round_step == 0;

	zone->step_whole = false;
	zone->agreeing = false;
	// Who is to be agreed with is asked before anything is fetched.
	if (!zone_takes_nothing(zone) && !agree_wanted(zone) &&
	    (zone->round_any_serial || !zone->has_copy || direct)) {
		step_transfer(zone, now, actions);
		return;
	}
	step_query(zone, round_primary(zone), now, actions);
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
	zone->round_older = false;
	zone->round_last = false;
	zone->round_orphaned = false;
	zone->next_ms = ZONE_NEVER;
	step_begin(zone, now, actions);
}

static void round_timer(struct zone *zone, struct zone_now now, struct zone_actions *actions)
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
static bool round_may_yield(const struct zone *zone)
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
static void idle_continue(struct zone *zone, struct zone_now now, struct zone_actions *actions)
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

static void expiry_renew(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t lifetime = lifetime_ms(zone);

	zone->expire_ms = now.mono_ms + lifetime;
	zone->timers.refreshed_ms = now.wall_ms;
	zone->timers.expires_ms = now.wall_ms + lifetime;
	if (zone->stale) {
		zone->stale = zone->expired = false;
		action_add(actions, ZONE_ACTION_REVIVE);
	}
	action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
}

static void spacing_after(struct zone *zone, bool news, struct zone_now now)
{
	if (news) {
		zone->notify_spacing_ms = 0;
	} else if (zone->round_urgency == ZONE_URGENCY_NOTIFY) {
		zone->notify_spacing_ms *= 2;
	}
	zone->notify_spacing_ms = (uint32_t)clamp(
	    zone->notify_spacing_ms, zone->policy->notify_min_ms, zone->policy->notify_max_ms);
	zone->notify_after_ms = now.mono_ms + zone->notify_spacing_ms;
}

// The next round by the timer: `ms` from now, or when a primary that is ahead may be followed.
static void round_next_in(struct zone *zone, int64_t ms, struct zone_now now)
{
	const int64_t due = pin_due_ms(zone, now);

	zone->next_ms = now.mono_ms + jittered(zone, ms);
	zone->next_ms = due < zone->next_ms ? due : zone->next_ms;
}

// A transfer that breaks costs both sides far more than a query does: back off.
static int64_t broken_ms(const struct zone *zone)
{
	const int64_t refresh = refresh_ms(zone), retry = retry_ms(zone);

	return doubled_ms(retry, zone->failures - 1, refresh > retry ? refresh : retry);
}

static void failure_count(struct zone *zone)
{
	if (zone->failures < UINT32_MAX) {
		zone->failures++;
	}
}

// A primary has the version we have: the copy is fresh again. Another that has more may have
// failed to hand it over: that is no success.
static void round_confirmed(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t wait = refresh_ms(zone);

	zone->phase = ZONE_IDLE;
	zone->has_regressed = zone->has_regressed && zone->round_older;
	spacing_after(zone, false, now);
	expiry_renew(zone, now, actions);
	if (zone->round_transfer_failed) {
		failure_count(zone);
		wait = broken_ms(zone);
	} else {
		zone->failures = 0;
		// A NOTIFY promised more than any primary has: look again sooner than usual.
		if (zone->round_hinted && retry_ms(zone) < wait) {
			wait = retry_ms(zone);
		}
	}
	round_next_in(zone, wait, now);
}

static void round_failed(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t wait = retry_ms(zone);

	(void)actions;
	zone->phase = ZONE_IDLE;
	failure_count(zone);
	spacing_after(zone, false, now);
	if (!zone->has_copy) {
		wait = doubled_ms(BOOTSTRAP_MS, zone->failures - 1, BOOTSTRAP_MAX_MS);
	} else if (zone->round_transfer_failed) {
		wait = broken_ms(zone);
	}
	round_next_in(zone, wait, now);
}

// The configuration changed while a version was being published: this round's primaries may be
// others now. What is left of it is asked in a new one, at once.
static void round_abandoned(struct zone *zone, struct zone_now now)
{
	zone->phase = ZONE_IDLE;
	zone->next_ms = now.mono_ms;
}

// This step's primary has a serial that we want: others are asked first, where the policy says so.
static void step_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions);

static void step_next(struct zone *zone, struct zone_now now, struct zone_actions *actions)
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
	} else if (!zone->round_last && zone->round_older && zone->expired &&
	           !zone_takes_nothing(zone)) {
		zone->round_last = true;
		zone->round_any_serial = true;
		zone->step_whole = false;
		step_take(zone, zone->round_older_serial, now, actions);
	} else {
		round_failed(zone, now, actions);
	}
}

// A primary's serial is known and does not lead to a transfer.
static void serial_not_newer(
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
	step_next(zone, now, actions);
}

// A primary has news for a pinned zone. It was there and could be asked: by RFC 1034 4.3.5 that is
// what keeps a copy from expiring.
static void news_noted(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (zone->timers.behind_ms == 0) {
		zone->timers.behind_ms = now.wall_ms;
	}
	zone->timers.behind_serial = serial;
	zone->round_hinted = false;
	round_confirmed(zone, now, actions);
}

// A primary that is ahead of the pinned one is told of, and followed when the tolerance is over.
static bool step_may_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (serial_newer(serial, zone->soa.serial) &&
	    pin_heard(zone, round_primary(zone), serial, now)) {
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	return pin_allows(zone, round_primary(zone), now);
}

// What is held for lack of agreement has it now.
static void step_accept(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	struct zone_action *action = action_add(actions, ZONE_ACTION_ACCEPT);

	zone->phase = ZONE_PUBLISHING;
	zone->step_incremental = false;
	zone->publish_ms = now.mono_ms + PUBLISH_WAIT_MS;
	zone->publish_token = token_next(zone);
	action->token = zone->publish_token;
	action->serial = zone->held_serial;
}

// The next primary is asked whether it has the serial, or all is said.
static void step_agree(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	const uint32_t serial = zone->agree_serial;
	const bool held = zone->has_held && zone->held_short;

	switch (agree_next(zone)) {
	case AGREE_ASK:
		step_query(zone, zone->agree_way, now, actions);
		break;
	case AGREE_YES:
		if (held && serial == zone->held_serial) {
			step_accept(zone, now, actions);
		} else {
			step_transfer(zone, now, actions);
		}
		break;
	case AGREE_NO: // it is fetched all the same, to be held; once
		if (held && !serial_newer(serial, zone->held_serial)) {
			step_next(zone, now, actions);
		} else {
			step_transfer(zone, now, actions);
		}
		break;
	}
}

static void step_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (agree_wanted(zone)) {
		agree_begin(zone, round_primary(zone), serial);
		step_agree(zone, now, actions);
	} else {
		step_transfer(zone, now, actions);
	}
}

static bool soa_wanted(const struct zone *zone, uint32_t serial)
{
	return !zone->has_copy || (zone->round_any_serial && !zone_takes_nothing(zone)) ||
	       serial_newer(serial, zone->soa.serial);
}

static void on_soa(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	const uint32_t serial = event->soa.serial;

	if (zone->agreeing) {
		agree_heard(zone, serial);
		step_agree(zone, now, actions);
	} else if (zone_takes_nothing(zone) && serial_newer(serial, zone->soa.serial)) {
		news_noted(zone, serial, now, actions);
	} else if (!soa_wanted(zone, serial) && !(zone->has_held && serial == zone->held_serial)) {
		serial_not_newer(zone, serial, now, actions);
	} else if (!step_may_take(zone, serial, now, actions)) {
		step_next(zone, now, actions);
	} else if (zone->has_held && serial == zone->held_serial && !zone->held_short) {
		step_next(zone, now, actions); // known, and nothing we may serve
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
	step_next(zone, now, actions);
}

static void on_transferred(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	if (zone->has_copy && !zone->round_any_serial &&
	    !serial_newer(event->soa.serial, zone->soa.serial)) {
		action_add(actions, ZONE_ACTION_DISCARD);
		serial_not_newer(zone, event->soa.serial, now, actions);
		return;
	}
	// A version handed out long ago may have gone live since this was asked for.
	if (!step_may_take(zone, event->soa.serial, now, actions)) {
		action_add(actions, ZONE_ACTION_DISCARD);
		step_next(zone, now, actions);
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
	zone->publish_ms = now.mono_ms + PUBLISH_WAIT_MS;
	zone->publish_token = token_next(zone);
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
	if (zone->step_incremental && event->heard) {
		step_fall_back(zone, event->refused, now, actions);
		return;
	}
	pin_unheard(zone, round_primary(zone));
	zone->round_transfer_failed = true;
	step_next(zone, now, actions);
}

static void on_rejected(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->step_incremental && !zone->round_orphaned) {
		step_fall_back(zone, false, now, actions);
		return;
	}
	zone->has_held = zone->held_short = false; // if that was it, it is gone
	zone->round_transfer_failed = true;
	step_next(zone, now, actions);
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
	if (zone->origin != zone->pending_origin) {
		zone->origin = zone->pending_origin;
		zone->delta_after_ms = INT64_MIN; // that was about another primary
		zone->delta_failures = 0;
	}
	zone->failures = 0;
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
	spacing_after(zone, true, now);
	expiry_renew(zone, now, actions);
	zone->next_ms = now.mono_ms + jittered(zone, refresh_ms(zone));
}

static void on_start(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	zone->started = true;
	zone->has_copy = event->has_copy;
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
	int64_t lifetime = lifetime_ms(zone);
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

static void on_config(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	bool under_way = zone->phase == ZONE_QUERYING || zone->phase == ZONE_TRANSFERRING;
	int64_t old_lifetime = zone->has_copy ? lifetime_ms(zone) : 0;

	zone->policy = event->policy;
	zone->notified_primary = 0;
	zone->has_regressed = zone->round_older =
	    false; // other primaries may bear these numbers now
	if (under_way) {
		// The primaries may be others now; whatever was asked is asked again.
		action_add(actions, ZONE_ACTION_ABORT);
		token_next(zone);
		zone->phase = ZONE_IDLE;
	}
	if (zone->phase == ZONE_IDLE) {
		zone->next_ms = now.mono_ms;
	}
	zone->round_orphaned = zone->phase == ZONE_PUBLISHING;
	if (zone->policy->pin_tolerance_s == 0 && pin_forget(zone)) {
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	if (zone->has_copy && lifetime_ms(zone) != old_lifetime) {
		int64_t change = lifetime_ms(zone) - old_lifetime;

		zone->expire_ms += change;
		zone->timers.expires_ms += change;
		action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
	}
	// The grace may have come, gone or changed, and with it what an expired copy is.
	if (zone->stale && now.mono_ms < zone->expire_ms) {
		bool fresh = now.mono_ms < zone->expire_ms - grace_ms(zone);

		if (zone->expired || fresh) {
			action_add(actions, ZONE_ACTION_REVIVE);
		}
		zone->stale = !fresh && !zone->expired;
		zone->expired = false;
	}
}

// What is under way was for another state of things: its answer will be ignored.
static void round_drop(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->phase == ZONE_QUERYING || zone->phase == ZONE_TRANSFERRING) {
		action_add(actions, ZONE_ACTION_ABORT);
	}
	token_next(zone);
	if (!zone->has_held) { // a person may accept that yet: it goes live with its token then
		zone->publish_token = 0;
	}
	zone->phase = ZONE_IDLE;
	zone->next_ms = now.mono_ms;
}

static void on_pin(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions)
{
	if (zone->pinned && !event->pinned) {
		zone->ordered = true; // what was missed is fetched at once
		zone->timers.behind_ms = 0;
	}
	zone->pinned = event->pinned;
	if (zone_takes_nothing(zone) && zone->phase == ZONE_TRANSFERRING) {
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
	zone->has_regressed = false;
	zone->failures = 0;
	// As with any version that goes live.
	zone->stale = zone->expired = false;
	expiry_renew(zone, now, actions);
}

// The wall clock was set: what is stored must still mean the same instant, or the data plane (and a
// restart) would take a jump for the passage of time.
static void wall_follow(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t set = now.wall_ms + (zone->expire_ms - now.mono_ms) - zone->timers.expires_ms;

	if (!zone->has_copy || zone->expired || (set > -WALL_SET_MS && set < WALL_SET_MS)) {
		return;
	}
	zone->timers.refreshed_ms += set;
	zone->timers.expires_ms += set;
	zone->timers.origin_ms += set;
	zone->timers.behind_ms += zone->timers.behind_ms != 0 ? set : 0;
	action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
}

// Deadlines that have passed, whatever the event was.
static void deadlines(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	if (zone->phase == ZONE_PUBLISHING && now.mono_ms >= zone->publish_ms) {
		token_next(zone);
		zone->round_transfer_failed = true;
		if (zone->round_orphaned) {
			round_abandoned(zone, now);
		} else {
			round_failed(zone, now, actions);
		}
	}
	if (zone->has_copy && !zone->stale && now.mono_ms >= zone->expire_ms - grace_ms(zone)) {
		zone->stale = true;
		if (now.mono_ms < zone->expire_ms) {
			action_add(actions, ZONE_ACTION_STALE);
		}
	}
	if (zone->has_copy && !zone->expired && now.mono_ms >= zone->expire_ms) {
		zone->expired = true;
		action_add(actions, ZONE_ACTION_EXPIRE);
	}
	wall_follow(zone, now, actions);
	idle_continue(zone, now, actions);
	if (zone->phase == ZONE_IDLE && now.mono_ms >= zone->next_ms) {
		round_timer(zone, now, actions);
	}
}

static void timer_set(struct zone *zone)
{
	int64_t at = ZONE_NEVER;

	if (zone->has_copy && !zone->stale) {
		at = zone->expire_ms - grace_ms(zone);
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
			serial_not_newer(zone, event->soa.serial, now, actions);
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
			on_rejected(zone, now, actions);
		}
		break;
	case ZONE_EVENT_HELD:
		if (current && zone->phase == ZONE_PUBLISHING) {
			zone->has_held = true;
			zone->held_short = event->lacks_agreement;
			zone->held_serial = zone->pending.serial;
			step_next(zone, now, actions);
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
	}
	if (zone->started) {
		deadlines(zone, now, actions);
	}
	timer_set(zone);
}
