// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Transaction signatures, judged by ldns as an independent implementation: what we sign it must
// verify, what it signs we must verify. What only a stream or a malformed record shows is made here
// by hand.
#include "tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "rrtype.h"
#include "wire.h"

#define SECRET_BASE64 "c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA="
static const uint8_t secret[] = "secret-secret-secret-01234567890";
static const uint8_t key_name[] = "\x03Xfr\x03kEy";
static const uint8_t zone_name[] = "\x07"
                                   "example\x03"
                                   "com";

static const char *const algorithms[] = {
    "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};

static struct tsig_key *key_make(const char *algorithm)
{
	struct tsig_key *key;

	assert_int_equal(tsig_key_new(key_name, algorithm, secret, sizeof(secret) - 1, &key), 0);
	return key;
}

static bool ldns_knows(const char *algorithm)
{
	return strcmp(algorithm, "hmac-sha224") != 0 && strcmp(algorithm, "hmac-sha384") != 0;
}

static ldns_tsig_credentials credentials(const char *algorithm)
{
	static char dotted[32];

	snprintf(dotted, sizeof(dotted), "%s.", algorithm);
	return (ldns_tsig_credentials){
	    dotted, (char *)(uintptr_t) "xfr.key.", (char *)(uintptr_t)SECRET_BASE64};
}

static void ldns_verifies_what_we_sign(void **state)
{
	for (size_t i = 0; i < 5; i++) {
		if (!ldns_knows(algorithms[i])) {
			continue; // the interop test covers them with NSD, Knot and BIND
		}
		struct tsig_key *key = key_make(algorithms[i]);
		ldns_tsig_credentials with = credentials(algorithms[i]);
		uint8_t msg[1024], mac[TSIG_MAC_MAX];
		size_t mac_len, len = wire_question(msg, 4711, 0, zone_name, RRTYPE_AXFR);
		ldns_pkt *pkt;

		len = tsig_sign(key, msg, len, sizeof(msg), (uint64_t)time(NULL), NULL, 0, TSIG_OK,
		    0, mac, &mac_len);
		assert_true(len > 0);
		assert_int_equal(mac_len, tsig_mac_len(key));
		assert_int_equal(ldns_wire2pkt(&pkt, msg, len), LDNS_STATUS_OK);
		assert_true(ldns_pkt_tsig_verify(pkt, msg, len, with.keyname, with.keydata, NULL));
		ldns_pkt_free(pkt);
		msg[WIRE_HEADER_LEN + 1] ^= 1; // and it does judge
		assert_int_equal(ldns_wire2pkt(&pkt, msg, len), LDNS_STATUS_OK);
		assert_false(ldns_pkt_tsig_verify(pkt, msg, len, with.keyname, with.keydata, NULL));
		ldns_pkt_free(pkt);
		tsig_key_unref(key);
	}
}

static void we_verify_what_ldns_signs_and_nothing_else(void **state)
{
	for (size_t i = 0; i < 5; i++) {
		if (!ldns_knows(algorithms[i])) {
			continue;
		}
		struct tsig_key *key = key_make(algorithms[i]);
		struct tsig_key *other = key_make(i == 0 ? "hmac-sha256" : "hmac-sha1");
		struct tsig_key *wrong;
		ldns_tsig_credentials with = credentials(algorithms[i]);
		ldns_pkt *pkt = ldns_pkt_query_new(
		    ldns_dname_new_frm_str("example.com."), LDNS_RR_TYPE_SOA, LDNS_RR_CLASS_IN, 0);
		uint8_t *msg;
		size_t len;
		struct tsig_record record;
		uint64_t now = (uint64_t)time(NULL);

		assert_int_equal(tsig_key_new(key_name, algorithms[i], secret, 16, &wrong), 0);
		assert_int_equal(
		    ldns_pkt_tsig_sign(pkt, with.keyname, with.keydata, 300, with.algorithm, NULL),
		    LDNS_STATUS_OK);
		assert_int_equal(ldns_pkt2wire(&msg, pkt, &len), LDNS_STATUS_OK);
		assert_int_equal(tsig_find(msg, len, &record), 1);
		assert_int_equal(tsig_verify_request(key, msg, &record, now), TSIG_OK);
		assert_int_equal(tsig_verify_request(key, msg, &record, now + 299), TSIG_OK);
		assert_int_equal(tsig_verify_request(key, msg, &record, now - 299), TSIG_OK);
		assert_int_equal(tsig_verify_request(key, msg, &record, now + 302), TSIG_BADTIME);
		assert_int_equal(tsig_verify_request(key, msg, &record, now - 302), TSIG_BADTIME);
		assert_int_equal(tsig_verify_request(wrong, msg, &record, now), TSIG_BADSIG);
		assert_int_equal(tsig_verify_request(other, msg, &record, now), TSIG_BADKEY);
		for (size_t at = 2; at < record.start;
		     at++) { // the id is not covered: original id is
			msg[at] ^= 0x20;
			struct tsig_record again;

			if (tsig_find(msg, len, &again) == 1) {
				assert_int_equal(
				    tsig_verify_request(key, msg, &again, now), TSIG_BADSIG);
			}
			msg[at] ^= 0x20;
		}
		free(msg);
		ldns_pkt_free(pkt);
		tsig_key_unref(key);
		tsig_key_unref(other);
		tsig_key_unref(wrong);
	}
}

static void a_message_cut_or_changed_anywhere_never_verifies_nor_crashes(void **state)
{
	struct tsig_key *key = key_make("hmac-sha512");
	uint8_t msg[1024], mac[TSIG_MAC_MAX];
	size_t mac_len, len = wire_question(msg, 1, 0, zone_name, RRTYPE_SOA);
	struct tsig_record record;

	len = tsig_sign(key, msg, len, sizeof(msg), 1795000000, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1); // so that a sanitizer sees one byte too far

		memcpy(exact, msg, cut);
		assert_true(tsig_find(exact, cut, &record) < 0);
		free(exact);
	}
	for (size_t at = 2; at < len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			msg[at] ^= (uint8_t)(1u << bit);
			if (tsig_find(msg, len, &record) == 1) {
				enum tsig_result got =
				    tsig_verify_request(key, msg, &record, 1795000000);
				// Names compare without case, and the digest takes the key's own
				// case.
				bool case_only = bit == 5 && at >= record.start && got == TSIG_OK;

				assert_true(got != TSIG_OK || case_only);
			}
			msg[at] ^= (uint8_t)(1u << bit);
		}
	}
	tsig_key_unref(key);
}

