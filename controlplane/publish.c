// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The life of a version: built, sent, live, stored, kept for a way back, forgotten; see publish.h.
// A version enters the manifest only after the data plane has taken it (or none is connected), so
// that a version which it cannot take is not what it finds at its next start.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compiler.h"
#include "image.h"
#include "log.h"
#include "offload.h"
#include "reader.h"

#define COMPILER_TIMEOUT_MS 60000
#define COMPILER_CHILDREN   2
#define TIMERS_PERIOD_S     5
#define UNSTORED_MAX        1024
// Memory descriptors are few (one per image kept in memory); what is stored need not be in memory.
#define IMAGES_IN_MEMORY 512
// What is published between two manifests is not in the first one; a start after a crash begins
// above it all the same.
#define GENERATIONS_AHEAD 1000

int64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct pzone *pzone_find(const struct publisher *p, const uint8_t *apex)
{
	return idmap_find(&p->map, apex, name_len(apex));
}

void content_free(struct content *content)
{
	records_free(content->records);
	delta_free(content->delta);
	free(content->hold);
	*content = (struct content){0};
}

static void held_drop(struct publisher *p, struct pzone *zone)
{
	if (zone->held == NULL)
		return;
	version_free(p, zone->held);
	zone->held = NULL;
	publish_history_touch(p, zone);
}

// --- the way of a version
// -------------------------------------------------------------------------

static void answer(struct publisher *p, struct pzone *zone, uint32_t token,
    enum engine_verdict verdict, const char *reason)
{
	if (!p->closing && p->ops.published != NULL)
		p->ops.published(p->ops.ctx, zone->apex, token, verdict, reason);
}

// The end of `next`, or of what should have become it.
static void answer_next(
    struct publisher *p, struct pzone *zone, enum engine_verdict verdict, const char *reason)
{
	if (zone->recall != NULL)
		recall_end(p, zone, reason);
	else
		answer(p, zone, zone->token, verdict, reason);
}

// Versions go live faster than a disk takes them: when many wait for it, the next ones wait too. A
// disk that takes nothing at all must not stop publication, so then far more may wait.
static size_t unstored_limit(const struct publisher *p)
{
	return store_trouble(p->store)[0] != '\0' ? p->unstored_max : UNSTORED_MAX;
}

static void waiting_start(struct publisher *p, struct pzone *zone)
{
	struct content content = zone->waiting;

	if (content_is_empty(&content) || zone->stage != STAGE_NONE || p->closing || zone->deferred)
		return;
	if (p->unstored >= unstored_limit(p)) {
		zone->deferred = true;
		zone->next_deferred = NULL;
		*p->deferred_last = zone;
		p->deferred_last = &zone->next_deferred;
		return;
	}
	zone->waiting = (struct content){0};
	held_drop(p, zone); // what comes now takes its place
	zone->token = zone->waiting_token;
	zone->started_us = zone->waiting_us;
	build_start(p, zone, &content);
}

static void deferred_start(struct publisher *p)
{
	while (p->deferred != NULL && p->unstored < unstored_limit(p)) {
		struct pzone *zone = p->deferred;

		p->deferred = zone->next_deferred;
		if (p->deferred == NULL)
			p->deferred_last = &p->deferred;
		zone->deferred = false;
		waiting_start(p, zone);
	}
}

static void content_take(
    struct publisher *p, const uint8_t *apex, uint32_t token, struct content content)
{
	struct pzone *zone = pzone_find(p, apex);

	if (zone == NULL || !zone->configured) {
		content_free(&content);
		if (p->ops.published != NULL)
			p->ops.published(p->ops.ctx, apex, token, ENGINE_REJECTED,
			    "The zone is not configured.");
		return;
	}
	if (zone->pinned) {
		content_free(&content);
		answer(p, zone, token, ENGINE_REJECTED, "The zone is pinned.");
		return;
	}
	if (!content_is_empty(&zone->waiting)) {
		content_free(&zone->waiting);
		answer(p, zone, zone->waiting_token, ENGINE_REJECTED,
		    "A later version took its place.");
	}
	zone->waiting = content;
	zone->waiting_token = token;
	zone->waiting_us = clock_us();
	waiting_start(p, zone);
}

