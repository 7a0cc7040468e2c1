// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version in canonical order, its layers merged: for transfers out and dumps.

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

// The number of nodes of `image` before `name`.
static uint32_t rank_of(const struct image *image, const uint8_t *name)
{
	uint32_t low = 0, high = node_count(image);

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (name_compare(node_at(image, middle)->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void version_iter_seek(
    struct version_iter *iter, const struct zone_version *version, const uint8_t *name)
{
	*iter = (struct version_iter){.version = version};
	for (unsigned i = 0; i < version->layer_count; i++)
		iter->rank[i] = rank_of(&version->layer[i], name);
}

struct node_ref version_find_in_order(const struct zone_version *version, const uint8_t *name)
{
	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		const uint32_t rank = rank_of(image, name);
		if (rank == node_count(image) || !name_equal(node_at(image, rank)->name, name))
			continue;
		if ((node_at(image, rank)->flags & NODE_TOMBSTONE) != 0)
			break;
		return (struct node_ref){.image = image, .node = node_at(image, rank)};
	}
	return (struct node_ref){0};
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
