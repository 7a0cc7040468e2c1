// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A binary heap of deadlines (see timers.h).
#include "timers.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timers *timers, struct timer *timer, size_t index)
{
	timers->heap[index] = timer;
	timer->index = index;
}

static void sift_up(struct timers *timers, struct timer *timer, size_t index)
{
	while (index > 1 && timers->heap[index / 2]->at_ms > timer->at_ms) {
		place(timers, timers->heap[index / 2], index);
		index /= 2;
	}
	place(timers, timer, index);
}

static void sift_down(struct timers *timers, struct timer *timer, size_t index)
{
	for (size_t child = 2 * index; child <= timers->count; child = 2 * index) {
		if (child < timers->count &&
		    timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms) {
			child++;
		}
		if (timers->heap[child]->at_ms >= timer->at_ms) {
			break;
		}
		place(timers, timers->heap[child], index);
		index = child;
	}
	place(timers, timer, index);
}

int timers_set(struct timers *timers, struct timer *timer, int64_t at_ms)
{
	if (timer->index == 0) {
		if (timers->count + 1 >= timers->cap) {
			size_t cap = timers->cap > 0 ? 2 * timers->cap : 64;
			struct timer **heap =
			    reallocarray(timers->heap, cap, sizeof(struct timer *));

			if (heap == NULL) {
				return -ENOMEM;
			}
			timers->heap = heap;
			timers->cap = cap;
		}
		timer->at_ms = at_ms;
		sift_up(timers, timer, ++timers->count);
		return 0;
	}
	timer->at_ms = at_ms;
	if (timer->index > 1 && timers->heap[timer->index / 2]->at_ms > at_ms) {
		sift_up(timers, timer, timer->index);
	} else {
		sift_down(timers, timer, timer->index);
	}
	return 0;
}

void timers_remove(struct timers *timers, struct timer *timer)
{
	size_t index = timer->index;

	if (index == 0) {
		return;
	}
	struct timer *last = timers->heap[timers->count--];

	timer->index = 0;
	if (last != timer) {
		last->index = index;
		timers->heap[index] = last;
		(void)timers_set(timers, last, last->at_ms); // in the heap already: cannot fail
	}
}

struct timer *timers_first(const struct timers *timers)
{
	return timers->count > 0 ? timers->heap[1] : NULL;
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}
