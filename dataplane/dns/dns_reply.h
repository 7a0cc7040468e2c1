// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The reply as a whole: header, OPT, length and sum around a body that is already in place. Called
// by stage 3.
#pragma once

#include "dns_internal.h"

struct reply_counts {
	uint16_t answer;
	uint16_t authority;
	uint16_t additional; // without OPT
};

// Finishes the reply whose bytes [12, end) stand in query->msg. `flags` are of HEADER_AA,
// HEADER_TC; `body_sum` is the sum of [question_end, end) as if it began at an even offset. Pre:
// end + query->opt_len <= query->reply_limit.
void dns_reply_finish(const struct dns_context *context, struct dns_query *query, size_t end,
    unsigned flags, const struct reply_counts *counts, uint16_t body_sum);

// The same, with the sum still to be made.
void dns_reply_finish_summing(const struct dns_context *context, struct dns_query *query,
    size_t end, unsigned flags, const struct reply_counts *counts);

// A reply with query->rcode and no records.
void dns_reply_empty(const struct dns_context *context, struct dns_query *query);
