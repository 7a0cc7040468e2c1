// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Compiled chains of CNAMEs. Each is what the renderer makes of the same zone; and after a change
// of anything that it depends on, made as an overlay, the answers are those of a base of the new
// records.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "compile.h"
#include "delta.h"
#include "dns.h"
#include "overlay.h"
#include "zonefile.h"

#define HEAD(serial) "@ 3600 SOA ns host " #serial " 2 3 4 300\n@ NS ns\nns A 192.0.2.1\n"

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};
static const struct dns_server server = {.udp_payload_max = 1232};
static const uint8_t apex[] = "\7example";

struct made {
	struct records *records;
	struct image_buffer image;
	struct zone_version version;
};

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static void base_make(struct made *made, const char *text, uint64_t id)
{
	const struct compile_options options = {.key = key, .generation = 1, .id = id};
	char error[COMPILE_ERROR_MAX];
	struct zonefile_error at;

	made->records = records_new(apex);
	if (zonefile_parse_text(text, strlen(text), apex, collect, made->records, &at) != 0)
		fail_msg("%s: %s", text, at.message);
	assert_int_equal(records_sort(made->records), 0);
	assert_int_equal(image_buffer_open(&made->image, 1u << 22), 0);
	assert_int_equal(compile_image(made->records, &options, &made->image, error), 0);
	if (image_verify(made->image.mem, made->image.used, error) != 0)
		fail_msg("%s", error);
	made->version.layer_count = 1;
	assert_int_equal(image_open(&made->version.layer[0], made->image.mem, made->image.used), 0);
}

static void drop(struct made *made)
{
	records_free(made->records);
	image_buffer_close(&made->image);
}

// `before` with an overlay that makes it `after`. Post: the number of names in it.
static uint32_t overlay_of(const struct made *before, const struct made *after, struct made *out)
{
	const struct compile_options options = {.key = key, .generation = 2, .id = 99};
	char error[COMPILE_ERROR_MAX] = "";
	struct overlay overlay;
	struct delta *delta;

	assert_int_equal(
	    delta_between(&before->version, &after->version, UINT64_MAX, 1u << 24, &delta), 0);
	if (overlay_make(&before->version, delta, &before->version, NULL, 1000, &overlay, error) !=
	    0)
		fail_msg("%s", error);
	assert_int_equal(image_buffer_open(&out->image, 1u << 22), 0);
	assert_int_equal(
	    compile_overlay(overlay.records, &overlay.plan, &options, &out->image, error), 0);
	if (image_verify(out->image.mem, out->image.used, error) != 0)
		fail_msg("%s", error);
	const uint32_t names = overlay.plan.count;

	overlay_free(&overlay);
	delta_free(delta);
	out->records = NULL;
	out->version =
	    (struct zone_version){.layer_count = 2, .layer = {[1] = before->version.layer[0]}};
	assert_int_equal(image_open(&out->version.layer[0], out->image.mem, out->image.used), 0);
	assert_int_equal(version_check(&out->version), 0);
	return names;
}

struct reply {
	size_t len;
	bool compiled;
	uint8_t bytes[2048];
};

static void ask(
    struct zone_version *version, const char *name, uint16_t type, bool render, struct reply *reply)
{
	struct zone_table *table = zone_table_new(&key);
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = &server, .table = table, .counters = &counters};
	static struct dns_query query;
	struct zone_retired retired;
	uint8_t *at = reply->bytes + 12;

	assert_int_equal(zone_table_set(table, apex, version, &retired), 0);
	memset(reply->bytes, 0, sizeof reply->bytes);
	reply->bytes[5] = 1;
	assert_true(name_from_text(name, strlen(name), apex, at) > 0);
	at += name_len(at);
	memcpy(at, (const uint8_t[4]){(uint8_t)(type >> 8), (uint8_t)type, 0, 1}, 4);
	query = (struct dns_query){.msg = reply->bytes,
	    .len = (uint16_t)(at + 4 - reply->bytes),
	    .cap = 1400,
	    .render_only = render};
	query.sum = checksum_sum(reply->bytes, query.len, 0);
	dns_answer(&context, &query);
	assert_int_equal(query.verdict, DNS_REPLY);
	reply->len = query.len;
	reply->compiled = counters.rendered == 0;
	zone_table_free(table);
}

