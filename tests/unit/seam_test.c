// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Messages of the seam over a real socket pair: what goes in comes out, whatever else is sent is
// refused, and no descriptor stays open.

#include "seam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t types[] = {SEAM_HELLO, SEAM_HAVE, SEAM_HELLO_END, SEAM_LIVE, SEAM_REJECT,
    SEAM_SERIALS, SEAM_FORWARD, SEAM_COUNTERS, SEAM_PUBLISH, SEAM_PARCEL, SEAM_WITHDRAW, SEAM_RENEW,
    SEAM_ASK, SEAM_FORWARD_REPLY};

static bool has_fd(uint32_t type)
{
	return type == SEAM_COUNTERS || type == SEAM_PUBLISH || type == SEAM_PARCEL;
}

static void socks_open(int sock[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
}

static void socks_close(int sock[2])
{
	close(sock[0]);
	close(sock[1]);
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void name_set(struct seam_name *name, const char *wire, size_t len)
{
	name->len = (uint8_t)len;
	memcpy(name->wire, wire, len);
}

// A good message of the type, every byte of its body something else than zero where it may be.
static void message_make(struct seam_message *message, uint32_t type)
{
	memset(message, 0, sizeof(*message));
	memset((uint8_t *)message + offsetof(struct seam_message, zone), 0x5a,
	    seam_size(type) - offsetof(struct seam_message, zone));
	message->type = type;
	message->size = (uint32_t)seam_size(type);
	message->generation = 0x1122334455667788;
	switch (type) {
	case SEAM_PUBLISH:
		name_set(&message->publish.name, "\7example\3com", 13);
		break;
	case SEAM_SERIALS:
		message->serials.count = SEAM_SERIALS_MAX;
		for (unsigned i = 0; i < SEAM_SERIALS_MAX; i++)
			name_set(&message->serials.item[i].name, "\1a", 3);
		break;
	case SEAM_FORWARD:
	case SEAM_FORWARD_REPLY:
		message->forward.length = sizeof(message->forward.message);
		break;
	case SEAM_HELLO:
	case SEAM_HELLO_END:
	case SEAM_COUNTERS:
	case SEAM_PARCEL:
		break;
	default:
		name_set(&message->zone.name, "", 1);
		message->zone.text[SEAM_TEXT_MAX - 1] = '\0';
	}
}

static void raw_send(int sock, const void *bytes, size_t len, const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), len);
}

static void every_type_arrives_as_it_was_sent(void **state)
{
	int sock[2];
	unsigned before = open_fds();

	socks_open(sock);
	for (size_t i = 0; i < COUNT(types); i++) {
		struct seam_message out, in;
		int fd;

		message_make(&out, types[i]);
		out.size = 0;
		memset(&in, 0xff, sizeof(in));
		assert_int_equal(seam_send(sock[0], &out, has_fd(types[i]) ? 0 : -1), 0);
		assert_int_equal(seam_receive(sock[1], &in, &fd), 0);
		assert_int_equal(in.size, seam_size(types[i]));
		assert_memory_equal(&in, &out, in.size);
		assert_int_equal(fd >= 0, has_fd(types[i]));
		if (fd >= 0) {
			assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
			close(fd);
		}
		assert_int_equal(seam_receive(sock[1], &in, &fd), -EAGAIN);
	}
	socks_close(sock);
	assert_int_equal(open_fds(), before);
}

static void a_message_of_any_other_length_is_refused(void **state)
{
	int sock[2];

	socks_open(sock);
	for (size_t i = 0; i < COUNT(types); i++) {
		struct seam_message out[2], in;
		int zero = 0, fd;

		message_make(&out[0], types[i]);
		for (size_t len = 1; len <= out[0].size + 9; len++) {
			raw_send(sock[0], out, len, &zero, has_fd(types[i]));
			if (len == out[0].size) {
				assert_int_equal(seam_receive(sock[1], &in, &fd), 0);
				close(fd);
				continue;
			}
			assert_int_equal(seam_receive(sock[1], &in, &fd), -EPROTO);
			assert_int_equal(fd, -1);
		}
		// Nor one that says another size than it has.
		out[0].size++;
		raw_send(sock[0], out, out[0].size - 1, &zero, has_fd(types[i]));
		assert_int_equal(seam_receive(sock[1], &in, &fd), -EPROTO);
	}
	// Longer than any message.
	uint8_t huge[2 * sizeof(struct seam_message)] = {0};
	struct seam_message in;
	int fd;

	message_make((struct seam_message *)(void *)huge, SEAM_SERIALS);
	raw_send(sock[0], huge, sizeof(huge), NULL, 0);
	assert_int_equal(seam_receive(sock[1], &in, &fd), -EPROTO);
	socks_close(sock);
}

enum breakage {
	TYPE_ZERO,
	TYPE_UNKNOWN,
	NAME_EMPTY,
	NAME_SHORT,
	NAME_LONG,
	NAME_POINTER,
	NAME_UPPER,
	TEXT_OPEN,
	COUNT_LARGE,
	COUNT_HUGE,
	ITEM_NAME,
	LENGTH_LARGE,
	LENGTH_HUGE,
};

