// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The data plane's end of the seam's socket; see attach_link.h. Attach thread.

#include "attach_link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000

int link_open(struct link *link, const char *rundir)
{
	int len;

	memset(link, 0, sizeof(*link));
	link->fd = -1;
	link->retry_after_ms = RETRY_MIN_MS;
	len = snprintf(link->path, sizeof(link->path), "%s/" SEAM_SOCKET, rundir);
	return len >= 0 && (size_t)len < sizeof(link->path) ? 0 : -ENAMETOOLONG;
}

static void retry_later(struct link *link, int64_t now_ms)
{
	link->retry_at_ms = now_ms + link->retry_after_ms;
	link->retry_after_ms *= 2;
	if (link->retry_after_ms > RETRY_MAX_MS)
		link->retry_after_ms = RETRY_MAX_MS;
}

bool link_connect(struct link *link, int64_t now_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (link->fd >= 0 || now_ms < link->retry_at_ms)
		return false;
	static_assert(sizeof(address.sun_path) == sizeof(link->path), "a path fits");
	memcpy(address.sun_path, link->path, sizeof(address.sun_path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		retry_later(link, now_ms);
		return false;
	}
	// A unix socket connects at once or not at all.
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		retry_later(link, now_ms);
		return false;
	}
	link->fd = fd;
	link->connection++;
	return true;
}

void link_drop(struct link *link, int64_t now_ms)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->head = link->count = 0;
	retry_later(link, now_ms);
}

struct seam_message *link_put_fd(struct link *link, uint32_t type, int fd)
{
	struct link_slot *slot = &link->queue[(link->head + link->count) % LINK_QUEUE];

	assert(link->count < LINK_QUEUE);
	link->count++;
	slot->fd = fd;
	memset(&slot->message, 0, seam_size(type));
	slot->message.type = type;
	return &slot->message;
}

struct seam_message *link_put(struct link *link, uint32_t type)
{
	return link_put_fd(link, type, -1);
}

int link_flush(struct link *link)
{
	while (link->count > 0) {
		struct link_slot *slot = &link->queue[link->head];
		int ret = seam_send(link->fd, &slot->message, slot->fd);

		if (ret == -EAGAIN || ret == -ENOBUFS)
			return 0;
		if (ret != 0)
			return ret;
		link->head = (link->head + 1) % LINK_QUEUE;
		link->count--;
		// Somebody reads: a control plane that lives, not one that only listens.
		link->retry_after_ms = RETRY_MIN_MS;
	}
	return 0;
}
