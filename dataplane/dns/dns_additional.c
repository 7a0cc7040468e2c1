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
	unsigned len = (unsigned)q->len - q->start[labels];

	return name->labels >= labels &&
	       memcmp(name->lower + name->start[labels], q->lower + q->start[labels], len) == 0;
}

// The node that holds the addresses of `name`, when they may be added and were not yet.
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

	struct node_ref ref = version_find(r->version, &r->target, r->target.labels);

	if (ref.node == NULL)
		return none;
	for (unsigned i = 0; i < r->target_count; i++) {
		if (r->target_seen[i] == ref.node)
			return none;
	}
	return ref;
}

// Post: false when an RRset did not fit.
static bool addresses_put(struct render *r, const uint8_t *owner, struct node_ref ref)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA};

	if (r->target_count == RENDER_TARGETS_MAX)
		return false;
	r->target_seen[r->target_count++] = ref.node;
	for (unsigned i = 0; i < 2; i++) {
		const struct image_rrset *rrset = node_rrset(ref, types[i]);

		if (rrset != NULL && rrset->rr_count != 0 &&
		    !render_rrset(r, SECTION_ADDITIONAL, owner, ref.image, rrset, rrset->ttl))
			return false;
	}
	return true;
}

// Post: false when something did not fit, and then no more was tried.
static bool targets_put(struct render *r, const struct image *image,
    const struct image_rrset *rrset, enum which_targets which, unsigned cut_labels)
{
	struct rdata_iter iter = rrset_rdata(image, rrset);
	struct rdata_name names[RDATA_NAMES_MAX];
	const uint8_t *rdata;
	uint16_t rdlen;

	while ((rdata = rdata_next(&iter, &rdlen)) != NULL) { // each was written, or fits a message
		unsigned n = rdata_names(rrset->type, rdata, rdlen, names);

		for (unsigned i = 0; i < n; i++) {
			const uint8_t *name = rdata + names[i].offset;

			if (!names[i].additional)
				continue;

			struct node_ref ref = target_find(r, name, which, cut_labels);

			if (ref.node != NULL && !addresses_put(r, name, ref))
				return false;
		}
	}
	return true;
}

void render_additional(struct render *r, const struct image *image, const struct image_rrset *rrset)
{
	(void)targets_put(r, image, rrset, TARGETS_ALL, 0);
}

void render_glue(struct render *r, struct node_ref cut, const struct image_rrset *ns)
{
	if (!targets_put(r, cut.image, ns, TARGETS_IN_DOMAIN, cut.node->labels))
		r->flags |= HEADER_TC;
	else
		(void)targets_put(r, cut.image, ns, TARGETS_SIBLING, cut.node->labels);
}
