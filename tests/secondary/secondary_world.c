// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What happens to a zone, by chance (see secondary_world.h).
#include "secondary_world.h"

#include <stdio.h>
#include <string.h>

#define S    INT64_C(1000)
#define HOUR (3600 * S)
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)

enum { MOOD_WELL, MOOD_DEAD, MOOD_BREAKS, MOOD_NO_IXFR, MOOD_LIES, MOODS };

static const uint64_t origins_two[] = {11, 11, 22, 22};
static const uint64_t origins_other[] = {33, 22, 11, 44};

static uint32_t roll(struct world *w, uint32_t sides)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(w->random >> 33) % sides;
}

// --- primaries
// ------------------------------------------------------------------------------------

static uint32_t interval_any(struct world *w)
{
	static const uint32_t odd[] = {
	    0, 1, 2, 59, 3600, 86400, 604800, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

	return roll(w, 3) == 0 ? odd[roll(w, 11)] : roll(w, 20000);
}

static void soa_intervals(struct world *w, struct zone_soa *soa)
{
	soa->refresh_s = interval_any(w);
	soa->retry_s = interval_any(w);
	soa->expire_s = interval_any(w);
}

// A new version; now and then one that goes back, or to the far side of the circle.
static void primary_edit(struct world *w, struct world_primary *primary)
{
	static const uint32_t steps[] = {
	    1, 1, 1, 1, 1, 1, 2, 1000, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xffffff00};

	primary->soa.serial += steps[roll(w, 13)];
	if (roll(w, 4) == 0) {
		soa_intervals(w, &primary->soa);
	}
}

static void primaries_live(struct world *w)
{
	struct world_primary *primary = &w->primaries[roll(w, WORLD_WAYS)];

	if (roll(w, 20) == 0) {
		primary_edit(w, primary);
	}
	if (roll(w, 30) == 0) { // one has caught up with another
		primary->soa = w->primaries[roll(w, WORLD_WAYS)].soa;
	}
	if (roll(w, 60) == 0) {
		primary->mood = roll(w, 2) ? MOOD_WELL : roll(w, MOODS);
	}
	if (roll(w, 300) == 0) { // all follow one, or all are gone for a while
		bool gone = roll(w, 2);

		for (unsigned i = 0; i < WORLD_WAYS; i++) {
			w->primaries[i].soa = primary->soa;
			w->primaries[i].mood = gone ? MOOD_DEAD : MOOD_WELL;
		}
	}
}

// --- one event to all three
// -----------------------------------------------------------------------

// Without STORE, and ABORTs and times, the same: who sets the wall clock changes nothing else.
static bool twins_agree(const struct zone_actions *a, const struct zone_actions *b)
{
	unsigned i = 0, j = 0;

	for (;;) {
		while (i < a->count && a->items[i].kind == ZONE_ACTION_STORE) {
			i++;
		}
		while (j < b->count && b->items[j].kind == ZONE_ACTION_STORE) {
			j++;
		}
		if (i == a->count || j == b->count) {
			return i == a->count && j == b->count;
		}
		if (a->items[i].kind != b->items[j].kind ||
		    a->items[i].primary != b->items[j].primary ||
		    a->items[i].token != b->items[j].token) {
			return false;
		}
		i++;
		j++;
	}
}

// In an hour: rounds of the timer are a second apart at least, NOTIFYs without news and their
// spacing allow 11 + 3600 / 30 more, and every cause of its own one more. A round asks a primary at
// most for its SOA, a difference, the whole, and once more as the last resort.
static const char *asked_too_often(struct world *w, unsigned primary)
{
	static char text[128];
	unsigned most = 4 * (3600 * 10 / 9 + 131 + w->rounds_for_cause);

	if (++w->asked_in_hour[primary] <= most) {
		return NULL;
	}
	snprintf(text, sizeof(text), "primary %u was asked %u times in an hour", primary,
	    w->asked_in_hour[primary]);
	return text;
}

static const char *actions_take(struct world *w, const struct zone_actions *actions)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < actions->count && wrong == NULL; i++) {
		const struct zone_action *action = &actions->items[i];

		switch (action->kind) {
		case ZONE_ACTION_QUERY:
		case ZONE_ACTION_TRANSFER:
			if (w->asked) {
				return "two questions under way at once";
			}
			if (action->primary >= w->policy->primary_count) {
				return "a primary that is not there is asked";
			}
			if (w->model.stays && action->kind == ZONE_ACTION_TRANSFER) {
				return "a pinned zone fetches something";
			}
			w->asked = true;
			w->question = *action;
			w->differences += action->incremental;
			w->last_resorts += action->any_serial && w->model.last;
			wrong = asked_too_often(w, action->primary);
			break;
		case ZONE_ACTION_ABORT:
			if (!w->asked) {
				return "ABORT, and nothing is under way";
			}
			w->asked = false;
			w->preempted += actions->count > 1;
			break;
		case ZONE_ACTION_PUBLISH:
			w->handed = w->last_event.soa;
			w->handed_origin = action->origin;
			w->handed_token = action->token;
			w->handed_short = action->lacks_agreement;
			w->short_of += action->lacks_agreement;
			w->has_held = false; // the publisher has room for one
			break;
		case ZONE_ACTION_ACCEPT: // what was handed out last
			if (w->handed.serial != action->serial) {
				return "what is accepted is not what is held";
			}
			if (w->model.stays) {
				return "a pinned zone accepts something";
			}
			w->handed_token = action->token;
			w->handed_short = false;
			w->accepted++;
			break;
		case ZONE_ACTION_STORE:
			w->timers = action->timers;
			w->has_timers = true;
			break;
		case ZONE_ACTION_EXPIRE:
			w->expired++;
			break;
		case ZONE_ACTION_REVIVE:
			w->revived++;
			break;
		case ZONE_ACTION_STALE:
			w->graced++;
			break;
		case ZONE_ACTION_REGRESSED:
			w->regressed++;
			break;
		case ZONE_ACTION_DISCARD:
			break;
		}
	}
	return wrong;
}

