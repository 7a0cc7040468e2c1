// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// This node as a primary to others (see provider.h): which zones are provided, and what becomes of
// a query that may be answered.
#include "provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer_writer.h"
#include "connection.h"
#include "idmap.h"
#include "notifier.h"
#include "outgoing.h"
#include "rrtype.h"
#include "serial.h"
#include "slice.h"

// Only the zones that are provided to somebody: most nodes have none.
struct provider_zones {
	const struct keyring *keyring;
	struct idmap map; // apex -> struct config_zone
};

struct provider {
	struct outgoings outgoings;
	struct notifier *notifier;
	struct provider_zones *zones; // NULL: none yet
	struct provider_zones *old;   // while it is told which of `zones` are new; NULL: none
	size_t told;                  // places of `zones` that were looked at
	bool telling;
};

static const struct config_zone *zone_find(const struct provider *provider, const uint8_t *apex)
{
	return provider->zones == NULL ? NULL
	                               : idmap_find(&provider->zones->map, apex, name_len(apex));
}

static const struct config_zone *service_zone(void *ctx, const uint8_t *apex)
{
	return zone_find(ctx, apex);
}

// Over UDP, or through a worker: one message, of one SOA. Post: its length, 0: none.
static size_t answer_once(struct provider *provider, enum provide_transport transport,
    const struct request *request, const struct tsig_key *key, uint8_t *reply, size_t cap)
{
	struct provide_counters *counters = &provider->outgoings.counters;
	const struct provider_ops *ops = &provider->outgoings.ops;
	const uint64_t now_s = (uint64_t)time(NULL);
	const size_t size =
	    transport == PROVIDE_UDP && request->udp_size < cap ? request->udp_size : cap;
	struct answer_writer answer;
	struct reading reading;
	uint8_t apex[NAME_LEN_MAX];
	size_t len = 0;

	name_lower(apex, request->qname, name_len(request->qname));
	answer_writer_open(&answer, request, key);
	int rc = ops->read(ops->ctx, apex, &reading);

	if (rc == -EAGAIN) {
		return 0; // the client asks again, and by then it is there
	}
	if (rc == 0 && !answer_records_start(&answer.records, ANSWER_SOA, &reading.version, NULL)) {
		rc = -EINVAL;
	} else if (rc == 0) {
		rc = answer_writer_next(&answer, reply, size, size, now_s, &len);
		// RFC 1995 2: over UDP what does not fit is one SOA, which says that there is more.
		counters->out_soa += request->qtype == RRTYPE_SOA;
		counters->out_ixfr_current += request->qtype == RRTYPE_IXFR;
	}
	reading_close(&reading);
	if (rc == -EMSGSIZE) {
		len = answer_writer_fail(&answer, WIRE_TC, reply, cap, now_s);
	} else if (rc < 0) {
		counters->out_unready++;
		len = answer_writer_fail(&answer, WIRE_RCODE_SERVFAIL, reply, cap, now_s);
	}
	return len;
}

enum provide_verdict provider_handle(struct provider *provider, enum provide_transport transport,
    struct connection *connection, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint8_t *reply, size_t cap, size_t *reply_len)
{
	struct provide_service service = {.ctx = provider,
	    .zone = service_zone,
	    .keyring = provider->zones != NULL ? provider->zones->keyring : NULL,
	    .counters = &provider->outgoings.counters};
	struct request request;
	struct tsig_key *key;

	if (service.keyring == NULL) {
		return PROVIDE_NOT_MINE;
	}
	enum provide_verdict verdict = provide_judge(&service, transport, msg, len, from,
	    (uint64_t)time(NULL), &request, &key, reply, cap, reply_len);

	if (verdict != PROVIDE_ALLOWED) {
		return verdict;
	}
	if (connection == NULL) {
		*reply_len = answer_once(provider, transport, &request, key, reply, cap);
	} else {
		*reply_len = outgoing_start(&provider->outgoings, connection, &request, key) == 0
		                 ? CONNECTION_SOURCE
		                 : 0;
	}
	return PROVIDE_ALLOWED;
}

struct provider_zones *provider_zones_open(const struct keyring *keyring)
{
	struct provider_zones *zones = calloc(1, sizeof(*zones));

	if (zones != NULL) {
		zones->keyring = keyring;
	}
	return zones;
}

bool provider_zones_add(struct provider_zones *zones, const struct config_zone *zone)
{
	return (zone->provide_xfr_count == 0 && zone->notify_count == 0) ||
	       idmap_add(&zones->map, zone->domain, zone->domain_len, (void *)(uintptr_t)zone);
}

void provider_zones_close(struct provider_zones *zones)
{
	if (zones != NULL) {
		idmap_free(&zones->map);
		free(zones);
	}
}

static void zone_tell(struct provider *provider, const struct config_zone *zone)
{
	for (size_t i = 0; i < zone->notify_count; i++) {
		const struct config_remote *remote = zone->notify[i];

		if (remote->tls) { // what is meant to be secret is not sent in the clear
			continue;
		}
		notifier_tell(provider->notifier, zone->domain, remote,
		    keyring_remote(provider->zones->keyring, remote, 0));
	}
}

void provider_changed(struct provider *provider, const uint8_t *apex)
{
	const struct config_zone *zone = zone_find(provider, apex);

	if (zone != NULL) {
		zone_tell(provider, zone);
	}
}

void provider_take(struct provider *provider, struct provider_zones *zones)
{
	provider_zones_close(provider->old);
	provider->old = provider->zones;
	provider->zones = zones;
	provider->told = 0;
	provider->telling = true;
}

bool provider_take_go(struct provider *provider, int64_t until_us)
{
	const struct idmap *map = &provider->zones->map;
	const struct provider_zones *old = provider->old;

	for (size_t n = 1; provider->telling && provider->told < map->cap; n++) {
		const struct idmap_entry *entry = &map->entries[provider->told++];

		if (entry->key != NULL &&
		    (old == NULL || idmap_find(&old->map, entry->key, entry->len) == NULL)) {
			zone_tell(provider, entry->value);
		}
		if (slice_is_over(until_us, n)) {
			return false;
		}
	}
	provider->telling = false;
	provider_zones_close(provider->old);
	provider->old = NULL;
	return true;
}

void provider_rekey(struct provider *provider, const struct keyring *keyring)
{
	if (provider->zones != NULL) {
		provider->zones->keyring = keyring;
	}
}

struct provider *provider_open(struct event_base *base, const struct provider_ops *ops)
{
	struct provider *provider = calloc(1, sizeof(*provider));

	if (provider == NULL) {
		return NULL;
	}
	provider->notifier = notifier_open(base, ops, &provider->outgoings.counters);
	if (outgoings_open(&provider->outgoings, base, ops) != 0 || provider->notifier == NULL) {
		provider_close(provider);
		return NULL;
	}
	return provider;
}

void provider_close(struct provider *provider)
{
	if (provider == NULL) {
		return;
	}
	notifier_close(provider->notifier);
	outgoings_close(&provider->outgoings);
	provider_zones_close(provider->zones);
	provider_zones_close(provider->old);
	free(provider);
}

const struct provide_counters *provider_counters(const struct provider *provider)
{
	return &provider->outgoings.counters;
}
