// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Header and OPT of every reply; see dns_reply.h.
//
// Of the query's flags only RD comes back (RFC 1035 4.1.1). CD is cleared, as RFC 4035 3.1.6 asks
// of an authoritative answer and NSD and Knot do; AD and Z are never set.
#include "dns_reply.h"

#include "dns_edns.h"

void dns_reply_finish(const struct dns_context *context, struct dns_query *query, size_t end,
    unsigned flags, const struct reply_counts *counts, uint16_t body_sum)
{
	uint8_t *msg = query->msg;
	uint64_t sum = sum_at(body_sum, query->question_end);
	uint16_t additional = counts->additional;

	if (query->edns) {
		dns_edns_put(context->server, query, msg + end);
		sum += sum_at(sum_bytes(msg + end, query->opt_len), end);
		end += query->opt_len;
		additional++;
	}
	msg[2] = (uint8_t)(HEADER_QR | (msg[2] & (HEADER_OPCODE | HEADER_RD)) | flags);
	msg[3] = query->rcode & 0x0f;
	put16(msg + 4, query->question_end > DNS_HEADER_LEN);
	put16(msg + 6, counts->answer);
	put16(msg + 8, counts->authority);
	put16(msg + 10, additional);
	sum += sum_bytes(msg, query->question_end);
	query->len = (uint16_t)end;
	query->sum = (uint32_t)sum; // four terms of 16 bits
}

void dns_reply_finish_summing(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, const struct reply_counts *counts)
{
	uint16_t sum = sum_bytes(query->msg + query->question_end, end - query->question_end);

	dns_reply_finish(context, query, end, flags, counts, sum);
}

void dns_reply_empty(const struct dns_context *context, struct dns_query *query)
{
	static const struct reply_counts none;

	dns_reply_finish(context, query, query->question_end, 0, &none, 0);
}
