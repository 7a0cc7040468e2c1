// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The version of a zone that should be served turns out to be broken: at a start, when its image is
// read again later, or by the word of the data plane. What was there before takes its place: an
// older version is more than none, and whatever comes next replaces it.
#include "pzone.h"

#include <stdio.h>

#include "log.h"
#include "serial.h"

static struct version **older_place(struct pzone *zone, const struct version *version)
{
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++) {
		const struct version *kept = zone->kept[k];

		if (kept != NULL && kept->generation < version->generation &&
		    serial_newer(version->soa.serial, kept->soa.serial) && version_is_stored(kept))
			return &zone->kept[k];
	}
	return NULL;
}

const struct version *publish_older(const struct pzone *zone, const struct version *version)
{
	struct version **place = older_place((struct pzone *)(uintptr_t)zone, version);

	return place != NULL ? *place : NULL;
}

void publish_broken_tell(struct pzone *zone, uint32_t serial, const char *how)
{
	char name[NAME_TEXT_MAX];

	zone->older = zone->current != NULL;
	if (zone->older)
		snprintf(zone->error, sizeof(zone->error),
		    "The stored version, serial %u, is %.120s; the one before, serial %u, takes "
		    "its place.",
		    serial, how, zone->current->soa.serial);
	else
		snprintf(zone->error, sizeof(zone->error),
		    "The stored version, serial %u, is %.120s; the zone starts anew, and is not "
		    "pinned if it was.",
		    serial, how);
	name_to_text(zone->apex, name);
	log_error("%s: %s", name, zone->error);
}

// Of the kept ones those that came after it are no way back any more.
static struct version *older_take(struct publisher *p, struct pzone *zone)
{
	struct version **place = older_place(zone, zone->current);
	struct version *older = place != NULL ? *place : NULL;
	unsigned to = 0;

	if (place != NULL)
		*place = NULL;
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++) {
		struct version *kept = zone->kept[k];

		zone->kept[k] = NULL;
		if (kept != NULL && older != NULL && kept->generation > older->generation)
			version_free(p, kept);
		else
			zone->kept[to++] = kept;
	}
	return older;
}

void publish_broken(struct publisher *p, struct pzone *zone, const char *how)
{
	struct version *broken = zone->current;
	struct version *older = older_take(p, zone);

	fold_drop(p, zone); // it would stand on what is broken
	admission_served(
	    &p->admission, older != NULL ? version_size(older) : 0, version_size(broken));
	zone->current = older;
	if (older != NULL)
		version_use(older);
	else
		zone->pinned = false;
	publish_broken_tell(zone, broken->soa.serial, how);
	version_free(p, broken);
	publish_dirty(p, zone, true);
	publish_timers_touch(p, zone);
	zone->mark = store_touch(p->store);
	// A data plane that has a later one in memory keeps it.
	zone->tell_current =
	    older != NULL && zone->configured && zone->live_generation < older->generation;
	publish_tell(p, zone);
	if (older != NULL)
		publish_load(p, zone); // is it whole?
	if (!p->closing && zone->configured && p->ops.lost != NULL)
		p->ops.lost(p->ops.ctx, zone->apex);
	publish_flush(p);
}
