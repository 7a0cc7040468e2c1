// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A version's records, or an overlay's, as one block of shared memory on their way into the
// compiler child: written by the control plane, read in place by the child. Both are the same
// program, so the layout is private to batch.c and has no version.
#pragma once

#include <stddef.h>

#include "compile.h"
#include "records.h"

// `overlay` NULL: a whole version. Post: a memfd (close-on-exec) that holds the records, its size
// in *size; or -errno.
int batch_write(const struct records *records, const struct compile_overlay *overlay, size_t *size)
    __attribute__((warn_unused_result));

// Several whole versions at once: a table, then a batch for each at multiples of 8.
struct batch_part {
	const struct records *records;
	struct compile_options options;
};
struct batch_entry { // of the table
	uint64_t offset, size;
	struct compile_options options;
};
int batch_write_many(const struct batch_part *parts, unsigned count, size_t *size)
    __attribute__((warn_unused_result));

struct batch {
	struct records *records; // they borrow their names and rdata from the memory
	bool is_overlay;
	struct compile_overlay overlay;
};

// Pre: `mem` stays mapped as long as the batch lives. Post: 0; -ENOMEM or -EINVAL (not a batch),
// with nothing to free.
int batch_read(const void *mem, size_t size, struct batch *out) __attribute__((warn_unused_result));
void batch_free(struct batch *batch);
