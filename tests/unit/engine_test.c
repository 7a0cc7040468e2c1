// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Many zones and few primaries: the engine against primaries that are sockets in the same loop, and
// a publication that only remembers.
#include "engine_private.h"
#include "slice.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "rrtype.h"
#include "setup.h"
#include "test_clock.h"
#include "wire.h"

#define SERIAL 7
#define WAIT_S 60 // of the test's time

struct world {
	struct event_base *base;
	struct engine *engine;
	struct config *config;
	char *text; // of the configuration
	size_t text_len, text_cap;
	// What each zone has at the start; no copy when zero.
	struct zone_soa copy;
	bool expired; // what was told last of the zone x
	unsigned expirations;
};

// A primary: a UDP and a TCP socket of one port.
struct server {
	struct world *world;
	int udp, tcp;
	uint16_t port;
	struct event *readable, *connected;
	bool answers;
	int accepted;           // the last connection, which is never answered; -1: none
	unsigned connections;   // so many there were
	bool last_was_gone;     // the one before it, when it came
	unsigned questions;     // over UDP
	int64_t sleeps_past_ms; // so long it keeps the whole loop after an answer; 0: not at all
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// --- the primaries

static void question(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t msg[2048];
	ssize_t n = recvfrom(fd, msg, sizeof(msg) - 64, 0, (struct sockaddr *)&from, &from_len);
	size_t at = WIRE_HEADER_LEN;

	if (n < WIRE_HEADER_LEN) {
		return;
	}
	server->questions++;
	if (!server->answers || wire_name_skip(msg, (size_t)n, &at) != 0) {
		return;
	}
	at += 4;
	wire_put16(msg + 2, WIRE_QR | WIRE_AA);
	wire_put16(msg + 6, 1);
	wire_put16(msg + 10, 0);

	const struct zone_soa *soa = &server->world->copy;
	uint8_t *p = msg + at;

	wire_put16(p, 0xc000 | WIRE_HEADER_LEN);
	wire_put16(p + 2, RRTYPE_SOA);
	wire_put16(p + 4, RRCLASS_IN);
	wire_put32(p + 6, 60);
	wire_put16(p + 10, 22);
	p[12] = p[13] = 0;
	wire_put32(p + 14, soa->serial);
	wire_put32(p + 18, soa->refresh_s);
	wire_put32(p + 22, soa->retry_s);
	wire_put32(p + 26, soa->expire_s);
	wire_put32(p + 30, 60);
	(void)sendto(fd, msg, at + 34, MSG_NOSIGNAL, (struct sockaddr *)&from, from_len);
	if (now_ms() < server->sleeps_past_ms) {
		test_clock_advance(server->sleeps_past_ms - now_ms());
	}
}

// Has the other side closed it?
static bool is_gone(int fd)
{
	uint8_t bytes[4096];
	ssize_t n;

	do {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n > 0);
	return n == 0 || errno != EAGAIN;
}

static void connection(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	if (server->accepted >= 0) {
		server->last_was_gone = is_gone(server->accepted);
		close(server->accepted);
	}
	server->accepted = accept(fd, NULL, NULL);
	server->connections++;
}

// A port of both kinds: one that is free over UDP may be another's over TCP.
static void server_bind(struct server *server, bool tcp)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		struct sockaddr_in in = {
		    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof(in);

		server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(server->udp, (struct sockaddr *)&in, sizeof(in)), 0);
		assert_int_equal(getsockname(server->udp, (struct sockaddr *)&in, &len), 0);
		server->port = ntohs(in.sin_port);
		if (!tcp)
			return;
		server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(server->tcp, (struct sockaddr *)&in, sizeof(in)) == 0)
			return;
		close(server->tcp);
		close(server->udp);
	}
	fail_msg("no port is free");
}

// `tcp`: it takes connections, which lead to nothing. Else there is nobody.
static void server_open(struct world *world, struct server *server, bool answers, bool tcp)
{
	*server = (struct server){.world = world, .answers = answers, .tcp = -1, .accepted = -1};
	server_bind(server, tcp);
	server->readable =
	    event_new(world->base, server->udp, EV_READ | EV_PERSIST, question, server);
	event_add(server->readable, NULL);
	if (tcp) {
		assert_int_equal(listen(server->tcp, 16), 0);
		server->connected =
		    event_new(world->base, server->tcp, EV_READ | EV_PERSIST, connection, server);
		event_add(server->connected, NULL);
	}
}

