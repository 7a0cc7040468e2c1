// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Primary zones from files; see primary.h. The text's thread touches only its struct load.
#include "primary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "idmap.h"
#include "log.h"
#include "name.h"
#include "offload.h"
#include "publish.h"
#include "records.h"
#include "rrtype.h"
#include "zonefile.h"

#define ERROR_MAX 512
// So many zones are in memory on their way; the others wait as files.
#define BUSY_MAX 32

struct file_zone {
	uint8_t apex[NAME_LEN_MAX];
	uint8_t apex_len;
	bool configured;
	bool loading, again; // loading: until it is live or refused; again: it changed meanwhile
	bool queued;
	struct file_zone *next; // in the queue
	struct timespec mtime;
	off_t size;
	ino_t inode;
	char *path;
	char *error; // why it is not served as the file has it; NULL: it is
};

struct primary {
	struct publisher *publisher;
	struct offload *text;
	struct file_zone **zones;
	size_t zone_count;
	struct idmap map;
	struct file_zone *queue, **queue_last; // to be loaded
	size_t busy;                           // being loaded or published
	bool closing;
};

struct load {
	struct offload_job job; // first
	struct primary *primary;
	struct file_zone *zone; // the loop's
	uint8_t apex[NAME_LEN_MAX];
	char *path;
	struct records *records;
	char error[ERROR_MAX];
};

// --- in the thread
// --------------------------------------------------------------------------------

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	struct load *load = ctx;
	int rc;

	if (rrclass != RRCLASS_IN) {
		snprintf(err->message, sizeof(err->message), "Only class IN is served.");
		return -EINVAL;
	}
	rc = records_add(load->records, owner, type, ttl, rdata, rdlen);
	if (rc == -ERANGE) {
		char name[NAME_TEXT_MAX];

		name_to_text(owner, name);
		snprintf(err->message, sizeof(err->message), "%.200s is not in the zone.", name);
	}
	return rc;
}

static void load_run(struct offload_job *job)
{
	struct load *load = (struct load *)job;
	struct zonefile_error err = {0};
	int rc = -ENOMEM;

	load->records = records_new(load->apex);
	if (load->records != NULL)
		rc = zonefile_parse_file(load->path, load->apex, record_take, load, &err);
	if (rc == 0)
		return;
	records_free(load->records);
	load->records = NULL;
	if (rc == -ENOMEM)
		snprintf(load->error, sizeof(load->error), "Out of memory.");
	else if (err.line > 0)
		snprintf(load->error, sizeof(load->error), "%.200s:%u:%u: %.240s", err.file,
		    err.line, err.column, err.message);
	else
		snprintf(load->error, sizeof(load->error), "%.200s: %.240s", load->path,
		    err.message[0] != '\0' ? err.message : strerror(-rc));
}

// --- in the loop
// ----------------------------------------------------------------------------------

static void load_queue(struct primary *primary, struct file_zone *zone)
{
	if (zone->loading) {
		zone->again = true;
		return;
	}
	if (zone->queued)
		return;
	zone->queued = true;
	zone->next = NULL;
	*primary->queue_last = zone;
	primary->queue_last = &zone->next;
}

static void queue_start(struct primary *primary);

// The zone is live, refused or unreadable.
static void zone_done(struct primary *primary, struct file_zone *zone, const char *error)
{
	free(zone->error);
	zone->error = error[0] != '\0' ? strdup(error) : NULL;
	if (!zone->loading)
		return;
	zone->loading = false;
	primary->busy--;
	if (zone->again && zone->configured)
		load_queue(primary, zone);
	zone->again = false;
}

static void load_done(struct offload_job *job)
{
	struct load *load = (struct load *)job;
	struct primary *primary = load->primary;

	if (!primary->closing) {
		if (load->records != NULL && load->zone->configured) {
			// Answered by primary_published(), maybe before this returns.
			publisher_publish(
			    primary->publisher, load->apex, 0, 0, NULL, load->records);
			load->records = NULL;
		} else {
			if (load->error[0] != '\0')
				log_error("%s", load->error);
			zone_done(primary, load->zone, load->error);
		}
		queue_start(primary);
	}
	records_free(load->records);
	free(load->path);
	free(load);
}

static bool load_start(struct primary *primary, struct file_zone *zone)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return false;
	load->path = strdup(zone->path);
	if (load->path == NULL) {
		free(load);
		return false;
	}
	load->primary = primary;
	load->zone = zone;
	memcpy(load->apex, zone->apex, zone->apex_len);
	load->job.run = load_run;
	load->job.done = load_done;
	zone->loading = true;
	primary->busy++;
	offload_submit(primary->text, &load->job);
	return true;
}

