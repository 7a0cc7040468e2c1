// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The loop of np-load: one lcore sends, receives, matches replies to queries and measures.
#pragma once

#include <stdint.h>

#include "load_check.h"
#include "load_histogram.h"
#include "load_options.h"
#include "load_packet.h"
#include "load_port.h"

#define LOAD_BURST_MAX 64
// Between two looks at the port lie some microseconds. When it was more than this, something else
// had this CPU; what was under way then waited for us and not for the server.
#define LOAD_STALL_US 50

struct load_counts {
	uint64_t sent;
	uint64_t refused;    // the port took no more (open loop: not offered in time)
	uint64_t received;   // replies that belong to a query under way
	uint64_t strangers;  // frames that do not
	uint64_t lost;       // queries given up
	uint64_t truncated;  // replies with TC
	uint64_t bytes;      // of the replies' frames
	uint64_t stalls;     // times this program did not run for longer than LOAD_STALL_US
	uint64_t stalled_us; // and how long in all
	uint64_t rcode[16];
	uint64_t checked;
	uint64_t fault[LOAD_FAULT_COUNT];
};

// One second of the run, or one turn. Turns are counted by CLOCK_MONOTONIC, so that somebody else
// (np-republish) can do what is measured in odd ones and nothing in even ones: both then have the
// same server, and a machine that swings.
struct load_interval {
	double seconds; // its length
	unsigned turn;  // 0: even, or there are none; 1: odd
	struct load_counts counts;
	struct load_histogram latency; // of all replies
	// Of those during whose wait there was neither a stall nor, in the open loop, the queue
	// that one had left behind.
	struct load_histogram clear;
};

struct load_run {
	const struct load_options *options;
	const struct load_templates *templates;
	const struct load_port *port;
	double tsc_hz;
	// Called at each second and at the end, with what happened since the last call.
	void (*tick)(void *ctx, const struct load_interval *interval, double now);
	void *tick_ctx;

	struct load_interval current; // since the last tick
	struct load_interval total;   // since the end of the warm-up
	struct load_interval turn[2]; // the same, even and odd turns apart
};

// Runs for the configured time or until *stop. Post: 0 or -ENOMEM.
int load_run(struct load_run *run, const volatile int *stop) __attribute__((warn_unused_result));
