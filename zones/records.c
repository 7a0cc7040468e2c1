// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The collection of a version's records. Transfers and zone files usually come in canonical order,
// so sorting first looks whether there is anything to do; otherwise it sorts small keys (the first
// eight bytes of the name read from the right) and compares whole names only where keys are equal.

#include "records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hugepage.h"
#include "name.h"
#include "rdata.h"
#include "rrtype.h"

#define DUPLICATES_QUADRATIC 16 // RRsets up to this size are searched pair by pair

struct records *records_new(const uint8_t *apex)
{
	struct records *records = calloc(1, sizeof(*records));

	if (records == NULL)
		return NULL;
	records->arena = arena_new();
	if (records->arena == NULL) {
		free(records);
		return NULL;
	}
	records->rrset_max = RECORDS_RRSET_MAX;
	records->apex_len = (uint8_t)name_len(apex);
	memcpy(records->apex, apex, records->apex_len);
	return records;
}

void records_free(struct records *records)
{
	if (records == NULL)
		return;
	arena_free(records->arena);
	free(records->items);
	free(records);
}

int records_add(struct records *records, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen)
{
	const size_t owner_len = name_len(owner);
	const struct record *last = records->count > 0 ? &records->items[records->count - 1] : NULL;
	struct record *item;

	if (records->count == records->cap) {
		const size_t cap = records->cap > 0 ? records->cap * 2 : 16;
		struct record *items = reallocarray(records->items, cap, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
		hugepage_advise(items + records->cap, (cap - records->cap) * sizeof(*items));
		records->items = items;
		records->cap = cap;
		last = records->count > 0 ? &items[records->count - 1] : NULL;
	}
	item = &records->items[records->count];
	// Records of one owner usually follow each other: share the name.
	if (last != NULL && last->owner_len == owner_len &&
	    memcmp(last->owner, owner, owner_len) == 0) {
		item->owner = last->owner;
	} else {
		if (!name_is_under(owner, records->apex))
			return -ERANGE;
		uint8_t *copy = arena_take(records->arena, owner_len);
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, owner, owner_len);
		item->owner = copy;
	}
	uint8_t *data = arena_take(records->arena, rdlen > 0 ? rdlen : 1);
	if (data == NULL)
		return -ENOMEM;
	if (rdlen > 0)
		memcpy(data, rdata, rdlen);
	item->rdata = data;
	item->ttl = ttl;
	item->type = type;
	item->rdlen = (uint16_t)rdlen;
	item->owner_len = (uint8_t)owner_len;
	records->count++;
	records->bytes = arena_bytes(records->arena) + records->cap * sizeof(*records->items);
	return 0;
}

// --- sorting
// --------------------------------------------------------------------------------------

struct sort_item {
	uint64_t key;
	uint32_t index;
};

struct sort_context {
	const struct record *items;
};

// The first eight bytes of a form of the name whose byte order is canonical order: labels below the
// apex from right to left, each ended by 0, with bytes 0 and 1 written as 1 1 and 1 2.
static uint64_t sort_key(const struct record *record, unsigned apex_labels)
{
	const uint8_t *label[NAME_LABELS_MAX];
	unsigned count = 0, n = 0;
	uint8_t key[8] = {0};
	uint64_t value = 0;

	for (const uint8_t *at = record->owner; *at != 0; at += *at + 1)
		label[count++] = at;
	for (unsigned i = count - apex_labels; i-- > 0 && n < 8;) {
		for (unsigned j = 1; j <= label[i][0] && n < 8; j++) {
			uint8_t byte = label[i][j];
			if (byte >= 'A' && byte <= 'Z')
				byte |= 0x20;
			if (byte <= 1) {
				key[n++] = 1;
				byte++;
			}
			if (n < 8)
				key[n++] = byte;
		}
		n++; // the 0 that ends a label
	}
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | key[i];
	return value;
}

// The type that a signature covers; 0 for what is none.
static unsigned covered(const struct record *record)
{
	return record->type == RRTYPE_RRSIG && record->rdlen >= 2
	           ? (unsigned)record->rdata[0] << 8 | record->rdata[1]
	           : 0;
}

