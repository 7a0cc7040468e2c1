// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What comes again; see seen.h. A run is the records of one owner that follow each other. As long
// as each of them is found at the name we have, nothing is kept but which ones they were; at the
// first that is not, those go to the others. So memory is the names that differ, and a bit for each
// 8 bytes of the image.
#include "seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "delta_private.h"
#include "name.h"

// More names than this share of the base do not go into an overlay (controlplane/stack.h), so they
// are not worth a difference. A name has a few records.
#define NAMES_SHARE    16
#define RECORDS_A_NAME 4
#define NAMES_LEAST    64
#define SAMPLE         4096 // records
#define NSEC3_LABEL    32   // base32hex of a SHA-1: no query finds such owners
#define STEPS_FIRST    64   // looked at in a run, and so many for each record of it: orders that
#define STEPS_EACH     16   // take longer to be found in are not worth it
#define BITS(n)        (((n) + 63) / 64)

// A place in the records of a node: RRset after RRset, each with its signatures behind it.
struct expected {
	struct node_ref node;
	struct rdata_iter iter;
	uint32_t number; // of the one that `iter` gives next
	uint32_t ttl;
	uint16_t type;
	unsigned rrset;
	bool sigs;
};

struct seen {
	struct zone_version version;
	uint64_t content;
	void (*release)(void *ctx);
	void *ctx;
	struct hash_key key;
	uint64_t *marks[IMAGE_LAYERS_MAX]; // owned: a bit for each place where a node may begin
	size_t names_max;                  // that may differ
	bool given_up;                     // what comes is only collected
	uint64_t came;                     // records, until then
	// The run. node NULL: its records are in the rest, its owner is that of the last one there.
	struct node_ref node;
	const uint8_t *owner; // as the version has it
	uint64_t *found;      // owned: a bit for each record of the node
	size_t found_cap;     // words
	uint32_t total, count;
	uint64_t steps, steps_max;
	struct expected next;
};

static uint32_t names_of(const struct image *image)
{
	return image_names(image);
}

struct seen *seen_new(
    const struct zone_version *version, uint64_t content, void (*release)(void *ctx), void *ctx)
{
	const struct image_header *header = version_header(version);
	struct seen *seen = calloc(1, sizeof(*seen));

	if (seen == NULL)
		return NULL;
	seen->version = *version;
	seen->content = content;
	seen->key = (struct hash_key){{header->hash_key[0], header->hash_key[1]}};
	seen->names_max =
	    names_of(&seen->version.layer[version->layer_count - 1]) / NAMES_SHARE + NAMES_LEAST;
	for (unsigned i = 0; i < version->layer_count; i++) {
		seen->marks[i] = calloc(BITS(version->layer[i].header->size / 8), sizeof(uint64_t));
		if (seen->marks[i] == NULL) {
			seen_free(seen);
			return NULL;
		}
	}
	seen->release = release;
	seen->ctx = ctx;
	return seen;
}

void seen_free(struct seen *seen)
{
	if (seen == NULL)
		return;
	for (unsigned i = 0; i < IMAGE_LAYERS_MAX; i++)
		free(seen->marks[i]);
	free(seen->found);
	if (seen->release != NULL)
		seen->release(seen->ctx);
	free(seen);
}

uint64_t seen_content(const struct seen *seen)
{
	return seen->content;
}

struct mark {
	uint64_t *word;
	uint64_t bit;
};

static struct mark mark_of(const struct seen *seen, struct node_ref ref)
{
	const size_t at = (size_t)((const uint8_t *)ref.node - ref.image->mem) / 8; // as references

	return (struct mark){
	    &seen->marks[ref.image - seen->version.layer][at >> 6], UINT64_C(1) << (at & 63)};
}

static bool is_marked(const struct seen *seen, struct node_ref ref)
{
	const struct mark mark = mark_of(seen, ref);

	return (*mark.word & mark.bit) != 0;
}

// --- the records of a node
// ----------------------------------------------------------------------------------------------

