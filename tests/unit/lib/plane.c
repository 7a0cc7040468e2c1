// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See plane.h.
#include "plane.h"

#include <event2/event.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "image.h"

void plane_open(struct plane *plane, struct event_base *base)
{
	*plane = (struct plane){.base = base, .sock = -1};
}

void plane_close(struct plane *plane)
{
	if (plane->sock < 0)
		return;
	event_free(plane->event);
	close(plane->sock);
	plane->sock = -1;
}

void plane_forget(struct plane *plane)
{
	plane->zone_count = 0;
}

void plane_free(struct plane *plane)
{
	plane_close(plane);
	free(plane->zones);
}

// --- what it serves
// -------------------------------------------------------------------------------

static struct plane_zone *zone_find(const struct plane *plane, const uint8_t *apex)
{
	for (size_t i = 0; i < plane->zone_count; i++)
		if (name_equal(plane->zones[i].name.wire, apex))
			return &plane->zones[i];
	return NULL;
}

void plane_serve(struct plane *plane, const uint8_t *apex, uint64_t generation, uint32_t serial)
{
	struct plane_zone *zone = zone_find(plane, apex);

	if (zone == NULL && plane->zone_count == plane->zone_cap) {
		plane->zone_cap = plane->zone_cap > 0 ? plane->zone_cap * 2 : 16;
		plane->zones = reallocarray(plane->zones, plane->zone_cap, sizeof(*plane->zones));
		assert_non_null(plane->zones);
	}
	if (zone == NULL) {
		zone = &plane->zones[plane->zone_count++];
		*zone = (struct plane_zone){.name.len = (uint8_t)name_len(apex)};
		memcpy(zone->name.wire, apex, zone->name.len);
	}
	zone->generation = generation;
	zone->serial = serial;
}

uint64_t plane_generation(const struct plane *plane, const uint8_t *apex)
{
	const struct plane_zone *zone = zone_find(plane, apex);

	return zone != NULL ? zone->generation : 0;
}

uint32_t plane_serial(const struct plane *plane, const uint8_t *apex)
{
	const struct plane_zone *zone = zone_find(plane, apex);

	return zone != NULL ? zone->serial : 0;
}

// --- what it says
// ---------------------------------------------------------------------------------

void plane_send(struct plane *plane, struct seam_message *message)
{
	assert_int_equal(seam_send(plane->sock, message, -1), 0);
}

static void answer(struct plane *plane, struct seam_message *reply)
{
	if (reply->type == SEAM_REJECT) {
		strcpy(reply->zone.text, PLANE_REASON);
		reply->zone.id = plane->broken ? SEAM_REJECT_BROKEN : 0;
	} else {
		plane_serve(plane, reply->zone.name.wire, reply->generation, reply->zone.serial);
	}
	plane_send(plane, reply);
}

void plane_answer(struct plane *plane, enum seam_type type)
{
	plane->pondered.type = type;
	answer(plane, &plane->pondered);
}

// --- what it gets
// ---------------------------------------------------------------------------------

