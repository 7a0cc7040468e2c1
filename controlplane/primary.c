// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Primary zones from files; see primary.h. The text's thread touches only its struct load: some
// zones at a time, of which it looks at the files, and reads those that are not what was served
// last.
#include "primary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "file_mark.h"
#include "idmap.h"
#include "log.h"
#include "name.h"
#include "offload.h"
#include "publish.h"
#include "records.h"
#include "rrtype.h"
#include "slice.h"
#include "zone.h"
#include "zonefile.h"

#define ERROR_MAX 512
// So many zones are in memory on their way, and of those with more text than LARGE_TEXT so many;
// the others wait as files.
#define BUSY_MAX   1024
#define LARGE_MAX  32
#define LARGE_TEXT (64u << 10)
// The thread has two loads, so that it need not wait for the loop.
#define LOADS_MAX  2
#define LOAD_ZONES 64
#define LOAD_TEXT  (1u << 20) // when so much was read, the rest of a load is the next one's

struct file_zone {
	uint8_t *apex; // owned
	uint8_t apex_len;
	bool configured;
	uint8_t epoch;       // of the configuration that named it last
	bool loading, again; // loading: until it is live or refused; again: it changed meanwhile
	bool queued, large;
	bool forced;            // read it, changed or not
	uint32_t token;         // of what was handed out last; 0: nothing was
	struct file_zone *next; // in the queue
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
	size_t busy, large, loads;             // being loaded or published; of these; in the thread
	uint64_t texts_read;
	uint32_t token;
	const struct config *config; // being taken up; NULL: none
	size_t taken, looked;        // of its zones, then of ours
	uint8_t epoch;
	bool closing;
};

// A zone of a load. The loop fills in the first part, the thread the second.
struct load_zone {
	struct file_zone *zone; // the loop's
	struct publisher *publisher;
	const uint8_t *apex;
	char *path;
	struct file_mark known; // of what is served; inode 0: it is read in any case

	bool looked, unchanged;
	struct file_mark source;
	uint64_t size;
	struct records *records;
	uint64_t room_at; // when they are so many bytes it is asked whether there is room for more
	char *error;      // NULL and no records: out of memory
};

struct load {
	struct offload_job job; // first
	struct primary *primary;
	unsigned count;
	struct load_zone zones[LOAD_ZONES];
};

// --- in the thread
// --------------------------------------------------------------------------------

// As of a transfer (session_record.c): a text for which there is no memory is not read to its end.
static int room_look(struct load_zone *load, struct zonefile_error *err)
{
	const struct records *records = load->records;
	char reason[SESSION_ROOM_REASON];

	if (records->bytes < load->room_at)
		return 0;
	load->room_at = records->bytes + SESSION_ROOM_STEP;
	if (publisher_room_for_text(load->publisher, records->count, records->bytes, reason))
		return 0;
	snprintf(err->message, sizeof(err->message), "No memory for more than %zu records: %.120s.",
	    records->count, reason);
	return -EFBIG;
}

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	struct load_zone *load = ctx;
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
	return rc == 0 ? room_look(load, err) : rc;
}

static void text_read(struct load_zone *load)
{
	struct zonefile_error err = {0};
	char error[ERROR_MAX];
	int rc = -ENOMEM;

	load->room_at = SESSION_ROOM_STEP;
	load->records = records_new(load->apex);
	if (load->records != NULL)
		rc = zonefile_parse_file(load->path, load->apex, record_take, load, &err);
	if (err.includes > 0)
		load->source.inode = 0; // its inode does not show that the others changed
	if (rc == 0)
		return;
	records_free(load->records);
	load->records = NULL;
	if (rc == -ENOMEM)
		return;
	if (err.line > 0)
		snprintf(error, sizeof(error), "%.200s:%u:%u: %.240s", err.file, err.line,
		    err.column, err.message);
	else
		snprintf(error, sizeof(error), "%.200s: %.240s", load->path,
		    err.message[0] != '\0' ? err.message : strerror(-rc));
	load->error = strdup(error);
}

static bool file_look(const char *path, struct file_mark *out)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	if (stat(path, &st) < 0)
		return false; // reading it will say why
	*out = file_mark_of(&st);
	if (!file_mark_settled(out, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec))
		out->inode = 0;
	return true;
}