static void server_close(struct server *server)
{
	event_free(server->readable);
	close(server->udp);
	if (server->connected != NULL) {
		event_free(server->connected);
		close(server->tcp);
	}
	if (server->accepted >= 0) {
		close(server->accepted);
	}
}

// --- the publication

static void op_load(void *ctx, const uint8_t *apex, struct engine_stored *out)
{
	struct world *world = ctx;

	*out = (struct engine_stored){.has_copy = world->copy.serial != 0,
	    .soa = world->copy,
	    .origin = setup_origin(&world->config->remotes[0])};
}

static bool op_working(void *ctx, const uint8_t *apex, uint32_t token);
static bool op_fits(void *ctx, uint64_t count, uint64_t bytes);

static void op_publish(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records, struct seen *seen)
{
	records_free(records);
	seen_free(seen);
}

static void op_expire(void *ctx, const uint8_t *apex, bool expired)
{
	struct world *world = ctx;

	if (apex[0] == 1 && apex[1] == 'x') {
		world->expired = expired;
		world->expirations += expired;
	}
}

static void op_store(void *ctx, const uint8_t *apex, const struct zone_timers *timers)
{
}

// --- the world

static void world_open(struct world *world)
{
	*world = (struct world){.base = event_base_new()};
}

static void __attribute__((format(printf, 2, 3))) say(struct world *world, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);

	va_end(args);
	if (world->text_len + (size_t)len + 1 > world->text_cap) {
		world->text_cap = 2 * world->text_cap + 4096;
		world->text = realloc(world->text, world->text_cap);
		assert_non_null(world->text);
	}
	memcpy(world->text + world->text_len, line, (size_t)len + 1);
	world->text_len += (size_t)len;
}

// `a` and `b`: remotes of those ids.
static void say_remotes(struct world *world, const struct server *a, const char *a_words,
    const struct server *b, const char *b_words)
{
	say(world,
	    "server:\n  rundir: /tmp\n  storage: /tmp\n"
	    "remote:\n  - id: a\n    address: 127.0.0.1@%u\n%s"
	    "  - id: b\n    address: 127.0.0.1@%u\n%s",
	    a->port, a_words, b->port, b_words);
}

static void world_go(struct world *world)
{
	const struct engine_ops ops = {.ctx = world,
	    .load = op_load,
	    .publish = op_publish,
	    .working = op_working,
	    .fits = op_fits,
	    .expire = op_expire,
	    .store = op_store};
	struct config_error why;
	char error[ENGINE_ERROR_MAX];

	if (config_parse(world->text, world->text_len, 0, &world->config, &why) != 0) {
		fail_msg("%u:%u: %s", why.line, why.column, why.message);
	}
	if (engine_open(world->base, world->config, NULL, &ops, &world->engine, error) != 0) {
		fail_msg("%s", error);
	}
	engine_log_to(world->engine, NULL, NULL);
}

static void world_close(struct world *world)
{
	engine_close(world->engine);
	config_free(world->config);
	event_base_free(world->base);
	free(world->text);
}

// Post: false when that did not come about in time.
static bool world_until(struct world *world, bool (*is)(struct world *), unsigned seconds)
{
	const int64_t end = now_ms() + 1000 * (int64_t)seconds;
	const struct timeval turn = {.tv_usec = 20000};

	while (!is(world)) {
		if (now_ms() >= end) {
			return false;
		}
		event_base_loopexit(world->base, &turn);
		event_base_dispatch(world->base);
	}
	return true;
}

// --- tests

static struct server *taken_by[2];

static bool both_are_taken(struct world *world)
{
	return taken_by[0]->accepted >= 0 && taken_by[1]->accepted >= 0;
}

static bool all_failed(struct world *world)
{
	return engine_counters(world->engine)->transfers_failed >= 2 * 20000;
}

