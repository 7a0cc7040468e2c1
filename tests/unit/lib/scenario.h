// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A secondary zone's life told as (event, expected actions): the zones' policies, what a step is,
// and who runs them. Included after cmocka.h.
#pragma once

#include "zone.h"

#define MS INT64_C(1)
#define S  (1000 * MS)
#define H  (3600 * S)
#define D  (24 * H)

// As most zones have them.
#define POLICY_TIMES                                                                        \
	.refresh_min_s = 2, .refresh_max_s = 86400, .retry_min_s = 1, .retry_max_s = 86400, \
	.jitter = 10, .notify_min_ms = 50, .notify_max_ms = 30000

static const struct zone_policy policy_one = {.primary_count = 1, POLICY_TIMES};
static const struct zone_policy policy_three = {.primary_count = 3, POLICY_TIMES};
static const struct zone_policy policy_grace = {
    .primary_count = 1, .expire_grace = true, .grace_s = 3600, POLICY_TIMES};
static const struct zone_policy policy_none = {.primary_count = 0, POLICY_TIMES};
static const struct zone_policy policy_clamped = {.primary_count = 1,
    .refresh_min_s = 100,
    .refresh_max_s = 200,
    .retry_min_s = 10,
    .retry_max_s = 20,
    .jitter = 10,
    .notify_min_ms = 50,
    .notify_max_ms = 30000};

// Two primaries, the first with two addresses.
static const uint64_t origins[] = {11, 11, 22};
static const struct zone_policy policy_known = {
    .primary_count = 3, .origins = origins, POLICY_TIMES};
static const uint64_t origins_other[] = {33};
static const struct zone_policy policy_other = {
    .primary_count = 1, .origins = origins_other, POLICY_TIMES};

// The same, pinned for an hour to the one whose versions are served.
#define INTERVALS                                                                           \
	.refresh_min_s = 2, .refresh_max_s = 86400, .retry_min_s = 1, .retry_max_s = 86400, \
	.notify_min_ms = 50, .notify_max_ms = 30000
static const struct zone_policy policy_pinned = {
    .primary_count = 3, .origins = origins, .pin_tolerance_s = 3600, INTERVALS};
// Two of them must have a version; two of three.
static const struct zone_policy policy_two = {
    .primary_count = 3, .origins = origins, .agreement = 2, INTERVALS};
static const uint64_t origins_behind[] = {22, 11, 11};
static const struct zone_policy policy_two_behind = {
    .primary_count = 3, .origins = origins_behind, .agreement = 2, INTERVALS};
static const uint64_t origins_twice[] = {11, 22, 22, 33};
static const struct zone_policy policy_three_of_three = {
    .primary_count = 4, .origins = origins_twice, .agreement = 3, INTERVALS};
static const uint64_t origins_three[] = {11, 22, 33};
static const struct zone_policy policy_two_of_three = {
    .primary_count = 3, .origins = origins_three, .agreement = 2, INTERVALS};

// What a zone in these tests has unless said otherwise: refresh 1 h, retry 10 min, expire 1 week.
#define SOA(n)                                                                       \
	{                                                                            \
		.serial = (n), .refresh_s = 3600, .retry_s = 600, .expire_s = 604800 \
	}

// One step: `advance` the clocks, or with `to_timer` go to the time the zone asked for; then the
// event. The token of SOA, TRANSFERRED, ... is the latest one unless `stale`.
struct step {
	int64_t advance;
	int64_t wall_jump;
	bool to_timer;
	bool stale;
	bool handed; // the token of the version that was handed out last
	struct zone_event event;
	const char *want; // actions, separated by spaces; "" none
};

#define EV(k, ...)          .event = {.kind = ZONE_EVENT_##k, ##__VA_ARGS__}
#define START_EMPTY         EV(START)
#define START_COPY(n)       EV(START, .has_copy = true, .soa = SOA(n))
#define SOA_IS(n)           EV(SOA, .soa = SOA(n))
#define TRANSFERRED(n)      EV(TRANSFERRED, .soa = SOA(n))
#define START_FROM(o, n)    EV(START, .has_copy = true, .origin = (o), .soa = SOA(n))
#define IXFR_OF(n)          EV(TRANSFERRED, .incremental = true, .soa = SOA(n))
#define BROKEN              EV(TRANSFER_FAILED, .heard = true)
#define SHORT               EV(HELD, .lacks_agreement = true)
#define REFUSED             EV(TRANSFER_FAILED, .heard = true, .refused = true)
#define STALE(n)            EV(TRANSFER_STALE, .soa = SOA(n))
#define NOTIFY(p)           EV(NOTIFY, .primary = (p))
#define NOTIFY_SERIAL(p, n) EV(NOTIFY, .primary = (p), .has_serial = true, .soa = {.serial = (n)})

// Fails where the actions of a step are not those that are wanted.
void scenario_run(const struct zone_policy *policy, const struct step *steps, size_t count);
#define SCENARIO(policy, ...)                                                  \
	do {                                                                   \
		static const struct step steps[] = {__VA_ARGS__};              \
		scenario_run(policy, steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)
