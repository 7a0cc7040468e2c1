// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The life of a version: built, sent, live, stored, kept for a way back, forgotten; see publish.h.
// A version enters the manifest only after the data plane has taken it (or none is connected), so
// that a version which it cannot take is not what it finds at its next start.
#include "pzone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "publish_digest.h"
#include "serial.h"

// Memory descriptors are few (one per image kept in memory); what is stored need not be in memory.
#define IMAGES_IN_MEMORY 512

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
	seen_free(content->seen);
	delta_free(content->delta);
	free(content->hold);
	*content = (struct content){0};
}

void publish_held_drop(struct publisher *p, struct pzone *zone)
{
	if (zone->held == NULL)
		return;
	version_free(p, zone->held);
	zone->held = NULL;
	publish_history_touch(p, zone);
}

// --- the way of a version
// -------------------------------------------------------------------------

void publish_answer(struct publisher *p, struct pzone *zone, uint32_t token,
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
		publish_answer(p, zone, zone->token, verdict, reason);
}

// Versions go live faster than a disk takes them: when many wait for it, the next ones wait too. A
// disk that takes nothing at all must not stop publication, so then far more may wait.
static size_t unstored_limit(const struct publisher *p)
{
	return store_trouble(p->store)[0] != '\0' ? p->unstored_max : PUBLISH_UNSTORED_MAX;
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
	publish_held_drop(p, zone); // what comes now takes its place
	zone->token = zone->waiting_token;
	zone->started_us = zone->waiting_us;
	build_start(p, zone, &content);
}

void publish_deferred_start(struct publisher *p)
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

// `text`: out of a zone's file. While a configuration is being taken up what read or fetched it may
// be behind: a zone has either a file or primaries.
static void content_take(
    struct publisher *p, const uint8_t *apex, uint32_t token, bool text, struct content content)
{
	struct pzone *zone = pzone_find(p, apex);

