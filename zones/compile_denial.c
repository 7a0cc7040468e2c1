// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Denial of existence, prepared: the chain of NSEC or NSEC3 records in its order, and for each name
// the record that a proof about it needs, so that a worker hashes or searches only for names that
// do not exist. With parameters of NSEC3 at the apex and a chain for them NSEC3 decides, as in NSD,
// Knot and BIND.

#include "compile_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "order_key.h"
#include "rrtype.h"
#include "sha1.h"

// --- the chain
// ------------------------------------------------------------------------------------

// The 20 bytes that the first label of an NSEC3 owner spells in base32hex (RFC 5155 3).
static bool owner_hash(const uint8_t *owner, uint8_t hash[SHA1_LEN])
{
	uint64_t bits = 0;
	unsigned have = 0, n = 0;

	if (owner[0] != 32)
		return false;
	for (unsigned i = 1; i <= 32; i++) {
		const uint8_t ch = owner[i] | 0x20;
		unsigned value;
		if (owner[i] >= '0' && owner[i] <= '9')
			value = owner[i] - '0';
		else if (ch >= 'a' && ch <= 'v')
			value = ch - 'a' + 10u;
		else
			return false;
		bits = bits << 5 | value;
		for (have += 5; have >= 8; have -= 8)
			hash[n++] = (uint8_t)(bits >> (have - 8));
	}
	return true;
}

// Does the record carry the parameters of the zone's NSEC3PARAM (algorithm, iterations, salt)?
static bool nsec3_in_chain(const struct record *r, const struct record *param)
{
	const unsigned n = 5u + param->rdata[4];

	return r->rdlen > n && r->rdata[0] == param->rdata[0] &&
	       memcmp(r->rdata + 2, param->rdata + 2, n - 2) == 0;
}

static int link_compare(const void *a, const void *b)
{
	return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash, SHA1_LEN);
}

// The units that own an NSEC, or, with `param`, an NSEC3 of that chain.
static int collect(struct compilation *c, const struct record *param)
{
	struct rrset_span span;
	size_t cap = 0;

	for (uint32_t i = 0; i < c->unit_count; i++) {
		struct link link = {.unit = i};
		// A DNAME at the apex has every NSEC3 below it, which hides none of them.
		if ((param == NULL && (c->units[i].flags & NODE_OCCLUDED) != 0) ||
		    !unit_rrset(c, &c->units[i], param != NULL ? RRTYPE_NSEC3 : RRTYPE_NSEC, &span))
			continue;
		if (param != NULL && (!nsec3_in_chain(&span.rrs[0], param) ||
		                         !owner_hash(c->units[i].owner, link.hash)))
			continue;
		if (c->chain_count == cap) {
			cap = cap > 0 ? cap * 2 : 64;
			struct link *chain = reallocarray(c->chain, cap, sizeof(*chain));
			if (chain == NULL)
				return -ENOMEM;
			c->chain = chain;
		}
		c->chain[c->chain_count++] = link;
	}
	if (param != NULL && c->chain_count > 0) {
		qsort(c->chain, c->chain_count, sizeof(*c->chain), link_compare);
		c->chain_nsec3 = true;
	}
	return 0;
}

// --- what denies what
// -----------------------------------------------------------------------------

// "*.<name>" into out. Post: its length, or 0 when it would be too long to exist.
static size_t wildcard_of(const struct unit *unit, uint8_t out[NAME_LEN_MAX])
{
	if (unit->len + 2u > NAME_LEN_MAX)
		return 0;
	out[0] = 1;
	out[1] = '*';
	name_lower(out + 2, unit->owner, unit->len);
	return unit->len + 2u;
}

// Names at which a question can end without an answer: not what a cut or a DNAME hides.
static bool is_denied(const struct unit *unit)
{
	return (unit->flags & (NODE_OCCLUDED | NODE_TOMBSTONE)) == 0;
}

// Nothing below a cut or a DNAME is denied by this zone.
static bool is_encloser(const struct unit *unit)
{
	return is_denied(unit) && (unit->flags & (NODE_CUT | NODE_DNAME)) == 0;
}

