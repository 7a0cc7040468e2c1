// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The proof that an image may be read without further checks. Called by the control plane on what
// its compiler child made and by the data plane on what it was sent or found on disk; the bytes may
// be anything. Every reference is checked against the image's end before it is followed, every name
// and rdata is parsed, every pointer of a compiled answer is walked, every name is found in the
// index from its hash. Two passes: the checksum, and the nodes in their order, which is that of
// their places; nothing far away is waited for.

#include "image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "image_probe.h"
#include "name.h"
#include "order_key.h"
#include "proof.h"
#include "qname.h"
#include "rdata.h"
#include "reader.h"
#include "rrtype.h"
#include "wide.h"

#define SLOTS_AHEAD 16

struct verifier {
	struct image image;
	uint64_t first; // that an object may have: behind the header's names
	uint64_t limit; // first byte that no object may touch: the tail
	struct hash_key key;
	char *error;
};

static int __attribute__((format(printf, 2, 3))) bad(struct verifier *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->error, IMAGE_ERROR_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

// True when `count` objects of `size` bytes at `ref` lie between the header and the tail.
static bool in_range(const struct verifier *v, uint32_t ref, uint64_t count, uint64_t size)
{
	const uint64_t at = (uint64_t)ref << 3;

	return at >= v->first && at <= v->limit && count <= (v->limit - at) / size;
}

static bool is_lower(const uint8_t *name, size_t len)
{
	uint8_t lower[NAME_LEN_MAX];

	name_lower(lower, name, len);
	return memcmp(lower, name, len) == 0;
}

// --- header
// ---------------------------------------------------------------------------------------

static int header_verify(struct verifier *v, const void *mem, size_t size)
{
	const struct image_header *header = mem;

	if (size < sizeof(*header) + IMAGE_TAIL || ((uintptr_t)mem & 63) != 0)
		return bad(v, "shorter than a header, or not aligned");
	if (header->magic != IMAGE_MAGIC)
		return bad(v, "not an image (magic)");
	if (header->byte_order != IMAGE_BYTE_ORDER)
		return bad(v, "made on a machine of the other byte order");
	if (header->version != IMAGE_VERSION)
		return bad(v, "format version %u, expected %u", header->version, IMAGE_VERSION);
	if (header->size != size || size % IMAGE_ALIGN != 0 || size > IMAGE_SIZE_MAX)
		return bad(v, "size %llu in the header, %zu bytes present",
		    (unsigned long long)header->size, size);
	if (header->checksum != image_checksum(mem, size))
		return bad(v, "checksum does not match: the image is damaged");
	if (image_open(&v->image, mem, size) != 0)
		return bad(v, "header");
	v->first = image_header_size(header);
	v->limit = size - IMAGE_TAIL;
	if (v->first > v->limit)
		return bad(v, "names of the header out of range");
	for (size_t i = v->limit; i < size; i++) {
		if (v->image.mem[i] != 0)
			return bad(v, "the tail is not zero");
	}
	if (header->apex_len == 0 ||
	    name_len_checked(image_apex(header), header->apex_len) != header->apex_len ||
	    !is_lower(image_apex(header), header->apex_len) ||
	    name_labels(image_apex(header)) != header->apex_labels)
		return bad(v, "apex name");
	v->key = (struct hash_key){{header->hash_key[0], header->hash_key[1]}};

	const struct image_section *s = header->section;
	if (!in_range(
	        v, s[IMAGE_BUCKETS].ref, s[IMAGE_BUCKETS].count, sizeof(struct image_bucket)) ||
	    s[IMAGE_BUCKETS].ref % 8 != 0 || s[IMAGE_BUCKETS].count == 0)
		return bad(v, "name index out of range");
	if (!in_range(v, s[IMAGE_ORDER].ref, s[IMAGE_ORDER].count, sizeof(uint32_t)))
		return bad(v, "name order out of range");
	if (!in_range(v, s[IMAGE_NSEC3_ORDER].ref, s[IMAGE_NSEC3_ORDER].count,
	        sizeof(struct image_nsec3)))
		return bad(v, "NSEC3 order out of range");
	if (!in_range(
	        v, s[IMAGE_NSEC_ORDER].ref, s[IMAGE_NSEC_ORDER].count, sizeof(struct image_nsec)))
		return bad(v, "NSEC order out of range");
	if (s[IMAGE_NSEC_ORDER].count != 0 && s[IMAGE_NSEC3_ORDER].count != 0)
		return bad(v, "both NSEC and NSEC3");
	if ((header->flags & IMAGE_NSEC3) != 0
	        ? s[IMAGE_NSEC_ORDER].count != 0 ||
	              (s[IMAGE_NSEC3_ORDER].count == 0 && (header->flags & IMAGE_OVERLAY) == 0)
	        : s[IMAGE_NSEC3_ORDER].count != 0)
		return bad(v, "the kind of denial");
	if (!in_range(v, s[IMAGE_NSEC3_LOST].ref, s[IMAGE_NSEC3_LOST].count,
	        sizeof(struct image_nsec3)) ||
	    (s[IMAGE_NSEC3_LOST].count != 0 &&
	        (header->flags & (IMAGE_NSEC3 | IMAGE_OVERLAY)) != (IMAGE_NSEC3 | IMAGE_OVERLAY)))
		return bad(v, "lost NSEC3 out of range");
	if (!in_range(v, s[IMAGE_TARGETS].ref, s[IMAGE_TARGETS].count, sizeof(struct image_target)))
		return bad(v, "targets out of range");
	if (s[IMAGE_NODES].count != s[IMAGE_ORDER].count || s[IMAGE_NODES].count == 0)
		return bad(v, "number of names");
	if ((header->flags & (IMAGE_SIGNED | IMAGE_RRSIGS)) == IMAGE_SIGNED)
		return bad(v, "signed, with no room for signatures");
	if (header->probe_max == 0 || header->probe_max > s[IMAGE_BUCKETS].count ||
	    header->probe_max > IMAGE_PROBES_MAX)
		return bad(v, "probe limit");
	if (header->rr_count == 0)
		return bad(v, "number of records");
	if (header->nsec3_iterations > IMAGE_ITERATIONS_MAX)
		return bad(v, "NSEC3 with %u iterations", header->nsec3_iterations);
	return 0;
}

// --- rdata
// ----------------------------------------------------------------------------------------

// A list of `count` rdatas of `type` that begins at byte `at`.
static int rdata_list_verify(struct verifier *v, uint64_t at, unsigned count, uint16_t type)
{
	for (unsigned i = 0; i < count; i++) {
		uint16_t len;
		if (at + 2 > v->limit)
			return bad(v, "rdata out of range");
		memcpy(&len, v->image.mem + at, 2);
		if (at + 2 + len > v->limit)
			return bad(v, "rdata out of range");
		if (!rdata_valid(type, v->image.mem + at + 2, len))
			return bad(v, "rdata of type %u is malformed", type);
		at += 2 + (uint64_t)len;
	}
	return 0;
}

// --- compiled answers
// -----------------------------------------------------------------------------

// Steps over a name that may end in a pointer. Post: the offset behind it, or 0.
static size_t name_skip(const uint8_t *bytes, size_t at, size_t size)
{
	while (at < size) { // every step moves on
		const unsigned n = bytes[at];
		if (n == 0)
			return at + 1;
		if (n >= 0xc0)
			return at + 2 <= size ? at + 2 : 0;
		if (n > NAME_LABEL_MAX)
			return 0;
		at += n + 1;
	}
	return 0;
}

static int answer_verify(struct verifier *v, uint32_t ref)
{
	if (!in_range(v, ref, 1, sizeof(struct image_answer)))
		return bad(v, "answer out of range");
	const struct image_answer *answer = image_at(&v->image, ref);
	const uint64_t end = ((uint64_t)ref << 3) + sizeof(*answer) +
	                     2ull * image_patch_room(answer->patch_count) + answer->size;
	if (end > v->limit || answer->size > IMAGE_ANSWER_MAX)
		return bad(v, "answer out of range");
	const uint8_t *bytes = answer_bytes(answer);
	unsigned weight = 0, reach = 0;
	for (unsigned i = 0; i < answer->patch_count; i++) {
		const unsigned at = answer_patch(answer)[i];
		if (at + 2u > answer->size || (i > 0 && at < answer_patch(answer)[i - 1] + 2u))
			return bad(v, "answer: pointer list");
		const unsigned pointer = (unsigned)bytes[at] << 8 | bytes[at + 1];
		// The question may be longer than the owner by less than a whole name.
		if (pointer < 0xc000 + 12 || pointer + NAME_LEN_MAX > 0xffff)
			return bad(v, "answer: pointer");
		weight += at % 2 == 0 ? 1 : 256;
		reach = bytes[at + 1] > reach ? bytes[at + 1] : reach;
	}
	for (unsigned i = answer->patch_count; i < image_patch_room(answer->patch_count); i++) {
		if (answer_patch(answer)[i] != answer->size)
			return bad(v, "answer: end of the pointer list");
	}
	if (weight != answer->weight || reach != answer->reach ||
	    checksum_fold(checksum_sum(bytes, answer->size, 0)) != answer->sum)
		return bad(v, "answer: sum");
	const unsigned count = (unsigned)answer->ancount + answer->nscount + answer->arcount;
	const unsigned first = (unsigned)answer->ancount + answer->nscount;
	const unsigned required = first + answer->required_arcount;
	size_t at = 0;
	if (first == count && answer->proof_at != answer->size)
		return bad(v, "answer: where proofs go");
	for (unsigned i = 0; i < count; i++) {
		if (i == first && at != answer->proof_at)
			return bad(v, "answer: where proofs go");
		if (i == required && at != answer->required)
			return bad(v, "answer: required part");
		at = name_skip(bytes, at, answer->size);
		if (at == 0 || at + 10 > answer->size)
			return bad(v, "answer: record");
		at += 10 + ((size_t)bytes[at + 8] << 8 | bytes[at + 9]);
		if (at > answer->size)
			return bad(v, "answer: record");
	}
	if (at != answer->size || required > count ||
	    (required == count && answer->required != answer->size))
		return bad(v, "answer: length");
	return 0;
}

// --- nodes
// ----------------------------------------------------------------------------------------

// Pre: the owner and the records are well formed.
static int proof_verify(struct verifier *v, const struct image_node *node,
    const struct image_rrset *rrset, uint32_t ref)
{
	union proof_room room;

	if (rrset->answer_ref != 0 || rrset->rr_count == 0)
		return bad(v, "an answer in place of a proof");
	const size_t size = proof_make(&v->image, node, rrset, v->image.header->apex_len, &room);
	if (size == 0 || !in_range(v, ref, size, 1) ||
	    memcmp(image_at(&v->image, ref), room.bytes, size) != 0)
		return bad(v, "a proof is not that of its records");
	return 0;
}

static int rrset_verify(
    struct verifier *v, const struct image_node *node, const struct image_rrset *rrset)
{
	const uint32_t sigs_ref = rrset_sigs_ref(&v->image, rrset);
	int error;

	if (rrset->rr_count == 0 && sigs_ref == 0)
		return bad(v, "empty RRset");
	if (rrset->rr_count > 0) {
		if (!in_range(v, rrset->rdata_ref, 1, 2))
			return bad(v, "rdata out of range");
		error = rdata_list_verify(
		    v, (uint64_t)rrset->rdata_ref << 3, rrset->rr_count, rrset->type);
		if (error != 0)
			return error;
	}
	if (sigs_ref != 0) {
		if (!in_range(v, sigs_ref, 1, sizeof(struct image_sigs)))
			return bad(v, "signatures out of range");
		const struct image_sigs *sigs = image_at(&v->image, sigs_ref);
		if (sigs->rr_count == 0)
			return bad(v, "no signatures where some are said to be");
		error = rdata_list_verify(
		    v, ((uint64_t)sigs_ref << 3) + sizeof(*sigs), sigs->rr_count, RRTYPE_RRSIG);
		if (error != 0)
			return error;
	}
	const uint32_t answer_do_ref = rrset_answer_do_ref(&v->image, rrset);
	if (type_is_proof(rrset->type) && (rrset->answer_ref | answer_do_ref) != 0)
		return proof_verify(v, node, rrset, answer_do_ref);
	if (rrset->answer_ref != 0 && (error = answer_verify(v, rrset->answer_ref)) != 0)
		return error;
	return answer_do_ref != 0 && answer_do_ref != rrset->answer_ref
	           ? answer_verify(v, answer_do_ref)
	           : 0;
}

// The name before, taken apart, for the one that comes: in canonical order most of a name is that
// of the name before, and need not be looked at again. Indexed by a number of labels, from the
// root.
struct place {
	const uint8_t *name;
	unsigned labels;
	uint8_t start[NAME_LABELS_MAX + 1];
};

struct names {
	struct place before, now;
	uint64_t hash[NAME_LABELS_MAX + 1]; // of suffixes that both have, and of `now` then
};

// Fills `place`. Post: false when the name is malformed or has upper case.
static bool place_take(struct place *place, const struct image_node *node)
{
	uint8_t start[NAME_LABELS_MAX + 1];
	const uint8_t *name = node->name;
	unsigned labels = 0, at = 0;

	while (name[at] != 0) {
		const unsigned next = at + 1u + name[at];
		if (name[at] > NAME_LABEL_MAX || next >= node->name_len)
			return false;
		start[labels++] = (uint8_t)at;
		at = next;
	}
	if (at + 1 != node->name_len || labels != node->labels ||
	    wide_has_upper(name, node->name_len))
		return false;
	place->name = name;
	place->labels = labels;
	for (unsigned i = 0; i < labels; i++)
		place->start[labels - i] = start[i];
	return true;
}

// How many labels both end in. Both are lower case, in the image.
static unsigned labels_common(const struct place *a, const struct place *b)
{
	const unsigned most = a->labels < b->labels ? a->labels : b->labels;
	unsigned n = 0;

	while (n < most) {
		const uint8_t *x = a->name + a->start[n + 1], *y = b->name + b->start[n + 1];
		if (*x != *y || !wide_equal(x, y, 1u + *x))
			break;
		n++;
	}
	return n;
}

// True when `a` comes before `b` (RFC 4034 6.1), which have `common` labels in common.
static bool place_before(const struct place *a, const struct place *b, unsigned common)
{
	if (common == a->labels || common == b->labels)
		return a->labels < b->labels;
	const uint8_t *x = a->name + a->start[common + 1], *y = b->name + b->start[common + 1];
	const int order = memcmp(x + 1, y + 1, *x < *y ? *x : *y);
	return order != 0 ? order < 0 : *x < *y;
}

// Post: names->now is the node's, names->hash its hashes.
static int node_name_verify(struct verifier *v, const struct image_node *node, struct names *names)
{
	const struct image_header *header = v->image.header;
	const uint64_t at = (uint64_t)((const uint8_t *)node - v->image.mem) + sizeof(*node);

	names->before = names->now;
	if (at + node->name_len > v->limit || node->name_len == 0 || !place_take(&names->now, node))
		return bad(v, "a name is malformed");
	const unsigned common = labels_common(&names->before, &names->now);
	if (names->before.name == NULL || common < header->apex_labels) {
		if (!name_is_under(node->name, image_apex(header)))
			return bad(v, "a name is not in the zone");
	}
	if (names->before.name != NULL && !place_before(&names->before, &names->now, common))
		return bad(v, "names out of order");
	for (unsigned n = common + 1; n <= names->now.labels; n++)
		names->hash[n] =
		    qname_label_hash(names->hash[n - 1], node->name + names->now.start[n], &v->key);
	if (node->cut_labels > node->labels)
		return bad(v, "zone cut below its own name");
	return 0;
}

// Pre: it is in range, and the name is proven.
static int more_verify(
    struct verifier *v, const struct image_node *node, const struct image_node_more *more)
{
	const struct image_section *section = v->image.header->section;
	const uint32_t chain = section[IMAGE_NSEC_ORDER].count + section[IMAGE_NSEC3_ORDER].count;

	if ((more->denial & ~DENIAL_COVER) > chain || (more->denial_wild & ~DENIAL_COVER) > chain ||
	    more->denial == DENIAL_COVER || more->denial_wild == DENIAL_COVER)
		return bad(v, "rank of a denial");
	if (more->owner_ref == 0)
		return 0;
	if (!in_range(v, more->owner_ref, node->name_len, 1))
		return bad(v, "owner out of range");
	const uint8_t *owner = image_at(&v->image, more->owner_ref);
	if (name_len_checked(owner, node->name_len) != node->name_len ||
	    !name_equal(owner, node->name))
		return bad(v, "owner as written is another name");
	return 0;
}

static bool owns(const struct verifier *v, const struct image_node *node, uint16_t type)
{
	const struct node_ref self = {.image = &v->image, .node = node};
	const struct image_rrset *rrset = node_rrset(self, type);

	return rrset != NULL && rrset->rr_count > 0;
}

static int chain_verify(struct verifier *v, uint32_t ref)
{
	if ((v->image.header->flags & IMAGE_OVERLAY) != 0)
		return bad(v, "chain in an overlay");
	if (!in_range(v, ref, 1, sizeof(struct image_chain)))
		return bad(v, "chain out of range");
	const struct image_chain *chain = image_at(&v->image, ref);
	if (chain->no_name > 1)
		return bad(v, "chain: where it ends");
	for (unsigned i = 0; i < CHAIN_ANSWERS; i++) {
		const uint32_t refs[] = {chain->ref[i], chain->ref_do[i]};
		for (unsigned j = 0; j < 2; j++) {
			const int error = refs[j] != 0 ? answer_verify(v, refs[j]) : 0;
			if (error != 0)
				return error;
		}
	}
	return 0;
}

// What node->referral_ref and referral_do_ref lead to.
static int referral_verify(struct verifier *v, const struct image_node *node)
{
	int error;

	if (node->referral_ref != 0 && (node->flags & (NODE_CUT | NODE_CNAME)) == NODE_CNAME)
		return chain_verify(v, node->referral_ref);
	if (node->referral_ref != 0 && (error = answer_verify(v, node->referral_ref)) != 0)
		return error;
	if (node->referral_do_ref != 0 && node->referral_do_ref != node->referral_ref)
		return answer_verify(v, node->referral_do_ref);
	return 0;
}

static int node_verify(struct verifier *v, uint32_t ref, uint32_t rank, struct names *names)
{
	if (!in_range(v, ref, 1, sizeof(struct image_node) + 1))
		return bad(v, "node out of range");
	const struct image_node *node = image_at(&v->image, ref);
	int error = node_name_verify(v, node, names);
	if (error != 0)
		return error;
	if (node->order != rank)
		return bad(v, "rank of a name");
	if (node->lines == 0 || node->lines > 8)
		return bad(v, "lines of a node");
	if (node->more != 0 && node->more != sizeof(struct image_node_more))
		return bad(v, "what is behind a name");
	const uint64_t end = ((uint64_t)ref << 3) + image_node_head(node) + node->more +
	                     node->rrset_count * rrset_stride(v->image.flags);
	if (end > v->limit)
		return bad(v, "RRsets out of range");
	if (node->more != 0 && (error = more_verify(v, node, node_more(node))) != 0)
		return error;
	const struct node_ref self = {.image = &v->image, .node = node};
	uint32_t types = 0;
	for (unsigned i = 0, before = 0; i < node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(self, i);
		if (i > 0 && rrset->type <= before)
			return bad(v, "RRsets out of order");
		before = rrset->type;
		types |= type_bit(rrset->type);
		if ((error = rrset_verify(v, node, rrset)) != 0)
			return error;
	}
	if (types != node->types)
		return bad(v, "types present at a name");
	if ((node->flags & NODE_CUT) != 0 && !owns(v, node, RRTYPE_NS))
		return bad(v, "delegation without NS");
	if ((node->flags & NODE_DNAME) != 0 && !owns(v, node, RRTYPE_DNAME))
		return bad(v, "DNAME flag without DNAME");
	if ((node->flags & NODE_TOMBSTONE) != 0 &&
	    ((v->image.header->flags & IMAGE_OVERLAY) == 0 || node->rrset_count > 0))
		return bad(v, "tombstone in a base, or with records");
	// Every walk begins at the apex. Its name is the only one of this length in the zone.
	if ((node->flags & (NODE_TOMBSTONE | NODE_CUT)) != 0 &&
	    node->name_len == v->image.header->apex_len)
		return bad(v, "the apex is a tombstone or a cut");
	return referral_verify(v, node);
}

// --- index
// ----------------------------------------------------------------------------------------

// Every name must be found from its hash, and nothing else may stand in the index. So there are as
// many slots in use as there are names to be found, and each name has one that holds its reference:
// names are distinct, so are their slots, and none is left over.

// Post: *used slots hold something.
static int buckets_verify(struct verifier *v, uint64_t *used)
{
	const struct image *image = &v->image;

	*used = 0;
	for (uint32_t at = 0; at < image->bucket_count; at++) {
		const struct image_bucket *bucket = &image->buckets[at];
		unsigned wrong = bucket->used > IMAGE_SLOTS;
		for (unsigned slot = 0; slot < IMAGE_SLOTS; slot++)
			wrong |= (bucket->ref[slot] != 0) != (slot < bucket->used);
		if (wrong)
			return bad(v, "slots of a bucket");
		*used += bucket->used;
	}
	return 0;
}

// The way from a name's home to its slot is as a reader goes it: all full, no longer than the
// limit, and its home says that it overflowed.
static int slot_verify(struct verifier *v, uint64_t hash, uint32_t ref)
{
	const struct image *image = &v->image;
	const uint32_t probes = image->header->probe_max;
	uint32_t at = home_bucket(image, hash);

	for (uint32_t probe = 0; probe < probes; probe++) {
		const struct image_bucket *bucket = &image->buckets[at];
		uint32_t match = bucket_match(bucket, (uint16_t)hash);
		for (; match != 0; match &= match - 1) {
			if (bucket->ref[(unsigned)__builtin_ctz(match) >> MATCH_SHIFT] == ref)
				return 0;
		}
		if (bucket->used != IMAGE_SLOTS || (probe == 0 && bucket->overflow == 0))
			break;
		at = at + 1 == image->bucket_count ? 0 : at + 1;
	}
	return bad(v, "a name is not where the index would be searched for it");
}

// Names lie in canonical order and the index has them by their hash: a bucket is far away, so it is
// looked at some names after it was asked for.
struct slots {
	uint64_t hash[SLOTS_AHEAD];
	uint32_t ref[SLOTS_AHEAD];
	uint64_t put, looked;
};

static int slots_look(struct verifier *v, struct slots *slots)
{
	const unsigned i = slots->looked++ % SLOTS_AHEAD;

	return slot_verify(v, slots->hash[i], slots->ref[i]);
}

static int slots_put(struct verifier *v, struct slots *slots, uint64_t hash, uint32_t ref)
{
	const int error = slots->put - slots->looked == SLOTS_AHEAD ? slots_look(v, slots) : 0;
	const unsigned i = slots->put++ % SLOTS_AHEAD;

	__builtin_prefetch(&v->image.buckets[home_bucket(&v->image, hash)]);
	slots->hash[i] = hash;
	slots->ref[i] = ref;
	return error;
}

// --- nodes and index
// ------------------------------------------------------------------------------

static int nodes_verify(struct verifier *v)
{
	const struct image_section *order = &v->image.header->section[IMAGE_ORDER];
	const uint32_t *refs = image_at(&v->image, order->ref);
	struct names names = {.hash[0] = v->key.k[0]};
	struct slots slots = {0};
	uint64_t used;
	int error = buckets_verify(v, &used);

	for (uint32_t rank = 0; rank < order->count && error == 0; rank++) {
		error = node_verify(v, refs[rank], rank, &names);
		if (error != 0)
			break;
		const struct image_node *node = image_at(&v->image, refs[rank]);
		if (node->types != type_bit(RRTYPE_NSEC3))
			error = slots_put(v, &slots, names.hash[names.now.labels], refs[rank]);
	}
	while (error == 0 && slots.looked < slots.put)
		error = slots_look(v, &slots);
	if (error == 0 && slots.put != used)
		return bad(v, "%llu names in the index, %llu in the zone", (unsigned long long)used,
		    (unsigned long long)slots.put);
	return error;
}

// True when `ref` is a node that nodes_verify() has accepted.
static bool is_node(const struct verifier *v, uint32_t ref)
{
	const struct image_section *order = &v->image.header->section[IMAGE_ORDER];

	if (!in_range(v, ref, 1, sizeof(struct image_node)))
		return false;
	const uint32_t rank = ((const struct image_node *)image_at(&v->image, ref))->order;
	return rank < order->count &&
	       ((const uint32_t *)image_at(&v->image, order->ref))[rank] == ref;
}

// A node that owns a record of `type`; both lists are of such.
static bool is_owner(const struct verifier *v, uint32_t ref, uint16_t type)
{
	return is_node(v, ref) && owns(v, image_at(&v->image, ref), type);
}

static int nsec_verify(struct verifier *v)
{
	const struct image_section *section = &v->image.header->section[IMAGE_NSEC_ORDER];
	const struct image_nsec *items = image_at(&v->image, section->ref);
	const struct image_node *before = NULL;

	for (uint32_t i = 0; i < section->count; i++) {
		if (!is_owner(v, items[i].node_ref, RRTYPE_NSEC))
			return bad(v, "NSEC order names what owns no NSEC");
		const struct image_node *node = image_at(&v->image, items[i].node_ref);
		if (before != NULL && before->order >= node->order)
			return bad(v, "NSEC owners out of order");
		if (items[i].key != name_order_key(node->name, v->image.header->apex_labels))
			return bad(v, "key of an NSEC owner");
		before = node;
	}
	return 0;
}

static int nsec3_verify(struct verifier *v)
{
	const struct image_section *section = &v->image.header->section[IMAGE_NSEC3_ORDER];
	const struct image_nsec3 *items = image_at(&v->image, section->ref);

	for (uint32_t i = 0; i < section->count; i++) {
		if (i > 0 && memcmp(items[i - 1].hash, items[i].hash, 20) >= 0)
			return bad(v, "NSEC3 hashes out of order");
		if (!is_owner(v, items[i].node_ref, RRTYPE_NSEC3))
			return bad(v, "NSEC3 order names what owns no NSEC3");
	}
	section = &v->image.header->section[IMAGE_NSEC3_LOST];
	items = image_at(&v->image, section->ref);
	for (uint32_t i = 0; i < section->count; i++) {
		if (i > 0 && memcmp(items[i - 1].hash, items[i].hash, 20) >= 0)
			return bad(v, "lost NSEC3 hashes out of order");
		if (!is_node(v, items[i].node_ref))
			return bad(v, "a lost NSEC3 is of no name");
	}
	return 0;
}

static int targets_verify(struct verifier *v)
{
	const struct image_section *section = &v->image.header->section[IMAGE_TARGETS];
	const struct image_target *items = image_at(&v->image, section->ref);

	for (uint32_t i = 1; i < section->count; i++) {
		if (items[i - 1].hash > items[i].hash)
			return bad(v, "targets out of order");
	}
	return 0; // that they are nodes is seen when one is followed (overlay.c)
}

// The apex, and what stands for the whole zone: every layer has it, because every version has a
// serial.
static int apex_verify(struct verifier *v)
{
	const struct image_header *header = v->image.header;

	if (header->negative_ref != 0 && answer_verify(v, header->negative_ref) != 0)
		return -EINVAL;
	if (header->negative_do_ref != 0 && answer_verify(v, header->negative_do_ref) != 0)
		return -EINVAL;
	if (!is_node(v, header->apex_ref))
		return bad(v, "apex out of range");
	const struct node_ref apex = {
	    .image = &v->image, .node = image_at(&v->image, header->apex_ref)};
	if (apex.node->name_len != header->apex_len || (apex.node->flags & NODE_APEX) == 0 ||
	    memcmp(apex.node->name, image_apex(header), header->apex_len) != 0)
		return bad(v, "apex is another name");
	const struct image_rrset *soa = node_rrset(apex, RRTYPE_SOA);
	if (soa == NULL || soa->rr_count != 1)
		return bad(v, "no SOA at the apex");
	if (header->negative_ref == 0)
		return bad(v, "no negative answer");
	return 0;
}

int image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX])
{
	struct verifier v = {.error = error};
	int bad_part;

	error[0] = '\0';
	if ((bad_part = header_verify(&v, mem, size)) != 0)
		return bad_part;
	if ((bad_part = nodes_verify(&v)) != 0)
		return bad_part;
	if ((bad_part = nsec_verify(&v)) != 0)
		return bad_part;
	if ((bad_part = nsec3_verify(&v)) != 0)
		return bad_part;
	if ((bad_part = targets_verify(&v)) != 0)
		return bad_part;
	return apex_verify(&v);
}
