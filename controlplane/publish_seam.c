// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What is told to the data plane and what it says (zones/SEAM.md). Zones with something to tell
// wait in one queue, which is worked off as far as the socket takes it.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "log.h"
#include "offload.h"
#include "publish_bundle.h"
#include "seam_server.h"

#define ASK_TIMEOUT_S 2
#define LOADING_MAX   64 // images being read from disk
#define RETELL_US     ((int64_t)60 * 1000000)

struct ask {
	TAILQ_ENTRY(ask) link;
	struct publisher *publisher;
	struct event *timeout;
	uint64_t number; // comes back with the answer
	uint8_t apex[NAME_LEN_MAX];
	uint8_t apex_len;
	void (*answer)(void *ctx, const struct publisher_answer *answer, int rc);
	void *ctx;
};

// --- sending
// --------------------------------------------------------------------------------------

static void name_set(struct seam_name *name, const uint8_t *apex, uint8_t len)
{
	name->len = len;
	memcpy(name->wire, apex, len);
}

// Who connects is told of every zone anyway.
void publish_tell(struct publisher *p, struct pzone *zone)
{
	if (zone->queued || !p->connected)
		return;
	zone->queued = true;
	zone->next_queued = NULL;
	*p->queue_last = zone;
	p->queue_last = &zone->next_queued;
}

// In front of all others: what it has to send is in memory and should not stay there.
static void tell_first(struct publisher *p, struct pzone *zone)
{
	if (zone->queued || !p->connected)
		return;
	zone->queued = true;
	zone->next_queued = p->queue;
	if (p->queue == NULL)
		p->queue_last = &zone->next_queued;
	p->queue = zone;
}

// What the data plane serves, as far as we know it; NULL: nothing, or we do not.
static const struct version *live_version(const struct pzone *zone)
{
	if (zone->live_generation == 0)
		return NULL;
	if (zone->current != NULL && zone->current->generation == zone->live_generation)
		return zone->current;
	for (unsigned k = 0; k < VERSIONS_KEPT - 1; k++)
		if (zone->kept[k] != NULL && zone->kept[k]->generation == zone->live_generation)
			return zone->kept[k];
	return NULL;
}

// The layers it has need not be sent again; the top one is, because it carries the generation.
static unsigned layers_there(const struct pzone *zone, const struct version *version)
{
	const unsigned common = version_common(version, live_version(zone));

	return common < version->layer_count ? common : version->layer_count - 1;
}

// Bottom first. When the socket takes only some, all are sent again.
static int version_send(struct publisher *p, struct pzone *zone, struct version *version)
{
	for (unsigned n = layers_there(zone, version); n < version->layer_count; n++) {
		const struct layer *layer = version->layer[version->layer_count - 1 - n];
		struct seam_message message = {
		    .type = SEAM_PUBLISH, .generation = version->generation};
		int rc;

		name_set(&message.publish.name, zone->apex, zone->apex_len);
		message.publish.serial = layer->serial;
		message.publish.layer = n;
		message.publish.image_offset = layer->image.fd_offset;
		message.publish.image_size = layer->image.size;
		message.publish.expires_at =
		    version == zone->current ? zone->expires_at : version->expires_at;
		message.publish.grace_s = zone->grace_s;
		message.publish.more = n + 1 < version->layer_count;
		rc = seam_server_send(p->seam, &message, layer->image.fd);
		if (rc < 0)
			return rc;
	}
	version->attempts++;
	return 0;
}

// The first layer of those that version_send() would send that lies only on disk.
static struct layer *layer_to_send(const struct pzone *zone, const struct version *version)
{
	const unsigned there = layers_there(zone, version);

	for (unsigned i = 0; i < version->layer_count - there; i++)
		if (version->layer[i]->image.fd < 0)
			return version->layer[i];
	return NULL;
}

// An image that lies only on disk is read in the work thread.
struct load {
	struct offload_job job; // first
	struct publisher *publisher;
	uint8_t apex[NAME_LEN_MAX];
	uint64_t id, file_id, offset, size;
	int fd; // or -errno
};

static void load_run(struct offload_job *job)
{
	struct load *load = (struct load *)job;

	load->fd = store_copy(load->publisher->storage, load->file_id, load->offset, load->size);
}

// The layer with that id, where it still is to be read.
static struct layer *layer_of(const struct version *version, uint64_t id)
{
	for (unsigned i = 0; version != NULL && i < version->layer_count; i++)
		if (version->layer[i]->id == id && version->layer[i]->image.fd < 0)
			return version->layer[i];
	return NULL;
}