static const uint16_t asked[] = {RRTYPE_A, RRTYPE_AAAA, RRTYPE_TXT, RRTYPE_HTTPS, RRTYPE_CNAME,
    RRTYPE_MX, RRTYPE_NS, RRTYPE_DS, RRTYPE_ANY};
#define ASKED (sizeof asked / sizeof asked[0])

static void same_reply(const char *what, const struct reply *a, const struct reply *b)
{
	if (a->len != b->len || memcmp(a->bytes, b->bytes, a->len) != 0)
		fail_msg("%s: another answer (%zu and %zu bytes)", what, a->len, b->len);
}

static void a_compiled_chain_is_what_the_renderer_makes(void **state)
{
	static const struct {
		const char *name;
		unsigned compiled; // of asked[], from the first on
	} cases[] = {
	    {"to-host", 2}, // A, AAAA; it has a TXT
	    {"to-to-host", 2},
	    {"to-apex", 4}, // no TXT, no HTTPS
	    {"out", 5},
	    {"to-nothing", 5}, // NXDOMAIN
	    {"to-empty", 5},
	    {"to-wild", 5},
	    {"any.w", 5}, // synthesised
	    {"*.w", 5},
	    {"To-Host", 2},
	    {"loop", 0},
	    {"own.loops", 0}, // "*" to itself
	    {"nine-1", 0},    // longer than is compiled
	    {"to-cut", 0},
	    {"to-dname", 0},
	};
	struct made base;
	struct reply reply, rendered;

	base_make(&base,
	    HEAD(1) "@ A 192.0.2.9\n@ MX 10 ns\nhost A 192.0.2.2\nhost AAAA 2001:db8::2\n"
	            "host TXT x\nto-host CNAME HOST\nto-to-host CNAME to-host\nto-apex CNAME @\n"
	            "out CNAME host.elsewhere.\nto-nothing CNAME a.b.nothing\nx.empty A 192.0.2.3\n"
	            "to-empty CNAME empty\n*.wild A 192.0.2.4\nto-wild CNAME q.wild\n"
	            "*.w CNAME to-wild\nloop CNAME pool\npool CNAME loop\n*.loops CNAME x.loops\n"
	            "nine-1 CNAME nine-2\nnine-2 CNAME nine-3\nnine-3 CNAME nine-4\n"
	            "nine-4 CNAME nine-5\nnine-5 CNAME nine-6\nnine-6 CNAME nine-7\n"
	            "nine-7 CNAME nine-8\nnine-8 CNAME nine-9\nnine-9 CNAME host\n"
	            "cut NS ns.cut\nns.cut A 192.0.2.5\nto-cut CNAME ns.cut\nd DNAME host\n"
	            "to-dname CNAME x.d\n",
	    1);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (unsigned j = 0; j < ASKED; j++) {
			ask(&base.version, cases[i].name, asked[j], false, &reply);
			ask(&base.version, cases[i].name, asked[j], true, &rendered);
			same_reply(cases[i].name, &reply, &rendered);
			if (j < cases[i].compiled && !reply.compiled)
				fail_msg("%s, type %u: not compiled", cases[i].name, asked[j]);
			if (cases[i].compiled == 0 && j == 0 && reply.compiled)
				fail_msg("%s: compiled", cases[i].name);
		}
	}
	drop(&base);
}

#define NSEC3_AT_H "h NSEC3 1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s A\n"

