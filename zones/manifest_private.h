// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The bytes of STORAGE/manifest and STORAGE/manifest.changes, for manifest*.c.
#pragma once

#include <assert.h>
#include <stdbool.h>

#include "manifest.h"

#define MANIFEST_VERSION    4
#define MANIFEST_BYTE_ORDER 0x01020304u
#define MANIFEST_SIZE_MAX   (UINT64_C(1) << 32) // some 30 million zones

// Begins the manifest, and each record of changes.
struct disk_header {
	uint64_t magic;
	uint32_t version;
	uint32_t byte_order;
	uint64_t size;     // bytes of the manifest, or of the record
	uint64_t checksum; // of them with this field 0
	uint64_t generation_max;
	uint64_t hash_key[2]; // manifest; changes: the manifest's checksum, the record's offset
	uint64_t zone_count;
};
static_assert(sizeof(struct disk_header) == 64, "no padding");

uint64_t manifest_checksum(const uint8_t *at, size_t size); // Pre: size is a multiple of 8

// A zone behind a header. `gone`: one without layers may be there, which is gone.
// `manifest` is given the zone's older version; NULL: nobody is. Post: 0 and *at behind it, -EINVAL
// or -ENOMEM.
int manifest_zone_read(struct manifest *manifest, const uint8_t **at, const uint8_t *end, bool gone,
    struct manifest_zone *zone, char error[MANIFEST_ERROR_MAX]);

// The header in front of them, with their checksum; *size of both. Post: 0 or -ENOMEM.
int manifest_finish(struct manifest_entries *entries, struct disk_header header, size_t *size);

// Makes the names in a folder durable. Post: 0 or -errno.
int manifest_folder_sync(const char *path);

// Post: 0 or -errno.
int manifest_write_all(int fd, const uint8_t *bytes, size_t size);

// Takes up the records at bytes[0 .. size) that follow the manifest with checksum `mark`, up to the
// first that is none: nobody finished writing that one. Post: 0 or -ENOMEM.
int manifest_changes_take(
    struct manifest *manifest, uint64_t mark, const uint8_t *bytes, size_t size);
// The same from the file, where there is one.
int manifest_changes_load(const char *storage, struct manifest *manifest, uint64_t mark);
