// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The way of NOTIFY and TSIG-signed messages; see forward.h. Items are allocated once and circle
// between two rings: `idle` (attach puts, workers take) and `ready` (workers put, attach takes).
// The rings' own release and acquire order an item's content.

#include "forward.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "checksum.h"
#include "counters.h"
#include "heap.h"
#include "port.h"
#include "rate.h"

#define FORWARD_PER_SECOND 2000    // all workers together
#define FORWARD_TICK_NS    1000000 // a worker must not signal (a system call), so attach looks

struct forward {
	struct forward_item *items;
	struct rte_ring *idle, *ready;
	int timer;
	// attach answers while main may unbind: the lock keeps the ports for as long as it is held.
	pthread_mutex_t lock;
	struct ports *ports;
	struct {
		struct rate rate;
	} __attribute__((aligned(64))) worker[]; // one each, its own
};

int forward_open(unsigned workers, struct forward **out)
{
	const struct itimerspec tick = {
	    .it_interval = {.tv_nsec = FORWARD_TICK_NS},
	    .it_value = {.tv_nsec = FORWARD_TICK_NS},
	};
	uint64_t now = rte_rdtsc(), rate = FORWARD_PER_SECOND / workers;
	struct forward *f = NULL;

	if (posix_memalign((void **)&f, 64, sizeof *f + workers * sizeof f->worker[0]) != 0)
		return -ENOMEM;
	memset(f, 0, sizeof *f + workers * sizeof f->worker[0]);
	f->timer = -1;
	pthread_mutex_init(&f->lock, NULL);
	for (unsigned w = 0; w < workers; w++)
		rate_init(&f->worker[w].rate, rte_get_tsc_hz(), rate > 0 ? rate : 1,
		    FORWARD_ITEMS / 4 / workers + 1, now);

	f->items = heap_table(FORWARD_ITEMS * sizeof f->items[0]);
	f->idle = rte_ring_create("np_fwd_idle", FORWARD_ITEMS * 2, SOCKET_ID_ANY, 0);
	f->ready = rte_ring_create("np_fwd_ready", FORWARD_ITEMS * 2, SOCKET_ID_ANY, RING_F_SC_DEQ);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (f->items == NULL || f->idle == NULL || f->ready == NULL || f->timer < 0 ||
	    timerfd_settime(f->timer, 0, &tick, NULL) != 0) {
		forward_close(f);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < FORWARD_ITEMS; i++)
		rte_ring_enqueue(f->idle, &f->items[i]);
	*out = f;
	return 0;
}

void forward_close(struct forward *f)
{
	if (f == NULL)
		return;
	if (f->timer >= 0)
		close(f->timer);
	rte_ring_free(f->idle);
	rte_ring_free(f->ready);
	heap_table_free(f->items, FORWARD_ITEMS * sizeof f->items[0]);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void forward_bind(struct forward *f, struct ports *ports)
{
	pthread_mutex_lock(&f->lock);
	f->ports = ports;
	pthread_mutex_unlock(&f->lock);
}

void forward_put(struct forward *f, unsigned worker, uint16_t port_index, const uint8_t *bytes,
    const struct frame *frame, uint64_t now, struct thread_counters *counters)
{
	struct forward_item *item;

	if (frame->dns_len > FORWARD_MESSAGE_MAX || !rate_allow(&f->worker[worker].rate, now)) {
		counters_add(&counters->thread[COUNT_forward_capped], 1);
		return;
	}
	if (rte_ring_dequeue(f->idle, (void **)&item) != 0) {
		counters_add(&counters->thread[COUNT_forward_full], 1);
		return;
	}
	frame_addresses(bytes, frame, &item->peer, &item->local);
	item->len = frame->dns_len;
	memcpy(item->message, bytes + frame->dns_off, frame->dns_len);
	item->port_index = port_index;
	item->frame = *frame;
	memcpy(item->headers, bytes, frame->dns_off);
	counters_add(&counters->thread[COUNT_forward_up], 1);
	rte_ring_enqueue(f->ready, item); // has room for all items
}

int forward_fd(const struct forward *f)
{
	return f->timer;
}

struct forward_item *forward_take(struct forward *f)
{
	struct forward_item *item;
	uint64_t ticks;

	if (rte_ring_dequeue(f->ready, (void **)&item) == 0)
		return item;
	if (read(f->timer, &ticks, sizeof ticks) < 0)
		errno = 0; // not readable yet: nothing to clear
	// One may have come between the look and the read; the next tick finds it.
	return NULL;
}

void forward_drop(struct forward *f, struct forward_item *item)
{
	rte_ring_enqueue(f->idle, item);
}

static void send_reply(
    struct ports *ports, const struct forward_item *item, const uint8_t *message, size_t len)
{
	struct port *port = &ports->list[item->port_index];
	size_t max = item->frame.version == 4 ? port->reply_max4 : port->reply_max6;
	struct rte_mbuf *m;
	uint8_t *bytes;

	if (len < FRAME_DNS_MIN || len > max)
		return;
	m = rte_pktmbuf_alloc(ports->down_pool);
	if (m == NULL)
		return;
	if (item->frame.dns_off + len + 64 > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return;
	}
	bytes = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(bytes, item->headers, item->frame.dns_off);
	memcpy(bytes + item->frame.dns_off, message, len);
	m->data_len =
	    (uint16_t)frame_reply(bytes, &item->frame, len, checksum_sum(message, len, 0));
	m->pkt_len = m->data_len;
	if (rte_ring_enqueue(port->down, m) != 0)
		rte_pktmbuf_free(m);
}

void forward_answer(
    struct forward *f, struct forward_item *item, const uint8_t *message, size_t len)
{
	pthread_mutex_lock(&f->lock);
	if (f->ports != NULL)
		send_reply(f->ports, item, message, len);
	pthread_mutex_unlock(&f->lock);
	forward_drop(f, item);
}
