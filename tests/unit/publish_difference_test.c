// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Versions that are made of the one served and a difference to it: one that came as such, and one
// that was found as the whole zone came again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delta.h"
#include "image.h"
#include "pzone.h"
#include "reading.h"
#include "seen.h"

static void a_difference_makes_the_next_version_of_the_one_served(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_int_equal(status_of(f, apex).rr_count, 103);
	WAIT_FOR(f, manifest_serial(f) == 8);
}

static void a_difference_that_does_not_fit_changes_nothing(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publisher_apply(f->publisher, apex, 1, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 1);
	assert_false(f->live); // there is no version yet
	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "nobody.example. A: the difference removes"));
	publisher_apply(f->publisher, apex, 9, 0, NULL, delta_make(6, 9, false));
	WAIT_FOR(f, f->token == 9);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "starts from serial 6"));
	assert_int_equal(f->plane.published, 1);
	assert_int_equal(status_of(f, apex).serial, 7);
}

static const struct reading *reading_open; // asks what led to it when another version is answered
static int difference_rc;
static unsigned differences; // that came
static size_t difference_changes;

static void difference_came(void *ctx, struct delta *delta)
{
	const struct publication *f = ctx;

	differences++;
	difference_changes = delta != NULL ? delta->changes->count : 0;
	publisher_difference_end(f->publisher, delta);
}

// Here its own step cannot be in the journal yet.
static void difference_ask(struct publication *f)
{
	struct difference_job *job;

	f->answered = NULL;
	difference_rc =
	    publisher_difference(f->publisher, apex, 7, reading_open, difference_came, f, &job);
}

// A zone that changes all the time always has a step on its way to the disk. What led to the
// version that a transfer reads is there all the same.
static void what_came_since_does_not_hold_up_a_difference(void **state)
{
	struct publication *f = *state;
	struct reading reading;

	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), 0);
	reading_open = &reading;
	f->answered = difference_ask;
	publish(f, 9);
	assert_int_equal(difference_rc, 0);
	WAIT_FOR(f, differences == 1);
	assert_int_equal(difference_changes, 5);
	reading_close(&reading);
	// Its own step it does wait for.
	publisher_apply(f->publisher, apex, 10, 0, NULL, delta_make(9, 10, false));
	WAIT_FOR(f, f->token == 10);
	WAIT_FOR(f, status_of(f, apex).durable);
}

// A hundred clients that read slowly do not take 64 MB each: who asks when the others have it all
// is given the zone, which lies in memory anyway.
static void differences_given_out_are_bounded_together(void **state)
{
	struct publication *f = *state;
	struct difference_job *job;
	struct reading reading;

	differences = 0;
	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), 0);
	f->publisher->differences = PUBLISHER_DIFFERENCES_MAX - 100;
	assert_int_equal(
	    publisher_difference(f->publisher, apex, 7, &reading, difference_came, f, &job), 0);
	WAIT_FOR(f, differences == 1);
	assert_int_equal(difference_changes, 0);
	assert_int_equal(f->publisher->differences, PUBLISHER_DIFFERENCES_MAX - 100);
	f->publisher->differences = 0;
	for (unsigned i = 2; i < 4; i++) { // the second one is nobody's by the time it is there
		assert_int_equal(
		    publisher_difference(f->publisher, apex, 7, &reading, difference_came, f, &job),
		    0);
		if (i == 3)
			publisher_difference_cancel(job);
		else
			WAIT_FOR(f, differences == 2);
	}
	assert_int_equal(difference_changes, 5);
	reading_close(&reading);
	publish(f, 9); // behind it
	WAIT_FOR(f, f->publisher->differences == 0);
}

// After a restart the version lies in a file: a difference to it is applied all the same, and where
// it came from is known.
static void a_difference_follows_a_restart(void **state)
{
	struct publication *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	struct engine_stored stored;

	publisher_publish(f->publisher, apex, 7, 4711, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 7);
	publisher_store(f->publisher, apex, &timers);
	publication_end(f);
	publication_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.origin, 4711);
	publisher_apply(f->publisher, apex, 8, 4711, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(status_of(f, apex).serial, 8);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.origin, 4711);
}

