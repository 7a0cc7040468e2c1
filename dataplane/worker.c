// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The worker: receive a burst, answer what is plain (frame_answer.h), take the rest through the
// stages (parse, match, emit in place), transmit, announce a quiescent state; over and over. Where
// memory is far, each step and each stage is a loop over the burst, so that what one prefetches is
// there when the next one comes round. No malloc, lock, log or clock here, and no system call but
// the driver's own.
//
// A worker is an RCU reader from one quiescent state to the next: the zone table and whatever it
// leads to stay valid within a burst, and nothing of it is kept beyond.

#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-qsbr.h>

#include "checksum.h"
#include "eal.h"
#include "frame_answer.h"
#include "log.h"
#include "punt.h"

#define BURST 64

// A query on its way through the stages.
struct job {
	struct rte_mbuf *mbuf;
	uint8_t *bytes;
	struct frame frame;
};

struct worker_queue {
	struct port *port;
	uint16_t port_index, queue;
};

struct worker {
	struct dataplane *dp;
	struct thread_counters *counters;
	unsigned index;
	unsigned queue_count;
	struct worker_queue *queues;
	_Atomic bool *stop;
	_Atomic unsigned *online; // workers that are RCU readers
	struct frame_answering at_hand;
	struct job jobs[BURST];
	struct dns_query queries[BURST + 1]; // queries[i] belongs to jobs[i]; the last is scratch
} __attribute__((aligned(128)));

struct workers {
	_Atomic bool stop;
	_Atomic unsigned online;
	unsigned count;
	struct worker *list;
	struct worker_queue *queues;
};

static void count(struct worker *w, enum thread_counter counter, uint64_t n)
{
	counters_add(&w->counters->thread[counter], n);
}

// What is sent for the kernel and the control plane.
static void send_down(struct worker *w, const struct worker_queue *wq)
{
	struct rte_mbuf *burst[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(wq->port->down, (void **)burst, BURST, NULL);
	uint16_t sent = rte_eth_tx_burst(wq->port->id, wq->queue, burst, (uint16_t)n);

	count(w, COUNT_punt_down, sent);
	if (sent < n)
		count(w, COUNT_punt_down_full, n - sent);
	for (unsigned i = sent; i < n; i++)
		rte_pktmbuf_free(burst[i]);
}

static void punt(struct worker *w, const struct worker_queue *wq, struct rte_mbuf *m,
    enum frame_verdict verdict, uint64_t now)
{
	if (wq->port->punt != NULL) {
		punt_up(wq->port->punt, m, verdict, now, w->index, w->counters);
	} else {
		count(w, COUNT_punt_none, 1);
		rte_pktmbuf_free(m);
	}
}

static void mbuf_ready(struct rte_mbuf *m, size_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->ol_flags = 0;
}

// Bytes that a message in this buffer may have, and `max` at most.
static unsigned reply_cap(const struct rte_mbuf *m, unsigned max)
{
	const unsigned taken = m->data_off + FRAME_HEADERS_MAX + DNS_WRITE_SLACK;

	if (taken + max <= m->buf_len)
		return max;
	return m->buf_len > taken ? m->buf_len - taken : 0;
}

// A device, or the kernel on another CPU, has written the frames, and a query fills two cache
// lines: all of a burst are waited for together. What is not one buffer with room for every plain
// reply, and behind itself for what is read there, is not tried as such. Post: the bytes of all.
static uint64_t fetch(
    struct rte_mbuf **burst, struct frame_slot *frames, unsigned n, unsigned reply_max)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rte_mbuf *m = burst[i];
		const bool usual = m->nb_segs == 1 && m->data_len <= reply_max &&
		                   reply_cap(m, reply_max) == reply_max;

		frames[i].bytes = rte_pktmbuf_mtod(m, uint8_t *);
		__builtin_prefetch(frames[i].bytes);
		__builtin_prefetch(frames[i].bytes + RTE_CACHE_LINE_SIZE);
		frames[i].len = usual && reply_max >= FRAME_CAP_MIN ? m->data_len : 0;
		bytes += m->pkt_len;
	}
	return bytes;
}

// A frame that was not answered. Post: the number of jobs, of which it may be the last.
static __attribute__((noinline)) unsigned frame_left(struct worker *w,
    const struct worker_queue *wq, struct rte_mbuf *m, unsigned jobs, uint64_t now)
{
	struct job *job = &w->jobs[jobs];
	enum frame_verdict verdict = FRAME_SEGMENTS;

	job->bytes = rte_pktmbuf_mtod(m, uint8_t *);
	if (m->nb_segs == 1) {
		w->at_hand.dns.cap = reply_cap(m, wq->port->reply_max4);
		verdict = frame_answer_leave(&w->at_hand, job->bytes, m->data_len, &job->frame);
		w->at_hand.dns.cap = wq->port->reply_max4;
	}
	counters_add(&w->counters->frame[verdict], 1);
	if (verdict == FRAME_DNS) {
		job->mbuf = m;
		w->at_hand.dns.query = &w->queries[++jobs];
	} else if (verdict <= FRAME_PUNT_OTHER) {
		punt(w, wq, m, verdict, now);
	} else {
		rte_pktmbuf_free(m);
	}
	return jobs;
}

