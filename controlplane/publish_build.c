// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From records, or from what is served and a difference, to a verified, sealed image: the
// difference becomes an overlay, or is applied to the whole, the zone's digest is checked, and a
// batch is written (work thread), compiled (child), then sealed, verified and compared with what is
// served (work thread). What takes long has a thread and a child of its own, so that a small change
// never waits for a large zone. A large image is not verified here when a data plane is there to do
// it: until that one has said LIVE, nothing reads it and it is not stored. A build whose zone lost
// interest runs to its end and is dropped.
#include "publish_build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "admission.h"
#include "batch.h"
#include "delta.h"
#include "image.h"
#include "log.h"
#include "publish_bundle.h"
#include "publish_digest.h"
#include "reader.h"
#include "rrtype.h"
#include "serial.h"
#include "stack.h"

#define HEAVY_RECORDS 20000
#define HEAVY_BATCH   ((uint64_t)1 << 20)
#define HEAVY_IMAGE   ((uint64_t)4 << 20)
#define LIGHT_RECORDS 64 // of a difference; less work than to wake a thread
#define LIGHT_NAMES   (2 * STACK_TOP_MAX)
#define LIGHT_SINCE   4096 // bytes of names
#define LIGHT_IMAGE   ((uint64_t)64 << 10)

// What was made, on what stays below it.
static struct version *version_of(struct build *build)
{
	struct version *version = version_new(build->zone);
	struct layer *top =
	    version != NULL ? layer_new(build->zone, build->image, &build->header) : NULL;

	if (top == NULL) {
		free(version);
		return NULL;
	}
	top->image.fd_offset = build->image_at;
	build->image = -1;
	top->unproven = build->entrusted;
	version_stand_on(version, top);
	for (unsigned i = build->kept; i > 0; i--)
		version_stand_on(version, build->on_ground
		                              ? build->ground_layers[build->ground_count - i]
		                              : build->layers[build->layer_count - i]);
	version->generation = build->options.generation;
	version->content = build->options.id;
	version->how = build->delta != NULL && !build->came_whole ? HISTORY_IXFR
	               : build->zone->secondary                   ? HISTORY_AXFR
	                                                          : HISTORY_FILE;
	version->delta = build->delta;
	version->since = build->zone->current != NULL ? build->zone->current->content : 0;
	build->delta = NULL;
	version->rr_count = build->header.rr_count;
	version->zonemd = build->zonemd;
	version->soa = build->soa;
	version->origin = build->content.origin;
	version->source = build->content.source;
	return version;
}

static void layers_give_up(struct publisher *p, struct layer **layers, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		layers[i]->users--;
		layer_rest(layers[i]);
		layer_unref(p, layers[i]);
	}
}

// Equal to what is served: now the same data is known from there, which is all there is to write.
static void known_from(struct publisher *p, struct pzone *zone, const struct content *content)
{
	struct version *current = zone->current;

	if (current->origin == content->origin &&
	    file_mark_same(&current->source, &content->source))
		return;
	current->origin = content->origin;
	current->source = content->source;
	publish_history_touch(p, zone);
}

