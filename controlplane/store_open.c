// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The store's start and end: folders, the lock, what the manifest and the history say, and the
// removal of what neither names.
#include "store_private.h"

#include <event2/event.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hugepage.h"
#include "image.h"
#include "log.h"

static int __attribute__((format(printf, 3, 4)))
open_error(char error[STORE_ERROR_MAX], int rc, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(error, STORE_ERROR_MAX, format, args);
	va_end(args);
	if (len > 0 && len < STORE_ERROR_MAX)
		snprintf(error + len, STORE_ERROR_MAX - (size_t)len, ": %s.", strerror(-rc));
	return rc;
}

// mkdir -p; parents are made as the umask says, the last one for us and readers of our group.
static int folder_make(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *at = part + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(part, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int lock_take(struct store *store, char error[STORE_ERROR_MAX])
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/lock", store->path);
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock < 0)
		return open_error(error, -errno, "The lock %s cannot be opened", path);
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
		return open_error(
		    error, -errno, "Another np-controlplane works on %s", store->path);
	return 0;
}

// A manifest that cannot be trusted is kept for a look, and the node begins anew where its copy is
// no better. Either way the first commit writes both.
static int manifest_take(
    struct store *store, struct manifest *manifest, char error[STORE_ERROR_MAX])
{
	char reason[MANIFEST_ERROR_MAX] = "", from[PATH_MAX + 16], to[PATH_MAX + 24];
	int rc = manifest_load(store->path, manifest, reason);

	error[0] = '\0';
	if (rc == 0 && manifest->damaged > 0)
		log_error("%s/manifest.changes: %llu bytes are broken, with others behind them: "
		          "what they "
		          "said is lost, and the zones concerned start anew",
		    store->path, (unsigned long long)manifest->damaged);
	if (rc == 0 && !manifest->from_copy)
		return 0;
	if (rc == 0)
		log_error("%s: its copy is read instead", reason);
	else
		*manifest = (struct manifest){0};
	if (rc == -ENOENT)
		return 0;
	if (rc != 0 && rc != -EINVAL)
		return open_error(error, rc, "The manifest in %s cannot be read", store->path);
	snprintf(from, sizeof(from), "%s/manifest", store->path);
	snprintf(to, sizeof(to), "%s/manifest.broken", store->path);
	if (rename(from, to) < 0 && (rc != 0 || errno != ENOENT))
		return open_error(error, -errno, "The broken manifest cannot be set aside");
	if (rc == 0)
		return 0;
	snprintf(
	    error, STORE_ERROR_MAX, "The manifest was broken (%s) and is now %.200s.", reason, to);
	return 0;
}

int store_open(struct event_base *base, const char *storage, const struct store_ops *ops,
    struct store **out, struct manifest *manifest, char error[STORE_ERROR_MAX])
{
	struct store *store = calloc(1, sizeof(*store));
	char images[PATH_MAX + 8];
	int rc;

	*out = NULL;
	*manifest = (struct manifest){0};
	if (store == NULL)
		return open_error(error, -ENOMEM, "The storage cannot be opened");
	store->base = base;
	store->ops = *ops;
	store->last = &store->waiting;
	store->lock = -1;
	store->path = strdup(storage);
	store->timer = evtimer_new(base, store_timer, store);
	store->turn = event_new(base, -1, 0, store_turn, store);
	rc = store->path == NULL || store->timer == NULL || store->turn == NULL
	         ? -ENOMEM
	         : store_files_open(&store->files);
	if (rc < 0) {
		open_error(error, rc, "The storage cannot be opened");
		goto fail;
	}
	snprintf(images, sizeof(images), "%s/images", storage);
	rc = folder_make(images);
	if (rc < 0) {
		open_error(error, rc, "The folder %s cannot be made", images);
		goto fail;
	}
	rc = lock_take(store, error);
	if (rc == 0)
		rc = manifest_take(store, manifest, error);
	if (rc < 0)
		goto fail;
	store->disk = offload_open(base, "np-disk");
	if (store->disk == NULL) {
		rc = open_error(error, -ENOMEM, "The disk thread cannot be started");
		goto fail;
	}
	*out = store;
	return 0;
fail:
	manifest_free(manifest);
	*manifest = (struct manifest){0};
	store_close(store);
	return rc;
}

