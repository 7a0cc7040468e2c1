// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A name made ready for look-ups: lower case, the start of each suffix, and the keyed hash of each
// suffix, all in one pass from the root to the left. Pure; any thread.
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "name.h"

// The index's hash key: random, one per node and kept by the control plane, so that one hash of a
// question serves every zone; content of a zone cannot choose collisions.
struct hash_key {
	uint64_t k[2];
};

struct qname {
	uint8_t len;    // bytes, root included
	uint8_t labels; // without the root
	uint8_t hashed; // hash[0 .. hashed] are there
	// Indexed by a number of labels n, 0 (the root) to `labels`:
	uint8_t start[NAME_LABELS_MAX + 1];   // where the suffix with n labels begins in lower[]
	uint64_t hash[NAME_LABELS_MAX + 1];   // its hash under the key of qname_hash()
	uint8_t lower[NAME_LEN_MAX + 1 + 64]; // lower case; 64 bytes past the end may be read
};

// --- how it is made: inline, for the one question that every query has
// -----------------------------------------------------------------------------
//
// The hash of a name is built label by label from the root to the left, so that one pass gives the
// hash of every suffix. A label enters as 8-byte words, each folded in by a 64x64->128 bit product
// with both halves combined; both key words are secret, so content cannot choose collisions.

#define QNAME_MIX_A 0x9e3779b97f4a7c15ULL

static inline uint64_t qname_fold(uint64_t a, uint64_t b)
{
#ifdef __x86_64__
	uint64_t upper;

	// The compiler would take the product through memory.
	__asm__("mulq %2" : "+a"(a), "=d"(upper) : "rm"(b) : "cc");
	return a ^ upper;
#else
	const __uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#endif
}

// Where in a table a hash stands: its bits are not all as good. Of names that are counted through
// (h00001, h00002, ...) the upper and the lower ones go on in even steps, which for one key in some
// hundreds are such that they come together.
static inline uint32_t qname_place(uint64_t hash)
{
	return (uint32_t)(hash * QNAME_MIX_A >> 32);
}

// By a label's length: what it puts into the hash.
extern const uint64_t qname_len_hash[NAME_LABEL_MAX + 1];

// The last `left` bytes of a label, 1 to 8, which begin at `at`.
static inline uint64_t qname_word_hash(
    uint64_t h, const uint8_t *at, unsigned left, const struct hash_key *key)
{
	uint64_t word;

	memcpy(&word, at, 8);
#ifdef __BMI2__
	word = __builtin_ia32_bzhi_di(word, 8 * left);
#else
	word &= ~UINT64_C(0) >> (64 - 8 * left);
#endif
	return qname_fold(word ^ key->k[1], h);
}

// `label` points at the length byte; 64 bytes past the label may be read.
static inline uint64_t qname_label_hash(
    uint64_t h, const uint8_t *label, const struct hash_key *key)
{
	unsigned left = *label++;
	uint64_t word;

	h ^= qname_len_hash[left];
	for (; left > 8; left -= 8, label += 8) {
		// So that the compiler does not count ahead, for which it would take registers.
		__asm__("" : "+r"(left));
		memcpy(&word, label, 8);
		h = qname_fold(word ^ key->k[1], h) ^ QNAME_MIX_A;
	}
	return qname_word_hash(h, label, left, key);
}

#define QNAME_FEW 16 // bytes of nearly all labels

// The same; by which way it comes out does not depend on a length of at most QNAME_FEW: where names
// of all lengths come in turn, a branch that goes by it costs more than the product that is not
// wanted.
static inline uint64_t qname_label_hash_few(
    uint64_t h, const uint8_t *label, const struct hash_key *key)
{
	const unsigned left = *label;

	if (__builtin_expect(left > QNAME_FEW, 0))
		return qname_label_hash(h, label, key);

	const unsigned skip = (left - 1) & 8; // before the last word
	uint64_t word, first;

	h ^= qname_len_hash[left];
	memcpy(&word, label + 1, 8);
	first = qname_fold(word ^ key->k[1], h) ^ QNAME_MIX_A;
	// So that the compiler makes no branch of the choice.
	__asm__("" : "+r"(first));
	h = skip != 0 ? first : h;
	return qname_word_hash(h, label + 1 + skip, left - skip, key);
}

// 32 times each: what makes 'Z' the largest signed byte, the one below 'A' then, the bit of lower
// case.
extern const uint8_t qname_lower_lanes[96];

