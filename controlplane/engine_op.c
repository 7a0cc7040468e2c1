// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Queries and transfers of the secondary zones: begun as the pacing of their primary allows, their
// ends told to the zone's state machine.
#include "engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "reading.h"
#include "stack.h"

// The operation is over: its slot goes to the next, and the primary's reference is dropped.
static void op_end(struct engine_zone *ez, enum pacing_word word)
{
	struct primary *primary = ez->primary;
	enum op_kind kind = (enum op_kind)ez->op_kind;

	ez->op_kind = OP_NONE;
	ez->primary = NULL;
	if (kind == OP_WAITING) {
		pacing_cancel(&primary->pacing, &ez->waiter);
	} else if (kind != OP_NONE) {
		pacing_release(&primary->pacing, kind == OP_QUERY ? PACING_QUERY : PACING_TRANSFER,
		    word, engine_now().mono_ms);
	}
	if (kind != OP_NONE) {
		primary_unref(primary);
	}
}

// A preferred key that was refused is tried again first after so long: the primary may have got it.
#define KEY_REFUSED_MS 60000

static int op_start(struct engine_zone *ez);

// The key to ask with: the preferred one, unless it was refused lately; the other of the two when
// this is the second try.
static struct tsig_key *op_key(const struct engine_zone *ez)
{
	const struct primary *primary = ez->primary;
	bool other = engine_now().mono_ms < primary->key_refused_until_ms;

	if (primary->other_key == NULL) {
		return primary->peer.key;
	}
	return other != ez->op_again ? primary->other_key : primary->peer.key;
}

// The primary will not have the key. Post: true when the question is under way again with the other
// one of the two.
static bool op_key_refused(struct engine_zone *ez, const char *error)
{
	struct primary *primary = ez->primary;
	char refused[64], other[64];

	if (ez->op_again || primary->other_key == NULL) {
		return false;
	}
	ez->engine->counters.keys_refused++;
	engine_key_text(ez->op_key, refused);
	ez->op_again = true;
	if (op_start(ez) != 0) {
		return false; // told as the refusal that it began with
	}
	engine_key_text(ez->op_key, other);
	engine_log(ez, "key %s: %s; asking with key %s", refused, error, other);
	return true;
}

// An answer proves the key it was asked with.
static void op_key_good(struct engine_zone *ez)
{
	struct primary *primary = ez->primary;

	if (tsig_key_same(ez->op_key, primary->peer.key)) {
		primary->key_refused_until_ms = INT64_MIN;
	} else if (ez->op_again) {
		primary->key_refused_until_ms = engine_now().mono_ms + KEY_REFUSED_MS;
	}
}

static void on_soa(void *ctx, const struct zone_soa *soa, const struct soa_failure *failure)
{
	struct engine_zone *ez = ctx;
	struct engine *engine = ez->engine;
	struct zone_event event = {
	    .kind = soa != NULL ? ZONE_EVENT_SOA : ZONE_EVENT_SOA_FAILED, .token = ez->op_token};

	if (soa == NULL && failure->key_refused && op_key_refused(ez, failure->error)) {
		return;
	}
	if (soa != NULL) {
		engine->counters.soa_answers++;
		event.soa = *soa;
		op_key_good(ez);
	} else {
		engine->counters.soa_failures++;
		engine_error_set(ez, failure->error);
	}
	op_end(ez, soa == NULL && failure->silent ? PACING_SILENT : PACING_HEARD);
	engine_zone_event(ez, &event);
	engine_dispatch_all(engine);
	engine_arm(engine);
}

static void transfer_log(struct engine_zone *ez, const struct transfer_result *result, int64_t took)
{
	const char *over = ez->primary->peer.tls != NULL ? " over TLS" : "";
	char address[ADDRESS_TEXT_MAX];

	if (result->delta != NULL) {
		engine_log(ez,
		    "serial %u from %s%s: difference to serial %u, %llu records in %u steps, "
		    "%llu bytes in %llu messages, %lld ms",
		    result->soa.serial,
		    address_text((const struct sockaddr *)&ez->primary->peer.remote, address), over,
		    result->delta->from, (unsigned long long)result->count, result->delta->steps,
		    (unsigned long long)result->bytes, (unsigned long long)result->messages,
		    (long long)took);
		return;
	}
	engine_log(ez, "serial %u from %s%s: %llu records, %llu bytes in %llu messages, %lld ms",
	    result->soa.serial,
	    address_text((const struct sockaddr *)&ez->primary->peer.remote, address), over,
	    (unsigned long long)result->count, (unsigned long long)result->bytes,
	    (unsigned long long)result->messages, (long long)took);
}