// A small change after a restart stands on a base that lies in a file alone. A data plane that lost
// what it had gets both.
static void an_overlay_takes_its_base_from_the_disk_along(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, 4000, true));
	WAIT_FOR(f, f->token == 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	plane_close(&f->plane);
	publication_end(f);
	publication_begin(f);
	publication_connect(f);
	f->plane.manner = PLANE_DIES;
	f->plane.published = 0;
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->plane.sock < 0);
	assert_int_equal(f->plane.published, 1); // the overlay alone
	f->plane.manner = PLANE_TAKES;
	plane_forget(&f->plane);
	publication_connect(f);
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	WAIT_FOR(f, manifest_serial(f) == 8);
}

// What is large is verified as long as a case wants.
static _Atomic bool verifying_long;
int __real_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX]);
int __wrap_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX]);
int __wrap_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX])
{
	while (size > (4 << 20) && verifying_long)
		usleep(1000);
	return __real_image_verify(mem, size, error);
}

// A difference to a large version that lies on disk takes long, because that is verified first. A
// small zone's does not wait for it.
static void a_small_change_does_not_wait_for_a_large_base_on_disk(void **state)
{
	struct publication *f = *state;

	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, 100000, true));
	WAIT_FOR(f, f->token == 7);
	publication_end(f);
	publication_begin(f);
	verifying_long = true;
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	publisher_publish(f->publisher, other, 1, 0, NULL, zone_make(other, 1, 100, true));
	WAIT_FOR(f, f->token == 1);
	assert_true(f->live);
	verifying_long = false;
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
}

struct held_open {
	struct publication *fixture;
	struct reading reading;
};

static void again_release(void *ctx)
{
	struct held_open *held = ctx;

	publisher_read_end(held->fixture->publisher, &held->reading);
	free(held);
}

// What is served is opened, and the records of `zone` come. Post: what is not the same.
static struct seen *again(struct publication *f, struct records *zone, struct records **rest)
{
	struct held_open *held = calloc(1, sizeof(*held));

	held->fixture = f;
	*rest = records_new(apex);
	assert_int_equal(publisher_peek(f->publisher, apex, &held->reading), 0);
	struct seen *seen =
	    seen_new(&held->reading.version, held->reading.content, again_release, held);

	for (size_t i = 0; i < zone->count; i++) {
		const struct record *r = &zone->items[i];

		assert_int_equal(
		    seen_record(seen, *rest, r->owner, r->type, r->ttl, r->rdata, r->rdlen), 0);
	}
	assert_int_equal(seen_end(seen, *rest), 0);
	records_free(zone);
	return seen;
}

// The first `changed` hosts have another address.
static struct records *zone_changed(uint32_t serial, unsigned hosts, unsigned changed)
{
	struct records *records = zone_make(apex, serial, hosts, true);

	for (unsigned i = 0; i < changed; i++)
		((uint8_t *)(uintptr_t)records->items[2 + i].rdata)[0] = 10;
	return records;
}

static void replace(struct publication *f, uint32_t serial, struct records *zone)
{
	struct records *rest;
	struct seen *seen = again(f, zone, &rest);

	publisher_replace(f->publisher, apex, serial, 4711, NULL, rest, seen);
	WAIT_FOR(f, f->token == serial);
}

static const struct publisher_version *newest(struct publication *f)
{
	static struct publisher_version versions[HISTORY_VERSIONS_MAX];

	assert_true(publisher_versions(f->publisher, apex, versions) > 0);
	return &versions[0];
}

