// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version record by record (see reader.h): for transfers out, dumps and comparisons.
#include "reader.h"

#include "name.h"
#include "records.h"

void version_records_start(struct version_records *at, const struct zone_version *version)
{
	*at = (struct version_records){0};
	version_iter_start(&at->nodes, version);
}

bool version_records_next(struct version_records *at, struct record *out)
{
	// Each turn gives a record, or leaves an RRset, its signatures or a name behind.
	while ((out->rdata = rdata_next(&at->rdata, &out->rdlen)) == NULL) {
		const struct image_rrset *rrset;

		if (at->sigs_follow) {
			rrset = node_rrset_at(at->node, at->next_rrset - 1);
			at->rdata = rrset_sigs(at->node, rrset, &at->ttl);
			at->type = RRTYPE_RRSIG;
			at->sigs_follow = false;
			continue;
		}
		if (at->node.node == NULL || at->next_rrset == at->node.node->rrset_count) {
			at->node = version_iter_next(&at->nodes);
			if (at->node.node == NULL)
				return false;
			at->next_rrset = 0;
			continue;
		}
		rrset = node_rrset_at(at->node, at->next_rrset++);
		at->rdata = rrset_rdata(at->node, rrset);
		at->type = rrset->type;
		at->ttl = rrset_ttl(at->node, rrset);
		at->sigs_follow = rrset_has_sigs(at->node.image, rrset);
	}
	out->owner = node_owner(at->node);
	out->owner_len = at->node.node->name_len;
	out->type = at->type;
	out->ttl = at->ttl;
	return true;
}

bool version_soa(const struct zone_version *version, struct record *out)
{
	struct version_iter nodes;
	struct rdata_iter iter;

	version_iter_start(&nodes, version);
	// The apex comes before all names below it (RFC 4034 6.1).
	const struct node_ref apex = version_iter_next(&nodes);
	const struct image_rrset *rrset = node_rrset(apex, RRTYPE_SOA);

	if (rrset == NULL)
		return false;
	iter = rrset_rdata(apex, rrset);
	out->rdata = rdata_next(&iter, &out->rdlen);
	out->owner = node_owner(apex);
	out->owner_len = apex.node->name_len;
	out->type = RRTYPE_SOA;
	out->ttl = rrset_ttl(apex, rrset);
	return out->rdata != NULL;
}
