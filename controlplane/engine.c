// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The engine of secondary zones (see engine.h): it owns no decision, only the carrying out. Events
// come from the loop (deadlines, answers, transfers, NOTIFY) and from the publication half, go
// through the zone's state machine, and its actions become queries, transfers and calls of the ops.
// Here: opening and closing, deadlines, NOTIFY, and what operators ask.
#include "engine_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "address.h"
#include "connection.h"
#include "name.h"
#include "slice.h"

#define DEADLINES_PER_TURN 1000 // zones handled before the loop gets its turn

struct zone_now engine_now(void)
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

static void zone_log(
    const struct engine *engine, const uint8_t *apex, const char *format, va_list args)
{
	char name[NAME_TEXT_MAX], text[512];
	int used;

	if (engine->log_line == NULL) {
		return;
	}
	name_to_text(apex, name);
	used = snprintf(text, sizeof(text), "zone %.200s: ", name);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
	engine->log_line(engine->log_ctx, text);
}

void engine_log(const struct engine_zone *ez, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	zone_log(ez->engine, ez->apex, format, args);
	va_end(args);
}

// The provider's lines; the words are one text.
static void __attribute__((format(printf, 3, 4)))
provider_line(const struct engine *engine, const uint8_t *apex, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	zone_log(engine, apex, format, args);
	va_end(args);
}

size_t engine_apex_hash(const uint8_t *apex)
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

struct engine_zone *engine_find(const struct engine *engine, const uint8_t *apex)
{
	if (engine->bucket_count == 0) {
		return NULL;
	}
	struct engine_zone *ez =
	    engine->buckets[engine_apex_hash(apex) & (engine->bucket_count - 1)];

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

	if (engine->dispatch_more) {
		return now_ms;
	}
	for (size_t i = 0; i < engine->setup->primary_count; i++) {
		int64_t again = pacing_again_ms(&engine->setup->primaries[i]->pacing, now_ms);

		at = again < at ? again : at;
	}
	return at;
}

void engine_arm(struct engine *engine)
{
	int64_t now_ms = engine_now().mono_ms;
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
	struct zone_now now = engine_now();
	struct zone_event event = {.kind = ZONE_EVENT_TIMER};

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < DEADLINES_PER_TURN; i++) {
		struct timer *first = timers_first(&engine->timers);

		if (first == NULL || first->at_ms > now.mono_ms) {
			break;
		}
		engine_zone_event(
		    (struct engine_zone *)(void *)((char *)first -
		                                   offsetof(struct engine_zone, timer)),
		    &event);
	}
	engine_dispatch_all(engine);
	engine_arm(engine);
}

// NOTIFY.

static const struct notify_source *notify_sources(
    void *ctx, const uint8_t *qname, size_t *count, const struct keyring **keyring, void **zone)
{
	struct engine_zone *ez = engine_find(ctx, qname);

	if (ez == NULL) {
		return NULL;
	}
	*count = ez->profile->source_count;
	*keyring = ez->profile->setup->keyring;
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
	engine_zone_event(ez, &event);
	engine_arm(ctx);
}

#define NOTIFY_TOLD_MS 60000

// Who waits for a NOTIFY has nowhere else to look. One line a minute, whoever sends them.
static void notify_tell(
    struct engine *engine, const struct engine_counters *before, const struct sockaddr *from)
{
	const struct engine_counters *now = &engine->counters;
	char text[256], address[ADDRESS_TEXT_MAX];
	const char *why = now->notify_unsigned != before->notify_unsigned
	                      ? "it is not signed with the key that this remote has here"
	                  : now->notify_bad_tsig != before->notify_bad_tsig
	                      ? "its signature is not good: another key, secret, algorithm or clock"
	                  : now->notify_refused != before->notify_refused
	                      ? "the address is none of those in notify-from"
	                  : now->notify_not_ours != before->notify_not_ours
	                      ? "the zone is no secondary zone here"
	                      : NULL;

	if (why == NULL || engine->log_line == NULL)
		return;
	const int64_t now_ms = engine_now().mono_ms;

	if (engine->notify_told_ms != 0 && now_ms - engine->notify_told_ms < NOTIFY_TOLD_MS)
		return;
	engine->notify_told_ms = now_ms;
	snprintf(text, sizeof(text),
	    "a NOTIFY from %s is refused: %s (told once a minute at most; npctl --json status "
	    "counts)",
	    address_text(from, address), why);
	engine->log_line(engine->log_ctx, text);
}

// What came to a listener, or through a worker: queries from downstream, or NOTIFY.
static size_t message_answer(struct engine *engine, enum provide_transport transport,
    struct connection *connection, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint8_t *reply, size_t cap)
{
	size_t reply_len = 0;