static void copy_set(struct world *w, const struct zone_soa *soa, uint64_t origin)
{
	if (w->has_copy) {
		w->kept_count = w->kept_count < WORLD_KEPT ? w->kept_count + 1 : WORLD_KEPT;
		memmove(w->kept + 1, w->kept, (WORLD_KEPT - 1) * sizeof(w->kept[0]));
		w->kept[0] = (struct world_kept){w->copy, w->copy_origin};
	}
	w->has_copy = true;
	w->copy = *soa;
	w->copy_origin = origin;
}

// Before the model has seen the event.
static void held_note(struct world *w, const struct zone_event *event)
{
	const bool current = w->model.doing == MODEL_HANDED && event->token == w->model.token;

	if (event->kind == ZONE_EVENT_HELD && current) {
		w->held++;
		w->has_held = true;
		w->held_soa = w->handed;
		w->held_origin = w->handed_origin;
	}
	if (event->kind == ZONE_EVENT_REJECTED && w->has_held &&
	    (current || event->token == w->model.awaited)) {
		w->held_refused += !current;
		w->has_held = false;
	}
}

static const char *happen(struct world *w, struct zone_event event)
{
	struct zone_actions actions, twin_actions;
	struct zone_now alone = {
	    .wall_ms = w->now.wall_ms - w->wall_set, .mono_ms = w->now.mono_ms};
	const char *wrong;

	w->steps++;
	if (w->now.mono_ms / HOUR != w->hour) {
		w->hour = w->now.mono_ms / HOUR;
		memset(w->asked_in_hour, 0, sizeof(w->asked_in_hour));
		w->rounds_for_cause = 0;
	}
	w->last_event = event;
	w->rounds_for_cause += event.kind == ZONE_EVENT_CONFIG || event.kind == ZONE_EVENT_LIVE ||
	                       event.kind == ZONE_EVENT_REFRESH ||
	                       event.kind == ZONE_EVENT_RETRANSFER ||
	                       event.kind == ZONE_EVENT_REJECTED || event.kind == ZONE_EVENT_HELD ||
	                       event.kind == ZONE_EVENT_PIN || event.kind == ZONE_EVENT_REPLACED ||
	                       event.kind == ZONE_EVENT_LOST || event.kind == ZONE_EVENT_ROOM ||
	                       event.kind == ZONE_EVENT_START;
	if (event.kind >= ZONE_EVENT_SOA && event.kind <= ZONE_EVENT_TRANSFER_FAILED && w->asked &&
	    event.token == w->question.token) {
		w->asked = false;
	}
	if (event.kind == ZONE_EVENT_CONFIG) {
		w->policy = event.policy;
	}
	if (event.kind == ZONE_EVENT_LIVE && event.token != 0 && event.token == w->model.awaited) {
		w->live++;
		w->followed += w->has_copy && w->policy->pin_tolerance_s > 0 &&
		               w->copy_origin != w->handed_origin;
		w->by_person += w->has_held && !w->handed_short;
		copy_set(w, &w->handed, w->handed_origin);
		w->has_held = w->whole = false;
	}
	if (event.kind == ZONE_EVENT_REPLACED) {
		w->has_held = w->has_held && w->held_soa.serial != event.soa.serial;
		copy_set(w, &event.soa, event.origin);
	}
	if (event.kind == ZONE_EVENT_LOST) {
		w->has_copy = event.has_copy;
		w->copy = event.soa;
		w->copy_origin = event.origin;
		w->whole = true;
	}
	w->whole = w->whole && event.kind != ZONE_EVENT_REPLACED;
	held_note(w, &event);
	const int64_t behind = w->model.stored.behind_ms;

	model_event(&w->model, &event, w->now);
	w->pinned = w->model.stays;
	w->pins += event.kind == ZONE_EVENT_PIN && w->pinned;
	w->missed += w->pinned && behind == 0 && w->model.stored.behind_ms != 0;
	zone_handle(&w->zone, &event, w->now, &actions);
	zone_handle(&w->twin, &event, alone, &twin_actions);
	wrong = model_judge(&w->model, &event, w->now, &w->zone, &actions);
	if (wrong == NULL) {
		wrong = actions_take(w, &actions);
	}
	if (wrong == NULL &&
	    (!twins_agree(&actions, &twin_actions) || w->zone.timer_ms != w->twin.timer_ms)) {
		wrong = "the wall clock decided something";
	}
	return wrong;
}

