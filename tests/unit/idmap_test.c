// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The map against an array that says which keys are in it.
#include "idmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 300

static char keys[KEYS][8];
static bool there[KEYS];

static void assert_as_the_array(const struct idmap *map, size_t count)
{
	assert_int_equal(map->count, count);
	for (unsigned k = 0; k < KEYS; k++) {
		const void *found = idmap_find(map, keys[k], strlen(keys[k]));

		assert_ptr_equal(found, there[k] ? keys[k] : NULL);
	}
}

// Few places and many keys, so that most stand beside where they belong.
static void what_is_taken_out_leaves_the_others_where_they_are_found(void **state)
{
	struct idmap map = {0};
	size_t count = 0;

	for (unsigned k = 0; k < KEYS; k++)
		snprintf(keys[k], sizeof(keys[k]), "k%u", k);
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		const unsigned k = (unsigned)random() % KEYS;

		if (there[k])
			idmap_remove(&map, keys[k], strlen(keys[k]));
		else
			assert_true(idmap_add(&map, keys[k], strlen(keys[k]), keys[k]));
		there[k] = !there[k];
		count = there[k] ? count + 1 : count - 1;
		if (i % 16 == 0)
			assert_as_the_array(&map, count);
	}
	idmap_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_taken_out_leaves_the_others_where_they_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
