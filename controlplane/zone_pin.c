// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The primary that a zone is pinned to (see zone_pin.h). Arithmetic on the zone, as in zone.c.
#include "zone_pin.h"

#include "serial.h"

static bool has_way_of(const struct zone *zone, uint64_t origin, bool other)
{
	for (unsigned i = 0; i < zone->policy->primary_count; i++) {
		if ((zone_way_origin(zone, i) == origin) != other) {
			return true;
		}
	}
	return false;
}

// Without a copy that is served there is nothing to protect; nor when its primary is not configured
// any more.
static bool pin_holds(const struct zone *zone)
{
	return zone->policy->pin_tolerance_s > 0 && zone->has_copy && !zone->expired &&
	       zone->origin != 0 && has_way_of(zone, zone->origin, false);
}

unsigned pin_round_begin(struct zone *zone, unsigned first)
{
	zone->round_pin = pin_holds(zone) ? zone->origin : 0;
	zone->round_led = zone->round_unheard = false;
	if (zone->round_pin != 0 && zone_way_origin(zone, first) != zone->round_pin) {
		first = 0;
		while (zone_way_origin(zone, first) != zone->round_pin) {
			first++;
		}
	}
	return first;
}

// First the one the round began with, then those of the pinned primary, then the others.
unsigned pin_round_way(const struct zone *zone, unsigned step)
{
	if (step == 0) {
		return zone->round_first;
	}
	for (unsigned pinned = zone->round_pin != 0; pinned < 2; pinned--) {
		for (unsigned i = 0; i < zone->policy->primary_count; i++) {
			const bool of_pin =
			    zone->round_pin != 0 && zone_way_origin(zone, i) == zone->round_pin;

			if (i != zone->round_first && of_pin == (pinned == 1) && --step == 0) {
				return i;
			}
		}
	}
	return zone->round_first; // there are not so many
}

bool pin_round_asks_all(const struct zone *zone)
{
	return zone->round_pin != 0 && has_way_of(zone, zone->round_pin, true);
}

static bool is_others(const struct zone *zone, unsigned way)
{
	return zone->round_pin != 0 && zone_way_origin(zone, way) != zone->origin;
}

bool pin_heard(struct zone *zone, unsigned way, uint32_t serial, struct zone_now now)
{
	const bool first = zone->lead_ms == ZONE_NEVER;

	if (!is_others(zone, way) || !pin_holds(zone)) {
		return false;
	}
	zone->round_led = true;
	zone->timers.behind_serial = serial;
	if (first) {
		zone->lead_ms = now.mono_ms;
		zone->timers.behind_ms = now.wall_ms;
	}
	return first;
}

void pin_unheard(struct zone *zone, unsigned way)
{
	zone->round_unheard = zone->round_unheard || is_others(zone, way);
}

static int64_t tolerance_ms(const struct zone *zone)
{
	return 1000 * (int64_t)zone->policy->pin_tolerance_s;
}

bool pin_allows(const struct zone *zone, unsigned way, struct zone_now now)
{
	return !pin_holds(zone) || zone->round_any_serial ||
	       zone_way_origin(zone, way) == zone->origin ||
	       (zone->lead_ms != ZONE_NEVER && now.mono_ms - zone->lead_ms >= tolerance_ms(zone));
}

bool pin_forget(struct zone *zone)
{
	const bool news = zone->lead_ms != ZONE_NEVER;

	if (news) {
		zone->lead_ms = ZONE_NEVER;
		zone->timers.behind_ms = 0;
	}
	return news;
}

bool pin_round_end(struct zone *zone)
{
	return zone->round_pin != 0 && !zone->round_led && !zone->round_unheard && pin_forget(zone);
}

int64_t pin_due_ms(const struct zone *zone, struct zone_now now)
{
	if (zone->lead_ms == ZONE_NEVER || !pin_holds(zone) ||
	    now.mono_ms - zone->lead_ms >= tolerance_ms(zone)) {
		return ZONE_NEVER;
	}
	return zone->lead_ms + tolerance_ms(zone);
}

// A wall clock that stands before that time is wrong: the tolerance begins anew then.
void pin_start(struct zone *zone, struct zone_now now)
{
	const int64_t ago = now.wall_ms - zone->timers.behind_ms;

	if (zone->pinned || zone->timers.behind_ms == 0) {
		return;
	}
	if (zone->policy->pin_tolerance_s > 0) {
		zone->lead_ms = now.mono_ms - (ago > 0 ? ago : 0);
	} else {
		zone->timers.behind_ms = 0; // the policy was another
	}
}
