// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the engine and the control socket ask of a zone, and its expiry.
#include "pzone.h"

#include <assert.h>
#include <stdio.h>

// The sums over all zones are good for so many times as long as they took, when that was long.
#define SUMMARY_KEPT     10
#define SUMMARY_QUICK_US 10000

// The system's files are read so often at most; in that time a transfer brings some MB.
#define ROOM_US 10000
static_assert(ADMISSION_REASON_MAX <= SESSION_ROOM_REASON, "where it is told");

static void left_look(struct publisher *p)
{
	const int64_t now_us = clock_us();

	if (now_us >= p->left_until_us) {
		p->left = admission_available("");
		p->left_until_us = now_us + ROOM_US;
	}
}

bool publisher_room(
    struct publisher *p, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	left_look(p);
	return admission_room(&p->admission, p->left, count, bytes, reason);
}

// What it will take when it is there is not taken yet.
bool publisher_fits(struct publisher *p, uint64_t count, uint64_t bytes)
{
	char reason[ADMISSION_REASON_MAX];

	left_look(p);
	const uint64_t left =
	    p->left == UINT64_MAX ? UINT64_MAX : p->left - (bytes < p->left ? bytes : p->left);

	return admission_room(&p->admission, left, count, bytes, reason);
}

bool publisher_room_for_text(
    struct publisher *p, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	return admission_room(&p->admission, admission_available(""), count, bytes, reason);
}

void publisher_load(struct publisher *p, const uint8_t *apex, struct engine_stored *out)
{
	const struct pzone *zone = pzone_find(p, apex);

	*out = (struct engine_stored){0};
	if (zone == NULL || zone->current == NULL)
		return;
	out->has_copy = true;
	out->pinned = zone->pinned;
	out->older = zone->older;
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

void publish_expires_at(struct publisher *p, struct pzone *zone, int64_t expires_at)
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

// While a configuration is being taken up the engine still has zones that have a file by now, or
// are gone: what it says of those is nobody's.
static struct pzone *secondary_find(struct publisher *p, const uint8_t *apex)
{
	struct pzone *zone = pzone_find(p, apex);

	return zone != NULL && zone->configured && zone->secondary ? zone : NULL;
}

void publisher_expire(struct publisher *p, const uint8_t *apex, bool expired)
{
	struct pzone *zone = secondary_find(p, apex);

	if (zone == NULL)
		return;
	zone->expired = expired;
	if (expired)
		publish_expires_at(p, zone, clock_wall_ms() / 1000 - 1);
	else if (zone->has_timers)
		publish_expires_at(p, zone, zone->timers.expires_ms / 1000);
}

void publisher_store(struct publisher *p, const uint8_t *apex, const struct zone_timers *timers)
{
	struct pzone *zone = secondary_find(p, apex);

	if (zone == NULL)
		return;
	zone->timers = *timers;
	zone->has_timers = true;
	publish_timers_touch(p, zone);
	p->timers_dirty = true;
	if (!zone->expired)
		publish_expires_at(p, zone, timers->expires_ms / 1000);
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
		               store_committed(p->store) >= zone->mark &&
		               zone->steps_done == zone->steps;
		out->serial = zone->current->soa.serial;
		out->generation = zone->current->generation;
		out->content = zone->current->content;
		out->image_size = version_size(zone->current);
		out->rr_count = zone->current->rr_count;
		out->doubted = zone->current->doubt != NULL;
	}
	out->busy = zone->stage != STAGE_NONE;
	out->expired = zone->expired;
	out->older = zone->older;
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
	if (out->error[0] == '\0' && out->doubted)
		snprintf(
		    out->error, sizeof(out->error), "Served, but: %.240s", zone->current->doubt);
	if (out->error[0] == '\0' && out->has_version && !out->durable)
		snprintf(out->error, sizeof(out->error), "%.250s",
		    store_trouble(p->store)[0] != '\0' ? store_trouble(p->store)
		                                       : publish_journal_trouble(p));
	return true;
}

static void summary_add(
    struct publisher_summary *sum, const struct publisher *p, const struct pzone *zone)
{
	const struct version *current = zone->current;
	bool durable = false;

	if (!zone->configured)
		return;
	if (current != NULL) {
		durable = version_is_stored(current) && store_committed(p->store) >= zone->mark &&
		          zone->steps_done == zone->steps;
		sum->versions++;
		sum->live += zone->hidden || zone->live_generation == current->generation;
		sum->doubted += current->doubt != NULL;
		sum->image_bytes += version_size(current);
	}
	sum->zones++;
	sum->durable += durable;
	sum->busy += zone->stage != STAGE_NONE;
	sum->failed +=
	    zone->error[0] != '\0' ||
	    (current != NULL && !durable &&
	        (store_trouble(p->store)[0] != '\0' || publish_journal_trouble(p)[0] != '\0'));
}

// A walk over all zones, each some lines that no cache holds: those of the next ones are fetched
// ahead.
static void summary_walk(struct publisher_summary *sum, const struct publisher *p)
{
	enum { AHEAD = 8 };

	for (size_t i = 0; i < p->zone_count; i++) {
		const struct version *version;

		if (i + 2 * AHEAD < p->zone_count) {
			const struct pzone *next = p->zones[i + 2 * AHEAD];

			__builtin_prefetch(&next->current);
			__builtin_prefetch(&next->live_generation);
		}
		if (i + AHEAD < p->zone_count) {
			version = p->zones[i + AHEAD]->current;
			__builtin_prefetch(version);
		}
		if (i + AHEAD / 2 < p->zone_count) {
			version = p->zones[i + AHEAD / 2]->current;
			if (version != NULL)
				__builtin_prefetch(version->layer[0]);
		}
		summary_add(sum, p, p->zones[i]);
	}
}

void publisher_summary(struct publisher *p, struct publisher_summary *out)
{
	const int64_t now_us = clock_us();

	// Whoever asks again and again takes no more than a share of the loop.
	if (now_us >= p->summary_until_us) {
		p->summary = (struct publisher_summary){0};
		summary_walk(&p->summary, p);
		p->summary_until_us = now_us + (clock_us() - now_us) * SUMMARY_KEPT;
		if (clock_us() - now_us < SUMMARY_QUICK_US)
			p->summary_until_us = 0;
	}
	*out = p->summary;
	out->connected = p->connected;
	out->foreign = p->foreign;
	out->dataplane_pid = p->pid;
	out->connected_ms = p->connected_ms;
	out->generation = p->generation;
}