// Links of the NSEC chain whose owner is at or before `name`.
static uint32_t nsec_rank(const struct compilation *c, const uint8_t *name)
{
	uint32_t low = 0, high = c->chain_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (name_compare(c->units[c->chain[middle].unit].owner, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void nsec_assign(struct compilation *c)
{
	uint8_t wild[NAME_LEN_MAX];
	uint32_t rank = 0; // links at or before this unit; units are in canonical order too

	for (uint32_t i = 0; i < c->unit_count; i++) {
		struct unit *unit = &c->units[i];
		const bool owns = rank < c->chain_count && c->chain[rank].unit == i;
		rank += owns;
		if (rank == 0 || !is_denied(unit))
			continue;
		unit->denial = owns ? rank : rank | DENIAL_COVER;
		if (!is_encloser(unit) || wildcard_of(unit, wild) == 0)
			continue;
		// Most names below sort behind '*', so that nothing stands between.
		const bool next = rank == c->chain_count ||
		                  name_compare(c->units[c->chain[rank].unit].owner, wild) > 0;
		unit->denial_wild = (next ? rank : nsec_rank(c, wild)) | DENIAL_COVER;
	}
}

// Rank of the NSEC3 that matches or covers the name, as image_node.denial has it.
static uint32_t nsec3_denial(
    const struct compilation *c, const struct record *param, const uint8_t *name, size_t len)
{
	uint8_t hash[SHA1_LEN];
	uint32_t low = 0, high = c->chain_count;

	nsec3_hash(name, len, param->rdata + 5, param->rdata[4],
	    (uint16_t)(param->rdata[2] << 8 | param->rdata[3]), hash);
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (memcmp(c->chain[middle].hash, hash, SHA1_LEN) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0) // before the first: the ring's last covers it
		return c->chain_count | DENIAL_COVER;
	return memcmp(c->chain[low - 1].hash, hash, SHA1_LEN) == 0 ? low : low | DENIAL_COVER;
}

static void nsec3_assign(struct compilation *c, const struct record *param)
{
	uint8_t name[NAME_LEN_MAX];

	for (uint32_t i = 0; i < c->unit_count; i++) {
		struct unit *unit = &c->units[i];
		if (!is_denied(unit))
			continue;
		name_lower(name, unit->owner, unit->len);
		unit->denial = nsec3_denial(c, param, name, unit->len);
		const size_t len = is_encloser(unit) ? wildcard_of(unit, name) : 0;
		if (len != 0)
			unit->denial_wild = nsec3_denial(c, param, name, len);
	}
}

static int nsec3_param(
    struct compilation *c, struct image_header *header, const struct record *param)
{
	const unsigned iterations = (unsigned)param->rdata[2] << 8 | param->rdata[3];

	if (iterations > IMAGE_ITERATIONS_MAX) {
		snprintf(c->error, COMPILE_ERROR_MAX,
		    "NSEC3 with %u iterations: more than %u are not served (RFC 9276 3.2)",
		    iterations, IMAGE_ITERATIONS_MAX);
		return -EINVAL;
	}
	header->nsec3_iterations = (uint16_t)iterations;
	header->nsec3_salt_len = param->rdata[4];
	memcpy(header->nsec3_salt, param->rdata + 5, param->rdata[4]);
	return 0;
}

int compile_denial(struct compilation *c, struct image_header *header)
{
	struct rrset_span param = {0};
	int error;

	// The only hash algorithm there is, is 1 (RFC 5155 11).
	if (unit_rrset(c, &c->units[0], RRTYPE_NSEC3PARAM, &param) && param.rrs[0].rdata[0] == 1) {
		if ((error = nsec3_param(c, header, &param.rrs[0])) != 0)
			return error;
		if ((c->flags & IMAGE_SIGNED) != 0 && (error = collect(c, &param.rrs[0])) != 0)
			return error;
	}
	if ((c->flags & IMAGE_SIGNED) == 0)
		return 0;
	if (c->chain_nsec3) {
		nsec3_assign(c, &param.rrs[0]);
		return 0;
	}
	if ((error = collect(c, NULL)) != 0)
		return error;
	nsec_assign(c);
	return 0;
}

// --- into the image
// -------------------------------------------------------------------------------

int compile_denial_place(struct compilation *c, struct image_header *header)
{
	const enum image_section_id id = c->chain_nsec3 ? IMAGE_NSEC3_ORDER : IMAGE_NSEC_ORDER;
	const size_t item = c->chain_nsec3 ? sizeof(struct image_nsec3) : sizeof(struct image_nsec);
	const void *at = image_buffer_take(c->buffer, c->chain_count * item, 64);

	if (at == NULL)
		return -ENOMEM;
	header->section[IMAGE_NSEC_ORDER] = header->section[IMAGE_NSEC3_ORDER] =
	    (struct image_section){compile_ref(c, at), 0};
	header->section[id].count = c->chain_count;
	return 0;
}

void compile_denial_finish(struct compilation *c, const struct image_header *header)
{
	uint8_t *at = c->buffer->mem + ((size_t)header->section[IMAGE_NSEC_ORDER].ref << 3);
	struct image_nsec *nsec = (struct image_nsec *)at;
	struct image_nsec3 *nsec3 = (struct image_nsec3 *)at;
	const unsigned apex_labels = name_labels(c->records->apex);

	for (uint32_t i = 0; i < c->chain_count; i++) {
		const struct unit *unit = &c->units[c->chain[i].unit];
		if (c->chain_nsec3) {
			memcpy(nsec3[i].hash, c->chain[i].hash, SHA1_LEN);
			nsec3[i].node_ref = unit->node_ref;
		} else {
			nsec[i].key = name_order_key(unit->owner, apex_labels);
			nsec[i].node_ref = unit->node_ref;
		}
	}
}