static void expect_rrset(struct expected *at, unsigned i)
{
	at->rrset = i;
	at->sigs = false;
	if (i == at->node.node->rrset_count)
		return;
	const struct image_rrset *rrset = node_rrset_at(at->node, i);
	at->iter = rrset_rdata(at->node, rrset);
	at->type = rrset->type;
	at->ttl = rrset_ttl(at->node, rrset);
}

static struct expected expect_first(struct node_ref ref)
{
	struct expected at = {.node = ref};

	expect_rrset(&at, 0);
	return at;
}

// Post: NULL at the end; else its rdata; at->type and at->ttl are its own, and at->number - 1 too.
static const uint8_t *expect_next(struct expected *at, uint16_t *len)
{
	const uint8_t *rdata;

	while (at->rrset < at->node.node->rrset_count) {
		rdata = rdata_next(&at->iter, len);
		if (rdata != NULL) {
			at->number++;
			return rdata;
		}
		if (at->sigs) {
			expect_rrset(at, at->rrset + 1);
			continue;
		}
		at->iter = rrset_sigs(at->node, node_rrset_at(at->node, at->rrset), &at->ttl);
		at->type = RRTYPE_RRSIG;
		at->sigs = true;
	}
	return NULL;
}

static uint32_t records_of(struct node_ref ref)
{
	uint32_t total = 0, ttl;

	for (unsigned i = 0; i < ref.node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(ref, i);
		total += rrset->rr_count + rrset_sigs(ref, rrset, &ttl).left;
	}
	return total;
}

// Appends the records of a node whose bits are set; NULL: all.
static int node_give(struct node_ref ref, const uint64_t *found, struct records *rest)
{
	const uint8_t *owner = node_owner(ref), *rdata;
	struct expected at = expect_first(ref);
	uint16_t len;
	int rc = 0;

	while (rc == 0 && (rdata = expect_next(&at, &len)) != NULL) {
		const uint32_t number = at.number - 1;
		if (found == NULL || (found[number >> 6] >> (number & 63) & 1) != 0)
			rc = records_add(rest, owner, at.type, at.ttl, rdata, len);
	}
	return rc;
}

// --- as the records come
// --------------------------------------------------------------------------------------------

static struct node_ref name_find(const struct seen *seen, const uint8_t *owner, size_t len)
{
	uint8_t lower[NAME_LEN_MAX];
	struct node_ref ref;

	name_lower(lower, owner, len);
	ref = version_find_name(&seen->version, lower, (unsigned)len, name_hash(lower, &seen->key));
	if (ref.node == NULL && lower[0] == NSEC3_LABEL)
		ref = version_find_in_order(&seen->version, lower);
	return ref;
}

