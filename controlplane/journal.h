// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The journal: the differences between a zone's versions, one file a zone, STORAGE/journal/*.jnl.
// A version may be reached from an older one by the steps between them; IXFR is answered from here
// (RFC 1995). Losing a journal loses no zone: who asks gets the whole of it.
//
// A version is named by its serial and by its content's number (version.content), because two
// versions may share a serial. Steps follow each other: each begins where the one before it ended.
// What was left behind by a rollback or a crash stands behind the step that leads to the version
// served, is never part of a chain to it, and goes with the next append.
//
// Files are written by one thread at a time and read by any number beside it: what a reader has
// open is only ever appended to. Every call does disk I/O: never on the loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delta.h"

#define JOURNAL_ERROR_MAX 256

struct journal;

// One difference of a journal.
struct journal_step {
	uint32_t from, to;                 // serials
	uint64_t from_content, to_content; // never 0
	int64_t when_ms;                   // wall clock
	uint32_t removed, added;           // changes, SOAs among them
	uint32_t versions;                 // that the primary's difference passed through
	uint64_t size;                     // bytes on disk
	uint64_t offset;                   // the journal's own
};

// One record that goes or comes. All pointers are valid until the next call with the journal.
struct journal_change {
	bool added;
	uint8_t owner_len;
	uint16_t type, rdlen;
	uint32_t ttl;
	const uint8_t *owner; // wire form, case kept
	const uint8_t *rdata; // uncompressed
};

// --- reading (journal.c)
// --------------------------------------------------------------------------

// Post: 0 and *out; -ENOENT: the zone has none; -EBADMSG: it is broken from its first bytes on;
// or another -errno. `error` holds one sentence when not 0. What is broken behind good steps is
// left out.
int journal_open(const char *storage, const uint8_t *apex, struct journal **out,
    char error[JOURNAL_ERROR_MAX]) __attribute__((warn_unused_result));
void journal_close(struct journal *journal); // NULL is accepted

// Oldest first; borrowed from the journal.
const struct journal_step *journal_steps(const struct journal *journal, size_t *count);

// The steps from a version with serial `from` to the version `to` with that content (0: whatever
// its content). Post: their number, and *first; 0 when they are not all there (or from is to).
size_t journal_chain(const struct journal *journal, uint32_t from, uint32_t to, uint64_t content,
    const struct journal_step **first);

// Begins to read a step: its bytes are read once and judged. Post: 0; -EBADMSG when they are not
// what was written; or another -errno.
int journal_begin(struct journal *journal, const struct journal_step *step)
    __attribute__((warn_unused_result));
// The next change, in the order of the difference: the SOA that goes, what goes, the SOA that
// comes, what comes, and so again for each version it passed through (RFC 1995 4). Memory does not
// grow with the step. Post: 1; 0 at the end; -EBADMSG or another -errno.
int journal_next(struct journal *journal, struct journal_change *change)
    __attribute__((warn_unused_result));

// --- writing (journal_write.c)
// --------------------------------------------------------------------

struct journal_limits {
	uint32_t depth; // steps
	uint64_t usage; // bytes of the file
};

// A step as it is written; made on any thread.
struct journal_entry {
	struct journal_step step;
	uint8_t *bytes; // owned; step.size of them, a head among them
};

// Pre: the difference is complete: its SOAs stand where RFC 1995 4 has them; contents are not 0.
// Post: 0 and *out; -EFBIG when it takes more than `size_max` bytes; -ENOMEM.
int journal_entry_new(const struct delta *delta, uint64_t from_content, uint64_t to_content,
    int64_t when_ms, uint64_t size_max, struct journal_entry **out)
    __attribute__((warn_unused_result));
void journal_entry_free(struct journal_entry *entry); // NULL is accepted

// Steps for one zone's journal.
struct journal_append {
	const uint8_t *apex;
	struct journal_limits limits;
	struct journal_entry *const *entries; // each begins where the one before it ends
	size_t count;                         // at least 1
	int rc; // Post: 0; -EFBIG: the last one alone is past the limits, and the journal is gone;
	        // or another -errno, the journal is as it was
	struct {
		int fd; // -1: nothing is under way
		bool anew;
		uint64_t file_id, first, committed;
	} work; // the call's own
};

// Makes the steps durable, each zone's behind the one that leads to where they begin; where there
// is none, the journal begins anew. Steps past the limits go, the oldest first. May be repeated
// after an error. Pre: no two appends are for the same zone. What many zones have to write is
// synced at once.
void journal_append(const char *storage, struct journal_append *appends, size_t count);
// Removes a zone's journal, if there is one.
void journal_remove(const char *storage, const uint8_t *apex);
// Removes all journals of zones that `wanted` does not know.
void journal_sweep(const char *storage, bool (*wanted)(void *ctx, const uint8_t *apex), void *ctx);
