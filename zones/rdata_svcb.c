// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The SvcParams of SVCB and HTTPS (RFC 9460): checked, printed and read.

#include "rdata_svcb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rdata_field.h"
#include "zonefile_lexer.h"

enum svc_key {
	SVC_MANDATORY = 0,
	SVC_ALPN = 1,
	SVC_NO_DEFAULT_ALPN = 2,
	SVC_PORT = 3,
	SVC_IPV4HINT = 4,
	SVC_ECH = 5,
	SVC_IPV6HINT = 6,
	SVC_DOHPATH = 7, // RFC 9461
	SVC_OHTTP = 8,   // RFC 9540
	SVC_KEY_MAX = 65535,
};

// Printed by name up to ipv6hint: those of RFC 9460, which every reader of zone text knows. The
// newer ones are read by name and printed by number, as dig 9.18 and kdig 3.2 do.
static const char *const key_names[] = {"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint",
    "ech", "ipv6hint", "dohpath", "ohttp"};

#define KEYS_NAMED   (sizeof(key_names) / sizeof(key_names[0]))
#define KEYS_PRINTED (SVC_IPV6HINT + 1)
#define HEAD         4u // key and length

// The value of `key` among the params, or NULL.
static const uint8_t *param_find(const uint8_t *params, size_t len, unsigned key)
{
	for (size_t pos = 0; pos < len; pos += HEAD + rdata_get16(params + pos + 2))
		if (rdata_get16(params + pos) == key)
			return params + pos + HEAD;
	return NULL;
}

// RFC 9460 8: ascending, no key twice, never itself, each present.
static bool mandatory_valid(
    const uint8_t *params, size_t len, const uint8_t *value, size_t value_len)
{
	unsigned before = SVC_MANDATORY;

	if (value_len == 0 || value_len % 2 != 0)
		return false;
	for (size_t i = 0; i < value_len; i += 2) {
		unsigned key = rdata_get16(value + i);

		if (key <= before || param_find(params, len, key) == NULL)
			return false;
		before = key;
	}
	return true;
}

static bool alpn_valid(const uint8_t *value, size_t len)
{
	if (len == 0)
		return false;
	for (size_t pos = 0; pos < len; pos += 1u + value[pos])
		if (value[pos] == 0 || len - pos - 1 < value[pos])
			return false;
	return true;
}

// Whether a value has the form its key demands; what one parameter asks of the others comes later.
static bool value_valid(unsigned key, const uint8_t *value, size_t len)
{
	switch (key) {
	case SVC_ALPN:
		return alpn_valid(value, len);
	case SVC_NO_DEFAULT_ALPN:
	case SVC_OHTTP:
		return len == 0;
	case SVC_PORT:
		return len == 2;
	case SVC_IPV4HINT:
		return len > 0 && len % 4 == 0;
	case SVC_IPV6HINT:
		return len > 0 && len % 16 == 0;
	default: // also key65535, which RFC 9460 14.3.2 reserves and BIND loads
		return true;
	}
}

bool svcb_valid(const uint8_t *params, size_t len)
{
	int before = -1;

	for (size_t pos = 0; pos < len;) {
		if (len - pos < HEAD)
			return false;

		unsigned key = rdata_get16(params + pos);
		size_t value_len = rdata_get16(params + pos + 2);

		if ((int)key <= before || len - pos - HEAD < value_len ||
		    !value_valid(key, params + pos + HEAD, value_len))
			return false;
		before = (int)key;
		pos += HEAD + value_len;
	}
	// All lengths hold, so the list may be searched.
	if (param_find(params, len, SVC_NO_DEFAULT_ALPN) != NULL &&
	    param_find(params, len, SVC_ALPN) == NULL)
		return false;

	const uint8_t *mandatory = param_find(params, len, SVC_MANDATORY);

	return mandatory == NULL ||
	       mandatory_valid(params, len, mandatory, rdata_get16(mandatory - 2));
}

static void key_print(struct text_out *t, unsigned key)
{
	if (key < KEYS_PRINTED) {
		text_put_words(t, key_names[key]);
		return;
	}
	text_put_words(t, "key");
	text_put_uint(t, key);
}

