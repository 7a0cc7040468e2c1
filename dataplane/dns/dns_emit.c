// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 3: the reply, by whichever way the first two stages have chosen.
#include "dns.h"

#include "dns_chaos.h"
#include "dns_compiled.h"
#include "dns_edns.h"
#include "dns_internal.h"
#include "dns_lookup.h"
#include "dns_plain.h"
#include "dns_render.h"
#include "dns_reply.h"

static void lookup_emit(const struct dns_context *context, struct dns_query *query)
{
	struct lookup lookup;

	if (query->zone_options != 0)
		dns_edns_zone(context, query);
	dns_lookup(query, query_wants_sigs(query), &lookup);
	if (dns_compiled_emit(context, query, &lookup)) {
		tally(&context->counters->compiled, 1);
		return;
	}
	dns_render_emit(context, query, &lookup);
	tally(&context->counters->rendered, 1);
}

// The same for what stage 2 has found already, if there is nothing to prove, and no option to send:
// nearly all. Post: true when the reply is written; false says nothing.
static inline bool emit_direct(const struct dns_context *context, struct dns_query *query)
{
	struct choice choice;
	enum lookup_kind kind;

	if (query->state != QUERY_LOOKUP || query->render_only ||
	    (query->options | query->zone_options) != 0 || !dns_lookup_direct(query, &kind) ||
	    !choose(asking_of(query), kind, query->node, &choice) || choice.deny != DENY_NOTHING ||
	    !compiled_fits(query, choice.answer))
		return false;

	const size_t size = choice.answer->size;
	const uint64_t counts = answer_counts(choice.answer);
	const uint64_t sum = body_put(
	    query->msg + query->question_end, choice.answer, query->qname.len - choice.name_len, 0);

	query->rcode = choice.rcode;
	count(context, query, choice.outcome);
	dns_reply_finish_plain(
	    context, query, query->question_end + size, choice.flags, choice.rcode, counts, sum);
	return true;
}

static __attribute__((noinline)) void other_emit(
    const struct dns_context *context, struct dns_query *query)
{
	switch ((enum query_state)query->state) {
	case QUERY_DONE:
	case QUERY_NEW: // the stages before leave none of these
	case QUERY_ZONE:
		break;
	case QUERY_ERROR:
		dns_reply_empty(context, query);
		break;
	case QUERY_CHAOS:
		dns_chaos_emit(context, query);
		break;
	case QUERY_LOOKUP:
		lookup_emit(context, query);
		break;
	}
}

STAGE void dns_emit_burst(
    const struct dns_context *context, struct dns_query *queries, const uint8_t *index, unsigned n)
{
	unsigned compiled = 0;

	for (unsigned i = 0; i < n; i++) {
		if (emit_direct(context, &queries[index[i]]))
			compiled++;
		else
			other_emit(context, &queries[index[i]]);
	}
	tally(&context->counters->compiled, compiled);
}

void dns_emit(const struct dns_context *context, struct dns_query *query)
{
	static const uint8_t first;

	dns_emit_burst(context, query, &first, 1);
}

void dns_answer(const struct dns_context *context, struct dns_query *query)
{
	if (query->transport == DNS_UDP && query->cap >= DNS_UDP_MIN && !query->no_error_reply &&
	    !query->render_only) {
		const uint64_t sum = query->sum;
		struct dns_plain plain;

		dns_plain_begin(&plain, context, query, query->cap);

		const struct plain_reply reply = dns_plain_answer(&plain, query->msg, query->len);

		if (reply.len != 0) {
			query->verdict = DNS_REPLY;
			query->len = query->reply_limit = (uint16_t)reply.len;
			query->sum = checksum_less(sum, checksum_fold(reply.less));
			query->outcome = reply.outcome;
			query->rcode = query->msg[3] & 0x0f;
			dns_plain_end(&plain);
			return;
		}
		dns_plain_leave(&plain, &plain.asked, query->msg);
		if (query->state == QUERY_NEW)
			dns_parse(context, query);
	} else {
		dns_parse(context, query);
	}
	if (query->verdict == DNS_REPLY)
		dns_match(context, query);
	if (query->verdict == DNS_REPLY)
		dns_emit(context, query);
}
