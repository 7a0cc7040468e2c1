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

// What of a question is in its reply.
struct plain_echo {
	uint8_t *msg;
	uint32_t end; // of the question
	uint64_t opt; // plain_question.opt
};

// The name in lower case, to lower[]. False where it is too long.
bool plain_lower(const uint8_t *wire, unsigned at, uint8_t *lower);

// What goes with signatures, or is for the stages. Post: at_hand->reply. Pre: asked->version.
void plain_emit_other(struct dns_plain *at_hand, struct plain_asked *asked, uint8_t *msg);

// The same for a name that is still to be searched for in at_hand->zone: there are overlays, or
// others stand where it was looked for.
void plain_emit_searched(struct dns_plain *at_hand, unsigned labels, uint64_t hash, uint8_t *msg);

// The zone that has the longest apex at or above the question, to at_hand->zone. Post: false: the
// question is left, or, no longer at_hand->at_once, is to wait. Whether the apex is of that name or
// of another with that hash nobody has looked.
bool plain_zone(struct dns_plain *at_hand);

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

	if (type > PLAIN_TYPE_MAX || type_odd[type] == TYPE_NONE)
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
	       (head & 0x00ffff0000ffffff) == (uint64_t)RRTYPE_OPT << 16 &&
	       (load32(opt + 7) & ~(uint32_t)(OPT_DO >> 8)) == 0;
}

// Where the labels of a name are. Post: false: there are too many, or it is none.
static inline __attribute__((always_inline)) bool plain_labels(
    struct plain_question *q, const uint8_t *name)
{
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
	return true;
}

// Pre: of the header, QR, opcode, and counts are a query's with one question and at most one
// record, which may be an OPT.
static inline __attribute__((always_inline)) bool plain_parse(struct plain_question *q,
    const uint8_t *msg, unsigned len, uint8_t *lower, const uint8_t *type_odd)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint8_t *name = msg + DNS_HEADER_LEN;

	if (!plain_labels(q, name))
		return false;

	const unsigned at = q->at;

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

static inline bool plain_do(const struct plain_question *q)
{
	return (int64_t)q->opt < 0;
}

static inline struct plain_echo plain_echo(const struct plain_question *q, uint8_t *msg)
{
	return (struct plain_echo){msg, plain_question_end(q), q->opt};
}

static inline unsigned plain_opt_len(uint64_t opt)
{
	return opt != 0 ? EDNS_FIXED_LEN : 0;
}

// The reply may have as many bytes.
static inline unsigned plain_limit(const struct dns_server *server, uint64_t opt, unsigned cap)
{
	// Of all of it: of 16 bits the compiler makes a round through memory.
	unsigned limit = (uint16_t)(be64toh(opt) >> 24);

	if (limit > server->udp_payload_max)
		limit = server->udp_payload_max;
	if (limit < DNS_UDP_MIN || opt == 0)
		limit = DNS_UDP_MIN; // RFC 6891 6.2.3
	return limit < cap ? limit : cap;
}

// The numbers of a reply's records that no answer has: of its question and of its OPT.
#define COUNTS_QUESTION htobe64(UINT64_C(1) << 48)
#define COUNTS_OPT      htobe64(1)
static_assert(IMAGE_ADDITIONAL_MAX < UINT8_MAX, "with the OPT it is a byte");

// The reply's header and OPT around the body, which ends at `end` and whose records are `records`,
// as answer_counts_be(). The sum is made of what the query loses, each part of it positive: so it
// is never zero, and its complement need not be taken.
static inline __attribute__((always_inline)) struct plain_reply plain_finish(
    const struct dns_plain *at_hand, struct plain_echo echo, const struct choice *choice,
    unsigned end, uint64_t records, uint32_t body_sum)
{
	const uint32_t old = load32(echo.msg);
	const uint32_t first = (old & (0xffff | HEADER_RD << 16)) | HEADER_QR << 16 | choice->head;
	uint64_t counts = records + COUNTS_QUESTION;
	uint32_t less = (UINT32_C(0xffff) << 10) - body_sum;

	if (echo.opt != 0) {
		const uint64_t with_do = echo.opt >> 63, opt = at_hand->opt_head[with_do];

		memcpy(echo.msg + end, &opt, sizeof opt);
		memset(echo.msg + end + sizeof opt, 0, 4); // and a byte more
		counts += COUNTS_OPT;
		// Type and payload size; but for DO the rest of it is 0.
		less +=
		    (uint32_t)(echo.opt >> 16) + at_hand->opt_less[with_do][(end - echo.end) % 2];
		end += EDNS_FIXED_LEN;
	}
	memcpy(echo.msg, &first, sizeof first);
	memcpy(echo.msg + 4, &counts, sizeof counts);
	// Question and OPT are counted in the query as well. Other records stand in the upper 48
	// bits; 2^16 counts as 1.
	return (struct plain_reply){end,
	    (UINT64_C(0xffff) << 33) + checksum_turn32(less, echo.end) + old - first -
	        (records >> 16),
	    choice->outcome};
}
static_assert(BODY_SUM_END < UINT32_C(0xffff) << 10, "plain_finish()");

