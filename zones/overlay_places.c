// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A table of names; see overlay_places.h. Open addressing, never more than half full.
#include "overlay_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "name.h"

#define NAME_SLACK  64 // version_find_name() reads past a name
#define SLOTS_FIRST 256

int places_open(struct places *places, const struct zone_version *below)
{
	const struct image_header *header = version_header(below);

	*places = (struct places){.below = below,
	    .key = {{header->hash_key[0], header->hash_key[1]}},
	    .slot_count = SLOTS_FIRST,
	    .parent_slots = SLOTS_FIRST};
	places->arena = arena_new();
	places->slots = calloc(SLOTS_FIRST, sizeof(*places->slots));
	places->parents = calloc(SLOTS_FIRST, sizeof(*places->parents));
	if (places->arena != NULL && places->slots != NULL && places->parents != NULL)
		return 0;
	places_close(places);
	return -ENOMEM;
}

void places_close(struct places *places)
{
	arena_free(places->arena);
	free(places->items);
	free(places->slots);
	free(places->parents);
	*places = (struct places){0};
}

// --- names
// ----------------------------------------------------------------------------------------

static uint32_t *slot_of(const struct places *places, const uint8_t *name, uint64_t hash)
{
	uint32_t at = qname_place(hash) & (places->slot_count - 1);

	while (places->slots[at] != 0) {
		const struct place *place = &places->items[places->slots[at] - 1];
		if (place->hash == hash && name_equal(place->name, name))
			break;
		at = (at + 1) & (places->slot_count - 1);
	}
	return &places->slots[at];
}

static int slots_grow(struct places *places)
{
	uint32_t *old = places->slots;

	places->slots = calloc(places->slot_count * 2u, sizeof(*places->slots));
	if (places->slots == NULL) {
		places->slots = old;
		return -ENOMEM;
	}
	places->slot_count *= 2;
	for (uint32_t i = 0; i < places->count; i++)
		*slot_of(places, places->items[i].name, places->items[i].hash) = i + 1;
	free(old);
	return 0;
}

struct node_ref place_node(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash)
{
	const struct node_ref node = version_find_name(version, name, len, hash);

	return node.node != NULL ? node : version_find_in_order(version, name);
}

uint32_t places_find(const struct places *places, const uint8_t *name)
{
	return *slot_of(places, name, name_hash(name, &places->key)) - 1; // 0 - 1: PLACE_NONE
}

uint32_t places_get(struct places *places, const uint8_t *name)
{
	const uint64_t hash = name_hash(name, &places->key);
	uint32_t *slot = slot_of(places, name, hash);

	if (*slot != 0)
		return *slot - 1;
	if (places->count == places->cap) {
		const uint32_t cap = places->cap > 0 ? places->cap * 2 : SLOTS_FIRST / 2;
		struct place *items = reallocarray(places->items, cap, sizeof(*items));
		if (items == NULL)
			return PLACE_NONE;
		places->items = items;
		places->cap = cap;
	}
	const size_t len = name_len(name);
	uint8_t *copy = arena_take(places->arena, len + NAME_SLACK);
	if (copy == NULL)
		return PLACE_NONE;
	memset(copy + len, 0, NAME_SLACK);
	name_lower(copy, name, len);
	struct place *place = &places->items[places->count++];
	*place = (struct place){
	    .name = copy, .hash = hash, .len = (uint8_t)len, .labels = (uint8_t)name_labels(copy)};
	place->below = place_node(places->below, copy, place->len, hash);
	*slot = places->count;
	if (places->count * 2 > places->slot_count && slots_grow(places) != 0)
		return PLACE_NONE;
	return places->count - 1;
}

// --- what has names below it
// ----------------------------------------------------------------------

static uint64_t *parent_slot(uint64_t *slots, uint32_t count, uint64_t hash)
{
	uint32_t at = qname_place(hash) & (count - 1);

	while (slots[at] != 0 && slots[at] != hash)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static int parents_grow(struct places *places)
{
	const uint32_t count = places->parent_slots * 2;
	uint64_t *grown = calloc(count, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < places->parent_slots; i++) {
		if (places->parents[i] != 0)
			*parent_slot(grown, count, places->parents[i]) = places->parents[i];
	}
	free(places->parents);
	places->parents = grown;
	places->parent_slots = count;
	return 0;
}

int places_mark_parents(struct places *places, const uint8_t *name, unsigned apex_labels)
{
	for (unsigned labels = name_labels(name); labels > apex_labels;) {
		name = name_parent(name);
		labels--;
		const uint64_t hash = name_hash(name, &places->key) | 1; // 0 is a free slot
		uint64_t *slot = parent_slot(places->parents, places->parent_slots, hash);
		if (*slot == hash)
			return 0; // and so are its own ancestors
		*slot = hash;
		if (++places->parent_count * 2 > places->parent_slots && parents_grow(places) != 0)
			return -ENOMEM;
	}
	return 0;
}

bool places_is_parent(const struct places *places, uint64_t hash)
{
	return *parent_slot(places->parents, places->parent_slots, hash | 1) == (hash | 1);
}
