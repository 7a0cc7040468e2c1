// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler. Runs in a child process of the control plane and in np-zone. An image is written
// from front to back: header, name index, orders, then each node with all that stands at it, in
// canonical order.

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
#define RR_LEN_AT  10 // bytes of a record of an answer in front of its length

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// --- records
// --------------------------------------------------------------------------------------

static uint8_t *put_records(uint8_t *at, const struct record *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		memcpy(at, &items[i].rdlen, 2);
		memcpy(at + 2, items[i].rdata, items[i].rdlen);
		at += 2 + items[i].rdlen;
	}
	return at;
}

static size_t records_size(const struct record *items, uint32_t count)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < count; i++)
		bytes += 2u + items[i].rdlen;
	return bytes;
}

// Are the first records of the answer those of the span, as they are? Pre: it is their answer.
static bool answer_has_records(const struct image_answer *answer, const struct rrset_span *span)
{
	const uint8_t *at = answer_bytes(answer);

	for (uint32_t i = 0; i < span->rr_count; i++) {
		const struct record *r = &span->rrs[i];
		// Owner, type, class, TTL: as for all of them.
		if ((at[RR_LEN_AT] << 8 | at[RR_LEN_AT + 1]) != r->rdlen ||
		    memcmp(at + RR_LEN_AT + 2, r->rdata, r->rdlen) != 0)
			return false;
		at += RR_LEN_AT + 2 + r->rdlen;
	}
	return true;
}

// --- nodes
// ----------------------------------------------------------------------------------------

// One in the making.
struct node_draft {
	struct compilation *c;
	const struct unit *unit;
	struct image_node *node;
	struct image_far *far; // NULL: it is not
	size_t hot_end;        // in the image: what the first question after it needs
};

// Of occluded names nobody asks: they have no answers, and may begin anywhere in a line.
static bool is_aside(const struct unit *unit)
{
	return (unit->flags & NODE_OCCLUDED) != 0;
}

// Which RRsets of a name a query can ever get as its answer.
static bool is_answerable(const struct unit *unit, const struct rrset_span *span)
{
	if (span->rr_count == 0 || (unit->flags & NODE_OCCLUDED) != 0 || unit->role != 0 ||
	    type_is_proof(span->type))
		return false;
	return (unit->flags & NODE_CUT) == 0 || span->type == RRTYPE_DS;
}

// May the node be further from the next one than image_node.step can say? A guess: a node that was
// not thought to be is made once more.
static bool is_far(const struct compilation *c, const struct unit *unit)
{
	const struct record *items = c->records->items + unit->first;
	const unsigned copies = (c->flags & IMAGE_RRSIGS) != 0 ? 3 : 2;
	size_t bytes = 0;

	for (uint32_t i = 0; i < unit->count && bytes * copies <= NODE_STEP_MAX; i++)
		bytes += items[i].rdlen + 24u;
	return bytes * copies > NODE_STEP_MAX;
}

static void set_place(
    const struct node_draft *d, const void *at, uint16_t *place, uint32_t *place_far)
{
	if (d->far == NULL) {
		*place = compile_place(d->node, at);
		return;
	}
	*place = 1;
	*place_far = (uint32_t)(((const uint8_t *)at - (const uint8_t *)d->node) / NODE_UNIT);
}

// The records that are in no answer, and signatures. `i`: which of the node's RRsets.
static int put_lists(
    struct node_draft *d, unsigned i, struct image_rrset *rrset, const struct rrset_span *span)
{
	struct image_buffer *buffer = d->c->buffer;
	struct image_far none, *far = d->far != NULL ? &d->far[i] : &none;

