// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The engine of secondary zones without the rest of the control plane, for tests against real
// primaries and for measuring: reads a configuration, publishes by counting, and prints a line for
// each version:  live ZONE SERIAL RECORDS CHECK MS. With a second argument it ends after that many.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "config.h"
#include "engine.h"
#include "name.h"
#include "records.h"

static struct engine *engine;
static struct event_base *base;
static struct timespec began;
static unsigned left;

static long elapsed_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
}

static void probe_load(void *ctx, const uint8_t *apex, struct engine_stored *out)
{
	(void)ctx;
	(void)apex;
	*out = (struct engine_stored){0};
}

static void probe_publish(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct records *records, struct seen *seen)
{
	char name[NAME_TEXT_MAX], error[RECORDS_ERROR_MAX] = "ok";
	long arrived_ms = elapsed_ms();
	bool good = records_sort(records) == 0 && records_check(records, error) == 0;

	(void)ctx;
	seen_free(seen); // it serves none
	name_to_text(apex, name);
	printf("%s %s %u %zu %ld %s\n", good ? "live" : "reject", name,
	    good ? records_serial(records) : 0, records->count, arrived_ms, error);
	fflush(stdout);
	records_free(records);
	engine_published(engine, apex, token, good ? ENGINE_LIVE : ENGINE_REJECTED, error);
	if (left > 0 && --left == 0) {
		event_base_loopbreak(base);
	}
}

// It keeps no version that a difference could be applied to, and measures whole transfers.
static void probe_apply(void *ctx, const uint8_t *apex, uint32_t token, uint64_t origin,
    const char *hold, struct delta *delta)
{
	(void)ctx;
	(void)origin;
	(void)hold;
	delta_free(delta);
	engine_published(engine, apex, token, ENGINE_REJECTED, "differences are not applied here");
}

static void probe_expire(void *ctx, const uint8_t *apex, bool expired)
{
	char name[NAME_TEXT_MAX];

	(void)ctx;
	name_to_text(apex, name);
	printf("%s %s\n", expired ? "expire" : "revive", name);
	fflush(stdout);
}

static void probe_store(void *ctx, const uint8_t *apex, const struct zone_timers *timers)
{
	(void)ctx;
	(void)apex;
	(void)timers;
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct config *config;
	struct config_error config_error;
	char error[ENGINE_ERROR_MAX];
	const struct engine_ops ops = {.load = probe_load,
	    .publish = probe_publish,
	    .apply = probe_apply,
	    .expire = probe_expire,
	    .store = probe_store};

	if (argc < 2) {
		fprintf(stderr, "usage: engine-probe CONFIG [VERSIONS]\n");
		return 2;
	}
	left = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	if (config_load(argv[1], 0, &config, &config_error) != 0) {
		fprintf(stderr, "%u:%u: %s\n", config_error.line, config_error.column,
		    config_error.message);
		return 1;
	}
	base = event_base_new();
	struct event *term = evsignal_new(base, SIGTERM, on_signal, NULL);

	event_add(term, NULL);
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (engine_open(base, config, NULL, &ops, &engine, error) != 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	event_base_dispatch(base);
#define X(name, help)                                                   \
	if (engine_counters(engine)->name > 0) {                        \
		fprintf(stderr, "%s %llu\n", #name,                     \
		    (unsigned long long)engine_counters(engine)->name); \
	}
	ENGINE_COUNTERS(X)
#undef X
	engine_close(engine);
	event_free(term);
	event_base_free(base);
	config_free(config);
	return 0;
}
