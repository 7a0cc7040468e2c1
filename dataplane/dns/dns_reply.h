// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The reply as a whole: header, OPT, length and sum around a body that is already in place. Called
// by stage 3.
#pragma once

#include "dns_edns.h"
#include "dns_internal.h"

// Numbers of records, without OPT: three times 16 bits as the header has them behind QDCOUNT.
static inline uint64_t reply_counts(uint16_t answer, uint16_t authority, uint16_t additional)
{
	return (uint64_t)answer << 32 | (uint32_t)authority << 16 | additional;
}

// Header and length; `sum` is that of all but the header.
static inline void reply_head(struct dns_query *query, size_t end, unsigned flags, unsigned rcode,
    unsigned questions, uint64_t counts, uint64_t sum)
{
	uint8_t *msg = query->msg;
	// Made in registers: reading back what was just stored in smaller pieces would stall.
	uint32_t first = get32(msg);
	uint64_t rest = htobe64((uint64_t)questions << 48 | counts);

	first &= 0xffff0000u | (HEADER_OPCODE | HEADER_RD) << 8;
	first = htobe32(first | (HEADER_QR | flags) << 8 | (rcode & 0x0f));
	query->sum = checksum_add(checksum_add(sum, first), rest);
	query->len = (uint16_t)end;
	memcpy(msg, &first, sizeof first);
	memcpy(msg + 4, &rest, sizeof rest);
}

// Finishes the reply whose bytes [12, end) stand in query->msg. `flags` are of HEADER_AA,
// HEADER_TC; `body_sum` is the sum of [question_end, end) as if it began at an even offset. Pre:
// end + query->opt_len <= query->reply_limit.
//
// Of the query's flags only RD comes back (RFC 1035 4.1.1). CD is cleared, as RFC 4035 3.1.6 asks
// of an authoritative answer and NSD and Knot do; AD and Z are never set.
static inline void dns_reply_finish(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, uint64_t counts, uint64_t body_sum)
{
	uint64_t sum =
	    checksum_add(query->question_sum, checksum_at(body_sum, query->question_end));

	if (query->edns) {
		const uint64_t opt_sum = dns_edns_put(context->server, query, query->msg + end);

		sum = checksum_add(sum, checksum_at(opt_sum, end));
		end += query->opt_len;
		counts++; // of the additional section
	}
	reply_head(
	    query, end, flags, query->rcode, query->question_end > DNS_HEADER_LEN, counts, sum);
}

// The same for a reply that has a question, no options and an rcode of four bits.
static inline void dns_reply_finish_plain(const struct dns_context *context,
    struct dns_query *query, size_t end, unsigned flags, unsigned rcode, uint64_t counts,
    uint64_t body_sum)
{
	uint64_t sum =
	    checksum_add(query->question_sum, checksum_at(body_sum, query->question_end));

	if (query->edns) {
		const uint64_t head = edns_head(context->server, 0, query->edns_do);

		memcpy(query->msg + end, &head, sizeof head);
		memset(query->msg + end + sizeof head, 0, EDNS_FIXED_LEN - sizeof head);
		sum = checksum_add(sum, checksum_at(head, end));
		end += EDNS_FIXED_LEN;
		counts++; // of the additional section
	}
	reply_head(query, end, flags, rcode, 1, counts, sum);
}

// The same, with the sum still to be made.
void dns_reply_finish_summing(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, uint64_t counts);

// A reply with query->rcode and no records.
void dns_reply_empty(const struct dns_context *context, struct dns_query *query);
