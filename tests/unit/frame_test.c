// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Frames to verdicts and back. The frames are built by the slow, separate code below; replies are
// judged by it too. That Linux accepts the replies is shown by the interface tests.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "checksum.h"
#include "frame.h"
#include "frame_build.h"

#define VLAN 100

static const char *const verdict_names[] = {
#define X(id, name, text) name,
    FRAME_VERDICTS(X)
#undef X
};

static void rules_make(struct frame_rules *rules, unsigned vlan)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};

	memset(rules, 0, sizeof *rules);
	memcpy(&in.sin_addr, server4, 4);
	memcpy(&in6.sin6_addr, server6, 16);
	assert_int_equal(frame_served_add(&rules->served, (void *)&in), 0);
	assert_int_equal(frame_served_add(&rules->served, (void *)&in6), 0);
	rules->vlan = (uint16_t)vlan;
}

// Classifies a copy that ends where its memory ends, so that a sanitizer sees one byte too many.
static enum frame_verdict classify(
    const uint8_t *f, size_t len, const struct frame_rules *rules, struct frame *out)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, f, len);
	enum frame_verdict v = frame_classify(copy, len, rules, out);
	free(copy);
	return v;
}

static void expect(enum frame_verdict got, enum frame_verdict want, const char *what)
{
	if (got != want)
		fail_msg("%s: %s, expected %s", what, verdict_names[got], verdict_names[want]);
}

// One row: at most three bytes changed in a valid frame, then checksums repaired or not.
enum { OFF_MAC = 0, OFF_IP = 1, OFF_UDP = 2, OFF_TYPE = 3 };
struct row {
	const char *what;
	struct frame_spec spec;
	enum frame_verdict want;
	unsigned base; // OFF_*
	struct {
		uint8_t off, value;
	} set[4];
	unsigned sets;
	bool keep_ip4, keep_udp; // leave that checksum as it was
	int resize;              // bytes added to (padding) or cut from the frame
};

#define V4                     \
	{                      \
		4, 0, 30, 5353 \
	}
#define V6                     \
	{                      \
		6, 0, 30, 5353 \
	}
#define SET(...) .set = {__VA_ARGS__}, .sets = sizeof((const uint8_t[][2]){__VA_ARGS__}) / 2