// What is to be held and cannot be said why is not published either.
static void content_take_or_hold(struct publisher *p, const uint8_t *apex, uint32_t token,
    const char *hold, struct content content)
{
	content.hold = hold != NULL ? strdup(hold) : NULL;
	if (hold != NULL && content.hold == NULL) {
		content_free(&content);
		if (p->ops.published != NULL)
			p->ops.published(
			    p->ops.ctx, apex, token, ENGINE_REJECTED, "Out of memory.");
		return;
	}
	content_take(p, apex, token, content);
}

void publisher_publish(struct publisher *p, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records)
{
	content_take_or_hold(
	    p, apex, token, hold, (struct content){.records = records, .origin = origin});
}

void publisher_apply(struct publisher *p, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct delta *delta)
{
	content_take_or_hold(
	    p, apex, token, hold, (struct content){.delta = delta, .origin = origin});
}

void publish_failed(struct publisher *p, struct pzone *zone, const char *reason)
{
	char name[NAME_TEXT_MAX];

	version_free(p, zone->next);
	zone->next = NULL;
	zone->stage = STAGE_NONE;
	snprintf(zone->error, sizeof(zone->error), "%.250s", reason);
	name_to_text(zone->apex, name);
	log_warning("%s: the new version is not served: %s", name, reason);
	answer_next(p, zone, ENGINE_REJECTED, reason);
	waiting_start(p, zone);
}

// What is served again is no longer kept beside it.
static void kept_take_out(struct publisher *p, struct pzone *zone, uint64_t content)
{
	unsigned to = 0;

	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++) {
		struct version *kept = zone->kept[i];

		zone->kept[i] = NULL;
		if (kept != NULL && kept->content == content)
			version_free(p, kept);
		else
			zone->kept[to++] = kept;
	}
}

void publish_dirty(struct publisher *p, struct pzone *zone, bool history)
{
	zone->history_dirty |= history;
	if (zone->dirty)
		return;
	zone->dirty = true;
	zone->next_dirty = p->dirty;
	p->dirty = zone;
}

// What is on disk need not stay in memory as well: of small images, the last ones do.
static void image_rest(struct publisher *p, struct pzone *zone)
{
	if (!zone->resting) {
		zone->resting = true;
		zone->next_resting = NULL;
		*p->resting_last = zone;
		p->resting_last = &zone->next_resting;
		p->resting_count++;
	}
	while (p->resting_count > IMAGES_IN_MEMORY) {
		const struct version *version;
		struct store_image *image;

		zone = p->resting;
		p->resting = zone->next_resting;
		if (p->resting == NULL)
			p->resting_last = &p->resting;
		p->resting_count--;
		zone->resting = false;
		version = zone->current;
		image = version != NULL ? &version->layer[0]->image : NULL;
		if (image == NULL || image->fd < 0 || !image->stored ||
		    image->size >= STACK_BASE_MIN || version->layer_count > 1 ||
		    zone->stage != STAGE_NONE || zone->tell_current)
			continue;
		close(image->fd);
		image->fd = -1;
	}
}

static void promote(struct publisher *p, struct pzone *zone)
{
	struct version *old = zone->current;

	publish_journal_step(p, zone, old, zone->next);
	kept_take_out(p, zone, zone->next->content);
	version_free(p, zone->kept[VERSIONS_KEPT - 2]);
	for (unsigned i = VERSIONS_KEPT - 2; i > 0; i--)
		zone->kept[i] = zone->kept[i - 1];
	zone->kept[0] = old;
	p->image_bytes -= old != NULL ? version_size(old) : 0;
	p->image_bytes += version_size(zone->next);
	zone->current = zone->next;
	zone->next = NULL;
	if (old != NULL)
		version_unuse(old);
	fold_follow(p, zone, old);
	zone->stage = STAGE_NONE;
	zone->error[0] = '\0';
	zone->expired = false;
	zone->expires_at = zone->current->expires_at;
	zone->publish_us = (unsigned)(clock_us() - zone->started_us);
	zone->published_ms = zone->current->when_ms = clock_wall_ms();
	publish_dirty(p, zone, true);
	if (version_is_stored(zone->current))
		image_rest(p, zone);
	zone->mark = store_touch(p->store);
	if (!p->closing && p->ops.changed != NULL)
		p->ops.changed(p->ops.ctx, zone->apex);
}

