// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that catalogs bring (see members.h).
#include "members.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog.h"
#include "image.h"
#include "log.h"
#include "manifest.h"
#include "name.h"
#include "reading.h"

// A catalog of the configuration, and its last good content.
struct source {
	uint8_t apex[NAME_LEN_MAX];
	struct catalog *content;       // NULL: none yet
	char error[CATALOG_ERROR_MAX]; // why the newest content is not used; "" when it is
	char clash[CATALOG_ERROR_MAX]; // the first member that is left out; "" when none is
	size_t members, clashes;
	bool named; // by the configuration
};

struct owned {
	uint8_t domain[NAME_LEN_MAX];
	uint8_t domain_len;
	uint8_t label[64];
	uint8_t catalog[NAME_LEN_MAX];
	uint64_t groups; // a sum of them
	bool reset;      // what was kept of it belongs to an earlier member of this name
};

struct members {
	struct source *sources;
	size_t source_count;
	struct owned *owned; // in the order of catalogs, then of their members
	size_t owned_count;
	bool pending;           // they are not yet as the configuration in force has them
	struct idmap by_domain; // -> struct owned
};

struct members *members_open(void)
{
	return calloc(1, sizeof(struct members));
}

static void sources_free(struct source *sources, size_t count)
{
	for (size_t i = 0; i < count; i++)
		catalog_free(sources[i].content);
	free(sources);
}

void members_close(struct members *members)
{
	if (members == NULL)
		return;
	sources_free(members->sources, members->source_count);
	idmap_free(&members->by_domain);
	free(members->owned);
	free(members);
}

static struct source *source_find(const struct members *members, const uint8_t *apex)
{
	for (size_t i = 0; i < members->source_count; i++)
		if (name_equal(members->sources[i].apex, apex))
			return &members->sources[i];
	return NULL;
}

static struct source *source_for(struct members *members, const uint8_t *apex)
{
	struct source *source = source_find(members, apex), *grown;

	if (source != NULL)
		return source;
	grown =
	    reallocarray(members->sources, members->source_count + 1, sizeof(*members->sources));
	if (grown == NULL)
		return NULL;
	members->sources = grown;
	source = &grown[members->source_count++];
	memset(source, 0, sizeof(*source));
	memcpy(source->apex, apex, name_len(apex));
	return source;
}

void members_take(
    struct members *members, const struct config_zone *catalog, const struct zone_version *version)
{
	struct source *source = source_for(members, catalog->domain);
	char error[CATALOG_ERROR_MAX];
	struct catalog *content;
	int rc;

	if (source == NULL) {
		log_error("a catalog cannot be read: out of memory");
		return;
	}
	rc = catalog_read(version, &content, error);
	if (rc < 0) {
		if (strcmp(source->error, error) != 0)
			log_error("%s Its members stay as they were.", error);
		snprintf(source->error, sizeof(source->error), "%s", error);
		return;
	}
	source->error[0] = '\0';
	catalog_free(source->content);
	source->content = content;
}

// --- at the start
// ---------------------------------------------------------------------------------

static int stored_read(
    const char *storage, const struct manifest_zone *zone, struct reading *reading)
{
	char path[PATH_MAX], error[IMAGE_ERROR_MAX];
	int rc = 0;

	for (unsigned i = 0; i < zone->layer_count && rc == 0; i++) {
		int fd;

		rc = manifest_image_path(storage, zone->layer[i].file_id, path, sizeof(path));
		fd = rc == 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
		if (rc == 0)
			rc = fd < 0 ? -errno
			            : reading_layer(
			                  reading, fd, zone->layer[i].offset, zone->layer[i].size);
		if (fd >= 0)
			close(fd);
		if (rc == 0 && image_verify(reading->map[i].mem, reading->map[i].size, error) < 0)
			rc = -EBADMSG;
	}
	return rc == 0 && version_check(&reading->version) < 0 ? -EBADMSG : rc;
}

static void stored_take(struct members *members, const struct config_zone *catalog,
    const char *storage, const struct manifest_zone *zone)
{
	struct reading reading = {0};

	if (stored_read(storage, zone, &reading) == 0)
		members_take(members, catalog, &reading.version);
	reading_close(&reading);
}

// As it was before where its bytes are broken, or what it says, which is told: members that are not
// known at the start would be zones that are gone.
static void catalog_boot(struct members *members, const struct config_zone *catalog,
    const char *storage, const struct manifest *manifest, const struct manifest_zone *zone)
{
	char broken[CATALOG_ERROR_MAX] = "";
	struct manifest_zone older;
	struct source *source;

	stored_take(members, catalog, storage, zone);
	source = source_find(members, catalog->domain);
	if ((source != NULL && source->content != NULL) || !manifest_older(manifest, zone, &older))
		return;
	if (source != NULL)
		memcpy(broken, source->error, sizeof(broken));
	stored_take(members, catalog, storage, &older);
	source = source_find(members, catalog->domain);
	if (source != NULL && broken[0] != '\0')
		memcpy(source->error, broken, sizeof(broken));
}

