// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain.h. Fields are taken from wide loads and judged together. The buffer is as large as
// a reply may be, DNS_UDP_MIN at least, so that loads may run past the query's end; what is used of
// them is judged by its length first. Numbers are as little-endian machines load the bytes of the
// wire; for others no question is plain.
#include "dns_plain.h"

#include "dns_compiled.h"
#include "dns_edns.h"
#include "dns_internal.h"
#include "dns_lookup.h"
#include "image_probe.h"
#include "zone_table_probe.h"

#define PLAIN_LABELS_MAX 7   // their starts, and the root's, fit into a word
#define PLAIN_TYPE_MAX   127 // above it stand types that are not a question's
#define PLAIN_LINES      5   // of an answer, behind its node's first

static_assert(DNS_HEADER_LEN + PLAIN_LABELS_MAX * (NAME_LABEL_MAX + 1) < DNS_UDP_MIN,
    "a walk over that many labels stays in the buffer");

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return v;
}

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return v;
}

static inline unsigned load16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, 2);
	return v;
}

// A word as a sum below 2^33.
static inline uint64_t sum64(uint64_t word)
{
	return (word & 0xffffffff) + (word >> 32);
}

// Fills query->plain and what of query->qname is no hash. Pre: `sum`, below 2^62, has the message
// in it.
static inline __attribute__((always_inline)) bool plain_parse(
    const uint8_t *msg, unsigned len, uint64_t sum, struct dns_query *query)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	struct dns_plain_question *p = &query->plain;
	struct qname *q = &query->qname;
	const uint8_t *name = msg + DNS_HEADER_LEN;
	const unsigned arcount = load16(msg + 10);
	uint64_t starts = 0;
	unsigned at = 0, labels = 0, n;

	// A query, one question; no record, or one that may be an OPT.
	if (len < DNS_HEADER_LEN + 5 || (arcount & 0xfeff) != 0 ||
	    (load64(msg + 2) & 0xffffffffffff00f8) != 0x0000000001000000)
		return false;

		// Unrolled, so that the number of labels need not be counted.
#pragma GCC unroll 8
	for (; labels <= PLAIN_LABELS_MAX; labels++) {
		n = name[at];
		if (n - 1 >= NAME_LABEL_MAX)
			break;
		starts = starts << 8 | at;
		at += n + 1;
	}
	if (labels > PLAIN_LABELS_MAX || n != 0 || at >= NAME_LEN_MAX)
		return false;

	const unsigned end = DNS_HEADER_LEN + at + 5;
	const uint8_t *opt = msg + end;
	const uint32_t fields = load32(opt - 4);
	const unsigned type = fields >> 8 & PLAIN_TYPE_MAX;

	// Neither type 0 nor OPT; and with them go two that are nearly as rare.
	if ((fields & ~(uint32_t)(PLAIN_TYPE_MAX << 8)) != RRCLASS_IN << 24 ||
	    ((UINT64_C(1) << RRTYPE_OPT | 1) >> (type & 63) & 1) != 0)
		return false;
	p->question_end = end;
	p->type = type;
	p->labels = labels;
	// Any multiple of 2^16 - 1 keeps it positive.
	p->rest_sum = sum + (UINT64_C(0xffff) << 32) - load32(msg) - htobe16(1) - arcount;
	p->opt = 0;
	p->opt_len = 0;
	q->len = (uint8_t)(at + 1);
	starts = starts << 8 | at;
	memcpy(q->start, &starts, sizeof starts);
	qname_lower(q, name);
	if (arcount == 0)
		return len == end;

	// The root, type, payload size, upper bits of the rcode, version, first byte of the flags;
	// from that byte on the last four.
	p->opt = load64(opt);
	p->opt_len = EDNS_FIXED_LEN;
	return len == end + EDNS_FIXED_LEN &&
	       (p->opt & 0x00ff000000ffffff) == (uint64_t)RRTYPE_OPT << 16 &&
	       (load32(opt + 7) & ~(uint32_t)(OPT_DO >> 8)) == 0;
#else
	return false;
#endif
}

static inline bool plain_do(const struct dns_plain_question *p)
{
	return p->opt >> 63 != 0;
}

