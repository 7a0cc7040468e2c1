// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone that comes again: what is only marked, and the difference that comes of it, which must
// make of the version before what the records themselves make. A table of zones told as text, then
// random ones.
#include "seen.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone_text.h"

#define SIG(type, data) "RRSIG " type " 8 2 60 20300101000000 20200101000000 1 example. " data "\n"

static int by_line(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

// Sorted lines: the order of an RRset's records is no difference.
static char *lines_of(const struct records *records)
{
	char *text = text_of(records), *sorted = calloc(1, strlen(text) + 1), *rest = text;
	char **lines = calloc(records->count + 1, sizeof(*lines));

	for (size_t i = 0; i < records->count; i++)
		lines[i] = strsep(&rest, "\n");
	qsort(lines, records->count, sizeof(*lines), by_line);
	for (char *at = sorted, **line = lines; *line != NULL; line++)
		at += sprintf(at, "%s\n", *line);
	free(lines);
	free(text);
	return sorted;
}

static void count_release(void *ctx)
{
	++*(unsigned *)ctx;
}

// A zone that has come. Each `seen` is released once.
struct again {
	struct zone_version version;
	struct image_buffer buffer;
	struct records *rest;
	struct seen *seen;
	unsigned released;
};

static void again_open(struct again *a, struct records *before, const struct records *after)
{
	*a = (struct again){.rest = records_new(apex)};
	assert_int_equal(records_sort(before), 0);
	version_of(before, &a->version, &a->buffer);
	a->seen = seen_new(&a->version, 4711, count_release, &a->released);
	assert_non_null(a->seen);
	assert_int_equal(seen_content(a->seen), 4711);
	for (size_t i = 0; i < after->count; i++) {
		const struct record *r = &after->items[i];

		assert_int_equal(
		    seen_record(a->seen, a->rest, r->owner, r->type, r->ttl, r->rdata, r->rdlen),
		    0);
	}
	assert_int_equal(seen_end(a->seen, a->rest), 0);
}

static void again_close(struct again *a)
{
	seen_free(a->seen);
	assert_int_equal(a->released, 1);
	records_free(a->rest);
	image_buffer_close(&a->buffer);
}

// As the compiler has it: sorted, an RRset has the TTL of its first.
static void settle(struct records *records)
{
	assert_int_equal(records_sort(records), 0);
	for (size_t i = 1; i < records->count; i++) {
		struct record *r = &records->items[i], *before = r - 1;

		if (r->owner == before->owner && r->type == before->type &&
		    (r->type != RRTYPE_RRSIG || memcmp(r->rdata, before->rdata, 2) == 0))
			r->ttl = before->ttl;
	}
}

// Post: the difference; it was proven to lead where the records do.
static struct delta *leads(struct records *before, struct records *after)
{
	char error[DELTA_ERROR_MAX], *want, *got;
	struct records *applied;
	struct delta *delta;
	struct again a;

	again_open(&a, before, after);
	assert_int_equal(seen_delta(a.seen, a.rest, 2, &delta), 0);
	assert_int_equal(delta->from, 1);
	assert_int_equal(delta->to, 2);
	assert_int_equal(delta->steps, 1);
	if (delta_apply(delta, &a.version, &applied, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(seen_restore(a.seen, a.rest), 0);
	again_close(&a);
	settle(after);
	want = lines_of(after);
	got = lines_of(applied);
	assert_string_equal(got, want);
	free(got);
	free(want);
	records_free(applied);
	return delta;
}

static const struct {
	const char *before, *after, *changes; // sorted lines of what changes, NULL: not looked at
} rows[] = {
    {SOA(1) NS, SOA(2) NS, ""},
    {SOA(1) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.2\n",
        SOA(2) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.3\n", "+b 60 A 192.0.2.3\n-b 60 A 192.0.2.2\n"},
    {SOA(1) NS "a 60 A 192.0.2.1\n", SOA(2) NS, "-a 60 A 192.0.2.1\n"},
    {SOA(1) NS, SOA(2) NS "a 60 A 192.0.2.1\n", "+a 60 A 192.0.2.1\n"},
    // A name keeps what it has and gets more, or loses some.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\n",
        SOA(2) NS "a 60 A 192.0.2.2\na 60 A 192.0.2.3\n", "+a 60 A 192.0.2.3\n-a 60 A 192.0.2.1\n"},
    // Whatever the order.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\na 60 TXT x\nb 60 TXT y\n",
        SOA(2) "b 60 TXT y\na 60 TXT x\na 60 A 192.0.2.2\na 60 A 192.0.2.1\n" NS, ""},
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 TXT x\nb 60 TXT y\n",
        SOA(2) NS "a 60 A 192.0.2.1\nb 60 TXT y\na 60 TXT x\n", ""},
    {SOA(1) NS "a 60 A 192.0.2.1\n", SOA(2) NS "a 60 A 192.0.2.1\nb 60 TXT y\na 60 TXT x\n",
        "+a 60 TXT \"x\"\n+b 60 TXT \"y\"\n"},
    // Twice.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\n",
        SOA(2) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.1\na 60 A 192.0.2.2\na 60 A 192.0.2.1\n", ""},
    {SOA(1) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.2\n",
        SOA(2) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.2\na 60 A 192.0.2.1\n", ""},
    {SOA(1) NS, SOA(2) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.2\na 60 A 192.0.2.1\n",
        "+a 60 A 192.0.2.1\n+b 60 A 192.0.2.2\n"},
    // The TTL of all, of one (the first counts), and of one RRset of several.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\na 60 TXT x\n",
        SOA(2) NS "a 61 A 192.0.2.1\na 61 A 192.0.2.2\na 60 TXT x\n",
        "+a 61 A 192.0.2.1\n+a 61 A 192.0.2.2\n-a 60 A 192.0.2.1\n-a 60 A 192.0.2.2\n"},
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\n",
        SOA(2) NS "a 60 A 192.0.2.1\na 99 A 192.0.2.2\n", ""},
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\n",
        SOA(2) NS "a 99 A 192.0.2.1\na 60 A 192.0.2.2\n",
        "+a 99 A 192.0.2.1\n+a 99 A 192.0.2.2\n-a 60 A 192.0.2.1\n-a 60 A 192.0.2.2\n"},
    {SOA(1) NS "a 60 A 192.0.2.1\n", SOA(2) NS "a 60 A 192.0.2.1\na 99 A 192.0.2.2\n",
        "+a 60 A 192.0.2.2\n"},
    // The spelling of a name is that of the first record of its lowest type.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 TXT x\n", SOA(2) NS "A 60 A 192.0.2.1\nA 60 TXT x\n",
        "+A 60 A 192.0.2.1\n+A 60 TXT \"x\"\n-a 60 A 192.0.2.1\n-a 60 TXT \"x\"\n"},
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 TXT x\n", SOA(2) NS "a 60 A 192.0.2.1\nA 60 TXT x\n", ""},
    {SOA(1) NS "A 60 A 192.0.2.1\na 60 TXT x\n", SOA(2) NS "A 60 TXT x\na 60 A 192.0.2.1\n",
        "+a 60 A 192.0.2.1\n+a 60 TXT \"x\"\n-A 60 A 192.0.2.1\n-A 60 TXT \"x\"\n"},
    {SOA(1) NS "a 60 TXT x\n", SOA(2) NS "A 60 A 192.0.2.1\na 60 TXT x\n",
        "+A 60 A 192.0.2.1\n+A 60 TXT \"x\"\n-a 60 TXT \"x\"\n"},
    // That of names in the data counts, and is no other record.
    {SOA(1) NS "a 60 MX 1 mx\n", SOA(2) NS "a 60 MX 1 MX\n",
        "+a 60 MX 1 MX.example.\n-a 60 MX 1 mx.example.\n"},
    {SOA(1) NS "a 60 MX 1 mx\n", SOA(2) NS "a 60 MX 1 mx\na 60 MX 1 MX\n", ""},
    // Cuts come and go, and names that others need.
    {SOA(1) NS "c 60 NS ns.c\nns.c 60 A 192.0.2.1\n",
        SOA(2) NS "c 60 A 192.0.2.2\nns.c 60 A 192.0.2.1\n",
        "+c 60 A 192.0.2.2\n-c 60 NS ns.c.example.\n"},
    {SOA(1) NS "x.y.z 60 A 192.0.2.1\n", SOA(2) NS "y.z 60 A 192.0.2.1\n",
        "+y.z 60 A 192.0.2.1\n-x.y.z 60 A 192.0.2.1\n"},
    {SOA(1) NS "x.y.z 60 A 192.0.2.1\n", SOA(2) NS "y.z 60 A 192.0.2.2\nx.y.z 60 A 192.0.2.1\n",
        "+y.z 60 A 192.0.2.2\n"},
    // Signatures, one by one, and where there is nothing else.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 " SIG("A", "AAAA") "b 60 " SIG("MX", "AAAA"),
        SOA(2) NS "a 60 " SIG("A", "AAAA") "a 60 A 192.0.2.1\nb 60 " SIG("MX", "AAAA"), ""},
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 " SIG("A", "AAAA"),
        SOA(2) NS "a 60 A 192.0.2.1\na 60 " SIG("A", "AAEA"), NULL},
    // Owners of NSEC3 are in no index.
    {SOA(1) NS
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 60 NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n",
        SOA(2) NS
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 60 NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n",
        ""},
};