void publish_live(struct publisher *p, struct pzone *zone)
{
	char name[NAME_TEXT_MAX];

	zone->live_generation = zone->next->generation;
	version_prove(zone->next);
	version_store(p, zone->next);
	promote(p, zone);
	name_to_text(zone->apex, name);
	log_info("%s: serial %u is live after %.1f ms (generation %llu)", name,
	    zone->current->soa.serial, zone->publish_us / 1e3,
	    (unsigned long long)zone->current->generation);
	answer_next(p, zone, ENGINE_LIVE, NULL);
	waiting_start(p, zone);
}

// Nobody is connected and the image is durable: that is as much as can be done now. One that was
// sent before waits for the data plane to come back, see the top of the file.
static void accept_unconnected(struct publisher *p, struct pzone *zone)
{
	char name[NAME_TEXT_MAX];

	if (zone->stage != STAGE_READY)
		return;
	if (!zone->hidden && (p->connected || p->greeting || zone->next->attempts > 0))
		return;
	// It was for a data plane to prove, and is a catalog now that no data plane gets.
	if (zone->hidden && zone->next->layer[0]->unproven) {
		publish_failed(
		    p, zone, "The zone became a catalog while this version was on its way.");
		return;
	}
	if (!version_is_stored(zone->next))
		return;
	promote(p, zone);
	name_to_text(zone->apex, name);
	log_info("%s: serial %u is stored%s (generation %llu)", name, zone->current->soa.serial,
	    zone->hidden ? "" : " for a data plane to come",
	    (unsigned long long)zone->current->generation);
	answer_next(p, zone, ENGINE_LIVE, NULL);
	waiting_start(p, zone);
}

// Good until the engine says how long (zone.h), which it does as soon as the version is live.
#define EXPIRE_LEAST_S 60

static int64_t soa_expires_at(const struct pzone *zone, const struct zone_soa *soa)
{
	int64_t expire_s = soa->expire_s < EXPIRE_LEAST_S ? EXPIRE_LEAST_S : soa->expire_s;

	if (!zone->secondary)
		return 0;
	return clock_wall_ms() / 1000 + expire_s + zone->grace_s;
}

void version_go(struct publisher *p, struct pzone *zone, struct version *version)
{
	zone->next = version;
	version_use(version);
	zone->stage = STAGE_READY;
	version->expires_at = soa_expires_at(zone, &version->soa);
	publish_tell(p, zone);
	publish_flush(p); // first the data plane, then the disk
	version_store(p, version);
	accept_unconnected(p, zone);
}

static void version_hold(
    struct publisher *p, struct pzone *zone, struct version *version, const char *reason)
{
	char name[NAME_TEXT_MAX];

	zone->held = version;
	version_use(version); // it stays in memory
	zone->held_token = zone->token;
	version->when_ms = clock_wall_ms();
	version_store(p, version);
	zone->stage = STAGE_NONE;
	snprintf(zone->error, sizeof(zone->error), "%.250s", reason);
	name_to_text(zone->apex, name);
	log_warning("%s: serial %u: %s 'npctl zone accept %s' takes it all the same.", name,
	    version->soa.serial, reason, name);
	answer(p, zone, zone->token, zone->held_short ? ENGINE_SHORT : ENGINE_HELD, reason);
	waiting_start(p, zone);
}

void publish_built(
    struct publisher *p, struct pzone *zone, struct version *version, const char *reason)
{
	if (version != NULL && reason != NULL) {
		version_hold(p, zone, version, reason);
	} else if (reason != NULL) {
		publish_failed(p, zone, reason);
	} else if (version != NULL) {
		version_go(p, zone, version);
	} else { // equal to what is served
		zone->stage = STAGE_NONE;
		zone->error[0] = '\0';
		answer(p, zone, zone->token, ENGINE_LIVE, NULL);
		waiting_start(p, zone);
	}
}

