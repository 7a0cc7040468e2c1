// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The engine takes up a configuration, the first one and each later one: zones come, stay with
// their state, and go; listeners are opened anew when their addresses changed. Whole or not at all.
#include "engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "listener.h"

static void zone_free(struct engine_zone *ez)
{
	engine_op_abort(ez);
	timers_remove(&ez->engine->timers, &ez->timer);
	engine_content_drop(ez);
	tsig_key_unref(ez->op_key);
	free(ez->error);
	failures_free(ez->failures);
	free(ez);
}

static struct engine_zone *zone_new(
    struct engine *engine, const struct config_zone *config, struct profile *profile)
{
	struct engine_zone *ez = calloc(1, sizeof(*ez));

	if (ez == NULL) {
		return NULL;
	}
	ez->engine = engine;
	ez->profile = profile;
	ez->apex = config->domain;
	zone_init(&ez->zone, &profile->policy, arc4random());
	// Takes the place in the heap that zone_event must not fail to find.
	if (timers_set(&engine->timers, &ez->timer, ZONE_NEVER) != 0) {
		free(ez);
		return NULL;
	}
	return ez;
}

static void zone_start(struct engine_zone *ez)
{
	struct engine *engine = ez->engine;
	struct engine_stored stored = {0};
	struct zone_event event = {.kind = ZONE_EVENT_START};

	engine->ops.load(engine->ops.ctx, ez->apex, &stored);
	event.has_copy = stored.has_copy;
	event.soa = stored.soa;
	event.origin = stored.origin;
	event.has_timers = stored.has_timers;
	event.timers = stored.timers;
	event.pinned = stored.pinned;
	event.has_held = stored.has_held;
	event.held_serial = stored.held_serial;
	engine_zone_event(ez, &event);
}

static struct engine_zone **table_new(size_t zones, size_t *count)
{
	size_t buckets = 64;

	while (buckets < zones) {
		buckets *= 2;
	}
	*count = buckets;
	return calloc(buckets, sizeof(struct engine_zone *));
}

static void table_add(struct engine_zone **buckets, size_t count, struct engine_zone *ez)
{
	struct engine_zone **bucket = &buckets[engine_apex_hash(ez->apex) & (count - 1)];

	ez->next = *bucket;
	*bucket = ez;
}

void engine_listeners_close(struct listener **listeners, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		listener_close(listeners[i]);
	}
	free(listeners);
}

// Those of `listen` come first, then those of `listen-tls`.
static size_t listen_count(const struct config *config)
{
	return config->controlplane.listen_count + config->controlplane.listen_tls_count;
}

static const struct config_address *listen_address(const struct config *config, size_t i)
{
	size_t plain = config->controlplane.listen_count;

	return i < plain ? &config->controlplane.listen[i]
	                 : &config->controlplane.listen_tls[i - plain];
}

static int listeners_open(struct engine *engine, const struct config *config,
    struct tls_context *tls, struct listener ***out, char error[ENGINE_ERROR_MAX])
{
	size_t count = listen_count(config);
	struct listener **listeners = calloc(count + 1, sizeof(struct listener *));

	if (listeners == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_address *address = listen_address(config, i);
		const struct listener_service service = {.ctx = engine,
		    .tls = i < config->controlplane.listen_count ? NULL : tls,
		    .answer = engine_listener_answer};
		char text[ADDRESS_TEXT_MAX];
		int rc = listener_open(engine->base, address, &service, &listeners[i]);

		if (rc != 0) {
			snprintf(error, ENGINE_ERROR_MAX, "cannot listen on %s: %s",
			    address_text((const struct sockaddr *)&address->addr, text),
			    strerror(-rc));
			engine_listeners_close(listeners, i);
			return rc;
		}
	}
	*out = listeners;
	return 0;
}

static bool listen_same(const struct config *a, const struct config *b)
{
	if (a == NULL || a->controlplane.listen_count != b->controlplane.listen_count ||
	    a->controlplane.listen_tls_count != b->controlplane.listen_tls_count) {
		return false;
	}
	for (size_t i = 0; i < listen_count(a); i++) {
		char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];

		if (strcmp(address_text((const struct sockaddr *)&listen_address(a, i)->addr, x),
		        address_text((const struct sockaddr *)&listen_address(b, i)->addr, y)) !=
		    0) {
			return false;
		}
	}
	return true;
}

// Our certificate as the configuration has it now; NULL when nothing listens for TLS.
static int tls_open(
    const struct config *config, struct tls_context **out, char error[ENGINE_ERROR_MAX])
{
	char why[TLS_ERROR_MAX];
	int rc = 0;

	*out = NULL;
	if (config->controlplane.listen_tls_count > 0) {
		rc = tls_context_server(config, out, why);
	}
	if (rc != 0) {
		snprintf(error, ENGINE_ERROR_MAX, "listen-tls: %s", why);
	}
	return rc;
}

// What the listeners that stay open present to new connections.
static void listeners_retls(struct engine *engine, const struct config *config)
{
	for (size_t i = config->controlplane.listen_count; i < engine->listener_count; i++) {
		listener_retls(engine->listeners[i], engine->tls);
	}
}

// A zone of the new configuration: the one we have, or a new one.
struct taken {
	struct engine_zone *ez;
	struct profile *profile;
	bool fresh;
};

static int zones_take(
    struct engine *engine, struct setup *setup, struct taken *taken, size_t *taken_count)
{
	const struct config *config = setup->config;

