// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that are served, as their one writer sees them: the zone table that workers read, a
// dense list to walk, when each expires, and what was replaced and waits for its grace period.
// Attach thread only (the main thread before that one starts).
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "version_store.h"
#include "zone_table.h"

#define RETIRED_MAX 4096 // what one grace period frees at most

struct served_zone {
	struct zone_entry *entry; // its owner is this zone's index + 1
	int64_t expires_at;       // unix seconds; 0: never
	bool expired;             // what the entry's state says
};

struct served_retired {
	struct zone_retired zone;
	struct zone_table *table; // replaced whole
};

struct served {
	_Atomic(struct zone_table *) *published; // workers: acquire (A4); attach: release (R4)
	struct zone_table *table;                // the same
	struct served_zone *zones;               // dense, any order
	size_t count, cap;
	size_t cursor; // a walk in progress: zones[0 .. cursor) were seen, and stay below it
	uint64_t generation_max;
	bool dirty; // something changed since the last grace period
	size_t retired_count;
	struct served_retired retired[RETIRED_MAX];
};

// Makes an empty table and publishes it. Post: 0 or -ENOMEM.
int served_open(struct served *served, _Atomic(struct zone_table *) *published,
    const struct hash_key *key) __attribute__((nonnull, warn_unused_result));
// Pre: no reader is left.
void served_close(struct served *served) __attribute__((nonnull));

// NULL when the zone is not served.
struct served_zone *served_get(struct served *served, const uint8_t *apex) __attribute__((nonnull));

static inline struct stored_version *served_version(const struct served_zone *zone)
{
	return stored_version_of(atomic_load_explicit(&zone->entry->version, memory_order_relaxed));
}

// Serves `version` from now on, expired if `now` says so. Its hash key must be the table's, or the
// table empty. Post: 0 and the version is owned here; or -ENOMEM, -EINVAL (key) and nothing
// changed.
int served_set(struct served *served, struct stored_version *version, int64_t expires_at,
    int64_t now) __attribute__((nonnull, warn_unused_result));
// Stops serving the zone. Post: false when it was not served.
bool served_remove(struct served *served, const uint8_t *apex) __attribute__((nonnull));
// A new time of expiry.
void served_renew(struct served *served, struct served_zone *zone, int64_t expires_at, int64_t now)
    __attribute__((nonnull));
// Looks at every zone. Post: how many turned from live to expired.
size_t served_expire(struct served *served, int64_t now) __attribute__((nonnull));

// When something changed: waits until every reader has seen it, then frees what was replaced.
void served_reclaim(struct served *served) __attribute__((nonnull));
