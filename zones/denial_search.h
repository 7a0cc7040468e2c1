// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Searches in the orders of one image's chain, and what is compiled of its records. Inline: every
// answer that denies a name comes by. Pure.
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "reader.h"

// --- NSEC
// -----------------------------------------------------------------------------------------

static inline bool nsec_key_counts(const struct image_nsec *item, uint64_t key, bool most)
{
	return most ? item->key <= key : item->key < key;
}

// The number of items whose key is below `key`, or, with `most`, the same or below.
static inline uint32_t nsec_key_rank(
    const struct image_nsec *items, uint32_t count, uint64_t key, bool most)
{
	const struct image_nsec *base = items;
	uint32_t left = count;

	// What is looked for is at base or up to `left` items behind it. No branch that could be
	// guessed wrong.
	while (left > 1) { // at most 32 times
		const uint32_t half = left / 2;

		base = nsec_key_counts(&base[half - 1], key, most) ? base + half : base;
		left -= half;
	}
	return (uint32_t)(base - items) + (left == 1 && nsec_key_counts(base, key, most));
}

// Of `rank` items below the key, and others that may share it: those at or before `name`.
uint32_t image_nsec_rank_among(const struct image *image, const struct image_nsec *items,
    uint32_t rank, const uint8_t *name, uint64_t key);

// The number of NSEC owners of `image` at or before `name`, whose key is `key`: by key alone, and
// by name among those that share it, if any.
static inline uint32_t image_nsec_rank(
    const struct image *image, const struct image_nsec *items, const uint8_t *name, uint64_t key)
{
	const uint32_t count = image->header->section[IMAGE_NSEC_ORDER].count;
	const uint32_t rank = nsec_key_rank(items, count, key, false);

	return rank == count || items[rank].key != key
	           ? rank
	           : image_nsec_rank_among(image, items, rank, name, key);
}

// --- NSEC3
// ----------------------------------------------------------------------------------------

static inline uint64_t nsec3_hash_head(const uint8_t *hash)
{
	uint64_t head;

	memcpy(&head, hash, 8);
	return be64toh(head);
}

// Where among `count` a hash would be that is followed by such bytes.
static inline uint64_t nsec3_place(uint64_t head, uint32_t count)
{
	return (uint64_t)((__uint128_t)head * count >> 64);
}

// The number of items whose hash is at or before `hash`. Hashes are spread evenly, so a guess by
// their value comes close, and the next one from there closer; where they are not, what is left is
// halved.
#define NSEC3_GUESSES_MAX 16
static inline uint32_t nsec3_rank(
    const struct image_nsec3 *items, uint32_t count, const uint8_t hash[20])
{
	const uint64_t head = nsec3_hash_head(hash);
	uint32_t low = 0, high = count;
	uint64_t guess = nsec3_place(head, count);

	for (unsigned step = 0; low < high; step++) { // at most NSEC3_GUESSES_MAX + 32 times
		uint64_t at = guess < high ? guess : high - 1;
		at = at > low ? at : low;
		if (step >= NSEC3_GUESSES_MAX)
			at = low + (high - low) / 2;

		const uint64_t seen = nsec3_hash_head(items[at].hash);
		const bool before =
		    seen < head || (seen == head && memcmp(items[at].hash, hash, 20) <= 0);

		if (before) {
			low = (uint32_t)at + 1;
			guess = at + nsec3_place(head - seen, count);
		} else {
			high = (uint32_t)at;
			const uint64_t back = nsec3_place(seen - head, count);
			guess = at > back ? at - back : 0;
		}
	}
	return low;
}

// A guess that is closer, by how far off the first one is. Pre: guess < count.
static inline uint32_t nsec3_guess_again(
    const struct image_nsec3 *items, uint32_t count, uint64_t head, uint32_t guess)
{
	const uint64_t seen = nsec3_hash_head(items[guess].hash);
	const uint64_t off = nsec3_place(seen < head ? head - seen : seen - head, count);
	const uint64_t at = seen < head ? guess + off : guess > off ? guess - off : 0;

	return at < count ? (uint32_t)at : count - 1;
}

