// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The steps of those that wait (dns_plain.h), each a loop over the burst that fetches what the next
// one looks at: the zone's slot, its version, the name's bucket, its node, its answer; and what
// dns_plain_wait.h seldom comes by. One whose state is not PLAIN_WAIT_ANSWER goes no further.
#include "dns_plain_proof.h"
#include "dns_plain_wait.h"

#include "zone_table_probe.h"

// A name at which nothing stands; as far as it is looked into.
union plain_nobody {
	struct image_node node;
	uint8_t bytes[sizeof(struct image_node) + (size_t)64 * 2];
};

#define NODE_LINES   2 // of a node, fetched for what decides
#define ANSWER_LINES 3 // of an answer
#define FEW_RRSETS   8 // of a node, looked at at once

static const union plain_nobody plain_nobody;

// Into the second-level cache: the first has few buffers for lines that are on their way, and those
// of a burst are many.
static inline void fetch(const void *at)
{
	__builtin_prefetch(at, 0, 2);
}

static inline bool seldom(bool it_is)
{
	return __builtin_expect(it_is, false);
}

// The hash of the whole name, from that of its last `from` labels.
static __attribute__((noinline)) uint64_t whole_hash(
    const struct plain_waiting *waiting, const struct hash_key *key, unsigned from)
{
	uint64_t hash = waiting->hash;

	for (unsigned n = from + 1; n <= waiting->labels; n++) // at most 7 times
		hash = qname_label_hash(
		    hash, waiting->name + waiting->order[waiting->labels - n], key);
	return hash;
}

void plain_ask_lower(struct plain_queue *queue)
{
	struct plain_waiting *waiting = &queue->waiting[queue->count];
	uint8_t *lower = queue->aside[queue->count].lower;

	(void)plain_lower(waiting->name, waiting->at, lower); // it is no longer than a name may be
	waiting->name = lower;
}

// The hashes of the apex that a zone of it has, and of the name below that the question has; where
// there is none, of the apex.
static inline __attribute__((always_inline)) void step_hash(
    struct plain_waiting *waiting, const struct hash_key *key, unsigned depth)
{
	const unsigned labels = waiting->labels;

	waiting->depth = (uint8_t)depth;
	if (__builtin_expect(labels < depth, 0)) {
		waiting->state = PLAIN_WAIT_ZONE;
		waiting->apex_hash = 0;
		return;
	}

	const uint8_t *const name = waiting->name, *const order = waiting->order;
	const unsigned more = labels > depth, apex_at = order[labels - depth];
	const unsigned own_at = order[labels - depth - more];
	uint64_t hash = key->k[0], own_hash;

	for (unsigned n = 1; n <= depth; n++) // at most 7 times
		hash = qname_label_hash_few(hash, name + order[labels - n], key);
	own_hash = qname_label_hash_few(hash, name + own_at, key);
	waiting->apex_hash = hash;
	waiting->hash = pick(more, own_hash, hash);
	waiting->apex_at = (uint8_t)apex_at;
	waiting->own_at = (uint8_t)own_at;
	waiting->probed = (uint8_t)(depth + more);
}

// The same where there are apexes of several lengths: all of them.
static __attribute__((noinline)) void step_hash_deep(struct plain_waiting *waiting,
    struct plain_aside *aside, const struct hash_key *key, uint64_t depths)
{
	const unsigned labels = waiting->labels;
	unsigned last;

	aside->depths = (uint32_t)depths & ((2u << labels) - 1);
	if (aside->depths == 0)
		waiting->state = PLAIN_WAIT_ZONE;
	last = (31 ^ (unsigned)__builtin_clz(aside->depths | 1)) + 1;
	aside->hash[0] = key->k[0];
	for (unsigned n = 1; n <= last && n <= labels; n++) // at most 7 times
		aside->hash[n] = qname_label_hash(
		    aside->hash[n - 1], waiting->name + waiting->order[labels - n], key);
}

static inline const struct zone_version *waiting_version(const struct plain_waiting *waiting)
{
	return lead_version(waiting->lead);
}

