// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From bytes to what they name; see idmap.h.
#include "idmap.h"

#include <stdlib.h>
#include <string.h>

static uint32_t idmap_hash(const uint8_t *key, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u; // FNV-1a, folded

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static struct idmap_entry *idmap_slot(
    struct idmap_entry *entries, size_t cap, uint32_t hash, const void *key, size_t len)
{
	size_t i = hash & (cap - 1);

	// Never full (see idmap_add), so a free slot ends the walk.
	while (entries[i].key != NULL) {
		if (entries[i].hash == hash && entries[i].len == len &&
		    memcmp(entries[i].key, key, len) == 0)
			break;
		i = (i + 1) & (cap - 1);
	}
	return &entries[i];
}

static bool idmap_grow(struct idmap *map)
{
	size_t cap = map->cap == 0 ? 64 : map->cap * 2;
	struct idmap_entry *entries = calloc(cap, sizeof(*entries));

	if (entries == NULL)
		return false;
	for (size_t i = 0; i < map->cap; i++) {
		const struct idmap_entry *e = &map->entries[i];

		if (e->key != NULL)
			*idmap_slot(entries, cap, e->hash, e->key, e->len) = *e;
	}
	free(map->entries);
	map->entries = entries;
	map->cap = cap;
	return true;
}

void *idmap_find(const struct idmap *map, const void *key, size_t len)
{
	if (map->cap == 0)
		return NULL;
	return idmap_slot(map->entries, map->cap, idmap_hash(key, len), key, len)->value;
}

bool idmap_add(struct idmap *map, const void *key, size_t len, void *value)
{
	uint32_t hash = idmap_hash(key, len);

	if (map->count * 2 >= map->cap && !idmap_grow(map))
		return false;
	*idmap_slot(map->entries, map->cap, hash, key, len) =
	    (struct idmap_entry){.key = key, .value = value, .len = (uint32_t)len, .hash = hash};
	map->count++;
	return true;
}

// Those behind it that stand there because it did move up.
void idmap_remove(struct idmap *map, const void *key, size_t len)
{
	const size_t mask = map->cap - 1;
	struct idmap_entry *entries = map->entries;
	size_t hole =
	    (size_t)(idmap_slot(entries, map->cap, idmap_hash(key, len), key, len) - entries);

	for (size_t i = (hole + 1) & mask; entries[i].key != NULL; i = (i + 1) & mask) {
		if (((i - entries[i].hash) & mask) < ((i - hole) & mask))
			continue; // at home between the two
		entries[hole] = entries[i];
		hole = i;
	}
	entries[hole] = (struct idmap_entry){0};
	map->count--;
}

void idmap_free(struct idmap *map)
{
	free(map->entries);
	*map = (struct idmap){0};
}
