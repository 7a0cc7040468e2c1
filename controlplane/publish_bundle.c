// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Bundles of small versions; see publish_bundle.h.
//
//	put ... ─► write (work thread) ─► compile (child) ─► judge (work thread) ─► parcel ─► LIVE
//
// A parcel is one attempt: where a version of it is not to be published after all, or the socket
// does not take it, each goes as a publication of its own, out of the same memfd.
#include "publish_bundle.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "image.h"
#include "log.h"
#include "publish_build.h"
#include "seam.h"
#include "seam_server.h"

#define SMALL_RECORDS 256
#define SMALL_BYTES   ((uint64_t)32 << 10)
// One is written or judged while the child has the other.
#define BUNDLES_MAX 2

static_assert(sizeof(struct seam_parcel_entry) % 8 == 0, "a table");

struct bundle {
	struct offload_job job; // first
	struct compiler_job compile;
	struct bundler *bundler;
	struct build *builds[COMPILER_MANY]; // those that take part still
	unsigned count;
	int image;
	uint64_t size; // of the memfd
	int rc;
	struct seam_parcel_entry table[COMPILER_MANY];
};

// On its way to the data plane.
struct parcel {
	struct parcel *next;
	uint64_t generation;
	unsigned count;
	struct {
		struct pzone *zone; // it stays as long as zone->parcels is not 0
		uint64_t generation;
	} versions[];
};

struct bundler {
	struct publisher *publisher;
	struct event *turn;
	struct build *first, **last; // waiting
	unsigned waiting, bundles;   // bundles: under way
	struct parcel *parcels, **parcels_last;
};

static void bundles_start(struct bundler *bundler);

// --- parcels
// --------------------------------------------------------------------------------------

static bool version_waits(const struct pzone *zone, uint64_t generation, enum pzone_stage stage)
{
	return zone->stage == stage && zone->next->generation == generation;
}

static void parcel_free(struct parcel *parcel)
{
	for (unsigned i = 0; parcel != NULL && i < parcel->count; i++)
		parcel->versions[i].zone->parcels--;
	free(parcel);
}

// All of it or nothing. Post: true when it is sent.
static bool parcel_send(struct bundle *bundle, unsigned count)
{
	struct bundler *bundler = bundle->bundler;
	struct publisher *p = bundler->publisher;
	struct seam_message message = {.type = SEAM_PARCEL};
	struct parcel *parcel;

	if (!p->connected || count < 2 || count != bundle->count)
		return false;
	parcel = calloc(1, sizeof(*parcel) + count * sizeof(parcel->versions[0]));
	if (parcel == NULL)
		return false;
	for (; parcel->count < count; parcel->count++) {
		const struct seam_parcel_entry *entry = &bundle->table[parcel->count];
		struct pzone *zone = pzone_find(p, entry->name.wire);

		if (zone == NULL || zone->hidden ||
		    !version_waits(zone, entry->generation, STAGE_READY))
			goto free;
		zone->parcels++;
		parcel->versions[parcel->count].zone = zone;
		parcel->versions[parcel->count].generation = entry->generation;
	}
	message.generation = parcel->generation = ++p->generation;
	message.parcel.count = count;
	message.parcel.size = bundle->size;
	if (seam_server_send(p->seam, &message, bundle->image) < 0)
		goto free;
	for (unsigned i = 0; i < count; i++) {
		struct pzone *zone = parcel->versions[i].zone;

		zone->stage = STAGE_SENT;
		zone->next->attempts++;
		zone->tell_current = false; // this one takes its place
	}
	*bundler->parcels_last = parcel;
	bundler->parcels_last = &parcel->next;
	return true;
free:
	parcel_free(parcel);
	return false;
}

// Post: out of the list, the caller's; NULL: it is none of ours.
static struct parcel *parcel_take(struct bundler *bundler, uint64_t generation)
{
	for (struct parcel **at = &bundler->parcels; *at != NULL; at = &(*at)->next) {
		struct parcel *parcel = *at;

		if (parcel->generation != generation)
			continue;
		*at = parcel->next;
		if (parcel->next == NULL)
			bundler->parcels_last = at;
		return parcel;
	}
	return NULL;
}

void parcel_live(struct bundler *bundler, uint64_t generation)
{
	struct parcel *parcel = parcel_take(bundler, generation);

	// All but those that were refused before. One that was taken back meanwhile is live, too.
	for (unsigned i = 0; parcel != NULL && i < parcel->count; i++) {
		struct pzone *zone = parcel->versions[i].zone;
		const uint64_t version = parcel->versions[i].generation;

		if (!zone->configured || zone->hidden || version_waits(zone, version, STAGE_SENT))
			publish_said_live(bundler->publisher, zone, version);
	}
	parcel_free(parcel);
}

