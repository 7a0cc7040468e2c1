// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A commit carried out: images, then the history that names them, then the manifest, then the
// removal of what neither names any more. Disk thread.
#include "store_commit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "image.h"

#define GATHER_PIECE ((size_t)256 << 10)

int64_t store_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The kernel copies where it can: a memfd's pages go to the file without a buffer of ours.
int store_copy_bytes(int from, off_t at, int to, uint64_t size)
{
	static const size_t step = (size_t)1 << 20;
	const void *mem;
	int rc = 0;

	if (size == 0)
		return 0;
	rc = image_map(from, (size_t)at, size, &mem);
	if (rc < 0)
		return rc;
	for (uint64_t done = 0; done < size && rc == 0;) {
		size_t n = size - done < step ? (size_t)(size - done) : step;
		ssize_t written = write(to, (const char *)mem + done, n);

		if (written < 0 && errno != EINTR)
			rc = -errno;
		else if (written > 0)
			done += (uint64_t)written;
	}
	image_unmap(mem, size);
	return rc;
}

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		const ssize_t n = write(fd, bytes + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

// Large ones are mapped; small ones are gathered, for to map them a page at a time takes longer.
static int images_copy(const struct commit *commit, size_t from, size_t to, int fd)
{
	uint8_t *piece = malloc(GATHER_PIECE);
	size_t held = 0;
	int rc = piece != NULL ? 0 : -ENOMEM;

	for (size_t i = from; i < to && rc == 0; i++) {
		const struct commit_image *image = &commit->images[i];

		if (held + image->size > GATHER_PIECE) {
			rc = write_all(fd, piece, held);
			held = 0;
		}
		if (rc == 0 && image->size > GATHER_PIECE) {
			rc = store_copy_bytes(image->fd, (off_t)image->fd_offset, fd, image->size);
		} else if (rc == 0) {
			const ssize_t n =
			    pread(image->fd, piece + held, image->size, (off_t)image->fd_offset);

			if (n != (ssize_t)image->size)
				rc = n < 0 ? -errno : -EIO;
			held += image->size;
		}
	}
	if (rc == 0)
		rc = write_all(fd, piece, held);
	free(piece);
	return rc;
}

// Writes images[from .. to) into one file.
static int file_write(struct commit *commit, size_t from, size_t to)
{
	const uint64_t id = commit->images[from].file_id;
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	int rc, fd;

	rc = manifest_image_path(commit->storage, id, path, sizeof(path));
	if (rc < 0)
		return rc;
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	rc = images_copy(commit, from, to, fd);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}

static int images_write(struct commit *commit)
{
	char folder[PATH_MAX];
	int rc = 0;

	for (size_t from = 0, to; from < commit->image_count && rc == 0; from = to) {
		for (to = from + 1; to < commit->image_count; to++)
			if (commit->images[to].file_id != commit->images[from].file_id)
				break;
		rc = file_write(commit, from, to);
	}
	if (rc == 0 && commit->image_count > 0) {
		snprintf(folder, sizeof(folder), "%s/images", commit->storage);
		rc = disk_folder_sync(folder);
	}
	return rc;
}

void store_state_free(struct store_state *state)
{
	manifest_entries_free(&state->zones);
	history_free(&state->history);
}

static int state_write(struct commit *commit)
{
	struct store_state *state = &commit->state;
	int rc = 0;

	commit->step = "history";
	if (state->history.len > 0)
		rc = history_write(commit->storage, &state->history, &commit->history_end);
	else if (state->all_history)
		history_remove(commit->storage); // nothing is left to be said
	if (rc < 0)
		return rc;
	commit->step = "manifest";
	if (!state->all_zones)
		return manifest_append(
		    commit->storage, commit->manifest_mark, &state->zones, &commit->changes_end);
	commit->manifest_size = state->zones.len;
	return manifest_write(commit->storage, &state->zones, &commit->manifest_mark);
}

void store_commit_run(struct offload_job *job)
{
	struct commit *commit = (struct commit *)job;
	const int64_t from = store_now_ms();
	char path[PATH_MAX];

	commit->step = "images";
	commit->rc = images_write(commit);
	if (commit->rc == 0 && commit->with_manifest) {
		commit->rc = state_write(commit);
		// Only after the manifest that no longer names them.
		for (size_t i = 0; i < commit->remove_count && commit->rc == 0; i++)
			if (manifest_image_path(
			        commit->storage, commit->remove[i], path, sizeof(path)) == 0)
				unlink(path);
	}
	store_state_free(&commit->state); // with a million zones that takes long, too
	commit->duration_ms = store_now_ms() - from;
}
