// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One worker thread and its two queues; see offload.h.
#include "offload.h"

#include <event2/event.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAKE_TRIES 8

struct queue {
	struct offload_job *first, **last;
};

struct offload {
	pthread_t thread;
	pthread_mutex_t lock; // of the fields below it
	pthread_cond_t wake;
	struct queue waiting;  // loop: in, thread: out
	struct queue finished; // thread: in, loop: out
	bool stop, running;
	pthread_cond_t idle; // nothing waits, nothing runs
	int notify;          // eventfd: `finished` is not empty
	struct event *event;
};

static void queue_put(struct queue *queue, struct offload_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct offload_job *queue_take(struct queue *queue)
{
	struct offload_job *job = queue->first;

	if (job == NULL)
		return NULL;
	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	return job;
}

// The counter cannot overflow: the loop resets it before it looks at the queue. So nothing is known
// that could fail here; if something does, once is no reason to end, and a loop that is never woken
// is.
static void loop_wake(struct offload *offload)
{
	const uint64_t one = 1;

	for (int i = 0; i < WAKE_TRIES; i++)
		if (write(offload->notify, &one, sizeof(one)) == sizeof(one))
			return;
	abort();
}

static void *offload_main(void *arg)
{
	struct offload *offload = arg;

	pthread_mutex_lock(&offload->lock);
	for (;;) {
		struct offload_job *job;

		while (offload->waiting.first == NULL && !offload->stop)
			pthread_cond_wait(&offload->wake, &offload->lock);
		if (offload->stop)
			break;
		job = queue_take(&offload->waiting);
		offload->running = true;
		pthread_mutex_unlock(&offload->lock);
		job->run(job);
		pthread_mutex_lock(&offload->lock);
		queue_put(&offload->finished, job);
		offload->running = false;
		if (offload->waiting.first == NULL)
			pthread_cond_signal(&offload->idle);
		loop_wake(offload);
	}
	pthread_mutex_unlock(&offload->lock);
	return NULL;
}

static void finished_done(struct offload *offload)
{
	for (;;) {
		struct offload_job *job;

		pthread_mutex_lock(&offload->lock);
		job = queue_take(&offload->finished);
		pthread_mutex_unlock(&offload->lock);
		if (job == NULL)
			return;
		job->done(job);
	}
}

static void offload_finished(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count)); // nothing: offload_run() woke us
	finished_done(arg);
}

void offload_drain(struct offload *offload)
{
	pthread_mutex_lock(&offload->lock);
	while (offload->waiting.first != NULL || offload->running)
		pthread_cond_wait(&offload->idle, &offload->lock);
	pthread_mutex_unlock(&offload->lock);
	finished_done(offload);
}

struct offload *offload_open(struct event_base *base, const char *name)
{
	struct offload *offload = calloc(1, sizeof(*offload));
	sigset_t all, before;
	int rc;

	if (offload == NULL)
		return NULL;
	offload->waiting.last = &offload->waiting.first;
	offload->finished.last = &offload->finished.first;
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->wake, NULL);
	pthread_cond_init(&offload->idle, NULL);
	offload->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (offload->notify < 0)
		goto free;
	offload->event =
	    event_new(base, offload->notify, EV_READ | EV_PERSIST, offload_finished, offload);
	if (offload->event == NULL || event_add(offload->event, NULL) < 0)
		goto close;
	sigfillset(&all); // signals are the loop's
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&offload->thread, NULL, offload_main, offload);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		goto close;
	pthread_setname_np(offload->thread, name);
	return offload;
close:
	if (offload->event != NULL)
		event_free(offload->event);
	close(offload->notify);
free:
	free(offload);
	return NULL;
}

void offload_close(struct offload *offload)
{
	struct offload_job *job;

	if (offload == NULL)
		return;
	pthread_mutex_lock(&offload->lock);
	offload->stop = true;
	pthread_cond_signal(&offload->wake);
	pthread_mutex_unlock(&offload->lock);
	pthread_join(offload->thread, NULL);
	while ((job = queue_take(&offload->finished)) != NULL ||
	       (job = queue_take(&offload->waiting)) != NULL)
		job->done(job);
	event_free(offload->event);
	close(offload->notify);
	pthread_cond_destroy(&offload->wake);
	pthread_cond_destroy(&offload->idle);
	pthread_mutex_destroy(&offload->lock);
	free(offload);
}

void offload_submit(struct offload *offload, struct offload_job *job)
{
	pthread_mutex_lock(&offload->lock);
	queue_put(&offload->waiting, job);
	pthread_cond_signal(&offload->wake);
	pthread_mutex_unlock(&offload->lock);
}

void offload_run(struct offload *offload, struct offload_job *job)
{
	job->run(job);
	pthread_mutex_lock(&offload->lock);
	queue_put(&offload->finished, job);
	pthread_mutex_unlock(&offload->lock);
	event_active(offload->event, EV_READ, 0);
}
