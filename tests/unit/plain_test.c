// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What dns_plain.c answers, at once and step by step, is byte for byte what the stages answer: a
// table of some hundred zones, some in others, so that slots are taken by others and by tombstones;
// and some with overlays.

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
#include "dns_plain.h"
#include "image_probe.h"
#include "overlay.h"
#include "zone_table_probe.h"
#include "zonefile.h"

#define ZONES      300 // of the table's 1024 slots
#define REPLY_ROOM 8192

#define SIG    " 13 2 300 20300101000000 20200101000000 1 @ QUJD\n"
#define HASH_A "139abrdcfnreaq72m4ijosk6d7nbrour"
#define HASH_B "onib9mgub9h0rml3cdf5bgrj59dkjhvk"
// What makes a zone signed, and one of the two kinds of denial.
#define SIGNED "@ RRSIG SOA" SIG "z RRSIG MX" SIG
#define NSEC                                                                            \
	SIGNED "@ NSEC NS SOA NS RRSIG NSEC\n@ RRSIG NSEC" SIG                          \
	       "NS NSEC x.y.z A AAAA NSEC\nNS RRSIG NSEC" SIG "NS RRSIG NSEC 13 2 299 " \
	       "20300101000000 20200101000000 2 @ QUJDRA==\nx.y.z NSEC @ A NSEC\n"
#define NSEC3                                                                           \
	SIGNED "@ NSEC3PARAM 1 0 1 ab\n" HASH_A " NSEC3 1 1 1 ab " HASH_B " A\n" HASH_A \
	       " RRSIG NSEC3" SIG HASH_B " NSEC3 1 1 1 ab " HASH_A " TXT\n"

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};
static const struct dns_server server = {.udp_payload_max = 1232};
static uint16_t reply_cap = 1400;
static struct dns_counters counters;
// Answered step by step; of them, from layers, and without a look at the version.
static unsigned steps_count, layered_count, near_count;
static struct dns_context context = {.server = &server, .counters = &counters};
static struct zone_version versions[ZONES];
static struct image_buffer images[ZONES][IMAGE_LAYERS_MAX];
#define FRONT offsetof(struct zone_version, layer[1])
static struct zone_version *fronts[ZONES]; // of a base alone: served in place of versions[]
#define NAME_TEXT 40
static char names[ZONES][NAME_TEXT];

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// A zone's records in each of its versions.
static struct records *zone_records(const uint8_t *apex, unsigned i, unsigned nth)
{
	// Names and types come and go; in zones of three kinds a cut goes, comes, and is never
	// there.
	static const char *const texts[] = {
	    "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n"
	    "a-label-of-more-than-eight A 192.0.2.2\nz MX 10 ns\nw CNAME z\nx.y.z A 192.0.2.3\n",
	    "@ 3600 SOA ns host 2 2 3 4 300\n@ NS ns\nns A 192.0.2.7\nns AAAA 2001:db8::1\n"
	    "a-label-of-more-than-eight A 192.0.2.2\nz MX 10 ns\nw CNAME z\nfresh A 192.0.2.8\n",
	    "@ 3600 SOA ns host 3 2 3 4 300\n@ NS ns\nns A 192.0.2.7\nw CNAME ns\n"
	    "z MX 20 ns\nx.y.z A 192.0.2.3\nmissing A 192.0.2.9\n",
	};
	static const char cut[] = "c NS ns.c\nc NS ns\nns.c A 192.0.2.4\n";
	static const char *const kinds[] = {"", NSEC, NSEC3, ""};
	static const bool has_cut[][IMAGE_LAYERS_MAX] = {
	    {true, false, false}, {false, true, true}, {false, false, false}};
	char text[512 + sizeof cut + sizeof NSEC + sizeof NSEC3];
	struct records *records = records_new(apex);
	struct zonefile_error at;
	const int len = snprintf(text, sizeof text, "%s%s%s", texts[nth],
	    has_cut[i % 3][nth] ? cut : "ns.c A 192.0.2.4\n", kinds[i % 4]);

