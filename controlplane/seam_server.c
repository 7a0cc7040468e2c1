// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control plane's end of the seam; see seam_server.h.
#include "seam_server.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "acceptor.h"
#include "log.h"

#define MESSAGES_PER_TURN 256 // then other events get theirs
#define SOCKET_BUFFER     (4 << 20)

struct seam_server {
	struct event_base *base;
	struct seam_server_ops ops;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int listener;
	struct acceptor *acceptor;
	int socket; // -1: nobody is there
	struct event *readable, *writable;
};

static void connection_end(struct seam_server *server)
{
	if (server->socket < 0)
		return;
	event_free(server->readable);
	event_free(server->writable);
	server->readable = server->writable = NULL;
	close(server->socket);
	server->socket = -1;
	server->ops.gone(server->ops.ctx);
}

static void connection_readable(evutil_socket_t fd, short what, void *arg)
{
	struct seam_server *server = arg;
	struct seam_message message;

	for (int i = 0; i < MESSAGES_PER_TURN && server->socket == fd; i++) {
		int passed, rc = seam_receive(fd, &message, &passed);

		if (rc == -EAGAIN)
			return;
		if (rc < 0 || message.type >= SEAM_PUBLISH) {
			if (rc >= 0 && passed >= 0)
				close(passed);
			if (rc != -ECONNRESET)
				log_warning("the data plane sent a message that is none");
			connection_end(server);
			return;
		}
		server->ops.message(server->ops.ctx, &message, passed);
	}
}

static void connection_writable(evutil_socket_t fd, short what, void *arg)
{
	struct seam_server *server = arg;

	server->ops.writable(server->ops.ctx);
}

// The socket's folder and mode keep others out; this keeps out what slipped in all the same.
static bool peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void seam_accepted(void *ctx, int sock, const struct sockaddr_storage *from)
{
	struct seam_server *server = ctx;
	const int buffer = SOCKET_BUFFER;

	(void)from;
	if (!peer_allowed(sock)) {
		log_warning("a stranger's connection to the seam is refused");
		close(sock);
		return;
	}
	connection_end(server);
	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	server->readable =
	    event_new(server->base, sock, EV_READ | EV_PERSIST, connection_readable, server);
	server->writable = event_new(server->base, sock, EV_WRITE, connection_writable, server);
	if (server->readable == NULL || server->writable == NULL ||
	    event_add(server->readable, NULL) < 0) {
		if (server->readable != NULL)
			event_free(server->readable);
		if (server->writable != NULL)
			event_free(server->writable);
		close(sock);
		return;
	}
	server->socket = sock;
}

int seam_server_open(struct event_base *base, const char *rundir, const struct seam_server_ops *ops,
    struct seam_server **out)
{
	struct seam_server *server = calloc(1, sizeof(*server));
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int rc, len;

	*out = NULL;
	if (server == NULL)
		return -ENOMEM;
	server->base = base;
	server->ops = *ops;
	server->socket = server->listener = -1;
	len = snprintf(server->path, sizeof(server->path), "%s/%s", rundir, SEAM_SOCKET);
	if (len < 0 || (size_t)len >= sizeof(server->path)) {
		rc = -ENAMETOOLONG;
		goto fail;
	}
	memcpy(address.sun_path, server->path, (size_t)len + 1);
	server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0) {
		rc = -errno;
		goto fail;
	}
	unlink(server->path);
	mask = umask(0177);
	rc = bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && listen(server->listener, 4) < 0)
		rc = -errno;
	if (rc < 0)
		goto fail;
	server->acceptor = acceptor_open(base, server->listener, seam_accepted, server);
	rc = -ENOMEM;
	if (server->acceptor == NULL)
		goto fail;
	*out = server;
	return 0;
fail:
	seam_server_close(server);
	return rc;
}

void seam_server_close(struct seam_server *server)
{
	if (server == NULL)
		return;
	if (server->socket >= 0) {
		event_free(server->readable);
		event_free(server->writable);
		close(server->socket);
	}
	if (server->acceptor != NULL)
		unlink(server->path);
	acceptor_close(server->acceptor);
	if (server->listener >= 0)
		close(server->listener);
	free(server);
}

int seam_server_send(struct seam_server *server, struct seam_message *message, int fd)
{
	int rc;

	if (server->socket < 0)
		return -ENOTCONN;
	rc = seam_send(server->socket, message, fd);
	if (rc == -EAGAIN) {
		event_add(server->writable, NULL);
		return rc;
	}
	if (rc < 0) { // its end is read from the socket, in the loop
		shutdown(server->socket, SHUT_RDWR);
		return -ENOTCONN;
	}
	return 0;
}

void seam_server_drop(struct seam_server *server, const char *reason)
{
	if (server->socket < 0)
		return;
	log_warning("the connection of the data plane is ended: %s", reason);
	shutdown(server->socket, SHUT_RDWR);
}
