// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The message writer: bytes worked out by hand for the rule of compression, and random names read
// back through a decoder that knows nothing of the writer.
#include "writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rrtype.h"

#define N(text) (const uint8_t *)(text)

static uint8_t message[65536];

// A header, the question `name` with type and class. Returns the offset behind it.
static size_t question_put(const uint8_t *name)
{
	size_t len = name_len(name);

	memset(message, 0, sizeof(message));
	memcpy(message + WRITER_QUESTION_AT, name, len);
	message[WRITER_QUESTION_AT + len + 1] = 1;
	message[WRITER_QUESTION_AT + len + 3] = 1;
	return WRITER_QUESTION_AT + len + 4;
}

struct rr {
	const char *owner; // NULL: the question
	uint16_t type;
	const char *rdata;
	uint16_t rdlen;
};
#define RR_MAX 3

struct layout_case {
	const char *what;
	const char *question;
	size_t suffix_at;
	struct rr rr[RR_MAX];
	const char *expected; // bytes behind the question
	size_t expected_len;
};
#define BYTES(s) s, sizeof(s) - 1

// TTL 1 everywhere. "\7example\3com\0" is 13 bytes, so a question of it ends at 12 + 13 + 4 = 29.
static const struct layout_case layout_cases[] = {
    {"the question as owner is c00c", "\7example\3com", 12, {{NULL, RRTYPE_A, BYTES("\1\2\3\4")}},
        BYTES("\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4")},
    {"a name in rdata leans on the question", "\7example\3com", 12,
        {{NULL, RRTYPE_NS, BYTES("\2ns\7example\3com")}},
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\5\2ns\xc0\x0c")},
    {"the question's name whole inside rdata is a pointer", "\7example\3com", 12,
        {{NULL, RRTYPE_NS, BYTES("\7example\3com")}},
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\2\xc0\x0c")},
    {"suffixes of the question match without regard to case", "\7eXample\3cOm", 12,
        {{NULL, RRTYPE_NS, BYTES("\2ns\7Example\3com")}},
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\5\2ns\xc0\x0c")},
    {"what was written matches byte for byte", "\7example\3com", 12,
        {{NULL, RRTYPE_NS, BYTES("\2ns\7example\3com")},
            {NULL, RRTYPE_NS, BYTES("\2Ns\7example\3com")}},
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\5\2ns\xc0\x0c"
              "\xc0\x0c\0\2\0\1\0\0\0\1\0\5\2Ns\xc0\x0c")},
    {"a later owner points at an earlier rdata name", "\7example\3com", 12,
        {{NULL, RRTYPE_NS, BYTES("\2ns\3org")}, {"\2ns\3org", RRTYPE_A, BYTES("\1\2\3\4")}},
        // 29 + 12 = 41 is where "ns.org" was written.
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\10\2ns\3org\0"
              "\xc0\x29\0\1\0\1\0\0\0\1\0\4\1\2\3\4")},
    {"only the named suffix of the question is a target", "\1a\7example\3com", 14,
        {{"\7example\3com", RRTYPE_NS, BYTES("\1a\7example\3com")}},
        BYTES("\xc0\x0e\0\2\0\1\0\0\0\1\0\4\1a\xc0\x0e")},
    {"an SRV target is neither compressed nor pointed at", "\7example\3com", 12,
        {{NULL, RRTYPE_SRV, BYTES("\0\1\0\2\0\3\1x\7example\3com")},
            {"\1x\7example\3com", RRTYPE_A, BYTES("\1\2\3\4")}},
        BYTES("\xc0\x0c\0\x21\0\1\0\0\0\1\0\x15\0\1\0\2\0\3\1x\7example\3com\0"
              "\1x\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4")},
    {"both names of an SOA are compressed", "\7example\3com", 12,
        {{NULL, RRTYPE_SOA, BYTES("\1m\3org\0\1r\3org\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5")}},
        // 41 "m.org", so "org" stands at 43.
        BYTES("\xc0\x0c\0\6\0\1\0\0\0\1\0\x1f\1m\3org\0\1r\xc0\x2b\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"
              "\0\0\0\5")},
    {"the root is one zero byte", "\0", 12,
        {{NULL, RRTYPE_NS, BYTES("\0")}, {"\0", RRTYPE_NS, BYTES("\1a")}},
        BYTES("\xc0\x0c\0\2\0\1\0\0\0\1\0\1\0"
              "\0\0\2\0\1\0\0\0\1\0\3\1a\0")},
};

// String literals above end in a zero byte that serves as the root label; rdata that ends in a name
// written without it therefore counts one byte more.
static uint16_t rdlen_of(const struct rr *rr)
{
	bool ends_in_name = (rr->type == RRTYPE_NS && rr->rdata[0] != 0) || rr->type == RRTYPE_SRV;

	return (uint16_t)(rr->rdlen + (ends_in_name ? 1 : 0));
}

static void records_are_laid_out_as_worked_out_by_hand(void **state)
{
	static struct writer w;

	for (size_t i = 0; i < sizeof(layout_cases) / sizeof(layout_cases[0]); i++) {
		const struct layout_case *c = &layout_cases[i];
		size_t body = question_put(N(c->question));

		print_message("  %s\n", c->what);
		writer_start(&w, message, body, 4096, c->suffix_at);
		for (unsigned r = 0; r < RR_MAX && c->rr[r].rdata != NULL; r++)
			assert_true(writer_rr(&w, N(c->rr[r].owner), c->rr[r].type, 1,
			    N(c->rr[r].rdata), rdlen_of(&c->rr[r])));
		assert_int_equal(w.at - body, c->expected_len);
		assert_memory_equal(message + body, c->expected, c->expected_len);
	}
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
	static struct writer w, before;
	size_t body = question_put(N("\7example\3com"));
	const uint8_t *rdata = N("\2ns\3org");

	// 2 + 10 + 8 bytes: one byte short of it must fail at every smaller cap; and once it fits,
	// it is what it would have been. The second time a name was written before.
	for (unsigned second = 0; second < 2; second++) {
		for (size_t room = 0; room < 20; room++) {
			writer_start(&w, message, body, 4096, 12);
			if (second != 0)
				assert_true(writer_rr(&w, NULL, RRTYPE_NS, 1, N("\1x\3net"), 7));
			const size_t at = w.at;
			w.cap = (uint32_t)(at + room);
			memset(message + w.cap, 0xa5, 64);
			before = w;
			assert_false(writer_rr(&w, NULL, RRTYPE_NS, 1, rdata, 8));
			assert_int_equal(w.at, at);
			assert_int_equal(w.target_count, before.target_count);
			assert_int_equal(w.has_targets, second);
			if (second != 0)
				assert_memory_equal(w.chain, before.chain, sizeof(w.chain));
			for (unsigned i = 0; i < 64; i++)
				assert_int_equal(message[w.cap + i], 0xa5);
			w.cap = (uint32_t)(at + 20 + 14);
			assert_true(writer_rr(&w, NULL, RRTYPE_NS, 1, rdata, 8));
			assert_int_equal(w.at, at + 20);
			assert_memory_equal(message + at + 12, rdata, 8);
			// The same target twice is a pointer, and the question's name is one.
			assert_true(writer_rr(&w, N("\7example\3com"), RRTYPE_NS, 1, rdata, 8));
			assert_int_equal(w.at, at + 20 + 14);
			assert_memory_equal(message + at + 20, "\xc0\x0c", 2);
			assert_int_equal(message[at + 33], at + 12);
		}
	}
}

static void rewind_forgets_names(void **state)
{
	static struct writer w;
	size_t body = question_put(N("\7example\3com"));

	writer_start(&w, message, body, 4096, 12);

	struct writer_mark mark = writer_mark(&w);

	assert_true(writer_rr(&w, NULL, RRTYPE_NS, 1, N("\2ns\7example\3com"), 16));
	writer_rewind(&w, mark);
	// "ns" must be written again: the first one is gone.
	assert_true(writer_rr(&w, N("\2ns\7example\3com"), RRTYPE_A, 1, N("\1\2\3\4"), 4));
	assert_memory_equal(message + body, "\2ns\xc0\x0c", 5);
}

// An independent decoder: the name at `at`, pointers followed, each strictly backwards.
static size_t name_decode(size_t at, size_t end, uint8_t out[NAME_LEN_MAX])
{
	size_t len = 0;
	size_t next = 0;
	size_t bound = at;

	for (;;) {
		assert_true(at < end);
		if ((message[at] & 0xc0) == 0xc0) {
			size_t to = (size_t)(message[at] & 0x3f) << 8 | message[at + 1];

			if (next == 0)
				next = at + 2;
			assert_true(to < bound);
			at = bound = to;
			continue;
		}
		assert_true(message[at] < 64);
		assert_true(len + message[at] + 1u <= NAME_LEN_MAX);
		memcpy(out + len, message + at, message[at] + 1u);
		len += message[at] + 1u;
		if (message[at] == 0)
			return next != 0 ? next : at + 1;
		at += message[at] + 1u;
	}
}

// Labels from a small set, so that suffixes repeat, in both cases.
static size_t name_random(uint8_t out[NAME_LEN_MAX])
{
	static const char *const labels[] = {
	    "\1a", "\1A", "\2bb", "\3ccc", "\3CCC", "\1*", "\5label"};
	size_t len = 0;

	for (int n = rand() % 6; n > 0; n--) {
		const char *label = labels[rand() % 7];

		memcpy(out + len, label, (size_t)label[0] + 1);
		len += (size_t)label[0] + 1;
	}
	out[len++] = 0;
	return len;
}

static bool name_same_outside_question(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t x = a[i], y = b[i];

		if (x != y && (x | 0x20) != (y | 0x20))
			return false;
	}
	return true;
}