int publisher_accept(struct publisher *p, const uint8_t *apex)
{
	struct pzone *zone = pzone_find(p, apex);
	struct version *version;

	if (zone == NULL || zone->held == NULL)
		return -ENOENT;
	if (zone->pinned)
		return -EPERM;
	if (zone->stage != STAGE_NONE)
		return -EBUSY;
	version = zone->held;
	if (zone->held_token == 0) { // since before a restart: nobody waits for its token
		const int rc = recall_start(p, zone, version, version->how);

		if (rc == 0)
			held_drop(p, zone);
		return rc;
	}
	zone->held = NULL;
	zone->token = zone->held_token;
	zone->started_us = clock_us();
	version_go(p, zone, version);
	return 0;
}

void publisher_agreed(struct publisher *p, const uint8_t *apex, uint32_t token)
{
	struct pzone *zone = pzone_find(p, apex);
	int rc = -ENOENT;

	if (zone != NULL && zone->held != NULL && zone->held_short && zone->held_token != 0) {
		const uint32_t before = zone->held_token;

		zone->held_token = token;
		rc = publisher_accept(p, apex);
		if (rc < 0)
			zone->held_token = before;
	}
	if (rc < 0 && !p->closing && p->ops.published != NULL)
		p->ops.published(p->ops.ctx, apex, token, ENGINE_REJECTED,
		    "What was held cannot be published now.");
}

int publish_clear(struct publisher *p, struct pzone *zone, const char *reason)
{
	if (zone->recall != NULL || zone->stage == STAGE_READY || zone->stage == STAGE_SENT)
		return -EBUSY;
	if (!content_is_empty(&zone->waiting)) {
		content_free(&zone->waiting);
		answer(p, zone, zone->waiting_token, ENGINE_REJECTED, reason);
	}
	if (zone->stage == STAGE_BUILDING) {
		build_cancel(zone->build);
		zone->build = NULL;
		zone->stage = STAGE_NONE;
		answer(p, zone, zone->token, ENGINE_REJECTED, reason);
	}
	return 0;
}

// The connection is over: what was sent waits for the next one, but not for ever again.
void publish_gone(struct publisher *p)
{
	for (size_t i = 0; i < p->zone_count; i++) {
		struct pzone *zone = p->zones[i];

		zone->live_generation = 0;
		if (zone->stage != STAGE_SENT)
			continue;
		zone->stage = STAGE_READY;
		if (zone->next->attempts >= PUBLISH_ATTEMPTS)
			publish_failed(p, zone,
			    "The data plane ended each time it was about to take this "
			    "version.");
	}
	for (size_t i = 0; i < p->zone_count; i++)
		accept_unconnected(p, p->zones[i]);
}

// --- what the store asks and tells
// ----------------------------------------------------------------

// Post: false when nothing of the zone is on disk, or it is gone: no layer then.
static bool entry_fill(const struct pzone *zone, struct manifest_zone *entry)
{
	const struct version *version = zone->configured ? zone->current : NULL;

	entry->apex_len = zone->apex_len;
	memcpy(entry->apex, zone->apex, zone->apex_len);
	// Not durable yet: until it is, the newest that is stored takes its place.
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++)
		if (version != NULL && !version_is_stored(version))
			version = zone->kept[k];
	if (version == NULL || !version_is_stored(version))
		version = zone->configured ? zone->unread : NULL;
	if (version == NULL)
		return false;
	entry->layer_count = version->layer_count;
	entry->serial = version->soa.serial;
	entry->generation = version->generation;
	entry->expires_at = zone->expires_at;
	entry->grace_s = zone->grace_s;
	entry->hidden = zone->hidden;
	for (unsigned l = 0; l < version->layer_count; l++) {
		const struct store_image *image = &version->layer[l]->image;

		entry->layer[l] = (struct manifest_layer){
		    .file_id = image->file_id, .offset = image->offset, .size = image->size};
	}
	return true;
}

static int store_snapshot(void *ctx, bool all, struct manifest *manifest)
{
	const struct publisher *p = ctx;
	size_t count = 0;

	for (const struct pzone *zone = p->dirty; !all && zone != NULL; zone = zone->next_dirty)
		count++;
	manifest->zones = calloc((all ? p->zone_count : count) + 1, sizeof(*manifest->zones));
	if (manifest->zones == NULL)
		return -ENOMEM;
	manifest->generation_max = p->generation + GENERATIONS_AHEAD;
	memcpy(manifest->hash_key, p->key.k, sizeof(manifest->hash_key));
	for (size_t i = 0; all && i < p->zone_count; i++)
		if (entry_fill(p->zones[i], &manifest->zones[manifest->zone_count]))
			manifest->zone_count++;
	for (const struct pzone *zone = p->dirty; !all && zone != NULL; zone = zone->next_dirty)
		(void)entry_fill(zone, &manifest->zones[manifest->zone_count++]);
	return 0;
}