// The reply may have as many bytes.
static inline unsigned plain_limit(const struct dns_server *server, const struct dns_query *query)
{
	unsigned limit = __builtin_bswap16((uint16_t)(query->plain.opt >> 24));

	if (limit > server->udp_payload_max)
		limit = server->udp_payload_max;
	if (limit < DNS_UDP_MIN || query->plain.opt_len == 0)
		limit = DNS_UDP_MIN; // RFC 6891 6.2.3
	return limit < query->cap ? limit : query->cap;
}

// To the stages as a query that was parsed, or more. Pre: hash is filled as far as `hashed` says.
static __attribute__((noinline, cold)) struct plain_reply plain_leave(
    const struct dns_context *context, struct dns_query *query)
{
	const struct dns_plain_question *p = &query->plain;

	query->qname.labels = (uint8_t)p->labels;
	query->edns = p->opt_len != 0;
	query->edns_do = plain_do(p);
	query->opt_len = (uint16_t)p->opt_len;
	query->reply_limit = (uint16_t)plain_limit(context->server, query);
	query->question_end = (uint16_t)p->question_end;
	query->question_sum =
	    checksum_less(p->rest_sum, checksum_at(sum64(p->opt), p->question_end));
	query->qtype = (uint16_t)p->type;
	query->verdict = DNS_REPLY;
	query->state = QUERY_ZONE;
	query->options = query->zone_options = 0;
	query->rcode = RCODE_NOERROR;
	return (struct plain_reply){0, 0};
}

// The same where the name is still to be looked up, in memory that is far.
static __attribute__((noinline, cold)) struct plain_reply plain_wait(
    const struct dns_context *context, struct dns_query *query, const struct zone_entry *zone,
    const struct zone_version *version, unsigned labels)
{
	query->zone = zone;
	query->version = version;
	query->labels = (uint8_t)labels;
	version_prefetch(version, &query->qname, query->labels);
	plain_leave(context, query);
	query->state = QUERY_WAIT;
	return (struct plain_reply){0, 0};
}

bool dns_plain_parse(const struct dns_context *context, struct dns_query *query)
{
	const struct hash_key *key = zone_table_key(context->table);
	struct qname *q = &query->qname;

	if (query->transport != DNS_UDP || query->cap < DNS_UDP_MIN ||
	    !plain_parse(query->msg, query->len, checksum_fold(query->sum), query))
		return false;
	plain_leave(context, query);
	qname_hash_start(q, key);
	qname_hash_to(q, key, zone_table_depth(context->table, q->labels));
	if (zone_table_is_large(context->table))
		zone_table_prefetch(context->table, q);
	return true;
}

struct dns_plain dns_plain_begin(const struct dns_context *context)
{
	const uint64_t head = edns_head(context->server, 0, false);

