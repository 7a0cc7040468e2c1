// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The sections template and zone. A template is a zone without a name; a zone starts as a copy of
// its template (of `default` when it names none) and each word it states replaces the template's.
// Its limits are the template's own unless it says otherwise: a million zones share them.
#include "sections.h"

#include <assert.h>
#include <string.h>

#include "name.h"
#include "value.h"

#define TIME_MAX_S UINT32_C(2147483647) // RFC 2181 8, taken for all times of a zone
#define ID_MAX     255

static int field_domain(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	uint8_t wire[NAME_LEN_MAX], *domain;
	struct config_zone *zone = base;
	char shown[TREE_SHOW_MAX];
	int len, rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < value->len; i++)
		if ((unsigned char)value->text[i] >= 0x80)
			return tree_error(r->error, value,
			    "'domain' is '%s', but that is not ASCII: give the name in its "
			    "xn-- form.",
			    tree_show(value, shown));
	len = name_from_text(value->text, value->len, NULL, wire);
	if (len <= 0)
		return tree_error(r->error, value,
		    "'domain' is '%s', but that is not a domain name.", tree_show(value, shown));
	// A byte string needs no alignment: a million of them side by side.
	domain = (uint8_t *)pool_text(r->pool, (const char *)wire, (size_t)len - 1);
	if (domain == NULL)
		return tree_no_memory(r->error);
	name_lower(domain, wire, (size_t)len);
	zone->domain = domain;
	zone->domain_len = (uint8_t)len;
	return 0;
}

static int field_expire(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_zone *zone = base;
	char shown[TREE_SHOW_MAX];
	uint64_t ms;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (strcmp(value->text, "strict") == 0) {
		zone->expire = CONFIG_EXPIRE_STRICT;
		zone->grace_s = 0;
		return 0;
	}
	if (strncmp(value->text, "grace ", 6) == 0 && value_duration_ms(value->text + 6, &ms) &&
	    ms % 1000 == 0 && ms / 1000 <= TIME_MAX_S) {
		zone->expire = CONFIG_EXPIRE_GRACE;
		zone->grace_s = (uint32_t)(ms / 1000);
		return 0;
	}
	return tree_error(r->error, value,
	    "'expire' is '%s', but must be 'strict' or 'grace TIME', as in 'grace 7d'.",
	    tree_show(value, shown));
}

static int field_zonemd(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	static const char *const words[] = {[CONFIG_ZONEMD_IF_PRESENT] = "if-present",
	    [CONFIG_ZONEMD_OFF] = "off",
	    [CONFIG_ZONEMD_ON] = "on"};
	struct config_zone *zone = base;
	char shown[TREE_SHOW_MAX];
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value->text, words[i]) == 0) {
			zone->zonemd = (enum config_zonemd)i;
			return 0;
		}
	return tree_error(r->error, value,
	    "'zonemd-verify' is '%s', but must be 'on', 'off' or 'if-present'.",
	    tree_show(value, shown));
}

// "7%". False when it is something else, or more than `max`.
static bool percent_read(const struct node *value, uint64_t max, uint64_t *out)
{
	char digits[4] = "";

	if (value->len >= 2 && value->len <= 3 && value->text[value->len - 1] == '%')
		memcpy(digits, value->text, value->len - 1);
	return value_number(digits, max, out);
}

static int field_jitter(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_template *t = base;
	char shown[TREE_SHOW_MAX];
	uint64_t percent;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (!percent_read(value, field->max, &percent))
		return tree_error(r->error, value,
		    "'%s' is '%s', but must be a share from 0%% to %llu%%.", field->name,
		    tree_show(value, shown), (unsigned long long)field->max);
	t->limits.jitter = (uint32_t)percent;
	return 0;
}

static int field_shrink_limit(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_zone *zone = base;
	char shown[TREE_SHOW_MAX];
	uint64_t percent;
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (strcmp(value->text, "off") == 0) {
		zone->shrink_limit = 100;
		return 0;
	}
	if (!percent_read(value, 99, &percent))
		return tree_error(r->error, value,
		    "'shrink-limit' is '%s', but must be 'off' or a share from 0%% to 99%%.",
		    tree_show(value, shown));
	zone->shrink_limit = (uint32_t)percent;
	return 0;
}

static int field_catalog_role(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_zone *zone = base;
	char shown[TREE_SHOW_MAX];
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0 || strcmp(value->text, "none") == 0)
		return rc;
	if (strcmp(value->text, "interpret") != 0)
		return tree_error(r->error, value,
		    "'catalog-role' is '%s', but must be 'none' or 'interpret'.",
		    tree_show(value, shown));
	if (zone->catalog == NULL)
		zone->catalog = pool_alloc(r->pool, sizeof(*zone->catalog));
	return zone->catalog != NULL ? 0 : tree_no_memory(r->error);
}

