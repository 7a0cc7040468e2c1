// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/manifest on disk: a header, then one record of variable length per zone, host byte order.
// Written by the control plane's loop (or its writer thread), read by both planes at their start.
//
//	header | zone 0 | zone 1 | ...
//
//	zone: struct disk_zone, layer_count x struct manifest_layer,
//	      where it has an older version: struct disk_older, older_layers x struct
// manifest_layer, 	      apex (padded to 8)
//
// The checksum covers every byte behind it and the header's other fields, so that a torn or rotten
// file is refused as a whole: the node then starts empty and waits for the control plane. What
// changed since it was written stands in STORAGE/manifest.changes (manifest_changes.c).

#include "manifest_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"

#define MANIFEST_MAGIC 0x3146494e4d4e0a8dULL // 8d 0a "NMNIF1": not text
struct disk_zone {
	uint64_t generation;
	int64_t expires_at;
	uint32_t serial;
	uint16_t layer_count;
	uint16_t apex_len;
	uint32_t grace_s;
	uint16_t hidden;
	uint16_t older_layers; // 0: there is no older version
};
static_assert(sizeof(struct disk_zone) == 32, "no padding");

struct disk_older {
	uint64_t generation;
	uint32_t serial;
	uint32_t unused; // 0
};
static_assert(sizeof(struct disk_older) == 16, "no padding");
static_assert(sizeof(struct manifest_layer) == 24, "written as it stands");

static size_t apex_space(size_t apex_len)
{
	return (apex_len + 7) & ~(size_t)7;
}

// Four lanes of multiply and fold. It guards against rot and torn writes, not against an enemy.
uint64_t manifest_checksum(const uint8_t *at, size_t size)
{
	uint64_t lane[4] = {1, 2, 3, 4};
	uint64_t sum = size;

	assert(size % 8 == 0);
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word;

		memcpy(&word, at + i, sizeof(word));
		if (i == offsetof(struct disk_header, checksum))
			word = 0;
		lane[i / 8 % 4] = (lane[i / 8 % 4] ^ word) * 0x9e3779b97f4a7c15ULL;
		lane[i / 8 % 4] ^= lane[i / 8 % 4] >> 29;
	}
	for (unsigned i = 0; i < 4; i++) {
		sum = (sum ^ lane[i]) * 0xd6e8feb86659fd93ULL;
		sum ^= sum >> 32;
	}
	return sum;
}

static int broken(char error[MANIFEST_ERROR_MAX], const char *why)
{
	snprintf(error, MANIFEST_ERROR_MAX, "the manifest is broken: %s", why);
	return -EINVAL;
}

static int failed(char error[MANIFEST_ERROR_MAX], const char *what)
{
	int ret = errno != 0 ? -errno : -EIO;

	snprintf(error, MANIFEST_ERROR_MAX, "%s the manifest: %s", what, strerror(-ret));
	return ret;
}

int manifest_older_add(
    struct manifest *manifest, struct manifest_zone *zone, const struct manifest_older *older)
{
	if (manifest->older_count == manifest->older_cap) {
		const size_t cap = manifest->older_cap == 0 ? 16 : 2 * manifest->older_cap;
		struct manifest_older *grown =
		    cap < UINT32_MAX ? reallocarray(manifest->older, cap, sizeof(*grown)) : NULL;

		if (grown == NULL)
			return -ENOMEM;
		manifest->older = grown;
		manifest->older_cap = cap;
	}
	manifest->older[manifest->older_count++] = *older;
	zone->older = (uint32_t)manifest->older_count;
	return 0;
}

bool manifest_older(
    const struct manifest *manifest, const struct manifest_zone *zone, struct manifest_zone *out)
{
	const struct manifest_older *older;

	if (zone->older == 0)
		return false;
	older = &manifest->older[zone->older - 1];
	*out = *zone;
	out->older = 0;
	out->generation = older->generation;
	out->serial = older->serial;
	out->layer_count = older->layer_count;
	memcpy(out->layer, older->layer, sizeof(out->layer));
	return true;
}

