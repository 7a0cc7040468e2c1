// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The collection of a version's records. Transfers and zone files usually come in canonical order,
// but for some names: what ascends already is merged. Where that is too little it sorts runs of one
// owner by small keys (the first eight bytes of the name read from the right) and compares whole
// names only where keys are equal. What one owner has is sorted after that, by itself.

#include "records.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "hugepage.h"
#include "name.h"
#include "order_key.h"
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

#define RADIX_BITS     11
#define RADIX_PASSES   6  // over a key of 64 bits
#define INSERTION_MOST 16 // so few are sorted where they stand
#define STRETCHES_MAX  32 // of ascending owners, that are merged; more are sorted anew

// Records of one owner that follow each other: they have the very same pointer.
struct run {
	uint64_t key; // name_order_key(): what is less comes before
	uint32_t first, count;
};

static size_t run_end(const struct records *records, size_t begin)
{
	const struct record *items = records->items;
	size_t end = begin + 1;

	while (end < records->count && items[end].owner == items[begin].owner)
		end++;
	return end;
}

// By key, 11 bits at a time; what is equal keeps its order. Post: whichever of the two has it.
static struct run *runs_by_key(struct run *runs, struct run *other, size_t count)
{
	static_assert(RADIX_BITS * RADIX_PASSES >= 64, "the whole key");
	for (unsigned pass = 0; pass < RADIX_PASSES; pass++) {
		const unsigned shift = pass * RADIX_BITS, mask = (1u << RADIX_BITS) - 1;
		uint32_t at[1u << RADIX_BITS] = {0}, sum = 0;

		for (size_t i = 0; i < count; i++)
			at[runs[i].key >> shift & mask]++;
		if (at[runs[0].key >> shift & mask] == count)
			continue; // these bits are the same everywhere
		for (unsigned i = 0; i <= mask; i++) {
			const uint32_t n = at[i];
			at[i] = sum;
			sum += n;
		}
		for (size_t i = 0; i < count; i++)
			other[at[runs[i].key >> shift & mask]++] = runs[i];
		struct run *sorted = other;
		other = runs;
		runs = sorted;
	}
	return runs;
}

static int run_compare(const void *left, const void *right, void *items)
{
	const struct run *a = left, *b = right;
	const struct record *x = (const struct record *)items + a->first,
	                    *y = (const struct record *)items + b->first;
	const int order = name_compare(x->owner, y->owner);

	return order != 0 ? order : a->first < b->first ? -1 : a->first > b->first; // arrival order
}

// Names of equal keys by their whole length: mostly few, often in order.
static void runs_by_name(struct run *runs, size_t count, struct record *items)
{
	for (size_t begin = 0, end; begin < count; begin = end) {
		bool ordered = true;
		for (end = begin + 1; end < count && runs[end].key == runs[begin].key; end++)
			ordered = ordered && run_compare(&runs[end - 1], &runs[end], items) <= 0;
		if (!ordered)
			qsort_r(runs + begin, end - begin, sizeof(*runs), run_compare, items);
	}
}

static int sort_by_owner(struct records *records)
{
	const unsigned apex_labels = name_labels(records->apex);
	size_t count = 0, n = 0;
	int error = -ENOMEM;

	for (size_t i = 0; i < records->count; i = run_end(records, i))
		count++;
	struct run *runs = reallocarray(NULL, count, sizeof(*runs));
	struct run *other = reallocarray(NULL, count, sizeof(*other));
	struct record *items = NULL;
	if (runs == NULL || other == NULL)
		goto out;
	for (size_t i = 0, end; i < records->count; i = end, n++) {
		end = run_end(records, i);
		runs[n] = (struct run){name_order_key(records->items[i].owner, apex_labels),
		    (uint32_t)i, (uint32_t)(end - i)};
	}
	struct run *sorted = runs_by_key(runs, other, count);
	runs_by_name(sorted, count, records->items);
	items = reallocarray(NULL, records->cap, sizeof(*items));
	if (items == NULL)
		goto out;
	hugepage_advise(items, records->cap * sizeof(*items));
	struct record *at = items;
	for (size_t i = 0; i < count; at += sorted[i++].count)
		memcpy(at, records->items + sorted[i].first, sorted[i].count * sizeof(*at));
	free(records->items);
	records->items = items;
	error = 0;
out:
	free(runs);
	free(other);
	return error;
}