// No name is looked up on the way to the question's: it alone is.
static inline void probe_whole(struct plain_waiting *waiting, const struct hash_key *key)
{
	waiting->hash = whole_hash(waiting, key, waiting->probed);
	waiting->probed = waiting->labels;
	waiting->own_at = 0;
}

// DS of a zone's apex is its parent's data.
static inline bool asks_parent(const struct plain_waiting *waiting)
{
	return waiting->type == RRTYPE_DS && waiting->depth == waiting->labels;
}

// As seek_bucket(), by what the slot says of the zone.
static inline void seek_bucket_near(const struct hash_key *key, struct plain_waiting *waiting)
{
	const uint64_t lead = waiting->lead;

	if (seldom(lead_labels(lead) != waiting->depth) || seldom(asks_parent(waiting))) {
		waiting->state = PLAIN_WAIT_ZONE;
		return;
	}
	if (seldom(waiting->probed < waiting->labels) && (lead & LEAD_CUTS) == 0)
		probe_whole(waiting, key);
	waiting->bucket = &lead_buckets(lead)[home_bucket(lead_bucket_count(lead), waiting->hash)];
	fetch(waiting->bucket);
}

// Its slot is known: on to the bucket, or to what says where that is.
static inline void zone_found(const struct hash_key *key, struct plain_waiting *waiting)
{
	if (lead_near(waiting->lead))
		seek_bucket_near(key, waiting);
	else
		fetch(waiting_version(waiting));
}

// Post: false: there is none, or it may be further on.
static inline bool seek_zone(const struct slots *slots, struct plain_waiting *waiting)
{
	waiting->lead = slots_probe(slots, waiting->apex_hash).lead;
	if (waiting->lead == 0)
		waiting->state = PLAIN_WAIT_ZONE;
	return waiting->lead != 0;
}

// The same where there are apexes of several lengths: the longest. Where a line has others and is
// full, it may be further on.
static __attribute__((noinline)) bool seek_zone_deep(
    const struct slots *slots, struct plain_waiting *waiting, const struct plain_aside *aside)
{
	for (uint32_t depths = aside->depths; depths != 0;) { // at most 8 times
		const unsigned depth = 31 ^ (unsigned)__builtin_clz(depths);
		const struct slots_probe probe = slots_probe(slots, aside->hash[depth]);

		if (probe.lead != 0) {
			const unsigned more = waiting->labels > depth;

			waiting->lead = probe.lead;
			waiting->depth = (uint8_t)depth;
			waiting->probed = (uint8_t)(depth + more);
			waiting->hash = aside->hash[depth + more];
			waiting->apex_at = waiting->order[waiting->labels - depth];
			waiting->own_at = waiting->order[waiting->labels - depth - more];
			return true;
		}
		if (probe.unsure)
			break;
		depths &= ~(1u << depth);
	}
	waiting->state = PLAIN_WAIT_ZONE;
	return false;
}

// Where in its index the first probe will look. That the zone's apex is the question's is looked at
// last (step_choose()): the name of a node says it, too. A tombstone is not live.
static inline void seek_bucket(const struct dns_plain *at_hand, struct plain_waiting *waiting)
{
	const struct zone_version *version = waiting_version(waiting);
	const struct image *image = &version->layer[0];

	if (version->apex_labels != waiting->depth || asks_parent(waiting) ||
	    atomic_load_explicit(&version->state, memory_order_relaxed) != ZONE_LIVE ||
	    !plain_version(at_hand, version)) {
		waiting->state = PLAIN_WAIT_ZONE;
		return;
	}
	if (waiting->probed < waiting->labels &&
	    (image->flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) == 0)
		probe_whole(waiting, &at_hand->key);
	if (version->layer_count != 1) {
		for (; image < version_base(version); image++) // at most twice
			fetch(&image->buckets[home_bucket(image->bucket_count, waiting->hash)]);
	}
	waiting->bucket = &image->buckets[home_bucket(image->bucket_count, waiting->hash)];
	fetch(waiting->bucket);
}