// Pre: they are there. Post: 0 and *at behind them, or -EINVAL.
static int layers_read(const uint8_t **at, unsigned count,
    struct manifest_layer layer[IMAGE_LAYERS_MAX], char error[MANIFEST_ERROR_MAX])
{
	for (unsigned i = 0; i < count; i++, *at += sizeof(struct manifest_layer)) {
		memcpy(&layer[i], *at, sizeof(struct manifest_layer));
		if (layer[i].offset % 64 != 0 || layer[i].size == 0 ||
		    layer[i].size > IMAGE_SIZE_MAX || layer[i].offset > INT64_MAX - IMAGE_SIZE_MAX)
			return broken(error, "the place of an image");
	}
	return 0;
}

// Post: as manifest_zone_read().
static int older_read(struct manifest *manifest, const uint8_t **at, unsigned layer_count,
    struct manifest_zone *zone, char error[MANIFEST_ERROR_MAX])
{
	struct manifest_older older = {.layer_count = layer_count};
	struct disk_older disk;

	memcpy(&disk, *at, sizeof(disk));
	*at += sizeof(disk);
	older.generation = disk.generation;
	older.serial = disk.serial;
	if (disk.unused != 0 || disk.generation >= zone->generation)
		return broken(error, "an older version that is none");
	if (layers_read(at, layer_count, older.layer, error) != 0)
		return -EINVAL;
	if (manifest != NULL && manifest_older_add(manifest, zone, &older) != 0) {
		errno = ENOMEM;
		return failed(error, "cannot hold");
	}
	return 0;
}

int manifest_zone_read(struct manifest *manifest, const uint8_t **at, const uint8_t *end, bool gone,
    struct manifest_zone *zone, char error[MANIFEST_ERROR_MAX])
{
	struct disk_zone disk;
	uint8_t lower[NAME_LEN_MAX];
	size_t layers_size;
	int ret;

	if ((size_t)(end - *at) < sizeof(disk))
		return broken(error, "it ends inside a zone");
	memcpy(&disk, *at, sizeof(disk));
	*at += sizeof(disk);
	if ((disk.layer_count == 0 && !gone) || disk.layer_count > IMAGE_LAYERS_MAX)
		return broken(error, "a zone has no layer or too many");
	if (disk.older_layers > IMAGE_LAYERS_MAX ||
	    (disk.layer_count == 0 && disk.older_layers > 0))
		return broken(error, "an older version of too many layers, or of nothing");
	if (disk.hidden > 1)
		return broken(error, "whether a zone is hidden");
	if (disk.apex_len == 0 || disk.apex_len > NAME_LEN_MAX)
		return broken(error, "the length of a zone's name");
	layers_size = (disk.layer_count + disk.older_layers) * sizeof(struct manifest_layer) +
	              (disk.older_layers > 0 ? sizeof(struct disk_older) : 0);
	if ((size_t)(end - *at) < layers_size + apex_space(disk.apex_len))
		return broken(error, "it ends inside a zone");

	zone->generation = disk.generation;
	zone->expires_at = disk.expires_at;
	zone->grace_s = disk.grace_s;
	zone->hidden = disk.hidden;
	zone->older = 0;
	zone->serial = disk.serial;
	zone->layer_count = disk.layer_count;
	zone->apex_len = (uint8_t)disk.apex_len;
	ret = layers_read(at, disk.layer_count, zone->layer, error);
	if (ret == 0 && disk.older_layers > 0)
		ret = older_read(manifest, at, disk.older_layers, zone, error);
	if (ret != 0)
		return ret;
	if (name_len_checked(*at, disk.apex_len) != disk.apex_len)
		return broken(error, "a zone's name");
	memcpy(zone->apex, *at, disk.apex_len);
	name_lower(lower, *at, disk.apex_len);
	if (memcmp(lower, zone->apex, disk.apex_len) != 0)
		return broken(error, "a zone's name is not in lower case");
	*at += apex_space(disk.apex_len);
	return 0;
}

