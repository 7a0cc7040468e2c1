// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Serial number arithmetic (RFC 1982, SERIAL_BITS 32). Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// True when `a` is greater than `b`. Two serials exactly 2^31 apart are not comparable (RFC 1982
// 3.2): then neither is newer, so that such a pair can never replace each other in turn.
static inline bool serial_newer(uint32_t a, uint32_t b)
{
	uint32_t ahead = a - b;

	return ahead != 0 && ahead < UINT32_C(0x80000000);
}
