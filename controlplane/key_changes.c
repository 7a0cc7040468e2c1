// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Changes of keys at run time (see key_changes.h). A handful of keys, a few hundred remotes: lists
// are walked.
#include "key_changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "value.h"

#define SECRET_MAX 1024 // bytes

static int say(char error[KEY_ERROR_MAX], int rc, const char *format, const char *a, const char *b)
{
	snprintf(error, KEY_ERROR_MAX, format, a, b);
	return rc;
}

static int no_memory(char error[KEY_ERROR_MAX])
{
	return say(error, -ENOMEM, "Out of memory.", "", "");
}

bool key_id_equal(const char *a, const char *b)
{
	uint8_t x[NAME_LEN_MAX], y[NAME_LEN_MAX];

	return name_from_text(a, strlen(a), NULL, x) > 0 &&
	       name_from_text(b, strlen(b), NULL, y) > 0 && name_equal(x, y);
}

static void text_wipe(char *text)
{
	if (text != NULL) {
		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static void added_free(struct config_key *key)
{
	free(key->id);
	free(key->algorithm);
	text_wipe(key->secret);
}

static void order_free(struct key_order *order)
{
	free(order->remote);
	for (size_t i = 0; i < REMOTE_KEYS; i++) {
		free(order->keys[i]);
	}
}

void key_changes_free(struct key_changes *changes)
{
	for (size_t i = 0; i < changes->added_count; i++) {
		added_free(&changes->added[i]);
	}
	for (size_t i = 0; i < changes->order_count; i++) {
		order_free(&changes->orders[i]);
	}
	for (size_t i = 0; i < changes->retired_count; i++) {
		free(changes->retired[i]);
	}
	free(changes->added);
	free(changes->orders);
	free(changes->retired);
	*changes = (struct key_changes){0};
}

// Post: room for one more element; NULL when out of memory.
static void *grown(void *array, size_t count, size_t size)
{
	return reallocarray(array, count + 1, size);
}

static int added_put(
    struct key_changes *changes, const char *id, const char *algorithm, const char *secret)
{
	struct config_key *array = grown(changes->added, changes->added_count, sizeof(*array));

	if (array == NULL) {
		return -ENOMEM;
	}
	changes->added = array;
	struct config_key *key = &array[changes->added_count++];

	*key = (struct config_key){
	    .id = strdup(id), .algorithm = strdup(algorithm), .secret = strdup(secret)};
	return key->id != NULL && key->algorithm != NULL && key->secret != NULL ? 0 : -ENOMEM;
}

static struct key_order *order_find(const struct key_changes *changes, const char *remote)
{
	for (size_t i = 0; i < changes->order_count; i++) {
		if (strcmp(changes->orders[i].remote, remote) == 0) {
			return &changes->orders[i];
		}
	}
	return NULL;
}

// `first` and `second` may point into what is replaced.
static int order_put(
    struct key_changes *changes, const char *remote, const char *first, const char *second)
{
	struct key_order *order = order_find(changes, remote);
	struct key_order fresh = {
	    .keys = {first != NULL ? strdup(first) : NULL, second != NULL ? strdup(second) : NULL}};

	fresh.remote = strdup(remote);
	if (fresh.remote == NULL || (first != NULL && fresh.keys[0] == NULL) ||
	    (second != NULL && fresh.keys[1] == NULL)) {
		order_free(&fresh);
		return -ENOMEM;
	}
	if (order == NULL) {
		struct key_order *array =
		    grown(changes->orders, changes->order_count, sizeof(*array));

		if (array == NULL) {
			order_free(&fresh);
			return -ENOMEM;
		}
		changes->orders = array;
		order = &array[changes->order_count++];
	} else {
		order_free(order);
	}
	*order = fresh;
	return 0;
}

static int retired_put(struct key_changes *changes, const char *id)
{
	char **array = grown(changes->retired, changes->retired_count, sizeof(*array));

	if (array == NULL) {
		return -ENOMEM;
	}
	changes->retired = array;
	array[changes->retired_count] = strdup(id);
	return array[changes->retired_count] == NULL ? -ENOMEM : (changes->retired_count++, 0);
}

static void retired_drop(struct key_changes *changes, size_t i)
{
	free(changes->retired[i]);
	changes->retired[i] = changes->retired[--changes->retired_count];
}

static bool is_retired(const struct key_changes *changes, const char *id)
{
	for (size_t i = 0; i < changes->retired_count; i++) {
		if (key_id_equal(changes->retired[i], id)) {
			return true;
		}
	}
	return false;
}

int key_changes_copy(const struct key_changes *from, struct key_changes *to)
{
	int rc = 0;

	*to = (struct key_changes){0};
	for (size_t i = 0; i < from->added_count && rc == 0; i++) {
		const struct config_key *key = &from->added[i];

		rc = added_put(to, key->id, key->algorithm, key->secret);
	}
	for (size_t i = 0; i < from->order_count && rc == 0; i++) {
		const struct key_order *order = &from->orders[i];

		rc = order_put(to, order->remote, order->keys[0], order->keys[1]);
	}
	for (size_t i = 0; i < from->retired_count && rc == 0; i++) {
		rc = retired_put(to, from->retired[i]);
	}
	if (rc != 0) {
		key_changes_free(to);
	}
	return rc;
}

static const struct config_key *key_of_config(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->key_count; i++) {
		if (key_id_equal(config->keys[i].id, id)) {
			return &config->keys[i];
		}
	}
	return NULL;
}

const struct config_key *key_changes_find(
    const struct key_changes *changes, const struct config *config, const char *id)
{
	const struct config_key *key = key_of_config(config, id);

	for (size_t i = 0; i < changes->added_count && key == NULL; i++) {
		if (key_id_equal(changes->added[i].id, id)) {
			key = &changes->added[i];
		}
	}
	return key != NULL && !is_retired(changes, id) ? key : NULL;
}

static void keys_of_config(const struct config_remote *remote, const char *ids[REMOTE_KEYS])
{
	ids[0] = remote->key != NULL ? remote->key->id : NULL;
	ids[1] = remote->other_key != NULL ? remote->other_key->id : NULL;
}

void key_changes_of(const struct key_changes *changes, const struct config_remote *remote,
    const char *ids[REMOTE_KEYS])
{
	const struct key_order *order = order_find(changes, remote->id);

	if (order != NULL) {
		ids[0] = order->keys[0];
		ids[1] = order->keys[1];
	} else {
		keys_of_config(remote, ids);
	}
}

static const struct config_remote *remote_find(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->remote_count; i++) {
		if (strcmp(config->remotes[i].id, id) == 0) {
			return &config->remotes[i];
		}
	}
	return NULL;
}