// As nsec3_rank(), most often without a branch that could be guessed wrong: among the items around
// `guess` first.
#define NSEC3_AROUND 32
static inline uint32_t nsec3_rank_around(
    const struct image_nsec3 *items, uint32_t count, const uint8_t hash[20], uint32_t guess)
{
	const uint64_t head = nsec3_hash_head(hash);
	const uint32_t low = guess > NSEC3_AROUND / 2 ? guess - NSEC3_AROUND / 2 : 0;
	uint32_t left = count - low < NSEC3_AROUND ? count - low : NSEC3_AROUND;
	const struct image_nsec3 *base = items + low;

	while (left > 1) { // at most 5 times
		const uint32_t half = left / 2;

		base = nsec3_hash_head(base[half - 1].hash) < head ? base + half : base;
		left -= half;
	}

	const uint32_t rank =
	    (uint32_t)(base - items) + (left == 1 && nsec3_hash_head(base->hash) < head);

	// Which may be one end of those, or a hash that begins in the same way.
	return (rank > 0 && nsec3_hash_head(items[rank - 1].hash) >= head) ||
	               (rank < count && nsec3_hash_head(items[rank].hash) <= head)
	           ? nsec3_rank(items, count, hash)
	           : rank;
}

// The same of an image, 1 or more: the chain is a ring, and what is before the first is covered by
// the last. Pre: it has one.
static inline uint32_t image_nsec3_rank(const struct image *image, const uint8_t hash[20])
{
	const struct image_section *section = &image->header->section[IMAGE_NSEC3_ORDER];
	const uint32_t rank = nsec3_rank(image_at(image, section->ref), section->count, hash);

	return rank > 0 ? rank : section->count;
}

// --- compiled proofs
// ------------------------------------------------------------------------------

// Of what an answer denies.
#define PROOFS_MAX 3
struct proofs {
	unsigned count;
	const struct image_proof *proof[PROOFS_MAX]; // each once
};

// Of the NSEC or NSEC3 at `owner`; NULL: it is to be rendered.
static inline const struct image_proof *owner_proof(struct node_ref owner, uint16_t type)
{
	// Most owners of an NSEC3 own nothing else.
	const struct image_rrset *rrset =
	    owner.node->types == type_bit(type) ? node_rrset_at(owner, 0) : node_rrset(owner, type);

	return rrset == NULL || rrset_signed(rrset)->answer_do_at == 0
	           ? NULL
	           : node_at(owner.node, rrset_signed(rrset)->answer_do_at);
}

// Of the chain's record with that rank, from 1 on.
static inline const struct image_proof *image_proof_at(
    const struct image *image, bool nsec3, uint32_t rank)
{
	if (nsec3) {
		const struct image_nsec3 *items =
		    image_at(image, image->header->section[IMAGE_NSEC3_ORDER].ref);
		const struct node_ref owner = {image, image_at(image, items[rank - 1].node_ref)};

		return owner_proof(owner, RRTYPE_NSEC3);
	}
	const struct image_nsec *items =
	    image_at(image, image->header->section[IMAGE_NSEC_ORDER].ref);
	const uint32_t ref = items[rank - 1].proof_ref;

	return ref == 0 ? NULL : image_at(image, ref);
}

// Post: false when it is to be rendered.
static inline bool proofs_add(struct proofs *proofs, const struct image_proof *proof)
{
	for (unsigned i = 0; i < proofs->count; i++) { // at most PROOFS_MAX
		if (proofs->proof[i] == proof)
			return true;
	}
	if (proof == NULL || proofs->count == PROOFS_MAX)
		return false;
	proofs->proof[proofs->count++] = proof;
	return true;
}
