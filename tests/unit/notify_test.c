// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY in: what comes, from whom, signed how, and which reply, counter and action that brings;
// then the pacing of what is asked of primaries, and the heap of deadlines.
#include "notify.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address.h"
#include "pacing.h"
#include "rrtype.h"
#include "timers.h"
#include "wire.h"

#define NOW   UINT64_C(1795000000)
#define KNOWN "192.0.2.1"

static const uint8_t ours[] = "\x07"
                              "example\x03"
                              "com";
static const uint8_t other[] = "\x05other\x03"
                               "com";

static struct config_key config_keys[] = {
    {.id = (char *)(uintptr_t) "good",
        .algorithm = (char *)(uintptr_t) "hmac-sha256",
        .secret = (char *)(uintptr_t) "c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA="},
    {.id = (char *)(uintptr_t) "second",
        .algorithm = (char *)(uintptr_t) "hmac-sha512",
        .secret = (char *)(uintptr_t) "c2Vjb25kLXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA="},
};
static struct config_remote config_remotes[] = {
    {.id = (char *)(uintptr_t) "keyed", .key = &config_keys[0]},
    {.id = (char *)(uintptr_t) "open"},
    {.id = (char *)(uintptr_t) "both", .key = &config_keys[0], .other_key = &config_keys[1]},
};
static struct config config = {
    .keys = config_keys, .key_count = 2, .remotes = config_remotes, .remote_count = 3};
static struct keyring *keyring;
static struct notify_source source;
static unsigned accepted;
static bool accepted_has_serial;
static uint32_t accepted_serial;

static const struct notify_source *sources(
    void *ctx, const uint8_t *qname, size_t *count, const struct keyring **others, void **zone)
{
	*count = 1;
	*zone = &source;
	return name_equal(qname, ours) ? &source : NULL;
}

static void accept_it(
    void *ctx, void *zone, const struct sockaddr *from, bool has_serial, uint32_t serial)
{
	assert_ptr_equal(zone, &source);
	accepted++;
	accepted_has_serial = has_serial;
	accepted_serial = serial;
}

enum with_key {
	UNSIGNED,
	GOOD,
	SECOND,  // known, but not the one of this source
	UNKNOWN, // a name we do not have
	WRONG_SECRET,
	EARLY,
	LATE,    // beyond the fudge
	CHANGED, // after it was signed
};

struct row {
	const char *what;
	const char *from;
	const uint8_t *qname;
	uint16_t flags, qtype, qclass;
	bool soa, opt, source_has_key;
	enum with_key with;
	int want_rcode; // -1: no reply
	int want_tsig;  // error in the reply's TSIG record; -1: none
	bool want_accept;
	size_t counter;
	bool source_has_both;
};

#define N          0x2000 // opcode NOTIFY
#define COUNTER(c) offsetof(struct engine_counters, c)

