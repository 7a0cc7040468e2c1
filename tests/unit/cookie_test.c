// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Cookies against the vectors of RFC 9018 Appendix A and at every border of their life.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"

struct vector {
	const char *secrets[2];
	uint8_t client[16], client_len;
	const char *name;
	uint32_t now;
	const char *sent, *back;
	enum dns_cookie verdict;
};

// RFC 9018 Appendix A.1 to A.4.
static const struct vector vectors[] = {
    {{"e5e973e5a6b2a43f48e7dc849e37bfcf"}, {198, 51, 100, 100}, 4, "example.com.", 1559731985,
        "2464c4abcf10c957", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", DNS_COOKIE_client},
    {{"e5e973e5a6b2a43f48e7dc849e37bfcf"}, {198, 51, 100, 100}, 4, "example.org.", 1559734385,
        "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
        "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", DNS_COOKIE_renewed},
    {{"e5e973e5a6b2a43f48e7dc849e37bfcf"}, {203, 0, 113, 203}, 4, "example.com.", 1559734700,
        "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
        "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", DNS_COOKIE_old},
    {{"445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"},
        {0x20, 0x01, 0x0d, 0xb8, 0x02, 0x20, 0, 1, 0x59, 0xde, 0xd0, 0xf4, 0x87, 0x69, 0x82, 0xb8},
        16, "example.net.", 1559741961, "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
        "22681ab97d52c298010000005cf7c609a6bb79d16625507a", DNS_COOKIE_renewed},
};

static void cookies_are_those_of_rfc_9018_appendix_a(void **state)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t bytes[40], want[DNS_COOKIE_LEN];
		uint64_t before = counters.cookie[v->verdict];
		struct message m;

		server.cookie_secret_count = 0;
		for (unsigned s = 0; s < 2 && v->secrets[s] != NULL; s++) {
			hex(v->secrets[s], bytes);
			server.cookie_secrets[s] = siphash_key_from(bytes);
			server.cookie_secret_count++;
		}
		context.now = v->now;
		message_begin(&m, v->name, RRTYPE_A);
		message_opt(&m, 4096, 0);
		message_option(&m, COOKIE, bytes, hex(v->sent, bytes));
		assert_int_equal(ask_from(&m, DNS_UDP, v->client, v->client_len, false), DNS_REPLY);
		assert_int_equal(hex(v->back, want), DNS_COOKIE_LEN);
		assert_int_equal(got.option[COOKIE].len, DNS_COOKIE_LEN);
		assert_memory_equal(got.option[COOKIE].data, want, DNS_COOKIE_LEN);
		assert_int_equal(counters.cookie[v->verdict], before + 1);
	}
}

// The cookie of A.3 is 1 h 51 min old; what the RFC shows with it is that reserved bytes are hashed
// as they came. Asked in time, it is valid.
static void reserved_bytes_are_hashed_and_not_judged(void **state)
{
	static const uint8_t client[4] = {203, 0, 113, 203};
	uint8_t bytes[40];
	struct message m;

	hex("e5e973e5a6b2a43f48e7dc849e37bfcf", bytes);
	server.cookie_secrets[0] = siphash_key_from(bytes);
	context.now = 1559727985 + 60;
	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 4096, 0);
	message_option(
	    &m, COOKIE, bytes, hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", bytes));
	ask_from(&m, DNS_UDP, client, 4, false);
	assert_int_equal(query.cookie_verdict, DNS_COOKIE_good);
}

// Asks with `cookie`. Post: the verdict; the reply has a cookie that starts with the client's.
static enum dns_cookie cookie_ask(const uint8_t *cookie, size_t len)
{
	struct message m;

	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, COOKIE, cookie, len);
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 0);
	assert_int_equal(reply[7], 1); // answered whatever the cookie was
	assert_int_equal(got.option[COOKIE].len, DNS_COOKIE_LEN);
	assert_memory_equal(got.option[COOKIE].data, cookie, 8);
	return query.cookie_verdict;
}

