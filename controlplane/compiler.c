// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The parent's side of the compiler children; see compiler.h.
#include "compiler.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler_child.h"
#include "image.h"
#include "log.h"

#define CHILDREN_MAX 16
// A child that has worked for so many bytes of records makes room for a fresh one, so that what the
// allocator keeps goes back to the system.
#define BYTES_PER_CHILD ((uint64_t)256 << 20)
// An image takes less than so many times its records, and a small one less than the constant.
#define IMAGE_CAP_FACTOR  24
#define IMAGE_CAP_LEAST   ((uint64_t)16 << 20)
#define CLOSING           "The control plane ends."
#define BATCH_PER_MILLION ((uint64_t)64 << 20) // bytes of a batch of a million records

struct child {
	struct compiler *compiler;
	pid_t pid;  // 0: not running
	int socket; // ours
	int image;  // memfd of the job, -1 when idle
	struct compiler_job *job;
	struct event *readable, *timeout;
	bool timed_out;
	uint64_t bytes; // of batches so far
};

struct compiler {
	struct event_base *base;
	unsigned timeout_ms;
	unsigned child_count;
	struct child child[CHILDREN_MAX];
	struct compiler_job *first, **last; // waiting
};

static void compiler_dispatch(struct compiler *compiler);

extern char **environ;

// Post: 0 or -errno. The child is this program again, so that both agree on every layout, whatever
// was installed meanwhile.
static int child_spawn(struct child *child)
{
	static char name[] = "np-compiler", argument[] = COMPILER_ARGUMENT;
	// malloc() asks for huge pages, where the system gives them (glibc 2.35).
	static char huge_pages[] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
	char *argv[] = {name, argument, NULL}, *envp[] = {huge_pages, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int pair[2], rc;
	sigset_t none, all;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	// dup2 onto itself clears close-on-exec too (POSIX, since glibc 2.29).
	rc = posix_spawn_file_actions_adddup2(&actions, pair[1], COMPILER_SOCKET);
	if (rc == 0)
		rc = posix_spawn(&child->pid, "/proc/self/exe", &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		child->pid = 0;
		return -rc;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	child->socket = pair[0];
	child->image = -1;
	child->bytes = 0;
	child->timed_out = false;
	return 0;
}

// Ends the child whatever it does. Post: its wait status.
static int child_end(struct child *child)
{
	int status = 0;

	if (child->readable != NULL)
		event_free(child->readable);
	child->readable = NULL;
	event_del(child->timeout);
	close(child->socket);
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	return status;
}

static void job_finish(struct child *child, int fd, uint64_t used, const char *error)
{
	struct compiler_job *job = child->job;

	child->job = NULL;
	if (fd < 0)
		close(child->image);
	child->image = -1;
	job->done(job, fd, used, error);
}

// A machine that is starved for a while is no reason for a zone to wait for its next retry, which
// may be an hour. Another child has a try, in its turn; once, because the records may be what kills
// it.
static bool job_again(struct child *child, const char *error)
{
	struct compiler *compiler = child->compiler;
	struct compiler_job *job = child->job;

	if (++job->tries >= COMPILER_TRIES)
		return false;
	log_warning("%s Another one has a try.", error);
	close(child->image);
	child->image = -1;
	child->job = NULL;
	job->next = NULL;
	*compiler->last = job;
	compiler->last = &job->next;
	return true;
}

// The child went away before it answered.
static void child_failed(struct child *child)
{
	bool timed_out = child->timed_out;
	char error[COMPILE_ERROR_MAX];
	int status;

	// Let one that is exiting leave its own status: a crash is told as such.
	if (!timed_out) {
		struct timespec grace = {.tv_nsec = 1000000};

		for (int i = 0; i < 50; i++) {
			siginfo_t info = {0};

			if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) <
			        0 ||
			    info.si_pid != 0)
				break;
			nanosleep(&grace, NULL);
		}
	}
	status = child_end(child);
	if (child->job == NULL)
		return;
	if (timed_out)
		snprintf(error, sizeof(error), "The compiler took too long and was stopped.");
	else if (WIFSIGNALED(status))
		snprintf(
		    error, sizeof(error), "The compiler crashed: %s.", strsignal(WTERMSIG(status)));
	else
		snprintf(
		    error, sizeof(error), "The compiler ended with code %d.", WEXITSTATUS(status));
	if (!job_again(child, error))
		job_finish(child, -1, 0, error);
}

static void child_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	struct compiler *compiler = child->compiler;
	struct compiler_reply reply;
	ssize_t n = recv(fd, &reply, sizeof(reply), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(reply) || child->job == NULL) {
		child_failed(child);
		compiler_dispatch(compiler);
		return;
	}
	event_del(child->timeout);
	if (reply.rc != 0)
		reply.error[sizeof(reply.error) - 1] = '\0';
	else
		memcpy(child->job->sizes, reply.sizes, sizeof(reply.sizes));
	// Before the job's owner may submit the next one.
	if (child->bytes >= BYTES_PER_CHILD)
		child_end(child);
	if (reply.rc == 0)
		job_finish(child, child->image, reply.used, NULL);
	else
		job_finish(child, -1, 0, reply.error);
	compiler_dispatch(compiler);
}

