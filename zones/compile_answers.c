// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Compiled answers: the bytes behind the question, made once here so that a worker only copies
// them. The data plane's renderer follows the same order and the same rule of compression
// (writer.h), and a test holds the two against each other:
//
//   positive   the RRset in stored order, its signatures when asked for; then, optional, A and AAAA
//              of each name that its rdata embeds, glue included (a root zone's own servers are
//              glue), and what an SVCB or HTTPS alias leads to
//   referral   NS in stored order; DS and its signatures when asked for, or the cut's own NSEC,
//              which says that there is none; then glue: required for name servers at or below the
//              cut (RFC 9471), then, optional, what the zone holds of the others
//   negative   the SOA with the TTL of negative answers
//   chain      each CNAME on the way; then the RRset it leads to, or the SOA where there is none
//
// Other proofs of denial are in none of them: the data plane puts them in behind the authority
// section.

#include "compile_private.h"

#include <errno.h>
#include <string.h>

#include "checksum.h"
#include "moves.h"
#include "name.h"
#include "rdata.h"
#include "reader.h"
#include "rrtype.h"
#include "writer.h"

#define TARGETS_MAX 64 // names with addresses in one answer; more are rendered, not compiled

// One answer in the making.
struct draft {
	struct compilation *c;
	struct writer w;
	uint8_t msg[WRITER_QUESTION_AT + NAME_LEN_MAX + 4 + IMAGE_ANSWER_MAX + MOVES_SLACK];
	uint8_t name_len; // of the question
	enum moves_for what;
	uint16_t ancount, nscount, arcount;
	bool with_sigs;
	bool takes_proofs;                    // behind the authority section, when it is sent
	bool differs;                         // from the form without signatures
	const struct unit *done[TARGETS_MAX]; // whose addresses are in already
	unsigned done_count;
};

// The question is the unit's own name; names may point at it or, where it begins with a "*" for
// which others stand, at what is behind that.
static void draft_start(struct draft *d, struct compilation *c, const struct unit *unit,
    enum moves_for what, bool with_sigs)
{
	const size_t body = WRITER_QUESTION_AT + (size_t)unit->len + 4;
	const size_t suffix = what == MOVES_WILD ? 2 : 0;

	d->c = c;
	d->name_len = unit->len;
	d->what = what;
	d->ancount = d->nscount = d->arcount = 0;
	d->with_sigs = with_sigs;
	d->takes_proofs = false;
	d->differs = false;
	d->done_count = 0;
	memset(d->msg, 0, body);
	name_lower(d->msg + WRITER_QUESTION_AT, unit->owner, unit->len);
	writer_start(&d->w, d->msg, body, body + IMAGE_ANSWER_MAX, WRITER_QUESTION_AT + suffix);
}

static bool put_rrset(struct draft *d, const uint8_t *owner, const struct rrset_span *span,
    uint32_t ttl, uint16_t *count)
{
	for (uint32_t i = 0; i < span->rr_count; i++) {
		if (!writer_rr(
		        &d->w, owner, span->type, ttl, span->rrs[i].rdata, span->rrs[i].rdlen))
			return false;
		(*count)++;
	}
	return true;
}

// Their TTL is that of the RRset, as sent, or their own where it is smaller (RFC 4034 3).
static bool put_sigs(struct draft *d, const uint8_t *owner, const struct rrset_span *span,
    uint32_t ttl_max, uint16_t *count)
{
	if (!d->with_sigs || span->sig_count == 0)
		return true;
	const uint32_t ttl = span->sigs[0].ttl < ttl_max ? span->sigs[0].ttl : ttl_max;
	for (uint32_t i = 0; i < span->sig_count; i++) {
		const struct record *r = &span->sigs[i];
		if (!writer_rr(&d->w, owner, RRTYPE_RRSIG, ttl, r->rdata, r->rdlen))
			return false;
		d->differs = true;
		(*count)++;
	}
	return true;
}

// A and AAAA of `unit` into the additional section, owned by `owner`: its name as the rdata that
// leads to it has it, which the message already holds.
static bool put_addresses(struct draft *d, const struct unit *unit, const uint8_t *owner)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA};

	for (unsigned i = 0; i < d->done_count; i++) {
		if (d->done[i] == unit)
			return true;
	}
	if (d->done_count == TARGETS_MAX)
		return false;
	d->done[d->done_count++] = unit;
	for (unsigned i = 0; i < 2; i++) {
		struct rrset_span span;
		if (!unit_rrset(d->c, unit, types[i], &span))
			continue;
		if (!put_rrset(d, owner, &span, span.rrs[0].ttl, &d->arcount) ||
		    !put_sigs(d, owner, &span, span.rrs[0].ttl, &d->arcount))
			return false;
	}
	return true;
}

