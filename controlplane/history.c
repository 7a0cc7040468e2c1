// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The history's file; see history.h. Written by the disk thread, read once at the start.
//
//	record | record | ...
//	record: disk_record, apex (zeros up to a multiple of 8), version, version, ...
//	version: disk_version, struct manifest_layer[layer_count], struct file_mark (has_source)
//
// A record counts when its sum is right.
#include "history.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "name.h"
#include "rotsum.h"

#define RECORD_MAGIC 0x3154534948544e8du // 8d "NTHIST1"
#define SIZE_LIMIT   (UINT64_C(1) << 33)

struct disk_version {
	uint64_t generation, id, content, origin, rr_count;
	int64_t when_ms;
	struct zone_soa soa;
	uint8_t role, how, layer_count, has_source, zeros[4];
};
static_assert(sizeof(struct disk_version) == 72, "no padding");
static_assert(sizeof(struct manifest_layer) == 24, "written as it stands");
static_assert(sizeof(struct file_mark) == 32, "written as it stands");

struct disk_record {
	uint64_t magic;
	uint64_t size;     // of the record
	uint64_t checksum; // of the record with this field 0
	int64_t pinned_ms;
	uint8_t pinned, version_count, apex_len, zeros[5];
};
static_assert(sizeof(struct disk_record) == 40, "no padding");

// --- records
// --------------------------------------------------------------------------------------

static size_t apex_space(size_t apex_len)
{
	return (apex_len + 7) & ~(size_t)7;
}

static size_t record_size(const struct history_zone *zone)
{
	size_t size = sizeof(struct disk_record) + apex_space(zone->apex_len);

	for (unsigned i = 0; i < zone->version_count; i++)
		size += sizeof(struct disk_version) +
		        zone->version[i].layer_count * sizeof(struct manifest_layer) +
		        (zone->version[i].source.inode != 0 ? sizeof(struct file_mark) : 0);
	return size;
}

static uint8_t *version_put(uint8_t *at, const struct history_version *version)
{
	const size_t layers = version->layer_count * sizeof(version->layer[0]);
	const struct disk_version disk = {.generation = version->generation,
	    .id = version->id,
	    .content = version->content,
	    .origin = version->origin,
	    .rr_count = version->rr_count,
	    .when_ms = version->when_ms,
	    .soa = version->soa,
	    .role = version->role,
	    .how = version->how,
	    .layer_count = version->layer_count,
	    .has_source = version->source.inode != 0};

	memcpy(at, &disk, sizeof(disk));
	memcpy(at + sizeof(disk), version->layer, layers);
	at += sizeof(disk) + layers;
	if (disk.has_source == 0)
		return at;
	memcpy(at, &version->source, sizeof(version->source));
	return at + sizeof(version->source);
}

int history_put(struct history_records *records, const struct history_zone *zone)
{
	const size_t size = record_size(zone);
	struct disk_record head = {.magic = RECORD_MAGIC,
	    .size = size,
	    .pinned_ms = zone->pinned_ms,
	    .pinned = zone->pinned,
	    .version_count = zone->version_count,
	    .apex_len = zone->apex_len};
	uint8_t *begin, *at;

	if (records->len + size > records->cap) {
		const size_t cap = (records->cap + size) * 2;
		uint8_t *grown = realloc(records->bytes, cap);

		if (grown == NULL)
			return -ENOMEM;
		records->bytes = grown;
		records->cap = cap;
	}
	begin = records->bytes + records->len;
	memset(begin, 0, size);
	memcpy(begin, &head, sizeof(head));
	memcpy(begin + sizeof(head), zone->apex, zone->apex_len);
	at = begin + sizeof(head) + apex_space(zone->apex_len);
	for (unsigned i = 0; i < zone->version_count; i++)
		at = version_put(at, &zone->version[i]);
	head.checksum = rotsum_of(begin, size);
	memcpy(begin, &head, sizeof(head));
	records->len += size;
	return 0;
}

void history_free(struct history_records *records)
{
	free(records->bytes);
	*records = (struct history_records){0};
}

// Post: bytes used; 0 when there is no version.
static size_t version_get(struct history_version *version, const uint8_t *at, size_t avail)
{
	struct disk_version disk;

	if (avail < sizeof(disk))
		return 0;
	memcpy(&disk, at, sizeof(disk));
	const size_t layers = disk.layer_count * sizeof(version->layer[0]);
	const size_t source = disk.has_source != 0 ? sizeof(version->source) : 0;

	if (disk.role > HISTORY_HELD || disk.how > HISTORY_ROLLBACK || disk.layer_count < 1 ||
	    disk.layer_count > IMAGE_LAYERS_MAX || layers + source > avail - sizeof(disk))
		return 0;
	*version = (struct history_version){.generation = disk.generation,
	    .id = disk.id,
	    .content = disk.content,
	    .origin = disk.origin,
	    .rr_count = disk.rr_count,
	    .when_ms = disk.when_ms,
	    .soa = disk.soa,
	    .role = disk.role,
	    .how = disk.how,
	    .layer_count = disk.layer_count};
	memcpy(version->layer, at + sizeof(disk), layers);
	memcpy(&version->source, at + sizeof(disk) + layers, source);
	return sizeof(disk) + layers + source;
}