static void random_names_read_back_the_same(void **state)
{
	enum { RECORDS = 3000 };
	static struct writer w;
	static uint8_t owner[RECORDS][NAME_LEN_MAX], rdata[RECORDS][NAME_LEN_MAX];

	srand(1);
	for (unsigned round = 0; round < 50; round++) {
		uint8_t name[NAME_LEN_MAX], got[NAME_LEN_MAX];
		size_t question_len = name_random(name);
		size_t body = question_put(name);
		unsigned n = 0;

		(void)question_len;
		writer_start(&w, message, body, 65535, 12);
		for (; n < RECORDS; n++) {
			name_random(owner[n]);
			name_random(rdata[n]);
			if (!writer_rr(
			        &w, owner[n], RRTYPE_NS, 7, rdata[n], (uint16_t)name_len(rdata[n])))
				break;
		}

		size_t at = body;

		for (unsigned i = 0; i < n; i++) {
			at = name_decode(at, w.at, got);
			assert_true(name_equal(got, owner[i]));
			assert_true(name_same_outside_question(got, owner[i], name_len(got)));
			assert_memory_equal(message + at, "\0\2\0\1\0\0\0\7", 8);

			size_t rdlen = (size_t)message[at + 8] << 8 | message[at + 9];

			assert_int_equal(name_decode(at + 10, w.at, got), at + 10 + rdlen);
			assert_true(name_equal(got, rdata[i]));
			at += 10 + rdlen;
		}
		assert_int_equal(at, w.at);
	}
}

static void names_past_16383_are_no_targets(void **state)
{
	static struct writer w;
	static uint8_t filler[17000];
	size_t body = question_put(N("\1q"));

	writer_start(&w, message, body, 65535, 12);
	assert_true(writer_rr(&w, NULL, RRTYPE_NULL, 1, filler, sizeof(filler)));

	size_t first = w.at;

	assert_true(writer_rr(&w, N("\4late\1q"), RRTYPE_A, 1, N("\1\2\3\4"), 4));
	assert_memory_equal(message + first, "\4late\xc0\x0c", 7);

	size_t second = w.at;

	assert_true(writer_rr(&w, N("\4late\1q"), RRTYPE_A, 1, N("\1\2\3\4"), 4));
	assert_memory_equal(message + second, "\4late\xc0\x0c", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_laid_out_as_worked_out_by_hand),
	    cmocka_unit_test(what_does_not_fit_leaves_nothing_behind),
	    cmocka_unit_test(rewind_forgets_names),
	    cmocka_unit_test(random_names_read_back_the_same),
	    cmocka_unit_test(names_past_16383_are_no_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