// Post: the number of jobs, each with its query ready for dns_parse_burst(); *answered of the
// mbufs, at the beginning of `burst`, are ready to send.
static unsigned classify(struct worker *w, const struct worker_queue *wq,
    const struct dns_context *context, struct rte_mbuf **burst, unsigned n, uint64_t now,
    unsigned *answered)
{
	struct frame_slot frames[BURST];
	unsigned jobs = 0, out = 0;
	const unsigned reply_max = wq->port->reply_max4;
	const uint64_t bytes = fetch(burst, frames, n, reply_max);

	frame_answer_begin(&w->at_hand, &wq->port->rules, context, w->queries, reply_max);
	for (unsigned i = 0;; i++) {
		i += frame_answer(&w->at_hand, frames + i, n - i);
		if (i == n)
			break;
		frames[i].len = 0;
		jobs = frame_left(w, wq, burst[i], jobs, now);
	}
	const unsigned waiting = frame_answer_burst(&w->at_hand);

	for (unsigned k = 0; (k = frame_answer_waited(&w->at_hand, k)) < waiting; k++)
		jobs = frame_left(w, wq, burst[w->at_hand.slots[k] - frames], jobs, now);
	for (unsigned i = 0; i < n; i++) {
		if (frames[i].len != 0) {
			mbuf_ready(burst[i], frames[i].len);
			burst[out++] = burst[i];
		}
	}
	frame_answer_end(&w->at_hand);
	counters_add(&w->counters->frame[FRAME_DNS], out);
	count(w, COUNT_rx_frames, n);
	count(w, COUNT_rx_bytes, bytes);
	*answered = out;
	return jobs;
}

// Ends a job that gets no reply from here.
static void job_end(struct worker *w, const struct worker_queue *wq, unsigned i, uint64_t now)
{
	struct job *job = &w->jobs[i];

	if (w->queries[i].verdict == DNS_FORWARD)
		forward_put(w->dp->forward, w->index, wq->port_index, job->bytes, &job->frame, now,
		    w->counters);
	rte_pktmbuf_free(job->mbuf);
}

// Writes the frame around the reply. Post: the mbuf is ready to send.
static void job_reply(struct job *job, const struct dns_query *q)
{
	mbuf_ready(job->mbuf, frame_reply(job->bytes, &job->frame, q->len, q->sum));
}

static void transmit(
    struct worker *w, const struct worker_queue *wq, struct rte_mbuf **out, unsigned n)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += out[i]->pkt_len;
	uint16_t sent = rte_eth_tx_burst(wq->port->id, wq->queue, out, (uint16_t)n);
	for (unsigned i = sent; i < n; i++) {
		bytes -= out[i]->pkt_len;
		rte_pktmbuf_free(out[i]);
	}
	count(w, COUNT_tx_frames, sent);
	count(w, COUNT_tx_bytes, bytes);
	if (sent < n)
		count(w, COUNT_tx_full, n - sent);
}

// The queries that were left. Post: the number of mbufs at the beginning of `out`
// that are ready to send, `out_count` of which were. *t: when the stage before ended, and the last
// one.
static __attribute__((noinline)) unsigned stages_run(struct worker *w,
    const struct worker_queue *wq, const struct dns_context *context, struct rte_mbuf **out,
    unsigned jobs, unsigned out_count, uint64_t *t)
{
	uint8_t live[BURST]; // indexes of jobs that are still to be answered
	uint64_t t0 = *t, t1;
	unsigned live_count = dns_parse_burst(context, w->queries, jobs, live);

	for (unsigned i = 0; i < jobs && live_count != jobs; i++) {
		if (w->queries[i].verdict != DNS_REPLY)
			job_end(w, wq, i, t0);
	}
	t1 = rte_rdtsc();
	counters_stage(w->counters, STAGE_parse, t1 - t0, 1);

	dns_match_burst(context, w->queries, live, live_count);
	t0 = t1, t1 = rte_rdtsc();
	counters_stage(w->counters, STAGE_match, t1 - t0, 1);

	dns_emit_burst(context, w->queries, live, live_count);
	for (unsigned k = 0; k < live_count; k++) {
		unsigned i = live[k];
		if (w->queries[i].verdict == DNS_REPLY) {
			job_reply(&w->jobs[i], &w->queries[i]);
			out[out_count++] = w->jobs[i].mbuf;
		} else {
			job_end(w, wq, i, t1);
		}
	}
	t0 = t1, t1 = rte_rdtsc();
	counters_stage(w->counters, STAGE_emit, t1 - t0, 1);
	*t = t1;
	return out_count;
}

