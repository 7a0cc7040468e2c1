// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Folding; see fold.h. In the thread for heavy work and in the compiler's child for such; what is
// made is verified like any other image. One that fails is given up: the next difference is then
// put where there is room, which may take longer, and another fold begins.
#include "fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "admission.h"
#include "batch.h"
#include "compiler.h"
#include "delta.h"
#include "log.h"
#include "offload.h"
#include "publish_view.h"
#include "pzone.h"
#include "stack.h"

#define REFUSED_PAUSE_US ((int64_t)60 * 1000000) // the next try looks at all of the zone again

struct fold {
	struct offload_job job; // first
	struct compiler_job compile;
	struct publisher *publisher;
	struct pzone *zone;                     // NULL: nobody wants it any more
	struct layer *layers[IMAGE_LAYERS_MAX]; // of the version that is folded, a reference each
	unsigned layer_count;
	struct view view; // the same
	struct zone_version version;
	unsigned kept; // of these, the lowest that stay: 1, or 0 for a new base
	int image;
	uint64_t image_size;
	struct image_header header;
	struct admission_claim claim;
	bool refused;
	char reason[ADMISSION_REASON_MAX];
	char error[COMPILE_ERROR_MAX];
};

static void fold_free(struct fold *fold)
{
	view_close(&fold->view);
	for (unsigned i = 0; i < fold->layer_count; i++) {
		fold->layers[i]->users--;
		layer_rest(fold->layers[i]);
		layer_unref(fold->publisher, fold->layers[i]);
	}
	if (fold->compile.batch >= 0)
		close(fold->compile.batch);
	if (fold->image >= 0)
		close(fold->image);
	admission_release(&fold->publisher->admission, &fold->claim);
	free(fold);
}

// --- what is made
// ---------------------------------------------------------------------------------

// A fold that would not fit is not made: the layers stay as they are.
static void batch_make(
    struct fold *fold, const struct records *records, const struct compile_overlay *overlay)
{
	const uint64_t available =
	    records->bytes > ADMISSION_LOOK_MIN ? admission_available("") : UINT64_MAX;

	fold->refused = !admission_claim(&fold->publisher->admission, available, records->count,
	    records->bytes, &fold->claim, fold->reason);
	if (!fold->refused)
		fold->compile.batch = batch_write(records, overlay, &fold->compile.batch_size);
}

static void whole_batch(struct fold *fold)
{
	struct records *records = NULL;

	if (delta_apply(NULL, &fold->version, &records, fold->error) == 0)
		batch_make(fold, records, NULL);
	records_free(records);
}

static void fold_run(struct offload_job *job)
{
	struct fold *fold = (struct fold *)job;
	char error[DELTA_ERROR_MAX];
	struct overlay overlay;
	int rc;

	if (view_map(&fold->view, &fold->version, fold->error) < 0 ||
	    !stack_wants_fold(&fold->version))
		return;
	rc = stack_fold(&fold->version, &overlay, error);
	if (rc == 0) {
		fold->kept = 1;
		batch_make(fold, overlay.records, &overlay.plan);
		overlay_free(&overlay);
	} else if (rc == -E2BIG) {
		whole_batch(fold);
	}
}

static void fold_verify(struct offload_job *job)
{
	struct fold *fold = (struct fold *)job;
	struct zone_version made = {.layer_count = 1 + fold->kept};
	char error[IMAGE_ERROR_MAX];
	const void *mem;

	if (ftruncate(fold->image, (off_t)fold->image_size) < 0 || image_seal(fold->image) < 0 ||
	    image_map(fold->image, 0, fold->image_size, &mem) < 0)
		return;
	memcpy(made.layer + 1, fold->version.layer + fold->version.layer_count - fold->kept,
	    fold->kept * sizeof(made.layer[0]));
	if (image_verify(mem, fold->image_size, error) == 0 &&
	    image_open(&made.layer[0], mem, fold->image_size) == 0 && version_check(&made) == 0 &&
	    made.layer[0].header->id == fold->compile.options.id)
		memcpy(&fold->header, mem, sizeof(fold->header));
	image_unmap(mem, fold->image_size);
	view_close(&fold->view);
}

static void fold_verified(struct offload_job *job)
{
	struct fold *fold = (struct fold *)job;
	struct pzone *zone = fold->zone;
	struct version *ground = NULL;

	if (zone != NULL && fold->header.size != 0 && (ground = version_new(zone)) != NULL) {
		struct layer *top = layer_new(zone, fold->image, &fold->header);

		if (top == NULL) {
			version_free(fold->publisher, ground);
			ground = NULL;
		} else {
			fold->image = -1;
			version_stand_on(ground, top);
			if (fold->kept > 0)
				version_stand_on(ground, fold->layers[fold->layer_count - 1]);
			version_use(ground);
		}
	}
	if (zone != NULL) {
		zone->folding.running = NULL;
		zone->folding.ground = ground;
	}
	fold_free(fold);
}

