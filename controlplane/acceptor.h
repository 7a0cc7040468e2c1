// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A listening socket in the event loop. Where there is no descriptor left for a client, it stays in
// the socket's queue and the socket readable: it is looked at ten times a second then, so that the
// loop does not spin over what it cannot do. Event loop's thread.
#pragma once

#include <sys/socket.h>

struct acceptor;
struct event_base;

// `accepted` is called with each client: a socket that does not block, the callee's, and where it
// came from. `sock` is borrowed. Post: NULL when out of memory.
struct acceptor *acceptor_open(struct event_base *base, int sock,
    void (*accepted)(void *ctx, int sock, const struct sockaddr_storage *from), void *ctx)
    __attribute__((warn_unused_result));
void acceptor_close(struct acceptor *acceptor); // NULL is accepted