static void cookie_make(uint8_t cookie[DNS_COOKIE_LEN])
{
	cookie_ask((const uint8_t *)"clientck", 8);
	memcpy(cookie, got.option[COOKIE].data, DNS_COOKIE_LEN);
}

static void a_cookie_lives_an_hour_and_is_renewed_after_half_of_it(void **state)
{
	static const struct {
		int32_t age;
		enum dns_cookie verdict;
	} ages[] = {
	    {0, DNS_COOKIE_good},
	    {1, DNS_COOKIE_good},
	    {-300, DNS_COOKIE_good},
	    {-301, DNS_COOKIE_future},
	    {1800, DNS_COOKIE_good},
	    {1801, DNS_COOKIE_renewed},
	    {3600, DNS_COOKIE_renewed},
	    {3601, DNS_COOKIE_old},
	    {INT32_MAX, DNS_COOKIE_old},
	    {INT32_MIN, DNS_COOKIE_future},
	};
	// The last two: seconds wrap in 2106 (RFC 1982).
	static const uint32_t starts[] = {1700000000, 0, 1, UINT32_MAX - 10, UINT32_MAX};

	for (size_t s = 0; s < COUNT(starts); s++) {
		for (size_t i = 0; i < COUNT(ages); i++) {
			uint8_t cookie[DNS_COOKIE_LEN];

			context.now = starts[s];
			cookie_make(cookie);
			context.now = starts[s] + (uint32_t)ages[i].age;
			assert_int_equal(cookie_ask(cookie, DNS_COOKIE_LEN), ages[i].verdict);
			// As it was, or of this second.
			if (ages[i].verdict == DNS_COOKIE_good)
				assert_memory_equal(
				    got.option[COOKIE].data, cookie, DNS_COOKIE_LEN);
			else
				assert_int_equal(
				    get32be(got.option[COOKIE].data + 12), context.now);
			// What we give is good at once.
			memcpy(cookie, got.option[COOKIE].data, DNS_COOKIE_LEN);
			assert_true(cookie_ask(cookie, DNS_COOKIE_LEN) == DNS_COOKIE_good);
		}
	}
}

static void every_bit_of_a_cookie_and_of_the_address_counts(void **state)
{
	uint8_t cookie[DNS_COOKIE_LEN], address[4];
	struct message m;

	cookie_make(cookie);
	for (unsigned bit = 0; bit < 8 * DNS_COOKIE_LEN; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(cookie_ask(cookie, DNS_COOKIE_LEN) >= DNS_COOKIE_bad);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, COOKIE, cookie, DNS_COOKIE_LEN);
	for (unsigned bit = 0; bit < 32; bit++) {
		memcpy(address, client4, 4);
		address[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ask_from(&m, DNS_UDP, address, 4, false);
		assert_int_equal(query.cookie_verdict, DNS_COOKIE_bad);
	}
	assert_int_equal(cookie_ask(cookie, DNS_COOKIE_LEN), DNS_COOKIE_good);
}

static void cookies_of_other_lengths_are_bad_or_malformed(void **state)
{
	uint8_t bytes[64] = "clientck";

	for (unsigned len = 0; len <= 48; len++) {
		struct message m;
		uint64_t formerr = counters.outcome[DNS_OUTCOME_formerr_edns];

		if (len == 8 || (len >= 16 && len <= 40)) {
			assert_int_equal(
			    cookie_ask(bytes, len), len == 8 ? DNS_COOKIE_client : DNS_COOKIE_bad);
			continue;
		}
		message_begin(&m, "odd", RRTYPE_A);
		message_opt(&m, 1232, 0);
		message_option(&m, NSID, NULL, 0);
		message_option(&m, COOKIE, bytes, len);
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, 1);
		assert_true(got.opt);
		assert_int_equal(got.option_count, 0);
		assert_int_equal(counters.outcome[DNS_OUTCOME_formerr_edns], formerr + 1);
		// Without secrets it is an option like any unknown one.
		server.cookie_secret_count = 0;
		ask(&m, DNS_UDP);
		assert_int_equal(got.rcode, 0);
		assert_int_equal(got.option[COOKIE].len, -1);
		assert_int_equal(got.option[NSID].len, 4);
		server.cookie_secret_count = 1;
	}
}

