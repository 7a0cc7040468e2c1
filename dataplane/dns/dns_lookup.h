// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Where a question ends in its zone, starting from the node that stage 2 found.
#pragma once

#include "dns_internal.h"

// Pre: dns_match() was called. Post: as version_lookup(); but `encloser` of an NXDOMAIN is set only
// when `need_encloser`.
void dns_lookup(struct dns_query *query, bool need_encloser, struct lookup *out);

// What the one probe of stage 2 tells; `whole`: it was for the question's own name. `node`: what it
// found, or NULL. Post: true when that is all.
static inline bool lookup_direct(
    const struct image *image, const struct image_node *node, bool whole, enum lookup_kind *kind)
{
	if (node == NULL) {
		// The probe was either one label below the apex, or the whole name in a zone
		// without cuts.
		*kind = LOOKUP_NXDOMAIN;
		return (image->flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) == 0;
	}
	*kind = (node->flags & NODE_CUT) != 0 ? LOOKUP_REFERRAL : LOOKUP_EXACT;
	return (node->flags & NODE_OCCLUDED) == 0 && (*kind == LOOKUP_REFERRAL || whole);
}

static inline bool dns_lookup_direct(const struct dns_query *query, enum lookup_kind *kind)
{
	return lookup_direct(&query->version->layer[0], query->node.node,
	    query->labels == query->qname.labels, kind);
}
