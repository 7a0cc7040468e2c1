// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The manifest on disk: what was saved is loaded, from the copy where need be, whatever was damaged
// is refused whole, and a failed save leaves the old one.

#include "manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <signal.h>

#include <cmocka.h>

static char folder[] = "/tmp/np-manifest-XXXXXX";
static char path[64];
static char changes_path[96];
static char copy_path[96];

static int folder_make(void **state)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/manifest", folder);
	snprintf(changes_path, sizeof(changes_path), "%s.changes", path);
	snprintf(copy_path, sizeof(copy_path), "%s.copy", path);
	return 0;
}

static int folder_remove(void **state)
{
	unlink(changes_path);
	unlink(copy_path);
	unlink(path);
	return rmdir(folder);
}

static void zone_make(struct manifest_zone *zone, const char *apex, size_t len, unsigned layers)
{
	memset(zone, 0, sizeof(*zone));
	zone->apex_len = (uint8_t)len;
	memcpy(zone->apex, apex, len);
	zone->layer_count = layers;
	zone->serial = 4294967295u - (uint32_t)len;
	zone->generation = 1000 + len;
	zone->expires_at = len % 2 ? 1800000000 : 0;
	zone->grace_s = (uint32_t)len * 100;
	zone->hidden = len == 5;
	for (unsigned i = 0; i < layers; i++)
		zone->layer[i] = (struct manifest_layer){
		    .file_id = 0xfedcba9876543210 + i, .offset = 64 * i, .size = 4096 * (i + 1)};
}

static int append(uint64_t mark, const struct manifest *changes, uint64_t *end)
{
	struct manifest_entries entries = {0};
	int ret = manifest_put_all(&entries, changes);

	if (ret == 0)
		ret = manifest_append(folder, mark, &entries, end);
	manifest_entries_free(&entries);
	return ret;
}

static void save_three_zones(void)
{
	struct manifest_zone zones[3];
	struct manifest manifest = {.generation_max = 1u << 20,
	    .hash_key = {0x1111111111111111, 0x2222222222222222},
	    .zones = zones,
	    .zone_count = 3};

	zone_make(&zones[0], "", 1, 1);
	zone_make(&zones[1], "\7example\3com", 13, 3);
	zone_make(&zones[2], "\3net", 5, 2);
	assert_int_equal(manifest_save(folder, &manifest), 0);
}

static size_t file_read(uint8_t *bytes, size_t cap)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	assert_non_null(file);
	size = fread(bytes, 1, cap, file);
	assert_true(size < cap);
	fclose(file);
	return size;
}

// From then on there is no other.
static void file_write(const uint8_t *bytes, size_t size)
{
	assert_true(unlink(copy_path) == 0 || errno == ENOENT);

	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void assert_broken(void)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	assert_int_equal(manifest_load(folder, &manifest, error), -EINVAL);
	assert_true(strlen(error) > 0);
	assert_null(manifest.zones);
	assert_int_equal(manifest.zone_count, 0);
}

static void what_was_saved_is_loaded(void **state)
{
	struct manifest manifest;
	struct manifest_zone want;
	char error[MANIFEST_ERROR_MAX];

	save_three_zones();
	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	assert_int_equal(manifest.generation_max, 1u << 20);
	assert_int_equal(manifest.hash_key[0], 0x1111111111111111);
	assert_int_equal(manifest.hash_key[1], 0x2222222222222222);
	assert_int_equal(manifest.zone_count, 3);
	zone_make(&want, "", 1, 1);
	assert_memory_equal(&manifest.zones[0], &want, sizeof(want));
	zone_make(&want, "\7example\3com", 13, 3);
	assert_memory_equal(&manifest.zones[1], &want, sizeof(want));
	zone_make(&want, "\3net", 5, 2);
	assert_memory_equal(&manifest.zones[2], &want, sizeof(want));
	manifest_free(&manifest);
	manifest_free(&manifest);
}

static struct manifest_older older_make(uint64_t generation, unsigned layers)
{
	struct manifest_older older = {
	    .generation = generation, .serial = 41, .layer_count = layers};

	for (unsigned i = 0; i < layers; i++)
		older.layer[i] = (struct manifest_layer){
		    .file_id = 0x77 + i, .offset = 128 * i, .size = 8192 * (i + 1)};
	return older;
}

