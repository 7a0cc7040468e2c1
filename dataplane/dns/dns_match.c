// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 2, the first probe, and what it alone decides: most questions to a zone with delegations
// end at the name just below the apex, most others at their own name. The rest walks.
#include "dns_lookup.h"

#include "dns_internal.h"

void dns_match(const struct dns_context *context, struct dns_query *query)
{
	if (query->state != QUERY_LOOKUP)
		return;
	query->node = version_find(query->version, &query->qname, query->labels);
	if (query->node.node != NULL) {
		const uint8_t *line = (const uint8_t *)query->node.node;

		// What an answer needs stands behind the node.
		for (unsigned i = 1; i < query->node.node->lines; i++) // at most 8
			__builtin_prefetch(line + 64 * i);
	}
}

void dns_lookup(const struct dns_query *query, bool need_encloser, struct lookup *out)
{
	const struct image_node *node = query->node.node;

	if (node != NULL && query->labels == query->qname.labels &&
	    (node->flags & (NODE_CUT | NODE_OCCLUDED)) == 0) {
		out->kind = LOOKUP_EXACT;
		out->node = out->encloser = query->node;
		out->encloser_labels = (uint8_t)query->labels;
		return;
	}
	if (node != NULL && (node->flags & (NODE_CUT | NODE_OCCLUDED)) == NODE_CUT) {
		out->kind = LOOKUP_REFERRAL;
		out->node = out->encloser = query->node;
		out->encloser_labels = (uint8_t)query->labels;
		return;
	}
	// The probe was either one label below the apex, or the whole name in a zone without cuts.
	if (node == NULL && !need_encloser &&
	    (version_header(query->version)->flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) == 0) {
		out->kind = LOOKUP_NXDOMAIN;
		out->node = out->encloser = (struct node_ref){0};
		return;
	}
	version_lookup(query->version, &query->qname, out);
}