// 32 bytes in lower case, into *to. 'A' to 'Z' are the 26 bytes that the first addition makes the
// largest.
typedef uint8_t qname_lanes __attribute__((vector_size(32), aligned(1), may_alias));
static inline void qname_lower32(const uint8_t *at, qname_lanes *to)
{
	typedef int8_t numbers __attribute__((vector_size(32)));
	const qname_lanes *k = (const qname_lanes *)qname_lower_lanes;

	// So that the compiler takes them from memory, where it would make them anew each time.
	__asm__("" : "+r"(k));
	const qname_lanes v = *(const qname_lanes *)at;
	const qname_lanes upper = (qname_lanes)((numbers)(v + k[0]) > (numbers)k[1]);
	*to = v | (upper & k[2]);
}

// Fills lower from len bytes at `wire`; as many as NAME_LEN_MAX + 1 may be read. Whole words
// straight from the message: a copy through memory first would stall the loads behind it.
static inline void qname_lower(struct qname *q, const uint8_t *wire)
{
	qname_lower32(wire, (qname_lanes *)q->lower);
	for (unsigned i = 32; i < q->len; i += 32)
		qname_lower32(wire + i, (qname_lanes *)(q->lower + i));
}

// True when wire[0 .. len) in lower case is what `lower` holds. Pre: 0 < len <= 64; 64 bytes of
// either may be read. Not by way of qname.lower: what was just stored there in other pieces would
// stall.
#define QNAME_SAME_MAX 64
static inline bool qname_same(const uint8_t *wire, const uint8_t *lower, unsigned len)
{
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
	uint8_t own[QNAME_SAME_MAX];

	qname_lower32(wire, (qname_lanes *)own);
	qname_lower32(wire + 32, (qname_lanes *)(own + 32));
	return memcmp(own, lower, len) == 0;
#else
	typedef char lanes __attribute__((vector_size(32)));
	qname_lanes own;
	lanes same;

	qname_lower32(wire, &own);
	same = (lanes)(own == *(const qname_lanes *)lower);
	if (len > 32) {
		if (__builtin_ia32_pmovmskb256(same) != -1)
			return false;
		qname_lower32(wire + 32, &own);
		same = (lanes)(own == *(const qname_lanes *)(lower + 32));
	}
	return ~(uint32_t)__builtin_ia32_pmovmskb256(same) << (-len & 31) == 0;
#endif
}

// --- for all

// True when the last `labels` labels of q are `name`: lower case, `len` bytes.
static inline bool qname_ends_in(
    const struct qname *q, unsigned labels, const uint8_t *name, unsigned len)
{
	return q->labels >= labels && q->len - q->start[labels] == (int)len &&
	       memcmp(q->lower + q->start[labels], name, len) == 0;
}

// Reads the uncompressed name at wire[0 .. avail). Fills lower, len, labels, start; not the hashes.
// Bytes up to wire[room) may be read, though none behind the name counts. Pre: room >= avail.
// Post: its length, or 0 when malformed.
size_t qname_parse(struct qname *q, const uint8_t *wire, size_t avail, size_t room)
    __attribute__((warn_unused_result));

// No hash is there yet, but that of the root. Pre: qname_parse() was not 0.
static inline void qname_hash_start(struct qname *q, const struct hash_key *key)
{
	q->hash[0] = key->k[0];
	q->hashed = 0;
}

// hash[from + 1 .. to], from hash[from].
static inline void qname_hash_on(
    struct qname *q, const struct hash_key *key, unsigned from, unsigned to)
{
	uint64_t h = q->hash[from];

	for (unsigned n = from + 1; n <= to; n++) { // at most one step a label
		h = qname_label_hash(h, q->lower + q->start[n], key);
		q->hash[n] = h;
	}
}

// Makes hash[0 .. n] be there: a long name below a delegation costs no more than its last labels.
// Pre: n <= labels; the key is that of qname_hash_start().
static inline void qname_hash_to(struct qname *q, const struct hash_key *key, unsigned n)
{
	if (n > q->hashed) {
		qname_hash_on(q, key, q->hashed, n);
		q->hashed = (uint8_t)n;
	}
}

// Both, for the whole name.
void qname_hash(struct qname *q, const struct hash_key *key);

// The hash of the name made of one more label in front of a name whose hash is `parent`. `label` is
// lower case; 64 bytes past it may be read.
uint64_t qname_hash_child(uint64_t parent, const uint8_t *label, const struct hash_key *key);

// The hash of one name. Pre: well formed; any case.
uint64_t name_hash(const uint8_t *name, const struct hash_key *key);
