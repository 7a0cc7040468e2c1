// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Bytes compared by whole vectors. A call of memcmp() costs more than the names of most zones are
// long. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WIDE       32
#define WIDE_SLACK WIDE // bytes that must be readable behind both names

// The lowest `n` bits, at most 32.
static inline uint32_t wide_first(uint32_t bits, unsigned n)
{
#ifdef __BMI2__
	return __builtin_ia32_bzhi_si(bits, n);
#else
	return (uint32_t)(bits & ((UINT64_C(1) << n) - 1));
#endif
}

// True when a[0 .. len) and b[0 .. len) are the same. Pre: len > 0.
static inline __attribute__((always_inline)) bool wide_equal(
    const uint8_t *a, const uint8_t *b, unsigned len)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	// By pieces, too: memcmp() may read all of what ends in an image's last bytes.
	for (; len > WIDE; a += WIDE, b += WIDE, len -= WIDE) { // at most 7 times
		if (memcmp(a, b, WIDE) != 0)
			return false;
	}
	return memcmp(a, b, len) == 0;
#else
	typedef char lanes __attribute__((vector_size(32), aligned(1), may_alias));

	lanes same = (lanes)(*(const lanes *)a == *(const lanes *)b);

#pragma GCC unroll 1
	while (__builtin_expect(len > 32, 0)) { // at most 7 times: a name has 255 bytes
		if (__builtin_ia32_pmovmskb256(same) != -1)
			return false;
		a += 32;
		b += 32;
		len -= 32;
		same = (lanes)(*(const lanes *)a == *(const lanes *)b);
	}
	return wide_first(~(uint32_t)__builtin_ia32_pmovmskb256(same), len) == 0;
#endif
}

// The same of at most WIDE bytes.
static inline __attribute__((always_inline)) bool wide_equal_short(
    const uint8_t *a, const uint8_t *b, unsigned len)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	return memcmp(a, b, len) == 0;
#else
	typedef char lanes __attribute__((vector_size(32), aligned(1), may_alias));
	const lanes same = (lanes)(*(const lanes *)a == *(const lanes *)b);

	return wide_first(~(uint32_t)__builtin_ia32_pmovmskb256(same), len) == 0;
#endif
}

// True when the 16 bytes at `at` are `want` in all bits of `mask`; both are aligned.
static inline __attribute__((always_inline)) bool wide_matches16(
    const uint8_t *at, const uint8_t want[16], const uint8_t mask[16])
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint64_t a[2], w[2], m[2];

	memcpy(a, at, sizeof a);
	memcpy(w, want, sizeof w);
	memcpy(m, mask, sizeof m);
	return (((a[0] ^ w[0]) & m[0]) | ((a[1] ^ w[1]) & m[1])) == 0;
#else
	typedef long long lanes __attribute__((vector_size(16), aligned(1), may_alias));

	return __builtin_ia32_ptestz128(
	    *(const lanes *)at ^ *(const lanes *)want, *(const lanes *)mask);
#endif
}

// True when the 32 bytes at `at` are `want` in all bits of `mask`.
static inline __attribute__((always_inline)) bool wide_matches(
    const uint8_t *at, const uint8_t want[32], const uint8_t mask[32])
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint64_t differ = 0;

	for (unsigned i = 0; i < 32; i += 8) {
		uint64_t a, w, m;
		memcpy(&a, at + i, 8);
		memcpy(&w, want + i, 8);
		memcpy(&m, mask + i, 8);
		differ |= (a ^ w) & m;
	}
	return differ == 0;
#else
	typedef long long lanes __attribute__((vector_size(32), aligned(1), may_alias));

	return __builtin_ia32_ptestz256(
	    *(const lanes *)at ^ *(const lanes *)want, *(const lanes *)mask);
#endif
}

// A bit for each of the WIDE bytes at `at` that is a capital letter.
extern const uint8_t
    wide_capitals[2 * WIDE]; // what makes 'A' the smallest number, the first behind 'Z'
static inline uint32_t wide_upper(const uint8_t *at)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint32_t upper = 0;

	for (unsigned i = 0; i < WIDE; i++)
		upper |= (uint32_t)((uint8_t)(at[i] - 'A') < 26) << i;
	return upper;
#else
	typedef unsigned char bytes __attribute__((vector_size(WIDE), aligned(1), may_alias));
	typedef signed char numbers __attribute__((vector_size(WIDE)));
	typedef char lanes __attribute__((vector_size(WIDE)));
	const bytes *k = (const bytes *)wide_capitals;

	// So that the compiler takes them from memory, where it would make them anew each time.
	__asm__("" : "+r"(k));
	const numbers moved = (numbers)(*(const bytes *)at + k[0]);
	return (uint32_t)__builtin_ia32_pmovmskb256((lanes)(moved < (numbers)k[1]));
#endif
}

// True when one of at[0 .. len) is a capital letter. Pre: len > 0; WIDE_SLACK more may be read.
static inline bool wide_has_upper(const uint8_t *at, unsigned len)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	unsigned upper = 0;

	for (unsigned i = 0; i < len; i++)
		upper |= (uint8_t)(at[i] - 'A') < 26;
	return upper != 0;
#else
	typedef signed char numbers __attribute__((vector_size(32), aligned(1), may_alias));
	typedef char lanes __attribute__((vector_size(32)));
	uint32_t upper;

	// 'A' to 'Z' become the 26 smallest numbers.
	for (;; at += 32, len -= 32) { // at most 8 times: a name has 255 bytes
		const numbers moved = *(const numbers *)at + (signed char)(-128 - 'A');
		upper = (uint32_t)__builtin_ia32_pmovmskb256((lanes)(moved < -128 + 26));
		if (len <= 32)
			return upper << (32 - len) != 0;
		if (upper != 0)
			return true;
	}
#endif
}

// A bit for each of the 64 bytes at `at` that is `byte`.
static inline uint64_t wide_bits(const uint8_t *at, uint8_t byte)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(at[i] == byte) << i;
	return bits;
#else
	typedef char lanes __attribute__((vector_size(32), aligned(1), may_alias));

	const lanes low = (lanes)(*(const lanes *)at == (char)byte);
	const lanes high = (lanes)(*(const lanes *)(at + 32) == (char)byte);

	return (uint32_t)__builtin_ia32_pmovmskb256(low) |
	       (uint64_t)(uint32_t)__builtin_ia32_pmovmskb256(high) << 32;
#endif
}
