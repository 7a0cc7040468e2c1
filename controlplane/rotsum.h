// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A sum over bytes against rot and torn writes, not against an enemy; it can be taken in pieces. A
// change within one word of eight bytes always changes it. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rotsum {
	uint64_t lane[4];
	uint64_t words;
};

static inline void rotsum_start(struct rotsum *sum)
{
	*sum = (struct rotsum){{1, 2, 3, 4}, 0};
}

// Pre: `len` is a multiple of 8.
static inline void rotsum_add(struct rotsum *sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (; len >= 8; at += 8, len -= 8) {
		uint64_t *lane = &sum->lane[sum->words++ % 4], word;

		memcpy(&word, at, sizeof(word));
		*lane = (*lane ^ word) * 0x9e3779b97f4a7c15u;
		*lane ^= *lane >> 29;
	}
}

static inline uint64_t rotsum_end(const struct rotsum *sum)
{
	uint64_t end = sum->words;

	for (unsigned i = 0; i < 4; i++) {
		end = (end ^ sum->lane[i]) * 0xd6e8feb86659fd93u;
		end ^= end >> 32;
	}
	return end;
}

// Pre: `len` is a multiple of 8.
static inline uint64_t rotsum_of(const void *bytes, size_t len)
{
	struct rotsum sum;

	rotsum_start(&sum);
	rotsum_add(&sum, bytes, len);
	return rotsum_end(&sum);
}
