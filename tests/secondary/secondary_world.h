// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What happens to a zone, by chance: primaries that come, go, lie and wrap, NOTIFYs, operators, a
// publisher, a disk, two clocks. One number decides all of it. Each event goes to the machine and
// to the model, and to a twin whose wall clock nobody sets.
#pragma once

#include "secondary_model.h"

#define WORLD_WAYS     4
#define WORLD_POLICIES 8
#define WORLD_KEPT     3

struct world {
	uint64_t random;
	struct zone zone, twin;
	struct model model;
	struct zone_now now;
	int64_t wall_set; // how far the wall clock is from where it would be alone

	const struct zone_policy *policy;
	struct zone_policy policies[WORLD_POLICIES];
	struct world_primary {
		struct zone_soa soa;
		unsigned mood; // enum in secondary_world.c
	} primaries[WORLD_WAYS];

	// The question under way, and what was handed out.
	bool asked;
	struct zone_action question;
	struct zone_soa handed;
	uint64_t handed_origin;
	uint32_t handed_token;
	bool handed_short; // lacks agreement

	// The disk: what a restart finds. What is held has its SOA there as well.
	bool has_copy, has_timers, pinned, has_held, whole;
	struct zone_soa copy, held_soa;
	struct world_kept { // what a person may go back to
		struct zone_soa soa;
		uint64_t origin;
	} kept[WORLD_KEPT];
	unsigned kept_count;
	uint64_t held_origin;
	uint64_t copy_origin;
	struct zone_timers timers;

	int64_t hour; // of the monotonic clock, and what was asked in it
	unsigned asked_in_hour[WORLD_WAYS], rounds_for_cause;

	struct zone_event last_event;
	uint64_t steps;
	// How often what matters was met; a walk that never expires proves little.
	uint64_t expired, revived, graced, live, regressed, restarts, preempted, last_resorts,
	    differences, held, short_of, accepted, followed, pins, missed, rollbacks, lost, let_in,
	    by_person, held_refused;
};

void world_init(struct world *world, uint64_t seed);
// Post: NULL, or what went wrong.
const char *world_step(struct world *world);
// From here on all is well again. Post: NULL when the zone is served and fresh within two days.
const char *world_recovers(struct world *world);
// An hour of NOTIFYs that bring nothing.
const char *world_weathers_a_storm(struct world *world);
