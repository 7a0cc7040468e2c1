// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The model of a secondary zone (see secondary_model.h).
#include "secondary_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define S      INT64_C(1000)
#define MINUTE (60 * S)
#define HOUR   (60 * MINUTE)

// RFC 1982 3.2, told by the distance; the one that is undefined is "not newer".
static bool newer(uint32_t a, uint32_t b)
{
	return a != b && (uint32_t)(a - b) < UINT32_C(1) << 31;
}

static int64_t between(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static int64_t refresh_of(const struct model *m)
{
	return S * between(m->soa.refresh_s, m->policy->refresh_min_s, m->policy->refresh_max_s);
}

static int64_t retry_of(const struct model *m)
{
	return S * between(m->soa.retry_s, m->policy->retry_min_s, m->policy->retry_max_s);
}

static int64_t grace_of(const struct model *m)
{
	return m->policy->expire_grace ? S * m->policy->grace_s : 0;
}

// RFC 1912 2.2: expire is more than refresh and retry together.
static int64_t life_of(const struct model *m)
{
	int64_t asked = S * m->soa.expire_s, least = refresh_of(m) + retry_of(m);

	return (asked < least ? least : asked) + grace_of(m);
}

int64_t model_deadline(const struct model *m)
{
	return m->since + life_of(m);
}

static int64_t doubling(int64_t first, unsigned times, int64_t most)
{
	for (unsigned i = 0; i < times && first < most; i++) {
		first *= 2;
	}
	return first < most ? first : most;
}

static uint64_t way_of(const struct model *m, unsigned primary)
{
	return m->policy->origins != NULL ? m->policy->origins[primary] : 0;
}

// One of several primaries is the one whose versions we take.
static bool pinned(const struct model *m)
{
	bool there = false;

	for (unsigned i = 0; i < m->policy->primary_count; i++) {
		there |= m->origin != 0 && way_of(m, i) == m->origin;
	}
	return there && m->served && m->age != MODEL_EXPIRED && m->policy->pin_tolerance_s > 0;
}

static int64_t tolerance_of(const struct model *m)
{
	return S * (int64_t)m->policy->pin_tolerance_s;
}

static bool counted(const struct model *m)
{
	return m->policy->origins != NULL && m->policy->agreement > 1;
}

static struct zone_action *expect(struct model *m, enum zone_action_kind kind)
{
	struct zone_action *action = &m->expect.items[m->expect.count++];

	*action = (struct zone_action){.kind = kind};
	return action;
}

// The next round comes `ms` from now, earlier by the jitter at most.
static void next_in(struct model *m, struct zone_now now, int64_t ms)
{
	m->next_open = true;
	m->next_least = now.mono_ms + ms - ms * m->policy->jitter / 100;
	m->next_most = now.mono_ms + ms;
	// Not later than the end of the tolerance.
	if (pinned(m) && m->ahead != ZONE_NEVER && m->ahead + tolerance_of(m) > now.mono_ms) {
		m->next_least = between(m->next_least, m->next_least, m->ahead + tolerance_of(m));
		m->next_most = between(m->next_most, m->next_most, m->ahead + tolerance_of(m));
	}
}

static void next_at(struct model *m, int64_t at)
{
	m->next_open = false;
	m->next = at;
}

static void store(struct model *m)
{
	expect(m, ZONE_ACTION_STORE)->timers = m->stored;
}

static enum zone_urgency urgency_of(const struct model *m, struct zone_now now)
{
	if (m->told) {
		return ZONE_URGENCY_NOTIFY;
	}
	if (!m->served || m->age == MODEL_EXPIRED ||
	    model_deadline(m) - now.mono_ms < life_of(m) / 2) {
		return ZONE_URGENCY_EXPIRING;
	}
	return ZONE_URGENCY_REFRESH;
}

static void fetch(struct model *m, struct zone_now now)
{
	struct zone_action *action = expect(m, ZONE_ACTION_TRANSFER);

	m->doing = MODEL_FETCHING;
	m->difference = m->served && !m->whole && !m->any && !m->second && m->origin != 0 &&
	                m->origin == way_of(m, m->at) && now.mono_ms >= m->delta_not_before;
	action->primary = m->at;
	action->any_serial = m->any || !m->served;
	action->incremental = m->difference;
	action->fallback = m->second;
	action->serial = m->soa.serial;
	action->urgency = urgency_of(m, now);
}

static void query(struct model *m, unsigned primary, struct zone_now now)
{
	struct zone_action *action = expect(m, ZONE_ACTION_QUERY);

	m->doing = MODEL_ASKING;
	action->primary = primary;
	action->serial = m->soa.serial;
	action->urgency = urgency_of(m, now);
}

static void ask(struct model *m, bool first, struct zone_now now)
{
	m->second = m->counting = false;
	if (!counted(m) && !m->stays &&
	    (m->any || !m->served || (m->hinted && m->direct && first))) {
		fetch(m, now);
	} else {
		query(m, m->at, now);
	}
}

static void round_start(struct model *m, unsigned first, bool told, struct zone_now now)
{
	m->told = told;
	m->equal = m->broke = m->last = m->orphan = false;
	m->cramped = m->was_cramped = false;
	m->older = -1;
	m->led = m->unsure = false;
	m->pin = pinned(m) ? m->origin : 0;
	// The pinned primary's addresses, then everybody else's.
	m->todo_count = 0;
	for (unsigned others = m->pin == 0; others < 2; others++) {
		for (unsigned i = 0; i < m->policy->primary_count; i++) {
			if (m->pin == 0 || (way_of(m, i) != m->pin) == (others == 1)) {
				m->todo[m->todo_count++] = i;
			}
		}
	}
	m->direct = m->pin == 0 || way_of(m, first) == m->pin;
	if (!m->direct) {
		first = m->todo[0];
	}
	m->at = first;
	m->todo_count--;
	for (unsigned i = 0, to = 0; i <= m->todo_count; i++) {
		if (m->todo[i] != first) {
			m->todo[to++] = m->todo[i];
		}
	}
	next_at(m, ZONE_NEVER);
	ask(m, true, now);
}

static void quiet_from(struct model *m, bool news, struct zone_now now)
{
	int64_t quiet = news ? 0 : m->told ? 2 * m->quiet : m->quiet;

	m->quiet = between(quiet, m->policy->notify_min_ms, m->policy->notify_max_ms);
	m->quiet_until = now.mono_ms + m->quiet;
}

static void confirmed(struct model *m, struct zone_now now)
{
	m->since = now.mono_ms;
	m->stored.refreshed_ms = now.wall_ms;
	m->stored.expires_ms = now.wall_ms + life_of(m);
	if (m->age != MODEL_FRESH) {
		m->age = MODEL_FRESH;
		expect(m, ZONE_ACTION_REVIVE);
	}
	store(m);
}

static void cramped_end(struct model *m, struct zone_now now)
{
	m->was_cramped = m->cramped;
	if (m->cramped) {
		m->room_not_before = now.mono_ms + doubling(1 * S, m->cramped_times++, 10 * MINUTE);
	}
}

static void round_won(struct model *m, struct zone_now now)
{
	int64_t wait = refresh_of(m);

	m->doing = MODEL_NOTHING;
	quiet_from(m, false, now);
	confirmed(m, now);
	if (m->broke) {
		cramped_end(m, now);
	}
	if (m->broke) { // there is more, and it was not to be had
		wait = doubling(retry_of(m), m->failures++,
		    refresh_of(m) > retry_of(m) ? refresh_of(m) : retry_of(m));
	} else {
		m->failures = 0;
		// Somebody says there is more than any primary has.
		if (m->hinted && retry_of(m) < wait) {
			wait = retry_of(m);
		}
	}
	next_in(m, now, wait);
}

static void round_lost(struct model *m, struct zone_now now)
{
	int64_t wait = retry_of(m);

	m->doing = MODEL_NOTHING;
	quiet_from(m, false, now);
	cramped_end(m, now);
	if (!m->served && m->cramped) {
		wait =
		    S * between(m->cramped_retry, m->policy->retry_min_s, m->policy->retry_max_s);
		wait = doubling(wait, m->failures, wait > 10 * MINUTE ? wait : 10 * MINUTE);
	} else if (!m->served) {
		wait = doubling(1 * S, m->failures, 10 * MINUTE);
	} else if (m->broke) {
		wait = doubling(wait, m->failures, refresh_of(m) > wait ? refresh_of(m) : wait);
	}
	m->failures++;
	next_in(m, now, wait);
}

// No one is ahead any more, for all we know.
static void no_lead(struct model *m)
{
	if (m->ahead != ZONE_NEVER) {
		m->ahead = ZONE_NEVER;
		m->stored.behind_ms = 0;
		store(m);
	}
}

static void want(struct model *m, uint32_t serial, struct zone_now now);

static void go_on(struct model *m, struct zone_now now)
{
	if (m->orphan) {
		m->doing = MODEL_NOTHING;
		next_at(m, now.mono_ms);
	} else if (!m->last && m->todo_count > 0) {
		m->at = m->todo[0];
		m->todo_count--;
		memmove(m->todo, m->todo + 1, m->todo_count * sizeof(m->todo[0]));
		ask(m, false, now);
		return;
	} else if (m->pin != 0 && !m->led && !m->unsure) {
		no_lead(m);
	}
	if (m->orphan) {
		return;
	}
	if (m->equal) {
		round_won(m, now);
	} else if (!m->last && m->older >= 0 && m->age == MODEL_EXPIRED && !m->stays) {
		m->last = m->any = true;
		m->second = false;
		m->at = (unsigned)m->older;
		want(m, m->older_is, now);
	} else {
		round_lost(m, now);
	}
}

// All who may have the serial were asked, or enough have it.
static void polled(struct model *m, struct zone_now now)
{
	const bool known = m->held && m->held_short;

	if (m->yes >= m->policy->agreement && known && m->held_serial == m->about) {
		m->doing = MODEL_HANDED;
		m->difference = false;
		m->give_up = now.mono_ms + 2 * MINUTE;
		expect(m, ZONE_ACTION_ACCEPT)->serial = m->held_serial;
	} else if (m->yes < m->policy->agreement && known && !newer(m->about, m->held_serial)) {
		go_on(m, now);
	} else {
		fetch(m, now);
	}
}

static void poll(struct model *m, struct zone_now now)
{
	if (m->yes >= m->policy->agreement || m->poll_count == 0) {
		polled(m, now);
		return;
	}
	m->polled = m->poll[0];
	m->poll_count--;
	memmove(m->poll, m->poll + 1, m->poll_count * sizeof(m->poll[0]));
	query(m, m->polled, now);
}

// What it has counts once, whichever address says it.
static void poll_drop(struct model *m, uint64_t origin)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->poll_count; i++) {
		if (way_of(m, m->poll[i]) != origin) {
			m->poll[kept++] = m->poll[i];
		}
	}
	m->poll_count = kept;
}