// A version that nobody can agree on would never be served.
static int agreement_check(
    struct reader *r, const struct node *item, const struct config_zone *zone)
{
	if (zone->file == NULL && zone->limits->agreement > zone->primary_count)
		return tree_error(r->error, item,
		    "'primary-agreement' is %u, but 'primaries' has %zu.", zone->limits->agreement,
		    zone->primary_count);
	return 0;
}

static int catalog_template_find(
    struct reader *r, const struct node *item, const struct config_template **out)
{
	char shown[TREE_SHOW_MAX];
	int rc = expect_scalar(r, item, "catalog-template");

	if (rc < 0)
		return rc;
	*out = idmap_find(&r->templates, item->text, item->len);
	if (*out == NULL)
		return tree_error(r->error, item,
		    "'catalog-template' is '%s', but no template has this id.",
		    tree_show(item, shown));
	if ((*out)->zone.primary_count == 0)
		return tree_error(r->error, item,
		    "The template '%s' has no 'primaries' for the members of a catalog.",
		    tree_show(item, shown));
	return agreement_check(r, item, &(*out)->zone);
}

static int field_catalog_template(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_zone *zone = base;
	struct config_catalog *catalog = pool_alloc(r->pool, sizeof(*catalog));
	const struct node *item;
	int rc;

	if (catalog == NULL)
		return tree_no_memory(r->error);
	catalog->templates =
	    pool_alloc(r->pool, (list_count(value) + 1) * sizeof(catalog->templates[0]));
	if (catalog->templates == NULL)
		return tree_no_memory(r->error);
	for (item = list_first(value); item != NULL; item = list_next(value, item)) {
		rc = catalog_template_find(r, item, &catalog->templates[catalog->template_count++]);
		if (rc < 0)
			return rc;
	}
	zone->catalog = catalog;
	return 0;
}

// The template is looked up before the map is read.
static int field_template(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	return 0;
}

static int field_template_id(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	char shown[TREE_SHOW_MAX];
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	if (idmap_find(&r->templates, value->text, value->len) != NULL)
		return tree_error(
		    r->error, value, "Duplicate template id '%s'.", tree_show(value, shown));
	return field_text(r, value, field, base);
}

#define REMOTES(word, list, number)                                      \
	{                                                                \
		word, field_remotes, offsetof(struct config_zone, list), \
		    offsetof(struct config_zone, number)                 \
	}
#define LIMIT(word, read, member, least, most)                                               \
	{                                                                                    \
		word, read, offsetof(struct config_template, limits.member), .min = (least), \
		                                                             .max = (most)   \
	}

// A collection of so many records is about 64 GB, so memory ends a transfer before this does on
// most machines.
#define ZONE_RECORDS_MAX 1000000000
// No larger RRset fits a message (zones/records.h).
#define RRSET_RECORDS_MAX (65535 / 12)

// What zones and templates have in common; zones, too, are read into a template. A file cannot be
// shared by zones, so it is not here.
// clang-format off
#define COMMON_FIELDS \
	[ZONE_PRIMARIES] = REMOTES("primaries", primaries, primary_count), \
	[ZONE_NOTIFY_FROM] = REMOTES("notify-from", notify_from, notify_from_count), \
	REMOTES("notify", notify, notify_count), \
	REMOTES("provide-xfr", provide_xfr, provide_xfr_count), \
	{"expire", field_expire}, \
	{"zonemd-verify", field_zonemd}, \
	{"shrink-limit", field_shrink_limit}, \
	{"journal-max-depth", field_number, offsetof(struct config_zone, journal_depth), \
	    .min = 2, .max = 10000}, \
	{"journal-max-usage", field_megabytes, offsetof(struct config_zone, journal_mb), \
	    .min = 1, .max = 1048576}, \
	LIMIT("transfer-max-size", field_bytes, transfer_bytes, 65536, UINT64_C(1) << 40), \
	LIMIT("transfer-max-time", field_seconds, transfer_time_s, 1, 604800), \
	LIMIT("transfer-idle-timeout", field_seconds, transfer_idle_s, 1, 3600), \
	LIMIT("transfer-min-rate", field_number, transfer_rate, 0, 1000000000 / 10), \
	LIMIT("zone-max-records", field_number, zone_records, 1, ZONE_RECORDS_MAX), \
	LIMIT("rrset-max-records", field_number, rrset_records, 1, RRSET_RECORDS_MAX), \
	LIMIT("refresh-min-interval", field_seconds, refresh_min_s, 1, TIME_MAX_S), \
	LIMIT("refresh-max-interval", field_seconds, refresh_max_s, 1, TIME_MAX_S), \
	LIMIT("retry-min-interval", field_seconds, retry_min_s, 1, TIME_MAX_S), \
	LIMIT("retry-max-interval", field_seconds, retry_max_s, 1, TIME_MAX_S), \
	LIMIT("refresh-jitter", field_jitter, jitter, 0, 50), \
	LIMIT("notify-min-interval", field_ms, notify_min_ms, 1, 3600000), \
	LIMIT("notify-max-interval", field_ms, notify_max_ms, 1, 86400000), \
	LIMIT("primary-pin-tolerance", field_seconds, pin_tolerance_s, 0, 31536000), \
	LIMIT("primary-agreement", field_number, agreement, 1, 255)

