// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone text: what it means, where it is wrong, and that no text harms.

#include "zonefile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "name.h"
#include "rdata.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ORIGIN       ((const uint8_t *)"\7example")

// Records as lines "owner ttl class type rdata".
struct lines {
	char text[65536];
	size_t len;
};

static int line_add(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	static char data[RDATA_TEXT_MAX];
	struct lines *lines = ctx;
	char name[NAME_TEXT_MAX], type_text[16], class_text[16];

	assert_true(rdata_valid(type, rdata, rdlen));
	name_to_text(owner, name);
	assert_true(rdata_to_text(type, rdata, rdlen, data, sizeof(data)) >= 0);
	lines->len += (size_t)snprintf(lines->text + lines->len, sizeof(lines->text) - lines->len,
	    "%s %u %s %s %s\n", name, ttl, rrclass_to_text(rrclass, class_text),
	    rrtype_to_text(type, type_text), data);
	assert_true(lines->len < sizeof(lines->text));
	return 0;
}

static const struct {
	const char *text;
	const char *records;
} good[] = {
    {"", ""},
    {"\n\n; nothing\n  ; but comments\n", ""},
    {"a 1 IN A 1.2.3.4", "a.example. 1 IN A 1.2.3.4\n"},
    {"a 1 IN A 1.2.3.4\r\nb 2 IN A 1.2.3.5\r\n",
        "a.example. 1 IN A 1.2.3.4\nb.example. 2 IN A 1.2.3.5\n"},
    {"\r\n\t\r\na 1 A 1.2.3.4\r\n", "a.example. 1 IN A 1.2.3.4\n"},
    {"a 1 IN A 1.2.3.4\na IN 2 A 1.2.3.4\na 3 A 1.2.3.4\na IN A 1.2.3.4\na A 1.2.3.4\n",
        "a.example. 1 IN A 1.2.3.4\na.example. 2 IN A 1.2.3.4\na.example. 3 IN A 1.2.3.4\n"
        "a.example. 3 IN A 1.2.3.4\na.example. 3 IN A 1.2.3.4\n"},
    {"@ 1 A 1.2.3.4\n 2 A 1.2.3.5\n\tA 1.2.3.6\n",
        "example. 1 IN A 1.2.3.4\nexample. 2 IN A 1.2.3.5\nexample. 2 IN A 1.2.3.6\n"},
    {"$TTL 1h30m\na A 1.2.3.4\nb 5 A 1.2.3.4\nc A 1.2.3.4\n",
        "a.example. 5400 IN A 1.2.3.4\nb.example. 5 IN A 1.2.3.4\nc.example. 5400 IN A 1.2.3.4\n"},
    {"a 1w2d3h4m5s A 1.2.3.4\nb 1W A 1.2.3.4",
        "a.example. 788645 IN A 1.2.3.4\nb.example. 604800 IN A 1.2.3.4\n"},
    {"@ SOA n h 1 2 3 4 77\n@ NS n\n",
        "example. 77 IN SOA n.example. h.example. 1 2 3 4 77\nexample. 77 IN NS n.example.\n"},
    {"@ SOA n h (1 ; serial\n 2\n\n 3 4\n5) ; end\n@ NS n",
        "example. 5 IN SOA n.example. h.example. 1 2 3 4 5\nexample. 5 IN NS n.example.\n"},
    {"@ 1 SOA n h 1 1h 1m 1d 1w",
        "example. 1 IN SOA n.example. h.example. 1 3600 60 86400 604800\n"},
    {"$ORIGIN sub\na 1 A 1.2.3.4\n$ORIGIN other.\na 1 A 1.2.3.4\n@ 1 NS a\n$ORIGIN .\nx 1 NS @\n",
        "a.sub.example. 1 IN A 1.2.3.4\na.other. 1 IN A 1.2.3.4\nother. 1 IN NS a.other.\n"
        "x. 1 IN NS .\n"},
    {"$origin sub\na 1 a 1.2.3.4\n", "a.sub.example. 1 IN A 1.2.3.4\n"},
    {"IN 1 IN A 1.2.3.4\nNS 1 NS NS\n3600 1 A 1.2.3.4\n",
        "IN.example. 1 IN A 1.2.3.4\nNS.example. 1 IN NS NS.example.\n3600.example. 1 IN A "
        "1.2.3.4\n"},
    {"a 1 TXT \"one; not a comment\" two \"th\\\"ree\" \"\" \"(\"\n",
        "a.example. 1 IN TXT \"one; not a comment\" \"two\" \"th\\\"ree\" \"\" \"(\"\n"},
    {"a 1 TXT one;two\n", "a.example. 1 IN TXT \"one\"\n"},
    {"a 1 TXT on\\;e \\# \\(\n", "a.example. 1 IN TXT \"on;e\" \"#\" \"(\"\n"},
    {"\\@ 1 A 1.2.3.4\na\\.b 1 A 1.2.3.4\n\\$TTL 1 A 1.2.3.4\n\\007 1 A 1.2.3.4\n",
        "\\@.example. 1 IN A 1.2.3.4\na\\.b.example. 1 IN A 1.2.3.4\n"
        "\\$TTL.example. 1 IN A 1.2.3.4\n\\007.example. 1 IN A 1.2.3.4\n"},
    {"a 1 TYPE65280 \\# 3 01 0203\na 1 A \\# 4 01020304\na 1 TYPE1 1.2.3.4\na 1 CLASS1 TYPE1 \\# 4 "
     "( 01 "
     "02 03 04 )\n",
        "a.example. 1 IN TYPE65280 \\# 3 010203\na.example. 1 IN A 1.2.3.4\n"
        "a.example. 1 IN A 1.2.3.4\na.example. 1 IN A 1.2.3.4\n"},
    {"a 1 CH TXT x\nb TXT y\n", "a.example. 1 CH TXT \"x\"\nb.example. 1 CH TXT \"y\"\n"},
    {"a ( 1\nIN\nA ) 1.2.3.4\n", "a.example. 1 IN A 1.2.3.4\n"},
    {"a 1 A 1.2.3.4 ( )\n", "a.example. 1 IN A 1.2.3.4\n"},
    {"a 1 HTTPS 1 . alpn=\"h2,h3\" port=\"443\" key9999=\"a b\"\n",
        "a.example. 1 IN HTTPS 1 . alpn=\"h2,h3\" port=443 key9999=\"a b\"\n"},
    {"a 1 A 1.2.3.4 ; a NUL \\000 in a comment\n", "a.example. 1 IN A 1.2.3.4\n"},
};