void build_end(struct build *build)
{
	struct pzone *zone = build->zone;
	struct publisher *p = build->publisher;
	struct version *version = NULL;
	char reason[PUBLISH_REASON_MAX];

	if (zone != NULL && build->rc == 0 && !build->equal) {
		version = version_of(build);
		if (version == NULL) {
			build->rc = -ENOMEM;
			snprintf(build->error, sizeof(build->error), "Out of memory.");
		}
	}
	if (zone != NULL && build->rc == 0 && build->equal && zone->current != NULL)
		known_from(p, zone, &build->content);
	else if (zone != NULL)
		publish_dirty(p, zone, true);
	snprintf(reason, sizeof(reason), "%s", build->error);
	if (build->compile.batch >= 0)
		close(build->compile.batch);
	if (build->image >= 0)
		close(build->image);
	// The next difference need not read it again; and what is broken gives way then.
	if (zone != NULL && (build->heavy || build->rotten) && !p->closing &&
	    zone->current != NULL && version_layer_on_disk(zone->current) != NULL)
		publish_load(p, zone);
	view_close(&build->served);
	view_close(&build->ground_view);
	layers_give_up(p, build->layers, build->layer_count);
	layers_give_up(p, build->ground_layers, build->ground_count);
	free((uint8_t *)(uintptr_t)build->since.bytes);
	content_free(&build->content);
	delta_free(build->delta);
	admission_built(&p->admission, &build->claim);
	if (version != NULL)
		zone->claim = build->claim;
	else
		admission_release(&p->admission, &build->claim);
	const int rc = build->rc;
	const bool held = build->held, held_short = build->held_short;
	const bool no_room = build->no_room;
	free(build);
	if (zone != NULL) {
		zone->build = NULL;
		zone->held_short = held_short;
		zone->no_room = no_room;
		publish_built(p, zone, version, rc < 0 || held ? reason : NULL);
	}
}

static void __attribute__((format(printf, 2, 3)))
build_fail(struct build *build, const char *format, ...)
{
	va_list args;

	build->rc = -EINVAL;
	va_start(args, format);
	vsnprintf(build->error, sizeof(build->error), format, args);
	va_end(args);
}

// --- after the compiler
// ---------------------------------------------------------------------------

// Everything but what names the version is the same.
static bool image_same(const void *a, const void *b, size_t size)
{
	struct image_header x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	x.generation = x.id = x.checksum = 0;
	y.generation = y.id = y.checksum = 0;
	return memcmp(&x, &y, sizeof(x)) == 0 &&
	       memcmp((const uint8_t *)a + sizeof(x), (const uint8_t *)b + sizeof(y),
	           size - sizeof(x)) == 0;
}

// The verifier proves that an image is safe; that it is the one asked for is proven here.
static bool is_asked_for(struct build *build, const void *mem)
{
	const struct image_header *header = mem;
	struct zone_version version = {.layer_count = build->kept + 1};

	if (header->apex_len != build->apex_len ||
	    memcmp(image_apex(header), build->apex, build->apex_len) != 0 ||
	    header->generation != build->options.generation || header->id != build->options.id ||
	    header->hash_key[0] != build->options.key.k[0] ||
	    header->hash_key[1] != build->options.key.k[1] || build->soa.serial != header->serial ||
	    image_open(&version.layer[0], mem, build->image_size) < 0)
		return false;
	const struct zone_version *below = build->on_ground ? &build->ground : &build->before;

	memcpy(version.layer + 1, below->layer + below->layer_count - build->kept,
	    build->kept * sizeof(version.layer[0]));
	return version_check(&version) == 0;
}

static bool image_proven(struct build *build, const void *mem)
{
	char error[IMAGE_ERROR_MAX];

	if (image_verify(mem, build->image_size, error) == 0)
		return true;
	build_fail(build, "The compiled image does not verify: %s", error);
	return false;
}

// Is a person to look at it first, or is it to wait for other primaries? What only they can release
// must have passed everything else.
static void gates_pass(struct build *build, const void *mem)
{
	const struct image *top = &build->before.layer[0];

	if (build->before.layer_count > 0) {
		build->equal = build->kept == 0 && build->before.layer_count == 1 &&
		               top->header->size == build->image_size &&
		               image_same(mem, top->mem, top->header->size);
		if (!build->equal && build->shrink_limit < 100) {
			const struct gate_facts before = gate_facts_of(top->mem, top->header->size);

			build->held =
			    gate_holds(&before, &build->facts, build->shrink_limit, build->error);
		}
	}
	if (!build->equal && !build->held && build->content.hold != NULL) {
		build->held = build->held_short = true;
		snprintf(build->error, sizeof(build->error), "%s", build->content.hold);
	}
}

