// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Memory that is freed all at once: everything a loaded configuration points to. One thread.
#pragma once

#include <stddef.h>

struct pool_block;

struct pool {
	struct pool_block *blocks; // owned, newest first
	size_t used;               // bytes taken of the newest block
};

// Post: zeroed memory aligned for any object, owned by the pool; NULL when out of memory.
void *pool_alloc(struct pool *pool, size_t size) __attribute__((warn_unused_result));

// Post: `len` bytes of `text` and a NUL; alignment of a byte.
char *pool_text(struct pool *pool, const char *text, size_t len)
    __attribute__((warn_unused_result));

void pool_free(struct pool *pool); // the pool may be used again
