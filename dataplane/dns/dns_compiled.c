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
#include "dns_reply.h"

// What to send for a lookup.
struct choice {
	const struct image_answer *answer;
	unsigned name_len; // the question's length that its pointers are right for
	unsigned flags;    // HEADER_AA
	uint16_t rcode;
	enum dns_outcome outcome;
	bool with_sigs;
	struct denial denial;
};

static bool choose_answer(
    struct choice *choice, const struct image *image, uint32_t answer_ref, uint32_t answer_do_ref)
{
	const uint32_t ref = choice->with_sigs ? answer_do_ref : answer_ref;

	choice->answer = image_at(image, ref);
	return ref != 0;
}

static bool choose_negative(const struct dns_query *query, const struct lookup *lookup,
    uint16_t rcode, struct choice *choice)
{
	const struct image *image = &query->version->layer[0];
	const struct image_header *header = image->header;

	if (!choose_answer(choice, image, header->negative_ref, header->negative_do_ref))
		return false;
	choice->name_len = header->apex_len;
	choice->rcode = rcode;
	choice->outcome = rcode == RCODE_NXDOMAIN ? DNS_OUTCOME_nxdomain : DNS_OUTCOME_nodata;
	if (choice->with_sigs && rcode == RCODE_NXDOMAIN)
		denial_nxdomain(&choice->denial, &query->qname, lookup);
	else if (choice->with_sigs)
		denial_nodata(&choice->denial, &query->qname, lookup);
	return true;
}

// The answer at a node that owns the question's name, or is its source of synthesis.
static bool choose_at_node(
    const struct dns_query *query, const struct lookup *lookup, struct choice *choice)
{
	const struct node_ref ref = lookup->node;

	if (query->qtype == RRTYPE_ANY || query->qtype == RRTYPE_RRSIG ||
	    ((ref.node->flags & NODE_CNAME) != 0 && query->qtype != RRTYPE_CNAME))
		return false;

	const struct image_rrset *rrset = node_rrset(ref, query->qtype);

	if (rrset == NULL || rrset->rr_count == 0 || query->qtype == RRTYPE_NSEC3)
		return choose_negative(query, lookup, RCODE_NOERROR, choice);
	if (!choose_answer(choice, ref.image, rrset->answer_ref, rrset->answer_do_ref))
		return false;
	choice->name_len = ref.node->name_len;
	choice->outcome = DNS_OUTCOME_answer;
	if (choice->with_sigs && lookup->kind == LOOKUP_WILDCARD)
		denial_wildcard(&choice->denial, &query->qname, lookup);
	return true;
}

static bool choose_referral(
    const struct dns_query *query, const struct lookup *lookup, struct choice *choice)
{
	const struct image_node *node = lookup->node.node;
	const struct image_rrset *ds;

	if (!choose_answer(choice, lookup->node.image, node->referral_ref, node->referral_do_ref))
		return false;
	choice->name_len = node->name_len;
	choice->flags = 0;
	choice->outcome = DNS_OUTCOME_referral;
	if (choice->with_sigs) {
		ds = node_rrset(lookup->node, RRTYPE_DS);
		if (ds == NULL || ds->rr_count == 0)
			denial_insecure(&choice->denial, &query->qname, lookup);
	}
	return true;
}

static bool choose(
    const struct dns_query *query, const struct lookup *lookup, struct choice *choice)
{
	choice->with_sigs = query_wants_sigs(query);
	choice->flags = HEADER_AA;
	choice->rcode = RCODE_NOERROR;
	denial_start(&choice->denial, query->version);
	switch (lookup->kind) {
	case LOOKUP_EXACT:
	case LOOKUP_WILDCARD:
		return choose_at_node(query, lookup, choice);
	case LOOKUP_REFERRAL:
		// DS at the cut is the parent's own data (RFC 4035 3.1.4.1).
		if (query->qtype == RRTYPE_DS && lookup->node.node->labels == query->qname.labels)
			return choose_at_node(query, lookup, choice);
		return choose_referral(query, lookup, choice);
	case LOOKUP_NXDOMAIN:
		return choose_negative(query, lookup, RCODE_NXDOMAIN, choice);
	case LOOKUP_DNAME:
		return false;
	}
	return false;
}

