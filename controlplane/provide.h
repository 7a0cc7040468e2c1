// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// May this server have the zone? SOA, AXFR and IXFR queries (RFC 5936, RFC 1995) from downstream,
// judged: zone, address, signature, key. TRANSFERS.md has the table of what gets which reply. Pure;
// nothing of the zone is looked at.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "keyring.h"
#include "request.h"

// X-list of what is done for downstream servers: name, help.
#define PROVIDE_COUNTERS(X)                                                                     \
	X(out_soa, "SOA queries of downstream servers answered")                                \
	X(out_axfr, "transfers out of whole zones begun")                                       \
	X(out_ixfr, "transfers out of differences begun")                                       \
	X(out_ixfr_whole, "IXFR queries answered by the whole zone")                            \
	X(out_ixfr_current, "IXFR queries answered by one SOA: nothing newer, or over UDP")     \
	X(out_done, "transfers out that the client has taken whole")                            \
	X(out_broken, "transfers out that broke off")                                           \
	X(out_slow, "transfers out ended because the client was too slow")                      \
	X(out_waited, "transfers out that waited for their turn")                               \
	X(out_unready,                                                                          \
	    "transfers out refused because no version is served or none may begin: SERVFAIL")   \
	X(out_messages, "messages sent in transfers out")                                       \
	X(out_records, "records sent in transfers out")                                         \
	X(out_bytes, "bytes sent in transfers out")                                             \
	X(out_refused, "queries for a zone from an address that may not have it: REFUSED")      \
	X(out_unsigned, "queries without the key that the address is configured with: REFUSED") \
	X(out_bad_tsig, "queries for a zone whose TSIG failed: NOTAUTH")                        \
	X(out_not_ours, "queries for the transfer of a zone that is not ours: NOTAUTH")         \
	X(out_malformed, "queries for a zone that were malformed: FORMERR")                     \
	X(out_version, "queries for a zone with an EDNS version above 0: BADVERS")              \
	X(out_udp, "AXFR queries over UDP: NOTIMP")                                             \
	X(out_notify_sent, "NOTIFY sent, retries included")                                     \
	X(out_notify_acked, "NOTIFY confirmed by a downstream server")                          \
	X(out_notify_failed, "NOTIFY given up: no answer, or none that is good")

struct provide_counters {
#define X(name, help) uint64_t name;
	PROVIDE_COUNTERS(X)
#undef X
};

enum provide_transport {
	PROVIDE_UDP,
	PROVIDE_TCP,
	PROVIDE_TLS,
	PROVIDE_FORWARDED, // by a worker: one message of reply, whatever it came over
};

enum provide_verdict {
	PROVIDE_NOT_MINE, // another opcode, type or class: notify_handle() knows what to say
	PROVIDE_REPLIED,  // *len bytes of reply, 0: none
	PROVIDE_ALLOWED,  // to be answered
};

struct provide_service {
	void *ctx;
	// The zone of this name (lower case), or NULL when it is none of ours.
	const struct config_zone *(*zone)(void *ctx, const uint8_t *apex);
	const struct keyring *keyring;
	struct provide_counters *counters;
};

// Post: with PROVIDE_ALLOWED the whole request is in *request and *key is the key that it is signed
// with, NULL when it is not. Pre: cap >= REQUEST_REPLY_MAX.
enum provide_verdict provide_judge(struct provide_service *service,
    enum provide_transport transport, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint64_t now_s, struct request *request, struct tsig_key **key, uint8_t *reply, size_t cap,
    size_t *reply_len);