static const struct {
	uint32_t type;
	enum breakage breakage;
} broken[] = {
    {SEAM_HELLO, TYPE_ZERO},
    {SEAM_HELLO, TYPE_UNKNOWN},
    {SEAM_PUBLISH, NAME_EMPTY},
    {SEAM_PUBLISH, NAME_SHORT},
    {SEAM_PUBLISH, NAME_LONG},
    {SEAM_PUBLISH, NAME_POINTER},
    {SEAM_PUBLISH, NAME_UPPER},
    {SEAM_HAVE, NAME_EMPTY},
    {SEAM_HAVE, NAME_LONG},
    {SEAM_HAVE, TEXT_OPEN},
    {SEAM_WITHDRAW, NAME_EMPTY},
    {SEAM_WITHDRAW, NAME_POINTER},
    {SEAM_RENEW, NAME_EMPTY},
    {SEAM_RENEW, NAME_UPPER},
    {SEAM_ASK, NAME_LONG},
    {SEAM_ASK, TEXT_OPEN},
    {SEAM_LIVE, NAME_SHORT},
    {SEAM_REJECT, TEXT_OPEN},
    {SEAM_SERIALS, COUNT_LARGE},
    {SEAM_SERIALS, COUNT_HUGE},
    {SEAM_SERIALS, ITEM_NAME},
    {SEAM_FORWARD, LENGTH_LARGE},
    {SEAM_FORWARD_REPLY, LENGTH_HUGE},
};

static void message_break(struct seam_message *message, enum breakage breakage)
{
	struct seam_name *name =
	    message->type == SEAM_PUBLISH ? &message->publish.name : &message->zone.name;

	switch (breakage) {
	case TYPE_ZERO:
		message->type = 0;
		break;
	case TYPE_UNKNOWN:
		message->type = 63;
		break;
	case NAME_EMPTY:
		name->len = 0;
		break;
	case NAME_SHORT:
		name_set(name, "\1a", 2);
		break;
	case NAME_LONG:
		name_set(name, "\1a\0", 4);
		break;
	case NAME_POINTER:
		name_set(name, "\1a\300\0", 5);
		break;
	case NAME_UPPER:
		name_set(name, "\1A", 3);
		break;
	case TEXT_OPEN:
		memset(message->zone.text, 'x', SEAM_TEXT_MAX);
		break;
	case COUNT_LARGE:
		message->serials.count = SEAM_SERIALS_MAX + 1;
		break;
	case COUNT_HUGE:
		message->serials.count = UINT32_MAX;
		break;
	case ITEM_NAME:
		message->serials.item[SEAM_SERIALS_MAX - 1].name.len = 0;
		break;
	case LENGTH_LARGE:
		message->forward.length = sizeof(message->forward.message) + 1;
		break;
	case LENGTH_HUGE:
		message->forward.length = UINT32_MAX;
		break;
	}
}

static void names_texts_and_counts_end_where_they_say(void **state)
{
	int sock[2];

	socks_open(sock);
	for (size_t i = 0; i < COUNT(broken); i++) {
		struct seam_message out, in;
		int zero = 0, fd;

		message_make(&out, broken[i].type);
		message_break(&out, broken[i].breakage);
		raw_send(sock[0], &out, out.size, &zero, has_fd(broken[i].type));
		if (seam_receive(sock[1], &in, &fd) != -EPROTO)
			fail_msg("case %zu was taken", i);
	}
	socks_close(sock);
}

static void descriptors_come_where_they_belong_and_never_leak(void **state)
{
	int sock[2];
	unsigned before = open_fds();

	socks_open(sock);
	for (size_t i = 0; i < COUNT(types); i++) {
		// None, one, two, more than the receiver has room for.
		for (unsigned count = 0; count <= 12; count++) {
			int zeros[12] = {0}, fd;
			struct seam_message out, in;

			message_make(&out, types[i]);
			raw_send(sock[0], &out, out.size, zeros, count);
			assert_int_equal(seam_receive(sock[1], &in, &fd),
			    count == has_fd(types[i]) ? 0 : -EPROTO);
			if (fd >= 0)
				close(fd);
		}
	}
	socks_close(sock);
	assert_int_equal(open_fds(), before);
}

static void a_full_socket_says_again_and_a_closed_one_reset(void **state)
{
	struct seam_message message;
	int sock[2], fd, ret;
	unsigned sent = 0;

	socks_open(sock);
	message_make(&message, SEAM_LIVE);
	while ((ret = seam_send(sock[0], &message, -1)) == 0)
		sent++;
	assert_int_equal(ret, -EAGAIN);
	assert_true(sent > 0);
	close(sock[0]);
	while (sent-- > 0)
		assert_int_equal(seam_receive(sock[1], &message, &fd), 0);
	assert_int_equal(seam_receive(sock[1], &message, &fd), -ECONNRESET);
	assert_int_equal(seam_send(sock[1], &message, -1), -EPIPE);
	close(sock[1]);
}

static void an_unknown_type_is_not_sent(void **state)
{
	struct seam_message message = {.type = 63};

	assert_int_equal(seam_size(0), 0);
	assert_int_equal(seam_size(63), 0);
	assert_int_equal(seam_size(UINT32_MAX), 0);
	assert_int_equal(seam_send(-1, &message, -1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_arrives_as_it_was_sent),
	    cmocka_unit_test(a_message_of_any_other_length_is_refused),
	    cmocka_unit_test(names_texts_and_counts_end_where_they_say),
	    cmocka_unit_test(descriptors_come_where_they_belong_and_never_leak),
	    cmocka_unit_test(a_full_socket_says_again_and_a_closed_one_reset),
	    cmocka_unit_test(an_unknown_type_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
