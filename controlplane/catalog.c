// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a catalog zone says (see catalog.h). In canonical order a member's PTR comes right before
// its properties, which are named below it:
//
//	version.CATALOG                 TXT "2"
//	LABEL.zones.CATALOG             PTR the member
//	group.LABEL.zones.CATALOG       TXT what it is like
//	coo.LABEL.zones.CATALOG         PTR the catalog it moves to
#include "catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "pool.h"
#include "reader.h"
#include "records.h"
#include "rrtype.h"

static const uint8_t schema[] = {1, '2'}; // the one version there is (RFC 9432 4.2.1)

struct scan {
	struct catalog *catalog;
	size_t cap;
	unsigned versions;
	unsigned depth; // labels of the apex
	char *error;
};

static int broken(struct scan *scan, const uint8_t *owner, const char *why)
{
	char name[NAME_TEXT_MAX];

	name_to_text(owner, name);
	snprintf(scan->error, CATALOG_ERROR_MAX, "The catalog is broken: %.120s: %s.", name, why);
	return -EINVAL;
}

static bool label_is(const uint8_t *name, const char *word)
{
	size_t len = strlen(word);
	uint8_t lower[64];

	if (name[0] != len)
		return false;
	name_lower(lower, name + 1, len);
	return memcmp(lower, word, len) == 0;
}

static const uint8_t *name_keep(struct scan *scan, const uint8_t *name, size_t len)
{
	uint8_t *copy = (uint8_t *)pool_text(scan->catalog->pool, (const char *)name, len);

	if (copy != NULL)
		name_lower(copy, name, len);
	return copy;
}

static int version_take(struct scan *scan, const struct record *record)
{
	if (scan->versions++ > 0)
		return broken(scan, record->owner, "it has more than one version");
	if (record->rdlen != sizeof(schema) || memcmp(record->rdata, schema, sizeof(schema)) != 0)
		return broken(scan, record->owner, "its version is not 2");
	return 0;
}

static int member_add(struct scan *scan, const struct record *record)
{
	struct catalog *catalog = scan->catalog;
	struct catalog_member *member;
	uint8_t label[64] = {0};

	name_lower(label, record->owner, (size_t)record->owner[0] + 1);
	if (catalog->count > 0 &&
	    memcmp(catalog->members[catalog->count - 1].label, label, sizeof(label)) == 0)
		return broken(scan, record->owner, "it has more than one PTR record");
	if (catalog->count == scan->cap) {
		size_t cap = scan->cap == 0 ? 64 : scan->cap * 2;
		struct catalog_member *grown =
		    reallocarray(catalog->members, cap, sizeof(*catalog->members));

		if (grown == NULL)
			return -ENOMEM;
		catalog->members = grown;
		scan->cap = cap;
	}
	member = &catalog->members[catalog->count];
	*member = (struct catalog_member){.domain_len = (uint8_t)record->rdlen};
	memcpy(member->label, label, sizeof(label));
	member->domain = name_keep(scan, record->rdata, record->rdlen);
	if (member->domain == NULL)
		return -ENOMEM;
	catalog->count++;
	return 0;
}

static int group_add(struct scan *scan, struct catalog_member *member, const struct record *record)
{
	const char **groups;
	size_t len = record->rdata[0];

	if (len + 1 != record->rdlen || memchr(record->rdata + 1, '\0', len) != NULL)
		return 0; // more than one string: no template is called so
	groups = pool_alloc(scan->catalog->pool, (member->group_count + 1) * sizeof(*groups));
	if (groups == NULL)
		return -ENOMEM;
	if (member->group_count > 0)
		memcpy(groups, member->groups, member->group_count * sizeof(*groups));
	groups[member->group_count] =
	    pool_text(scan->catalog->pool, (const char *)record->rdata + 1, len);
	if (groups[member->group_count] == NULL)
		return -ENOMEM;
	member->groups = groups;
	member->group_count++;
	return 0;
}

static int property_take(struct scan *scan, const struct record *record)
{
	struct catalog *catalog = scan->catalog;
	const uint8_t *at = name_parent(record->owner);
	uint8_t label[64] = {0};
	struct catalog_member *member;

	name_lower(label, at, (size_t)at[0] + 1);
	member = catalog->count > 0 ? &catalog->members[catalog->count - 1] : NULL;
	if (member == NULL || memcmp(member->label, label, sizeof(label)) != 0)
		return 0; // of no member
	if (record->type == RRTYPE_TXT && label_is(record->owner, "group"))
		return group_add(scan, member, record);
	if (record->type != RRTYPE_PTR || !label_is(record->owner, "coo"))
		return 0;
	if (member->coo != NULL)
		return broken(scan, record->owner, "it has more than one PTR record");
	member->coo = name_keep(scan, record->rdata, record->rdlen);
	return member->coo != NULL ? 0 : -ENOMEM;
}

static int record_take(struct scan *scan, const struct record *record)
{
	unsigned labels = name_labels(record->owner) - scan->depth;

	if (labels == 1 && record->type == RRTYPE_TXT && label_is(record->owner, "version"))
		return version_take(scan, record);
	if (labels == 2 && record->type == RRTYPE_PTR &&
	    label_is(name_parent(record->owner), "zones"))
		return member_add(scan, record);
	if (labels == 3 && label_is(name_parent(name_parent(record->owner)), "zones"))
		return property_take(scan, record);
	return 0;
}

// Only now: the array has stopped moving.
static int members_index(struct scan *scan)
{
	struct catalog *catalog = scan->catalog;

	for (size_t i = 0; i < catalog->count; i++) {
		struct catalog_member *member = &catalog->members[i];

		if (catalog_find(catalog, member->domain) != NULL)
			return broken(scan, member->domain, "it is listed twice");
		if (!idmap_add(&catalog->by_domain, member->domain, member->domain_len, member))
			return -ENOMEM;
	}
	return 0;
}

int catalog_read(
    const struct zone_version *version, struct catalog **out, char error[CATALOG_ERROR_MAX])
{
	const uint8_t *apex = image_apex(version_header(version));
	struct scan scan = {.error = error, .depth = name_labels(apex)};
	struct version_records records;
	struct record record;
	int rc = 0;

	*out = NULL;
	snprintf(error, CATALOG_ERROR_MAX, "Out of memory.");
	scan.catalog = calloc(1, sizeof(*scan.catalog));
	if (scan.catalog == NULL)
		return -ENOMEM;
	scan.catalog->pool = calloc(1, sizeof(*scan.catalog->pool));
	if (scan.catalog->pool == NULL)
		rc = -ENOMEM;
	version_records_start(&records, version);
	while (rc == 0 && version_records_next(&records, &record))
		rc = record_take(&scan, &record);
	if (rc == 0 && scan.versions == 0)
		rc = broken(&scan, apex, "it has no version");
	if (rc == 0)
		rc = members_index(&scan);
	if (rc < 0) {
		catalog_free(scan.catalog);
		return rc;
	}
	*out = scan.catalog;
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	if (catalog == NULL)
		return;
	idmap_free(&catalog->by_domain);
	if (catalog->pool != NULL)
		pool_free(catalog->pool);
	free(catalog->pool);
	free(catalog->members);
	free(catalog);
}

const struct catalog_member *catalog_find(const struct catalog *catalog, const uint8_t *domain)
{
	return idmap_find(&catalog->by_domain, domain, name_len(domain));
}
