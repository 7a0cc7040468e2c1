// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Mappings read by tables of words; see mapping.h.
#include "mapping.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "value.h"

static void *field_dst(const struct field *field, void *base)
{
	return (char *)base + field->offset;
}

static bool node_is_empty(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->plain && node->len == 0;
}

int expect_scalar(struct reader *r, const struct node *value, const char *word)
{
	char shown[TREE_SHOW_MAX];

	if (value->kind != NODE_SCALAR)
		return tree_error(r->error, value, "'%s' takes one value, not %s.", word,
		    tree_show(value, shown));
	if (node_is_empty(value))
		return tree_error(r->error, value, "'%s' has no value.", word);
	return 0;
}

static int value_error(
    struct reader *r, const struct node *value, const struct field *field, const char *expected)
{
	char shown[TREE_SHOW_MAX];

	return tree_error(r->error, value, "'%s' is '%s', but %s.", field->name,
	    tree_show(value, shown), expected);
}

static int range_error(struct reader *r, const struct node *value, const struct field *field,
    const char *kind, const char *unit)
{
	char shown[TREE_SHOW_MAX];

	return tree_error(r->error, value, "'%s' is '%s', but must be %s from %llu to %llu%s.",
	    field->name, tree_show(value, shown), kind, (unsigned long long)field->min,
	    (unsigned long long)field->max, unit);
}

int mapping_read(struct reader *r, const struct node *map, const char *what,
    const struct field *fields, size_t field_count, void *base, uint32_t *seen)
{
	char shown[TREE_SHOW_MAX];

	*seen = 0;
	if (node_is_empty(map))
		return 0;
	if (map->kind != NODE_MAP)
		return tree_error(
		    r->error, map, "A mapping of words to values is expected for %s.", what);
	for (const struct node *key = map->child; key != NULL; key = key->next->next) {
		size_t i = 0;
		int rc;

		while (i < field_count &&
		       (key->kind != NODE_SCALAR || strcmp(fields[i].name, key->text) != 0))
			i++;
		if (i == field_count)
			return tree_error(
			    r->error, key, "Unknown key '%s' in %s.", tree_show(key, shown), what);
		if (*seen & UINT32_C(1) << i)
			return tree_error(
			    r->error, key, "Duplicate key '%s' in %s.", fields[i].name, what);
		*seen |= UINT32_C(1) << i;
		rc = fields[i].read(r, key->next, &fields[i], base);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct node *map_get(const struct node *map, const char *word)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (const struct node *key = map->child; key != NULL; key = key->next->next)
		if (key->kind == NODE_SCALAR && strcmp(key->text, word) == 0)
			return key->next;
	return NULL;
}

const struct node *list_first(const struct node *value)
{
	if (value->kind == NODE_LIST)
		return value->child;
	return node_is_empty(value) ? NULL : value;
}

const struct node *list_next(const struct node *value, const struct node *item)
{
	return value->kind == NODE_LIST ? item->next : NULL;
}

size_t list_count(const struct node *value)
{
	size_t count = 0;

	for (const struct node *n = list_first(value); n != NULL; n = list_next(value, n))
		count++;
	return count;
}

int field_text(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	char **dst = field_dst(field, base);

	if (value->kind != NODE_SCALAR)
		return expect_scalar(r, value, field->name);
	if (value->len < field->min)
		return tree_error(r->error, value, "'%s' is empty.", field->name);
	if (value->len > field->max)
		return tree_error(r->error, value, "'%s' is longer than %llu bytes.", field->name,
		    (unsigned long long)field->max);
	*dst = pool_text(r->pool, value->text, value->len);
	return *dst != NULL ? 0 : tree_no_memory(r->error);
}

int field_path(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct field text = *field;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (value->text[0] != '/')
		return value_error(r, value, field, "must be an absolute path");
	text.max = 4095; // PATH_MAX without the NUL
	return field_text(r, value, &text, base);
}

int field_file(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct stat st;
	int rc = field_path(r, value, field, base);

	if (rc < 0 || (r->flags & CONFIG_CHECK_FILES) == 0)
		return rc;
	if (stat(value->text, &st) == 0)
		return S_ISDIR(st.st_mode) ? value_error(r, value, field, "that is a folder") : 0;
	if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
		return value_error(r, value, field, "there is no such file");
	return 0; // who may not look decides nothing; opening it will tell
}

int field_number(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	unsigned *dst = field_dst(field, base);
	uint64_t n;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_number(value->text, field->max, &n) || n < field->min)
		return range_error(r, value, field, "a number", "");
	*dst = (unsigned)n;
	return 0;
}

