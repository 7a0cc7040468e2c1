// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The message writer; see writer.h. Targets form a tree from the root: a suffix is its first label
// and the target of the rest, so that finding the longest suffix walks a name's labels from the
// right and takes one hash chain for each.
#include "writer.h"

#include <assert.h>
#include <string.h>

#include "rdata.h"

static_assert(WRITER_TARGETS_MAX < UINT16_MAX, "indexes have 16 bits, 0 means none");

#define POINTER_BITS 0xc000u

static uint8_t byte_fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

// Folds case, because targets in the question compare without it.
static uint16_t target_tag(uint16_t parent, const uint8_t *label)
{
	uint32_t h = 0x811c9dc5u ^ (uint32_t)(parent * 0x9e37u) ^ label[0];

	for (unsigned i = 1; i <= label[0]; i++)
		h = (h ^ (label[i] | 0x20)) * 0x01000193u;
	return (uint16_t)(h ^ (h >> 15));
}

static bool label_equal(const uint8_t *a, const uint8_t *b, bool fold)
{
	if (a[0] != b[0])
		return false;
	if (!fold)
		return memcmp(a + 1, b + 1, a[0]) == 0;
	for (unsigned i = 1; i <= a[0]; i++) {
		if (byte_fold(a[i]) != byte_fold(b[i]))
			return false;
	}
	return true;
}

// 1 + index of the target `label` under `parent`, or 0. The oldest stands last in its chain, but
// there is only one of each: what is found is never added again.
static uint16_t target_find(const struct writer *w, uint16_t parent, const uint8_t *label)
{
	uint16_t tag = target_tag(parent, label);

	for (uint16_t i = w->chain[tag % WRITER_CHAINS]; i != 0; i = w->target[i - 1].next) {
		const struct writer_target *t = &w->target[i - 1];

		if (t->tag == tag && t->parent == parent &&
		    label_equal(w->buf + t->offset, label, t->offset < w->body_at))
			return i;
	}
	return 0;
}

// Post: 1 + its index, or 0 when it cannot be a target.
static uint16_t target_add(struct writer *w, uint16_t parent, uint32_t offset)
{
	if (offset >= WRITER_OFFSET_END || w->target_count == WRITER_TARGETS_MAX)
		return 0;

	uint16_t tag = target_tag(parent, w->buf + offset);
	struct writer_target *t = &w->target[w->target_count++];

	t->offset = (uint16_t)offset;
	t->parent = parent;
	t->tag = tag;
	t->next = w->chain[tag % WRITER_CHAINS];
	w->chain[tag % WRITER_CHAINS] = w->target_count;
	return w->target_count;
}

// Where each label of `name` begins; the root's own byte is not counted.
static unsigned name_starts(const uint8_t *name, uint8_t start[NAME_LABELS_MAX])
{
	unsigned n = 0;
	unsigned at = 0;

	while (name[at] != 0 && n < NAME_LABELS_MAX) {
		start[n++] = (uint8_t)at;
		at += name[at] + 1u;
	}
	return n;
}

// Makes the labels name[first .. n), which stand in the message from `offset` on, targets. They are
// added from the right, for a target needs its parent.
static void targets_add(struct writer *w, uint32_t offset, const uint8_t *start, unsigned n,
    uint16_t parent, unsigned first)
{
	for (unsigned i = n; i > first; i--) {
		parent = target_add(w, parent, offset + start[i - 1] - start[first]);
		if (parent == 0)
			return; // and so nothing longer can be one
	}
}

void writer_start(struct writer *w, uint8_t *buf, size_t body_at, size_t cap, size_t suffix_at)
{
	assert(body_at <= cap && cap <= UINT16_MAX);
	w->buf = buf;
	w->at = (uint32_t)body_at;
	w->cap = (uint32_t)cap;
	w->body_at = (uint32_t)body_at;
	w->target_count = 0;
	w->suffix_at = (uint16_t)suffix_at;
	w->suffix_count = 0;
	w->has_targets = false;
}

