// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Names in a zone version. Called by workers for every query: no allocation, no loop without a
// bound. Bounds: a probe looks at probe_max buckets, a version has three layers, a walk has one
// step a label.

#include "reader.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "image_probe.h"
#include "name.h"
#include "wide.h"

// A record of an answer whose owner is the question's name: pointer, type, class, TTL, length.
#define RR_TTL_AT   6
#define RR_RDATA_AT 12

unsigned version_apex_labels(const struct zone_version *version)
{
	return version_header(version)->apex_labels;
}

int version_check(const struct zone_version *version)
{
	if (version->layer_count < 1 || version->layer_count > IMAGE_LAYERS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image_header *header = version->layer[i].header;
		const bool base = i + 1 == version->layer_count;
		if (((header->flags & IMAGE_OVERLAY) == 0) != base)
			return -EINVAL;
		if (base)
			break;
		const struct image_header *below = version->layer[i + 1].header;
		if (((header->flags ^ below->flags) & (IMAGE_SIGNED | IMAGE_NSEC3)) != 0)
			return -EINVAL;
		// What is above may hide all there is of these, and yet must not say so: a first
		// probe is judged by them (dns_lookup.h).
		if ((below->flags & ~header->flags &
		        (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES | IMAGE_HAS_WILD)) != 0)
			return -EINVAL;
		if (header->below_id != below->id || header->apex_len != below->apex_len ||
		    memcmp(image_apex(header), image_apex(below), header->apex_len) != 0 ||
		    header->hash_key[0] != below->hash_key[0] ||
		    header->hash_key[1] != below->hash_key[1])
			return -EINVAL;
	}
	return 0;
}

// --- one image
// ------------------------------------------------------------------------------------

static inline bool node_is(const struct image_node *node, const uint8_t *name, unsigned len)
{
	return node->name_len == len && wide_equal(node->name, name, len);
}

// Pre: `name` is lower case, `len` bytes; WIDE_SLACK more may be read (IMAGE_TAIL is as much). The
// image has buckets.
static __attribute__((noinline)) const struct image_node *image_search(
    const struct image *image, uint64_t hash, const uint8_t *name, unsigned len)
{
	uint32_t at = home_bucket(image->bucket_count, hash);

	for (uint32_t probe = 0; probe < image->header->probe_max; probe++) {
		const struct image_bucket *bucket = &image->buckets[at];
		uint32_t match = bucket_match(bucket, (uint16_t)hash);
		while (match != 0) { // at most ten
			const unsigned slot = (unsigned)__builtin_ctz(match) >> MATCH_SHIFT;
			match &= match - 1;
			if (bucket->ref[slot] == 0)
				break;
			const struct image_node *node = image_at(image, bucket->ref[slot]);
			if (node_is(node, name, len))
				return node;
		}
		// Names whose home is here may stand further on only when this bucket overflowed,
		// and then it is full, as is every bucket in between.
		if (bucket->overflow == 0 && probe == 0)
			return NULL;
		if (bucket->used < IMAGE_SLOTS)
			return NULL;
		if (++at == image->bucket_count)
			at = 0;
	}
	return NULL;
}

// The same, whose first look most often decides.
static inline const struct image_node *image_find(
    const struct image *image, uint64_t hash, const uint8_t *name, unsigned len)
{
	if (image->bucket_count == 0)
		return NULL;

	const struct image_probe probe = image_probe(image, hash);

	if (probe.node != NULL ? node_is(probe.node, name, len) : !probe.unsure)
		return probe.node;
	return image_search(image, hash, name, len);
}

// --- a version
// ------------------------------------------------------------------------------------

__attribute__((noinline)) bool version_overlays_find(const struct zone_version *version,
    const uint8_t *name, unsigned len, uint64_t hash, struct node_ref *ref)
{
	const struct image *base = version_base(version);

	*ref = (struct node_ref){.image = base};
	for (const struct image *image = version->layer; image < base; image++) { // at most two
		const struct image_node *node = image_find(image, hash, name, len);

		if (node == NULL)
			continue;
		if ((node->flags & NODE_TOMBSTONE) == 0)
			*ref = (struct node_ref){.image = image, .node = node};
		return true;
	}
	return false;
}

struct node_ref version_find_name(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash)
{
	const struct image *base = version_base(version);
	struct node_ref ref;

	if (base != version->layer && version_overlays_find(version, name, len, hash, &ref))
		return ref;
	return (struct node_ref){.image = base, .node = image_find(base, hash, name, len)};
}

struct node_ref version_find(
    const struct zone_version *version, const struct qname *q, unsigned labels)
{
	const unsigned start = q->start[labels];

	return version_find_name(
	    version, q->lower + start, (unsigned)q->len - start, q->hash[labels]);
}

