// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From bytes to what they name: ids and zones of one file, for duplicates and references. Open
// addressing, grows by doubling. The bytes stay the caller's. The file is the operator's own, so
// the hash need not withstand a chooser of collisions.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_entry {
	const void *key; // NULL: free
	void *value;
	uint32_t len;
	uint32_t hash;
};

struct idmap {
	struct idmap_entry *entries; // owned
	size_t count;
	size_t cap; // a power of two, or 0
};

void *idmap_find(const struct idmap *map, const void *key, size_t len);

// Pre: the key is not in the map, value is not NULL. Post: false when out of memory.
bool idmap_add(struct idmap *map, const void *key, size_t len, void *value)
    __attribute__((warn_unused_result));

// Pre: the key is in the map.
void idmap_remove(struct idmap *map, const void *key, size_t len);

void idmap_free(struct idmap *map);
