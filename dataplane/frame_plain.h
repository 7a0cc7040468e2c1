// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The frame that nearly all are: untagged, IPv4 without options or IPv6 without extension headers,
// whole, from an ordinary address and port to a served one, with a DNS query of one question in it.
// Inline, because every query of
// every worker comes by (frame_answer.c); whatever is not like that, frame_classify() judges.
// Fields are taken from wide loads, which little-endian machines have the right way round; others
// find no frame plain. Pure, but for what is remembered within a burst.
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checksum.h"
#include "frame.h"
#include "frame_served.h"
#include "wide.h"

enum {
	ETH_LEN = 14,
	IP4_LEN = 20,
	IP6_LEN = 40,
	UDP_LEN = 8,
	PROTO_UDP = 17,
	IP_HOPS = 64,
	IP4_SOURCE = 12, // where addresses stand in a header
	IP4_TO = 16,
	IP6_SOURCE = 8,
	IP6_TO = 24,
	PLAIN4_DNS_OFF = ETH_LEN + IP4_LEN + UDP_LEN,
	PLAIN6_DNS_OFF = ETH_LEN + IP6_LEN + UDP_LEN,
	// Of a plain frame this many bytes are looked at, whatever its length.
	PLAIN_READ = PLAIN6_DNS_OFF - UDP_LEN + 64,
};

// What a worker has at hand of a port within a burst.
struct frame_plain_rules {
	// From IPv4's source address on, and from the address on that IPv6 is to: served address,
	// port, and what a query's header begins with.
	uint8_t want4[WIDE], want6[WIDE];
	// By the first byte of a source port: 2: none of those is plain; 1: one of them is not.
	uint8_t port_odd[256];
	uint8_t keep[2 * WIDE]; // from the n-th on, WIDE bytes keep the first WIDE - n of a vector
	const uint8_t *odd4, *odd6; // frame_served.source_odd; all of it where no frame is plain
	const struct frame_served *served;
};

// Of two ways from here the compiler keeps the other one short.
static inline bool frame_seldom(bool it_is)
{
	return __builtin_expect(it_is, false);
}