static const char *start(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_START,
	    .has_copy = w->has_copy,
	    .soa = w->copy,
	    .origin = w->copy_origin,
	    .has_timers = w->has_timers,
	    .timers = w->timers,
	    .pinned = w->has_copy && w->pinned,
	    .has_held = w->has_copy && w->has_held,
	    .whole = w->whole,
	    .held_serial = w->held_soa.serial};
	uint32_t seed = roll(w, UINT32_MAX);

	w->wall_set = 0;
	w->asked = false;
	w->handed_token = 0;
	w->hour = -1;
	zone_init(&w->zone, w->policy, seed);
	zone_init(&w->twin, w->policy, seed);
	model_init(&w->model, w->policy);
	return happen(w, event);
}

void world_init(struct world *w, uint64_t seed)
{
	static const struct zone_policy plain = {.refresh_min_s = 2,
	    .refresh_max_s = 86400,
	    .retry_min_s = 1,
	    .retry_max_s = 86400,
	    .jitter = 10,
	    .notify_min_ms = 50,
	    .notify_max_ms = 30000};

	memset(w, 0, sizeof(*w));
	w->random = seed;
	for (unsigned i = 0; i < WORLD_POLICIES; i++) {
		struct zone_policy *policy = &w->policies[i];

		*policy = plain;
		policy->primary_count = i == 7 ? 0 : 1 + i % WORLD_WAYS;
		policy->origins = i % 3 == 0 ? NULL : i % 3 == 1 ? origins_two : origins_other;
		policy->expire_grace = i % 2 != 0;
		policy->grace_s = i == 1 ? 0 : i == 3 ? UINT32_MAX : 3600;
		// Pinned to a primary, or with others that must have the same, or both.
		static const uint32_t tolerances[] = {0, 0, 3600, 0, 60, 900, 1800, 0};

		policy->pin_tolerance_s = tolerances[i];
		policy->agreement = i == 1 || i == 2 || i == 5 ? 2 : i == 4 ? 1 : 0;
		if (i == 6) {
			policy->origins = origins_two;
		}
		if (i == 5) {
			policy->jitter = 0;
			policy->notify_min_ms = policy->notify_max_ms = 5000;
		}
		if (i == 6) {
			policy->jitter = 50;
			policy->notify_min_ms = 1000;
			policy->notify_max_ms = 2000;
		}
		if (i == 4) {
			policy->refresh_min_s = policy->refresh_max_s = 300;
			policy->retry_min_s = policy->retry_max_s = 60;
		}
	}
	w->policy = &w->policies[1 + roll(w, 6)];
	for (unsigned i = 0; i < WORLD_WAYS; i++) {
		w->primaries[i].soa.serial = roll(w, 2) ? 0xfffffff0 : roll(w, UINT32_MAX);
		soa_intervals(w, &w->primaries[i].soa);
	}
	w->now =
	    (struct zone_now){.wall_ms = 1795000000 * S, .mono_ms = (int64_t)roll(w, 1u << 30)};
}

