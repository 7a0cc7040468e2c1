// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rdata from presentation form, one function per kind of field. Called once per record of a zone
// file. A field that names one word is read by `word`, one that runs to the end by `word_or_end`.
// This file is past 600 lines because text has as many forms as there are kinds of field, and a
// reader looks for them in one place.

#include "rdata_scan.h"

#include <errno.h>
#include <string.h>

#include "name.h"
#include "rdata.h"
#include "rdata_code.h"
#include "rdata_field.h"
#include "rdata_loc.h"
#include "rdata_names.h"
#include "rdata_svcb.h"
#include "zonefile.h"

struct scan {
	struct lexer *lexer;
	const uint8_t *origin; // may be NULL
	uint8_t *out;
	size_t len;
	bool ended; // the end of the entry was read
};

static int fail(struct scan *s, const char *why)
{
	s->lexer->why = why;
	return -EINVAL;
}

// 1 and the token in s->lexer->token; 0 at the end of the entry; or -errno.
static int word_or_end(struct scan *s)
{
	if (s->ended)
		return 0;

	int kind = lexer_next(s->lexer);

	if (kind < 0)
		return kind;
	if (kind == LEXER_END || kind == LEXER_EOF) {
		s->ended = true;
		return 0;
	}
	return 1;
}

static int word(struct scan *s)
{
	int ret = word_or_end(s);

	return ret == 0 ? fail(s, "the record's data ends too early") : ret;
}

static const char *text(const struct scan *s)
{
	return s->lexer->token.text;
}

static size_t text_len(const struct scan *s)
{
	return s->lexer->token.len;
}

static int put(struct scan *s, const uint8_t *bytes, size_t len)
{
	if (len > RDATA_LEN_MAX - s->len)
		return fail(s, "the record's data is over 65535 bytes");
	memcpy(s->out + s->len, bytes, len);
	s->len += len;
	return 0;
}

static int put_number(struct scan *s, uint32_t value, unsigned bytes)
{
	uint8_t be[4] = {
	    (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

	return put(s, be + 4 - bytes, bytes);
}

static int number_scan(struct scan *s, unsigned bytes)
{
	uint32_t value, max = bytes == 4 ? UINT32_MAX : (1u << 8 * bytes) - 1;
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_uint(text(s), text_len(s), max, &value) < 0)
		return fail(s, bytes == 1   ? "a number from 0 to 255 is expected"
		               : bytes == 2 ? "a number from 0 to 65535 is expected"
		                            : "a number from 0 to 4294967295 is expected");
	return put_number(s, value, bytes);
}

static int period_scan(struct scan *s)
{
	uint32_t value;
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_period(text(s), text_len(s), &value) < 0)
		return fail(s, "a number of seconds, or a time such as 1h30m, is expected");
	return put_number(s, value, 4);
}

static int time_scan(struct scan *s)
{
	uint32_t value;
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_time(text(s), text_len(s), &value) < 0)
		return fail(s, "a time as YYYYMMDDHHMMSS is expected");
	return put_number(s, value, 4);
}

// A word that stands for a number.
static int mnemonic_scan(
    struct scan *s, int (*from_text)(const char *, size_t), unsigned bytes, const char *why)
{
	int ret = word(s);

	if (ret < 0)
		return ret;

	int number = from_text(text(s), text_len(s));

	return number < 0 ? fail(s, why) : put_number(s, (uint32_t)number, bytes);
}

static int ipv4_scan(struct scan *s)
{
	uint8_t address[4];
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_ipv4(text(s), text_len(s), address) < 0)
		return fail(s, "an IPv4 address is expected");
	return put(s, address, sizeof(address));
}

static int ipv6_scan(struct scan *s)
{
	uint8_t address[16];
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_ipv6(text(s), text_len(s), address) < 0)
		return fail(s, "an IPv6 address is expected");
	return put(s, address, sizeof(address));
}

// The name of the word just read.
static int name_put(struct scan *s)
{
	const struct lexer_token *token = &s->lexer->token;
	uint8_t name[NAME_LEN_MAX];

	if (token->len == 1 && token->text[0] == '@' && !token->quoted) {
		if (s->origin == NULL)
			return fail(s, "there is no origin that @ could mean");
		return put(s, s->origin, name_len(s->origin));
	}

	int len = name_from_text(token->text, token->len, s->origin, name);

	if (len == -ENAMETOOLONG)
		return fail(s, "the domain name is over 255 bytes");
	if (len < 0)
		return fail(s, "the domain name is malformed");
	return put(s, name, (size_t)len);
}

