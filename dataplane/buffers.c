// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Pools of packet buffers; see buffers.h. A queue has as many as its rings can hold at once, all of
// them full, and what a worker has in hand: with fewer, a queue whose frames to send are stuck
// could take every buffer there is and would never receive again.

#include "buffers.h"

#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include "dns.h"
#include "frame.h"

#define CACHE 256 // of a worker; DPDK lets it grow to one and a half times that
#define HAND  511 // a full cache, a burst in hand, and the one that memif's driver takes ahead

#define XDP_HEADROOM  256  // the kernel's, before each frame
#define XDP_CHUNK_MIN 2048 // the least it takes for a buffer, our header included
#define OBJECT_HEADER (sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf))
#define POOL_HEADER   (1200u << 10) // a pool's caches, one for each possible lcore

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

// Virtual links copy: the kernel sends from the transmit ring at once, so what is under way is in
// the completion ring; hardware may have both full.
static unsigned xdp_count(const struct iface *iface)
{
	const unsigned receive = BUFFERS_DESC; // in the fill ring or the receive ring
	const unsigned transmit = BUFFERS_DESC, completion = BUFFERS_DESC;

	return receive + completion + (iface->is_virtual ? 0 : transmit);
}

// The largest frame of the link, and what a worker may overwrite behind a reply. The driver's
// buffers may have any size up to a page.
static size_t xdp_room(const struct iface *iface, bool hugepages)
{
	const size_t page = (size_t)getpagesize(), most = page - OBJECT_HEADER;
	const size_t need =
	    RTE_PKTMBUF_HEADROOM + XDP_HEADROOM + FRAME_HEADERS_MAX + iface->mtu + DNS_WRITE_SLACK;
	size_t room = round_up(need, RTE_CACHE_LINE_SIZE);

	if (room < XDP_CHUNK_MIN - OBJECT_HEADER)
		room = XDP_CHUNK_MIN - OBJECT_HEADER;

	// The driver tells the kernel of count times this many bytes from the first one on. Where
	// each has a page of its own, it has to be a page.
	if (!iface->is_virtual)
		room = hugepages ? RTE_MBUF_DEFAULT_BUF_SIZE : most;
	return room < most ? room : most;
}

struct buffers buffers_queue(
    const struct config_port *port, const struct iface *iface, bool hugepages)
{
	struct buffers b = {.count = HAND, .cache = CACHE, .room = RTE_MBUF_DEFAULT_BUF_SIZE};

	switch (port->driver) {
	case CONFIG_PORT_AF_XDP:
		b.count += xdp_count(iface);
		b.room = xdp_room(iface, hugepages);
		b.dma = !iface->is_virtual;
		return b; // the kernel's own frames never come here
	case CONFIG_PORT_PCI:
		b.count += 2 * BUFFERS_DESC;
		b.dma = true;
		break;
	case CONFIG_PORT_TAP: // receives into buffers that lie ready
	case CONFIG_PORT_RING:
		b.count += BUFFERS_DESC;
		break;
	case CONFIG_PORT_MEMIF: // copy both ways. memif's driver has a shorter way for buffers of
	                        // this room than for any other
	case CONFIG_PORT_AF_PACKET:
	case CONFIG_PORT_PCAP:
		break;
	}
	if (port->punt)
		b.count += 3 * BUFFERS_PUNT;
	return b;
}

struct buffers buffers_down(const struct config *config)
{
	struct buffers b = {.count = 255, .room = RTE_MBUF_DEFAULT_BUF_SIZE};

	for (size_t i = 0; i < config->dataplane.port_count; i++) {
		const struct config_port *port = &config->dataplane.ports[i];
		if (port->driver == CONFIG_PORT_PCI) {
			// A card gives back what it has sent when it needs the place.
			b.count += BUFFERS_DESC;
			b.dma = true;
		}
		if (port->punt && port->driver != CONFIG_PORT_AF_XDP)
			b.count += BUFFERS_DOWN;
	}
	return b;
}

size_t buffers_bytes(const struct buffers *b, bool hugepages)
{
	const size_t page = (size_t)getpagesize();
	const size_t size =
	    b->dma && !hugepages ? page : round_up(OBJECT_HEADER + b->room, RTE_CACHE_LINE_SIZE);

	// A ring of pointers besides, of the next power of two.
	return b->count * (size + 2 * sizeof(void *)) + (b->cache > 0 ? POOL_HEADER : page);
}

struct rte_mempool *buffers_open(const char *name, const struct buffers *b, int socket)
{
	const struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)b->room};
	struct rte_mempool *pool;

	// Without that flag and without huge pages DPDK has each buffer begin with a page.
	pool =
	    rte_mempool_create_empty(name, b->count, (unsigned)(sizeof(struct rte_mbuf) + b->room),
	        b->cache, sizeof private, socket, b->dma ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (pool == NULL)
		return NULL;
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) != 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_pktmbuf_pool_init(pool, (void *)(uintptr_t) & private);
	if (rte_mempool_populate_default(pool) < 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}
