// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The image: one zone version, compiled, position-independent, immutable, in one contiguous block.
// This header is the format; FORMAT.md draws it and says why. Host byte order (recorded in the
// header and checked), except bytes that are DNS wire data. A reference (`_ref`) is an offset from
// the image's start in units of 8 bytes; 0 means "none".
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC      0x31474d49504e0a8dULL // 8d 0a "NPIMG1": not text, catches newline translation
#define IMAGE_VERSION    14
#define IMAGE_BYTE_ORDER 0x01020304u
#define IMAGE_ALIGN      64  // an image begins at such an address; its size is a multiple of it
#define IMAGE_TAIL       128 // zero bytes that end every image: wide loads may run past any object
#define IMAGE_SIZE_MAX   (UINT64_C(8) << 32)
#define IMAGE_LAYERS_MAX 3 // a base and at most two overlays

// image_header.flags
#define IMAGE_OVERLAY    0x01u // holds only changed names; stands on the image named by below_id
#define IMAGE_HAS_CUTS   0x02u // there are delegations: walk from the apex down
#define IMAGE_HAS_DNAMES 0x04u
#define IMAGE_HAS_WILD   0x08u
#define IMAGE_SIGNED     0x10u // the apex SOA has a signature: DO=1 gets signatures and proofs
#define IMAGE_NSEC3      0x20u // and the proofs are NSEC3; an overlay says what the whole version has
#define IMAGE_NO_CHAINS  0x40u // overlay: no image_chain of the base holds any more
#define IMAGE_RRSIGS     0x80u // RRsets have places for signatures: always with IMAGE_SIGNED

// One 64-byte line of the name index. A name's home bucket is qname_place(hash) * bucket_count >>
// 32, its tag the low 16 bits of the hash. Slots are filled from 0; a free slot has ref 0. When
// `overflow` is not 0, so many names whose home is here stand in following buckets (wrapping), no
// further than probe_max buckets away.
#define IMAGE_SLOTS 10
// A lookup is bounded whatever the image says. With six names to a bucket on average, 10 M names
// need 8; for a run of 64 full ones no key would ever be found.
#define IMAGE_PROBES_MAX 64
struct image_bucket {
	uint16_t tag[IMAGE_SLOTS];
	uint16_t overflow;
	uint16_t used;
	uint32_t ref[IMAGE_SLOTS]; // of struct image_node
};
static_assert(sizeof(struct image_bucket) == 64, "a bucket is one cache line");
static_assert(offsetof(struct image_bucket, ref) == 24, "layout");

// image_node.flags
#define NODE_APEX      0x01u
#define NODE_CUT       0x02u // NS below the apex: a delegation
#define NODE_DNAME     0x04u // owns a DNAME
#define NODE_OCCLUDED  0x08u // below a cut or DNAME
#define NODE_WILD      0x10u // "*.<this name>" exists and is not occluded
#define NODE_EMPTY     0x20u // empty non-terminal: no RRset here, names below
#define NODE_TOMBSTONE 0x40u // overlay only: the name does not exist (any more)
#define NODE_CNAME     0x80u // owns a CNAME
// Parts behind the name, in this order; with NODE_CUT or NODE_CNAME image_node_leads comes first.
#define NODE_DENIAL 0x100u // image_node_denial
#define NODE_FAR    0x200u // image_node_far
#define NODE_CASE   0x400u // the name as written, filled up to a multiple of 4: it has upper case
// A cut of a signed zone: its referral with DO lacks the proof that there is no DS. (One that has
// DS needs none, and an NSEC of the cut itself is in its referral.)
#define NODE_TAKES_PROOF 0x800u

