// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/timers: when each zone was last confirmed and when it expires, so that a restart does not
// forget the age of a copy. Written now and then as a whole, by rename; a
// lost or broken file costs nothing but one early refresh, because the manifest has the expiry too.
#include "pzone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMERS_MAGIC 0x34524d49544e0a8dULL // 8d 0a "NTIMR4"

struct timers_header {
	uint64_t magic;
	uint64_t count;
	uint64_t checksum; // of the entries
};

struct timers_entry {
	uint64_t generation; // the timers are of this version
	struct zone_timers timers;
	uint8_t apex[256];
};

static uint64_t timers_sum(uint64_t sum, const struct timers_entry *entry)
{
	const uint8_t *bytes = (const uint8_t *)entry;

	for (size_t i = 0; i < sizeof(*entry); i++)
		sum =
		    (sum ^ bytes[i]) * 0x100000001b3u; // FNV-1a: against rot, not against an enemy
	return sum;
}

static int timers_write(const struct publisher *p, FILE *file)
{
	struct timers_header header = {.magic = TIMERS_MAGIC};

	if (fwrite(&header, sizeof(header), 1, file) != 1)
		return -EIO;
	for (size_t i = 0; i < p->zone_count; i++) {
		const struct pzone *zone = p->zones[i];
		struct timers_entry entry;

		if (!zone->has_timers || zone->current == NULL)
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.generation = zone->current->generation;
		entry.timers = zone->timers;
		memcpy(entry.apex, zone->apex, zone->apex_len);
		header.checksum = timers_sum(header.checksum, &entry);
		header.count++;
		if (fwrite(&entry, sizeof(entry), 1, file) != 1)
			return -EIO;
	}
	if (fseek(file, 0, SEEK_SET) != 0 || fwrite(&header, sizeof(header), 1, file) != 1 ||
	    fflush(file) != 0)
		return -EIO;
	return 0;
}

int publish_timers_save(struct publisher *p)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	FILE *file;
	int rc;

	snprintf(path, sizeof(path), "%s/timers", p->storage);
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	file = fopen(temporary, "we");
	if (file == NULL)
		return -errno;
	rc = timers_write(p, file);
	if (fclose(file) != 0 && rc == 0)
		rc = -EIO;
	// No fsync: an old or empty file is as good as none, see above.
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(temporary);
	return rc;
}

static int timers_read(struct publisher *p, FILE *file, bool apply)
{
	struct timers_header header;
	struct timers_entry entry;
	uint64_t sum = 0;

	if (fread(&header, sizeof(header), 1, file) != 1 || header.magic != TIMERS_MAGIC)
		return -EINVAL;
	for (uint64_t i = 0; i < header.count; i++) {
		struct pzone *zone;

		if (fread(&entry, sizeof(entry), 1, file) != 1)
			return -EINVAL;
		sum = timers_sum(sum, &entry);
		if (!apply || name_len_checked(entry.apex, sizeof(entry.apex)) == 0)
			continue;
		zone = pzone_find(p, entry.apex);
		if (zone == NULL || zone->current == NULL || !zone->secondary ||
		    zone->current->generation != entry.generation)
			continue;
		zone->timers = entry.timers;
		zone->has_timers = true;
		zone->expires_at = entry.timers.expires_ms / 1000;
	}
	return sum == header.checksum ? 0 : -EINVAL;
}

int publish_timers_load(struct publisher *p)
{
	char path[PATH_MAX];
	FILE *file;
	int rc;

	snprintf(path, sizeof(path), "%s/timers", p->storage);
	file = fopen(path, "re");
	if (file == NULL)
		return -errno;
	rc = timers_read(p, file, false); // the whole of it is judged first
	if (rc == 0) {
		rewind(file);
		rc = timers_read(p, file, true);
	}
	fclose(file);
	return rc;
}
