// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones that are no longer configured are forgotten once nothing is left to be done about them: the
// data plane serves them no more, the disk does not name them, and no work of theirs is under way.
// A data plane that comes later and serves one says so, and it is withdrawn as a stranger. Looked
// at every few seconds, some at a time.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>

#include "slice.h"

void publish_forget(struct publisher *p, struct pzone *zone)
{
	if (zone->gone)
		return;
	zone->gone = true;
	zone->next_gone = p->gone;
	p->gone = zone;
}

// Others may be walking over all zones, a slice at a time.
static bool may_look(const struct publisher *p)
{
	return p->taking.config == NULL && !p->tell_busy && !p->greeting && !p->closing;
}

// Of those whose image is on disk and in memory some hundred are in that list.
static void rest_no_more(struct publisher *p, struct pzone *zone)
{
	struct pzone **at = &p->resting;

	if (!zone->resting)
		return;
	while (*at != zone)
		at = &(*at)->next_resting;
	*at = zone->next_resting;
	if (*at == NULL)
		p->resting_last = at;
	p->resting_count--;
	zone->resting = false;
}

// What is in a list, or is expected to be found by who works for it, stays.
static bool is_done(const struct publisher *p, const struct pzone *zone)
{
	return zone->stage == STAGE_NONE && zone->layers == 0 && zone->parcels == 0 &&
	       zone->build == NULL && zone->recall == NULL && content_is_empty(&zone->waiting) &&
	       zone->live_generation == 0 && !(p->connected && zone->tell_withdraw) &&
	       !zone->queued && !zone->deferred && !zone->loading && !zone->dirty &&
	       !zone->listed && !zone->timers_changed && zone->steps == zone->steps_done;
}

static void zone_remove(struct publisher *p, struct pzone *zone)
{
	struct pzone *last = p->zones[--p->zone_count];

	rest_no_more(p, zone);
	publish_timers_forget(p, zone);
	last->at = zone->at;
	p->zones[zone->at] = last;
	idmap_remove(&p->map, zone->apex, zone->apex_len);
	pzone_free(p, zone);
}

int publish_forget_go(struct publisher *p, int64_t until_us)
{
	if (!may_look(p))
		return 0;
	if (p->going == NULL) {
		p->going = p->gone;
		p->gone = NULL;
	}
	for (size_t n = 1; p->going != NULL; n++) {
		struct pzone *zone = p->going;

		p->going = zone->next_gone;
		zone->gone = false;
		if (!zone->configured && is_done(p, zone)) // else it may have come back
			zone_remove(p, zone);
		else if (!zone->configured)
			publish_forget(p, zone); // the next time
		if (p->going != NULL && slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}