enum { ZONE_PRIMARIES, ZONE_NOTIFY_FROM };

static const struct field template_fields[] = {
	COMMON_FIELDS,
	{"id", field_template_id, offsetof(struct config_template, id), .min = 1, .max = ID_MAX},
};

static const struct field zone_fields[] = {
	COMMON_FIELDS,
	{"domain", field_domain},
	{"template", field_template},
	{"file", field_file, offsetof(struct config_zone, file)},
	{"catalog-role", field_catalog_role},
	{"catalog-template", field_catalog_template},
};
// clang-format on

static_assert(offsetof(struct config_template, zone) == 0, "both tables take offsets from a zone");

static const struct config_template no_template = {.zone = {.limits = &no_template.limits,
                                                       .shrink_limit = 50,
                                                       .journal_depth = 20,
                                                       .journal_mb = 100},
    .limits = {.transfer_bytes = UINT64_C(64) << 30,
        .transfer_time_s = 4 * 3600,
        // A primary may have to sign or load before it begins; NSD and BIND allow more, nobody
        // needs it.
        .transfer_idle_s = 30,
        .transfer_rate = 100,
        .zone_records = ZONE_RECORDS_MAX,
        .rrset_records = RRSET_RECORDS_MAX,
        .refresh_min_s = 2,
        .refresh_max_s = 86400,
        .retry_min_s = 1,
        .retry_max_s = 86400,
        .jitter = 10,
        // The least one keeps a burst of NOTIFYs for one change to one round; the largest is
        // what a useless notifier can cost.
        .notify_min_ms = 50,
        .notify_max_ms = 30000,
        .agreement = 1}};

static int limits_check(
    struct reader *r, const struct node *item, const struct config_limits *limits)
{
	const struct {
		const char *word;
		uint32_t least, most;
		const char *unit;
	} pairs[] = {{"refresh", limits->refresh_min_s, limits->refresh_max_s, "seconds"},
	    {"retry", limits->retry_min_s, limits->retry_max_s, "seconds"},
	    {"notify", limits->notify_min_ms, limits->notify_max_ms, "milliseconds"}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].least > pairs[i].most)
			return tree_error(r->error, item,
			    "'%s-min-interval' is above '%s-max-interval' (%u, %u %s).",
			    pairs[i].word, pairs[i].word, pairs[i].least, pairs[i].most,
			    pairs[i].unit);
	return 0;
}

static int template_read(struct reader *r, const struct node *item)
{
	struct config_template *t = pool_alloc(r->pool, sizeof(*t));
	int rc;

	if (t == NULL)
		return tree_no_memory(r->error);
	*t = no_template;
	rc = mapping_read(
	    r, item, "a template", template_fields, FIELD_COUNT(template_fields), t, &t->seen);
	if (rc == 0)
		rc = limits_check(r, item, &t->limits);
	if (rc < 0)
		return rc;
	t->zone.limits = &t->limits;
	if (t->id == NULL)
		return tree_error(r->error, item, "A template has no 'id'.");
	t->notify_from_stated = (t->seen & 1u << ZONE_NOTIFY_FROM) != 0;
	if (!idmap_add(&r->templates, t->id, strlen(t->id), t))
		return tree_no_memory(r->error);
	return 0;
}

static int zone_template(
    struct reader *r, const struct node *item, const struct config_template **out)
{
	const struct node *value = map_get(item, "template");
	char shown[TREE_SHOW_MAX];
	int rc;

