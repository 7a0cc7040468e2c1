// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Measures one field of an rdata and refuses it where it is malformed. Everything that reads rdata
// from outside goes through here first; all sums are done in size_t, so that no 16-bit length
// wraps.

#include "rdata_field.h"

#include <errno.h>

#include "name.h"

// Fixed size, or everything that is left when at least `min` bytes are.
static int take(size_t want, size_t left)
{
	return left >= want ? (int)want : -EINVAL;
}

static int take_rest(size_t min, size_t left)
{
	return left >= min ? (int)left : -EINVAL;
}

static int take_name(const uint8_t *p, size_t left)
{
	size_t len = name_len_checked(p, left);

	return len > 0 ? (int)len : -EINVAL;
}

// A length byte and what it promises.
static int take_string(const uint8_t *p, size_t left, size_t min)
{
	if (left < 1 || p[0] < min || left - 1 < p[0])
		return -EINVAL;
	return 1 + p[0];
}

// TXT and its likes hold at least one string; a record without any is refused as the peers do.
static int take_strings(const uint8_t *p, size_t left)
{
	size_t pos = 0;

	do {
		int len = take_string(p + pos, left - pos, 0);

		if (len < 0)
			return len;
		pos += (size_t)len;
	} while (pos < left);
	return (int)pos;
}

