// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One zone transfer over the network: a session (session.h) on a connection (stream.h). Any number
// run side by side on the event loop.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"
#include "session.h"

struct event_base;
struct transfer;

// What a transfer may cost.
struct transfer_limits {
	struct session_limits session;
	uint32_t time_s, idle_s;
	uint32_t rate; // bytes a second, over each STREAM_WINDOW_S in which anything comes; 0: any
};

struct transfer_result {
	enum session_state state; // DONE, STALE or FAILED
	struct zone_soa soa;      // DONE, STALE; FAILED: if there was one
	struct records *records;  // DONE: the receiver owns them, and
	struct seen *seen;        // what is to be added to them, from the version known; or
	struct delta *delta;      // DONE: a difference, the receiver owns it
	uint64_t bytes, messages, count;
	bool silent;       // FAILED: nothing at all was heard, not even a refusal
	bool heard;        // FAILED: what was heard is what failed; another question may do better
	bool refused;      // FAILED: FORMERR, NOTIMP or REFUSED
	bool key_refused;  // FAILED: the primary will not have our key
	const char *error; // FAILED: borrowed for the call
};

// Comes exactly once unless transfer_abort is called; never from within transfer_start. The
// transfer is freed when it returns.
typedef void (*transfer_done_fn)(void *ctx, const struct transfer_result *result);

// `peer`, `ask` and `limits` are copied, the key is referenced. Post: 0 and *out; or -errno.
int transfer_start(struct event_base *base, const struct peer *peer, const uint8_t *apex,
    const struct session_ask *ask, const struct transfer_limits *limits, transfer_done_fn done,
    void *ctx, struct transfer **out) __attribute__((warn_unused_result));
void transfer_abort(struct transfer *transfer); // NULL is accepted; not from within the callback