static void queue_start(struct primary *primary)
{
	while (primary->queue != NULL && primary->busy < BUSY_MAX) {
		struct file_zone *zone = primary->queue;

		primary->queue = zone->next;
		if (primary->queue == NULL)
			primary->queue_last = &primary->queue;
		zone->queued = false;
		if (zone->configured && !load_start(primary, zone))
			zone_done(primary, zone, "Out of memory.");
	}
}

// Notes what the file is now. Post: true when it is not what was loaded last.
static bool file_changed(struct file_zone *zone)
{
	struct stat st;
	bool changed;

	if (stat(zone->path, &st) < 0)
		return true; // loading it will say why
	changed = st.st_mtim.tv_sec != zone->mtime.tv_sec ||
	          st.st_mtim.tv_nsec != zone->mtime.tv_nsec || st.st_size != zone->size ||
	          st.st_ino != zone->inode;
	zone->mtime = st.st_mtim;
	zone->size = st.st_size;
	zone->inode = st.st_ino;
	return changed;
}

static struct file_zone *zone_add(struct primary *primary, const struct config_zone *config)
{
	struct file_zone **zones =
	    reallocarray(primary->zones, primary->zone_count + 1, sizeof(*zones));
	struct file_zone *zone;

	if (zones == NULL)
		return NULL;
	primary->zones = zones;
	zone = calloc(1, sizeof(*zone));
	if (zone == NULL)
		return NULL;
	memcpy(zone->apex, config->domain, config->domain_len);
	zone->apex_len = config->domain_len;
	if (!idmap_add(&primary->map, zone->apex, zone->apex_len, zone)) {
		free(zone);
		return NULL;
	}
	primary->zones[primary->zone_count++] = zone;
	return zone;
}

int primary_load(struct primary *primary, const struct config *config, bool force)
{
	for (size_t i = 0; i < primary->zone_count; i++)
		primary->zones[i]->configured = false;
	for (size_t i = 0; i < config->zone_count; i++) {
		const struct config_zone *from = &config->zones[i];
		struct file_zone *zone;
		bool moved;

		if (from->file == NULL)
			continue;
		zone = idmap_find(&primary->map, from->domain, from->domain_len);
		if (zone == NULL)
			zone = zone_add(primary, from);
		if (zone == NULL)
			return -ENOMEM;
		zone->configured = true;
		moved = zone->path == NULL || strcmp(zone->path, from->file) != 0;
		if (moved) {
			char *path = strdup(from->file);

			if (path == NULL)
				return -ENOMEM;
			free(zone->path);
			zone->path = path;
		}
		// A file that includes others does not show that they changed: with an error, or
		// when forced, it is read again.
		if (file_changed(zone) || moved || force || zone->error != NULL)
			load_queue(primary, zone);
	}
	queue_start(primary);
	return 0;
}

bool primary_reread(struct primary *primary, const uint8_t *apex)
{
	struct file_zone *zone = idmap_find(&primary->map, apex, name_len(apex));

	if (zone == NULL || !zone->configured)
		return false;
	load_queue(primary, zone);
	queue_start(primary);
	return true;
}

bool primary_published(
    struct primary *primary, const uint8_t *apex, uint32_t token, bool live, const char *reason)
{
	struct file_zone *zone = idmap_find(&primary->map, apex, name_len(apex));

	if (zone == NULL || (!zone->configured && !zone->loading))
		return false;
	zone_done(primary, zone, live ? "" : reason);
	queue_start(primary);
	return true;
}

const char *primary_error(const struct primary *primary, const uint8_t *apex)
{
	const struct file_zone *zone = idmap_find(&primary->map, apex, name_len(apex));

	if (zone == NULL || !zone->configured)
		return NULL;
	return zone->error != NULL ? zone->error : "";
}

bool primary_busy(const struct primary *primary)
{
	return primary->busy > 0 || primary->queue != NULL;
}

struct primary *primary_open(struct event_base *base, struct publisher *publisher)
{
	struct primary *primary = calloc(1, sizeof(*primary));

	if (primary == NULL)
		return NULL;
	primary->publisher = publisher;
	primary->queue_last = &primary->queue;
	primary->text = offload_open(base, "np-text");
	if (primary->text == NULL) {
		free(primary);
		return NULL;
	}
	return primary;
}

void primary_close(struct primary *primary)
{
	if (primary == NULL)
		return;
	primary->closing = true;
	offload_close(primary->text);
	for (size_t i = 0; i < primary->zone_count; i++) {
		free(primary->zones[i]->path);
		free(primary->zones[i]->error);
		free(primary->zones[i]);
	}
	free(primary->zones);
	idmap_free(&primary->map);
	free(primary);
}