static const struct row rows[] = {
    {"plain", KNOWN, ours, N, 6, 1, false, false, false, UNSIGNED, 0, -1, true,
        COUNTER(notify_accepted)},
    {"serial", KNOWN, ours, N, 6, 1, true, false, false, UNSIGNED, 0, -1, true,
        COUNTER(notify_accepted)},
    {"edns", KNOWN, ours, N, 6, 1, true, true, false, UNSIGNED, 0, -1, true,
        COUNTER(notify_accepted)},
    {"signed", KNOWN, ours, N, 6, 1, true, true, true, GOOD, 0, 0, true, COUNTER(notify_accepted)},
    {"mapped", "::ffff:192.0.2.1", ours, N, 6, 1, false, false, false, UNSIGNED, 0, -1, true,
        COUNTER(notify_accepted)},
    {"unsigned though keyed", KNOWN, ours, N, 6, 1, true, false, true, UNSIGNED, 5, -1, false,
        COUNTER(notify_unsigned)},
    {"another good key", KNOWN, ours, N, 6, 1, true, false, true, SECOND, 5, 0, false,
        COUNTER(notify_unsigned)},
    {"the other of two keys", KNOWN, ours, N, 6, 1, true, false, true, SECOND, 0, 0, true,
        COUNTER(notify_accepted), true},
    {"the preferred of two keys", KNOWN, ours, N, 6, 1, true, false, true, GOOD, 0, 0, true,
        COUNTER(notify_accepted), true},
    {"unsigned though there are two", KNOWN, ours, N, 6, 1, true, false, true, UNSIGNED, 5, -1,
        false, COUNTER(notify_unsigned), true},
    {"unknown key", KNOWN, ours, N, 6, 1, true, false, true, UNKNOWN, 9, 17, false,
        COUNTER(notify_bad_tsig)},
    {"wrong secret", KNOWN, ours, N, 6, 1, true, false, true, WRONG_SECRET, 9, 16, false,
        COUNTER(notify_bad_tsig)},
    {"changed", KNOWN, ours, N, 6, 1, true, false, true, CHANGED, 9, 16, false,
        COUNTER(notify_bad_tsig)},
    {"301 s early", KNOWN, ours, N, 6, 1, true, false, true, EARLY, 9, 18, false,
        COUNTER(notify_bad_tsig)},
    {"301 s late", KNOWN, ours, N, 6, 1, true, false, true, LATE, 9, 18, false,
        COUNTER(notify_bad_tsig)},
    {"stranger", "198.51.100.9", ours, N, 6, 1, true, false, false, UNSIGNED, 5, -1, false,
        COUNTER(notify_refused)},
    {"stranger with the key", "198.51.100.9", ours, N, 6, 1, true, false, true, GOOD, 5, -1, false,
        COUNTER(notify_refused)},
    {"stranger over IPv6", "2001:db8::1", ours, N, 6, 1, false, false, false, UNSIGNED, 5, -1,
        false, COUNTER(notify_refused)},
    {"not our zone", KNOWN, other, N, 6, 1, true, false, false, UNSIGNED, 9, -1, false,
        COUNTER(notify_not_ours)},
    {"class CH", KNOWN, ours, N, 6, 3, false, false, false, UNSIGNED, 9, -1, false,
        COUNTER(notify_not_ours)},
    {"not about a SOA", KNOWN, ours, N, 1, 1, false, false, false, UNSIGNED, 1, -1, false,
        COUNTER(notify_malformed)},
    {"an answer", KNOWN, ours, N | WIRE_QR, 6, 1, false, false, false, UNSIGNED, -1, -1, false,
        COUNTER(notify_dropped)},
    {"a query", KNOWN, ours, 0, 6, 1, false, false, false, UNSIGNED, 5, -1, false,
        COUNTER(notify_opcode)},
    {"a signed query", KNOWN, ours, 0, 6, 1, false, true, true, GOOD, 5, 0, false,
        COUNTER(notify_opcode)},
    {"a query about A with an unknown key", "198.51.100.9", ours, 0, 1, 1, false, true, true,
        UNKNOWN, 9, 17, false, COUNTER(notify_bad_tsig)},
    {"a query with a wrong secret", KNOWN, other, 0, 6, 1, false, false, true, WRONG_SECRET, 9, 16,
        false, COUNTER(notify_bad_tsig)},
    {"an update", KNOWN, ours, 0x2800, 6, 1, false, false, false, UNSIGNED, 4, -1, false,
        COUNTER(notify_opcode)},
};

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage addr = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&addr;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		addr.ss_family = AF_INET;
		in->sin_port = htons(53);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		addr.ss_family = AF_INET6;
	}
	return addr;
}

static size_t sign(
    uint8_t *msg, size_t len, size_t cap, enum with_key with, uint8_t *mac, size_t *mac_len)
{
	static const uint8_t stranger_name[] = "\x04"
	                                       "nope",
	                     good_name[] = "\x04good";
	struct tsig_key *made = NULL;
	const struct tsig_key *key =
	    keyring_remote(keyring, &config_remotes[2], with == SECOND ? 1 : 0);
	uint64_t time_s = with == EARLY ? NOW - 301 : with == LATE ? NOW + 301 : NOW;

	if (with == UNKNOWN || with == WRONG_SECRET) {
		assert_int_equal(tsig_key_new(with == UNKNOWN ? stranger_name : good_name,
		                     "hmac-sha256", (const uint8_t *)"x", 1, &made),
		    0);
		key = made;
	}
	len = tsig_sign(key, msg, len, cap, time_s, NULL, 0, TSIG_OK, 0, mac, mac_len);
	tsig_key_unref(made);
	if (with == CHANGED) {
		msg[WIRE_HEADER_LEN + 1] ^= 0x20; // even the case of a letter
	}
	return len;
}

