// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones come, change and go with the configuration.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	p->zones[p->zone_count++] = zone;
	*out = zone;
	return 0;
}

struct pzone *pzone_stranger(struct publisher *p, const uint8_t *apex, uint8_t len)
{
	struct pzone *zone = NULL;

	return pzone_add(p, apex, len, &zone) == 0 ? zone : NULL;
}

// A zone that is gone gives up what it has; its entry stays, so that a data plane that
// connects later is told to withdraw it.
static void pzone_withdraw(struct publisher *p, struct pzone *zone)
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

// Post: 0 or -ENOMEM, nothing changed then.
int publish_zones_set(struct publisher *p, const struct config *config)
{
	bool *was;

	// First what can fail: entries for all zones that are new. One without a configured
	// zone changes nothing.
	for (size_t i = 0; i < config->zone_count; i++) {
		const struct config_zone *from = &config->zones[i];
		struct pzone *zone = pzone_find(p, from->domain);

		if (zone == NULL && pzone_add(p, from->domain, from->domain_len, &zone) < 0)
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
			publish_expires_at(p, zone, 0);
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
	int rc = publish_zones_set(p, config);

	if (rc < 0)
		return rc;
	admission_limit(&p->admission, config->controlplane.memory_max);
	store_touch(p->store);
	publish_flush(p);
	return 0;
}
