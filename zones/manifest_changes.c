// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/manifest.changes: what changed since the manifest was written, so that a change of one
// zone among a million costs what one zone does. Records, one for each commit, appended and synced:
//
//	struct disk_header | zones as in the manifest (no layer: it is gone)
//
// A record names the manifest that it follows by its checksum, and its own place in the file. So
// the changes of an older manifest say nothing, and neither does what a crash left half written:
// the records end there, and the control plane's next start writes the manifest anew.

#include "manifest_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"

#define CHANGES_MAGIC 0x3147434e4d4e0a8dULL // 8d 0a "NMNCG1"

// --- reading
// --------------------------------------------------------------------------------------

// The zones of a manifest by apex: open addressing, at most half full, indices + 1.
struct places {
	uint32_t *slot;
	size_t mask;
};

static size_t apex_hash(const uint8_t *apex, size_t len)
{
	uint64_t hash = len;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ apex[i]) * 0x9e3779b97f4a7c15ULL;
	return (size_t)(hash ^ hash >> 32);
}

// The slot of that apex, or the free one where it would stand.
static uint32_t *places_find(
    const struct places *places, const struct manifest *manifest, const struct manifest_zone *zone)
{
	size_t i = apex_hash(zone->apex, zone->apex_len) & places->mask;

	for (;; i = (i + 1) & places->mask) {
		const uint32_t at = places->slot[i];

		if (at == 0 ||
		    (manifest->zones[at - 1].apex_len == zone->apex_len &&
		        memcmp(manifest->zones[at - 1].apex, zone->apex, zone->apex_len) == 0))
			return &places->slot[i];
	}
}

static int places_make(struct places *places, const struct manifest *manifest, size_t room)
{
	size_t size = 64;

	while (size < 2 * room)
		size *= 2;
	free(places->slot);
	places->slot = room < UINT32_MAX ? calloc(size, sizeof(places->slot[0])) : NULL;
	places->mask = size - 1;
	if (places->slot == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < manifest->zone_count; i++)
		*places_find(places, manifest, &manifest->zones[i]) = (uint32_t)i + 1;
	return 0;
}

// Room for `more` zones. Post: 0 or -ENOMEM.
static int make_room(struct places *places, struct manifest *manifest, size_t *room, size_t more)
{
	const size_t need = manifest->zone_count + more;
	struct manifest_zone *zones;

	if (places->slot != NULL && need <= *room)
		return 0;
	*room = need + need / 8;
	zones = reallocarray(manifest->zones, *room + 1, sizeof(zones[0]));
	if (zones == NULL)
		return -ENOMEM;
	manifest->zones = zones;
	return places_make(places, manifest, *room);
}

// The zones of a whole record, each proven first. Post: -EINVAL: it is none, nothing changed.
static int record_check(const struct disk_header *header, const uint8_t *bytes)
{
	const uint8_t *at = bytes + sizeof(*header), *end = bytes + header->size;
	char error[MANIFEST_ERROR_MAX];
	struct manifest_zone zone;

	for (uint64_t i = 0; i < header->zone_count; i++) {
		if (manifest_zone_read(NULL, &at, end, true, &zone, error) != 0 ||
		    zone.generation > header->generation_max)
			return -EINVAL;
	}
	return at == end ? 0 : -EINVAL;
}

static int record_take(struct manifest *manifest, struct places *places, size_t *room,
    const struct disk_header *header, const uint8_t *bytes)
{
	const uint8_t *at = bytes + sizeof(*header), *end = bytes + header->size;
	char error[MANIFEST_ERROR_MAX];

	if (make_room(places, manifest, room, header->zone_count) != 0)
		return -ENOMEM;
	manifest->generation_max = header->generation_max;
	for (uint64_t i = 0; i < header->zone_count; i++) {
		struct manifest_zone zone = {0};
		uint32_t *slot;

		if (manifest_zone_read(manifest, &at, end, true, &zone, error) != 0)
			return -ENOMEM; // it was proven
		slot = places_find(places, manifest, &zone);
		if (*slot == 0 && zone.layer_count == 0)
			continue;
		if (*slot == 0)
			*slot = (uint32_t)++manifest->zone_count;
		manifest->zones[*slot - 1] = zone;
	}
	return 0;
}

// Those that are gone kept their place for a zone that may come back.
static void gone_drop(struct manifest *manifest)
{
	size_t to = 0;

	for (size_t i = 0; i < manifest->zone_count; i++) {
		if (manifest->zones[i].layer_count == 0)
			continue;
		if (to != i)
			manifest->zones[to] = manifest->zones[i];
		to++;
	}
	manifest->zone_count = to;
}

