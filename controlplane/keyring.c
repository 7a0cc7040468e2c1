// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The TSIG keys in force (see keyring.h).
#include "keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "name.h"

#define SECRET_MAX 1024 // bytes; HMAC gains nothing from more than a block

struct keyring {
	const struct config *config; // borrowed: names the remotes by their place
	struct tsig_key **keys;
	size_t count;
	struct tsig_key *(*remotes)[REMOTE_KEYS]; // of each remote; borrowed from `keys`
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

static int key_add(
    struct keyring *keyring, const struct config_key *from, char error[KEYRING_ERROR_MAX])
{
	int rc = key_make(from, &keyring->keys[keyring->count], error);

	keyring->count += rc == 0;
	return rc;
}

// By the name alone: it is the id.
static struct tsig_key *key_named(const struct keyring *keyring, const char *id)
{
	uint8_t name[NAME_LEN_MAX];

	if (id == NULL || name_from_text(id, strlen(id), NULL, name) <= 0) {
		return NULL;
	}
	for (size_t i = 0; i < keyring->count; i++) {
		if (name_equal(tsig_key_name(keyring->keys[i]), name)) {
			return keyring->keys[i];
		}
	}
	return NULL;
}

static int keys_read(
    struct keyring *keyring, const struct key_changes *changes, char error[KEYRING_ERROR_MAX])
{
	const struct config *config = keyring->config;
	int rc = 0;

	for (size_t i = 0; i < config->key_count && rc == 0; i++) {
		if (key_changes_find(changes, config, config->keys[i].id) != NULL) {
			rc = key_add(keyring, &config->keys[i], error);
		}
	}
	for (size_t i = 0; i < changes->added_count && rc == 0; i++) {
		rc = key_add(keyring, &changes->added[i], error);
	}
	for (size_t i = 0; i < config->remote_count && rc == 0; i++) {
		const char *ids[REMOTE_KEYS];

		key_changes_of(changes, &config->remotes[i], ids);
		for (size_t rank = 0; rank < REMOTE_KEYS && rc == 0; rank++) {
			keyring->remotes[i][rank] = key_named(keyring, ids[rank]);
			if (ids[rank] != NULL && keyring->remotes[i][rank] == NULL) {
				snprintf(error, KEYRING_ERROR_MAX,
				    "the remote %.64s has the key %.64s, which does not exist",
				    config->remotes[i].id, ids[rank]);
				rc = -ENOENT;
			}
		}
	}
	return rc;
}

int keyring_open(const struct config *config, const struct key_changes *changes,
    struct keyring **out, char error[KEYRING_ERROR_MAX])
{
	static const struct key_changes none;
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	int rc = -ENOMEM;

	snprintf(error, KEYRING_ERROR_MAX, "out of memory");
	if (keyring == NULL) {
		return -ENOMEM;
	}
	if (changes == NULL) {
		changes = &none;
	}
	keyring->config = config;
	keyring->keys =
	    calloc(config->key_count + changes->added_count + 1, sizeof(struct tsig_key *));
	keyring->remotes = calloc(config->remote_count + 1, sizeof(*keyring->remotes));
	if (keyring->keys != NULL && keyring->remotes != NULL) {
		rc = keys_read(keyring, changes, error);
	}
	if (rc != 0) {
		keyring_close(keyring);
		return rc;
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
	free(keyring->remotes);
	free(keyring);
}

struct tsig_key *keyring_remote(
    const struct keyring *keyring, const struct config_remote *remote, size_t rank)
{
	return keyring->remotes[remote - keyring->config->remotes][rank];
}

bool keyring_accepts(
    const struct keyring *keyring, const struct config_remote *remote, const struct tsig_key *key)
{
	struct tsig_key *const *keys = keyring->remotes[remote - keyring->config->remotes];

	return keys[0] == NULL ||
	       (key != NULL && (tsig_key_same(keys[0], key) || tsig_key_same(keys[1], key)));
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
