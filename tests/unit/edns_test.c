// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// EDNS options from the query's bytes to the reply's. Cookies against the vectors of RFC 9018
// Appendix A and at every border of their life; when each option comes back, and when not; and for
// all combinations of them that the reply's sum, its length and the point of truncation are exact.
#include "dns.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "checksum.h"
#include "compile.h"
#include "zonefile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	NSID = 3,
	EXPIRE = 9,
	COOKIE = 10,
	KEEPALIVE = 11,
	PADDING = 12,
	EDE = 15,
	ZONEVERSION = 19
};

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};
static struct dns_server server;
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};
static struct zone_version version;
static struct image_buffer image;
static struct zone_table *table;
static const uint8_t apex[] = "\7example\3com";

static const char zone_text[] = "@ 3600 SOA ns1 host 2026112901 2 3 86400 300\n"
                                "@ 3600 NS ns1\nns1 A 192.0.2.1\n"
                                "odd A 192.0.2.2\neven1 A 192.0.2.3\nsub NS ns.sub\n"
                                "ns.sub A 192.0.2.9\nalias CNAME odd\n";

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// TXT records of 20 to 219 bytes at "large", so that a reply of any limit is cut there.
static void large_add(struct records *records)
{
	static const uint8_t owner[] = "\5large\7example\3com";
	uint8_t text[256];

	for (unsigned i = 0; i < 12; i++) {
		text[0] = (uint8_t)(90 + i);
		memset(text + 1, 'a' + (int)i, text[0]);
		assert_int_equal(
		    records_add(records, owner, RRTYPE_TXT, 60, text, (uint16_t)(text[0] + 1)), 0);
	}
}

static int zone_setup(void **state)
{
	struct compile_options options = {.key = key, .generation = 1, .id = 1};
	struct records *records = records_new(apex);
	struct zonefile_error err;
	struct zone_retired retired;
	char error[COMPILE_ERROR_MAX];

	assert_int_equal(
	    zonefile_parse_text(zone_text, sizeof(zone_text) - 1, apex, collect, records, &err), 0);
	large_add(records);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&image, 1u << 24), 0);
	assert_int_equal(compile_image(records, &options, &image, error), 0);
	assert_int_equal(image_verify(image.mem, image.used, error), 0);
	version.layer_count = 1;
	assert_int_equal(image_open(&version.layer[0], image.mem, image.used), 0);
	table = zone_table_new(&key);
	assert_int_equal(zone_table_set(table, apex, &version, &retired), 0);
	context.table = table;
	records_free(records);
	return 0;
}

static int zone_teardown(void **state)
{
	zone_table_free(table);
	image_buffer_close(&image);
	return 0;
}

// The server each case starts from: identity "edge", 10 s of TCP, one secret, live zone.
static int server_reset(void **state)
{
	struct zone_entry *zone = zone_table_get(table, apex);

	server = (struct dns_server){.udp_payload_max = 1232,
	    .identity_len = 4,
	    .identity = "edge",
	    .tcp_keepalive = 100,
	    .cookie_secret_count = 1,
	    .cookie_secrets = {{{3, 4}}, {{5, 6}}}};
	context.now = 1700000000;
	atomic_store(&zone->version->state, ZONE_LIVE);
	atomic_store(&zone->expires_at, 0);
	return 0;
}

// --- queries
// --------------------------------------------------------------------------------------

struct message {
	uint8_t bytes[2048];
	size_t len, rdlen_at; // rdlen_at 0: no OPT yet
};

static const uint8_t client4[4] = {192, 0, 2, 77};

static void put16be(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

// name NULL: no question.
static void message_begin(struct message *m, const char *name, uint16_t type)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->bytes, "\x12\x34\0\0\0\0\0\0\0\0\0", 12);
	m->len = 12;
	if (name == NULL)
		return;

	int n = name_from_text(name, strlen(name), apex, m->bytes + 12);

	assert_true(n > 0);
	m->bytes[5] = 1;
	m->len += (size_t)n;
	put16be(m->bytes + m->len, type);
	put16be(m->bytes + m->len + 2, 1);
	m->len += 4;
}

static void message_opt(struct message *m, unsigned size, uint8_t edns_version)
{
	uint8_t *at = m->bytes + m->len;

	memset(at, 0, 11);
	put16be(at + 1, RRTYPE_OPT);
	put16be(at + 3, size);
	at[6] = edns_version;
	m->rdlen_at = m->len + 9;
	m->len += 11;
	m->bytes[11]++;
}