// Pre: bytes[] is aligned for struct disk_header.
static int manifest_read(
    const uint8_t *bytes, size_t size, struct manifest *manifest, char error[MANIFEST_ERROR_MAX])
{
	struct disk_header header;
	const uint8_t *at = bytes + sizeof(header), *end = bytes + size;

	if (size < sizeof(header))
		return broken(error, "shorter than a header");
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != MANIFEST_MAGIC)
		return broken(error, "it is no manifest");
	if (header.version != MANIFEST_VERSION || header.byte_order != MANIFEST_BYTE_ORDER)
		return broken(error, "another version or byte order");
	if (header.size != size || size % 8 != 0)
		return broken(error, "its size is not what it says");
	if (manifest_checksum(bytes, size) != header.checksum)
		return broken(error, "its checksum is wrong");
	if (header.zone_count > size / sizeof(struct disk_zone))
		return broken(error, "it cannot hold so many zones");

	manifest->mark = header.checksum;
	manifest->generation_max = header.generation_max;
	memcpy(manifest->hash_key, header.hash_key, sizeof(manifest->hash_key));
	manifest->zones = calloc(header.zone_count + 1, sizeof(manifest->zones[0]));
	if (manifest->zones == NULL) {
		errno = ENOMEM;
		return failed(error, "cannot hold");
	}
	for (; manifest->zone_count < header.zone_count; manifest->zone_count++) {
		int ret = manifest_zone_read(
		    manifest, &at, end, false, &manifest->zones[manifest->zone_count], error);

		if (ret != 0)
			return ret;
		if (manifest->zones[manifest->zone_count].generation > header.generation_max)
			return broken(error, "a generation beyond the highest");
	}
	return at == end ? 0 : broken(error, "bytes behind the last zone");
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO; // it shrank under us: nobody truncates a manifest
			return -1;
		}
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static int manifest_path(const char *storage, const char *file, char *out, size_t cap)
{
	int len = snprintf(out, cap, "%s/%s", storage, file);

	return len >= 0 && (size_t)len < cap ? 0 : -ENAMETOOLONG;
}

// Post: as manifest_load() by that file, and *ino its number.
static int load_once(const char *storage, const char *file, struct manifest *manifest, ino_t *ino,
    char error[MANIFEST_ERROR_MAX])
{
	char path[4096];
	struct stat st;
	uint8_t *bytes;
	int fd, ret;

	*manifest = (struct manifest){0};
	error[0] = '\0';
	ret = manifest_path(storage, file, path, sizeof(path));
	if (ret != 0) {
		errno = -ret;
		return failed(error, "cannot open");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return failed(error, "cannot open");
	if (fstat(fd, &st) != 0) {
		ret = failed(error, "cannot read");
		goto close_fd;
	}
	*ino = st.st_ino;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MANIFEST_SIZE_MAX) {
		ret = broken(error, "not a file, or far too large");
		goto close_fd;
	}
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL || read_all(fd, bytes, (size_t)st.st_size) != 0)
		ret = failed(error, "cannot read");
	else
		ret = manifest_read(bytes, (size_t)st.st_size, manifest, error);
	free(bytes);
	const int changes = ret == 0 ? manifest_changes_load(storage, manifest, manifest->mark) : 0;
	if (changes != 0) {
		errno = changes == -EINVAL ? EIO : -changes; // the manifest itself is not broken
		ret = failed(error, "cannot read the changes of");
	}
	if (ret != 0)
		manifest_free(manifest);
close_fd:
	close(fd);
	return ret;
}

// While the old manifest and then the changes of a new one were read, nothing fits.
static bool replaced_meanwhile(const char *storage, ino_t ino)
{
	char path[4096];
	struct stat st;

	return manifest_path(storage, "manifest", path, sizeof(path)) == 0 &&
	       stat(path, &st) == 0 && st.st_ino != ino;
}

#define LOADS_MAX 5 // a manifest is not written again so fast

