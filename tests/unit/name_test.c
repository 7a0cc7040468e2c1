// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Domain names: text, order, equality. The wide paths are held against plain byte loops on names
// that lie at the very end of their memory, so that the address sanitizer sees any byte too many.

#include "name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text;
	const char *origin; // wire, or NULL
	int ret;
	const char *wire;
} from_text[] = {
    {".", NULL, 1, ""},
    {"a.", NULL, 3, "\1a"},
    {"a", NULL, 3, "\1a"},
    {"a", "\7example", 11, "\1a\7example"},
    {"a.", "\7example", 3, "\1a"},
    {"A.b.C.", NULL, 7, "\1A\1b\1C"},
    {"\\.a.", NULL, 4, "\2.a"},
    {"\\097b.", NULL, 4, "\2ab"},
    {"\\\\.", NULL, 3, "\1\\"},
    {"\\000.", NULL, 3, "\1\0"},
    {"\\255x.", NULL, 4, "\2\377x"},
    {"*.x.", NULL, 5, "\1*\1x"},
    {"", NULL, -EINVAL, NULL},
    {"..", NULL, -EINVAL, NULL},
    {".a", NULL, -EINVAL, NULL},
    {"a..b", NULL, -EINVAL, NULL},
    {"a\\", NULL, -EINVAL, NULL},
    {"\\25", NULL, -EINVAL, NULL},
    {"\\256.", NULL, -EINVAL, NULL},
    {"\\2a5.", NULL, -EINVAL, NULL},
};

static void text_becomes_wire(void **state)
{
	uint8_t out[NAME_LEN_MAX];

	for (size_t i = 0; i < COUNT(from_text); i++) {
		int ret = name_from_text(from_text[i].text, strlen(from_text[i].text),
		    (const uint8_t *)from_text[i].origin, out);

		assert_int_equal(ret, from_text[i].ret);
		if (ret > 0)
			assert_memory_equal(out, from_text[i].wire, (size_t)ret);
	}
}

static void labels_and_names_stop_at_their_limits(void **state)
{
	char text[600];
	uint8_t out[NAME_LEN_MAX];

	memset(text, 'x', sizeof(text));
	assert_int_equal(name_from_text(text, 63, NULL, out), 65);
	assert_int_equal(name_from_text(text, 64, NULL, out), -EINVAL);

	// 63.63.63.61 is 255 bytes of wire; one more is too long.
	text[63] = text[127] = text[191] = '.';
	assert_int_equal(name_from_text(text, 192 + 61, NULL, out), 255);
	assert_int_equal(name_len_checked(out, sizeof(out)), 255);
	assert_int_equal(name_from_text(text, 192 + 62, NULL, out), -ENAMETOOLONG);
	text[192 + 61] = '.';
	assert_int_equal(name_from_text(text, 192 + 62, NULL, out), 255);
	assert_int_equal(name_from_text(text, 192 + 59, (const uint8_t *)"\1x", out), 255);
	assert_int_equal(
	    name_from_text(text, 192 + 60, (const uint8_t *)"\1x", out), -ENAMETOOLONG);

	// 127 labels of one byte are the most.
	for (int i = 0; i < 300; i += 2) {
		text[i] = 'x';
		text[i + 1] = '.';
	}
	assert_int_equal(name_from_text(text, 254, NULL, out), 255);
	assert_int_equal(name_labels(out), 127);
	assert_int_equal(name_from_text(text, 256, NULL, out), -ENAMETOOLONG);
	assert_int_equal(name_from_text(text, 255, NULL, out), -ENAMETOOLONG);
}

static void malformed_wire_has_no_length(void **state)
{
	uint8_t wire[300];

	assert_int_equal(name_len_checked((const uint8_t *)"", 1), 1);
	assert_int_equal(name_len_checked((const uint8_t *)"", 0), 0);
	assert_int_equal(name_len_checked((const uint8_t *)"\1a", 2), 0);
	assert_int_equal(name_len_checked((const uint8_t *)"\1a", 3), 3);
	assert_int_equal(name_len_checked((const uint8_t *)"\1a\0junk", 7), 3);
	assert_int_equal(name_len_checked((const uint8_t *)"\300\0", 3), 0);
	assert_int_equal(name_len_checked((const uint8_t *)"\1a\300\0", 5), 0);
	assert_int_equal(name_len_checked((const uint8_t *)"\100a", 3), 0);
	assert_int_equal(name_len_checked((const uint8_t *)"\77a", 3), 0);
	memset(wire, 1, sizeof(wire));
	wire[255] = 0;
	assert_int_equal(name_len_checked(wire, sizeof(wire)), 0);
	wire[254] = 0;
	assert_int_equal(name_len_checked(wire, sizeof(wire)), 255);
	assert_int_equal(name_len_checked(wire, 254), 0);
}

// The example of RFC 4034 6.1, in its order.
static const char *const ordered[] = {"example.", "a.example.", "yljkjljk.a.example.",
    "Z.a.example.", "zABC.a.EXAMPLE.", "z.example.", "\\001.z.example.", "*.z.example.",
    "\\200.z.example."};

static void names_sort_as_rfc_4034_shows(void **state)
{
	uint8_t a[NAME_LEN_MAX], b[NAME_LEN_MAX];

	for (size_t i = 0; i < COUNT(ordered); i++) {
		assert_true(name_from_text(ordered[i], strlen(ordered[i]), NULL, a) > 0);
		for (size_t k = 0; k < COUNT(ordered); k++) {
			assert_true(name_from_text(ordered[k], strlen(ordered[k]), NULL, b) > 0);

			int order = name_compare(a, b);

			assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
			assert_int_equal(name_equal(a, b), i == k);
		}
	}
}

