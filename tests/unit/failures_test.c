// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a zone remembers of its failures (failures.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failures.h"

static void the_newest_comes_first(void **state)
{
	struct failures *failures = NULL;

	(void)state;
	failures_add(&failures, "a", 1);
	failures_add(&failures, "b", 2);
	assert_int_equal(failures->count, 2);
	assert_string_equal(failures->items[0].text, "b");
	assert_int_equal(failures->items[0].at_ms, 2);
	assert_string_equal(failures->items[1].text, "a");
	failures_free(failures);
}

static void the_same_again_is_counted(void **state)
{
	struct failures *failures = NULL;

	(void)state;
	failures_add(&failures, "a", 1);
	failures_add(&failures, "a", 5);
	assert_int_equal(failures->count, 1);
	assert_int_equal(failures->items[0].times, 2);
	assert_int_equal(failures->items[0].at_ms, 5);
	failures_add(&failures, "b", 6);
	failures_add(&failures, "a", 7);
	assert_int_equal(failures->count, 3);
	assert_int_equal(failures->items[0].times, 1);
	failures_free(failures);
}

static void only_the_last_few_are_kept(void **state)
{
	struct failures *failures = NULL;
	char text[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "number %d", i);
		failures_add(&failures, text, i);
	}
	assert_int_equal(failures->count, FAILURES_MAX);
	assert_string_equal(failures->items[0].text, "number 99");
	assert_string_equal(failures->items[FAILURES_MAX - 1].text, "number 96");
	failures_free(failures);
}

static void a_long_text_is_cut(void **state)
{
	struct failures *failures = NULL;
	char text[2 * FAILURE_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	failures_add(&failures, text, 0);
	assert_int_equal(strlen(failures->items[0].text), FAILURE_TEXT_MAX - 1);
	failures_free(failures);
	failures_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_newest_comes_first),
	    cmocka_unit_test(the_same_again_is_counted),
	    cmocka_unit_test(only_the_last_few_are_kept),
	    cmocka_unit_test(a_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