static int take_tag(const uint8_t *p, size_t left)
{
	int len = take_string(p, left, 1);

	for (int i = 1; i < len; i++) {
		bool letter = (p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z';

		if (!letter && (p[i] < '0' || p[i] > '9'))
			return -EINVAL;
	}
	return len;
}

bool rdata_bitmap_valid(const uint8_t *map, size_t len)
{
	int window_before = -1;

	for (size_t pos = 0; pos < len;) {
		if (len - pos < 3)
			return false;

		unsigned window = map[pos], bytes = map[pos + 1];

		if ((int)window <= window_before || bytes < 1 || bytes > 32 ||
		    len - pos - 2 < bytes)
			return false;
		if (map[pos + 1 + bytes] == 0)
			return false;
		window_before = (int)window;
		pos += 2 + bytes;
	}
	return true;
}

// RFC 2535 5.2: types 1 to 127 as one run of bits; bit 0 would announce another format.
static int take_bitmap_nxt(const uint8_t *p, size_t left)
{
	if (left < 1 || left > 16 || (p[0] & 0x80) != 0 || p[left - 1] == 0)
		return -EINVAL;
	return (int)left;
}

static bool apl_item_valid(unsigned family, unsigned prefix, const uint8_t *address, unsigned len)
{
	// RFC 3123 4: trailing zero bytes are not sent.
	if (len > 0 && address[len - 1] == 0)
		return false;
	if (family == 1)
		return len <= 4 && prefix <= 32;
	if (family == 2)
		return len <= 16 && prefix <= 128;
	return true;
}

static int take_apl(const uint8_t *p, size_t left)
{
	for (size_t pos = 0; pos < left;) {
		if (left - pos < 4)
			return -EINVAL;

		unsigned len = p[pos + 3] & 0x7f;

		if (left - pos - 4 < len ||
		    !apl_item_valid(rdata_get16(p + pos), p[pos + 2], p + pos + 4, len))
			return -EINVAL;
		pos += 4 + len;
	}
	return (int)left;
}

// The gateway of an IPSECKEY or the relay of an AMTRELAY by its type; an unknown type takes all.
static int take_gateway(unsigned gateway_type, const uint8_t *p, size_t left)
{
	switch (gateway_type) {
	case 0:
		return 0;
	case 1:
		return take(4, left);
	case 2:
		return take(16, left);
	case 3:
		return take_name(p, left);
	default:
		return take_rest(0, left);
	}
}

static int after(size_t before, int len)
{
	return len < 0 ? len : (int)before + len;
}

static int take_hip(const uint8_t *p, size_t left)
{
	if (left < 4)
		return -EINVAL;

	size_t tag_len = p[0], key_len = rdata_get16(p + 2);
	size_t pos = 4 + tag_len + key_len;

	if (tag_len == 0 || key_len == 0 || pos > left)
		return -EINVAL;
	while (pos < left) {
		int len = take_name(p + pos, left - pos);

		if (len < 0)
			return len;
		pos += (size_t)len;
	}
	return (int)pos;
}

static int take_a6(const uint8_t *p, size_t left)
{
	if (left < 1 || p[0] > 128)
		return -EINVAL;

	size_t pos = 1 + (128u - p[0] + 7) / 8;

	if (pos > left)
		return -EINVAL;
	return p[0] == 0 ? (int)pos : after(pos, take_name(p + pos, left - pos));
}

int rdata_field_len(enum rdata_kind kind, const uint8_t *rdata, size_t len, size_t pos)
{
	const uint8_t *p = pos > 0 ? rdata + pos : rdata; // empty rdata may be NULL
	size_t left = len - pos;

	switch (kind) {
	case FIELD_END:
		return 0;
	case FIELD_U8:
	case FIELD_ALGORITHM:
		return take(1, left);
	case FIELD_U16:
	case FIELD_TYPE:
	case FIELD_CERT_TYPE:
		return take(2, left);
	case FIELD_U32:
	case FIELD_PERIOD:
	case FIELD_TIME:
	case FIELD_A:
		return take(4, left);
	case FIELD_EUI48:
		return take(6, left);
	case FIELD_EUI64:
	case FIELD_ILNP64:
		return take(8, left);
	case FIELD_AAAA:
		return take(16, left);
	case FIELD_NAME_SHORT:
	case FIELD_NAME_OLD:
	case FIELD_NAME_LOWER:
	case FIELD_NAME:
		return take_name(p, left);
	case FIELD_STRING_OPT:
		if (left == 0)
			return 0;
		// fallthrough
	case FIELD_STRING:
	case FIELD_HEX8:
		return take_string(p, left, 0);
	case FIELD_HASH:
		return take_string(p, left, 1);
	case FIELD_STRINGS:
		return take_strings(p, left);
	case FIELD_TAG:
		return take_tag(p, left);
	case FIELD_OPAQUE:
	case FIELD_TEXT:
	case FIELD_HEX_OPT:
	case FIELD_BASE64_OPT:
	case FIELD_BASE64_DASH:
		return take_rest(0, left);
	case FIELD_HEX:
	case FIELD_BASE64:
	case FIELD_NSAP:
		return take_rest(1, left);
	case FIELD_BITMAP:
		return left > 0 && rdata_bitmap_valid(p, left) ? (int)left : -EINVAL;
	case FIELD_BITMAP_OPT:
		return rdata_bitmap_valid(p, left) ? (int)left : -EINVAL;
	case FIELD_BITMAP_NXT:
		return take_bitmap_nxt(p, left);
	case FIELD_LOC:
		// Another version has another layout (RFC 1876 2) and stays opaque.
		return left >= 1 && p[0] != 0 ? (int)left : take(16, left);
	case FIELD_APL:
		return take_apl(p, left);
	case FIELD_WKS:
		return left >= 1 && left <= 1 + 65536 / 8 ? (int)left : -EINVAL;
	case FIELD_SVC_PARAMS:
		return svcb_valid(p, left) ? (int)left : -EINVAL;
	case FIELD_GATEWAY:
		return left < 2 ? -EINVAL : after(2, take_gateway(p[0], p + 2, left - 2));
	case FIELD_RELAY:
		return left < 1 ? -EINVAL : after(1, take_gateway(p[0] & 0x7f, p + 1, left - 1));
	case FIELD_HIP:
		return take_hip(p, left);
	case FIELD_A6:
		return take_a6(p, left);
	}
	return -EINVAL;
}
