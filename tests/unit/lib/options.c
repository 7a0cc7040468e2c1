// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See options.h.
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

#include "checksum.h"
#include "compile.h"
#include "zonefile.h"

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};
struct dns_server server;
struct dns_counters counters;
struct dns_context context = {.server = &server, .counters = &counters};
static struct zone_version version;
static struct image_buffer image;
struct zone_table *table;
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

int zone_setup(void **state)
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

int zone_teardown(void **state)
{
	zone_table_free(table);
	image_buffer_close(&image);
	return 0;
}

int server_reset(void **state)
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

void put16be(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

void message_begin(struct message *m, const char *name, uint16_t type)
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

void message_opt(struct message *m, unsigned size, uint8_t edns_version)
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

void message_option(struct message *m, unsigned code, const void *data, size_t len)
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

struct dns_query query;
uint8_t reply[DNS_TCP_MAX + DNS_WRITE_SLACK];
struct got got;

unsigned get16be(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

uint32_t get32be(const uint8_t *at)
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

void reply_read(void)
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

bool render_only;

enum dns_verdict ask_from(const struct message *m, enum dns_transport transport,
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

void ask(const struct message *m, enum dns_transport transport)
{
	assert_int_equal(ask_from(m, transport, client4, 4, false), DNS_REPLY);
}

size_t hex(const char *text, uint8_t *out)
{
	size_t len = strlen(text) / 2;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(sscanf(text + 2 * i, "%2hhx", &out[i]), 1);
	return len;
}