	return (struct dns_plain){.context = context,
	    .slots = zone_table_slots(context->table),
	    .depths = zone_table_depths_few(context->table),
	    .key = *zone_table_key(context->table),
	    .opt_head = head,
	    .opt_sum = sum64(head),
	    .at_once = !zone_table_is_large(context->table)};
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

static STAGE void hash_long(struct qname *q, const struct hash_key *key, unsigned from, unsigned to)
{
	qname_hash_on(q, key, from, to);
}

// The hashes of the deepest zone there may be, and of one label more. Most labels here are of one
// word; a loop within the loop would need more registers than a call has to spare.
static STAGE void plain_hash(const struct dns_plain *at_hand, struct dns_query *query)
{
	const unsigned labels = query->plain.labels;
	const uint64_t depths = at_hand->depths & ((UINT64_C(2) << labels) - 1);
	const unsigned depth = 63 ^ (unsigned)__builtin_clzll(depths | 1);
	const unsigned n = depth < labels ? depth + 1 : labels;

	query->plain.depths = (uint32_t)depths;
	query->qname.hash[0] = at_hand->key.k[0];
	query->qname.hashed = (uint8_t)n;

	uint64_t h = at_hand->key.k[0];

	for (unsigned i = 1; i <= n; i++) { // at most 7 times
		const uint8_t *label = query->qname.lower + query->qname.start[i];

		if (label[0] > 8) {
			hash_long(&query->qname, &at_hand->key, i - 1, n);
			return;
		}
		h = qname_word_hash(
		    h ^ qname_len_hash[label[0]], label + 1, label[0], &at_hand->key);
		query->qname.hash[i] = h;
	}
}

static __attribute__((noinline, cold)) void plain_hash_all(
    const struct dns_plain *at_hand, struct dns_query *query)
{
	qname_hash_to(&query->qname, &at_hand->key, query->plain.labels);
}

struct plain_found {
	const struct zone_version *version; // NULL: the query was left to the stages
	const struct image_node *node;      // NULL: there is none
};

// To the stages as a query whose name was looked up.
static __attribute__((noinline, cold)) struct plain_reply plain_pass(
    const struct dns_context *context, struct dns_query *query, struct plain_found found)
{
	plain_leave(context, query);
	query->version = found.version;
	query->node = (struct node_ref){&found.version->layer[0], found.node};
	query->denied.labels = 0;
	query->state = QUERY_LOOKUP;
	return (struct plain_reply){0, 0};
}

// As stage 2: the zone, and what the first probe finds in it.
static inline __attribute__((always_inline)) struct plain_found plain_find(
    const struct dns_plain *at_hand, const uint8_t *name, struct dns_query *query)
{
	const struct plain_found none = {NULL, NULL};
	const struct dns_plain_question *p = &query->plain;
	const struct qname *q = &query->qname;
	const struct zone_entry *zone = NULL;
	unsigned depths = p->depths, depth = 0;

	// The longest apex. Where its slot is free there is none of that length; where another's
	// stands there it may be further on.
	for (; zone == NULL; depths &= ~(1u << depth)) { // at most 8 times
		if (depths == 0)
			goto leave;
		depth = 31 ^ (unsigned)__builtin_clz(depths);

		const struct slot *slot = slots_home(at_hand->slots, q->hash[depth]);

		zone = atomic_load_explicit(&slot->entry, memory_order_acquire); // A2
		if (zone != NULL && slot->hash != q->hash[depth])
			goto leave;
	}

	const unsigned apex_at = q->start[depth], apex_len = q->len - apex_at;

	if (zone->apex_len != apex_len || apex_len > QNAME_SAME_MAX ||
	    !qname_same(name + apex_at, zone->apex, apex_len))
		goto leave;
	if ((p->type == RRTYPE_DS && depth == p->labels) ||
	    atomic_load_explicit(&zone->state, memory_order_relaxed) != ZONE_LIVE)
		goto leave;

	const struct zone_version *version =
	    atomic_load_explicit(&zone->version, memory_order_acquire); // A1
	const struct image *image = &version->layer[0];
	unsigned labels = depth + 1;

	if (image->hash_key[0] != at_hand->key.k[0] || image->hash_key[1] != at_hand->key.k[1])
		goto leave;
	if ((image->flags & (IMAGE_HAS_CUTS | IMAGE_HAS_DNAMES)) == 0 || labels > p->labels) {
		labels = p->labels;
		if (labels > q->hashed)
			plain_hash_all(at_hand, query);
	}
	if (version->layer_count != 1 || image->bucket_count - 1 >= BUCKETS_LARGE - 1) {
		plain_wait(at_hand->context, query, zone, version, labels);
		return none;
	}

	const struct image_probe probe = image_probe(image, q->hash[labels]);
	const unsigned at = q->start[labels], len = q->len - at;

	// The answer follows the node, and most are as long; to wait for each line in turn is dear
	// even in a zone that a core's cache holds, since what the port moves pushes it out.
	for (unsigned i = 1; i <= PLAIN_LINES && probe.node != NULL; i++)
		__builtin_prefetch((const uint8_t *)probe.node + (size_t)64 * i);
	if (len > QNAME_SAME_MAX)
		goto leave;
	if (probe.node != NULL
	        ? probe.node->name_len == len && qname_same(name + at, probe.node->name, len)
	        : !probe.unsure) {
		query->zone = zone;
		query->labels = (uint8_t)labels;
		return (struct plain_found){version, probe.node};
	}
leave:
	plain_leave(at_hand->context, query);
	return none;
}

// The reply's header and OPT around the body that stands there.
static inline struct plain_reply plain_finish(const struct dns_plain *at_hand, uint8_t *msg,
    const struct dns_plain_question *p, uint32_t head, unsigned end, uint64_t counts,
    uint64_t body_sum)
{
	// What stood behind the question goes, the body comes.
	uint64_t sum = p->rest_sum + checksum_at(body_sum + (UINT64_C(0xffff) << 32) -
	                                             (p->opt & 0xffffffff) - (p->opt >> 32),
	                                 p->question_end);

	if (p->opt_len != 0) {
		const uint64_t do_bit = p->opt & UINT64_C(1) << 63;
		const uint64_t opt = at_hand->opt_head | do_bit;

		memcpy(msg + end, &opt, sizeof opt);
		memset(msg + end + sizeof opt, 0, 4); // and a byte more
		sum += checksum_at(at_hand->opt_sum + (do_bit >> 32), end);
		end += EDNS_FIXED_LEN;
		counts++; // of the additional section
	}

	const uint64_t rest = htobe64((uint64_t)1 << 48 | counts);
	const uint32_t first = (load32(msg) & (0xffff | HEADER_RD << 16)) | HEADER_QR << 16 | head;

	memcpy(msg, &first, sizeof first);
	memcpy(msg + 4, &rest, sizeof rest);
	return (struct plain_reply){end, sum + first + sum64(rest)};
}

// With proofs of what the answer denies: as stage 3 has it. Post: as dns_plain_answer().
static __attribute__((noinline)) struct plain_reply plain_emit_proofs(
    struct dns_plain *at_hand, uint8_t *msg, struct dns_query *query, struct plain_found found)
{
	struct lookup lookup;

