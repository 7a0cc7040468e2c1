// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain.h; the way itself is in dns_plain_way.h, and here what it seldom comes by.
#include "dns_plain_way.h"

#include "zone_table_probe.h"

static const uint8_t type_odd[PLAIN_TYPE_MAX + 1] = {[0] = 1, [RRTYPE_OPT] = 1};

__attribute__((cold)) bool plain_lower(
    struct plain_question *q, const uint8_t *wire, unsigned at, uint8_t *lower)
{
	if (at >= NAME_LEN_MAX)
		return false;
	for (unsigned i = 0; i <= at; i += WIDE) // at most 8 times
		qname_lower32(wire + i, (qname_lanes *)(lower + i));
	q->name = lower;
	return true;
}

// A question for stage 2. `q->name` is query->qname.lower, or there is less than WIDE of it.
static void query_fill(const struct dns_context *context, const struct plain_question *q,
    const uint8_t *msg, struct dns_query *query)
{
	const uint64_t header = (uint64_t)load32(msg) + load32(msg + 4) + load32(msg + 8);
	const unsigned end = plain_question_end(q);
	struct qname *name = &query->qname;

	name->len = (uint8_t)(q->at + 1);
	name->labels = (uint8_t)q->labels;
	// Each piece as it was stored: loads of more would wait until all of it is in the cache.
	for (unsigned n = 0; n <= q->labels; n++) // at most 8 times
		name->start[n] = q->order[q->labels - n];
	for (unsigned i = 0; i <= q->at && q->name != name->lower; i += WIDE) // at most 8 times
		memcpy(name->lower + i, q->name + i, WIDE);
	query->edns = q->opt != 0;
	query->edns_do = plain_do(q);
	query->opt_len = (uint16_t)plain_opt_len(q);
	query->reply_limit = (uint16_t)plain_limit(context->server, q, query->cap);
	query->question_end = (uint16_t)end;
	// Of the OPT the bytes behind the first eight are 0.
	query->question_sum =
	    checksum_less(checksum_less(query->sum, header), checksum_turn(q->opt, end));
	query->qtype = (uint16_t)q->type;
	query->verdict = DNS_REPLY;
	query->state = QUERY_ZONE;
	query->options = query->zone_options = 0;
	query->rcode = RCODE_NOERROR;
}

static void lookup_fill(const struct dns_plain *at_hand, struct dns_query *query)
{
	query->zone = at_hand->zone.entry;
	query->version = at_hand->zone.version;
	query->labels = (uint8_t)at_hand->probed;
}

void dns_plain_leave(const struct dns_plain *at_hand, const uint8_t *msg)
{
	const struct plain_question *q = &at_hand->question;
	struct dns_query *query = at_hand->query;

	query->state = QUERY_NEW;
	if (at_hand->left == PLAIN_LEFT_NEW)
		return;
	query_fill(at_hand->context, q, msg, query);
	for (unsigned n = 0; n <= q->hashed; n++) // at most 8 times
		query->qname.hash[n] = q->hash[n];
	query->qname.hashed = (uint8_t)q->hashed;
	if (at_hand->left == PLAIN_LEFT_LOOKUP) {
		lookup_fill(at_hand, query);
		query->node = (struct node_ref){&query->version->layer[0], at_hand->node};
		query->denied.labels = 0;
		query->state = QUERY_LOOKUP;
	} else if (at_hand->left == PLAIN_LEFT_FAR) {
		lookup_fill(at_hand, query);
		version_prefetch(query->version, &query->qname, query->labels);
		query->state = QUERY_WAIT;
	}
}

// With proofs of what the answer denies: as stage 3 has it.
static struct plain_reply plain_emit_proofs(struct dns_plain *at_hand, uint8_t *msg)
{
	const struct plain_question *q = &at_hand->question;
	struct dns_query *query = at_hand->query;
	const uint64_t sum = checksum_sum(msg, plain_question_end(q) + plain_opt_len(q), 0);
	struct lookup lookup;

	query->msg = msg;
	query->cap = (uint16_t)at_hand->cap;
	query->render_only = false;
	query->sum = sum;
	dns_plain_leave(at_hand, msg);
	dns_lookup(query, true, &lookup);
	if (!dns_compiled_emit(at_hand->context, query, &lookup))
		return (struct plain_reply){0};
	at_hand->proved++;
	return (struct plain_reply){query->len, checksum_less(query->sum, sum), query->outcome};
}

__attribute__((noinline)) void plain_emit_other(struct dns_plain *at_hand, uint8_t *msg)
{
	const struct plain_question *q = &at_hand->question;
	const struct image *image = &at_hand->zone.version->layer[0];
	const struct asking asking = {
	    at_hand->zone.version, q->type, q->labels, plain_do(q) && at_hand->zone.with_sigs};
	const struct node_ref ref = {image, at_hand->node};
	struct choice choice;
	enum lookup_kind kind;

	at_hand->left = PLAIN_LEFT_LOOKUP;
	at_hand->reply.len = 0;
	if (lookup_direct(image, ref.node, at_hand->probed == q->labels, &kind) &&
	    choose(asking, kind, ref, &choice))
		at_hand->reply = choice.deny != DENY_NOTHING ? plain_emit_proofs(at_hand, msg)
		                                             : plain_emit(at_hand, msg, &choice);
}

uint64_t plain_hash_on(struct dns_plain *at_hand, unsigned from, unsigned to)
{
	struct plain_question *q = &at_hand->question;
	uint64_t hash = q->hash[from];

	for (unsigned n = from + 1; n <= to; n++) { // at most 7 times
		hash = qname_label_hash(hash, q->name + q->order[q->labels - n], &at_hand->key);
		q->hash[n] = hash;
	}
	q->hashed = to;
	return hash;
}

