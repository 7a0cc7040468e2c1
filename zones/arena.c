// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A chain of chunks that grow up to a megabyte.

#include "arena.h"

#include <stdlib.h>

#define CHUNK_FIRST 4096
#define CHUNK_MAX   (1u << 20)

struct chunk {
	struct chunk *next;
	size_t used, size;
	uint8_t bytes[];
};

struct arena {
	struct chunk *head;
	size_t held;
	size_t chunk_size; // of the next chunk
};

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
		free(c);
	}
	free(arena);
}

uint8_t *arena_take(struct arena *arena, size_t n)
{
	struct chunk *c = arena->head;

	if (c == NULL || c->size - c->used < n) {
		const size_t size = n > arena->chunk_size ? n : arena->chunk_size;
		c = malloc(sizeof(*c) + size);
		if (c == NULL)
			return NULL;
		c->next = arena->head;
		c->used = 0;
		c->size = size;
		arena->head = c;
		arena->held += sizeof(*c) + size;
		if (arena->chunk_size < CHUNK_MAX)
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
