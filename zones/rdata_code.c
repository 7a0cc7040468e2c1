// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The small codes of presentation form. Called by the printing and scanning of rdata.

#include "rdata_code.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "name.h"

void text_put(struct text_out *t, const char *bytes, size_t len)
{
	if (len > t->cap - t->len) {
		t->full = true;
		return;
	}
	memcpy(t->out + t->len, bytes, len);
	t->len += len;
}

void text_put_char(struct text_out *t, char c)
{
	if (t->len == t->cap)
		t->full = true;
	else
		t->out[t->len++] = c;
}

void text_put_words(struct text_out *t, const char *words)
{
	text_put(t, words, strlen(words));
}

void text_put_uint(struct text_out *t, uint32_t value)
{
	char digits[10];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_put(t, digits + at, sizeof(digits) - at);
}

static void put_hex(struct text_out *t, const char *digits, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

		text_put(t, pair, 2);
	}
}

void text_put_hex(struct text_out *t, const uint8_t *bytes, size_t len)
{
	put_hex(t, "0123456789ABCDEF", bytes, len);
}

void text_put_hex_lower(struct text_out *t, const uint8_t *bytes, size_t len)
{
	put_hex(t, "0123456789abcdef", bytes, len);
}

void text_put_base32hex(struct text_out *t, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 5; held -= 5)
			text_put_char(t, digits[bits >> (held - 5) & 31]);
	}
	if (held > 0)
		text_put_char(t, digits[bits << (5 - held) & 31]);
}

void text_put_base64(struct text_out *t, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; len > 0; bytes += 3) {
		uint32_t v = (uint32_t)bytes[0] << 16 | (uint32_t)(len > 1 ? bytes[1] : 0) << 8 |
		             (len > 2 ? bytes[2] : 0);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
		    len > 1 ? digits[v >> 6 & 63] : '=', len > 2 ? digits[v & 63] : '='};

		text_put(t, four, 4);
		len -= len < 3 ? len : 3;
	}
}

// Days since 1970-01-01 of a date of the Gregorian calendar, counting years from March so that the
// leap day is the last of its year.
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
	if (month <= 2) {
		year--;
		month += 12;
	}
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
	       1 - 719468;
}

void text_put_time(struct text_out *t, uint32_t seconds)
{
	int64_t days = seconds / 86400;
	unsigned rest = seconds % 86400;
	int64_t year = 1970 + days / 366;
	unsigned month = 1;
	char text[32];

	while (days_of_date(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of_date(year, month + 1, 1) <= days)
		month++;
	snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02u", (unsigned)year, month,
	    (unsigned)(days - days_of_date(year, month, 1)) + 1, rest / 3600, rest / 60 % 60,
	    rest % 60);
	text_put_words(t, text);
}

void text_put_name(struct text_out *t, const uint8_t *name)
{
	char text[NAME_TEXT_MAX];

	text_put(t, text, name_to_text(name, text));
}

void text_put_ipv4(struct text_out *t, const uint8_t address[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			text_put_char(t, '.');
		text_put_uint(t, address[i]);
	}
}

void text_put_ipv6(struct text_out *t, const uint8_t address[16])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, address, text, sizeof(text));
	text_put_words(t, text);
}

void text_put_escaped(struct text_out *t, uint8_t byte)
{
	char text[4] = {
	    '\\', (char)('0' + byte / 100), (char)('0' + byte / 10 % 10), (char)('0' + byte % 10)};

	if (byte < ' ' || byte >= 0x7f) {
		text_put(t, text, 4);
		return;
	}
	if (byte == '"' || byte == '\\')
		text_put_char(t, '\\');
	text_put_char(t, (char)byte);
}

void text_put_quoted(struct text_out *t, const uint8_t *bytes, size_t len)
{
	text_put_char(t, '"');
	for (size_t i = 0; i < len; i++)
		text_put_escaped(t, bytes[i]);
	text_put_char(t, '"');
}

static int digit_of(char c, unsigned *value)
{
	unsigned d = (unsigned)(uint8_t)c - '0';

	*value = d;
	return d <= 9 ? 0 : -EINVAL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EINVAL;
}

int code_hex(struct code_in *in, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return digit;
		in->bits = in->bits << 4 | (unsigned)digit;
		if (++in->digits < 2)
			continue;
		if (in->len == in->cap)
			return -E2BIG;
		in->out[in->len++] = (uint8_t)in->bits;
		in->digits = 0;
	}
	return 0;
}

int code_hex_end(const struct code_in *in)
{
	return in->digits == 0 ? 0 : -EINVAL;
}

int code_base32hex(struct code_in *in, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] >= '0' && text[i] <= '9' ? text[i] : (char)(text[i] | 0x20);
		int digit = c <= '9' ? c - '0' : c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return -EINVAL;
		in->bits = in->bits << 5 | (unsigned)digit;
		in->digits += 5; // bits here, not digits
		if (in->digits < 8)
			continue;
		if (in->len == in->cap)
			return -E2BIG;
		in->digits -= 8;
		in->out[in->len++] = (uint8_t)(in->bits >> in->digits);
	}
	// A whole digit left over, or bits that say something, is not what an encoder makes.
	if (in->digits >= 5 || (in->bits & ((1u << in->digits) - 1)) != 0)
		return -EINVAL;
	return 0;
}

// Value plus one, so that zero means no digit.
static const uint8_t base64_values[256] = {['A'] = 1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    ['a'] = 27,
    28,
    29,
    30,
    31,
    32,
    33,
    34,
    35,
    36,
    37,
    38,
    39,
    40,
    41,
    42,
    43,
    44,
    45,
    46,
    47,
    48,
    49,
    50,
    51,
    52,
    ['0'] = 53,
    54,
    55,
    56,
    57,
    58,
    59,
    60,
    61,
    62,
    ['+'] = 63,
    ['/'] = 64};

