// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration in force (see configure.h). What takes long is done in a thread (the file is
// read and checked, what is no longer needed is freed) or in slices (the parts take it up); the
// loop is never held. At any time one configuration is on its way, the file's or one of new
// members.
#include "configure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "control_commands.h"
#include "daemon.h"
#include "log.h"
#include "members.h"
#include "offload.h"
#include "publish.h"
#include "reading.h"
#include "status.h"
#include "taking.h"

#define CATALOG_AGAIN_MS 20 // its image is being read from disk
#define CATALOG_RETRY_S  2  // what could not be taken up: no memory, or a certificate is broken

// Who waits for a reload.
struct waiters {
	struct control_request **items; // owned
	size_t count;
};

// The file is read in the thread, and taken up (taking.h). One at a time.
struct reload {
	struct offload *thread;
	bool wanted; // once more
	bool loading, closing;
	struct config *file; // being taken up; NULL: none
	struct waiters now, next;
};

static bool reload_busy(const struct reload *reload);
static void reload_start(struct daemon *daemon);

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// What a configuration borrows from, freed behind it, in the thread: a million zones take a while.
struct free_job {
	struct offload_job job; // first
	struct config *config, *file;
};

static void free_run(struct offload_job *job)
{
	struct free_job *old = (struct free_job *)job;

	config_free(old->config);
	config_free(old->file);
	old->config = old->file = NULL;
}

static void free_done(struct offload_job *job)
{
	free_run(job); // the end may come before the thread has
	free(job);
}

// `file` may be NULL.
static void configs_free(struct daemon *daemon, struct config *config, struct config *file)
{
	struct free_job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		config_free(config);
		config_free(file);
		return;
	}
	*job = (struct free_job){{.run = free_run, .done = free_done}, config, file};
	offload_submit(daemon->reload->thread, &job->job);
}

// Members and file together, in two passes where the state of a member is to be dropped: first
// without it. Post: 0: `done` will be called; or -errno, nothing changed.
static int extended_begin(struct daemon *daemon, const struct config *file, bool all, bool files,
    void (*done)(struct daemon *daemon, struct config *old), char error[TAKING_ERROR_MAX])
{
	struct config *config;
	int rc = members_extend(daemon->members, file, all, &config);

	if (rc < 0) {
		snprintf(error, TAKING_ERROR_MAX, "Out of memory.");
		return rc;
	}
	rc = taking_begin(daemon->taking, config, files, done, error);
	if (rc < 0)
		config_free(config);
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

// Its members wait for that, and nobody else may come to tell.
static void catalogs_retry(struct daemon *daemon, const char *what, const char *error)
{
	static const struct timeval later = {.tv_sec = CATALOG_RETRY_S};

	log_error("a catalog is %s: %s", what, error);
	event_add(daemon->catalogs, &later);
}

static void catalogs_all_taken(struct daemon *daemon, struct config *old)
{
	members_settle(daemon->members);
	configs_free(daemon, old, NULL);
	log_info("%zu zones, members of catalogs included", daemon->config->zone_count);
	event_active(daemon->catalogs, 0, 0); // another may have come meanwhile
	reload_start(daemon);
}

static void catalogs_some_taken(struct daemon *daemon, struct config *old)
{
	char error[TAKING_ERROR_MAX];

	configs_free(daemon, old, NULL);
	if (extended_begin(daemon, daemon->file, true, false, catalogs_all_taken, error) == 0)
		return;
	catalogs_retry(daemon, "taken up in part", error);
	reload_start(daemon);
}

static void catalogs_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {.tv_usec = CATALOG_AGAIN_MS * 1000};
	struct daemon *daemon = arg;
	bool changed = false, resets = false, all = true;
	char error[TAKING_ERROR_MAX];

	(void)fd;
	(void)what;
	if (reload_busy(daemon->reload) || taking_busy(daemon->taking))
		return; // its end comes back here
	for (size_t i = 0; i < daemon->file->zone_count; i++) {
		if (daemon->file->zones[i].catalog != NULL)
			all &= catalog_look(daemon, &daemon->file->zones[i]);
	}
	if (!all)
		event_add(daemon->catalogs, &again);
	if (members_resolve(daemon->members, daemon->file, &changed, &resets) < 0) {
		catalogs_retry(daemon, "not taken up", "Out of memory.");
		return;
	}
	if (changed && extended_begin(daemon, daemon->file, !resets, false,
	                   resets ? catalogs_some_taken : catalogs_all_taken, error) < 0)
		catalogs_retry(daemon, "not taken up", error);
}