bool version_is_large(const struct zone_version *version)
{
	return version->layer_count != 1 || version->layer[0].bucket_count >= BUCKETS_LARGE;
}

void version_prefetch(const struct zone_version *version, const struct qname *q, unsigned labels)
{
	const uint64_t hash = q->hash[labels];

	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		if (image->bucket_count != 0)
			__builtin_prefetch(&image->buckets[home_bucket(image->bucket_count, hash)]);
	}
}

void version_prefetch_node(
    const struct zone_version *version, const struct qname *q, unsigned labels)
{
	const uint64_t hash = q->hash[labels];

	for (unsigned i = 0; i < version->layer_count; i++) {
		const struct image *image = &version->layer[i];
		if (image->bucket_count == 0)
			continue;
		const struct image_bucket *bucket =
		    &image->buckets[home_bucket(image->bucket_count, hash)];
		const uint32_t match = bucket_match(bucket, (uint16_t)hash);
		if (match == 0)
			continue;
		const uint8_t *node =
		    image_at(image, bucket->ref[(unsigned)__builtin_ctz(match) >> MATCH_SHIFT]);
		__builtin_prefetch(node);
		__builtin_prefetch(node + 64); // the directory of RRsets
	}
}

// "*.<node's name>": hashed afresh, as it is not a suffix of the question.
static struct node_ref find_wildcard(
    const struct zone_version *version, const struct qname *q, unsigned labels)
{
	const struct image_header *header = version_header(version);
	const struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};
	const unsigned start = q->start[labels];
	const unsigned len = (unsigned)q->len - start;
	struct qname wild;

	if (len + 2 > NAME_LEN_MAX)
		return (struct node_ref){0};
	wild.lower[0] = 1;
	wild.lower[1] = '*';
	memcpy(wild.lower + 2, q->lower + start, len);
	wild.len = (uint8_t)(len + 2);
	return version_find_name(
	    version, wild.lower, wild.len, qname_hash_child(q->hash[labels], wild.lower, &key));
}

void version_lookup(const struct zone_version *version, struct qname *q, struct lookup *out)
{
	const unsigned apex_labels = version_apex_labels(version);
	const struct image_header *header = version_header(version);
	const struct hash_key key = {{header->hash_key[0], header->hash_key[1]}};
	struct node_ref node, encloser = {0};
	unsigned labels;

	// From the apex down: the first cut or DNAME, or the first missing name, ends the walk.
	for (labels = apex_labels; labels <= q->labels; labels++) {
		qname_hash_to(q, &key, labels);
		node = version_find(version, q, labels);
		if (node.node == NULL)
			break;
		encloser = node;
		out->encloser_labels = (uint8_t)labels;
		if ((node.node->flags & (NODE_CUT | NODE_DNAME)) == 0)
			continue;
		if ((node.node->flags & NODE_CUT) != 0)
			out->kind = LOOKUP_REFERRAL;
		else if (labels < q->labels)
			out->kind = LOOKUP_DNAME;
		else
			out->kind = LOOKUP_EXACT;
		out->node = out->encloser = node;
		return;
	}
	out->encloser = encloser;
	if (labels > q->labels) {
		out->kind = LOOKUP_EXACT;
		out->node = encloser;
		return;
	}
	out->kind = LOOKUP_NXDOMAIN;
	out->node = (struct node_ref){0};
	if (encloser.node == NULL || (encloser.node->flags & NODE_WILD) == 0)
		return;
	node = find_wildcard(version, q, labels - 1);
	if (node.node != NULL) {
		out->kind = LOOKUP_WILDCARD;
		out->node = node;
	}
}

// --- a node
// ---------------------------------------------------------------------------------------

uint32_t type_bit(uint16_t type)
{
	static const uint8_t other[] = {[RRTYPE_CNAME] = 1,
	    [RRTYPE_SOA] = 2,
	    [RRTYPE_PTR] = 3,
	    [RRTYPE_MX] = 4,
	    [RRTYPE_TXT] = 5,
	    [RRTYPE_A] = 6,
	    [RRTYPE_NS] = 7,
	    [RRTYPE_AAAA] = 8,
	    [RRTYPE_SRV] = 9,
	    [RRTYPE_NAPTR] = 10,
	    [RRTYPE_DNAME] = 11,
	    [RRTYPE_DS] = 12,
	    [RRTYPE_RRSIG] = 13,
	    [RRTYPE_NSEC] = 14,
	    [RRTYPE_DNSKEY] = 15,
	    [RRTYPE_NSEC3] = 16,
	    [RRTYPE_NSEC3PARAM] = 17,
	    [RRTYPE_TLSA] = 18,
	    [RRTYPE_SVCB] = 19,
	    [RRTYPE_HTTPS] = 20,
	    [RRTYPE_HINFO] = 21,
	    [RRTYPE_SPF] = 22,
	    [RRTYPE_CDS] = 23,
	    [RRTYPE_CDNSKEY] = 24};
	const unsigned bit = type < sizeof(other) ? other[type] : type == RRTYPE_CAA ? 25 : 0;

	return UINT32_C(1) << (bit != 0 ? bit : 31);
}

