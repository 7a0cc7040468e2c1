// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What leads from an older version to one that is open, read back out of the journal: for IXFR to
// downstream servers. The disk is read in a thread of its own, so that neither a publication nor
// the writing of the journal waits for a reader, nor a reader for them.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "reading.h"

struct difference_job {
	struct offload_job job; // first
	struct publisher *publisher;
	uint8_t apex[NAME_LEN_MAX];
	uint32_t from, to;
	uint64_t content;
	uint64_t records_max;
	size_t bytes_max;
	struct delta *delta; // what was found; or NULL
	publisher_difference_fn done;
	void *ctx; // NULL: nobody wants it any more
};

// Post: 0, or -errno: it is not to be had.
static int step_read(struct difference_job *job, struct journal *journal,
    const struct journal_step *step, struct delta *delta)
{
	struct journal_change change;
	int rc = journal_begin(journal, step);

	while (rc == 0 && (rc = journal_next(journal, &change)) > 0) {
		rc = delta_add(delta, change.added, change.owner, change.type, change.ttl,
		    change.rdata, change.rdlen);
		// Past that the zone itself is less to send, and memory is bounded.
		if (delta->changes->count > job->records_max ||
		    delta->changes->bytes > job->bytes_max)
			rc = -EFBIG;
	}
	return rc;
}

static void difference_run(struct offload_job *offload)
{
	struct difference_job *job = (struct difference_job *)offload;
	char error[JOURNAL_ERROR_MAX];
	const struct journal_step *step;
	struct journal *journal;
	struct delta *delta;

	// One at a time is read, so nobody takes more of it meanwhile.
	const size_t taken =
	    atomic_load_explicit(&job->publisher->differences, memory_order_relaxed);

	job->bytes_max = taken < PUBLISHER_DIFFERENCES_MAX ? PUBLISHER_DIFFERENCES_MAX - taken : 0;
	if (job->bytes_max > PUBLISHER_DIFFERENCE_MAX)
		job->bytes_max = PUBLISHER_DIFFERENCE_MAX;
	if (journal_open(job->publisher->storage, job->apex, &journal, error) < 0)
		return;
	size_t steps = journal_chain(journal, job->from, job->to, job->content, &step);

	delta = steps > 0 ? delta_new(job->apex, job->from) : NULL;
	for (size_t i = 0; i < steps && delta != NULL; i++) {
		delta->steps += step[i].versions;
		delta->to = step[i].to;
		if (step_read(job, journal, &step[i], delta) < 0) {
			delta_free(delta);
			delta = NULL;
		}
	}
	journal_close(journal);
	job->delta = delta;
	if (delta != NULL) // thread: adds; loop: takes off. A sum, that orders nothing.
		atomic_fetch_add_explicit(
		    &job->publisher->differences, delta->changes->bytes, memory_order_relaxed);
}

void publisher_difference_end(struct publisher *p, struct delta *delta)
{
	if (delta != NULL)
		atomic_fetch_sub_explicit(
		    &p->differences, delta->changes->bytes, memory_order_relaxed);
	delta_free(delta);
}

static void difference_done(struct offload_job *offload)
{
	struct difference_job *job = (struct difference_job *)offload;

	if (job->ctx != NULL)
		job->done(job->ctx, job->delta);
	else
		publisher_difference_end(job->publisher, job->delta);
	free(job);
}

int publisher_difference(struct publisher *p, const uint8_t *apex, uint32_t from,
    const struct reading *to, publisher_difference_fn done, void *ctx, struct difference_job **out)
{
	const struct pzone *zone = pzone_find(p, apex);
	struct difference_job *job;

	if (zone == NULL || p->closing)
		return -ENOENT;
	// What came since does not matter: a zone that changes all the time would never be ready.
	if (zone->steps_done < to->steps)
		return -EAGAIN;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	job->job.run = difference_run;
	job->job.done = difference_done;
	job->publisher = p;
	memcpy(job->apex, zone->apex, zone->apex_len);
	job->from = from;
	job->to = version_header(&to->version)->serial;
	job->content = to->content;
	job->records_max = version_header(&to->version)->rr_count;
	job->done = done;
	job->ctx = ctx;
	offload_submit(p->reader, &job->job);
	*out = job;
	return 0;
}

void publisher_difference_cancel(struct difference_job *job)
{
	job->ctx = NULL;
}
