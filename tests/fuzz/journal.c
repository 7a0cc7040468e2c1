// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A journal out of any bytes. Bit 0 of the first byte: the sums of what frames it (head, mark,
// steps, bodies) are mended first, so that the fuzzer reaches the changes. Whatever the file holds,
// every step that is listed follows the one before it, and every change that comes out is well
// formed. Then a step is appended: it stands at the end, and what was before it still reads the
// same. In memory: the file system is /dev/shm.

#include "journal_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"
#include "rdata.h"
#include "rotsum.h"
#include "rrtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example";
static char storage[64], path[PATH_MAX];

static void storage_make(void)
{
	char folder[80];

	if (storage[0] != '\0')
		return;
	snprintf(storage, sizeof(storage), "/dev/shm/fuzz-journal-%d", (int)getpid());
	snprintf(folder, sizeof(folder), "%s/journal", storage);
	must(mkdir(storage, 0700) == 0 || errno == EEXIST);
	must(mkdir(folder, 0700) == 0 || errno == EEXIST);
	must(journal_path(storage, apex, path) == 0);
}

// Sums and places as a writer would have them; sizes and counts stay the fuzzer's.
static void frame_mend(uint8_t *bytes, size_t size)
{
	struct disk_head head;
	struct disk_mark mark;
	struct disk_step step;

	if (size < JOURNAL_FIRST)
		return;
	memcpy(&head, bytes, sizeof(head));
	head.magic = JOURNAL_MAGIC;
	head.byte_order = JOURNAL_BYTE_ORDER;
	head.apex_len = sizeof(apex);
	memset(head.apex, 0, sizeof(head.apex));
	memcpy(head.apex, apex, sizeof(apex));
	head.checksum = journal_head_sum(&head);
	memcpy(bytes, &head, sizeof(head));
	memcpy(&mark, bytes + sizeof(head), sizeof(mark));
	mark.file_id = head.file_id;
	mark.checksum = journal_mark_sum(&mark);
	memcpy(bytes + sizeof(head), &mark, sizeof(mark));
	for (uint64_t at = mark.first < size ? mark.first : JOURNAL_FIRST;
	     at + sizeof(step) <= size; at += step.size) {
		memcpy(&step, bytes + at, sizeof(step));
		step.magic = JOURNAL_STEP_MAGIC;
		step.place = head.file_id + at;
		if (step.size < sizeof(step) || step.size > size - at)
			step.size = size - at;
		step.size &= ~(uint64_t)7;
		step.body_sum =
		    rotsum_of(bytes + at + sizeof(step), (size_t)step.size - sizeof(step));
		step.checksum = journal_step_sum(&step);
		memcpy(bytes + at, &step, sizeof(step));
	}
}

static void file_put(const uint8_t *bytes, size_t size)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

// Post: a sum over everything that could be read of the step.
static uint64_t step_read(struct journal *journal, const struct journal_step *step)
{
	uint64_t sum = 14695981039346656037u, changes = 0;
	struct journal_change change;
	int rc = journal_begin(journal, step);

	must(rc == 0 || rc == -EBADMSG);
	if (rc != 0)
		return 0;
	while ((rc = journal_next(journal, &change)) == 1) {
		must(name_len_checked(change.owner, change.owner_len) == change.owner_len);
		must(rdata_valid(change.type, change.rdata, change.rdlen));
		for (size_t i = 0; i < change.owner_len; i++)
			sum = (sum ^ change.owner[i]) * 1099511628211u;
		for (size_t i = 0; i < change.rdlen; i++)
			sum = (sum ^ change.rdata[i]) * 1099511628211u;
		changes++;
	}
	must(rc == 0 || rc == -EBADMSG);
	must(rc != 0 || changes == (uint64_t)step->removed + step->added);
	return sum;
}

// Post: the last step, all zeros when there is none; *whole: how many could be read from it back.
static struct journal_step journal_judge(uint64_t *sum)
{
	struct journal_step last = {0};
	char error[JOURNAL_ERROR_MAX];
	struct journal *journal;
	size_t count;
	const int rc = journal_open(storage, apex, &journal, error);

	*sum = 0;
	must(rc == 0 || rc == -EBADMSG || rc == -ENOENT);
	must((rc == 0) == (error[0] == '\0'));
	if (rc != 0)
		return last;
	const struct journal_step *steps = journal_steps(journal, &count);

	for (size_t i = 0; i < count; i++) {
		const struct journal_step *first;

		must(i == 0 || (steps[i].from == steps[i - 1].to &&
		                   steps[i].from_content == steps[i - 1].to_content));
		*sum = step_read(journal, &steps[i]);
		if (steps[i].from != steps[count - 1].to)
			must(journal_chain(journal, steps[i].from, steps[count - 1].to,
			         steps[count - 1].to_content, &first) > 0);
	}
	if (count > 0)
		last = steps[count - 1];
	journal_close(journal);
	return last;
}

static void append_judge(const struct journal_step *below)
{
	static const uint8_t address[4] = {192, 0, 2, 1};
	struct delta *delta = delta_new(apex, below->to);
	struct journal_entry *entry;
	struct journal_append append = {
	    .apex = apex, .limits = {.depth = 4, .usage = 1 << 20}, .entries = &entry, .count = 1};
	uint64_t sum;

	must(delta != NULL && delta_add(delta, true, apex, RRTYPE_A, 60, address, 4) == 0);
	delta->to = below->to + 1;
	must(journal_entry_new(delta, below->to_content, 4711, 1, 1 << 20, &entry) == 0);
	delta_free(delta);
	journal_append(storage, &append, 1);
	must(append.rc == 0);
	journal_entry_free(entry);
	const struct journal_step last = journal_judge(&sum);

	must(last.from == below->to && last.to == below->to + 1 && last.to_content == 4711);
	must(last.added == 1 && last.removed == 0 && sum != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sum;

	if (size < 1 || size > 65536)
		return 0;
	storage_make();
	const bool mend = (*data & 1) != 0;
	uint8_t *bytes = malloc(size);

	must(bytes != NULL);
	memcpy(bytes, data + 1, size - 1);
	if (mend)
		frame_mend(bytes, size - 1);
	file_put(bytes, size - 1);
	free(bytes);
	const struct journal_step last = journal_judge(&sum);

	append_judge(&last);
	unlink(path);
	return 0;
}