// --- chance
// ---------------------------------------------------------------------------------------

static void clocks_go(struct world *w)
{
	static const int64_t sets[] = {
	    10 * YEAR, -10 * YEAR, HOUR, -HOUR, 5 * S, -5 * S, 1900, -900};
	uint32_t dice = roll(w, 100);
	int64_t on = 0;

	if (dice < 35 && w->zone.timer_ms != ZONE_NEVER && w->zone.timer_ms > w->now.mono_ms) {
		on = w->zone.timer_ms - w->now.mono_ms - (dice < 3);
	} else if (dice < 60) {
		on = roll(w, 2000);
	} else if (dice < 95) {
		on = roll(w, 600) * S;
	} else if (dice < 99) {
		on = roll(w, 48) * HOUR;
	} else if (roll(w, 5) == 0) {
		on = roll(w, 10 * 365) * DAY; // suspended
	}
	w->now.mono_ms += on;
	w->now.wall_ms += on;
	dice = roll(w, 1000);
	if (dice < 15) {
		w->now.wall_ms += sets[dice % 8];
		w->wall_set += sets[dice % 8];
	} else if (dice < 18) { // the ends of signed and unsigned seconds: 2038, 2106
		int64_t at = (dice == 15 ? INT64_C(0x7fffffff) : INT64_C(0xffffffff)) * S - 3000;

		w->wall_set += at - w->now.wall_ms;
		w->now.wall_ms = at;
	}
}

// What the primary that is asked says, in its mood.
static struct zone_event answer(struct world *w)
{
	const struct world_primary *primary = &w->primaries[w->question.primary];
	struct zone_event event = {.token = w->question.token, .soa = primary->soa};
	bool query = w->question.kind == ZONE_ACTION_QUERY;

	if (primary->mood == MOOD_LIES) {
		event.soa.serial += roll(w, 2) ? 1 : roll(w, UINT32_MAX);
	}
	if (query) {
		event.kind = primary->mood == MOOD_DEAD ? ZONE_EVENT_SOA_FAILED : ZONE_EVENT_SOA;
		return event;
	}
	event.kind = ZONE_EVENT_TRANSFER_FAILED;
	event.heard = primary->mood != MOOD_DEAD;
	event.refused = primary->mood == MOOD_NO_IXFR;
	event.no_room = event.heard && roll(w, 4) == 0;
	if (primary->mood == MOOD_DEAD || primary->mood == MOOD_BREAKS ||
	    (primary->mood == MOOD_NO_IXFR && w->question.incremental)) {
		return event;
	}
	// The session ends at the first SOA that is not newer, unless any will do.
	uint32_t ahead = event.soa.serial - w->question.serial;

	if (!w->question.any_serial && (ahead == 0 || ahead >= UINT32_C(1) << 31)) {
		event.kind = roll(w, 8) ? ZONE_EVENT_TRANSFER_STALE : ZONE_EVENT_TRANSFERRED;
	} else {
		event.kind = ZONE_EVENT_TRANSFERRED;
		event.incremental = w->question.incremental && roll(w, 4) > 0;
	}
	return event;
}

static struct zone_event notified(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_NOTIFY,
	    .primary = roll(w, WORLD_WAYS + 1),
	    .has_serial = roll(w, 4) > 0};

	event.soa.serial = w->primaries[event.primary % WORLD_WAYS].soa.serial;
	if (roll(w, 6) == 0) {
		event.soa.serial += roll(w, 2) ? 7 : roll(w, UINT32_MAX);
	}
	return event;
}

static struct zone_event published(struct world *w)
{
	static const enum zone_event_kind kinds[] = {ZONE_EVENT_LIVE, ZONE_EVENT_LIVE,
	    ZONE_EVENT_LIVE, ZONE_EVENT_LIVE, ZONE_EVENT_REJECTED, ZONE_EVENT_HELD,
	    ZONE_EVENT_WORKING};

