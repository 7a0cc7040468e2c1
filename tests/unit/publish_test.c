// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication against a scripted data plane that takes, refuses or dies as the case says: what
// becomes of a version on its way there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"
#include "pzone.h"
#include "slice.h"

static void a_version_is_live_first_and_durable_soon_after(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_true(status_of(f, apex).live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(manifest_serial(f), 7);
	assert_int_equal(status_of(f, apex).rr_count, 102);
}

static void without_a_data_plane_stored_is_as_good_as_live(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	assert_true(f->live);
	assert_false(status_of(f, apex).live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	publication_connect(f);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7 && status_of(f, apex).live);
}

static void a_refused_version_changes_nothing(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	f->plane.manner = PLANE_REFUSES;
	publish(f, 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, PLANE_REASON));
	publication_turns(f, 50); // long enough for a manifest that should not be written
	assert_int_equal(manifest_serial(f), 7);
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_non_null(strstr(status_of(f, apex).error, PLANE_REASON));
	f->plane.manner = PLANE_TAKES;
	publish(f, 9);
	assert_true(f->live);
	assert_string_equal(status_of(f, apex).error, "");
}

// A data plane that serves nothing of the zone was told of the new version only: what was served
// lies on disk.
static void what_was_served_is_told_when_what_takes_its_place_is_refused(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	WAIT_FOR(f, status_of(f, apex).durable);
	plane_close(&f->plane);
	publication_end(f);
	publication_begin(f);
	publication_connect(f);
	f->plane.manner = PLANE_DIES;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 90, true));
	WAIT_FOR(f, f->plane.sock < 0);
	plane_forget(&f->plane);
	f->plane.published = 0;
	f->plane.manner = PLANE_PONDERS;
	publication_connect(f);
	WAIT_FOR(f, f->plane.published == 1);
	assert_int_equal(f->plane.pondered.zone.serial, 8);
	f->plane.manner = PLANE_TAKES;
	plane_answer(&f->plane, SEAM_REJECT);
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	WAIT_FOR(f, status_of(f, apex).live);
}

static void a_zone_the_compiler_refuses_names_the_reason(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 3, false));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "NS"));
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_int_equal(f->plane.published, 1);
}

// A version over which the data plane dies is not what it finds at its next start.
static void a_version_that_kills_the_data_plane_is_given_up(void **state)
{
	struct publication *f = *state;
	unsigned deaths = 0;

	publication_connect(f);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	f->plane.manner = PLANE_DIES;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 90, true));
	while (f->token != 8 && deaths < 10) {
		WAIT_FOR(f, f->plane.sock < 0 || f->token == 8);
		deaths += f->plane.sock < 0;
		publication_turns(f, 5);
		if (f->plane.sock < 0 && f->token != 8)
			publication_connect(f);
	}
	assert_int_equal(deaths, 3);
	assert_false(f->live);
	assert_int_equal(manifest_serial(f), 7);
	f->plane.manner = PLANE_TAKES;
	publication_connect(f);
	publish(f, 9);
	assert_true(f->live);
}

// Refused before it is built, whatever the system has: the one served stays.
static void a_version_beyond_memory_max_is_refused_and_the_old_one_stays(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	publication_reconfigure(f, ZONES_BOTH "controlplane: {memory-max: 1M}\n");
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 20000, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "memory-max is 1 MiB"));
	assert_true(f->no_room);
	assert_false(publisher_fits(f->publisher, 20002, 500000));
	assert_non_null(strstr(status_of(f, apex).error, "memory-max is 1 MiB"));
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	publish(f, 9); // a small one fits
	assert_true(f->live);
	assert_false(f->no_room);
	publication_reconfigure(f, ZONES_BOTH "controlplane: {memory-max: 100M}\n");
	assert_true(publisher_fits(f->publisher, 20002, 500000));
}

