// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Asks a primary for a zone's SOA: UDP with retries, TCP when the answer is truncated or none
// comes; with a primary of TLS (RFC 9103 7.2) over that and nothing else. Each try has a random id
// and a fresh socket, hence a random port. On the event loop.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "zone.h"

struct event_base;
struct soa_query;

// Comes exactly once unless soa_query_abort is called; never from within soa_query_start. `soa` is
// NULL when there is no usable answer, and `failure` says why (borrowed for the call).
struct soa_failure {
	bool silent;      // the primary could not be reached at all
	bool key_refused; // it will not have our key
	const char *error;
};
typedef void (*soa_done_fn)(
    void *ctx, const struct zone_soa *soa, const struct soa_failure *failure);

// `sent` (may be NULL) is raised by each message sent, while the query lives.
int soa_query_start(struct event_base *base, const struct peer *peer, const uint8_t *apex,
    soa_done_fn done, void *ctx, uint64_t *sent, struct soa_query **out)
    __attribute__((warn_unused_result));
void soa_query_abort(struct soa_query *query); // NULL is accepted; not from within the callback

// What one message is worth as the answer to the query (apex, id, stream of the query's key).
enum soa_verdict {
	SOA_GOOD,      // *out
	SOA_NOT_OURS,  // other id, other question, garbage: whoever sent it, keep waiting
	SOA_TRUNCATED, // ask over TCP
	SOA_NO_EDNS,   // FORMERR or NOTIMP: ask again without EDNS
	SOA_KEY,       // the primary will not have our key: error[]
	SOA_BAD,       // an answer, and not usable: error[]
};

#define SOA_ERROR_MAX 160

enum soa_verdict soa_answer_read(const uint8_t *msg, size_t len, const uint8_t *apex, uint16_t id,
    struct tsig_stream *stream, uint64_t now_s, struct zone_soa *out, char error[SOA_ERROR_MAX]);
