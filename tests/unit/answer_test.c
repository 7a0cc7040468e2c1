// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages of answers to downstream servers, read back by the code that reads those of
// primaries (which NSD, Knot and BIND have judged), and looked at byte by byte where that code is
// lenient.
#include "answer_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile.h"
#include "delta.h"
#include "overlay.h"
#include "rrtype.h"
#include "session.h"
#include "wire.h"

#define NOW UINT64_C(1795000000)

static const uint8_t apex[] = "\7example";

struct sample {
	struct records *records; // sorted
	struct image_buffer buffer;
	struct zone_version version;
};

static void add(
    struct records *records, const char *owner, uint16_t type, const void *rdata, size_t len)
{
	uint8_t name[NAME_LEN_MAX];

	assert_true(name_from_text(owner, strlen(owner), NULL, name) > 0);
	assert_int_equal(records_add(records, name, type, 300, rdata, len), 0);
}

// `hosts` addresses, and a TXT of `large` bytes when that is not 0.
static void zone_make(struct sample *zone, unsigned hosts, size_t large)
{
	static const uint8_t soa[] =
	    "\2ns\7Example\0\4host\7example\0\0\0\0\7\0\0\16\20\0\0\2\x58\0"
	    "\1\x51\x80\0\0\0\x3c";
	static const uint8_t ns[] = "\2ns\7Example";
	const struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX], owner[64];

	zone->records = records_new(apex);
	add(zone->records, "example", RRTYPE_SOA, soa, sizeof(soa) - 1);
	add(zone->records, "example", RRTYPE_NS, ns, sizeof(ns));
	for (uint32_t i = 0; i < hosts; i++) {
		snprintf(owner, sizeof(owner), "%s%u.Sub.example", i % 2 ? "Host" : "host", i);
		add(zone->records, owner, RRTYPE_A, &i, sizeof(i));
	}
	if (large > 0) {
		uint8_t *text = malloc(large);

		for (size_t at = 0; at < large; at += 256) {
			size_t part = large - at < 256 ? large - at : 256;

			memset(text + at, 'x', part);
			text[at] = (uint8_t)(part - 1);
		}
		add(zone->records, "large.example", RRTYPE_TXT, text, large);
		free(text);
	}
	assert_int_equal(records_sort(zone->records), 0);
	assert_int_equal(image_buffer_open(&zone->buffer, 1 << 30), 0);
	if (compile_image(zone->records, &options, &zone->buffer, error) != 0) {
		fail_msg("%s", error);
	}
	zone->version = (struct zone_version){.layer_count = 1};
	assert_int_equal(
	    image_open(&zone->version.layer[0], zone->buffer.mem, zone->buffer.used), 0);
}

static void zone_drop(struct sample *zone)
{
	image_buffer_close(&zone->buffer);
	records_free(zone->records);
}

static void records_same(const struct records *got, const struct records *want)
{
	assert_int_equal(got->count, want->count);
	for (size_t i = 0; i < got->count; i++) {
		const struct record *a = &got->items[i], *b = &want->items[i];

		assert_int_equal(a->owner_len, b->owner_len);
		assert_memory_equal(a->owner, b->owner, a->owner_len); // case, too
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->ttl, b->ttl);
		assert_int_equal(a->rdlen, b->rdlen);
		assert_memory_equal(a->rdata, b->rdata, a->rdlen);
	}
}

// A client that asks for the zone, and a writer that has been asked.
struct talk {
	struct tsig_key *key;
	struct session *client;
	struct answer_writer *writer;
	uint8_t question[1024];
	size_t question_len;
	uint8_t message[WIRE_MESSAGE_MAX];
};