static void store_stored(void *ctx, struct store_image *image)
{
	struct publisher *p = ctx;
	struct layer *layer = (struct layer *)image;
	struct pzone *zone = layer->zone;

	p->unstored--;
	layer_rest(layer);
	deferred_start(p);
	if (zone->next != NULL && version_is_stored(zone->next)) {
		const bool of_served = version_has(zone->current, layer);

		accept_unconnected(p, zone);
		if (!of_served)
			return;
	}
	publish_dirty(p, zone, true);
	if (version_has(zone->current, layer))
		image_rest(p, zone);
	if (zone->current != NULL && version_is_stored(zone->current)) {
		version_free(p, zone->unread); // after the manifest that no longer names it
		zone->unread = NULL;
		zone->mark = store_touch(p->store);
	} else {
		store_touch(p->store);
	}
}

// --- what the engine asks and tells
// ---------------------------------------------------------------

void publisher_load(struct publisher *p, const uint8_t *apex, struct engine_stored *out)
{
	const struct pzone *zone = pzone_find(p, apex);

	*out = (struct engine_stored){0};
	if (zone == NULL || zone->current == NULL)
		return;
	out->has_copy = true;
	out->pinned = zone->pinned;
	if (zone->held != NULL) {
		out->has_held = true;
		out->held_serial = zone->held->soa.serial;
	}
	out->soa = zone->current->soa;
	out->origin = zone->current->origin;
	if (zone->has_timers) {
		out->has_timers = true;
		out->timers = zone->timers;
	} else if (zone->expires_at != 0) { // as the manifest has it
		out->has_timers = true;
		out->timers.expires_ms = zone->expires_at * 1000;
		out->timers.refreshed_ms =
		    out->timers.expires_ms -
		    ((int64_t)zone->current->soa.expire_s + zone->grace_s) * 1000;
	}
}

static void expires_at_set(struct publisher *p, struct pzone *zone, int64_t expires_at)
{
	if (zone->expires_at == expires_at)
		return;
	zone->expires_at = expires_at;
	publish_dirty(p, zone, false);
	zone->tell_renew = true;
	publish_tell(p, zone);
	publish_flush(p);
	p->timers_dirty = true; // the manifest follows with the timers, not for each refresh
}

void publisher_expire(struct publisher *p, const uint8_t *apex, bool expired)
{
	struct pzone *zone = pzone_find(p, apex);

	if (zone == NULL)
		return;
	zone->expired = expired;
	if (expired)
		expires_at_set(p, zone, clock_wall_ms() / 1000 - 1);
	else if (zone->has_timers)
		expires_at_set(p, zone, zone->timers.expires_ms / 1000);
}

void publisher_store(struct publisher *p, const uint8_t *apex, const struct zone_timers *timers)
{
	struct pzone *zone = pzone_find(p, apex);

	if (zone == NULL)
		return;
	zone->timers = *timers;
	zone->has_timers = true;
	p->timers_dirty = true;
	if (!zone->expired && zone->secondary)
		expires_at_set(p, zone, timers->expires_ms / 1000);
}

