// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones of extreme shapes, compiled and read back: every record is there as it went in, every place
// in the order is found, and what is compiled is what the renderer makes of the records; and the
// same once an overlay has changed it. The model (tests/model) knows ordinary zones; here names are
// as long and as deep as they may be, RRsets as large, nodes beyond what a step or 16 bits can say,
// and their number around each 16th.
//
// SHAPES_SEED=N SHAPES_ROUNDS=M: other zones, or more of them.

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checksum.h"
#include "compile.h"
#include "delta.h"
#include "dns.h"
#include "name.h"
#include "overlay.h"
#include "rdata.h"
#include "reader.h"
#include "records.h"
#include "zone_table.h"

#define NAMES_MAX 64
#define REPLY_MAX 65535

static const struct hash_key key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};
static const struct dns_server server = {.udp_payload_max = 4096};
static uint64_t state_now;

static uint32_t roll(uint32_t n)
{
	state_now ^= state_now << 13;
	state_now ^= state_now >> 7;
	state_now ^= state_now << 17;
	return (uint32_t)((state_now >> 16) % n);
}

static bool chance(unsigned percent)
{
	return roll(100) < percent;
}

// --- a zone
// ----------------------------------------------------------------------------------------

enum kind { UNSIGNED, WITH_NSEC, WITH_NSEC3, KINDS };

struct shape {
	struct records *records;
	enum kind kind;
	uint8_t apex[NAME_LEN_MAX];
	size_t apex_len;
	uint8_t name[NAMES_MAX][NAME_LEN_MAX]; // as written
	unsigned names;
};

// A label in front of `above`. Post: 0 where it is no name.
static size_t below(const uint8_t *label, unsigned label_len, const uint8_t *above, uint8_t *out)
{
	const size_t len = name_len(above);

	if (len + 1 + label_len > NAME_LEN_MAX)
		return 0;
	memmove(out + 1 + label_len, above, len);
	out[0] = (uint8_t)label_len;
	memcpy(out + 1, label, label_len);
	return len + 1 + label_len;
}

static void label_make(uint8_t *label, unsigned len)
{
	static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFZ0123456789-_";

	for (unsigned i = 0; i < len; i++)
		label[i] =
		    (uint8_t)(chance(3) ? roll(256) : (unsigned)bytes[roll(sizeof bytes - 1)]);
}

// Another name at or below the apex.
static void name_make(struct shape *s, uint8_t out[NAME_LEN_MAX])
{
	static const unsigned lens[] = {1, 1, 2, 3, 8, 9, 20, 31, 32, 33, 63};
	const uint8_t *above = s->names > 0 && chance(60) ? s->name[roll(s->names)] : s->apex;
	uint8_t label[NAME_LABEL_MAX];
	unsigned steps = chance(80) ? 1 : 1 + roll(chance(50) ? 4 : 130);

	memcpy(out, above, name_len(above));
	for (; steps > 0; steps--) {
		unsigned len = steps > 8 ? 1 : lens[roll(sizeof lens / sizeof lens[0])];

		label_make(label, len);
		if (chance(10)) {
			label[0] = '*';
			len = 1;
		}
		// As long as a name may be, where it would be longer.
		const size_t room = NAME_LEN_MAX - name_len(out);
		if (room < 2 || (room < len + 1u && chance(50)))
			break;
		if (room < len + 1u)
			len = (unsigned)room - 1;
		(void)below(label, len, out, out);
	}
}

static void put(struct shape *s, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t len)
{
	assert_true(rdata_valid(type, rdata, len));
	assert_int_equal(records_add(s->records, owner, type, ttl, rdata, (uint16_t)len), 0);
}

static const uint8_t *any_name(struct shape *s)
{
	static uint8_t other[NAME_LEN_MAX];

	if (s->names > 0 && chance(70))
		return s->name[roll(s->names)];
	if (chance(50)) {
		name_make(s, other);
		return other;
	}
	return (const uint8_t *)"\2ns\7Another\4test";
}

