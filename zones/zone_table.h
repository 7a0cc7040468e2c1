// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// All zones served, by apex: an open-addressed hash table with lock-free readers and one writer. It
// knows nothing of RCU: the writer gets back what it replaced and frees it after a grace period.
//
// Ordering. A slot leads to a version, and that to the zone's entry. The writer fills a version,
// entry and all, then publishes it by a release store to the slot (R1); readers load that with
// acquire (A1): what they see of version and entry is whole. A slot's hash is written once, before
// the first version: a reader may compare it first (relaxed) and then finds a version of that hash
// or, a moment too early, none; or load the version first, and then finds its hash. An array of
// slots is filled, then published by a release store (R2, A2). A reader within an old array finds
// in it what was there when it was replaced: older versions, never newer ones than one who looks
// into the new one; and no reader comes back from that. A zone's state is in its version and, as
// far as it counts there, in what the slot says beside that (zone_lead.h), one after the other: a
// reader goes by either. Versions, entries and arrays that were
// taken out stay valid until the writer frees them after its readers' grace period; who was in an
// old array before that is waited for as well.
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qname.h"
#include "reader.h"

// What of a zone outlives its versions. Few queries come by it.
struct zone_entry {
	struct zone_version *version; // writer's own, as the next: what the slot leads to
	void *owner;                  // whose caller's
	_Atomic uint32_t
	    expires_at; // unix seconds modulo 2^32; 0: never; relaxed. For the EXPIRE option only.
	uint8_t apex_labels, apex_len;
	uint8_t apex[]; // lower case, apex_len bytes and WIDE_SLACK: a million zones are there
};
enum zone_state { // zone_version.state
	ZONE_LIVE,
	ZONE_STALE,   // past its SOA's expire, served by the operator's grace: EDE tells
	ZONE_EXPIRED, // SERVFAIL
};

struct zone_table;

// Post: NULL when out of memory. `key` hashes the apexes; the same as the images' makes the
// readers' one hash serve both.
struct zone_table *zone_table_new(const struct hash_key *key);
void zone_table_free(struct zone_table *table); // not the versions, which are still there

const struct hash_key *zone_table_key(const struct zone_table *table);

// Reader. The most labels, up to `labels_max`, that the apex of a zone has; 0: none has any. The
// hashes of that many of a question's labels are what the functions below look at.
unsigned zone_table_depth(const struct zone_table *table, unsigned labels_max);

// Reader. The version of the zone with the longest apex of at most `labels_max` labels at or above
// `q`, or NULL; of as many labels as are hashed (a zone that came after zone_table_depth() is found
// next time). Pre: q hashed with zone_table_key().
const struct zone_version *zone_table_find(
    const struct zone_table *table, const struct qname *q, unsigned labels_max);

// Reader. For bursts, so that many look-ups wait for memory together: the first starts to fetch the
// slots that zone_table_find() will look at, the second, a while later, the version. Worth it where
// zone_table_is_large() (zone_table_probe.h). Pre: q hashed with zone_table_key().
void zone_table_prefetch(const struct zone_table *table, const struct qname *q);
void zone_table_prefetch_version(const struct zone_table *table, const struct qname *q);

// Writer. Retired memory, each part NULL or to be freed after a grace period: entry and slots with
// free(), the version by whoever made it.
struct zone_retired {
	struct zone_version *version;
	struct zone_entry *entry;
	void *slots;
};
// Adds the zone or swaps its version, whose state is that of the one before, or ZONE_LIVE. Pre: no
// other zone has that version, in no table. Post: 0 or -ENOMEM (nothing changed).
int zone_table_set(struct zone_table *table, const uint8_t *apex, struct zone_version *version,
    struct zone_retired *retired) __attribute__((warn_unused_result));
// Makes it the state of the zone's version, and of those that come after it.
void zone_table_state(struct zone_table *table, struct zone_entry *entry, enum zone_state state);
// Takes the zone out. Post: false when it was not there.
bool zone_table_remove(struct zone_table *table, const uint8_t *apex, struct zone_retired *retired);
// Writer: the entry of exactly this apex, or NULL.
struct zone_entry *zone_table_get(struct zone_table *table, const uint8_t *apex);
// Writer: every entry, any order. `position` starts at 0; NULL at the end. Removing the entry that
// was given last is allowed on the way, adding is not.
struct zone_entry *zone_table_next(struct zone_table *table, size_t *position);
size_t zone_table_count(const struct zone_table *table);
