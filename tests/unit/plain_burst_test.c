// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Plain questions in bursts: those that wait for each other (dns_plain_steps.c), many in one queue,
// and those that are answered one after another, with what the one before has left; and names that
// the index can only tell apart at the second look.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "dns.h"
#include "dns_plain.h"
#include "image_probe.h"
#include "wide.h"
#include "zone_table.h"
#include "zone_text.h"

#define REPLY_MAX 2048
#define CAP       1400

static const struct dns_server server = {
    .udp_payload_max = 1232, .identity_len = 4, .identity = "edge"};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};

// --- how often a name is searched for, since the first probe found another

static unsigned searches;

struct node_ref __real_version_find_name(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash);
struct node_ref __wrap_version_find_name(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash);

struct node_ref __wrap_version_find_name(
    const struct zone_version *version, const uint8_t *name, unsigned len, uint64_t hash)
{
	searches++;
	return __real_version_find_name(version, name, len, hash);
}

// --- zones

struct served {
	struct zone_version version;
	struct image_buffer image;
};

static size_t wire(const char *text, uint8_t out[NAME_LEN_MAX])
{
	assert_true(name_from_text(text, strlen(text), (const uint8_t *)"", out) > 0);
	return name_len(out);
}

// Of absolute names, or of those below `apex_text`.
static void serve(
    struct zone_table *table, const char *apex_text, const char *text, struct served *out)
{
	uint8_t name[NAME_LEN_MAX];
	struct zonefile_error at;
	struct zone_retired retired;
	char error[IMAGE_ERROR_MAX];

	wire(apex_text, name);
	struct records *records = records_new(name);

	if (zonefile_parse_text(text, strlen(text), name, zone_text_take, records, &at) != 0)
		fail_msg("%u:%u: %s", at.line, at.column, at.message);
	assert_int_equal(records_sort(records), 0);
	version_of(records, &out->version, &out->image);
	records_free(records);
	assert_int_equal(image_verify(out->image.mem, out->image.used, error), 0);
	assert_int_equal(zone_table_set(table, name, &out->version, &retired), 0);
	free(retired.slots);
}

// --- questions

struct message {
	uint8_t bytes[REPLY_MAX];
	size_t len;
};

// `edns`: 0: none; 1: an OPT; 2: one with DO.
static void question(struct message *m, const char *name, unsigned type, unsigned edns)
{
	uint8_t *at = m->bytes + 12;

	memset(m->bytes, 0, sizeof(m->bytes));
	m->bytes[1] = (uint8_t)type;
	m->bytes[5] = 1;
	m->bytes[11] = edns != 0;
	at += wire(name, at);
	memcpy(at, (const uint8_t[4]){0, (uint8_t)type, 0, 1}, 4);
	at += 4;
	if (edns != 0) {
		memcpy(at, (const uint8_t[11]){0, 0, 41, 4, 208}, 11);
		at[7] = edns == 2 ? 0x80 : 0;
		at += 11;
	}
	m->len = (size_t)(at - m->bytes);
}

static void query_fill(struct dns_query *query, struct message *m)
{
	memset(query, 0xa5, sizeof(*query));
	query->msg = m->bytes;
	query->len = (uint16_t)m->len;
	query->cap = CAP;
	query->sum = checksum_sum(m->bytes, m->len, 0);
	query->no_error_reply = query->render_only = false;
	query->client_len = 0;
	query->transport = DNS_UDP;
	dns_query_begin(query);
}

static void by_stages(struct message *m)
{
	static struct dns_query query;
	uint8_t live;

	query_fill(&query, m);
	assert_int_equal(dns_parse_burst(&context, &query, 1, &live), 1);
	dns_match(&context, &query);
	dns_emit(&context, &query);
	assert_int_equal(query.verdict, DNS_REPLY);
	m->len = query.len;
}

static void at_once(struct message *m)
{
	static struct dns_query query;

	query_fill(&query, m);
	dns_answer(&context, &query);
	assert_int_equal(query.verdict, DNS_REPLY);
	m->len = query.len;
}

// The message is its reply now, if there is one, and that has lost of `sum`, the query's, what it
// says. Post: whether there is one.
static bool reply_take(struct message *m, uint64_t sum, struct plain_reply reply)
{
	m->len = reply.len;
	if (reply.len == 0)
		return false;
	assert_int_equal(checksum_fold(checksum_less(sum, checksum_fold(reply.less))) % 0xffff,
	    checksum_fold(checksum_sum(m->bytes, m->len, 0)) % 0xffff);
	return true;
}