// Does the draft fit into what is said of an answer?
static bool draft_fits(const struct draft *d, uint32_t size)
{
	return size <= IMAGE_ANSWER_MAX && d->ancount <= UINT8_MAX && d->nscount <= UINT8_MAX &&
	       d->arcount <= IMAGE_ADDITIONAL_MAX;
}

// May all its pointers be kept?
static bool draft_moves(
    const struct draft *d, const struct image_answer *answer, struct moves *moves)
{
	const unsigned body_at = d->w.body_at;

	if (!moves_find(answer, d->msg + body_at, answer->size, d->msg + WRITER_QUESTION_AT,
	        d->name_len, d->what, moves))
		return false;
	// Proofs move the additional section: nothing may point into it. (A target that is not
	// compressed, of an SRV say, stands there in full as the first owner.)
	return !d->takes_proofs || moves->target_max < body_at + moves->proof_at;
}

// Moves the draft into the image, where nothing is further from `node` than can be said (NULL: it
// is of no node). Post: 0 or -ENOMEM; *out is NULL when it is not to be compiled.
static int draft_finish(
    const struct draft *d, const struct image_node *node, const struct image_answer **out)
{
	struct image_buffer *buffer = d->c->buffer;
	const uint32_t size = d->w.at - d->w.body_at;
	struct image_answer draft = {
	    .arcount = (uint8_t)d->arcount,
	    .nscount = (uint8_t)d->nscount,
	    .ancount = (uint8_t)d->ancount,
	    .size = (uint16_t)size,
	    .sum = checksum_fold(checksum_sum(d->msg + d->w.body_at, size, 0)),
	};
	struct moves moves;

	*out = NULL;
	if (!draft_fits(d, size) || !draft_moves(d, &draft, &moves) ||
	    (node != NULL && compile_place(node, buffer->mem + buffer->used + NODE_UNIT) == 0))
		return 0;
	struct image_answer *answer = image_buffer_take(
	    buffer, moves.head * sizeof(*answer) + size, node != NULL ? NODE_UNIT : 8);
	if (answer == NULL)
		return -ENOMEM;
	draft.head = (uint8_t)moves.head;
	*answer = draft;
	moves_put(&moves, answer + 1);
	memcpy((uint8_t *)(answer + moves.head), d->msg + d->w.body_at, size);
	*out = answer;
	return 0;
}

static int draft_place(const struct draft *d, const struct image_node *node, uint16_t *at)
{
	const struct image_answer *answer;
	const int error = draft_finish(d, node, &answer);

	*at = answer != NULL ? compile_place(node, answer) : 0;
	return error;
}

// An RRset whose targets are to be added, and its owner as the message has it.
struct source {
	const struct unit *unit;
	struct rrset_span span;
	const uint8_t *owner;
};

// The unit that record `r` of `from` leads to, and its name as the message will have it. NULL: the
// type has no targets, or this one is not in the zone.
static const struct unit *target_unit(const struct compilation *c, const struct source *from,
    const struct record *r, const uint8_t **name)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	const unsigned count = rdata_names(r->type, r->rdata, r->rdlen, names);

	if (rdata_target_is_owner(r->type, r->rdata)) {
		*name = from->owner;
		return rdata_is_alias(r->type, r->rdata) ? NULL : from->unit;
	}
	for (unsigned i = 0; i < count; i++) {
		if (names[i].additional)
			return compile_find(c, *name = r->rdata + names[i].offset);
	}
	return NULL;
}

// The RRset of the alias' target, whose own targets then follow.
static bool put_alias(struct draft *d, struct source *sources, unsigned *count,
    const struct unit *target, const uint8_t *name)
{
	struct source *next = &sources[*count];

	for (unsigned i = 0; i < *count; i++) {
		if (sources[i].unit == target)
			return true;
	}
	if (*count > RDATA_ALIASES_MAX || (target->flags & (NODE_OCCLUDED | NODE_CUT)) != 0 ||
	    !unit_rrset(d->c, target, sources[0].span.type, &next->span))
		return true;
	next->unit = target;
	next->owner = name;
	(*count)++;
	return put_rrset(d, name, &next->span, next->span.rrs[0].ttl, &d->arcount) &&
	       put_sigs(d, name, &next->span, next->span.rrs[0].ttl, &d->arcount);
}

