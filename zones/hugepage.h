// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Transparent huge pages for what is large: images, and what they are made of. Where the system has
// none, or the kernel says no, memory is as it was.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGEPAGE          ((size_t)2 << 20)
#define HUGEPAGE_SMALL    4096 // what mappings end at
#define HUGEPAGE_COLLAPSE 25   // MADV_COLLAPSE, which older headers do not have

// Asks for huge pages within [mem, mem + size).
static inline void hugepage_advise(void *mem, size_t size)
{
	const uintptr_t begin = ((uintptr_t)mem + HUGEPAGE - 1) & ~(HUGEPAGE - 1);
	const uintptr_t end = ((uintptr_t)mem + size) & ~(HUGEPAGE - 1);

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

// Address space of `size` bytes that begins at a huge page; NULL when there is none.
static inline uint8_t *hugepage_space(size_t size, int protection)
{
	size = (size + HUGEPAGE_SMALL - 1) & ~(size_t)(HUGEPAGE_SMALL - 1);
	uint8_t *mem = (uint8_t *)mmap(
	    NULL, size + HUGEPAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	const size_t before = -(uintptr_t)mem & (HUGEPAGE - 1);
	if (before > 0)
		munmap(mem, before);
	munmap(mem + before + size, HUGEPAGE - before);
	return mem + before;
}

// `size` zeroed bytes in huge pages, what is left at the end in small ones; NULL when out of
// memory. Freed by munmap().
static inline void *hugepage_alloc(size_t size)
{
	uint8_t *mem = hugepage_space(size, PROT_READ | PROT_WRITE);

	if (mem != NULL)
		hugepage_advise(mem, size);
	return mem;
}

// Puts what is mapped at [mem, mem + size) into huge pages now, whatever the system's settings say
// of such memory: a memfd has none by itself. All who map it have them then. Costs a copy where
// they were small, next to nothing where they are huge already. Linux 6.1.
static inline void hugepage_collapse(void *mem, size_t size)
{
	const uintptr_t begin = ((uintptr_t)mem + HUGEPAGE - 1) & ~(HUGEPAGE - 1);
	const uintptr_t end = ((uintptr_t)mem + size) & ~(HUGEPAGE - 1);

	if (begin < end)
		(void)madvise((void *)begin, end - begin, HUGEPAGE_COLLAPSE);
}