static size_t answer(uint8_t *msg, uint16_t id)
{
	size_t len = wire_question(msg, id, WIRE_QR, zone_name, RRTYPE_AXFR);

	return len;
}

static void ldns_signs_a_stream_and_we_follow_it(void **state)
{
	struct tsig_key *key = key_make("hmac-sha256");
	ldns_tsig_credentials with = credentials("hmac-sha256");
	uint8_t request[1024], mac[TSIG_MAC_MAX];
	size_t mac_len, len = wire_question(request, 99, 0, zone_name, RRTYPE_AXFR);
	uint64_t now = (uint64_t)time(NULL);
	struct tsig_stream stream;
	ldns_rdf *prior;

	len =
	    tsig_sign(key, request, len, sizeof(request), now, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	assert_true(len > 0);
	assert_int_equal(tsig_stream_open(&stream, key, mac, mac_len), 0);
	uint8_t mac_rdata[TSIG_MAC_MAX + 2];

	wire_put16(mac_rdata, (uint16_t)mac_len);
	memcpy(mac_rdata + 2, mac, mac_len);
	prior = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, mac_len + 2, mac_rdata);
	for (unsigned i = 0; i < 5; i++) {
		uint8_t bare[512], *msg;
		size_t bare_len = answer(bare, 99), msg_len;
		ldns_pkt *pkt;
		struct tsig_record record;

		assert_int_equal(ldns_wire2pkt(&pkt, bare, bare_len), LDNS_STATUS_OK);
		assert_int_equal(ldns_pkt_tsig_sign_next(pkt, with.keyname, with.keydata, 300,
		                     with.algorithm, prior, i > 0),
		    LDNS_STATUS_OK);
		assert_int_equal(ldns_pkt2wire(&msg, pkt, &msg_len), LDNS_STATUS_OK);
		ldns_rdf_deep_free(prior);
		prior = ldns_rdf_clone(ldns_rr_rdf(ldns_pkt_tsig(pkt), 3));
		assert_int_equal(tsig_find(msg, msg_len, &record), 1);
		assert_int_equal(
		    tsig_stream_message(&stream, msg, msg_len, &record, now, i == 4), TSIG_OK);
		if (i == 4) { // the same once more is not the next
			assert_int_equal(
			    tsig_stream_message(&stream, msg, msg_len, &record, now, true),
			    TSIG_BADSIG);
		}
		free(msg);
		ldns_pkt_free(pkt);
	}
	ldns_rdf_deep_free(prior);
	tsig_stream_close(&stream);
	tsig_key_unref(key);
}

