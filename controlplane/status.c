// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the control sockets tell, as JSON. A word that does not apply is null, never left out, so
// that scripts can rely on it.
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "configure.h"
#include "daemon.h"
#include "engine.h"
#include "failures.h"
#include "name.h"
#include "primary.h"
#include "provide.h"

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// What the engine's intervals run on (zone.h).
static int64_t boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Names and reasons may hold bytes from the network: escaped where they came in; a byte that is no
// UTF-8 all the same would make the object unprintable.
json_t *status_text(const char *from)
{
	json_t *string = json_string(from);
	char *copy;

	if (string != NULL)
		return string;
	copy = strdup(from);
	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if ((unsigned char)*at > 0x7e || (unsigned char)*at < 0x20)
			*at = '?';
	string = json_string(copy != NULL ? copy : "");
	free(copy);
	return string;
}

static json_t *seconds(int64_t ms)
{
	return json_real((double)ms / 1000);
}

static json_t *engine_numbers(const struct engine *engine)
{
	const struct engine_counters *counters = engine_counters(engine);
	json_t *object = json_object();

#define X(name, help) json_object_set_new(object, #name, json_integer((json_int_t)counters->name));
	ENGINE_COUNTERS(X)
#undef X
	const struct provide_counters *provided = engine_provide_counters(engine);

#define X(name, help) json_object_set_new(object, #name, json_integer((json_int_t)provided->name));
	PROVIDE_COUNTERS(X)
#undef X
	return object;
}

json_t *status_node(struct daemon *daemon)
{
	struct publisher_summary s;
	json_t *o = json_object();

	publisher_summary(daemon->publisher, &s);
	json_object_set_new(o, "ok", json_true());
	json_object_set_new(o, "starting", json_false());
	json_object_set_new(o, "version", status_text(NAMEPLANE_VERSION));
	json_object_set_new(o, "identity", status_text(daemon->config->server.identity));
	json_object_set_new(o, "pid", json_integer(getpid()));
	json_object_set_new(o, "uptime", seconds(wall_ms() - daemon->started_ms));
	json_object_set_new(o, "config-file", status_text(daemon->config_path));
	json_object_set_new(o, "config-error",
	    daemon->reload_error[0] != '\0' ? status_text(daemon->reload_error) : json_null());
	json_object_set_new(o, "dataplane", json_boolean(s.connected));
	json_object_set_new(o, "dataplane-pid",
	    s.connected || s.foreign ? json_integer(s.dataplane_pid) : json_null());
	json_object_set_new(o, "dataplane-error",
	    s.foreign
	        ? status_text("of another version: it takes nothing new until it is restarted")
	        : json_null());
	json_object_set_new(
	    o, "dataplane-uptime", s.connected ? seconds(wall_ms() - s.connected_ms) : json_null());
	json_object_set_new(o, "generation", json_integer((json_int_t)s.generation));
	json_object_set_new(o, "zones", json_integer((json_int_t)s.zones));
	json_object_set_new(o, "zones-held", json_integer((json_int_t)s.versions));
	json_object_set_new(o, "zones-live", json_integer((json_int_t)s.live));
	json_object_set_new(o, "zones-durable", json_integer((json_int_t)s.durable));
	json_object_set_new(o, "zones-busy", json_integer((json_int_t)s.busy));
	json_object_set_new(o, "zones-failed", json_integer((json_int_t)s.failed));
	json_object_set_new(o, "zones-unverified", json_integer((json_int_t)s.doubted));
	json_object_set_new(o, "reloading", json_boolean(configure_reloading(daemon)));
	json_object_set_new(o, "image-bytes", json_integer((json_int_t)s.image_bytes));
	json_object_set_new(o, "texts-read",
	    json_integer(
	        (json_int_t)(daemon->primary != NULL ? primary_texts_read(daemon->primary) : 0)));
	json_object_set_new(
	    o, "counters", daemon->engine != NULL ? engine_numbers(daemon->engine) : json_null());
	return o;
}

