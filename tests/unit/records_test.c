// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Sorting a version's records, held against the simplest sort there is: whatever order they come
// in, however long the common end of their names, whatever was written in capitals or said twice.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "name.h"
#include "rdata.h"
#include "records.h"
#include "rrtype.h"

#define RECORDS_MAX 600

static const uint8_t apex[] = "\7example\3com";

// One record as it came.
struct given {
	uint8_t owner[NAME_LEN_MAX];
	uint16_t type;
	uint8_t rdata[32];
	uint16_t rdlen;
};

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

// A few labels from a few words: names that are equal, that differ in case or in their last byte
// only, that begin (from the right) with the same eight bytes or none.
static void owner_draw(uint8_t owner[NAME_LEN_MAX])
{
	static const char *const words[] = {"a", "A", "b", "*", "-", "same-beginning-1",
	    "same-beginning-2", "SAME-beginning-2", "n0000001", "n0000002"};
	char text[256] = "";
	const uint32_t labels = draw(4);

	for (uint32_t i = 0; i < labels; i++) {
		strcat(text, words[draw(10)]);
		strcat(text, ".");
	}
	strcat(text, "example.com.");
	assert_true(name_from_text(text, strlen(text), NULL, owner) > 0);
}

static void given_draw(struct given *g)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_TXT, RRTYPE_NS, RRTYPE_RRSIG};

	owner_draw(g->owner);
	g->type = types[draw(4)];
	memset(g->rdata, 0, sizeof(g->rdata));
	switch (g->type) {
	case RRTYPE_A:
		g->rdlen = 4;
		g->rdata[3] = (uint8_t)draw(3);
		break;
	case RRTYPE_TXT:
		g->rdlen = 2;
		g->rdata[0] = 1;
		g->rdata[1] = (uint8_t)("xX"[draw(2)]);
		break;
	case RRTYPE_NS:
		g->rdlen = 3;
		g->rdata[0] = 1;
		g->rdata[1] = (uint8_t)("xX"[draw(2)]); // names: X is x
		break;
	default:
		g->rdlen = 20;
		g->rdata[1] = (uint8_t)(draw(2) != 0 ? RRTYPE_A : RRTYPE_TXT);
		g->rdata[19] = (uint8_t)draw(2);
	}
}

static int covered(const struct given *g)
{
	return g->type == RRTYPE_RRSIG ? g->rdata[0] << 8 | g->rdata[1] : 0;
}

static int order_of(const struct given *a, const struct given *b)
{
	const int order = name_compare(a->owner, b->owner);

	return order != 0           ? order
	       : a->type != b->type ? a->type - b->type
	                            : covered(a) - covered(b);
}

static bool is_repeated(const struct given *a, const struct given *b)
{
	return name_equal(a->owner, b->owner) && a->type == b->type &&
	       rdata_compare(a->type, a->rdata, a->rdlen, b->rdata, b->rdlen) == 0;
}

// Without what was there before, each put behind all that are not greater.
static size_t sort_simply(const struct given *given, size_t count, const struct given **out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = kept;
		bool repeated = false;

		for (size_t j = 0; j < i && !repeated; j++)
			repeated = is_repeated(&given[j], &given[i]);
		if (repeated)
			continue;
		for (; at > 0 && order_of(out[at - 1], &given[i]) > 0; at--)
			out[at] = out[at - 1];
		out[at] = &given[i];
		kept++;
	}
	return kept;
}

static int by_owner(const void *a, const void *b)
{
	return name_compare(((const struct given *)a)->owner, ((const struct given *)b)->owner);
}

static void hold_against_simple_sort(const struct given *given, size_t count)
{
	static const struct given *expected[RECORDS_MAX];
	struct records *records = records_new(apex);
	const size_t kept = sort_simply(given, count, expected);

	assert_non_null(records);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(records_add(records, given[i].owner, given[i].type, 300,
		                     given[i].rdata, given[i].rdlen),
		    0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(records->count, kept);
	for (size_t i = 0, first = 0; i < kept; i++) {
		const struct record *r = &records->items[i];
		assert_true(name_equal(r->owner, expected[i]->owner));
		// As the first of its lowest type spells it.
		if (!name_equal(expected[first]->owner, expected[i]->owner))
			first = i;
		assert_memory_equal(r->owner, expected[first]->owner, r->owner_len);
		assert_int_equal(r->type, expected[i]->type);
		assert_int_equal(r->rdlen, expected[i]->rdlen);
		assert_memory_equal(r->rdata, expected[i]->rdata, r->rdlen);
		// One owner, one pointer: what comes after the sort relies on it.
		if (i > 0)
			assert_int_equal(r->owner == r[-1].owner,
			    name_equal(expected[i]->owner, expected[i - 1]->owner));
	}
	records_free(records);
}

static void any_order_comes_to_what_a_simple_sort_makes(void **state)
{
	static struct given given[RECORDS_MAX];
	(void)state;

	for (seed = 1; seed < 400; seed += 7) {
		const uint32_t first = seed;
		const size_t count = 1 + draw(RECORDS_MAX);

		for (size_t i = 0; i < count; i++)
			given_draw(&given[i]);
		hold_against_simple_sort(given, count);
		// In order already, but for the types of an owner; and with one that is late.
		// In stretches that ascend, few and many.
		for (size_t pieces = 2 + draw(40), i = 0; i < pieces; i++)
			qsort(given + count * i / pieces,
			    count * (i + 1) / pieces - count * i / pieces, sizeof(given[0]),
			    by_owner);
		hold_against_simple_sort(given, count);
		qsort(given, count, sizeof(given[0]), by_owner);
		hold_against_simple_sort(given, count);
		const struct given late = given[0];
		memmove(given, given + 1, (count - 1) * sizeof(given[0]));
		given[count - 1] = late;
		hold_against_simple_sort(given, count);
		seed = first;
	}
}

// More than are sorted where they stand, by type and by what they cover.
static void an_owner_of_many_records_keeps_their_order_of_arrival(void **state)
{
	static struct given given[RECORDS_MAX];
	(void)state;

	seed = 4711;
	for (size_t i = 0; i < RECORDS_MAX; i++) {
		given_draw(&given[i]);
		memcpy(given[i].owner, apex, sizeof(apex));
		given[i].rdata[given[i].rdlen - 1] = (uint8_t)draw(200);
		if (given[i].type == RRTYPE_NS)
			memcpy(given[i].rdata, "\1x", 3);
	}
	hold_against_simple_sort(given, RECORDS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_order_comes_to_what_a_simple_sort_makes),
	    cmocka_unit_test(an_owner_of_many_records_keeps_their_order_of_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
