// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Differences applied to a version: a table of zones, changes and what must come of them, told as
// zone text; then random versions, whose difference must lead from one to the other.
#include "delta.h"
#include "overlay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "zone_text.h"

// Lines that begin with '-' or '+'.
struct change {
	struct delta *delta;
	bool added;
};

static int change_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	const struct change *change = ctx;

	return delta_add(change->delta, change->added, owner, type, ttl, rdata, rdlen);
}

static struct delta *delta_of(const char *text, uint32_t from)
{
	struct change change = {.delta = delta_new(apex, from)};

	for (const char *end; *text != '\0'; text = end) {
		end = strchr(text, '\n') + 1;
		change.added = *text == '+';
		zone_text_parse(text + 1, (size_t)(end - text - 1), change_take, &change);
	}
	return change.delta;
}

static int apply(struct records *before, const struct delta *delta, struct records **after,
    char error[DELTA_ERROR_MAX])
{
	struct zone_version version;
	struct image_buffer buffer;
	int rc;

	assert_int_equal(records_sort(before), 0);
	version_of(before, &version, &buffer);
	rc = delta_apply(delta, &version, after, error);
	image_buffer_close(&buffer); // nothing in the result may be borrowed from there
	return rc;
}

static const struct row {
	const char *before, *changes, *after, *error; // `after` or `error`
} rows[] = {
    {SOA(1) NS, "-" SOA(1) "+" SOA(2) "+new 60 A 192.0.2.1\n", SOA(2) NS "new 60 A 192.0.2.1\n",
        NULL},
    {SOA(1) NS "a 60 A 192.0.2.1\nb 60 A 192.0.2.2\nc 60 A 192.0.2.3\n",
        "-" SOA(1) "-b 60 A 192.0.2.2\n+" SOA(2), SOA(2) NS "a 60 A 192.0.2.1\nc 60 A 192.0.2.3\n",
        NULL},
    // Below the last name, before the first below the apex.
    {SOA(1) NS "m 60 A 192.0.2.1\n",
        "-" SOA(1) "+" SOA(2) "+z 60 TXT z\n+a 60 TXT a\n+m 60 TXT m\n",
        SOA(2) NS "a 60 TXT a\nm 60 A 192.0.2.1\nm 60 TXT m\nz 60 TXT z\n", NULL},
    // Several steps: what one brings, a later one takes.
    {SOA(1) NS,
        "-" SOA(1) "+" SOA(2) "+t 60 TXT one\n-" SOA(2) "-t 60 TXT one\n+" SOA(
            3) "+t 60 TXT two\n-" SOA(3) "+" SOA(4) "+t 60 TXT one\n",
        SOA(4) NS "t 60 TXT two\nt 60 TXT one\n", NULL},
    // Out and in again within one step: nothing but the TTL.
    {SOA(1) NS "t 60 TXT a\n", "-" SOA(1) "-t 60 TXT a\n+" SOA(2) "+t 90 TXT a\n",
        SOA(2) NS "t 90 TXT a\n", NULL},
    // The TTL of what goes does not matter (BIND wants it equal, Knot does not look); what
    // comes gives its TTL to the RRset.
    {SOA(1) NS "t 60 TXT a\nt 60 TXT b\nt 60 A 192.0.2.1\n",
        "-" SOA(1) "-t 1 TXT a\n+" SOA(2) "+t 90 TXT c\n",
        SOA(2) NS "t 60 A 192.0.2.1\nt 90 TXT b\nt 90 TXT c\n", NULL},
    // Case of owners and of names in rdata is no difference.
    {SOA(1) NS "Host 60 MX 1 Mail\nother 60 A 192.0.2.1\n",
        "-" SOA(1) "-hOST 60 MX 1 mAIL\n+" SOA(2) "+OTHER 60 A 192.0.2.2\n",
        SOA(2) NS "other 60 A 192.0.2.1\nother 60 A 192.0.2.2\n", NULL},
    // One that fits and one that does not: nothing is taken.
    {SOA(1) NS "Host 60 A 192.0.2.1\n",
        "-" SOA(1) "-Host 60 A 192.0.2.1\n-other 60 A 192.0.2.9\n+" SOA(2), NULL,
        "other.example. A: the difference removes a record that is not there"},
    // Signatures: an RRset for each type they cover.
    {SOA(1) NS "s 60 A 192.0.2.1\n"
               "s 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 @ AAAA\n"
               "s 70 TXT t\n"
               "s 70 RRSIG TXT 8 2 70 20300101000000 20200101000000 1 @ AAAA\n",
        "-" SOA(1) "-s 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 @ AAAA\n+" SOA(
            2) "+s 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 @ AAAB\n",
        SOA(2) NS "s 60 A 192.0.2.1\ns 70 TXT t\n"
                  "s 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 @ AAAB\n"
                  "s 70 RRSIG TXT 8 2 70 20300101000000 20200101000000 1 @ AAAA\n",
        NULL},
    // An empty non-terminal gets records; one that had some is one again.
    {SOA(1) NS "a.b 60 A 192.0.2.1\nc 60 TXT c\nd.c 60 TXT d\n",
        "-" SOA(1) "-c 60 TXT c\n+" SOA(2) "+b 60 TXT b\n",
        SOA(2) NS "b 60 TXT b\na.b 60 A 192.0.2.1\nd.c 60 TXT d\n", NULL},
    {SOA(1) NS, "-" SOA(1) "-gone 60 A 192.0.2.1\n+" SOA(2), NULL,
        "gone.example. A: the difference removes a record that is not there"},
    {SOA(1) NS "t 60 TXT a\n", "-" SOA(1) "-t 60 TXT b\n+" SOA(2), NULL,
        "t.example. TXT: the difference removes a record that is not there"},
    {SOA(1) NS "t 60 TXT a\n", "-" SOA(1) "+" SOA(2) "+t 60 TXT a\n", NULL,
        "t.example. TXT: the difference adds a record that is there already"},
    {SOA(1) NS "t 60 NS a\n", "-" SOA(1) "+" SOA(2) "+T 90 NS A\n", NULL,
        "t.example. NS: the difference adds a record that is there already"},
    {SOA(1) NS "t 60 TXT a\n", "-" SOA(1) "-t 60 TXT a\n-t 60 TXT a\n+" SOA(2), NULL,
        "removes a record that is not there"},
    {SOA(1) NS, "-" SOA(1) "+" SOA(2) "+t 60 TXT a\n-" SOA(2) "+" SOA(3) "+t 60 TXT a\n", NULL,
        "adds a record that is there already"},
    // Our SOA is another one under the same serial.
    {SOA(1) NS, "-@ 300 SOA other h 1 3600 600 604800 60\n+" SOA(2), NULL,
        "example. SOA: the difference removes a record that is not there"},
    {SOA(5) NS, "-" SOA(1) "+" SOA(2), NULL, "starts from serial 1, not from ours (5)"},
};

