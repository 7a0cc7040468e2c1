// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a version has to pass before it is published: its digest, the comparison with what is
// served, the agreement of primaries. What does not is refused, or waits for a person.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rrtype.h"
#include "zonefile.h"

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// The zone of RFC 8976 A.1, its second address with that TTL; `digest`: with its ZONEMD.
static struct records *zone_with_digest(unsigned ttl, bool digest)
{
	struct records *records = records_new(apex);
	struct zonefile_error error;
	char text[1024];
	int len = snprintf(text, sizeof(text),
	    "ns2 %u AAAA 2001:db8::63\n@ 86400 NS ns2\n@ 86400 NS ns1\nns1 3600 A 203.0.113.63\n"
	    "@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n%s",
	    ttl,
	    digest ? "@ 86400 ZONEMD 2018031900 1 1 ( c68090d90a7aed716bc459f9340e3d7c\n"
	             "1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c )\n"
	           : "");

	assert_int_equal(
	    zonefile_parse_text(text, (size_t)len, apex, record_take, records, &error), 0);
	return records;
}

static void a_zone_whose_digest_is_wrong_is_refused(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 1, zone_with_digest(3600, true));
	assert_true(f->live);
	publish_records(f, 2, zone_with_digest(3601, true));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "does not have the digest"));
	assert_int_equal(f->plane.published, 1);
	publish_records(f, 3, zone_with_digest(3602, false)); // none: nothing to check
	assert_true(f->live);
}

static void what_a_digest_is_worth_is_configured(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publication_reconfigure(f, "  - {domain: example, primaries: p, zonemd-verify: on}\n");
	publish_records(f, 1, zone_with_digest(3600, false));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "no ZONEMD record"));
	publish_records(f, 2, zone_with_digest(3600, true));
	assert_true(f->live);
	publication_reconfigure(f, "  - {domain: example, primaries: p, zonemd-verify: off}\n");
	publish_records(f, 3, zone_with_digest(3601, true));
	assert_true(f->live);
}

#define WORD(w) "  - {domain: example, primaries: p, zonemd-verify: " w "}\n"

// What is served is judged by what the configuration says now, and is served on all the same.
static void what_is_served_is_judged_when_the_configuration_wants_more(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publication_reconfigure(f, WORD("off"));
	publish_records(f, 1, zone_with_digest(3601, true)); // wrong
	assert_true(f->live);
	publication_reconfigure(f, WORD("on"));
	WAIT_FOR(f, f->doubted == 1);
	assert_true(status_of(f, apex).doubted);
	assert_non_null(strstr(status_of(f, apex).error, "does not have the digest"));
	assert_true(status_of(f, apex).live);
	assert_int_equal(f->plane.published, 1);
	// A reload that says the same looks at nothing again; a transfer of the same changes
	// nothing.
	publication_reconfigure(f, WORD("on"));
	publish_records(f, 2, zone_with_digest(3601, true));
	assert_false(f->live);
	assert_true(status_of(f, apex).doubted);
	assert_int_equal(f->doubted, 1);
	publication_reconfigure(f, WORD("off"));
	assert_false(status_of(f, apex).doubted);
	publication_reconfigure(f, WORD("if-present"));
	WAIT_FOR(f, f->doubted == 2);
	publish_records(f, 3, zone_with_digest(3600, true));
	assert_true(f->live);
	assert_false(status_of(f, apex).doubted);
	assert_string_equal(status_of(f, apex).error, "");
	publication_reconfigure(f, WORD("on")); // it is right: nothing is said
	publication_turns(f, 50);
	assert_false(status_of(f, apex).doubted);
	// One that is kept, and was let in by another word.
	assert_int_equal(publisher_rollback(f->publisher, apex, &(const uint32_t){2018031900},
	                     publication_recalled, f),
	    0);
	WAIT_FOR(f, f->recalled == 1);
	WAIT_FOR(f, status_of(f, apex).doubted);
}

static void a_zone_without_a_digest_is_doubted_where_it_must_have_one(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 1, zone_with_digest(3600, false));
	publication_reconfigure(f, WORD("on"));
	WAIT_FOR(f, f->doubted == 1);
	assert_non_null(strstr(status_of(f, apex).error, "no ZONEMD record"));
	assert_true(status_of(f, apex).live);
	publication_reconfigure(f, WORD("if-present"));
	WAIT_FOR(f, !status_of(f, apex).doubted);
	publication_reconfigure(f, WORD("on"));
	WAIT_FOR(f, f->doubted == 2);
	// A start does not know by which word it came.
	WAIT_FOR(f, status_of(f, apex).durable);
	plane_close(&f->plane);
	publication_end(f);
	publication_begin(f);
	WAIT_FOR(f, f->doubted == 3);
	assert_true(status_of(f, apex).doubted);
}

