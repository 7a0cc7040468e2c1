// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// All zones served, by apex: an open-addressed hash table with lock-free readers and one writer. It
// knows nothing of RCU: the writer gets back what it replaced and frees it after a grace period.
//
// Ordering. The writer fills a version, then publishes it by a release store (R1) of entry->version
// or of a table slot; readers load with acquire (A1 pairs with R1). Entries and slot arrays that
// were taken out stay valid until the writer frees them after its readers' grace period.
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qname.h"
#include "reader.h"

struct zone_entry {
	_Atomic(const struct zone_version *)
	    version;            // readers: acquire; writer: release. Never NULL.
	_Atomic uint32_t state; // enum zone_state; relaxed
	uint8_t apex_labels;
	uint8_t apex_len; // up to here in one line, for those who ask one of a million zones
	void *owner;      // the writer's own; readers never look
	_Atomic uint32_t
	    expires_at; // unix seconds modulo 2^32; 0: never; relaxed. For the EXPIRE option only.
	uint8_t apex[]; // lower case, apex_len bytes and WIDE_SLACK: a million zones are there
};
static_assert(offsetof(struct zone_entry, apex_len) < 16, "entries are at multiples of 16 bytes");
enum zone_state {
	ZONE_LIVE,
	ZONE_STALE,   // past its SOA's expire, served by the operator's grace: EDE tells
	ZONE_EXPIRED, // SERVFAIL
};

struct zone_table;

// Post: NULL when out of memory. `key` hashes the apexes; the same as the images' makes the
// readers' one hash serve both.
struct zone_table *zone_table_new(const struct hash_key *key);
void zone_table_free(struct zone_table *table); // not the versions

const struct hash_key *zone_table_key(const struct zone_table *table);

// Reader. The most labels, up to `labels_max`, that the apex of a zone has; 0: none has any. The
// hashes of that many of a question's labels are what the functions below look at.
unsigned zone_table_depth(const struct zone_table *table, unsigned labels_max);

// Reader. The entry with the longest apex of at most `labels_max` labels at or above `q`, or NULL;
// of as many labels as are hashed (a zone that came after zone_table_depth() is found next time).
// Pre: q hashed with zone_table_key().
const struct zone_entry *zone_table_find(
    const struct zone_table *table, const struct qname *q, unsigned labels_max);

// Reader. For bursts, so that many look-ups wait for memory together: the first starts to fetch the
// slots that zone_table_find() will look at, the second, a while later, the entry. Worth it where
// zone_table_is_large() (zone_table_probe.h). Pre: q hashed with zone_table_key().
void zone_table_prefetch(const struct zone_table *table, const struct qname *q);
void zone_table_prefetch_entry(const struct zone_table *table, const struct qname *q);

// Writer. Retired memory, each part NULL or to be freed after a grace period: entry and slots with
// free(), the version by whoever made it.
struct zone_retired {
	const struct zone_version *version;
	struct zone_entry *entry;
	void *slots;
};
// Adds the zone or swaps its version. Post: 0 or -ENOMEM (nothing changed).
int zone_table_set(struct zone_table *table, const uint8_t *apex,
    const struct zone_version *version, struct zone_retired *retired)
    __attribute__((warn_unused_result));
// Takes the zone out. Post: false when it was not there.
bool zone_table_remove(struct zone_table *table, const uint8_t *apex, struct zone_retired *retired);
// Writer: the entry of exactly this apex, or NULL.
struct zone_entry *zone_table_get(struct zone_table *table, const uint8_t *apex);
// Writer: every entry, any order. `position` starts at 0; NULL at the end. Removing the entry that
// was given last is allowed on the way, adding is not.
struct zone_entry *zone_table_next(struct zone_table *table, size_t *position);
size_t zone_table_count(const struct zone_table *table);
