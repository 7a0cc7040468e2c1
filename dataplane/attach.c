// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The attach thread's loop: socket in, publications applied, one grace period for all that changed
// in a turn, then the answers out. Nothing here is on a worker's way; what takes long (verifying a
// large image or a parcel) is done by the verifier threads meanwhile.

#include "attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "attach_private.h"
#include "boot.h"
#include "dataplane.h"
#include "heap.h"
#include "log.h"

#define EXPIRY_EVERY_MS 1000
#define MESSAGES_A_TURN 256 // of the seam; one grace period is for all of them

int64_t attach_mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int64_t attach_wall_s(void)
{
	return time(NULL);
}

// The wall clock, once the expiry of all zones is known to go with it.
static int64_t wall_checked_s(struct attach *attach)
{
	struct timespec boot;
	int64_t wall_s = attach_wall_s(), set;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	set = served_clock(&attach->served, wall_s, boot.tv_sec);
	if (set != 0)
		log_warning(
		    "the clock was set by %+lld s; no zone expires by that.", (long long)set);
	return wall_s;
}

// --- the connection
// -------------------------------------------------------------------------------

static void connection_lost(struct attach *attach, const char *why)
{
	log_warning("control plane: %s; what is live goes on being served.", why);
	link_drop(&attach->link, attach_mono_ms()); // closing takes the socket out of epoll
	atomic_store_explicit(&attach->connected, false, memory_order_relaxed);
	attach->greeting = false;
	attach->asks = 0;
	attach->served.cursor = 0;
	staged_drop(attach);
	forward_lost(attach);
}

// Reads or writes are wanted according to the state.
static void link_watch(struct attach *attach)
{
	bool write = attach->link.count > 0;
	bool read = !attach->greeting && publish_has_room(attach);
	struct epoll_event event = {
	    .events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u), .data.fd = attach->link.fd};

	if (attach->link.fd < 0 || event.events == attach->watched)
		return;
	if (epoll_ctl(attach->epoll_fd, EPOLL_CTL_MOD, attach->link.fd, &event) == 0)
		attach->watched = event.events;
}

static void greet(struct attach *attach)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = attach->link.fd};
	struct seam_message *message = link_put(&attach->link, SEAM_HELLO);
	const struct counters *counters = attach->dataplane->counters;

	message->generation = attach->served.generation_max;
	message->hello.protocol = SEAM_PROTOCOL;
	message->hello.pid = (uint32_t)getpid();
	message->hello.boot_id = attach->boot_id;
	if (attach->served.count > 0)
		memcpy(message->hello.hash_key, zone_table_key(attach->served.table)->k,
		    sizeof(message->hello.hash_key));
	if (counters != NULL) {
		message = link_put_fd(&attach->link, SEAM_COUNTERS, counters_fd(counters));
		message->counters.size = counters_size(counters);
	}
	attach->greeting = true;
	attach->served.cursor = 0;
	attach->watched = EPOLLIN;
	if (epoll_ctl(attach->epoll_fd, EPOLL_CTL_ADD, attach->link.fd, &event) != 0)
		connection_lost(attach, "out of memory");
}

// What is served, told zone by zone. Post: true when there is more to do at once.
static bool greet_advance(struct attach *attach)
{
	struct served *served = &attach->served;

	if (!attach->greeting)
		return false;
	while (served->cursor < served->count && link_room(&attach->link) > 1) {
		struct served_zone *zone = &served->zones[served->cursor++];
		struct stored_version *version = served_version(zone);
		struct seam_message *message = link_put(&attach->link, SEAM_HAVE);

		message->generation = version->generation;
		message->zone.name.len = zone->entry->apex_len;
		memcpy(message->zone.name.wire, zone->entry->apex, zone->entry->apex_len);
		message->zone.serial = version_header(&version->version)->serial;
		message->zone.expires_at = zone->expiry.at;
		message->zone.grace_s = zone->expiry.grace_s;
		message->zone.id = version_header(&version->version)->id;
	}
	if (served->cursor < served->count || link_room(&attach->link) == 0)
		return false; // goes on when the socket takes more
	link_put(&attach->link, SEAM_HELLO_END);
	served->cursor = 0;
	attach->greeting = false;
	atomic_store_explicit(&attach->connected, true, memory_order_relaxed);
	log_info("control plane: connected.");
	return true;
}