// One name, with all that stands at it: a node begins at a multiple of 8 bytes, the next one in
// canonical order follows it, and what lies between is its own: its parts, the RRset directory,
// the compiled answers, and the records that are in none of them. Places in it (`_at`) are
// distances from its first byte in units of 4 bytes; 0 means "none".
struct image_node {
	uint16_t flags;
	uint8_t name_len;
	uint8_t labels;       // of the name
	uint16_t rrset_count; // entries of the directory
	uint8_t more;         // the parts together, in units of 4 bytes
	uint8_t step;   // from here to the next node in units of 8 bytes; 0: image_node_far has it
	uint32_t types; // one bit per common type present (type_bit())
	uint8_t name[]; // lower case, name_len bytes
};
static_assert(sizeof(struct image_node) == 12, "a name of 20 bytes with an address is one line");

#define NODE_UNIT     4u // bytes
#define NODE_STEP     8u
#define NODE_STEP_MAX (UINT8_MAX * NODE_STEP)
#define NODE_AT_MAX   UINT16_MAX // no further from the node than 256 KiB

// Bytes from a node to what is behind its name.
static inline unsigned image_node_head(const struct image_node *node)
{
	return (unsigned)(sizeof(*node) + node->name_len + NODE_UNIT - 1) & ~(NODE_UNIT - 1);
}

// Where a question that ends at the name, or goes on from it, is led. In images without
// signatures both are the same.
struct image_node_leads {
	uint16_t answer_at;    // cut: struct image_answer, DO=0; CNAME that is no cut: struct
	                       // image_chain
	uint16_t answer_do_at; // cut: the same for DO=1, with DS or the NSEC that there is none; it
	                       // stands in front of the other
};
static_assert(sizeof(struct image_node_leads) == 4, "layout");

// 0: none; otherwise 1 + rank in IMAGE_NSEC_ORDER or, where that is empty, IMAGE_NSEC3_ORDER of the
// same image. With DENIAL_COVER the record covers the name and does not stand at it. Nodes of an
// overlay have none. Where a layer above changed that record, it does not hold any more; where none
// did, nothing was put between it and the next.
#define DENIAL_COVER 0x80000000u
struct image_node_denial {
	uint32_t at;   // the NSEC or NSEC3 that proves what is (not) at this name
	uint32_t wild; // the one that proves that there is no "*.<this name>"
};
static_assert(sizeof(struct image_node_denial) == 8, "layout");

// Of a node that may be larger than `step` can say. Behind its directory stands an image_far for
// each RRset, and the places of records and signatures are there.
struct image_node_far {
	uint32_t step; // units of 8 bytes
};
struct image_far {
	uint32_t rdata_at, sigs_at; // units of 4 bytes from the node; 0: none
};
static_assert(sizeof(struct image_far) == 8, "layout");

// One RRset. RRSIGs stand with the RRset they cover; an entry with rr_count 0 has only those.
struct image_rrset {
	uint16_t type;
	uint16_t rr_count;
	uint16_t answer_at; // struct image_answer for DO=0; 0: not compiled
	uint16_t rdata_at;  // { uint32_t ttl; rr_count times { uint16_t len; uint8_t rdata[len] }},
	                    // no padding; 0: the answer begins with the records as they are. With
	                    // NODE_FAR 1: image_far says where
};
static_assert(sizeof(struct image_rrset) == 8, "layout");

// The same in an image with IMAGE_RRSIGS, where all entries of directories are of this kind. In
// others none has signatures, and the answer for DO=1 is that for DO=0.
struct image_rrset_signed {
	struct image_rrset rrset;
	uint16_t answer_do_at; // struct image_answer for DO=1; 0: not compiled. Of an NSEC or
	                       // NSEC3: struct image_proof, and answer_at is 0
	uint16_t sigs_at;      // struct image_sigs; 0: unsigned; with NODE_FAR as rdata_at
};
static_assert(sizeof(struct image_rrset_signed) == 12, "layout");

struct image_sigs {
	uint32_t ttl;
	uint16_t rr_count;
	uint16_t spare;
	// rr_count times { uint16_t len; uint8_t rdata[len] } follow
};
static_assert(sizeof(struct image_sigs) == 8, "layout");