// No descriptor is left while two long queues wait: what is begun fails at once, and each zone asks
// the other primary.
static void queues_that_fail_at_once_do_not_eat_the_stack(void **state)
{
	struct world world;
	struct server a, b;
	struct rlimit before, none;

	world_open(&world);
	server_open(&world, &a, false, true);
	server_open(&world, &b, false, true);
	say_remotes(&world, &a, "", &b, "");
	say(&world, "controlplane:\n  transfers-in: 2\nzone:\n");
	for (unsigned i = 0; i < 10000; i++) {
		say(&world,
		    "  - {domain: x%u, primaries: [a, b]}\n  - {domain: y%u, primaries: [b, a]}\n",
		    i, i);
	}
	world_go(&world);
	taken_by[0] = &a;
	taken_by[1] = &b;
	assert_true(world_until(&world, both_are_taken, WAIT_S));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	close(a.accepted);
	a.accepted = -1;
	assert_true(world_until(&world, all_failed, WAIT_S));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	server_close(&a);
	server_close(&b);
	world_close(&world);
}

#define WAITING 40

static bool all_confirmed(struct world *world)
{
	return engine_counters(world->engine)->soa_answers >= WAITING;
}

// Four at a time, 4.9 s each: those that wait are not to find out one after the other, which would
// take 49 s.
static void zones_that_wait_for_a_dead_primary_ask_the_next(void **state)
{
	struct world world;
	struct server a, b;

	world_open(&world);
	world.copy = (struct zone_soa){SERIAL, 3600, 600, 86400};
	server_open(&world, &a, false, false);
	server_open(&world, &b, true, false);
	say_remotes(&world, &a, "    serial-queries: 4\n", &b, "");
	say(&world, "zone:\n");
	for (unsigned i = 0; i < WAITING; i++) {
		say(&world, "  - {domain: x%u, primaries: [a, b]}\n", i);
	}
	world_go(&world);
	assert_true(world_until(&world, all_confirmed, 40));
	server_close(&a);
	server_close(&b);
	world_close(&world);
}

static const uint8_t x_apex[] = "\1x";

static bool x_is_asked_for_no_more(struct world *world)
{
	struct engine_status status;

	assert_int_equal(engine_status(world->engine, x_apex, &status), 0);
	return status.refresh_in_ms > 0;
}

static bool x_has_expired_and_was_confirmed(struct world *world)
{
	return world->expirations > 0 && x_is_asked_for_no_more(world);
}

// The answer that confirms the copy comes when it has just expired, and the other primary, which is
// asked as well, is left alone because it is dead.
static void what_is_confirmed_at_the_last_moment_is_served(void **state)
{
	struct world world;
	struct server a, b;
	struct engine_status status;

	world_open(&world);
	world.copy = (struct zone_soa){SERIAL, 3, 1, 4};
	server_open(&world, &a, true, false);
	server_open(&world, &b, false, false);
	say_remotes(&world, &a, "", &b, "    serial-queries: 4\n");
	say(&world, "zone:\n  - {domain: x, primaries: [a, b], refresh-jitter: 0%%, "
	            "primary-pin-tolerance: 1d}\n");
	for (unsigned i = 0; i < 4; i++) {
		say(&world, "  - {domain: z%u, primaries: [b], retry-min-interval: 30s}\n", i);
	}
	world_go(&world);
	assert_true(world_until(&world, x_is_asked_for_no_more, WAIT_S));
	assert_int_equal(engine_status(world.engine, x_apex, &status), 0);
	world.expirations = 0;
	assert_int_equal(engine_refresh(world.engine, (const uint8_t *)"\2z0"), 0); // the probe
	a.sleeps_past_ms = now_ms() + status.expires_in_ms + 5;
	assert_true(world_until(&world, x_has_expired_and_was_confirmed, WAIT_S));
	assert_int_equal(engine_status(world.engine, x_apex, &status), 0);
	assert_false(status.expired);
	assert_false(world.expired);
	server_close(&a);
	server_close(&b);
	world_close(&world);
}

// --- publication that takes long

static bool at_it;
static unsigned at_it_asked;

static bool op_working(void *ctx, const uint8_t *apex, uint32_t token)
{
	const struct engine_zone *ez = engine_find(((struct world *)ctx)->engine, apex);

	assert_int_equal(token, ez->zone.token);
	at_it_asked++;
	return at_it;
}