// For a name that is not there: the apex, and what is said then.
static inline void negative_prefetch(const struct zone_version *version)
{
	const struct image *top = &version->layer[0];

	fetch(image_apex(top->header));
	fetch(image_at(top, top->negative_ref));
}

static inline const uint8_t *own_name(const struct plain_waiting *waiting)
{
	return waiting->name + waiting->own_at;
}

static inline unsigned own_len(const struct plain_waiting *waiting)
{
	return waiting->at + 1u - waiting->own_at;
}

static inline const struct image_node *waiting_node(const struct plain_waiting *waiting)
{
	return waiting->node != &plain_nobody.node ? waiting->node : NULL;
}

// What was found for it.
static inline void waiting_found(struct plain_waiting *waiting, struct node_ref ref)
{
	waiting->node = ref.node != NULL ? ref.node : &plain_nobody.node;
	waiting->layer = (uint8_t)(ref.image - waiting_version(waiting)->layer);
}

static inline const uint8_t *waiting_apex(const struct plain_waiting *waiting)
{
	return image_apex(lead_near(waiting->lead) ? lead_image(waiting->lead)
	                                           : version_header(waiting_version(waiting)));
}

// Is the node of the question's name, or the zone's apex, where there is none, what it ends with?
// `there`: 0: there is none.
static inline bool node_is_right(const struct plain_waiting *waiting, uint64_t there)
{
	const unsigned at = (unsigned)pick(there, waiting->own_at, waiting->apex_at);
	const uint8_t *const name = pick_at(there, waiting->node->name, waiting_apex(waiting));

	// A name ends with its root: what is the same so far is the same name.
	return wide_equal(waiting->name + at, name, waiting->at + 1u - at);
}

// Others stand where the name was looked for.
static __attribute__((noinline)) void step_search(struct plain_waiting *waiting)
{
	waiting_found(waiting, version_find_name(waiting_version(waiting), own_name(waiting),
	                           own_len(waiting), waiting->hash));
}

// What the overlays know of the name. Post: false: nothing.
static __attribute__((noinline)) bool step_overlays(struct plain_waiting *waiting)
{
	struct node_ref ref;
	const bool known = version_overlays_find(
	    waiting_version(waiting), own_name(waiting), own_len(waiting), waiting->hash, &ref);

	if (!known)
		return false;
	waiting_found(waiting, ref);
	if (ref.node == NULL)
		negative_prefetch(waiting_version(waiting));
	return true;
}

// What the first probe finds. Of a name that is not there the same number of lines is fetched.
static inline void step_node(struct plain_waiting *waiting)
{
	const struct image_bucket *bucket = waiting->bucket;
	const void *mem, *negative;
	const uint32_t last = 1u << (IMAGE_SLOTS - 1) << (MATCH_SHIFT * (IMAGE_SLOTS - 1));

	waiting->layer = 0;
	if (lead_near(waiting->lead)) {
		mem = lead_image(waiting->lead);
		negative = lead_negative(waiting->lead);
	} else {
		const struct zone_version *version = waiting_version(waiting);
		const struct image *top = &version->layer[0];

		if (seldom(version->layer_count != 1)) {
			if (step_overlays(waiting))
				return;
			waiting->layer = (uint8_t)(version->layer_count - 1);
		}
		mem = version->layer[waiting->layer].mem;
		negative = image_at(top, top->negative_ref);
	}

	const uint32_t match = bucket_match(bucket, (uint16_t)waiting->hash);
	// A slot that is free has tag 0, and no more than that.
	const uint64_t ref =
	    pick(match, bucket->ref[(unsigned)__builtin_ctz(match | last) >> MATCH_SHIFT], 0);
	const uint8_t *const node = (const uint8_t *)mem + (ref << 3);

	waiting->node = pick_at(ref, node, &plain_nobody.node);
	fetch(pick_at(ref, node, waiting_apex(waiting)));
	fetch(pick_at(ref, node + 64, negative));
	if (__builtin_expect((ref == 0) & (bucket->overflow != 0), 0))
		step_search(waiting);
}

