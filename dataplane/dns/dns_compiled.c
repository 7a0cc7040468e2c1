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
// Of an answer's first four bytes.
const uint8_t dns_counts_lanes[16] __attribute__((aligned(16))) = {0xff, 0xff, 0xff,
    offsetof(struct image_answer, ancount), 0xff, offsetof(struct image_answer, nscount), 0xff,
    offsetof(struct image_answer, arcount), [8 ... 15] = 0xff};

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
static uint32_t pieces_mend(uint8_t *body, const struct image_answer *answer, unsigned delta,
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
	return moves->weight * delta + answer->sum;
}

uint32_t body_put_carrying(uint8_t *body, const struct image_answer *answer, unsigned delta)
{
	const bool carries = piece_put(body, answer, 0, answer->size, delta);

	return pieces_mend(body, answer, delta, carries, answer->size, 0);
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

// Bytes of all of them.
static inline unsigned proofs_size(const struct proofs *proofs)
{
	unsigned size = 0;

	for (unsigned i = 0; i < proofs->count; i++) // at most PROOFS_MAX
		size += proofs->proof[i]->size;
	return size;
}

// Puts a proof at msg[at], the zone's apex is at msg[apex_at]. Post: its sum, as if the message's
// first byte stood at an even offset. Pre: at < WRITER_OFFSET_END.
static inline uint64_t proof_put(
    uint8_t *msg, unsigned at, unsigned apex_at, const struct image_proof *proof)
{
	const uint16_t *pointer = proof_pointers(proof), *own = pointer + proof->apex_count;
	const uint16_t *end = own + proof->own_count;
	uint8_t *to = msg + at;

	bytes_copy(to, proof_bytes(proof), proof->size);
	for (; pointer < own; pointer++) // both together at most PROOF_POINTERS_MAX
		put16(to + *pointer, (uint16_t)(0xc000 | apex_at));
	for (; pointer < end; pointer++)
		put16(to + *pointer, (uint16_t)(0xc000 | at));
	return checksum_turn(checksum_of_wire((uint64_t)proof->apex_weight * apex_at +
	                                      (uint64_t)proof->own_weight * at) +
	                         proof->sum,
	    at);
}

// What is behind the proofs, `gap` further on. Post: the sum of the whole but for them.
static __attribute__((noinline)) uint64_t rest_put(uint8_t *body, const struct image_answer *answer,
    unsigned delta, bool carries, unsigned front, unsigned gap)
{
	const size_t rest = (size_t)answer->size - front;

	(void)piece_put(body + gap, answer, front, answer->size, delta);

	const uint64_t total = pieces_mend(body, answer, delta, carries, front, gap);
	const uint64_t rest_sum = checksum_sum(body + front + gap, rest, 0);

	// What was summed where it stood (RFC 1071 2(C): less is plus the complement), and now
	// stands elsewhere.
	return checksum_add(
	    checksum_add(total, ~checksum_at(rest_sum, front)), checksum_at(rest_sum, front + gap));
}

unsigned body_put_proofs(struct body_place place, const struct image_answer *answer, unsigned delta,
    const struct proofs *proofs, uint64_t *counts, uint64_t *sum)
{
	const unsigned front = answer_proof_at(answer), gap = proofs_size(proofs);
	const unsigned begin = place.begin, size = answer->size + gap;
	unsigned at = begin + front, records = 0;
	const bool whole = gap == 0 || front == answer->size;
	uint64_t total = 0, added = 0;
	bool carries = false;

	if (begin + size > place.limit || at + gap > WRITER_OFFSET_END)
		return 0;
	if (whole)
		total = body_put(place.msg + begin, answer, delta, 0);
	else
		carries = piece_put(place.msg + begin, answer, 0, front, delta);
	for (unsigned i = 0; i < proofs->count; i++) { // at most PROOFS_MAX
		const struct image_proof *proof = proofs->proof[i];

		added = checksum_add(added, proof_put(place.msg, at, place.apex_at, proof));
		at += proof->size;
		records += proof->rr_count;
	}
	if (!whole) // and so it has a list
		total = rest_put(place.msg + begin, answer, delta, carries, front, gap);
	*counts = answer_counts(answer) + reply_counts(0, (uint16_t)records, 0);
	*sum = checksum_add(total, checksum_turn(added, begin));
	return size;
}

// Those that are compiled. Post: false when one is not.
static bool denial_compiled(const struct denial *denial, struct proofs *proofs)
{
	const uint16_t type = version_has_nsec3(denial->version) ? RRTYPE_NSEC3 : RRTYPE_NSEC;

	proofs->count = 0;
	for (unsigned i = 0; i < denial->count; i++) { // at most three
		if (!proofs_add(proofs, owner_proof(denial->node[i], type)))
			return false;
	}
	return true;
}

bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup)
{
	struct choice choice;
	struct denial denial;
	struct proofs proofs;
	uint64_t sum, counts;

	// What does not fit as a whole is for the renderer, which sends as much as fits.
	if (query->render_only || !choose(asking_of(query), lookup->kind, lookup->node, &choice) ||
	    !compiled_fits(query, choice.answer))
		return false;
	deny(&denial, &choice, query, lookup);
	if (!denial_compiled(&denial, &proofs))
		return false;

	const struct body_place place = {.msg = query->msg,
	    .begin = query->question_end,
	    .limit = (unsigned)query->reply_limit - query->opt_len,
	    .apex_at =
	        DNS_HEADER_LEN + query->qname.len - version_header(query->version)->apex_len};
	const unsigned size = body_put_proofs(
	    place, choice.answer, query->qname.len - choice.name_len, &proofs, &counts, &sum);

	if (size == 0)
		return false;
	if (denial.hashes != 0)
		tally(&context->counters->nsec3_hashes, denial.hashes);
	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish(context, query, query->question_end + size, choice.flags, counts, sum);
	return true;
}
