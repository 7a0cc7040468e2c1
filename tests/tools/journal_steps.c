// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// For tests that kill a writer or make its disk fail:
//
//	journal_steps write STORAGE FROM COUNT [DEPTH]   appends steps FROM>FROM+1, ... one by one;
//	                                                 prints each that is durable
//	journal_steps judge STORAGE FROM REPORTED DEPTH  what must be there when a writer that began
//	                                                 with FROM has reported so many: all of
// them, 	                                                 at most one more, whole, without a
// gap, and 	                                                 as many as DEPTH keeps; and another
// finds its 	                                                 place behind them
//
// Each step has an address of its own number, so that a reader knows what must be in it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"
#include "rrtype.h"

static const uint8_t apex[] = "\7example";

static struct journal_entry *entry_of(uint32_t from)
{
	const uint8_t address[4] = {
	    (uint8_t)(from >> 24), (uint8_t)(from >> 16), (uint8_t)(from >> 8), (uint8_t)from};
	struct delta *delta = delta_new(apex, from);
	struct journal_entry *entry = NULL;

	if (delta == NULL || delta_add(delta, true, apex, RRTYPE_A, 60, address, 4) != 0)
		abort();
	delta->to = from + 1;
	delta->steps = 1;
	if (journal_entry_new(delta, from, from + 1, 1, UINT64_MAX, &entry) != 0)
		abort();
	delta_free(delta);
	return entry;
}

static int steps_write(const char *storage, uint32_t from, uint32_t count, uint32_t depth)
{
	char line[32];

	for (uint32_t i = 0; i < count; i++) {
		struct journal_entry *entry = entry_of(from + i);
		struct journal_append append = {.apex = apex,
		    .limits = {.depth = depth, .usage = 1 << 20},
		    .entries = &entry,
		    .count = 1};

		journal_append(storage, &append, 1);
		journal_entry_free(entry);
		if (append.rc != 0) {
			fprintf(stderr, "%u: %s\n", from + i, strerror(-append.rc));
			return 1;
		}
		// At once, whatever kills us next.
		const int len = snprintf(line, sizeof(line), "%u>%u\n", from + i, from + i + 1);

		if (write(STDOUT_FILENO, line, (size_t)len) != len)
			return 1;
	}
	return 0;
}

// Post: false when there is something else in it.
static bool step_good(struct journal *journal, const struct journal_step *step)
{
	struct journal_change change;

	if (journal_begin(journal, step) != 0 || journal_next(journal, &change) != 1)
		return false;
	return change.added && change.rdlen == 4 &&
	       ((uint32_t)change.rdata[0] << 24 | (uint32_t)change.rdata[1] << 16 |
	           (uint32_t)change.rdata[2] << 8 | change.rdata[3]) == step->from &&
	       journal_next(journal, &change) == 0;
}

// Post: where the steps end, or 0 and why on stderr.
static uint32_t steps_end(const char *storage, uint32_t begun, uint32_t least, uint32_t depth)
{
	char error[JOURNAL_ERROR_MAX];
	const struct journal_step *steps;
	struct journal *journal;
	uint32_t end = 1;
	size_t count;
	const int rc = journal_open(storage, apex, &journal, error);

	if (rc == -ENOENT)
		return least == 1 ? end : 0;
	if (rc != 0) {
		fprintf(stderr, "%s\n", error);
		return 0;
	}
	steps = journal_steps(journal, &count);
	for (size_t i = 0; i < count; i++) {
		if (!step_good(journal, &steps[i])) {
			fprintf(stderr, "step %u>%u is broken\n", steps[i].from, steps[i].to);
			end = 0;
		}
		if (end != 0)
			end = steps[i].to; // journal.c holds that they follow each other
	}
	journal_close(journal);
	const uint32_t kept = end - 1 < depth ? end - 1 : depth;

	if (end < least || end > least + 1 || count < kept) {
		fprintf(stderr, "begun at %u: it ends at %u, not %u, with %zu steps\n", begun, end,
		    least, count);
		return 0;
	}
	return end;
}

static int steps_judge(const char *storage, uint32_t from, uint32_t reported, uint32_t depth)
{
	const uint32_t end = steps_end(storage, from, from + reported, depth);

	if (end == 0 || steps_write(storage, end, 1, depth) != 0)
		return 1;
	return steps_end(storage, end, end + 1, depth) == end + 1 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && strcmp(argv[1], "write") == 0)
		return steps_write(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
		    argc > 5 ? (uint32_t)atoi(argv[5]) : 20);
	if (argc == 6 && strcmp(argv[1], "judge") == 0)
		return steps_judge(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
		    (uint32_t)atoi(argv[5]));
	fprintf(stderr, "usage: journal_steps write STORAGE FROM COUNT [DEPTH]\n"
	                "       journal_steps judge STORAGE FROM REPORTED DEPTH\n");
	return 2;
}
