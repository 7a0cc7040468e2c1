// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Who may ask a primary next (see pacing.h).
#include "pacing.h"

#include <stddef.h>
#include <string.h>

void pacing_init(struct pacing *pacing, struct pacing_total *total)
{
	memset(pacing, 0, sizeof(*pacing));
	pacing->total = total;
	pacing->down_until_ms = INT64_MIN;
	pacing->second_ms = INT64_MIN;
	for (unsigned kind = 0; kind < PACING_KINDS; kind++) {
		for (unsigned urgency = 0; urgency < ZONE_URGENCIES; urgency++) {
			TAILQ_INIT(&pacing->queues[kind][urgency]);
		}
	}
}

// Of a primary that is down one always goes through, to see whether it is back. `others`: that
// wait.
static bool refuses(const struct pacing *pacing, unsigned others, int64_t now_ms)
{
	const bool idle = pacing->active[PACING_QUERY] + pacing->active[PACING_TRANSFER] == 0;

	return now_ms < pacing->down_until_ms && !(idle && others == 0);
}

bool pacing_ask(struct pacing *pacing, struct pacing_waiter *waiter, enum pacing_kind kind,
    enum zone_urgency urgency, int64_t now_ms)
{
	if (urgency != ZONE_URGENCY_NOTIFY && refuses(pacing, pacing->waiting, now_ms)) {
		return false;
	}
	waiter->kind = (uint8_t)kind;
	waiter->urgency = (uint8_t)urgency;
	waiter->waiting = true;
	pacing->waiting++;
	TAILQ_INSERT_TAIL(&pacing->queues[kind][urgency], waiter, link);
	return true;
}

static bool total_allows(const struct pacing *pacing, enum pacing_kind kind)
{
	const bool first = kind == PACING_TRANSFER && pacing->active[kind] == 0;

	return pacing->total->active[kind] <
	       pacing->total->limit[kind] * (first ? PACING_FIRST_TIMES : 1);
}

static bool query_allowed(struct pacing *pacing, int64_t now_ms)
{
	if (pacing->second_ms == INT64_MIN || now_ms - pacing->second_ms >= 1000) {
		pacing->second_ms = now_ms;
		pacing->second_queries = 0;
	}
	return pacing->second_queries < pacing->query_rate;
}

static bool others_wait(const struct pacing *pacing, unsigned kind)
{
	for (unsigned urgency = ZONE_URGENCY_NOTIFY + 1; urgency < ZONE_URGENCIES; urgency++) {
		if (!TAILQ_EMPTY(&pacing->queues[kind][urgency])) {
			return true;
		}
	}
	return false;
}

static bool notify_yields(const struct pacing *pacing, unsigned kind)
{
	return pacing->notify_run[kind] >= PACING_NOTIFY_RUN - 1 && others_wait(pacing, kind);
}

struct pacing_waiter *pacing_next(struct pacing *pacing, int64_t now_ms)
{
	for (unsigned urgency = 0; urgency < ZONE_URGENCIES; urgency++) {
		for (unsigned kind = 0; kind < PACING_KINDS; kind++) {
			struct pacing_waiter *first = TAILQ_FIRST(&pacing->queues[kind][urgency]);

			if (first == NULL || pacing->active[kind] >= pacing->limit[kind] ||
			    !total_allows(pacing, (enum pacing_kind)kind) ||
			    (kind == PACING_QUERY && !query_allowed(pacing, now_ms)) ||
			    (urgency == ZONE_URGENCY_NOTIFY && notify_yields(pacing, kind))) {
				continue;
			}
			pacing_cancel(pacing, first);
			pacing->notify_run[kind] = urgency != ZONE_URGENCY_NOTIFY ? 0
			                           : pacing->notify_run[kind] < PACING_NOTIFY_RUN
			                               ? pacing->notify_run[kind] + 1
			                               : PACING_NOTIFY_RUN;
			pacing->active[kind]++;
			pacing->total->active[kind]++;
			pacing->second_queries += kind == PACING_QUERY;
			return first;
		}
	}
	return NULL;
}

struct pacing_waiter *pacing_refused(struct pacing *pacing, int64_t now_ms)
{
	if (pacing->waiting == 0 || !refuses(pacing, pacing->waiting - 1, now_ms)) {
		return NULL;
	}
	for (unsigned urgency = ZONE_URGENCY_NOTIFY + 1; urgency < ZONE_URGENCIES; urgency++) {
		for (unsigned kind = 0; kind < PACING_KINDS; kind++) {
			struct pacing_waiter *first = TAILQ_FIRST(&pacing->queues[kind][urgency]);

			if (first != NULL) {
				pacing_cancel(pacing, first);
				return first;
			}
		}
	}
	return NULL;
}

void pacing_cancel(struct pacing *pacing, struct pacing_waiter *waiter)
{
	if (waiter->waiting) {
		TAILQ_REMOVE(&pacing->queues[waiter->kind][waiter->urgency], waiter, link);
		waiter->waiting = false;
		pacing->waiting--;
	}
}

void pacing_release(
    struct pacing *pacing, enum pacing_kind kind, enum pacing_word word, int64_t now_ms)
{
	pacing->active[kind]--;
	pacing->total->active[kind]--;
	if (word == PACING_UNKNOWN) {
		return;
	}
	if (word == PACING_HEARD) {
		pacing->silent = 0;
		pacing->down_until_ms = INT64_MIN;
		return;
	}
	if (pacing->silent < PACING_SILENT_MAX) {
		pacing->silent++;
	}
	if (pacing->silent == PACING_SILENT_MAX) {
		pacing->down_until_ms = now_ms + PACING_DOWN_MS;
	}
}

// What waits for another reason than the second begins when that ends: something is released then.
int64_t pacing_again_ms(const struct pacing *pacing, int64_t now_ms)
{
	bool queries = false;

	for (unsigned urgency = 0; urgency < ZONE_URGENCIES; urgency++) {
		queries = queries || !TAILQ_EMPTY(&pacing->queues[PACING_QUERY][urgency]);
	}
	if (!queries || pacing->second_queries < pacing->query_rate ||
	    pacing->active[PACING_QUERY] >= pacing->limit[PACING_QUERY] ||
	    !total_allows(pacing, PACING_QUERY)) {
		return ZONE_NEVER;
	}
	return pacing->second_ms + 1000 > now_ms ? pacing->second_ms + 1000 : now_ms + 1;
}
