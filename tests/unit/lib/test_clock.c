// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See test_clock.h.
#include "test_clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define GRACE_MS  2 // of real time: what is on its way over loopback may be the kernel's to deliver

static _Atomic int64_t ahead_ns; // any thread: relaxed, nothing else is told by it
static bool stopped;             // of one thread only
static int64_t stopped_at_ns[CLOCK_BOOTTIME + 1];

static int64_t real_ns(clockid_t id)
{
	struct timespec now = {0};

	(void)syscall(SYS_clock_gettime, id, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static bool is_wall_or_steady(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC ||
	       id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
}

static int64_t test_ns(clockid_t id)
{
	if (!is_wall_or_steady(id)) // CPU time
		return real_ns(id);
	return (stopped ? stopped_at_ns[id] : real_ns(id)) +
	       atomic_load_explicit(&ahead_ns, memory_order_relaxed);
}

void test_clock_stop(void)
{
	for (clockid_t id = 0; id <= CLOCK_BOOTTIME; id++)
		if (is_wall_or_steady(id))
			stopped_at_ns[id] = real_ns(id);
	stopped = true;
}

void test_clock_advance(int64_t ms)
{
	atomic_fetch_add_explicit(&ahead_ns, ms * (SECOND_NS / 1000), memory_order_relaxed);
}

// --- in place of the C library's
// --------------------------------------------------------------------

int clock_gettime(clockid_t id, struct timespec *out)
{
	const int64_t now = test_ns(id);

	*out = (struct timespec){.tv_sec = now / SECOND_NS, .tv_nsec = now % SECOND_NS};
	return 0;
}

time_t time(time_t *out)
{
	const time_t now = test_ns(CLOCK_REALTIME) / SECOND_NS;

	if (out != NULL)
		*out = now;
	return now;
}

static int wait_really(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	return (int)syscall(SYS_epoll_pwait, fd, events, max, timeout_ms, NULL, (size_t)8);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	int n;

	if (!stopped || timeout_ms < 0)
		return wait_really(fd, events, max, timeout_ms);
	atomic_fetch_add_explicit(&ahead_ns, 1000, memory_order_relaxed);
	n = wait_really(fd, events, max, timeout_ms < GRACE_MS ? timeout_ms : GRACE_MS);
	if (n == 0)
		test_clock_advance(timeout_ms);
	return n;
}
