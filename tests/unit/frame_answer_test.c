// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A frame that frame_answer.c answers, at once or step by step, comes out as frame_classify(), the
// stages and frame_reply() would make it, byte for byte, and one that they do not answer is not
// answered: whatever is different about its headers, for both versions of IP, in bursts.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "compile.h"
#include "dns_cookie.h"
#include "frame_answer.h"
#include "frame_build.h"
#include "zonefile.h"

#define BURST 32
#define ROOM  2048
#define CAP   1472 // of a message over IPv4
#define NOW   1795000000u

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};
static const struct dns_server server = {.udp_payload_max = 4096,
    .cookie_secret_count = 2,
    .cookie_secrets = {{{0x0706050403020100, 0x0f0e0d0c0b0a0908}}, {{3, 4}}}};
static struct dns_counters counters, others;
static struct dns_context context = {.server = &server, .counters = &counters, .now = NOW};
static struct zone_version versions[3];
static struct image_buffer images[3];

struct sample {
	uint8_t before[16]; // of a buffer whose frame this is: nobody's
	uint8_t bytes[ROOM];
	size_t len; // 0: nothing is sent
	enum frame_verdict found;
};

static struct sample asked[BURST], expected[BURST], got[BURST];
static unsigned asked_count;
static unsigned plain[2][2]; // frames that were answered the plain way: by steps; IPv6

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// Adds the i-th zone.
static void zone_add(unsigned i, const char *origin, const char *text, size_t len)
{
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX];
	struct zone_retired retired;
	struct zonefile_error at;
	uint8_t apex[NAME_LEN_MAX];

	assert_true(name_from_text(origin, strlen(origin), (const uint8_t *)"", apex) > 0);
	struct records *records = records_new(apex);

	assert_int_equal(zonefile_parse_text(text, len, apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&images[i], 1u << 24), 0);
	assert_int_equal(compile_image(records, &options, &images[i], error), 0);
	records_free(records);
	versions[i].layer_count = 1;
	assert_int_equal(image_open(&versions[i].layer[0], images[i].mem, images[i].used), 0);
	assert_int_equal(
	    zone_table_set((struct zone_table *)context.table, apex, &versions[i], &retired), 0);
}

// A signature of 192 bytes.
#define PIECE "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYQUJDREVGR0hJSktMTU5PUFFSU1RVVldY"
#define SIG   " 13 2 60 20300101000000 20200101000000 1 s. " PIECE PIECE PIECE PIECE "\n"

#define LARGE 13000 // names: more than a core's cache holds

static int zones_make(void **state)
{
	static const char head[] = "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\n"
	                           "ns AAAA 2001:db8::1\nd NS ns.d\nns.d A 192.0.2.2\n";
	static const char with_sigs[] =
	    "@ 3600 SOA ns host 1 2 3 4 300\n@ RRSIG SOA" SIG "@ NS ns\n@ RRSIG NS" SIG
	    "@ DNSKEY 257 3 13 QUJD\n@ NSEC ns NS SOA RRSIG NSEC DNSKEY\n@ RRSIG NSEC" SIG
	    "ns A 192.0.2.1\nns RRSIG A" SIG "ns NSEC @ A RRSIG NSEC\nns RRSIG NSEC" SIG;
	static char large[LARGE * 24];
	char text[sizeof head + 256 * 16];
	size_t used = (size_t)snprintf(text, sizeof text, "%s", head);

	// Of these there are more than fit, and of those as many as fit over IPv4 alone: 12 + 9 +
	// 90 * 16 + 11 bytes.
	for (unsigned i = 0; i < 95; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "m A 10.0.0.%u\n", i);
	for (unsigned i = 0; i < 90; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "n A 10.0.0.%u\n", i);
	// 496 bytes: without a cookie everybody takes it.
	for (unsigned i = 0; i < 29; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "l A 10.0.0.%u\n", i);
	context.table = zone_table_new(&key);
	zone_add(0, "t.", text, used);
	zone_add(1, "s.", with_sigs, sizeof with_sigs - 1);
	used = (size_t)sprintf(large, "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\n");
	for (unsigned i = 0; i < LARGE; i++)
		used += (size_t)sprintf(large + used, "h%u A 192.0.2.1\n", i);
	zone_add(2, "large.", large, used);
	assert_true(version_is_large(&versions[2]));
	return 0;
}

