// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A client of the control plane over TCP or TLS (see connection.h).
#include "connection.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "tls_link.h"
#include "wire.h"

// A NOTIFY with a SOA, OPT and a TSIG is below 1 KB, an IXFR query too; whoever sends more is not
// worth the memory.
#define MESSAGE_MAX 4096
#define IDLE_S      10 // for a request
#define HANDSHAKE_S 10 // of TLS, however it is dripped
#define STALL_S     30 // that the socket takes nothing at all
// In each window a source's client must take so much: 1000 bytes a second, like the least that BIND
// (min-transfer-rate-in 10 KB in 5 minutes) asks for, and more than a modem has.
#define WINDOW_S          10
#define WINDOW_BYTES_MIN  (1000 * WINDOW_S)
#define TOTAL_S           (4 * 3600)
#define REQUESTS_PER_TURN 16

enum source_state {
	STATE_MORE,
	STATE_WAITING,
	STATE_LAST, // its last message is in `out`
};

static void io_ready(evutil_socket_t fd, short what, void *arg);

static void connection_free(struct connection *connection)
{
	if (connection->io != NULL) {
		event_free(connection->io);
	}
	if (connection->window != NULL) {
		event_free(connection->window);
	}
	tls_link_close(connection->tls);
	close(connection->fd);
	free(connection->out);
	free(connection);
}

static void source_end(struct connection *connection, const char *why)
{
	const struct connection_source *source = connection->source;

	connection->source = NULL;
	event_del(connection->window);
	if (source != NULL) {
		source->ended(connection->source_ctx, why);
	}
}

static void connection_end(struct connection *connection, const char *why)
{
	// What has been broken off is worth nothing to the client, and the kernel need not keep it.
	const struct linger reset = {.l_onoff = connection->source != NULL};

	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	source_end(connection, why);
	connection->owner->closed(connection->owner->ctx, connection);
	connection_free(connection);
}

// Post: false when the connection is gone.
static bool io_wait(struct connection *connection, short what, int seconds)
{
	struct timeval timeout = {.tv_sec = seconds};

	// Its timeout began anew when it was last ready.
	if (what != 0 && event_pending(connection->io, what, NULL) != 0) {
		return true;
	}
	event_del(connection->io);
	if (what == 0) {
		return true;
	}
	if (event_assign(connection->io, event_get_base(connection->io), connection->fd,
	        (short)(what | EV_PERSIST), io_ready, connection) != 0 ||
	    event_add(connection->io, &timeout) != 0) {
		connection_end(connection, "out of memory");
		return false;
	}
	return true;
}

// --- the bytes of the connection
// -------------------------------------------------------------------

// As send() and recv() over TLS, errno included.
static ssize_t tls_send(struct connection *connection, const uint8_t *from, size_t len)
{
	size_t sent = 0;
	enum tls_step step = tls_link_write(connection->tls, from, len, &sent);

	errno = step == TLS_WANT_READ || step == TLS_WANT_WRITE ? EAGAIN : EPIPE;
	return step == TLS_DONE ? (ssize_t)sent : -1;
}

static ssize_t tls_receive(struct connection *connection, uint8_t *out, size_t room)
{
	size_t got = 0;
	enum tls_step step = tls_link_read(connection->tls, out, room, &got);

	errno = step == TLS_WANT_READ || step == TLS_WANT_WRITE ? EAGAIN : EPIPE;
	return step == TLS_DONE ? (ssize_t)got : step == TLS_ENDED ? 0 : -1;
}

// Post: 1 when all is sent, 0 when the socket takes no more now, -errno.
static int bytes_send(struct connection *connection)
{
	while (connection->out_sent < connection->out_len) {
		const uint8_t *from = connection->out + connection->out_sent;
		size_t left = connection->out_len - connection->out_sent;
		ssize_t n = connection->tls != NULL
		                ? tls_send(connection, from, left)
		                : send(connection->fd, from, left, MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		}
		connection->out_sent += (size_t)n;
		connection->sent += (uint64_t)n;
	}
	return 1;
}

