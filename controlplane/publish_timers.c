// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/timers: when each zone was last confirmed and when it expires, so that a restart does not
// forget the age of a copy. A header and one record of 64 bytes for each zone, at a place that
// stays its own: what changed is written over what was there, every few seconds, so that it costs
// what changed and not what there is. Each record has its checksum and the generation of the
// version it is about; one that is torn, rotten or of another version says nothing, which costs no
// more than one early refresh, because the manifest has the expiry too.
#include "pzone.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slice.h"

#define TIMERS_MAGIC 0x35524d49544e0a8dULL // 8d 0a "NTIMR5"
#define TIMERS_BATCH 1024                  // records read or written at once, in 1 ms

struct timers_record {
	uint64_t checksum;   // of what follows
	uint64_t apex_sum;   // of the name: a generation may come again after a crash
	uint64_t generation; // the timers are of this version
	struct zone_timers timers;
};
static_assert(sizeof(struct timers_record) == 64, "one line, and a page holds whole ones");

struct timers_header {
	uint64_t magic;
	uint64_t unused[7];
};
static_assert(sizeof(struct timers_header) == sizeof(struct timers_record), "record 0");

// FNV-1a: against rot, not against an enemy.
static uint64_t timers_sum(const void *bytes, size_t len)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
	return sum;
}

static uint64_t record_sum(const struct timers_record *record)
{
	return timers_sum(
	    &record->apex_sum, sizeof(*record) - offsetof(struct timers_record, apex_sum));
}

static off_t record_at(uint32_t record)
{
	return (off_t)record * (off_t)sizeof(struct timers_record);
}

// The last record is `records`, behind the header.
static off_t file_size(uint32_t records)
{
	return record_at(records) + (off_t)sizeof(struct timers_record);
}

static int file_open(const struct publisher *p, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/timers", p->storage) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
	return fd >= 0 ? fd : -errno;
}

// --- writing
// --------------------------------------------------------------------------------------

static bool has_something_to_keep(const struct pzone *zone)
{
	return zone->has_timers && zone->current != NULL;
}

void publish_timers_touch(struct publisher *p, struct pzone *zone)
{
	if (zone->timers_changed || !has_something_to_keep(zone))
		return;
	zone->timers_changed = true;
	zone->next_timers = p->timers.changed;
	p->timers.changed = zone;
}

// Somebody took the file away, or it is none of ours: all of it is written.
static int file_begin(struct publisher *p, int fd)
{
	const struct timers_header header = {.magic = TIMERS_MAGIC};

	for (size_t i = 0; i < p->zone_count && p->timers.placed; i++) {
		p->zones[i]->timers_record = 0;
		publish_timers_touch(p, p->zones[i]);
	}
	p->timers.records = 0;
	p->timers.free_count = 0;
	if (ftruncate(fd, 0) < 0)
		return -errno;
	const ssize_t n = pwrite(fd, &header, sizeof(header), 0);

	if (n != sizeof(header))
		return n < 0 ? -errno : -ENOSPC;
	p->timers.placed = true;
	return 0;
}

static int by_record(const void *a, const void *b)
{
	const uint32_t x = (*(struct pzone *const *)a)->timers_record,
	               y = (*(struct pzone *const *)b)->timers_record;

	return x < y ? -1 : x > y;
}

// Some of those that are to be written, off the list and in the order of their places; new ones get
// theirs. Post: how many.
static size_t changed_take(struct publisher *p, struct pzone *zones[TIMERS_BATCH])
{
	struct timers_file *file = &p->timers;
	size_t count = 0;

	while (file->changed != NULL && count < TIMERS_BATCH) {
		struct pzone *zone = file->changed;

		file->changed = zone->next_timers;
		zone->timers_changed = false;
		if (!has_something_to_keep(zone))
			continue;
		if (zone->timers_record == 0)
			zone->timers_record =
			    file->free_count > 0 ? file->free[--file->free_count] : ++file->records;
		zones[count++] = zone;
	}
	qsort(zones, count, sizeof(zones[0]), by_record);
	return count;
}

