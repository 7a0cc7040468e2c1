// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Do enough primaries tell the same serial? Before a newer version of one primary is fetched, the
// others are asked for their SOA, one after the other, until so many have its serial as the policy
// wants. Addresses of one remote are one primary. Internal to zone*.c.
//
// By the serial, and not by a digest of the content: primaries that sign, each with its own key or
// at its own time, never have the same content; and a digest of our own would take a second whole
// transfer for every difference. ZONEMD is a record of each version and is verified as such.
#pragma once

#include "zone.h"

// Does the policy want more than one primary?
bool agree_wanted(const struct zone *zone);

// The primary at `way` has `serial`.
void agree_begin(struct zone *zone, unsigned way, uint32_t serial);

enum agree_verdict {
	AGREE_ASK, // zone->agree_way is to be asked
	AGREE_YES,
	AGREE_NO, // all were asked
};
enum agree_verdict agree_next(struct zone *zone);

void agree_heard(struct zone *zone, uint32_t serial); // of zone->agree_way

// Was the serial of this version agreed on?
bool agree_has(const struct zone *zone, uint32_t serial);
// How many primaries have it.
unsigned agree_count(const struct zone *zone, uint32_t serial);
