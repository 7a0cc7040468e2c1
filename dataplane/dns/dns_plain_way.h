// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The way of dns_plain.h, inline: for dns_plain.c and for frame_answer.c, which has a frame's
// headers on both ends of it. Fields are taken from wide loads and judged together. The buffer is
// as large as a reply may be, DNS_UDP_MIN at least, so that loads may run past the query's end;
// what is used of them is judged by its length first. Numbers are as little-endian machines load
// the bytes of the wire; for others no question is plain.
//
// What is seldom needed is in functions of its own, which take all they need: so the question need
// not be in memory on the way on which nothing of it is.
#pragma once

#include <limits.h>

#include "dns_compiled.h"
#include "dns_edns.h"
#include "dns_internal.h"
#include "dns_lookup.h"
#include "dns_plain.h"
#include "image_probe.h"
#include "wide.h"
#include "zone_table_probe.h"

#define PLAIN_LINES 5 // of an answer, behind its node's first

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

static inline unsigned plain_question_end(const struct plain_question *q)
{
	return DNS_HEADER_LEN + q->at + 5;
}

// The name in lower case, to lower[]. False where it is too long.
bool plain_lower(const uint8_t *wire, unsigned at, uint8_t *lower);

// What goes with signatures, or is for the stages. Post: at_hand->reply. Pre: asked->version.
void plain_emit_other(struct dns_plain *at_hand, struct plain_asked *asked, uint8_t *msg);

// The same for a name that is still to be searched for in at_hand->zone: there are overlays, or
// others stand where it was looked for.
void plain_emit_searched(struct dns_plain *at_hand, unsigned labels, uint64_t hash, uint8_t *msg);

// Are the names of a version in its index, and by the hashes of the table's key? All its layers
// have one.
static inline bool plain_version(
    const struct dns_plain *at_hand, const struct zone_version *version)
{
	const uint64_t *key = version->layer[0].hash_key;

	return version_base(version)->bucket_count != 0 && key[0] == at_hand->key.k[0] &&
	       key[1] == at_hand->key.k[1];
}

// Makes hash[from + 1 .. to]. Post: the last of them.
uint64_t plain_hash_on(
    struct plain_question *q, const struct hash_key *key, unsigned from, unsigned to);

// The zone that has the longest apex at or above the question, to at_hand->zone. Post: false: the
// question is left, or, no longer at_hand->at_once, is to wait. Whether the apex is of that name or
// of another with that hash nobody has looked.
bool plain_zone(struct dns_plain *at_hand);

// Is it the same again, and has the longest apex there may be?
static inline bool plain_zone_same(const struct dns_plain *at_hand)
{
	const struct plain_question *q = &at_hand->asked.question;
	const uint64_t depth = at_hand->zone.depth;

	if (depth > q->labels || (at_hand->depths & ((UINT64_C(2) << q->labels) - 1)) >> depth != 1)
		return false;

	const unsigned apex_at = q->order[q->labels - depth];

	return wide_equal(q->name + apex_at, image_apex(version_header(at_hand->zone.version)),
	    q->at + 1 - apex_at);
}

// Is its header a plain query's?
static inline bool plain_header(const uint8_t *msg, unsigned len)
{
	return len >= DNS_HEADER_LEN + 5 && (load16(msg + 10) & 0xfeff) == 0 &&
	       (load64(msg + 2) & 0xffffffffffff00f8) == 0x0000000001000000;
}

// What is behind the name, whose root is `at`. Pre: as plain_parse().
static inline __attribute__((always_inline)) bool plain_fields(const uint8_t *msg, unsigned at,
    unsigned len, const uint8_t *type_odd, uint32_t *type_out, uint64_t *opt_out)
{
	const uint8_t *opt = msg + DNS_HEADER_LEN + at + 5;
	// The class less 1 above the type.
	const uint32_t fields = be32toh(load32(opt - 4)) - RRCLASS_IN;
	const uint32_t type = fields << 16 | fields >> 16;

	if (type > PLAIN_TYPE_MAX || type_odd[type] != 0)
		return false;
	*type_out = type;
	if (load16(msg + 10) == 0) {
		*opt_out = 0;
		return len == DNS_HEADER_LEN + 5 + at;
	}

	// The root, type, payload size, upper bits of the rcode, version, first byte of the flags;
	// from that byte on the last four.
	const uint64_t head = load64(opt);

	*opt_out = head;
	return len == DNS_HEADER_LEN + 5 + EDNS_FIXED_LEN + at &&
	       (head & 0x00ff000000ffffff) == (uint64_t)RRTYPE_OPT << 16 &&
	       (load32(opt + 7) & ~(uint32_t)(OPT_DO >> 8)) == 0;
}

