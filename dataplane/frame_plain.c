// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See frame_plain.h. One function, with nothing in it that would need more registers than a call
// has to spare. Fields are taken from wide loads, which little-endian machines have the right way
// round; others find no frame plain.
#include "frame_plain.h"

#include "frame_served.h"
#include "wide.h"

// Nearly every answer is in the first slot; the rest is left to frame_served_has().
static inline bool served4_surely(const struct frame_served *served, uint64_t key)
{
	return served->slots[served4_slot((uint32_t)key)].key == key;
}

static inline bool served4_surely_not(const struct frame_served *served, uint32_t addr)
{
	return served->slots[served4_slot(addr)].key == 0;
}

// checksum_sum() of the last bytes of a frame, below 2^62. Pre: 31 bytes in front of `data` are the
// frame's, too; 0 < len <= 65535.
#if defined(NAMEPLANE_PORTABLE) || !defined(__AVX2__)
static inline uint64_t frame_sum_backwards(const uint8_t *data, unsigned len)
{
	return checksum_fold(checksum_sum(data, len, 0));
}
#else
typedef uint32_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

// 32 bytes of it, from the n-th on, keep the last n + 1 bytes of a vector.
#define TIMES8(x) x, x, x, x, x, x, x, x
static const uint8_t sum_masks[64] = {
    [31] = 0xff, TIMES8(0xff), TIMES8(0xff), TIMES8(0xff), TIMES8(0xff)};

// The lower half of each 32 bits, by one instruction and no constant.
static inline lanes even_words(lanes v)
{
	typedef short words __attribute__((vector_size(32)));
	const words zero = {0};

	return (lanes)__builtin_shufflevector(
	    (words)v, zero, 0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31);
}

// By whole vectors from the end backwards, so that one mask on the first of them is all the care
// their number needs.
static inline uint64_t frame_sum_backwards(const uint8_t *data, unsigned len)
{
	typedef uint64_t half __attribute__((vector_size(16)));
	const unsigned last = (len - 1) & 31;
	const uint8_t *at = data + last - 31, *end = data + len;
	lanes v = *(const lanes *)at & *(const lanes *)(sum_masks + last);
	lanes sum = even_words(v) + (v >> 16);

	// A lane has 32 bits, and no frame the words to fill it.
	for (at += 32; at != end; at += 32) {
		v = *(const lanes *)at;
		sum += even_words(v) + (v >> 16);
	}
	const half both = (half)__builtin_shufflevector(sum, sum, 0, 1, 2, 3) +
	                  (half)__builtin_shufflevector(sum, sum, 4, 5, 6, 7);
	return checksum_at(both[0] + both[1], len);
}
#endif

// Is it 0 but for the whole of its carries? Times the inverse of 2^16 - 1, a multiple of that is
// its quotient, and no other number comes out as small.
static inline bool frame_sum_is_right(uint64_t sum)
{
	return sum * 0xfffefffefffeffff <= UINT64_MAX / 0xffff;
}

struct frame_plain frame_plain_classify(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules)
{
	const struct frame_plain none = {0, 0};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	// Group bits of both MAC addresses; ethertype; version and length of the IP header;
	// fragment offset and more fragments; protocol.
	static const uint8_t want[32] = {[12] = 0x08, 0x00, 0x45, [23] = PROTO_UDP};
	static const uint8_t mask[32] = {
	    [0] = 1, [6] = 1, [12] = 0xff, 0xff, 0xff, [20] = 0x3f, 0xff, [23] = 0xff};
	const uint8_t *ip = bytes + ETH_LEN, *udp = ip + IP4_LEN;

	if (len < PLAIN_DNS_OFF + FRAME_DNS_MIN || rules->vlan != 0)
		return none;

	const uint64_t ports = frame_load64(udp);
	const uint32_t source = frame_load32(ip + 12);
	const unsigned udp_len = be32toh(frame_load32(udp + 4)) >> 16, net = source & 0xff;

	if (!wide_matches(bytes, want, mask) || frame_load64(bytes + 6) << 16 == 0)
		return none;
	if (udp_len < UDP_LEN + FRAME_DNS_MIN ||
	    udp_len + IP4_LEN != (be32toh(frame_load32(ip)) & 0xffff) ||
	    udp_len + IP4_LEN + ETH_LEN > len)
		return none;
	// 0/8, loopback, multicast and beyond; ports below 1024, 1900 and 11211
	// (port_is_reflector).
	if (net - 1 >= 223 || net == 127 || (ports & 0xff) < 1024 >> 8 ||
	    (ports & 0xffff) == 0x6c07 || (ports & 0xffff) == 0xcb2b)
		return none;
	if (!served4_surely(&rules->served, frame_load64(ip + 16) & (KEY_PORT | KEY_ADDRESS)) ||
	    !served4_surely_not(&rules->served, source))
		return none;

	const uint64_t pair = (uint64_t)source + frame_load32(ip + 16);
	const uint64_t len_be = ports >> 32 & 0xffff, field = ports >> 48;

	if (!frame_sum_is_right(
	        pair + frame_load32(ip) + frame_load32(ip + 4) + frame_load32(ip + 8)))
		return none;

	const uint64_t sum = frame_sum_backwards(udp, udp_len) + pair + htobe16(PROTO_UDP) + len_be;

	if (field != 0 && !frame_sum_is_right(sum))
		return none;
	// Without the checksum and the two lengths; any multiple of 2^16 - 1 keeps it positive.
	return (struct frame_plain){
	    udp_len - UDP_LEN, sum + (UINT64_C(0xffff) << 8) - field - 2 * len_be};
#else
	return none;
#endif
}