static struct talk *talk_ask(const struct sample *zone, enum answer_form form,
    const struct session_ask *ask, const struct records *changes, const char *algorithm, bool opt)
{
	static const uint8_t key_name[] = "\3key";
	static const struct session_limits limits = {
	    .bytes = UINT64_MAX, .records = UINT64_MAX, .rrset_records = RECORDS_RRSET_MAX};
	struct talk *talk = calloc(1, sizeof(*talk));
	struct request request;

	if (algorithm != NULL) {
		assert_int_equal(
		    tsig_key_new(key_name, algorithm, (const uint8_t *)"secret", 6, &talk->key), 0);
	}
	talk->client = session_open(apex, talk->key, 4711, ask, &limits);
	talk->question_len =
	    session_request(talk->client, talk->question, sizeof(talk->question), NOW);
	assert_true(talk->question_len > 0);
	assert_true(request_open(&request, talk->question, talk->question_len));
	assert_true(request_records(&request));
	request.has_opt = opt;
	talk->writer = calloc(1, sizeof(*talk->writer));
	answer_writer_open(talk->writer, &request, talk->key);
	assert_true(answer_records_start(&talk->writer->records, form, &zone->version, changes));
	return talk;
}

static struct talk *talk_open(
    const struct sample *zone, enum answer_form form, const char *algorithm, bool opt)
{
	static const struct session_ask whole = {.any_serial = true};

	return talk_ask(zone, form, &whole, NULL, algorithm, opt);
}

// Hands all messages to the client.
static void talk_run(struct talk *talk)
{
	int rc = 1;

	while (rc == 1) {
		size_t len;

		rc = answer_writer_next(
		    talk->writer, talk->message, ANSWER_MESSAGE_SIZE, WIRE_MESSAGE_MAX, NOW, &len);
		assert_true(rc >= 0);
		(void)session_message(talk->client, talk->message, len, NOW);
	}
	if (talk->client->state != SESSION_DONE) {
		fail_msg("%s", talk->client->error);
	}
}

static void talk_close(struct talk *talk)
{
	session_close(talk->client);
	tsig_key_unref(talk->key);
	free(talk->writer);
	free(talk);
}

static const char *const algorithms[] = {
    NULL, "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};

static void a_whole_zone_arrives_as_it_is_signed_in_each_message_by_every_algorithm(void **state)
{
	struct sample zone;

	zone_make(&zone, 5000, 0);
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		struct talk *talk = talk_open(&zone, ANSWER_WHOLE, algorithms[i], i % 2 == 1);
		unsigned messages = 0;
		int rc = 1;

		while (rc == 1) {
			struct tsig_record tsig;
			size_t len;

			rc = answer_writer_next(talk->writer, talk->message, ANSWER_MESSAGE_SIZE,
			    WIRE_MESSAGE_MAX, NOW + messages, &len);
			assert_true(rc >= 0);
			assert_true(len <= ANSWER_MESSAGE_SIZE);
			assert_int_equal(tsig_find(talk->message, len, &tsig), talk->key != NULL);
			// OPT in the first one, where it was asked with one.
			assert_int_equal(wire_get16(talk->message + 10),
			    (talk->key != NULL) + (messages == 0 && i % 2 == 1));
			assert_int_equal(
			    session_message(talk->client, talk->message, len, NOW + messages),
			    rc == 1 ? SESSION_MORE : SESSION_DONE);
			messages++;
		}
		assert_true(messages > 3);
		assert_int_equal(talk->writer->record_count, zone.records->count + 1);
		struct records *got = session_take(talk->client);

		assert_int_equal(records_sort(got), 0);
		records_same(got, zone.records);
		records_free(got);
		talk_close(talk);
	}
	zone_drop(&zone);
}

static void names_are_compressed(void **state)
{
	struct sample zone;
	struct talk *talk;
	size_t len;

	zone_make(&zone, 500, 0);
	talk = talk_open(&zone, ANSWER_WHOLE, NULL, false);
	assert_int_equal(answer_writer_next(talk->writer, talk->message, ANSWER_MESSAGE_SIZE,
	                     WIRE_MESSAGE_MAX, NOW, &len),
	    0);
	// Nearly all: "hostNNN", a pointer, the fixed part and four bytes.
	assert_in_range(len, 500 * (5 + 2 + 10 + 4), 500 * (8 + 2 + 10 + 4) + 300);
	talk_close(talk);
	zone_drop(&zone);
}

