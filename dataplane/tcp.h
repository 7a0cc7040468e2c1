// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS over TCP (RFC 7766) on kernel sockets, from the same zones with the same answer function as
// the workers. Threads of its own; UDP does not feel them.
#pragma once

struct dataplane;
struct tcp;

// Main thread, after attach_start(). Listens on every served address, also on those the kernel does
// not have (yet). Post: 0 (also when the configuration wants no threads), or -errno and nothing
// left.
int tcp_start(struct dataplane *dataplane, struct tcp **out)
    __attribute__((nonnull, warn_unused_result));
// Main thread, before attach_stop(). Closes all connections. NULL is accepted.
void tcp_stop(struct tcp *tcp);
