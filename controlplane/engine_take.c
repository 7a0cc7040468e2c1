// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The engine takes up a configuration, the first one and each later one: listeners are opened anew
// when their addresses changed; then zones come, stay with their state, and go, a slice at a time
// (slice.h). In between each zone has a profile of the old setup or of the new one, and both are
// there; what is common to all, keys and limits, is the new one's from the start.
#include "engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "listener.h"
#include "slice.h"

static void zone_free(struct engine_zone *ez)
{
	engine_op_abort(ez);
	timers_remove(&ez->engine->timers, &ez->timer);
	engine_content_drop(ez);
	engine_room_leave(ez);
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
	event.whole = stored.older;
	event.has_timers = stored.has_timers;
	event.timers = stored.timers;
	event.pinned = stored.pinned;
	event.has_held = stored.has_held;
	event.held_serial = stored.held_serial;
	engine_zone_event(ez, &event);
}

// --- the table
// -----------------------------------------------------------------------------------

static void table_add(struct engine *engine, struct engine_zone *ez)
{
	struct engine_zone **bucket =
	    &engine->buckets[engine_apex_hash(ez->apex) & (engine->bucket_count - 1)];

	ez->next = *bucket;
	*bucket = ez;
}

// Room for so many zones. Before a configuration is taken up, for then its walks know their places.
static int table_grow(struct engine *engine, size_t zones)
{
	struct engine_zone **old = engine->buckets, **grown;
	const size_t old_count = engine->bucket_count;
	size_t count = old_count > 0 ? old_count : 64;

	while (count < zones) {
		count *= 2;
	}
	if (count == old_count) {
		return 0;
	}
	grown = calloc(count, sizeof(struct engine_zone *));
	if (grown == NULL) {
		return -ENOMEM;
	}
	engine->buckets = grown;
	engine->bucket_count = count;
	for (size_t i = 0; i < old_count; i++) {
		for (struct engine_zone *ez = old[i], *next; ez != NULL; ez = next) {
			next = ez->next;
			table_add(engine, ez);
		}
	}
	free(old);
	return 0;
}

// --- listeners
// -----------------------------------------------------------------------------------

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

// --- zones
// ---------------------------------------------------------------------------------------

// Those that are in both stay as they are. Post: 0 or -ENOMEM, nothing changed then.
static int zone_take(struct engine *engine, const struct config_zone *config)
{
	struct profile *before, *profile = setup_profile(engine->setup, config);
	struct engine_zone *ez = engine_find(engine, config->domain);

	if (profile == NULL) {
		return -ENOMEM;
	}
	if (ez == NULL) {
		ez = zone_new(engine, config, profile);
		if (ez == NULL) {
			return -ENOMEM;
		}
		ez->epoch = engine->epoch;
		table_add(engine, ez);
		engine->zone_count++;
		zone_start(ez);
		return 0;
	}
	before = ez->profile;
	ez->epoch = engine->epoch;
	ez->apex = config->domain;
	ez->profile = profile;
	if (profile_same(before, profile)) {
		ez->zone.policy = &profile->policy;
	} else {
		struct zone_event event = {.kind = ZONE_EVENT_CONFIG, .policy = &profile->policy};

		engine_zone_event(ez, &event);
	}
	engine_op_rekey(ez);
	return 0;
}

// Post: 0, -EAGAIN or -ENOMEM.
static int zones_take(struct engine *engine, int64_t until_us)
{
	struct engine_taking *taking = &engine->taking;
	const struct config *config = engine->setup->config;

	for (size_t n = 1; taking->at < config->zone_count; n++) {
		const struct config_zone *zone = &config->zones[taking->at];

		if (!taking->provided_has && !provider_zones_add(taking->provided, zone)) {
			return -ENOMEM;
		}
		taking->provided_has = true; // if the rest must be tried again
		if (zone->file == NULL && zone_take(engine, zone) != 0) {
			return -ENOMEM;
		}
		taking->provided_has = false;
		taking->at++;
		if (slice_is_over(until_us, n)) {
			return -EAGAIN;
		}
	}
	return 0;
}

