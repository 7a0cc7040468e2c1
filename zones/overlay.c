// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which names an overlay holds; see overlay.h. In order:
//
//   candidates  the names of the upper layers of the version and those the difference names
//   differing   of these, what has other records than below, or exists when it did not
//   following   names below a cut or DNAME that came or went; empty non-terminals that came or
//               went; the parent of a "*" that did; who embeds addresses that changed; and CNAMEs
//               whose chain comes by a name that changed
//   around      not held, but wanted by the compiler: ancestors, "*" below, embedded names
//
// A name not looked at is the same as below. So is a name that was, but is not held.
#include "overlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "name.h"
#include "overlay_places.h"
#include "rdata.h"
#include "rrtype.h"

// Of one overlay. A popular target of CNAMEs that changes would otherwise make it as large as the
// zone; then no chain below holds any more, and the renderer follows them.
#define CHAINS_HELD_MAX 32

struct plan {
	const struct zone_version *version, *below;
	struct places places;
	struct records *records; // of all places that are loaded, those of each in a row
	struct records *scratch; // of one node below
	struct delta_walk *walk, *walk_below;
	unsigned apex_labels;
	size_t names_max, held;
	uint32_t to_follow; // list of places, by place.next_followed
	unsigned chains_held;
	bool no_chains; // IMAGE_NO_CHAINS
	int64_t rr_change;
	uint64_t rr_removed;
};

static struct place *place_at(struct plan *p, uint32_t index)
{
	return &p->places.items[index];
}

// --- the records of a name
// ------------------------------------------------------------------------

static int loaded(struct plan *p, uint32_t index, size_t first)
{
	struct place *place = place_at(p, index);

	place->loaded = true;
	place->first = (uint32_t)first;
	place->count = (uint32_t)(p->records->count - first);
	return place->count > 0 ? places_mark_parents(&p->places, place->name, p->apex_labels) : 0;
}

// The place of a name, its records in the version there. Post: PLACE_NONE when out of memory.
static uint32_t place_load(struct plan *p, const uint8_t *name)
{
	const uint32_t index = places_get(&p->places, name);

	if (index == PLACE_NONE || place_at(p, index)->loaded)
		return index;
	const struct place *place = place_at(p, index);
	const struct node_ref node = place_node(p->version, place->name, place->len, place->hash);
	const size_t first = p->records->count;
	if ((node.node != NULL && delta_walk_copy(p->walk, node) != 0) ||
	    loaded(p, index, first) != 0)
		return PLACE_NONE;
	return index;
}

static const struct record *place_records(struct plan *p, uint32_t index)
{
	return &p->records->items[place_at(p, index)->first];
}

static bool place_has(struct plan *p, uint32_t index, uint16_t type)
{
	const struct record *items = place_records(p, index);

	for (uint32_t i = 0; i < place_at(p, index)->count; i++) {
		if (items[i].type == type)
			return true;
	}
	return false;
}

static bool below_has(struct plan *p, uint32_t index, uint16_t type)
{
	const struct node_ref below = place_at(p, index)->below;
	const struct image_rrset *rrset = below.node != NULL ? node_rrset(below, type) : NULL;

	return rrset != NULL && rrset->rr_count > 0;
}

// Does the version have names with records below this one? Those looked at are known; of the others
// the layers below tell.
static int has_descendants(struct plan *p, uint32_t index)
{
	const struct place *place = place_at(p, index);
	struct version_iter iter;
	struct node_ref node;

	if (places_is_parent(&p->places, place->hash))
		return true;
	version_iter_seek(&iter, p->below, place->name);
	while ((node = version_iter_next(&iter)).node != NULL &&
	       name_is_under(node.node->name, place->name)) {
		if (node.node->rrset_count > 0 && node.node->name_len != place->len &&
		    places_find(&p->places, node.node->name) == PLACE_NONE)
			return true;
	}
	return false;
}

