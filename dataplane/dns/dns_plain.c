// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain.h. The way of those that are answered at once is in dns_plain_way.h, and here what
// it seldom comes by.
#include "dns_plain_proof.h"
#include "dns_plain_way.h"
#include "zone_table_probe.h"

const uint8_t plain_rest[16] __attribute__((aligned(16))) = {[4] = RRCLASS_IN, [7] = RRTYPE_OPT};
const uint8_t plain_rest_mask[16] __attribute__((aligned(16))) = {0xff, 0xff, 0x80, 0xff, 0xff,
    0xff, 0xff, 0xff, [10] = 0xff, 0xff, (uint8_t) ~(OPT_DO >> 8), 0xff, 0xff, 0xff};
static const uint8_t type_odd[PLAIN_TYPE_MAX + 1] = {
    [0] = TYPE_NONE, [RRTYPE_OPT] = TYPE_NONE, [RRTYPE_DS] = TYPE_ASIDE};

__attribute__((cold)) bool plain_lower(const uint8_t *wire, unsigned at, uint8_t *lower)
{
	if (at >= NAME_LEN_MAX)
		return false;
	for (unsigned i = 0; i <= at; i += WIDE) // at most 8 times
		qname_lower32(wire + i, (qname_lanes *)(lower + i));
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
	query->opt_len = (uint16_t)plain_opt_len(q->opt);
	query->reply_limit = (uint16_t)plain_limit(context->server, q->opt, query->cap);
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

void dns_plain_leave(
    const struct dns_plain *at_hand, const struct plain_asked *asked, const uint8_t *msg)
{
	const struct plain_question *q = &asked->question;
	struct dns_query *query = at_hand->query;

	query->state = QUERY_NEW;
	if (asked->left == PLAIN_LEFT_NEW)
		return;
	query_fill(at_hand->context, q, msg, query);
	for (unsigned n = 0; n <= q->hashed; n++) // at most 8 times
		query->qname.hash[n] = q->hash[n];
	query->qname.hashed = (uint8_t)q->hashed;
	if (asked->left == PLAIN_LEFT_LOOKUP) {
		query->zone = asked->version->entry;
		query->version = asked->version;
		query->labels = (uint8_t)asked->probed;
		query->node = (struct node_ref){asked->image, asked->node};
		query->state = QUERY_LOOKUP;
	}
}

// With proofs that are to be searched for: as stage 3 has it.
static __attribute__((noinline)) struct plain_reply plain_emit_searching(
    struct dns_plain *at_hand, const struct plain_asked *asked, uint8_t *msg)
{
	const struct plain_question *q = &asked->question;
	struct dns_query *query = at_hand->query;
	const uint64_t sum = checksum_sum(msg, plain_question_end(q) + plain_opt_len(q->opt), 0);
	struct lookup lookup;

	query->msg = msg;
	query->cap = (uint16_t)at_hand->cap;
	query->render_only = false;
	query->sum = sum;
	dns_plain_leave(at_hand, asked, msg);
	dns_lookup(query, true, &lookup);
	if (!dns_compiled_emit(at_hand->context, query, &lookup))
		return (struct plain_reply){0};
	at_hand->proved++;
	return (struct plain_reply){
	    query->len, plain_less(checksum_less(query->sum, sum)), query->outcome};
}

// With proofs of what the answer denies.
static struct plain_reply plain_emit_proofs(struct dns_plain *at_hand,
    const struct plain_asked *asked, uint8_t *msg, const struct choice *choice)
{
	const struct plain_question *q = &asked->question;
	const struct dns_context *context = at_hand->context;
	const struct body_place place = {.msg = msg,
	    .begin = plain_question_end(q),
	    .limit = plain_limit(context->server, q->opt, at_hand->cap) - plain_opt_len(q->opt),
	    .apex_at = DNS_HEADER_LEN + q->at + 1 - asked->version->apex_len};
	struct proofs proofs;
	uint64_t counts, sum;

	if (!plain_proofs(asked, choice, &proofs))
		return plain_emit_searching(at_hand, asked, msg);

	const unsigned size = body_put_proofs(
	    place, choice->answer, q->at + 1 - choice->name_len, &proofs, &counts, &sum);

	if (size == 0)
		return (struct plain_reply){0};
	if (choice->deny == DENY_NAME && version_has_nsec3(asked->version))
		tally(&context->counters->nsec3_hashes, 1);
	at_hand->outcomes[choice->outcome]++;
	return plain_finish(at_hand, plain_echo(q, msg), choice, place.begin + size,
	    htobe64(counts), checksum_fold(sum));
}

__attribute__((noinline)) void plain_emit_other(
    struct dns_plain *at_hand, struct plain_asked *asked, uint8_t *msg)
{
	const struct plain_question *q = &asked->question;
	const struct image *top = &asked->version->layer[0];
	const struct asking asking = {
	    asked->version, q->type, q->labels, plain_do(q) && (top->flags & IMAGE_SIGNED) != 0};
	const struct image *image = asked->image;
	struct choice choice;
	enum lookup_kind kind;

	// Each as it was stored: both by one load would wait until they are in the cache.
	__asm__("" : "+r"(image));
	const struct node_ref ref = {image, asked->node};

	asked->left = PLAIN_LEFT_LOOKUP;
	at_hand->reply.len = 0;
	if (lookup_direct(top, ref.node, asked->probed == q->labels, &kind) &&
	    choose(asking, kind, ref, &choice))
		at_hand->reply = choice.deny != DENY_NOTHING
		                     ? plain_emit_proofs(at_hand, asked, msg, &choice)
		                     : plain_emit(at_hand, plain_echo(q, msg), &choice, 0);
}

uint64_t plain_hash_on(
    struct plain_question *q, const struct hash_key *key, unsigned from, unsigned to)
{
	uint64_t hash = q->hash[from];

	for (unsigned n = from + 1; n <= to; n++) { // at most 7 times
		hash = qname_label_hash(hash, q->name + q->order[q->labels - n], key);
		q->hash[n] = hash;
	}
	q->hashed = to;
	return hash;
}

// The overlays are looked into wherever they are: they are small, and asked for all the time.
__attribute__((noinline)) void plain_emit_searched(
    struct dns_plain *at_hand, unsigned labels, uint64_t hash, uint8_t *msg)
{
	struct plain_asked *asked = &at_hand->asked;
	const struct plain_question *q = &asked->question;
	const struct plain_zone *zone = &at_hand->zone;
	const unsigned own = q->order[q->labels - labels];
	const unsigned apex_at = q->order[q->labels - zone->depth];
	const struct node_ref ref =
	    version_find_name(zone->version, q->name + own, q->at + 1 - own, hash);

	asked->left = PLAIN_LEFT_ZONE;
	at_hand->reply.len = 0;
	// DS of a zone's apex is its parent's data.
	if (q->type == RRTYPE_DS && zone->depth == q->labels)
		return;
	if (ref.node == NULL && !wide_equal(q->name + apex_at,
	                            image_apex(version_header(zone->version)), q->at + 1 - apex_at))
		return;
	asked->version = zone->version;
	asked->probed = labels;
	asked->image = ref.image;
	asked->node = ref.node;
	plain_emit_other(at_hand, asked, msg);
}

// The next question is most likely for the same zone. Post: where plain_quick() may answer it, what
// that has to know is there.
static void zone_again(struct dns_plain *at_hand)
{
	struct plain_zone *zone = &at_hand->zone;
	const struct image *image = &zone->version->layer[0];

	zone->next = ZONE_SAME;
	if (zone->layered || zone->depth != at_hand->deepest)
		return;
	zone->apex = image_apex(image->header);
	zone->apex_len = zone->version->apex_len;
	zone->no_name = NULL;
	if ((image->flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) == 0 && image->negative_ref != 0)
		zone->no_name = image_at(image, image->negative_ref);
	zone->next = ZONE_QUICK;
}

// The zone of that version. Post: as plain_zone().
static bool zone_take(struct dns_plain *at_hand, const struct zone_version *version, unsigned depth)
{
	const struct image *image = &version->layer[0];
	const bool walks = (image->flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) != 0;
	struct plain_zone *zone = &at_hand->zone;

	if (!plain_version(at_hand, version))
		return false;
	if (version_base(version)->bucket_count >= BUCKETS_LARGE) {
		at_hand->at_once = false;
		return false;
	}
	zone->hash = at_hand->asked.question.hash[depth];
	zone->depth = depth;
	zone->probe = walks ? depth + 1 : UINT_MAX;
	zone->with_sigs = (image->flags & IMAGE_SIGNED) != 0;
	zone->layered = version->layer_count != 1;
	zone->next = ZONE_SEARCH;
	zone->version = version;
	if (depth == 0) // it is most often the only one
		zone_again(at_hand);
	return true;
}

// Where an apex may be further on, the stages look.
__attribute__((noinline)) bool plain_zone(struct dns_plain *at_hand)
{
	const struct slots *slots = zone_table_slots(at_hand->context->table);
	struct plain_question *q = &at_hand->asked.question;
	uint64_t depths = at_hand->depths & ((UINT64_C(2) << q->labels) - 1);
	struct plain_zone *zone = &at_hand->zone;

	at_hand->asked.left = PLAIN_LEFT_ZONE;
	q->hashed = 0;
	while (depths != 0) { // at most 8 times
		const unsigned depth = 63 ^ (unsigned)__builtin_clzll(depths);

		if (depth > q->hashed)
			plain_hash_on(q, &at_hand->key, q->hashed, depth);
		if (depth == zone->depth && q->hash[depth] == zone->hash) {
			zone_again(at_hand);
			return true;
		}

		const struct slots_probe probe = slots_probe(slots, q->hash[depth]);
		const struct zone_version *version = lead_version(probe.lead);

		if (version != NULL) {
			if (version->apex_labels == depth &&
			    atomic_load_explicit(&version->state, memory_order_relaxed) ==
			        ZONE_LIVE &&
			    zone_take(at_hand, version, depth))
				return true;
			break;
		}
		if (probe.unsure)
			break;
		depths &= ~(UINT64_C(1) << depth);
	}
	zone->depth = PLAIN_NO_DEPTH; // hashes are another's now
	zone->next = ZONE_SEARCH;
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

static void opt_put(struct dns_plain *at_hand)
{
	for (unsigned with_do = 0; with_do < 2; with_do++) {
		const uint64_t head = edns_head(at_hand->context->server, 0, with_do != 0);
		const uint32_t flags =
		    checksum_fold(head ^ edns_head(at_hand->context->server, 0, false));

		at_hand->opt_head[with_do] = head;
		for (unsigned turned = 0; turned < 2; turned++)
			at_hand->opt_less[with_do][turned] =
			    0xffff - checksum_fold(checksum_at(head, turned)) + flags;
	}
}

void dns_plain_begin(struct dns_plain *at_hand, const struct dns_context *context,
    struct dns_query *query, unsigned cap)
{
	const uint64_t depths = zone_table_depths_few(context->table);

	at_hand->context = context;
	at_hand->query = query;
	// Deeper ones than a plain question's are above the highest of these.
	at_hand->depths = depths & ((2u << PLAIN_LABELS_MAX) - 1);
	at_hand->deepest = 63 ^ (uint32_t)__builtin_clzll(depths | 1);
	at_hand->depth_only = at_hand->depths != 0 && (at_hand->depths & (at_hand->depths - 1)) == 0
	                          ? (uint32_t)__builtin_ctzll(at_hand->depths)
	                          : PLAIN_NO_DEPTH;
	opt_put(at_hand);
	at_hand->key = *zone_table_key(context->table);
	at_hand->cap = cap;
	at_hand->far = zone_table_is_large(context->table);
	at_hand->at_once = !at_hand->far;
	at_hand->zone = (struct plain_zone){.depth = PLAIN_NO_DEPTH};
	memcpy(at_hand->type_odd, type_odd, sizeof type_odd);
	memset(at_hand->outcomes, 0, sizeof at_hand->outcomes);
	at_hand->proved = 0;
	at_hand->asked.question.hash[0] = at_hand->key.k[0];
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
	struct plain_reply reply;

	if (!at_hand->at_once || !plain_header(msg, len))
		return plain_left(at_hand, PLAIN_LEFT_NEW);
	if (at_hand->zone.next == ZONE_QUICK) {
		switch (plain_quick(at_hand, msg, len, &reply)) {
		case QUICK_REPLY:
			return reply;
		case QUICK_FOUND:
			return plain_found(at_hand, msg);
		case QUICK_ANY:
			break;
		}
	}
	return plain_any(at_hand, msg, len);
}
