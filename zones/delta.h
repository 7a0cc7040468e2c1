// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The difference between two versions of a zone, as an incremental transfer brings it (RFC 1995):
// collected in order of arrival, then applied to the version it starts from. Owned by one thread at
// a time.
//
// Applying is strict: a removal of what is not there and an addition of what is there already mean
// that the two sides do not agree about the version before, and nothing of the difference is taken.
// Records are the same when owner, type and rdata are, ASCII case of names aside; the TTL is not
// compared. All records of an RRset have the TTL of the last one added to it (RFC 2181 5.2).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"
#include "records.h"

#define DELTA_ERROR_MAX RECORDS_ERROR_MAX

struct delta {
	uint32_t from, to; // serials
	unsigned steps;    // versions passed through, at least 1 when complete
	// Removals and additions in order of arrival, the SOAs of each step among them. Owned.
	struct records *changes;
	uint8_t *added; // owned; one byte for each change: 1 added, 0 removed
	size_t added_cap;
};

// NULL when out of memory.
struct delta *delta_new(const uint8_t *apex, uint32_t from) __attribute__((warn_unused_result));
void delta_free(struct delta *delta); // NULL is accepted

// Pre and post as records_add(): 0, -ENOMEM, or -ERANGE when the owner is outside the zone.
int delta_add(struct delta *delta, bool added, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen) __attribute__((warn_unused_result));

// `delta` NULL: nothing changes. Post: 0, and *out holds the records of the version after, sorted
// (the caller owns them, nothing in them is borrowed); or -ENOMEM; or -EINVAL and one sentence in
// `error`. Time is proportional to the zone; memory to the zone and the difference.
int delta_apply(const struct delta *delta, const struct zone_version *base, struct records **out,
    char error[DELTA_ERROR_MAX]) __attribute__((warn_unused_result));

// The same one name at a time, for who does not want the whole version. `out` takes what each call
// appends; both are borrowed until delta_walk_close().
struct delta_walk;
// `delta` NULL: there are only names to copy. Post: 0; -EINVAL (the difference starts elsewhere) or
// -ENOMEM and `error`.
int delta_walk_open(const struct delta *delta, const struct zone_version *base, struct records *out,
    char error[DELTA_ERROR_MAX], struct delta_walk **walk) __attribute__((warn_unused_result));
// The owner whose changes come next, in canonical order; NULL at the end.
const uint8_t *delta_walk_owner(const struct delta_walk *walk);
// Appends the records that this owner has after its changes, and moves on. `ref`: its node, NULL
// when it has none. Post: as delta_apply().
int delta_walk_change(struct delta_walk *walk, struct node_ref ref)
    __attribute__((warn_unused_result));
// Appends the records of a node that nothing changes. Post: as delta_apply().
int delta_walk_copy(struct delta_walk *walk, struct node_ref ref)
    __attribute__((warn_unused_result));
void delta_walk_close(struct delta_walk *walk); // NULL is accepted

// What leads from one version to the other (delta_between.c), in the order in which a transfer has
// it: the SOA that goes, what goes, the SOA that comes, what comes; each in canonical order of
// names. The order of records in an RRset and the case of owners say nothing. A TTL that changes
// takes all records of its RRset.
// Pre: versions of one zone. Post: 0 and *out, the caller's; -EFBIG when it would have more than
// `records_max` records or take more than about `bytes_max` bytes of memory; it has not taken them
// then; -ENOMEM. Time is proportional to both versions.
int delta_between(const struct zone_version *before, const struct zone_version *after,
    uint64_t records_max, size_t bytes_max, struct delta **out) __attribute__((warn_unused_result));
