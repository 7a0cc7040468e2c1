// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Each thread's counters and histograms, in a page that others map read-only
// (zones/counter_page.h). A column belongs to one thread, which writes it without atomic
// read-modify-writes; columns share no cache line.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "counter_page.h"
#include "dns_counters.h"
#include "frame.h"

// Of a thread that moves packets. X(name, help)
#define THREAD_COUNTERS(X)                                                                 \
	X(rx_frames, "frames received")                                                    \
	X(rx_bytes, "bytes received")                                                      \
	X(tx_frames, "frames sent")                                                        \
	X(tx_bytes, "bytes sent")                                                          \
	X(tx_full, "replies dropped: transmit queue full")                                 \
	X(bursts, "bursts that had at least one frame")                                    \
	X(punt_up, "frames handed to the kernel")                                          \
	X(punt_capped, "frames for the kernel dropped: over the rate")                     \
	X(punt_full, "frames for the kernel dropped: queue full")                          \
	X(punt_none, "frames for the kernel, which has its own copy or no way to get one") \
	X(punt_down, "frames sent for the kernel")                                         \
	X(punt_down_full, "frames sent for the kernel dropped: transmit queue full")       \
	X(forward_up, "messages handed to the control plane")                              \
	X(forward_capped, "messages for the control plane dropped: over the rate")         \
	X(forward_full, "messages for the control plane dropped: queue full")              \
	X(reply_oversize, "replies dropped: longer than the port's MTU")                   \
	X(tcp_accepted, "TCP connections accepted")                                        \
	X(tcp_refused, "TCP connections refused: over a limit")                            \
	X(tcp_closed, "TCP connections closed")                                            \
	X(tcp_idle, "TCP connections closed for being idle")                               \
	X(tcp_queries, "queries over TCP")

// Where a burst's time goes. X(name, help)
#define THREAD_STAGES(X)                                              \
	X(classify, "ticks of a burst: frames to messages")           \
	X(parse, "ticks of a burst: parse, hash, prefetch")           \
	X(match, "ticks of a burst: match, prefetch")                 \
	X(emit, "ticks of a burst: replies written")                  \
	X(transmit, "ticks of a burst: replies handed to the driver") \
	X(latency, "ticks from a query's receive burst to the end of its transmit burst")

enum thread_counter {
#define X(name, help) COUNT_##name,
	THREAD_COUNTERS(X)
#undef X
	    COUNT_END
};

enum thread_stage {
#define X(name, help) STAGE_##name,
	THREAD_STAGES(X)
#undef X
	    STAGE_END
};

struct thread_counters {
	uint64_t frame[FRAME_VERDICT_COUNT];
	uint64_t thread[COUNT_END];
	struct dns_counters dns;
	uint64_t stage[STAGE_END][COUNTER_PAGE_BUCKETS];
} __attribute__((aligned(128)));

struct counters;

// Makes the page with one column per name in `columns`. Post: 0 or -errno.
int counters_open(const char *const *columns, unsigned count, uint64_t ticks_per_second,
    struct counters **out) __attribute__((nonnull, warn_unused_result));
void counters_close(struct counters *counters); // NULL is accepted

// The column of the thread; the thread is its only writer.
struct thread_counters *counters_column(struct counters *counters, unsigned column)
    __attribute__((nonnull));

// A descriptor that maps the page read-only (sealed against other writers); stays the page's own.
int counters_fd(const struct counters *counters) __attribute__((nonnull));
uint64_t counters_size(const struct counters *counters) __attribute__((nonnull));

// Pre: called by the column's own thread. Readers of the page load whole words (relaxed).
static inline void counters_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void counters_stage(
    struct thread_counters *c, enum thread_stage stage, uint64_t ticks, uint64_t n)
{
	counters_add(&c->stage[stage][counter_page_bucket(ticks)], n);
}
