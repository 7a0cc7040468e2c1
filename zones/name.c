// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Domain names in wire form. Called by every layer on any thread. Case is folded eight bytes at a
// time; no load ever reaches past the last byte of a name, so names may end at the edge of a
// mapping.

#include "name.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define ONES 0x0101010101010101u

static inline uint64_t load8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

// Folds the ASCII capitals among eight bytes: the top bit of each byte of `upper` tells A..Z, and a
// quarter of it is the 0x20 that makes the letter small.
static inline uint64_t lower8(uint64_t v)
{
	uint64_t low7 = v & (ONES * 0x7f);
	uint64_t from_a = low7 + ONES * (0x80 - 'A');
	uint64_t past_z = low7 + ONES * (0x7f - 'Z');
	uint64_t upper = (from_a ^ past_z) & ~v & (ONES * 0x80);

	return v | upper >> 2;
}

static inline uint8_t lower1(uint8_t c)
{
	return (unsigned)c - 'A' < 26 ? c | 0x20 : c;
}

static inline uint64_t lower8_at(const uint8_t *p)
{
	return lower8(load8(p));
}

size_t name_len_checked(const uint8_t *wire, size_t avail)
{
	size_t pos = 0;

	if (avail > NAME_LEN_MAX)
		avail = NAME_LEN_MAX;
	while (pos < avail) {
		uint8_t label_len = wire[pos];

		if (label_len == 0)
			return pos + 1;
		if (label_len > NAME_LABEL_MAX)
			return 0;
		pos += 1u + label_len;
	}
	return 0;
}

size_t name_len(const uint8_t *name)
{
	const uint8_t *p = name;

	while (*p != 0)
		p += 1 + *p;
	return (size_t)(p - name) + 1;
}

unsigned name_labels(const uint8_t *name)
{
	unsigned n = 0;

	for (; *name != 0; name += 1 + *name)
		n++;
	return n;
}

const uint8_t *name_parent(const uint8_t *name)
{
	return name + 1 + *name;
}

const uint8_t *name_suffix(const uint8_t *name, unsigned n)
{
	for (unsigned drop = name_labels(name) - n; drop > 0; drop--)
		name = name_parent(name);
	return name;
}

void name_lower(uint8_t *dst, const uint8_t *src, size_t len)
{
	for (; len >= 8; len -= 8, src += 8, dst += 8) {
		uint64_t v = lower8_at(src);

		memcpy(dst, &v, sizeof(v));
	}
	for (; len > 0; len--)
		*dst++ = lower1(*src++);
}

// Equality of `len` bytes without regard to case. The tail is read again together with bytes
// already compared, which is cheaper than a loop over single bytes.
static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (len >= 8) {
		size_t i = 0;

		for (; i + 8 <= len; i += 8)
			if (lower8_at(a + i) != lower8_at(b + i))
				return false;
		return lower8_at(a + len - 8) == lower8_at(b + len - 8);
	}
	if (len >= 4) {
		uint64_t va = (uint64_t)load4(a) << 32 | load4(a + len - 4);
		uint64_t vb = (uint64_t)load4(b) << 32 | load4(b + len - 4);

		return lower8(va) == lower8(vb);
	}
	for (size_t i = 0; i < len; i++)
		if (lower1(a[i]) != lower1(b[i]))
			return false;
	return true;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
	// Equal label lengths make both names end at the same place, so `b` is never read too far.
	while (*a == *b) {
		size_t label_len = *a;

		if (label_len == 0)
			return true;
		// The length byte is compared a second time: it makes short labels fit the wide
		// path.
		if (!bytes_equal(a, b, 1 + label_len))
			return false;
		a += 1 + label_len;
		b += 1 + label_len;
	}
	return false;
}

static inline uint64_t ordered8(const uint8_t *p)
{
	return be64toh(lower8_at(p));
}

// Two labels without their length bytes, as RFC 4034 6.1 orders them. As in bytes_equal() the tail
// is read together with bytes already found equal, which decide nothing.
static inline int label_compare(const uint8_t *a, const uint8_t *b)
{
	const size_t len_a = *a++, len_b = *b++;
	const size_t len = len_a < len_b ? len_a : len_b;
	uint64_t va = 0, vb = 0;

	if (len >= 8) {
		for (size_t i = 0; i + 8 < len && va == vb; i += 8) {
			va = ordered8(a + i);
			vb = ordered8(b + i);
		}
		if (va == vb) {
			va = ordered8(a + len - 8);
			vb = ordered8(b + len - 8);
		}
	} else if (len >= 4) {
		va = lower8((uint64_t)be32toh(load4(a)) << 32 | be32toh(load4(a + len - 4)));
		vb = lower8((uint64_t)be32toh(load4(b)) << 32 | be32toh(load4(b + len - 4)));
	} else {
		for (size_t i = 0; i < len; i++) {
			va = va << 8 | lower1(a[i]);
			vb = vb << 8 | lower1(b[i]);
		}
	}
	if (va != vb)
		return va < vb ? -1 : 1;
	return (int)len_a - (int)len_b;
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t at_a[NAME_LABELS_MAX + 1], at_b[NAME_LABELS_MAX + 1];
	unsigned n_a = 0, n_b = 0, end_a = 0, end_b = 0;

	for (; a[end_a] != 0; end_a += 1u + a[end_a])
		at_a[n_a++] = (uint8_t)end_a;
	for (; b[end_b] != 0; end_b += 1u + b[end_b])
		at_b[n_b++] = (uint8_t)end_b;
	// Siblings, mostly: behind the first label the very same bytes.
	if (n_a > 1 && n_b > 1 && end_a - at_a[1] == end_b - at_b[1] &&
	    memcmp(a + at_a[1], b + at_b[1], end_a - at_a[1]) == 0)
		return label_compare(a, b);
	while (n_a > 0 && n_b > 0) {
		int diff = label_compare(a + at_a[--n_a], b + at_b[--n_b]);

		if (diff != 0)
			return diff;
	}
	return (int)n_a - (int)n_b;
}

