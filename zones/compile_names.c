// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The names of a zone: owners and empty non-terminals in canonical order, with what each one is to
// a walk from the apex (cut, DNAME, occluded, has a wildcard below). Canonical order puts every
// name directly before its descendants, so a stack of the current path is all that is needed.

#include "compile_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hugepage.h"
#include "name.h"
#include "rrtype.h"

static uint16_t covered_type(const struct record *sig)
{
	return (uint16_t)(sig->rdata[0] << 8 | sig->rdata[1]);
}

// --- RRsets of a unit
// -----------------------------------------------------------------------------

// The first of n records, which ascend by type, at or above `type`.
static const struct record *type_from(const struct record *items, size_t n, uint32_t type)
{
	while (n > 0) {
		const size_t half = n / 2;
		if (items[half].type < type) {
			items += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return items;
}

// The same of signatures, by the type they cover: records_sort() has them so.
static const struct record *covered_from(const struct record *sigs, size_t n, uint32_t type)
{
	while (n > 0) {
		const size_t half = n / 2;
		if (covered_type(&sigs[half]) < type) {
			sigs += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return sigs;
}

void rrset_walk_start(struct rrset_walk *walk, const struct compilation *c, const struct unit *unit)
{
	const struct record *items = c->records->items + unit->first;

	*walk = (struct rrset_walk){.compilation = c, .unit = unit};
	walk->next = items;
	walk->end = items + unit->count;
	walk->sigs = walk->sigs_end = walk->end;
	if (unit->count == 0 || walk->end[-1].type < RRTYPE_RRSIG)
		return; // most names of most zones
	walk->sigs = type_from(items, unit->count, RRTYPE_RRSIG);
	walk->sigs_end = type_from(walk->sigs, (size_t)(walk->end - walk->sigs), RRTYPE_RRSIG + 1);
}

bool rrset_walk_next(struct rrset_walk *walk, struct rrset_span *span)
{
	const uint32_t sig_type =
	    walk->sigs < walk->sigs_end ? covered_type(walk->sigs) : 0x10000; // that: none

	if (walk->next < walk->end && walk->next->type == RRTYPE_RRSIG)
		walk->next = walk->sigs_end;
	const bool have = walk->next < walk->end;
	if (!have && sig_type == 0x10000)
		return false;
	*span = (struct rrset_span){.sigs = walk->sigs};
	if (have && walk->next->type <= sig_type) {
		span->type = walk->next->type;
		span->rrs = walk->next;
		while (walk->next < walk->end && walk->next->type == span->type) {
			walk->next++;
			span->rr_count++;
		}
	} else {
		span->type = (uint16_t)sig_type;
	}
	for (; walk->sigs < walk->sigs_end && covered_type(walk->sigs) == span->type; walk->sigs++)
		span->sig_count++;
	return true;
}

bool unit_rrset(
    const struct compilation *c, const struct unit *unit, uint16_t type, struct rrset_span *span)
{
	const struct record *items = c->records->items + unit->first, *end = items + unit->count;
	const struct record *rrs = type_from(items, unit->count, type);
	const struct record *sigs = type_from(items, unit->count, RRTYPE_RRSIG);
	const struct record *sigs_end = type_from(sigs, (size_t)(end - sigs), RRTYPE_RRSIG + 1);

	*span = (struct rrset_span){.type = type, .rrs = rrs};
	span->rr_count = (uint32_t)(type_from(rrs, (size_t)(end - rrs), type + 1u) - rrs);
	if (span->rr_count == 0)
		return false;
	span->sigs = covered_from(sigs, (size_t)(sigs_end - sigs), type);
	span->sig_count =
	    (uint16_t)(covered_from(span->sigs, (size_t)(sigs_end - span->sigs), type + 1u) -
	               span->sigs);
	return true;
}

// --- names
// ----------------------------------------------------------------------------------------

// What a unit holds, as far as its place in the zone depends on it.
#define HAS_NS    0x01u
#define HAS_CNAME 0x02u
#define HAS_DNAME 0x04u
#define HAS_MORE  0x08u // than NSEC3 and its signatures; signatures whose NSEC3 is gone count as it

static unsigned unit_holds(const struct compilation *c, const struct unit *unit)
{
	const struct record *items = c->records->items + unit->first;
	unsigned holds = 0;

	for (uint32_t i = 0; i < unit->count; i++) {
		switch (items[i].type) {
		case RRTYPE_NS:
			holds |= HAS_NS | HAS_MORE;
			break;
		case RRTYPE_CNAME:
			holds |= HAS_CNAME | HAS_MORE;
			break;
		case RRTYPE_DNAME:
			holds |= HAS_DNAME | HAS_MORE;
			break;
		case RRTYPE_RRSIG:
			if (covered_type(&items[i]) != RRTYPE_NSEC3)
				holds |= HAS_MORE;
			break;
		case RRTYPE_NSEC3:
			break;
		default:
			holds |= HAS_MORE;
		}
	}
	return holds;
}

static void classify(struct compilation *c, struct unit *unit, struct unit *parent)
{
	if (unit == parent)
		unit->flags |= NODE_APEX;
	else if ((parent->flags & (NODE_OCCLUDED | NODE_CUT | NODE_DNAME)) != 0)
		unit->flags |= NODE_OCCLUDED;
	// An empty non-terminal "*" is a source of synthesis too (RFC 4592 4.9): NODATA.
	if (unit != parent && (unit->flags & NODE_OCCLUDED) == 0 && name_is_wildcard(unit->owner)) {
		parent->flags |= NODE_WILD;
		c->flags |= IMAGE_HAS_WILD;
	}
	if (unit->count == 0) {
		unit->flags |= NODE_EMPTY;
		return;
	}
	const unsigned holds = unit_holds(c, unit);
	// An owner that holds nothing but NSEC3 is not a name of the zone to queries (RFC
	// 5155 7.2.8).
	if ((holds & HAS_MORE) == 0)
		unit->role |= UNIT_HIDDEN;
	if ((holds & HAS_CNAME) != 0)
		unit->flags |= NODE_CNAME;
	if ((unit->flags & NODE_OCCLUDED) != 0)
		return;
	if (unit != parent && (holds & HAS_NS) != 0) {
		unit->flags |= NODE_CUT;
		c->flags |= IMAGE_HAS_CUTS;
	} else if ((holds & HAS_DNAME) != 0) {
		unit->flags |= NODE_DNAME;
		c->flags |= IMAGE_HAS_DNAMES;
	}
}

static int units_grow(struct compilation *c, size_t cap)
{
	struct unit *units = reallocarray(c->units, cap, sizeof(*units));

	if (units == NULL)
		return -ENOMEM;
	hugepage_advise(units + c->unit_count, (cap - c->unit_count) * sizeof(*units));
	c->units = units;
	uint64_t *hashes = reallocarray(c->hashes, cap, sizeof(*hashes));
	if (hashes == NULL)
		return -ENOMEM;
	c->hashes = hashes;
	c->unit_cap = cap;
	return 0;
}

static struct unit *unit_add(
    struct compilation *c, const uint8_t *owner, size_t len, unsigned labels)
{
	if (c->unit_count == c->unit_cap && units_grow(c, c->unit_cap * 2) != 0)
		return NULL;
	struct unit *unit = &c->units[c->unit_count++];
	*unit = (struct unit){.owner = owner, .labels = (uint8_t)labels, .len = (uint8_t)len};
	return unit;
}

// The hash of a name below another one takes only its first label.
static uint64_t hash_below(const struct compilation *c, uint64_t parent, const uint8_t *name)
{
	uint8_t label[2 * (NAME_LABEL_MAX + 1)] = {0}; // 64 bytes past the end may be read

	name_lower(label, name, 1u + name[0]);
	return qname_hash_child(parent, label, &c->options->key);
}

// How many RRsets a unit has.
static uint32_t rrsets_count(const struct compilation *c, const struct unit *unit)
{
	struct rrset_walk walk;
	struct rrset_span span = {0};
	uint32_t count = 0;

	if (unit->count == 1)
		return 1;
	rrset_walk_start(&walk, c, unit);
	while (rrset_walk_next(&walk, &span))
		count++;
	return count;
}

// `path[n]`: the unit with n labels on the way to the last name.
static int owner_add(struct compilation *c, uint32_t path[NAME_LABELS_MAX + 1], unsigned *depth,
    uint32_t first, uint32_t count)
{
	const uint8_t *owner = c->records->items[first].owner;
	const unsigned apex_labels = name_labels(c->records->apex);
	const size_t len = c->records->items[first].owner_len;
	uint8_t start[NAME_LABELS_MAX + 1]; // where its labels begin
	unsigned labels = 0;

	for (unsigned at = 0; owner[at] != 0; at += owner[at] + 1u)
		start[labels++] = (uint8_t)at;
	start[labels] = (uint8_t)(len - 1);
	// How far up the last name's path is this name's path too?
	unsigned common = labels < *depth ? labels : *depth;
	if (c->unit_count > 0) {
		while (common > apex_labels &&
		       !name_equal(c->units[path[common]].owner, owner + start[labels - common]))
			common--;
	} else {
		common = apex_labels - 1; // may wrap for the root; the loop adds one
	}
	for (unsigned n = common + 1; n <= labels; n++) {
		const size_t at = start[labels - n];
		struct unit *unit = unit_add(c, owner + at, len - at, n);
		if (unit == NULL)
			return -ENOMEM;
		struct unit *parent = n == apex_labels ? unit : &c->units[path[n - 1]];
		path[n] = c->unit_count - 1;
		c->hashes[path[n]] = parent == unit
		                         ? name_hash(unit->owner, &c->options->key)
		                         : hash_below(c, c->hashes[path[n - 1]], unit->owner);
		if (n == labels) {
			unit->first = first;
			unit->count = count;
			const uint32_t rrsets = rrsets_count(c, unit);
			if (rrsets > UINT16_MAX)
				return -EFBIG;
			unit->rrset_count = (uint16_t)rrsets;
		}
		classify(c, unit, parent);
	}
	*depth = labels;
	return 0;
}

// Both in canonical order: who is not held is a guest; who is gone becomes a unit of its own.
static int held_by_overlay(struct compilation *c)
{
	const struct compile_overlay *overlay = c->overlay;
	const uint32_t count = c->unit_count;
	uint32_t unit = 0;

	for (uint32_t i = 0; i < overlay->count; i++) {
		if (overlay->gone[i]) {
			const uint8_t *name = overlay->names[i];
			struct unit *gone = unit_add(c, name, name_len(name), name_labels(name));
			if (gone == NULL)
				return -ENOMEM;
			c->hashes[c->unit_count - 1] = name_hash(name, &c->options->key);
			gone->role = UNIT_GONE;
			continue;
		}
		while (unit < count && name_compare(c->units[unit].owner, overlay->names[i]) < 0)
			c->units[unit++].role |= UNIT_GUEST;
		if (unit == count || !name_equal(c->units[unit].owner, overlay->names[i]))
			return -EINVAL;
		unit++;
	}
	while (unit < count)
		c->units[unit++].role |= UNIT_GUEST;
	c->gone_count = c->unit_count - count;
	c->unit_count = count;
	return overlay->count > 0 && (c->units[0].role & UNIT_GUEST) == 0 ? 0 : -EINVAL;
}

static size_t owners_count(const struct records *records)
{
	size_t count = 0;

	for (size_t i = 0; i < records->count; i++)
		count += i == 0 || records->items[i].owner != records->items[i - 1].owner;
	return count;
}

int compile_names(struct compilation *c)
{
	const struct record *items = c->records->items;
	uint32_t path[NAME_LABELS_MAX + 1] = {0};
	unsigned depth = 0;

	// Room for all owners at once: a table that grows leaves holes as large as itself.
	if (units_grow(c, owners_count(c->records) + 64) != 0)
		return -ENOMEM;
	for (size_t begin = 0, end; begin < c->records->count; begin = end) {
		for (end = begin + 1; end < c->records->count; end++) {
			if (items[end].owner != items[begin].owner)
				break;
		}
		const int error =
		    owner_add(c, path, &depth, (uint32_t)begin, (uint32_t)(end - begin));
		if (error != 0)
			return error;
	}
	const int error = c->overlay != NULL ? held_by_overlay(c) : 0;
	if (error != 0)
		return error;
	for (uint32_t i = 0; i < c->unit_count + c->gone_count; i++) {
		const struct unit *unit = &c->units[i];
		c->held += (unit->role & UNIT_GUEST) == 0;
		c->indexed += (unit->role & (UNIT_GUEST | UNIT_HIDDEN)) == 0;
	}
	return 0;
}

struct unit *unit_walk_layers(struct unit_walk *walk, const struct compilation *c)
{
	while (walk->unit < c->unit_count && (c->units[walk->unit].role & UNIT_GUEST) != 0)
		walk->unit++;
	struct unit *unit = walk->unit < c->unit_count ? &c->units[walk->unit] : NULL;
	struct unit *gone =
	    walk->gone < c->gone_count ? &c->units[c->unit_count + walk->gone] : NULL;
	if (gone == NULL || (unit != NULL && name_compare(unit->owner, gone->owner) < 0)) {
		walk->unit++;
		return unit;
	}
	walk->gone++;
	return gone;
}