// What stands behind the question: nothing, an OPT, one with DO, and then one with a cookie of that
// many bytes, or with more than that.
enum { OPT_NONE = 1, OPT_PLAIN = 0, OPT_DO = 2, OPT_TWO = 3, OPT_COOKIE = 8 };

static size_t question_of(uint8_t *msg, const char *name, unsigned opt, unsigned payload)
{
	uint8_t *at = msg + 12;

	memcpy(msg, (const uint8_t[12]){0x12, 0x34, 1, [5] = 1, [11] = opt != OPT_NONE}, 12);
	assert_true(name_from_text(name, strlen(name), (const uint8_t *)"", at) > 0);
	at += name_len(at);
	memcpy(at, (const uint8_t[4]){0, 1, 0, 1}, 4);
	at += 4;
	if (opt == OPT_NONE)
		return (size_t)(at - msg);
	memcpy(at, (const uint8_t[11]){0, 0, 41, [7] = opt == OPT_DO ? 0x80 : 0}, 11);
	put16(at + 3, payload);
	at += 11;
	if (opt == OPT_TWO) { // NSID before a cookie
		put16(at - 2, 4 + 12);
		memcpy(at, (const uint8_t[16]){0, 3, 0, 0, 0, 10, 0, 8, 1, 2, 3, 4}, 16);
		at += 16;
	} else if (opt >= OPT_COOKIE) {
		put16(at - 2, 4 + opt);
		put16(at, 10);
		put16(at + 2, opt);
		for (unsigned i = 0; i < opt; i++)
			at[4 + i] = (uint8_t)(i * 37 + 1);
		at += 4 + opt;
	}
	return (size_t)(at - msg);
}

static size_t question(uint8_t *msg, const char *name, unsigned opt)
{
	return question_of(msg, name, opt, 4096);
}

static void served_put(struct frame_rules *rules, const char *text, unsigned port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		assert_int_equal(frame_served_add(&rules->served, (void *)&in), 0);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		assert_int_equal(frame_served_add(&rules->served, (void *)&in6), 0);
	}
}

// What a port may be configured with; frame_build.h's frames are to 198.51.100.53 and
// 2001:db8::153, port 53.
enum { RULES_ONE, RULES_MANY, RULES_ONLY4, RULES_ONLY6, RULES_TAGGED, RULES_PARTIAL, RULES_COUNT };

static const struct frame_rules *rules_of(unsigned kind)
{
	static struct frame_rules rules;

	memset(&rules, 0, sizeof rules);
	if (kind == RULES_MANY) { // the client's addresses differ from some in one bit
		served_put(&rules, "198.51.100.54", 53);
		served_put(&rules, "198.51.100.53", 5300);
		served_put(&rules, "192.0.2.6", 53);
		served_put(&rules, "2001:db8::154", 53);
		served_put(&rules, "2001:db8::153", 5300);
		served_put(&rules, "2001:db8::6", 53);
		served_put(&rules, "2001:db8::0107", 53);
	}
	if (kind != RULES_ONLY6)
		served_put(&rules, "198.51.100.53", 53);
	if (kind != RULES_ONLY4)
		served_put(&rules, "2001:db8::100:53", 53);
	if (kind != RULES_ONLY4)
		served_put(&rules, "2001:db8::153", 53);
	rules.vlan = kind == RULES_TAGGED ? 100 : 0;
	rules.accept_partial = kind == RULES_PARTIAL;
	return &rules;
}

static void query_of(struct dns_query *query, uint8_t *bytes, const struct frame *frame)
{
	memset(query, 0xa5, sizeof *query);
	query->msg = bytes + frame->dns_off;
	query->len = frame->dns_len;
	query->cap = frame->version == 4 ? CAP : CAP - 20;
	query->sum = frame->dns_sum;
	query->no_error_reply = frame->no_error;
	query->render_only = false;
	query->transport = DNS_UDP;
	query->client = bytes + 14 + (frame->version == 4 ? 12 : 8);
	query->client_len = frame->version == 4 ? 4 : 16;
	dns_query_begin(query);
}