static size_t build(const struct row *row, uint8_t *msg, size_t cap, uint8_t *mac, size_t *mac_len)
{
	size_t len = wire_question(msg, 77, row->flags, row->qname, row->qtype);

	wire_put16(msg + len - 2, row->qclass);
	if (row->soa) {
		static const uint8_t soa[] = "\xc0\x0c\0\x06\0\x01\0\0\0\0\0\x16\0\0\0\0\0\x2a\0\0"
		                             "\0\1\0\0\0\1\0\0\0\1\0\0\0\1";

		memcpy(msg + len, soa, sizeof(soa) - 1);
		len += sizeof(soa) - 1;
		wire_put16(msg + 6, 1);
	}
	if (row->opt) {
		memcpy(msg + len, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
		len += 11;
		wire_put16(msg + 10, 1);
	}
	return row->with == UNSIGNED ? len : sign(msg, len, cap, row->with, mac, mac_len);
}

static void reply_check(const struct row *row, const uint8_t *msg, const uint8_t *reply, size_t len,
    const uint8_t *mac, size_t mac_len)
{
	struct tsig_record record;
	struct wire_header header;

	assert_true(len >= WIRE_HEADER_LEN);
	wire_header_read(reply, &header);
	assert_int_equal(header.id, 77);
	assert_true((header.flags & WIRE_QR) != 0);
	assert_int_equal(header.flags & WIRE_OPCODE, row->flags & WIRE_OPCODE);
	assert_int_equal(header.flags & WIRE_RCODE, row->want_rcode);
	assert_int_equal(header.qdcount, 1);
	assert_memory_equal(
	    reply + WIRE_HEADER_LEN, msg + WIRE_HEADER_LEN, name_len(row->qname) + 4);
	assert_int_equal(tsig_find(reply, len, &record), row->want_tsig >= 0 ? 1 : 0);
	if (row->want_tsig < 0) {
		return;
	}
	assert_int_equal(record.error, row->want_tsig);
	if (row->want_tsig == TSIG_BADKEY || row->want_tsig == TSIG_BADSIG) {
		assert_int_equal(record.mac_len, 0); // RFC 8945 5.2.1, 5.2.2
		return;
	}
	// Signed: the client can verify it (with the time it sent, when that was the trouble).
	struct tsig_stream stream;
	uint64_t client_now = row->with == EARLY ? NOW - 301 : row->with == LATE ? NOW + 301 : NOW;

	assert_int_equal(
	    tsig_stream_open(&stream,
	        keyring_remote(keyring, &config_remotes[2], row->with == SECOND ? 1 : 0), mac,
	        mac_len),
	    0);
	assert_int_equal(tsig_stream_message(&stream, reply, len, &record, client_now, true),
	    row->want_tsig == 0 ? TSIG_OK : TSIG_BADTIME);
	if (row->want_tsig == TSIG_BADTIME) {
		assert_int_equal(record.other_len, 6);
		assert_int_equal(wire_get32(record.other + 2), (uint32_t)NOW);
	}
	tsig_stream_close(&stream);
}

static void each_notify_gets_the_reply_and_the_counter_it_deserves(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct engine_counters counters = {0};
		struct notify_service service = {.sources = sources,
		    .accept = accept_it,
		    .keyring = keyring,
		    .counters = &counters};
		struct sockaddr_storage from = address(row->from);
		uint8_t msg[1024], reply[NOTIFY_REPLY_MAX], mac[TSIG_MAC_MAX];
		size_t mac_len = 0, len = build(row, msg, sizeof(msg), mac, &mac_len);

		source.addr = address(KNOWN);
		source.remote = &config_remotes[row->source_has_both  ? 2
		                                : row->source_has_key ? 0
		                                                      : 1];
		accepted = 0;
		size_t got = notify_handle(
		    &service, msg, len, (struct sockaddr *)&from, NOW, reply, sizeof(reply));

		print_message("  %s\n", row->what);
		assert_int_equal(accepted, row->want_accept);
		assert_int_equal(*(uint64_t *)(void *)((char *)&counters + row->counter), 1);
		if (row->want_rcode < 0) {
			assert_int_equal(got, 0);
			continue;
		}
		reply_check(row, msg, reply, got, mac, mac_len);
		if (row->want_accept) {
			assert_int_equal(accepted_has_serial, row->soa);
			assert_int_equal(accepted_serial, row->soa ? 42 : 0);
		}
	}
}

