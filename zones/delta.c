// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A difference applied to a version (see delta.h). The changes are sorted by owner and merged with
// the version's names, which are in the same order; a name that nothing changes is copied. At a
// name that changes, its records and its changes are sorted together by type and rdata, so that
// everything that happens to one record stands side by side, in order of time.
#include "delta.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rdata.h"
#include "rrtype.h"

struct delta *delta_new(const uint8_t *apex, uint32_t from)
{
	struct delta *delta = calloc(1, sizeof(*delta));

	if (delta == NULL)
		return NULL;
	delta->from = delta->to = from;
	delta->changes = records_new(apex);
	if (delta->changes == NULL) {
		free(delta);
		return NULL;
	}
	return delta;
}

void delta_free(struct delta *delta)
{
	if (delta == NULL)
		return;
	records_free(delta->changes);
	free(delta->added);
	free(delta);
}

int delta_add(struct delta *delta, bool added, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen)
{
	const size_t at = delta->changes->count;

	if (at == delta->added_cap) {
		const size_t cap = at > 0 ? at * 2 : 64;
		uint8_t *grown = realloc(delta->added, cap);

		if (grown == NULL)
			return -ENOMEM;
		delta->added = grown;
		delta->added_cap = cap;
	}
	delta->added[at] = added;
	return records_add(delta->changes, owner, type, ttl, rdata, rdlen);
}

// A record of the version before, or a change.
struct entry {
	const uint8_t *rdata;
	uint32_t ttl;
	uint32_t order; // of the version before: from 0; then the changes in order of arrival
	uint16_t type, rdlen;
	enum { ENTRY_BEFORE, ENTRY_REMOVED, ENTRY_ADDED } kind;
};

struct delta_walk {
	const struct delta *delta; // NULL: no changes
	const uint32_t *index;     // owned: the changes by owner, those of one in order of arrival
	size_t at;
	struct records *out;
	struct entry *entries; // of one name
	size_t count, cap;
	char *error;
};

static int complain(
    struct delta_walk *a, const uint8_t *owner, const struct entry *entry, const char *what)
{
	char name[NAME_TEXT_MAX], type[16];

	name_to_text(owner, name);
	snprintf(a->error, DELTA_ERROR_MAX, "%.200s %s: %s", name,
	    rrtype_to_text(entry->type, type), what);
	return -EINVAL;
}

