// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The answer stages. Messages and the verdict each deserves (the agreement of NSD, Knot and BIND on
// the same bytes, and ROBUSTNESS where they differ); and every question of a small zone answered
// twice, from the compiled answer and by the renderer, which must give the same bytes.
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
#include "delta.h"
#include "dns_denial.h"
#include "overlay.h"
#include "zonefile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};
static const struct dns_server server = {
    .udp_payload_max = 1232, .identity_len = 4, .identity = "edge", .cookie_secret_count = 1};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};
static struct zone_version version;
static struct image_buffer image;

static const char zone_text[] = "@ 3600 SOA ns1 host 1 2 3 4 300\n"
                                "@ 3600 NS ns1\n@ 3600 NS Ns2\n@ 3600 NS ns.sub\n"
                                "@ 60 MX 10 mail\n@ 60 MX 20 mail\n@ 60 MX 30 mail.example.org.\n"
                                "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nns2 AAAA 2001:db8::2\n"
                                "mail A 192.0.2.3\nmail A 192.0.2.4\nmail AAAA 2001:db8::3\n"
                                "alias CNAME mail\nloop CNAME pool\npool CNAME loop\n"
                                "sub NS ns.sub\nsub NS ns1\nsub NS ns.other\nns.sub A 192.0.2.9\n"
                                "ns.sub AAAA 2001:db8::9\nother NS ns.other\nns.other A 192.0.2.8\n"
                                "*.wild MX 5 www.wild\n*.wild TXT \"w\"\nwww.wild A 192.0.2.7\n"
                                "*.cwild CNAME mail\na.b.c TXT \"deep\"\n"
                                "_s._tcp SRV 0 0 1 mail\ndn DNAME target\na.target A 192.0.2.77\n"
                                "up DNAME up2.up\nself DNAME @\nx.y.ns1 TXT \"e\"\n";

#define SIG " 13 2 60 20300101000000 20200101000000 1 example.com. QUJD\n"
static const char signed_text[] =
    "@ 3600 SOA host host 1 2 3 4 300\n@ RRSIG SOA" SIG "@ NS host\n@ DNSKEY 257 3 13 QUJD\n"
    "@ NSEC host NS SOA RRSIG NSEC DNSKEY\nhost A 192.0.2.1\nhost RRSIG A" SIG
    "host NSEC *.srv A RRSIG NSEC\n*.srv SRV 0 0 1 Host\n*.srv RRSIG SRV" SIG
    "*.srv NSEC @ SRV RRSIG NSEC\n*.srv RRSIG NSEC" SIG;

// Opt-out: the delegation and the empty non-terminals above it are not in the chain. Hashes by
// ldns-nsec3-hash.
#define APEX_HASH "onib9mgub9h0rml3cdf5bgrj59dkjhvk"
#define T_HASH    "139abrdcfnreaq72m4ijosk6d7nbrour"
static const char opt_out_text[] =
    "@ 3600 SOA host host 1 2 3 4 300\n@ RRSIG SOA" SIG "@ NS ns.other.\n@ DNSKEY 257 3 13 QUJD\n"
    "@ NSEC3PARAM 1 0 0 -\nt TXT \"t\"\nb.b.* NS ns.other.\n" APEX_HASH " NSEC3 1 1 0 - " T_HASH
    " NS SOA RRSIG DNSKEY NSEC3PARAM\n" T_HASH " NSEC3 1 1 0 - " APEX_HASH " TXT\n";

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static void zone_load(const char *text, size_t len)
{
	static const uint8_t apex[] = "\7example\3com";
	struct compile_options options = {.key = key, .generation = 1, .id = 1};
	struct records *records = records_new(apex);
	struct zone_table *table = zone_table_new(&key);
	struct zonefile_error err;
	struct zone_retired retired;
	char error[COMPILE_ERROR_MAX];

	assert_int_equal(zonefile_parse_text(text, len, apex, collect, records, &err), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&image, 1u << 24), 0);
	assert_int_equal(compile_image(records, &options, &image, error), 0);
	assert_int_equal(image_verify(image.mem, image.used, error), 0);
	version.layer_count = 1;
	assert_int_equal(image_open(&version.layer[0], image.mem, image.used), 0);
	assert_int_equal(zone_table_set(table, apex, &version, &retired), 0);
	context.table = table;
	records_free(records);
}

