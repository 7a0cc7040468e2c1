// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Whose versions a zone takes while several primaries differ. With a tolerance, the primary that
// the version served came from is *pinned*: it is asked first, and another primary's newer version
// is taken only when one has been newer for as long as the tolerance says. So a zone does not go to
// and fro between primaries that number their versions each for itself; and what is taken from
// another one comes whole, since no difference of its history fits. Internal to zone*.c.
#pragma once

#include <stddef.h>

#include "zone.h"

// Whose history a way leads to; 0: unknown.
static inline uint64_t zone_way_origin(const struct zone *zone, unsigned primary)
{
	return zone->policy->origins != NULL ? zone->policy->origins[primary] : 0;
}

// At the begin of a round that shall begin with `first`. Post: the way it does begin with; the
// order of the others is fixed for this round.
unsigned pin_round_begin(struct zone *zone, unsigned first);

// The way that is asked after `step` others of this round.
unsigned pin_round_way(const struct zone *zone, unsigned step);

// Is there somebody else to be asked, though the pinned primary has what we have?
bool pin_round_asks_all(const struct zone *zone);

// A way of this round has `serial`, which is newer than ours. Post: true when that is to be stored.
bool pin_heard(struct zone *zone, unsigned way, uint32_t serial, struct zone_now now);
void pin_unheard(struct zone *zone, unsigned way); // it has not said what it has

// May a newer version be taken from there now?
bool pin_allows(const struct zone *zone, unsigned way, struct zone_now now);

// All ways of the round were asked. Post: true when nobody is ahead any more, and that is to be
// stored.
bool pin_round_end(struct zone *zone);

// Nobody is ahead. Post: true when that is news.
bool pin_forget(struct zone *zone);

// When the tolerance is over; ZONE_NEVER when it does not run, or is over.
int64_t pin_due_ms(const struct zone *zone, struct zone_now now);

// The copy and what was stored of it are known.
void pin_start(struct zone *zone, struct zone_now now);
