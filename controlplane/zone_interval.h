// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Intervals of a secondary zone: what its SOA asks for within what its policy allows, in
// milliseconds. Internal to zone*.c.
#pragma once

#include "zone.h"

int64_t interval_clamp(uint32_t value, uint32_t min, uint32_t max);
int64_t interval_refresh_ms(const struct zone *zone);
int64_t interval_retry_ms(const struct zone *zone);

// Shorter by some of the policy's jitter, each time another.
int64_t interval_jittered(struct zone *zone, int64_t ms);

// Post: `base` doubled so many times, at most `max`.
int64_t interval_doubled_ms(int64_t base, uint32_t times, int64_t max);

// Until the next round after zone->failures rounds in a row that failed. Pre: there was one.
int64_t interval_broken_ms(const struct zone *zone);

// The same without a copy, of a version that was refused for want of memory.
int64_t interval_room_ms(const struct zone *zone, int64_t max);
