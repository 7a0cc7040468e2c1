// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A configuration as the engine uses it (see setup.h).
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

// Ways to reach a zone's primaries; zone.h counts them in a byte.
#define WAYS_MAX 255

// Zones that share a template follow each other; beyond so many profiles back a duplicate is
// cheaper than the search.
#define PROFILE_SEARCH_MAX 64

// Keys and certificates may change under a primary that stays; whether it has any may not.
static bool primary_stays(
    const struct primary *primary, const char *remote_id, const struct peer *now)
{
	const struct peer *old = &primary->peer;

	return strcmp(primary->remote_id, remote_id) == 0 && old->remote_len == now->remote_len &&
	       old->local_len == now->local_len && (old->key == NULL) == (now->key == NULL) &&
	       (old->tls == NULL) == (now->tls == NULL) &&
	       memcmp(&old->remote, &now->remote, old->remote_len) == 0 &&
	       memcmp(&old->local, &now->local, old->local_len) == 0;
}

bool primary_has_key(const struct primary *primary, const struct tsig_key *key)
{
	return tsig_key_equal(primary->peer.key, key) || tsig_key_equal(primary->other_key, key);
}

void primary_unref(struct primary *primary)
{
	if (--primary->refs == 0) {
		tsig_key_unref(primary->peer.key);
		tsig_key_unref(primary->other_key);
		tls_context_unref(primary->peer.tls);
		free(primary->remote_id);
		free(primary);
	}
}

static struct primary *primary_for(struct setup *setup, const struct setup *old,
    struct pacing_total *total, const char *remote_id, const struct peer *peer)
{
	struct primary *primary = NULL;

	for (size_t i = 0; old != NULL && i < old->primary_count && primary == NULL; i++) {
		if (primary_stays(old->primaries[i], remote_id, peer)) {
			primary = old->primaries[i];
			primary->refs++;
		}
	}
	if (primary == NULL) {
		primary = calloc(1, sizeof(*primary));
		if (primary == NULL) {
			return NULL;
		}
		primary->remote_id = strdup(remote_id);
		if (primary->remote_id == NULL) {
			free(primary);
			return NULL;
		}
		primary->refs = 1;
		primary->key_refused_until_ms = INT64_MIN;
		pacing_init(&primary->pacing, total);
		primary->peer = *peer;
		tsig_key_ref(primary->peer.key);
		tls_context_ref(primary->peer.tls);
	}
	setup->primaries[setup->primary_count++] = primary;
	return primary;
}

static void peer_fill(
    const struct setup *setup, const struct config_remote *remote, size_t index, struct peer *out)
{
	memset(out, 0, sizeof(*out));
	out->remote = remote->addresses[index].addr;
	out->remote_len = remote->addresses[index].addr_len;
	if (remote->via.addr_len > 0 && remote->via.addr.ss_family == out->remote.ss_family) {
		out->local = remote->via.addr;
		out->local_len = remote->via.addr_len;
		address_port_clear(&out->local);
	}
	out->key = keyring_remote(setup->keyring, remote, 0);
	out->tls = setup->tls[remote - setup->config->remotes];
}

static int tls_open(struct setup *setup, char error[KEYRING_ERROR_MAX])
{
	const struct config *config = setup->config;

	setup->tls = calloc(config->remote_count + 1, sizeof(struct tls_context *));
	if (setup->tls == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->remote_count; i++) {
		char why[TLS_ERROR_MAX];
		int rc = config->remotes[i].tls
		             ? tls_context_client(config, &config->remotes[i], &setup->tls[i], why)
		             : 0;

		if (rc != 0) {
			snprintf(error, KEYRING_ERROR_MAX, "TLS of the remote %.64s: %s",
			    config->remotes[i].id, why);
			return rc;
		}
	}
	return 0;
}

int setup_open(const struct config *config, const struct key_changes *changes,
    const struct setup *old, struct pacing_total *total, struct setup **out,
    char error[KEYRING_ERROR_MAX])
{
	struct setup *setup = calloc(1, sizeof(*setup));
	size_t addresses = 0;
	int rc = -ENOMEM;

	snprintf(error, KEYRING_ERROR_MAX, "out of memory");
	if (setup == NULL) {
		return -ENOMEM;
	}
	setup->config = config;
	rc = keyring_open(config, changes, &setup->keyring, error);
	if (rc != 0) {
		goto fail;
	}
	rc = tls_open(setup, error);
	if (rc != 0) {
		goto fail;
	}
	rc = -ENOMEM;
	for (size_t i = 0; i < config->remote_count; i++) {
		addresses += config->remotes[i].address_count;
	}
	setup->primaries = calloc(addresses + 1, sizeof(struct primary *));
	if (setup->primaries == NULL) {
		goto fail;
	}
	for (size_t i = 0; i < config->remote_count; i++) {
		for (size_t j = 0; j < config->remotes[i].address_count; j++) {
			struct peer peer;

			peer_fill(setup, &config->remotes[i], j, &peer);
			if (primary_for(setup, old, total, config->remotes[i].id, &peer) == NULL) {
				goto fail;
			}
		}
	}
	*out = setup;
	return 0;
fail:
	setup_close(setup);
	return rc;
}

