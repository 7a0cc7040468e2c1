// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The storage folder; see store.h. The loop's thread owns everything but a struct commit, which
// belongs to the thread while it runs.
#include "store.h"

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
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "log.h"
#include "offload.h"

#define IMAGES_PER_COMMIT 4096 // in one file; keeps a file's life short enough to give space back
#define LARGE_IMAGE       ((uint64_t)1 << 20) // has a file of its own
#define RETRY_S           5
#define FILES_MIN         64

// A file of images, by id in an open-addressed table; refs 0 and id 0: free, refs 0: to be removed.
struct store_file {
	uint64_t id;
	uint32_t refs;
	bool doomed; // in the list of removals
};

struct commit_image {
	struct store_image *image; // the loop's; the thread never looks
	int fd;                    // duplicate of the image's
	uint64_t size, offset;
	uint64_t file_id;
};

struct commit {
	struct offload_job job;
	struct store *store;
	struct commit_image *images;
	size_t image_count;
	bool with_manifest;
	struct manifest manifest;
	uint64_t mark;
	uint64_t *remove; // ids of files, after the manifest
	size_t remove_count;
	int rc;
	const char *step; // what failed
	int64_t duration_ms;
};

struct store {
	struct event_base *base;
	struct store_ops ops;
	char *path;
	int lock;
	struct offload *disk;
	struct event *timer; // the next commit, when it must wait
	struct store_image *waiting, **last;
	struct store_file *files;
	size_t file_count, file_cap;
	uint64_t *doomed; // ids to remove with the next commit
	size_t doomed_count, doomed_cap;
	uint64_t touched, committed;
	struct commit *running; // the thread has it
	bool closing;
	char trouble[STORE_ERROR_MAX];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// --- which file holds what
// ------------------------------------------------------------------------

static struct store_file *file_slot(struct store_file *files, size_t cap, uint64_t id)
{
	size_t i = (id * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);

	while (files[i].id != 0 && files[i].id != id)
		i = (i + 1) & (cap - 1);
	return &files[i];
}

// Entries without references are dropped when the table grows.
static int files_grow(struct store *store)
{
	size_t used = 0, cap = FILES_MIN;
	struct store_file *files;

	for (size_t i = 0; i < store->file_cap; i++)
		used += store->files[i].refs > 0;
	while (cap < (used + 1) * 4)
		cap *= 2;
	files = calloc(cap, sizeof(*files));
	if (files == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < store->file_cap; i++)
		if (store->files[i].refs > 0)
			*file_slot(files, cap, store->files[i].id) = store->files[i];
	free(store->files);
	store->files = files;
	store->file_cap = cap;
	store->file_count = used;
	return 0;
}

static int file_ref(struct store *store, uint64_t id)
{
	struct store_file *file;

	if (store->file_count * 2 >= store->file_cap && files_grow(store) < 0)
		return -ENOMEM;
	file = file_slot(store->files, store->file_cap, id);
	if (file->id == 0) {
		file->id = id;
		store->file_count++;
	}
	file->refs++;
	return 0;
}

static void file_doom(struct store *store, uint64_t id)
{
	if (store->doomed_count == store->doomed_cap) {
		size_t cap = store->doomed_cap == 0 ? 64 : store->doomed_cap * 2;
		uint64_t *doomed = reallocarray(store->doomed, cap, sizeof(*doomed));

		if (doomed == NULL)
			return; // the file stays until the next start sweeps it
		store->doomed = doomed;
		store->doomed_cap = cap;
	}
	store->doomed[store->doomed_count++] = id;
}

static void file_unref(struct store *store, uint64_t id)
{
	struct store_file *file = file_slot(store->files, store->file_cap, id);

	if (file->id == 0 || --file->refs > 0)
		return;
	file_doom(store, id);
}

// --- the thread's side
// ----------------------------------------------------------------------------

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

// The kernel copies where it can: a memfd's pages go to the file without a buffer of ours.
static int copy_bytes(int from, off_t at, int to, uint64_t size)
{
	static const size_t step = (size_t)1 << 20;
	void *mem;
	int rc = 0;

	if (size == 0)
		return 0;
	mem = mmap(NULL, size, PROT_READ, MAP_SHARED, from, at);
	if (mem == MAP_FAILED)
		return -errno;
	for (uint64_t done = 0; done < size && rc == 0;) {
		size_t n = size - done < step ? (size_t)(size - done) : step;
		ssize_t written = write(to, (const char *)mem + done, n);

		if (written < 0 && errno != EINTR)
			rc = -errno;
		else if (written > 0)
			done += (uint64_t)written;
	}
	munmap(mem, size);
	return rc;
}

// Writes images[from .. to) into one file.
static int file_write(struct commit *commit, size_t from, size_t to)
{
	const uint64_t id = commit->images[from].file_id;
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	int rc, fd;

	rc = manifest_image_path(commit->store->path, id, path, sizeof(path));
	if (rc < 0)
		return rc;
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	for (size_t i = from; i < to && rc == 0; i++)
		rc = copy_bytes(commit->images[i].fd, 0, fd, commit->images[i].size);
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
		snprintf(folder, sizeof(folder), "%s/images", commit->store->path);
		rc = sync_folder(folder);
	}
	return rc;
}

