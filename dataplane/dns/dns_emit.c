// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 3: the reply, by whichever way the first two stages have chosen.
#include "dns.h"

#include "dns_chaos.h"
#include "dns_compiled.h"
#include "dns_internal.h"
#include "dns_lookup.h"
#include "dns_render.h"
#include "dns_reply.h"

static void tally(uint64_t *counter)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void lookup_emit(const struct dns_context *context, struct dns_query *query)
{
	const struct image_header *header = version_header(query->version);
	bool signed_answer = query->edns_do && header->rrsig_expiry_min != 0;
	struct lookup lookup;

	dns_lookup(query, signed_answer, &lookup);
	if (dns_compiled_emit(context, query, &lookup)) {
		tally(&context->counters->compiled);
		return;
	}
	dns_render_emit(context, query, &lookup);
	tally(&context->counters->rendered);
}

void dns_emit(const struct dns_context *context, struct dns_query *query)
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