static void text_means_these_records(void **state)
{
	static struct lines lines;
	struct zonefile_error err;

	for (size_t i = 0; i < COUNT(good); i++) {
		lines.len = 0;
		lines.text[0] = '\0';

		int ret = zonefile_parse_text(
		    good[i].text, strlen(good[i].text), ORIGIN, line_add, &lines, &err);

		if (ret != 0)
			fail_msg("%s: %u:%u: %s", good[i].text, err.line, err.column, err.message);
		assert_string_equal(lines.text, good[i].records);
	}
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *message; // a part of it
} bad[] = {
    {" 1 A 1.2.3.4\n", 1, 2, "owner"},
    {"a 1 A 1.2.3\n", 1, 7, "IPv4"},
    {"a 1 A\n", 1, 6, "too early"},
    {"a 1 A", 1, 6, "too early"},
    {"a 1 A 1.2.3.4 5\n", 1, 15, "more"},
    {"ok 1 A 1.2.3.4\n\na 1 FOO 1.2.3.4\n", 3, 5, "FOO"},
    {"a 1\n", 1, 4, "no type"},
    {"a 1 2 A 1.2.3.4\n", 1, 5, "twice"},
    {"a IN IN A 1.2.3.4\n", 1, 6, "IN"},
    {"a 2147483648 A 1.2.3.4\n", 1, 3, "TTL"},
    {"a 1x A 1.2.3.4\n", 1, 3, "TTL"},
    {"a 1h1 A 1.2.3.4\n", 1, 3, "TTL"},
    {"a 99999999999 A 1.2.3.4\n", 1, 3, "TTL"},
    {"a..b 1 A 1.2.3.4\n", 1, 1, "name"},
    {"a 1 NS b..c\n", 1, 8, "name"},
    {"a 1 TXT \"x\n\"\n", 1, 9, "quotes"},
    {"a 1 TXT \"x", 1, 9, "quotes"},
    {"a 1 TXT ( x\n\n", 3, 1, "parentheses"},
    {"a 1 TXT x )\n", 1, 11, "parenthesis"},
    {"a 1 TXT \\", 1, 9, "backslash"},
    {"a 1 TXT \\\nb\n", 1, 9, "backslash"},
    {"a 1 TXT \\300\n", 1, 9, "escape"},
    {"a 1 TXT\n", 1, 8, "too early"},
    {"a 1 A \\# 3 010203\n", 1, 18, "malformed"},
    {"a 1 A \\# 4 010203\n", 1, 18, "length"},
    {"a 1 A \\# 4 0102030g\n", 1, 12, "hex"},
    {"a 1 TYPE65280 x\n", 1, 15, "\\#"},
    {"a 1 ANY x\n", 1, 5, "queries"},
    {"a 1 OPT \\# 0\n", 1, 5, "queries"},
    {"$FOO x\n", 1, 1, "$FOO"},
    {"$TTL\n", 1, 5, "$TTL"},
    {"$TTL x\n", 1, 6, "TTL"},
    {"$TTL 1 2\n", 1, 8, "more"},
    {"$ORIGIN\n", 1, 8, "$ORIGIN"},
    {"$ORIGIN a..\n", 1, 9, "name"},
    {"$INCLUDE /etc/passwd\n", 1, 10, "memory"},
    {"a 1 SVCB 1 . port=1 port=2\n", 1, 21, "twice"},
    {"a 1 SVCB 1 . mandatory=port\n", 1, 28, "contradict"},
    {"a 1 MX 65536 b\n", 1, 8, "65535"},
};

