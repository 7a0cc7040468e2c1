// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones come, change and go with the configuration, a slice at a time (slice.h): in between each
// zone is as one of the two has it.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish_digest.h"
#include "slice.h"

static struct pzone *pzone_new(const uint8_t *name, uint8_t len)
{
	struct pzone *zone = calloc(1, sizeof(*zone));
	uint8_t *apex = malloc(len);

	if (zone == NULL || apex == NULL) {
		free(zone);
		free(apex);
		return NULL;
	}
	memcpy(apex, name, len);
	zone->apex = apex;
	zone->apex_len = len;
	return zone;
}

void pzone_free(struct publisher *p, struct pzone *zone)
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

static int pzone_add(struct publisher *p, const uint8_t *apex, uint8_t len, struct pzone **out)
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
	zone = pzone_new(apex, len);
	if (zone == NULL)
		return -ENOMEM;
	if (!idmap_add(&p->map, zone->apex, zone->apex_len, zone)) {
		pzone_free(p, zone);
		return -ENOMEM;
	}
	zone->at = (uint32_t)p->zone_count;
	p->zones[p->zone_count++] = zone;
	*out = zone;
	return 0;
}

struct pzone *pzone_stranger(struct publisher *p, const uint8_t *apex, uint8_t len)
{
	struct pzone *zone = NULL;

	if (pzone_add(p, apex, len, &zone) < 0)
		return NULL;
	publish_forget(p, zone);
	return zone;
}

void pzone_withdraw(struct publisher *p, struct pzone *zone)
{
	const char *reason = "The zone is no longer configured.";

	if (!content_is_empty(&zone->waiting))
		publish_answer(p, zone, zone->waiting_token, ENGINE_REJECTED, reason);
	if (zone->stage != STAGE_NONE && zone->recall == NULL)
		publish_answer(p, zone, zone->token, ENGINE_REJECTED, reason);
	recall_cancel(zone);
	fold_drop(p, zone);
	build_cancel(zone->build);
	zone->build = NULL;
	content_free(&zone->waiting);
	publish_held_drop(p, zone);
	version_free(p, zone->next);
	admission_served(&p->admission, 0, zone->current != NULL ? version_size(zone->current) : 0);
	admission_release(&p->admission, &zone->claim);
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
	publish_forget(p, zone);
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
	publish_unconnected(p, zone);
}

// --- a configuration
// ------------------------------------------------------------------------------

// Entries for all zones that are new. One without a configured zone changes nothing. Post: 0,
// -EAGAIN or -ENOMEM.
static int zones_find(struct publisher *p, int64_t until_us)
{
	struct taking_zones *taking = &p->taking;

	if (taking->zones == NULL)
		taking->zones = calloc(taking->config->zone_count + 1, sizeof(struct pzone *));
	if (taking->zones == NULL)
		return -ENOMEM;
	for (size_t n = 1; taking->at < taking->config->zone_count; n++) {
		const struct config_zone *from = &taking->config->zones[taking->at];
		struct pzone *zone = pzone_find(p, from->domain);

		if (zone == NULL && pzone_add(p, from->domain, from->domain_len, &zone) < 0)
			return -ENOMEM;
		taking->zones[taking->at++] = zone;
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}

static void zone_set(struct publisher *p, struct pzone *zone, const struct config_zone *config)
{
	zone->configured = true;
	zone->epoch = p->epoch;
	zone->secondary = config->file == NULL;
	zone->zonemd = zone->secondary ? config->zonemd : CONFIG_ZONEMD_OFF;
	if (zone->current != NULL && zone->current->zonemd != zone->zonemd)
		publish_digest_look(p, zone);
	zone->shrink_limit = zone->secondary ? config->shrink_limit : 100;
	zone->records_max = zone->secondary ? config->limits->zone_records : UINT32_MAX;
	zone->journal.depth = config->journal_depth;
	zone->journal.usage = (uint64_t)config->journal_mb << 20;
	grace_set(p, zone, config);
	zone->tell_withdraw = false;
	hidden_set(p, zone, config->catalog != NULL);
	if (!zone->secondary) {
		zone->has_timers = zone->expired = false;
		publish_expires_at(p, zone, 0);
	}
}

static int zones_set(struct publisher *p, int64_t until_us)
{
	struct taking_zones *taking = &p->taking;

	for (size_t n = 1; taking->at < taking->config->zone_count; n++) {
		const size_t i = taking->at++;

		zone_set(p, taking->zones[i], &taking->config->zones[i]);
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}

static int zones_withdraw(struct publisher *p, int64_t until_us)
{
	struct taking_zones *taking = &p->taking;

	for (size_t n = 1; taking->at < p->zone_count; n++) {
		struct pzone *zone = p->zones[taking->at++];

		if (zone->configured && zone->epoch != p->epoch) {
			zone->configured = false;
			pzone_withdraw(p, zone);
		}
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	return 0;
}

void publisher_reconfigure(struct publisher *p, const struct config *config)
{
	p->taking = (struct taking_zones){.config = config};
	p->epoch++;
}

int publish_zones_go(struct publisher *p, int64_t until_us)
{
	static int (*const steps[])(struct publisher * p, int64_t until_us) = {
	    zones_find, zones_set, zones_withdraw};
	struct taking_zones *taking = &p->taking;
	int rc = 0;

	while (rc == 0 && taking->step < sizeof(steps) / sizeof(steps[0])) {
		rc = steps[taking->step](p, until_us);
		taking->step += rc == 0;
		taking->at = rc == 0 ? 0 : taking->at;
	}
	if (rc == 0) {
		admission_limit(&p->admission, taking->config->controlplane.memory_max);
		free(taking->zones);
		*taking = (struct taking_zones){0};
	}
	return rc;
}

int publisher_reconfigure_go(struct publisher *p, int64_t until_us)
{
	const int rc = p->taking.config != NULL ? publish_zones_go(p, until_us) : 0;

	if (rc == 0)
		store_touch(p->store);
	publish_flush(p);
	return rc;
}
