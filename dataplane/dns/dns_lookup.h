// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Where a question ends in its zone, starting from the node that stage 2 found.
#pragma once

#include "dns_internal.h"

// Pre: dns_match() was called. Post: as version_lookup(); but `encloser` of an NXDOMAIN is set only
// when `need_encloser`.
void dns_lookup(struct dns_query *query, bool need_encloser, struct lookup *out);

// What the one probe of stage 2 tells of query->node. Post: true when that is all.
static inline bool dns_lookup_direct(const struct dns_query *query, enum lookup_kind *kind)
{
	const struct image_node *node = query->node.node;

	if (node == NULL) {
		// The probe was either one label below the apex, or the whole name in a zone
		// without cuts.
		*kind = LOOKUP_NXDOMAIN;
		return (query->version->layer[0].flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) == 0;
	}
	*kind = (node->flags & NODE_CUT) != 0 ? LOOKUP_REFERRAL : LOOKUP_EXACT;
	return (node->flags & NODE_OCCLUDED) == 0 &&
	       (*kind == LOOKUP_REFERRAL || query->labels == query->qname.labels);
}
