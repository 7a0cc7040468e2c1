// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Copying compiled answers. The bytes behind the question are ready in the image, and so is their
// sum; what is left is to move the compression pointers when the question is longer than the name
// the answer was compiled for, the header, and OPT. With DO the proofs of what an answer denies are
// put in behind its authority section.
#include "dns_compiled.h"

#include "dns_denial.h"
#include "dns_internal.h"
#include "dns_lookup.h"
#include "dns_reply.h"

// What to send for a lookup.
struct choice {
	const struct image_answer *answer;
	unsigned name_len; // the question's length that its pointers are right for
	unsigned flags;    // HEADER_AA
	uint16_t rcode;
	enum dns_outcome outcome;
	enum { DENY_NOTHING, DENY_NAME, DENY_TYPE, DENY_WILDCARD, DENY_DS } deny;
};

static inline bool choose_answer(
    struct choice *choice, const struct image *image, uint32_t answer_ref)
{
	choice->answer = image_at(image, answer_ref);
	return answer_ref != 0;
}

static inline bool choose_negative(
    const struct dns_query *query, bool with_sigs, bool name_exists, struct choice *choice)
{
	const struct image *image = &query->version->layer[0];
	const struct image_header *header = image->header;

	choice->name_len = header->apex_len;
	choice->rcode = name_exists ? RCODE_NOERROR : RCODE_NXDOMAIN;
	choice->outcome = name_exists ? DNS_OUTCOME_nodata : DNS_OUTCOME_nxdomain;
	if (with_sigs)
		choice->deny = name_exists ? DENY_TYPE : DENY_NAME;
	return choose_answer(
	    choice, image, with_sigs ? header->negative_do_ref : header->negative_ref);
}

// The answer at a node that owns the question's name, or is its source of synthesis.
static inline bool choose_at_node(const struct dns_query *query, struct node_ref ref, bool wild,
    bool with_sigs, struct choice *choice)
{
	if (query->qtype == RRTYPE_ANY || query->qtype == RRTYPE_RRSIG ||
	    ((ref.node->flags & NODE_CNAME) != 0 && query->qtype != RRTYPE_CNAME))
		return false;

	const struct image_rrset *rrset = node_rrset(ref, query->qtype);

	if (rrset == NULL || rrset->rr_count == 0 || query->qtype == RRTYPE_NSEC3)
		return choose_negative(query, with_sigs, true, choice);
	choice->name_len = ref.node->name_len;
	choice->outcome = DNS_OUTCOME_answer;
	if (with_sigs && wild)
		choice->deny = DENY_WILDCARD;
	return choose_answer(
	    choice, ref.image, with_sigs ? rrset->answer_do_ref : rrset->answer_ref);
}

static inline bool choose_referral(struct node_ref cut, bool with_sigs, struct choice *choice)
{
	choice->name_len = cut.node->name_len;
	choice->flags = 0;
	choice->outcome = DNS_OUTCOME_referral;
	if (with_sigs) {
		const struct image_rrset *ds = node_rrset(cut, RRTYPE_DS);

		if (ds == NULL || ds->rr_count == 0)
			choice->deny = DENY_DS;
	}
	return choose_answer(
	    choice, cut.image, with_sigs ? cut.node->referral_do_ref : cut.node->referral_ref);
}

static inline bool choose(const struct dns_query *query, enum lookup_kind kind, struct node_ref ref,
    struct choice *choice)
{
	const bool with_sigs = query_wants_sigs(query);

	choice->flags = HEADER_AA;
	choice->rcode = RCODE_NOERROR;
	choice->deny = DENY_NOTHING;
	switch (kind) {
	case LOOKUP_EXACT:
	case LOOKUP_WILDCARD:
		return choose_at_node(query, ref, kind == LOOKUP_WILDCARD, with_sigs, choice);
	case LOOKUP_REFERRAL:
		// DS at the cut is the parent's own data (RFC 4035 3.1.4.1).
		if (query->qtype == RRTYPE_DS && ref.node->labels == query->qname.labels)
			return choose_at_node(query, ref, false, with_sigs, choice);
		return choose_referral(ref, with_sigs, choice);
	case LOOKUP_NXDOMAIN:
		return choose_negative(query, with_sigs, false, choice);
	case LOOKUP_DNAME:
		return false;
	}
	return false;
}

static inline void pointer_move(uint8_t *at, unsigned delta)
{
	put16(at, (uint16_t)(get16(at) + delta));
}

// Moves all pointers by `delta`, most often without a carry out of any one's last byte. Post: the
// sum of the bytes after it, the first at an even offset.
static inline uint64_t pointers_move(
    uint8_t *restrict body, const struct image_answer *restrict answer, unsigned delta)
{
	const uint16_t *patch = answer_patch(answer), *end = patch + answer->patch_count;

	if (answer->reach + delta <= UINT8_MAX) { // at most 64 steps, each of four pointers
		for (; patch < end; patch += IMAGE_PATCH_STEP) {
			body[patch[0] + 1] += (uint8_t)delta;
			body[patch[1] + 1] += (uint8_t)delta;
			body[patch[2] + 1] += (uint8_t)delta;
			body[patch[3] + 1] += (uint8_t)delta;
		}
	} else {
		for (; patch < end; patch++) // at most 255
			pointer_move(body + *patch, delta);
	}
	return checksum_of_wire((uint64_t)answer->weight * delta) + answer->sum;
}

