// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The model; see model_answer.h. From the bottom of this file up: the message, the algorithm, what
// stands at a name, sections. The proofs of denial are in model_denial.c.
#include "model_answer.h"

#include <string.h>

#include "model_internal.h"

#define HOPS_MAX    16  // dns_render.h: names followed
#define TARGETS_MAX 256 // dns_render.h: names whose addresses are added

enum {
	NOERROR = 0,
	FORMERR = 1,
	NXDOMAIN = 3,
	NOTIMP = 4,
	REFUSED = 5,
	YXDOMAIN = 6,
	NOTAUTH = 9,
	BADVERS = 16,
};

// --- the list
// -----------------------------------------------------------------------------------------

static bool covers(const struct mrecord *sig, uint16_t type)
{
	return sig->type == T_RRSIG && (sig->rdata[0] << 8 | sig->rdata[1]) == type;
}

const struct mrecord *model_first(const struct mzone *zone, const uint8_t *name, uint16_t type)
{
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (r->type == type && mname_equal(r->owner, name))
			return r;
	}
	return NULL;
}

// A record that came before, once more (RFC 2181 5).
static bool is_repeated(const struct mzone *zone, const struct mrecord *r)
{
	for (const struct mrecord *before = zone->records; before < r; before++) {
		if (before->type == r->type && mname_equal(before->owner, r->owner) &&
		    mrdata_equal(r->type, before->rdata, before->rdlen, r->rdata, r->rdlen))
			return true;
	}
	return false;
}

// The name as the zone has it: as the first of its records of the lowest type wrote it.
const uint8_t *model_owner(const struct mzone *zone, const uint8_t *name)
{
	const struct mrecord *best = NULL;

	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (mname_equal(r->owner, name) && (best == NULL || r->type < best->type))
			best = r;
	}
	return best->owner;
}

// Names exist that own something or have something below (RFC 4592 2.2.2, 2.2.3). The owners of the
// NSEC3 chain are no names (RFC 5155 7.2.8).
static bool exists(const struct mzone *zone, const uint8_t *name)
{
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (r->type != T_NSEC3 && !covers(r, T_NSEC3) && mname_under(r->owner, name))
			return true;
	}
	return false;
}

bool model_is_cut(const struct mzone *zone, const uint8_t *name)
{
	return mname_labels(name) > mname_labels(zone->apex) && model_first(zone, name, T_NS);
}

// --- sections
// -------------------------------------------------------------------------------------

// The records of one RRset, then its signatures if they were asked for: whole or not at all.
bool model_put_by(struct model_reply *a, struct mwriter *w, enum model_section section,
    const uint8_t *owner, const uint8_t *name, uint16_t type, uint32_t ttl)
{
	const struct mwriter before = *w; // the list of places is part of it
	const struct mrecord *first_sig = NULL;
	unsigned n = 0;
	bool fits = true;

	for (size_t i = 0; i < a->zone->count && fits; i++) {
		const struct mrecord *r = &a->zone->records[i];
		if (r->type != type || !mname_equal(r->owner, name) || is_repeated(a->zone, r))
			continue;
		fits = mwriter_record(w, owner, type, ttl, r->rdata, r->rdlen);
		n++;
	}
	for (size_t i = 0; i < a->zone->count && fits && a->dnssec; i++) {
		const struct mrecord *r = &a->zone->records[i];
		if (!covers(r, type) || !mname_equal(r->owner, name) || is_repeated(a->zone, r))
			continue;
		first_sig = first_sig != NULL ? first_sig : r;
		fits = mwriter_record(w, owner, T_RRSIG,
		    first_sig->ttl < ttl ? first_sig->ttl : ttl, r->rdata, r->rdlen);
		n++;
	}
	if (!fits) {
		*w = before;
		return false;
	}
	a->count[section] += n;
	return true;
}

static bool put(struct model_reply *a, enum model_section section, const uint8_t *owner,
    const uint8_t *name, uint16_t type, uint32_t ttl)
{
	return model_put_by(a, &a->w, section, owner, name, type, ttl);
}