// Addresses and text, most answers of most zones, have no name that could be compressed.
static void suffix_targets(struct writer *w)
{
	uint8_t start[NAME_LABELS_MAX];

	memset(w->chain, 0, sizeof(w->chain));
	w->has_targets = true;

	unsigned n = name_starts(w->buf + w->suffix_at, start);

	if (n != 0)
		targets_add(w, w->suffix_at, start, n, 0, 0);
	w->suffix_count = w->target_count;
}

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static bool write_bytes(struct writer *w, const uint8_t *bytes, size_t n)
{
	if (n > w->cap - w->at)
		return false;
	memcpy(w->buf + w->at, bytes, n);
	w->at += (uint32_t)n;
	return true;
}

static bool write_pointer(struct writer *w, uint16_t offset)
{
	if (w->cap - w->at < 2)
		return false;
	put16(w->buf + w->at, POINTER_BITS | offset);
	w->at += 2;
	return true;
}

// A name that may be compressed and pointed at.
static bool write_name(struct writer *w, const uint8_t *name)
{
	uint8_t start[NAME_LABELS_MAX];
	unsigned n = name_starts(name, start);

	if (!w->has_targets)
		suffix_targets(w);

	unsigned literal = n; // labels that are not in the message yet
	uint16_t target = 0;
	uint32_t offset = w->at;

	while (literal > 0) {
		uint16_t longer = target_find(w, target, name + start[literal - 1]);

		if (longer == 0)
			break;
		target = longer;
		literal--;
	}
	if (literal == n)
		return write_bytes(w, name, n == 0 ? 1 : start[n - 1] + name[start[n - 1]] + 2u) &&
		       (targets_add(w, offset, start, n, 0, 0), true);
	if (!write_bytes(w, name, start[literal]) ||
	    !write_pointer(w, w->target[target - 1].offset))
		return false;
	targets_add(w, offset, start, literal, target, 0);
	return true;
}

static bool write_rdata(struct writer *w, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned n = rdata_names(type, rdata, rdlen, names);
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!names[i].compressible)
			continue;
		if (!write_bytes(w, rdata + done, names[i].offset - done) ||
		    !write_name(w, rdata + names[i].offset))
			return false;
		done = names[i].offset + names[i].len;
	}
	return write_bytes(w, rdata + done, rdlen - done);
}

bool writer_rr(struct writer *w, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen)
{
	static const uint8_t question[2] = {0xc0, WRITER_QUESTION_AT};
	static const uint8_t fixed[10];
	struct writer_mark mark = writer_mark(w);

	if (!(owner == NULL ? write_bytes(w, question, 2) : write_name(w, owner)))
		goto full;

	uint32_t fixed_at = w->at;

	if (!write_bytes(w, fixed, sizeof(fixed)) || !write_rdata(w, type, rdata, rdlen))
		goto full;
	put16(w->buf + fixed_at, type);
	put16(w->buf + fixed_at + 2, 1); // IN
	put32(w->buf + fixed_at + 4, ttl);
	put16(w->buf + fixed_at + 8, w->at - fixed_at - 10);
	return true;
full:
	writer_rewind(w, mark);
	return false;
}

struct writer_mark writer_mark(const struct writer *w)
{
	return (struct writer_mark){w->at, w->target_count};
}

void writer_rewind(struct writer *w, struct writer_mark mark)
{
	if (mark.target_count < w->suffix_count) { // before the first name
		w->has_targets = false;
		w->suffix_count = w->target_count = 0;
	}
	// The newest target heads its chain, so taking them back in reverse restores every chain.
	while (w->target_count > mark.target_count) {
		const struct writer_target *t = &w->target[--w->target_count];

		w->chain[t->tag % WRITER_CHAINS] = t->next;
	}
	w->at = mark.at;
}
