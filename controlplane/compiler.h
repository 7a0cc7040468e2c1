// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Compiler children: a few processes, started ahead of need, one request each at a time, replaced
// when they crash, hang or have grown. Everything on the event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile.h"

#define COMPILER_TRIES    2
#define COMPILER_PATIENCE 4
#define COMPILER_MANY     64 // versions in one job

struct event_base;
struct compiler;

struct compiler_job {
	int batch; // memfd of batch_write(); the caller's
	size_t batch_size;
	struct compile_options options;
	// Of batch_write_many(): so many whole versions, each with its own options, and where in
	// the memfd the first image goes; each of the next follows at a multiple of IMAGE_ALIGN. 0:
	// one.
	unsigned count;
	uint64_t images_at;
	uint32_t sizes[COMPILER_MANY]; // of the images, when it is done; 0: it could not be made
	bool heavy;                    // takes long: one child is kept free of such
	// Once, from the loop, and after a second child was asked where the first one crashed or
	// took too long. `fd` is a memfd of `used` bytes that the callee now owns, not yet
	// sealed nor verified; or -1 and `error` says why in one sentence.
	void (*done)(struct compiler_job *job, int fd, uint64_t used, const char *error);
	struct compiler_job *next; // the compiler's own, as is
	unsigned tries;            // children that have failed it; 0 at first
};

// `children`: how many may work at the same time. `timeout_ms` for one job of a million records; a
// larger one gets more in proportion, and at its second try COMPILER_PATIENCE times that.
// Post: NULL when out of memory.
struct compiler *compiler_open(struct event_base *base, unsigned children, unsigned timeout_ms)
    __attribute__((warn_unused_result));
// Kills the children; jobs that are not done fail, and may not submit others. NULL is accepted.
void compiler_close(struct compiler *compiler);

void compiler_submit(struct compiler *compiler, struct compiler_job *job);

// Process ids of the children that run, for tests and status. Post: their number.
size_t compiler_children(const struct compiler *compiler, int *pids, size_t cap);