// Pre: of the header, QR, opcode, and counts are a query's with one question and at most one
// record, which may be an OPT.
static inline __attribute__((always_inline)) bool plain_parse(struct plain_question *q,
    const uint8_t *msg, unsigned len, uint8_t *lower, const uint8_t *type_odd)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint8_t *name = msg + DNS_HEADER_LEN;
	unsigned at = 0, labels = 0, n;

	// Unrolled, so that the number of labels need not be counted.
#pragma GCC unroll 8
	for (; labels <= PLAIN_LABELS_MAX; labels++) {
		n = name[at];
		q->order[labels] = (uint8_t)at;
		if (n - 1 >= NAME_LABEL_MAX)
			break;
		at += n + 1;
	}
	if (labels > PLAIN_LABELS_MAX || n != 0)
		return false;
	q->at = at;
	q->labels = labels;
	q->name = name;
	if (wide_upper(name) || at >= PLAIN_NAME_MAX) {
		if (!plain_lower(name, at, lower))
			return false;
		q->name = lower;
	}

	return plain_fields(msg, at, len, type_odd, &q->type, &q->opt);
#else
	return false;
#endif
}

static inline unsigned plain_opt_len(const struct plain_question *q)
{
	return q->opt != 0 ? EDNS_FIXED_LEN : 0;
}

static inline bool plain_do(const struct plain_question *q)
{
	return (int64_t)q->opt < 0;
}

// The reply may have as many bytes.
static inline unsigned plain_limit(
    const struct dns_server *server, const struct plain_question *q, unsigned cap)
{
	unsigned limit = __builtin_bswap16((uint16_t)(q->opt >> 24));

	if (limit > server->udp_payload_max)
		limit = server->udp_payload_max;
	if (limit < DNS_UDP_MIN || q->opt == 0)
		limit = DNS_UDP_MIN; // RFC 6891 6.2.3
	return limit < cap ? limit : cap;
}

// The reply's header and OPT around the body that stands there, whose records are `counts`.
static inline __attribute__((always_inline)) struct plain_reply plain_finish(
    const struct dns_plain *at_hand, const struct plain_question *q, uint8_t *msg,
    const struct choice *choice, unsigned end, uint64_t counts, uint64_t body_sum)
{
	const unsigned question_end = plain_question_end(q);
	const uint32_t old = load32(msg);
	const uint32_t first = (old & (0xffff | HEADER_RD << 16)) | HEADER_QR << 16 | choice->head;
	uint64_t sum;

	counts += (uint64_t)1 << 48;
	// What stood in the header goes, the numbers of question and record included. Any multiple
	// of 2^16 - 1 keeps it positive.
	sum = (UINT64_C(0xffff) << 32) - htobe16(1) + first - old;
	if (q->opt != 0) {
		const uint64_t opt = at_hand->opt_head | (q->opt & UINT64_C(1) << 63);

		memcpy(msg + end, &opt, sizeof opt);
		memset(msg + end + sizeof opt, 0, 4); // and a byte more
		counts++;                             // of the additional section
		body_sum = checksum_less(body_sum, q->opt);
		sum = checksum_add(sum - htobe16(1), checksum_turn(opt, end));
		end += EDNS_FIXED_LEN;
	}
	sum = checksum_add(sum, checksum_turn(body_sum, question_end));
	counts = htobe64(counts);
	memcpy(msg, &first, sizeof first);
	memcpy(msg + 4, &counts, sizeof counts);
	return (struct plain_reply){end, checksum_add(sum, counts), choice->outcome};
}

// Pre: the choice is for the question, and proves nothing. Post: len 0: the reply may not have as
// many bytes, and nothing was written.
static inline __attribute__((always_inline)) struct plain_reply plain_emit(
    struct dns_plain *at_hand, const struct plain_question *q, uint8_t *msg,
    const struct choice *choice)
{
	const struct image_answer *answer = choice->answer;
	const unsigned question_end = plain_question_end(q), end = question_end + answer->size;

	if (end + EDNS_FIXED_LEN > DNS_UDP_MIN &&
	    end + plain_opt_len(q) > plain_limit(at_hand->context->server, q, at_hand->cap))
		return (struct plain_reply){0, 0, choice->outcome};

	const uint64_t body_sum =
	    body_put(msg + question_end, answer, q->at + 1 - choice->name_len);

	at_hand->outcomes[choice->outcome]++;
	return plain_finish(at_hand, q, msg, choice, end, answer_counts(choice->answer), body_sum);
}

// What a name below a delegation gets, most often: as choose().
static inline bool plain_choose_referral(
    struct asking asking, struct node_ref ref, struct choice *choice)
{
	const unsigned not_here = NODE_OCCLUDED | (asking.with_sigs ? NODE_TAKES_PROOF : 0);

