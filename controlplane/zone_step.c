// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Steps (see zone_step.h). Arithmetic on the zone, as in zone.c.
#include "zone_step.h"

#include "serial.h"
#include "zone_agree.h"
#include "zone_interval.h"
#include "zone_pin.h"
#include "zone_round.h"

// A primary that does not do IXFR is asked again after so long: it may have been upgraded.
#define DELTA_REFUSED_MS 3600000
// One whose difference did not fit: the whole zone has mended that, but when it happens again and
// again the attempt only costs. Doubles up to the hour.
#define DELTA_FAILED_MS 60000

// A difference is asked for only where our version came from: another primary may have other data
// under the same serial.
static bool step_may_be_incremental(const struct zone *zone, struct zone_now now)
{
	return zone->has_copy && !zone->whole && !zone->round_any_serial && !zone->step_whole &&
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
	action->token = action_token(zone);
	action->primary = round_primary(zone);
	action->urgency = round_urgency(zone, now);
	action->any_serial = zone->round_any_serial || !zone->has_copy;
	action->serial = zone->soa.serial;
}

// The difference failed: the same primary is asked for the whole zone.
void step_fall_back(
    struct zone *zone, bool refused, struct zone_now now, struct zone_actions *actions)
{
	int64_t wait = DELTA_REFUSED_MS;

	if (!refused) {
		wait = interval_doubled_ms(DELTA_FAILED_MS, zone->delta_failures, DELTA_REFUSED_MS);
	}
	if (zone->delta_failures < UINT32_MAX) {
		zone->delta_failures++;
	}
	zone->delta_after_ms = now.mono_ms + wait;
	zone->step_whole = true;
	step_transfer(zone, now, actions);
}

static void step_query(
    struct zone *zone, unsigned primary, struct zone_now now, struct zone_actions *actions)
{
	struct zone_action *action = action_add(actions, ZONE_ACTION_QUERY);

	zone->phase = ZONE_QUERYING;
	action->token = action_token(zone);
	action->primary = primary;
	action->urgency = round_urgency(zone, now);
	action->serial = zone->soa.serial;
}

void step_begin(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	const bool direct = zone->round_hinted && zone->round_direct && zone->round_step == 0;

	zone->step_whole = false;
	zone->agreeing = false;
	// Who is to be agreed with is asked before anything is fetched.
	if (!zone->pinned && !agree_wanted(zone) &&
	    (zone->round_any_serial || !zone->has_copy || direct)) {
		step_transfer(zone, now, actions);
		return;
	}
	step_query(zone, round_primary(zone), now, actions);
}

// A primary that is ahead of the pinned one is told of, and followed when the tolerance is over.
bool step_may_take(
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
	zone->publish_ms = now.mono_ms + STEP_PUBLISH_WAIT_MS;
	zone->publish_token = action_token(zone);
	action->token = zone->publish_token;
	action->serial = zone->held_serial;
}

// The next primary is asked whether it has the serial, or all is said.
void step_agree(struct zone *zone, struct zone_now now, struct zone_actions *actions)
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
			round_go_on(zone, now, actions);
		} else {
			step_transfer(zone, now, actions);
		}
		break;
	}
}

void step_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions)
{
	if (agree_wanted(zone)) {
		agree_begin(zone, round_primary(zone), serial);
		step_agree(zone, now, actions);
	} else {
		step_transfer(zone, now, actions);
	}
}
