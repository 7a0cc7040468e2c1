// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication and its storage: what is on disk after what, what a start finds there, and what it
// makes of what is damaged, missing or cannot be written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "delta.h"
#include "manifest.h"
#include "reading.h"
#include "reading.h"

static void timers_outlive_a_restart(void **state)
{
	struct publication *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	struct engine_stored stored;

	publish(f, 7);
	publisher_store(f->publisher, apex, &timers);
	publication_end(f);
	publication_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_timers);
	assert_int_equal(stored.timers.refreshed_ms, timers.refreshed_ms);
	assert_int_equal(stored.timers.expires_ms, timers.expires_ms);
	publisher_load(f->publisher, other, &stored);
	assert_false(stored.has_copy);
}

static void timers_path(const struct publication *f, char path[96])
{
	snprintf(path, 96, "%s/store/timers", f->folder);
}

// Post: its size, as far as it has room.
static size_t timers_read(const struct publication *f, uint8_t bytes[193])
{
	char path[96];
	size_t size;
	FILE *file;

	timers_path(f, path);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(bytes, 1, 193, file);
	fclose(file);
	return size;
}

// Records of the file that are nothing but 0xaa; -1: it has not two.
static int timers_painted(const struct publication *f)
{
	uint8_t bytes[193], paint[64];
	const size_t size = timers_read(f, bytes);

	memset(paint, 0xaa, sizeof(paint));
	return size != 192 ? -1 : !memcmp(bytes + 64, paint, 64) + !memcmp(bytes + 128, paint, 64);
}

static void timers_paint(const struct publication *f)
{
	uint8_t paint[128];
	char path[96];
	int fd;

	memset(paint, 0xaa, sizeof(paint));
	timers_path(f, path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, paint, sizeof(paint), 64), sizeof(paint));
	close(fd);
}

static int64_t refreshed_ms(const struct publication *f, const uint8_t *name)
{
	struct engine_stored stored;

	publisher_load(f->publisher, name, &stored);
	assert_true(stored.has_timers);
	return stored.timers.refreshed_ms;
}

static void reopen(struct publication *f)
{
	publication_end(f); // writes the timers
	publication_begin(f);
}

static void timers_that_did_not_change_are_not_written_again(void **state)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	struct zone_timers timers = {.refreshed_ms = now - 7000, .expires_ms = now + 1000000};
	struct publication *f = *state;
	char path[96];

	publish(f, 7);
	publisher_publish(f->publisher, other, 8, 0, NULL, zone_make(other, 8, 10, true));
	WAIT_FOR(f, f->token == 8);
	publisher_store(f->publisher, apex, &timers);
	publisher_store(f->publisher, other, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	timers_paint(f);
	timers.refreshed_ms = now - 6000;
	publisher_store(f->publisher, other, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 1);
	// What is no record costs its zone the age of its copy, and is free for another.
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_not_equal(refreshed_ms(f, apex), now - 7000);
	timers.refreshed_ms = now - 5000;
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_equal(refreshed_ms(f, apex), now - 5000);
	// Taken away under our hands: what is written next is all of it.
	timers_path(f, path);
	assert_int_equal(unlink(path), 0);
	timers.refreshed_ms = now - 4000;
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_equal(refreshed_ms(f, apex), now - 4000);
}

// The next record does not fit, those that are there are written all the same.
static void timers_of_a_full_disk_are_those_that_were_there(void **state)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	struct zone_timers timers = {.refreshed_ms = now - 7000, .expires_ms = now + 1000000};
	struct publication *f = *state;
	struct rlimit old, limit;
	uint8_t before[193], after[193];

	publish(f, 7);
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_read(f, before), 128);
	publisher_publish(f->publisher, other, 8, 0, NULL, zone_make(other, 8, 10, true));
	WAIT_FOR(f, f->token == 8 && status_of(f, other).durable);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 128; // the header and one record
	publisher_store(f->publisher, other, &timers);
	timers.refreshed_ms = now - 6000;
	publisher_store(f->publisher, apex, &timers);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	// Its tick: all that has changed is written in one go, as far as it can be.
	WAIT_FOR(f, timers_read(f, after) == 128 && memcmp(after, before, 128) != 0);
	publication_turns(f, 10);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(timers_read(f, after), 128);
	reopen(f);
	assert_int_equal(refreshed_ms(f, apex), now - 6000);
	assert_int_equal(refreshed_ms(f, other), now - 7000);
}