static void a_message_changed_or_left_out_does_not_verify(void **state)
{
	struct sample zone;

	zone_make(&zone, 3000, 0);
	for (unsigned harm = 0; harm < 2; harm++) {
		struct talk *talk = talk_open(&zone, ANSWER_WHOLE, "hmac-sha256", false);
		enum session_state got = SESSION_MORE;
		int rc = 1;

		for (unsigned i = 0; rc == 1 && got == SESSION_MORE; i++) {
			size_t len;

			rc = answer_writer_next(talk->writer, talk->message, ANSWER_MESSAGE_SIZE,
			    WIRE_MESSAGE_MAX, NOW, &len);
			if (i == 1 && harm == 0) {
				continue;
			}
			talk->message[200] ^= i == 1;
			got = session_message(talk->client, talk->message, len, NOW);
		}
		assert_int_equal(got, SESSION_FAILED);
		talk_close(talk);
	}
	zone_drop(&zone);
}

static void a_large_record_gets_a_message_of_its_own_size(void **state)
{
	struct sample zone;
	struct talk *talk;
	size_t len, longest = 0;
	int rc = 1;

	zone_make(&zone, 2000, 60000);
	talk = talk_open(&zone, ANSWER_WHOLE, "hmac-sha512", true);
	while (rc == 1) {
		rc = answer_writer_next(
		    talk->writer, talk->message, ANSWER_MESSAGE_SIZE, WIRE_MESSAGE_MAX, NOW, &len);
		assert_true(rc >= 0);
		longest = len > longest ? len : longest;
		(void)session_message(talk->client, talk->message, len, NOW);
	}
	assert_int_equal(talk->client->state, SESSION_DONE);
	assert_in_range(longest, 60000, 65535);
	talk_close(talk);
	zone_drop(&zone);
}

static void a_record_that_fits_no_message_is_an_error_and_not_a_torn_zone(void **state)
{
	struct sample zone;
	struct talk *talk;
	size_t len;
	int rc = 1;

	zone_make(&zone, 10, 65500);
	talk = talk_open(&zone, ANSWER_WHOLE, "hmac-sha512", false);
	while (rc == 1) {
		rc = answer_writer_next(
		    talk->writer, talk->message, ANSWER_MESSAGE_SIZE, WIRE_MESSAGE_MAX, NOW, &len);
	}
	assert_int_equal(rc, -EMSGSIZE);
	talk_close(talk);
	zone_drop(&zone);
}

static void one_soa_says_that_nothing_is_newer_and_keeps_to_the_size(void **state)
{
	struct sample zone;
	struct talk *talk;
	size_t len;

	zone_make(&zone, 10, 0);
	talk = talk_open(&zone, ANSWER_SOA, "hmac-sha256", true);
	assert_int_equal(
	    answer_writer_next(talk->writer, talk->message, 460, 460, NOW, &len), -EMSGSIZE);
	talk_close(talk);
	talk = talk_open(&zone, ANSWER_SOA, "hmac-sha256", true);
	assert_int_equal(answer_writer_next(talk->writer, talk->message, 1232, 1232, NOW, &len), 0);
	assert_int_equal(wire_get16(talk->message + 6), 1);
	assert_int_equal(wire_get16(talk->message + 2), WIRE_QR | WIRE_AA);
	talk_close(talk);
	zone_drop(&zone);
}

// From serial 7 to 8: every fourth host goes, as many come, and a TXT.
static struct delta *delta_make(const struct sample *zone, unsigned hosts)
{
	static const uint8_t text[] = "\5hello";
	struct delta *delta = delta_new(apex, 7);
	struct record soa;
	uint8_t after[256], owner[NAME_LEN_MAX];
	char name[64];

