// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// EDNS; see dns_edns.h. Options are walked even when none is known here: one whose length lies
// makes the message malformed, as NSD, Knot and BIND agree.
#include "dns_edns.h"

#include "dns_cookie.h"
#include "dns_internal.h"

enum {
	OPTION_NSID = 3,
	OPTION_EXPIRE = 9,
	OPTION_COOKIE = EDNS_OPTION_COOKIE,
	OPTION_KEEPALIVE = 11,
	OPTION_EDE = 15,
	OPTION_ZONEVERSION = 19,
};

// Lengths of what a reply carries, option headers included; NSID has its text behind the header.
enum {
	LEN_HEADER = EDNS_OPTION_LEN,
	LEN_COOKIE = LEN_HEADER + DNS_COOKIE_LEN,
	LEN_KEEPALIVE = LEN_HEADER + 2,
	LEN_EXPIRE = LEN_HEADER + 4,
	LEN_ZONEVERSION = LEN_HEADER + 6,
	LEN_EDE = LEN_HEADER + 2,
};

#define ZONEVERSION_SOA_SERIAL 0 // the one type there is (RFC 9660)

// dns_parse() drops what has less room than DNS_UDP_MIN, so that an empty reply and the identity
// always fit with all options they may have. Those of a zone are not in errors, so they and EDE are
// never there together.
static_assert(DNS_HEADER_LEN + NAME_LEN_MAX + 4 + EDNS_FIXED_LEN + LEN_HEADER + DNS_IDENTITY_MAX +
                      LEN_COOKIE + LEN_KEEPALIVE + LEN_EXPIRE + LEN_ZONEVERSION + LEN_EDE <=
                  DNS_UDP_MIN,
    "a question comes back with OPT");
static_assert(DNS_HEADER_LEN + sizeof("\10hostname\4bind") + 4 + 2 + RR_FIXED_LEN + 1 +
                      DNS_IDENTITY_MAX + EDNS_FIXED_LEN + LEN_HEADER + DNS_IDENTITY_MAX +
                      LEN_COOKIE + LEN_KEEPALIVE <=
                  DNS_UDP_MIN,
    "identity fits");

// One option. Post: false when its length cannot be.
static bool option_parse(const struct dns_context *context, struct dns_query *query, unsigned code,
    const uint8_t *data, unsigned len)
{
	const struct dns_server *server = context->server;

	switch (code) {
	case OPTION_NSID:
		if (server->identity_len != 0)
			query->options |= EDNS_WITH_NSID;
		return true;
	case OPTION_COOKIE:
		// Only the first one counts (RFC 7873 5.2).
		if (server->cookie_secret_count == 0 || query->client_len == 0 ||
		    (query->options & EDNS_WITH_COOKIE) != 0)
			return true;
		if (!cookie_len_possible(len))
			return false; // RFC 7873 5.2.2
		query->options |= EDNS_WITH_COOKIE;
		query->cookie_at = (uint16_t)(data - query->msg);
		query->cookie_len = (uint8_t)len;
		return true;
	case OPTION_KEEPALIVE: // over UDP it is ignored (RFC 7828 3.2.2)
		if (query->transport == DNS_TCP && server->tcp_keepalive != 0)
			query->options |= EDNS_WITH_KEEPALIVE;
		return true;
	case OPTION_EXPIRE:
		if (query->qtype == RRTYPE_SOA)
			query->zone_options |= EDNS_WITH_EXPIRE;
		return true;
	case OPTION_ZONEVERSION:
		// An empty one asks (RFC 9660). NSD 4.6, Knot 3.2 and BIND 9.18 answer a query with
		// another as if it were not there; NSD releases that know the option say FORMERR.
		if (len == 0)
			query->zone_options |= EDNS_WITH_ZONEVERSION;
		return true;
	default:
		return true;
	}
}

static enum edns_fault options_parse(
    const struct dns_context *context, struct dns_query *query, const uint8_t *at, uint16_t rdlen)
{
	enum edns_fault fault = EDNS_FINE;
	unsigned left = rdlen;

	while (left != 0) { // at most rdlen / 4 options
		if (left < LEN_HEADER)
			return EDNS_MALFORMED;

		unsigned len = get16(at + 2);

		if (len > left - LEN_HEADER)
			return EDNS_MALFORMED;
		if (!option_parse(context, query, get16(at), at + LEN_HEADER, len))
			fault = EDNS_OPTION;
		at += LEN_HEADER + len;
		left -= LEN_HEADER + len;
	}
	return fault;
}

enum edns_fault dns_edns_parse(
    const struct dns_context *context, struct dns_query *query, const uint8_t *at, uint16_t rdlen)
{
	enum edns_fault fault = EDNS_FINE;
	uint16_t size = get16(at + 2);
	uint8_t version = at[5];

	if (rdlen != 0)
		fault = options_parse(context, query, at + RR_FIXED_LEN, rdlen);
	if (fault == EDNS_MALFORMED)
		return fault;
	query->edns = true;
	query->edns_do = (get16(at + 6) & OPT_DO) != 0;
	query->edns_size = size < DNS_UDP_MIN ? DNS_UDP_MIN : size; // RFC 6891 6.2.3
	return version != 0 ? EDNS_VERSION : fault;
}

