// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A binary heap of deadlines: a million zones wait on one timer of the event loop. The caller
// embeds a struct timer in what waits. One thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t at_ms;
	size_t index; // in the heap, from 1; 0: not waiting
};

struct timers {
	struct timer **heap; // owned; heap[1 .. count]
	size_t count, cap;
};

// Puts the timer in, or moves it. Post: 0, or -ENOMEM and nothing has changed.
int timers_set(struct timers *timers, struct timer *timer, int64_t at_ms);
void timers_remove(struct timers *timers, struct timer *timer);
struct timer *timers_first(const struct timers *timers); // NULL when none waits
void timers_free(struct timers *timers);