static void message_option(struct message *m, unsigned code, const void *data, size_t len)
{
	put16be(m->bytes + m->len, code);
	put16be(m->bytes + m->len + 2, (unsigned)len);
	if (len > 0)
		memcpy(m->bytes + m->len + 4, data, len);
	m->len += 4 + len;
	put16be(m->bytes + m->rdlen_at, (unsigned)(m->len - m->rdlen_at - 2));
}

// --- replies
// --------------------------------------------------------------------------------------

static struct dns_query query;
static uint8_t reply[DNS_TCP_MAX + DNS_WRITE_SLACK];
static struct {
	unsigned rcode; // with OPT's bits
	bool opt;
	struct {
		const uint8_t *data;
		int len; // -1: not there
	} option[32];
	uint8_t option_count;
} got;

static unsigned get16be(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32be(const uint8_t *at)
{
	return (uint32_t)get16be(at) << 16 | get16be(at + 2);
}

static size_t name_end(size_t at)
{
	while (reply[at] != 0 && reply[at] < 0xc0)
		at += 1u + reply[at];
	return at + (reply[at] == 0 ? 1 : 2);
}

static void options_read(const uint8_t *at, size_t len)
{
	while (len != 0) {
		assert_true(len >= 4);

		unsigned code = get16be(at), n = get16be(at + 2);

		assert_true(n <= len - 4);
		assert_true(code < COUNT(got.option));
		assert_int_equal(got.option[code].len, -1); // once each
		got.option[code].data = at + 4;
		got.option[code].len = (int)n;
		got.option_count++;
		at += 4 + n;
		len -= 4 + n;
	}
}

// Takes the reply apart, down to its last byte.
static void reply_read(void)
{
	unsigned records = get16be(reply + 6) + get16be(reply + 8) + get16be(reply + 10);
	size_t at = 12;

	memset(&got, 0, sizeof(got));
	for (size_t i = 0; i < COUNT(got.option); i++)
		got.option[i].len = -1;
	got.rcode = reply[3] & 15;
	if (get16be(reply + 4) != 0)
		at = name_end(at) + 4;
	for (; records > 0; records--) {
		bool root = reply[at] == 0;

		at = name_end(at);
		if (get16be(reply + at) == RRTYPE_OPT) {
			assert_true(root);
			assert_false(got.opt);
			assert_int_equal(reply[at + 5], 0); // version
			got.opt = true;
			got.rcode |= (unsigned)reply[at + 4] << 4;
			options_read(reply + at + 10, get16be(reply + at + 8));
		}
		at += 10 + get16be(reply + at + 8);
	}
	assert_int_equal(at, query.len);
}

static bool render_only; // no compiled answers

// Post: the verdict; the sum is right; `got` is filled.
static enum dns_verdict ask_from(const struct message *m, enum dns_transport transport,
    const uint8_t *client, uint8_t client_len, bool low_port)
{
	uint64_t sum = 0;

	memset(reply, 0xa5, m->len + 2048);
	memcpy(reply, m->bytes, m->len);
	memset(&query, 0xa5, sizeof(query));
	query.msg = reply;
	query.len = (uint16_t)m->len;
	query.sum = checksum_sum(m->bytes, m->len, 0);
	query.cap = transport == DNS_UDP ? 1400 : DNS_TCP_MAX;
	query.transport = transport;
	query.no_error_reply = low_port;
	query.render_only = render_only;
	query.client = client;
	query.client_len = client_len;
	dns_answer(&context, &query);
	if (query.verdict != DNS_REPLY)
		return query.verdict;
	for (size_t i = 0; i < query.len; i++)
		sum += i % 2 == 0 ? (uint64_t)reply[i] << 8 : reply[i];
	assert_int_equal(ntohs(checksum_fold(query.sum)) % 0xffff, sum % 0xffff);
	reply_read();
	return DNS_REPLY;
}

static void ask(const struct message *m, enum dns_transport transport)
{
	assert_int_equal(ask_from(m, transport, client4, 4, false), DNS_REPLY);
}

static size_t hex(const char *text, uint8_t *out)
{
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(sscanf(text + 2 * i, "%2hhx", &out[i]), 1);
	return len;
}

// --- cookies
// --------------------------------------------------------------------------------------

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

#define CASE(f) cmocka_unit_test_setup(f, server_reset)

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
