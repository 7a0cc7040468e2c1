// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The additional section: addresses of names that rdata mentions (RFC 1034 4.3.2 step 6), as far as
// this zone holds them, glue included.
#include "dns_render.h"

#include "rdata.h"

enum which_targets {
	TARGETS_ALL,
	TARGETS_IN_DOMAIN, // at or below the cut
	TARGETS_SIBLING,   // elsewhere in the zone (RFC 9471 2.2)
};

static bool name_ends_in(const struct qname *name, const struct qname *q, unsigned labels)
{
	const unsigned start = q->start[labels];

	return qname_ends_in(name, labels, q->lower + start, (unsigned)q->len - start);
}

// The node of `name`, when it is one of those asked for.
static struct node_ref target_find(
    struct render *r, const uint8_t *name, enum which_targets which, unsigned cut_labels)
{
	static const struct node_ref none;
	const struct image_header *header = version_header(r->version);
	struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};
	const size_t len = name_len(name);

	if (qname_parse(&r->target, name, len, len + IMAGE_TAIL) == 0 ||
	    !name_ends_in(&r->target, r->name, header->apex_labels))
		return none;
	if (which != TARGETS_ALL &&
	    name_ends_in(&r->target, r->name, cut_labels) != (which == TARGETS_IN_DOMAIN))
		return none;
	qname_hash(&r->target, &key);
	return version_find(r->version, &r->target, r->target.labels);
}

// Once each. Post: false when an RRset did not fit.
static bool addresses_put(struct render *r, const uint8_t *owner, struct node_ref ref)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA};

	for (unsigned i = 0; i < r->target_count; i++) {
		if (r->target_seen[i] == ref.node)
			return true;
	}
	if (r->target_count == RENDER_TARGETS_MAX)
		return false;
	r->target_seen[r->target_count++] = ref.node;
	for (unsigned i = 0; i < 2; i++) {
		const struct image_rrset *rrset = node_rrset(ref, types[i]);

		if (rrset != NULL && rrset->rr_count != 0 &&
		    !render_rrset(r, SECTION_ADDITIONAL, owner, ref, rrset, rrset_ttl(ref, rrset)))
			return false;
	}
	return true;
}

// An RRset whose targets are to be added, and its owner as the message has it.
struct source {
	struct node_ref node;
	const struct image_rrset *rrset;
	const uint8_t *owner; // NULL: the question name
};

// The RRsets that aliases of the first one lead to (RFC 9460 4.1).
struct sources {
	struct source list[RDATA_ALIASES_MAX + 1];
	unsigned count;
};

// The RRset of the alias' target, whose own targets then follow. Post: false when it did not fit.
static bool alias_put(
    struct render *r, struct sources *sources, struct node_ref target, const uint8_t *owner)
{
	const struct image_rrset *rrset = node_rrset(target, sources->list[0].rrset->type);

	for (unsigned i = 0; i < sources->count; i++) {
		if (sources->list[i].node.node == target.node)
			return true;
	}
	if (sources->count > RDATA_ALIASES_MAX || rrset == NULL || rrset->rr_count == 0 ||
	    (target.node->flags & (NODE_OCCLUDED | NODE_CUT)) != 0)
		return true;
	sources->list[sources->count++] = (struct source){target, rrset, owner};
	return render_rrset(r, SECTION_ADDITIONAL, owner, target, rrset, rrset_ttl(target, rrset));
}

// Post: false when something did not fit, and then no more was tried. `sources`: NULL, or where
// aliases are taken up.
static bool targets_put(struct render *r, const struct source *from, enum which_targets which,
    unsigned cut_labels, struct sources *sources)
{
	const uint16_t type = from->rrset->type;
	struct rdata_iter iter = rrset_rdata(from->node, from->rrset);
	struct rdata_name names[RDATA_NAMES_MAX];
	const uint8_t *rdata;
	uint16_t rdlen;

	while ((rdata = rdata_next(&iter, &rdlen)) != NULL) { // each was written, or fits a message
		const unsigned n = rdata_names(type, rdata, rdlen, names);
		const bool alias = rdata_is_alias(type, rdata);

		for (unsigned i = 0; i < n; i++) {
			const uint8_t *name = rdata + names[i].offset;
			struct node_ref target;

			if (!names[i].additional)
				continue;
			if (rdata_target_is_owner(type, rdata)) {
				if (alias)
					continue;
				target = from->node;
				name = from->owner;
			} else {
				target = target_find(r, name, which, cut_labels);
			}
			if (target.node == NULL)
				continue;
			if (!addresses_put(r, name, target) ||
			    (alias && sources != NULL && !alias_put(r, sources, target, name)))
				return false;
		}
	}
	return true;
}

void render_additional(struct render *r, struct node_ref node, const struct image_rrset *rrset)
{
	struct sources sources = {.list = {{node, rrset, r->owner}}, .count = 1};

	for (unsigned i = 0; i < sources.count; i++) { // at most RDATA_ALIASES_MAX + 1
		if (!targets_put(r, &sources.list[i], TARGETS_ALL, 0, &sources))
			return;
	}
}

void render_glue(struct render *r, struct node_ref cut, const struct image_rrset *ns)
{
	const struct source from = {cut, ns, NULL};

	if (!targets_put(r, &from, TARGETS_IN_DOMAIN, cut.node->labels, NULL))
		r->flags |= HEADER_TC;
	else
		(void)targets_put(r, &from, TARGETS_SIBLING, cut.node->labels, NULL);
}
