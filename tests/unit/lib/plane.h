// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A scripted data plane: a client of the seam in the test's own event loop that takes versions,
// refuses them or dies over them as the case says. It takes an image only where it verifies and is
// what the message says of it, and where its generation is above that of what it serves.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"
#include "seam.h"

struct event;
struct event_base;

enum plane_manner {
	PLANE_TAKES,
	PLANE_TAKES_OLDER, // whatever its generation
	PLANE_REFUSES,     // everything, and says PLANE_REASON
	PLANE_REFUSES_ONE, // the zone `odd`
	PLANE_REFUSES_PARCELS,
	PLANE_PONDERS, // its answer is in `pondered`
	PLANE_DIES,
};
#define PLANE_REASON "it does not please"

struct plane_zone {
	struct seam_name name;
	uint64_t generation; // served; 0: nothing
	uint32_t serial;
};

struct plane {
	struct event_base *base;
	int sock; // -1: not connected
	struct event *event;
	enum plane_manner manner;
	const uint8_t *odd;
	bool broken;                  // what it refuses does not verify, it says
	struct seam_message pondered; // the answer it has not given yet
	uint64_t highest;             // generation that it says it has seen
	uint64_t key[2];              // of what it serves
	struct plane_zone *zones;     // owned
	size_t zone_count, zone_cap;
	unsigned published, parcels, in_parcels; // messages, and zones in the latter
	unsigned withdrawn, renewed, older;      // older: what it refused for its generation
};

void plane_open(struct plane *plane, struct event_base *base);
void plane_free(struct plane *plane);

// A socket that is connected to the control plane in that RUNDIR.
int plane_socket(const char *rundir);
// Says HELLO, what it serves, and HELLO_END.
void plane_connect(struct plane *plane, const char *rundir);
void plane_close(struct plane *plane);  // the connection alone
void plane_forget(struct plane *plane); // it serves nothing any more: another process

void plane_send(struct plane *plane, struct seam_message *message);
// Says what it pondered: LIVE, and serves it; or REJECT.
void plane_unserve(struct plane *plane, const struct seam_message *withdraw); // it is gone
void plane_answer(struct plane *plane, enum seam_type type);

// Makes it serve something.
void plane_serve(struct plane *plane, const uint8_t *apex, uint64_t generation, uint32_t serial);
uint64_t plane_generation(const struct plane *plane, const uint8_t *apex); // 0: nothing
uint32_t plane_serial(const struct plane *plane, const uint8_t *apex);     // the same