static int zone_setup(void **state)
{
	zone_load(zone_text, sizeof(zone_text) - 1);
	return 0;
}

static int zone_teardown(void **state)
{
	zone_table_free((struct zone_table *)(uintptr_t)context.table);
	image_buffer_close(&image);
	return 0;
}

// Answers msg[0 .. len) in a buffer that is poisoned first. Post: the verdict; the sum is right.
static struct dns_query query;
static enum dns_verdict ask(uint8_t buffer[DNS_TCP_MAX + DNS_WRITE_SLACK], const void *msg,
    size_t len, enum dns_transport transport, bool render_only, uint8_t poison)
{
	memset(buffer, poison, DNS_TCP_MAX + DNS_WRITE_SLACK);
	memcpy(buffer, msg, len);
	memset(&query, poison, sizeof(query));
	query.msg = buffer;
	query.len = (uint16_t)len;
	query.sum = checksum_sum(msg, len, 0);
	query.cap = transport == DNS_UDP ? 4096 : DNS_TCP_MAX;
	query.transport = transport;
	query.no_error_reply = false;
	query.render_only = render_only;
	query.client = (const uint8_t[]){192, 0, 2, 1};
	query.client_len = 4;
	dns_answer(&context, &query);
	if (query.verdict == DNS_REPLY) {
		uint64_t sum = 0;

		for (size_t i = 0; i < query.len; i++)
			sum += i % 2 == 0 ? (uint64_t)buffer[i] << 8 : buffer[i];
		assert_int_equal(ntohs(checksum_fold(query.sum)) % 0xffff, sum % 0xffff);
	}
	return query.verdict;
}

#define HEADER     "\x12\x34\0\0\0\1\0\0\0\0\0\0"
#define WITH_AR(n) "\x12\x34\0\0\0\1\0\0\0\0\0" n
#define MAIL       "\4mail\7example\3com\0\0\1\0\1"
#define OPT        "\0\0\x29\x04\xd0\0\0\0\0\0\0"
#define SOA_EMPTY  "\0\0\6\0\1\0\0\0\0\0\0"
#define BYTES(s)   s, sizeof(s) - 1

struct message_case {
	const char *what;
	const char *bytes;
	size_t len;
	enum dns_verdict verdict;
	int rcode; // with the OPT bits
	bool opt;  // in the reply
};