static int base64_flush(struct code_in *in, unsigned bytes)
{
	if (in->cap - in->len < bytes)
		return -E2BIG;
	for (unsigned i = 0; i < bytes; i++)
		in->out[in->len++] = (uint8_t)(in->bits >> (16 - 8 * i));
	in->digits = 0;
	in->bits = 0;
	return 0;
}

// Padding closes the last group: after two digits there are two '=', after three one. The bits that
// no byte takes must be zero.
static int base64_pad(struct code_in *in)
{
	if (in->digits < 2 || (in->digits == 2 && !in->closed && (in->bits & 15) != 0) ||
	    (in->digits == 3 && !in->closed && (in->bits & 3) != 0))
		return -EINVAL;
	if (!in->closed) {
		unsigned bytes = in->digits - 1;
		bool one_more = in->digits == 2;

		in->bits <<= 6 * (4 - in->digits);

		int ret = base64_flush(in, bytes);

		if (ret < 0)
			return ret;
		in->closed = true;
		in->digits = one_more ? 3 : 0; // counts the second '=' that must come
		return 0;
	}
	in->digits = 0;
	return 0;
}

int code_base64(struct code_in *in, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!in->closed && in->digits == 0 && len - i >= 4 && in->cap - in->len >= 3) {
			unsigned a = base64_values[(uint8_t)text[i]],
			         b = base64_values[(uint8_t)text[i + 1]];
			unsigned c = base64_values[(uint8_t)text[i + 2]],
			         d = base64_values[(uint8_t)text[i + 3]];

			if (a != 0 && b != 0 && c != 0 && d != 0) {
				uint32_t v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

				in->out[in->len++] = (uint8_t)(v >> 16);
				in->out[in->len++] = (uint8_t)(v >> 8);
				in->out[in->len++] = (uint8_t)v;
				i += 3;
				continue;
			}
		}

		int ret = 0;

		if (text[i] == '=') {
			ret = base64_pad(in);
		} else {
			unsigned value = base64_values[(uint8_t)text[i]];

			if (value == 0 || in->closed)
				return -EINVAL;
			in->bits = in->bits << 6 | (value - 1);
			if (++in->digits == 4)
				ret = base64_flush(in, 3);
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

int code_base64_end(const struct code_in *in)
{
	return in->digits == 0 ? 0 : -EINVAL;
}

int code_uint(const char *text, size_t len, uint32_t max, uint32_t *value)
{
	uint64_t sum = 0;

	if (len == 0 || len > 20)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned digit;

		if (digit_of(text[i], &digit) < 0)
			return -EINVAL;
		sum = sum * 10 + digit;
		if (sum > max)
			return -EINVAL;
	}
	*value = (uint32_t)sum;
	return 0;
}

static unsigned unit_seconds(char unit)
{
	switch (unit | 0x20) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

int code_period(const char *text, size_t len, uint32_t *seconds)
{
	uint64_t total = 0, number = 0;
	bool digits = false, units = false;

	for (size_t i = 0; i < len; i++) {
		unsigned digit;

		if (digit_of(text[i], &digit) == 0) {
			number = number * 10 + digit;
			digits = true;
			if (number > UINT32_MAX)
				return -EINVAL;
			continue;
		}

		unsigned unit = unit_seconds(text[i]);

		if (unit == 0 || !digits)
			return -EINVAL;
		total += number * unit;
		if (total > UINT32_MAX)
			return -EINVAL;
		number = 0;
		digits = false;
		units = true;
	}
	// A number without its unit is plain seconds only when it stands alone.
	if (digits ? units : !units)
		return -EINVAL;
	*seconds = (uint32_t)(digits ? number : total);
	return 0;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

int code_time(const char *text, size_t len, uint32_t *seconds)
{
	uint32_t year, month, day, hour, minute, second;

	if (len <= 10)
		return code_uint(text, len, UINT32_MAX, seconds);
	if (len != 14)
		return -EINVAL;
	if (code_uint(text, 4, 9999, &year) < 0 || code_uint(text + 4, 2, 12, &month) < 0 ||
	    code_uint(text + 6, 2, 31, &day) < 0 || code_uint(text + 8, 2, 23, &hour) < 0 ||
	    code_uint(text + 10, 2, 59, &minute) < 0 || code_uint(text + 12, 2, 60, &second) < 0)
		return -EINVAL;
	if (year < 1970 || month < 1 || day < 1 || day > days_of_month(year, month))
		return -EINVAL;
	// Modulo 2^32, as serial number arithmetic has it (RFC 4034 3.1.5).
	*seconds =
	    (uint32_t)(days_of_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second);
	return 0;
}

int code_ipv4(const char *text, size_t len, uint8_t address[4])
{
	size_t i = 0;

	for (int part = 0; part < 4; part++) {
		unsigned value = 0, digits = 0, digit;

		if (part > 0 && (i >= len || text[i++] != '.'))
			return -EINVAL;
		for (; i < len && digit_of(text[i], &digit) == 0; i++, digits++) {
			// No leading zero: some read it as octal.
			if (digits > 0 && value == 0)
				return -EINVAL;
			value = value * 10 + digit;
			if (value > 255)
				return -EINVAL;
		}
		if (digits == 0)
			return -EINVAL;
		address[part] = (uint8_t)value;
	}
	return i == len ? 0 : -EINVAL;
}

int code_ipv6(const char *text, size_t len, uint8_t address[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(AF_INET6, copy, address) == 1 ? 0 : -EINVAL;
}
