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
	uint8_t port_odd[256];  // by a source port's first byte: not 0: it may be port_is_odd()
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

// The source's address or port may be odd, as a byte of it tells. Post: are they ordinary ones all
// the same?
bool frame_plain_source4(const struct frame_plain_rules *rules, const uint8_t *addr,
    const uint8_t *port) __attribute__((nonnull, noinline));
bool frame_plain_source6(const struct frame_plain_rules *rules, const uint8_t *addr,
    const uint8_t *port) __attribute__((nonnull, noinline));

// The sum is not right. Post: false where there is a checksum; otherwise there is one.
bool frame_plain_unsummed(uint8_t *udp, uint64_t sum) __attribute__((nonnull, noinline));

extern const uint8_t frame_plain_mask4[WIDE], frame_plain_mask6[WIDE];

// checksum_sum() over what begins at `data`, below 2^63; most often that is as many whole vectors,
// and less than one more. 32 more bytes than `len` may be read.
uint64_t frame_sum_other(const uint8_t *data, unsigned len) __attribute__((nonnull, noinline));
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
static inline uint64_t frame_sum(
    const uint8_t *keep, const uint8_t *data, unsigned len, unsigned whole)
{
	return checksum_fold(checksum_sum(data, len, 0));
}
#else
typedef uint8_t frame_bytes __attribute__((vector_size(WIDE), aligned(1), may_alias));
typedef uint64_t frame_lanes __attribute__((vector_size(WIDE)));

// In each half of a vector the sum of the bytes at even offsets, then that of the others.
static inline frame_lanes frame_bytes_sum(frame_bytes v)
{
	typedef char bytes __attribute__((vector_size(WIDE)));
	const bytes apart = (bytes)__builtin_shufflevector(v, v, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5,
	    7, 9, 11, 13, 15, 16, 18, 20, 22, 24, 26, 28, 30, 17, 19, 21, 23, 25, 27, 29, 31);

	return (frame_lanes)__builtin_ia32_psadbw256(apart, (bytes){0});
}

static inline __attribute__((always_inline)) uint64_t frame_sum(
    const uint8_t *keep, const uint8_t *data, unsigned len, unsigned whole)
{
	typedef uint64_t half __attribute__((vector_size(WIDE / 2)));
	typedef uint8_t half_bytes __attribute__((vector_size(WIDE / 2)));

	if (frame_seldom(len - whole * WIDE >= WIDE))
		return frame_sum_other(data, len);

	const uint8_t *last = data + whole * WIDE;

	keep += (whole + 1) * WIDE;
	frame_lanes sum =
	    frame_bytes_sum(*(const frame_bytes *)last & *(const frame_bytes *)(keep - len));

	for (unsigned i = 0; i < whole; i++)
		sum += frame_bytes_sum(*(const frame_bytes *)(data + i * WIDE));

	half both =
	    __builtin_shufflevector(sum, sum, 0, 1) + __builtin_shufflevector(sum, sum, 2, 3);

	// In a word the byte at the odd offset stands above the other one.
	both += (half)__builtin_shufflevector((half_bytes)both, (half_bytes){0}, 7, 8, 9, 10, 11,
	    12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16);
	return both[0];
}
#endif

// Is it 0 but for the whole of its carries? Times the inverse of 2^16 - 1, a multiple of that is
// its quotient, and no other number comes out below 2^48.
static inline bool frame_sum_right(uint64_t sum)
{
	return sum * 0xfffefffefffeffff >> 48 == 0;
}

// Post: UDP's length: FRAME_DNS, with a UDP checksum, where there was none as well. 0 says nothing.
// Pre: PLAIN_READ bytes may be read, and 32 more than `len`, whatever `len` is, below 2^16.
static inline __attribute__((always_inline)) unsigned frame_plain_classify4(
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

	// Of a MAC address, which is not to be zero, these bytes hardly ever are.
	if (!wide_matches(bytes, want, mask) || frame_seldom(frame_load32(bytes + 6) == 0))
		return 0;
	if (frame_seldom(!wide_matches(ip + IP4_SOURCE, rules->want4, frame_plain_mask4)) &&
	    !frame_plain_turn4(rules, bytes))
		return 0;
	if (frame_seldom((rules->odd4[ip[IP4_SOURCE]] | rules->port_odd[udp[0]]) != 0) &&
	    !frame_plain_source4(rules, ip + IP4_SOURCE, udp))
		return 0;

	const unsigned udp_len = be32toh(frame_load32(udp + 2)) & 0xffff;

	if (frame_seldom(htobe16((uint16_t)(udp_len + IP4_LEN)) != frame_load16_be(ip + 2)) ||
	    frame_seldom(udp_len + IP4_LEN + ETH_LEN > len))
		return 0;
	// In two steps, as the first is what frame_sum() asks, too.
	if (frame_seldom(udp_len - WIDE >= WIDE) && udp_len < UDP_LEN + FRAME_DNS_MIN)
		return 0;

	// Below 2^57, as the fragment offset is 0.
	const uint64_t pair = (uint64_t)frame_load32(ip + IP4_SOURCE) + frame_load32(ip + IP4_TO);

	if (frame_seldom(!frame_sum_right(frame_load64(ip) + frame_load32(ip + 8) + pair)))
		return 0;

	const uint64_t sum = frame_sum(rules->keep, udp, udp_len, 1) + pair + htobe16(PROTO_UDP) +
	                     frame_load16_be(udp + 4);

	if (frame_seldom(!frame_sum_right(sum)) && !frame_plain_unsummed(udp, sum))
		return 0;
	return udp_len;
#else
	return 0;
#endif
}

