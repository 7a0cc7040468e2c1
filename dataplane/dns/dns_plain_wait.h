// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The way of those that wait (dns_plain.h), inline: how it begins, and how it ends; for
// frame_answer.c, which has a frame's headers on both ends of it, and for dns_plain.c. Between the
// two are the steps (dns_plain_steps.c). In a burst for many zones nothing can be guessed: names
// of all lengths, types of all kinds. So it is made without branches that go by those, where a
// branch guessed wrong costs more than what it would save.
#pragma once

#include "dns_plain_way.h"
#include "pick.h"

#define WALK_LABELS 4  // of a name, gone through at once
#define PUT_FIRST   96 // bytes of an answer, copied at once

static_assert(PUT_FIRST + 1 <= IMAGE_TAIL, "no more than that is read behind an answer's begin");
static_assert(DNS_HEADER_LEN + NAME_LEN_MAX + 4 + PUT_FIRST <= DNS_UDP_MIN,
    "what is copied at once stays in the buffer");

// The name that the last of the queue asks for, which is not all in lower case.
void plain_ask_lower(struct plain_queue *queue);

// As dns_plain_ask(), for a message whose header is a plain query's.
static inline __attribute__((always_inline)) bool plain_ask(
    struct dns_plain *at_hand, struct plain_queue *queue, uint8_t *msg, unsigned len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct plain_waiting *const waiting = &queue->waiting[queue->count];
	const uint8_t *const name = msg + DNS_HEADER_LEN;
	unsigned at = 0, labels = 0, long_bits = 0, type;
	uint64_t opt;

	// No question is shorter, or as long; and of what is no message at all no more is read.
	if (len - (DNS_HEADER_LEN + 5) > DNS_UDP_MIN)
		return false;
		// The root again where the name has ended.
#pragma GCC unroll 4
	for (unsigned i = 0; i < WALK_LABELS; i++) {
		unsigned n = name[at];

		waiting->order[i] = (uint8_t)at;
		long_bits |= n;
		labels += n != 0;
		// So that the compiler compares twice, which is less than to keep what came out.
		__asm__("" : "+r"(n));
		at += n != 0;
		at += n & NAME_LABEL_MAX;
	}
	if (__builtin_expect(name[at] != 0, 0)) {
		for (unsigned n; labels <= PLAIN_LABELS_MAX && (n = name[at]) != 0; labels++) {
			waiting->order[labels] = (uint8_t)at;
			long_bits |= n;
			at += (n & NAME_LABEL_MAX) + 1;
		}
		if (labels > PLAIN_LABELS_MAX)
			return false;
	}
	if (((long_bits & ~NAME_LABEL_MAX) | (at & ~0xffu)) != 0 || at == 0xff ||
	    !plain_fields(msg, at, len, at_hand->type_odd, &type, &opt))
		return false;
	waiting->order[labels] = (uint8_t)at;
	waiting->msg = msg;
	waiting->name = name;
	waiting->at = (uint8_t)at;
	waiting->labels = (uint8_t)labels;
	waiting->type = (uint8_t)type;
	waiting->state = PLAIN_WAIT_ANSWER;
	waiting->with_do = opt >> 63 != 0;
	waiting->with_cookie = false;
	waiting->cap = (uint16_t)at_hand->cap;
	if (wide_upper(name) || at >= PLAIN_NAME_MAX)
		plain_ask_lower(queue);
	queue->count++;
	return true;
#else
	return false;
#endif
}
static_assert(NAME_LEN_MAX == 0xff, "plain_ask()");

// As body_put(), by the same way for all.
static inline __attribute__((always_inline)) uint32_t body_put_any(
    uint8_t *body, const struct image_answer *answer, unsigned delta)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	return body_put(body, answer, delta, 0);
#else
	// What stands there of an answer in which nothing moves are its own bytes, and nothing of
	// them counts.
	const struct image_moves *moves = answer_moves(answer);
	const uint8_t *bytes = answer_bytes(answer);
	const unsigned moving = answer->head - 1u, size = answer->size;

	delta = (unsigned)pick(moving, delta, 0);
	if (__builtin_expect(moves->reach + delta > UINT8_MAX, 0))
		return body_put_carrying(body, answer, delta);

	const uint32_t sum = moves->weight * delta + answer->sum;
	const unsigned odd_count = (unsigned)pick(moving, moves->odd_count, 0);

	const struct moving by = moving_by(delta);
	const uint64_t last = (size - (size != 0)) & ~31u;

	// What has fewer bytes is copied again: nothing is read behind its last line, which nobody
	// has fetched.
#pragma GCC unroll 3
	for (unsigned i = 0; i < PUT_FIRST; i += 32) {
		const uint64_t to = i == 0 ? 0 : pick_less(i, last);

		*(moving_lanes *)(body + to) = moving_load(bytes + to, by);
	}
	if (size > PUT_FIRST)
		moving_copy(body, bytes, PUT_FIRST, size, delta, false);
	for (unsigned i = 0; __builtin_expect(i < odd_count, 0); i++) { // at most IMAGE_ODD_MAX
		const unsigned at = moves->odd[i];

		body[at] = bytes[at];
	}
	return sum;
#endif
}

// As dns_plain_waited() where the answer is there and fits. Post: len 0: it is not so, and nothing
// was written.
static inline __attribute__((always_inline)) struct plain_reply plain_waited(
    struct dns_plain *at_hand, const struct plain_waiting *waiting)
{
	static const uint32_t heads[] = {[DNS_OUTCOME_answer] = HEADER_AA << 16,
	    [DNS_OUTCOME_referral] = 0,
	    [DNS_OUTCOME_nodata] = HEADER_AA << 16,
	    [DNS_OUTCOME_nxdomain] = HEADER_AA << 16 | (uint32_t)RCODE_NXDOMAIN << 24};
	const unsigned outcome = waiting->outcome;
	const struct image_answer *answer = waiting->answer;
	uint8_t *msg = waiting->msg;

	// A chain that denies is NODATA or NXDOMAIN, which only it can say.
	if (waiting->state == PLAIN_WAIT_ANSWER && (answer->nscount & waiting->alias) == 0) {
		const unsigned question_end = DNS_HEADER_LEN + waiting->at + 5;
		const struct plain_echo echo = {
		    msg, question_end, load16(msg + 10) != 0 ? load64(msg + question_end) : 0};
		const unsigned end = question_end + answer->size;

		if (end + EDNS_FIXED_LEN <= DNS_UDP_MIN ||
		    end + plain_opt_len(echo.opt) <=
		        plain_limit(at_hand->context->server, echo.opt, waiting->cap)) {
			const struct choice choice = {
			    .answer = answer, .head = heads[outcome], .outcome = outcome};
			const uint32_t sum = body_put_any(
			    msg + question_end, answer, waiting->at + 1u - waiting->name_len);

			at_hand->outcomes[outcome]++;
			return plain_finish(
			    at_hand, echo, &choice, end, answer_counts_be(answer), sum);
		}
	}
	return (struct plain_reply){0};
}
