// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A secondary zone as a pure state machine: events and the time go in, actions come out. No I/O, no
// clock, no memory of its own, so that ten years of refresh, retry, expiry and clock jumps run in a
// test in a second. Called by the engine (engine.c) on the event loop's thread.
//
// What it decides: when to ask which primary (RFC 1034 4.3.5, RFC 1035 3.3.13), what an answer
// means (RFC 1982), what a NOTIFY is worth (RFC 1996), when the copy served has expired and when it
// lives again. Intervals run on the monotonic clock; the wall clock is read only to store deadlines
// that outlive the process (again when it was set) and to take them up again at the start.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct zone_now {
	int64_t wall_ms; // since 1970; may jump either way
	int64_t mono_ms; // never goes back, counts suspended time
};

struct zone_soa {
	uint32_t serial;
	uint32_t refresh_s, retry_s, expire_s; // as the primary gave them
};

// What the configuration says; may be shared by any number of zones.
struct zone_policy {
	unsigned primary_count; // ways to reach a primary, in order of preference (at most 255)
	// Whose history each way leads to: equal for two addresses of one primary, never 0. NULL:
	// nothing is known, and every transfer is a whole one.
	const uint64_t *origins;
	bool expire_grace;
	uint32_t grace_s; // serve so long past the SOA's expire
	uint32_t refresh_min_s, refresh_max_s;
	uint32_t retry_min_s, retry_max_s;
	uint32_t jitter; // percent that a round may come earlier, so that zones loaded together do
	                 // not stay together
	// Between rounds that NOTIFYs cause: the least one, and what it grows to while they bring
	// nothing. Not 0.
	uint32_t notify_min_ms, notify_max_ms;
	// Another primary than the one our version came from must have been newer for so long
	// before its version is taken; 0: any primary's is taken at once. Needs `origins`.
	uint32_t pin_tolerance_s;
	unsigned agreement; // so many primaries must have a version's serial; needs `origins`
};

// What is stored so that a restart does not forget the age of a copy (wall clock, ms).
struct zone_timers {
	int64_t refreshed_ms; // when a primary last confirmed the version
	int64_t expires_ms;   // when it stops being served, grace included
	// The serial that a primary has and we do not take, because an operator has pinned the zone
	// or because it is pinned to another primary; and since when we know of it (0: there is
	// none).
	int64_t behind_ms;
	int64_t origin_ms; // since when our versions come from where they do
	uint32_t behind_serial;
};

enum zone_phase {
	ZONE_IDLE,         // waiting for the timer
	ZONE_QUERYING,     // a SOA query is under way
	ZONE_TRANSFERRING, // a transfer is under way
	ZONE_PUBLISHING,   // a whole version waits for LIVE or REJECT
};

enum zone_event_kind {
	ZONE_EVENT_START,       // once, first; has_copy, soa, origin, has_timers, timers, pinned,
	                        // has_held, held_serial, whole
	ZONE_EVENT_TIMER,       // the time last asked for has come (early or late is harmless)
	ZONE_EVENT_SOA,         // token, soa: the primary's answer
	ZONE_EVENT_SOA_FAILED,  // token: no usable answer
	ZONE_EVENT_TRANSFERRED, // token, soa, incremental: complete, verified; not yet published
	ZONE_EVENT_TRANSFER_STALE,  // token, soa: ended at its first SOA because that is not newer
	ZONE_EVENT_TRANSFER_FAILED, // token, heard, refused
	ZONE_EVENT_LIVE,            // token: the version handed out is served
	ZONE_EVENT_REJECTED,        // token: it will not be
	ZONE_EVENT_WORKING,         // token: not yet, but there is progress (asked at publish_ms)
	ZONE_EVENT_HELD,       // token, lacks_agreement: not before a person accepts it, or more
	                       // primaries have it when only that is wrong; LIVE comes then
	ZONE_EVENT_NOTIFY,     // primary, has_serial, soa.serial; already authenticated
	ZONE_EVENT_REFRESH,    // an operator asks: query now
	ZONE_EVENT_RETRANSFER, // an operator asks: transfer now, whatever the serial
	ZONE_EVENT_CONFIG,     // policy
	ZONE_EVENT_PIN,        // pinned: take nothing from now on, or take again
	ZONE_EVENT_REPLACED,   // soa, origin: an operator put this version in ours' place
	ZONE_EVENT_ROOM,       // there may be memory for what was refused for want of it
	ZONE_EVENT_LOST,       // has_copy, soa, origin: ours was broken, this is left of it
};