static void errors_tell_their_place(void **state)
{
	static struct lines lines;
	struct zonefile_error err;

	for (size_t i = 0; i < COUNT(bad); i++) {
		lines.len = 0;

		int ret = zonefile_parse_text(
		    bad[i].text, strlen(bad[i].text), ORIGIN, line_add, &lines, &err);

		if (ret != -EINVAL || err.line != bad[i].line || err.column != bad[i].column ||
		    strstr(err.message, bad[i].message) == NULL)
			fail_msg("%s => %d, %u:%u: %s", bad[i].text, ret, err.line, err.column,
			    err.message);
	}
}

static void a_nul_byte_is_an_error_outside_comments(void **state)
{
	static struct lines lines;
	struct zonefile_error err;
	static const char in_word[] = "a 1 TXT x\0y\n", in_quotes[] = "a 1 TXT \"x\0y\"\n";
	static const char in_comment[] = "a 1 TXT x ; \0\n", between[] = "a 1 TXT \0\n";

	assert_int_equal(
	    zonefile_parse_text(in_word, sizeof(in_word) - 1, ORIGIN, line_add, &lines, &err),
	    -EINVAL);
	assert_int_equal(
	    zonefile_parse_text(in_quotes, sizeof(in_quotes) - 1, ORIGIN, line_add, &lines, &err),
	    -EINVAL);
	assert_int_equal(
	    zonefile_parse_text(between, sizeof(between) - 1, ORIGIN, line_add, &lines, &err),
	    -EINVAL);
	assert_int_equal(
	    zonefile_parse_text(in_comment, sizeof(in_comment) - 1, ORIGIN, line_add, &lines, &err),
	    0);
}

static int refuse(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	snprintf(err->message, sizeof(err->message), "not this one");
	return -EPERM;
}