static void zone_load(struct load_zone *load)
{
	struct file_mark after = {0};

	load->looked = true;
	load->source = (struct file_mark){0};
	if (file_look(load->path, &load->source))
		load->size = load->source.size;
	load->unchanged = load->known.inode != 0 && file_mark_same(&load->source, &load->known);
	if (load->unchanged)
		return;
	text_read(load);
	// Written while it was read: the next look shall find it changed.
	if (load->source.inode != 0 &&
	    (!file_look(load->path, &after) || !file_mark_same(&after, &load->source)))
		load->source.inode = 0;
}

static void load_run(struct offload_job *job)
{
	struct load *load = (struct load *)job;
	uint64_t size = 0;

	for (unsigned i = 0; i < load->count && size < LOAD_TEXT; i++) {
		zone_load(&load->zones[i]);
		size += load->zones[i].unchanged ? 0 : load->zones[i].size;
	}
}

// --- in the loop
// ----------------------------------------------------------------------------------

static void queue_put(struct primary *primary, struct file_zone *zone)
{
	zone->queued = true;
	zone->next = NULL;
	*primary->queue_last = zone;
	primary->queue_last = &zone->next;
}

static void load_queue(struct primary *primary, struct file_zone *zone)
{
	if (zone->loading)
		zone->again = true;
	else if (!zone->queued)
		queue_put(primary, zone);
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
	primary->large -= zone->large;
	if (zone->again && zone->configured)
		load_queue(primary, zone);
	zone->again = false;
}

// The engine's are below: a zone may have a file, then primaries, and answers to both under way.
#define TOKEN_OURS (UINT32_MAX - ZONE_TOKEN_MAX)

static uint32_t token_next(struct primary *primary)
{
	primary->token = (primary->token + 1) & ZONE_TOKEN_MAX;
	return TOKEN_OURS | primary->token;
}

static void zone_loaded(struct primary *primary, struct load_zone *load)
{
	struct file_zone *zone = load->zone;

	zone->large = load->size > LARGE_TEXT && load->records != NULL;
	primary->large += zone->large;
	primary->texts_read += !load->unchanged;
	if (load->records != NULL && zone->configured) {
		struct records *records = load->records;

		load->records = NULL;
		// Answered by primary_published(), maybe before this returns.
		zone->token = token_next(primary);
		publisher_publish_text(
		    primary->publisher, zone->apex, zone->token, &load->source, records);
	} else if (load->unchanged || load->records != NULL) {
		zone_done(primary, zone, "");
	} else {
		const char *error = load->error != NULL ? load->error : "Out of memory.";

		log_error("%s", error);
		zone_done(primary, zone, error);
	}
}

// What the thread did not come to is first in the queue again.
static void zones_return(struct primary *primary, struct load *load, unsigned from)
{
	for (unsigned i = load->count; i-- > from;) {
		struct file_zone *zone = load->zones[i].zone;

		zone->loading = zone->again = false;
		primary->busy--;
		zone->queued = true;
		zone->forced |= load->zones[i].known.inode == 0;
		zone->next = primary->queue;
		if (primary->queue == NULL)
			primary->queue_last = &zone->next;
		primary->queue = zone;
	}
}

static void load_free(struct load *load)
{
	for (unsigned i = 0; i < load->count; i++) {
		records_free(load->zones[i].records);
		free(load->zones[i].path);
		free(load->zones[i].error);
	}
	free(load);
}

static void load_done(struct offload_job *job)
{
	struct load *load = (struct load *)job;
	struct primary *primary = load->primary;
	unsigned looked = 0;

	primary->loads--;
	while (looked < load->count && load->zones[looked].looked)
		looked++;
	if (!primary->closing) {
		zones_return(primary, load, looked);
		for (unsigned i = 0; i < looked; i++)
			zone_loaded(primary, &load->zones[i]);
		queue_start(primary);
	}
	load_free(load);
}

static bool load_add(struct primary *primary, struct load *load, struct file_zone *zone)
{
	struct load_zone *to = &load->zones[load->count];

	to->path = strdup(zone->path);
	if (to->path == NULL)
		return false;
	to->zone = zone;
	to->publisher = primary->publisher;
	to->apex = zone->apex;
	if (!zone->forced && zone->error == NULL)
		to->known = publisher_source(primary->publisher, zone->apex);
	zone->forced = false;
	zone->loading = true;
	zone->large = false;
	primary->busy++;
	load->count++;
	return true;
}

static struct file_zone *queue_take(struct primary *primary)
{
	struct file_zone *zone = primary->queue;

