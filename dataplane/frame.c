// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Strict classification of received frames; see frame.h. Called by workers. The order is: find out
// whether the frame is UDP to a served address (if not it is the kernel's, whatever is wrong with
// it), and only then be strict.

#include "frame.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "checksum.h"
#include "wide.h"

enum {
	ETH_LEN = 14,
	TAG_LEN = 4,
	IP4_LEN = 20,
	IP6_LEN = 40,
	UDP_LEN = 8,
	ETH_TYPE_IP4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_IP6 = 0x86dd,
	PROTO_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_OPTIONS = 60,
	PORT_BGP = 179,
	PORT_BFD = 3784,
	PORT_BFD_MULTIHOP = 4784,
	// RFC 8200 4.1 lists six headers, of which one may stand twice. The XDP program walks as
	// far.
	IP6_HEADERS_MAX = 8,
};

static inline uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint16_t load16_be(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

// Served addresses are the operator's choice: no keyed hash is needed, and the table is never more
// than a quarter full.
static inline unsigned served4_slot(uint32_t addr)
{
	return (unsigned)(addr * 0xff51afd7ed558ccdu >> 40) % FRAME_SERVED_SLOTS;
}

static unsigned served_slot(unsigned version, const uint8_t *addr)
{
	uint64_t a, b;
	uint32_t addr4;

	if (version == 4) {
		memcpy(&addr4, addr, 4);
		return served4_slot(addr4);
	}
	memcpy(&a, addr, 8);
	memcpy(&b, addr + 8, 8);
	a = (a ^ b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
	return (unsigned)(a >> 40) % FRAME_SERVED_SLOTS;
}

// What one comparison tells apart: of IPv4 it is, where machines are little-endian, what stands in
// the packet from the destination address on but for the source port.
#define KEY_PORT    0xffff000000000000u
#define KEY_ADDRESS 0x00000000ffffffffu
static inline uint64_t served_key(unsigned version, const uint8_t *addr, uint16_t port_be)
{
	uint32_t addr4;

	memcpy(&addr4, addr, 4);
	return (uint64_t)port_be << 48 | (version == 4 ? addr4 : (uint64_t)6 << 32);
}

bool frame_served_has(
    const struct frame_served *served, unsigned version, const uint8_t *addr, uint16_t port_be)
{
	const uint64_t any_port = port_be == 0 ? KEY_PORT : 0;
	const uint64_t key = served_key(version, addr, port_be);
	unsigned i = served_slot(version, addr);

	// Bound: the table has free slots (FRAME_SERVED_MAX < FRAME_SERVED_SLOTS).
	for (; served->slots[i].key != 0; i = (i + 1) % FRAME_SERVED_SLOTS) {
		if ((served->slots[i].key & ~any_port) == key &&
		    (version == 4 || memcmp(served->slots[i].addr, addr, 16) == 0))
			return true;
	}
	return false;
}

int frame_served_add(struct frame_served *served, const struct sockaddr *address)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	const uint8_t *addr;
	unsigned version;
	uint16_t port_be;

	if (address->sa_family == AF_INET) {
		version = 4;
		addr = (const uint8_t *)&in->sin_addr;
		port_be = in->sin_port;
	} else if (address->sa_family == AF_INET6) {
		version = 6;
		addr = in6->sin6_addr.s6_addr;
		port_be = in6->sin6_port;
	} else {
		return -EAFNOSUPPORT;
	}
	if (port_be == 0)
		return -EINVAL;
	if (frame_served_has(served, version, addr, port_be))
		return 0;
	if (served->count == FRAME_SERVED_MAX)
		return -ENOSPC;

	unsigned i = served_slot(version, addr);
	while (served->slots[i].key != 0)
		i = (i + 1) % FRAME_SERVED_SLOTS;
	memcpy(served->slots[i].addr, addr, version == 4 ? 4 : 16);
	served->slots[i].version = (uint8_t)version;
	served->slots[i].port_be = port_be;
	served->slots[i].key = served_key(version, addr, port_be);
	served->count++;
	return 0;
}

// Services that answer anything, or that are themselves used for reflection: a query that claims to
// come from them is a forgery, and answering it would start or feed a loop.
static bool port_is_reflector(unsigned port)
{
	switch (port) {
	case 0:     // reserved
	case 7:     // echo
	case 13:    // daytime
	case 17:    // quote of the day
	case 19:    // chargen
	case 37:    // time
	case 69:    // TFTP
	case 123:   // NTP
	case 161:   // SNMP
	case 389:   // CLDAP
	case 464:   // kpasswd
	case 1900:  // SSDP
	case 11211: // memcached
		return true;
	default:
		return false;
	}
}

static bool source_is_bogus(unsigned version, const uint8_t *src, const struct frame_rules *rules)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t zero[15];

	if (version == 4) {
		if (src[0] == 0 || src[0] == 127 || src[0] >= 224)
			return true; // 0/8, loopback, multicast, 240/4 and broadcast
	} else {
		if (src[0] == 0xff)
			return true; // multicast
		if (memcmp(src, zero, sizeof zero) == 0 && src[15] <= 1)
			return true; // unspecified, loopback
		if (memcmp(src, mapped, sizeof mapped) == 0)
			return true; // IPv4-mapped never stands in a packet
	}
	return frame_served_has(&rules->served, version, src, 0);
}

