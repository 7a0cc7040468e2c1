// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The records that prove what a zone version does not hold. Called by workers: no allocation; a
// search has at most 64 steps.
//
// Layers. Each has its own part of the chain, and the record looked for is the nearest at or before
// the name that no layer above has replaced. Nothing has to be skipped for that: when a record is
// taken out of a chain, or one is put in, the one before it changes, because it names the next; so
// a layer whose nearest record is replaced has no better one, the layer that replaced it has. (A
// chain that is broken is answered with what is there.)

#include "reader.h"

#include <string.h>

#include "denial_search.h"
#include "name.h"
#include "order_key.h"

// --- NSEC
// -----------------------------------------------------------------------------------------

static const struct image_node *nsec_node(
    const struct image *image, const struct image_nsec *items, uint32_t rank)
{
	return image_at(image, items[rank].node_ref);
}

uint32_t image_nsec_rank_among(const struct image *image, const struct image_nsec *items,
    uint32_t rank, const uint8_t *name, uint64_t key)
{
	const uint32_t count = image->header->section[IMAGE_NSEC_ORDER].count;
	uint32_t low = rank, high = low + nsec_key_rank(items + low, count - low, key, true);

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (name_compare(nsec_node(image, items, middle)->name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// True when no layer above replaces the node of `layer`.
static bool is_live(
    const struct zone_version *version, unsigned layer, const struct image_node *node)
{
	const struct image_header *header = version_header(version);
	const struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};

	return layer == 0 ||
	       version_find_name(version, node->name, node->name_len, name_hash(node->name, &key))
	               .node == node;
}

struct node_ref version_nsec_find(
    const struct zone_version *version, const uint8_t *name, bool *match)
{
	const uint64_t key = name_order_key_lower(name, version_apex_labels(version));
	struct node_ref best = {0};

	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		const struct image_nsec *items =
		    image_at(image, image->header->section[IMAGE_NSEC_ORDER].ref);
		const uint32_t rank = image_nsec_rank(image, items, name, key);
		if (rank == 0)
			continue;
		const struct image_node *node = nsec_node(image, items, rank - 1);
		if ((best.node == NULL || name_compare(node->name, best.node->name) > 0) &&
		    is_live(version, i, node))
			best = (struct node_ref){.image = image, .node = node};
	}
	*match = best.node != NULL && name_equal(best.node->name, name);
	return best;
}

// --- NSEC3
// ----------------------------------------------------------------------------------------

static bool has_hash(const struct image *image, enum image_section_id id, const uint8_t hash[20])
{
	const struct image_section *section = &image->header->section[id];
	const struct image_nsec3 *items = image_at(image, section->ref);
	const uint32_t rank = nsec3_rank(items, section->count, hash);

	return rank > 0 && memcmp(items[rank - 1].hash, hash, 20) == 0;
}

// True when no layer above has another record for the hash, or has lost it.
static bool nsec3_is_live(
    const struct zone_version *version, unsigned layer, const uint8_t hash[20])
{
	for (unsigned i = 0; i < layer; i++) {
		if (has_hash(&version->layer[i], IMAGE_NSEC3_ORDER, hash) ||
		    has_hash(&version->layer[i], IMAGE_NSEC3_LOST, hash))
			return false;
	}
	return true;
}

// On the ring, is `a` nearer before `hash` than `b`?
static bool is_nearer(const uint8_t a[20], const uint8_t b[20], const uint8_t hash[20])
{
	const bool a_before = memcmp(a, hash, 20) <= 0, b_before = memcmp(b, hash, 20) <= 0;

	return a_before != b_before ? a_before : memcmp(a, b, 20) > 0;
}

struct node_ref version_nsec3_find(
    const struct zone_version *version, const uint8_t hash[20], bool *match)
{
	const struct image_nsec3 *best = NULL;
	struct node_ref found = {0};

	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		const struct image_section *section = &image->header->section[IMAGE_NSEC3_ORDER];
		const struct image_nsec3 *items = image_at(image, section->ref);
		if (section->count == 0)
			continue;
		const struct image_nsec3 *item = &items[image_nsec3_rank(image, hash) - 1];
		if ((best != NULL && !is_nearer(item->hash, best->hash, hash)) ||
		    !nsec3_is_live(version, i, item->hash))
			continue;
		best = item;
		found = (struct node_ref){.image = image, .node = image_at(image, item->node_ref)};
	}
	*match = best != NULL && memcmp(best->hash, hash, 20) == 0;
	return found;
}

// --- what the compiler prepared
// -------------------------------------------------------------------

struct node_ref node_denial(
    const struct zone_version *version, struct node_ref node, bool wild, bool *match)
{
	static const struct node_ref none;
	const struct image_node_denial *denies = node_denies(node.node);
	const struct image_section *section = node.image->header->section;
	const unsigned layer = (unsigned)(node.image - version->layer);

	if (denies == NULL)
		return none;
	const uint32_t denial = wild ? denies->wild : denies->at;
	if (denial == 0)
		return none;
	const uint32_t rank = (denial & ~DENIAL_COVER) - 1;
	*match = (denial & DENIAL_COVER) == 0;
	if (section[IMAGE_NSEC3_ORDER].count != 0) {
		const struct image_nsec3 *items =
		    image_at(node.image, section[IMAGE_NSEC3_ORDER].ref);
		node.node = image_at(node.image, items[rank].node_ref);
		return nsec3_is_live(version, layer, items[rank].hash) ? node : none;
	}
	const struct image_nsec *items = image_at(node.image, section[IMAGE_NSEC_ORDER].ref);
	node.node = image_at(node.image, items[rank].node_ref);
	return is_live(version, layer, node.node) ? node : none;
}
