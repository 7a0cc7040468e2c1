// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version in canonical order, its layers merged: for transfers out and dumps.

#include "reader.h"

#include <string.h>

#include "name.h"

// The first node at or behind `name`, and how many are left from it on: where none is, 0 and
// nothing.
static const struct image_node *order_seek(
    const struct image *image, const uint8_t *name, uint32_t *left)
{
	const struct image_section *order = &image->header->section[IMAGE_ORDER];
	const uint32_t *refs = image_at(image, order->ref);
	const struct image_node *node;
	uint32_t low = 0, high = order->count;

	// The last of those listed that comes before it, or the first of all.
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		node = image_at(image, refs[middle]);
		if (name_compare(node->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0)
		low--;
	node = image_at(image, refs[low]);
	*left = image_names(image) - low * IMAGE_ORDER_STEP;
	while (name_compare(node->name, name) < 0) { // at most IMAGE_ORDER_STEP times
		if (--*left == 0)
			return NULL;
		node = node_next(node);
	}
	return node;
}

void version_iter_seek(
    struct version_iter *iter, const struct zone_version *version, const uint8_t *name)
{
	*iter = (struct version_iter){.version = version};
	for (unsigned i = 0; i < version->layer_count; i++)
		iter->node[i] = order_seek(&version->layer[i], name, &iter->left[i]);
}

struct node_ref version_find_in_order(const struct zone_version *version, const uint8_t *name)
{
	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		uint32_t left;
		const struct image_node *node = order_seek(image, name, &left);
		if (node == NULL || !name_equal(node->name, name))
			continue;
		if ((node->flags & NODE_TOMBSTONE) != 0)
			break;
		return (struct node_ref){.image = image, .node = node};
	}
	return (struct node_ref){0};
}

void version_iter_start(struct version_iter *iter, const struct zone_version *version)
{
	*iter = (struct version_iter){.version = version};
	for (unsigned i = 0; i < version->layer_count; i++) {
		iter->node[i] = image_first(&version->layer[i]);
		iter->left[i] = image_names(&version->layer[i]);
	}
}

static void layer_advance(struct version_iter *iter, unsigned layer)
{
	if (--iter->left[layer] > 0)
		iter->node[layer] = node_next(iter->node[layer]);
}

struct node_ref version_iter_next(struct version_iter *iter)
{
	const struct zone_version *version = iter->version;

	for (;;) {
		const struct image_node *best = NULL;
		unsigned best_layer = 0;

		// The least name of all layers; of equal names the top layer's.
		for (unsigned i = 0; i < version->layer_count; i++) {
			if (iter->left[i] == 0)
				continue;
			const struct image_node *node = iter->node[i];
			const int order = best == NULL ? -1 : name_compare(node->name, best->name);
			if (order < 0) {
				best = node;
				best_layer = i;
			} else if (order == 0) {
				layer_advance(iter, i); // replaced by the layer above
			}
		}
		if (best == NULL)
			return (struct node_ref){0};
		layer_advance(iter, best_layer);
		if ((best->flags & NODE_TOMBSTONE) == 0)
			return (struct node_ref){
			    .image = &version->layer[best_layer], .node = best};
	}
}
