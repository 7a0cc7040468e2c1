// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a file's inode says of it, so that one that has not changed need not be read again: kept
// with the version that was made from it (history.h), compared at a start and at a reload.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

struct file_mark {
	int64_t modified_ns, changed_ns; // of the content; of the inode, which nobody can set
	uint64_t size, inode;            // inode 0: nothing is known
};

// Clocks of file systems go by ticks, on some of two seconds: what was written so shortly before it
// was looked at may have been written once more since, and look the same.
#define FILE_MARK_SETTLED_NS ((int64_t)2000000000)

static inline struct file_mark file_mark_of(const struct stat *st)
{
	return (struct file_mark){
	    .modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    .changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	    .size = (uint64_t)st->st_size,
	    .inode = st->st_ino};
}

static inline bool file_mark_same(const struct file_mark *a, const struct file_mark *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// Pre: `now_ns` by the wall clock, when it was looked at.
static inline bool file_mark_settled(const struct file_mark *mark, int64_t now_ns)
{
	return mark->modified_ns < now_ns - FILE_MARK_SETTLED_NS &&
	       mark->changed_ns < now_ns - FILE_MARK_SETTLED_NS;
}
