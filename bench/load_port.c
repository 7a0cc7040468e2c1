// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_port.h.

#include "load_port.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define POOL_MBUFS   16383
#define POOL_CACHE   512
#define RING_DESC    2048
#define LINK_WAIT_MS 10000

static int start_eal(const struct load_options *o)
{
	char lcores[32], memory[16];
	const char *argv[32 + LOAD_EAL_MAX] = {"np-load", "--lcores", lcores, "--no-telemetry",
	    "--log-level", "lib.eal:error", "-m", memory};
	int argc = 8;

	snprintf(memory, sizeof memory, "%u", LOAD_MEMORY_MB);
	if (o->hugepages) {
		argv[argc++] = "--in-memory";
		argv[argc++] = "--single-file-segments"; // memif shares them without copying
	} else {
		fprintf(stderr,
		    "np-load: less than %u MB of hugepages are free, so this runs "
		    "without: slower.\n",
		    LOAD_MEMORY_MB);
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
	}
	snprintf(lcores, sizeof lcores, "0@%u", o->cpu);
	if (o->allow != NULL) {
		argv[argc++] = "--allow";
		argv[argc++] = o->allow;
	} else {
		argv[argc++] = "--no-pci";
		argv[argc++] = "--vdev";
		argv[argc++] = o->vdev;
	}
	for (unsigned i = 0; i < o->eal_count; i++)
		argv[argc++] = o->eal[i];
	if (rte_eal_init(argc, (char **)argv) < 0) {
		fprintf(stderr, "np-load: DPDK does not start: %s.\n", rte_strerror(rte_errno));
		return -1;
	}
	return 0;
}

static int wait_link(const struct load_port *port)
{
	struct rte_eth_link link;

	for (int ms = 0; ms < LINK_WAIT_MS; ms += 10) {
		memset(&link, 0, sizeof link);
		if (rte_eth_link_get_nowait(port->id, &link) == 0 &&
		    link.link_status == RTE_ETH_LINK_UP)
			return 0;
		rte_delay_us_sleep(10000);
	}
	fprintf(stderr, "np-load: no link for %d seconds; is the server's port there?\n",
	    LINK_WAIT_MS / 1000);
	return -1;
}

int load_port_open(struct load_port *port, const struct load_options *options)
{
	struct rte_eth_conf conf = {0};
	int rc;

	if (start_eal(options) != 0)
		return -1;
	port->id = rte_eth_find_next(0);
	if (port->id >= RTE_MAX_ETHPORTS) {
		fprintf(stderr, "np-load: DPDK found no port.\n");
		return -1;
	}
	port->pool = rte_pktmbuf_pool_create(
	    "load", POOL_MBUFS, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (port->pool == NULL) {
		fprintf(stderr, "np-load: no memory for frames.\n");
		return -1;
	}
	rc = rte_eth_dev_configure(port->id, 1, 1, &conf);
	if (rc == 0)
		rc =
		    rte_eth_rx_queue_setup(port->id, 0, RING_DESC, SOCKET_ID_ANY, NULL, port->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port->id, 0, RING_DESC, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port->id);
	if (rc != 0) {
		fprintf(stderr, "np-load: the port cannot be started: %s.\n", strerror(-rc));
		return -1;
	}
	return wait_link(port);
}

void load_port_close(struct load_port *port)
{
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	rte_eal_cleanup();
}
