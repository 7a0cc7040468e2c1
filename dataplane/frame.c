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
#include "frame_plain.h"
#include "frame_served.h"

enum {
	TAG_LEN = 4,
	ETH_TYPE_IP4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_IP6 = 0x86dd,
	PROTO_HOP = 0,
	PROTO_TCP = 6,
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

// What frame_plain.h looks at.
static void served_tell(struct frame_served *served, unsigned slot)
{
	const uint8_t *addr = served->slots[slot].addr;

	if (served->slots[slot].version == 6) {
		if (served->first6 == 0)
			served->first6 = slot + 1;
		served->source_odd6[served6_byte(addr)] = 1;
		return;
	}
	if (served->first4 == 0) {
		served->first4 = served->slots[slot].key;
		for (unsigned i = 0; i < 256; i++)
			served->source_odd4[i] = frame_ip4_is_bogus(&(uint8_t){(uint8_t)i});
	}
	served->source_odd4[addr[0]] = 1;
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
	served_tell(served, i);
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
		if (frame_ip4_is_bogus(src))
			return true;
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

	size_t udp_len = frame_load16(udp + 4);
	if (udp_len < UDP_LEN || udp_len != payload)
		return FRAME_UDP_LENGTH;
	if (udp_len < UDP_LEN + FRAME_DNS_MIN)
		return FRAME_UDP_SHORT;

	unsigned port = frame_load16(udp);
	if (port_is_reflector(port))
		return FRAME_UDP_PORT;

	uint16_t field = frame_load16_be(udp + 6);
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
	unsigned src = frame_load16(l4), dst = frame_load16(l4 + 2);

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
	if (frame_served_has(&rules->served, version, dst, frame_load16_be(l4 + 2)))
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
	unsigned fragment = frame_load16(ip + 6);
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
	size_t total = frame_load16(ip + 2);
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
			if ((frame_load16(ip + off + 2) & 0xfff8) != 0)
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
	size_t payload = frame_load16(ip + 4);
	if (payload > avail - IP6_LEN)
		return FRAME_IP_LENGTH;

	out->version = 6;
	out->udp_off = (uint8_t)(out->ip_off + IP6_LEN);
	return classify_ours(bytes, rules, out, ip + 8, payload);
}

enum frame_verdict frame_classify(
    const uint8_t *bytes, size_t len, const struct frame_rules *rules, struct frame *out)
{
	if (len < ETH_LEN)
		return FRAME_RUNT;

	unsigned type = frame_load16(bytes + 12);
	out->ip_off = ETH_LEN;
	if (type == ETH_TYPE_VLAN && rules->vlan != 0) {
		if (len < ETH_LEN + TAG_LEN)
			return FRAME_RUNT;
		if ((frame_load16(bytes + 14) & 0xfff) != rules->vlan)
			return FRAME_PUNT_OTHER;
		type = frame_load16(bytes + 16);
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

size_t frame_reply(uint8_t *bytes, const struct frame *frame, size_t dns_len, uint64_t dns_sum)
{
	uint8_t *ip = bytes + frame->ip_off, *udp = bytes + frame->udp_off;
	const unsigned udp_len = (unsigned)(UDP_LEN + dns_len);
	const uint16_t udp_len_be = frame_be16(udp_len);
	uint32_t ports;
	uint64_t sum; // swapping addresses and ports does not change it

	memcpy(&ports, udp, sizeof ports);
	frame_swap_macs(bytes);
	if (frame->version == 4) {
		sum = checksum_sum(ip + IP4_SOURCE, 8, 0);
		frame_ip4_put(ip, udp_len);
	} else {
		sum = checksum_sum(ip + IP6_SOURCE, 32, 0);
		frame_ip6_put(ip, udp_len);
	}
	// Pseudo header: addresses, protocol, length; UDP: ports, length.
	sum = checksum_add(sum, (uint64_t)ports + htobe16(PROTO_UDP) + udp_len_be + udp_len_be);

	uint16_t field = (uint16_t)~checksum_fold(checksum_add(sum, dns_sum));

	if (field == 0) // RFC 768: a sum of zero is sent as all ones
		field = 0xffff;
	ports = ports << 16 | ports >> 16;
	memcpy(udp, &ports, sizeof ports);
	memcpy(udp + 4, &udp_len_be, sizeof udp_len_be);
	memcpy(udp + 6, &field, sizeof field);
	return frame_pad(bytes, frame->dns_off + dns_len);
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
		p->sin_port = frame_load16_be(udp);
		l->sin_port = frame_load16_be(udp + 2);
	} else {
		struct sockaddr_in6 *p = (void *)peer, *l = (void *)local;
		p->sin6_family = l->sin6_family = AF_INET6;
		memcpy(&p->sin6_addr, ip + 8, 16);
		memcpy(&l->sin6_addr, ip + 24, 16);
		p->sin6_port = frame_load16_be(udp);
		l->sin6_port = frame_load16_be(udp + 2);
	}
}
