// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One step of a round (zone_round.h): one primary is asked for its SOA, for the zone or for a
// difference; where the policy wants agreement, others are asked on its behalf. Internal to
// zone*.c.
#pragma once

#include "zone_action.h"

// A version handed out is given up when nothing was heard of it for so long: neither what became of
// it nor that it is being worked on.
#define STEP_PUBLISH_WAIT_MS 120000

// The primary of this step is asked: first for its SOA, or at once for the zone.
void step_begin(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// The difference failed: the same primary is asked for the whole zone.
void step_fall_back(
    struct zone *zone, bool refused, struct zone_now now, struct zone_actions *actions);

// A primary that is ahead of the pinned one is told of, and followed when the tolerance is over.
bool step_may_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions);

// This step's primary has a serial that we want: others are asked first, where the policy says so.
void step_take(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions);

// The next primary is asked whether it has the serial, or all is said.
void step_agree(struct zone *zone, struct zone_now now, struct zone_actions *actions);