// Two versions that do not fit together come at once: one is refused. What one that is refused
// would have taken is free again.
static void versions_under_way_count_for_memory_max(void **state)
{
	struct publication *f = *state;

	publication_reconfigure(f, ZONES_BOTH "controlplane: {memory-max: 6M}\n");
	publication_connect(f);
	f->plane.manner = PLANE_PONDERS; // the first stays under way as long as it takes
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 25000, true));
	publisher_publish(f->publisher, other, 9, 0, NULL, zone_make(other, 9, 25000, true));
	WAIT_FOR(f, f->answers == 1);
	assert_int_equal(f->token, 9);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "MiB under way, and memory-max is 6 MiB"));
	WAIT_FOR(f, f->plane.published == 1);
	plane_answer(&f->plane, SEAM_LIVE);
	WAIT_FOR(f, f->answers == 2);
	assert_true(f->live);
	for (uint32_t serial = 10; serial < 13; serial++) { // together more than is left
		f->plane.manner = PLANE_REFUSES;
		publisher_publish(
		    f->publisher, other, serial, 0, NULL, zone_make(other, serial, 8000, true));
		WAIT_FOR(f, f->token == serial);
		assert_non_null(strstr(f->reason, PLANE_REASON));
	}
	f->plane.manner = PLANE_TAKES;
	publisher_publish(f->publisher, other, 13, 0, NULL, zone_make(other, 13, 8000, true));
	WAIT_FOR(f, f->token == 13);
	assert_true(f->live);
}

// So many seconds after the last version of `apex` began to be built?
static bool works(const struct publication *f, const uint8_t *name, uint32_t token, int64_t seconds)
{
	const int64_t began_us = pzone_find(f->publisher, apex)->started_us;

	return publisher_working(f->publisher, name, token, began_us + seconds * 1000000);
}

// Waiting for its turn, built, sent: until it is answered, or took longer than it may.
static void a_version_is_worked_on_until_it_is_answered(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 1);
	assert_false(works(f, apex, 1, 0));
	f->plane.manner = PLANE_PONDERS;
	publisher_publish(f->publisher, apex, 2, 0, NULL, zone_make(apex, 2, 100, true));
	assert_true(works(f, apex, 2, 0));
	publisher_publish(f->publisher, apex, 3, 0, NULL, zone_make(apex, 3, 100, true));
	assert_true(works(f, apex, 2, 0));
	assert_true(works(f, apex, 3, 0));
	assert_false(works(f, apex, 1, 0));
	assert_false(works(f, other, 2, 0));
	WAIT_FOR(f, f->plane.published == 2);
	assert_true(works(f, apex, 2, 0));
	assert_true(works(f, apex, 2, 120));
	assert_false(works(f, apex, 2, 121)); // for some kilobytes
	f->plane.manner = PLANE_TAKES;
	plane_answer(&f->plane, SEAM_LIVE);
	WAIT_FOR(f, f->token == 3);
	assert_false(works(f, apex, 2, 0));
	assert_false(works(f, apex, 3, 0));
}

static void an_equal_version_is_not_sent_again(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	publisher_publish(f->publisher, apex, 70, 0, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 70);
	assert_true(f->live);
	assert_int_equal(f->plane.published, 1);
}

static void a_restarted_control_plane_serves_a_restarted_data_plane(void **state)
{
	struct publication *f = *state;
	struct engine_stored stored;
	uint64_t generation;

	publish(f, 7);
	generation = status_of(f, apex).generation;
	publication_end(f);
	publication_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_copy);
	assert_int_equal(stored.soa.serial, 7);
	assert_int_equal(stored.soa.refresh_s, 60);
	assert_int_equal(stored.soa.retry_s, 30);
	assert_int_equal(stored.soa.expire_s, 600);
	publication_connect(f);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	assert_int_equal(plane_generation(&f->plane, apex), generation);
	publish(f, 8);
	assert_true(plane_generation(&f->plane, apex) > generation);
}

// It may have been short of memory for a moment: what it serves nothing of is not left at that.
static void a_stored_version_that_is_refused_is_sent_again(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	f->plane.manner = PLANE_REFUSES;
	publication_connect(f);
	WAIT_FOR(f, f->plane.published == 1);
	publication_turns(f, 20);
	assert_false(status_of(f, apex).live);
	f->plane.manner = PLANE_TAKES;
	WAIT_FOR(f, status_of(f, apex).live);
	assert_int_equal(plane_serial(&f->plane, apex), 7);
	assert_string_equal(status_of(f, apex).error, "");
}

static void what_the_data_plane_has_already_is_not_sent(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	plane_close(&f->plane);
	WAIT_FOR(f, !status_of(f, apex).live);
	publication_connect(f);
	WAIT_FOR(f, status_of(f, apex).live);
	WAIT_FOR(f, f->plane.renewed > 0);
	assert_int_equal(f->plane.published, 1);
}

