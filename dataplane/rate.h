// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A token bucket in ticks of the time stamp counter: no clock call, no division per event. Owned by
// one thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint64_t ticks_each; // one event's cost
	uint64_t ticks_max;  // depth of the bucket
	uint64_t credit, last;
};

static inline void rate_init(
    struct rate *r, uint64_t ticks_per_second, uint64_t per_second, uint64_t burst, uint64_t now)
{
	r->ticks_each = ticks_per_second / per_second;
	r->ticks_max = r->ticks_each * burst;
	r->credit = r->ticks_max;
	r->last = now;
}

// True when one more event is allowed now.
static inline bool rate_allow(struct rate *r, uint64_t now)
{
	uint64_t passed = now - r->last;

	r->last = now;
	// Without the first test a long pause could overflow the sum.
	if (passed >= r->ticks_max || r->credit + passed > r->ticks_max)
		r->credit = r->ticks_max;
	else
		r->credit += passed;
	if (r->credit < r->ticks_each)
		return false;
	r->credit -= r->ticks_each;
	return true;
}