	assert_true(version_soa(&zone->version, &soa));
	memcpy(after, soa.rdata, soa.rdlen);
	after[soa.rdlen - 17] = 8;
	for (int added = 0; added < 2; added++) {
		assert_int_equal(delta_add(delta, added, apex, RRTYPE_SOA, 300,
		                     added ? after : soa.rdata, soa.rdlen),
		    0);
		for (uint32_t i = 0; i < hosts; i += 4) {
			snprintf(name, sizeof(name), "%s%u.Sub.example", added ? "new" : "host", i);
			assert_true(name_from_text(name, strlen(name), NULL, owner) > 0);
			assert_int_equal(
			    delta_add(delta, added, owner, RRTYPE_A, 300, (uint8_t *)&i, 4), 0);
		}
	}
	assert_true(name_from_text("Text.example", 12, NULL, owner) > 0);
	assert_int_equal(delta_add(delta, true, owner, RRTYPE_TXT, 60, text, 6), 0);
	delta->to = 8;
	delta->steps = 1;
	return delta;
}

static void a_difference_arrives_as_it_is(void **state)
{
	const struct session_ask ask = {.incremental = true, .ours = {.serial = 7}};
	struct delta *delta;
	struct sample zone, after = {0};
	struct talk *talk;
	char error[COMPILE_ERROR_MAX];
	static const struct compile_options options = {.generation = 2, .id = 2};

	zone_make(&zone, 4000, 0);
	delta = delta_make(&zone, 4000);
	assert_int_equal(delta_apply(delta, &zone.version, &after.records, error), 0);
	assert_int_equal(image_buffer_open(&after.buffer, 1 << 30), 0);
	assert_int_equal(compile_image(after.records, &options, &after.buffer, error), 0);
	after.version.layer_count = 1;
	assert_int_equal(
	    image_open(&after.version.layer[0], after.buffer.mem, after.buffer.used), 0);
	talk = talk_ask(&after, ANSWER_DIFFERENCE, &ask, delta->changes, "hmac-sha1", true);
	talk_run(talk);
	struct delta *got = session_take_delta(talk->client);

	assert_non_null(got);
	assert_int_equal(got->from, 7);
	assert_int_equal(got->to, 8);
	records_same(got->changes, delta->changes);
	assert_memory_equal(got->added, delta->added, delta->changes->count);
	delta_free(got);
	delta_free(delta);
	talk_close(talk);
	zone_drop(&after);
	zone_drop(&zone);
}

static void a_version_of_layers_arrives_as_one(void **state)
{
	static const struct compile_options options = {.key = {{1, 2}}, .generation = 2, .id = 2};
	struct sample zone;
	struct records *want;
	struct overlay overlay;
	struct image_buffer top;
	struct delta *delta;
	char error[COMPILE_ERROR_MAX];
	struct talk *talk;

	zone_make(&zone, 4000, 0);
	delta = delta_make(&zone, 4000);
	assert_int_equal(delta_apply(delta, &zone.version, &want, error), 0);
	if (overlay_make(&zone.version, delta, &zone.version, NULL, 10000, &overlay, error) != 0) {
		fail_msg("%s", error);
	}
	assert_int_equal(image_buffer_open(&top, 1 << 30), 0);
	assert_int_equal(compile_overlay(overlay.records, &overlay.plan, &options, &top, error), 0);
	zone.version.layer[1] = zone.version.layer[0];
	assert_int_equal(image_open(&zone.version.layer[0], top.mem, top.used), 0);
	zone.version.layer_count = 2;
	talk = talk_open(&zone, ANSWER_WHOLE, "hmac-sha256", false);
	talk_run(talk);
	struct records *got = session_take(talk->client);

	assert_int_equal(records_sort(got), 0);
	records_same(got, want);
	records_free(got);
	records_free(want);
	overlay_free(&overlay);
	image_buffer_close(&top);
	delta_free(delta);
	talk_close(talk);
	zone_drop(&zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        a_whole_zone_arrives_as_it_is_signed_in_each_message_by_every_algorithm),
	    cmocka_unit_test(names_are_compressed),
	    cmocka_unit_test(a_message_changed_or_left_out_does_not_verify),
	    cmocka_unit_test(a_large_record_gets_a_message_of_its_own_size),
	    cmocka_unit_test(a_record_that_fits_no_message_is_an_error_and_not_a_torn_zone),
	    cmocka_unit_test(a_difference_arrives_as_it_is),
	    cmocka_unit_test(a_version_of_layers_arrives_as_one),
	    cmocka_unit_test(one_soa_says_that_nothing_is_newer_and_keeps_to_the_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