void parcel_rejected(struct bundler *bundler, uint64_t generation, const char *reason)
{
	struct publisher *p = bundler->publisher;
	struct parcel *parcel = parcel_take(bundler, generation);

	if (parcel == NULL)
		return;
	log_error("the data plane refused a parcel of %u zones: %s; each is sent by itself",
	    parcel->count, reason);
	for (unsigned i = 0; i < parcel->count; i++) {
		struct pzone *zone = parcel->versions[i].zone;

		if (!version_waits(zone, parcel->versions[i].generation, STAGE_SENT))
			continue;
		zone->stage = STAGE_READY;
		publish_tell(p, zone);
	}
	parcel_free(parcel);
	publish_flush(p);
}

void parcels_forget(struct bundler *bundler)
{
	while (bundler->parcels != NULL) {
		struct parcel *parcel = bundler->parcels;

		bundler->parcels = parcel->next;
		parcel_free(parcel);
	}
	bundler->parcels_last = &bundler->parcels;
}

// --- after the compiler
// ---------------------------------------------------------------------------

static void bundle_free(struct bundle *bundle)
{
	struct bundler *bundler = bundle->bundler;

	if (bundle->compile.batch >= 0)
		close(bundle->compile.batch);
	if (bundle->image >= 0)
		close(bundle->image);
	free(bundle);
	bundler->bundles--;
	if (!bundler->publisher->closing)
		bundles_start(bundler);
}

// What it has claimed it claims again.
static void one_alone(struct build *build)
{
	if (build->zone == NULL || build->publisher->closing) {
		build_end(build);
		return;
	}
	admission_release(&build->publisher->admission, &build->claim);
	build->image_at = 0; // it will have a memfd of its own
	build_alone(build);
}

static void all_alone(struct bundle *bundle)
{
	for (unsigned i = 0; i < bundle->count; i++)
		one_alone(bundle->builds[i]);
	bundle_free(bundle);
}

// Sealed with its table, then looked at.
static void judge_run(struct offload_job *job)
{
	struct bundle *bundle = (struct bundle *)job;
	const size_t table = bundle->count * sizeof(bundle->table[0]);
	const void *mem;

	bundle->rc = 0;
	if (pwrite(bundle->image, bundle->table, table, 0) != (ssize_t)table)
		bundle->rc = -EIO;
	if (bundle->rc == 0 && ftruncate(bundle->image, (off_t)bundle->size) < 0)
		bundle->rc = -errno;
	if (bundle->rc == 0)
		bundle->rc = image_seal(bundle->image);
	if (bundle->rc == 0)
		bundle->rc = image_map(bundle->image, 0, bundle->size, &mem);
	if (bundle->rc < 0)
		return;
	for (unsigned i = 0; i < bundle->count; i++) {
		struct build *build = bundle->builds[i];

		build_judge(build, (const uint8_t *)mem + build->image_at);
		view_close(&build->served);
	}
	image_unmap(mem, bundle->size);
}

static void judge_done(struct offload_job *job)
{
	struct bundle *bundle = (struct bundle *)job;
	struct publisher *p = bundle->bundler->publisher;
	const unsigned count = bundle->count;

	if (bundle->rc < 0) {
		all_alone(bundle);
		return;
	}
	p->gathering = true; // nothing is sent yet
	for (unsigned i = 0; i < count; i++) {
		struct build *build = bundle->builds[i];

		// A descriptor each, so that each goes when it is not needed any more.
		build->image = fcntl(bundle->image, F_DUPFD_CLOEXEC, 3);
		if (build->image < 0 && build->rc == 0) {
			build->rc = -errno;
			snprintf(build->error, sizeof(build->error),
			    "The image cannot be kept: %s.", strerror(-build->rc));
		}
		build_end(build);
	}
	(void)parcel_send(bundle, count);
	p->gathering = false;
	publish_flush(p);
	bundle_free(bundle);
}

static void entry_fill(struct seam_parcel_entry *entry, const struct build *build)
{
	*entry = (struct seam_parcel_entry){.generation = build->options.generation,
	    .offset = build->image_at,
	    .size = build->image_size,
	    .expires_at = publish_soa_expires_at(build->zone, &build->soa),
	    .serial = build->soa.serial,
	    .grace_s = build->zone->grace_s};
	entry->name.len = build->apex_len;
	memcpy(entry->name.wire, build->apex, build->apex_len);
}