// RFC 6891 6.1.3: whatever it is that version 1 would ask for.
static void an_edns_version_above_0_is_badvers(void **state)
{
	for (unsigned query = 0; query < 2; query++) {
		struct row row = rows[3];
		struct engine_counters counters = {0};
		struct notify_service service = {.sources = sources,
		    .accept = accept_it,
		    .keyring = keyring,
		    .counters = &counters};
		struct sockaddr_storage from = address(KNOWN);
		uint8_t msg[1024], reply[NOTIFY_REPLY_MAX], mac[TSIG_MAC_MAX];
		size_t mac_len = 0;

		row.opt = true;
		row.with = UNSIGNED;
		row.flags = query ? 0 : row.flags;
		const size_t len = build(&row, msg, sizeof(msg), mac, &mac_len);

		msg[len - 5] = 1; // the OPT is the last: type, class, extended rcode, version
		source.addr = address(KNOWN);
		source.remote = &config_remotes[1];
		accepted = 0;
		const size_t got = notify_handle(
		    &service, msg, len, (struct sockaddr *)&from, NOW, reply, sizeof(reply));

		assert_int_equal(accepted, 0);
		assert_int_equal(counters.notify_version, 1);
		assert_true(got > WIRE_HEADER_LEN + 11);
		assert_int_equal(reply[3] & 15, 0); // BADVERS is 16
		assert_memory_equal(reply + got - 11, "\0\0\x29\x04\xd0\1\0\0\0\0\0", 11);
	}
}

static void a_notify_cut_anywhere_is_never_accepted(void **state)
{
	const struct row *row = &rows[3];
	struct engine_counters counters = {0};
	struct notify_service service = {
	    .sources = sources, .accept = accept_it, .keyring = keyring, .counters = &counters};
	struct sockaddr_storage from = address(KNOWN);
	uint8_t msg[1024], reply[NOTIFY_REPLY_MAX], mac[TSIG_MAC_MAX];
	size_t mac_len, len = build(row, msg, sizeof(msg), mac, &mac_len);

	source.addr = address(KNOWN);
	source.remote = &config_remotes[0];
	accepted = 0;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, msg, cut);
		(void)notify_handle(
		    &service, exact, cut, (struct sockaddr *)&from, NOW, reply, sizeof(reply));
		free(exact);
	}
	assert_int_equal(accepted, 0);
}

#define TRANSFERS     10
#define QUERY_RATE    2000
#define TRANSFERS_ALL 100

static const struct pacing_total pacing_all = {
    .limit = {[PACING_QUERY] = 1000, [PACING_TRANSFER] = TRANSFERS_ALL}};

static void pacing_ready(struct pacing *pacing, struct pacing_total *total)
{
	pacing_init(pacing, total);
	pacing->limit[PACING_QUERY] = 64;
	pacing->limit[PACING_TRANSFER] = TRANSFERS;
	pacing->query_rate = QUERY_RATE;
}

