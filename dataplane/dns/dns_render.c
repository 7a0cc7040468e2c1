// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The algorithm of RFC 1034 4.3.2 over the reader's look-ups, with DNAME (RFC 6672) and wildcards
// (RFC 4592). Stage 3 calls it for what is not compiled: chains, DNAMEs, ANY, answers too large for
// the message, and everything when a test asks for it.
#include "dns_render.h"

#include "dns_reply.h"
#include "rdata.h"

static void render_truncate(struct render *r)
{
	r->flags |= HEADER_TC;
	r->outcome = DNS_OUTCOME_truncated;
}

// Writes the proofs that are due. Post: false when they do not fit.
static bool denial_flush(struct render *r)
{
	const struct qname *q = &r->query->qname;
	const size_t apex_at =
	    WRITER_QUESTION_AT + (size_t)q->start[version_apex_labels(r->version)];
	size_t at = r->w.at;
	const bool whole = denial_put(
	    &r->denial, r->query->msg, &at, r->w.cap, apex_at, &r->count[SECTION_AUTHORITY]);

	r->w.at = (uint32_t)at;
	return whole;
}

static struct node_ref apex_find(const struct render *r)
{
	return version_find(r->version, r->name, version_apex_labels(r->version));
}

// SOA in authority (RFC 2308 2.1, 2.2).
static void render_negative(struct render *r, uint16_t rcode, const struct lookup *lookup)
{
	struct node_ref apex = apex_find(r);
	const struct image_rrset *soa = node_rrset(apex, RRTYPE_SOA);

	r->query->rcode = rcode;
	r->outcome = rcode == RCODE_NXDOMAIN ? DNS_OUTCOME_nxdomain : DNS_OUTCOME_nodata;
	if (soa == NULL ||
	    !render_rrset(r, SECTION_AUTHORITY, image_apex(version_header(r->version)), apex, soa,
	        version_header(r->version)->soa_minimum))
		render_truncate(r);
	if (r->do_sigs && rcode == RCODE_NXDOMAIN)
		denial_nxdomain(&r->denial, r->name, lookup);
	else if (r->do_sigs)
		denial_nodata(&r->denial, r->name, lookup);
	if ((r->flags & HEADER_TC) == 0 && !denial_flush(r))
		render_truncate(r);
}

static bool has_ds(struct node_ref cut)
{
	const struct image_rrset *ds = node_rrset(cut, RRTYPE_DS);

	return ds != NULL && ds->rr_count != 0;
}

static void render_referral(struct render *r, const struct lookup *lookup)
{
	struct node_ref cut = lookup->node;
	const struct image_rrset *ns = node_rrset(cut, RRTYPE_NS);

	if (r->hops == 0)
		r->flags &= ~HEADER_AA;
	r->outcome = DNS_OUTCOME_referral;
	if (!render_rrset(r, SECTION_AUTHORITY, node_owner(cut), cut, ns, rrset_ttl(cut, ns))) {
		render_truncate(r);
		return;
	}
	if (r->do_sigs) {
		// An NSEC of its own stands as DS does, unless it is one of several proofs.
		const bool takes_proof = (cut.node->flags & NODE_TAKES_PROOF) != 0 ||
		                         (r->denial.count != 0 && !has_ds(cut));
		const struct image_rrset *says =
		    node_rrset(cut, has_ds(cut) ? RRTYPE_DS : RRTYPE_NSEC);
		bool fits = true;

		if (takes_proof)
			denial_insecure(&r->denial, r->name, lookup);
		else
			fits = render_rrset(
			    r, SECTION_AUTHORITY, node_owner(cut), cut, says, rrset_ttl(cut, says));
		if (!fits || !denial_flush(r)) {
			render_truncate(r);
			return;
		}
	}
	render_glue(r, cut, ns);
}

// --- the chain
// ------------------------------------------------------------------------------------

// Makes `name` the next question. Post: false when the chain ends here: it leaves the zone, comes
// back to a name it has been at, or is too long.
static bool chain_follow(struct render *r, const uint8_t *name)
{
	const struct image_header *header = version_header(r->version);
	struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};

	if (r->hops == RENDER_HOPS_MAX)
		return false;
	r->seen[r->hops++] = r->name->hash[r->name->labels];

	size_t len = name_len(name);

	len = qname_parse(&r->chain_name, name, len, len);

	memmove(r->owner_bytes, name, len);
	r->name = &r->chain_name;
	r->owner = r->owner_bytes;
	if (!qname_ends_in(
	        &r->chain_name, header->apex_labels, image_apex(header), header->apex_len))
		return false;
	qname_hash(&r->chain_name, &key);
	for (unsigned i = 0; i < r->hops; i++) {
		if (r->seen[i] == r->chain_name.hash[r->chain_name.labels])
			return false;
	}
	return true;
}

// Post: true when the chain goes on at the CNAME's target.
static bool render_cname(struct render *r, struct node_ref node, const struct image_rrset *cname)
{
	struct rdata_iter iter = rrset_rdata(node, cname);
	uint16_t rdlen;

	if (!render_rrset(r, SECTION_ANSWER, r->owner, node, cname, rrset_ttl(node, cname))) {
		render_truncate(r);
		return false;
	}
	return chain_follow(r, rdata_next(&iter, &rdlen));
}