	struct zone_event event = {.kind = kinds[roll(w, 7)], .token = w->handed_token};

	event.no_room = event.kind == ZONE_EVENT_REJECTED && roll(w, 3) == 0;
	if (w->handed_short && event.kind == ZONE_EVENT_LIVE) {
		event.kind = ZONE_EVENT_HELD;
		event.lacks_agreement = true;
	}
	return event;
}

// Gone back to a version that is kept; or what is held since before a restart is accepted.
static struct zone_event replaced(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_REPLACED};

	if (w->has_held && w->model.awaited == 0 && roll(w, 2)) {
		event.soa = w->held_soa;
		event.origin = w->held_origin;
		w->by_person++;
	} else {
		const struct world_kept *kept = &w->kept[roll(w, w->kept_count)];

		event.soa = kept->soa;
		event.origin = kept->origin;
		w->rollbacks++;
	}
	return event;
}

// What is served was found broken: one that is kept takes its place, or nothing does.
static struct zone_event lost(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_LOST};

	if (w->kept_count > 0 && roll(w, 3) > 0) {
		const unsigned at = roll(w, w->kept_count);

		event.has_copy = true;
		event.soa = w->kept[at].soa;
		event.origin = w->kept[at].origin;
		memmove(w->kept, w->kept + at + 1, (w->kept_count - at - 1) * sizeof(w->kept[0]));
		w->kept_count -= at + 1;
	}
	w->lost++;
	return event;
}

// What operators do.
static struct zone_event ordered(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_REFRESH};

	switch (roll(w, 8)) {
	case 0:
		event.kind = ZONE_EVENT_RETRANSFER;
		break;
	case 1:
		if (w->model.served && roll(w, 4) == 0) {
			return lost(w);
		}
		if (w->model.served && w->kept_count > 0) {
			return replaced(w);
		}
		break;
	case 2:
	case 3:
		event.kind = ZONE_EVENT_PIN; // a pin is not for long, or nothing else would happen
		event.pinned = !w->model.stays && roll(w, 2);
		break;
	case 4:
		if (w->model.held) { // accepted, and the data plane does not take it
			event.kind = roll(w, 2) ? ZONE_EVENT_LIVE : ZONE_EVENT_REJECTED;
			event.token = w->model.awaited;
		}
		break;
	}
	return event;
}

static struct zone_event chance(struct world *w)
{
	struct zone_event event = {.kind = ZONE_EVENT_TIMER};
	uint32_t dice = roll(w, 100);

	if (dice < 12) {
		return notified(w);
	}
	if (dice < 15) {
		return ordered(w);
	}
	if (dice < 25 && w->model.was_cramped) {
		w->let_in++;
		event.kind = ZONE_EVENT_ROOM;
		return event;
	}
	if (dice < 16 && roll(w, 2)) {
		event.kind = ZONE_EVENT_CONFIG;
		event.policy = &w->policies[roll(w, WORLD_POLICIES)];
	} else if (dice < 19) { // to a question long over
		event.kind = (enum zone_event_kind)(ZONE_EVENT_SOA + (int)roll(w, 9));
		event.token = w->zone.token - 1 - roll(w, 3);
		event.soa = w->primaries[roll(w, WORLD_WAYS)].soa;
		if (event.token == w->model.awaited) {
			event.token = 0;
		}
	} else if (dice < 70 && w->asked) {
		return answer(w);
	} else if (dice < 70 && w->model.doing == MODEL_HANDED) {
		return published(w);
	} else if (dice < 72 && w->model.awaited != 0) { // late, or accepted by a person
		event.kind = ZONE_EVENT_LIVE;
		event.token = w->model.awaited;
	}
	return event;
}

const char *world_step(struct world *w)
{
	primaries_live(w);
	clocks_go(w);
	if (w->steps == 0 || roll(w, 3000) == 0) {
		w->restarts++;
		if (roll(w, 4) == 0) {
			w->policy = &w->policies[roll(w, WORLD_POLICIES)];
		}
		if (roll(w, 20) == 0) {
			w->has_timers = false; // the file was lost
		}
		w->now.mono_ms = (int64_t)roll(w, 1u << 30); // another boot
		return start(w);
	}
	return happen(w, chance(w));
}

