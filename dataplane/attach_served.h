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

struct expiry {
	int64_t at;       // unix seconds; 0: never
	uint32_t grace_s; // so long before `at` the zone is stale
};

struct served_zone {
	struct zone_entry *entry; // its owner is this zone's index + 1
	struct expiry expiry;
	uint8_t state; // enum zone_state; what the version says
};

struct served_retired {
	struct zone_retired zone;
	struct zone_table *table; // replaced whole
};

struct served {
	_Atomic(struct zone_table *) *published; // workers: acquire (A3); attach: release (R3)
	struct zone_table *table;                // the same
	struct served_zone *zones;               // dense, any order
	size_t count, cap;
	size_t cursor; // a walk in progress: zones[0 .. cursor) were seen, and stay below it
	uint64_t generation_max;
	int64_t wall_offset; // of the wall clock from the monotonic one, seconds; 0: not known yet
	bool dirty;          // something changed since the last grace period
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
	return stored_version_of(zone->entry->version);
}

// Serves `version` from now on, stale or expired if `now` says so. Its hash key must be the
// table's, or the table empty. Post: 0 and the version is owned here; or -ENOMEM, -EINVAL (key) and
// nothing changed.
int served_set(struct served *served, struct stored_version *version, struct expiry expiry,
    int64_t now) __attribute__((nonnull, warn_unused_result));
// Stops serving the zone. Post: false when it was not served.
bool served_remove(struct served *served, const uint8_t *apex) __attribute__((nonnull));
// A new time of expiry.
void served_renew(struct served *served, struct served_zone *zone, struct expiry expiry,
    int64_t now) __attribute__((nonnull));
// Looks at every zone. Post: how many turned stale, and how many expired.
void served_expire(struct served *served, int64_t now, size_t *stale, size_t *expired)
    __attribute__((nonnull));
// The two clocks, in seconds: when somebody set the wall clock, no time has passed, and the expiry
// of all zones moves along. To be called before an expiry that was reckoned with the new one comes.
// Post: by how much it was set; 0: it was not.
int64_t served_clock(struct served *served, int64_t wall_s, int64_t mono_s)
    __attribute__((nonnull));

// When something changed: waits until every reader has seen it, then frees what was replaced.
void served_reclaim(struct served *served) __attribute__((nonnull));
