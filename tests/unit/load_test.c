// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-load's parts: query lines, frames, slots, the judge of replies, the histogram.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "load_check.h"
#include "load_histogram.h"
#include "load_packet.h"
#include "load_query.h"

static void lines_are_read_as_dnsperf_writes_them(void **state)
{
	static const struct {
		const char *line;
		int rc;
		uint8_t name_len;
		uint16_t type;
		enum load_expect expect;
	} cases[] = {
	    {"example.com A\n", 1, 13, 1, EXPECT_ANY},
	    {"example.com. AAAA nxdomain", 1, 13, 28, EXPECT_NXDOMAIN},
	    {". NS answer", 1, 1, 2, EXPECT_ANSWER},
	    {"  com\tTYPE99  referral \r\n", 1, 5, 99, EXPECT_REFERRAL},
	    {"com", 1, 5, 1, EXPECT_ANY},
	    {"com ANY", 1, 5, 255, EXPECT_ANY},
	    {"", 0, 0, 0, 0},
	    {"   \n", 0, 0, 0, 0},
	    {"# com A", 0, 0, 0, 0},
	    {"; com A", 0, 0, 0, 0},
	    {"a..b A", -EINVAL, 0, 0, 0},
	    {"com NOTYPE", -EINVAL, 0, 0, 0},
	    {"com A perhaps", -EINVAL, 0, 0, 0},
	    {"com A any more", -EINVAL, 0, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct load_query q;
		int rc = load_query_parse(cases[i].line, strlen(cases[i].line), &q);
		assert_int_equal(rc, cases[i].rc);
		if (rc != 1)
			continue;
		assert_int_equal(q.name_len, cases[i].name_len);
		assert_int_equal(q.type, cases[i].type);
		assert_int_equal(q.expect, cases[i].expect);
	}
}

static void mixes_name_shapes_and_weights(void **state)
{
	unsigned w[LOAD_SHAPE_COUNT];

	(void)state;
	assert_int_equal(load_mix_parse("hit:40,referral:30,nxdomain:20,random:10", w), 0);
	assert_int_equal(w[SHAPE_HIT], 40);
	assert_int_equal(w[SHAPE_REFERRAL], 30);
	assert_int_equal(w[SHAPE_NXDOMAIN], 20);
	assert_int_equal(w[SHAPE_RANDOM], 10);
	assert_int_equal(load_mix_parse("nxdomain", w), 0);
	assert_int_equal(w[SHAPE_HIT], 0);
	assert_int_equal(w[SHAPE_NXDOMAIN], 1);
	assert_int_equal(load_mix_parse("", w), -EINVAL);
	assert_int_equal(load_mix_parse("hit:0", w), -EINVAL);
	assert_int_equal(load_mix_parse("other:1", w), -EINVAL);
	assert_int_equal(load_mix_parse("hit:", w), -EINVAL);
	assert_int_equal(load_mix_parse("hit:1;", w), -EINVAL);
}

static void list_of(struct load_list *list, const char *const *lines, size_t n)
{
	struct load_query q;

	*list = (struct load_list){0};
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(load_query_parse(lines[i], strlen(lines[i]), &q), 1);
		assert_int_equal(load_list_add(list, &q), 0);
	}
}

static void patterns_make_the_names_they_say(void **state)
{
	static const char *const wrong[] = {"", "d.test", "d#.test", "d#.test:0", "d#.test:x",
	    "d#.test:9x", "d#.te#st:9", "d#..test:9", "d#.test:9:NOTYPE", "d#.test:9:A:perhaps",
	    "d#:test:9", "##########.test:1"};
	struct load_list list = {0};
	struct load_query q, want;

	(void)state;
	assert_int_equal(load_list_generate(&list, "d###.sub.test.:1200:AAAA:referral"), 0);
	assert_int_equal(list.count, 1200);
	load_list_get(&list, 7, &q);
	assert_int_equal(load_query_parse("d007.sub.test.", 14, &want), 1);
	assert_int_equal(q.name_len, want.name_len);
	assert_memory_equal(q.name, want.name, want.name_len);
	assert_int_equal(q.type, 28);
	assert_int_equal(q.expect, EXPECT_REFERRAL);
	load_list_get(&list, 1199, &q);
	assert_memory_equal(q.name, "\5d1199\3sub\4test", 16);
	load_list_free(&list);
	assert_int_equal(load_list_generate(&list, "#.test:3"), 0);
	load_list_get(&list, 2, &q);
	assert_int_equal(q.type, 1);
	assert_int_equal(q.expect, EXPECT_ANY);
	load_list_free(&list);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(load_list_generate(&list, wrong[i]), -EINVAL);
		load_list_free(&list);
	}
}

