// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See heap.h. glibc can do it by itself, but only where the environment says so before the process
// starts.
#include "heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hugepage.h"

// What the heap grows by. Address space: what is not touched takes no memory.
#define HEAP_STEP (32 << 20)

static _Atomic uintptr_t begin, advised; // 0: heap_open() was not called

void heap_open(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TOP_PAD, HEAP_STEP);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * HEAP_STEP);
	atomic_store_explicit(&begin, (uintptr_t)sbrk(0), memory_order_relaxed);
}

void heap_advise(void)
{
	const uintptr_t from = atomic_load_explicit(&begin, memory_order_relaxed);
	const uintptr_t end = (uintptr_t)sbrk(0);

	// Two at once ask twice, which does no harm.
	if (from == 0 || atomic_load_explicit(&advised, memory_order_relaxed) == end)
		return;
	hugepage_advise((void *)from, end - from);
	atomic_store_explicit(&advised, end, memory_order_relaxed);
}

void *heap_table(size_t size)
{
	void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (table == MAP_FAILED)
		return NULL;
	(void)madvise(table, size, MADV_NOHUGEPAGE); // one touch would take 2 MB
	return table;
}

void heap_table_free(void *table, size_t size)
{
	if (table != NULL)
		munmap(table, size);
}
