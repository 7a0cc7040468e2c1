// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Which NSEC or NSEC3 records prove what an answer denies. Bounds: a closest encloser search has
// one hash a label; a step adds at most three records.

#include "dns_denial.h"

#include "sha1.h"

static bool has_nsec3(const struct render *r)
{
	return version_header(r->version)->section[IMAGE_NSEC3_ORDER].count != 0;
}

static void proof_add(struct render *r, struct node_ref node)
{
	if (node.node == NULL || r->proof_count == RENDER_PROOFS_MAX)
		return;
	for (unsigned i = 0; i < r->proof_count; i++) {
		if (r->proof[i].node == node.node)
			return;
	}
	r->proof[r->proof_count++] = node;
}

// "*.<the suffix of r->name with n labels>" into out. Post: false when it is too long to exist.
static bool wildcard_of(const struct render *r, unsigned labels, uint8_t out[NAME_LEN_MAX])
{
	const unsigned start = r->name->start[labels], len = (unsigned)r->name->len - start;

	if (len + 2 > NAME_LEN_MAX)
		return false;
	out[0] = 1;
	out[1] = '*';
	memcpy(out + 2, r->name->lower + start, len);
	return true;
}

// --- NSEC
// -----------------------------------------------------------------------------------------

static void nsec_cover(struct render *r, const uint8_t *name)
{
	proof_add(r, version_nsec_covering(r->version, name));
}

static void nsec_at(struct render *r, struct node_ref node)
{
	if (node_rrset(node, RRTYPE_NSEC) != NULL)
		proof_add(r, node);
	else // an empty non-terminal: the NSEC before it says so
		nsec_cover(r, node.node->name);
}

// --- NSEC3
// ----------------------------------------------------------------------------------------

static struct node_ref nsec3_of(
    const struct render *r, const uint8_t *name, size_t len, bool *match)
{
	const struct image_header *header = version_header(r->version);
	uint8_t hash[SHA1_LEN];

	nsec3_hash(
	    name, len, header->nsec3_salt, header->nsec3_salt_len, header->nsec3_iterations, hash);
	return version_nsec3_find(r->version, hash, match);
}

static struct node_ref nsec3_suffix(const struct render *r, unsigned labels, bool *match)
{
	const unsigned start = r->name->start[labels];

	return nsec3_of(r, r->name->lower + start, (size_t)r->name->len - start, match);
}

// The closest ancestor with `labels` or fewer that has an NSEC3 of its own, and what covers the
// next closer name. Under opt-out an encloser may have none (RFC 5155 7.2.1). Post: its labels.
static unsigned nsec3_closest(struct render *r, unsigned labels)
{
	const unsigned apex = version_apex_labels(r->version);
	bool match = false;

	for (;; labels--) {
		const struct node_ref node = nsec3_suffix(r, labels, &match);
		if (match)
			proof_add(r, node);
		if (match || labels <= apex)
			break;
	}
	if (labels < r->name->labels)
		proof_add(r, nsec3_suffix(r, labels + 1, &match));
	return labels;
}

static void nsec3_wildcard(struct render *r, unsigned labels)
{
	uint8_t name[NAME_LEN_MAX];
	bool match;

	if (wildcard_of(r, labels, name))
		proof_add(r,
		    nsec3_of(r, name, (size_t)r->name->len - r->name->start[labels] + 2, &match));
}

static void nsec3_at_name(struct render *r)
{
	bool match;
	const struct node_ref node = nsec3_suffix(r, r->name->labels, &match);

	if (match)
		proof_add(r, node);
	else // not in the chain: opt-out (RFC 5155 7.2.4)
		nsec3_closest(r, r->name->labels - 1u);
}

// --- what an answer denies
// ------------------------------------------------------------------------

void denial_nxdomain(struct render *r, const struct lookup *lookup)
{
	uint8_t name[NAME_LEN_MAX];

	if (!r->do_sigs)
		return;
	if (has_nsec3(r)) {
		nsec3_wildcard(r, nsec3_closest(r, lookup->encloser_labels));
		return;
	}
	nsec_cover(r, r->name->lower);
	if (wildcard_of(r, lookup->encloser_labels, name))
		nsec_cover(r, name);
}

void denial_nodata(struct render *r, const struct lookup *lookup)
{
	const bool wild = lookup->kind == LOOKUP_WILDCARD;

	if (!r->do_sigs)
		return;
	if (has_nsec3(r)) {
		if (wild) {
			nsec3_closest(r, lookup->encloser_labels);
			nsec3_wildcard(r, lookup->encloser_labels);
		} else {
			nsec3_at_name(r);
		}
		return;
	}
	nsec_at(r, lookup->node);
	if (wild)
		nsec_cover(r, r->name->lower);
}

void denial_wildcard(struct render *r, const struct lookup *lookup)
{
	bool match;

	if (!r->do_sigs)
		return;
	if (has_nsec3(r))
		proof_add(r, nsec3_suffix(r, lookup->encloser_labels + 1u, &match));
	else
		nsec_cover(r, r->name->lower);
}

void denial_insecure(struct render *r, const struct lookup *lookup)
{
	bool match;

	if (!r->do_sigs)
		return;
	if (!has_nsec3(r)) {
		nsec_at(r, lookup->node);
		return;
	}
	const unsigned labels = lookup->node.node->labels;
	const struct node_ref node = nsec3_suffix(r, labels, &match);
	if (match) {
		proof_add(r, node);
		return;
	}
	// The cut is not in the chain (opt-out): its closest encloser that is, and what covers it.
	unsigned above = labels - 1u;
	for (; above > version_apex_labels(r->version); above--) {
		nsec3_suffix(r, above, &match);
		if (match)
			break;
	}
	proof_add(r, nsec3_suffix(r, above, &match));
	proof_add(r, nsec3_suffix(r, above + 1, &match));
}

bool denial_flush(struct render *r)
{
	const uint16_t type = has_nsec3(r) ? RRTYPE_NSEC3 : RRTYPE_NSEC;

	for (unsigned i = r->proof_written; i < r->proof_count; i++) {
		const struct node_ref node = r->proof[i];
		const struct image_rrset *rrset = node_rrset(node, type);
		// Its own TTL: RFC 9077 lowers it where the zone is signed, and the peers send it
		// as it is.
		if (rrset == NULL)
			continue;
		if (!render_rrset(
		        r, SECTION_AUTHORITY, node_owner(node), node.image, rrset, rrset->ttl))
			return false;
	}
	r->proof_written = r->proof_count;
	return true;
}
