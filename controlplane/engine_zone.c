// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One secondary zone between the loop and its state machine (zone.h): events go in, and the actions
// that come out become queries, transfers and calls of the engine's ops.
#include "engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

void engine_error_set(struct engine_zone *ez, const char *error)
{
	char address[ADDRESS_TEXT_MAX], text[FAILURE_TEXT_MAX];

	if (error == NULL) {
		free(ez->error);
		ez->error = NULL;
		return;
	}
	if (ez->primary != NULL) {
		snprintf(text, sizeof(text), "%s: %s",
		    address_text((const struct sockaddr *)&ez->primary->peer.remote, address),
		    error);
	} else {
		snprintf(text, sizeof(text), "%s", error);
	}
	failures_add(&ez->failures, text, engine_now().mono_ms);
	if (ez->error != NULL && strcmp(ez->error, text) == 0) {
		return; // said already
	}
	free(ez->error);
	ez->error = strdup(text);
	engine_log(ez, "%s", text);
}

void engine_content_drop(struct engine_zone *ez)
{
	records_free(ez->records);
	seen_free(ez->known);
	delta_free(ez->delta);
	ez->records = NULL;
	ez->known = NULL;
	ez->delta = NULL;
}

static void content_publish(struct engine_zone *ez, const struct zone_action *action)
{
	const struct engine_ops *ops = &ez->engine->ops;
	struct records *records = ez->records;
	struct seen *seen = ez->known;
	struct delta *delta = ez->delta;

	ez->records = NULL;
	ez->known = NULL;
	ez->delta = NULL;
	ez->handed_delta = delta != NULL;
	engine_room_note(ez, delta != NULL ? delta->changes->count : records->count,
	    delta != NULL ? delta->changes->bytes : records->bytes);
	char why[128] = "";

	if (action->lacks_agreement) {
		snprintf(why, sizeof(why),
		    "Held: %u of the %u primaries that primary-agreement wants %s this serial.",
		    action->agreed, ez->profile->policy.agreement,
		    action->agreed == 1 ? "has" : "have");
	}
	const char *hold = action->lacks_agreement ? why : NULL;

	if (delta != NULL) {
		ops->apply(ops->ctx, ez->apex, action->token, action->origin, hold, delta);
	} else {
		ops->publish(
		    ops->ctx, ez->apex, action->token, action->origin, hold, records, seen);
	}
}

// Logged once for each serial and primary, not each retry.
static void regressed_report(struct engine_zone *ez, const struct zone_action *action)
{
	char address[ADDRESS_TEXT_MAX], text[FAILURE_TEXT_MAX];

	snprintf(text, sizeof(text),
	    "%s: went back to serial %u, ours is %u: not taken, nor a confirmation; 'npctl zone "
	    "retransfer' takes it",
	    address_text(
	        (const struct sockaddr *)&ez->profile->ways[action->primary]->peer.remote, address),
	    action->serial, ez->zone.soa.serial);
	failures_add(&ez->failures, text, engine_now().mono_ms);
	if (ez->regressed_said && ez->regressed_serial == action->serial &&
	    ez->regressed_primary == action->primary) {
		return;
	}
	ez->regressed_said = true;
	ez->regressed_serial = action->serial;
	ez->regressed_primary = (uint8_t)action->primary;
	engine_log(ez, "%s", text);
}

static void action_do(struct engine_zone *ez, const struct zone_action *action)
{
	struct engine *engine = ez->engine;

	switch (action->kind) {
	case ZONE_ACTION_QUERY:
	case ZONE_ACTION_TRANSFER:
		engine_op_ask(ez, action);
		break;
	case ZONE_ACTION_PUBLISH:
		content_publish(ez, action);
		break;
	case ZONE_ACTION_ACCEPT:
		engine_log(ez, "enough primaries have serial %u now", action->serial);
		engine->ops.agreed(engine->ops.ctx, ez->apex, action->token);
		break;
	case ZONE_ACTION_DISCARD:
		engine_content_drop(ez);
		break;
	case ZONE_ACTION_ABORT:
		engine_op_abort(ez);
		break;
	case ZONE_ACTION_STALE:
		engine->counters.graces++;
		engine_log(ez, "serial %u is past its expire; it is served stale for %u s more",
		    ez->zone.soa.serial, ez->zone.policy->grace_s);
		break;
	case ZONE_ACTION_EXPIRE:
		engine->counters.expirations++;
		engine_log(ez, "serial %u has expired", ez->zone.soa.serial);
		engine->ops.expire(engine->ops.ctx, ez->apex, true);
		break;
	case ZONE_ACTION_REVIVE:
		engine_log(ez, "serial %u is confirmed again", ez->zone.soa.serial);
		engine->ops.expire(engine->ops.ctx, ez->apex, false);
		break;
	case ZONE_ACTION_STORE:
		engine->ops.store(engine->ops.ctx, ez->apex, &action->timers);
		break;
	case ZONE_ACTION_REGRESSED:
		engine->counters.regressions++;
		regressed_report(ez, action);
		break;
	}
}