static void want(struct model *m, uint32_t serial, struct zone_now now)
{
	if (!counted(m)) {
		fetch(m, now);
		return;
	}
	m->counting = true;
	m->about = serial;
	m->yes = 1;
	m->poll_count = 0;
	for (unsigned i = 0; i < m->policy->primary_count; i++) {
		m->poll[m->poll_count++] = i;
	}
	poll_drop(m, way_of(m, m->at));
	poll(m, now);
}

// May what the primary at hand has be taken now?
static bool may_take(struct model *m, uint32_t serial, struct zone_now now)
{
	if (!pinned(m) || way_of(m, m->at) == m->origin) {
		return true;
	}
	if (m->pin != 0 && newer(serial, m->soa.serial)) {
		m->led = true;
		m->stored.behind_serial = serial;
		if (m->ahead == ZONE_NEVER) {
			m->ahead = now.mono_ms;
			m->stored.behind_ms = now.wall_ms;
			store(m);
		}
	}
	return m->any || (m->ahead != ZONE_NEVER && now.mono_ms >= m->ahead + tolerance_of(m));
}

static void no_news(struct model *m, uint32_t serial, struct zone_now now)
{
	if (serial == m->soa.serial) {
		if (m->ahead == ZONE_NEVER) {
			m->stored.behind_ms = 0;
		}
		m->equal = true;
		bool others = false;

		for (unsigned i = 0; i < m->policy->primary_count; i++) {
			others |= m->pin != 0 && way_of(m, i) != m->pin;
		}
		if (!m->hinted && !others) {
			round_won(m, now);
			return;
		}
	} else {
		struct zone_action *action = expect(m, ZONE_ACTION_REGRESSED);

		action->primary = m->at;
		action->serial = serial;
		if (m->older < 0) {
			m->older = (int)m->at;
			m->older_is = serial;
		}
	}
	go_on(m, now);
}

