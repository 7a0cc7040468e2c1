// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler: sorted records in, image out, a whole zone (a base) or what changed (an overlay).
// Deterministic for the same input, key, id and generation. One thread; memory beside the image is
// 40 bytes a name (48 where it is signed) and 4 an RRset.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "qname.h"
#include "records.h"

struct compile_options {
	struct hash_key key;
	uint64_t generation;
	uint64_t id; // random
};

#define COMPILE_ERROR_MAX 512

// What an overlay is, beside its records. overlay.h makes it.
struct compile_overlay {
	uint64_t below_id; // of the image it stands on
	uint64_t rr_count; // of the whole version
	uint32_t flags;    // IMAGE_* of the version below
	uint32_t rrsig_expiry_min;
	uint32_t count;
	const uint8_t **names; // what it holds: canonical order, any case, the apex among them
	const bool *gone;      // names[i] does not exist any more
};

// Pre: records_sort() was called. Runs records_check() itself.
// Post: 0 and `buffer` holds an image of buffer->used bytes; or -EINVAL (the zone is wrong, `error`
// says why), -ENOMEM, -EFBIG.
int compile_image(const struct records *records, const struct compile_options *options,
    struct image_buffer *buffer, char error[COMPILE_ERROR_MAX]) __attribute__((warn_unused_result));

// The same for an overlay. Pre: `records` has all records of the names it holds and, of those
// around them, of all their ancestors, of "*" below them, and of every name that their answers
// embed; and of some name below each that exists for the names below it alone.
int compile_overlay(const struct records *records, const struct compile_overlay *overlay,
    const struct compile_options *options, struct image_buffer *buffer,
    char error[COMPILE_ERROR_MAX]) __attribute__((warn_unused_result));