// A compiled answer: all bytes of a response behind its question, without OPT. Compression pointers
// are right for a question name as long as the owner's (the cut's, the apex's for the negative
// answer). For a longer question each grows by the difference, but for owners that are the question
// name itself.
struct image_answer {
	uint8_t arcount; // in this order one load widens all three, as a header takes them
	uint8_t nscount;
	uint8_t ancount;
	uint8_t head;  // bytes[] begin so many units of 8 bytes from here; 1: this is all, nothing
	               // moves, and proofs are put in at the end
	uint16_t size; // bytes[]
	uint16_t sum;  // checksum_fold(checksum_sum()) of bytes[], the first at an even offset
	               // struct image_moves moves, where head is above 1; uint8_t bytes[size];
};
static_assert(sizeof(struct image_answer) == 8, "layout");
static_assert(offsetof(struct image_answer, size) == 4, "layout");

// What moves. Pointers are not listed, but found while they are copied: a byte behind a c0 grows.
// Listed are the places where that is not so (moves.h finds them): behind a c0 that is no pointer,
// or one that stays; and a pointer's last byte that has no c0 in front of it.
struct image_moves {
	uint16_t weight;   // what moving the pointers by 1 adds to a sum of words: in little-endian
	                   // ones 256 for each pointer at an even offset and 1 for each at an odd
	uint16_t proof_at; // bytes of answer and authority: where proofs of denial are put in
	uint8_t reach;     // the largest last byte of a pointer that moves; 255 where one begins
	                   // with more than a c0
	uint8_t odd_count;
	uint16_t odd[]; // places in bytes[], `size` among them, ascending; then zeros up to bytes[]
};
static_assert(sizeof(struct image_moves) == 6, "layout: one place fits into the eight bytes");
#define IMAGE_ODD_MAX UINT8_MAX
#define IMAGE_ANSWER_MAX \
	4096                                 // larger answers are rendered, not compiled
	                                     // and those with more records in a section than 255
#define IMAGE_ADDITIONAL_MAX (UINT8_MAX - 1) // and than that: a reply's OPT is counted with them

// What is asked of a name that owns a CNAME, other than that: the CNAMEs up to where they end in
// the zone or leave it, and what is there. Only bases have it: IMAGE_TARGETS leads here from all
// that it depends on, so that an overlay holds the name when any of it differs; the SOA aside,
// which is in those that deny.
enum image_chain_answer {
	CHAIN_A,
	CHAIN_AAAA,
	CHAIN_OTHER, // any type that is not in `types`
	CHAIN_ANSWERS,
};
struct image_chain {
	uint32_t types;             // all that stand at the names on the way, and at its end
	uint16_t at[CHAIN_ANSWERS]; // struct image_answer, DO=0, of the same node; 0: not compiled
	uint16_t do_at[CHAIN_ANSWERS]; // the same for DO=1; 0: not compiled, or a proof is due
	uint8_t no_name;               // 1: it ends at a name that does not exist
	uint8_t spare[3];
};
static_assert(sizeof(struct image_chain) == 20, "layout");

// An NSEC or NSEC3 and its signatures, as they are put into an answer that they prove (proof.h
// makes them). At a multiple of 8 bytes. Owners are pointers, c0 00 here: to the apex in the
// question (the first owner's, behind its labels; each one of the apex' own), then to the first
// owner, where the proof itself stands.
struct image_proof {
	uint16_t size;                    // bytes[]
	uint16_t sum;                     // as image_answer.sum
	uint16_t rr_count;                // 1 or more
	uint8_t apex_count, own_count;    // pointers to the apex, then to the proof itself
	uint16_t apex_weight, own_weight; // as image_answer.weight
	                                  // uint16_t pointer[apex_count + own_count]: where they
	                                  // stand; uint8_t bytes[size];
};
static_assert(sizeof(struct image_proof) == 12, "layout; the lists of pointers follow");

struct image_section {
	uint32_t ref;
	uint32_t count;
};

