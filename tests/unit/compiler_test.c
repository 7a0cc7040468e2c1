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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler_child.h"
#include "test_clock.h"

#define TIMEOUT_MS \
	1000 // of one try, by the test's clock; the second has COMPILER_PATIENCE times that
#define MOMENT_MS 50
#define WAIT_MS   100000 // by everybody's

// What the batch holds, and the child writes.
struct script {
	unsigned handed_out;
	unsigned hangs, dies; // so many of the first children
	bool waits, go;       // the others, until they may
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
		const unsigned rank = __atomic_add_fetch(&script->handed_out, 1, __ATOMIC_RELAXED);

		if (rank <= script->hangs)
			pause();
		if (rank <= script->dies)
			return 3;
		while (script->waits && !__atomic_load_n(&script->go, __ATOMIC_RELAXED))
			usleep(1000);
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
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->compiler = compiler_open(f->base, 1, TIMEOUT_MS);
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

static void begin(struct fixture *f, struct script script)
{
	*f->script = script;
	compiler_submit(f->compiler, &f->job);
}

static void turns(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static unsigned handed_out(const struct fixture *f)
{
	return __atomic_load_n(&f->script->handed_out, __ATOMIC_RELAXED);
}

static void until_handed_out(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < WAIT_MS && handed_out(f) < count; i++)
		turns(f, 1);
	assert_int_equal(handed_out(f), count);
	assert_int_equal(f->done, 0);
}

static void until_done(struct fixture *f)
{
	for (unsigned i = 0; i < WAIT_MS && f->done == 0; i++)
		turns(f, 1);
	assert_int_equal(f->done, 1);
}

// The try that is under way has its whole time, and no more.
static void time_is_up(struct fixture *f, unsigned ms)
{
	const unsigned before = handed_out(f);

	test_clock_advance(ms - MOMENT_MS);
	turns(f, 20);
	assert_int_equal(handed_out(f), before);
	assert_int_equal(f->done, 0);
	test_clock_advance(2 * MOMENT_MS);
}

static void what_goes_well_is_asked_once(void **state)
{
	struct fixture *f = *state;

	begin(f, (struct script){0});
	until_done(f);
	assert_true(f->fd >= 0);
	assert_int_equal(handed_out(f), 1);
}

static void what_took_too_long_has_a_second_try_at_once(void **state)
{
	struct fixture *f = *state;

	begin(f, (struct script){.hangs = 1});
	until_handed_out(f, 1);
	time_is_up(f, TIMEOUT_MS);
	until_done(f);
	assert_true(f->fd >= 0);
	assert_int_equal(handed_out(f), 2);
}

// What made the first one slow has not gone: longer than the first had would do.
static void the_second_try_has_more_time(void **state)
{
	struct fixture *f = *state;

	begin(f, (struct script){.hangs = 1, .waits = true});
	until_handed_out(f, 1);
	time_is_up(f, TIMEOUT_MS);
	until_handed_out(f, 2);
	test_clock_advance(2 * TIMEOUT_MS);
	turns(f, 20);
	__atomic_store_n(&f->script->go, true, __ATOMIC_RELAXED);
	until_done(f);
	assert_true(f->fd >= 0);
	assert_int_equal(handed_out(f), 2);
}

static void what_hangs_twice_is_refused(void **state)
{
	struct fixture *f = *state;

	begin(f, (struct script){.hangs = 9});
	until_handed_out(f, 1);
	time_is_up(f, TIMEOUT_MS);
	until_handed_out(f, 2);
	time_is_up(f, COMPILER_PATIENCE * TIMEOUT_MS);
	until_done(f);
	assert_int_equal(f->fd, -1);
	assert_int_equal(handed_out(f), COMPILER_TRIES);
	assert_non_null(strstr(f->error, "took too long"));
}

static void what_kills_two_children_is_refused(void **state)
{
	struct fixture *f = *state;

	begin(f, (struct script){.dies = 9});
	until_done(f);
	assert_int_equal(f->fd, -1);
	assert_int_equal(handed_out(f), COMPILER_TRIES);
	assert_non_null(strstr(f->error, "ended with code 3"));
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(what_goes_well_is_asked_once),
	    CASE(what_took_too_long_has_a_second_try_at_once),
	    CASE(the_second_try_has_more_time),
	    CASE(what_hangs_twice_is_refused),
	    CASE(what_kills_two_children_is_refused),
	};

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return child_main();
	signal(SIGPIPE, SIG_IGN);
	test_clock_stop(); // what a busy machine takes to start a child is nobody's time
	return cmocka_run_group_tests(tests, NULL, NULL);
}
