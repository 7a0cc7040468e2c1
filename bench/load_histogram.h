// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Latencies in TSC cycles, log-linear: 32 steps per power of two, so a percentile is at most 3 %
// too high. Filled by np-load's one lcore.
#pragma once

#include <stdint.h>

#define HISTOGRAM_STEPS 32 // a power of two
#define HISTOGRAM_BITS  40 // larger values count as the largest
#define HISTOGRAM_BINS  ((HISTOGRAM_BITS - 4) * HISTOGRAM_STEPS)

struct load_histogram {
	uint64_t count;
	uint64_t bins[HISTOGRAM_BINS];
};

// Values below HISTOGRAM_STEPS have a bin each; above, the five bits behind the leading one count.
static inline unsigned load_histogram_bin(uint64_t value)
{
	unsigned shift;

	if (value >= 1ULL << HISTOGRAM_BITS)
		value = (1ULL << HISTOGRAM_BITS) - 1;
	if (value < HISTOGRAM_STEPS)
		return (unsigned)value;
	shift = 63 - 5 - (unsigned)__builtin_clzll(value);
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
}

static inline void load_histogram_add(struct load_histogram *h, uint64_t value)
{
	h->count++;
	h->bins[load_histogram_bin(value)]++;
}

void load_histogram_merge(struct load_histogram *into, const struct load_histogram *from);

// The upper end of the bin in which the value of this rank lies. Pre: 0 < share <= 1. 0 when empty.
uint64_t load_histogram_at(const struct load_histogram *h, double share);
