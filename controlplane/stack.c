// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The stack of layers; see stack.h.
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BASE_SHARE   16 // a middle may have one name for so many of the base
#define CHANGES_EACH 64 // records of a difference for each name it may touch

static uint32_t names_of(const struct image *image)
{
	return image->header->section[IMAGE_NODES].count;
}

static int on_lowest(const struct zone_version *version, const struct delta *delta, unsigned kept,
    size_t names_max, struct overlay *out, char error[DELTA_ERROR_MAX])
{
	struct zone_version below = {.layer_count = kept};

	memcpy(below.layer, version->layer + version->layer_count - kept,
	    kept * sizeof(below.layer[0]));
	return overlay_make(version, delta, &below, NULL, names_max, out, error);
}

int stack_difference(const struct zone_version *version, const struct delta *delta,
    size_t names_max, struct overlay *out, unsigned *kept, char error[DELTA_ERROR_MAX])
{
	const unsigned count = version->layer_count;
	const struct image *base = &version->layer[count - 1];
	const size_t share = names_of(base) / BASE_SHARE;
	const size_t middle_max = share < names_max ? share : names_max;
	const bool top_small = count > 1 && names_of(&version->layer[0]) < STACK_TOP_MAX;
	int rc = -E2BIG;

	snprintf(error, DELTA_ERROR_MAX, "Too much changes.");
	if (base->header->size < STACK_BASE_MIN || middle_max == 0 ||
	    delta->changes->count / CHANGES_EACH > middle_max)
		return -E2BIG;
	// In place of a small top; on one that is not small, if there is room.
	*kept = top_small ? count - 1 : count;
	if (*kept < IMAGE_LAYERS_MAX)
		rc = on_lowest(version, delta, *kept,
		    *kept == IMAGE_LAYERS_MAX - 1 && names_max > 2 * STACK_TOP_MAX
		        ? 2 * STACK_TOP_MAX
		        : middle_max,
		    out, error);
	if (rc != -E2BIG || count == 1)
		return rc;
	*kept = 1; // all in one, on the base
	return on_lowest(version, delta, *kept, middle_max, out, error);
}

bool stack_wants_fold(const struct zone_version *version)
{
	return version->layer_count == IMAGE_LAYERS_MAX &&
	       names_of(&version->layer[0]) >= STACK_TOP_MAX / 2;
}

int stack_fold(const struct zone_version *version, struct overlay *out, char error[DELTA_ERROR_MAX])
{
	const struct image *base = &version->layer[version->layer_count - 1];

	return on_lowest(version, NULL, 1, names_of(base) / BASE_SHARE, out, error);
}

int stack_on_ground(const struct zone_version *version, const struct delta *delta,
    const struct zone_version *ground, const struct overlay_names *since, struct overlay *out,
    char error[DELTA_ERROR_MAX])
{
	return overlay_make(version, delta, ground, since, 2 * STACK_TOP_MAX, out, error);
}
