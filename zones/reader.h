// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Reading a zone version: a base image under at most two overlays. Lock-free, no allocation, any
// number of threads; the caller keeps the version alive (RCU read side, or owns it). Everything
// here relies on image_verify() having accepted each image.
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "qname.h"
#include "rrtype.h"

// layer[0] is looked at first (the top overlay), layer[layer_count - 1] is the base. Serial, SOA
// and flags of the version are those of layer[0]. All layers have the same hash key and apex.
//
// One of a base alone is a line of 64 bytes, where it begins at one: among a million zones a query
// waits for each line.
struct zone_version {
	uint32_t layer_count; // 1..IMAGE_LAYERS_MAX
	// Of the zone table that it is in (zone_table.h), which sets them before any reader sees
	// them; `state` is enum zone_state, and changes.
	uint8_t apex_labels, apex_len;
	_Atomic uint8_t state; // readers and writer: relaxed
	struct zone_entry *entry;
	struct image layer[IMAGE_LAYERS_MAX];
};
static_assert(offsetof(struct zone_version, layer[1]) == 64, "a line");

// A name found: the node and the image it stands in.
struct node_ref {
	const struct image *image;
	const struct image_node *node; // NULL: none
};

static inline const struct image_header *version_header(const struct zone_version *version)
{
	return version->layer[0].header;
}

static inline const struct image *version_base(const struct zone_version *version)
{
	return &version->layer[version->layer_count - 1];
}

// Number of labels of the zone's apex.
unsigned version_apex_labels(const struct zone_version *version);

// Pre: all layers opened. Checks that they belong together (ids, key, apex). 0 or -EINVAL.
int version_check(const struct zone_version *version);

// --- look-ups
// -------------------------------------------------------------------------------------

// The node of the ancestor of `q` (or of `q` itself) that has `labels` labels; node NULL when there
// is none in this version. Pre: q is hashed with the version's key, `labels` labels of it at least.
struct node_ref version_find(
    const struct zone_version *version, const struct qname *q, unsigned labels);

// The node of a name that is no suffix of a question: `name` in lower case, `len` bytes, and its
// hash under the version's key.
struct node_ref version_find_name(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash);

// What the overlays say of such a name, from the top down. Post: true: that decides, and *ref is
// its node, NULL where it is gone. False: no overlay knows it, and the base does decide.
bool version_overlays_find(const struct zone_version *version, const uint8_t *name, unsigned len,
    uint64_t hash, struct node_ref *ref);

// True when what look-ups in it touch does not stay in a core's own cache, and so is worth fetching
// ahead.
bool version_is_large(const struct zone_version *version);
// Prefetches what version_find() for the same arguments will look at first.
void version_prefetch(const struct zone_version *version, const struct qname *q, unsigned labels);
// A while later: the first lines of the node that version_find() will compare first.
void version_prefetch_node(
    const struct zone_version *version, const struct qname *q, unsigned labels);

// What a walk from the apex towards the question finds (RFC 1034 4.3.2, RFC 4592 3.3.1).
enum lookup_kind {
	LOOKUP_EXACT,    // node is the question's own name (it may be an empty non-terminal)
	LOOKUP_REFERRAL, // node is a zone cut at or above the question (the caller judges DS at the
	                 // cut)
	LOOKUP_DNAME,    // node owns a DNAME and lies above the question
	LOOKUP_WILDCARD, // node is the source of synthesis, "*.<closest encloser>"
	LOOKUP_NXDOMAIN, // no such name, no wildcard; encloser is set
};
struct lookup {
	enum lookup_kind kind;
	struct node_ref node;
	struct node_ref encloser; // closest encloser (for EXACT, REFERRAL, DNAME: the node itself)
	uint8_t encloser_labels;
};

// Pre: q is at or below the apex, hashed with the version's key (as far as it is). Post: hashed as
// far as the walk went. Work is bounded by the labels between the apex and the question.
void version_lookup(const struct zone_version *version, struct qname *q, struct lookup *out);

// --- what a node holds
// ----------------------------------------------------------------------------

// One bit of image_node.types; bit 31 stands for every type that has no bit of its own.
uint32_t type_bit(uint16_t type);

