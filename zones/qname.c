// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A name made ready for look-ups. Called by every worker for every query, and by the compiler for
// every name of a zone.
//
// The hash of a name is built label by label from the root to the left, so that one pass gives the
// hash of every suffix. A label enters as 8-byte words, each folded in by a 64x64->128 bit product
// with both halves combined; both key words are secret, so content cannot choose collisions.

#include "qname.h"

#define MIX_A 0x9e3779b97f4a7c15ULL
#define MIX_B 0xd6e8feb86659fd93ULL

typedef uint8_t bytes32 __attribute__((vector_size(32), aligned(1), may_alias));

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// `label` points at the length byte; 64 bytes past the label may be read.
static inline uint64_t label_hash(uint64_t h, const uint8_t *label, const struct hash_key *key)
{
	unsigned left = label[0];
	uint64_t word;
	const uint8_t *at = label + 1;

	h ^= MIX_B * left;
	for (; left > 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		h = fold(word ^ key->k[1], h ^ MIX_A);
	}
	memcpy(&word, at, 8);
	word &= ~UINT64_C(0) >> (64 - 8 * left);
	return fold(word ^ key->k[1], h ^ MIX_A);
}

// start[n] is where the suffix of n labels begins. So far it is in the order the labels were read.
static void starts_reverse(struct qname *q)
{
	for (unsigned i = 1, j = q->labels; i < j; i++, j--) {
		const uint8_t swap = q->start[i];
		q->start[i] = q->start[j];
		q->start[j] = swap;
	}
}

size_t qname_parse(struct qname *q, const uint8_t *wire, size_t avail, size_t room)
{
	const size_t limit = avail < NAME_LEN_MAX ? avail : NAME_LEN_MAX;
	uint64_t last = 0; // where the last eight labels begin, the very last in the lowest byte
	size_t at = 0;
	unsigned labels = 0;

	// At most 127 labels: each takes two bytes or more of 255.
	for (;;) {
		if (at >= limit)
			return 0;
		const unsigned n = wire[at];
		if (n == 0)
			break;
		if (n > NAME_LABEL_MAX)
			return 0;
		q->start[++labels] = (uint8_t)at;
		last = last << 8 | at;
		at += n + 1;
	}
	q->start[0] = (uint8_t)at;
	q->len = (uint8_t)(at + 1);
	q->labels = (uint8_t)labels;
	if (labels <= 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		memcpy(q->start + 1, &last, 8);
	else
		starts_reverse(q);

	// Whole words straight from the message where it goes on that far: a copy through memory
	// first would stall the loads behind it.
	for (size_t i = 0; i < q->len; i += 32) {
		bytes32 v;
		if (room - i >= 32) {
			v = *(const bytes32 *)(wire + i);
		} else {
			uint8_t rest[32] = {0};
			memcpy(rest, wire + i, room - i);
			v = *(bytes32 *)rest;
		}
		bytes32 upper = (bytes32)((v >= 'A') & (v <= 'Z'));
		*(bytes32 *)(q->lower + i) = v | (upper & 0x20);
	}
	return q->len;
}

void qname_hash_to(struct qname *q, const struct hash_key *key, unsigned n)
{
	uint64_t h = q->hash[q->hashed];

	while (q->hashed < n) { // at most one step a label
		h = label_hash(h, q->lower + q->start[q->hashed + 1], key);
		q->hash[++q->hashed] = h;
	}
}

void qname_hash(struct qname *q, const struct hash_key *key)
{
	qname_hash_start(q, key);
	qname_hash_to(q, key, q->labels);
}

uint64_t qname_hash_child(uint64_t parent, const uint8_t *label, const struct hash_key *key)
{
	return label_hash(parent, label, key);
}

uint64_t name_hash(const uint8_t *name, const struct hash_key *key)
{
	struct qname q;

	// No more than its own bytes: it may end where its memory does.
	const size_t len = name_len(name);
	if (qname_parse(&q, name, len, len) == 0)
		return 0;
	qname_hash(&q, key);
	return q.hash[q.labels];
}
