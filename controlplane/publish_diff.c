// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What differs between two versions that are kept, for a person: found in a thread of its own, so
// that looking holds up nothing.
#include "pzone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "publish_view.h"

// More is read by nobody, and becomes JSON in the loop: 60,000 changes take a quarter of a second.
#define DIFF_BYTES_MAX ((size_t)8 << 20)

struct diff {
	struct offload_job job; // first
	struct publisher *publisher;
	struct view before, after;
	struct delta *delta;
	char reason[IMAGE_ERROR_MAX];
	void (*done)(void *ctx, const struct delta *delta, const char *reason);
	void *ctx;
};

static void diff_free(struct diff *diff)
{
	view_close(&diff->before);
	view_close(&diff->after);
	delta_free(diff->delta);
	free(diff);
}

static void diff_run(struct offload_job *job)
{
	struct diff *diff = (struct diff *)job;
	struct zone_version before, after;
	int rc;

	if (view_map(&diff->before, &before, diff->reason) < 0 ||
	    view_map(&diff->after, &after, diff->reason) < 0)
		return;
	rc = delta_between(&before, &after, UINT64_MAX, DIFF_BYTES_MAX, &diff->delta);
	if (rc == -EFBIG)
		snprintf(diff->reason, sizeof(diff->reason),
		    "They differ in too much to be shown here.");
	else if (rc < 0)
		snprintf(diff->reason, sizeof(diff->reason), "%s.", strerror(-rc));
}

static void diff_done(struct offload_job *job)
{
	struct diff *diff = (struct diff *)job;

	if (!diff->publisher->closing)
		diff->done(diff->ctx, diff->delta, diff->delta != NULL ? NULL : diff->reason);
	diff_free(diff);
}

static const struct version *version_of(const struct pzone *zone, uint64_t generation)
{
	if (zone->current != NULL && zone->current->generation == generation)
		return zone->current;
	if (zone->held != NULL && zone->held->generation == generation)
		return zone->held;
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++)
		if (zone->kept[i] != NULL && zone->kept[i]->generation == generation)
			return zone->kept[i];
	return NULL;
}

int publisher_diff(struct publisher *p, const uint8_t *apex, uint64_t from, uint64_t to,
    void (*done)(void *ctx, const struct delta *delta, const char *reason), void *ctx)
{
	const struct pzone *zone = pzone_find(p, apex);
	const struct version *before = zone != NULL ? version_of(zone, from) : NULL;
	const struct version *after = zone != NULL ? version_of(zone, to) : NULL;
	struct diff *diff;
	int rc;

	if (before == NULL || after == NULL)
		return -ENOENT;
	diff = calloc(1, sizeof(*diff));
	if (diff == NULL)
		return -ENOMEM;
	diff->publisher = p;
	diff->done = done;
	diff->ctx = ctx;
	rc = view_open(&diff->before, p, before);
	if (rc == 0)
		rc = view_open(&diff->after, p, after);
	if (rc < 0) {
		diff_free(diff);
		return rc;
	}
	diff->job.run = diff_run;
	diff->job.done = diff_done;
	offload_submit(p->look, &diff->job);
	return 0;
}
