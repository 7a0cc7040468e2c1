// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What is said of a compiled answer's pointers, worked out by hand from its bytes; and that a copy
// which goes by it moves those and nothing else, whatever the bytes around them.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <endian.h>

#include "checksum.h"
#include "dns_compiled.h"
#include "moves.h"
#include "rrtype.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define ODD_MAX        4
#define TEN            "0123456789"

// The question is "\7example\3com" and so ends at 25, with its type and class at 29.
#define EXAMPLE     ((const uint8_t *)"\7example\3com")
#define EXAMPLE_LEN 13
#define BODY_AT     29

static const struct moves_case {
	const char *what;
	enum moves_for for_what;
	uint8_t ancount, nscount, arcount;
	const char *bytes;
	size_t size;
	unsigned head, proof_at, target_max, weight, reach, odd_count;
	uint16_t odd[ODD_MAX];
} moves_cases[] = {
    // Pointers at 0, 15, 17, 32, 34 and 50: four even, two odd. The NS names stand at 29 + 12 = 41
    // and 29 + 29 = 58. Addresses begin with c0 at 46 and 62.
    {"addresses of a referral begin with a c0", MOVES_BELOW, 0, 2, 2,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\5\2ns\xc0\x0c"
              "\xc0\x0c\0\2\0\1\0\0\1\54\0\5\2mx\xc0\x14"
              "\xc0\x29\0\1\0\1\0\0\1\54\0\4\xc0\0\2\2"
              "\xc0\x3a\0\1\0\1\0\0\1\54\0\4\xc0\xc0\2\1"),
        3, 34, 0x3a, 4 + 512, 0x3a, 3, {47, 63, 64}},
    {"nothing moves in an answer for its own name", MOVES_NONE, 1, 0, 1,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\5\2ns\xc0\x0c"
              "\xc0\x29\0\1\0\1\0\0\1\54\0\4\xc0\0\2\2"),
        1, 17, 0x29, 0, 0, 0, {0}},
    {"the question's name does not move as a wildcard's owner", MOVES_WILD, 1, 0, 0,
        BYTES("\xc0\x0c\0\5\0\1\0\0\1\54\0\6\3www\xc0\x14"), 2, 18, 0x14, 1, 0x14, 1, {1}},
    {"a wildcard's addresses have nothing that moves", MOVES_WILD, 1, 0, 0,
        BYTES("\xc0\x0c\0\1\0\1\0\0\1\54\0\4\xc0\0\2\2"), 1, 16, 0x0c, 0, 0, 0, {0}},
    {"both names of an SOA, and a c0 in its serial", MOVES_BELOW, 0, 1, 0,
        BYTES("\xc0\x0c\0\6\0\1\0\0\1\54\0\x1a\1m\xc0\x0c\xc0\x29\0\xc0\0\1\0\0\0\2\0\0\0\3"
              "\0\0\0\4\0\0\0\5"),
        2, 38, 0x29, 1 + 1 + 1, 0x29, 1, {20}},
    {"a mail exchanger stands behind a number", MOVES_BELOW, 0, 1, 0,
        BYTES("\xc0\x0c\0\17\0\1\0\0\1\54\0\6\0\xc0\1m\xc0\x14"), 2, 18, 0x14, 2, 0x14, 1, {14}},
    {"a target of SRV is not compressed", MOVES_BELOW, 0, 1, 0,
        BYTES("\xc0\x0c\0\x21\0\1\0\0\1\54\0\x9\0\1\0\2\0\3\1x\0"), 2, 21, 0x0c, 1, 0x0c, 0, {0}},
    {"a c0 at the end is in front of what is not the answer's", MOVES_BELOW, 0, 1, 0,
        BYTES("\xc0\x0c\0\x10\0\1\0\0\1\54\0\2\1\xc0"), 2, 14, 0x0c, 1, 0x0c, 1, {14}},
    {"no pointer, but addresses behind where proofs go", MOVES_WILD, 1, 0, 1,
        BYTES("\xc0\x0c\0\x21\0\1\0\0\1\54\0\x9\0\1\0\2\0\3\1x\0"
              "\1x\0\0\1\0\1\0\0\1\54\0\4\xc0\0\2\2"),
        3, 21, 0x0c, 0, 0, 2, {1, 35}},
    // 64 bytes: what is behind them is where the next 64 begin.
    {"a c0 at the end of a whole word of places", MOVES_BELOW, 0, 1, 0,
        BYTES("\xc0\x0c\0\x10\0\1\0\0\1\54\0\x34" TEN TEN TEN TEN TEN "\1\xc0"), 2, 64, 0x0c, 1,
        0x0c, 1, {64}},
    {"a label of 63 bytes", MOVES_BELOW, 0, 1, 0,
        BYTES("\x3f" TEN TEN TEN TEN TEN TEN "abc\xc0\x14\0\x10\0\1\0\0\1\54\0\1\0"), 2, 77, 0x14,
        1, 0x14, 0, {0}},
    // The first name is at 29, its last label at 31; the address is owned by the latter.
    {"the furthest pointer is not the last", MOVES_NONE, 1, 1, 1,
        BYTES("\1x\1y\xc0\x0c\0\x10\0\1\0\0\1\54\0\1\0"
              "\xc0\x1f\0\1\0\1\0\0\1\54\0\4\1\2\3\4"
              "\xc0\x0c\0\1\0\1\0\0\1\54\0\4\1\2\3\4"),
        1, 33, 0x1f, 0, 0, 0, {0}},
};