static void commit_run(struct offload_job *job)
{
	struct commit *commit = (struct commit *)job;
	const int64_t from = now_ms();
	char path[PATH_MAX];

	commit->step = "images";
	commit->rc = images_write(commit);
	if (commit->rc == 0 && commit->with_manifest) {
		commit->step = "manifest";
		commit->rc = manifest_save(commit->store->path, &commit->manifest);
		// Only after the manifest that no longer names them.
		for (size_t i = 0; i < commit->remove_count && commit->rc == 0; i++)
			if (manifest_image_path(
			        commit->store->path, commit->remove[i], path, sizeof(path)) == 0)
				unlink(path);
	}
	commit->duration_ms = now_ms() - from;
}

// --- the loop's side
// ------------------------------------------------------------------------------

static void store_commit(struct store *store);

static void commit_free(struct commit *commit)
{
	for (size_t i = 0; i < commit->image_count; i++)
		close(commit->images[i].fd);
	free(commit->images);
	free(commit->remove);
	manifest_free(&commit->manifest);
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
		file_unref(store, id);
		return;
	}
	image->writing = false;
	if (commit->rc < 0) {
		file_unref(store, id);
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

	store->running = NULL;
	for (size_t i = 0; i < commit->image_count; i++)
		image_written(store, commit, i);
	if (commit->rc < 0) {
		if (store->trouble[0] == '\0')
			log_error("the %s cannot be stored: %s; trying again", commit->step,
			    strerror(-commit->rc));
		snprintf(store->trouble, sizeof(store->trouble), "The %s cannot be stored: %s.",
		    commit->step, strerror(-commit->rc));
		for (size_t i = 0; i < commit->remove_count; i++)
			file_doom(store, commit->remove[i]);
		commit_free(commit);
		store_later(store, RETRY_S * 1000);
		return;
	}
	if (store->trouble[0] != '\0')
		log_info("storing works again");
	store->trouble[0] = '\0';
	if (commit->with_manifest) {
		store->committed = commit->mark;
		store->ops.committed(store->ops.ctx, commit->mark);
	}
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
		entry->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
		if (entry->fd < 0)
			break;
		if (file_ref(store, entry->file_id) < 0) {
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

// Starts a commit when there is something to write and none is under way.
static void store_commit(struct store *store)
{
	struct commit *commit;
	int rc;

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
	commit->job.run = commit_run;
	commit->job.done = commit_done;
	rc = commit_take_images(store, commit);
	if (rc < 0)
		store_later(store, RETRY_S * 1000); // what was taken is written all the same
	if (store->touched != store->committed &&
	    store->ops.snapshot(store->ops.ctx, &commit->manifest) == 0) {
		commit->with_manifest = true;
		commit->mark = store->touched;
		commit->remove = store->doomed;
		commit->remove_count = store->doomed_count;
		store->doomed = NULL;
		store->doomed_count = store->doomed_cap = 0;
	}
	if (!commit->with_manifest && commit->image_count == 0) {
		commit_free(commit);
		store_later(store, RETRY_S * 1000);
		return;
	}
	store->running = commit;
	offload_submit(store->disk, &commit->job);
}

static void store_timer(evutil_socket_t fd, short what, void *arg)
{
	store_commit(arg);
}

void store_put(struct store *store, struct store_image *image)
{
	put_back(store, image);
	store_commit(store);
}

void store_forget(struct store *store, struct store_image *image)
{
	if (image->stored) {
		file_unref(store, image->file_id);
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
	int rc = file_ref(store, image->file_id);

	image->stored = rc == 0;
	return rc;
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

// --- start and end
// --------------------------------------------------------------------------------

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

// A manifest that cannot be trusted is kept for a look, and the node begins anew.
static int manifest_take(
    struct store *store, struct manifest *manifest, char error[STORE_ERROR_MAX])
{
	char reason[MANIFEST_ERROR_MAX] = "", from[PATH_MAX + 16], to[PATH_MAX + 24];
	int rc = manifest_load(store->path, manifest, reason);

	error[0] = '\0';
	if (rc == 0)
		return 0;
	*manifest = (struct manifest){0};
	if (rc == -ENOENT)
		return 0;
	if (rc != -EINVAL)
		return open_error(error, rc, "The manifest in %s cannot be read", store->path);
	snprintf(from, sizeof(from), "%s/manifest", store->path);
	snprintf(to, sizeof(to), "%s/manifest.broken", store->path);
	if (rename(from, to) < 0)
		return open_error(error, -errno, "The broken manifest cannot be set aside");
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
	rc = store->path == NULL || store->timer == NULL ? -ENOMEM : files_grow(store);
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
	offload_close(store->disk);
	if (store->timer != NULL)
		event_free(store->timer);
	if (store->lock >= 0)
		close(store->lock);
	free(store->files);
	free(store->doomed);
	free(store->path);
	free(store);
}

// --- what is there
// --------------------------------------------------------------------------------

// "<16 hex digits>.img". Post: 0 for any other name.
static uint64_t file_name_id(const char *name)
{
	uint64_t id = 0;
	int end = 0;

	if (strlen(name) != 20 || sscanf(name, "%16" SCNx64 ".img%n", &id, &end) != 1 || end != 20)
		return 0;
	return id;
}

static void file_scan(const char *path, uint64_t id,
    void (*found)(void *ctx, uint64_t file_id, uint64_t offset, const struct image_header *header),
    void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct image_header header;
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		for (uint64_t at = 0; at + sizeof(header) <= (uint64_t)st.st_size;) {
			if (pread(fd, &header, sizeof(header), (off_t)at) != sizeof(header) ||
			    header.magic != IMAGE_MAGIC || header.version != IMAGE_VERSION ||
			    header.byte_order != IMAGE_BYTE_ORDER || header.size < sizeof(header) ||
			    header.size > (uint64_t)st.st_size - at ||
			    header.size % IMAGE_PAGE != 0)
				break;
			found(ctx, id, at, &header);
			at += header.size;
		}
	}
	close(fd);
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

struct scan {
	void (*found)(
	    void *ctx, uint64_t file_id, uint64_t offset, const struct image_header *header);
	void *ctx;
};

static void scan_each(struct store *store, const char *path, const char *name, void *arg)
{
	const struct scan *scan = arg;
	const uint64_t id = file_name_id(name);

	if (id != 0)
		file_scan(path, id, scan->found, scan->ctx);
}

void store_scan(struct store *store,
    void (*found)(void *ctx, uint64_t file_id, uint64_t offset, const struct image_header *header),
    void *ctx)
{
	struct scan scan = {found, ctx};

	images_walk(store, scan_each, &scan);
}

static void sweep_each(struct store *store, const char *path, const char *name, void *arg)
{
	const uint64_t id = file_name_id(name);

	if (id == 0 || file_slot(store->files, store->file_cap, id)->refs == 0)
		unlink(path);
}

void store_sweep(struct store *store)
{
	images_walk(store, sweep_each, NULL);
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
	if (fstat(from, &st) < 0 || (uint64_t)st.st_size < offset ||
	    (uint64_t)st.st_size - offset < size) {
		close(from);
		return -EINVAL;
	}
	to = memfd_create("np-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	rc = to < 0 ? -errno : copy_bytes(from, (off_t)offset, to, size);
	close(from);
	if (rc == 0)
		rc = image_seal(to);
	if (rc < 0 && to >= 0)
		close(to);
	return rc < 0 ? rc : to;
}
