// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication's end of the seam where the data plane is slow, has much to tell, or answers in
// another order than it was asked. The data plane is a socket of this test's, read when a case says
// so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRANGERS 20000 // messages about so many do not fit into a socket
#define ASKS      20000 // the same

struct asked {
	unsigned zones, ends;
	int rc;
};

struct fixture {
	struct publication *publication;
	struct event_base *base;
	struct publisher *publisher;
	int plane;
	struct asked asked[ASKS];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *publication;

	(void)publication_open(&publication,
	    "  - {domain: a.example, primaries: p}\n  - {domain: b.example, primaries: p}\n");
	f->publication = publication;
	f->base = f->publication->base;
	f->publisher = f->publication->publisher;
	f->plane = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *publication = f->publication;

	if (f->plane >= 0)
		close(f->plane);
	free(f);
	return publication_close(&publication);
}

// --- the data plane
// -------------------------------------------------------------------------------

static void say(struct fixture *f, struct seam_message *message)
{
	const int64_t until = now_ms() + WAIT_MS;
	int rc;

	while ((rc = seam_send(f->plane, message, -1)) == -EAGAIN && now_ms() < until)
		loop_turn(f->base);
	assert_int_equal(rc, 0);
}

static struct seam_name stranger_name(unsigned i)
{
	struct seam_name name = {.len = 15};

	snprintf((char *)name.wire, sizeof(name.wire), "\6s%05u\6orphan", i % 100000);
	return name;
}

// Post: false when nothing came for a while.
static bool hear(struct fixture *f, struct seam_message *message, int64_t wait_ms)
{
	const int64_t until = now_ms() + wait_ms;
	int rc, fd;

	while ((rc = seam_receive(f->plane, message, &fd)) == -EAGAIN && now_ms() < until)
		loop_turn(f->base);
	if (rc == -EAGAIN)
		return false;
	assert_int_equal(rc, 0);
	return true;
}

// As a data plane does it: nothing is read before the last HAVE is out.
static void greet(struct fixture *f, unsigned strangers)
{
	struct seam_message message = {.type = SEAM_HELLO};

	f->plane = plane_socket(f->publication->rundir);
	message.hello.protocol = SEAM_PROTOCOL;
	say(f, &message);
	for (unsigned i = 0; i < strangers; i++) {
		message = (struct seam_message){.type = SEAM_HAVE, .generation = 1 + i};
		message.zone.name = stranger_name(i);
		message.zone.id = 1;
		say(f, &message);
	}
	message = (struct seam_message){.type = SEAM_HELLO_END};
	say(f, &message);
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
	say(f, &message);
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

	greet(f, STRANGERS);
	while (count < STRANGERS && hear(f, &message, WAIT_MS / 4)) {
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
	struct asked last = {0};

	greet(f, 0);
	publication_turns(f->publication, 10);
	for (unsigned i = 0; i < ASKS; i++)
		publisher_ask(
		    f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[i]);
	while (!all_ended(f) && now_ms() < until) {
		if (!hear(f, &message, 10))
			continue;
		assert_int_equal(message.type, SEAM_ASK);
		serials_send(f, message.generation, names, 1);
	}
	for (unsigned i = 0; i < ASKS; i++) {
		assert_int_equal(f->asked[i].ends, 1);
		assert_true(f->asked[i].rc == 0 || f->asked[i].rc == -ETIMEDOUT);
		assert_int_equal(f->asked[i].zones, f->asked[i].rc == 0);
	}
	// Who asks then has an answer.
	while (last.zones == 0 && now_ms() < until) {
		last = (struct asked){0};
		publisher_ask(f->publisher, (const uint8_t *)"\1a\7example", answered, &last);
		while (last.ends == 0 && now_ms() < until)
			if (hear(f, &message, 10))
				serials_send(f, message.generation, names, 1);
	}
	assert_int_equal(last.zones, 1);
}

static void an_answer_belongs_to_its_question(void **state)
{
	static const char *const names[] = {"a.example.", "b.example."};
	struct seam_message a, b;
	struct fixture *f = *state;

	greet(f, 0);
	publication_turns(f->publication, 10);
	publisher_ask(f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[0]);
	publisher_ask(f->publisher, (const uint8_t *)"\1b\7example", answered, &f->asked[1]);
	assert_true(hear(f, &a, WAIT_MS));
	assert_true(hear(f, &b, WAIT_MS));
	serials_send(f, b.generation, names + 1, 1);
	publication_turns(f->publication, 10);
	assert_int_equal(f->asked[0].ends, 0);
	assert_int_equal(f->asked[1].ends, 1);
	serials_send(f, a.generation + 7, names, 1); // nobody's
	serials_send(f, a.generation, names, 1);
	publication_turns(f->publication, 10);
	assert_int_equal(f->asked[0].ends, 1);
	assert_int_equal(f->asked[0].zones, 1);
	assert_int_equal(f->asked[1].zones, 1);
}

// Nobody answers: who asks is told so, and nothing is left that a later answer could find.
static void a_question_without_an_answer_ends(void **state)
{
	struct fixture *f = *state;

	greet(f, 0);
	publication_turns(f->publication, 10);
	for (unsigned i = 0; i < ASKS; i++)
		publisher_ask(
		    f->publisher, (const uint8_t *)"\1a\7example", answered, &f->asked[i]);
	for (const int64_t until = now_ms() + WAIT_MS;
	     f->asked[ASKS - 1].ends == 0 && now_ms() < until;)
		loop_turn(f->base);
	for (unsigned i = 0; i < ASKS; i++) {
		assert_int_equal(f->asked[i].ends, 1);
		assert_int_equal(f->asked[i].rc, -ETIMEDOUT);
	}
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(zones_that_nobody_configured_are_withdrawn_however_many),
	    CASE(every_question_ends_once_however_many),
	    CASE(an_answer_belongs_to_its_question),
	    CASE(a_question_without_an_answer_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
