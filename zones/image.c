// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// An image as a block of memory: checksum, the growing memory it is built in, seals, mapping. What
// is inside is judged by image_verify.c.

#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hugepage.h"

#define GROW_PIECE (4 * HUGEPAGE)
#define PAGE       4096 // what mappings grow by
#define ALL_SEALS  (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int image_open(struct image *image, const void *mem, size_t size)
{
	const struct image_header *header = mem;

	if (((uintptr_t)mem & 63) != 0 || size < sizeof(*header) + IMAGE_TAIL)
		return -EINVAL;
	if (header->magic != IMAGE_MAGIC || header->version != IMAGE_VERSION ||
	    header->byte_order != IMAGE_BYTE_ORDER || header->size != size)
		return -EINVAL;
	image->mem = mem;
	image->buckets = image_at(image, header->section[IMAGE_BUCKETS].ref);
	image->bucket_count = header->section[IMAGE_BUCKETS].count;
	image->flags = header->flags;
	image->negative_ref = header->negative_ref;
	image->negative_do_ref = header->negative_do_ref;
	image->hash_key[0] = header->hash_key[0];
	image->hash_key[1] = header->hash_key[1];
	return 0;
}

// --- checksum
// -------------------------------------------------------------------------------------

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Four lanes of 8 bytes, each a chain of multiplications, so that it runs at memory speed. It finds
// accidents (bits flipped, pages lost); malice is the verifier's business.
static const uint64_t secret[4] = {
    0xa0761d6478bd642fULL, 0xe7037ed1a0b428dbULL, 0x8ebc6af09c88c6e3ULL, 0x589965cc75374cc3ULL};

static inline uint64_t lane_add(uint64_t lane, const uint8_t *at, unsigned number)
{
	uint64_t word;

	memcpy(&word, at, 8);
	return fold(lane ^ word ^ secret[number], secret[number] | 1) + word;
}

// A page's begin is not fetched by the CPU itself, and would be waited for: 352 MB in 41 ms instead
// of 64.
#define SUM_FETCH 4096

// Pre: n is a multiple of 32.
static void lanes_add(uint64_t lanes[4], const uint8_t *at, size_t n)
{
	uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];

	for (const uint8_t *end = at + n; at != end; at += 32) {
		__builtin_prefetch(at + SUM_FETCH);
		a = lane_add(a, at, 0);
		b = lane_add(b, at + 8, 1);
		c = lane_add(c, at + 16, 2);
		d = lane_add(d, at + 24, 3);
	}
	lanes[0] = a;
	lanes[1] = b;
	lanes[2] = c;
	lanes[3] = d;
}

void image_sum_start(struct image_sum *sum, const void *mem)
{
	enum { CHECKSUM_AT = offsetof(struct image_header, checksum) };
	uint8_t first[IMAGE_ALIGN];

	static_assert(CHECKSUM_AT + 8 <= sizeof(first), "the field is in the first line");
	memcpy(first, mem, sizeof(first));
	memset(first + CHECKSUM_AT, 0, 8);
	*sum = (struct image_sum){.mem = mem, .at = sizeof(first), .lane = {1, 2, 3, 4}};
	lanes_add(sum->lane, first, sizeof(first));
}

void image_sum_to(struct image_sum *sum, size_t to)
{
	to &= ~(size_t)31;
	if (to <= sum->at)
		return;
	lanes_add(sum->lane, sum->mem + sum->at, to - sum->at);
	sum->at = to;
}

uint64_t image_sum_end(struct image_sum *sum, size_t size)
{
	uint64_t all = size;

	image_sum_to(sum, size);
	for (unsigned j = 0; j < 4; j++)
		all = fold(all ^ sum->lane[j], 0x9e3779b97f4a7c15ULL) + sum->lane[j];
	return all;
}

uint64_t image_checksum(const void *mem, size_t size)
{
	struct image_sum sum;

	image_sum_start(&sum, mem);
	return image_sum_end(&sum, size);
}

// --- building
// -------------------------------------------------------------------------------------

int image_buffer_open(struct image_buffer *buffer, size_t cap)
{
	// Address space for all of `cap` now; memory only as it is used.
	uint8_t *mem = hugepage_space(cap, PROT_NONE);

	if (mem == NULL)
		return -ENOMEM;
	*buffer = (struct image_buffer){.mem = mem, .cap = cap, .fd = -1};
	// Not from the start: most images are small. What cannot have huge pages has small ones.
	if (cap > HUGEPAGE)
		hugepage_advise(buffer->mem + HUGEPAGE, cap - HUGEPAGE);
	return 0;
}

void image_buffer_back(struct image_buffer *buffer, int fd)
{
	buffer->fd = fd;
}

// Gives the buffer private memory up to `size` or more.
static int private_grow(struct image_buffer *buffer, size_t size)
{
	size = (size + buffer->size / 2 + HUGEPAGE - 1) & ~(HUGEPAGE - 1);
	if (size > buffer->cap)
		size = buffer->cap;
	if (mprotect(buffer->mem, size, PROT_READ | PROT_WRITE) != 0)
		return -errno;
	buffer->size = size;
	return 0;
}

