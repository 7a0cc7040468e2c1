// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A test's event loop, turned for moments until something has happened. Included after cmocka.h.
#pragma once

#include <stdint.h>
#include <time.h>

#include <event2/event.h>

#define WAIT_MS 60000 // far more than any step takes on a busy machine

static inline int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Until then, whatever comes meanwhile.
static inline void loop_for(struct event_base *base, int ms)
{
	const struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

// A moment, and so many rounds at the least: a machine that gives us no time meanwhile takes none
// away.
static inline void loop_turn(struct event_base *base)
{
	loop_for(base, 2);
	for (unsigned i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

// Until something has happened, but no longer than that.
static inline void loop_step(struct event_base *base)
{
	const struct timeval tick = {.tv_usec = 2000};

	event_base_loopexit(base, &tick);
	event_base_loop(base, EVLOOP_ONCE);
}

#define LOOP_UNTIL(base, condition)                               \
	do {                                                      \
		const int64_t loop_until_ms = now_ms() + WAIT_MS; \
		while (!(condition) && now_ms() < loop_until_ms)  \
			loop_step(base);                          \
		assert_true(condition);                           \
	} while (0)