static const struct message_case message_cases[] = {
    {"plain", BYTES(HEADER MAIL), DNS_REPLY, 0, false},
    {"with OPT", BYTES(WITH_AR("\1") MAIL OPT), DNS_REPLY, 0, true},
    {"empty", BYTES(""), DNS_DROP, 0, false},
    {"11 bytes", BYTES("\x12\x34\0\0\0\1\0\0\0\0\0"), DNS_DROP, 0, false},
    {"a response", BYTES("\x12\x34\x80\0\0\1\0\0\0\0\0\0" MAIL), DNS_DROP, 0, false},
    {"no question", BYTES("\x12\x34\0\0\0\0\0\0\0\0\0\0"), DNS_REPLY, 1, false},
    {"no question, but OPT", BYTES("\x12\x34\0\0\0\0\0\0\0\0\0\1" OPT), DNS_REPLY, 1, true},
    {"two questions", BYTES("\x12\x34\0\0\0\2\0\0\0\0\0\0" MAIL MAIL), DNS_REPLY, 1, false},
    {"a question announced, none there", BYTES(HEADER), DNS_REPLY, 1, false},
    {"opcode 1", BYTES("\x12\x34\x08\0\0\1\0\0\0\0\0\0" MAIL), DNS_REPLY, 4, false},
    {"opcode UPDATE", BYTES("\x12\x34\x28\0\0\1\0\0\0\0\0\0" MAIL), DNS_REPLY, 4, false},
    {"opcode 15 without question", BYTES("\x12\x34\x78\0\0\0\0\0\0\0\0\0"), DNS_REPLY, 4, false},
    {"NOTIFY", BYTES("\x12\x34\x20\0\0\1\0\0\0\0\0\0" MAIL), DNS_FORWARD, 0, false},
    {"an answer in the query", BYTES("\x12\x34\0\0\0\1\0\1\0\0\0\0" MAIL), DNS_REPLY, 1, false},
    {"authority in the query", BYTES("\x12\x34\0\0\0\1\0\0\0\1\0\0" MAIL), DNS_REPLY, 1, false},
    {"an additional that is not there", BYTES(WITH_AR("\1") MAIL), DNS_REPLY, 1, false},
    {"an additional A", BYTES(WITH_AR("\1") MAIL "\0\0\1\0\1\0\0\0\0\0\0"), DNS_REPLY, 1, false},
    {"trailing byte", BYTES(HEADER MAIL "x"), DNS_REPLY, 1, false},
    {"trailing byte behind OPT", BYTES(WITH_AR("\1") MAIL OPT "x"), DNS_REPLY, 1, false},
    {"label type 01",
        BYTES(HEADER "\x41"
                     "a\0\0\1\0\1"),
        DNS_REPLY, 1, false},
    {"pointer to itself", BYTES(HEADER "\xc0\x0c\0\1\0\1"), DNS_REPLY, 1, false},
    {"name past the end",
        BYTES(HEADER "\x3f"
                     "abc"),
        DNS_REPLY, 1, false},
    {"qtype cut", BYTES(HEADER "\4mail\7example\3com\0\0"), DNS_REPLY, 1, false},
    {"class CH of our zone", BYTES(HEADER "\7example\3com\0\0\20\0\3"), DNS_REPLY, 5, false},
    {"class HS", BYTES(HEADER "\7example\3com\0\0\20\0\4"), DNS_REPLY, 5, false},
    {"class ANY", BYTES(HEADER "\7example\3com\0\0\20\0\377"), DNS_REPLY, 5, false},
    {"id.server", BYTES(HEADER "\2id\6server\0\0\20\0\3"), DNS_REPLY, 0, false},
    {"version.bind is not set", BYTES(HEADER "\7version\4bind\0\0\20\0\3"), DNS_REPLY, 5, false},
    {"not our zone", BYTES(HEADER "\3foo\0\0\1\0\1"), DNS_REPLY, 5, false},
    {"AXFR", BYTES(HEADER "\7example\3com\0\0\374\0\1"), DNS_REPLY, 5, false},
    {"IXFR", BYTES(HEADER "\7example\3com\0\0\373\0\1"), DNS_REPLY, 5, false},
    {"IXFR of what is no zone", BYTES(HEADER "\4mail\7example\3com\0\0\373\0\1"), DNS_REPLY, 9,
        false},
    {"IXFR of what is no zone, with two records",
        BYTES("\x12\x34\0\0\0\1\0\0\0\2\0\0\4mail\7example\3com\0\0\373\0\1" SOA_EMPTY SOA_EMPTY),
        DNS_REPLY, 9, false},
    {"EDNS version 1", BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\1\0\0\0\0"), DNS_REPLY, 16,
        true},
    {"two OPTs", BYTES(WITH_AR("\2") MAIL OPT OPT), DNS_REPLY, 1, false},
    {"OPT of a name", BYTES(WITH_AR("\1") MAIL "\1a" OPT), DNS_REPLY, 1, false},
    {"OPT longer than the message", BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\5ab"),
        DNS_REPLY, 1, false},
    {"an option that lies",
        BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\5\0\3\0\x09"
                                 "a"),
        DNS_REPLY, 1, false},
    {"an option header cut", BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\3\0\3\0"),
        DNS_REPLY, 1, false},
    {"an unknown option", BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\5\xfd\xe9\0\1z"),
        DNS_REPLY, 0, true},
    {"NSID", BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0\0"), DNS_REPLY, 0, true},
    {"a COOKIE of 7 bytes",
        BYTES(WITH_AR("\1") MAIL "\0\0\x29\x04\xd0\0\0\0\0\0\x0b\0\x0a\0\7abcdefg"), DNS_REPLY, 1,
        true},
    {"TSIG",
        BYTES(WITH_AR("\1") MAIL "\1k\0\0\372\0\377\0\0\0\0\0\x13\1h\0"
                                 "123456"
                                 "\1\x2c\0\0\0\1\0\0\0\0"),
        DNS_FORWARD, 0, false},
    {"TSIG, its algorithm a pointer",
        BYTES(WITH_AR("\1") MAIL "\1k\0\0\372\0\377\0\0\0\0\0\x12\xc0\x0c"
                                 "123456"
                                 "\1\x2c\0\0\0\1\0\0\0\0"),
        DNS_FORWARD, 0, false},
    {"TSIG with short rdata", BYTES(WITH_AR("\1") MAIL "\1k\0\0\372\0\377\0\0\0\0\0\1\0"),
        DNS_REPLY, 1, false},
    {"TSIG before OPT",
        BYTES(WITH_AR("\2") MAIL "\1k\0\0\372\0\377\0\0\0\0\0\x13\1h\0"
                                 "123456"
                                 "\1\x2c\0\0\0\1\0\0\0\0" OPT),
        DNS_REPLY, 1, false},
};

