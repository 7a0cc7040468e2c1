// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The name index: buckets of one cache line. While compiling, slots hold unit numbers plus one, so
// that answers can look up the names they embed; at the end they become node references.

#include "compile_private.h"

#include <errno.h>
#include <stdlib.h>

#include "image_probe.h"
#include "name.h"

// Names to a bucket of ten slots, on average: few enough that overflow is rare (4 % of buckets),
// many enough that the index stays about eleven bytes a name.
#define NAMES_PER_BUCKET 6
#define AHEAD            16 // names between a prefetch and its use: they lie anywhere

// Puts in the units that are occluded, or all others. Post: *rest are left.
static int index_put(struct compilation *c, bool occluded, uint32_t *rest)
{
	const uint32_t count = c->unit_count + c->gone_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct unit *unit = &c->units[i];
		if (i + AHEAD < count)
			__builtin_prefetch(
			    &c->buckets[home_bucket(c->bucket_count, c->hashes[i + AHEAD])], 1);
		if ((unit->role & (UNIT_HIDDEN | UNIT_GUEST)) != 0)
			continue;
		if (((unit->flags & NODE_OCCLUDED) != 0) != occluded) {
			++*rest;
			continue;
		}
		uint32_t at = home_bucket(c->bucket_count, c->hashes[i]), distance = 1;
		while (c->buckets[at].used == IMAGE_SLOTS) {
			if (distance == 1 && c->buckets[at].overflow < UINT16_MAX)
				c->buckets[at].overflow++;
			at = at + 1 == c->bucket_count ? 0 : at + 1;
			if (++distance > c->bucket_count || distance > IMAGE_PROBES_MAX)
				return -EFBIG;
		}
		if (distance > c->probe_max)
			c->probe_max = distance;
		struct image_bucket *bucket = &c->buckets[at];
		bucket->tag[bucket->used] = (uint16_t)c->hashes[i];
		bucket->ref[bucket->used++] = i + 1;
	}
	return 0;
}

// What questions look for comes first, and stands at home more often: none looks for a name below a
// cut or DNAME.
int compile_index(struct compilation *c)
{
	uint32_t occluded = 0, others = 0;
	int error = index_put(c, false, &occluded);

	if (error == 0 && occluded != 0)
		error = index_put(c, true, &others);
	free(c->hashes);
	c->hashes = NULL;
	return error;
}

void compile_index_finish(struct compilation *c)
{
	for (uint32_t at = 0; at < c->bucket_count; at++) {
		if (at + AHEAD / 2 < c->bucket_count) {
			const struct image_bucket *later = &c->buckets[at + AHEAD / 2];
			for (unsigned slot = 0; slot < later->used; slot++)
				__builtin_prefetch(&c->units[later->ref[slot] - 1].node_ref);
		}
		for (unsigned slot = 0; slot < c->buckets[at].used; slot++)
			c->buckets[at].ref[slot] = c->units[c->buckets[at].ref[slot] - 1].node_ref;
	}
}

// An overlay's index does not hold the names around it.
static const struct unit *find_by_order(const struct compilation *c, const uint8_t *name)
{
	uint32_t low = 0, high = c->unit_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		const int order = name_compare(c->units[middle].owner, name);
		if (order == 0)
			return (c->units[middle].role & UNIT_HIDDEN) == 0 ? &c->units[middle]
			                                                  : NULL;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct unit *compile_find(const struct compilation *c, const uint8_t *name)
{
	if (!name_is_under(name, c->records->apex))
		return NULL;
	if (c->overlay != NULL)
		return find_by_order(c, name);
	const uint64_t hash = name_hash(name, &c->options->key);
	uint32_t at = home_bucket(c->bucket_count, hash);
	for (uint32_t probe = 0; probe < c->probe_max; probe++) {
		const struct image_bucket *bucket = &c->buckets[at];
		for (unsigned slot = 0; slot < bucket->used; slot++) {
			const struct unit *unit = &c->units[bucket->ref[slot] - 1];
			if (bucket->tag[slot] == (uint16_t)hash && name_equal(unit->owner, name))
				return unit;
		}
		if (bucket->used < IMAGE_SLOTS)
			return NULL;
		at = at + 1 == c->bucket_count ? 0 : at + 1;
	}
	return NULL;
}

uint32_t compile_bucket_count(uint32_t names)
{
	return names / NAMES_PER_BUCKET + 1;
}