static void stages(const struct dns_context *with, struct dns_query *query,
    const struct frame *frame, struct sample *s)
{
	uint8_t live;

	s->len = 0;
	if (dns_parse_burst(with, query, 1, &live) == 1) {
		dns_match(with, query);
		dns_emit(with, query);
	}
	if (query->verdict == DNS_REPLY)
		s->len = frame_reply(s->bytes, frame, query->len, query->sum);
}

// The long way, each alone.
static void answer_each(const struct frame_rules *rules)
{
	const struct dns_context with = {
	    .server = &server, .table = context.table, .counters = &others, .now = NOW};

	for (unsigned i = 0; i < asked_count; i++) {
		struct sample *s = &expected[i];
		struct dns_query query;
		struct frame frame;

		memcpy(s, &asked[i], sizeof *s);
		s->found = frame_classify(s->bytes, s->len, rules, &frame);
		if (s->found == FRAME_DNS) {
			query_of(&query, s->bytes, &frame);
			stages(&with, &query, &frame, s);
		}
	}
}

static void leave(struct frame_answering *at_hand, struct sample *s)
{
	const struct dns_query *query = at_hand->dns.query;
	struct frame frame;

	s->found = frame_answer_leave(at_hand, s->bytes, s->len, &frame);
	if (s->found != FRAME_DNS)
		return;
	assert_int_equal(query->cap, frame.version == 4 ? CAP : CAP - 20);
	assert_ptr_equal(query->msg, s->bytes + frame.dns_off);
	assert_int_equal(query->client_len, frame.version == 4 ? 4 : 16);
	assert_memory_equal(
	    query->client, s->bytes + 14 + (frame.version == 4 ? 12 : 8), query->client_len);
	stages(&context, at_hand->dns.query, &frame, s);
}

static void answered(struct sample *s, size_t len, bool steps)
{
	plain[steps][s->bytes[12] == 0x86]++;
	s->len = len;
	s->found = FRAME_DNS;
}

// As a worker does it.
static void answer_burst(const struct frame_rules *rules, bool steps)
{
	static struct frame_answering at_hand;
	static struct dns_query query;
	struct frame_slot frames[BURST];

	memset(&query, 0xa5, sizeof query);
	query.render_only = false;
	frame_answer_begin(&at_hand, rules, &context, &query, CAP);
	at_hand.dns.at_once = !steps;
	for (unsigned i = 0; i < asked_count; i++) {
		memcpy(&got[i], &asked[i], sizeof got[i]);
		memset(got[i].before, 1, sizeof got[i].before); // would be a length of a message
		frames[i] = (struct frame_slot){got[i].bytes, got[i].len};
	}
	for (unsigned i = 0;; i++) {
		for (unsigned n = frame_answer(&at_hand, frames + i, asked_count - i); n > 0; n--) {
			if (frames[i].len != 0)
				answered(&got[i], frames[i].len, steps);
			i++;
		}
		if (i == asked_count)
			break;
		leave(&at_hand, &got[i]);
	}
	const unsigned waiting = frame_answer_burst(&at_hand);

	for (unsigned k = 0, i = 0; k < waiting; k++) {
		struct frame_slot *slot = at_hand.slots[k];

		if (k == i)
			i = frame_answer_waited(&at_hand, k);
		struct sample *s = &got[slot - frames];

		if (k < i) {
			answered(s, slot->len, steps);
		} else {
			leave(&at_hand, s);
			i = k + 1;
		}
	}
	frame_answer_end(&at_hand);
}

static void burst_judge(const struct frame_rules *rules)
{
	answer_each(rules);
	for (unsigned steps = 0; steps < 2; steps++) {
		answer_burst(rules, steps != 0);
		for (unsigned i = 0; i < asked_count; i++) {
			assert_int_equal(got[i].found, expected[i].found);
			if (got[i].found != FRAME_DNS)
				continue;
			assert_int_equal(got[i].len, expected[i].len);
			assert_memory_equal(got[i].bytes, expected[i].bytes, got[i].len);
		}
	}
	asked_count = 0;
}

