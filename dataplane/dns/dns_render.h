// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The general renderer: any answer, written record by record. It makes the same bytes as a compiled
// answer where both apply (a test holds them against each other), so the order of sections, records
// and names below is a contract with zones/compile.c:
//
//   positive   the RRset in stored order, owner c00c; additional: addresses of its targets,
//              and behind those of an SVCB or HTTPS alias the RRset it leads to, followed in turn
//   ANY, RRSIG as positive: one RRset, or the signatures of one, of the lowest type there is;
//              for ANY a denial only where there is nothing else (RFC 8482 4.1)
//   referral   the NS RRset in authority, owner the cut; additional: in-domain glue, sibling glue
//   negative   the SOA in authority, owner the apex, TTL as RFC 2308 5
//   with DO    RRSIGs behind each RRset that has them; DS in a referral; proofs of denial at the
//   end
//              of authority (dns_denial.h)
//
// Addresses stand in the order of their first mention, A before AAAA, each name once, its owner
// written as the name in the rdata that leads to it. Names lean on the question (writer.h) from:
// the whole name (positive), the wildcard's parent (positive from a wildcard, also when it is asked
// for by its own name), the cut (referral), the apex (negative).
#pragma once

#include "writer.h"

#include "dns_denial.h"
#include "dns_internal.h"

// Names followed by CNAME and DNAME before we stop; the answer until then is sent.
#define RENDER_HOPS_MAX 16
// Distinct names whose addresses are added.
#define RENDER_TARGETS_MAX 256

enum section {
	SECTION_ANSWER,
	SECTION_AUTHORITY,
	SECTION_ADDITIONAL,
	SECTION_COUNT,
};

struct render {
	const struct dns_context *context;
	struct dns_query *query;
	const struct zone_version *version;
	unsigned flags; // HEADER_AA, HEADER_TC
	enum dns_outcome outcome;
	uint16_t count[SECTION_COUNT];
	bool do_sigs; // DO is set and the zone is signed
	struct writer w;

	// The chain. Until a CNAME or DNAME was followed `name` is the question's and owner NULL.
	struct qname *name;
	const uint8_t *owner;
	unsigned hops;
	uint64_t seen[RENDER_HOPS_MAX];                       // hashes of the names before this one
	const struct image_node *dname_seen[RENDER_HOPS_MAX]; // DNAMEs in the answer already
	unsigned dname_count;
	uint8_t owner_bytes[NAME_LEN_MAX + 1];
	struct qname chain_name;

	struct denial denial;

	// Additional section.
	const struct image_node *target_seen[RENDER_TARGETS_MAX];
	unsigned target_count;
	struct qname target;
};

// Writes the reply. Pre: dns_lookup() gave `lookup`, with its encloser.
void dns_render_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup);

// dns_section.c: one RRset with its signatures (when r->do_sigs), whole or not at all. `owner`
// NULL: the question name. Post: false when it does not fit; nothing was written.
bool render_rrset(struct render *r, enum section section, const uint8_t *owner,
    struct node_ref node, const struct image_rrset *rrset, uint32_t ttl);

// dns_additional.c: addresses of the names in the rdata of an answer's RRset; what does not fit is
// left out.
void render_additional(struct render *r, struct node_ref node, const struct image_rrset *rrset);
// Glue for a referral: TC when glue inside the delegated zone does not fit (RFC 9471 3.1).
void render_glue(struct render *r, struct node_ref cut, const struct image_rrset *ns);
