// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Names compared by whole vectors. A call of memcmp() costs more than the names of most zones are
// long. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WIDE_SLACK 32 // bytes that must be readable behind both names

// True when a[0 .. len) and b[0 .. len) are the same. Pre: len > 0.
static inline bool wide_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	return memcmp(a, b, len) == 0;
#else
	typedef char lanes __attribute__((vector_size(32), aligned(1), may_alias));

	for (;; a += 32, b += 32, len -= 32) { // at most 8: a name has 255 bytes
		const lanes same = (lanes)(*(const lanes *)a == *(const lanes *)b);
		const uint32_t differ = ~(uint32_t)__builtin_ia32_pmovmskb256(same);
		if (len <= 32)
			return differ << (32 - len) == 0;
		if (differ != 0)
			return false;
	}
#endif
}