// `len` bytes were received, and more of them may stand there.
static void ask_of(const struct frame_rules *rules, const uint8_t *frame, size_t there, size_t len)
{
	struct sample *s = &asked[asked_count++];

	memset(s->bytes, 0xa5, sizeof s->bytes);
	memcpy(s->bytes, frame, there);
	s->len = len;
	if (asked_count == BURST)
		burst_judge(rules);
}

static void ask(const struct frame_rules *rules, const uint8_t *frame, size_t len)
{
	ask_of(rules, frame, len, len);
}

// One byte is another, and checksums are mended, or not.
static void ask_changed(const struct frame_rules *rules, const struct frame_spec *spec,
    const uint8_t *frame, size_t len, size_t at, uint8_t value)
{
	uint8_t f[512];
	const size_t udp = ip_off(spec) + ip_len(spec);

	memcpy(f, frame, len);
	f[at] = value;
	put16(f + udp + 6, 0);
	ask(rules, f, len);
	put16(f + udp + 6, get16(frame + udp + 6));
	f[at] = value;
	ask(rules, f, len);
	if (spec->version == 4) {
		fix_ip4(spec, f);
		ask(rules, f, len);
	}
	if (udp + get16(f + udp + 4) <= len) {
		fix_udp(spec, f);
		ask(rules, f, len);
	}
	ask(rules, f, len + 7); // bytes behind the packet
	ask_of(rules, f, len, len - 1);
}

static void whatever_byte_is_another(void **state)
{
	static const struct {
		const char *name;
		unsigned opt;
	} questions[] = {{"ns.t.", OPT_PLAIN}, {"www.d.t.", OPT_NONE}, {"M.t.", OPT_DO},
	    {"ns.t.", 8}, {"www.d.t.", 24}};
	static const uint8_t values[] = {0, 1, 6, 17, 0x45, 0x60, 0x7f, 0x80, 0xfe, 0xff};
	uint8_t msg[256], f[512];

	for (unsigned kind = 0; kind < RULES_COUNT; kind++) {
		const struct frame_rules *rules = rules_of(kind);

		for (unsigned i = 0; i < 10; i++) {
			const struct frame_spec spec = {.version = i % 2 == 0 ? 4 : 6,
			    .port = 40000,
			    .dns_len = question(msg, questions[i / 2].name, questions[i / 2].opt),
			    .dns = msg};
			const size_t len = build(&spec, f);

			ask(rules, f, len);
			for (size_t at = 0; at < len; at++) {
				for (unsigned k = 0; k < sizeof values; k++)
					ask_changed(rules, &spec, f, len, at, values[k]);
				for (unsigned bit = 1; bit < 256; bit *= 2)
					ask_changed(rules, &spec, f, len, at, f[at] ^ (uint8_t)bit);
			}
		}
		burst_judge(rules);
	}
}

static void from_whatever_port(void **state)
{
	const struct frame_rules *rules = rules_of(RULES_ONE);
	uint8_t msg[256], f[512];

	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		const struct frame_spec spec = {.version = (port + port / 256) % 2 == 0 ? 4 : 6,
		    .port = (uint16_t)port,
		    .dns_len = question(msg, "ns.t.", OPT_PLAIN),
		    .dns = msg};

		ask(rules, f, build(&spec, f));
	}
	burst_judge(rules);
}