static void each_difference_leads_where_it_says_or_is_refused_with_its_reason(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct records *before = zone_of(row->before), *after = NULL;
		struct delta *delta = delta_of(row->changes, 1);
		char error[DELTA_ERROR_MAX] = "";
		int rc = apply(before, delta, &after, error);

		if (row->error != NULL) {
			if (rc != -EINVAL || strstr(error, row->error) == NULL)
				fail_msg("row %zu: %d \"%s\"", i, rc, error);
		} else {
			struct records *want = zone_of(row->after);

			if (rc != 0)
				fail_msg("row %zu: %s", i, error);
			assert_int_equal(records_sort(after), 0);
			assert_int_equal(records_sort(want), 0);
			char *got_text = text_of(after), *want_text = text_of(want);

			if (strcmp(got_text, want_text) != 0)
				fail_msg("row %zu: want\n%sgot\n%s", i, want_text, got_text);
			free(got_text);
			free(want_text);
			records_free(want);
			records_free(after);
		}
		delta_free(delta);
		records_free(before);
	}
}

// The owner of an NSEC3 is no name to a query, and so not in the index. It need not look like a
// hash.
static void whatever_owns_an_nsec3_can_change(void **state)
{
	static const char *const owners[] = {
	    "139abrdcfnreaq72m4ijosk6d7nbrour", "odd", "139abrdcfnreaq72m4ijosk6d7nbrour.a"};

	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		char text[512], error[DELTA_ERROR_MAX] = "";
		struct zone_version version;
		struct image_buffer buffer;
		struct overlay overlay;

		snprintf(text, sizeof(text),
		    "@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns.test.\na 60 A 192.0.2.1\nb 60 A "
		    "192.0.2.1\n"
		    "%s 60 NSEC3 1 0 0 - ONIB9MGUB9H0RML3CDF5BGRJ59DKJHVK A\n",
		    owners[i]);
		struct records *before = zone_of(text);

		snprintf(text, sizeof(text),
		    "-@ 60 SOA ns host 1 2 3 4 5\n-%s 60 NSEC3 1 0 0 - "
		    "ONIB9MGUB9H0RML3CDF5BGRJ59DKJHVK A\n"
		    "+@ 60 SOA ns host 2 2 3 4 5\n+%s 60 NSEC3 1 0 0 - "
		    "ONIB9MGUB9H0RML3CDF5BGRJ59DKJHVK TXT\n",
		    owners[i], owners[i]);
		struct delta *delta = delta_of(text, 1);

		delta->to = 2;
		delta->steps = 1;
		assert_int_equal(records_sort(before), 0);
		version_of(before, &version, &buffer);
		const int rc = overlay_make(&version, delta, &version, NULL, 1000, &overlay, error);

		if (rc != 0)
			fail_msg("%s: %d, %s", owners[i], rc, error);
		overlay_free(&overlay);
		delta_free(delta);
		records_free(before);
		image_buffer_close(&buffer);
	}
}

