// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY out (see notifier.h). A target is an address that something has to be told to, with one
// connected socket, so that the kernel drops what others send. A notice is a zone and a target.
#include "notifier.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "address.h"
#include "notice.h"
#include "provider.h"
#include "reading.h"
#include "timers.h"

#define DATAGRAMS_PER_TURN 64
#define NOTICES_PER_TURN   256
#define BUCKETS            4096

struct target {
	LIST_ENTRY(target) link;
	struct notifier *notifier;
	struct sockaddr_storage remote, local;
	socklen_t remote_len, local_len; // local_len 0: any
	int fd;                          // -1: not open yet
	struct event *io;
	TAILQ_HEAD(, notice) sent, waiting;
	size_t sent_count, waiting_count;
};

struct notice {
	TAILQ_ENTRY(notice) link; // of the target's
	struct notice *next;      // of the same bucket
	struct timer timer;       // of the next try
	struct target *target;
	struct tsig_key *key; // a reference, or NULL
	struct notice_sent sent;
	unsigned tries; // 0: it waits
	char *error;    // what the last reply was; NULL: there was none
	uint8_t apex_len;
	uint8_t apex[];
};

struct notifier {
	struct event_base *base;
	struct provider_ops ops;
	struct provide_counters *counters;
	struct event *deadline;
	struct timers timers;
	LIST_HEAD(, target) targets; // a handful: those that something is told to now
	struct notice *buckets[BUCKETS];
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void notifier_arm(struct notifier *notifier)
{
	struct timer *first = timers_first(&notifier->timers);

	if (first == NULL || first->at_ms == INT64_MAX) {
		event_del(notifier->deadline);
		return;
	}
	int64_t wait = first->at_ms - mono_ms();

	wait = wait < 0 ? 0 : wait;
	struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000};

	(void)event_add(notifier->deadline, &tv); // a new notice tries again
}

// --- targets
// ----------------------------------------------------------------------------------------

static void target_drop(struct target *target)
{
	LIST_REMOVE(target, link);
	if (target->io != NULL) {
		event_free(target->io);
	}
	if (target->fd >= 0) {
		close(target->fd);
	}
	free(target);
}

static struct target *target_for(
    struct notifier *notifier, const struct config_remote *remote, size_t index)
{
	const struct config_address *address = &remote->addresses[index];
	struct sockaddr_storage local = {0};
	socklen_t local_len = 0;
	struct target *target;

	if (remote->via.addr_len > 0 && remote->via.addr.ss_family == address->addr.ss_family) {
		local = remote->via.addr;
		local_len = remote->via.addr_len;
		address_port_clear(&local);
	}
	LIST_FOREACH(target, &notifier->targets, link)
	{
		if (target->remote_len == address->addr_len && target->local_len == local_len &&
		    memcmp(&target->remote, &address->addr, address->addr_len) == 0 &&
		    memcmp(&target->local, &local, local_len) == 0) {
			return target;
		}
	}
	target = calloc(1, sizeof(*target));
	if (target == NULL) {
		return NULL;
	}
	target->notifier = notifier;
	target->fd = -1;
	target->remote = address->addr;
	target->remote_len = address->addr_len;
	target->local = local;
	target->local_len = local_len;
	TAILQ_INIT(&target->sent);
	TAILQ_INIT(&target->waiting);
	LIST_INSERT_HEAD(&notifier->targets, target, link);
	return target;
}

static void target_readable(evutil_socket_t fd, short what, void *arg);

// Post: false when it cannot be reached now; it will be tried again.
static bool target_open(struct target *target)
{
	if (target->fd >= 0) {
		return true;
	}
	target->fd = socket(target->remote.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (target->fd >= 0 &&
	    (target->local_len == 0 || bind(target->fd, (const struct sockaddr *)&target->local,
	                                   target->local_len) == 0) &&
	    connect(target->fd, (const struct sockaddr *)&target->remote, target->remote_len) ==
	        0) {
		target->io = event_new(target->notifier->base, target->fd, EV_READ | EV_PERSIST,
		    target_readable, target);
		if (target->io != NULL && event_add(target->io, NULL) == 0) {
			return true;
		}
	}
	if (target->io != NULL) {
		event_free(target->io);
		target->io = NULL;
	}
	if (target->fd >= 0) {
		close(target->fd);
		target->fd = -1;
	}
	return false;
}

// --- notices
// ----------------------------------------------------------------------------------------

static struct notice **bucket_of(struct notifier *notifier, const uint8_t *apex, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037); // the operator's zones: nobody's weapon

	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ apex[i]) * UINT64_C(1099511628211);
	}
	return &notifier->buckets[(hash ^ hash >> 32) & (BUCKETS - 1)];
}

