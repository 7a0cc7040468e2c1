// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The commands about a zone's versions: what there are, what differs between two, back to one,
// and staying with one.
#include "control_commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon.h"
#include "delta.h"
#include "engine.h"
#include "name.h"
#include "primary.h"
#include "publish.h"
#include "rdata.h"
#include "rrtype.h"
#include "setup.h"

// RFC 3339, UTC.
static json_t *instant(int64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	char text[32];
	struct tm tm;

	if (ms == 0 || gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

// --- history
// --------------------------------------------------------------------------------------

// Whom a version came from, as the configuration calls it.
static json_t *from_whom(const struct config *config, uint64_t origin)
{
	for (size_t i = 0; i < config->remote_count; i++)
		if (setup_origin(&config->remotes[i]) == origin)
			return json_string(config->remotes[i].id);
	return json_null();
}

static json_t *version_object(const struct config *config, const struct publisher_version *version)
{
	static const char roles[][8] = {"current", "kept", "held"};
	static const char hows[][9] = {"", "axfr", "ixfr", "file", "rollback"};
	json_t *o = json_object();

	json_object_set_new(o, "serial", json_integer(version->soa.serial));
	json_object_set_new(o, "role", json_string(roles[version->role]));
	json_object_set_new(o, "when", instant(version->when_ms));
	json_object_set_new(o, "how",
	    version->how != HISTORY_UNKNOWN ? json_string(hows[version->how]) : json_null());
	json_object_set_new(o, "from", from_whom(config, version->origin));
	json_object_set_new(o, "records", json_integer((json_int_t)version->rr_count));
	json_object_set_new(o, "image-bytes", json_integer((json_int_t)version->image_size));
	json_object_set_new(o, "durable", json_boolean(version->durable));
	json_object_set_new(o, "live", json_boolean(version->live));
	json_object_set_new(o, "generation", json_integer((json_int_t)version->generation));
	return o;
}

static json_t *zone_name(const struct config_zone *zone)
{
	char name[NAME_TEXT_MAX];

	name_to_text(zone->domain, name);
	return json_string(name);
}

void command_zone_history(
    struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const struct config_zone *zone = control_zone(daemon, request, root);
	struct publisher_version versions[HISTORY_VERSIONS_MAX];
	struct publisher_status status;
	json_t *list;
	size_t count;

	if (zone == NULL || !publisher_status(daemon->publisher, zone->domain, &status)) {
		if (zone != NULL)
			control_error(request, "The zone is not taken up yet.");
		return;
	}
	list = json_array();
	count = publisher_versions(daemon->publisher, zone->domain, versions);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, version_object(daemon->config, &versions[i]));
	control_respond(request, json_pack("{s:b, s:o, s:b, s:o}", "ok", 1, "zone", zone_name(zone),
	                             "pinned", status.pinned, "versions", list));
}

// --- diff
// -----------------------------------------------------------------------------------------

// A serial of the request. Post: 1; 0 when there is none; -1 and the request is answered.
static int request_serial(
    struct control_request *request, const json_t *root, const char *word, uint32_t *serial)
{
	const json_t *value = json_object_get(root, word);
	const char *text = json_string_value(value);
	unsigned long long number = 0;
	char *end = NULL;

	if (value == NULL)
		return 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		number = (unsigned long long)json_integer_value(value);
	else if (text != NULL && text[0] >= '0' && text[0] <= '9')
		number = strtoull(text, &end, 10);
	else
		number = UINT64_MAX;
	if (number > UINT32_MAX || (end != NULL && *end != '\0')) {
		control_error(request, "A serial is a number from 0 to 4294967295.");
		return -1;
	}
	*serial = (uint32_t)number;
	return 1;
}

// The first that has the serial: the served one before older ones, the held one last.
static const struct publisher_version *version_of(
    const struct publisher_version *versions, size_t count, uint32_t serial)
{
	for (size_t i = 0; i < count; i++)
		if (versions[i].soa.serial == serial)
			return &versions[i];
	return NULL;
}

struct diff_query {
	struct control_request *request;
	json_t *zone;
};

static json_t *change_line(const struct record *record, bool added)
{
	const size_t cap = NAME_TEXT_MAX + 64 + RDATA_TEXT_MAX;
	char *line = malloc(cap), owner[NAME_TEXT_MAX], type[16];
	json_t *text = NULL;
	int len;

	if (line == NULL)
		return NULL;
	name_to_text(record->owner, owner);
	len = snprintf(line, cap, "%c %s %u %s ", added ? '+' : '-', owner, record->ttl,
	    rrtype_to_text(record->type, type));
	rdata_to_text(record->type, record->rdata, record->rdlen, line + len, cap - (size_t)len);
	text = json_string(line);
	free(line);
	return text;
}

static void diff_end(void *ctx, const struct delta *delta, const char *reason)
{
	struct diff_query *query = ctx;
	json_t *changes;

	if (delta == NULL) {
		control_error(query->request, "%s", reason);
		json_decref(query->zone);
		free(query);
		return;
	}
	changes = json_array();
	for (size_t i = 0; i < delta->changes->count; i++)
		json_array_append_new(
		    changes, change_line(&delta->changes->items[i], delta->added[i] != 0));
	control_respond(query->request,
	    json_pack("{s:b, s:o, s:I, s:I, s:o}", "ok", 1, "zone", query->zone, "from",
	        (json_int_t)delta->from, "to", (json_int_t)delta->to, "changes", changes));
	free(query);
}

static void diff_begin(struct daemon *daemon, struct control_request *request,
    const struct config_zone *zone, const struct publisher_version *from,
    const struct publisher_version *to)
{
	struct diff_query *query = calloc(1, sizeof(*query));
	int rc = -ENOMEM;

	if (query != NULL) {
		query->request = request;
		query->zone = zone_name(zone);
		rc = publisher_diff(daemon->publisher, zone->domain, from->generation,
		    to->generation, diff_end, query);
	}
	if (rc == 0)
		return;
	control_error(request, "The versions cannot be read: %s.", strerror(-rc));
	if (query != NULL)
		json_decref(query->zone);
	free(query);
}

void command_zone_diff(struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const struct config_zone *zone = control_zone(daemon, request, root);
	struct publisher_version versions[HISTORY_VERSIONS_MAX];
	const struct publisher_version *from, *to;
	uint32_t from_serial = 0, to_serial = 0;
	int has_from, has_to;
	size_t count;

	if (zone == NULL)
		return;
	has_from = request_serial(request, root, "from", &from_serial);
	if (has_from < 0)
		return;
	has_to = request_serial(request, root, "to", &to_serial);
	if (has_to < 0)
		return;
	count = publisher_versions(daemon->publisher, zone->domain, versions);
	from = has_from > 0 ? version_of(versions, count, from_serial)
	       : count > 1 && versions[1].role == HISTORY_KEPT ? &versions[1]
	                                                       : NULL;
	to = has_to > 0 ? version_of(versions, count, to_serial) : count > 0 ? &versions[0] : NULL;
	if (from == NULL && has_from == 0)
		control_error(request, "No version before the one served is kept.");
	else if (from == NULL)
		control_error(request, "No version with serial %u is kept.", from_serial);
	else if (to == NULL)
		control_error(request, "No version with serial %u is kept.", to_serial);
	else
		diff_begin(daemon, request, zone, from, to);
}

// --- rollback, pin
// --------------------------------------------------------------------------------

struct rollback_query {
	struct daemon *daemon;
	struct control_request *request;
	uint8_t apex[NAME_LEN_MAX];
};

static void rollback_end(void *ctx, const char *reason)
{
	struct rollback_query *query = ctx;
	struct publisher_status status;
	const bool known =
	    publisher_status(query->daemon->publisher, query->apex, &status) && status.has_version;

	if (query->daemon->engine != NULL)
		(void)engine_pin(query->daemon->engine, query->apex, known && status.pinned);
	if (reason != NULL)
		control_error(query->request, "%s", reason);
	else
		control_respond(query->request,
		    json_pack("{s:b, s:I, s:I, s:b, s:b}", "ok", 1, "serial",
		        (json_int_t)status.serial, "generation", (json_int_t)status.generation,
		        "live", status.live, "pinned", status.pinned));
	free(query);
}

void command_zone_rollback(
    struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const struct config_zone *zone = control_zone(daemon, request, root);
	struct rollback_query *query;
	uint32_t serial = 0;
	int has_serial, rc;

	if (zone == NULL)
		return;
	has_serial = request_serial(request, root, "serial", &serial);
	if (has_serial < 0)
		return;
	query = calloc(1, sizeof(*query));
	if (query == NULL) {
		control_error(request, "Out of memory.");
		return;
	}
	query->daemon = daemon;
	query->request = request;
	memcpy(query->apex, zone->domain, zone->domain_len);
	rc = publisher_rollback(
	    daemon->publisher, zone->domain, has_serial > 0 ? &serial : NULL, rollback_end, query);
	if (rc == 0) {
		if (daemon->engine != NULL)
			(void)engine_pin(daemon->engine, zone->domain, true);
		return;
	}
	free(query);
	if (rc == -ENOENT && has_serial > 0)
		control_error(request,
		    "No version with serial %u is kept beside the one served; see 'npctl zone "
		    "history'.",
		    serial);
	else if (rc == -ENOENT)
		control_error(request, "No version before the one served is kept.");
	else if (rc == -EBUSY)
		control_error(request, "A version is going live just now; try again.");
	else
		control_error(request, "%s.", strerror(-rc));
}

void command_zone_pin(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool pin)
{
	const struct config_zone *zone = control_zone(daemon, request, root);
	int rc;

	if (zone == NULL)
		return;
	rc = publisher_pin(daemon->publisher, zone->domain, pin);
	if (rc == -ENOENT) {
		control_error(request, "There is no version of the zone to stay with.");
		return;
	}
	if (rc < 0) {
		control_error(request, "A version is going live just now; try again.");
		return;
	}
	if (daemon->engine != NULL)
		(void)engine_pin(daemon->engine, zone->domain, pin);
	if (!pin && daemon->primary != NULL)
		(void)primary_reread(daemon->primary, zone->domain);
	control_respond(request, json_pack("{s:b}", "ok", 1));
}