// The zone of that entry. Post: false: the question is left.
static bool zone_take(struct dns_plain *at_hand, const struct zone_entry *entry, unsigned depth)
{
	const struct plain_question *q = &at_hand->question;
	const struct zone_version *version =
	    atomic_load_explicit(&entry->version, memory_order_acquire); // A1
	const struct image *image = &version->layer[0];
	const bool walks = (image->flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) != 0;
	const bool far = version->layer_count != 1 || image->bucket_count - 1 >= BUCKETS_LARGE - 1;

	at_hand->left = PLAIN_LEFT_ZONE;
	if (image->hash_key[0] != at_hand->key.k[0] || image->hash_key[1] != at_hand->key.k[1])
		return false;
	at_hand->zone = (struct plain_zone){.hash = q->hash[depth],
	    .depth = far ? PLAIN_NO_DEPTH : depth,
	    .probe = walks ? depth + 1 : UINT_MAX,
	    .with_sigs = (image->flags & IMAGE_SIGNED) != 0,
	    .entry = entry,
	    .version = version};
	if (!far)
		return true;

	const unsigned apex_at = q->order[q->labels - depth];

	at_hand->probed = walks && depth < q->labels ? depth + 1 : q->labels;
	if (at_hand->probed > q->hashed)
		plain_hash_on(at_hand, q->hashed, at_hand->probed);
	// The apex of another name may have the same hash, and DS of an apex is the parent's.
	if (wide_equal(q->name + apex_at, entry->apex, q->at + 1 - apex_at) &&
	    !(q->type == RRTYPE_DS && depth == q->labels))
		at_hand->left = PLAIN_LEFT_FAR;
	return false;
}

// Where an apex's slot is free there is none of that length; where another's stands there it may be
// further on.
__attribute__((noinline)) bool plain_zone(struct dns_plain *at_hand, uint64_t depths)
{
	const struct slots *slots = zone_table_slots(at_hand->context->table);
	const struct plain_question *q = &at_hand->question;

	at_hand->left = PLAIN_LEFT_ZONE;
	at_hand->question.hashed = 0;
	while (depths != 0) { // at most 8 times
		const unsigned depth = 63 ^ (unsigned)__builtin_clzll(depths);

		if (depth > q->hashed)
			plain_hash_on(at_hand, q->hashed, depth);
		if (depth == at_hand->zone.depth && q->hash[depth] == at_hand->zone.hash)
			return true;

		const struct slot *slot = slots_home(slots, q->hash[depth]);
		const struct zone_entry *entry =
		    atomic_load_explicit(&slot->entry, memory_order_acquire); // A2

		if (entry != NULL)
			return slot->hash == q->hash[depth] && entry->apex_labels == depth &&
			       atomic_load_explicit(&entry->state, memory_order_relaxed) ==
			           ZONE_LIVE &&
			       zone_take(at_hand, entry, depth);
		depths &= ~(UINT64_C(1) << depth);
	}
	return false;
}

bool dns_plain_parse(const struct dns_context *context, struct dns_query *query)
{
	const struct hash_key *key = zone_table_key(context->table);
	struct qname *name = &query->qname;
	struct plain_question q;

	if (query->transport != DNS_UDP || query->cap < DNS_UDP_MIN ||
	    !plain_header(query->msg, query->len) ||
	    !plain_parse(&q, query->msg, query->len, name->lower, type_odd))
		return false;
	query_fill(context, &q, query->msg, query);
	qname_hash_start(name, key);
	qname_hash_to(name, key, zone_table_depth(context->table, name->labels));
	if (zone_table_is_large(context->table))
		zone_table_prefetch(context->table, name);
	return true;
}

void dns_plain_begin(struct dns_plain *at_hand, const struct dns_context *context,
    struct dns_query *query, unsigned cap)
{
	at_hand->context = context;
	at_hand->query = query;
	// Deeper ones than a plain question's are above the highest of these.
	at_hand->depths = zone_table_depths_few(context->table) & ((2u << PLAIN_LABELS_MAX) - 1);
	at_hand->opt_head = edns_head(context->server, 0, false);
	at_hand->key = *zone_table_key(context->table);
	at_hand->cap = cap;
	at_hand->at_once = !zone_table_is_large(context->table);
	at_hand->zone.depth = PLAIN_NO_DEPTH;
	memcpy(at_hand->type_odd, type_odd, sizeof type_odd);
	memset(at_hand->outcomes, 0, sizeof at_hand->outcomes);
	at_hand->proved = 0;
	at_hand->question.hash[0] = at_hand->key.k[0];
}

static_assert(DNS_OUTCOME_answer < 4 && DNS_OUTCOME_referral < 4 && DNS_OUTCOME_nodata < 4 &&
                  DNS_OUTCOME_nxdomain < 4,
    "dns_plain.outcomes");

void dns_plain_end(const struct dns_plain *at_hand)
{
	struct dns_counters *counters = at_hand->context->counters;

	for (unsigned i = 0; i < 4; i++) {
		tally(&counters->outcome[i], at_hand->outcomes[i]);
		tally(&counters->compiled, at_hand->outcomes[i]);
	}
	tally(&counters->compiled, at_hand->proved);
}

STAGE struct plain_reply dns_plain_answer(struct dns_plain *at_hand, uint8_t *msg, unsigned len)
{
	if (!at_hand->at_once || !plain_header(msg, len))
		return plain_left(at_hand, PLAIN_LEFT_NEW);
	return plain_answer(at_hand, msg, len);
}
