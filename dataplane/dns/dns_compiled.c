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
#include "writer.h"

#include <limits.h>

const uint8_t dns_pointer = DNS_POINTER;

// Bytes [begin, end) of an answer with a list to to[begin .. end): does a pointer carry?
static bool piece_put(
    uint8_t *to, const struct image_answer *answer, unsigned begin, unsigned end, unsigned delta)
{
	const bool carries = answer_moves(answer)->reach + delta > UINT8_MAX;

	moving_copy(to, answer_bytes(answer), begin, end, delta, carries);
	return carries;
}

// Puts right what piece_put() has taken for a pointer, or has not: `body` is where it has put the
// answer, `gap` further from `front` on. Post: the sum of the whole, as if there were no gap.
static uint64_t pieces_mend(uint8_t *body, const struct image_answer *answer, unsigned delta,
    bool carries, unsigned front, unsigned gap)
{
	const struct image_moves *moves = answer_moves(answer);
	const uint8_t *bytes = answer_bytes(answer);

	for (unsigned i = 0; i < moves->odd_count; i++) { // at most IMAGE_ODD_MAX
		const unsigned last = moves->odd[i], first = last - 1;
		const unsigned carry = carries && bytes[last] + delta > UINT8_MAX;
		const unsigned times = bytes[first] == DNS_POINTER ? UINT_MAX : 1; // -1

		body[last + (last < front ? 0 : gap)] += (uint8_t)(times * delta);
		body[first + (first < front ? 0 : gap)] += (uint8_t)(times * carry);
	}
	return checksum_of_wire((uint64_t)moves->weight * delta) + answer->sum;
}

uint64_t body_put_carrying(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	const bool carries = piece_put(body, answer, 0, answer->size, delta);

	return pieces_mend(body, answer, delta, carries, answer->size, 0);
}

static void deny(struct denial *denial, const struct choice *choice, const struct dns_query *query,
    const struct lookup *lookup)
{
	denial_start(denial, query->version);
	denial->denied = query->denied.labels != 0 ? &query->denied : NULL;
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

// Where the proofs go, and what is known of them so far.
struct proofs_place {
	uint8_t *msg;
	size_t at, cap;
	unsigned apex_at;
	unsigned rr_count;
	uint64_t sum; // of them, as if the first byte of the first stood at an even offset
};

// Post: false when it is to be rendered, or does not fit.
static inline bool proof_put(struct proofs_place *place, struct node_ref owner, uint16_t type)
{
	const struct image_rrset *rrset = node_rrset(owner, type);

	if (rrset == NULL || rrset_signed(rrset)->answer_do_at == 0)
		return false;

	const struct image_proof *proof = node_at(owner.node, rrset_signed(rrset)->answer_do_at);
	const uint16_t *pointer = proof_pointers(proof), *own = pointer + proof->apex_count;
	const uint16_t *end = own + proof->own_count;
	const unsigned at = (unsigned)place->at;
	uint8_t *to = place->msg + at;

	if (at + proof->size > place->cap || at >= WRITER_OFFSET_END)
		return false;
	bytes_copy(to, proof_bytes(proof), proof->size);
	for (; pointer < own; pointer++) // both together at most PROOF_POINTERS_MAX
		put16(to + *pointer, (uint16_t)(0xc000 | place->apex_at));
	for (; pointer < end; pointer++)
		put16(to + *pointer, (uint16_t)(0xc000 | at));

	const uint64_t moved = checksum_of_wire(
	    (uint64_t)proof->apex_weight * place->apex_at + (uint64_t)proof->own_weight * at);

	place->sum += checksum_at(checksum_fold(moved + proof->sum), at);
	place->at += proof->size;
	place->rr_count += proof->rr_count;
	return true;
}

// The same with proofs behind the authority section. The additional section moves by their size;
// nothing points into it (its owners are names of the sections in front, its rdata are addresses).
// Post: the size of the whole, or 0 when it does not fit, or is to be rendered.
static size_t body_put_proofs(struct dns_query *query, const struct image_answer *answer,
    const struct denial *denial, unsigned delta, unsigned *proofs, uint64_t *sum)
{
	const unsigned front = answer_proof_at(answer);
	const size_t begin = query->question_end, proof_at = begin + front;
	const size_t rest = (size_t)answer->size - front;
	const uint16_t type = version_has_nsec3(denial->version) ? RRTYPE_NSEC3 : RRTYPE_NSEC;
	uint8_t *msg = query->msg;
	struct proofs_place place = {.msg = msg,
	    .at = proof_at,
	    .cap = (size_t)query->reply_limit - query->opt_len - rest,
	    .apex_at =
	        DNS_HEADER_LEN + query->qname.len - version_header(denial->version)->apex_len};
	uint64_t total = 0;
	bool carries = false;

	if (rest == 0)
		total = body_put(msg + begin, answer, delta);
	else
		carries = piece_put(msg + begin, answer, 0, front, delta);
	for (unsigned i = 0; i < denial->count; i++) { // at most three
		if (!proof_put(&place, denial->node[i], type))
			return 0;
	}

	const size_t at = place.at;

	if (rest != 0) { // and so it has a list
		const unsigned gap = (unsigned)(at - proof_at);

		(void)piece_put(msg + begin + gap, answer, front, answer->size, delta);
		total = pieces_mend(msg + begin, answer, delta, carries, front, gap);

		const uint64_t rest_sum = checksum_sum(msg + at, rest, 0);

		// What was summed where it stood (RFC 1071 2(C): less is plus the complement), and
		// now stands elsewhere.
		total = checksum_add(total, ~checksum_at(rest_sum, front));
		total = checksum_add(total, checksum_at(rest_sum, at - begin));
	}
	*proofs = place.rr_count;
	*sum = checksum_add(total, checksum_at(place.sum, begin));
	return at + rest - begin;
}

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;
	struct denial denial;
	unsigned proofs = 0;
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
	    answer_counts(choice.answer) + reply_counts(0, (uint16_t)proofs, 0), sum);
	return true;
}
