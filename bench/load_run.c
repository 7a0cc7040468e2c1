// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_run.h. A table of slots remembers for each query under way when it was sent and which
// template it was; slots are taken in turn, so its lines are written and read in order.
//
// With --rate queries leave on time whether replies come or not, and latency counts from the moment
// a query should have left when the port was full then (no coordinated omission: a query that the
// port never took is counted as refused). Without, a closed window keeps the server busy without
// overflowing the reply ring.

#include "load_run.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#define TSC_MASK     ((1ULL << (64 - LOAD_UNIT_BITS)) - 1)
#define LOSS_SECONDS 1.0 // after the last query, how long replies are waited for
#define STALL_SECOND 0.1 // a full window without any reply is given up after this

struct loop {
	struct load_run *run;
	uint64_t *slots; // 0: free; else TSC << LOAD_UNIT_BITS | unit of the template
	uint32_t next_slot;
	uint64_t unit, units; // next template, end of the templates
	uint32_t under_way;
	uint32_t since_check;
	uint64_t last_reply; // TSC
	uint64_t last_look;  // TSC of the last look at the port
	uint64_t stall_end;  // TSC of the end of the last stall; 0: none
	uint64_t stall_most; // TSC cycles between two looks that are no stall yet
	bool behind;         // not all queries have left that became due during a stall
	uint32_t wave;       // how many of those under way have left until that was over
	uint64_t due_base;   // TSC when query number 0 of the open loop was due
	double per_cycle;    // queries per TSC cycle
	uint64_t due_sent;   // queries sent or refused in the open loop
};

static inline void slot_take(struct loop *l, uint32_t slot, uint64_t tsc, uint64_t unit)
{
	if (l->slots[slot] != 0) { // a million queries later: it will not come any more
		l->run->current.counts.lost++;
		l->under_way--;
	}
	l->slots[slot] = (tsc & TSC_MASK) << LOAD_UNIT_BITS | unit;
	l->under_way++;
}

// Copies past the end of the frame, into room the buffer has (2 KB) and from room behind the
// templates: whole 32-byte blocks, four of them without looking.
static inline void frame_copy(uint8_t *to, const uint8_t *from, unsigned len)
{
	memcpy(to, from, 32);
	memcpy(to + 32, from + 32, 32);
	memcpy(to + 64, from + 64, 32);
	memcpy(to + 96, from + 96, 32);
	for (unsigned at = 128; at < len; at += 32)
		memcpy(to + at, from + at, 32);
}

// Sends `count` queries; returns how many the port took.
static unsigned send_burst(struct loop *l, unsigned count, uint64_t tsc)
{
	struct load_run *run = l->run;
	struct rte_mbuf *bufs[LOAD_BURST_MAX];
	uint64_t unit[LOAD_BURST_MAX];
	uint32_t slot = l->next_slot;
	uint64_t at = l->unit;
	unsigned sent;

	if (rte_pktmbuf_alloc_bulk(run->port->pool, bufs, count) != 0)
		return 0;
	for (unsigned i = 0; i < count; i++) {
		const struct load_template *t = load_template_at(run->templates, at);
		uint8_t *frame = rte_pktmbuf_mtod(bufs[i], uint8_t *);
		frame_copy(frame, t->frame, t->len);
		load_frame_mark(frame, t, slot);
		bufs[i]->data_len = t->len;
		bufs[i]->pkt_len = t->len;
		slot_take(l, slot, tsc, at);
		unit[i] = at;
		slot = (slot + 1) & (LOAD_SLOT_COUNT - 1);
		at += t->size;
		if (at == l->units)
			at = 0;
	}
	sent = rte_eth_tx_burst(run->port->id, 0, bufs, (uint16_t)count);
	run->current.counts.sent += sent;
	if (sent == count) {
		l->unit = at;
		l->next_slot = slot;
		return sent;
	}
	for (unsigned i = sent; i < count; i++) {
		l->slots[(l->next_slot + i) & (LOAD_SLOT_COUNT - 1)] = 0;
		l->under_way--;
	}
	rte_pktmbuf_free_bulk(bufs + sent, count - sent);
	l->unit = unit[sent];
	l->next_slot = (l->next_slot + sent) & (LOAD_SLOT_COUNT - 1);
	return sent;
}

