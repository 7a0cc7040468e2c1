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

// What may be wrong with a reply whatever its content.
enum mserver_fault {
	SERVER_FINE,
	SERVER_NO_REPLY,
	SERVER_SUM,    // query->sum is not the sum of the reply
	SERVER_BEYOND, // bytes were written where none may be
	SERVER_HASHES, // an answer without a chain took more than one NSEC3 hash
};

struct mserver_reply {
	const uint8_t *bytes; // until the next question asked the same way
	size_t len;
	enum mserver_fault fault;
	bool compiled; // was copied, not rendered
};

void mserver_ask(const uint8_t *msg, size_t len, const struct model_question *q, bool render_only,
    struct mserver_reply *reply);
