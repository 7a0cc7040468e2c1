// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A journal written: one step appended, in place where that is enough, otherwise into a new file
// that takes the old one's name. In place: the step, fdatasync, then the mark; a step without its
// mark counts when its sum is right.
#include "journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rotsum.h"

// Bytes of steps that no longer count may stay in the file until they are more than those that do,
// and more than this: then it is written anew.
#define DEAD_MAX ((uint64_t)64 * 1024)

// --- a step's bytes
// -------------------------------------------------------------------------------

static uint64_t entry_size(const struct delta *delta)
{
	uint64_t size = sizeof(struct disk_step);

	for (size_t i = 0; i < delta->changes->count; i++)
		size += sizeof(struct disk_change) + delta->changes->items[i].owner_len +
		        delta->changes->items[i].rdlen;
	return (size + 7) & ~(uint64_t)7;
}

static uint8_t *change_write(uint8_t *at, const struct record *record, bool added)
{
	const struct disk_change disk = {.ttl = record->ttl,
	    .type = record->type,
	    .rdlen = record->rdlen,
	    .added = added,
	    .owner_len = record->owner_len};

	memcpy(at, &disk, sizeof(disk));
	at += sizeof(disk);
	memcpy(at, record->owner, record->owner_len);
	at += record->owner_len;
	memcpy(at, record->rdata, record->rdlen);
	return at + record->rdlen;
}

int journal_entry_new(const struct delta *delta, uint64_t from_content, uint64_t to_content,
    int64_t when_ms, uint64_t size_max, struct journal_entry **out)
{
	const uint64_t size = entry_size(delta);
	struct journal_entry *entry;
	uint8_t *at;

	*out = NULL;
	if (size > size_max || delta->changes->count > UINT32_MAX)
		return -EFBIG;
	entry = calloc(1, sizeof(*entry));
	if (entry != NULL)
		entry->bytes = calloc(1, size);
	if (entry == NULL || entry->bytes == NULL) {
		journal_entry_free(entry);
		return -ENOMEM;
	}
	entry->step = (struct journal_step){.from = delta->from,
	    .to = delta->to,
	    .from_content = from_content,
	    .to_content = to_content,
	    .when_ms = when_ms,
	    .versions = delta->steps,
	    .size = size};
	at = entry->bytes + sizeof(struct disk_step);
	for (size_t i = 0; i < delta->changes->count; i++) {
		const bool added = delta->added[i] != 0;

		at = change_write(at, &delta->changes->items[i], added);
		entry->step.added += added;
		entry->step.removed += !added;
	}
	*out = entry;
	return 0;
}

void journal_entry_free(struct journal_entry *entry)
{
	if (entry == NULL)
		return;
	free(entry->bytes);
	free(entry);
}

static struct disk_step step_head(
    const struct journal_step *step, uint64_t body_sum, uint64_t file_id, uint64_t offset)
{
	struct disk_step disk = {.magic = JOURNAL_STEP_MAGIC,
	    .versions = step->versions,
	    .place = file_id + offset,
	    .size = step->size,
	    .body_sum = body_sum,
	    .from_content = step->from_content,
	    .to_content = step->to_content,
	    .when_ms = step->when_ms,
	    .from = step->from,
	    .to = step->to,
	    .removed = step->removed,
	    .added = step->added};

	disk.checksum = journal_step_sum(&disk);
	return disk;
}

// --- bytes to the disk
// ----------------------------------------------------------------------------