int manifest_load(const char *storage, struct manifest *manifest, char error[MANIFEST_ERROR_MAX])
{
	char reason[MANIFEST_ERROR_MAX];
	ino_t ino = 0;
	int ret;

	for (unsigned i = 1;; i++) {
		ret = load_once(storage, "manifest", manifest, &ino, error);
		if (i == LOADS_MAX || !replaced_meanwhile(storage, ino))
			break;
		manifest_free(manifest);
	}
	if ((ret != -EINVAL && ret != -ENOENT && ret != -EIO) ||
	    load_once(storage, "manifest.copy", manifest, &ino, reason) != 0)
		return ret;
	manifest->from_copy = true;
	return 0;
}

static size_t zone_size(const struct manifest_zone *zone, const struct manifest_older *older)
{
	size_t size = sizeof(struct disk_zone) + apex_space(zone->apex_len) +
	              zone->layer_count * sizeof(struct manifest_layer);

	if (older != NULL)
		size +=
		    sizeof(struct disk_older) + older->layer_count * sizeof(struct manifest_layer);
	return size;
}

// Pre: there is room, of zeros. Post: the place behind it.
static uint8_t *zone_write(
    uint8_t *at, const struct manifest_zone *zone, const struct manifest_older *older)
{
	struct disk_zone disk = {
	    .generation = zone->generation,
	    .expires_at = zone->expires_at,
	    .grace_s = zone->grace_s,
	    .hidden = (uint16_t)zone->hidden,
	    .older_layers = (uint16_t)(older != NULL ? older->layer_count : 0),
	    .serial = zone->serial,
	    .layer_count = (uint16_t)zone->layer_count,
	    .apex_len = zone->apex_len,
	};
	size_t layers_len = zone->layer_count * sizeof(zone->layer[0]);

	memcpy(at, &disk, sizeof(disk));
	at += sizeof(disk);
	memcpy(at, zone->layer, layers_len);
	at += layers_len;
	if (older != NULL) {
		const struct disk_older head = {
		    .generation = older->generation, .serial = older->serial};

		memcpy(at, &head, sizeof(head));
		at += sizeof(head);
		layers_len = older->layer_count * sizeof(older->layer[0]);
		memcpy(at, older->layer, layers_len);
		at += layers_len;
	}
	memcpy(at, zone->apex, zone->apex_len);
	return at + apex_space(zone->apex_len);
}

// The bytes of large ones are moved by the kernel, not copied.
static int entries_grow(struct manifest_entries *entries, size_t more)
{
	const size_t need = sizeof(struct disk_header) + entries->len + more;
	uint8_t *grown;

	if (need <= entries->cap)
		return 0;
	grown = realloc(entries->bytes, 2 * need);
	if (grown == NULL)
		return -ENOMEM;
	entries->bytes = grown;
	entries->cap = 2 * need;
	return 0;
}

int manifest_put(struct manifest_entries *entries, const struct manifest_zone *zone,
    const struct manifest_older *older)
{
	const size_t size = zone_size(zone, older);
	uint8_t *at;

	assert(zone->layer_count <= IMAGE_LAYERS_MAX);
	if (entries_grow(entries, size) != 0)
		return -ENOMEM;
	at = entries->bytes + sizeof(struct disk_header) + entries->len;
	memset(at, 0, size);
	zone_write(at, zone, older);
	entries->len += size;
	entries->count++;
	return 0;
}

void manifest_entries_free(struct manifest_entries *entries)
{
	free(entries->bytes);
	*entries = (struct manifest_entries){0};
}

int manifest_finish(struct manifest_entries *entries, struct disk_header header, size_t *size)
{
	if (entries_grow(entries, 0) != 0)
		return -ENOMEM;
	*size = sizeof(header) + entries->len;
	header.version = MANIFEST_VERSION;
	header.byte_order = MANIFEST_BYTE_ORDER;
	header.size = *size;
	header.checksum = 0;
	header.generation_max = entries->generation_max;
	header.zone_count = entries->count;
	memcpy(entries->bytes, &header, sizeof(header));
	header.checksum = manifest_checksum(entries->bytes, *size);
	memcpy(entries->bytes, &header, sizeof(header));
	return 0;
}

