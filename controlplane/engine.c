// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The engine of secondary zones (see engine.h): it owns no decision, only the carrying out. Events
// come from the loop (deadlines, answers, transfers, NOTIFY) and from the publication half, go
// through the zone's state machine, and its actions become queries, transfers and calls of the ops.
// Longer than a file should be because events and actions are two directions of one thing.
#include "engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "address.h"
#include "listener.h"
#include "name.h"
#include "notify.h"
#include "setup.h"
#include "soa_query.h"
#include "timers.h"
#include "transfer.h"

#define DEADLINES_PER_TURN 1000 // zones handled before the loop gets its turn

enum op_kind {
	OP_NONE,
	OP_WAITING, // in a primary's queue
	OP_QUERY,
	OP_TRANSFER,
};

// One secondary zone. A million of these must fit: what only some need is a pointer.
struct engine_zone {
	struct zone zone;
	struct timer timer;
	struct pacing_waiter waiter;
	struct engine *engine;
	struct profile *profile;
	const uint8_t *apex;      // borrowed from the config
	struct engine_zone *next; // of the same hash
	struct primary *primary;  // of the operation under way or waiting; a reference
	union {
		struct soa_query *query;
		struct transfer *transfer;
	} op;
	struct records *records; // between TRANSFERRED and PUBLISH
	char *error;             // of the last round's last failure; NULL: none
	uint32_t op_token, op_serial;
	uint8_t op_kind, op_primary;
	bool op_any_serial, busy, has_answer, answer_live, seen;
	uint32_t answer_token; // an answer of the publisher that came while busy
	int64_t op_began_ms, last_transfer_ms;
	uint64_t transfers, transfer_bytes;
};

struct engine {
	struct event_base *base;
	struct engine_ops ops;
	struct setup *setup;
	struct listener **listeners;
	size_t listener_count;
	struct event *deadline; // of the first timer, or of a primary's query allowance
	struct timers timers;
	struct pacing_total pacing_total;
	struct engine_zone **buckets;    // by hash of the apex
	size_t bucket_count, zone_count; // bucket_count: a power of two
	struct notify_service notify;
	struct engine_counters counters;
	void (*log_line)(void *ctx, const char *text);
	void *log_ctx;
};

static void zone_event(struct engine_zone *ez, const struct zone_event *event);
static void primary_dispatch(struct engine *engine, struct primary *primary);

static struct zone_now now_get(void)
{
	struct timespec wall, mono;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &mono);
	return (struct zone_now){
	    .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
	    .mono_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000,
	};
}

static void log_stderr(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

static void zone_log(const struct engine_zone *ez, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void zone_log(const struct engine_zone *ez, const char *format, ...)
{
	char name[NAME_TEXT_MAX], text[512];
	va_list args;
	int used;

	if (ez->engine->log_line == NULL) {
		return;
	}
	name_to_text(ez->apex, name);
	used = snprintf(text, sizeof(text), "zone %.200s: ", name);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
	va_end(args);
	ez->engine->log_line(ez->engine->log_ctx, text);
}

// Case-insensitive FNV-1a. Apexes are the operator's choice, so collisions are nobody's weapon.
static size_t apex_hash(const uint8_t *apex)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	uint8_t lower[NAME_LEN_MAX];
	size_t len = name_len(apex);

	name_lower(lower, apex, len);
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ lower[i]) * UINT64_C(1099511628211);
	}
	return (size_t)(hash ^ hash >> 32);
}

static struct engine_zone *zone_find(const struct engine *engine, const uint8_t *apex)
{
	if (engine->bucket_count == 0) {
		return NULL;
	}
	struct engine_zone *ez = engine->buckets[apex_hash(apex) & (engine->bucket_count - 1)];

	while (ez != NULL && !name_equal(ez->apex, apex)) {
		ez = ez->next;
	}
	return ez;
}

// Deadlines: one event of the loop, armed for the earliest.

static int64_t earliest_ms(const struct engine *engine, int64_t now_ms)
{
	struct timer *first = timers_first(&engine->timers);
	int64_t at = first != NULL ? first->at_ms : ZONE_NEVER;

	for (size_t i = 0; i < engine->setup->primary_count; i++) {
		int64_t again = pacing_again_ms(&engine->setup->primaries[i]->pacing, now_ms);

		at = again < at ? again : at;
	}
	return at;
}

