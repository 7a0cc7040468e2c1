// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From an Ethernet frame to the DNS message in it, and back: bytes in, verdict out. Workers call
// this for each received frame; nothing here knows DPDK, allocates, or keeps state, so the unit
// tests and the fuzzer call exactly what the workers call.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

// What a frame is. One counter each (counters.h). PUNT verdicts belong to the kernel: the owner of
// the port hands them up where it can. Everything from FRAME_RUNT on is dropped.
// "Ours" below: UDP to a served address and port.
#define FRAME_VERDICTS(X)                                                                         \
	X(FRAME_DNS, "frame_dns", "DNS messages to served addresses")                             \
	X(FRAME_PUNT_CONTROL, "frame_punt_control", "ARP, neighbour discovery, BGP, BFD")         \
	X(FRAME_PUNT_TCP, "frame_punt_tcp", "other TCP")                                          \
	X(FRAME_PUNT_OTHER, "frame_punt_other", "everything else that is not ours")               \
	X(FRAME_RUNT, "frame_runt", "shorter than an Ethernet header and its tag")                \
	X(FRAME_SEGMENTS, "frame_segments", "more than one buffer: jumbo frames")                 \
	X(FRAME_IP_TRUNCATED, "frame_ip_truncated", "IP or UDP header past the end of the frame") \
	X(FRAME_IP_VERSION, "frame_ip_version", "IP version is not what the ethertype says")      \
	X(FRAME_IP4_HEADER, "frame_ip4_header", "IPv4 header length below 20")                    \
	X(FRAME_MAC_GROUP, "frame_mac_group", "ours, but to a group MAC address")                 \
	X(FRAME_MAC_SOURCE, "frame_mac_source", "ours, but from a group or zero MAC address")     \
	X(FRAME_IP4_FRAGMENT, "frame_ip4_fragment", "ours, but a fragment")                       \
	X(FRAME_IP4_OPTIONS, "frame_ip4_options", "ours, but with IPv4 options")                  \
	X(FRAME_IP4_CHECKSUM, "frame_ip4_checksum", "ours, but a bad IPv4 header checksum")       \
	X(FRAME_IP6_FRAGMENT, "frame_ip6_fragment", "ours, but with a fragment header")           \
	X(FRAME_IP6_EXTENSION, "frame_ip6_extension", "ours, but with an extension header")       \
	X(FRAME_IP_LENGTH, "frame_ip_length", "ours, but the IP length is wrong")                 \
	X(FRAME_IP_SOURCE, "frame_ip_source", "ours, but from an address nobody can have")        \
	X(FRAME_UDP_LENGTH, "frame_udp_length", "ours, but UDP and IP lengths disagree")          \
	X(FRAME_UDP_SHORT, "frame_udp_short", "ours, but too short for a DNS header")             \
	X(FRAME_UDP_PORT, "frame_udp_port", "ours, but from a port used for reflection")          \
	X(FRAME_UDP_CHECKSUM, "frame_udp_checksum", "ours, but a bad UDP checksum")               \
	X(FRAME_UDP_CHECKSUM_ZERO, "frame_udp_checksum_zero", "ours, IPv6 without UDP checksum")

enum frame_verdict {
#define X(id, name, text) id,
	FRAME_VERDICTS(X)
#undef X
	    FRAME_VERDICT_COUNT
};

#define FRAME_SERVED_MAX   256 // addresses of one port; beyond that, split the port
#define FRAME_SERVED_SLOTS 1024

// Served addresses: open addressing, at most a quarter full, never changed while workers run.
struct frame_served {
	unsigned count;
	uint64_t first4; // key of the first of them that is IPv4; 0: none is
	unsigned first6; // 1 + the slot of the first of them that is IPv6; 0: none is
	// 1 where a source address may be served or, of IPv4, be nobody's: by its first byte, of
	// IPv6 by served6_byte().
	uint8_t source_odd4[256], source_odd6[256];
	struct {
		uint64_t key; // of one comparison: port, 6 for IPv6, IPv4 address; 0: slot is free
		uint8_t addr[16]; // IPv4 in the first four bytes
		uint16_t port_be;
		uint8_t version; // 4 or 6
	} slots[FRAME_SERVED_SLOTS];
};

// Post: 0, or -ENOSPC, or -EAFNOSUPPORT. Adding an address twice is no error.
int frame_served_add(struct frame_served *served, const struct sockaddr *address)
    __attribute__((nonnull, warn_unused_result));

// The length of the address is 4 or 16 by `version`. port_be 0: on any port.
bool frame_served_has(const struct frame_served *served, unsigned version, const uint8_t *addr,
    uint16_t port_be) __attribute__((nonnull));

// What a port accepts. Shared, read-only while workers run.
struct frame_rules {
	struct frame_served served;
	uint16_t vlan; // 802.1Q identifier our queries carry; 0: they are untagged
	// Virtual links of one machine leave the UDP checksum to be completed by hardware that is
	// not there: the field then holds the sum of the pseudo-header. True where that may happen.
	bool accept_partial;
};

// A frame that is a DNS message to us.
struct frame {
	uint64_t dns_sum; // checksum_sum() of the message
	uint8_t ip_off;
	uint8_t udp_off;
	uint8_t dns_off;
	uint8_t version; // of IP: 4 or 6
	uint16_t dns_len;
	bool no_error; // from port 53 or a privileged port: never an error reply (CVE-2024-2169)
};

#define FRAME_DNS_MIN 12 // RFC 1035 4.1.1: the header
// Most bytes before the DNS message: Ethernet, one tag, IPv6, UDP.
#define FRAME_HEADERS_MAX (14 + 4 + 40 + 8)

// `bytes` is the frame without its FCS. Reads nothing past `len`.
// Post: FRAME_DNS and *out filled, or any other verdict and *out undefined.
enum frame_verdict frame_classify(const uint8_t *bytes, size_t len, const struct frame_rules *rules,
    struct frame *out) __attribute__((nonnull, warn_unused_result));

// Turns the query's frame into its reply's: addresses and ports swapped, lengths, checksums, fresh
// TTL. The DNS reply of `dns_len` bytes stands at frame->dns_off already.
// Pre: FRAME_DNS for this buffer; FRAME_DNS_MIN <= dns_len; the buffer has room for 60 bytes and
// for the reply. dns_sum: checksum_sum() over the reply.
// Post: the frame's length; bytes after the reply, up to the Ethernet minimum, are zero.
size_t frame_reply(uint8_t *bytes, const struct frame *frame, size_t dns_len, uint64_t dns_sum)
    __attribute__((nonnull));

// The peer and the served address of a query, for what leaves the fast path.
void frame_addresses(const uint8_t *bytes, const struct frame *frame, struct sockaddr_storage *peer,
    struct sockaddr_storage *local) __attribute__((nonnull));
