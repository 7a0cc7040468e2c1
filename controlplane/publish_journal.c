// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What leads from one version served to the next goes into the zone's journal (journal.h): the
// difference as it came, or found between the two. Beside publication, in a thread of its own:
// nobody waits for it, and a version counts as durable only when its step is, too. What cannot be
// written is tried again; when too much waits, steps are left out, and the journal begins anew
// behind the gap.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "offload.h"
#include "publish_view.h"
#include "serial.h"

#define RETRY_S     5
#define BATCH_MAX   256                // steps written at once: each may be an open file
#define BACKLOG_MAX ((size_t)64 << 20) // bytes of differences that wait
#define VIEWS_MAX   256 // pairs of versions that wait to be compared: each holds descriptors

// A step on its way.
struct step {
	struct step *next;
	uint8_t apex[NAME_LEN_MAX];
	struct journal_limits limits;
	uint64_t from_content, to_content;
	int64_t when_ms;
	uint64_t number;     // in order of arrival
	size_t bytes;        // counted in the backlog
	struct delta *delta; // owned; or
	struct view before, after;
	struct journal_entry *entry; // owned; made of either in the thread
	bool gap;                    // there is no step, or it is too large: the journal goes
	int rc;
};

struct journal_writer {
	struct publisher *publisher;
	struct offload *thread;
	struct event *retry;
	struct step *waiting, **last;
	size_t bytes, views; // waiting
	uint64_t number;
	bool running, closing;
	char trouble[128];
};

// One turn of the thread.
struct batch {
	struct offload_job job; // first
	struct journal_writer *writer;
	const char *storage;
	struct step *steps[BATCH_MAX]; // owned; in order
	size_t count;
};

static void step_free(struct step *step)
{
	delta_free(step->delta);
	view_close(&step->before);
	view_close(&step->after);
	journal_entry_free(step->entry);
	free(step);
}

// --- in the thread
// --------------------------------------------------------------------------------

static void entry_make(struct step *step)
{
	struct zone_version before, after;
	char error[IMAGE_ERROR_MAX];
	int rc = 0;

	if (step->gap || step->entry != NULL)
		return;
	if (step->delta == NULL) {
		rc = view_map(&step->before, &before, error);
		if (rc == 0)
			rc = view_map(&step->after, &after, error);
		if (rc == 0)
			// Of more records nobody is ever sent it: the zone is less (outgoing.c).
			rc = delta_between(&before, &after, version_header(&after)->rr_count,
			    (size_t)step->limits.usage, &step->delta);
	}
	if (rc == 0)
		rc = journal_entry_new(step->delta, step->from_content, step->to_content,
		    step->when_ms, step->limits.usage, &step->entry);
	step->gap = rc != 0;
	delta_free(step->delta);
	step->delta = NULL;
	view_close(&step->before);
	view_close(&step->after);
}

