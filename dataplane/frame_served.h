// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The table of served addresses from within (frame.h): for frame.c and frame_plain.c.
#pragma once

#include <string.h>

#include "frame.h"

// Served addresses are the operator's choice: no keyed hash is needed, and the table is never more
// than a quarter full.
static inline unsigned served4_slot(uint32_t addr)
{
	return (unsigned)(addr * 0xff51afd7ed558ccdu >> 40) % FRAME_SERVED_SLOTS;
}

// A byte that tells most addresses apart: of IPv6 the first ones are the same nearly everywhere.
static inline unsigned served6_byte(const uint8_t *addr)
{
	uint64_t a, b;

	memcpy(&a, addr, 8);
	memcpy(&b, addr + 8, 8);
	return (unsigned)((a ^ b) * 0x9e3779b97f4a7c15u >> 56);
}

// What one comparison tells apart: of IPv4 it is, where machines are little-endian, what stands in
// the packet from the destination address on but for the source port.
#define KEY_PORT    0xffff000000000000u
#define KEY_ADDRESS 0x00000000ffffffffu

// 0/8, loopback, multicast, 240/4 and broadcast: nobody's source address.
static inline bool frame_ip4_is_bogus(const uint8_t *addr)
{
	return addr[0] == 0 || addr[0] == 127 || addr[0] >= 224;
}
