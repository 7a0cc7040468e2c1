// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler. Runs in a child process of the control plane and in np-zone. An image is written
// from front to back: header, name index, orders, rdata, then each node with its RRset directory
// and its answers behind it, in canonical order.

#include "compile_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "proof.h"
#include "reader.h"
#include "rrtype.h"

#define CACHE_LINE 64
#define LINES_MAX  8

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// --- rdata
// ----------------------------------------------------------------------------------------

static uint8_t *put_rdata(uint8_t *at, const struct record *r)
{
	memcpy(at, &r->rdlen, 2);
	memcpy(at + 2, r->rdata, r->rdlen);
	return at + 2 + r->rdlen;
}

static int rdata_of_span(struct compilation *c, const struct rrset_span *span)
{
	size_t bytes = 0;

	c->rdata_refs[span->number] = 0;
	if (c->sigs_refs != NULL)
		c->sigs_refs[span->number] = 0;
	for (uint32_t i = 0; i < span->rr_count; i++)
		bytes += 2u + span->rrs[i].rdlen;
	if (span->rr_count > 0) {
		uint8_t *at = image_buffer_take(c->buffer, bytes, 8);
		if (at == NULL)
			return -ENOMEM;
		c->rdata_refs[span->number] = compile_ref(c, at);
		for (uint32_t i = 0; i < span->rr_count; i++)
			at = put_rdata(at, &span->rrs[i]);
	}
	if (span->sig_count == 0)
		return 0;
	bytes = sizeof(struct image_sigs);
	for (uint32_t i = 0; i < span->sig_count; i++)
		bytes += 2u + span->sigs[i].rdlen;
	struct image_sigs *sigs = image_buffer_take(c->buffer, bytes, 8);
	if (sigs == NULL)
		return -ENOMEM;
	c->sigs_refs[span->number] = compile_ref(c, sigs);
	sigs->rr_count = span->sig_count;
	sigs->ttl = span->sigs[0].ttl;
	uint8_t *at = (uint8_t *)(sigs + 1);
	for (uint32_t i = 0; i < span->sig_count; i++)
		at = put_rdata(at, &span->sigs[i]);
	return 0;
}

// Of occluded names nobody asks: they have no answers, and take no line of their own.
static bool is_aside(const struct unit *unit)
{
	return (unit->flags & NODE_OCCLUDED) != 0;
}

static int unit_rdata(struct compilation *c, const struct unit *unit)
{
	struct rrset_walk walk;
	struct rrset_span span = {0};
	int error = 0;

	rrset_walk_start(&walk, c, unit);
	while (error == 0 && rrset_walk_next(&walk, &span)) {
		error = span.rr_count > UINT16_MAX || span.sig_count == UINT16_MAX
		            ? -EFBIG
		            : rdata_of_span(c, &span);
	}
	return error;
}

static int write_rdata(struct compilation *c)
{
	struct unit_walk units = {0};
	int error = 0;

	for (const struct unit *unit; error == 0 && (unit = unit_walk_next(&units, c)) != NULL;) {
		if (!is_aside(unit))
			error = unit_rdata(c, unit);
	}
	return error;
}

// --- nodes
// ----------------------------------------------------------------------------------------

// Which RRsets of a name a query can ever get as its answer.
static bool is_answerable(const struct unit *unit, const struct rrset_span *span)
{
	if (span->rr_count == 0 || (unit->flags & NODE_OCCLUDED) != 0 || unit->role != 0 ||
	    type_is_proof(span->type))
		return false;
	return (unit->flags & NODE_CUT) == 0 || span->type == RRTYPE_DS;
}

// An NSEC or NSEC3 of a signed zone is asked for by nobody, and proves what others ask for.
static uint32_t write_proof(
    struct compilation *c, const struct image_node *node, const struct image_rrset *rrset)
{
	const struct image_header *header = (const struct image_header *)c->buffer->mem;
	const struct image image = {.mem = c->buffer->mem, .flags = c->flags};
	union proof_room room;
	const size_t size = proof_make(&image, node, rrset, header->apex_len, &room);

	if (size == 0)
		return 0;
	void *at = image_buffer_take(c->buffer, size, 8);
	if (at == NULL)
		return ANSWER_NOMEM;
	memcpy(at, room.bytes, size);
	return compile_ref(c, at);
}

static struct image_rrset *first_rrset(struct image_node *node)
{
	return (struct image_rrset *)((uint8_t *)node + image_node_head(node) + node->more);
}

static struct image_rrset *next_rrset(const struct compilation *c, struct image_rrset *rrset)
{
	return (struct image_rrset *)((uint8_t *)rrset + rrset_stride(c->flags));
}

