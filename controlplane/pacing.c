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

bool pacing_ask(struct pacing *pacing, struct pacing_waiter *waiter, enum pacing_kind kind,
    enum zone_urgency urgency, int64_t now_ms)
{
	bool idle = pacing->active[PACING_QUERY] + pacing->active[PACING_TRANSFER] == 0;

	// One always goes through, to see whether it is back.
	if (now_ms < pacing->down_until_ms && urgency != ZONE_URGENCY_NOTIFY &&
	    !(idle && pacing->waiting == 0)) {
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

struct pacing_waiter *pacing_next(struct pacing *pacing, int64_t now_ms)
{
	for (unsigned urgency = 0; urgency < ZONE_URGENCIES; urgency++) {
		for (unsigned kind = 0; kind < PACING_KINDS; kind++) {
			struct pacing_waiter *first = TAILQ_FIRST(&pacing->queues[kind][urgency]);

			if (first == NULL || pacing->active[kind] >= pacing->limit[kind] ||
			    !total_allows(pacing, (enum pacing_kind)kind) ||
			    (kind == PACING_QUERY && !query_allowed(pacing, now_ms))) {
				continue;
			}
			pacing_cancel(pacing, first);
			pacing->active[kind]++;
			pacing->total->active[kind]++;
			pacing->second_queries += kind == PACING_QUERY;
			return first;
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

void pacing_release(struct pacing *pacing, enum pacing_kind kind, bool silent, int64_t now_ms)
{
	pacing->active[kind]--;
	pacing->total->active[kind]--;
	if (!silent) {
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

int64_t pacing_again_ms(const struct pacing *pacing, int64_t now_ms)
{
	if (pacing->waiting == 0 || pacing->second_queries < pacing->query_rate) {
		return ZONE_NEVER;
	}
	return pacing->second_ms + 1000 > now_ms ? pacing->second_ms + 1000 : now_ms + 1;
}
