// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the compiler's parts share. Used by compile*.c only, on the one thread that compiles.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "compile.h"
#include "format.h"

// One name of the zone, in canonical order; empty non-terminals included.
struct unit {
	const uint8_t *owner; // as written; for an empty non-terminal the end of a longer owner
	uint32_t first;       // index of its first record
	uint32_t count;       // records; 0: empty non-terminal
	uint32_t node_ref;
	uint8_t flags; // NODE_*
	uint8_t labels;
	uint8_t len;
	uint8_t role; // UNIT_*
	uint16_t rrset_count;
};
static_assert(sizeof(struct unit) == 32, "one for each name: most of a compiler's memory");

// What denies a name: image_node_denial's.
struct unit_denial {
	uint32_t at, wild;
};

// unit.role
#define UNIT_HIDDEN 0x01u // owns only an NSEC3: not in the index (RFC 5155 7.2.8)
#define UNIT_GUEST  0x02u // overlay: known from below, not held
#define UNIT_GONE   0x04u // overlay: a tombstone; these stand behind all others

// An owner of an NSEC, or of an NSEC3 of the zone's chain.
struct link {
	uint8_t hash[20]; // NSEC3 only
	uint32_t unit;
};

struct compilation {
	const struct records *records;
	const struct compile_options *options;
	const struct compile_overlay *overlay; // NULL: a base
	struct image_buffer *buffer;
	char *error;
	struct unit *units;          // owned
	uint64_t *hashes;            // owned: of each unit's name, until all are in the index
	size_t unit_cap;             // of both
	struct unit_denial *denials; // owned: one for each unit; NULL: nothing is denied here
	uint32_t unit_count;
	uint32_t gone_count; // units behind them, in canonical order too
	uint32_t held;       // of both, what the image holds
	uint32_t indexed;    // units that go into the name index
	uint32_t flags;      // IMAGE_*
	uint32_t bucket_count;
	struct image_bucket *buckets; // in the image; refs are unit numbers + 1 until the end
	uint32_t probe_max;
	uint32_t negative_ttl;
	struct link *chain; // owned: who owns the NSEC or NSEC3 records, in their order
	uint32_t chain_count;
	bool chain_nsec3;
	struct link *lost; // owned; overlay: held names that could be in an NSEC3 chain and are not
	uint32_t lost_count;
};

// The units an image holds, in canonical order.
struct unit_walk {
	uint32_t unit, gone;
};

static inline struct unit_denial unit_denial(const struct compilation *c, const struct unit *unit)
{
	return c->denials != NULL ? c->denials[unit - c->units] : (struct unit_denial){0};
}

// The records of one RRset and of its signatures, as compile_rrsets() finds them.
struct rrset_span {
	const struct record *rrs;  // NULL: only signatures
	const struct record *sigs; // sig_count of them, in stored order
	uint32_t rr_count;
	uint16_t type;
	uint16_t sig_count;
};

struct rrset_walk {
	const struct compilation *compilation;
	const struct unit *unit;
	const struct record *next, *end;      // records that are not RRSIG
	const struct record *sigs, *sigs_end; // those still to come, by the type they cover
};

static inline uint32_t compile_ref(const struct compilation *c, const void *at)
{
	return (uint32_t)(((const uint8_t *)at - c->buffer->mem) >> 3);
}

// --- compile_names.c
int compile_names(struct compilation *c) __attribute__((warn_unused_result));
// Post: NULL at the end. Start with zeros.
struct unit *unit_walk_layers(struct unit_walk *walk, const struct compilation *c);
static inline struct unit *unit_walk_next(struct unit_walk *walk, const struct compilation *c)
{
	if (c->overlay != NULL)
		return unit_walk_layers(walk, c);
	return walk->unit < c->unit_count ? &c->units[walk->unit++] : NULL;
}

// Walks the RRsets of a unit by ascending type; a type that has only RRSIGs is one too.
void rrset_walk_start(
    struct rrset_walk *walk, const struct compilation *c, const struct unit *unit);
