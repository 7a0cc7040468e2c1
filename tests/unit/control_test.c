// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control sockets against clients that do not read, or have said all they will. The commands
// are replaced by one whose answer is as long as was asked for.
#include "control.h"

#include <event2/bufferevent.h>
#include <event2/event.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon.h"
#include "test_clock.h"
#include "turns.h"

#define CLIENTS 60
#define LONG    ((size_t)2 << 20)
#define KEPT_MAX \
	((size_t)80 << 20) // CLIENTS * LONG is 120; 64 may wait, and each socket takes some

#define CLIENTS_MAX 64             // at a socket
#define LATER       ((size_t)9999) // is answered by held_answer()

static struct control_request *held[CLIENTS_MAX];
static unsigned held_count;

struct fixture {
	char folder[64];
	struct config config;
	struct daemon daemon;
};

void control_command(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool may_change)
{
	const size_t len = (size_t)json_integer_value(json_object_get(root, "len"));

	if (len == LATER) {
		assert_true(held_count < CLIENTS_MAX);
		held[held_count++] = request;
		return;
	}
	char *text = calloc(1, len + 1);

	memset(text, 'x', len);
	control_respond(request, json_pack("{s:b, s:s}", "ok", 1, "text", text));
	free(text);
}

// The idle time of the connections that come, where it is not to be the half minute it is.
static const struct timeval *idle;

int __real_bufferevent_set_timeouts(
    struct bufferevent *stream, const struct timeval *read, const struct timeval *write);
int __wrap_bufferevent_set_timeouts(
    struct bufferevent *stream, const struct timeval *read, const struct timeval *write);
int __wrap_bufferevent_set_timeouts(
    struct bufferevent *stream, const struct timeval *read, const struct timeval *write)
{
	return __real_bufferevent_set_timeouts(
	    stream, idle != NULL ? idle : read, idle != NULL ? idle : write);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct control_sockets sockets;
	char error[256];

