// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler: sorted records in, image out. Deterministic for the same input, key, id and
// generation. One thread; memory beside the image is about 20 bytes per name.
#pragma once

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

// Pre: records_sort() was called. Runs records_check() itself.
// Post: 0 and `buffer` holds an image of buffer->used bytes; or -EINVAL (the zone is wrong, `error`
// says why), -ENOMEM, -EFBIG.
int compile_image(const struct records *records, const struct compile_options *options,
    struct image_buffer *buffer, char error[COMPILE_ERROR_MAX]) __attribute__((warn_unused_result));
