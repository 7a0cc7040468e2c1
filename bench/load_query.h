// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What np-load asks: a list of names from a file or after a pattern, and a stream drawn from it by
// seed, shape and popularity. Used before the load starts, on one thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "load_random.h"
#include "name.h"

// What the answer to a query must look like. The word stands third on a line of a query file.
#define LOAD_EXPECTS(X)                \
	X(EXPECT_ANY, "any")           \
	X(EXPECT_ANSWER, "answer")     \
	X(EXPECT_REFERRAL, "referral") \
	X(EXPECT_NODATA, "nodata")     \
	X(EXPECT_NXDOMAIN, "nxdomain") \
	X(EXPECT_REFUSED, "refused")

enum load_expect {
#define X(id, word) id,
	LOAD_EXPECTS(X)
#undef X
	    LOAD_EXPECT_COUNT
};

// -EINVAL when the word is none of these.
int load_expect_from_text(const char *text, size_t len);

struct load_query {
	uint8_t name[NAME_LEN_MAX];
	uint8_t name_len;
	uint16_t type;
	enum load_expect expect;
};

// The names of a file, packed.
struct load_list {
	uint8_t *bytes; // owned; per entry: expect, name length, type (2), name
	size_t used, cap;
	uint64_t *at; // owned; offsets into bytes
	size_t count, at_cap;
};

// One line, "NAME [TYPE [EXPECTATION]]" (dnsperf's format and one word more). Type A when missing.
// Post: 1 and the query; 0 for an empty line or a comment; -EINVAL.
int load_query_parse(const char *line, size_t len, struct load_query *query)
    __attribute__((warn_unused_result));

int load_list_add(struct load_list *list, const struct load_query *query)
    __attribute__((warn_unused_result));
void load_list_get(const struct load_list *list, size_t index, struct load_query *query);
// Post: 0; or -errno, and *line is the line that is wrong (0: the file cannot be read).
int load_list_read(struct load_list *list, const char *path, unsigned *line)
    __attribute__((warn_unused_result));
// "TEXT#TEXT:COUNT[:TYPE[:EXPECTATION]]": the names with 0 to COUNT - 1 for the '#', of at least as
// many digits as there are '#'s. Type A when missing. Post: 0, -EINVAL or -ENOMEM.
int load_list_generate(struct load_list *list, const char *pattern)
    __attribute__((warn_unused_result));
void load_list_free(struct load_list *list);

enum load_shape {
	SHAPE_HIT,      // the name as it stands in the list
	SHAPE_REFERRAL, // a random label in front of it, where the list has delegations
	SHAPE_NXDOMAIN, // a random label instead of its first
	SHAPE_RANDOM,   // a random label in front of it; what the answer is, is the zone's own
	                // business
	LOAD_SHAPE_COUNT
};

enum load_order { ORDER_SEQUENCE, ORDER_UNIFORM, ORDER_ZIPF };

struct load_stream_options {
	uint64_t seed;
	unsigned weight[LOAD_SHAPE_COUNT]; // not all 0
	enum load_order order;
	double zipf_exponent;
};

// "hit:40,referral:30,nxdomain:30". Post: 0 or -EINVAL.
int load_mix_parse(const char *text, unsigned weight[LOAD_SHAPE_COUNT]);

struct load_stream {
	const struct load_list *list; // borrowed
	struct load_stream_options options;
	struct load_random random;
	unsigned weight_sum;
	size_t next;
	double *cumulative; // Zipf: share of the names up to this rank; else NULL
};

// Pre: the list is not empty and outlives the stream. Post: 0 or -ENOMEM.
int load_stream_open(struct load_stream *stream, const struct load_list *list,
    const struct load_stream_options *options) __attribute__((warn_unused_result));
void load_stream_close(struct load_stream *stream);
void load_stream_next(struct load_stream *stream, struct load_query *query);