// One record of an ordinary type whose rdata holds names or none.
static size_t rdata_make(struct shape *s, uint16_t type, unsigned number, uint8_t *out)
{
	const uint8_t *name = any_name(s);
	size_t len = name_len(name), at = 0;

	switch (type) {
	case RRTYPE_A:
		memcpy(out,
		    (const uint8_t[4]){
		        0xc0, (uint8_t)(12 + number / 256), (uint8_t)number, (uint8_t)roll(256)},
		    4);
		return 4;
	case RRTYPE_AAAA:
		memset(out, 0xc0, 16);
		out[14] = (uint8_t)(number >> 8);
		out[15] = (uint8_t)number;
		return 16;
	case RRTYPE_SRV:
		at = 4;
		// fall through
	case RRTYPE_MX:
		memset(out, 0, at + 2);
		out[at + 1] = (uint8_t)number;
		memcpy(out + at + 2, name, len);
		return at + 2 + len;
	case RRTYPE_TXT:
		len = number == 0 ? roll(1900) : roll(300);
		if (chance(10))
			len = 60000 + roll(5536);
		while (at < len || at == 0) {
			const size_t piece = len - at > 256 ? 255 : len - at > 1 ? len - at - 1 : 0;
			out[at++] = (uint8_t)piece;
			memset(out + at, (int)('a' + number % 20), piece);
			at += piece;
		}
		return at;
	default: // NS, CNAME, DNAME, PTR
		memcpy(out, name, len);
		return len;
	}
}

static void sig_put(
    struct shape *s, const uint8_t *owner, uint16_t type, uint32_t ttl, unsigned number)
{
	uint8_t rdata[18 + NAME_LEN_MAX + 2000] = {(uint8_t)(type >> 8), (uint8_t)type, 13, 2};
	size_t len = 18;

	rdata[8] = 0x70; // expires
	rdata[17] = (uint8_t)number;
	memcpy(rdata + len, s->apex, s->apex_len);
	len += s->apex_len;
	const size_t sig = chance(90) ? 64 : roll(1900) + 1;
	memset(rdata + len, 0x5a, sig);
	put(s, owner, RRTYPE_RRSIG, ttl, rdata, len + sig);
}

static void rrset_put(struct shape *s, const uint8_t *owner, uint16_t type, unsigned count)
{
	static uint8_t rdata[70000];
	const uint32_t ttl = chance(90) ? 300 : roll(0x7fffffff);

	for (unsigned i = 0; i < count; i++)
		put(s, owner, type, ttl, rdata, rdata_make(s, type, i, rdata));
	if (s->kind != UNSIGNED || chance(2)) {
		for (unsigned sigs = chance(90) ? 1 : roll(4); sigs > 0; sigs--)
			sig_put(s, owner, type, chance(90) ? 300 : roll(1000), sigs);
	}
}

static void generic_put(struct shape *s, const uint8_t *owner, unsigned count)
{
	const unsigned first = 1000 + roll(60001 - count);
	uint8_t rdata[40];

	for (unsigned i = 0; i < count; i++) {
		memset(rdata, (int)i, sizeof rdata);
		put(s, owner, (uint16_t)(first + i), 300, rdata, roll(sizeof rdata));
	}
}

static unsigned count_of(void)
{
	static const unsigned counts[] = {1, 1, 1, 1, 2, 3, 9, 30, 90, 254, 255, 256, 300, 700};

	return counts[chance(90) ? roll(7) : roll(sizeof counts / sizeof counts[0])];
}

static void nsec_put(struct shape *s, const uint8_t *owner)
{
	uint8_t rdata[NAME_LEN_MAX + 3];
	const uint8_t *next = s->names > 0 ? s->name[roll(s->names)] : s->apex;
	const size_t len = name_len(next);

	memcpy(rdata, next, len);
	memcpy(rdata + len, "\0\1\x40", 3);
	put(s, owner, RRTYPE_NSEC, 60, rdata, len + 3);
	for (unsigned sigs = chance(95) ? 1 : roll(9); sigs > 0; sigs--)
		sig_put(s, owner, RRTYPE_NSEC, 60, sigs);
}

