// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The Internet checksum (RFC 1071) as partial sums. A sum is the one's complement sum of 16-bit
// words in the order of this machine's memory; RFC 1071 2(B): such a sum, folded and stored as it
// is, has the right bytes on the wire. Sums of pieces add up as long as each piece but the last has
// an even length. Called by workers; pure.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Adds two sums with the end-around carry.
static inline uint64_t checksum_add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

// The sum over `len` bytes, added to `sum`. A last odd byte counts as if a zero followed it.
static inline uint64_t checksum_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint64_t word;

	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		sum = checksum_add(sum, word);
	}
	// The rest by its parts: a copy of variable length through memory would stall on its own
	// store.
	uint32_t half = 0;
	uint16_t quarter = 0;
	word = 0;
	if ((len & 1) != 0)
		memcpy(&word, p + (len & 6), 1);
	if ((len & 2) != 0)
		memcpy(&quarter, p + (len & 4), 2);
	if ((len & 4) != 0)
		memcpy(&half, p, 4);
	// Each part begins at an even distance, so their places in the word do not matter.
	sum = checksum_add(sum, word + quarter + half);
	return sum;
}

// The 16-bit one's complement sum, not yet complemented.
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// The same for a sum over big-endian words, as dns_query.sum is.
static inline uint64_t checksum_from_be(uint32_t sum)
{
	return __builtin_bswap16(checksum_fold(sum));
}