// Lines with a sign in front, sorted; the SOA's left out.
static char *changes_of(const struct delta *delta)
{
	struct records one = {.items = delta->changes->items};
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (int sign = 1; sign >= 0; sign--) {
		struct record *items = calloc(delta->changes->count + 1, sizeof(*items));
		size_t n = 0;

		for (size_t i = 0; i < delta->changes->count; i++)
			if (delta->added[i] == sign && delta->changes->items[i].type != RRTYPE_SOA)
				items[n++] = delta->changes->items[i];
		one.items = items;
		one.count = n;
		char *lines = lines_of(&one);
		for (char *at = lines, *end; *at != '\0'; at = end + 1) {
			end = strchr(at, '\n');
			*end = '\0';
			char *dot = strstr(at, ".example. ");
			assert_non_null(dot);
			fprintf(out, "%c%.*s%s\n", sign ? '+' : '-', (int)(dot - at), at, dot + 9);
		}
		free(lines);
		free(items);
	}
	fclose(out);
	return text;
}

static void each_zone_that_comes_again_is_the_difference_it_makes(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct records *before = zone_of(rows[i].before), *after = zone_of(rows[i].after);
		struct delta *delta = leads(before, after);
		char *changes = changes_of(delta);

		if (rows[i].changes != NULL)
			assert_string_equal(changes, rows[i].changes);
		free(changes);
		delta_free(delta);
		records_free(before);
		records_free(after);
	}
}

