// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The commands of the control sockets: a JSON object with `command` and its arguments comes in, one
// with `ok` and either `error` or the result goes out. Event loop's thread.
#include "control_commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "configure.h"
#include "daemon.h"
#include "engine.h"
#include "name.h"
#include "primary.h"
#include "publish.h"
#include "status.h"

void control_error(struct control_request *request, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	control_respond(request, json_pack("{s:b, s:o}", "ok", 0, "error", status_text(text)));
}

const struct config_zone *control_zone(
    struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const char *text = json_string_value(json_object_get(root, "zone"));
	uint8_t name[NAME_LEN_MAX], lower[NAME_LEN_MAX];
	int len = text != NULL ? name_from_text(text, strlen(text), NULL, name) : 0;

	if (len <= 0) {
		control_error(request, "A zone's name is expected.");
		return NULL;
	}
	name_lower(lower, name, (size_t)len);
	for (size_t i = 0; i < daemon->config->zone_count; i++) {
		const struct config_zone *zone = &daemon->config->zones[i];

		if (zone->domain_len == len && memcmp(zone->domain, lower, (size_t)len) == 0)
			return zone;
	}
	control_error(request, "The zone '%.255s' is not configured.", text);
	return NULL;
}

// --- changes
// --------------------------------------------------------------------------------------

static void command_zone_order(struct daemon *daemon, struct control_request *request,
    const json_t *root, int (*order)(struct engine *, const uint8_t *))
{
	const struct config_zone *zone = control_zone(daemon, request, root);

	if (zone == NULL)
		return;
	struct publisher_status status;

	if (order == engine_retransfer &&
	    publisher_status(daemon->publisher, zone->domain, &status) && status.pinned) {
		control_error(request, "The zone is pinned: it takes nothing.");
		return;
	}
	if (daemon->engine == NULL || order(daemon->engine, zone->domain) < 0) {
		control_error(
		    request, "The zone is not a secondary here; 'npctl reload' reads its file.");
		return;
	}
	control_respond(request, json_pack("{s:b}", "ok", 1));
}

static void command_zone_accept(
    struct daemon *daemon, struct control_request *request, const json_t *root)
{
	const struct config_zone *zone = control_zone(daemon, request, root);
	int rc;

	if (zone == NULL)
		return;
	rc = publisher_accept(daemon->publisher, zone->domain);
	if (rc == -ENOENT)
		control_error(request, "No version of the zone is held.");
	else if (rc == -EPERM)
		control_error(request, "The zone is pinned: it takes nothing.");
	else if (rc < 0)
		control_error(request, "A newer version is being published.");
	else
		control_respond(request, json_pack("{s:b}", "ok", 1));
}

void control_command(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool may_change)
{
	const char *command = json_string_value(json_object_get(root, "command"));

	if (command == NULL)
		control_error(request, "A command is expected.");
	else if (strcmp(command, "status") == 0)
		command_status(daemon, request);
	else if (strcmp(command, "zone-status") == 0)
		command_zone_status(daemon, request, root);
	else if (strcmp(command, "config-check") == 0)
		configure_check(daemon, request);
	else if (strcmp(command, "zone-history") == 0)
		command_zone_history(daemon, request, root);
	else if (strcmp(command, "zone-diff") == 0)
		command_zone_diff(daemon, request, root);
	else if (strcmp(command, "key-list") == 0)
		control_key_list(daemon, request);
	else if (!may_change)
		control_error(request, "This socket only tells; that command needs control.sock.");
	else if (strcmp(command, "zone-refresh") == 0)
		command_zone_order(daemon, request, root, engine_refresh);
	else if (strcmp(command, "zone-retransfer") == 0)
		command_zone_order(daemon, request, root, engine_retransfer);
	else if (strcmp(command, "zone-accept") == 0)
		command_zone_accept(daemon, request, root);
	else if (strcmp(command, "zone-rollback") == 0)
		command_zone_rollback(daemon, request, root);
	else if (strcmp(command, "zone-pin") == 0)
		command_zone_pin(daemon, request, root, true);
	else if (strcmp(command, "zone-unpin") == 0)
		command_zone_pin(daemon, request, root, false);
	else if (strncmp(command, "key-", 4) == 0)
		control_key_change(daemon, request, command, root);
	else if (strcmp(command, "reload") == 0)
		configure_reload(daemon, request);
	else
		control_error(request, "There is no such command.");
}