// A list is escaped twice (RFC 9460 A.1): once so that commas inside an item are none of the
// list's, once as any character-string.
static void alpn_print(struct text_out *t, const uint8_t *value, size_t len)
{
	text_put_char(t, '"');
	for (size_t pos = 0; pos < len; pos += 1u + value[pos]) {
		if (pos > 0)
			text_put_char(t, ',');
		for (unsigned i = 1; i <= value[pos]; i++) {
			uint8_t c = value[pos + i];

			if (c == ',' || c == '\\')
				text_put_words(t, "\\\\");
			if (c == ' ') // as dig shows it
				text_put_words(t, "\\032");
			else
				text_put_escaped(t, c);
		}
	}
	text_put_char(t, '"');
}

static void value_print(struct text_out *t, unsigned key, const uint8_t *value, size_t len)
{
	switch (key) {
	case SVC_MANDATORY:
		for (size_t i = 0; i < len; i += 2) {
			if (i > 0)
				text_put_char(t, ',');
			key_print(t, rdata_get16(value + i));
		}
		break;
	case SVC_ALPN:
		alpn_print(t, value, len);
		break;
	case SVC_PORT:
		text_put_uint(t, rdata_get16(value));
		break;
	case SVC_IPV4HINT:
		for (size_t i = 0; i < len; i += 4) {
			if (i > 0)
				text_put_char(t, ',');
			text_put_ipv4(t, value + i);
		}
		break;
	case SVC_ECH:
		text_put_base64(t, value, len);
		break;
	case SVC_IPV6HINT:
		for (size_t i = 0; i < len; i += 16) {
			if (i > 0)
				text_put_char(t, ',');
			text_put_ipv6(t, value + i);
		}
		break;
	default:
		text_put_quoted(t, value, len);
	}
}

void svcb_print(struct text_out *t, const uint8_t *params, size_t len)
{
	for (size_t pos = 0; pos < len;) {
		unsigned key = rdata_get16(params + pos);
		size_t value_len = rdata_get16(params + pos + 2);

		text_put_char(t, ' ');
		key_print(t, key);
		if (value_len > 0) {
			text_put_char(t, '=');
			value_print(t, key, params + pos + HEAD, value_len);
		}
		pos += HEAD + value_len;
	}
}

static int key_scan(const char *text, size_t len)
{
	uint32_t number;

	for (size_t i = 0; i < KEYS_NAMED; i++)
		if (strlen(key_names[i]) == len && strncasecmp(key_names[i], text, len) == 0)
			return (int)i;
	// RFC 9460 2.1: no leading zeros.
	if (len > 3 && strncasecmp(text, "key", 3) == 0 && (len == 4 || text[3] != '0') &&
	    code_uint(text + 3, len - 3, SVC_KEY_MAX, &number) == 0)
		return (int)number;
	return -EINVAL;
}

// The next item of a comma-separated list: its bytes with the list's own escapes undone.
// Post: *pos behind the item and its comma; the item's length or -EINVAL.
static int item_next(const uint8_t *list, size_t len, size_t *pos, uint8_t *item, size_t cap)
{
	size_t n = 0;

	for (; *pos < len && list[*pos] != ','; ++*pos) {
		if (list[*pos] == '\\' && ++*pos == len)
			return -EINVAL;
		if (n == cap)
			return -EINVAL;
		item[n++] = list[*pos];
	}
	if (*pos < len && ++*pos == len)
		return -EINVAL; // nothing behind the last comma
	return n > 0 ? (int)n : -EINVAL;
}

static int order16(const void *a, const void *b)
{
	return memcmp(a, b, 2);
}

// One item of a list value, appended to `out`. Post: bytes appended or -EINVAL.
static int item_scan(unsigned key, const uint8_t *item, size_t len, uint8_t *out, size_t cap)
{
	uint8_t bytes[16];
	size_t n;
	int named;

	switch (key) {
	case SVC_MANDATORY:
		named = key_scan((const char *)item, len);
		if (named < 0)
			return named;
		bytes[0] = (uint8_t)(named >> 8);
		bytes[1] = (uint8_t)named;
		n = 2;
		break;
	case SVC_IPV4HINT:
		if (code_ipv4((const char *)item, len, bytes) < 0)
			return -EINVAL;
		n = 4;
		break;
	case SVC_IPV6HINT:
		if (code_ipv6((const char *)item, len, bytes) < 0)
			return -EINVAL;
		n = 16;
		break;
	default: // ALPN
		if (len + 1 > cap)
			return -EINVAL;
		out[0] = (uint8_t)len;
		memcpy(out + 1, item, len);
		return (int)len + 1;
	}
	if (n > cap)
		return -EINVAL;
	memcpy(out, bytes, n);
	return (int)n;
}

