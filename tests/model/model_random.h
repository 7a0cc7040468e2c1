// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Seeded random numbers (splitmix64): the same seed gives the same zone and the same query on every
// machine, so that a difference is reproduced by its two numbers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model_random {
	uint64_t state;
};

static inline uint64_t random_next(struct model_random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

// 0 .. n - 1. Pre: n > 0.
static inline unsigned random_below(struct model_random *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

static inline bool random_one_in(struct model_random *r, unsigned n)
{
	return random_below(r, n) == 0;
}

// A generator of its own for item `n` of what `seed` stands for.
static inline uint64_t random_mix(uint64_t seed, uint64_t n)
{
	struct model_random r = {seed ^ (n * UINT64_C(0xd6e8feb86659fd93))};

	return random_next(&r);
}

static inline void random_bytes(struct model_random *r, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)random_next(r);
}
