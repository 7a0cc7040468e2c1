// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What STORAGE/history says of a zone (history.h): written of those that changed, with the next
// commit of the store, and taken up at the start. What is told of versions, for status.
#include "pzone.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

static_assert(VERSIONS_KEPT + 1 <= HISTORY_VERSIONS_MAX, "all of them, and a held one");

void publish_history_touch(struct publisher *p, struct pzone *zone)
{
	publish_dirty(p, zone, true);
	store_touch(p->store);
}

// --- to the disk
// ----------------------------------------------------------------------------------

// Only what is on disk can be found there again.
static void version_tell(
    struct history_zone *record, const struct version *version, enum history_role role)
{
	struct history_version *to = &record->version[record->version_count];

	if (version == NULL || !version_is_stored(version))
		return;
	record->version_count++;
	*to = (struct history_version){.generation = version->generation,
	    .id = version->layer[0]->id,
	    .content = version->content,
	    .origin = version->origin,
	    .rr_count = version->rr_count,
	    .when_ms = version->when_ms,
	    .soa = version->soa,
	    .source = version->source,
	    .role = (uint8_t)role,
	    .how = (uint8_t)version->how,
	    .layer_count = (uint8_t)version->layer_count};
	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct store_image *image = &version->layer[i]->image;

		to->layer[i] = (struct manifest_layer){
		    .file_id = image->file_id, .offset = image->offset, .size = image->size};
	}
}

// A zone of text that never changed has nothing to tell that the manifest does not, but for what
// its file was.
static bool zone_has_history(const struct pzone *zone)
{
	return zone->configured && (zone->pinned || zone->held != NULL || zone->kept[0] != NULL ||
	                               (zone->current != NULL &&
	                                   (zone->secondary || zone->current->source.inode != 0)));
}

int publish_history_put(struct pzone *zone, bool all, struct history_records *records)
{
	struct history_zone record = {.apex_len = zone->apex_len};
	const bool has = zone_has_history(zone);
	int rc;

	// One that has none any more is told once more, so that what was told is forgotten.
	if (!has && (all || !zone->history_told)) {
		zone->history_told = false;
		return 0;
	}
	memcpy(record.apex, zone->apex, zone->apex_len);
	if (zone->configured) {
		record.pinned = zone->pinned;
		record.pinned_ms = zone->pinned_ms;
		version_tell(&record, zone->current, HISTORY_CURRENT);
		for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++)
			version_tell(&record, zone->kept[i], HISTORY_KEPT);
		version_tell(&record, zone->held, HISTORY_HELD);
	}
	rc = history_put(records, &record);
	if (rc == 0)
		zone->history_told = has;
	return rc;
}

// --- from the disk
// --------------------------------------------------------------------------------

static struct layer *layer_in(const struct version *version, const struct manifest_layer *at)
{
	for (unsigned i = 0; version != NULL && i < version->layer_count; i++) {
		const struct store_image *image = &version->layer[i]->image;

		if (image->file_id == at->file_id && image->offset == at->offset)
			return version->layer[i];
	}
	return NULL;
}

// Versions share layers: the ones taken up before know it, or it is new.
static struct layer *layer_find(
    const struct publisher *p, struct pzone *zone, const struct manifest_layer *at)
{
	struct layer *layer = layer_in(zone->current, at);
	struct image_header header;
	char path[PATH_MAX];
	int fd;

	for (unsigned i = 0; layer == NULL && i < VERSIONS_KEPT - 1; i++)
		layer = layer_in(zone->kept[i], at);
	if (layer == NULL)
		layer = layer_in(zone->held, at);
	if (layer != NULL || manifest_image_path(p->storage, at->file_id, path, sizeof(path)) < 0)
		return layer;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return NULL;
	// The data plane, and whoever reads it here, verify it before they trust it.
	if (pread(fd, &header, sizeof(header), (off_t)at->offset) == sizeof(header) &&
	    header.magic == IMAGE_MAGIC && header.version == IMAGE_VERSION &&
	    header.size == at->size)
		layer = layer_new(zone, -1, &header);
	close(fd);
	if (layer != NULL) {
		layer->image.file_id = at->file_id;
		layer->image.offset = at->offset;
	}
	return layer;
}

