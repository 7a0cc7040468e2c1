// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version in canonical order, its layers merged: for transfers out, dumps, and the proofs of
// denial. Bounds: a binary search has 32 steps; skipping what a higher layer replaced is bounded by
// that layer's size (overlays are small by design).

#include "reader.h"

#include <string.h>

#include "name.h"

static const struct image_node *node_at(const struct image *image, uint32_t rank)
{
	const uint32_t *order = image_at(image, image->header->section[IMAGE_ORDER].ref);

	return image_at(image, order[rank]);
}

static uint32_t node_count(const struct image *image)
{
	return image->header->section[IMAGE_ORDER].count;
}

void version_iter_start(struct version_iter *iter, const struct zone_version *version)
{
	*iter = (struct version_iter){.version = version};
}

struct node_ref version_iter_next(struct version_iter *iter)
{
	const struct zone_version *version = iter->version;

	for (;;) {
		const struct image_node *best = NULL;
		unsigned best_layer = 0;

		// The least name of all layers; of equal names the top layer's.
		for (unsigned i = 0; i < version->layer_count; i++) {
			if (iter->rank[i] >= node_count(&version->layer[i]))
				continue;
			const struct image_node *node = node_at(&version->layer[i], iter->rank[i]);
			const int order = best == NULL ? -1 : name_compare(node->name, best->name);
			if (order < 0) {
				best = node;
				best_layer = i;
			} else if (order == 0) {
				iter->rank[i]++; // replaced by the layer above
			}
		}
		if (best == NULL)
			return (struct node_ref){0};
		iter->rank[best_layer]++;
		if ((best->flags & NODE_TOMBSTONE) == 0)
			return (struct node_ref){
			    .image = &version->layer[best_layer], .node = best};
	}
}

// The number of nodes of `image` that sort at or before `name`.
static uint32_t rank_after(const struct image *image, const uint8_t *name)
{
	uint32_t low = 0, high = node_count(image);

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (name_compare(node_at(image, middle)->name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct node_ref version_nsec_covering(const struct zone_version *version, const uint8_t *name)
{
	uint32_t rank[IMAGE_LAYERS_MAX];

	for (unsigned i = 0; i < version->layer_count; i++)
		rank[i] = rank_after(&version->layer[i], name);
	// Backwards through the merged order to the first node that owns an NSEC. Names between two
	// NSEC owners are occluded glue or empty non-terminals below one cut.
	for (;;) {
		struct node_ref best = {0};
		for (unsigned i = 0; i < version->layer_count; i++) {
			if (rank[i] == 0)
				continue;
			const struct image_node *node = node_at(&version->layer[i], rank[i] - 1);
			const int order =
			    best.node == NULL ? 1 : name_compare(node->name, best.node->name);
			if (order > 0)
				best = (struct node_ref){.image = &version->layer[i], .node = node};
		}
		if (best.node == NULL)
			return best;
		if ((best.node->flags & NODE_TOMBSTONE) == 0 &&
		    node_rrset(best, RRTYPE_NSEC) != NULL)
			return best;
		for (unsigned i = 0; i < version->layer_count; i++) {
			if (rank[i] > 0 &&
			    name_equal(
			        node_at(&version->layer[i], rank[i] - 1)->name, best.node->name))
				rank[i]--;
		}
	}
}

// Last NSEC3 of one image with a hash at or before `hash`; the last of all when there is none (the
// chain is a ring).
static const struct image_nsec3 *nsec3_at_or_before(
    const struct image *image, const uint8_t hash[20])
{
	const struct image_section *section = &image->header->section[IMAGE_NSEC3_ORDER];
	const struct image_nsec3 *items = image_at(image, section->ref);
	uint32_t low = 0, high = section->count;

	if (high == 0)
		return NULL;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (memcmp(items[middle].hash, hash, 20) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return &items[low > 0 ? low - 1 : section->count - 1];
}

struct node_ref version_nsec3_find(
    const struct zone_version *version, const uint8_t hash[20], bool *match)
{
	// Overlays that change an NSEC3 chain carry the whole hash order section of the version.
	const struct image *image = &version->layer[0];
	const struct image_nsec3 *item = nsec3_at_or_before(image, hash);

	*match = false;
	if (item == NULL)
		return (struct node_ref){0};
	*match = memcmp(item->hash, hash, 20) == 0;
	return (struct node_ref){.image = image, .node = image_at(image, item->node_ref)};
}
