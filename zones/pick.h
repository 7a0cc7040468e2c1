// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A choice that is no branch: where nobody can guess which one it will be, a branch guessed wrong
// costs more than both. Compilers make branches of most others all the same. Pure.
#pragma once

#include <stdint.h>

// `yes` where `which` is not 0, else `no`.
static inline uint64_t pick(uint64_t which, uint64_t yes, uint64_t no)
{
#ifdef __x86_64__
	__asm__("testq %1, %1\n\tcmovnzq %2, %0" : "+r"(no) : "r"(which), "rm"(yes) : "cc");
	return no;
#else
	return which != 0 ? yes : no;
#endif
}

static inline const void *pick_at(uint64_t which, const void *yes, const void *no)
{
	return (const void *)(uintptr_t)pick(which, (uintptr_t)yes, (uintptr_t)no);
}

static inline uint64_t pick_less(uint64_t a, uint64_t b)
{
#ifdef __x86_64__
	__asm__("cmpq %1, %0\n\tcmovaq %1, %0" : "+r"(a) : "r"(b) : "cc");
	return a;
#else
	return a < b ? a : b;
#endif
}