// With the RRset's own TTL, that of its first record. Post: false: it does not fit, TC is set.
static bool put_or_truncate(struct model_reply *a, enum model_section section, const uint8_t *owner,
    const uint8_t *name, uint16_t type)
{
	if (put(a, section, owner, name, type, model_first(a->zone, name, type)->ttl))
		return true;
	a->truncated = true;
	return false;
}

static bool target_is_new(struct model_reply *a, const uint8_t *target)
{
	for (unsigned i = 0; i < a->target_count; i++) {
		if (mname_equal(a->target[i], target))
			return false;
	}
	return true;
}

enum which {
	ALL,
	INSIDE,  // at or below the cut
	OUTSIDE, // sibling glue and what is authoritative here
};

// A and AAAA of `target`, once, owned by `owner`. Post: false: one did not fit.
static bool put_addresses(struct model_reply *a, const uint8_t *target, const uint8_t *owner)
{
	if (!target_is_new(a, target))
		return true;
	if (a->target_count == TARGETS_MAX)
		return false;
	a->target[a->target_count++] = target;
	for (unsigned t = 0; t < 2; t++) {
		const uint16_t address = t == 0 ? T_A : T_AAAA;
		const struct mrecord *first = model_first(a->zone, target, address);
		if (first != NULL && !put(a, ADDITIONAL, owner, target, address, first->ttl))
			return false;
	}
	return true;
}

// Names whose SVCB or HTTPS RRset is in the message: the answer's, then where aliases lead.
struct aliases {
	struct {
		const uint8_t *name, *owner;
	} at[1 + MODEL_ALIASES_MAX];
	unsigned count;
};

static bool is_hidden(const struct model_reply *a, const uint8_t *name)
{
	struct model_finding finding;

	model_find(a->zone, name, &finding);
	return finding.kind != FOUND_NAME;
}

// RFC 9460 4.1. Post: false: the RRset does not fit.
static bool put_alias(
    struct model_reply *a, struct aliases *aliases, uint16_t type, const uint8_t *target)
{
	const struct mrecord *first = model_first(a->zone, target, type);

	for (unsigned i = 0; i < aliases->count; i++) {
		if (mname_equal(aliases->at[i].name, target))
			return true;
	}
	if (first == NULL || is_hidden(a, target) || aliases->count > MODEL_ALIASES_MAX)
		return true;
	aliases->at[aliases->count].name = aliases->at[aliases->count].owner = target;
	aliases->count++;
	return put(a, ADDITIONAL, target, target, type, first->ttl);
}

// What the RRset mentions (RFC 1034 4.3.2 step 6), each name once, written as the rdata writes it.
// Post: false: something did not fit; no more was tried.
static bool put_targets(struct model_reply *a, const uint8_t *name, const uint8_t *owner,
    uint16_t type, enum which which, struct aliases *aliases)
{
	const bool svcb = type == T_SVCB || type == T_HTTPS;

	for (size_t i = 0; i < a->zone->count; i++) {
		const struct mrecord *r = &a->zone->records[i];
		struct mrdata_names names;

		if (r->type != type || !mname_equal(r->owner, name))
			continue;
		mrdata_names(type, r->rdata, r->rdlen, &names);
		if (!names.additional)
			return true;
		const uint8_t *target = r->rdata + names.at[0];
		const bool alias = svcb && r->rdata[0] == 0 && r->rdata[1] == 0;
		if (svcb && target[0] == 0) { // RFC 9460 2.5
			if (!alias && !put_addresses(a, name, owner))
				return false;
			continue;
		}
		if (which != ALL && mname_under(target, name) != (which == INSIDE))
			continue;
		if (!mname_under(target, a->zone->apex) || !exists(a->zone, target))
			continue;
		if (!put_addresses(a, target, target) ||
		    (alias && !put_alias(a, aliases, type, target)))
			return false;
	}
	return true;
}

static void put_additional(struct model_reply *a, const uint8_t *name, uint16_t type)
{
	struct aliases aliases = {.at = {{name, a->owner}}, .count = 1};

	for (unsigned i = 0; i < aliases.count; i++) {
		if (!put_targets(a, aliases.at[i].name, aliases.at[i].owner, type, ALL, &aliases))
			return;
	}
}

