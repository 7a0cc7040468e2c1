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

static void closer_hash(
    const struct image_header *header, const uint8_t *name, unsigned len, uint8_t hash[20])
{
	nsec3_hash(
	    name, len, image_salt(header), header->nsec3_salt_len, header->nsec3_iterations, hash);
}

static inline const struct image_nsec3 *nsec3_items(const struct image *image)
{
	return image_at(image, image->header->section[IMAGE_NSEC3_ORDER].ref);
}

static inline struct node_ref nsec3_owner(const struct image *image, const struct image_nsec3 *item)
{
	return (struct node_ref){image, image_at(image, item->node_ref)};
}

static inline const struct image_node_denial *apex_denies(const struct image *image)
{
	return node_denies(image_at(image, image->header->apex_ref));
}

// RFC 5155 7.2.2: what stands at the apex, and what covers the next closer name and the wildcard.
// Pre: the apex says what there is.
static bool name_deny_nsec3(const struct image *image, const struct image_nsec3 *cover,
    const struct image_node_denial *apex, struct proofs *proofs)
{
	return (apex->at & DENIAL_COVER) == 0 &&
	       proofs_add(proofs, image_proof_at(image, true, apex->at)) &&
	       proofs_add(proofs, owner_proof(nsec3_owner(image, cover), RRTYPE_NSEC3)) &&
	       ((apex->wild & DENIAL_COVER) == 0 ||
	           proofs_add(proofs, image_proof_at(image, true, apex->wild & ~DENIAL_COVER)));
}

static inline bool apex_denies_names(const struct image_node_denial *apex)
{
	return apex != NULL && apex->at != 0 && apex->wild != 0;
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
	const struct plain_question *q = &asked->question;
	const struct image_node_denial *apex = apex_denies(image);
	const bool nsec3 = (image->flags & IMAGE_NSEC3) != 0;

	proofs->count = 0;
	if (asked->version->layer_count != 1)
		return false;
	if (choice->deny != DENY_NAME)
		return type_deny(asked, image, nsec3, apex, proofs);
	if (!ends_at_apex(asked) || !apex_denies_names(apex))
		return false;
	if (!nsec3)
		return name_deny_nsec(q, image, apex, proofs);

	const unsigned start = q->order[q->labels - asked->probed];
	uint8_t hash[SHA1_LEN];

	closer_hash(image->header, q->name + start, q->at + 1 - start, hash);
	return name_deny_nsec3(
	    image, &nsec3_items(image)[image_nsec3_rank(image, hash) - 1], apex, proofs);
}

// --- of those that wait
// ---------------------------------------------------------------------------

void plain_deny_hash(
    const struct image *image, const uint8_t *name, unsigned len, struct plain_denied *denied)
{
	closer_hash(image->header, name, len, denied->hash);
	denied->guess = (uint32_t)nsec3_place(
	    nsec3_hash_head(denied->hash), image->header->section[IMAGE_NSEC3_ORDER].count);
	__builtin_prefetch(&nsec3_items(image)[denied->guess]);
}

void plain_deny_guess(const struct image *image, struct plain_denied *denied)
{
	const struct image_nsec3 *items = nsec3_items(image);

	denied->guess = nsec3_guess_again(items, image->header->section[IMAGE_NSEC3_ORDER].count,
	    nsec3_hash_head(denied->hash), denied->guess);
	lines_prefetch((const uint8_t *)&items[denied->guess] - 128, 5);
}

const struct image_nsec3 *plain_deny_find(
    const struct image *image, const struct plain_denied *denied)
{
	const struct image_nsec3 *items = nsec3_items(image);
	const uint32_t count = image->header->section[IMAGE_NSEC3_ORDER].count;
	const uint32_t rank = nsec3_rank_around(items, count, denied->hash, denied->guess);

	// The chain is a ring.
	return &items[(rank > 0 ? rank : count) - 1];
}

const struct image_nsec3 *plain_deny_prepared(
    const struct image *image, const struct image_node *node)
{
	const struct image_node_denial *own = node_denies(node);

	if (own == NULL || own->at == 0)
		return NULL;

	const struct image_nsec3 *item = &nsec3_items(image)[(own->at & ~DENIAL_COVER) - 1];

	__builtin_prefetch(item);
	return item;
}

void plain_deny_fetch(const struct image *image, const struct image_nsec3 *item)
{
	lines_prefetch(image_at(image, item->node_ref), NODE_LINES);
}

bool plain_deny_covered(
    const struct image *image, const struct image_nsec3 *cover, struct proofs *proofs)
{
	const struct image_node_denial *apex = apex_denies(image);

	proofs->count = 0;
	return apex_denies_names(apex) && name_deny_nsec3(image, cover, apex, proofs);
}
