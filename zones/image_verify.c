// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The proof that an image may be read without further checks. Called by the control plane on what
// its compiler child made and by the data plane on what it was sent or found on disk; the bytes may
// be anything. Every reference is checked against the image's end before it is followed, every name
// and rdata is parsed, every record of a compiled answer and every pointer in it is walked, every
// name is found in the index from its hash. One pass: the index and the nodes in their order, which
// is that of their places, the checksum some bytes ahead; nothing far away is waited for, and no
// byte is looked at more than a few times.

#include "image.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"
#include "denial_search.h"
#include "image_probe.h"
#include "moves.h"
#include "name.h"
#include "order_key.h"
#include "proof.h"
#include "qname.h"
#include "rdata.h"
#include "reader.h"
#include "rrtype.h"
#include "wide.h"
#include "writer.h"

#define SLOTS_AHEAD 16
#define SUM_AHEAD   4096 // bytes that go into the checksum before they are looked at

// The lists of nodes are in the order of the nodes: NSEC3 owners have their hash for a first label,
// and that is in the order of its letters, too.
enum { NSEC_LIST, NSEC3_LIST, LOST_LIST, LISTS };
static const struct {
	enum image_section_id id;
	size_t size, ref_at; // of an item
	const char *name;
} lists[LISTS] = {
    {IMAGE_NSEC_ORDER, sizeof(struct image_nsec), offsetof(struct image_nsec, node_ref), "NSEC"},
    {IMAGE_NSEC3_ORDER, sizeof(struct image_nsec3), offsetof(struct image_nsec3, node_ref),
        "NSEC3"},
    {IMAGE_NSEC3_LOST, sizeof(struct image_nsec3), offsetof(struct image_nsec3, node_ref),
        "lost NSEC3"},
};

struct verifier {
	struct image image;
	uint64_t first; // that an object may have: behind the header's names
	uint64_t limit; // first byte that no object may touch: the tail
	struct hash_key key;
	struct image_sum sum; // as far as has been looked
	uint64_t end;         // of the node that is looked at, where the next one begins
	uint64_t work;        // bytes that may still be looked at for its sake
	struct list {
		const uint8_t *at; // the first item that was not come to
		uint32_t left;     // from it on
		uint32_t ref;      // its node's; 0: none is left
	} list[LISTS];
	char *error;
};

// How often a byte of a node may be looked at: three kinds of a CNAME's answers may be one, of two
// forms each. More is not ours, and would be work without end.
#define LOOKS_MAX 8

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

// Is it an image at all, of this size?
static int format_verify(struct verifier *v, const void *mem, size_t size)
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
	image_sum_start(&v->sum, mem);
	if (image_open(&v->image, mem, size) != 0)
		return bad(v, "header");
	return 0;
}

bool image_is_foreign(const void *mem, size_t size)
{
	const struct image_header *header = mem;

	return size >= sizeof(*header) && size % IMAGE_ALIGN == 0 && ((uintptr_t)mem & 63) == 0 &&
	       header->magic == IMAGE_MAGIC && header->byte_order == IMAGE_BYTE_ORDER &&
	       header->version != IMAGE_VERSION && header->size == size &&
	       image_checksum(mem, size) == header->checksum;
}