static void what_a_chain_depends_on_is_followed(void **state)
{
	static const struct {
		const char *what, *both, *before, *after;
	} cases[] = {
	    {"an address", "q CNAME h\n", "h A 192.0.2.2\n", "h A 192.0.2.3\n"},
	    {"an address of the apex", "q CNAME @\n", "@ A 192.0.2.2\n", "@ A 192.0.2.3\n"},
	    {"a TTL", "q CNAME h\n", "h A 192.0.2.2\n", "h 60 A 192.0.2.2\n"},
	    {"another type", "q CNAME h\nh A 192.0.2.2\n", "", "h AAAA 2001:db8::1\n"},
	    {"a type of those that were denied", "q CNAME h\nh A 192.0.2.2\n", "", "h TXT x\n"},
	    {"a type of the apex", "q CNAME @\n", "", "@ HTTPS 0 h\n"},
	    {"a type that goes", "q CNAME h\nh A 192.0.2.2\n", "h AAAA 2001:db8::1\n", ""},
	    {"the target comes", "q CNAME h\n", "", "h A 192.0.2.2\n"},
	    {"the target goes", "q CNAME h\n", "h A 192.0.2.2\n", ""},
	    {"the target is empty now", "q CNAME h\nx.h A 192.0.2.3\n", "h A 192.0.2.2\n", ""},
	    {"an empty one comes", "q CNAME h\n", "", "x.y.h A 192.0.2.2\n"},
	    {"an empty one goes", "q CNAME h\n", "x.y.h A 192.0.2.2\n", ""},
	    {"the second CNAME", "q CNAME r\nh A 192.0.2.2\ni A 192.0.2.3\n", "r CNAME h\n",
	        "r CNAME i\n"},
	    {"a CNAME no more", "q CNAME r\nh A 192.0.2.2\n", "r CNAME h\n", "r A 192.0.2.3\n"},
	    {"a CNAME now", "q CNAME r\nh A 192.0.2.2\n", "r A 192.0.2.3\n", "r CNAME h\n"},
	    {"the end of a longer one", "q CNAME r\nr CNAME s\ns CNAME t\n", "t A 192.0.2.3\n",
	        "t A 192.0.2.4\n"},
	    {"a wildcard comes", "q CNAME a.w\nx.w A 192.0.2.2\n", "", "*.w A 192.0.2.3\n"},
	    {"a wildcard goes", "q CNAME a.w\nx.w A 192.0.2.2\n", "*.w A 192.0.2.3\n", ""},
	    {"a wildcard at the apex comes", "q CNAME a.b.c\n", "", "* A 192.0.2.3\n"},
	    {"a wildcard's address", "q CNAME a.w\n", "*.w A 192.0.2.2\n", "*.w A 192.0.2.3\n"},
	    {"a wildcard's CNAME", "q CNAME a.w\nh A 192.0.2.2\ni A 192.0.2.3\n", "*.w CNAME h\n",
	        "*.w CNAME i\n"},
	    {"an empty wildcard comes", "q CNAME a.w\nx.w A 192.0.2.2\n", "",
	        "x.*.w A 192.0.2.3\n"},
	    {"what a wildcard leads to", "*.q CNAME h\n", "h A 192.0.2.2\n", "h A 192.0.2.3\n"},
	    {"a name hides the wildcard", "q CNAME a.b\n* A 192.0.2.2\n", "", "c.b A 192.0.2.3\n"},
	    {"a name hides it no more", "q CNAME a.b\n* A 192.0.2.2\n", "c.b A 192.0.2.3\n", ""},
	    {"the name instead of the wildcard", "q CNAME a.b\n*.b A 192.0.2.2\n", "",
	        "a.b A 192.0.2.3\n"},
	    {"the owner of an NSEC3 becomes a name", "q CNAME h\n* A 192.0.2.2\n" NSEC3_AT_H, "",
	        "h A 192.0.2.3\n"},
	    {"the same with what no chain has", "q CNAME h\n* A 192.0.2.2\n" NSEC3_AT_H, "",
	        "h MX 10 ns\n"},
	    {"the owner of an NSEC3 gets a name below", "q CNAME h\n* A 192.0.2.2\n" NSEC3_AT_H, "",
	        "x.h A 192.0.2.3\n"},
	    {"the owner of an NSEC3 goes", "q CNAME h\n* A 192.0.2.2\n", NSEC3_AT_H, ""},
	    {"the owner of an NSEC3 comes", "q CNAME h\n* A 192.0.2.2\n", "", NSEC3_AT_H},
	    {"a cut comes above", "q CNAME h.c\nh.c A 192.0.2.2\n", "", "c NS ns\n"},
	    {"a cut goes above", "q CNAME h.c\nh.c A 192.0.2.2\n", "c NS ns\n", ""},
	    {"a cut above nothing", "q CNAME h.c\nc A 192.0.2.2\n", "", "c NS ns\n"},
	    {"a cut above a wildcard", "q CNAME h.c\n*.c A 192.0.2.2\n", "", "c NS ns\n"},
	    {"a new cut above nothing", "q CNAME h.c.d\n", "", "c.d NS ns\n"},
	    {"a cut at the target", "q CNAME h\nh A 192.0.2.2\n", "", "h NS ns\n"},
	    {"a cut at the wildcard", "q CNAME h.w\n*.w A 192.0.2.2\n", "", "*.w NS ns\n"},
	    {"a DNAME comes above", "q CNAME h.c\nh.c A 192.0.2.2\n", "", "c DNAME elsewhere.\n"},
	    {"a DNAME goes above", "q CNAME h.c\nh.c A 192.0.2.2\n", "c DNAME elsewhere.\n", ""},
	    {"a DNAME at the apex", "q CNAME h\nh A 192.0.2.2\n", "", "@ DNAME elsewhere.\n"},
	    {"the name itself", "h A 192.0.2.2\n", "q CNAME h\n", "q CNAME elsewhere.\n"},
	    {"nothing", "q CNAME h\nh A 192.0.2.2\n", "", "z A 192.0.2.3\n"},
	};
	static const char *const names[] = {"q", "x.q"};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct made before, after, layers;
		struct reply reply, expected;
		char text[1024];

		snprintf(text, sizeof text, HEAD(1) "%s%s", cases[i].both, cases[i].before);
		base_make(&before, text, 1);
		snprintf(text, sizeof text, HEAD(2) "%s%s", cases[i].both, cases[i].after);
		base_make(&after, text, 2);
		overlay_of(&before, &after, &layers);
		for (unsigned j = 0; j < 2 * ASKED; j++) {
			ask(&layers.version, names[j % 2], asked[j / 2], false, &reply);
			ask(&after.version, names[j % 2], asked[j / 2], false, &expected);
			same_reply(cases[i].what, &reply, &expected);
		}
		drop(&layers);
		drop(&before);
		drop(&after);
	}
}