static int name_scan(struct scan *s)
{
	int ret = word(s);

	return ret < 0 ? ret : name_put(s);
}

// The character-string of the word just read.
static int string_put(struct scan *s)
{
	const struct lexer_token *token = &s->lexer->token;
	uint8_t string[256];
	int len = (int)token->len;

	if (!token->escaped) {
		if (token->len > 255)
			return fail(s, "the string is over 255 bytes");
		memcpy(string + 1, token->text, token->len);
	} else {
		len = lexer_unescape(token->text, token->len, string + 1, 255);
		if (len == -E2BIG)
			return fail(s, "the string is over 255 bytes");
		if (len < 0)
			return fail(s, "an escape in the string is malformed");
	}
	string[0] = (uint8_t)len;
	return put(s, string, 1 + (size_t)len);
}

static int string_scan(struct scan *s)
{
	int ret = word(s);

	return ret < 0 ? ret : string_put(s);
}

static int string_opt_scan(struct scan *s)
{
	int ret = word_or_end(s);

	return ret <= 0 ? ret : string_put(s);
}

static int strings_scan(struct scan *s)
{
	int ret = string_scan(s);

	if (ret < 0)
		return ret;
	while ((ret = word_or_end(s)) > 0) {
		ret = string_put(s);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static int text_scan(struct scan *s)
{
	int ret = word(s);

	if (ret < 0)
		return ret;

	int len = lexer_unescape(text(s), text_len(s), s->out + s->len, RDATA_LEN_MAX - s->len);

	if (len == -E2BIG)
		return fail(s, "the record's data is over 65535 bytes");
	if (len < 0)
		return fail(s, "an escape in the text is malformed");
	s->len += (size_t)len;
	return 0;
}

typedef int (*code_fn)(struct code_in *, const char *, size_t);

// Words of one code up to the end of the entry. `count` tells how many words there were.
static int code_scan(struct scan *s, code_fn code, int (*code_end)(const struct code_in *),
    const char *why, unsigned *count)
{
	struct code_in in = {.out = s->out, .cap = RDATA_LEN_MAX, .len = s->len};
	int ret;

	*count = 0;
	while ((ret = word_or_end(s)) > 0) {
		int bad = code(&in, text(s), text_len(s));

		if (bad == -E2BIG)
			return fail(s, "the record's data is over 65535 bytes");
		if (bad < 0)
			return fail(s, why);
		++*count;
	}
	if (ret < 0)
		return ret;
	if (code_end(&in) < 0)
		return fail(s, why);
	s->len = in.len;
	return 0;
}

static int hex_scan(struct scan *s, bool optional)
{
	unsigned count;
	int ret = code_scan(
	    s, code_hex, code_hex_end, "an even number of hex digits is expected", &count);

	return ret == 0 && count == 0 && !optional ? fail(s, "the record's data ends too early")
	                                           : ret;
}

static int base64_scan(struct scan *s, bool optional)
{
	unsigned count;
	int ret = code_scan(s, code_base64, code_base64_end, "base64 is expected", &count);

	return ret == 0 && count == 0 && !optional ? fail(s, "the record's data ends too early")
	                                           : ret;
}

// "-" stands for no bytes.
static int base64_dash_scan(struct scan *s)
{
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (text_len(s) == 1 && text(s)[0] == '-')
		return 0;
	lexer_again(s->lexer, s->lexer->token.quoted ? LEXER_QUOTED : LEXER_WORD);
	return base64_scan(s, false);
}

// A length byte and what the word just read says.
static int counted_scan(struct scan *s, code_fn code, bool dash, const char *why)
{
	uint8_t bytes[256];
	struct code_in in = {.out = bytes + 1, .cap = 255};
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (!(dash && text_len(s) == 1 && text(s)[0] == '-')) {
		if (code(&in, text(s), text_len(s)) < 0 ||
		    (code == code_hex && code_hex_end(&in) < 0) || in.len == 0)
			return fail(s, why);
	}
	bytes[0] = (uint8_t)in.len;
	return put(s, bytes, 1 + in.len);
}

static int bitmap_put(struct scan *s, uint8_t bits[256][32], const uint8_t window_len[256])
{
	for (unsigned window = 0; window < 256; window++) {
		if (window_len[window] == 0)
			continue;

		uint8_t head[2] = {(uint8_t)window, window_len[window]};

		if (put(s, head, 2) < 0 || put(s, bits[window], window_len[window]) < 0)
			return -EINVAL;
	}
	return 0;
}

static int bitmap_scan(struct scan *s, bool optional)
{
	uint8_t bits[256][32], window_len[256] = {0};
	bool any = false;
	int ret;

	while ((ret = word_or_end(s)) > 0) {
		int type = rrtype_from_text(text(s), text_len(s));

		if (type < 0)
			return fail(s, "a record type is expected");

		unsigned window = (unsigned)type / 256, byte = (unsigned)type % 256 / 8;

		if (window_len[window] == 0)
			memset(bits[window], 0, sizeof(bits[window]));
		if (window_len[window] <= byte)
			window_len[window] = (uint8_t)(byte + 1);
		bits[window][byte] |= (uint8_t)(0x80 >> type % 8);
		any = true;
	}
	if (ret < 0)
		return ret;
	if (!any && !optional)
		return fail(s, "the list of record types is empty");
	return bitmap_put(s, bits, window_len);
}

static int bitmap_nxt_scan(struct scan *s)
{
	uint8_t bits[16] = {0};
	size_t len = 0;
	int ret;

	while ((ret = word_or_end(s)) > 0) {
		int type = rrtype_from_text(text(s), text_len(s));

		if (type < 1 || type > 127)
			return fail(s, "a record type from 1 to 127 is expected");
		bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
		if (len < (size_t)type / 8 + 1)
			len = (size_t)type / 8 + 1;
	}
	if (ret < 0)
		return ret;
	return len == 0 ? fail(s, "the list of record types is empty") : put(s, bits, len);
}

// `count` bytes as hex groups of one or two (EUI), or 1 to 4 digits (ILNP), with one mark between.
static int groups_scan(
    struct scan *s, size_t count, unsigned group_bytes, char mark, const char *why)
{
	uint8_t bytes[8];
	int ret = word(s);
	size_t pos = 0, len = 0;

	if (ret < 0)
		return ret;
	while (len < count) {
		unsigned value = 0, digits = 0;

		if (len > 0 && (pos >= text_len(s) || text(s)[pos++] != mark))
			return fail(s, why);
		for (; pos < text_len(s) && text(s)[pos] != mark; pos++, digits++) {
			char c = text(s)[pos];
			unsigned digit =
			    c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;

			if (digit > 15 || (c > '9' && (c | 0x20) < 'a') ||
			    digits == 2 * group_bytes)
				return fail(s, why);
			value = value << 4 | digit;
		}
		if (digits == 0 || (group_bytes == 1 && digits != 2))
			return fail(s, why);
		for (unsigned i = group_bytes; i > 0; i--)
			bytes[len++] = (uint8_t)(value >> 8 * (i - 1));
	}
	return pos == text_len(s) ? put(s, bytes, count) : fail(s, why);
}

// The words of a LOC are copied: a token lives only until the next.
static int loc_words_scan(struct scan *s)
{
	char copy[LOC_WORDS_MAX][32];
	struct loc_word words[LOC_WORDS_MAX];
	uint8_t loc[LOC_LEN];
	size_t count = 0;
	int ret;

	while ((ret = word_or_end(s)) > 0) {
		if (count == LOC_WORDS_MAX || text_len(s) > sizeof(copy[0]))
			return fail(s, "the location is malformed");
		memcpy(copy[count], text(s), text_len(s));
		words[count] = (struct loc_word){copy[count], text_len(s)};
		count++;
	}
	if (ret < 0)
		return ret;
	return loc_scan(words, count, loc) < 0 ? fail(s, "the location is malformed")
	                                       : put(s, loc, sizeof(loc));
}

// [!]family:address/prefix
static int apl_item_put(struct scan *s)
{
	static const char why[] = "an address prefix such as 1:192.0.2.0/24 is expected";
	const char *p = text(s), *end = p + text_len(s);
	bool negated = p < end && *p == '!';
	uint8_t item[20] = {0};
	uint32_t family, prefix;

	if (negated)
		p++;

	const char *colon = memchr(p, ':', (size_t)(end - p));
	const char *slash = memchr(p, '/', (size_t)(end - p));

	if (colon == NULL || slash == NULL || slash < colon)
		return fail(s, why);
	if (code_uint(p, (size_t)(colon - p), 2, &family) < 0 || family == 0 ||
	    code_uint(slash + 1, (size_t)(end - slash) - 1, family == 1 ? 32 : 128, &prefix) < 0)
		return fail(s, why);

	size_t address_text = (size_t)(slash - colon) - 1, len = family == 1 ? 4 : 16;
	int bad = family == 1 ? code_ipv4(colon + 1, address_text, item + 4)
	                      : code_ipv6(colon + 1, address_text, item + 4);

	if (bad < 0)
		return fail(s, why);
	while (len > 0 && item[4 + len - 1] == 0)
		len--;
	item[1] = (uint8_t)family;
	item[2] = (uint8_t)prefix;
	item[3] = (uint8_t)(len | (negated ? 0x80 : 0));
	return put(s, item, 4 + len);
}

static int apl_scan(struct scan *s)
{
	int ret;

	while ((ret = word_or_end(s)) > 0) {
		ret = apl_item_put(s);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static int wks_scan(struct scan *s)
{
	uint8_t bits[65536 / 8] = {0};
	size_t len = 0;
	int ret = mnemonic_scan(s, rdata_protocol_from_text, 1, "a protocol is expected");

	if (ret < 0)
		return ret;
	while ((ret = word_or_end(s)) > 0) {
		int port = rdata_port_from_text(text(s), text_len(s));

		if (port < 0)
			return fail(s, "a service or a port number is expected");
		bits[port / 8] |= (uint8_t)(0x80 >> port % 8);
		if (len < (size_t)port / 8 + 1)
			len = (size_t)port / 8 + 1;
	}
	return ret < 0 ? ret : put(s, bits, len);
}

static int svc_params_scan(struct scan *s)
{
	size_t start = s->len, len = 0;
	int kind;

	// The target's word was followed by a blank, so the first parameter is not read yet.
	while ((kind = lexer_next_pair(s->lexer)) == LEXER_WORD) {
		const char *why = NULL;
		int ret = svcb_add(
		    s->out + start, &len, RDATA_LEN_MAX - start, text(s), text_len(s), &why);

		if (ret < 0) {
			s->lexer->why = why;
			return -EINVAL;
		}
	}
	if (kind == LEXER_QUOTED)
		return fail(s, "a service parameter is expected");
	if (kind < 0)
		return kind;
	s->ended = true;
	s->len += len;
	return svcb_valid(s->out + start, len) ? 0
	                                       : fail(s, "the service parameters contradict each "
	                                                 "other (mandatory or no-default-alpn)");
}

static int gateway_scan(struct scan *s, unsigned gateway_type)
{
	int ret;

	switch (gateway_type) {
	case 0:
		ret = word(s);
		if (ret < 0)
			return ret;
		return text_len(s) == 1 && text(s)[0] == '.'
		           ? 0
		           : fail(s, "a dot is expected: no gateway");
	case 1:
		return ipv4_scan(s);
	case 2:
		return ipv6_scan(s);
	case 3:
		return name_scan(s);
	default:
		return fail(s, "a gateway type from 0 to 3 is expected");
	}
}

static int ipseckey_gateway_scan(struct scan *s)
{
	int ret = number_scan(s, 1);

	if (ret < 0)
		return ret;

	unsigned gateway_type = s->out[s->len - 1];

	ret = number_scan(s, 1);
	return ret < 0 ? ret : gateway_scan(s, gateway_type);
}

static int relay_scan(struct scan *s)
{
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (text_len(s) != 1 || (text(s)[0] != '0' && text(s)[0] != '1'))
		return fail(s, "0 or 1 is expected: whether discovery is optional");

	bool discovery_optional = text(s)[0] == '1';

	ret = number_scan(s, 1);
	if (ret < 0)
		return ret;

	unsigned relay_type = s->out[s->len - 1];

	if (relay_type > 3)
		return fail(s, "a relay type from 0 to 3 is expected");
	if (discovery_optional)
		s->out[s->len - 1] |= 0x80;
	return gateway_scan(s, relay_type);
}

static int hip_scan(struct scan *s)
{
	static const char why[] = "an identity tag in hex is expected";
	struct code_in key = {.out = s->out, .cap = RDATA_LEN_MAX};
	size_t head = s->len, tag_len;
	int ret = put_number(s, 0, 1);

	if (ret == 0)
		ret = number_scan(s, 1);
	if (ret == 0)
		ret = put_number(s, 0, 2);
	if (ret == 0)
		ret = word(s);
	if (ret < 0)
		return ret;

	struct code_in tag = {.out = s->out + s->len, .cap = 255};

	if (code_hex(&tag, text(s), text_len(s)) < 0 || code_hex_end(&tag) < 0 || tag.len == 0)
		return fail(s, why);
	tag_len = tag.len;
	s->len += tag_len;
	ret = word(s);
	if (ret < 0)
		return ret;
	key.out += s->len;
	key.cap -= s->len;
	if (code_base64(&key, text(s), text_len(s)) < 0 || code_base64_end(&key) < 0 ||
	    key.len == 0)
		return fail(s, "a public key in base64 is expected");
	s->len += key.len;
	s->out[head] = (uint8_t)tag_len;
	s->out[head + 2] = (uint8_t)(key.len >> 8);
	s->out[head + 3] = (uint8_t)key.len;
	while ((ret = word_or_end(s)) > 0) {
		ret = name_put(s);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static int a6_scan(struct scan *s)
{
	uint8_t address[16];
	uint32_t prefix;
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_uint(text(s), text_len(s), 128, &prefix) < 0)
		return fail(s, "a prefix length from 0 to 128 is expected");
	ret = put_number(s, prefix, 1);
	if (ret == 0 && prefix < 128) {
		ret = word(s);
		if (ret < 0)
			return ret;
		if (code_ipv6(text(s), text_len(s), address) < 0)
			return fail(s, "an IPv6 address is expected");

		size_t bytes = (128 - prefix + 7) / 8;

		address[16 - bytes] &= (uint8_t)(0xff >> prefix % 8);
		ret = put(s, address + 16 - bytes, bytes);
	}
	return ret < 0 || prefix == 0 ? ret : name_scan(s);
}

static int nsap_scan(struct scan *s)
{
	struct code_in in = {.out = s->out + s->len, .cap = RDATA_LEN_MAX - s->len};
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (text_len(s) < 4 || text(s)[0] != '0' || (text(s)[1] | 0x20) != 'x')
		return fail(s, "an NSAP address such as 0x47.0005 is expected");
	for (size_t i = 2; i < text_len(s); i++) // dots may stand anywhere (RFC 1706 6)
		if (text(s)[i] != '.' && code_hex(&in, text(s) + i, 1) < 0)
			return fail(s, "an NSAP address is made of hex digits and dots");
	if (code_hex_end(&in) < 0 || in.len == 0)
		return fail(s, "an even number of hex digits is expected");
	s->len += in.len;
	return 0;
}

static int field_scan(struct scan *s, enum rdata_kind kind)
{
	switch (kind) {
	case FIELD_END:
		return 0;
	case FIELD_OPAQUE:
		return fail(s, "the data of this type can only be given as \\#");
	case FIELD_U8:
		return number_scan(s, 1);
	case FIELD_U16:
		return number_scan(s, 2);
	case FIELD_U32:
		return number_scan(s, 4);
	case FIELD_PERIOD:
		return period_scan(s);
	case FIELD_TIME:
		return time_scan(s);
	case FIELD_TYPE:
		return mnemonic_scan(s, rrtype_from_text, 2, "a record type is expected");
	case FIELD_ALGORITHM:
		return mnemonic_scan(s, rdata_algorithm_from_text, 1, "an algorithm is expected");
	case FIELD_CERT_TYPE:
		return mnemonic_scan(
		    s, rdata_cert_type_from_text, 2, "a certificate type is expected");
	case FIELD_A:
		return ipv4_scan(s);
	case FIELD_AAAA:
		return ipv6_scan(s);
	case FIELD_NAME_SHORT:
	case FIELD_NAME_OLD:
	case FIELD_NAME_LOWER:
	case FIELD_NAME:
		return name_scan(s);
	case FIELD_STRING:
		return string_scan(s);
	case FIELD_STRING_OPT:
		return string_opt_scan(s);
	case FIELD_STRINGS:
		return strings_scan(s);
	case FIELD_TEXT:
		return text_scan(s);
	case FIELD_TAG:
		return string_scan(s);
	case FIELD_HEX:
		return hex_scan(s, false);
	case FIELD_HEX_OPT:
		return hex_scan(s, true);
	case FIELD_HEX8:
		return counted_scan(s, code_hex, true, "hex digits or - are expected");
	case FIELD_HASH:
		return counted_scan(s, code_base32hex, false, "a hash in base32hex is expected");
	case FIELD_BASE64:
		return base64_scan(s, false);
	case FIELD_BASE64_OPT:
		return base64_scan(s, true);
	case FIELD_BASE64_DASH:
		return base64_dash_scan(s);
	case FIELD_BITMAP:
		return bitmap_scan(s, false);
	case FIELD_BITMAP_OPT:
		return bitmap_scan(s, true);
	case FIELD_BITMAP_NXT:
		return bitmap_nxt_scan(s);
	case FIELD_EUI48:
		return groups_scan(s, 6, 1, '-', "an EUI-48 such as 00-00-5e-00-53-2a is expected");
	case FIELD_EUI64:
		return groups_scan(
		    s, 8, 1, '-', "an EUI-64 such as 00-00-5e-ef-10-00-00-2a is expected");
	case FIELD_ILNP64:
		return groups_scan(s, 8, 2, ':', "four groups of hex digits are expected");
	case FIELD_LOC:
		return loc_words_scan(s);
	case FIELD_APL:
		return apl_scan(s);
	case FIELD_WKS:
		return wks_scan(s);
	case FIELD_SVC_PARAMS:
		return svc_params_scan(s);
	case FIELD_GATEWAY:
		return ipseckey_gateway_scan(s);
	case FIELD_RELAY:
		return relay_scan(s);
	case FIELD_HIP:
		return hip_scan(s);
	case FIELD_A6:
		return a6_scan(s);
	case FIELD_NSAP:
		return nsap_scan(s);
	}
	return fail(s, "the data of this type can only be given as \\#");
}

// RFC 3597 5: behind \# a length and as many bytes in hex, for any type.
static int generic_scan(struct scan *s)
{
	uint32_t len;
	int ret = word(s);

	if (ret < 0)
		return ret;
	if (code_uint(text(s), text_len(s), RDATA_LEN_MAX, &len) < 0)
		return fail(s, "a length from 0 to 65535 is expected behind \\#");
	ret = hex_scan(s, true);
	if (ret < 0)
		return ret;
	return s->len == len ? 0 : fail(s, "the length behind \\# is not that of the data");
}

int rdata_scan(uint16_t type, struct lexer *lexer, const uint8_t *origin, uint8_t *out)
{
	struct scan s = {.lexer = lexer, .origin = origin, .out = out};
	const struct lexer_token *token = &lexer->token;
	int kind = lexer_next(lexer), ret = 0;

	if (kind < 0)
		return kind;
	if (kind == LEXER_WORD && token->len == 2 && token->text[0] == '\\' &&
	    token->text[1] == '#') {
		ret = generic_scan(&s);
	} else {
		lexer_again(lexer, kind);
		for (const uint8_t *field = rdata_layout(type)->fields;
		     *field != FIELD_END && ret == 0; field++)
			ret = field_scan(&s, *field);
	}
	if (ret == 0)
		ret = word_or_end(&s);
	if (ret < 0)
		return ret;
	if (ret > 0)
		return fail(&s, "there is more on the line than the record's data");
	if (!rdata_valid(type, out, s.len))
		return fail(&s, "the data is malformed for its type");
	return (int)s.len;
}

int rdata_from_text(
    uint16_t type, const char *from, size_t len, const uint8_t *origin, uint8_t *out)
{
	struct lexer lexer;
	int ret = lexer_open_text(&lexer, from, len);

	if (ret < 0)
		return ret;
	ret = rdata_scan(type, &lexer, origin, out);
	if (ret >= 0 && lexer_next(&lexer) != LEXER_EOF)
		ret = -EINVAL;
	lexer_close(&lexer);
	return ret < 0 ? -EINVAL : ret;
}