static bool record_body(struct history_zone *zone, const uint8_t *at, size_t left)
{
	const size_t space = apex_space(zone->apex_len);

	if (space > left || name_len_checked(at, zone->apex_len) != zone->apex_len)
		return false;
	memcpy(zone->apex, at, zone->apex_len);
	at += space;
	left -= space;
	for (unsigned i = 0; i < zone->version_count; i++) {
		const size_t used = version_get(&zone->version[i], at, left);

		if (used == 0)
			return false;
		at += used;
		left -= used;
	}
	return left == 0;
}

// Post: the record's size and *zone; 0 when there is no whole one.
static size_t record_get(struct history_zone *zone, uint8_t *at, size_t avail)
{
	struct disk_record head;

	if (avail < sizeof(head))
		return 0;
	memcpy(&head, at, sizeof(head));
	if (head.magic != RECORD_MAGIC || head.version_count > HISTORY_VERSIONS_MAX ||
	    head.size < sizeof(head) || head.size > avail || head.size % 8 != 0)
		return 0;
	memset(at + offsetof(struct disk_record, checksum), 0, sizeof(head.checksum));
	if (rotsum_of(at, (size_t)head.size) != head.checksum)
		return 0;
	*zone = (struct history_zone){.apex_len = head.apex_len,
	    .pinned = head.pinned != 0,
	    .pinned_ms = head.pinned_ms,
	    .version_count = head.version_count};
	return record_body(zone, at + sizeof(head), (size_t)head.size - sizeof(head))
	           ? (size_t)head.size
	           : 0;
}

// --- the file
// -------------------------------------------------------------------------------------

static int history_path(const char *storage, const char *suffix, char out[PATH_MAX])
{
	const int len = snprintf(out, PATH_MAX, "%s/history%s", storage, suffix);

	return len >= 0 && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_all(int fd, uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		const ssize_t n = read(fd, bytes + done, size - done);

		if (n == 0)
			return -EIO; // it shrank under us
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int history_load(const char *storage, void (*each)(void *ctx, const struct history_zone *zone),
    void *ctx, uint64_t *size)
{
	struct history_zone zone;
	char path[PATH_MAX];
	uint8_t *bytes = NULL;
	size_t at = 0, whole = 0, used;
	struct stat st;
	int fd, rc = history_path(storage, "", path);

	*size = 0;
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (rc == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > SIZE_LIMIT))
		rc = -EBADMSG;
	if (rc == 0) {
		bytes = malloc((size_t)st.st_size + 1);
		rc = bytes != NULL ? read_all(fd, bytes, (size_t)st.st_size) : -ENOMEM;
	}
	close(fd);
	// Only the last can be half written: what a whole one follows was damaged, and says nothing
	// about the other zones.
	for (size_t next = 0; rc == 0 && next < (size_t)st.st_size;) {
		used = record_get(&zone, bytes + next, (size_t)st.st_size - next);
		if (used > 0)
			each(ctx, &zone);
		whole += used;
		next += used > 0 ? used : 8; // where records begin
		at = used > 0 ? next : at;
	}
	free(bytes);
	*size = at;
	return rc == 0 && whole != (size_t)st.st_size ? -EBADMSG : rc;
}

int history_write(const char *storage, const struct history_records *records, uint64_t *size)
{
	const bool anew = *size == 0;
	char path[PATH_MAX], temporary[PATH_MAX];
	int fd, rc = history_path(storage, "", path);

	if (rc == 0)
		rc = history_path(storage, ".new", temporary);
	if (rc < 0)
		return rc;
	fd = open(anew ? temporary : path,
	    O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (anew ? O_CREAT | O_TRUNC : 0), 0640);
	if (fd < 0)
		return -errno;
	rc = disk_write_at(fd, *size, records->bytes, records->len);
	if (rc == 0 && fdatasync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (anew && rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (anew && rc != 0)
		unlink(temporary);
	if (anew && rc == 0)
		rc = disk_folder_sync(storage);
	if (rc == 0)
		*size += records->len;
	return rc;
}

void history_remove(const char *storage)
{
	char path[PATH_MAX];

	if (history_path(storage, "", path) == 0)
		unlink(path);
}