// Pre: the choice is for the question, and proves nothing; of a buffer behind that `room` bytes are
// there in any case. Post: len 0: the reply may not have as many bytes, and nothing was written.
static inline __attribute__((always_inline)) struct plain_reply plain_emit(
    struct dns_plain *at_hand, struct plain_echo echo, const struct choice *choice, unsigned room)
{
	const struct image_answer *answer = choice->answer;
	const unsigned end = echo.end + answer->size;

	if (end + EDNS_FIXED_LEN > DNS_UDP_MIN &&
	    end + plain_opt_len(echo.opt) >
	        plain_limit(at_hand->context->server, echo.opt, at_hand->cap))
		return (struct plain_reply){0, 0, choice->outcome};

	const uint32_t body_sum = body_put(
	    echo.msg + echo.end, answer, echo.end - DNS_HEADER_LEN - 4 - choice->name_len, room);

	at_hand->outcomes[choice->outcome]++;
	return plain_finish(at_hand, echo, choice, end, answer_counts_be(answer), body_sum);
}

// The answer follows the node, and most are as long; to wait for each line in turn is dear even in
// a zone that a core's cache holds, since what the port moves pushes it out.
static inline void plain_prefetch(const struct image_node *node)
{
	for (unsigned i = 1; i <= PLAIN_LINES; i++)
		__builtin_prefetch((const uint8_t *)node + (size_t)64 * i);
}

// What a name below a delegation gets, most often: as choose(). Pre: the type is not DS.
static inline bool plain_choose_referral(
    struct asking asking, struct node_ref ref, struct choice *choice)
{
	const unsigned not_here = NODE_OCCLUDED | (asking.with_sigs ? NODE_TAKES_PROOF : 0);

	if (ref.node == NULL || (ref.node->flags & (NODE_CUT | not_here)) != NODE_CUT)
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

static inline struct plain_reply plain_left(struct dns_plain *at_hand, enum plain_left left)
{
	at_hand->asked.left = left;
	return (struct plain_reply){0};
}

// Goes on with the question in at_hand->asked, with what was found for so many labels of it.
static inline struct plain_reply plain_go_on(
    struct dns_plain *at_hand, uint8_t *msg, unsigned labels, const struct image_node *node)
{
	struct plain_asked *asked = &at_hand->asked;
	const struct zone_version *version = at_hand->zone.version;

	asked->probed = labels;
	asked->node = node;
	asked->version = version;
	asked->image = &version->layer[0];
	plain_emit_other(at_hand, asked, msg);
	return at_hand->reply;
}

// Goes on where plain_quick() came to QUICK_FOUND. Post: as dns_plain_answer().
static inline struct plain_reply plain_found(struct dns_plain *at_hand, uint8_t *msg)
{
	struct plain_question *q = &at_hand->asked.question;

	if (!plain_labels(q, msg + DNS_HEADER_LEN)) // they are too many
		return plain_left(at_hand, PLAIN_LEFT_NEW);
	return plain_go_on(at_hand, msg, q->hashed, at_hand->asked.node);
}

// As dns_plain_answer(), for a message whose header is a plain query's.
static inline __attribute__((always_inline)) struct plain_reply plain_any(
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

	if (zone->next != ZONE_SEARCH && plain_zone_same(at_hand)) {
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
		plain_prefetch(probe.node);
		// A name ends with its root: what is the same so far is the same name. And if it
		// is, the zone's apex is what the question ends with.
		if (!wide_equal(own, probe.node->name, own_len))
			goto search;
	}

	const bool with_sigs = plain_do(q) && zone->with_sigs;
	const struct asking asking = {zone->version, q->type, q->labels, with_sigs};
	const struct node_ref ref = {image, probe.node};
	struct choice choice = {0}, other; // as in plain_quick()
	enum lookup_kind kind;

	if (q->type == RRTYPE_DS || !plain_choose_referral(asking, ref, &choice)) {
		// DS of a zone's apex is its parent's data.
		if (q->type == RRTYPE_DS && zone->depth == q->labels)
			return plain_left(at_hand, PLAIN_LEFT_ZONE);
		if (with_sigs || !lookup_direct(image, ref.node, labels == q->labels, &kind) ||
		    !choose(asking, kind, ref, &other))
			goto unchosen;
		choice = other;
	}

	const struct plain_reply reply = plain_emit(at_hand, plain_echo(q, msg), &choice, 0);

	if (reply.len != 0)
		return reply;
unchosen:
	return plain_go_on(at_hand, msg, labels, probe.node);
search:
	plain_emit_searched(at_hand, labels, hash, msg);
	return at_hand->reply;
}

// What is behind the name of most questions: the root, a type up to 127, IN; an OPT with any
// payload size, version 0, no flags but DO, and no options.
extern const uint8_t plain_rest[16], plain_rest_mask[16];

enum plain_quick {
	QUICK_REPLY, // as dns_plain_answer()
	QUICK_FOUND, // plain_found() goes on: of the question its type, OPT and last hash are
	             // there, and the node that has it, NULL: there is none
	QUICK_ANY,   // it is for plain_any()
};

// As plain_any(), if the question is what most of them are, which is judged by wide loads and is
// never in memory: short, so that its name ends where its length says, with such an OPT; for its
// zone's apex, a name one label below, or one below a delegation there.
// Pre: at_hand->zone.next is ZONE_QUICK.
static inline __attribute__((always_inline)) enum plain_quick plain_quick(
    struct dns_plain *at_hand, uint8_t *msg, unsigned len, struct plain_reply *reply)
{
	const struct plain_zone *const zone = &at_hand->zone;
	const uint8_t *const name = msg + DNS_HEADER_LEN;
	const unsigned root = len - (DNS_HEADER_LEN + 5 + EDNS_FIXED_LEN); // of the name
	const uint8_t *const rest = name + root;