static void a_version_that_lost_most_records_waits_for_a_person(void **state)
{
	struct publication *f = *state;
	struct publisher_status status;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 100, true)); // 102 records
	publish_records(f, 8, zone_make(apex, 8, 49, true));  // 51: half is allowed
	assert_true(f->live);
	publish_records(f, 9, zone_make(apex, 9, 100, true));
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	publish_records(f, 10, zone_make(apex, 10, 48, true));
	assert_false(f->live);
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "50 records, 52 less than the 102 served"));
	status = status_of(f, apex);
	assert_true(status.held);
	assert_int_equal(status.held_serial, 10);
	assert_int_equal(status.held_records, 50);
	assert_int_equal(status.serial, 9);
	assert_int_equal(plane_serial(&f->plane, apex), 9);
	assert_string_not_equal(status.error, "");
	f->token = 0;
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	WAIT_FOR(f, f->token == 10);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 10);
	assert_false(status_of(f, apex).held);
	assert_string_equal(status_of(f, apex).error, "");
	WAIT_FOR(f, manifest_serial(f) == 10);
	// Now there are less than 100 records: any share is soon lost.
	publish_records(f, 11, zone_make(apex, 11, 1, true));
	assert_true(f->live);
}

// What the version served has is not known without a descriptor; then nothing is known of less.
static void what_cannot_be_compared_is_not_published(void **state)
{
	struct publication *f = *state;
	struct rlimit limit, none;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	assert_true(f->live);
	struct records *less = zone_make(apex, 8, 10, true);
	const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	publisher_publish(f->publisher, apex, 8, 0, NULL, less);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_false(f->held);
	assert_non_null(
	    strstr(f->reason, "The version served cannot be read: Too many open files."));
	publish_records(f, 9, zone_make(apex, 9, 10, true));
	assert_true(f->held);
	assert_int_equal(status_of(f, apex).serial, 7);
}

static void a_later_version_takes_the_place_of_one_that_is_held(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	publish_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held);
	publish_records(f, 9, zone_make(apex, 9, 4, true)); // held as well
	assert_true(f->held);
	assert_int_equal(status_of(f, apex).held_serial, 9);
	publish_records(f, 10, zone_make(apex, 10, 99, true));
	assert_true(f->live);
	assert_false(status_of(f, apex).held);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	publish_records(f, 11, zone_make(apex, 11, 3, true)); // and one is held at the end
	assert_true(f->held);
}

static void a_signed_zone_that_comes_unsigned_waits_for_a_person(void **state)
{
	struct publication *f = *state;
	struct records *records = zone_make(apex, 7, 3, true);
	static const uint8_t dnskey[] = {1, 1, 3, 8, 1, 2, 3, 4};

	assert_int_equal(records_add(records, apex, RRTYPE_DNSKEY, 60, dnskey, sizeof(dnskey)), 0);
	publication_connect(f);
	publish_records(f, 7, records);
	assert_true(f->live);
	publish_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "no DNSKEY"));
}

static void hold_records(struct publication *f, uint32_t token, struct records *records)
{
	publisher_publish(f->publisher, apex, token, 0, "Held: too few have it.", records);
	WAIT_FOR(f, f->token == token);
}

static void what_too_few_primaries_have_waits_for_more_or_for_a_person(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	hold_records(f, 7, zone_make(apex, 7, 100, true)); // also where nothing is served
	assert_true(f->held_short && !f->live);
	assert_string_equal(f->reason, "Held: too few have it.");
	assert_string_equal(status_of(f, apex).error, "Held: too few have it.");
	assert_int_equal(status_of(f, apex).held_serial, 7);
	publisher_agreed(f->publisher, apex, 70);
	WAIT_FOR(f, f->token == 70);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_false(status_of(f, apex).held);
	assert_string_equal(status_of(f, apex).error, "");

	hold_records(f, 8, zone_make(apex, 8, 100, true));
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->live && f->token == 8);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	publisher_agreed(f->publisher, apex, 80); // nothing is held any more
	assert_int_equal(f->token, 80);
	assert_false(f->live);
}

// Agreement says that this is what the primaries have, not that it is no accident.
static void what_primaries_agree_on_and_lost_most_records_waits_for_a_person(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	hold_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held && !f->held_short);
	assert_non_null(strstr(f->reason, "shrink-limit"));
	publisher_agreed(f->publisher, apex, 80);
	assert_int_equal(f->token, 80);
	assert_false(f->live);
	assert_true(status_of(f, apex).held);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->live && f->token == 8);
}

static void without_a_limit_nothing_is_held(void **state)
{
	struct publication *f = *state;

	publication_reconfigure(f, "  - {domain: example, primaries: p, shrink-limit: off}\n");
	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	publish_records(f, 8, zone_make(apex, 8, 1, true));
	assert_true(f->live);
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, publication_open_both, publication_close)
	const struct CMUnitTest tests[] = {
	    CASE(a_zone_whose_digest_is_wrong_is_refused),
	    CASE(what_a_digest_is_worth_is_configured),
	    CASE(what_is_served_is_judged_when_the_configuration_wants_more),
	    CASE(a_zone_without_a_digest_is_doubted_where_it_must_have_one),
	    CASE(a_version_that_lost_most_records_waits_for_a_person),
	    CASE(what_cannot_be_compared_is_not_published),
	    CASE(a_later_version_takes_the_place_of_one_that_is_held),
	    CASE(a_signed_zone_that_comes_unsigned_waits_for_a_person),
	    CASE(what_too_few_primaries_have_waits_for_more_or_for_a_person),
	    CASE(what_primaries_agree_on_and_lost_most_records_waits_for_a_person),
	    CASE(without_a_limit_nothing_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
