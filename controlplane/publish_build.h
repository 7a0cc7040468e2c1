// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A version that is being built: alone (publish_build.c), or with others (publish_bundle.c). It
// belongs to the loop, and to the thread that has its job, or its bundle's, while that runs; `zone`
// is the loop's at any time. Internal to these two.
#pragma once

#include "compiler.h"
#include "offload.h"
#include "publish_view.h"
#include "pzone.h"

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
	uint32_t shrink_limit, records_max;
	int image;                     // what the compiler made
	uint64_t image_at, image_size; // in it
	struct image_header header;    // of it, once it is judged
	// What is served, to apply a difference to and to compare.
	struct view served;
	struct zone_version before; // the same, mapped; no layers: not yet, or nothing is served
	struct layer *layers[IMAGE_LAYERS_MAX]; // the same once more: a reference each
	unsigned layer_count;
	// What a fold has made ready to be stood on, and the names that differ from it.
	struct view ground_view;
	struct zone_version ground;
	struct layer *ground_layers[IMAGE_LAYERS_MAX]; // a reference each
	unsigned ground_count;
	struct overlay_names since; // owned
	bool on_ground;
	unsigned kept;      // of either, the lowest that stay below what is made; 0: a base is made
	bool whole;         // an overlay will not do
	bool came_whole;    // the difference was found as the zone came
	bool heavy;         // then it takes long
	bool no_room;       // there is no memory for it
	bool rotten;        // what it was to stand on is broken
	bool light;         // so little that no thread is woken for it
	bool again;         // it was not as light as it seemed
	bool ready;         // of a bundle: its records are in order
	struct build *next; // that waits for a bundle
	bool entrusted;     // the data plane verifies it
	struct admission_claim claim;
	// As the records have it; of an overlay as the image has it.
	struct zone_soa soa;
	struct gate_facts facts;
	bool equal, held;
	bool held_short; // only for want of primaries that have it
	int rc;
	char error[PUBLISH_REASON_MAX];
};

// Thread: the digest, what the apex says, and whether it fits. Post: false with the reason.
bool build_prepare(struct build *build);
// Thread: is the sealed image at `mem` what was asked for, and is it to be published?
void build_judge(struct build *build, const void *mem);

// Loop: the way of one, from the records on.
void build_alone(struct build *build);
// Loop: the end, with build->rc, a reason or an image. Frees it; publish_built() is told.
void build_end(struct build *build);