static void deadline_arm(struct engine *engine)
{
	int64_t now_ms = now_get().mono_ms;
	int64_t at = earliest_ms(engine, now_ms);
	int64_t wait = at - now_ms;

	if (at == ZONE_NEVER) {
		event_del(engine->deadline);
		return;
	}
	if (wait < 0) {
		wait = 0;
	} else if (wait > 3600 * 1000) {
		wait = 3600 * 1000; // suspension: the loop's clock stands still then, ours does not
	}
	struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};

	event_add(engine->deadline, &tv);
}

static void deadline_reached(evutil_socket_t fd, short what, void *arg)
{
	struct engine *engine = arg;
	struct zone_now now = now_get();
	struct zone_event event = {.kind = ZONE_EVENT_TIMER};

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < DEADLINES_PER_TURN; i++) {
		struct timer *first = timers_first(&engine->timers);

		if (first == NULL || first->at_ms > now.mono_ms) {
			break;
		}
		zone_event((struct engine_zone *)(void *)((char *)first -
		                                          offsetof(struct engine_zone, timer)),
		    &event);
	}
	for (size_t i = 0; i < engine->setup->primary_count; i++) {
		primary_dispatch(engine, engine->setup->primaries[i]);
	}
	deadline_arm(engine);
}

// Operations.

static void error_set(struct engine_zone *ez, const char *error)
{
	char address[ADDRESS_TEXT_MAX], text[320];

	if (error == NULL) {
		free(ez->error);
		ez->error = NULL;
		return;
	}
	if (ez->primary != NULL) {
		snprintf(text, sizeof(text), "%s: %s",
		    address_text((const struct sockaddr *)&ez->primary->peer.remote, address),
		    error);
	} else {
		snprintf(text, sizeof(text), "%s", error);
	}
	if (ez->error != NULL && strcmp(ez->error, text) == 0) {
		return; // said already
	}
	free(ez->error);
	ez->error = strdup(text);
	zone_log(ez, "%s", text);
}

// The operation is over: its slot goes to the next, and the primary's reference is dropped.
static void op_end(struct engine_zone *ez, bool silent)
{
	struct primary *primary = ez->primary;
	enum op_kind kind = (enum op_kind)ez->op_kind;

	ez->op_kind = OP_NONE;
	ez->primary = NULL;
	if (kind == OP_WAITING) {
		pacing_cancel(&primary->pacing, &ez->waiter);
	} else if (kind != OP_NONE) {
		pacing_release(&primary->pacing, kind == OP_QUERY ? PACING_QUERY : PACING_TRANSFER,
		    silent, now_get().mono_ms);
	}
	if (kind != OP_NONE) {
		primary_unref(primary);
	}
}

static void dispatch_all(struct engine *engine)
{
	for (size_t i = 0; i < engine->setup->primary_count; i++) {
		primary_dispatch(engine, engine->setup->primaries[i]);
	}
}

static void on_soa(void *ctx, const struct zone_soa *soa, bool silent, const char *error)
{
	struct engine_zone *ez = ctx;
	struct engine *engine = ez->engine;
	struct zone_event event = {
	    .kind = soa != NULL ? ZONE_EVENT_SOA : ZONE_EVENT_SOA_FAILED, .token = ez->op_token};

	if (soa != NULL) {
		engine->counters.soa_answers++;
		event.soa = *soa;
	} else {
		engine->counters.soa_failures++;
		error_set(ez, error);
	}
	op_end(ez, silent);
	zone_event(ez, &event);
	dispatch_all(engine);
	deadline_arm(engine);
}

static void transfer_log(struct engine_zone *ez, const struct transfer_result *result, int64_t took)
{
	char address[ADDRESS_TEXT_MAX];

	zone_log(ez, "serial %u from %s: %llu records, %llu bytes in %llu messages, %lld ms",
	    result->soa.serial,
	    address_text((const struct sockaddr *)&ez->primary->peer.remote, address),
	    (unsigned long long)result->count, (unsigned long long)result->bytes,
	    (unsigned long long)result->messages, (long long)took);
}

