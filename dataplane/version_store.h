// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The memory of zone versions. A block holds one image: a read-only mapping (large; in huge pages
// where it has at least one, SEAM.md) or a copy (small ones: a million zones must not be a million
// mappings). A stored version is what the zone
// table points at, with a reference on each of its blocks; versions of a zone share the blocks that
// did not change. Blocks are made by the attach thread or a verifier thread, handed over whole;
// references are counted by the attach thread only.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "reader.h"

// Larger images are mapped, smaller ones copied. Half of Linux's 65,530 mappings (vm.max_map_count)
// would be 32,000 zones of this size; past the limit copies are made of large ones too.
#define BLOCK_COPY_MAX (UINT64_C(64) << 10)

struct block {
	const uint8_t *mem; // proven by block_verify()
	uint64_t size;
	uint32_t refs; // attach: rw
	bool mapped;   // unmapped in the end; otherwise it stands behind a stored_version
	bool locked;   // in memory for good: no page fault in a worker
	bool used;     // that stored_version is, or was once
};

// Takes `size` bytes at `offset` of the file. Pre: the file does not change any more.
// Post: 0 and one reference; -EINVAL when the file is shorter or `size` is none of an image;
// -errno.
int block_load(int fd, uint64_t offset, uint64_t size, struct block **out)
    __attribute__((nonnull, warn_unused_result));

// The same of bytes in memory, which are copied.
int block_copy(const uint8_t *bytes, uint64_t size, struct block **out)
    __attribute__((nonnull, warn_unused_result));

// Proves the image. Post: 0, or -EINVAL and one sentence in `error`.
int block_verify(struct block *block, char error[IMAGE_ERROR_MAX])
    __attribute__((nonnull, warn_unused_result));

// Gives one reference back. NULL is accepted.
void block_drop(struct block *block);

// Allocated as long as its layers need. One of a small image alone, as nearly all zones have,
// stands in front of that, in the memory of its block: a query that looks from one to the other
// stays in a page. In lines of 64 bytes: its writer's, its readers', the image.
struct stored_version {
	struct block own; // the one that it is in; otherwise unused
	uint64_t generation;
	struct block *block[IMAGE_LAYERS_MAX]; // of version.layer[i]; one reference each
	uint8_t spare[8];
	struct zone_version version; // what readers see
};
static_assert(offsetof(struct stored_version, version) == 64, "a line");

// Makes a version of the blocks, top first, and takes over their references.
// Post: 0; on error the references are still the caller's: -EINVAL (they do not belong together),
// -ENOMEM.
int stored_version_new(struct block *const block[], unsigned count, uint64_t generation,
    struct stored_version **out) __attribute__((nonnull, warn_unused_result));

// Pre: no reader is left. NULL is accepted.
void stored_version_free(struct stored_version *version);

// The stored version of what the zone table points at.
static inline struct stored_version *stored_version_of(const struct zone_version *version)
{
	return (
	    struct stored_version *)((uintptr_t)version - offsetof(struct stored_version, version));
}

static inline const struct image_header *block_header(const struct block *block)
{
	return (const struct image_header *)(const void *)block->mem;
}
