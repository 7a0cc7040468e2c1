// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that are served; see attach_served.h. Attach thread.

#include "attach_served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <urcu/urcu-qsbr.h>

int served_open(
    struct served *served, _Atomic(struct zone_table *) *published, const struct hash_key *key)
{
	*served = (struct served){.published = published, .table = zone_table_new(key)};
	if (served->table == NULL)
		return -ENOMEM;
	atomic_store_explicit(published, served->table, memory_order_release); // R3
	return 0;
}

static void retired_free(struct served_retired *retired)
{
	if (retired->zone.version != NULL)
		stored_version_free(stored_version_of(retired->zone.version));
	free(retired->zone.entry);
	free(retired->zone.slots);
	zone_table_free(retired->table);
}

void served_reclaim(struct served *served)
{
	if (!served->dirty)
		return;
	urcu_qsbr_synchronize_rcu();
	for (size_t i = 0; i < served->retired_count; i++)
		retired_free(&served->retired[i]);
	served->retired_count = 0;
	served->dirty = false;
}

void served_close(struct served *served)
{
	struct zone_retired retired;
	struct zone_entry *entry;
	size_t position = 0;

	served_reclaim(served);
	while (
	    served->table != NULL && (entry = zone_table_next(served->table, &position)) != NULL) {
		(void)zone_table_remove(served->table, entry->apex, &retired);
		stored_version_free(stored_version_of(retired.version));
		free(retired.entry);
	}
	free(served->zones);
	zone_table_free(served->table);
	*served = (struct served){0};
}

static void retire(struct served *served, const struct zone_retired *zone, struct zone_table *table)
{
	served->dirty = true;
	if (zone->version == NULL && zone->entry == NULL && zone->slots == NULL && table == NULL)
		return;
	served->retired[served->retired_count++] =
	    (struct served_retired){.zone = *zone, .table = table};
	if (served->retired_count == RETIRED_MAX)
		served_reclaim(served);
}

static size_t index_of(const struct zone_entry *entry)
{
	return (size_t)(uintptr_t)entry->owner - 1;
}

static void place(struct served *served, size_t index, struct served_zone zone)
{
	served->zones[index] = zone;
	zone.entry->owner = (void *)(uintptr_t)(index + 1);
}

struct served_zone *served_get(struct served *served, const uint8_t *apex)
{
	struct zone_entry *entry = zone_table_get(served->table, apex);

	return entry != NULL ? &served->zones[index_of(entry)] : NULL;
}

// The table hashes with the images' key. A node without zones takes any: a new table, since readers
// may hold the key of the old one.
static int key_adopt(struct served *served, const uint64_t hash_key[2])
{
	struct hash_key key = {{hash_key[0], hash_key[1]}};
	struct zone_table *old = served->table;

	if (memcmp(zone_table_key(old), &key, sizeof(key)) == 0)
		return 0;
	if (served->count != 0)
		return -EINVAL;
	served->table = zone_table_new(&key);
	if (served->table == NULL) {
		served->table = old;
		return -ENOMEM;
	}
	atomic_store_explicit(served->published, served->table, memory_order_release); // R3
	retire(served, &(struct zone_retired){0}, old);
	return 0;
}

static int zones_make_room(struct served *served)
{
	size_t cap = served->cap * 2 + 16;
	struct served_zone *zones;

	if (served->count < served->cap)
		return 0;
	zones = realloc(served->zones, cap * sizeof(zones[0]));
	if (zones == NULL)
		return -ENOMEM;
	served->zones = zones;
	served->cap = cap;
	return 0;
}

// Less is drift: a renewal comes before it matters.
#define CLOCK_SET_S 2

static enum zone_state state_of(const struct expiry *expiry, int64_t now)
{
	if (expiry->at == 0)
		return ZONE_LIVE;
	if (now >= expiry->at)
		return ZONE_EXPIRED;
	return now >= expiry->at - (int64_t)expiry->grace_s ? ZONE_STALE : ZONE_LIVE;
}

