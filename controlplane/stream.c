// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A framed TCP conversation (see stream.h). One buffer, messages are handed over where they lie in
// it: a transfer's bytes are copied once, by the kernel.
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "wire.h"

// Reads of one turn of the loop: others must get theirs. At 256 KB each this is some milliseconds.
#define READS_PER_TURN 8

struct stream {
	struct event *io;
	struct event *window; // every STREAM_WINDOW_S
	struct stream_handlers handlers;
	void *ctx;
	int fd;
	bool connected, hung_up;
	unsigned idle_ms, window_bytes_min, windows_left;
	uint64_t received, received_before; // before: at the last window
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
	stream->handlers.closed(stream->ctx, why); // frees the stream
}

static int io_wait(struct stream *stream, short what, unsigned timeout_ms)
{
	struct timeval timeout = timeval_ms(timeout_ms);

	event_del(stream->io);
	if (event_assign(stream->io, event_get_base(stream->io), stream->fd,
	        (short)(what | EV_PERSIST), io_ready, stream) != 0 ||
	    event_add(stream->io, &timeout) != 0) {
		return -ENOMEM;
	}
	return 0;
}

// Post: false when the stream is gone.
static bool request_send(struct stream *stream)
{
	while (stream->request_sent < stream->request_len) {
		ssize_t n = send(stream->fd, stream->request + stream->request_sent,
		    stream->request_len - stream->request_sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return true;
		}
		if (n < 0) {
			stream_end(stream, strerror(errno));
			return false;
		}
		stream->request_sent += (size_t)n;
	}
	if (io_wait(stream, EV_READ, stream->idle_ms) != 0) {
		stream_end(stream, "out of memory");
		return false;
	}
	return true;
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
	stream->connected = true;
	(void)request_send(stream);
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
	memmove(stream->buffer, stream->buffer + at, stream->used - at);
	stream->used -= at;
	return true;
}

static void stream_read(struct stream *stream)
{
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		size_t room =
		    stream->cap - stream->used; // never 0: a whole message fits, and is taken
		ssize_t n = recv(stream->fd, stream->buffer + stream->used, room, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n <= 0) {
			stream->hung_up = true;
			stream_end(stream, n < 0
			                       ? strerror(errno)
			                       : "connection closed before the end of the answer");
			return;
		}
		stream->used += (size_t)n;
		stream->received += (uint64_t)n;
		if (!messages_take(stream) || (size_t)n < room) {
			return;
		}
	}
}

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	if ((what & EV_TIMEOUT) != 0) {
		stream_end(
		    stream, stream->connected ? "timed out waiting for data" : "connect timed out");
	} else if (!stream->connected) {
		connect_finished(stream);
	} else if ((what & EV_WRITE) != 0) {
		(void)request_send(stream);
	} else {
		stream_read(stream);
	}
}

// A peer that sends a byte a second would hold a connection for ever: each window in which anything
// came must bring enough. Silence is the idle timeout's business.
static void window_over(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;
	uint64_t got = stream->received - stream->received_before;

	(void)fd;
	(void)what;
	stream->received_before = stream->received;
	if (got > 0 && got < stream->window_bytes_min) {
		stream_end(stream, "too slow");
	} else if (--stream->windows_left == 0) {
		stream_end(stream, "took too long");
	}
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
	struct timeval window = {.tv_sec = STREAM_WINDOW_S};
	struct timeval timeout = timeval_ms(options->connect_ms);
	struct stream *stream = malloc(sizeof(*stream) + options->buffer);
	int rc = -ENOMEM;

	if (stream == NULL) {
		return -ENOMEM;
	}
	memset(stream, 0, sizeof(*stream));
	stream->fd = -1;
	stream->cap = options->buffer;
	stream->handlers = *handlers;
	stream->ctx = ctx;
	stream->idle_ms = options->idle_ms;
	stream->window_bytes_min = options->window_bytes_min;
	stream->windows_left = options->total_s / STREAM_WINDOW_S + 1;
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
	stream->io = event_new(base, stream->fd, EV_WRITE | EV_PERSIST, io_ready, stream);
	stream->window = event_new(base, -1, EV_PERSIST, window_over, stream);
	if (stream->io == NULL || stream->window == NULL || event_add(stream->io, &timeout) != 0 ||
	    event_add(stream->window, &window) != 0) {
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
	if (stream->window != NULL) {
		event_free(stream->window);
	}
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

uint64_t stream_received(const struct stream *stream)
{
	return stream->received;
}
