// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 2, the zone, the first probe, and what it alone decides: most questions to a zone with
// delegations end at the name just below the apex, most others at their own name. The rest walks.
#include "dns_lookup.h"

#include "dns_denial.h"
#include "dns_edns.h"
#include "dns_internal.h"
#include "zone_table_probe.h"

#define CUT_LINES_MAX 5 // of a cut with its referral

// The zone that answers: the longest apex; but DS of a zone's apex is its parent's data (RFC 4035
// 3.1.4.1), and so the parent's to answer where we serve it too.
static const struct zone_version *zone_choose(
    const struct dns_context *context, const struct dns_query *query)
{
	const struct qname *q = &query->qname;
	const struct zone_version *zone = zone_table_find(context->table, q, q->labels);

	if (query->qtype == RRTYPE_DS && zone != NULL && zone->apex_labels == q->labels &&
	    q->labels != 0) {
		const struct zone_version *parent =
		    zone_table_find(context->table, q, q->labels - 1u);

		if (parent != NULL)
			return parent;
	}
	return zone;
}

// What is no ordinary question of an ordinary zone: true when it goes on all the same.
static __attribute__((noinline)) bool zone_judge(
    const struct dns_context *context, struct dns_query *query)
{
	const struct zone_version *zone = query->version;

	if (query->qtype == RRTYPE_IXFR || query->qtype == RRTYPE_AXFR) {
		// No transfers here. Of a zone that is not ours, NOTAUTH, as NSD, Knot and BIND
		// agree.
		const bool ours = zone != NULL && zone->apex_labels == query->qname.labels;

		dns_query_fail(
		    context, query, ours ? RCODE_REFUSED : RCODE_NOTAUTH, DNS_OUTCOME_refused_xfr);
		return false;
	}
	if (zone == NULL) {
		dns_query_fail(context, query, RCODE_REFUSED, DNS_OUTCOME_refused_zone);
		return false;
	}
	const uint32_t state = atomic_load_explicit(&zone->state, memory_order_relaxed);

	if (state == ZONE_EXPIRED) {
		dns_query_fail(context, query, RCODE_SERVFAIL, DNS_OUTCOME_servfail_expired);
		return false;
	}
	if (state == ZONE_STALE)
		query->zone_options |= EDNS_WITH_EDE;
	return true;
}

// Post: true when the zone answers; query->version is set.
static inline bool zone_begin(const struct dns_context *context, struct dns_query *query)
{
	const struct zone_version *version = zone_choose(context, query);

	query->version = version;
	query->zone = version != NULL ? version->entry : NULL;
	return (version != NULL && query->qtype < RRTYPE_IXFR &&
	           atomic_load_explicit(&version->state, memory_order_relaxed) == ZONE_LIVE) ||
	       zone_judge(context, query);
}

static __attribute__((noinline)) void rehash(struct dns_query *query)
{
	const uint64_t *k = query->version->layer[0].hash_key;
	const struct hash_key own = {{k[0], k[1]}};

	qname_hash(&query->qname, &own);
}

// Where there are delegations most questions end just below the apex; where there are none, at the
// question's own name.
static inline void probe_begin(const struct dns_context *context, struct dns_query *query)
{
	const struct image *top = &query->version->layer[0];
	const struct hash_key *key = zone_table_key(context->table);
	const unsigned below = query->version->apex_labels + 1u;
	unsigned labels = query->qname.labels;

	if ((top->flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) != 0 && below < labels)
		labels = below;
	query->labels = (uint8_t)labels;
	if (top->hash_key[0] == key->k[0] && top->hash_key[1] == key->k[1])
		qname_hash_to(&query->qname, key, labels);
	else
		rehash(query);
}

static inline void node_match(struct dns_query *query)
{
	query->node = version_find(query->version, &query->qname, query->labels);
	query->state = QUERY_LOOKUP;
}

static inline void lines_prefetch(const void *from, unsigned lines)
{
	for (unsigned i = 0; i < lines; i++) // at most 8
		__builtin_prefetch((const uint8_t *)from + 64 * i);
}

// A referral stands behind its node; what is behind that is not worth so much.
static inline unsigned cut_lines(const struct image_node *node)
{
	const unsigned lines = (node->step * NODE_STEP + 63) / 64;

	return lines - 1 < CUT_LINES_MAX ? lines : CUT_LINES_MAX;
}

