// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration in force (see configure.h).
#include "configure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "control.h"
#include "daemon.h"
#include "engine.h"
#include "log.h"
#include "members.h"
#include "name.h"
#include "primary.h"
#include "publish.h"
#include "reading.h"

#define CATALOG_AGAIN_MS 20 // its image is being read from disk

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Hands `config` to all parts; it is in force then. `files`: zone files are looked at, too.
static int config_apply(struct daemon *daemon, struct config *config, bool files, char *error)
{
	struct config *old = daemon->config;
	char reason[ENGINE_ERROR_MAX];
	int rc = engine_reconfigure(daemon->engine, config, reason);

	if (rc < 0) {
		snprintf(error, sizeof(daemon->reload_error), "%s", reason);
		return rc;
	}
	rc = publisher_reconfigure(daemon->publisher, config);
	if (rc == 0 && files)
		rc = primary_load(daemon->primary, config);
	if (rc < 0) {
		// The engine has the new one: it stays, incomplete rather than torn.
		snprintf(error, sizeof(daemon->reload_error), "Out of memory.");
		log_error("the new configuration is in force in part: out of memory");
	}
	daemon->config = config;
	config_free(old);
	control_reconfigure(daemon->control);
	return 0;
}

// Members and file together, in two steps where the state of a member is to be dropped: first
// without it.
static int extended_apply(
    struct daemon *daemon, const struct config *file, bool resets, bool files, char *error)
{
	int rc = 0;

	for (unsigned all = resets ? 0 : 1; all < 2 && rc == 0; all++) {
		struct config *config;

		rc = members_extend(daemon->members, file, all, &config);
		if (rc < 0) {
			snprintf(error, sizeof(daemon->reload_error), "Out of memory.");
			return rc;
		}
		rc = config_apply(daemon, config, files, error);
		if (rc < 0)
			config_free(config);
	}
	return rc;
}

// --- catalogs
// -------------------------------------------------------------------------------------

// Post: false when it is to be tried again.
static bool catalog_look(struct daemon *daemon, const struct config_zone *zone)
{
	struct reading reading;
	int rc = publisher_read(daemon->publisher, zone->domain, &reading);

	if (rc == 0) {
		members_take(daemon->members, zone, &reading.version);
		reading_close(&reading);
	}
	return rc != -EAGAIN;
}

static void catalogs_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {.tv_usec = CATALOG_AGAIN_MS * 1000};
	struct daemon *daemon = arg;
	bool changed = false, resets = false, all = true;
	char error[sizeof(daemon->reload_error)];

	(void)fd;
	(void)what;
	for (size_t i = 0; i < daemon->file->zone_count; i++) {
		if (daemon->file->zones[i].catalog != NULL)
			all &= catalog_look(daemon, &daemon->file->zones[i]);
	}
	if (!all)
		event_add(daemon->catalogs, &again);
	if (members_resolve(daemon->members, daemon->file, &changed, &resets) < 0) {
		log_error("a catalog is not taken up: out of memory");
		return;
	}
	if (!changed)
		return;
	if (extended_apply(daemon, daemon->file, resets, false, error) < 0)
		log_error("a catalog is not taken up: %s", error);
	else
		log_info("%zu zones, members of catalogs included", daemon->config->zone_count);
}

void configure_catalog_changed(struct daemon *daemon)
{
	event_active(daemon->catalogs, 0, 0); // not from within the call that tells of it
}

// --- the file
// -------------------------------------------------------------------------------------

static int file_apply(struct daemon *daemon, struct config *file)
{
	bool changed, resets;
	int rc;

	if (strcmp(file->server.rundir, daemon->file->server.rundir) != 0 ||
	    strcmp(file->server.storage, daemon->file->server.storage) != 0) {
		snprintf(daemon->reload_error, sizeof(daemon->reload_error),
		    "A new rundir or storage needs a restart.");
		return -EINVAL;
	}
	rc = members_resolve(daemon->members, file, &changed, &resets);
	if (rc == 0)
		rc = extended_apply(daemon, file, resets, true, daemon->reload_error);
	if (rc < 0) // back to what the running one has
		(void)!members_resolve(daemon->members, daemon->file, &changed, &resets);
	return rc;
}

// The changes of keys as they are with a new configuration. Post: they are in daemon->keys (empty
// when out of memory), those before in *before, whatever the result.
static int keys_prune(
    struct daemon *daemon, const struct config *config, struct key_changes *before)
{
	int rc;

	*before = daemon->keys;
	rc = key_changes_copy(before, &daemon->keys);
	if (rc == 0)
		rc = key_changes_prune(&daemon->keys, config);
	return rc;
}

static void keys_pruned(struct daemon *daemon, struct key_changes *before)
{
	char *old = key_changes_text(before), *now = key_changes_text(&daemon->keys);

	if (old == NULL || now == NULL || strcmp(old, now) != 0)
		control_keys_store(daemon);
	key_text_free(old);
	key_text_free(now);
	key_changes_free(before);
}

int configure_reload(struct daemon *daemon)
{
	struct config_error where;
	struct config *file, *old = daemon->file;
	struct key_changes keys;
	int rc = config_load(daemon->config_path, CONFIG_CHECK_FILES, &file, &where);

	if (rc < 0) {
		snprintf(daemon->reload_error, sizeof(daemon->reload_error), "%.400s:%u:%u: %s",
		    daemon->config_path, where.line, where.column, where.message);
		log_error("%s; the running configuration stays", daemon->reload_error);
		return rc;
	}
	daemon->reload_error[0] = '\0';
	rc = keys_prune(daemon, file, &keys);
	if (rc == 0)
		rc = file_apply(daemon, file);
	if (rc < 0) {
		key_changes_free(&daemon->keys);
		daemon->keys = keys;
		log_error("%s; the running configuration stays", daemon->reload_error);
		config_free(file);
		return rc;
	}
	daemon->file = file;
	config_free(old);
	keys_pruned(daemon, &keys);
	members_prune(daemon->members);
	daemon->reloaded_ms = wall_ms();
	log_info("reloaded: %zu zones", daemon->config->zone_count);
	event_active(daemon->catalogs, 0, 0); // a zone may have become one
	return 0;
}

int configure_open(struct daemon *daemon)
{
	bool changed, resets;

	daemon->members = members_open();
	daemon->catalogs = event_new(daemon->base, -1, 0, catalogs_look, daemon);
	if (daemon->members == NULL || daemon->catalogs == NULL)
		return -ENOMEM;
	members_boot(daemon->members, daemon->file, daemon->file->server.storage);
	if (members_resolve(daemon->members, daemon->file, &changed, &resets) < 0)
		return -ENOMEM;
	return members_extend(daemon->members, daemon->file, true, &daemon->config);
}

void configure_close(struct daemon *daemon)
{
	if (daemon->catalogs != NULL)
		event_free(daemon->catalogs);
	members_close(daemon->members);
	config_free(daemon->config);
	config_free(daemon->file);
}