void members_boot(struct members *members, const struct config *config, const char *storage)
{
	char error[MANIFEST_ERROR_MAX];
	struct manifest manifest;
	bool any = false;

	for (size_t i = 0; i < config->zone_count; i++)
		any |= config->zones[i].catalog != NULL;
	if (!any || manifest_load(storage, &manifest, error) < 0)
		return;
	for (size_t i = 0; i < config->zone_count; i++) {
		const struct config_zone *zone = &config->zones[i];

		for (size_t k = 0; zone->catalog != NULL && k < manifest.zone_count; k++) {
			const struct manifest_zone *entry = &manifest.zones[k];

			if (name_equal(zone->domain, entry->apex))
				catalog_boot(members, zone, storage, &manifest, entry);
		}
	}
	manifest_free(&manifest);
}

// --- who belongs to whom
// --------------------------------------------------------------------------

#define CLASHES_TOLD 10 // lines in the log about one catalog

struct resolving {
	struct members *members;
	struct idmap configured; // of the file
	struct owned *owned;
	size_t count, cap;
	struct idmap by_domain;
};

static void clash_tell(struct source *source, const struct catalog_member *member, const char *why)
{
	char name[NAME_TEXT_MAX], catalog[NAME_TEXT_MAX];

	name_to_text(member->domain, name);
	name_to_text(source->apex, catalog);
	if (source->clashes == 0)
		snprintf(source->clash, sizeof(source->clash), "The member %.100s is left out: %s.",
		    name, why);
	if (source->clashes++ < CLASHES_TOLD)
		log_warning("catalog %s: the member %s is left out: %s", catalog, name, why);
}

// May this catalog have what another one has had so far (4.3.1, 5.5)?
static bool may_move(
    const struct members *members, const struct owned *before, const struct source *to, bool *reset)
{
	const struct source *from = source_find(members, before->catalog);
	const struct catalog_member *listed = from != NULL && from->named && from->content != NULL
	                                          ? catalog_find(from->content, before->domain)
	                                          : NULL;

	*reset = true;
	if (listed == NULL)
		return true; // it left one and came to another: two events that are seen at once
	if (listed->coo == NULL || !name_equal(listed->coo, to->apex))
		return false;
	*reset = false; // unless the label differs, see the caller
	return true;
}

// Does a member of this catalog belong to another one now?
static bool has_moved(
    const struct members *members, const struct source *from, const struct catalog_member *member)
{
	const struct source *to = member->coo != NULL && !name_equal(member->coo, from->apex)
	                              ? source_find(members, member->coo)
	                              : NULL;

	return to != NULL && to->named && to->content != NULL &&
	       catalog_find(to->content, member->domain) != NULL;
}

static int owned_add(struct resolving *r, const struct source *source,
    const struct catalog_member *member, bool reset)
{
	struct owned *one;

	if (r->count == r->cap)
		return -ENOMEM;
	one = &r->owned[r->count++];
	*one = (struct owned){.domain_len = member->domain_len, .reset = reset};
	memcpy(one->domain, member->domain, member->domain_len);
	memcpy(one->label, member->label, sizeof(one->label));
	memcpy(one->catalog, source->apex, name_len(source->apex));
	for (size_t g = 0; g < member->group_count; g++)
		for (const char *at = member->groups[g];; at++) { // the NUL, too
			one->groups = (one->groups ^ (uint8_t)*at) * UINT64_C(1099511628211) + 1;
			if (*at == '\0')
				break;
		}
	return idmap_add(&r->by_domain, one->domain, one->domain_len, one) ? 0 : -ENOMEM;
}

static int member_resolve(
    struct resolving *r, struct source *source, const struct catalog_member *member)
{
	const struct owned *before =
	    idmap_find(&r->members->by_domain, member->domain, member->domain_len);
	bool reset = false;

	if (idmap_find(&r->configured, member->domain, member->domain_len) != NULL) {
		clash_tell(source, member, "it is in the configuration file");
		return 0;
	}
	if (before != NULL && !name_equal(before->catalog, source->apex)) {
		if (!may_move(r->members, before, source, &reset)) {
			clash_tell(source, member, "it is another catalog's");
			return 0;
		}
	} else if (before != NULL && has_moved(r->members, source, member)) {
		return 0; // the other one has it
	}
	if (idmap_find(&r->by_domain, member->domain, member->domain_len) != NULL) {
		clash_tell(source, member, "it is another catalog's");
		return 0;
	}
	// Another label is another member of the same name (5.4).
	reset |= before != NULL && memcmp(before->label, member->label, sizeof(member->label)) != 0;
	reset |= before != NULL && before->reset; // which nothing has come of so far
	return owned_add(r, source, member, reset);
}

static int catalog_resolve(struct resolving *r, const struct config_zone *zone)
{
	struct source *source = source_find(r->members, zone->domain);
	size_t before = r->count;
	int rc = 0;

	if (source == NULL || source->content == NULL)
		return 0;
	source->clash[0] = '\0';
	source->clashes = 0;
	for (size_t i = 0; i < source->content->count && rc == 0; i++)
		rc = member_resolve(r, source, &source->content->members[i]);
	source->members = r->count - before;
	return rc;
}

