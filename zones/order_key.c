// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See order_key.h. Called by the compiler for each NSEC owner and by the reader once a denial.

#include "order_key.h"

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

uint64_t name_order_key(const uint8_t *name, unsigned apex_labels)
{
	uint8_t start[NAME_LABELS_MAX];
	struct key key = {0};
	unsigned labels = 0;

	for (unsigned at = 0; name[at] != 0; at += name[at] + 1u)
		start[labels++] = (uint8_t)at;
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