void store_finish(struct store *store)
{
	if (store == NULL)
		return;
	event_del(store->timer);
	store->closing = true; // no more timers
	// The commit under way, one for what it could not know of, and one for the manifest that
	// names the images of the second.
	for (int round = 0; round < 3; round++) {
		store_commit(store);
		offload_drain(store->disk);
	}
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	if (store->timer != NULL)
		event_del(store->timer);
	store->closing = true;
	store_commit_drop(store);
	offload_close(store->disk);
	if (store->timer != NULL)
		event_free(store->timer);
	if (store->turn != NULL)
		event_free(store->turn);
	if (store->lock >= 0)
		close(store->lock);
	store_files_close(&store->files);
	free(store->path);
	free(store);
}

// --- what is there
// --------------------------------------------------------------------------------

int store_history(
    struct store *store, void (*each)(void *ctx, const struct history_zone *zone), void *ctx)
{
	int rc = history_load(store->path, each, ctx, &store->history_end);

	store->history_base = store->history_end;
	store->history_known = rc == 0;
	if (rc == -ENOENT)
		return 0;
	// The next commit writes it anew, without what could not be read.
	if (rc == -EBADMSG) {
		log_warning("the history of versions has bytes that are no record: pins, "
		            "held and kept versions of some zones may be lost");
		store->history_end = 0;
		return 0;
	}
	return rc;
}

// "<16 hex digits>.img". Post: 0 for any other name.
static uint64_t file_name_id(const char *name)
{
	uint64_t id = 0;
	int end = 0;

	if (strlen(name) != 20 || sscanf(name, "%16" SCNx64 ".img%n", &id, &end) != 1 || end != 20)
		return 0;
	return id;
}

// Calls `each` for every entry of STORAGE/images.
static void images_walk(struct store *store,
    void (*each)(struct store *, const char *path, const char *name, void *arg), void *arg)
{
	char folder[PATH_MAX], path[PATH_MAX + 300];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/images", store->path);
	dir = opendir(folder);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		each(store, path, entry->d_name, arg);
	}
	closedir(dir);
}

static void sweep_each(struct store *store, const char *path, const char *name, void *arg)
{
	const uint64_t id = file_name_id(name);

	if (id == 0 || !store_file_known(&store->files, id))
		unlink(path);
}

void store_sweep(struct store *store)
{
	images_walk(store, sweep_each, NULL);
}

// A file may rot: what was verified was what was written to it.
static int copy_verify(int fd, uint64_t size)
{
	char error[IMAGE_ERROR_MAX];
	const void *mem;
	int rc = image_map(fd, 0, size, &mem);

	if (rc < 0)
		return rc;
	if (image_verify(mem, size, error) < 0)
		rc = -EBADMSG;
	image_unmap(mem, size);
	return rc;
}

int store_copy(const char *storage, uint64_t file_id, uint64_t offset, uint64_t size)
{
	char path[PATH_MAX];
	struct stat st;
	int from, to, rc;

	rc = manifest_image_path(storage, file_id, path, sizeof(path));
	if (rc < 0)
		return rc;
	from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return -errno;
	rc = fstat(from, &st) < 0 ? -errno : 0;
	if (rc == 0 && ((uint64_t)st.st_size < offset || (uint64_t)st.st_size - offset < size))
		rc = -ENOENT;
	if (rc < 0) {
		close(from);
		return rc;
	}
	to = memfd_create("np-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0)
		rc = -errno;
	else if (size < HUGEPAGE)
		rc = store_copy_bytes(from, (off_t)offset, to, size);
	else
		rc = image_fill(to, from, offset, size);
	close(from);
	if (rc == 0)
		rc = image_seal(to);
	if (rc == 0)
		rc = copy_verify(to, size);
	if (rc < 0 && to >= 0)
		close(to);
	return rc < 0 ? rc : to;
}
