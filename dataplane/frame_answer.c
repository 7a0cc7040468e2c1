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
static __attribute__((noinline)) void frame_wait(struct frame_answering *at_hand, uint8_t *bytes)
{
	at_hand->is_plain = true;
	at_hand->waits = false;
	at_hand->asked = NULL;
	if (at_hand->dns.cap < DNS_UDP_MIN)
		return;
	if (at_hand->dns.at_once) {
		at_hand->asked = &at_hand->dns.asked;
		return;
	}
	at_hand->waits = dns_plain_ask(&at_hand->dns, &at_hand->waiting[at_hand->waiting_count],
	    bytes + PLAIN_DNS_OFF, frame_plain_dns_len(bytes));
	at_hand->waiting_count += at_hand->waits;
}

HOT size_t frame_answer(struct frame_answering *at_hand, uint8_t *bytes, size_t len)
{
	if (!frame_plain_classify(&at_hand->plain, bytes, len)) {
		at_hand->is_plain = at_hand->waits = false;
		at_hand->asked = NULL;
		return 0;
	}
	if (at_hand->dns.at_once && at_hand->dns.cap >= DNS_UDP_MIN) {
		const struct plain_reply reply =
		    plain_answer(&at_hand->dns, bytes + PLAIN_DNS_OFF, frame_plain_dns_len(bytes));

		if (reply.len != 0)
			return frame_plain_reply(bytes, (unsigned)reply.len, reply.sum);
	}
	frame_wait(at_hand, bytes);
	return 0;
}

HOT size_t frame_answer_waited(struct frame_answering *at_hand, unsigned i, uint8_t *bytes)
{
	const struct plain_reply reply = plain_waited(&at_hand->dns, &at_hand->waiting[i]);

	if (reply.len != 0)
		return frame_plain_reply(bytes, (unsigned)reply.len, reply.sum);
	at_hand->is_plain = true;
	at_hand->waits = false;
	at_hand->asked = &at_hand->waiting[i].asked;
	return 0;
}

enum frame_verdict frame_answer_leave(
    struct frame_answering *at_hand, uint8_t *bytes, size_t len, struct frame *frame)
{
	struct dns_query *query = at_hand->dns.query;

	query->cap = (uint16_t)at_hand->dns.cap;
	if (at_hand->is_plain && frame_plain_dns_len(bytes) - FRAME_DNS_MIN <= UINT16_MAX) {
		frame_plain_describe(bytes, frame_plain_dns_len(bytes), frame);
	} else {
		const enum frame_verdict verdict =
		    frame_classify(bytes, len, at_hand->rules, frame);

		if (verdict != FRAME_DNS)
			return verdict;
	}
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