// Those that the configuration did not name.
static int zones_drop(struct engine *engine, int64_t until_us)
{
	struct engine_taking *taking = &engine->taking;

	for (size_t n = 1; taking->at < engine->bucket_count; n++) {
		struct engine_zone **at = &engine->buckets[taking->at++];

		while (*at != NULL) {
			struct engine_zone *ez = *at;

			if (ez->epoch == engine->epoch) {
				at = &ez->next;
				continue;
			}
			*at = ez->next;
			engine->zone_count--;
			zone_free(ez);
		}
		if (slice_is_over(until_us, n)) {
			return -EAGAIN;
		}
	}
	return 0;
}

static int zones_provide(struct engine *engine, int64_t until_us)
{
	struct engine_taking *taking = &engine->taking;

	if (taking->provided != NULL) {
		provider_take(engine->provider, taking->provided);
		taking->provided = NULL;
	}
	return provider_take_go(engine->provider, until_us) ? 0 : -EAGAIN;
}

void engine_zones_drop(struct engine *engine)
{
	engine->epoch++; // no zone's
	engine->taking.at = 0;
	(void)zones_drop(engine, SLICE_ALL);
	free(engine->buckets);
	provider_zones_close(engine->taking.provided);
	setup_close(engine->taking.old);
}

// --- a configuration
// ------------------------------------------------------------------------------

int engine_reconfigure(
    struct engine *engine, const struct config *config, char error[ENGINE_ERROR_MAX])
{
	const struct config *old_config = engine->setup != NULL ? engine->setup->config : NULL;
	struct setup *setup = NULL;
	struct provider_zones *provided = NULL;
	struct listener **listeners = NULL;
	struct tls_context *tls = NULL, *old_tls = engine->tls;
	bool same_listen = listen_same(old_config, config);
	int rc = setup_open(
	    config, engine->changes, engine->setup, &engine->pacing_total, &setup, error);

	if (rc != 0) {
		return rc;
	}
	snprintf(error, ENGINE_ERROR_MAX, "out of memory");
	rc = -ENOMEM;
	provided = provider_zones_open(setup->keyring);
	if (provided == NULL || (rc = table_grow(engine, config->zone_count)) != 0 ||
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
	// From here on nothing fails but for want of memory, and that is waited for.
	engine->tls = tls;
	listeners_retls(engine, config);
	tls_context_unref(old_tls);
	setup_arm(setup);
	engine->pacing_total.limit[PACING_QUERY] = config->controlplane.queries_max;
	engine->pacing_total.limit[PACING_TRANSFER] = config->controlplane.transfers_max;
	engine->taking = (struct engine_taking){.old = engine->setup, .provided = provided};
	engine->setup = setup;
	engine->notify.keyring = setup->keyring;
	engine->epoch++;
	return 0;
fail:
	tls_context_unref(tls);
	provider_zones_close(provided);
	setup_close(setup);
	return rc;
}

int engine_reconfigure_go(struct engine *engine, int64_t until_us)
{
	static int (*const steps[])(struct engine * engine, int64_t until_us) = {
	    zones_take, zones_drop, zones_provide};
	struct engine_taking *taking = &engine->taking;
	int rc = 0;

	engine_dispatch_stop(engine); // a zone that has not had its turn asks as before
	while (rc == 0 && taking->step < sizeof(steps) / sizeof(steps[0])) {
		rc = steps[taking->step](engine, until_us);
		taking->step += rc == 0;
		taking->at = rc == 0 ? 0 : taking->at;
	}
	if (rc == 0) { // no zone has a profile of it any more
		setup_close(taking->old);
		taking->old = NULL;
	}
	engine_dispatch_go(engine); // more may be allowed now
	engine_arm(engine);
	return rc;
}