static void nsec3_put(struct shape *s)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvABCDEFV";
	// Algorithm, flags, iterations, salt, 20 bytes of a hash, types.
	uint8_t rdata[30] = {1, (uint8_t)roll(2), 0, 0, 1, 0xab, 20, [28] = 1, [29] = 0x40};
	uint8_t label[32], owner[NAME_LEN_MAX];

	for (unsigned i = 0; i < sizeof label; i++)
		label[i] = (uint8_t)digits[roll(sizeof digits - 1)];
	for (unsigned i = 7; i < 27; i++)
		rdata[i] = (uint8_t)roll(256);
	if (below(label, sizeof label, s->apex, owner) == 0)
		return;
	put(s, owner, RRTYPE_NSEC3, 60, rdata, sizeof rdata);
	for (unsigned sigs = chance(95) ? 1 : roll(9); sigs > 0; sigs--)
		sig_put(s, owner, RRTYPE_NSEC3, 60, sigs);
	if (chance(3))
		rrset_put(s, owner, RRTYPE_TXT, 1);
}

static void node_put(struct shape *s, const uint8_t *owner)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_AAAA, RRTYPE_MX, RRTYPE_TXT, RRTYPE_SRV};
	const unsigned what = roll(100);

	if (s->kind == WITH_NSEC && chance(80))
		nsec_put(s, owner);
	if (what < 12) {
		rrset_put(s, owner, RRTYPE_CNAME, 1);
		return;
	}
	if (what < 22) {
		rrset_put(s, owner, RRTYPE_NS, chance(90) ? 2 : 90);
		if (chance(50))
			put(s, owner, RRTYPE_DS, 300,
			    (const uint8_t *)"\0\1\15\2abcdefghijklmnopqrstuvwxyz012345", 36);
		if (chance(30))
			rrset_put(s, owner, RRTYPE_A, 2); // occluded, or glue
		return;
	}
	if (what < 26)
		rrset_put(s, owner, RRTYPE_DNAME, 1);
	for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (chance(i == 0 ? 70 : 15))
			rrset_put(s, owner, types[i], count_of());
	}
	if (chance(8))
		generic_put(s, owner, chance(70) ? 1 + roll(30) : 1 + roll(700));
}

static void apex_put(struct shape *s)
{
	uint8_t soa[2 * NAME_LEN_MAX + 20] = {0};

	memcpy(soa, s->apex, s->apex_len);
	memcpy(soa + s->apex_len, s->apex, s->apex_len);
	memcpy(soa + 2 * s->apex_len, "\0\0\0\7\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\5", 20);
	put(s, s->apex, RRTYPE_SOA, 300, soa, 2 * s->apex_len + 20);
	if (s->kind != UNSIGNED)
		sig_put(s, s->apex, RRTYPE_SOA, 300, 1);
	rrset_put(s, s->apex, RRTYPE_NS, chance(90) ? 2 : 100);
	if (s->kind == WITH_NSEC3)
		put(s, s->apex, RRTYPE_NSEC3PARAM, 0, (const uint8_t *)"\1\0\0\0\1\xab", 6);
	if (s->kind == WITH_NSEC)
		nsec_put(s, s->apex);
	if (chance(10))
		rrset_put(s, s->apex, RRTYPE_DNAME, 1);
	if (chance(20))
		generic_put(s, s->apex, 1 + roll(400));
}

static void shape_make(struct shape *s)
{
	static const char *const apexes[] = {"", "\1a", "\7eXample\3com"};
	static const unsigned counts[] = {0, 1, 2, 14, 15, 16, 17, 30, 31, 32, 33, 47, 48, 60};
	const unsigned count = counts[roll(sizeof counts / sizeof counts[0])];

	s->kind = (enum kind)roll(KINDS);
	s->names = 0;
	memset(s->apex, 0, sizeof s->apex);
	if (chance(85)) {
		const char *apex = apexes[roll(3)];
		memcpy(s->apex, apex, strlen(apex));
	} else {
		uint8_t label[NAME_LABEL_MAX];
		for (unsigned left = roll(5), len; left > 0; left--) {
			label_make(label, len = chance(50) ? 63 : 1 + roll(62));
			(void)below(label, len, s->apex, s->apex);
		}
	}
	s->apex_len = name_len(s->apex);
	s->records = records_new(s->apex);
	assert_non_null(s->records);
	apex_put(s);
	for (unsigned i = 0; i < count; i++) {
		uint8_t name[NAME_LEN_MAX];

		name_make(s, name);
		bool known = name_equal(name, s->apex);
		for (unsigned k = 0; k < s->names; k++)
			known |= name_equal(name, s->name[k]);
		if (!known)
			memcpy(s->name[s->names++], name, NAME_LEN_MAX);
	}
	for (unsigned i = 0; i < s->names; i++)
		node_put(s, s->name[i]);
	if (s->kind == WITH_NSEC3) {
		for (unsigned i = roll(20); i > 0; i--)
			nsec3_put(s);
	}
}