static void burst_run(struct worker *w, const struct worker_queue *wq, struct rte_mbuf **burst,
    unsigned n, uint64_t start)
{
	const struct dns_context context = {
	    .server = &w->dp->server,
	    // Pairs with the release store of attach.
	    .table = atomic_load_explicit(&w->dp->table, memory_order_acquire),
	    .now = atomic_load_explicit(&w->dp->now, memory_order_relaxed),
	    .counters = &w->counters->dns,
	};
	uint64_t t0 = start, t1;
	unsigned out_count = 0;

	unsigned jobs = classify(w, wq, &context, burst, n, start, &out_count);
	t1 = rte_rdtsc();
	counters_stage(w->counters, STAGE_classify, t1 - t0, 1);
	count(w, COUNT_bursts, 1);
	if (jobs > 0)
		out_count = stages_run(w, wq, &context, burst, jobs, out_count, &t1);
	if (out_count > 0) {
		transmit(w, wq, burst, out_count);
		t0 = t1, t1 = rte_rdtsc();
		counters_stage(w->counters, STAGE_transmit, t1 - t0, 1);
		counters_stage(w->counters, STAGE_latency, t1 - start, out_count);
	}
}
static int worker_run(void *arg)
{
	struct worker *w = arg;
	struct rte_mbuf *burst[BURST];

	urcu_qsbr_register_thread();
	atomic_fetch_add_explicit(w->online, 1, memory_order_release);
	while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < w->queue_count; i++) {
			const struct worker_queue *wq = &w->queues[i];
			if (wq->queue == 0 && !rte_ring_empty(wq->port->down))
				send_down(w, wq);
			uint16_t n = rte_eth_rx_burst(wq->port->id, wq->queue, burst, BURST);
			if (n > 0)
				burst_run(w, wq, burst, n, rte_rdtsc());
		}
		urcu_qsbr_quiescent_state();
	}
	urcu_qsbr_unregister_thread();
	return 0;
}

// Queue q of each port is worker q % count's.
static int assign_queues(struct workers *ws, struct ports *ports)
{
	unsigned total = 0, next = 0;

	for (unsigned p = 0; p < ports->count; p++)
		total += ports->list[p].queue_count;
	ws->queues = calloc(total > 0 ? total : 1, sizeof ws->queues[0]);
	if (ws->queues == NULL)
		return -ENOMEM;
	for (unsigned w = 0; w < ws->count; w++) {
		ws->list[w].queues = &ws->queues[next];
		for (unsigned p = 0; p < ports->count; p++) {
			for (unsigned q = w; q < ports->list[p].queue_count; q += ws->count)
				ws->queues[next++] = (struct worker_queue){
				    &ports->list[p], (uint16_t)p, (uint16_t)q};
		}
		ws->list[w].queue_count = (unsigned)(&ws->queues[next] - ws->list[w].queues);
	}
	return 0;
}

int workers_start(struct dataplane *dp, struct ports *ports, struct workers **out)
{
	unsigned count = (unsigned)dp->config->dataplane.worker_count;
	struct workers *ws = calloc(1, sizeof *ws);
	size_t size = count * sizeof ws->list[0];
	unsigned started = 0;
	int rc = -ENOMEM;

	if (ws == NULL)
		return -ENOMEM;
	if (posix_memalign((void **)&ws->list, 128, size) != 0) {
		free(ws);
		return -ENOMEM;
	}
	memset(ws->list, 0, size);
	ws->count = count;
	rc = assign_queues(ws, ports);
	for (; rc == 0 && started < count; started++) {
		struct worker *w = &ws->list[started];
		w->dp = dp;
		w->counters = counters_column(dp->counters, started);
		w->index = started;
		w->stop = &ws->stop;
		w->online = &ws->online;
		rc = rte_eal_remote_launch(worker_run, w, EAL_WORKER_LCORE(started));
		if (rc != 0)
			log_error("worker %u could not start: %s.", started, strerror(-rc));
	}
	if (rc != 0) {
		workers_stop(ws);
		return rc;
	}
	// Without this, a grace period right after could miss a worker that is about to read.
	while (atomic_load_explicit(&ws->online, memory_order_acquire) < count)
		rte_pause();
	*out = ws;
	return 0;
}

void workers_stop(struct workers *ws)
{
	if (ws == NULL)
		return;
	atomic_store_explicit(&ws->stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < ws->count; i++)
		rte_eal_wait_lcore(EAL_WORKER_LCORE(i));
	free(ws->queues);
	free(ws->list);
	free(ws);
}
