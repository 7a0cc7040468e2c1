// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A version of a zone as publication knows it: a stack of layers, each one image in a memfd, a file
// or both, that versions share. Internal to publish*.c; the event loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "history.h"
#include "image.h"
#include "store.h"
#include "zone.h"

struct publisher;
struct pzone;
struct delta;

struct layer {
	struct store_image image; // first: the store hands it back
	struct pzone *zone;
	uint64_t id, below_id;
	uint64_t generation; // the image's own; a version's may be later
	uint32_t serial;
	uint32_t names; // it holds
	unsigned refs;  // versions that stand on it
	bool unproven;  // it is verified by the data plane, which has not said LIVE yet
	unsigned users; // of these, the one served, the next, a held one; and builds that read it
	// A large one stays mapped while it has users: to find the pages again takes longer than to
	// make an overlay. NULL: it is not.
	const void *mem;
};

struct version {
	struct layer *layer[IMAGE_LAYERS_MAX]; // a reference each; [0] the top
	unsigned layer_count;
	struct pzone *zone;
	bool used;           // its layers count it as a user
	uint64_t generation; // as sent; fences
	uint64_t content;    // names what it holds: kept where the same is published again
	uint64_t rr_count;
	uint64_t origin; // as in engine_ops.publish
	struct zone_soa soa;
	struct file_mark source; // as in history_version
	enum history_how how;
	int64_t when_ms;           // wall clock: live, or held; 0: not yet
	int64_t expires_at;        // until a primary confirms it; unix seconds, 0: never
	enum config_zonemd zonemd; // by which its digest was looked at
	char *doubt;               // owned; its digest is not as that wants it; NULL: it is
	struct delta *delta;       // owned; what led to it from `since`, until it is live; or NULL
	uint64_t since;            // the content that was served when it was made
	unsigned attempts;         // times it was sent and not answered
};

// Takes over `fd` (-1: only on disk, the caller says where). Post: NULL when out of memory (fd is
// still the caller's); no reference is counted yet.
struct layer *layer_new(struct pzone *zone, int fd, const struct image_header *header);
// Gives up one reference; the last one frees. NULL is accepted.
void layer_unref(struct publisher *p, struct layer *layer);
// What nobody uses and lies on disk need not stay in memory.
void layer_rest(struct layer *layer);
// Maps it where that is worth it and it is in memory. Post: the mapping, or NULL.
const void *layer_map(struct layer *layer);

// An empty version. Post: NULL when out of memory.
struct version *version_new(struct pzone *zone);
// Puts `layer` under those the version has; takes a reference.
void version_stand_on(struct version *version, struct layer *layer);
void version_free(struct publisher *p, struct version *version); // NULL is accepted

// It is (not) the one served or the next any more.
void version_use(struct version *version);
void version_unuse(struct version *version);

// Has the store write what it has not got and is proven. Pre: every layer is in memory or stored.
void version_store(struct publisher *p, struct version *version);
bool version_is_stored(const struct version *version);
void version_prove(struct version *version); // every layer of it was verified
bool version_has(const struct version *version, const struct layer *layer); // NULL has none
// The first layer that lies only on disk; NULL: all are in memory.
struct layer *version_layer_on_disk(const struct version *version);
uint64_t version_size(const struct version *version);
// How many layers, from the base on, are the same in both; `other` may be NULL.
unsigned version_common(const struct version *version, const struct version *other);
