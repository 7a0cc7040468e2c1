// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A TCP connection to a primary: connects, sends one request, hands over the framed messages that
// come back (RFC 1035 4.2.2). Non-blocking, on the event loop. Bounded in time and in the least
// rate it puts up with. Used by transfer.c and soa_query.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct event_base;
struct stream;

struct stream_options {
	const struct sockaddr *remote;
	socklen_t remote_len;
	const struct sockaddr *local; // NULL: any
	socklen_t local_len;
	unsigned connect_ms, idle_ms;
	// Bytes that must arrive in each STREAM_WINDOW_S seconds in which anything arrives; 0: any
	// rate.
	unsigned window_bytes_min;
	unsigned total_s; // the whole conversation
	size_t buffer;    // at least 2 + 65535
};

#define STREAM_WINDOW_S 10

// `message` returns false when it has seen enough; `closed` comes exactly once, last, and must call
// stream_close. `why` is NULL after `message` returned false, else a sentence.
struct stream_handlers {
	bool (*message)(void *ctx, const uint8_t *msg, size_t len);
	void (*closed)(void *ctx, const char *why);
};

// Copies the request and the options. Post: 0 and *out; or -errno and no handler is ever called.
int stream_open(struct event_base *base, const struct stream_options *options,
    const uint8_t *request, size_t len, const struct stream_handlers *handlers, void *ctx,
    struct stream **out) __attribute__((warn_unused_result));

// Not from within `message`. NULL is accepted.
void stream_close(struct stream *stream);

// True when the peer ended an established connection.
bool stream_hung_up(const struct stream *stream);

// Bytes received so far.
uint64_t stream_received(const struct stream *stream);