// Beside the first and the last of three zones; a change of the last brings another, and one of the
// first leaves it none.
static void what_was_served_before_is_there_for_a_boot(void **state)
{
	struct manifest_zone zones[3], older;
	struct manifest manifest = {.generation_max = 1u << 20, .zones = zones, .zone_count = 3},
	                loaded;
	const struct manifest_older first = older_make(7, 1), last = older_make(8, 3);
	char error[MANIFEST_ERROR_MAX];
	uint64_t end = 0;

	zone_make(&zones[0], "", 1, 1);
	zone_make(&zones[1], "\7example\3com", 13, 3);
	zone_make(&zones[2], "\3net", 5, 2);
	assert_int_equal(manifest_older_add(&manifest, &zones[0], &first), 0);
	assert_int_equal(manifest_older_add(&manifest, &zones[2], &last), 0);
	assert_int_equal(manifest_save(folder, &manifest), 0);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_int_equal(loaded.zone_count, 3);
	assert_true(manifest_older(&loaded, &loaded.zones[0], &older));
	assert_int_equal(older.generation, 7);
	assert_int_equal(older.serial, 41);
	assert_int_equal(older.layer_count, 1);
	assert_memory_equal(older.layer, first.layer, sizeof(first.layer[0]));
	assert_int_equal(older.apex_len, 1);
	assert_false(manifest_older(&loaded, &loaded.zones[1], &older));
	assert_true(manifest_older(&loaded, &loaded.zones[2], &older));
	assert_int_equal(older.layer_count, 3);
	assert_memory_equal(older.layer, last.layer, sizeof(last.layer));
	assert_int_equal(older.grace_s, loaded.zones[2].grace_s);
	const uint64_t mark = loaded.mark;
	manifest_free(&loaded);

	manifest.zone_count = 2;
	zones[0].older = 0;
	zones[1] = zones[2];
	zones[1].older = 1;
	assert_int_equal(append(mark, &manifest, &end), 0);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_int_equal(loaded.zone_count, 3);
	assert_false(manifest_older(&loaded, &loaded.zones[0], &older));
	assert_false(manifest_older(&loaded, &loaded.zones[1], &older));
	assert_true(manifest_older(&loaded, &loaded.zones[2], &older));
	assert_int_equal(older.generation, 7);
	manifest_free(&loaded);
	manifest_free(&loaded);
	free(manifest.older);
}

// Not older, of too many layers, or in a place that is none.
static void impossible_older_versions_are_refused(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct manifest_zone zone;
		struct manifest manifest = {
		    .generation_max = 2000, .zones = &zone, .zone_count = 1};
		struct manifest_older older = older_make(7, 2);

		zone_make(&zone, "\1a", 3, 1);
		if (i == 0)
			older.generation = zone.generation;
		else if (i == 1)
			older.layer[1].offset = 32;
		else if (i == 2)
			older.layer[0].size = 0;
		assert_int_equal(manifest_older_add(&manifest, &zone, &older), 0);
		assert_int_equal(manifest_save(folder, &manifest), 0);
		if (i < 3) {
			assert_broken();
		} else {
			char error[MANIFEST_ERROR_MAX];
			struct manifest loaded;

			assert_int_equal(manifest_load(folder, &loaded, error), 0);
			manifest_free(&loaded);
		}
		free(manifest.older);
	}
}

static void a_node_without_zones_has_a_manifest_too(void **state)
{
	struct manifest manifest = {.generation_max = 7}, loaded;
	char error[MANIFEST_ERROR_MAX];

	assert_int_equal(manifest_save(folder, &manifest), 0);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_int_equal(loaded.zone_count, 0);
	assert_int_equal(loaded.generation_max, 7);
	manifest_free(&loaded);
}

static void no_manifest_is_no_error_of_the_disk(void **state)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	unlink(path);
	unlink(copy_path);
	assert_int_equal(manifest_load(folder, &manifest, error), -ENOENT);
	assert_int_equal(manifest_load("/nowhere/at/all", &manifest, error), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(manifest_load(folder, &manifest, error), -EINVAL);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0700), 0);
	assert_int_equal(manifest_load(folder, &manifest, error), -EINVAL);
	assert_int_equal(unlink(path), 0);
}