static int write_at(int fd, uint64_t offset, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n =
		    pwrite(fd, (const uint8_t *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static int entry_write(int fd, uint64_t file_id, uint64_t offset, struct journal_entry *entry)
{
	const size_t head = sizeof(struct disk_step);
	const struct disk_step disk = step_head(&entry->step,
	    rotsum_of(entry->bytes + head, (size_t)entry->step.size - head), file_id, offset);

	memcpy(entry->bytes, &disk, head);
	return write_at(fd, offset, entry->bytes, (size_t)entry->step.size);
}

static int mark_write(int fd, uint64_t file_id, uint64_t first, uint64_t committed)
{
	struct disk_mark mark = {.first = first, .committed = committed, .file_id = file_id};

	mark.checksum = journal_mark_sum(&mark);
	return write_at(fd, sizeof(struct disk_head), &mark, sizeof(mark));
}

static int folder_sync(const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

// --- appending
// ------------------------------------------------------------------------------------

// In place. Pre: kept > 0. What a failed one leaves behind does not count; it is cut off where that
// is possible, because the next one would stand behind it.
static int append_in_place(struct journal *journal, size_t kept, struct journal_entry *entry)
{
	const uint64_t first = journal->steps[journal->count - kept].offset;
	int rc = entry_write(journal->fd, journal->file_id, journal->end, entry);

	if (rc == 0 && fdatasync(journal->fd) < 0)
		rc = -errno;
	if (rc != 0) {
		(void)!ftruncate(journal->fd, (off_t)journal->end);
		return rc;
	}
	return mark_write(journal->fd, journal->file_id, first, journal->end + entry->step.size);
}

// A step of the old file into the new one, its head for the new place.
static int step_copy(struct journal *journal, const struct journal_step *step, int fd,
    uint64_t file_id, uint64_t offset)
{
	const uint64_t head = sizeof(struct disk_step);
	struct disk_step disk;
	int rc = journal_read_at(journal->fd, step->offset, &disk, sizeof(disk));

	if (rc != 0)
		return rc;
	disk = step_head(step, disk.body_sum, file_id, offset);
	rc = write_at(fd, offset, &disk, sizeof(disk));
	for (uint64_t at = head; rc == 0 && at < step->size;) {
		const size_t n =
		    step->size - at < JOURNAL_BUFFER ? (size_t)(step->size - at) : JOURNAL_BUFFER;

		rc = journal_read_at(journal->fd, step->offset + at, journal->buffer, n);
		if (rc == 0)
			rc = write_at(fd, offset + at, journal->buffer, n);
		at += n;
	}
	return rc;
}

// The first `kept` of `steps` and the new one, as the whole of a file.
static int file_fill(int fd, const uint8_t *apex, struct journal *journal,
    const struct journal_step *steps, size_t kept, struct journal_entry *entry)
{
	struct disk_head head = {.magic = JOURNAL_MAGIC,
	    .byte_order = JOURNAL_BYTE_ORDER,
	    .apex_len = (uint32_t)name_len(apex)};
	uint64_t offset = JOURNAL_FIRST;
	int rc;

	if (getrandom(&head.file_id, sizeof(head.file_id), 0) != sizeof(head.file_id))
		return -EIO;
	name_lower(head.apex, apex, head.apex_len);
	head.checksum = journal_head_sum(&head);
	rc = write_at(fd, 0, &head, sizeof(head));
	for (size_t i = 0; i < kept && rc == 0; i++) {
		rc = step_copy(journal, &steps[i], fd, head.file_id, offset);
		offset += steps[i].size;
	}
	if (rc == 0)
		rc = entry_write(fd, head.file_id, offset, entry);
	if (rc == 0)
		rc = mark_write(fd, head.file_id, JOURNAL_FIRST, offset + entry->step.size);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

static int append_anew(const char *storage, const uint8_t *apex, struct journal *journal,
    const struct journal_step *steps, size_t kept, struct journal_entry *entry)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8], folder[PATH_MAX];
	int rc = journal_path(storage, apex, path), fd;

	if (rc != 0)
		return rc;
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	snprintf(folder, sizeof(folder), "%s/journal", storage);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	rc = file_fill(fd, apex, journal, steps, kept, entry);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc != 0) {
		unlink(temporary);
		return rc;
	}
	return folder_sync(folder);
}

// How many of the steps the new one stands on: all up to the one that leads to where it begins.
static size_t steps_below(const struct journal *journal, const struct journal_step *step)
{
	size_t n = journal->count;

	while (n > 0 && (journal->steps[n - 1].to_content != step->from_content ||
	                    journal->steps[n - 1].to != step->from))
		n--;
	return n;
}

// Of `below` steps, how many stay: the newest that fit beside the new one and are whole.
static size_t steps_kept(struct journal *journal, size_t below, const struct journal_entry *entry,
    const struct journal_limits *limits)
{
	uint64_t size = JOURNAL_FIRST + entry->step.size;
	size_t kept = 0;

	while (kept < below && kept + 1 < limits->depth) {
		const struct journal_step *step = &journal->steps[below - kept - 1];

		if (step->size > limits->usage - size)
			break;
		size += step->size;
		kept++;
	}
	return kept;
}

// What is copied must be what was written: from the newest that is not, all older ones go.
static size_t steps_whole(struct journal *journal, const struct journal_step *steps, size_t kept)
{
	for (size_t n = 0; n < kept; n++) {
		const struct journal_step *step = &steps[kept - n - 1];
		struct disk_step disk;

		if (journal_read_at(journal->fd, step->offset, &disk, sizeof(disk)) != 0 ||
		    journal_body_check(journal, step->offset, step->size, disk.body_sum) != 0)
			return n;
	}
	return kept;
}

static int append_to(const char *storage, const uint8_t *apex, struct journal *journal,
    struct journal_entry *entry, const struct journal_limits *limits)
{
	const size_t below = steps_below(journal, &entry->step);
	size_t kept = steps_kept(journal, below, entry, limits);
	uint64_t live = entry->step.size;

	for (size_t i = below - kept; i < below; i++)
		live += journal->steps[i].size;
	const uint64_t dead = journal->end + entry->step.size - JOURNAL_FIRST - live;

	// What stands behind the last good step, or what a rollback left there, must not come
	// between.
	if (kept > 0 && below == journal->count && journal->end == journal->size &&
	    journal->end + entry->step.size <= limits->usage && (dead <= live || dead <= DEAD_MAX))
		return append_in_place(journal, kept, entry);

	const struct journal_step *steps = journal->steps + below - kept;
	const size_t whole = steps_whole(journal, steps, kept);

	return append_anew(storage, apex, journal, steps + kept - whole, whole, entry);
}

int journal_append(const char *storage, const uint8_t *apex, struct journal_entry *entry,
    const struct journal_limits *limits)
{
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;
	int rc;

	if (limits->depth == 0 || JOURNAL_FIRST + entry->step.size > limits->usage) {
		journal_remove(storage, apex);
		return -EFBIG;
	}
	rc = journal_open(storage, apex, &journal, error);
	if (rc == -ENOENT || rc == -EBADMSG)
		return append_anew(storage, apex, NULL, NULL, 0, entry);
	if (rc != 0)
		return rc;
	rc = append_to(storage, apex, journal, entry, limits);
	journal_close(journal);
	return rc;
}

// --- going
// ----------------------------------------------------------------------------------------

void journal_remove(const char *storage, const uint8_t *apex)
{
	char path[PATH_MAX];

	if (journal_path(storage, apex, path) == 0)
		unlink(path);
}

static bool file_wanted(const char *path, bool (*wanted)(void *ctx, const uint8_t *apex), void *ctx)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct disk_head head;
	bool good;

	if (fd < 0)
		return false;
	good = journal_read_at(fd, 0, &head, sizeof(head)) == 0 &&
	       head.checksum == journal_head_sum(&head) &&
	       name_len_checked(head.apex, sizeof(head.apex)) == head.apex_len;
	close(fd);
	return good && wanted(ctx, head.apex);
}

void journal_sweep(const char *storage, bool (*wanted)(void *ctx, const uint8_t *apex), void *ctx)
{
	char folder[PATH_MAX], path[PATH_MAX + 300];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/journal", storage);
	dir = opendir(folder);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (!file_wanted(path, wanted, ctx))
			unlink(path);
	}
	closedir(dir);
}