// Post: whether all of a name's records that are there can be marked one by one.
static int run_begin(struct seen *seen, const uint8_t *owner)
{
	const size_t len = name_len(owner);
	const struct node_ref ref = name_find(seen, owner, len);

	if (ref.node == NULL || memcmp(node_owner(ref), owner, len) != 0)
		return 0;
	const uint32_t total = records_of(ref);
	if (BITS(total) > seen->found_cap) {
		uint64_t *grown = reallocarray(seen->found, BITS(total), sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		seen->found = grown;
		seen->found_cap = BITS(total);
	}
	if (total == 0)
		return 0;
	memset(seen->found, 0, BITS(total) * sizeof(*seen->found));
	seen->node = ref;
	seen->owner = node_owner(ref);
	seen->total = total;
	seen->count = 0;
	seen->steps = 0;
	seen->steps_max = STEPS_FIRST;
	seen->next = expect_first(ref);
	return 0;
}

// What of the run was found goes to the rest.
static int run_give(struct seen *seen, struct records *rest)
{
	const int rc = node_give(seen->node, seen->found, rest);

	seen->node = (struct node_ref){0};
	return rc;
}

static int run_end(struct seen *seen, struct records *rest)
{
	if (seen->node.node == NULL)
		return 0;
	if (seen->count < seen->total)
		return run_give(seen, rest);
	const struct mark mark = mark_of(seen, seen->node);
	*mark.word |= mark.bit;
	seen->node = (struct node_ref){0};
	return 0;
}

// Looks for the record at the place behind the last one found, and from there around. Post: whether
// it is there; then it is marked.
static bool record_find(
    struct seen *seen, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t rdlen)
{
	struct expected at = seen->next;
	const uint32_t begin = at.number;
	bool around = false;
	uint16_t len;

	seen->steps_max += STEPS_EACH;
	while (seen->steps++ < seen->steps_max) {
		const uint8_t *is = expect_next(&at, &len);

		if (is == NULL) {
			if (around || begin == 0)
				return false;
			at = expect_first(seen->node);
			around = true;
			continue;
		}
		if (around && at.number > begin)
			return false;
		if (at.type != type || at.ttl != ttl || len != rdlen ||
		    memcmp(is, rdata, rdlen) != 0)
			continue;
		uint64_t *word = &seen->found[(at.number - 1) >> 6];
		const uint64_t bit = UINT64_C(1) << ((at.number - 1) & 63);
		seen->count += (*word & bit) == 0; // a repeated one counts once
		*word |= bit;
		seen->next = at;
		return true;
	}
	return false;
}

static bool run_goes_on(const struct seen *seen, const struct records *rest, const uint8_t *owner)
{
	const uint8_t *last = seen->owner;
	size_t len = name_len(owner);

	if (seen->node.node == NULL && rest->count == 0)
		return false;
	if (seen->node.node == NULL)
		last = rest->items[rest->count - 1].owner;
	return name_len(last) == len && memcmp(last, owner, len) == 0;
}

// More than may differ, or nearly everything so far does: then to look for it takes time for
// nothing.
static bool is_hopeless(const struct seen *seen, const struct records *rest)
{
	return rest->count > seen->names_max * RECORDS_A_NAME ||
	       (rest->count > SAMPLE && rest->count > seen->came - seen->came / 8);
}

int seen_record(struct seen *seen, struct records *rest, const uint8_t *owner, uint16_t type,
    uint32_t ttl, const uint8_t *rdata, size_t rdlen)
{
	int rc = 0;

	seen->came++;
	if (seen->given_up)
		return records_add(rest, owner, type, ttl, rdata, rdlen);
	if (!run_goes_on(seen, rest, owner)) {
		rc = run_end(seen, rest);
		seen->given_up = is_hopeless(seen, rest);
		if (rc == 0 && !seen->given_up)
			rc = run_begin(seen, owner);
	}
	if (rc == 0 && seen->node.node != NULL) {
		if (record_find(seen, type, ttl, rdata, rdlen))
			return 0;
		rc = run_give(seen, rest);
	}
	return rc != 0 ? rc : records_add(rest, owner, type, ttl, rdata, rdlen);
}

int seen_end(struct seen *seen, struct records *rest)
{
	return run_end(seen, rest);
}

// --- what comes of it
// -----------------------------------------------------------------------------------------------

struct settling {
	struct delta_search search;
	const struct seen *seen;
	size_t names; // that differ
};

static uint16_t covered(const struct record *r)
{
	return r->type == RRTYPE_RRSIG && r->rdlen >= 2 ? (uint16_t)(r->rdata[0] << 8 | r->rdata[1])
	                                                : 0;
}

// The records of a name as they shall be: sorted, an RRset has the TTL of its first.
static int wanted_take(struct delta_entries *entries, const struct record *items, size_t n)
{
	int rc = 0;

	for (size_t i = 0, first = 0; rc == 0 && i < n; i++) {
		if (items[i].type != items[first].type ||
		    covered(&items[i]) != covered(&items[first]))
			first = i;
		rc = delta_entry_add(
		    entries, items[i].type, items[first].ttl, items[i].rdata, items[i].rdlen);
	}
	return rc;
}

// items[0 .. n): what came of a name; node NULL: it is new.
static int name_differ(
    struct settling *s, struct node_ref ref, const struct record *items, size_t n)
{
	const uint8_t *before = ref.node != NULL ? node_owner(ref) : NULL;
	struct delta_search *search = &s->search;
	const uint64_t count = search->count;
	int rc = 0;

	search->before.count = search->after.count = 0;
	if (ref.node != NULL)
		rc = delta_entries_take(&search->before, ref);
	if (rc == 0)
		rc = wanted_take(&search->after, items, n);
	if (rc == 0)
		rc = delta_entries_differ(search, before, n > 0 ? items[0].owner : NULL,
		    before != NULL && n > 0 &&
		        memcmp(before, items[0].owner, items[0].owner_len) != 0);
	s->names += search->count != count;
	return rc == 0 && s->names > s->seen->names_max ? -E2BIG : rc;
}

// All of it came, and more of it elsewhere.
static int name_grow(struct settling *s, struct node_ref ref, const struct record *items, size_t n)
{
	struct records *all = records_new(s->search.delta->changes->apex);
	int rc = all != NULL ? node_give(ref, NULL, all) : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = records_add(all, items[i].owner, items[i].type, items[i].ttl, items[i].rdata,
		    items[i].rdlen);
	if (rc == 0)
		rc = records_sort(all);
	if (rc == 0)
		rc = name_differ(s, ref, all->items, all->count); // copies what it takes
	records_free(all);
	return rc;
}

static size_t owner_end(const struct records *rest, size_t begin)
{
	size_t end = begin + 1;

	while (end < rest->count && rest->items[end].owner == rest->items[begin].owner)
		end++;
	return end;
}

// Both in canonical order.
static int versions_merge(struct settling *s, const struct records *rest)
{
	struct version_iter iter;
	struct node_ref ref;
	size_t at = 0;
	int rc = 0;

	version_iter_start(&iter, &s->seen->version);
	ref = version_iter_next(&iter);
	while (rc == 0 && (ref.node != NULL || at < rest->count)) {
		const bool marked = ref.node != NULL && is_marked(s->seen, ref);
		const int order = ref.node == NULL ? 1
		                  : at == rest->count
		                      ? -1
		                      : name_compare(ref.node->name, rest->items[at].owner);
		const size_t end = order >= 0 ? owner_end(rest, at) : at;

		if (order == 0 && marked)
			rc = name_grow(s, ref, &rest->items[at], end - at);
		else if (order >= 0)
			rc = name_differ(
			    s, order == 0 ? ref : (struct node_ref){0}, &rest->items[at], end - at);
		else if (!marked && ref.node->rrset_count > 0)
			rc = name_differ(s, ref, NULL, 0);
		at = end;
		if (order <= 0)
			ref = version_iter_next(&iter);
	}
	return rc;
}

int seen_delta(struct seen *seen, struct records *rest, uint32_t to, struct delta **out)
{
	const struct image_header *header = version_header(&seen->version);
	struct settling s = {.seen = seen,
	    .search = {.delta = delta_new(image_apex(header), header->serial),
	        .bytes_max = SIZE_MAX,
	        .count_max = UINT64_MAX,
	        .bytes_kept = SIZE_MAX}};
	int rc = s.search.delta == NULL ? -ENOMEM : seen->given_up ? -E2BIG : 0;

	*out = NULL;
	if (rc == 0)
		rc = records_sort(rest);
	if (rc == 0)
		rc = versions_merge(&s, rest);
	if (rc == 0)
		rc = delta_order(s.search.delta);
	free(s.search.before.items);
	free(s.search.after.items);
	if (rc != 0) {
		delta_free(s.search.delta);
		return rc;
	}
	s.search.delta->changes->rrset_max = rest->rrset_max;
	s.search.delta->to = to;
	s.search.delta->steps = 1;
	*out = s.search.delta;
	return 0;
}

int seen_restore(const struct seen *seen, struct records *rest)
{
	struct version_iter iter;
	struct node_ref ref;
	int rc = 0;

	version_iter_start(&iter, &seen->version);
	while (rc == 0 && (ref = version_iter_next(&iter)).node != NULL) {
		if (is_marked(seen, ref))
			rc = node_give(ref, NULL, rest);
	}
	return rc;
}
