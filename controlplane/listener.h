// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The sockets of `controlplane.listen`: UDP, one message in and one out; TCP, see connection.h; and
// of `listen-tls`, the latter over TLS.
// Bounded in connections, message size and idle time. Event loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"

struct connection;
struct event_base;
struct listener;
struct tls_context;

struct listener_service {
	void *ctx;
	struct tls_context *tls; // not NULL: TLS alone, neither UDP nor plain TCP
	// `connection` is NULL over UDP. Post: the reply's length, 0 for none; over TCP also
	// CONNECTION_SOURCE (connection.h).
	size_t (*answer)(void *ctx, struct connection *connection, const uint8_t *msg, size_t len,
	    const struct sockaddr *from, uint8_t *reply, size_t cap);
};

// Copies the service; the context is referenced. Post: 0 and *out; or -errno and nothing is open.
int listener_open(struct event_base *base, const struct config_address *address,
    const struct listener_service *service, struct listener **out)
    __attribute__((warn_unused_result));
// From now on connections are opened with this one. Pre: it has been opened with one.
void listener_retls(struct listener *listener, struct tls_context *tls);
void listener_close(struct listener *listener); // NULL is accepted
