// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE: image files, the manifest, and which file holds which image. Writes happen in a thread,
// one commit at a time: all images that wait go into one new file (temporary name, fsync, rename,
// fsync of the folder), then the manifest is replaced or its changes are appended to, then files
// that nothing refers to any more are removed. What fails is tried again; nobody waits for it.
// Owned by the loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "manifest.h"

struct event_base;
struct store;

#define STORE_ERROR_MAX 512

// An image and where it lies. Embedded in what the owner knows of a version.
struct store_image {
	int fd;             // sealed memfd, or -1: only on disk
	uint64_t fd_offset; // in the memfd, which others may be in as well; 0 without one
	uint64_t size;
	bool put;    // the store has it
	bool stored; // file_id and offset are valid and durable
	bool writing;
	uint64_t file_id, offset;
	struct store_image *next; // the store's own while waiting or writing
};

// It is on disk only, from now on. Pre: it is stored.
void store_image_unload(struct store_image *image);

// What the next manifest and history say, of all zones or of those that changed since this was last
// told.
struct store_state {
	bool all_zones, all_history; // asked
	bool begun;                  // the owner's; false at first
	struct manifest_entries zones;
	struct history_records history;
};

struct store_ops {
	void *ctx;
	// Fills in the state, a slice at a time (slice.h). Of each zone what is true when it is its
	// turn; one that changes after that has changed since. Images named must be stored then,
	// and their files stay until a later state was written; a zone that is gone has no layer.
	// Post: 0; -EAGAIN: to be called again; or -ENOMEM: next time all is asked.
	int (*state)(void *ctx, struct store_state *state, int64_t until_us);
	// The image is durable now.
	void (*stored)(void *ctx, struct store_image *image);
};

// Makes the folders, takes the lock, loads the manifest (zeroed when there is none yet; a broken
// one is set aside and told in `error` with a result of 0). Post: 0, the manifest is the caller's;
// or -errno and one sentence in `error`.
int store_open(struct event_base *base, const char *storage, const struct store_ops *ops,
    struct store **out, struct manifest *manifest, char error[STORE_ERROR_MAX])
    __attribute__((warn_unused_result));
// For an orderly end: writes what waits. NULL is accepted.
void store_finish(struct store *store);
// Pre: every image was forgotten. NULL is accepted.
void store_close(struct store *store);

// Has the image written, once. Pre: fd is set. It must live until stored() or store_forget().
void store_put(struct store *store, struct store_image *image);
// The image's owner goes away: its file may go when no other image is in it.
void store_forget(struct store *store, struct store_image *image);
// The owner took up an image of the manifest or of the history.
int store_adopt(struct store *store, struct store_image *image) __attribute__((warn_unused_result));

// The manifest is to be written again. Post: the mark to wait for; durable when
// store_committed() >= mark.
uint64_t store_touch(struct store *store);
// What only a whole manifest says, the key, is another: the next commit writes one.
void store_anew(struct store *store);
uint64_t store_committed(const struct store *store);

// Why the last commit failed, "" when it did not.
const char *store_trouble(const struct store *store);

// Reads the history, at the start, before the first touch. Post: 0 or -errno; what cannot be read
// of it is left out.
int store_history(struct store *store, void (*each)(void *ctx, const struct history_zone *zone),
    void *ctx) __attribute__((warn_unused_result));
// Removes files that hold no adopted image.
void store_sweep(struct store *store);

// Copies an image out of its file into a fresh sealed memfd. Any thread.
// Post: the memfd, or -errno.
int store_copy(const char *storage, uint64_t file_id, uint64_t offset, uint64_t size)
    __attribute__((warn_unused_result));
