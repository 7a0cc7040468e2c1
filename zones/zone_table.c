// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// All zones served, by apex. Called by the attach thread (the one writer) and by workers and TCP
// threads (readers, inside their RCU read side).
//
// Open addressing with linear probing in an array of a power of two, at most half full, from the
// begin of a line of slots on: nearly all that is found, and that is not, is decided by one cache
// line. A slot of an array lives once: free, then one zone's, then a tombstone for good. So a
// reader that has seen a version (acquire) sees the hash beside it. Tombstones go when the array is
// built anew, which growth and enough removals cause; a reader in the old array still finds all
// that was there when it was replaced.
//
// find() probes only the depths at which zones exist: an authoritative node has zones with one, two
// and three labels and is asked for names of five.

#include "zone_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hugepage.h"
#include "wide.h"
#include "zone_table_probe.h"

#define SLOTS_MIN 16 // a power of two

// What stands in a slot whose zone was taken out: no apex is as short, and who looks at hash,
// labels and state alone, as dns_plain.c does, finds that it is not live.
static struct zone_version tombstone = {.state = ZONE_EXPIRED};

static struct slots *slots_new(size_t size)
{
	const size_t bytes = sizeof(struct slots) + size * sizeof(struct slot);
	struct slots *slots = aligned_alloc(_Alignof(struct slots), bytes);

	if (slots == NULL)
		return NULL;
	hugepage_advise(slots, bytes); // of a large one no page was touched yet
	memset(slots, 0, bytes);
	slots->mask = size - 1;
	return slots;
}

// The first free slot of the hash's run. Pre: not full.
static struct slot *slots_free_slot(struct slots *slots, uint64_t hash)
{
	size_t i = slots_home(slots, hash);

	while (atomic_load_explicit(&slots->slot[i].lead, memory_order_relaxed) != 0)
		i = (i + 1) & slots->mask;
	return &slots->slot[i];
}

static void slot_fill(struct slots *slots, uint64_t hash, uint64_t lead)
{
	struct slot *slot = slots_free_slot(slots, hash);

	atomic_store_explicit(&slot->hash, hash, memory_order_relaxed);
	atomic_store_explicit(&slot->lead, lead, memory_order_release); // R1
	slots->used++;
}

// A slot and what stood in it when it was looked at: a reader that looked again might see the zone
// taken out.
struct found {
	struct slot *slot;
	struct zone_version *version; // NULL: none
};

// A version of the zone with that apex? Pre: its hash is the same.
static inline bool version_is_of(
    const struct zone_version *version, const uint8_t *apex, unsigned len)
{
	return version->apex_len == len && wide_equal(version->entry->apex, apex, len);
}

// The version of exactly this apex. Bounded by the array's size: at least half of it is free.
static __attribute__((noinline)) struct found slots_find(
    struct slots *slots, uint64_t hash, const uint8_t *apex, unsigned len)
{
	for (size_t i = slots_home(slots, hash);; i = (i + 1) & slots->mask) {
		struct slot *slot = &slots->slot[i];
		struct zone_version *version =
		    lead_version(atomic_load_explicit(&slot->lead, memory_order_acquire)); // A1

		if (version == NULL)
			return (struct found){0};
		if (atomic_load_explicit(&slot->hash, memory_order_relaxed) == hash &&
		    version_is_of(version, apex, len))
			return (struct found){slot, version};
	}
}

struct zone_table *zone_table_new(const struct hash_key *key)
{
	struct zone_table *table = calloc(1, sizeof(*table));
	struct slots *slots = slots_new(SLOTS_MIN);

	if (table == NULL || slots == NULL) {
		free(slots);
		free(table);
		return NULL;
	}
	table->key = *key;
	atomic_init(&table->slots, slots);
	return table;
}

void zone_table_free(struct zone_table *table)
{
	struct zone_entry *entry;
	size_t position = 0;

	if (table == NULL)
		return;
	while ((entry = zone_table_next(table, &position)) != NULL)
		free(entry);
	free(atomic_load_explicit(&table->slots, memory_order_relaxed));
	free(table);
}

const struct hash_key *zone_table_key(const struct zone_table *table)
{
	return &table->key;
}

// The largest n <= labels that has a zone, or -1.
static inline int depth_below(const struct zone_table *table, int labels)
{
	uint64_t bits;

	if (labels >= 64) {
		bits = atomic_load_explicit(&table->depths[1], memory_order_relaxed);
		bits &= UINT64_MAX >> (127 - labels);
		if (bits != 0)
			return 127 - __builtin_clzll(bits);
		labels = 63;
	}
	bits = atomic_load_explicit(&table->depths[0], memory_order_relaxed);
	bits &= UINT64_MAX >> (63 - labels);
	return bits != 0 ? 63 - __builtin_clzll(bits) : -1;
}