static bool put_targets(struct draft *d, const struct unit *unit, const struct rrset_span *span)
{
	struct source sources[RDATA_ALIASES_MAX + 1];
	unsigned count = 1;

	sources[0] = (struct source){unit, *span, NULL};
	for (unsigned i = 0; i < count; i++) {
		for (uint32_t j = 0; j < sources[i].span.rr_count; j++) {
			const struct record *r = &sources[i].span.rrs[j];
			const uint8_t *name;
			const struct unit *target = target_unit(d->c, &sources[i], r, &name);
			if (target == NULL)
				continue;
			if (!put_addresses(d, target, name) ||
			    (rdata_is_alias(r->type, r->rdata) &&
			        !put_alias(d, sources, &count, target, name)))
				return false;
		}
	}
	return true;
}

int compile_positive(struct compilation *c, const struct image_node *node, const struct unit *unit,
    const struct rrset_span *span, bool with_sigs, uint16_t *at)
{
	struct draft d;
	const enum moves_for what = moves_for_owner(unit->owner);

	*at = 0;
	draft_start(&d, c, unit, what, with_sigs);
	d.takes_proofs = what == MOVES_WILD && with_sigs;
	if (!put_rrset(&d, NULL, span, span->rrs[0].ttl, &d.ancount) ||
	    !put_sigs(&d, NULL, span, span->rrs[0].ttl, &d.ancount))
		return 0;
	return put_targets(&d, unit, span) ? draft_place(&d, node, at) : 0;
}

// What of the cut says whether it is secure: DS, or the NSEC without it. Post: false: an NSEC3
// must, or a proof that is broken.
static bool secured_by(const struct compilation *c, const struct unit *cut, struct rrset_span *span)
{
	return unit_rrset(c, cut, RRTYPE_DS, span) ||
	       (!c->chain_nsec3 && unit_rrset(c, cut, RRTYPE_NSEC, span));
}

bool compile_takes_proof(const struct compilation *c, const struct unit *unit)
{
	struct rrset_span span;

	return (unit->flags & NODE_CUT) != 0 && (c->flags & IMAGE_SIGNED) != 0 &&
	       !secured_by(c, unit, &span);
}

int compile_referral(struct compilation *c, const struct image_node *node, const struct unit *unit,
    bool with_sigs, bool *differs, uint16_t *at)
{
	struct draft d;
	struct rrset_span span;
	struct source from = {.unit = unit};

	*at = 0;
	*differs = true; // where it is not compiled
	draft_start(&d, c, unit, MOVES_BELOW, with_sigs);
	d.takes_proofs = (c->flags & IMAGE_SIGNED) != 0; // with DO, which may get the same bytes
	if (!unit_rrset(c, unit, RRTYPE_NS, &from.span) ||
	    !put_rrset(&d, unit->owner, &from.span, from.span.rrs[0].ttl, &d.nscount) ||
	    !put_sigs(&d, unit->owner, &from.span, from.span.rrs[0].ttl, &d.nscount))
		return 0;
	if (with_sigs && secured_by(c, unit, &span)) {
		d.differs = true;
		if (!put_rrset(&d, unit->owner, &span, span.rrs[0].ttl, &d.nscount) ||
		    !put_sigs(&d, unit->owner, &span, span.rrs[0].ttl, &d.nscount))
			return 0;
	}
	for (unsigned pass = 0; pass < 2; pass++) { // those at or below the cut first
		for (uint32_t i = 0; i < from.span.rr_count; i++) {
			const uint8_t *name;
			const struct unit *target = target_unit(c, &from, &from.span.rrs[i], &name);
			if (target == NULL ||
			    name_is_under(target->owner, unit->owner) != (pass == 0))
				continue;
			if (!put_addresses(&d, target, name))
				return 0;
		}
	}
	*differs = d.differs;
	return draft_place(&d, node, at);
}

int compile_negative(struct compilation *c, bool with_sigs, uint32_t *ref)
{
	const struct unit *apex = &c->units[0];
	const struct image_answer *answer;
	struct draft d;
	struct rrset_span soa;

	draft_start(&d, c, apex, MOVES_BELOW, with_sigs);
	if (!unit_rrset(c, apex, RRTYPE_SOA, &soa))
		return 0;
	// The owner is the apex, which the question may be below: a pointer that moves, not c0 0c.
	if (!put_rrset(&d, apex->owner, &soa, c->negative_ttl, &d.nscount) ||
	    !put_sigs(&d, apex->owner, &soa, c->negative_ttl, &d.nscount))
		return 0;
	if (draft_finish(&d, NULL, &answer) != 0)
		return -ENOMEM;
	*ref = answer != NULL ? compile_ref(c, answer) : 0;
	return 0;
}