static void three_versions_are_kept_and_found_again(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	for (uint32_t serial = 1; serial <= 7; serial++) {
		publish(f, serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	publication_end(f);
	plane_close(&f->plane);
	assert_int_equal(images_on_disk(f), 3);
	publication_begin(f);
	assert_int_equal(images_on_disk(f), 3);
	assert_int_equal(status_of(f, apex).serial, 7);
}

// The timers on disk are of the version before: they say nothing about whose this one is.
static void the_origin_of_another_version_is_not_taken_for_that_of_this_one(void **state)
{
	struct publication *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	char path[96], aside[112];
	struct engine_stored stored;

	publisher_publish(f->publisher, apex, 7, 4711, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 7);
	publisher_store(f->publisher, apex, &timers);
	publication_end(f); // writes the timers
	snprintf(path, sizeof(path), "%s/store/timers", f->folder);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	publication_begin(f);
	publisher_publish(f->publisher, apex, 8, 4712, NULL, zone_make(apex, 8, 100, true));
	WAIT_FOR(f, f->token == 8);
	publication_end(f);
	assert_int_equal(rename(aside, path), 0); // as after a crash before they were written
	publication_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.soa.serial, 8);
	assert_int_equal(stored.origin, 4712);
	assert_false(stored.timers.refreshed_ms == timers.refreshed_ms);
}

static void the_journal_has_what_led_to_the_version_served(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3");
	// Found between the two: what the difference did, undone.
	publish(f, 9);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3, 8>9 -3 +2");
	publication_end(f);
	publication_begin(f);
	publisher_apply(f->publisher, apex, 10, 0, NULL, delta_make(9, 10, false));
	WAIT_FOR(f, f->token == 10);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3, 8>9 -3 +2, 9>10 -2 +3");
	// A serial that went back is no step.
	publisher_publish(f->publisher, apex, 3, 0, NULL, zone_make(apex, 3, 100, true));
	WAIT_FOR(f, f->token == 3);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "none");
}

static void a_journal_that_cannot_be_written_holds_up_nothing(void **state)
{
	struct publication *f = *state;
	char path[96];
	FILE *file;

	publish(f, 7);
	WAIT_FOR(f, status_of(f, apex).durable);
	snprintf(path, sizeof(path), "%s/store/journal", f->folder);
	rmdir(path);
	file = fopen(path, "w"); // a file where the folder should be
	assert_non_null(file);
	fclose(file);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	WAIT_FOR(f, manifest_serial(f) == 8);
	WAIT_FOR(f, strstr(status_of(f, apex).error, "journal cannot be written") != NULL);
	assert_false(status_of(f, apex).durable);
	unlink(path);
	WAIT_FOR(f, status_of(f, apex).durable); // tried again
	assert_string_equal(journal_text(f), "7>8 -2 +3");
	assert_string_equal(status_of(f, apex).error, "");
}

static void a_stored_version_that_has_rotted_is_no_base_for_a_difference(void **state)
{
	struct publication *f = *state;
	char command[160];

	publish(f, 7);
	publication_end(f);
	publication_begin(f);
	// Behind the boot's back: one byte in the middle of the only image file.
	snprintf(command, sizeof(command),
	    "for i in %s/store/images/*; do printf X | dd of=$i bs=1 seek=2000 conv=notrunc "
	    "status=none; done",
	    f->folder);
	assert_int_equal(system(command), 0);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "The stored version is broken"));
}

