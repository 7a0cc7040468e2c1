// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SHA-1 against the vectors of RFC 3174 7.3 and the NSEC3 hash against RFC 5155 appendix A.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "name.h"
#include "sha1.h"

static void digests_are_those_of_rfc_3174(void **state)
{
	static const struct {
		const char *in;
		unsigned times;
		const char *hex;
	} cases[] = {
	    {"abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	        "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
	    {"", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"}, // FIPS 180
	    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
	     "klmnopqrlmnopqrsmnopqrstnopqrstu",
	        1, "a49b2446a02c645bf419f995b67091253a04a259"}, // FIPS 180-2, two blocks
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t out[SHA1_LEN];
		char hex[2 * SHA1_LEN + 1];
		sha1((const uint8_t *)cases[i].in, strlen(cases[i].in), out);
		for (unsigned j = 0; j < SHA1_LEN; j++)
			snprintf(hex + 2 * j, 3, "%02x", out[j]);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void nsec3_hashes_are_those_of_rfc_5155(void **state)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
	static const char *cases[][2] = {
	    {"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
	    {"a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
	    {"ai.example.", "gjeqe526plbf1g8mklp59enfd789njgi"},
	    {"ns1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
	    {"w.example.", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
	    {"*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
	    {"x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"},
	    {"xx.example.", "t644ebqk9bibcna874givr6joj62mlhv"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t name[NAME_LEN_MAX], out[SHA1_LEN];
		char text[33];
		uint64_t bits = 0;
		const int len = name_from_text(cases[i][0], strlen(cases[i][0]), NULL, name);
		nsec3_hash(name, (size_t)len, salt, sizeof(salt), 12, out);
		for (unsigned j = 0, have = 0, n = 0; j < SHA1_LEN; j++) {
			bits = bits << 8 | out[j];
			for (have += 8; have >= 5; have -= 5)
				text[n++] = digits[bits >> (have - 5) & 31];
			text[n] = '\0';
		}
		assert_string_equal(text, cases[i][1]);
	}
}

static void a_name_without_salt_is_hashed_as_its_bytes_are(void **state)
{
	uint8_t name[NAME_LEN_MAX + 64], own[SHA1_LEN], out[SHA1_LEN];

	for (unsigned len = 1; len <= NAME_LEN_MAX; len++) {
		for (unsigned i = 0; i < sizeof name; i++)
			name[i] = (uint8_t)(i * 37 + len * 11 + 128);
		for (unsigned times = 0; times < 3; times++) {
			nsec3_hash(name, len, name, 0, (uint16_t)times, out);
			sha1(name, len, own);
			for (unsigned i = 0; i < times; i++) {
				uint8_t in[SHA1_LEN];

				memcpy(in, own, sizeof in);
				sha1(in, sizeof in, own);
			}
			assert_memory_equal(out, own, SHA1_LEN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digests_are_those_of_rfc_3174),
	    cmocka_unit_test(nsec3_hashes_are_those_of_rfc_5155),
	    cmocka_unit_test(a_name_without_salt_is_hashed_as_its_bytes_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