void configure_catalog_changed(struct daemon *daemon)
{
	event_active(daemon->catalogs, 0, 0); // not from within the call that tells of it
}

// --- the file
// -------------------------------------------------------------------------------------

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

static void waiters_answer(struct waiters *waiters, const char *error)
{
	for (size_t i = 0; i < waiters->count; i++) {
		if (error != NULL)
			control_error(waiters->items[i], "%s", error);
		else
			control_respond(waiters->items[i], json_pack("{s:b}", "ok", 1));
	}
	free(waiters->items);
	*waiters = (struct waiters){0};
}

// That was all of one; whoever asked meanwhile gets another, for the file may have changed since.
static void reload_end(struct daemon *daemon, const char *error)
{
	struct reload *reload = daemon->reload;

	reload->file = NULL;
	waiters_answer(&reload->now, error);
	event_active(daemon->catalogs, 0, 0); // a zone may have become one
	reload_start(daemon);
}

// The new file is in force, with or without all members.
static void file_switch(struct daemon *daemon, struct config *old)
{
	struct config *old_file = daemon->file != daemon->reload->file ? daemon->file : NULL;

	daemon->file = daemon->reload->file;
	configs_free(daemon, old, old_file);
}

static void file_all_taken(struct daemon *daemon, struct config *old)
{
	file_switch(daemon, old);
	members_settle(daemon->members);
	members_prune(daemon->members);
	daemon->reloaded_ms = wall_ms();
	log_info("reloaded: %zu zones", daemon->config->zone_count);
	reload_end(daemon, NULL);
}

static void file_some_taken(struct daemon *daemon, struct config *old)
{
	file_switch(daemon, old);
	if (extended_begin(daemon, daemon->file, true, true, file_all_taken, daemon->reload_error) <
	    0) {
		log_error("%s; members of catalogs are tried again", daemon->reload_error);
		reload_end(daemon, daemon->reload_error);
	}
}

// Post: 0, and one of the two above is called; or -errno, nothing changed.
static int file_begin(struct daemon *daemon, struct config *file)
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
		rc = extended_begin(daemon, file, !resets, true,
		    resets ? file_some_taken : file_all_taken, daemon->reload_error);
	else
		snprintf(daemon->reload_error, sizeof(daemon->reload_error), "Out of memory.");
	if (rc < 0) // back to what the running one has
		(void)!members_resolve(daemon->members, daemon->file, &changed, &resets);
	return rc;
}

struct load_job {
	struct offload_job job; // first
	struct daemon *daemon;
	struct control_request *request; // of who only wants to know; NULL: it is taken up
	const char *path;
	struct config *file;
	struct config_error error;
	int rc;
};

static void load_run(struct offload_job *job)
{
	struct load_job *load = (struct load_job *)job;

	load->rc = config_load(load->path, CONFIG_CHECK_FILES, &load->file, &load->error);
	if (load->request != NULL) {
		config_free(load->file);
		load->file = NULL;
	}
}

static void load_done(struct offload_job *job)
{
	struct load_job *load = (struct load_job *)job;
	struct daemon *daemon = load->daemon;
	struct reload *reload = daemon->reload;
	struct config *file = load->file;
	struct key_changes keys;
	int rc = load->rc;

	reload->loading = false;
	if (rc < 0)
		snprintf(daemon->reload_error, sizeof(daemon->reload_error), "%.400s:%u:%u: %s",
		    load->path, load->error.line, load->error.column, load->error.message);
	free(load);
	if (reload->closing) {
		config_free(file);
		return;
	}
	if (rc == 0) {
		daemon->reload_error[0] = '\0';
		reload->file = file;
		rc = keys_prune(daemon, file, &keys);
		if (rc < 0)
			snprintf(
			    daemon->reload_error, sizeof(daemon->reload_error), "Out of memory.");
		else
			rc = file_begin(daemon, file);
		if (rc == 0) {
			keys_pruned(daemon, &keys);
			return;
		}
		key_changes_free(&daemon->keys);
		daemon->keys = keys;
		configs_free(daemon, NULL, file);
	}
	log_error("%s; the running configuration stays", daemon->reload_error);
	reload_end(daemon, daemon->reload_error);
}