// What there was no memory or descriptor for, here or there, may be taken a while later.
static void untold_note(struct publisher *p, struct pzone *zone)
{
	zone->untold = p->untold = true;
}

void publish_retell(struct publisher *p)
{
	const int64_t now_us = clock_us();

	if (!p->untold || !p->connected || now_us < p->retell_us)
		return;
	p->untold = false;
	p->retell_us = now_us + RETELL_US;
	for (size_t i = 0; i < p->zone_count; i++) {
		struct pzone *zone = p->zones[i];

		if (!zone->untold)
			continue;
		zone->untold = false;
		zone->error[0] = '\0'; // until it is refused again
		zone->tell_current = zone->configured && zone->current != NULL &&
		                     zone->live_generation < zone->current->generation;
		publish_tell(p, zone);
	}
	publish_flush(p);
}

static void load_failed(const struct load *load, struct pzone *zone)
{
	struct publisher *p = load->publisher;
	const bool broken = load->fd == -EBADMSG || load->fd == -ENOENT;

	if (broken && layer_of(zone->current, load->id) != NULL) {
		publish_broken(p, zone, load->fd == -ENOENT ? "gone from the storage" : "broken");
	} else {
		if (zone->tell_current)
			untold_note(p, zone);
		zone->tell_current = false;
		snprintf(zone->error, sizeof(zone->error), "The stored image cannot be read: %s.",
		    strerror(-load->fd));
		log_error("an image of the storage cannot be read: %s", strerror(-load->fd));
	}
	if (!p->closing && p->connected && zone->stage == STAGE_READY &&
	    layer_to_send(zone, zone->next) != NULL)
		publish_failed(p, zone, "What it stands on cannot be read.");
}

static void load_done(struct offload_job *job)
{
	struct load *load = (struct load *)job;
	struct pzone *zone = pzone_find(load->publisher, load->apex);

	load->publisher->loading--;
	if (zone != NULL)
		zone->loading = false;
	if (zone != NULL && load->fd < 0) {
		load_failed(load, zone);
	} else if (zone != NULL) {
		struct layer *layer = layer_of(zone->current, load->id);

		if (layer == NULL)
			layer = layer_of(zone->next, load->id);
		if (layer != NULL) { // else another reader was faster
			layer->image.fd = load->fd;
			load->fd = -1;
		}
		tell_first(load->publisher, zone);
		publish_rest(load->publisher, zone);
	}
	if (load->fd >= 0)
		close(load->fd);
	publish_flush(load->publisher);
	free(load);
}

static void layer_load(struct publisher *p, struct pzone *zone, const struct layer *layer)
{
	struct load *load = zone->loading || layer == NULL ? NULL : calloc(1, sizeof(*load));

	if (load == NULL)
		return;
	load->publisher = p;
	load->fd = -ECANCELED;
	memcpy(load->apex, zone->apex, zone->apex_len);
	load->id = layer->id;
	load->file_id = layer->image.file_id;
	load->offset = layer->image.offset;
	load->size = layer->image.size;
	load->job.run = load_run;
	load->job.done = load_done;
	zone->loading = true;
	p->loading++;
	offload_submit(p->work, &load->job);
}

void publish_load(struct publisher *p, struct pzone *zone)
{
	layer_load(p, zone, version_layer_on_disk(zone->current));
}

static int withdraw_send(struct publisher *p, struct pzone *zone)
{
	struct seam_message message = {
	    .type = SEAM_WITHDRAW, .generation = zone->withdraw_generation};

	name_set(&message.zone.name, zone->apex, zone->apex_len);
	return seam_server_send(p->seam, &message, -1);
}

// Until when? Of a version that was lost here only the data plane that serves it knows.
static bool expiry_is_known(const struct pzone *zone)
{
	return zone->current != NULL || zone->unread != NULL || zone->expires_at != 0 ||
	       !zone->secondary;
}

static int renew_send(struct publisher *p, struct pzone *zone)
{
	struct seam_message message = {.type = SEAM_RENEW, .generation = zone->live_generation};

	name_set(&message.zone.name, zone->apex, zone->apex_len);
	message.zone.expires_at = zone->expires_at;
	message.zone.grace_s = zone->grace_s;
	return seam_server_send(p->seam, &message, -1);
}

// What lies on disk and was read only to be sent need not stay, where there are many.
static void image_release(struct publisher *p, struct version *version)
{
	struct store_image *image = &version->layer[0]->image;

	if (p->zone_count <= LOADING_MAX || !image->stored || version->layer_count > 1 ||
	    image->size >= STACK_BASE_MIN)
		return;
	store_image_unload(image);
}

