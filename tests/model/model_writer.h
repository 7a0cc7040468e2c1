// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The model's message writer: the rule of compression that zones/writer.h states in prose, done by
// looking through the list of all places that names may point at.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWRITER_PLACES_MAX 1024  // zones/writer.h: the first 1,024 suffixes become targets
#define MWRITER_OFFSET_END 16384 // RFC 1035 4.1.4: a pointer has 14 bits

struct mwriter {
	uint8_t *msg;
	size_t at, cap;
	size_t question_end; // names that stand before it compare without case
	unsigned place_count;
	uint16_t place[MWRITER_PLACES_MAX]; // offsets of suffixes, in the order they were written
};

// Ready behind the question, whose name (at 12) lends its suffix of `labels` labels.
void mwriter_start(
    struct mwriter *w, uint8_t *msg, size_t question_end, size_t cap, unsigned labels);

// One record in class IN; owner NULL: a pointer to the question name. Post: false when it does not
// fit, and nothing was written.
bool mwriter_record(struct mwriter *w, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen);
