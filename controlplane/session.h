// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One zone transfer as a conversation without a network: the request to send, whole (AXFR, RFC
// 5936) or incremental (IXFR, RFC 1995), and the messages that come back, checked one by one (RFC
// 8945). Records go straight from the wire into a collection or a difference. No I/O, no clock.
// Driven by transfer.c on the event loop's thread, by tests, and by the fuzzer with whole
// conversations.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delta.h"
#include "records.h"
#include "seen.h"
#include "tsig.h"
#include "zone.h"

#define SESSION_ROOM_STEP   ((size_t)1 << 20) // bytes of memory
#define SESSION_ROOM_REASON 256

// What is asked for.
struct session_ask {
	bool incremental; // IXFR from `ours`; else AXFR
	bool any_serial;  // take the zone even when it is not newer than ours; not with incremental
	bool padded;      // it goes out encrypted: its length shall not tell the zone
	struct zone_soa ours;
	// Called when the zone comes as a whole and is newer than ours: the version that it takes
	// the place of, or NULL. NULL: there is none. The session owns what it gives.
	struct seen *(*known)(void *ctx);
	// Called each time that what was collected has grown by SESSION_ROOM_STEP: is there memory
	// for a version of it? Post: true; or false and half a sentence. NULL: there is. `count` is
	// 0 for a difference: nobody knows how many it leaves.
	bool (*room)(void *ctx, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON]);
	void *ctx; // of both
};

struct session_limits {
	uint64_t bytes;         // received, all messages together
	uint64_t records;       // of the zone, or of the difference
	uint32_t rrset_records; // in one run of equal owner and type; and of what comes of it
};

enum session_state {
	SESSION_MORE,   // feed the next message
	SESSION_DONE,   // complete and verified: session_take with session_take_seen, or
	                // session_take_delta when ->delta
	SESSION_STALE,  // the primary's serial is not newer than ours; session->soa is set, and
	                // verified
	SESSION_FAILED, // session->error says why
};

struct session {
	enum session_state state;
	struct zone_soa soa; // of the first SOA
	char error[200];     // one sentence, names escaped
	uint64_t bytes, messages;
	struct records *records; // owned until session_take
	struct seen *seen;       // owned until session_take_seen; NULL: `records` is all there is
	struct delta *delta;     // owned until session_take_delta; NULL: no incremental answer
	bool key_refused;        // NOTAUTH, and if it says why, for BADKEY or BADSIG
	uint8_t rcode;           // of a refusal, when that is why it failed; else 0

	// The rest is the session's own.
	const struct tsig_key *key; // borrowed
	struct tsig_stream stream;
	struct session_limits limits;
	uint16_t id;
	struct session_ask ask;
	enum {
		FORM_NONE,   // nothing has come
		FORM_OPEN,   // the first SOA has; what follows tells what the answer is
		FORM_WHOLE,  // the zone, record by record
		FORM_REMOVE, // of a difference: what goes
		FORM_ADD,    // and what comes
	} form;
	bool ended; // the last SOA has been seen
	uint8_t apex_len;
	uint8_t owner_len;
	uint16_t run_type; // of the run counted by `run`
	uint32_t run;
	uint64_t count; // of the records that came, of whichever kind
	size_t room_at; // bytes collected at which it is asked about the memory
	uint8_t run_owner_len;
	size_t owner_at; // where in this message the last owner was read; 0: nowhere
	uint8_t apex[NAME_LEN_MAX];
	uint8_t owner[NAME_LEN_MAX];
	uint8_t run_owner[NAME_LEN_MAX];          // of the last record that was counted
	uint8_t soa_rdata[2 * NAME_LEN_MAX + 20]; // the first SOA's
	uint16_t soa_len;
	uint32_t soa_ttl;
	uint8_t soa_owner[NAME_LEN_MAX]; // case kept
	uint8_t scratch[65536];
};

// Pre: `apex` in wire form, lower case. `ask` and `limits` are copied. Post: NULL when out of
// memory.
struct session *session_open(const uint8_t *apex, const struct tsig_key *key, uint16_t id,
    const struct session_ask *ask, const struct session_limits *limits)
    __attribute__((warn_unused_result));
void session_close(struct session *session); // NULL is accepted

// The query, signed when there is a key. To be called once. Pre: cap >= 1024.
// Post: its length; 0 when out of memory.
size_t session_request(struct session *session, uint8_t *out, size_t cap, uint64_t now_s);

// Post: the new state, also in session->state. Pre: session->state == SESSION_MORE.
enum session_state session_message(
    struct session *session, const uint8_t *msg, size_t len, uint64_t now_s);

// Records received so far, of whichever kind.
size_t session_count(const struct session *session);

// Pre: SESSION_DONE, delta NULL. Ownership goes to the caller. The last SOA is not in it a second
// time. With `seen` they are what came and is not the same in the version known: the rest is there.
struct records *session_take(struct session *session);
struct seen *session_take_seen(struct session *session);
// Pre: SESSION_DONE, delta not NULL. Ownership goes to the caller.
struct delta *session_take_delta(struct session *session);
