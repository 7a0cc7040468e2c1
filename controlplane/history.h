// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/history: which versions of each zone are kept beside the one served, where they came
// from (of a text: what its inode said), which is held, what is pinned. A log: a record says all
// there is to say of one zone, the last one counts, and what changed is appended with each commit
// of the storage; when it has grown to twice what counts it is written anew. The images it names
// are durable before it, the manifest is written after it. Host byte order, checksummed, valid
// after kill -9 at any instruction.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_mark.h"
#include "manifest.h"
#include "zone.h"

#define HISTORY_VERSIONS_MAX 8

enum history_role {
	HISTORY_CURRENT,
	HISTORY_KEPT,
	HISTORY_HELD,
};

// How a version came.
enum history_how {
	HISTORY_UNKNOWN,
	HISTORY_AXFR,
	HISTORY_IXFR,
	HISTORY_FILE,
	HISTORY_ROLLBACK,
};

struct history_version {
	uint64_t generation, id;
	uint64_t content; // names what it holds, as in the journal
	uint64_t origin;  // as in engine_ops.publish
	uint64_t rr_count;
	int64_t when_ms; // wall clock: live, or held
	struct zone_soa soa;
	struct file_mark source; // of the text it was made from; inode 0: none, or not known
	uint8_t role, how;       // enum history_role, history_how
	uint8_t layer_count;
	struct manifest_layer layer[IMAGE_LAYERS_MAX]; // the top first
};

struct history_zone {
	uint8_t apex_len;
	uint8_t apex[255]; // lower case wire
	bool pinned;
	uint8_t version_count;
	int64_t pinned_ms; // wall clock
	struct history_version version[HISTORY_VERSIONS_MAX];
};

// Records on their way to the file.
struct history_records {
	uint8_t *bytes; // owned
	size_t len, cap;
};

// Appends the zone's record. Post: 0 or -ENOMEM, unchanged then.
int history_put(struct history_records *records, const struct history_zone *zone)
    __attribute__((warn_unused_result));
void history_free(struct history_records *records);

// Reads the whole file; a zone may come more than once. Post: 0 when all of it was read; -ENOENT;
// -EBADMSG when there is something in it that is no record (all others count); or another -errno.
// *size is where records end.
int history_load(const char *storage, void (*each)(void *ctx, const struct history_zone *zone),
    void *ctx, uint64_t *size) __attribute__((warn_unused_result));

// Makes the records durable behind those that end at *size, or (0) as the whole of the file.
// Post: 0 and *size behind them; or -errno.
int history_write(const char *storage, const struct history_records *records, uint64_t *size)
    __attribute__((warn_unused_result));
void history_remove(const char *storage);