static const struct row rows[] = {
    {"a query over IPv4", V4, FRAME_DNS},
    {"a query over IPv6", V6, FRAME_DNS},
    {"the shortest message over IPv4", {4, 0, 12, 5353}, FRAME_DNS},
    {"the shortest message over IPv6", {6, 0, 12, 5353}, FRAME_DNS},
    {"padding after the datagram, IPv4", {4, 0, 12, 5353}, FRAME_DNS, .resize = 9},
    {"padding after the datagram, IPv6", V6, FRAME_DNS, .resize = 4},
    {"group destination MAC", V4, FRAME_MAC_GROUP, OFF_MAC, SET({0, 0xff})},
    {"group source MAC", V4, FRAME_MAC_SOURCE, OFF_MAC, SET({6, 0x03})},
    {"group destination MAC, IPv6", V6, FRAME_MAC_GROUP, OFF_MAC, SET({0, 0x33})},
    {"ARP", V4, FRAME_PUNT_CONTROL, OFF_TYPE, SET({0, 0x08}, {1, 0x06})},
    {"LLDP", V4, FRAME_PUNT_OTHER, OFF_TYPE, SET({0, 0x88}, {1, 0xcc})},
    {"a tag where none is configured", {4, VLAN, 30, 5353}, FRAME_PUNT_OTHER},
    {"IPv4 version 5", V4, FRAME_IP_VERSION, OFF_IP, SET({0, 0x55})},
    {"IPv6 version 4", V6, FRAME_IP_VERSION, OFF_IP, SET({0, 0x40})},
    {"IPv4 header length 4 words", V4, FRAME_IP4_HEADER, OFF_IP, SET({0, 0x44}), .keep_ip4 = true},
    {"IPv4 header checksum", V4, FRAME_IP4_CHECKSUM, OFF_IP, SET({8, 1}), .keep_ip4 = true},
    {"IPv4 more fragments", V4, FRAME_IP4_FRAGMENT, OFF_IP, SET({6, 0x20})},
    {"IPv4 later fragment is the kernel's", V4, FRAME_PUNT_OTHER, OFF_IP, SET({7, 0x02})},
    {"IPv4 do not fragment is fine", V4, FRAME_DNS, OFF_IP, SET({6, 0x40})},
    {"IPv4 total length past the frame", V4, FRAME_IP_LENGTH, OFF_IP, SET({3, 59})},
    {"IPv4 total length below its header", V4, FRAME_IP_LENGTH, OFF_IP, SET({3, 19})},
    {"IPv4 total length without UDP header", V4, FRAME_IP_LENGTH, OFF_IP, SET({3, 27})},
    {"IPv4 total length one short", V4, FRAME_UDP_LENGTH, OFF_IP, SET({3, 57})},
    {"IPv6 payload length past the frame", V6, FRAME_IP_LENGTH, OFF_IP, SET({5, 39})},
    {"IPv6 payload length one short", V6, FRAME_UDP_LENGTH, OFF_IP, SET({5, 37})},
    {"IPv6 payload length zero", V6, FRAME_IP_LENGTH, OFF_IP, SET({5, 0})},
    {"source 0/8", V4, FRAME_IP_SOURCE, OFF_IP, SET({12, 0})},
    {"source loopback", V4, FRAME_IP_SOURCE, OFF_IP, SET({12, 127})},
    {"source multicast", V4, FRAME_IP_SOURCE, OFF_IP, SET({12, 224})},
    {"source 240/4", V4, FRAME_IP_SOURCE, OFF_IP, SET({12, 240})},
    {"source broadcast", V4, FRAME_IP_SOURCE, OFF_IP,
        SET({12, 255}, {13, 255}, {14, 255}, {15, 255})},
    {"source is our own address", V4, FRAME_IP_SOURCE, OFF_IP,
        SET({12, 198}, {13, 51}, {14, 100}, {15, 53})},
    {"source IPv6 multicast", V6, FRAME_IP_SOURCE, OFF_IP, SET({8, 0xff})},
    {"source IPv6 our own", V6, FRAME_IP_SOURCE, OFF_IP, SET({22, 1}, {23, 0x53})},
    {"another destination is the kernel's", V4, FRAME_PUNT_OTHER, OFF_IP, SET({19, 54})},
    {"another IPv6 destination is the kernel's", V6, FRAME_PUNT_OTHER, OFF_IP, SET({39, 0x54})},
    {"broadcast destination is the kernel's", V4, FRAME_PUNT_OTHER, OFF_IP,
        SET({16, 255}, {17, 255}, {18, 255}, {19, 255})},
    {"another port is the kernel's", V4, FRAME_PUNT_OTHER, OFF_UDP, SET({3, 54})},
    {"BFD", V4, FRAME_PUNT_CONTROL, OFF_UDP, SET({2, 0x0e}, {3, 0xc8})},
    {"ICMP is the kernel's", V4, FRAME_PUNT_OTHER, OFF_IP, SET({9, 1})},
    {"TCP is the kernel's", V4, FRAME_PUNT_TCP, OFF_IP, SET({9, 6})},
    {"BGP is the kernel's, first", V4, FRAME_PUNT_CONTROL, OFF_IP, SET({9, 6}, {22, 0}, {23, 179})},
    {"BGP over IPv6", V6, FRAME_PUNT_CONTROL, OFF_IP, SET({6, 6}, {42, 0}, {43, 179})},
    {"neighbour solicitation", V6, FRAME_PUNT_CONTROL, OFF_IP, SET({6, 58}, {40, 135})},
    {"ping over IPv6", V6, FRAME_PUNT_OTHER, OFF_IP, SET({6, 58}, {40, 128})},
    {"UDP length below 8", V4, FRAME_UDP_LENGTH, OFF_UDP, SET({5, 7})},
    {"UDP length one less than IP", V4, FRAME_UDP_LENGTH, OFF_UDP, SET({5, 37})},
    {"UDP length one more than IP", V6, FRAME_UDP_LENGTH, OFF_UDP, SET({5, 39})},
    {"no room for a DNS header", {4, 0, 11, 5353}, FRAME_UDP_SHORT},
    {"no DNS at all", {6, 0, 0, 5353}, FRAME_UDP_SHORT},
    {"UDP checksum, IPv4", V4, FRAME_UDP_CHECKSUM, OFF_UDP, SET({9, 0}), .keep_udp = true},
    {"UDP checksum, IPv6", V6, FRAME_UDP_CHECKSUM, OFF_UDP, SET({9, 0}), .keep_udp = true},
    {"UDP without checksum, IPv4", V4, FRAME_DNS, OFF_UDP, SET({6, 0}, {7, 0}), .keep_udp = true},
    {"UDP without checksum, IPv6", V6, FRAME_UDP_CHECKSUM_ZERO, OFF_UDP, SET({6, 0}, {7, 0}),
        .keep_udp = true},
    {"frame cut inside the datagram", V4, FRAME_IP_LENGTH, .resize = -1},
    {"frame cut inside the datagram, IPv6", V6, FRAME_IP_LENGTH, .resize = -1},
};