// --- what an answer is
// ----------------------------------------------------------------------------

// RFC 2308 3, 5: the SOA with the lesser of its TTL and its MINIMUM; then what proves it.
static void answer_negative(
    struct model_reply *a, unsigned rcode, const struct model_finding *finding)
{
	const struct mrecord *soa = model_first(a->zone, a->zone->apex, T_SOA);
	const uint8_t *at = soa->rdata + soa->rdlen - 4;
	const uint32_t minimum =
	    (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];

	a->rcode = rcode;
	if (!put(a, AUTHORITY, a->zone->apex, a->zone->apex, T_SOA,
	        soa->ttl < minimum ? soa->ttl : minimum)) {
		a->truncated = true;
		return;
	}
	if (rcode == NXDOMAIN)
		model_deny_name(a, finding);
	else
		model_deny_type(a, finding);
	model_proofs_put(a);
}

// RFC 1034 4.3.2 step 3b, RFC 4035 3.1.4, RFC 5155 7.2.7, RFC 9471.
static void answer_referral(struct model_reply *a, const uint8_t *cut)
{
	const uint8_t *owner = model_owner(a->zone, cut);
	uint16_t says = model_first(a->zone, cut, T_DS) != NULL ? T_DS : 0;

	if (a->hops == 0)
		a->authoritative = false;
	if (!put_or_truncate(a, AUTHORITY, owner, cut, T_NS))
		return;
	// The cut's own NSEC stands as DS would, unless it is one of several proofs.
	if (says == 0 && a->zone->proofs == PROOFS_NSEC && a->proof_count == 0 &&
	    model_first(a->zone, cut, T_NSEC) != NULL)
		says = T_NSEC;
	if (!a->dnssec || says == 0)
		model_deny_ds(a, cut);
	else if (!put_or_truncate(a, AUTHORITY, owner, cut, says))
		return;
	model_proofs_put(a);
	if (a->truncated)
		return;
	if (!put_targets(a, cut, NULL, T_NS, INSIDE, NULL))
		a->truncated = true; // in-domain glue is required (RFC 9471 3.1)
	else
		(void)put_targets(a, cut, NULL, T_NS, OUTSIDE, NULL);
}

// RFC 8482 4.1: one RRset, that of the lowest type; a denial only if there is nothing else.
static uint16_t type_for_any(const struct mzone *zone, const uint8_t *name)
{
	uint32_t best = 0;

	for (size_t i = 0; i < zone->count; i++) {
		const uint32_t type = zone->records[i].type;
		const bool denial = type == T_NSEC || type == T_NSEC3;
		const uint32_t rank = type + (denial ? 0x10000u : 0);

		if (type != T_RRSIG && mname_equal(zone->records[i].owner, name) &&
		    (best == 0 || rank < best))
			best = rank;
	}
	return (uint16_t)best; // 0: nothing
}

// The chain came by the DNAME of `name`, which is in the answer with its signatures.
static bool dname_is_there(const struct model_reply *a, const uint8_t *name)
{
	for (unsigned i = 0; i < a->dname_count; i++) {
		if (mname_equal(a->dname[i], name))
			return true;
	}
	return false;
}

// The signatures of the lowest type that has some, by the same reasoning. Post: false: none.
static bool answer_signatures(struct model_reply *a, const struct model_finding *finding)
{
	const uint8_t *name = finding->name;
	uint32_t best = 0x10000, ttl = 0;

	for (size_t i = 0; i < a->zone->count; i++) {
		const struct mrecord *r = &a->zone->records[i];
		const uint32_t type = (uint32_t)(r->rdlen < 2 ? 0 : r->rdata[0] << 8 | r->rdata[1]);
		if (r->type == T_RRSIG && mname_equal(r->owner, name) && type < best) {
			best = type;
			ttl = r->ttl;
		}
	}
	if (best == 0x10000)
		return false;
	if (finding->kind == FOUND_WILDCARD)
		model_deny_closer(a, finding);
	if (best == T_DNAME && a->dnssec && dname_is_there(a, name))
		return true; // no record twice (RFC 2181 5)
	for (size_t i = 0; i < a->zone->count && !a->truncated; i++) {
		const struct mrecord *r = &a->zone->records[i];
		if (!covers(r, (uint16_t)best) || !mname_equal(r->owner, name) ||
		    is_repeated(a->zone, r))
			continue;
		if (mwriter_record(&a->w, a->owner, T_RRSIG, ttl, r->rdata, r->rdlen))
			a->count[ANSWER]++;
		else
			a->truncated = true;
	}
	return true;
}

