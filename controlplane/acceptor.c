// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See acceptor.h.
#include "acceptor.h"

#include <event2/event.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define AGAIN_MS 100

struct acceptor {
	struct event *readable, *again;
	void (*accepted)(void *ctx, int sock, const struct sockaddr_storage *from);
	void *ctx;
};

// It is there still, and cannot be taken.
static bool is_want(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void acceptor_ready(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval later = {.tv_usec = AGAIN_MS * 1000};
	struct acceptor *acceptor = arg;
	struct sockaddr_storage from = {0};
	socklen_t from_len = sizeof(from);
	const int sock =
	    accept4(fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (sock >= 0) {
		acceptor->accepted(acceptor->ctx, sock, &from);
	} else if (is_want(errno) && event_add(acceptor->again, &later) == 0) {
		event_del(acceptor->readable);
	}
}

static void acceptor_again(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval later = {.tv_usec = AGAIN_MS * 1000};
	struct acceptor *acceptor = arg;

	(void)fd;
	(void)what;
	if (event_add(acceptor->readable, NULL) != 0) {
		(void)event_add(acceptor->again, &later);
	}
}

struct acceptor *acceptor_open(struct event_base *base, int sock,
    void (*accepted)(void *ctx, int sock, const struct sockaddr_storage *from), void *ctx)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));

	if (acceptor == NULL) {
		return NULL;
	}
	acceptor->accepted = accepted;
	acceptor->ctx = ctx;
	acceptor->readable = event_new(base, sock, EV_READ | EV_PERSIST, acceptor_ready, acceptor);
	acceptor->again = event_new(base, -1, 0, acceptor_again, acceptor);
	if (acceptor->readable == NULL || acceptor->again == NULL ||
	    event_add(acceptor->readable, NULL) != 0) {
		acceptor_close(acceptor);
		return NULL;
	}
	return acceptor;
}

void acceptor_close(struct acceptor *acceptor)
{
	if (acceptor == NULL) {
		return;
	}
	if (acceptor->readable != NULL) {
		event_free(acceptor->readable);
	}
	if (acceptor->again != NULL) {
		event_free(acceptor->again);
	}
	free(acceptor);
}