const struct image_rrset *node_rrset(struct node_ref ref, uint16_t type)
{
	const struct image_node *node = ref.node;

	if (node == NULL || (node->types & type_bit(type)) == 0)
		return NULL;
	unsigned low = 0, high = node->rrset_count;
	// Few RRsets stand at a name; a name with 10^5 types must not make this linear.
	while (high - low > 8) {
		const unsigned middle = (low + high) / 2;
		if (node_rrset_at(ref, middle)->type <= type)
			low = middle;
		else
			high = middle;
	}
	const size_t stride = rrset_stride(ref.image->flags);
	const struct image_rrset *rrset = node_rrset_at(ref, low);
	for (; low < high; low++) {
		if (rrset->type == type)
			return rrset;
		rrset = (const struct image_rrset *)((const uint8_t *)rrset + stride);
	}
	return NULL;
}

const uint8_t *node_owner(struct node_ref ref)
{
	const struct image_node *node = ref.node;

	if ((node->flags & NODE_CASE) == 0)
		return node->name;
	// It is the last of the parts.
	return (const uint8_t *)node + image_node_head(node) + node->more * NODE_UNIT -
	       ((node->name_len + NODE_UNIT - 1) & ~(NODE_UNIT - 1));
}

// Pre: NODE_FAR.
static const struct image_far *rrset_far(struct node_ref ref, const struct image_rrset *rrset)
{
	const size_t stride = rrset_stride(ref.image->flags);
	const uint8_t *first = (const uint8_t *)node_rrset_at(ref, 0);
	const struct image_far *far =
	    (const struct image_far *)(first + ref.node->rrset_count * stride);

	return far + (size_t)((const uint8_t *)rrset - first) / stride;
}

// Its list of records; NULL: they are in its answer.
static const uint8_t *rrset_list(struct node_ref ref, const struct image_rrset *rrset)
{
	if (rrset->rdata_at == 0)
		return NULL;
	return (const uint8_t *)ref.node +
	       (size_t)NODE_UNIT * ((ref.node->flags & NODE_FAR) != 0
	                                   ? rrset_far(ref, rrset)->rdata_at
	                                   : rrset->rdata_at);
}

struct rdata_iter rrset_rdata(struct node_ref ref, const struct image_rrset *rrset)
{
	const uint8_t *list = rrset_list(ref, rrset);

	if (rrset->rr_count == 0)
		return (struct rdata_iter){0};
	if (list != NULL)
		return (struct rdata_iter){.at = list + 4, .left = rrset->rr_count};
	return (struct rdata_iter){.at = answer_bytes(node_at(ref.node, rrset->answer_at)),
	    .left = rrset->rr_count,
	    .in_answer = true};
}

uint32_t rrset_ttl(struct node_ref ref, const struct image_rrset *rrset)
{
	const uint8_t *list = rrset_list(ref, rrset);
	uint32_t ttl;

	if (rrset->rr_count == 0)
		return 0;
	if (list != NULL) {
		memcpy(&ttl, list, sizeof ttl);
		return ttl;
	}
	memcpy(&ttl, answer_bytes(node_at(ref.node, rrset->answer_at)) + RR_TTL_AT, sizeof ttl);
	return be32toh(ttl);
}

struct rdata_iter rrset_sigs(struct node_ref ref, const struct image_rrset *rrset, uint32_t *ttl)
{
	if (!rrset_has_sigs(ref.image, rrset))
		return (struct rdata_iter){0};

	const uint32_t at = (ref.node->flags & NODE_FAR) != 0 ? rrset_far(ref, rrset)->sigs_at
	                                                      : rrset_signed(rrset)->sigs_at;
	const struct image_sigs *sigs =
	    (const struct image_sigs *)((const uint8_t *)ref.node + (size_t)NODE_UNIT * at);
	*ttl = sigs->ttl;
	return (struct rdata_iter){.at = (const uint8_t *)(sigs + 1), .left = sigs->rr_count};
}

const uint8_t *rdata_next(struct rdata_iter *iter, uint16_t *len)
{
	if (iter->left == 0)
		return NULL;
	const uint8_t *rdata = iter->at + 2;
	memcpy(len, iter->at, 2);
	if (iter->in_answer) {
		rdata = iter->at + RR_RDATA_AT;
		memcpy(len, rdata - 2, 2);
		*len = be16toh(*len);
	}
	iter->at = rdata + *len;
	iter->left--;
	return rdata;
}
