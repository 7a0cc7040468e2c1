// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SipHash-2-4 against the vectors of its authors (key 00 .. 0f, message 00 .. n-1) and against
// OpenSSL's for every length up to 64 under random keys.
#include "siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/params.h>

// The first nine and the sixteenth of the published table; the latter is the paper's Appendix A.
static const struct {
	size_t len;
	uint64_t hash;
} vectors[] = {
    {0, 0x726fdb47dd0e0e31},
    {1, 0x74f839c593dc67fd},
    {2, 0x0d6c8009d9a94f5a},
    {3, 0x85676696d7fb7e2d},
    {4, 0xcf2794e0277187b7},
    {5, 0x18765564cd99a68d},
    {6, 0xcbc9466e58fee3ce},
    {7, 0xab0200f58b01d137},
    {8, 0x93f5f5799a932462},
    {15, 0xa129ca6149be45e5},
};

static void it_gives_the_published_vectors(void **state)
{
	uint8_t bytes[16];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;

	struct siphash_key key = siphash_key_from(bytes);

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_int_equal(siphash24(&key, bytes, vectors[i].len), vectors[i].hash);
}

static uint64_t openssl_siphash(EVP_MAC *mac, const uint8_t *key, const uint8_t *in, size_t len)
{
	size_t size = 8, got = 0;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_END};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	uint8_t out[16];
	uint64_t hash = 0;

	assert_int_equal(EVP_MAC_CTX_set_params(ctx, params), 1);
	assert_int_equal(EVP_MAC_init(ctx, key, SIPHASH_KEY_LEN, NULL), 1);
	assert_int_equal(EVP_MAC_update(ctx, in, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, out, &got, sizeof(out)), 1);
	assert_int_equal(got, 8);
	EVP_MAC_CTX_free(ctx);
	for (unsigned i = 0; i < 8; i++)
		hash |= (uint64_t)out[i] << 8 * i;
	return hash;
}

static void it_agrees_with_openssl_at_every_length(void **state)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	uint8_t key[SIPHASH_KEY_LEN], in[64];

	assert_non_null(mac);
	srand(9018);
	for (size_t len = 0; len <= sizeof(in); len++) {
		for (unsigned round = 0; round < 20; round++) {
			for (size_t i = 0; i < sizeof(key); i++)
				key[i] = (uint8_t)rand();
			for (size_t i = 0; i < len; i++)
				in[i] = (uint8_t)rand();

			struct siphash_key words = siphash_key_from(key);

			assert_int_equal(
			    siphash24(&words, in, len), openssl_siphash(mac, key, in, len));
		}
	}
	EVP_MAC_free(mac);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_gives_the_published_vectors),
	    cmocka_unit_test(it_agrees_with_openssl_at_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