	if (provider_handle(engine->provider, transport, connection, msg, len, from, reply, cap,
	        &reply_len) != PROVIDE_NOT_MINE) {
		return reply_len;
	}
	const struct engine_counters before = engine->counters;

	reply_len =
	    notify_handle(&engine->notify, msg, len, from, (uint64_t)time(NULL), reply, cap);
	notify_tell(engine, &before, from);
	return reply_len;
}

size_t engine_listener_answer(void *ctx, struct connection *connection, const uint8_t *msg,
    size_t len, const struct sockaddr *from, uint8_t *reply, size_t cap)
{
	enum provide_transport transport = connection == NULL        ? PROVIDE_UDP
	                                   : connection->tls == NULL ? PROVIDE_TCP
	                                                             : PROVIDE_TLS;

	return message_answer(ctx, transport, connection, msg, len, from, reply, cap);
}

size_t engine_notify(struct engine *engine, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint8_t *reply, size_t cap)
{
	return message_answer(engine, PROVIDE_FORWARDED, NULL, msg, len, from, reply, cap);
}

void engine_changed(struct engine *engine, const uint8_t *apex)
{
	provider_changed(engine->provider, apex);
}

static void provider_log(void *ctx, const uint8_t *apex, const char *text)
{
	provider_line(ctx, apex, "%s", text);
}