static void from_whatever_address(void **state)
{
	static const char *const sources[] = {"::", "::1", "::2", "::ffff:192.0.2.1", "ff02::1",
	    "fe80::1", "fd00::1", "64:ff9b::c000:201", "1fff::1", "2000::", "3fff:ffff::1",
	    "4000::1", "2001:db8::153", "2001:db8::100:53", "2001:db8::6", "2001:db8::107",
	    "2001:db8::108", "0.0.0.0", "0.1.2.3", "1.0.0.0", "127.0.0.1", "126.255.255.255",
	    "128.0.0.1", "223.255.255.255", "224.0.0.1", "255.255.255.255", "198.51.100.53",
	    "198.51.100.54", "198.51.100.55", "192.0.2.6", "192.0.2.7"};
	uint8_t msg[256], f[512];

	for (unsigned kind = 0; kind < RULES_COUNT; kind++) {
		const struct frame_rules *rules = rules_of(kind);

		for (unsigned i = 0; i < sizeof sources / sizeof sources[0]; i++) {
			const bool v6 = strchr(sources[i], ':') != NULL;
			const struct frame_spec spec = {.version = v6 ? 6 : 4,
			    .port = 40000,
			    .dns_len = question(msg, "ns.t.", OPT_PLAIN),
			    .dns = msg};
			const size_t len = build(&spec, f);

			assert_int_equal(
			    inet_pton(v6 ? AF_INET6 : AF_INET, sources[i], f + 14 + (v6 ? 8 : 12)),
			    1);
			fix_udp(&spec, f);
			if (!v6)
				fix_ip4(&spec, f);
			ask(rules, f, len);
		}
		burst_judge(rules);
	}
}

// None, and the pseudo-header's alone; one of these messages sums up to what makes none right.
static void without_a_checksum(void **state)
{
	uint8_t msg[256], f[512];

	for (unsigned id = 0; id <= 2 * UINT16_MAX + 1; id++) {
		const bool v6 = id > UINT16_MAX;
		const struct frame_rules *rules = rules_of(RULES_ONE);
		const struct frame_spec spec = {.version = v6 ? 6 : 4,
		    .port = 40000,
		    .dns_len = question(msg, "ns.t.", OPT_PLAIN),
		    .dns = msg};

		put16(msg, id & UINT16_MAX);
		const size_t len = build(&spec, f);

		put16(f + 14 + ip_len(&spec) + 6, 0);
		ask(rules, f, len);
	}
	burst_judge(rules_of(RULES_ONE));
	for (unsigned kind = RULES_ONE; kind <= RULES_PARTIAL; kind += RULES_PARTIAL - RULES_ONE) {
		const struct frame_rules *rules = rules_of(kind);

		for (unsigned v = 4; v <= 6; v += 2) {
			const struct frame_spec spec = {.version = v,
			    .port = 40000,
			    .dns_len = question(msg, "ns.t.", OPT_PLAIN),
			    .dns = msg};
			const size_t len = build(&spec, f);
			const uint8_t *addresses = f + 14 + (v == 4 ? 12 : 8);

			put16(f + 14 + ip_len(&spec) + 6,
			    slow_sum(addresses, v == 4 ? 8 : 32, 17 + 8 + (uint32_t)spec.dns_len));
			ask(rules, f, len);
		}
		burst_judge(rules);
	}
}

// A packet that says it is shorter, down to nothing, with all of a query behind its end. Where its
// own end leaves no checksum the port makes the sum right, or there is none.
static void shorter_than_what_is_behind(void **state)
{
	static const unsigned opts[] = {OPT_PLAIN, 8, 24};
	const struct frame_rules *rules = rules_of(RULES_ONE);
	uint8_t msg[256], f[512];

	for (unsigned i = 0; i < 6; i++) {
		const struct frame_spec spec = {.version = i % 2 == 0 ? 4 : 6,
		    .port = 40000,
		    .dns_len = question(msg, "ns.t.", opts[i / 2]),
		    .dns = msg};
		const size_t len = build(&spec, f);
		uint8_t *udp = f + ip_off(&spec) + ip_len(&spec);

		for (unsigned udp_len = 0; udp_len <= 8 + spec.dns_len; udp_len++) {
			put16(udp, spec.port);
			put16(udp + 4, udp_len);
			if (spec.version == 4) {
				put16(f + 14 + 2, 20 + udp_len);
				fix_ip4(&spec, f);
			} else {
				put16(f + 14 + 4, udp_len);
			}
			put16(udp + 6, 0);
			ask(rules, f, len);
			put16(udp + 6, 1);
			if (udp_len >= 8) {
				fix_udp(&spec, f);
			} else {
				unsigned port = spec.port + (0xffffu & ~udp_sum(&spec, f, udp_len));

				put16(udp, (port & 0xffff) + (port >> 16));
			}
			ask(rules, f, len);
		}
	}
	burst_judge(rules);
}