static uint8_t first[DNS_TCP_MAX + DNS_WRITE_SLACK], second[DNS_TCP_MAX + DNS_WRITE_SLACK];

static void each_message_gets_the_verdict_it_deserves(void **state)
{
	for (size_t i = 0; i < COUNT(message_cases); i++) {
		const struct message_case *c = &message_cases[i];
		enum dns_verdict verdict = ask(first, c->bytes, c->len, DNS_UDP, false, 0xa5);
		uint16_t len = query.len;

		print_message("  %s\n", c->what);
		assert_int_equal(verdict, c->verdict);
		if (verdict == DNS_REPLY) {
			assert_int_equal(query.rcode, c->rcode);
			assert_int_equal(first[3] & 15, c->rcode & 15);
			assert_int_equal(first[11], (c->opt ? 1 : 0));
			assert_int_equal(first[2] & 0x80, 0x80);
			assert_memory_equal(first, "\x12\x34", 2);
			// The same from a buffer and scratch that held other bytes.
			assert_int_equal(
			    ask(second, c->bytes, c->len, DNS_UDP, false, 0x5a), DNS_REPLY);
			assert_int_equal(query.len, len);
			assert_memory_equal(first, second, len);
		}
		if (verdict == DNS_FORWARD)
			assert_memory_equal(first, c->bytes, c->len);
	}
}

static void every_cut_and_every_flipped_byte_of_a_query_is_survived(void **state)
{
	for (size_t i = 0; i < COUNT(message_cases); i++) {
		const struct message_case *c = &message_cases[i];
		uint8_t msg[512];

		for (size_t len = 0; len < c->len; len++) {
			memcpy(msg, c->bytes, c->len);
			ask(first, msg, len, DNS_UDP, false, 0xa5);
			for (unsigned bit = 0; bit < 8; bit++) {
				msg[len] = (uint8_t)(c->bytes[len] ^ 1 << bit);
				if (ask(first, msg, c->len, DNS_UDP, false, 0xa5) == DNS_REPLY)
					assert_true(query.len >= 12 && query.len <= 1232);
			}
		}
	}
}

