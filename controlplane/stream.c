// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A framed TCP conversation (see stream.h). One buffer, messages are handed over where they lie in
// it: a transfer's bytes are copied once, by the kernel, or written once, by the decryption.
//
// How a connection ends proves nothing here: the session knows when an answer is whole, and a close
// before that is a failure, with close_notify or without (RFC 9103 7.1, RFC 8446 6.1).
#include "stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "tls_link.h"
#include "wire.h"

// Read in one turn of the loop: others must get theirs. This is some milliseconds.
#define BYTES_PER_TURN (2 * 1024 * 1024)
#define READS_PER_TURN 256 // of which each may be one byte, with a record of its own

static_assert(STREAM_BUFFER_MIN == 2 + WIRE_MESSAGE_MAX + TLS_RECORD_MAX, "a record fits");

enum stream_stage {
	STAGE_CONNECT,
	STAGE_HANDSHAKE,
	STAGE_SEND,
	STAGE_READ,
};

struct stream {
	struct event *io;
	struct event *window; // every STREAM_WINDOW_S
	struct event *total;  // once, at the end of all time
	struct stream_handlers handlers;
	void *ctx;
	struct tls_context *tls; // a reference; NULL: plain TCP
	struct tls_link *link;   // from STAGE_HANDSHAKE on
	int fd;
	enum stream_stage stage;
	bool hung_up, heard;
	short waits_for; // EV_READ or EV_WRITE
	bool waits_up;
	unsigned connect_ms, idle_ms, window_bytes_min;
	uint64_t received, received_before; // off the socket; before: at the last window
	uint8_t *request;
	size_t request_len, request_sent;
	size_t used, cap; // of buffer
	uint8_t buffer[];
};

static void io_ready(evutil_socket_t fd, short what, void *arg);

static struct timeval timeval_ms(unsigned ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static void stream_end(struct stream *stream, const char *why)
{
	event_del(stream->io);
	event_del(stream->window);
	event_del(stream->total);
	stream->handlers.closed(stream->ctx, why); // frees the stream
}

// Until the connection is up its time is counted as a whole (window_over), then each silence is.
static bool stream_up(const struct stream *stream)
{
	return stream->stage == STAGE_SEND || stream->stage == STAGE_READ;
}

static int io_wait(struct stream *stream, short what)
{
	struct timeval idle = timeval_ms(stream->idle_ms);
	bool up = stream_up(stream);

	if (stream->waits_for == what && stream->waits_up == up) {
		return 0; // EV_PERSIST begins the timeout anew by itself
	}
	stream->waits_for = what;
	stream->waits_up = up;
	event_del(stream->io);
	if (event_assign(stream->io, event_get_base(stream->io), stream->fd,
	        (short)(what | EV_PERSIST), io_ready, stream) != 0 ||
	    event_add(stream->io, up ? &idle : NULL) != 0) {
		return -ENOMEM;
	}
	return 0;
}

static void stream_wait(struct stream *stream, short what)
{
	if (io_wait(stream, what) != 0) {
		stream_end(stream, "out of memory");
	}
}

static int window_begin(struct stream *stream, unsigned ms)
{
	struct timeval window = timeval_ms(ms);

	return event_add(stream->window, &window) == 0 ? 0 : -ENOMEM;
}

// What a step of TLS that is not done leads to.
static void tls_pause(struct stream *stream, enum tls_step step)
{
	switch (step) {
	case TLS_WANT_READ:
		stream_wait(stream, EV_READ);
		break;
	case TLS_WANT_WRITE:
		stream_wait(stream, EV_WRITE);
		break;
	case TLS_ENDED:
		stream->hung_up = stream->stage == STAGE_READ;
		stream_end(stream, "TLS: connection closed before the end of the answer");
		break;
	default: {
		char why[TLS_ERROR_MAX + 8];

		stream->hung_up = stream->heard;
		snprintf(why, sizeof(why), "TLS: %s", tls_link_error(stream->link));
		stream_end(stream, why);
	}
	}
}

static void request_send(struct stream *stream)
{
	if (stream->stage != STAGE_SEND) {
		stream->stage = STAGE_SEND;
		if (window_begin(stream, STREAM_WINDOW_S * 1000) != 0) {
			stream_end(stream, "out of memory");
			return;
		}
	}
	while (stream->request_sent < stream->request_len) {
		const uint8_t *from = stream->request + stream->request_sent;
		size_t left = stream->request_len - stream->request_sent, sent = 0;

		if (stream->link != NULL) {
			enum tls_step step = tls_link_write(stream->link, from, left, &sent);

			if (step != TLS_DONE) {
				tls_pause(stream, step);
				return;
			}
		} else {
			ssize_t n = send(stream->fd, from, left, MSG_NOSIGNAL);

			if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
				stream_wait(stream, EV_WRITE);
				return;
			}
			if (n < 0) {
				stream_end(stream, strerror(errno));
				return;
			}
			sent = (size_t)n;
		}
		stream->request_sent += sent;
	}
	stream->stage = STAGE_READ;
	stream_wait(stream, EV_READ);
}

