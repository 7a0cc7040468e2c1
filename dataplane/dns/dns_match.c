// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 2, the zone, the first probe, and what it alone decides: most questions to a zone with
// delegations end at the name just below the apex, most others at their own name. The rest walks.
#include "dns_lookup.h"

#include "dns_edns.h"
#include "dns_internal.h"

// The zone that answers: the longest apex; but DS of a zone's apex is its parent's data (RFC 4035
// 3.1.4.1), and so the parent's to answer where we serve it too.
static const struct zone_entry *zone_choose(
    const struct dns_context *context, const struct dns_query *query)
{
	const struct qname *q = &query->qname;
	const struct zone_entry *zone = zone_table_find(context->table, q, q->labels);

	if (query->qtype == RRTYPE_DS && zone != NULL && zone->apex_labels == q->labels &&
	    q->labels != 0) {
		const struct zone_entry *parent =
		    zone_table_find(context->table, q, q->labels - 1u);

		if (parent != NULL)
			return parent;
	}
	return zone;
}

static void zone_begin(const struct dns_context *context, struct dns_query *query)
{
	query->zone = zone_choose(context, query);
	if (query->qtype == RRTYPE_IXFR || query->qtype == RRTYPE_AXFR) {
		// No transfers here. Of a zone that is not ours, NOTAUTH, as NSD, Knot and BIND
		// agree.
		bool ours = query->zone != NULL && query->zone->apex_labels == query->qname.labels;

		dns_query_fail(
		    context, query, ours ? RCODE_REFUSED : RCODE_NOTAUTH, DNS_OUTCOME_refused_xfr);
		return;
	}
	if (query->zone == NULL) {
		dns_query_fail(context, query, RCODE_REFUSED, DNS_OUTCOME_refused_zone);
		return;
	}
	uint32_t state = atomic_load_explicit(&query->zone->state, memory_order_relaxed);

	if (state != ZONE_LIVE) {
		if (state == ZONE_EXPIRED) {
			dns_query_fail(
			    context, query, RCODE_SERVFAIL, DNS_OUTCOME_servfail_expired);
			return;
		}
		query->zone_options |= EDNS_WITH_EDE;
	}
	query->version = atomic_load_explicit(&query->zone->version, memory_order_acquire);
	query->state = QUERY_LOOKUP;
	__builtin_prefetch(query->version);
	__builtin_prefetch(&query->version->layer_count);
}

// Where there are delegations most questions end just below the apex; where there are none, at the
// question's own name.
static void bucket_begin(const struct dns_context *context, struct dns_query *query)
{
	const uint8_t *header = (const uint8_t *)version_header(query->version);
	unsigned apex_labels = query->zone->apex_labels;

	query->labels = query->qname.labels;
	if ((query->version->layer[0].flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) != 0 &&
	    apex_labels < query->labels)
		query->labels = apex_labels + 1u;
	qname_hash_to(&query->qname, zone_table_key(context->table), query->labels);
	version_prefetch(query->version, &query->qname, query->labels);
	__builtin_prefetch(header);
	__builtin_prefetch(header + 64);
}

static void node_begin(const struct dns_context *context, struct dns_query *query)
{
	const struct image_header *header = version_header(query->version);
	const struct hash_key *key = zone_table_key(context->table);

	if (header->hash_key[0] != key->k[0] || header->hash_key[1] != key->k[1]) {
		struct hash_key own = {{header->hash_key[0], header->hash_key[1]}};

		qname_hash(&query->qname, &own);
	}
	version_prefetch_node(query->version, &query->qname, query->labels);
}

static void node_match(struct dns_query *query)
{
	query->node = version_find(query->version, &query->qname, query->labels);
	if (query->node.node != NULL) {
		const uint8_t *line = (const uint8_t *)query->node.node;

		// What an answer needs stands behind the node.
		const unsigned lines = query->node.node->lines;

		for (unsigned i = 1; i < lines; i++) // at most 8
			__builtin_prefetch(line + 64 * i);
	}
}

// Each loop works on what the one before has begun to fetch. n is the caller's burst.
void dns_match_burst(
    const struct dns_context *context, struct dns_query *queries, const uint8_t *index, unsigned n)
{
	if (zone_table_is_large(context->table)) {
		for (unsigned i = 0; i < n; i++) {
			if (queries[index[i]].state == QUERY_ZONE)
				zone_table_prefetch_entry(context->table, &queries[index[i]].qname);
		}
		for (unsigned i = 0; i < n; i++) {
			if (queries[index[i]].state == QUERY_ZONE)
				zone_begin(context, &queries[index[i]]);
		}
		for (unsigned i = 0; i < n; i++) {
			if (queries[index[i]].state == QUERY_LOOKUP)
				bucket_begin(context, &queries[index[i]]);
		}
	} else {
		for (unsigned i = 0; i < n; i++) {
			if (queries[index[i]].state == QUERY_ZONE)
				zone_begin(context, &queries[index[i]]);
			if (queries[index[i]].state == QUERY_LOOKUP)
				bucket_begin(context, &queries[index[i]]);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (queries[index[i]].state == QUERY_LOOKUP)
			node_begin(context, &queries[index[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (queries[index[i]].state == QUERY_LOOKUP)
			node_match(&queries[index[i]]);
	}
}

void dns_match(const struct dns_context *context, struct dns_query *query)
{
	static const uint8_t first;

	dns_match_burst(context, query, &first, 1);
}

void dns_lookup(struct dns_query *query, bool need_encloser, struct lookup *out)
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