// What stands `at` in a node (format.h). Pre: it is not 0.
static inline const void *node_at(const struct image_node *node, unsigned at)
{
	return (const uint8_t *)node + (size_t)at * NODE_UNIT;
}

// Pre: it is a cut, or owns a CNAME.
static inline const struct image_node_leads *node_leads(const struct image_node *node)
{
	return (const struct image_node_leads *)((const uint8_t *)node + image_node_head(node));
}

// Bytes from the node to what stands behind its leads.
static inline unsigned node_parts(const struct image_node *node)
{
	return image_node_head(node) + ((node->flags & (NODE_CUT | NODE_CNAME)) != 0
	                                       ? (unsigned)sizeof(struct image_node_leads)
	                                       : 0);
}

// What denies at a name; NULL where nothing is prepared.
static inline const struct image_node_denial *node_denies(const struct image_node *node)
{
	return (node->flags & NODE_DENIAL) == 0
	           ? NULL
	           : (const struct image_node_denial *)((const uint8_t *)node + node_parts(node));
}

// Pre: NODE_FAR.
static inline const struct image_node_far *node_far(const struct image_node *node)
{
	return (const struct image_node_far *)((const uint8_t *)node + node_parts(node) +
	                                       ((node->flags & NODE_DENIAL) != 0
	                                               ? sizeof(struct image_node_denial)
	                                               : 0));
}

// Units of 8 bytes to the next node.
static inline uint32_t node_step(const struct image_node *node)
{
	return node->step != 0 ? node->step : node_far(node)->step;
}

// The node that follows. Pre: one does.
static inline const struct image_node *node_next(const struct image_node *node)
{
	return (
	    const struct image_node *)((const uint8_t *)node + (size_t)node_step(node) * NODE_STEP);
}

static inline uint32_t image_names(const struct image *image)
{
	return image->header->section[IMAGE_NODES].count;
}

// The apex: the first in canonical order.
static inline const struct image_node *image_first(const struct image *image)
{
	return (const struct image_node *)image_at(image, image->header->section[IMAGE_NODES].ref);
}

// Bytes of an entry of a directory.
static inline size_t rrset_stride(uint32_t image_flags)
{
	return (image_flags & IMAGE_RRSIGS) != 0 ? sizeof(struct image_rrset_signed)
	                                         : sizeof(struct image_rrset);
}

// The RRsets of a node by their number, ascending type. Pre: i <= rrset_count, and no look at the
// one behind the last.
static inline const struct image_rrset *node_rrset_at(struct node_ref ref, unsigned i)
{
	return (const struct image_rrset *)((const uint8_t *)ref.node + image_node_head(ref.node) +
	                                    (size_t)ref.node->more * NODE_UNIT +
	                                    i * rrset_stride(ref.image->flags));
}

// Pre: the image has IMAGE_RRSIGS, as signed zones have.
static inline const struct image_rrset_signed *rrset_signed(const struct image_rrset *rrset)
{
	return (const struct image_rrset_signed *)rrset;
}

// Does it have signatures?
static inline bool rrset_has_sigs(const struct image *image, const struct image_rrset *rrset)
{
	return (image->flags & IMAGE_RRSIGS) != 0 && rrset_signed(rrset)->sigs_at != 0;
}

// Where its answer for DO=1 is.
static inline unsigned rrset_answer_do_at(
    const struct image *image, const struct image_rrset *rrset)
{
	return (image->flags & IMAGE_RRSIGS) != 0 ? rrset_signed(rrset)->answer_do_at
	                                          : rrset->answer_at;
}

// The RRset of `type`, or NULL. (One with rr_count 0 has only signatures.)
const struct image_rrset *node_rrset(struct node_ref ref, uint16_t type);

// The owner as written (case kept). Borrowed from the image.
const uint8_t *node_owner(struct node_ref ref);

// The records of an RRset one after the other, as they are in a list or in an answer.
struct rdata_iter {
	const uint8_t *at;
	unsigned left; // records still to come
	bool in_answer;
};
// `rrset` is one of `ref`. Post: the records are borrowed from the image.
struct rdata_iter rrset_rdata(struct node_ref ref, const struct image_rrset *rrset);
struct rdata_iter rrset_sigs(struct node_ref ref, const struct image_rrset *rrset, uint32_t *ttl);
// 0 where there are only signatures.
uint32_t rrset_ttl(struct node_ref ref, const struct image_rrset *rrset);
// Post: the next rdata (borrowed) or NULL at the end.
const uint8_t *rdata_next(struct rdata_iter *iter, uint16_t *len);