static size_t question(uint8_t *msg, const char *name, uint16_t type, int size, bool edns_do)
{
	size_t len = 12;
	int n;

	memcpy(msg, HEADER, 12);
	n = name_from_text(name, strlen(name), (const uint8_t *)"\7example\3com", msg + len);
	assert_true(n > 0);
	len += (size_t)n;
	msg[len++] = (uint8_t)(type >> 8);
	msg[len++] = (uint8_t)type;
	msg[len++] = 0;
	msg[len++] = 1;
	if (size > 0) {
		memcpy(msg + len, OPT, 11);
		msg[len + 3] = (uint8_t)(size >> 8);
		msg[len + 4] = (uint8_t)size;
		msg[len + 7] = edns_do ? 0x80 : 0;
		msg[11] = 1;
		len += 11;
	}
	return len;
}

static const char *const names[] = {"example.com.", "ns1", "NS2", "mail", "MaiL", "alias", "loop",
    "sub", "x.sub", "ns.sub", "long-label-here.and.more.sub", "ns.other", "other", "wild", "x.wild",
    "a.b.wild", "*.wild", "www.wild", "x.www.wild", "z.cwild", "a.b.c", "b.c", "c", "x.b.c",
    "nothing", "no.thing.at.all", "_s._tcp", "dn", "a.dn", "b.dn", "up", "a.up",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.nothing"};
static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA, RRTYPE_NS, RRTYPE_SOA, RRTYPE_MX,
    RRTYPE_TXT, RRTYPE_SRV, RRTYPE_CNAME, RRTYPE_DNAME, RRTYPE_DS, RRTYPE_ANY, RRTYPE_RRSIG, 65280};

static void compiled_and_rendered_answers_are_the_same_bytes(void **state)
{
	uint64_t compiled = counters.compiled;
	uint8_t msg[512];

	for (size_t n = 0; n < COUNT(names); n++) {
		for (size_t t = 0; t < COUNT(types); t++) {
			for (int size = 0; size <= 1232; size += 616) {
				size_t len = question(msg, names[n], types[t], size, size > 700);
				uint16_t reply_len;

				assert_int_equal(
				    ask(first, msg, len, DNS_UDP, false, 0xa5), DNS_REPLY);
				reply_len = query.len;
				assert_int_equal(
				    ask(second, msg, len, DNS_UDP, true, 0x5a), DNS_REPLY);
				if (reply_len != query.len || memcmp(first, second, query.len) != 0)
					fail_msg("%s %u: compiled and rendered differ", names[n],
					    types[t]);
			}
		}
	}
	// The fast path was there to be compared.
	assert_true(counters.compiled - compiled > COUNT(names) * COUNT(types));
}

struct answer_case {
	const char *name;
	uint16_t type;
	unsigned rcode;
	bool aa;
	unsigned answers, authorities, additionals;
};

// Counted by hand from the zone above.
static const struct answer_case answer_cases[] = {
    {"mail", RRTYPE_A, 0, true, 2, 0, 0}, {"example.com.", RRTYPE_MX, 0, true, 3, 0, 3},
    {"alias", RRTYPE_A, 0, true, 3, 0, 0}, {"alias", RRTYPE_ANY, 0, true, 1, 0, 0},
    {"alias", RRTYPE_TXT, 0, true, 1, 1, 0}, {"loop", RRTYPE_A, 0, true, 2, 0, 0},
    {"sub", RRTYPE_A, 0, false, 0, 3, 4}, {"x.sub", RRTYPE_A, 0, false, 0, 3, 4},
    {"ns.sub", RRTYPE_A, 0, false, 0, 3, 4}, {"sub", RRTYPE_DS, 0, true, 0, 1, 0},
    {"x.sub", RRTYPE_DS, 0, false, 0, 3, 4}, {"x.wild", RRTYPE_MX, 0, true, 1, 0, 1},
    {"x.wild", RRTYPE_A, 0, true, 0, 1, 0}, {"x.www.wild", RRTYPE_MX, 3, true, 0, 1, 0},
    {"z.cwild", RRTYPE_AAAA, 0, true, 2, 0, 0}, {"b.c", RRTYPE_TXT, 0, true, 0, 1, 0},
    {"x.b.c", RRTYPE_TXT, 3, true, 0, 1, 0}, {"nothing", RRTYPE_A, 3, true, 0, 1, 0},
    {"dn", RRTYPE_A, 0, true, 0, 1, 0}, {"a.dn", RRTYPE_A, 0, true, 3, 0, 0},
    {"b.dn", RRTYPE_A, 3, true, 2, 1, 0}, {"a.dn", RRTYPE_CNAME, 0, true, 2, 0, 0},
    {"self.self", RRTYPE_DNAME, 0, true, 2, 0, 0}, // not a second time at the chain's end
};