// A stream of one shape: what is asked, and what is expected of the answer.
static void shapes_ask_for_what_they_are_named_after(void **state)
{
	static const struct {
		const char *mix;
		uint8_t name_len;
		enum load_expect expect;
	} cases[] = {{"hit", 13, EXPECT_ANSWER}, {"referral", 24, EXPECT_REFERRAL},
	    {"nxdomain", 20, EXPECT_NXDOMAIN}, {"random", 24, EXPECT_ANY}};
	static const char *const lines[] = {"abc.def.test A answer"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct load_stream_options options = {.seed = i};
		struct load_stream stream;
		struct load_list list;
		struct load_query q, again;

		list_of(&list, lines, 1);
		assert_int_equal(load_mix_parse(cases[i].mix, options.weight), 0);
		assert_int_equal(load_stream_open(&stream, &list, &options), 0);
		load_stream_next(&stream, &q);
		load_stream_next(&stream, &again);
		assert_int_equal(q.name_len, cases[i].name_len + 1);
		assert_int_equal(q.expect, cases[i].expect);
		assert_int_equal(name_len_checked(q.name, q.name_len), q.name_len);
		assert_int_equal(memcmp(q.name, again.name, q.name_len) == 0, i == 0);
		load_stream_close(&stream);
		load_list_free(&list);
	}
}

static void streams_keep_the_mix_the_order_and_the_seed(void **state)
{
	static const char *const lines[] = {"one.test A referral", "two.test MX answer"};
	struct load_stream_options options = {
	    .seed = 7, .weight = {1, 1, 2, 0}, .order = ORDER_UNIFORM};
	struct load_stream a, b;
	struct load_list list;
	unsigned hit = 0, below = 0, replaced = 0;

	(void)state;
	list_of(&list, lines, 2);
	assert_int_equal(load_stream_open(&a, &list, &options), 0);
	assert_int_equal(load_stream_open(&b, &list, &options), 0);
	for (int i = 0; i < 40000; i++) {
		struct load_query p, q;
		load_stream_next(&a, &p);
		load_stream_next(&b, &q);
		assert_int_equal(p.name_len, q.name_len);
		assert_memory_equal(p.name, q.name, q.name_len);
		assert_int_equal(name_len_checked(q.name, q.name_len), q.name_len);
		hit += q.name_len == 10;
		below += q.name_len == 21;
		replaced += q.name_len == 17;
		assert_true(q.name_len != 17 || q.expect == EXPECT_NXDOMAIN);
		assert_true(q.name_len != 21 || q.expect == EXPECT_REFERRAL);
	}
	assert_int_equal(hit + below + replaced, 40000);
	assert_in_range(hit, 9000, 11000);
	assert_in_range(replaced, 19000, 21000);
	load_stream_close(&a);
	load_stream_close(&b);
	load_list_free(&list);
}

static void zipf_prefers_the_first_names(void **state)
{
	struct load_stream_options options = {
	    .seed = 3, .weight = {1}, .order = ORDER_ZIPF, .zipf_exponent = 1};
	struct load_list list = {0};
	struct load_stream stream;
	unsigned seen[4] = {0};

	(void)state;
	for (uint16_t i = 0; i < 4; i++) {
		struct load_query q = {.name = {0}, .name_len = 1, .type = i};
		assert_int_equal(load_list_add(&list, &q), 0);
	}
	assert_int_equal(load_stream_open(&stream, &list, &options), 0);
	for (int i = 0; i < 25000; i++) {
		struct load_query q;
		load_stream_next(&stream, &q);
		seen[q.type]++;
	}
	// 1, 1/2, 1/3, 1/4 of 25/12.
	assert_in_range(seen[0], 11500, 12500);
	assert_in_range(seen[1], 5600, 6400);
	assert_in_range(seen[2], 3700, 4300);
	assert_in_range(seen[3], 2700, 3300);
	load_stream_close(&stream);
	load_list_free(&list);
}