static void on_transfer(void *ctx, const struct transfer_result *result)
{
	struct engine_zone *ez = ctx;
	struct engine *engine = ez->engine;
	struct zone_event event = {.token = ez->op_token, .soa = result->soa};
	int64_t took = now_get().mono_ms - ez->op_began_ms;

	engine->counters.transfer_bytes += result->bytes;
	ez->transfer_bytes += result->bytes;
	if (result->state == SESSION_DONE) {
		event.kind = ZONE_EVENT_TRANSFERRED;
		engine->counters.transfers_done++;
		engine->counters.transfer_records += result->count;
		ez->transfers++;
		ez->last_transfer_ms = took;
		ez->records = result->records;
		transfer_log(ez, result, took);
	} else if (result->state == SESSION_STALE) {
		event.kind = ZONE_EVENT_TRANSFER_STALE;
		engine->counters.transfers_stale++;
	} else {
		event.kind = ZONE_EVENT_TRANSFER_FAILED;
		engine->counters.transfers_failed++;
		error_set(ez, result->error != NULL ? result->error : "connection ended");
	}
	op_end(ez, result->silent);
	zone_event(ez, &event);
	records_free(ez->records); // when it was neither published nor discarded
	ez->records = NULL;
	dispatch_all(engine);
	deadline_arm(engine);
}

static int op_start(struct engine_zone *ez)
{
	struct engine *engine = ez->engine;

	ez->op_began_ms = now_get().mono_ms;
	if (ez->waiter.kind == PACING_QUERY) {
		ez->op_kind = OP_QUERY;
		return soa_query_start(engine->base, &ez->primary->peer, ez->apex, on_soa, ez,
		    &engine->counters.soa_queries, &ez->op.query);
	}
	ez->op_kind = OP_TRANSFER;
	engine->counters.transfers_started++;
	return transfer_start(engine->base, &ez->primary->peer, ez->apex, ez->op_any_serial,
	    ez->op_serial, on_transfer, ez, &ez->op.transfer);
}

static void op_failed(struct engine_zone *ez, bool query, const char *error)
{
	struct zone_event event = {
	    .kind = query ? ZONE_EVENT_SOA_FAILED : ZONE_EVENT_TRANSFER_FAILED,
	    .token = ez->op_token};

	if (query) {
		ez->engine->counters.soa_failures++;
	} else {
		ez->engine->counters.transfers_failed++;
	}
	error_set(ez, error);
	op_end(ez, false);
	zone_event(ez, &event);
}

// Begins what waits for this primary as far as the limits allow. Ends: each turn takes one waiter.
static void primary_dispatch(struct engine *engine, struct primary *primary)
{
	struct pacing_waiter *waiter;

	(void)engine;
	primary->refs++; // the last user may leave in the loop
	while ((waiter = pacing_next(&primary->pacing, now_get().mono_ms)) != NULL) {
		struct engine_zone *ez =
		    (struct engine_zone *)(void *)((char *)waiter -
		                                   offsetof(struct engine_zone, waiter));
		int rc = op_start(ez);

		if (rc != 0) {
			op_failed(ez, ez->op_kind == OP_QUERY, strerror(-rc));
		}
	}
	primary_unref(primary);
}

static void action_ask(struct engine_zone *ez, const struct zone_action *action)
{
	bool query = action->kind == ZONE_ACTION_QUERY;

	ez->op_token = action->token;
	ez->op_primary = (uint8_t)action->primary;
	ez->op_any_serial = action->any_serial;
	ez->op_serial = action->serial;
	ez->primary = ez->profile->ways[action->primary];
	ez->primary->refs++;
	ez->op_kind = OP_WAITING;
	if (!pacing_ask(&ez->primary->pacing, &ez->waiter, query ? PACING_QUERY : PACING_TRANSFER,
	        action->urgency, now_get().mono_ms)) {
		op_failed(ez, query, "primary has been silent; not asked again yet");
		return;
	}
	primary_dispatch(ez->engine, ez->primary);
}

static void op_abort(struct engine_zone *ez)
{
	if (ez->op_kind == OP_QUERY) {
		soa_query_abort(ez->op.query);
	} else if (ez->op_kind == OP_TRANSFER) {
		transfer_abort(ez->op.transfer);
	}
	op_end(ez, false);
}

