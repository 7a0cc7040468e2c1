// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See frame_plain.h: tables, and what a frame seldom needs.
#include "frame_plain.h"

// From the source address on: the address it is to, that port, and of the DNS header QR and opcode,
// and the four counts: one question, and at most one record, which may be an OPT.
const uint8_t frame_plain_mask[WIDE] __attribute__((aligned(WIDE))) = {[4] = 0xff,
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

static void want_put(struct frame_plain_rules *rules, uint64_t key)
{
	const uint32_t addr = (uint32_t)(key & KEY_ADDRESS);
	const uint16_t port_be = (uint16_t)(key >> 48);

	memcpy(rules->want + 4, &addr, sizeof addr);
	memcpy(rules->want + 10, &port_be, sizeof port_be);
	rules->want[21] = 1;
}

void frame_plain_begin(struct frame_plain_rules *plain, const struct frame_rules *rules)
{
	plain->served = &rules->served;
	memset(plain->port_odd, 2, 1024 >> 8);
	plain->port_odd[1900 >> 8] = plain->port_odd[11211 >> 8] = 1;
	memset(plain->keep, 0xff, WIDE);
	plain->on = rules->vlan == 0 && rules->served.first4 != 0 &&
	            __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	want_put(plain, rules->served.first4);
}

bool frame_plain_turn(struct frame_plain_rules *rules, const uint8_t *bytes)
{
	const uint8_t *to = bytes + ETH_LEN + IP4_TO;
	const uint64_t key = frame_load64(to) & (KEY_PORT | KEY_ADDRESS);

	if (!frame_served_has(rules->served, 4, to, frame_load16_be(to + 6)))
		return false;
	want_put(rules, key);
	return wide_matches(to - 4, rules->want, frame_plain_mask);
}

bool frame_plain_source(const struct frame_plain_rules *rules, uint32_t source)
{
	uint8_t addr[4];

	memcpy(addr, &source, sizeof addr);
	return !frame_ip4_is_bogus(addr) && !frame_served_has(rules->served, 4, addr, 0);
}

bool frame_plain_unsummed(uint8_t *udp, uint64_t sum)
{
	const uint16_t field = (uint16_t)~checksum_fold(sum);

	if (frame_load16_be(udp + 6) != 0)
		return false;
	memcpy(udp + 6, &field, sizeof field);
	return true;
}
