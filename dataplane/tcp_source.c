// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Connections by client; see tcp_source.h. Open addressing, at most half full; taking out closes
// the gap, so that there are no tombstones and no end to its use.

#include "tcp_source.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "heap.h"

int tcp_sources_open(struct tcp_sources *sources, unsigned connections, unsigned per_source)
{
	size_t size = 16;

	*sources = (struct tcp_sources){.max = per_source};
	while (size < 2 * (size_t)connections)
		size *= 2;
	sources->mask = size - 1;
	sources->slot = heap_table(size * sizeof(sources->slot[0]));
	if (sources->slot == NULL)
		return -ENOMEM;
	if (getrandom(&sources->secret, sizeof(sources->secret), 0) < 0)
		sources->secret = (uintptr_t)sources->slot;
	pthread_mutex_init(&sources->mutex, NULL);
	return 0;
}

void tcp_sources_close(struct tcp_sources *sources)
{
	if (sources->slot == NULL)
		return;
	pthread_mutex_destroy(&sources->mutex);
	heap_table_free(sources->slot, (sources->mask + 1) * sizeof(sources->slot[0]));
	sources->slot = NULL;
}

static void key_make(const struct sockaddr_storage *peer, uint64_t key[2])
{
	key[0] = key[1] = 0;
	if (peer->ss_family == AF_INET6) {
		memcpy(&key[0], &((const struct sockaddr_in6 *)peer)->sin6_addr, 8);
		key[1] = 6;
	} else {
		memcpy(&key[0], &((const struct sockaddr_in *)peer)->sin_addr, 4);
		key[1] = 4;
	}
}

static size_t home(const struct tcp_sources *sources, const uint64_t key[2])
{
	__uint128_t product = (__uint128_t)(key[0] ^ sources->secret) *
	                      (0x9e3779b97f4a7c15ULL ^ sources->secret << 1 ^ key[1]);

	return (size_t)((uint64_t)product ^ (uint64_t)(product >> 64)) & sources->mask;
}

// The client's slot, or the free one where it would go.
static size_t slot_find(const struct tcp_sources *sources, const uint64_t key[2])
{
	size_t i = home(sources, key);

	while (sources->slot[i].count != 0 &&
	       (sources->slot[i].key[0] != key[0] || sources->slot[i].key[1] != key[1]))
		i = (i + 1) & sources->mask;
	return i;
}

bool tcp_sources_add(struct tcp_sources *sources, const struct sockaddr_storage *peer)
{
	struct tcp_source *slot;
	uint64_t key[2];
	bool added;

	key_make(peer, key);
	pthread_mutex_lock(&sources->mutex);
	slot = &sources->slot[slot_find(sources, key)];
	added = slot->count < sources->max;
	if (added) {
		memcpy(slot->key, key, sizeof(key));
		slot->count++;
	}
	pthread_mutex_unlock(&sources->mutex);
	return added;
}

// Moves those behind the gap that may no longer be found past it.
static void gap_close(struct tcp_sources *sources, size_t gap)
{
	for (size_t i = (gap + 1) & sources->mask; sources->slot[i].count != 0;
	     i = (i + 1) & sources->mask) {
		size_t want = home(sources, sources->slot[i].key);

		if (((i - want) & sources->mask) < ((i - gap) & sources->mask))
			continue;
		sources->slot[gap] = sources->slot[i];
		sources->slot[i].count = 0;
		gap = i;
	}
}

void tcp_sources_remove(struct tcp_sources *sources, const struct sockaddr_storage *peer)
{
	uint64_t key[2];
	size_t i;

	key_make(peer, key);
	pthread_mutex_lock(&sources->mutex);
	i = slot_find(sources, key);
	assert(sources->slot[i].count > 0);
	if (--sources->slot[i].count == 0)
		gap_close(sources, i);
	pthread_mutex_unlock(&sources->mutex);
}