static void action_do(struct engine_zone *ez, const struct zone_action *action)
{
	struct engine *engine = ez->engine;
	struct records *records = ez->records;
	char address[ADDRESS_TEXT_MAX];

	switch (action->kind) {
	case ZONE_ACTION_QUERY:
	case ZONE_ACTION_TRANSFER:
		action_ask(ez, action);
		break;
	case ZONE_ACTION_PUBLISH:
		ez->records = NULL;
		engine->ops.publish(engine->ops.ctx, ez->apex, action->token, records);
		break;
	case ZONE_ACTION_DISCARD:
		ez->records = NULL;
		records_free(records);
		break;
	case ZONE_ACTION_ABORT:
		op_abort(ez);
		break;
	case ZONE_ACTION_EXPIRE:
		engine->counters.expirations++;
		zone_log(ez, "serial %u has expired", ez->zone.soa.serial);
		engine->ops.expire(engine->ops.ctx, ez->apex, true);
		break;
	case ZONE_ACTION_REVIVE:
		zone_log(ez, "serial %u is confirmed again", ez->zone.soa.serial);
		engine->ops.expire(engine->ops.ctx, ez->apex, false);
		break;
	case ZONE_ACTION_STORE:
		engine->ops.store(engine->ops.ctx, ez->apex, &action->timers);
		break;
	case ZONE_ACTION_REGRESSED:
		engine->counters.regressions++;
		zone_log(ez, "%s has serial %u, older than ours (%u)",
		    address_text(
		        (const struct sockaddr *)&ez->profile->ways[action->primary]->peer.remote,
		        address),
		    action->serial, ez->zone.soa.serial);
		break;
	}
}

static void zone_event_once(struct engine_zone *ez, const struct zone_event *event)
{
	struct zone_actions actions;

	zone_handle(&ez->zone, event, now_get(), &actions);
	if (ez->zone.timer_ms == ZONE_NEVER) {
		timers_remove(&ez->engine->timers, &ez->timer);
	} else {
		// Room for every zone was made when it was taken up: cannot fail.
		(void)timers_set(&ez->engine->timers, &ez->timer, ez->zone.timer_ms);
	}
	for (unsigned i = 0; i < actions.count; i++) {
		action_do(ez, &actions.items[i]);
	}
	if (ez->zone.has_copy && ez->zone.failures == 0 && ez->zone.phase == ZONE_IDLE) {
		error_set(ez, NULL);
	}
}

// An action may bring about the next event at once (a primary that is down, a publisher that
// answers from within the call). A round ends after so many steps as there are primaries; so does
// this.
static void zone_event(struct engine_zone *ez, const struct zone_event *event)
{
	bool outermost = !ez->busy;

	ez->busy = true;
	zone_event_once(ez, event);
	while (outermost && ez->has_answer) {
		struct zone_event answer = {
		    .kind = ez->answer_live ? ZONE_EVENT_LIVE : ZONE_EVENT_REJECTED,
		    .token = ez->answer_token};

		ez->has_answer = false;
		zone_event_once(ez, &answer);
	}
	if (outermost) {
		ez->busy = false;
	}
}

void engine_published(
    struct engine *engine, const uint8_t *apex, uint32_t token, bool live, const char *reason)
{
	struct engine_zone *ez = zone_find(engine, apex);

	if (ez == NULL) {
		return;
	}
	if (live) {
		engine->counters.published++;
	} else {
		engine->counters.rejected++;
		error_set(ez, reason != NULL ? reason : "not published");
	}
	if (ez->busy) {
		ez->has_answer = true;
		ez->answer_live = live;
		ez->answer_token = token;
		return;
	}
	struct zone_event event = {
	    .kind = live ? ZONE_EVENT_LIVE : ZONE_EVENT_REJECTED, .token = token};

	zone_event(ez, &event);
	deadline_arm(engine);
}

// NOTIFY.

static const struct notify_source *notify_sources(
    void *ctx, const uint8_t *qname, size_t *count, void **zone)
{
	struct engine_zone *ez = zone_find(ctx, qname);

	if (ez == NULL) {
		return NULL;
	}
	*count = ez->profile->source_count;
	*zone = ez;
	return ez->profile->sources;
}

static void notify_accept(
    void *ctx, void *zone, const struct sockaddr *from, bool has_serial, uint32_t serial)
{
	struct engine_zone *ez = zone;
	struct zone_event event = {
	    .kind = ZONE_EVENT_NOTIFY, .has_serial = has_serial, .soa = {.serial = serial}};

	while (event.primary < ez->profile->policy.primary_count &&
	       !address_same_host(
	           (const struct sockaddr *)&ez->profile->ways[event.primary]->peer.remote, from)) {
		event.primary++;
	}
	zone_event(ez, &event);
	deadline_arm(ctx);
}

static size_t listener_answer(void *ctx, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint8_t *reply, size_t cap)
{
	struct engine *engine = ctx;

	return notify_handle(&engine->notify, msg, len, from, (uint64_t)time(NULL), reply, cap);
}

