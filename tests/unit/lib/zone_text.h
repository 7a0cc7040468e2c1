// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones told as text, and versions made of them, for tests. Included after cmocka.h.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "name.h"
#include "rdata.h"
#include "reader.h"
#include "records.h"
#include "rrtype.h"
#include "zonefile.h"

static const uint8_t apex[] = "\7example";
static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};

#define SOA(n) "@ 300 SOA ns h " #n " 3600 600 604800 60\n"
#define NS     "@ 300 NS ns\n"

static inline void zone_text_parse(const char *text, size_t len, zonefile_record_fn take, void *ctx)
{
	struct zonefile_error error;

	if (zonefile_parse_text(text, len, apex, take, ctx, &error) != 0)
		fail_msg(
		    "%.*s: %u:%u: %s", (int)len, text, error.line, error.column, error.message);
}

static inline int zone_text_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static inline struct records *zone_of(const char *text)
{
	struct records *records = records_new(apex);

	zone_text_parse(text, strlen(text), zone_text_take, records);
	return records;
}

// Pre: sorted. The version is in `buffer`.
static inline void version_of(
    const struct records *records, struct zone_version *version, struct image_buffer *buffer)
{
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX];

	// No more address space than it takes: a sanitizer clears an eighth of it each time.
	assert_int_equal(image_buffer_open(buffer, 1 << 25), 0);
	if (compile_image(records, &options, buffer, error) != 0)
		fail_msg("%s", error);
	*version = (struct zone_version){.layer_count = 1};
	assert_int_equal(image_open(&version->layer[0], buffer->mem, buffer->used), 0);
}

// As a line.
static inline void record_put(FILE *out, const struct record *record)
{
	static char rdata[RDATA_TEXT_MAX];
	char owner[NAME_TEXT_MAX], type[16];

	name_to_text(record->owner, owner);
	rdata_to_text(record->type, record->rdata, record->rdlen, rdata, sizeof(rdata));
	fprintf(
	    out, "%s %u %s %s\n", owner, record->ttl, rrtype_to_text(record->type, type), rdata);
}

static inline char *text_of(const struct records *records)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < records->count; i++)
		record_put(out, &records->items[i]);
	fclose(out);
	return text;
}