// So that what a function has not set itself is not what it should be by chance.
static __attribute__((noinline)) void stack_spoil(void)
{
	volatile uint8_t room[16384];

	for (unsigned i = 0; i < sizeof(room); i++)
		room[i] = 0xff;
}

static void moves_are_as_worked_out_by_hand(void **state)
{
	for (size_t i = 0; i < sizeof(moves_cases) / sizeof(moves_cases[0]); i++) {
		const struct moves_case *c = &moves_cases[i];
		const struct image_answer answer = {
		    .ancount = c->ancount, .nscount = c->nscount, .arcount = c->arcount};
		uint8_t bytes[256 + MOVES_SLACK];
		struct moves moves;

		print_message("  %s\n", c->what);
		memset(bytes, 0xc0, sizeof(bytes));
		memcpy(bytes, c->bytes, c->size);
		stack_spoil();
		assert_true(moves_find(
		    &answer, bytes, (unsigned)c->size, EXAMPLE, EXAMPLE_LEN, c->for_what, &moves));
		assert_int_equal(moves.head, c->head);
		assert_int_equal(moves.proof_at, c->proof_at);
		assert_int_equal(moves.target_max, c->target_max);
		assert_int_equal(htobe16((uint16_t)moves.weight), c->weight);
		assert_int_equal(moves.reach, c->reach);
		assert_int_equal(moves.odd_count, c->odd_count);
		for (unsigned k = 0; k < c->odd_count; k++)
			assert_int_equal(moves.odd[k], c->odd[k]);
	}
}

