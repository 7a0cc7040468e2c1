// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Named outcomes of a DNS message, one counter each. Written by one thread, read by any (relaxed).
#pragma once

#include <stdint.h>

// X(name, help)
#define DNS_OUTCOMES(X)                                                       \
	X(answer, "positive answer")                                          \
	X(referral, "referral to a child zone")                               \
	X(nodata, "name exists, type does not")                               \
	X(nxdomain, "name does not exist")                                    \
	X(yxdomain, "name synthesised by a DNAME is too long")                \
	X(chaos, "identity answered in class CH")                             \
	X(truncated, "TC set")                                                \
	X(refused_zone, "REFUSED: not our zone")                              \
	X(refused_class, "REFUSED: class")                                    \
	X(refused_xfr, "REFUSED: AXFR or IXFR at a public address")           \
	X(refused_type, "REFUSED or NOTIMP: a type that is not a question's") \
	X(servfail_expired, "SERVFAIL: zone expired")                         \
	X(notimp_opcode, "NOTIMP: opcode")                                    \
	X(formerr_question, "FORMERR: question count or question")            \
	X(formerr_sections, "FORMERR: records where a query has none")        \
	X(formerr_edns, "FORMERR: OPT")                                       \
	X(formerr_trailing, "FORMERR: trailing bytes")                        \
	X(badvers, "BADVERS: EDNS version")                                   \
	X(badcookie, "BADCOOKIE: no question and a bad server cookie")        \
	X(cookie_only, "no question, a cookie answered")                      \
	X(drop_short, "dropped: shorter than a header")                       \
	X(drop_response, "dropped: QR set")                                   \
	X(drop_error_port, "dropped: an error reply to a port below 1024")    \
	X(drop_space, "dropped: no room for the reply")                       \
	X(forward_notify, "NOTIFY handed to the control plane")               \
	X(forward_tsig, "TSIG-signed message handed to the control plane")

enum dns_outcome {
#define X(name, help) DNS_OUTCOME_##name,
	DNS_OUTCOMES(X)
#undef X
	    DNS_OUTCOME_COUNT
};

// What the COOKIE options of queries were, beside the outcome of their query.
// X(name, help)
#define DNS_COOKIES(X)                                                          \
	X(client, "cookies: from clients that have none of ours")               \
	X(good, "cookies: valid, sent back as they were")                       \
	X(renewed, "cookies: valid, half an hour old or of the staging secret") \
	X(bad, "cookies: not ours: length, version or hash")                    \
	X(old, "cookies: made more than an hour ago")                           \
	X(future, "cookies: made more than five minutes ahead")

enum dns_cookie {
#define X(name, help) DNS_COOKIE_##name,
	DNS_COOKIES(X)
#undef X
	    DNS_COOKIE_COUNT
};

struct dns_counters {
	uint64_t outcome[DNS_OUTCOME_COUNT];
	uint64_t cookie[DNS_COOKIE_COUNT];
	uint64_t rendered;     // answers that took the general renderer
	uint64_t compiled;     // answers copied from the image
	uint64_t nsec3_hashes; // made while a question waited
} __attribute__((aligned(64)));