// As much of it as most have, and no more than up to `last`.
static inline void answer_prefetch(const void *answer, const void *last)
{
	const uintptr_t at = (uintptr_t)answer, end = (uintptr_t)last;

#pragma GCC unroll 3
	for (unsigned i = 0; i < ANSWER_LINES; i++)
		fetch((const void *)pick_less(at + (size_t)64 * i, end));
}

// The last byte of what stands at a name, most often.
static inline const uint8_t *node_last(const struct image_node *node)
{
	return (const uint8_t *)node + (size_t)node->step * NODE_STEP - 1;
}

static inline void waiting_answer(struct plain_waiting *waiting, const struct image_answer *answer,
    enum dns_outcome outcome, unsigned name_len, uint8_t alias)
{
	waiting->answer = answer;
	waiting->outcome = (uint8_t)outcome;
	waiting->name_len = (uint8_t)name_len;
	waiting->alias = alias;
}

// What denies with NSEC3, where the image has prepared all but what covers the name that does not
// exist. Post: false: it is not so.
static bool step_deny(
    struct plain_queue *queue, struct plain_waiting *waiting, const struct choice *choice)
{
	const struct zone_version *version = waiting_version(waiting);
	const struct image *image = &version->layer[0];

	if (version->layer_count != 1 || !version_has_nsec3(version))
		return false;
	if (choice->deny != DENY_NAME) {
		waiting->denial = plain_deny_prepared(image, waiting->node);
		if (waiting->denial == NULL)
			return false;
	} else if (waiting->probed == version->apex_labels + 1u) {
		plain_deny_hash(image, own_name(waiting), own_len(waiting),
		    &queue->aside[waiting - queue->waiting].denied);
		waiting->denial = NULL;
	} else {
		return false;
	}
	waiting->state = PLAIN_WAIT_DENIAL;
	queue->denials++;
	return true;
}

// Which answer that is, by all the rules.
static __attribute__((noinline)) void step_choose_other(
    struct plain_queue *queue, struct plain_waiting *waiting)
{
	const struct zone_version *version = waiting_version(waiting);
	const bool with_sigs = waiting->with_do && (version->layer[0].flags & IMAGE_SIGNED) != 0;
	const struct asking asking = {version, waiting->type, waiting->labels, with_sigs};
	struct choice choice;
	enum lookup_kind kind;
	bool right = node_is_right(waiting, waiting_node(waiting) != NULL);

	if (!right && waiting_node(waiting) != NULL) {
		step_search(waiting);
		right = node_is_right(waiting, waiting_node(waiting) != NULL);
	}
	if (!right) {
		waiting->state = PLAIN_WAIT_ZONE;
		return;
	}

	const struct node_ref ref = {&version->layer[waiting->layer], waiting_node(waiting)};

	if (!lookup_direct(
	        &version->layer[0], ref.node, waiting->probed == waiting->labels, &kind) ||
	    !choose(asking, kind, ref, &choice)) {
		waiting->state = PLAIN_WAIT_LOOKUP;
		return;
	}
	if (choice.deny == DENY_NOTHING) {
		waiting_answer(waiting, choice.answer, choice.outcome, choice.name_len, 0);
		answer_prefetch(
		    choice.answer, (const uint8_t *)choice.answer + (size_t)64 * ANSWER_LINES);
	} else if (!step_deny(queue, waiting, &choice)) {
		waiting->state = PLAIN_WAIT_OTHER;
	}
}