bool publisher_status(const struct publisher *p, const uint8_t *apex, struct publisher_status *out)
{
	const struct pzone *zone = pzone_find(p, apex);

	*out = (struct publisher_status){0};
	if (zone == NULL || !zone->configured)
		return false;
	if (zone->current != NULL) {
		out->has_version = true;
		out->live = zone->hidden || zone->live_generation == zone->current->generation;
		out->durable = version_is_stored(zone->current) &&
		               store_committed(p->store) >= zone->mark && zone->journaling == 0;
		out->serial = zone->current->soa.serial;
		out->generation = zone->current->generation;
		out->content = zone->current->content;
		out->image_size = version_size(zone->current);
		out->rr_count = zone->current->rr_count;
	}
	out->busy = zone->stage != STAGE_NONE;
	out->expired = zone->expired;
	if (zone->held != NULL) {
		out->held = true;
		out->held_serial = zone->held->soa.serial;
		out->held_records = zone->held->rr_count;
	}
	out->pinned = zone->pinned;
	out->pinned_ms = zone->pinned_ms;
	out->expires_at = zone->expires_at;
	out->published_ms = zone->published_ms;
	out->publish_us = zone->publish_us;
	snprintf(out->error, sizeof(out->error), "%s", zone->error);
	if (out->error[0] == '\0' && out->has_version && !out->durable)
		snprintf(out->error, sizeof(out->error), "%.250s",
		    store_trouble(p->store)[0] != '\0' ? store_trouble(p->store)
		                                       : publish_journal_trouble(p));
	return true;
}

void publisher_summary(const struct publisher *p, struct publisher_summary *out)
{
	*out = (struct publisher_summary){.connected = p->connected,
	    .dataplane_pid = p->pid,
	    .connected_ms = p->connected_ms,
	    .generation = p->generation};
	for (size_t i = 0; i < p->zone_count; i++) {
		const struct pzone *zone = p->zones[i];
		struct publisher_status status;

		if (!publisher_status(p, zone->apex, &status))
			continue;
		out->zones++;
		out->versions += status.has_version;
		out->live += status.live;
		out->durable += status.has_version && status.durable;
		out->busy += status.busy;
		out->failed += status.error[0] != '\0';
		out->image_bytes += status.image_size;
	}
}

// --- zones come and go
// ----------------------------------------------------------------------------

static struct pzone *pzone_new(const struct config_zone *config)
{
	struct pzone *zone = calloc(1, sizeof(*zone));
	uint8_t *apex = malloc(config->domain_len);

	if (zone == NULL || apex == NULL) {
		free(zone);
		free(apex);
		return NULL;
	}
	memcpy(apex, config->domain, config->domain_len);
	zone->apex = apex;
	zone->apex_len = config->domain_len;
	return zone;
}

static void pzone_free(struct publisher *p, struct pzone *zone)
{
	build_cancel(zone->build);
	fold_drop(p, zone);
	recall_cancel(zone);
	content_free(&zone->waiting);
	version_free(p, zone->held);
	version_free(p, zone->next);
	version_free(p, zone->current);
	version_free(p, zone->unread);
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++)
		version_free(p, zone->kept[i]);
	free((void *)(uintptr_t)zone->apex);
	free(zone);
}

static int pzone_add(struct publisher *p, const struct config_zone *config, struct pzone **out)
{
	struct pzone *zone;

	if (p->zone_count == p->zone_cap) {
		size_t cap = p->zone_cap == 0 ? 64 : p->zone_cap * 2;
		struct pzone **zones = reallocarray(p->zones, cap, sizeof(*zones));

		if (zones == NULL)
			return -ENOMEM;
		p->zones = zones;
		p->zone_cap = cap;
	}
	zone = pzone_new(config);
	if (zone == NULL)
		return -ENOMEM;
	if (!idmap_add(&p->map, zone->apex, zone->apex_len, zone)) {
		pzone_free(p, zone);
		return -ENOMEM;
	}
	p->zones[p->zone_count++] = zone;
	*out = zone;
	return 0;
}

// A zone that is gone gives up what it has; its entry stays, so that a data plane that
// connects later is told to withdraw it.
static void pzone_withdraw(struct publisher *p, struct pzone *zone)
{
	const char *reason = "The zone is no longer configured.";

	if (!content_is_empty(&zone->waiting))
		answer(p, zone, zone->waiting_token, ENGINE_REJECTED, reason);
	if (zone->stage != STAGE_NONE && zone->recall == NULL)
		answer(p, zone, zone->token, ENGINE_REJECTED, reason);
	recall_cancel(zone);
	fold_drop(p, zone);
	build_cancel(zone->build);
	zone->build = NULL;
	content_free(&zone->waiting);
	held_drop(p, zone);
	version_free(p, zone->next);
	p->image_bytes -= zone->current != NULL ? version_size(zone->current) : 0;
	version_free(p, zone->current);
	version_free(p, zone->unread);
	zone->next = zone->current = zone->unread = NULL;
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++) {
		version_free(p, zone->kept[i]);
		zone->kept[i] = NULL;
	}
	zone->stage = STAGE_NONE;
	zone->error[0] = '\0';
	zone->has_timers = zone->expired = zone->pinned = false;
	publish_dirty(p, zone, true);
	zone->expires_at = 0;
	zone->withdraw_generation = ++p->generation;
	zone->tell_withdraw = true;
	zone->tell_current = zone->tell_renew = false;
	publish_tell(p, zone);
}