static bool algorithm_known(const char *algorithm)
{
	static const char names[][12] = {
	    "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], algorithm) == 0) {
			return true;
		}
	}
	return false;
}

static int remote_give(struct key_changes *changes, const struct config *config, const char *id,
    const char *remote_id, char error[KEY_ERROR_MAX])
{
	const struct config_remote *remote = remote_find(config, remote_id);
	const char *ids[REMOTE_KEYS];

	if (remote == NULL) {
		return say(error, -ENOENT, "There is no remote '%.64s'.%s", remote_id, "");
	}
	key_changes_of(changes, remote, ids);
	if (ids[0] == NULL) {
		return say(error, -EINVAL,
		    "The remote '%.64s' has no key: what is not signed is a matter of the "
		    "configuration.%s",
		    remote_id, "");
	}
	if (ids[1] != NULL) {
		return say(error, -EBUSY,
		    "The remote '%.64s' has two keys already; retire '%.64s' or the other first.",
		    remote_id, ids[1]);
	}
	return order_put(changes, remote_id, ids[0], id) == 0 ? 0 : no_memory(error);
}

int key_changes_add(struct key_changes *changes, const struct config *config, const char *id,
    const char *algorithm, const char *secret, const char *const *remotes, size_t remote_count,
    char error[KEY_ERROR_MAX])
{
	uint8_t name[NAME_LEN_MAX], raw[SECRET_MAX];
	int len = name_from_text(id, strlen(id), NULL, name);
	int secret_len = value_base64(secret, strlen(secret), raw, sizeof(raw));

	explicit_bzero(raw, sizeof(raw));
	if (len <= 1) {
		return say(error, -EINVAL, "The key id '%.64s' is not a domain name.%s", id, "");
	}
	if (!algorithm_known(algorithm)) {
		return say(error, -EINVAL,
		    "The algorithm must be one of hmac-sha1, hmac-sha224, hmac-sha256, "
		    "hmac-sha384, hmac-sha512.%s%s",
		    "", "");
	}
	if (secret_len <= 0) {
		return say(
		    error, -EINVAL, "The secret is not base64, empty or too long.%s%s", "", "");
	}
	for (size_t i = 0; i < changes->added_count; i++) {
		if (key_id_equal(changes->added[i].id, id)) {
			return say(error, -EEXIST, "There is a key '%.64s' already.%s", id, "");
		}
	}
	if (key_of_config(config, id) != NULL || is_retired(changes, id)) {
		return say(error, -EEXIST, "There is a key '%.64s' already, or was one.%s", id, "");
	}
	if (remote_count == 0) {
		return say(error, -EINVAL, "The key is for no remote.%s%s", "", "");
	}
	if (added_put(changes, id, algorithm, secret) != 0) {
		return no_memory(error);
	}
	for (size_t i = 0; i < remote_count; i++) {
		int rc = remote_give(changes, config, id, remotes[i], error);

		if (rc != 0) {
			return rc;
		}
	}
	return 0;
}