static struct version *version_take(
    struct publisher *p, struct pzone *zone, const struct history_version *from)
{
	struct version *version = version_new(zone);

	if (version == NULL)
		return NULL;
	for (unsigned i = 0; i < from->layer_count && i < IMAGE_LAYERS_MAX; i++) {
		struct layer *layer = layer_find(p, zone, &from->layer[i]);

		if (layer == NULL || (i > 0 && version->layer[i - 1]->below_id != layer->id)) {
			if (layer != NULL && layer->refs == 0)
				layer_unref(p, layer);
			version_free(p, version);
			return NULL;
		}
		version_stand_on(version, layer);
	}
	version->generation = from->generation;
	version->content = from->content;
	version->origin = from->origin;
	version->rr_count = from->rr_count;
	version->when_ms = from->when_ms;
	version->soa = from->soa;
	version->source = from->source;
	version->how = (enum history_how)from->how;
	return version;
}

static void current_tell(struct version *version, const struct history_version *from)
{
	version->content = from->content;
	version->origin = from->origin;
	version->when_ms = from->when_ms;
	version->source = from->source;
	version->how = (enum history_how)from->how;
}

// As the manifest has it; or NULL.
static struct version *served_of(const struct pzone *zone)
{
	return zone->current != NULL ? zone->current : zone->unread;
}

// A version that was live when this was written, but not yet when the manifest was, is none.
static struct version **version_place(struct pzone *zone, const struct history_version *from)
{
	if (from->role == HISTORY_HELD)
		return &zone->held;
	if (from->generation > served_of(zone)->generation)
		return NULL;
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++)
		if (zone->kept[i] == NULL)
			return &zone->kept[i];
	return NULL;
}

void publish_history_take(void *ctx, const struct history_zone *record)
{
	struct publisher *p = ctx;
	struct pzone *zone = pzone_find(p, record->apex);

	if (zone == NULL || served_of(zone) == NULL)
		return;
	// The last record of a zone counts. None of these was adopted yet.
	version_free(p, zone->held);
	zone->held = NULL;
	if (!zone->older)
		zone->error[0] = '\0';
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++) {
		version_free(p, zone->kept[i]);
		zone->kept[i] = NULL;
	}
	zone->history_told = true;
	zone->pinned = record->pinned;
	zone->pinned_ms = record->pinned_ms;
	for (unsigned i = 0; i < record->version_count; i++) {
		const struct history_version *from = &record->version[i];
		struct version **place;

		if (from->generation > p->generation)
			p->generation = from->generation;
		if (from->generation == served_of(zone)->generation) {
			current_tell(served_of(zone), from);
			continue;
		}
		place = version_place(zone, from);
		if (place != NULL)
			*place = version_take(p, zone, from);
		if (zone->held != NULL)
			snprintf(zone->error, sizeof(zone->error),
			    "Held since before a restart: serial %u, %llu records.",
			    zone->held->soa.serial, (unsigned long long)zone->held->rr_count);
	}
}

// --- for status
// -----------------------------------------------------------------------------------

static size_t version_show(const struct publisher *p, const struct pzone *zone,
    const struct version *version, enum history_role role, struct publisher_version *out)
{
	if (version == NULL)
		return 0;
	*out = (struct publisher_version){.role = role,
	    .how = version->how,
	    .live = role == HISTORY_CURRENT && zone->live_generation == version->generation,
	    .durable = version_is_stored(version) && store_committed(p->store) >= zone->mark,
	    .soa = version->soa,
	    .generation = version->generation,
	    .content = version->content,
	    .origin = version->origin,
	    .rr_count = version->rr_count,
	    .image_size = version_size(version),
	    .when_ms = version->when_ms};
	return 1;
}

size_t publisher_versions(const struct publisher *p, const uint8_t *apex,
    struct publisher_version out[HISTORY_VERSIONS_MAX])
{
	const struct pzone *zone = pzone_find(p, apex);
	size_t n = 0;

	if (zone == NULL || !zone->configured)
		return 0;
	n += version_show(p, zone, zone->current, HISTORY_CURRENT, out + n);
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++)
		n += version_show(p, zone, zone->kept[i], HISTORY_KEPT, out + n);
	n += version_show(p, zone, zone->held, HISTORY_HELD, out + n);
	return n;
}