static void grace_set(struct publisher *p, struct pzone *zone, const struct config_zone *config)
{
	uint32_t grace_s =
	    zone->secondary && config->expire == CONFIG_EXPIRE_GRACE ? config->grace_s : 0;

	if (zone->grace_s == grace_s)
		return;
	zone->grace_s = grace_s;
	publish_dirty(p, zone, false);
	zone->tell_renew = true;
	publish_tell(p, zone);
	p->timers_dirty = true;
}

// What was public and becomes a catalog is withdrawn, what was one is sent.
static void hidden_set(struct publisher *p, struct pzone *zone, bool hidden)
{
	if (zone->hidden == hidden)
		return;
	zone->hidden = hidden;
	publish_dirty(p, zone, false);
	if (hidden && zone->live_generation != 0) {
		zone->withdraw_generation = ++p->generation;
		zone->tell_withdraw = true;
	}
	zone->tell_current = !hidden && zone->current != NULL;
	publish_tell(p, zone);
	accept_unconnected(p, zone);
}

// Post: 0 or -ENOMEM, nothing changed then.
static int zones_set(struct publisher *p, const struct config *config)
{
	bool *was;

	// First what can fail: entries for all zones that are new. One without a configured
	// zone changes nothing.
	for (size_t i = 0; i < config->zone_count; i++) {
		struct pzone *zone = pzone_find(p, config->zones[i].domain);

		if (zone == NULL && pzone_add(p, &config->zones[i], &zone) < 0)
			return -ENOMEM;
	}
	was = calloc(p->zone_count + 1, sizeof(*was));
	if (was == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->zone_count; i++) {
		was[i] = p->zones[i]->configured;
		p->zones[i]->configured = false;
	}
	for (size_t i = 0; i < config->zone_count; i++) {
		struct pzone *zone = pzone_find(p, config->zones[i].domain);

		zone->configured = true;
		zone->secondary = config->zones[i].file == NULL;
		zone->zonemd = zone->secondary ? config->zones[i].zonemd : CONFIG_ZONEMD_OFF;
		zone->shrink_limit = zone->secondary ? config->zones[i].shrink_limit : 100;
		zone->records_max =
		    zone->secondary ? config->zones[i].limits->zone_records : UINT32_MAX;
		zone->journal.depth = config->zones[i].journal_depth;
		zone->journal.usage = (uint64_t)config->zones[i].journal_mb << 20;
		grace_set(p, zone, &config->zones[i]);
		zone->tell_withdraw = false;
		hidden_set(p, zone, config->zones[i].catalog != NULL);
		if (!zone->secondary) {
			zone->has_timers = false;
			expires_at_set(p, zone, 0);
		}
	}
	for (size_t i = 0; i < p->zone_count; i++)
		if (was[i] && !p->zones[i]->configured)
			pzone_withdraw(p, p->zones[i]);
	free(was);
	return 0;
}

int publisher_reconfigure(struct publisher *p, const struct config *config)
{
	int rc = zones_set(p, config);

	if (rc < 0)
		return rc;
	p->memory_max = config->controlplane.memory_max;
	store_touch(p->store);
	publish_flush(p);
	return 0;
}

// --- start and end
// --------------------------------------------------------------------------------

static void timers_tick(evutil_socket_t fd, short what, void *arg)
{
	struct publisher *p = arg;

	deferred_start(p); // the limit is another one when the disk is in trouble
	if (!p->timers_dirty)
		return;
	p->timers_dirty = false;
	if (publish_timers_save(p) < 0)
		p->timers_dirty = true;
	store_touch(p->store); // expiry times of the manifest
}