static void generations_grow_past_what_the_data_plane_has_seen(void **state)
{
	struct publication *f = *state;

	f->plane.highest = 1000000;
	plane_serve(&f->plane, apex, 900000, 6);
	publication_connect(f);
	WAIT_FOR(f, status_of(f, apex).generation == 0);
	publication_turns(f, 10);
	publish(f, 7);
	assert_true(f->live);
	assert_true(plane_generation(&f->plane, apex) > 1000000);
}

static void a_zone_that_is_taken_out_is_withdrawn(void **state)
{
	struct publication *f = *state;
	struct publisher_status status;

	publication_connect(f);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	publication_reconfigure(f, "  - {domain: other, primaries: p}\n");
	WAIT_FOR(f, f->plane.withdrawn == 1);
	WAIT_FOR(f, manifest_serial(f) == 0);
	assert_false(publisher_status(f->publisher, apex, &status));
	WAIT_FOR(f, images_on_disk(f) == 0);
}

// Its entry, too: a catalog's members come and go for years.
static void a_zone_that_is_gone_is_forgotten(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	assert_int_equal(f->publisher->zone_count, 2);
	f->plane.manner = PLANE_PONDERS;
	publication_reconfigure(f, "  - {domain: other, primaries: p}\n");
	WAIT_FOR(f, manifest_serial(f) == 0);
	publication_turns(f, 10);
	assert_int_equal(publish_forget_go(f->publisher, SLICE_ALL), 0);
	assert_int_equal(f->publisher->zone_count, 2); // the data plane serves it still
	f->plane.manner = PLANE_TAKES;
	struct seam_message withdraw = {.generation = plane_generation(&f->plane, apex) + 1};

	withdraw.zone.name.len = (uint8_t)name_len(apex);
	memcpy(withdraw.zone.name.wire, apex, withdraw.zone.name.len);
	plane_unserve(&f->plane, &withdraw);
	WAIT_FOR(
	    f, publish_forget_go(f->publisher, SLICE_ALL) == 0 && f->publisher->zone_count == 1);
	publish_history_touch(f->publisher, f->publisher->zones[0]);
	publication_reconfigure(f, ZONES_BOTH);
	assert_int_equal(publish_forget_go(f->publisher, SLICE_ALL), 0);
	assert_int_equal(f->publisher->zone_count, 2);
	publish(f, 8);
	assert_true(f->live);
	WAIT_FOR(f, manifest_serial(f) == 8);
}

// One that comes back before is not.
static void a_zone_that_comes_back_is_not_forgotten(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	publication_reconfigure(f, "  - {domain: other, primaries: p}\n");
	publication_reconfigure(f, ZONES_BOTH);
	publication_turns(f, 10);
	assert_int_equal(publish_forget_go(f->publisher, SLICE_ALL), 0);
	assert_int_equal(f->publisher->zone_count, 2);
	publish(f, 8);
	WAIT_FOR(f, manifest_serial(f) == 8);
	publication_reconfigure(f, "  - {domain: other, primaries: p}\n");
	WAIT_FOR(
	    f, publish_forget_go(f->publisher, SLICE_ALL) == 0 && f->publisher->zone_count == 1);
}

