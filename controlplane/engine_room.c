// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones whose new version was refused for want of memory. They ask again later and later, as after
// any failure; but while there are some, it is looked each second whether there is memory for them
// now, wherever that came from: another zone's version that was retired, a reload with more, the
// system. Event loop's thread.
#include "engine_private.h"

#include <event2/event.h>

#include <stdlib.h>

// What a version took when it was refused, or takes while it is being published: of those that are
// worth it. Others are reckoned with the least.
struct cramped {
	TAILQ_ENTRY(cramped) link;
	struct engine_zone *zone;
	uint64_t count, bytes;
	bool waits; // in the engine's list
};

#define ROOM_LEAST     ((uint64_t)1 << 20)
#define ROOM_ZONES_MAX 256 // that are let in in one look

static const struct timeval look_period = {.tv_sec = 1};

// At that point there was not enough: it wants more.
static uint64_t more(uint64_t amount)
{
	return amount + amount / 4;
}

static void list_remove(struct engine *engine, struct cramped *cramped)
{
	if (cramped->waits) {
		TAILQ_REMOVE(&engine->cramped, cramped, link);
		engine->cramped_count--;
		cramped->waits = false;
	}
}

static void room_look(evutil_socket_t fd, short what, void *arg)
{
	const struct zone_event event = {.kind = ZONE_EVENT_ROOM};
	struct engine *engine = arg;
	uint64_t count = 0, bytes = 0;
	unsigned let_in = 0;

	(void)fd;
	(void)what;
	// Each of them once; those that go on waiting are put behind the others.
	for (size_t n = engine->cramped_count; n > 0 && !TAILQ_EMPTY(&engine->cramped); n--) {
		struct cramped *cramped = TAILQ_FIRST(&engine->cramped);
		struct engine_zone *ez = cramped->zone;
		// Those before it have not taken theirs yet.
		const uint64_t wanted_count = count + more(cramped->count);
		const uint64_t wanted_bytes = bytes + more(cramped->bytes);

		list_remove(engine, cramped);
		if (ez->zone.wants_room && let_in < ROOM_ZONES_MAX &&
		    engine->ops.fits(engine->ops.ctx, wanted_count, wanted_bytes)) {
			engine_zone_event(ez, &event);
			if (!ez->zone.wants_room) { // else it is too early for it
				count = wanted_count;
				bytes = wanted_bytes;
				let_in++;
			}
		} else {
			engine_room_wait(ez);
		}
	}
	engine_arm(engine);
}

void engine_room_note(struct engine_zone *ez, uint64_t count, uint64_t bytes)
{
	if (bytes < ROOM_LEAST && ez->cramped == NULL) {
		return;
	}
	if (ez->cramped == NULL) {
		ez->cramped = calloc(1, sizeof(*ez->cramped));
	}
	if (ez->cramped != NULL) { // else it asks again by the timer all the same
		ez->cramped->zone = ez;
		ez->cramped->count = count;
		ez->cramped->bytes = bytes < ROOM_LEAST ? ROOM_LEAST : bytes;
	}
}

void engine_room_wait(struct engine_zone *ez)
{
	struct engine *engine = ez->engine;

	if (!ez->zone.wants_room && ez->zone.phase == ZONE_IDLE) {
		engine_room_leave(ez);
	}
	if (!ez->zone.wants_room || engine->ops.fits == NULL) {
		return;
	}
	if (ez->cramped == NULL) {
		engine_room_note(ez, 0, ROOM_LEAST);
	}
	if (engine->room == NULL) {
		engine->room = evtimer_new(engine->base, room_look, engine);
	}
	if (ez->cramped == NULL || ez->cramped->waits || engine->room == NULL) {
		return;
	}
	ez->cramped->waits = true;
	TAILQ_INSERT_TAIL(&engine->cramped, ez->cramped, link);
	engine->cramped_count++;
	if (!evtimer_pending(engine->room, NULL)) {
		evtimer_add(engine->room, &look_period);
	}
}

void engine_room_leave(struct engine_zone *ez)
{
	if (ez->cramped != NULL) {
		list_remove(ez->engine, ez->cramped);
	}
	free(ez->cramped);
	ez->cramped = NULL;
}
