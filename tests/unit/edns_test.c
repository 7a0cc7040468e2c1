// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// EDNS options from the query's bytes to the reply's: when each comes back, and when not; and for
// all combinations of them, cookies (cookie_test.c) among them, that the reply's sum, its length
// and the point of truncation are exact.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"

// --- the other options
// ----------------------------------------------------------------------------

static void keepalive_is_told_over_tcp_only(void **state)
{
	struct message m;

	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, KEEPALIVE, NULL, 0);
	ask(&m, DNS_UDP);
	assert_int_equal(got.option_count, 0);
	ask(&m, DNS_TCP);
	assert_int_equal(got.option[KEEPALIVE].len, 2);
	assert_int_equal(get16be(got.option[KEEPALIVE].data), 100);
	server.tcp_keepalive = 0;
	ask(&m, DNS_TCP);
	assert_int_equal(got.option_count, 0);
}

static void expire_is_told_with_the_apex_soa_only(void **state)
{
	struct zone_entry *zone = zone_table_get(table, apex);
	struct message m;

	message_begin(&m, "EXAMPLE.com.", RRTYPE_SOA);
	message_opt(&m, 1232, 0);
	message_option(&m, EXPIRE, NULL, 0);
	ask(&m, DNS_UDP);
	assert_int_equal(got.option[EXPIRE].len, 4);
	assert_int_equal(get32be(got.option[EXPIRE].data), 86400); // never: what the SOA says
	atomic_store(&zone->expires_at, context.now + 1234);
	ask(&m, DNS_UDP);
	assert_int_equal(get32be(got.option[EXPIRE].data), 1234);
	atomic_store(&zone->expires_at, context.now - 1); // nobody has said so yet
	ask(&m, DNS_UDP);
	assert_int_equal(get32be(got.option[EXPIRE].data), 0);

	static const struct {
		const char *name;
		uint16_t type;
	} without[] = {{"example.com.", RRTYPE_A}, {"odd", RRTYPE_SOA}, {"nothing", RRTYPE_SOA},
	    {"sub", RRTYPE_SOA}, {"example.org.", RRTYPE_SOA}};

	for (size_t i = 0; i < COUNT(without); i++) {
		message_begin(&m, without[i].name, without[i].type);
		message_opt(&m, 1232, 0);
		message_option(&m, EXPIRE, NULL, 0);
		ask(&m, DNS_UDP);
		assert_int_equal(got.option[EXPIRE].len, -1);
	}
}

static void zoneversion_is_told_with_all_a_zone_answers(void **state)
{
	static const char *const in_zone[] = {
	    "example.com.", "odd", "nothing", "sub", "x.sub", "alias", "ns.sub"};
	struct message m;

	for (size_t i = 0; i < COUNT(in_zone); i++) {
		message_begin(&m, in_zone[i], RRTYPE_A);
		message_opt(&m, 1232, 0);
		message_option(&m, ZONEVERSION, NULL, 0);
		ask(&m, DNS_UDP);
		assert_int_equal(got.option[ZONEVERSION].len, 6);
		assert_int_equal(got.option[ZONEVERSION].data[0], 2); // labels of example.com
		assert_int_equal(got.option[ZONEVERSION].data[1], 0); // SOA-SERIAL
		assert_int_equal(get32be(got.option[ZONEVERSION].data + 2), 2026112901);
	}
	message_begin(&m, "example.org.", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, ZONEVERSION, NULL, 0);
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 5);
	assert_int_equal(got.option[ZONEVERSION].len, -1);
	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, ZONEVERSION, "\2", 1); // not a question: no answer, and no error
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 0);
	assert_int_equal(reply[7], 1);
	assert_int_equal(got.option_count, 0);
}

