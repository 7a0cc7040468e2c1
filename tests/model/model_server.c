// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The code under test; see model_server.h.
#include "model_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checksum.h"
#include "compile.h"
#include "dns_plain_way.h"
#include "model_layers.h"
#include "rdata.h"

#define GUARD      4096 // bytes behind the largest reply that nothing may touch
#define BUFFER_LEN (DNS_TCP_MAX + DNS_WRITE_SLACK + GUARD)

static const struct dns_server server = {.udp_payload_max = MODEL_UDP_MAX};
static struct dns_counters counters;
static struct dns_context context = {.server = &server, .counters = &counters};
static struct zone_table *table;
static struct layers layers;

static void unload(void)
{
	zone_table_free(table);
	table = NULL;
	layers_drop(&layers);
}

// One name may be left out of what the data is: that the rdata is well formed is a precondition.
static int records_fill(struct records *records, const struct mzone *zone)
{
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		if (!rdata_valid(r->type, r->rdata, r->rdlen) ||
		    records_add(records, r->owner, r->type, r->ttl, r->rdata, r->rdlen) != 0)
			return -1;
	}
	return records_sort(records);
}

static struct records *records_of(const struct mzone *zone)
{
	struct records *records = records_new(zone->apex);

	if (records != NULL && records_fill(records, zone) == 0)
		return records;
	records_free(records);
	return NULL;
}

const char *mserver_load_layers(const struct mzone *const zones[], unsigned count, uint64_t seed)
{
	const struct hash_key key = {{zones[0]->seed, ~zones[0]->seed}};
	struct model_random random = {seed};
	struct zone_retired retired;
	const char *error = NULL;

	unload();
	layers.key = key;
	for (unsigned i = 0; i < count && error == NULL; i++) {
		struct records *records = records_of(zones[i]);
		error = records == NULL ? "out of memory, or the generator made rdata that is wrong"
		        : i == 0        ? layers_base(&layers, records)
		                        : layers_step(&layers, records, &random);
		if (error == NULL && i + 1 == count && count > 1)
			error = layers_check(&layers, records);
		records_free(records);
	}
	if (error != NULL)
		return error;
	table = zone_table_new(&key);
	if (table == NULL || zone_table_set(table, zones[0]->apex, &layers.version, &retired) != 0)
		return "the image cannot be served";
	context.table = table;
	return NULL;
}

const char *mserver_load(const struct mzone *zone)
{
	return mserver_load_layers(&zone, 1, 0);
}

void mserver_layers(unsigned long *overlays, unsigned long *rebuilt)
{
	*overlays = layers.overlays;
	*rebuilt = layers.rebuilt;
}

static uint16_t sum_of(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint64_t)bytes[i] << 8 : bytes[i];
	return (uint16_t)(sum % 0xffff); // what a ones' complement sum is, with one zero
}

// A buffer that holds poison wherever no reply stands.
struct arena {
	uint8_t bytes[BUFFER_LEN];
	size_t dirty; // bytes that may hold something else
	uint8_t poison;
	struct dns_query query;
};

static bool is_poison(const struct arena *arena, size_t from, size_t to)
{
	static uint8_t pattern[2][BUFFER_LEN];
	uint8_t *expect = pattern[arena->poison == 0xa5];

	if (expect[0] != arena->poison)
		memset(expect, arena->poison, BUFFER_LEN);
	return memcmp(arena->bytes + from, expect, to - from) == 0;
}

static void by_stages(struct dns_query *query)
{
	uint8_t live;

	if (dns_parse_burst(&context, query, 1, &live) == 0)
		return;
	dns_match(&context, query);
	dns_emit(&context, query);
}

// As one that waits for others (dns_plain.h), where it is plain.
static void by_steps(struct dns_query *query)
{
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	struct plain_reply reply = {0};
	const uint64_t sum = query->sum;

	dns_query_begin(query);
	if (query->transport == DNS_UDP && query->cap >= DNS_UDP_MIN &&
	    plain_header(query->msg, query->len)) {
		queue.count = 0;
		dns_plain_begin(&at_hand, &context, query, query->cap);
		at_hand.at_once = false;
		if (dns_plain_ask(&at_hand, &queue, query->msg, query->len)) {
			dns_plain_burst(&at_hand, &queue);
			reply = dns_plain_waited(&at_hand, &queue.waiting[0]);
			query->sum = sum; // it was scratch meanwhile
			if (reply.len == 0)
				dns_plain_leave(&at_hand, &at_hand.asked, query->msg);
		}
		dns_plain_end(&at_hand);
	}
	if (reply.len == 0) {
		by_stages(query);
		return;
	}
	query->verdict = DNS_REPLY;
	query->len = (uint16_t)reply.len;
	query->sum = checksum_less(query->sum, checksum_fold(reply.less));
}

void mserver_ask(const uint8_t *msg, size_t len, const struct model_question *q, bool render_only,
    struct mserver_reply *reply)
{
	static struct arena arenas[2] = {
	    {.poison = 0xa5, .dirty = BUFFER_LEN}, {.poison = 0x5a, .dirty = BUFFER_LEN}};
	struct arena *arena = &arenas[render_only];
	struct dns_query *query = &arena->query;
	const uint64_t compiled = counters.compiled, hashes = counters.nsec3_hashes;

	memset(arena->bytes, arena->poison, arena->dirty);
	memcpy(arena->bytes, msg, len);
	memset(query, arena->poison, sizeof(*query));
	query->msg = arena->bytes;
	query->len = (uint16_t)len;
	query->sum = checksum_sum(msg, len, 0);
	query->cap = q->cap;
	query->transport = q->tcp ? DNS_TCP : DNS_UDP;
	query->no_error_reply = false;
	query->render_only = render_only;
	// At once, step by step, and by the stages alone: in turns.
	const unsigned way = render_only ? 2 : msg[1] % 3;

	if (way == 0) {
		dns_answer(&context, query);
	} else if (way == 1) {
		by_steps(query);
	} else {
		dns_query_begin(query);
		by_stages(query);
	}
	*reply = (struct mserver_reply){.bytes = arena->bytes, .len = query->len};
	reply->compiled = counters.compiled != compiled;

	// The renderer may have tried what did not fit: anything up to the limit is its own.
	size_t end = query->len > len ? query->len : len;
	if (!reply->compiled && end < query->reply_limit)
		end = query->reply_limit;
	end += DNS_WRITE_SLACK;
	const size_t checked = q->tcp ? BUFFER_LEN : end + GUARD;
	arena->dirty = checked;
	if (query->verdict != DNS_REPLY)
		reply->fault = SERVER_NO_REPLY;
	else if (ntohs(checksum_fold(query->sum)) % 0xffff != sum_of(arena->bytes, query->len))
		reply->fault = SERVER_SUM;
	else if (query->len > q->cap || !is_poison(arena, end, checked))
		reply->fault = SERVER_BEYOND;
	else if (reply->compiled && layers.version.layer_count == 1 &&
	         counters.nsec3_hashes - hashes > 1)
		reply->fault = SERVER_HASHES;
}
