// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone transfers over TCP or TLS (see transfer.h): the limits in time, and the glue between the
// connection and the session.
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stream.h"
#include "wire.h"

#define CONNECT_MS 5000
// Several whole messages per read; more gains nothing.
#define BUFFER_LEN (256 * 1024)

struct transfer {
	struct stream *stream;
	struct session *session;
	struct tsig_key *key;
	transfer_done_fn done;
	void *ctx;
};

static void transfer_free(struct transfer *transfer)
{
	stream_close(transfer->stream);
	session_close(transfer->session);
	tsig_key_unref(transfer->key);
	free(transfer);
}

static bool on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct transfer *transfer = ctx;

	return session_message(transfer->session, msg, len, (uint64_t)time(NULL)) == SESSION_MORE;
}

static void on_closed(void *ctx, const char *why)
{
	struct transfer *transfer = ctx;
	struct session *session = transfer->session;
	struct transfer_result result = {.state = session->state,
	    .soa = session->soa,
	    .bytes = session->bytes,
	    .messages = session->messages,
	    .count = session_count(session),
	    .error = session->error};

	if (session->state == SESSION_MORE) { // the connection ended first
		result.state = SESSION_FAILED;
		result.error = why;
		result.silent = why != NULL && strcmp(why, "connect timed out") == 0;
		result.heard = session->messages > 0 || stream_hung_up(transfer->stream);
	} else if (session->state == SESSION_FAILED) {
		result.heard = true;
		result.key_refused = session->key_refused;
		result.refused = session->rcode == WIRE_RCODE_FORMERR ||
		                 session->rcode == WIRE_RCODE_NOTIMP ||
		                 session->rcode == WIRE_RCODE_REFUSED;
	} else if (session->state == SESSION_DONE && session->delta != NULL) {
		result.delta = session_take_delta(session);
	} else if (session->state == SESSION_DONE) {
		result.records = session_take(session);
		result.seen = session_take_seen(session);
	}
	transfer->done(transfer->ctx, &result);
	transfer_free(transfer);
}

int transfer_start(struct event_base *base, const struct peer *peer, const uint8_t *apex,
    const struct session_ask *ask, const struct transfer_limits *limits, transfer_done_fn done,
    void *ctx, struct transfer **out)
{
	static const struct stream_handlers handlers = {.message = on_message, .closed = on_closed};
	struct stream_options options = {.remote = (const struct sockaddr *)&peer->remote,
	    .remote_len = peer->remote_len,
	    .local = peer->local_len > 0 ? (const struct sockaddr *)&peer->local : NULL,
	    .local_len = peer->local_len,
	    .tls = peer->tls,
	    .connect_ms = CONNECT_MS,
	    .idle_ms = limits->idle_s * 1000,
	    .window_bytes_min = limits->rate * STREAM_WINDOW_S,
	    .total_s = limits->time_s,
	    .buffer = BUFFER_LEN};
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	uint8_t request[1024];
	size_t len;
	int rc = -ENOMEM;

	if (transfer == NULL) {
		return -ENOMEM;
	}
	transfer->done = done;
	transfer->ctx = ctx;
	transfer->key = tsig_key_ref(peer->key);
	struct session_ask padded = *ask;

	padded.padded = peer->tls != NULL;
	transfer->session =
	    session_open(apex, transfer->key, (uint16_t)arc4random(), &padded, &limits->session);
	if (transfer->session == NULL) {
		goto fail;
	}
	len = session_request(transfer->session, request, sizeof(request), (uint64_t)time(NULL));
	if (len == 0) {
		goto fail;
	}
	rc = stream_open(base, &options, request, len, &handlers, transfer, &transfer->stream);
	if (rc != 0) {
		goto fail;
	}
	*out = transfer;
	return 0;
fail:
	transfer_free(transfer);
	return rc;
}

void transfer_abort(struct transfer *transfer)
{
	if (transfer != NULL) {
		transfer_free(transfer);
	}
}
