// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One commit of the store (store.h): what the loop has gathered for the disk thread. It belongs to
// the thread while it runs. Internal to store*.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "history.h"
#include "manifest.h"
#include "offload.h"
#include "store.h"

struct commit_image {
	struct store_image *image; // the loop's; the thread never looks
	int fd;                    // duplicate of the image's
	uint64_t fd_offset;        // as the image's
	uint64_t size, offset;
	uint64_t file_id;
};

struct commit {
	struct offload_job job; // first
	struct store *store;
	const char *storage;
	struct commit_image *images;
	size_t image_count;
	struct store_state state;
	uint64_t history_end; // where it goes; afterwards, where it ends
	bool with_manifest;
	uint64_t
	    manifest_mark; // of what changes follow; afterwards, where all were written, its own
	uint64_t manifest_size; // afterwards, where all were written
	uint64_t changes_end;   // where they go; afterwards, where they end
	uint64_t mark;
	uint64_t *remove; // ids of files, after the manifest
	size_t remove_count;
	int rc;
	const char *step; // what failed
	int64_t duration_ms;
};

void store_state_free(struct store_state *state); // empty afterwards
void store_commit_run(struct offload_job *job);
int64_t store_now_ms(void);
// `size` bytes of `from` at `at` to the end of `to`.
int store_copy_bytes(int from, off_t at, int to, uint64_t size);