static int publisher_start(
    struct publisher *p, const struct config *config, char error[PUBLISH_REASON_MAX])
{
	const struct store_ops ops = {.ctx = p,
	    .snapshot = store_snapshot,
	    .history = publish_history_snapshot,
	    .stored = store_stored};
	const struct timeval period = {.tv_sec = TIMERS_PERIOD_S};
	struct manifest manifest;
	int rc;

	rc = store_open(p->base, p->storage, &ops, &p->store, &manifest, error);
	if (rc < 0)
		return rc;
	if (error[0] != '\0')
		log_error("%s", error);
	p->generation = manifest.generation_max;
	memcpy(p->key.k, manifest.hash_key, sizeof(p->key.k));
	if (p->key.k[0] == 0 && p->key.k[1] == 0 &&
	    getrandom(p->key.k, sizeof(p->key.k), 0) != sizeof(p->key.k))
		abort();
	rc = zones_set(p, config);
	if (rc == 0 && publish_boot(p, &manifest) < 0)
		rc = -ENOMEM;
	manifest_free(&manifest);
	if (rc == 0) {
		(void)publish_timers_load(p);
		store_touch(p->store); // not before the versions of the old one are taken up
		p->compiler = compiler_open(p->base, COMPILER_CHILDREN, COMPILER_TIMEOUT_MS);
		p->work = offload_open(p->base, "np-work");
		p->heavy = offload_open(p->base, "np-heavy");
		p->look = offload_open(p->base, "np-look");
		p->reader = offload_open(p->base, "np-reader");
		p->timers_timer = event_new(p->base, -1, EV_PERSIST, timers_tick, p);
		if (p->compiler == NULL || p->work == NULL || p->heavy == NULL || p->look == NULL ||
		    p->reader == NULL || p->timers_timer == NULL ||
		    event_add(p->timers_timer, &period) < 0 || publish_journal_open(p) < 0)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		snprintf(error, PUBLISH_REASON_MAX, "Publication cannot start: %s.", strerror(-rc));
		return rc;
	}
	if (mkdir(config->server.rundir, 0755) < 0 && errno != EEXIST)
		rc = -errno;
	if (rc == 0)
		rc = publish_seam_open(p, config->server.rundir);
	if (rc < 0)
		snprintf(error, PUBLISH_REASON_MAX, "The socket %s/%s cannot be opened: %s.",
		    config->server.rundir, "seam.sock", strerror(-rc));
	return rc;
}

int publisher_open(struct event_base *base, const struct config *config,
    const struct publisher_ops *ops, struct publisher **out, char error[PUBLISH_REASON_MAX])
{
	struct publisher *p = calloc(1, sizeof(*p));
	struct rlimit limit;
	int rc = -ENOMEM;

	*out = NULL;
	error[0] = '\0';
	if (p == NULL)
		return rc;
	p->base = base;
	p->ops = *ops;
	p->memory_max = config->controlplane.memory_max;
	p->resting_last = &p->resting;
	p->queue_last = &p->queue;
	p->deferred_last = &p->deferred;
	p->unstored_max = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : UNSTORED_MAX;
	p->asks_last = &p->asks;
	p->storage = strdup(config->server.storage);
	if (p->storage != NULL)
		rc = publisher_start(p, config, error);
	if (rc < 0) {
		publisher_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void publisher_close(struct publisher *p)
{
	if (p == NULL)
		return;
	p->closing = true;
	publish_seam_close(p);
	if (p->timers_timer != NULL) {
		event_free(p->timers_timer);
		if (p->timers_dirty)
			(void)publish_timers_save(p);
	}
	compiler_close(p->compiler);
	p->compiler = NULL;
	offload_close(p->work);
	offload_close(p->look);
	offload_close(p->heavy);
	offload_close(p->reader);
	if (p->store != NULL && p->timers_dirty)
		store_touch(p->store);
	store_finish(p->store);
	publish_journal_finish(p);
	publish_journal_close(p);
	for (size_t i = 0; i < p->zone_count; i++)
		pzone_free(p, p->zones[i]);
	p->zone_count = 0;
	store_close(p->store);
	idmap_free(&p->map);
	free(p->zones);
	free(p->storage);
	free(p);
}
