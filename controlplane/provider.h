// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// This node as a primary to others: answers their SOA queries, gives them whole zones (AXFR, RFC
// 5936) and what has changed (IXFR, RFC 1995), and tells them of new versions (NOTIFY, RFC 1996),
// as `provide-xfr` and `notify` of each zone say. A transfer reads the version that was served when
// it began, out of its sealed pages, whatever goes live meanwhile. Owned by the engine, event
// loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config.h"
#include "keyring.h"
#include "provide.h"

struct connection;
struct delta;
struct difference_job;
struct event_base;
struct provider;
struct provider_zones;
struct reading;

// Under way at once: of all clients, and of one address (as many as we ask of a primary). What
// comes on top waits; a client gives up sooner than it is forgotten here.
#define PROVIDER_TRANSFERS          100
#define PROVIDER_TRANSFERS_PER_PEER 10
#define PROVIDER_WAIT_MS            20000

struct provider_ops {
	void *ctx; // of all but log: the publication half, publish.h
	int (*read)(void *ctx, const uint8_t *apex, struct reading *out);
	int (*peek)(void *ctx, const uint8_t *apex, struct reading *out);
	void (*read_end)(void *ctx, struct reading *reading);
	int (*difference)(void *ctx, const uint8_t *apex, uint32_t from, const struct reading *to,
	    void (*done)(void *ctx, struct delta *delta), void *done_ctx,
	    struct difference_job **out);
	void (*difference_cancel)(struct difference_job *job);
	void (*difference_end)(void *ctx, struct delta *delta);
	void (*log)(void *ctx, const uint8_t *apex, const char *text);
	void *log_ctx;
};

// NULL when out of memory. `ops` is copied.
struct provider *provider_open(struct event_base *base, const struct provider_ops *ops)
    __attribute__((warn_unused_result));
// Pre: no connection is left. NULL is accepted.
void provider_close(struct provider *provider);

// The zones of a configuration, made ready one by one and taken up together; they and the keyring
// are borrowed until those of the next are, and all is told. Post: NULL, or false, when out of
// memory.
struct provider_zones *provider_zones_open(const struct keyring *keyring)
    __attribute__((warn_unused_result));
bool provider_zones_add(struct provider_zones *zones, const struct config_zone *zone)
    __attribute__((warn_unused_result));
void provider_zones_close(struct provider_zones *zones); // NULL is accepted
void provider_take(struct provider *provider, struct provider_zones *zones);
// Goes on telling of zones that were not provided before, until then (slice.h). Post: whether that
// was all.
bool provider_take_go(struct provider *provider, int64_t until_us);

// Other keys from now on; borrowed as before. What is under way goes on with the key it began with.
void provider_rekey(struct provider *provider, const struct keyring *keyring);

// Another version of the zone (lower case) is served.
void provider_changed(struct provider *provider, const uint8_t *apex);

// A message that came to us. Post: as provide_judge(), but PROVIDE_ALLOWED is answered: *reply_len
// is the reply's length, 0 for none, or CONNECTION_SOURCE. `connection` is NULL unless it came over
// TCP or TLS.
enum provide_verdict provider_handle(struct provider *provider, enum provide_transport transport,
    struct connection *connection, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint8_t *reply, size_t cap, size_t *reply_len);

const struct provide_counters *provider_counters(const struct provider *provider);