static void on_transfer(void *ctx, const struct transfer_result *result)
{
	struct engine_zone *ez = ctx;
	struct engine *engine = ez->engine;
	struct zone_event event = {.token = ez->op_token, .soa = result->soa};
	int64_t took = engine_now().mono_ms - ez->op_began_ms;

	if (result->key_refused && op_key_refused(ez, result->error)) {
		return;
	}
	if (result->state != SESSION_FAILED) {
		op_key_good(ez);
	}
	engine->counters.transfer_bytes += result->bytes;
	ez->transfer_bytes += result->bytes;
	if (result->state == SESSION_DONE) {
		event.kind = ZONE_EVENT_TRANSFERRED;
		engine->counters.transfers_done++;
		engine->counters.transfer_records += result->count;
		ez->transfers++;
		ez->last_transfer_ms = took;
		ez->records = result->records;
		ez->known = result->seen;
		ez->delta = result->delta;
		event.incremental = result->delta != NULL;
		transfer_log(ez, result, took);
	} else if (result->state == SESSION_STALE) {
		event.kind = ZONE_EVENT_TRANSFER_STALE;
		engine->counters.transfers_stale++;
	} else {
		event.kind = ZONE_EVENT_TRANSFER_FAILED;
		event.heard = result->heard;
		event.refused = result->refused;
		event.no_room = ez->op_no_room;
		engine->counters.transfers_failed++;
		engine_error_set(ez, result->error != NULL ? result->error : "connection ended");
	}
	op_end(ez, result->silent ? PACING_SILENT : PACING_HEARD);
	engine_zone_event(ez, &event);
	engine_content_drop(ez); // when it was neither published nor discarded
	engine_dispatch_all(engine);
	engine_arm(engine);
}

// A version that is open while its zone comes again; it may outlive the engine.
struct known {
	void (*read_end)(void *ctx, struct reading *reading);
	void *ctx;
	struct reading reading;
};

static void known_release(void *ctx)
{
	struct known *known = ctx;

	known->read_end(known->ctx, &known->reading);
	free(known);
}

// What is served, where it is large enough that memory counts, and in memory.
static struct seen *op_known(void *ctx)
{
	struct engine_zone *ez = ctx;
	const struct provider_ops *ops = &ez->engine->ops.provide;
	struct known *known = ops->peek != NULL ? calloc(1, sizeof(*known)) : NULL;
	struct seen *seen = NULL;

	if (known == NULL || ops->peek(ops->ctx, ez->apex, &known->reading) != 0) {
		free(known);
		return NULL;
	}
	const struct zone_version *version = &known->reading.version;

	known->read_end = ops->read_end;
	known->ctx = ops->ctx;
	if (version->layer[version->layer_count - 1].header->size >= STACK_BASE_MIN) {
		seen = seen_new(version, known->reading.content, known_release, known);
	}
	if (seen == NULL) {
		reading_close(&known->reading);
		free(known);
	}
	return seen;
}

static bool op_room(void *ctx, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	struct engine_zone *ez = ctx;
	const struct engine_ops *ops = &ez->engine->ops;

	ez->op_no_room = !ops->room(ops->ctx, count, bytes, reason);
	if (ez->op_no_room) {
		engine_room_note(ez, count, bytes);
	}
	return !ez->op_no_room;
}

static int op_start(struct engine_zone *ez)
{
	struct engine *engine = ez->engine;
	struct peer peer = ez->primary->peer;

	peer.key = op_key(ez);
	tsig_key_ref(peer.key);
	tsig_key_unref(ez->op_key);
	ez->op_key = peer.key;
	ez->op_began_ms = engine_now().mono_ms;
	ez->op_no_room = false;
	if (ez->waiter.kind == PACING_QUERY) {
		ez->op_kind = OP_QUERY;
		return soa_query_start(engine->base, &peer, ez->apex, on_soa, ez,
		    &engine->counters.soa_queries, &ez->op.query);
	}
	ez->op_kind = OP_TRANSFER;
	engine->counters.transfers_started++;
	engine->counters.ixfr_started += ez->op_ask.incremental;
	return transfer_start(engine->base, &peer, ez->apex, &ez->op_ask, &ez->profile->limits,
	    on_transfer, ez, &ez->op.transfer);
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
	engine_error_set(ez, error);
	op_end(ez, PACING_UNKNOWN);
	engine_zone_answer(ez, &event);
}

static struct engine_zone *of_waiter(struct pacing_waiter *waiter)
{
	return (
	    struct engine_zone *)(void *)((char *)waiter - offsetof(struct engine_zone, waiter));
}

#define SILENT "primary has been silent; not asked again yet"
// So many are told that they cannot begin before the loop gets its turn: a million may wait.
#define FAILURES_PER_TURN 1000

