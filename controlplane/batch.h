// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A version's records as one block of shared memory on their way into the compiler child: written
// by the control plane, read in place by the child. Both are the same program, so the layout is
// private to batch.c and has no version.
#pragma once

#include <stddef.h>

#include "records.h"

// Post: a memfd (close-on-exec) that holds the records, its size in *size; or -errno.
int batch_write(const struct records *records, size_t *size) __attribute__((warn_unused_result));

// Pre: `mem` stays mapped as long as the records live. Post: records that borrow their names and
// rdata from `mem` (NULL: out of memory or not a batch).
struct records *batch_read(const void *mem, size_t size) __attribute__((warn_unused_result));
