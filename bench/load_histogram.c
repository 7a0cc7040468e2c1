// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_histogram.h.

#include "load_histogram.h"

void load_histogram_merge(struct load_histogram *into, const struct load_histogram *from)
{
	into->count += from->count;
	for (unsigned i = 0; i < HISTOGRAM_BINS; i++)
		into->bins[i] += from->bins[i];
}

static uint64_t bin_end(unsigned bin)
{
	unsigned shift = bin / HISTOGRAM_STEPS;

	if (shift <= 1)
		return bin;
	shift--;
	return ((uint64_t)(bin % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1) << shift) - 1;
}

uint64_t load_histogram_at(const struct load_histogram *h, double share)
{
	uint64_t rank = (uint64_t)(share * (double)h->count);
	uint64_t seen = 0;

	if ((double)rank < share * (double)h->count || rank == 0)
		rank++;
	for (unsigned i = 0; i < HISTOGRAM_BINS; i++) {
		seen += h->bins[i];
		if (seen >= rank)
			return bin_end(i);
	}
	return 0;
}
