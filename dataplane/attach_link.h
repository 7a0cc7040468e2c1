// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The data plane's end of the seam's socket: connects again for ever, and keeps what does not fit
// into the socket in a bounded queue. Attach thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "seam.h"

#define LINK_QUEUE 256 // messages

struct link_slot {
	int fd; // goes with it, borrowed; -1: none
	struct seam_message message;
};

struct link {
	char path[108];
	int fd;              // -1: not connected
	uint64_t connection; // counts connections; 0: there was none
	int64_t retry_at_ms; // monotonic
	unsigned retry_after_ms;
	unsigned head, count;
	struct link_slot queue[LINK_QUEUE];
};

// Post: 0 or -ENAMETOOLONG.
int link_open(struct link *link, const char *rundir) __attribute__((nonnull, warn_unused_result));

// One attempt, if it is time. Post: true when a new connection was made.
bool link_connect(struct link *link, int64_t now_ms) __attribute__((nonnull));
// Drops the connection and all that is queued; the next attempt comes later.
void link_drop(struct link *link, int64_t now_ms) __attribute__((nonnull));

static inline unsigned link_room(const struct link *link)
{
	return LINK_QUEUE - link->count;
}
// A zeroed message of the type at the queue's end. Pre: link_room() is not 0.
struct seam_message *link_put(struct link *link, uint32_t type) __attribute__((nonnull));
struct seam_message *link_put_fd(struct link *link, uint32_t type, int fd) __attribute__((nonnull));

// Sends what fits. Post: 0 (link->count may be more than 0: wait until writable), or -errno: drop
// it.
int link_flush(struct link *link) __attribute__((nonnull, warn_unused_result));