// All of them wait together. Post: how many were answered; of others the length is 0. What an
// earlier burst has left in its memory is still there.
static unsigned by_steps(struct message *messages, unsigned count)
{
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	static struct dns_query query;
	unsigned answered = 0, asked = 0;
	uint8_t index[DNS_BURST_MAX];

	queue.count = 0;
	query_fill(&query, &messages[0]);
	dns_plain_begin(&at_hand, &context, &query, CAP);
	at_hand.at_once = false;
	for (unsigned i = 0; i < count; i++) {
		if (dns_plain_ask(&at_hand, &queue, messages[i].bytes, (unsigned)messages[i].len))
			index[asked++] = (uint8_t)i;
		else
			messages[i].len = 0;
	}
	assert_int_equal(queue.count, asked);
	dns_plain_burst(&at_hand, &queue);
	for (unsigned i = 0; i < asked; i++) {
		struct message *m = &messages[index[i]];
		const uint64_t sum = checksum_sum(m->bytes, m->len, 0);
		const struct plain_reply reply = dns_plain_waited(&at_hand, &queue.waiting[i]);

		answered += reply_take(m, sum, reply);
	}
	dns_plain_end(&at_hand);
	return answered;
}

// Each at once, one after another, as those of a burst whose zones are near: what was found for one
// is still there for the next. Post: as by_steps().
static unsigned by_turns(struct message *messages, unsigned count)
{
	static struct dns_plain at_hand;
	static struct dns_query query;
	unsigned answered = 0;

	query_fill(&query, &messages[0]);
	dns_plain_begin(&at_hand, &context, &query, CAP);
	for (unsigned i = 0; i < count; i++) {
		struct message *m = &messages[i];
		const uint64_t sum = checksum_sum(m->bytes, m->len, 0);
		const struct plain_reply reply =
		    dns_plain_answer(&at_hand, m->bytes, (unsigned)m->len);

		answered += reply_take(m, sum, reply);
	}
	dns_plain_end(&at_hand);
	return answered;
}

// --- bursts

#define ZONE                                                                              \
	"@ 300 SOA ns host 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n"   \
	"two A 192.0.2.2\ntwo TXT two\nalias CNAME two\nalias2 CNAME alias\n"             \
	"to-nothing CNAME missing\nto-nothing2 CNAME to-nothing\naway CNAME elsewhere.\n" \
	"a.b.c.d.e.f A 192.0.2.3\n"
#define CUTS "cut NS ns.cut\ncut DS 1 13 2 00\nns.cut A 192.0.2.4\n"
#define SIG  " 13 2 300 20300101000000 20200101000000 1 @ QUJD\n"
#define SIGNED                                                                                \
	"@ RRSIG SOA" SIG "@ NSEC cut NS SOA RRSIG NSEC\n@ RRSIG NSEC" SIG "cut RRSIG DS" SIG \
	"cut NSEC @ NS DS RRSIG NSEC\ncut RRSIG NSEC" SIG
#define WILD "*.wild A 192.0.2.5\n"

static const char *const names[] = {"", "ns.", "two.", "TWO.", "alias.", "alias2.", "to-nothing.",
    "to-nothing2.", "away.", "b.c.d.e.f.", "a.b.c.d.e.f.", "x.a.b.c.d.e.f.", "y.x.a.b.c.d.e.f.",
    "cut.", "ns.cut.", "x.y.cut.", "x.wild.", "wild.", "missing.", "missing.missing.",
    "a-label-of-more-than-thirty-two-bytes-in-all."};
#define NAMES (sizeof(names) / sizeof(names[0]))

struct apexes {
	const char *what;
	const char *apex[6]; // up to NULL
};

// Where it was answered.
static void is_expected(const struct message *m, const struct message *expected)
{
	if (m->len == 0)
		return;
	assert_int_equal(m->len, expected->len);
	assert_memory_equal(m->bytes, expected->bytes, expected->len);
}

