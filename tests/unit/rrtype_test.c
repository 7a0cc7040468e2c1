// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Types and classes by number and by name.

#include "rrtype.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

// Numbers from the IANA registry, not from our header.
static const struct {
	int number;
	const char *text;
} known[] = {
    {1, "A"},
    {2, "NS"},
    {5, "CNAME"},
    {6, "SOA"},
    {23, "NSAP-PTR"},
    {28, "AAAA"},
    {35, "NAPTR"},
    {46, "RRSIG"},
    {51, "NSEC3PARAM"},
    {61, "OPENPGPKEY"},
    {65, "HTTPS"},
    {109, "EUI64"},
    {255, "ANY"},
    {257, "CAA"},
    {261, "RESINFO"},
    {32769, "DLV"},
};

static void known_types_go_both_ways_in_any_case(void **state)
{
	char out[16], lower[16];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].text);

		assert_string_equal(rrtype_to_text((uint16_t)known[i].number, out), known[i].text);
		assert_int_equal(rrtype_from_text(known[i].text, len), known[i].number);
		for (size_t k = 0; k <= len; k++)
			lower[k] = known[i].text[k] >= 'A' && known[i].text[k] <= 'Z'
			               ? (char)(known[i].text[k] + 32)
			               : known[i].text[k];
		assert_int_equal(rrtype_from_text(lower, len), known[i].number);
	}
}

static void every_number_survives_the_round_trip(void **state)
{
	char out[16];

	for (unsigned n = 0; n <= 65535; n++) {
		rrtype_to_text((uint16_t)n, out);
		assert_int_equal(rrtype_from_text(out, strlen(out)), n);
		rrclass_to_text((uint16_t)n, out);
		assert_int_equal(rrclass_from_text(out, strlen(out)), n);
	}
}

static void generic_forms_are_read_and_bounded(void **state)
{
	assert_int_equal(rrtype_from_text("TYPE65535", 9), 65535);
	assert_int_equal(rrtype_from_text("type1", 5), 1);
	assert_int_equal(rrtype_from_text("TYPE65536", 9), -EINVAL);
	assert_int_equal(rrtype_from_text("TYPE99999", 9), -EINVAL);
	assert_int_equal(rrtype_from_text("TYPE", 4), -EINVAL);
	assert_int_equal(rrtype_from_text("TYPE-1", 6), -EINVAL);
	assert_int_equal(rrtype_from_text("TYPE 1", 6), -EINVAL);
	assert_int_equal(rrclass_from_text("CLASS1", 6), 1);
	assert_int_equal(rrclass_from_text("CLASS65536", 10), -EINVAL);
}

static void what_is_no_type_is_refused(void **state)
{
	static const char *const wrong[] = {"", "AA", "AAA", "N", "NSS", "CNAM", "CNAMEX", "IN",
	    "\1", "!", "NSEC3PARAMX", "a-very-long-word-that-is-no-type"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(rrtype_from_text(wrong[i], strlen(wrong[i])), -EINVAL);
	assert_int_equal(rrclass_from_text("A", 1), -EINVAL);
	assert_int_equal(rrclass_from_text("", 0), -EINVAL);
}

static void meta_types_are_no_zone_data(void **state)
{
	assert_true(rrtype_is_meta(0));
	assert_true(rrtype_is_meta(RRTYPE_OPT));
	assert_true(rrtype_is_meta(RRTYPE_TSIG));
	assert_true(rrtype_is_meta(RRTYPE_AXFR));
	assert_true(rrtype_is_meta(RRTYPE_ANY));
	assert_true(rrtype_is_meta(RRTYPE_NXNAME));
	assert_false(rrtype_is_meta(RRTYPE_A));
	assert_false(rrtype_is_meta(RRTYPE_URI));
	assert_false(rrtype_is_meta(RRTYPE_EUI64));
	assert_false(rrtype_is_meta(65280));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_types_go_both_ways_in_any_case),
	    cmocka_unit_test(every_number_survives_the_round_trip),
	    cmocka_unit_test(generic_forms_are_read_and_bounded),
	    cmocka_unit_test(what_is_no_type_is_refused),
	    cmocka_unit_test(meta_types_are_no_zone_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