static struct notice *notice_find(
    struct notifier *notifier, const struct target *target, const uint8_t *apex, size_t len)
{
	struct notice *notice = *bucket_of(notifier, apex, len);

	while (notice != NULL && (notice->target != target || notice->apex_len != len ||
	                             memcmp(notice->apex, apex, len) != 0)) {
		notice = notice->next;
	}
	return notice;
}

static void notice_drop(struct notice *notice)
{
	struct target *target = notice->target;
	struct notifier *notifier = target->notifier;
	struct notice **at = bucket_of(notifier, notice->apex, notice->apex_len);

	while (*at != notice) {
		at = &(*at)->next;
	}
	*at = notice->next;
	timers_remove(&notifier->timers, &notice->timer);
	if (notice->tries > 0) {
		TAILQ_REMOVE(&target->sent, notice, link);
		target->sent_count--;
	} else {
		TAILQ_REMOVE(&target->waiting, notice, link);
		target->waiting_count--;
	}
	tsig_key_unref(notice->key);
	free(notice->error);
	free(notice);
}

static void notice_fail(struct notice *notice)
{
	struct notifier *notifier = notice->target->notifier;
	char address[ADDRESS_TEXT_MAX], text[256];

	notifier->counters->out_notify_failed++;
	snprintf(text, sizeof(text), "NOTIFY to %s is given up: %s",
	    address_text((const struct sockaddr *)&notice->target->remote, address),
	    notice->error != NULL ? notice->error : "no answer");
	notifier->ops.log(notifier->ops.log_ctx, notice->apex, text);
	notice_drop(notice);
}

// Sends it, or as good as: what does not go out is like what is lost. Post: false when there is
// nothing to tell, and the notice is gone.
static bool notice_send(struct notice *notice)
{
	struct target *target = notice->target;
	struct notifier *notifier = target->notifier;
	uint8_t message[NOTICE_MESSAGE_MAX];
	struct record soa;
	struct reading reading;
	int rc = notifier->ops.peek(notifier->ops.ctx, notice->apex, &reading);

	if (rc < 0 && rc != -EAGAIN) { // the zone has gone or expired: nothing to tell any more
		notice_drop(notice);
		return false;
	}
	size_t len =
	    notice_write(notice->apex, rc == 0 && version_soa(&reading.version, &soa) ? &soa : NULL,
	        notice->key, (uint16_t)arc4random(), (uint64_t)time(NULL), message, &notice->sent);

	reading_close(&reading);
	notifier->counters->out_notify_sent++;
	if (len > 0 && target_open(target)) {
		(void)send(target->fd, message, len, MSG_NOSIGNAL);
	}
	int64_t wait = (int64_t)NOTIFIER_FIRST_MS << (notice->tries - 1);

	// In the heap since it was made: cannot fail.
	(void)timers_set(&notifier->timers, &notice->timer,
	    mono_ms() + (wait < NOTIFIER_LONGEST_MS ? wait : NOTIFIER_LONGEST_MS));
	return true;
}

// Begins what waits, as far as the limit allows; a target with nothing left is dropped.
static void target_go_on(struct target *target)
{
	struct notice *notice;

	for (unsigned i = 0; target->sent_count < NOTIFIER_AT_ONCE &&
	                     (notice = TAILQ_FIRST(&target->waiting)) != NULL;
	     i++) {
		if (i == NOTICES_PER_TURN) { // many had nothing to tell
			(void)timers_set(&target->notifier->timers, &notice->timer, 0);
			return;
		}
		TAILQ_REMOVE(&target->waiting, notice, link);
		target->waiting_count--;
		notice->tries = 1;
		TAILQ_INSERT_TAIL(&target->sent, notice, link);
		target->sent_count++;
		(void)notice_send(notice);
	}
	if (target->sent_count == 0 && target->waiting_count == 0) {
		target_drop(target);
	}
}

static void notice_take(struct target *target, const uint8_t *msg, size_t len)
{
	struct provide_counters *counters = target->notifier->counters;
	char error[NOTICE_ERROR_MAX];
	struct notice *notice;

	TAILQ_FOREACH(notice, &target->sent, link)
	{ // NOTIFIER_AT_ONCE
		switch (notice_reply(notice->apex, notice->key, &notice->sent, (uint64_t)time(NULL),
		    msg, len, error)) {
		case NOTICE_NOT_OURS:
			break;
		case NOTICE_CONFIRMED:
			counters->out_notify_acked++;
			notice_drop(notice);
			return;
		case NOTICE_REFUSED: // it may be about to learn of the zone
			free(notice->error);
			notice->error = strdup(error);
			return;
		}
	}
}