static bool dname_in_answer(const struct render *r, const struct image_node *node)
{
	for (unsigned i = 0; i < r->dname_count; i++) {
		if (r->dname_seen[i] == node)
			return true;
	}
	return false;
}

// RFC 6672 3.1. Post: true when the chain goes on at the synthesised CNAME's target.
static bool render_dname(struct render *r, struct node_ref node)
{
	const struct image_rrset *dname = node_rrset(node, RRTYPE_DNAME);
	struct rdata_iter iter = rrset_rdata(node, dname);
	uint8_t target[NAME_LEN_MAX];
	uint16_t suffix_len;
	const uint8_t *suffix = rdata_next(&iter, &suffix_len);
	// The name as the client, or the record before, wrote it.
	const uint8_t *name = r->owner != NULL ? r->owner : r->query->msg + DNS_HEADER_LEN;
	size_t prefix_len = r->name->start[node.node->labels];

	if (prefix_len + suffix_len > NAME_LEN_MAX) {
		r->query->rcode = RCODE_YXDOMAIN; // RFC 6672 2.2, whether or not the DNAME fits
		r->outcome = DNS_OUTCOME_yxdomain;
	}
	if (!dname_in_answer(r, node.node)) {
		if (!render_rrset(
		        r, SECTION_ANSWER, node_owner(node), node, dname, rrset_ttl(node, dname))) {
			render_truncate(r);
			return false;
		}
		r->dname_seen[r->dname_count++] = node.node; // at most one a hop
	}
	if (prefix_len + suffix_len > NAME_LEN_MAX)
		return false;
	memcpy(target, name, prefix_len);
	memcpy(target + prefix_len, suffix, suffix_len);
	if (!writer_rr(&r->w, r->owner, RRTYPE_CNAME, rrset_ttl(node, dname), target,
	        (uint16_t)(prefix_len + suffix_len))) {
		render_truncate(r);
		return false;
	}
	r->count[SECTION_ANSWER]++;
	if (r->query->qtype == RRTYPE_CNAME || r->query->qtype == RRTYPE_ANY)
		return false; // the synthesised record is the answer
	return chain_follow(r, target);
}

// --- at a node
// ------------------------------------------------------------------------------------

static bool type_is_denial(uint16_t type)
{
	return type == RRTYPE_NSEC || type == RRTYPE_NSEC3;
}

// One RRset for ANY (RFC 8482 4.1), data before denial.
static const struct image_rrset *any_choose(struct node_ref node)
{
	const struct image_rrset *denial = NULL;

	for (unsigned i = 0; i < node.node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(node, i);

		if (rrset->rr_count == 0)
			continue;
		if (!type_is_denial(rrset->type))
			return rrset;
		denial = rrset;
	}
	return denial;
}

// The RRset that answers `qtype`, or NULL.
static const struct image_rrset *rrset_choose(struct node_ref node, uint16_t qtype)
{
	const struct image_rrset *rrset;

	if (qtype == RRTYPE_ANY)
		return any_choose(node);
	if (qtype == RRTYPE_NSEC3) // is no data of the name it stands at (RFC 5155 7.2.8)
		return NULL;
	rrset = node_rrset(node, qtype);
	return rrset != NULL && rrset->rr_count != 0 ? rrset : NULL;
}

// Does the node have what was asked for, CNAME left aside?
static bool node_answers(const struct render *r, struct node_ref node)
{
	if (r->query->qtype != RRTYPE_RRSIG)
		return rrset_choose(node, r->query->qtype) != NULL;
	for (unsigned i = 0; i < node.node->rrset_count; i++) {
		if (rrset_has_sigs(node.image, node_rrset_at(node, i)))
			return true;
	}
	return false;
}

// The signatures of one RRset for qtype RRSIG: the same reasoning as for ANY. Post: false when the
// node has none.
static bool render_rrsig(struct render *r, const struct lookup *lookup)
{
	struct node_ref node = lookup->node;
	const uint8_t *rdata;
	uint16_t rdlen;
	uint32_t ttl;

	for (unsigned i = 0; i < node.node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(node, i);
		struct rdata_iter iter = rrset_sigs(node, rrset, &ttl);

		if (iter.left == 0)
			continue;
		r->outcome = DNS_OUTCOME_answer;
		if (r->do_sigs && lookup->kind == LOOKUP_WILDCARD)
			denial_wildcard(&r->denial, r->name, lookup);
		// The chain came by a DNAME of this very name: its signatures are there.
		if (rrset->type == RRTYPE_DNAME && r->do_sigs && dname_in_answer(r, node.node))
			return true;
		while ((rdata = rdata_next(&iter, &rdlen)) != NULL) {
			if (!writer_rr(&r->w, r->owner, RRTYPE_RRSIG, ttl, rdata, rdlen)) {
				render_truncate(r);
				return true;
			}
			r->count[SECTION_ANSWER]++;
		}
		return true;
	}
	return false;
}