static void each_row_of_the_frame_table_has_its_verdict(void **state)
{
	struct frame_rules rules;

	rules_make(&rules, 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *r = &rows[i];
		uint8_t f[256] = {0};
		struct frame out;
		size_t len = build(&r->spec, f);
		const size_t bases[] = {
		    0, ip_off(&r->spec), ip_off(&r->spec) + ip_len(&r->spec), ip_off(&r->spec) - 2};

		for (unsigned k = 0; k < r->sets; k++)
			f[bases[r->base] + r->set[k].off] = r->set[k].value;
		if (!r->keep_udp && r->sets > 0 && r->want != FRAME_UDP_LENGTH)
			fix_udp(&r->spec, f);
		if (!r->keep_ip4 && r->spec.version == 4)
			fix_ip4(&r->spec, f);
		expect(classify(f, len + (size_t)r->resize, &rules, &out), r->want, r->what);
		if (r->want == FRAME_DNS) {
			assert_int_equal(out.dns_len, r->spec.dns_len);
			assert_int_equal(out.dns_off, ip_off(&r->spec) + ip_len(&r->spec) + 8);
			assert_int_equal(out.version, r->spec.version);
			assert_false(out.no_error);
		}
	}
}

static void a_frame_cut_anywhere_is_never_a_query(void **state)
{
	const struct frame_spec specs[] = {V4, V6, {4, VLAN, 30, 5353}, {6, VLAN, 30, 5353}};

	for (size_t s = 0; s < 4; s++) {
		struct frame_rules rules;
		uint8_t f[256];
		struct frame out;
		size_t whole = build(&specs[s], f);

		rules_make(&rules, specs[s].vlan);
		for (size_t len = 0; len < whole; len++) {
			enum frame_verdict v = classify(f, len, &rules, &out);
			assert_int_not_equal(v, FRAME_DNS);
			if (len < 14)
				expect(v, FRAME_RUNT, "less than an Ethernet header");
		}
		expect(classify(f, whole, &rules, &out), FRAME_DNS, "the whole frame");
	}
}

