// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Queries from downstream: what is asked, by whom, over what, signed how, and which reply and
// counter that brings.
#include "provide.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rrtype.h"

#define NOW UINT64_C(1795000000)

static const char text[] =
    "server: {rundir: /tmp, storage: /tmp}\n"
    "key:\n"
    "  - {id: good, algorithm: hmac-sha256, secret: Z29vZC1nb29kLWdvb2Q=}\n"
    "  - {id: other, algorithm: hmac-sha1, secret: b3RoZXItb3RoZXItb3RoZXI=}\n"
    "remote:\n"
    "  - {id: keyed, address: 192.0.2.1, key: good}\n"
    "  - {id: open, address: [192.0.2.2, '2001:db8::2']}\n"
    "  - {id: elsewhere, address: 192.0.2.3}\n"
    "  - {id: both, address: 192.0.2.4, key: [good, other]}\n"
    "  - {id: crypt, address: 192.0.2.5@853, key: good, tls: on}\n"
    "zone:\n"
    "  - {domain: example, primaries: [elsewhere], provide-xfr: [keyed, open, both, crypt]}\n"
    "  - {domain: closed, primaries: [elsewhere], notify: [open]}\n";

static struct config *config;
static struct keyring *keyring;

static const struct config_zone *zone_find(void *ctx, const uint8_t *apex)
{
	for (size_t i = 0; i < config->zone_count; i++) {
		if (name_equal(config->zones[i].domain, apex)) {
			return &config->zones[i];
		}
	}
	return NULL;
}

enum with { UNSIGNED, GOOD, OTHER, UNKNOWN, FALSE_SECRET, LATE };
enum shape { PLAIN, NO_SOA, TRAILING, CHAOS, UPDATE, RESPONSE };