static void an_error_says_why_when_the_query_had_edns(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		uint8_t opcode;
		bool expired;
		unsigned rcode;
		int ede; // -1: none
	} cases[] = {
	    {"example.org.", RRTYPE_A, 0, false, 5, 20},
	    {"example.com.", RRTYPE_A, 0, true, 2, 24},
	    {"example.com.", RRTYPE_AXFR, 0, false, 5, 18},
	    {"example.com.", RRTYPE_IXFR, 0, false, 5, 18},
	    {"example.org.", RRTYPE_IXFR, 0, false, 9, 20},
	    {"example.com.", RRTYPE_MAILB, 0, false, 4, 21},
	    {"example.com.", RRTYPE_SOA, 5, false, 4, 21},
	    {"example.com.", RRTYPE_TKEY, 0, false, 1, -1},
	    {"nothing", RRTYPE_A, 0, false, 3, -1},
	    {"odd", RRTYPE_A, 0, false, 0, -1},
	};
	struct zone_entry *zone = zone_table_get(table, apex);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct message m;

		atomic_store(&zone->version->state, cases[i].expired ? ZONE_EXPIRED : ZONE_LIVE);
		message_begin(&m, cases[i].name, cases[i].type);
		m.bytes[2] = (uint8_t)(cases[i].opcode << 3);
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, cases[i].rcode);
		assert_false(got.opt);
		message_opt(&m, 512, 0);
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, cases[i].rcode);
		assert_true(got.opt);
		assert_int_equal(got.option[EDE].len, cases[i].ede < 0 ? -1 : 2);
		if (cases[i].ede >= 0)
			assert_int_equal(get16be(got.option[EDE].data), cases[i].ede);
		assert_int_equal(got.option_count, cases[i].ede >= 0);
	}
}

// RFC 8914 4.4 and 4.20.
static void every_answer_of_a_stale_zone_says_so_when_the_query_had_edns(void **state)
{
	static const struct {
		const char *name;
		unsigned rcode, ede;
	} cases[] = {
	    {"example.com.", 0, 3}, {"odd", 0, 3}, {"x.sub", 0, 3},       // a referral
	    {"alias", 0, 3}, {"nothing", 3, 19}, {"example.org.", 5, 20}, // not this zone's
	};
	struct zone_entry *zone = zone_table_get(table, apex);

	for (size_t i = 0; i < COUNT(cases); i++) {
		for (unsigned renders = 0; renders < 2; renders++) {
			struct message m;
			uint16_t plain;

			render_only = renders;
			atomic_store(&zone->version->state, ZONE_LIVE);
			message_begin(&m, cases[i].name, RRTYPE_A);
			ask(&m, DNS_UDP);
			plain = query.len;
			atomic_store(&zone->version->state, ZONE_STALE);
			ask(&m, DNS_UDP); // without EDNS as ever
			assert_int_equal(query.len, plain);
			message_opt(&m, 1232, 0);
			message_option(&m, NSID, NULL, 0);
			ask(&m, DNS_UDP);
			assert_int_equal(got.rcode, cases[i].rcode);
			assert_int_equal(got.option[EDE].len, 2);
			assert_int_equal(get16be(got.option[EDE].data), cases[i].ede);
			assert_int_equal(got.option_count, 2);
		}
	}
	render_only = false;
}

static void badvers_carries_no_options(void **state)
{
	for (unsigned v = 1; v < 256; v++) {
		struct message m;

		message_begin(&m, "odd", RRTYPE_A);
		message_opt(&m, 1232, (uint8_t)v);
		message_option(&m, NSID, NULL, 0);
		message_option(&m, COOKIE, "clientck", 8);
		message_option(&m, ZONEVERSION, NULL, 0);
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, 16);
		assert_int_equal(got.option_count, 0);
		assert_int_equal(reply[7], 0);
	}
}

static void an_identity_that_is_empty_is_no_nsid(void **state)
{
	struct message m;

	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, NSID, NULL, 0);
	server.identity_len = 0;
	ask(&m, DNS_UDP);
	assert_int_equal(got.option_count, 0);
}

