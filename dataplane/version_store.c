// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The memory of zone versions; see version_store.h. Called by the attach and verifier threads.

#include "version_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_HEADER 128 // of a copied block; the image behind it is 64-byte aligned
static_assert(sizeof(struct block) <= BLOCK_HEADER && BLOCK_HEADER % 64 == 0, "");

static int read_at(int fd, uint8_t *bytes, uint64_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t n = pread(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		bytes += n;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

static int block_copy(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	// aligned_alloc wants whole alignments.
	uint8_t *mem = aligned_alloc(64, BLOCK_HEADER + ((size + 63) & ~UINT64_C(63)));
	struct block *block = (struct block *)(void *)mem;
	int ret;

	if (mem == NULL)
		return -ENOMEM;
	ret = read_at(fd, mem + BLOCK_HEADER, size, offset);
	if (ret != 0) {
		free(mem);
		return ret;
	}
	*block = (struct block){.image = {.mem = mem + BLOCK_HEADER, .size = size}, .refs = 1};
	*out = block;
	return 0;
}

static int block_map(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	struct block *block = calloc(1, sizeof(*block));
	const void *mem;
	int ret;

	if (block == NULL)
		return -ENOMEM;
	ret = image_map(fd, offset, size, &mem);
	if (ret != 0) {
		free(block);
		return ret;
	}
	*block = (struct block){.image = {.mem = mem, .size = size}, .refs = 1, .mapped = true};
	// Pages that could be evicted would come back by a fault in a worker, or not at all when
	// the disk is gone (SIGBUS). Without the right to lock memory it is served all the same.
	block->locked = mlock(mem, size) == 0;
	*out = block;
	return 0;
}

int block_load(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (size < sizeof(struct image_header) + IMAGE_TAIL || size > IMAGE_SIZE_MAX ||
	    (uint64_t)st.st_size < offset || (uint64_t)st.st_size - offset < size)
		return -EINVAL;
	if (size > BLOCK_COPY_MAX && offset % IMAGE_PAGE == 0 &&
	    block_map(fd, offset, size, out) == 0)
		return 0;
	return block_copy(fd, offset, size, out);
}

int block_verify(struct block *block, char error[IMAGE_ERROR_MAX])
{
	int ret = image_verify(block->image.mem, block->image.size, error);

	if (ret != 0)
		return ret;
	return image_open(&block->image, block->image.mem, block->image.size);
}

void block_drop(struct block *block)
{
	if (block == NULL)
		return;
	assert(block->refs > 0);
	if (--block->refs > 0)
		return;
	if (block->mapped)
		image_unmap(block->image.mem, block->image.size);
	free(block);
}

int stored_version_new(
    struct block *const block[], unsigned count, uint64_t generation, struct stored_version **out)
{
	struct stored_version *version = calloc(1, sizeof(*version));
	int ret;

	if (version == NULL)
		return -ENOMEM;
	assert(count >= 1 && count <= IMAGE_LAYERS_MAX);
	version->generation = generation;
	version->version.layer_count = count;
	for (unsigned i = 0; i < count; i++) {
		version->block[i] = block[i];
		version->version.layer[i] = block[i]->image;
	}
	ret = version_check(&version->version);
	if (ret != 0) {
		free(version);
		return ret;
	}
	*out = version;
	return 0;
}

void stored_version_free(struct stored_version *version)
{
	if (version == NULL)
		return;
	for (unsigned i = 0; i < version->version.layer_count; i++)
		block_drop(version->block[i]);
	free(version);
}
