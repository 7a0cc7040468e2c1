// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Memory that is freed all at once; see pool.h.
#include "pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10) // few enough calls of malloc, little waste for a small file

struct pool_block {
	struct pool_block *next;
	size_t size;
	_Alignas(max_align_t) uint8_t bytes[];
};

static void *pool_take(struct pool *pool, size_t size, size_t align)
{
	struct pool_block *block = pool->blocks;
	size_t start = (pool->used + align - 1) & ~(align - 1);

	if (block == NULL || start > block->size || size > block->size - start) {
		size_t need = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		if (need > SIZE_MAX - sizeof(*block))
			return NULL;
		block = calloc(1, sizeof(*block) + need);
		if (block == NULL)
			return NULL;
		block->size = need;
		block->next = pool->blocks;
		pool->blocks = block;
		start = 0;
	}
	pool->used = start + size;
	return block->bytes + start;
}

void *pool_alloc(struct pool *pool, size_t size)
{
	return pool_take(pool, size, _Alignof(max_align_t));
}

char *pool_text(struct pool *pool, const char *text, size_t len)
{
	char *copy = pool_take(pool, len + 1, 1);

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void pool_free(struct pool *pool)
{
	while (pool->blocks != NULL) {
		struct pool_block *next = pool->blocks->next;

		free(pool->blocks);
		pool->blocks = next;
	}
	pool->used = 0;
}
