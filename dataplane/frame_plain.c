// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See frame_plain.h: tables, and what a frame seldom needs.
#include "frame_plain.h"

// From IPv4's source address on: the address it is to, that port, and of the DNS header QR and
// opcode, and the four counts: one question, and at most one record, which may be an OPT.
const uint8_t frame_plain_mask4[WIDE] __attribute__((aligned(WIDE))) = {[4] = 0xff,
    0xff,
    0xff,
    0xff,
    [10] = 0xff,
    0xff,
    [18] = 0xf8,
    [20] = 0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xfe};
// From the address on that IPv6 is to: the same, but for the last two counts.
const uint8_t frame_plain_mask6[WIDE] __attribute__((aligned(WIDE))) = {0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [18] = 0xff,
    0xff, [26] = 0xf8, [28] = 0xff, 0xff, 0xff, 0xff};

static void want4_put(struct frame_plain_rules *rules, uint64_t key)
{
	const uint32_t addr = (uint32_t)(key & KEY_ADDRESS);
	const uint16_t port_be = (uint16_t)(key >> 48);

	memcpy(rules->want4 + 4, &addr, sizeof addr);
	memcpy(rules->want4 + 10, &port_be, sizeof port_be);
	rules->want4[21] = 1;
}

static void want6_put(struct frame_plain_rules *rules, const uint8_t *addr, uint16_t port_be)
{
	memcpy(rules->want6, addr, 16);
	memcpy(rules->want6 + 18, &port_be, sizeof port_be);
	rules->want6[29] = 1;
}

// Where no frame may be plain each is looked at twice, and found not to be.
static const uint8_t all_odd[256] = {[0 ... 255] = 1};

void frame_plain_begin(struct frame_plain_rules *plain, const struct frame_rules *rules)
{
	plain->served = &rules->served;
	memset(plain->port_odd, 1, 1024 >> 8);
	plain->port_odd[1900 >> 8] = plain->port_odd[11211 >> 8] = 1;
	memset(plain->keep, 0xff, WIDE);
	plain->odd4 = plain->odd6 = all_odd;
	if (rules->vlan != 0)
		return;
	if (rules->served.first4 != 0) {
		plain->odd4 = rules->served.source_odd4;
		want4_put(plain, rules->served.first4);
	}
	if (rules->served.first6 != 0) {
		const unsigned slot = rules->served.first6 - 1;

		plain->odd6 = rules->served.source_odd6;
		want6_put(plain, rules->served.slots[slot].addr, rules->served.slots[slot].port_be);
	}
}

bool frame_plain_turn4(struct frame_plain_rules *rules, const uint8_t *bytes)
{
	const uint8_t *to = bytes + ETH_LEN + IP4_TO;
	const uint64_t key = frame_load64(to) & (KEY_PORT | KEY_ADDRESS);

	if (!frame_served_has(rules->served, 4, to, frame_load16_be(to + 6)))
		return false;
	want4_put(rules, key);
	return wide_matches(to - 4, rules->want4, frame_plain_mask4);
}

bool frame_plain_turn6(struct frame_plain_rules *rules, const uint8_t *bytes)
{
	const uint8_t *to = bytes + ETH_LEN + IP6_TO;

	if (!frame_served_has(rules->served, 6, to, frame_load16_be(to + 18)))
		return false;
	want6_put(rules, to, frame_load16_be(to + 18));
	return wide_matches(to, rules->want6, frame_plain_mask6);
}

// No reply to such a port is plain: below 1024, or port_is_reflector().
static bool port_is_odd(const uint8_t *port)
{
	const unsigned number = frame_load16(port);

	return number < 1024 || number == 1900 || number == 11211;
}

bool frame_plain_source4(
    const struct frame_plain_rules *rules, const uint8_t *addr, const uint8_t *port)
{
	return rules->odd4 != all_odd && !port_is_odd(port) && !frame_ip4_is_bogus(addr) &&
	       !frame_served_has(rules->served, 4, addr, 0);
}

bool frame_plain_source6(
    const struct frame_plain_rules *rules, const uint8_t *addr, const uint8_t *port)
{
	return rules->odd6 != all_odd && !port_is_odd(port) &&
	       !frame_served_has(rules->served, 6, addr, 0);
}

bool frame_plain_unsummed(uint8_t *udp, uint64_t sum)
{
	const uint16_t field = (uint16_t)~checksum_fold(sum);

	if (frame_load16_be(udp + 6) != 0)
		return false;
	memcpy(udp + 6, &field, sizeof field);
	return true;
}

uint64_t frame_sum_other(const uint8_t *data, unsigned len)
{
	return checksum_fold(checksum_sum(data, len, 0));
}
