// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See order_key.h. Called by the compiler for each NSEC owner and by the reader once a denial.

#include "order_key.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "name.h"

#define KEY_BYTES 8

struct key {
	uint64_t bits;
	unsigned count; // bytes in it
};

static void key_put(struct key *key, uint8_t byte)
{
	if (key->count < KEY_BYTES)
		key->bits = key->bits << 8 | byte;
	key->count += key->count < KEY_BYTES;
}

static inline unsigned labels_find(const uint8_t *name, uint8_t start[NAME_LABELS_MAX])
{
	unsigned labels = 0;

	for (unsigned at = 0; name[at] != 0; at += name[at] + 1u) // at most NAME_LABELS_MAX
		start[labels++] = (uint8_t)at;
	return labels;
}

// True when no byte of `word` is 0 or 1 (exactly where it is so: a borrow comes of such a byte
// only).
static bool has_no_low(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101;

	return ((word - 2 * ones) & ~word & 0x80 * ones) == 0;
}

uint64_t name_order_key_lower(const uint8_t *name, unsigned apex_labels)
{
	uint8_t start[NAME_LABELS_MAX];
	const unsigned labels = labels_find(name, start);

	return name_order_key_labels(name, start, labels - apex_labels, apex_labels);
}

uint64_t name_order_key_labels(
    const uint8_t *name, const uint8_t *start, unsigned labels, unsigned apex_labels)
{
	uint64_t bits = 0;
	unsigned count = 0;

	// A label gives at least two bytes: at most four are looked at.
	for (unsigned n = labels; n > 0 && count < KEY_BYTES; n--) {
		const uint8_t *label = name + start[n - 1];
		const unsigned len = label[0];
		const uint64_t unused = len < KEY_BYTES ? ~UINT64_C(0) >> 8 * len : 0;
		uint64_t word;

		memcpy(&word, label + 1, sizeof word);
		word = be64toh(word);
		if (!has_no_low(word | unused))
			return name_order_key(name, apex_labels);
		bits |= (word & ~unused) >> 8 * count;
		count += len + 1;
	}
	return bits;
}

uint64_t name_order_key(const uint8_t *name, unsigned apex_labels)
{
	uint8_t start[NAME_LABELS_MAX];
	struct key key = {0};
	const unsigned labels = labels_find(name, start);

	// A label gives at least two bytes: at most four are looked at.
	for (unsigned n = labels - apex_labels; n > 0 && key.count < KEY_BYTES; n--) {
		const uint8_t *label = name + start[n - 1];
		for (unsigned i = 1; i <= label[0] && key.count < KEY_BYTES; i++) {
			const uint8_t c = label[i];
			if (c <= 1)
				key_put(&key, 1);
			key_put(&key, c <= 1 ? c + 1 : c >= 'A' && c <= 'Z' ? c | 0x20 : c);
		}
		key_put(&key, 0);
	}
	for (; key.count < KEY_BYTES; key.count++)
		key.bits <<= 8;
	return key.bits;
}
