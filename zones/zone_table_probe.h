// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zone table from within, and a reader's first look into it, which most often decides. Inline:
// every query of every worker comes by. Ordering: zone_table.h.
#pragma once

#include <assert.h>

#include "zone_table.h"

#define SLOTS_LARGE 2048 // with entries and versions beyond any first-level cache

struct slot {
	uint64_t hash; // written once, before the first version is released (R1)
	_Atomic(struct zone_version *) version; // NULL: free, for ever as long as it was
};

struct slots {
	size_t mask;
	size_t used; // writer: slots that are not free, tombstones included
	struct slot slot[];
};

struct zone_table {
	_Atomic(struct slots *) slots; // writer: release (R2); readers: acquire (A2)
	_Atomic uint64_t depths[2];    // bit n: a zone with n labels is there; relaxed
	struct hash_key key;           // ro
	size_t count;                  // writer's own, as all that follows
	size_t at_depth[NAME_LABELS_MAX + 1];
};
static_assert(NAME_LABELS_MAX < 128, "a bit for each number of labels");

// Reader. Valid, with all it leads to, until the read side ends.
static inline const struct slots *zone_table_slots(const struct zone_table *table)
{
	return atomic_load_explicit(&table->slots, memory_order_acquire); // A2
}

// Where the zone stands whose apex has this hash, unless another took that slot before: then it is
// further on, if it is there at all.
static inline size_t slots_home(const struct slots *slots, uint64_t hash)
{
	return qname_place(hash) & slots->mask;
}

// Reader. Bit n: there are zones whose apex has n labels, below 64.
static inline uint64_t zone_table_depths_few(const struct zone_table *table)
{
	return atomic_load_explicit(&table->depths[0], memory_order_relaxed);
}

// Reader. True where a core's own cache does not hold the table.
static inline bool zone_table_is_large(const struct zone_table *table)
{
	return zone_table_slots(table)->mask >= SLOTS_LARGE;
}
