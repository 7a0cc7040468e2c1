// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rdata to presentation form, field by field, in the words dig prints (but nothing is split by
// blanks). Called by tools, logs and tests; any thread.

#include "rdata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rdata_code.h"
#include "rdata_field.h"
#include "rdata_loc.h"
#include "rdata_names.h"
#include "rdata_svcb.h"
#include "name.h"

static void strings_print(struct text_out *t, const uint8_t *p, size_t len)
{
	for (size_t pos = 0; pos < len; pos += 1u + p[pos]) {
		if (pos > 0)
			text_put_char(t, ' ');
		text_put_quoted(t, p + pos + 1, p[pos]);
	}
}

static void type_put(struct text_out *t, uint16_t type)
{
	char mnemonic[16];

	text_put_words(t, rrtype_to_text(type, mnemonic));
}

// The types whose bits are set in `len` bytes of which the first bit is type `first`.
static void bits_print(
    struct text_out *t, const uint8_t *bits, size_t len, unsigned first, bool *any)
{
	for (size_t i = 0; i < len * 8; i++) {
		if ((bits[i / 8] & 0x80 >> i % 8) == 0)
			continue;
		if (*any)
			text_put_char(t, ' ');
		type_put(t, (uint16_t)(first + i));
		*any = true;
	}
}

static void bitmap_print(struct text_out *t, const uint8_t *p, size_t len)
{
	bool any = false;

	for (size_t pos = 0; pos < len; pos += 2u + p[pos + 1])
		bits_print(t, p + pos + 2, p[pos + 1], p[pos] * 256u, &any);
}

static int apl_print(struct text_out *t, const uint8_t *p, size_t len)
{
	for (size_t pos = 0; pos < len;) {
		unsigned family = rdata_get16(p + pos), address_len = p[pos + 3] & 0x7f;
		uint8_t address[16] = {0};

		if (family != 1 && family != 2)
			return -EINVAL; // has no text
		memcpy(address, p + pos + 4, address_len);
		text_put_words(t, pos > 0 ? " " : "");
		text_put_words(t, (p[pos + 3] & 0x80) != 0 ? "!" : "");
		text_put_uint(t, family);
		text_put_char(t, ':');
		if (family == 1)
			text_put_ipv4(t, address);
		else
			text_put_ipv6(t, address);
		text_put_char(t, '/');
		text_put_uint(t, p[pos + 2]);
		pos += 4 + address_len;
	}
	return 0;
}

static void wks_print(struct text_out *t, const uint8_t *p, size_t len)
{
	text_put_uint(t, p[0]);
	for (size_t i = 0; i < (len - 1) * 8; i++) {
		if ((p[1 + i / 8] & 0x80 >> i % 8) == 0)
			continue;
		text_put_char(t, ' ');
		text_put_uint(t, (uint32_t)i);
	}
}

static int gateway_print(struct text_out *t, unsigned gateway_type, const uint8_t *p)
{
	switch (gateway_type) {
	case 0:
		text_put_char(t, '.');
		return 0;
	case 1:
		text_put_ipv4(t, p);
		return 0;
	case 2:
		text_put_ipv6(t, p);
		return 0;
	case 3:
		text_put_name(t, p);
		return 0;
	default:
		return -EINVAL; // has no text
	}
}

static void hip_print(struct text_out *t, const uint8_t *p, size_t len)
{
	size_t tag_len = p[0], key_len = rdata_get16(p + 2);

	text_put_uint(t, p[1]);
	text_put_char(t, ' ');
	text_put_hex(t, p + 4, tag_len);
	text_put_char(t, ' ');
	text_put_base64(t, p + 4 + tag_len, key_len);
	for (size_t pos = 4 + tag_len + key_len; pos < len; pos += name_len(p + pos)) {
		text_put_char(t, ' ');
		text_put_name(t, p + pos);
	}
}

static void a6_print(struct text_out *t, const uint8_t *p)
{
	uint8_t address[16] = {0};
	size_t bytes = (128u - p[0] + 7) / 8;

	memcpy(address + 16 - bytes, p + 1, bytes);
	if (bytes > 0) // the bits of the prefix are not ours to show (RFC 2874 3.1)
		address[16 - bytes] &= (uint8_t)(0xff >> p[0] % 8);
	text_put_uint(t, p[0]);
	if (p[0] < 128) {
		text_put_char(t, ' ');
		text_put_ipv6(t, address);
	}
	if (p[0] > 0) {
		text_put_char(t, ' ');
		text_put_name(t, p + 1 + bytes);
	}
}

static void groups_print(struct text_out *t, const uint8_t *p, size_t len)
{
	char text[8];

	for (size_t i = 0; i < len; i++) {
		snprintf(text, sizeof(text), i > 0 ? "-%02x" : "%02x", p[i]);
		text_put_words(t, text);
	}
}

static void ilnp64_print(struct text_out *t, const uint8_t *p)
{
	char text[32];

	snprintf(text, sizeof(text), "%x:%x:%x:%x", rdata_get16(p), rdata_get16(p + 2),
	    rdata_get16(p + 4), rdata_get16(p + 6));
	text_put_words(t, text);
}

static void number_or_word(struct text_out *t, const char *word, unsigned number)
{
	if (word != NULL)
		text_put_words(t, word);
	else
		text_put_uint(t, number);
}