static void only_the_first_cookie_counts(void **state)
{
	struct message m;

	message_begin(&m, "odd", RRTYPE_A);
	message_opt(&m, 1232, 0);
	message_option(&m, COOKIE, "firstone", 8);
	message_option(&m, COOKIE, "otherone", 8);
	message_option(&m, COOKIE, "7 bytes", 7);
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 0);
	assert_memory_equal(got.option[COOKIE].data, "firstone", 8);
}

static void the_staging_secret_verifies_and_the_active_one_makes(void **state)
{
	const struct siphash_key staging = server.cookie_secrets[1];
	const struct siphash_key active = server.cookie_secrets[0];
	uint8_t cookie[DNS_COOKIE_LEN], fresh[DNS_COOKIE_LEN];

	server.cookie_secrets[0] = staging; // another node, which is ahead
	cookie_make(cookie);
	server.cookie_secrets[0] = active;
	assert_int_equal(cookie_ask(cookie, DNS_COOKIE_LEN), DNS_COOKIE_bad);
	server.cookie_secret_count = 2;
	assert_int_equal(cookie_ask(cookie, DNS_COOKIE_LEN), DNS_COOKIE_renewed);
	memcpy(fresh, got.option[COOKIE].data, DNS_COOKIE_LEN);
	server.cookie_secret_count = 1;
	assert_int_equal(cookie_ask(fresh, DNS_COOKIE_LEN), DNS_COOKIE_good);
}

// RFC 7873 5.4.
static void a_cookie_without_a_question_is_answered(void **state)
{
	uint8_t cookie[DNS_COOKIE_LEN];
	struct message m;

	cookie_make(cookie);
	message_begin(&m, NULL, 0);
	message_opt(&m, 1232, 0);
	message_option(&m, COOKIE, cookie, 8);
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 0);
	assert_int_equal(query.outcome, DNS_OUTCOME_cookie_only);
	assert_int_equal(query.len, 12 + 11 + 4 + DNS_COOKIE_LEN);

	message_begin(&m, NULL, 0);
	message_opt(&m, 1232, 0);
	message_option(&m, COOKIE, cookie, DNS_COOKIE_LEN);
	ask(&m, DNS_TCP);
	assert_int_equal(got.rcode, 0);
	assert_memory_equal(got.option[COOKIE].data, cookie, DNS_COOKIE_LEN);

	m.bytes[m.len - 1] ^= 1;
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 23); // BADCOOKIE
	assert_int_equal(query.outcome, DNS_OUTCOME_badcookie);
	assert_memory_equal(got.option[COOKIE].data, cookie, DNS_COOKIE_LEN);
	assert_int_equal(ask_from(&m, DNS_UDP, client4, 4, true), DNS_DROP);

	// Nothing to answer: no cookie, no secret, another opcode, a record too many.
	m.bytes[2] = 4 << 3;
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 1);
	m.bytes[2] = 0;
	m.bytes[7] = 1;
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 1);
	m.bytes[7] = 0;
	server.cookie_secret_count = 0;
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 1);
	server.cookie_secret_count = 1;
	message_begin(&m, NULL, 0);
	message_opt(&m, 1232, 0);
	message_option(&m, NSID, NULL, 0);
	ask(&m, DNS_UDP);
	assert_int_equal(got.rcode, 1);
	assert_true(got.opt);
	assert_int_equal(got.option_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(cookies_are_those_of_rfc_9018_appendix_a),
	    CASE(reserved_bytes_are_hashed_and_not_judged),
	    CASE(a_cookie_lives_an_hour_and_is_renewed_after_half_of_it),
	    CASE(every_bit_of_a_cookie_and_of_the_address_counts),
	    CASE(cookies_of_other_lengths_are_bad_or_malformed),
	    CASE(only_the_first_cookie_counts),
	    CASE(the_staging_secret_verifies_and_the_active_one_makes),
	    CASE(a_cookie_without_a_question_is_answered),
	};

	return cmocka_run_group_tests(tests, zone_setup, zone_teardown);
}
