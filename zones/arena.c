// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A chain of chunks that grow up to a huge page.

#include "arena.h"

#include <stdlib.h>

#include "hugepage.h"

#define CHUNK_FIRST 4096

struct chunk {
	struct chunk *next;
	size_t used, size;
	uint8_t bytes[];
};

struct arena {
	struct chunk *head;
	size_t held;
	size_t chunk_size; // of the next chunk, with its head
};

// `size` with the head of the chunk.
static struct chunk *chunk_new(size_t size)
{
	struct chunk *c = size == HUGEPAGE ? hugepage_alloc(size) : malloc(size);

	if (c != NULL) {
		c->used = 0;
		c->size = size - sizeof(*c);
	}
	return c;
}

static void chunk_free(struct chunk *c)
{
	if (c->size == HUGEPAGE - sizeof(*c))
		munmap(c, HUGEPAGE);
	else
		free(c);
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena != NULL)
		arena->chunk_size = CHUNK_FIRST;
	return arena;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	for (struct chunk *c = arena->head, *next; c != NULL; c = next) {
		next = c->next;
		chunk_free(c);
	}
	free(arena);
}

uint8_t *arena_take(struct arena *arena, size_t n)
{
	struct chunk *c = arena->head;

	if (c == NULL || c->size - c->used < n) {
		const size_t least = sizeof(*c) + n;
		const size_t size = least > arena->chunk_size ? least : arena->chunk_size;
		c = chunk_new(size);
		if (c == NULL)
			return NULL;
		c->next = arena->head;
		arena->head = c;
		arena->held += size;
		if (arena->chunk_size < HUGEPAGE)
			arena->chunk_size *= 2;
	}
	uint8_t *at = c->bytes + c->used;
	c->used += n;
	return at;
}

size_t arena_bytes(const struct arena *arena)
{
	return arena->held;
}
