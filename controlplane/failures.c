// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What went wrong lately (see failures.h).
#include "failures.h"

#include <stdlib.h>
#include <string.h>

void failures_add(struct failures **where, const char *text, int64_t now_ms)
{
	struct failures *failures = *where;

	if (failures == NULL) {
		failures = *where = calloc(1, sizeof(*failures));
	}
	if (failures == NULL) {
		return;
	}
	if (failures->count == 0 || strcmp(failures->items[0].text, text) != 0) {
		char *copy = strndup(text, FAILURE_TEXT_MAX - 1);

		if (copy == NULL) {
			return;
		}
		if (failures->count == FAILURES_MAX) {
			free(failures->items[--failures->count].text);
		}
		memmove(failures->items + 1, failures->items,
		    failures->count * sizeof(failures->items[0]));
		failures->count++;
		failures->items[0] = (struct failure){.text = copy};
	}
	failures->items[0].at_ms = now_ms;
	failures->items[0].times++;
}

void failures_free(struct failures *failures)
{
	if (failures == NULL) {
		return;
	}
	for (size_t i = 0; i < failures->count; i++) {
		free(failures->items[i].text);
	}
	free(failures);
}