static void pacing_serves_notify_first_and_keeps_its_limits(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter waiters[40] = {0};

	pacing_ready(&pacing, &total);
	for (unsigned i = 0; i < 40; i++) {
		enum zone_urgency urgency = i == 39   ? ZONE_URGENCY_NOTIFY
		                            : i == 38 ? ZONE_URGENCY_EXPIRING
		                                      : ZONE_URGENCY_REFRESH;

		assert_true(pacing_ask(&pacing, &waiters[i], PACING_TRANSFER, urgency, 0));
	}
	assert_ptr_equal(pacing_next(&pacing, 0), &waiters[39]);
	assert_ptr_equal(pacing_next(&pacing, 0), &waiters[38]);
	for (unsigned i = 0; i < TRANSFERS - 2; i++) {
		assert_ptr_equal(pacing_next(&pacing, 0), &waiters[i]);
	}
	assert_null(pacing_next(&pacing, 0));
	pacing_release(&pacing, PACING_TRANSFER, PACING_HEARD, 0);
	pacing_cancel(&pacing, &waiters[TRANSFERS - 2]);
	assert_ptr_equal(pacing_next(&pacing, 0), &waiters[TRANSFERS - 1]);
}

// Ten primaries that have all slots there are, and one that has none.
static void crowds_do_not_keep_a_primary_from_its_first_transfer(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing crowd[TRANSFERS_ALL / TRANSFERS + 1], one;
	struct pacing_waiter waiters[TRANSFERS_ALL + 3] = {0};
	size_t used = 0;

	for (size_t i = 0; i < TRANSFERS_ALL / TRANSFERS; i++) {
		pacing_ready(&crowd[i], &total);
		for (unsigned k = 0; k < TRANSFERS; k++, used++) {
			assert_true(pacing_ask(
			    &crowd[i], &waiters[used], PACING_TRANSFER, ZONE_URGENCY_NOTIFY, 0));
			assert_ptr_equal(pacing_next(&crowd[i], 0), &waiters[used]);
		}
	}
	pacing_ready(&one, &total);
	assert_true(pacing_ask(&one, &waiters[used], PACING_TRANSFER, ZONE_URGENCY_REFRESH, 0));
	assert_true(pacing_ask(&one, &waiters[used + 1], PACING_TRANSFER, ZONE_URGENCY_REFRESH, 0));
	assert_ptr_equal(pacing_next(&one, 0), &waiters[used]);
	assert_null(pacing_next(&one, 0)); // but no more than the first

	total.active[PACING_TRANSFER] = PACING_FIRST_TIMES * TRANSFERS_ALL;
	pacing_ready(&crowd[10], &total);
	assert_true(
	    pacing_ask(&crowd[10], &waiters[used + 2], PACING_TRANSFER, ZONE_URGENCY_NOTIFY, 0));
	assert_null(pacing_next(&crowd[10], 0));
}

static void a_silent_primary_is_left_alone_but_for_one_probe_and_notify(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter one = {0}, two = {0}, three = {0};

	pacing_ready(&pacing, &total);
	for (unsigned i = 0; i < PACING_SILENT_MAX; i++) {
		assert_true(pacing_ask(&pacing, &one, PACING_QUERY, ZONE_URGENCY_REFRESH, 0));
		assert_ptr_equal(pacing_next(&pacing, 0), &one);
		pacing_release(&pacing, PACING_QUERY, PACING_SILENT, 0);
	}
	assert_true(pacing_ask(&pacing, &one, PACING_QUERY, ZONE_URGENCY_REFRESH, 1)); // the probe
	assert_false(pacing_ask(&pacing, &two, PACING_QUERY, ZONE_URGENCY_EXPIRING, 1));
	assert_true(pacing_ask(&pacing, &three, PACING_QUERY, ZONE_URGENCY_NOTIFY, 1));
	assert_true(pacing_ask(&pacing, &two, PACING_QUERY, ZONE_URGENCY_REFRESH, PACING_DOWN_MS));
}