static void whole_instead(struct model *m, bool refused, struct zone_now now)
{
	m->delta_not_before =
	    now.mono_ms + (refused ? HOUR : doubling(MINUTE, m->delta_failures, HOUR));
	m->delta_failures++;
	m->second = true;
	fetch(m, now);
}

static void transferred(struct model *m, const struct zone_event *event, struct zone_now now)
{
	if (m->served && !m->any && !newer(event->soa.serial, m->soa.serial)) {
		expect(m, ZONE_ACTION_DISCARD);
		no_news(m, event->soa.serial, now);
	} else if (!may_take(m, event->soa.serial, now)) {
		expect(m, ZONE_ACTION_DISCARD);
		go_on(m, now);
	} else if (event->incremental && m->origin != way_of(m, m->at)) {
		expect(m, ZONE_ACTION_DISCARD);
		whole_instead(m, false, now);
	} else {
		m->doing = MODEL_HANDED;
		m->difference = event->incremental;
		m->give_up = now.mono_ms + 2 * MINUTE;
		m->held = m->held_short = false;
		m->awaited_soa = event->soa;
		m->awaited_origin = way_of(m, m->at);
		struct zone_action *action = expect(m, ZONE_ACTION_PUBLISH);

		action->origin = m->awaited_origin;
		if (counted(m)) {
			action->agreed = event->soa.serial == m->about ? m->yes : 1;
			action->lacks_agreement = action->agreed < m->policy->agreement;
		}
	}
}