// One byte in the middle of the image that the manifest names, of the version it has beside it
// (`older`) or of the zone's own.
static void image_rot(const struct publication *f, bool older)
{
	char path[128], error[MANIFEST_ERROR_MAX];
	struct manifest_zone zone = {0};
	struct manifest manifest;
	uint8_t byte = 0;
	int fd;

	assert_int_equal(manifest_load(f->storage, &manifest, error), 0);
	for (size_t i = 0; i < manifest.zone_count; i++) {
		if (memcmp(manifest.zones[i].apex, apex, sizeof(apex)) != 0)
			continue;
		zone = manifest.zones[i];
		if (older)
			assert_true(manifest_older(&manifest, &manifest.zones[i], &zone));
	}
	manifest_free(&manifest);
	assert_int_equal(zone.layer_count, 1);
	assert_int_equal(
	    manifest_image_path(f->storage, zone.layer[0].file_id, path, sizeof(path)), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	const off_t middle = (off_t)(zone.layer[0].offset + zone.layer[0].size / 2);
	assert_int_equal(pread(fd, &byte, 1, middle), 1);
	byte ^= 0x55;
	assert_int_equal(pwrite(fd, &byte, 1, middle), 1);
	close(fd);
}

// What was served before is more than nothing; what comes next takes its place.
static void a_version_that_is_broken_at_a_start_is_served_as_it_was_before(void **state)
{
	struct publication *f = *state;
	struct engine_stored stored;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish_from(f, serial, 1000 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	const uint64_t generation = status_of(f, apex).generation;

	publication_end(f);
	image_rot(f, false);
	publication_begin(f);
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_true(status_of(f, apex).generation < generation);
	assert_true(status_of(f, apex).older);
	assert_non_null(strstr(status_of(f, apex).error, "serial 8, is broken or gone"));
	assert_non_null(strstr(status_of(f, apex).error, "serial 7, takes its place"));
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_copy);
	assert_int_equal(stored.soa.serial, 7);
	assert_int_equal(stored.origin, 1007);
	assert_true(stored.older);
	// A data plane that has nothing is given it; one that has more keeps that.
	publication_connect(f);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	publisher_apply(f->publisher, apex, 9, 1007, NULL, delta_make(7, 9, false));
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	assert_true(status_of(f, apex).generation > generation);
	assert_false(status_of(f, apex).older);
	assert_string_equal(status_of(f, apex).error, "");
}

static void when_the_one_before_is_broken_too_the_zone_starts_anew(void **state)
{
	struct publication *f = *state;
	struct publisher_status status;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish(f, serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	const uint64_t generation = status_of(f, apex).generation;

	publication_end(f);
	image_rot(f, true);
	image_rot(f, false);
	publication_begin(f);
	assert_true(publisher_status(f->publisher, apex, &status));
	assert_false(status.has_version);
	// A data plane that has it in memory knows until when, and is told nothing else.
	plane_serve(&f->plane, apex, generation, 8);
	publication_connect(f);
	publication_turns(f, 20);
	assert_int_equal(f->plane.renewed, 0);
	publish(f, 9);
	assert_true(f->live);
}

// Two versions on disk, the later one served, and nothing of them in memory; the file rots.
static void rot_behind_its_back(struct publication *f, bool older_too)
{
	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish_from(f, serial, 1000 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	publication_end(f);
	publication_begin(f);
	assert_int_equal(status_of(f, apex).serial, 8);
	if (older_too)
		image_rot(f, true);
	image_rot(f, false);
}

// A data plane that has lost what it had wants it; the file is not what it was.
static void a_version_that_has_rotted_is_served_as_it_was_before(void **state)
{
	struct publication *f = *state;

	rot_behind_its_back(f, false);
	publication_connect(f);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	WAIT_FOR(f, status_of(f, apex).live);
	assert_true(status_of(f, apex).older);
	assert_non_null(strstr(status_of(f, apex).error, "serial 8, is broken"));
	assert_non_null(strstr(status_of(f, apex).error, "serial 7, takes its place"));
	assert_int_equal(f->plane.published, 1);
	assert_int_equal(f->lost, 1);
	assert_true(f->left.has_copy && f->left.older);
	assert_int_equal(f->left.soa.serial, 7);
	assert_int_equal(f->left.origin, 1007);
	WAIT_FOR(f, manifest_serial(f) == 7 && status_of(f, apex).durable);
	WAIT_FOR(f, images_on_disk(f) == 1);
	publish_records(f, 80, zone_make(apex, 8, 100, true));
	assert_true(f->live);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_false(status_of(f, apex).older);
	assert_string_equal(status_of(f, apex).error, "");
}

// Who looks at the digest of what is served finds out what it is, not what its digest is worth.
// Where there are no descriptors to look with, it is looked at when there are.
static void what_rots_is_not_what_has_a_wrong_digest(void **state)
{
	struct publication *f = *state;
	struct rlimit before, none = {0};

	rot_behind_its_back(f, false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	publication_reconfigure(f, "  - {domain: example, primaries: p, zonemd-verify: on}\n");
	publication_turns(f, 50);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(f->lost, 0);
	WAIT_FOR(f, f->lost == 1);
	assert_non_null(strstr(status_of(f, apex).error, "serial 8, is broken"));
	assert_int_equal(status_of(f, apex).serial, 7);
}

// The data plane has it in memory and goes on with that; who reads it from the disk finds out.
static void what_rots_under_a_data_plane_is_found_by_who_reads_it(void **state)
{
	struct publication *f = *state;
	struct reading reading;
	uint64_t generation;

	rot_behind_its_back(f, false);
	generation = status_of(f, apex).generation;
	plane_serve(&f->plane, apex, generation, 8);
	publication_connect(f);
	WAIT_FOR(f, status_of(f, apex).live);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), -EAGAIN);
	WAIT_FOR(f, f->lost == 1);
	publication_turns(f, 20);
	assert_int_equal(f->plane.published, 0);
	assert_int_equal(plane_serial(&f->plane, apex), 8);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), 0);
	reading_close(&reading);
	// The same serial again, from a primary: the data plane takes it, for it is newer here.
	publish_records(f, 80, zone_make(apex, 8, 100, true));
	assert_true(f->live);
	assert_true(plane_generation(&f->plane, apex) > generation);
	WAIT_FOR(f, status_of(f, apex).live && manifest_serial(f) == 8);
}

