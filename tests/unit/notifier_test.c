// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY out against a downstream server that is a socket in the same loop: what is sent, how
// often, and which replies end it.
#include "notifier.h"

#include <errno.h>
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

#include "notify.h"
#include "provider.h"
#include "reading.h"
#include "rrtype.h"
#include "test_clock.h"
#include "wire.h"

static const uint8_t apex[] = "\7example";
static const uint8_t other[] = "\5other";

enum manner { SILENT, CONFIRM, REFUSE, WRONG_ID, UNSIGNED, TWICE };

struct fixture {
	struct event_base *base;
	struct notifier *notifier;
	struct provide_counters counters;
	struct tsig_key *key;
	struct config_address address;
	struct config_remote remote;
	int sock;
	struct event *event;
	enum manner manner;
	unsigned got, told; // told: lines of the log
	int peek;           // what it returns
	int64_t at_ms[16];
	char log[256];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int peek(void *ctx, const uint8_t *name, struct reading *out)
{
	*out = (struct reading){0};
	return ((struct fixture *)ctx)->peek;
}

static void log_line(void *ctx, const uint8_t *name, const char *text)
{
	struct fixture *f = ctx;

	f->told++;
	snprintf(f->log, sizeof(f->log), "%s", text);
}

// The downstream server: checks what came, and replies in its manner.
static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t msg[2048], mac[TSIG_MAC_MAX];
	struct tsig_record record;
	struct wire_header header;
	size_t mac_len;
	ssize_t n = recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

	assert_true(n > WIRE_HEADER_LEN);
	f->at_ms[f->got++ % 16] = now_ms();
	wire_header_read(msg, &header);
	assert_int_equal(header.flags, WIRE_OPCODE_NOTIFY << 11 | WIRE_AA);
	assert_int_equal(tsig_find(msg, (size_t)n, &record), 1);
	assert_int_equal(tsig_verify_request(f->key, msg, &record, (uint64_t)time(NULL)), TSIG_OK);
	if (f->manner == SILENT) {
		return;
	}
	size_t len = record.start;

	wire_put16(msg, (uint16_t)(header.id + (f->manner == WRONG_ID)));
	wire_put16(msg + 2,
	    (uint16_t)(WIRE_QR | header.flags | (f->manner == REFUSE ? WIRE_RCODE_REFUSED : 0)));
	wire_put16(msg + 10, 0);
	if (f->manner != UNSIGNED) {
		uint8_t prior[TSIG_MAC_MAX];

		memcpy(prior, record.mac, record.mac_len);
		len = tsig_sign(f->key, msg, len, sizeof(msg), (uint64_t)time(NULL), prior,
		    record.mac_len, TSIG_OK, 0, mac, &mac_len);
	}
	for (int i = 0; i < (f->manner == TWICE ? 2 : 1); i++) {
		assert_int_equal(sendto(fd, msg, len, 0, (struct sockaddr *)&from, from_len), len);
	}
}

static void run(struct fixture *f, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(f->base, &tv);
	event_base_dispatch(f->base);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&f->address.addr;
	static const uint8_t name[] = "\3key";

	f->base = event_base_new();
	const struct provider_ops ops = {.ctx = f, .peek = peek, .log = log_line, .log_ctx = f};

	f->notifier = notifier_open(f->base, &ops, &f->counters);
	f->peek = -EAGAIN;
	assert_int_equal(
	    tsig_key_new(name, "hmac-sha384", (const uint8_t *)"secret", 6, &f->key), 0);
	f->sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->address.addr_len = sizeof(*in);
	assert_int_equal(bind(f->sock, (struct sockaddr *)in, sizeof(*in)), 0);
	assert_int_equal(getsockname(f->sock, (struct sockaddr *)in, &f->address.addr_len), 0);
	f->remote.addresses = &f->address;
	f->remote.address_count = 1;
	f->event = event_new(f->base, f->sock, EV_READ | EV_PERSIST, readable, f);
	event_add(f->event, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	notifier_close(f->notifier);
	event_free(f->event);
	close(f->sock);
	event_base_free(f->base);
	tsig_key_unref(f->key);
	free(f);
	return 0;
}

static void one_that_is_confirmed_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	f->manner = TWICE;
	notifier_tell(f->notifier, apex, &f->remote, f->key);
	notifier_tell(f->notifier, other, &f->remote, f->key);
	run(f, 1500);
	assert_int_equal(f->got, 2);
	assert_int_equal(f->counters.out_notify_sent, 2);
	assert_int_equal(f->counters.out_notify_acked, 2);
	assert_int_equal(f->told, 0);
}

static void one_that_is_not_is_sent_again_ever_later(void **state)
{
	struct fixture *f = *state;

	notifier_tell(f->notifier, apex, &f->remote, f->key);
	run(f, 3600); // at 0, 1 and 3 s
	assert_int_equal(f->got, 3);
	assert_in_range(f->at_ms[1] - f->at_ms[0], 1000, 1100);
	assert_in_range(f->at_ms[2] - f->at_ms[1], 2000, 2100);
	f->manner = CONFIRM;
	run(f, 4000);
	assert_int_equal(f->got, 4);
	assert_int_equal(f->counters.out_notify_acked, 1);
	assert_int_equal(f->counters.out_notify_failed, 0);
}

static void only_the_right_reply_ends_it(void **state)
{
	struct fixture *f = *state;
	static const enum manner wrong[] = {REFUSE, WRONG_ID, UNSIGNED};

	for (unsigned i = 0; i < 3; i++) {
		f->got = 0;
		f->manner = wrong[i];
		notifier_tell(f->notifier, apex, &f->remote, f->key);
		run(f, 1500);
		assert_int_equal(f->got, 2);
	}
	assert_int_equal(f->counters.out_notify_acked, 0);
}

static void a_zone_that_changes_again_begins_anew_with_one_notice(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 5; i++) { // of one turn: told once
		notifier_tell(f->notifier, apex, &f->remote, f->key);
	}
	run(f, 300);
	assert_int_equal(f->got, 1);
	notifier_tell(f->notifier, apex, &f->remote, f->key);
	run(f, 300);
	assert_int_equal(f->got, 2);
	run(f, 1200); // a second after the later one
	assert_int_equal(f->got, 3);
}

static void many_zones_are_all_told_a_few_at_a_time(void **state)
{
	enum { ZONES = 3000 };
	struct fixture *f = *state;
	uint8_t name[] = "\4\0\0\0\0\7example";

	f->manner = CONFIRM;
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf((char *)name + 1, 5, "%04u", i);
		name[5] = 7;
		notifier_tell(f->notifier, name, &f->remote, f->key);
	}
	for (unsigned i = 0; i < 100 && f->counters.out_notify_acked < ZONES; i++) {
		run(f, 100);
	}
	assert_int_equal(f->counters.out_notify_acked, ZONES);
}

static void a_zone_that_is_gone_is_not_told_of(void **state)
{
	struct fixture *f = *state;

	f->peek = -ENOENT;
	notifier_tell(f->notifier, apex, &f->remote, f->key);
	run(f, 300);
	assert_int_equal(f->got, 0);
	assert_int_equal(f->counters.out_notify_sent, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(one_that_is_confirmed_is_not_sent_again),
	    TEST(one_that_is_not_is_sent_again_ever_later),
	    TEST(only_the_right_reply_ends_it),
	    TEST(a_zone_that_changes_again_begins_anew_with_one_notice),
	    TEST(many_zones_are_all_told_a_few_at_a_time),
	    TEST(a_zone_that_is_gone_is_not_told_of),
	};

	test_clock_stop();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
