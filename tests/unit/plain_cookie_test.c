// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Plain questions with a cookie (dns_plain_cookie.h): what is no such option is left alone, however
// short the message; and no reply is longer than it may be.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "dns.h"
#include "dns_plain.h"
#include "dns_plain_cookie.h"
#include "zone_table.h"
#include "zone_text.h"

#define OPT_FIXED 11 // root, type, size, extended rcode and flags, length
#define CLIENT    8  // bytes of a client's cookie

static const uint8_t client[4] = {192, 0, 2, 99};
static struct dns_server server = {
    .udp_payload_max = 1232, .cookie_secret_count = 1, .cookie_secrets = {{{1, 2}}}};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters, .now = 1795000000};

// Messages that have nothing but the end of such an OPT, up to those that begin with all of it: in
// front of them stands the rest of it.
static void what_has_no_room_for_a_question_is_left_alone(void **state)
{
	static struct dns_plain at_hand;
	static struct dns_query query;
	const unsigned end = 128;

	context.table = zone_table_new(&key);
	for (unsigned cookie_len = CLIENT; cookie_len <= DNS_COOKIE_LEN; cookie_len += 16) {
		const unsigned least = 12 + OPT_FIXED + 4 + cookie_len;

		for (unsigned len = 0; len <= least; len++) {
			uint8_t room[128 + DNS_WRITE_SLACK] = {0}, before[sizeof(room)];
			struct plain_cookie cookie;
			const uint8_t head[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0,
			    (uint8_t)(4 + cookie_len), 0, 10, 0, (uint8_t)cookie_len};

			memcpy(room + end - cookie_len - sizeof(head), head, sizeof(head));
			memcpy(before, room, sizeof(room));
			dns_plain_begin(&at_hand, &context, &query, 1400);
			assert_int_equal(plain_cookie_off(&at_hand, &cookie, room + end - len, len,
			                     client, sizeof(client)),
			    0);
			assert_int_equal(at_hand.cap, 1400);
			assert_memory_equal(room, before, sizeof(room));
		}
	}
	zone_table_free((struct zone_table *)context.table);
}

#define TEXTS      64 // of TEXT_FIRST bytes and more
#define TEXT_FIRST 590

// "tNN.example" TXT with an OPT and a client's cookie. Post: its length.
static unsigned question(uint8_t *msg, unsigned nth, unsigned payload)
{
	const uint8_t opt[] = {0, 0, 41, (uint8_t)(payload >> 8), (uint8_t)payload, 0, 0, 0, 0, 0,
	    12, 0, 10, 0, 8, 'a', 'c', 'o', 'o', 'k', 'i', 'e', '!'};
	char name[16];

	memset(msg, 0, 12);
	msg[5] = msg[11] = 1;
	snprintf(name, sizeof(name), "\3t%02u", nth);
	memcpy(msg + 12, name, 4);
	memcpy(msg + 16, "\7example\0\0\20\0\1", 13);
	memcpy(msg + 29, opt, sizeof(opt));
	return 29 + sizeof(opt);
}

// The reply is the question (29 bytes), a record of 12 and its text, an OPT with the server's
// cookie.
static unsigned whole(unsigned nth)
{
	return 29 + 12 + TEXT_FIRST + nth + OPT_FIXED + 4 + DNS_COOKIE_LEN;
}

static void by_stages(uint8_t *msg, unsigned *len, unsigned cap)
{
	static struct dns_query query;
	uint8_t live;

	memset(&query, 0, sizeof(query));
	query.msg = msg;
	query.len = (uint16_t)*len;
	query.cap = (uint16_t)cap;
	query.client = client;
	query.client_len = sizeof(client);
	query.transport = DNS_UDP;
	dns_query_begin(&query);
	assert_int_equal(dns_parse_burst(&context, &query, 1, &live), 1);
	dns_match(&context, &query);
	dns_emit(&context, &query);
	*len = query.len;
}

// Each of the three that may be the least: what the client takes, the server's own limit, the room.
static void no_reply_with_a_cookie_is_longer_than_it_may_be(void **state)
{
	static const unsigned limits[][3] = {
	    {700, 1232, 1400}, {4096, 700, 1400}, {4096, 1232, 700}, {700, 700, 700}};
	static char text[TEXTS * 800 + 256];
	static struct dns_plain at_hand;
	static struct dns_query query;
	struct zone_table *table = zone_table_new(&key);
	struct zone_retired retired;
	struct zone_version version;
	struct image_buffer image;
	size_t at = (size_t)sprintf(text, SOA(1) NS);

	for (unsigned i = 0; i < TEXTS; i++) { // two strings and one more, each with its length
		const unsigned left = TEXT_FIRST + i - 2 * 256;

		at += (size_t)sprintf(
		    text + at, "t%02u TXT %0255u %0255u %0*u\n", i, 1, 2, (int)left - 1, 3);
	}
	struct records *records = zone_of(text);

	assert_int_equal(records_sort(records), 0);
	version_of(records, &version, &image);
	records_free(records);
	assert_int_equal(zone_table_set(table, apex, &version, &retired), 0);
	context.table = table;
	for (unsigned k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		server.udp_payload_max = (uint16_t)limits[k][1];
		for (unsigned i = 0; i < TEXTS; i++) {
			uint8_t msg[2048], expected[2048];
			struct plain_cookie cookie;
			unsigned len = question(msg, i, limits[k][0]), want = len;
			const uint64_t sum = checksum_sum(msg, len, 0);

			memcpy(expected, msg, len);
			by_stages(expected, &want, limits[k][2]);
			assert_int_equal(want == whole(i), whole(i) <= 700);
			dns_plain_begin(&at_hand, &context, &query, limits[k][2]);
			const unsigned left =
			    plain_cookie_off(&at_hand, &cookie, msg, len, client, sizeof(client));

			assert_int_equal(left, len - 12);
			struct plain_reply reply = dns_plain_answer(&at_hand, msg, left);

			// What does not fit is for the stages, which truncate it.
			assert_int_equal(reply.len != 0, whole(i) <= 700);
			if (reply.len == 0)
				continue;
			plain_cookie_on(&at_hand, &cookie, msg, &reply);
			assert_int_equal(reply.len, want);
			assert_memory_equal(msg, expected, want);
			assert_int_equal(
			    checksum_fold(checksum_less(sum, checksum_fold(reply.less))) % 0xffff,
			    checksum_fold(checksum_sum(msg, reply.len, 0)) % 0xffff);
		}
	}
	zone_table_free(table);
	image_buffer_close(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_has_no_room_for_a_question_is_left_alone),
	    cmocka_unit_test(no_reply_with_a_cookie_is_longer_than_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