	if (span->rr_count > 0 && rrset->rdata_at == 0 &&
	    (rrset->answer_at == 0 ||
	        !answer_has_records(node_at(d->node, rrset->answer_at), span))) {
		uint8_t *at = image_buffer_take(
		    buffer, 4 + records_size(span->rrs, span->rr_count), NODE_UNIT);
		if (at == NULL)
			return -ENOMEM;
		set_place(d, at, &rrset->rdata_at, &far->rdata_at);
		memcpy(at, &span->rrs[0].ttl, 4);
		put_records(at + 4, span->rrs, span->rr_count);
	}
	struct image_rrset_signed *entry = (struct image_rrset_signed *)rrset;
	if (span->sig_count == 0 || entry->sigs_at != 0)
		return 0;
	struct image_sigs *sigs = image_buffer_take(
	    buffer, sizeof(*sigs) + records_size(span->sigs, span->sig_count), NODE_UNIT);
	if (sigs == NULL)
		return -ENOMEM;
	set_place(d, sigs, &entry->sigs_at, &far->sigs_at);
	sigs->rr_count = span->sig_count;
	sigs->ttl = span->sigs[0].ttl;
	put_records((uint8_t *)(sigs + 1), span->sigs, span->sig_count);
	return 0;
}

// An NSEC or NSEC3 of a signed zone is asked for by nobody, and proves what others ask for. Pre:
// its records are in place.
static int put_proof(struct node_draft *d, struct image_rrset *rrset)
{
	struct compilation *c = d->c;
	const struct image_header *header = (const struct image_header *)c->buffer->mem;
	const struct image image = {.mem = c->buffer->mem, .flags = c->flags};
	const struct node_ref self = {.image = &image, .node = d->node};
	union proof_room room;
	const size_t size = proof_make(self, rrset, header->apex_len, &room);

	if (size == 0 || compile_place(d->node, c->buffer->mem + c->buffer->used + NODE_STEP) == 0)
		return 0;
	void *at = image_buffer_take(c->buffer, size, NODE_STEP);
	if (at == NULL)
		return -ENOMEM;
	memcpy(at, room.bytes, size);
	((struct image_rrset_signed *)rrset)->answer_do_at = compile_place(d->node, at);
	return 0;
}

static struct image_rrset *first_rrset(struct image_node *node)
{
	return (struct image_rrset *)((uint8_t *)node + image_node_head(node) +
	                              (size_t)node->more * NODE_UNIT);
}

static struct image_rrset *next_rrset(const struct compilation *c, struct image_rrset *rrset)
{
	return (struct image_rrset *)((uint8_t *)rrset + rrset_stride(c->flags));
}

static void end_hot(struct node_draft *d)
{
	if (d->hot_end == 0)
		d->hot_end = d->c->buffer->used;
}

static int put_leads(struct node_draft *d)
{
	struct compilation *c = d->c;
	struct image_node_leads *leads =
	    (struct image_node_leads *)((uint8_t *)d->node + image_node_head(d->node));

	if ((d->unit->flags & NODE_CUT) != 0) {
		const bool is_signed = (c->flags & IMAGE_SIGNED) != 0;
		bool differs = true;

		// With DO first: it is what resolvers ask a signed zone for.
		if (is_signed && compile_referral(c, d->node, d->unit, true, &differs,
		                     &leads->answer_do_at) != 0)
			return -ENOMEM;
		if (leads->answer_do_at != 0)
			end_hot(d);
		leads->answer_at = leads->answer_do_at;
		if (differs &&
		    compile_referral(c, d->node, d->unit, false, &differs, &leads->answer_at) != 0)
			return -ENOMEM;
		end_hot(d);
		if (!is_signed)
			leads->answer_do_at = leads->answer_at;
	} else if ((d->unit->flags & NODE_CNAME) != 0) {
		if (compile_chain(c, d->node, d->unit, &leads->answer_at) != 0)
			return -ENOMEM;
		if (leads->answer_at != 0)
			end_hot(d);
	}
	return 0;
}

// The answer or the proof of an RRset.
static int put_answers(
    struct node_draft *d, unsigned i, struct image_rrset *rrset, const struct rrset_span *span)
{
	struct compilation *c = d->c;
	const bool is_signed = (c->flags & IMAGE_SIGNED) != 0;
	int error = 0;

	if (is_signed && span->rr_count > 0 && type_is_proof(span->type)) {
		error = put_lists(d, i, rrset, span);
		if (error == 0)
			error = put_proof(d, rrset);
	} else if (is_answerable(d->unit, span)) {
		error = compile_positive(c, d->node, d->unit, span, false, &rrset->answer_at);
		end_hot(d);
		if (error == 0 && is_signed)
			error = compile_positive(c, d->node, d->unit, span, true,
			    &((struct image_rrset_signed *)rrset)->answer_do_at);
	}
	return error;
}