// Records of one owner get the same pointer where they spell it the same; where not *spelt is set.
static void owner_join(struct record *item, const struct record *before, bool *spelt)
{
	if (memcmp(item->owner, before->owner, item->owner_len) == 0)
		item->owner = before->owner;
	else
		*spelt = true;
}

// Where the owners begin to ascend anew, the first place included; and joins records of one owner
// that follow each other. Post: their number, with the end behind them; or STRETCHES_MAX + 1 when
// there are more, and not all were looked at.
static unsigned stretches_find(
    struct records *records, size_t begin[STRETCHES_MAX + 1], bool *spelt)
{
	struct record *items = records->items;
	unsigned count = 1;

	begin[0] = 0;
	for (size_t i = 1; i < records->count; i++) {
		if (items[i].owner == items[i - 1].owner)
			continue;
		const int order = name_compare(items[i - 1].owner, items[i].owner);
		if (order == 0)
			owner_join(&items[i], &items[i - 1], spelt);
		if (order > 0 && count == STRETCHES_MAX)
			return STRETCHES_MAX + 1;
		if (order > 0)
			begin[count++] = i;
	}
	begin[count] = records->count;
	return count;
}

// How many of `items`, which ascend, compare with `owner` below `least`: 0 those before it, 1 those
// of its own name too. The steps grow, so that few are cheap and many cost a logarithm.
static size_t ascend_below(const struct record *items, size_t n, const uint8_t *owner, int least)
{
	size_t low = 0, step = 1;

	while (low + step <= n && name_compare(items[low + step - 1].owner, owner) < least) {
		low += step;
		step *= 2;
	}
	for (size_t high = low + step <= n ? low + step - 1 : n; low < high;) {
		const size_t middle = low + (high - low) / 2;
		if (name_compare(items[middle].owner, owner) < least)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// Moves a part of a stretch behind what is merged already, whose last owner it may begin with.
static struct record *merge_part(
    struct record *out, const struct record *begin, struct record *part, size_t n, bool *spelt)
{
	if (n > 0 && out > begin && name_equal(out[-1].owner, part[0].owner)) {
		const uint8_t *owner = part[0].owner;
		for (size_t i = 0; i < n && part[i].owner == owner; i++)
			owner_join(&part[i], out - 1, spelt);
	}
	memmove(out, part, n * sizeof(*out));
	return out + n;
}

// Merges two neighbouring stretches; of one owner what came first stays first.
static int stretches_merge(struct record *begin, size_t left_count, size_t right_count, bool *spelt)
{
	struct record *left = reallocarray(NULL, left_count, sizeof(*left));
	struct record *a = left, *b = begin + left_count, *out = begin;

	if (left == NULL)
		return -ENOMEM;
	memcpy(left, begin, left_count * sizeof(*left));
	while (left_count > 0 && right_count > 0) {
		size_t n = ascend_below(b, right_count, a->owner, 0);
		out = merge_part(out, begin, b, n, spelt);
		b += n;
		right_count -= n;
		if (right_count == 0)
			break;
		n = ascend_below(a, left_count, b->owner, 1);
		out = merge_part(out, begin, a, n, spelt);
		a += n;
		left_count -= n;
	}
	out = merge_part(out, begin, a, left_count, spelt);
	(void)merge_part(out, begin, b, right_count, spelt);
	free(left);
	return 0;
}

static int sort_owners(struct records *records, bool *spelt)
{
	size_t begin[STRETCHES_MAX + 1];
	unsigned count = stretches_find(records, begin, spelt);

	if (count > STRETCHES_MAX) {
		const int error = sort_by_owner(records);
		if (error != 0)
			return error;
		count = stretches_find(records, begin, spelt);
	}
	while (count > 1) {
		unsigned kept = 0;
		for (unsigned i = 0; i < count; i += 2) {
			const int error =
			    i + 1 == count
			        ? 0
			        : stretches_merge(records->items + begin[i],
			              begin[i + 1] - begin[i], begin[i + 2] - begin[i + 1], spelt);
			if (error != 0)
				return error;
			begin[kept++] = begin[i];
		}
		begin[kept] = records->count;
		count = kept;
	}
	return 0;
}

// As run_end(), whatever the spelling.
static size_t owner_end(const struct records *records, size_t begin)
{
	const struct record *items = records->items;
	size_t end = run_end(records, begin);

	while (end < records->count && name_equal(items[end].owner, items[begin].owner))
		end = run_end(records, end);
	return end;
}

// --- the records of one owner
// ---------------------------------------------------------------------

// The type that a signature covers; 0 for what is none.
static unsigned covered(const struct record *record)
{
	return record->type == RRTYPE_RRSIG && record->rdlen >= 2
	           ? (unsigned)record->rdata[0] << 8 | record->rdata[1]
	           : 0;
}

static int type_compare(const struct record *a, const struct record *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return (int)covered(a) - (int)covered(b);
}

static int type_order_compare(const void *left, const void *right, void *items)
{
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	const int order =
	    type_compare((const struct record *)items + a, (const struct record *)items + b);

	return order != 0 ? order : a < b ? -1 : a > b; // arrival order
}

static int sort_by_type(struct record *items, size_t n)
{
	size_t i = 1;

	while (i < n && type_compare(&items[i - 1], &items[i]) <= 0)
		i++;
	if (i == n)
		return 0;
	if (n <= INSERTION_MOST) {
		for (; i < n; i++) {
			const struct record item = items[i];
			size_t at = i;
			for (; at > 0 && type_compare(&items[at - 1], &item) > 0; at--)
				items[at] = items[at - 1];
			items[at] = item;
		}
		return 0;
	}
	uint32_t *order = reallocarray(NULL, n, sizeof(*order));
	struct record *copy = reallocarray(NULL, n, sizeof(*copy));
	if (order != NULL && copy != NULL) {
		memcpy(copy, items, n * sizeof(*copy));
		for (i = 0; i < n; i++)
			order[i] = (uint32_t)i;
		qsort_r(order, n, sizeof(*order), type_order_compare, copy);
		for (i = 0; i < n; i++)
			items[i] = copy[order[i]];
	}
	const int error = order != NULL && copy != NULL ? 0 : -ENOMEM;
	free(order);
	free(copy);
	return error;
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

// Pre: of one owner, sorted. Post: those that stay are moved to `kept`, their number.
static int drop_repeated(struct record *items, size_t n, struct record *kept)
{
	size_t count = 0;

	for (size_t begin = 0, end; begin < n; begin = end) {
		for (end = begin + 1; end < n && items[end].type == items[begin].type;)
			end++;
		if (end - begin > 1) {
			const int error = mark_repeated(items + begin, end - begin);
			if (error != 0)
				return error;
		}
		for (size_t i = begin; i < end; i++) {
			if (items[i].rdata != NULL)
				kept[count++] = items[i];
		}
	}
	return (int)count;
}

int records_sort(struct records *records)
{
	size_t kept = 0;

	if (records->count > INT32_MAX)
		return -EFBIG;
	bool spelt = false;
	const int unsorted = sort_owners(records, &spelt);
	if (unsorted != 0)
		return unsorted;
	for (size_t begin = 0, end; begin < records->count; begin = end) {
		struct record *items = records->items + begin;
		end = spelt ? owner_end(records, begin) : run_end(records, begin);
		if (end - begin > 1) {
			const int error = sort_by_type(items, end - begin);
			if (error != 0)
				return error;
		}
		// The spelling that counts is that of the first of the lowest type.
		for (size_t i = 1; spelt && i < end - begin; i++)
			items[i].owner = items[0].owner;
		const int count = drop_repeated(items, end - begin, records->items + kept);
		if (count < 0)
			return count;
		kept += (size_t)count;
	}
	records->count = kept;
	return 0;
}
