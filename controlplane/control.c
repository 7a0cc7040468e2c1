// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control sockets' transport; see control.h. What arrives is bounded before it is parsed.
#include "control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "acceptor.h"
#include "daemon.h"
#include "log.h"

#define CONNECTIONS_MAX 64 // of each socket: who may only look cannot keep out who may act
#define IDLE_S          30 // for a request to arrive and for a response to be taken
#define JSON_DEPTH_MAX  8  // our requests are flat
// Bytes of answers that the clients of one socket have not taken yet; then none comes on top.
#define ANSWERS_MAX ((size_t)64 << 20)

struct control_request {
	struct connection *connection; // NULL: gone
};

struct connection {
	struct control *control;
	struct connection *next, **self;
	struct bufferevent *stream;
	struct control_request *request; // under way
	struct listener *listener;
	bool finished; // the client says nothing more, but may still read
};

struct listener {
	struct control *control;
	struct acceptor *acceptor;
	unsigned count; // connections
	bool may_change;
};

struct control {
	struct daemon *daemon;
	struct control_sockets sockets;
	struct listener listener[2];
	struct connection *connections;
	gid_t group; // (gid_t)-1: none
};

static void connection_free(struct connection *connection)
{
	*connection->self = connection->next;
	if (connection->next != NULL)
		connection->next->self = connection->self;
	connection->listener->count--;
	if (connection->request != NULL)
		connection->request->connection = NULL;
	bufferevent_free(connection->stream);
	free(connection);
}

// Depth is counted before the parser sees the text.
bool control_is_shallow(const char *text, size_t len)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
		} else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

// Bytes that wait for the clients of that socket.
static size_t answers_waiting(const struct listener *listener)
{
	size_t sum = 0;

	for (const struct connection *c = listener->control->connections; c != NULL; c = c->next)
		if (c->listener == listener)
			sum += evbuffer_get_length(bufferevent_get_output(c->stream));
	return sum;
}

// Post: false when the client cannot be told.
static bool text_send(struct connection *connection, const char *text)
{
	static const char full[] = "{\"ok\":false,\"error\":\"Too much waits for clients that do "
	                           "not read; try again later.\"}";
	struct evbuffer *out = bufferevent_get_output(connection->stream);
	const size_t waiting = answers_waiting(connection->listener);

	if (waiting > 0 && strlen(text) + waiting > ANSWERS_MAX)
		text = full;
	if (strlen(text) > CONTROL_RESPONSE_MAX)
		return false;
	const uint32_t len_be = htonl((uint32_t)strlen(text));

	return evbuffer_add(out, &len_be, sizeof(len_be)) == 0 &&
	       evbuffer_add(out, text, strlen(text)) == 0;
}

void control_respond(struct control_request *request, json_t *response)
{
	struct connection *connection = request->connection;
	char *text = NULL;

	free(request);
	if (connection != NULL) {
		connection->request = NULL;
		text = response != NULL
		           ? json_dumps(response, JSON_COMPACT | JSON_REAL_PRECISION(9))
		           : NULL;
		if (text == NULL || !text_send(connection, text)) {
			connection_free(connection);
		} else {
			bufferevent_enable(connection->stream, EV_READ);
			// The next request may have arrived already.
			bufferevent_trigger(connection->stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
		}
	}
	free(text);
	json_decref(response);
}

static void connection_read(struct bufferevent *stream, void *arg)
{
	struct connection *connection = arg;
	struct evbuffer *in = bufferevent_get_input(stream);
	struct control_request *request;
	uint32_t len_be, len;
	json_error_t error;
	const char *text;
	json_t *root;

	if (connection->request != NULL || evbuffer_get_length(in) < sizeof(len_be))
		return;
	evbuffer_copyout(in, &len_be, sizeof(len_be));
	len = ntohl(len_be);
	if (len == 0 || len > CONTROL_REQUEST_MAX) {
		connection_free(connection);
		return;
	}
	if (evbuffer_get_length(in) < sizeof(len_be) + len)
		return;
	evbuffer_drain(in, sizeof(len_be));
	text = (const char *)evbuffer_pullup(in, len);
	root = text != NULL && control_is_shallow(text, len)
	           ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error)
	           : NULL;
	evbuffer_drain(in, len);
	request = root != NULL ? calloc(1, sizeof(*request)) : NULL;
	if (request == NULL) {
		json_decref(root);
		connection_free(connection);
		return;
	}
	request->connection = connection;
	connection->request =
	    request; // one at a time; it is read on, to see whether somebody waits
	control_command(
	    connection->control->daemon, request, root, connection->listener->may_change);
	json_decref(root);
}

