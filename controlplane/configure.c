// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration in force (see configure.h). What takes long is done in a thread (the file is
// read and checked, members are found out, what is no longer needed is freed) or in slices (the
// parts take it up); the loop is never held. At any time one configuration is on its way, the
// file's or one of new members.
#include "configure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "catalog.h"
#include "control_commands.h"
#include "daemon.h"
#include "log.h"
#include "members.h"
#include "name.h"
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

// The file is read and its members are found out in the thread, then they are taken up (taking.h).
// One at a time; members (members.h) are the thread's while `loading` or `resolving`, else the
// loop's: a job handed over and its end order the two.
struct reload {
	struct offload *thread;
	bool wanted; // once more
	bool loading, closing;
	bool resolving;      // the thread finds out members
	bool again;          // a catalog came meanwhile
	struct config *file; // being taken up; NULL: none
	struct waiters now, next;
	struct told *told;
	size_t told_count;
};

// What is known of a catalog, for status.
struct told {
	uint8_t apex[NAME_LEN_MAX];
	char error[CATALOG_ERROR_MAX]; // "": nothing is wrong
	size_t members;
	bool known; // what its members are
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

// --- members
// --------------------------------------------------------------------------------------

// What the thread has found out of the members, which are its own while it is at it.
struct resolved {
	struct config
	    *config; // the file's with its members, to be taken up; NULL: as it is in force
	bool resets; // without those whose state is to be dropped; then with them
	int rc;
	char error[TAKING_ERROR_MAX];
};

static int extend(struct members *members, const struct config *file, bool all, struct resolved *to)
{
	to->rc = members_extend(members, file, all, &to->config);
	if (to->rc < 0)
		snprintf(to->error, sizeof(to->error), "Out of memory.");
	return to->rc;
}

// `always`: also when no member is another.
static int resolve(
    struct members *members, const struct config *file, bool always, struct resolved *to)
{
	bool changed;

	to->rc = members_resolve(members, file, &changed, &to->resets);
	if (to->rc < 0)
		snprintf(to->error, sizeof(to->error), "Out of memory.");
	else if (changed || always)
		return extend(members, file, !to->resets, to);
	return to->rc;
}

// Members are the loop's again. What status says of them is kept apart.
static void members_tell(struct daemon *daemon, const struct config *file)
{
	struct reload *reload = daemon->reload;
	size_t count = 0, n = 0;
	struct told *told;

	for (size_t i = 0; i < file->zone_count; i++)
		count += file->zones[i].catalog != NULL;
	told = calloc(count + 1, sizeof(*told));
	if (told == NULL)
		return; // what was known stays
	for (size_t i = 0; i < file->zone_count; i++) {
		const struct config_zone *zone = &file->zones[i];
		const char *error =
		    zone->catalog != NULL ? members_error(daemon->members, zone->domain) : NULL;

		if (zone->catalog == NULL)
			continue;
		memcpy(told[n].apex, zone->domain, zone->domain_len);
		snprintf(told[n].error, sizeof(told[n].error), "%s", error != NULL ? error : "");
		told[n].known = members_known(daemon->members, zone->domain);
		told[n++].members = members_count(daemon->members, zone->domain);
	}
	free(reload->told);
	reload->told = told;
	reload->told_count = n;
}

static const struct told *told_find(const struct daemon *daemon, const uint8_t *catalog)
{
	for (size_t i = 0; i < daemon->reload->told_count; i++)
		if (name_equal(daemon->reload->told[i].apex, catalog))
			return &daemon->reload->told[i];
	return NULL;
}

const char *configure_catalog_error(const struct daemon *daemon, const uint8_t *catalog)
{
	const struct told *told = told_find(daemon, catalog);

	return told != NULL && told->error[0] != '\0' ? told->error : NULL;
}

size_t configure_catalog_members(const struct daemon *daemon, const uint8_t *catalog)
{
	const struct told *told = told_find(daemon, catalog);

	return told != NULL ? told->members : 0;
}

bool configure_catalog_lacks(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->reload->told_count; i++)
		if (!daemon->reload->told[i].known)
			return true;
	return false;
}