unsigned zone_table_depth(const struct zone_table *table, unsigned labels_max)
{
	const int depth = depth_below(table, (int)labels_max);

	return depth > 0 ? (unsigned)depth : 0;
}

// Pre: labels <= q->hashed.
static __attribute__((noinline)) const struct zone_version *table_search(
    const struct zone_table *table, const struct qname *q, int labels)
{
	struct slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire); // A2

	// Bounded by the depths present, at most NAME_LABELS_MAX + 1.
	while ((labels = depth_below(table, labels)) >= 0) {
		const struct zone_version *version = slots_find(slots, q->hash[labels],
		    q->lower + q->start[labels], (unsigned)q->len - q->start[labels])
		                                         .version;
		if (version != NULL)
			return version;
		if (--labels < 0)
			break;
	}
	return NULL;
}

const struct zone_version *zone_table_find(
    const struct zone_table *table, const struct qname *q, unsigned labels_max)
{
	const unsigned labels = q->hashed < labels_max ? q->hashed : labels_max;
	const struct zone_version *version =
	    lead_version(slots_probe(zone_table_slots(table), q->hash[labels]).lead);
	const unsigned start = q->start[labels], len = q->len - start;

	if (version != NULL && version_is_of(version, q->lower + start, len))
		return version;
	return table_search(table, q, (int)labels);
}

void zone_table_prefetch(const struct zone_table *table, const struct qname *q)
{
	struct slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire); // A2
	int labels;

	labels = depth_below(table, q->hashed);
	// Bounded by the depths present, as zone_table_find().
	for (; labels >= 0; labels = labels > 0 ? depth_below(table, labels - 1) : -1)
		__builtin_prefetch(&slots->slot[slots_home(slots, q->hash[labels])]);
}

void zone_table_prefetch_version(const struct zone_table *table, const struct qname *q)
{
	struct slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire); // A2
	int labels = depth_below(table, q->hashed);

	for (; labels >= 0; labels = labels > 0 ? depth_below(table, labels - 1) : -1) {
		const struct zone_version *version =
		    lead_version(slots_probe(slots, q->hash[labels]).lead);

		if (version != NULL && version != &tombstone) {
			__builtin_prefetch(version);
			return;
		}
	}
}

static void depth_count(struct zone_table *table, unsigned labels, bool added)
{
	_Atomic uint64_t *word = &table->depths[labels >> 6];
	uint64_t bits = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t bit = UINT64_C(1) << (labels & 63);

	table->count += added ? 1 : -(size_t)1;
	table->at_depth[labels] += added ? 1 : -(size_t)1;
	bits = table->at_depth[labels] != 0 ? bits | bit : bits & ~bit;
	atomic_store_explicit(word, bits, memory_order_relaxed);
}

// Makes room for one entry more. Post: 0 and *retired the array that readers may still be in, or
// NULL; or -ENOMEM.
static int slots_make_room(struct zone_table *table, void **retired)
{
	struct slots *old = atomic_load_explicit(&table->slots, memory_order_relaxed);
	size_t size = old->mask + 1;

	*retired = NULL;
	if (old->used < size / 2)
		return 0;
	// A quarter full at most after it: the next time is far, however many were tombstones.
	while (table->count >= size / 4)
		size *= 2;

	struct slots *slots = slots_new(size);

	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i <= old->mask; i++) {
		const uint64_t lead =
		    atomic_load_explicit(&old->slot[i].lead, memory_order_relaxed);

		if (lead != 0 && lead_version(lead) != &tombstone)
			slot_fill(slots,
			    atomic_load_explicit(&old->slot[i].hash, memory_order_relaxed), lead);
	}
	atomic_store_explicit(&table->slots, slots, memory_order_release); // R2
	*retired = old;
	return 0;
}

static struct zone_entry *entry_new(const uint8_t *apex, size_t len)
{
	struct zone_entry *entry = calloc(1, sizeof(*entry) + len + WIDE_SLACK);

	if (entry == NULL)
		return NULL;
	entry->apex_len = (uint8_t)len;
	entry->apex_labels = (uint8_t)name_labels(apex);
	name_lower(entry->apex, apex, len);
	return entry;
}

// Writer's find, of any case.
static struct found table_find(struct zone_table *table, const uint8_t *apex)
{
	struct slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);
	uint8_t lower[NAME_LEN_MAX + WIDE_SLACK];
	size_t len = name_len(apex);

	name_lower(lower, apex, len);
	return slots_find(slots, name_hash(lower, &table->key), lower, (unsigned)len);
}

struct zone_entry *zone_table_get(struct zone_table *table, const uint8_t *apex)
{
	const struct found found = table_find(table, apex);

	return found.version != NULL ? found.version->entry : NULL;
}