// --- compiled answers
// -----------------------------------------------------------------------------

static inline const uint8_t *answer_bytes(const struct image_answer *answer)
{
	return (const uint8_t *)answer + (size_t)answer->head * 8;
}
// Pre: answer->head > 1.
static inline const struct image_moves *answer_moves(const struct image_answer *answer)
{
	return (const struct image_moves *)(answer + 1);
}
// Bytes of answer and authority section.
static inline unsigned answer_proof_at(const struct image_answer *answer)
{
	return answer->head > 1 ? answer_moves(answer)->proof_at : answer->size;
}
static inline const uint16_t *proof_pointers(const struct image_proof *proof)
{
	return (const uint16_t *)(proof + 1);
}
static inline const uint8_t *proof_bytes(const struct image_proof *proof)
{
	return (const uint8_t *)(proof_pointers(proof) + proof->apex_count + proof->own_count);
}
// True for the types whose RRsets have a struct image_proof in an answer's place.
static inline bool type_is_proof(uint16_t type)
{
	return type == RRTYPE_NSEC || type == RRTYPE_NSEC3;
}

// --- order (transfers out, NSEC, dumps)
// -----------------------------------------------------------

// Walks all nodes in canonical order, overlays merged, tombstones left out.
struct version_iter {
	const struct zone_version *version;
	const struct image_node *node[IMAGE_LAYERS_MAX]; // of each layer the next one
	uint32_t left[IMAGE_LAYERS_MAX];                 // from it on
};
void version_iter_start(struct version_iter *iter, const struct zone_version *version);
// The same from the first name at or behind `name` (lower case wire) on.
void version_iter_seek(
    struct version_iter *iter, const struct zone_version *version, const uint8_t *name);
struct node_ref version_iter_next(struct version_iter *iter); // node NULL at the end
// The node of a name by its place in the order: finds owners of NSEC3 too, which no query finds.
struct node_ref version_find_in_order(const struct zone_version *version, const uint8_t *name);

// Every record, owners in canonical order; the signatures of an RRset follow it (reader_records.c).
struct record;
struct version_records {
	struct version_iter nodes;
	struct node_ref node; // the owner of what comes
	struct rdata_iter rdata;
	uint32_t ttl;
	uint16_t type;
	unsigned next_rrset;
	bool sigs_follow;
};
void version_records_start(struct version_records *at, const struct zone_version *version);
// Post: false at the end; else *out is the next one, borrowed from the images.
bool version_records_next(struct version_records *at, struct record *out);

// Post: the SOA, borrowed; false when the version has none (then it is an overlay's).
bool version_soa(const struct zone_version *version, struct record *out);

// --- denial of existence (reader_denial.c)
// ------------------------------------------------------------------------------

// True when the version is signed with NSEC3 (and otherwise, if at all, with NSEC).
static inline bool version_has_nsec3(const struct zone_version *version)
{
	return (version_header(version)->flags & IMAGE_NSEC3) != 0;
}

// What the compiler has found out about a node: the NSEC or NSEC3 of its name, or of the name "*"
// below it. Post: node NULL when it must be searched for; *match: the record stands at the name,
// and does not only cover it.
struct node_ref node_denial(
    const struct zone_version *version, struct node_ref node, bool wild, bool *match);

// The last owner of an NSEC at or before `name` (lower case wire, at or below the apex;
// ORDER_KEY_SLACK bytes behind it may be read) in canonical order (RFC 4035 3.1.3). node NULL when
// there is none.
struct node_ref version_nsec_find(
    const struct zone_version *version, const uint8_t *name, bool *match);

// The NSEC3 whose hash equals (match) or covers `hash` (RFC 5155 7.2). node NULL: no NSEC3 here.
struct node_ref version_nsec3_find(
    const struct zone_version *version, const uint8_t hash[20], bool *match);
