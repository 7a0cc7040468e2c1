// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See moves.h. Called by the compiler and by the verifier, for each answer; the bytes may be
// anything.

#include "moves.h"

#include <string.h>

#include "rdata_field.h"
#include "wide.h"
#include "writer.h"

#define POINTER  0xc0u
#define FIXED_RR 10u // type, class, TTL, rdata length

// The longest question does not push one past its 14 bits.
static_assert(
    WRITER_QUESTION_AT + NAME_LEN_MAX + 4 + IMAGE_ANSWER_MAX + NAME_LEN_MAX < WRITER_OFFSET_END,
    "each pointer of an answer can move");
static_assert(IMAGE_ANSWER_MAX >> 8 < POINTER,
    "what stands in front of an answer's first byte is no c0: the last byte of image_moves.odd, "
    "where integers have theirs last");

struct walk {
	const uint8_t *bytes;
	unsigned size, at;
	unsigned name_end, body_at; // of the question, in the message
	enum moves_for what;
	struct moves *out;
	uint64_t moving[IMAGE_ANSWER_MAX / 64 + 1]; // a bit for each last byte
};

// The pointer that stands at w->at, in a name that begins at `begin`.
static bool pointer_take(struct walk *w, unsigned begin, unsigned end, bool is_owner)
{
	struct moves *out = w->out;
	const unsigned at = w->at, last = at + 1;

	if (last >= end)
		return false;

	const unsigned target = (w->bytes[at] & ~POINTER) << 8 | w->bytes[last];
	const bool whole = target == WRITER_QUESTION_AT && is_owner && at == begin;
	// Behind the "*" of the name that the answer is compiled for all its questions are the
	// same.
	const unsigned first = WRITER_QUESTION_AT + (w->what == MOVES_WILD && !whole ? 2 : 0);

	if (target < first || target >= w->body_at + begin ||
	    (target >= w->name_end && target < w->body_at))
		return false;
	w->at = at + 2;
	if (target > out->target_max)
		out->target_max = target;
	if (w->what == MOVES_NONE || (w->what == MOVES_WILD && whole))
		return true;
	out->weight += at % 2 == 0 ? 1 : 256;
	if (w->bytes[at] != POINTER)
		out->reach = UINT8_MAX;
	else if (w->bytes[last] > out->reach)
		out->reach = w->bytes[last];
	w->moving[last / 64] |= UINT64_C(1) << last % 64;
	return out->weight <= UINT16_MAX;
}

// Steps over a name that ends in front of `end`.
static bool name_take(struct walk *w, unsigned end, bool is_owner)
{
	const unsigned begin = w->at;

	while (w->at < end) { // every step moves on
		const unsigned n = w->bytes[w->at];

		if (n >= POINTER)
			return pointer_take(w, begin, end, is_owner);
		if (n > NAME_LABEL_MAX)
			return false;
		w->at += n + 1;
		if (n == 0)
			return w->at <= end;
	}
	return false;
}

// The names of an rdata that may be compressed: they are its first fields, behind a number or not.
static bool rdata_take(struct walk *w, unsigned type, unsigned end)
{
	const uint8_t *field = rdata_layout((uint16_t)type)->fields;

	if (field[0] == FIELD_U16 && field[1] == FIELD_NAME_SHORT) {
		w->at += 2;
		field++;
	}
	for (; *field == FIELD_NAME_SHORT; field++) { // at most RDATA_FIELDS_MAX
		if (!name_take(w, end, false))
			return false;
		if (field[1] == FIELD_END && w->at != end)
			return false;
	}
	w->at = end;
	return true;
}

static bool records_take(struct walk *w, unsigned count)
{
	for (; count > 0; count--) {
		if (!name_take(w, w->size, true) || w->at + FIXED_RR > w->size)
			return false;

		const uint8_t *fixed = w->bytes + w->at;

		w->at += FIXED_RR;

		const unsigned end = w->at + rdata_get16(fixed + 8);

		if (end > w->size || !rdata_take(w, rdata_get16(fixed), end))
			return false;
	}
	return true;
}

// Where a byte behind a c0 is no pointer's that moves, or the other way round. Behind the last
// byte, too: what a c0 there is in front of is not the answer's.
static bool odd_find(const struct walk *w)
{
	struct moves *out = w->out;
	uint64_t before = 0; // the byte in front is a c0

	for (unsigned at = 0; at <= w->size; at += 64) {
		const uint64_t first = wide_bits(w->bytes + at, POINTER);
		uint64_t odd = (first << 1 | before) ^ w->moving[at / 64];

		before = first >> 63;
		if (w->size - at < 63)
			odd &= (UINT64_C(2) << (w->size - at)) - 1;
		for (; odd != 0; odd &= odd - 1) {
			if (out->odd_count == IMAGE_ODD_MAX)
				return false;
			out->odd[out->odd_count++] =
			    (uint16_t)(at + (unsigned)__builtin_ctzll(odd));
		}
	}
	return true;
}

bool moves_find(const struct image_answer *answer, const uint8_t *bytes, unsigned size,
    unsigned name_len, enum moves_for what, struct moves *out)
{
	struct walk w;

	w.bytes = bytes;
	w.size = size;
	w.at = 0;
	w.name_end = WRITER_QUESTION_AT + name_len;
	w.body_at = w.name_end + 4;
	w.what = what;
	w.out = out;
	memset(w.moving, 0, (size / 64 + 1) * sizeof w.moving[0]);
	out->head = 1;
	out->target_max = out->weight = out->reach = out->odd_count = 0;
	if (!records_take(&w, (unsigned)answer->ancount + answer->nscount))
		return false;
	out->proof_at = w.at;
	if (!records_take(&w, answer->arcount) || w.at != size)
		return false;
	if (what == MOVES_NONE || (out->weight == 0 && out->proof_at == size))
		return true;
	if (!odd_find(&w))
		return false;
	out->head += (unsigned)(sizeof(struct image_moves) + 2 * out->odd_count + 7) / 8;
	return true;
}

void moves_put(const struct moves *moves, void *at)
{
	struct image_moves *to = at;

	if (moves->head == 1)
		return;
	to->weight = (uint16_t)moves->weight;
	to->proof_at = (uint16_t)moves->proof_at;
	to->reach = (uint8_t)moves->reach;
	to->odd_count = (uint8_t)moves->odd_count;
	memcpy(to->odd, moves->odd, moves->odd_count * sizeof moves->odd[0]);
}