// Begins what waits for this primary as far as the limits allow. Ends: each turn takes one waiter.
static void dispatch_one(struct primary *primary, unsigned *failures)
{
	struct pacing_waiter *waiter;

	primary->refs++; // the last user may leave in the loop
	while (*failures < FAILURES_PER_TURN &&
	       (waiter = pacing_refused(&primary->pacing, engine_now().mono_ms)) != NULL) {
		(*failures)++;
		op_failed(of_waiter(waiter), waiter->kind == PACING_QUERY, SILENT);
	}
	while (*failures < FAILURES_PER_TURN &&
	       (waiter = pacing_next(&primary->pacing, engine_now().mono_ms)) != NULL) {
		struct engine_zone *ez = of_waiter(waiter);
		int rc = op_start(ez);

		if (rc != 0) {
			(*failures)++;
			op_failed(ez, ez->op_kind == OP_QUERY, strerror(-rc));
		}
	}
	primary_unref(primary);
}

void engine_dispatch_stop(struct engine *engine)
{
	engine->dispatching = true;
}

void engine_dispatch_go(struct engine *engine)
{
	engine->dispatching = false;
	engine_dispatch_all(engine);
}

// What cannot be begun fails at once, and its zone asks the next primary, whose queue may be as
// long: never one within the other, or the stack would be as deep as the queues are long.
static void dispatch(struct engine *engine, struct primary *primary)
{
	if (engine->dispatching) {
		engine->dispatch_more = true;
		return;
	}
	unsigned failures = 0;

	engine->dispatching = true;
	engine->dispatch_more = primary == NULL;
	if (primary != NULL) {
		dispatch_one(primary, &failures);
	}
	while (engine->dispatch_more && failures < FAILURES_PER_TURN) {
		engine->dispatch_more = false;
		for (size_t i = 0; i < engine->setup->primary_count; i++) {
			dispatch_one(engine->setup->primaries[i], &failures);
		}
	}
	engine->dispatch_more = failures >= FAILURES_PER_TURN; // engine_arm sees to it
	engine->dispatching = false;
}

void engine_dispatch(struct engine *engine, struct primary *primary)
{
	dispatch(engine, primary);
}

void engine_dispatch_all(struct engine *engine)
{
	dispatch(engine, NULL);
}

void engine_op_ask(struct engine_zone *ez, const struct zone_action *action)
{
	bool query = action->kind == ZONE_ACTION_QUERY;

	ez->op_token = action->token;
	ez->op_primary = (uint8_t)action->primary;
	ez->op_ask = (struct session_ask){.incremental = action->incremental,
	    .any_serial = action->any_serial,
	    .ours = ez->zone.soa,
	    .known = op_known,
	    .room = ez->engine->ops.room != NULL ? op_room : NULL,
	    .ctx = ez};
	if (action->fallback) {
		ez->engine->counters.ixfr_fallbacks++;
	}
	ez->primary = ez->profile->ways[action->primary];
	ez->primary->refs++;
	ez->op_kind = OP_WAITING;
	ez->op_again = false;
	if (!pacing_ask(&ez->primary->pacing, &ez->waiter, query ? PACING_QUERY : PACING_TRANSFER,
	        action->urgency, engine_now().mono_ms)) {
		op_failed(ez, query, SILENT);
		return;
	}
	engine_dispatch(ez->engine, ez->primary);
}

void engine_op_abort(struct engine_zone *ez)
{
	if (ez->op_kind == OP_QUERY) {
		soa_query_abort(ez->op.query);
	} else if (ez->op_kind == OP_TRANSFER) {
		transfer_abort(ez->op.transfer);
	}
	op_end(ez, PACING_UNKNOWN);
}

// Is what is under way not what would be begun now? Post: then `why`.
static bool op_outdated(const struct engine_zone *ez, char why[128])
{
	char key[64];

	if (ez->op_kind != OP_QUERY && ez->op_kind != OP_TRANSFER) {
		return false;
	}
	if (!primary_has_key(ez->primary, ez->op_key)) {
		engine_key_text(ez->op_key, key);
		snprintf(why, 128, "key %s has changed or is retired", key);
		return true;
	}
	snprintf(why, 128, "what TLS must prove has changed");
	return ez->primary->tls_changed;
}

void engine_op_rekey(struct engine_zone *ez)
{
	struct zone_event event = {.kind = ZONE_EVENT_CONFIG, .policy = &ez->profile->policy};
	char why[128];

	if (op_outdated(ez, why)) {
		engine_log(ez, "%s: what is under way begins anew", why);
		engine_zone_event(ez, &event);
	}
}

void engine_ops_rekey(struct engine *engine)
{
	for (size_t i = 0; i < engine->bucket_count; i++) {
		for (struct engine_zone *ez = engine->buckets[i]; ez != NULL; ez = ez->next) {
			engine_op_rekey(ez);
		}
	}
}