static void what_is_the_same_is_not_kept(void **state)
{
	struct records *before = zone_of(SOA(1) NS), *after = zone_of(SOA(2) NS);
	uint8_t owner[NAME_LEN_MAX], address[4] = {192, 0, 2, 1};
	struct delta *delta;
	struct again a;

	for (unsigned i = 0; i < 5000; i++) {
		const int len = snprintf((char *)owner, sizeof(owner), "\5n%04u", i);

		memcpy(owner + len, apex, sizeof(apex));
		assert_int_equal(records_add(before, owner, RRTYPE_A, 60, address, 4), 0);
		assert_int_equal(records_add(after, owner, RRTYPE_A, 60, address, 4), 0);
	}
	again_open(&a, before, after);
	assert_int_equal(a.rest->count, 2); // the apex
	assert_int_equal(seen_delta(a.seen, a.rest, 2, &delta), 0);
	assert_int_equal(delta->changes->count, 2);
	delta_free(delta);
	assert_int_equal(seen_restore(a.seen, a.rest), 0);
	assert_int_equal(a.rest->count, after->count);
	again_close(&a);
	records_free(before);
	records_free(after);
}

static void an_owner_of_an_nsec3_is_only_marked(void **state)
{
	static const char nsec3[] = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 60 NSEC3 1 0 0 - "
	                            "2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n";
	char text[2][512];
	struct again a;

	for (int i = 0; i < 2; i++)
		snprintf(text[i], sizeof(text[i]), "%s" NS "%s", i == 0 ? SOA(1) : SOA(2), nsec3);
	struct records *before = zone_of(text[0]), *after = zone_of(text[1]);

	again_open(&a, before, after);
	assert_int_equal(a.rest->count, 2); // the apex
	again_close(&a);
	records_free(before);
	records_free(after);
}

