// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SOA queries over UDP, then TCP, or over TLS alone (see soa_query.h). The UDP socket is connected,
// so that the kernel drops what others send and tells of a closed port at once.
#include "soa_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "rrtype.h"
#include "stream.h"
#include "wire.h"

#define UDP_TRIES          3
#define UDP_FIRST_MS       700 // doubled by each try
#define TCP_CONNECT_MS     3000
#define TCP_IDLE_MS        5000
#define TCP_TOTAL_S        20
#define DATAGRAMS_PER_TURN 16

struct soa_query {
	struct event_base *base;
	struct event *io; // UDP socket and its timeout
	struct stream *stream;
	struct tsig_stream tsig;
	struct peer peer; // holds a reference to its key
	soa_done_fn done;
	void *ctx;
	uint64_t *sent;
	int fd;
	unsigned tries;
	int64_t until_ms; // mono: the end of this try over UDP
	bool no_edns, over_tcp, heard, tcp_done, key_refused;
	uint16_t id;
	struct zone_soa soa;
	char error[SOA_ERROR_MAX];
	uint8_t request[1024];
	size_t request_len;
	uint8_t apex[NAME_LEN_MAX];
};

static void udp_try(struct soa_query *query);
static void tcp_try(struct soa_query *query);

static void udp_close(struct soa_query *query)
{
	if (query->io != NULL) {
		event_free(query->io);
		query->io = NULL;
	}
	if (query->fd >= 0) {
		close(query->fd);
		query->fd = -1;
	}
}

static void query_free(struct soa_query *query)
{
	udp_close(query);
	stream_close(query->stream);
	tsig_stream_close(&query->tsig);
	tsig_key_unref(query->peer.key);
	tls_context_unref(query->peer.tls);
	free(query);
}

static void query_end(struct soa_query *query, bool good)
{
	const struct soa_failure failure = {
	    .silent = !query->heard, .key_refused = query->key_refused, .error = query->error};

	query->done(query->ctx, good ? &query->soa : NULL, &failure);
	query_free(query);
}

// A new id, and a signature over it. Post: false when out of memory.
static bool request_build(struct soa_query *query)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len = 0;
	size_t len;

	query->id = (uint16_t)arc4random();
	len = wire_question(query->request, query->id, 0, query->apex, RRTYPE_SOA);
	if (!query->no_edns) {
		len = wire_opt(
		    query->request, len, query->peer.tls != NULL, tsig_record_len(query->peer.key));
	}
	tsig_stream_close(&query->tsig);
	if (query->peer.key != NULL) {
		len = tsig_sign(query->peer.key, query->request, len, sizeof(query->request),
		    (uint64_t)time(NULL), NULL, 0, TSIG_OK, 0, mac, &mac_len);
	}
	query->request_len = len;
	return len > 0 && tsig_stream_open(&query->tsig, query->peer.key, mac, mac_len) == 0;
}

// The query is over when its own timer says so: `done` must not be called from soa_query_start.
static void end_later(struct soa_query *query, const char *why);

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	query_end(arg, false);
}

static void end_later(struct soa_query *query, const char *why)
{
	struct timeval at_once = {0};

	if (why != NULL) {
		snprintf(query->error, sizeof(query->error), "%s", why);
	}
	udp_close(query);
	query->io = event_new(query->base, -1, 0, on_end, query);
	if (query->io != NULL) {
		event_add(query->io, &at_once);
	}
}

// Acts on one message. Post: false when the query is gone or has moved on.
static bool answer_take(struct soa_query *query, const uint8_t *msg, size_t len)
{
	switch (soa_answer_read(msg, len, query->apex, query->id, &query->tsig,
	    (uint64_t)time(NULL), &query->soa, query->error)) {
	case SOA_GOOD:
		query->heard = true;
		query_end(query, true);
		return false;
	case SOA_NOT_OURS:
		return true;
	case SOA_TRUNCATED:
		query->heard = true;
		tcp_try(query);
		return false;
	case SOA_NO_EDNS:
		query->heard = true;
		if (query->no_edns) {
			query_end(query, false);
		} else {
			query->no_edns = true;
			query->tries = 0;
			udp_try(query);
		}
		return false;
	case SOA_KEY:
		query->key_refused = true;
		// Fall through.
	case SOA_BAD:
		query->heard = true;
		query_end(query, false);
		return false;
	}
	return true;
}

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void udp_over(struct soa_query *query)
{
	if (query->tries < UDP_TRIES) {
		udp_try(query);
	} else {
		tcp_try(query);
	}
}

// What has come is read before the time is looked at: the loop may have been busy. Each datagram
// begins the event's timeout anew, so what is left is said again: whoever keeps sending what is no
// answer must not hold up the query for ever.
static void udp_wait(struct soa_query *query)
{
	const int64_t left = query->until_ms - mono_ms();
	const struct timeval timeout = {
	    .tv_sec = left / 1000, .tv_usec = (suseconds_t)(left % 1000) * 1000};

	if (left <= 0) {
		udp_over(query);
	} else if (event_add(query->io, &timeout) != 0) {
		end_later(query, "out of memory");
	}
}

