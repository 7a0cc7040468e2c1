// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The storage folder; see store.h. Here is the loop's side: what waits, and one commit at a time.
#include "store_private.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "slice.h"

#define IMAGES_PER_COMMIT 4096 // in one file; keeps a file's life short enough to give space back
#define LARGE_IMAGE       ((uint64_t)1 << 20) // has a file of its own
#define RETRY_S           5
#define HISTORY_SLACK     ((uint64_t)64 * 1024) // it may grow by so much before it is written anew
#define CHANGES_SLACK     ((uint64_t)64 * 1024) // the same of the manifest

static void commit_free(struct commit *commit)
{
	for (size_t i = 0; i < commit->image_count; i++)
		close(commit->images[i].fd);
	free(commit->images);
	free(commit->remove);
	store_state_free(&commit->state);
	free(commit);
}

static void store_later(struct store *store, int64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	if (!store->closing)
		event_add(store->timer, &tv);
}

static void put_back(struct store *store, struct store_image *image)
{
	image->next = NULL;
	*store->last = image;
	store->last = &image->next;
}

static void image_written(struct store *store, struct commit *commit, size_t i)
{
	struct store_image *image = commit->images[i].image;
	const uint64_t id = commit->images[i].file_id;

	if (image == NULL) { // its owner is gone: store_forget() left the reference to us
		store_file_unref(&store->files, id);
		return;
	}
	image->writing = false;
	if (commit->rc < 0) {
		store_file_unref(&store->files, id);
		put_back(store, image);
		return;
	}
	image->file_id = id;
	image->offset = commit->images[i].offset;
	image->stored = true;
	store->ops.stored(store->ops.ctx, image);
}

static void commit_done(struct offload_job *job)
{
	struct commit *commit = (struct commit *)job;
	struct store *store = commit->store;

	// Still the one that runs: who is told of an image may forget another one of it.
	for (size_t i = 0; i < commit->image_count; i++)
		image_written(store, commit, i);
	store->running = NULL;
	// After a failure the file may end in anything.
	if (commit->rc < 0) {
		store->history_known = false;
		store->history_end = store->history_base = store->manifest_mark = 0;
	} else if (commit->with_manifest) {
		store->history_known = true;
		store->history_end = commit->history_end;
	}
	if (commit->rc == 0 && commit->with_manifest && commit->state.all_history)
		store->history_base = commit->history_end;
	if (commit->rc == 0 && commit->with_manifest) {
		store->changes_end = commit->changes_end;
		store->manifest_mark = commit->manifest_mark;
		if (commit->state.all_zones)
			store->manifest_size = commit->manifest_size;
	}
	if (commit->rc < 0) {
		if (store->trouble[0] == '\0')
			log_error("the %s cannot be stored: %s; trying again", commit->step,
			    strerror(-commit->rc));
		snprintf(store->trouble, sizeof(store->trouble), "The %s cannot be stored: %s.",
		    commit->step, strerror(-commit->rc));
		for (size_t i = 0; i < commit->remove_count; i++)
			store_file_doom(&store->files, commit->remove[i]);
		commit_free(commit);
		store_later(store, RETRY_S * 1000);
		return;
	}
	if (store->trouble[0] != '\0')
		log_info("storing works again");
	store->trouble[0] = '\0';
	if (commit->with_manifest)
		store->committed = commit->mark;
	// A large manifest is not written over and over without a pause as long as itself.
	if (commit->duration_ms > 100)
		store_later(store, commit->duration_ms);
	commit_free(commit);
	store_commit(store);
}

static uint64_t random_id(void)
{
	uint64_t id = 0;

	while (id == 0)
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			abort();
	return id;
}

// Moves what waits into the commit: small images share a file, large ones have their own.
static int commit_take_images(struct store *store, struct commit *commit)
{
	uint64_t shared_id = 0, shared_size = 0;
	size_t count = 0, n = 0;

	for (struct store_image *image = store->waiting; image != NULL; image = image->next)
		count++;
	if (count > IMAGES_PER_COMMIT)
		count = IMAGES_PER_COMMIT;
	commit->images = calloc(count + 1, sizeof(*commit->images));
	if (commit->images == NULL)
		return -ENOMEM;
	for (; n < count; n++) {
		struct store_image *image = store->waiting;
		struct commit_image *entry = &commit->images[n];
		const bool large = image->size >= LARGE_IMAGE;

		if (large || shared_id == 0) {
			entry->file_id = random_id();
			shared_id = large ? 0 : entry->file_id;
			shared_size = 0;
		} else {
			entry->file_id = shared_id;
		}
		entry->offset = large ? 0 : shared_size;
		shared_size += image->size;
		entry->size = image->size;
		entry->fd_offset = image->fd_offset;
		entry->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
		if (entry->fd < 0)
			break;
		if (store_file_ref(&store->files, entry->file_id) < 0) {
			close(entry->fd);
			break;
		}
		entry->image = image;
		image->writing = true;
		store->waiting = image->next;
		if (store->waiting == NULL)
			store->last = &store->waiting;
	}
	commit->image_count = n;
	return n == count ? 0 : -EMFILE;
}