static void only_the_configured_tag_is_accepted(void **state)
{
	const struct {
		unsigned configured, tag;
		enum frame_verdict want;
	} cases[] = {
	    {VLAN, VLAN, FRAME_DNS},
	    {VLAN, VLAN + 1, FRAME_PUNT_OTHER},
	    {VLAN, 0, FRAME_PUNT_OTHER},
	    {0, VLAN, FRAME_PUNT_OTHER},
	    {4095, 4095, FRAME_DNS},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (unsigned version = 4; version <= 6; version += 2) {
			struct frame_spec s = {version, cases[i].tag, 30, 5353};
			struct frame_rules rules;
			uint8_t f[256];
			struct frame out;
			size_t len = build(&s, f);
			rules_make(&rules, cases[i].configured);
			expect(classify(f, len, &rules, &out), cases[i].want, "tag");
		}
	}

	// Two tags, also when the outer one is ours.
	for (unsigned outer = 0; outer < 2; outer++) {
		struct frame_spec s = {4, VLAN, 30, 5353};
		struct frame_rules rules;
		uint8_t f[256], two[260];
		struct frame out;
		size_t len = build(&s, f);
		rules_make(&rules, VLAN);
		memcpy(two, f, 16);
		memcpy(two + 16, f + 12, len - 12);
		put16(two + 12, outer == 0 ? 0x8100 : 0x88a8);
		expect(classify(two, len + 4, &rules, &out), FRAME_PUNT_OTHER, "two tags");
	}
}

static void reflector_source_ports_are_dropped_and_privileged_ones_get_no_errors(void **state)
{
	const uint16_t reflectors[] = {0, 7, 13, 17, 19, 37, 69, 123, 161, 389, 464, 1900, 11211};
	struct frame_rules rules;
	uint8_t f[256];
	struct frame out;

	rules_make(&rules, 0);
	for (unsigned port = 0; port <= 65535; port += port < 12000 ? 1 : 977) {
		struct frame_spec s = {4, 0, 30, (uint16_t)port};
		enum frame_verdict want = FRAME_DNS;
		size_t len = build(&s, f);
		for (size_t i = 0; i < sizeof reflectors / sizeof reflectors[0]; i++) {
			if (reflectors[i] == port)
				want = FRAME_UDP_PORT;
		}
		expect(classify(f, len, &rules, &out), want, "source port");
		if (want == FRAME_DNS)
			assert_int_equal(out.no_error, port < 1024);
	}
}

static void ip4_options_to_us_are_dropped(void **state)
{
	struct frame_spec s = V4;
	struct frame_rules rules;
	uint8_t f[256], with[260];
	struct frame out;
	size_t len = build(&s, f);

	rules_make(&rules, 0);
	memcpy(with, f, 34);
	memcpy(with + 34, (const uint8_t[4]){1, 1, 1, 0}, 4); // three NOPs and the end
	memcpy(with + 38, f + 34, len - 34);
	with[14] = 0x46;
	put16(with + 16, get16(f + 16) + 4);
	put16(with + 24, 0);
	put16(with + 24, 0xffff & ~slow_sum(with + 14, 24, 0));
	expect(classify(with, len + 4, &rules, &out), FRAME_IP4_OPTIONS, "options");
	with[33]++; // another destination
	expect(classify(with, len + 4, &rules, &out), FRAME_PUNT_OTHER, "options to another");
	with[33]--;
	with[14] = 0x4f; // 60 bytes of header
	expect(classify(with, 14 + 59, &rules, &out), FRAME_IP_TRUNCATED, "header past the end");
}

// Puts extension headers of 8 bytes each between IPv6 and UDP.
static size_t build_extended(uint8_t *to, const uint8_t *chain, size_t n, const uint8_t fragment[2])
{
	struct frame_spec s = V6;
	uint8_t f[256];
	size_t len = build(&s, f);

	memcpy(to, f, 54);
	to[20] = chain[0];
	put16(to + 18, (unsigned)(get16(f + 18) + 8 * n));
	for (size_t i = 0; i < n; i++) {
		uint8_t *h = to + 54 + 8 * i;
		memset(h, 0, 8);
		h[0] = i + 1 < n ? chain[i + 1] : 17;
		if (chain[i] == 44)
			memcpy(h + 2, fragment, 2);
	}
	memcpy(to + 54 + 8 * n, f + 54, len - 54);
	return len + 8 * n;
}

