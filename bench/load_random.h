// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A small seeded generator (xorshift64*), so that a run can be repeated exactly.
#pragma once

#include <stdint.h>

struct load_random {
	uint64_t state;
};

static inline void load_random_seed(struct load_random *r, uint64_t seed)
{
	r->state = seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL;
	if (r->state == 0)
		r->state = 1;
}

static inline uint64_t load_random_next(struct load_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dULL;
}

// 0 <= result < n. Pre: n > 0.
static inline uint64_t load_random_below(struct load_random *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)load_random_next(r) * n) >> 64);
}

// 0 <= result < 1.
static inline double load_random_unit(struct load_random *r)
{
	return (double)(load_random_next(r) >> 11) * 0x1p-53;
}
