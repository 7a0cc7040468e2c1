// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// RUNDIR/seam.sock: takes the data plane's connection, one at a time, and moves its messages
// (zones/SEAM.md). It always reads; what it cannot write at once the caller offers again. A new
// connection takes the place of the old one: the data plane was restarted. Event loop's thread.
#pragma once

#include <stdbool.h>

#include "seam.h"

struct event_base;
struct seam_server;

struct seam_server_ops {
	void *ctx;
	void (*message)(void *ctx, const struct seam_message *message, int fd); // fd: the callee's
	void (*writable)(void *ctx); // after a seam_server_send() that gave -EAGAIN
	void (*gone)(void *ctx);     // the connection is over
};

// Post: 0; or -errno. A stale socket file is replaced: the caller holds the storage's lock.
int seam_server_open(struct event_base *base, const char *rundir, const struct seam_server_ops *ops,
    struct seam_server **out) __attribute__((warn_unused_result));
void seam_server_close(struct seam_server *server); // NULL is accepted; no `gone`

// Post: 0, -EAGAIN, or -ENOTCONN (also when the connection breaks over it: `gone` follows later).
int seam_server_send(struct seam_server *server, struct seam_message *message, int fd);

// Ends the connection; `gone` follows from the loop.
void seam_server_drop(struct seam_server *server, const char *reason);
