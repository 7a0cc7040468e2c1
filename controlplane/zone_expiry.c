// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Expiry (see zone_expiry.h). Arithmetic on the zone, as in zone.c.
#include "zone_expiry.h"

#include "zone_interval.h"

// The wall clock against the monotonic one: less is drift, corrected with the next refresh.
#define WALL_SET_MS 2000

// The SOA's expire, but never shorter than one refresh and one retry: otherwise the zone would
// expire between two successful refreshes (RFC 1912 2.2; BIND does the same).
static int64_t expire_ms(const struct zone *zone)
{
	int64_t least = interval_refresh_ms(zone) + interval_retry_ms(zone);
	int64_t asked = 1000 * (int64_t)zone->soa.expire_s;

	return asked > least ? asked : least;
}

int64_t expiry_grace_ms(const struct zone *zone)
{
	return zone->policy->expire_grace ? 1000 * (int64_t)zone->policy->grace_s : 0;
}

int64_t expiry_lifetime_ms(const struct zone *zone)
{
	return expire_ms(zone) + expiry_grace_ms(zone);
}

void expiry_renew(struct zone *zone, struct zone_now now, struct zone_actions *actions)
{
	int64_t lifetime = expiry_lifetime_ms(zone);

	zone->expire_ms = now.mono_ms + lifetime;
	zone->timers.refreshed_ms = now.wall_ms;
	zone->timers.expires_ms = now.wall_ms + lifetime;
	if (zone->stale) {
		zone->stale = zone->expired = false;
		action_add(actions, ZONE_ACTION_REVIVE);
	}
	action_add(actions, ZONE_ACTION_STORE)->timers = zone->timers;
}

// The wall clock was set: what is stored must still mean the same instant, or the data plane (and a
// restart) would take a jump for the passage of time.
void expiry_follow_wall(struct zone *zone, struct zone_now now, struct zone_actions *actions)
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