static int record_compare(const struct record *a, const struct record *b)
{
	if (a->owner != b->owner) {
		const int order = name_compare(a->owner, b->owner);
		if (order != 0)
			return order;
	}
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return covered(a) < covered(b) ? -1 : covered(a) > covered(b);
}

static int sort_item_compare(const void *left, const void *right, void *context)
{
	const struct sort_item *a = left, *b = right;
	const struct sort_context *sort = context;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	const int order = record_compare(&sort->items[a->index], &sort->items[b->index]);
	if (order != 0)
		return order;
	return a->index < b->index ? -1 : a->index > b->index; // arrival order
}

static bool records_are_sorted(const struct records *records)
{
	for (size_t i = 1; i < records->count; i++) {
		if (record_compare(&records->items[i - 1], &records->items[i]) > 0)
			return false;
	}
	return true;
}

static int sort_by_key(struct records *records)
{
	const unsigned apex_labels = name_labels(records->apex);
	struct sort_context context = {.items = records->items};
	struct sort_item *order = reallocarray(NULL, records->count, sizeof(*order));
	struct record *sorted = reallocarray(NULL, records->cap, sizeof(*sorted));

	if (order == NULL || sorted == NULL) {
		free(order);
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < records->count; i++) {
		order[i].key = sort_key(&records->items[i], apex_labels);
		order[i].index = (uint32_t)i;
	}
	qsort_r(order, records->count, sizeof(*order), sort_item_compare, &context);
	for (size_t i = 0; i < records->count; i++)
		sorted[i] = records->items[order[i].index];
	free(order);
	free(records->items);
	records->items = sorted;
	return 0;
}

// --- repeated records
// -----------------------------------------------------------------------------

static bool rdata_same(const struct record *a, const struct record *b)
{
	return rdata_compare(a->type, a->rdata, a->rdlen, b->rdata, b->rdlen) == 0;
}

static int repeated_compare(const void *left, const void *right, void *items)
{
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	const struct record *x = (const struct record *)items + a,
	                    *y = (const struct record *)items + b;
	const int order = rdata_compare(x->type, x->rdata, x->rdlen, y->rdata, y->rdlen);

	return order != 0 ? order : a < b ? -1 : a > b;
}

// Marks repeated records of the RRset items[0 .. n) by rdata NULL: the first to come
// stays. A large RRset is sorted for it.
static int mark_repeated(struct record *items, size_t n)
{
	if (n <= DUPLICATES_QUADRATIC) {
		for (size_t i = 1; i < n; i++) {
			for (size_t j = 0; j < i; j++) {
				if (items[j].rdata != NULL && rdata_same(&items[j], &items[i])) {
					items[i].rdata = NULL;
					break;
				}
			}
		}
		return 0;
	}
	uint32_t *order = reallocarray(NULL, n, sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), repeated_compare, items);
	size_t kept = 0; // the last one that stays
	for (size_t i = 1; i < n; i++) {
		const struct record *a = &items[order[kept]], *b = &items[order[i]];
		if (rdata_same(a, b))
			items[order[i]].rdata = NULL;
		else
			kept = i;
	}
	free(order);
	return 0;
}

static bool same_rrset(const struct record *a, const struct record *b)
{
	return a->type == b->type && (a->owner == b->owner || name_equal(a->owner, b->owner));
}

static int drop_repeated(struct records *records)
{
	size_t kept = 0;

	for (size_t begin = 0, end; begin < records->count; begin = end) {
		for (end = begin + 1; end < records->count; end++) {
			if (!same_rrset(&records->items[begin], &records->items[end]))
				break;
		}
		if (end - begin > 1) {
			const int error = mark_repeated(records->items + begin, end - begin);
			if (error != 0)
				return error;
		}
		for (size_t i = begin; i < end; i++) {
			if (records->items[i].rdata != NULL)
				records->items[kept++] = records->items[i];
		}
	}
	records->count = kept;
	return 0;
}

int records_sort(struct records *records)
{
	if (records->count > UINT32_MAX)
		return -EFBIG;
	if (records->count > 1 && !records_are_sorted(records)) {
		const int error = sort_by_key(records);
		if (error != 0)
			return error;
	}
	return drop_repeated(records);
}
