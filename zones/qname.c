// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A name made ready for look-ups. Called by every worker for every query, and by the compiler for
// every name of a zone.

#include "qname.h"

#include "wide.h"

#define TIMES8(x)  x, x, x, x, x, x, x, x
#define TIMES32(x) TIMES8(x), TIMES8(x), TIMES8(x), TIMES8(x)

const uint8_t qname_lower_lanes[96] = {
    TIMES32(INT8_MAX - 'Z'), TIMES32(INT8_MAX - 26), TIMES32(0x20)};

const uint8_t wide_capitals[2 * WIDE] = {
    TIMES32((uint8_t)(INT8_MIN - 'A')), TIMES32((uint8_t)(INT8_MIN + 26))};

#define MIX(n)   (QNAME_MIX_A ^ 0xd6e8feb86659fd93ULL * (n))
#define MIX4(n)  MIX(n), MIX(n + 1), MIX(n + 2), MIX(n + 3)
#define MIX16(n) MIX4(n), MIX4(n + 4), MIX4(n + 8), MIX4(n + 12)

const uint64_t qname_len_hash[NAME_LABEL_MAX + 1] = {MIX16(0), MIX16(16), MIX16(32), MIX16(48)};

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

	if (room >= NAME_LEN_MAX + 1) {
		qname_lower(q, wire);
	} else {
		uint8_t copy[NAME_LEN_MAX + 1] = {0};
		memcpy(copy, wire, room);
		qname_lower(q, copy);
	}
	return q->len;
}

void qname_hash(struct qname *q, const struct hash_key *key)
{
	qname_hash_start(q, key);
	qname_hash_to(q, key, q->labels);
}

uint64_t qname_hash_child(uint64_t parent, const uint8_t *label, const struct hash_key *key)
{
	return qname_label_hash(parent, label, key);
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
