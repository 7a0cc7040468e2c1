// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// secondary-run SEED STEPS: the state machine of secondary zones (controlplane/zone.c) against the
// model, under a fake clock. The same seed is the same walk.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "secondary_world.h"

#define DRILL_EACH 2000 // steps: recovery
#define STORM_EACH 300000

static const char *const kinds[] = {"START", "TIMER", "SOA", "SOA_FAILED", "TRANSFERRED",
    "TRANSFER_STALE", "TRANSFER_FAILED", "LIVE", "REJECTED", "WORKING", "HELD", "NOTIFY", "REFRESH",
    "RETRANSFER", "CONFIG", "PIN", "REPLACED"};

static int fail(const struct world *w, uint64_t seed, const char *wrong)
{
	fprintf(stderr,
	    "seed %" PRIu64 ", step %" PRIu64 ": %s\nat %s(token %u, serial %u), mono %" PRId64
	    ", wall %" PRId64 "; the zone: phase %d, serial %u\n"
	    "again: build/tests/secondary-run %" PRIu64 " %" PRIu64 "\n",
	    seed, w->steps, wrong, kinds[w->last_event.kind], w->last_event.token,
	    w->last_event.soa.serial, w->now.mono_ms, w->now.wall_ms, w->zone.phase,
	    w->zone.soa.serial, seed, w->steps);
	return 1;
}

static const char *step(struct world *w, uint64_t *drill, uint64_t *storm)
{
	if (w->steps >= *storm) {
		*storm = w->steps + STORM_EACH;
		return world_weathers_a_storm(w);
	}
	if (w->steps >= *drill) {
		*drill = w->steps + DRILL_EACH;
		return world_recovers(w);
	}
	return world_step(w);
}

// Every kind of thing must have happened: a walk that does not meet them proves nothing.
static bool has_seen_it_all(const struct world *w)
{
	const uint64_t least = w->steps / 20000;

	return w->expired > least && w->revived > least && w->graced > least && w->live > least &&
	       w->regressed > least && w->restarts > least / 2 && w->preempted > least &&
	       w->last_resorts > least && w->differences > least && w->held > least &&
	       w->short_of > least && w->accepted > least / 2 && w->followed > least / 2 &&
	       w->pins > least && w->missed > least && w->rollbacks > least && w->lost > least &&
	       w->let_in > least && w->by_person > least && w->held_refused > least / 4;
}

int main(int argc, char **argv)
{
	static struct world world;
	uint64_t drill = DRILL_EACH, storm = STORM_EACH / 2;

	if (argc != 3) {
		fprintf(stderr, "usage: secondary-run SEED STEPS\n");
		return 2;
	}
	const uint64_t seed = strtoull(argv[1], NULL, 10), steps = strtoull(argv[2], NULL, 10);

	world_init(&world, seed);
	while (world.steps < steps) {
		const char *wrong = step(&world, &drill, &storm);

		if (wrong != NULL) {
			return fail(&world, seed, wrong);
		}
	}
	printf("%" PRIu64 " steps: live %" PRIu64 ", differences %" PRIu64 ", held %" PRIu64
	       ", expired %" PRIu64 ", graces %" PRIu64 ", revived %" PRIu64
	       ", older serials %" PRIu64 " (taken %" PRIu64 "), NOTIFY before refresh %" PRIu64
	       ", restarts %" PRIu64 ", short of agreement %" PRIu64 " (agreed on later %" PRIu64
	       "), other primary followed %" PRIu64 ", pins %" PRIu64 " (missed something %" PRIu64
	       "), rollbacks %" PRIu64 ", lost %" PRIu64 ", let in %" PRIu64
	       ", held and accepted %" PRIu64 ", refused then %" PRIu64 "\n",
	    world.steps, world.live, world.differences, world.held, world.expired, world.graced,
	    world.revived, world.regressed, world.last_resorts, world.preempted, world.restarts,
	    world.short_of, world.accepted, world.followed, world.pins, world.missed,
	    world.rollbacks, world.lost, world.let_in, world.by_person, world.held_refused);
	if (!has_seen_it_all(&world)) {
		fprintf(stderr, "seed %" PRIu64 ": something of it hardly ever happened\n", seed);
		return 1;
	}
	return 0;
}
