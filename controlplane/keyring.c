// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The TSIG keys of one configuration (see keyring.h).
#include "keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "name.h"

#define SECRET_MAX 1024 // bytes; HMAC gains nothing from more than a block

struct keyring {
	const struct config *config; // borrowed: names the keys by their place
	struct tsig_key **keys;
	size_t count;
};

static int key_make(
    const struct config_key *from, struct tsig_key **out, char error[KEYRING_ERROR_MAX])
{
	struct config_error config_error = {0};
	uint8_t secret[SECRET_MAX], name[NAME_LEN_MAX];
	int rc = config_key_secret(from, secret, sizeof(secret), &config_error);

	if (rc < 0) {
		snprintf(error, KEYRING_ERROR_MAX, "%s", config_error.message);
		return rc;
	}
	size_t len = (size_t)rc;

	rc = name_from_text(from->id, strlen(from->id), NULL, name);
	if (rc > 0) {
		rc = tsig_key_new(name, from->algorithm, secret, len, out);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc != 0) {
		snprintf(error, KEYRING_ERROR_MAX, "key %s cannot be used: %s", from->id,
		    rc == -ENOMEM ? "out of memory" : "name, algorithm or secret is not usable");
	}
	return rc;
}

int keyring_open(const struct config *config, struct keyring **out, char error[KEYRING_ERROR_MAX])
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));

	if (keyring == NULL ||
	    (keyring->keys = calloc(config->key_count + 1, sizeof(struct tsig_key *))) == NULL) {
		free(keyring);
		snprintf(error, KEYRING_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	keyring->config = config;
	for (size_t i = 0; i < config->key_count; i++) {
		int rc = key_make(&config->keys[i], &keyring->keys[i], error);

		if (rc != 0) {
			keyring_close(keyring);
			return rc;
		}
		keyring->count++;
	}
	*out = keyring;
	return 0;
}

void keyring_close(struct keyring *keyring)
{
	if (keyring == NULL) {
		return;
	}
	for (size_t i = 0; i < keyring->count; i++) {
		tsig_key_unref(keyring->keys[i]);
	}
	free(keyring->keys);
	free(keyring);
}

struct tsig_key *keyring_of(const struct keyring *keyring, const struct config_key *key)
{
	return key == NULL ? NULL : keyring->keys[key - keyring->config->keys];
}

struct tsig_key *keyring_find(
    const struct keyring *keyring, const uint8_t *name, const uint8_t *algorithm)
{
	for (size_t i = 0; i < keyring->count; i++) { // a handful
		if (name_equal(tsig_key_name(keyring->keys[i]), name) &&
		    name_equal(tsig_key_algorithm(keyring->keys[i]), algorithm)) {
			return keyring->keys[i];
		}
	}
	return NULL;
}
