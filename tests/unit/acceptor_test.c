// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Clients that come while no descriptor is left.
#include "acceptor.h"

#include <event2/event.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_clock.h"

static unsigned clients;
static uint16_t port_be;

static void accepted(void *ctx, int sock, const struct sockaddr_storage *from)
{
	(void)ctx;
	clients++;
	port_be = ((const struct sockaddr_in *)from)->sin_port;
	close(sock);
}

static int64_t cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void loop_for(struct event_base *base, int ms)
{
	const struct timeval wait = {.tv_usec = ms * 1000};

	event_base_loopexit(base, &wait);
	event_base_dispatch(base);
}

static void without_a_descriptor_the_loop_rests(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	struct event_base *base = event_base_new();
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	const int client = socket(AF_INET, SOCK_STREAM, 0);
	struct rlimit limit, none;
	struct acceptor *acceptor;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	acceptor = acceptor_open(base, listener, accepted, NULL);
	assert_non_null(acceptor);
	loop_for(base, 10);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)client + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	const int64_t before_us = cpu_us();

	loop_for(base, 500);
	const int64_t used_us = cpu_us() - before_us;

	assert_int_equal(clients, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	loop_for(base, 300);
	assert_int_equal(clients, 1); // it was not turned away
	assert_int_equal(getsockname(client, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(port_be, address.sin_port);
	assert_true(used_us < 100000);
	acceptor_close(acceptor);
	close(client);
	close(listener);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_descriptor_the_loop_rests),
	};

	test_clock_stop(); // what still uses the CPU's time is a loop that does not rest
	return cmocka_run_group_tests(tests, NULL, NULL);
}
