// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_denial.h. What the compiler has prepared for existing names (node_denial()) leaves one
// thing to do while a question waits: to find what covers a name that does not exist. Bounds: a
// search for a closest encloser has one step a label; an answer's step adds at most three records.
#include "dns_denial.h"

#include "order_key.h"
#include "sha1.h"

static void proof_add(struct denial *denial, struct node_ref owner)
{
	if (owner.node == NULL || denial->count == DENIAL_MAX)
		return;
	for (unsigned i = 0; i < denial->count; i++) {
		if (denial->node[i].node == owner.node)
			return;
	}
	denial->node[denial->count++] = owner;
}

static void name_hash_nsec3(
    const struct image_header *header, const uint8_t *name, size_t len, uint8_t hash[SHA1_LEN])
{
	nsec3_hash(
	    name, len, image_salt(header), header->nsec3_salt_len, header->nsec3_iterations, hash);
}

// What stands at or covers a name that no node says it of. Pre: lower case.
static struct node_ref name_search(
    struct denial *denial, const uint8_t *name, size_t len, bool *match)
{
	const struct image_header *header = version_header(denial->version);
	uint8_t hash[SHA1_LEN];

	if (!version_has_nsec3(denial->version))
		return version_nsec_find(denial->version, name, match);
	denial->hashes++;
	name_hash_nsec3(header, name, len, hash);
	return version_nsec3_find(denial->version, hash, match);
}

// The same for the suffix of `name` with `labels` labels; `node` is its node, or none.
static struct node_ref suffix_search(struct denial *denial, const struct qname *name,
    unsigned labels, struct node_ref node, bool *match)
{
	const unsigned start = name->start[labels];

	if (node.node != NULL) {
		const struct node_ref owner = node_denial(denial->version, node, false, match);
		if (owner.node != NULL)
			return owner;
	}
	return name_search(denial, name->lower + start, (size_t)name->len - start, match);
}

// There is no "*.<the suffix with `labels` labels>", whose node is `node`. Where opt-out pushes the
// proof up to an encloser that has a wildcard, nothing covers that (RFC 5155 7.2.2), and what
// stands at it would prove nothing.
static void wildcard_deny(
    struct denial *denial, const struct qname *name, unsigned labels, struct node_ref node)
{
	const unsigned start = name->start[labels], len = (unsigned)name->len - start;
	uint8_t wild[NAME_LEN_MAX + ORDER_KEY_SLACK];
	bool match;

	if (node.node != NULL) {
		const struct node_ref owner = node_denial(denial->version, node, true, &match);
		if (owner.node != NULL) {
			if (!match)
				proof_add(denial, owner);
			return;
		}
	}
	if (len + 2 > NAME_LEN_MAX)
		return; // too long to exist
	wild[0] = 1;
	wild[1] = '*';
	memcpy(wild + 2, name->lower + start, len);
	const struct node_ref owner = name_search(denial, wild, len + 2, &match);
	if (!match)
		proof_add(denial, owner);
}

static bool is_opt_out(struct node_ref owner)
{
	const struct image_rrset *nsec3 = node_rrset(owner, RRTYPE_NSEC3);
	uint16_t len;

	if (nsec3 == NULL || nsec3->rr_count == 0)
		return false;
	struct rdata_iter iter = rrset_rdata(owner, nsec3);
	return (rdata_next(&iter, &len)[1] & 1) != 0;
}

// An encloser, its labels and node.
struct encloser {
	unsigned labels;
	struct node_ref node;
};