// Neighbours go in one write.
static int records_write(int fd, struct pzone *const *zones, size_t count)
{
	static struct timers_record batch[TIMERS_BATCH]; // the loop's

	for (size_t from = 0, n; from < count; from += n) {
		for (n = 0; n < TIMERS_BATCH && from + n < count; n++) {
			const struct pzone *zone = zones[from + n];

			if (zone->timers_record != zones[from]->timers_record + n)
				break;
			memset(&batch[n], 0, sizeof(batch[n]));
			batch[n].apex_sum = timers_sum(zone->apex, zone->apex_len);
			batch[n].generation = zone->current->generation;
			batch[n].timers = zone->timers;
			batch[n].checksum = record_sum(&batch[n]);
		}
		const ssize_t done =
		    pwrite(fd, batch, n * sizeof(batch[0]), record_at(zones[from]->timers_record));

		if (done != (ssize_t)(n * sizeof(batch[0])))
			return done < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

static int changed_write(struct publisher *p, int fd)
{
	static struct pzone *zones[TIMERS_BATCH]; // the loop's
	const uint32_t before = p->timers.records;
	const size_t count = changed_take(p, zones);
	const int rc = records_write(fd, zones, count);

	if (rc == 0)
		return 0;
	// A full disk: those that were there can still be written over the next time.
	for (size_t i = 0; i < count; i++) {
		if (zones[i]->timers_record > before)
			zones[i]->timers_record = 0;
		publish_timers_touch(p, zones[i]);
	}
	p->timers.records = before;
	(void)!ftruncate(fd, file_size(before));
	return rc;
}

// No fsync: what was there before, or nothing, is nearly as good, see above.
int publish_timers_save(struct publisher *p, int64_t until_us)
{
	struct stat st;
	int fd, rc = 0;

	fd = file_open(p, O_RDWR | O_CREAT);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (p->timers.records == 0 || st.st_size != file_size(p->timers.records))
		rc = file_begin(p, fd);
	while (rc == 0 && p->timers.changed != NULL) {
		rc = changed_write(p, fd);
		if (rc == 0 && p->timers.changed != NULL && until_us != SLICE_ALL &&
		    slice_now_us() >= until_us)
			rc = -EAGAIN;
	}
	close(fd);
	return rc;
}

// --- reading
// --------------------------------------------------------------------------------------

static int by_generation(const void *a, const void *b)
{
	const uint64_t x = (*(struct pzone *const *)a)->current->generation,
	               y = (*(struct pzone *const *)b)->current->generation;

	return x < y ? -1 : x > y;
}

// The zones that have a version, by its generation, which is no other's. Post: NULL when out of
// memory.
static struct pzone **generations(const struct publisher *p, size_t *count)
{
	struct pzone **zones = calloc(p->zone_count + 1, sizeof(struct pzone *));

	*count = 0;
	for (size_t i = 0; i < p->zone_count && zones != NULL; i++)
		if (p->zones[i]->current != NULL)
			zones[(*count)++] = p->zones[i];
	if (zones != NULL)
		qsort(zones, *count, sizeof(zones[0]), by_generation);
	return zones;
}

static struct pzone *zone_of(
    struct pzone *const *zones, size_t count, const struct timers_record *record)
{
	size_t from = 0;

	while (count > 0) {
		const size_t half = count / 2;
		struct pzone *zone = zones[from + half];

		if (zone->current->generation == record->generation)
			return timers_sum(zone->apex, zone->apex_len) == record->apex_sum ? zone
			                                                                  : NULL;
		if (zone->current->generation < record->generation) {
			from += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return NULL;
}

static void record_take(struct publisher *p, struct pzone *const *zones, size_t count,
    const struct timers_record *record, uint32_t place)
{
	struct pzone *zone =
	    record->checksum == record_sum(record) ? zone_of(zones, count, record) : NULL;

	if (zone == NULL || zone->timers_record != 0) {
		p->timers.free[p->timers.free_count++] = place;
		return;
	}
	zone->timers_record = place;
	if (!zone->secondary)
		return;
	zone->timers = record->timers;
	zone->has_timers = true;
	zone->expires_at = record->timers.expires_ms / 1000;
}

static int records_read(struct publisher *p, int fd, struct pzone *const *zones, size_t count)
{
	static struct timers_record batch[TIMERS_BATCH];

	for (uint32_t place = 1; place <= p->timers.records;) {
		const ssize_t size = pread(fd, batch, sizeof(batch), record_at(place));
		const size_t n = size < 0 ? 0 : (size_t)size / sizeof(batch[0]);

		if (n == 0)
			return size < 0 ? -errno : -EIO;
		for (size_t i = 0; i < n && place <= p->timers.records; i++)
			record_take(p, zones, count, &batch[i], place++);
	}
	return 0;
}

static int file_read(struct publisher *p, int fd)
{
	struct timers_header header;
	struct pzone **zones;
	struct stat st;
	size_t count;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) ||
	    pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    header.magic != TIMERS_MAGIC || st.st_size > file_size(UINT32_MAX - 1))
		return -EINVAL;
	p->timers.records =
	    (uint32_t)((st.st_size - (off_t)sizeof(header)) / (off_t)sizeof(struct timers_record));
	p->timers.free_cap = p->timers.records + (size_t)1;
	p->timers.free = calloc(p->timers.free_cap, sizeof(uint32_t));
	p->timers.placed = true;
	zones = generations(p, &count);
	rc = zones != NULL && p->timers.free != NULL ? records_read(p, fd, zones, count) : -ENOMEM;
	free(zones);
	if (rc < 0) // then all of it is written anew
		p->timers.records = 0;
	return rc;
}

int publish_timers_load(struct publisher *p)
{
	const int fd = file_open(p, O_RDONLY);
	int rc;

	if (fd < 0)
		return fd;
	rc = file_read(p, fd);
	close(fd);
	return rc;
}

void publish_timers_forget(struct publisher *p, struct pzone *zone)
{
	struct timers_file *file = &p->timers;

	if (zone->timers_record != 0 && file->free_count == file->free_cap) {
		const size_t cap = file->free_cap * 2 + 64;
		uint32_t *grown = reallocarray(file->free, cap, sizeof(*grown));

		if (grown == NULL)
			return; // until the next start
		file->free = grown;
		file->free_cap = cap;
	}
	if (zone->timers_record != 0)
		file->free[file->free_count++] = zone->timers_record;
	zone->timers_record = 0;
}

void publish_timers_close(struct publisher *p)
{
	free(p->timers.free);
	p->timers.free = NULL;
}
