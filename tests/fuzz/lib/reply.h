// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Judges a reply by itself, with a message parser of its own: everything that can be said of any
// right reply without knowing the zone. Aborts where it is wrong.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a reply must keep to.
struct reply_rules {
	bool tcp;
	uint16_t cap;         // bytes the transport takes
	uint16_t payload_max; // the server's own EDNS size
	bool loose; // the zone's image was forged: its records may be any bytes, only frame and
	            // limits count
};

// What was read from it.
struct reply_seen {
	unsigned rcode; // with OPT's bits
	bool opt, tc;
};

void reply_judge(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t reply_len,
    const struct reply_rules *rules, struct reply_seen *seen);

// The ones' complement sum of bytes as big-endian words, folded; the slow and obvious way.
uint16_t reply_sum(const uint8_t *bytes, size_t len);
