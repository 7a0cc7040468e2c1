// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the system has left, out of files as the kernel writes them, and what fits into it.

#include "admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static char root[] = "/tmp/admission_test.XXXXXX";

static void put(const char *path, const char *text)
{
	char command[512], whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", whole);
	assert_int_equal(system(command), 0);
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int root_make(void **state)
{
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int root_remove(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void nothing_is_known_where_there_is_nothing_to_read(void **state)
{
	assert_true(admission_available(root) == UINT64_MAX);
}

static void the_least_of_system_and_groups_is_left(void **state)
{
	put("proc/meminfo",
	    "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:  8388608 kB\n");
	assert_int_equal(admission_available(root), 8192 * MIB);

	put("proc/self/cgroup", "9:name=systemd:/\n0::/system.slice/np.service\n");
	assert_int_equal(admission_available(root), 8192 * MIB); // no limit anywhere
	put("sys/fs/cgroup/system.slice/np.service/memory.max", "max\n");
	put("sys/fs/cgroup/system.slice/np.service/memory.current", "1048576\n");
	assert_int_equal(admission_available(root), 8192 * MIB);
	put("sys/fs/cgroup/system.slice/memory.max", "4294967296\n");
	put("sys/fs/cgroup/system.slice/memory.current", "3221225472\n");
	assert_int_equal(admission_available(root), 1024 * MIB);
	// Cache that nobody looks at is given back.
	put("sys/fs/cgroup/system.slice/memory.stat", "anon 5\nfile 7\ninactive_file 1073741824\n");
	assert_int_equal(admission_available(root), 2048 * MIB);
	put("sys/fs/cgroup/system.slice/np.service/memory.max", "1048576\n");
	assert_int_equal(admission_available(root), 0);
}

// A container of version 1: the way is the host's, and what is mounted is its own group.
static void control_groups_of_the_first_version_count_as_well(void **state)
{
	put("proc/meminfo", "MemAvailable:  8388608 kB\n");
	put("proc/self/cgroup", "12:cpu,memory:/docker/0123\n11:memory_not:/x\n0::/\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n");
	assert_int_equal(admission_available(root), 8192 * MIB);
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "3221225472\n");
	assert_int_equal(admission_available(root), 2048 * MIB);
	put("sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "1073741824\n");
	put("sys/fs/cgroup/memory/docker/0123/memory.usage_in_bytes", "1073741824\n");
	assert_int_equal(admission_available(root), 0);
	put("sys/fs/cgroup/memory/docker/0123/memory.stat",
	    "inactive_file 5\ntotal_inactive_file 536870912\n");
	assert_int_equal(admission_available(root), 512 * MIB);
}

#define COUNT 1000000
#define BYTES (60 * MIB)

static bool fits(struct admission *admission, uint64_t available, uint64_t count,
    char reason[ADMISSION_REASON_MAX])
{
	struct admission_claim claim = {0};
	const bool good = admission_claim(admission, available, count, BYTES, &claim, reason);

	admission_release(admission, &claim);
	assert_int_equal(admission->coming, 0);
	assert_int_equal(admission->building, 0);
	return good;
}

static void what_fits_is_built(void **state)
{
	struct admission free = {.lock = PTHREAD_MUTEX_INITIALIZER},
	                 limited = {.lock = PTHREAD_MUTEX_INITIALIZER,
	                     .memory_max = 300 * MIB,
	                     .images = 100 * MIB};
	const uint64_t image = admission_image_size(COUNT, BYTES),
	               build = admission_build_size(COUNT, BYTES);
	char reason[ADMISSION_REASON_MAX] = "";

	assert_true(image > BYTES && build > image);
	assert_true(fits(&free, UINT64_MAX, COUNT, reason));
	assert_true(fits(&free, 2 * build, COUNT, reason));
	assert_false(fits(&free, build, COUNT, reason)); // a part stays free
	assert_non_null(strstr(reason, "MiB left"));
	assert_false(fits(&free, 0, COUNT, reason));
	assert_true(fits(&limited, UINT64_MAX, COUNT, reason));
	assert_false(fits(&limited, UINT64_MAX, 2 * COUNT, reason));
	assert_non_null(strstr(reason, "memory-max is 300 MiB"));
	assert_false(fits(&limited, UINT64_MAX, UINT64_MAX / 1000, reason));
}

// Each alone would fit. What the first one takes is taken from when it is let in until it is served
// (its image) or built (the rest).
static void what_is_under_way_counts(void **state)
{
	const uint64_t image = admission_image_size(COUNT, BYTES),
	               build = admission_build_size(COUNT, BYTES);
	struct admission admission = {.lock = PTHREAD_MUTEX_INITIALIZER,
	    .memory_max = 2 * image + 100 * MIB,
	    .images = 100 * MIB};
	struct admission_claim first = {0}, second = {0}, third = {0};
	char reason[ADMISSION_REASON_MAX];

	assert_true(admission_claim(&admission, 2 * build, COUNT, BYTES, &first, reason));
	assert_false(admission_claim(&admission, 2 * build, COUNT, BYTES, &second, reason));
	assert_non_null(strstr(reason, "others under way"));
	admission_built(&admission, &first);
	assert_true(admission_claim(&admission, 2 * build, COUNT, BYTES, &second, reason));
	assert_false(admission_claim(&admission, UINT64_MAX, COUNT, BYTES, &third, reason));
	assert_non_null(strstr(reason, "MiB under way, and memory-max"));
	// The first is served, in the place of a smaller one: there are 100 MiB left, which is
	// less.
	admission_served(&admission, image, 100 * MIB);
	admission_release(&admission, &first);
	assert_int_equal(admission.images, image);
	assert_true(image > 100 * MIB);
	assert_false(admission_claim(&admission, UINT64_MAX, COUNT, BYTES, &third, reason));
	// The second was refused.
	admission_release(&admission, &second);
	assert_true(admission_claim(&admission, UINT64_MAX, COUNT, BYTES, &third, reason));
	admission_release(&admission, &third);
	admission_release(&admission, &third);
	assert_int_equal(admission.coming, 0);
	assert_int_equal(admission.building, 0);
}

// What would be refused in the end is, at the record at which that is certain.
static void what_comes_is_asked_about_before_its_end(void **state)
{
	const uint64_t image = admission_image_size(COUNT, BYTES),
	               build = admission_build_size(COUNT, BYTES);
	struct admission admission = {
	    .lock = PTHREAD_MUTEX_INITIALIZER, .memory_max = image + 10 * MIB, .images = 10 * MIB};
	char reason[ADMISSION_REASON_MAX];

	assert_true(admission_room(&admission, UINT64_MAX, COUNT, BYTES, reason));
	assert_false(admission_room(&admission, UINT64_MAX, COUNT, BYTES + MIB, reason));
	assert_non_null(strstr(reason, "memory-max is "));
	assert_non_null(strstr(reason, "10 MiB are taken"));
	assert_true(admission_room(&admission, 2 * build, COUNT, BYTES, reason));
	assert_false(admission_room(&admission, build, COUNT, BYTES, reason));
	assert_non_null(strstr(reason, "MiB left"));
	assert_int_equal(admission.coming, 0); // a question is no claim
	assert_int_equal(admission.building, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_known_where_there_is_nothing_to_read),
	    cmocka_unit_test(the_least_of_system_and_groups_is_left),
	    cmocka_unit_test(control_groups_of_the_first_version_count_as_well),
	    cmocka_unit_test(what_fits_is_built),
	    cmocka_unit_test(what_is_under_way_counts),
	    cmocka_unit_test(what_comes_is_asked_about_before_its_end),
	};

	return cmocka_run_group_tests(tests, root_make, root_remove);
}
