// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One query through the three stages; see ask.h.

#include "ask.h"

#include <arpa/inet.h>
#include <string.h>

#include "checksum.h"
#include "dns_plain_way.h"
#include "must.h"
#include "reply.h"

const struct dns_server ask_servers[ASK_SERVERS] = {
    {.udp_payload_max = 1232},
    {.udp_payload_max = 1232,
        .identity_len = 4,
        .identity = "edge",
        .tcp_keepalive = 100,
        .cookie_secret_count = 1,
        .cookie_secrets = {{{1, 2}}}},
    {.udp_payload_max = 4096,
        .identity_len = DNS_IDENTITY_MAX,
        .identity = {[0] = 'i', [DNS_IDENTITY_MAX - 1] = 'd'},
        .version_len = DNS_IDENTITY_MAX,
        .version = {[0] = 'v', [DNS_IDENTITY_MAX - 1] = 'n'},
        .tcp_keepalive = 1,
        .cookie_secret_count = 2,
        .cookie_secrets = {{{3, 4}}, {{1, 2}}}},
    {.udp_payload_max = 512, .version_len = 1, .version = "1"},
};
const uint8_t ask_client[16] = {0x20, 0x01, 0x0d, 0xb8, [14] = 1, [15] = 1};

static void query_fill(
    const struct ask *ask, struct dns_query *query, uint8_t *msg, bool render_only, uint8_t poison)
{
	memset(query, poison, sizeof(*query));
	query->msg = msg;
	query->len = ask->len;
	query->sum = checksum_sum(ask->msg, ask->len, 0);
	query->cap = ask->cap;
	query->transport = ask->transport;
	query->client = ask->client;
	query->client_len = ask->client_len;
	query->no_error_reply = ask->no_error_reply;
	query->render_only = render_only;
}

// Stage 1 may read up to here, because the buffer of a query has room for DNS_UDP_MIN bytes and
// DNS_WRITE_SLACK at least. What lies behind the query must not matter: ask_all() tries.
#define NAME_READ_END (DNS_HEADER_LEN + DNS_UDP_MIN)

// Stage 1 in memory of exactly the query's length, or the above: ASan sees a byte read behind it.
static enum dns_verdict parse_exact(const struct ask *ask, uint8_t poison)
{
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	uint8_t *exact = malloc(ask->len > NAME_READ_END ? ask->len : NAME_READ_END);
	struct dns_query query;

	must(exact != NULL);
	memset(exact, poison, NAME_READ_END);
	memcpy(exact, ask->msg, ask->len);
	query_fill(ask, &query, exact, false, poison);
	dns_parse(&context, &query);
	must(memcmp(exact, ask->msg, ask->len) == 0); // stage 1 only reads
	free(exact);
	return query.verdict;
}

static void sum_judge(const struct dns_query *query)
{
	const uint16_t sum = reply_sum(query->msg, query->len);

	must(ntohs(checksum_fold(query->sum)) % 0xffff == sum % 0xffff);
}

enum dns_verdict ask_once(
    const struct ask *ask, bool render_only, uint8_t poison, uint8_t *reply, uint16_t *len)
{
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	const size_t larger = ask->len > ask->cap ? ask->len : ask->cap;
	const size_t room = larger + DNS_WRITE_SLACK;
	uint8_t *buffer = malloc(room);
	struct dns_query query;

	must(buffer != NULL);
	memset(buffer, poison, room);
	memcpy(buffer, ask->msg, ask->len);
	query_fill(ask, &query, buffer, render_only, poison);
	dns_answer(&context, &query);
	must(query.outcome < DNS_OUTCOME_COUNT);
	if (query.verdict == DNS_REPLY) {
		// Nothing past the limit but what wide stores may touch.
		size_t end = query.reply_limit > query.len ? query.reply_limit : query.len;
		end = (end > ask->len ? end : ask->len) + DNS_WRITE_SLACK;
		for (size_t i = end; i < room; i++)
			must(buffer[i] == poison);
		must(query.len <= ask->cap);
		sum_judge(&query);
		memcpy(reply, buffer, query.len);
		*len = query.len;
	} else if (query.verdict == DNS_FORWARD) {
		must(memcmp(buffer, ask->msg, ask->len) == 0);
	}
	must(counters.outcome[query.outcome] >= 1);
	free(buffer);
	return query.verdict;
}

