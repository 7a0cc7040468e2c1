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

// A bit for each byte where a name may be pointed at: of the message, from the question's name on.
#define START_WORDS ((NAME_LEN_MAX + 4 + IMAGE_ANSWER_MAX) / 64 + 1)

struct walk {
	const uint8_t *bytes;
	unsigned size, body_at; // of the body, in the message
	enum moves_for what;
	unsigned target_max, reach;
	uint64_t moving[IMAGE_ANSWER_MAX / 64 + 1]; // a bit for each last byte
	uint64_t start[START_WORDS];
};

// What steps over something gives the place behind it. This is no such place.
#define NOWHERE UINT32_MAX

static inline __attribute__((always_inline)) void start_set(struct walk *w, unsigned in_message)
{
	const unsigned at = in_message - WRITER_QUESTION_AT;

	w->start[at / 64] |= UINT64_C(1) << at % 64;
}

static inline __attribute__((always_inline)) bool start_is(
    const struct walk *w, unsigned in_message)
{
	const unsigned at = in_message - WRITER_QUESTION_AT;

	return (w->start[at / 64] >> at % 64 & 1) != 0;
}

// The pointer that stands at `at`, in a name that begins at `begin`. It leads to a label of the
// question or of a name before this one.
static inline __attribute__((always_inline)) unsigned pointer_take(
    struct walk *w, unsigned at, unsigned begin, unsigned end, bool is_owner)
{
	const unsigned last = at + 1;

	if (last >= end)
		return NOWHERE;

	const unsigned first = w->bytes[at], second = w->bytes[last];
	const unsigned target = (first & ~POINTER) << 8 | second;
	const bool whole = target == WRITER_QUESTION_AT && is_owner && at == begin;

	if (!whole && (target - WRITER_QUESTION_AT >= w->body_at + begin - WRITER_QUESTION_AT ||
	                  !start_is(w, target)))
		return NOWHERE;
	if (target > w->target_max)
		w->target_max = target;
	if (w->what == MOVES_NONE || (w->what == MOVES_WILD && whole))
		return at + 2;
	if (first != POINTER)
		w->reach = UINT8_MAX;
	else if (second > w->reach)
		w->reach = second;
	w->moving[last / 64] |= UINT64_C(1) << last % 64;
	return at + 2;
}

// Steps over a name that ends in front of `end`.
static inline __attribute__((always_inline)) unsigned name_take(
    struct walk *w, unsigned at, unsigned end, bool is_owner)
{
	const unsigned begin = at;

	while (at < end) { // every step moves on
		const unsigned n = w->bytes[at];

		if (n >= POINTER)
			return pointer_take(w, at, begin, end, is_owner);
		if (n > NAME_LABEL_MAX)
			return NOWHERE;
		if (n == 0)
			return at + 1;
		start_set(w, w->body_at + at);
		at += n + 1;
	}
	return NOWHERE;
}

// The names of an rdata that may be compressed: they are its first fields, behind a number or not.
static inline __attribute__((always_inline)) bool rdata_take(
    struct walk *w, unsigned type, unsigned at, unsigned end)
{
	const uint8_t *field = rdata_layout((uint16_t)type)->fields;

	if (field[0] == FIELD_U16 && field[1] == FIELD_NAME_SHORT) {
		at += 2;
		field++;
	}
	for (; *field == FIELD_NAME_SHORT; field++) { // at most RDATA_FIELDS_MAX
		at = name_take(w, at, end, false);
		if (at == NOWHERE || (field[1] == FIELD_END && at != end))
			return false;
	}
	return true;
}

static inline __attribute__((always_inline)) unsigned records_take(
    struct walk *w, unsigned at, unsigned count)
{
	for (; count > 0; count--) {
		at = name_take(w, at, w->size, true);
		if (at == NOWHERE || at + FIXED_RR > w->size)
			return NOWHERE;

		const uint8_t *fixed = w->bytes + at;
		const unsigned end = at + FIXED_RR + rdata_get16(fixed + 8);

		if (end > w->size || !rdata_take(w, rdata_get16(fixed), at + FIXED_RR, end))
			return NOWHERE;
		at = end;
	}
	return at;
}

// Where a byte behind a c0 is no pointer's that moves, or the other way round. Behind the last
// byte, too: what a c0 there is in front of is not the answer's.
static bool odd_find(const struct walk *w, struct moves *out)
{
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

// By the byte that grows: in a little-endian word one at an odd offset counts 256, others 1.
static unsigned weight_of(const struct walk *w)
{
	unsigned even = 0, odd = 0; // as they begin

	for (unsigned i = 0; i <= w->size / 64; i++) {
		even += (unsigned)__builtin_popcountll(w->moving[i] & 0xaaaaaaaaaaaaaaaa);
		odd += (unsigned)__builtin_popcountll(w->moving[i] & 0x5555555555555555);
	}
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 256 * even + odd : even + 256 * odd;
}

// The first `n` bits, and one more. They are a few words: a call of memset(), which the compiler
// would make of it, takes longer.
static inline void bits_clear(uint64_t *words, unsigned n)
{
	for (unsigned i = 0; i <= n / 64; i++) {
		words[i] = 0;
		__asm__ volatile("");
	}
}

// The labels of the question that may be pointed at: behind the "*" of the name that the answer is
// compiled for all its questions are the same.
static void question_take(struct walk *w, const uint8_t *name, unsigned name_len)
{
	unsigned at = w->what == MOVES_WILD ? 1u + name[0] : 0;

	for (; at < name_len && name[at] != 0; at += 1u + name[at]) // every step moves on
		start_set(w, WRITER_QUESTION_AT + at);
}

bool moves_find(const struct image_answer *answer, const uint8_t *bytes, unsigned size,
    const uint8_t *name, unsigned name_len, enum moves_for what, struct moves *out)
{
	struct walk w;

	w.bytes = bytes;
	w.size = size;
	w.body_at = WRITER_QUESTION_AT + name_len + 4;
	w.what = what;
	w.target_max = w.reach = 0;
	bits_clear(w.moving, size);
	bits_clear(w.start, name_len + 4 + size);
	question_take(&w, name, name_len);

	const unsigned proof_at = records_take(&w, 0, (unsigned)answer->ancount + answer->nscount);

	if (proof_at == NOWHERE || records_take(&w, proof_at, answer->arcount) != size)
		return false;

	const unsigned weight = weight_of(&w);

	if (weight > UINT16_MAX)
		return false;
	out->head = 1;
	out->proof_at = proof_at;
	out->target_max = w.target_max;
	out->weight = weight;
	out->reach = w.reach;
	out->odd_count = 0;
	if (what == MOVES_NONE || (weight == 0 && proof_at == size))
		return true;
	if (!odd_find(&w, out))
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

bool moves_equal(const struct moves *moves, const void *at)
{
	const struct image_moves *is = at;
	unsigned i = 0;

	if (moves->head == 1)
		return true;
	if (is->weight != moves->weight || is->proof_at != moves->proof_at ||
	    is->reach != moves->reach || is->odd_count != moves->odd_count)
		return false;
	for (; i < moves->odd_count; i++) {
		if (is->odd[i] != moves->odd[i])
			return false;
	}
	for (; sizeof(*is) + 2 * i < 8 * (moves->head - 1u); i++) {
		if (is->odd[i] != 0)
			return false;
	}
	return true;
}