static void a_chain_is_used_below_an_overlay_unless_it_denies(void **state)
{
	struct made before, after, layers;
	struct reply reply;

	base_make(&before, HEAD(1) "q CNAME h\nh A 192.0.2.2\n", 1);
	base_make(&after, HEAD(2) "q CNAME h\nh A 192.0.2.2\nz A 192.0.2.3\n", 2);
	assert_int_equal(overlay_of(&before, &after, &layers), 2); // z, and the apex
	ask(&layers.version, "q", RRTYPE_A, false, &reply);
	assert_true(reply.compiled);
	ask(&layers.version, "q", RRTYPE_AAAA, false, &reply); // the SOA is another
	assert_false(reply.compiled);
	drop(&layers);
	drop(&before);
	drop(&after);
}

static void a_popular_target_does_not_make_a_large_overlay(void **state)
{
	enum { ALIASES = 500 };
	struct made before, after, layers;
	struct reply reply, expected;
	char text[ALIASES * 20 + 200];
	size_t len = (size_t)snprintf(text, sizeof text, HEAD(1) "h A 192.0.2.2\n");

	for (unsigned i = 0; i < ALIASES; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "q%u CNAME h\n", i);
	base_make(&before, text, 1);
	memcpy(strstr(text, "host 1"), "host 2", 6);
	memcpy(strstr(text, "192.0.2.2"), "192.0.2.3", 9);
	base_make(&after, text, 2);
	assert_true(overlay_of(&before, &after, &layers) < 64);
	for (unsigned i = 0; i < ALIASES; i += 7) {
		char name[16];

		snprintf(name, sizeof name, "q%u", i);
		ask(&layers.version, name, RRTYPE_A, false, &reply);
		ask(&after.version, name, RRTYPE_A, false, &expected);
		same_reply(name, &reply, &expected);
	}
	drop(&layers);
	drop(&before);
	drop(&after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_compiled_chain_is_what_the_renderer_makes),
	    cmocka_unit_test(what_a_chain_depends_on_is_followed),
	    cmocka_unit_test(a_chain_is_used_below_an_overlay_unless_it_denies),
	    cmocka_unit_test(a_popular_target_does_not_make_a_large_overlay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