static int put_rrsets(struct node_draft *d)
{
	struct image_rrset *rrset = first_rrset(d->node);
	struct rrset_walk walk;
	struct rrset_span span = {0};
	unsigned i = 0;

	rrset_walk_start(&walk, d->c, d->unit);
	for (; rrset_walk_next(&walk, &span); rrset = next_rrset(d->c, rrset), i++) {
		if (span.rr_count > UINT16_MAX || span.sig_count == UINT16_MAX)
			return -EFBIG;
		rrset->type = span.type;
		rrset->rr_count = (uint16_t)span.rr_count;
		d->node->types |= type_bit(span.type);
		const int error = put_answers(d, i, rrset, &span);
		if (error != 0)
			return error;
	}
	end_hot(d);
	rrset = first_rrset(d->node);
	rrset_walk_start(&walk, d->c, d->unit);
	for (i = 0; rrset_walk_next(&walk, &span); rrset = next_rrset(d->c, rrset), i++) {
		if (put_lists(d, i, rrset, &span) != 0)
			return -ENOMEM;
	}
	return 0;
}

// The node without what is behind its directory.
static int put_head(struct node_draft *d, bool far)
{
	const struct unit *unit = d->unit;
	uint8_t lower[NAME_LEN_MAX];
	const size_t head =
	    (sizeof(struct image_node) + unit->len + NODE_UNIT - 1) & ~(size_t)(NODE_UNIT - 1);
	const size_t owner = ((size_t)unit->len + NODE_UNIT - 1) & ~(size_t)(NODE_UNIT - 1);
	uint16_t flags = (unit->role & UNIT_GONE) != 0 ? NODE_TOMBSTONE : unit->flags;
	size_t more = 0;

	name_lower(lower, unit->owner, unit->len);
	if ((flags & (NODE_CUT | NODE_CNAME)) != 0)
		more += sizeof(struct image_node_leads);
	const size_t denial_at = head + more;
	const struct unit_denial denial = unit_denial(d->c, unit);
	if (denial.at != 0 || denial.wild != 0) {
		flags |= NODE_DENIAL;
		more += sizeof(struct image_node_denial);
	}
	if (far) {
		flags |= NODE_FAR;
		more += sizeof(struct image_node_far);
	}
	const size_t owner_at = head + more;
	if (compile_takes_proof(d->c, unit))
		flags |= NODE_TAKES_PROOF;
	if (memcmp(unit->owner, lower, unit->len) != 0) {
		flags |= NODE_CASE;
		more += owner;
	}
	const size_t directory = unit->rrset_count * rrset_stride(d->c->flags);
	struct image_node *node = image_buffer_take(d->c->buffer,
	    head + more + directory + (far ? unit->rrset_count * sizeof(struct image_far) : 0),
	    NODE_STEP);
	if (node == NULL)
		return -ENOMEM;
	*node = (struct image_node){
	    .flags = flags,
	    .name_len = unit->len,
	    .labels = unit->labels,
	    .rrset_count = unit->rrset_count,
	    .more = (uint8_t)(more / NODE_UNIT),
	};
	memcpy(node->name, lower, unit->len);
	if ((flags & NODE_DENIAL) != 0)
		*(struct image_node_denial *)((uint8_t *)node + denial_at) =
		    (struct image_node_denial){.at = denial.at, .wild = denial.wild};
	if ((flags & NODE_CASE) != 0)
		memcpy((uint8_t *)node + owner_at, unit->owner, unit->len);
	d->node = node;
	d->far = far ? (struct image_far *)((uint8_t *)node + head + more + directory) : NULL;
	return 0;
}

