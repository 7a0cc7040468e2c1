// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A journal written: steps appended, in place where that is enough, otherwise into a new file that
// takes the old one's name. In place: the steps, fdatasync, then the mark; a step without its mark
// counts when its sum is right.
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

#include "disk.h"
#include "rotsum.h"

// Bytes of steps that no longer count may stay in the file until they are more than those that do,
// and more than this: then it is written anew.
#define DEAD_MAX  ((uint64_t)64 * 1024)
#define SYNC_EACH 4 // files; more are synced with all there is on the file system

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

static int entry_write(int fd, uint64_t file_id, uint64_t offset, struct journal_entry *entry)
{
	const size_t head = sizeof(struct disk_step);
	const struct disk_step disk = step_head(&entry->step,
	    rotsum_of(entry->bytes + head, (size_t)entry->step.size - head), file_id, offset);

	memcpy(entry->bytes, &disk, head);
	return disk_write_at(fd, offset, entry->bytes, (size_t)entry->step.size);
}

static int mark_write(int fd, uint64_t file_id, uint64_t first, uint64_t committed)
{
	struct disk_mark mark = {.first = first, .committed = committed, .file_id = file_id};

	mark.checksum = journal_mark_sum(&mark);
	return disk_write_at(fd, sizeof(struct disk_head), &mark, sizeof(mark));
}

// --- appending
// ------------------------------------------------------------------------------------

// Writes the entries from `offset` on. Post: 0 and *offset behind them.
static int entries_write(
    int fd, uint64_t file_id, uint64_t *offset, const struct journal_append *append, size_t from)
{
	int rc = 0;

	for (size_t i = from; i < append->count && rc == 0; i++) {
		rc = entry_write(fd, file_id, *offset, append->entries[i]);
		*offset += append->entries[i]->step.size;
	}
	return rc;
}

// In place. Pre: kept > 0. What a failed one leaves behind does not count; it is cut off where that
// is possible, because the next one would stand behind it.
static int write_in_place(struct journal *journal, size_t kept, struct journal_append *append)
{
	uint64_t offset = journal->end;
	const int rc = entries_write(journal->fd, journal->file_id, &offset, append, 0);

	if (rc != 0) {
		(void)!ftruncate(journal->fd, (off_t)journal->end);
		return rc;
	}
	append->work.fd = journal->fd;
	append->work.file_id = journal->file_id;
	append->work.first = journal->steps[journal->count - kept].offset;
	append->work.committed = offset;
	journal->fd = -1; // the append has it now
	return 0;
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
	rc = disk_write_at(fd, offset, &disk, sizeof(disk));
	for (uint64_t at = head; rc == 0 && at < step->size;) {
		const size_t n =
		    step->size - at < JOURNAL_BUFFER ? (size_t)(step->size - at) : JOURNAL_BUFFER;

		rc = journal_read_at(journal->fd, step->offset + at, journal->buffer, n);
		if (rc == 0)
			rc = disk_write_at(fd, offset + at, journal->buffer, n);
		at += n;
	}
	return rc;
}

// `kept` of the old steps and the new ones from `from` on, as the whole of a file.
static int file_fill(int fd, struct journal *journal, const struct journal_step *steps, size_t kept,
    const struct journal_append *append, size_t from)
{
	struct disk_head head = {.magic = JOURNAL_MAGIC,
	    .byte_order = JOURNAL_BYTE_ORDER,
	    .apex_len = (uint32_t)name_len(append->apex)};
	uint64_t offset = JOURNAL_FIRST;
	int rc;

	if (getrandom(&head.file_id, sizeof(head.file_id), 0) != sizeof(head.file_id))
		return -EIO;
	name_lower(head.apex, append->apex, head.apex_len);
	head.checksum = journal_head_sum(&head);
	rc = disk_write_at(fd, 0, &head, sizeof(head));
	for (size_t i = 0; i < kept && rc == 0; i++) {
		rc = step_copy(journal, &steps[i], fd, head.file_id, offset);
		offset += steps[i].size;
	}
	if (rc == 0)
		rc = entries_write(fd, head.file_id, &offset, append, from);
	return rc == 0 ? mark_write(fd, head.file_id, JOURNAL_FIRST, offset) : rc;
}

static int temporary_path(
    const char *storage, const uint8_t *apex, char path[PATH_MAX], char temporary[PATH_MAX + 8])
{
	const int rc = journal_path(storage, apex, path);

	if (rc == 0)
		snprintf(temporary, PATH_MAX + 8, "%s.tmp", path);
	return rc;
}

static int write_anew(const char *storage, struct journal *journal,
    const struct journal_step *steps, size_t kept, struct journal_append *append, size_t from)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8], folder[PATH_MAX];
	int rc = temporary_path(storage, append->apex, path, temporary), fd;

	if (rc != 0)
		return rc;
	snprintf(folder, sizeof(folder), "%s/journal", storage);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	rc = file_fill(fd, journal, steps, kept, append, from);
	if (rc != 0) {
		close(fd);
		unlink(temporary);
		return rc;
	}
	append->work.fd = fd;
	append->work.anew = true;
	return 0;
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

