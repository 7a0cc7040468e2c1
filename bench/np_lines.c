// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-lines: what a line of memory costs that stands anywhere in a region, by the region's size: of
// a burst's 32 fetched ahead and then used, and one at a time.
//
//     np-lines [MB]...
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "hugepage.h"

#define BURST  32
#define ROUNDS 20000
#define LINE   64

static uint64_t state = 88172645463325252u;
static volatile uint8_t sink;

static size_t roll(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static double now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static void measure(const char *pages, const uint8_t *mem, size_t size)
{
	double fetched = 0, used = 0, alone;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint8_t *at[BURST];

		for (unsigned i = 0; i < BURST; i++)
			at[i] = mem + roll(size / LINE) * LINE;
		const double begin = now_ns();
		for (unsigned i = 0; i < BURST; i++)
			__builtin_prefetch(at[i]);
		const double middle = now_ns();
		for (unsigned i = 0; i < BURST; i++)
			sink = *(const volatile uint8_t *)at[i];
		fetched += middle - begin;
		used += now_ns() - begin;
	}
	alone = now_ns();
	for (unsigned i = 0; i < ROUNDS * 10; i++) // each place from what stood at the one before
		state += *(const volatile uint8_t *)(mem + roll(size / LINE) * LINE);
	alone = now_ns() - alone;
	printf("%6zu MB in %s pages, ns a line: fetched %.1f, and used %.1f; one at a time %.1f\n",
	    size >> 20, pages, fetched / ROUNDS / BURST, used / ROUNDS / BURST,
	    alone / (ROUNDS * 10));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const size_t size = strtoul(argv[i], NULL, 10) << 20;

		for (unsigned huge = 0; huge < 2; huge++) {
			uint8_t *mem = hugepage_space(size, PROT_READ | PROT_WRITE);

			if (size == 0 || mem == NULL)
				return 1;
			(void)madvise(mem, size, huge != 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
			memset(mem, 1, size);
			measure(huge != 0 ? "huge" : "small", mem, size);
			munmap(mem, size);
		}
	}
	return 0;
}
