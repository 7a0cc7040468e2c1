// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A configuration on its way into force; see taking.h. Publication first: what the engine fetches
// for a zone that is new must be wanted there. What fails for want of memory is tried again: by
// then parts of it are in force, and there is no way back that would need less.
#include "taking.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control.h"
#include "daemon.h"
#include "engine.h"
#include "log.h"
#include "primary.h"
#include "publish.h"
#include "slice.h"

#define MEMORY_AGAIN_MS 100

struct taking {
	struct daemon *daemon;
	struct event *turn;
	struct config *config; // NULL: none
	bool files, starved;   // starved: the log has it that memory is waited for
	unsigned step;
	void (*done)(struct daemon *daemon, struct config *old);
};

static int publisher_step(struct taking *taking, int64_t until_us)
{
	return publisher_reconfigure_go(taking->daemon->publisher, until_us);
}

static int engine_step(struct taking *taking, int64_t until_us)
{
	return engine_reconfigure_go(taking->daemon->engine, until_us);
}

static int primary_step(struct taking *taking, int64_t until_us)
{
	return taking->files ? primary_load_go(taking->daemon->primary, until_us) : 0;
}

// Post: 0, -EAGAIN or -ENOMEM.
static int taking_go(struct taking *taking, int64_t until_us)
{
	static int (*const steps[])(struct taking * taking, int64_t until_us) = {
	    publisher_step, engine_step, primary_step};
	int rc = 0;

	while (rc == 0 && taking->step < sizeof(steps) / sizeof(steps[0])) {
		rc = steps[taking->step](taking, until_us);
		taking->step += rc == 0;
	}
	return rc;
}

static void taking_end(struct taking *taking)
{
	struct daemon *daemon = taking->daemon;
	struct config *old = daemon->config;

	daemon->config = taking->config;
	taking->config = NULL;
	control_reconfigure(daemon->control);
	taking->done(daemon, old);
}

static void taking_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0}, later = {.tv_usec = MEMORY_AGAIN_MS * 1000};
	struct taking *taking = arg;

	(void)fd;
	(void)what;
	if (taking->config == NULL) // taking_finish() was faster
		return;
	const int rc = taking_go(taking, slice_now_us() + SLICE_US);

	if (rc == 0) {
		taking_end(taking);
		return;
	}
	if (rc == -ENOMEM && !taking->starved)
		log_error("the new configuration is in force in part: out of memory; trying again");
	taking->starved |= rc == -ENOMEM;
	event_add(taking->turn, rc == -ENOMEM ? &later : &soon);
}

int taking_begin(struct taking *taking, struct config *config, bool files,
    void (*done)(struct daemon *daemon, struct config *old), char error[TAKING_ERROR_MAX])
{
	char reason[ENGINE_ERROR_MAX];
	const int rc = engine_reconfigure(taking->daemon->engine, config, reason);

	if (rc < 0) {
		snprintf(error, TAKING_ERROR_MAX, "%s", reason);
		return rc;
	}
	publisher_reconfigure(taking->daemon->publisher, config);
	if (files)
		primary_load(taking->daemon->primary, config);
	taking->config = config;
	taking->files = files;
	taking->starved = false;
	taking->step = 0;
	taking->done = done;
	event_active(taking->turn, 0, 0);
	return 0;
}

bool taking_busy(const struct taking *taking)
{
	return taking->config != NULL;
}

bool taking_finish(struct taking *taking)
{
	if (taking->config == NULL)
		return true;
	if (taking_go(taking, SLICE_ALL) < 0)
		return false;
	event_del(taking->turn);
	taking_end(taking);
	return true;
}

struct taking *taking_open(struct daemon *daemon)
{
	struct taking *taking = calloc(1, sizeof(*taking));

	if (taking == NULL)
		return NULL;
	taking->daemon = daemon;
	taking->turn = event_new(daemon->base, -1, 0, taking_turn, taking);
	if (taking->turn == NULL) {
		free(taking);
		return NULL;
	}
	return taking;
}

void taking_close(struct taking *taking)
{
	if (taking == NULL)
		return;
	event_free(taking->turn);
	config_free(taking->config);
	free(taking);
}