static void a_manifest_cut_anywhere_is_refused(void **state)
{
	uint8_t bytes[4096];
	size_t size;

	save_three_zones();
	size = file_read(bytes, sizeof(bytes));
	for (size_t len = 0; len < size; len++) {
		file_write(bytes, len);
		assert_broken();
	}
	memset(bytes + size, 0, 64);
	for (size_t len = size + 1; len < size + 64; len++) {
		file_write(bytes, len);
		assert_broken();
	}
}

static void a_manifest_with_any_byte_changed_is_refused(void **state)
{
	uint8_t bytes[4096];
	size_t size;

	save_three_zones();
	size = file_read(bytes, sizeof(bytes));
	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1u << bit);
			file_write(bytes, size);
			assert_broken();
			bytes[i] ^= (uint8_t)(1u << bit);
		}
	}
	file_write(bytes, size);
}

// What a program of ours that went wrong could have written, its checksum right.
static const struct {
	const char *apex;
	size_t apex_len;
	unsigned layers;
	uint64_t generation, offset, size;
} wrong[] = {
    {"\1A", 3, 1, 5, 0, 4096},               // upper case
    {"\1a\1", 3, 1, 5, 0, 4096},             // no end
    {"\1a\0", 4, 1, 5, 0, 4096},             // bytes behind the end
    {"\300\0", 3, 1, 5, 0, 4096},            // a pointer
    {"\1a", 3, 1, 101, 0, 4096},             // a generation beyond the highest
    {"\1a", 3, 1, 5, 32, 4096},              // not aligned
    {"\1a", 3, 1, 5, 0, 0},                  // empty
    {"\1a", 3, 1, 5, 0, UINT64_MAX},         // larger than any image
    {"\1a", 3, 1, 5, UINT64_MAX - 63, 4096}, // beyond any file
    {"\1a", 0, 1, 5, 0, 4096},               // no name
};

static void impossible_zones_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct manifest_zone zone;
		struct manifest manifest = {.generation_max = 100, .zones = &zone, .zone_count = 1};

		zone_make(&zone, wrong[i].apex, wrong[i].apex_len, wrong[i].layers);
		zone.generation = wrong[i].generation;
		zone.layer[0].offset = wrong[i].offset;
		zone.layer[0].size = wrong[i].size;
		assert_int_equal(manifest_save(folder, &manifest), 0);
		assert_broken();
	}
}

static void a_failed_save_leaves_the_old_manifest(void **state)
{
	struct manifest manifest = {0}, loaded;
	char error[MANIFEST_ERROR_MAX], temporary[80];
	struct rlimit old, none = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
	struct manifest_zone *zones = calloc(100, sizeof(*zones));

	save_three_zones();
	assert_non_null(zones);
	for (unsigned i = 0; i < 100; i++)
		zone_make(&zones[i], "\1a", 3, 1);
	manifest.zones = zones;
	manifest.zone_count = 100;
	manifest.generation_max = 2000;

	// The disk is full after 100 bytes.
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(manifest_save(folder, &manifest), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	assert_int_equal(access(temporary, F_OK), -1);
	snprintf(temporary, sizeof(temporary), "%s.copy.new", path);
	assert_int_equal(access(temporary, F_OK), -1);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_int_equal(loaded.zone_count, 3);
	manifest_free(&loaded);

	// It is full before the manifest, and the copy is the new one already.
	assert_int_equal(mkdir(strcat(strcpy(temporary, path), ".new"), 0700), 0);
	assert_int_equal(manifest_save(folder, &manifest), -EISDIR);
	assert_int_equal(rmdir(temporary), 0);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_false(loaded.from_copy);
	assert_int_equal(loaded.zone_count, 3);
	manifest_free(&loaded);

	assert_int_equal(manifest_save("/nowhere/at/all", &manifest), -ENOENT);
	assert_int_equal(manifest_save(folder, &manifest), 0);
	assert_int_equal(manifest_load(folder, &loaded, error), 0);
	assert_int_equal(loaded.zone_count, 100);
	manifest_free(&loaded);
	free(zones);
}

// A zone changes and one comes; then one goes, and the one that came. Post: where each ends.
static void append_two_changes(uint64_t mark, uint64_t end[2])
{
	struct manifest_zone zones[2];
	struct manifest changes = {
	    .generation_max = (1u << 20) + 1, .zones = zones, .zone_count = 2};
	uint64_t at = 0;

	zone_make(&zones[0], "\7example\3com", 13, 1);
	zones[0].serial = 77;
	zone_make(&zones[1], "\3new", 5, 1);
	assert_int_equal(append(mark, &changes, &at), 0);
	end[0] = at;
	zone_make(&zones[0], "\3net", 5, 0);
	zone_make(&zones[1], "\3new", 5, 0);
	changes.generation_max++;
	assert_int_equal(append(mark, &changes, &at), 0);
	end[1] = at;
}

static void assert_after(unsigned records)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	assert_int_equal(manifest.generation_max, (1u << 20) + records);
	assert_int_equal(manifest.zone_count, records == 0 ? 3 : records == 1 ? 4 : 2);
	assert_int_equal(manifest.zones[1].apex_len, 13);
	assert_int_equal(manifest.zones[1].layer_count, records == 0 ? 3 : 1);
	if (records > 0)
		assert_int_equal(manifest.zones[1].serial, 77);
	for (size_t i = 0; i < manifest.zone_count; i++)
		assert_true(manifest.zones[i].layer_count >= 1);
	manifest_free(&manifest);
}

