// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// TCP of a scripted primary: each connection has a thread.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static inline bool send_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		const ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

static inline bool receive_all(int fd, uint8_t *bytes, size_t n)
{
	return recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

// Takes connections for ever. `connection` gets the descriptor as its argument and closes it.
static inline void tcp_serve(int sock, void *(*connection)(void *))
{
	for (;;) {
		pthread_t thread;
		const int fd = accept(sock, NULL, NULL), one = 1;
		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)fd) != 0)
			close(fd);
		else
			pthread_detach(thread);
	}
}