static void handshake(struct stream *stream)
{
	enum tls_step step = tls_link_handshake(stream->link);

	if (step != TLS_DONE) {
		tls_pause(stream, step);
		return;
	}
	request_send(stream);
}

static void connect_finished(struct stream *stream)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
		error = errno;
	}
	if (error != 0) {
		stream_end(stream, strerror(error));
		return;
	}
	if (stream->tls == NULL) {
		request_send(stream);
		return;
	}
	stream->stage = STAGE_HANDSHAKE;
	if (window_begin(stream, stream->connect_ms) != 0 ||
	    tls_link_open(stream->tls, stream->fd, &stream->link) != 0) {
		stream_end(stream, "out of memory");
		return;
	}
	handshake(stream);
}

// Hands over the whole messages in the buffer and moves the rest to its front.
// Post: false when the stream is gone.
static bool messages_take(struct stream *stream)
{
	size_t at = 0;

	while (stream->used - at >= 2) {
		size_t len = wire_get16(stream->buffer + at);

		if (stream->used - at - 2 < len) {
			break;
		}
		if (!stream->handlers.message(stream->ctx, stream->buffer + at + 2, len)) {
			stream_end(stream, NULL);
			return false;
		}
		at += 2 + len;
	}
	if (at > 0) {
		memmove(stream->buffer, stream->buffer + at, stream->used - at);
		stream->used -= at;
	}
	return true;
}

// Post: bytes read; 0 when the stream waits for more or is gone.
static size_t bytes_read(struct stream *stream)
{
	uint8_t *out = stream->buffer + stream->used;
	size_t room = stream->cap - stream->used; // never 0: a whole message fits, and is taken
	size_t got = 0;

	if (stream->link != NULL) {
		enum tls_step step = tls_link_read(stream->link, out, room, &got);

		stream->received = tls_link_received(stream->link);
		if (step != TLS_DONE) {
			tls_pause(stream, step);
			return 0;
		}
		return got;
	}
	ssize_t n = recv(stream->fd, out, room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	if (n <= 0) {
		stream->hung_up = true;
		stream_end(stream,
		    n < 0 ? strerror(errno) : "connection closed before the end of the answer");
		return 0;
	}
	stream->received += (uint64_t)n;
	return (size_t)n;
}

static void stream_read(struct stream *stream)
{
	size_t total = 0;

	for (unsigned reads = 0; reads < READS_PER_TURN && total < BYTES_PER_TURN; reads++) {
		size_t got = bytes_read(stream);

		if (got == 0) {
			return;
		}
		stream->used += got;
		stream->heard = true;
		total += got;
		if (!messages_take(stream)) {
			return;
		}
	}
}

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0) {
		stream_end(stream, stream->stage == STAGE_SEND ? "timed out sending the question"
		                                               : "timed out waiting for data");
		return;
	}
	switch (stream->stage) {
	case STAGE_CONNECT:
		connect_finished(stream);
		break;
	case STAGE_HANDSHAKE:
		handshake(stream);
		break;
	case STAGE_SEND:
		request_send(stream);
		break;
	case STAGE_READ:
		stream_read(stream);
		break;
	}
}

