// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The store as store*.c see it. The loop's thread owns it.
#pragma once

#include "store_commit.h"
#include "store_files.h"

struct store {
	struct event_base *base;
	struct store_ops ops;
	char *path;
	int lock;
	struct offload *disk;
	struct event *timer; // the next commit, when it must wait
	struct event *turn;  // its state is gathered further
	struct store_image *waiting, **last;
	struct store_files files;
	uint64_t touched, committed;
	bool history_known;                  // its file says what was told and ends where we think
	uint64_t history_end;                // of its file; 0: there is none
	uint64_t history_base;               // where it ended when it was last written anew
	uint64_t manifest_mark;              // of the manifest on disk; 0: it is to be written anew
	uint64_t manifest_size, changes_end; // its bytes, and of the changes behind it
	bool anew;                           // the next manifest is written whole
	struct commit *running;              // the thread has it, or its state is gathered
	bool gathering;
	bool closing;
	char trouble[STORE_ERROR_MAX];
};

void store_commit(struct store *store);          // begins one when there is something to write
void store_timer(int fd, short what, void *arg); // the same, as an event
void store_turn(int fd, short what, void *arg);
void store_commit_drop(struct store *store); // before its state was gathered
