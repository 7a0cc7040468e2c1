// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the store writes of publication, and what becomes of a version that is on disk.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slice.h"

// What is published between two manifests is not in the first one; a start after a crash begins
// above it all the same.
#define GENERATIONS_AHEAD 1000

static uint32_t layers_fill(
    const struct version *version, struct manifest_layer layer[IMAGE_LAYERS_MAX])
{
	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct store_image *image = &version->layer[i]->image;

		layer[i] = (struct manifest_layer){
		    .file_id = image->file_id, .offset = image->offset, .size = image->size};
	}
	return version->layer_count;
}

static bool older_fill(
    const struct pzone *zone, const struct version *version, struct manifest_older *to)
{
	const struct version *older = publish_older(zone, version);

	if (older == NULL)
		return false;
	to->generation = older->generation;
	to->serial = older->soa.serial;
	to->layer_count = layers_fill(older, to->layer);
	return true;
}

// `gone`: one of which nothing is on disk, or that is gone, is told, too: with no layer. Post: 0 or
// -ENOMEM.
static int entry_put(const struct pzone *zone, bool gone, struct manifest_entries *entries)
{
	const struct version *version = zone->configured ? zone->current : NULL;
	struct manifest_zone entry = {.apex_len = zone->apex_len};
	struct manifest_older older = {0};
	bool has_older = false;

	memcpy(entry.apex, zone->apex, zone->apex_len);
	// Not durable yet: until it is, the newest that is stored takes its place.
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++)
		if (version != NULL && !version_is_stored(version))
			version = zone->kept[k];
	if (version == NULL || !version_is_stored(version))
		version = zone->unread;
	if (version == NULL && !gone)
		return 0;
	if (version != NULL) {
		entry.layer_count = layers_fill(version, entry.layer);
		entry.serial = version->soa.serial;
		entry.generation = version->generation;
		entry.expires_at = zone->expires_at;
		entry.grace_s = zone->grace_s;
		entry.hidden = zone->hidden;
		has_older = older_fill(zone, version, &older);
	}
	return manifest_put(entries, &entry, has_older ? &older : NULL);
}

// --- what a commit says
// ---------------------------------------------------------------------------

// A zone's entry and its history are of one moment: the latter may know a version that the former
// does not name, and misses none.
static int zone_tell(struct store_state *state, struct pzone *zone)
{
	int rc = 0;

	if (state->all_zones || zone->dirty)
		rc = entry_put(zone, !state->all_zones, &state->zones);
	if (rc == 0 && (state->all_history || zone->history_dirty))
		rc = publish_history_put(zone, state->all_history, &state->history);
	if (rc == 0)
		zone->dirty = zone->history_dirty = false;
	return rc;
}

// Those that change meanwhile are told if their turn comes, and are in the list for the next time.
static int all_tell(struct publisher *p, struct store_state *state, int64_t until_us)
{
	for (size_t n = 1; p->tell_at < p->zone_count; n++) {
		const int rc = zone_tell(state, p->zones[p->tell_at++]);

		if (rc != 0)
			return rc;
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}

static int changed_tell(struct publisher *p, struct store_state *state, int64_t until_us)
{
	for (size_t n = 1; p->telling != NULL; n++) {
		struct pzone *zone = p->telling;
		const int rc = zone_tell(state, zone);

		if (rc != 0)
			return rc;
		p->telling = zone->next_listed;
		zone->listed = false;
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}

// Those whose turn never came.
static void telling_give_back(struct publisher *p)
{
	while (p->telling != NULL) {
		struct pzone *zone = p->telling;

		p->telling = zone->next_listed;
		zone->next_listed = p->changed;
		p->changed = zone;
	}
}

int publish_state_tell(void *ctx, struct store_state *state, int64_t until_us)
{
	struct publisher *p = ctx;
	const bool all = state->all_zones || state->all_history;
	int rc;

	if (!state->begun) {
		state->begun = p->tell_busy = true;
		p->tell_at = 0;
		p->telling = all ? NULL : p->changed;
		p->changed = all ? p->changed : NULL;
	}
	rc = all ? all_tell(p, state, until_us) : changed_tell(p, state, until_us);
	if (rc == -EAGAIN)
		return rc;
	p->tell_busy = false;
	telling_give_back(p);
	// Last: none of what was told has a later one.
	state->zones.generation_max = p->generation + GENERATIONS_AHEAD;
	memcpy(state->zones.hash_key, p->key.k, sizeof(state->zones.hash_key));
	return rc;
}

void publish_stored(void *ctx, struct store_image *image)
{
	struct publisher *p = ctx;
	struct layer *layer = (struct layer *)image;
	struct pzone *zone = layer->zone;

	p->unstored--;
	layer_rest(layer);
	publish_deferred_start(p);
	if (zone->next != NULL && version_is_stored(zone->next)) {
		const bool of_served = version_has(zone->current, layer);

		publish_unconnected(p, zone);
		if (!of_served)
			return;
	}
	publish_dirty(p, zone, true);
	if (version_has(zone->current, layer))
		publish_rest(p, zone);
	if (zone->current != NULL && version_is_stored(zone->current)) {
		version_free(p, zone->unread); // after the manifest that no longer names it
		zone->unread = NULL;
		zone->mark = store_touch(p->store);
	} else {
		store_touch(p->store);
	}
}