static uint64_t pseudo_sum(const uint8_t *addresses, size_t len, unsigned udp_len)
{
	uint8_t rest[4] = {0, PROTO_UDP, (uint8_t)(udp_len >> 8), (uint8_t)udp_len};
	uint32_t word;

	memcpy(&word, rest, sizeof word);
	return checksum_sum(addresses, len, word);
}

// The checks that are the same for both versions of IP. `payload` is what the IP header says.
static enum frame_verdict classify_ours(const uint8_t *bytes, const struct frame_rules *rules,
    struct frame *out, const uint8_t *addresses, size_t payload)
{
	const uint8_t *udp = bytes + out->udp_off;
	size_t addr_len = out->version == 4 ? 4 : 16;

	if (source_is_bogus(out->version, addresses, rules))
		return FRAME_IP_SOURCE;
	if (payload < UDP_LEN)
		return FRAME_IP_LENGTH;

	size_t udp_len = load16(udp + 4);
	if (udp_len < UDP_LEN || udp_len != payload)
		return FRAME_UDP_LENGTH;
	if (udp_len < UDP_LEN + FRAME_DNS_MIN)
		return FRAME_UDP_SHORT;

	unsigned port = load16(udp);
	if (port_is_reflector(port))
		return FRAME_UDP_PORT;

	uint16_t field = load16_be(udp + 6);
	if (field == 0) {
		if (out->version == 6) // RFC 8200 8.1
			return FRAME_UDP_CHECKSUM_ZERO;
	} else {
		uint64_t pseudo = pseudo_sum(addresses, 2 * addr_len, (unsigned)udp_len);
		if (checksum_fold(checksum_sum(udp, udp_len, pseudo)) != 0xffff &&
		    !(rules->accept_partial && field == checksum_fold(pseudo)))
			return FRAME_UDP_CHECKSUM;
	}
	out->dns_off = (uint8_t)(out->udp_off + UDP_LEN);
	out->dns_len = (uint16_t)(udp_len - UDP_LEN);
	out->dns_sum = checksum_sum(bytes + out->dns_off, out->dns_len, 0);
	out->no_error = port < 1024;
	return FRAME_DNS;
}

static enum frame_verdict classify_mac(const uint8_t *bytes)
{
	static const uint8_t zero[6];

	if ((bytes[0] & 1) != 0)
		return FRAME_MAC_GROUP;
	if ((bytes[6] & 1) != 0 || memcmp(bytes + 6, zero, sizeof zero) == 0)
		return FRAME_MAC_SOURCE;
	return FRAME_DNS;
}

static bool port_is_control(unsigned proto, const uint8_t *l4)
{
	unsigned src = load16(l4), dst = load16(l4 + 2);

	if (proto == PROTO_TCP)
		return src == PORT_BGP || dst == PORT_BGP;
	return dst == PORT_BFD || dst == PORT_BFD_MULTIHOP;
}