// A bit for each of the `n` entries, FEW_RRSETS at most, of an unsigned image's directory that is
// of that type: of the i-th, bit 8 * i.
static inline uint64_t rrsets_match(const uint8_t *directory, unsigned n, unsigned type)
{
	uint64_t match = 0;
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	for (unsigned i = 0; i < FEW_RRSETS; i++)
		match |= (uint64_t)(load16(directory + i * sizeof(struct image_rrset)) == type)
		         << (8 * i);
#else
	typedef short lanes __attribute__((vector_size(32), aligned(1), may_alias));
	typedef char bytes __attribute__((vector_size(32)));
	const lanes wanted = (lanes){0} + (short)type;
	// Where there is no other half, it is not looked at: its line may be one that nobody has
	// fetched.
	const unsigned half = n > FEW_RRSETS / 2 ? 32 : 0;
	const bytes low = (bytes)(*(const lanes *)directory == wanted);
	const bytes high = (bytes)(*(const lanes *)(directory + half) == wanted);

	match = (uint32_t)__builtin_ia32_pmovmskb256(low) |
	        (uint64_t)(uint32_t)__builtin_ia32_pmovmskb256(high) << 32;
	match &= 0x0101010101010101;
#endif
#ifdef __BMI2__
	return __builtin_ia32_bzhi_di(match, 8 * n);
#else
	return n < FEW_RRSETS ? match & ((UINT64_C(1) << (8 * n)) - 1) : match;
#endif
}

static_assert(FEW_RRSETS * sizeof(struct image_rrset) == 64, "rrsets_match()");
static_assert(offsetof(struct image_rrset, type) == 0, "rrsets_match()");

#define RRSET_AT (sizeof(struct image_rrset) / sizeof(uint16_t)) // from one answer_at to the next

// By type: whether only choose() knows; whether a chain has an answer of its own for it, and which.
enum {
	WAY_OTHER = 1,
	WAY_OF_CHAIN = 2,
	WAY_CHAIN_SHIFT = 2,
};
static const uint8_t type_ways[PLAIN_TYPE_MAX + 1] = {
    [RRTYPE_A] = WAY_OF_CHAIN | CHAIN_A << WAY_CHAIN_SHIFT,
    [RRTYPE_AAAA] = WAY_OF_CHAIN | CHAIN_AAAA << WAY_CHAIN_SHIFT,
    [RRTYPE_RRSIG] = WAY_OTHER,
    [RRTYPE_NSEC] = WAY_OTHER,
    [RRTYPE_NSEC3] = WAY_OTHER,
};

// What is said of a name that is not there, without signatures; NULL: that is not compiled.
static inline const struct image_answer *waiting_negative(const struct plain_waiting *waiting)
{
	const struct image *top = &waiting_version(waiting)->layer[0];

	if (lead_near(waiting->lead))
		return lead_negative(waiting->lead);
	return top->negative_ref != 0 ? image_at(top, top->negative_ref) : NULL;
}

// May a name that is not there have an answer?
static inline bool waiting_synthesizes(const struct plain_waiting *waiting)
{
	if (lead_near(waiting->lead))
		return (waiting->lead & LEAD_WILD) != 0;
	return (waiting_version(waiting)->layer[0].flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) !=
	       0;
}

// The last byte that is read of the answer at at[0] of a node: none is longer than up to the next
// one, which is at[1], if one is, and they are read by 32 bytes.
static inline const uint8_t *own_answer_last(
    const struct image_node *node, unsigned at, unsigned next)
{
	const void *const end = pick_at(next > at, node_at(node, next), node_last(node) + 1);

	return (const uint8_t *)end + WIDE - 2;
}