	query->msg = msg;
	plain_pass(at_hand->context, query, found);
	dns_lookup(query, true, &lookup);
	if (!dns_compiled_emit(at_hand->context, query, &lookup))
		return (struct plain_reply){0, 0};
	at_hand->proved++;
	return (struct plain_reply){query->len, checksum_fold(query->sum)};
}

static inline __attribute__((always_inline)) struct plain_reply plain_emit_as(
    struct dns_plain *at_hand, uint8_t *msg, struct dns_query *query, struct plain_found found,
    bool with_sigs)
{
	const struct dns_plain_question *p = &query->plain;
	const struct asking asking = {found.version, p->type, p->labels, with_sigs};
	const struct node_ref ref = {&found.version->layer[0], found.node};
	struct choice choice;
	enum lookup_kind kind;

	if (!lookup_direct(
	        ref.image, ref.node, ref.node != NULL && ref.node->labels == p->labels, &kind) ||
	    !choose(asking, kind, ref, &choice))
		return plain_pass(at_hand->context, query, found);
	if (choice.deny != DENY_NOTHING)
		return plain_emit_proofs(at_hand, msg, query, found);

	const struct image_answer *answer = choice.answer;
	const unsigned end = p->question_end + answer->size;

	if (end + p->opt_len > DNS_UDP_MIN &&
	    end + p->opt_len > plain_limit(at_hand->context->server, query))
		return plain_pass(at_hand->context, query, found);

	const uint64_t counts = answer_counts(answer);
	const uint64_t body_sum =
	    body_put(msg + p->question_end, answer, query->qname.len - choice.name_len);

	query->outcome = choice.outcome;
	at_hand->outcomes[choice.outcome]++;
	return plain_finish(at_hand, msg, p, choice.head, end, counts, body_sum);
}

static STAGE struct plain_reply plain_emit_signed(
    struct dns_plain *at_hand, uint8_t *msg, struct dns_query *query, struct plain_found found)
{
	return plain_emit_as(at_hand, msg, query, found, true);
}

STAGE struct plain_reply dns_plain_answer(
    struct dns_plain *at_hand, uint8_t *msg, unsigned len, uint64_t sum, struct dns_query *query)
{
	query->state = QUERY_NEW;
	if (!at_hand->at_once || !plain_parse(msg, len, sum, query))
		return (struct plain_reply){0, 0};
	// What is known of the question is in memory from here on: there are too few registers for
	// it.
	__asm__ volatile("" ::: "memory");
	plain_hash(at_hand, query);

	const struct plain_found found = plain_find(at_hand, msg + DNS_HEADER_LEN, query);

	if (found.version == NULL)
		return (struct plain_reply){0, 0};
	if (plain_do(&query->plain) && (found.version->layer[0].flags & IMAGE_SIGNED) != 0)
		return plain_emit_signed(at_hand, msg, query, found);
	return plain_emit_as(at_hand, msg, query, found, false);
}