static uint64_t mark_of_three_zones(void)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];
	uint64_t mark;

	unlink(changes_path);
	save_three_zones();
	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	mark = manifest.mark;
	manifest_free(&manifest);
	return mark;
}

static void damage(unsigned kind)
{
	switch (kind) {
	case 0:
		assert_int_equal(unlink(path), 0);
		break;
	case 1:
		assert_int_equal(truncate(path, 40), 0);
		break;
	case 2:
		assert_int_equal(truncate(path, 0), 0);
		break;
	default:
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

// With what changed since, and until both are written again. It is told.
static void a_manifest_that_is_lost_is_read_from_its_copy(void **state)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct manifest manifest;
		char error[MANIFEST_ERROR_MAX];
		uint64_t end[2], mark = mark_of_three_zones();

		damage(kind);
		assert_int_equal(manifest_load(folder, &manifest, error), 0);
		assert_true(manifest.from_copy);
		assert_true(strlen(error) > 0);
		assert_int_equal(manifest.mark, mark);
		assert_int_equal(manifest.zone_count, 3);
		manifest_free(&manifest);
		if (kind == 3)
			assert_int_equal(rmdir(path), 0);

		save_three_zones();
		append_two_changes(mark, end);
		assert_after(2);
		damage(kind);
		assert_after(2);
		if (kind == 3)
			assert_int_equal(rmdir(path), 0);
		save_three_zones();
		assert_int_equal(manifest_load(folder, &manifest, error), 0);
		assert_false(manifest.from_copy);
		manifest_free(&manifest);
	}
}

static void with_a_broken_copy_the_manifest_is_what_it_was(void **state)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	save_three_zones();
	assert_int_equal(truncate(copy_path, 40), 0);
	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	assert_false(manifest.from_copy);
	assert_int_equal(manifest.zone_count, 3);
	manifest_free(&manifest);
	damage(1);
	assert_broken();
}

// Killed at any byte: what was committed before is there, whole, and nothing of what was not.
static void changes_cut_anywhere_are_those_committed_before(void **state)
{
	uint64_t end[2], mark = mark_of_three_zones();

	append_two_changes(mark, end);
	assert_after(2);
	for (uint64_t size = end[1]; size-- > 0;) {
		assert_int_equal(truncate(changes_path, (off_t)size), 0);
		assert_after(size >= end[0] ? 1 : 0);
	}
}

static void changes_of_another_manifest_say_nothing(void **state)
{
	uint64_t end[2];

	append_two_changes(mark_of_three_zones() + 1, end);
	assert_after(0);
}

// Of the second change alone: what the first one said is lost.
static void assert_first_lost(uint64_t bytes)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	assert_int_equal(manifest.damaged, bytes);
	assert_int_equal(manifest.generation_max, (1u << 20) + 2);
	assert_int_equal(manifest.zone_count, 2);
	assert_int_equal(manifest.zones[1].apex_len, 13);
	assert_int_equal(manifest.zones[1].layer_count, 3);
	manifest_free(&manifest);
}