	for (size_t i = 0; i < config->zone_count; i++) {
		const struct config_zone *zone = &config->zones[i];

		if (zone->file != NULL) {
			continue; // a primary zone
		}
		struct taken *one = &taken[*taken_count];

		one->profile = setup_profile(setup, zone);
		if (one->profile == NULL) {
			return -ENOMEM;
		}
		one->ez = engine_find(engine, zone->domain);
		if (one->ez == NULL) {
			one->ez = zone_new(engine, zone, one->profile);
			one->fresh = true;
		}
		if (one->ez == NULL) {
			return -ENOMEM;
		}
		(*taken_count)++;
	}
	return 0;
}

void engine_zones_drop(struct engine *engine)
{
	for (size_t i = 0; i < engine->bucket_count; i++) {
		struct engine_zone *ez = engine->buckets[i];

		while (ez != NULL) {
			struct engine_zone *next = ez->next;

			if (!ez->seen) {
				zone_free(ez);
			}
			ez = next;
		}
	}
	free(engine->buckets);
}

// From here on nothing fails.
static void setup_swap(struct engine *engine, struct setup *setup, struct provider_zones *provided,
    struct taken *taken, size_t count, struct engine_zone **buckets, size_t bucket_count)
{
	struct setup *old = engine->setup;

	for (size_t i = 0; i < count; i++) {
		taken[i].ez->seen = true;
	}
	engine_zones_drop(engine);
	setup_arm(setup);
	engine->pacing_total.limit[PACING_QUERY] = setup->config->controlplane.queries_max;
	engine->pacing_total.limit[PACING_TRANSFER] = setup->config->controlplane.transfers_max;
	engine->setup = setup;
	engine->buckets = buckets;
	engine->bucket_count = bucket_count;
	engine->zone_count = count;
	engine->notify.keyring = setup->keyring;
	provider_take(engine->provider, provided);
	for (size_t i = 0, z = 0; i < setup->config->zone_count; i++) {
		const struct config_zone *zone = &setup->config->zones[i];

		if (zone->file == NULL) {
			struct engine_zone *ez = taken[z++].ez;

			ez->seen = false;
			ez->apex = zone->domain;
			table_add(buckets, bucket_count, ez);
		}
	}
	for (size_t i = 0; i < count; i++) {
		struct engine_zone *ez = taken[i].ez;
		struct profile *before = ez->profile;

		ez->profile = taken[i].profile;
		if (taken[i].fresh) {
			zone_start(ez);
		} else if (profile_same(before, ez->profile)) {
			ez->zone.policy = &ez->profile->policy;
		} else {
			struct zone_event event = {
			    .kind = ZONE_EVENT_CONFIG, .policy = &ez->profile->policy};

			engine_zone_event(ez, &event);
		}
	}
	setup_close(old);
}

int engine_take(struct engine *engine, const struct config *config, char error[ENGINE_ERROR_MAX])
{
	const struct config *old_config = engine->setup != NULL ? engine->setup->config : NULL;
	struct setup *setup = NULL;
	struct provider_zones *provided = NULL;
	struct listener **listeners = NULL;
	struct tls_context *tls = NULL, *old_tls = engine->tls;
	struct taken *taken = NULL;
	struct engine_zone **buckets = NULL;
	size_t count = 0, bucket_count = 0;
	bool same_listen = listen_same(old_config, config);
	int rc = setup_open(
	    config, engine->changes, engine->setup, &engine->pacing_total, &setup, error);

	if (rc != 0) {
		return rc;
	}
	snprintf(error, ENGINE_ERROR_MAX, "out of memory");
	rc = -ENOMEM;
	taken = calloc(config->zone_count + 1, sizeof(*taken));
	buckets = table_new(config->zone_count, &bucket_count);
	provided = provider_zones_open(config, setup->keyring);
	if (taken == NULL || buckets == NULL || provided == NULL ||
	    (rc = zones_take(engine, setup, taken, &count)) != 0 ||
	    (rc = tls_open(config, &tls, error)) != 0) {
		goto fail;
	}
	// An address of the old configuration may be in the new one too: those sockets are closed
	// first.
	if (!same_listen) {
		engine_listeners_close(engine->listeners, engine->listener_count);
		engine->listeners = NULL;
		engine->listener_count = 0;
		rc = listeners_open(engine, config, tls, &listeners, error);
		if (rc != 0) {
			char again[ENGINE_ERROR_MAX];

			if (old_config != NULL && listeners_open(engine, old_config, old_tls,
			                              &engine->listeners, again) == 0) {
				engine->listener_count = listen_count(old_config);
			}
			goto fail;
		}
		engine->listeners = listeners;
		engine->listener_count = listen_count(config);
	}
	engine->tls = tls;
	listeners_retls(engine, config);
	tls_context_unref(old_tls);
	engine_dispatch_stop(engine); // a zone that has not had its turn asks as before
	setup_swap(engine, setup, provided, taken, count, buckets, bucket_count);
	engine_ops_rekey(engine);
	engine_dispatch_go(engine); // more may be allowed now
	free(taken);
	engine_arm(engine);
	return 0;
fail:
	for (size_t i = 0; i < count; i++) {
		if (taken[i].fresh) {
			zone_free(taken[i].ez);
		}
	}
	tls_context_unref(tls);
	free(taken);
	free(buckets);
	provider_zones_close(provided);
	setup_close(setup);
	return rc;
}