	// What is too short for all that is as good as too long.
	if (root >= PLAIN_NAME_MAX || msg[11] != 1 ||
	    !wide_matches16(rest, plain_rest, plain_rest_mask) || at_hand->type_odd[rest[2]] != 0)
		return QUICK_ANY;

	const int64_t apex = (int64_t)root + 1 - (int64_t)zone->apex_len;
	int64_t at = 0, own = 0;

	// A label may have any byte, zero as well: so its zone is where a label ends.
	while (at < apex) { // at most PLAIN_NAME_MAX times
		const unsigned n = name[at];

		own = at;
		if (n == 0)
			return QUICK_ANY;
		at += n + 1;
	}
	if (at != apex)
		return QUICK_ANY;

	const struct image *const image = &zone->version->layer[0];
	const uint64_t hash =
	    apex == 0 ? zone->hash : qname_label_hash(zone->hash, name + own, &at_hand->key);
	const struct image_probe probe = image_probe(image, hash);
	const struct image_node *const node = probe.node;
	const struct plain_echo echo = {msg, DNS_HEADER_LEN + 5 + root, load64(rest + 5)};
	const unsigned own_len = root + 1 - (unsigned)own;
	const bool with_sigs = echo.opt >> 63 != 0 && zone->with_sigs;
	struct choice choice = {0}, other; // two, so that a referral's stays in registers

	if (echo.opt == 0) // its type is not
		__builtin_unreachable();
	if (node == NULL) {
		if (probe.unsure || wide_first(wide_upper(name), root) != 0 ||
		    !wide_equal_short(name + apex, zone->apex, (unsigned)zone->apex_len))
			return QUICK_ANY;
		if (with_sigs || zone->no_name == NULL)
			goto found;
		choice.answer = zone->no_name;
		choice.name_len = (unsigned)zone->apex_len;
		choice.head = HEADER_AA << 16 | RCODE_NXDOMAIN << 24;
		choice.outcome = DNS_OUTCOME_nxdomain;
	} else {
		const struct asking asking = {zone->version, rest[2], 0, with_sigs};
		const struct node_ref ref = {image, node};

		plain_prefetch(node);
		// Behind the apex' begin nobody has looked where labels end: only a name as long is
		// the same, in lower case as it is.
		if (node->name_len != own_len || !wide_equal_short(name + own, node->name, own_len))
			return QUICK_ANY;
		if (!plain_choose_referral(asking, ref, &choice)) {
			if (own != 0 || (node->flags & (NODE_CUT | NODE_OCCLUDED)) != 0)
				goto found;
			choose_start(&other);
			if (!choose_at_node(asking, ref, false, &other) ||
			    other.deny != DENY_NOTHING)
				goto found;
			choice = other;
		}
	}
	*reply =
	    plain_emit(at_hand, echo, &choice, DNS_UDP_MIN - (DNS_HEADER_LEN + PLAIN_NAME_MAX + 4));
	if (reply->len != 0)
		return QUICK_REPLY;
found:
	// In front of a delegation nobody has looked; and in a zone without it is the whole name
	// that is looked up.
	if (own != 0 && (zone->probe == UINT_MAX || wide_first(wide_upper(name), root) != 0))
		return QUICK_ANY;

	struct plain_question *const q = &at_hand->asked.question;

	q->type = rest[2];
	q->opt = echo.opt;
	q->hashed = (uint32_t)zone->depth + (apex != 0);
	q->hash[q->hashed] = hash;
	at_hand->asked.node = node;
	return QUICK_FOUND;
}
