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
#define IMAGE_VERSION    8
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

// One 64-byte line of the name index. A name's home bucket is (hash >> 32) * bucket_count >> 32,
// its tag the low 16 bits of the hash. Slots are filled from 0; a free slot has ref 0. When
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
#define NODE_OCCLUDED  0x08u // below a cut or DNAME: cut_labels says which
#define NODE_WILD      0x10u // "*.<this name>" exists and is not occluded
#define NODE_EMPTY     0x20u // empty non-terminal: no RRset here, names below
#define NODE_TOMBSTONE 0x40u // overlay only: the name does not exist (any more)
#define NODE_CNAME     0x80u // owns a CNAME

// One name. The first line decides; behind `name` stand, each at a multiple of 8 bytes, what most
// nodes have no use for (image_node_more), the RRset directory and the compiled answers, so that
// one stream of lines serves an answer. A node that has answers begins a line.
struct image_node {
	uint8_t flags;
	uint8_t name_len;
	uint8_t labels;       // of the name
	uint8_t cut_labels;   // labels of the topmost cut or DNAME at or above this name; 0: none
	uint16_t rrset_count; // entries of the directory
	uint8_t lines;        // cache lines worth fetching from the node on, 1..8
	uint8_t more;         // bytes of image_node_more: 0 or all
	uint32_t types;       // one bit per common type present (type_bit())
	uint32_t order; // rank in the canonical order of all nodes of this image; nodes that own
	                // only an NSEC3 are in that order but not in the name index
	uint32_t referral_ref; // cut: struct image_answer, DO=0; or of a CNAME: struct image_chain
	uint32_t referral_do_ref; // the same for DO=1, with DS; a proof of none comes to it
	uint8_t name[];           // lower case, name_len bytes
};
static_assert(sizeof(struct image_node) == 24, "40 bytes of the first line remain for the name");

struct image_node_more {
	uint32_t owner_ref; // the name as written, when it has upper case; 0: name[] is as written
	uint32_t denial;    // the NSEC or NSEC3 that proves what is (not) at this name; below
	uint32_t denial_wild; // the one that proves that there is no "*.<this name>"
	uint32_t spare;
};
static_assert(sizeof(struct image_node_more) == 16, "layout");

// Bytes from a node to what is behind its name.
static inline unsigned image_node_head(const struct image_node *node)
{
	return (unsigned)(sizeof(*node) + node->name_len + 7) & ~7u;
}

// image_node_more.denial and .denial_wild: 0: none; otherwise 1 + rank in IMAGE_NSEC_ORDER or,
// where that is empty, IMAGE_NSEC3_ORDER of the same image. With DENIAL_COVER the record covers the
// name and does not stand at it. Nodes of an overlay have none. Where a layer above changed that
// record, it does not hold any more; where none did, nothing was put between it and the next.
#define DENIAL_COVER 0x80000000u

// One RRset. RRSIGs stand with the RRset they cover; an entry with rr_count 0 has only those.
struct image_rrset {
	uint16_t type;
	uint16_t rr_count;
	uint32_t ttl;
	uint32_t rdata_ref;  // rr_count times { uint16_t len (unaligned); uint8_t rdata[len] }
	uint32_t answer_ref; // struct image_answer for DO=0; 0: not compiled
};
static_assert(sizeof(struct image_rrset) == 16, "layout");

// The same in an image with IMAGE_RRSIGS, where all entries of directories are of this kind. In
// others none has signatures, and the answer for DO=1 is that for DO=0.
struct image_rrset_signed {
	struct image_rrset rrset;
	uint32_t sigs_ref;      // struct image_sigs; 0: unsigned
	uint32_t answer_do_ref; // struct image_answer for DO=1; 0: not compiled. Of an NSEC or
	                        // NSEC3: struct image_proof, and answer_ref is 0
};
static_assert(sizeof(struct image_rrset_signed) == 24, "layout");

struct image_sigs {
	uint32_t ttl;
	uint16_t rr_count;
	uint16_t spare;
	// rr_count times { uint16_t len; uint8_t rdata[len] } follow
};
static_assert(sizeof(struct image_sigs) == 8, "layout");

// A compiled answer: all bytes of a response behind its question, without OPT. Compression pointers
// are right for a question name as long as the owner's (the cut's, the apex's for the negative
// answer). For a longer question every pointer named in patch[] grows by the difference; owners
// that are the question name itself (c0 0c) are not in patch[].
struct image_answer {
	uint16_t
	    arcount; // in this order one load has all three, as one store of a header takes them
	uint16_t nscount;
	uint16_t ancount;
	uint16_t size;   // bytes[]
	uint16_t sum;    // checksum_fold(checksum_sum()) of bytes[], the first at an even offset
	uint16_t weight; // what moving the pointers by 1 adds to a sum of big-endian words: 1 for
	                 // each pointer, 256 for each at an odd offset
	uint16_t
	    required; // bytes up to here must be sent or TC be set (RFC 9471); the rest is optional
	uint16_t required_arcount; // arcount when cut there
	uint16_t proof_at; // bytes of answer and authority: where proofs of denial are put in
	uint8_t patch_count;
	uint8_t reach; // the largest last byte of a pointer in patch[]
	               // uint16_t patch[image_patch_room(patch_count)]; uint8_t bytes[size];
};
static_assert(sizeof(struct image_answer) == 20, "layout; the list of pointers follows");
static_assert(offsetof(struct image_answer, size) == 6, "layout");
// The list is moved through by fours: it ends with up to three entries that are `size`, where a
// change comes to nothing.
#define IMAGE_PATCH_STEP 4
static inline unsigned image_patch_room(unsigned patch_count)
{
	return (patch_count + IMAGE_PATCH_STEP - 1) & ~(IMAGE_PATCH_STEP - 1u);
}
#define IMAGE_ANSWER_MAX 4096 // larger answers are rendered, not compiled

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
	uint32_t types;  // all that stand at the names on the way, and at its end
	uint8_t no_name; // 1: it ends at a name that does not exist
	uint8_t spare[3];
	uint32_t ref[CHAIN_ANSWERS];    // struct image_answer, DO=0; 0: not compiled
	uint32_t ref_do[CHAIN_ANSWERS]; // the same for DO=1; 0: not compiled, or a proof is due
};
static_assert(sizeof(struct image_chain) == 32, "layout");

// An NSEC or NSEC3 and its signatures, as they are put into an answer that they prove (proof.h
// makes them). Owners are pointers, c0 00 here: to the apex in the question (the first owner's,
// behind its labels; each one of the apex' own), then to the first owner, where the proof itself
// stands.
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
	IMAGE_ORDER,       // uint32_t[count]: node references in canonical order
	IMAGE_NSEC_ORDER,  // struct image_nsec[count], canonical order
	IMAGE_NSEC3_ORDER, // struct image_nsec3[count], ascending hash
	IMAGE_NODES,       // where nodes begin; count: their number (tombstones included)
	IMAGE_RDATA,       // where rdata begins; count: bytes / 8
	IMAGE_TARGETS,     // struct image_target[count], ascending hash
	IMAGE_NSEC3_LOST,  // overlay: struct image_nsec3[count]: hashes that the layers below may
	                   // have in their order and that are in the chain no more
	IMAGE_SECTIONS,
};

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
	uint32_t spare;
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
static_assert(sizeof(struct image_header) == 184, "the apex begins within the third line");
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