// One version, or a layer of it. Post: its id.
static uint64_t image_look(
    const struct seam_name *name, uint32_t serial, const void *mem, uint64_t size)
{
	const struct image_header *header = mem;
	char error[IMAGE_ERROR_MAX];

	if (image_verify(mem, size, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(header->serial, serial);
	assert_int_equal(header->apex_len, name->len);
	assert_memory_equal(image_apex(header), name->wire, name->len);
	return header->id;
}

static bool pleases(struct plane *plane, const struct seam_name *name, uint64_t generation)
{
	if (plane->manner == PLANE_REFUSES ||
	    (plane->manner == PLANE_REFUSES_ONE && name_equal(name->wire, plane->odd)))
		return false;
	if (plane->manner == PLANE_TAKES_OLDER || generation > plane_generation(plane, name->wire))
		return true;
	plane->older++;
	return false;
}

static void parcel_take(struct plane *plane, const struct seam_message *message, int fd)
{
	struct seam_message reply = {.type = SEAM_LIVE, .generation = message->generation};
	const struct seam_parcel_entry *entries;
	const void *mem;

	plane->parcels++;
	if (plane->manner == PLANE_DIES) {
		plane_close(plane);
		return;
	}
	if (plane->manner == PLANE_REFUSES_PARCELS) {
		reply.type = SEAM_REJECT;
		strcpy(reply.zone.text, PLANE_REASON);
		plane_send(plane, &reply);
		return;
	}
	assert_int_equal(image_map(fd, 0, message->parcel.size, &mem), 0);
	entries = mem;
	for (uint64_t i = 0; i < message->parcel.count; i++) {
		const struct seam_parcel_entry *entry = &entries[i];
		struct seam_message refused = {
		    .type = SEAM_REJECT, .generation = entry->generation};

		plane->in_parcels++;
		(void)image_look(
		    &entry->name, entry->serial, (const uint8_t *)mem + entry->offset, entry->size);
		refused.zone.name = entry->name;
		if (pleases(plane, &entry->name, entry->generation))
			plane_serve(plane, entry->name.wire, entry->generation, entry->serial);
		else
			answer(plane, &refused);
	}
	image_unmap(mem, message->parcel.size);
	plane_send(plane, &reply);
}

static void publish_take(struct plane *plane, const struct seam_message *message, int fd)
{
	struct seam_message reply = {.type = SEAM_LIVE, .generation = message->generation};
	const void *mem;

	plane->published++;
	assert_int_equal(
	    image_map(fd, message->publish.image_offset, message->publish.image_size, &mem), 0);
	reply.zone.id = image_look(
	    &message->publish.name, message->publish.serial, mem, message->publish.image_size);
	image_unmap(mem, message->publish.image_size);
	if (message->publish.more) // the layer above it decides
		return;
	reply.zone.name = message->publish.name;
	reply.zone.serial = message->publish.serial;
	if (plane->manner == PLANE_DIES) {
		plane_close(plane);
		return;
	}
	if (plane->manner == PLANE_PONDERS) {
		plane->pondered = reply;
		return;
	}
	if (!pleases(plane, &message->publish.name, message->generation))
		reply.type = SEAM_REJECT;
	answer(plane, &reply);
}

void plane_unserve(struct plane *plane, const struct seam_message *withdraw)
{
	struct seam_message reply = {.type = SEAM_LIVE, .generation = withdraw->generation};

	reply.zone.name = withdraw->zone.name;
	plane_send(plane, &reply);
}

static void readable(evutil_socket_t sock, short what, void *arg)
{
	struct plane *plane = arg;
	struct seam_message message;
	int fd, rc = seam_receive(sock, &message, &fd);

	if (rc == -EAGAIN)
		return;
	assert_int_equal(rc, 0);
	if (fd >= 0)
		assert_true(image_is_sealed(fd));
	switch (message.type) {
	case SEAM_PARCEL:
		parcel_take(plane, &message, fd);
		break;
	case SEAM_PUBLISH:
		publish_take(plane, &message, fd);
		break;
	case SEAM_WITHDRAW:
		plane->withdrawn++;
		if (plane->manner != PLANE_PONDERS)
			plane_unserve(plane, &message);
		break;
	case SEAM_RENEW:
		plane->renewed++;
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

// --- its connection
// -------------------------------------------------------------------------------

int plane_socket(const char *rundir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", rundir, SEAM_SOCKET);
	assert_int_equal(connect(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	return sock;
}

void plane_connect(struct plane *plane, const char *rundir)
{
	struct seam_message message = {.type = SEAM_HELLO, .generation = plane->highest};

	plane->sock = plane_socket(rundir);
	plane->event = event_new(plane->base, plane->sock, EV_READ | EV_PERSIST, readable, plane);
	event_add(plane->event, NULL);
	message.hello.protocol = SEAM_PROTOCOL;
	memcpy(message.hello.hash_key, plane->key, sizeof(plane->key));
	plane_send(plane, &message);
	for (size_t i = 0; i < plane->zone_count; i++) {
		message = (struct seam_message){
		    .type = SEAM_HAVE, .generation = plane->zones[i].generation};
		message.zone.name = plane->zones[i].name;
		plane_send(plane, &message);
	}
	message = (struct seam_message){.type = SEAM_HELLO_END};
	plane_send(plane, &message);
}