// Begins to take it up. Post: 0: `done` will be called; or -errno, nothing changed.
static int resolved_begin(struct daemon *daemon, struct resolved *resolved, bool files,
    void (*done)(struct daemon *daemon, struct config *old), char error[TAKING_ERROR_MAX])
{
	int rc = resolved->rc;

	if (rc < 0)
		snprintf(error, TAKING_ERROR_MAX, "%s", resolved->error);
	else
		rc = taking_begin(daemon->taking, resolved->config, files, done, error);
	if (rc < 0)
		configs_free(daemon, resolved->config, NULL);
	resolved->config = NULL;
	return rc;
}

// Of catalogs that may have a new version, or of members left out the first time.
struct members_job {
	struct offload_job job; // first
	struct daemon *daemon;
	const struct config *file; // borrowed: none takes its place meanwhile
	bool left_out;             // those alone
	struct resolved resolved;
	void (*next)(struct daemon *daemon, struct resolved *resolved);
	size_t count;
	struct members_look {
		const struct config_zone *zone;
		struct reading reading;
	} look[];
};

static void looks_close(struct members_job *job)
{
	while (job->count > 0)
		reading_close(&job->look[--job->count].reading);
}

static void members_run(struct offload_job *offload)
{
	struct members_job *job = (struct members_job *)offload;
	struct members *members = job->daemon->members;

	for (size_t i = 0; i < job->count; i++)
		members_take(members, job->look[i].zone, &job->look[i].reading.version);
	looks_close(job);
	if (job->left_out)
		(void)extend(members, job->file, true, &job->resolved);
	else
		(void)resolve(members, job->file, false, &job->resolved);
}

static void members_done(struct offload_job *offload)
{
	struct members_job *job = (struct members_job *)offload;
	struct daemon *daemon = job->daemon;

	daemon->reload->resolving = false;
	looks_close(job);
	if (daemon->reload->closing) {
		config_free(job->resolved.config);
	} else {
		members_tell(daemon, job->file);
		job->next(daemon, &job->resolved);
	}
	free(job);
}

// Post: NULL when out of memory.
static struct members_job *members_job_new(struct daemon *daemon, const struct config *file,
    size_t looks, void (*next)(struct daemon *daemon, struct resolved *resolved))
{
	struct members_job *job = calloc(1, sizeof(*job) + looks * sizeof(job->look[0]));

	if (job == NULL)
		return NULL;
	job->job.run = members_run;
	job->job.done = members_done;
	job->daemon = daemon;
	job->file = file;
	job->next = next;
	return job;
}

static void members_submit(struct members_job *job)
{
	job->daemon->reload->resolving = true;
	offload_submit(job->daemon->reload->thread, &job->job);
}

// Those that were left out, now that their state was dropped. Post: false when out of memory.
static bool left_out_start(struct daemon *daemon, const struct config *file,
    void (*next)(struct daemon *daemon, struct resolved *resolved))
{
	struct members_job *job = members_job_new(daemon, file, 0, next);

	if (job == NULL)
		return false;
	job->left_out = true;
	members_submit(job);
	return true;
}

// --- catalogs
// -------------------------------------------------------------------------------------

