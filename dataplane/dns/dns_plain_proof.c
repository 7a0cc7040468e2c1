// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain_proof.h. The order of the proofs is that of dns_denial.c.
#include "dns_plain_proof.h"

#include "order_key.h"
#include "sha1.h"

#define PROOF_LINES 4 // of an NSEC and one signature
#define NODE_LINES  5 // of a node with an NSEC3 and one signature

static inline void lines_prefetch(const void *at, unsigned lines)
{
	for (unsigned i = 0; i < lines; i++) // at most 5
		__builtin_prefetch((const uint8_t *)at + (size_t)64 * i);
}

// Is it a name whose closest encloser is the apex?
static inline bool ends_at_apex(const struct plain_asked *asked)
{
	return asked->probed == asked->version->apex_labels + 1u;
}

// RFC 4035 3.1.3.2: what covers the name, and what covers the wildcard.
static bool name_deny_nsec(const struct plain_question *q, const struct image *image,
    const struct image_node_denial *apex, struct proofs *proofs)
{
	const struct image_header *header = image->header;
	const unsigned apex_labels = header->apex_labels;
	const struct image_nsec *items = image_at(image, header->section[IMAGE_NSEC_ORDER].ref);
	const uint64_t key =
	    name_order_key_labels(q->name, q->order, q->labels - apex_labels, apex_labels);
	const uint32_t rank = image_nsec_rank(image, items, q->name, key);

	if (rank == 0)
		return false;

	const struct image_proof *cover = image_proof_at(image, false, rank);

	lines_prefetch(cover, PROOF_LINES);
	return proofs_add(proofs, cover) &&
	       proofs_add(proofs, image_proof_at(image, false, apex->wild & ~DENIAL_COVER));
}

// The hash of the next closer name, which is directly below the apex.
static inline void closer_hash(
    const struct plain_question *q, const struct image_header *header, uint8_t hash[20])
{
	const unsigned start = q->order[q->labels - (header->apex_labels + 1u)];

	nsec3_hash(q->name + start, q->at + 1 - start, image_salt(header), header->nsec3_salt_len,
	    header->nsec3_iterations, hash);
}

// RFC 5155 7.2.2: what stands at the apex, and what covers the next closer name and the wildcard.
static bool name_deny_nsec3(const struct plain_asked *asked, const struct image *image,
    const struct image_node_denial *apex, struct proofs *proofs)
{
	uint8_t hash[SHA1_LEN];

	if ((apex->at & DENIAL_COVER) != 0)
		return false;
	closer_hash(&asked->question, image->header, hash);
	return proofs_add(proofs, image_proof_at(image, true, apex->at)) &&
	       proofs_add(proofs, image_proof_at(image, true, image_nsec3_rank(image, hash))) &&
	       ((apex->wild & DENIAL_COVER) == 0 ||
	           proofs_add(proofs, image_proof_at(image, true, apex->wild & ~DENIAL_COVER)));
}

// What stands at the node says which types there are; or, where opt-out has left out a cut, what
// covers it, and what stands at the apex above it (RFC 5155 7.2.7).
static bool type_deny(const struct plain_asked *asked, const struct image *image, bool nsec3,
    const struct image_node_denial *apex, struct proofs *proofs)
{
	const struct image_node_denial *own = node_denies(asked->node);

	if (own == NULL || own->at == 0)
		return false;
	if (nsec3 && (own->at & DENIAL_COVER) != 0) {
		if (!ends_at_apex(asked) || apex == NULL || apex->at == 0 ||
		    (apex->at & DENIAL_COVER) != 0 ||
		    !proofs_add(proofs, image_proof_at(image, true, apex->at)))
			return false;
	}
	return proofs_add(proofs, image_proof_at(image, nsec3, own->at & ~DENIAL_COVER));
}

bool plain_proofs(
    const struct plain_asked *asked, const struct choice *choice, struct proofs *proofs)
{
	const struct image *image = &asked->version->layer[0];
	const struct image_node_denial *apex =
	    node_denies(image_at(image, image->header->apex_ref));
	const bool nsec3 = (image->flags & IMAGE_NSEC3) != 0;

	proofs->count = 0;
	if (asked->version->layer_count != 1)
		return false;
	if (choice->deny != DENY_NAME)
		return type_deny(asked, image, nsec3, apex, proofs);
	if (!ends_at_apex(asked) || apex == NULL || apex->at == 0 || apex->wild == 0)
		return false;
	return nsec3 ? name_deny_nsec3(asked, image, apex, proofs)
	             : name_deny_nsec(&asked->question, image, apex, proofs);
}
