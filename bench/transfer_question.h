// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a scripted primary is asked.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "out_message.h"

// The type of a question about a name of `name_len` bytes, and the serial that an IXFR starts from
// (0: none). Post: 0 for what is no question. Whose name it is, the caller sees to.
static inline unsigned transfer_question(
    const uint8_t *msg, size_t len, size_t name_len, uint32_t *serial)
{
	const size_t at = 12 + name_len;

	*serial = 0;
	if (len < at + 4 || (msg[2] & 0x80) != 0)
		return 0;
	const unsigned type = (unsigned)msg[at] << 8 | msg[at + 1];
	if (type != TYPE_IXFR || msg[9] != 1 || len < at + 5)
		return type;
	// The SOA in authority ends with five numbers; an OPT may follow it.
	const size_t soa = at + 4 + ((msg[at + 4] & 0xc0) == 0xc0 ? 2 : name_len);
	if (soa + 10 > len)
		return type;
	const size_t rdlen = (size_t)msg[soa + 8] << 8 | msg[soa + 9];
	const uint8_t *field = msg + soa + 10 + rdlen - 20;
	if (rdlen >= 22 && soa + 10 + rdlen <= len)
		*serial = (uint32_t)field[0] << 24 | (uint32_t)field[1] << 16 |
		          (uint32_t)field[2] << 8 | field[3];
	return type;
}
