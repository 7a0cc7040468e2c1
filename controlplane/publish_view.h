// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A version to be read in a work thread while the loop goes on: taken on the loop, its images held
// by descriptors of the view's own, so that the version may go meanwhile.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "reader.h"

struct publisher;
struct version;

struct view_image {
	int fd;
	bool on_disk; // a file: it may have rotted since it was verified
	uint64_t offset, size;
	const void *mem; // NULL: not mapped
	bool borrowed;   // somebody else has mapped it, and keeps it so
};

struct view {
	struct view_image image[IMAGE_LAYERS_MAX]; // the top first
	unsigned count;
};

// Loop. Post: 0; or -errno, nothing to close.
int view_open(struct view *view, const struct publisher *p, const struct version *version)
    __attribute__((warn_unused_result));
// Any one thread. Post: 0, and *out is valid until view_close; or -errno and one sentence.
int view_map(struct view *view, struct zone_version *out, char error[IMAGE_ERROR_MAX])
    __attribute__((warn_unused_result));
bool view_in_memory(const struct view *view); // to map it reads no file
void view_close(struct view *view);           // an empty view is accepted
