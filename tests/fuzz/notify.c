// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Anything a stranger may send to the control plane's DNS sockets: a query of a downstream server
// or a NOTIFY for a zone that is ours, or a reply to a NOTIFY of ours.
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "notice.h"
#include "notify.h"
#include "provide.h"
#include "wire.h"

enum { PRIMARY, DOWNSTREAM, KEYED, REMOTES };
static struct config_remote remotes[REMOTES];
static struct notify_source source = {.remote = &remotes[PRIMARY]};

static const struct notify_source *sources(
    void *ctx, const uint8_t *qname, size_t *count, const struct keyring **others, void **zone)
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

static const struct config_remote *downstreams[] = {&remotes[DOWNSTREAM]};
static struct config_zone provided = {.provide_xfr = downstreams, .provide_xfr_count = 1};

static const struct config_zone *provided_zone(void *ctx, const uint8_t *apex)
{
	(void)ctx;
	return (apex[0] & 1) != 0 ? &provided : NULL;
}

static void reply_judge(const uint8_t *reply, size_t len, size_t cap)
{
	if (len > cap || (len > 0 && (len < WIRE_HEADER_LEN || (reply[2] & 0x80) == 0))) {
		abort();
	}
}

static void query_fuzz(
    const uint8_t *msg, size_t size, const struct sockaddr *from, const struct keyring *keyring)
{
	struct provide_counters counters = {0};
	struct provide_service service = {
	    .zone = provided_zone, .keyring = keyring, .counters = &counters};
	uint8_t reply[REQUEST_REPLY_MAX];

	for (int transport = PROVIDE_UDP; transport <= PROVIDE_FORWARDED; transport++) {
		struct request request;
		struct tsig_key *key = NULL;
		size_t len = 0;
		enum provide_verdict verdict =
		    provide_judge(&service, (enum provide_transport)transport, msg, size, from,
		        1795000000, &request, &key, reply, sizeof(reply), &len);

		if (verdict == PROVIDE_REPLIED) {
			reply_judge(reply, len, sizeof(reply));
		} else if (verdict == PROVIDE_ALLOWED &&
		           (request.question_end > size || request.has_tsig < 0 ||
		               (request.has_tsig == 1) != (key != NULL))) {
			abort();
		}
	}
}

static void reply_fuzz(const uint8_t *msg, size_t size, struct tsig_key *key)
{
	static const uint8_t apex[] = "\7example";
	struct notice_sent sent = {.id = size < 2 ? 0 : wire_get16(msg), .mac_len = 32};
	char error[NOTICE_ERROR_MAX];

	// Nothing that was not signed with the key confirms.
	if (notice_reply(apex, key, &sent, 1795000000, msg, size, error) == NOTICE_CONFIRMED) {
		abort();
	}
	(void)notice_reply(apex, NULL, &sent, 1795000000, msg, size, error);
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
		remotes[KEYED].key = &config_key;
		config.remotes = remotes;
		config.remote_count = REMOTES;
		if (keyring_open(&config, NULL, &keyring, error) != 0) {
			abort();
		}
		memcpy(&source.addr, &from, sizeof(from));
		remotes[DOWNSTREAM].addresses = calloc(1, sizeof(*remotes[DOWNSTREAM].addresses));
		remotes[DOWNSTREAM].address_count = 1;
		memcpy(&remotes[DOWNSTREAM].addresses->addr, &from, sizeof(from));
	}
	struct notify_service service = {
	    .sources = sources, .accept = accepted, .keyring = keyring, .counters = &counters};
	uint8_t *exact = malloc(size + 1);

	memcpy(exact, data, size);
	size_t len = notify_handle(
	    &service, exact, size, (struct sockaddr *)&from, 1795000000, reply, sizeof(reply));

	reply_judge(reply, len, sizeof(reply));
	query_fuzz(exact, size, (struct sockaddr *)&from, keyring);
	reply_fuzz(exact, size, keyring_remote(keyring, &remotes[KEYED], 0));
	free(exact);
	return 0;
}