// --- what is read back
// -----------------------------------------------------------------------------

static unsigned subject(const struct record *r)
{
	return r->type == RRTYPE_RRSIG ? 2u * (unsigned)(r->rdata[0] << 8 | r->rdata[1]) + 1
	                               : 2u * r->type;
}

// The order that version_records_next() has: by owner, type, records before signatures. The
// places in the input decide what is equal.
static int as_read(const void *left, const void *right)
{
	const struct record *a = *(const struct record *const *)left,
	                    *b = *(const struct record *const *)right;
	const int order = name_compare(a->owner, b->owner);

	if (order != 0)
		return order;
	if (subject(a) != subject(b))
		return subject(a) < subject(b) ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void records_are_there(const struct shape *s, const struct zone_version *version)
{
	const size_t n = s->records->count;
	const struct record **want = calloc(n, sizeof *want);
	struct version_records at;
	struct record got;
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		want[k] = &s->records->items[k];
	qsort(want, n, sizeof *want, as_read);
	version_records_start(&at, version);
	for (; version_records_next(&at, &got); i++) {
		assert_true(i < n);
		assert_int_equal(got.type, want[i]->type);
		assert_int_equal(got.owner_len, want[i]->owner_len);
		assert_memory_equal(got.owner, want[i]->owner, got.owner_len);
		// An RRset has one TTL: its first record's.
		const bool first = i == 0 || subject(want[i - 1]) != subject(want[i]) ||
		                   !name_equal(want[i - 1]->owner, want[i]->owner);
		static uint32_t ttl;
		ttl = first ? want[i]->ttl : ttl;
		assert_int_equal(got.ttl, ttl);
		assert_int_equal(got.rdlen, want[i]->rdlen);
		assert_memory_equal(got.rdata, want[i]->rdata, got.rdlen);
	}
	assert_int_equal(i, n);
	assert_int_equal(version_header(version)->rr_count, n);
	free(want);
}

static void order_is_searched(const struct zone_version *version)
{
	struct version_iter all, from;
	struct node_ref node, before = {0};
	uint8_t name[NAME_LEN_MAX];

	version_iter_start(&all, version);
	for (; (node = version_iter_next(&all)).node != NULL; before = node) {
		version_iter_seek(&from, version, node.node->name);
		assert_ptr_equal(version_iter_next(&from).node, node.node);
		assert_ptr_equal(version_find_in_order(version, node.node->name).node, node.node);
		// Directly behind the one before, where there is such a name.
		if (before.node == NULL || before.node->name_len + 2u > NAME_LEN_MAX)
			continue;
		(void)below((const uint8_t *)"\0", 1, before.node->name, name);
		if (name_equal(name, node.node->name))
			continue;
		assert_null(version_find_in_order(version, name).node);
		version_iter_seek(&from, version, name);
		assert_ptr_equal(version_iter_next(&from).node, node.node);
	}
}

// --- what is answered
// ------------------------------------------------------------------------------

static size_t ask(struct zone_table *table, const uint8_t *name, uint16_t type, bool edns_do,
    bool tcp, bool render_only, uint8_t *reply)
{
	static uint8_t buffer[REPLY_MAX + DNS_WRITE_SLACK];
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = &server, .table = table, .counters = &counters};
	struct dns_query query;
	const size_t len = name_len(name);
	size_t at = 12;

	memset(buffer, 0xa5, sizeof buffer);
	memcpy(buffer, (const uint8_t[12]){0x12, 0x34, 0, 0, 0, 1, [11] = 1}, 12);
	memcpy(buffer + at, name, len);
	at += len;
	memcpy(buffer + at,
	    (const uint8_t[15]){(uint8_t)(type >> 8), (uint8_t)type, 0, 1, 0, 0, 41, 16, 0, 0, 0,
	        edns_do ? 0x80 : 0},
	    15);
	at += 15;
	memset(&query, 0xa5, sizeof query);
	query.msg = buffer;
	query.len = (uint16_t)at;
	query.cap = (uint16_t)(tcp ? REPLY_MAX : 4096);
	query.sum = checksum_sum(buffer, at, 0);
	query.no_error_reply = false;
	query.render_only = render_only;
	query.client_len = 0;
	query.transport = tcp ? DNS_TCP : DNS_UDP;
	dns_answer(&context, &query);
	assert_int_equal(query.verdict, DNS_REPLY);
	assert_int_equal(checksum_fold(query.sum) % 0xffff,
	    checksum_fold(checksum_sum(buffer, query.len, 0)) % 0xffff);
	memcpy(reply, buffer, query.len);
	return query.len;
}

