// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS Cookies (RFC 7873) whose server part other implementations understand (RFC 9018), so that the
// servers behind one anycast address may differ and share a secret. Called by stage 1 and by
// dns_plain_cookie.c.
//
// A cookie proves that the client has seen a reply sent to its address. Nothing is held against a
// client without one: its query is answered like any other, with a fresh cookie (RFC 7873 5.2.3,
// 5.2.4, third choice). What is wrong is counted.
#pragma once

#include "dns.h"

#define COOKIE_CLIENT_LEN    8
#define COOKIE_SERVER_LEN    16   // version, three bytes reserved, timestamp, hash (RFC 9018 4)
#define COOKIE_LEN_MAX       40   // the longest that may be (RFC 7873 4)
#define COOKIE_PAST_MAX_S    3600 // RFC 9018 4.3
#define COOKIE_FUTURE_MAX_S  300
#define COOKIE_RENEW_AFTER_S 1800

static_assert(COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN == DNS_COOKIE_LEN, "what a reply carries");
static_assert(COOKIE_RENEW_AFTER_S < COOKIE_PAST_MAX_S, "a client that asks on keeps a good one");

// A client cookie is 8 bytes, a server cookie behind it 8 to 32 (RFC 7873 4).
static inline bool cookie_len_possible(unsigned len)
{
	return len == COOKIE_CLIENT_LEN || (len >= COOKIE_CLIENT_LEN + 8 && len <= COOKIE_LEN_MAX);
}

// Judges the option's `len` bytes. Pre: cookie_len_possible(len), the server has a secret; `client`
// is the address that asks, as on the wire. Post: `cookie` is the reply's: the same one while it is
// valid, young and made with the first secret, otherwise a fresh one. Returns the verdict, which
// the caller counts.
enum dns_cookie dns_cookie_make(const struct dns_context *context, const uint8_t *client,
    unsigned client_len, const uint8_t *option, unsigned len, uint8_t cookie[DNS_COOKIE_LEN]);
