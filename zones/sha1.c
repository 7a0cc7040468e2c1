// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SHA-1 after RFC 3174 6.1, one short input at a time; a block is taken by the CPU's own
// instructions where it has them.

#include "sha1.h"

#include <endian.h>
#include <string.h>

#if defined(__x86_64__) && !defined(NAMEPLANE_PORTABLE)
#define HAVE_INSTRUCTIONS 1
#include <cpuid.h>
#include <immintrin.h>
#endif

static inline uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static inline uint32_t load32_be(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return be32toh(v);
}

// One round. Its five words change their names from round to round instead of their places. The
// schedule is a ring of sixteen.
#define WORD(t)           (w[(t)&15])
#define NEXT(t)           (WORD(t) = rotate(WORD((t) + 13) ^ WORD((t) + 8) ^ WORD((t) + 2) ^ WORD(t), 1))
#define CHOICE(b, c, d)   ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d)   ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))
#define ROUND(a, b, c, d, e, f, k, word)                     \
	do {                                                 \
		e += rotate(a, 5) + f(b, c, d) + k + (word); \
		b = rotate(b, 30);                           \
	} while (0)
#define ROUNDS5(f, k, word, t)                           \
	do {                                             \
		ROUND(a, b, c, d, e, f, k, word(t));     \
		ROUND(e, a, b, c, d, f, k, word(t + 1)); \
		ROUND(d, e, a, b, c, f, k, word(t + 2)); \
		ROUND(c, d, e, a, b, f, k, word(t + 3)); \
		ROUND(b, c, d, e, a, f, k, word(t + 4)); \
	} while (0)
#define ROUNDS20(f, k, t)                      \
	do {                                   \
		ROUNDS5(f, k, NEXT, t);        \
		ROUNDS5(f, k, NEXT, (t) + 5);  \
		ROUNDS5(f, k, NEXT, (t) + 10); \
		ROUNDS5(f, k, NEXT, (t) + 15); \
	} while (0)

static void block_add_portable(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[16];
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

#pragma GCC unroll 16
	for (unsigned t = 0; t < 16; t++)
		w[t] = load32_be(block + (size_t)4 * t);
	ROUNDS5(CHOICE, 0x5a827999, WORD, 0);
	ROUNDS5(CHOICE, 0x5a827999, WORD, 5);
	ROUNDS5(CHOICE, 0x5a827999, WORD, 10);
	ROUND(a, b, c, d, e, CHOICE, 0x5a827999, WORD(15));
	ROUND(e, a, b, c, d, CHOICE, 0x5a827999, NEXT(16));
	ROUND(d, e, a, b, c, CHOICE, 0x5a827999, NEXT(17));
	ROUND(c, d, e, a, b, CHOICE, 0x5a827999, NEXT(18));
	ROUND(b, c, d, e, a, CHOICE, 0x5a827999, NEXT(19));
	ROUNDS20(PARITY, 0x6ed9eba1, 20);
	ROUNDS20(MAJORITY, 0x8f1bbcdc, 40);
	ROUNDS20(PARITY, 0xca62c1d6, 60);
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

#ifdef HAVE_INSTRUCTIONS
// Four rounds with the function and constant of `phase` (the instruction wants it in its code).
#define ROUNDS4(phase)                                                                     \
	do {                                                                               \
		before = abcd;                                                             \
		abcd = _mm_sha1rnds4_epu32(abcd, e, phase);                                \
		w = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(m0, m1), m2), m3); \
		m0 = m1, m1 = m2, m2 = m3, m3 = w;                                         \
		e = _mm_sha1nexte_epu32(before, m0);                                       \
	} while (0)