// Moves the pointers by `delta`. Post: the sum of the bytes after it, first byte even.
static uint16_t pointers_move(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	const uint16_t *patch = answer_patch(answer);
	const unsigned count = answer->patch_count, odd = answer->patch_odd, even = count - odd;

	for (unsigned i = 0; i < count; i++) { // at most 255
		uint8_t *at = body + patch[i];

		put16(at, (uint16_t)(get16(at) + delta));
	}
	return checksum_fold(
	    (uint64_t)answer->sum + (uint64_t)even * delta + ((uint64_t)(odd * delta) << 8));
}

// The bytes behind the question, for an answer that goes as it is.
static uint16_t body_put(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	bytes_copy(body, answer_bytes(answer), answer->size);
	return delta != 0 ? pointers_move(body, answer, delta) : answer->sum;
}

// The same with proofs behind the authority section. The additional section moves by their size;
// nothing points into it (its owners are names of the sections in front, its rdata are addresses).
// Post: the size of the whole, or 0 when it does not fit.
static size_t body_put_proofs(struct dns_query *query, struct choice *choice, unsigned delta,
    struct reply_counts *counts, uint16_t *sum)
{
	const struct image_answer *answer = choice->answer;
	const size_t begin = query->question_end, proof_at = begin + answer->proof_at;
	const size_t rest = (size_t)answer->size - answer->proof_at;
	const size_t cap = (size_t)query->reply_limit - query->opt_len;
	const size_t apex_at =
	    DNS_HEADER_LEN + (size_t)query->qname.start[version_apex_labels(query->version)];
	uint8_t *msg = query->msg;
	size_t at = proof_at;

	if (proof_at + rest > cap)
		return 0;
	bytes_copy(msg + begin, answer_bytes(answer), answer->proof_at);
	if (!denial_put(&choice->denial, msg, &at, cap - rest, apex_at, &counts->authority))
		return 0;
	bytes_copy(msg + at, answer_bytes(answer) + answer->proof_at, rest);

	const uint16_t *patch = answer_patch(answer);
	const uint16_t rest_sum = checksum_be(msg + at, rest);
	// Of the part in front: the whole less the rest (RFC 1071 2(C): less is plus the
	// complement).
	uint64_t total = (uint64_t)answer->sum + (uint16_t)~sum_at(rest_sum, answer->proof_at);

	total += sum_at(checksum_be(msg + proof_at, at - proof_at), answer->proof_at);
	total += sum_at(rest_sum, at - begin);
	for (unsigned i = 0; i < answer->patch_count && delta != 0; i++) { // at most 255
		const size_t pointer =
		    begin + patch[i] + (patch[i] < answer->proof_at ? 0 : at - proof_at);

		put16(msg + pointer, (uint16_t)(get16(msg + pointer) + delta));
		total += (pointer - begin) % 2 == 0 ? delta : (uint64_t)delta << 8;
	}
	*sum = checksum_fold(total);
	return at + rest - begin;
}

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;

	if (query->render_only || !choose(query, lookup, &choice))
		return false;

	const struct image_answer *answer = choice.answer;
	struct reply_counts counts = {answer->ancount, answer->nscount, answer->arcount};
	const unsigned delta = query->qname.len - choice.name_len;
	size_t size = answer->size;
	uint16_t sum;

	// What does not fit as a whole is for the renderer, which sends as much as fits.
	if (query->question_end + size + query->opt_len > query->reply_limit)
		return false;
	if (choice.denial.count == 0)
		sum = body_put(query->msg + query->question_end, answer, delta);
	else if ((size = body_put_proofs(query, &choice, delta, &counts, &sum)) == 0)
		return false;
	if (choice.denial.hashes != 0)
		tally(&context->counters->nsec3_hashes, choice.denial.hashes);
	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish(context, query, query->question_end + size, choice.flags, &counts, sum);
	return true;
}
