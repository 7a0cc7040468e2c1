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

static __attribute__((noinline)) void other_emit(
    const struct dns_context *context, struct dns_query *query)
{
	switch ((enum query_state)query->state) {
	case QUERY_DONE:
	case QUERY_ZONE: // dns_match() leaves none
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
		if (dns_compiled_direct(context, &queries[index[i]]))
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