// Takes over fd. Post: 0 or -EPROTO.
static int handle(struct attach *attach, const struct seam_message *message, int fd)
{
	if (message->type != SEAM_PUBLISH && message->type != SEAM_FORWARD_REPLY)
		staged_drop(attach);
	switch (message->type) {
	case SEAM_PUBLISH:
		return publish_message(attach, message, fd);
	case SEAM_PARCEL:
		return parcel_message(attach, message, fd);
	case SEAM_WITHDRAW:
		withdraw_message(attach, message);
		return 0;
	case SEAM_RENEW:
		renew_message(attach, message);
		return 0;
	case SEAM_ASK:
		return ask_message(attach, message);
	case SEAM_FORWARD_REPLY:
		forward_reply_message(attach, message);
		return 0;
	default: // ours to say, not theirs
		if (fd >= 0)
			close(fd);
		return -EPROTO;
	}
}

static void link_read(struct attach *attach)
{
	struct seam_message message;
	int fd, ret = 0;

	for (unsigned i = 0; i < MESSAGES_A_TURN && publish_has_room(attach); i++) {
		ret = seam_receive(attach->link.fd, &message, &fd);
		if (ret == 0)
			ret = handle(attach, &message, fd);
		if (ret != 0)
			break;
	}
	if (ret == 0 || ret == -EAGAIN)
		return;
	connection_lost(attach, ret == -ECONNRESET ? "gone" : strerror(-ret));
}

// --- the loop
// -------------------------------------------------------------------------------------

static void expiry_check(struct attach *attach, int64_t now_ms)
{
	size_t stale, expired;

	if (now_ms < attach->expiry_at_ms)
		return;
	attach->expiry_at_ms = now_ms + EXPIRY_EVERY_MS;
	served_expire(&attach->served, wall_checked_s(attach), &stale, &expired);
	if (stale > 0)
		log_warning(
		    "%zu zones are past their expire: served as stale, by their grace.", stale);
	if (expired > 0)
		log_warning("%zu zones have expired: SERVFAIL until they are renewed.", expired);
}

// The clock of those that may not read one.
static void now_tell(struct attach *attach)
{
	atomic_store_explicit(
	    &attach->dataplane->now, (uint32_t)attach_wall_s(), memory_order_relaxed);
}

static int wait_ms(const struct attach *attach, int64_t now_ms)
{
	int64_t until = attach->expiry_at_ms;

	if (attach->link.fd < 0 && attach->link.retry_at_ms < until)
		until = attach->link.retry_at_ms;
	return until > now_ms ? (int)(until - now_ms) : 0;
}

