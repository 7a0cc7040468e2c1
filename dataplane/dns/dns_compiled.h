// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Answers that the compiler has written: which one a lookup asks for, and its bytes behind the
// question. Inline, because it is the last part of the way that nearly all queries take
// (dns_plain.h); dns_compiled_emit() goes it for the rest, with proofs where they are due.
#pragma once

#include "denial_search.h"
#include "dns_internal.h"
#include "dns_reply.h"

#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

// Post: true when the reply is written; false when the question needs the renderer, and nothing of
// the header and the question was written.
bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup);

// What of a query decides which answer it gets.
struct asking {
	const struct zone_version *version;
	unsigned qtype;
	unsigned labels; // of the name
	bool with_sigs;
};

static inline struct asking asking_of(const struct dns_query *query)
{
	return (struct asking){
	    query->version, query->qtype, query->qname.labels, query_wants_sigs(query)};
}

// What to send for a lookup.
struct choice {
	const struct image_answer *answer;
	unsigned name_len; // the question's length that its pointers are right for
	unsigned flags;    // HEADER_AA
	uint16_t rcode;
	uint32_t head; // both as they stand in a header's first four bytes, little-endian
	enum dns_outcome outcome;
	enum { DENY_NOTHING, DENY_NAME, DENY_TYPE, DENY_WILDCARD, DENY_DS } deny;
};

static inline bool choose_answer(
    struct choice *choice, const struct image_node *node, unsigned answer_at)
{
	choice->answer = node_at(node, answer_at);
	return answer_at != 0;
}

static inline __attribute__((always_inline)) bool choose_negative(
    struct asking asking, bool name_exists, struct choice *choice)
{
	const struct image *image = &asking.version->layer[0];

	choice->name_len = asking.version->apex_len;
	choice->rcode = name_exists ? RCODE_NOERROR : RCODE_NXDOMAIN;
	choice->head = HEADER_AA << 16 | (uint32_t)choice->rcode << 24;
	choice->outcome = name_exists ? DNS_OUTCOME_nodata : DNS_OUTCOME_nxdomain;
	if (asking.with_sigs)
		choice->deny = name_exists ? DENY_TYPE : DENY_NAME;
	const uint32_t ref = asking.with_sigs ? image->negative_do_ref : image->negative_ref;

	choice->answer = image_at(image, ref);
	return ref != 0;
}

// Does a chain in this image say what the version has? Overlays hold the names of those that do
// not, one by one, or say that there are too many of them. The SOA differs in each version.
static inline bool chain_holds(const struct zone_version *version, const struct image *image,
    const struct image_answer *answer)
{
	if (version->layer_count == 1)
		return true;
	for (const struct image *above = version->layer; above < image; above++) { // at most two
		if ((above->flags & IMAGE_NO_CHAINS) != 0)
			return false;
	}
	return answer->nscount == 0;
}

// A CNAME and what it leads to. Pre: the type is neither that nor ANY, RRSIG or NSEC3.
static inline __attribute__((always_inline)) bool choose_chain(
    struct asking asking, struct node_ref ref, struct choice *choice)
{
	const struct image_node_leads *leads = node_leads(ref.node);

	if (leads->answer_at == 0 || (ref.node->flags & NODE_CUT) != 0)
		return false;

	const struct image_chain *chain = node_at(ref.node, leads->answer_at);
	const unsigned which = asking.qtype == RRTYPE_A      ? CHAIN_A
	                       : asking.qtype == RRTYPE_AAAA ? CHAIN_AAAA
	                                                     : CHAIN_OTHER;

	if (which == CHAIN_OTHER && (chain->types & type_bit((uint16_t)asking.qtype)) != 0)
		return false;
	if (!choose_answer(
	        choice, ref.node, asking.with_sigs ? chain->do_at[which] : chain->at[which]) ||
	    !chain_holds(asking.version, ref.image, choice->answer))
		return false;
	choice->name_len = ref.node->name_len;
	choice->outcome = DNS_OUTCOME_answer;
	if (choice->answer->nscount != 0) {
		choice->outcome = chain->no_name ? DNS_OUTCOME_nxdomain : DNS_OUTCOME_nodata;
		choice->rcode = chain->no_name ? RCODE_NXDOMAIN : RCODE_NOERROR;
		choice->head |= (uint32_t)choice->rcode << 24;
	}
	return true;
}

static_assert(RRTYPE_NSEC == RRTYPE_RRSIG + 1, "choose_at_node");

