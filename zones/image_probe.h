// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The first look into an image's name index, which most often decides. Inline: every query of every
// worker comes by. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "qname.h"

#define BUCKETS_LARGE 2048 // nodes beyond it do not stay in a core's own cache

static inline uint32_t home_bucket(uint32_t bucket_count, uint64_t hash)
{
	return (uint32_t)(((uint64_t)qname_place(hash) * bucket_count) >> 32);
}

// A bit for each slot whose tag is `tag`.
static inline uint32_t bucket_match(const struct image_bucket *bucket, uint16_t tag)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint32_t match = 0;
	for (unsigned i = 0; i < IMAGE_SLOTS; i++)
		match |= (uint32_t)(bucket->tag[i] == tag) << i;
	return match;
#else
	typedef short lanes __attribute__((vector_size(32), aligned(1), may_alias));
	typedef char bytes __attribute__((vector_size(32)));
	const lanes tags = *(const lanes *)bucket;
	const lanes same = (lanes)(tags == (short)tag);
	uint32_t mask = (uint32_t)__builtin_ia32_pmovmskb256((bytes)same); // two equal bits a lane
	return mask & ((1u << (2 * IMAGE_SLOTS)) - 1) & 0x55555555u;
#endif
}
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
#define MATCH_SHIFT 0
#else
#define MATCH_SHIFT 1 // bucket_match() has a bit at every second position
#endif

// What the home bucket of a hash says.
struct image_probe {
	const struct image_node *node; // the first with its tag: to be compared
	bool unsure;                   // no node, and yet the name may be there: to be searched for
};

// Pre: the image has buckets.
static inline struct image_probe image_probe(const struct image *image, uint64_t hash)
{
	const struct image_bucket *bucket = &image->buckets[home_bucket(image->bucket_count, hash)];
	const uint32_t match = bucket_match(bucket, (uint16_t)hash);

	if (match != 0) {
		const uint32_t ref = bucket->ref[(unsigned)__builtin_ctz(match) >> MATCH_SHIFT];

		// A slot that is free has tag 0, and no more than that.
		if (ref != 0)
			return (struct image_probe){image_at(image, ref), false};
	}
	return (struct image_probe){NULL, bucket->overflow != 0};
}