// Post: the number of bytes, 0 when there are none now, -errno (-EPIPE at the end).
static ssize_t bytes_receive(struct connection *connection)
{
	size_t room =
	    2 + MESSAGE_MAX - connection->used; // never 0: a message that is there is taken
	uint8_t *out = connection->buffer + connection->used;
	ssize_t n = connection->tls != NULL ? tls_receive(connection, out, room)
	                                    : recv(connection->fd, out, room, 0);

	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	connection->used += (size_t)n;
	return n > 0 ? n : -EPIPE;
}

// --- requests and answers
// --------------------------------------------------------------------------

static bool out_room(struct connection *connection, size_t cap)
{
	if (connection->out_cap < cap) {
		free(connection->out); // empty now
		connection->out = malloc(cap);
		connection->out_cap = connection->out != NULL ? cap : 0;
	}
	return connection->out != NULL;
}

static void out_set(struct connection *connection, size_t len)
{
	wire_put16(connection->out, (uint16_t)len);
	connection->out_len = 2 + len;
	connection->out_sent = 0;
}

// Post: true when there is something to send or to wait for.
static bool source_step(struct connection *connection)
{
	size_t len = 0;

	if (!out_room(connection, 2 + WIRE_MESSAGE_MAX)) {
		return false;
	}
	switch (connection->source->next(
	    connection->source_ctx, connection->out + 2, WIRE_MESSAGE_MAX, &len)) {
	case SOURCE_MORE:
		connection->source_state = STATE_MORE;
		out_set(connection, len);
		return true;
	case SOURCE_LAST:
		connection->source_state = STATE_LAST;
		out_set(connection, len);
		return true;
	case SOURCE_WAIT:
		connection->source_state = STATE_WAITING;
		return true;
	case SOURCE_BROKEN:
		break;
	}
	return false;
}

// Is a whole message in the buffer? Post: its length; 0: not yet; -EPROTO: it never will be.
static int request_len(const struct connection *connection)
{
	size_t len = connection->used < 2 ? 0 : wire_get16(connection->buffer);

	if (connection->used < 2) {
		return 0;
	}
	if (len < WIRE_HEADER_LEN || len > MESSAGE_MAX) {
		return -EPROTO;
	}
	return connection->used < 2 + len ? 0 : (int)len;
}

// Post: false when the connection must end.
static bool request_take(struct connection *connection, size_t len)
{
	size_t reply;

	if (!out_room(connection, 2 + CONNECTION_REPLY_MAX)) {
		return false;
	}
	reply = connection->owner->request(connection->owner->ctx, connection,
	    connection->buffer + 2, len, connection->out + 2, CONNECTION_REPLY_MAX);
	connection->used -= 2 + len;
	memmove(connection->buffer, connection->buffer + 2 + len, connection->used);
	if (reply == 0) {
		return false;
	}
	if (reply != CONNECTION_SOURCE) {
		out_set(connection, reply);
	}
	return true;
}

// Goes on until the socket, the source or the turn is at its end.
static void connection_work(struct connection *connection)
{
	bool turn_over = false;

	for (unsigned requests = 0;;) {
		int rc = bytes_send(connection);

		if (rc < 0) {
			connection_end(connection, strerror(-rc));
			return;
		}
		if (rc == 0 || turn_over) {
			(void)io_wait(connection, EV_WRITE, STALL_S);
			return;
		}
		if (connection->source != NULL && connection->source_state == STATE_LAST) {
			source_end(connection, NULL);
		}
		if (connection->source != NULL) {
			if (!source_step(connection)) {
				connection_end(connection, "broken off");
				return;
			}
			if (connection->source_state == STATE_WAITING) {
				(void)io_wait(connection, 0, 0);
				return;
			}
			turn_over = true;
			continue;
		}
		rc = request_len(connection);
		if (rc < 0 || (rc > 0 && !request_take(connection, (size_t)rc))) {
			connection_end(connection, "bad request");
			return;
		}
		if (rc == 0 && connection->tls != NULL && tls_link_pending(connection->tls) &&
		    bytes_receive(connection) > 0) {
			continue; // a record may hold more than the buffer had room for
		}
		if (rc == 0) {
			(void)io_wait(connection, EV_READ, IDLE_S);
			return;
		}
		turn_over = ++requests == REQUESTS_PER_TURN;
	}
}

