// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS Cookies; see dns_cookie.h. The hash covers client cookie, version, reserved bytes, timestamp
// and the client's address, in this order (RFC 9018 4.4).
#include "dns_cookie.h"

#include "dns_internal.h"

#define VERSION 1

// Offsets in client and server cookie together.
enum {
	AT_VERSION = COOKIE_CLIENT_LEN,
	AT_TIMESTAMP = AT_VERSION + 4,
	AT_HASH = AT_TIMESTAMP + 4,
};

// The hash over cookie[0 .. AT_HASH) and the client's address, as it stands on the wire.
static void hash_make(const struct siphash_key *secret, const uint8_t *client, unsigned client_len,
    const uint8_t *cookie, uint8_t hash[8])
{
	uint8_t in[AT_HASH + DNS_CLIENT_MAX];
	uint64_t sum;

	memcpy(in, cookie, AT_HASH);
	memcpy(in + AT_HASH, client, client_len);
	sum = siphash24(secret, in, (size_t)AT_HASH + client_len);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	sum = __builtin_bswap64(sum);
#endif
	memcpy(hash, &sum, 8);
}

// Post: the index of the secret the cookie was made with; secret_count when there is none.
static unsigned secret_find(const struct dns_server *server, const uint8_t *client,
    unsigned client_len, const uint8_t *cookie)
{
	unsigned i;
	uint8_t hash[8];

	for (i = 0; i < server->cookie_secret_count; i++) { // at most DNS_COOKIE_SECRETS
		hash_make(&server->cookie_secrets[i], client, client_len, cookie, hash);
		if (memcmp(hash, cookie + AT_HASH, 8) == 0)
			break;
	}
	return i;
}

// *reuse: it may go back as it is.
static enum dns_cookie judge(const struct dns_context *context, const uint8_t *client,
    unsigned client_len, const uint8_t *option, unsigned len, bool *reuse)
{
	unsigned secret;

	*reuse = false;
	if (len == COOKIE_CLIENT_LEN)
		return DNS_COOKIE_client;
	if (len != DNS_COOKIE_LEN || option[AT_VERSION] != VERSION)
		return DNS_COOKIE_bad;

	// Serial numbers (RFC 9018 4.3, RFC 1982): the distance has a sign.
	int32_t age = (int32_t)(context->now - get32(option + AT_TIMESTAMP));

	if (age > COOKIE_PAST_MAX_S)
		return DNS_COOKIE_old;
	if (age < -COOKIE_FUTURE_MAX_S)
		return DNS_COOKIE_future;
	// Reserved bytes are hashed as they came, whatever they are (RFC 9018 4.2).
	secret = secret_find(context->server, client, client_len, option);
	if (secret == context->server->cookie_secret_count)
		return DNS_COOKIE_bad;
	*reuse = secret == 0 && age <= COOKIE_RENEW_AFTER_S;
	return *reuse ? DNS_COOKIE_good : DNS_COOKIE_renewed;
}

enum dns_cookie dns_cookie_make(const struct dns_context *context, const uint8_t *client,
    unsigned client_len, const uint8_t *option, unsigned len, uint8_t cookie[DNS_COOKIE_LEN])
{
	bool reuse;
	enum dns_cookie verdict = judge(context, client, client_len, option, len, &reuse);

	if (reuse) {
		memcpy(cookie, option, DNS_COOKIE_LEN);
	} else {
		memcpy(cookie, option, COOKIE_CLIENT_LEN);
		put32(cookie + AT_VERSION, (uint32_t)VERSION << 24);
		put32(cookie + AT_TIMESTAMP, context->now);
		hash_make(&context->server->cookie_secrets[0], client, client_len, cookie,
		    cookie + AT_HASH);
	}
	return verdict;
}