// The same for IPv6.
static inline __attribute__((always_inline)) unsigned frame_plain_classify6(
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

	// As above.
	if (!wide_matches(bytes, want, mask) || frame_seldom(frame_load32(bytes + 6) == 0))
		return 0;
	if (frame_seldom(!wide_matches(ip + IP6_TO, rules->want6, frame_plain_mask6)) &&
	    !frame_plain_turn6(rules, bytes))
		return 0;
	// The last two counts: at most one record.
	if (frame_seldom((frame_load32(udp + UDP_LEN + 8) & 0xfeffffff) != 0))
		return 0;
	if (frame_seldom(
	        (rules->odd6[served6_byte(ip + IP6_SOURCE)] | rules->port_odd[udp[0]]) != 0) &&
	    !frame_plain_source6(rules, ip + IP6_SOURCE, udp))
		return 0;

	const uint16_t udp_len_be = frame_load16_be(udp + 4);
	const unsigned udp_len = be16toh(udp_len_be);

	if (frame_seldom(udp_len_be != frame_load16_be(ip + 4)) ||
	    frame_seldom(udp_len + IP6_LEN + ETH_LEN > len) ||
	    frame_seldom(udp_len < UDP_LEN + FRAME_DNS_MIN) ||
	    frame_seldom(frame_load16_be(udp + 6) == 0))
		return 0;
	// Addresses and UDP stand together.
	const uint64_t sum = frame_sum(rules->keep, ip + IP6_SOURCE, 2 * 16 + udp_len, 2) +
	                     htobe16(PROTO_UDP) + udp_len_be;

	return frame_seldom(!frame_sum_right(sum)) ? 0 : udp_len;
#else
	return 0;
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

static inline void frame_put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

// Swapped as the upper half of a word: of 16 bits the compiler makes a round through memory.
static inline uint16_t frame_be16(unsigned v)
{
	return (uint16_t)htobe32(v << 16);
}

// The reply's IPv4 header over the query's. Sums are made of what was read before anything is
// stored: reading back what was just stored in smaller pieces would stall.
static inline void frame_ip4_put(uint8_t *ip, unsigned udp_len)
{
	// ID 0: RFC 6864 4.1, an atomic datagram's means nothing. DF: RFC 9715 3.1.
	const uint32_t begin = 0x45000000 + IP4_LEN + udp_len, flags = 0x4000;
	uint32_t hops = IP_HOPS << 24 | PROTO_UDP << 16;
	uint64_t addresses;

	memcpy(&addresses, ip + IP4_SOURCE, sizeof addresses);
	addresses = be64toh(addresses);
	// Hops and protocol stay, the complement of the sum comes behind them.
	hops =
	    (hops | 0xffff) ^ checksum_fold(checksum_add(addresses, begin + flags + (hops >> 16)));
	frame_put32(ip, begin);
	frame_put32(ip + 4, flags);
	frame_put32(ip + 8, hops);
	addresses = htobe64(addresses << 32 | addresses >> 32);
	memcpy(ip + IP4_SOURCE, &addresses, sizeof addresses);
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

// As frame_reply(), around `msg`. `less`: plain_reply's.
static inline __attribute__((always_inline)) size_t frame_plain_reply(
    uint8_t *msg, bool ip6, unsigned dns_len, uint64_t less)
{
	uint8_t *udp = msg - UDP_LEN, *ip = udp - (ip6 ? IP6_LEN : IP4_LEN);
	const unsigned udp_len = UDP_LEN + dns_len;
	// Of the query's sum nothing is left but the complement of its checksum (RFC 1624 3), and
	// both lengths are there twice; the reply's not yet in the order of the wire. It is not 0,
	// and so a sum of zero is sent as all ones (RFC 768).
	const uint16_t field = checksum_fold(
	    less + frame_load16_be(udp + 6) + 2u * frame_load16_be(udp + 4) - (udp_len << 9));
	const uint16_t udp_len_be = frame_be16(udp_len);
	uint32_t ports;

	memcpy(&ports, udp, sizeof ports);
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
