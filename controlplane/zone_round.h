// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A round of a secondary zone: one pass over the primaries in order, begun by the timer, a NOTIFY
// or an operator. It ends with the first primary that has something newer which goes live; when a
// primary has what we have; or when all were tried. Internal to zone*.c.
#pragma once

#include "zone_action.h"

unsigned round_primary(const struct zone *zone); // of this step of the round
enum zone_urgency round_urgency(const struct zone *zone, struct zone_now now);

// True for a round that a NOTIFY may end: it asks, and nobody told it to.
bool round_may_yield(const struct zone *zone);

// The timer's time has come, and nothing is under way.
void round_timer(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// What waits (an order, a NOTIFY) is taken up as soon as nothing is under way.
void round_take_up(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// The step has brought nothing that goes live: the next primary is asked, or the round ends.
void round_go_on(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// A primary's serial is known and does not lead to a transfer.
void round_not_newer(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions);

// A primary has news for a zone that takes nothing.
void round_note_news(
    struct zone *zone, uint32_t serial, struct zone_now now, struct zone_actions *actions);

// Its end without anything gained; because its configuration is gone; because what it is about is.
// This step's version, which has that SOA, was refused for want of memory.
void round_no_room(struct zone *zone, const struct zone_soa *soa);
// There may be some again.
void round_room(struct zone *zone, struct zone_now now);
void round_failed(struct zone *zone, struct zone_now now);
void round_abandoned(struct zone *zone, struct zone_now now);
void round_drop(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// When the next NOTIFY may begin a round, after one that brought `news` or none.
void round_space(struct zone *zone, bool news, struct zone_now now);