static void key_replace(struct tsig_key **at, struct tsig_key *key)
{
	tsig_key_ref(key);
	tsig_key_unref(*at);
	*at = key;
}

void setup_arm(struct setup *setup)
{
	const struct config *config = setup->config;
	size_t at = 0;

	for (size_t i = 0; i < config->remote_count; i++) {
		const struct config_remote *remote = &config->remotes[i];

		for (size_t j = 0; j < remote->address_count; j++) {
			struct primary *primary = setup->primaries[at++];
			struct tsig_key *preferred = keyring_remote(setup->keyring, remote, 0);

			if (!tsig_key_equal(primary->peer.key, preferred)) {
				primary->key_refused_until_ms = INT64_MIN;
			}
			key_replace(&primary->peer.key, preferred);
			key_replace(&primary->other_key, keyring_remote(setup->keyring, remote, 1));
			primary->pacing.limit[PACING_QUERY] = remote->pacing.queries;
			primary->pacing.limit[PACING_TRANSFER] = remote->pacing.transfers;
			primary->pacing.query_rate = remote->pacing.query_rate;
			primary->tls_changed = !tls_context_same(primary->peer.tls, setup->tls[i]);
			tls_context_ref(setup->tls[i]);
			tls_context_unref(primary->peer.tls);
			primary->peer.tls = setup->tls[i];
		}
	}
}

int setup_rekey(
    struct setup *setup, const struct key_changes *changes, char error[KEYRING_ERROR_MAX])
{
	struct keyring *keyring;
	int rc = keyring_open(setup->config, changes, &keyring, error);

	if (rc != 0) {
		return rc;
	}
	keyring_close(setup->keyring);
	setup->keyring = keyring;
	setup_arm(setup);
	return 0;
}

static void profile_free(struct profile *profile)
{
	if (profile == NULL) {
		return;
	}
	for (unsigned i = 0; profile->ways != NULL && i < profile->policy.primary_count; i++) {
		primary_unref(profile->ways[i]);
	}
	free(profile->ways);
	free(profile->origins);
	free(profile->sources);
	free(profile);
}

void setup_close(struct setup *setup)
{
	if (setup == NULL) {
		return;
	}
	for (size_t i = 0; i < setup->profile_count; i++) {
		profile_free(setup->profiles[i]);
	}
	for (size_t i = 0; i < setup->primary_count; i++) {
		primary_unref(setup->primaries[i]);
	}
	for (size_t i = 0; setup->tls != NULL && i < setup->config->remote_count; i++) {
		tls_context_unref(setup->tls[i]);
	}
	free(setup->tls);
	free(setup->profiles);
	free(setup->primaries);
	keyring_close(setup->keyring);
	free(setup);
}