static void sources_name(struct members *members, const struct config *config)
{
	for (size_t i = 0; i < members->source_count; i++)
		members->sources[i].named = false;
	for (size_t i = 0; i < config->zone_count && members->source_count > 0; i++) {
		struct source *source = config->zones[i].catalog != NULL
		                            ? source_find(members, config->zones[i].domain)
		                            : NULL;

		if (source != NULL)
			source->named = true;
	}
}

void members_prune(struct members *members)
{
	size_t kept = 0;

	for (size_t i = 0; i < members->source_count; i++) {
		if (members->sources[i].named)
			members->sources[kept++] = members->sources[i];
		else
			catalog_free(members->sources[i].content);
	}
	members->source_count = kept;
}

static bool same_owned(const struct members *members, const struct resolving *r)
{
	if (members->owned_count != r->count)
		return false;
	for (size_t i = 0; i < r->count; i++) {
		const struct owned *a = &members->owned[i], *b = &r->owned[i];

		if (b->reset || a->groups != b->groups || !name_equal(a->domain, b->domain) ||
		    !name_equal(a->catalog, b->catalog))
			return false;
	}
	return true;
}

int members_resolve(
    struct members *members, const struct config *config, bool *changed, bool *resets)
{
	struct resolving r = {.members = members};
	int rc = 0;

	sources_name(members, config);
	for (size_t i = 0; i < members->source_count; i++)
		if (members->sources[i].content != NULL)
			r.cap += members->sources[i].content->count;
	r.owned = calloc(r.cap + 1, sizeof(*r.owned));
	if (r.owned == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < config->zone_count && rc == 0 && r.cap > 0; i++)
		if (!idmap_add(&r.configured, config->zones[i].domain, config->zones[i].domain_len,
		        (void *)(uintptr_t)&config->zones[i]))
			rc = -ENOMEM;
	for (size_t i = 0; i < config->zone_count && rc == 0; i++)
		if (config->zones[i].catalog != NULL)
			rc = catalog_resolve(&r, &config->zones[i]);
	idmap_free(&r.configured);
	if (rc < 0) {
		idmap_free(&r.by_domain);
		free(r.owned);
		return rc;
	}
	members->pending |= !same_owned(members, &r);
	*changed = members->pending;
	*resets = false;
	for (size_t i = 0; i < r.count; i++)
		*resets |= r.owned[i].reset;
	free(members->owned);
	idmap_free(&members->by_domain);
	members->owned = r.owned;
	members->owned_count = r.count;
	members->by_domain = r.by_domain;
	return 0;
}

// --- the configuration
// ----------------------------------------------------------------------------

static const struct config_template *template_of(
    const struct config_zone *catalog, const struct catalog_member *member)
{
	const struct config_catalog *by = catalog->catalog;

	for (size_t g = 0; g < member->group_count; g++)
		for (size_t i = 0; i < by->template_count; i++)
			if (strcmp(by->templates[i]->id, member->groups[g]) == 0)
				return by->templates[i];
	return by->templates[0];
}

int members_extend(
    struct members *members, const struct config *config, bool all, struct config **out)
{
	struct config_member *list = calloc(members->owned_count + 1, sizeof(*list));
	const struct config_zone *catalog = NULL;
	const struct source *source = NULL;
	size_t count = 0;
	int rc;

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < members->owned_count; i++) {
		struct owned *one = &members->owned[i];

		// They stand in the order of their catalogs.
		for (size_t k = 0; k < config->zone_count &&
		                   (catalog == NULL || !name_equal(catalog->domain, one->catalog));
		     k++)
			if (name_equal(config->zones[k].domain, one->catalog)) {
				catalog = &config->zones[k];
				source = source_find(members, one->catalog);
			}
		if (one->reset && !all)
			continue;
		one->reset = false;
		list[count++] = (struct config_member){.domain = one->domain,
		    .domain_len = one->domain_len,
		    .catalog = catalog,
		    .template = template_of(catalog, catalog_find(source->content, one->domain))};
	}
	rc = config_extend(config, list, count, out);
	free(list);
	return rc;
}

void members_settle(struct members *members)
{
	members->pending = false;
}

const char *members_error(const struct members *members, const uint8_t *catalog)
{
	const struct source *source = source_find(members, catalog);

	return source == NULL             ? NULL
	       : source->error[0] != '\0' ? source->error
	       : source->clash[0] != '\0' ? source->clash
	                                  : NULL;
}

bool members_known(const struct members *members, const uint8_t *catalog)
{
	const struct source *source = source_find(members, catalog);

	return source != NULL && source->content != NULL;
}

size_t members_count(const struct members *members, const uint8_t *catalog)
{
	const struct source *source = source_find(members, catalog);

	return source != NULL ? source->members : 0;
}