static void answers_have_the_records_the_zone_says(void **state)
{
	uint8_t msg[512];

	for (size_t i = 0; i < COUNT(answer_cases); i++) {
		const struct answer_case *c = &answer_cases[i];
		size_t len = question(msg, c->name, c->type, 0, false);

		print_message("  %s %u\n", c->name, c->type);
		assert_int_equal(ask(first, msg, len, DNS_TCP, false, 0xa5), DNS_REPLY);
		assert_int_equal(first[3] & 15, c->rcode);
		assert_int_equal((first[2] & 4) != 0, c->aa);
		assert_int_equal(first[7], c->answers);
		assert_int_equal(first[9], c->authorities);
		assert_int_equal(first[11], c->additionals);
		assert_memory_equal(first + 12, msg + 12, len - 12); // case and all
	}
}

// NODATA leans on the apex whatever the type, so behind the question all are the same bytes.
static void no_data_is_the_same_bytes_for_every_type(void **state)
{
	static const uint16_t absent[] = {RRTYPE_ANY, RRTYPE_RRSIG, RRTYPE_NSEC3, 65280};
	uint8_t msg[512];
	const size_t len = question(msg, "y.ns1", RRTYPE_TXT, 0, false);

	assert_int_equal(ask(first, msg, len, DNS_UDP, false, 0xa5), DNS_REPLY);
	const uint16_t reply_len = query.len;
	assert_true(reply_len > len);
	for (size_t t = 0; t < COUNT(absent); t++) {
		question(msg, "y.ns1", absent[t], 0, false);
		assert_int_equal(ask(second, msg, len, DNS_UDP, false, 0xa5), DNS_REPLY);
		assert_int_equal(query.len, reply_len);
		assert_memory_equal(first + len, second + len, reply_len - len);
	}
}

// A proof moves the additional section, whose signature points at the owner in front of it.
static void a_proof_moves_what_points_into_the_additional_section(void **state)
{
	static const char *const asked[] = {"x.srv", "long.er.srv", "*.srv"};
	uint8_t msg[512];

	zone_teardown(state);
	zone_load(signed_text, sizeof(signed_text) - 1);
	for (size_t n = 0; n < COUNT(asked); n++) {
		const size_t len = question(msg, asked[n], RRTYPE_SRV, 1232, true);
		uint8_t owner[NAME_LEN_MAX];
		size_t owner_len;

		assert_int_equal(ask(first, msg, len, DNS_UDP, false, 0xa5), DNS_REPLY);
		const uint16_t reply_len = query.len;
		assert_int_equal(ask(second, msg, len, DNS_UDP, true, 0x5a), DNS_REPLY);
		assert_int_equal(query.len, reply_len);
		assert_memory_equal(first, second, reply_len);
		// The last record but OPT is the signature over the address of Host.
		const size_t at = reply_len - 11 - (2 + 10 + 18 + 13 + 3);
		assert_int_equal(
		    name_from_wire(first, reply_len, at, reply_len, owner, &owner_len), 2);
		assert_true(name_equal(owner, (const uint8_t *)"\4host\7example\3com"));
	}
	zone_teardown(state);
	zone_setup(state);
}

