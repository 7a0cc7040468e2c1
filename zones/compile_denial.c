// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Denial of existence, prepared: the chain of NSEC or NSEC3 records in its order, and for each name
// the record that a proof about it needs, so that a worker hashes or searches only for names that
// do not exist. With parameters of NSEC3 at the apex and a chain for them NSEC3 decides, as in NSD,
// Knot and BIND.

#include "compile_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "denial_search.h"
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

static bool in_nsec_chain(const struct compilation *c, const struct unit *unit)
{
	struct rrset_span span;

	return (unit->flags & NODE_OCCLUDED) == 0 && unit_rrset(c, unit, RRTYPE_NSEC, &span);
}

// "<hash>.<apex>" and no name further down (RFC 5155 3). A DNAME at the apex has every NSEC3 below
// it, which hides none of them.
static bool in_nsec3_chain(const struct compilation *c, const struct unit *unit,
    const struct record *param, uint8_t hash[SHA1_LEN])
{
	struct rrset_span span;

	return unit->labels == c->units[0].labels + 1 && unit_rrset(c, unit, RRTYPE_NSEC3, &span) &&
	       nsec3_in_chain(&span.rrs[0], param) && owner_hash(unit->owner, hash);
}

// A layer below may have it in the chain.
static bool may_be_lost(
    const struct compilation *c, const struct unit *unit, uint8_t hash[SHA1_LEN])
{
	return c->overlay != NULL && unit->labels == c->units[0].labels + 1 &&
	       owner_hash(unit->owner, hash);
}