int engine_open(struct event_base *base, const struct config *config,
    const struct key_changes *changes, const struct engine_ops *ops, struct engine **out,
    char error[ENGINE_ERROR_MAX])
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL) {
		snprintf(error, ENGINE_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	engine->base = base;
	engine->changes = changes;
	engine->ops = *ops;
	engine->log_line = log_stderr;
	engine->notify = (struct notify_service){.ctx = engine,
	    .sources = notify_sources,
	    .accept = notify_accept,
	    .counters = &engine->counters};
	engine->ops.provide.log = provider_log;
	engine->ops.provide.log_ctx = engine;
	TAILQ_INIT(&engine->cramped);
	engine->deadline = event_new(base, -1, 0, deadline_reached, engine);
	engine->provider = provider_open(base, &engine->ops.provide);
	engine->clock = engine_clock_open(engine);
	int rc = engine->deadline != NULL && engine->provider != NULL && engine->clock != NULL
	             ? engine_reconfigure(engine, config, error)
	             : -ENOMEM;

	if (rc == 0) {
		rc = engine_reconfigure_go(engine, SLICE_ALL);
	}

	if (rc != 0) {
		engine_close(engine);
		return rc;
	}
	*out = engine;
	return 0;
}

int engine_rekey(
    struct engine *engine, const struct key_changes *changes, char error[ENGINE_ERROR_MAX])
{
	int rc = setup_rekey(engine->setup, changes, error);

	if (rc == 0) {
		engine->changes = changes;
		engine->notify.keyring = engine->setup->keyring;
		provider_rekey(engine->provider, engine->setup->keyring);
		engine_ops_rekey(engine);
		engine_arm(engine);
	}
	return rc;
}

void engine_close(struct engine *engine)
{
	if (engine == NULL) {
		return;
	}
	engine_listeners_close(engine->listeners, engine->listener_count);
	tls_context_unref(engine->tls);
	provider_close(engine->provider);
	engine_zones_drop(engine); // all of them
	setup_close(engine->setup);
	timers_free(&engine->timers);
	engine_clock_close(engine->clock);
	if (engine->deadline != NULL) {
		event_free(engine->deadline);
	}
	if (engine->room != NULL) {
		event_free(engine->room);
	}
	free(engine);
}

// For operators.

void engine_key_text(const struct tsig_key *key, char out[64])
{
	char name[NAME_TEXT_MAX] = "";

	if (key != NULL) {
		name_to_text(tsig_key_name(key), name);
	}
	snprintf(out, 64, "%.63s", name);
}

const char *engine_transport(const struct peer *peer)
{
	return peer->tls == NULL                      ? "udp/tcp"
	       : tls_context_authenticates(peer->tls) ? "tls"
	                                              : "tls, not authenticated";
}

static int engine_order(struct engine *engine, const uint8_t *apex, enum zone_event_kind kind)
{
	struct engine_zone *ez = engine_find(engine, apex);
	struct zone_event event = {.kind = kind};

	if (ez == NULL) {
		return -ENOENT;
	}
	engine_zone_event(ez, &event);
	engine_arm(engine);
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

int engine_pin(struct engine *engine, const uint8_t *apex, bool pinned)
{
	struct engine_zone *ez = engine_find(engine, apex);
	const struct zone_event event = {.kind = ZONE_EVENT_PIN, .pinned = pinned};

	if (ez == NULL) {
		return -ENOENT;
	}
	engine_zone_event(ez, &event);
	engine_arm(engine);
	return 0;
}

int engine_replaced(
    struct engine *engine, const uint8_t *apex, const struct zone_soa *soa, uint64_t origin)
{
	struct engine_zone *ez = engine_find(engine, apex);
	const struct zone_event event = {
	    .kind = ZONE_EVENT_REPLACED, .soa = *soa, .origin = origin};

	if (ez == NULL) {
		return -ENOENT;
	}
	engine_zone_event(ez, &event);
	engine_arm(engine);
	return 0;
}

int engine_lost(struct engine *engine, const uint8_t *apex)
{
	struct engine_zone *ez = engine_find(engine, apex);
	struct engine_stored stored = {0};

	if (ez == NULL) {
		return -ENOENT;
	}
	engine->ops.load(engine->ops.ctx, apex, &stored);
	const struct zone_event event = {.kind = ZONE_EVENT_LOST,
	    .has_copy = stored.has_copy,
	    .soa = stored.soa,
	    .origin = stored.origin};

	engine->counters.lost++;
	engine_zone_event(ez, &event);
	engine_arm(engine);
	return 0;
}

static void regressed_tell(const struct engine_zone *ez, struct engine_status *out)
{
	if (!ez->zone.has_regressed) {
		return;
	}
	out->regressed = true;
	out->regressed_serial = ez->zone.regressed_serial;
	address_text(
	    (const struct sockaddr *)&ez->profile->ways[ez->zone.regressed_primary]->peer.remote,
	    out->regressed_primary);
}

static void pin_tell(const struct engine_zone *ez, struct engine_status *out)
{
	const struct zone_policy *policy = &ez->profile->policy;

	for (unsigned i = 0; policy->pin_tolerance_s > 0 && i < policy->primary_count; i++) {
		if (ez->zone.has_copy && policy->origins[i] == ez->zone.origin) {
			snprintf(out->pinned_primary, sizeof(out->pinned_primary), "%.63s",
			    ez->profile->ways[i]->remote_id);
			out->pinned_primary_ms = ez->zone.timers.origin_ms;
		}
	}
}

int engine_status(const struct engine *engine, const uint8_t *apex, struct engine_status *out)
{
	const struct engine_zone *ez = engine_find(engine, apex);
	int64_t now_ms = engine_now().mono_ms;

	memset(out, 0, sizeof(*out));
	if (ez == NULL) {
		return -ENOENT;
	}
	out->phase = (enum zone_phase)ez->zone.phase;
	out->has_copy = ez->zone.has_copy;
	out->stale = ez->zone.stale && !ez->zone.expired;
	out->expired = ez->zone.expired;
	regressed_tell(ez, out);
	pin_tell(ez, out);
	out->soa = ez->zone.soa;
	out->pinned = ez->zone.pinned;
	if (ez->zone.pinned || ez->zone.lead_ms != ZONE_NEVER) {
		out->behind_ms = ez->zone.timers.behind_ms;
		out->behind_serial = ez->zone.timers.behind_serial;
	}
	if (ez->zone.phase == ZONE_IDLE && ez->zone.next_ms != ZONE_NEVER) {
		out->refresh_in_ms = ez->zone.next_ms - now_ms;
	}
	out->expires_in_ms = ez->zone.has_copy ? ez->zone.expire_ms - now_ms : 0;
	out->failures = ez->zone.failures;
	if (ez->op_primary < ez->profile->policy.primary_count && ez->op_token != 0) {
		const struct peer *peer = &ez->profile->ways[ez->op_primary]->peer;

		address_text((const struct sockaddr *)&peer->remote, out->primary);
		out->transport = engine_transport(peer);
		engine_key_text(ez->op_key, out->key);
	}
	snprintf(out->error, sizeof(out->error), "%s", ez->error != NULL ? ez->error : "");
	out->recent = ez->failures;
	out->incremental = ez->live_delta;
	out->transfers = ez->transfers;
	out->transfer_bytes = ez->transfer_bytes;
	out->last_transfer_ms = ez->last_transfer_ms;
	return 0;
}

const struct engine_counters *engine_counters(const struct engine *engine)
{
	return &engine->counters;
}

const struct provide_counters *engine_provide_counters(const struct engine *engine)
{
	return provider_counters(engine->provider);
}

void engine_log_to(struct engine *engine, void (*line)(void *ctx, const char *text), void *ctx)
{
	engine->log_line = line;
	engine->log_ctx = ctx;
}