// Post: 0, or -EINVAL when these bytes have no text but \#.
static int field_print(
    struct text_out *t, uint16_t type, enum rdata_kind kind, const uint8_t *p, size_t len)
{
	switch (kind) {
	case FIELD_END:
	case FIELD_OPAQUE:
		return -EINVAL;
	case FIELD_U8:
		text_put_uint(t, p[0]);
		return 0;
	case FIELD_ALGORITHM:
		number_or_word(t, type == RRTYPE_CERT ? rdata_algorithm_name(p[0]) : NULL, p[0]);
		return 0;
	case FIELD_U16:
		text_put_uint(t, rdata_get16(p));
		return 0;
	case FIELD_TYPE:
		type_put(t, rdata_get16(p));
		return 0;
	case FIELD_CERT_TYPE:
		number_or_word(t, rdata_cert_type_name(rdata_get16(p)), rdata_get16(p));
		return 0;
	case FIELD_U32:
	case FIELD_PERIOD:
		text_put_uint(t, rdata_get32(p));
		return 0;
	case FIELD_TIME:
		text_put_time(t, rdata_get32(p));
		return 0;
	case FIELD_A:
		text_put_ipv4(t, p);
		return 0;
	case FIELD_AAAA:
		text_put_ipv6(t, p);
		return 0;
	case FIELD_NAME_SHORT:
	case FIELD_NAME_OLD:
	case FIELD_NAME_LOWER:
	case FIELD_NAME:
		text_put_name(t, p);
		return 0;
	case FIELD_STRING:
	case FIELD_STRING_OPT:
	case FIELD_STRINGS:
		strings_print(t, p, len);
		return 0;
	case FIELD_TEXT:
		text_put_quoted(t, p, len);
		return 0;
	case FIELD_TAG:
		text_put(t, (const char *)p + 1, len - 1);
		return 0;
	case FIELD_HEX:
	case FIELD_HEX_OPT:
		text_put_hex(t, p, len);
		return 0;
	case FIELD_HEX8:
		if (len == 1)
			text_put_char(t, '-');
		text_put_hex(t, p + 1, len - 1);
		return 0;
	case FIELD_HASH:
		text_put_base32hex(t, p + 1, len - 1);
		return 0;
	case FIELD_BASE64:
	case FIELD_BASE64_OPT:
	case FIELD_BASE64_DASH:
		if (len == 0)
			text_put_char(t, '-');
		text_put_base64(t, p, len);
		return 0;
	case FIELD_BITMAP:
	case FIELD_BITMAP_OPT:
		bitmap_print(t, p, len);
		return 0;
	case FIELD_BITMAP_NXT: {
		bool any = false;

		bits_print(t, p, len, 0, &any);
		return 0;
	}
	case FIELD_EUI48:
	case FIELD_EUI64:
		groups_print(t, p, len);
		return 0;
	case FIELD_ILNP64:
		ilnp64_print(t, p);
		return 0;
	case FIELD_LOC:
		return loc_print(t, p, len);
	case FIELD_APL:
		return apl_print(t, p, len);
	case FIELD_WKS:
		wks_print(t, p, len);
		return 0;
	case FIELD_SVC_PARAMS:
		svcb_print(t, p, len);
		return 0;
	case FIELD_GATEWAY:
		text_put_uint(t, p[0]);
		text_put_char(t, ' ');
		text_put_uint(t, p[1]);
		text_put_char(t, ' ');
		return gateway_print(t, p[0], p + 2);
	case FIELD_RELAY:
		text_put_words(t, p[0] >> 7 != 0 ? "1 " : "0 ");
		text_put_uint(t, p[0] & 0x7f);
		text_put_char(t, ' ');
		return gateway_print(t, p[0] & 0x7f, p + 1);
	case FIELD_HIP:
		hip_print(t, p, len);
		return 0;
	case FIELD_A6:
		a6_print(t, p);
		return 0;
	case FIELD_NSAP:
		text_put_words(t, "0x");
		text_put_hex_lower(t, p, len);
		return 0;
	}
	return -EINVAL;
}

static int fields_print(struct text_out *t, uint16_t type, const uint8_t *rdata, size_t len)
{
	size_t pos = 0;

	for (const uint8_t *field = rdata_layout(type)->fields; *field != FIELD_END; field++) {
		int field_len = rdata_field_len(*field, rdata, len, pos);

		if (field_len < 0)
			return field_len;
		// An optional field that is not there prints nothing, unless its text has a word
		// for that.
		bool shown = field_len > 0 || *field == FIELD_OPAQUE || *field == FIELD_TEXT ||
		             *field == FIELD_BASE64_DASH;

		// Service parameters bring their own blanks.
		if (shown && pos > 0 && *field != FIELD_SVC_PARAMS)
			text_put_char(t, ' ');
		if (shown && field_print(t, type, *field, rdata + pos, (size_t)field_len) < 0)
			return -EINVAL;
		pos += (size_t)field_len;
	}
	return 0;
}

static void generic_print(struct text_out *t, const uint8_t *rdata, size_t len)
{
	text_put_words(t, "\\# ");
	text_put_uint(t, (uint32_t)len);
	if (len > 0)
		text_put_char(t, ' ');
	text_put_hex(t, rdata, len);
}

int rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, char *out, size_t cap)
{
	if (cap == 0)
		return -ENOSPC;

	struct text_out t = {.out = out, .cap = cap - 1};

	if (fields_print(&t, type, rdata, len) < 0) {
		t = (struct text_out){.out = out, .cap = cap - 1};
		generic_print(&t, rdata, len);
	}
	if (t.full)
		return -ENOSPC;
	out[t.len] = '\0';
	return (int)t.len;
}
