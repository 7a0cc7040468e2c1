// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From a query's frame to its reply's, at once, for nearly all of them: frame_plain.h and
// dns_plain.h with nothing between. What is not like that goes by way of frame_classify() and the
// stages of dns.h. Inline, for a worker's loop over its burst; np-burst and the fuzzer of replies
// call it as well.
#pragma once

#include "dns_plain.h"
#include "frame_plain.h"

// Where the source address stands in an IP header.
#define IP4_SOURCE 12
#define IP6_SOURCE 8

// Post: the length of the reply's frame, in place of the query's. Or 0 and a verdict; if that is
// FRAME_DNS, *frame and *query are filled for the stages to go on with.
// Pre: query->cap is set: the buffer has room for a DNS message of as many bytes and
// DNS_WRITE_SLACK.
static inline __attribute__((always_inline)) size_t frame_answer(struct dns_plain *at_hand,
    const struct frame_rules *rules, uint8_t *bytes, size_t len, struct dns_query *query,
    struct frame *frame, enum frame_verdict *verdict)
{
	const struct frame_plain plain = frame_plain_classify(bytes, len, rules);

	if (plain.dns_len != 0 && query->cap >= DNS_UDP_MIN) {
		const struct plain_reply reply = dns_plain_answer(
		    at_hand, bytes + PLAIN_DNS_OFF, (unsigned)plain.dns_len, plain.sum, query);

		if (reply.len != 0)
			return frame_plain_reply(bytes, (unsigned)reply.len, reply.sum);
		frame_plain_describe(bytes, &plain, frame);
		query->question_sum = checksum_less(query->question_sum, frame_plain_around(bytes));
		*verdict = FRAME_DNS;
	} else {
		*verdict = frame_classify(bytes, len, rules, frame);
		dns_query_begin(query);
	}
	query->msg = bytes + frame->dns_off;
	query->len = frame->dns_len;
	query->sum = frame->dns_sum;
	query->no_error_reply = frame->no_error;
	query->transport = DNS_UDP;
	query->client = bytes + frame->ip_off + (frame->version == 4 ? IP4_SOURCE : IP6_SOURCE);
	query->client_len = frame->version == 4 ? 4 : 16;
	return 0;
}