// The bytes behind the question, for an answer that goes as it is.
static inline uint64_t body_put(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	bytes_copy(body, answer_bytes(answer), answer->size);
	return delta != 0 ? pointers_move(body, answer, delta) : answer->sum;
}

static void deny(struct denial *denial, const struct choice *choice, const struct dns_query *query,
    const struct lookup *lookup)
{
	denial_start(denial, query->version);
	switch (choice->deny) {
	case DENY_NOTHING:
		break;
	case DENY_NAME:
		denial_nxdomain(denial, &query->qname, lookup);
		break;
	case DENY_TYPE:
		denial_nodata(denial, &query->qname, lookup);
		break;
	case DENY_WILDCARD:
		denial_wildcard(denial, &query->qname, lookup);
		break;
	case DENY_DS:
		denial_insecure(denial, &query->qname, lookup);
		break;
	}
}

// The same with proofs behind the authority section. The additional section moves by their size;
// nothing points into it (its owners are names of the sections in front, its rdata are addresses).
// Post: the size of the whole, or 0 when it does not fit.
static size_t body_put_proofs(struct dns_query *query, const struct image_answer *answer,
    struct denial *denial, unsigned delta, uint16_t *proofs, uint64_t *sum)
{
	const size_t begin = query->question_end, proof_at = begin + answer->proof_at;
	const size_t rest = (size_t)answer->size - answer->proof_at;
	const size_t cap = (size_t)query->reply_limit - query->opt_len;
	const size_t apex_at =
	    DNS_HEADER_LEN + (size_t)query->qname.start[version_apex_labels(query->version)];
	const uint16_t *patch = answer_patch(answer);
	uint8_t *msg = query->msg;
	size_t at = proof_at;
	uint64_t total = answer->sum, wire = 0;

	if (proof_at + rest > cap)
		return 0;
	bytes_copy(msg + begin, answer_bytes(answer), answer->proof_at);
	if (!denial_put(denial, msg, &at, cap - rest, apex_at, proofs))
		return 0;
	bytes_copy(msg + at, answer_bytes(answer) + answer->proof_at, rest);

	if (rest != 0) {
		const uint64_t rest_sum = checksum_sum(msg + at, rest, 0);

		// What was summed where it stood (RFC 1071 2(C): less is plus the complement), and
		// now stands elsewhere.
		total = checksum_add(total, ~checksum_at(rest_sum, answer->proof_at));
		total = checksum_add(total, checksum_at(rest_sum, at - begin));
	}
	total = checksum_add(
	    total, checksum_at(checksum_sum(msg + proof_at, at - proof_at, 0), answer->proof_at));
	for (unsigned i = 0; i < answer->patch_count && delta != 0; i++) { // at most 255
		const size_t pointer =
		    begin + patch[i] + (patch[i] < answer->proof_at ? 0 : at - proof_at);

		pointer_move(msg + pointer, delta);
		wire += (pointer - begin) % 2 == 0 ? delta : (uint64_t)delta << 8;
	}
	*sum = checksum_add(total, checksum_of_wire(wire));
	return at + rest - begin;
}

// The numbers of an answer's records: one load.
static inline uint64_t answer_counts(const struct image_answer *answer)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t counts;

	memcpy(&counts, &answer->arcount, sizeof counts);
	return counts & 0xffffffffffff; // without the size
#else
	return reply_counts(answer->ancount, answer->nscount, answer->arcount);
#endif
}

static inline bool compiled_fits(const struct dns_query *query, const struct image_answer *answer)
{
	return query->question_end + (size_t)answer->size + query->opt_len <= query->reply_limit;
}

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;
	struct denial denial;
	uint16_t proofs = 0;
	uint64_t sum;

	// What does not fit as a whole is for the renderer, which sends as much as fits.
	if (query->render_only || !choose(query, lookup->kind, lookup->node, &choice) ||
	    !compiled_fits(query, choice.answer))
		return false;

	const unsigned delta = query->qname.len - choice.name_len;
	size_t size = choice.answer->size;

	deny(&denial, &choice, query, lookup);
	if (denial.count == 0)
		sum = body_put(query->msg + query->question_end, choice.answer, delta);
	else
		size = body_put_proofs(query, choice.answer, &denial, delta, &proofs, &sum);
	if (size == 0)
		return false;
	if (denial.hashes != 0)
		tally(&context->counters->nsec3_hashes, denial.hashes);
	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish(context, query, query->question_end + size, choice.flags,
	    answer_counts(choice.answer) + reply_counts(0, proofs, 0), sum);
	return true;
}

bool dns_compiled_direct(const struct dns_context *context, struct dns_query *query)
{
	const struct node_ref node = query->node;
	struct choice choice;
	enum lookup_kind kind;

	if (query->state != QUERY_LOOKUP || query->render_only ||
	    (query->options | query->zone_options) != 0 || !dns_lookup_direct(query, &kind) ||
	    !choose(query, kind, node, &choice) || choice.deny != DENY_NOTHING ||
	    !compiled_fits(query, choice.answer))
		return false;

	const size_t size = choice.answer->size;
	const uint64_t counts = answer_counts(choice.answer);
	const uint64_t sum = body_put(
	    query->msg + query->question_end, choice.answer, query->qname.len - choice.name_len);

	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish_plain(
	    context, query, query->question_end + size, choice.flags, choice.rcode, counts, sum);
	return true;
}