// The time is up, whatever comes first then.
static void a_version_that_is_being_worked_on_is_not_given_up(void **state)
{
	struct world world;
	struct server a, b;

	world_open(&world);
	server_open(&world, &a, false, true);
	server_open(&world, &b, false, true);
	say_remotes(&world, &a, "", &b, "");
	say(&world, "zone:\n  - {domain: x, primaries: [a]}\n");
	world_go(&world);

	struct engine_zone *ez = engine_find(world.engine, x_apex);

	engine_op_abort(ez);
	for (unsigned i = 0; i < 2; i++) {
		at_it = i == 0;
		at_it_asked = 0;
		ez->zone.phase = ZONE_PUBLISHING; // for two minutes now
		ez->zone.publish_ms = now_ms();
		assert_int_equal(engine_refresh(world.engine, x_apex), 0);
		assert_int_equal(at_it_asked, 1);
		assert_int_equal(ez->zone.phase == ZONE_PUBLISHING, at_it);
		if (at_it) {
			assert_true(ez->zone.publish_ms > now_ms() + 60000);
			assert_true(timers_first(&world.engine->timers)->at_ms > now_ms());
		}
	}
	server_close(&a);
	server_close(&b);
	world_close(&world);
}

// --- memory

static bool there_is_room;
static unsigned room_asked; // times

static bool op_fits(void *ctx, uint64_t count, uint64_t bytes)
{
	assert_int_equal(count, 1250); // a quarter more than what was refused
	assert_int_equal(bytes, 5 << 20);
	room_asked++;
	return there_is_room;
}

static struct server *asked;
static unsigned asked_before;

static bool it_is_asked(struct world *world)
{
	return asked->connections > asked_before;
}

static bool it_was_looked_for(struct world *world)
{
	return room_asked >= 3;
}

// A version that did not fit is left alone for its retry, or until there is room for it.
static void a_version_is_asked_for_again_when_it_fits(void **state)
{
	struct world world;
	struct server a, b;

	for (unsigned i = 0; i < 2; i++) {
		world_open(&world);
		server_open(&world, &a, false, true);
		server_open(&world, &b, false, true);
		say_remotes(&world, &a, "", &b, "");
		say(&world, "zone:\n  - {domain: x, primaries: [a]}\n");
		world_go(&world);

		struct engine_zone *ez = engine_find(world.engine, x_apex);

		asked = &a;
		asked_before = 0;
		assert_true(world_until(&world, it_is_asked, WAIT_S));
		asked_before = a.connections;
		room_asked = 0;
		there_is_room = false;
		engine_op_abort(ez);
		engine_room_note(ez, 1000, 4 << 20);
		ez->zone.phase = ZONE_PUBLISHING;
		ez->zone.publish_ms = now_ms() + 120000;
		ez->zone.pending = (struct zone_soa){SERIAL, 3600, 3600, 86400};
		engine_published(
		    world.engine, x_apex, ez->zone.token, ENGINE_NO_ROOM, "it does not fit");
		assert_int_equal(engine_counters(world.engine)->rejected, 1);
		assert_in_range(
		    timers_first(&world.engine->timers)->at_ms - now_ms(), 3000000, 3600000);
		assert_true(world_until(&world, it_was_looked_for, WAIT_S));
		assert_int_equal(a.connections, asked_before);
		there_is_room = true;
		if (i == 0) {
			assert_true(world_until(&world, it_is_asked, WAIT_S));
		}
		server_close(&a); // with i == 1 it is gone while it waits
		server_close(&b);
		world_close(&world);
	}
}

// --- reload

static struct server *servers[2];
static unsigned wanted[2]; // connections

static bool connections_are_there(struct world *world)
{
	return servers[0]->connections >= wanted[0] && servers[1]->connections >= wanted[1];
}

static bool no_more_comes(struct world *world)
{
	return false;
}

static void reload(struct world *world, const char *text)
{
	struct config *config, *old = world->config;
	struct config_error why;
	char error[ENGINE_ERROR_MAX];

	if (config_parse(text, strlen(text), 0, &config, &why) != 0) {
		fail_msg("%u:%u: %s\n%s", why.line, why.column, why.message, text);
	}
	if (engine_reconfigure(world->engine, config, error) != 0) {
		fail_msg("%s", error);
	}
	while (engine_reconfigure_go(world->engine, SLICE_ONE) ==
	       -EAGAIN) { // as small slices as may be
	}
	world->config = config;
	config_free(old);
}

#define SECRET_A "c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA="
#define SECRET_B "c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTE="
#define PIN_A    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define PIN_B    "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// What remote `a` is, and from whom the zone comes; `s` stands for the same port always.
struct reload_row {
	const char *what, *before, *after; // words of remote a
	const char *key_before, *key_after;
	const char *primaries_before, *primaries_after;
	unsigned anew_a, anew_b; // connections more
};