// Of 5,000 names: `same` come again as they were, the others with another address or (`gone`) not.
static void much_differs(unsigned same, bool gone, bool too_much)
{
	struct records *before = zone_of(SOA(1) NS), *after = zone_of(SOA(2) NS);
	uint8_t owner[NAME_LEN_MAX], address[4] = {192, 0, 2};
	struct delta *delta;
	struct again a;

	for (unsigned i = 0; i < 5000; i++) {
		const int len = snprintf((char *)owner, sizeof(owner), "\5n%04u", i);

		memcpy(owner + len, apex, sizeof(apex));
		address[3] = 1;
		assert_int_equal(records_add(before, owner, RRTYPE_A, 60, address, 4), 0);
		address[3] = i >= 5000 - same ? 1 : 2;
		if (address[3] == 1 || !gone)
			assert_int_equal(records_add(after, owner, RRTYPE_A, 60, address, 4), 0);
	}
	again_open(&a, before, after);
	assert_int_equal(seen_delta(a.seen, a.rest, 2, &delta), too_much ? -E2BIG : 0);
	delta_free(delta);
	assert_int_equal(seen_restore(a.seen, a.rest), 0);
	settle(a.rest);
	settle(after);
	char *want = lines_of(after), *got = lines_of(a.rest);

	if (too_much)
		assert_string_equal(got, want); // nothing was lost
	free(want);
	free(got);
	again_close(&a);
	records_free(before);
	records_free(after);
}

static void what_differs_too_much_is_all_there(void **state)
{
	much_differs(4990, false, false);
	much_differs(4700, false, false);
	much_differs(4500, false, true);
	much_differs(4500, true, true);
	much_differs(1000, false, true); // it stops looking half way
	much_differs(0, false, true);
	much_differs(0, true, true);
}

// --- random zones
// -----------------------------------------------------------------------------------------------

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % below);
}

enum { NAMES = 8, TYPES = 4, DATA = 4 };

// What a zone has. A spelling and TTLs are of a name and of an RRset, unless `careless`.
struct model {
	bool has[NAMES][TYPES][DATA];
	bool upper[NAMES];
	unsigned ttl[NAMES][TYPES];
};

static void model_change(struct model *m, unsigned one_in)
{
	for (unsigned n = 0; n < NAMES; n++) {
		if (random_below(one_in) == 0)
			m->upper[n] = !m->upper[n];
		for (unsigned t = 0; t < TYPES; t++) {
			if (random_below(one_in) == 0)
				m->ttl[n][t] = random_below(3);
			for (unsigned d = 0; d < DATA; d++)
				if (random_below(one_in) == 0)
					m->has[n][t][d] = random_below(2);
		}
	}
}

