// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The section key: TSIG keys (RFC 8945). Secrets are checked for form here and decoded only by
// config_key_secret().
#include "sections.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "name.h"
#include "value.h"

#define SECRET_TEXT_MAX 1024 // base64 of far more than any HMAC block

struct key_reader {
	struct config_key *key;
	uint8_t name[NAME_LEN_MAX];
	int name_len;
};

// The key's name is a domain name on the wire, compared without case (RFC 8945 4.2).
static int key_name(const struct node *node, uint8_t name[NAME_LEN_MAX])
{
	uint8_t wire[NAME_LEN_MAX];
	int len = name_from_text(node->text, node->len, NULL, wire);

	if (len > 0)
		name_lower(name, wire, (size_t)len);
	return len;
}

static int field_key_id(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	char shown[TREE_SHOW_MAX];
	struct key_reader *k = base;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	k->name_len = key_name(value, k->name);
	if (k->name_len <= 1)
		return tree_error(r->error, value, "The key id '%s' is not a domain name.",
		    tree_show(value, shown));
	if (idmap_find(&r->keys, k->name, (size_t)k->name_len) != NULL)
		return tree_error(
		    r->error, value, "Duplicate key id '%s'.", tree_show(value, shown));
	k->key->id = pool_text(r->pool, value->text, value->len);
	return k->key->id != NULL ? 0 : tree_no_memory(r->error);
}

static int field_algorithm(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	static const char algorithms[][12] = {
	    "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"};
	char shown[TREE_SHOW_MAX];
	struct key_reader *k = base;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < FIELD_COUNT(algorithms); i++) {
		if (strcmp(value->text, algorithms[i]) == 0) {
			k->key->algorithm = pool_text(r->pool, value->text, value->len);
			return k->key->algorithm != NULL ? 0 : tree_no_memory(r->error);
		}
	}
	return tree_error(r->error, value,
	    "'algorithm' is '%s', but must be one of hmac-sha1, hmac-sha224, hmac-sha256, "
	    "hmac-sha384, hmac-sha512.",
	    tree_show(value, shown));
}

// The secret itself is never part of a message.
static int field_secret(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	uint8_t raw[SECRET_TEXT_MAX];
	struct key_reader *k = base;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	rc = value_base64(value->text, value->len, raw, sizeof(raw));
	explicit_bzero(raw, sizeof(raw));
	if (rc < 0)
		return tree_error(r->error, value, "'secret' is not base64.");
	k->key->secret = pool_text(r->pool, value->text, value->len);
	return k->key->secret != NULL ? 0 : tree_no_memory(r->error);
}

static int field_secret_file(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct key_reader *k = base;

	return field_file(r, value, field, k->key);
}

static const struct field key_fields[] = {
    {"id", field_key_id},
    {"algorithm", field_algorithm},
    {"secret", field_secret},
    {"secret-file", field_secret_file, offsetof(struct config_key, secret_file)},
};

static int key_read(struct reader *r, const struct node *item, struct config_key *key)
{
	struct key_reader k = {.key = key};
	uint8_t *name;
	uint32_t seen;
	int rc = mapping_read(r, item, "a key", key_fields, FIELD_COUNT(key_fields), &k, &seen);

	if (rc < 0)
		return rc;
	if (key->id == NULL)
		return tree_error(r->error, item, "A key has no 'id'.");
	if (key->algorithm == NULL)
		return tree_error(r->error, item, "The key '%.64s' has no 'algorithm'.", key->id);
	if (key->secret == NULL && key->secret_file == NULL)
		return tree_error(r->error, item,
		    "The key '%.64s' has neither 'secret' nor 'secret-file'.", key->id);
	if (key->secret != NULL && key->secret_file != NULL)
		return tree_error(r->error, item,
		    "The key '%.64s' has both 'secret' and 'secret-file'.", key->id);
	name = pool_alloc(r->pool, (size_t)k.name_len);
	if (name == NULL)
		return tree_no_memory(r->error);
	memcpy(name, k.name, (size_t)k.name_len);
	return idmap_add(&r->keys, name, (size_t)k.name_len, key) ? 0 : tree_no_memory(r->error);
}

int section_key(struct reader *r, const struct node *section)
{
	struct config *config = r->config;
	size_t cap = section != NULL ? list_count(section) : 0;

	config->keys = pool_alloc(r->pool, cap * sizeof(*config->keys));
	if (config->keys == NULL)
		return tree_no_memory(r->error);
	if (section == NULL)
		return 0;
	for (const struct node *item = list_first(section); item != NULL;
	     item = list_next(section, item)) {
		int rc = key_read(r, item, &config->keys[config->key_count]);

		if (rc < 0)
			return rc;
		config->key_count++;
	}
	return 0;
}

int field_key_reference(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	const struct config_key **dst = (const struct config_key **)((char *)base + field->offset);
	uint8_t name[NAME_LEN_MAX];
	char shown[TREE_SHOW_MAX];
	int len, rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	len = key_name(value, name);
	*dst = len > 0 ? idmap_find(&r->keys, name, (size_t)len) : NULL;
	if (*dst == NULL)
		return tree_error(r->error, value, "'%s' is '%s', but no key has this id.",
		    field->name, tree_show(value, shown));
	return 0;
}

static int secret_error(struct config_error *error, const struct config_key *key, const char *what)
{
	error->line = 0;
	error->column = 0;
	snprintf(error->message, sizeof(error->message), "The secret of key '%.64s'%s%.200s %s.",
	    key->id, key->secret_file != NULL ? " in " : "",
	    key->secret_file != NULL ? key->secret_file : "", what);
	return -EINVAL;
}

int config_key_secret(
    const struct config_key *key, uint8_t *out, size_t cap, struct config_error *error)
{
	char text[SECRET_TEXT_MAX * 2];
	ssize_t len;
	int rc, fd;

	if (key->secret != NULL) {
		rc = value_base64(key->secret, strlen(key->secret), out, cap);
		return rc >= 0 ? rc : secret_error(error, key, "is not base64 or too long");
	}
	fd = open(key->secret_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return secret_error(error, key, strerror(errno));
	do {
		len = read(fd, text, sizeof(text));
	} while (len < 0 && errno == EINTR);
	close(fd);
	if (len < 0)
		return secret_error(error, key, strerror(errno));
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	rc = value_base64(text, (size_t)len, out, cap);
	explicit_bzero(text, sizeof(text));
	return rc >= 0 ? rc : secret_error(error, key, "is not base64 or too long");
}