#define TLS_OF(words) "    tls: on\n" words

static const struct reload_row reload_rows[] = {
    {"nothing", "    key: k\n", "    key: k\n", SECRET_A, SECRET_A, "a", "a", 0, 0},
    {"a secret", "    key: k\n", "    key: k\n", SECRET_A, SECRET_B, "a", "a", 1, 0},
    {"no key any more", "    key: k\n", "", SECRET_A, SECRET_A, "a", "a", 1, 0},
    {"a pin stays", TLS_OF("    cert-key: " PIN_A "\n"), TLS_OF("    cert-key: " PIN_A "\n"),
        SECRET_A, SECRET_A, "a", "a", 0, 0},
    {"another pin", TLS_OF("    cert-key: " PIN_A "\n"), TLS_OF("    cert-key: " PIN_B "\n"),
        SECRET_A, SECRET_A, "a", "a", 1, 0},
    {"a pin where there was none", TLS_OF(""), TLS_OF("    cert-key: " PIN_B "\n"), SECRET_A,
        SECRET_A, "a", "a", 1, 0},
    {"a name", TLS_OF("    cert-hostname: x.example\n"), TLS_OF("    cert-hostname: y.example\n"),
        SECRET_A, SECRET_A, "a", "a", 1, 0},
    {"TLS is off", TLS_OF(""), "", SECRET_A, SECRET_A, "a", "a", 1, 0},
    {"another primary", "", "", SECRET_A, SECRET_A, "a", "b", 0, 1},
    {"one more primary", "", "", SECRET_A, SECRET_A, "a", "b, a", 0, 1},
};

static void say_reload(struct world *world, const char *words, const char *key,
    const char *primaries, const struct server *a, const struct server *b)
{
	world->text_len = 0;
	say(world, "key:\n  - id: k\n    algorithm: hmac-sha256\n    secret: %s\n", key);
	say_remotes(world, a, words, b, "");
	say(world, "zone:\n  - {domain: x, primaries: [%s]}\n", primaries);
}

// A transfer is under way, and its connection stays silent.
static void a_reload_ends_what_would_not_be_begun_as_it_was(void **state)
{
	for (size_t i = 0; i < sizeof(reload_rows) / sizeof(reload_rows[0]); i++) {
		const struct reload_row *row = &reload_rows[i];
		struct world world;
		struct server a, b;

		world_open(&world);
		server_open(&world, &a, false, true);
		server_open(&world, &b, false, true);
		servers[0] = &a;
		servers[1] = &b;
		wanted[0] = 1;
		wanted[1] = 0;
		say_reload(&world, row->before, row->key_before, row->primaries_before, &a, &b);
		world_go(&world);
		assert_true(world_until(&world, connections_are_there, WAIT_S));
		say_reload(&world, row->after, row->key_after, row->primaries_after, &a, &b);
		reload(&world, world.text);
		wanted[0] += row->anew_a;
		wanted[1] += row->anew_b;
		if (!world_until(&world, connections_are_there, WAIT_S)) {
			fail_msg("%s: what was under way goes on", row->what);
		}
		if (row->anew_a > 0 && !a.last_was_gone) {
			fail_msg("%s: two at once", row->what);
		}
		if (row->anew_b > 0 && !is_gone(a.accepted)) {
			fail_msg("%s: the other goes on", row->what);
		}
		if (row->anew_a + row->anew_b == 0) {
			assert_false(world_until(&world, no_more_comes, 1));
			assert_int_equal(a.connections, 1);
			assert_false(is_gone(a.accepted));
		}
		server_close(&a);
		server_close(&b);
		world_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(zones_that_wait_for_a_dead_primary_ask_the_next),
	    cmocka_unit_test(what_is_confirmed_at_the_last_moment_is_served),
	    cmocka_unit_test(queues_that_fail_at_once_do_not_eat_the_stack),
	    cmocka_unit_test(a_version_that_is_being_worked_on_is_not_given_up),
	    cmocka_unit_test(a_version_is_asked_for_again_when_it_fits),
	    cmocka_unit_test(a_reload_ends_what_would_not_be_begun_as_it_was),
	};

	test_clock_stop();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
