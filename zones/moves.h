// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What moves in a compiled answer when the question is longer than its owner's name (struct
// image_moves). The compiler makes it of the bytes and the verifier makes it once more: what stands
// in an image is what this makes. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "name.h"

#define MOVES_SLACK 64 // bytes behind an answer's that may be read

// Which questions an answer is for, besides its owner's own name.
enum moves_for {
	MOVES_NONE,  // no others: nothing moves
	MOVES_WILD,  // names that "*" stands for: owners that are the question's name stay
	MOVES_BELOW, // all below it: each pointer moves
};

struct moves {
	unsigned head;     // image_answer.head
	unsigned proof_at; // bytes of answer and authority section
	unsigned
	    target_max; // where the furthest pointer leads to, in the message; 0: there is none
	unsigned weight, reach, odd_count; // image_moves'
	uint16_t odd[IMAGE_ODD_MAX];
};

// What the answers of RRsets at `owner`, or of its CNAME, are for.
static inline enum moves_for moves_for_owner(const uint8_t *owner)
{
	return name_is_wildcard(owner) ? MOVES_WILD : MOVES_NONE;
}

// Looks through the `size` bytes, at most IMAGE_ANSWER_MAX, that stand behind a question for
// `name`, a whole one of `name_len`. `answer` has the numbers of records. Post: false when they are
// not records as many, when a pointer does not lead back to a label of a name, or when there is
// more to move, or not to, than can be said.
bool moves_find(const struct image_answer *answer, const uint8_t *bytes, unsigned size,
    const uint8_t *name, unsigned name_len, enum moves_for what, struct moves *out)
    __attribute__((nonnull, warn_unused_result));

// What stands between `answer` and its bytes: 8 * (head - 1) bytes, zero before.
void moves_put(const struct moves *moves, void *at) __attribute__((nonnull));
// Is that what stands there?
bool moves_equal(const struct moves *moves, const void *at) __attribute__((nonnull));