static void answers_are_rendered(struct zone_table *table, const uint8_t *name, uint16_t type)
{
	static uint8_t compiled[REPLY_MAX], rendered[REPLY_MAX];

	for (unsigned how = 0; how < 4; how++) {
		const size_t len = ask(table, name, type, how & 1, how & 2, false, compiled);

		assert_int_equal(ask(table, name, type, how & 1, how & 2, true, rendered), len);
		if (memcmp(compiled, rendered, len) != 0) {
			char text[NAME_TEXT_MAX];
			name_to_text(name, text);
			fail_msg("%s type %u: compiled and rendered differ", text, type);
		}
	}
}

static void questions_ask(struct shape *s, struct zone_table *table)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_NS, RRTYPE_CNAME, RRTYPE_MX, RRTYPE_TXT,
	    RRTYPE_DS, RRTYPE_DNAME, RRTYPE_NSEC, RRTYPE_NSEC3, RRTYPE_ANY, RRTYPE_RRSIG, 1234};
	uint8_t name[NAME_LEN_MAX];

	for (unsigned i = 0; i <= s->names; i++) {
		const uint8_t *own = i < s->names ? s->name[i] : s->apex;

		for (unsigned k = 0; k < sizeof types / sizeof types[0]; k++) {
			if (i < s->names && k >= 4 && !chance(30))
				continue;
			answers_are_rendered(table, own, types[k]);
			if (below((const uint8_t *)"nxd", 3, own, name) != 0)
				answers_are_rendered(table, name, types[k]);
			if (own[0] != 0 && i < s->names && chance(30))
				answers_are_rendered(table, name_parent(own), types[k]);
		}
		uint8_t label[NAME_LABEL_MAX];
		label_make(label, NAME_LABEL_MAX);
		memcpy(name, own, name_len(own));
		while (below(label, NAME_LABEL_MAX, name, name) != 0)
			;
		answers_are_rendered(table, name, RRTYPE_A);
	}
	for (size_t i = 0; i < s->records->count; i += 1 + roll(60))
		answers_are_rendered(table, s->records->items[i].owner, s->records->items[i].type);
}

// --- one round
// -------------------------------------------------------------------------------------

static void version_judge(struct shape *s, struct zone_version *version)
{
	struct zone_table *table = zone_table_new(&key);
	struct zone_retired retired;

	records_are_there(s, version);
	order_is_searched(version);
	assert_non_null(table);
	assert_int_equal(
	    zone_table_set(table, image_apex(version_header(version)), version, &retired), 0);
	questions_ask(s, table);
	assert_true(zone_table_remove(table, image_apex(version_header(version)), &retired));
	free(retired.entry);
	free(retired.slots);
	zone_table_free(table);
}

// Post: false where the records are no zone; otherwise *out is in memory of its own.
static bool image_make(const struct records *records, const struct compile_overlay *overlay,
    struct image_buffer *buffer, struct image *out)
{
	static uint64_t id;
	const struct compile_options options = {.key = key, .generation = 1, .id = ++id};
	char error[COMPILE_ERROR_MAX];

