// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones from files (primary.h): what the publisher answers, and whose answer it is. The publisher
// is played here.
#include "primary.h"
#include "slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "name.h"
#include "publish.h"
#include "records.h"
#include "zone.h"

static uint32_t handed[8]; // tokens, in their order
static size_t handed_count;

void publisher_publish_text(struct publisher *p, const uint8_t *apex, uint32_t token,
    const struct file_mark *source, struct records *records)
{
	(void)p;
	(void)source;
	assert_true(name_equal(apex, (const uint8_t *)"\4test"));
	handed[handed_count++] = token;
	records_free(records);
}

struct file_mark publisher_source(const struct publisher *p, const uint8_t *apex)
{
	(void)p;
	(void)apex;
	return (struct file_mark){0};
}

static uint64_t room = UINT64_MAX; // bytes

bool publisher_room_for_text(
    struct publisher *p, uint64_t count, uint64_t bytes, char reason[SESSION_ROOM_REASON])
{
	(void)p;
	(void)count;
	strcpy(reason, "there is none");
	return bytes <= room;
}

static char path[] = "/tmp/primary_test.XXXXXX";

static void file_write(unsigned serial)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fprintf(out,
	    "test. 300 SOA ns.test. h.test. %u 3600 600 604800 300\n"
	    "test. 300 NS ns.test.\nns.test. 300 A 192.0.2.1\n",
	    serial);
	fclose(out);
}

// Until so many were handed out.
static void until_handed(struct event_base *base, size_t count)
{
	for (unsigned i = 0; i < 6000 && handed_count < count; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_int_equal(handed_count, count);
}

// What is not read to its end is no version, and says why and where.
static void a_text_for_which_there_is_no_memory_is_not_read_to_its_end(void **state)
{
	char big[] = "/tmp/primary_test.XXXXXX";
	struct config_zone zone = {
	    .domain = (uint8_t *)(uintptr_t) "\4test", .domain_len = 6, .file = big};
	struct config config = {.zones = &zone, .zone_count = 1};
	struct event_base *base = event_base_new();
	struct primary *primary = primary_open(base, NULL);
	FILE *out = fdopen(mkstemp(big), "w");

	(void)state;
	assert_non_null(out);
	fprintf(out, "test. 300 SOA ns.test. h.test. 1 3600 600 604800 300\n");
	for (unsigned i = 0; i < 200000; i++)
		fprintf(out, "h%u.test. 300 A 192.0.2.1\n", i);
	fclose(out);
	room = UINT64_C(3) << 20;
	primary_load(primary, &config);
	assert_int_equal(primary_load_go(primary, SLICE_ALL), 0);
	for (unsigned i = 0; i < 6000 && primary_busy(primary); i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_int_equal(handed_count, 0);
	assert_non_null(strstr(primary_error(primary, zone.domain), "No memory for more than "));
	assert_non_null(strstr(primary_error(primary, zone.domain), ": there is none."));
	assert_null(strstr(primary_error(primary, zone.domain), ":200001:"));
	room = UINT64_MAX;
	primary_close(primary);
	event_base_free(base);
	unlink(big);
}

static void only_the_answer_to_what_was_handed_out_last_counts(void **state)
{
	struct config_zone zone = {
	    .domain = (uint8_t *)(uintptr_t) "\4test", .domain_len = 6, .file = path};
	struct config config = {.zones = &zone, .zone_count = 1};
	struct event_base *base = event_base_new();
	struct primary *primary = primary_open(base, NULL);

	(void)state;
	assert_true(mkstemp(path) >= 0);
	file_write(1);
	primary_load(primary, &config);
	assert_int_equal(primary_load_go(primary, SLICE_ALL), 0);
	until_handed(base, 1);
	assert_true(primary_busy(primary));
	// The zone had primaries a moment ago, and a version of theirs is answered now: the
	// engine's.
	for (uint32_t token = 0; token < 3; token++) {
		assert_false(primary_published(primary, zone.domain, token, true, NULL));
	}
	assert_false(
	    primary_published(primary, zone.domain, handed[0] & ZONE_TOKEN_MAX, false, "No."));
	assert_true(primary_busy(primary));
	assert_string_equal(primary_error(primary, zone.domain), "");
	assert_true(primary_published(primary, zone.domain, handed[0], false, "No."));
	assert_false(primary_busy(primary));
	assert_string_equal(primary_error(primary, zone.domain), "No.");

	// Read again; then an answer to what was handed out before comes once more.
	file_write(2);
	primary_load(primary, &config);
	assert_int_equal(primary_load_go(primary, SLICE_ALL), 0);
	until_handed(base, 2);
	assert_true(primary_published(primary, zone.domain, handed[0], false, "Late."));
	assert_true(primary_busy(primary));
	assert_string_equal(primary_error(primary, zone.domain), "No.");
	assert_true(primary_published(primary, zone.domain, handed[1], true, NULL));
	assert_false(primary_busy(primary));
	assert_string_equal(primary_error(primary, zone.domain), "");
	assert_true(handed[0] > ZONE_TOKEN_MAX && handed[1] > ZONE_TOKEN_MAX);
	primary_close(primary);
	event_base_free(base);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_for_which_there_is_no_memory_is_not_read_to_its_end),
	    cmocka_unit_test(only_the_answer_to_what_was_handed_out_last_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
