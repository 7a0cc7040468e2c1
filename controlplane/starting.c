// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See starting.h. One client after the other, each for a second at most; its request is read and,
// but for what it is called, not looked at.
#include "starting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "service.h"
#include "status.h"

#define CLIENT_MS 1000       // for all of its request
#define PAUSE_MS  100        // when none can be accepted
#define TELL_MS   5000       // between what a service manager is told
#define EXTEND_US "60000000" // that it is to wait, from then on

struct starting {
	pthread_t thread;
	struct control_sockets sockets;
	struct config *server; // owned; its section alone
	struct timespec since;
	int end; // eventfd: that was all
	// Written by the thread that starts, read by ours; each for itself.
	atomic_size_t done, total;
};

// Post: whether all of it came in time.
static bool bytes_read(int sock, void *to, size_t len, const struct timespec *since)
{
	for (size_t done = 0; done < len;) {
		struct pollfd wait = {.fd = sock, .events = POLLIN};
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		const int64_t ms =
		    (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;

		if (ms >= CLIENT_MS || poll(&wait, 1, (int)(CLIENT_MS - ms)) <= 0)
			return false;
		const ssize_t n = recv(sock, (char *)to + done, len - done, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

// Post: the caller's, NULL when nothing usable came.
static json_t *request_read(int sock)
{
	struct timespec since;
	json_error_t error;
	json_t *request;
	uint32_t len_be;
	char *text;

	clock_gettime(CLOCK_MONOTONIC, &since);
	if (!bytes_read(sock, &len_be, sizeof(len_be), &since) || ntohl(len_be) == 0 ||
	    ntohl(len_be) > CONTROL_REQUEST_MAX)
		return NULL;
	text = malloc(ntohl(len_be));
	request = text != NULL && bytes_read(sock, text, ntohl(len_be), &since) &&
	                  control_is_shallow(text, ntohl(len_be))
	              ? json_loadb(text, ntohl(len_be), JSON_REJECT_DUPLICATES, &error)
	              : NULL;
	free(text);
	return request;
}

static json_t *response_make(const struct starting *starting, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	struct timespec now;
	char error[128];

	clock_gettime(CLOCK_MONOTONIC, &now);
	const double up = (double)(now.tv_sec - starting->since.tv_sec) +
	                  (double)(now.tv_nsec - starting->since.tv_nsec) / 1e9;

	if (command != NULL && strcmp(command, "status") == 0)
		return json_pack("{s:b, s:b, s:s, s:o, s:i, s:f, s:I, s:I}", "ok", 1, "starting", 1,
		    "version", NAMEPLANE_VERSION, "identity",
		    status_text(starting->server->server.identity), "pid", (int)getpid(), "uptime",
		    up, "zones-read",
		    (json_int_t)atomic_load_explicit(&starting->done, memory_order_relaxed),
		    "zones-stored",
		    (json_int_t)atomic_load_explicit(&starting->total, memory_order_relaxed));
	snprintf(
	    error, sizeof(error), "The control plane is starting, since %.1f s; try again.", up);
	return json_pack("{s:b, s:b, s:s}", "ok", 0, "starting", 1, "error", error);
}

static void client_serve(const struct starting *starting, int sock)
{
	const struct timeval wait = {.tv_sec = CLIENT_MS / 1000};
	json_t *request = request_read(sock);
	json_t *response = request != NULL ? response_make(starting, request) : NULL;
	char *text = response != NULL ? json_dumps(response, JSON_COMPACT) : NULL;

	if (text != NULL) {
		const uint32_t len_be = htonl((uint32_t)strlen(text));

		// Some hundred bytes: the socket has room for them.
		(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		if (send(sock, &len_be, sizeof(len_be), MSG_NOSIGNAL) == sizeof(len_be))
			(void)!send(sock, text, strlen(text), MSG_NOSIGNAL);
	}
	free(text);
	json_decref(response);
	json_decref(request);
}

// A start that does not get on any further is not waited for any longer.
static void manager_tell(const struct starting *starting, size_t *told)
{
	const size_t done = atomic_load_explicit(&starting->done, memory_order_relaxed);
	char state[160];

	if (done == *told)
		return;
	*told = done;
	snprintf(state, sizeof(state),
	    "EXTEND_TIMEOUT_USEC=" EXTEND_US "\nSTATUS=starting: %zu of %zu stored zones are read",
	    done, atomic_load_explicit(&starting->total, memory_order_relaxed));
	service_tell(state);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *starting_main(void *arg)
{
	const struct starting *starting = arg;
	int64_t tell_ms = now_ms();
	size_t told = 0;
	struct pollfd waits[3] = {{.fd = starting->sockets.fd[0], .events = POLLIN},
	    {.fd = starting->sockets.fd[1], .events = POLLIN},
	    {.fd = starting->end, .events = POLLIN}};

	for (;;) {
		(void)poll(waits, 3, TELL_MS);
		if (waits[2].revents != 0)
			return NULL;
		if (now_ms() >= tell_ms + TELL_MS) {
			tell_ms = now_ms();
			manager_tell(starting, &told);
		}
		for (unsigned i = 0; i < 2; i++) {
			const int sock = waits[i].revents != 0 ? accept4(starting->sockets.fd[i],
			                                             NULL, NULL, SOCK_CLOEXEC)
			                                       : -1;

			if (sock >= 0) {
				client_serve(starting, sock);
				close(sock);
			} else if (waits[i].revents != 0) {
				(void)poll(&waits[2], 1, PAUSE_MS);
			}
		}
	}
}

static bool another_listens(const char *rundir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool does = true;

	if (sock >= 0 && snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET,
	                     rundir) < (int)sizeof(address.sun_path))
		does = connect(sock, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		       (errno != ECONNREFUSED && errno != ENOENT);
	if (sock >= 0)
		close(sock);
	return does;
}

static bool thread_start(struct starting *starting)
{
	sigset_t all, before;
	int rc;

	starting->end = eventfd(0, EFD_CLOEXEC);
	if (starting->end < 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&starting->thread, NULL, starting_main, starting);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		close(starting->end);
	else
		pthread_setname_np(starting->thread, "np-starting");
	return rc == 0;
}

struct starting *starting_open(const char *path)
{
	struct starting *starting = calloc(1, sizeof(*starting));
	char error[256];

	if (starting == NULL)
		return NULL;
	starting->sockets = (struct control_sockets)CONTROL_SOCKETS_NONE;
	clock_gettime(CLOCK_MONOTONIC, &starting->since);
	starting->server = config_server(path);
	if (starting->server != NULL && !another_listens(starting->server->server.rundir) &&
	    control_listen(starting->server->server.rundir, &starting->sockets, error) == 0 &&
	    thread_start(starting))
		return starting;
	control_unlisten(&starting->sockets);
	config_free(starting->server);
	free(starting);
	return NULL;
}

void starting_progress(struct starting *starting, size_t done, size_t total)
{
	if (starting == NULL)
		return;
	atomic_store_explicit(&starting->total, total, memory_order_relaxed);
	atomic_store_explicit(&starting->done, done, memory_order_relaxed);
}

struct control_sockets starting_close(struct starting *starting)
{
	struct control_sockets sockets = CONTROL_SOCKETS_NONE;
	const uint64_t one = 1;

	if (starting == NULL)
		return sockets;
	if (write(starting->end, &one, sizeof(one)) != sizeof(one))
		abort(); // an eventfd that was never written to
	pthread_join(starting->thread, NULL);
	close(starting->end);
	sockets = starting->sockets;
	config_free(starting->server);
	free(starting);
	return sockets;
}