// While a catalog is not there what may be its member stays; when it comes and has no such member,
// that goes, and so do the versions that were kept of it.
static void a_member_of_no_catalog_goes_with_all_that_was_kept(void **state)
{
	static const uint8_t catalog[] = "\7catalog";
	struct publication *f = *state;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish(f, serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	plane_serve(&f->plane, apex, status_of(f, apex).generation, 8);
	publication_end(f);
	publication_reconfigure(f, "  - {domain: catalog, primaries: p, catalog-role: interpret,\n"
	                           "    catalog-template: members}\n"
	                           "template: [{id: members, primaries: p}]\n");
	publication_begin(f);
	publication_connect(f);
	publication_turns(f, 20);
	assert_int_equal(f->publisher->zone_count, 2);
	assert_int_equal(f->plane.withdrawn, 0);
	assert_int_equal(manifest_serial(f), 8);
	publisher_publish(f->publisher, catalog, 9, 0, NULL, zone_make(catalog, 1, 10, true));
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	for (unsigned i = 0; i < 12; i++) // a minute of 5 s each
		publish_strangers_tick(f->publisher);
	WAIT_FOR(f, f->plane.withdrawn == 1 && manifest_serial(f) == 0);
	WAIT_FOR(
	    f, publish_forget_go(f->publisher, SLICE_ALL) == 0 && f->publisher->zone_count == 1);
	WAIT_FOR(f, images_on_disk(f) == 1);
}

// While a reload is being taken up its engine still asks primaries for it, and has what it asked
// for before.
static void a_zone_that_has_a_file_by_now_is_not_what_its_primaries_say(void **state)
{
	static const struct zone_timers timers = {.expires_ms = 1000};
	struct publication *f = *state;
	const struct file_mark source = {0};

	publication_connect(f);
	publish(f, 7);
	assert_true(status_of(f, apex).expires_at != 0);
	f->plane.manner = PLANE_PONDERS;
	f->plane.published = 0;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 100, true));
	WAIT_FOR(f, f->plane.published == 1); // with its expiry
	publication_reconfigure(
	    f, "  - {domain: example, file: /nowhere}\n  - {domain: other, primaries: p}\n");
	assert_int_equal(status_of(f, apex).expires_at, 0);
	f->plane.manner = PLANE_TAKES;
	f->plane.renewed = 0;
	plane_answer(&f->plane, SEAM_LIVE);
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, f->plane.renewed > 0);
	assert_int_equal(status_of(f, apex).expires_at, 0);
	publisher_store(f->publisher, apex, &timers);
	publisher_expire(f->publisher, apex, true);
	assert_int_equal(status_of(f, apex).expires_at, 0);
	assert_false(status_of(f, apex).expired);
	publish(f, 9);
	assert_false(f->live);
	publisher_publish_text(f->publisher, other, 10, &source, zone_make(other, 10, 10, true));
	WAIT_FOR(f, f->token == 10);
	assert_false(f->live);
	publisher_publish_text(f->publisher, apex, 11, &source, zone_make(apex, 11, 10, true));
	WAIT_FOR(f, f->token == 11);
	assert_true(f->live);
	assert_int_equal(status_of(f, apex).expires_at, 0);
}

// What is gone by now has no expiry that a zone of this name could inherit.
static void a_zone_that_is_gone_is_not_told_to_expire(void **state)
{
	static const struct zone_timers timers = {.expires_ms = 1000};
	struct publication *f = *state;
	struct engine_stored stored;

	publish(f, 7);
	publication_reconfigure(f, "  - {domain: other, primaries: p}\n");
	publisher_store(f->publisher, apex, &timers);
	publisher_expire(f->publisher, apex, true);
	publication_reconfigure(f, ZONES_BOTH);
	assert_false(status_of(f, apex).expired);
	assert_int_equal(status_of(f, apex).expires_at, 0);
	publisher_load(f->publisher, apex, &stored);
	assert_false(stored.has_timers);
}

// Sends a signal to every child of this process.
static unsigned children_signal(int sig)
{
	char path[64], line[256] = "";
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "re");
	assert_non_null(file);
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	for (char *at = line, *end; *at != '\0'; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		count += kill((pid_t)pid, sig) == 0;
	}
	return count;
}

// One that stands still gets its request and is killed. Another takes it up, at most once.
static void a_compiler_that_crashes_twice_is_a_reported_failure(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publish(f, 7);
	assert_true(children_signal(SIGSTOP) > 0);
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 100, true));
	publication_turns(f, 20); // it has its request now
	assert_true(children_signal(SIGKILL) > 0);
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);

	assert_int_equal(dup2(STDERR_FILENO, COMPILER_DIES), COMPILER_DIES);
	assert_true(children_signal(SIGKILL) > 0);
	publish(f, 10);
	close(COMPILER_DIES);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "The compiler crashed"));
	publish(f, 11); // by another child
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 11);
}

static bool manifest_has_key(const struct publication *f, const uint64_t key[2])
{
	char error[MANIFEST_ERROR_MAX];
	struct manifest manifest;

	if (manifest_load(f->storage, &manifest, error) < 0)
		return false;
	const bool same = memcmp(manifest.hash_key, key, sizeof(manifest.hash_key)) == 0;
	manifest_free(&manifest);
	return same;
}

