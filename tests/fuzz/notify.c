// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Anything a stranger may send to the control plane's DNS sockets, as NOTIFY for a zone that is
// ours.
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "notify.h"
#include "wire.h"

static struct config_remote remote;
static struct notify_source source = {.remote = &remote};

static const struct notify_source *sources(
    void *ctx, const uint8_t *qname, size_t *count, void **zone)
{
	(void)ctx;
	*zone = NULL;
	*count = 1;
	return (qname[0] & 1) != 0 ? &source : NULL;
}

static void accepted(
    void *ctx, void *zone, const struct sockaddr *from, bool has_serial, uint32_t serial)
{
	(void)ctx;
	(void)zone;
	(void)from;
	(void)has_serial;
	(void)serial;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keyring *keyring;
	static struct config_key config_key;
	static struct config config;
	struct engine_counters counters = {0};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = 1};
	uint8_t reply[NOTIFY_REPLY_MAX];
	char error[KEYRING_ERROR_MAX];

	if (keyring == NULL) {
		config_key = (struct config_key){.id = strdup("k."),
		    .algorithm = strdup("hmac-sha256"),
		    .secret = strdup("c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA=")};
		config.keys = &config_key;
		config.key_count = 1;
		config.remotes = &remote;
		config.remote_count = 1;
		if (keyring_open(&config, NULL, &keyring, error) != 0) {
			abort();
		}
		memcpy(&source.addr, &from, sizeof(from));
	}
	struct notify_service service = {
	    .sources = sources, .accept = accepted, .keyring = keyring, .counters = &counters};
	uint8_t *exact = malloc(size + 1);

	memcpy(exact, data, size);
	size_t len = notify_handle(
	    &service, exact, size, (struct sockaddr *)&from, 1795000000, reply, sizeof(reply));

	if (len > sizeof(reply) || (len > 0 && (len < WIRE_HEADER_LEN || (reply[2] & 0x80) == 0))) {
		abort();
	}
	free(exact);
	return 0;
}