// Each reply may be as long as its family's packets; and both follow each other in a burst, to
// whatever address.
static void both_families_in_one_burst(void **state)
{
	static const char *const names[] = {"n.t.", "ns.t.", "m.t.", "www.d.t.", "no.such.t."};
	const struct frame_rules *rules = rules_of(RULES_MANY);
	uint8_t msg[256], f[512];
	uint64_t random = 1;

	memset(plain, 0, sizeof plain);
	for (unsigned i = 0; i < 32 * BURST; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		const struct frame_spec spec = {.version = random >> 63 == 0 ? 4 : 6,
		    .port = 40000,
		    .dns_len = question(msg, names[(random >> 33) % 5],
		        (random >> 50) % 4 == 0 ? OPT_NONE : OPT_PLAIN),
		    .dns = msg};
		const size_t len = build(&spec, f);
		uint8_t *to_last = f + 14 + ip_len(&spec) - 1;

		if ((random >> 55) % 2 == 0)
			*to_last += 1; // .54 and ::154
		if ((random >> 57) % 4 == 0)
			put16(f + 14 + ip_len(&spec) + 2, 5300);
		fix_udp(&spec, f);
		if (spec.version == 4)
			fix_ip4(&spec, f);
		ask(rules, f, len);
	}
	burst_judge(rules);
	for (unsigned i = 0; i < 4; i++)
		assert_true(plain[i / 2][i % 2] > 6 * BURST); // of 32 * BURST
}

// What was near until a question for a large zone came: that one waits, and all behind it; those
// before it are answered. With a cookie, too.
static void memory_turns_out_to_be_far_within_a_burst(void **state)
{
	static const char *const names[] = {
	    "ns.t.", "h77.large.", "no.large.", "www.d.t.", "ns.s."};
	static const unsigned opts[] = {OPT_PLAIN, OPT_NONE, OPT_DO, OPT_COOKIE};
	const struct frame_rules *rules = rules_of(RULES_MANY);
	uint8_t msg[256], f[512];
	uint64_t random = 1;

	memset(plain, 0, sizeof plain);
	for (unsigned i = 0; i < 64; i++) { // how many are in front of it
		for (unsigned k = 0; k < BURST; k++) {
			random = random * 6364136223846793005 + 1442695040888963407;
			const char *name =
			    names[k < i % BURST ? (random >> 40) % 2 * 3 : (random >> 33) % 5];
			const struct frame_spec spec = {.version = random >> 63 == 0 ? 4 : 6,
			    .port = 40000,
			    .dns_len = question(
			        msg, k == i % BURST ? names[1] : name, opts[(random >> 50) % 4]),
			    .dns = msg};

			ask(rules, f, build(&spec, f));
		}
		burst_judge(rules);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(plain[i / 2][i % 2] > 16 * BURST); // of 64 * BURST
}

static size_t ask_cookie(
    const struct frame_rules *rules, unsigned version_of_ip, const uint8_t *msg, size_t msg_len)
{
	const struct frame_spec spec = {
	    .version = version_of_ip, .port = 40000, .dns_len = msg_len, .dns = msg};
	uint8_t f[512];

	ask(rules, f, build(&spec, f));
	return ip_off(&spec) + ip_len(&spec) + 8;
}

// With one of each length, whatever the client can take; the names are as long that the replies'
// OPT begins at both parities.
static void cookies(void **state)
{
	static const char *const names[] = {"ns.t.", "a.missing.t.", "www.d.t.", "ww.d.t.", "l.t.",
	    "n.t.", "NS.t.", "ns.elsewhere."};
	static const unsigned payloads[] = {
	    0, 511, 512, 539, 540, 541, 600, 1232, 1459, 1460, 4096};
	const struct frame_rules *rules = rules_of(RULES_ONE);
	uint8_t msg[256];

	memset(plain, 0, sizeof plain);
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (unsigned opt = OPT_PLAIN; opt <= 41; opt++) {
			if (opt > OPT_TWO && opt < OPT_COOKIE)
				continue;
			for (unsigned k = 0; k < sizeof payloads / sizeof payloads[0]; k++) {
				const size_t len = question_of(msg, names[i], opt, payloads[k]);

				ask_cookie(rules, 4, msg, len);
				ask_cookie(rules, 6, msg, len);
			}
		}
	}
	burst_judge(rules);
	// Lengths 8 and 24 for five of the names, and no cookie.
	for (unsigned i = 0; i < 4; i++)
		assert_true(plain[i / 2][i % 2] > 4 * 4 * 7);
}

