// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which names' answers embed records of which others. The compiler puts addresses into answers, so
// when they change those answers change too, in nodes that say nothing of it; this list leads there
// from the name that changed.

#include "compile_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rdata.h"
#include "reader.h"

#define RADIX_BITS 11

struct list {
	struct image_target *items;
	size_t count, cap;
};

static int list_add(struct list *list, uint32_t hash, uint32_t node_ref)
{
	struct image_target *last = list->count > 0 ? &list->items[list->count - 1] : NULL;

	if (last != NULL && last->hash == hash && last->node_ref == node_ref)
		return 0;
	if (list->count == list->cap) {
		const size_t cap = list->cap > 0 ? list->cap * 2 : 256;
		struct image_target *items = reallocarray(list->items, cap, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
		list->items = items;
		list->cap = cap;
	}
	list->items[list->count++] = (struct image_target){hash, node_ref};
	return 0;
}

struct chain_list {
	struct list *list;
	uint32_t node_ref;
};

static int chain_add(void *ctx, uint32_t hash)
{
	const struct chain_list *chain = ctx;

	return list_add(chain->list, hash, chain->node_ref);
}

static int unit_targets(const struct compilation *c, const struct unit *unit, struct list *list)
{
	const struct record *items = c->records->items + unit->first;
	const struct image_node *node =
	    (const struct image_node *)(c->buffer->mem + ((size_t)unit->node_ref << 3));

	if ((unit->flags & (NODE_CUT | NODE_CNAME)) == NODE_CNAME &&
	    node_leads(node)->answer_at != 0) {
		struct chain_list chain_list = {list, unit->node_ref};
		struct chain chain;

		if (!compile_chain_walk(c, unit, &chain))
			return -EINVAL; // it was compiled
		return compile_chain_targets(c, &chain, chain_add, &chain_list);
	}
	for (uint32_t i = 0; i < unit->count; i++) {
		const struct record *r = &items[i];
		struct rdata_name names[RDATA_NAMES_MAX];
		const unsigned count = rdata_names(r->type, r->rdata, r->rdlen, names);
		for (unsigned j = 0; j < count; j++) {
			const uint8_t *name = r->rdata + names[j].offset;
			if (!names[j].additional || !name_is_under(name, c->records->apex))
				continue;
			if ((unit->flags & NODE_CUT) != 0 && name_is_under(name, unit->owner))
				continue; // whoever knows the name knows the cut above it
			const uint64_t hash = name_hash(name, &c->options->key);
			if (list_add(list, (uint32_t)(hash >> 32), unit->node_ref) != 0)
				return -ENOMEM;
		}
	}
	return 0;
}

// By hash, 11 bits at a time; what is equal keeps its order.
static void sort_by_hash(struct image_target *items, struct image_target *other, size_t count)
{
	for (unsigned shift = 0; shift < 33; shift += RADIX_BITS) {
		size_t at[1u << RADIX_BITS] = {0}, sum = 0;
		for (size_t i = 0; i < count; i++)
			at[items[i].hash >> shift & ((1u << RADIX_BITS) - 1)]++;
		for (unsigned i = 0; i < 1u << RADIX_BITS; i++) {
			const size_t n = at[i];
			at[i] = sum;
			sum += n;
		}
		for (size_t i = 0; i < count; i++)
			other[at[items[i].hash >> shift & ((1u << RADIX_BITS) - 1)]++] = items[i];
		struct image_target *sorted = other;
		other = items;
		items = sorted;
	}
}

int compile_targets(struct compilation *c, struct image_header *header)
{
	struct list list = {0};
	struct unit_walk walk = {0};
	int error = 0;

	for (const struct unit *unit; error == 0 && (unit = unit_walk_next(&walk, c)) != NULL;)
		error = unit_targets(c, unit, &list);
	struct image_target *at =
	    error != 0 ? NULL : image_buffer_take(c->buffer, (list.count + 1) * sizeof(*at), 64);
	if (at != NULL) {
		// Three passes: the last one ends in the image.
		static_assert(3 * RADIX_BITS >= 32, "three passes");
		sort_by_hash(list.items, at, list.count);
		header->section[IMAGE_TARGETS] =
		    (struct image_section){compile_ref(c, at), (uint32_t)list.count};
	}
	free(list.items);
	return at != NULL ? 0 : -ENOMEM;
}
