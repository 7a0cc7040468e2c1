// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One message of the seam in or out of a socket. Called by the data plane's attach thread and by
// the control plane's loop. Whatever the other end sends, the caller gets a message whose names and
// texts end where they say, or -EPROTO; and no descriptor is ever left behind.

#include "seam.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "name.h"

#define END_OF(member) \
	(offsetof(struct seam_message, member) + sizeof(((struct seam_message *)NULL)->member))

// More than one descriptor is an error, but all that fit must be taken to be closed; the kernel
// drops the rest.
#define FDS_MAX 4

size_t seam_size(uint32_t type)
{
	switch (type) {
	case SEAM_HELLO:
		return END_OF(hello);
	case SEAM_HELLO_END:
		return END_OF(generation);
	case SEAM_HAVE:
	case SEAM_LIVE:
	case SEAM_REJECT:
	case SEAM_WITHDRAW:
	case SEAM_RENEW:
	case SEAM_ASK:
		return END_OF(zone);
	case SEAM_PUBLISH:
		return END_OF(publish);
	case SEAM_PARCEL:
		return END_OF(parcel);
	case SEAM_SERIALS:
		return END_OF(serials);
	case SEAM_FORWARD:
	case SEAM_FORWARD_REPLY:
		return END_OF(forward);
	case SEAM_COUNTERS:
		return END_OF(counters);
	default:
		return 0;
	}
}

static bool type_has_fd(uint32_t type)
{
	return type == SEAM_PUBLISH || type == SEAM_PARCEL || type == SEAM_COUNTERS;
}

// Lower case and well formed, or absent where `optional`.
static bool seam_name_check(const struct seam_name *name, bool optional)
{
	uint8_t lower[NAME_LEN_MAX];

	if (name->len == 0)
		return optional;
	if (name_len_checked(name->wire, name->len) != name->len)
		return false;
	name_lower(lower, name->wire, name->len);
	return memcmp(lower, name->wire, name->len) == 0;
}

static bool serials_check(const struct seam_message *message)
{
	if (message->serials.count > SEAM_SERIALS_MAX)
		return false;
	for (unsigned i = 0; i < message->serials.count; i++)
		if (!seam_name_check(&message->serials.item[i].name, false))
			return false;
	return true;
}

// Pre: `len` bytes of the message were received.
static bool message_check(const struct seam_message *message, size_t len)
{
	if (len < END_OF(generation) || message->size != len || len != seam_size(message->type))
		return false;
	switch (message->type) {
	case SEAM_LIVE: // without a name: a whole parcel
	case SEAM_REJECT:
	case SEAM_ASK: // without a name: all zones
		return seam_name_check(&message->zone.name, true) &&
		       memchr(message->zone.text, '\0', SEAM_TEXT_MAX) != NULL;
	case SEAM_HAVE:
	case SEAM_WITHDRAW:
	case SEAM_RENEW:
		return seam_name_check(&message->zone.name, false) &&
		       memchr(message->zone.text, '\0', SEAM_TEXT_MAX) != NULL;
	case SEAM_PUBLISH:
		return seam_name_check(&message->publish.name, false);
	case SEAM_SERIALS:
		return serials_check(message);
	case SEAM_FORWARD:
	case SEAM_FORWARD_REPLY:
		return message->forward.length <= sizeof(message->forward.message);
	default:
		return true;
	}
}

int seam_send(int sock, struct seam_message *message, int fd)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = message, .iov_len = seam_size(message->type)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (iov.iov_len == 0)
		return -EINVAL;
	message->size = (uint32_t)iov.iov_len;
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return (size_t)n == iov.iov_len ? 0 : -EIO;
}

// Takes the descriptors out of a received message. Post: their number; the first in *fd, all others
// closed.
static unsigned fds_take(struct msghdr *msg, int *fd)
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < fds; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
			if (count++ == 0)
				*fd = got;
			else
				close(got);
		}
	}
	return count;
}

int seam_receive(int sock, struct seam_message *message, int *fd)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr msg = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control.space),
	};
	unsigned fds;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	fds = fds_take(&msg, fd);
	if (n == 0 && fds == 0)
		return -ECONNRESET; // an empty datagram is no message either: the same
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || !message_check(message, (size_t)n) ||
	    fds != type_has_fd(message->type)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return -EPROTO;
	}
	return 0;
}