static const struct {
	const char *what;
	enum moves_for for_what;
	uint8_t nscount, arcount;
	const char *bytes;
	size_t size;
} bad_cases[] = {
    {"fewer records than are counted", MOVES_NONE, 2, 0,
        BYTES("\xc0\x0c\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"more than are counted", MOVES_NONE, 0, 0, BYTES("\xc0\x0c\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a record that goes on behind the end", MOVES_NONE, 1, 0,
        BYTES("\xc0\x0c\0\1\0\1\0\0\1\54\0\5\1\2\3\4")},
    {"a pointer to itself", MOVES_NONE, 1, 0, BYTES("\xc0\x1d\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer to its own name", MOVES_NONE, 1, 0,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\5\2ns\xc0\x29")},
    {"a pointer to what comes", MOVES_NONE, 0, 1, BYTES("\xc0\xff\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer into the header", MOVES_NONE, 1, 0, BYTES("\xc0\x0b\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer to the question's type", MOVES_NONE, 1, 0,
        BYTES("\xc0\x19\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a wildcard's own first label in rdata", MOVES_WILD, 1, 0,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\2\xc0\x0c")},
    {"a pointer cut in two", MOVES_NONE, 1, 0, BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\4\2ns\xc0")},
    {"a name that ends behind its rdata", MOVES_NONE, 1, 0,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\2\2ns\xc0\x0c")},
    {"rdata that goes on behind its name", MOVES_NONE, 1, 0,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\3\xc0\x0c\0")},
    {"an exchanger of one byte", MOVES_NONE, 1, 0, BYTES("\xc0\x0c\0\17\0\1\0\0\1\54\0\1\0")},
    {"a pointer into a label of the question", MOVES_NONE, 1, 0,
        BYTES("\xc0\x0d\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer to the question's last byte", MOVES_NONE, 1, 0,
        BYTES("\xc0\x18\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer into a label in front of it", MOVES_NONE, 1, 1,
        BYTES("\xc0\x0c\0\2\0\1\0\0\1\54\0\5\2ns\xc0\x0c"
              "\xc0\x2a\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a pointer to an address", MOVES_NONE, 1, 1,
        BYTES("\xc0\x0c\0\1\0\1\0\0\1\54\0\4\1x\0\0"
              "\xc0\x29\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    {"a label of 64 bytes", MOVES_NONE, 1, 0,
        BYTES("\x40" TEN TEN TEN TEN TEN TEN "abcd\0\0\1\0\1\0\0\1\54\0\4\1\2\3\4")},
    // Of 52 bytes, that is 69 from the question's name on; it leads to the 65th, its own length.
    {"a pointer to what stands near the end", MOVES_NONE, 2, 0,
        BYTES("\xc0\x0c\0\x10\0\1\0\0\1\54\0\x1a" TEN TEN "abcdef"
              "\xc0\x0c\0\2\0\1\0\0\1\54\0\2\xc0\x4d")},
};

static void what_is_no_answer_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		const struct image_answer answer = {
		    .nscount = bad_cases[i].nscount, .arcount = bad_cases[i].arcount};
		uint8_t bytes[256 + MOVES_SLACK] = {0};
		struct moves moves;

		print_message("  %s\n", bad_cases[i].what);
		memcpy(bytes, bad_cases[i].bytes, bad_cases[i].size);
		stack_spoil();
		assert_false(moves_find(&answer, bytes, (unsigned)bad_cases[i].size, EXAMPLE,
		    EXAMPLE_LEN, bad_cases[i].for_what, &moves));
	}
}

// An answer in the making, that knows where it has put pointers.
struct random_answer {
	union {
		struct image_answer answer;
		uint8_t room[2048 + IMAGE_ANSWER_MAX + COPY_STEP + MOVES_SLACK];
	} image;
	uint8_t bytes[IMAGE_ANSWER_MAX + MOVES_SLACK];
	unsigned size, pointer_count, label_count;
	uint16_t pointer[1024];
	uint16_t label[1024]; // where one stands, in the message
};

static void byte_put(struct random_answer *a, unsigned byte)
{
	a->bytes[a->size++] = (uint8_t)byte;
}

// To any label of the names in front of it, all the way up to 14 bits.
static void pointer_put(struct random_answer *a)
{
	const unsigned target = a->label[(unsigned)random() % a->label_count];

	a->pointer[a->pointer_count++] = (uint16_t)a->size;
	byte_put(a, 0xc0 | target >> 8);
	byte_put(a, target & 0xff);
}

// One label, or none, and then a pointer.
static void name_put(struct random_answer *a)
{
	const unsigned begin = a->size, len = (unsigned)random() % 4;

	if (len > 0) {
		byte_put(a, len);
		for (unsigned i = 0; i < len; i++)
			byte_put(a, random() % 4 == 0 ? 0xc0 : (unsigned)random());
	}
	pointer_put(a);
	if (len > 0)
		a->label[a->label_count++] = (uint16_t)(BODY_AT + begin);
}

// A record of a name, or of bytes of which many are c0.
static void record_put(struct random_answer *a)
{
	const bool is_name = random() % 2 == 0;
	const unsigned len = is_name ? 0 : (unsigned)random() % 40;

	name_put(a);
	byte_put(a, 0);
	byte_put(a, is_name ? RRTYPE_NS : RRTYPE_TXT);
	byte_put(a, 0);
	byte_put(a, RRCLASS_IN);
	for (unsigned i = 0; i < 4; i++)
		byte_put(a, random() % 4 == 0 ? 0xc0 : 0);
	byte_put(a, 0);
	byte_put(a, len);

	const unsigned begin = a->size;

	if (is_name) {
		name_put(a);
		a->bytes[begin - 1] = (uint8_t)(a->size - begin);
		return;
	}
	for (unsigned i = 0; i < len; i++)
		byte_put(a, random() % 16 == 0 ? 0xc0 : (unsigned)random());
}

// What is left up to `size`, if it is enough for a record.
static unsigned filler_put(struct random_answer *a, unsigned size)
{
	if (a->size + 12 > size)
		return 0;

	const unsigned len = size - a->size - 12;

	for (unsigned i = 0; i < 12; i++)
		byte_put(a, (uint8_t) "\xc0\x0c\0\x10\0\1\0\0\1\54\0"[i]);
	a->bytes[a->size - 2] = (uint8_t)(len >> 8);
	a->bytes[a->size - 1] = (uint8_t)len;
	a->pointer[a->pointer_count++] = (uint16_t)(a->size - 12);
	for (unsigned i = 0; i < len; i++)
		byte_put(a, random() % 64 == 0 ? 0xc0 : (unsigned)random());
	return 1;
}

// The places, one after another: a byte behind a c0, and the last one of a pointer, or not both.
static void odd_judge(const struct random_answer *a, const struct moves *moves)
{
	static bool last[IMAGE_ANSWER_MAX + 1];
	unsigned odd = 0, reach = 0;

	memset(last, 0, sizeof(last));
	for (unsigned i = 0; i < a->pointer_count; i++) {
		const uint8_t *at = a->bytes + a->pointer[i];
		const unsigned to = at[0] == 0xc0 ? at[1] : UINT8_MAX;

		last[a->pointer[i] + 1] = true;
		reach = to > reach ? to : reach;
	}
	for (unsigned i = 1; i <= a->size; i++) {
		if ((a->bytes[i - 1] == 0xc0) != last[i]) {
			assert_true(odd < moves->odd_count);
			assert_int_equal(moves->odd[odd++], i);
		}
	}
	assert_int_equal(odd, moves->odd_count);
	assert_int_equal(reach, moves->reach);
}

static void random_make(struct random_answer *a)
{
	static const unsigned sizes[] = {0, 128, 1024, 4031, 4032, 4033, 4095, IMAGE_ANSWER_MAX};
	struct image_answer *answer = &a->image.answer;
	unsigned records = 1 + (unsigned)random() % 40;
	struct moves moves;

	memset(a->bytes, 0xc0, sizeof(a->bytes));
	a->size = a->pointer_count = 0;
	a->label_count = 2; // the question's
	a->label[0] = 12;
	a->label[1] = 20;
	memset(&a->image, 0, sizeof(a->image));
	for (unsigned i = 0; i < records; i++)
		record_put(a);
	records += filler_put(a, sizes[(unsigned)random() % 8]);
	answer->nscount = (uint8_t)records;
	answer->size = (uint16_t)a->size;
	answer->sum = checksum_fold(checksum_sum(a->bytes, a->size, 0));
	stack_spoil();
	assert_true(
	    moves_find(answer, a->bytes, a->size, EXAMPLE, EXAMPLE_LEN, MOVES_BELOW, &moves));
	odd_judge(a, &moves);
	answer->head = (uint8_t)moves.head;
	moves_put(&moves, answer + 1);
	// What follows in an image is anything.
	memcpy(a->image.room + (size_t)8 * moves.head, a->bytes, a->size + MOVES_SLACK);
}

static void a_copy_moves_all_pointers_and_nothing_else(void **state)
{
	static struct random_answer a;
	static uint8_t body[IMAGE_ANSWER_MAX + COPY_STEP], expected[IMAGE_ANSWER_MAX];
	unsigned carried = 0, all = 0, at_once = 0;

	srandom(20261129);
	for (unsigned round = 0; round < 300; round++) {
		random_make(&a);
		for (unsigned delta = 0; delta < NAME_LEN_MAX; delta += 1 + delta / 8) {
			memcpy(expected, a.bytes, a.size);
			for (unsigned i = 0; i < a.pointer_count; i++) {
				uint8_t *at = expected + a.pointer[i];
				const unsigned moved = (unsigned)(at[0] << 8 | at[1]) + delta;

				carried += moved >> 8 != at[0];
				at[0] = (uint8_t)(moved >> 8);
				at[1] = (uint8_t)moved;
				all++;
			}

			// By the one loop, and with the first of it by none.
			for (unsigned room = 0; room <= PUT_AT_ONCE; room += PUT_AT_ONCE) {
				memset(body, 0xa5, sizeof body);

				const uint64_t sum = body_put(body, &a.image.answer, delta, room);

				assert_memory_equal(body, expected, a.size);
				assert_int_equal(checksum_fold(sum) % 0xffff,
				    checksum_fold(checksum_sum(expected, a.size, 0)) % 0xffff);
				at_once += room != 0 && a.size >= PUT_AT_ONCE_MIN;
			}
		}
	}
	print_message("  %u pointers, %u of them with a carry\n", all, carried);
	assert_true(carried > 1000 && all - carried > 1000 && at_once > 1000);
}

// More that looks like a pointer than a list can say.
static void what_cannot_be_listed_is_refused(void **state)
{
	static uint8_t bytes[1024 + MOVES_SLACK];
	const struct image_answer answer = {.nscount = 1};
	struct moves moves;

	for (unsigned pairs = IMAGE_ODD_MAX; pairs <= IMAGE_ODD_MAX + 1; pairs++) {
		const unsigned len = 2 * pairs;

		memcpy(bytes, "\xc0\x0c\0\x10\0\1\0\0\1\54", 10);
		bytes[10] = (uint8_t)(len >> 8);
		bytes[11] = (uint8_t)len;
		for (unsigned i = 0; i < pairs; i++)
			memcpy(bytes + 12 + 2 * i, "\xc0", 2);
		assert_int_equal(
		    moves_find(&answer, bytes, 12 + len, EXAMPLE, EXAMPLE_LEN, MOVES_BELOW, &moves),
		    pairs == IMAGE_ODD_MAX);
		assert_true(
		    moves_find(&answer, bytes, 12 + len, EXAMPLE, EXAMPLE_LEN, MOVES_NONE, &moves));
	}
}

static unsigned records_repeat(uint8_t *bytes, unsigned at, unsigned count, const char *record)
{
	for (; count > 0; count--, at += 14)
		memcpy(bytes + at, record, 14);
	return at;
}

// Moving by 1 adds 1 for each pointer at an even place, and 256 for others; there are 16 bits for
// it.
static void what_weighs_too_much_is_refused(void **state)
{
	static const char two[] = "\xc0\x0c\0\2\0\1\0\0\1\54\0\2\xc0\x0c"; // pointers
	static uint8_t bytes[IMAGE_ANSWER_MAX + MOVES_SLACK];

	for (unsigned pairs = 127; pairs <= 128; pairs++) {
		const struct image_answer answer = {
		    .nscount = (uint8_t)pairs, .ancount = 127, .arcount = 2};
		struct moves moves;
		unsigned at = records_repeat(bytes, 0, pairs, two);

		memcpy(bytes + at, "\xc0\x0c\0\x10\0\1\0\0\1\54\0\1\0", 13);
		at = records_repeat(bytes, at + 13, 127, two);
		memcpy(bytes + at, "\xc0\x0c\0\1\0\1\0\0\1\54\0\4\1\2\3\4", 16);
		at += 16;
		assert_int_equal(
		    moves_find(&answer, bytes, at, EXAMPLE, EXAMPLE_LEN, MOVES_BELOW, &moves),
		    pairs == 127);
		if (pairs == 127) // 255 of each
			assert_int_equal(moves.weight, 255 + 255 * 256);
		assert_true(
		    moves_find(&answer, bytes, at, EXAMPLE, EXAMPLE_LEN, MOVES_NONE, &moves));
	}
}

// Where nothing moves, the answer's bytes follow at once.
static void of_what_does_not_move_nothing_is_written(void **state)
{
	const struct moves moves = {.head = 1, .weight = 0x1111, .proof_at = 0x1111};
	uint8_t bytes[16];

	memset(bytes, 0xa5, sizeof(bytes));
	moves_put(&moves, bytes);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0xa5);
	assert_true(moves_equal(&moves, bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moves_are_as_worked_out_by_hand),
	    cmocka_unit_test(what_is_no_answer_is_refused),
	    cmocka_unit_test(a_copy_moves_all_pointers_and_nothing_else),
	    cmocka_unit_test(what_cannot_be_listed_is_refused),
	    cmocka_unit_test(what_weighs_too_much_is_refused),
	    cmocka_unit_test(of_what_does_not_move_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