static void live(struct model *m, struct zone_now now)
{
	bool late = m->doing != MODEL_HANDED;

	m->soa = m->awaited_soa;
	if (m->origin != m->awaited_origin || (m->difference && !late)) {
		m->delta_failures = 0;
	}
	if (m->origin != m->awaited_origin) {
		m->delta_not_before = INT64_MIN;
	}
	if (m->origin != m->awaited_origin || !m->served) {
		m->stored.origin_ms = now.wall_ms;
	}
	m->ahead = ZONE_NEVER;
	m->stored.behind_ms = 0;
	m->origin = m->awaited_origin;
	m->served = true;
	m->whole = false;
	m->held = m->held_short = false;
	m->awaited = 0;
	m->failures = m->cramped_times = 0;
	m->was_cramped = false;
	m->age = MODEL_FRESH; // publication lifts the expiry: nothing to revive
	if (!late) {
		m->doing = MODEL_NOTHING;
		quiet_from(m, true, now);
	}
	confirmed(m, now);
	if (!late) {
		next_in(m, now, refresh_of(m));
	}
}

static void start(struct model *m, const struct zone_event *event, struct zone_now now)
{
	m->started = true;
	m->whole = event->whole;
	next_at(m, now.mono_ms);
	if (!event->has_copy) {
		return;
	}
	m->served = true;
	m->soa = event->soa;
	m->origin = event->origin;
	m->stays = event->pinned;
	// With agreement nobody knows any more why.
	m->held = event->has_held && !counted(m);
	m->held_serial = event->held_serial;
	m->since = now.mono_ms;
	if (!event->has_timers) {
		m->stored = (struct zone_timers){.refreshed_ms = now.wall_ms,
		    .expires_ms = now.wall_ms + life_of(m),
		    .origin_ms = now.wall_ms};
		store(m);
		return;
	}
	m->stored = event->timers;
	if (m->policy->pin_tolerance_s == 0 && !m->stays) {
		m->stored.behind_ms = 0;
	}
	if (m->stored.behind_ms != 0 && !m->stays) {
		m->ahead =
		    now.mono_ms -
		    (now.wall_ms > m->stored.behind_ms ? now.wall_ms - m->stored.behind_ms : 0);
	}
	// A clock before the last refresh, or more left than there can be: the age is not known.
	int64_t left = event->timers.expires_ms - now.wall_ms;

	if (now.wall_ms >= event->timers.refreshed_ms && left <= life_of(m)) {
		m->since = now.mono_ms + between(left, 0, left) - life_of(m);
	}
}

static void notify(struct model *m, const struct zone_event *event)
{
	// One mark: the one that promises most.
	if (m->notice && event->has_serial &&
	    !(m->notice_serial && newer(event->soa.serial, m->notice_is))) {
		return;
	}
	m->notice = true;
	m->notice_serial = event->has_serial;
	m->notice_is = event->soa.serial;
	m->notice_from = event->primary < m->policy->primary_count ? event->primary : 0;
}

// It lived so long before, counted from the same moment.
static void lives_other(struct model *m, int64_t before, struct zone_now now)
{
	if (m->served && life_of(m) != before) {
		m->stored.expires_ms += life_of(m) - before;
		store(m);
	}
	if (m->age == MODEL_EXPIRED && now.mono_ms < model_deadline(m)) {
		m->age = MODEL_FRESH;
		expect(m, ZONE_ACTION_REVIVE);
	} else if (m->age == MODEL_STALE && now.mono_ms < model_deadline(m) - grace_of(m)) {
		m->age = MODEL_FRESH;
		expect(m, ZONE_ACTION_REVIVE);
	}
}