static int list_scan(unsigned key, const uint8_t *list, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t pos = 0; pos < len;) {
		uint8_t item[255];
		int item_len = item_next(list, len, &pos, item, sizeof(item));

		if (item_len < 0)
			return item_len;

		int added = item_scan(key, item, (size_t)item_len, out + n, cap - n);

		if (added < 0)
			return added;
		n += (size_t)added;
	}
	if (key == SVC_MANDATORY)
		qsort(out, n / 2, 2, order16);
	return (int)n;
}

// A value's text, quotes taken off but escapes still in it, to wire form. Post: its length or
// -errno.
static int value_scan(unsigned key, const char *text, size_t len, uint8_t *out, size_t cap)
{
	struct code_in base64 = {.out = out, .cap = cap};
	uint32_t port;
	uint8_t *list;
	int n;

	switch (key) {
	case SVC_MANDATORY:
	case SVC_ALPN:
	case SVC_IPV4HINT:
	case SVC_IPV6HINT:
		list = malloc(len + 1);
		if (list == NULL)
			return -ENOMEM;
		n = lexer_unescape(text, len, list, len);
		if (n >= 0)
			n = list_scan(key, list, (size_t)n, out, cap);
		free(list);
		return n;
	case SVC_PORT:
		if (code_uint(text, len, UINT16_MAX, &port) < 0 || cap < 2)
			return -EINVAL;
		out[0] = (uint8_t)(port >> 8);
		out[1] = (uint8_t)port;
		return 2;
	case SVC_ECH:
		if (code_base64(&base64, text, len) < 0 || code_base64_end(&base64) < 0)
			return -EINVAL;
		return (int)base64.len;
	default:
		return lexer_unescape(text, len, out, cap);
	}
}

static void reverse(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		uint8_t c = bytes[i];

		bytes[i] = bytes[len - 1 - i];
		bytes[len - 1 - i] = c;
	}
}

// Turns the block behind `first` bytes to the front.
static void rotate(uint8_t *bytes, size_t first, size_t len)
{
	reverse(bytes, first);
	reverse(bytes + first, len - first);
	reverse(bytes, len);
}

int svcb_add(
    uint8_t *params, size_t *len, size_t cap, const char *text, size_t text_len, const char **why)
{
	const char *equals = memchr(text, '=', text_len);
	size_t key_len = equals != NULL ? (size_t)(equals - text) : text_len;
	const char *value = equals != NULL ? equals + 1 : text + text_len;
	size_t value_text_len = text_len - (size_t)(value - text);
	int key = key_scan(text, key_len);

	*why = "the service parameter key is not known";
	if (key < 0)
		return key;
	if (value_text_len >= 2 && value[0] == '"') {
		value++;
		value_text_len -= 2;
	}
	*why = "the service parameters do not fit a record";
	if (cap - *len < HEAD)
		return -E2BIG;

	size_t room = cap - *len - HEAD;
	uint8_t *added = params + *len;
	int n = value_scan((unsigned)key, value, value_text_len, added + HEAD,
	    room < UINT16_MAX ? room : UINT16_MAX);

	if (n == -E2BIG)
		return n;
	*why = "the service parameter's value does not fit its key";
	if (n < 0 ||
	    !(key == SVC_MANDATORY ? n > 0 : value_valid((unsigned)key, added + HEAD, (size_t)n)))
		return -EINVAL;
	added[0] = (uint8_t)(key >> 8);
	added[1] = (uint8_t)key;
	added[2] = (uint8_t)(n >> 8);
	added[3] = (uint8_t)n;

	size_t at = 0;

	while (at < *len && rdata_get16(params + at) < key)
		at += HEAD + rdata_get16(params + at + 2);
	*why = "a service parameter is given twice";
	if (at < *len && rdata_get16(params + at) == key)
		return -EINVAL;
	if (at < *len)
		rotate(params + at, *len - at, *len - at + HEAD + (size_t)n);
	*len += HEAD + (size_t)n;
	return 0;
}
