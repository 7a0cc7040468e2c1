// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The way back: a version that is kept (or held since before a restart) is published again, its
// image as it is, under a new generation. It is read from its file in the work thread where it is
// not in memory; the data plane verifies it as any other. A pinned zone takes nothing new.
#include "pzone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "offload.h"
#include "serial.h"

struct recall {
	struct offload_job job; // first
	struct publisher *publisher;
	struct pzone *zone;      // NULL: nobody wants it any more
	struct version *version; // owned until it is on its way
	bool running;            // in the thread: then the thread's end frees it
	bool unpin;              // if it is refused
	publisher_recalled_fn done;
	void *ctx;
	// The layer that is being read: its place, and the memfd or -errno.
	uint64_t layer_id, file_id, offset, size;
	int fd;
};

static void recall_free(struct recall *recall)
{
	if (recall->version != NULL)
		version_free(recall->publisher, recall->version);
	free(recall);
}

static void recall_run(struct offload_job *job)
{
	struct recall *recall = (struct recall *)job;

	recall->fd =
	    store_copy(recall->publisher->storage, recall->file_id, recall->offset, recall->size);
}

// The next layer that is not in memory; when all are the version goes.
static void recall_go(struct recall *recall)
{
	struct version *version = recall->version;
	const struct layer *layer = version_layer_on_disk(version);

	if (layer == NULL) {
		recall->version = NULL;
		version_go(recall->publisher, recall->zone, version);
		return;
	}
	recall->layer_id = layer->id;
	recall->file_id = layer->image.file_id;
	recall->offset = layer->image.offset;
	recall->size = layer->image.size;
	recall->fd = -ECANCELED; // until it was read
	recall->running = true;
	offload_submit(recall->publisher->work, &recall->job);
}

static void recall_done(struct offload_job *job)
{
	struct recall *recall = (struct recall *)job;
	char reason[PUBLISH_REASON_MAX];

	recall->running = false;
	if (recall->zone == NULL || recall->publisher->closing) {
		if (recall->fd >= 0)
			close(recall->fd);
		if (recall->zone != NULL)
			recall->zone->recall = NULL;
		recall_free(recall);
	} else if (recall->fd < 0) {
		snprintf(reason, sizeof(reason), "The stored version cannot be read: %s.",
		    recall->fd == -EBADMSG ? "it is broken" : strerror(-recall->fd));
		publish_failed(recall->publisher, recall->zone, reason);
	} else {
		struct layer *layer = version_layer_on_disk(recall->version);

		if (layer != NULL && layer->id == recall->layer_id)
			layer->image.fd = recall->fd;
		else // another reader was faster
			close(recall->fd);
		recall_go(recall);
	}
}

// The same layers once more. Post: NULL when out of memory.
static struct version *version_again(
    struct publisher *p, const struct version *of, enum history_how how)
{
	struct version *version = version_new(of->zone);

	if (version == NULL)
		return NULL;
	for (unsigned i = 0; i < of->layer_count; i++)
		version_stand_on(version, of->layer[i]);
	version_use(version); // what is read for it stays
	version->generation = ++p->generation;
	version->content = of->content;
	version->rr_count = of->rr_count;
	version->zonemd = of->zonemd;
	version->doubt = of->doubt != NULL ? strdup(of->doubt) : NULL;
	version->origin = of->origin;
	version->soa = of->soa;
	version->how = how;
	return version;
}

static int recall_begin(struct publisher *p, struct pzone *zone, const struct version *version,
    enum history_how how, publisher_recalled_fn done, void *ctx, bool unpin)
{
	struct recall *recall;
	int rc = publish_clear(p, zone, "An older version takes its place.");

	if (rc < 0)
		return rc;
	recall = calloc(1, sizeof(*recall));
	if (recall == NULL)
		return -ENOMEM;
	recall->version = version_again(p, version, how);
	if (recall->version == NULL) {
		free(recall);
		return -ENOMEM;
	}
	recall->publisher = p;
	recall->zone = zone;
	recall->done = done;
	recall->ctx = ctx;
	recall->unpin = unpin;
	recall->job.run = recall_run;
	recall->job.done = recall_done;
	zone->recall = recall;
	zone->stage = STAGE_BUILDING;
	zone->started_us = clock_us();
	recall_go(recall);
	return 0;
}

int recall_start(
    struct publisher *p, struct pzone *zone, const struct version *version, enum history_how how)
{
	return recall_begin(p, zone, version, how, NULL, NULL, false);
}

static void pin_set(struct publisher *p, struct pzone *zone, bool pinned)
{
	if (pinned && !zone->pinned)
		zone->pinned_ms = clock_wall_ms();
	zone->pinned = pinned;
	publish_history_touch(p, zone);
}

void recall_end(struct publisher *p, struct pzone *zone, const char *reason)
{
	struct recall *recall = zone->recall;

	zone->recall = NULL;
	if (reason != NULL && recall->unpin)
		pin_set(p, zone, false);
	if (reason == NULL && p->ops.replaced != NULL && !p->closing)
		p->ops.replaced(p->ops.ctx, zone->apex, &zone->current->soa, zone->current->origin);
	if (recall->done != NULL && !p->closing)
		recall->done(recall->ctx, reason);
	else if (reason != NULL) // what was held since before a restart is held no longer
		publish_answer(p, zone, 0, ENGINE_REJECTED, reason);
	recall_free(recall);
}

void recall_cancel(struct pzone *zone)
{
	struct recall *recall = zone->recall;

	zone->recall = NULL;
	if (recall == NULL)
		return;
	recall->zone = NULL;
	if (!recall->publisher->closing && recall->done != NULL)
		recall->done(recall->ctx, "The zone is no longer configured.");
	recall->done = NULL;
	if (!recall->running)
		recall_free(recall);
}

// --- what a person orders
// -------------------------------------------------------------------------

static const struct version *version_before(const struct pzone *zone, const uint32_t *serial)
{
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++) {
		const struct version *kept = zone->kept[i];

		if (kept == NULL)
			continue;
		if (serial != NULL ? kept->soa.serial == *serial
		                   : serial_newer(zone->current->soa.serial, kept->soa.serial))
			return kept;
	}
	return NULL;
}

int publisher_rollback(struct publisher *p, const uint8_t *apex, const uint32_t *serial,
    publisher_recalled_fn done, void *ctx)
{
	struct pzone *zone = pzone_find(p, apex);
	const struct version *version;
	char name[NAME_TEXT_MAX];
	bool was;
	int rc;

	if (zone == NULL || !zone->configured || zone->current == NULL)
		return -ENOENT;
	was = zone->pinned;
	version = version_before(zone, serial);
	if (version == NULL)
		return -ENOENT;
	name_to_text(zone->apex, name);
	log_info("%s: back to serial %u, from %u; the zone is pinned", name, version->soa.serial,
	    zone->current->soa.serial);
	// First: with nobody connected it is over when this returns.
	pin_set(p, zone, true);
	rc = recall_begin(p, zone, version, HISTORY_ROLLBACK, done, ctx, !was);
	if (rc < 0)
		pin_set(p, zone, was);
	return rc;
}

int publisher_pin(struct publisher *p, const uint8_t *apex, bool pinned)
{
	struct pzone *zone = pzone_find(p, apex);
	int rc = 0;

	if (zone == NULL || !zone->configured || (pinned && zone->current == NULL))
		return -ENOENT;
	if (pinned)
		rc = publish_clear(p, zone, "The zone is pinned.");
	if (rc == 0)
		pin_set(p, zone, pinned);
	return rc;
}