static bool is_record(const struct manifest *manifest, uint64_t mark, const uint8_t *bytes,
    size_t size, size_t at, struct disk_header *header)
{
	memcpy(header, bytes + at, sizeof(*header));
	return header->magic == CHANGES_MAGIC && header->version == MANIFEST_VERSION &&
	       header->byte_order == MANIFEST_BYTE_ORDER && header->hash_key[0] == mark &&
	       header->hash_key[1] == at && header->size <= size - at &&
	       header->size >= sizeof(*header) && header->size % 8 == 0 &&
	       header->zone_count <= header->size / 8 &&
	       header->generation_max >= manifest->generation_max &&
	       manifest_checksum(bytes + at, header->size) == header->checksum &&
	       record_check(header, bytes + at) == 0;
}

// The record at *at, or the first one behind it: only the last can be half written, so what one
// that is whole follows was damaged. Post: false at the end.
static bool record_next(struct manifest *manifest, uint64_t mark, const uint8_t *bytes, size_t size,
    size_t *at, struct disk_header *header)
{
	for (size_t from = *at; size - *at >= sizeof(*header); *at += 8) {
		if (!is_record(manifest, mark, bytes, size, *at, header))
			continue;
		manifest->damaged += *at - from;
		return true;
	}
	return false;
}

int manifest_changes_take(
    struct manifest *manifest, uint64_t mark, const uint8_t *bytes, size_t size)
{
	struct places places = {0};
	struct disk_header header;
	size_t room = manifest->zone_count;
	int ret = 0;

	for (size_t at = 0; ret == 0 && record_next(manifest, mark, bytes, size, &at, &header);
	     at += header.size)
		ret = record_take(manifest, &places, &room, &header, bytes + at);
	free(places.slot);
	gone_drop(manifest);
	return ret;
}

int manifest_changes_load(const char *storage, struct manifest *manifest, uint64_t mark)
{
	char path[4096];
	struct stat st;
	uint8_t *bytes;
	int ret = 0, fd = -1;

	if (snprintf(path, sizeof(path), "%s/manifest.changes", storage) < (int)sizeof(path))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	else
		errno = ENAMETOOLONG;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) != 0) {
		ret = -errno;
	} else if (S_ISREG(st.st_mode) && st.st_size > 0 &&
	           (uint64_t)st.st_size <= MANIFEST_SIZE_MAX) {
		ssize_t n = 0;
		size_t size = 0;

		bytes = malloc((size_t)st.st_size);
		while (bytes != NULL && size < (size_t)st.st_size) {
			n = read(fd, bytes + size, (size_t)st.st_size - size);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				break;
			size += (size_t)n;
		}
		// What cannot be read now says something all the same.
		if (bytes == NULL)
			ret = -ENOMEM;
		else if (n < 0)
			ret = -errno;
		else
			ret = manifest_changes_take(manifest, mark, bytes, size);
		free(bytes);
	}
	close(fd);
	return ret;
}

// --- writing
// --------------------------------------------------------------------------------------

// Opens the file to write on at `end`. Changes that were said and are no longer there, and those of
// a manifest that is not, would say nothing to a start. Post: a descriptor or -errno.
static int changes_open(const char *storage, const char *path, uint64_t end)
{
	char manifest[4096];
	struct stat st;
	int fd, ret = 0;

	snprintf(manifest, sizeof(manifest), "%s/manifest", storage); // shorter than `path`
	if (stat(manifest, &st) != 0)
		return -errno;
	fd = open(
	    path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (end == 0 ? O_CREAT | O_TRUNC : 0), 0640);
	if (fd < 0)
		return -errno;
	if (end > 0 && fstat(fd, &st) != 0)
		ret = -errno;
	else if (end > 0 && st.st_size != (off_t)end)
		ret = -ESTALE;
	else if (lseek(fd, (off_t)end, SEEK_SET) < 0)
		ret = -errno;
	if (ret != 0)
		close(fd);
	return ret != 0 ? ret : fd;
}

int manifest_append(
    const char *storage, uint64_t mark, struct manifest_entries *changes, uint64_t *end)
{
	const struct disk_header header = {.magic = CHANGES_MAGIC, .hash_key = {mark, *end}};
	char path[4096];
	size_t size;
	int fd, ret;

	if (snprintf(path, sizeof(path), "%s/manifest.changes", storage) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (manifest_finish(changes, header, &size) != 0)
		return -ENOMEM;
	fd = changes_open(storage, path, *end);
	ret = fd < 0 ? fd : 0;
	if (ret == 0)
		ret = manifest_write_all(fd, changes->bytes, size);
	if (ret == 0 && fsync(fd) != 0)
		ret = -errno;
	if (fd >= 0 && close(fd) != 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && *end == 0)
		ret = manifest_folder_sync(storage);
	if (ret == 0)
		*end += size;
	return ret;
}