void ask_waiting(const struct ask *ask)
{
	static uint8_t alone[DNS_TCP_MAX];
	static struct dns_plain at_hand;
	static struct plain_queue queue;
	struct dns_counters counters = {0};
	const struct dns_context context = {
	    .server = ask->server, .table = ask->table, .now = ASK_NOW, .counters = &counters};
	const size_t larger = ask->len > ask->cap ? ask->len : ask->cap;
	const size_t room = larger + DNS_WRITE_SLACK;
	uint8_t *buffer;
	struct dns_query query;
	uint16_t len = 0;

	if (ask->transport != DNS_UDP || ask->cap < DNS_UDP_MIN || ask->no_error_reply ||
	    !plain_header(ask->msg, ask->len))
		return;
	buffer = malloc(room);
	must(buffer != NULL);
	memset(buffer, 0xa5, room);
	memcpy(buffer, ask->msg, ask->len);
	query_fill(ask, &query, buffer, false, 0x5a);

	const uint64_t sum = query.sum; // what is searched for changes it

	memset(&queue, 0x5a, sizeof(queue));
	queue.count = 0;
	dns_plain_begin(&at_hand, &context, &query, ask->cap);
	at_hand.at_once = false;
	if (dns_plain_ask(&at_hand, &queue, buffer, ask->len)) {
		must(queue.count == 1);
		dns_plain_burst(&at_hand, &queue);

		const struct plain_reply reply = dns_plain_waited(&at_hand, &queue.waiting[0]);

		must(ask_once(ask, false, 0xa5, alone, &len) == DNS_REPLY);
		if (reply.len != 0) {
			query.len = (uint16_t)reply.len;
			query.sum = checksum_less(sum, checksum_fold(reply.less));
			sum_judge(&query);
			must(reply.len == len && memcmp(buffer, alone, len) == 0);
		} else { // it is as it was
			must(memcmp(buffer, ask->msg, ask->len) == 0);
		}
	}
	dns_plain_end(&at_hand);
	free(buffer);
}

enum dns_verdict ask_all(const struct ask *ask, uint8_t *reply, uint16_t *len)
{
	static uint8_t again[DNS_TCP_MAX];
	static const struct {
		bool render_only;
		uint8_t poison;
	} other[] = {{false, 0x00}, {true, 0xff}, {true, 0xa5}};
	const struct reply_rules rules = {.tcp = ask->transport == DNS_TCP,
	    .cap = ask->cap,
	    .payload_max = ask->server->udp_payload_max,
	    .loose = ask->loose};
	struct reply_seen seen;
	const enum dns_verdict parsed = parse_exact(ask, 0x5a);
	const enum dns_verdict verdict = ask_once(ask, false, 0xa5, reply, len);

	must(verdict == parsed || parsed == DNS_REPLY);
	for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		uint16_t again_len = 0;

		if (ask->loose && other[i].render_only)
			continue; // a forged image may hold another answer than its records
		must(ask_once(ask, other[i].render_only, other[i].poison, again, &again_len) ==
		     verdict);
		if (verdict == DNS_REPLY)
			must(again_len == *len && memcmp(again, reply, again_len) == 0);
	}
	ask_waiting(ask);
	if (verdict != DNS_REPLY)
		return verdict;
	reply_judge(ask->msg, ask->len, reply, *len, &rules, &seen);
	must(!ask->no_error_reply || seen.rcode == 0 || seen.rcode == 3 || seen.rcode == 6);
	return verdict;
}

void ask_burst(const struct ask *asks, unsigned count)
{
	static uint8_t alone[DNS_TCP_MAX];
	struct dns_counters counters = {0};
	const struct dns_context context = {.server = asks[0].server,
	    .table = asks[0].table,
	    .now = ASK_NOW,
	    .counters = &counters};
	struct dns_query queries[ASK_BURST_MAX];
	uint8_t index[ASK_BURST_MAX];
	unsigned live = 0;

	for (unsigned i = 0; i < count; i++) {
		const size_t larger = asks[i].len > asks[i].cap ? asks[i].len : asks[i].cap;
		uint8_t *buffer = malloc(larger + DNS_WRITE_SLACK);

		must(buffer != NULL);
		memset(buffer, 0x3c, larger + DNS_WRITE_SLACK);
		memcpy(buffer, asks[i].msg, asks[i].len);
		query_fill(&asks[i], &queries[i], buffer, false, 0xc3);
		dns_parse(&context, &queries[i]);
		if (queries[i].verdict == DNS_REPLY)
			index[live++] = (uint8_t)i;
	}
	dns_match_burst(&context, queries, index, live);
	for (unsigned i = 0; i < live; i++)
		dns_emit(&context, &queries[index[i]]);
	for (unsigned i = 0; i < count; i++) {
		uint16_t len = 0;

		must(ask_once(&asks[i], false, 0xa5, alone, &len) == queries[i].verdict);
		if (queries[i].verdict == DNS_REPLY)
			must(len == queries[i].len && memcmp(alone, queries[i].msg, len) == 0);
		free(queries[i].msg);
	}
}
