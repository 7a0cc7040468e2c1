// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The sockets of `controlplane.listen`: UDP and TCP, one message in, one reply out. Bounded in
// connections, message size and idle time. Event loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"

struct event_base;
struct listener;

// Post: the reply's length, 0 for none.
typedef size_t (*listener_answer_fn)(void *ctx, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint8_t *reply, size_t cap);

// Post: 0 and *out; or -errno and nothing is open.
int listener_open(struct event_base *base, const struct config_address *address,
    listener_answer_fn answer, void *ctx, struct listener **out)
    __attribute__((warn_unused_result));
void listener_close(struct listener *listener); // NULL is accepted
