// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See frame_answer.h. One function, so that what is known of a frame stays in registers as long as
// there are any.
#include "frame_answer.h"

#include "dns_plain_wait.h"

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
	at_hand->queue.count = 0;
}

// The reply's frame around its message.
static size_t frame_finish(
    const struct frame_answering *at_hand, uint8_t *msg, const struct plain_reply *reply)
{
	return at_hand->dns_off == PLAIN4_DNS_OFF
	           ? frame_plain_reply(msg, false, (unsigned)reply->len, reply->less)
	           : frame_plain_reply(msg, true, (unsigned)reply->len, reply->less);
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

// A plain frame whose message is not, and that is to wait. Post: it does, without its cookie.
static __attribute__((noinline)) bool ask_cookie(struct frame_answering *at_hand, uint8_t *msg)
{
	const unsigned k = at_hand->queue.count;
	struct plain_cookie *cookie = &at_hand->cookies[k];
	const unsigned left = cookie_off(at_hand, cookie, msg, frame_plain_dns_len(msg));

	if (left == 0)
		return false;

	const bool waits = dns_plain_ask(&at_hand->dns, &at_hand->queue, msg, left);

	at_hand->dns.cap = cookie->cap;
	if (waits)
		at_hand->queue.waiting[k].with_cookie = true;
	else
		plain_cookie_back(cookie, msg);
	return waits;
}

// Post: the first that does not wait, or `end`.
static HOT struct frame_slot *frames_wait(
    struct frame_answering *at_hand, struct frame_slot *at, struct frame_slot *const end)
{
	for (; at < end; at++) {
		uint8_t *msg = at->bytes + PLAIN4_DNS_OFF;
		const unsigned k = at_hand->queue.count;
		bool waits;

		at_hand->dns_off = PLAIN4_DNS_OFF;
		if (frame_seldom(frame_plain_classify4(&at_hand->plain, at->bytes, at->len) == 0)) {
			if (frame_seldom(
			        frame_plain_classify6(&at_hand->plain, at->bytes, at->len) == 0)) {
				at_hand->dns_off = 0;
				break;
			}
			at_hand->dns_off = PLAIN6_DNS_OFF;
			at_hand->dns.cap -= FRAME_CAP_LESS6;
			msg = at->bytes + PLAIN6_DNS_OFF;
		}
		waits = plain_ask(&at_hand->dns, &at_hand->queue, msg, frame_plain_dns_len(msg)) ||
		        ask_cookie(at_hand, msg);
		if (frame_seldom(at_hand->dns_off == PLAIN6_DNS_OFF))
			at_hand->dns.cap += FRAME_CAP_LESS6;
		if (frame_seldom(!waits))
			break;
		at_hand->slots[k] = at;
		at->len = 0;
	}
	at_hand->asked = NULL;
	return at;
}

// A plain frame after its message was looked at: at_hand->dns_off is set, reply->len may be 0.
// Post: as frame_answer() of one.
static inline size_t answer_end(
    struct frame_answering *at_hand, uint8_t *msg, const struct plain_reply *reply)
{
	if (reply->len != 0) {
		if (at_hand->dns_off == PLAIN4_DNS_OFF)
			return frame_plain_reply(msg, false, (unsigned)reply->len, reply->less);
		return frame_finish(at_hand, msg, reply);
	}
	at_hand->asked = NULL;
	if (!at_hand->dns.at_once)
		return 0;
	if (at_hand->dns.asked.left == PLAIN_LEFT_NEW)
		return answer_cookie(at_hand, msg);
	at_hand->asked = &at_hand->dns.asked;
	return 0;
}

// The same by any way.
static HOT size_t answer_any(struct frame_answering *at_hand, uint8_t *msg, unsigned len)
{
	const struct plain_reply reply = plain_any(&at_hand->dns, msg, len);

	return answer_end(at_hand, msg, &reply);
}

static HOT size_t answer_found(struct frame_answering *at_hand, uint8_t *msg)
{
	const struct plain_reply reply = plain_found(&at_hand->dns, msg);

	return answer_end(at_hand, msg, &reply);
}

// A plain frame, whose message has `len` bytes. Post: as frame_answer() of one.
static inline __attribute__((always_inline)) size_t answer_plain(
    struct frame_answering *at_hand, uint8_t *bytes, bool ip6, unsigned len)
{
	uint8_t *msg = bytes + (ip6 ? PLAIN6_DNS_OFF : PLAIN4_DNS_OFF);
	enum plain_quick came_to = QUICK_ANY;
	struct plain_reply reply;

	if (at_hand->dns.zone.next == ZONE_QUICK)
		came_to = plain_quick(&at_hand->dns, msg, len, &reply);
	if (came_to == QUICK_REPLY)
		return frame_plain_reply(msg, ip6, (unsigned)reply.len, reply.less);
	at_hand->dns_off = ip6 ? PLAIN6_DNS_OFF : PLAIN4_DNS_OFF;
	return came_to == QUICK_FOUND ? answer_found(at_hand, msg) : answer_any(at_hand, msg, len);
}

// What is not a plain frame over IPv4.
static HOT size_t answer6(struct frame_answering *at_hand, uint8_t *bytes, size_t len)
{
	const unsigned udp_len = frame_plain_classify6(&at_hand->plain, bytes, len);
	size_t reply;

	if (udp_len == 0) {
		at_hand->dns_off = 0;
		at_hand->asked = NULL;
		return 0;
	}
	at_hand->dns.cap -= FRAME_CAP_LESS6;
	reply = answer_plain(at_hand, bytes, true, udp_len - UDP_LEN);
	at_hand->dns.cap += FRAME_CAP_LESS6;
	return reply;
}

// Post: as frame_answer() of one.
static inline __attribute__((always_inline)) size_t answer(
    struct frame_answering *at_hand, uint8_t *bytes, size_t len)
{
	const unsigned udp_len = frame_plain_classify4(&at_hand->plain, bytes, len);

	return frame_seldom(udp_len == 0) ? answer6(at_hand, bytes, len)
	                                  : answer_plain(at_hand, bytes, false, udp_len - UDP_LEN);
}

HOT unsigned frame_answer(struct frame_answering *at_hand, struct frame_slot *frames, unsigned n)
{
	struct frame_slot *at = frames, *const end = frames + n;

	if (at_hand->dns.at_once) {
		for (; at < end; at++) {
			const size_t len = answer(at_hand, at->bytes, at->len);

			if (len == 0)
				break;
			at->len = len;
		}
	}
	// The one that has shown that memory is far is to wait as well.
	if (!at_hand->dns.at_once)
		at = frames_wait(at_hand, at, end);
	return (unsigned)(at - frames);
}

// For one that is not answered as most are. Post: the length of the reply's frame, or 0.
static __attribute__((noinline)) size_t waited_other(struct frame_answering *at_hand, unsigned i)
{
	const struct plain_waiting *waiting = &at_hand->queue.waiting[i];
	const struct plain_cookie *cookie = &at_hand->cookies[i];
	uint8_t *msg = waiting->msg;
	struct plain_reply reply;

	at_hand->dns_off = (unsigned)(msg - at_hand->slots[i]->bytes);
	at_hand->dns.cap = waiting->cap;
	reply = dns_plain_waited(&at_hand->dns, waiting);
	at_hand->asked = &at_hand->dns.asked;
	if (waiting->with_cookie) {
		at_hand->dns.cap = cookie->cap;
		at_hand->asked = NULL;
		if (reply.len == 0)
			plain_cookie_back(cookie, msg);
		else
			plain_cookie_on(&at_hand->dns, cookie, msg, &reply);
	}
	if (at_hand->dns_off == PLAIN6_DNS_OFF)
		at_hand->dns.cap += FRAME_CAP_LESS6;
	return reply.len == 0 ? 0 : frame_finish(at_hand, msg, &reply);
}

HOT unsigned frame_answer_waited(struct frame_answering *at_hand, unsigned i)
{
	for (; i < at_hand->queue.count; i++) {
		const struct plain_waiting *waiting = &at_hand->queue.waiting[i];
		struct frame_slot *slot = at_hand->slots[i];
		struct plain_reply reply = {0};

		if (!frame_seldom(waiting->with_cookie))
			reply = plain_waited(&at_hand->dns, waiting);
		if (frame_seldom(reply.len == 0))
			slot->len = waited_other(at_hand, i);
		else if (waiting->msg == slot->bytes + PLAIN4_DNS_OFF)
			slot->len =
			    frame_plain_reply(waiting->msg, false, (unsigned)reply.len, reply.less);
		else
			slot->len =
			    frame_plain_reply(waiting->msg, true, (unsigned)reply.len, reply.less);
		if (frame_seldom(slot->len == 0))
			break;
	}
	return i;
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
