// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which image files are needed, and by how many images; which are to be removed. Part of the store
// (store.h); loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// refs 0 and id 0: a free place; refs 0: to be removed.
struct store_file {
	uint64_t id;
	uint32_t refs;
};

struct store_files {
	struct store_file *table; // owned
	size_t count, cap;
	uint64_t *doomed; // owned: ids to remove with the next commit
	size_t doomed_count, doomed_cap;
};

int store_files_open(struct store_files *files) __attribute__((warn_unused_result));
void store_files_close(struct store_files *files);

// One image more is in the file. Post: 0 or -ENOMEM.
int store_file_ref(struct store_files *files, uint64_t id) __attribute__((warn_unused_result));
// One less; a file without any is to be removed.
void store_file_unref(struct store_files *files, uint64_t id);
void store_file_doom(struct store_files *files, uint64_t id);
// The files to be removed now, no longer doomed: without those that somebody needs again. Post: the
// caller's, *count of them.
uint64_t *store_files_doomed_take(struct store_files *files, size_t *count);
bool store_file_known(const struct store_files *files, uint64_t id);