// The newest of `n` that fit into what is left of the limits, which are lessened by them.
static size_t steps_fit(uint64_t (*size_of)(const void *steps, size_t i), const void *steps,
    size_t n, struct journal_limits *left)
{
	size_t fit = 0;

	while (fit < n && left->depth > 0 && size_of(steps, n - fit - 1) <= left->usage) {
		left->usage -= size_of(steps, n - fit - 1);
		left->depth--;
		fit++;
	}
	return fit;
}

static uint64_t entry_bytes(const void *entries, size_t i)
{
	return ((struct journal_entry *const *)entries)[i]->step.size;
}

static uint64_t step_bytes(const void *steps, size_t i)
{
	return ((const struct journal_step *)steps)[i].size;
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

// Pre: all the new ones fit into `left`, which is what they leave.
static int write_behind(const char *storage, struct journal *journal, struct journal_append *append,
    struct journal_limits left)
{
	const size_t below = steps_below(journal, &append->entries[0]->step);
	const size_t kept = steps_fit(step_bytes, journal->steps, below, &left);
	const struct journal_step *steps = kept > 0 ? journal->steps + below - kept : NULL;
	uint64_t added = 0, live = 0;

	for (size_t i = 0; i < append->count; i++)
		added += append->entries[i]->step.size;
	for (size_t i = 0; i < kept; i++)
		live += steps[i].size;
	const uint64_t dead = journal->end - JOURNAL_FIRST - live;

	// What stands behind the last good step, or what a rollback left there, must not come
	// between.
	if (kept > 0 && below == journal->count && journal->end == journal->size &&
	    journal->end + added <= append->limits.usage &&
	    (dead <= live + added || dead <= DEAD_MAX))
		return write_in_place(journal, kept, append);

	const size_t whole = steps_whole(journal, steps, kept);

	return write_anew(
	    storage, journal, whole > 0 ? steps + kept - whole : NULL, whole, append, 0);
}

static int append_write(const char *storage, struct journal_append *append)
{
	struct journal_limits left = append->limits;
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;
	size_t fit;
	int rc;

	append->work.fd = -1;
	append->work.anew = false;
	left.usage -= left.usage < JOURNAL_FIRST ? left.usage : JOURNAL_FIRST;
	fit = steps_fit(entry_bytes, append->entries, append->count, &left);
	if (fit == 0) {
		journal_remove(storage, append->apex);
		return -EFBIG;
	}
	if (fit < append->count)
		return write_anew(storage, NULL, NULL, 0, append, append->count - fit);
	rc = journal_open(storage, append->apex, &journal, error);
	if (rc == -ENOENT || rc == -EBADMSG)
		return write_anew(storage, NULL, NULL, 0, append, 0);
	if (rc != 0)
		return rc;
	rc = write_behind(storage, journal, append, left);
	journal_close(journal);
	return rc;
}

// Every file for itself while they are few; then the file system as a whole, at once.
static void appends_sync(struct journal_append *appends, size_t count)
{
	size_t open = 0;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		open += appends[i].work.fd >= 0;
	for (size_t i = 0; i < count; i++) {
		struct journal_append *append = &appends[i];

		if (append->work.fd < 0)
			continue;
		if (open <= SYNC_EACH)
			rc = fdatasync(append->work.fd) < 0 ? -errno : 0;
		else if (rc == 0)
			rc = syncfs(append->work.fd) < 0 ? -errno : 1;
		append->rc = rc < 0 ? rc : 0;
	}
}

// The mark, or the name: the commit. Post: true when the folder has changed.
static bool append_commit(const char *storage, struct journal_append *append)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	bool renamed = false;

	if (!append->work.anew) {
		if (append->rc == 0)
			append->rc = mark_write(append->work.fd, append->work.file_id,
			    append->work.first, append->work.committed);
	} else if (temporary_path(storage, append->apex, path, temporary) == 0) {
		renamed = append->rc == 0 && rename(temporary, path) == 0;
		if (append->rc == 0 && !renamed)
			append->rc = -errno;
		if (!renamed)
			unlink(temporary);
	}
	close(append->work.fd);
	append->work.fd = -1;
	return renamed;
}

void journal_append(const char *storage, struct journal_append *appends, size_t count)
{
	char folder[PATH_MAX];
	bool renamed = false;
	int rc;

	for (size_t i = 0; i < count; i++)
		appends[i].rc = append_write(storage, &appends[i]);
	appends_sync(appends, count);
	for (size_t i = 0; i < count; i++)
		if (appends[i].work.fd >= 0)
			renamed |= append_commit(storage, &appends[i]);
	if (!renamed)
		return;
	snprintf(folder, sizeof(folder), "%s/journal", storage);
	rc = disk_folder_sync(folder);
	for (size_t i = 0; i < count && rc != 0; i++)
		if (appends[i].rc == 0 && appends[i].work.anew)
			appends[i].rc = rc;
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
	int rc;

	if (fd < 0)
		return true; // not to be read now is no reason to lose it
	rc = journal_read_at(fd, 0, &head, sizeof(head));
	close(fd);
	if (rc != 0 && rc != -EBADMSG)
		return true;
	return rc == 0 && head.checksum == journal_head_sum(&head) &&
	       name_len_checked(head.apex, sizeof(head.apex)) == head.apex_len &&
	       wanted(ctx, head.apex);
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
