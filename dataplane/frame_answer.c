// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See frame_answer.h. One function, so that what is known of a frame stays in registers as long as
// there are any.
#include "frame_answer.h"

#include "dns_plain_way.h"

// A copy for a caller with one at_hand would lose the register that leads to all of it.
#ifdef __clang__
#define HOT __attribute__((noinline))
#else
#define HOT __attribute__((noinline, noclone))
#endif

void frame_answer_begin(struct frame_answering *at_hand, const struct frame_rules *rules,
    const struct dns_context *context, struct dns_query *query, unsigned cap)
{
	frame_plain_begin(&at_hand->plain, rules);
	dns_plain_begin(&at_hand->dns, context, query, cap);
	at_hand->rules = rules;
	at_hand->waiting_count = 0;
}

// A plain frame that is not answered at once: it waits, or is left.
static __attribute__((noinline)) void frame_wait(struct frame_answering *at_hand, uint8_t *msg)
{
	at_hand->waits = false;
	at_hand->asked = &at_hand->dns.asked;
	if (at_hand->dns.at_once)
		return;
	at_hand->asked = NULL;
	at_hand->waits = dns_plain_ask(&at_hand->dns, &at_hand->waiting[at_hand->waiting_count],
	    msg, frame_plain_dns_len(msg));
	at_hand->waiting_count += at_hand->waits;
}

// Post: as frame_answer() of one.
static inline __attribute__((always_inline)) size_t answer(
    struct frame_answering *at_hand, uint8_t *bytes, size_t len)
{
	uint8_t *msg = bytes + PLAIN4_DNS_OFF;

	at_hand->dns_off = PLAIN4_DNS_OFF;
	if (frame_seldom(!frame_plain_classify4(&at_hand->plain, bytes, len))) {
		if (frame_seldom(!frame_plain_classify6(&at_hand->plain, bytes, len))) {
			at_hand->dns_off = 0;
			at_hand->waits = false;
			at_hand->asked = NULL;
			return 0;
		}
		at_hand->dns_off = PLAIN6_DNS_OFF;
		at_hand->dns.cap -= FRAME_CAP_LESS6;
		msg = bytes + PLAIN6_DNS_OFF;
	}
	if (at_hand->dns.at_once) {
		const struct plain_reply reply =
		    plain_answer(&at_hand->dns, msg, frame_plain_dns_len(msg));

		if (reply.len != 0) {
			if (at_hand->dns_off == PLAIN4_DNS_OFF)
				return frame_plain_reply(
				    msg, false, (unsigned)reply.len, reply.sum);
			at_hand->dns.cap += FRAME_CAP_LESS6;
			return frame_plain_reply(msg, true, (unsigned)reply.len, reply.sum);
		}
	}
	frame_wait(at_hand, msg);
	if (at_hand->dns_off == PLAIN6_DNS_OFF)
		at_hand->dns.cap += FRAME_CAP_LESS6;
	return 0;
}

HOT unsigned frame_answer(struct frame_answering *at_hand, struct frame_slot *frames, unsigned n)
{
	struct frame_slot *at = frames, *const end = frames + n;

	for (; at < end; at++) {
		const size_t len = answer(at_hand, at->bytes, at->len);

		if (len == 0)
			break;
		at->len = len;
	}
	return (unsigned)(at - frames);
}

HOT size_t frame_answer_waited(struct frame_answering *at_hand, unsigned i, uint8_t *bytes)
{
	uint8_t *msg = at_hand->waiting[i].msg;
	const bool ip6 = msg == bytes + PLAIN6_DNS_OFF;
	const struct plain_reply reply = plain_waited(&at_hand->dns, &at_hand->waiting[i]);

	if (reply.len != 0)
		return ip6 ? frame_plain_reply(msg, true, (unsigned)reply.len, reply.sum)
		           : frame_plain_reply(msg, false, (unsigned)reply.len, reply.sum);
	if (ip6)
		at_hand->dns.cap += FRAME_CAP_LESS6;
	at_hand->dns_off = ip6 ? PLAIN6_DNS_OFF : PLAIN4_DNS_OFF;
	at_hand->waits = false;
	at_hand->asked = &at_hand->waiting[i].asked;
	return 0;
}

enum frame_verdict frame_answer_leave(
    struct frame_answering *at_hand, uint8_t *bytes, size_t len, struct frame *frame)
{
	struct dns_query *query = at_hand->dns.query;
	const unsigned dns_off = at_hand->dns_off;
	const unsigned dns_len = dns_off != 0 ? frame_plain_dns_len(bytes + dns_off) : 0;
	unsigned cap = at_hand->dns.cap;

	if (dns_len - FRAME_DNS_MIN <= UINT16_MAX) {
		frame_plain_describe(bytes, dns_off, dns_len, frame);
	} else {
		const enum frame_verdict verdict =
		    frame_classify(bytes, len, at_hand->rules, frame);

		if (verdict != FRAME_DNS)
			return verdict;
	}
	if (frame->version == 6)
		cap = cap > FRAME_CAP_LESS6 ? cap - FRAME_CAP_LESS6 : 0;
	query->cap = (uint16_t)cap;
	query->msg = bytes + frame->dns_off;
	query->len = frame->dns_len;
	query->sum = frame->dns_sum;
	query->no_error_reply = frame->no_error;
	query->transport = DNS_UDP;
	query->client = bytes + frame->ip_off + (frame->version == 4 ? IP4_SOURCE : IP6_SOURCE);
	query->client_len = frame->version == 4 ? 4 : 16;
	if (at_hand->asked != NULL)
		dns_plain_leave(&at_hand->dns, at_hand->asked, query->msg);
	else
		dns_query_begin(query);
	return FRAME_DNS;
}