static void when_all_versions_have_rotted_the_zone_begins_anew(void **state)
{
	struct publication *f = *state;

	rot_behind_its_back(f, true);
	publication_connect(f);
	WAIT_FOR(f, f->lost == 2);
	assert_false(f->left.has_copy);
	assert_false(status_of(f, apex).has_version);
	assert_non_null(strstr(status_of(f, apex).error, "starts anew"));
	assert_int_equal(f->plane.published, 0);
	publish(f, 9);
	assert_int_equal(plane_serial(&f->plane, apex), 9);
	WAIT_FOR(f, images_on_disk(f) == 1);
}

// By the word of the data plane, which had nothing of the zone.
static void a_stored_version_that_does_not_verify_there_gives_way(void **state)
{
	struct publication *f = *state;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish_from(f, serial, 1007);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	f->plane.manner = PLANE_PONDERS;
	f->plane.broken = true;
	publication_connect(f);
	WAIT_FOR(f, f->plane.published == 1);
	assert_int_equal(f->plane.pondered.zone.serial, 8);
	f->plane.manner = PLANE_TAKES;
	plane_answer(&f->plane, SEAM_REJECT);
	WAIT_FOR(f, plane_serial(&f->plane, apex) == 7);
	WAIT_FOR(f, status_of(f, apex).live);
	assert_true(status_of(f, apex).older);
	assert_non_null(strstr(status_of(f, apex).error, PLANE_REASON));
	assert_int_equal(f->lost, 1);
	assert_true(f->left.older);
}

