// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// How much may be asked of one primary at a time, and who is next: queries and transfers wait in
// queues by urgency, NOTIFY before expiring before refresh. No I/O, no clock. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "zone.h"

enum pacing_kind { PACING_QUERY, PACING_TRANSFER, PACING_KINDS };

// One more transfer for a primary that has none under way, up to so many times what there may be of
// all: ten broken primaries whose transfers creep along for hours must not keep those of all others
// waiting.
#define PACING_FIRST_TIMES 3
// A primary that was silent so often in a row counts as down for so long: what is not urgent fails
// at once, so that a dead primary costs each of a million zones nothing.
#define PACING_SILENT_MAX 3
#define PACING_DOWN_MS    10000
// Of so many that begin while others wait, all but one may be NOTIFY's: who may send those at will
// (anybody, in the name of a source without a key) must not keep a copy from being refreshed.
#define PACING_NOTIFY_RUN 8

struct pacing_waiter {
	TAILQ_ENTRY(pacing_waiter) link;
	uint8_t urgency, kind;
	bool waiting;
};
TAILQ_HEAD(pacing_queue, pacing_waiter);

struct pacing_total { // shared by all primaries of an engine
	unsigned limit[PACING_KINDS];
	unsigned active[PACING_KINDS];
};

struct pacing {
	struct pacing_total *total; // borrowed
	struct pacing_queue queues[PACING_KINDS][ZONE_URGENCIES];
	// At once, and of queries in a second; the owner may change them at any time.
	unsigned limit[PACING_KINDS], query_rate;
	unsigned active[PACING_KINDS], waiting;
	unsigned notify_run[PACING_KINDS]; // of NOTIFY's in a row
	unsigned silent;                   // in a row
	int64_t down_until_ms;
	int64_t second_ms; // when the current second of the query allowance began
	unsigned second_queries;
};

// Post: the limits are zero.
void pacing_init(struct pacing *pacing, struct pacing_total *total);

// Queues the waiter. Post: false when the primary is down and this can do without it.
bool pacing_ask(struct pacing *pacing, struct pacing_waiter *waiter, enum pacing_kind kind,
    enum zone_urgency urgency, int64_t now_ms);

// Takes the next one that may begin now; NULL when none may. Its slot is taken until
// pacing_release.
struct pacing_waiter *pacing_next(struct pacing *pacing, int64_t now_ms);

// Takes one that waits though the primary is down, and can do without: what pacing_ask would have
// refused now. NULL when there is none. No slot is taken.
struct pacing_waiter *pacing_refused(struct pacing *pacing, int64_t now_ms);

// Leaves the queue (when waiting).
void pacing_cancel(struct pacing *pacing, struct pacing_waiter *waiter);

enum pacing_word {
	PACING_HEARD,
	PACING_SILENT,  // nothing at all was heard from the primary
	PACING_UNKNOWN, // it was not waited for
};
// Gives the slot back.
void pacing_release(
    struct pacing *pacing, enum pacing_kind kind, enum pacing_word word, int64_t now_ms);

// When to call pacing_next again though nothing was released; ZONE_NEVER when there is no need.
int64_t pacing_again_ms(const struct pacing *pacing, int64_t now_ms);
