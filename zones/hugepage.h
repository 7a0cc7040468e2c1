// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Transparent huge pages for what is large and short-lived. Where the system has none, or the
// kernel says no, memory is as it was.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGEPAGE ((size_t)2 << 20)

// Asks for huge pages within [mem, mem + size).
static inline void hugepage_advise(void *mem, size_t size)
{
	const uintptr_t begin = ((uintptr_t)mem + HUGEPAGE - 1) & ~(HUGEPAGE - 1);
	const uintptr_t end = ((uintptr_t)mem + size) & ~(HUGEPAGE - 1);

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

// `size` zeroed bytes (a multiple of HUGEPAGE) in huge pages; NULL when out of memory. Freed by
// munmap().
static inline void *hugepage_alloc(size_t size)
{
	uint8_t *mem = (uint8_t *)mmap(
	    NULL, size + HUGEPAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	const size_t before = -(uintptr_t)mem & (HUGEPAGE - 1);
	if (before > 0)
		munmap(mem, before);
	munmap(mem + before + size, HUGEPAGE - before);
	(void)madvise(mem + before, size, MADV_HUGEPAGE);
	return mem + before;
}
