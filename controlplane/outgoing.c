// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Answers to downstream servers over TCP (see outgoing.h).
#include "outgoing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "address.h"
#include "delta.h"
#include "rrtype.h"
#include "serial.h"

#define AGAIN_MS 5 // how often those that wait look again
// How long the journal may take to write a step before the whole zone is sent instead.
#define JOURNAL_MS 3000

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void again_soon(struct outgoings *all, int ms)
{
	struct timeval wait = {.tv_usec = ms * 1000};

	if (all->idle_count > 0) {
		(void)event_add(all->again, &wait); // it was added before: cannot fail
	}
}

static bool turn_has_come(const struct outgoing *outgoing)
{
	const struct outgoing *other;
	unsigned same = 0;

	if (outgoing->writer.qtype == RRTYPE_SOA) { // one message
		return true;
	}
	if (outgoing->all->running_count >= PROVIDER_TRANSFERS) {
		return false;
	}
	TAILQ_FOREACH(other, &outgoing->all->running, link)
	{ // PROVIDER_TRANSFERS
		same += address_same_host((const struct sockaddr *)&other->from,
		    (const struct sockaddr *)&outgoing->from);
	}
	return same < PROVIDER_TRANSFERS_PER_PEER;
}

static void difference_done(void *ctx, struct delta *delta)
{
	struct outgoing *outgoing = ctx;

	outgoing->asking = NULL;
	outgoing->delta = delta;
	connection_wake(outgoing->connection);
}

// Is the difference to be had? Post: 0: as far as it is, it is there; -EAGAIN: not yet.
static int difference_ask(struct outgoing *outgoing)
{
	const struct provider_ops *ops = &outgoing->all->ops;

	if (outgoing->asking != NULL) {
		return -EAGAIN;
	}
	if (outgoing->asked) {
		return 0;
	}
	int rc = ops->difference(ops->ctx, outgoing->apex, outgoing->serial, &outgoing->reading,
	    difference_done, outgoing, &outgoing->asking);

	outgoing->asked = rc != -EAGAIN || mono_ms() >= outgoing->journal_ms;
	return rc == 0 || !outgoing->asked ? -EAGAIN : 0;
}

static enum answer_form form_choose(const struct outgoing *outgoing, bool newer)
{
	struct provide_counters *counters = &outgoing->all->counters;

	switch (outgoing->writer.qtype) {
	case RRTYPE_SOA:
		counters->out_soa++;
		return ANSWER_SOA;
	case RRTYPE_AXFR:
		counters->out_axfr++;
		return ANSWER_WHOLE;
	}
	if (!newer) { // RFC 1995 2
		counters->out_ixfr_current++;
		return ANSWER_SOA;
	}
	counters->out_ixfr += outgoing->delta != NULL;
	counters->out_ixfr_whole += outgoing->delta == NULL;
	return outgoing->delta != NULL ? ANSWER_DIFFERENCE : ANSWER_WHOLE;
}

// Its turn, and the version. Post: as outgoing_begin().
static int outgoing_open(struct outgoing *outgoing)
{
	struct outgoings *all = outgoing->all;
	int rc = -EAGAIN;

	if (turn_has_come(outgoing)) {
		rc = all->ops.read(all->ops.ctx, outgoing->apex, &outgoing->reading);
	}
	if (rc < 0) {
		return rc == -EAGAIN && mono_ms() >= outgoing->deadline_ms ? -ETIMEDOUT : rc;
	}
	outgoing->running = true;
	outgoing->began_ms = mono_ms();
	outgoing->journal_ms = outgoing->began_ms + JOURNAL_MS;
	TAILQ_REMOVE(&all->waiting, outgoing, link);
	TAILQ_INSERT_TAIL(&all->running, outgoing, link);
	all->running_count++;
	return 0;
}

// Post: 0 when messages may be written; -EAGAIN: not yet; another -errno: never.
static int outgoing_begin(struct outgoing *outgoing)
{
	int rc = outgoing->running ? 0 : outgoing_open(outgoing);

	if (rc < 0) {
		return rc;
	}
	const uint32_t serial = version_header(&outgoing->reading.version)->serial;
	const bool newer = serial_newer(serial, outgoing->serial);

	if (outgoing->writer.qtype == RRTYPE_IXFR && newer && difference_ask(outgoing) < 0) {
		return -EAGAIN;
	}
	if (!answer_records_start(&outgoing->writer.records, form_choose(outgoing, newer),
	        &outgoing->reading.version,
	        outgoing->delta != NULL ? outgoing->delta->changes : NULL)) {
		return -EINVAL;
	}
	outgoing->serial = serial;
	outgoing->started = true;
	outgoing->all->idle_count--;
	return 0;
}

static enum source_step outgoing_refuse(
    struct outgoing *outgoing, int rc, uint8_t *buf, size_t cap, size_t *len)
{
	outgoing->all->counters.out_unready++;
	*len = answer_writer_fail(&outgoing->writer,
	    rc == -ENOENT ? WIRE_RCODE_NOTAUTH : WIRE_RCODE_SERVFAIL, buf, cap,
	    (uint64_t)time(NULL));
	return *len > 0 ? SOURCE_LAST : SOURCE_BROKEN;
}

static enum source_step outgoing_next(void *ctx, uint8_t *buf, size_t cap, size_t *len)
{
	struct outgoing *outgoing = ctx;

