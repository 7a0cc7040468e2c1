// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The OPT record of queries and replies (RFC 6891). Called by the stages, on their threads.
//
// Known options: NSID (RFC 5001), EXPIRE (7314), COOKIE (7873), edns-tcp-keepalive (7828), EDE
// (8914, replies only) and ZONEVERSION (9660). All others are ignored (RFC 6891 6.1.2), Padding
// (7830) among them: without encryption it would hide nothing.
//
// A query's options come back once each, however often they were there. BADVERS and FORMERR
// replies carry none: what cannot be read is not answered in part.
#pragma once

#include "dns_internal.h"

#define EDNS_FIXED_LEN     11 // root owner, type, class, TTL, rdata length
#define EDNS_OPTION_LEN    4  // code and length
#define EDNS_OPTION_COOKIE 10u
#define OPT_DO             0x8000u // in the low half of the TTL field (RFC 3225 3)

enum edns_fault {
	EDNS_FINE,
	EDNS_MALFORMED, // FORMERR, and no OPT in the reply
	EDNS_OPTION,    // FORMERR: an option of a length that cannot be
	EDNS_VERSION,   // BADVERS
};

// Bits of query->options and zone_options.
enum edns_option {
	EDNS_WITH_NSID = 1,
	EDNS_WITH_COOKIE = 2,
	EDNS_WITH_KEEPALIVE = 4,
	EDNS_WITH_EXPIRE = 8,
	EDNS_WITH_ZONEVERSION = 16,
	EDNS_WITH_EDE = 32,
};

// RFC 8914 5.2.
enum {
	EDE_STALE_ANSWER = 3,
	EDE_PROHIBITED = 18,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_INVALID_DATA = 24,
};

// Reads the OPT record whose owner ended before `at`: `at` is its type field, `rdlen` bytes of
// rdata are inside the message. Fills edns, edns_do, edns_size, options, zone_options, cookie_at,
// cookie_len.
enum edns_fault dns_edns_parse(
    const struct dns_context *context, struct dns_query *query, const uint8_t *at, uint16_t rdlen);

// Prepares what query->options name, while the query is still there to be read. Post: opt_len has
// grown by their length.
void dns_edns_answer(const struct dns_context *context, struct dns_query *query);

// The same for zone_options, of which those that apply become options. Pre: query->version is the
// zone's, the name is hashed with its key.
void dns_edns_zone(const struct dns_context *context, struct dns_query *query);

// Adds an Extended DNS Error, where the query had EDNS at all.
void dns_edns_error(struct dns_query *query, uint8_t code);

// Writes the reply's options at `at`.
void dns_edns_options_put(
    const struct dns_server *server, const struct dns_query *query, uint8_t *at);

// The first eight bytes of an OPT: the root, type, payload size, upper bits of the rcode (RFC 6891
// 6.1.3), version 0 and the first byte of the flags.
static inline uint64_t edns_head(const struct dns_server *server, unsigned rcode, bool with_do)
{
	return htobe64((uint64_t)RRTYPE_OPT << 40 | (uint64_t)server->udp_payload_max << 24 |
	               (uint64_t)(rcode >> 4) << 16 | (with_do ? OPT_DO >> 8 : 0));
}

// Writes the reply's OPT. Pre: query->edns, opt_len bytes and slack behind `at`.
// Post: the sum of what was written, as if it began at an even offset.
static inline uint64_t dns_edns_put(
    const struct dns_server *server, const struct dns_query *query, uint8_t *at)
{
	const unsigned rdlen = (unsigned)query->opt_len - EDNS_FIXED_LEN;
	const uint64_t head = edns_head(server, query->rcode, query->edns_do);

	memcpy(at, &head, sizeof head);
	put32(at + 8, rdlen << 8); // the second byte of the flags, the length, and a byte more
	if (rdlen == 0)
		return head;
	dns_edns_options_put(server, query, at + EDNS_FIXED_LEN);
	return checksum_sum(at, query->opt_len, 0);
}
