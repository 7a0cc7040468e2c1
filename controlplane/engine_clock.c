// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Watches for somebody who sets the wall clock: what is stored, and what the data plane was told,
// is reckoned by it, so every zone's state machine looks at it again (zone.h). Event loop's thread.
#include "engine_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#define BUCKETS_PER_TURN 4096 // before the loop gets its turn

struct engine_clock {
	struct engine *engine;
	struct event *set, *turn;
	size_t next; // bucket to look at
	int fd;
};

// A timer of the wall clock that is never reached and ends when the clock is set.
static int watch_arm(int fd)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT64_MAX / 1000000000}};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0};
	struct engine_clock *clock = arg;
	struct engine *engine = clock->engine;
	struct zone_event event = {.kind = ZONE_EVENT_TIMER};

	(void)fd;
	(void)what;
	for (size_t i = 0; i < BUCKETS_PER_TURN && clock->next < engine->bucket_count; i++) {
		for (struct engine_zone *ez = engine->buckets[clock->next++]; ez != NULL;
		     ez = ez->next) {
			engine_zone_event(ez, &event);
		}
	}
	if (clock->next < engine->bucket_count) {
		event_add(clock->turn, &soon);
	}
	engine_arm(engine);
}

static void clock_set(evutil_socket_t fd, short what, void *arg)
{
	struct engine_clock *clock = arg;
	uint64_t expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno != ECANCELED) {
		return;
	}
	(void)watch_arm(fd);
	clock->next = 0;
	event_active(clock->turn, 0, 0);
}

struct engine_clock *engine_clock_open(struct engine *engine)
{
	struct engine_clock *clock = calloc(1, sizeof(*clock));

	if (clock == NULL) {
		return NULL;
	}
	clock->engine = engine;
	clock->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (clock->fd < 0 || watch_arm(clock->fd) < 0) {
		goto fail;
	}
	clock->set = event_new(engine->base, clock->fd, EV_READ | EV_PERSIST, clock_set, clock);
	clock->turn = event_new(engine->base, -1, 0, turn, clock);
	if (clock->set == NULL || clock->turn == NULL || event_add(clock->set, NULL) < 0) {
		goto fail;
	}
	return clock;
fail:
	engine_clock_close(clock);
	return NULL;
}

void engine_clock_close(struct engine_clock *clock)
{
	if (clock == NULL) {
		return;
	}
	if (clock->set != NULL) {
		event_free(clock->set);
	}
	if (clock->turn != NULL) {
		event_free(clock->turn);
	}
	if (clock->fd >= 0) {
		close(clock->fd);
	}
	free(clock);
}