size_t engine_notify(struct engine *engine, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint8_t *reply, size_t cap)
{
	return listener_answer(engine, msg, len, from, reply, cap);
}

// Zones come and go.

static void zone_free(struct engine_zone *ez)
{
	op_abort(ez);
	timers_remove(&ez->engine->timers, &ez->timer);
	records_free(ez->records);
	free(ez->error);
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
	event.has_timers = stored.has_timers;
	event.timers = stored.timers;
	zone_event(ez, &event);
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
	struct engine_zone **bucket = &buckets[apex_hash(ez->apex) & (count - 1)];

	ez->next = *bucket;
	*bucket = ez;
}

static void listeners_close(struct listener **listeners, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		listener_close(listeners[i]);
	}
	free(listeners);
}

static int listeners_open(struct engine *engine, const struct config *config,
    struct listener ***out, char error[ENGINE_ERROR_MAX])
{
	size_t count = config->controlplane.listen_count;
	struct listener **listeners = calloc(count + 1, sizeof(struct listener *));

	if (listeners == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_address *address = &config->controlplane.listen[i];
		char text[ADDRESS_TEXT_MAX];
		int rc =
		    listener_open(engine->base, address, listener_answer, engine, &listeners[i]);

		if (rc != 0) {
			snprintf(error, ENGINE_ERROR_MAX, "cannot listen on %s: %s",
			    address_text((const struct sockaddr *)&address->addr, text),
			    strerror(-rc));
			listeners_close(listeners, i);
			return rc;
		}
	}
	*out = listeners;
	return 0;
}

static bool listen_same(const struct config *a, const struct config *b)
{
	if (a == NULL || a->controlplane.listen_count != b->controlplane.listen_count) {
		return false;
	}
	for (size_t i = 0; i < a->controlplane.listen_count; i++) {
		char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];

		if (strcmp(address_text((struct sockaddr *)&a->controlplane.listen[i].addr, x),
		        address_text((struct sockaddr *)&b->controlplane.listen[i].addr, y)) != 0) {
			return false;
		}
	}
	return true;
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
		one->ez = zone_find(engine, zone->domain);
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

static void zones_drop_unseen(struct engine *engine)
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
static void setup_swap(struct engine *engine, struct setup *setup, struct taken *taken,
    size_t count, struct engine_zone **buckets, size_t bucket_count)
{
	struct setup *old = engine->setup;

	for (size_t i = 0; i < count; i++) {
		taken[i].ez->seen = true;
	}
	zones_drop_unseen(engine);
	// Keys of primaries that stay may have a new secret.
	for (size_t i = 0; i < setup->primary_count; i++) {
		struct primary *primary = setup->primaries[i];
		const struct config *config = setup->config;
		size_t index = i, remote = 0;

		while (index >= config->remotes[remote].address_count) {
			index -= config->remotes[remote++].address_count;
		}
		struct tsig_key *key = keyring_of(setup->keyring, config->remotes[remote].key);

		tsig_key_ref(key);
		tsig_key_unref(primary->peer.key);
		primary->peer.key = key;
	}
	engine->setup = setup;
	engine->buckets = buckets;
	engine->bucket_count = bucket_count;
	engine->zone_count = count;
	engine->notify.keyring = setup->keyring;
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

			zone_event(ez, &event);
		}
	}
	setup_close(old);
}

static int engine_take(
    struct engine *engine, const struct config *config, char error[ENGINE_ERROR_MAX])
{
	const struct config *old_config = engine->setup != NULL ? engine->setup->config : NULL;
	struct setup *setup = NULL;
	struct listener **listeners = NULL;
	struct taken *taken = NULL;
	struct engine_zone **buckets = NULL;
	size_t count = 0, bucket_count = 0;
	bool same_listen = listen_same(old_config, config);
	int rc = setup_open(config, engine->setup, &engine->pacing_total, &setup, error);