// `most` records of a type are fine, one more is not.
static void rrset_grows_past(uint32_t most)
{
	struct records *before = zone_of(SOA(1) NS), *after;
	struct delta *delta = delta_of("-" SOA(1) "+" SOA(2), 1);
	char error[DELTA_ERROR_MAX];

	delta->changes->rrset_max = most;
	for (uint32_t i = 0; i <= most; i++) {
		const uint8_t rdata[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		if (i == most) {
			assert_int_equal(apply(before, delta, &after, error), 0);
			assert_int_equal(after->rrset_max, most);
			records_free(after);
		}
		assert_int_equal(delta_add(delta, true, apex, RRTYPE_A, 60, rdata, 4), 0);
	}
	assert_int_equal(apply(before, delta, &after, error), -EINVAL);
	assert_non_null(strstr(error, "example. A: too many records"));
	delta_free(delta);
	records_free(before);
}

static void an_rrset_that_grows_past_a_message_or_the_limit_is_refused(void **state)
{
	rrset_grows_past(RECORDS_RRSET_MAX);
	rrset_grows_past(7);
}

// A primary that sends the records of two RRsets in turn gets no further.
static void interleaved_past(uint32_t most)
{
	struct records *records = zone_of(SOA(1) NS);
	char error[RECORDS_ERROR_MAX];

	assert_int_equal(records->rrset_max, RECORDS_RRSET_MAX);
	records->rrset_max = most;
	for (uint32_t i = 0; i <= most; i++) {
		const uint8_t v4[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		const uint8_t v6[16] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

		if (i == most) { // that many are fine
			assert_int_equal(records_sort(records), 0);
			assert_int_equal(records_check(records, error), 0);
		}
		assert_int_equal(records_add(records, apex, RRTYPE_A, 60, v4, 4), 0);
		assert_int_equal(records_add(records, apex, RRTYPE_AAAA, 60, v6, 16), 0);
	}
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(records_check(records, error), -EINVAL);
	assert_non_null(strstr(error, "too many records of one type"));
	records_free(records);
}

static void an_rrset_past_a_message_or_the_limit_is_no_zone(void **state)
{
	interleaved_past(RECORDS_RRSET_MAX);
	interleaved_past(7);
}

static void what_lies_outside_the_zone_is_not_taken(void **state)
{
	struct delta *delta = delta_new(apex, 1);

	assert_int_equal(
	    delta_add(delta, true, (const uint8_t *)"\5other", RRTYPE_A, 60, apex, 4), -ERANGE);
	assert_int_equal(delta->changes->count, 0);
	delta_free(delta);
}

// --- random versions
// ------------------------------------------------------------------------------

#define NAMES 40
#define TEXTS 4

// Which of NAMES names have which of TEXTS records; the model of a zone.
struct model {
	uint32_t serial;
	bool has[NAMES][TEXTS];
};

static uint64_t random_state = 20261123;

static uint32_t random_below(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % below;
}

static void model_record(char line[96], unsigned name, unsigned text, bool upper)
{
	// Every third name lies below the one before: names between get and lose records.
	snprintf(line, 96, "%s%u%s 60 TXT \"%u\"\n", upper ? "N" : "n", name,
	    name % 3 == 2 ? ".n1" : "", text);
}

static struct records *model_zone(const struct model *model)
{
	char *text, line[96];
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct records *records;

	fprintf(out, "@ 300 SOA ns h %u 3600 600 604800 60\n" NS, model->serial);
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned t = 0; t < TEXTS; t++)
			if (model->has[n][t]) {
				model_record(line, n, t, false);
				fputs(line, out);
			}
	fclose(out);
	records = zone_of(text);
	free(text);
	return records;
}

// Some records change, in any order; the difference says which.
static void model_step(struct model *model, struct delta *delta)
{
	struct change change = {.delta = delta};
	bool flip[NAMES][TEXTS];
	char line[96];

	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned t = 0; t < TEXTS; t++)
			flip[n][t] = random_below(8) == 0;
	for (int added = 0; added < 2; added++) {
		unsigned first = random_below(NAMES);

		change.added = added;
		snprintf(line, sizeof(line), "@ 300 SOA ns h %u 3600 600 604800 60\n",
		    model->serial + (unsigned)added);
		zone_text_parse(line, strlen(line), change_take, &change);
		for (unsigned i = 0; i < NAMES; i++) {
			const unsigned n = (first + i * 7) % NAMES;

			for (unsigned t = 0; t < TEXTS; t++) {
				if (!flip[n][t] || model->has[n][t] == added)
					continue;
				model_record(line, n, t, random_below(2));
				zone_text_parse(line, strlen(line), change_take, &change);
				model->has[n][t] = added;
				flip[n][t] = false;
			}
		}
	}
	model->serial++;
	delta->to = model->serial;
	delta->steps++;
}