// Makes the file longer, and the buffer be the file up to there. Huge pages are made before they
// are filled: small ones would be written first and copied then. Where there is nothing at all none
// is made, so each gets its last byte now.
static int file_grow(struct image_buffer *buffer, size_t size)
{
	const bool first = buffer->size <= HUGEPAGE;
	const size_t from = first ? 0 : buffer->size;

	size = (size + GROW_PIECE - 1) & ~(GROW_PIECE - 1);
	if (size > buffer->cap)
		size = buffer->cap;
	for (size_t end = from; end < size;) {
		end = size - end < HUGEPAGE ? size : end + HUGEPAGE;
		if (pwrite(buffer->fd, "", 1, (off_t)(end - 1)) != 1)
			return -ENOMEM;
	}
	if (first && pwrite(buffer->fd, buffer->mem, buffer->used, 0) != (ssize_t)buffer->used)
		return -ENOMEM;
	if (mmap(buffer->mem + from, size - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	        buffer->fd, (off_t)from) == MAP_FAILED)
		return -errno;
	hugepage_collapse(buffer->mem + from, size - from);
	// Small ones after all, on an older system: at once, not by a fault each.
	(void)madvise(buffer->mem + from, size - from, MADV_POPULATE_WRITE);
	buffer->size = size;
	return 0;
}

void *image_buffer_take(struct image_buffer *buffer, size_t n, size_t align)
{
	const size_t at = (buffer->used + align - 1) & ~(align - 1);

	if (at > buffer->cap || n > buffer->cap - at)
		return NULL;
	if (at + n > buffer->size) {
		const int error = buffer->fd < 0 || at + n <= HUGEPAGE
		                      ? private_grow(buffer, at + n)
		                      : file_grow(buffer, at + n);
		if (error != 0)
			return NULL;
	}
	buffer->used = at + n;
	return buffer->mem + at;
}

int image_buffer_write(struct image_buffer *buffer, int fd)
{
	if (buffer->fd < 0 || buffer->size <= HUGEPAGE) {
		for (size_t at = 0; at < buffer->used;) {
			const ssize_t n =
			    pwrite(fd, buffer->mem + at, buffer->used - at, (off_t)at);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n < 0 ? -errno : -EIO;
			at += (size_t)n;
		}
	} else if (mmap(buffer->mem, buffer->size, PROT_NONE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
	               0) == MAP_FAILED) {
		return -errno; // and a seal would fail
	}
	buffer->used = 0;
	return 0;
}

void image_buffer_again(struct image_buffer *buffer)
{
	memset(buffer->mem, 0, buffer->used);
	buffer->used = 0;
}

void image_buffer_close(struct image_buffer *buffer)
{
	if (buffer->mem == NULL)
		return;
	munmap(buffer->mem, buffer->cap);
	buffer->mem = NULL;
}

static int read_at(int fd, uint8_t *mem, size_t size, size_t offset)
{
	while (size > 0) {
		const ssize_t n = pread(fd, mem, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		mem += n;
		offset += (size_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int image_fill(int to, int from, size_t offset, size_t size)
{
	struct image_buffer buffer;
	int error = image_buffer_open(&buffer, size);

	if (error != 0)
		return error;
	image_buffer_back(&buffer, to);
	uint8_t *mem = image_buffer_take(&buffer, size, IMAGE_ALIGN);
	error = mem != NULL ? read_at(from, mem, size, offset) : -ENOMEM;
	if (error == 0)
		error = image_buffer_write(&buffer, to);
	if (error == 0 && ftruncate(to, (off_t)size) != 0)
		error = -errno;
	image_buffer_close(&buffer);
	return error;
}

// --- sealed memfds
// --------------------------------------------------------------------------------

int image_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, ALL_SEALS) == 0 ? 0 : -errno;
}

bool image_is_sealed(int fd)
{
	const int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS;
}

static int map(int fd, size_t offset, size_t size, int flags, const void **mem)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	// A mapping past the file's end would be a SIGBUS later.
	if (size == 0 || (uint64_t)st.st_size < offset || (uint64_t)st.st_size - offset < size)
		return -EINVAL;
	const size_t before = offset % PAGE; // on the first page, of others
	void *at =
	    mmap(NULL, before + size, PROT_READ, MAP_SHARED | flags, fd, (off_t)(offset - before));
	if (at == MAP_FAILED)
		return -errno;
	*mem = (const uint8_t *)at + before;
	return 0;
}

int image_map(int fd, size_t offset, size_t size, const void **mem)
{
	return map(fd, offset, size, MAP_POPULATE, mem);
}

int image_map_lazy(int fd, size_t offset, size_t size, const void **mem)
{
	return map(fd, offset, size, 0, mem);
}

void image_unmap(const void *mem, size_t size)
{
	const size_t before = (uintptr_t)mem % PAGE;

	if (mem != NULL)
		munmap((void *)((uintptr_t)mem - before), before + size);
}
