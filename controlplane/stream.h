// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A TCP connection to a primary, or TLS over it (RFC 9103): connects, sends one request, hands over
// the framed messages that come back (RFC 1035 4.2.2). Non-blocking, on the event loop. Bounded in
// time and in the least rate it puts up with. Used by transfer.c and soa_query.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct event_base;
struct stream;
struct tls_context;

struct stream_options {
	const struct sockaddr *remote;
	socklen_t remote_len;
	const struct sockaddr *local; // NULL: any
	socklen_t local_len;
	struct tls_context *tls; // NULL: plain TCP. Never a fallback from one to the other.
	unsigned connect_ms;     // for the connection, and as much again for TLS's handshake
	unsigned idle_ms;
	// Bytes that must arrive in each STREAM_WINDOW_S seconds in which anything arrives; 0: any
	// rate.
	unsigned window_bytes_min;
	unsigned total_s; // the whole conversation
	size_t buffer;    // at least STREAM_BUFFER_MIN
};

#define STREAM_WINDOW_S 10
// A whole message, and behind what is left of one room for a record of TLS.
#define STREAM_BUFFER_MIN (2 + 65535 + 16384)

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

// True when the peer ended an established connection (with TLS: one that has
// brought something, or that it closed in order).
bool stream_hung_up(const struct stream *stream);
