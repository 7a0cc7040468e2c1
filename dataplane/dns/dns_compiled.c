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

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;
	struct denial denial;
	uint16_t proofs = 0;
	uint64_t sum;

	// What does not fit as a whole is for the renderer, which sends as much as fits.
	if (query->render_only || !choose(asking_of(query), lookup->kind, lookup->node, &choice) ||
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