int manifest_write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

// Writes `path` anew and makes its bytes durable. Post: 0 or -errno; on error it is gone.
static int file_write(const char *path, const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (manifest_write_all(fd, bytes, size) != 0 || fsync(fd) != 0)
		ret = -errno;
	if (close(fd) != 0 && ret == 0)
		ret = -errno;
	if (ret != 0)
		unlink(path);
	return ret;
}

int manifest_folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		ret = -errno;
	close(fd);
	return ret;
}

// STORAGE/NAME is these bytes, which are durable before the name leads to them; the name itself may
// not be. Post: 0 or -errno.
static int file_replace(const char *storage, const char *name, const uint8_t *bytes, size_t size)
{
	char path[4096], temporary[4096 + 4];
	int ret = manifest_path(storage, name, path, sizeof(path));

	if (ret != 0)
		return ret;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	ret = file_write(temporary, bytes, size);
	if (ret == 0 && rename(temporary, path) != 0) {
		ret = -errno;
		unlink(temporary);
	}
	return ret;
}

int manifest_write(const char *storage, struct manifest_entries *entries, uint64_t *mark)
{
	const struct disk_header header = {
	    .magic = MANIFEST_MAGIC, .hash_key = {entries->hash_key[0], entries->hash_key[1]}};
	char path[4096];
	size_t size;
	int ret;

	if (manifest_finish(entries, header, &size) != 0)
		return -ENOMEM;
	if (size > MANIFEST_SIZE_MAX)
		return -EFBIG;
	*mark = ((const struct disk_header *)(const void *)entries->bytes)->checksum;
	// The copy first: whichever of the two a boot reads then, the images it names are there, as
	// none is removed before this is over.
	ret = file_replace(storage, "manifest.copy", entries->bytes, size);
	if (ret == 0)
		ret = file_replace(storage, "manifest", entries->bytes, size);
	if (ret != 0)
		return ret;
	// They are in it. One that says what the manifest before said has the same mark, so they
	// would follow it too. (Killed here they do, and say what they said before: nothing was
	// committed.)
	if (manifest_path(storage, "manifest.changes", path, sizeof(path)) != 0)
		return -ENAMETOOLONG;
	if (unlink(path) != 0 && errno != ENOENT)
		return -errno;
	return manifest_folder_sync(storage);
}

int manifest_put_all(struct manifest_entries *entries, const struct manifest *manifest)
{
	int ret = 0;

	entries->generation_max = manifest->generation_max;
	memcpy(entries->hash_key, manifest->hash_key, sizeof(entries->hash_key));
	for (size_t i = 0; i < manifest->zone_count && ret == 0; i++) {
		const struct manifest_zone *zone = &manifest->zones[i];

		ret = manifest_put(
		    entries, zone, zone->older != 0 ? &manifest->older[zone->older - 1] : NULL);
	}
	return ret;
}

int manifest_save(const char *storage, struct manifest *manifest)
{
	struct manifest_entries entries = {0};
	int ret = manifest_put_all(&entries, manifest);

	for (size_t i = 0; i < manifest->zone_count; i++)
		assert(manifest->zones[i].layer_count >= 1);
	if (ret == 0)
		ret = manifest_write(storage, &entries, &manifest->mark);
	manifest_entries_free(&entries);
	return ret;
}

void manifest_free(struct manifest *manifest)
{
	free(manifest->zones);
	free(manifest->older);
	*manifest = (struct manifest){0};
}

int manifest_image_path(const char *storage, uint64_t file_id, char *out, size_t cap)
{
	int len = snprintf(out, cap, "%s/images/%016" PRIx64 ".img", storage, file_id);

	return len >= 0 && (size_t)len < cap ? 0 : -ENAMETOOLONG;
}