// What is at hand for the question's type: its records, those of the type chosen for ANY.
static uint16_t type_at(const struct model_reply *a, const uint8_t *name)
{
	if (a->q->type == T_ANY)
		return type_for_any(a->zone, name);
	if (a->q->type == T_NSEC3) // no data of a name (RFC 5155 7.2.8)
		return 0;
	return model_first(a->zone, name, a->q->type) != NULL ? a->q->type : 0;
}

// Step 3a, and 3c for a wildcard, whose data is `name`. Post: the name to go on with, or NULL.
static const uint8_t *answer_at_name(struct model_reply *a, const struct model_finding *finding)
{
	const uint8_t *name = finding->name;
	const bool wild = finding->kind == FOUND_WILDCARD;
	const uint16_t type = type_at(a, name);

	if (a->q->type == T_RRSIG && answer_signatures(a, finding))
		return NULL;
	if (type == T_DNAME && dname_is_there(a, name))
		return NULL;
	if (type != 0 && type != T_RRSIG) {
		if (wild)
			model_deny_closer(a, finding);
		if (!put_or_truncate(a, ANSWER, a->owner, name, type))
			return NULL;
		model_proofs_put(a);
		if (!a->truncated)
			put_additional(a, name, type);
		return NULL;
	}
	if (model_first(a->zone, name, T_CNAME) != NULL) {
		if (wild)
			model_deny_closer(a, finding);
		if (!put_or_truncate(a, ANSWER, a->owner, name, T_CNAME))
			return NULL;
		return model_first(a->zone, name, T_CNAME)->rdata;
	}
	answer_negative(a, NOERROR, finding);
	return NULL;
}

// RFC 6672 3.1, 3.2: the DNAME once, and a CNAME made from it. Post: the name to go on with.
static const uint8_t *answer_dname(struct model_reply *a, const uint8_t *above)
{
	const struct mrecord *dname = model_first(a->zone, above, T_DNAME);
	const uint8_t *name = a->owner != NULL ? a->owner : a->q->name;
	const size_t prefix_len = mname_len(name) - mname_len(above);
	const size_t target_len = mname_len(dname->rdata);
	static uint8_t target[2 * MODEL_NAME_MAX];

	if (prefix_len + target_len > MODEL_NAME_MAX)
		a->rcode = YXDOMAIN;
	if (!dname_is_there(a, above)) {
		if (!put_or_truncate(a, ANSWER, model_owner(a->zone, above), above, T_DNAME))
			return NULL;
		a->dname[a->dname_count++] = dname->owner;
	}
	if (prefix_len + target_len > MODEL_NAME_MAX)
		return NULL;
	memcpy(target, name, prefix_len);
	memcpy(target + prefix_len, dname->rdata, target_len);
	if (!mwriter_record(
	        &a->w, a->owner, T_CNAME, dname->ttl, target, prefix_len + target_len)) {
		a->truncated = true;
		return NULL;
	}
	a->count[ANSWER]++;
	// The made CNAME is what was asked for.
	return a->q->type == T_CNAME || a->q->type == T_ANY ? NULL : target;
}

// --- the algorithm
// --------------------------------------------------------------------------------