	if (ref.node == NULL || (ref.node->flags & (NODE_CUT | not_here)) != NODE_CUT ||
	    asking.qtype == RRTYPE_DS)
		return false;

	const struct image_node_leads *leads = node_leads(ref.node);

	if (!choose_answer(
	        choice, ref.node, asking.with_sigs ? leads->answer_do_at : leads->answer_at))
		return false;
	choice->name_len = ref.node->name_len;
	choice->head = 0;
	choice->outcome = DNS_OUTCOME_referral;
	return true;
}

static inline struct plain_reply plain_left(struct dns_plain *at_hand, enum plain_left left)
{
	at_hand->asked.left = left;
	return (struct plain_reply){0};
}

// As dns_plain_answer(), for a message whose header is a plain query's.
static inline __attribute__((always_inline)) struct plain_reply plain_answer(
    struct dns_plain *at_hand, uint8_t *msg, unsigned len)
{
	struct plain_asked *const asked = &at_hand->asked;
	struct plain_question *const q = &asked->question;
	const struct plain_zone *const zone = &at_hand->zone;

	if (!plain_parse(q, msg, len, asked->lower, at_hand->type_odd))
		return plain_left(at_hand, PLAIN_LEFT_NEW);
	// What is known of the question is in memory from here on.
	__asm__ volatile("" ::: "memory");

	unsigned hashed = 0;

	if (zone->next == ZONE_ROOT) {
		// No more than that of the root.
	} else if (zone->next == ZONE_SAME && plain_zone_same(at_hand)) {
		hashed = (unsigned)zone->depth;
	} else if (plain_zone(at_hand)) {
		hashed = q->hashed;
	} else {
		return (struct plain_reply){0};
	}

	const unsigned labels = zone->probe < q->labels ? zone->probe : q->labels;
	const unsigned own_at = q->order[q->labels - labels];
	const uint8_t *const own = q->name + own_at;
	const unsigned own_len = q->at + 1 - own_at;
	uint64_t hash;

	if (labels == hashed + 1) { // most often
		hash = qname_label_hash(q->hash[hashed], own, &at_hand->key);
		q->hash[labels] = hash;
		q->hashed = labels;
	} else {
		q->hashed = hashed;
		hash = labels <= hashed ? q->hash[labels]
		                        : plain_hash_on(q, &at_hand->key, hashed, labels);
	}
	if (zone->layered)
		goto search;

	const struct image *image = &zone->version->layer[0];
	const struct image_probe probe = image_probe(image, hash);

	if (probe.node == NULL) {
		const unsigned apex_at = q->order[q->labels - zone->depth];

		if (probe.unsure)
			goto search;
		if (!wide_equal(q->name + apex_at, image_apex(image->header), q->at + 1 - apex_at))
			return plain_left(at_hand, PLAIN_LEFT_ZONE);
	} else {
		// The answer follows the node, and most are as long; to wait for each line in turn
		// is dear even in a zone that a core's cache holds, since what the port moves
		// pushes it out.
		for (unsigned i = 1; i <= PLAIN_LINES; i++)
			__builtin_prefetch((const uint8_t *)probe.node + (size_t)64 * i);
		// A name ends with its root: what is the same so far is the same name. And if it
		// is, the zone's apex is what the question ends with.
		if (!wide_equal(own, probe.node->name, own_len))
			goto search;
	}

	const bool with_sigs = plain_do(q) && zone->with_sigs;
	const struct asking asking = {zone->version, q->type, q->labels, with_sigs};
	const struct node_ref ref = {image, probe.node};
	struct choice choice = {0}, other; // two, so that a referral's stays in registers
	enum lookup_kind kind;

	if (!plain_choose_referral(asking, ref, &choice)) {
		// DS of a zone's apex is its parent's data.
		if (q->type == RRTYPE_DS && zone->depth == q->labels)
			return plain_left(at_hand, PLAIN_LEFT_ZONE);
		if (with_sigs || !lookup_direct(image, ref.node, labels == q->labels, &kind) ||
		    !choose(asking, kind, ref, &other))
			goto unchosen;
		choice = other;
	}

	const struct plain_reply reply = plain_emit(at_hand, q, msg, &choice);

	if (reply.len != 0)
		return reply;
unchosen:
	asked->probed = labels;
	asked->node = probe.node;
	asked->version = zone->version;
	asked->image = image;
	plain_emit_other(at_hand, asked, msg);
	return at_hand->reply;
search:
	plain_emit_searched(at_hand, labels, hash, msg);
	return at_hand->reply;
}
