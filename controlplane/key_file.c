// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/keys: the changes of keys as JSON (see key_changes.h).
//
//     {"added": [{"id", "algorithm", "secret"}], "orders": [{"remote", "keys": [id, id]}],
//      "retired": [id]}
#include "key_changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#define FILE_NAME "keys"
#define FILE_MAX  (4 << 20)

static const char *member(const json_t *object, const char *word)
{
	return json_string_value(json_object_get(object, word));
}

// Takes up what is well-formed and says what is not. Whether it makes sense with the configuration
// is judged by key_changes_prune.
static int changes_read(const json_t *root, struct key_changes *changes)
{
	const json_t *added = json_object_get(root, "added");
	const json_t *orders = json_object_get(root, "orders");
	const json_t *retired = json_object_get(root, "retired");
	size_t i;
	json_t *item;

	if (!json_is_array(added) || !json_is_array(orders) || !json_is_array(retired)) {
		return -EINVAL;
	}
	changes->added = calloc(json_array_size(added) + 1, sizeof(*changes->added));
	changes->orders = calloc(json_array_size(orders) + 1, sizeof(*changes->orders));
	changes->retired = calloc(json_array_size(retired) + 1, sizeof(*changes->retired));
	if (changes->added == NULL || changes->orders == NULL || changes->retired == NULL) {
		return -ENOMEM;
	}
	json_array_foreach(added, i, item)
	{
		const char *id = member(item, "id"), *secret = member(item, "secret");
		const char *algorithm = member(item, "algorithm");
		struct config_key *key = &changes->added[changes->added_count++];

		if (id == NULL || secret == NULL || algorithm == NULL) {
			return -EINVAL;
		}
		key->id = strdup(id);
		key->algorithm = strdup(algorithm);
		key->secret = strdup(secret);
		if (key->id == NULL || key->algorithm == NULL || key->secret == NULL) {
			return -ENOMEM;
		}
	}
	json_array_foreach(orders, i, item)
	{
		const json_t *keys = json_object_get(item, "keys");
		struct key_order *order = &changes->orders[changes->order_count++];

		if (member(item, "remote") == NULL || json_array_size(keys) == 0 ||
		    json_array_size(keys) > REMOTE_KEYS) {
			return -EINVAL;
		}
		order->remote = strdup(member(item, "remote"));
		for (size_t k = 0; k < json_array_size(keys); k++) {
			const char *id = json_string_value(json_array_get(keys, k));

			if (id == NULL) {
				return -EINVAL;
			}
			order->keys[k] = strdup(id);
			if (order->keys[k] == NULL) {
				return -ENOMEM;
			}
		}
		if (order->remote == NULL) {
			return -ENOMEM;
		}
	}
	json_array_foreach(retired, i, item)
	{
		if (!json_is_string(item)) {
			return -EINVAL;
		}
		changes->retired[changes->retired_count] = strdup(json_string_value(item));
		if (changes->retired[changes->retired_count++] == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

int key_changes_load(const char *storage, struct key_changes *changes, char error[KEY_ERROR_MAX])
{
	char path[4096];
	json_error_t where;
	int rc, fd;

	*changes = (struct key_changes){0};
	snprintf(path, sizeof(path), "%s/" FILE_NAME, storage);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT) {
		return 0;
	}
	if (fd < 0) {
		rc = -errno;
		snprintf(error, KEY_ERROR_MAX, "%.128s: %s", path, strerror(-rc));
		return rc;
	}
	char *text = malloc(FILE_MAX);
	ssize_t len = text != NULL ? read(fd, text, FILE_MAX) : -1;

	close(fd);
	json_t *root = len > 0 && len < FILE_MAX
	                   ? json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES, &where)
	                   : NULL;

	rc = text == NULL ? -ENOMEM : root == NULL ? -EINVAL : changes_read(root, changes);
	if (text != NULL && len > 0) {
		explicit_bzero(text, (size_t)len);
	}
	free(text);
	json_decref(root);
	if (rc != 0) {
		key_changes_free(changes);
		snprintf(error, KEY_ERROR_MAX, "%.128s: %s", path,
		    rc == -ENOMEM ? "out of memory" : "cannot be understood");
	}
	return rc;
}

char *key_changes_text(const struct key_changes *changes)
{
	json_t *root = json_object(), *added = json_array(), *orders = json_array();
	json_t *retired = json_array();
	char *text;

	for (size_t i = 0; i < changes->added_count; i++) {
		const struct config_key *key = &changes->added[i];

		json_array_append_new(
		    added, json_pack("{s:s, s:s, s:s}", "id", key->id, "algorithm", key->algorithm,
		               "secret", key->secret));
	}
	for (size_t i = 0; i < changes->order_count; i++) {
		const struct key_order *order = &changes->orders[i];
		json_t *keys = json_array();

		for (size_t k = 0; k < REMOTE_KEYS && order->keys[k] != NULL; k++) {
			json_array_append_new(keys, json_string(order->keys[k]));
		}
		json_array_append_new(
		    orders, json_pack("{s:s, s:o}", "remote", order->remote, "keys", keys));
	}
	for (size_t i = 0; i < changes->retired_count; i++) {
		json_array_append_new(retired, json_string(changes->retired[i]));
	}
	json_object_set_new(root, "added", added);
	json_object_set_new(root, "orders", orders);
	json_object_set_new(root, "retired", retired);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

void key_text_free(char *text)
{
	if (text != NULL) {
		explicit_bzero(text, strlen(text));
		free(text);
	}
}

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	int rc = 0;

	if (fd < 0) {
		return -errno;
	}
	for (size_t done = 0; done < len && rc == 0;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR) {
			rc = -errno;
		} else if (n > 0) {
			done += (size_t)n;
		}
	}
	if (rc == 0 && (fchmod(fd, 0600) < 0 || fsync(fd) < 0)) {
		rc = -errno;
	}
	close(fd);
	return rc;
}

int key_changes_save(const char *storage, const char *text)
{
	char path[4096], fresh[4096];
	int folder, rc;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, storage);
	snprintf(fresh, sizeof(fresh), "%s/" FILE_NAME ".new", storage);
	rc = file_write(fresh, text);
	if (rc == 0 && rename(fresh, path) < 0) {
		rc = -errno;
	}
	if (rc != 0) {
		unlink(fresh);
		return rc;
	}
	folder = open(storage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fsync(folder) < 0) {
		rc = -errno;
	}
	if (folder >= 0) {
		close(folder);
	}
	return rc;
}