// --- candidates
// -----------------------------------------------------------------------------------

static bool is_below(const struct plan *p, const struct image *image)
{
	for (unsigned i = 0; i < p->below->layer_count; i++) {
		if (p->below->layer[i].header->id == image->header->id)
			return true;
	}
	return false;
}

// Names of changes first: what they have afterwards is not what the version has.
static int changes_load(struct plan *p)
{
	const uint8_t *owner;

	while ((owner = delta_walk_owner(p->walk)) != NULL) {
		const uint32_t index = places_get(&p->places, owner);
		if (index == PLACE_NONE)
			return -ENOMEM;
		const struct place *place = place_at(p, index);
		const struct node_ref node =
		    place_node(p->version, place->name, place->len, place->hash);
		const size_t first = p->records->count;
		int rc = delta_walk_change(p->walk, node);
		if (rc == 0)
			rc = loaded(p, index, first);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int names_load(struct plan *p, const struct overlay_names *names)
{
	for (size_t at = 0; at < names->len; at += name_len(names->bytes + at)) {
		if (place_load(p, names->bytes + at) == PLACE_NONE)
			return -ENOMEM;
	}
	return 0;
}

static int layers_load(struct plan *p)
{
	for (unsigned i = 0; i < p->version->layer_count; i++) {
		const struct image *image = &p->version->layer[i];
		const struct image_node *node = image_first(image);
		if (is_below(p, image) || (image->header->flags & IMAGE_OVERLAY) == 0)
			break;
		for (uint32_t left = image_names(image); left > 0; left--) {
			if (place_load(p, node->name) == PLACE_NONE)
				return -ENOMEM;
			if (left > 1)
				node = node_next(node);
		}
	}
	return 0;
}

// --- what differs
// ---------------------------------------------------------------------------------

static bool same_record(const struct record *a, const struct record *b)
{
	return a->type == b->type && a->ttl == b->ttl && a->rdlen == b->rdlen &&
	       a->owner_len == b->owner_len && memcmp(a->owner, b->owner, a->owner_len) == 0 &&
	       memcmp(a->rdata, b->rdata, a->rdlen) == 0;
}

// The type, or that which a signature covers.
static uint16_t subject(const struct record *r)
{
	return r->type == RRTYPE_RRSIG && r->rdlen >= 2 ? (uint16_t)(r->rdata[0] << 8 | r->rdata[1])
	                                                : r->type;
}

// What an answer of another name may hold of this one.
static bool is_embedded(const struct record *r)
{
	const uint16_t type = subject(r);

	return type == RRTYPE_A || type == RRTYPE_AAAA || type == RRTYPE_SVCB ||
	       type == RRTYPE_HTTPS;
}

static bool is_alias(const struct record *r)
{
	return subject(r) == RRTYPE_CNAME;
}

// Of two runs of records, those that count.
static bool differ(const struct record *a, const struct record *a_end, const struct record *b,
    const struct record *b_end, bool (*counts)(const struct record *))
{
	for (;; a++, b++) {
		while (a < a_end && !counts(a))
			a++;
		while (b < b_end && !counts(b))
			b++;
		if (a == a_end || b == b_end)
			return a != a_end || b != b_end;
		if (!same_record(a, b))
			return true;
	}
}

struct difference {
	bool records;  // of any type
	bool embedded; // of those that other names' answers hold
	bool chains;   // of what a chain of CNAMEs may hold
	uint64_t before;
};

static int place_compare(struct plan *p, uint32_t index, struct difference *difference)
{
	const struct node_ref below = place_at(p, index)->below;
	const struct record *now = place_records(p, index), *end = now + place_at(p, index)->count;

	p->scratch->count = 0;
	if (below.node != NULL) {
		const int rc = delta_walk_copy(p->walk_below, below);
		if (rc != 0)
			return rc;
	}
	const struct record *before = p->scratch->items, *before_end = before + p->scratch->count;
	*difference = (struct difference){
	    .before = p->scratch->count, .records = p->scratch->count != place_at(p, index)->count};
	for (uint32_t i = 0; !difference->records && i < p->scratch->count; i++)
		difference->records = !same_record(&now[i], &before[i]);
	if (!difference->records)
		return 0;
	difference->embedded = differ(now, end, before, before_end, is_embedded);
	// That there are other types is of no account: what denies one is not used in layers.
	difference->chains = difference->embedded || differ(now, end, before, before_end, is_alias);
	return 0;
}

static int place_hold(struct plan *p, uint32_t index)
{
	struct place *place = place_at(p, index);

	if (place->held)
		return 0;
	place->held = true;
	return ++p->held > p->names_max ? -E2BIG : 0;
}

static int hold_name(struct plan *p, const uint8_t *name)
{
	const uint32_t index = place_load(p, name);

	return index == PLACE_NONE ? -ENOMEM : place_hold(p, index);
}

// --- who embeds a name
// ----------------------------------------------------------------------------

// A reference of the list of targets was not proven to be a node by the verifier: it is one when
// its name leads to it.
static const struct image_node *target_node(const struct image *image, uint32_t ref)
{
	const struct hash_key key = {{image->hash_key[0], image->hash_key[1]}};
	const struct zone_version alone = {.layer_count = 1, .layer = {*image}};
	const uint64_t at = (uint64_t)ref << 3, limit = image->header->size - IMAGE_TAIL;

	if (at + sizeof(struct image_node) > limit)
		return NULL;
	const struct image_node *node = image_at(image, ref);
	const uint8_t *name = node->name;
	const unsigned len = node->name_len;
	if (len == 0 || at + sizeof(struct image_node) + len > limit ||
	    name_len_checked(name, len) != len)
		return NULL;
	return version_find_name(&alone, name, len, name_hash(name, &key)).node == node ? node
	                                                                                : NULL;
}

// Who depends on it is found later, one after the other: aliases of aliases may make a long chain.
// `embedded`: not only CNAMEs that lead there.
static void follow_later(struct plan *p, uint32_t index, bool embedded)
{
	struct place *place = place_at(p, index);

	if (place->followed && (place->embedded || !embedded))
		return;
	place->embedded |= embedded;
	if (place->waiting)
		return;
	place->followed = place->waiting = true;
	place->next_followed = p->to_follow;
	p->to_follow = index;
}

static int embedder_hold(struct plan *p, uint32_t of, const struct image_node *node)
{
	const bool chain = (node->flags & NODE_CNAME) != 0;

	if (chain ? p->no_chains : !place_at(p, of)->embedded)
		return 0;
	if (chain && ++p->chains_held > CHAINS_HELD_MAX) {
		p->no_chains = true;
		return 0;
	}

	const uint32_t index = place_load(p, node->name);
	const int rc = index == PLACE_NONE ? -ENOMEM : place_hold(p, index);

	// An alias is followed: what embeds it embeds what it leads to.
	if (rc == 0 && (place_has(p, index, RRTYPE_SVCB) || place_has(p, index, RRTYPE_HTTPS)))
		follow_later(p, index, true);
	return rc;
}

// The list does not say that a referral embeds the addresses of names below it.
static int hold_cuts_above(struct plan *p, uint32_t index)
{
	const uint8_t *name = place_at(p, index)->name; // in the arena: it stays
	int rc = 0;

	for (unsigned labels = place_at(p, index)->labels; rc == 0 && labels > p->apex_labels + 1;
	     labels--) {
		name = name_parent(name);
		const uint32_t above = place_load(p, name);
		if (above == PLACE_NONE)
			return -ENOMEM;
		if (below_has(p, above, RRTYPE_NS))
			rc = place_hold(p, above);
	}
	return rc;
}

static int hold_embedders(struct plan *p, uint32_t index)
{
	const uint32_t hash = (uint32_t)(place_at(p, index)->hash >> 32);
	int rc = place_at(p, index)->embedded ? hold_cuts_above(p, index) : 0;

	for (unsigned i = 0; i < p->below->layer_count; i++) {
		const struct image *image = &p->below->layer[i];
		const struct image_section *section = &image->header->section[IMAGE_TARGETS];
		const struct image_target *items = image_at(image, section->ref);
		uint32_t low = 0, high = section->count;
		while (low < high) {
			const uint32_t middle = low + (high - low) / 2;
			if (items[middle].hash < hash)
				low = middle + 1;
			else
				high = middle;
		}
		uint32_t before = 0; // one that embeds it several times has its entries in a row
		for (; rc == 0 && low < section->count && items[low].hash == hash; low++) {
			if (items[low].node_ref == before)
				continue;
			before = items[low].node_ref;
			const struct image_node *node = target_node(image, items[low].node_ref);
			rc = node != NULL ? embedder_hold(p, index, node) : -E2BIG;
		}
	}
	return rc;
}

// --- what follows from a difference
// ----------------------------------------------------------------

// A cut or a DNAME came or went: everything below it is hidden or is not.
static int hold_descendants(struct plan *p, uint32_t index)
{
	const uint8_t *name = place_at(p, index)->name; // in the arena: it stays
	struct version_iter iter;
	struct node_ref node;
	int rc = 0;

	version_iter_seek(&iter, p->below, name);
	while (rc == 0 && (node = version_iter_next(&iter)).node != NULL &&
	       name_is_under(node.node->name, name)) {
		const uint32_t below = place_load(p, node.node->name);
		rc = below == PLACE_NONE ? -ENOMEM : place_hold(p, below);
		if (rc == 0)
			follow_later(p, below, true);
	}
	return rc;
}

static int existence_settle(struct plan *p, uint32_t index);

// Names above exist because of names below.
static int ancestors_settle(struct plan *p, uint32_t index)
{
	const uint8_t *name = place_at(p, index)->name;

	if (place_at(p, index)->labels <= p->apex_labels + 1u)
		return 0;
	const uint32_t parent = place_load(p, name_parent(name));
	return parent == PLACE_NONE ? -ENOMEM : existence_settle(p, parent);
}

// The sole NSEC3 of a name is no name to a query (RFC 5155 7.2.8).
static bool owns_nsec3_alone(struct plan *p, uint32_t index)
{
	const struct record *items = place_records(p, index);
	const uint32_t count = place_at(p, index)->count;

	for (uint32_t i = 0; i < count; i++) {
		if (items[i].type != RRTYPE_NSEC3 && items[i].type != RRTYPE_RRSIG)
			return false;
	}
	return count > 0;
}

static bool owned_nsec3_alone(const struct node_ref below)
{
	return below.node != NULL && below.node->types == type_bit(RRTYPE_NSEC3);
}

// Pre: all candidates are loaded. Finds whether the name exists, and what follows when that is new.
static int existence_settle(struct plan *p, uint32_t index)
{
	struct place *place = place_at(p, index);

	if (place->settled)
		return 0;
	place->settled = true;
	place->exists = place->count > 0 || has_descendants(p, index);
	if (place->exists == (place->below.node != NULL) &&
	    owns_nsec3_alone(p, index) == owned_nsec3_alone(place->below))
		return 0;
	int rc = place_hold(p, index);
	follow_later(p, index, false);
	if (rc == 0 && name_is_wildcard(place->name) && place->labels > p->apex_labels)
		rc = hold_name(p, name_parent(place_at(p, index)->name));
	return rc != 0 ? rc : ancestors_settle(p, index);
}

static bool is_apex(struct plan *p, uint32_t index)
{
	return place_at(p, index)->labels == p->apex_labels;
}

// The index of the overlay would not hide the node that the layers below have.
static bool gets_hidden(struct plan *p, uint32_t index)
{
	const struct node_ref below = place_at(p, index)->below;

	return below.node != NULL && !owned_nsec3_alone(below) && owns_nsec3_alone(p, index);
}

// What an overlay cannot say of a zone.
static bool concerns_everything(struct plan *p, uint32_t apex)
{
	const struct node_ref below = place_at(p, apex)->below;
	const struct record *items = place_records(p, apex);
	const struct image_rrset *rrset = node_rrset(below, RRTYPE_NSEC3PARAM);
	struct rdata_iter iter = {0};
	bool signed_now = false;
	uint16_t len;

	// Which one counts is a matter of their order, too.
	if (rrset != NULL)
		iter = rrset_rdata(below, rrset);
	for (uint32_t i = 0; i < place_at(p, apex)->count; i++) {
		const struct record *r = &items[i];
		signed_now |=
		    r->type == RRTYPE_RRSIG && r->rdata[0] == 0 && r->rdata[1] == RRTYPE_SOA;
		if (r->type != RRTYPE_NSEC3PARAM)
			continue;
		const uint8_t *rdata = rdata_next(&iter, &len);
		if (rdata == NULL || len != r->rdlen || memcmp(rdata, r->rdata, len) != 0)
			return true;
	}
	if (iter.left > 0)
		return true;
	return signed_now != ((version_header(p->below)->flags & IMAGE_SIGNED) != 0);
}

static int difference_follow(struct plan *p, uint32_t index)
{
	struct difference difference;
	int rc = place_compare(p, index, &difference);

	if (rc != 0 || !difference.records)
		return rc;
	p->rr_change += (int64_t)place_at(p, index)->count - (int64_t)difference.before;
	if (difference.before > place_at(p, index)->count)
		p->rr_removed += difference.before - place_at(p, index)->count;
	if (gets_hidden(p, index))
		return -E2BIG;
	rc = place_hold(p, index);
	if (rc == 0 && (place_has(p, index, RRTYPE_DNAME) != below_has(p, index, RRTYPE_DNAME) ||
	                   (!is_apex(p, index) &&
	                       place_has(p, index, RRTYPE_NS) != below_has(p, index, RRTYPE_NS))))
		rc = hold_descendants(p, index);
	if (rc == 0 && difference.chains)
		follow_later(p, index, difference.embedded);
	return rc;
}

static int followers_hold(struct plan *p)
{
	int rc = 0;

	while (rc == 0 && p->to_follow != PLACE_NONE) {
		const uint32_t index = p->to_follow;
		p->to_follow = place_at(p, index)->next_followed;
		place_at(p, index)->waiting = false;
		rc = hold_embedders(p, index);
	}
	return rc;
}

static int differences_find(struct plan *p, uint32_t candidates)
{
	int rc = 0;

	for (uint32_t i = 0; i < candidates && rc == 0; i++)
		rc = difference_follow(p, i);
	if (rc == 0)
		rc = followers_hold(p);
	// What was held or loaded on the way may be more than the candidates by now; and a name
	// that comes or goes is followed as well.
	for (uint32_t i = 0; i < p->places.count && rc == 0; i++) {
		rc = existence_settle(p, i);
		if (rc == 0)
			rc = followers_hold(p);
	}
	return rc;
}

// --- what the compiler wants around
// ----------------------------------------------------------------

// Ancestors up to the apex.
static int load_ancestors(struct plan *p, uint32_t index)
{
	const uint8_t *name = place_at(p, index)->name;
	unsigned labels = place_at(p, index)->labels;

	while (labels-- > p->apex_labels) {
		name = name_parent(name);
		if (place_load(p, name) == PLACE_NONE)
			return -ENOMEM;
	}
	return 0;
}

// Some name with records below one that has none.
static int load_descendant(struct plan *p, uint32_t index)
{
	const uint8_t *name = place_at(p, index)->name;
	struct version_iter iter;
	struct node_ref node;

	if (places_is_parent(&p->places, place_at(p, index)->hash))
		return 0;
	version_iter_seek(&iter, p->below, name);
	while ((node = version_iter_next(&iter)).node != NULL &&
	       name_is_under(node.node->name, name)) {
		if (node.node->rrset_count == 0 ||
		    places_find(&p->places, node.node->name) != PLACE_NONE)
			continue;
		const uint32_t below = place_load(p, node.node->name);
		return below == PLACE_NONE ? -ENOMEM : load_ancestors(p, below);
	}
	return 0;
}

static int load_targets(struct plan *p, uint32_t index)
{
	const uint8_t *apex = image_apex(version_header(p->below));
	const uint32_t first = place_at(p, index)->first, count = place_at(p, index)->count;
	const uint8_t further = (uint8_t)(place_at(p, index)->around - 1);
	int rc = 0;

	for (uint32_t i = first; i < first + count && rc == 0; i++) {
		const struct record r = p->records->items[i];
		struct rdata_name names[RDATA_NAMES_MAX];
		const unsigned found = rdata_names(r.type, r.rdata, r.rdlen, names);
		for (unsigned j = 0; j < found && rc == 0; j++) {
			const uint8_t *name = r.rdata + names[j].offset;
			if (!names[j].additional || !name_is_under(name, apex))
				continue;
			const uint32_t target = place_load(p, name);
			rc = target == PLACE_NONE ? -ENOMEM : load_ancestors(p, target);
			// What an alias leads to may lead on.
			if (rc == 0 && rdata_is_alias(r.type, r.rdata) &&
			    place_at(p, target)->around < further)
				place_at(p, target)->around = further;
		}
	}
	return rc;
}

// "*" below: the node says that it is there.
static int load_wildcard(struct plan *p, uint32_t index)
{
	const struct place *place = place_at(p, index);
	uint8_t wild[NAME_LEN_MAX];

	if (place->len + 2u > NAME_LEN_MAX)
		return 0;
	wild[0] = 1;
	wild[1] = '*';
	memcpy(wild + 2, place->name, place->len);
	const uint32_t child = place_load(p, wild);
	if (child == PLACE_NONE)
		return -ENOMEM;
	return place_at(p, child)->count == 0 ? load_descendant(p, child) : 0;
}

static int surroundings_load(struct plan *p)
{
	const uint32_t count = p->places.count; // those that come now are not held
	int rc = 0;

	for (uint32_t i = 0; i < count && rc == 0; i++) {
		if (!place_at(p, i)->held || !place_at(p, i)->exists)
			continue;
		place_at(p, i)->around = AROUND_MAX;
		rc = load_ancestors(p, i);
		if (rc == 0 && place_at(p, i)->count == 0)
			rc = load_descendant(p, i);
		if (rc == 0)
			rc = load_wildcard(p, i);
	}
	// A place gets its distance from one further away only, so each is met once.
	for (uint8_t around = AROUND_MAX; around > 0; around--) {
		for (uint32_t i = 0; i < p->places.count && rc == 0; i++) {
			if (place_at(p, i)->around == around)
				rc = load_targets(p, i);
		}
	}
	return rc;
}

// --- the plan
// -------------------------------------------------------------------------------------

static int by_name(const void *left, const void *right)
{
	const struct place *a = *(const struct place *const *)left,
	                   *b = *(const struct place *const *)right;

	return name_compare(a->name, b->name);
}

static int plan_write(struct plan *p, struct overlay *out)
{
	const struct image_header *below = version_header(p->below);
	const struct place **sorted = reallocarray(NULL, p->held + 1, sizeof(*sorted));
	const uint8_t **names = reallocarray(NULL, p->held + 1, sizeof(*names));
	bool *gone = reallocarray(NULL, p->held + 1, sizeof(*gone));
	uint32_t count = 0;

	if (sorted == NULL || names == NULL || gone == NULL) {
		free(sorted);
		free(names);
		free(gone);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < p->places.count; i++) {
		const struct place *place = place_at(p, i);
		if (place->held && (place->exists || place->below.node != NULL))
			sorted[count++] = place;
	}
	qsort(sorted, count, sizeof(*sorted), by_name);
	for (uint32_t i = 0; i < count; i++) {
		names[i] = sorted[i]->name;
		gone[i] = !sorted[i]->exists;
	}
	free(sorted);
	out->plan = (struct compile_overlay){.below_id = below->id,
	    .rr_count = (uint64_t)((int64_t)below->rr_count + p->rr_change),
	    .flags = (below->flags & ~(uint32_t)(IMAGE_OVERLAY | IMAGE_NO_CHAINS)) |
	             (p->no_chains ? IMAGE_NO_CHAINS : 0),
	    .rrsig_expiry_min = below->rrsig_expiry_min,
	    .count = count,
	    .names = names,
	    .gone = gone};
	out->rr_removed = p->rr_removed;
	return 0;
}

static int plan_run(struct plan *p, const struct overlay_names *since, struct overlay *out)
{
	int rc = changes_load(p);
	const uint32_t apex =
	    rc == 0 ? place_load(p, image_apex(version_header(p->below))) : PLACE_NONE;

	if (rc == 0 && apex == PLACE_NONE)
		rc = -ENOMEM;
	if (rc == 0)
		rc = since != NULL ? names_load(p, since) : layers_load(p);
	if (rc == 0 && place_at(p, apex)->below.node == NULL)
		rc = -E2BIG;
	if (rc == 0 && concerns_everything(p, apex))
		rc = -E2BIG;
	if (rc == 0)
		rc = place_hold(p, apex); // its serial is the version's
	if (rc == 0)
		rc = differences_find(p, p->places.count);
	if (rc == 0)
		rc = surroundings_load(p);
	if (rc == 0)
		rc = plan_write(p, out);
	return rc != 0 ? rc : records_sort(p->records);
}

int overlay_make(const struct zone_version *version, const struct delta *delta,
    const struct zone_version *below, const struct overlay_names *since, size_t names_max,
    struct overlay *out, char error[DELTA_ERROR_MAX])
{
	struct plan p = {.version = version,
	    .below = below,
	    .apex_labels = version_apex_labels(below),
	    .names_max = names_max,
	    .to_follow = PLACE_NONE};
	char unused[DELTA_ERROR_MAX];
	int rc;

	*out = (struct overlay){0};
	snprintf(error, DELTA_ERROR_MAX, "Out of memory.");
	rc = places_open(&p.places, below);
	p.records = records_new(image_apex(version_header(below)));
	p.scratch = records_new(image_apex(version_header(below)));
	if (rc == 0 && (p.records == NULL || p.scratch == NULL))
		rc = -ENOMEM;
	if (rc == 0)
		rc = delta_walk_open(delta, version, p.records, error, &p.walk);
	if (rc == 0)
		rc = delta_walk_open(NULL, below, p.scratch, unused, &p.walk_below);
	if (rc == 0)
		rc = plan_run(&p, since, out);
	delta_walk_close(p.walk);
	delta_walk_close(p.walk_below);
	records_free(p.scratch);
	if (rc != 0) {
		records_free(p.records);
		places_close(&p.places);
		overlay_free(out);
		return rc;
	}
	out->records = p.records;
	out->names = p.places.arena;
	p.places.arena = NULL;
	places_close(&p.places);
	return 0;
}

void overlay_free(struct overlay *overlay)
{
	records_free(overlay->records);
	free(overlay->plan.names);
	free((bool *)(uintptr_t)overlay->plan.gone);
	arena_free(overlay->names);
	*overlay = (struct overlay){0};
}
