// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The Internet checksum (RFC 1071) as partial sums. A sum is the one's complement sum of 16-bit
// words in the order of this machine's memory; RFC 1071 2(B): such a sum, folded and stored as it
// is, has the right bytes on the wire. Sums of pieces add up as long as each piece but the last has
// an even length. Compiled answers hold sums (format.h), workers complete them. Pure.
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

// The sum without a part that is in it (RFC 1071 2(C)).
static inline uint64_t checksum_less(uint64_t sum, uint64_t part)
{
	return sum - part - (sum < part);
}

static inline uint64_t checksum_load(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

// The sum over `len` bytes, added to `sum`. A last odd byte counts as if a zero followed it.
static inline uint64_t checksum_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	unsigned __int128 wide = sum; // one add and one add with carry for each word

	for (; len >= 32; p += 32, len -= 32) {
		wide += checksum_load(p);
		wide += checksum_load(p + 8);
		wide += checksum_load(p + 16);
		wide += checksum_load(p + 24);
	}
	for (; len >= 8; p += 8, len -= 8)
		wide += checksum_load(p);
	// The rest by its parts: a copy of variable length through memory would stall on its own
	// store. Each part begins at an even distance, so their places in the word do not matter.
	if ((len & 4) != 0) {
		uint32_t half;
		memcpy(&half, p, 4);
		wide += half;
		p += 4;
	}
	if ((len & 2) != 0) {
		uint16_t quarter;
		memcpy(&quarter, p, 2);
		wide += quarter;
		p += 2;
	}
	if ((len & 1) != 0)
		wide += (uint64_t)*p << (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 8);
	return checksum_add((uint64_t)wide, (uint64_t)(wide >> 64));
}

// The 16-bit one's complement sum, not yet complemented. Adding a word to itself with its halves
// exchanged leaves in the upper half their sum with its carry added.
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	uint32_t half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

// The sum of bytes of which the first stands at `offset`, from their sum as if that were even (RFC
// 1071 2(B): halves exchanged; of 64 bits that is a turn by eight, as 2^64 counts as 1).
static inline uint64_t checksum_at(uint64_t sum, size_t offset)
{
	const unsigned turn = (unsigned)(offset & 1) * 8;

	return sum << turn | sum >> (-turn & 63);
}

// The same, by two instructions: each turn by another sixteen multiplies by 2^16, which counts
// as 1.
static inline uint64_t checksum_turn(uint64_t sum, unsigned offset)
{
	const unsigned turn = offset * 8;

#ifdef __x86_64__
	if (!__builtin_constant_p(turn)) {
		// The compiler would take the lowest six bits first.
		__asm__("rolq %b1, %0" : "+r"(sum) : "c"(turn) : "cc");
		return sum;
	}
#endif
	return sum << (turn & 63) | sum >> (-turn & 63);
}

// The same of a sum below 2^32, which comes to another one.
static inline uint32_t checksum_turn32(uint32_t sum, unsigned offset)
{
	const unsigned turn = offset * 8;

#ifdef __x86_64__
	if (!__builtin_constant_p(turn)) {
		__asm__("roll %b1, %0" : "+r"(sum) : "c"(turn) : "cc");
		return sum;
	}
#endif
	return sum << (turn & 31) | sum >> (-turn & 31);
}

// The sum of words in the order of the wire whose values add up to `sum`.
static inline uint64_t checksum_of_wire(uint64_t sum)
{
	return checksum_at(sum, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}
