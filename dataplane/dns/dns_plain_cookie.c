// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain_cookie.h.
#include "dns_plain_cookie.h"

#include "dns_cookie.h"
#include "dns_edns.h"

#define OPTION_LEN (EDNS_OPTION_LEN + DNS_COOKIE_LEN) // of a reply's

static_assert(COOKIE_CLIENT_LEN == 8 && DNS_COOKIE_LEN == 24, "cookie_sum()");
static_assert(
    EDNS_FIXED_LEN + OPTION_LEN <= sizeof((struct plain_cookie *)0)->was, "all of an OPT");

// The OPT's length, then the code and the length of its one option.
static inline uint64_t lengths(unsigned cookie_len)
{
	return (uint64_t)(EDNS_OPTION_LEN + cookie_len) << 32 | EDNS_OPTION_COOKIE << 16 |
	       cookie_len;
}

// Does the message end with a cookie of so many bytes, the only option?
static inline bool cookie_is(const uint8_t *msg, unsigned len, unsigned cookie_len)
{
	return len > DNS_HEADER_LEN + EDNS_FIXED_LEN + EDNS_OPTION_LEN + cookie_len &&
	       get64(msg + len - cookie_len - 8) << 16 == lengths(cookie_len) << 16;
}

// The sum of those lengths and the cookie.
static inline uint64_t cookie_sum(const uint8_t *cookie, unsigned cookie_len)
{
	uint64_t sum = htobe64(lengths(cookie_len));

	for (unsigned i = 0; i < cookie_len; i += 8) // at most 3 times
		sum = checksum_add(sum, checksum_load(cookie + i));
	return sum;
}

unsigned plain_cookie_off(struct dns_plain *at_hand, struct plain_cookie *cookie, uint8_t *msg,
    unsigned len, const uint8_t *client, unsigned client_len)
{
	const struct dns_server *server = at_hand->context->server;
	unsigned cookie_len = DNS_COOKIE_LEN;

	if (server->cookie_secret_count == 0 || len > UINT16_MAX)
		return 0;
	if (!cookie_is(msg, len, cookie_len)) {
		cookie_len = COOKIE_CLIENT_LEN;
		if (!cookie_is(msg, len, cookie_len))
			return 0;
	}

	const unsigned left = len - EDNS_OPTION_LEN - cookie_len, at = left - EDNS_FIXED_LEN;
	unsigned limit = get16(msg + at + 3);

	if (limit > server->udp_payload_max)
		limit = server->udp_payload_max;
	if (limit > at_hand->cap)
		limit = at_hand->cap;
	// What is shorter than that the plain way does not look at.
	if (limit < DNS_UDP_MIN + OPTION_LEN)
		return 0;
	cookie->at = at;
	cookie->cap = at_hand->cap;
	cookie->rdlen = (uint16_t)(EDNS_OPTION_LEN + cookie_len);
	cookie->verdict = dns_cookie_make(
	    at_hand->context, client, client_len, msg + len - cookie_len, cookie_len, cookie->made);
	cookie->sum = checksum_turn(cookie_sum(msg + len - cookie_len, cookie_len), left);
	memcpy(cookie->was, msg + at, sizeof cookie->was);
	put16(msg + left - 2, 0);
	at_hand->cap = limit - OPTION_LEN;
	return left;
}

void plain_cookie_on(const struct dns_plain *at_hand, const struct plain_cookie *cookie,
    uint8_t *msg, struct plain_reply *reply)
{
	const unsigned at = (unsigned)reply->len - 2;
	const uint64_t sum = checksum_turn(cookie_sum(cookie->made, DNS_COOKIE_LEN), at);

	put16(msg + at, OPTION_LEN);
	put32(msg + at + 2, EDNS_OPTION_COOKIE << 16 | DNS_COOKIE_LEN);
	memcpy(msg + reply->len + EDNS_OPTION_LEN, cookie->made, DNS_COOKIE_LEN);
	reply->less += plain_less(checksum_less(sum, cookie->sum));
	reply->len += OPTION_LEN;
	tally(&at_hand->context->counters->cookie[cookie->verdict], 1);
}

void plain_cookie_back(const struct plain_cookie *cookie, uint8_t *msg)
{
	memcpy(msg + cookie->at, cookie->was, EDNS_FIXED_LEN + (size_t)cookie->rdlen);
}