bool name_is_under(const uint8_t *name, const uint8_t *ancestor)
{
	unsigned n = name_labels(name), n_ancestor = name_labels(ancestor);

	if (n < n_ancestor)
		return false;
	for (; n > n_ancestor; n--)
		name = name_parent(name);
	return name_equal(name, ancestor);
}

bool name_is_wildcard(const uint8_t *name)
{
	return name[0] == 1 && name[1] == '*';
}

// Reads \X or \DDD at text[*pos] == '\\'. Post: the byte and *pos behind it, or -EINVAL.
static int escape_read(const char *text, size_t len, size_t *pos)
{
	size_t i = *pos + 1;

	if (i >= len)
		return -EINVAL;
	if (text[i] < '0' || text[i] > '9') {
		*pos = i + 1;
		return (uint8_t)text[i];
	}
	if (len - i < 3)
		return -EINVAL;

	unsigned value = 0;

	for (unsigned k = 0; k < 3; k++, i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*pos = i;
	return value <= 255 ? (int)value : -EINVAL;
}

int name_from_text(const char *text, size_t len, const uint8_t *origin, uint8_t out[NAME_LEN_MAX])
{
	size_t at = 0;      // where the current label's length byte goes
	size_t end = 1;     // where the next byte of the label goes
	bool closed = true; // nothing since the last dot

	if (len == 0)
		return -EINVAL;
	if (len == 1 && text[0] == '.') {
		out[0] = 0;
		return 1;
	}
	for (size_t pos = 0; pos < len;) {
		int c = (uint8_t)text[pos];

		if (c == '.') {
			if (closed)
				return -EINVAL;
			out[at] = (uint8_t)(end - at - 1);
			at = end++;
			closed = true;
			pos++;
			continue;
		}
		if (c == '\\') {
			c = escape_read(text, len, &pos);
			if (c < 0)
				return c;
		} else {
			pos++;
		}
		if (end - at > NAME_LABEL_MAX)
			return -EINVAL;
		// One byte stays free for the root.
		if (end >= NAME_LEN_MAX - 1)
			return -ENAMETOOLONG;
		out[end++] = (uint8_t)c;
		closed = false;
	}
	if (closed) {
		out[at] = 0;
		return (int)at + 1;
	}
	out[at] = (uint8_t)(end - at - 1);
	if (origin == NULL) {
		out[end] = 0;
		return (int)end + 1;
	}

	size_t origin_len = name_len(origin);

	if (end + origin_len > NAME_LEN_MAX)
		return -ENAMETOOLONG;
	memcpy(out + end, origin, origin_len);
	return (int)(end + origin_len);
}

size_t name_to_text(const uint8_t *name, char *out)
{
	char *p = out;

	if (*name == 0)
		*p++ = '.';
	while (*name != 0) {
		for (unsigned left = *name++; left > 0; left--) {
			uint8_t c = *name++;

			if (c <= ' ' || c >= 0x7f) {
				*p++ = '\\';
				*p++ = (char)('0' + c / 100);
				*p++ = (char)('0' + c / 10 % 10);
				*p++ = (char)('0' + c % 10);
				continue;
			}
			// The marks that zone text gives a meaning: what dig and named escape.
			if (memchr(".\\\"$@;()", c, 8) != NULL)
				*p++ = '\\';
			*p++ = (char)c;
		}
		*p++ = '.';
	}
	*p = '\0';
	return (size_t)(p - out);
}

// No name begins within the header, whatever its bytes may look like: the id is anybody's choice.
#define MESSAGE_HEADER_LEN 12

int name_from_wire(const uint8_t *msg, size_t msg_len, size_t pos, size_t end,
    uint8_t out[NAME_LEN_MAX], size_t *out_len)
{
	size_t start = pos, piece = pos, len = 0, limit = end;
	int taken = 0;

	for (;;) {
		if (pos >= limit)
			return -EINVAL;

		uint8_t c = msg[pos];

		if (c >= 0xc0) {
			if (limit - pos < 2)
				return -EINVAL;

			size_t target = (size_t)(c & 0x3f) << 8 | msg[pos + 1];

			if (target >= piece || target < MESSAGE_HEADER_LEN)
				return -EINVAL;
			if (taken == 0)
				taken = (int)(pos + 2 - start);
			pos = piece = target;
			limit = msg_len;
			continue;
		}
		if (c > NAME_LABEL_MAX || limit - pos < 1u + c || len + 1 + c > NAME_LEN_MAX)
			return -EINVAL;
		memcpy(out + len, msg + pos, 1u + c);
		len += 1u + c;
		pos += 1u + c;
		if (c == 0)
			break;
	}
	*out_len = len;
	return taken > 0 ? taken : (int)(pos - start);
}
