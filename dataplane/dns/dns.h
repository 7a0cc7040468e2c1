// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Query to answer. A query passes three stages, so that a worker can run each as a loop over its
// burst and memory latency is hidden: parse (message, zone table prefetched), match
// (zone and node found, answer prefetched), emit (reply written over the query, in place). The same
// three calls serve UDP bursts, TCP threads, tests, fuzzers and np-zone.
//
// No DPDK, no threads, no clock, no malloc, no I/O here. The caller is an RCU reader from
// dns_parse() to the end of dns_emit(), or owns the table.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qname.h"
#include "reader.h"
#include "zone_table.h"

#include "dns_counters.h"
#include "siphash.h"

#define DNS_HEADER_LEN     12
#define DNS_UDP_MIN        512 // what every client accepts (RFC 1035 4.2.1)
#define DNS_TCP_MAX        65535
#define DNS_IDENTITY_MAX   128
#define DNS_CLIENT_MAX     16 // bytes of an address
#define DNS_COOKIE_LEN     24 // client and server cookie of a reply (RFC 9018 4)
#define DNS_COOKIE_SECRETS 2
#define DNS_WRITE_SLACK    64 // bytes past the reply that wide stores may overwrite
#define DNS_BURST_MAX      64

// What does not change while the process runs. Read-only for workers.
struct dns_server {
	uint8_t identity_len, version_len;
	uint8_t identity[DNS_IDENTITY_MAX]; // id.server, hostname.bind, NSID; empty: REFUSED
	uint8_t version[DNS_IDENTITY_MAX];  // version.server, version.bind; empty: REFUSED
	uint16_t udp_payload_max;           // 1232: advertised in OPT, and cap of UDP replies
	uint16_t tcp_keepalive; // idle limit of TCP in 100 ms (RFC 7828 3.1); 0: not told
	// Server cookies: the first secret makes, each verifies. None: COOKIE is an unknown option.
	uint8_t cookie_secret_count;
	struct siphash_key cookie_secrets[DNS_COOKIE_SECRETS];
};

enum dns_transport {
	DNS_UDP,
	DNS_TCP,
};

enum dns_verdict {
	DNS_REPLY,
	DNS_DROP,    // counted in query->outcome
	DNS_FORWARD, // NOTIFY, or signed with TSIG: for the control plane; the message is unchanged
};

// One per worker: table, time and counters.
struct dns_context {
	const struct dns_server *server;
	const struct zone_table *table;
	uint32_t now; // unix seconds modulo 2^32; 0 where neither cookies nor expiry matter
	struct dns_counters *counters; // this thread's own
};

// Scratch of one query in flight; the caller keeps as many as its burst is long and reuses them.
struct dns_query {
	// Set by the caller before dns_parse:
	uint8_t *msg; // the message; the reply is written over it
	uint16_t len; // bytes of the query; after dns_emit: of the reply
	uint16_t cap; // bytes the reply may have at most (UDP: min of MTU and buffer, less slack)
	bool no_error_reply; // source port below 1024: drop instead of an error (CVE-2024-2169)
	bool render_only;    // tests: leave compiled answers aside
	uint8_t client_len;  // 4 or 16; 0: not known, then there are no cookies
	enum dns_transport transport;
	const uint8_t *client; // the client's address on the wire; valid until the reply is made
	// checksum_sum() of the query, for callers that use that of the reply, which after dns_emit
	// it is.
	uint64_t sum;

	// Filled by the stages. First what every query needs, then the name, then the rest.
	enum dns_verdict verdict;
	enum dns_outcome outcome; // what was counted
	uint8_t state;            // private to dns/
	bool edns, edns_do;
	uint8_t options;      // enum edns_option: what the reply's OPT will carry
	uint8_t zone_options; // what it will once the zone is known
	uint8_t labels;       // of the suffix probed first
	uint16_t rcode;       // with the upper bits that OPT carries (RFC 6891 6.1.3)
	uint16_t
	    question_end;     // offset of the first byte behind the question; 12 when there is none
	uint16_t reply_limit; // bytes: from EDNS, transport and cap
	uint16_t opt_len;     // bytes reserved for OPT in the reply (0: no OPT in the query)
	uint16_t qtype;
	uint64_t question_sum; // checksum_sum() of the question, as it comes back
	const struct zone_entry *zone;
	const struct zone_version *version;
	struct node_ref node;
	struct qname qname;
	uint16_t qclass;
	uint16_t edns_size;     // what the client takes, at least 512
	uint8_t ede;            // EDE info code, when options say so (RFC 8914)
	uint8_t cookie_verdict; // enum dns_cookie
	uint8_t cookie_len;     // of the query's COOKIE option, and where its bytes stand
	uint16_t cookie_at;
	uint8_t cookie[DNS_COOKIE_LEN]; // the reply's
	uint32_t expire;                // EXPIRE, when options say so (RFC 7314)
};

// What the caller of dns_parse_burst() does last for each.
static inline void dns_query_begin(struct dns_query *query)
{
	query->state = 0;
}

// The stages, each over a burst of at most DNS_BURST_MAX queries, so that they wait for memory
// together, and over one.

// Stage 1. Post: verdict DNS_DROP or DNS_FORWARD is final; for the others stages 2 and 3 follow,
// and live[] has the indexes of those, in order; returns their number.
unsigned dns_parse_burst(
    const struct dns_context *context, struct dns_query *queries, unsigned n, uint8_t *live);
void dns_parse(const struct dns_context *context, struct dns_query *query);

// Stage 2, of queries[index[0 .. n)]. May turn a verdict to DNS_DROP.
void dns_match_burst(
    const struct dns_context *context, struct dns_query *queries, const uint8_t *index, unsigned n);
void dns_match(const struct dns_context *context, struct dns_query *query);

// Stage 3. Post: verdict DNS_REPLY: query->len bytes at query->msg are the reply, query->sum their
// sum.
void dns_emit_burst(
    const struct dns_context *context, struct dns_query *queries, const uint8_t *index, unsigned n);
void dns_emit(const struct dns_context *context, struct dns_query *query);

// All three for one query, at once where that is possible. Post: as dns_emit(), or another verdict.
void dns_answer(const struct dns_context *context, struct dns_query *query);