static void ancestors_are_whole_labels(void **state)
{
	const uint8_t *name = (const uint8_t *)"\3www\7Example\3com";

	assert_true(name_is_under(name, (const uint8_t *)"\7eXAMPLE\3com"));
	assert_true(name_is_under(name, (const uint8_t *)""));
	assert_true(name_is_under(name, name));
	assert_false(name_is_under(name, (const uint8_t *)"\6xample\3com"));
	assert_false(name_is_under(name, (const uint8_t *)"\1a\3www\7example\3com"));
	assert_ptr_equal(name_suffix(name, 1), name + 12);
	assert_ptr_equal(name_suffix(name, 3), name);
	assert_int_equal(*name_suffix(name, 0), 0);
	assert_ptr_equal(name_parent(name), name + 4);
	assert_int_equal(name_len(name), 17);
}

static void only_a_lone_star_is_a_wildcard(void **state)
{
	assert_true(name_is_wildcard((const uint8_t *)"\1*\1a"));
	assert_false(name_is_wildcard((const uint8_t *)"\2**\1a"));
	assert_false(name_is_wildcard((const uint8_t *)"\1a\1*"));
	assert_false(name_is_wildcard((const uint8_t *)""));
}

// The same in the plainest words.
static uint8_t plain_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static int plain_label_compare(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 1; i <= a[0] && i <= b[0]; i++)
		if (plain_lower(a[i]) != plain_lower(b[i]))
			return plain_lower(a[i]) < plain_lower(b[i]) ? -1 : 1;
	return (a[0] > b[0]) - (a[0] < b[0]);
}

static int plain_compare(const uint8_t *a, const uint8_t *b)
{
	unsigned n_a = name_labels(a), n_b = name_labels(b);

	for (unsigned k = 1; k <= n_a && k <= n_b; k++) {
		int order = plain_label_compare(name_suffix(a, k), name_suffix(b, k));

		if (order != 0)
			return order;
	}
	return (n_a > n_b) - (n_a < n_b);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

// Few letters and labels, so that names often share much. Exactly as large as its allocation.
static uint8_t *random_name(void)
{
	static const uint8_t bytes[] = {'a', 'A', 'z', 'Z', '@', '[', '`', '{', 0xc1, 0xe1, 0, 255};
	uint8_t wire[NAME_LEN_MAX];
	unsigned len = 0, choice = random_below(10) == 0 ? COUNT(bytes) : 2;

	for (unsigned labels = random_below(4); labels > 0; labels--) {
		unsigned label_len = 1 + random_below(random_below(2) ? 4 : 30);

		if (len + label_len + 2 > NAME_LEN_MAX)
			break;
		wire[len++] = (uint8_t)label_len;
		while (label_len-- > 0)
			wire[len++] = bytes[random_below(random_below(12) ? 2 : choice)];
	}
	wire[len++] = 0;

	uint8_t *name = malloc(len);

	assert_non_null(name);
	memcpy(name, wire, len);
	return name;
}

static void wide_paths_agree_with_byte_loops(void **state)
{
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t *a = random_name(), *b = random_name();
		size_t len = name_len(b);

		if (i % 3 == 0) { // the same name in other case
			free(b);
			len = name_len(a);
			b = malloc(len);
			assert_non_null(b);
			for (size_t k = 0; k < len; k++)
				b[k] = random_below(2) ? plain_lower(a[k]) : a[k];
		}

		int want = plain_compare(a, b), got = name_compare(a, b);

		assert_int_equal((got > 0) - (got < 0), want);
		assert_int_equal(name_equal(a, b), want == 0);
		name_lower(b, b, len);
		for (size_t k = 0; k < len; k++)
			assert_int_equal(b[k], plain_lower(b[k]));
		free(a);
		free(b);
	}
}

static void wire_to_text_and_back_is_the_same_name(void **state)
{
	char text[NAME_TEXT_MAX];
	uint8_t out[NAME_LEN_MAX], longest[NAME_LEN_MAX];

	for (unsigned i = 0; i < 20000; i++) {
		uint8_t *name = random_name();
		size_t len = name_len(name);

		for (size_t k = 0, next = 0; k < len; k++) { // any bytes inside the labels
			if (k == next)
				next += 1u + name[k];
			else
				name[k] = (uint8_t)random_below(256);
		}

		size_t text_len = name_to_text(name, text);

		assert_int_equal(text_len, strlen(text));
		assert_int_equal(name_from_text(text, text_len, NULL, out), len);
		assert_memory_equal(out, name, len);
		free(name);
	}
	memset(longest, 0, sizeof(longest));
	longest[0] = longest[64] = longest[128] = 63;
	longest[192] = 61;
	assert_true(name_to_text(longest, text) < NAME_TEXT_MAX);
	assert_string_equal((name_to_text((const uint8_t *)"\11a.b\"$@;()\1\\", text), text),
	    "a\\.b\\\"\\$\\@\\;\\(\\).\\\\.");
	assert_string_equal(
	    (name_to_text((const uint8_t *)"\3a \177", text), text), "a\\032\\127.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_becomes_wire),
	    cmocka_unit_test(labels_and_names_stop_at_their_limits),
	    cmocka_unit_test(malformed_wire_has_no_length),
	    cmocka_unit_test(names_sort_as_rfc_4034_shows),
	    cmocka_unit_test(ancestors_are_whole_labels),
	    cmocka_unit_test(only_a_lone_star_is_a_wildcard),
	    cmocka_unit_test(wide_paths_agree_with_byte_loops),
	    cmocka_unit_test(wire_to_text_and_back_is_the_same_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
