// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SHA-1 after RFC 3174 6.1, one short input at a time.

#include "sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void block_add(uint32_t h[5], const uint8_t *block)
{
	uint32_t w[80];
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
		       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
	for (unsigned t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (unsigned t = 0; t < 80; t++) {
		uint32_t f, k;
		if (t < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (t < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (t < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		const uint32_t next = rotate(a, 5) + f + e + k + w[t];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const uint8_t *in, size_t len, uint8_t out[SHA1_LEN])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
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
	for (unsigned i = 0; i < SHA1_LEN; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void nsec3_hash(const uint8_t *name, size_t name_len, const uint8_t *salt, uint8_t salt_len,
    uint16_t iterations, uint8_t out[SHA1_LEN])
{
	uint8_t in[SHA1_INPUT_MAX];

	memcpy(in, name, name_len);
	memcpy(in + name_len, salt, salt_len);
	sha1(in, name_len + salt_len, out);
	memcpy(in + SHA1_LEN, salt, salt_len);
	for (unsigned i = 0; i < iterations; i++) {
		memcpy(in, out, SHA1_LEN);
		sha1(in, (size_t)SHA1_LEN + salt_len, out);
	}
}
