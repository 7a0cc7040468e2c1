// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Work that would hold up the event loop (fsync, parsing and verifying large zones) in a thread of
// its own, in order of submission. Owned by the loop's thread.
#pragma once

struct event_base;
struct offload;

struct offload_job {
	void (*run)(struct offload_job *job);  // in the thread; touches only the job
	void (*done)(struct offload_job *job); // later, in the loop; may free the job
	struct offload_job *next;              // the offload's own
};

// Post: NULL when out of memory or threads. `name` shows in ps, at most 15 bytes.
struct offload *offload_open(struct event_base *base, const char *name)
    __attribute__((warn_unused_result));

// Waits for the job that runs; jobs not yet done() are done() all the same, so that their owners
// can free them. NULL is accepted.
void offload_close(struct offload *offload);

// Waits until every job submitted so far has run and is done(). For an orderly end only.
void offload_drain(struct offload *offload);

void offload_submit(struct offload *offload, struct offload_job *job);
// run() now and here, for what takes less than to wake a thread; done() later, as ever.
void offload_run(struct offload *offload, struct offload_job *job);