// The same without signatures and overlays, at a name that is no cut's. `there`: 0: no node. Post:
// false: not so.
static inline bool step_choose_exact(struct plain_waiting *waiting, uint64_t there)
{
	// By whether it is denied, and whether the name is.
	static const uint8_t outcomes[] = {
	    DNS_OUTCOME_answer, DNS_OUTCOME_nodata, DNS_OUTCOME_nxdomain};
	const struct image_node *node = waiting->node;
	const unsigned type = waiting->type, way = type_ways[type];
	const unsigned flags = node->flags, rrsets = node->rrset_count, alias = flags & NODE_CNAME;
	const struct image_node_leads *leads = node_leads(node);
	const uint8_t *directory = (const uint8_t *)leads + node->more * NODE_UNIT;
	const uint64_t match = rrsets_match(directory, rrsets, type);
	const struct image_rrset *rrset =
	    (const struct image_rrset *)(directory + __builtin_ctzll(match | UINT64_C(1) << 56));
	const struct image_chain *chain = node_at(node, leads->answer_at);
	const uint16_t *const at =
	    pick_at(alias, &chain->at[way >> WAY_CHAIN_SHIFT], &rrset->answer_at);
	const uint64_t denied = pick(match | alias, 0, 1), odd = pick(there, 0, 1);
	const void *const own = pick_at(*at, node_at(node, *at), NULL);
	const struct image_answer *const answer = pick_at(denied, waiting_negative(waiting), own);
	const uint64_t follows = pick(alias, way >> WAY_CHAIN_SHIFT != CHAIN_OTHER,
	    (const uint8_t *)(rrset + 1) < directory + rrsets * sizeof *rrset);
	// What only choose() knows.
	if (seldom((way & WAY_OTHER) != 0) || seldom(answer == NULL) ||
	    seldom(rrsets > FEW_RRSETS) ||
	    seldom(pick(alias, ((way & WAY_OF_CHAIN) == 0) | (leads->answer_at == 0), 0) != 0) ||
	    seldom(
	        pick(there, waiting->probed ^ waiting->labels, waiting_synthesizes(waiting)) != 0))
		return false;

	const unsigned next = (unsigned)pick(follows, at[pick(alias, 1, RRSET_AT)], 0);

	answer_prefetch(answer,
	    pick_at(denied, (const uint8_t *)answer + 64, own_answer_last(node, *at, next)));
	waiting_answer(waiting, answer, outcomes[denied << odd],
	    (unsigned)pick(denied, waiting->at + 1u - waiting->apex_at, node->name_len),
	    (uint8_t)((int8_t)alias >> 7));
	return true;
}

static inline void step_choose(struct plain_queue *queue, struct plain_waiting *waiting)
{
	const struct image_node *node = waiting->node;
	const struct zone_version *version = waiting_version(waiting);
	const bool near = lead_near(waiting->lead);
	const unsigned flags = near ? 0 : version->layer[0].flags; // of those that count here
	const uint64_t there = (uint64_t)((uintptr_t)node - (uintptr_t)&plain_nobody.node);

	if (seldom(!node_is_right(waiting, there)) ||
	    seldom(waiting->with_do && (flags & IMAGE_SIGNED) != 0)) {
		step_choose_other(queue, waiting);
		return;
	}
	if ((node->flags & (NODE_CUT | NODE_OCCLUDED)) != 0) {
		const struct asking asking = {version, waiting->type, waiting->labels, false};
		struct choice choice;

		if (waiting->type != RRTYPE_DS &&
		    plain_choose_referral(asking,
		        (struct node_ref){&version->layer[waiting->layer], node}, &choice)) {
			// It follows its node.
			answer_prefetch(
			    (const uint8_t *)node + (size_t)64 * NODE_LINES, node_last(node));
			waiting_answer(waiting, choice.answer, choice.outcome, choice.name_len, 0);
			return;
		}
	} else if ((flags & IMAGE_RRSIGS) == 0 && (near || version->layer_count == 1) &&
	           step_choose_exact(waiting, there)) {
		return;
	}
	step_choose_other(queue, waiting);
}

STAGE bool dns_plain_ask(
    struct dns_plain *at_hand, struct plain_queue *queue, uint8_t *msg, unsigned len)
{
	return plain_ask(at_hand, queue, msg, len);
}

// The first steps, to the bucket of the name. Each loop has a function of its own: it would have
// too few registers.
static STAGE void steps_hash(struct plain_waiting *begin, const struct plain_waiting *end,
    const struct hash_key *key, const struct slots *slots, unsigned depth)
{
	const struct hash_key own = *key;

	for (struct plain_waiting *waiting = begin; waiting < end; waiting++) {
		// Most often it is one of these, and then which names are hashed is known.
		if (depth == 2)
			step_hash(waiting, &own, 2);
		else if (depth == 1)
			step_hash(waiting, &own, 1);
		else
			step_hash(waiting, &own, depth);
	}
	for (struct plain_waiting *waiting = begin; waiting < end; waiting++)
		fetch(&slots->slot[slots_home(slots, waiting->apex_hash)]);
}

