// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Intervals (see zone_interval.h). Arithmetic on the zone, as in zone.c.
#include "zone_interval.h"

static uint32_t random_next(struct zone *zone)
{
	// xorshift32 (Marsaglia): only spreads load, nothing secret depends on it.
	uint32_t x = zone->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	zone->random = x;
	return x;
}

int64_t interval_clamp(uint32_t value, uint32_t min, uint32_t max)
{
	uint32_t clamped = value < min ? min : value;

	return clamped > max && max >= min ? max : clamped;
}

int64_t interval_jittered(struct zone *zone, int64_t ms)
{
	return ms - ms * (random_next(zone) % 1024) * zone->policy->jitter / 102400;
}

int64_t interval_refresh_ms(const struct zone *zone)
{
	return 1000 * interval_clamp(zone->soa.refresh_s, zone->policy->refresh_min_s,
	                  zone->policy->refresh_max_s);
}

int64_t interval_retry_ms(const struct zone *zone)
{
	return 1000 * interval_clamp(
	                  zone->soa.retry_s, zone->policy->retry_min_s, zone->policy->retry_max_s);
}

int64_t interval_doubled_ms(int64_t base, uint32_t times, int64_t max)
{
	int64_t value = base;

	while (times-- > 0 && value < max) {
		value *= 2;
	}
	return value > max ? max : value;
}

// A transfer that breaks costs both sides far more than a query does: back off.
int64_t interval_broken_ms(const struct zone *zone)
{
	const int64_t refresh = interval_refresh_ms(zone), retry = interval_retry_ms(zone);

	return interval_doubled_ms(retry, zone->failures - 1, refresh > retry ? refresh : retry);
}

int64_t interval_room_ms(const struct zone *zone, int64_t max)
{
	const int64_t retry = 1000 * interval_clamp(zone->room_retry_s, zone->policy->retry_min_s,
	                                 zone->policy->retry_max_s);

	return interval_doubled_ms(retry, zone->failures - 1, max > retry ? max : retry);
}