static int write_answers(struct compilation *c, const struct unit *unit, struct image_node *node)
{
	const bool is_signed = (c->flags & IMAGE_SIGNED) != 0;
	struct image_rrset *rrset = first_rrset(node);
	struct rrset_walk walk;
	struct rrset_span span = {0};
	uint64_t first_end = 0;

	if ((unit->flags & NODE_CUT) != 0) {
		node->referral_ref = compile_referral(c, unit, false, 0);
		if (node->referral_ref == ANSWER_NOMEM)
			return -ENOMEM;
		first_end = c->buffer->used;
		node->referral_do_ref = node->referral_ref;
		if (is_signed && node->referral_ref != 0)
			node->referral_do_ref = compile_referral(c, unit, true, node->referral_ref);
		if (node->referral_do_ref == ANSWER_NOMEM)
			return -ENOMEM;
	}
	if ((unit->flags & NODE_CNAME) != 0) {
		if (compile_chain(c, unit, node) != 0)
			return -ENOMEM;
		if (node->referral_ref != 0)
			first_end = c->buffer->used;
	}
	rrset_walk_start(&walk, c, unit);
	for (; rrset_walk_next(&walk, &span); rrset = next_rrset(c, rrset)) {
		if (is_signed && span.rr_count > 0 && type_is_proof(span.type)) {
			const uint32_t proof = write_proof(c, node, rrset);
			if (proof == ANSWER_NOMEM)
				return -ENOMEM;
			((struct image_rrset_signed *)rrset)->answer_do_ref = proof;
			if (first_end == 0)
				first_end = c->buffer->used;
		}
		if (!is_answerable(unit, &span))
			continue;
		rrset->answer_ref = compile_positive(c, unit, &span, false);
		if (rrset->answer_ref == ANSWER_NOMEM)
			return -ENOMEM;
		if (first_end == 0)
			first_end = c->buffer->used;
		if (!is_signed)
			continue;
		const uint32_t with_sigs = compile_positive(c, unit, &span, true);
		if (with_sigs == ANSWER_NOMEM)
			return -ENOMEM;
		((struct image_rrset_signed *)rrset)->answer_do_ref = with_sigs;
	}
	if (first_end == 0)
		first_end = c->buffer->used;
	const uint64_t lines =
	    (first_end - (uint64_t)((uint8_t *)node - c->buffer->mem) + CACHE_LINE - 1) /
	    CACHE_LINE;
	node->lines = (uint8_t)(lines < LINES_MAX ? lines : LINES_MAX);
	return 0;
}

static uint32_t write_owner(struct compilation *c, const struct unit *unit, const uint8_t *lower)
{
	if (memcmp(unit->owner, lower, unit->len) == 0)
		return 0;
	uint8_t *at = image_buffer_take(c->buffer, unit->len, 8);
	if (at == NULL)
		return ANSWER_NOMEM;
	memcpy(at, unit->owner, unit->len);
	return compile_ref(c, at);
}

static int write_node(struct compilation *c, struct unit *unit, uint32_t rank)
{
	uint8_t lower[NAME_LEN_MAX];
	struct rrset_walk walk;
	struct rrset_span span = {0};

	name_lower(lower, unit->owner, unit->len);
	const uint32_t owner_ref = write_owner(c, unit, lower);
	if (owner_ref == ANSWER_NOMEM)
		return -ENOMEM;
	const struct unit_denial denial = unit_denial(c, unit);
	const bool more = owner_ref != 0 || denial.at != 0 || denial.wild != 0;
	const size_t size = ((sizeof(struct image_node) + unit->len + 7) & ~(size_t)7) +
	                    (more ? sizeof(struct image_node_more) : 0) +
	                    unit->rrset_count * rrset_stride(c->flags);
	struct image_node *node =
	    image_buffer_take(c->buffer, size, is_aside(unit) ? 8 : CACHE_LINE);
	if (node == NULL)
		return -ENOMEM;
	const int error = is_aside(unit) ? unit_rdata(c, unit) : 0; // behind the directory
	if (error != 0)
		return error;
	unit->node_ref = compile_ref(c, node);
	*node = (struct image_node){
	    .flags = (unit->role & UNIT_GONE) != 0 ? NODE_TOMBSTONE : unit->flags,
	    .name_len = unit->len,
	    .labels = unit->labels,
	    .cut_labels = unit->cut_labels,
	    .rrset_count = unit->rrset_count,
	    .more = more ? sizeof(struct image_node_more) : 0,
	    .order = rank,
	};
	memcpy(node->name, lower, unit->len);
	if (more)
		*(struct image_node_more *)((uint8_t *)node + image_node_head(node)) =
		    (struct image_node_more){
		        .owner_ref = owner_ref,
		        .denial = denial.at,
		        .denial_wild = denial.wild,
		    };
	struct image_rrset *rrset = first_rrset(node);
	rrset_walk_start(&walk, c, unit);
	for (; rrset_walk_next(&walk, &span); rrset = next_rrset(c, rrset)) {
		node->types |= type_bit(span.type);
		*rrset = (struct image_rrset){
		    .type = span.type,
		    .rr_count = (uint16_t)span.rr_count,
		    .ttl = span.rr_count > 0 ? span.rrs[0].ttl : 0,
		    .rdata_ref = c->rdata_refs[span.number],
		};
		if ((c->flags & IMAGE_RRSIGS) != 0)
			((struct image_rrset_signed *)rrset)->sigs_ref = c->sigs_refs[span.number];
	}
	return write_answers(c, unit, node);
}

