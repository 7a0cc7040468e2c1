// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A configuration file out of any bytes: what is accepted keeps the promises of config.h, what is
// refused says where and why.

#include <string.h>

#include "config.h"
#include "must.h"
#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t text_judge(const char *text)
{
	must(text != NULL);
	return strlen(text);
}

static void addresses_judge(const struct config_address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int family = addresses[i].addr.ss_family;

		must(family == AF_INET || family == AF_INET6);
		must(addresses[i].addr_len == (family == AF_INET ? sizeof(struct sockaddr_in)
		                                                 : sizeof(struct sockaddr_in6)));
	}
}

static void remotes_judge(
    const struct config *config, const struct config_remote **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must(
		    list[i] >= config->remotes && list[i] < config->remotes + config->remote_count);
}

static void zone_judge(const struct config *config, const struct config_zone *zone)
{
	must(name_len_checked(zone->domain, zone->domain_len) == zone->domain_len);
	must((zone->file != NULL) == (zone->primary_count == 0));
	must(zone->file == NULL || zone->file[0] == '/');
	remotes_judge(config, zone->primaries, zone->primary_count);
	remotes_judge(config, zone->notify_from, zone->notify_from_count);
	remotes_judge(config, zone->notify, zone->notify_count);
	remotes_judge(config, zone->provide_xfr, zone->provide_xfr_count);
	must(zone->limits->refresh_min_s <= zone->limits->refresh_max_s &&
	     zone->limits->retry_min_s <= zone->limits->retry_max_s &&
	     zone->limits->notify_min_ms <= zone->limits->notify_max_ms);
}

static void config_judge(const struct config *config)
{
	uint8_t secret[512];
	struct config_error error;

	(void)(text_judge(config->server.identity) + text_judge(config->server.version) +
	       text_judge(config->server.rundir) + text_judge(config->server.storage) +
	       text_judge(config->dataplane.eal_args) +
	       text_judge(config->controlplane.control_group));
	must(config->dataplane.worker_count > 0);
	for (size_t i = 0; i < config->dataplane.port_count; i++) {
		const struct config_port *port = &config->dataplane.ports[i];

		(void)(text_judge(port->target) + text_judge(port->args));
		addresses_judge(port->addresses, port->address_count);
	}
	addresses_judge(config->controlplane.listen, config->controlplane.listen_count);
	for (size_t i = 0; i < config->key_count; i++) {
		(void)(text_judge(config->keys[i].id) + text_judge(config->keys[i].algorithm));
		must((config->keys[i].secret != NULL) != (config->keys[i].secret_file != NULL));
		if (config->keys[i].secret != NULL)
			must(config_key_secret(&config->keys[i], secret, sizeof(secret), &error) <=
			     (int)sizeof(secret));
	}
	for (size_t i = 0; i < config->remote_count; i++) {
		const struct config_remote *remote = &config->remotes[i];

		addresses_judge(remote->addresses, remote->address_count);
		must(remote->key == NULL || (remote->key >= config->keys &&
		                                remote->key < config->keys + config->key_count));
	}
	for (size_t i = 0; i < config->zone_count; i++)
		zone_judge(config, &config->zones[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = (struct config *)&config;
	struct config_error error;
	// The text may end where its memory does.
	char *text = malloc(size > 0 ? size : 1);

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	const int rc = config_parse(text, size, 0, &config, &error);
	if (rc == 0) {
		config_judge(config);
	} else {
		must(rc < 0 && config == NULL);
		must(error.message[0] != '\0' &&
		     memchr(error.message, '\0', sizeof(error.message)) != NULL);
		must(error.line <= size + 1 && error.column <= size + 1);
	}
	config_free(config);
	free(text);
	return 0;
}