// What was served is broken, and this, or nothing, is what there was before.
static void lost(struct model *m, const struct zone_event *event, struct zone_now now)
{
	const int64_t before = life_of(m);

	if (m->doing == MODEL_ASKING || m->doing == MODEL_FETCHING) {
		expect(m, ZONE_ACTION_ABORT);
		m->doing = MODEL_NOTHING;
	}
	if (m->doing == MODEL_NOTHING) {
		next_at(m, now.mono_ms);
	}
	m->whole = true;
	m->served = event->has_copy;
	m->soa = event->soa;
	m->origin = event->origin;
	if (!m->served) {
		m->age = MODEL_FRESH;
		m->stays = false;
	}
	lives_other(m, before, now);
}

static void configured(struct model *m, const struct zone_event *event, struct zone_now now)
{
	int64_t before = m->served ? life_of(m) : 0;

	if (m->doing == MODEL_ASKING || m->doing == MODEL_FETCHING) {
		expect(m, ZONE_ACTION_ABORT);
		m->doing = MODEL_NOTHING;
	}
	if (m->doing == MODEL_NOTHING) {
		next_at(m, now.mono_ms);
	}
	// Numbers of primaries mean others now.
	m->policy = event->policy;
	m->notice_from = 0;
	m->older = -1;
	m->orphan = m->doing == MODEL_HANDED;
	if (m->policy->pin_tolerance_s == 0) {
		no_lead(m);
	}
	lives_other(m, before, now);
}

// What is under way is for nothing.
static void drop(struct model *m, struct zone_now now)
{
	if (m->doing == MODEL_ASKING || m->doing == MODEL_FETCHING) {
		expect(m, ZONE_ACTION_ABORT);
	}
	m->doing = MODEL_NOTHING;
	next_at(m, now.mono_ms);
	if (!m->held) {
		m->awaited = 0;
	}
}

static void stay(struct model *m, bool stays, struct zone_now now)
{
	if (m->stays && !stays) {
		m->order = true;
		if (m->stored.behind_ms != 0 && m->ahead == ZONE_NEVER) {
			m->stored.behind_ms = 0;
			store(m);
		}
	}
	m->stays = stays && m->served;
	// Whatever could end with another version.
	if (m->stays && (m->doing == MODEL_FETCHING || (m->doing == MODEL_ASKING && m->counting))) {
		drop(m, now);
	}
}

// By a person: gone back to a version that was kept, or a held one accepted after a restart.
static void replaced(struct model *m, const struct zone_event *event, struct zone_now now)
{
	drop(m, now);
	if (m->ahead != ZONE_NEVER) {
		m->ahead = ZONE_NEVER;
		m->stored.behind_ms = 0;
	}
	if (m->origin != event->origin) {
		m->delta_failures = 0;
		m->delta_not_before = INT64_MIN;
	}
	if (m->origin != event->origin || !m->served) {
		m->stored.origin_ms = now.wall_ms;
	}
	m->soa = event->soa;
	m->origin = event->origin;
	m->held = m->held && m->held_serial != event->soa.serial;
	m->served = true;
	m->whole = false;
	m->failures = 0;
	m->age = MODEL_FRESH; // publication lifts the expiry
	confirmed(m, now);
}

static bool notice_matters(const struct model *m)
{
	if (m->policy->primary_count == 0) {
		return false;
	}
	if (!m->served || m->age == MODEL_EXPIRED || !m->notice_serial) {
		return true;
	}
	return m->notice_is != m->soa.serial &&
	       !(m->held && !m->held_short && m->notice_is == m->held_serial);
}