static void a_refusal_is_told_with_its_place(void **state)
{
	struct zonefile_error err;
	static const char text[] = "\n\na 1 A 1.2.3.4\n";

	assert_int_equal(
	    zonefile_parse_text(text, strlen(text), ORIGIN, refuse, NULL, &err), -EPERM);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 5);
	assert_string_equal(err.message, "not this one");
}

static char dir[] = "/tmp/np-zonefile-XXXXXX";

static const char *file_write(const char *name, const char *text, size_t len)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static int parse_file(const char *name, struct lines *lines, struct zonefile_error *err)
{
	char path[256];

	lines->len = 0;
	lines->text[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return zonefile_parse_file(path, ORIGIN, line_add, lines, err);
}

static void put(const char *name, const char *text)
{
	file_write(name, text, strlen(text));
}

static void included_files_leave_origin_and_owner_alone(void **state)
{
	static struct lines lines;
	struct zonefile_error err;

	put("a", "$TTL 9\nx A 1.1.1.1\n$INCLUDE b sub\n A 1.1.1.2\ny A 1.1.1.3\n$INCLUDE b\n");
	put("b", "z A 2.2.2.2\n$ORIGIN deeper\nw A 2.2.2.3\n");
	assert_int_equal(parse_file("a", &lines, &err), 0);
	assert_string_equal(lines.text,
	    "x.example. 9 IN A 1.1.1.1\nz.sub.example. 9 IN A 2.2.2.2\n"
	    "w.deeper.sub.example. 9 IN A 2.2.2.3\nx.example. 9 IN A 1.1.1.2\n"
	    "y.example. 9 IN A 1.1.1.3\nz.example. 9 IN A 2.2.2.2\nw.deeper.example. 9 IN A "
	    "2.2.2.3\n");
}

static void included_files_err_in_their_own_lines(void **state)
{
	static struct lines lines;
	struct zonefile_error err;
	char path[300];

	put("outer", "\n\n$INCLUDE inner\n");
	put("inner", "\nx 1 A 1.1.1\n");
	assert_int_equal(parse_file("outer", &lines, &err), -EINVAL);
	snprintf(path, sizeof(path), "%s/inner", dir);
	assert_string_equal(err.file, path);
	assert_int_equal(err.line, 2);
	assert_int_equal(err.column, 7);
	put("outer", "\n\n$INCLUDE absent\n");
	assert_int_equal(parse_file("outer", &lines, &err), -ENOENT);
	snprintf(path, sizeof(path), "%s/outer", dir);
	assert_string_equal(err.file, path);
	assert_int_equal(err.line, 3);
	assert_non_null(strstr(err.message, "absent"));
	put("outer", "$INCLUDE outer\n");
	assert_int_equal(parse_file("outer", &lines, &err), -EINVAL);
	assert_non_null(strstr(err.message, "deep"));
	put("outer", "$INCLUDE .\n");
	assert_int_equal(parse_file("outer", &lines, &err), -EISDIR);
	assert_int_equal(parse_file("nowhere", &lines, &err), -ENOENT);
}

struct tally {
	size_t count;
	uint64_t sum;
};

static int tally_add(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	struct tally *tally = ctx;

	if (name_len_checked(owner, NAME_LEN_MAX) == 0 || !rdata_valid(type, rdata, rdlen))
		return -EPROTO;
	tally->count++;
	tally->sum += ttl * (uint64_t)rdlen + rdata[rdlen > 0 ? rdlen - 1u : 0];
	return 0;
}

// Lines of all lengths, so that every kind of byte comes to stand at the reader's buffer edge.
static void words_may_lie_across_the_read_buffer(void **state)
{
	size_t cap = 6 << 20, len = 0;
	char *text = malloc(cap);
	struct tally want = {0}, got;
	struct zonefile_error err;

	assert_non_null(text);
	for (unsigned i = 0; len < cap - 1000; i++) {
		unsigned n = 1 + i * 7 % 250;

		len += (size_t)sprintf(text + len, "n%u %u IN TXT (\n \"%.*s\\%03u\" ) ; %.*s\r\n",
		    i, i, (int)n - 1,
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		    i % 256, (int)(i % 29), "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
		want.count++;
		want.sum += i * (uint64_t)(n + 1) + i % 256;
	}
	got = (struct tally){0};
	assert_int_equal(zonefile_parse_text(text, len, ORIGIN, tally_add, &got, &err), 0);
	assert_int_equal(got.count, want.count);
	assert_int_equal(got.sum, want.sum);
	got = (struct tally){0};
	assert_int_equal(
	    zonefile_parse_file(file_write("long", text, len), ORIGIN, tally_add, &got, &err), 0);
	assert_int_equal(got.count, want.count);
	assert_int_equal(got.sum, want.sum);
	free(text);
}

static void very_long_lines_are_read_and_endless_words_are_not(void **state)
{
	size_t cap = 3 << 20, len;
	char *text = malloc(cap);
	struct tally got = {0};
	struct zonefile_error err;

	assert_non_null(text);
	len = strlen(strcpy(text, "a 1 TXT"));
	while (len < 300000) // 60,000 strings: past what rdata holds
		len += (size_t)sprintf(text + len, " ab\\0"
		                                   "01");
	assert_int_equal(zonefile_parse_text(text, len, ORIGIN, tally_add, &got, &err), -EINVAL);
	assert_non_null(strstr(err.message, "65535"));

	len = (size_t)sprintf(text, "a 1 TYPE65280 \\# 65535 ");
	memset(text + len, 'a', 131070);
	len += 131070;
	memset(text + len, ' ', 2 << 20);
	len += 2 << 20;
	assert_int_equal(zonefile_parse_text(text, len, ORIGIN, tally_add, &got, &err), 0);
	assert_int_equal(got.count, 1);

	len = (size_t)sprintf(text, "a 1 TXT ");
	memset(text + len, 'a', cap - len);
	assert_int_equal(zonefile_parse_text(text, cap, ORIGIN, tally_add, &got, &err), -EINVAL);
	assert_int_equal(err.line, 1);
	free(text);
}

static uint64_t seed = 0x853c49e6748fea9b;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void mutated_text_never_harms(void **state)
{
	static const char marks[] = "\n\r\t \"\\;()$@.#=,-0179aANST*\0\377";
	static char text[8192];

	for (unsigned round = 0; round < 60000; round++) {
		size_t len = 0;
		struct tally got = {0};
		struct zonefile_error err;

		for (unsigned n = 1 + random_below(4); n > 0; n--) {
			const char *piece = good[random_below(COUNT(good))].text;

			if (random_below(3) == 0)
				piece = bad[random_below(COUNT(bad))].text;
			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		for (unsigned n = random_below(6); n > 0 && len > 0; n--) {
			size_t at = random_below((unsigned)len);

			if (random_below(4) == 0) {
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
			} else {
				text[at] = marks[random_below(sizeof(marks) - 1)];
			}
		}

		int ret = zonefile_parse_text(text, len, ORIGIN, tally_add, &got, &err);

		assert_true(ret == 0 || ret == -EINVAL);
		if (ret != 0)
			assert_true(err.line > 0 && err.column > 0 && err.message[0] != '\0');
	}
}

static int dir_make(void **state)
{
	return mkdtemp(dir) == NULL;
}

static int dir_remove(void **state)
{
	static const char *const names[] = {"a", "b", "outer", "inner", "long"};
	char path[256];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_means_these_records),
	    cmocka_unit_test(errors_tell_their_place),
	    cmocka_unit_test(a_nul_byte_is_an_error_outside_comments),
	    cmocka_unit_test(a_refusal_is_told_with_its_place),
	    cmocka_unit_test(included_files_leave_origin_and_owner_alone),
	    cmocka_unit_test(included_files_err_in_their_own_lines),
	    cmocka_unit_test(words_may_lie_across_the_read_buffer),
	    cmocka_unit_test(very_long_lines_are_read_and_endless_words_are_not),
	    cmocka_unit_test(mutated_text_never_harms),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