// Post: false when it is to be tried again.
static bool catalog_look(struct members_job *job, const struct config_zone *zone)
{
	struct members_look *look = &job->look[job->count];
	const int rc = publisher_read(job->daemon->publisher, zone->domain, &look->reading);

	look->zone = zone;
	job->count += rc == 0;
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

static void catalogs_left_out_found(struct daemon *daemon, struct resolved *resolved)
{
	char error[TAKING_ERROR_MAX];

	if (resolved_begin(daemon, resolved, false, catalogs_all_taken, error) == 0)
		return;
	catalogs_retry(daemon, "taken up in part", error);
	reload_start(daemon);
}

static void catalogs_some_taken(struct daemon *daemon, struct config *old)
{
	configs_free(daemon, old, NULL);
	if (left_out_start(daemon, daemon->file, catalogs_left_out_found))
		return;
	catalogs_retry(daemon, "taken up in part", "Out of memory.");
	reload_start(daemon);
}

static void catalogs_found(struct daemon *daemon, struct resolved *resolved)
{
	char error[TAKING_ERROR_MAX];

	if (resolved->rc == 0 && resolved->config == NULL) { // as they were
		if (daemon->reload->again)
			event_active(daemon->catalogs, 0, 0);
	} else if (resolved_begin(daemon, resolved, false,
	               resolved->resets ? catalogs_some_taken : catalogs_all_taken, error) == 0) {
		return;
	} else {
		catalogs_retry(daemon, "not taken up", error);
	}
	reload_start(daemon);
}

static void catalogs_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {.tv_usec = CATALOG_AGAIN_MS * 1000};
	struct daemon *daemon = arg;
	struct members_job *job;
	size_t count = 0;
	bool all = true;

	(void)fd;
	(void)what;
	daemon->reload->again = daemon->reload->resolving;
	if (reload_busy(daemon->reload) || taking_busy(daemon->taking))
		return; // its end comes back here
	for (size_t i = 0; i < daemon->file->zone_count; i++)
		count += daemon->file->zones[i].catalog != NULL;
	job = members_job_new(daemon, daemon->file, count, catalogs_found);
	if (job == NULL) {
		catalogs_retry(daemon, "not taken up", "Out of memory.");
		return;
	}
	for (size_t i = 0; i < daemon->file->zone_count; i++) {
		if (daemon->file->zones[i].catalog != NULL)
			all &= catalog_look(job, &daemon->file->zones[i]);
	}
	if (!all)
		event_add(daemon->catalogs, &again);
	members_submit(job);
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

static void file_left_out_found(struct daemon *daemon, struct resolved *resolved)
{
	if (resolved_begin(daemon, resolved, true, file_all_taken, daemon->reload_error) == 0)
		return;
	log_error("%s; members of catalogs are tried again", daemon->reload_error);
	reload_end(daemon, daemon->reload_error);
}

static void file_some_taken(struct daemon *daemon, struct config *old)
{
	struct resolved none = {.rc = -ENOMEM, .error = "Out of memory."};

	file_switch(daemon, old);
	if (!left_out_start(daemon, daemon->file, file_left_out_found))
		file_left_out_found(daemon, &none);
}

// The file is read, and its members are found out.
struct load_job {
	struct offload_job job; // first
	struct daemon *daemon;
	struct control_request *request; // of who only wants to know; NULL: it is taken up
	const char *path;
	struct config *file;
	struct config_error error;
	struct resolved resolved;
	int rc;
};

// Nothing of the running one can be moved there.
static bool is_elsewhere(const struct config *file, const struct config *running)
{
	return strcmp(file->server.rundir, running->server.rundir) != 0 ||
	       strcmp(file->server.storage, running->server.storage) != 0;
}

static void load_run(struct offload_job *job)
{
	struct load_job *load = (struct load_job *)job;

	load->rc = config_load(load->path, CONFIG_CHECK_FILES, &load->file, &load->error);
	if (load->request != NULL) {
		config_free(load->file);
		load->file = NULL;
	} else if (load->rc == 0 && !is_elsewhere(load->file, load->daemon->file)) {
		(void)resolve(load->daemon->members, load->file, true, &load->resolved);
	}
}

static void load_done(struct offload_job *job)
{
	struct load_job *load = (struct load_job *)job;
	struct daemon *daemon = load->daemon;
	struct reload *reload = daemon->reload;
	struct config *file = load->file;
	struct resolved resolved = load->resolved;
	struct key_changes keys;
	int rc = load->rc;

	reload->loading = false;
	if (rc < 0)
		snprintf(daemon->reload_error, sizeof(daemon->reload_error), "%.400s:%u:%u: %s",
		    load->path, load->error.line, load->error.column, load->error.message);
	free(load);
	if (reload->closing) {
		config_free(resolved.config);
		config_free(file);
		return;
	}
	if (rc == 0 && is_elsewhere(file, daemon->file)) {
		snprintf(daemon->reload_error, sizeof(daemon->reload_error),
		    "A new rundir or storage needs a restart.");
		config_free(file);
		rc = -EINVAL;
	} else if (rc == 0) {
		daemon->reload_error[0] = '\0';
		reload->file = file;
		members_tell(daemon, file);
		rc = keys_prune(daemon, file, &keys);
		if (rc < 0 && resolved.rc == 0) {
			snprintf(resolved.error, sizeof(resolved.error), "Out of memory.");
			resolved.rc = rc;
		}
		rc = resolved_begin(daemon, &resolved, true,
		    resolved.resets ? file_some_taken : file_all_taken, daemon->reload_error);
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
	return reload->loading || reload->resolving || reload->file != NULL;
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
	members_tell(daemon, daemon->file);
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
	if (daemon->reload != NULL)
		free(daemon->reload->told);
	free(daemon->reload);
}