int field_bool(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_bool(value->text, field_dst(field, base)))
		return value_error(r, value, field, "must be on or off");
	return 0;
}

int field_seconds(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	uint32_t *dst = field_dst(field, base);
	uint64_t ms;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_duration_ms(value->text, &ms) || ms % 1000 != 0 || ms / 1000 < field->min ||
	    ms / 1000 > field->max)
		return range_error(r, value, field, "a time", " seconds (units: s, m, h, d, w)");
	*dst = (uint32_t)(ms / 1000);
	return 0;
}

int field_ms(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	unsigned *dst = field_dst(field, base);
	uint64_t ms;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_duration_ms(value->text, &ms) || ms < field->min || ms > field->max)
		return range_error(
		    r, value, field, "a time", " milliseconds (units: ms, s, m, h, d, w)");
	*dst = (unsigned)ms;
	return 0;
}

int field_megabytes(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	unsigned *dst = field_dst(field, base);
	uint64_t bytes;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_size(value->text, &bytes) || bytes >> 20 < field->min ||
	    bytes >> 20 > field->max)
		return range_error(r, value, field, "a size", " MiB (units: K, M, G)");
	*dst = (unsigned)(bytes >> 20);
	return 0;
}

int field_bytes(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	uint64_t *dst = field_dst(field, base), bytes;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!value_size(value->text, &bytes) || bytes < field->min || bytes > field->max)
		return range_error(r, value, field, "a size", " bytes (units: K, M, G)");
	*dst = bytes;
	return 0;
}

int field_address(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	const char *wrong;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	wrong = value_address(value->text, (uint16_t)field->min, field_dst(field, base));
	return wrong == NULL ? 0 : value_error(r, value, field, wrong);
}

static bool address_equal(const struct config_address *a, const struct config_address *b)
{
	return a->addr_len == b->addr_len && memcmp(&a->addr, &b->addr, a->addr_len) == 0;
}

int field_addresses(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_address **dst = field_dst(field, base);
	size_t *count = (size_t *)((char *)base + field->count_offset);
	size_t cap = list_count(value), n = 0;
	struct field one = *field;
	int rc;

	*dst = pool_alloc(r->pool, cap * sizeof(**dst));
	if (*dst == NULL)
		return tree_no_memory(r->error);
	one.offset = 0;
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		rc = field_address(r, item, &one, &(*dst)[n]);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++)
			if (address_equal(&(*dst)[i], &(*dst)[n]))
				return value_error(r, item, field, "stands here twice");
		n++;
	}
	*count = n;
	return 0;
}

int field_remotes(struct reader *r, const struct node *value, const struct field *field, void *base)
{
	const struct config_remote ***dst = field_dst(field, base);
	size_t *count = (size_t *)((char *)base + field->count_offset);
	size_t cap = list_count(value), n = 0;

	*dst = pool_alloc(r->pool, cap * sizeof(**dst));
	if (*dst == NULL)
		return tree_no_memory(r->error);
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		int rc = expect_scalar(r, item, field->name);
		const struct config_remote *remote;

		if (rc < 0)
			return rc;
		remote = idmap_find(&r->remotes, item->text, item->len);
		if (remote == NULL)
			return value_error(r, item, field, "no remote has this id");
		for (size_t i = 0; i < n; i++)
			if ((*dst)[i] == remote)
				return value_error(r, item, field, "stands here twice");
		(*dst)[n++] = remote;
	}
	*count = n;
	return 0;
}
