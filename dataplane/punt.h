// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The punt interface of a port that the kernel cannot see (pci, memif): a TAP. What is not ours
// goes up to it, what the kernel sends comes down and out of the port. Workers put frames on
// bounded rings, rate-capped, and never wait; one thread per punt interface does the system calls.
//
// Three rings, so that a flood of one kind cannot starve the others: what keeps the node reachable
// (ARP, neighbour discovery, BGP, BFD), TCP, and the rest. The thread serves them in this order.
#pragma once

#include <stdint.h>

#include "config.h"
#include "frame.h"

struct port;
struct punt;
struct rte_mbuf;
struct thread_counters;

// Post: 0, or -errno and the reason is logged. The interface is up and has the port's MAC address;
// giving it addresses is the operator's (like any interface).
int punt_open(const struct port *port, const struct config *config, struct punt **out)
    __attribute__((nonnull, warn_unused_result));

// Starts the thread that moves frames. Pre: the port is started. `down_pool`: buffers for what
// comes down. Post: 0 or -errno.
int punt_start(struct punt *punt, struct port *port, void *down_pool)
    __attribute__((nonnull, warn_unused_result));

// Worker. Takes the frame over, also when it is dropped and counted. `now` in ticks.
void punt_up(struct punt *punt, struct rte_mbuf *m, enum frame_verdict verdict, uint64_t now,
    unsigned worker, struct thread_counters *counters) __attribute__((nonnull));

// Ends the thread. Pre: no worker polls. NULL is accepted.
void punt_close(struct punt *punt);
