// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// RRsets into sections; see dns_render.h.
#include "dns_render.h"

// Post: the number of records written, or -1 when they do not fit.
static int records_put(
    struct render *r, const uint8_t *owner, uint16_t type, uint32_t ttl, struct rdata_iter iter)
{
	const uint8_t *rdata;
	uint16_t rdlen;
	int n = 0;

	while ((rdata = rdata_next(&iter, &rdlen)) != NULL) { // the room left bounds it
		if (!writer_rr(&r->w, owner, type, ttl, rdata, rdlen))
			return -1;
		n++;
	}
	return n;
}

bool render_rrset(struct render *r, enum section section, const uint8_t *owner,
    struct node_ref node, const struct image_rrset *rrset, uint32_t ttl)
{
	struct writer_mark mark = writer_mark(&r->w);
	int n = records_put(r, owner, rrset->type, ttl, rrset_rdata(node, rrset));
	int sigs = 0;

	if (n >= 0 && r->do_sigs) {
		uint32_t sigs_ttl = 0;
		struct rdata_iter iter = rrset_sigs(node, rrset, &sigs_ttl);

		// The TTL of an RRSIG is that of the RRset it covers (RFC 4034 3), which for an SOA
		// in a negative answer was lowered.
		sigs = records_put(r, owner, RRTYPE_RRSIG, sigs_ttl < ttl ? sigs_ttl : ttl, iter);
	}
	if (n < 0 || sigs < 0) {
		writer_rewind(&r->w, mark);
		return false;
	}
	r->count[section] += (uint16_t)(n + sigs);
	return true;
}
