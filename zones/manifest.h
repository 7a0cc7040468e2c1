// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/manifest: which zone versions a node serves, the truth for a boot without control plane.
// Written by the control plane, whole (temporary name, fsync, rename, fsync of the folder) or, in
// STORAGE/manifest.changes, by what changed since; read by both. Binary, checksummed, valid after
// kill -9 at any instruction. STORAGE/manifest.copy has the same bytes, for a disk that loses the
// manifest's. Images stand beside it in STORAGE/images/, one file may hold many.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

#define MANIFEST_ERROR_MAX 256

struct manifest_layer {
	uint64_t file_id; // STORAGE/images/<16 hex digits>.img
	uint64_t offset;  // bytes, a multiple of 64
	uint64_t size;
};

struct manifest_zone {
	uint8_t apex_len;
	uint8_t apex[255]; // lower case wire
	uint32_t layer_count;
	uint32_t serial;
	uint64_t generation;
	int64_t expires_at; // unix seconds when the zone turns into SERVFAIL; 0: never
	uint32_t grace_s;   // so long before that its answers become stale ones
	uint32_t hidden;    // 1: a catalog (RFC 9432): the data plane does not serve it; else 0
	uint32_t older;     // place in manifest.older, from 1; 0: none. See manifest_older()
	struct manifest_layer layer[IMAGE_LAYERS_MAX]; // [0] the top, the last the base
};

// A version that was served before, for a boot that finds the images of the zone's own broken.
struct manifest_older {
	uint64_t generation;
	uint32_t serial;
	uint32_t layer_count;
	struct manifest_layer layer[IMAGE_LAYERS_MAX];
};

// `mark` is of the file that was loaded or saved.
struct manifest {
	uint64_t mark;
	uint64_t generation_max;     // highest generation ever used, zones since removed included
	uint64_t hash_key[2];        // of all images of this node
	struct manifest_zone *zones; // owned
	size_t zone_count;
	struct manifest_older *older; // owned
	size_t older_count, older_cap;
	uint64_t damaged; // bytes of changes that are broken, with others behind them
	bool from_copy;   // the manifest itself is broken or not there
};

// Zones on their way to the file, as they stand there: a million takes some 90 MB, where the
// structs take 370.
struct manifest_entries {
	uint8_t *bytes;  // owned; a header's room, then they
	size_t len, cap; // len: of the zones
	uint64_t count;
	uint64_t generation_max, hash_key[2]; // as struct manifest
};

// Post: 0 and *manifest to be freed, with one sentence about the manifest when it is from the copy;
// -ENOENT when there is none; -EINVAL with one sentence when broken.
int manifest_load(const char *storage, struct manifest *manifest, char error[MANIFEST_ERROR_MAX])
    __attribute__((warn_unused_result));
// Appends a zone and its older version, or NULL. Post: 0; or -ENOMEM, nothing has changed then.
int manifest_put(struct manifest_entries *entries, const struct manifest_zone *zone,
    const struct manifest_older *older) __attribute__((warn_unused_result));
int manifest_put_all(struct manifest_entries *entries, const struct manifest *manifest)
    __attribute__((warn_unused_result));
void manifest_entries_free(struct manifest_entries *entries); // empty afterwards

// The manifest is these zones. Durable when it returns 0, and the changes said before are gone;
// *mark is the file's. Post: 0 or -errno; on error a boot finds the old state or the new one.
int manifest_write(const char *storage, struct manifest_entries *entries, uint64_t *mark)
    __attribute__((warn_unused_result));
int manifest_save(const char *storage, struct manifest *manifest)
    __attribute__((warn_unused_result));
// Says what changed since the manifest with that mark was written: zones as they are now (with no
// layer: they are gone), and the highest generation. A million zones are not written again for one
// that changed. *end: where the changes said before end, 0 at first; then where these do. Durable
// and whole when it returns 0. Post: 0 or -errno (-ENOENT, -ESTALE: somebody removed or changed
// what was said before); after an error the next must be manifest_write().
int manifest_append(const char *storage, uint64_t mark, struct manifest_entries *changes,
    uint64_t *end) __attribute__((warn_unused_result));
void manifest_free(struct manifest *manifest);

// The zone's older version. Post: 0 or -ENOMEM.
int manifest_older_add(struct manifest *manifest, struct manifest_zone *zone,
    const struct manifest_older *older) __attribute__((warn_unused_result));
// The zone as it is when it has to make do with its older version. Post: false when there is none.
bool manifest_older(
    const struct manifest *manifest, const struct manifest_zone *zone, struct manifest_zone *out);

// "STORAGE/images/<id>.img" into out. Post: 0 or -ENAMETOOLONG.
int manifest_image_path(const char *storage, uint64_t file_id, char *out, size_t cap);