static bool remotes_same(
    const struct config_remote **a, size_t a_count, const struct config_remote **b, size_t b_count)
{
	return a_count == b_count &&
	       (a == b || a_count == 0 || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

static bool model_same(const struct config_zone *a, const struct config_zone *b)
{
	return remotes_same(a->primaries, a->primary_count, b->primaries, b->primary_count) &&
	       remotes_same(
	           a->notify_from, a->notify_from_count, b->notify_from, b->notify_from_count) &&
	       a->expire == b->expire && a->grace_s == b->grace_s &&
	       (a->limits == b->limits || memcmp(a->limits, b->limits, sizeof(*a->limits)) == 0);
}

// FNV-1a: the operator's words, nobody's weapon.
uint64_t setup_origin(const struct config_remote *remote)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	char text[ADDRESS_TEXT_MAX];

	for (const char *at = remote->id; *at != '\0'; at++) {
		hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
	}
	for (size_t i = 0; i < remote->address_count; i++) {
		address_text((const struct sockaddr *)&remote->addresses[i].addr, text);
		for (const char *at = text; *at != '\0'; at++) {
			hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
		}
	}
	return hash != 0 ? hash : 1;
}

// Where the first address of a remote stands in setup->primaries.
static size_t remote_base(const struct setup *setup, const struct config_remote *remote)
{
	size_t base = 0;

	for (const struct config_remote *r = setup->config->remotes; r != remote; r++) {
		base += r->address_count;
	}
	return base;
}

static bool ways_fill(
    const struct setup *setup, const struct config_zone *zone, struct profile *profile)
{
	size_t count = 0;

	for (size_t i = 0; i < zone->primary_count; i++) {
		count += zone->primaries[i]->address_count;
	}
	profile->ways = calloc(count + 1, sizeof(struct primary *));
	profile->origins = calloc(count + 1, sizeof(*profile->origins));
	profile->policy.origins = profile->origins;
	if (profile->ways == NULL || profile->origins == NULL) {
		return false;
	}
	for (size_t i = 0; i < zone->primary_count; i++) {
		size_t base = remote_base(setup, zone->primaries[i]);

		for (size_t j = 0; j < zone->primaries[i]->address_count; j++) {
			if (profile->policy.primary_count < WAYS_MAX) {
				struct primary *way = setup->primaries[base + j];

				way->refs++;
				profile->origins[profile->policy.primary_count] =
				    setup_origin(zone->primaries[i]);
				profile->ways[profile->policy.primary_count++] = way;
			}
		}
	}
	return true;
}

static bool sources_fill(
    const struct setup *setup, const struct config_zone *zone, struct profile *profile)
{
	size_t count = 0;

	for (size_t i = 0; i < zone->notify_from_count; i++) {
		count += zone->notify_from[i]->address_count;
	}
	profile->sources = calloc(count + 1, sizeof(*profile->sources));
	if (profile->sources == NULL) {
		return false;
	}
	for (size_t i = 0; i < zone->notify_from_count; i++) {
		const struct config_remote *remote = zone->notify_from[i];

		for (size_t j = 0; j < remote->address_count; j++) {
			struct notify_source *source = &profile->sources[profile->source_count++];

			source->addr = remote->addresses[j].addr;
			source->remote = remote;
		}
	}
	return true;
}

static void limits_fill(const struct config_zone *zone, struct profile *profile)
{
	const struct config_limits *limits = zone->limits;
	struct zone_policy *policy = &profile->policy;

	policy->expire_grace = zone->expire == CONFIG_EXPIRE_GRACE;
	policy->grace_s = zone->grace_s;
	policy->refresh_min_s = limits->refresh_min_s;
	policy->refresh_max_s = limits->refresh_max_s;
	policy->retry_min_s = limits->retry_min_s;
	policy->retry_max_s = limits->retry_max_s;
	policy->jitter = limits->jitter;
	policy->notify_min_ms = limits->notify_min_ms;
	policy->notify_max_ms = limits->notify_max_ms;
	policy->pin_tolerance_s = limits->pin_tolerance_s;
	policy->agreement = limits->agreement;
	profile->limits = (struct transfer_limits){.session = {.bytes = limits->transfer_bytes,
	                                               .records = limits->zone_records,
	                                               .rrset_records = limits->rrset_records},
	    .time_s = limits->transfer_time_s,
	    .idle_s = limits->transfer_idle_s,
	    .rate = limits->transfer_rate};
}

struct profile *setup_profile(struct setup *setup, const struct config_zone *zone)
{
	for (size_t back = 1; back <= setup->profile_count && back <= PROFILE_SEARCH_MAX; back++) {
		struct profile *profile = setup->profiles[setup->profile_count - back];

		if (model_same(profile->model, zone)) {
			return profile;
		}
	}
	struct profile **grown =
	    reallocarray(setup->profiles, setup->profile_count + 1, sizeof(struct profile *));
	struct profile *profile = calloc(1, sizeof(*profile));

	if (grown != NULL) {
		setup->profiles = grown;
	}
	if (grown == NULL || profile == NULL || !ways_fill(setup, zone, profile) ||
	    !sources_fill(setup, zone, profile)) {
		profile_free(profile);
		return NULL;
	}
	profile->setup = setup;
	profile->model = zone;
	limits_fill(zone, profile);
	setup->profiles[setup->profile_count++] = profile;
	return profile;
}

bool profile_same(const struct profile *a, const struct profile *b)
{
	const struct zone_policy *p = &a->policy, *q = &b->policy;

	return p->primary_count == q->primary_count && p->expire_grace == q->expire_grace &&
	       p->grace_s == q->grace_s && p->refresh_min_s == q->refresh_min_s &&
	       p->refresh_max_s == q->refresh_max_s && p->retry_min_s == q->retry_min_s &&
	       p->retry_max_s == q->retry_max_s && p->jitter == q->jitter &&
	       p->notify_min_ms == q->notify_min_ms && p->notify_max_ms == q->notify_max_ms &&
	       p->pin_tolerance_s == q->pin_tolerance_s && p->agreement == q->agreement &&
	       memcmp(a->ways, b->ways, p->primary_count * sizeof(*a->ways)) == 0 &&
	       memcmp(p->origins, q->origins, p->primary_count * sizeof(*p->origins)) == 0;
}
