// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Layers folded in the background: while differences go on to be put on top of what is served, the
// top and the middle become a new middle, or all becomes a new base; the next difference then
// stands on that, its ground. Internal to publish*.c; the loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "version.h"

struct publisher;
struct pzone;
struct delta;
struct fold;

#define FOLD_NAMES_MAX ((size_t)256 << 10) // bytes of names; with more a fold is given up

// What a zone knows of its fold. Zeroed: nothing.
struct folding {
	struct fold *running;
	struct version *ground; // owned; ready to be stood on
	// The names of the differences since the fold began.
	uint8_t *since; // owned
	size_t len, cap;
};

// A new version is live: begins a fold where one is due, and gives up one that no longer fits.
void fold_follow(struct publisher *p, struct pzone *zone, const struct version *before);
// A difference is about to be applied.
void fold_note(struct publisher *p, struct pzone *zone, const struct delta *delta);
// Gives up whatever there is.
void fold_drop(struct publisher *p, struct pzone *zone);
