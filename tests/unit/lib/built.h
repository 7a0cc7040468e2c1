// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones made record by record, and images of them. Included after cmocka.h.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "name.h"
#include "rdata.h"
#include "reader.h"
#include "records.h"

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};

#define SOA_TAIL "\0\0\0\7\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\5"

static inline void wire(const char *text, uint8_t out[NAME_LEN_MAX])
{
	assert_true(name_from_text(text, strlen(text), NULL, out) > 0);
}

static inline void add(
    struct records *records, const char *owner_text, uint16_t type, const void *rdata, size_t len)
{
	uint8_t owner[NAME_LEN_MAX];

	wire(owner_text, owner);
	assert_true(rdata_valid(type, rdata, len));
	assert_int_equal(records_add(records, owner, type, 300, rdata, len), 0);
}

static inline void add_name(
    struct records *records, const char *owner, uint16_t type, const char *target)
{
	uint8_t name[NAME_LEN_MAX];

	wire(target, name);
	add(records, owner, type, name, name_len(name));
}

static inline void add_soa(struct records *records, const char *apex)
{
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	uint8_t name[NAME_LEN_MAX];

	wire(apex, name);
	const size_t n = name_len(name);
	memcpy(rdata, name, n);
	memcpy(rdata + n, name, n);
	memcpy(rdata + 2 * n, SOA_TAIL, 20);
	add(records, apex, RRTYPE_SOA, rdata, 2 * n + 20);
	add_name(records, apex, RRTYPE_NS, "ns.example.com.");
}

static inline struct records *zone(const char *apex)
{
	uint8_t name[NAME_LEN_MAX];

	wire(apex, name);
	struct records *records = records_new(name);
	assert_non_null(records);
	return records;
}

static inline struct records *sample(void)
{
	struct records *r = zone("example.com.");

	add_name(
	    r, "sub.example.com.", RRTYPE_NS, "ns.sub.example.com."); // before the SOA: any order
	add_soa(r, "example.com.");
	add(r, "ns.example.com.", RRTYPE_A, "\300\0\2\1", 4);
	add(r, "NS.Sub.example.com.", RRTYPE_A, "\300\0\2\2", 4);
	add_name(r, "sub.example.com.", RRTYPE_NS, "ns.example.com.");
	add(r, "*.wild.example.com.", RRTYPE_TXT, "\1x", 2);
	add(r, "a.b.c.example.com.", RRTYPE_A, "\300\0\2\3", 4);
	add(r, "a.b.c.example.com.", RRTYPE_A, "\300\0\2\3", 4); // repeated
	add_name(r, "d.example.com.", RRTYPE_DNAME, "elsewhere.test.");
	add(r, "below.d.example.com.", RRTYPE_A, "\300\0\2\4", 4);
	add_name(r, "alias.example.com.", RRTYPE_CNAME, "ns.example.com.");
	return r;
}

struct built {
	struct image_buffer buffer;
	struct zone_version version;
};

static inline void build(struct built *b, struct records *records)
{
	char error[COMPILE_ERROR_MAX];
	const struct compile_options options = {.key = key, .generation = 3, .id = 99};

	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&b->buffer, 1u << 30), 0);
	if (compile_image(records, &options, &b->buffer, error) != 0)
		fail_msg("%s", error);
	if (image_verify(b->buffer.mem, b->buffer.used, error) != 0)
		fail_msg("%s", error);
	b->version.layer_count = 1;
	assert_int_equal(image_open(&b->version.layer[0], b->buffer.mem, b->buffer.used), 0);
	assert_int_equal(version_check(&b->version), 0);
	records_free(records);
}

static inline void drop(struct built *b)
{
	image_buffer_close(&b->buffer);
}

static inline void look(const struct built *b, const char *text, struct lookup *out)
{
	static struct qname q;
	uint8_t name[NAME_LEN_MAX];

	wire(text, name);
	assert_int_equal(qname_parse(&q, name, sizeof(name), sizeof(name)), name_len(name));
	qname_hash(&q, &key);
	version_lookup(&b->version, &q, out);
}
