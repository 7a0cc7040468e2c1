// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// How many connections each client has: IPv4 by address, IPv6 by /64, which one host may have for
// itself. Shared by the TCP threads, under a lock that is taken when a connection begins or ends.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct tcp_source {
	uint64_t key[2];
	uint32_t count; // 0: free
};

struct tcp_sources {
	pthread_mutex_t mutex;
	uint64_t secret; // clients must not choose who they collide with
	unsigned max;    // connections of one client
	size_t mask;
	struct tcp_source *slot;
};

// Pre: at most `connections` will be counted at once. Post: 0 or -ENOMEM.
int tcp_sources_open(struct tcp_sources *sources, unsigned connections, unsigned per_source)
    __attribute__((nonnull, warn_unused_result));
void tcp_sources_close(struct tcp_sources *sources) __attribute__((nonnull));

// Post: false when this client has as many as it may.
bool tcp_sources_add(struct tcp_sources *sources, const struct sockaddr_storage *peer)
    __attribute__((nonnull, warn_unused_result));
// Pre: it was added.
void tcp_sources_remove(struct tcp_sources *sources, const struct sockaddr_storage *peer)
    __attribute__((nonnull));