static void ip6_extension_headers_to_us_are_dropped(void **state)
{
	const struct {
		const char *what;
		uint8_t chain[10];
		size_t n;
		uint8_t fragment[2];
		enum frame_verdict want;
	} cases[] = {
	    {"hop by hop", {0}, 1, {0}, FRAME_IP6_EXTENSION},
	    {"routing", {43}, 1, {0}, FRAME_IP6_EXTENSION},
	    {"destination options", {60}, 1, {0}, FRAME_IP6_EXTENSION},
	    {"authentication", {51}, 1, {0}, FRAME_IP6_EXTENSION},
	    {"four of them", {0, 60, 43, 60}, 4, {0}, FRAME_IP6_EXTENSION},
	    {"atomic fragment", {44}, 1, {0, 0}, FRAME_IP6_FRAGMENT},
	    {"first fragment", {44}, 1, {0, 1}, FRAME_IP6_FRAGMENT},
	    {"first fragment after options", {60, 44}, 2, {0, 1}, FRAME_IP6_FRAGMENT},
	    {"later fragment is the kernel's", {44}, 1, {0, 8}, FRAME_PUNT_OTHER},
	    {"eight headers", {0, 60, 43, 60, 60, 60, 60, 60}, 8, {0}, FRAME_IP6_EXTENSION},
	    {"nine headers are the kernel's", {0, 60, 43, 60, 60, 60, 60, 60, 60}, 9, {0},
	        FRAME_PUNT_OTHER},
	    {"no next header", {59}, 1, {0}, FRAME_PUNT_OTHER},
	};
	struct frame_rules rules;

	rules_make(&rules, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t f[400];
		struct frame out;
		size_t len = build_extended(f, cases[i].chain, cases[i].n, cases[i].fragment);
		expect(classify(f, len, &rules, &out), cases[i].want, cases[i].what);
		for (size_t cut = 0; cut < len; cut++) // for the sanitizer
			assert_int_not_equal(classify(f, cut, &rules, &out), FRAME_DNS);
	}
}

static void a_partial_checksum_is_accepted_only_where_links_are_virtual(void **state)
{
	for (unsigned version = 4; version <= 6; version += 2) {
		struct frame_spec s = {version, 0, 30, 5353};
		struct frame_rules rules;
		uint8_t f[256];
		struct frame out;
		size_t len = build(&s, f), ip = ip_off(&s), udp = ip + ip_len(&s);
		uint16_t pseudo =
		    slow_sum(f + ip + (version == 4 ? 12 : 8), version == 4 ? 8 : 32, 17 + 38);

		put16(f + udp + 6, pseudo);
		rules_make(&rules, 0);
		expect(classify(f, len, &rules, &out), FRAME_UDP_CHECKSUM, "partial");
		rules.accept_partial = true;
		expect(classify(f, len, &rules, &out), FRAME_DNS, "partial, accepted");
		put16(f + udp + 6, pseudo + 1);
		expect(classify(f, len, &rules, &out), FRAME_UDP_CHECKSUM, "neither");
	}
}

static void check_reply(
    const struct frame_spec *s, const uint8_t *query, const uint8_t *f, size_t len, size_t dns_len)
{
	const uint8_t *ip = f + ip_off(s), *udp = ip + ip_len(s);
	const uint8_t *qip = query + ip_off(s), *qudp = qip + ip_len(s);
	size_t want = ip_off(s) + ip_len(s) + 8 + dns_len;

	assert_int_equal(len, want < 60 ? 60 : want);
	assert_memory_equal(f, query + 6, 6);
	assert_memory_equal(f + 6, query, 6);
	assert_memory_equal(f + 12, query + 12, ip_off(s) - 12); // the type, and the tag
	if (s->version == 4) {
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(get16(ip + 2), 28 + dns_len);
		assert_int_equal(slow_sum(ip, 20, 0), 0xffff);
		assert_memory_equal(ip + 12, qip + 16, 4);
		assert_memory_equal(ip + 16, qip + 12, 4);
		assert_int_equal(ip[9], 17);
	} else {
		assert_int_equal(ip[0], 0x60);
		assert_int_equal(get16(ip + 4), 8 + dns_len);
		assert_memory_equal(ip + 8, qip + 24, 16);
		assert_memory_equal(ip + 24, qip + 8, 16);
		assert_int_equal(ip[6], 17);
	}
	assert_int_equal(get16(udp), 53);
	assert_int_equal(get16(udp + 2), get16(qudp));
	assert_int_equal(get16(udp + 4), 8 + dns_len);
	assert_int_not_equal(get16(udp + 6), 0);
	assert_int_equal(udp_sum(s, f, 8 + dns_len), 0xffff);
	for (size_t i = want; i < len; i++)
		assert_int_equal(f[i], 0);
}

