// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The list of actions that an event leads to, and the tokens they are answered with. Internal to
// zone*.c.
#pragma once

#include "zone.h"

// Post: an action of this kind, all else zero, is the last of the list.
struct zone_action *action_add(struct zone_actions *actions, enum zone_action_kind kind);

// Post: the zone's next token; what was asked with the one before is answered to nobody.
uint32_t action_token(struct zone *zone);