// Everything there is to tell about one zone. Post: 0, or the reason to stop here.
static int zone_send(struct publisher *p, struct pzone *zone)
{
	int rc;

	if (zone->tell_withdraw) {
		rc = withdraw_send(p, zone);
		if (rc < 0)
			return rc;
		zone->tell_withdraw = false;
	}
	if (zone->hidden) {
		zone->tell_current = zone->tell_renew = false;
		return 0;
	}
	if (zone->tell_current && zone->current != NULL) {
		if (version_layer_on_disk(zone->current) != NULL) {
			if (p->loading >= LOADING_MAX)
				return -EAGAIN; // load_done() comes back
			publish_load(p, zone);  // the same
		} else {
			rc = version_send(p, zone, zone->current);
			if (rc < 0)
				return rc;
			zone->tell_current = zone->tell_renew = false;
			image_release(p, zone->current);
		}
	}
	if (zone->stage == STAGE_READY) {
		// A data plane that lost what it had wants the layers below, too.
		const struct layer *layer = layer_to_send(zone, zone->next);

		if (layer != NULL) {
			if (p->loading >= LOADING_MAX)
				return -EAGAIN;
			layer_load(p, zone, layer);
			return 0;
		}
		rc = version_send(p, zone, zone->next);
		if (rc < 0)
			return rc;
		zone->stage = STAGE_SENT;
		zone->tell_current = false; // the next one takes its place
	}
	if (zone->tell_renew && zone->live_generation != 0 && expiry_is_known(zone)) {
		rc = renew_send(p, zone);
		if (rc < 0)
			return rc;
	}
	zone->tell_renew = false;
	return 0;
}

static void asks_send(struct publisher *p)
{
	for (; p->ask_unsent != NULL; p->ask_unsent = TAILQ_NEXT(p->ask_unsent, link)) {
		struct seam_message message = {
		    .type = SEAM_ASK, .generation = p->ask_unsent->number};

		name_set(&message.zone.name, p->ask_unsent->apex, p->ask_unsent->apex_len);
		if (seam_server_send(p->seam, &message, -1) < 0)
			return;
	}
}

void publish_flush(struct publisher *p)
{
	if (!p->connected || p->gathering)
		return;
	asks_send(p);
	while (p->queue != NULL) {
		struct pzone *zone = p->queue;

		if (zone_send(p, zone) < 0)
			return; // the socket will say when
		p->queue = zone->next_queued;
		if (p->queue == NULL)
			p->queue_last = &p->queue;
		zone->queued = false;
	}
}

// --- asking
// ---------------------------------------------------------------------------------------

// Takes it out and tells its end, unless that was told.
static void ask_end(struct ask *ask, int rc)
{
	static const struct publisher_answer end = {0};
	struct publisher *p = ask->publisher;

	if (p->ask_unsent == ask)
		p->ask_unsent = TAILQ_NEXT(ask, link);
	TAILQ_REMOVE(&p->asks, ask, link);
	if (ask->answer != NULL)
		ask->answer(ask->ctx, &end, rc);
	event_free(ask->timeout);
	free(ask);
}

// One that was sent stays, mute: its answer may still come. They are as many as a socket holds.
static void ask_timeout(evutil_socket_t fd, short what, void *arg)
{
	static const struct publisher_answer end = {0};
	struct ask *ask = arg;
	const struct ask *unsent = ask->publisher->ask_unsent;

	if (unsent != NULL && ask->number >= unsent->number) {
		ask_end(ask, -ETIMEDOUT);
		return;
	}
	if (ask->answer != NULL)
		ask->answer(ask->ctx, &end, -ETIMEDOUT);
	ask->answer = NULL;
}

void publisher_ask(struct publisher *p, const uint8_t *apex,
    void (*answer)(void *ctx, const struct publisher_answer *answer, int rc), void *ctx)
{
	static const struct publisher_answer end = {0};
	const struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	struct ask *ask = p->connected ? calloc(1, sizeof(*ask)) : NULL;

	if (ask != NULL)
		ask->timeout = evtimer_new(p->base, ask_timeout, ask);
	if (ask == NULL || ask->timeout == NULL) {
		free(ask);
		answer(ctx, &end, -ENOTCONN);
		return;
	}
	ask->publisher = p;
	ask->number = ++p->ask_number;
	ask->answer = answer;
	ask->ctx = ctx;
	ask->apex_len = (uint8_t)name_len(apex);
	memcpy(ask->apex, apex, ask->apex_len);
	TAILQ_INSERT_TAIL(&p->asks, ask, link);
	if (p->ask_unsent == NULL)
		p->ask_unsent = ask;
	event_add(ask->timeout, &timeout);
	publish_flush(p);
}