void build_judge(struct build *build, const void *mem)
{
	char error[IMAGE_ERROR_MAX];

	if (!build->entrusted && !image_proven(build, mem))
		return;
	if (build->kept > 0 && !image_soa(mem, build->image_size, &build->soa))
		build->soa.serial = ~((const struct image_header *)mem)->serial;
	if (!is_asked_for(build, mem)) {
		build_fail(build, "The compiler made an image of something else.");
		return;
	}
	memcpy(&build->header, mem, sizeof(build->header));
	if (build->kept > 0)
		build->facts = gate_facts_of(mem, build->image_size);
	build->facts.rr_count = build->header.rr_count;
	// A transfer has counted what it brought; this is what a difference has led to.
	if (build->header.rr_count > build->records_max) {
		build_fail(build, "It has %llu records, and zone-max-records is %u.",
		    (unsigned long long)build->header.rr_count, build->records_max);
		return;
	}
	build->rc = 0;
	if (build->before.layer_count == 0 && build->served.count > 0) {
		const int rc = view_map(&build->served, &build->before, error);

		// A file can have rotted since the start; then there is nothing to compare with.
		if (rc < 0)
			build->before.layer_count = 0;
		if (rc < 0 && rc != -EBADMSG && rc != -EINVAL)
			build_fail(build, "The version served cannot be read: %s", error);
	}
	if (build->rc < 0)
		return;
	gates_pass(build, mem);
	// It may be held for long, and over restarts: without a data plane's proof.
	if (build->held && build->entrusted) {
		build->entrusted = false;
		build->held = image_proven(build, mem);
	}
}

// Sealed first: what is verified can then no longer change, whoever still holds the descriptor.
static void verify_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	const void *mem;

	close(build->compile.batch); // here: to give back the pages of a large one takes long
	build->compile.batch = -1;
	int rc = ftruncate(build->image, (off_t)build->image_size) < 0 ? -errno : 0;

	if (rc == 0)
		rc = image_seal(build->image);
	if (rc == 0)
		rc = (build->entrusted ? image_map_lazy : image_map)(
		    build->image, 0, build->image_size, &mem);
	if (rc < 0) {
		build_fail(build, "The image cannot be sealed: %s.", strerror(-rc));
		return;
	}
	build_judge(build, mem);
	image_unmap(mem, build->image_size);
	view_close(&build->served);
	view_close(&build->ground_view);
}

static void proof_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	const void *mem;
	const int rc = image_map(build->image, 0, build->image_size, &mem);

	if (rc < 0) {
		build_fail(build, "The image cannot be read: %s.", strerror(-rc));
		return;
	}
	(void)image_proven(build, mem);
	image_unmap(mem, build->image_size);
}

static void verify_done(struct offload_job *job)
{
	struct build *build = (struct build *)job;

	// Gone meanwhile: then it is our business after all.
	if (build->entrusted && build->rc == 0 && !build->publisher->closing &&
	    (!build->publisher->connected || (build->zone != NULL && build->zone->hidden))) {
		build->entrusted = false;
		build->job.run = proof_run;
		offload_submit(build->publisher->heavy, &build->job);
		return;
	}
	build_end(build);
}

static void compile_done(struct compiler_job *job, int fd, uint64_t used, const char *error)
{
	struct build *build = (struct build *)((char *)job - offsetof(struct build, compile));

	build->image = fd;
	build->image_size = used;
	if (fd < 0)
		build_fail(build, "%s", error);
	if (fd < 0 || build->zone == NULL) {
		build_end(build);
		return;
	}
	build->entrusted = build->kept == 0 && used > HEAVY_IMAGE && build->publisher->connected &&
	                   !build->zone->hidden;
	build->job.run = verify_run;
	build->job.done = verify_done;
	if (build->light && build->kept > 0 && used <= LIGHT_IMAGE)
		offload_run(build->publisher->work, &build->job);
	else
		offload_submit(
		    used > HEAVY_IMAGE ? build->publisher->heavy : build->publisher->work,
		    &build->job);
}

// --- before it
// ------------------------------------------------------------------------------------