	primary->queue = zone->next;
	if (primary->queue == NULL)
		primary->queue_last = &primary->queue;
	zone->queued = false;
	return zone;
}

static struct load *load_new(struct primary *primary)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		return NULL;
	load->primary = primary;
	load->job.run = load_run;
	load->job.done = load_done;
	while (primary->queue != NULL && load->count < LOAD_ZONES) {
		struct file_zone *zone = queue_take(primary);

		if (zone->configured && !load_add(primary, load, zone))
			zone_done(primary, zone, "Out of memory.");
	}
	return load;
}

static void queue_start(struct primary *primary)
{
	while (primary->queue != NULL && primary->loads < LOADS_MAX &&
	       primary->busy + LOAD_ZONES <= BUSY_MAX && primary->large < LARGE_MAX) {
		struct load *load = load_new(primary);

		if (load == NULL) {
			zone_done(primary, queue_take(primary), "Out of memory.");
			continue;
		}
		primary->loads++;
		offload_submit(primary->text, &load->job);
	}
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
	zone->apex = malloc(config->domain_len);
	if (zone->apex == NULL) {
		free(zone);
		return NULL;
	}
	memcpy(zone->apex, config->domain, config->domain_len);
	zone->apex_len = config->domain_len;
	if (!idmap_add(&primary->map, zone->apex, zone->apex_len, zone)) {
		free(zone->apex);
		free(zone);
		return NULL;
	}
	primary->zones[primary->zone_count++] = zone;
	return zone;
}

// Post: 0 or -ENOMEM.
static int zone_take(struct primary *primary, const struct config_zone *from)
{
	struct file_zone *zone = idmap_find(&primary->map, from->domain, from->domain_len);

	if (zone == NULL)
		zone = zone_add(primary, from);
	if (zone == NULL)
		return -ENOMEM;
	if (zone->path == NULL || strcmp(zone->path, from->file) != 0) {
		char *path = strdup(from->file);

		if (path == NULL)
			return -ENOMEM;
		free(zone->path);
		zone->path = path;
	}
	zone->configured = true;
	zone->epoch = primary->epoch;
	load_queue(primary, zone);
	return 0;
}

void primary_load(struct primary *primary, const struct config *config)
{
	primary->config = config;
	primary->taken = primary->looked = 0;
	primary->epoch++;
}

// Post: 0, -EAGAIN or -ENOMEM.
static int zones_take(struct primary *primary, int64_t until_us)
{
	const struct config *config = primary->config;

	for (size_t n = 1; primary->taken < config->zone_count; n++) {
		const struct config_zone *from = &config->zones[primary->taken];

		if (from->file != NULL && zone_take(primary, from) < 0)
			return -ENOMEM;
		primary->taken++;
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	for (size_t n = 1; primary->looked < primary->zone_count; n++) {
		struct file_zone *zone = primary->zones[primary->looked++];

		zone->configured = zone->configured && zone->epoch == primary->epoch;
		if (slice_is_over(until_us, n))
			return -EAGAIN;
	}
	primary->config = NULL;
	return 0;
}

int primary_load_go(struct primary *primary, int64_t until_us)
{
	const int rc = primary->config != NULL ? zones_take(primary, until_us) : 0;

	queue_start(primary);
	return rc;
}

bool primary_reread(struct primary *primary, const uint8_t *apex)
{
	struct file_zone *zone = idmap_find(&primary->map, apex, name_len(apex));

	if (zone == NULL || !zone->configured)
		return false;
	zone->forced = true;
	load_queue(primary, zone);
	queue_start(primary);
	return true;
}

bool primary_published(
    struct primary *primary, const uint8_t *apex, uint32_t token, bool live, const char *reason)
{
	struct file_zone *zone = idmap_find(&primary->map, apex, name_len(apex));

	if ((token & TOKEN_OURS) == 0)
		return false;
	if (zone != NULL && zone->loading && zone->token == token) {
		zone_done(primary, zone, live ? "" : reason);
		queue_start(primary);
	}
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

uint64_t primary_texts_read(const struct primary *primary)
{
	return primary->texts_read;
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
		free(primary->zones[i]->apex);
		free(primary->zones[i]->path);
		free(primary->zones[i]->error);
		free(primary->zones[i]);
	}
	free(primary->zones);
	idmap_free(&primary->map);
	free(primary);
}