// In the order of the questions. What carries another number answers none of them.
static void serials_take(struct publisher *p, const struct seam_message *message)
{
	struct ask *ask = TAILQ_FIRST(&p->asks);

	while (ask != NULL && ask != p->ask_unsent && ask->number != message->generation)
		ask = TAILQ_NEXT(ask, link);
	if (ask == NULL || ask == p->ask_unsent)
		return;
	for (unsigned i = 0; i < message->serials.count && ask->answer != NULL; i++) {
		struct publisher_answer answer = {.apex_len = message->serials.item[i].name.len,
		    .serial = message->serials.item[i].serial,
		    .rcode = message->serials.item[i].rcode,
		    .generation = message->serials.item[i].generation};

		memcpy(answer.apex, message->serials.item[i].name.wire, answer.apex_len);
		ask->answer(ask->ctx, &answer, 0);
	}
	if (message->serials.last != 0)
		ask_end(ask, 0);
}

// --- what it says
// ---------------------------------------------------------------------------------

static void hello_take(struct publisher *p, const struct seam_message *message)
{
	p->foreign = message->hello.protocol != SEAM_PROTOCOL;
	p->greeting = !p->foreign;
	p->connected = false;
	p->pid = message->hello.pid;
	if (message->generation > p->generation)
		p->generation = message->generation;
	if (p->foreign) { // not dropped: it would come back at once, for ever
		log_warning("the data plane (process %u) is of another version: it serves what it "
		            "has; what is new is stored and waits until it is restarted",
		    p->pid);
		return;
	}
	// A node whose storage was lost takes over the key of what is served, as long as it has
	// made no image of its own.
	if (message->hello.hash_key[0] != 0 || message->hello.hash_key[1] != 0) {
		bool any = false;

		for (size_t i = 0; i < p->zone_count && !any; i++)
			any = p->zones[i]->current != NULL || p->zones[i]->stage != STAGE_NONE;
		if (!any && memcmp(p->key.k, message->hello.hash_key, sizeof(p->key.k)) != 0) {
			memcpy(p->key.k, message->hello.hash_key, sizeof(p->key.k));
			store_anew(p->store);
		}
	}
	for (size_t i = 0; i < p->zone_count; i++)
		p->zones[i]->live_generation = 0;
}

static struct pzone *zone_of(struct publisher *p, const struct seam_name *name)
{
	return name->len != 0 ? pzone_find(p, name->wire) : NULL;
}

static void withdraw(struct publisher *p, struct pzone *zone)
{
	zone->withdraw_generation = ++p->generation;
	zone->tell_withdraw = true;
	publish_tell(p, zone);
}

static void have_take(struct publisher *p, const struct seam_message *message)
{
	struct pzone *zone = zone_of(p, &message->zone.name);

	if (message->generation > p->generation)
		p->generation = message->generation;
	if (zone == NULL)
		zone = pzone_stranger(p, message->zone.name.wire, message->zone.name.len);
	if (zone == NULL) // what it serves cannot be told now: once more, later
		seam_server_drop(p->seam, "out of memory");
	else
		zone->live_generation = message->generation;
}

// The HAVEs are complete: compare with what should be.
static void hello_end_take(struct publisher *p)
{
	p->greeting = false;
	p->connected = true;
	p->connected_ms = clock_wall_ms();
	log_info("the data plane (process %u) is connected", p->pid);
	for (size_t i = 0; i < p->zone_count; i++) {
		struct pzone *zone = p->zones[i];
		const uint64_t current = zone->current != NULL ? zone->current->generation : 0;

		if (zone->stage == STAGE_SENT)
			zone->stage = STAGE_READY;
		if (zone->stage == STAGE_READY && zone->live_generation == zone->next->generation) {
			zone->stage = STAGE_SENT; // its LIVE was lost with the connection
			publish_live(p, zone);
		}
		zone->tell_withdraw = false;
		if (zone->live_generation != 0 &&
		    (zone->hidden || (!zone->configured && !p->strangers_stay)))
			withdraw(p, zone);
		zone->tell_current = zone->live_generation < current && zone->configured;
		zone->tell_renew = zone->live_generation != 0 && zone->configured;
		publish_tell(p, zone);
	}
	publish_flush(p);
}

