// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The DPDK side of np-load: EAL from the options, one port with one queue each way, one pool.
#pragma once

#include <stdint.h>

#include "load_options.h"

struct rte_mempool;

struct load_port {
	uint16_t id;
	struct rte_mempool *pool;
};

// Post: 0 and the link is up; or a negative value after saying on stderr what is wrong.
int load_port_open(struct load_port *port, const struct load_options *options);
void load_port_close(struct load_port *port);