// Step 3 of RFC 1034 4.3.2 as amended by RFC 4592 and 6672: down from the apex, label by label.
void model_find(const struct mzone *zone, const uint8_t *name, struct model_finding *out)
{
	const unsigned labels = mname_labels(name);

	for (unsigned n = mname_labels(zone->apex); n <= labels; n++) {
		const uint8_t *at = mname_suffix(name, n);

		if (!exists(zone, at))
			break;
		memcpy(out->name, at, mname_len(at));
		out->encloser_labels = n;
		if (model_is_cut(zone, at)) {
			out->kind = FOUND_CUT;
			return;
		}
		if (n < labels && model_first(zone, at, T_DNAME) != NULL) {
			out->kind = FOUND_DNAME;
			return;
		}
		if (n == labels) {
			out->kind = FOUND_NAME;
			return;
		}
	}
	// `name` does not exist and out->encloser_labels is its closest encloser.
	out->kind = FOUND_NOTHING;
	const uint8_t *encloser = mname_suffix(name, out->encloser_labels);
	if (mname_child((const uint8_t *)"*", 1, encloser, out->name) && exists(zone, out->name))
		out->kind = FOUND_WILDCARD;
}

// DS at the cut is data of this zone (RFC 4035 3.1.4.1), the rest of the cut is not.
static bool leads_away(
    const struct model_reply *a, const struct model_finding *finding, const uint8_t *name)
{
	return finding->kind == FOUND_CUT &&
	       !(a->q->type == T_DS && mname_equal(finding->name, name));
}

// Post: the name to go on with, or NULL.
static const uint8_t *answer_one_name(struct model_reply *a, const uint8_t *name)
{
	struct model_finding finding;

	model_find(a->zone, name, &finding);
	if (leads_away(a, &finding, name)) {
		answer_referral(a, finding.name);
		return NULL;
	}
	switch (finding.kind) {
	case FOUND_CUT:
	case FOUND_NAME:
	case FOUND_WILDCARD:
		a->name = name;
		return answer_at_name(a, &finding);
	case FOUND_DNAME:
		return answer_dname(a, finding.name);
	case FOUND_NOTHING:
		a->name = name;
		answer_negative(a, NXDOMAIN, &finding);
		return NULL;
	}
	return NULL;
}

// How many labels of the question name the others may point at; see dns_render.h.
static unsigned leaning_labels(const struct model_reply *a)
{
	const uint8_t *name = a->q->name;
	struct model_finding finding;

	model_find(a->zone, name, &finding);
	if (leads_away(a, &finding, name))
		return mname_labels(finding.name);
	if (finding.kind == FOUND_DNAME)
		return mname_labels(name);
	if (finding.kind == FOUND_NOTHING ||
	    (type_at(a, finding.name) == 0 && model_first(a->zone, finding.name, T_CNAME) == NULL))
		return mname_labels(a->zone->apex); // negative
	if (mname_is_wildcard(finding.name))
		return mname_labels(finding.name) - 1;
	return mname_labels(name);
}

static void answer_in_zone(struct model_reply *a)
{
	static uint8_t chain[HOPS_MAX + 1][MODEL_NAME_MAX];
	const uint8_t *name = a->q->name, *next;

	memcpy(chain[0], name, mname_len(name));
	for (a->hops = 0; (next = answer_one_name(a, chain[a->hops])) != NULL;) {
		bool again = false;

		for (unsigned i = 0; i <= a->hops; i++)
			again |= mname_equal(chain[i], next);
		if (again || a->hops == HOPS_MAX || !mname_under(next, a->zone->apex))
			break;
		a->hops++;
		memcpy(chain[a->hops], next, mname_len(next));
		a->owner = chain[a->hops];
	}
	if (!a->truncated)
		model_proofs_put(a); // what wildcards on the way owe
}

// --- the message
// ----------------------------------------------------------------------------------

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static size_t opt_write(uint8_t *out, unsigned size, unsigned rcode, unsigned version, bool dnssec)
{
	memset(out, 0, 11);
	put16(out + 1, T_OPT);
	put16(out + 3, size);
	out[5] = (uint8_t)(rcode >> 4);
	out[6] = (uint8_t)version;
	out[7] = dnssec ? 0x80 : 0;
	return 11;
}

// Header (counts zero) and question. Post: their length.
static size_t question_write(const struct model_question *q, uint8_t *out)
{
	size_t len = 12 + mname_len(q->name);

	memset(out, 0, 12);
	put16(out, q->id);
	out[5] = 1;
	memcpy(out + 12, q->name, mname_len(q->name));
	put16(out + len, q->type);
	put16(out + len + 2, q->rrclass);
	return len + 4;
}

