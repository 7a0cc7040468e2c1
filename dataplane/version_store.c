// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The memory of zone versions; see version_store.h. Called by the attach and verifier threads.

#include "version_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "hugepage.h"

#define LINE  64         // of memory
#define FRONT (2 * LINE) // of an image: a stored_version of it alone

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

static bool is_size(uint64_t size)
{
	return size >= sizeof(struct image_header) + IMAGE_TAIL && size <= IMAGE_SIZE_MAX &&
	       size % IMAGE_ALIGN == 0;
}

// A block of uninitialised memory, *mem. NULL when out of memory.
static struct block *block_new(uint64_t size, uint8_t **mem)
{
	uint8_t *front = aligned_alloc(LINE, FRONT + size);

	if (front == NULL)
		return NULL;
	heap_advise();
	*mem = front + FRONT;

	struct block *block = (struct block *)(void *)front;

	*block = (struct block){.mem = *mem, .size = size, .refs = 1};
	return block;
}

int block_copy(const uint8_t *bytes, uint64_t size, struct block **out)
{
	uint8_t *mem;

	if (!is_size(size))
		return -EINVAL;
	*out = block_new(size, &mem);
	if (*out == NULL)
		return -ENOMEM;
	memcpy(mem, bytes, size);
	return 0;
}

static int block_read(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	uint8_t *mem;
	struct block *block = block_new(size, &mem);
	int ret = block != NULL ? read_at(fd, mem, size, offset) : -ENOMEM;

	if (ret != 0)
		block_drop(block);
	else
		*out = block;
	return ret;
}

// Takes over a mapping. Pages that could be evicted would come back by a fault in a worker, or not
// at all when the disk is gone (SIGBUS). Without the right to lock memory it is served all the
// same.
static int block_of_mapping(const void *mem, uint64_t size, struct block **out)
{
	struct block *block = malloc(sizeof(*block));

	if (block == NULL) {
		image_unmap(mem, size);
		return -ENOMEM;
	}
	*block = (struct block){.mem = mem, .size = size, .refs = 1, .mapped = true};
	block->locked = mlock(mem, size) == 0;
	*out = block;
	return 0;
}

static int block_map(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	const void *mem;
	int ret = image_map(fd, offset, size, &mem);

	return ret == 0 ? block_of_mapping(mem, size, out) : ret;
}

// A look-up touches a line here and a line there: of a large image in small pages each of them
// costs a walk through the page tables, which are as large as a cache themselves. Whoever made the
// memfd asked for huge ones. To ask again would have every CPU put its part of the kernel's lists
// away first, a worker's too, and wait for that.
static int block_map_huge(int fd, uint64_t size, struct block **out)
{
	uint8_t *mem = hugepage_space(size, PROT_NONE);

	if (mem == NULL)
		return -ENOMEM;
	if (mmap(mem, size, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) ==
	    MAP_FAILED) {
		int ret = -errno;
		munmap(mem, size);
		return ret;
	}
	return block_of_mapping(mem, size, out);
}

// A file's pages are small. The copy has huge ones, and nobody needs the file's any more.
static int block_read_huge(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	uint8_t *mem = hugepage_alloc(size);
	int ret = mem != NULL ? read_at(fd, mem, size, offset) : -ENOMEM;

	if (ret != 0) {
		if (mem != NULL)
			munmap(mem, size);
		return ret;
	}
	hugepage_collapse(mem, size); // where the system has them only for those who insist
	return block_of_mapping(mem, size, out);
}

static bool is_in_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

static int block_load_large(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	if (size < HUGEPAGE || (is_in_memory(fd) && offset != 0))
		return block_map(fd, offset, size, out);
	return is_in_memory(fd) ? block_map_huge(fd, size, out)
	                        : block_read_huge(fd, offset, size, out);
}

int block_load(int fd, uint64_t offset, uint64_t size, struct block **out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!is_size(size) || (uint64_t)st.st_size < offset || (uint64_t)st.st_size - offset < size)
		return -EINVAL;
	if (size > BLOCK_COPY_MAX && offset % IMAGE_ALIGN == 0 &&
	    block_load_large(fd, offset, size, out) == 0)
		return 0;
	return block_read(fd, offset, size, out);
}

int block_verify(struct block *block, char error[IMAGE_ERROR_MAX])
{
	return image_verify(block->mem, block->size, error);
}

void block_drop(struct block *block)
{
	if (block == NULL)
		return;
	assert(block->refs > 0);
	if (--block->refs > 0)
		return;
	if (block->mapped)
		image_unmap(block->mem, block->size);
	free(block);
}

// In front of its image, where that has room, which is then taken; otherwise elsewhere.
static struct stored_version *version_new(struct block *const block[], unsigned count)
{
	const size_t size =
	    sizeof(struct stored_version) - (IMAGE_LAYERS_MAX - count) * sizeof(struct image);
	struct stored_version *version;

	static_assert(
	    offsetof(struct stored_version, version.layer[1]) == FRONT, "one of one layer");
	static_assert(offsetof(struct stored_version, own) == 0, "a block is its begin");
	if (count == 1 && !block[0]->mapped && !block[0]->used) {
		version = (struct stored_version *)(void *)block[0];
		block[0]->used = true;
		memset((uint8_t *)version + sizeof version->own, 0, FRONT - sizeof version->own);
		return version;
	}
	version = aligned_alloc(LINE, (size + LINE - 1) & ~(size_t)(LINE - 1));
	if (version == NULL)
		return NULL;
	heap_advise();
	memset(version, 0, size);
	return version;
}

// Pre: it holds no references.
static void version_free(struct stored_version *version)
{
	if (version->own.mem == NULL)
		free(version);
}

int stored_version_new(
    struct block *const block[], unsigned count, uint64_t generation, struct stored_version **out)
{
	struct stored_version *version;
	int ret = 0;

	assert(count >= 1 && count <= IMAGE_LAYERS_MAX);
	version = version_new(block, count);
	if (version == NULL)
		return -ENOMEM;
	version->generation = generation;
	version->version.layer_count = count;
	for (unsigned i = 0; i < count && ret == 0; i++) {
		version->block[i] = block[i];
		ret = image_open(&version->version.layer[i], block[i]->mem, block[i]->size);
	}
	if (ret == 0)
		ret = version_check(&version->version);
	if (ret != 0) {
		version_free(version);
		return ret;
	}
	*out = version;
	return 0;
}

void stored_version_free(struct stored_version *version)
{
	if (version == NULL)
		return;
	const unsigned count = version->version.layer_count;
	struct block *block[IMAGE_LAYERS_MAX];

	memcpy(block, version->block, sizeof block);
	version_free(version);
	for (unsigned i = 0; i < count; i++)
		block_drop(block[i]); // which may take the version along
}
