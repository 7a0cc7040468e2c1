// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A well-formed query out of a few of the fuzzer's bytes; see question.h.

#include "question.h"

#include "name.h"
#include "rrtype.h"
#include "zoo.h"

enum {
	ASK_EDNS = 0x01,
	ASK_DO = 0x02,
	ASK_BEFORE = 0x04, // one or more labels before the name
	ASK_RAW_TYPE = 0x08,
	ASK_CHAOS = 0x10,
	ASK_PARENT = 0x20, // the name without its first label
	ASK_CASE = 0x40,
	ASK_TAIL = 0x80, // what is left goes behind the message, uncounted
};

static const uint16_t types[] = {RRTYPE_A, RRTYPE_NS, RRTYPE_CNAME, RRTYPE_SOA, RRTYPE_MX,
    RRTYPE_TXT, RRTYPE_AAAA, RRTYPE_SRV, RRTYPE_NAPTR, RRTYPE_DNAME, RRTYPE_DS, RRTYPE_RRSIG,
    RRTYPE_NSEC, RRTYPE_DNSKEY, RRTYPE_NSEC3, RRTYPE_NSEC3PARAM, RRTYPE_SVCB, RRTYPE_HTTPS,
    RRTYPE_CAA, RRTYPE_ANY, RRTYPE_AXFR, RRTYPE_IXFR, 65280};

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

// Labels out of the fuzzer's bytes, then `name`. Post: the length.
static size_t name_put(struct cursor *c, uint8_t *out, const uint8_t *name, unsigned flags)
{
	size_t len = 0, name_bytes;

	if ((flags & ASK_PARENT) != 0 && name[0] != 0)
		name = name_parent(name);
	name_bytes = name_len(name);
	for (unsigned left = (flags & ASK_BEFORE) != 0 ? 1 + cursor_u8(c) % 127u : 0; left > 0;
	     left--) {
		size_t label = 1 + cursor_u8(c) % 63u;

		if (len + 1 + label + name_bytes > NAME_LEN_MAX)
			break;
		out[len] = (uint8_t)label;
		memset(out + len + 1, 'x', label);
		cursor_bytes(c, out + len + 1, label < 4 ? label : 4);
		len += 1 + label;
	}
	memcpy(out + len, name, name_bytes);
	len += name_bytes;
	if ((flags & ASK_CASE) != 0) {
		for (size_t i = 0; i < len; i += 3) {
			if ((out[i] >= 'a' && out[i] <= 'z') || (out[i] >= 'A' && out[i] <= 'Z'))
				out[i] ^= 0x20;
		}
	}
	return len;
}

static const uint8_t *name_choose(const struct image *image, unsigned index)
{
	if (image == NULL)
		return zoo_name(index % zoo_name_count());
	return zoo_node(image, index)->name;
}

size_t question_make(struct cursor *c, const struct image *image, uint8_t out[QUESTION_MAX])
{
	const unsigned flags = cursor_u8(c), header = cursor_u8(c);
	const uint8_t *name = name_choose(image, cursor_u16(c));
	const unsigned type = (flags & ASK_RAW_TYPE) != 0
	                          ? cursor_u16(c)
	                          : types[cursor_u8(c) % (sizeof(types) / sizeof(types[0]))];
	size_t len = 12;

	memset(out, 0, len);
	put16(out, 0x1234);
	out[2] = (uint8_t)(header & 0x01); // RD
	out[3] = (uint8_t)(header & 0x70); // Z, AD, CD
	out[5] = 1;
	len += name_put(c, out + len, name, flags);
	put16(out + len, type);
	put16(out + len + 2, (flags & ASK_CHAOS) != 0 ? RRCLASS_CH : RRCLASS_IN);
	len += 4;
	if ((flags & ASK_EDNS) != 0) {
		const unsigned size = cursor_u16(c);
		size_t options;

		out[11] = 1;
		memset(out + len, 0, 11);
		put16(out + len + 1, RRTYPE_OPT);
		put16(out + len + 3, size);
		out[len + 7] = (flags & ASK_DO) != 0 ? 0x80 : 0;
		options = (flags & ASK_TAIL) != 0 ? 0 : cursor_bytes(c, out + len + 11, 1024);
		put16(out + len + 9, (unsigned)options);
		len += 11 + options;
	}
	if ((flags & ASK_TAIL) != 0)
		len += cursor_bytes(c, out + len, 64);
	return len;
}
