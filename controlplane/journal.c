// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A journal opened and read; see journal.h for what holds and journal_format.h for the bytes.
#include "journal_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rdata.h"
#include "rotsum.h"
#include "sha1.h"

// A name may be longer than a file's, and hold any byte: the file is named by its hash.
int journal_path(const char *storage, const uint8_t *apex, char out[PATH_MAX])
{
	uint8_t lower[NAME_LEN_MAX], hash[SHA1_LEN];
	const size_t apex_len = name_len(apex);
	int len = snprintf(out, PATH_MAX, "%s/journal/", storage);

	if (len < 0 || len + 2 * SHA1_LEN + (int)sizeof(".jnl") > PATH_MAX)
		return -ENAMETOOLONG;
	name_lower(lower, apex, apex_len);
	sha1(lower, apex_len, hash);
	for (unsigned i = 0; i < SHA1_LEN; i++)
		len += sprintf(out + len, "%02x", hash[i]);
	strcpy(out + len, ".jnl");
	return 0;
}

uint64_t journal_head_sum(const struct disk_head *head)
{
	struct disk_head copy = *head;

	copy.checksum = 0;
	return rotsum_of(&copy, sizeof(copy));
}

uint64_t journal_mark_sum(const struct disk_mark *mark)
{
	struct disk_mark copy = *mark;

	copy.checksum = 0;
	return rotsum_of(&copy, sizeof(copy));
}

uint64_t journal_step_sum(const struct disk_step *step)
{
	struct disk_step copy = *step;

	copy.checksum = 0;
	return rotsum_of(&copy, sizeof(copy));
}