// What emit will copy first. A referral stands behind its node; of a name's many answers one is
// wanted.
static inline void answer_prefetch(const struct dns_query *query)
{
	const struct image_node *node = query->node.node;
	const struct image *image = &query->version->layer[0];
	const struct image_rrset *rrset;
	const void *answer = image_at(image, image->negative_ref);
	unsigned lines = 3;

	if (node != NULL) {
		if ((node->flags & NODE_CUT) != 0) {
			lines_prefetch(node, cut_lines(node));
			return;
		}
		if ((node->flags & NODE_CNAME) != 0 && node_leads(node)->answer_at != 0) {
			const struct image_chain *chain =
			    node_at(node, node_leads(node)->answer_at);

			answer =
			    node_at(node, chain->at[query->qtype == RRTYPE_A      ? CHAIN_A
			                            : query->qtype == RRTYPE_AAAA ? CHAIN_AAAA
			                                                          : CHAIN_OTHER]);
		} else if ((rrset = node_rrset(query->node, query->qtype)) != NULL) {
			const bool sigs = query_wants_sigs(query);

			answer = node_at(
			    node, sigs ? rrset_signed(rrset)->answer_do_at : rrset->answer_at);
			lines = 2 + (rrset->rr_count > 1) + 2 * sigs;
		}
	}
	lines_prefetch(answer, lines);
}

// Zones by the thousand: each step leads to memory of its own. Post: the number of queries, in
// waiting[], whose name is to be looked up.
static unsigned zones_begin(const struct dns_context *context, struct dns_query *queries,
    const uint8_t *index, unsigned n, uint8_t *waiting)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		if (queries[index[i]].state == QUERY_ZONE)
			zone_table_prefetch_version(context->table, &queries[index[i]].qname);
	}
	for (unsigned i = 0; i < n; i++) {
		struct dns_query *query = &queries[index[i]];

		if (query->state != QUERY_ZONE || !zone_begin(context, query))
			continue;
		probe_begin(context, query);
		version_prefetch(query->version, &query->qname, query->labels);
		waiting[count++] = index[i];
	}
	return count;
}

// Among few zones. Post: true when the name is still to be looked up; what is at hand was at once.
static __attribute__((noinline)) bool query_begin(
    const struct dns_context *context, struct dns_query *query)
{
	if (query->state != QUERY_ZONE || !zone_begin(context, query))
		return false;
	probe_begin(context, query);
	if (version_is_large(query->version)) {
		version_prefetch(query->version, &query->qname, query->labels);
		return true;
	}
	node_match(query);
	return false;
}

static unsigned zones_match(const struct dns_context *context, struct dns_query *queries,
    const uint8_t *index, unsigned n, uint8_t *waiting)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		waiting[count] = index[i];
		count += query_begin(context, &queries[index[i]]);
	}
	return count;
}

// Each loop works on what the one before has begun to fetch.
STAGE void dns_match_burst(
    const struct dns_context *context, struct dns_query *queries, const uint8_t *index, unsigned n)
{
	uint8_t waiting[DNS_BURST_MAX];
	const unsigned count = zone_table_is_large(context->table)
	                           ? zones_begin(context, queries, index, n, waiting)
	                           : zones_match(context, queries, index, n, waiting);

	for (unsigned i = 0; i < count; i++) {
		struct dns_query *query = &queries[waiting[i]];

		version_prefetch_node(query->version, &query->qname, query->labels);
	}
	for (unsigned i = 0; i < count; i++) {
		struct dns_query *query = &queries[waiting[i]];

		node_match(query);
		answer_prefetch(query);
	}
}

void dns_match(const struct dns_context *context, struct dns_query *query)
{
	static const uint8_t first;

	dns_match_burst(context, query, &first, 1);
}

void dns_lookup(struct dns_query *query, bool need_encloser, struct lookup *out)
{
	const struct zone_version *version = query->version;

	if (!dns_lookup_direct(query, &out->kind)) {
		version_lookup(version, &query->qname, out);
		return;
	}
	out->node = out->encloser = query->node;
	out->encloser_labels = query->labels;
	if (out->kind != LOOKUP_NXDOMAIN || !need_encloser)
		return;
	// What is not there just below the apex ends at the apex.
	out->encloser_labels--;
	if (out->encloser_labels == version_apex_labels(version))
		out->encloser = (struct node_ref){&version->layer[0],
		    image_at(&version->layer[0], version_header(version)->apex_ref)};
	else
		version_lookup(version, &query->qname, out);
}