// NSEC3: the closest encloser at `from` or above that a record stands at, and what covers the next
// closer name. Under opt-out an encloser may have no record of its own (RFC 5155 7.2.1); a chain
// that has a hole without opt-out is broken, and a proof from further up would deny what exists.
// What an overlay holds was not prepared, so there a step up may cost a hash: names of a hundred
// labels under the most iterations allowed must not be milliseconds of work for each question.
#define CLIMB_ROUNDS_MAX 256 // of SHA-1; with the iterations of RFC 9276 3.1 (none), any name's
static struct encloser closest_prove(
    struct denial *denial, const struct qname *name, struct encloser from)
{
	const unsigned apex = version_apex_labels(denial->version);
	const unsigned rounds = version_header(denial->version)->nsec3_iterations + 1u;
	const unsigned hashes_max = denial->hashes + CLIMB_ROUNDS_MAX / rounds;
	struct node_ref below = {0};
	bool match;
	struct node_ref owner = suffix_search(denial, name, from.labels, from.node, &match);

	while (!match && from.labels > apex && is_opt_out(owner) && denial->hashes < hashes_max) {
		below = from.node;
		from.labels--;
		from.node = version_find(denial->version, name, from.labels);
		owner = suffix_search(denial, name, from.labels, from.node, &match);
	}
	if (match)
		proof_add(denial, owner);
	if (from.labels < name->labels)
		proof_add(denial, suffix_search(denial, name, from.labels + 1, below, &match));
	return from;
}

static struct encloser lookup_encloser(const struct lookup *lookup)
{
	return (struct encloser){lookup->encloser_labels, lookup->encloser};
}

// NSEC3: nothing of the kind at a name that exists; opt-out may leave it out of the chain (RFC 5155
// 7.2.4, 7.2.7).
static void node_prove(
    struct denial *denial, const struct qname *name, unsigned labels, struct node_ref node)
{
	bool match;
	const struct node_ref owner = suffix_search(denial, name, labels, node, &match);

	if (match) {
		proof_add(denial, owner);
	} else if (labels > version_apex_labels(denial->version)) {
		struct encloser above = {
		    labels - 1, version_find(denial->version, name, labels - 1)};
		closest_prove(denial, name, above);
	}
}

void denial_nxdomain(struct denial *denial, const struct qname *name, const struct lookup *lookup)
{
	struct encloser encloser = lookup_encloser(lookup);
	bool match;

	if (version_has_nsec3(denial->version))
		encloser = closest_prove(denial, name, encloser);
	else
		proof_add(denial, name_search(denial, name->lower, name->len, &match));
	wildcard_deny(denial, name, encloser.labels, encloser.node);
}

void denial_nodata(struct denial *denial, const struct qname *name, const struct lookup *lookup)
{
	const bool wild = lookup->kind == LOOKUP_WILDCARD;
	bool match;

	if (version_has_nsec3(denial->version)) {
		if (!wild) {
			node_prove(denial, name, name->labels, lookup->node);
			return;
		}
		closest_prove(denial, name, lookup_encloser(lookup));
	}
	// The wildcard's own name is no suffix of the question.
	struct node_ref owner = node_denial(denial->version, lookup->node, false, &match);
	if (owner.node == NULL)
		owner = name_search(
		    denial, lookup->node.node->name, lookup->node.node->name_len, &match);
	// What covers a wildcard that opt-out left out denies what exists (RFC 5155 7.2.5:
	// matches).
	if (match || !version_has_nsec3(denial->version))
		proof_add(denial, owner);
	if (wild && !version_has_nsec3(denial->version))
		proof_add(denial, name_search(denial, name->lower, name->len, &match));
}

void denial_wildcard(struct denial *denial, const struct qname *name, const struct lookup *lookup)
{
	static const struct node_ref none;
	const unsigned labels =
	    version_has_nsec3(denial->version) ? lookup->encloser_labels + 1u : name->labels;
	bool match;

	proof_add(denial, suffix_search(denial, name, labels, none, &match));
}

void denial_insecure(struct denial *denial, const struct qname *name, const struct lookup *lookup)
{
	const struct node_ref cut = lookup->node;
	bool match;

	if (version_has_nsec3(denial->version))
		node_prove(denial, name, cut.node->labels, cut);
	else
		proof_add(denial, suffix_search(denial, name, cut.node->labels, cut, &match));
}