// Whose is it? `l4` of `l4_len` bytes follows the headers; to `dst`.
// FRAME_DNS: UDP to a served address and port, still to be checked.
static enum frame_verdict classify_owner(const struct frame_rules *rules, unsigned version,
    const uint8_t *dst, unsigned proto, const uint8_t *l4, size_t l4_len)
{
	if (proto == PROTO_ICMP6 && version == 6) {
		// RFC 4861: router and neighbour solicitation, advertisement, redirect
		if (l4_len > 0 && l4[0] >= 133 && l4[0] <= 137)
			return FRAME_PUNT_CONTROL;
		return FRAME_PUNT_OTHER;
	}
	if (proto == PROTO_TCP)
		return l4_len >= 4 && port_is_control(proto, l4) ? FRAME_PUNT_CONTROL
		                                                 : FRAME_PUNT_TCP;
	if (proto != PROTO_UDP)
		return FRAME_PUNT_OTHER;
	if (l4_len < UDP_LEN)
		return frame_served_has(&rules->served, version, dst, 0) ? FRAME_IP_TRUNCATED
		                                                         : FRAME_PUNT_OTHER;
	if (frame_served_has(&rules->served, version, dst, load16_be(l4 + 2)))
		return FRAME_DNS;
	return port_is_control(proto, l4) ? FRAME_PUNT_CONTROL : FRAME_PUNT_OTHER;
}

static enum frame_verdict classify_ip4(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules, struct frame *out)
{
	const uint8_t *ip = bytes + out->ip_off;
	size_t avail = len - out->ip_off;

	if (avail < IP4_LEN)
		return FRAME_IP_TRUNCATED;
	if (ip[0] >> 4 != 4)
		return FRAME_IP_VERSION;
	size_t header = (size_t)(ip[0] & 15) * 4;
	if (header < IP4_LEN)
		return FRAME_IP4_HEADER;
	if (header > avail)
		return FRAME_IP_TRUNCATED;

	// A later fragment has no ports. Without the first one, which is dropped here when it is
	// ours, it comes to nothing in the kernel too.
	unsigned fragment = load16(ip + 6);
	if ((fragment & 0x1fff) != 0)
		return FRAME_PUNT_OTHER;

	enum frame_verdict v =
	    classify_owner(rules, 4, ip + 16, ip[9], ip + header, avail - header);
	if (v != FRAME_DNS)
		return v;

	v = classify_mac(bytes);
	if (v != FRAME_DNS)
		return v;
	if ((fragment & 0x2000) != 0)
		return FRAME_IP4_FRAGMENT;
	if (header > IP4_LEN)
		return FRAME_IP4_OPTIONS;
	size_t total = load16(ip + 2);
	if (total < IP4_LEN || total > avail)
		return FRAME_IP_LENGTH;
	if (checksum_fold(checksum_sum(ip, IP4_LEN, 0)) != 0xffff)
		return FRAME_IP4_CHECKSUM;

	out->version = 4;
	out->udp_off = (uint8_t)(out->ip_off + IP4_LEN);
	return classify_ours(bytes, rules, out, ip + 12, total - IP4_LEN);
}