int key_changes_prefer(struct key_changes *changes, const struct config *config, const char *id,
    char error[KEY_ERROR_MAX])
{
	bool found = false;

	for (size_t i = 0; i < config->remote_count; i++) {
		const char *ids[REMOTE_KEYS];

		key_changes_of(changes, &config->remotes[i], ids);
		if (ids[1] != NULL && key_id_equal(ids[1], id)) {
			if (order_put(changes, config->remotes[i].id, ids[1], ids[0]) != 0) {
				return no_memory(error);
			}
			found = true;
		} else if (ids[0] != NULL && key_id_equal(ids[0], id)) {
			found = true;
		}
	}
	return found ? 0 : say(error, -ENOENT, "No remote has the key '%.64s'.%s", id, "");
}

int key_changes_retire(struct key_changes *changes, const struct config *config, const char *id,
    char error[KEY_ERROR_MAX])
{
	if (key_changes_find(changes, config, id) == NULL) {
		return say(error, -ENOENT, "There is no key '%.64s'.%s", id, "");
	}
	for (size_t i = 0; i < config->remote_count; i++) {
		const char *ids[REMOTE_KEYS], *stays = NULL;
		bool first, second;

		key_changes_of(changes, &config->remotes[i], ids);
		first = ids[0] != NULL && key_id_equal(ids[0], id);
		second = ids[1] != NULL && key_id_equal(ids[1], id);
		if (!first && !second) {
			continue;
		}
		stays = first ? ids[1] : ids[0];
		if (stays == NULL) {
			return say(error, -EBUSY,
			    "It is the only key of the remote '%.64s'; add another one first.%s",
			    config->remotes[i].id, "");
		}
		if (order_put(changes, config->remotes[i].id, stays, NULL) != 0) {
			return no_memory(error);
		}
	}
	for (size_t i = 0; i < changes->added_count; i++) {
		if (key_id_equal(changes->added[i].id, id)) {
			added_free(&changes->added[i]);
			changes->added[i] = changes->added[--changes->added_count];
			return 0; // gone: nothing to remember
		}
	}
	return retired_put(changes, id) == 0 ? 0 : no_memory(error);
}

static bool order_says_nothing(
    const struct key_changes *changes, const struct config *config, const struct key_order *order)
{
	const struct config_remote *remote = remote_find(config, order->remote);
	const char *ids[REMOTE_KEYS];

	if (remote == NULL) {
		return true;
	}
	keys_of_config(remote, ids);
	for (size_t i = 0; i < REMOTE_KEYS; i++) {
		if ((ids[i] == NULL) != (order->keys[i] == NULL) ||
		    (ids[i] != NULL && !key_id_equal(ids[i], order->keys[i]))) {
			return false;
		}
	}
	return true;
}

// Keys of the order that exist no more leave it. Post: false when none is left.
static bool order_mend(
    const struct key_changes *changes, const struct config *config, struct key_order *order)
{
	size_t kept = 0;

	for (size_t i = 0; i < REMOTE_KEYS; i++) {
		char *id = order->keys[i];

		order->keys[i] = NULL;
		if (id != NULL && key_changes_find(changes, config, id) != NULL) {
			order->keys[kept++] = id;
		} else {
			free(id);
		}
	}
	return kept > 0;
}

int key_changes_prune(struct key_changes *changes, const struct config *config)
{
	for (size_t i = 0; i < changes->added_count;) {
		if (key_of_config(config, changes->added[i].id) != NULL) {
			added_free(&changes->added[i]);
			changes->added[i] = changes->added[--changes->added_count];
		} else {
			i++;
		}
	}
	for (size_t i = 0; i < changes->retired_count;) {
		if (key_of_config(config, changes->retired[i]) == NULL) {
			retired_drop(changes, i);
		} else {
			i++;
		}
	}
	for (size_t i = 0; i < changes->order_count;) {
		struct key_order *order = &changes->orders[i];

		if (!order_mend(changes, config, order) ||
		    order_says_nothing(changes, config, order)) {
			order_free(order);
			*order = changes->orders[--changes->order_count];
		} else {
			i++;
		}
	}
	// A remote that the configuration gives a retired key, and nothing else was said of: it
	// takes what is left; where nothing is, the configuration has the last word.
	for (size_t i = 0; i < config->remote_count; i++) {
		const char *ids[REMOTE_KEYS];
		bool first, second;

		key_changes_of(changes, &config->remotes[i], ids);
		first = ids[0] != NULL && is_retired(changes, ids[0]);
		second = ids[1] != NULL && is_retired(changes, ids[1]);
		if (!first && !second) {
			continue;
		}
		if ((first ? ids[1] : ids[0]) == NULL || (first && second)) {
			for (size_t r = changes->retired_count; r-- > 0;) {
				if (key_id_equal(changes->retired[r], ids[0]) ||
				    (ids[1] != NULL && key_id_equal(changes->retired[r], ids[1]))) {
					retired_drop(changes, r);
				}
			}
		} else if (order_put(changes, config->remotes[i].id, first ? ids[1] : ids[0],
		               NULL) != 0) {
			return -ENOMEM;
		}
	}
	return 0;
}