// A node takes no more lines than it must as far as most questions go; what follows it may begin
// in its last one. All its places are its own, so it may be moved. Post: where it begins.
static int node_align(struct node_draft *d)
{
	struct image_buffer *buffer = d->c->buffer;
	const size_t begin = (size_t)((uint8_t *)d->node - buffer->mem);
	const size_t hot = d->hot_end - begin, size = buffer->used - begin;
	const size_t in_line = begin % CACHE_LINE;

	if (is_aside(d->unit) || (in_line + hot - 1) / CACHE_LINE == (hot - 1) / CACHE_LINE)
		return 0;
	const size_t gap = CACHE_LINE - in_line;
	if (image_buffer_take(buffer, gap, 1) == NULL)
		return -ENOMEM;
	memmove(buffer->mem + begin + gap, buffer->mem + begin, size);
	memset(buffer->mem + begin, 0, gap);
	d->node = (struct image_node *)(buffer->mem + begin + gap);
	return 0;
}

// Has the node before end where this one begins.
static void node_end(struct image_node *node, const uint8_t *next)
{
	const size_t step = (size_t)(next - (const uint8_t *)node) / NODE_STEP;

	if ((node->flags & NODE_FAR) != 0)
		((struct image_node_far *)node_far(node))->step = (uint32_t)step;
	else
		node->step = (uint8_t)step;
}

static int put_node(struct node_draft *d, bool far)
{
	int error = put_head(d, far);

	if (error == 0)
		error = put_leads(d);
	return error == 0 ? put_rrsets(d) : error;
}

static int write_node(struct compilation *c, struct unit *unit, struct image_node **last)
{
	struct image_buffer *buffer = c->buffer;
	struct node_draft d = {.c = c, .unit = unit};
	const size_t begin = buffer->used;
	int error = put_node(&d, is_far(c, unit));

	// What node_align() may put in front of the next one counts, too.
	if (error == 0 && d.far == NULL &&
	    buffer->used - begin > NODE_STEP_MAX - CACHE_LINE - NODE_STEP) {
		memset(buffer->mem + begin, 0, buffer->used - begin);
		buffer->used = begin;
		d = (struct node_draft){.c = c, .unit = unit};
		error = put_node(&d, true);
	}
	if (error == 0)
		error = node_align(&d);
	if (error != 0)
		return error;
	unit->node_ref = compile_ref(c, d.node);
	if (*last != NULL)
		node_end(*last, (uint8_t *)d.node);
	*last = d.node;
	return 0;
}

static int write_nodes(struct compilation *c, struct image_section *section, uint32_t *order)
{
	struct unit_walk walk = {0};
	struct image_node *last = NULL;
	uint32_t rank = 0;

	for (struct unit *unit; (unit = unit_walk_next(&walk, c)) != NULL; rank++) {
		const int error = write_node(c, unit, &last);
		if (error != 0)
			return error;
		if (rank % IMAGE_ORDER_STEP == 0)
			order[rank / IMAGE_ORDER_STEP] = unit->node_ref;
	}
	const uint8_t *end = image_buffer_take(c->buffer, 0, NODE_STEP);
	if (end == NULL)
		return -ENOMEM;
	node_end(last, end);
	section[IMAGE_NODES] = (struct image_section){order[0], c->held};
	return 0;
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
	if (c->buckets == NULL)
		return -ENOMEM;
	section[IMAGE_BUCKETS] =
	    (struct image_section){compile_ref(c, c->buckets), c->bucket_count};
	// Directly behind the buckets (zone_lead.h).
	if ((error = compile_negative(c, false, &header->negative_ref)) != 0)
		return error;
	const uint32_t listed = (c->held + IMAGE_ORDER_STEP - 1) / IMAGE_ORDER_STEP;
	order = image_buffer_take(c->buffer, listed * sizeof(*order), 8);
	if (order == NULL || compile_denial_place(c, header) != 0)
		return -ENOMEM;
	section[IMAGE_ORDER] = (struct image_section){compile_ref(c, order), listed};
	if ((error = compile_index(c)) != 0)
		return error;
	if ((c->flags & IMAGE_SIGNED) != 0 &&
	    (error = compile_negative(c, true, &header->negative_do_ref)) != 0)
		return error;
	if ((error = write_nodes(c, section, order)) != 0)
		return error;
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
	struct compilation c = {.records = records,
	    .options = options,
	    .overlay = overlay,
	    .buffer = buffer,
	    .error = error};
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
	apex_facts(&c, header);
	if (has_rrsigs(&c))
		c.flags |= IMAGE_RRSIGS;
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
