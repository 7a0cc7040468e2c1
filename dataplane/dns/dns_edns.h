// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The OPT record of queries and replies (RFC 6891). Called by the stages, on their threads.
#pragma once

#include "dns.h"

#define EDNS_FIXED_LEN 11 // root owner, type, class, TTL, rdata length

enum edns_fault {
	EDNS_FINE,
	EDNS_MALFORMED, // FORMERR, and no OPT in the reply
	EDNS_COOKIE,    // FORMERR: a COOKIE of a length that cannot be (RFC 7873 5.2.2)
	EDNS_VERSION,   // BADVERS
};

// Reads the OPT record whose owner ended before `at`: `at` is its type field, `rdlen` bytes of
// rdata are inside the message. Fills edns, edns_do, edns_size, nsid.
enum edns_fault dns_edns_parse(struct dns_query *query, const uint8_t *at, uint16_t rdlen);

// Bytes that dns_edns_put() will write.
uint16_t dns_edns_len(const struct dns_server *server, const struct dns_query *query);

// Writes the reply's OPT. Pre: query->edns, opt_len bytes and slack behind `at`.
// Post: the sum of what was written, as if it began at an even offset.
uint16_t dns_edns_put(const struct dns_server *server, const struct dns_query *query, uint8_t *at);