struct zone_event {
	enum zone_event_kind kind;
	uint32_t token; // of the action that is answered; a stale one is ignored
	struct zone_soa soa;
	uint64_t origin; // ZONE_EVENT_START: whose history the copy belongs to; 0: unknown
	bool has_copy, has_timers, has_serial;
	bool whole;       // ZONE_EVENT_START: as after ZONE_EVENT_LOST
	bool incremental; // ZONE_EVENT_TRANSFERRED: a difference to the version served
	bool heard;       // ZONE_EVENT_TRANSFER_FAILED: the primary is there, its answer failed
	bool refused;     // ... because it does not do that: FORMERR, NOTIMP, REFUSED
	bool no_room; // ZONE_EVENT_TRANSFER_FAILED (with its soa), _REJECTED: for want of memory
	bool pinned, has_held, lacks_agreement;
	uint32_t held_serial;
	struct zone_timers timers;
	unsigned primary; // ZONE_EVENT_NOTIFY: who sent it; >= primary_count: nobody we ask
	const struct zone_policy *policy; // ZONE_EVENT_CONFIG: borrowed until the next one
};

enum zone_action_kind {
	ZONE_ACTION_QUERY,     // ask `primary` for its SOA; answer with `token`
	ZONE_ACTION_TRANSFER,  // transfer from `primary`; `any_serial`: even when it is not newer;
	                       // `incremental`: from our version on; `fallback`: that has failed
	ZONE_ACTION_PUBLISH,   // publish what was just transferred, of the history `origin`; answer
	                       // with `token`; `lacks_agreement`: hold it, since only `agreed`
	                       // primaries have its serial
	ZONE_ACTION_ACCEPT,    // publish what is held for lack of agreement; answer with `token`
	ZONE_ACTION_DISCARD,   // drop what was just transferred
	ZONE_ACTION_ABORT,     // stop the query or transfer under way; its answer will be ignored
	ZONE_ACTION_STALE,     // report: the SOA's expire has passed, the policy's grace has begun
	ZONE_ACTION_EXPIRE,    // stop serving: SERVFAIL
	ZONE_ACTION_REVIVE,    // what had expired, or was in its grace, is confirmed: serve it
	ZONE_ACTION_STORE,     // store `timers`
	ZONE_ACTION_REGRESSED, // report: `primary` has `serial`, which is not ours nor newer
};

// How urgent an action of the network is (the engine's queues are in this order).
enum zone_urgency {
	ZONE_URGENCY_NOTIFY,
	ZONE_URGENCY_EXPIRING, // no copy, expired, or more than half of the expire interval is gone
	ZONE_URGENCY_REFRESH,
	ZONE_URGENCIES
};

struct zone_action {
	enum zone_action_kind kind;
	enum zone_urgency urgency;
	uint32_t token;
	unsigned primary;
	bool any_serial, incremental, fallback, lacks_agreement;
	unsigned agreed;
	uint32_t serial;
	uint64_t origin;
	struct zone_timers timers;
};

#define ZONE_ACTIONS_MAX 8 // no event causes more; asserted by action_add

struct zone_actions {
	unsigned count;
	struct zone_action items[ZONE_ACTIONS_MAX];
};

