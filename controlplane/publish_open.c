// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication starts and ends.
#include "pzone.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "compiler.h"
#include "log.h"
#include "offload.h"
#include "publish_digest.h"
#include "publish_bundle.h"
#include "slice.h"

#define COMPILER_TIMEOUT_MS 60000
#define COMPILER_CHILDREN   2
#define TIMERS_PERIOD_S     5

// Some of the timers; the rest, or what failed, later.
static void timers_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0};
	struct publisher *p = arg;
	const int rc = publish_timers_save(p, slice_now_us() + SLICE_US);

	if (rc == -EAGAIN)
		event_add(p->timers_turn, &soon);
	else if (rc < 0)
		p->timers_dirty = true;
}

static void forget_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0};
	struct publisher *p = arg;

	if (publish_forget_go(p, slice_now_us() + SLICE_US) == -EAGAIN)
		event_add(p->forget_turn, &soon);
}

static void timers_tick(evutil_socket_t fd, short what, void *arg)
{
	struct publisher *p = arg;

	publish_deferred_start(p); // the limit is another one when the disk is in trouble
	publish_retell(p);
	publish_strangers_tick(p);
	publish_digest_tick(p);
	forget_turn(-1, 0, p);
	if (!p->timers_dirty)
		return;
	p->timers_dirty = false;
	timers_turn(-1, 0, p);
	store_touch(p->store); // expiry times of the manifest
}

static int publisher_start(
    struct publisher *p, const struct config *config, char error[PUBLISH_REASON_MAX])
{
	const struct store_ops ops = {
	    .ctx = p, .state = publish_state_tell, .stored = publish_stored};
	const struct timeval period = {.tv_sec = TIMERS_PERIOD_S};
	struct manifest manifest;
	int rc;

	rc = store_open(p->base, p->storage, &ops, &p->store, &manifest, error);
	if (rc < 0)
		return rc;
	if (error[0] != '\0')
		log_error("%s", error);
	p->manifest_broken = error[0] != '\0';
	p->generation = manifest.generation_max;
	memcpy(p->key.k, manifest.hash_key, sizeof(p->key.k));
	if (p->key.k[0] == 0 && p->key.k[1] == 0 &&
	    getrandom(p->key.k, sizeof(p->key.k), 0) != sizeof(p->key.k))
		abort();
	publisher_reconfigure(p, config);
	rc = publish_zones_go(p, SLICE_ALL);
	if (rc == 0 && publish_boot(p, &manifest) < 0)
		rc = -ENOMEM;
	manifest_free(&manifest);
	if (rc == 0) {
		(void)publish_timers_load(p);
		store_touch(p->store); // not before the versions of the old one are taken up
		p->compiler = compiler_open(p->base, COMPILER_CHILDREN, COMPILER_TIMEOUT_MS);
		p->bundler = bundler_open(p);
		p->work = offload_open(p->base, "np-work");
		p->heavy = offload_open(p->base, "np-heavy");
		p->look = offload_open(p->base, "np-look");
		p->reader = offload_open(p->base, "np-reader");
		p->timers_timer = event_new(p->base, -1, EV_PERSIST, timers_tick, p);
		p->timers_turn = event_new(p->base, -1, 0, timers_turn, p);
		p->forget_turn = event_new(p->base, -1, 0, forget_turn, p);
		if (p->compiler == NULL || p->bundler == NULL || p->work == NULL ||
		    p->heavy == NULL || p->look == NULL || p->reader == NULL ||
		    p->timers_timer == NULL || p->timers_turn == NULL || p->forget_turn == NULL ||
		    event_add(p->timers_timer, &period) < 0 || publish_journal_open(p) < 0)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		snprintf(error, PUBLISH_REASON_MAX, "Publication cannot start: %s.", strerror(-rc));
		return rc;
	}
	// By which word they came is not known any more; the default's is what they had at least.
	for (size_t i = 0; i < p->zone_count; i++)
		if (p->zones[i]->zonemd == CONFIG_ZONEMD_ON)
			publish_digest_look(p, p->zones[i]);
	if (mkdir(config->server.rundir, 0755) < 0 && errno != EEXIST)
		rc = -errno;
	if (rc == 0)
		rc = publish_seam_open(p, config->server.rundir);
	if (rc < 0)
		snprintf(error, PUBLISH_REASON_MAX, "The socket %s/%s cannot be opened: %s.",
		    config->server.rundir, "seam.sock", strerror(-rc));
	return rc;
}

int publisher_open(struct event_base *base, const struct config *config,
    const struct publisher_ops *ops, struct publisher **out, char error[PUBLISH_REASON_MAX])
{
	struct publisher *p = calloc(1, sizeof(*p));
	struct rlimit limit;
	int rc = -ENOMEM;

	*out = NULL;
	error[0] = '\0';
	if (p == NULL)
		return rc;
	p->base = base;
	p->ops = *ops;
	pthread_mutex_init(&p->admission.lock, NULL);
	p->admission.memory_max = config->controlplane.memory_max;
	p->resting_last = &p->resting;
	p->queue_last = &p->queue;
	p->deferred_last = &p->deferred;
	p->unstored_max =
	    getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 2 : PUBLISH_UNSTORED_MAX;
	TAILQ_INIT(&p->asks);
	p->storage = strdup(config->server.storage);
	if (p->storage != NULL)
		rc = publisher_start(p, config, error);
	if (rc < 0) {
		publisher_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void publisher_close(struct publisher *p)
{
	if (p == NULL)
		return;
	p->closing = true;
	publish_seam_close(p);
	if (p->timers_timer != NULL) {
		event_free(p->timers_timer);
		if (p->timers_dirty || p->timers.changed != NULL)
			(void)publish_timers_save(p, SLICE_ALL);
	}
	if (p->timers_turn != NULL)
		event_free(p->timers_turn);
	if (p->forget_turn != NULL)
		event_free(p->forget_turn);
	compiler_close(p->compiler);
	p->compiler = NULL;
	offload_close(p->work);
	offload_close(p->look);
	offload_close(p->heavy);
	offload_close(p->reader);
	bundler_close(p->bundler);
	p->bundler = NULL;
	if (p->store != NULL && p->timers_dirty)
		store_touch(p->store);
	store_finish(p->store);
	publish_journal_finish(p);
	publish_journal_close(p);
	for (size_t i = 0; i < p->zone_count; i++)
		pzone_free(p, p->zones[i]);
	p->zone_count = 0;
	store_close(p->store);
	publish_timers_close(p);
	pthread_mutex_destroy(&p->admission.lock);
	idmap_free(&p->map);
	free(p->taking.zones);
	free(p->zones);
	free(p->storage);
	free(p);
}
