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
		sum += sum_at(dns_edns_put(context->server, query, msg + end), end);
		end += query->opt_len;
		additional++;
	}

	// Header and sum are made in registers: reading back what was just stored in smaller pieces
	// would stall.
	uint16_t flags_word =
	    (uint16_t)((HEADER_QR | (msg[2] & (HEADER_OPCODE | HEADER_RD)) | flags) << 8 |
	               (query->rcode & 0x0f));
	uint16_t questions = query->question_end > DNS_HEADER_LEN;

	sum += checksum_be(msg + DNS_HEADER_LEN, query->question_end - (size_t)DNS_HEADER_LEN);
	sum += get16(msg) + (uint64_t)flags_word + questions + counts->answer + counts->authority +
	       additional;
	put16(msg + 2, flags_word);
	put16(msg + 4, questions);
	put16(msg + 6, counts->answer);
	put16(msg + 8, counts->authority);
	put16(msg + 10, additional);
	query->len = (uint16_t)end;
	query->sum = (uint32_t)sum; // nine terms of 16 bits
}

void dns_reply_finish_summing(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, const struct reply_counts *counts)
{
	uint16_t sum = checksum_be(query->msg + query->question_end, end - query->question_end);

	dns_reply_finish(context, query, end, flags, counts, sum);
}

void dns_reply_empty(const struct dns_context *context, struct dns_query *query)
{
	static const struct reply_counts none;

	dns_reply_finish(context, query, query->question_end, 0, &none, 0);
}