bool rrset_walk_next(struct rrset_walk *walk, struct rrset_span *span);
// The RRset of one type, in a number of steps that grows with the logarithm of the unit's records;
// false when there is none (only signatures count as none).
bool unit_rrset(
    const struct compilation *c, const struct unit *unit, uint16_t type, struct rrset_span *span);

// --- compile_index.c
int compile_index(struct compilation *c) __attribute__((warn_unused_result));
uint32_t compile_bucket_count(uint32_t names);
void compile_index_finish(struct compilation *c); // unit numbers become node references
// The unit of a name (any case), or NULL.
const struct unit *compile_find(const struct compilation *c, const uint8_t *name);

// --- compile_answers.c
// Each appends an answer to the image and tells where it is, in `node` or as a reference; 0: not
// compiled (too large, too far, or better rendered). Post: 0 or -ENOMEM.
int compile_positive(struct compilation *c, const struct image_node *node, const struct unit *unit,
    const struct rrset_span *span, bool with_sigs, uint16_t *at)
    __attribute__((warn_unused_result));
// *differs: from the form without signatures.
int compile_referral(struct compilation *c, const struct image_node *node, const struct unit *unit,
    bool with_sigs, bool *differs, uint16_t *at) __attribute__((warn_unused_result));
// NODE_TAKES_PROOF?
bool compile_takes_proof(const struct compilation *c, const struct unit *unit);
int compile_negative(struct compilation *c, bool with_sigs, uint32_t *ref)
    __attribute__((warn_unused_result));

// What a CNAME's answers hold for other types. Post: *at is where the chain is, 0 when they are
// not compiled; 0 or -ENOMEM.
int compile_chain(struct compilation *c, const struct image_node *node, const struct unit *unit,
    uint16_t *at) __attribute__((warn_unused_result));

// Where something stands in a node; 0: further away than can be said.
static inline uint16_t compile_place(const struct image_node *node, const void *at)
{
	const size_t place = (size_t)((const uint8_t *)at - (const uint8_t *)node) / NODE_UNIT;

	return place <= NODE_AT_MAX ? (uint16_t)place : 0;
}

// --- compile_chains.c
#define CHAIN_HOPS_MAX 8 // below what the renderer follows (RENDER_HOPS_MAX)

struct chain {
	struct {
		const struct unit *unit;
		const uint8_t
		    *name; // whose CNAME it is, as the message has it; NULL: the question's
		struct rrset_span cname;
	} hop[CHAIN_HOPS_MAX + 1];
	unsigned count;
	enum {
		CHAIN_NODE,    // `last` has what there is
		CHAIN_NO_NAME, // NXDOMAIN
		CHAIN_LEAVES,  // for another zone
	} end;
	const struct unit *last;
	const uint8_t *name; // where it ends
	bool wild;           // a wildcard was on the way
};

// Pre: a base. Post: false when the unit owns no CNAME, or what it leads to is not to be compiled.
bool compile_chain_walk(const struct compilation *c, const struct unit *unit, struct chain *chain)
    __attribute__((warn_unused_result));
// Tells the high half of the hash of each name that decides, or would if it were there, where the
// chain leads and what is found. Post: 0 or the first error of `add`.
int compile_chain_targets(const struct compilation *c, const struct chain *chain,
    int (*add)(void *, uint32_t), void *ctx) __attribute__((warn_unused_result));

// --- compile_denial.c
// Finds the chain of a signed zone and what of it denies what: fills chain, and denial of the
// units. Post: 0, -ENOMEM, or -EINVAL and `error` (NSEC3 with more iterations than we serve).
int compile_denial(struct compilation *c, struct image_header *header)
    __attribute__((warn_unused_result));
// Takes the room of the two orders in the image; and fills them once nodes have their places.
int compile_denial_place(struct compilation *c, struct image_header *header)
    __attribute__((warn_unused_result));
void compile_denial_finish(struct compilation *c, const struct image_header *header);

// --- compile_targets.c
// Which answers embed which names: appends the section. Post: 0 or -ENOMEM.
int compile_targets(struct compilation *c, struct image_header *header)
    __attribute__((warn_unused_result));