static void udp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct soa_query *query = arg;
	uint8_t msg[4096];

	(void)what;
	for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(fd, msg, sizeof(msg), 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			break;
		}
		if (n < 0) { // nothing listens there over UDP: TCP is the last word
			tcp_try(query);
			return;
		}
		if (!answer_take(query, msg, (size_t)n)) {
			return;
		}
	}
	udp_wait(query);
}

static int udp_socket(struct soa_query *query)
{
	const struct peer *peer = &query->peer;

	query->fd = socket(peer->remote.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (query->fd < 0 ||
	    (peer->local_len > 0 &&
	        bind(query->fd, (const struct sockaddr *)&peer->local, peer->local_len) != 0) ||
	    connect(query->fd, (const struct sockaddr *)&peer->remote, peer->remote_len) != 0) {
		return -errno;
	}
	return 0;
}

static void udp_try(struct soa_query *query)
{
	query->until_ms = mono_ms() + ((int64_t)UDP_FIRST_MS << query->tries);
	udp_close(query);
	query->tries++;
	if (!request_build(query)) {
		end_later(query, "out of memory");
		return;
	}
	int rc = udp_socket(query);

	if (rc != 0) {
		end_later(query, strerror(-rc));
		return;
	}
	if (query->sent != NULL) {
		(*query->sent)++;
	}
	// A send that fails is like one that is lost: the timeout takes over.
	(void)send(query->fd, query->request, query->request_len, MSG_NOSIGNAL);
	query->io = event_new(query->base, query->fd, EV_READ | EV_PERSIST, udp_ready, query);
	if (query->io == NULL) {
		end_later(query, "out of memory");
		return;
	}
	udp_wait(query);
}

static bool tcp_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct soa_query *query = ctx;
	enum soa_verdict verdict = soa_answer_read(msg, len, query->apex, query->id, &query->tsig,
	    (uint64_t)time(NULL), &query->soa, query->error);

	query->heard = true;
	query->tcp_done = verdict == SOA_GOOD;
	query->key_refused = verdict == SOA_KEY;
	if (verdict == SOA_NOT_OURS || verdict == SOA_TRUNCATED) {
		snprintf(query->error, sizeof(query->error), "unusable answer over %s",
		    query->peer.tls != NULL ? "TLS" : "TCP");
	}
	return false; // one question, one answer
}

static void tcp_closed(void *ctx, const char *why)
{
	struct soa_query *query = ctx;

	if (why != NULL) {
		snprintf(query->error, sizeof(query->error), "%s%s",
		    query->peer.tls != NULL ? "" : "no answer over UDP; TCP: ", why);
	}
	query_end(query, query->tcp_done);
}

// Over TLS where the peer has it.
static void tcp_try(struct soa_query *query)
{
	static const struct stream_handlers handlers = {
	    .message = tcp_message, .closed = tcp_closed};
	const struct peer *peer = &query->peer;
	struct stream_options options = {.remote = (const struct sockaddr *)&peer->remote,
	    .remote_len = peer->remote_len,
	    .local = peer->local_len > 0 ? (const struct sockaddr *)&peer->local : NULL,
	    .local_len = peer->local_len,
	    .tls = peer->tls,
	    .connect_ms = TCP_CONNECT_MS,
	    .idle_ms = TCP_IDLE_MS,
	    .total_s = TCP_TOTAL_S,
	    .buffer = STREAM_BUFFER_MIN};

	udp_close(query);
	if (!request_build(query)) {
		end_later(query, "out of memory");
		return;
	}
	if (query->sent != NULL) {
		(*query->sent)++;
	}
	int rc = stream_open(query->base, &options, query->request, query->request_len, &handlers,
	    query, &query->stream);

	if (rc != 0) {
		end_later(query, strerror(-rc));
	}
}

int soa_query_start(struct event_base *base, const struct peer *peer, const uint8_t *apex,
    soa_done_fn done, void *ctx, uint64_t *sent, struct soa_query **out)
{
	struct soa_query *query = calloc(1, sizeof(*query));

	if (query == NULL) {
		return -ENOMEM;
	}
	query->base = base;
	query->peer = *peer;
	query->peer.key = tsig_key_ref(peer->key);
	query->peer.tls = tls_context_ref(peer->tls);
	query->done = done;
	query->ctx = ctx;
	query->sent = sent;
	query->fd = -1;
	memcpy(query->apex, apex, name_len(apex));
	if (peer->tls != NULL) {
		tcp_try(query);
	} else {
		udp_try(query);
	}
	*out = query;
	return 0;
}

void soa_query_abort(struct soa_query *query)
{
	if (query != NULL) {
		query_free(query);
	}
}