// The answer at a node that owns the question's name, or is its source of synthesis.
static inline __attribute__((always_inline)) bool choose_at_node(
    struct asking asking, struct node_ref ref, bool wild, struct choice *choice)
{
	if (asking.qtype == RRTYPE_ANY || asking.qtype - RRTYPE_RRSIG <= 1) // and NSEC
		return false;
	if ((ref.node->flags & NODE_CNAME) != 0 && asking.qtype != RRTYPE_CNAME)
		return asking.qtype != RRTYPE_NSEC3 && choose_chain(asking, ref, choice);

	const struct image_rrset *rrset = node_rrset(ref, (uint16_t)asking.qtype);

	if (rrset == NULL || rrset->rr_count == 0 || asking.qtype == RRTYPE_NSEC3)
		return choose_negative(asking, true, choice);
	choice->name_len = ref.node->name_len;
	choice->outcome = DNS_OUTCOME_answer;
	if (asking.with_sigs && wild)
		choice->deny = DENY_WILDCARD;
	return choose_answer(choice, ref.node,
	    asking.with_sigs ? rrset_signed(rrset)->answer_do_at : rrset->answer_at);
}

static inline __attribute__((always_inline)) bool choose_referral(
    struct asking asking, struct node_ref cut, struct choice *choice)
{
	choice->name_len = cut.node->name_len;
	choice->flags = choice->head = 0;
	choice->outcome = DNS_OUTCOME_referral;
	if (asking.with_sigs && (cut.node->flags & NODE_TAKES_PROOF) != 0)
		choice->deny = DENY_DS;

	const struct image_node_leads *leads = node_leads(cut.node);

	return choose_answer(
	    choice, cut.node, asking.with_sigs ? leads->answer_do_at : leads->answer_at);
}

// Begins with what most answers are.
static inline void choose_start(struct choice *choice)
{
	choice->flags = HEADER_AA;
	choice->head = HEADER_AA << 16;
	choice->rcode = RCODE_NOERROR;
	choice->deny = DENY_NOTHING;
}

static inline __attribute__((always_inline)) bool choose(
    struct asking asking, enum lookup_kind kind, struct node_ref ref, struct choice *choice)
{
	choose_start(choice);
	switch (kind) {
	case LOOKUP_EXACT:
	case LOOKUP_WILDCARD:
		return choose_at_node(asking, ref, kind == LOOKUP_WILDCARD, choice);
	case LOOKUP_REFERRAL:
		// DS at the cut is the parent's own data (RFC 4035 3.1.4.1).
		if (asking.qtype == RRTYPE_DS && ref.node->labels == asking.labels)
			return choose_at_node(asking, ref, false, choice);
		return choose_referral(asking, ref, choice);
	case LOOKUP_NXDOMAIN:
		return choose_negative(asking, false, choice);
	case LOOKUP_DNAME:
		return false;
	}
	return false;
}

extern const uint8_t dns_pointer;

// What moving_copy() does to 32 bytes.
#if !defined(NAMEPLANE_PORTABLE) && defined(__AVX2__)
typedef uint8_t moving_lanes __attribute__((vector_size(32), aligned(1), may_alias));
struct moving {
	moving_lanes pointer, more;
};

static inline __attribute__((always_inline)) struct moving moving_by(unsigned delta)
{
	const uint8_t *first = &dns_pointer;

	// So that the compiler takes it from memory, where it would make it anew each time.
	__asm__("" : "+r"(first));
	return (struct moving){(moving_lanes){0} + *first, (moving_lanes){0} + (uint8_t)delta};
}

static inline __attribute__((always_inline)) moving_lanes moving_load(
    const uint8_t *at, struct moving by)
{
	return *(const moving_lanes *)at +
	       ((moving_lanes)(*(const moving_lanes *)(at - 1) == by.pointer) & by.more);
}
#endif

// Copies from[begin .. end) to to[begin .. end), whole steps of it as bytes_copy(), and moves what
// looks like a pointer in it by `delta`: a byte behind a c0 grows; with `carries` a c0 in front of
// one that comes to more than a byte does, too. All is made of what is read there, and nothing is
// read back. Pre: begin < end; delta <= 255; without `carries` no pointer's last byte and delta
// come to more.
static inline __attribute__((always_inline)) void moving_copy(uint8_t *restrict to,
    const uint8_t *restrict from, unsigned begin, unsigned end, unsigned delta, bool carries)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	for (unsigned i = begin; i < end; i++) { // an answer's size
		to[i] = from[i];
		if (i > 0 && from[i - 1] == DNS_POINTER)
			to[i] += (uint8_t)delta;
		if (carries && from[i] == DNS_POINTER && from[i + 1] + delta > UINT8_MAX)
			to[i]++;
	}