static int by_zone(const void *left, const void *right)
{
	const struct step *x = *(struct step *const *)left, *y = *(struct step *const *)right;
	const int order = name_compare(x->apex, y->apex);

	// Of one zone: as they came.
	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

// What of the steps of one zone follows the last gap.
static struct step **behind_gap(const char *storage, struct step **begin, struct step **end)
{
	struct step **from = begin;

	for (struct step **at = begin; at < end; at++) {
		if ((*at)->gap)
			from = at + 1;
		else if (at > from && at[-1]->to_content != (*at)->from_content)
			from = at;
	}
	if (from > begin)
		journal_remove(storage, (*begin)->apex);
	return from;
}

static void steps_append(struct batch *batch)
{
	struct journal_entry *entries[BATCH_MAX];
	struct journal_append appends[BATCH_MAX];
	struct step **last = batch->steps + batch->count, **of[BATCH_MAX];
	size_t zones = 0, used = 0;

	for (struct step **begin = batch->steps, **end; begin < last; begin = end) {
		for (end = begin + 1; end < last && name_equal((*end)->apex, (*begin)->apex);)
			end++;
		struct step **at = behind_gap(batch->storage, begin, end);

		if (at == end)
			continue;
		of[zones] = at;
		appends[zones++] = (struct journal_append){.apex = (*at)->apex,
		    .limits = end[-1]->limits,
		    .entries = entries + used,
		    .count = (size_t)(end - at)};
		for (; at < end; at++)
			entries[used++] = (*at)->entry;
	}
	journal_append(batch->storage, appends, zones);
	for (size_t i = 0; i < zones; i++)
		for (size_t k = 0; k < appends[i].count; k++)
			of[i][k]->rc = appends[i].rc != -EFBIG ? appends[i].rc : 0;
}

static void batch_run(struct offload_job *job)
{
	struct batch *batch = (struct batch *)job;

	for (size_t i = 0; i < batch->count; i++) {
		entry_make(batch->steps[i]);
		batch->steps[i]->rc = 0; // a gap is done with
	}
	qsort(batch->steps, batch->count, sizeof(batch->steps[0]), by_zone);
	steps_append(batch);
}

// --- in the loop
// ----------------------------------------------------------------------------------

static void batch_done(struct offload_job *job);

static void batch_start(struct journal_writer *writer)
{
	static const struct timeval later = {.tv_sec = RETRY_S};
	struct batch *batch;

	if (writer->running || writer->closing || writer->waiting == NULL ||
	    event_pending(writer->retry, EV_TIMEOUT, NULL))
		return;
	batch = calloc(1, sizeof(*batch));
	if (batch == NULL) {
		event_add(writer->retry, &later);
		return;
	}
	batch->job.run = batch_run;
	batch->job.done = batch_done;
	batch->writer = writer;
	batch->storage = writer->publisher->storage;
	while (writer->waiting != NULL && batch->count < BATCH_MAX) {
		struct step *step = writer->waiting;

		writer->waiting = step->next;
		writer->views -= step->before.count > 0;
		batch->steps[batch->count++] = step;
	}
	if (writer->waiting == NULL)
		writer->last = &writer->waiting;
	writer->running = true;
	offload_submit(writer->thread, &batch->job);
}

static void step_done(struct journal_writer *writer, struct step *step)
{
	struct pzone *zone = pzone_find(writer->publisher, step->apex);

	writer->bytes -= step->bytes;
	if (zone != NULL)
		zone->steps_done++;
	step_free(step);
}

static void trouble_set(struct journal_writer *writer, int rc)
{
	if (rc == 0 && writer->trouble[0] != '\0')
		log_info("writing the journal works again");
	if (rc != 0 && writer->trouble[0] == '\0')
		log_error("the journal cannot be written: %s; trying again", strerror(-rc));
	writer->trouble[0] = '\0';
	if (rc != 0)
		snprintf(writer->trouble, sizeof(writer->trouble),
		    "The journal cannot be written: %s.", strerror(-rc));
}

static void batch_done(struct offload_job *job)
{
	const struct timeval later = {.tv_sec = RETRY_S};
	struct batch *batch = (struct batch *)job;
	struct journal_writer *writer = batch->writer;
	int rc = 0;

	writer->running = false;
	// What failed goes back in front: the steps of a zone stay in order.
	for (size_t i = batch->count; i-- > 0;) {
		struct step *step = batch->steps[i];

		if (step->rc == 0) {
			step_done(writer, step);
			continue;
		}
		rc = step->rc;
		if (writer->waiting == NULL)
			writer->last = &step->next;
		step->next = writer->waiting;
		writer->waiting = step;
	}
	free(batch);
	trouble_set(writer, rc);
	if (rc == 0)
		batch_start(writer);
	else if (!writer->publisher->closing)
		event_add(writer->retry, &later);
}

static void retry_tick(evutil_socket_t fd, short what, void *arg)
{
	batch_start(arg);
}

static struct step *step_new(struct journal_writer *writer, const struct pzone *zone,
    const struct version *before, const struct version *after)
{
	struct step *step = calloc(1, sizeof(*step));

	if (step == NULL)
		return NULL;
	memcpy(step->apex, zone->apex, zone->apex_len);
	step->limits = zone->journal;
	step->from_content = before->content;
	step->to_content = after->content;
	step->when_ms = clock_wall_ms();
	step->number = ++writer->number;
	return step;
}

// What is to be compared in the thread is held until then.
static void step_view(struct journal_writer *writer, struct step *step,
    const struct version *before, const struct version *after)
{
	if (writer->views >= VIEWS_MAX || view_open(&step->before, writer->publisher, before) < 0) {
		step->gap = true;
	} else if (view_open(&step->after, writer->publisher, after) < 0) {
		view_close(&step->before);
		step->gap = true;
	} else {
		writer->views++;
	}
}

void publish_journal_step(
    struct publisher *p, struct pzone *zone, const struct version *before, struct version *after)
{
	struct journal_writer *writer = p->journal;
	// What leads to the version that is back stands there already, or nothing does.
	struct step *step = before != NULL && after->how != HISTORY_ROLLBACK
	                        ? step_new(writer, zone, before, after)
	                        : NULL;

	if (step != NULL && !serial_newer(after->soa.serial, before->soa.serial)) {
		step->gap = true; // no transfer could be asked for it
	} else if (step != NULL && after->delta != NULL && after->since == before->content) {
		step->bytes = after->delta->changes->bytes;
		step->gap = writer->bytes + step->bytes > BACKLOG_MAX;
		if (!step->gap) {
			step->delta = after->delta;
			after->delta = NULL;
		}
	} else if (step != NULL) {
		step_view(writer, step, before, after);
	}
	delta_free(after->delta);
	after->delta = NULL;
	if (step == NULL)
		return;
	if (step->gap)
		step->bytes = 0;
	writer->bytes += step->bytes;
	zone->steps++;
	*writer->last = step;
	writer->last = &step->next;
	batch_start(writer);
}

const char *publish_journal_trouble(const struct publisher *p)
{
	return p->journal->trouble;
}

static bool zone_wanted(void *ctx, const uint8_t *apex)
{
	const struct pzone *zone = pzone_find(ctx, apex);

	return zone != NULL && zone->configured && (zone->current != NULL || zone->unread != NULL);
}

int publish_journal_open(struct publisher *p)
{
	struct journal_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return -ENOMEM;
	p->journal = writer;
	writer->publisher = p;
	writer->last = &writer->waiting;
	writer->thread = offload_open(p->base, "np-journal");
	writer->retry = evtimer_new(p->base, retry_tick, writer);
	if (writer->thread == NULL || writer->retry == NULL)
		return -ENOMEM;
	journal_sweep(p->storage, zone_wanted, p);
	return 0;
}

void publish_journal_finish(struct publisher *p)
{
	struct journal_writer *writer = p->journal;

	if (writer == NULL || writer->thread == NULL || writer->retry == NULL)
		return;
	event_del(writer->retry);
	batch_start(writer);
	while (writer->running)
		offload_drain(writer->thread);
}

void publish_journal_close(struct publisher *p)
{
	struct journal_writer *writer = p->journal;

	if (writer == NULL)
		return;
	writer->closing = true;
	offload_close(writer->thread);
	if (writer->retry != NULL)
		event_free(writer->retry);
	for (struct step *step = writer->waiting, *next; step != NULL; step = next) {
		next = step->next;
		step_free(step);
	}
	free(writer);
	p->journal = NULL;
}
