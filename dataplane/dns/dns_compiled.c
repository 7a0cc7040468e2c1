// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Copying compiled answers. The bytes behind the question are ready in the image, and so is their
// sum; what is left is to move the compression pointers when the question is longer than the name
// the answer was compiled for, the header, and OPT.
#include "dns_compiled.h"

#include "dns_internal.h"
#include "dns_reply.h"

// What to send for a lookup.
struct choice {
	const struct image_answer *answer;
	unsigned name_len; // the question's length that its pointers are right for
	unsigned flags;    // HEADER_AA
	uint16_t rcode;
	enum dns_outcome outcome;
};

static bool choose_negative(
    const struct dns_query *query, uint16_t rcode, enum dns_outcome outcome, struct choice *choice)
{
	const struct image *image = &query->version->layer[0];

	if (image->header->negative_ref == 0)
		return false;
	choice->answer = image_at(image, image->header->negative_ref);
	choice->name_len = image->header->apex_len;
	choice->flags = HEADER_AA;
	choice->rcode = rcode;
	choice->outcome = outcome;
	return true;
}

// The answer at a node that owns the question's name, or is its source of synthesis.
static bool choose_at_node(
    const struct dns_query *query, struct node_ref ref, struct choice *choice)
{
	if (query->qtype == RRTYPE_ANY || query->qtype == RRTYPE_RRSIG ||
	    ((ref.node->flags & NODE_CNAME) != 0 && query->qtype != RRTYPE_CNAME))
		return false;

	const struct image_rrset *rrset = node_rrset(ref, query->qtype);

	if (rrset == NULL || rrset->rr_count == 0 || query->qtype == RRTYPE_NSEC3)
		return choose_negative(query, RCODE_NOERROR, DNS_OUTCOME_nodata, choice);
	if (rrset->answer_ref == 0)
		return false;
	choice->answer = image_at(ref.image, rrset->answer_ref);
	choice->name_len = ref.node->name_len;
	choice->flags = HEADER_AA;
	choice->rcode = RCODE_NOERROR;
	choice->outcome = DNS_OUTCOME_answer;
	return true;
}

static bool choose(
    const struct dns_query *query, const struct lookup *lookup, struct choice *choice)
{
	const struct image_node *node = lookup->node.node;

	switch (lookup->kind) {
	case LOOKUP_EXACT:
	case LOOKUP_WILDCARD:
		return choose_at_node(query, lookup->node, choice);
	case LOOKUP_REFERRAL:
		// DS at the cut is the parent's own data (RFC 4035 3.1.4.1).
		if (query->qtype == RRTYPE_DS && node->labels == query->qname.labels)
			return choose_at_node(query, lookup->node, choice);
		if (node->referral_ref == 0)
			return false;
		choice->answer = image_at(lookup->node.image, node->referral_ref);
		choice->name_len = node->name_len;
		choice->flags = 0;
		choice->rcode = RCODE_NOERROR;
		choice->outcome = DNS_OUTCOME_referral;
		return true;
	case LOOKUP_NXDOMAIN:
		return choose_negative(query, RCODE_NXDOMAIN, DNS_OUTCOME_nxdomain, choice);
	case LOOKUP_DNAME:
		return false;
	}
	return false;
}

// Whole 32-byte words: up to 31 bytes past the end are read (IMAGE_TAIL allows it) and written
// (DNS_WRITE_SLACK allows it; OPT comes over them).
static void bytes_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i += 32)
		memcpy(to + i, from + i, 32);
}

// Moves the pointers by `delta`. Post: the sum of the bytes after it, first byte even.
static uint16_t pointers_move(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	const uint16_t *patch = answer_patch(answer);
	unsigned odd = answer->patch_odd;
	unsigned even = answer->patch_count - odd;

	for (unsigned i = 0; i < answer->patch_count; i++) { // at most 255
		uint8_t *at = body + patch[i];

		put16(at, (uint16_t)(get16(at) + delta));
	}
	return sum_fold(
	    (uint64_t)answer->sum + (uint64_t)even * delta + ((uint64_t)(odd * delta) << 8));
}

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;

	if (query->render_only ||
	    (query->edns_do && version_header(query->version)->rrsig_expiry_min != 0) ||
	    !choose(query, lookup, &choice))
		return false;

	const struct image_answer *answer = choice.answer;
	size_t end = query->question_end + (size_t)answer->size;

	// What does not fit as a whole is for the renderer, which sends as much as fits.
	if (end + query->opt_len > query->reply_limit)
		return false;

	struct reply_counts counts = {answer->ancount, answer->nscount, answer->arcount};
	uint8_t *body = query->msg + query->question_end;
	unsigned delta = query->qname.len - choice.name_len;
	uint16_t sum = answer->sum;

	bytes_copy(body, answer_bytes(answer), answer->size);
	if (delta != 0)
		sum = pointers_move(body, answer, delta);
	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish(context, query, end, choice.flags, &counts, sum);
	return true;
}
