// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The counter page: the one piece of memory that the data plane's threads write while another
// process reads it (read-only, from the descriptor of SEAM_COUNTERS). It describes itself, so that
// its reader needs nothing of the data plane. Values are native 64-bit words, each written by one
// thread with relaxed stores; a reader may see one counter of an event and not yet the other.
//
//	header | row[row_count] | column[column_count] | values
//
// A row is a counter (words == 1) or a histogram (words == COUNTER_PAGE_BUCKETS); a column is a
// thread. Word w of row r in column c: values_offset + c * column_stride + 8 * (row[r].word + w).
#pragma once

#include <assert.h>
#include <stdint.h>

#define COUNTER_PAGE_MAGIC 0x4547415054435001u // "\x01PCTPAGE", in this machine's byte order
#define COUNTER_PAGE_NAME  48
#define COUNTER_PAGE_HELP  96

// Log-linear histograms: 8 buckets per power of two, so a value is known to 12.5 %.
#define COUNTER_PAGE_SUB_BITS 3
#define COUNTER_PAGE_OCTAVES  32 // values past 2^34 fall into the last bucket
#define COUNTER_PAGE_BUCKETS  ((COUNTER_PAGE_OCTAVES + 1) << COUNTER_PAGE_SUB_BITS)

struct counter_page_header {
	uint64_t magic;
	uint64_t size;             // bytes of the whole page
	uint64_t ticks_per_second; // histograms count ticks of the time stamp counter
	uint32_t row_count, row_offset;
	uint32_t column_count, column_offset;
	uint32_t values_offset, column_stride;
	uint32_t process_id, spare;
};
static_assert(sizeof(struct counter_page_header) == 56, "layout of the counter page");

struct counter_page_row {
	char name[COUNTER_PAGE_NAME]; // NUL-terminated, [a-z0-9_]
	char help[COUNTER_PAGE_HELP];
	uint32_t word;  // first word in a column
	uint32_t words; // 1, or COUNTER_PAGE_BUCKETS
};

struct counter_page_column {
	char name[COUNTER_PAGE_NAME]; // "worker-0", "tcp-0"
};

static inline unsigned counter_page_bucket(uint64_t value)
{
	if (value < 1u << COUNTER_PAGE_SUB_BITS)
		return (unsigned)value;
	unsigned top = 63 - (unsigned)__builtin_clzll(value);
	unsigned octave = top - COUNTER_PAGE_SUB_BITS + 1;
	if (octave > COUNTER_PAGE_OCTAVES)
		return COUNTER_PAGE_BUCKETS - 1;
	unsigned sub = (unsigned)(value >> (top - COUNTER_PAGE_SUB_BITS)) &
	               ((1u << COUNTER_PAGE_SUB_BITS) - 1);
	return octave << COUNTER_PAGE_SUB_BITS | sub;
}

// The smallest value that falls into the bucket.
static inline uint64_t counter_page_bucket_floor(unsigned bucket)
{
	unsigned octave = bucket >> COUNTER_PAGE_SUB_BITS;
	uint64_t sub = bucket & ((1u << COUNTER_PAGE_SUB_BITS) - 1);

	if (octave == 0)
		return sub;
	return (sub + (1u << COUNTER_PAGE_SUB_BITS)) << (octave - 1);
}