int journal_read_at(int fd, uint64_t offset, void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n =
		    pread(fd, (uint8_t *)bytes + done, len - done, (off_t)(offset + done));

		if (n == 0)
			return -EBADMSG; // it ends before
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int journal_body_check(const struct journal *journal, uint64_t offset, uint64_t size, uint64_t sum)
{
	uint64_t at = offset + sizeof(struct disk_step), end = offset + size;
	struct rotsum body;

	rotsum_start(&body);
	while (at < end) {
		const size_t n = end - at < JOURNAL_BUFFER ? (size_t)(end - at) : JOURNAL_BUFFER;
		const int rc = journal_read_at(journal->fd, at, journal->buffer, n);

		if (rc != 0)
			return rc;
		rotsum_add(&body, journal->buffer, n);
		at += n;
	}
	return rotsum_end(&body) == sum ? 0 : -EBADMSG;
}

// --- what is there
// --------------------------------------------------------------------------------

static int head_read(struct journal *journal, const uint8_t *apex, char *error)
{
	const size_t apex_len = name_len(apex);
	uint8_t lower[NAME_LEN_MAX];
	struct disk_head head;
	struct stat st;
	int rc = fstat(journal->fd, &st) < 0 ? -errno : 0;

	if (rc == 0)
		rc = journal_read_at(journal->fd, 0, &head, sizeof(head));
	if (rc == 0)
		rc = journal_read_at(
		    journal->fd, sizeof(head), &journal->mark, sizeof(journal->mark));
	if (rc != 0 && rc != -EBADMSG) {
		snprintf(
		    error, JOURNAL_ERROR_MAX, "The journal cannot be read: %s.", strerror(-rc));
		return rc;
	}
	name_lower(lower, apex, apex_len);
	if (rc != 0 || head.magic != JOURNAL_MAGIC || head.byte_order != JOURNAL_BYTE_ORDER ||
	    head.checksum != journal_head_sum(&head)) {
		snprintf(error, JOURNAL_ERROR_MAX, "The journal's first bytes are broken.");
		return -EBADMSG;
	}
	if (head.apex_len != apex_len || memcmp(head.apex, lower, apex_len) != 0) {
		snprintf(error, JOURNAL_ERROR_MAX, "The journal is another zone's.");
		return -EBADMSG;
	}
	journal->file_id = head.file_id;
	journal->size = (uint64_t)st.st_size;
	if (journal->mark.checksum != journal_mark_sum(&journal->mark) ||
	    journal->mark.file_id != head.file_id)
		journal->mark = (struct disk_mark){.first = JOURNAL_FIRST};
	return 0;
}

static int step_add(struct journal *journal, const struct disk_step *disk, uint64_t offset)
{
	if (journal->count == journal->cap) {
		const size_t cap = journal->cap > 0 ? journal->cap * 2 : 32;
		struct journal_step *grown = reallocarray(journal->steps, cap, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		journal->steps = grown;
		journal->cap = cap;
	}
	journal->steps[journal->count++] = (struct journal_step){.from = disk->from,
	    .to = disk->to,
	    .from_content = disk->from_content,
	    .to_content = disk->to_content,
	    .when_ms = disk->when_ms,
	    .removed = disk->removed,
	    .added = disk->added,
	    .versions = disk->versions,
	    .size = disk->size,
	    .offset = offset};
	return 0;
}

// Post: 0: it counts; -EBADMSG: it does not, nor what is behind it; or another -errno.
static int step_judge(const struct journal *journal, const struct disk_step *disk, uint64_t offset)
{
	const struct journal_step *last =
	    journal->count > 0 ? &journal->steps[journal->count - 1] : NULL;

	if (disk->magic != JOURNAL_STEP_MAGIC || disk->checksum != journal_step_sum(disk) ||
	    disk->place != journal->file_id + offset || disk->size < sizeof(*disk) ||
	    disk->size % 8 != 0 || disk->size > journal->size - offset)
		return -EBADMSG;
	if (last != NULL && (last->to != disk->from || last->to_content != disk->from_content))
		return -EBADMSG;
	return offset + disk->size <= journal->mark.committed
	           ? 0
	           : journal_body_check(journal, offset, disk->size, disk->body_sum);
}

static int steps_read(struct journal *journal, char *error)
{
	uint64_t offset = journal->mark.first;
	struct disk_step disk;
	int rc = 0;

	journal->end = offset;
	while (rc == 0 && offset <= journal->size && journal->size - offset >= sizeof(disk)) {
		rc = journal_read_at(journal->fd, offset, &disk, sizeof(disk));
		if (rc == 0)
			rc = step_judge(journal, &disk, offset);
		if (rc == 0)
			rc = step_add(journal, &disk, offset);
		if (rc == 0)
			journal->end = offset += disk.size;
	}
	if (rc == 0 || rc == -EBADMSG)
		return 0;
	snprintf(error, JOURNAL_ERROR_MAX, "The journal cannot be read: %s.", strerror(-rc));
	return rc;
}

int journal_open(
    const char *storage, const uint8_t *apex, struct journal **out, char error[JOURNAL_ERROR_MAX])
{
	struct journal *journal = calloc(1, sizeof(*journal));
	char path[PATH_MAX];
	int rc = -ENOMEM;

	*out = NULL;
	error[0] = '\0';
	if (journal != NULL) {
		journal->fd = -1;
		journal->buffer = malloc(JOURNAL_BUFFER);
	}
	if (journal != NULL && journal->buffer != NULL)
		rc = journal_path(storage, apex, path);
	if (rc == 0) {
		journal->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		rc = journal->fd < 0 ? -errno : 0;
	}
	if (rc != 0) {
		snprintf(
		    error, JOURNAL_ERROR_MAX, "The journal cannot be opened: %s.", strerror(-rc));
	} else {
		rc = head_read(journal, apex, error);
		if (rc == 0)
			rc = steps_read(journal, error);
	}
	if (rc != 0) {
		journal_close(journal);
		return rc;
	}
	*out = journal;
	return 0;
}

void journal_close(struct journal *journal)
{
	if (journal == NULL)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal->steps);
	free(journal->buffer);
	free(journal);
}

const struct journal_step *journal_steps(const struct journal *journal, size_t *count)
{
	*count = journal->count;
	return journal->steps;
}

size_t journal_chain(const struct journal *journal, uint32_t from, uint32_t to, uint64_t content,
    const struct journal_step **first)
{
	size_t end = journal->count;

	// The last one that leads there: an older one may have been left behind by a rollback.
	while (end > 0 && (journal->steps[end - 1].to != to ||
	                      (content != 0 && journal->steps[end - 1].to_content != content)))
		end--;
	for (size_t begin = end; begin > 0 && from != to; begin--) {
		if (journal->steps[begin - 1].from != from)
			continue;
		*first = &journal->steps[begin - 1];
		return end - begin + 1;
	}
	return 0;
}

// --- the changes of a step
// ------------------------------------------------------------------------

int journal_begin(struct journal *journal, const struct journal_step *step)
{
	struct disk_step disk;
	int rc = journal_read_at(journal->fd, step->offset, &disk, sizeof(disk));

	journal->changes_left = 0;
	if (rc == 0 && (disk.checksum != journal_step_sum(&disk) || disk.size != step->size))
		rc = -EBADMSG;
	if (rc == 0)
		rc = journal_body_check(journal, step->offset, disk.size, disk.body_sum);
	if (rc != 0)
		return rc;
	journal->at = journal->len = 0;
	journal->next_offset = step->offset + sizeof(disk);
	journal->left = disk.size - sizeof(disk);
	journal->changes_left = (uint64_t)disk.removed + disk.added;
	return 0;
}

// Post: 0, and `n` bytes stand at `at`.
static int buffer_need(struct journal *journal, size_t n)
{
	if (journal->len - journal->at >= n)
		return 0;
	memmove(journal->buffer, journal->buffer + journal->at, journal->len - journal->at);
	journal->len -= journal->at;
	journal->at = 0;
	const size_t room = JOURNAL_BUFFER - journal->len;
	const size_t more = journal->left < room ? (size_t)journal->left : room;
	const int rc = journal_read_at(
	    journal->fd, journal->next_offset, journal->buffer + journal->len, more);

	if (rc != 0)
		return rc;
	journal->len += more;
	journal->next_offset += more;
	journal->left -= more;
	return journal->len >= n ? 0 : -EBADMSG;
}

int journal_next(struct journal *journal, struct journal_change *change)
{
	struct disk_change disk;
	int rc;

	if (journal->changes_left == 0)
		return 0;
	rc = buffer_need(journal, sizeof(disk));
	if (rc != 0)
		return rc;
	memcpy(&disk, journal->buffer + journal->at, sizeof(disk));
	rc = buffer_need(journal, sizeof(disk) + disk.owner_len + disk.rdlen);
	if (rc != 0)
		return rc;
	const uint8_t *owner = journal->buffer + journal->at + sizeof(disk);

	// The sum was right: this is a program's error or an enemy's file; either way no bad byte
	// leaves here.
	if (name_len_checked(owner, disk.owner_len) != disk.owner_len ||
	    !rdata_valid(disk.type, owner + disk.owner_len, disk.rdlen))
		return -EBADMSG;
	*change = (struct journal_change){.added = disk.added != 0,
	    .owner_len = disk.owner_len,
	    .type = disk.type,
	    .rdlen = disk.rdlen,
	    .ttl = disk.ttl,
	    .owner = owner,
	    .rdata = owner + disk.owner_len};
	journal->at += sizeof(disk) + disk.owner_len + disk.rdlen;
	journal->changes_left--;
	return 1;
}