	if (rc != 0) {
		return rc;
	}
	snprintf(error, ENGINE_ERROR_MAX, "out of memory");
	rc = -ENOMEM;
	taken = calloc(config->zone_count + 1, sizeof(*taken));
	buckets = table_new(config->zone_count, &bucket_count);
	if (taken == NULL || buckets == NULL ||
	    (rc = zones_take(engine, setup, taken, &count)) != 0) {
		goto fail;
	}
	// An address of the old configuration may be in the new one too: those sockets are closed
	// first.
	if (!same_listen) {
		listeners_close(engine->listeners, engine->listener_count);
		engine->listeners = NULL;
		engine->listener_count = 0;
		rc = listeners_open(engine, config, &listeners, error);
		if (rc != 0) {
			char again[ENGINE_ERROR_MAX];

			if (old_config != NULL &&
			    listeners_open(engine, old_config, &engine->listeners, again) == 0) {
				engine->listener_count = old_config->controlplane.listen_count;
			}
			goto fail;
		}
		engine->listeners = listeners;
		engine->listener_count = config->controlplane.listen_count;
	}
	setup_swap(engine, setup, taken, count, buckets, bucket_count);
	free(taken);
	deadline_arm(engine);
	return 0;
fail:
	for (size_t i = 0; i < count; i++) {
		if (taken[i].fresh) {
			zone_free(taken[i].ez);
		}
	}
	free(taken);
	free(buckets);
	setup_close(setup);
	return rc;
}

int engine_open(struct event_base *base, const struct config *config, const struct engine_ops *ops,
    struct engine **out, char error[ENGINE_ERROR_MAX])
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL) {
		snprintf(error, ENGINE_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	engine->base = base;
	engine->ops = *ops;
	engine->log_line = log_stderr;
	engine->notify = (struct notify_service){.ctx = engine,
	    .sources = notify_sources,
	    .accept = notify_accept,
	    .counters = &engine->counters};
	engine->deadline = event_new(base, -1, 0, deadline_reached, engine);
	int rc = engine->deadline != NULL ? engine_take(engine, config, error) : -ENOMEM;

	if (rc != 0) {
		engine_close(engine);
		return rc;
	}
	*out = engine;
	return 0;
}

int engine_reconfigure(
    struct engine *engine, const struct config *config, char error[ENGINE_ERROR_MAX])
{
	return engine_take(engine, config, error);
}

void engine_close(struct engine *engine)
{
	if (engine == NULL) {
		return;
	}
	listeners_close(engine->listeners, engine->listener_count);
	zones_drop_unseen(engine); // all of them
	setup_close(engine->setup);
	timers_free(&engine->timers);
	if (engine->deadline != NULL) {
		event_free(engine->deadline);
	}
	free(engine);
}

// For operators.

static int engine_order(struct engine *engine, const uint8_t *apex, enum zone_event_kind kind)
{
	struct engine_zone *ez = zone_find(engine, apex);
	struct zone_event event = {.kind = kind};

	if (ez == NULL) {
		return -ENOENT;
	}
	zone_event(ez, &event);
	deadline_arm(engine);
	return 0;
}

int engine_refresh(struct engine *engine, const uint8_t *apex)
{
	return engine_order(engine, apex, ZONE_EVENT_REFRESH);
}

int engine_retransfer(struct engine *engine, const uint8_t *apex)
{
	return engine_order(engine, apex, ZONE_EVENT_RETRANSFER);
}

int engine_status(const struct engine *engine, const uint8_t *apex, struct engine_status *out)
{
	const struct engine_zone *ez = zone_find(engine, apex);
	int64_t now_ms = now_get().mono_ms;

	memset(out, 0, sizeof(*out));
	if (ez == NULL) {
		return -ENOENT;
	}
	out->phase = (enum zone_phase)ez->zone.phase;
	out->has_copy = ez->zone.has_copy;
	out->expired = ez->zone.expired;
	out->soa = ez->zone.soa;
	if (ez->zone.phase == ZONE_IDLE && ez->zone.next_ms != ZONE_NEVER) {
		out->refresh_in_ms = ez->zone.next_ms - now_ms;
	}
	out->expires_in_ms = ez->zone.has_copy ? ez->zone.expire_ms - now_ms : 0;
	out->failures = ez->zone.failures;
	if (ez->op_primary < ez->profile->policy.primary_count && ez->op_token != 0) {
		address_text(
		    (const struct sockaddr *)&ez->profile->ways[ez->op_primary]->peer.remote,
		    out->primary);
	}
	snprintf(out->error, sizeof(out->error), "%s", ez->error != NULL ? ez->error : "");
	out->transfers = ez->transfers;
	out->transfer_bytes = ez->transfer_bytes;
	out->last_transfer_ms = ez->last_transfer_ms;
	return 0;
}

const struct engine_counters *engine_counters(const struct engine *engine)
{
	return &engine->counters;
}

void engine_log_to(struct engine *engine, void (*line)(void *ctx, const char *text), void *ctx)
{
	engine->log_line = line;
	engine->log_ctx = ctx;
}
