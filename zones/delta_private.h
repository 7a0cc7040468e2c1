// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A difference that is being found, name by name: what delta_between() and seen_delta() share.
#pragma once

#include "delta.h"

struct delta_entry {
	const uint8_t *rdata;
	uint32_t ttl;
	uint16_t type, rdlen;
};

struct delta_entries {
	struct delta_entry *items; // owned
	size_t count, cap;
};

struct delta_search {
	struct delta *delta;
	size_t bytes, bytes_max;
	uint64_t count, count_max;
	size_t bytes_kept;                  // what comes on top is only counted
	struct delta_entries before, after; // of one name
};

// Post of all: 0, -ENOMEM, or -EFBIG past one of the search's bounds.
int delta_entry_add(struct delta_entries *entries, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen) __attribute__((warn_unused_result));
// The records of a node.
int delta_entries_take(struct delta_entries *entries, struct node_ref ref)
    __attribute__((warn_unused_result));
// What differs between `before` and `after` of the search; sorts them. `respelt`: all does.
int delta_entries_differ(struct delta_search *search, const uint8_t *owner_before,
    const uint8_t *owner_after, bool respelt) __attribute__((warn_unused_result));
// The SOA that goes, what goes, the SOA that comes, what comes (RFC 1995 4).
int delta_order(struct delta *delta) __attribute__((warn_unused_result));