static bool load_start(
    struct daemon *daemon, struct control_request *request, void (*done)(struct offload_job *job))
{
	struct load_job *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return false;
	load->job.run = load_run;
	load->job.done = done;
	load->daemon = daemon;
	load->request = request;
	load->path = daemon->config_path;
	offload_submit(daemon->reload->thread, &load->job);
	return true;
}

static bool reload_busy(const struct reload *reload)
{
	return reload->loading || reload->file != NULL;
}

// One at a time, and none while a catalog's new version is being taken up.
static void reload_start(struct daemon *daemon)
{
	struct reload *reload = daemon->reload;

	if (!reload->wanted || reload_busy(reload) || taking_busy(daemon->taking))
		return;
	reload->wanted = false;
	reload->now = reload->next;
	reload->next = (struct waiters){0};
	reload->loading = load_start(daemon, NULL, load_done);
	if (!reload->loading)
		waiters_answer(&reload->now, "Out of memory.");
}

void configure_reload(struct daemon *daemon, struct control_request *request)
{
	struct waiters *next = &daemon->reload->next;
	struct control_request **items;

	if (request != NULL) {
		items =
		    reallocarray(next->items, next->count + 1, sizeof(struct control_request *));
		if (items == NULL) {
			control_error(request, "Out of memory.");
			return;
		}
		next->items = items;
		next->items[next->count++] = request;
	}
	daemon->reload->wanted = true;
	reload_start(daemon);
}

bool configure_reloading(const struct daemon *daemon)
{
	return reload_busy(daemon->reload) || taking_busy(daemon->taking);
}

bool configure_settle(struct daemon *daemon)
{
	while (taking_busy(daemon->taking)) // twice at most: what follows is read in the thread
		if (!taking_finish(daemon->taking))
			return false;
	return true;
}

// --- is it right?
// ---------------------------------------------------------------------------------

static void check_done(struct offload_job *job)
{
	struct load_job *load = (struct load_job *)job;

	if (load->rc == 0)
		control_respond(
		    load->request, json_pack("{s:b, s:s}", "ok", 1, "file", load->path));
	else
		control_respond(load->request,
		    json_pack("{s:b, s:o, s:o, s:i, s:i}", "ok", 0, "error",
		        status_text(load->error.message), "file", status_text(load->path), "line",
		        (int)load->error.line, "column", (int)load->error.column));
	free(load);
}

void configure_check(struct daemon *daemon, struct control_request *request)
{
	if (!load_start(daemon, request, check_done))
		control_error(request, "Out of memory.");
}

// --- start and end
// --------------------------------------------------------------------------------

int configure_open(struct daemon *daemon)
{
	bool changed, resets;

	daemon->members = members_open();
	daemon->catalogs = event_new(daemon->base, -1, 0, catalogs_look, daemon);
	daemon->taking = taking_open(daemon);
	daemon->reload = calloc(1, sizeof(*daemon->reload));
	if (daemon->reload != NULL)
		daemon->reload->thread = offload_open(daemon->base, "np-config");
	if (daemon->members == NULL || daemon->catalogs == NULL || daemon->taking == NULL ||
	    daemon->reload == NULL || daemon->reload->thread == NULL)
		return -ENOMEM;
	members_boot(daemon->members, daemon->file, daemon->file->server.storage);
	if (members_resolve(daemon->members, daemon->file, &changed, &resets) < 0)
		return -ENOMEM;
	members_settle(daemon->members);
	return members_extend(daemon->members, daemon->file, true, &daemon->config);
}

void configure_stop(struct daemon *daemon)
{
	struct reload *reload = daemon->reload;

	if (reload == NULL)
		return;
	reload->closing = true;
	offload_close(reload->thread);
	reload->thread = NULL;
	waiters_answer(&reload->now, "The control plane ends.");
	waiters_answer(&reload->next, "The control plane ends.");
}

void configure_close(struct daemon *daemon)
{
	if (daemon->catalogs != NULL)
		event_free(daemon->catalogs);
	members_close(daemon->members);
	taking_close(daemon->taking);
	config_free(daemon->config);
	if (daemon->reload != NULL && daemon->reload->file != daemon->file)
		config_free(daemon->reload->file);
	config_free(daemon->file);
	free(daemon->reload);
}