enum image_section_id {
	IMAGE_BUCKETS,     // struct image_bucket[count], 64-byte aligned
	IMAGE_ORDER,       // uint32_t[count]: every IMAGE_ORDER_STEP-th node, from the first on
	IMAGE_NSEC_ORDER,  // struct image_nsec[count], canonical order
	IMAGE_NSEC3_ORDER, // struct image_nsec3[count], ascending hash
	IMAGE_NODES,       // the first node, the apex; count: their number (tombstones included)
	IMAGE_TARGETS,     // struct image_target[count], ascending hash
	IMAGE_NSEC3_LOST,  // overlay: struct image_nsec3[count]: hashes that the layers below may
	                   // have in their order and that are in the chain no more
	IMAGE_SECTIONS,
};
#define IMAGE_ORDER_STEP 16 // a search in canonical order ends with so many steps at most

// Which names' answers embed records of which others (addresses behind NS, MX, SRV, SVCB; all that
// an image_chain depends on): what an overlay has to hold when those change. Not in it are names
// below a cut that the cut's own referral embeds: of those it is known anyway. Not looked at by
// workers.
struct image_target {
	uint32_t hash; // the high half of the hash of the name that is embedded, in the zone or not
	uint32_t node_ref; // whose answers embed it
};
static_assert(sizeof(struct image_target) == 8, "layout");

// Owners of NSEC records: only in zones signed with NSEC. The key makes most comparisons of a
// search without a look at the name.
struct image_nsec {
	uint64_t key; // name_order_key() of the owner, from the apex on
	uint32_t node_ref;
	uint32_t proof_ref; // struct image_proof of its NSEC; 0: not compiled
};
static_assert(sizeof(struct image_nsec) == 16, "layout");

// NSEC3 records by hash (RFC 5155): only in zones signed with NSEC3. More iterations than these
// are work for every resolver and every answer (RFC 9276 3.1), and are refused.
#define IMAGE_ITERATIONS_MAX 50
struct image_nsec3 {
	uint8_t hash[20];
	uint32_t node_ref; // the node "<hash>.apex" that owns the NSEC3
};
static_assert(sizeof(struct image_nsec3) == 24, "layout");

struct image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t byte_order;
	uint64_t size;     // bytes of the whole image
	uint64_t checksum; // image_checksum() of the image with this field 0
	uint64_t generation;
	uint64_t id;       // random: names this image
	uint64_t below_id; // overlay: the id of the image that this one stands on
	uint64_t hash_key[2];
	uint64_t rr_count; // records of the whole zone version (not of the overlay alone)
	uint32_t serial;
	uint32_t flags;
	uint32_t
	    rrsig_expiry_min; // earliest RRSIG expiration (RFC 4034 3.1.5 serial time); 0: unsigned
	uint32_t probe_max;   // buckets that a lookup may have to look at, 1..IMAGE_PROBES_MAX
	uint32_t apex_ref;    // node of the apex: every overlay holds it, too
	uint32_t
	    negative_ref; // struct image_answer: SOA in authority for NXDOMAIN and NODATA, DO=0
	uint32_t negative_do_ref; // the same with its signatures; 0: not signed, or not compiled
	uint32_t soa_minimum;     // TTL of negative answers: min(SOA TTL, SOA MINIMUM) (RFC 2308 5)
	uint16_t nsec3_iterations;
	uint8_t nsec3_salt_len;
	uint8_t apex_len;
	struct image_section section[IMAGE_SECTIONS];
	uint8_t apex_labels;
	uint8_t spare[3];
	// uint8_t apex[apex_len]; lower case
	// uint8_t nsec3_salt[nsec3_salt_len];
};
static_assert(sizeof(struct image_header) == 176, "the apex begins within the third line");
static_assert(offsetof(struct image_header, section) == 116, "layout");

static inline const uint8_t *image_apex(const struct image_header *header)
{
	return (const uint8_t *)(header + 1);
}
static inline const uint8_t *image_salt(const struct image_header *header)
{
	return image_apex(header) + header->apex_len;
}
// Bytes of the header with its names: where the first object may stand.
static inline size_t image_header_size(const struct image_header *header)
{
	return sizeof(*header) + header->apex_len + header->nsec3_salt_len;
}
