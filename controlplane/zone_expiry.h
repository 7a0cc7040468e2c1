// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// How long a copy is served, and until when by both clocks. Internal to zone*.c.
#pragma once

#include "zone_action.h"

int64_t expiry_grace_ms(const struct zone *zone);
int64_t expiry_lifetime_ms(const struct zone *zone); // grace included

// A primary has the version served, or it has just gone live: a new lifetime begins.
void expiry_renew(struct zone *zone, struct zone_now now, struct zone_actions *actions);

// The wall clock may have been set since.
void expiry_follow_wall(struct zone *zone, struct zone_now now, struct zone_actions *actions);