// One word for what an operator wants to know first.
static const char *zone_state(const struct publisher_status *p, const struct engine_status *e,
    const struct publisher_answer *answer)
{
	if (p->expired || (e != NULL && e->expired))
		return "expired";
	if (e != NULL && e->stale)
		return "stale";
	if (e != NULL && e->phase == ZONE_TRANSFERRING)
		return "transferring";
	if (p->busy)
		return "publishing";
	if (!p->has_version)
		return "empty";
	// Pinned or not, it is not what the operator chose; the data plane may still have that.
	if (p->older && (p->live || (answer != NULL && answer->rcode == 0)))
		return "older";
	if (p->doubted && p->live)
		return "unverified";
	if (!p->live)
		return answer != NULL && answer->rcode == 0 ? "behind" : "stored";
	if (p->pinned)
		return "pinned";
	if (p->held)
		return "held";
	if (e != NULL && e->regressed && e->failures > 0)
		return "regressed";
	return p->error[0] != '\0' && p->durable ? "refused"
	                                         : "live"; // a full disk refuses nothing
}

static void zone_engine(json_t *o, const struct engine_status *e)
{
	static const char phases[][13] = {"idle", "querying", "transferring", "publishing"};

	json_object_set_new(o, "phase", e != NULL ? status_text(phases[e->phase]) : json_null());
	json_object_set_new(o, "next-refresh", e != NULL ? seconds(e->refresh_in_ms) : json_null());
	json_object_set_new(
	    o, "expires-in", e != NULL && e->has_copy ? seconds(e->expires_in_ms) : json_null());
	// Not the pin of an operator: whose versions are taken while primaries differ.
	const bool pinned = e != NULL && e->pinned_primary[0] != '\0';

	json_object_set_new(
	    o, "pinned-primary", pinned ? status_text(e->pinned_primary) : json_null());
	json_object_set_new(o, "pinned-primary-for",
	    pinned ? seconds(wall_ms() - e->pinned_primary_ms) : json_null());
	json_object_set_new(o, "primary",
	    e != NULL && e->primary[0] != '\0' ? status_text(e->primary) : json_null());
	json_object_set_new(o, "regressed-serial",
	    e != NULL && e->regressed ? json_integer(e->regressed_serial) : json_null());
	json_object_set_new(o, "regressed-primary",
	    e != NULL && e->regressed ? status_text(e->regressed_primary) : json_null());
	json_object_set_new(
	    o, "key", e != NULL && e->key[0] != '\0' ? status_text(e->key) : json_null());
	json_object_set_new(o, "transport",
	    e != NULL && e->transport != NULL ? status_text(e->transport) : json_null());
	json_object_set_new(o, "failures", e != NULL ? json_integer(e->failures) : json_null());
	json_object_set_new(
	    o, "transfers", e != NULL ? json_integer((json_int_t)e->transfers) : json_null());
	json_object_set_new(
	    o, "last-transfer", e != NULL ? seconds(e->last_transfer_ms) : json_null());
}