static void a_first_or_last_message_without_signature_is_refused(void **state)
{
	struct tsig_key *key = key_make("hmac-sha256");
	uint8_t mac[32] = {0}, msg[512];
	size_t len = answer(msg, 5);
	struct tsig_stream stream;

	assert_int_equal(tsig_stream_open(&stream, key, mac, sizeof(mac)), 0);
	assert_int_equal(tsig_stream_message(&stream, msg, len, NULL, 0, false), TSIG_MISSING);
	tsig_stream_close(&stream);
	assert_int_equal(tsig_stream_open(&stream, NULL, NULL, 0), 0);
	assert_int_equal(tsig_stream_message(&stream, msg, len, NULL, 0, true), TSIG_OK);
	tsig_stream_close(&stream);
	tsig_key_unref(key);
}

static void ninety_nine_messages_may_go_unsigned_and_not_one_more(void **state)
{
	struct tsig_key *key = key_make("hmac-sha256");

	for (unsigned unsigned_count = 98; unsigned_count <= 100; unsigned_count++) {
		uint8_t request_mac[32] = {7}, msg[1024], mac[TSIG_MAC_MAX];
		size_t mac_len;
		struct tsig_stream stream;
		struct tsig_record record;
		enum tsig_result got = TSIG_OK;

		assert_int_equal(
		    tsig_stream_open(&stream, key, request_mac, sizeof(request_mac)), 0);
		size_t len = tsig_sign(key, msg, answer(msg, 5), sizeof(msg), 1795000000,
		    request_mac, sizeof(request_mac), TSIG_OK, 0, mac, &mac_len);

		assert_int_equal(tsig_find(msg, len, &record), 1);
		assert_int_equal(
		    tsig_stream_message(&stream, msg, len, &record, 1795000000, false), TSIG_OK);
		len = answer(msg, 5);
		for (unsigned i = 0; i < unsigned_count && got == TSIG_OK; i++) {
			got = tsig_stream_message(&stream, msg, len, NULL, 1795000000, false);
		}
		assert_int_equal(got, unsigned_count <= 99 ? TSIG_OK : TSIG_MISSING);
		tsig_stream_close(&stream);
	}
	tsig_key_unref(key);
}

// Rewrites the MAC of a signed message to `keep` bytes.
static size_t mac_cut(uint8_t *msg, size_t len, size_t full, size_t keep)
{
	struct tsig_record record;

	assert_int_equal(tsig_find(msg, len, &record), 1);
	size_t mac_at = (size_t)(record.mac - msg);
	size_t rdlen_at = record.start + sizeof(key_name) + 8;

	memmove(msg + mac_at + keep, msg + mac_at + full, len - mac_at - full);
	wire_put16(msg + mac_at - 2, (uint16_t)keep);
	wire_put16(msg + rdlen_at, (uint16_t)(wire_get16(msg + rdlen_at) - (full - keep)));
	return len - (full - keep);
}

