// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Denial with NSEC3 of questions that wait (dns_plain_steps.c): the search in the order of hashes
// against counting, and whole bursts against what the stages answer.

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
#include "denial_search.h"
#include "dns.h"
#include "dns_plain.h"
#include "sha1.h"
#include "zone_table.h"
#include "zonefile.h"

#define HASH_LEN 20
#define ITEMS    700

static uint64_t state = 1;

static uint64_t roll(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int hash_order(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

// Evenly spread; in two heaps; all with the same first bytes.
enum spread { EVEN, HEAPED, SAME_HEAD, SPREADS };

static void hash_roll(uint8_t hash[HASH_LEN], enum spread spread)
{
	for (unsigned i = 0; i < HASH_LEN; i++)
		hash[i] = (uint8_t)roll();
	if (spread == HEAPED)
		memset(hash, (roll() & 1) != 0 ? 0xff : 0, 3);
	else if (spread == SAME_HEAD)
		memset(hash, 0x77, 8);
}

static void the_search_from_a_guess_finds_what_counting_finds(void **unused)
{
	static struct image_nsec3 items[ITEMS];

	for (unsigned round = 0; round < 600; round++) {
		const enum spread spread = (enum spread)(round % SPREADS);
		const uint32_t count = 1 + (uint32_t)(roll() % (round < 300 ? 40 : ITEMS));

		for (uint32_t i = 0; i < count; i++)
			hash_roll(items[i].hash, spread);
		qsort(items, count, sizeof items[0], hash_order);
		for (unsigned k = 0; k < 40; k++) {
			uint8_t hash[HASH_LEN];
			uint32_t rank = 0, guess;

			hash_roll(hash, (enum spread)(roll() % SPREADS));
			if (k % 4 == 0)
				memcpy(hash, items[roll() % count].hash, HASH_LEN);
			while (rank < count && memcmp(items[rank].hash, hash, HASH_LEN) <= 0)
				rank++;
			guess = (uint32_t)nsec3_place(nsec3_hash_head(hash), count);
			assert_true(guess < count);
			guess = nsec3_guess_again(items, count, nsec3_hash_head(hash), guess);
			assert_true(guess < count);
			assert_int_equal(nsec3_rank_around(items, count, hash, guess), rank);
			guess = (uint32_t)(roll() % count);
			assert_int_equal(nsec3_rank_around(items, count, hash, guess), rank);
			assert_int_equal(nsec3_rank(items, count, hash), rank);
		}
	}
}

// --- bursts
// ------------------------------------------------------------------------------------------

#define HOSTS 300 // every third of which opt-out has left out: a cut
#define SIG   " 13 2 300 20300101000000 20200101000000 1 @ QUJDREVGR0g=\n"
#define ASKED 4000

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};
static const struct dns_server server = {.udp_payload_max = 1232};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static void base32hex(const uint8_t hash[HASH_LEN], char out[33])
{
	for (unsigned i = 0; i < 32; i++) {
		const unsigned bit = i * 5, at = bit / 8;
		const unsigned two =
		    (unsigned)hash[at] << 8 | (at + 1 < HASH_LEN ? hash[at + 1] : 0);

		out[i] = "0123456789abcdefghijklmnopqrstuv"[two >> (11 - bit % 8) & 31];
	}
	out[32] = '\0';
}

// "example." with a chain of the apex and its hosts.
static void zone_compile(struct image_buffer *image)
{
	static const uint8_t salt[] = {0xab};
	static char text[HOSTS * 512];
	static uint8_t hashes[HOSTS + 1][HASH_LEN];
	const struct compile_options options = {.key = key, .generation = 1, .id = 1};
	char error[COMPILE_ERROR_MAX];
	uint8_t apex[NAME_LEN_MAX];
	struct zonefile_error at;
	unsigned count = 0;
	size_t used = (size_t)sprintf(text,
	    "@ 3600 SOA ns.elsewhere. host 1 2 3 4 300\n@ RRSIG SOA" SIG "@ NS ns.elsewhere.\n"
	    "@ NSEC3PARAM 1 0 1 ab\n");

	assert_true(name_from_text("example.", 8, (const uint8_t *)"", apex) > 0);
	nsec3_hash(apex, name_len(apex), salt, 1, 1, hashes[count++]);
	for (unsigned i = 0; i < HOSTS; i++) {
		uint8_t name[NAME_LEN_MAX];
		char host[16];

		used += (size_t)snprintf(text + used, sizeof text - used, "h%u %s\n", i,
		    i % 3 == 0 ? "NS ns.elsewhere." : "A 192.0.2.1");
		if (i % 3 == 0)
			continue;
		snprintf(host, sizeof host, "h%u", i);
		assert_true(name_from_text(host, strlen(host), apex, name) > 0);
		nsec3_hash(name, name_len(name), salt, 1, 1, hashes[count++]);
	}
	qsort(hashes, count, HASH_LEN, hash_order);
	for (unsigned i = 0; i < count; i++) {
		char own[33], next[33];

		base32hex(hashes[i], own);
		base32hex(hashes[(i + 1) % count], next);
		used += (size_t)snprintf(text + used, sizeof text - used,
		    "%s NSEC3 1 1 1 ab %s A RRSIG\n%s RRSIG NSEC3" SIG, own, next, own);
	}
	struct records *records = records_new(apex);

	assert_int_equal(zonefile_parse_text(text, used, apex, collect, records, &at), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(image, 1u << 24), 0);
	assert_int_equal(compile_image(records, &options, image, error), 0);
	assert_int_equal(image_verify(image->mem, image->used, error), 0);
	records_free(records);
}

// Names that are not there, directly below the apex and further down, hosts and cuts; for a type
// that is there or not; with and without DO; some in capitals.
static size_t question(uint8_t *msg, unsigned number)
{
	static const uint8_t types[] = {RRTYPE_A, RRTYPE_TXT, RRTYPE_DS};
	const uint8_t type = types[roll() % 3];
	const unsigned n = (unsigned)(roll() % HOSTS);
	char name[64];
	uint8_t *at = msg + 12;

	switch (roll() % 8) {
	case 0:
		snprintf(name, sizeof name, "h%u.example.", n);
		break;
	case 1:
		snprintf(name, sizeof name, "www.h%u.EXAMPLE.", n);
		break;
	case 2:
		snprintf(name, sizeof name, "deep.x%x.example.", number);
		break;
	default:
		snprintf(name, sizeof name, "X%llx.example.", (unsigned long long)roll());
		break;
	}
	memset(msg, 0, 12);
	msg[0] = (uint8_t)(number >> 8);
	msg[1] = (uint8_t)number;
	msg[5] = msg[11] = 1;
	assert_true(name_from_text(name, strlen(name), (const uint8_t *)"", at) > 0);
	at += name_len(at);
	memcpy(at, (const uint8_t[]){0, type, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0}, 15);
	at[11] = roll() % 8 != 0 ? 0x80 : 0;
	if (roll() % 8 == 0)
		memcpy(at + 7, "\1\0", 2); // no room for proofs
	return (size_t)(at + 15 - msg);
}

static size_t by_stages(const uint8_t *msg, size_t len, uint8_t reply[2048])
{
	static struct dns_query query;
	uint8_t live;

	memcpy(reply, msg, len);
	query = (struct dns_query){
	    .msg = reply, .len = (uint16_t)len, .cap = 1400, .transport = DNS_UDP};
	query.sum = checksum_sum(msg, len, 0);
	assert_int_equal(dns_parse_burst(&context, &query, 1, &live), 1);
	dns_match(&context, &query);
	dns_emit(&context, &query);
	assert_int_equal(query.verdict, DNS_REPLY);
	return query.len;
}

static void bursts_are_denied_as_by_the_stages(void **unused)
{
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	static struct dns_query query;
	static struct zone_version version = {.layer_count = 1};
	static uint8_t msgs[DNS_BURST_MAX][2048], asked[DNS_BURST_MAX][256], expected[2048];
	static size_t lens[DNS_BURST_MAX];
	struct zone_table *table = zone_table_new(&key);
	unsigned answered = 0, covered = 0, prepared = 0;
	struct zone_retired retired;
	struct image_buffer image;

	zone_compile(&image);
	assert_int_equal(image_open(&version.layer[0], image.mem, image.used), 0);
	assert_int_equal(
	    zone_table_set(table, image_apex(version_header(&version)), &version, &retired), 0);
	context.table = table;
	for (unsigned number = 0; number < ASKED; number += DNS_BURST_MAX) {
		memset(&queue, 0xa5, sizeof queue);
		queue.count = 0;
		dns_plain_begin(&at_hand, &context, &query, 1400);
		at_hand.at_once = false;
		for (unsigned i = 0; i < DNS_BURST_MAX; i++) {
			lens[i] = question(asked[i], number + i);
			memset(msgs[i], 0xa5, sizeof msgs[i]);
			memcpy(msgs[i], asked[i], lens[i]);
			assert_true(dns_plain_ask(&at_hand, &queue, msgs[i], (unsigned)lens[i]));
		}
		dns_plain_burst(&at_hand, &queue);
		for (unsigned i = 0; i < DNS_BURST_MAX; i++) {
			const struct plain_waiting *waiting = &queue.waiting[i];
			const struct plain_reply reply = dns_plain_waited(&at_hand, waiting);

			if (waiting->state == PLAIN_WAIT_DENIAL)
				*(waiting->node->name_len == 0 ? &covered : &prepared) += 1;
			if (reply.len == 0) {
				assert_memory_equal(msgs[i], asked[i], lens[i]);
				continue;
			}
			answered++;
			assert_int_equal(by_stages(asked[i], lens[i], expected), reply.len);
			assert_memory_equal(msgs[i], expected, reply.len);
			assert_int_equal(
			    checksum_fold(checksum_less(
			        checksum_sum(asked[i], lens[i], 0), checksum_fold(reply.less))) %
			        0xffff,
			    checksum_fold(checksum_sum(expected, reply.len, 0)) % 0xffff);
		}
		dns_plain_end(&at_hand);
	}
	assert_true(answered > ASKED / 2);
	assert_true(covered > ASKED / 4);
	assert_true(prepared > ASKED / 32);
	zone_table_free(table);
	image_buffer_close(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_search_from_a_guess_finds_what_counting_finds),
	    cmocka_unit_test(bursts_are_denied_as_by_the_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