// Unknown options, Padding and client subnets among them, of any length and number.
static void unknown_options_are_ignored(void **state)
{
	static const unsigned codes[] = {
	    0, 1, 2, 4, 5, 8, PADDING, 13, 14, EDE, 16, 18, 20, 65001, 65535};
	static const uint8_t data[64];
	struct message m;

	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	for (size_t i = 0; i < COUNT(codes); i++) {
		message_option(&m, codes[i], NULL, 0);
		message_option(&m, codes[i], data, 3 * i);
	}
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 0);
	assert_true(got.opt);
	assert_int_equal(got.option_count, 0);
	assert_int_equal(reply[7], 1);
}

// --- CHAOS
// ----------------------------------------------------------------------------------------

static void identity_is_told_to_txt_and_any_and_nothing_else(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		unsigned rcode;
	} cases[] = {
	    {"id.server.", RRTYPE_TXT, 0},
	    {"hostname.bind.", RRTYPE_TXT, 0},
	    {"HostName.Bind.", RRTYPE_ANY, 0},
	    {"version.bind.", RRTYPE_TXT, 0},
	    {"version.server.", RRTYPE_TXT, 0},
	    {"authors.bind.", RRTYPE_TXT, 5},
	    {"id.server.", RRTYPE_A, 5},
	    {"id.server.", RRTYPE_SOA, 5},
	    {"server.", RRTYPE_TXT, 5},
	    {"x.id.server.", RRTYPE_TXT, 5},
	    {"bind.", RRTYPE_NS, 5},
	    {".", RRTYPE_TXT, 5},
	    {"example.com.", RRTYPE_SOA, 5},
	};

	memcpy(server.version, "np", 2);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct message m;

		server.version_len = 2;
		message_begin(&m, cases[i].name, cases[i].type);
		m.bytes[m.len - 1] = 3;
		message_opt(&m, 512, 0);
		message_option(&m, NSID, NULL, 0);
		message_option(&m, COOKIE, "clientck", 8);
		message_option(&m, ZONEVERSION, NULL, 0);
		message_option(&m, EXPIRE, NULL, 0);
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, cases[i].rcode);
		assert_int_equal(reply[2] & 4, 0); // AA
		assert_int_equal(reply[7], cases[i].rcode == 0);
		assert_int_equal(got.option[NSID].len, 4);
		assert_int_equal(got.option[COOKIE].len, DNS_COOKIE_LEN);
		assert_int_equal(got.option_count, 2);
		// With texts as long as they may be it still fits into 512 bytes.
		if (cases[i].rcode == 0) {
			server.identity_len = server.version_len = DNS_IDENTITY_MAX;
			ask(&m, DNS_UDP);
			assert_true(query.len <= 512);
			assert_int_equal(reply[7], 1);
			server.identity_len = 4;
		}
		// Hidden.
		server.version_len = 0;
		ask(&m, DNS_UDP);
		if (strncmp(cases[i].name, "version", 7) == 0)
			assert_int_equal(got.rcode, 5);
	}
}

// --- all of them together
// -------------------------------------------------------------------------

static const unsigned codes[] = {NSID, EXPIRE, COOKIE, KEEPALIVE, ZONEVERSION, PADDING};

static void message_options(struct message *m, unsigned set)
{
	for (unsigned i = 0; i < COUNT(codes); i++) {
		if ((set >> i & 1) != 0)
			message_option(m, codes[i], "clientck", codes[i] == COOKIE ? 8 : 0);
	}
}

// What RFCs and configuration say must come back.
static unsigned options_len(unsigned set, bool tcp, bool soa, bool in_zone)
{
	unsigned len = 0;

	len += (set & 1) != 0 && server.identity_len != 0 ? 4u + server.identity_len : 0;
	len += (set & 2) != 0 && soa && in_zone ? 8 : 0;
	len += (set & 4) != 0 ? 28 : 0;
	len += (set & 8) != 0 && tcp ? 6 : 0;
	len += (set & 16) != 0 && in_zone ? 10 : 0;
	return len + (in_zone ? 0 : 6); // EDE
}