static int entry_add(struct delta_walk *a, uint16_t type, uint32_t ttl, const uint8_t *rdata,
    uint16_t rdlen, int kind)
{
	if (a->count == a->cap) {
		const size_t cap = a->cap > 0 ? a->cap * 2 : 64;
		struct entry *grown = reallocarray(a->entries, cap, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		a->entries = grown;
		a->cap = cap;
	}
	a->entries[a->count] = (struct entry){.rdata = rdata,
	    .ttl = ttl,
	    .order = (uint32_t)a->count,
	    .type = type,
	    .rdlen = rdlen,
	    .kind = kind};
	a->count++;
	return 0;
}

// The records of a node as entries.
static int node_entries(struct delta_walk *a, struct node_ref ref)
{
	const uint8_t *rdata;
	uint32_t ttl = 0;
	uint16_t len;
	int rc = 0;

	a->count = 0;
	for (unsigned i = 0; i < ref.node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(ref, i);
		struct rdata_iter iter = rrset_rdata(ref, rrset);

		while (rc == 0 && (rdata = rdata_next(&iter, &len)) != NULL)
			rc = entry_add(
			    a, rrset->type, rrset_ttl(ref, rrset), rdata, len, ENTRY_BEFORE);
		iter = rrset_sigs(ref, rrset, &ttl);
		while (rc == 0 && (rdata = rdata_next(&iter, &len)) != NULL)
			rc = entry_add(a, RRTYPE_RRSIG, ttl, rdata, len, ENTRY_BEFORE);
	}
	return rc;
}

// Signatures are one type and several RRsets: those that cover the same type (RFC 4035 2.2).
static uint16_t covered(const struct entry *entry)
{
	return entry->type == RRTYPE_RRSIG && entry->rdlen >= 2
	           ? (uint16_t)(entry->rdata[0] << 8 | entry->rdata[1])
	           : 0;
}

static int by_record(const void *left, const void *right)
{
	const struct entry *x = left, *y = right;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	const int order = rdata_compare(x->type, x->rdata, x->rdlen, y->rdata, y->rdlen);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_rrset(const void *left, const void *right)
{
	const struct entry *x = left, *y = right;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (covered(x) != covered(y))
		return covered(x) < covered(y) ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static bool same_record(const struct entry *x, const struct entry *y)
{
	return x->type == y->type &&
	       rdata_compare(x->type, x->rdata, x->rdlen, y->rdata, y->rdlen) == 0;
}

// Leaves of the entries what is there in the end.
static int entries_settle(struct delta_walk *a, const uint8_t *owner)
{
	size_t kept = 0;

	qsort(a->entries, a->count, sizeof(*a->entries), by_record);
	for (size_t begin = 0, end; begin < a->count; begin = end) {
		const struct entry *present = NULL;

		for (end = begin;
		     end < a->count && same_record(&a->entries[begin], &a->entries[end]); end++) {
			const struct entry *entry = &a->entries[end];

			if (entry->kind == ENTRY_REMOVED && present == NULL)
				return complain(a, owner, entry,
				    "the difference removes a record that is not there");
			if (entry->kind == ENTRY_ADDED && present != NULL)
				return complain(a, owner, entry,
				    "the difference adds a record that is there already");
			present = entry->kind == ENTRY_REMOVED ? NULL : entry;
		}
		if (present != NULL)
			a->entries[kept++] = *present;
	}
	a->count = kept;
	return 0;
}

// Pre: settled. Each RRset takes the TTL of what was added to it last.
static int entries_put(struct delta_walk *a, const uint8_t *owner)
{
	qsort(a->entries, a->count, sizeof(*a->entries), by_rrset);
	for (size_t begin = 0, end; begin < a->count; begin = end) {
		const struct entry *first = &a->entries[begin];

		for (end = begin + 1; end < a->count && a->entries[end].type == first->type &&
		                      covered(&a->entries[end]) == covered(first);)
			end++;
		if (end - begin > a->out->rrset_max)
			return complain(a, owner, first, "too many records of one type");
		for (size_t i = begin; i < end; i++) {
			const struct entry *entry = &a->entries[i];
			const int rc = records_add(a->out, owner, entry->type,
			    a->entries[end - 1].kind == ENTRY_ADDED ? a->entries[end - 1].ttl
			                                            : entry->ttl,
			    entry->rdata, entry->rdlen);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static int by_owner(const void *left, const void *right, void *context)
{
	const uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;
	const struct record *changes = context;
	const int order = changes[x].owner == changes[y].owner
	                      ? 0
	                      : name_compare(changes[x].owner, changes[y].owner);

	return order != 0 ? order : (x > y) - (x < y);
}

// Changes of the owner that comes next.
static size_t change_count(const struct delta_walk *a)
{
	const struct records *changes = a->delta->changes;
	const uint8_t *owner = changes->items[a->index[a->at]].owner;
	size_t end = a->at + 1;

	while (end < changes->count && name_equal(changes->items[a->index[end]].owner, owner))
		end++;
	return end - a->at;
}

int delta_walk_change(struct delta_walk *a, struct node_ref ref)
{
	const struct record *changes = a->delta->changes->items;
	const size_t count = change_count(a);
	const uint32_t *index = a->index + a->at;
	const uint8_t *owner = ref.node != NULL ? node_owner(ref) : changes[index[0]].owner;
	int rc = 0;

	a->at += count;
	a->count = 0;
	if (ref.node != NULL)
		rc = node_entries(a, ref);
	const size_t before = a->count;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct record *change = &changes[index[i]];

		rc = entry_add(a, change->type, change->ttl, change->rdata, change->rdlen,
		    a->delta->added[index[i]] ? ENTRY_ADDED : ENTRY_REMOVED);
	}
	if (rc == 0)
		rc = entries_settle(a, owner);
	if (rc != 0)
		return rc;
	// A name of which nothing stays is written as the changes have it: as a whole zone would
	// (records_sort).
	const struct entry *first = NULL;
	bool stays = false;

	for (size_t i = 0; i < a->count; i++) {
		const struct entry *entry = &a->entries[i];

		stays |= entry->kind == ENTRY_BEFORE;
		if (first == NULL || entry->type < first->type ||
		    (entry->type == first->type && entry->order < first->order))
			first = entry;
	}
	if (first != NULL && !stays)
		owner = changes[index[first->order - before]].owner;
	return entries_put(a, owner);
}

int delta_walk_copy(struct delta_walk *a, struct node_ref ref)
{
	const int rc = node_entries(a, ref);

	return rc != 0 ? rc : entries_put(a, node_owner(ref));
}

const uint8_t *delta_walk_owner(const struct delta_walk *a)
{
	const struct records *changes = a->delta != NULL ? a->delta->changes : NULL;

	return changes != NULL && a->at < changes->count ? changes->items[a->index[a->at]].owner
	                                                 : NULL;
}

void delta_walk_close(struct delta_walk *a)
{
	if (a == NULL)
		return;
	free((uint32_t *)a->index);
	free(a->entries);
	free(a);
}

// Post: whether the difference starts from this version.
static bool starts_from(
    const struct delta *delta, const struct zone_version *base, char error[DELTA_ERROR_MAX])
{
	const struct image_header *header = version_header(base);

	if (header->serial == delta->from && name_equal(image_apex(header), delta->changes->apex))
		return true;
	snprintf(error, DELTA_ERROR_MAX,
	    "The difference starts from serial %u, not from ours (%u).", delta->from,
	    header->serial);
	return false;
}

int delta_walk_open(const struct delta *delta, const struct zone_version *base, struct records *out,
    char error[DELTA_ERROR_MAX], struct delta_walk **walk)
{
	const size_t count = delta != NULL ? delta->changes->count : 0;
	struct delta_walk *a;
	uint32_t *index;

	if (delta != NULL && !starts_from(delta, base, error))
		return -EINVAL;
	snprintf(error, DELTA_ERROR_MAX, "Out of memory.");
	a = calloc(1, sizeof(*a));
	index = count <= UINT32_MAX ? reallocarray(NULL, count + 1, sizeof(*index)) : NULL;
	if (a == NULL || index == NULL) {
		free(a);
		free(index);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		index[i] = (uint32_t)i;
	if (count > 1)
		qsort_r(index, count, sizeof(*index), by_owner, delta->changes->items);
	*a = (struct delta_walk){.delta = delta, .index = index, .out = out, .error = error};
	if (delta != NULL)
		out->rrset_max = delta->changes->rrset_max;
	*walk = a;
	return 0;
}

static int merge(struct delta_walk *a, const struct zone_version *base)
{
	struct version_iter iter;
	struct node_ref ref;
	const uint8_t *owner = delta_walk_owner(a);
	int rc = 0;

	version_iter_start(&iter, base);
	ref = version_iter_next(&iter);
	while (rc == 0 && (ref.node != NULL || owner != NULL)) {
		const int order = ref.node == NULL ? 1
		                  : owner == NULL  ? -1
		                                   : name_compare(ref.node->name, owner);

		rc = order < 0 ? delta_walk_copy(a, ref)
		               : delta_walk_change(a, order == 0 ? ref : (struct node_ref){0});
		if (order <= 0)
			ref = version_iter_next(&iter);
		if (order >= 0)
			owner = delta_walk_owner(a);
	}
	return rc;
}

int delta_apply(const struct delta *delta, const struct zone_version *base, struct records **out,
    char error[DELTA_ERROR_MAX])
{
	struct records *records =
	    records_new(delta != NULL ? delta->changes->apex : image_apex(version_header(base)));
	struct delta_walk *walk = NULL;
	int rc = -ENOMEM;

	snprintf(error, DELTA_ERROR_MAX, "Out of memory.");
	if (records != NULL)
		rc = delta_walk_open(delta, base, records, error, &walk);
	if (rc == 0)
		rc = merge(walk, base);
	delta_walk_close(walk);
	if (rc != 0) {
		records_free(records);
		return rc;
	}
	*out = records;
	return 0;
}