static void handshake(struct connection *connection)
{
	switch (tls_link_handshake(connection->tls)) {
	case TLS_DONE:
		connection->shaking = false;
		event_del(connection->window);
		(void)io_wait(connection, EV_READ, IDLE_S);
		break;
	case TLS_WANT_READ:
		(void)io_wait(connection, EV_READ, IDLE_S);
		break;
	case TLS_WANT_WRITE:
		(void)io_wait(connection, EV_WRITE, IDLE_S);
		break;
	case TLS_ENDED:
	case TLS_FAILED:
		connection_end(connection, "no TLS");
		break;
	}
}

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	if ((what & EV_TIMEOUT) != 0) {
		connection_end(connection, CONNECTION_STALLED);
		return;
	}
	if (connection->shaking) {
		handshake(connection);
		return;
	}
	if ((what & EV_READ) != 0) {
		ssize_t n = bytes_receive(connection);

		if (n == 0) {
			return;
		}
		if (n < 0) {
			connection_end(connection, strerror((int)-n));
			return;
		}
	}
	connection_work(connection);
}

// A client that takes a byte a second would hold a version for ever.
static void window_over(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;
	uint64_t took = connection->sent - connection->sent_before;

	connection->sent_before = connection->sent;
	if (connection->shaking) {
		connection_end(connection, CONNECTION_SLOW);
		return;
	}
	if (connection->source_state == STATE_WAITING) {
		return;
	}
	if (took < WINDOW_BYTES_MIN) {
		connection_end(connection, CONNECTION_SLOW);
	} else if (--connection->windows_left == 0) {
		connection_end(connection, "took too long");
	}
}

void connection_source(
    struct connection *connection, const struct connection_source *source, void *ctx)
{
	struct timeval window = {.tv_sec = WINDOW_S};

	connection->source = source;
	connection->source_ctx = ctx;
	connection->source_state = STATE_MORE;
	connection->windows_left = TOTAL_S / WINDOW_S;
	connection->sent_before = connection->sent;
	(void)event_add(connection->window, &window); // it was added before: cannot fail
}

void connection_wake(struct connection *connection)
{
	if (connection->source != NULL && connection->source_state == STATE_WAITING) {
		connection_work(connection);
	}
}

struct connection *connection_open(struct event_base *base, int fd, struct tls_context *tls,
    const struct sockaddr_storage *from, const struct connection_owner *owner)
{
	struct connection *connection = calloc(1, sizeof(*connection) + 2 + MESSAGE_MAX);
	struct timeval idle = {.tv_sec = IDLE_S}, window = {.tv_sec = HANDSHAKE_S};

	if (connection == NULL) {
		close(fd);
		return NULL;
	}
	connection->fd = fd;
	connection->from = *from;
	connection->owner = owner;
	connection->io = event_new(base, fd, EV_READ | EV_PERSIST, io_ready, connection);
	connection->window = event_new(base, -1, EV_PERSIST, window_over, connection);
	if (connection->io == NULL || connection->window == NULL ||
	    event_add(connection->window, &window) != 0 || event_add(connection->io, &idle) != 0 ||
	    (tls != NULL && tls_link_open(tls, fd, &connection->tls) != 0)) {
		connection_free(connection);
		return NULL;
	}
	connection->shaking = tls != NULL;
	if (tls == NULL) {
		event_del(connection->window);
	}
	return connection;
}

void connection_close(struct connection *connection)
{
	if (connection != NULL) {
		source_end(connection, "closed");
		connection_free(connection);
	}
}
