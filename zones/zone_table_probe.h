// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zone table from within, and a reader's first look into it, which most often decides. Inline:
// every query of every worker comes by. Ordering: zone_table.h.
#pragma once

#include <assert.h>

#include "zone_lead.h"
#include "zone_table.h"

#define SLOTS_LARGE 2048 // with entries and versions beyond any first-level cache

struct slot {
	_Atomic uint64_t hash; // relaxed: written once, before the first version is released (R1)
	_Atomic uint64_t lead; // zone_lead.h; 0: free, for ever as long as it was
};

#define SLOTS_LINE 4 // slots of a line of 64 bytes

struct slots {
	size_t mask;
	size_t used; // writer: slots that are not free, tombstones included
	struct slot slot[] __attribute__((aligned(64)));
};
static_assert(SLOTS_LINE * sizeof(struct slot) == 64, "a line");

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

// The line in which the zone stands whose apex has this hash, unless others took all of it before:
// then it is further on, if it is there at all. A line is taken from its first slot on.
static inline size_t slots_home(const struct slots *slots, uint64_t hash)
{
	return qname_place(hash) & slots->mask & ~(size_t)(SLOTS_LINE - 1);
}

// C11 has no relaxed load of a vector. By its letter the one below races with a writer that fills a
// slot of the line; x86 loads each aligned word of it at once, and no more is asked for: a hash of
// before, or the new one. What looks for races is shown the words.
#if defined(__SANITIZE_THREAD__) // gcc
#define SLOTS_BY_WORDS 1
#elif defined(__has_feature) // clang
#if __has_feature(thread_sanitizer)
#define SLOTS_BY_WORDS 1
#endif
#endif

// A bit for each slot of a line that has the hash: of the i-th, bit 2 * i.
static inline unsigned slots_match(const struct slot *line, uint64_t hash)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__) || defined(SLOTS_BY_WORDS)
	unsigned match = 0;

	for (unsigned i = 0; i < SLOTS_LINE; i++)
		match |=
		    (unsigned)(atomic_load_explicit(&line[i].hash, memory_order_relaxed) == hash)
		    << (2 * i);
	return match;
#else
	typedef long long lanes __attribute__((vector_size(32), may_alias));
	typedef double signs __attribute__((vector_size(32)));
	const lanes wanted = (lanes){0} + (long long)hash;
	const signs low = (signs)(*(const lanes *)line == wanted);
	const signs high = (signs)(*(const lanes *)(line + 2) == wanted);

	// Versions are compared as well, and left out.
	return ((unsigned)__builtin_ia32_movmskpd256(low) |
	           (unsigned)__builtin_ia32_movmskpd256(high) << 4) &
	       0x55;
#endif
}

// What a hash's line says, and the one behind it.
struct slots_probe {
	uint64_t lead; // to the version of the zone with that hash, or what is left of one
	bool unsure;   // 0, and yet it may be further on
};

// Reader. The four are compared without a branch: which one it is nobody can guess.
static inline struct slots_probe slots_probe(const struct slots *slots, uint64_t hash)
{
	size_t at = slots_home(slots, hash);
	const struct slot *line = &slots->slot[at];
	unsigned match = slots_match(line, hash);

	if (__builtin_expect(match == 0, 0)) {
		if (atomic_load_explicit(&line[SLOTS_LINE - 1].lead, memory_order_relaxed) == 0)
			return (struct slots_probe){0, false};
		at = (at + SLOTS_LINE) & slots->mask;
		line = &slots->slot[at];
		match = slots_match(line, hash);
		if (match == 0)
			return (struct slots_probe){
			    0, atomic_load_explicit(
			           &line[SLOTS_LINE - 1].lead, memory_order_relaxed) != 0};
	}
	return (struct slots_probe){atomic_load_explicit(&line[__builtin_ctz(match) / 2].lead,
	                                memory_order_acquire), // A1
	    false};
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