// What the node answers. Post: true when a CNAME leads on.
static bool render_at_node(struct render *r, const struct lookup *lookup)
{
	struct node_ref node = lookup->node;
	uint16_t qtype = r->query->qtype;
	const struct image_rrset *rrset;

	if (qtype == RRTYPE_RRSIG && render_rrsig(r, lookup))
		return false;
	rrset = rrset_choose(node, qtype);
	if (rrset != NULL) {
		r->outcome = DNS_OUTCOME_answer;
		if (rrset->type == RRTYPE_DNAME && dname_in_answer(r, node.node))
			return false; // no record twice (RFC 2181 5)
		if (r->do_sigs && lookup->kind == LOOKUP_WILDCARD)
			denial_wildcard(&r->denial, r->name, lookup);
		if (render_rrset(
		        r, SECTION_ANSWER, r->owner, node, rrset, rrset_ttl(node, rrset)) &&
		    denial_flush(r))
			render_additional(r, node, rrset);
		else
			render_truncate(r);
		return false;
	}
	rrset = node_rrset(node, RRTYPE_CNAME);
	if (rrset != NULL && rrset->rr_count != 0) {
		if (r->do_sigs && lookup->kind == LOOKUP_WILDCARD)
			denial_wildcard(&r->denial, r->name, lookup);
		return render_cname(r, node, rrset);
	}
	render_negative(r, RCODE_NOERROR, lookup);
	return false;
}

// DS at the cut is the parent's own data (RFC 4035 3.1.4.1). Pre: lookup->kind is LOOKUP_REFERRAL.
static bool asks_ds_of_cut(const struct render *r, const struct lookup *lookup)
{
	return r->query->qtype == RRTYPE_DS && lookup->node.node->labels == r->name->labels;
}

// Where the end of a chain leaves one step. Post: true when the chain goes on.
static bool render_step(struct render *r, const struct lookup *lookup)
{
	switch (lookup->kind) {
	case LOOKUP_REFERRAL:
		if (!asks_ds_of_cut(r, lookup)) {
			render_referral(r, lookup);
			return false;
		}
		return render_at_node(r, lookup);
	case LOOKUP_EXACT:
	case LOOKUP_WILDCARD:
		return render_at_node(r, lookup);
	case LOOKUP_DNAME:
		return render_dname(r, lookup->node);
	case LOOKUP_NXDOMAIN:
		render_negative(r, RCODE_NXDOMAIN, lookup);
		return false;
	}
	return false;
}

// The part of the question name that names of this answer lean on; see dns_render.h.
static size_t suffix_choose(const struct render *r, const struct lookup *lookup)
{
	const struct image_node *node = lookup->node.node;
	unsigned suffix_len = version_header(r->version)->apex_len; // negative

	if (lookup->kind == LOOKUP_DNAME)
		suffix_len = r->query->qname.len;
	else if (lookup->kind == LOOKUP_REFERRAL && !asks_ds_of_cut(r, lookup))
		suffix_len = node->name_len;
	else if (node != NULL && ((node->flags & NODE_CNAME) != 0 || node_answers(r, lookup->node)))
		suffix_len =
		    name_is_wildcard(node->name) ? node->name_len - 2u : r->query->qname.len;
	return WRITER_QUESTION_AT + r->query->qname.len - suffix_len;
}

void dns_render_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct render r;
	struct lookup next = *lookup;

	r.context = context;
	r.query = query;
	r.version = query->version;
	r.flags = HEADER_AA;
	r.outcome = DNS_OUTCOME_answer;
	memset(r.count, 0, sizeof(r.count));
	r.do_sigs = query_wants_sigs(query);
	r.name = &query->qname;
	r.owner = NULL;
	r.hops = 0;
	r.dname_count = 0;
	r.target_count = 0;
	denial_start(&r.denial, r.version);
	// A chain is compared by the hashes of its names, and leads to names of any depth.
	qname_hash_to(&query->qname,
	    &(struct hash_key){
	        {version_header(r.version)->hash_key[0], version_header(r.version)->hash_key[1]}},
	    query->qname.labels);
	writer_start(&r.w, query->msg, query->question_end,
	    (size_t)query->reply_limit - query->opt_len, suffix_choose(&r, lookup));

	while (render_step(&r, &next)) // at most RENDER_HOPS_MAX
		version_lookup(r.version, r.name, &next);
	// A chain that left the zone: what its wildcards owe.
	if ((r.flags & HEADER_TC) == 0 && !denial_flush(&r))
		render_truncate(&r);

	const uint64_t counts = reply_counts(
	    r.count[SECTION_ANSWER], r.count[SECTION_AUTHORITY], r.count[SECTION_ADDITIONAL]);

	tally(&context->counters->nsec3_hashes, r.denial.hashes);
	count(context, query, (r.flags & HEADER_TC) != 0 ? DNS_OUTCOME_truncated : r.outcome);
	dns_reply_finish_summing(context, query, r.w.at, r.flags, counts);
}