// ask() checks sum and form; the length is that of the same reply without options, plus theirs.
static void every_combination_has_the_right_sum_and_length(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		bool soa, in_zone;
	} questions[] = {{"odd", RRTYPE_A, false, true}, {"even1", RRTYPE_A, false, true},
	    {"example.com.", RRTYPE_SOA, true, true}, {"x.sub", RRTYPE_A, false, true},
	    {"nothing", RRTYPE_A, false, true}, {"alias", RRTYPE_A, false, true},
	    {"Alias", RRTYPE_MX, false, true}, {"example.org.", RRTYPE_A, false, false},
	    {"a.example.org.", RRTYPE_SOA, true, false}};
	unsigned cases = 0;

	for (unsigned set = 0; set < 1u << COUNT(codes); set++) {
		for (size_t q = 0; q < COUNT(questions); q++) {
			for (unsigned identity = 0; identity <= DNS_IDENTITY_MAX; identity += 1) {
				bool tcp = (identity ^ q) % 2 != 0;
				struct message m;
				unsigned plain;

				server.identity_len = (uint8_t)identity;
				message_begin(&m, questions[q].name, questions[q].type);
				ask(&m, tcp ? DNS_TCP : DNS_UDP);
				plain = query.len;
				message_opt(&m, 1232, 0);
				message_options(&m, set);
				ask(&m, tcp ? DNS_TCP : DNS_UDP);
				assert_int_equal(
				    query.len, plain + 11 +
				                   options_len(set, tcp, questions[q].soa,
				                       questions[q].in_zone));
				cases++;
			}
		}
	}
	assert_int_equal(cases, 64 * COUNT(questions) * (DNS_IDENTITY_MAX + 1));
}

// TC exactly where the reply with its options would be one byte too long.
static void truncation_comes_at_the_byte(void **state)
{
	for (unsigned set = 0; set < 1u << COUNT(codes); set++) {
		for (unsigned identity = 1; identity <= DNS_IDENTITY_MAX; identity += 9) {
			struct message m;
			unsigned full;

			server.identity_len = (uint8_t)identity;
			server.tcp_keepalive = 0; // the same options as over UDP
			message_begin(&m, "large", RRTYPE_TXT);
			message_opt(&m, 4096, 0);
			message_options(&m, set);
			ask(&m, DNS_TCP);
			full = query.len;
			assert_int_equal(reply[2] & 2, 0);
			assert_int_equal(reply[7], 12);
			assert_true(full > 1232 && full < 4096);
			server.udp_payload_max = 4096;
			for (int delta = -2; delta <= 2; delta++) {
				unsigned limit = full + (unsigned)delta;

				put16be(m.bytes + m.rdlen_at - 6, limit);
				// ask_from() has room for 1400 bytes: not what is tested here.
				memcpy(reply, m.bytes, m.len);
				memset(&query, 0xa5, sizeof(query));
				query.msg = reply;
				query.len = (uint16_t)m.len;
				query.cap = 4096;
				query.transport = DNS_UDP;
				query.no_error_reply = query.render_only = false;
				query.client = client4;
				query.client_len = 4;
				dns_answer(&context, &query);
				reply_read();
				assert_true(query.len <= limit);
				assert_int_equal((reply[2] & 2) != 0, delta < 0);
				if (delta >= 0)
					assert_int_equal(query.len, full);
			}
			server.udp_payload_max = 1232;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(keepalive_is_told_over_tcp_only),
	    CASE(expire_is_told_with_the_apex_soa_only),
	    CASE(zoneversion_is_told_with_all_a_zone_answers),
	    CASE(an_error_says_why_when_the_query_had_edns),
	    CASE(every_answer_of_a_stale_zone_says_so_when_the_query_had_edns),
	    CASE(badvers_carries_no_options),
	    CASE(an_identity_that_is_empty_is_no_nsid),
	    CASE(unknown_options_are_ignored),
	    CASE(identity_is_told_to_txt_and_any_and_nothing_else),
	    CASE(every_combination_has_the_right_sum_and_length),
	    CASE(truncation_comes_at_the_byte),
	};

	return cmocka_run_group_tests(tests, zone_setup, zone_teardown);
}
