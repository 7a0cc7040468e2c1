// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones that are no longer configured are forgotten once nothing is left to be done about them: the
// data plane serves them no more, the disk does not name them, and no work of theirs is under way.
// A data plane that comes later and serves one says so, and it is withdrawn as a stranger. Looked
// at every few seconds, some at a time.
//
// While a catalog has no version (its image is of another format, cannot be read, or is lost), or
// only one that is broken, nobody knows who its members are. What the data plane serves and the
// manifest names stays then, though no configuration does, until each catalog has been there for a
// minute: its members are zones of the configuration by then.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>

#include "log.h"
#include "slice.h"

#define STRANGERS_TICKS 12 // of 5 s

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
	       !zone->queued && !zone->deferred && !zone->unseen && !zone->loading &&
	       !zone->dirty && !zone->listed && !zone->timers_changed &&
	       zone->steps == zone->steps_done;
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

bool publish_catalog_lacks(const struct publisher *p)
{
	for (size_t i = 0; i < p->zone_count; i++)
		if (p->zones[i]->configured && p->zones[i]->hidden && p->zones[i]->current == NULL)
			return true;
	return p->ops.members_unknown != NULL && p->ops.members_unknown(p->ops.ctx);
}

void publish_strangers_tick(struct publisher *p)
{
	size_t gone = 0;

	if (!p->strangers_stay || p->taking.config != NULL || p->tell_busy || p->greeting)
		return;
	p->strangers_ticks = publish_catalog_lacks(p) ? 0 : p->strangers_ticks + 1;
	if (p->strangers_ticks < STRANGERS_TICKS)
		return;
	p->strangers_stay = false;
	for (size_t i = 0; i < p->zone_count; i++) {
		struct pzone *zone = p->zones[i];

		if (zone->configured || (zone->live_generation == 0 && zone->unread == NULL))
			continue;
		pzone_withdraw(p, zone);
		gone++;
	}
	if (gone > 0)
		log_info("%zu zones are in no catalog any more and are served no more", gone);
	store_touch(p->store);
	publish_flush(p);
}
