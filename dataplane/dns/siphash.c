// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SipHash-2-4; see siphash.h. Four words of state; each word of input is mixed in by two rounds,
// the end by four.
#include "siphash.h"

#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

// Little-endian on every machine.
static uint64_t word_get(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void round_do(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static void word_mix(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	round_do(s);
	round_do(s);
	s->v0 ^= word;
}

struct siphash_key siphash_key_from(const uint8_t bytes[SIPHASH_KEY_LEN])
{
	return (struct siphash_key){{word_get(bytes), word_get(bytes + 8)}};
}

uint64_t siphash24(const struct siphash_key *key, const uint8_t *in, size_t len)
{
	// "somepseudorandomlygeneratedbytes", as the paper has it.
	struct state s = {
	    .v0 = key->k[0] ^ 0x736f6d6570736575,
	    .v1 = key->k[1] ^ 0x646f72616e646f6d,
	    .v2 = key->k[0] ^ 0x6c7967656e657261,
	    .v3 = key->k[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)len << 56; // its top byte is the length modulo 256
	size_t left = len;

	for (; left >= 8; in += 8, left -= 8) // the caller's length bounds it
		word_mix(&s, word_get(in));
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)in[i] << 8 * i;
	word_mix(&s, last);
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		round_do(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
