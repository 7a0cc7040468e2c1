// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a slot of the zone table leads to: a version, and in the 16 bits that an address does not
// have all that a query needs to know of a small zone, as nearly all of many are: it need not come
// by the version's line then. Pure. zone_table.c makes them.
//
//      63     62     61    60      58 57      52 51          48 47               0
//     +------+------+------+---------+----------+--------------+------------------+
//     | near | wild | cuts | labels  | buckets  | lines        | address          |
//     +------+------+------+---------+----------+--------------+------------------+
//
// near:    the zone is live, and of one layer, which stands 64 bytes behind the version; its hash
//          key is the table's; nothing in it is signed, and there is no DNAME; its negative answer
//          stands directly behind its buckets, as the compiler puts it. Otherwise there is only the
//          address.
// wild, cuts: IMAGE_HAS_WILD, IMAGE_HAS_CUTS.
// labels:  of the apex.
// buckets: how many there are.
// lines:   of 64 bytes from the version to the first of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "reader.h"

#define LEAD_NEAR    (UINT64_C(1) << 63)
#define LEAD_WILD    (UINT64_C(1) << 62)
#define LEAD_CUTS    (UINT64_C(1) << 61)
#define LEAD_LABELS  58 // the lowest bit of each, and the largest number
#define LEAD_BUCKETS 52
#define LEAD_LINES   48

#define LEAD_LABELS_MAX  7u
#define LEAD_BUCKETS_MAX 63u
#define LEAD_LINES_MAX   15u

#define LEAD_LINE 64u

// NULL: the slot is free.
static inline struct zone_version *lead_version(uint64_t lead)
{
	return (struct zone_version *)(uintptr_t)(lead & ((UINT64_C(1) << LEAD_LINES) - 1));
}

static inline bool lead_near(uint64_t lead)
{
	return (lead & LEAD_NEAR) != 0;
}

// Pre of all that follow: lead_near().

static inline const struct image_header *lead_image(uint64_t lead)
{
	return (const struct image_header *)((uintptr_t)lead_version(lead) + LEAD_LINE);
}

static inline const struct image_bucket *lead_buckets(uint64_t lead)
{
	const uint64_t lines = lead >> LEAD_LINES & LEAD_LINES_MAX;

	return (const struct image_bucket *)((uintptr_t)lead_version(lead) + lines * LEAD_LINE);
}

static inline uint32_t lead_bucket_count(uint64_t lead)
{
	return (uint32_t)(lead >> LEAD_BUCKETS) & LEAD_BUCKETS_MAX;
}

static inline const struct image_answer *lead_negative(uint64_t lead)
{
	return (const struct image_answer *)(lead_buckets(lead) + lead_bucket_count(lead));
}

static inline unsigned lead_labels(uint64_t lead)
{
	return (unsigned)(lead >> LEAD_LABELS) & LEAD_LABELS_MAX;
}
