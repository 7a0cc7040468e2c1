// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control plane's DNS sockets (see listener.h).
#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "acceptor.h"
#include "address.h"
#include "connection.h"
#include "tls_context.h"

#define DATAGRAMS_PER_TURN 64
#define MESSAGE_MAX        4096
// Of all clients, and of one address. When all are taken the one that has been idle longest goes.
#define CONNECTIONS_MAX        256
#define CONNECTIONS_PER_SOURCE 64
// Bytes that wait in the kernel for a client's window: not the megabytes that a socket may hold,
// and enough to fill any path, for what is on its way does not count.
#define UNSENT_MAX (128 * 1024)

struct listener {
	struct event_base *base;
	struct listener_service service;
	struct connection_owner owner;
	int udp, tcp;
	struct event *udp_io;
	struct acceptor *acceptor;
	unsigned connections;
	TAILQ_HEAD(, connection) list; // newest first
};

// Answers from the address that was asked, which matters where one socket has several.
static void udp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;
	uint8_t msg[MESSAGE_MAX], reply[CONNECTION_REPLY_MAX];
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
		size_t len = listener->service.answer(listener->service.ctx, NULL, msg, (size_t)n,
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

static size_t connection_request(void *ctx, struct connection *connection, const uint8_t *msg,
    size_t len, uint8_t *reply, size_t cap)
{
	struct listener *listener = ctx;

	return listener->service.answer(listener->service.ctx, connection, msg, len,
	    (const struct sockaddr *)&connection->from, reply, cap);
}

static void connection_closed(void *ctx, struct connection *connection)
{
	struct listener *listener = ctx;

	TAILQ_REMOVE(&listener->list, connection, link);
	listener->connections--;
}

// Post: false when there is no place for one more client from there.
static bool place_find(struct listener *listener, const struct sockaddr_storage *from)
{
	struct connection *connection, *idle = NULL;
	unsigned same = 0;

	TAILQ_FOREACH(connection, &listener->list, link)
	{ // CONNECTIONS_MAX
		same += address_same_host(
		    (const struct sockaddr *)&connection->from, (const struct sockaddr *)from);
		if (connection->source == NULL) {
			idle = connection; // the oldest is the last one
		}
	}
	if (same >= CONNECTIONS_PER_SOURCE) {
		return false;
	}
	if (listener->connections < CONNECTIONS_MAX) {
		return true;
	}
	if (idle == NULL) {
		return false;
	}
	connection_closed(listener, idle);
	connection_close(idle);
	return true;
}

static void tcp_accepted(void *ctx, int sock, const struct sockaddr_storage *from)
{
	struct listener *listener = ctx;
	int on = 1, unsent = UNSENT_MAX;

	if (!place_find(listener, from)) {
		close(sock);
		return;
	}
	(void)setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(sock, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	struct connection *connection =
	    connection_open(listener->base, sock, listener->service.tls, from, &listener->owner);

	if (connection != NULL) {
		listener->connections++;
		TAILQ_INSERT_HEAD(&listener->list, connection, link);
	}
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
    const struct listener_service *service, struct listener **out)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int rc = -ENOMEM;

	if (listener == NULL) {
		return -ENOMEM;
	}
	listener->base = base;
	listener->service = *service;
	listener->owner = (struct connection_owner){
	    .ctx = listener, .request = connection_request, .closed = connection_closed};
	TAILQ_INIT(&listener->list);
	tls_context_ref(service->tls);
	listener->udp = -1;
	listener->tcp = socket_bound(address, SOCK_STREAM);
	if (listener->tcp >= 0 && service->tls == NULL) {
		listener->udp = socket_bound(address, SOCK_DGRAM);
	}
	if (listener->tcp < 0 || (listener->udp < 0 && service->tls == NULL)) {
		rc = listener->tcp < 0 ? listener->tcp : listener->udp;
		goto fail;
	}
	if (listener->udp >= 0) {
		listener->udp_io =
		    event_new(base, listener->udp, EV_READ | EV_PERSIST, udp_ready, listener);
		if (listener->udp_io == NULL || event_add(listener->udp_io, NULL) != 0) {
			goto fail;
		}
	}
	listener->acceptor = acceptor_open(base, listener->tcp, tcp_accepted, listener);
	if (listener->acceptor == NULL) {
		goto fail;
	}
	*out = listener;
	return 0;
fail:
	listener_close(listener);
	return rc;
}

void listener_retls(struct listener *listener, struct tls_context *tls)
{
	tls_context_ref(tls);
	tls_context_unref(listener->service.tls);
	listener->service.tls = tls;
}

void listener_close(struct listener *listener)
{
	if (listener == NULL) {
		return;
	}
	while (!TAILQ_EMPTY(&listener->list)) {
		struct connection *connection = TAILQ_FIRST(&listener->list);

		TAILQ_REMOVE(&listener->list, connection, link);
		connection_close(connection);
	}
	if (listener->udp_io != NULL) {
		event_free(listener->udp_io);
	}
	acceptor_close(listener->acceptor);
	if (listener->udp >= 0) {
		close(listener->udp);
	}
	if (listener->tcp >= 0) {
		close(listener->tcp);
	}
	tls_context_unref(listener->service.tls);
	free(listener);
}