static void bursts_of(const struct apexes *apexes)
{
	static const uint8_t types[] = {1, 28, 2, 6, 5, 16, 43, 15};
	static const char *const above[] = {".", "test.", "zone.test.", "z.zone.test."};
	static struct message messages[DNS_BURST_MAX], turns[DNS_BURST_MAX], whole[DNS_BURST_MAX],
	    expected[DNS_BURST_MAX];
	struct served served[6];
	unsigned zones = 0, answered = 0, at_once_too = 0, asked = 0, nth = 0;

	print_message("  %s\n", apexes->what);
	context.table = zone_table_new(&key);
	for (; apexes->apex[zones] != NULL; zones++) {
		char text[2048];

		snprintf(text, sizeof(text), "%s%s%s%s", ZONE, zones % 2 == 0 ? "" : CUTS,
		    zones % 4 != 1 ? "" : SIGNED, zones % 3 != 2 ? "" : WILD);
		serve(
		    (struct zone_table *)context.table, apexes->apex[zones], text, &served[zones]);
	}
	for (unsigned burst = 0; burst < 400; burst++) {
		const unsigned count = 1 + (unsigned)random() % DNS_BURST_MAX;

		for (unsigned i = 0; i < count; i++) {
			char name[256];

			if (random() % 4 == 0) // mostly for the zone of the one before
				nth = (unsigned)random() % zones;
			const char *under =
			    random() % 8 == 0 ? above[random() % 4] : apexes->apex[nth];

			snprintf(
			    name, sizeof(name), "%s%s", names[(unsigned)random() % NAMES], under);
			if (strlen(name) > 1 && strcmp(name + strlen(name) - 2, "..") == 0)
				name[strlen(name) - 1] = '\0';
			question(&expected[i], name, types[random() % 8], random() % 3);
			messages[i] = turns[i] = whole[i] = expected[i];
			by_stages(&expected[i]);
		}
		answered += by_steps(messages, count);
		at_once_too += by_turns(turns, count);
		asked += count;
		for (unsigned i = 0; i < count; i++) {
			is_expected(&messages[i], &expected[i]);
			is_expected(&turns[i], &expected[i]);
			at_once(&whole[i]); // where it is left, by the stages with what was found
			is_expected(&whole[i], &expected[i]);
		}
	}
	print_message("    %u and %u of %u questions\n", answered, at_once_too, asked);
	assert_true(answered > asked / 2);
	assert_true(at_once_too > asked / 2);
	zone_table_free((struct zone_table *)context.table);
	for (unsigned i = 0; i < zones; i++)
		image_buffer_close(&served[i].image);
}

static void what_comes_together_is_answered_as_if_alone(void **state)
{
	static const struct apexes cases[] = {
	    {"apexes of two labels", {"a.test.", "b.test.", "c.test."}},
	    {"of one", {"test.", "other.", "third."}},
	    {"of three", {"a.zone.test.", "b.zone.test.", "zone.zone.test."}},
	    {"of six", {"a.b.c.d.zone.test.", "b.b.c.d.zone.test."}},
	    {"the root", {"."}},
	    {"the root and others", {".", "test.", "a.zone.test."}},
	    {"of several lengths", {"test.", "zone.test.", "a.zone.test.", "b.c.a.zone.test."}},
	    {"of several, and short questions", {"zone.test.", "a.b.c.zone.test."}},
	};

	srandom(20261130);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		bursts_of(&cases[i]);
}

// --- the index

#define TRIES (1u << 21)

// What a first look at a bucket sees of a name, where there are two buckets at most.
static unsigned seen_of(const char *text)
{
	uint8_t name[NAME_LEN_MAX + WIDE_SLACK];

	wire(text, name);
	const uint64_t hash = name_hash(name, &key);

	return (unsigned)(uint16_t)hash << 1 | qname_place(hash) >> 31;
}

// The first `format` of a number that is seen as `wanted`.
static void name_seen_as(char *out, size_t size, const char *format, unsigned wanted)
{
	for (unsigned i = 0; i < TRIES; i++) {
		snprintf(out, size, format, i, i);
		if (seen_of(out) == wanted)
			return;
	}
	fail_msg("no %s is seen as %#x", format, wanted);
}

// `rcode` and, of one address, its last byte (0: none), whichever way.
static void is_answered(const char *name, unsigned rcode, unsigned address)
{
	static struct message m[3];

	for (unsigned way = 0; way < 3; way++) {
		question(&m[way], name, RRTYPE_A, 0);
		if (way == 0)
			by_stages(&m[way]);
		else if (way == 1)
			at_once(&m[way]);
		else
			assert_int_equal(by_steps(&m[way], 1), 1);
		assert_int_equal(m[way].bytes[3] & 15, rcode);
		assert_int_equal(m[way].bytes[7], address != 0);
		if (address != 0)
			assert_int_equal(m[way].bytes[m[way].len - 1], address);
		else
			assert_int_equal(m[way].bytes[9], 1); // SOA
	}
}