// What went wrong lately, newest first, also when it is over.
static json_t *zone_failures(const struct failures *failures)
{
	json_t *list = json_array();
	int64_t now_ms = boot_ms();

	for (size_t i = 0; failures != NULL && i < failures->count; i++) {
		const struct failure *failure = &failures->items[i];
		json_t *o = json_object();

		json_object_set_new(o, "ago", seconds(now_ms - failure->at_ms));
		json_object_set_new(o, "times", json_integer((json_int_t)failure->times));
		json_object_set_new(o, "error", status_text(failure->text));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *status_zone(
    struct daemon *daemon, const struct config_zone *zone, const struct publisher_answer *answer)
{
	const char *file_error = primary_error(daemon->primary, zone->domain);
	struct engine_status engine = {0};
	struct publisher_status p;
	char name[NAME_TEXT_MAX], catalog[NAME_TEXT_MAX];
	char regressed[160], led[160];
	const char *error, *catalog_error = zone->catalog != NULL
	                                        ? configure_catalog_error(daemon, zone->domain)
	                                        : NULL;
	bool secondary;
	json_t *o = json_object();

	if (!publisher_status(daemon->publisher, zone->domain, &p))
		p = (struct publisher_status){0};
	secondary = zone->file == NULL && daemon->engine != NULL &&
	            engine_status(daemon->engine, zone->domain, &engine) == 0;
	name_to_text(zone->domain, name);
	snprintf(regressed, sizeof(regressed), "%s has serial %u, older than ours",
	    engine.regressed_primary, engine.regressed_serial);
	snprintf(led, sizeof(led), "Pinned to %s, and another primary has serial %u.",
	    engine.pinned_primary, engine.behind_serial);
	error = p.error[0] != '\0'                            ? p.error
	        : engine.regressed                            ? regressed
	        : engine.behind_ms != 0 && !p.pinned          ? led
	        : catalog_error != NULL                       ? catalog_error
	        : secondary && engine.error[0] != '\0'        ? engine.error
	        : file_error != NULL && file_error[0] != '\0' ? file_error
	                                                      : NULL;
	json_object_set_new(o, "zone", status_text(name));
	json_object_set_new(o, "type",
	    status_text(zone->catalog != NULL ? "catalog"
	                : zone->file != NULL  ? "primary"
	                                      : "secondary"));
	json_object_set_new(o, "members",
	    zone->catalog != NULL
	        ? json_integer((json_int_t)configure_catalog_members(daemon, zone->domain))
	        : json_null());
	if (zone->member_of != NULL)
		name_to_text(zone->member_of, catalog);
	json_object_set_new(
	    o, "catalog", zone->member_of != NULL ? status_text(catalog) : json_null());
	json_object_set_new(
	    o, "state", status_text(zone_state(&p, secondary ? &engine : NULL, answer)));
	json_object_set_new(o, "serial",
	    answer != NULL && answer->rcode == 0 ? json_integer(answer->serial) : json_null());
	json_object_set_new(o, "rcode", answer != NULL ? json_integer(answer->rcode) : json_null());
	json_object_set_new(o, "serial-held", p.has_version ? json_integer(p.serial) : json_null());
	json_object_set_new(o, "generation", json_integer((json_int_t)p.generation));
	json_object_set_new(o, "live", json_boolean(p.live));
	json_object_set_new(o, "durable", json_boolean(p.has_version && p.durable));
	json_object_set_new(o, "records", json_integer((json_int_t)p.rr_count));
	json_object_set_new(o, "image-bytes", json_integer((json_int_t)p.image_size));
	json_object_set_new(o, "publish-ms", json_real(p.publish_us / 1e3));
	json_object_set_new(o, "pinned", json_boolean(p.pinned));
	json_object_set_new(
	    o, "pinned-for", p.pinned ? seconds(wall_ms() - p.pinned_ms) : json_null());
	// How far a zone that is pinned, to a version or to a primary, is behind, and since when.
	json_object_set_new(o, "primary-serial",
	    secondary && engine.behind_ms != 0 ? json_integer(engine.behind_serial) : json_null());
	json_object_set_new(o, "behind",
	    secondary && engine.behind_ms != 0 ? seconds(wall_ms() - engine.behind_ms)
	                                       : json_null());
	json_object_set_new(o, "file", zone->file != NULL ? status_text(zone->file) : json_null());
	json_object_set_new(
	    o, "waiting-serial", p.held ? json_integer(p.held_serial) : json_null());
	json_object_set_new(
	    o, "waiting-records", p.held ? json_integer((json_int_t)p.held_records) : json_null());
	zone_engine(o, secondary ? &engine : NULL);
	json_object_set_new(o, "error", error != NULL ? status_text(error) : json_null());
	json_object_set_new(
	    o, "recent-failures", secondary ? zone_failures(engine.recent) : json_null());
	return o;
}