static STAGE void steps_zone(struct plain_waiting *begin, const struct plain_waiting *end,
    const struct hash_key *key, const struct slots *slots)
{
	for (struct plain_waiting *waiting = begin; waiting < end; waiting++) {
		if (waiting->state == PLAIN_WAIT_ANSWER && seek_zone(slots, waiting))
			zone_found(key, waiting);
	}
}

static STAGE void steps_bucket(
    const struct dns_plain *at_hand, struct plain_waiting *begin, const struct plain_waiting *end)
{
	for (struct plain_waiting *waiting = begin; waiting < end; waiting++) {
		if (waiting->state == PLAIN_WAIT_ANSWER && !lead_near(waiting->lead))
			seek_bucket(at_hand, waiting);
	}
}

// Both of them where zones have apexes of several lengths.
static STAGE void steps_zone_deep(
    const struct dns_plain *at_hand, struct plain_queue *queue, const struct slots *slots)
{
	struct plain_waiting *const waiting = queue->waiting;

	for (unsigned i = 0; i < queue->count; i++) {
		struct plain_aside *aside = &queue->aside[i];

		step_hash_deep(&waiting[i], aside, &at_hand->key, at_hand->depths);
		for (uint32_t left = aside->depths; left != 0; left &= left - 1) // at most 8 times
			fetch(&slots->slot[slots_home(
			    slots, aside->hash[(unsigned)__builtin_ctz(left)])]);
	}
	for (unsigned i = 0; i < queue->count; i++) {
		if (waiting[i].state == PLAIN_WAIT_ANSWER &&
		    seek_zone_deep(slots, &waiting[i], &queue->aside[i]))
			zone_found(&at_hand->key, &waiting[i]);
	}
}

static STAGE void steps_node(struct plain_waiting *begin, const struct plain_waiting *end)
{
	for (struct plain_waiting *waiting = begin; waiting < end; waiting++) {
		if (waiting->state == PLAIN_WAIT_ANSWER)
			step_node(waiting);
	}
}

static STAGE void steps_choose(struct plain_queue *queue)
{
	struct plain_waiting *const begin = queue->waiting, *const end = begin + queue->count;

	for (struct plain_waiting *waiting = begin; waiting < end; waiting++) {
		if (waiting->state == PLAIN_WAIT_ANSWER)
			step_choose(queue, waiting);
	}
}

// Is it one of a name that does not exist?
static inline bool denies_name(const struct plain_waiting *waiting)
{
	return waiting->state == PLAIN_WAIT_DENIAL && waiting_node(waiting) == NULL;
}

static STAGE void steps_deny(struct plain_queue *queue)
{
	struct plain_waiting *const waiting = queue->waiting;

	for (unsigned i = 0; i < queue->count; i++) {
		if (denies_name(&waiting[i]))
			plain_deny_guess(
			    &waiting_version(&waiting[i])->layer[0], &queue->aside[i].denied);
	}
	for (unsigned i = 0; i < queue->count; i++) {
		if (waiting[i].state != PLAIN_WAIT_DENIAL)
			continue;

		const struct image *image = &waiting_version(&waiting[i])->layer[0];

		if (waiting_node(&waiting[i]) == NULL)
			waiting[i].denial = plain_deny_find(image, &queue->aside[i].denied);
		plain_deny_fetch(image, waiting[i].denial);
	}
}

