// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A client of the control plane over TCP or TLS: framed messages in (RFC 1035 4.2.2), each answered
// by one message or by a source of many, one request after the other. The next message of a source
// is made when the one before has been taken by the socket, and others get their turn between the
// two; so a transfer costs one message of memory, and a client that does not read costs nothing but
// that. While a source is at work nothing more is read. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct event_base;
struct connection;
struct tls_context;
struct tls_link;

enum source_step {
	SOURCE_MORE,   // a message, and not the last one
	SOURCE_LAST,   // the last message
	SOURCE_WAIT,   // nothing yet: connection_wake() will be called
	SOURCE_BROKEN, // nothing ever: the connection ends
};

struct connection_source {
	// Writes the next message into `buf` (`cap` is 65535).
	enum source_step (*next)(void *ctx, uint8_t *buf, size_t cap, size_t *len);
	// Once, last. `why` is NULL when the socket has taken everything, else one or two words.
	void (*ended)(void *ctx, const char *why);
};

struct connection_owner {
	void *ctx;
	// A request. Post: the length of the reply; or CONNECTION_SOURCE after connection_source();
	// or 0, and the connection ends.
	size_t (*request)(void *ctx, struct connection *connection, const uint8_t *msg, size_t len,
	    uint8_t *reply, size_t cap);
	// The connection has closed itself; it is freed after this returns.
	void (*closed)(void *ctx, struct connection *connection);
};

#define CONNECTION_SOURCE SIZE_MAX
// Two of the reasons why a source is ended.
#define CONNECTION_SLOW      "too slow"
#define CONNECTION_STALLED   "stalled"
#define CONNECTION_REPLY_MAX 2048

struct connection {
	TAILQ_ENTRY(connection) link; // the owner's
	struct sockaddr_storage from;
	const struct connection_owner *owner;   // borrowed
	const struct connection_source *source; // NULL: none is at work
	void *source_ctx;
	// The rest is the connection's own.
	struct event *io, *window;
	int fd;
	struct tls_link *tls; // NULL: plain TCP
	bool shaking;         // its handshake is not done
	unsigned windows_left;
	uint64_t sent, sent_before; // before: at the last window
	uint8_t source_state;
	size_t used; // of buffer
	uint8_t *out;
	size_t out_cap, out_len, out_sent;
	uint8_t buffer[];
};

// Takes `fd` (connected, non-blocking), also when it fails; `tls` (NULL: plain TCP) is referenced.
// NULL when out of memory.
struct connection *connection_open(struct event_base *base, int fd, struct tls_context *tls,
    const struct sockaddr_storage *from, const struct connection_owner *owner)
    __attribute__((warn_unused_result));
// Its source is told; the owner is not. NULL is accepted.
void connection_close(struct connection *connection);

// From within `request`: the answer is this source's.
void connection_source(
    struct connection *connection, const struct connection_source *source, void *ctx);
// After SOURCE_WAIT. Not from within `next` or `request`.
void connection_wake(struct connection *connection);