static void replies_of_every_length_have_right_lengths_and_checksums(void **state)
{
	const struct frame_spec specs[] = {V4, V6, {4, VLAN, 30, 5353}, {6, VLAN, 30, 5353}};
	uint8_t query[256], f[2048];

	for (size_t s = 0; s < 4; s++) {
		struct frame_rules rules;
		struct frame frame;
		size_t len = build(&specs[s], query);

		rules_make(&rules, specs[s].vlan);
		expect(frame_classify(query, len, &rules, &frame), FRAME_DNS, "query");
		for (size_t dns_len = 12; dns_len <= 1472; dns_len++) {
			memset(f, 0xa5, sizeof f); // bytes of an earlier packet
			memcpy(f, query, len);
			for (size_t i = 0; i < dns_len; i++)
				f[frame.dns_off + i] = (uint8_t)(i * 31 + dns_len);
			uint64_t sum = checksum_sum(f + frame.dns_off, dns_len, 0);
			size_t got = frame_reply(f, &frame, dns_len, sum);
			check_reply(&specs[s], query, f, got, dns_len);
		}
	}
}

// With and without a UDP checksum to take it from.
static void the_sum_of_a_message_of_every_length_is_told(void **state)
{
	for (unsigned dns_len = 12; dns_len <= 200; dns_len++) {
		const struct frame_spec specs[] = {{4, 0, dns_len, 5353}, {4, VLAN, dns_len, 5353},
		    {6, 0, dns_len, 5353}, {4, 0, dns_len, 5353}};

		for (size_t s = 0; s < 4; s++) {
			struct frame_rules rules;
			struct frame frame;
			uint8_t f[512];
			size_t len = build(&specs[s], f);
			const uint8_t *udp = f + ip_off(&specs[s]) + ip_len(&specs[s]);

			rules_make(&rules, specs[s].vlan);
			if (s == 3)
				memset(f + 14 + 20 + 6, 0, 2);
			expect(classify(f, len, &rules, &frame), FRAME_DNS, "query");
			assert_int_equal(ntohs(checksum_fold(frame.dns_sum)) % 0xffff,
			    slow_sum(udp + 8, dns_len, 0) % 0xffff);
		}
	}
}

static void a_checksum_of_zero_is_sent_as_all_ones(void **state)
{
	struct frame_spec s = {4, 0, 30, 5353};
	struct frame_rules rules;
	struct frame frame;
	uint8_t query[256], f[2048];
	size_t len = build(&s, query);
	unsigned ones = 0;

	rules_make(&rules, 0);
	expect(frame_classify(query, len, &rules, &frame), FRAME_DNS, "query");
	for (unsigned id = 0; id <= 0xffff; id++) { // one of these sums to zero
		memcpy(f, query, len);
		put16(f + frame.dns_off, id);
		size_t got = frame_reply(f, &frame, 12, checksum_sum(f + frame.dns_off, 12, 0));
		check_reply(&s, query, f, got, 12);
		ones += get16(f + frame.udp_off + 6) == 0xffff;
	}
	assert_true(ones >= 1);
}

static void partial_sums_of_even_pieces_add_up(void **state)
{
	uint8_t data[300];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 89 + 200);
	for (size_t len = 0; len < sizeof data; len++) {
		uint16_t slow = slow_sum(data, len, 0), fast;
		for (size_t cut = 0; cut <= len; cut += 2) {
			uint64_t sum = checksum_add(
			    checksum_sum(data, cut, 0), checksum_sum(data + cut, len - cut, 0));
			fast = checksum_fold(sum);
			assert_int_equal(ntohs(fast), slow);
		}
	}
}