static void changes_that_cannot_be_read_are_not_none(void **state)
{
	uint64_t end[2], mark = mark_of_three_zones();
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	append_two_changes(mark, end);
	unlink(changes_path);
	assert_int_equal(symlink("/proc/self/mem", changes_path), 0); // O_NOFOLLOW: ELOOP
	assert_int_equal(manifest_load(folder, &manifest, error), -ELOOP);
	assert_non_null(strstr(error, "changes"));
	unlink(changes_path);
	assert_int_equal(mkdir(changes_path, 0700), 0); // a folder can be opened, not read
	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	manifest_free(&manifest);
	assert_int_equal(rmdir(changes_path), 0);
}

static void a_changed_byte_is_no_torn_end(void **state)
{
	uint64_t end[2], mark = mark_of_three_zones();

	append_two_changes(mark, end);
	for (uint64_t at = 0; at < end[1]; at++) {
		int fd = open(changes_path, O_RDWR);
		uint8_t byte;

		assert_true(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		if (at < end[0])
			assert_first_lost(end[0]);
		else
			assert_after(1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
	}
	unlink(changes_path);
}

// A removed, shortened or replaced file, and changes of a manifest that is gone: a start would read
// nothing of what was said, so nothing more is said there.
static void changes_that_somebody_took_away_are_not_gone_on_with(void **state)
{
	uint64_t end[2], mark = mark_of_three_zones(), at;
	struct manifest changes = {.generation_max = 1u << 21};

	append_two_changes(mark, end);
	at = end[1];
	assert_int_equal(truncate(changes_path, (off_t)end[0]), 0);
	assert_int_equal(append(mark, &changes, &at), -ESTALE);
	assert_int_equal(unlink(changes_path), 0);
	assert_int_equal(append(mark, &changes, &at), -ENOENT);
	assert_int_equal(at, end[1]);
	assert_int_equal(access(changes_path, F_OK), -1);

	append_two_changes(mark, end);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(append(mark, &changes, &end[1]), -ENOENT);
	at = 0;
	assert_int_equal(append(mark, &changes, &at), -ENOENT);
}

// An expiry goes on and back again: the two manifests are equal to the last byte, and what was said
// between them is not said of the second.
static void an_equal_manifest_does_not_take_up_the_changes_of_the_one_before(void **state)
{
	uint64_t end[2], mark = mark_of_three_zones();
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];

	append_two_changes(mark, end);
	assert_after(2);
	save_three_zones();
	assert_int_equal(manifest_load(folder, &manifest, error), 0);
	assert_true(manifest.mark == mark);
	manifest_free(&manifest);
	assert_after(0);
}

static void an_image_has_its_id_in_its_path(void **state)
{
	char out[64];

	assert_int_equal(manifest_image_path("/var/lib/np", 0xab, out, sizeof(out)), 0);
	assert_string_equal(out, "/var/lib/np/images/00000000000000ab.img");
	assert_int_equal(manifest_image_path("/var/lib/np", 0xab, out, 40), 0);
	assert_int_equal(manifest_image_path("/var/lib/np", 0xab, out, 39), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_saved_is_loaded),
	    cmocka_unit_test(what_was_served_before_is_there_for_a_boot),
	    cmocka_unit_test(impossible_older_versions_are_refused),
	    cmocka_unit_test(a_node_without_zones_has_a_manifest_too),
	    cmocka_unit_test(no_manifest_is_no_error_of_the_disk),
	    cmocka_unit_test(a_manifest_cut_anywhere_is_refused),
	    cmocka_unit_test(a_manifest_with_any_byte_changed_is_refused),
	    cmocka_unit_test(impossible_zones_are_refused),
	    cmocka_unit_test(a_failed_save_leaves_the_old_manifest),
	    cmocka_unit_test(a_manifest_that_is_lost_is_read_from_its_copy),
	    cmocka_unit_test(with_a_broken_copy_the_manifest_is_what_it_was),
	    cmocka_unit_test(changes_cut_anywhere_are_those_committed_before),
	    cmocka_unit_test(changes_of_another_manifest_say_nothing),
	    cmocka_unit_test(a_changed_byte_is_no_torn_end),
	    cmocka_unit_test(changes_that_cannot_be_read_are_not_none),
	    cmocka_unit_test(changes_that_somebody_took_away_are_not_gone_on_with),
	    cmocka_unit_test(an_equal_manifest_does_not_take_up_the_changes_of_the_one_before),
	    cmocka_unit_test(an_image_has_its_id_in_its_path),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