static const struct row {
	const char *what, *from, *zone;
	uint16_t type;
	enum provide_transport transport;
	enum with with;
	enum shape shape;
	int rcode; // -1: allowed, -2: not for us to judge
	int error; // in the reply's TSIG record, -1: none
	size_t counter;
} rows[] = {
#define C(name) offsetof(struct provide_counters, name)
    {"axfr with the key", "192.0.2.1", "example", 252, PROVIDE_TCP, GOOD, PLAIN, -1, 0, 0},
    {"ixfr with the key", "192.0.2.1", "EXAMPLE", 251, PROVIDE_TCP, GOOD, PLAIN, -1, 0, 0},
    {"the first of two keys", "192.0.2.4", "example", 252, PROVIDE_TCP, GOOD, PLAIN, -1, 0, 0},
    {"the second of two keys", "192.0.2.4", "example", 252, PROVIDE_TCP, OTHER, PLAIN, -1, 0, 0},
    {"over TLS", "192.0.2.5", "example", 252, PROVIDE_TLS, GOOD, PLAIN, -1, 0, 0},
    {"over TLS without the key", "192.0.2.5", "example", 252, PROVIDE_TLS, UNSIGNED, PLAIN, 5, -1,
        C(out_unsigned)},
    {"over TLS where that is not demanded", "192.0.2.1", "example", 252, PROVIDE_TLS, GOOD, PLAIN,
        -1, 0, 0},
    {"axfr without TLS where that is demanded", "192.0.2.5", "example", 252, PROVIDE_TCP, GOOD,
        PLAIN, 5, 0, C(out_unsigned)},
    {"ixfr over UDP where TLS is demanded", "192.0.2.5", "example", 251, PROVIDE_UDP, GOOD, PLAIN,
        5, 0, C(out_unsigned)},
    {"soa over UDP where TLS is demanded", "192.0.2.5", "example", 6, PROVIDE_UDP, GOOD, PLAIN, -1,
        0, 0},
    {"ixfr over UDP", "192.0.2.1", "example", 251, PROVIDE_UDP, GOOD, PLAIN, -1, 0, 0},
    {"soa over UDP", "192.0.2.1", "example", 6, PROVIDE_UDP, GOOD, PLAIN, -1, 0, 0},
    {"soa through a worker", "192.0.2.1", "example", 6, PROVIDE_FORWARDED, GOOD, PLAIN, -1, 0, 0},
    {"axfr, no key needed", "192.0.2.2", "example", 252, PROVIDE_TCP, UNSIGNED, PLAIN, -1, 0, 0},
    {"the same over IPv6", "2001:db8::2", "example", 252, PROVIDE_TCP, UNSIGNED, PLAIN, -1, 0, 0},
    {"any key where none is needed", "192.0.2.2", "example", 252, PROVIDE_TCP, OTHER, PLAIN, -1, 0,
        0},
    {"without the key", "192.0.2.1", "example", 252, PROVIDE_TCP, UNSIGNED, PLAIN, 5, -1,
        C(out_unsigned)},
    {"soa without the key", "192.0.2.1", "example", 6, PROVIDE_UDP, UNSIGNED, PLAIN, 5, -1,
        C(out_unsigned)},
    {"another good key", "192.0.2.1", "example", 252, PROVIDE_TCP, OTHER, PLAIN, 5, 0,
        C(out_unsigned)},
    {"a key that we do not have", "192.0.2.1", "example", 252, PROVIDE_TCP, UNKNOWN, PLAIN, 9, 17,
        C(out_bad_tsig)},
    {"a false secret", "192.0.2.1", "example", 251, PROVIDE_TCP, FALSE_SECRET, PLAIN, 9, 16,
        C(out_bad_tsig)},
    {"301 s late", "192.0.2.1", "example", 252, PROVIDE_TCP, LATE, PLAIN, 9, 18, C(out_bad_tsig)},
    {"a primary is not downstream", "192.0.2.3", "example", 252, PROVIDE_TCP, UNSIGNED, PLAIN, 5,
        -1, C(out_refused)},
    {"a stranger with the key", "198.51.100.1", "example", 252, PROVIDE_TCP, GOOD, PLAIN, 5, -1,
        C(out_refused)},
    {"told, but not given", "192.0.2.2", "closed", 252, PROVIDE_TCP, UNSIGNED, PLAIN, 5, -1,
        C(out_refused)},
    {"not our zone", "192.0.2.1", "example.org", 252, PROVIDE_TCP, UNSIGNED, PLAIN, 9, -1,
        C(out_not_ours)},
    {"below our zone", "192.0.2.1", "a.example", 252, PROVIDE_TCP, GOOD, PLAIN, 9, 0,
        C(out_not_ours)},
    {"axfr over UDP", "192.0.2.2", "example", 252, PROVIDE_UDP, UNSIGNED, PLAIN, 4, -1, C(out_udp)},
    {"axfr through a worker", "192.0.2.1", "example", 252, PROVIDE_FORWARDED, GOOD, PLAIN, 5, 0,
        C(out_unsigned)},
    {"ixfr without a SOA", "192.0.2.2", "example", 251, PROVIDE_TCP, UNSIGNED, NO_SOA, 1, -1,
        C(out_malformed)},
    {"bytes behind the end", "192.0.2.2", "example", 252, PROVIDE_TCP, UNSIGNED, TRAILING, 1, -1,
        C(out_malformed)},
    {"class CH", "192.0.2.2", "example", 252, PROVIDE_TCP, UNSIGNED, CHAOS, -2, -1, 0},
    {"an update", "192.0.2.2", "example", 6, PROVIDE_TCP, UNSIGNED, UPDATE, -2, -1, 0},
    {"a response", "192.0.2.2", "example", 252, PROVIDE_TCP, UNSIGNED, RESPONSE, -2, -1, 0},
    {"another type", "192.0.2.2", "example", 1, PROVIDE_TCP, UNSIGNED, PLAIN, -2, -1, 0},
    {"soa of a zone not ours", "192.0.2.2", "example.org", 6, PROVIDE_UDP, UNSIGNED, PLAIN, -2, -1,
        0},
};