static void events_take(struct attach *attach, int timeout_ms)
{
	struct epoll_event events[8];
	int n = epoll_wait(attach->epoll_fd, events, 8, timeout_ms);

	(void)wall_checked_s(attach); // what is read now may have been reckoned with a new one

	for (int i = 0; i < n; i++) {
		eventfd_t value;

		if (events[i].data.fd == attach->wake_fd)
			(void)eventfd_read(attach->wake_fd, &value);
		else if (events[i].data.fd == attach->link.fd && !attach->greeting &&
		         (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			link_read(attach);
		else if (events[i].data.fd == attach->link.fd &&
		         (events[i].events & (EPOLLHUP | EPOLLERR)) != 0)
			connection_lost(attach, "gone");
	}
}

static bool has_work(const struct attach *attach)
{
	return attach->greeting || attach->asks > 0 || attach->applying != NULL;
}

static void *attach_main(void *arg)
{
	struct attach *attach = arg;
	bool more = false;

	while (!atomic_load_explicit(&attach->stop, memory_order_relaxed)) {
		int64_t now_ms = attach_mono_ms();
		int ret = 0;

		events_take(attach, more ? 0 : wait_ms(attach, now_ms));
		now_ms = attach_mono_ms();
		now_tell(attach);
		if (link_connect(&attach->link, now_ms))
			greet(attach);
		more = publish_advance(attach);
		more |= greet_advance(attach);
		more |= ask_advance(attach);
		forward_advance(attach, now_ms);
		expiry_check(attach, now_ms);

		// Swapped above; wait for the readers, free the old, only then tell.
		served_reclaim(&attach->served);
		if (attach->link.fd >= 0)
			ret = link_flush(&attach->link);
		if (ret != 0)
			connection_lost(attach, strerror(-ret));
		link_watch(attach);
		// What was left undone for want of room in the queue goes on now, or when the
		// socket takes more.
		if (has_work(attach) && link_room(&attach->link) >= LINK_QUEUE / 2)
			more = true;
	}
	return NULL;
}

static int watch(struct attach *attach, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(attach->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void attach_free(struct attach *attach)
{
	verifier_stop(&attach->images);
	verifier_stop(&attach->parcels);
	job_free(attach->applying);
	staged_drop(attach);
	if (attach->link.fd >= 0)
		close(attach->link.fd);
	served_close(&attach->served);
	atomic_store(&attach->dataplane->table, NULL);
	if (attach->epoll_fd >= 0)
		close(attach->epoll_fd);
	if (attach->wake_fd >= 0)
		close(attach->wake_fd);
	pthread_mutex_destroy(&attach->inbox.mutex);
	free(attach->ask_buffer);
	heap_table_free(attach, sizeof(*attach));
}

static int attach_open(struct attach *attach)
{
	const struct config *config = attach->dataplane->config;
	int ret;

	attach->ask_buffer = malloc(DNS_TCP_MAX + DNS_WRITE_SLACK + 1);
	attach->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	attach->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (attach->ask_buffer == NULL)
		return -ENOMEM;
	if (attach->epoll_fd < 0 || attach->wake_fd < 0)
		return -errno;
	ret = link_open(&attach->link, config->server.rundir);
	if (ret == 0)
		ret = watch(attach, attach->wake_fd);
	if (ret == 0 && attach->dataplane->forward != NULL)
		ret = watch(attach, forward_fd(attach->dataplane->forward));
	if (ret == 0)
		ret = verifier_start(&attach->images, "np-verify", attach->wake_fd);
	if (ret == 0)
		ret = verifier_start(&attach->parcels, "np-parcels", attach->wake_fd);
	return ret;
}

int attach_start(struct dataplane *dataplane, struct attach **out)
{
	struct attach *attach = heap_table(sizeof(*attach)); // room for messages that wait
	int ret;

	if (attach == NULL)
		return -ENOMEM;
	attach->dataplane = dataplane;
	attach->link.fd = attach->epoll_fd = attach->wake_fd = -1;
	pthread_mutex_init(&attach->inbox.mutex, NULL);
	if (getrandom(&attach->boot_id, sizeof(attach->boot_id), 0) < 0)
		attach->boot_id = (uint64_t)getpid();
	ret = boot_load(&attach->served, &dataplane->table, dataplane->config->server.storage);
	if (ret != 0) {
		pthread_mutex_destroy(&attach->inbox.mutex);
		heap_table_free(attach, sizeof(*attach));
		return ret;
	}
	ret = attach_open(attach);
	now_tell(attach);
	if (ret == 0)
		ret = -pthread_create(&attach->thread, NULL, attach_main, attach);
	if (ret != 0) {
		log_error("attach: %s", strerror(-ret));
		attach_free(attach);
		return ret;
	}
	pthread_setname_np(attach->thread, "np-attach");
	dataplane->attach = attach;
	*out = attach;
	return 0;
}

void attach_stop(struct attach *attach)
{
	if (attach == NULL)
		return;
	atomic_store_explicit(&attach->stop, true, memory_order_relaxed);
	(void)eventfd_write(attach->wake_fd, 1);
	pthread_join(attach->thread, NULL);
	attach->dataplane->attach = NULL;
	attach_free(attach);
}