// The records of the version that the difference leads to.
static void difference_apply(struct build *build)
{
	char error[DELTA_ERROR_MAX] = "";

	if (delta_apply(build->delta, &build->before, &build->content.records, error) < 0)
		build_fail(build, "%s", error);
}

// Post: false when the zone is refused.
static bool digest_good(struct build *build)
{
	char reason[DIGEST_REASON_MAX];

	if (digest_judge(build->zonemd, build->content.records, reason))
		return true;
	build_fail(build, "%s", reason);
	return false;
}

// What the image will be compared with, and what of it is asked before it is proven.
static void apex_look(struct build *build, const struct records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *item = &records->items[i];

		if (item->owner_len != build->apex_len || !name_equal(item->owner, build->apex))
			continue;
		if (item->type == RRTYPE_SOA)
			(void)rdata_soa(item->rdata, item->rdlen, &build->soa);
		build->facts.has_dnskey |= item->type == RRTYPE_DNSKEY;
	}
}

static void batch_make(
    struct build *build, const struct records *records, const struct compile_overlay *overlay)
{
	build->compile.batch = batch_write(records, overlay, &build->compile.batch_size);
	if (build->compile.batch < 0)
		build_fail(build, "The records cannot be handed to the compiler: %s.",
		    strerror(-build->compile.batch));
}

// Post: false when the version would not fit into memory.
static bool admitted(struct build *build, const struct records *records)
{
	char reason[ADMISSION_REASON_MAX];

	// A small one is built without a look at the system's files.
	const uint64_t available =
	    records->bytes > ADMISSION_LOOK_MIN ? admission_available("") : UINT64_MAX;

	if (admission_claim(&build->publisher->admission, available, records->count, records->bytes,
	        &build->claim, reason))
		return true;
	build->no_room = true;
	build_fail(build, "%s", reason);
	return false;
}

// A digest is over the whole zone (RFC 8976 3).
static bool wants_digest(const struct build *build)
{
	const struct image *top = &build->before.layer[0];
	const struct node_ref apex = {.image = top, .node = image_at(top, top->header->apex_ref)};
	const struct records *changes = build->delta->changes;

	if (build->zonemd != CONFIG_ZONEMD_IF_PRESENT)
		return build->zonemd != CONFIG_ZONEMD_OFF;
	if (node_rrset(apex, RRTYPE_ZONEMD) != NULL)
		return true;
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].type == RRTYPE_ZONEMD)
			return true;
	return false;
}

// Post: as stack_difference().
static int ground_stand(struct build *build, struct overlay *overlay, char error[DELTA_ERROR_MAX])
{
	char why[IMAGE_ERROR_MAX];
	int rc = -E2BIG;

	if (build->ground.layer_count > 0 ||
	    view_map(&build->ground_view, &build->ground, why) == 0)
		rc = stack_on_ground(
		    &build->before, build->delta, &build->ground, &build->since, overlay, error);
	else
		build->ground.layer_count = 0;
	build->on_ground = rc == 0;
	build->kept = rc == 0 ? build->ground_count : 0;
	return rc;
}

// What is served and a difference to it. Post: build->whole when an overlay will not do.
static void difference_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	char error[DELTA_ERROR_MAX > IMAGE_ERROR_MAX ? DELTA_ERROR_MAX : IMAGE_ERROR_MAX];
	struct overlay overlay;
	int rc;

	rc = build->before.layer_count == 0 ? view_map(&build->served, &build->before, error) : 0;
	if (rc < 0) {
		build->before.layer_count = 0;
		build->rotten = rc == -EBADMSG;
		build_fail(build, "%s: %s",
		    rc == -EBADMSG ? "The stored version is broken"
		                   : "The version served cannot be read",
		    error);
		return;
	}
	rc = -E2BIG;
	if (!wants_digest(build)) {
		if (build->ground_count > 0)
			rc = ground_stand(build, &overlay, error);
		if (rc == -E2BIG)
			rc = stack_difference(&build->before, build->delta,
			    build->light ? LIGHT_NAMES : SIZE_MAX, &overlay, &build->kept, error);
	}
	if (rc == -E2BIG && build->light) {
		build->light = false;
		build->again = true; // more names than records: in the thread
	} else if (rc == -E2BIG) {
		build->whole = true;
		build->kept = 0;
	} else if (rc < 0) {
		build_fail(build, "%s", error);
	} else {
		if (admitted(build, overlay.records))
			batch_make(build, overlay.records, &overlay.plan);
		overlay_free(&overlay);
	}
}

