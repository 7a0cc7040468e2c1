// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside overlay*.c: the names that a new overlay has looked at, by name. Indexes stay valid when
// more are added, pointers to a place do not.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qname.h"
#include "rdata.h"
#include "reader.h"

#define PLACE_NONE UINT32_MAX

#define AROUND_MAX (RDATA_ALIASES_MAX + 1) // place.around of what is held

struct place {
	const uint8_t *name; // lower case; 64 bytes past it may be read
	uint64_t hash;
	struct node_ref below; // its node there; NULL: none
	uint32_t first, count; // its records in the version, once `loaded`
	uint8_t len, labels;
	bool loaded;
	bool settled;   // known whether it differs
	bool held;      // goes into the overlay
	bool exists;    // in the version: records, or names below it
	bool followed;  // who depends on it is held, or it is in the list of those still to follow
	bool embedded;  // so are those that embed its addresses; otherwise only chains
	bool waiting;   // it is in that list
	uint8_t around; // how far aliases are followed to load what stands around it; 0: not at all
	uint32_t next_followed;
};

struct places {
	struct place *items; // owned
	uint32_t count, cap;
	uint32_t *slots; // owned: 1 + index
	uint32_t slot_count;
	uint64_t *parents; // owned: hashes of names that something with records is below
	uint32_t parent_count, parent_slots;
	struct arena *arena; // owned
	const struct zone_version *below;
	struct hash_key key;
};

int places_open(struct places *places, const struct zone_version *below)
    __attribute__((warn_unused_result));
void places_close(struct places *places);

// The place of a name (any case), made when there is none. Post: PLACE_NONE when out of memory.
uint32_t places_get(struct places *places, const uint8_t *name);
// PLACE_NONE when there is none.
uint32_t places_find(const struct places *places, const uint8_t *name);

// Says that a name with records stands below each of its ancestors. Post: 0 or -ENOMEM.
int places_mark_parents(struct places *places, const uint8_t *name, unsigned apex_labels)
    __attribute__((warn_unused_result));
bool places_is_parent(const struct places *places, uint64_t hash);

// The node of a name in a version. What owns only an NSEC3 is not in the index (and need not look
// like a hash, or stand directly under the apex): what is not found there is looked for in order.
struct node_ref place_node(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash);
