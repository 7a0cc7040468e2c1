// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See scenario.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scenario.h"

#include <stdio.h>
#include <string.h>

static void actions_text(const struct zone_actions *actions, char *out, size_t cap)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < actions->count; i++) {
		const struct zone_action *action = &actions->items[i];
		char word[64] = "";

		switch (action->kind) {
		case ZONE_ACTION_QUERY:
			snprintf(word, sizeof(word), "query:%u", action->primary);
			break;
		case ZONE_ACTION_TRANSFER:
			snprintf(word, sizeof(word), "%s%s:%u",
			    action->incremental ? "ixfr"
			    : action->fallback  ? "fallback"
			                        : "transfer",
			    action->any_serial ? "!" : "", action->primary);
			break;
		case ZONE_ACTION_PUBLISH:
			if (action->lacks_agreement) {
				snprintf(word, sizeof(word), "hold:%u", action->agreed);
			} else {
				snprintf(word, sizeof(word), "publish");
			}
			break;
		case ZONE_ACTION_ACCEPT:
			snprintf(word, sizeof(word), "accept:%u", (unsigned)action->serial);
			break;
		case ZONE_ACTION_DISCARD:
			snprintf(word, sizeof(word), "discard");
			break;
		case ZONE_ACTION_ABORT:
			snprintf(word, sizeof(word), "abort");
			break;
		case ZONE_ACTION_STALE:
			snprintf(word, sizeof(word), "stale");
			break;
		case ZONE_ACTION_EXPIRE:
			snprintf(word, sizeof(word), "expire");
			break;
		case ZONE_ACTION_REVIVE:
			snprintf(word, sizeof(word), "revive");
			break;
		case ZONE_ACTION_STORE:
			snprintf(word, sizeof(word), "store");
			break;
		case ZONE_ACTION_REGRESSED:
			snprintf(word, sizeof(word), "regressed:%u:%u", action->primary,
			    (unsigned)action->serial);
			break;
		}
		used += (size_t)snprintf(out + used, cap - used, "%s%s", i > 0 ? " " : "", word);
	}
}

void scenario_run(const struct zone_policy *policy, const struct step *steps, size_t count)
{
	struct zone zone;
	struct zone_now now = {.wall_ms = 1795000000 * S, .mono_ms = 5000 * S};

	zone_init(&zone, policy, 12345);
	for (size_t i = 0; i < count; i++) {
		const struct step *step = &steps[i];
		struct zone_event event = step->event;
		struct zone_actions actions;
		char got[512];

		if (step->to_timer) {
			assert_true(zone.timer_ms != ZONE_NEVER);
			if (zone.timer_ms > now.mono_ms) {
				now.wall_ms += zone.timer_ms - now.mono_ms;
				now.mono_ms = zone.timer_ms;
			}
		}
		now.mono_ms += step->advance;
		now.wall_ms += step->advance + step->wall_jump;
		event.token = step->handed  ? zone.publish_token
		              : step->stale ? zone.token - 1
		                            : zone.token;
		zone_handle(&zone, &event, now, &actions);
		actions_text(&actions, got, sizeof(got));
		if (strcmp(got, step->want) != 0) {
			fail_msg("step %zu: want \"%s\", got \"%s\"", i, step->want, got);
		}
	}
}