static inline uint64_t frame_load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t frame_load32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint16_t frame_load16_be(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline unsigned frame_load16(const uint8_t *p)
{
	return be16toh(frame_load16_be(p));
}

// What frame_classify() tells of a plain frame.
static inline void frame_plain_describe(
    const uint8_t *bytes, unsigned dns_off, unsigned dns_len, struct frame *out)
{
	const uint8_t *msg = bytes + dns_off;
	const bool v4 = dns_off == PLAIN4_DNS_OFF;
	// All that the checksum covers comes to nothing together with it: addresses and UDP header,
	// protocol and length once more.
	const uint64_t around = checksum_fold(checksum_sum(msg - UDP_LEN - (v4 ? 8 : 32),
	    UDP_LEN + (v4 ? 8u : 32u), (uint64_t)htobe16(PROTO_UDP) + frame_load16_be(msg - 4)));

	*out = (struct frame){.dns_sum = 0xffff - around,
	    .ip_off = ETH_LEN,
	    .udp_off = (uint8_t)(dns_off - UDP_LEN),
	    .dns_off = (uint8_t)dns_off,
	    .version = v4 ? 4 : 6,
	    .dns_len = (uint16_t)dns_len};
}

void frame_plain_begin(struct frame_plain_rules *plain, const struct frame_rules *rules)
    __attribute__((nonnull));

// The frame is not to the address that was served last. Post: true when it is to another served
// one, which `rules` now has, and is a query.
bool frame_plain_turn4(struct frame_plain_rules *rules, const uint8_t *bytes)
    __attribute__((nonnull, noinline));
bool frame_plain_turn6(struct frame_plain_rules *rules, const uint8_t *bytes)
    __attribute__((nonnull, noinline));

// The source address is odd, as its byte tells. Post: is it an ordinary one all the same?
bool frame_plain_source4(const struct frame_plain_rules *rules, const uint8_t *addr)
    __attribute__((nonnull, noinline));
bool frame_plain_source6(const struct frame_plain_rules *rules, const uint8_t *addr)
    __attribute__((nonnull, noinline));

// The sum is not right. Post: false where there is a checksum; otherwise there is one.
bool frame_plain_unsummed(uint8_t *udp, uint64_t sum) __attribute__((nonnull, noinline));

extern const uint8_t frame_plain_mask4[WIDE], frame_plain_mask6[WIDE];

// Ports from which no reply may be plain: below 1024, and port_is_reflector(). By their first byte
// nearly all are told.
static inline bool frame_plain_port(const struct frame_plain_rules *rules, const uint8_t *port)
{
	const unsigned odd = rules->port_odd[port[0]];

	return odd == 0 || (odd == 1 && frame_load16(port) != 1900 && frame_load16(port) != 11211);
}

// checksum_sum() over what begins at `data`, below 2^63. 32 bytes may be read, and 32 more than
// `len`.
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
static inline uint64_t frame_sum(const uint8_t *keep, const uint8_t *data, unsigned len)
{
	return checksum_fold(checksum_sum(data, len, 0));
}
#else
typedef uint32_t frame_lanes __attribute__((vector_size(WIDE), aligned(1), may_alias));

// Both words of each 32 bits; the lower one by one instruction and no constant.
static inline frame_lanes frame_words(frame_lanes v)
{
	typedef short words __attribute__((vector_size(WIDE)));
	const words zero = {0};

	return (frame_lanes)__builtin_shufflevector(
	           (words)v, zero, 0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31) +
	       (v >> 16);
}

static inline uint64_t frame_sum(const uint8_t *keep, const uint8_t *data, unsigned len)
{
	typedef uint64_t half __attribute__((vector_size(WIDE / 2)));
	frame_lanes v, sum = {0};

	// A lane has 32 bits, and no message the words to fill it.
	if (len >= WIDE) {
		v = *(const frame_lanes *)data;
		sum = frame_words(v);
		data += WIDE, len -= WIDE;
#pragma GCC unroll 1
		while (frame_seldom(len >= WIDE)) {
			v = *(const frame_lanes *)data;
			sum += frame_words(v);
			data += WIDE, len -= WIDE;
		}
	}
	v = *(const frame_lanes *)data & *(const frame_lanes *)(keep + WIDE - len);
	sum += frame_words(v);

	const half both = (half)__builtin_shufflevector(sum, sum, 0, 1, 2, 3) +
	                  (half)__builtin_shufflevector(sum, sum, 4, 5, 6, 7);

	return both[0] + both[1];
}
#endif

// Is it 0 but for the whole of its carries? Times the inverse of 2^16 - 1, a multiple of that is
// its quotient, and no other number comes out below 2^48.
static inline uint64_t frame_sum_quotient(uint64_t sum)
{
	return sum * 0xfffefffefffeffff;
}

// Post: true: FRAME_DNS, if there are FRAME_DNS_MIN bytes of a message, and there is a UDP
// checksum, where there was none as well. False says nothing. Pre: PLAIN_READ bytes may be read,
// and 32 more than `len`, whatever `len` is.
static inline __attribute__((always_inline)) bool frame_plain_classify4(
    struct frame_plain_rules *rules, uint8_t *bytes, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	// Group bits of both MAC addresses; ethertype; version and length of the IP header;
	// fragment offset and more fragments; protocol.
	static const uint8_t want[WIDE]
	    __attribute__((aligned(WIDE))) = {[12] = 0x08, 0x00, 0x45, [23] = PROTO_UDP};
	static const uint8_t mask[WIDE] __attribute__((aligned(WIDE))) = {
	    [0] = 1, [6] = 1, [12] = 0xff, 0xff, 0xff, [20] = 0x3f, 0xff, [23] = 0xff};
	uint8_t *const ip = bytes + ETH_LEN, *const udp = ip + IP4_LEN;

	if (!wide_matches(bytes, want, mask) || frame_seldom(frame_load64(bytes + 6) << 16 == 0))
		return false;
	if (frame_seldom(!wide_matches(ip + IP4_SOURCE, rules->want4, frame_plain_mask4)) &&
	    !frame_plain_turn4(rules, bytes))
		return false;
	if (frame_seldom(rules->odd4[ip[IP4_SOURCE]] != 0) &&
	    !frame_plain_source4(rules, ip + IP4_SOURCE))
		return false;
	if (frame_seldom(!frame_plain_port(rules, udp)))
		return false;

	const unsigned udp_len = be32toh(frame_load32(udp + 2)) & 0xffff;

	if (frame_seldom(udp_len + IP4_LEN != (be32toh(frame_load32(ip)) & 0xffff)) ||
	    frame_seldom(udp_len + IP4_LEN + ETH_LEN > len))
		return false;

	const uint64_t pair = (uint64_t)frame_load32(ip + IP4_SOURCE) + frame_load32(ip + IP4_TO);
	const uint64_t head = frame_sum_quotient(
	    pair + frame_load32(ip) + frame_load32(ip + 4) + frame_load32(ip + 8));
	const uint64_t sum = frame_sum(rules->keep, udp, udp_len) + pair + htobe16(PROTO_UDP) +
	                     frame_load16_be(udp + 4);

	return !frame_seldom((head | frame_sum_quotient(sum)) >> 48 != 0) ||
	       (head >> 48 == 0 && frame_plain_unsummed(udp, sum));
#else
	return false;
#endif
}

// The same for IPv6.
static inline __attribute__((always_inline)) bool frame_plain_classify6(
    struct frame_plain_rules *rules, uint8_t *bytes, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	// Group bits of both MAC addresses; ethertype; version; next header; 2000::/3, where
	// ordinary source addresses are.
	static const uint8_t want[WIDE] __attribute__((aligned(WIDE))) = {
	    [12] = 0x86, 0xdd, 0x60, [20] = PROTO_UDP, [22] = 0x20};
	static const uint8_t mask[WIDE] __attribute__((aligned(WIDE))) = {
	    [0] = 1, [6] = 1, [12] = 0xff, 0xff, 0xf0, [20] = 0xff, [22] = 0xe0};
	uint8_t *const ip = bytes + ETH_LEN, *const udp = ip + IP6_LEN;

	if (!wide_matches(bytes, want, mask) || frame_seldom(frame_load64(bytes + 6) << 16 == 0))
		return false;
	if (frame_seldom(!wide_matches(ip + IP6_TO, rules->want6, frame_plain_mask6)) &&
	    !frame_plain_turn6(rules, bytes))
		return false;
	// The last two counts: at most one record.
	if (frame_seldom((frame_load32(udp + UDP_LEN + 8) & 0xfeffffff) != 0))
		return false;
	if (frame_seldom(rules->odd6[served6_byte(ip + IP6_SOURCE)] != 0) &&
	    !frame_plain_source6(rules, ip + IP6_SOURCE))
		return false;
	if (frame_seldom(!frame_plain_port(rules, udp)))
		return false;

	const uint16_t udp_len_be = frame_load16_be(udp + 4);
	const unsigned udp_len = be16toh(udp_len_be);

	if (frame_seldom(udp_len_be != frame_load16_be(ip + 4)) ||
	    frame_seldom(udp_len + IP6_LEN + ETH_LEN > len) ||
	    frame_seldom(frame_load16_be(udp + 6) == 0))
		return false;
	// Addresses and UDP stand together.
	return !frame_seldom(
	    frame_sum_quotient(frame_sum(rules->keep, ip + IP6_SOURCE, 2 * 16 + udp_len) +
	                       htobe16(PROTO_UDP) + udp_len_be) >>
	        48 !=
	    0);
#else
	return false;
#endif
}

// Pre: frame_plain_classify4() or 6; `msg` stands behind those headers. Post: above UINT16_MAX
// where UDP's length is none.
static inline unsigned frame_plain_dns_len(const uint8_t *msg)
{
	return (be32toh(frame_load32(msg - UDP_LEN + 2)) & 0xffff) - UDP_LEN;
}

static inline void frame_swap_macs(uint8_t *bytes)
{
	typedef uint8_t lanes __attribute__((vector_size(16), aligned(1), may_alias));
	lanes v = *(const lanes *)bytes;

	*(lanes *)bytes =
	    __builtin_shufflevector(v, v, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
}

// Swapped as the upper half of a word: of 16 bits the compiler makes a round through memory.
static inline uint16_t frame_be16(unsigned v)
{
	return (uint16_t)htobe32(v << 16);
}

// The reply's IPv4 header over the query's. Sums are made of what was read before anything is
// stored: reading back what was just stored in smaller pieces would stall. Post: the sum of both
// addresses.
static inline uint64_t frame_ip4_put(uint8_t *ip, unsigned udp_len)
{
	// ID 0: RFC 6864 4.1, an atomic datagram's means nothing. DF: RFC 9715 3.1.
	const uint64_t head = htobe64(0x4500000000004000 | (uint64_t)(IP4_LEN + udp_len) << 32);
	const uint16_t hops = htobe16(IP_HOPS << 8 | PROTO_UDP);
	uint64_t addresses;

	memcpy(&addresses, ip + IP4_SOURCE, sizeof addresses);

	const uint64_t pair = (addresses & 0xffffffff) + (addresses >> 32);
	const uint16_t field =
	    (uint16_t)~checksum_fold(pair + hops + (head & 0xffffffff) + (head >> 32));

	addresses = addresses << 32 | addresses >> 32;
	memcpy(ip, &head, sizeof head);
	const uint32_t rest = hops | (uint32_t)field << 16;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
		memcpy(ip + 8, &rest, sizeof rest);
	} else {
		memcpy(ip + 8, &hops, sizeof hops);
		memcpy(ip + 10, &field, sizeof field);
	}
	memcpy(ip + IP4_SOURCE, &addresses, sizeof addresses);
	return pair;
}

// The same of IPv6; the sum is the caller's.
static inline void frame_ip6_put(uint8_t *ip, unsigned udp_len)
{
	typedef uint64_t lanes __attribute__((vector_size(32), aligned(1), may_alias));
	const uint64_t head =
	    htobe64((uint64_t)0x60 << 56 | (uint64_t)udp_len << 16 | PROTO_UDP << 8 | IP_HOPS);
	const lanes both = *(const lanes *)(ip + IP6_SOURCE);

	memcpy(ip, &head, sizeof head);
	*(lanes *)(ip + IP6_SOURCE) = __builtin_shufflevector(both, both, 2, 3, 0, 1);
}

// The padding up to the Ethernet minimum must not be the query's bytes (CVE-2003-0001). Post: the
// frame's length.
static inline size_t frame_pad(uint8_t *bytes, size_t len)
{
	if (len < 60) {
		memset(bytes + len, 0, 60 - len);
		len = 60;
	}
	return len;
}

// As frame_reply(), around `msg`. `sum`: what the reply in the query's place adds to the message's.
static inline __attribute__((always_inline)) size_t frame_plain_reply(
    uint8_t *msg, bool ip6, unsigned dns_len, uint64_t sum)
{
	uint8_t *udp = msg - UDP_LEN, *ip = udp - (ip6 ? IP6_LEN : IP4_LEN);
	const unsigned udp_len = UDP_LEN + dns_len;
	const uint16_t udp_len_be = frame_be16(udp_len);
	// Of the query's sum nothing is left but the complement of its checksum (RFC 1624 3), and
	// both lengths are there twice. Any multiple of 2^16 - 1 keeps it positive.
	const uint64_t headers = (UINT64_C(0xffff) << 8) + 2u * udp_len_be -
	                         2u * frame_load16_be(udp + 4) - frame_load16_be(udp + 6);
	uint16_t field = (uint16_t)~checksum_fold(checksum_add(sum, headers));
	uint32_t ports;

	memcpy(&ports, udp, sizeof ports);
	if (field == 0) // RFC 768: a sum of zero is sent as all ones
		field = 0xffff;
	ports = ports << 16 | ports >> 16;
	frame_swap_macs(ip - ETH_LEN);
	if (ip6)
		frame_ip6_put(ip, udp_len);
	else
		frame_ip4_put(ip, udp_len);
	memcpy(udp, &ports, sizeof ports);
	memcpy(udp + 4, &udp_len_be, sizeof udp_len_be);
	memcpy(udp + 6, &field, sizeof field);
	return frame_pad(ip - ETH_LEN, (ip6 ? PLAIN6_DNS_OFF : PLAIN4_DNS_OFF) + dns_len);
}