// The state of a commit begins to be gathered. What is to be removed when it is written is known
// now: a file that is given up from here on may be named in it.
static void state_begin(struct store *store, struct commit *commit)
{
	commit->with_manifest = true;
	commit->mark = store->touched;
	commit->state.all_history =
	    !store->history_known || store->history_end > store->history_base * 2 + HISTORY_SLACK;
	commit->history_end = commit->state.all_history ? 0 : store->history_end;
	// A manifest of a million zones is not written for one that changed.
	commit->state.all_zones = store->anew || store->manifest_mark == 0 ||
	                          store->changes_end > store->manifest_size / 2 + CHANGES_SLACK;
	commit->manifest_mark = store->manifest_mark;
	commit->changes_end = commit->state.all_zones ? 0 : store->changes_end;
	commit->remove = store_files_doomed_take(&store->files, &commit->remove_count);
	store->anew = false; // after a failure there is no mark
}

// There is no memory for it: what was taken is written all the same, and next time all is asked.
static void state_failed(struct store *store, struct commit *commit)
{
	commit->with_manifest = false;
	store_state_free(&commit->state);
	for (size_t i = 0; i < commit->remove_count; i++)
		store_file_doom(&store->files, commit->remove[i]);
	commit->remove_count = 0;
	store->history_known = false;
	store->history_end = store->history_base = store->manifest_mark = 0;
}

// Gathers the state further; then the thread has the commit.
static void commit_go(struct store *store, int64_t until_us)
{
	struct commit *commit = store->running;
	int rc = 0;

	if (commit->with_manifest)
		rc = store->ops.state(store->ops.ctx, &commit->state, until_us);
	store->gathering = rc == -EAGAIN;
	if (rc == -EAGAIN) {
		static const struct timeval soon = {0};

		event_add(store->turn, &soon); // and not active: others are to have their turn
		return;
	}
	if (rc < 0)
		state_failed(store, commit);
	if (!commit->with_manifest && commit->image_count == 0) {
		store->running = NULL;
		commit_free(commit);
		store_later(store, RETRY_S * 1000);
		return;
	}
	offload_submit(store->disk, &commit->job);
}

// Starts a commit when there is something to write and none is under way; to its end when nobody
// will come back for it.
void store_commit(struct store *store)
{
	const int64_t until_us = store->closing ? SLICE_ALL : slice_now_us() + SLICE_US;
	struct commit *commit;

	if (store->gathering && store->closing)
		commit_go(store, until_us);
	if (store->disk == NULL || store->running != NULL ||
	    event_pending(store->timer, EV_TIMEOUT, NULL) ||
	    (store->waiting == NULL && store->touched == store->committed))
		return;
	commit = calloc(1, sizeof(*commit));
	if (commit == NULL) {
		store_later(store, RETRY_S * 1000);
		return;
	}
	commit->store = store;
	commit->job.run = store_commit_run;
	commit->storage = store->path;
	commit->job.done = commit_done;
	if (commit_take_images(store, commit) < 0)
		store_later(store, RETRY_S * 1000); // what was taken is written all the same
	if (store->touched != store->committed)
		state_begin(store, commit);
	store->running = commit;
	commit_go(store, until_us);
}

void store_turn(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;

	if (store->gathering)
		commit_go(store, slice_now_us() + SLICE_US);
}

void store_commit_drop(struct store *store)
{
	if (!store->gathering)
		return;
	store->gathering = false;
	commit_free(store->running);
	store->running = NULL;
}

void store_timer(evutil_socket_t fd, short what, void *arg)
{
	store_commit(arg);
}

void store_put(struct store *store, struct store_image *image)
{
	if (image->put || image->stored)
		return;
	image->put = true;
	put_back(store, image);
	store_commit(store);
}

void store_forget(struct store *store, struct store_image *image)
{
	if (image->stored) {
		store_file_unref(&store->files, image->file_id);
		return;
	}
	if (image->writing) {
		for (size_t i = 0; i < store->running->image_count; i++)
			if (store->running->images[i].image == image)
				store->running->images[i].image = NULL;
		return;
	}
	for (struct store_image **at = &store->waiting; *at != NULL; at = &(*at)->next) {
		if (*at != image)
			continue;
		*at = image->next;
		if (image->next == NULL)
			store->last = at;
		return;
	}
}

int store_adopt(struct store *store, struct store_image *image)
{
	int rc = store_file_ref(&store->files, image->file_id);

	image->stored = rc == 0;
	return rc;
}

void store_anew(struct store *store)
{
	store->anew = true;
	(void)store_touch(store);
}

void store_image_unload(struct store_image *image)
{
	close(image->fd);
	image->fd = -1;
	image->fd_offset = 0;
}

uint64_t store_touch(struct store *store)
{
	store->touched++;
	store_commit(store);
	return store->touched;
}

uint64_t store_committed(const struct store *store)
{
	return store->committed;
}

const char *store_trouble(const struct store *store)
{
	return store->trouble;
}