// A primary that has the older serial would never bring that one's end about.
static void a_later_serial_is_not_what_a_zone_falls_back_to(void **state)
{
	struct publication *f = *state;
	struct publisher_status status;

	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publish(f, 7); // as `npctl zone retransfer` takes it
	WAIT_FOR(f, status_of(f, apex).durable);
	publication_end(f);
	image_rot(f, false);
	publication_begin(f);
	assert_true(publisher_status(f->publisher, apex, &status));
	assert_false(status.has_version);
}

// A start that cannot read an image (here: a link, which is not followed) has not lost it: neither
// the file nor the manifest's word of it goes before there is another version.
static void what_cannot_be_read_at_a_start_is_there_at_the_next(void **state)
{
	struct publication *f = *state;

	publish(f, 7);
	publication_end(f);
	images_rename(f, true);
	publication_begin(f);
	assert_false(status_of(f, apex).has_version);
	// Another zone's version is stored meanwhile.
	publisher_publish(f->publisher, other, 1, 0, NULL, zone_make(other, 1, 100, true));
	WAIT_FOR(f, f->token == 1);
	WAIT_FOR(f, status_of(f, other).durable);
	publication_end(f);
	publication_begin(f);
	assert_int_equal(manifest_serial(f), 7);
	assert_true(status_of(f, other).has_version);
	publication_end(f);
	images_rename(f, false);
	publication_begin(f);
	assert_int_equal(status_of(f, apex).serial, 7);
	// And when there is one, it goes.
	publication_end(f);
	images_rename(f, true);
	publication_begin(f);
	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publication_end(f);
	images_rename(f, false);
	publication_begin(f);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_int_equal(images_on_disk(f), 2); // one of each zone
}

static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

#define MANY      700
#define IN_MEMORY 512 // as in publish.c

static void many_publish(struct publication *f, unsigned i, uint32_t serial)
{
	const unsigned before = f->answers;

	publisher_publish(f->publisher, numbered_apex(i), serial, 0, NULL,
	    zone_make(numbered_apex(i), serial, 5, true));
	WAIT_FOR(f, f->answers > before);
}

static bool many_durable(const struct publication *f, unsigned i)
{
	struct publisher_status status;

	return publisher_status(f->publisher, numbered_apex(i), &status) && status.durable;
}

// All but one.
static void many_read(struct publication *f, unsigned but)
{
	struct reading reading;

	for (unsigned i = 0; i < MANY; i++) {
		int rc;

		if (i == but)
			continue;
		WAIT_FOR(
		    f, (rc = publisher_read(f->publisher, numbered_apex(i), &reading)) != -EAGAIN);
		assert_int_equal(rc, 0);
		publisher_read_end(f->publisher, &reading);
	}
}

// Each image in memory is a descriptor, and who reads zones back reads all of them one day.
static void images_that_are_read_back_do_not_all_stay_in_memory(void **state)
{
	struct publication *f = *state;
	struct reading reading;
	unsigned busy = 0;
	char *zones = numbered_zones(MANY);

	publication_reconfigure(f, zones);
	free(zones);
	const unsigned before = descriptors();

	for (unsigned i = 0; i < MANY; i++)
		many_publish(f, i, 1);
	for (unsigned i = 0; i < MANY; i++)
		WAIT_FOR(f, many_durable(f, i));
	assert_in_range(descriptors(), before, before + IN_MEMORY + 8);

	many_read(f, MANY);
	assert_in_range(descriptors(), before, before + IN_MEMORY + 8);

	// One has a version on its way while its turn comes, and the version is refused.
	f->plane.manner = PLANE_TAKES_OLDER;
	publication_connect(f);
	WAIT_FOR(f, f->plane.published >= MANY);
	many_read(f, MANY);
	f->plane.manner = PLANE_PONDERS;
	f->plane.published = 0;
	const unsigned answers = f->answers;

	while (publisher_peek(f->publisher, numbered_apex(busy), &reading) < 0)
		assert_in_range(++busy, 0, MANY - 1);
	publisher_read_end(f->publisher, &reading);
	publisher_publish(f->publisher, numbered_apex(busy), 2, 0, NULL,
	    zone_make(numbered_apex(busy), 2, 5, true));
	WAIT_FOR(f, f->plane.published > 0);
	many_read(f, busy);
	many_read(f, busy);
	assert_int_equal(publisher_peek(f->publisher, numbered_apex(busy), &reading), 0);
	publisher_read_end(f->publisher, &reading);
	plane_answer(&f->plane, SEAM_REJECT);
	WAIT_FOR(f, f->answers > answers);
	many_read(f, busy);
	many_read(f, busy);
	assert_int_equal(publisher_peek(f->publisher, numbered_apex(busy), &reading), -EAGAIN);
}