	image_buffer_again(buffer);
	if ((overlay == NULL ? compile_image(records, &options, buffer, error)
	                     : compile_overlay(records, overlay, &options, buffer, error)) != 0) {
		if (getenv("SHAPES_SEED") != NULL)
			fprintf(stderr, "%s\n", error);
		return false;
	}
	// Exactly as large, so that a sanitizer sees what is read behind the end.
	uint8_t *mem = aligned_alloc(IMAGE_ALIGN, buffer->used);
	assert_non_null(mem);
	memcpy(mem, buffer->mem, buffer->used);
	if (image_verify(mem, buffer->used, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(image_open(out, mem, buffer->used), 0);
	return true;
}

static void image_free(const struct image *image)
{
	free((void *)(uintptr_t)image->mem);
}

// Some names go, some records, and other names come.
static void shape_change(struct shape *s)
{
	struct records *before = s->records;
	const unsigned percent = roll(60);
	const uint8_t *owner = NULL;
	bool gone = false;

	assert_non_null(s->records = records_new(s->apex));
	for (size_t i = 0; i < before->count; i++) {
		const struct record *r = &before->items[i];
		const bool apex = name_equal(r->owner, s->apex);
		uint8_t soa[2 * NAME_LEN_MAX + 20];

		if (owner == NULL || !name_equal(r->owner, owner))
			gone = !apex && chance(percent);
		owner = r->owner;
		if (gone || (!apex && r->type != RRTYPE_RRSIG && chance(3)))
			continue;
		if (r->type != RRTYPE_SOA) {
			put(s, r->owner, r->type, r->ttl, r->rdata, r->rdlen);
			continue;
		}
		memcpy(soa, r->rdata, r->rdlen);
		soa[r->rdlen - 17]++;
		put(s, r->owner, r->type, r->ttl, soa, r->rdlen);
	}
	for (unsigned i = roll(6); i > 0 && s->names < NAMES_MAX; i--) {
		uint8_t name[NAME_LEN_MAX];

		name_make(s, name);
		bool known = name_equal(name, s->apex);
		for (unsigned k = 0; k < s->names; k++)
			known |= name_equal(name, s->name[k]);
		if (known)
			continue;
		memcpy(s->name[s->names++], name, NAME_LEN_MAX);
		node_put(s, name);
	}
	for (unsigned i = s->kind == WITH_NSEC3 ? roll(4) : 0; i > 0; i--)
		nsec3_put(s);
	assert_int_equal(records_sort(s->records), 0);
	records_free(before);
}

// The next version, as an overlay on this one. Post: false where there is none.
static bool layers_judge(
    struct shape *s, struct image_buffer *buffer, const struct zone_version *base)
{
	struct zone_version whole = {.layer_count = 1}, version = {.layer_count = 2};
	char error[DELTA_ERROR_MAX];
	struct overlay overlay;
	struct records *after;
	struct delta *delta;

	shape_change(s);
	if (!image_make(s->records, NULL, buffer, &whole.layer[0]))
		return false;
	assert_int_equal(delta_between(base, &whole, UINT32_MAX, UINT32_MAX, &delta), 0);
	image_free(&whole.layer[0]);
	// In the order that they have in RRsets then.
	assert_int_equal(delta_apply(delta, base, &after, error), 0);
	assert_int_equal(after->count, s->records->count);
	records_free(s->records);
	s->records = after;

	const int rc = overlay_make(base, delta, base, NULL, SIZE_MAX, &overlay, error);

	delta_free(delta);
	assert_true(rc == 0 || rc == -E2BIG);
	if (rc != 0)
		return false;
	assert_true(image_make(overlay.records, &overlay.plan, buffer, &version.layer[0]));
	overlay_free(&overlay);
	version.layer[1] = base->layer[0];
	assert_int_equal(version_check(&version), 0);
	version_judge(s, &version);
	image_free(&version.layer[0]);
	return true;
}

// Post: false where the records are no zone.
static bool shape_judge(struct shape *s, struct image_buffer *buffer, unsigned *layered)
{
	struct zone_version version = {.layer_count = 1};

	assert_int_equal(records_sort(s->records), 0);
	if (!image_make(s->records, NULL, buffer, &version.layer[0]))
		return false;
	assert_int_equal(version_check(&version), 0);
	version_judge(s, &version);
	*layered += layers_judge(s, buffer, &version);
	image_free(&version.layer[0]);
	return true;
}

static void what_goes_in_is_read_back_and_answered(void **state)
{
	static struct shape s;
	const char *seed = getenv("SHAPES_SEED"), *rounds = getenv("SHAPES_ROUNDS");
	const unsigned first = seed != NULL ? (unsigned)atoi(seed) : 1;
	const unsigned count = rounds != NULL ? (unsigned)atoi(rounds) : 40;
	struct image_buffer buffer;
	unsigned zones = 0, layered = 0;

	assert_int_equal(image_buffer_open(&buffer, 1u << 28), 0);
	for (unsigned i = first; i < first + count; i++) {
		state_now = i * 0x9e3779b97f4a7c15ULL + 1;
		shape_make(&s);
		if (getenv("SHAPES_SEED") != NULL)
			fprintf(stderr, "seed %u: kind %d, %u names, %zu records\n", i, s.kind,
			    s.names, s.records->count);
		zones += shape_judge(&s, &buffer, &layered);
		records_free(s.records);
	}
	image_buffer_close(&buffer);
	assert_true(zones > count / 4); // others have a CNAME and something else
	assert_true(layered > count / 8);
}

// --- as large as may be
// ----------------------------------------------------------------------------------------

static const uint8_t *large_name(struct shape *s, const char *label)
{
	uint8_t *name = s->name[s->names++];

	assert_true(below((const uint8_t *)label, (unsigned)strlen(label), s->apex, name) != 0);
	return name;
}

// A signature for each of so many types that have no records.
static void sigs_alone_put(struct shape *s, const uint8_t *owner, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sig_put(s, owner, (uint16_t)(2000 + i), 300, 1);
}

// Directories, records and answers further from their node than 16 bits say, and the most records
// that an RRset may have.
static void what_is_as_large_as_it_may_be_is_read_back_and_answered(void **state)
{
	static struct shape s;
	static const enum kind kinds[] = {UNSIGNED, WITH_NSEC, WITH_NSEC3};
	struct image_buffer buffer;
	unsigned layered = 0;

	assert_int_equal(image_buffer_open(&buffer, 1u << 30), 0);
	for (unsigned k = 0; k < KINDS; k++) {
		static uint8_t text[256 * 255];
		const uint8_t *name;

		state_now = k + 1;
		s.kind = kinds[k];
		s.names = 0;
		memcpy(s.apex, "\7eXample\3com", 13);
		s.apex_len = 13;
		assert_non_null(s.records = records_new(s.apex));
		apex_put(&s);
		name = large_name(&s, "most");
		for (unsigned i = 0; i < RECORDS_RRSET_MAX; i++)
			put(&s, name, RRTYPE_A, 1,
			    (const uint8_t[4]){10, 0, (uint8_t)(i >> 8), (uint8_t)i}, 4);
		for (unsigned i = 0; i < sizeof text; i += 256)
			text[i] = 255;
		name = large_name(&s, "Text");
		for (unsigned i = 0; i < 40; i++) {
			text[1] = (uint8_t)i;
			put(&s, name, RRTYPE_TXT, 1, text, sizeof text);
		}
		put(&s, name, RRTYPE_A, 1, text, 4);
		name = large_name(&s, "types");
		rrset_put(&s, name, RRTYPE_A, 1);
		generic_put(&s, name, 30000);
		if (s.kind == WITH_NSEC)
			nsec_put(&s, name);
		name = large_name(&s, "cut");
		rrset_put(&s, name, RRTYPE_NS, 2);
		generic_put(&s, name, 25000);
		name = large_name(&s, "alias");
		rrset_put(&s, name, RRTYPE_CNAME, 1);
		sigs_alone_put(&s, name, s.kind == UNSIGNED ? 0 : 15000);
		name = large_name(&s, "zz");
		rrset_put(&s, name, RRTYPE_MX, 3);
		assert_true(shape_judge(&s, &buffer, &layered));
		records_free(s.records);
	}
	image_buffer_close(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_as_large_as_it_may_be_is_read_back_and_answered),
	    cmocka_unit_test(what_goes_in_is_read_back_and_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