void dns_edns_answer(const struct dns_context *context, struct dns_query *query)
{
	if ((query->options & EDNS_WITH_NSID) != 0)
		query->opt_len += LEN_HEADER + context->server->identity_len;
	if ((query->options & EDNS_WITH_KEEPALIVE) != 0)
		query->opt_len += LEN_KEEPALIVE;
	if ((query->options & EDNS_WITH_COOKIE) != 0) {
		query->opt_len += LEN_COOKIE;
		query->cookie_verdict =
		    (uint8_t)dns_cookie_make(context, query->client, query->client_len,
		        query->msg + query->cookie_at, query->cookie_len, query->cookie);
		tally(&context->counters->cookie[query->cookie_verdict], 1);
	}
}

// Seconds until the zone expires here; of a zone that does not, what its SOA says (RFC 7314 4).
// Post: false when the name is not the zone's.
static bool expire_find(const struct dns_context *context, struct dns_query *query)
{
	unsigned apex_labels = query->zone->apex_labels;
	uint32_t at = atomic_load_explicit(&query->zone->expires_at, memory_order_relaxed);

	if (query->qname.labels != apex_labels)
		return false;
	if (at != 0) {
		int32_t left = (int32_t)(at - context->now);

		query->expire = left > 0 ? (uint32_t)left : 0;
		return true;
	}

	struct node_ref apex = version_find(query->version, &query->qname, apex_labels);
	const struct image_rrset *soa = apex.node != NULL ? node_rrset(apex, RRTYPE_SOA) : NULL;
	uint16_t rdlen;

	if (soa == NULL || soa->rr_count == 0)
		return false;

	struct rdata_iter iter = rrset_rdata(apex, soa);
	const uint8_t *rdata = rdata_next(&iter, &rdlen);
	const uint8_t *expire = rdata + rdlen - 8; // before it stands retry, behind it minimum

	query->expire = get32(expire);
	return true;
}

void dns_edns_zone(const struct dns_context *context, struct dns_query *query)
{
	if ((query->zone_options & EDNS_WITH_EXPIRE) != 0 && expire_find(context, query)) {
		query->options |= EDNS_WITH_EXPIRE;
		query->opt_len += LEN_EXPIRE;
	}
	if ((query->zone_options & EDNS_WITH_EDE) != 0)
		dns_edns_error(query, EDE_STALE_ANSWER);
	// With every answer the zone gives, referrals included (RFC 9660).
	if ((query->zone_options & EDNS_WITH_ZONEVERSION) != 0) {
		query->options |= EDNS_WITH_ZONEVERSION;
		query->opt_len += LEN_ZONEVERSION;
	}
}

void dns_edns_error(struct dns_query *query, uint8_t code)
{
	if (!query->edns)
		return;
	query->options |= EDNS_WITH_EDE;
	query->ede = code;
	query->opt_len += LEN_EDE;
}

static uint8_t *option_put(uint8_t *at, unsigned code, unsigned len)
{
	put16(at, (uint16_t)code);
	put16(at + 2, (uint16_t)len);
	return at + LEN_HEADER;
}

void dns_edns_options_put(
    const struct dns_server *server, const struct dns_query *query, uint8_t *at)
{
	if ((query->options & EDNS_WITH_NSID) != 0) {
		at = option_put(at, OPTION_NSID, server->identity_len);
		memcpy(at, server->identity, server->identity_len);
		at += server->identity_len;
	}
	if ((query->options & EDNS_WITH_COOKIE) != 0) {
		at = option_put(at, OPTION_COOKIE, DNS_COOKIE_LEN);
		memcpy(at, query->cookie, DNS_COOKIE_LEN);
		at += DNS_COOKIE_LEN;
	}
	if ((query->options & EDNS_WITH_KEEPALIVE) != 0) {
		at = option_put(at, OPTION_KEEPALIVE, 2);
		put16(at, server->tcp_keepalive);
		at += 2;
	}
	if ((query->options & EDNS_WITH_EXPIRE) != 0) {
		at = option_put(at, OPTION_EXPIRE, 4);
		put32(at, query->expire);
		at += 4;
	}
	if ((query->options & EDNS_WITH_ZONEVERSION) != 0) {
		at = option_put(at, OPTION_ZONEVERSION, 6);
		at[0] = query->zone->apex_labels;
		at[1] = ZONEVERSION_SOA_SERIAL;
		put32(at + 2, version_header(query->version)->serial);
		at += 6;
	}
	if ((query->options & EDNS_WITH_EDE) != 0) {
		at = option_put(at, OPTION_EDE, 2); // no text: the code says it
		put16(at, query->ede == EDE_STALE_ANSWER && query->rcode == RCODE_NXDOMAIN
		              ? EDE_STALE_NXDOMAIN
		              : query->ede);
	}
}
