// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The frame that nearly all are: untagged, IPv4 without options, whole, from an ordinary port to a
// served address. Inline, because every query of every worker comes by; whatever is not like that,
// frame_classify() judges. Fields are taken from wide loads, which little-endian machines have the
// right way round; others find no frame plain. Pure.
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checksum.h"
#include "frame.h"

enum {
	ETH_LEN = 14,
	IP4_LEN = 20,
	UDP_LEN = 8,
	PROTO_UDP = 17,
	IP4_HOPS = 64,
	PLAIN_DNS_OFF = ETH_LEN + IP4_LEN + UDP_LEN,
};

struct frame_plain {
	uint64_t dns_len; // 0: the frame is not plain
	// A sum, below 2^63, of what the UDP checksums of query and reply both cover: addresses,
	// protocol, ports and message.
	uint64_t sum;
};

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

static inline unsigned frame_load16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

// Post: dns_len is not 0: FRAME_DNS. It says nothing otherwise. Reads nothing past `len`.
struct frame_plain frame_plain_classify(const uint8_t *bytes, size_t len,
    const struct frame_rules *rules) __attribute__((nonnull, warn_unused_result));

// What of frame_plain.sum is not the message's. Pre: the query's frame is as it was.
static inline uint64_t frame_plain_around(const uint8_t *bytes)
{
	const uint8_t *ip = bytes + ETH_LEN, *udp = ip + IP4_LEN;

	return (uint64_t)frame_load32(ip + 12) + frame_load32(ip + 16) + frame_load32(udp) +
	       htobe16(PROTO_UDP);
}

// What frame_classify() tells of it.
static inline void frame_plain_describe(
    const uint8_t *bytes, const struct frame_plain *plain, struct frame *out)
{
	*out = (struct frame){.dns_sum = checksum_less(plain->sum, frame_plain_around(bytes)),
	    .ip_off = ETH_LEN,
	    .udp_off = ETH_LEN + IP4_LEN,
	    .dns_off = PLAIN_DNS_OFF,
	    .version = 4,
	    .dns_len = (uint16_t)plain->dns_len};
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
	const uint16_t hops = htobe16(IP4_HOPS << 8 | PROTO_UDP);
	uint64_t addresses;

	memcpy(&addresses, ip + 12, sizeof addresses);

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
	memcpy(ip + 12, &addresses, sizeof addresses);
	return pair;
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

// As frame_reply(). `sum`: frame_plain.sum with the reply in the query's place, below 2^62.
static inline size_t frame_plain_reply(uint8_t *bytes, unsigned dns_len, uint64_t sum)
{
	uint8_t *udp = bytes + ETH_LEN + IP4_LEN;
	const unsigned udp_len = UDP_LEN + dns_len;
	const uint16_t udp_len_be = frame_be16(udp_len);
	uint16_t field = (uint16_t)~checksum_fold(sum + 2u * udp_len_be);
	uint32_t ports;

	memcpy(&ports, udp, sizeof ports);
	if (field == 0) // RFC 768: a sum of zero is sent as all ones
		field = 0xffff;
	ports = ports << 16 | ports >> 16;
	frame_swap_macs(bytes);
	frame_ip4_put(bytes + ETH_LEN, udp_len);
	memcpy(udp, &ports, sizeof ports);
	memcpy(udp + 4, &udp_len_be, sizeof udp_len_be);
	memcpy(udp + 6, &field, sizeof field);
	return frame_pad(bytes, PLAIN_DNS_OFF + dns_len);
}