static void compile_done(struct compiler_job *job, int fd, uint64_t used, const char *error)
{
	struct bundle *bundle = (struct bundle *)((char *)job - offsetof(struct bundle, compile));
	uint64_t at = job->images_at;
	unsigned to = 0;

	close(bundle->compile.batch);
	bundle->compile.batch = -1;
	bundle->image = fd;
	bundle->size = used;
	if (fd < 0) {
		if (!bundle->bundler->publisher->closing)
			log_warning("%s The zones are compiled one by one.", error);
		all_alone(bundle);
		return;
	}
	for (unsigned i = 0; i < bundle->count; i++) {
		struct build *build = bundle->builds[i];
		const uint64_t size = job->sizes[i];

		if (build->zone == NULL || size == 0) {
			one_alone(build);
		} else {
			build->image_at = at;
			build->image_size = size;
			entry_fill(&bundle->table[to], build);
			bundle->builds[to++] = build;
		}
		at += (size + IMAGE_ALIGN - 1) & ~(uint64_t)(IMAGE_ALIGN - 1);
	}
	bundle->count = to;
	if (to == 0 || at != used) {
		all_alone(bundle);
		return;
	}
	bundle->job.run = judge_run;
	bundle->job.done = judge_done;
	offload_submit(bundle->bundler->publisher->work, &bundle->job);
}

// --- before it
// ------------------------------------------------------------------------------------

static void write_run(struct offload_job *job)
{
	struct bundle *bundle = (struct bundle *)job;
	struct batch_part parts[COMPILER_MANY];
	unsigned count = 0;

	for (unsigned i = 0; i < bundle->count; i++) {
		struct build *build = bundle->builds[i];

		build->ready = build_prepare(build);
		if (build->ready)
			parts[count++] = (struct batch_part){
			    .records = build->content.records, .options = build->options};
	}
	bundle->compile.count = count;
	bundle->compile.images_at =
	    (count * sizeof(bundle->table[0]) + IMAGE_ALIGN - 1) & ~(uint64_t)(IMAGE_ALIGN - 1);
	if (count > 0)
		bundle->compile.batch = batch_write_many(parts, count, &bundle->compile.batch_size);
}

static void write_done(struct offload_job *job)
{
	struct bundle *bundle = (struct bundle *)job;
	unsigned to = 0;

	for (unsigned i = 0; i < bundle->count; i++) {
		struct build *build = bundle->builds[i];

		if (build->ready)
			bundle->builds[to++] = build;
		else
			build_end(build);
	}
	bundle->count = to;
	if (to == 0 || bundle->compile.batch < 0 || bundle->bundler->publisher->closing) {
		all_alone(bundle);
		return;
	}
	bundle->compile.done = compile_done;
	compiler_submit(bundle->bundler->publisher->compiler, &bundle->compile);
}

static struct build *waiting_take(struct bundler *bundler)
{
	struct build *build = bundler->first;

	bundler->first = build->next;
	if (bundler->first == NULL)
		bundler->last = &bundler->first;
	bundler->waiting--;
	return build;
}

static void bundles_start(struct bundler *bundler)
{
	while (bundler->waiting > 0 && bundler->bundles < BUNDLES_MAX) {
		struct bundle *bundle = bundler->waiting > 1 ? calloc(1, sizeof(*bundle)) : NULL;

		if (bundle == NULL) {
			one_alone(waiting_take(bundler));
			continue;
		}
		bundle->bundler = bundler;
		bundle->image = bundle->compile.batch = -1;
		while (bundler->waiting > 0 && bundle->count < COMPILER_MANY)
			bundle->builds[bundle->count++] = waiting_take(bundler);
		bundle->job.run = write_run;
		bundle->job.done = write_done;
		bundler->bundles++;
		offload_submit(bundler->publisher->work, &bundle->job);
	}
}

static void bundler_turn(evutil_socket_t fd, short what, void *arg)
{
	bundles_start(arg);
}

bool bundle_takes(const struct build *build)
{
	return build->delta == NULL && build->content.records->count <= SMALL_RECORDS &&
	       build->content.records->bytes <= SMALL_BYTES;
}

void bundle_put(struct bundler *bundler, struct build *build)
{
	build->next = NULL;
	*bundler->last = build;
	bundler->last = &build->next;
	bundler->waiting++;
	event_active(bundler->turn, 0, 0); // what comes in the same turn comes along
}

struct bundler *bundler_open(struct publisher *p)
{
	struct bundler *bundler = calloc(1, sizeof(*bundler));

	if (bundler == NULL)
		return NULL;
	bundler->publisher = p;
	bundler->last = &bundler->first;
	bundler->parcels_last = &bundler->parcels;
	bundler->turn = event_new(p->base, -1, EV_PERSIST, bundler_turn, bundler);
	if (bundler->turn == NULL) {
		free(bundler);
		return NULL;
	}
	return bundler;
}

void bundler_close(struct bundler *bundler)
{
	if (bundler == NULL)
		return;
	while (bundler->waiting > 0)
		build_end(waiting_take(bundler));
	parcels_forget(bundler);
	event_free(bundler->turn);
	free(bundler);
}