static void check(struct loop *l, const uint8_t *frame, size_t len, uint64_t unit, uint32_t slot)
{
	const struct load_template *t = load_template_at(l->run->templates, unit);
	struct load_counts *c = &l->run->current.counts;
	enum load_fault fault = l->run->options->echo ? load_check_echo(frame, len, t, slot)
	                                              : load_check_reply(frame, len, t, slot);

	l->since_check = 0;
	c->checked++;
	c->fault[fault]++;
}

static inline void receive(struct loop *l, const struct rte_mbuf *m, uint64_t now, bool echo)
{
	struct load_counts *c = &l->run->current.counts;
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	size_t udp_off = frame[12] == 0x08 ? 34 : 54;
	size_t port_off = udp_off + (echo ? 0 : 2);
	uint64_t entry, took;
	uint32_t slot;
	uint16_t id;

	if (m->data_len < udp_off + 20) {
		c->strangers++;
		return;
	}
	memcpy(&id, frame + udp_off + 8, 2);
	slot = (uint32_t)(frame[port_off + 1] & 15u) << 16 | id;
	entry = l->slots[slot];
	if (entry == 0) {
		c->strangers++;
		return;
	}
	l->slots[slot] = 0;
	l->under_way--;
	// What became due during a stall leaves all at once after it, and what is due next waits
	// behind that. The server answers in order.
	if (l->behind || l->wave > 0)
		l->stall_end = now;
	l->wave -= l->wave > 0;
	took = (now - (entry >> LOAD_UNIT_BITS)) & TSC_MASK;
	load_histogram_add(&l->run->current.latency, took);
	if (now - took > l->stall_end)
		load_histogram_add(&l->run->current.clear, took);
	c->received++;
	c->bytes += m->pkt_len;
	c->rcode[frame[udp_off + 11] & 15]++;
	c->truncated += frame[udp_off + 10] >> 1 & 1;
	if (++l->since_check >= l->run->options->check_every)
		check(l, frame, m->data_len, entry & ((1u << LOAD_UNIT_BITS) - 1), slot);
}

static unsigned receive_burst(struct loop *l)
{
	struct rte_mbuf *bufs[LOAD_BURST_MAX];
	bool echo = l->run->options->echo;
	unsigned n = rte_eth_rx_burst(l->run->port->id, 0, bufs, LOAD_BURST_MAX);
	uint64_t now = rte_rdtsc();

	if (now - l->last_look > l->stall_most) {
		l->stall_end = now;
		l->behind = l->per_cycle > 0;
		l->run->current.counts.stalls++;
		l->run->current.counts.stalled_us +=
		    (uint64_t)((double)(now - l->last_look) / l->run->tsc_hz * 1e6);
	}
	l->last_look = now;
	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(bufs[i], const uint8_t *));
	for (unsigned i = 0; i < n; i++)
		receive(l, bufs[i], now, echo);
	rte_pktmbuf_free_bulk(bufs, n);
	l->last_reply = now;
	return n;
}

static void send_window(struct loop *l, uint64_t now)
{
	const struct load_options *o = l->run->options;
	uint64_t stall = (uint64_t)(STALL_SECOND * l->run->tsc_hz);

	if (l->under_way + o->burst <= o->window) {
		send_burst(l, o->burst, now);
	} else if (l->under_way > 0 && now - l->last_reply > stall) {
		l->run->current.counts.lost += l->under_way;
		l->under_way = 0;
		memset(l->slots, 0, LOAD_SLOT_COUNT * sizeof *l->slots);
		l->last_reply = now;
	}
}

static void send_due(struct loop *l, uint64_t now)
{
	uint64_t due = (uint64_t)((double)(now - l->due_base) * l->per_cycle);
	uint64_t count = due - l->due_sent;
	unsigned sent;

	if (count > l->run->options->burst)
		count = l->run->options->burst;
	if (count > 0) {
		// The first of these was due when due_sent was reached.
		sent = send_burst(l, (unsigned)count,
		    l->due_base + (uint64_t)((double)l->due_sent / l->per_cycle));
		if (sent < count)
			l->run->current.counts.refused += count - sent;
		l->due_sent += count;
	}
	if (l->behind && l->due_sent == due) {
		l->behind = false;
		l->wave = l->under_way;
	}
}