// RFC 5155 7.2.5 asks for what stands at the wildcard. Here nothing does, and what covers its hash
// (the record of t) would say that it does not exist.
static void a_wildcard_that_opt_out_left_out_is_not_denied(void **state)
{
	uint8_t msg[512];
	const size_t len = question(msg, "h", RRTYPE_A, 1232, true);

	zone_teardown(state);
	zone_load(opt_out_text, sizeof(opt_out_text) - 1);
	for (unsigned render = 0; render < 2; render++) {
		assert_int_equal(ask(first, msg, len, DNS_UDP, render == 1, 0xa5), DNS_REPLY);
		assert_int_equal(first[3] & 15, 0);
		assert_int_equal(
		    first[9], 3); // SOA, RRSIG; the apex's NSEC3, which covers h as well
	}
	zone_teardown(state);
	zone_setup(state);
}

#define ROUNDS 16 // of SHA-1 for a hash; the records below say one less
static const char costly_text[] =
    "@ 3600 SOA host host 1 2 3 4 300\n@ RRSIG SOA" SIG "@ NS ns.other.\n@ DNSKEY 257 3 13 QUJD\n"
    "@ NSEC3PARAM 1 0 15 -\nt TXT \"t\"\n"
    "fhm9dfanujcu5n0p6so3g6ltoguh1f19 NSEC3 1 1 15 - uo58j6to24t3befjmfgr15vpbo105ld0 NS SOA "
    "RRSIG DNSKEY NSEC3PARAM\n"
    "uo58j6to24t3befjmfgr15vpbo105ld0 NSEC3 1 1 15 - fhm9dfanujcu5n0p6so3g6ltoguh1f19 TXT\n";

// A hundred empty non-terminals that opt-out left out of the chain, in an overlay, where no hash
// was prepared: each step up costs one of sixteen rounds.
static void under_opt_out_a_proof_climbs_no_further_than_its_rounds(void **state)
{
	static const uint8_t apex[] = "\7example\3com";
	const struct compile_options options = {.key = key, .generation = 2, .id = 2};
	char text[COMPILE_ERROR_MAX > DELTA_ERROR_MAX ? COMPILE_ERROR_MAX : DELTA_ERROR_MAX];
	uint8_t soa[64], deep[NAME_LEN_MAX] = "\1x";
	struct delta *delta = delta_new(apex, 1);
	struct denial denial;
	struct image_buffer top;
	struct overlay overlay;
	struct lookup found;
	struct qname q;
	size_t len = 2;

	zone_teardown(state);
	zone_load(costly_text, sizeof(costly_text) - 1);
	for (unsigned i = 0; i < 100; i++, len += 2)
		memcpy(deep + len, "\1b", 2);
	memcpy(deep + len, apex, sizeof(apex));
	len += sizeof(apex);
	const size_t host = (size_t)sprintf((char *)soa, "\4host\7example\3com") + 1;

	memcpy(soa + host, soa, host);
	memset(soa + 2 * host, 0, 20);
	for (unsigned serial = 1; serial <= 2; serial++) {
		static const uint8_t fields[5] = {1, 2, 3, 4, 44};

		for (unsigned i = 0; i < 5; i++)
			soa[2 * host + 4 * i + 3] = fields[i];
		soa[2 * host + 18] = 1; // 300
		soa[2 * host + 3] = (uint8_t)serial;
		assert_int_equal(
		    delta_add(delta, serial == 2, apex, RRTYPE_SOA, 3600, soa, 2 * host + 20), 0);
	}
	delta->to = 2;
	delta->steps = 1;
	assert_int_equal(
	    delta_add(delta, true, deep, RRTYPE_TXT, 60, (const uint8_t *)"\1t", 2), 0);
	if (overlay_make(&version, delta, &version, NULL, 1000, &overlay, text) != 0)
		fail_msg("%s", text);
	assert_int_equal(image_buffer_open(&top, 1u << 24), 0);
	if (compile_overlay(overlay.records, &overlay.plan, &options, &top, text) != 0)
		fail_msg("%s", text);
	version.layer[1] = version.layer[0];
	version.layer_count = 2;
	assert_int_equal(image_open(&version.layer[0], top.mem, top.used), 0);

	deep[1] = 'y'; // beside the one that is there
	assert_true(qname_parse(&q, deep, len, sizeof(deep)) > 0);
	qname_hash(&q, &key);
	version_lookup(&version, &q, &found);
	assert_int_equal(found.kind, LOOKUP_NXDOMAIN);
	assert_int_equal(found.encloser_labels, q.labels - 1);
	denial_start(&denial, &version);
	denial_nxdomain(&denial, &q, &found);
	// Up to 256 rounds for the steps; one hash more where it begins, one for what is next
	// closer, one for the wildcard.
	assert_true(denial.hashes > 3);
	assert_in_range(denial.hashes * ROUNDS, 1, 256 + 3 * ROUNDS);
	overlay_free(&overlay);
	delta_free(delta);
	image_buffer_close(&top);
	version.layer_count = 1;
	zone_teardown(state);
	zone_setup(state);
}