	if (value == NULL) {
		*out = idmap_find(&r->templates, "default", strlen("default"));
		if (*out == NULL)
			*out = &no_template;
		return 0;
	}
	rc = expect_scalar(r, value, "template");
	if (rc < 0)
		return rc;
	*out = idmap_find(&r->templates, value->text, value->len);
	if (*out == NULL)
		return tree_error(r->error, value,
		    "'template' is '%s', but no template has this id.", tree_show(value, shown));
	return 0;
}

// Where the zone's content comes from: its own file beats the template's primaries.
static int zone_source(
    struct reader *r, const struct node *item, struct config_zone *zone, uint32_t seen)
{
	if (zone->file != NULL) {
		if (seen & 1u << ZONE_PRIMARIES && zone->primary_count > 0)
			return tree_error(r->error, map_get(item, "file"),
			    "The zone has both 'file' and 'primaries'.");
		zone->primaries = zone->notify_from = NULL;
		zone->primary_count = zone->notify_from_count = 0;
	} else if (zone->primary_count == 0) {
		return tree_error(r->error, item, "The zone has neither 'file' nor 'primaries'.");
	}
	return 0;
}

// A catalog says by which templates its members are made, and nothing else does.
static int zone_catalog(struct reader *r, const struct node *item, const struct config_zone *zone)
{
	const struct node *role = map_get(item, "catalog-role");
	const struct node *templates = map_get(item, "catalog-template");
	bool interprets = role != NULL && strcmp(role->text, "interpret") == 0;

	if (interprets && zone->catalog->template_count == 0)
		return tree_error(r->error, role,
		    "A zone with 'catalog-role: interpret' needs 'catalog-template'.");
	if (!interprets && templates != NULL)
		return tree_error(
		    r->error, templates, "'catalog-template' needs 'catalog-role: interpret'.");
	return 0;
}

// The template's where the zone says nothing else.
static int zone_limits(struct reader *r, const struct node *item,
    const struct config_limits *limits, struct config_zone *zone)
{
	struct config_limits *own;

	if (memcmp(limits, zone->limits, sizeof(*limits)) == 0)
		return 0;
	own = pool_alloc(r->pool, sizeof(*own));
	if (own == NULL)
		return tree_no_memory(r->error);
	*own = *limits;
	zone->limits = own;
	return limits_check(r, item, own);
}

static int zone_read(struct reader *r, const struct node *item, struct config_zone *zone)
{
	const struct config_template *t;
	struct config_template read;
	char shown[TREE_SHOW_MAX];
	uint32_t seen;
	int rc = zone_template(r, item, &t);

	if (rc < 0)
		return rc;
	read = *t;
	rc = mapping_read(r, item, "a zone", zone_fields, FIELD_COUNT(zone_fields), &read, &seen);
	*zone = read.zone;
	zone->line = item->line;
	if (rc == 0)
		rc = zone_limits(r, item, &read.limits, zone);
	if (rc < 0)
		return rc;
	if (zone->domain == NULL)
		return tree_error(r->error, item, "A zone has no 'domain'.");
	if (idmap_find(&r->zones, zone->domain, zone->domain_len) != NULL)
		return tree_error(r->error, map_get(item, "domain"), "Duplicate zone '%s'.",
		    tree_show(map_get(item, "domain"), shown));
	rc = zone_source(r, item, zone, seen);
	if (rc == 0)
		rc = agreement_check(r, item, zone);
	if (rc == 0)
		rc = zone_catalog(r, item, zone);
	if (rc < 0)
		return rc;
	// Whom we ask may also tell us, unless the file says who may.
	if (((seen | t->seen) & 1u << ZONE_NOTIFY_FROM) == 0) {
		zone->notify_from = zone->primaries;
		zone->notify_from_count = zone->primary_count;
	}
	if (!idmap_add(&r->zones, zone->domain, zone->domain_len, zone))
		return tree_no_memory(r->error);
	return 0;
}

int section_zone(struct reader *r, const struct node *templates, const struct node *zones)
{
	struct config *config = r->config;
	const struct node *item;
	int rc;

	for (item = templates != NULL ? list_first(templates) : NULL; item != NULL;
	     item = list_next(templates, item)) {
		rc = template_read(r, item);
		if (rc < 0)
			return rc;
	}
	config->zones =
	    pool_alloc(r->pool, (zones != NULL ? list_count(zones) : 0) * sizeof(*config->zones));
	if (config->zones == NULL)
		return tree_no_memory(r->error);
	for (item = zones != NULL ? list_first(zones) : NULL; item != NULL;
	     item = list_next(zones, item)) {
		rc = zone_read(r, item, &config->zones[config->zone_count]);
		if (rc < 0)
			return rc;
		config->zone_count++;
	}
	return 0;
}