#else
	typedef moving_lanes lanes;
	const uint8_t *from_end = from + end;
	uint8_t *to_end = to + end;
	const struct moving by = moving_by(delta);
	const lanes most = (lanes){0} + (uint8_t)(UINT8_MAX - delta);

	long i = (long)begin - (long)end;

	do {
		// So that the compiler counts by nothing else.
		__asm__("" : "+r"(i), "+r"(from_end), "+r"(to_end));
		const uint8_t *at = from_end + i;
		lanes v[2];

#pragma GCC unroll 2
		for (unsigned k = 0; k < 2; k++, at += 32) {
			v[k] = moving_load(at, by);
			if (carries)
				v[k] -= (lanes)(*(const lanes *)at == by.pointer) &
				        (lanes)(*(const lanes *)(at + 1) > most);
		}
		*(lanes *)(to_end + i) = v[0];
		*(lanes *)(to_end + i + 32) = v[1];
		i += COPY_STEP;
	} while (i < 0);
#endif
}

// The same of the first bytes of an answer that is no shorter than most referrals: how often a loop
// has to go round for those nobody can guess. Post: so many they were.
#define PUT_AT_ONCE     320
#define PUT_AT_ONCE_MIN (PUT_AT_ONCE - IMAGE_TAIL + 1) // of a shorter one nothing so far behind
static inline __attribute__((always_inline)) unsigned moving_copy_first(
    uint8_t *restrict to, const uint8_t *restrict from, unsigned delta)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	return 0;
#else
	const struct moving by = moving_by(delta);

#pragma GCC unroll 10
	for (unsigned i = 0; i < PUT_AT_ONCE; i += 32)
		*(moving_lanes *)(to + i) = moving_load(from + i, by);
	return PUT_AT_ONCE;
#endif
}

// body_put() where a pointer carries, or looks like none.
uint32_t body_put_carrying(uint8_t *body, const struct image_answer *answer, unsigned delta);

// The bytes behind the question, for one that is `delta` longer than the answer's own name; `room`
// bytes may be written there in any case. Post: their sum, the first at an even offset: below
// BODY_SUM_END.
#define BODY_SUM_END (1u << 25)
static inline __attribute__((always_inline)) uint32_t body_put(
    uint8_t *body, const struct image_answer *answer, unsigned delta, unsigned room)
{
	const uint8_t *bytes = answer_bytes(answer);

	if (answer->head == 1) {
		bytes_copy(body, bytes, answer->size);
		return answer->sum;
	}

	const struct image_moves *moves = answer_moves(answer);

	if (moves->reach + delta > UINT8_MAX)
		return body_put_carrying(body, answer, delta);

	unsigned put = 0;

	if (room >= PUT_AT_ONCE && answer->size >= PUT_AT_ONCE_MIN)
		put = moving_copy_first(body, bytes, delta);
	if (put < answer->size)
		moving_copy(body, bytes, put, answer->size, delta, false);
	for (unsigned i = 0; i < moves->odd_count; i++) { // at most IMAGE_ODD_MAX
		const unsigned at = moves->odd[i];

		body[at] = bytes[at];
	}
	return moves->weight * delta + answer->sum;
}

// Where an answer with proofs goes.
struct body_place {
	uint8_t *msg;
	unsigned begin, limit; // of the bytes behind the question
	unsigned apex_at;      // where the zone's apex stands in the question
};

// As body_put(), with proofs behind the authority section. The additional section moves by their
// size; nothing points into it (its owners are names of the sections in front, its rdata are
// addresses). Post: the size of the whole, *counts its records and *sum its sum; or 0 when it does
// not fit, or is to be rendered, and nothing was written.
unsigned body_put_proofs(struct body_place place, const struct image_answer *answer, unsigned delta,
    const struct proofs *proofs, uint64_t *counts, uint64_t *sum);

// The numbers of an answer's records, 16 bits each.
static inline uint64_t answer_counts(const struct image_answer *answer)
{
	return reply_counts(answer->ancount, answer->nscount, answer->arcount);
}

// The same as they stand in a header, behind a question's.
extern const uint8_t dns_counts_lanes[16];
static inline uint64_t answer_counts_be(const struct image_answer *answer)
{
#ifdef __SSE4_1__
	uint32_t all;

	memcpy(&all, answer, sizeof all);
	return (uint64_t)_mm_cvtsi128_si64(
	    _mm_shuffle_epi8(_mm_cvtsi32_si128((int)all), *(const __m128i *)dns_counts_lanes));
#else
	return htobe64(answer_counts(answer));
#endif
}

static inline bool compiled_fits(const struct dns_query *query, const struct image_answer *answer)
{
	return query->question_end + (size_t)answer->size + query->opt_len <= query->reply_limit;
}