// --- the whole
// ------------------------------------------------------------------------------------

static uint32_t rrsig_expiry_min(const struct records *records)
{
	uint32_t least = 0;

	for (size_t i = 0; i < records->count; i++) {
		if (records->items[i].type != RRTYPE_RRSIG)
			continue;
		const uint32_t expiry = get32(records->items[i].rdata + 8);
		if (least == 0 || (int32_t)(expiry - least) < 0)
			least = expiry;
	}
	return least;
}

static void apex_facts(struct compilation *c, struct image_header *header)
{
	struct rrset_span soa;

	if (!unit_rrset(c, &c->units[0], RRTYPE_SOA, &soa))
		return;
	const uint32_t minimum = get32(soa.rrs[0].rdata + soa.rrs[0].rdlen - 4);
	c->negative_ttl = soa.rrs[0].ttl < minimum ? soa.rrs[0].ttl : minimum;
	header->soa_minimum = c->negative_ttl;
	if (soa.sig_count > 0) // what NSD and Knot call a signed zone
		c->flags |= IMAGE_SIGNED;
}

// Signatures need room in every RRset. An overlay is as the base, which may have some.
static bool has_rrsigs(const struct compilation *c)
{
	if ((c->flags & IMAGE_SIGNED) != 0 ||
	    (c->overlay != NULL && (c->overlay->flags & (IMAGE_SIGNED | IMAGE_RRSIGS)) != 0))
		return true;
	for (size_t i = 0; i < c->records->count; i++) {
		if (c->records->items[i].type == RRTYPE_RRSIG)
			return true;
	}
	return false;
}

static int write_image(struct compilation *c, struct image_header *header)
{
	struct image_section *section = header->section;
	uint32_t *order;
	int error;

	c->bucket_count = compile_bucket_count(c->indexed);
	c->buckets =
	    image_buffer_take(c->buffer, (size_t)c->bucket_count * sizeof(*c->buckets), CACHE_LINE);
	order = image_buffer_take(c->buffer, (size_t)c->held * sizeof(*order), 8);
	if (c->buckets == NULL || order == NULL || compile_denial_place(c, header) != 0)
		return -ENOMEM;
	section[IMAGE_BUCKETS] =
	    (struct image_section){compile_ref(c, c->buckets), c->bucket_count};
	section[IMAGE_ORDER] = (struct image_section){compile_ref(c, order), c->held};
	if ((error = compile_index(c)) != 0)
		return error;

	const uint8_t *rdata = image_buffer_take(c->buffer, 8, 8);
	error = rdata != NULL ? write_rdata(c) : -ENOMEM;
	if (error != 0)
		return error;
	section[IMAGE_RDATA] = (struct image_section){compile_ref(c, rdata),
	    (uint32_t)((c->buffer->used - (size_t)(rdata - c->buffer->mem)) >> 3)};
	header->negative_ref = compile_negative(c, false);
	if ((c->flags & IMAGE_SIGNED) != 0)
		header->negative_do_ref = compile_negative(c, true);
	if (header->negative_ref == ANSWER_NOMEM || header->negative_do_ref == ANSWER_NOMEM)
		return -ENOMEM;
	struct unit_walk walk = {0};
	uint32_t rank = 0;
	for (struct unit *unit; (unit = unit_walk_next(&walk, c)) != NULL; rank++) {
		if ((error = write_node(c, unit, rank)) != 0)
			return error;
		order[rank] = unit->node_ref;
	}
	section[IMAGE_NODES] = (struct image_section){order[0], c->held};
	if ((error = compile_targets(c, header)) != 0)
		return error;
	compile_denial_finish(c, header);
	compile_index_finish(c);
	return 0;
}