static void random_steps_lead_to_the_same_records_as_the_zone_itself(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		struct model model = {.serial = 0xfffffffe};

		for (unsigned n = 0; n < NAMES; n++)
			for (unsigned t = 0; t < TEXTS; t++)
				model.has[n][t] = random_below(2);
		struct records *before = model_zone(&model), *want, *after;
		struct delta *delta = delta_new(apex, model.serial);
		char error[DELTA_ERROR_MAX];

		for (unsigned steps = 1 + random_below(5); steps > 0; steps--)
			model_step(&model, delta);
		if (apply(before, delta, &after, error) != 0)
			fail_msg("round %u: %s", round, error);
		want = model_zone(&model);
		assert_int_equal(records_sort(want), 0);
		assert_int_equal(after->count, want->count);
		for (size_t i = 1; i < after->count; i++) // comes out sorted
			assert_true(
			    name_compare(after->items[i - 1].owner, after->items[i].owner) <= 0);
		size_t matched = 0;

		for (size_t i = 0; i < want->count; i++) // of one RRset in any order
			for (size_t k = i < 2 * TEXTS ? 0 : i - 2 * TEXTS;
			     k < after->count && k < i + 2 * TEXTS; k++)
				matched +=
				    name_equal(want->items[i].owner, after->items[k].owner) &&
				    want->items[i].type == after->items[k].type &&
				    want->items[i].rdlen == after->items[k].rdlen &&
				    memcmp(want->items[i].rdata, after->items[k].rdata,
				        want->items[i].rdlen) == 0;
		assert_int_equal(matched, want->count);
		records_free(before);
		records_free(after);
		records_free(want);
		delta_free(delta);
	}
}

static void the_same_change_twice_is_never_taken(void **state)
{
	struct model model = {.serial = 1};

	for (unsigned n = 0; n < NAMES; n++)
		model.has[n][0] = true;
	struct records *before = model_zone(&model), *after;
	struct delta *delta = delta_new(apex, 1);
	char error[DELTA_ERROR_MAX];

	model_step(&model, delta);
	for (size_t i = 0; i < delta->changes->count; i++) {
		// Twice the same change never fits.
		struct delta *twice = delta_new(apex, 1);

		for (size_t k = 0; k < delta->changes->count; k++) {
			const struct record *r = &delta->changes->items[k];

			for (int times = k == i ? 2 : 1; times > 0; times--)
				assert_int_equal(delta_add(twice, delta->added[k], r->owner,
				                     r->type, r->ttl, r->rdata, r->rdlen),
				    0);
		}
		assert_int_equal(apply(before, twice, &after, error), -EINVAL);
		delta_free(twice);
	}
	delta_free(delta);
	records_free(before);
}