// RFC 1071 the slow way, over big-endian words.
static unsigned slow_sum(const uint8_t *p, size_t len, unsigned sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (unsigned)p[i] << 8 : p[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static struct load_packet_options packet_options(double ip6)
{
	return (struct load_packet_options){.mac_from = {2, 0, 0, 0, 0, 1},
	    .mac_to = {2, 0, 0, 0, 0, 2},
	    .to4 = {192, 0, 2, 53},
	    .from4 = {198, 51, 100, 1},
	    .to6 = {0x20, 1, 0xd, 0xb8, [15] = 0x53},
	    .from6 = {0x20, 1, 0xd, 0xb8, [15] = 1},
	    .sources = 100,
	    .share_edns = 0.5,
	    .share_do = 0.25,
	    .share_ip6 = ip6,
	    .udp_payload = 1232,
	    .expect = -1};
}

union template_room {
	struct load_template t;
	uint8_t room[sizeof(struct load_template) + LOAD_FRAME_MAX];
};

static void build(union template_room *out, const char *line, double ip6, uint64_t seed)
{
	struct load_packet_options options = packet_options(ip6);
	struct load_query q;
	struct load_random random;

	load_random_seed(&random, seed);
	assert_int_equal(load_query_parse(line, strlen(line), &q), 1);
	load_template_build(&out->t, &q, &options, &random);
}

static void frames_keep_the_shares_and_the_sources(void **state)
{
	struct load_packet_options options = packet_options(0.3);
	static union template_room m;
	unsigned ip6 = 0, edns = 0, with_do = 0, seen = 0;
	struct load_random random;
	struct load_query q;
	bool source[256] = {false};

	(void)state;
	load_random_seed(&random, 5);
	assert_int_equal(load_query_parse("a.test A", 8, &q), 1);
	for (unsigned i = 0; i < 20000; i++) {
		const uint8_t *dns;

		load_template_build(&m.t, &q, &options, &random);
		dns = m.t.frame + m.t.udp_off + 8;
		ip6 += m.t.udp_off == 54;
		edns += dns[11] == 1;
		with_do += dns[11] == 1 && (dns[12 + m.t.question_len + 7] & 0x80) != 0;
		if (m.t.udp_off == 34)
			source[m.t.frame[29]] = true;
	}
	for (unsigned i = 0; i < 256; i++)
		seen += source[i];
	assert_in_range(ip6, 5700, 6300);
	assert_in_range(with_do, 4700, 5300);
	assert_in_range(edns, 12100, 12900); // half of them, and where DO is
	assert_int_equal(seen, options.sources);
}

static void every_slot_has_a_right_checksum(void **state)
{
	static union template_room m;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t slot = i * 2654435761u >> (32 - LOAD_SLOT_BITS);
		uint8_t f[LOAD_FRAME_MAX];
		unsigned udp, udp_len, sum, addresses;
		build(&m, i % 3 == 0 ? "odd.example A" : "even.example. A", i % 2, i);
		memcpy(f, m.t.frame, m.t.len);
		load_frame_mark(f, &m.t, slot);
		udp = i % 2 ? 54 : 34;
		addresses = i % 2 ? 32 : 8;
		assert_int_equal(m.t.udp_off, udp);
		udp_len = (unsigned)f[udp + 4] << 8 | f[udp + 5];
		assert_int_equal(udp + udp_len, m.t.len);
		sum = slow_sum(f + udp - addresses, addresses, 17 + udp_len);
		assert_int_equal(slow_sum(f + udp, udp_len, sum), 0xffff);
		if (udp == 34)
			assert_int_equal(slow_sum(f + 14, 20, 0), 0xffff);
		assert_int_equal(f[udp + 1] & 15, slot >> 16);
		assert_true(f[udp] >= 0x80);
		assert_memory_equal(f + udp + 8, &(uint16_t){(uint16_t)slot}, 2);
	}
}

// The reply a good server would give to the query, with one made-up record where `counts` says so.
static size_t reply_of(uint8_t *out, const struct load_template *t, uint32_t slot, unsigned aa,
    unsigned rcode, unsigned answers, unsigned authority)
{
	unsigned udp = t->udp_off, sum, udp_len = t->len - udp;
	unsigned addresses = udp == 34 ? 8 : 32;

	memcpy(out, t->frame, t->len);
	load_frame_mark(out, t, slot);
	memcpy(out, t->frame + 6, 6);
	memcpy(out + 6, t->frame, 6);
	memcpy(out + udp - addresses, t->frame + udp - addresses / 2, addresses / 2);
	memcpy(out + udp - addresses / 2, t->frame + udp - addresses, addresses / 2);
	memcpy(out + udp + 2, out + udp, 2);
	memcpy(out + udp, t->frame + udp + 2, 2);
	out[udp + 10] |= (uint8_t)(0x80 | aa << 2);
	out[udp + 11] = (uint8_t)rcode;
	out[udp + 15] = (uint8_t)answers;
	out[udp + 17] = (uint8_t)authority;
	memset(out + udp + 6, 0, 2);
	sum = slow_sum(out + udp - addresses, addresses, 17 + udp_len);
	sum = ~slow_sum(out + udp, udp_len, sum) & 0xffff;
	out[udp + 6] = (uint8_t)(sum >> 8);
	out[udp + 7] = (uint8_t)sum;
	return t->len;
}

static void replies_are_judged_by_their_shape(void **state)
{
	static const struct {
		const char *line;
		unsigned aa, rcode, answers, authority;
		enum load_fault fault;
	} cases[] = {
	    {"a.test A answer", 1, 0, 1, 0, FAULT_NONE},
	    {"a.test A answer", 0, 0, 1, 0, FAULT_COUNTS},
	    {"a.test A answer", 1, 0, 0, 1, FAULT_COUNTS},
	    {"a.test A answer", 1, 3, 0, 1, FAULT_RCODE},
	    {"a.test A referral", 0, 0, 0, 2, FAULT_NONE},
	    {"a.test A referral", 1, 0, 0, 2, FAULT_COUNTS},
	    {"a.test A referral", 0, 0, 0, 0, FAULT_COUNTS},
	    {"a.test A nodata", 1, 0, 0, 1, FAULT_NONE},
	    {"a.test A nodata", 1, 0, 1, 1, FAULT_COUNTS},
	    {"a.test A nxdomain", 1, 3, 0, 1, FAULT_NONE},
	    {"a.test A nxdomain", 1, 0, 0, 1, FAULT_RCODE},
	    {"a.test A nxdomain", 1, 3, 0, 0, FAULT_COUNTS},
	    {"a.test A refused", 0, 5, 0, 0, FAULT_NONE},
	    {"a.test A refused", 0, 2, 0, 0, FAULT_RCODE},
	    {"a.test A any", 0, 2, 0, 0, FAULT_NONE},
	};
	static union template_room m;
	uint8_t r[LOAD_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		size_t k = i / 2, len;
		build(&m, cases[k].line, i % 2, i);
		len = reply_of(r, &m.t, 0x5abcd, cases[k].aa, cases[k].rcode, cases[k].answers,
		    cases[k].authority);
		assert_int_equal(load_check_reply(r, len, &m.t, 0x5abcd), cases[k].fault);
	}
}

static void every_wrong_bit_of_a_reply_is_seen(void **state)
{
	static union template_room m;
	uint8_t r[LOAD_FRAME_MAX];

	(void)state;
	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		size_t len;
		build(&m, "a.test A answer", ip6, 1);
		len = reply_of(r, &m.t, 77, 1, 0, 1, 0);
		assert_int_equal(load_check_reply(r, len, &m.t, 77), FAULT_NONE);
		assert_int_not_equal(load_check_reply(r, len, &m.t, 78), FAULT_NONE);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(load_check_reply(r, cut, &m.t, 77), FAULT_FRAME);
		for (size_t bit = 0; bit < len * 8; bit++) {
			size_t at = bit / 8;
			if (at >= 6 && at < 12)
				continue; // the server's own MAC address is not known
			if (ip6 && at >= 14 && at < 18 && bit % 8 < 4)
				continue; // traffic class and flow label are its own business
			if (ip6 && (at == 15 || at == 16 || at == 17 || at == 21))
				continue; // so is the hop limit
			r[at] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(load_check_reply(r, len, &m.t, 77), FAULT_NONE);
			r[at] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void percentiles_are_at_most_a_step_too_high(void **state)
{
	static struct load_histogram h;

	(void)state;
	assert_int_equal(load_histogram_at(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		load_histogram_add(&h, v);
	assert_int_equal(load_histogram_at(&h, 0.00001), 1);
	assert_in_range(load_histogram_at(&h, 0.5), 50000, 51600);
	assert_in_range(load_histogram_at(&h, 0.99), 99000, 102200);
	assert_in_range(load_histogram_at(&h, 1), 100000, 103200);
	load_histogram_add(&h, UINT64_MAX);
	assert_int_equal(load_histogram_at(&h, 1), (1ULL << HISTOGRAM_BITS) - 1);
	for (unsigned shift = 0; shift < HISTOGRAM_BITS; shift++) {
		unsigned bin = load_histogram_bin(1ULL << shift);
		assert_true(bin < HISTOGRAM_BINS);
		assert_true(shift == 0 || bin > load_histogram_bin((1ULL << shift) - 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_read_as_dnsperf_writes_them),
	    cmocka_unit_test(mixes_name_shapes_and_weights),
	    cmocka_unit_test(patterns_make_the_names_they_say),
	    cmocka_unit_test(shapes_ask_for_what_they_are_named_after),
	    cmocka_unit_test(streams_keep_the_mix_the_order_and_the_seed),
	    cmocka_unit_test(zipf_prefers_the_first_names),
	    cmocka_unit_test(frames_keep_the_shares_and_the_sources),
	    cmocka_unit_test(every_slot_has_a_right_checksum),
	    cmocka_unit_test(replies_are_judged_by_their_shape),
	    cmocka_unit_test(every_wrong_bit_of_a_reply_is_seen),
	    cmocka_unit_test(percentiles_are_at_most_a_step_too_high),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
