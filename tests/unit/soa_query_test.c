// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A SOA query against a primary that is a socket in the same loop: whatever comes, it ends.
#include "soa_query.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "test_clock.h"
#include "wire.h"

#define BABBLE_MS 200
#define WAIT_S    15 // 0.7 + 1.4 + 2.8 s over UDP; nothing listens over TCP

static const uint8_t apex[] = "\7example";

struct fixture {
	struct event_base *base;
	struct event *babble;
	int sock;
	struct sockaddr_storage asker;
	socklen_t asker_len;
	unsigned datagrams;
	bool done, good;
	char error[SOA_ERROR_MAX];
};

static void question(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;
	uint8_t msg[2048];

	f->asker_len = sizeof(f->asker);
	assert_true(recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&f->asker, &f->asker_len) >
	            WIRE_HEADER_LEN);
}

// Not an answer, and more often than the query waits.
static void babble(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;

	if (f->asker_len > 0) {
		(void)sendto(
		    f->sock, "babble", 6, MSG_NOSIGNAL, (struct sockaddr *)&f->asker, f->asker_len);
		f->datagrams++;
	}
}

static void query_done(void *ctx, const struct zone_soa *soa, const struct soa_failure *failure)
{
	struct fixture *f = ctx;

	f->done = true;
	f->good = soa != NULL;
	snprintf(f->error, sizeof(f->error), "%s", failure->error);
	event_base_loopbreak(f->base);
}

static void a_primary_that_babbles_is_given_up_as_one_that_is_silent(void **state)
{
	const struct timeval often = {.tv_usec = BABBLE_MS * 1000}, wait = {.tv_sec = WAIT_S};
	struct fixture f = {.base = event_base_new()};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	struct peer peer = {.remote_len = sizeof(in)};
	struct soa_query *query = NULL;

	f.sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f.sock, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(f.sock, (struct sockaddr *)&in, &len), 0);
	memcpy(&peer.remote, &in, sizeof(in));

	struct event *readable = event_new(f.base, f.sock, EV_READ | EV_PERSIST, question, &f);

	f.babble = event_new(f.base, -1, EV_PERSIST, babble, &f);
	event_add(readable, NULL);
	event_add(f.babble, &often);
	assert_int_equal(soa_query_start(f.base, &peer, apex, query_done, &f, NULL, &query), 0);
	event_base_loopexit(f.base, &wait);
	event_base_dispatch(f.base);
	assert_true(f.datagrams > 10);
	assert_true(f.done);
	assert_false(f.good);
	assert_non_null(strstr(f.error, "no answer over UDP"));
	event_free(f.babble);
	event_free(readable);
	close(f.sock);
	event_base_free(f.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_primary_that_babbles_is_given_up_as_one_that_is_silent),
	};

	test_clock_stop();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