static void served_addresses_are_found_by_address_and_port(void **state)
{
	struct frame_rules rules;
	struct sockaddr_in in = {.sin_family = AF_INET};

	memset(&rules, 0, sizeof rules);
	for (unsigned i = 0; i < FRAME_SERVED_MAX; i++) {
		in.sin_addr.s_addr = htonl(0x0a000000 + i * 7);
		in.sin_port = htons((uint16_t)(53 + i % 2));
		assert_int_equal(frame_served_add(&rules.served, (void *)&in), 0);
		assert_int_equal(frame_served_add(&rules.served, (void *)&in), 0);
	}
	in.sin_addr.s_addr = htonl(0x0b000000);
	assert_int_equal(frame_served_add(&rules.served, (void *)&in), -ENOSPC);
	for (unsigned i = 0; i < FRAME_SERVED_MAX; i++) {
		in_addr_t addr = htonl(0x0a000000 + i * 7);
		const void *p = &addr;
		assert_true(frame_served_has(&rules.served, 4, p, htons((uint16_t)(53 + i % 2))));
		assert_false(frame_served_has(&rules.served, 4, p, htons((uint16_t)(54 - i % 2))));
		assert_true(frame_served_has(&rules.served, 4, p, 0));
		addr = htonl(0x0a000000 + i * 7 + 1);
		assert_false(frame_served_has(&rules.served, 4, p, 0));
	}
}

static void the_addresses_of_a_query_can_be_told(void **state)
{
	for (unsigned version = 4; version <= 6; version += 2) {
		struct frame_spec s = {version, 0, 30, 5353};
		struct frame_rules rules;
		struct frame frame;
		uint8_t f[256];
		struct sockaddr_storage peer, local;
		size_t len = build(&s, f);

		rules_make(&rules, 0);
		expect(frame_classify(f, len, &rules, &frame), FRAME_DNS, "query");
		frame_addresses(f, &frame, &peer, &local);
		if (version == 4) {
			const struct sockaddr_in *p = (void *)&peer, *l = (void *)&local;
			assert_memory_equal(&p->sin_addr, client4, 4);
			assert_memory_equal(&l->sin_addr, server4, 4);
			assert_int_equal(ntohs(p->sin_port), 5353);
			assert_int_equal(ntohs(l->sin_port), 53);
		} else {
			const struct sockaddr_in6 *p = (void *)&peer, *l = (void *)&local;
			assert_memory_equal(&p->sin6_addr, client6, 16);
			assert_memory_equal(&l->sin6_addr, server6, 16);
			assert_int_equal(ntohs(p->sin6_port), 5353);
			assert_int_equal(ntohs(l->sin6_port), 53);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_row_of_the_frame_table_has_its_verdict),
	    cmocka_unit_test(a_frame_cut_anywhere_is_never_a_query),
	    cmocka_unit_test(only_the_configured_tag_is_accepted),
	    cmocka_unit_test(reflector_source_ports_are_dropped_and_privileged_ones_get_no_errors),
	    cmocka_unit_test(ip4_options_to_us_are_dropped),
	    cmocka_unit_test(ip6_extension_headers_to_us_are_dropped),
	    cmocka_unit_test(a_partial_checksum_is_accepted_only_where_links_are_virtual),
	    cmocka_unit_test(replies_of_every_length_have_right_lengths_and_checksums),
	    cmocka_unit_test(the_sum_of_a_message_of_every_length_is_told),
	    cmocka_unit_test(a_checksum_of_zero_is_sent_as_all_ones),
	    cmocka_unit_test(partial_sums_of_even_pieces_add_up),
	    cmocka_unit_test(served_addresses_are_found_by_address_and_port),
	    cmocka_unit_test(the_addresses_of_a_query_can_be_told),
	};
	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
