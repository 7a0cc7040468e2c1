// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which records prove that something does not exist: RFC 4035 3.1.3 (NSEC), RFC 5155 7.2 (NSEC3).
#include <string.h>

#include "model_internal.h"

static void prove(struct model_reply *a, const struct mrecord *record)
{
	if (record == NULL || a->proof_count == MODEL_PROOFS_MAX)
		return;
	for (unsigned i = 0; i < a->proof_count; i++) {
		if (a->proof[i] == record)
			return;
	}
	a->proof[a->proof_count++] = record;
}

// The owner of a proof leans on the apex in the question alone, those of its signatures on it, and
// no other name on them (dns_denial.h): a writer of its own for each.
void model_proofs_put(struct model_reply *a)
{
	for (; a->proof_written < a->proof_count && !a->truncated; a->proof_written++) {
		const struct mrecord *r = a->proof[a->proof_written];
		static struct mwriter w;

		mwriter_start(
		    &w, a->w.msg, a->w.question_end, a->w.cap, mname_labels(a->zone->apex));
		w.at = a->w.at;
		if (!model_put_by(a, &w, AUTHORITY, model_owner(a->zone, r->owner), r->owner,
		        r->type, r->ttl))
			a->truncated = true;
		a->w.at = w.at;
	}
}

static bool wildcard_at(const uint8_t *encloser, uint8_t *out)
{
	return mname_child((const uint8_t *)"*", 1, encloser, out);
}

// --- NSEC
// -----------------------------------------------------------------------------------------

// The NSEC in whose gap `name` lies; the last one's reaches back to the apex.
static const struct mrecord *nsec_covering(const struct mzone *zone, const uint8_t *name)
{
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (r->type == T_NSEC && mname_order(r->owner, name) < 0 &&
		    (mname_order(name, r->rdata) < 0 || mname_equal(r->rdata, zone->apex)))
			return r;
	}
	return NULL;
}

// The NSEC of `name`; an empty non-terminal has none and lies in the gap of another.
static const struct mrecord *nsec_for_type(const struct mzone *zone, const uint8_t *name)
{
	const struct mrecord *own = model_first(zone, name, T_NSEC);

	return own != NULL ? own : nsec_covering(zone, name);
}

// --- NSEC3
// ----------------------------------------------------------------------------------------

static bool uses_nsec3(const struct mzone *zone)
{
	return model_first(zone, zone->apex, T_NSEC3PARAM) != NULL;
}

static void hash_text(const struct mzone *zone, const uint8_t *name, uint8_t text[32])
{
	const uint8_t *param = model_first(zone, zone->apex, T_NSEC3PARAM)->rdata;
	uint8_t hash[20];

	mname_nsec3(name, param + 5, param[4], (unsigned)(param[2] << 8 | param[3]), hash);
	mname_base32(hash, text);
}

// Base32hex keeps the order of what it encodes (RFC 4648 7), so hashes compare as text.
static void owner_text(const struct mrecord *nsec3, uint8_t text[32])
{
	uint8_t lower[MODEL_NAME_MAX];

	mname_lower(nsec3->owner, lower);
	memcpy(text, lower + 1, 32);
}

static const struct mrecord *nsec3_matching(const struct mzone *zone, const uint8_t *name)
{
	uint8_t hash[32], owner[32];

	hash_text(zone, name, hash);
	for (size_t i = 0; i < zone->count; i++) {
		if (zone->records[i].type != T_NSEC3)
			continue;
		owner_text(&zone->records[i], owner);
		if (memcmp(owner, hash, 32) == 0)
			return &zone->records[i];
	}
	return NULL;
}

static const struct mrecord *nsec3_covering(const struct mzone *zone, const uint8_t *name)
{
	uint8_t hash[32], owner[32], next[32];

	hash_text(zone, name, hash);
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (r->type != T_NSEC3)
			continue;
		owner_text(r, owner);
		mname_base32(r->rdata + 5 + r->rdata[4] + 1, next);
		const bool last = memcmp(owner, next, 32) >= 0; // the ring closes here
		const bool after = memcmp(owner, hash, 32) < 0, before = memcmp(hash, next, 32) < 0;
		if (last ? after || before : after && before)
			return r;
	}
	return NULL;
}

// RFC 5155 7.2.1: the longest ancestor of `name` that the chain knows, and that nothing it knows
// lies between. Post: the labels of that closest (provable) encloser.
static unsigned prove_encloser(struct model_reply *a, const uint8_t *name)
{
	for (unsigned n = mname_labels(name); n-- > mname_labels(a->zone->apex);) {
		const struct mrecord *match = nsec3_matching(a->zone, mname_suffix(name, n));
		if (match == NULL)
			continue;
		prove(a, match);
		prove(a, nsec3_covering(a->zone, mname_suffix(name, n + 1)));
		return n;
	}
	return mname_labels(a->zone->apex);
}

// --- what is denied
// -------------------------------------------------------------------------------

// RFC 4035 3.1.3.2; RFC 5155 7.2.2: neither the name nor a wildcard that would stand for it.
void model_deny_name(struct model_reply *a, const struct model_finding *finding)
{
	uint8_t wildcard[MODEL_NAME_MAX];

	if (!a->dnssec)
		return;
	if (uses_nsec3(a->zone)) {
		const unsigned n = prove_encloser(a, a->name);
		if (wildcard_at(mname_suffix(a->name, n), wildcard))
			prove(a, nsec3_covering(a->zone, wildcard));
		return;
	}
	prove(a, nsec_covering(a->zone, a->name));
	if (wildcard_at(mname_suffix(a->name, finding->encloser_labels), wildcard))
		prove(a, nsec_covering(a->zone, wildcard));
}

// RFC 4035 3.1.3.1, 3.1.3.4; RFC 5155 7.2.3 to 7.2.5.
void model_deny_type(struct model_reply *a, const struct model_finding *finding)
{
	const bool wild = finding->kind == FOUND_WILDCARD;

	if (!a->dnssec)
		return;
	if (!uses_nsec3(a->zone)) {
		prove(a, nsec_for_type(a->zone, finding->name));
		if (wild)
			prove(a, nsec_covering(a->zone, a->name));
		return;
	}
	const struct mrecord *own = nsec3_matching(a->zone, finding->name);
	if (wild || own == NULL) // under opt-out the name may be missing in the chain
		prove_encloser(a, a->name);
	prove(a, own);
}

// RFC 4035 3.1.3.3; RFC 5155 7.2.6: there was no closer match than the wildcard.
void model_deny_closer(struct model_reply *a, const struct model_finding *finding)
{
	if (!a->dnssec)
		return;
	if (uses_nsec3(a->zone))
		prove(a,
		    nsec3_covering(a->zone, mname_suffix(a->name, finding->encloser_labels + 1)));
	else
		prove(a, nsec_covering(a->zone, a->name));
}

// RFC 4035 3.1.4; RFC 5155 7.2.7: the delegation is insecure.
void model_deny_ds(struct model_reply *a, const uint8_t *cut)
{
	if (!a->dnssec)
		return;
	if (!uses_nsec3(a->zone)) {
		prove(a, nsec_for_type(a->zone, cut));
		return;
	}
	const struct mrecord *own = nsec3_matching(a->zone, cut);
	if (own != NULL)
		prove(a, own);
	else
		prove_encloser(a, cut);
}
