// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// LOC records (RFC 1876). Angles are thousandths of an arc second around 2^31, heights are
// centimetres above 100 km below the reference, sizes are a digit and a power of ten of
// centimetres.

#include "rdata_loc.h"

#include <errno.h>
#include <stdio.h>

#include "rdata_field.h"

#define ANGLE_ZERO    0x80000000u
#define DEGREE        3600000u    // thousandths of an arc second
#define ALTITUDE_ZERO 10000000u   // centimetres
#define SIZE_MAX_CM   9000000000u // 9e9: the largest digit and power
#define POWERS        10

static const uint64_t powers[POWERS] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static int angle_print(struct text_out *t, uint32_t angle, uint32_t degrees_max,
    const char *positive, const char *negative)
{
	uint32_t v = angle >= ANGLE_ZERO ? angle - ANGLE_ZERO : ANGLE_ZERO - angle;
	char text[48];

	if (v > degrees_max * DEGREE)
		return -EINVAL;
	snprintf(text, sizeof(text), "%u %u %u.%03u %s", v / DEGREE, v / 60000 % 60, v / 1000 % 60,
	    v % 1000, angle >= ANGLE_ZERO ? positive : negative);
	text_put_words(t, text);
	return 0;
}

static int size_print(struct text_out *t, uint8_t size)
{
	unsigned digit = size >> 4, power = size & 15;
	char text[32];

	// A zero has one spelling in text; another one in the bytes could not be read back.
	if (digit > 9 || power > 9 || (digit == 0 && power != 0))
		return -EINVAL;
	if (power >= 2)
		snprintf(text, sizeof(text), " %um", (unsigned)(digit * powers[power - 2]));
	else
		snprintf(text, sizeof(text), " 0.%02um", (unsigned)(digit * powers[power]));
	text_put_words(t, text);
	return 0;
}

int loc_print(struct text_out *t, const uint8_t *loc, size_t len)
{
	if (len != LOC_LEN || loc[0] != 0)
		return -EINVAL;

	uint32_t altitude = rdata_get32(loc + 12);
	uint32_t height =
	    altitude >= ALTITUDE_ZERO ? altitude - ALTITUDE_ZERO : ALTITUDE_ZERO - altitude;
	char text[48];

	if (angle_print(t, rdata_get32(loc + 4), 90, "N", "S") < 0)
		return -EINVAL;
	text_put_char(t, ' ');
	if (angle_print(t, rdata_get32(loc + 8), 180, "E", "W") < 0)
		return -EINVAL;
	snprintf(text, sizeof(text), " %s%u.%02um", altitude < ALTITUDE_ZERO ? "-" : "",
	    height / 100, height % 100);
	text_put_words(t, text);
	for (int i = 1; i <= 3; i++)
		if (size_print(t, loc[i]) < 0)
			return -EINVAL;
	return 0;
}

// A decimal number with at most `decimals` digits behind the point, as an integer of its last
// place.
static int fixed_scan(struct loc_word word, unsigned decimals, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;
	unsigned behind = 0, digits = 0;
	bool point = false;

	for (size_t i = 0; i < word.len; i++) {
		char c = word.text[i];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9' || (point && behind == decimals))
			return -EINVAL;
		sum = sum * 10 + (unsigned)(c - '0');
		digits++;
		behind += point;
		if (sum > max)
			return -EINVAL;
	}
	if (digits == 0)
		return -EINVAL;
	for (; behind < decimals; behind++)
		sum *= 10;
	if (sum > max)
		return -EINVAL;
	*value = sum;
	return 0;
}

static int direction(struct loc_word word, char positive, char negative)
{
	char c = word.len == 1 ? (char)(word.text[0] & ~0x20) : '\0';

	return c == positive ? 1 : c == negative ? -1 : 0;
}

// degrees [minutes [seconds]] direction. Post: words used or -EINVAL.
static int angle_scan(const struct loc_word *words, size_t count, uint32_t degrees_max,
    char positive, char negative, uint32_t *angle)
{
	static const struct {
		unsigned decimals;
		uint32_t unit;
		uint64_t max;
	} parts[] = {{0, DEGREE, 180}, {0, 60000, 59}, {3, 1, 59999}};
	uint64_t sum = 0;
	size_t used = 0;
	int sign = 0;

	for (size_t part = 0; part < 4 && used < count; part++, used++) {
		uint64_t value;

		sign = direction(words[used], positive, negative);
		if (sign != 0)
			break;
		if (part == 3 ||
		    fixed_scan(words[used], parts[part].decimals, parts[part].max, &value) < 0)
			return -EINVAL;
		sum += value * parts[part].unit;
	}
	if (sign == 0 || used == 0 || sum > degrees_max * DEGREE)
		return -EINVAL;
	*angle = sign > 0 ? ANGLE_ZERO + (uint32_t)sum : ANGLE_ZERO - (uint32_t)sum;
	return (int)used + 1;
}

static struct loc_word without_unit(struct loc_word word)
{
	if (word.len > 1 && (word.text[word.len - 1] | 0x20) == 'm')
		word.len--;
	return word;
}

static int altitude_scan(struct loc_word word, uint32_t *altitude)
{
	uint64_t value;

	word = without_unit(word);
	if (word.len > 1 && word.text[0] == '-') {
		word.text++;
		word.len--;
		if (fixed_scan(word, 2, ALTITUDE_ZERO, &value) < 0)
			return -EINVAL;
		*altitude = ALTITUDE_ZERO - (uint32_t)value;
		return 0;
	}
	if (fixed_scan(word, 2, UINT32_MAX - ALTITUDE_ZERO, &value) < 0)
		return -EINVAL;
	*altitude = ALTITUDE_ZERO + (uint32_t)value;
	return 0;
}

static int size_scan(struct loc_word word, uint8_t *size)
{
	uint64_t value;
	unsigned power = 0;

	if (fixed_scan(without_unit(word), 2, SIZE_MAX_CM + 999999999, &value) < 0)
		return -EINVAL;
	while (power < 9 && value >= powers[power] * 10)
		power++;
	if (value / powers[power] > 9)
		return -EINVAL;
	*size = (uint8_t)(value / powers[power] << 4 | power);
	return 0;
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

int loc_scan(const struct loc_word *words, size_t count, uint8_t loc[LOC_LEN])
{
	uint32_t latitude, longitude, altitude;
	// RFC 1876 3: one metre across, 10 km and 10 m of precision unless told.
	uint8_t sizes[3] = {0x12, 0x16, 0x13};
	int used = angle_scan(words, count, 90, 'N', 'S', &latitude);

	if (used < 0)
		return used;
	words += used;
	count -= (size_t)used;
	used = angle_scan(words, count, 180, 'E', 'W', &longitude);
	if (used < 0)
		return used;
	words += used;
	count -= (size_t)used;
	if (count < 1 || count > 4 || altitude_scan(words[0], &altitude) < 0)
		return -EINVAL;
	for (size_t i = 1; i < count; i++)
		if (size_scan(words[i], &sizes[i - 1]) < 0)
			return -EINVAL;
	loc[0] = 0;
	loc[1] = sizes[0];
	loc[2] = sizes[1];
	loc[3] = sizes[2];
	put32(loc + 4, latitude);
	put32(loc + 8, longitude);
	put32(loc + 12, altitude);
	return 0;
}
