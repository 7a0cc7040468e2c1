// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY and TSIG-signed messages: from workers (forward.h) and TCP threads (attach.h) to the
// control plane, and its answers back. Attach thread, but attach_forward_put(). The table of those
// that wait is bounded and each waits a bounded time; whatever finds no room is dropped, and the
// client asks again.

#include "attach_private.h"

#include <string.h>
#include <sys/eventfd.h>

#include "dataplane.h"

#define INBOX_MAX (sizeof(((struct forward_inbox *)NULL)->items) / sizeof(struct attach_forward))

bool attach_forward_put(struct attach *attach, const struct attach_forward *forward)
{
	struct forward_inbox *inbox = &attach->inbox;
	bool taken = false;

	if (!atomic_load_explicit(&attach->connected, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&inbox->mutex);
	if (inbox->count < INBOX_MAX && !inbox->closed) {
		inbox->items[(inbox->head + inbox->count++) % INBOX_MAX] = *forward;
		taken = true;
	}
	pthread_mutex_unlock(&inbox->mutex);
	if (taken)
		(void)eventfd_write(attach->wake_fd, 1);
	return taken;
}

void attach_forward_close(struct attach *attach)
{
	pthread_mutex_lock(&attach->inbox.mutex);
	attach->inbox.closed = true;
	attach->inbox.count = 0;
	pthread_mutex_unlock(&attach->inbox.mutex);
}

// Under the lock, so that nobody is called who has gone.
static void tcp_reply(struct attach *attach, attach_reply *reply, void *ctx, uint64_t cookie,
    const uint8_t *message, size_t len)
{
	pthread_mutex_lock(&attach->inbox.mutex);
	if (!attach->inbox.closed)
		reply(ctx, cookie, message, len);
	pthread_mutex_unlock(&attach->inbox.mutex);
}

static bool inbox_take(struct forward_inbox *inbox, struct attach_forward *out)
{
	bool taken = false;

	pthread_mutex_lock(&inbox->mutex);
	if (inbox->count > 0) {
		*out = inbox->items[inbox->head];
		inbox->head = (inbox->head + 1) % INBOX_MAX;
		inbox->count--;
		taken = true;
	}
	pthread_mutex_unlock(&inbox->mutex);
	return taken;
}

// Ends one that waits: the answer, or none.
static void wait_end(
    struct attach *attach, struct forward_wait *wait, const uint8_t *message, size_t len)
{
	if (wait->item != NULL && len > 0)
		forward_answer(attach->dataplane->forward, wait->item, message, len);
	else if (wait->item != NULL)
		forward_drop(attach->dataplane->forward, wait->item);
	else
		tcp_reply(attach, wait->reply, wait->ctx, wait->cookie, message, len);
	*wait = (struct forward_wait){0};
}

// A free place; its token says which, and which turn.
static struct forward_wait *wait_new(struct attach *attach, int64_t now_ms)
{
	for (unsigned i = 0; i < FORWARDS_MAX; i++) {
		struct forward_wait *wait =
		    &attach->forwards[++attach->forward_token % FORWARDS_MAX];

		if (wait->token != 0 || attach->forward_token == 0)
			continue;
		wait->token = attach->forward_token;
		wait->until_ms = now_ms + FORWARD_WAIT_MS;
		return wait;
	}
	return NULL;
}

static bool can_send(const struct attach *attach)
{
	return attach->link.fd >= 0 && !attach->greeting &&
	       link_room(&attach->link) > LINK_QUEUE / 2;
}

static void message_send(struct attach *attach, const struct forward_wait *wait,
    const struct sockaddr_storage *peer, const struct sockaddr_storage *local, bool tcp,
    const uint8_t *bytes, size_t len)
{
	struct seam_message *message = link_put(&attach->link, SEAM_FORWARD);

	message->forward.token = wait->token;
	message->forward.source = *peer;
	message->forward.destination = *local;
	message->forward.tcp = tcp;
	message->forward.length = (uint32_t)len;
	memcpy(message->forward.message, bytes, len);
}

static void workers_take(struct attach *attach, int64_t now_ms)
{
	struct forward *forward = attach->dataplane->forward;
	struct forward_item *item;

	while (forward != NULL && (item = forward_take(forward)) != NULL) {
		struct forward_wait *wait = can_send(attach) ? wait_new(attach, now_ms) : NULL;

		if (wait == NULL || item->len > FORWARD_MESSAGE_MAX) {
			if (wait != NULL)
				wait->token = 0;
			forward_drop(forward, item);
			continue;
		}
		wait->item = item;
		message_send(
		    attach, wait, &item->peer, &item->local, false, item->message, item->len);
	}
}

static void tcp_take(struct attach *attach, int64_t now_ms)
{
	struct attach_forward item;

	while (inbox_take(&attach->inbox, &item)) {
		struct forward_wait *wait = can_send(attach) ? wait_new(attach, now_ms) : NULL;

		if (wait == NULL || item.len > sizeof(item.message)) {
			if (wait != NULL)
				wait->token = 0;
			tcp_reply(attach, item.reply, item.ctx, item.cookie, NULL, 0);
			continue;
		}
		wait->reply = item.reply;
		wait->ctx = item.ctx;
		wait->cookie = item.cookie;
		message_send(attach, wait, &item.peer, &item.local, true, item.message, item.len);
	}
}

void forward_advance(struct attach *attach, int64_t now_ms)
{
	for (unsigned i = 0; i < FORWARDS_MAX; i++)
		if (attach->forwards[i].token != 0 && attach->forwards[i].until_ms <= now_ms)
			wait_end(attach, &attach->forwards[i], NULL, 0);
	workers_take(attach, now_ms);
	tcp_take(attach, now_ms);
}

void forward_reply_message(struct attach *attach, const struct seam_message *message)
{
	struct forward_wait *wait = &attach->forwards[message->forward.token % FORWARDS_MAX];

	// Late, or never asked.
	if (message->forward.token == 0 || wait->token != message->forward.token)
		return;
	wait_end(attach, wait, message->forward.message, message->forward.length);
}

void forward_lost(struct attach *attach)
{
	for (unsigned i = 0; i < FORWARDS_MAX; i++)
		if (attach->forwards[i].token != 0)
			wait_end(attach, &attach->forwards[i], NULL, 0);
}