static void model_line(FILE *out, const struct model *m, unsigned at, bool careless)
{
	const unsigned n = at / (TYPES * DATA), t = at / DATA % TYPES, d = at % DATA;
	const char *types[TYPES] = {"A 192.0.2.", "TXT t", "MX 1 mx",
	    "RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAA"};
	const char *data[2][DATA] = {{"1", "2", "3", "4"}, {"A", "E", "I", "M"}};
	const bool upper = careless && random_below(4) == 0 ? random_below(2) : m->upper[n];
	const unsigned ttl = careless && random_below(4) == 0 ? random_below(3) : m->ttl[n][t];

	if (!m->has[n][t][d])
		return;
	fprintf(out, "%c%s %u %s%s\n", (upper ? 'A' : 'a') + (int)(n / 2), n % 2 != 0 ? ".z" : "",
	    60 + ttl, types[t], data[t == TYPES - 1][d]);
}

// `shuffled`: in any order, some twice.
static struct records *model_zone(
    const struct model *m, unsigned serial, bool shuffled, bool careless)
{
	unsigned order[NAMES * TYPES * DATA];
	struct records *records;
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (unsigned i = 0; i < NAMES * TYPES * DATA; i++)
		order[i] = i;
	for (unsigned i = NAMES * TYPES * DATA; shuffled && i-- > 1;) {
		const unsigned k = random_below(i + 1), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
	fprintf(out, "@ 300 SOA ns h %u 3600 600 604800 60\n" NS, serial);
	for (unsigned i = 0; i < NAMES * TYPES * DATA; i++) {
		model_line(out, m, order[i], careless);
		if (shuffled && random_below(8) == 0)
			model_line(out, m, order[random_below(i + 1)], careless);
	}
	fclose(out);
	records = zone_of(text);
	free(text);
	return records;
}

static void random_zones_lead(bool shuffled, bool careless)
{
	for (unsigned round = 0; round < 700; round++) {
		struct model model = {0};

		model_change(&model, 1);
		struct records *before = model_zone(&model, 1, random_below(2), careless);

		model_change(&model, 1 + random_below(40));
		struct records *after = model_zone(&model, 2, shuffled, careless);

		delta_free(leads(before, after));
		records_free(before);
		records_free(after);
	}
}

static void random_zones_make_what_their_records_make(void **state)
{
	random_zones_lead(false, false);
	random_zones_lead(true, false);
	random_zones_lead(false, true); // TTLs and spellings that differ within a name
}

// `count` addresses at one name; of those the last is another in the later version, or is the same.
static struct records *name_of_many(unsigned serial, unsigned count, bool other_last)
{
	struct records *records = serial == 1 ? zone_of(SOA(1) NS) : zone_of(SOA(2) NS);

	for (unsigned i = 0; i < count; i++) {
		const bool changed = other_last && i + 1 == count;
		const uint8_t address[4] = {changed ? 10 : 192, 0, (uint8_t)(i >> 8), (uint8_t)i};

		assert_int_equal(records_add(records, (const uint8_t *)"\1a\7example", RRTYPE_A, 60,
		                     address, sizeof(address)),
		    0);
	}
	return records;
}

static void a_name_may_have_many_records(void **state)
{
	static const unsigned counts[] = {63, 64, 65, 127, 128, 129, 300};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (int changes = 0; changes < 2; changes++) {
			struct records *before = name_of_many(1, counts[i], false);
			struct records *after = name_of_many(2, counts[i], changes != 0);
			struct delta *delta = leads(before, after);

			assert_int_equal(delta->changes->count, changes != 0 ? 4 : 2);
			delta_free(delta);
			records_free(before);
			records_free(after);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_may_have_many_records),
	    cmocka_unit_test(each_zone_that_comes_again_is_the_difference_it_makes),
	    cmocka_unit_test(what_is_the_same_is_not_kept),
	    cmocka_unit_test(an_owner_of_an_nsec3_is_only_marked),
	    cmocka_unit_test(what_differs_too_much_is_all_there),
	    cmocka_unit_test(random_zones_make_what_their_records_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
