// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The fuzzer's bytes, taken one after the other; past the end come zeros.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t cursor_u8(struct cursor *c)
{
	if (c->left == 0)
		return 0;
	c->left--;
	return *c->at++;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const unsigned high = cursor_u8(c);

	return (uint16_t)(high << 8 | cursor_u8(c));
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint32_t high = cursor_u16(c);

	return high << 16 | cursor_u16(c);
}

// Copies up to n bytes. Post: how many there were.
static inline size_t cursor_bytes(struct cursor *c, void *out, size_t n)
{
	n = n < c->left ? n : c->left;
	if (n > 0)
		memcpy(out, c->at, n);
	c->at += n;
	c->left -= n;
	return n;
}
