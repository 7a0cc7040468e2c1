// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Mappings of the file read by tables: one struct field per word, saying how its value is read and
// where it goes. Internal to config/.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "idmap.h"
#include "pool.h"
#include "tree.h"

// What one load carries around. The maps find by id (keys by lower-cased name) or wire name.
struct reader {
	struct config *config;
	struct pool *pool; // what lives as long as the config
	struct config_error *error;
	unsigned flags;
	struct idmap keys;
	struct idmap remotes;
	struct idmap templates;
	struct idmap zones;
};

struct field {
	const char *name;
	int (*read)(
	    struct reader *r, const struct node *value, const struct field *field, void *base);
	size_t offset;       // of the destination in the base structure
	size_t count_offset; // of a list's size_t count
	uint64_t min,
	    max; // of numbers, times, sizes and text lengths; min is an address's default port
};

// Reads every pair of the map into `base`; refuses unknown and repeated words. `what` names the
// section in messages ("a zone"). Post: *seen has bit i set when field i was present.
#define FIELD_COUNT(table) (sizeof(table) / sizeof((table)[0])) // at most 32
int mapping_read(struct reader *r, const struct node *map, const char *what,
    const struct field *fields, size_t field_count, void *base, uint32_t *seen);

// Value readers for tables. Destination type behind the dash.
int field_text(struct reader *, const struct node *, const struct field *, void *); // char *
int field_path(
    struct reader *, const struct node *, const struct field *, void *); // char *, absolute
int field_file(struct reader *, const struct node *, const struct field *,
    void *); // same, must exist if asked
int field_number(struct reader *, const struct node *, const struct field *, void *);    // unsigned
int field_bool(struct reader *, const struct node *, const struct field *, void *);      // bool
int field_seconds(struct reader *, const struct node *, const struct field *, void *);   // uint32_t
int field_ms(struct reader *, const struct node *, const struct field *, void *);        // unsigned
int field_megabytes(struct reader *, const struct node *, const struct field *, void *); // unsigned
int field_bytes(struct reader *, const struct node *, const struct field *, void *);     // uint64_t
int field_address(struct reader *, const struct node *, const struct field *, void *);
int field_addresses(struct reader *, const struct node *, const struct field *, void *);
int field_remotes(struct reader *, const struct node *, const struct field *, void *);
int field_key_reference(struct reader *, const struct node *, const struct field *, void *);

// A list, or a single value where a list could stand. Iterate: for (n = list_first(v); n; n =
// list_next(v, n)). Post: its length; an empty plain value is an empty list.
size_t list_count(const struct node *value);
const struct node *list_first(const struct node *value);
const struct node *list_next(const struct node *value, const struct node *item);

// 0 when the value is a non-empty scalar.
int expect_scalar(struct reader *r, const struct node *value, const char *word);

// The value of `word` in a map, or NULL.
const struct node *map_get(const struct node *map, const char *word);