// Fields are read by the engine for status, written by zone*.c only.
struct zone {
	const struct zone_policy *policy; // borrowed
	uint32_t random;                  // state of the jitter's generator
	uint32_t token;                   // of the latest action; changes with every round's step
	uint8_t phase;                    // enum zone_phase
	bool started;
	bool has_copy; // a version is (or, when expired, was) served
	bool stale;    // the SOA's expire has passed (the grace may not have)
	bool expired;
	struct zone_soa soa;     // of the version served
	struct zone_soa pending; // of the version in ZONE_PUBLISHING
	bool has_held;           // a version waits for a person; what has its serial is no news
	bool held_short; // or for more primaries that have it: who has its serial may be one
	uint32_t held_serial;
	bool whole;      // what was served was broken: no difference before another is live
	bool pinned;     // primaries are asked, and nothing is taken; never without has_copy
	uint64_t origin; // whose history `soa` belongs to; 0: unknown
	uint64_t pending_origin; // of `pending`
	struct zone_timers timers;
	uint32_t publish_token; // of the version handed out last; 0 when LIVE is not awaited
	// The latest report of a serial that went backwards; until a round meets none, or a version
	// goes live.
	bool has_regressed;
	uint8_t regressed_primary;
	uint32_t regressed_serial;
	// Since when another primary than the pinned one is ahead (mono); ZONE_NEVER: nobody is.
	int64_t lead_ms;

	// The round: one pass over the primaries, caused by a timer, a NOTIFY or an operator.
	uint8_t round_first;   // primary the round began with
	uint8_t round_step;    // how many were tried before the current one
	uint8_t round_urgency; // enum zone_urgency
	bool round_any_serial;
	bool round_confirmed; // a primary has the version we have
	bool round_hinted;    // a NOTIFY named a newer serial: transfer without asking first
	bool round_transfer_failed;
	bool round_no_room;          // for want of memory, at least once
	bool round_older;            // a primary has an older serial, and the first such is
	uint8_t round_older_primary; // this one
	uint32_t round_older_serial;
	bool round_orphaned;   // the configuration changed while its version is published
	bool round_last;       // expired, and nobody has better: its version is fetched
	bool step_incremental; // the transfer under way, or the version being published, is
	bool step_whole;       // of this primary, after its difference failed
	uint64_t round_pin;    // the origin that is asked first; 0: the zone is not pinned
	bool round_direct;     // the round began with the primary that it was meant to
	bool round_led;        // another than the pinned primary is ahead
	bool round_unheard;    // or might be: it has not answered

	// Who has the serial that this step is about (zone_agree.h).
	bool agreeing;       // the query under way is about that
	bool agree_asked;    // agree_way has been asked
	uint8_t agree_of;    // the way whose serial it is
	uint8_t agree_way;   // that is asked
	uint8_t agree_heard; // the last one that has answered
	uint8_t agree_count; // primaries that have it
	uint32_t agree_serial;

	// Differences: not asked for before a time that grows with each that fails.
	uint32_t delta_failures; // in a row
	int64_t delta_after_ms;  // mono

	// NOTIFY, coalesced: any number during a round leave one mark.
	bool notified;
	bool notified_has_serial;
	bool ordered; // an operator's order came during a round
	bool ordered_any_serial;
	uint8_t notified_primary;
	uint32_t notified_serial;
	uint32_t notify_spacing_ms; // grows while NOTIFYs bring nothing new
	int64_t notify_after_ms;    // mono: not before this

	// What was refused for want of memory is asked for at once when there is some again, but
	// not before a time that grows with each refusal.
	bool wants_room;
	uint32_t room_failures; // rounds that ended so, since a version went live
	uint32_t room_retry_s;  // as the version had it
	int64_t room_after_ms;  // mono

	uint32_t failures;  // rounds in a row that ended without an answer
	int64_t next_ms;    // mono: next round when nothing else happens
	int64_t expire_ms;  // mono: end of service; valid with has_copy
	int64_t publish_ms; // mono: give up waiting for LIVE, unless WORKING comes
	int64_t timer_ms;   // mono: when ZONE_EVENT_TIMER is wanted; INT64_MAX: never
};

#define ZONE_NEVER     INT64_MAX
#define ZONE_TOKEN_MAX (UINT32_MAX >> 1) // what is above is for versions of another source

// Pre: `seed` differs between zones (it spreads them in time). `policy` outlives the zone or is
// replaced by ZONE_EVENT_CONFIG.
void zone_init(struct zone *zone, const struct zone_policy *policy, uint32_t seed);

// Post: `actions` holds what to do, in order; zone->timer_ms when to come back. Any event is
// accepted in any phase. At most one query or transfer is ever under way.
void zone_handle(struct zone *zone, const struct zone_event *event, struct zone_now now,
    struct zone_actions *actions);