// --- what a CNAME leads to
// ----------------------------------------------------------------------------------------

// `end`: the RRset that was asked for, where the chain ends; NULL: none. `plain_at`: the answer
// without signatures.
static int chain_answer(struct compilation *c, const struct image_node *node,
    const struct chain *chain, const struct rrset_span *end, bool with_sigs, uint16_t plain_at,
    uint16_t *at)
{
	const struct unit *unit = chain->hop[0].unit;
	const bool denies = end == NULL && chain->end != CHAIN_LEAVES;
	struct draft d;
	struct rrset_span soa;
	bool fits = true;

	*at = 0;
	if (with_sigs && (denies || chain->wild)) // a proof is due
		return 0;
	draft_start(&d, c, unit, moves_for_owner(unit->owner), with_sigs);
	for (unsigned i = 0; i < chain->count && fits; i++) {
		const struct rrset_span *cname = &chain->hop[i].cname;
		const uint8_t *owner = chain->hop[i].name;

		fits = put_rrset(&d, owner, cname, cname->rrs[0].ttl, &d.ancount) &&
		       put_sigs(&d, owner, cname, cname->rrs[0].ttl, &d.ancount);
	}
	if (fits && end != NULL)
		fits = put_rrset(&d, chain->name, end, end->rrs[0].ttl, &d.ancount) &&
		       put_sigs(&d, chain->name, end, end->rrs[0].ttl, &d.ancount);
	if (fits && denies)
		fits = unit_rrset(c, &c->units[0], RRTYPE_SOA, &soa) &&
		       put_rrset(&d, c->units[0].owner, &soa, c->negative_ttl, &d.nscount);
	if (!fits)
		return 0;
	*at = plain_at;
	return with_sigs && !d.differs ? 0 : draft_place(&d, node, at);
}

static uint32_t unit_types(const struct compilation *c, const struct unit *unit)
{
	struct rrset_walk walk;
	struct rrset_span span = {0};
	uint32_t types = 0;

	for (rrset_walk_start(&walk, c, unit); rrset_walk_next(&walk, &span);)
		types |= type_bit(span.type);
	return types;
}

int compile_chain(
    struct compilation *c, const struct image_node *node, const struct unit *unit, uint16_t *at)
{
	static const uint16_t types[] = {[CHAIN_A] = RRTYPE_A, [CHAIN_AAAA] = RRTYPE_AAAA};
	const bool is_signed = (c->flags & IMAGE_SIGNED) != 0;
	struct chain chain;

	*at = 0;
	// An overlay does not have all that a chain may depend on; so those are in bases alone.
	if (c->overlay != NULL || !compile_chain_walk(c, unit, &chain))
		return 0;
	struct image_chain *out = image_buffer_take(c->buffer, sizeof(*out), NODE_UNIT);
	if (out == NULL)
		return -ENOMEM;
	out->no_name = chain.end == CHAIN_NO_NAME;
	for (unsigned i = 0; i < chain.count; i++)
		out->types |= unit_types(c, chain.hop[i].unit);
	if (chain.end == CHAIN_NODE)
		out->types |= unit_types(c, chain.last);
	for (unsigned i = 0; i < CHAIN_ANSWERS; i++) {
		struct rrset_span end;
		const bool have = i != CHAIN_OTHER && chain.end == CHAIN_NODE &&
		                  unit_rrset(c, chain.last, types[i], &end);
		const struct rrset_span *asked = have ? &end : NULL;

		if (!have && i != CHAIN_OTHER)
			continue;
		if (chain_answer(c, node, &chain, asked, false, 0, &out->at[i]) != 0)
			return -ENOMEM;
		out->do_at[i] = out->at[i];
		if (is_signed &&
		    chain_answer(c, node, &chain, asked, true, out->at[i], &out->do_at[i]) != 0)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < CHAIN_OTHER; i++) {
		if ((out->types & type_bit(types[i])) != 0)
			continue;
		out->at[i] = out->at[CHAIN_OTHER];
		out->do_at[i] = out->do_at[CHAIN_OTHER];
	}
	*at = compile_place(node, out);
	return 0;
}