// Is all that zone_lead.h has of a zone true of this one?
static bool version_is_near(const struct zone_table *table, const struct zone_version *version)
{
	const struct image *image = &version->layer[0];
	const uintptr_t at = (uintptr_t)version;

	return version->layer_count == 1 &&
	       atomic_load_explicit(&version->state, memory_order_relaxed) == ZONE_LIVE &&
	       version->apex_labels <= LEAD_LABELS_MAX && at % LEAD_LINE == 0 &&
	       (uintptr_t)image->mem == at + LEAD_LINE && image->bucket_count != 0 &&
	       image->bucket_count <= LEAD_BUCKETS_MAX &&
	       ((uintptr_t)image->buckets - at) / LEAD_LINE <= LEAD_LINES_MAX &&
	       image->hash_key[0] == table->key.k[0] && image->hash_key[1] == table->key.k[1] &&
	       (image->flags & (IMAGE_OVERLAY | IMAGE_SIGNED | IMAGE_RRSIGS | IMAGE_HAS_DNAMES)) ==
	           0 &&
	       image_at(image, image->negative_ref) ==
	           (const void *)(image->buckets + image->bucket_count);
}

static uint64_t version_lead(const struct zone_table *table, const struct zone_version *version)
{
	const uint64_t at = (uintptr_t)version;
	const struct image *image = &version->layer[0];

	// Linux gives higher addresses to those only who ask for them.
	assert(at >> LEAD_LINES == 0);
	if (!version_is_near(table, version))
		return at;
	return at | LEAD_NEAR | ((image->flags & IMAGE_HAS_WILD) != 0 ? LEAD_WILD : 0) |
	       ((image->flags & IMAGE_HAS_CUTS) != 0 ? LEAD_CUTS : 0) |
	       (uint64_t)version->apex_labels << LEAD_LABELS |
	       (uint64_t)image->bucket_count << LEAD_BUCKETS |
	       ((uintptr_t)image->buckets - at) / LEAD_LINE << LEAD_LINES;
}

// Makes it the entry's, for readers to come. Pre: none has it.
static void version_enter(
    struct zone_version *version, struct zone_entry *entry, enum zone_state state)
{
	version->apex_labels = entry->apex_labels;
	version->apex_len = entry->apex_len;
	atomic_store_explicit(&version->state, (uint8_t)state, memory_order_relaxed);
	version->entry = entry;
	entry->version = version;
}

int zone_table_set(struct zone_table *table, const uint8_t *apex, struct zone_version *version,
    struct zone_retired *retired)
{
	const struct found found = table_find(table, apex);
	struct zone_entry *entry;

	*retired = (struct zone_retired){0};
	if (found.version != NULL) {
		retired->version = found.version;
		version_enter(version, found.version->entry,
		    (enum zone_state)atomic_load_explicit(
		        &found.version->state, memory_order_relaxed));
		atomic_store_explicit(&found.slot->lead, version_lead(table, version),
		    memory_order_release); // R1
		return 0;
	}
	entry = entry_new(apex, name_len(apex));
	if (entry == NULL)
		return -ENOMEM;
	if (slots_make_room(table, &retired->slots) != 0) {
		free(entry);
		return -ENOMEM;
	}
	version_enter(version, entry, ZONE_LIVE);
	depth_count(table, entry->apex_labels, true);
	slot_fill(atomic_load_explicit(&table->slots, memory_order_relaxed),
	    name_hash(entry->apex, &table->key), version_lead(table, version));
	return 0;
}

void zone_table_state(struct zone_table *table, struct zone_entry *entry, enum zone_state state)
{
	struct slot *slot = table_find(table, entry->apex).slot;

	atomic_store_explicit(&entry->version->state, (uint8_t)state, memory_order_relaxed);
	// Who has what the slot said before answers as before: no later than by the state itself.
	atomic_store_explicit(
	    &slot->lead, version_lead(table, entry->version), memory_order_release); // R1
}

bool zone_table_remove(struct zone_table *table, const uint8_t *apex, struct zone_retired *retired)
{
	struct found found = table_find(table, apex);

	*retired = (struct zone_retired){0};
	if (found.version == NULL)
		return false;
	retired->version = found.version;
	retired->entry = found.version->entry;
	// Relaxed: the tombstone was there before any reader.
	atomic_store_explicit(
	    &found.slot->lead, (uint64_t)(uintptr_t)&tombstone, memory_order_relaxed);
	depth_count(table, retired->entry->apex_labels, false);
	return true;
}

struct zone_entry *zone_table_next(struct zone_table *table, size_t *position)
{
	struct slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);

	while (*position <= slots->mask) {
		struct zone_version *version = lead_version(
		    atomic_load_explicit(&slots->slot[(*position)++].lead, memory_order_relaxed));

		if (version != NULL && version != &tombstone)
			return version->entry;
	}
	return NULL;
}

size_t zone_table_count(const struct zone_table *table)
{
	return table->count;
}
