// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A test's own time. Linked into a test it takes the place of the C library's clock_gettime(),
// time() and epoll_wait(), for the program and for libevent: what takes a minute by the clock takes
// no time, and what a busy machine does to the test is not seen by what it tests.
#pragma once

#include <stdint.h>

// From now on no time passes but what is said here and what an event loop waits for: where
// epoll_wait() finds nothing it returns at once, and its time is over. For a program whose events
// are all its own: one thread, no children. (A microsecond passes with each call, so that a loop
// which always finds something still comes to its end.)
void test_clock_stop(void);

// So much later. Without test_clock_stop() this is on top of the time that passes, and who waits in
// another thread sees it when its own wait ends.
void test_clock_advance(int64_t ms);