static int link_add(struct link **list, uint32_t *count, const struct link *link)
{
	if ((*count & (*count - 1)) == 0 && (*count == 0 || *count >= 64)) { // full
		struct link *grown =
		    reallocarray(*list, *count == 0 ? 64 : *count * 2u, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		*list = grown;
	}
	(*list)[(*count)++] = *link;
	return 0;
}

// The units that own an NSEC, or, with `param`, an NSEC3 of that chain.
static int collect(struct compilation *c, const struct record *param)
{
	int error = 0;

	for (uint32_t i = 0; i < c->unit_count + c->gone_count && error == 0; i++) {
		const struct unit *unit = &c->units[i];
		struct link link = {.unit = i};
		if ((unit->role & UNIT_GUEST) != 0)
			continue;
		if (param != NULL ? in_nsec3_chain(c, unit, param, link.hash)
		                  : in_nsec_chain(c, unit))
			error = link_add(&c->chain, &c->chain_count, &link);
		else if (param != NULL && may_be_lost(c, unit, link.hash))
			error = link_add(&c->lost, &c->lost_count, &link);
	}
	if (error != 0 || param == NULL)
		return error;
	if (c->chain_count > 0)
		qsort(c->chain, c->chain_count, sizeof(*c->chain), link_compare);
	if (c->lost_count > 0)
		qsort(c->lost, c->lost_count, sizeof(*c->lost), link_compare);
	c->chain_nsec3 = c->chain_count > 0 || c->overlay != NULL;
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
	return (unit->flags & NODE_OCCLUDED) == 0 && (unit->role & UNIT_HIDDEN) == 0;
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
		const struct unit *unit = &c->units[i];
		const bool owns = rank < c->chain_count && c->chain[rank].unit == i;
		rank += owns;
		if (rank == 0 || !is_denied(unit))
			continue;
		c->denials[i].at = owns ? rank : rank | DENIAL_COVER;
		if (!is_encloser(unit) || wildcard_of(unit, wild) == 0)
			continue;
		// Most names below sort behind '*', so that nothing stands between.
		const bool next = rank == c->chain_count ||
		                  name_compare(c->units[c->chain[rank].unit].owner, wild) > 0;
		c->denials[i].wild = (next ? rank : nsec_rank(c, wild)) | DENIAL_COVER;
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
		const struct unit *unit = &c->units[i];
		if (!is_denied(unit))
			continue;
		name_lower(name, unit->owner, unit->len);
		c->denials[i].at = nsec3_denial(c, param, name, unit->len);
		const size_t len = is_encloser(unit) ? wildcard_of(unit, name) : 0;
		if (len != 0)
			c->denials[i].wild = nsec3_denial(c, param, name, len);
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
	// Nothing stands behind the apex yet.
	uint8_t *salt = image_buffer_take(c->buffer, param->rdata[4], 1);
	if (salt == NULL)
		return -ENOMEM;
	assert(salt == image_salt(header));
	memcpy(salt, param->rdata + 5, param->rdata[4]);
	header->nsec3_salt_len = param->rdata[4];
	header->nsec3_iterations = (uint16_t)iterations;
	return 0;
}

int compile_denial(struct compilation *c, struct image_header *header)
{
	struct rrset_span param = {0};
	int error;

	// The only hash algorithm there is, is 1 (RFC 5155 11).
	// In a version of layers the base has decided whether NSEC3 does.
	const bool below = c->overlay == NULL || (c->overlay->flags & IMAGE_NSEC3) != 0;
	if (below && unit_rrset(c, &c->units[0], RRTYPE_NSEC3PARAM, &param) &&
	    param.rrs[0].rdata[0] == 1) {
		if ((error = nsec3_param(c, header, &param.rrs[0])) != 0)
			return error;
		if ((c->flags & IMAGE_SIGNED) != 0 && (error = collect(c, &param.rrs[0])) != 0)
			return error;
	}
	if ((c->flags & IMAGE_SIGNED) == 0)
		return 0;
	if (c->overlay != NULL) // which of the records below hold is found when it is asked
		return c->chain_nsec3 ? 0 : collect(c, NULL);
	c->denials = calloc(c->unit_count, sizeof(*c->denials));
	if (c->denials == NULL)
		return -ENOMEM;
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
	const void *at = image_buffer_take(c->buffer, c->chain_count * item, 8);
	const void *lost =
	    image_buffer_take(c->buffer, c->lost_count * sizeof(struct image_nsec3), 8);

	if (at == NULL || lost == NULL)
		return -ENOMEM;
	header->section[IMAGE_NSEC_ORDER] = header->section[IMAGE_NSEC3_ORDER] =
	    (struct image_section){compile_ref(c, at), 0};
	header->section[id].count = c->chain_count;
	header->section[IMAGE_NSEC3_LOST] =
	    (struct image_section){compile_ref(c, lost), c->lost_count};
	return 0;
}

static void *section_at(struct compilation *c, const struct image_section *section)
{
	return c->buffer->mem + ((size_t)section->ref << 3);
}

static void nsec3_fill(struct compilation *c, const struct link *links, uint32_t count,
    const struct image_section *section)
{
	struct image_nsec3 *items = section_at(c, section);

	for (uint32_t i = 0; i < count; i++) {
		memcpy(items[i].hash, links[i].hash, SHA1_LEN);
		items[i].node_ref = c->units[links[i].unit].node_ref;
	}
}

// Of its NSEC.
static uint32_t proof_ref(const struct compilation *c, const struct unit *unit)
{
	const struct image image = {.mem = c->buffer->mem, .flags = c->flags};
	const struct node_ref node = {&image, image_at(&image, unit->node_ref)};
	const struct image_proof *proof = owner_proof(node, RRTYPE_NSEC);

	return proof != NULL ? compile_ref(c, proof) : 0;
}

void compile_denial_finish(struct compilation *c, const struct image_header *header)
{
	const struct image_section *section = header->section;
	const unsigned apex_labels = name_labels(c->records->apex);
	struct image_nsec *nsec = section_at(c, &section[IMAGE_NSEC_ORDER]);

	if (c->chain_nsec3) {
		nsec3_fill(c, c->chain, c->chain_count, &section[IMAGE_NSEC3_ORDER]);
		nsec3_fill(c, c->lost, c->lost_count, &section[IMAGE_NSEC3_LOST]);
		return;
	}
	for (uint32_t i = 0; i < c->chain_count; i++) {
		const struct unit *unit = &c->units[c->chain[i].unit];
		nsec[i].key = name_order_key(unit->owner, apex_labels);
		nsec[i].node_ref = unit->node_ref;
		nsec[i].proof_ref = proof_ref(c, unit);
	}
}
