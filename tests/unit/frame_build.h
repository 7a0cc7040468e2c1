// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Frames of queries, built by slow code that shares nothing with the one under test.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct frame_spec {
	unsigned version;
	unsigned vlan;
	size_t dns_len;
	uint16_t port;
	const uint8_t *dns; // NULL: a counting pattern
};

// RFC 1071 the slow way: 16-bit big-endian words, one after another.
static inline uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static inline size_t ip_off(const struct frame_spec *s)
{
	return s->vlan != 0 ? 18 : 14;
}

static inline size_t ip_len(const struct frame_spec *s)
{
	return s->version == 4 ? 20 : 40;
}

static inline uint16_t udp_sum(const struct frame_spec *s, const uint8_t *frame, size_t udp_len)
{
	const uint8_t *ip = frame + ip_off(s), *udp = ip + ip_len(s);
	const uint8_t *addresses = s->version == 4 ? ip + 12 : ip + 8;
	uint16_t sum = slow_sum(addresses, s->version == 4 ? 8 : 32, 0);

	sum = slow_sum((const uint8_t[]){0, 17, (uint8_t)(udp_len >> 8), (uint8_t)udp_len}, 4, sum);
	return slow_sum(udp, udp_len, sum);
}

static inline void fix_ip4(const struct frame_spec *s, uint8_t *frame)
{
	uint8_t *ip = frame + ip_off(s);

	put16(ip + 10, 0);
	put16(ip + 10, 0xffff & ~slow_sum(ip, (ip[0] & 15) * 4u, 0));
}

static inline void fix_udp(const struct frame_spec *s, uint8_t *frame)
{
	uint8_t *udp = frame + ip_off(s) + ip_len(s);

	put16(udp + 6, 0);
	put16(udp + 6, 0xffff & ~udp_sum(s, frame, get16(udp + 4)));
}

static const uint8_t client4[4] = {192, 0, 2, 7}, server4[4] = {198, 51, 100, 53};
static const uint8_t client6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};
static const uint8_t server6[16] = {0x20, 1, 0xd, 0xb8, [14] = 1, [15] = 0x53};

// A valid query frame.
static inline size_t build(const struct frame_spec *s, uint8_t *f)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	size_t udp_len = 8 + s->dns_len;

	memcpy(f, macs, 12);
	uint8_t *p = f + 12;
	if (s->vlan != 0) {
		put16(p, 0x8100);
		put16(p + 2, 0x6000 | s->vlan); // with a priority
		p += 4;
	}
	put16(p, s->version == 4 ? 0x0800 : 0x86dd);
	uint8_t *ip = p + 2;
	if (s->version == 4) {
		memcpy(ip, (const uint8_t[20]){0x45, 0x20, 0, 0, 0x12, 0x34, 0, 0, 57, 17}, 20);
		put16(ip + 2, (unsigned)(20 + udp_len));
		memcpy(ip + 12, client4, 4);
		memcpy(ip + 16, server4, 4);
		fix_ip4(s, f);
	} else {
		memcpy(ip, (const uint8_t[8]){0x62, 0x0a, 0xbc, 0xde, 0, 0, 17, 57}, 8);
		put16(ip + 4, (unsigned)udp_len);
		memcpy(ip + 8, client6, 16);
		memcpy(ip + 24, server6, 16);
	}
	uint8_t *udp = ip + ip_len(s);
	put16(udp, s->port);
	put16(udp + 2, 53);
	put16(udp + 4, (unsigned)udp_len);
	for (size_t i = 0; i < s->dns_len; i++)
		udp[8 + i] = s->dns != NULL ? s->dns[i] : (uint8_t)(i * 7 + 1);
	fix_udp(s, f);
	return ip_off(s) + ip_len(s) + udp_len;
}