// The index has 16 bits of a name's hash. Names of one bucket that share them, there and not there;
// and one that begins as another does, which it is not.
static void names_that_the_index_takes_for_each_other_are_told_apart(void **state)
{
	static char first[32], second[32], missing[32], begins[64], goes_on[64], text[1024];
	struct served served;

	snprintf(first, sizeof(first), "h.a.");
	name_seen_as(second, sizeof(second), "g%u.a.", seen_of(first));
	name_seen_as(missing, sizeof(missing), "m%u.a.", seen_of(first));
	for (unsigned i = 0;; i++) {
		assert_true(i < TRIES);
		snprintf(begins, sizeof(begins), "x%u.a.", i);
		snprintf(goes_on, sizeof(goes_on), "x%u.a.y.a.", i);
		if (seen_of(begins) == seen_of(goes_on))
			break;
	}
	for (unsigned cuts = 0; cuts < 2; cuts++) {
		context.table = zone_table_new(&key);
		snprintf(text, sizeof(text),
		    "@ 300 SOA ns host 1 2 3 4 300\n@ NS ns\n%s A 192.0.2.1\n%s A 192.0.2.2\n"
		    "%s A 192.0.2.3\n%s",
		    first, second, goes_on, cuts == 0 ? "" : "cut NS ns.elsewhere.\n");
		serve((struct zone_table *)context.table, "a.", text, &served);
		assert_true(served.version.layer[0].bucket_count <= 2);
		is_answered(first, 0, 1);
		is_answered(second, 0, 2);
		is_answered(missing, 3, 0);
		is_answered(begins, 3, 0);
		if (cuts == 0) // else the first probe is for "y.a."
			is_answered(goes_on, 0, 3);
		zone_table_free((struct zone_table *)context.table);
		image_buffer_close(&served.image);
	}
}

// Nearly every name stands in the first free slot of its home: one look finds it.
static void what_stands_where_it_is_looked_for_is_not_searched_for(void **state)
{
	static char text[1024];
	static struct message messages[DNS_BURST_MAX];
	struct served served;
	const struct image *image = &served.version.layer[0];

	context.table = zone_table_new(&key);
	snprintf(text, sizeof(text), "%s", ZONE "n0 A 192.0.2.6\nn1 A 192.0.2.6\nn2 A 192.0.2.6\n");
	serve((struct zone_table *)context.table, "a.", text, &served);
	for (unsigned i = 0; i < image->bucket_count; i++)
		assert_int_equal(image->buckets[i].overflow, 0);
	searches = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		char name[256];

		snprintf(name, sizeof(name), "%.100sa.", names[i]);
		question(&messages[i], name, RRTYPE_A, i % 3);
	}
	assert_true(by_steps(messages, NAMES) > NAMES / 2);
	assert_int_equal(searches, 0);
	zone_table_free((struct zone_table *)context.table);
	image_buffer_close(&served.image);
}

// RFC 1035 2.3.4: a name has 255 bytes at most. Few labels may have more: of 440 bytes, seven.
static void a_name_that_is_too_long_is_for_the_stages(void **state)
{
	static struct message m, steps;
	struct served served;

	context.table = zone_table_new(&key);
	serve((struct zone_table *)context.table, "a.", ZONE, &served);
	for (unsigned len = 245; len <= 440; len++) { // with its root
		for (unsigned letter = 0; letter < 2; letter++) {
			uint8_t *at = m.bytes + 12;
			unsigned left = len - 3; // "a."

			memset(&m, 0, sizeof(m));
			m.bytes[5] = 1;
			while (left > 0) {
				// Of nothing but the last byte no label can be made.
				const unsigned n = left > 65 ? 64 : left == 65 ? 63 : left;

				*at++ = (uint8_t)(n - 1);
				memset(at, letter == 0 ? 'x' : 'X', n - 1);
				at += n - 1;
				left -= n;
			}
			memcpy(at, "\1a\0\0\1\0\1", 7);
			m.len = (size_t)(at + 7 - m.bytes);
			steps = m;
			at_once(&m);
			assert_int_equal(m.bytes[3] & 15, len > 255 ? 1 : 3);
			assert_int_equal(by_steps(&steps, 1), len <= 255);
		}
	}
	zone_table_free((struct zone_table *)context.table);
	image_buffer_close(&served.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_comes_together_is_answered_as_if_alone),
	    cmocka_unit_test(names_that_the_index_takes_for_each_other_are_told_apart),
	    cmocka_unit_test(a_name_that_is_too_long_is_for_the_stages),
	    cmocka_unit_test(what_stands_where_it_is_looked_for_is_not_searched_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