static void overlay_facts(const struct compile_overlay *overlay, struct image_header *header)
{
	header->below_id = overlay->below_id;
	header->rr_count = overlay->rr_count;
	header->flags |= overlay->flags | IMAGE_OVERLAY;
	if (header->rrsig_expiry_min == 0 ||
	    (overlay->rrsig_expiry_min != 0 &&
	        (int32_t)(overlay->rrsig_expiry_min - header->rrsig_expiry_min) < 0))
		header->rrsig_expiry_min = overlay->rrsig_expiry_min;
}

static int finish_header(struct compilation *c, struct image_header *header)
{
	const struct records *records = c->records;

	header->magic = IMAGE_MAGIC;
	header->version = IMAGE_VERSION;
	header->byte_order = IMAGE_BYTE_ORDER;
	header->generation = c->options->generation;
	header->id = c->options->id;
	header->hash_key[0] = c->options->key.k[0];
	header->hash_key[1] = c->options->key.k[1];
	header->rr_count = records->count;
	header->serial = records_serial(records);
	header->flags = c->flags | (c->chain_nsec3 ? IMAGE_NSEC3 : 0);
	header->rrsig_expiry_min = rrsig_expiry_min(records);
	if (c->overlay != NULL)
		overlay_facts(c->overlay, header);
	header->probe_max = c->probe_max > 0 ? c->probe_max : 1;
	header->apex_ref = c->units[0].node_ref;
	const size_t end = c->buffer->used + IMAGE_TAIL;
	const size_t size = (end + IMAGE_ALIGN - 1) & ~(size_t)(IMAGE_ALIGN - 1);
	if (image_buffer_take(c->buffer, size - c->buffer->used, 1) == NULL)
		return -ENOMEM;
	header->size = size;
	header->checksum = image_checksum(header, size);
	return 0;
}

static int compile(const struct records *records, const struct compile_overlay *overlay,
    const struct compile_options *options, struct image_buffer *buffer,
    char error[COMPILE_ERROR_MAX])
{
	uint16_t patch[256];
	struct compilation c = {.records = records,
	    .options = options,
	    .overlay = overlay,
	    .buffer = buffer,
	    .error = error,
	    .patch = patch};
	int result;

	static_assert(COMPILE_ERROR_MAX >= RECORDS_ERROR_MAX, "records_check writes here");
	error[0] = '\0';
	if ((result = records_check(records, error)) != 0)
		return result;
	struct image_header *header = image_buffer_take(buffer, sizeof(*header), IMAGE_ALIGN);
	uint8_t *apex = header != NULL ? image_buffer_take(buffer, records->apex_len, 1) : NULL;
	if (apex != NULL) {
		header->apex_len = records->apex_len;
		header->apex_labels = (uint8_t)name_labels(records->apex);
		name_lower(apex, records->apex, records->apex_len);
		result = compile_names(&c);
	} else {
		result = -ENOMEM;
	}
	if (result != 0)
		goto out;
	result = -ENOMEM;
	c.rdata_refs = reallocarray(NULL, c.rrset_count + 1u, sizeof(*c.rdata_refs));
	if (c.rdata_refs == NULL)
		goto out;
	apex_facts(&c, header);
	if (has_rrsigs(&c)) {
		c.flags |= IMAGE_RRSIGS;
		c.sigs_refs = reallocarray(NULL, c.rrset_count + 1u, sizeof(*c.sigs_refs));
		if (c.sigs_refs == NULL)
			goto out;
	}
	result = compile_denial(&c, header);
	if (result == 0)
		result = write_image(&c, header);
	if (result == 0)
		result = finish_header(&c, header);
out:
	if (result == -ENOMEM)
		snprintf(error, COMPILE_ERROR_MAX, "out of memory after %zu bytes", buffer->used);
	else if (result == -EINVAL && error[0] == '\0')
		snprintf(
		    error, COMPILE_ERROR_MAX, "the overlay's names are not those of its records");
	else if (result == -EFBIG)
		snprintf(error, COMPILE_ERROR_MAX,
		    "an RRset has more records, or the index fuller places, than an image can "
		    "hold");
	free(c.chain);
	free(c.lost);
	free(c.units);
	free(c.hashes);
	free(c.denials);
	free(c.rdata_refs);
	free(c.sigs_refs);
	return result;
}

int compile_image(const struct records *records, const struct compile_options *options,
    struct image_buffer *buffer, char error[COMPILE_ERROR_MAX])
{
	return compile(records, NULL, options, buffer, error);
}

int compile_overlay(const struct records *records, const struct compile_overlay *overlay,
    const struct compile_options *options, struct image_buffer *buffer,
    char error[COMPILE_ERROR_MAX])
{
	return compile(records, overlay, options, buffer, error);
}