size_t model_query_write(const struct model_question *q, uint8_t *out)
{
	size_t len = question_write(q, out);

	out[2] = q->rd;
	out[3] = q->cd ? 0x10 : 0;
	out[11] = q->edns;
	if (q->edns)
		len += opt_write(out + len, q->edns_size, 0, q->edns_version, q->dnssec_ok);
	return len;
}

// What is refused before any zone is looked at (RFC 6895 3.1, RFC 9824 3.5; ROBUSTNESS).
static unsigned judge(const struct mzone *zone, const struct model_question *q)
{
	const bool in_zone = mname_under(q->name, zone->apex);

	if (q->edns && q->edns_version != 0)
		return BADVERS;
	if (q->rrclass != 1)
		return REFUSED;
	switch (q->type) {
	case 0:
	case T_OPT:
	case T_NXNAME:
	case T_TKEY:
	case T_TSIG:
		return FORMERR;
	case T_MAILA:
	case T_MAILB:
		return NOTIMP;
	case T_AXFR: // tests/robustness/README.md: only where it could be answered (RFC 5936 4.2)
		if (!q->tcp)
			return REFUSED;
		return mname_equal(q->name, zone->apex) ? REFUSED : NOTAUTH;
	case T_IXFR:
		return mname_equal(q->name, zone->apex) ? REFUSED : NOTAUTH;
	default:
		return in_zone ? NOERROR : REFUSED;
	}
}

// What an error says more (RFC 8914 4); 0: nothing.
static unsigned explain(const struct model_question *q, unsigned rcode)
{
	const bool transfer = q->type == T_AXFR || q->type == T_IXFR;

	if (rcode == NOTIMP)
		return 21; // Not Supported
	if (rcode == NOTAUTH)
		return 20; // Not Authoritative
	if (rcode == REFUSED && q->rrclass == 1)
		return transfer ? 18 : 20; // Prohibited; not our zone
	return 0;
}

static size_t limit_of(const struct model_question *q)
{
	size_t limit = 512; // RFC 1035 4.2.1

	if (q->tcp)
		limit = MODEL_REPLY_MAX;
	else if (q->edns && q->edns_size > limit) // RFC 6891 6.2.3
		limit = q->edns_size < MODEL_UDP_MAX ? q->edns_size : MODEL_UDP_MAX;
	return limit < q->cap ? limit : q->cap;
}

// A zone is signed when its SOA is.
static bool zone_is_signed(const struct mzone *zone)
{
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (covers(r, T_SOA) && mname_equal(r->owner, zone->apex))
			return true;
	}
	return false;
}

size_t model_answer(
    const struct mzone *zone, const struct model_question *q, uint8_t out[MODEL_REPLY_MAX])
{
	static struct model_reply a;
	size_t len = question_write(q, out);

	memset(&a, 0, sizeof(a));
	a.zone = zone;
	a.q = q;
	a.rcode = judge(zone, q);
	if (a.rcode == NOERROR) {
		a.authoritative = true;
		a.dnssec = q->edns && q->dnssec_ok && zone_is_signed(zone);
		a.name = q->name;
		mwriter_start(&a.w, out, len, limit_of(q) - (q->edns ? 11 : 0), leaning_labels(&a));
		answer_in_zone(&a);
		len = a.w.at;
	}
	out[2] = (uint8_t)(0x80 | (a.authoritative ? 4 : 0) | (a.truncated ? 2 : 0) | q->rd);
	out[3] = a.rcode & 15; // CD is not copied, AD never set (RFC 4035 3.1.6)
	put16(out + 6, a.count[ANSWER]);
	put16(out + 8, a.count[AUTHORITY]);
	put16(out + 10, a.count[ADDITIONAL] + q->edns);
	if (!q->edns)
		return len;
	len += opt_write(out + len, MODEL_UDP_MAX, a.rcode, 0, q->dnssec_ok);
	const unsigned more = explain(q, a.rcode);
	if (more != 0) { // option 15 of two bytes
		put16(out + len - 2, 6);
		put16(out + len, 15);
		put16(out + len + 2, 2);
		put16(out + len + 4, more);
		len += 6;
	}
	return len;
}
