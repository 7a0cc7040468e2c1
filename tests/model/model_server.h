// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The code under test: a zone compiled into an image, and questions put to it the fast and the
// general way, in buffers full of poison. One zone at a time, one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_answer.h"

// Compiles, verifies and publishes the zone in place of the last one.
// Post: NULL, or why it was refused.
const char *mserver_load(const struct mzone *zone);

// The same in layers: the first zone is a base, each further one a difference to the one before
// that becomes an overlay, in place of the top one or on it as `seed` has it, until the last is
// served. Pre: the spelling of a name and the TTL of an RRset are the same in all.
const char *mserver_load_layers(const struct mzone *const zones[], unsigned count, uint64_t seed);

// Differences that became overlays so far, and those that needed a new base.
void mserver_layers(unsigned long *overlays, unsigned long *rebuilt);

// What may be wrong with a reply whatever its content.
enum mserver_fault {
	SERVER_FINE,
	SERVER_NO_REPLY,
	SERVER_SUM,    // query->sum is not the sum of the reply
	SERVER_BEYOND, // bytes were written where none may be
	SERVER_HASHES, // an answer without a chain took more than one NSEC3 hash; not judged in
	               // layers
};

struct mserver_reply {
	const uint8_t *bytes; // until the next question asked the same way
	size_t len;
	enum mserver_fault fault;
	bool compiled; // was copied, not rendered
};

void mserver_ask(const uint8_t *msg, size_t len, const struct model_question *q, bool render_only,
    struct mserver_reply *reply);
