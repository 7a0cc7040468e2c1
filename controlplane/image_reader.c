// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See image_reader.h: the last file stays open, and a window of it in memory.
#include "image_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "manifest.h"

#define WINDOW ((size_t)1 << 20)
#define SMALL  (WINDOW / 4) // a larger image is mapped

struct image_reader {
	const char *storage;
	uint64_t file_id; // 0: none
	int fd;
	uint64_t file_size;
	uint8_t *window; // WINDOW bytes, aligned as images are
	uint64_t from;   // in the file
	size_t held;     // bytes
	const void *mapped;
	size_t mapped_size;
};

static void file_close(struct image_reader *reader)
{
	if (reader->file_id != 0)
		close(reader->fd);
	reader->file_id = 0;
	reader->held = 0;
}

static int file_open(struct image_reader *reader, uint64_t file_id)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = manifest_image_path(reader->storage, file_id, path, sizeof(path));

	file_close(reader);
	if (rc < 0)
		return rc;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (reader->fd < 0)
		return -errno;
	if (fstat(reader->fd, &st) < 0) {
		rc = -errno;
		close(reader->fd);
		return rc;
	}
	reader->file_id = file_id;
	reader->file_size = (uint64_t)st.st_size;
	return 0;
}

// Pre: they are in the file, and not more than the window holds.
static int window_fill(struct image_reader *reader, uint64_t offset, size_t size)
{
	reader->from = offset;
	for (reader->held = 0; reader->held < size;) {
		const ssize_t n = pread(reader->fd, reader->window + reader->held,
		    size - reader->held, (off_t)(offset + reader->held));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			reader->held = 0;
			return n < 0 ? -errno : -EIO;
		}
		reader->held += (size_t)n;
	}
	return 0;
}

int image_reader_get(
    struct image_reader *reader, uint64_t file_id, uint64_t offset, uint64_t size, const void **mem)
{
	int rc = 0;

	image_unmap(reader->mapped, reader->mapped_size); // NULL is accepted
	reader->mapped = NULL;
	if (file_id == 0)
		return -ENOENT;
	if (reader->file_id != file_id)
		rc = file_open(reader, file_id);
	if (rc < 0)
		return rc;
	if (offset > reader->file_size || size > reader->file_size - offset ||
	    offset % IMAGE_ALIGN != 0)
		return -ENOENT;
	if (size > SMALL) {
		rc = image_map(reader->fd, offset, size, mem);
		if (rc == 0) {
			reader->mapped = *mem;
			reader->mapped_size = size;
		}
		return rc;
	}
	if (offset < reader->from || offset + size > reader->from + reader->held) {
		const uint64_t left = reader->file_size - offset;

		rc = window_fill(reader, offset, left < WINDOW ? (size_t)left : WINDOW);
		if (rc < 0) // of a disk with a bad spot in it, what is not there is read
			rc = window_fill(reader, offset, (size_t)size);
	}
	*mem = reader->window + (offset - reader->from);
	return rc;
}

struct image_reader *image_reader_open(const char *storage)
{
	struct image_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return NULL;
	reader->storage = storage;
	reader->window = aligned_alloc(IMAGE_ALIGN, WINDOW);
	if (reader->window == NULL) {
		free(reader);
		return NULL;
	}
	return reader;
}

void image_reader_close(struct image_reader *reader)
{
	if (reader == NULL)
		return;
	image_unmap(reader->mapped, reader->mapped_size);
	file_close(reader);
	free(reader->window);
	free(reader);
}