// Nobody is there any more, and it is not only that no more requests will come.
static bool is_hung_up(struct bufferevent *stream)
{
	struct pollfd wait = {.fd = bufferevent_getfd(stream)};

	return poll(&wait, 1, 0) == 1 && (wait.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

// Who waits for an answer or takes it, however slowly, need not say anything meanwhile, and who has
// sent all there will be gets what it asked for.
static void connection_event(struct bufferevent *stream, short what, void *arg)
{
	struct connection *connection = arg;
	const bool waiting = connection->request != NULL && !is_hung_up(stream);
	const bool taking = waiting || evbuffer_get_length(bufferevent_get_output(stream)) > 0;

	if (taking && (what & BEV_EVENT_EOF) != 0)
		connection->finished = true;
	else if (taking && (what & BEV_EVENT_TIMEOUT) != 0 && (what & BEV_EVENT_READING) != 0)
		bufferevent_enable(stream, EV_READ);
	else
		connection_free(connection);
}

static void connection_written(struct bufferevent *stream, void *arg)
{
	struct connection *connection = arg;

	if (connection->finished && connection->request == NULL)
		connection_free(connection);
}

// Root, our own user, or a member of the group. The file's mode says the same; this holds where a
// mount option or a copied descriptor made the mode meaningless.
static bool peer_may_change(const struct control *control, int fd)
{
	gid_t groups[256];
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (control->group == (gid_t)-1)
		return false;
	if (peer.gid == control->group)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == control->group)
			return true;
	return false;
}

static void control_accepted(void *ctx, int sock, const struct sockaddr_storage *from)
{
	const struct timeval idle = {.tv_sec = IDLE_S};
	struct listener *listener = ctx;
	struct control *control = listener->control;
	struct connection *connection;

	(void)from;
	connection = listener->count < CONNECTIONS_MAX &&
	                     (!listener->may_change || peer_may_change(control, sock))
	                 ? calloc(1, sizeof(*connection))
	                 : NULL;
	if (connection == NULL) {
		close(sock);
		return;
	}
	connection->stream =
	    bufferevent_socket_new(control->daemon->base, sock, BEV_OPT_CLOSE_ON_FREE);
	if (connection->stream == NULL) {
		close(sock);
		free(connection);
		return;
	}
	connection->control = control;
	connection->listener = listener;
	connection->next = control->connections;
	connection->self = &control->connections;
	if (connection->next != NULL)
		connection->next->self = &connection->next;
	control->connections = connection;
	listener->count++;
	bufferevent_setcb(
	    connection->stream, connection_read, connection_written, connection_event, connection);
	bufferevent_setwatermark(
	    connection->stream, EV_READ, 0, CONTROL_REQUEST_MAX + sizeof(uint32_t));
	bufferevent_set_timeouts(connection->stream, &idle, &idle);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

void control_reconfigure(struct control *control)
{
	const char *name = control->daemon->config->controlplane.control_group;
	struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
	const char *path = control->sockets.path[0];

	control->group = group != NULL ? group->gr_gid : (gid_t)-1;
	if (name[0] != '\0' && group == NULL)
		log_warning("the group '%s' does not exist: only root may use %s", name, path);
	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) == 0)
		(void)!chmod(path, 0660);
	else
		(void)!chmod(path, 0600);
}

static int socket_listen(
    const char *rundir, const char *name, mode_t mode, char path[CONTROL_PATH_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int len = snprintf(path, CONTROL_PATH_MAX, "%s/%s", rundir, name);
	mode_t mask;
	int rc, sock;

	if (len < 0 || len >= CONTROL_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, (size_t)len + 1);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		return -errno;
	unlink(path);
	mask = umask((mode_t)(0777 & ~mode));
	rc = bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && listen(sock, 16) < 0)
		rc = -errno;
	if (rc < 0) {
		close(sock);
		return rc;
	}
	return sock;
}

int control_listen(const char *rundir, struct control_sockets *out, char *error)
{
	int rc = mkdir(rundir, 0755) < 0 && errno != EEXIST ? -errno : 0;

	*out = (struct control_sockets)CONTROL_SOCKETS_NONE;
	if (rc == 0)
		rc = out->fd[0] = socket_listen(rundir, CONTROL_SOCKET, 0600, out->path[0]);
	if (rc >= 0)
		rc = out->fd[1] = socket_listen(rundir, STATUS_SOCKET, 0666, out->path[1]);
	if (rc >= 0)
		return 0;
	snprintf(error, 256, "The control sockets in %.128s cannot be opened: %s.", rundir,
	    strerror(-rc));
	control_unlisten(out);
	return rc;
}

void control_unlisten(struct control_sockets *sockets)
{
	for (int i = 0; i < 2; i++) {
		if (sockets->fd[i] < 0)
			continue;
		unlink(sockets->path[i]);
		close(sockets->fd[i]);
		sockets->fd[i] = -1;
	}
}

int control_open(struct daemon *daemon, struct control_sockets *sockets, struct control **out)
{
	struct control *control = calloc(1, sizeof(*control));

	*out = NULL;
	if (control == NULL)
		return -ENOMEM;
	control->daemon = daemon;
	control->sockets = *sockets;
	*sockets = (struct control_sockets)CONTROL_SOCKETS_NONE;
	control->listener[0].may_change = true;
	for (int i = 0; i < 2; i++) {
		struct listener *listener = &control->listener[i];

		listener->control = control;
		listener->acceptor =
		    acceptor_open(daemon->base, control->sockets.fd[i], control_accepted, listener);
		if (listener->acceptor == NULL) {
			control_close(control);
			return -ENOMEM;
		}
	}
	control_reconfigure(control);
	*out = control;
	return 0;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	while (control->connections != NULL)
		connection_free(control->connections);
	for (int i = 0; i < 2; i++)
		acceptor_close(control->listener[i].acceptor);
	control_unlisten(&control->sockets);
	free(control);
}