// --- what leads from one version to the other
// -----------------------------------------------------

static struct delta *between_at_most(
    struct records *before, struct records *after, uint64_t records_max, size_t bytes_max, int rc)
{
	struct image_buffer buffer[2];
	struct zone_version version[2];
	struct delta *delta;

	assert_int_equal(records_sort(before), 0);
	assert_int_equal(records_sort(after), 0);
	version_of(before, &version[0], &buffer[0]);
	version_of(after, &version[1], &buffer[1]);
	assert_int_equal(
	    delta_between(&version[0], &version[1], records_max, bytes_max, &delta), rc);
	for (int i = 0; i < 2; i++) // nothing in the result may be borrowed from there
		image_buffer_close(&buffer[i]);
	return delta;
}

static struct delta *between(struct records *before, struct records *after)
{
	return between_at_most(before, after, UINT64_MAX, SIZE_MAX, 0);
}

static const struct {
	const char *before, *after, *changes;
} differences[] = {
    {SOA(1) NS, SOA(2) NS, "-" SOA(1) "+" SOA(2)},
    // The SOAs stand before what goes and what comes, whatever the order of names.
    {SOA(1) NS "a 60 A 192.0.2.1\nz 60 A 192.0.2.9\n",
        SOA(2) NS "b 60 A 192.0.2.1\nz 60 A 192.0.2.8\n",
        "-" SOA(1) "-a 60 A 192.0.2.1\n-z 60 A 192.0.2.9\n+" SOA(
            2) "+b 60 A 192.0.2.1\n+z 60 A 192.0.2.8\n"},
    // One of many; the order of the others says nothing.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\na 60 A 192.0.2.3\n",
        SOA(2) NS "a 60 A 192.0.2.3\na 60 A 192.0.2.1\n", "-" SOA(1) "-a 60 A 192.0.2.2\n+" SOA(2)},
    // A TTL is that of all records of the RRset, and of no other.
    {SOA(1) NS "a 60 A 192.0.2.1\na 60 A 192.0.2.2\na 60 TXT x\n",
        SOA(2) NS "a 61 A 192.0.2.1\na 61 A 192.0.2.2\na 60 TXT x\n",
        "-" SOA(1) "-a 60 A 192.0.2.1\n-a 60 A 192.0.2.2\n+" SOA(
            2) "+a 61 A 192.0.2.1\n+a 61 A 192.0.2.2\n"},
    // Signatures are of one type and differ one by one.
    {SOA(1) NS
        "a 60 A 192.0.2.1\na 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA\n",
        SOA(2) NS
        "a 60 A 192.0.2.1\na 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAEA\n",
        "-" SOA(1) "-a 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA\n+" SOA(
            2) "+a 60 RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAEA\n"},
    // The case of an owner is no difference, that of a name in the data is.
    {SOA(1) NS "a 60 MX 1 mx\n", SOA(2) NS "A 60 MX 1 MX\n",
        "-" SOA(1) "-a 60 MX 1 mx.example.\n+" SOA(2) "+A 60 MX 1 MX.example.\n"},
    // A name that stays for what is below it.
    {SOA(1) NS "b 60 A 192.0.2.1\na.b 60 A 192.0.2.2\n", SOA(2) NS "a.b 60 A 192.0.2.2\n",
        "-" SOA(1) "-b 60 A 192.0.2.1\n+" SOA(2)},
};

static void a_difference_is_what_goes_and_what_comes(void **state)
{
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
		struct records *before = zone_of(differences[i].before);
		struct records *after = zone_of(differences[i].after);
		struct delta *want = delta_of(differences[i].changes, 1);
		struct delta *got = between(before, after);
		char *want_text = text_of(want->changes), *got_text = text_of(got->changes);

		assert_string_equal(got_text, want_text);
		assert_memory_equal(got->added, want->added, want->changes->count);
		assert_int_equal(got->from, 1);
		assert_int_equal(got->to, 2);
		free(want_text);
		free(got_text);
		records_free(before);
		records_free(after);
		delta_free(want);
		delta_free(got);
	}
}

