// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control plane's DNS sockets (see listener.h).
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "wire.h"

#define DATAGRAMS_PER_TURN 64
// A NOTIFY with a SOA, OPT and a TSIG is below 1 KB; whoever sends more is not worth the memory.
#define MESSAGE_MAX     4096
#define REPLY_MAX       2048
#define CONNECTIONS_MAX 128
#define IDLE_S          10

struct connection {
	LIST_ENTRY(connection) link;
	struct listener *listener;
	struct event *io;
	struct sockaddr_storage from;
	size_t used;
	uint8_t buffer[2 + MESSAGE_MAX];
};

struct listener {
	struct event_base *base;
	listener_answer_fn answer;
	void *ctx;
	int udp, tcp;
	struct event *udp_io, *tcp_io;
	unsigned connections;
	LIST_HEAD(, connection) list;
};

// Answers from the address that was asked, which matters where one socket has several.
static void udp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	uint8_t msg[MESSAGE_MAX], reply[REPLY_MAX];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;

	(void)what;
	for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
		struct sockaddr_storage from;
		struct iovec iov = {.iov_base = msg, .iov_len = sizeof(msg)};
		struct msghdr header = {.msg_name = &from,
		    .msg_namelen = sizeof(from),
		    .msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = control.bytes,
		    .msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(fd, &header, 0);

		if (n < 0) {
			return;
		}
		if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
			continue;
		}
		size_t len = listener->answer(listener->ctx, msg, (size_t)n,
		    (const struct sockaddr *)&from, reply, sizeof(reply));

		if (len > 0) {
			iov.iov_base = reply;
			iov.iov_len = len;
			for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL;
			     c = CMSG_NXTHDR(&header, c)) {
				if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
					struct in_pktinfo *info = (void *)CMSG_DATA(c);

					info->ipi_spec_dst = info->ipi_addr;
					info->ipi_ifindex = 0; // the route decides
				}
			}
			(void)sendmsg(fd, &header, MSG_NOSIGNAL);
		}
	}
}

static void connection_close(struct connection *connection)
{
	int fd = event_get_fd(connection->io);

	LIST_REMOVE(connection, link);
	connection->listener->connections--;
	event_free(connection->io);
	close(fd);
	free(connection);
}

// Post: false when the connection must end. A reply that does not fit the socket's buffer means
// that the peer does not read: it need not be waited for.
static bool connection_answer(struct connection *connection, size_t len)
{
	struct listener *listener = connection->listener;
	uint8_t reply[2 + REPLY_MAX];
	size_t reply_len = listener->answer(listener->ctx, connection->buffer + 2, len,
	    (const struct sockaddr *)&connection->from, reply + 2, REPLY_MAX);

	if (reply_len == 0) {
		return false;
	}
	wire_put16(reply, (uint16_t)reply_len);
	return send(event_get_fd(connection->io), reply, reply_len + 2, MSG_NOSIGNAL) ==
	       (ssize_t)(reply_len + 2);
}

static void connection_ready(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	if ((what & EV_TIMEOUT) != 0) {
		connection_close(connection);
		return;
	}
	ssize_t n = recv(fd, connection->buffer + connection->used,
	    sizeof(connection->buffer) - connection->used, 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) {
			connection_close(connection);
		}
		return;
	}
	connection->used += (size_t)n;
	while (connection->used >= 2) { // each turn takes a message of at least 2 bytes
		size_t len = wire_get16(connection->buffer);

		if (len < WIRE_HEADER_LEN || len > MESSAGE_MAX) {
			connection_close(connection);
			return;
		}
		if (connection->used < 2 + len) {
			return;
		}
		if (!connection_answer(connection, len)) {
			connection_close(connection);
			return;
		}
		connection->used -= 2 + len;
		memmove(connection->buffer, connection->buffer + 2 + len, connection->used);
	}
}

static void tcp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct timeval idle = {.tv_sec = IDLE_S};
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	int sock = accept4(fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (sock < 0) {
		return;
	}
	struct connection *connection =
	    listener->connections < CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;

	if (connection == NULL) {
		close(sock);
		return;
	}
	connection->listener = listener;
	connection->from = from;
	connection->io =
	    event_new(listener->base, sock, EV_READ | EV_PERSIST, connection_ready, connection);
	if (connection->io == NULL || event_add(connection->io, &idle) != 0) {
		if (connection->io != NULL) {
			event_free(connection->io);
		}
		close(sock);
		free(connection);
		return;
	}
	listener->connections++;
	LIST_INSERT_HEAD(&listener->list, connection, link);
}

static int socket_bound(const struct config_address *address, int type)
{
	int on = 1;
	int family = address->addr.ss_family;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	// An address that is configured but not up yet must not keep the node from starting.
	(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	} else if (type == SOCK_DGRAM) {
		(void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	if (bind(fd, (const struct sockaddr *)&address->addr, address->addr_len) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) != 0)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int listener_open(struct event_base *base, const struct config_address *address,
    listener_answer_fn answer, void *ctx, struct listener **out)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int rc = -ENOMEM;

	if (listener == NULL) {
		return -ENOMEM;
	}
	listener->base = base;
	listener->answer = answer;
	listener->ctx = ctx;
	LIST_INIT(&listener->list);
	listener->tcp = -1;
	listener->udp = socket_bound(address, SOCK_DGRAM);
	listener->tcp = listener->udp < 0 ? -1 : socket_bound(address, SOCK_STREAM);
	if (listener->udp < 0 || listener->tcp < 0) {
		rc = listener->udp < 0 ? listener->udp : listener->tcp;
		goto fail;
	}
	listener->udp_io =
	    event_new(base, listener->udp, EV_READ | EV_PERSIST, udp_ready, listener);
	listener->tcp_io =
	    event_new(base, listener->tcp, EV_READ | EV_PERSIST, tcp_ready, listener);
	if (listener->udp_io == NULL || listener->tcp_io == NULL ||
	    event_add(listener->udp_io, NULL) != 0 || event_add(listener->tcp_io, NULL) != 0) {
		goto fail;
	}
	*out = listener;
	return 0;
fail:
	listener_close(listener);
	return rc;
}

void listener_close(struct listener *listener)
{
	if (listener == NULL) {
		return;
	}
	while (!LIST_EMPTY(&listener->list)) {
		connection_close(LIST_FIRST(&listener->list));
	}
	if (listener->udp_io != NULL) {
		event_free(listener->udp_io);
	}
	if (listener->tcp_io != NULL) {
		event_free(listener->tcp_io);
	}
	if (listener->udp >= 0) {
		close(listener->udp);
	}
	if (listener->tcp >= 0) {
		close(listener->tcp);
	}
	free(listener);
}
