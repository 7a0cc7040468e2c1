// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A configuration is handed to publication, engine and primary zones, a slice at a time (slice.h):
// with a million zones that takes seconds, in which NOTIFYs, timers and commands have their turn.
// Event loop's thread.
#pragma once

#include <stdbool.h>

struct config;
struct daemon;
struct taking;

#define TAKING_ERROR_MAX 1024

// Post: NULL when out of memory.
struct taking *taking_open(struct daemon *daemon) __attribute__((warn_unused_result));
// Pre: the parts are closed, which borrow what is being taken up. NULL is accepted.
void taking_close(struct taking *taking);

// Begins with `config`, from now on ours. `files`: zone files are looked at, too. `done` is called
// once, later, when it is in force (daemon->config) in whole; `old` is the one before, to be freed.
// Pre: !taking_busy(). Post: 0; or -errno and one sentence: nothing has changed, `config` is the
// caller's.
int taking_begin(struct taking *taking, struct config *config, bool files,
    void (*done)(struct daemon *daemon, struct config *old), char error[TAKING_ERROR_MAX])
    __attribute__((warn_unused_result));
bool taking_busy(const struct taking *taking);
// To the end, now, for who cannot wait. Post: false when there is no memory for it.
bool taking_finish(struct taking *taking);
