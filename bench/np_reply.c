// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-reply: what a port gives to a server that costs nothing. Each frame goes back with its MAC
// addresses swapped, as testpmd macswap does it, and as long as a reply: what is added is copied
// from a cached kilobyte or two. README.md beside this says what it is for.
//
//     np-reply EAL-OPTIONS -- BYTES
//
// BYTES is the length of each frame sent. The worker is the second lcore; SIGINT and SIGTERM end
// it.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#define BURST      64 // as np-dataplane's
#define POOL_MBUFS 4095
#define POOL_CACHE 250
#define RING_DESC  1024
#define FRAME_MAX  1514
#define ROUND      64 // copies may run past the end of a frame, by so much
#define MAC_LEN    6

struct reply {
	uint16_t port;
	unsigned bytes;
	_Atomic bool stop;
	uint8_t body[FRAME_MAX + ROUND];
};

static void swap_macs(uint8_t *frame)
{
	uint8_t to[MAC_LEN];

	memcpy(to, frame, MAC_LEN);
	memcpy(frame, frame + MAC_LEN, MAC_LEN);
	memcpy(frame + MAC_LEN, to, MAC_LEN);
}

// In steps of a vector, as a server that is good at it would.
static void lengthen(struct rte_mbuf *m, const struct reply *reply)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	swap_macs(frame);
	for (unsigned at = m->data_len; at < reply->bytes; at += 32) // at most 48 times
		memcpy(frame + at, reply->body + at, 32);
	if (m->data_len < reply->bytes)
		m->data_len = (uint16_t)reply->bytes;
	m->pkt_len = m->data_len;
}

static int run(void *arg)
{
	struct reply *reply = arg;
	struct rte_mbuf *burst[BURST];

	while (!atomic_load_explicit(&reply->stop, memory_order_relaxed)) {
		const uint16_t n = rte_eth_rx_burst(reply->port, 0, burst, BURST);
		uint16_t sent;

		if (n == 0)
			continue;
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0(rte_pktmbuf_mtod(burst[i], const uint8_t *));
		for (unsigned i = 0; i < n; i++)
			lengthen(burst[i], reply);
		sent = rte_eth_tx_burst(reply->port, 0, burst, n);
		if (sent < n)
			rte_pktmbuf_free_bulk(burst + sent, n - sent);
	}
	return 0;
}

// Post: 0; or -1 and what is wrong has been said.
static int open_port(struct reply *reply)
{
	struct rte_eth_conf conf = {0};
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
	    "reply", POOL_MBUFS, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	int rc;

	reply->port = (uint16_t)rte_eth_find_next(0);
	if (pool == NULL || reply->port >= RTE_MAX_ETHPORTS) {
		fprintf(stderr, "np-reply: %s.\n",
		    pool == NULL ? "no memory for frames" : "DPDK found no port");
		return -1;
	}
	rc = rte_eth_dev_configure(reply->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(reply->port, 0, RING_DESC, SOCKET_ID_ANY, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(reply->port, 0, RING_DESC, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(reply->port);
	if (rc != 0)
		fprintf(stderr, "np-reply: the port cannot be started: %s.\n", strerror(-rc));
	return rc != 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	static struct reply reply;
	sigset_t end;
	int taken, number;
	char *rest = NULL;

	// Before there are threads, so that all of them leave these to sigwait().
	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	taken = rte_eal_init(argc, argv);
	if (taken < 0) {
		fprintf(stderr, "np-reply: DPDK does not start: %s.\n", rte_strerror(rte_errno));
		return 1;
	}
	if (argc - taken == 2)
		reply.bytes = (unsigned)strtoul(argv[taken + 1], &rest, 10);
	if (rest == NULL || *rest != '\0' || reply.bytes == 0 || reply.bytes > FRAME_MAX ||
	    rte_lcore_count() != 2) {
		fprintf(stderr, "usage: np-reply EAL-OPTIONS -- BYTES (1 to %u; two lcores)\n",
		    FRAME_MAX);
		return 2;
	}
	memset(reply.body, 0x5a, sizeof reply.body);
	if (open_port(&reply) != 0)
		return 1;
	rte_eal_remote_launch(run, &reply, rte_get_next_lcore(-1, 1, 0));
	printf("np-reply: ready, frames of %u bytes.\n", reply.bytes);
	fflush(stdout);
	sigwait(&end, &number);
	atomic_store_explicit(&reply.stop, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	rte_eth_dev_stop(reply.port);
	rte_eth_dev_close(reply.port);
	rte_eal_cleanup();
	return 0;
}