// Generation 0: it has none.
void publish_said_live(struct publisher *p, struct pzone *zone, uint64_t generation)
{
	zone->live_generation = generation;
	// It was being verified there while we took it back.
	if (zone->live_generation != 0 && (!zone->configured || zone->hidden)) {
		withdraw(p, zone);
		publish_flush(p);
	}
	if (zone->stage == STAGE_SENT && zone->next->generation == generation)
		publish_live(p, zone);
}

static void live_take(struct publisher *p, const struct seam_message *message)
{
	struct pzone *zone = zone_of(p, &message->zone.name);

	if (message->zone.name.len == 0)
		parcel_live(p->bundler, message->generation);
	else if (zone != NULL) // else it was none of HAVE, and nothing was sent about it
		publish_said_live(p, zone, message->zone.id != 0 ? message->generation : 0);
}

static void reject_take(struct publisher *p, const struct seam_message *message)
{
	struct pzone *zone = zone_of(p, &message->zone.name);

	if (message->zone.name.len == 0)
		parcel_rejected(p->bundler, message->generation, message->zone.text);
	if (zone == NULL)
		return;
	if (zone->stage == STAGE_SENT && zone->next->generation == message->generation) {
		char reason[PUBLISH_REASON_MAX];

		snprintf(
		    reason, sizeof(reason), "The data plane refused it: %s", message->zone.text);
		publish_failed(p, zone, reason);
		return;
	}
	if (zone->current != NULL && zone->current->generation == message->generation &&
	    zone->live_generation != message->generation) {
		char how[SEAM_TEXT_MAX + 64];

		snprintf(how, sizeof(how), "broken (the data plane: %s)", message->zone.text);
		if (message->zone.id == SEAM_REJECT_BROKEN) {
			publish_broken(p, zone, how);
			return;
		}
		snprintf(zone->error, sizeof(zone->error),
		    "The data plane refused the stored version: %.160s", message->zone.text);
		log_error("%s", zone->error);
		untold_note(p, zone);
	}
}

static void forward_take(struct publisher *p, const struct seam_message *message)
{
	struct seam_message reply = {.type = SEAM_FORWARD_REPLY};
	size_t len = 0;

	if (p->ops.forward != NULL)
		len = p->ops.forward(p->ops.ctx, message->forward.message, message->forward.length,
		    (const struct sockaddr *)&message->forward.source, reply.forward.message,
		    sizeof(reply.forward.message));
	reply.forward.token = message->forward.token;
	reply.forward.length = (uint32_t)len;
	(void)seam_server_send(p->seam, &reply, -1); // lost: the client asks again
}

static void seam_message_take(void *ctx, const struct seam_message *message, int fd)
{
	struct publisher *p = ctx;

	if (fd >= 0)
		close(fd); // the counter page is read by nobody yet
	if (message->type == SEAM_HELLO) {
		hello_take(p, message);
		return;
	}
	if (p->foreign)
		return;
	if (!p->greeting && !p->connected) {
		seam_server_drop(p->seam, "it did not say HELLO first");
		return;
	}
	switch (message->type) {
	case SEAM_HAVE:
		have_take(p, message);
		break;
	case SEAM_HELLO_END:
		hello_end_take(p);
		break;
	case SEAM_LIVE:
		live_take(p, message);
		break;
	case SEAM_REJECT:
		reject_take(p, message);
		break;
	case SEAM_SERIALS:
		serials_take(p, message);
		break;
	case SEAM_FORWARD:
		forward_take(p, message);
		break;
	default:
		break;
	}
}

static void seam_writable(void *ctx)
{
	publish_flush(ctx);
}

static void seam_gone(void *ctx)
{
	struct publisher *p = ctx;

	if (p->connected)
		log_warning("the data plane is gone");
	p->connected = p->greeting = p->foreign = false;
	for (; p->queue != NULL; p->queue = p->queue->next_queued)
		p->queue->queued = false;
	p->queue_last = &p->queue;
	while (!TAILQ_EMPTY(&p->asks))
		ask_end(TAILQ_FIRST(&p->asks), -ENOTCONN);
	parcels_forget(p->bundler);
	publish_gone(p);
}

int publish_seam_open(struct publisher *p, const char *rundir)
{
	const struct seam_server_ops ops = {
	    .ctx = p, .message = seam_message_take, .writable = seam_writable, .gone = seam_gone};

	return seam_server_open(p->base, rundir, &ops, &p->seam);
}

void publish_seam_close(struct publisher *p)
{
	p->connected = p->greeting = false;
	while (!TAILQ_EMPTY(&p->asks)) {
		TAILQ_FIRST(&p->asks)->answer = NULL;
		ask_end(TAILQ_FIRST(&p->asks), 0);
	}
	seam_server_close(p->seam);
}
