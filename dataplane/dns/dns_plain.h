// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The question that nearly all are, answered at once: over UDP, one question in class IN for an
// ordinary type and a name of few labels, behind it nothing or an OPT without options; to a zone
// that a core's own cache holds, and with an answer that was compiled. The reply is the one that
// the three stages would make. They take over wherever this ends.
#pragma once

#include "dns.h"

// What does not change within a burst, and what is counted in it. Of the thread that made it.
struct dns_plain {
	const struct dns_context *context;
	const struct slots *slots; // of the zone table
	uint64_t depths;           // of its zones
	struct hash_key key;
	uint64_t opt_head, opt_sum; // of a reply without DO
	bool at_once;               // the zone table is in a core's own cache
	uint32_t outcomes[4];       // counted: the first of enum dns_outcome
	uint32_t proved;            // answers with proofs, whose outcomes are counted already
};

struct dns_plain dns_plain_begin(const struct dns_context *context);
// Adds up what was counted.
void dns_plain_end(const struct dns_plain *at_hand);

struct plain_reply {
	uint64_t len; // 0: the stages go on with the query
	uint64_t sum; // with the reply in the query's place, below 2^63
};

// Answers the message in `msg`, or leaves the query to the stages: then they find in `query` what
// they need, but a question_sum that holds whatever `sum` holds beside the message, and what the
// caller of dns_parse() sets. Its state is QUERY_NEW where not even the first stage was gone
// through. Pre: as dns_parse(), over UDP, and no error is to be held back; query->cap >=
// DNS_UDP_MIN; `sum`, below 2^62, has the message in it.
struct plain_reply dns_plain_answer(
    struct dns_plain *at_hand, uint8_t *msg, unsigned len, uint64_t sum, struct dns_query *query);

// Stage 1 for such a question. True: the query is ready for stage 2, as dns_parse() would have made
// it. False says nothing: the whole of the rules is in dns_parse.c. Pre: as dns_parse().
bool dns_plain_parse(const struct dns_context *context, struct dns_query *query);