// The time, whatever the event was.
static void clock_says(struct model *m, struct zone_now now)
{
	if (m->doing == MODEL_HANDED && now.mono_ms >= m->give_up) {
		m->broke = m->unsure = true; // and the others are not asked
		m->todo_count = 0;
		m->last = true;
		m->equal = false;
		go_on(m, now);
	}
	if (m->served && m->age == MODEL_FRESH && now.mono_ms >= model_deadline(m) - grace_of(m)) {
		m->age = MODEL_STALE;
		if (now.mono_ms < model_deadline(m)) {
			expect(m, ZONE_ACTION_STALE);
		}
	}
	if (m->served && m->age == MODEL_STALE && now.mono_ms >= model_deadline(m)) {
		m->age = MODEL_EXPIRED;
		expect(m, ZONE_ACTION_EXPIRE);
	}
	// What is stored is right to 2 s whoever sets the wall clock.
	int64_t off = now.wall_ms + model_deadline(m) - now.mono_ms - m->stored.expires_ms;

	if (m->served && m->age != MODEL_EXPIRED && (off >= 2 * S || off <= -2 * S)) {
		m->stored.expires_ms += off;
		m->stored.refreshed_ms += off;
		m->stored.origin_ms += off;
		m->stored.behind_ms += m->stored.behind_ms != 0 ? off : 0;
		store(m);
	}
}

static void what_waits(struct model *m, struct zone_now now)
{
	bool idle = m->doing == MODEL_NOTHING, yields = m->doing == MODEL_ASKING && !m->told;

	if (idle && m->order && m->policy->primary_count > 0) {
		m->any = m->order_any;
		m->hinted = m->order = m->order_any = false;
		round_start(m, 0, true, now);
		return;
	}
	if (idle) {
		m->order = m->order && m->policy->primary_count > 0;
	}
	if (!idle && !yields) {
		return;
	}
	m->notice = m->notice && notice_matters(m);
	if (m->notice && now.mono_ms >= m->quiet_until) {
		if (yields) {
			expect(m, ZONE_ACTION_ABORT);
		}
		m->any = m->notice = false;
		m->hinted = m->notice_serial && m->served && newer(m->notice_is, m->soa.serial);
		round_start(m, m->notice_from, true, now);
		return;
	}
	// The first event at or after the time that was learnt.
	if (idle && !m->next_open && now.mono_ms >= m->next) {
		m->any = m->hinted = false;
		if (m->policy->primary_count > 0) {
			round_start(m, 0, false, now);
		} else {
			next_at(m, ZONE_NEVER);
		}
	}
}

static void answer(struct model *m, const struct zone_event *event, struct zone_now now)
{
	// What was held was put in force, and refused.
	if (event->kind == ZONE_EVENT_REJECTED && m->held && event->token == m->awaited &&
	    (m->doing != MODEL_HANDED || event->token != m->token)) {
		m->held = m->held_short = false;
		m->awaited = 0;
		return;
	}
	if (event->token != m->token) { // to something long over
		if (event->kind == ZONE_EVENT_TRANSFERRED) {
			expect(m, ZONE_ACTION_DISCARD);
		}
		return;
	}
	switch (event->kind) {
	case ZONE_EVENT_SOA:
		if (m->doing != MODEL_ASKING) {
			break;
		}
		if (m->counting) {
			m->yes += event->soa.serial == m->about;
			poll_drop(m, way_of(m, m->polled));
			poll(m, now);
			break;
		}
		const bool is_held = m->held && event->soa.serial == m->held_serial;

		if (m->stays && newer(event->soa.serial, m->soa.serial)) {
			// It was there, and could be asked (RFC 1034 4.3.5).
			if (m->stored.behind_ms == 0) {
				m->stored.behind_ms = now.wall_ms;
			}
			m->hinted = false;
			round_won(m, now);
		} else if (m->stays) {
			no_news(m, event->soa.serial, now);
		} else if (m->served && !m->any && !is_held &&
		           !newer(event->soa.serial, m->soa.serial)) {
			no_news(m, event->soa.serial, now);
		} else if (!may_take(m, event->soa.serial, now) || (is_held && !m->held_short)) {
			go_on(m, now);
		} else {
			want(m, event->soa.serial, now);
		}
		break;
	case ZONE_EVENT_SOA_FAILED:
		if (m->doing == MODEL_ASKING && m->counting) {
			poll(m, now);
		} else if (m->doing == MODEL_ASKING) {
			m->unsure |= way_of(m, m->at) != m->origin;
			go_on(m, now);
		}
		break;
	case ZONE_EVENT_TRANSFERRED:
		if (m->doing == MODEL_FETCHING) {
			transferred(m, event, now);
		} else {
			expect(m, ZONE_ACTION_DISCARD);
		}
		break;
	case ZONE_EVENT_TRANSFER_STALE:
		if (m->doing == MODEL_FETCHING) {
			no_news(m, event->soa.serial, now);
		}
		break;
	case ZONE_EVENT_TRANSFER_FAILED:
		if (m->doing != MODEL_FETCHING) {
			break;
		}
		m->cramped |= event->no_room;
		m->cramped_retry = event->no_room ? event->soa.retry_s : m->cramped_retry;
		if (m->difference && event->heard && !event->no_room) {
			whole_instead(m, event->refused, now);
		} else {
			m->broke = true;
			m->unsure |= way_of(m, m->at) != m->origin;
			go_on(m, now);
		}
		break;
	case ZONE_EVENT_REJECTED:
		if (m->doing != MODEL_HANDED) {
			break;
		}
		m->cramped |= event->no_room;
		m->cramped_retry = event->no_room ? m->awaited_soa.retry_s : m->cramped_retry;
		if (m->difference && !m->orphan && !m->stays && !event->no_room) {
			whole_instead(m, false, now);
		} else {
			m->held = m->held_short = false;
			m->broke = true;
			go_on(m, now);
		}
		break;
	case ZONE_EVENT_WORKING:
		if (m->doing == MODEL_HANDED) {
			m->give_up = now.mono_ms + 2 * MINUTE;
		}
		break;
	case ZONE_EVENT_HELD:
		if (m->doing == MODEL_HANDED) {
			m->held = true;
			m->held_short = event->lacks_agreement;
			m->held_serial = m->awaited_soa.serial;
			go_on(m, now);
		}
		break;
	default:
		break;
	}
}

