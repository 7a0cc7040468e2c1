// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Ports: opened, started and closed by the main thread, polled by the workers. Queue q of a port is
// worker q % workers' alone, receive and transmit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "frame.h"

#define PORT_QUEUES_MAX 64

struct rte_mempool;
struct rte_ring;
struct punt;
struct sink;
struct xdp;

struct port {
	const struct config_port *config; // borrowed
	char name[128];                   // "af_xdp:eth1", for the operator
	uint16_t id;                      // DPDK's number
	bool probed, started;
	unsigned queue_count;
	uint16_t reply_max4, reply_max6; // bytes of a DNS message that fit the MTU
	uint8_t mac[6];
	struct frame_rules rules; // read-only once started
	struct rte_mempool *pools[PORT_QUEUES_MAX];
	struct rte_ring *down; // main, attach, punt: put; the worker of queue 0: gets and sends
	struct punt *punt;     // NULL: what is not ours is dropped (or the kernel has it anyway)
	struct xdp *xdp;       // af_xdp only
	struct sink *sink;     // af_packet only
};

struct ports {
	struct rte_mempool *down_pool; // frames made outside the workers
	unsigned count;
	struct port list[];
};

// Megabytes that these ports will take of DPDK's memory, in huge pages or without.
unsigned long ports_memory_mb(const struct config *config, bool hugepages) __attribute__((nonnull));

// Pre: eal_start(). Post: all ports configured, not started; or -errno and the reason is logged.
int ports_open(const struct config *config, struct ports **out)
    __attribute__((nonnull, warn_unused_result));

// From here on frames arrive. Pre: the workers poll, or will at once.
int ports_start(struct ports *ports) __attribute__((nonnull, warn_unused_result));

// Pre: no worker polls any more. NULL is accepted.
void ports_close(struct ports *ports);
