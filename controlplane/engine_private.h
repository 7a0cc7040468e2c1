// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Internal to engine*.c: the engine and its zones. All of it belongs to the event loop's thread.
#pragma once

#include <sys/queue.h>

#include "engine.h"
#include "failures.h"
#include "notify.h"
#include "pacing.h"
#include "provider.h"
#include "setup.h"
#include "soa_query.h"
#include "timers.h"
#include "transfer.h"

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
	struct records *records;   // between TRANSFERRED and PUBLISH, with
	struct seen *known;        // the same: what is to be added to them; or
	struct delta *delta;       // the same
	struct cramped *cramped;   // owned; engine_room.c; NULL: most have none
	char *error;               // of the last round's last failure; NULL: none
	struct failures *failures; // NULL: none so far
	struct session_ask op_ask;
	struct tsig_key *op_key; // of the operation under way, or the last one; a reference
	uint32_t op_token;
	uint8_t op_kind, op_primary;
	bool op_again;     // with the primary's other key, after the first was refused
	bool handed_delta; // what was handed out last for publication is a difference
	bool live_delta;   // what is served came as one
	bool busy, has_answer;
	uint8_t epoch;       // of the configuration that named it last
	bool regressed_said; // what the log has of a serial that went backwards
	uint8_t regressed_primary;
	uint32_t regressed_serial;
	// An answer that came while busy: of the publisher, or of what could not be begun.
	uint8_t answer_kind; // enum zone_event_kind
	bool answer_short;   // ZONE_EVENT_HELD: lacks_agreement
	bool answer_no_room; // ZONE_EVENT_REJECTED
	bool op_no_room;     // the transfer under way was ended for want of memory
	uint32_t answer_token;
	int64_t op_began_ms, last_transfer_ms;
	uint64_t transfers, transfer_bytes;
};

// A configuration that is being taken up (engine_take.c): `setup` is the new one's already.
struct engine_taking {
	struct setup *old;               // profiles of zones that have not had their turn; or NULL
	struct provider_zones *provided; // being made; or NULL
	bool provided_has;               // the zone at `at`
	size_t at;                       // the next zone, or bucket
	unsigned step;
};

struct engine {
	struct event_base *base;
	struct engine_ops ops;
	const struct key_changes *changes; // borrowed; NULL: none
	struct setup *setup;
	struct engine_taking taking;
	uint8_t epoch;           // of the configuration in force, or being taken up
	struct tls_context *tls; // of `listen-tls`, a reference; NULL: none
	struct listener **listeners;
	size_t listener_count;
	struct engine_clock *clock;
	struct event *deadline; // of the first timer, or of a primary's query allowance
	bool dispatching;       // what is to be begun waits until that is over
	bool dispatch_more;     // and there is some; or the loop's turn came first
	struct timers timers;
	struct pacing_total pacing_total;
	struct engine_zone **buckets;    // by hash of the apex
	size_t bucket_count, zone_count; // bucket_count: a power of two
	struct notify_service notify;
	int64_t notify_told_ms; // monotonic: when one that was refused was told last; 0: never
	struct provider *provider;
	TAILQ_HEAD(, cramped) cramped; // those that wait for memory
	size_t cramped_count;
	struct event *room; // looks whether there is some; NULL: nobody ever waited
	struct engine_counters counters;
	void (*log_line)(void *ctx, const char *text);
	void *log_ctx;
};

// engine.c
struct zone_now engine_now(void);
struct engine_zone *engine_find(const struct engine *engine, const uint8_t *apex);
// Case-insensitive. Apexes are the operator's choice, so collisions are nobody's weapon.
size_t engine_apex_hash(const uint8_t *apex);
void engine_log(const struct engine_zone *ez, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void engine_arm(struct engine *engine); // for the first deadline
void engine_key_text(const struct tsig_key *key, char out[64]);
const char *engine_transport(const struct peer *peer); // for a person
size_t engine_listener_answer(void *ctx, struct connection *connection, const uint8_t *msg,
    size_t len, const struct sockaddr *from, uint8_t *reply, size_t cap);

// engine_zone.c: events into the state machine, its actions carried out.
void engine_zone_event(struct engine_zone *ez, const struct zone_event *event);
// The same for one that an action of the zone's brings about, maybe: its turn comes after the
// actions of the event before it. Only kind, token, lacks_agreement and no_room count.
void engine_zone_answer(struct engine_zone *ez, const struct zone_event *event);
// Why the last round failed; NULL: it did not.
void engine_error_set(struct engine_zone *ez, const char *error);
void engine_content_drop(struct engine_zone *ez); // what was transferred and nobody takes

// engine_op.c: queries and transfers, paced per primary.
void engine_op_ask(struct engine_zone *ez, const struct zone_action *action);
void engine_op_abort(struct engine_zone *ez);
// What is under way with a key that its primary no longer has, or over TLS that proved less, is
// begun anew: of one zone, or of all. To be called after setup_arm.
void engine_op_rekey(struct engine_zone *ez);
void engine_ops_rekey(struct engine *engine);
void engine_dispatch(struct engine *engine, struct primary *primary);
void engine_dispatch_all(struct engine *engine);
// Between them nothing is begun.
void engine_dispatch_stop(struct engine *engine);
void engine_dispatch_go(struct engine *engine);

// engine_room.c: zones that wait for memory.
// A version of so many records that take so much is to be published, or was refused.
void engine_room_note(struct engine_zone *ez, uint64_t count, uint64_t bytes);
void engine_room_wait(struct engine_zone *ez);  // after each event: as the zone wants
void engine_room_leave(struct engine_zone *ez); // for good

// engine_clock.c: tells every zone when the wall clock is set. NULL when out of memory.
struct engine_clock *engine_clock_open(struct engine *engine);
void engine_clock_close(struct engine_clock *clock); // NULL is accepted

// engine_take.c: a configuration is taken up.
void engine_zones_drop(struct engine *engine); // all, and the table
void engine_listeners_close(struct listener **listeners, size_t count);