	if (zone == NULL || !zone->configured) {
		content_free(&content);
		if (p->ops.published != NULL)
			p->ops.published(p->ops.ctx, apex, token, ENGINE_REJECTED,
			    "The zone is not configured.");
		return;
	}
	if (zone->pinned || text == zone->secondary) {
		content_free(&content);
		publish_answer(p, zone, token, ENGINE_REJECTED,
		    text == zone->secondary ? "The zone does not come from there any more."
		                            : "The zone is pinned.");
		return;
	}
	if (!content_is_empty(&zone->waiting)) {
		content_free(&zone->waiting);
		publish_answer(p, zone, zone->waiting_token, ENGINE_REJECTED,
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
	content_take(p, apex, token, false, content);
}

void publisher_publish(struct publisher *p, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records)
{
	publisher_replace(p, apex, token, origin, hold, records, NULL);
}

void publisher_replace(struct publisher *p, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records, struct seen *seen)
{
	content_take_or_hold(p, apex, token, hold,
	    (struct content){.records = records, .seen = seen, .origin = origin});
}

void publisher_publish_text(struct publisher *p, const uint8_t *apex, uint32_t token,
    const struct file_mark *source, struct records *records)
{
	content_take(p, apex, token, true, (struct content){.records = records, .source = *source});
}

struct file_mark publisher_source(const struct publisher *p, const uint8_t *apex)
{
	const struct pzone *zone = pzone_find(p, apex);

	return zone != NULL && zone->current != NULL ? zone->current->source
	                                             : (struct file_mark){0};
}

void publisher_apply(struct publisher *p, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct delta *delta)
{
	content_take_or_hold(
	    p, apex, token, hold, (struct content){.delta = delta, .origin = origin});
}

void publish_failed(struct publisher *p, struct pzone *zone, const char *reason)
{
	// It was sent in place of the one served, which the data plane may not have.
	const bool lacks = zone->stage == STAGE_SENT && p->connected && zone->current != NULL &&
	                   zone->live_generation < zone->current->generation;
	char name[NAME_TEXT_MAX];

	version_free(p, zone->next);
	zone->next = NULL;
	admission_release(&p->admission, &zone->claim);
	zone->stage = STAGE_NONE;
	snprintf(zone->error, sizeof(zone->error), "%.250s", reason);
	name_to_text(zone->apex, name);
	if (!p->closing) // it was given up
		log_warning("%s: the new version is not served: %s", name, reason);
	answer_next(p, zone, zone->no_room ? ENGINE_NO_ROOM : ENGINE_REJECTED, reason);
	zone->no_room = false;
	if (lacks && zone->configured) {
		zone->tell_current = true;
		publish_tell(p, zone);
		publish_flush(p);
	}
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
	zone->dirty = true;
	zone->history_dirty |= history;
	if (zone->listed)
		return;
	zone->listed = true;
	zone->next_listed = p->changed;
	p->changed = zone;
}

static void resting_put(struct publisher *p, struct pzone *zone)
{
	zone->resting = true;
	zone->next_resting = NULL;
	*p->resting_last = zone;
	p->resting_last = &zone->next_resting;
	p->resting_count++;
}

static struct pzone *resting_take(struct publisher *p)
{
	struct pzone *zone = p->resting;

	p->resting = zone->next_resting;
	if (p->resting == NULL)
		p->resting_last = &p->resting;
	p->resting_count--;
	zone->resting = false;
	return zone;
}

// Two are looked at for each that comes: what is on its way keeps its image, and its place.
void publish_rest(struct publisher *p, struct pzone *zone)
{
	if (!zone->resting)
		resting_put(p, zone);
	for (unsigned i = 0; i < 2 && p->resting_count > IMAGES_IN_MEMORY; i++) {
		const struct version *version;
		struct store_image *image;

		zone = resting_take(p);
		version = zone->current;
		image = version != NULL ? &version->layer[0]->image : NULL;
		if (image == NULL || image->fd < 0 || !image->stored ||
		    image->size >= STACK_BASE_MIN || version->layer_count > 1)
			continue;
		if (zone->stage != STAGE_NONE || zone->tell_current) {
			resting_put(p, zone);
			continue;
		}
		store_image_unload(image);
	}
}

// Who takes the zone from us compares serials: nobody tells them any other way.
static void serial_look(const struct version *old, const struct version *next)
{
	char name[NAME_TEXT_MAX];

	if (old == NULL || next->how != HISTORY_FILE ||
	    serial_newer(next->soa.serial, old->soa.serial))
		return;
	name_to_text(next->zone->apex, name);
	log_warning("%s: it has changed, but serial %u is not newer than %u: other servers do not "
	            "take it from here",
	    name, next->soa.serial, old->soa.serial);
}

static void promote(struct publisher *p, struct pzone *zone)
{
	struct version *old = zone->current;

	serial_look(old, zone->next);
	publish_journal_step(p, zone, old, zone->next);
	kept_take_out(p, zone, zone->next->content);
	version_free(p, zone->kept[VERSIONS_KEPT - 2]);
	for (unsigned i = VERSIONS_KEPT - 2; i > 0; i--)
		zone->kept[i] = zone->kept[i - 1];
	zone->kept[0] = old;
	admission_served(
	    &p->admission, version_size(zone->next), old != NULL ? version_size(old) : 0);
	admission_release(&p->admission, &zone->claim);
	zone->current = zone->next;
	zone->next = NULL;
	if (old != NULL)
		version_unuse(old);
	fold_follow(p, zone, old);
	zone->stage = STAGE_NONE;
	zone->error[0] = '\0';
	zone->older = false;
	zone->expired = false;
	zone->expires_at = zone->current->expires_at;
	zone->publish_us = (unsigned)(clock_us() - zone->started_us);
	zone->published_ms = zone->current->when_ms = clock_wall_ms();
	publish_dirty(p, zone, true);
	publish_timers_touch(p, zone); // of another version now
	if (version_is_stored(zone->current))
		publish_rest(p, zone);
	if (zone->current->zonemd != zone->zonemd) // that was said meanwhile, or it was kept
		publish_digest_look(p, zone);
	if (!zone->secondary) // what was sent before the zone had a file does not expire either
		publish_expires_at(p, zone, 0);
	zone->mark = store_touch(p->store);
	if (!p->closing && p->ops.changed != NULL)
		p->ops.changed(p->ops.ctx, zone->apex, zone->hidden);
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
void publish_unconnected(struct publisher *p, struct pzone *zone)
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

int64_t publish_soa_expires_at(const struct pzone *zone, const struct zone_soa *soa)
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
	version->expires_at = publish_soa_expires_at(zone, &version->soa);
	publish_tell(p, zone);
	publish_flush(p); // first the data plane, then the disk
	version_store(p, version);
	publish_unconnected(p, zone);
}

static void version_hold(
    struct publisher *p, struct pzone *zone, struct version *version, const char *reason)
{
	char name[NAME_TEXT_MAX];

	zone->held = version;
	version_use(version);                           // it stays in memory
	admission_release(&p->admission, &zone->claim); // it may for long, and is not served
	zone->held_token = zone->token;
	version->when_ms = clock_wall_ms();
	version_store(p, version);
	zone->stage = STAGE_NONE;
	snprintf(zone->error, sizeof(zone->error), "%.250s", reason);
	name_to_text(zone->apex, name);
	log_warning("%s: serial %u: %s 'npctl zone accept %s' takes it all the same.", name,
	    version->soa.serial, reason, name);
	publish_answer(p, zone, zone->token, zone->held_short ? ENGINE_SHORT : ENGINE_HELD, reason);
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
		publish_answer(p, zone, zone->token, ENGINE_LIVE, NULL);
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
			publish_held_drop(p, zone);
		return rc;
	}
	zone->held = NULL;
	zone->token = zone->held_token;
	zone->started_us = clock_us();
	version->generation =
	    ++p->generation; // one that was served again meanwhile has a later one
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

// A build ends: the compiler is killed when it takes too long. After that so long, and a second for
// so many bytes of the image, from the beginning: the build at its slowest, its second try
// included, and what the data plane takes to verify it.
#define WORKING_LEAST_US     INT64_C(120000000)
#define WORKING_BYTES_PER_US 0.25

bool publisher_working(
    const struct publisher *p, const uint8_t *apex, uint32_t token, int64_t now_us)
{
	const struct pzone *zone = pzone_find(p, apex);

	if (zone == NULL || !zone->configured)
		return false;
	if (!content_is_empty(&zone->waiting) && zone->waiting_token == token)
		return true;
	if (zone->token != token || zone->stage == STAGE_NONE || zone->recall != NULL)
		return false;
	if (zone->stage == STAGE_BUILDING)
		return true;
	return now_us - zone->started_us <
	       WORKING_LEAST_US +
	           (int64_t)((double)version_size(zone->next) / WORKING_BYTES_PER_US);
}

int publish_clear(struct publisher *p, struct pzone *zone, const char *reason)
{
	if (zone->recall != NULL || zone->stage == STAGE_READY || zone->stage == STAGE_SENT)
		return -EBUSY;
	if (!content_is_empty(&zone->waiting)) {
		content_free(&zone->waiting);
		publish_answer(p, zone, zone->waiting_token, ENGINE_REJECTED, reason);
	}
	if (zone->stage == STAGE_BUILDING) {
		build_cancel(zone->build);
		zone->build = NULL;
		zone->stage = STAGE_NONE;
		publish_answer(p, zone, zone->token, ENGINE_REJECTED, reason);
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
		publish_unconnected(p, p->zones[i]);
}