void model_init(struct model *m, const struct zone_policy *policy)
{
	*m = (struct model){.policy = policy,
	    .older = -1,
	    .ahead = ZONE_NEVER,
	    .quiet = policy->notify_min_ms,
	    .quiet_until = INT64_MIN,
	    .delta_not_before = INT64_MIN,
	    .next = ZONE_NEVER};
}

void model_event(struct model *m, const struct zone_event *event, struct zone_now now)
{
	m->expect.count = 0;
	switch (event->kind) {
	case ZONE_EVENT_START:
		if (!m->started) {
			start(m, event, now);
		}
		break;
	case ZONE_EVENT_TIMER:
		break;
	case ZONE_EVENT_LIVE:
		if (m->awaited != 0 && event->token == m->awaited) {
			live(m, now);
		}
		break;
	case ZONE_EVENT_NOTIFY:
		notify(m, event);
		break;
	case ZONE_EVENT_REFRESH:
	case ZONE_EVENT_RETRANSFER:
		m->order_any |= event->kind == ZONE_EVENT_RETRANSFER;
		m->order = true;
		break;
	case ZONE_EVENT_CONFIG:
		configured(m, event, now);
		break;
	case ZONE_EVENT_PIN:
		stay(m, event->pinned, now);
		break;
	case ZONE_EVENT_REPLACED:
		replaced(m, event, now);
		break;
	case ZONE_EVENT_ROOM:
		if (m->was_cramped && m->doing == MODEL_NOTHING &&
		    now.mono_ms >= m->room_not_before) {
			m->was_cramped = false;
			next_at(m, now.mono_ms);
		}
		break;
	case ZONE_EVENT_LOST:
		lost(m, event, now);
		break;
	default:
		answer(m, event, now);
		break;
	}
	clock_says(m, now);
	what_waits(m, now);
}

static const char *const kinds[] = {"query", "transfer", "publish", "accept", "discard", "abort",
    "stale", "expire", "revive", "store", "regressed"};

static bool action_same(const struct zone_action *a, const struct zone_action *b)
{
	return a->kind == b->kind && a->urgency == b->urgency && a->primary == b->primary &&
	       a->any_serial == b->any_serial && a->incremental == b->incremental &&
	       a->fallback == b->fallback && a->serial == b->serial && a->origin == b->origin &&
	       a->timers.refreshed_ms == b->timers.refreshed_ms &&
	       a->timers.expires_ms == b->timers.expires_ms &&
	       a->timers.origin_ms == b->timers.origin_ms &&
	       a->timers.behind_ms == b->timers.behind_ms &&
	       a->lacks_agreement == b->lacks_agreement && a->agreed == b->agreed;
}

static size_t actions_print(char *out, size_t cap, const struct zone_actions *actions)
{
	size_t used = 0;

	for (unsigned i = 0; i < actions->count && used < cap; i++) {
		const struct zone_action *a = &actions->items[i];

		used += (size_t)snprintf(out + used, cap - used,
		    " %s(urgency %d, primary %u%s%s%s, serial %u, origin %" PRIu64 ", %" PRId64
		    " %" PRId64 " %" PRId64 " %" PRId64 ", agreed %u%s)",
		    kinds[a->kind], (int)a->urgency, a->primary, a->any_serial ? ", any" : "",
		    a->incremental ? ", ixfr" : "", a->fallback ? ", fallback" : "", a->serial,
		    a->origin, a->timers.refreshed_ms, a->timers.expires_ms, a->timers.behind_ms,
		    a->timers.origin_ms, a->agreed, a->lacks_agreement ? ", lacks" : "");
	}
	return used;
}

