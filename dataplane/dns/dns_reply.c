// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Replies that nothing is prepared for; see dns_reply.h.
#include "dns_reply.h"

void dns_reply_finish_summing(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, uint64_t counts)
{
	uint64_t sum = checksum_sum(query->msg + query->question_end, end - query->question_end, 0);

	dns_reply_finish(context, query, end, flags, counts, sum);
}

void dns_reply_empty(const struct dns_context *context, struct dns_query *query)
{
	dns_reply_finish(context, query, query->question_end, 0, 0, 0);
}
