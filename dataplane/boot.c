// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From the manifest to served zones; see boot.h. Main thread, before any reader exists. A zone
// whose image is missing or broken is served from the version before, or left out, and that is
// told; all others are served. Image files are never written again, so a mapping of one is as good
// as a sealed memfd; a deleted file stays mapped.

#include "boot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach_served.h"
#include "log.h"
#include "manifest.h"

#define COMPLAINTS_MAX 20 // lines about broken zones; a million of them help nobody

// Small images stand one behind the other in a file. A part of it is read at once; a read of each
// would be a system call for each of a million zones.
#define WINDOW ((uint64_t)256 << 10)
static_assert(WINDOW >= BLOCK_COPY_MAX, "holds what is copied");

struct boot {
	const char *storage;
	uint64_t file_id; // open as fd: one file may hold many images
	int fd;
	uint64_t window_at, window_len; // what of the file is in the window
	uint8_t *window;
	size_t broken;
};

static int file_open(struct boot *boot, uint64_t file_id)
{
	char path[4096];

	if (boot->fd >= 0 && boot->file_id == file_id)
		return 0;
	if (boot->fd >= 0)
		close(boot->fd);
	boot->fd = -1;
	boot->window_len = 0;
	if (manifest_image_path(boot->storage, file_id, path, sizeof(path)) != 0)
		return -ENAMETOOLONG;
	boot->fd = open(path, O_RDONLY | O_CLOEXEC);
	boot->file_id = file_id;
	return boot->fd >= 0 ? 0 : -errno;
}

// A small image by way of the window. Post: 0 or -errno; -EINVAL where the file ends before it.
static int small_load(struct boot *boot, uint64_t offset, uint64_t size, struct block **out)
{
	if (offset < boot->window_at || offset - boot->window_at > boot->window_len ||
	    boot->window_len - (offset - boot->window_at) < size) {
		boot->window_len = 0;
		boot->window_at = offset;
		while (boot->window_len < size) {
			ssize_t n = pread(boot->fd, boot->window + boot->window_len,
			    WINDOW - boot->window_len, (off_t)(offset + boot->window_len));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n < 0 ? -errno : -EINVAL;
			boot->window_len += (uint64_t)n;
		}
	}
	return block_copy(boot->window + (offset - boot->window_at), size, out);
}

static int layer_load(struct boot *boot, const struct manifest_layer *layer, struct block **out,
    char error[IMAGE_ERROR_MAX])
{
	int ret = file_open(boot, layer->file_id);

	if (ret == 0)
		ret = layer->size <= BLOCK_COPY_MAX
		          ? small_load(boot, layer->offset, layer->size, out)
		          : block_load(boot->fd, layer->offset, layer->size, out);
	if (ret != 0) {
		snprintf(error, IMAGE_ERROR_MAX, "image %016" PRIx64 ": %s", layer->file_id,
		    strerror(-ret));
		return ret;
	}
	return block_verify(*out, error);
}

static int zone_load(struct boot *boot, struct served *served, const struct manifest_zone *zone,
    char error[IMAGE_ERROR_MAX])
{
	struct block *block[IMAGE_LAYERS_MAX] = {0};
	struct stored_version *version = NULL;
	int ret = 0;

	for (unsigned i = 0; i < zone->layer_count && ret == 0; i++)
		ret = layer_load(boot, &zone->layer[i], &block[i], error);
	if (ret != 0)
		goto drop;
	const struct image_header *header = block_header(block[0]);
	if (header->apex_len != zone->apex_len ||
	    memcmp(image_apex(header), zone->apex, zone->apex_len) != 0 ||
	    header->serial != zone->serial) {
		snprintf(error, IMAGE_ERROR_MAX, "the image is of another zone or serial");
		ret = -EINVAL;
		goto drop;
	}
	ret = stored_version_new(block, zone->layer_count, zone->generation, &version);
	if (ret != 0) {
		snprintf(error, IMAGE_ERROR_MAX, "the layers: %s", strerror(-ret));
		goto drop;
	}
	ret = served_set(
	    served, version, (struct expiry){zone->expires_at, zone->grace_s}, time(NULL));
	if (ret != 0) {
		snprintf(error, IMAGE_ERROR_MAX, "cannot be served: %s", strerror(-ret));
		stored_version_free(version);
	}
	return ret;

drop:
	for (unsigned i = 0; i < zone->layer_count; i++)
		block_drop(block[i]);
	return ret;
}

// `older`: what is served in the place of that version; NULL: nothing is.
static void complain(struct boot *boot, const struct manifest_zone *zone,
    const struct manifest_zone *older, const char *error)
{
	char name[NAME_TEXT_MAX];

	if (boot->broken++ >= COMPLAINTS_MAX)
		return;
	name_to_text(zone->apex, name);
	if (older != NULL)
		log_error("boot: %s is served as it was before, serial %u; of serial %u, %s", name,
		    older->serial, zone->serial, error);
	else
		log_error("boot: %s is not served: %s", name, error);
}

// Broken ones are served as they were before, where that can be read.
static void zone_boot(struct boot *boot, struct served *served, const struct manifest *manifest,
    const struct manifest_zone *zone)
{
	char error[IMAGE_ERROR_MAX] = "", why[IMAGE_ERROR_MAX] = "";
	struct manifest_zone older;

	if (zone_load(boot, served, zone, error) == 0)
		return;
	if (manifest_older(manifest, zone, &older) && zone_load(boot, served, &older, why) == 0)
		complain(boot, zone, &older, error);
	else
		complain(boot, zone, NULL, error);
}

// In the order in which they lie in the files.
static int by_place(const void *a, const void *b)
{
	const struct manifest_layer *x = ((const struct manifest_zone *)a)->layer,
	                            *y = ((const struct manifest_zone *)b)->layer;

	if (x->file_id != y->file_id)
		return x->file_id < y->file_id ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

int boot_load(struct served *served, _Atomic(struct zone_table *) *published, const char *storage)
{
	struct boot boot = {.storage = storage, .fd = -1, .window = malloc(WINDOW)};
	char error[MANIFEST_ERROR_MAX];
	struct manifest manifest;
	struct hash_key key;
	int ret;

	ret = manifest_load(storage, &manifest, error);
	if (ret == -ENOENT)
		log_info("boot: no manifest in %s: starting empty.", storage);
	else if (ret != 0)
		log_error("boot: starting empty: %s", error);
	else if (manifest.from_copy)
		log_error("boot: %s: its copy is read instead.", error);
	if (manifest.damaged > 0)
		log_error(
		    "boot: %" PRIu64 " bytes of manifest.changes are broken.", manifest.damaged);

	// Without a manifest the key is of no zone; the first image that comes brings its own.
	key = (struct hash_key){{manifest.hash_key[0], manifest.hash_key[1]}};
	ret = boot.window != NULL ? served_open(served, published, &key) : -ENOMEM;
	if (ret != 0)
		goto out;
	served->generation_max = manifest.generation_max;
	if (manifest.zone_count > 0)
		qsort(manifest.zones, manifest.zone_count, sizeof(manifest.zones[0]), by_place);
	for (size_t i = 0; i < manifest.zone_count; i++)
		if (manifest.zones[i].hidden == 0)
			zone_boot(&boot, served, &manifest, &manifest.zones[i]);
	served_reclaim(served);
	if (boot.fd >= 0)
		close(boot.fd);
	if (manifest.zone_count > 0)
		log_info("boot: %zu of %zu zones are served.", served->count, manifest.zone_count);
out:
	manifest_free(&manifest);
	free(boot.window);
	return ret;
}