bool build_prepare(struct build *build)
{
	if (!digest_good(build))
		return false;
	apex_look(build, build->content.records);
	return admitted(build, build->content.records);
}

static void batch_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;

	if (build->delta != NULL)
		difference_apply(build);
	if (build->content.records == NULL || !build_prepare(build))
		return;
	batch_make(build, build->content.records, NULL);
	records_free(build->content.records);
	build->content.records = NULL;
}

static void batch_done(struct offload_job *job)
{
	struct build *build = (struct build *)job;

	if (build->zone != NULL && build->again && !build->publisher->closing) {
		build->again = false;
		offload_submit(build->publisher->work, &build->job);
		return;
	}
	if (build->zone != NULL && build->whole && !build->publisher->closing) {
		build->whole = false;
		build->job.run = batch_run;
		offload_submit(
		    build->heavy ? build->publisher->heavy : build->publisher->work, &build->job);
		return;
	}
	if (build->zone == NULL || build->compile.batch < 0 || build->publisher->closing) {
		build_end(build);
		return;
	}
	build->compile.heavy = build->compile.batch_size > HEAVY_BATCH;
	build->compile.options = build->options;
	build->compile.done = compile_done;
	compiler_submit(build->publisher->compiler, &build->compile);
}

// Everything of a version that the threads will look at. Post: the number of layers, or -errno.
static int version_hold_open(const struct publisher *p, const struct version *version,
    struct view *view, struct layer *layers[IMAGE_LAYERS_MAX])
{
	const int rc = view_open(view, p, version);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < version->layer_count; i++) {
		struct layer *layer = layers[i] = version->layer[i];

		layer->refs++;
		layer->users++;
		view->image[i].mem = layer_map(layer);
		view->image[i].borrowed = layer->mem != NULL;
	}
	return (int)version->layer_count;
}

static void ground_take(struct build *build, const struct folding *folding)
{
	uint8_t *since = malloc(folding->len + 1);

	if (since == NULL)
		return;
	if (folding->len > 0)
		memcpy(since, folding->since, folding->len);
	build->since = (struct overlay_names){since, folding->len};
	const int count = version_hold_open(
	    build->publisher, folding->ground, &build->ground_view, build->ground_layers);

	build->ground_count = count > 0 ? (unsigned)count : 0; // without, there is another place
}

// What is served, to compare with. Post: false when it is there and cannot be had now: what was not
// compared is not published. An image that is gone from the disk will not come back.
static bool served_take(struct build *build)
{
	const struct version *served = build->zone->current;
	const int count = served == NULL ? 0
	                                 : version_hold_open(build->publisher, served,
	                                       &build->served, build->layers);

	build->layer_count = count > 0 ? (unsigned)count : 0;
	if (count >= 0 || count == -ENOENT)
		return true;
	build_fail(build, "The version served cannot be read: %s.", strerror(-count));
	return false;
}

// In the threads for what takes long: all of a large zone, and a difference to a large version that
// lies on disk, because what is read from there is verified first.
static bool takes_long(const struct build *build)
{
	if (build->delta == NULL || !build->heavy)
		return build->heavy;
	for (unsigned i = 0; i < build->served.count; i++)
		if (build->served.image[i].on_disk && build->served.image[i].size > HEAVY_IMAGE)
			return true;
	return false;
}