static void queries_of_one_second_are_limited_and_the_next_one_has_a_date(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter waiter = {0};

	pacing_ready(&pacing, &total);
	for (unsigned i = 0; i < QUERY_RATE; i++) {
		assert_true(pacing_ask(&pacing, &waiter, PACING_QUERY, ZONE_URGENCY_REFRESH, 500));
		assert_ptr_equal(pacing_next(&pacing, 500), &waiter);
		pacing_release(&pacing, PACING_QUERY, PACING_HEARD, 500);
	}
	assert_true(pacing_ask(&pacing, &waiter, PACING_QUERY, ZONE_URGENCY_REFRESH, 600));
	assert_null(pacing_next(&pacing, 600));
	assert_true(pacing_again_ms(&pacing, 600) == 1500);
	assert_ptr_equal(pacing_next(&pacing, 1500), &waiter);
}

static void what_waits_when_a_primary_falls_silent_is_let_go(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter begun[PACING_SILENT_MAX] = {0}, waiters[4] = {0};

	pacing_ready(&pacing, &total);
	pacing.limit[PACING_QUERY] = PACING_SILENT_MAX;
	for (unsigned i = 0; i < PACING_SILENT_MAX; i++) {
		assert_true(pacing_ask(&pacing, &begun[i], PACING_QUERY, ZONE_URGENCY_EXPIRING, 0));
		assert_ptr_equal(pacing_next(&pacing, 0), &begun[i]);
	}
	assert_true(pacing_ask(&pacing, &waiters[0], PACING_QUERY, ZONE_URGENCY_NOTIFY, 0));
	assert_true(pacing_ask(&pacing, &waiters[1], PACING_QUERY, ZONE_URGENCY_REFRESH, 0));
	assert_true(pacing_ask(&pacing, &waiters[2], PACING_TRANSFER, ZONE_URGENCY_EXPIRING, 0));
	assert_true(pacing_ask(&pacing, &waiters[3], PACING_QUERY, ZONE_URGENCY_EXPIRING, 0));
	assert_null(pacing_refused(&pacing, 0));
	for (unsigned i = 0; i < PACING_SILENT_MAX; i++) {
		pacing_release(&pacing, PACING_QUERY, PACING_SILENT, 0);
	}
	assert_ptr_equal(pacing_refused(&pacing, 1), &waiters[3]);
	assert_ptr_equal(pacing_refused(&pacing, 1), &waiters[2]);
	assert_ptr_equal(pacing_refused(&pacing, 1), &waiters[1]);
	assert_null(pacing_refused(&pacing, 1)); // NOTIFY's is the probe

	pacing_cancel(&pacing, &waiters[0]);
	assert_true(pacing_ask(&pacing, &waiters[1], PACING_QUERY, ZONE_URGENCY_REFRESH, 2));
	assert_null(pacing_refused(&pacing, 2)); // nobody else is
	assert_null(pacing_refused(&pacing, PACING_DOWN_MS));
}

static void what_is_ended_by_us_says_nothing_of_the_primary(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter waiter = {0}, other_waiter = {0};

	pacing_ready(&pacing, &total);
	for (unsigned i = 0; i < 2 * PACING_SILENT_MAX; i++) {
		assert_true(pacing_ask(&pacing, &waiter, PACING_QUERY, ZONE_URGENCY_NOTIFY, 0));
		assert_ptr_equal(pacing_next(&pacing, 0), &waiter);
		pacing_release(
		    &pacing, PACING_QUERY, i % 2 == 0 ? PACING_SILENT : PACING_UNKNOWN, 0);
	}
	assert_int_equal(total.active[PACING_QUERY], 0);
	assert_true(pacing_ask(&pacing, &waiter, PACING_QUERY, ZONE_URGENCY_REFRESH, 1));
	assert_false(pacing_ask(&pacing, &other_waiter, PACING_QUERY, ZONE_URGENCY_REFRESH, 1));
}

