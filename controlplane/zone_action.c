// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Actions (see zone_action.h).
#include "zone_action.h"

#include <assert.h>
#include <string.h>

// Zero is never a token, so that "none" can be said.
uint32_t action_token(struct zone *zone)
{
	zone->token = zone->token == ZONE_TOKEN_MAX ? 1 : zone->token + 1;
	return zone->token;
}

struct zone_action *action_add(struct zone_actions *actions, enum zone_action_kind kind)
{
	assert(actions->count < ZONE_ACTIONS_MAX);
	struct zone_action *action = &actions->items[actions->count++];

	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}
