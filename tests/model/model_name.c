// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Names; see model_name.h.
#include "model_name.h"

#include <openssl/sha.h>
#include <string.h>

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

size_t mname_len(const uint8_t *name)
{
	size_t at = 0;

	while (name[at] != 0)
		at += name[at] + 1u;
	return at + 1;
}

unsigned mname_labels(const uint8_t *name)
{
	unsigned n = 0;

	for (; *name != 0; name += *name + 1)
		n++;
	return n;
}

const uint8_t *mname_suffix(const uint8_t *name, unsigned n)
{
	for (unsigned have = mname_labels(name); have > n; have--)
		name += *name + 1;
	return name;
}

bool mname_equal(const uint8_t *a, const uint8_t *b)
{
	// A length byte is below 64 and so is no letter: the whole name can be folded.
	for (size_t i = 0, label_end = 0;; i++) {
		if (fold(a[i]) != fold(b[i]))
			return false;
		if (i == label_end) {
			if (a[i] == 0)
				return true;
			label_end += a[i] + 1u;
		}
	}
}

bool mname_under(const uint8_t *name, const uint8_t *ancestor)
{
	const unsigned n = mname_labels(ancestor);

	return mname_labels(name) >= n && mname_equal(mname_suffix(name, n), ancestor);
}

// Labels as left-justified strings of unsigned bytes, absence before the zero byte.
static int label_order(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 1; i <= a[0] && i <= b[0]; i++) {
		if (fold(a[i]) != fold(b[i]))
			return fold(a[i]) < fold(b[i]) ? -1 : 1;
	}
	return a[0] == b[0] ? 0 : a[0] < b[0] ? -1 : 1;
}

int mname_order(const uint8_t *a, const uint8_t *b)
{
	const unsigned a_labels = mname_labels(a), b_labels = mname_labels(b);

	for (unsigned n = 1; n <= a_labels && n <= b_labels; n++) {
		const int order = label_order(mname_suffix(a, n), mname_suffix(b, n));
		if (order != 0)
			return order;
	}
	return a_labels == b_labels ? 0 : a_labels < b_labels ? -1 : 1;
}

bool mname_is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

bool mname_child(const uint8_t *label, size_t label_len, const uint8_t *rest, uint8_t *out)
{
	const size_t rest_len = mname_len(rest);

	if (1 + label_len + rest_len > MODEL_NAME_MAX)
		return false;
	memmove(out + 1 + label_len, rest, rest_len);
	out[0] = (uint8_t)label_len;
	memcpy(out + 1, label, label_len);
	return true;
}

void mname_lower(const uint8_t *name, uint8_t *out)
{
	const size_t len = mname_len(name);

	for (size_t i = 0; i < len; i++)
		out[i] = fold(name[i]);
}

void mname_nsec3(const uint8_t *name, const uint8_t *salt, size_t salt_len, unsigned iterations,
    uint8_t hash[20])
{
	uint8_t in[MODEL_NAME_MAX + 255];
	size_t len = mname_len(name);

	mname_lower(name, in);
	memcpy(in + len, salt, salt_len);
	SHA1(in, len + salt_len, hash);
	for (unsigned i = 0; i < iterations; i++) {
		memcpy(in, hash, 20);
		memcpy(in + 20, salt, salt_len);
		SHA1(in, 20 + salt_len, hash);
	}
}

void mname_base32(const uint8_t hash[20], uint8_t out[32])
{
	for (unsigned i = 0; i < 32; i++) {
		unsigned value = 0;

		for (unsigned bit = 5 * i; bit < 5 * i + 5; bit++)
			value = value << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1u);
		out[i] = (uint8_t) "0123456789abcdefghijklmnopqrstuv"[value];
	}
}