// Each loop works on what the one before has begun to fetch.
STAGE void dns_plain_burst(struct dns_plain *at_hand, struct plain_queue *queue)
{
	struct plain_waiting *const begin = queue->waiting, *const end = begin + queue->count;
	const struct slots *slots = zone_table_slots(at_hand->context->table);

	if (at_hand->depth_only == PLAIN_NO_DEPTH) {
		steps_zone_deep(at_hand, queue, slots);
	} else {
		steps_hash(begin, end, &at_hand->key, slots, at_hand->depth_only);
		steps_zone(begin, end, &at_hand->key, slots);
	}
	steps_bucket(at_hand, begin, end);
	steps_node(begin, end);
	queue->denials = 0;
	steps_choose(queue);
	if (queue->denials != 0)
		steps_deny(queue);
}

// What it asks, to at_hand->asked.
static void waiting_recall(struct dns_plain *at_hand, const struct plain_waiting *waiting)
{
	struct plain_asked *asked = &at_hand->asked;
	struct plain_question *q = &asked->question;
	const unsigned opt_len = load16(waiting->msg + 10) != 0 ? EDNS_FIXED_LEN : 0;
	const uint32_t depths = (uint32_t)at_hand->depths & ((2u << waiting->labels) - 1);
	unsigned hashed = 31 ^ (unsigned)__builtin_clz(depths | 1);

	(void)plain_parse(q, waiting->msg, DNS_HEADER_LEN + waiting->at + 5 + opt_len, asked->lower,
	    at_hand->type_odd);
	asked->left = PLAIN_LEFT_ZONE;
	if (waiting->state != PLAIN_WAIT_ZONE) {
		asked->left = PLAIN_LEFT_LOOKUP;
		asked->version = waiting_version(waiting);
		asked->probed = waiting->probed;
		asked->image = &waiting_version(waiting)->layer[waiting->layer];
		asked->node = waiting_node(waiting);
		hashed = waiting->probed > hashed ? waiting->probed : hashed;
	}
	q->hash[0] = at_hand->key.k[0];
	plain_hash_on(q, &at_hand->key, 0, hashed);
}

// A name that does not exist, and what covers it is known. Post: as plain_waited().
static struct plain_reply waited_covered(
    struct dns_plain *at_hand, const struct plain_waiting *waiting)
{
	const struct dns_context *context = at_hand->context;
	const struct zone_version *version = waiting_version(waiting);
	uint8_t *msg = waiting->msg;
	const unsigned end = DNS_HEADER_LEN + waiting->at + 5;
	const struct plain_echo echo = {msg, end, load64(msg + end)}; // which has DO
	const struct body_place place = {.msg = msg,
	    .begin = end,
	    .limit = plain_limit(context->server, echo.opt, waiting->cap) - EDNS_FIXED_LEN,
	    .apex_at = DNS_HEADER_LEN + waiting->apex_at};
	const struct asking asking = {version, waiting->type, waiting->labels, true};
	struct choice choice = {0};
	struct proofs proofs;
	uint64_t counts, sum;

	if (!choose_negative(asking, false, &choice) ||
	    !plain_deny_covered(&version->layer[0], waiting->denial, &proofs))
		return (struct plain_reply){0};

	const unsigned size = body_put_proofs(
	    place, choice.answer, waiting->at + 1u - choice.name_len, &proofs, &counts, &sum);

	if (size == 0)
		return (struct plain_reply){0};
	tally(&context->counters->nsec3_hashes, 1);
	at_hand->outcomes[choice.outcome]++;
	return plain_finish(
	    at_hand, echo, &choice, end + size, htobe64(counts), checksum_fold(sum));
}

STAGE struct plain_reply dns_plain_waited(
    struct dns_plain *at_hand, const struct plain_waiting *waiting)
{
	const struct plain_reply reply = denies_name(waiting) ? waited_covered(at_hand, waiting)
	                                                      : plain_waited(at_hand, waiting);

	if (reply.len != 0)
		return reply;
	waiting_recall(at_hand, waiting);
	at_hand->reply.len = 0;
	if (waiting->state != PLAIN_WAIT_ZONE && waiting->state != PLAIN_WAIT_LOOKUP)
		plain_emit_other(at_hand, &at_hand->asked, waiting->msg);
	return at_hand->reply;
}