// Whoever sends NOTIFYs in a primary's name must not keep copies from being refreshed.
static void notify_leaves_a_share_to_what_expires(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter notified = {0}, expiring = {0};

	pacing_ready(&pacing, &total);
	for (unsigned kind = 0; kind < PACING_KINDS; kind++) {
		unsigned turns = 0;
		struct pacing_waiter *begun = NULL;

		assert_true(pacing_ask(
		    &pacing, &expiring, (enum pacing_kind)kind, ZONE_URGENCY_EXPIRING, 0));
		while (begun != &expiring && turns++ < 2 * PACING_NOTIFY_RUN) {
			if (!notified.waiting) {
				assert_true(pacing_ask(&pacing, &notified, (enum pacing_kind)kind,
				    ZONE_URGENCY_NOTIFY, 0));
			}
			begun = pacing_next(&pacing, 0);
			assert_non_null(begun);
			pacing_release(&pacing, (enum pacing_kind)kind, PACING_HEARD, 0);
		}
		assert_int_equal(turns, PACING_NOTIFY_RUN);
		pacing_cancel(&pacing, &notified);
	}
}

// Its allowance of the second used up, and only what waits for a slot left: nothing to wake up for.
static void nobody_is_woken_who_could_not_begin(void **state)
{
	struct pacing_total total = pacing_all;
	struct pacing pacing;
	struct pacing_waiter waiters[TRANSFERS + 1] = {0}, query = {0};

	pacing_ready(&pacing, &total);
	pacing.query_rate = 1;
	assert_true(pacing_ask(&pacing, &query, PACING_QUERY, ZONE_URGENCY_REFRESH, 0));
	assert_ptr_equal(pacing_next(&pacing, 0), &query);
	for (unsigned i = 0; i <= TRANSFERS; i++) {
		assert_true(
		    pacing_ask(&pacing, &waiters[i], PACING_TRANSFER, ZONE_URGENCY_REFRESH, 0));
		(void)pacing_next(&pacing, 0);
	}
	assert_true(waiters[TRANSFERS].waiting);
	assert_true(pacing_again_ms(&pacing, 5000) == ZONE_NEVER);
}

static void the_heap_gives_deadlines_in_order_whatever_was_moved_or_removed(void **state)
{
	enum { COUNT = 2000 };
	struct timers timers = {0};
	struct timer *items = calloc(COUNT, sizeof(*items));
	uint32_t random = 1;
	size_t removed = 0, seen = 0;
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < 3 * COUNT; i++) {
		random = random * 1664525 + 1013904223;
		assert_int_equal(timers_set(&timers, &items[i % COUNT], random >> 8), 0);
	}
	for (size_t i = 0; i < COUNT; i += 7, removed++) {
		timers_remove(&timers, &items[i]);
		timers_remove(&timers, &items[i]);
	}
	for (struct timer *first; (first = timers_first(&timers)) != NULL; seen++) {
		assert_true(first->at_ms >= last);
		last = first->at_ms;
		timers_remove(&timers, first);
	}
	assert_int_equal(seen, COUNT - removed);
	timers_free(&timers);
	free(items);
}

static int setup(void **state)
{
	char error[KEYRING_ERROR_MAX];

	return keyring_open(&config, NULL, &keyring, error);
}

static int teardown(void **state)
{
	keyring_close(keyring);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_notify_gets_the_reply_and_the_counter_it_deserves),
	    cmocka_unit_test(an_edns_version_above_0_is_badvers),
	    cmocka_unit_test(a_notify_cut_anywhere_is_never_accepted),
	    cmocka_unit_test(pacing_serves_notify_first_and_keeps_its_limits),
	    cmocka_unit_test(crowds_do_not_keep_a_primary_from_its_first_transfer),
	    cmocka_unit_test(a_silent_primary_is_left_alone_but_for_one_probe_and_notify),
	    cmocka_unit_test(queries_of_one_second_are_limited_and_the_next_one_has_a_date),
	    cmocka_unit_test(what_waits_when_a_primary_falls_silent_is_let_go),
	    cmocka_unit_test(what_is_ended_by_us_says_nothing_of_the_primary),
	    cmocka_unit_test(notify_leaves_a_share_to_what_expires),
	    cmocka_unit_test(nobody_is_woken_who_could_not_begin),
	    cmocka_unit_test(the_heap_gives_deadlines_in_order_whatever_was_moved_or_removed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