static void a_difference_larger_than_its_bound_is_given_up(void **state)
{
	struct records *before = zone_of(differences[1].before);
	struct records *after = zone_of(differences[1].after);

	assert_null(between_at_most(before, after, UINT64_MAX, 100, -EFBIG));
	assert_null(between_at_most(before, after, 5, SIZE_MAX, -EFBIG));
	delta_free(between_at_most(before, after, 6, SIZE_MAX, 0));
	records_free(before);
	records_free(after);
}

// What takes more than a megabyte is counted before it is kept.
static void a_large_difference_is_as_whole_as_a_small_one(void **state)
{
	enum { COUNT = 20000 };
	struct records *zone[2] = {zone_of(SOA(1) NS), zone_of(SOA(2) NS)};
	uint8_t owner[NAME_LEN_MAX], address[4] = {192, 0, 2};

	for (unsigned i = 0; i < 2 * COUNT; i++) {
		const int len = snprintf((char *)owner, sizeof(owner), "\6n%05u", i / 2);

		memcpy(owner + len, apex, sizeof(apex));
		address[3] = (uint8_t)(i % 2);
		assert_int_equal(records_add(zone[i % 2], owner, RRTYPE_A, 60, address, 4), 0);
	}
	struct delta *delta = between_at_most(zone[0], zone[1], 2 * COUNT + 2, SIZE_MAX, 0);

	assert_int_equal(delta->changes->count, 2 * COUNT + 2);
	for (unsigned i = 0; i < 2 * COUNT + 2; i++) {
		const struct record *change = &delta->changes->items[i];

		assert_int_equal(delta->added[i], i > COUNT);
		assert_int_equal(change->type, i % (COUNT + 1) == 0 ? RRTYPE_SOA : RRTYPE_A);
		if (change->type == RRTYPE_A)
			assert_int_equal(change->rdata[3], i > COUNT);
	}
	delta_free(delta);
	assert_null(between_at_most(zone[0], zone[1], 2 * COUNT + 1, SIZE_MAX, -EFBIG));
	assert_null(between_at_most(zone[0], zone[1], UINT64_MAX, 2000000, -EFBIG));
	records_free(zone[0]);
	records_free(zone[1]);
}

static void random_versions_differ_by_what_leads_from_one_to_the_other(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		struct model model[2] = {{.serial = 7}, {.serial = 9}};
		struct records *zone[2], *after;
		char error[DELTA_ERROR_MAX];
		size_t changes = 2;

		for (unsigned n = 0; n < NAMES; n++)
			for (unsigned t = 0; t < TEXTS; t++) {
				model[0].has[n][t] = random_below(2);
				model[1].has[n][t] =
				    random_below(4) == 0 ? random_below(2) : model[0].has[n][t];
				changes += model[0].has[n][t] != model[1].has[n][t];
			}
		for (int i = 0; i < 2; i++)
			zone[i] = model_zone(&model[i]);
		struct delta *delta = between(zone[0], zone[1]);

		assert_int_equal(delta->changes->count, changes); // and not one too many
		struct records *again = model_zone(&model[0]);

		if (apply(again, delta, &after, error) != 0)
			fail_msg("round %u: %s", round, error);
		struct delta *none = between(zone[1], after);

		assert_int_equal(none->changes->count, 0);
		delta_free(none);
		delta_free(delta);
		records_free(after);
		records_free(again);
		records_free(zone[0]);
		records_free(zone[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_difference_leads_where_it_says_or_is_refused_with_its_reason),
	    cmocka_unit_test(whatever_owns_an_nsec3_can_change),
	    cmocka_unit_test(an_rrset_that_grows_past_a_message_or_the_limit_is_refused),
	    cmocka_unit_test(an_rrset_past_a_message_or_the_limit_is_no_zone),
	    cmocka_unit_test(what_lies_outside_the_zone_is_not_taken),
	    cmocka_unit_test(a_difference_is_what_goes_and_what_comes),
	    cmocka_unit_test(a_difference_larger_than_its_bound_is_given_up),
	    cmocka_unit_test(a_large_difference_is_as_whole_as_a_small_one),
	    cmocka_unit_test(random_versions_differ_by_what_leads_from_one_to_the_other),
	    cmocka_unit_test(random_steps_lead_to_the_same_records_as_the_zone_itself),
	    cmocka_unit_test(the_same_change_twice_is_never_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
