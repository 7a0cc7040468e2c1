// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Hashes of names spread over the places of a table, whatever the key and however regular the
// names: in the buckets of an image's index and in the slots of the zone table, no name is far from
// where it is looked for. Bounds are what random numbers keep to.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "image_probe.h"
#include "qname.h"

#define NAMES 4000
#define KEYS  300

static const char *const patterns[] = {
    "h%05u", "d%07u", "%u", "host-%04u", "www-cust-%08u", "%x", "ip-10-0-%u", "a%u"};
#define PATTERNS (sizeof patterns / sizeof patterns[0])

// splitmix64
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void hashes_make(const char *pattern, const struct hash_key *key, uint64_t hashes[NAMES])
{
	for (unsigned i = 0; i < NAMES; i++) {
		uint8_t name[128] = {0};
		char label[64];
		const int len = snprintf(label, sizeof label, pattern, i);

		name[0] = (uint8_t)len;
		memcpy(name + 1, label, (size_t)len);
		memcpy(name + 1 + len, "\7example", 9);
		hashes[i] = name_hash(name, key);
	}
}

// Post: places looked at for the name that is furthest from its home, of those with room for `room`
// each.
static unsigned furthest(const uint64_t hashes[NAMES], uint32_t count, unsigned room, bool buckets)
{
	static uint8_t used[1 << 14];
	unsigned most = 0;

	assert_true(count <= sizeof used);
	memset(used, 0, count);
	for (unsigned i = 0; i < NAMES; i++) {
		uint32_t at =
		    buckets ? home_bucket(count, hashes[i]) : qname_place(hashes[i]) & (count - 1);
		unsigned looked = 1;

		for (; used[at] == room; looked++) // they are more than are taken
			at = at + 1 == count ? 0 : at + 1;
		used[at]++;
		most = looked > most ? looked : most;
	}
	return most;
}

static void names_that_are_counted_through_stand_where_they_are_looked_for(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (unsigned k = 0; k < KEYS; k++) {
		const struct hash_key key = {{next_random(&random), next_random(&random)}};

		for (unsigned p = 0; p < PATTERNS; p++) {
			static uint64_t hashes[NAMES];

			hashes_make(patterns[p], &key, hashes);
			const unsigned index = furthest(hashes, NAMES / 6 + 1, IMAGE_SLOTS, true);
			const unsigned table = furthest(hashes, 1 << 13, 1, false);

			if (index > 12 || table > 64)
				fail_msg("key %u, %s: %u buckets, %u slots", k, patterns[p], index,
				    table);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_that_are_counted_through_stand_where_they_are_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