// --- drills
// ---------------------------------------------------------------------------------------

const char *world_recovers(struct world *w)
{
	int64_t until;
	const char *wrong;

	if (!w->zone.started) {
		return NULL;
	}
	wrong =
	    happen(w, (struct zone_event){.kind = ZONE_EVENT_CONFIG, .policy = &w->policies[3]});
	if (wrong == NULL && w->model.stays) {
		wrong = happen(w, (struct zone_event){.kind = ZONE_EVENT_PIN});
	}
	if (wrong == NULL && w->model.doing == MODEL_HANDED) {
		wrong = happen(
		    w, (struct zone_event){.kind = ZONE_EVENT_REJECTED, .token = w->handed_token});
	}
	for (unsigned i = 0; i < WORLD_WAYS; i++) {
		w->primaries[i] = (struct world_primary){
		    .soa = {w->zone.soa.serial + roll(w, 2), 3600, 600, 604800}};
		if (w->zone.expired && roll(w, 2)) {
			w->primaries[i].soa.serial -= 1000;
		}
		// Held is held, until a person says otherwise: another one comes.
		while (w->model.held && w->primaries[i].soa.serial == w->model.held_serial) {
			w->primaries[i].soa.serial++;
		}
	}
	until = w->now.mono_ms + 2 * DAY;
	while (wrong == NULL && w->now.mono_ms < until) {
		if (w->asked) {
			wrong = happen(w, answer(w));
		} else if (w->model.doing == MODEL_HANDED) {
			wrong = happen(w,
			    (struct zone_event){.kind = ZONE_EVENT_LIVE, .token = w->handed_token});
		} else if (w->zone.timer_ms == ZONE_NEVER) {
			return "no timer at all";
		} else {
			if (w->zone.timer_ms > w->now.mono_ms) {
				w->now.wall_ms += w->zone.timer_ms - w->now.mono_ms;
				w->now.mono_ms = w->zone.timer_ms;
			}
			wrong = happen(w, (struct zone_event){.kind = ZONE_EVENT_TIMER});
		}
		if (wrong == NULL && w->model.served && w->model.age == MODEL_FRESH &&
		    w->model.since > until - 2 * DAY) {
			return NULL;
		}
	}
	return wrong != NULL ? wrong : "all is well for two days, and the zone is not fresh";
}

const char *world_weathers_a_storm(struct world *w)
{
	const int64_t until = w->now.mono_ms + HOUR;
	unsigned asked = 0;
	const char *wrong;
	static char text[96];

	if (!w->zone.started || !w->zone.has_copy || w->zone.has_held || w->zone.pinned) {
		return NULL;
	}
	wrong =
	    happen(w, (struct zone_event){.kind = ZONE_EVENT_CONFIG, .policy = &w->policies[4]});
	while (wrong == NULL && w->now.mono_ms < until) {
		bool idle = !w->asked;
		struct zone_event event = {.kind = ZONE_EVENT_NOTIFY,
		    .primary = 0,
		    .has_serial = roll(w, 2),
		    .soa = {.serial = w->zone.soa.serial + roll(w, UINT32_MAX)}};

		if (w->asked && roll(w, 4) == 0) {
			event = (struct zone_event){
			    .token = w->question.token, .soa = w->zone.soa, .kind = ZONE_EVENT_SOA};
			event.soa.serial -= roll(w, 2);
			if (w->question.kind == ZONE_ACTION_TRANSFER) {
				event.kind = w->question.any_serial ? ZONE_EVENT_TRANSFER_FAILED
				                                    : ZONE_EVENT_TRANSFER_STALE;
			}
		} else if (w->model.doing == MODEL_HANDED) {
			event = (struct zone_event){
			    .kind = ZONE_EVENT_REJECTED, .token = w->handed_token};
		}
		wrong = happen(w, event);
		asked += idle && w->asked;
		w->now.mono_ms += 100;
		w->now.wall_ms += 100;
	}
	// 12 rounds of the timer at 5 minutes (67 at a minute, where they fail), 11 that come ever
	// later, one each 30 s.
	if (wrong == NULL && asked > 67 + 11 + 121 + 2) {
		snprintf(text, sizeof(text), "%u rounds in an hour of NOTIFYs that bring nothing",
		    asked);
		wrong = text;
	}
	return wrong;
}