// RFC 4035 3.1.3.3: the signatures of a wildcard as well as its data.
static void signatures_of_a_wildcard_come_with_the_proof(void **state)
{
	static const uint16_t asked[] = {RRTYPE_SRV, RRTYPE_RRSIG};
	uint8_t msg[512];

	zone_teardown(state);
	zone_load(signed_text, sizeof(signed_text) - 1);
	for (size_t n = 0; n < COUNT(asked); n++) {
		assert_int_equal(ask(first, msg, question(msg, "x.srv", asked[n], 1232, true),
		                     DNS_UDP, false, 0xa5),
		    DNS_REPLY);
		assert_int_equal(first[7], asked[n] == RRTYPE_SRV ? 2 : 1);
		assert_int_equal(first[9], 2); // the NSEC of *.srv and its signature
		assert_int_equal(ask(first, msg, question(msg, "*.srv", asked[n], 1232, true),
		                     DNS_UDP, false, 0xa5),
		    DNS_REPLY);
		assert_int_equal(first[9], 0);
	}
	zone_teardown(state);
	zone_setup(state);
}

// RFC 6672 2.2, and NSD, Knot and BIND: what is too long is so also where the DNAME does not fit.
static void a_synthesised_name_is_too_long_even_if_nothing_fits(void **state)
{
	static const char label63[] =
	    "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll";
	char text[1024], name[256];
	uint8_t msg[512];

	snprintf(text, sizeof(text),
	    "@ 3600 SOA host host 1 2 3 4 300\n@ NS host\nd DNAME %s.%s.%s.%.45s\n", label63,
	    label63, label63, label63);
	snprintf(name, sizeof(name), "%s.%s.%s.%.40s.d", label63, label63, label63, label63);
	zone_teardown(state);
	zone_load(text, strlen(text));
	for (int size = 0; size <= 1232; size += 1232) {
		assert_int_equal(ask(first, msg, question(msg, name, RRTYPE_A, size, false),
		                     DNS_UDP, false, 0xa5),
		    DNS_REPLY);
		assert_int_equal(first[3] & 15, 6);                // YXDOMAIN
		assert_int_equal(first[2] & 2, size == 0 ? 2 : 0); // TC
		assert_int_equal(first[7], size == 0 ? 0 : 1);     // the DNAME
	}
	zone_teardown(state);
	zone_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_message_gets_the_verdict_it_deserves),
	    cmocka_unit_test(every_cut_and_every_flipped_byte_of_a_query_is_survived),
	    cmocka_unit_test(answers_have_the_records_the_zone_says),
	    cmocka_unit_test(compiled_and_rendered_answers_are_the_same_bytes),
	    cmocka_unit_test(no_data_is_the_same_bytes_for_every_type),
	    cmocka_unit_test(a_proof_moves_what_points_into_the_additional_section),
	    cmocka_unit_test(a_wildcard_that_opt_out_left_out_is_not_denied),
	    cmocka_unit_test(under_opt_out_a_proof_climbs_no_further_than_its_rounds),
	    cmocka_unit_test(signatures_of_a_wildcard_come_with_the_proof),
	    cmocka_unit_test(a_synthesised_name_is_too_long_even_if_nothing_fits),
	};

	return cmocka_run_group_tests(tests, zone_setup, zone_teardown);
}