static void counts_add(struct load_counts *into, const struct load_counts *from)
{
	uint64_t *a = (uint64_t *)into;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof *into / sizeof *a; i++)
		a[i] += b[i];
}

static void interval_add(struct load_interval *into, const struct load_interval *from)
{
	counts_add(&into->counts, &from->counts);
	load_histogram_merge(&into->latency, &from->latency);
	load_histogram_merge(&into->clear, &from->clear);
	into->seconds += from->seconds;
}

static void tick(struct load_run *run, double seconds, double now, unsigned turn, bool measured)
{
	run->current.seconds = seconds;
	run->current.turn = turn;
	if (measured) {
		interval_add(&run->total, &run->current);
		interval_add(&run->turn[turn], &run->current);
		if (run->tick != NULL)
			run->tick(run->tick_ctx, &run->current, now);
	}
	memset(&run->current, 0, sizeof run->current);
}

// Replies to what is still under way belong to the measured queries; what does not come is lost.
static void drain(struct loop *l, const volatile int *stop)
{
	struct load_run *run = l->run;
	uint64_t end = rte_rdtsc() + (uint64_t)(LOSS_SECONDS * run->tsc_hz);

	while (l->under_way > 0 && rte_rdtsc() < end && *stop < 2)
		receive_burst(l);
	run->current.counts.lost += l->under_way;
	interval_add(&run->total, &run->current);
}

// Milliseconds to the next turn, and which one that is.
static double turn_wait(unsigned turn_ms, unsigned *turn)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	const double ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
	const uint64_t next = (uint64_t)(ms / turn_ms) + 1;

	*turn = (unsigned)(next % 2);
	return (double)next * turn_ms - ms;
}

static void loop(struct loop *l, const volatile int *stop)
{
	struct load_run *run = l->run;
	const struct load_options *o = run->options;
	uint64_t start = rte_rdtsc();
	uint64_t piece = (uint64_t)(run->tsc_hz * (o->turn_ms > 0 ? o->turn_ms / 1e3 : 1));
	uint64_t begin = start + (uint64_t)(o->warmup * run->tsc_hz);
	unsigned turn = 0;

	if (o->turn_ms > 0) {
		begin = start + (uint64_t)(turn_wait(o->turn_ms, &turn) / 1e3 * run->tsc_hz);
		// Rest comes first: each turn that is measured has its like before it.
		for (; begin < start + (uint64_t)(o->warmup * run->tsc_hz) || turn == 1;
		     begin += piece)
			turn ^= 1;
	}

	uint64_t end = begin + (uint64_t)(o->seconds * run->tsc_hz);
	uint64_t last = start;
	uint64_t next = begin > start ? begin : start + piece;

	l->due_base = start;
	l->per_cycle = o->rate / run->tsc_hz;
	l->last_reply = l->last_look = start;
	l->stall_most = (uint64_t)(LOAD_STALL_US / 1e6 * run->tsc_hz);
	for (;;) {
		uint64_t now = rte_rdtsc();
		if (now >= next || *stop) {
			const bool measured = now > begin && last >= begin;

			tick(run, (double)(now - last) / run->tsc_hz,
			    (double)(now - begin) / run->tsc_hz, turn, measured);
			if (o->turn_ms > 0 && measured)
				turn ^= 1;
			last = now;
			if (now >= end || *stop)
				break;
			next = o->turn_ms > 0 ? next + piece : now + piece;
			if (next > end)
				next = end;
			now = rte_rdtsc();
			// A report takes its time. What waited for that waited for us.
			l->last_look = l->stall_end = now;
			l->behind = o->rate > 0;
		}
		receive_burst(l);
		if (o->rate > 0)
			send_due(l, now);
		else
			send_window(l, now);
	}
	drain(l, stop);
}

int load_run(struct load_run *run, const volatile int *stop)
{
	struct loop l = {.run = run, .units = run->templates->used / LOAD_UNIT};

	l.slots = calloc(LOAD_SLOT_COUNT, sizeof *l.slots);
	if (l.slots == NULL)
		return -ENOMEM;
	memset(l.slots, 0, LOAD_SLOT_COUNT * sizeof *l.slots);
	loop(&l, stop);
	free(l.slots);
	return 0;
}
