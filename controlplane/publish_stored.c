// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the store asks of publication, and what becomes of a version that is on disk.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "serial.h"

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

// What a boot makes do with when it finds `version` broken: the newest kept one that a primary's
// next version will replace, since its serial is older.
static const struct version *older_of(const struct pzone *zone, const struct version *version)
{
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++) {
		const struct version *kept = zone->kept[k];

		if (kept != NULL && kept->generation < version->generation &&
		    serial_newer(version->soa.serial, kept->soa.serial) && version_is_stored(kept))
			return kept;
	}
	return NULL;
}

static int older_fill(const struct pzone *zone, const struct version *version,
    struct manifest *manifest, struct manifest_zone *entry)
{
	const struct version *older = older_of(zone, version);
	struct manifest_older to = {0};

	if (older == NULL)
		return 0;
	to.generation = older->generation;
	to.serial = older->soa.serial;
	to.layer_count = layers_fill(older, to.layer);
	return manifest_older_add(manifest, entry, &to);
}

// Post: 1; 0 when nothing of the zone is on disk, or it is gone: no layer then; or -ENOMEM.
static int entry_fill(
    const struct pzone *zone, struct manifest *manifest, struct manifest_zone *entry)
{
	const struct version *version = zone->configured ? zone->current : NULL;
	int rc;

	entry->apex_len = zone->apex_len;
	memcpy(entry->apex, zone->apex, zone->apex_len);
	// Not durable yet: until it is, the newest that is stored takes its place.
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++)
		if (version != NULL && !version_is_stored(version))
			version = zone->kept[k];
	if (version == NULL || !version_is_stored(version))
		version = zone->configured ? zone->unread : NULL;
	if (version == NULL)
		return 0;
	entry->layer_count = layers_fill(version, entry->layer);
	entry->serial = version->soa.serial;
	entry->generation = version->generation;
	entry->expires_at = zone->expires_at;
	entry->grace_s = zone->grace_s;
	entry->hidden = zone->hidden;
	rc = older_fill(zone, version, manifest, entry);
	return rc < 0 ? rc : 1;
}

int publish_snapshot(void *ctx, bool all, struct manifest *manifest)
{
	const struct publisher *p = ctx;
	size_t count = 0;
	int rc = 0;

	for (const struct pzone *zone = p->dirty; !all && zone != NULL; zone = zone->next_dirty)
		count++;
	manifest->zones = calloc((all ? p->zone_count : count) + 1, sizeof(*manifest->zones));
	if (manifest->zones == NULL)
		return -ENOMEM;
	manifest->generation_max = p->generation + GENERATIONS_AHEAD;
	memcpy(manifest->hash_key, p->key.k, sizeof(manifest->hash_key));
	for (size_t i = 0; all && i < p->zone_count && rc >= 0; i++) {
		rc = entry_fill(p->zones[i], manifest, &manifest->zones[manifest->zone_count]);
		manifest->zone_count += rc > 0;
	}
	for (const struct pzone *zone = p->dirty; !all && zone != NULL && rc >= 0;
	     zone = zone->next_dirty)
		rc = entry_fill(zone, manifest, &manifest->zones[manifest->zone_count++]);
	return rc < 0 ? rc : 0;
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