// Tells readers when (RFC 7314). What is further away than a signed distance holds is told as that.
static void expiry_tell(struct served_zone *zone, int64_t now)
{
	int64_t at = zone->expiry.at;

	if (at > now + INT32_MAX)
		at = now + INT32_MAX;
	if (at != 0 && (uint32_t)at == 0)
		at = 1;
	atomic_store_explicit(&zone->entry->expires_at, (uint32_t)at, memory_order_relaxed);
}

// Makes the zone's state what the clock says. Versions are far apart: one is touched only when it
// changes. A clock that was set back brings a zone to life again.
static void state_set(struct served *served, struct served_zone *zone, int64_t now)
{
	enum zone_state state = state_of(&zone->expiry, now);

	if (state == zone->state)
		return;
	zone->state = (uint8_t)state;
	zone_table_state(served->table, zone->entry, state);
	served->dirty = true;
}

int served_set(
    struct served *served, struct stored_version *version, struct expiry expiry, int64_t now)
{
	const struct image_header *header = version_header(&version->version);
	struct zone_retired retired;
	struct served_zone *zone;
	int ret;

	ret = key_adopt(served, header->hash_key);
	if (ret == 0)
		ret = zones_make_room(served);
	if (ret == 0)
		ret =
		    zone_table_set(served->table, image_apex(header), &version->version, &retired);
	if (ret != 0)
		return ret;
	if (retired.version == NULL) {
		struct zone_entry *entry = zone_table_get(served->table, image_apex(header));

		place(served, served->count++, (struct served_zone){.entry = entry});
	}
	zone = served_get(served, image_apex(header));
	zone->expiry = expiry;
	expiry_tell(zone, now);
	state_set(served, zone, now);
	if (version->generation > served->generation_max)
		served->generation_max = version->generation;
	retire(served, &retired, NULL);
	return 0;
}

// Closes the gap so that a walk in progress still sees each zone that stays once.
static void gap_close(struct served *served, size_t index)
{
	size_t last = --served->count;

	if (index < served->cursor) {
		size_t seen = --served->cursor;

		if (index != seen)
			place(served, index, served->zones[seen]);
		index = seen;
	}
	if (index != last)
		place(served, index, served->zones[last]);
}

bool served_remove(struct served *served, const uint8_t *apex)
{
	struct zone_retired retired;

	if (!zone_table_remove(served->table, apex, &retired))
		return false;
	gap_close(served, index_of(retired.entry));
	retire(served, &retired, NULL);
	return true;
}

void served_renew(
    struct served *served, struct served_zone *zone, struct expiry expiry, int64_t now)
{
	zone->expiry = expiry;
	expiry_tell(zone, now);
	state_set(served, zone, now);
}

void served_expire(struct served *served, int64_t now, size_t *stale, size_t *expired)
{
	*stale = *expired = 0;
	for (size_t i = 0; i < served->count; i++) {
		uint8_t before = served->zones[i].state;

		state_set(served, &served->zones[i], now);
		*stale += before == ZONE_LIVE && served->zones[i].state == ZONE_STALE;
		*expired += before != ZONE_EXPIRED && served->zones[i].state == ZONE_EXPIRED;
	}
}

int64_t served_clock(struct served *served, int64_t wall_s, int64_t mono_s)
{
	int64_t offset = wall_s - mono_s, set = offset - served->wall_offset;

	if (served->wall_offset != 0 && set > -CLOCK_SET_S && set < CLOCK_SET_S)
		return 0;
	if (served->wall_offset == 0)
		set = 0;
	served->wall_offset = offset;
	for (size_t i = 0; i < served->count && set != 0; i++) {
		if (served->zones[i].expiry.at == 0)
			continue;
		served->zones[i].expiry.at += set;
		expiry_tell(&served->zones[i], wall_s);
	}
	return set;
}