	if (!outgoing->started) {
		int rc = outgoing_begin(outgoing);

		if (rc == -EAGAIN) {
			outgoing->all->counters.out_waited += !outgoing->waited;
			outgoing->waited = true;
			again_soon(outgoing->all, AGAIN_MS);
			return SOURCE_WAIT;
		}
		if (rc < 0) {
			return outgoing_refuse(outgoing, rc, buf, cap, len);
		}
	}
	int rc = answer_writer_next(
	    &outgoing->writer, buf, ANSWER_MESSAGE_SIZE, cap, (uint64_t)time(NULL), len);

	if (rc < 0) {
		return SOURCE_BROKEN;
	}
	outgoing->messages++;
	outgoing->bytes += 2 + *len;
	return rc > 0 ? SOURCE_MORE : SOURCE_LAST;
}

static void outgoing_log(const struct outgoing *outgoing, const char *why)
{
	const struct provider_ops *ops = &outgoing->all->ops;
	const enum answer_form form = outgoing->writer.records.form;
	char address[ADDRESS_TEXT_MAX], text[256];

	if (!outgoing->started || (form == ANSWER_SOA && why == NULL)) {
		return;
	}
	snprintf(text, sizeof(text),
	    "serial %u to %s: %s%s, %llu records, %llu bytes in %llu messages, %lld ms",
	    outgoing->serial, address_text((const struct sockaddr *)&outgoing->from, address),
	    why != NULL                 ? "broken off: "
	    : form == ANSWER_DIFFERENCE ? "difference"
	                                : "whole zone",
	    why != NULL ? why : "", (unsigned long long)outgoing->writer.record_count,
	    (unsigned long long)outgoing->bytes, (unsigned long long)outgoing->messages,
	    (long long)(mono_ms() - outgoing->began_ms));
	ops->log(ops->log_ctx, outgoing->apex, text);
}

static void outgoing_ended(void *ctx, const char *why)
{
	struct outgoing *outgoing = ctx;
	struct outgoings *all = outgoing->all;
	struct provide_counters *counters = &all->counters;

	all->idle_count -= !outgoing->started;
	if (outgoing->asking != NULL) {
		all->ops.difference_cancel(outgoing->asking);
	}
	if (outgoing->running) {
		all->running_count--;
		TAILQ_REMOVE(&all->running, outgoing, link);
		counters->out_done += why == NULL;
		counters->out_broken += why != NULL;
		counters->out_slow += why != NULL && (strcmp(why, CONNECTION_SLOW) == 0 ||
		                                         strcmp(why, CONNECTION_STALLED) == 0);
		counters->out_messages += outgoing->messages;
		counters->out_records += outgoing->writer.record_count;
		counters->out_bytes += outgoing->bytes;
		outgoing_log(outgoing, why);
		again_soon(all, 0);
	} else {
		TAILQ_REMOVE(&all->waiting, outgoing, link);
	}
	if (outgoing->delta != NULL) {
		all->ops.difference_end(all->ops.ctx, outgoing->delta);
	}
	all->ops.read_end(all->ops.ctx, &outgoing->reading);
	tsig_key_unref(outgoing->key);
	free(outgoing);
}

static const struct connection_source outgoing_source = {
    .next = outgoing_next, .ended = outgoing_ended};

int outgoing_start(struct outgoings *all, struct connection *connection,
    const struct request *request, struct tsig_key *key)
{
	struct outgoing *outgoing = calloc(1, sizeof(*outgoing));

	if (outgoing == NULL) {
		return -ENOMEM;
	}
	outgoing->all = all;
	outgoing->connection = connection;
	outgoing->from = connection->from;
	outgoing->serial = request->serial;
	outgoing->key = tsig_key_ref(key);
	outgoing->deadline_ms = mono_ms() + PROVIDER_WAIT_MS;
	name_lower(outgoing->apex, request->qname, name_len(request->qname));
	answer_writer_open(&outgoing->writer, request, key);
	TAILQ_INSERT_TAIL(&all->waiting, outgoing, link);
	all->idle_count++;
	connection_source(connection, &outgoing_source, outgoing);
	return 0;
}

// Each that waits looks again; a wake-up may end that one, but no other.
static void list_wake(struct outgoing_list *list)
{
	struct outgoing *outgoing = TAILQ_FIRST(list);

	while (outgoing != NULL) { // as many as there are connections
		struct outgoing *next = TAILQ_NEXT(outgoing, link);

		if (!outgoing->started) {
			connection_wake(outgoing->connection);
		}
		outgoing = next;
	}
}

static void again(evutil_socket_t fd, short what, void *arg)
{
	struct outgoings *all = arg;

	(void)fd;
	(void)what;
	list_wake(&all->running);
	list_wake(&all->waiting);
	again_soon(all, AGAIN_MS);
}

int outgoings_open(struct outgoings *all, struct event_base *base, const struct provider_ops *ops)
{
	struct timeval wait = {0};

	all->base = base;
	all->ops = *ops;
	TAILQ_INIT(&all->running);
	TAILQ_INIT(&all->waiting);
	all->again = event_new(base, -1, 0, again, all);
	return all->again != NULL && event_add(all->again, &wait) == 0 ? 0 : -ENOMEM;
}

void outgoings_close(struct outgoings *all)
{
	if (all->again != NULL) {
		event_free(all->again);
	}
}