static void child_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	struct compiler *compiler = child->compiler;

	child->timed_out = true;
	child_failed(child);
	compiler_dispatch(compiler);
}

static int child_start(struct child *child)
{
	int rc = child_spawn(child);

	if (rc < 0)
		return rc;
	child->readable = event_new(
	    child->compiler->base, child->socket, EV_READ | EV_PERSIST, child_readable, child);
	if (child->readable == NULL || event_add(child->readable, NULL) < 0) {
		child_end(child);
		return -ENOMEM;
	}
	return 0;
}

static int request_send(struct child *child, const struct compiler_job *job)
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct compiler_request request = {.batch_size = job->batch_size,
	    .image_cap = job->batch_size * IMAGE_CAP_FACTOR + IMAGE_CAP_LEAST,
	    .options = job->options,
	    .count = job->count,
	    .images_at = job->images_at};
	struct iovec iov = {.iov_base = &request, .iov_len = sizeof(request)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	const int fds[2] = {job->batch, child->image};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	if (request.image_cap > IMAGE_SIZE_MAX)
		request.image_cap = IMAGE_SIZE_MAX;
	return sendmsg(child->socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int job_start(struct child *child, struct compiler_job *job)
{
	const uint64_t millions = job->batch_size / BATCH_PER_MILLION + 1;
	const uint64_t ms =
	    child->compiler->timeout_ms * millions * (job->tries > 0 ? COMPILER_PATIENCE : 1);
	const struct timeval timeout = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
	int rc = 0;

	if (child->pid == 0)
		rc = child_start(child);
	if (rc < 0)
		return rc;
	child->image = memfd_create("np-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (child->image < 0)
		return -errno;
	rc = request_send(child, job);
	if (rc < 0) {
		close(child->image);
		child->image = -1;
		child_end(child);
		return rc;
	}
	child->job = job;
	child->bytes += job->batch_size;
	event_add(child->timeout, &timeout);
	return 0;
}

// The first job that waits for a child like this one. Post: it is out of the list; or NULL.
static struct compiler_job *job_take(struct compiler *compiler, bool light_only)
{
	for (struct compiler_job **at = &compiler->first; *at != NULL; at = &(*at)->next) {
		struct compiler_job *job = *at;

		if (job->heavy && light_only)
			continue;
		*at = job->next;
		if (job->next == NULL)
			compiler->last = at;
		return job;
	}
	return NULL;
}

static void compiler_dispatch(struct compiler *compiler)
{
	for (unsigned i = 0; i < compiler->child_count && compiler->first != NULL; i++) {
		struct child *child = &compiler->child[i];
		struct compiler_job *job;
		int rc;

		if (child->job != NULL)
			continue;
		job = job_take(compiler, i == 0 && compiler->child_count > 1);
		if (job == NULL)
			continue;
		rc = job_start(child, job);
		if (rc == -EPIPE || rc == -ECONNRESET) // an idle child had died: once more, afresh
			rc = job_start(child, job);
		if (rc < 0) {
			char error[128];

			snprintf(error, sizeof(error), "The compiler cannot be started: %s.",
			    strerror(-rc));
			job->done(job, -1, 0, error);
		}
	}
}

struct compiler *compiler_open(struct event_base *base, unsigned children, unsigned timeout_ms)
{
	struct compiler *compiler = calloc(1, sizeof(*compiler));

	if (compiler == NULL)
		return NULL;
	compiler->base = base;
	compiler->timeout_ms = timeout_ms;
	compiler->child_count = children < CHILDREN_MAX ? children : CHILDREN_MAX;
	compiler->last = &compiler->first;
	for (unsigned i = 0; i < compiler->child_count; i++) {
		struct child *child = &compiler->child[i];

		child->compiler = compiler;
		child->image = -1;
		child->timeout = evtimer_new(base, child_timeout, child);
		if (child->timeout == NULL) {
			compiler_close(compiler);
			return NULL;
		}
	}
	// One is ready before the first zone asks; a failure shows when it does.
	if (compiler->child_count > 0)
		(void)child_start(&compiler->child[0]);
	return compiler;
}

void compiler_close(struct compiler *compiler)
{
	if (compiler == NULL)
		return;
	for (unsigned i = 0; i < compiler->child_count; i++) {
		struct child *child = &compiler->child[i];

		if (child->timeout == NULL)
			continue;
		if (child->pid != 0)
			child_end(child);
		if (child->job != NULL)
			job_finish(child, -1, 0, CLOSING);
		event_free(child->timeout);
	}
	while (compiler->first != NULL) {
		struct compiler_job *job = job_take(compiler, false);

		job->done(job, -1, 0, CLOSING);
	}
	free(compiler);
}

void compiler_submit(struct compiler *compiler, struct compiler_job *job)
{
	job->next = NULL;
	*compiler->last = job;
	compiler->last = &job->next;
	compiler_dispatch(compiler);
}

size_t compiler_children(const struct compiler *compiler, int *pids, size_t cap)
{
	size_t count = 0;

	for (unsigned i = 0; i < compiler->child_count && count < cap; i++)
		if (compiler->child[i].pid != 0)
			pids[count++] = compiler->child[i].pid;
	return count;
}
