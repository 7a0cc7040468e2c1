// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Text of single values to what they mean; see value.h.
#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

// Digits at *text, which is moved past them.
static bool digits(const char **text, uint64_t max, uint64_t *out)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*text = p;
	*out = n;
	return n <= max;
}

bool value_number(const char *text, uint64_t max, uint64_t *out)
{
	return digits(&text, max < 9 ? 9 : max, out) && *text == '\0' && *out <= max;
}

bool value_bool(const char *text, bool *out)
{
	static const char words[][6] = {"off", "on", "false", "true", "no", "yes"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

bool value_duration_ms(const char *text, uint64_t *out)
{
	static const struct {
		char name[3];
		uint32_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
	    {"w", 604800000}};
	const uint64_t max = 1000000000000; // 31 years, far from overflow below
	uint64_t sum = 0;

	do {
		uint64_t n, unit = 1000;

		if (!digits(&text, max, &n))
			return false;
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			size_t len = strlen(units[i].name);

			if (strncmp(text, units[i].name, len) == 0) {
				unit = units[i].ms;
				text += len;
				break;
			}
		}
		if (n > max / unit || sum > max - n * unit)
			return false;
		sum += n * unit;
	} while (*text != '\0');
	*out = sum;
	return true;
}

bool value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t n;

	if (!digits(&text, (uint64_t)1 << 40, &n))
		return false;
	if (*text != '\0') {
		unit = strchr(units, *text & ~0x20);
		if (unit == NULL || *unit == '\0' || text[1] != '\0')
			return false;
		n <<= 10 * (unit - units + 1);
	}
	*out = n;
	return n <= (uint64_t)1 << 40;
}

const char *value_address(const char *text, uint16_t port_default, struct config_address *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&out->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->addr;
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	uint64_t port = port_default;
	char host[INET6_ADDRSTRLEN];

	*out = (struct config_address){0};
	if (at != NULL && (!value_number(at + 1, 65535, &port) || port == 0))
		return "the port behind '@' is not a number from 1 to 65535";
	if (len == 0 || len >= sizeof(host))
		return "an IPv4 or IPv6 address is expected";
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		out->addr_len = sizeof(*in4);
		return NULL;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		out->addr_len = sizeof(*in6);
		return NULL;
	}
	return "an IPv4 or IPv6 address is expected";
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int value_base64(const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	if (len == 0 || len % 4 != 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t group = 0;
		unsigned pad = 0;

		for (unsigned k = 0; k < 4; k++) {
			int digit = base64_digit(text[i + k]);

			if (text[i + k] == '=' && i + 4 == len && k >= 2) {
				pad++;
				digit = 0;
			} else if (digit < 0 || pad > 0) {
				return -EINVAL;
			}
			group = group << 6 | (uint32_t)digit;
		}
		for (unsigned k = 0; k < 3 - pad; k++) {
			if (n == cap)
				return -ENOSPC;
			out[n++] = (uint8_t)(group >> (16 - 8 * k));
		}
	}
	return (int)n;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool value_hex(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	if (text_len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