static void stored_break(struct publication *f, const char *name)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/store/%s", f->folder, name);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 100), 1);
	close(fd);
}

// First alone, and its copy is taken; then with its copy, which the start had written anew.
static void a_broken_manifest_is_set_aside(void **state)
{
	struct publication *f = *state;
	char path[96];

	publish(f, 7);
	publication_end(f);
	stored_break(f, "manifest");
	publication_begin(f);
	assert_true(status_of(f, apex).has_version);
	assert_int_equal(status_of(f, apex).serial, 7);
	snprintf(path, sizeof(path), "%s/store/manifest.broken", f->folder);
	assert_int_equal(unlink(path), 0);
	publication_end(f);
	assert_int_equal(access(path, F_OK), -1);

	stored_break(f, "manifest");
	stored_break(f, "manifest.copy");
	publication_begin(f);
	assert_false(status_of(f, apex).has_version);
	assert_int_equal(access(path, R_OK), 0);
	publish(f, 8);
	assert_true(f->live);
}

static void two_control_planes_do_not_share_a_storage(void **state)
{
	struct publication *f = *state;
	const struct publisher_ops ops = {0};
	char error[PUBLISH_REASON_MAX];
	struct publisher *second;

	assert_true(publisher_open(f->base, f->config, &ops, &second, error) < 0);
	assert_null(second);
	assert_non_null(strstr(error, "Another np-controlplane"));
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, publication_open_both, publication_close)
	const struct CMUnitTest tests[] = {
	    CASE(timers_outlive_a_restart),
	    CASE(timers_that_did_not_change_are_not_written_again),
	    CASE(timers_of_a_full_disk_are_those_that_were_there),
	    CASE(three_versions_are_kept_and_found_again),
	    CASE(the_origin_of_another_version_is_not_taken_for_that_of_this_one),
	    CASE(the_journal_has_what_led_to_the_version_served),
	    CASE(a_journal_that_cannot_be_written_holds_up_nothing),
	    CASE(a_stored_version_that_has_rotted_is_no_base_for_a_difference),
	    CASE(a_version_that_is_broken_at_a_start_is_served_as_it_was_before),
	    CASE(when_the_one_before_is_broken_too_the_zone_starts_anew),
	    CASE(a_version_that_has_rotted_is_served_as_it_was_before),
	    CASE(what_rots_is_not_what_has_a_wrong_digest),
	    CASE(what_rots_under_a_data_plane_is_found_by_who_reads_it),
	    CASE(when_all_versions_have_rotted_the_zone_begins_anew),
	    CASE(a_stored_version_that_does_not_verify_there_gives_way),
	    CASE(a_later_serial_is_not_what_a_zone_falls_back_to),
	    CASE(what_cannot_be_read_at_a_start_is_there_at_the_next),
	    CASE(images_that_are_read_back_do_not_all_stay_in_memory),
	    CASE(a_broken_manifest_is_set_aside),
	    CASE(two_control_planes_do_not_share_a_storage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
