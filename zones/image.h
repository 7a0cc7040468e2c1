// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// An image as a whole: open, verify, checksum, and growing memory to build one in. An image is
// immutable after image_seal(); then any number of threads and processes may read it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

#define IMAGE_ERROR_MAX 256

// A view of an image in memory that somebody else owns and keeps mapped.
struct image {
	union {
		const uint8_t *mem; // 64-byte aligned
		const struct image_header *header;
	};
	// What of the header a look-up needs, here so that it need not wait for that.
	const struct image_bucket *buckets;
	uint32_t bucket_count;
	uint32_t flags;
	uint32_t negative_ref, negative_do_ref;
	uint64_t hash_key[2];
};

static inline const void *image_at(const struct image *image, uint32_t ref)
{
	return image->mem + ((uint64_t)ref << 3);
}

// Looks at the header only. Post: 0 or -EINVAL. For images that image_verify() has accepted.
int image_open(struct image *image, const void *mem, size_t size)
    __attribute__((warn_unused_result));

// Proves everything a reader relies on: checksum, sizes, every reference, count, order, name, rdata
// and pointer. Time is linear in the size, memory constant.
// Post: 0, or -EINVAL and one sentence in `error`. Never crashes, whatever the bytes.
int image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX])
    __attribute__((warn_unused_result));

// Whole, and in another format than ours: made by another version of Nameplane. All formats begin
// with the same fields up to the checksum.
bool image_is_foreign(const void *mem, size_t size);

uint64_t image_checksum(const void *mem, size_t size);

// The same a piece at a time, for who looks at the bytes anyway. Pre: of image_sum_to() that no
// more is asked for than there is.
struct image_sum {
	const uint8_t *mem;
	size_t at; // bytes that are in it
	uint64_t lane[4];
};
void image_sum_start(struct image_sum *sum, const void *mem);
void image_sum_to(struct image_sum *sum, size_t to); // at least as far, but for the last 31 bytes
uint64_t image_sum_end(struct image_sum *sum, size_t size);

// The memory an image is compiled into: private, or from a huge page on a memfd, growing in place
// (its address never changes), in huge pages where the system has them: a page at a time, the
// faults of a large image take longer than its compilation. Owned by one thread.
struct image_buffer {
	uint8_t *mem;
	size_t used; // bytes given out
	size_t size; // bytes that may be touched now
	size_t cap;  // bytes of address space
	int fd;      // borrowed: the memfd it grows into; -1: none
};

// Post: 0 or -errno. `cap`: the largest image that may be built.
int image_buffer_open(struct image_buffer *buffer, size_t cap) __attribute__((warn_unused_result));
// `n` zeroed bytes at an address aligned to `align` (a power of two), or NULL when out of memory.
void *image_buffer_take(struct image_buffer *buffer, size_t n, size_t align);
// Has a large image grow into a memfd that is empty, so that it need not be moved in the end. Pre:
// nothing was taken; image_buffer_write() is called with the same one. The file is longer than the
// image then: who seals it cuts it.
void image_buffer_back(struct image_buffer *buffer, int fd);
// Has what was taken stand at the begin of a file. Post: 0 or -errno; there is nothing left to look
// at, and no writable mapping of the file.
int image_buffer_write(struct image_buffer *buffer, int fd) __attribute__((warn_unused_result));
// For the next image: as it was when opened, but for the memory it has already. Pre: no file.
void image_buffer_again(struct image_buffer *buffer);
void image_buffer_close(struct image_buffer *buffer);

// Fills an empty memfd with an image out of a file, in huge pages as a compiler's is. Post: 0 or
// -errno.
int image_fill(int to, int from, size_t offset, size_t size) __attribute__((warn_unused_result));

// Seals (WRITE, SHRINK, GROW, SEAL). Pre: no writable mapping is left. Post: 0 or -errno.
int image_seal(int fd) __attribute__((warn_unused_result));
// True when `fd` is a memfd with all four seals.
bool image_is_sealed(int fd);

// Maps a sealed image read-only; it may begin anywhere in the file. Post: 0 or -errno; unmap with
// image_unmap().
int image_map(int fd, size_t offset, size_t size, const void **mem)
    __attribute__((warn_unused_result));
// The same without a look at any page: at once, whatever the size. For those who read a little, or
// little by little.
int image_map_lazy(int fd, size_t offset, size_t size, const void **mem)
    __attribute__((warn_unused_result));
void image_unmap(const void *mem, size_t size);