// The words stand in the vectors from the highest lane down, as the instructions have it. m0 to m3
// are the sixteen words of the schedule from the group at hand on.
__attribute__((target("sha,sse4.1"))) static void block_add_sha(uint32_t h[5], const uint8_t *block)
{
	const __m128i reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	const __m128i *at = (const __m128i *)block;
	__m128i m0 = _mm_shuffle_epi8(_mm_loadu_si128(at), reverse);
	__m128i m1 = _mm_shuffle_epi8(_mm_loadu_si128(at + 1), reverse);
	__m128i m2 = _mm_shuffle_epi8(_mm_loadu_si128(at + 2), reverse);
	__m128i m3 = _mm_shuffle_epi8(_mm_loadu_si128(at + 3), reverse);
	const __m128i abcd_in = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0x1b);
	const __m128i e_in = _mm_set_epi32((int)h[4], 0, 0, 0);
	__m128i abcd = abcd_in, e = _mm_add_epi32(e_in, m0), before, w;

	for (unsigned i = 0; i < 5; i++)
		ROUNDS4(0);
	for (unsigned i = 0; i < 5; i++)
		ROUNDS4(1);
	for (unsigned i = 0; i < 5; i++)
		ROUNDS4(2);
	for (unsigned i = 0; i < 5; i++)
		ROUNDS4(3);
	e = _mm_sha1nexte_epu32(before, e_in);
	abcd = _mm_shuffle_epi32(_mm_add_epi32(abcd, abcd_in), 0x1b);
	_mm_storeu_si128((__m128i *)h, abcd);
	h[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static void (*block_add)(uint32_t h[5], const uint8_t *block) = block_add_portable;

// Before main(): no thread reads the pointer while it is written.
__attribute__((constructor)) static void block_add_choose(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSE4_1) == 0)
		return;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0)
		block_add = block_add_sha;
}
#else
#define block_add block_add_portable
#endif

#define SHA1_START                                                         \
	{                                                                  \
		0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 \
	}

static inline void digest_put(const uint32_t h[5], uint8_t out[SHA1_LEN])
{
	for (unsigned i = 0; i < 5; i++) {
		const uint32_t word = htobe32(h[i]);

		memcpy(out + (size_t)4 * i, &word, 4);
	}
}

void sha1(const uint8_t *in, size_t len, uint8_t out[SHA1_LEN])
{
	uint32_t h[5] = SHA1_START;
	uint8_t last[128] = {0};
	const size_t whole = len & ~(size_t)63, rest = len - whole;
	const size_t tail = rest < 56 ? 64 : 128;

	for (size_t at = 0; at < whole; at += 64)
		block_add(h, in + at);
	memcpy(last, in + whole, rest);
	last[rest] = 0x80;
	last[tail - 2] = (uint8_t)(len * 8 >> 8);
	last[tail - 1] = (uint8_t)(len * 8);
	for (size_t at = 0; at < tail; at += 64)
		block_add(h, last + at);
	digest_put(h, out);
}

// A name that fits into a block, without salt: made ready in vectors, since what is stored byte by
// byte cannot be loaded as vectors at once. Pre: len < 56; 64 bytes of `name` may be read.
static void short_name(const uint8_t *name, unsigned len, uint8_t out[SHA1_LEN])
{
	typedef uint8_t lanes __attribute__((vector_size(32), aligned(1), may_alias));
	static const lanes places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
	    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
	typedef uint64_t quarters __attribute__((vector_size(32)));
	const lanes length = (lanes)(quarters){0, 0, 0, htobe64(8 * len)};
	const lanes n = places - (uint8_t)len, m = n + 32;
	uint8_t block[64];
	uint32_t h[5] = SHA1_START;

	// A place is the name's where, less the length, it is negative.
	*(lanes *)block = (*(const lanes *)name & (lanes)(n > 127)) | ((lanes)(n == 0) & 0x80);
	*(lanes *)(block + 32) =
	    (*(const lanes *)(name + 32) & (lanes)(m > 127)) | ((lanes)(m == 0) & 0x80) | length;
	block_add(h, block);
	digest_put(h, out);
}

void nsec3_hash(const uint8_t *name, size_t name_len, const uint8_t *salt, uint8_t salt_len,
    uint16_t iterations, uint8_t out[SHA1_LEN])
{
	uint8_t in[SHA1_INPUT_MAX];

	if (salt_len == 0 && name_len < 56) { // what RFC 9276 3.1 asks for
		short_name(name, (unsigned)name_len, out);
	} else {
		memcpy(in, name, name_len);
		memcpy(in + name_len, salt, salt_len);
		sha1(in, name_len + salt_len, out);
	}
	if (iterations == 0)
		return;
	memcpy(in + SHA1_LEN, salt, salt_len);
	for (unsigned i = 0; i < iterations; i++) {
		memcpy(in, out, SHA1_LEN);
		sha1(in, (size_t)SHA1_LEN + salt_len, out);
	}
}
