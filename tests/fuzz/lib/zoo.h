// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that fuzz targets ask: those of tests/fuzz/zones/, compiled and verified at the start
// and kept for the life of the process; and the same once more in layers, of which the lower ones
// lack some of their names, have other data at some, and have names that are gone. Each image
// stands in memory of exactly its size, so that ASan sees a read past its end.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "zone_table.h"

enum zoo_zone {
	ZOO_PLAIN, // example.com.
	ZOO_NSEC,  // example.net.
	ZOO_NSEC3, // example.org., opt-out
	ZOO_CHILD, // child.example.net.
	ZOO_ROOT,  // ".", NSEC
	ZOO_TOP,   // "." too: the small zone with a wildcard
	ZOO_SMALL, // small.com., unsigned; small ones for forged images
	ZOO_SMALL_NSEC,
	ZOO_SMALL_NSEC3,
	ZOO_ZONES
};

enum zoo_set {
	ZOO_SIDE_BY_SIDE, // plain, NSEC, NSEC3 and a child
	ZOO_UNDER_ROOT,   // root and plain
	ZOO_OTHER_KEY, // plain, NSEC, NSEC3 under another hash key than the table's; plain expired
	ZOO_CROWD,     // top, and so many more that the table is a large one
	ZOO_LAYERED,   // as SIDE_BY_SIDE, each of a base and two overlays
	ZOO_MIXED,     // root and NSEC of layers, plain and the small ones not
	ZOO_LAYERED_CROWD, // as CROWD, and plain with overlays
	ZOO_BARE,          // as SIDE_BY_SIDE, without wildcards and DNAMEs
	ZOO_SETS
};

extern const struct hash_key zoo_key;

// The image of a zone under zoo_key, all of it in one. Borrowed.
const struct image *zoo_image(enum zoo_zone zone);
const struct zone_table *zoo_table(enum zoo_set set);
// Any node of an image; its number counts round and round.
const struct image_node *zoo_node(const struct image *image, uint32_t number);

// Every owner name of all zones, any order, as written.
size_t zoo_name_count(void);
const uint8_t *zoo_name(size_t i);

// Compiles records. Post: an image in memory from aligned_alloc, its size in *size; NULL and the
// reason in `error` (COMPILE_ERROR_MAX bytes) when the zone is wrong.
struct records;
uint8_t *zoo_compile(const struct records *records, const struct hash_key *key, uint64_t id,
    size_t *size, char *error);