static void target_readable(evutil_socket_t fd, short what, void *arg)
{
	struct target *target = arg;
	struct notifier *notifier = target->notifier;
	uint8_t msg[NOTICE_MESSAGE_MAX];

	(void)what;
	for (unsigned i = 0; i < DATAGRAMS_PER_TURN; i++) {
		ssize_t n = recv(fd, msg, sizeof(msg), 0);

		if (n < 0) { // nothing there, or a port is closed: the next try will show
			break;
		}
		notice_take(target, msg, (size_t)n);
	}
	target_go_on(target);
	notifier_arm(notifier);
}

static void deadline_reached(evutil_socket_t fd, short what, void *arg)
{
	struct notifier *notifier = arg;
	int64_t now_ms = mono_ms();
	struct timer *first;

	(void)fd;
	(void)what;
	for (unsigned i = 0;
	     i < NOTICES_PER_TURN && (first = timers_first(&notifier->timers)) != NULL &&
	     first->at_ms <= now_ms;
	     i++) {
		struct notice *notice =
		    (struct notice *)(void *)((char *)first - offsetof(struct notice, timer));
		struct target *target = notice->target;

		if (notice->tries > 0 && notice->tries < NOTIFIER_TRIES) {
			notice->tries++;
			(void)notice_send(notice);
		} else if (notice->tries > 0) {
			notice_fail(notice);
		} else { // it was told of from within a publication
			(void)timers_set(&notifier->timers, &notice->timer, INT64_MAX);
		}
		target_go_on(target);
	}
	notifier_arm(notifier);
}

static void tell_one(
    struct notifier *notifier, const uint8_t *apex, struct target *target, struct tsig_key *key)
{
	const size_t len = name_len(apex);
	struct notice *notice = notice_find(notifier, target, apex, len);

	// One that is under way begins anew: its first answer was about another version.
	if (notice != NULL && notice->tries > 0) {
		notice_drop(notice);
		notice = NULL;
	}
	if (notice != NULL || target->waiting_count >= NOTIFIER_WAITING) {
		notifier->counters->out_notify_failed += notice == NULL;
		return;
	}
	notice = calloc(1, sizeof(*notice) + len);
	// At once, but from the loop: other zones of this turn come with it.
	if (notice == NULL || timers_set(&notifier->timers, &notice->timer, mono_ms()) != 0) {
		free(notice);
		notifier->counters->out_notify_failed++;
		return;
	}
	struct notice **bucket = bucket_of(notifier, apex, len);

	notice->target = target;
	notice->key = tsig_key_ref(key);
	notice->apex_len = (uint8_t)len;
	memcpy(notice->apex, apex, len);
	notice->next = *bucket;
	*bucket = notice;
	TAILQ_INSERT_TAIL(&target->waiting, notice, link);
	target->waiting_count++;
}

void notifier_tell(struct notifier *notifier, const uint8_t *apex,
    const struct config_remote *remote, struct tsig_key *key)
{
	for (size_t i = 0; i < remote->address_count; i++) {
		struct target *target = target_for(notifier, remote, i);

		if (target == NULL) {
			notifier->counters->out_notify_failed++;
			continue;
		}
		tell_one(notifier, apex, target, key);
		if (target->sent_count == 0 && target->waiting_count == 0) {
			target_drop(target);
		}
	}
	notifier_arm(notifier);
}

struct notifier *notifier_open(
    struct event_base *base, const struct provider_ops *ops, struct provide_counters *counters)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));

	if (notifier == NULL) {
		return NULL;
	}
	notifier->base = base;
	notifier->ops = *ops;
	notifier->counters = counters;
	LIST_INIT(&notifier->targets);
	notifier->deadline = event_new(base, -1, 0, deadline_reached, notifier);
	if (notifier->deadline == NULL) {
		notifier_close(notifier);
		return NULL;
	}
	return notifier;
}

void notifier_close(struct notifier *notifier)
{
	if (notifier == NULL) {
		return;
	}
	while (!LIST_EMPTY(&notifier->targets)) {
		struct target *target = LIST_FIRST(&notifier->targets);

		while (!TAILQ_EMPTY(&target->sent)) {
			notice_drop(TAILQ_FIRST(&target->sent));
		}
		while (!TAILQ_EMPTY(&target->waiting)) {
			notice_drop(TAILQ_FIRST(&target->waiting));
		}
		target_drop(target);
	}
	if (notifier->deadline != NULL) {
		event_free(notifier->deadline);
	}
	timers_free(&notifier->timers);
	free(notifier);
}