// A node whose storage was lost: the key of what is served outlives the next restart, too.
static void the_key_of_what_is_served_is_taken_over_for_good(void **state)
{
	static const uint64_t key[2] = {11, 22};
	struct publication *f = *state;

	publication_turns(f, 100); // meanwhile there is a manifest with a key of our own
	memcpy(f->plane.key, key, sizeof(key));
	publication_connect(f);
	publication_turns(f, 50); // it said so before there was anything to build
	publish(f, 7);
	assert_true(f->live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	assert_true(manifest_has_key(f, key));
}

// Its image is so large that the data plane's proof stands for ours.
#define LARGE 60000

static void a_large_version_is_stored_when_the_data_plane_has_proven_it(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	f->plane.manner = PLANE_PONDERS;
	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, LARGE, true));
	WAIT_FOR(f, f->plane.published == 1);
	publication_turns(f, 50);
	assert_int_equal(f->answers, 0);
	assert_int_equal(images_on_disk(f), 0);
	plane_answer(&f->plane, SEAM_LIVE);
	WAIT_FOR(f, f->live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	// Not one that it refuses.
	f->plane.manner = PLANE_REFUSES;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, LARGE, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	publication_turns(f, 50);
	assert_int_equal(manifest_serial(f), 7);
	// Less is seen without a look into the image.
	f->plane.manner = PLANE_TAKES;
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, LARGE / 3, true));
	WAIT_FOR(f, f->token == 9);
	assert_true(f->held);
}

// At any moment of the build: without it the version is proven and stored here, or it waits
// for the next one.
static void a_data_plane_goes_during_a_large_build(void **state)
{
	struct publication *f = *state;
	int64_t began, whole_ms;

	publication_connect(f);
	began = now_ms();
	publisher_publish(f->publisher, apex, 1, 0, NULL, zone_make(apex, 1, LARGE, true));
	WAIT_FOR(f, f->live);
	whole_ms = now_ms() - began;
	for (uint32_t serial = 2; serial < 10; serial++) {
		const unsigned answers = f->answers;

		publisher_publish(
		    f->publisher, apex, serial, 0, NULL, zone_make(apex, serial, LARGE, true));
		for (began = now_ms(); now_ms() - began < whole_ms * (serial - 2) / 7;)
			loop_turn(f->base);
		f->plane.highest = plane_generation(&f->plane, apex);
		plane_close(&f->plane);
		for (began = now_ms(); f->answers == answers && now_ms() - began < 2 * whole_ms;)
			loop_turn(f->base);
		publication_connect(f);
		WAIT_FOR(f, f->answers > answers);
		assert_true(f->live);
		WAIT_FOR(f, manifest_serial(f) == serial);
		WAIT_FOR(f, plane_serial(&f->plane, apex) == serial);
	}
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, publication_open_both, publication_close)
	const struct CMUnitTest tests[] = {
	    CASE(a_version_is_live_first_and_durable_soon_after),
	    CASE(without_a_data_plane_stored_is_as_good_as_live),
	    CASE(a_refused_version_changes_nothing),
	    CASE(what_was_served_is_told_when_what_takes_its_place_is_refused),
	    CASE(a_zone_the_compiler_refuses_names_the_reason),
	    CASE(a_version_that_kills_the_data_plane_is_given_up),
	    CASE(a_version_beyond_memory_max_is_refused_and_the_old_one_stays),
	    CASE(versions_under_way_count_for_memory_max),
	    CASE(a_version_is_worked_on_until_it_is_answered),
	    CASE(an_equal_version_is_not_sent_again),
	    CASE(a_restarted_control_plane_serves_a_restarted_data_plane),
	    CASE(a_stored_version_that_is_refused_is_sent_again),
	    CASE(what_the_data_plane_has_already_is_not_sent),
	    CASE(generations_grow_past_what_the_data_plane_has_seen),
	    CASE(a_zone_that_is_taken_out_is_withdrawn),
	    CASE(a_zone_that_is_gone_is_forgotten),
	    CASE(a_zone_that_comes_back_is_not_forgotten),
	    CASE(a_member_of_no_catalog_goes_with_all_that_was_kept),
	    CASE(a_zone_that_has_a_file_by_now_is_not_what_its_primaries_say),
	    CASE(a_zone_that_is_gone_is_not_told_to_expire),
	    CASE(a_compiler_that_crashes_twice_is_a_reported_failure),
	    CASE(the_key_of_what_is_served_is_taken_over_for_good),
	    CASE(a_large_version_is_stored_when_the_data_plane_has_proven_it),
	    CASE(a_data_plane_goes_during_a_large_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
