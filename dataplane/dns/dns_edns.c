// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// EDNS; see dns_edns.h. Options are walked even when none is known here: one whose length lies
// makes the message malformed, as NSD, Knot and BIND agree.
#include "dns_edns.h"

#include "dns_internal.h"

enum {
	OPTION_NSID = 3,    // RFC 5001
	OPTION_COOKIE = 10, // RFC 7873
};

#define OPT_DO 0x8000u // in the low half of the TTL field (RFC 3225 3)

// A client cookie is 8 bytes, a server cookie behind it 8 to 32 (RFC 7873 4).
static bool cookie_len_possible(unsigned len)
{
	return len == 8 || (len >= 16 && len <= 40);
}

static enum edns_fault options_parse(struct dns_query *query, const uint8_t *at, uint16_t rdlen)
{
	bool cookie_bad = false;
	unsigned left = rdlen;

	while (left != 0) { // at most rdlen / 4 options
		if (left < 4)
			return EDNS_MALFORMED;

		unsigned code = get16(at);
		unsigned len = get16(at + 2);

		if (len > left - 4)
			return EDNS_MALFORMED;
		query->nsid |= code == OPTION_NSID;
		cookie_bad |= code == OPTION_COOKIE && !cookie_len_possible(len);
		at += 4 + len;
		left -= 4 + len;
	}
	return cookie_bad ? EDNS_COOKIE : EDNS_FINE;
}

enum edns_fault dns_edns_parse(struct dns_query *query, const uint8_t *at, uint16_t rdlen)
{
	enum edns_fault fault = EDNS_FINE;
	uint16_t size = get16(at + 2);
	uint8_t version = at[5];

	if (rdlen != 0)
		fault = options_parse(query, at + RR_FIXED_LEN, rdlen);
	if (fault == EDNS_MALFORMED)
		return fault;
	query->edns = true;
	query->edns_do = (get16(at + 6) & OPT_DO) != 0;
	query->edns_size = size < DNS_UDP_MIN ? DNS_UDP_MIN : size; // RFC 6891 6.2.3
	if (version != 0) {
		query->nsid = false;
		return EDNS_VERSION;
	}
	return fault;
}

uint16_t dns_edns_len(const struct dns_server *server, const struct dns_query *query)
{
	if (!query->edns)
		return 0;
	return (uint16_t)(EDNS_FIXED_LEN + (query->nsid ? 4 + server->identity_len : 0));
}

uint16_t dns_edns_put(const struct dns_server *server, const struct dns_query *query, uint8_t *at)
{
	uint16_t rdlen = (uint16_t)(query->opt_len - EDNS_FIXED_LEN);
	uint16_t ttl_high = (uint16_t)(query->rcode >> 4 << 8); // RFC 6891 6.1.3; version 0
	uint16_t ttl_low = query->edns_do ? OPT_DO : 0;

	at[0] = 0;
	put16(at + 1, RRTYPE_OPT);
	put16(at + 3, server->udp_payload_max);
	put16(at + 5, ttl_high);
	put16(at + 7, ttl_low);
	put16(at + 9, rdlen);
	if (rdlen != 0) {
		put16(at + 11, OPTION_NSID);
		put16(at + 13, server->identity_len);
		memcpy(at + 15, server->identity, server->identity_len);
		return sum_bytes(at, query->opt_len);
	}
	// Every field but the first begins at an odd offset.
	return __builtin_bswap16(
	    sum_fold((uint64_t)RRTYPE_OPT + server->udp_payload_max + ttl_high + ttl_low));
}