static int header_verify(struct verifier *v)
{
	const struct image_header *header = v->image.header;
	const uint64_t size = header->size;

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
	if (s[IMAGE_NODES].count == 0 ||
	    s[IMAGE_ORDER].count != (s[IMAGE_NODES].count - 1) / IMAGE_ORDER_STEP + 1)
		return bad(v, "number of names");
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
	if ((s[IMAGE_NSEC_ORDER].count | s[IMAGE_NSEC3_ORDER].count) != 0 &&
	    (header->flags & IMAGE_RRSIGS) == 0)
		return bad(v, "denial with no room for signatures");
	if (!in_range(v, s[IMAGE_NSEC3_LOST].ref, s[IMAGE_NSEC3_LOST].count,
	        sizeof(struct image_nsec3)) ||
	    (s[IMAGE_NSEC3_LOST].count != 0 &&
	        (header->flags & (IMAGE_NSEC3 | IMAGE_OVERLAY)) != (IMAGE_NSEC3 | IMAGE_OVERLAY)))
		return bad(v, "lost NSEC3 out of range");
	if (!in_range(v, s[IMAGE_TARGETS].ref, s[IMAGE_TARGETS].count, sizeof(struct image_target)))
		return bad(v, "targets out of range");
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

// Takes what is to be looked at from byte `at` on into the checksum, so that it is fetched once.
static inline void sum_ahead(struct verifier *v, uint64_t at)
{
	if (at + SUM_AHEAD / 2 <= v->sum.at)
		return;
	image_sum_to(&v->sum, at + SUM_AHEAD < v->limit ? at + SUM_AHEAD : v->limit);
}

// --- rdata
// ----------------------------------------------------------------------------------------

// Counts what is looked at for a node.
static bool looks(struct verifier *v, uint64_t bytes)
{
	if (bytes > v->work)
		return false;
	v->work -= bytes;
	return true;
}

// rdata_valid(), with most of most zones first.
static inline bool rdata_verify(uint16_t type, const uint8_t *rdata, size_t len)
{
	if (type == RRTYPE_A)
		return len == 4;
	if (type == RRTYPE_NS)
		return len > 0 && name_len_checked(rdata, len) == len;
	return rdata_valid(type, rdata, len);
}

// A list of `count` rdatas of `type` that begins at byte `at`, in the node.
static int rdata_list_verify(struct verifier *v, uint64_t at, unsigned count, uint16_t type)
{
	for (unsigned i = 0; i < count; i++) {
		uint16_t len;
		if (at + 2 > v->end)
			return bad(v, "rdata out of range");
		memcpy(&len, v->image.mem + at, 2);
		if (at + 2 + len > v->end)
			return bad(v, "rdata out of range");
		if (!looks(v, 2u + len))
			return bad(v, "rdata that is of several RRsets");
		if (!rdata_verify(type, v->image.mem + at + 2, len))
			return bad(v, "rdata of type %u is malformed", type);
		at += 2 + (uint64_t)len;
	}
	return 0;
}

// --- compiled answers
// -----------------------------------------------------------------------------

// Whose questions an answer is for. `takes_proofs`: they may be put in, so that nothing points to
// what is behind them.
struct answer_use {
	const uint8_t *name;
	unsigned name_len;
	enum moves_for what;
	bool takes_proofs;
};

// An answer at byte `at`, that lies in front of `end`. Its records must be as many as it says; what
// moves is once more what its bytes say.
static int answer_verify(struct verifier *v, uint64_t at, uint64_t end, struct answer_use use)
{
	static_assert(MOVES_SLACK <= IMAGE_TAIL, "moves_find() may read behind any answer");
	struct moves moves;

	if (at + sizeof(struct image_answer) > end)
		return bad(v, "answer out of range");
	const struct image_answer *answer = (const struct image_answer *)(v->image.mem + at);
	if (answer->head == 0 || at + 8ull * answer->head + answer->size > end ||
	    answer->size > IMAGE_ANSWER_MAX)
		return bad(v, "answer out of range");
	if (answer->arcount > IMAGE_ADDITIONAL_MAX)
		return bad(v, "answer with no room for an OPT");
	if (!looks(v, 8ull * answer->head + answer->size))
		return bad(v, "answer that is of several RRsets");
	const uint8_t *bytes = answer_bytes(answer);
	if (checksum_fold(checksum_sum(bytes, answer->size, 0)) != answer->sum)
		return bad(v, "answer: sum");
	if (!moves_find(answer, bytes, answer->size, use.name, use.name_len, use.what, &moves))
		return bad(v, "answer: records");
	if (use.takes_proofs &&
	    moves.target_max >= WRITER_QUESTION_AT + use.name_len + 4 + moves.proof_at)
		return bad(v, "answer: a pointer behind where proofs go");
	return moves.head != answer->head || !moves_equal(&moves, answer + 1)
	           ? bad(v, "answer: what moves")
	           : 0;
}

// The same of the whole zone's.
static int negative_verify(struct verifier *v, uint32_t ref)
{
	const struct image_header *header = v->image.header;
	const struct answer_use use = {image_apex(header), header->apex_len, MOVES_BELOW, true};

	if (!in_range(v, ref, 1, sizeof(struct image_answer)))
		return bad(v, "answer out of range");
	v->work = v->limit;
	return answer_verify(v, (uint64_t)ref << 3, v->limit, use);
}

// --- nodes
// ----------------------------------------------------------------------------------------

// Byte of the image that is `at` in a node.
static uint64_t place_of(const struct verifier *v, const struct image_node *node, uint64_t at)
{
	return (uint64_t)((const uint8_t *)node - v->image.mem) + at * NODE_UNIT;
}

static int node_answer_verify(struct verifier *v, const struct image_node *node, unsigned at,
    enum moves_for what, bool takes_proofs)
{
	const struct answer_use use = {node->name, node->name_len, what, takes_proofs};

	return at == 0 ? 0 : answer_verify(v, place_of(v, node, at), v->end, use);
}

// Pre: the owner and the records are well formed.
static int proof_verify(
    struct verifier *v, struct node_ref self, const struct image_rrset *rrset, unsigned at)
{
	union proof_room room;

	if (rrset->answer_at != 0 || rrset->rr_count == 0)
		return bad(v, "an answer in place of a proof");
	const size_t size = proof_make(self, rrset, v->image.header->apex_len, &room);
	if (size == 0 || place_of(v, self.node, at) + size > v->end ||
	    place_of(v, self.node, at) % NODE_STEP != 0 ||
	    memcmp(node_at(self.node, at), room.bytes, size) != 0)
		return bad(v, "a proof is not that of its records");
	return 0;
}

// Records that are read out of an answer: it begins with them, each as it was compiled. Pre: the
// answer is verified.
static int answer_records_verify(
    struct verifier *v, const struct image_rrset *rrset, const struct image_answer *answer)
{
	const uint8_t fixed[] = {
	    0xc0, 12, (uint8_t)(rrset->type >> 8), (uint8_t)rrset->type, 0, RRCLASS_IN};
	const uint8_t *first = answer_bytes(answer), *at = first;

	if (rrset->rr_count > answer->ancount)
		return bad(v, "records that an answer does not have");
	for (unsigned i = 0; i < rrset->rr_count; i++) {
		if (memcmp(at, fixed, sizeof fixed) != 0 || memcmp(at + 6, first + 6, 4) != 0)
			return bad(v, "an answer begins with other records");
		const size_t len = (size_t)at[10] << 8 | at[11];
		if (!rdata_verify(rrset->type, at + 12, len))
			return bad(v, "rdata of type %u is malformed", rrset->type);
		at += 12 + len;
	}
	return 0;
}

// `far`: of the RRset, or NULL.
static int records_verify(struct verifier *v, const struct image_node *node,
    const struct image_rrset *rrset, const struct image_far *far)
{
	const uint64_t at = place_of(
	    v, node, far != NULL && rrset->rdata_at != 0 ? far->rdata_at : rrset->rdata_at);

	// What a proof's type refers to as an answer is none, and was not looked at.
	if (rrset->rdata_at == 0 && (rrset->answer_at == 0 || type_is_proof(rrset->type)))
		return bad(v, "an RRset without its records");
	if (rrset->rdata_at == 0)
		return answer_records_verify(v, rrset, node_at(node, rrset->answer_at));
	if (at + 4 > v->end)
		return bad(v, "rdata out of range");
	return rdata_list_verify(v, at + 4, rrset->rr_count, rrset->type);
}

static int sigs_verify(struct verifier *v, const struct image_node *node,
    const struct image_rrset *rrset, const struct image_far *far)
{
	const uint64_t at =
	    place_of(v, node, far != NULL ? far->sigs_at : rrset_signed(rrset)->sigs_at);

	if (at + sizeof(struct image_sigs) > v->end)
		return bad(v, "signatures out of range");
	const struct image_sigs *sigs = (const struct image_sigs *)(v->image.mem + at);
	if (sigs->rr_count == 0)
		return bad(v, "no signatures where some are said to be");
	return rdata_list_verify(v, at + sizeof(*sigs), sigs->rr_count, RRTYPE_RRSIG);
}

static int rrset_verify(struct verifier *v, struct node_ref self, const struct image_rrset *rrset,
    const struct image_far *far)
{
	const bool has_sigs = rrset_has_sigs(&v->image, rrset);
	const unsigned answer_do_at = rrset_answer_do_at(&v->image, rrset);
	const bool proof = type_is_proof(rrset->type) && (rrset->answer_at | answer_do_at) != 0;
	const enum moves_for what = moves_for_owner(self.node->name);
	int error = 0;

	if (rrset->rr_count == 0 && !has_sigs)
		return bad(v, "empty RRset");
	if (!proof)
		error = node_answer_verify(v, self.node, rrset->answer_at, what, false);
	if (error == 0 && rrset->rr_count > 0)
		error = records_verify(v, self.node, rrset, far);
	if (error == 0 && has_sigs)
		error = sigs_verify(v, self.node, rrset, far);
	if (error == 0 && proof)
		return proof_verify(v, self, rrset, answer_do_at);
	if (error == 0 && (v->image.flags & IMAGE_RRSIGS) != 0)
		error = node_answer_verify(v, self.node, answer_do_at, what, what == MOVES_WILD);
	return error;
}

// A name taken apart, from the left.
struct place {
	const uint8_t *name;
	unsigned labels;
	uint8_t start[NAME_LABELS_MAX + 1]; // of each label, and of the root
};

// The name that comes beside the one before: in canonical order most of a name is that of the name
// before, and need not be looked at again.
struct names {
	struct place place[2];              // by turns
	unsigned now;                       // which is the one that comes
	uint64_t hash[NAME_LABELS_MAX + 1]; // its hash by a number of labels
};

// Fills `place`. Post: false when the name is malformed or has upper case.
static bool place_take(struct place *place, const struct image_node *node)
{
	const uint8_t *name = node->name;
	unsigned labels = 0, at = 0;

	while (name[at] != 0) {
		const unsigned next = at + 1u + name[at];
		if (name[at] > NAME_LABEL_MAX || next >= node->name_len)
			return false;
		place->start[labels++] = (uint8_t)at;
		at = next;
	}
	if (at + 1 != node->name_len || labels != node->labels ||
	    wide_has_upper(name, node->name_len))
		return false;
	place->start[labels] = (uint8_t)at;
	place->name = name;
	place->labels = labels;
	return true;
}

// The last `n` labels. Pre: there are as many.
static inline const uint8_t *place_suffix(const struct place *place, unsigned n)
{
	return place->name + place->start[place->labels - n];
}

// Are their last `n` labels the same?
static inline bool suffix_equal(const struct place *a, const struct place *b, unsigned n)
{
	const unsigned len = a->start[a->labels] - a->start[a->labels - n];

	return len == (unsigned)(b->start[b->labels] - b->start[b->labels - n]) &&
	       wide_equal(place_suffix(a, n), place_suffix(b, n), len + 1);
}

// How many labels both end in. Both are lower case, in the image.
static unsigned labels_common(const struct place *a, const struct place *b)
{
	const unsigned most = a->labels < b->labels ? a->labels : b->labels;
	unsigned n = 0;

	// One below the other, or beside it: as nearly all are.
	if (suffix_equal(a, b, most))
		return most;
	if (suffix_equal(a, b, most - 1))
		return most - 1;
	while (suffix_equal(a, b, n + 1)) // ends in front of `most`
		n++;
	return n;
}

// True when `a` comes before `b` (RFC 4034 6.1), which have `common` labels in common.
static bool place_before(const struct place *a, const struct place *b, unsigned common)
{
	if (common == a->labels || common == b->labels)
		return a->labels < b->labels;
	const uint8_t *x = place_suffix(a, common + 1), *y = place_suffix(b, common + 1);
	const unsigned len = *x < *y ? *x : *y;

	for (unsigned at = 0; at < len; at += 8) { // eight bytes a step: labels are short
		const unsigned left = len - at, behind = left < 8 ? 64 - 8 * left : 0;
		uint64_t p, q;
		memcpy(&p, x + 1 + at, 8);
		memcpy(&q, y + 1 + at, 8);
		p = be64toh(p) >> behind;
		q = be64toh(q) >> behind;
		if (p != q)
			return p < q;
	}
	return *x < *y;
}

// Post: names->now is the node's, names->hash its hashes.
static int node_name_verify(struct verifier *v, const struct image_node *node, struct names *names)
{
	const struct image_header *header = v->image.header;
	const uint64_t at = (uint64_t)((const uint8_t *)node - v->image.mem) + sizeof(*node);
	const struct place *before = &names->place[names->now];
	struct place *now = &names->place[names->now ^= 1];

	if (at + node->name_len > v->limit || node->name_len == 0 || !place_take(now, node))
		return bad(v, "a name is malformed");
	const unsigned common = before->name != NULL ? labels_common(before, now) : 0;
	if (before->name == NULL || common < header->apex_labels) {
		if (!name_is_under(node->name, image_apex(header)))
			return bad(v, "a name is not in the zone");
	}
	if (before->name != NULL && !place_before(before, now, common))
		return bad(v, "names out of order");
	for (unsigned n = common + 1; n <= now->labels; n++)
		names->hash[n] =
		    qname_label_hash(names->hash[n - 1], place_suffix(now, n), &v->key);
	return 0;
}

// The parts behind a name. Pre: the name is proven. Post: v->end is the node's.
static int parts_verify(struct verifier *v, const struct image_node *node)
{
	const struct image_section *section = v->image.header->section;
	const uint32_t chain = section[IMAGE_NSEC_ORDER].count + section[IMAGE_NSEC3_ORDER].count;
	const uint64_t begin = place_of(v, node, 0), head = image_node_head(node);
	const unsigned owner = (node->name_len + NODE_UNIT - 1u) & ~(NODE_UNIT - 1u);
	size_t more = node_parts(node) - head;

	more += (node->flags & NODE_DENIAL) != 0 ? sizeof(struct image_node_denial) : 0;
	more += (node->flags & NODE_FAR) != 0 ? sizeof(struct image_node_far) : 0;
	more += (node->flags & NODE_CASE) != 0 ? owner : 0;
	if (node->more * NODE_UNIT != more || begin + head + more > v->limit)
		return bad(v, "what is behind a name");
	if ((node->step == 0) != ((node->flags & NODE_FAR) != 0))
		return bad(v, "steps of a node");
	v->end = begin + (uint64_t)node_step(node) * NODE_STEP;
	v->work = (v->end - begin) * LOOKS_MAX;
	const uint64_t entry = rrset_stride(v->image.flags) +
	                       ((node->flags & NODE_FAR) != 0 ? sizeof(struct image_far) : 0);
	if (v->end > v->limit || begin + head + more + node->rrset_count * entry > v->end)
		return bad(v, "RRsets out of range");
	const struct image_node_denial *denies = node_denies(node);
	if (denies != NULL &&
	    ((denies->at & ~DENIAL_COVER) > chain || (denies->wild & ~DENIAL_COVER) > chain ||
	        denies->at == DENIAL_COVER || denies->wild == DENIAL_COVER))
		return bad(v, "rank of a denial");
	if ((node->flags & NODE_CASE) == 0)
		return 0;
	const uint8_t *written = node_owner((struct node_ref){.image = &v->image, .node = node});
	if (name_len_checked(written, node->name_len) != node->name_len ||
	    !name_equal(written, node->name))
		return bad(v, "owner as written is another name");
	return 0;
}

static int chain_verify(struct verifier *v, const struct image_node *node, unsigned at)
{
	if ((v->image.header->flags & IMAGE_OVERLAY) != 0)
		return bad(v, "chain in an overlay");
	if (place_of(v, node, at) + sizeof(struct image_chain) > v->end)
		return bad(v, "chain out of range");
	const struct image_chain *chain = node_at(node, at);
	if (chain->no_name > 1)
		return bad(v, "chain: where it ends");
	const enum moves_for what = moves_for_owner(node->name);
	for (unsigned i = 0; i < CHAIN_ANSWERS; i++) {
		if (node_answer_verify(v, node, chain->at[i], what, false) != 0 ||
		    node_answer_verify(v, node, chain->do_at[i], what, false) != 0)
			return -EINVAL;
	}
	return 0;
}

// Where a question at or below a cut, or of a CNAME, is led.
// `owned`: the types it has records of.
static int leads_verify(struct verifier *v, const struct image_node *node, uint32_t owned)
{
	if ((node->flags & (NODE_CUT | NODE_CNAME)) == 0)
		return 0;
	const struct image_node_leads *leads = node_leads(node);
	if ((node->flags & NODE_CUT) == 0)
		return leads->answer_at != 0 ? chain_verify(v, node, leads->answer_at) : 0;
	const bool is_signed = (v->image.flags & IMAGE_SIGNED) != 0;
	const uint32_t secures =
	    type_bit(RRTYPE_DS) | ((v->image.flags & IMAGE_NSEC3) == 0 ? type_bit(RRTYPE_NSEC) : 0);
	const bool secured = (owned & secures) != 0;
	if (((node->flags & NODE_TAKES_PROOF) != 0) != (is_signed && !secured))
		return bad(v, "who proves that there is no DS");
	const bool both = leads->answer_do_at == leads->answer_at;
	if (node_answer_verify(v, node, leads->answer_at, MOVES_BELOW, both && is_signed) != 0)
		return -EINVAL;
	return both ? 0 : node_answer_verify(v, node, leads->answer_do_at, MOVES_BELOW, is_signed);
}

// Post: *owned are the types (type_bit()) that it has records of.
static int node_verify(struct verifier *v, uint32_t ref, struct names *names, uint32_t *owned)
{
	if (!in_range(v, ref, 1, sizeof(struct image_node) + 1))
		return bad(v, "node out of range");
	const struct image_node *node = image_at(&v->image, ref);
	int error = node_name_verify(v, node, names);
	if (error == 0)
		error = parts_verify(v, node);
	if (error != 0)
		return error;
	const struct node_ref self = {.image = &v->image, .node = node};
	const struct image_far *far =
	    (node->flags & NODE_FAR) != 0
	        ? (const struct image_far *)node_rrset_at(self, node->rrset_count)
	        : NULL;
	uint32_t types = 0, has = 0;
	for (unsigned i = 0, before = 0; i < node->rrset_count; i++) {
		const struct image_rrset *rrset = node_rrset_at(self, i);
		if (i > 0 && rrset->type <= before)
			return bad(v, "RRsets out of order");
		before = rrset->type;
		const uint32_t type = type_bit(rrset->type);
		types |= type;
		has |= rrset->rr_count > 0 ? type : 0;
		if ((error = rrset_verify(v, self, rrset, far != NULL ? &far[i] : NULL)) != 0)
			return error;
	}
	if (types != node->types)
		return bad(v, "types present at a name");
	*owned = has;
	if ((node->flags & NODE_CUT) != 0 && (has & type_bit(RRTYPE_NS)) == 0)
		return bad(v, "delegation without NS");
	if ((node->flags & NODE_DNAME) != 0 && (has & type_bit(RRTYPE_DNAME)) == 0)
		return bad(v, "DNAME flag without DNAME");
	if ((node->flags & NODE_TOMBSTONE) != 0 &&
	    ((v->image.header->flags & IMAGE_OVERLAY) == 0 || node->rrset_count > 0))
		return bad(v, "tombstone in a base, or with records");
	// Every walk begins at the apex. Its name is the only one of this length in the zone.
	if ((node->flags & (NODE_TOMBSTONE | NODE_CUT)) != 0 &&
	    node->name_len == v->image.header->apex_len)
		return bad(v, "the apex is a tombstone or a cut");
	return leads_verify(v, node, has);
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
		sum_ahead(v, (uint64_t)((const uint8_t *)bucket - image->mem));
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
	uint32_t at = home_bucket(image->bucket_count, hash);

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

	__builtin_prefetch(&v->image.buckets[home_bucket(v->image.bucket_count, hash)]);
	slots->hash[i] = hash;
	slots->ref[i] = ref;
	return error;
}

// --- nodes and index
// ------------------------------------------------------------------------------

// Waits for the node of the first item that is left.
static void list_await(struct verifier *v, unsigned id)
{
	struct list *list = &v->list[id];

	list->ref = 0;
	if (list->left > 0)
		memcpy(&list->ref, list->at + lists[id].ref_at, sizeof list->ref);
}

static void lists_begin(struct verifier *v)
{
	for (unsigned id = 0; id < LISTS; id++) {
		const struct image_section *section = &v->image.header->section[lists[id].id];

		v->list[id] =
		    (struct list){.at = image_at(&v->image, section->ref), .left = section->count};
		list_await(v, id);
	}
}

// The list's item of the node at `ref`; NULL where it is another one that is waited for.
static inline const void *listed(struct verifier *v, unsigned id, uint32_t ref)
{
	struct list *list = &v->list[id];
	const uint8_t *item = list->at;

	if (list->ref != ref)
		return NULL;
	list->at += lists[id].size;
	list->left--;
	list_await(v, id);
	return item;
}

// Where its NSEC is compiled.
static uint32_t proof_ref(const struct verifier *v, const struct image_node *node)
{
	const struct node_ref self = {.image = &v->image, .node = node};
	const struct image_proof *proof = owner_proof(self, RRTYPE_NSEC);

	return proof != NULL ? (uint32_t)(((const uint8_t *)proof - v->image.mem) >> 3) : 0;
}

// Is the node in the lists as it should be? `owned`: the types it has records of.
static int lists_verify(
    struct verifier *v, const struct image_node *node, uint32_t ref, uint32_t owned)
{
	const struct image_nsec *nsec = listed(v, NSEC_LIST, ref);
	const bool nsec3 = listed(v, NSEC3_LIST, ref) != NULL;

	if (nsec != NULL && (owned & type_bit(RRTYPE_NSEC)) == 0)
		return bad(v, "NSEC order names what owns no NSEC");
	if (nsec != NULL && nsec->key != name_order_key(node->name, v->image.header->apex_labels))
		return bad(v, "key of an NSEC owner");
	if (nsec != NULL && nsec->proof_ref != proof_ref(v, node))
		return bad(v, "proof of an NSEC owner");
	if (nsec3 && (owned & type_bit(RRTYPE_NSEC3)) == 0)
		return bad(v, "NSEC3 order names what owns no NSEC3");
	(void)listed(v, LOST_LIST, ref);
	return 0;
}

// Was each entry of the lists a node, in its order?
static int lists_end(struct verifier *v)
{
	for (unsigned id = 0; id < LISTS; id++) {
		if (v->list[id].left != 0)
			return bad(v, "%s owners out of order, or no names", lists[id].name);
	}
	return 0;
}

static int nodes_verify(struct verifier *v)
{
	const struct image_section *order = &v->image.header->section[IMAGE_ORDER];
	const uint32_t *refs = image_at(&v->image, order->ref);
	const struct image_section *nodes = &v->image.header->section[IMAGE_NODES];
	struct names names = {.hash[0] = v->key.k[0]};
	struct slots slots = {0};
	uint64_t used;
	uint32_t ref = nodes->ref;
	int error = buckets_verify(v, &used);

	lists_begin(v);
	for (uint32_t rank = 0; rank < nodes->count && error == 0; rank++) {
		if (rank % IMAGE_ORDER_STEP == 0 && refs[rank / IMAGE_ORDER_STEP] != ref)
			return bad(v, "a node is not where the order has it");
		sum_ahead(v, (uint64_t)ref << 3);
		uint32_t owned = 0;
		error = node_verify(v, ref, &names, &owned);
		if (error != 0)
			break;
		const struct image_node *node = image_at(&v->image, ref);
		error = lists_verify(v, node, ref, owned);
		if (error == 0 && node->types != type_bit(RRTYPE_NSEC3))
			error = slots_put(v, &slots, names.hash[node->labels], ref);
		ref = (uint32_t)(v->end >> 3);
	}
	while (error == 0 && slots.looked < slots.put)
		error = slots_look(v, &slots);
	if (error == 0 && slots.put != used)
		return bad(v, "%llu names in the index, %llu in the zone", (unsigned long long)used,
		    (unsigned long long)slots.put);
	return error == 0 ? lists_end(v) : error;
}

static int hashes_verify(struct verifier *v, enum image_section_id id)
{
	const struct image_section *section = &v->image.header->section[id];
	const struct image_nsec3 *items = image_at(&v->image, section->ref);

	for (uint32_t i = 1; i < section->count; i++) {
		if (memcmp(items[i - 1].hash, items[i].hash, 20) >= 0)
			return bad(v, "NSEC3 hashes out of order");
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

	if (header->negative_ref != 0 && negative_verify(v, header->negative_ref) != 0)
		return -EINVAL;
	if (header->negative_do_ref != 0 && negative_verify(v, header->negative_do_ref) != 0)
		return -EINVAL;
	if (header->apex_ref != header->section[IMAGE_NODES].ref)
		return bad(v, "the apex is not the first name");
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

static int sections_verify(struct verifier *v)
{
	int error = nodes_verify(v);

	if (error == 0)
		error = hashes_verify(v, IMAGE_NSEC3_ORDER);
	if (error == 0)
		error = hashes_verify(v, IMAGE_NSEC3_LOST);
	if (error == 0)
		error = targets_verify(v);
	return error == 0 ? apex_verify(v) : error;
}

int image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX])
{
	struct verifier v = {.error = error};

	error[0] = '\0';
	if (format_verify(&v, mem, size) != 0)
		return -EINVAL;
	int bad_part = header_verify(&v);
	if (bad_part == 0)
		bad_part = sections_verify(&v);
	// What was damaged by accident is told as that, whatever was found before the end.
	if (image_sum_end(&v.sum, size) != v.image.header->checksum)
		return bad(&v, "checksum does not match: the image is damaged");
	return bad_part;
}
