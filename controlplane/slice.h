// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Work of the event loop that is done a slice at a time, so that nothing else waits for long: a
// configuration of a million zones is taken up in some hundred turns. Who does it keeps its place.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SLICE_US     3000      // a turn
#define SLICE_ALL    INT64_MAX // to the end: before there is a loop
#define SLICE_ONE    0         // one piece of work: in tests
#define SLICE_A_LOOK 32        // zones between two looks at the clock

static inline int64_t slice_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// `done`: pieces of work, in this slice.
static inline bool slice_is_over(int64_t until_us, size_t done)
{
	return until_us != SLICE_ALL && (done % SLICE_A_LOOK == 0 || until_us == SLICE_ONE) &&
	       slice_now_us() >= until_us;
}