static const char *differ(const struct zone_actions *want, const struct zone_actions *got)
{
	static char text[4096];
	size_t used = (size_t)snprintf(text, sizeof(text), "expected:");

	used += actions_print(text + used, 1800, want);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "\n   got:");
	actions_print(text + used, 1800, got);
	return text;
}

// Jitter is the machine's own: what it chose is learnt, once, and must lie within bounds.
static bool next_learn(struct model *m, const struct zone *zone)
{
	if (!m->next_open) {
		return m->doing != MODEL_NOTHING || zone->next_ms == m->next;
	}
	m->next_open = false;
	m->next = zone->next_ms;
	return zone->next_ms >= m->next_least && zone->next_ms <= m->next_most;
}

static int64_t timer_expected(const struct model *m)
{
	int64_t at = ZONE_NEVER;

	if (m->served && m->age != MODEL_EXPIRED) {
		at = model_deadline(m) - (m->age == MODEL_FRESH ? grace_of(m) : 0);
	}
	if (m->doing == MODEL_HANDED && m->give_up < at) {
		at = m->give_up;
	}
	if (m->doing == MODEL_NOTHING && m->next < at) {
		at = m->next;
	}
	if (m->notice && (m->doing == MODEL_NOTHING || (m->doing == MODEL_ASKING && !m->told)) &&
	    m->quiet_until < at) {
		at = m->quiet_until;
	}
	return at;
}

const char *model_judge(struct model *m, const struct zone_event *event, struct zone_now now,
    const struct zone *zone, const struct zone_actions *actions)
{
	static const enum zone_phase phases[] = {[MODEL_NOTHING] = ZONE_IDLE,
	    [MODEL_ASKING] = ZONE_QUERYING,
	    [MODEL_FETCHING] = ZONE_TRANSFERRING,
	    [MODEL_HANDED] = ZONE_PUBLISHING};

	(void)event;
	if (actions->count != m->expect.count) {
		return differ(&m->expect, actions);
	}
	for (unsigned i = 0; i < actions->count; i++) {
		const struct zone_action *action = &actions->items[i];

		if (!action_same(&m->expect.items[i], action)) {
			return differ(&m->expect, actions);
		}
		if (action->kind == ZONE_ACTION_QUERY || action->kind == ZONE_ACTION_TRANSFER ||
		    action->kind == ZONE_ACTION_PUBLISH || action->kind == ZONE_ACTION_ACCEPT) {
			if (action->token == 0 || action->token == m->token) {
				return "an action has no token of its own";
			}
			m->token = action->token;
		}
		if (action->kind == ZONE_ACTION_PUBLISH || action->kind == ZONE_ACTION_ACCEPT) {
			m->awaited = action->token;
		}
	}
	if (zone->phase != phases[m->doing]) {
		return "it does something else than the model";
	}
	if (zone->has_copy != m->served || zone->expired != (m->age == MODEL_EXPIRED) ||
	    zone->stale != (m->age != MODEL_FRESH) ||
	    (m->served && zone->soa.serial != m->soa.serial)) {
		return "it serves something else than the model";
	}
	if (zone->pinned != m->stays || zone->has_held != m->held) {
		return "it is pinned, or holds something, and the model does not, or the other way";
	}
	if (m->served && zone->expire_ms != model_deadline(m)) {
		return "the end of service is not what SOA and policy say";
	}
	if (!next_learn(m, zone)) {
		return "the next round is not when it should be";
	}
	if (zone->timer_ms != timer_expected(m)) {
		static char text[128];

		snprintf(text, sizeof(text),
		    "the timer is not the next of all deadlines: %" PRId64 ", not %" PRId64,
		    zone->timer_ms, timer_expected(m));
		return text;
	}
	if (m->doing == MODEL_NOTHING && m->policy->primary_count > 0 &&
	    (zone->timer_ms <= now.mono_ms || zone->timer_ms > now.mono_ms + 24 * HOUR)) {
		return "idle, and no timer within a day: stuck";
	}
	return NULL;
}
