// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SipHash-2-4 with 64 bits of output (Aumasson and Bernstein 2012), for server cookies (RFC 9018
// 4.4). Pure; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN 16

// The 128-bit key as two little-endian words.
struct siphash_key {
	uint64_t k[2];
};

struct siphash_key siphash_key_from(const uint8_t bytes[SIPHASH_KEY_LEN]) __attribute__((nonnull));

// Post: the hash; its bytes on the wire are those of the little-endian number.
uint64_t siphash24(const struct siphash_key *key, const uint8_t *in, size_t len)
    __attribute__((nonnull));