static void fold_compiled(struct compiler_job *job, int fd, uint64_t used, const char *error)
{
	struct fold *fold = (struct fold *)((char *)job - offsetof(struct fold, compile));

	fold->image = fd;
	fold->image_size = used;
	if (fd < 0 && !fold->publisher->closing)
		log_warning("layers cannot be folded: %s", error);
	if (fd < 0 || fold->zone == NULL || fold->publisher->closing) {
		if (fold->zone != NULL)
			fold->zone->folding.running = NULL;
		fold_free(fold);
		return;
	}
	fold->job.run = fold_verify;
	fold->job.done = fold_verified;
	offload_submit(fold->publisher->heavy, &fold->job);
}

static void fold_ran(struct offload_job *job)
{
	struct fold *fold = (struct fold *)job;

	if (fold->zone != NULL && fold->refused) {
		log_warning("layers are not folded: %s", fold->reason);
		fold->zone->fold_after_us = clock_us() + REFUSED_PAUSE_US;
	}
	if (fold->zone == NULL || fold->compile.batch < 0 || fold->publisher->closing) {
		if (fold->zone != NULL)
			fold->zone->folding.running = NULL;
		fold_free(fold);
		return;
	}
	fold->compile.heavy = true;
	fold->compile.done = fold_compiled;
	compiler_submit(fold->publisher->compiler, &fold->compile);
}

// --- when
// -----------------------------------------------------------------------------------------

static void fold_start(struct publisher *p, struct pzone *zone)
{
	struct fold *fold = calloc(1, sizeof(*fold));

	if (fold == NULL)
		return;
	fold->publisher = p;
	fold->zone = zone;
	fold->image = fold->compile.batch = -1;
	fold->compile.options.key = p->key;
	fold->compile.options.generation = ++p->generation;
	while (fold->compile.options.id == 0)
		if (getrandom(&fold->compile.options.id, sizeof(uint64_t), 0) < 0)
			abort();
	if (view_open(&fold->view, p, zone->current) < 0) {
		fold_free(fold);
		return;
	}
	fold->layer_count = zone->current->layer_count;
	for (unsigned i = 0; i < fold->layer_count; i++) {
		struct layer *layer = fold->layers[i] = zone->current->layer[i];

		layer->refs++;
		layer->users++;
		fold->view.image[i].mem = layer_map(layer);
		fold->view.image[i].borrowed = layer->mem != NULL;
	}
	zone->folding.running = fold;
	zone->folding.len = 0;
	fold->job.run = fold_run;
	fold->job.done = fold_ran;
	offload_submit(p->heavy, &fold->job);
}

void fold_drop(struct publisher *p, struct pzone *zone)
{
	struct folding *folding = &zone->folding;

	if (folding->running != NULL)
		folding->running->zone = NULL;
	version_free(p, folding->ground);
	free(folding->since);
	*folding = (struct folding){0};
}

void fold_note(struct publisher *p, struct pzone *zone, const struct delta *delta)
{
	struct folding *folding = &zone->folding;

	if (folding->running == NULL && folding->ground == NULL)
		return;
	for (size_t i = 0; i < delta->changes->count; i++) {
		const struct record *change = &delta->changes->items[i];
		const size_t len = change->owner_len;

		if (i > 0 && change->owner == change[-1].owner)
			continue;
		if (folding->len + len > folding->cap) {
			const size_t cap = folding->cap > 0 ? folding->cap * 2 : 4096;
			uint8_t *grown =
			    cap <= FOLD_NAMES_MAX ? realloc(folding->since, cap) : NULL;

			if (grown == NULL) {
				fold_drop(p, zone);
				return;
			}
			folding->since = grown;
			folding->cap = cap;
		}
		memcpy(folding->since + folding->len, change->owner, len);
		folding->len += len;
	}
}

void fold_follow(struct publisher *p, struct pzone *zone, const struct version *before)
{
	const struct version *now = zone->current;
	const struct version *ground = zone->folding.ground;
	const bool stands = ground != NULL && version_common(now, ground) == ground->layer_count;

	// It stands on its ground; or it does not stand on what was there before, and so not on
	// anything that was made of that.
	if (stands || now->how != HISTORY_IXFR || version_common(now, before) == 0)
		fold_drop(p, zone);
	if (zone->folding.running == NULL && zone->folding.ground == NULL &&
	    clock_us() >= zone->fold_after_us && now->layer_count == IMAGE_LAYERS_MAX &&
	    now->layer[0]->names >= STACK_TOP_MAX / 2)
		fold_start(p, zone);
}
