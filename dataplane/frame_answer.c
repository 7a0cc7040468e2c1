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

// The reply's frame around its message.
static size_t frame_finish(
    const struct frame_answering *at_hand, uint8_t *msg, const struct plain_reply *reply)
{
	return at_hand->dns_off == PLAIN4_DNS_OFF
	           ? frame_plain_reply(msg, false, (unsigned)reply->len, reply->sum)
	           : frame_plain_reply(msg, true, (unsigned)reply->len, reply->sum);
}

// Post: as plain_cookie_off().
static unsigned cookie_off(
    struct frame_answering *at_hand, struct plain_cookie *cookie, uint8_t *msg, unsigned len)
{
	return at_hand->dns_off == PLAIN4_DNS_OFF
	           ? plain_cookie_off(&at_hand->dns, cookie, msg, len,
	                 msg - PLAIN4_DNS_OFF + ETH_LEN + IP4_SOURCE, 4)
	           : plain_cookie_off(&at_hand->dns, cookie, msg, len,
	                 msg - PLAIN6_DNS_OFF + ETH_LEN + IP6_SOURCE, 16);
}

// A plain frame whose message is not, but may be without its cookie. Post: as frame_answer() of
// one.
static size_t answer_cookie(struct frame_answering *at_hand, uint8_t *msg)
{
	struct plain_cookie cookie;
	const unsigned left = cookie_off(at_hand, &cookie, msg, frame_plain_dns_len(msg));

	if (left == 0)
		return 0;

	struct plain_reply reply = dns_plain_answer(&at_hand->dns, msg, left);

	at_hand->dns.cap = cookie.cap;
	if (reply.len == 0) {
		plain_cookie_back(&cookie, msg);
		return 0;
	}
	plain_cookie_on(&at_hand->dns, &cookie, msg, &reply);
	return frame_finish(at_hand, msg, &reply);
}

// Begins with a message that waits.
static void frame_wait(struct frame_answering *at_hand, uint8_t *msg)
{
	struct plain_waiting *waiting = &at_hand->waiting[at_hand->waiting_count];
	struct plain_cookie *cookie = &at_hand->cookies[at_hand->waiting_count];
	const unsigned len = frame_plain_dns_len(msg);
	unsigned left;

	cookie->rdlen = 0;
	at_hand->waits = dns_plain_ask(&at_hand->dns, waiting, msg, len);
	if (!at_hand->waits && (left = cookie_off(at_hand, cookie, msg, len)) != 0) {
		at_hand->waits = dns_plain_ask(&at_hand->dns, waiting, msg, left);
		at_hand->dns.cap = cookie->cap;
		if (!at_hand->waits)
			plain_cookie_back(cookie, msg);
	}
	at_hand->waiting_count += at_hand->waits;
}

// A plain frame whose message was not answered at once. Post: as frame_answer() of one.
static __attribute__((noinline)) size_t answer_other(struct frame_answering *at_hand, uint8_t *msg)
{
	size_t len = 0;

	at_hand->waits = false;
	at_hand->asked = NULL;
	if (at_hand->dns.at_once) {
		if (at_hand->dns.asked.left == PLAIN_LEFT_NEW)
			len = answer_cookie(at_hand, msg);
		else
			at_hand->asked = &at_hand->dns.asked;
	}
	if (!at_hand->dns.at_once)
		frame_wait(at_hand, msg);
	return len;
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
	const size_t other = answer_other(at_hand, msg);

	if (at_hand->dns_off == PLAIN6_DNS_OFF)
		at_hand->dns.cap += FRAME_CAP_LESS6;
	return other;
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

// For one that waited with a cookie. Post: the length of the reply's frame, or 0.
static __attribute__((noinline)) size_t waited_cookie(
    struct frame_answering *at_hand, unsigned i, struct plain_reply reply)
{
	const struct plain_cookie *cookie = &at_hand->cookies[i];
	uint8_t *msg = at_hand->waiting[i].msg;

	at_hand->dns.cap = cookie->cap;
	if (reply.len == 0) {
		plain_cookie_back(cookie, msg);
		return 0;
	}
	plain_cookie_on(&at_hand->dns, cookie, msg, &reply);
	return frame_finish(at_hand, msg, &reply);
}

HOT size_t frame_answer_waited(struct frame_answering *at_hand, unsigned i, uint8_t *bytes)
{
	uint8_t *msg = at_hand->waiting[i].msg;
	const bool ip6 = msg == bytes + PLAIN6_DNS_OFF, cookie = at_hand->cookies[i].rdlen != 0;
	const struct plain_reply reply = plain_waited(&at_hand->dns, &at_hand->waiting[i]);

	at_hand->dns_off = ip6 ? PLAIN6_DNS_OFF : PLAIN4_DNS_OFF;
	if (frame_seldom(cookie)) {
		const size_t len = waited_cookie(at_hand, i, reply);

		if (len != 0)
			return len;
	} else if (reply.len != 0) {
		return ip6 ? frame_plain_reply(msg, true, (unsigned)reply.len, reply.sum)
		           : frame_plain_reply(msg, false, (unsigned)reply.len, reply.sum);
	}
	if (ip6)
		at_hand->dns.cap += FRAME_CAP_LESS6;
	at_hand->waits = false;
	at_hand->asked = cookie ? NULL : &at_hand->waiting[i].asked;
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
