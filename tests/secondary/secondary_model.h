// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a secondary zone must do, said a second time: from RFC 1034 4.3.5, 1035 3.3.13, 1912 2.2,
// 1982, 1995, 1996 and the contracts of controlplane/zone.h, without a look at zone.c. It foretells
// the actions of every event exactly, and every deadline but for the jitter, which it bounds. No
// limits on speed or memory here: a round is a list of primaries that were not asked yet, and the
// expiry is one sum.
#pragma once

#include "zone.h"

enum model_age { MODEL_FRESH, MODEL_STALE, MODEL_EXPIRED };
enum model_doing { MODEL_NOTHING, MODEL_ASKING, MODEL_FETCHING, MODEL_HANDED };

struct model {
	const struct zone_policy *policy;
	bool started;

	// The copy served. It lives from `since` for as long as the SOA and the policy say.
	bool served;
	struct zone_soa soa;
	uint64_t origin;
	int64_t since; // mono
	enum model_age age;
	struct zone_timers stored;
	bool held, held_short; // short: of primaries that have it
	uint32_t held_serial;
	bool whole; // one before was broken: nothing that stands on it is asked for
	bool stays; // an operator has pinned it: it takes nothing

	// What is under way.
	enum model_doing doing;
	uint32_t token;  // what an answer to it bears
	unsigned at;     // which primary
	bool difference; // is asked for, or was handed out
	bool second;     // the whole zone, because the difference failed
	int64_t give_up; // of MODEL_HANDED
	uint32_t awaited;
	struct zone_soa awaited_soa;
	uint64_t awaited_origin;

	// The round.
	unsigned todo[256], todo_count;
	bool told; // by a NOTIFY or an operator
	bool any, hinted, equal, broke, last;
	bool orphan; // the configuration changed while its version is on its way
	int older;
	uint32_t older_is;
	bool direct; // it began with the primary that was meant

	// Several primaries: the one whose versions we take, and the others.
	uint64_t pin;     // this round's; 0: none
	int64_t ahead;    // since when another has more (mono); ZONE_NEVER: none has
	bool led, unsure; // one has more in this round; one has not said what it has
	bool counting;    // those that have the serial `about`: `yes` of them
	uint32_t about;
	unsigned yes, polled, poll[256], poll_count;

	// What waits.
	bool notice, notice_serial, order, order_any;
	unsigned notice_from;
	uint32_t notice_is;
	int64_t quiet, quiet_until;

	unsigned failures, delta_failures;
	bool cramped, was_cramped; // in this round, or by its end: for want of memory
	unsigned cramped_times;
	uint32_t cramped_retry;
	int64_t room_not_before;
	int64_t delta_not_before;
	int64_t next, next_least, next_most; // mono; the first is learnt within the others
	bool next_open;

	struct zone_actions expect;
};

void model_init(struct model *model, const struct zone_policy *policy);

// The event, and what must come of it: model->expect.
void model_event(struct model *model, const struct zone_event *event, struct zone_now now);

// Holds what came against it. Post: NULL; or what is wrong, in one line of a static buffer.
const char *model_judge(struct model *model, const struct zone_event *event, struct zone_now now,
    const struct zone *zone, const struct zone_actions *actions);

int64_t model_deadline(const struct model *model); // mono: the end of service
