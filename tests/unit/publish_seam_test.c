// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication's end of the seam where the data plane is slow, has much to tell, or answers in
// another order than it was asked. The data plane is a socket of this test's, read when a case says
// so.
#include "publish.h"

#include <event2/event.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler_child.h"
#include "name.h"
#include "seam.h"

#define WAIT_MS   20000 // far more than any step takes on a busy machine
#define STRANGERS 20000 // messages about so many do not fit into a socket
#define ASKS      20000 // the same

struct asked {
	unsigned zones, ends;
	int rc;
};

struct fixture {
	char folder[64];
	struct event_base *base;
	struct publisher *publisher;
	struct config *config;
	int plane;
	struct asked asked[ASKS];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn(struct fixture *f)
{
	const struct timeval tick = {.tv_usec = 1000};

	event_base_loopexit(f->base, &tick);
	event_base_dispatch(f->base);
}

static int setup(void **state)
{
	static const struct publisher_ops ops;
	struct fixture *f = calloc(1, sizeof(*f));
	char text[512], error[PUBLISH_REASON_MAX];
	struct config_error config_error;

	strcpy(f->folder, "/dev/shm/publish_seam_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->base = event_base_new();
	f->plane = -1;
	snprintf(text, sizeof(text),
	    "server: {rundir: %s/run, storage: %s/store}\n"
	    "remote: [{id: p, address: 192.0.2.1}]\n"
	    "zone: [{domain: a.example, primaries: p}, {domain: b.example, primaries: p}]\n",
	    f->folder, f->folder);
	assert_int_equal(config_parse(text, strlen(text), 0, &f->config, &config_error), 0);
	if (publisher_open(f->base, f->config, &ops, &f->publisher, error) < 0)
		fail_msg("%s", error);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	if (f->plane >= 0)
		close(f->plane);
	publisher_close(f->publisher);
	event_base_free(f->base);
	config_free(f->config);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

// --- the data plane
// -------------------------------------------------------------------------------

static void plane_send(struct fixture *f, struct seam_message *message)
{
	const int64_t until = now_ms() + WAIT_MS;
	int rc;

	while ((rc = seam_send(f->plane, message, -1)) == -EAGAIN && now_ms() < until)
		turn(f);
	assert_int_equal(rc, 0);
}

static struct seam_name stranger_name(unsigned i)
{
	struct seam_name name = {.len = 15};

	snprintf((char *)name.wire, sizeof(name.wire), "\6s%05u\6orphan", i % 100000);
	return name;
}

// Post: false when nothing came for a while.
static bool plane_receive(struct fixture *f, struct seam_message *message, int64_t wait_ms)
{
	const int64_t until = now_ms() + wait_ms;
	int rc, fd;

	while ((rc = seam_receive(f->plane, message, &fd)) == -EAGAIN && now_ms() < until)
		turn(f);
	if (rc == -EAGAIN)
		return false;
	assert_int_equal(rc, 0);
	return true;
}

// As a data plane does it: nothing is read before the last HAVE is out.
static void plane_connect(struct fixture *f, unsigned strangers)
{
	struct seam_message message = {.type = SEAM_HELLO};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/%s", f->folder, SEAM_SOCKET);
	f->plane = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(f->plane, (struct sockaddr *)&address, sizeof(address)), 0);
	message.hello.protocol = SEAM_PROTOCOL;
	plane_send(f, &message);
	for (unsigned i = 0; i < strangers; i++) {
		message = (struct seam_message){.type = SEAM_HAVE, .generation = 1 + i};
		message.zone.name = stranger_name(i);
		message.zone.id = 1;
		plane_send(f, &message);
	}
	message = (struct seam_message){.type = SEAM_HELLO_END};
	plane_send(f, &message);
}

static void serials_send(
    struct fixture *f, uint64_t generation, const char *const *names, unsigned count)
{
	struct seam_message message = {.type = SEAM_SERIALS, .generation = generation};

	message.serials.last = 1;
	message.serials.count = count;
	for (unsigned i = 0; i < count; i++) {
		const int len = name_from_text(
		    names[i], strlen(names[i]), NULL, message.serials.item[i].name.wire);

		message.serials.item[i].name.len = (uint8_t)len;
		message.serials.item[i].serial = 7;
	}
	plane_send(f, &message);
}

static void answered(void *ctx, const struct publisher_answer *answer, int rc)
{
	struct asked *asked = ctx;

	if (answer->apex_len != 0) {
		asked->zones++;
		return;
	}
	asked->ends++;
	asked->rc = rc;
}

// --- cases
// ----------------------------------------------------------------------------------------

// A configuration that lost thousands of zones while nobody was connected.
static void zones_that_nobody_configured_are_withdrawn_however_many(void **state)
{
	struct fixture *f = *state;
	bool withdrawn[STRANGERS] = {0};
	struct seam_message message;
	unsigned count = 0;

	plane_connect(f, STRANGERS);
	while (count < STRANGERS && plane_receive(f, &message, WAIT_MS / 4)) {
		assert_int_equal(message.type, SEAM_WITHDRAW);
		const unsigned i = (unsigned)atoi((char *)message.zone.name.wire + 2);

		assert_true(i < STRANGERS);
		assert_true(message.generation > 1 + i); // fencing
		count += !withdrawn[i];
		withdrawn[i] = true;
	}
	assert_int_equal(count, STRANGERS);
}

static bool all_ended(const struct fixture *f)
{
	for (unsigned i = 0; i < ASKS; i++)
		if (f->asked[i].ends == 0)
			return false;
	return true;
}

// More questions than a socket holds. On a slow machine some end without their answer.
static void every_question_ends_once_however_many(void **state)
{
	static const char *const names[] = {"a.example."};
	const int64_t until = now_ms() + 2 * WAIT_MS;
	struct fixture *f = *state;
	struct seam_message message;
	unsigned answers = 0;

	plane_connect(f, 0);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	for (unsigned i = 0; i < ASKS; i++)
		publisher_ask(
		    f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[i]);
	while (!all_ended(f) && now_ms() < until) {
		if (!plane_receive(f, &message, 10))
			continue;
		assert_int_equal(message.type, SEAM_ASK);
		serials_send(f, message.generation, names, 1);
	}
	for (unsigned i = 0; i < ASKS; i++) {
		assert_int_equal(f->asked[i].ends, 1);
		assert_true(f->asked[i].rc == 0 || f->asked[i].rc == -ETIMEDOUT);
		assert_int_equal(f->asked[i].zones, f->asked[i].rc == 0);
		answers += f->asked[i].zones;
	}
	assert_true(answers > 0);
}

static void an_answer_belongs_to_its_question(void **state)
{
	static const char *const names[] = {"a.example.", "b.example."};
	struct seam_message a, b;
	struct fixture *f = *state;

	plane_connect(f, 0);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	publisher_ask(f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[0]);
	publisher_ask(f->publisher, (const uint8_t *)"\1b\7example", answered, &f->asked[1]);
	assert_true(plane_receive(f, &a, WAIT_MS));
	assert_true(plane_receive(f, &b, WAIT_MS));
	serials_send(f, b.generation, names + 1, 1);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(f->asked[0].ends, 0);
	assert_int_equal(f->asked[1].ends, 1);
	serials_send(f, a.generation + 7, names, 1); // nobody's
	serials_send(f, a.generation, names, 1);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	assert_int_equal(f->asked[0].ends, 1);
	assert_int_equal(f->asked[0].zones, 1);
	assert_int_equal(f->asked[1].zones, 1);
}

// Nobody answers: who asks is told so, and nothing is left that a later answer could find.
static void a_question_without_an_answer_ends(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, 0);
	for (unsigned i = 0; i < 10; i++)
		turn(f);
	for (unsigned i = 0; i < ASKS; i++)
		publisher_ask(
		    f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[i]);
	for (const int64_t until = now_ms() + WAIT_MS;
	     f->asked[ASKS - 1].ends == 0 && now_ms() < until;)
		turn(f);
	for (unsigned i = 0; i < ASKS; i++) {
		assert_int_equal(f->asked[i].ends, 1);
		assert_int_equal(f->asked[i].rc, -ETIMEDOUT);
	}
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(zones_that_nobody_configured_are_withdrawn_however_many),
	    CASE(every_question_ends_once_however_many),
	    CASE(an_answer_belongs_to_its_question),
	    CASE(a_question_without_an_answer_ends),
	};

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return compiler_child_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
