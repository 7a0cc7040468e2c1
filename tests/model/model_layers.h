// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version as layers of images, made step by step from whole zones: what the control plane
// does with incremental transfers, without a control plane. One thread.
#pragma once

#include "image.h"
#include "model_random.h"
#include "qname.h"
#include "reader.h"
#include "records.h"

struct layers {
	struct hash_key key;
	struct zone_version version;                  // of images below
	struct image_buffer images[IMAGE_LAYERS_MAX]; // [i] is version.layer[i]
	uint64_t last_id;
	unsigned long overlays, rebuilt; // steps that became an overlay; that needed a new base
};

// All: NULL, or what went wrong.
const char *layers_base(struct layers *layers, const struct records *records);
// The next version of the zone.
const char *layers_step(
    struct layers *layers, const struct records *records, struct model_random *random);
// Holds the layers against a base of the same records: every name, RRset and record.
const char *layers_check(const struct layers *layers, const struct records *records);
void layers_drop(struct layers *layers);