static size_t sign(uint8_t *msg, size_t len, size_t cap, enum with with)
{
	static const uint8_t name[] = "\4good", unknown[] = "\7unknown";
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len;
	struct tsig_key *key = NULL;

	if (with == FALSE_SECRET || with == UNKNOWN) {
		assert_int_equal(tsig_key_new(with == UNKNOWN ? unknown : name, "hmac-sha256",
		                     (const uint8_t *)"x", 1, &key),
		    0);
	} else {
		key = tsig_key_ref(keyring_remote(keyring, &config->remotes[3], with == OTHER));
	}
	len = tsig_sign(
	    key, msg, len, cap, with == LATE ? NOW - 301 : NOW, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	tsig_key_unref(key);
	return len;
}

static size_t build(const struct row *row, uint8_t *msg, size_t cap)
{
	uint16_t flags = row->shape == UPDATE ? 5 << 11 : row->shape == RESPONSE ? WIRE_QR : 0;
	uint8_t qname[NAME_LEN_MAX];

	assert_true(name_from_text(row->zone, strlen(row->zone), NULL, qname) > 0);
	size_t len = wire_question(msg, 77, flags, qname, row->type);

	if (row->shape == CHAOS) {
		wire_put16(msg + len - 2, 3);
	}
	if (row->type == RRTYPE_IXFR && row->shape != NO_SOA) {
		static const uint8_t soa[] = "\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0\0\0\0\0\x2a\0\0"
		                             "\0\1\0\0\0\1\0\0\0\1\0\0\0\1";

		memcpy(msg + len, soa, sizeof(soa) - 1);
		len += sizeof(soa) - 1;
		wire_put16(msg + 8, 1);
	}
	if (row->shape == TRAILING) {
		msg[len++] = 0;
	}
	return row->with == UNSIGNED ? len : sign(msg, len, cap, row->with);
}

static void address(const char *from, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = inet_pton(AF_INET, from, &in->sin_addr) == 1 ? AF_INET : AF_INET6;
	if (out->ss_family == AF_INET6) {
		assert_int_equal(inet_pton(AF_INET6, from, &in6->sin6_addr), 1);
	}
}

static void each_query_gets_the_reply_and_the_counter_it_deserves(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct provide_counters counters = {0}, none = {0};
		struct provide_service service = {
		    .zone = zone_find, .keyring = keyring, .counters = &counters};
		uint8_t msg[1024], reply[REQUEST_REPLY_MAX];
		struct sockaddr_storage from;
		struct tsig_record tsig;
		struct request request;
		struct tsig_key *key;
		size_t len = build(row, msg, sizeof(msg)), reply_len = 0;

		print_message("  %s\n", row->what);
		address(row->from, &from);
		enum provide_verdict verdict =
		    provide_judge(&service, row->transport, msg, len, (struct sockaddr *)&from, NOW,
		        &request, &key, reply, sizeof(reply), &reply_len);

		if (row->rcode < 0) {
			assert_int_equal(
			    verdict, row->rcode == -1 ? PROVIDE_ALLOWED : PROVIDE_NOT_MINE);
			assert_memory_equal(&counters, &none, sizeof(none));
			if (verdict == PROVIDE_ALLOWED) {
				assert_int_equal(key != NULL, row->with != UNSIGNED);
				assert_int_equal(request.has_serial, row->type == RRTYPE_IXFR);
				assert_true(!request.has_serial || request.serial == 42);
			}
			continue;
		}
		assert_int_equal(verdict, PROVIDE_REPLIED);
		assert_int_equal(*(uint64_t *)(void *)((char *)&counters + row->counter), 1);
		assert_int_equal(reply[3] & 15, row->rcode);
		assert_int_equal(reply[2] & 0x84, 0x80); // a response, and no authority claimed
		assert_int_equal(tsig_find(reply, reply_len, &tsig), row->error >= 0);
		if (row->error >= 0) {
			assert_int_equal(tsig.error, row->error);
			assert_int_equal(tsig.mac_len > 0, row->error == 0 || row->error == 18);
		}
	}
}

static void a_query_cut_anywhere_is_never_allowed(void **state)
{
	struct provide_counters counters = {0};
	struct provide_service service = {
	    .zone = zone_find, .keyring = keyring, .counters = &counters};
	uint8_t msg[1024], reply[REQUEST_REPLY_MAX];
	struct sockaddr_storage from;
	size_t len = build(&rows[1], msg, sizeof(msg));

	address(rows[1].from, &from);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);
		struct request request;
		struct tsig_key *key;
		size_t reply_len;

		memcpy(exact, msg, cut);
		assert_int_not_equal(
		    provide_judge(&service, PROVIDE_TCP, exact, cut, (struct sockaddr *)&from, NOW,
		        &request, &key, reply, sizeof(reply), &reply_len),
		    PROVIDE_ALLOWED);
		free(exact);
	}
}

static int setup(void **state)
{
	struct config_error where;
	char error[KEYRING_ERROR_MAX];

	if (config_parse(text, sizeof(text) - 1, 0, &config, &where) != 0) {
		fail_msg("%u:%u: %s", where.line, where.column, where.message);
	}
	return keyring_open(config, NULL, &keyring, error);
}

static int teardown(void **state)
{
	keyring_close(keyring);
	config_free(config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_query_gets_the_reply_and_the_counter_it_deserves),
	    cmocka_unit_test(a_query_cut_anywhere_is_never_allowed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
