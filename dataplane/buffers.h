// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Packet buffers: how many of them can be under way at once, how large they are, and the pools they
// come from. All of a pool's buffers are touched when it is made, so each is resident memory. Main
// thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "iface.h"

#define BUFFERS_DESC 2048 // descriptors of a receive or transmit ring, where the driver has some
#define BUFFERS_PUNT 1024 // a ring of frames on their way to the kernel; one each for three kinds
#define BUFFERS_DOWN 1024 // the ring of frames on their way from it, and from the control plane

struct rte_mempool;

struct buffers {
	unsigned count;
	unsigned cache; // the most recently freed, kept by the worker and taken first
	size_t room;    // bytes of one behind its header
	bool dma;       // a device writes into them by address: none may cross a page
};

// What one queue of the port needs. `iface` is read for ports that have one.
struct buffers buffers_queue(const struct config_port *port, const struct iface *iface,
    bool hugepages) __attribute__((nonnull));

// What all ports together need for frames that are made outside the workers.
struct buffers buffers_down(const struct config *config) __attribute__((nonnull));

// Bytes of memory that such a pool takes.
size_t buffers_bytes(const struct buffers *buffers, bool hugepages) __attribute__((nonnull));

// Pre: eal_start(). Post: NULL when there is no memory; else freed with rte_mempool_free().
struct rte_mempool *buffers_open(const char *name, const struct buffers *buffers, int socket)
    __attribute__((nonnull, warn_unused_result));