static void zone_event_once(struct engine_zone *ez, const struct zone_event *event)
{
	struct zone_actions actions;

	zone_handle(&ez->zone, event, engine_now(), &actions);
	if (ez->zone.timer_ms == ZONE_NEVER) {
		timers_remove(&ez->engine->timers, &ez->timer);
	} else {
		// Room for every zone was made when it was taken up: cannot fail.
		(void)timers_set(&ez->engine->timers, &ez->timer, ez->zone.timer_ms);
	}
	for (unsigned i = 0; i < actions.count; i++) {
		action_do(ez, &actions.items[i]);
	}
	ez->regressed_said = ez->regressed_said && ez->zone.has_regressed;
	engine_room_wait(ez);
	if (ez->zone.has_copy && ez->zone.failures == 0 && ez->zone.phase == ZONE_IDLE) {
		engine_error_set(ez, NULL);
	}
}

static struct zone_event verdict_event(enum engine_verdict verdict, uint32_t token)
{
	const bool refused = verdict == ENGINE_REJECTED || verdict == ENGINE_NO_ROOM;

	return (struct zone_event){.kind = verdict == ENGINE_LIVE ? ZONE_EVENT_LIVE
	                                   : refused              ? ZONE_EVENT_REJECTED
	                                                          : ZONE_EVENT_HELD,
	    .token = token,
	    .no_room = verdict == ENGINE_NO_ROOM,
	    .lacks_agreement = verdict == ENGINE_SHORT};
}

// Ten million records take a slow machine longer than a small zone may wait: the publication says
// whether it is at it. Before the time is up for the machine, whatever the event.
static void publication_ask(struct engine_zone *ez)
{
	const struct engine_ops *ops = &ez->engine->ops;
	const struct zone_event event = {.kind = ZONE_EVENT_WORKING, .token = ez->zone.token};

	if (ez->zone.phase == ZONE_PUBLISHING && ez->zone.publish_ms <= engine_now().mono_ms &&
	    ops->working != NULL && ops->working(ops->ctx, ez->apex, ez->zone.token)) {
		zone_event_once(ez, &event);
	}
}

// An action may bring about the next event at once (a primary that is down, a publisher that
// answers from within the call). A round ends after so many steps as there are primaries; so does
// this.
void engine_zone_event(struct engine_zone *ez, const struct zone_event *event)
{
	bool outermost = !ez->busy;

	ez->busy = true;
	publication_ask(ez);
	zone_event_once(ez, event);
	while (outermost && ez->has_answer) {
		const struct zone_event answer = {.kind = (enum zone_event_kind)ez->answer_kind,
		    .token = ez->answer_token,
		    .no_room = ez->answer_no_room,
		    .lacks_agreement = ez->answer_short};

		ez->has_answer = false;
		zone_event_once(ez, &answer);
	}
	if (outermost) {
		ez->busy = false;
	}
}

void engine_zone_answer(struct engine_zone *ez, const struct zone_event *event)
{
	if (!ez->busy) {
		engine_zone_event(ez, event);
		return;
	}
	ez->has_answer = true;
	ez->answer_kind = (uint8_t)event->kind;
	ez->answer_short = event->lacks_agreement;
	ez->answer_no_room = event->no_room;
	ez->answer_token = event->token;
}

void engine_published(struct engine *engine, const uint8_t *apex, uint32_t token,
    enum engine_verdict verdict, const char *reason)
{
	struct engine_zone *ez = engine_find(engine, apex);

	if (ez == NULL) {
		return;
	}
	if (verdict == ENGINE_LIVE) {
		engine->counters.published++;
		engine->counters.ixfr_applied += ez->handed_delta;
		ez->live_delta = ez->handed_delta;
	} else {
		const bool held = verdict == ENGINE_HELD || verdict == ENGINE_SHORT;

		engine->counters.rejected += !held;
		engine->counters.held += held;
		engine_error_set(ez, reason != NULL ? reason : "not published");
	}
	const struct zone_event event = verdict_event(verdict, token);

	engine_zone_answer(ez, &event);
	engine_arm(engine);
}