static void truncated_macs_follow_rfc_8945_5_2_2_1(void **state)
{
	static const struct {
		const char *algorithm;
		size_t full, keep;
		enum tsig_result want;
	} rows[] = {
	    {"hmac-sha256", 32, 32, TSIG_OK},
	    {"hmac-sha256", 32, 31, TSIG_BADTRUNC},
	    {"hmac-sha256", 32, 16, TSIG_BADTRUNC},
	    {"hmac-sha256", 32, 15, TSIG_FORMERR},
	    {"hmac-sha256", 32, 0, TSIG_BADSIG},
	    {"hmac-sha1", 20, 10, TSIG_BADTRUNC},
	    {"hmac-sha1", 20, 9, TSIG_FORMERR},
	    {"hmac-sha512", 64, 32, TSIG_BADTRUNC},
	    {"hmac-sha512", 64, 31, TSIG_FORMERR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tsig_key *key = key_make(rows[i].algorithm);
		uint8_t msg[1024], mac[TSIG_MAC_MAX];
		size_t mac_len, len = wire_question(msg, 3, 0, zone_name, RRTYPE_SOA);
		struct tsig_record record;

		len = tsig_sign(
		    key, msg, len, sizeof(msg), 1795000000, NULL, 0, TSIG_OK, 0, mac, &mac_len);
		len = mac_cut(msg, len, rows[i].full, rows[i].keep);
		assert_int_equal(tsig_find(msg, len, &record), 1);
		assert_int_equal(tsig_verify_request(key, msg, &record, 1795000000), rows[i].want);
		tsig_key_unref(key);
	}
}

static void a_signature_anywhere_but_last_is_malformed(void **state)
{
	struct tsig_key *key = key_make("hmac-sha256");
	uint8_t msg[1024], mac[TSIG_MAC_MAX];
	size_t mac_len, len = wire_question(msg, 3, 0, zone_name, RRTYPE_SOA);
	struct tsig_record record;

	len = tsig_sign(key, msg, len, sizeof(msg), 1795000000, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	size_t once = len;

	len = tsig_sign(key, msg, len, sizeof(msg), 1795000000, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	assert_int_equal(tsig_find(msg, len, &record), -EINVAL); // two of them
	wire_put16(msg + 10, 1);
	assert_int_equal(tsig_find(msg, len, &record), -EINVAL); // bytes behind it
	assert_int_equal(tsig_find(msg, once, &record), 1);
	wire_put16(msg + 10, 0);
	wire_put16(msg + 8, 1);
	assert_int_equal(tsig_find(msg, once, &record), -EINVAL); // in the authority section
	tsig_key_unref(key);
}

static void a_refusal_of_our_key_shows_its_reason(void **state)
{
	struct tsig_key *key = key_make("hmac-sha256");
	uint8_t request[1024], reply[1200], mac[TSIG_MAC_MAX];
	size_t mac_len, len = wire_question(request, 3, 0, zone_name, RRTYPE_AXFR);
	struct tsig_record record;

	len = tsig_sign(
	    key, request, len, sizeof(request), 1795000000, NULL, 0, TSIG_OK, 0, mac, &mac_len);
	assert_int_equal(tsig_find(request, len, &record), 1);
	len = tsig_refuse(reply, answer(reply, 3), sizeof(reply), &record, TSIG_BADKEY);
	assert_int_equal(tsig_find(reply, len, &record), 1);
	assert_int_equal(record.error, TSIG_BADKEY);
	assert_int_equal(record.mac_len, 0);
	struct tsig_stream stream;

	assert_int_equal(tsig_stream_open(&stream, key, mac, mac_len), 0);
	assert_int_not_equal(
	    tsig_stream_message(&stream, reply, len, &record, 1795000000, true), TSIG_OK);
	assert_int_equal(stream.error, TSIG_BADKEY);
	tsig_stream_close(&stream);
	tsig_key_unref(key);
}

static void an_unknown_algorithm_or_an_empty_secret_makes_no_key(void **state)
{
	struct tsig_key *key;

	assert_int_equal(tsig_key_new(key_name, "hmac-md5", secret, 8, &key), -EINVAL);
	assert_int_equal(tsig_key_new(key_name, "hmac-sha256", secret, 0, &key), -EINVAL);
	assert_int_equal(tsig_key_new(key_name, "HMAC-SHA256", secret, 8, &key), 0);
	tsig_key_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ldns_verifies_what_we_sign),
	    cmocka_unit_test(we_verify_what_ldns_signs_and_nothing_else),
	    cmocka_unit_test(a_message_cut_or_changed_anywhere_never_verifies_nor_crashes),
	    cmocka_unit_test(ldns_signs_a_stream_and_we_follow_it),
	    cmocka_unit_test(a_first_or_last_message_without_signature_is_refused),
	    cmocka_unit_test(ninety_nine_messages_may_go_unsigned_and_not_one_more),
	    cmocka_unit_test(truncated_macs_follow_rfc_8945_5_2_2_1),
	    cmocka_unit_test(a_signature_anywhere_but_last_is_malformed),
	    cmocka_unit_test(a_refusal_of_our_key_shows_its_reason),
	    cmocka_unit_test(an_unknown_algorithm_or_an_empty_secret_makes_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