	strcpy(f->folder, "/dev/shm/control_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->config.server.rundir = f->folder;
	f->config.controlplane.control_group = (char[]){""};
	f->daemon.config = &f->config;
	f->daemon.base = event_base_new();
	assert_int_equal(control_listen(f->folder, &sockets, error), 0);
	assert_int_equal(control_open(&f->daemon, &sockets, &f->daemon.control), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	control_close(f->daemon.control);
	event_base_free(f->daemon.base);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static int client_open(struct fixture *f, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", f->folder, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void ask(int fd, size_t len)
{
	char text[64];
	const uint32_t text_len =
	    (uint32_t)snprintf(text + 4, sizeof(text) - 4, "{\"len\":%zu}", len);
	const uint32_t len_be = htonl(text_len);

	memcpy(text, &len_be, 4);
	assert_int_equal(send(fd, text, text_len + 4, MSG_NOSIGNAL), text_len + 4);
}

// Post: the answer, or NULL when the connection ended before its end.
static json_t *answer(struct fixture *f, int fd)
{
	const int64_t until = now_ms() + WAIT_MS;
	size_t have = 0, want = 4;
	uint8_t *bytes = malloc(LONG + 4096);
	json_error_t error;
	json_t *root = NULL;

	while (have < want && now_ms() < until) {
		const ssize_t n = recv(fd, bytes + have, want - have, 0);

		if (n == 0)
			break;
		if (n < 0)
			loop_step(f->daemon.base);
		else
			have += (size_t)n;
		if (have == 4 && want == 4) {
			uint32_t len_be;

			memcpy(&len_be, bytes, 4);
			want += ntohl(len_be);
			assert_true(want <= LONG + 4096);
		}
	}
	if (have == want)
		root = json_loadb((char *)bytes + 4, want - 4, 0, &error);
	free(bytes);
	return root;
}

// --- cases
// ----------------------------------------------------------------------------------------

// `printf ... | nc -N -U control.sock`
static void who_has_said_all_still_gets_its_answer(void **state)
{
	struct fixture *f = *state;
	const int fd = client_open(f, CONTROL_SOCKET);
	json_t *root;

	ask(fd, LONG);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (unsigned i = 0; i < 50; i++) // the end is seen before the answer was taken
		loop_turn(f->daemon.base);
	root = answer(f, fd);
	assert_non_null(root);
	assert_int_equal(json_string_length(json_object_get(root, "text")), LONG);
	json_decref(root);
	close(fd);
}

static void held_answer(void)
{
	while (held_count > 0)
		control_respond(held[--held_count], json_pack("{s:b}", "ok", 1));
}

// As many as there may be ask for what takes long, and are gone: others have their places at once.
static void who_is_gone_before_its_answer_takes_no_place(void **state)
{
	struct fixture *f = *state;
	json_t *root;
	int fd;

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		fd = client_open(f, CONTROL_SOCKET);
		ask(fd, LATER);
		for (unsigned k = 0; k < 1000 && held_count <= i; k++)
			loop_turn(f->daemon.base);
		assert_int_equal(held_count, i + 1);
		close(fd);
	}
	for (unsigned i = 0; i < 50; i++)
		loop_turn(f->daemon.base);
	fd = client_open(f, CONTROL_SOCKET);
	ask(fd, 5);
	root = answer(f, fd);
	assert_non_null(root);
	json_decref(root);
	close(fd);
	held_answer(); // to nobody
}

// One that has said all it will, and one that says nothing for longer than who is idle may.
static void who_waits_for_long_gets_its_answer(void **state)
{
	static const struct timeval short_time = {.tv_usec = 20000};
	struct fixture *f = *state;
	json_t *root;

	for (unsigned i = 0; i < 2; i++) {
		idle = &short_time;
		const int fd = client_open(f, CONTROL_SOCKET);

		ask(fd, LATER);
		for (unsigned k = 0; k < 1000 && held_count == 0; k++)
			loop_turn(f->daemon.base);
		idle = NULL;
		if (i == 0)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		for (const int64_t until = now_ms() + 200; now_ms() < until;)
			loop_turn(f->daemon.base);
		assert_int_equal(held_count, 1);
		held_answer();
		root = answer(f, fd);
		assert_non_null(root);
		json_decref(root);
		close(fd);
	}
}

// Anybody on the machine may open the socket that only tells.
static void clients_that_do_not_read_take_bounded_memory(void **state)
{
	static const struct timeval long_idle = {.tv_sec = 600}; // however slow the machine is
	struct fixture *f = *state;
	int fd[CLIENTS], operator;
	unsigned whole = 0;
	json_t *root;

	idle = &long_idle;
	for (unsigned i = 0; i < CLIENTS; i++) {
		fd[i] = client_open(f, STATUS_SOCKET);
		ask(fd[i], LONG);
		for (unsigned k = 0; k < 3; k++)
			loop_turn(f->daemon.base);
	}
	// They keep nobody from the other socket.
	operator= client_open(f, CONTROL_SOCKET);
	ask(operator, LONG);
	root = answer(f, operator);
	assert_int_equal(json_string_length(json_object_get(root, "text")), LONG);
	json_decref(root);
	close(operator);
	// Each has an answer: what it asked for, or that there is no room.
	for (unsigned i = 0; i < CLIENTS; i++) {
		root = answer(f, fd[i]);
		assert_non_null(root);
		whole += json_is_true(json_object_get(root, "ok"));
		json_decref(root);
		close(fd[i]);
	}
	assert_true(whole > 0 && whole * LONG <= KEPT_MAX); // all at once, for nobody had read
	// And when they have read there is room again.
	fd[0] = client_open(f, STATUS_SOCKET);
	ask(fd[0], LONG);
	root = answer(f, fd[0]);
	assert_true(json_is_true(json_object_get(root, "ok")));
	json_decref(root);
	close(fd[0]);
	idle = NULL;
}

// Longer than a silent client may be connected, and with pauses, but never a long one.
static void who_takes_an_answer_slowly_gets_all_of_it(void **state)
{
	static const struct timeval short_idle = {.tv_sec = 5};
	struct fixture *f = *state;
	const size_t size = LONG / 64;
	size_t got = 0;
	uint8_t *bytes = malloc(size);
	ssize_t n;

	idle = &short_idle;
	const int fd = client_open(f, STATUS_SOCKET);

	ask(fd, LONG);
	for (int64_t begin = now_ms(), next = begin; next < begin + 7000; next += 200) {
		loop_for(f->daemon.base, (int)(next - now_ms()));
		n = recv(fd, bytes, size, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_true(got < LONG);
	const int64_t until = now_ms() + WAIT_MS;

	while ((n = recv(fd, bytes, size, 0)) != 0 && now_ms() < until) {
		got += n > 0 ? (size_t)n : 0;
		if (n < 0)
			loop_step(f->daemon.base);
		if (got > LONG)
			break;
	}
	assert_true(got > LONG); // and the frame about it
	idle = NULL;
	free(bytes);
	close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(who_has_said_all_still_gets_its_answer),
	    CASE(who_is_gone_before_its_answer_takes_no_place),
	    CASE(who_waits_for_long_gets_its_answer),
	    CASE(clients_that_do_not_read_take_bounded_memory),
	    CASE(who_takes_an_answer_slowly_gets_all_of_it),
	};

	signal(SIGPIPE, SIG_IGN); // as np_controlplane.c does
	test_clock_stop();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
