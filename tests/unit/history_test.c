// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/history: what is written is read, the last record of a zone last; whatever happens to the
// file's bytes, what is read is a prefix of what was written.
#include "history.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// In memory: hundreds of fsyncs are not what is tested here.
static char storage[] = "/dev/shm/history-test-XXXXXX";

static int setup(void **state)
{
	snprintf(storage, sizeof(storage), "/dev/shm/history-test-XXXXXX");
	return mkdtemp(storage) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", storage);
	return system(command);
}

// Every field says which zone it is of.
static struct history_zone zone_of(unsigned n)
{
	struct history_zone zone = {
	    .apex_len = (uint8_t)(3 + n % 5), .pinned = n % 2, .pinned_ms = 1000 + n};

	zone.apex[0] = (uint8_t)(zone.apex_len - 2);
	memset(zone.apex + 1, 'a' + (int)n, zone.apex[0]);
	zone.version_count = (uint8_t)(n % (HISTORY_VERSIONS_MAX + 1));
	for (unsigned i = 0; i < zone.version_count; i++) {
		zone.version[i] = (struct history_version){.generation = 1 + n * 10 + i,
		    .id = 2 + n,
		    .content = 3 + n,
		    .origin = 4 + n,
		    .rr_count = 5 + n,
		    .when_ms = 6 + n,
		    .soa = {7 + n, 8 + n, 9 + n, 10 + n},
		    .source = {13 + n, 14 + n, 15 + n, n % 2 * (16 + i)},
		    .role = (uint8_t)(i % 3),
		    .how = (uint8_t)(n % 5),
		    .layer_count = (uint8_t)(1 + i % IMAGE_LAYERS_MAX)};
		if (zone.version[i].source.inode == 0) // nothing is known, nothing is kept
			zone.version[i].source = (struct file_mark){0};
		for (unsigned k = 0; k < zone.version[i].layer_count; k++)
			zone.version[i].layer[k] =
			    (struct manifest_layer){11 + n, 4096 * k, 12 + n};
	}
	return zone;
}

static void put(struct history_records *records, unsigned n)
{
	const struct history_zone zone = zone_of(n);

	assert_int_equal(history_put(records, &zone), 0);
}

static char read_text[64]; // a letter for each zone, as they came

static void zone_read(void *ctx, const struct history_zone *zone)
{
	const unsigned n = zone->apex[1] - 'a';
	const struct history_zone want = zone_of(n);
	const size_t len = strlen(read_text);

	assert_memory_equal(zone, &want, sizeof(want));
	read_text[len] = (char)('a' + n);
	read_text[len + 1] = '\0';
}

static int load(uint64_t *size)
{
	memset(read_text, 0, sizeof(read_text));
	return history_load(storage, zone_read, NULL, size);
}

static void what_is_written_is_read(void **state)
{
	struct history_records records = {0};
	uint64_t size = 0, read;

	assert_int_equal(load(&read), -ENOENT);
	for (unsigned n = 0; n < 12; n++)
		put(&records, n);
	assert_int_equal(history_write(storage, &records, &size), 0);
	assert_int_equal(size, records.len);
	assert_int_equal(load(&read), 0);
	assert_int_equal(read, size);
	assert_string_equal(read_text, "abcdefghijkl");
	history_free(&records);
	put(&records, 3);
	put(&records, 4);
	assert_int_equal(history_write(storage, &records, &size), 0);
	assert_int_equal(load(&read), 0);
	assert_string_equal(read_text, "abcdefghijklde");
	assert_int_equal(read, size);
	size = 0; // anew
	assert_int_equal(history_write(storage, &records, &size), 0);
	assert_int_equal(load(&read), 0);
	assert_string_equal(read_text, "de");
	history_free(&records);
	history_remove(storage);
	assert_int_equal(load(&read), -ENOENT);
}

static void file_put(const uint8_t *bytes, size_t len)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/history", storage);
	file = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void broken_bytes_leave_all_others(void **state)
{
	struct history_records records = {0};
	size_t end[5] = {0};
	uint64_t read;

	for (unsigned n = 0; n < 4; n++) {
		put(&records, n + 2);
		end[n + 1] = records.len;
	}
	for (size_t len = 0; len < records.len; len++) {
		size_t whole = 0;

		while (end[whole + 1] <= len)
			whole++;
		file_put(records.bytes, len);
		assert_int_equal(load(&read), len == end[whole] ? 0 : -EBADMSG);
		assert_int_equal(strlen(read_text), whole);
		assert_int_equal(read, end[whole]);
	}
	for (size_t i = 0; i < records.len; i++) {
		char others[8] = "cdef";
		size_t broken = 0;

		while (end[broken + 1] <= i)
			broken++;
		memmove(others + broken, others + broken + 1, 4 - broken);
		records.bytes[i] ^= (uint8_t)(1 << i % 8);
		file_put(records.bytes, records.len);
		assert_int_equal(load(&read), -EBADMSG);
		assert_string_equal(read_text, others);
		assert_int_equal(read, broken == 3 ? end[3] : end[4]);
		records.bytes[i] ^= (uint8_t)(1 << i % 8);
	}
	history_free(&records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(broken_bytes_leave_all_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
