// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What leads from one version to another (see delta.h): both are walked in canonical order side by
// side, a name that is the same in both costs a comparison of its bytes. Memory: the difference,
// and the records of one name. A difference that is not small is counted first, and found once more
// when it is to be had.
#include "delta.h"
#include "delta_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rrtype.h"

#define BYTES_UNCOUNTED ((size_t)1 << 20)

int delta_entry_add(struct delta_entries *entries, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen)
{
	if (entries->count == entries->cap) {
		const size_t cap = entries->cap > 0 ? entries->cap * 2 : 64;
		struct delta_entry *grown = reallocarray(entries->items, cap, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		entries->items = grown;
		entries->cap = cap;
	}
	entries->items[entries->count++] =
	    (struct delta_entry){.rdata = rdata, .ttl = ttl, .type = type, .rdlen = rdlen};
	return 0;
}

int delta_entries_take(struct delta_entries *entries, struct node_ref ref)
{
	const uint8_t *rdata;
	uint32_t ttl = 0;
	uint16_t len;
	int rc = 0;

	entries->count = 0;
	for (unsigned i = 0; i < ref.node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(ref, i);
		struct rdata_iter iter = rrset_rdata(ref, rrset);

		while (rc == 0 && (rdata = rdata_next(&iter, &len)) != NULL)
			rc = delta_entry_add(
			    entries, rrset->type, rrset_ttl(ref, rrset), rdata, len);
		iter = rrset_sigs(ref, rrset, &ttl);
		while (rc == 0 && (rdata = rdata_next(&iter, &len)) != NULL)
			rc = delta_entry_add(entries, RRTYPE_RRSIG, ttl, rdata, len);
	}
	return rc;
}

static bool rdata_same(struct rdata_iter x, struct rdata_iter y)
{
	const uint8_t *a, *b;
	uint16_t a_len = 0, b_len = 0;

	if (x.left != y.left)
		return false;
	while ((a = rdata_next(&x, &a_len)) != NULL) {
		b = rdata_next(&y, &b_len);
		if (b == NULL || a_len != b_len || memcmp(a, b, a_len) != 0)
			return false;
	}
	return true;
}

// The same records in the same order: the common case, by far.
static bool node_same(struct node_ref x, struct node_ref y)
{
	uint32_t a_ttl = 0, b_ttl = 0; // of signatures

	if (x.node == y.node)
		return true;
	if (x.node->rrset_count != y.node->rrset_count)
		return false;
	for (unsigned i = 0; i < x.node->rrset_count; i++) {
		const struct image_rrset *a = node_rrset_at(x, i), *b = node_rrset_at(y, i);

		if (a->type != b->type || rrset_ttl(x, a) != rrset_ttl(y, b) ||
		    !rdata_same(rrset_rdata(x, a), rrset_rdata(y, b)) ||
		    !rdata_same(rrset_sigs(x, a, &a_ttl), rrset_sigs(y, b, &b_ttl)) ||
		    a_ttl != b_ttl)
			return false;
	}
	return true;
}

// A total order: type, data, TTL. Case counts: what is sent on shall be what came.
static int by_entry(const void *left, const void *right)
{
	const struct delta_entry *x = left, *y = right;
	const size_t len = x->rdlen < y->rdlen ? x->rdlen : y->rdlen;
	int order;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	order = memcmp(x->rdata, y->rdata, len);
	if (order != 0)
		return order;
	if (x->rdlen != y->rdlen)
		return x->rdlen < y->rdlen ? -1 : 1;
	return (x->ttl > y->ttl) - (x->ttl < y->ttl);
}

static int change_add(
    struct delta_search *search, bool added, const uint8_t *owner, const struct delta_entry *entry)
{
	search->bytes += sizeof(struct record) + name_len(owner) + entry->rdlen;
	if (++search->count > search->count_max || search->bytes > search->bytes_max)
		return -EFBIG;
	if (search->bytes > search->bytes_kept)
		return 0;
	return delta_add(
	    search->delta, added, owner, entry->type, entry->ttl, entry->rdata, entry->rdlen);
}

int delta_entries_differ(struct delta_search *search, const uint8_t *owner_before,
    const uint8_t *owner_after, bool respelt)
{
	struct delta_entries *x = &search->before, *y = &search->after;
	size_t i = 0, k = 0;
	int rc = 0;

	if (x->count > 0)
		qsort(x->items, x->count, sizeof(*x->items), by_entry);
	if (y->count > 0)
		qsort(y->items, y->count, sizeof(*y->items), by_entry);
	while (rc == 0 && (i < x->count || k < y->count)) {
		const int order = i == x->count   ? 1
		                  : k == y->count ? -1
		                  : respelt       ? -1
		                                  : by_entry(&x->items[i], &y->items[k]);

		if (order < 0)
			rc = change_add(search, false, owner_before, &x->items[i]);
		else if (order > 0)
			rc = change_add(search, true, owner_after, &y->items[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return rc;
}

// Pre: at least one is there.
static int node_differ(struct delta_search *search, struct node_ref before, struct node_ref after)
{
	int rc = 0;

	search->before.count = search->after.count = 0;
	if (before.node != NULL)
		rc = delta_entries_take(&search->before, before);
	if (rc == 0 && after.node != NULL)
		rc = delta_entries_take(&search->after, after);
	if (rc != 0)
		return rc;
	return delta_entries_differ(search, before.node != NULL ? node_owner(before) : NULL,
	    after.node != NULL ? node_owner(after) : NULL, false);
}

static int versions_walk(struct delta_search *search, const struct zone_version *before,
    const struct zone_version *after)
{
	struct version_iter x, y;
	struct node_ref a, b;
	int rc = 0;

	version_iter_start(&x, before);
	version_iter_start(&y, after);
	a = version_iter_next(&x);
	b = version_iter_next(&y);
	while (rc == 0 && (a.node != NULL || b.node != NULL)) {
		const int order = a.node == NULL   ? 1
		                  : b.node == NULL ? -1
		                                   : name_compare(a.node->name, b.node->name);

		if (order != 0 || !node_same(a, b))
			rc = node_differ(search, order <= 0 ? a : (struct node_ref){0},
			    order >= 0 ? b : (struct node_ref){0});
		if (order <= 0)
			a = version_iter_next(&x);
		if (order >= 0)
			b = version_iter_next(&y);
	}
	return rc;
}

static int rank(const struct delta *delta, size_t i)
{
	return delta->added[i] * 2 + (delta->changes->items[i].type != RRTYPE_SOA);
}

int delta_order(struct delta *delta)
{
	const size_t count = delta->changes->count;
	struct record *items = reallocarray(NULL, count + 1, sizeof(*items));
	size_t at = 0, removed = 0;

	if (items == NULL)
		return -ENOMEM;
	for (int place = 0; place < 4; place++)
		for (size_t i = 0; i < count; i++)
			if (rank(delta, i) == place)
				items[at++] = delta->changes->items[i];
	for (size_t i = 0; i < count; i++)
		removed += delta->added[i] == 0;
	for (size_t i = 0; i < count; i++)
		delta->added[i] = i >= removed;
	if (count > 0)
		memcpy(delta->changes->items, items, count * sizeof(*items));
	free(items);
	return 0;
}

// Post: search->delta has as much as `bytes_kept`.
static int search_run(struct delta_search *search, size_t bytes_kept,
    const struct zone_version *before, const struct zone_version *after)
{
	const struct image_header *header = version_header(before);

	delta_free(search->delta);
	search->delta = delta_new(image_apex(header), header->serial);
	search->bytes_kept = bytes_kept;
	search->bytes = 0;
	search->count = 0;
	return search->delta != NULL ? versions_walk(search, before, after) : -ENOMEM;
}

int delta_between(const struct zone_version *before, const struct zone_version *after,
    uint64_t records_max, size_t bytes_max, struct delta **out)
{
	struct delta_search search = {.count_max = records_max, .bytes_max = bytes_max};
	int rc = search_run(&search, BYTES_UNCOUNTED, before, after);

	*out = NULL;
	if (rc == 0 && search.bytes > BYTES_UNCOUNTED)
		rc = search_run(&search, bytes_max, before, after);
	if (rc == 0)
		rc = delta_order(search.delta);
	free(search.before.items);
	free(search.after.items);
	if (rc != 0) {
		delta_free(search.delta);
		return rc;
	}
	search.delta->to = version_header(after)->serial;
	search.delta->steps = 1;
	*out = search.delta;
	return 0;
}