// What is denied takes proofs, which the reply may have no room for when the first of them stand
// there already, in place of the OPT.
static void cookies_and_proofs(void **state)
{
	static const char *const names[] = {"ns.s.", "x.s.", "a.missing.s.", "a.ns.s."};
	const struct frame_rules *rules = rules_of(RULES_ONE);
	uint8_t msg[256];

	memset(plain, 0, sizeof plain);
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		for (unsigned payload = 500; payload < 1000; payload++) {
			for (unsigned opt = 8; opt <= 24; opt += 16) {
				const size_t len = question_of(msg, names[i], opt, payload);

				msg[len - 4 - opt - 4] = 0x80; // DO
				ask_cookie(rules, 4, msg, len);
				ask_cookie(rules, 6, msg, len);
			}
		}
	}
	burst_judge(rules);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(plain[i / 2][i % 2], 4 * 100 * 2, 4 * 400 * 2); // of 4 * 500 * 2
}

// The server's own, as they come back: still good, of an address that is another's, of the secret
// that makes no more, and too old.
static void cookies_that_were_made_here(void **state)
{
	const struct frame_rules *rules = rules_of(RULES_ONE);
	uint8_t msg[256], cookie[24];

	for (unsigned v = 4; v <= 6; v += 2) {
		for (unsigned secret = 0; secret < 2; secret++) {
			for (unsigned age = 0; age < 5000; age += 700) {
				struct dns_server with = server;
				const struct dns_context then = {
				    .server = &with, .now = NOW - age, .counters = &others};

				with.cookie_secrets[0] = server.cookie_secrets[secret];
				const size_t len = question(msg, "ns.t.", 24);

				dns_cookie_make(&then, v == 4 ? client4 : client6, v == 4 ? 4 : 16,
				    msg + len - 24, 8, cookie);
				memcpy(msg + len - 24, cookie, 24);
				ask_cookie(rules, 4, msg, len);
				ask_cookie(rules, 6, msg, len);
			}
		}
	}
	burst_judge(rules);
	assert_true(counters.cookie[DNS_COOKIE_good] > 0);
	assert_true(counters.cookie[DNS_COOKIE_renewed] > 0);
	assert_true(counters.cookie[DNS_COOKIE_old] > 0);
}

// Of all frames above, each of which went the long way once, and twice another one.
static void all_were_counted(void **state)
{
	for (unsigned i = 0; i < DNS_OUTCOME_COUNT; i++)
		assert_int_equal(counters.outcome[i], 2 * others.outcome[i]);
	for (unsigned i = 0; i < sizeof others.cookie / sizeof others.cookie[0]; i++)
		assert_int_equal(counters.cookie[i], 2 * others.cookie[i]);
	assert_int_equal(counters.compiled, 2 * others.compiled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whatever_byte_is_another),
	    cmocka_unit_test(from_whatever_port),
	    cmocka_unit_test(from_whatever_address),
	    cmocka_unit_test(without_a_checksum),
	    cmocka_unit_test(shorter_than_what_is_behind),
	    cmocka_unit_test(both_families_in_one_burst),
	    cmocka_unit_test(memory_turns_out_to_be_far_within_a_burst),
	    cmocka_unit_test(cookies),
	    cmocka_unit_test(cookies_and_proofs),
	    cmocka_unit_test(cookies_that_were_made_here),
	    cmocka_unit_test(all_were_counted),
	};

	return cmocka_run_group_tests_name("frame_answer", tests, zones_make, NULL);
}
