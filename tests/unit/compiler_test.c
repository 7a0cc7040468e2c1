// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The parent of the compiler children, against a child that hangs or dies as the batch says. This
// program started again is the child; the batch counts, in shared memory, how often it was handed
// out.
#include "compiler.h"

#include <event2/event.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler_child.h"

#define TIMEOUT_MS 1000 // of one try; the second has COMPILER_PATIENCE times that
#define PATIENT_MS 60000
#define WAIT_MS    120000

// What the batch holds.
struct script {
	unsigned handed_out;
	unsigned hangs, dies; // so many of the first children
	unsigned slow_ms;     // what the others take
};

struct fixture {
	struct event_base *base;
	struct compiler *compiler;
	struct script *script;
	struct compiler_job job;
	unsigned done;
	int fd;
	char error[COMPILE_ERROR_MAX];
};

static int child_main(void)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct compiler_request request;
	struct iovec iov = {&request, sizeof(request)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct compiler_reply reply = {.used = 64};
	struct script *script;
	int fds[2];

	while (recvmsg(COMPILER_SOCKET, &msg, 0) == sizeof(request)) {
		memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fds));
		script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
		if (script == MAP_FAILED)
			return 2;
		const unsigned rank = ++script->handed_out;

		if (rank <= script->hangs)
			pause();
		if (rank <= script->dies)
			return 3;
		usleep(script->slow_ms * 1000);
		if (send(COMPILER_SOCKET, &reply, sizeof(reply), 0) != sizeof(reply))
			return 4;
		close(fds[0]);
		close(fds[1]);
	}
	return 0;
}

static void job_done(struct compiler_job *job, int fd, uint64_t used, const char *error)
{
	struct fixture *f = (struct fixture *)((char *)job - offsetof(struct fixture, job));

	f->done++;
	f->fd = fd;
	snprintf(f->error, sizeof(f->error), "%s", error != NULL ? error : "");
	event_base_loopbreak(f->base);
}

static int setup_with(void **state, unsigned timeout_ms)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->compiler = compiler_open(f->base, 1, timeout_ms);
	assert_non_null(f->compiler);
	f->job.batch = memfd_create("script", MFD_CLOEXEC);
	f->job.batch_size = sizeof(struct script);
	f->job.done = job_done;
	assert_int_equal(ftruncate(f->job.batch, sizeof(struct script)), 0);
	f->script =
	    mmap(NULL, sizeof(struct script), PROT_READ | PROT_WRITE, MAP_SHARED, f->job.batch, 0);
	assert_true(f->script != MAP_FAILED);
	f->fd = -1;
	*state = f;
	return 0;
}

// For what is about the time.
static int setup(void **state)
{
	return setup_with(state, TIMEOUT_MS);
}

// For what is not: a busy machine may take its time to start a child.
static int setup_patient(void **state)
{
	return setup_with(state, PATIENT_MS);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	compiler_close(f->compiler);
	event_base_free(f->base);
	munmap(f->script, sizeof(*f->script));
	close(f->job.batch);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
	return 0;
}

// Post: how long it took.
static int64_t run(struct fixture *f, struct script script)
{
	const struct timeval limit = {.tv_sec = WAIT_MS / 1000};
	struct timespec from, to;

	*f->script = script;
	clock_gettime(CLOCK_MONOTONIC, &from);
	compiler_submit(f->compiler, &f->job);
	event_base_loopexit(f->base, &limit);
	if (f->done == 0)
		event_base_dispatch(f->base);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(f->done, 1);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

static void what_goes_well_is_asked_once(void **state)
{
	struct fixture *f = *state;

	(void)run(f, (struct script){0});
	assert_true(f->fd >= 0);
	assert_int_equal(f->script->handed_out, 1);
}

static void what_took_too_long_has_a_second_try_at_once(void **state)
{
	struct fixture *f = *state;
	const int64_t ms = run(f, (struct script){.hangs = 1});

	assert_true(f->fd >= 0);
	assert_int_equal(f->script->handed_out, 2);
	assert_in_range(ms, TIMEOUT_MS, WAIT_MS / 2);
}

// What made the first one slow has not gone: longer than the first had would do.
static void the_second_try_has_more_time(void **state)
{
	struct fixture *f = *state;

	(void)run(f, (struct script){.hangs = 1, .slow_ms = 2 * TIMEOUT_MS});
	assert_true(f->fd >= 0);
	assert_int_equal(f->script->handed_out, 2);
}

static void what_hangs_twice_is_refused(void **state)
{
	struct fixture *f = *state;
	const int64_t ms = run(f, (struct script){.hangs = 9});

	assert_int_equal(f->fd, -1);
	assert_int_equal(f->script->handed_out, COMPILER_TRIES);
	assert_non_null(strstr(f->error, "took too long"));
	assert_in_range(ms, (1 + COMPILER_PATIENCE) * TIMEOUT_MS, WAIT_MS);
}

static void what_kills_two_children_is_refused(void **state)
{
	struct fixture *f = *state;

	(void)run(f, (struct script){.dies = 9});
	assert_int_equal(f->fd, -1);
	assert_int_equal(f->script->handed_out, COMPILER_TRIES);
	assert_non_null(strstr(f->error, "ended with code 3"));
}

int main(int argc, char **argv)
{
#define CASE(name)         cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PATIENT_CASE(name) cmocka_unit_test_setup_teardown(name, setup_patient, teardown)
	const struct CMUnitTest tests[] = {
	    PATIENT_CASE(what_goes_well_is_asked_once),
	    CASE(what_took_too_long_has_a_second_try_at_once),
	    CASE(the_second_try_has_more_time),
	    CASE(what_hangs_twice_is_refused),
	    PATIENT_CASE(what_kills_two_children_is_refused),
	};

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return child_main();
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
