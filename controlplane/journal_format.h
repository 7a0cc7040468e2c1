// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A journal's file, byte by byte; internal to journal*.c. Host byte order.
//
//	disk_head | disk_mark | step | step | ...
//	step: disk_step | changes, each struct disk_change, owner, rdata | zeros up to a multiple of
// 8
//
// A step counts when its head's sum is right and its body lies below the mark's `committed` (it
// was durable before the mark was written) or has the right sum. Every sum is a rotsum.
#pragma once

#include <assert.h>
#include <limits.h>
#include <stdint.h>

#include "journal.h"
#include "name.h"

#define JOURNAL_MAGIC      0x314c4e524a4e0a8du // 8d 0a "NJRNL1"
#define JOURNAL_STEP_MAGIC 0x50455453          // "STEP"
#define JOURNAL_BYTE_ORDER 0x01020304u
#define JOURNAL_FIRST      ((uint64_t)320) // the first step's offset

struct disk_head {
	uint64_t magic;
	uint32_t byte_order;
	uint32_t apex_len;
	uint64_t file_id;  // random
	uint64_t checksum; // of the head with this field 0
	uint8_t apex[256]; // lower case, zeros behind it
};
static_assert(sizeof(struct disk_head) == 288, "no padding");

// Rewritten in place. Broken: all steps are judged from the first on.
struct disk_mark {
	uint64_t first;     // where the first step stands that still counts
	uint64_t committed; // what lies before is durable
	uint64_t file_id;
	uint64_t checksum; // of the mark with this field 0
};
static_assert(sizeof(struct disk_mark) == 32, "no padding");
static_assert(sizeof(struct disk_head) + sizeof(struct disk_mark) == JOURNAL_FIRST, "neighbours");

struct disk_step {
	uint32_t magic;
	uint32_t versions;
	uint64_t checksum; // of the head with this field 0
	uint64_t place;    // file_id + offset: it is no leftover of another file
	uint64_t size;     // of the whole step
	uint64_t body_sum;
	uint64_t from_content, to_content;
	int64_t when_ms;
	uint32_t from, to;
	uint32_t removed, added;
};
static_assert(sizeof(struct disk_step) == 80, "no padding");

struct disk_change {
	uint32_t ttl;
	uint16_t type, rdlen;
	uint8_t added, owner_len;
} __attribute__((packed));
static_assert(sizeof(struct disk_change) == 10, "unaligned");

struct journal {
	int fd;
	uint64_t file_id;
	uint64_t size; // of the file
	uint64_t end;  // of the last step that counts
	struct disk_mark mark;
	struct journal_step *steps; // owned
	size_t count, cap;
	// The step being read: what was read of its body, and what not yet.
	uint8_t *buffer; // owned
	size_t at, len;
	uint64_t next_offset, left;
	uint64_t changes_left;
};

#define JOURNAL_BUFFER ((size_t)256 * 1024) // the longest change fits
static_assert(sizeof(struct disk_change) + NAME_LEN_MAX + UINT16_MAX <= JOURNAL_BUFFER, "it does");

int journal_path(const char *storage, const uint8_t *apex, char out[PATH_MAX]);
uint64_t journal_head_sum(const struct disk_head *head);
uint64_t journal_mark_sum(const struct disk_mark *mark);
uint64_t journal_step_sum(const struct disk_step *step);
// Post: 0; -EBADMSG; or another -errno.
int journal_read_at(int fd, uint64_t offset, void *bytes, size_t len);
int journal_body_check(const struct journal *journal, uint64_t offset, uint64_t size, uint64_t sum);
