// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From records, or from what is served and a difference, to a verified, sealed image: the
// difference is applied, the zone's digest is checked, and a batch is written (work thread),
// compiled (child), then sealed, verified and compared with what is served (work thread). A build
// whose zone lost interest runs to its end and is dropped.
#include "pzone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "batch.h"
#include "compiler.h"
#include "delta.h"
#include "image.h"
#include "offload.h"
#include "reader.h"
#include "rrtype.h"
#include "zonemd.h"

struct build {
	struct offload_job job; // first
	struct compiler_job compile;
	struct publisher *publisher;
	struct pzone *zone; // NULL: cancelled
	struct content content;
	struct delta *delta; // owned; the content's, once applied
	uint8_t apex[NAME_LEN_MAX];
	uint8_t apex_len;
	struct compile_options options;
	enum config_zonemd zonemd;
	uint32_t shrink_limit;
	int image; // what the compiler made
	uint64_t image_size;
	// What is served, to apply a difference to and to compare: its memfd or its file; -1: none.
	int served;
	bool served_on_disk;
	uint64_t served_offset, served_size;
	uint64_t rr_count;
	struct zone_soa soa;
	bool equal, held;
	int rc;
	char error[PUBLISH_REASON_MAX];
};

static void build_end(struct build *build)
{
	struct pzone *zone = build->zone;
	struct publisher *p = build->publisher;
	struct version *version = NULL;
	char reason[PUBLISH_REASON_MAX];

	if (zone != NULL && build->rc == 0 && !build->equal) {
		version = calloc(1, sizeof(*version));
		if (version == NULL) {
			build->rc = -ENOMEM;
			snprintf(build->error, sizeof(build->error), "Out of memory.");
		} else {
			version->zone = zone;
			version->generation = build->options.generation;
			version->id = version->content = build->options.id;
			version->how = build->delta != NULL ? HISTORY_IXFR
			               : zone->secondary    ? HISTORY_AXFR
			                                    : HISTORY_FILE;
			version->delta = build->delta;
			build->delta = NULL;
			version->rr_count = build->rr_count;
			version->soa = build->soa;
			version->origin = build->content.origin;
			version->image.fd = build->image;
			version->image.size = build->image_size;
			build->image = -1;
		}
	}
	// Now the same data is known from there.
	if (zone != NULL && build->rc == 0 && build->equal && zone->current != NULL)
		zone->current->origin = build->content.origin;
	if (zone != NULL)
		zone->history_dirty = true;
	snprintf(reason, sizeof(reason), "%s", build->error);
	if (build->compile.batch >= 0)
		close(build->compile.batch);
	if (build->image >= 0)
		close(build->image);
	if (build->served >= 0)
		close(build->served);
	content_free(&build->content);
	delta_free(build->delta);
	const int rc = build->rc;
	const bool held = build->held;
	free(build);
	if (zone != NULL) {
		zone->build = NULL;
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

static void image_judge(struct build *build, const void *mem)
{
	const struct image_header *header = mem;
	char error[IMAGE_ERROR_MAX];
	const void *served;

	if (image_verify(mem, build->image_size, error) < 0) {
		build_fail(build, "The compiled image does not verify: %s", error);
		return;
	}
	// The verifier proves that an image is safe; that it is the one asked for is proven here.
	if (header->apex_len != build->apex_len ||
	    memcmp(header->apex, build->apex, build->apex_len) != 0 ||
	    header->generation != build->options.generation || header->id != build->options.id ||
	    header->hash_key[0] != build->options.key.k[0] ||
	    header->hash_key[1] != build->options.key.k[1] ||
	    !image_soa(mem, build->image_size, &build->soa) ||
	    build->soa.serial != header->serial) {
		build_fail(build, "The compiler made an image of something else.");
		return;
	}
	build->rc = 0;
	build->rr_count = header->rr_count;
	if (build->served < 0 ||
	    image_map(build->served, build->served_offset, build->served_size, &served) < 0)
		return;
	build->equal =
	    build->served_size == build->image_size && image_same(mem, served, build->image_size);
	// A file can have rotted since the start; then there is nothing to compare with.
	if (!build->equal && build->shrink_limit < 100 &&
	    (!build->served_on_disk || image_verify(served, build->served_size, error) == 0))
		build->held = gate_holds(served, build->served_size, mem, build->image_size,
		    build->shrink_limit, build->error);
	image_unmap(served, build->served_size);
}

// Sealed first: what is verified can then no longer change, whoever still holds the descriptor.
static void verify_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;
	const void *mem;

	int rc = ftruncate(build->image, (off_t)build->image_size) < 0 ? -errno : 0;

	if (rc == 0)
		rc = image_seal(build->image);
	if (rc == 0)
		rc = image_map(build->image, 0, build->image_size, &mem);
	if (rc < 0) {
		build_fail(build, "The image cannot be sealed: %s.", strerror(-rc));
		return;
	}
	image_judge(build, mem);
	image_unmap(mem, build->image_size);
}

static void verify_done(struct offload_job *job)
{
	build_end((struct build *)job);
}

static void served_open(struct build *build, const struct version *current)
{
	char path[PATH_MAX];

	build->served_size = current->image.size;
	if (current->image.fd >= 0) {
		build->served = fcntl(current->image.fd, F_DUPFD_CLOEXEC, 3);
	} else if (manifest_image_path(build->publisher->storage, current->image.file_id, path,
	               sizeof(path)) == 0) {
		build->served_on_disk = true;
		build->served_offset = current->image.offset;
		build->served = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
}

static void compile_done(struct compiler_job *job, int fd, uint64_t used, const char *error)
{
	struct build *build = (struct build *)((char *)job - offsetof(struct build, compile));

	close(build->compile.batch);
	build->compile.batch = -1;
	build->image = fd;
	build->image_size = used;
	if (fd < 0)
		build_fail(build, "%s", error);
	if (fd < 0 || build->zone == NULL) {
		build_end(build);
		return;
	}
	if (build->zone->current != NULL && build->served < 0)
		served_open(build, build->zone->current);
	build->job.run = verify_run;
	build->job.done = verify_done;
	offload_submit(build->publisher->work, &build->job);
}

// --- before it
// ------------------------------------------------------------------------------------

// The records of the version that the difference leads to.
static void difference_apply(struct build *build)
{
	struct zone_version base = {.layer_count = 1};
	char error[DELTA_ERROR_MAX] = "";
	const void *mem;
	int rc = -ENOENT;

	if (build->served >= 0)
		rc = image_map(build->served, build->served_offset, build->served_size, &mem);
	if (rc < 0) {
		build_fail(build, "The version served cannot be read: %s.", strerror(-rc));
		return;
	}
	// What was sealed after it was verified cannot have changed since; a file can.
	if (build->served_on_disk && image_verify(mem, build->served_size, error) < 0)
		build_fail(build, "The stored version is broken: %s", error);
	else if (image_open(&base.layer[0], mem, build->served_size) < 0)
		build_fail(build, "The version served cannot be read.");
	else if (delta_apply(build->content.delta, &base, &build->content.records, error) < 0)
		build_fail(build, "%s", error);
	image_unmap(mem, build->served_size);
	build->delta = build->content.delta;
	build->content.delta = NULL;
}

static bool has_digest(const struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		if (records->items[i].type == RRTYPE_ZONEMD &&
		    name_equal(records->items[i].owner, records->apex))
			return true;
	return false;
}

// Post: false when the zone is refused. A zone without a digest is not even sorted here.
static bool digest_good(struct build *build)
{
	struct records *records = build->content.records;
	char error[RECORDS_ERROR_MAX > ZONEMD_ERROR_MAX ? RECORDS_ERROR_MAX : ZONEMD_ERROR_MAX] =
	    "Out of memory.";
	int verdict;

	if (build->zonemd == CONFIG_ZONEMD_OFF ||
	    (build->zonemd == CONFIG_ZONEMD_IF_PRESENT && !has_digest(records)))
		return true;
	if (records_sort(records) < 0 || records_check(records, error) < 0) {
		build_fail(build, "%s", error);
		return false;
	}
	verdict = zonemd_verify(records, error);
	if (verdict == ZONEMD_GOOD ||
	    (verdict == ZONEMD_OTHER && build->zonemd == CONFIG_ZONEMD_IF_PRESENT))
		return true;
	build_fail(build, "%s", error);
	return false;
}

static void batch_run(struct offload_job *job)
{
	struct build *build = (struct build *)job;

	if (build->content.delta != NULL)
		difference_apply(build);
	if (build->content.records == NULL || !digest_good(build))
		return;
	build->compile.batch = batch_write(build->content.records, &build->compile.batch_size);
	records_free(build->content.records);
	build->content.records = NULL;
	if (build->compile.batch < 0)
		build_fail(build, "The records cannot be handed to the compiler: %s.",
		    strerror(-build->compile.batch));
}

static void batch_done(struct offload_job *job)
{
	struct build *build = (struct build *)job;

	if (build->zone == NULL || build->compile.batch < 0 || build->publisher->closing) {
		build_end(build);
		return;
	}
	build->compile.options = build->options;
	build->compile.done = compile_done;
	compiler_submit(build->publisher->compiler, &build->compile);
}

void build_start(struct publisher *p, struct pzone *zone, const struct content *content)
{
	struct build *build = calloc(1, sizeof(*build));

	zone->stage = STAGE_BUILDING;
	zone->build = build;
	if (build == NULL) {
		struct content lost = *content;

		content_free(&lost);
		publish_built(p, zone, NULL, "Out of memory.");
		return;
	}
	build->publisher = p;
	build->zone = zone;
	build->content = *content;
	build->zonemd = zone->zonemd;
	build->shrink_limit = zone->shrink_limit;
	build->apex_len = zone->apex_len;
	memcpy(build->apex, zone->apex, zone->apex_len);
	build->image = build->served = build->compile.batch = -1;
	build->rc = -ECANCELED; // until the image was judged
	build->options.key = p->key;
	build->options.generation = ++p->generation;
	while (build->options.id == 0)
		if (getrandom(&build->options.id, sizeof(build->options.id), 0) < 0)
			abort();
	if (content->delta != NULL && zone->current != NULL)
		served_open(build, zone->current);
	build->job.run = batch_run;
	build->job.done = batch_done;
	offload_submit(p->work, &build->job);
}

void build_cancel(struct build *build)
{
	if (build != NULL)
		build->zone = NULL;
}