static void a_zone_that_comes_again_is_a_difference(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	const uint64_t base_size = newest(f)->image_size;

	replace(f, 8, zone_changed(8, 4000, 3));
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_int_equal(newest(f)->how, HISTORY_AXFR);
	assert_int_equal(newest(f)->origin, 4711);
	assert_int_equal(newest(f)->rr_count, 4002);
	assert_true(newest(f)->image_size < base_size + 16384); // a layer
	replace(f, 9, zone_changed(9, 4001, 4));                // on layers
	assert_true(f->live);
	assert_int_equal(newest(f)->rr_count, 4003);
	WAIT_FOR(f, strcmp(journal_text(f), "7>8 -4 +4, 8>9 -2 +3") == 0);
}

static void a_zone_that_is_another_when_it_comes_again_is_taken_whole(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	replace(f, 8, zone_changed(8, 4000, 3000));
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_int_equal(newest(f)->rr_count, 4002);
	WAIT_FOR(f, status_of(f, apex).durable);
	replace(f, 9, zone_make(apex, 9, 10, true)); // and is judged as such
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "12 records, 3990 less than the 4002 served"));
	replace(f, 10, zone_make(apex, 10, 4000, false));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "no NS record"));
	assert_int_equal(plane_serial(&f->plane, apex), 8);
}

static void what_came_again_is_whole_when_another_version_is_served_by_then(void **state)
{
	struct publication *f = *state;
	struct records *rest;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	struct seen *seen = again(f, zone_changed(9, 4000, 3), &rest);

	publish_records(f, 8, zone_changed(8, 3900, 100));
	assert_true(f->live);
	publisher_replace(f->publisher, apex, 9, 0, NULL, rest, seen);
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 9);
	assert_int_equal(newest(f)->rr_count, 4002);
	// The publisher ends meanwhile.
	seen = again(f, zone_changed(11, 4000, 3), &rest);
	publisher_replace(f->publisher, apex, 11, 0, NULL, rest, seen);
	publication_end(f);
	publication_begin(f);
	assert_int_equal(newest(f)->rr_count, 4002);
}

// What the transfer was compared with is that very version: it went live while the primary was
// asked.
static void what_came_again_and_is_served_by_then_is_live(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	const uint64_t generation = status_of(f, apex).generation;

	f->token = 0;
	replace(f, 7, zone_make(apex, 7, 4000, true));
	assert_true(f->live);
	assert_int_equal(status_of(f, apex).generation, generation); // equal is not published
	replace(f, 8, zone_changed(8, 4000, 3));
	assert_true(f->live);
	f->token = 0;
	replace(f, 8, zone_changed(8, 4000, 3)); // on layers
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_int_equal(newest(f)->rr_count, 4002);
}

// The difference led to it from another version than the one it takes the place of.
static void what_was_held_over_a_rollback_is_journaled_as_it_differs(void **state)
{
	struct publication *f = *state;
	struct records *rest;

	publication_connect(f);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	publish_records(f, 8, zone_changed(8, 4000, 3));
	struct seen *seen = again(f, zone_changed(9, 4000, 4), &rest);

	publisher_replace(f->publisher, apex, 9, 0, "one primary has it", rest, seen);
	WAIT_FOR(f, f->token == 9);
	assert_false(f->live);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	f->token = 0;
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>9 -5 +5");
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, publication_open_both, publication_close)
	const struct CMUnitTest tests[] = {
	    CASE(a_difference_makes_the_next_version_of_the_one_served),
	    CASE(a_difference_that_does_not_fit_changes_nothing),
	    CASE(what_came_since_does_not_hold_up_a_difference),
	    CASE(differences_given_out_are_bounded_together),
	    CASE(a_difference_follows_a_restart),
	    CASE(an_overlay_takes_its_base_from_the_disk_along),
	    CASE(a_small_change_does_not_wait_for_a_large_base_on_disk),
	    CASE(a_zone_that_comes_again_is_a_difference),
	    CASE(a_zone_that_is_another_when_it_comes_again_is_taken_whole),
	    CASE(what_came_again_is_whole_when_another_version_is_served_by_then),
	    CASE(what_came_again_and_is_served_by_then_is_live),
	    CASE(what_was_held_over_a_rollback_is_journaled_as_it_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
