// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Agreement of primaries (see zone_agree.h). Arithmetic on the zone, as in zone.c.
#include "zone_agree.h"

#include "zone_pin.h"

// Without knowing whose histories they are, nobody can be counted.
bool agree_wanted(const struct zone *zone)
{
	return zone->policy->agreement > 1 && zone->policy->origins != NULL;
}

void agree_begin(struct zone *zone, unsigned way, uint32_t serial)
{
	zone->agreeing = true;
	zone->agree_serial = serial;
	zone->agree_count = 1;
	zone->agree_of = (uint8_t)way;
	zone->agree_heard = (uint8_t)way;
	zone->agree_way = 0;
	zone->agree_asked = false;
}

// The ways of one remote follow each other: who has answered is not asked at its next address.
enum agree_verdict agree_next(struct zone *zone)
{
	unsigned way = zone->agree_asked ? zone->agree_way + 1U : 0;

	if (zone->agree_count >= zone->policy->agreement) {
		return AGREE_YES;
	}
	for (; way < zone->policy->primary_count; way++) {
		const uint64_t origin = zone_way_origin(zone, way);

		if (origin != zone_way_origin(zone, zone->agree_of) &&
		    origin != zone_way_origin(zone, zone->agree_heard)) {
			zone->agree_way = (uint8_t)way;
			zone->agree_asked = true;
			return AGREE_ASK;
		}
	}
	return AGREE_NO;
}

void agree_heard(struct zone *zone, uint32_t serial)
{
	zone->agree_heard = zone->agree_way;
	zone->agree_count += serial == zone->agree_serial;
}

bool agree_has(const struct zone *zone, uint32_t serial)
{
	return agree_count(zone, serial) >= zone->policy->agreement;
}

unsigned agree_count(const struct zone *zone, uint32_t serial)
{
	return serial == zone->agree_serial ? zone->agree_count : 1;
}