// A peer that sends a byte a second would hold a connection for ever: each window in which anything
// came must bring enough. Silence is the idle timeout's business. The first windows are those that
// connect and handshake get.
static void window_over(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;
	uint64_t got = stream->received - stream->received_before;

	(void)fd;
	(void)what;
	stream->received_before = stream->received;
	if (!stream_up(stream)) {
		stream_end(stream, stream->stage == STAGE_CONNECT ? "connect timed out"
		                                                  : "TLS: handshake timed out");
	} else if (got > 0 && got < stream->window_bytes_min) {
		stream_end(stream, "too slow");
	}
}

static void total_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stream_end(arg, "took too long");
}

static int socket_connect(const struct stream_options *options, int *out)
{
	int fd = socket(options->remote->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int rc;

	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if ((options->local != NULL && bind(fd, options->local, options->local_len) != 0) ||
	    (connect(fd, options->remote, options->remote_len) != 0 && errno != EINPROGRESS)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int stream_open(struct event_base *base, const struct stream_options *options,
    const uint8_t *request, size_t len, const struct stream_handlers *handlers, void *ctx,
    struct stream **out)
{
	struct stream *stream = malloc(sizeof(*stream) + options->buffer);
	const struct timeval total = {.tv_sec = options->total_s};
	int rc = -ENOMEM;

	if (stream == NULL) {
		return -ENOMEM;
	}
	assert(options->buffer >= STREAM_BUFFER_MIN);
	memset(stream, 0, sizeof(*stream));
	stream->fd = -1;
	stream->tls = tls_context_ref(options->tls);
	stream->connect_ms = options->connect_ms;
	stream->cap = options->buffer;
	stream->handlers = *handlers;
	stream->ctx = ctx;
	stream->idle_ms = options->idle_ms;
	stream->window_bytes_min = options->window_bytes_min;
	stream->request_len = len + 2;
	stream->request = malloc(len + 2);
	if (stream->request == NULL) {
		goto fail;
	}
	wire_put16(stream->request, (uint16_t)len);
	memcpy(stream->request + 2, request, len);
	rc = socket_connect(options, &stream->fd);
	if (rc != 0) {
		goto fail;
	}
	rc = -ENOMEM;
	stream->waits_for = EV_WRITE;
	stream->io = event_new(base, stream->fd, EV_WRITE | EV_PERSIST, io_ready, stream);
	stream->window = event_new(base, -1, EV_PERSIST, window_over, stream);
	stream->total = event_new(base, -1, 0, total_over, stream);
	if (stream->io == NULL || stream->window == NULL || stream->total == NULL ||
	    event_add(stream->io, NULL) != 0 || event_add(stream->total, &total) != 0 ||
	    window_begin(stream, options->connect_ms) != 0) {
		goto fail;
	}
	*out = stream;
	return 0;
fail:
	stream_close(stream);
	return rc;
}

void stream_close(struct stream *stream)
{
	if (stream == NULL) {
		return;
	}
	if (stream->io != NULL) {
		event_free(stream->io);
	}
	if (stream->total != NULL) {
		event_free(stream->total);
	}
	if (stream->window != NULL) {
		event_free(stream->window);
	}
	tls_link_close(stream->link);
	tls_context_unref(stream->tls);
	if (stream->fd >= 0) {
		close(stream->fd);
	}
	free(stream->request);
	free(stream);
}

bool stream_hung_up(const struct stream *stream)
{
	return stream->hung_up;
}
