// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside np-zone only: what its subcommands share. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "name.h"
#include "reader.h"
#include "records.h"

// Exit codes. As with diff, 1 means an answer the operator may not want, 2 that there is none.
#define EXIT_OK      0
#define EXIT_BAD     1 // the zone is wrong; the zones differ
#define EXIT_TROUBLE 2 // usage, files, memory

// A zone from text, from an image file or from a node's storage folder, as records, as an image, or
// as both.
struct zone_source {
	const char *path;
	uint8_t apex[NAME_LEN_MAX];
	struct records *records;        // sorted; NULL until source_records
	size_t ignored;                 // records outside the zone
	struct zone_version version;    // layer_count 0 until source_image
	uint8_t *mem[IMAGE_LAYERS_MAX]; // bytes of image files; owned
	struct image_buffer buffer;     // the compiled image when it is text; owned
};

// Reads the file, or what the manifest of the folder says is served. `origin` is a name in text, or
// NULL: then an image tells its apex, a folder must hold one zone only, and a text file's name does
// ("example.com.zone" and "example.com" are example.com.). Post: EXIT_OK; or EXIT_BAD or
// EXIT_TROUBLE and one sentence was said. source_close in any case.
int source_open(struct zone_source *source, const char *path, const char *origin);
void source_close(struct zone_source *source);

// np_zone_storage.c: the folder. Post: as source_open.
int source_storage(struct zone_source *source, const char *origin);
// `size` bytes of an image from `offset` of a file become the next layer, the top one first.
int source_layer(struct zone_source *source, int fd, uint64_t offset, uint64_t size);

// Sees to `records` (sorted) or to `version`. Post: as source_open.
int source_records(struct zone_source *source);
int source_image(struct zone_source *source, uint64_t generation);

// One sentence on stderr behind "np-zone: ".
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A record as one line of a zone file, with `prefix` before it. Post: false when writing failed.
bool record_put(const char *prefix, const struct record *record);

// argv[0] is the subcommand's name. Post: the exit code.
int zone_check(int argc, char **argv);
int zone_compile(int argc, char **argv);
int zone_dump(int argc, char **argv);
int zone_diff(int argc, char **argv);
int zone_query(int argc, char **argv);