	assert_int_equal(zonefile_parse_text(text, (size_t)len, apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	return records;
}

static void image_compile(struct image_buffer *image, const struct records *records,
    const struct compile_overlay *overlay, struct image *out)
{
	static uint64_t id;
	const struct compile_options options = {.key = key, .generation = 1, .id = ++id};
	char error[COMPILE_ERROR_MAX];

	assert_int_equal(image_buffer_open(image, 1u << 20), 0);
	assert_int_equal(overlay == NULL
	                     ? compile_image(records, &options, image, error)
	                     : compile_overlay(records, overlay, &options, image, error),
	    0);
	assert_int_equal(image_verify(image->mem, image->used, error), 0);
	assert_int_equal(image_open(out, image->mem, image->used), 0);
}

// The next version, of one overlay more.
static void zone_change(const uint8_t *apex, unsigned i, unsigned nth)
{
	struct records *records = zone_records(apex, i, nth);
	struct zone_version whole = {.layer_count = 1}, *version = &versions[i];
	struct image_buffer image;
	struct delta *delta;
	struct overlay overlay;
	char error[DELTA_ERROR_MAX];

	image_compile(&image, records, NULL, &whole.layer[0]);
	records_free(records);
	assert_int_equal(delta_between(version, &whole, 1u << 20, 1u << 24, &delta), 0);
	assert_int_equal(overlay_make(version, delta, version, NULL, SIZE_MAX, &overlay, error), 0);
	delta_free(delta);
	image_buffer_close(&image);
	memmove(&version->layer[1], version->layer, nth * sizeof version->layer[0]);
	image_compile(&images[i][nth], overlay.records, &overlay.plan, &version->layer[0]);
	version->layer_count++;
	overlay_free(&overlay);
	assert_int_equal(version_check(version), 0);
}

// One of a base alone stands in front of its image, as the data plane has it.
static void zone_serve(struct zone_table *table, const uint8_t *apex, unsigned i)
{
	const struct image_buffer *image = &images[i][0];
	struct zone_version *version = &versions[i];
	struct zone_retired retired;

	if (version->layer_count == 1) {
		version = aligned_alloc(64, FRONT + image->used);
		assert_non_null(version);
		memset(version, 0, FRONT);
		memcpy((uint8_t *)version + FRONT, image->mem, image->used);
		version->layer_count = 1;
		assert_int_equal(
		    image_open(&version->layer[0], (uint8_t *)version + FRONT, image->used), 0);
		fronts[i] = version;
	}
	assert_int_equal(zone_table_set(table, apex, version, &retired), 0);
	free(retired.slots);
}

static void fronts_free(void)
{
	for (unsigned i = 0; i < ZONES; i++)
		free(fronts[i]);
	memset(fronts, 0, sizeof fronts);
}

static void zone_add(struct zone_table *table, unsigned i)
{
	static const unsigned changes[] = {0, 1, 0, 2, 0};
	uint8_t apex[NAME_LEN_MAX];

	assert_true(name_from_text(names[i], strlen(names[i]), (const uint8_t *)"", apex) > 0);
	struct records *records = zone_records(apex, i, 0);

	image_compile(&images[i][0], records, NULL, &versions[i].layer[0]);
	records_free(records);
	versions[i].layer_count = 1;
	for (unsigned nth = 1; nth <= changes[i % 5]; nth++)
		zone_change(apex, i, nth);
	zone_serve(table, apex, i);
}

static size_t question(uint8_t *msg, const char *name, unsigned type, unsigned number)
{
	static const uint8_t opt[11] = {0, 0, 41, 4, 208};
	const bool edns = number % 4 != 0;
	uint8_t *at = msg + 12;

	memcpy(msg,
	    (const uint8_t[12]){(uint8_t)(number >> 8), (uint8_t)number,
	        (uint8_t)(number & 1), [5] = 1, [11] = edns},
	    12);
	assert_true(name_from_text(name, strlen(name), (const uint8_t *)"", at) > 0);
	at += name_len(at);
	memcpy(at, (const uint8_t[4]){0, (uint8_t)type, 0, 1}, 4);
	at += 4;
	if (edns) {
		memcpy(at, opt, sizeof opt);
		at[7] = number % 2 == 1 ? 0x80 : 0;
		at += sizeof opt;
	}
	return (size_t)(at - msg);
}

// As one that waits. Post: whether it was answered; otherwise the query is for the stages.
static bool ask_waiting(struct dns_query *query, bool far)
{
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	const struct plain_waiting *waiting = &queue.waiting[0];
	const uint64_t sum = query->sum;

	memset(&queue, 0xa5, sizeof queue);
	queue.count = 0;
	dns_plain_begin(&at_hand, &context, query, query->cap);
	at_hand.far = far;
	at_hand.at_once = false;
	if (!dns_plain_ask(&at_hand, &queue, query->msg, query->len))
		return false;
	dns_plain_burst(&at_hand, &queue);

	const struct plain_reply reply = dns_plain_waited(&at_hand, waiting);

	dns_plain_end(&at_hand);
	if (reply.len == 0) {
		query->sum = sum;
		dns_plain_leave(&at_hand, &at_hand.asked, query->msg);
		return false;
	}
	steps_count++;
	layered_count += lead_version(waiting->lead)->layer_count > 1;
	near_count += lead_near(waiting->lead);
	query->verdict = DNS_REPLY;
	query->len = (uint16_t)reply.len;
	query->sum = checksum_less(sum, checksum_fold(reply.less));
	return true;
}

// In one burst with those before it, of which it may remember their zone. Post: as ask_waiting().
static unsigned burst_left, burst_same, burst_quick, burst_count;
static bool ask_in_a_burst(struct dns_query *query)
{
	static struct dns_plain at_hand;
	const uint64_t sum = query->sum;

	if (burst_left == 0) {
		dns_plain_begin(&at_hand, &context, query, query->cap);
		burst_left = 70;
	}
	burst_left--;

	const struct plain_reply reply = dns_plain_answer(&at_hand, query->msg, query->len);

	burst_same += at_hand.zone.next != ZONE_SEARCH;
	burst_quick += at_hand.zone.next == ZONE_QUICK;
	burst_count += reply.len != 0;
	if (reply.len == 0) {
		query->sum = sum;
		dns_plain_leave(&at_hand, &at_hand.asked, query->msg);
		return false;
	}
	query->verdict = DNS_REPLY;
	query->len = (uint16_t)reply.len;
	query->sum = checksum_less(sum, checksum_fold(reply.less));
	return true;
}

enum way { AT_ONCE, IN_A_BURST, BY_STAGES, BY_STEPS, BY_STEPS_FAR };

static size_t ask(enum way way, const uint8_t *msg, size_t len, uint8_t reply[REPLY_ROOM])
{
	static struct dns_query query;

	memset(reply, 0xa5, REPLY_ROOM);
	memcpy(reply, msg, len);
	memset(&query, 0xa5, sizeof query);
	query.msg = reply;
	query.len = (uint16_t)len;
	query.cap = reply_cap;
	query.sum = checksum_sum(msg, len, 0);
	query.no_error_reply = query.render_only = false;
	query.client_len = 0;
	query.transport = DNS_UDP;
	dns_query_begin(&query);
	if (way == AT_ONCE) {
		dns_answer(&context, &query);
	} else if (way == BY_STAGES ||
	           !(way == IN_A_BURST ? ask_in_a_burst(&query)
	                               : ask_waiting(&query, way == BY_STEPS_FAR))) {
		uint8_t live;

		assert_int_equal(dns_parse_burst(&context, &query, 1, &live), 1);
		dns_match(&context, &query);
		dns_emit(&context, &query);
	}
	assert_int_equal(query.verdict, DNS_REPLY);
	assert_int_equal(checksum_fold(query.sum) % 0xffff,
	    checksum_fold(checksum_sum(reply, query.len, 0)) % 0xffff);
	return query.len;
}

static void all_questions(void)
{
	static const char *const labels[] = {"", "ns.", "NS.", "a-label-of-more-than-EIGHT.", "z.",
	    "w.", "y.z.", "x.Y.z.", "c.", "deep.in.c.", "DEEP.In.c.", "deep.in.C.", "missing.",
	    "missing.missing.", "ns.w.", "fresh.", "ns.c.",
	    "this-is-a-label-of-far-more-than.thirty-two-bytes-in-the-name.",
	    "this-is-a-label-of-far-more-than.thirty-two-bytes-in-the-name.and-then-as-long-"
	    "again."};
	static const uint8_t types[] = {1, 2, 6, 15, 28, 43, 5, 64};
	static const enum way ways[] = {AT_ONCE, IN_A_BURST, BY_STEPS, BY_STEPS_FAR};
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	unsigned number = 0;

	burst_left = 0; // zones may have gone
	for (unsigned i = 0; i < ZONES; i++) {
		for (unsigned k = 0; k < sizeof labels / sizeof labels[0]; k++) {
			char name[128 + NAME_TEXT];
			uint8_t msg[512];

			snprintf(
			    name, sizeof name, "%.120s%.*s", labels[k], NAME_TEXT - 1, names[i]);
			number++;
			const size_t len = question(msg, name, types[number % 8], number);
			const size_t n = ask(BY_STAGES, msg, len, by_stages);

			for (unsigned way = 0; way < sizeof ways / sizeof ways[0]; way++) {
				assert_int_equal(ask(ways[way], msg, len, other), n);
				assert_memory_equal(other, by_stages, n);
			}
		}
	}
}

static void at_once_by_steps_and_by_stages_come_the_same_replies(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	struct zone_retired retired;
	uint8_t apex[NAME_LEN_MAX];

	// Of one, two, three and four labels; the longer ones in the shorter ones.
	for (unsigned i = 0; i < ZONES; i++) {
		const char *parent = i < 10 ? "" : i < 150 ? names[i % 10] : names[i - 140];

		snprintf(names[i], NAME_TEXT, "%c%u.%.*s", 'a' + (int)(i % 26), i, NAME_TEXT - 8,
		    parent);
		zone_add(table, i);
	}
	context.table = table;
	all_questions();
	// More than half of what is compiled and not to be rendered goes this way.
	assert_true(counters.compiled > counters.rendered);
	assert_true(counters.nsec3_hashes > 0);
	assert_true(steps_count > ZONES * 17);       // of twice as many
	assert_true(burst_same > ZONES * 4);         // for the zone before
	assert_true(burst_quick > 50);               // which has an apex as long as any
	assert_true(layered_count > ZONES * 17 / 4); // of four fifths as many
	assert_true(near_count > ZONES * 17 / 4);    // unsigned, of one layer: three tenths
	for (unsigned i = 3; i < ZONES; i += 7) {
		assert_true(
		    name_from_text(names[i], strlen(names[i]), (const uint8_t *)"", apex) > 0);
		assert_true(zone_table_remove(table, apex, &retired));
		free(retired.entry);
	}
	all_questions();
	zone_table_free(table);
	fronts_free();
	for (unsigned i = 0; i < ZONES; i++)
		for (unsigned nth = 0; nth < versions[i].layer_count; nth++)
			image_buffer_close(&images[i][nth]);
}

// The i-th zone, of one layer.
static void zone_of_text(struct zone_table *table, unsigned i, const char *name, const char *text)
{
	uint8_t apex[NAME_LEN_MAX];
	struct zone_retired retired;
	struct zonefile_error at;

	assert_true(name_from_text(name, strlen(name), (const uint8_t *)"", apex) > 0);
	struct records *records = records_new(apex);

	assert_int_equal(zonefile_parse_text(text, strlen(text), apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	image_compile(&images[i][0], records, NULL, &versions[i].layer[0]);
	records_free(records);
	versions[i].layer_count = 1;
	assert_int_equal(zone_table_set(table, apex, &versions[i], &retired), 0);
}

// Of so many names some stand in the bucket behind their own; and where one has gone on, a name
// that is not there might have.
static void names_that_stand_elsewhere_go_the_plain_way_too(void **state)
{
	enum { LINE = 32, NAMES = 4000 };
	static char text[LINE * NAMES];
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	struct zone_table *table = zone_table_new(&key);
	unsigned displaced = 0;
	uint8_t msg[512];
	size_t used = (size_t)sprintf(text, "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\n");

	for (unsigned i = 0; used + LINE < sizeof text; i++)
		used += (size_t)snprintf(text + used, LINE, "h%u A 192.0.2.1\n", i);
	zone_of_text(table, 0, "a.", text);
	context.table = table;
	const struct image *image = &versions[0].layer[0];
	for (uint32_t i = 0; i < image->bucket_count; i++)
		displaced += image->buckets[i].overflow;
	assert_true(displaced > 20);

	burst_left = burst_count = steps_count = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		char name[LINE];

		snprintf(name, sizeof name, "%s%u.a.", i % 2 == 0 ? "h" : "missing", i);
		const size_t len = question(msg, name, RRTYPE_A, i);
		const size_t n = ask(BY_STAGES, msg, len, by_stages);

		assert_int_equal(by_stages[3] & 15, i % 2 == 0 ? 0 : 3);
		assert_int_equal(ask(IN_A_BURST, msg, len, other), n);
		assert_memory_equal(other, by_stages, n);
		assert_int_equal(ask(BY_STEPS, msg, len, other), n);
		assert_memory_equal(other, by_stages, n);
	}
	assert_int_equal(burst_count, NAMES);
	assert_int_equal(steps_count, NAMES);
	zone_table_free(table);
	image_buffer_close(&images[0][0]);
}

// Zones whose apexes are of one length, of all that a name may own: many types, aliases of all
// ends, wildcards, cuts, what is below those and below a DNAME; asked for every type.
static void whatever_a_name_owns_comes_the_same_by_steps(void **state)
{
	static const char text[] =
	    "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n"
	    "two A 192.0.2.2\ntwo A 192.192.192.2\ntwo TXT \"two\"\n"
	    "many A 192.0.2.3\nmany NS ns\nmany PTR ns\nmany HINFO a b\nmany MX 1 ns\n"
	    "many TXT t\nmany AAAA 2001:db8::3\nmany SRV 1 2 3 ns\nmany NAPTR 1 2 a b c ns\n"
	    "many CAA 0 issue x\nmany SPF spf\n"
	    "eight A 192.0.2.3\neight PTR ns\neight HINFO a b\neight MX 1 ns\neight TXT t\n"
	    "eight AAAA 2001:db8::3\neight SRV 1 2 3 ns\neight SPF spf\n"
	    "to-two CNAME two\nto-to-two CNAME to-two\nto-nothing CNAME missing\n"
	    "away CNAME www.elsewhere.\nround CNAME about\nabout CNAME round\n"
	    "to-wild CNAME x.wild\n*.wild A 192.0.2.4\n*.wild MX 1 ns\nto-empty CNAME empty\n"
	    "below.empty A 192.0.2.5\na.b.c.d.e A 192.0.2.6\nnsec 3600 IN NSEC ns A NSEC\n";
	static const char cuts[] = "cut NS ns.cut\ncut DS 1 13 2 00\nns.cut A 192.0.2.7\n"
	                           "dname DNAME two\nto-dname CNAME x.dname\nto-cut CNAME x.cut\n";
	static const char *const labels[] = {"", "ns.", "two.", "many.", "MANY.", "eight.",
	    "to-two.", "to-to-two.", "to-nothing.", "away.", "round.", "to-wild.", "wild.",
	    "x.wild.", "x.y.wild.", "to-empty.", "empty.", "below.empty.", "a.b.c.d.e.", "b.c.d.e.",
	    "e.", "x.a.b.c.d.e.", "cut.", "ns.cut.", "x.cut.", "dname.", "x.dname.", "to-dname.",
	    "to-cut.", "missing.", "x.missing.", "nsec.",
	    "a-label-of-many-more-bytes-than-sixteen.", "sixteen--letters."};
	enum { APEXES = 40 };
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	struct zone_table *table = zone_table_new(&key);
	uint8_t apex[NAME_LEN_MAX], msg[512];
	unsigned number = 0;

	for (unsigned i = 0; i < APEXES; i++) {
		char whole[sizeof text + sizeof cuts];
		struct records *records;
		struct zonefile_error at;

		snprintf(names[i], NAME_TEXT, "%c%u.zone.", 'a' + (int)(i % 26), i);
		snprintf(whole, sizeof whole, "%s%s", text, i % 2 == 0 ? "" : cuts);
		assert_true(
		    name_from_text(names[i], strlen(names[i]), (const uint8_t *)"", apex) > 0);
		records = records_new(apex);
		assert_int_equal(
		    zonefile_parse_text(whole, strlen(whole), apex, collect, records, &at), 0);
		assert_int_equal(records_sort(records), 0);
		image_compile(&images[i][0], records, NULL, &versions[i].layer[0]);
		records_free(records);
		versions[i].layer_count = 1;
		zone_serve(table, apex, i);
	}
	context.table = table;
	burst_left = burst_quick = steps_count = near_count = 0;
	for (unsigned type = 1; type < 128; type++) {
		for (unsigned k = 0; k < sizeof labels / sizeof labels[0]; k++) {
			char name[128 + NAME_TEXT];

			if (type == RRTYPE_OPT)
				continue;
			number++;
			snprintf(name, sizeof name, "%.80s%.*s", labels[k], NAME_TEXT - 1,
			    names[number / 8 % APEXES]);
			const size_t len = question(msg, name, (uint8_t)type, number);
			const size_t n = ask(BY_STAGES, msg, len, by_stages);

			for (enum way way = IN_A_BURST; way <= BY_STEPS_FAR; way++) {
				if (way == BY_STAGES)
					continue;
				assert_int_equal(ask(way, msg, len, other), n);
				assert_memory_equal(other, by_stages, n);
			}
		}
	}
	assert_true(steps_count > number);         // of twice as many
	assert_true(near_count > steps_count / 3); // half of the zones
	assert_true(burst_quick > number / 2);
	zone_table_free(table);
	fronts_free();
	for (unsigned i = 0; i < APEXES; i++)
		image_buffer_close(&images[i][0]);
}

// A question that is no message: its label with a zero byte goes on into the type. A node that the
// index finds for it has the same bytes so far, and more.
static void a_zero_byte_within_a_label_is_not_where_a_name_ends(void **state)
{
	static const uint8_t inner[96] = "\010"
	                                 "1234567"; // and the zero
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	struct zone_table *table = zone_table_new(&key);
	uint8_t apex[NAME_LEN_MAX] = {0}, own[96] = {0}, msg[512];
	struct zone_retired retired;
	struct zonefile_error at;
	char text[128];
	uint64_t hash;

	assert_int_equal(name_from_text("example.", 8, (const uint8_t *)"", apex), 9);
	const uint64_t zone = qname_label_hash(key.k[0], apex, &key);
	const uint64_t below = qname_label_hash(zone, inner, &key);

	for (unsigned n = 0;; n++) { // until both names have one tag
		own[0] = (uint8_t)snprintf((char *)own + 1, 32, "w%u", n);
		hash = qname_label_hash(zone, own, &key);
		if ((uint16_t)hash != 0 &&
		    (uint16_t)hash == (uint16_t)qname_label_hash(below, own, &key))
			break;
	}

	const int used = snprintf(text, sizeof text,
	    "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\n%s.1234567\\000 A 192.0.2.1\n",
	    (const char *)own + 1);
	struct records *records = records_new(apex);

	assert_int_equal(zonefile_parse_text(text, (size_t)used, apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	image_compile(&images[0][0], records, NULL, &versions[0].layer[0]);
	records_free(records);
	versions[0].layer_count = 1;
	assert_int_equal(zone_table_set(table, apex, &versions[0], &retired), 0);
	context.table = table;

	const struct image_node *node = image_probe(&versions[0].layer[0], hash).node;

	assert_non_null(node);
	assert_int_equal(node->name_len, own[0] + 1 + 9 + 9);
	burst_left = burst_quick = burst_count = 0;
	size_t len = question(msg, "example.", RRTYPE_A, 2);
	for (unsigned i = 0; i < 3; i++)
		(void)ask(IN_A_BURST, msg, len, other);
	assert_int_equal(burst_quick, 2);
	memmove(msg + len - 15 + 1 + own[0], msg + len - 15, 15); // what is behind the name
	memcpy(msg + 12, own, own[0] + 1u);
	memcpy(msg + 12 + own[0] + 1, inner, 9);
	len += 1u + own[0];
	const size_t n = ask(BY_STAGES, msg, len, by_stages);
	assert_int_equal(by_stages[3] & 15, 1); // FORMERR
	assert_int_equal(ask(IN_A_BURST, msg, len, other), n);
	assert_memory_equal(other, by_stages, n);
	assert_int_equal(burst_count, 3);
	zone_table_free(table);
	image_buffer_close(&images[0][0]);
}

// What the next question of a burst is answered with that had some for a zone. Post: in how many
// of them the zone was known.
static unsigned next_is_judged(const char *zone, const uint8_t *msg, size_t len)
{
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	uint8_t before[512];
	const size_t before_len = question(before, zone, RRTYPE_SOA, 2);

	burst_left = burst_quick = 0;
	for (unsigned i = 0; i < 3; i++)
		(void)ask(IN_A_BURST, before, before_len, other);

	const unsigned known = burst_quick;
	const size_t n = ask(BY_STAGES, msg, len, by_stages);

	assert_int_equal(ask(IN_A_BURST, msg, len, other), n);
	assert_memory_equal(other, by_stages, n);
	return known;
}

static void what_is_not_as_most_are_has_its_own_answer(void **state)
{
	static const char soa[] = "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\n";
	static const char *const more[] = {"c NS ns.c\nns.c A 192.0.2.2\n", "* A 192.0.2.3\n",
	    "@ DNAME elsewhere.\n", "c NS ns.c\nns.c A 192.0.2.2\nx DNAME elsewhere.\n"};
	static const char *const below[] = {"", "ns.", "c.", "a.c.", "x.", "a.x.", "b.a.x.",
	    "none.", "a.none.", "example.", "a.example.", "c.example.", "a.c.example.",
	    "1.2.3.4.5.6.c.", "a.1.2.3.4.5.6.c."};
	// Zones below, than which none may be of which it is known; one has more labels than a
	// plain question.
	static const char *const deep[] = {NULL, "c.example.", "1.2.3.4.5.6.c.example."};
	uint8_t msg[512];
	char text[256], name[64];
	size_t len;

	for (unsigned i = 0; i < sizeof more / sizeof more[0]; i++) {
		for (unsigned deeper = 0; deeper < sizeof deep / sizeof deep[0]; deeper++) {
			struct zone_table *table = zone_table_new(&key);

			snprintf(text, sizeof text, "%s%s", soa, more[i]);
			zone_of_text(table, 0, "example.", text);
			if (deeper != 0)
				zone_of_text(table, 1, deep[deeper], soa);
			context.table = table;
			for (unsigned k = 0; k < 2 * (sizeof below / sizeof below[0]); k++) {
				snprintf(name, sizeof name, "%sexample.", below[k / 2]);
				len = question(msg, name, k % 2 == 0 ? RRTYPE_A : RRTYPE_AAAA, 2);
				assert_int_equal(
				    next_is_judged("example.", msg, len), deeper != 0 ? 0 : 2);
			}
			// An OPT that is not counted; and a name that ends within its message, in
			// front of what is one.
			len = question(msg, "a.c.example.", RRTYPE_A, 2);
			msg[11] = 0;
			(void)next_is_judged("example.", msg, len);
			msg[11] = 1;
			memmove(msg + 15, msg + 14, len - 14);
			msg[14] = 0;
			(void)next_is_judged("example.", msg, len + 1);
			zone_table_free(table);
			for (unsigned k = 0; k <= (deeper != 0); k++)
				image_buffer_close(&images[k][0]);
		}
	}
}

// With the reply's OPT they are 255 of the additional section, and one more is not compiled.
static void as_many_additional_records_as_an_answer_may_have(void **state)
{
	static const struct dns_server large = {.udp_payload_max = REPLY_ROOM - 64};
	static uint8_t other[REPLY_ROOM], by_stages[REPLY_ROOM];
	char text[8192];
	uint8_t msg[512];

	context.server = &large;
	reply_cap = REPLY_ROOM - 64;
	for (unsigned more = 0; more < 2; more++) {
		const unsigned addresses = IMAGE_ADDITIONAL_MAX + more;
		struct zone_table *table = zone_table_new(&key);
		size_t used =
		    (size_t)snprintf(text, sizeof text, "@ 3600 SOA @ host 1 2 3 4 300\n@ NS @\n");

		for (unsigned i = 0; i < addresses; i++)
			used += (size_t)snprintf(
			    text + used, sizeof text - used, "@ A 192.0.2.%u\n", i);
		zone_of_text(table, 0, "example.", text);
		context.table = table;
		burst_left = burst_quick = burst_count = 0;
		for (unsigned i = 0; i < 4; i++) {
			const size_t len = question(msg, "example.", RRTYPE_NS, 2);

			memcpy(msg + len - 8, (const uint8_t[2]){REPLY_ROOM >> 8, 0}, 2);

			const size_t n = ask(BY_STAGES, msg, len, by_stages);

			// An NS of 14 bytes, addresses of 16.
			assert_int_equal(n, 12 + 9 + 4 + 14 + 16 * addresses + 11);
			assert_int_equal(by_stages[10] << 8 | by_stages[11], addresses + 1);
			assert_int_equal(ask(IN_A_BURST, msg, len, other), n);
			assert_memory_equal(other, by_stages, n);
		}
		assert_int_equal(burst_quick, 3);
		assert_int_equal(burst_count, more == 0 ? 4 : 0);
		zone_table_free(table);
		image_buffer_close(&images[0][0]);
	}
	context.server = &server;
	reply_cap = 1400;
}

// The control thread adds zones while a worker is within a burst.
static void a_query_that_waits_is_answered_from_a_table_that_grew(void **state)
{
	enum { LINE = 32, NAMES = 13000 }; // more than a core's cache holds
	struct zone_table *table = zone_table_new(&key);
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};
	static char text[LINE * NAMES];
	static uint8_t reply[REPLY_ROOM], other[REPLY_ROOM], expected[REPLY_ROOM];
	static struct zone_version others[SLOTS_LARGE];
	static struct plain_queue queue;
	static struct dns_query query;
	char error[COMPILE_ERROR_MAX];
	uint8_t apex[NAME_LEN_MAX], msg[512];
	struct zone_retired retired;
	struct zonefile_error at;
	size_t used = (size_t)sprintf(text, "@ 3600 SOA ns host 1 2 3 4 300\n@ NS ns\n");

	for (unsigned i = 0; used + LINE < sizeof text; i++)
		used += (size_t)snprintf(text + used, LINE, "h%u A 192.0.2.1\n", i);
	assert_true(name_from_text("a.", 2, (const uint8_t *)"", apex) > 0);
	struct records *records = records_new(apex);

	assert_int_equal(zonefile_parse_text(text, used, apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&images[0][0], 1u << 24), 0);
	assert_int_equal(compile_image(records, &options, &images[0][0], error), 0);
	records_free(records);
	versions[0].layer_count = 1;
	assert_int_equal(image_open(&versions[0].layer[0], images[0][0].mem, images[0][0].used), 0);
	assert_true(version_is_large(&versions[0]));
	assert_int_equal(zone_table_set(table, apex, &versions[0], &retired), 0);

	context.table = table;
	const size_t len = question(msg, "h77.a.", 1, 1), n = ask(BY_STAGES, msg, len, expected);
	static struct dns_plain at_hand;

	memcpy(reply, msg, len);
	query = (struct dns_query){
	    .msg = reply, .len = (uint16_t)len, .cap = 1400, .transport = DNS_UDP};
	dns_plain_begin(&at_hand, &context, &query, query.cap);
	assert_int_equal(dns_plain_answer(&at_hand, reply, (unsigned)len).len, 0);
	dns_plain_leave(&at_hand, &at_hand.asked, reply);
	assert_false(at_hand.at_once); // the zone is large
	memcpy(other, msg, len);
	assert_true(dns_plain_ask(&at_hand, &queue, other, (unsigned)len));
	for (unsigned i = 0; !zone_table_is_large(table); i++) {
		char name[NAME_TEXT];

		snprintf(name, sizeof name, "z%u.", i);
		assert_true(name_from_text(name, strlen(name), (const uint8_t *)"", apex) > 0);
		others[i] = versions[0];
		assert_int_equal(zone_table_set(table, apex, &others[i], &retired), 0);
		free(retired.slots);
	}
	dns_match(&context, &query);
	dns_emit(&context, &query);
	assert_int_equal(query.len, n);
	assert_memory_equal(reply, expected, n);
	dns_plain_burst(&at_hand, &queue);
	assert_int_equal(dns_plain_waited(&at_hand, &queue.waiting[0]).len, n);
	assert_memory_equal(other, expected, n);
	zone_table_free(table);
	image_buffer_close(&images[0][0]);
}

// The control thread takes a zone out while a worker is within a burst: what is left of it in the
// table has as many labels as the root.
static void a_root_that_was_just_taken_out_is_not_looked_into(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	struct zone_retired retired;
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	static struct dns_query query;
	static uint8_t reply[REPLY_ROOM];

	assert_int_equal(zone_table_set(table, (const uint8_t *)"", &versions[0], &retired), 0);
	context.table = table;
	const size_t len = question(reply, "h77.a.", 1, 1);

	query = (struct dns_query){
	    .msg = reply, .len = (uint16_t)len, .cap = 1400, .transport = DNS_UDP};
	dns_plain_begin(&at_hand, &context, &query, query.cap);
	assert_true(zone_table_remove(table, (const uint8_t *)"", &retired));
	free(retired.entry);
	assert_int_equal(dns_plain_answer(&at_hand, reply, (unsigned)len).len, 0);
	dns_plain_leave(&at_hand, &at_hand.asked, reply);
	for (unsigned far = 0; far < 2; far++) {
		at_hand.far = far != 0;
		queue.count = 0;
		assert_true(dns_plain_ask(&at_hand, &queue, reply, (unsigned)len));
		dns_plain_burst(&at_hand, &queue);
		assert_int_equal(dns_plain_waited(&at_hand, &queue.waiting[0]).len, 0);
		assert_int_equal(at_hand.asked.left, PLAIN_LEFT_ZONE);
	}
	dns_match(&context, &query);
	dns_emit(&context, &query);
	assert_int_equal(query.rcode, 5); // REFUSED
	zone_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(at_once_by_steps_and_by_stages_come_the_same_replies),
	    cmocka_unit_test(names_that_stand_elsewhere_go_the_plain_way_too),
	    cmocka_unit_test(whatever_a_name_owns_comes_the_same_by_steps),
	    cmocka_unit_test(a_zero_byte_within_a_label_is_not_where_a_name_ends),
	    cmocka_unit_test(what_is_not_as_most_are_has_its_own_answer),
	    cmocka_unit_test(as_many_additional_records_as_an_answer_may_have),
	    cmocka_unit_test(a_query_that_waits_is_answered_from_a_table_that_grew),
	    cmocka_unit_test(a_root_that_was_just_taken_out_is_not_looked_into),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
