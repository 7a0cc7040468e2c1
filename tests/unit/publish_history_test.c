// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The versions of a zone that are kept beside the one served, and the way back to them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "delta.h"

static const char *versions_text(struct publication *f)
{
	static const char hows[][9] = {"", "axfr", "ixfr", "file", "rollback"};
	struct publisher_version versions[HISTORY_VERSIONS_MAX];
	static char text[256];
	char *at = text;
	const size_t count = publisher_versions(f->publisher, apex, versions);

	*at = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(versions[i].role == HISTORY_CURRENT, i == 0);
		assert_true(versions[i].when_ms > 0);
		at += sprintf(at, "%s%u %s", i > 0 ? ", " : "", versions[i].soa.serial,
		    versions[i].role == HISTORY_HELD ? "held" : hows[versions[i].how]);
	}
	return text;
}

static void a_version_that_was_served_is_served_again(void **state)
{
	struct publication *f = *state;
	const uint32_t nine = 9;
	uint64_t generation;

	publication_connect(f);
	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	generation = status_of(f, apex).generation;
	assert_string_equal(versions_text(f), "9 axfr, 8 axfr, 7 axfr");
	assert_int_equal(
	    publisher_rollback(f->publisher, apex, &nine, publication_recalled, f), -ENOENT);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	assert_int_equal(
	    publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), -EBUSY);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "");
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_true(status_of(f, apex).generation > generation);
	assert_int_equal(f->replaced, 1);
	assert_int_equal(f->replaced_serial, 8);
	assert_int_equal(f->replaced_origin, 4708);
	assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
	// The primary still has the newer one: nothing is taken until a person says so.
	publish(f, 10);
	assert_false(f->live);
	assert_string_equal(f->reason, "The zone is pinned.");
	publisher_apply(f->publisher, apex, 11, 0, NULL, delta_make(8, 11, false));
	assert_int_equal(f->token, 11);
	assert_false(f->live);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	// What led to the version that is back is still known, and what comes next follows it.
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	publisher_apply(f->publisher, apex, 12, 0, NULL, delta_make(8, 12, false));
	WAIT_FOR(f, f->token == 12);
	assert_true(f->live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -1 +1, 8>12 -2 +3");
	assert_string_equal(versions_text(f), "12 ixfr, 8 rollback, 9 axfr");
}

static void history_and_pin_outlive_both_processes(void **state)
{
	struct publication *f = *state;
	const uint32_t seven = 7;
	struct engine_stored stored;

	publication_connect(f);
	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	for (unsigned round = 0; round < 2; round++) {
		publication_end(f);
		plane_close(&f->plane);
		publication_begin(f);
		assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
		assert_true(status_of(f, apex).pinned);
		publisher_load(f->publisher, apex, &stored);
		assert_true(stored.pinned);
		assert_int_equal(stored.soa.serial, 8);
		assert_int_equal(stored.origin, 4708);
		plane_forget(&f->plane);
		publication_connect(f);
		WAIT_FOR(f, plane_serial(&f->plane, apex) == 8);
	}
	// From a file, now.
	assert_int_equal(
	    publisher_rollback(f->publisher, apex, &seven, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 2);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	WAIT_FOR(f, status_of(f, apex).durable);
	publication_end(f);
	publication_begin(f);
	assert_false(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "7 rollback, 8 rollback, 9 axfr");
}

// Otherwise the next refresh would bring back what a person has taken away.
static void a_pin_holds_when_its_version_cannot_be_read_at_a_start(void **state)
{
	struct publication *f = *state;

	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	WAIT_FOR(f, status_of(f, apex).durable);
	publication_end(f);
	images_rename(f, true);
	publication_begin(f);
	assert_false(status_of(f, apex).has_version);
	assert_true(status_of(f, apex).pinned);
	publish(f, 10);
	assert_false(f->live);
	assert_string_equal(f->reason, "The zone is pinned.");
	publication_end(f);
	images_rename(f, false);
	publication_begin(f);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_true(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
}

static void a_rollback_that_is_refused_changes_nothing(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	f->plane.manner = PLANE_REFUSES;
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_non_null(strstr(f->recall_reason, PLANE_REASON));
	assert_int_equal(f->replaced, 0);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_false(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	// A version being made gives way to a person's order.
	f->plane.manner = PLANE_TAKES;
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, 100, true));
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	assert_int_equal(f->token, 9);
	assert_false(f->live);
	WAIT_FOR(f, f->recalled == 2);
	assert_string_equal(f->recall_reason, "");
	assert_int_equal(plane_serial(&f->plane, apex), 7);
}

static void without_a_data_plane_a_rollback_is_stored(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	publish(f, 8);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, publication_recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "");
	WAIT_FOR(f, manifest_serial(f) == 7);
}

static void a_held_version_outlives_a_restart(void **state)
{
	struct publication *f = *state;
	struct engine_stored stored;

	publication_connect(f);
	publish_from(f, 7, 4711);
	publisher_publish(f->publisher, apex, 8, 4711, NULL, zone_make(apex, 8, 3, true));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->held);
	publication_end(f);
	plane_close(&f->plane);
	publication_begin(f);
	assert_string_equal(versions_text(f), "7 axfr, 8 held");
	assert_true(status_of(f, apex).held);
	assert_int_equal(status_of(f, apex).held_records, 5);
	assert_non_null(strstr(status_of(f, apex).error, "Held since before a restart"));
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_held);
	assert_int_equal(stored.held_serial, 8);
	plane_forget(&f->plane);
	publication_connect(f);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->replaced == 1); // nobody knows its token any more
	assert_int_equal(f->replaced_serial, 8);
	assert_int_equal(f->replaced_origin, 4711);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	WAIT_FOR(f, manifest_serial(f) == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publication_end(f);
	publication_begin(f);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	assert_int_equal(images_on_disk(f), 2);
}

static void diff_found(void *ctx, const struct delta *delta, const char *reason)
{
	struct publication *f = ctx;

	f->recalled++;
	snprintf(f->recall_reason, sizeof(f->recall_reason), "%u>%u: %zu", delta->from, delta->to,
	    delta->changes->count);
}

static void two_kept_versions_are_compared(void **state)
{
	struct publication *f = *state;
	struct publisher_version versions[HISTORY_VERSIONS_MAX];

	publish(f, 7);
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, 90, true));
	WAIT_FOR(f, f->token == 9);
	publication_end(f);
	publication_begin(f);
	assert_int_equal(publisher_versions(f->publisher, apex, versions), 2);
	assert_int_equal(publisher_diff(f->publisher, apex, versions[1].generation,
	                     versions[0].generation, diff_found, f),
	    0);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "7>9: 12");
	assert_int_equal(publisher_diff(f->publisher, apex, 4711, 1, diff_found, f), -ENOENT);
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, publication_open_both, publication_close)
	const struct CMUnitTest tests[] = {
	    CASE(a_version_that_was_served_is_served_again),
	    CASE(history_and_pin_outlive_both_processes),
	    CASE(a_pin_holds_when_its_version_cannot_be_read_at_a_start),
	    CASE(a_rollback_that_is_refused_changes_nothing),
	    CASE(without_a_data_plane_a_rollback_is_stored),
	    CASE(a_held_version_outlives_a_restart),
	    CASE(two_kept_versions_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