void build_alone(struct build *build)
{
	struct publisher *p = build->publisher;

	build->job.run = build->delta != NULL ? difference_run : batch_run;
	build->job.done = batch_done;
	build->light = build->delta != NULL && build->delta->changes->count <= LIGHT_RECORDS &&
	               build->since.len <= LIGHT_SINCE && view_in_memory(&build->served) &&
	               view_in_memory(&build->ground_view);
	if (build->light)
		offload_run(p->work, &build->job);
	else
		offload_submit(takes_long(build) ? p->heavy : p->work, &build->job);
}

// With all that was known, or what differs from it.
static void build_begin(struct build *build)
{
	struct publisher *p = build->publisher;
	struct pzone *zone = build->zone;

	if (!served_take(build)) {
		build_end(build);
		return;
	}
	if (build->delta != NULL)
		fold_note(p, zone, build->delta);
	if (build->delta != NULL && zone->folding.ground != NULL)
		ground_take(build, &zone->folding);
	if (build->delta != NULL)
		build->heavy = build->served.count > 0 && version_size(zone->current) > HEAVY_IMAGE;
	else
		build->heavy = build->content.records->count > HEAVY_RECORDS;
	if (bundle_takes(build))
		bundle_put(p->bundler, build);
	else
		build_alone(build);
}

// A zone that came again: what differs, if that is little and the version it differs from is still
// the one served; else all of it.
static void settle_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	struct content *content = &build->content;
	int rc = build->came_whole
	             ? seen_delta(content->seen, content->records, build->soa.serial, &build->delta)
	             : -E2BIG;

	if (rc == -E2BIG)
		rc = seen_restore(content->seen, content->records);
	if (rc == 0 && build->delta != NULL) {
		records_free(content->records);
		content->records = NULL;
	}
	build->came_whole = build->delta != NULL;
	if (rc < 0)
		build_fail(build, "%s.", strerror(-rc));
	else
		build->rc = -ECANCELED;
}

static void settle_done(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	char name[NAME_TEXT_MAX];

	seen_free(build->content.seen);
	build->content.seen = NULL;
	if (build->zone == NULL || build->publisher->closing || build->rc == -EINVAL) {
		build_end(build);
		return;
	}
	if (build->delta != NULL) {
		name_to_text(build->apex, name);
		log_info("%s: serial %u came whole and is a difference of %zu records", name,
		    build->delta->to, build->delta->changes->count);
	}
	build_begin(build);
}

void build_start(struct publisher *p, struct pzone *zone, const struct content *content)
{
	struct build *build = calloc(1, sizeof(*build));
	struct content lost = *content;

	zone->stage = STAGE_BUILDING;
	zone->build = build;
	if (build == NULL) {
		content_free(&lost);
		publish_built(p, zone, NULL, "Out of memory.");
		return;
	}
	build->publisher = p;
	build->zone = zone;
	build->content = *content;
	build->delta = build->content.delta;
	build->content.delta = NULL;
	build->zonemd = zone->zonemd;
	build->shrink_limit = zone->shrink_limit;
	build->records_max = zone->records_max;
	build->apex_len = zone->apex_len;
	memcpy(build->apex, zone->apex, zone->apex_len);
	build->image = build->compile.batch = -1;
	build->rc = -ECANCELED; // until the image was judged
	build->options.key = p->key;
	build->options.generation = ++p->generation;
	while (build->options.id == 0)
		if (getrandom(&build->options.id, sizeof(build->options.id), 0) < 0)
			abort();
	if (build->content.seen == NULL) {
		build_begin(build);
		return;
	}
	// A newer SOA is among those that came; and what is not newer is no difference.
	if (zone->current != NULL)
		build->soa = zone->current->soa;
	apex_look(build, build->content.records);
	build->came_whole = zone->current != NULL &&
	                    zone->current->content == seen_content(build->content.seen) &&
	                    serial_newer(build->soa.serial, zone->current->soa.serial);
	build->job.run = settle_run;
	build->job.done = settle_done;
	offload_submit(p->heavy, &build->job);
}

void build_cancel(struct build *build)
{
	if (build != NULL)
		build->zone = NULL;
}