// Length in bytes of the extension header at `p`, or 0 when `next` is none that can be skipped.
static size_t ip6_extension_len(unsigned next, const uint8_t *p)
{
	switch (next) {
	case PROTO_HOP:
	case PROTO_ROUTING:
	case PROTO_OPTIONS:
		return (size_t)p[1] * 8 + 8;
	case PROTO_AH: // RFC 4302 2.2: in 4-byte units, minus 2
		return (size_t)p[1] * 4 + 8;
	case PROTO_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static enum frame_verdict classify_ip6(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules, struct frame *out)
{
	const uint8_t *ip = bytes + out->ip_off;
	size_t avail = len - out->ip_off;

	if (avail < IP6_LEN)
		return FRAME_IP_TRUNCATED;
	if (ip[0] >> 4 != 6)
		return FRAME_IP_VERSION;

	unsigned next = ip[6];
	size_t off = IP6_LEN;
	bool fragment = false;
	for (unsigned i = 0; i < IP6_HEADERS_MAX && avail - off >= 8; i++) {
		size_t header = ip6_extension_len(next, ip + off);
		if (header == 0)
			break;
		if (next == PROTO_FRAGMENT) {
			fragment = true;
			if ((load16(ip + off + 2) & 0xfff8) != 0)
				return FRAME_PUNT_OTHER; // no ports in a later fragment
		}
		if (header > avail - off)
			return FRAME_PUNT_OTHER; // the kernel will not like it either
		next = ip[off];
		off += header;
	}

	enum frame_verdict v = classify_owner(rules, 6, ip + 24, next, ip + off, avail - off);
	if (v != FRAME_DNS)
		return v;

	v = classify_mac(bytes);
	if (v != FRAME_DNS)
		return v;
	if (fragment)
		return FRAME_IP6_FRAGMENT;
	if (off > IP6_LEN)
		return FRAME_IP6_EXTENSION;
	size_t payload = load16(ip + 4);
	if (payload > avail - IP6_LEN)
		return FRAME_IP_LENGTH;

	out->version = 6;
	out->udp_off = (uint8_t)(out->ip_off + IP6_LEN);
	return classify_ours(bytes, rules, out, ip + 8, payload);
}

// --- the frame that nearly all are: untagged, IPv4 without options, whole
// -----------------------------------------------------------------------------

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

// Nearly every answer is in the first slot; the rest is left to frame_served_has().
static inline bool served4_surely(const struct frame_served *served, uint64_t key)
{
	return served->slots[served4_slot((uint32_t)key)].key == key;
}

static inline bool served4_surely_not(const struct frame_served *served, uint32_t addr)
{
	return served->slots[served4_slot(addr)].key == 0;
}

// checksum_sum() of the last bytes of a frame, by whole vectors from the end backwards, so that one
// mask on the first of them is all the care their number needs. Pre: 31 bytes in front of `data`
// are the frame's, too.
static inline uint64_t sum_backwards(const uint8_t *data, size_t len)
{
#ifdef NAMEPLANE_PORTABLE
	return checksum_sum(data, len, 0);
#else
	typedef uint32_t lanes __attribute__((vector_size(32), aligned(1), may_alias));
	typedef uint64_t words __attribute__((vector_size(32)));
	static const uint8_t masks[63] = {[31] = 0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff,
	    0xff};
	const uint8_t *at = data + ((len - 1) & 31) - 31, *end = data + len;
	lanes v = *(const lanes *)at & *(const lanes *)(masks + ((len - 1) & 31));
	lanes sum = (v & 0xffff) + (v >> 16);

	// A lane has 32 bits, and no frame the words to fill it.
	for (at += 32; at != end; at += 32) {
		v = *(const lanes *)at;
		sum += (v & 0xffff) + (v >> 16);
	}
	const words w = (words)sum;
	return checksum_at(w[0] + w[1] + w[2] + w[3], len);
#endif
}

// True: FRAME_DNS and *out filled. False says nothing: the whole of the rules is below. Here fields
// are taken from wide loads, which little-endian machines have the right way round.
static inline bool classify_plain(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules, struct frame *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	// Group bits of both MAC addresses; ethertype; version and length of the IP header;
	// fragment offset and more fragments; protocol.
	static const uint8_t want[32] = {[12] = 0x08, 0x00, 0x45, [23] = PROTO_UDP};
	static const uint8_t mask[32] = {
	    [0] = 1, [6] = 1, [12] = 0xff, 0xff, 0xff, [20] = 0x3f, 0xff, [23] = 0xff};
	const uint8_t *ip = bytes + ETH_LEN, *udp = ip + IP4_LEN;

	if (len < ETH_LEN + IP4_LEN + UDP_LEN + FRAME_DNS_MIN || rules->vlan != 0)
		return false;

	const uint64_t ports = load64(udp), source = load32(ip + 12), served = load32(ip + 16);
	const unsigned udp_len = load16(udp + 4), total = load16(ip + 2);
	const uint8_t net = ip[12];

	if (!wide_matches(bytes, want, mask) || load64(bytes + 6) << 16 == 0)
		return false;
	if (udp_len < UDP_LEN + FRAME_DNS_MIN || udp_len + IP4_LEN != total ||
	    total > len - ETH_LEN)
		return false;
	// 0/8, loopback, multicast and beyond; ports below 1024, 1900 and 11211
	// (port_is_reflector).
	if (net - 1u >= 223 || net == 127 || (ports & 0xff) < 1024 >> 8 ||
	    (ports & 0xffff) == 0x6c07 || (ports & 0xffff) == 0xcb2b)
		return false;
	if (!served4_surely(&rules->served, load64(ip + 16) & (KEY_PORT | KEY_ADDRESS)) ||
	    !served4_surely_not(&rules->served, (uint32_t)source))
		return false;

	// A sum is right when it is 0 but for the whole of its carries: never 0 itself, as there is
	// more than zero in it.
	const uint64_t pair = source + served;
	const uint64_t pseudo = pair + __builtin_bswap16(PROTO_UDP) + (ports >> 32 & 0xffff);

	if ((pair + load32(ip) + load32(ip + 4) + load32(ip + 8)) % 0xffff != 0)
		return false;
	if (ports >> 48 != 0) {
		const uint64_t sum = sum_backwards(udp, udp_len);

		if (checksum_add(sum, pseudo) % 0xffff != 0)
			return false;
		out->dns_sum = checksum_add(sum, ~ports);
	} else {
		out->dns_sum = sum_backwards(udp + UDP_LEN, udp_len - UDP_LEN);
	}
	out->ip_off = ETH_LEN;
	out->udp_off = ETH_LEN + IP4_LEN;
	out->dns_off = ETH_LEN + IP4_LEN + UDP_LEN;
	out->dns_len = (uint16_t)(udp_len - UDP_LEN);
	out->version = 4;
	out->no_error = false;
	return true;
#else
	return false;
#endif
}

enum frame_verdict frame_classify(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules, struct frame *out)
{
	if (classify_plain(bytes, len, rules, out))
		return FRAME_DNS;
	if (len < ETH_LEN)
		return FRAME_RUNT;

	unsigned type = load16(bytes + 12);
	out->ip_off = ETH_LEN;
	if (type == ETH_TYPE_VLAN && rules->vlan != 0) {
		if (len < ETH_LEN + TAG_LEN)
			return FRAME_RUNT;
		if ((load16(bytes + 14) & 0xfff) != rules->vlan)
			return FRAME_PUNT_OTHER;
		type = load16(bytes + 16);
		out->ip_off = ETH_LEN + TAG_LEN;
	} else if (rules->vlan != 0) {
		// Queries come tagged here; an untagged frame to a served address is somebody
		// else's, and so the kernel's to judge.
		return type == ETH_TYPE_ARP ? FRAME_PUNT_CONTROL : FRAME_PUNT_OTHER;
	}
	switch (type) {
	case ETH_TYPE_IP4:
		return classify_ip4(bytes, len, rules, out);
	case ETH_TYPE_IP6:
		return classify_ip6(bytes, len, rules, out);
	case ETH_TYPE_ARP:
		return FRAME_PUNT_CONTROL;
	default: // other tags and QinQ among them
		return FRAME_PUNT_OTHER;
	}
}

static inline void swap_macs(uint8_t *bytes)
{
	typedef uint8_t lanes __attribute__((vector_size(16), aligned(1), may_alias));
	lanes v = *(const lanes *)bytes;

	*(lanes *)bytes =
	    __builtin_shufflevector(v, v, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
}

// The sums are made of what was read before anything is stored: reading back what was just stored
// in smaller pieces would stall. Swapping addresses and ports does not change a sum.
size_t frame_reply(uint8_t *bytes, const struct frame *frame, size_t dns_len, uint64_t dns_sum)
{
	uint8_t *ip = bytes + frame->ip_off, *udp = bytes + frame->udp_off;
	unsigned udp_len = (unsigned)(UDP_LEN + dns_len);
	// Swapped as the upper half of a word: of 16 bits the compiler makes a round through
	// memory.
	const uint16_t udp_len_be = (uint16_t)__builtin_bswap32(udp_len << 16);
	const uint16_t proto_be = __builtin_bswap16(PROTO_UDP);
	uint32_t ports;
	uint64_t sum;
	uint16_t field;

	memcpy(&ports, udp, sizeof ports);
	swap_macs(bytes);
	if (frame->version == 4) {
		// ID 0: RFC 6864 4.1, an atomic datagram's means nothing. DF: RFC 9715 3.1.
		const uint64_t head =
		    htobe64(0x4500000000004000 | (uint64_t)(IP4_LEN + udp_len) << 32);
		const uint16_t hops = htobe16(64 << 8 | PROTO_UDP);
		uint64_t addresses;

		memcpy(&addresses, ip + 12, sizeof addresses);
		sum = (addresses & 0xffffffff) + (addresses >> 32);
		field = (uint16_t)~checksum_fold(checksum_add(sum + hops, head));
		addresses = addresses << 32 | addresses >> 32;
		memcpy(ip, &head, sizeof head);
		memcpy(ip + 8, &hops, sizeof hops);
		memcpy(ip + 10, &field, sizeof field);
		memcpy(ip + 12, &addresses, sizeof addresses);
	} else {
		uint64_t a[4];

		memcpy(a, ip + 8, sizeof a);
		sum = checksum_add(checksum_add(a[0], a[1]), checksum_add(a[2], a[3]));
		memcpy(ip, (const uint8_t[4]){0x60}, 4);
		memcpy(ip + 4, &udp_len_be, sizeof udp_len_be);
		ip[6] = PROTO_UDP;
		ip[7] = 64;
		memcpy(ip + 8, &a[2], 16);
		memcpy(ip + 24, &a[0], 16);
	}
	// Pseudo header: addresses, protocol, length; UDP: ports, length.
	sum = checksum_add(sum, (uint64_t)ports + proto_be + udp_len_be + udp_len_be);
	field = (uint16_t)~checksum_fold(checksum_add(sum, dns_sum));
	if (field == 0) // RFC 768: a sum of zero is sent as all ones
		field = 0xffff;
	ports = ports << 16 | ports >> 16;
	memcpy(udp, &ports, sizeof ports);
	memcpy(udp + 4, &udp_len_be, sizeof udp_len_be);
	memcpy(udp + 6, &field, sizeof field);

	size_t len = frame->dns_off + dns_len;
	if (len < 60) { // the padding must not be the query's bytes (CVE-2003-0001)
		memset(bytes + len, 0, 60 - len);
		len = 60;
	}
	return len;
}

void frame_addresses(const uint8_t *bytes, const struct frame *frame, struct sockaddr_storage *peer,
    struct sockaddr_storage *local)
{
	const uint8_t *ip = bytes + frame->ip_off, *udp = bytes + frame->udp_off;

	memset(peer, 0, sizeof *peer);
	memset(local, 0, sizeof *local);
	if (frame->version == 4) {
		struct sockaddr_in *p = (void *)peer, *l = (void *)local;
		p->sin_family = l->sin_family = AF_INET;
		memcpy(&p->sin_addr, ip + 12, 4);
		memcpy(&l->sin_addr, ip + 16, 4);
		p->sin_port = load16_be(udp);
		l->sin_port = load16_be(udp + 2);
	} else {
		struct sockaddr_in6 *p = (void *)peer, *l = (void *)local;
		p->sin6_family = l->sin6_family = AF_INET6;
		memcpy(&p->sin6_addr, ip + 8, 16);
		memcpy(&l->sin6_addr, ip + 24, 16);
		p->sin6_port = load16_be(udp);
		l->sin6_port = load16_be(udp + 2);
	}
}
