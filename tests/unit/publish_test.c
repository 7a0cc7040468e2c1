// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication against a scripted data plane: a client of the seam in the same event loop that
// takes, refuses or dies as the case says. The compiler child is real: this program started again.
#include "publish.h"

#include <event2/event.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler_child.h"
#include "delta.h"
#include "image.h"
#include "journal.h"
#include "manifest.h"
#include "pzone.h"
#include "reading.h"
#include "rrtype.h"
#include "seam.h"
#include "seen.h"
#include "zonefile.h"

#define WAIT_MS 20000 // far more than any step takes on a busy machine

static const uint8_t apex[] = "\7example";
static const uint8_t other[] = "\5other";

struct data_plane {
	int sock; // -1: not connected
	struct event *event;
	enum { TAKE, REFUSE, DIE, PONDER, TAKE_OLDER } manner;
	struct seam_message pondered; // the answer it has not given yet
	uint64_t highest, live;       // generations
	uint64_t key[2];              // of what it serves
	uint32_t serial;              // of what it took last
	unsigned published, withdrawn, renewed;
	bool sealed; // all images it got were
};

struct fixture {
	char folder[64];
	struct event_base *base;
	struct publisher *publisher;
	struct config *config;
	struct data_plane plane;
	unsigned answers;
	bool live, held, held_short;
	char reason[PUBLISH_REASON_MAX];
	uint32_t token;
	unsigned replaced; // times
	uint32_t replaced_serial;
	uint64_t replaced_origin;
	unsigned recalled; // times
	char recall_reason[PUBLISH_REASON_MAX];
	const struct reading *reading; // asks what led to it as soon as another version is live
	int difference_rc;
	unsigned differences; // that came
	size_t difference_changes;
};

static void difference_came(void *ctx, struct delta *delta)
{
	struct fixture *f = ctx;

	f->differences++;
	f->difference_changes = delta != NULL ? delta->changes->count : 0;
	publisher_difference_end(f->publisher, delta);
}

// --- the scripted data plane
// ----------------------------------------------------------------------

static void plane_send(struct data_plane *plane, struct seam_message *message)
{
	assert_int_equal(seam_send(plane->sock, message, -1), 0);
}

static void plane_close(struct data_plane *plane)
{
	if (plane->sock < 0)
		return;
	event_free(plane->event);
	close(plane->sock);
	plane->sock = -1;
}

static void plane_publish(struct data_plane *plane, const struct seam_message *message, int fd)
{
	struct seam_message reply = {.type = SEAM_LIVE, .generation = message->generation};
	char error[IMAGE_ERROR_MAX];
	const void *mem;

	plane->published++;
	plane->sealed = plane->sealed && image_is_sealed(fd);
	assert_int_equal(image_map(fd, 0, message->publish.image_size, &mem), 0);
	assert_int_equal(image_verify(mem, message->publish.image_size, error), 0);
	reply.zone.id = ((const struct image_header *)mem)->id;
	image_unmap(mem, message->publish.image_size);
	if (message->publish.more) // the layer above it decides
		return;
	reply.zone.name = message->publish.name;
	reply.zone.serial = message->publish.serial;
	if (plane->manner == PONDER) {
		plane->pondered = reply;
		return;
	}
	if (plane->manner == DIE) {
		plane_close(plane);
		return;
	}
	if (plane->manner == REFUSE ||
	    (plane->manner != TAKE_OLDER && message->generation <= plane->live)) {
		reply.type = SEAM_REJECT;
		strcpy(reply.zone.text, "it does not please");
	} else {
		plane->live = message->generation;
		plane->serial = message->publish.serial;
	}
	plane_send(plane, &reply);
}

static void plane_readable(evutil_socket_t sock, short what, void *arg)
{
	struct data_plane *plane = arg;
	struct seam_message message;
	int fd, rc = seam_receive(sock, &message, &fd);

	if (rc == -EAGAIN)
		return;
	assert_int_equal(rc, 0);
	switch (message.type) {
	case SEAM_PUBLISH:
		plane_publish(plane, &message, fd);
		break;
	case SEAM_WITHDRAW:
		plane->withdrawn++;
		break;
	case SEAM_RENEW:
		plane->renewed++;
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void plane_connect(struct fixture *f, bool have)
{
	struct seam_message message = {.type = SEAM_HELLO, .generation = f->plane.highest};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/%s", f->folder, SEAM_SOCKET);
	f->plane.sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(f->plane.sock, (struct sockaddr *)&address, sizeof(address)), 0);
	f->plane.event =
	    event_new(f->base, f->plane.sock, EV_READ | EV_PERSIST, plane_readable, &f->plane);
	event_add(f->plane.event, NULL);
	message.hello.protocol = SEAM_PROTOCOL;
	memcpy(message.hello.hash_key, f->plane.key, sizeof(f->plane.key));
	plane_send(&f->plane, &message);
	if (have) {
		message = (struct seam_message){.type = SEAM_HAVE, .generation = f->plane.live};
		message.zone.name.len = sizeof(apex);
		memcpy(message.zone.name.wire, apex, sizeof(apex));
		plane_send(&f->plane, &message);
	}
	message = (struct seam_message){.type = SEAM_HELLO_END};
	plane_send(&f->plane, &message);
}

// --- the fixture
// ----------------------------------------------------------------------------------

static void published(
    void *ctx, const uint8_t *name, uint32_t token, enum engine_verdict verdict, const char *reason)
{
	struct fixture *f = ctx;

	f->answers++;
	f->live = verdict == ENGINE_LIVE;
	f->held = verdict == ENGINE_HELD;
	f->held_short = verdict == ENGINE_SHORT;
	f->token = token;
	snprintf(f->reason, sizeof(f->reason), "%s", reason != NULL ? reason : "");
	if (f->reading != NULL) { // here its own step cannot be in the journal yet
		struct difference_job *job;

		f->difference_rc = publisher_difference(
		    f->publisher, name, 7, f->reading, difference_came, f, &job);
		f->reading = NULL;
	}
}

static void replaced(void *ctx, const uint8_t *name, const struct zone_soa *soa, uint64_t origin)
{
	struct fixture *f = ctx;

	f->replaced++;
	f->replaced_serial = soa->serial;
	f->replaced_origin = origin;
}

static void recalled(void *ctx, const char *reason)
{
	struct fixture *f = ctx;

	f->recalled++;
	snprintf(f->recall_reason, sizeof(f->recall_reason), "%s", reason != NULL ? reason : "");
}

static struct config *config_of(const struct fixture *f, const char *zones)
{
	struct config_error error;
	struct config *config;
	char text[1024];

	snprintf(text, sizeof(text),
	    "server: {rundir: %s/run, storage: %s/store}\n"
	    "remote: [{id: p, address: 192.0.2.1}]\nzone:\n%s",
	    f->folder, f->folder, zones);
	assert_int_equal(config_parse(text, strlen(text), 0, &config, &error), 0);
	return config;
}

#define BOTH "  - {domain: example, primaries: p}\n  - {domain: other, primaries: p}\n"
#define ONE  "  - {domain: other, primaries: p}\n"

static void publisher_begin(struct fixture *f)
{
	const struct publisher_ops ops = {.ctx = f, .published = published, .replaced = replaced};
	char error[PUBLISH_REASON_MAX];

	if (publisher_open(f->base, f->config, &ops, &f->publisher, error) < 0)
		fail_msg("%s", error);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/dev/shm/publish_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->base = event_base_new();
	f->config = config_of(f, BOTH);
	f->plane.sock = -1;
	f->plane.sealed = true;
	publisher_begin(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	plane_close(&f->plane);
	publisher_close(f->publisher);
	event_base_free(f->base);
	config_free(f->config);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn(struct fixture *f)
{
	const struct timeval tick = {.tv_usec = 2000};

	event_base_loopexit(f->base, &tick);
	event_base_dispatch(f->base);
}

#define WAIT_FOR(f, condition)                            \
	do {                                              \
		const int64_t until = now_ms() + WAIT_MS; \
		while (!(condition) && now_ms() < until)  \
			turn(f);                          \
		assert_true(condition);                   \
	} while (0)

static void soa_rdata(uint8_t rdata[22], uint32_t serial)
{
	const uint32_t fields[5] = {serial, 60, 30, 600, 60};

	rdata[0] = rdata[1] = 0; // both names are the root
	for (int i = 0; i < 20; i++)
		rdata[2 + i] = (uint8_t)(fields[i / 4] >> (24 - 8 * (i % 4)));
}

// SOA, NS and `hosts` addresses.
static struct records *zone_make(const uint8_t *name, uint32_t serial, unsigned hosts, bool ns)
{
	struct records *records = records_new(name);
	uint8_t soa[22], owner[NAME_LEN_MAX];

	soa_rdata(soa, serial);
	assert_int_equal(records_add(records, name, RRTYPE_SOA, 60, soa, sizeof(soa)), 0);
	if (ns)
		assert_int_equal(
		    records_add(records, name, RRTYPE_NS, 60, (const uint8_t *)"\2ns\4test", 9), 0);
	for (unsigned i = 0; i < hosts; i++) {
		const uint8_t address[4] = {192, 0, (uint8_t)(i >> 8), (uint8_t)i};

		owner[0] = 6;
		snprintf((char *)owner + 1, 16, "h%05u", i % 100000);
		memcpy(owner + 7, name, strlen((const char *)name) + 1);
		assert_int_equal(
		    records_add(records, owner, RRTYPE_A, 60, address, sizeof(address)), 0);
	}
	return records;
}

static void publish(struct fixture *f, uint32_t serial)
{
	const unsigned before = f->answers;

	publisher_publish(f->publisher, apex, serial, 0, NULL, zone_make(apex, serial, 100, true));
	WAIT_FOR(f, f->answers > before);
	assert_int_equal(f->token, serial);
}

static void publish_from(struct fixture *f, uint32_t serial, uint64_t origin)
{
	publisher_publish(
	    f->publisher, apex, serial, origin, NULL, zone_make(apex, serial, 100, true));
	WAIT_FOR(f, f->token == serial);
	assert_true(f->live);
}

static struct publisher_status status_of(struct fixture *f, const uint8_t *name)
{
	struct publisher_status status;

	assert_true(publisher_status(f->publisher, name, &status));
	return status;
}

// The serial of a zone in the manifest on disk; 0: not there.
static uint32_t manifest_serial(const struct fixture *f)
{
	char storage[96], error[MANIFEST_ERROR_MAX];
	struct manifest manifest;
	uint32_t serial = 0;

	snprintf(storage, sizeof(storage), "%s/store", f->folder);
	if (manifest_load(storage, &manifest, error) < 0)
		return 0;
	for (size_t i = 0; i < manifest.zone_count; i++)
		if (memcmp(manifest.zones[i].apex, apex, sizeof(apex)) == 0)
			serial = manifest.zones[i].serial;
	manifest_free(&manifest);
	return serial;
}

static unsigned images_on_disk(const struct fixture *f)
{
	char path[96];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/store/images", f->folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

// --- cases
// ----------------------------------------------------------------------------------------

static void a_version_is_live_first_and_durable_soon_after(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 7);
	assert_true(f->plane.sealed);
	assert_true(status_of(f, apex).live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(manifest_serial(f), 7);
	assert_int_equal(status_of(f, apex).rr_count, 102);
}

static void without_a_data_plane_stored_is_as_good_as_live(void **state)
{
	struct fixture *f = *state;

	publish(f, 7);
	assert_true(f->live);
	assert_false(status_of(f, apex).live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.serial == 7 && status_of(f, apex).live);
}

static void a_refused_version_changes_nothing(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	f->plane.manner = REFUSE;
	publish(f, 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "it does not please"));
	for (int i = 0; i < 50; i++) // long enough for a manifest that should not be written
		turn(f);
	assert_int_equal(manifest_serial(f), 7);
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_non_null(strstr(status_of(f, apex).error, "it does not please"));
	f->plane.manner = TAKE;
	publish(f, 9);
	assert_true(f->live);
	assert_string_equal(status_of(f, apex).error, "");
}

static void a_zone_the_compiler_refuses_names_the_reason(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 3, false));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "NS"));
	assert_int_equal(f->plane.serial, 7);
	assert_int_equal(f->plane.published, 1);
}

// A version over which the data plane dies is not what it finds at its next start.
static void a_version_that_kills_the_data_plane_is_given_up(void **state)
{
	struct fixture *f = *state;
	unsigned deaths = 0;

	plane_connect(f, false);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	f->plane.manner = DIE;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 90, true));
	while (f->token != 8 && deaths < 10) {
		WAIT_FOR(f, f->plane.sock < 0 || f->token == 8);
		deaths += f->plane.sock < 0;
		for (int i = 0; i < 5; i++)
			turn(f);
		if (f->plane.sock < 0 && f->token != 8)
			plane_connect(f, true);
	}
	assert_int_equal(deaths, 3);
	assert_false(f->live);
	assert_int_equal(manifest_serial(f), 7);
	f->plane.manner = TAKE;
	plane_connect(f, true);
	publish(f, 9);
	assert_true(f->live);
}

// Refused before it is built, whatever the system has: the one served stays.
static void a_version_beyond_memory_max_is_refused_and_the_old_one_stays(void **state)
{
	struct fixture *f = *state;
	struct config *limited = config_of(f, BOTH "controlplane: {memory-max: 1M}\n");

	plane_connect(f, false);
	publish(f, 7);
	assert_int_equal(publisher_reconfigure(f->publisher, limited), 0);
	config_free(f->config);
	f->config = limited;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 20000, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "memory-max is 1 MiB"));
	assert_non_null(strstr(status_of(f, apex).error, "memory-max is 1 MiB"));
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_int_equal(f->plane.serial, 7);
	publish(f, 9); // a small one fits
	assert_true(f->live);
}

// Two versions that do not fit together come at once: one is refused. What one that is refused
// would have taken is free again.
static void versions_under_way_count_for_memory_max(void **state)
{
	struct fixture *f = *state;
	struct config *limited = config_of(f, BOTH "controlplane: {memory-max: 6M}\n");

	assert_int_equal(publisher_reconfigure(f->publisher, limited), 0);
	config_free(f->config);
	f->config = limited;
	plane_connect(f, false);
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 25000, true));
	publisher_publish(f->publisher, other, 9, 0, NULL, zone_make(other, 9, 25000, true));
	WAIT_FOR(f, f->answers == 1);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "MiB under way, and memory-max is 6 MiB"));
	WAIT_FOR(f, f->answers == 2);
	assert_true(f->live);
	for (uint32_t serial = 10; serial < 13; serial++) { // together more than is left
		f->plane.manner = REFUSE;
		publisher_publish(
		    f->publisher, other, serial, 0, NULL, zone_make(other, serial, 8000, true));
		WAIT_FOR(f, f->token == serial);
		assert_non_null(strstr(f->reason, "it does not please"));
	}
	f->plane.manner = TAKE;
	publisher_publish(f->publisher, other, 13, 0, NULL, zone_make(other, 13, 8000, true));
	WAIT_FOR(f, f->token == 13);
	assert_true(f->live);
}

// Waiting for its turn, built, sent: until it is answered, or took longer than it may.
static void a_version_is_worked_on_until_it_is_answered(void **state)
{
	struct fixture *f = *state;
	struct pzone *zone = pzone_find(f->publisher, apex);

	plane_connect(f, false);
	publish(f, 1);
	assert_false(publisher_working(f->publisher, apex, 1));
	f->plane.manner = PONDER;
	publisher_publish(f->publisher, apex, 2, 0, NULL, zone_make(apex, 2, 100, true));
	assert_true(publisher_working(f->publisher, apex, 2));
	publisher_publish(f->publisher, apex, 3, 0, NULL, zone_make(apex, 3, 100, true));
	assert_true(publisher_working(f->publisher, apex, 2));
	assert_true(publisher_working(f->publisher, apex, 3));
	assert_false(publisher_working(f->publisher, apex, 1));
	assert_false(publisher_working(f->publisher, other, 2));
	WAIT_FOR(f, f->plane.published == 2);
	assert_true(publisher_working(f->publisher, apex, 2));
	zone->started_us -= INT64_C(119000000);
	assert_true(publisher_working(f->publisher, apex, 2));
	zone->started_us -= INT64_C(2000000); // for some kilobytes
	assert_false(publisher_working(f->publisher, apex, 2));
	f->plane.manner = TAKE;
	f->plane.live = f->plane.pondered.generation;
	plane_send(&f->plane, &f->plane.pondered);
	WAIT_FOR(f, f->token == 3);
	assert_false(publisher_working(f->publisher, apex, 2));
	assert_false(publisher_working(f->publisher, apex, 3));
}

static void an_equal_version_is_not_sent_again(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	publisher_publish(f->publisher, apex, 70, 0, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 70);
	assert_true(f->live);
	assert_int_equal(f->plane.published, 1);
}

static void a_restarted_control_plane_serves_a_restarted_data_plane(void **state)
{
	struct fixture *f = *state;
	struct engine_stored stored;
	uint64_t generation;

	publish(f, 7);
	generation = status_of(f, apex).generation;
	publisher_close(f->publisher);
	publisher_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_copy);
	assert_int_equal(stored.soa.serial, 7);
	assert_int_equal(stored.soa.refresh_s, 60);
	assert_int_equal(stored.soa.retry_s, 30);
	assert_int_equal(stored.soa.expire_s, 600);
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.serial == 7);
	assert_int_equal(f->plane.live, generation);
	publish(f, 8);
	assert_true(f->plane.live > generation);
}

// It may have been short of memory for a moment: what it serves nothing of is not left at that.
static void a_stored_version_that_is_refused_is_sent_again(void **state)
{
	struct fixture *f = *state;

	publish(f, 7);
	f->plane.manner = REFUSE;
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.published == 1);
	for (unsigned i = 0; i < 20; i++)
		turn(f);
	assert_false(status_of(f, apex).live);
	f->plane.manner = TAKE;
	WAIT_FOR(f, status_of(f, apex).live);
	assert_int_equal(f->plane.serial, 7);
	assert_string_equal(status_of(f, apex).error, "");
}

static void what_the_data_plane_has_already_is_not_sent(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	plane_close(&f->plane);
	WAIT_FOR(f, !status_of(f, apex).live);
	plane_connect(f, true);
	WAIT_FOR(f, status_of(f, apex).live);
	WAIT_FOR(f, f->plane.renewed > 0);
	assert_int_equal(f->plane.published, 1);
}

static void generations_grow_past_what_the_data_plane_has_seen(void **state)
{
	struct fixture *f = *state;

	f->plane.highest = 1000000;
	f->plane.live = 900000;
	plane_connect(f, true);
	WAIT_FOR(f, status_of(f, apex).generation == 0);
	for (int i = 0; i < 10; i++)
		turn(f);
	publish(f, 7);
	assert_true(f->live);
	assert_true(f->plane.live > 1000000);
}

static void timers_outlive_a_restart(void **state)
{
	struct fixture *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	struct engine_stored stored;

	publish(f, 7);
	publisher_store(f->publisher, apex, &timers);
	publisher_close(f->publisher);
	publisher_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_timers);
	assert_int_equal(stored.timers.refreshed_ms, timers.refreshed_ms);
	assert_int_equal(stored.timers.expires_ms, timers.expires_ms);
	publisher_load(f->publisher, other, &stored);
	assert_false(stored.has_copy);
}

static void timers_path(const struct fixture *f, char path[96])
{
	snprintf(path, 96, "%s/store/timers", f->folder);
}

// Post: its size, as far as it has room.
static size_t timers_read(const struct fixture *f, uint8_t bytes[193])
{
	char path[96];
	size_t size;
	FILE *file;

	timers_path(f, path);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(bytes, 1, 193, file);
	fclose(file);
	return size;
}

// Records of the file that are nothing but 0xaa; -1: it has not two.
static int timers_painted(const struct fixture *f)
{
	uint8_t bytes[193], paint[64];
	const size_t size = timers_read(f, bytes);

	memset(paint, 0xaa, sizeof(paint));
	return size != 192 ? -1 : !memcmp(bytes + 64, paint, 64) + !memcmp(bytes + 128, paint, 64);
}

static void timers_paint(const struct fixture *f)
{
	uint8_t paint[128];
	char path[96];
	int fd;

	memset(paint, 0xaa, sizeof(paint));
	timers_path(f, path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, paint, sizeof(paint), 64), sizeof(paint));
	close(fd);
}

static int64_t refreshed_ms(const struct fixture *f, const uint8_t *name)
{
	struct engine_stored stored;

	publisher_load(f->publisher, name, &stored);
	assert_true(stored.has_timers);
	return stored.timers.refreshed_ms;
}

static void reopen(struct fixture *f)
{
	publisher_close(f->publisher); // writes the timers
	publisher_begin(f);
}

static void timers_that_did_not_change_are_not_written_again(void **state)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	struct zone_timers timers = {.refreshed_ms = now - 7000, .expires_ms = now + 1000000};
	struct fixture *f = *state;
	char path[96];

	publish(f, 7);
	publisher_publish(f->publisher, other, 8, 0, NULL, zone_make(other, 8, 10, true));
	WAIT_FOR(f, f->token == 8);
	publisher_store(f->publisher, apex, &timers);
	publisher_store(f->publisher, other, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	timers_paint(f);
	timers.refreshed_ms = now - 6000;
	publisher_store(f->publisher, other, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 1);
	// What is no record costs its zone the age of its copy, and is free for another.
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_not_equal(refreshed_ms(f, apex), now - 7000);
	timers.refreshed_ms = now - 5000;
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_equal(refreshed_ms(f, apex), now - 5000);
	// Taken away under our hands: what is written next is all of it.
	timers_path(f, path);
	assert_int_equal(unlink(path), 0);
	timers.refreshed_ms = now - 4000;
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_painted(f), 0);
	assert_int_equal(refreshed_ms(f, other), now - 6000);
	assert_int_equal(refreshed_ms(f, apex), now - 4000);
}

// The next record does not fit, those that are there are written all the same.
static void timers_of_a_full_disk_are_those_that_were_there(void **state)
{
	const int64_t now = (int64_t)time(NULL) * 1000;
	struct zone_timers timers = {.refreshed_ms = now - 7000, .expires_ms = now + 1000000};
	struct fixture *f = *state;
	struct rlimit old, limit;
	uint8_t before[193], after[193];

	publish(f, 7);
	publisher_store(f->publisher, apex, &timers);
	reopen(f);
	assert_int_equal(timers_read(f, before), 128);
	publisher_publish(f->publisher, other, 8, 0, NULL, zone_make(other, 8, 10, true));
	WAIT_FOR(f, f->token == 8 && status_of(f, other).durable);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 128; // the header and one record
	publisher_store(f->publisher, other, &timers);
	timers.refreshed_ms = now - 6000;
	publisher_store(f->publisher, apex, &timers);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (const int64_t until = now_ms() + 6000; now_ms() < until;) // past the tick
		turn(f);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(timers_read(f, after), 128);
	assert_memory_not_equal(after, before, 128);
	reopen(f);
	assert_int_equal(refreshed_ms(f, apex), now - 6000);
	assert_int_equal(refreshed_ms(f, other), now - 7000);
}

static void a_zone_that_is_taken_out_is_withdrawn(void **state)
{
	struct fixture *f = *state;
	struct config *config = config_of(f, ONE);
	struct publisher_status status;

	plane_connect(f, false);
	publish(f, 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	assert_int_equal(publisher_reconfigure(f->publisher, config), 0);
	config_free(f->config);
	f->config = config;
	WAIT_FOR(f, f->plane.withdrawn == 1);
	WAIT_FOR(f, manifest_serial(f) == 0);
	assert_false(publisher_status(f->publisher, apex, &status));
	WAIT_FOR(f, images_on_disk(f) == 0);
}

static void three_versions_are_kept_and_found_again(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	for (uint32_t serial = 1; serial <= 7; serial++) {
		publish(f, serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	publisher_close(f->publisher);
	plane_close(&f->plane);
	assert_int_equal(images_on_disk(f), 3);
	publisher_begin(f);
	assert_int_equal(images_on_disk(f), 3);
	assert_int_equal(status_of(f, apex).serial, 7);
}

// From serial `from` to `to`: another host comes, h00000 goes (`wrong`: one that is not there).
static struct delta *delta_make(uint32_t from, uint32_t to, bool wrong)
{
	struct delta *delta = delta_new(apex, from);
	uint8_t soa[22];
	const uint8_t address[4] = {192, 0, 0, 0};

	soa_rdata(soa, from);
	assert_int_equal(delta_add(delta, false, apex, RRTYPE_SOA, 60, soa, sizeof(soa)), 0);
	assert_int_equal(delta_add(delta, false,
	                     (const uint8_t *)(wrong ? "\6nobody\7example" : "\6h00000\7example"),
	                     RRTYPE_A, 60, address, 4),
	    0);
	delta->to = to;
	delta->steps = 1;
	soa_rdata(soa, to);
	assert_int_equal(delta_add(delta, true, apex, RRTYPE_SOA, 60, soa, sizeof(soa)), 0);
	assert_int_equal(
	    delta_add(delta, true, (const uint8_t *)"\3new\7example", RRTYPE_A, 60, address, 4), 0);
	assert_int_equal(
	    delta_add(delta, true, (const uint8_t *)"\3two\7example", RRTYPE_A, 60, address, 4), 0);
	return delta;
}

static void a_difference_makes_the_next_version_of_the_one_served(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 8);
	assert_int_equal(status_of(f, apex).rr_count, 103);
	WAIT_FOR(f, manifest_serial(f) == 8);
}

static void a_difference_that_does_not_fit_changes_nothing(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publisher_apply(f->publisher, apex, 1, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 1);
	assert_false(f->live); // there is no version yet
	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "nobody.example. A: the difference removes"));
	publisher_apply(f->publisher, apex, 9, 0, NULL, delta_make(6, 9, false));
	WAIT_FOR(f, f->token == 9);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "starts from serial 6"));
	assert_int_equal(f->plane.published, 1);
	assert_int_equal(status_of(f, apex).serial, 7);
}

// A zone that changes all the time always has a step on its way to the disk. What led to the
// version that a transfer reads is there all the same.
static void what_came_since_does_not_hold_up_a_difference(void **state)
{
	struct fixture *f = *state;
	struct reading reading;

	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), 0);
	f->reading = &reading;
	publish(f, 9);
	assert_int_equal(f->difference_rc, 0);
	WAIT_FOR(f, f->differences == 1);
	assert_int_equal(f->difference_changes, 5);
	reading_close(&reading);
	// Its own step it does wait for.
	publisher_apply(f->publisher, apex, 10, 0, NULL, delta_make(9, 10, false));
	WAIT_FOR(f, f->token == 10);
	WAIT_FOR(f, status_of(f, apex).durable);
}

// A hundred clients that read slowly do not take 64 MB each: who asks when the others have it all
// is given the zone, which lies in memory anyway.
static void differences_given_out_are_bounded_together(void **state)
{
	struct fixture *f = *state;
	struct difference_job *job;
	struct reading reading;

	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_int_equal(publisher_read(f->publisher, apex, &reading), 0);
	f->publisher->differences = PUBLISHER_DIFFERENCES_MAX - 100;
	assert_int_equal(
	    publisher_difference(f->publisher, apex, 7, &reading, difference_came, f, &job), 0);
	WAIT_FOR(f, f->differences == 1);
	assert_int_equal(f->difference_changes, 0);
	assert_int_equal(f->publisher->differences, PUBLISHER_DIFFERENCES_MAX - 100);
	f->publisher->differences = 0;
	for (unsigned i = 2; i < 4; i++) { // the second one is nobody's by the time it is there
		assert_int_equal(
		    publisher_difference(f->publisher, apex, 7, &reading, difference_came, f, &job),
		    0);
		if (i == 3)
			publisher_difference_cancel(job);
		else
			WAIT_FOR(f, f->differences == 2);
	}
	assert_int_equal(f->difference_changes, 5);
	reading_close(&reading);
	publish(f, 9); // behind it
	WAIT_FOR(f, f->publisher->differences == 0);
}

// After a restart the version lies in a file: a difference to it is applied all the same, and where
// it came from is known.
static void a_difference_follows_a_restart(void **state)
{
	struct fixture *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	struct engine_stored stored;

	publisher_publish(f->publisher, apex, 7, 4711, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 7);
	publisher_store(f->publisher, apex, &timers);
	publisher_close(f->publisher);
	publisher_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.origin, 4711);
	publisher_apply(f->publisher, apex, 8, 4711, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(status_of(f, apex).serial, 8);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.origin, 4711);
}

// A small change after a restart stands on a base that lies in a file alone. A data plane that lost
// what it had gets both.
static void an_overlay_takes_its_base_from_the_disk_along(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, 4000, true));
	WAIT_FOR(f, f->token == 7);
	WAIT_FOR(f, manifest_serial(f) == 7);
	plane_close(&f->plane);
	publisher_close(f->publisher);
	publisher_begin(f);
	plane_connect(f, true);
	f->plane.manner = DIE;
	f->plane.published = 0;
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->plane.sock < 0);
	assert_int_equal(f->plane.published, 1); // the overlay alone
	f->plane.manner = TAKE;
	f->plane.live = 0;
	plane_connect(f, false);
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 8);
	WAIT_FOR(f, manifest_serial(f) == 8);
}

// The timers on disk are of the version before: they say nothing about whose this one is.
static void the_origin_of_another_version_is_not_taken_for_that_of_this_one(void **state)
{
	struct fixture *f = *state;
	const struct zone_timers timers = {
	    .refreshed_ms = 1700000000123, .expires_ms = 1800000000456};
	char path[96], aside[112];
	struct engine_stored stored;

	publisher_publish(f->publisher, apex, 7, 4711, NULL, zone_make(apex, 7, 100, true));
	WAIT_FOR(f, f->token == 7);
	publisher_store(f->publisher, apex, &timers);
	publisher_close(f->publisher); // writes the timers
	snprintf(path, sizeof(path), "%s/store/timers", f->folder);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	publisher_begin(f);
	publisher_publish(f->publisher, apex, 8, 4712, NULL, zone_make(apex, 8, 100, true));
	WAIT_FOR(f, f->token == 8);
	publisher_close(f->publisher);
	assert_int_equal(rename(aside, path), 0); // as after a crash before they were written
	publisher_begin(f);
	publisher_load(f->publisher, apex, &stored);
	assert_int_equal(stored.soa.serial, 8);
	assert_int_equal(stored.origin, 4712);
	assert_false(stored.timers.refreshed_ms == timers.refreshed_ms);
}

// "7>8 8>9": the steps of the zone's journal that lead to the version served, with what they
// change.
static const char *journal_text(struct fixture *f)
{
	static char text[256];
	char error[JOURNAL_ERROR_MAX], storage[80], *at = text;
	const struct journal_step *steps;
	struct journal *journal;
	size_t count;

	snprintf(storage, sizeof(storage), "%s/store", f->folder);
	if (journal_open(storage, apex, &journal, error) != 0)
		return "none";
	steps = journal_steps(journal, &count);
	*at = '\0';
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s%u>%u -%u +%u", i > 0 ? ", " : "", steps[i].from, steps[i].to,
		    steps[i].removed, steps[i].added);
	journal_close(journal);
	return text;
}

static void the_journal_has_what_led_to_the_version_served(void **state)
{
	struct fixture *f = *state;

	publish(f, 7);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3");
	// Found between the two: what the difference did, undone.
	publish(f, 9);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3, 8>9 -3 +2");
	publisher_close(f->publisher);
	publisher_begin(f);
	publisher_apply(f->publisher, apex, 10, 0, NULL, delta_make(9, 10, false));
	WAIT_FOR(f, f->token == 10);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -2 +3, 8>9 -3 +2, 9>10 -2 +3");
	// A serial that went back is no step.
	publisher_publish(f->publisher, apex, 3, 0, NULL, zone_make(apex, 3, 100, true));
	WAIT_FOR(f, f->token == 3);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "none");
}

static void a_journal_that_cannot_be_written_holds_up_nothing(void **state)
{
	struct fixture *f = *state;
	char path[96];
	FILE *file;

	publish(f, 7);
	WAIT_FOR(f, status_of(f, apex).durable);
	snprintf(path, sizeof(path), "%s/store/journal", f->folder);
	rmdir(path);
	file = fopen(path, "w"); // a file where the folder should be
	assert_non_null(file);
	fclose(file);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
	WAIT_FOR(f, manifest_serial(f) == 8);
	WAIT_FOR(f, strstr(status_of(f, apex).error, "journal cannot be written") != NULL);
	assert_false(status_of(f, apex).durable);
	unlink(path);
	WAIT_FOR(f, status_of(f, apex).durable); // tried again
	assert_string_equal(journal_text(f), "7>8 -2 +3");
	assert_string_equal(status_of(f, apex).error, "");
}

static void a_stored_version_that_has_rotted_is_no_base_for_a_difference(void **state)
{
	struct fixture *f = *state;
	char command[160];

	publish(f, 7);
	publisher_close(f->publisher);
	publisher_begin(f);
	// Behind the boot's back: one byte in the middle of the only image file.
	snprintf(command, sizeof(command),
	    "for i in %s/store/images/*; do printf X | dd of=$i bs=1 seek=2000 conv=notrunc "
	    "status=none; done",
	    f->folder);
	assert_int_equal(system(command), 0);
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "The stored version is broken"));
}

// One byte in the middle of the image that the manifest names, of the version it has beside it
// (`older`) or of the zone's own.
static void image_rot(const struct fixture *f, bool older)
{
	char storage[96], path[128], error[MANIFEST_ERROR_MAX];
	struct manifest_zone zone = {0};
	struct manifest manifest;
	uint8_t byte = 0;
	int fd;

	snprintf(storage, sizeof(storage), "%s/store", f->folder);
	assert_int_equal(manifest_load(storage, &manifest, error), 0);
	for (size_t i = 0; i < manifest.zone_count; i++) {
		if (memcmp(manifest.zones[i].apex, apex, sizeof(apex)) != 0)
			continue;
		zone = manifest.zones[i];
		if (older)
			assert_true(manifest_older(&manifest, &manifest.zones[i], &zone));
	}
	manifest_free(&manifest);
	assert_int_equal(zone.layer_count, 1);
	assert_int_equal(
	    manifest_image_path(storage, zone.layer[0].file_id, path, sizeof(path)), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	const off_t middle = (off_t)(zone.layer[0].offset + zone.layer[0].size / 2);
	assert_int_equal(pread(fd, &byte, 1, middle), 1);
	byte ^= 0x55;
	assert_int_equal(pwrite(fd, &byte, 1, middle), 1);
	close(fd);
}

// What was served before is more than nothing; what comes next takes its place.
static void a_version_that_is_broken_at_a_start_is_served_as_it_was_before(void **state)
{
	struct fixture *f = *state;
	struct engine_stored stored;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish_from(f, serial, 1000 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	const uint64_t generation = status_of(f, apex).generation;

	publisher_close(f->publisher);
	image_rot(f, false);
	publisher_begin(f);
	assert_int_equal(status_of(f, apex).serial, 7);
	assert_true(status_of(f, apex).generation < generation);
	assert_true(status_of(f, apex).older);
	assert_non_null(strstr(status_of(f, apex).error, "serial 8, is broken or gone"));
	assert_non_null(strstr(status_of(f, apex).error, "serial 7, takes its place"));
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_copy);
	assert_int_equal(stored.soa.serial, 7);
	assert_int_equal(stored.origin, 1007);
	// A data plane that has nothing is given it; one that has more keeps that.
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.serial == 7);
	publisher_apply(f->publisher, apex, 9, 1007, NULL, delta_make(7, 9, false));
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	assert_true(status_of(f, apex).generation > generation);
	assert_false(status_of(f, apex).older);
	assert_string_equal(status_of(f, apex).error, "");
}

static void when_the_one_before_is_broken_too_the_zone_starts_anew(void **state)
{
	struct fixture *f = *state;
	struct publisher_status status;

	for (uint32_t serial = 7; serial <= 8; serial++) {
		publish(f, serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	publisher_close(f->publisher);
	image_rot(f, true);
	image_rot(f, false);
	publisher_begin(f);
	assert_true(publisher_status(f->publisher, apex, &status));
	assert_false(status.has_version);
	publish(f, 9);
	assert_true(f->live);
}

// A primary that has the older serial would never bring that one's end about.
static void a_later_serial_is_not_what_a_zone_falls_back_to(void **state)
{
	struct fixture *f = *state;
	struct publisher_status status;

	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publish(f, 7); // as `npctl zone retransfer` takes it
	WAIT_FOR(f, status_of(f, apex).durable);
	publisher_close(f->publisher);
	image_rot(f, false);
	publisher_begin(f);
	assert_true(publisher_status(f->publisher, apex, &status));
	assert_false(status.has_version);
}

// Renames what is in the folder of images, or back.
static void images_rename(const struct fixture *f, bool links)
{
	char command[256];

	snprintf(command, sizeof(command),
	    links
	        ? "cd %s/store/images && for i in *.img; do mv $i ../$i.away && ln -s ../$i.away "
	          "$i; done"
	        : "cd %s/store/images && for i in *.img; do [ ! -L $i ] || mv ../$i.away $i; done",
	    f->folder);
	assert_int_equal(system(command), 0);
}

// A start that cannot read an image (here: a link, which is not followed) has not lost it: neither
// the file nor the manifest's word of it goes before there is another version.
static void what_cannot_be_read_at_a_start_is_there_at_the_next(void **state)
{
	struct fixture *f = *state;

	publish(f, 7);
	publisher_close(f->publisher);
	images_rename(f, true);
	publisher_begin(f);
	assert_false(status_of(f, apex).has_version);
	// Another zone's version is stored meanwhile.
	publisher_publish(f->publisher, other, 1, 0, NULL, zone_make(other, 1, 100, true));
	WAIT_FOR(f, f->token == 1);
	WAIT_FOR(f, status_of(f, other).durable);
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_int_equal(manifest_serial(f), 7);
	assert_true(status_of(f, other).has_version);
	publisher_close(f->publisher);
	images_rename(f, false);
	publisher_begin(f);
	assert_int_equal(status_of(f, apex).serial, 7);
	// And when there is one, it goes.
	publisher_close(f->publisher);
	images_rename(f, true);
	publisher_begin(f);
	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publisher_close(f->publisher);
	images_rename(f, false);
	publisher_begin(f);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_int_equal(images_on_disk(f), 2); // one of each zone
}

// A difference to a large version that lies on disk takes long, because that is verified first. A
// small zone's does not wait for it.
static void a_small_change_does_not_wait_for_a_large_base_on_disk(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, 100000, true));
	WAIT_FOR(f, f->token == 7);
	publisher_close(f->publisher);
	publisher_begin(f);
	before = f->answers;
	publisher_apply(f->publisher, apex, 8, 0, NULL, delta_make(7, 8, false));
	publisher_publish(f->publisher, other, 1, 0, NULL, zone_make(other, 1, 100, true));
	WAIT_FOR(f, f->answers > before);
	assert_int_equal(f->token, 1);
	assert_true(f->live);
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);
}

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

// The zone of RFC 8976 A.1, its second address with that TTL; `digest`: with its ZONEMD.
static struct records *zone_with_digest(unsigned ttl, bool digest)
{
	struct records *records = records_new(apex);
	struct zonefile_error error;
	char text[1024];
	int len = snprintf(text, sizeof(text),
	    "ns2 %u AAAA 2001:db8::63\n@ 86400 NS ns2\n@ 86400 NS ns1\nns1 3600 A 203.0.113.63\n"
	    "@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n%s",
	    ttl,
	    digest ? "@ 86400 ZONEMD 2018031900 1 1 ( c68090d90a7aed716bc459f9340e3d7c\n"
	             "1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c )\n"
	           : "");

	assert_int_equal(
	    zonefile_parse_text(text, (size_t)len, apex, record_take, records, &error), 0);
	return records;
}

static void publish_records(struct fixture *f, uint32_t token, struct records *records)
{
	publisher_publish(f->publisher, apex, token, 0, NULL, records);
	WAIT_FOR(f, f->token == token);
}

static void a_zone_whose_digest_is_wrong_is_refused(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 1, zone_with_digest(3600, true));
	assert_true(f->live);
	publish_records(f, 2, zone_with_digest(3601, true));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "does not have the digest"));
	assert_int_equal(f->plane.published, 1);
	publish_records(f, 3, zone_with_digest(3602, false)); // none: nothing to check
	assert_true(f->live);
}

static void what_a_digest_is_worth_is_configured(void **state)
{
	struct fixture *f = *state;
	struct config *config =
	    config_of(f, "  - {domain: example, primaries: p, zonemd-verify: on}\n");

	plane_connect(f, false);
	assert_int_equal(publisher_reconfigure(f->publisher, config), 0);
	config_free(f->config);
	f->config = config;
	publish_records(f, 1, zone_with_digest(3600, false));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "no ZONEMD record"));
	publish_records(f, 2, zone_with_digest(3600, true));
	assert_true(f->live);
	config = config_of(f, "  - {domain: example, primaries: p, zonemd-verify: off}\n");
	assert_int_equal(publisher_reconfigure(f->publisher, config), 0);
	config_free(f->config);
	f->config = config;
	publish_records(f, 3, zone_with_digest(3601, true));
	assert_true(f->live);
}

static void a_version_that_lost_most_records_waits_for_a_person(void **state)
{
	struct fixture *f = *state;
	struct publisher_status status;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 100, true)); // 102 records
	publish_records(f, 8, zone_make(apex, 8, 49, true));  // 51: half is allowed
	assert_true(f->live);
	publish_records(f, 9, zone_make(apex, 9, 100, true));
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	publish_records(f, 10, zone_make(apex, 10, 48, true));
	assert_false(f->live);
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "50 records, 52 less than the 102 served"));
	status = status_of(f, apex);
	assert_true(status.held);
	assert_int_equal(status.held_serial, 10);
	assert_int_equal(status.held_records, 50);
	assert_int_equal(status.serial, 9);
	assert_int_equal(f->plane.serial, 9);
	assert_string_not_equal(status.error, "");
	f->token = 0;
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	WAIT_FOR(f, f->token == 10);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 10);
	assert_false(status_of(f, apex).held);
	assert_string_equal(status_of(f, apex).error, "");
	WAIT_FOR(f, manifest_serial(f) == 10);
	// Now there are less than 100 records: any share is soon lost.
	publish_records(f, 11, zone_make(apex, 11, 1, true));
	assert_true(f->live);
}

// "8 rollback, 9 axfr, 7 axfr, 10 held": what there is, the version served first.
// What the version served has is not known without a descriptor; then nothing is known of less.
static void what_cannot_be_compared_is_not_published(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, none;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	assert_true(f->live);
	struct records *less = zone_make(apex, 8, 10, true);
	const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	publisher_publish(f->publisher, apex, 8, 0, NULL, less);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	assert_false(f->held);
	assert_non_null(
	    strstr(f->reason, "The version served cannot be read: Too many open files."));
	publish_records(f, 9, zone_make(apex, 9, 10, true));
	assert_true(f->held);
	assert_int_equal(status_of(f, apex).serial, 7);
}

static const char *versions_text(struct fixture *f)
{
	static const char hows[][9] = {"", "axfr", "ixfr", "file", "rollback"};
	struct publisher_version versions[HISTORY_VERSIONS_MAX];
	static char text[256];
	char *at = text;
	const size_t count = publisher_versions(f->publisher, apex, versions);

	*at = '\0';
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(versions[i].role == HISTORY_CURRENT, i == 0);
		assert_true(versions[i].when_ms > 0);
		at += sprintf(at, "%s%u %s", i > 0 ? ", " : "", versions[i].soa.serial,
		    versions[i].role == HISTORY_HELD ? "held" : hows[versions[i].how]);
	}
	return text;
}

static void a_version_that_was_served_is_served_again(void **state)
{
	struct fixture *f = *state;
	const uint32_t nine = 9;
	uint64_t generation;

	plane_connect(f, false);
	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	generation = status_of(f, apex).generation;
	assert_string_equal(versions_text(f), "9 axfr, 8 axfr, 7 axfr");
	assert_int_equal(publisher_rollback(f->publisher, apex, &nine, recalled, f), -ENOENT);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), -EBUSY);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "");
	assert_int_equal(f->plane.serial, 8);
	assert_true(status_of(f, apex).generation > generation);
	assert_int_equal(f->replaced, 1);
	assert_int_equal(f->replaced_serial, 8);
	assert_int_equal(f->replaced_origin, 4708);
	assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
	// The primary still has the newer one: nothing is taken until a person says so.
	publish(f, 10);
	assert_false(f->live);
	assert_string_equal(f->reason, "The zone is pinned.");
	publisher_apply(f->publisher, apex, 11, 0, NULL, delta_make(8, 11, false));
	assert_int_equal(f->token, 11);
	assert_false(f->live);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	// What led to the version that is back is still known, and what comes next follows it.
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	publisher_apply(f->publisher, apex, 12, 0, NULL, delta_make(8, 12, false));
	WAIT_FOR(f, f->token == 12);
	assert_true(f->live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>8 -1 +1, 8>12 -2 +3");
	assert_string_equal(versions_text(f), "12 ixfr, 8 rollback, 9 axfr");
}

static void history_and_pin_outlive_both_processes(void **state)
{
	struct fixture *f = *state;
	const uint32_t seven = 7;
	struct engine_stored stored;

	plane_connect(f, false);
	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	for (unsigned round = 0; round < 2; round++) {
		publisher_close(f->publisher);
		plane_close(&f->plane);
		publisher_begin(f);
		assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
		assert_true(status_of(f, apex).pinned);
		publisher_load(f->publisher, apex, &stored);
		assert_true(stored.pinned);
		assert_int_equal(stored.soa.serial, 8);
		assert_int_equal(stored.origin, 4708);
		f->plane.live = 0;
		plane_connect(f, false);
		WAIT_FOR(f, f->plane.serial == 8 && f->plane.live != 0);
	}
	// From a file, now.
	assert_int_equal(publisher_rollback(f->publisher, apex, &seven, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 2);
	assert_int_equal(f->plane.serial, 7);
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	WAIT_FOR(f, status_of(f, apex).durable);
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_false(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "7 rollback, 8 rollback, 9 axfr");
}

// Otherwise the next refresh would bring back what a person has taken away.
static void a_pin_holds_when_its_version_cannot_be_read_at_a_start(void **state)
{
	struct fixture *f = *state;

	for (uint32_t serial = 7; serial <= 9; serial++) {
		publish_from(f, serial, 4700 + serial);
		WAIT_FOR(f, status_of(f, apex).durable);
	}
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	WAIT_FOR(f, status_of(f, apex).durable);
	publisher_close(f->publisher);
	images_rename(f, true);
	publisher_begin(f);
	assert_false(status_of(f, apex).has_version);
	assert_true(status_of(f, apex).pinned);
	publish(f, 10);
	assert_false(f->live);
	assert_string_equal(f->reason, "The zone is pinned.");
	publisher_close(f->publisher);
	images_rename(f, false);
	publisher_begin(f);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_true(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "8 rollback, 9 axfr, 7 axfr");
}

static void a_rollback_that_is_refused_changes_nothing(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	publish(f, 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	f->plane.manner = REFUSE;
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_non_null(strstr(f->recall_reason, "it does not please"));
	assert_int_equal(f->replaced, 0);
	assert_int_equal(status_of(f, apex).serial, 8);
	assert_false(status_of(f, apex).pinned);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	// A version being made gives way to a person's order.
	f->plane.manner = TAKE;
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, 100, true));
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	assert_int_equal(f->token, 9);
	assert_false(f->live);
	WAIT_FOR(f, f->recalled == 2);
	assert_string_equal(f->recall_reason, "");
	assert_int_equal(f->plane.serial, 7);
}

static void without_a_data_plane_a_rollback_is_stored(void **state)
{
	struct fixture *f = *state;

	publish(f, 7);
	publish(f, 8);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "");
	WAIT_FOR(f, manifest_serial(f) == 7);
}

static void a_held_version_outlives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct engine_stored stored;

	plane_connect(f, false);
	publish_from(f, 7, 4711);
	publisher_publish(f->publisher, apex, 8, 4711, NULL, zone_make(apex, 8, 3, true));
	WAIT_FOR(f, f->token == 8);
	assert_true(f->held);
	publisher_close(f->publisher);
	plane_close(&f->plane);
	publisher_begin(f);
	assert_string_equal(versions_text(f), "7 axfr, 8 held");
	assert_true(status_of(f, apex).held);
	assert_int_equal(status_of(f, apex).held_records, 5);
	assert_non_null(strstr(status_of(f, apex).error, "Held since before a restart"));
	publisher_load(f->publisher, apex, &stored);
	assert_true(stored.has_held);
	assert_int_equal(stored.held_serial, 8);
	f->plane.live = 0;
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.serial == 7 && f->plane.live != 0);
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->replaced == 1); // nobody knows its token any more
	assert_int_equal(f->replaced_serial, 8);
	assert_int_equal(f->replaced_origin, 4711);
	assert_int_equal(f->plane.serial, 8);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	WAIT_FOR(f, manifest_serial(f) == 8);
	WAIT_FOR(f, status_of(f, apex).durable);
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_string_equal(versions_text(f), "8 axfr, 7 axfr");
	assert_int_equal(images_on_disk(f), 2);
}

static void diff_found(void *ctx, const struct delta *delta, const char *reason)
{
	struct fixture *f = ctx;

	f->recalled++;
	snprintf(f->recall_reason, sizeof(f->recall_reason), "%u>%u: %zu", delta->from, delta->to,
	    delta->changes->count);
}

static void two_kept_versions_are_compared(void **state)
{
	struct fixture *f = *state;
	struct publisher_version versions[HISTORY_VERSIONS_MAX];

	publish(f, 7);
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, 90, true));
	WAIT_FOR(f, f->token == 9);
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_int_equal(publisher_versions(f->publisher, apex, versions), 2);
	assert_int_equal(publisher_diff(f->publisher, apex, versions[1].generation,
	                     versions[0].generation, diff_found, f),
	    0);
	WAIT_FOR(f, f->recalled == 1);
	assert_string_equal(f->recall_reason, "7>9: 12");
	assert_int_equal(publisher_diff(f->publisher, apex, 4711, 1, diff_found, f), -ENOENT);
}

static void a_later_version_takes_the_place_of_one_that_is_held(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	publish_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held);
	publish_records(f, 9, zone_make(apex, 9, 4, true)); // held as well
	assert_true(f->held);
	assert_int_equal(status_of(f, apex).held_serial, 9);
	publish_records(f, 10, zone_make(apex, 10, 99, true));
	assert_true(f->live);
	assert_false(status_of(f, apex).held);
	assert_int_equal(publisher_accept(f->publisher, apex), -ENOENT);
	publish_records(f, 11, zone_make(apex, 11, 3, true)); // and one is held at the end
	assert_true(f->held);
}

static void a_signed_zone_that_comes_unsigned_waits_for_a_person(void **state)
{
	struct fixture *f = *state;
	struct records *records = zone_make(apex, 7, 3, true);
	static const uint8_t dnskey[] = {1, 1, 3, 8, 1, 2, 3, 4};

	assert_int_equal(records_add(records, apex, RRTYPE_DNSKEY, 60, dnskey, sizeof(dnskey)), 0);
	plane_connect(f, false);
	publish_records(f, 7, records);
	assert_true(f->live);
	publish_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "no DNSKEY"));
}

static void hold_records(struct fixture *f, uint32_t token, struct records *records)
{
	publisher_publish(f->publisher, apex, token, 0, "Held: too few have it.", records);
	WAIT_FOR(f, f->token == token);
}

static void what_too_few_primaries_have_waits_for_more_or_for_a_person(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	hold_records(f, 7, zone_make(apex, 7, 100, true)); // also where nothing is served
	assert_true(f->held_short && !f->live);
	assert_string_equal(f->reason, "Held: too few have it.");
	assert_string_equal(status_of(f, apex).error, "Held: too few have it.");
	assert_int_equal(status_of(f, apex).held_serial, 7);
	publisher_agreed(f->publisher, apex, 70);
	WAIT_FOR(f, f->token == 70);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 7);
	assert_false(status_of(f, apex).held);
	assert_string_equal(status_of(f, apex).error, "");

	hold_records(f, 8, zone_make(apex, 8, 100, true));
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->live && f->token == 8);
	assert_int_equal(f->plane.serial, 8);
	publisher_agreed(f->publisher, apex, 80); // nothing is held any more
	assert_int_equal(f->token, 80);
	assert_false(f->live);
}

// Agreement says that this is what the primaries have, not that it is no accident.
static void what_primaries_agree_on_and_lost_most_records_waits_for_a_person(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	hold_records(f, 8, zone_make(apex, 8, 3, true));
	assert_true(f->held && !f->held_short);
	assert_non_null(strstr(f->reason, "shrink-limit"));
	publisher_agreed(f->publisher, apex, 80);
	assert_int_equal(f->token, 80);
	assert_false(f->live);
	assert_true(status_of(f, apex).held);
	assert_int_equal(f->plane.serial, 7);
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->live && f->token == 8);
}

static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

#define MANY      700
#define IN_MEMORY 512 // as in publish.c

static const uint8_t *many_apex(unsigned i)
{
	static uint8_t name[8];

	snprintf((char *)name, sizeof(name), "\5z%04u", i);
	return name;
}

static void many_publish(struct fixture *f, unsigned i, uint32_t serial)
{
	const unsigned before = f->answers;

	publisher_publish(
	    f->publisher, many_apex(i), serial, 0, NULL, zone_make(many_apex(i), serial, 5, true));
	WAIT_FOR(f, f->answers > before);
}

static bool many_durable(const struct fixture *f, unsigned i)
{
	struct publisher_status status;

	return publisher_status(f->publisher, many_apex(i), &status) && status.durable;
}

// All but one.
static void many_read(struct fixture *f, unsigned but)
{
	struct reading reading;

	for (unsigned i = 0; i < MANY; i++) {
		int rc;

		if (i == but)
			continue;
		WAIT_FOR(f, (rc = publisher_read(f->publisher, many_apex(i), &reading)) != -EAGAIN);
		assert_int_equal(rc, 0);
		publisher_read_end(f->publisher, &reading);
	}
}

// Each image in memory is a descriptor, and who reads zones back reads all of them one day.
static void images_that_are_read_back_do_not_all_stay_in_memory(void **state)
{
	struct fixture *f = *state;
	struct config_error error;
	struct reading reading;
	unsigned busy = 0;
	char *text = malloc(MANY * 40 + 256);
	int len = sprintf(text,
	    "server: {rundir: %s/run, storage: %s/store}\n"
	    "remote: [{id: p, address: 192.0.2.1}]\nzone:\n",
	    f->folder, f->folder);

	for (unsigned i = 0; i < MANY; i++)
		len += sprintf(text + len, "  - {domain: z%04u, primaries: p}\n", i);
	config_free(f->config);
	assert_int_equal(config_parse(text, (size_t)len, 0, &f->config, &error), 0);
	free(text);
	assert_int_equal(publisher_reconfigure(f->publisher, f->config), 0);
	const unsigned before = descriptors();

	for (unsigned i = 0; i < MANY; i++)
		many_publish(f, i, 1);
	for (unsigned i = 0; i < MANY; i++)
		WAIT_FOR(f, many_durable(f, i));
	assert_in_range(descriptors(), before, before + IN_MEMORY + 8);

	many_read(f, MANY);
	assert_in_range(descriptors(), before, before + IN_MEMORY + 8);

	// One has a version on its way while its turn comes, and the version is refused.
	f->plane.manner = TAKE_OLDER;
	plane_connect(f, false);
	WAIT_FOR(f, f->plane.published >= MANY);
	many_read(f, MANY);
	f->plane.manner = PONDER;
	f->plane.published = 0;
	const unsigned answers = f->answers;

	while (publisher_peek(f->publisher, many_apex(busy), &reading) < 0)
		assert_in_range(++busy, 0, MANY - 1);
	publisher_read_end(f->publisher, &reading);
	publisher_publish(
	    f->publisher, many_apex(busy), 2, 0, NULL, zone_make(many_apex(busy), 2, 5, true));
	WAIT_FOR(f, f->plane.published > 0);
	many_read(f, busy);
	many_read(f, busy);
	assert_int_equal(publisher_peek(f->publisher, many_apex(busy), &reading), 0);
	publisher_read_end(f->publisher, &reading);
	f->plane.pondered.type = SEAM_REJECT;
	strcpy(f->plane.pondered.zone.text, "it does not please");
	plane_send(&f->plane, &f->plane.pondered);
	WAIT_FOR(f, f->answers > answers);
	many_read(f, busy);
	many_read(f, busy);
	assert_int_equal(publisher_peek(f->publisher, many_apex(busy), &reading), -EAGAIN);
}

static void without_a_limit_nothing_is_held(void **state)
{
	struct fixture *f = *state;
	struct config *config =
	    config_of(f, "  - {domain: example, primaries: p, shrink-limit: off}\n");

	assert_int_equal(publisher_reconfigure(f->publisher, config), 0);
	config_free(f->config);
	f->config = config;
	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 100, true));
	publish_records(f, 8, zone_make(apex, 8, 1, true));
	assert_true(f->live);
}

// Sends a signal to every child of this process.
static unsigned children_signal(int sig)
{
	char path[64], line[256] = "";
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "re");
	assert_non_null(file);
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	for (char *at = line, *end; *at != '\0'; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		count += kill((pid_t)pid, sig) == 0;
	}
	return count;
}

// One that stands still gets its request and is killed. Another takes it up, at most once.
static void a_compiler_that_crashes_twice_is_a_reported_failure(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish(f, 7);
	assert_true(children_signal(SIGSTOP) > 0);
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, 100, true));
	for (int i = 0; i < 20; i++) // it has its request now
		turn(f);
	assert_true(children_signal(SIGKILL) > 0);
	WAIT_FOR(f, f->token == 8);
	assert_true(f->live);

	// One that takes longer than a turn.
	publisher_publish(f->publisher, apex, 10, 0, NULL, zone_make(apex, 10, 50000, true));
	for (const int64_t until = now_ms() + WAIT_MS; f->token != 10 && now_ms() < until;) {
		(void)children_signal(SIGKILL);
		turn(f);
	}
	assert_int_equal(f->token, 10);
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "The compiler crashed"));
	publish(f, 11); // by another child
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 11);
}

static void a_broken_manifest_is_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[96];
	int fd;

	publish(f, 7);
	publisher_close(f->publisher);
	snprintf(path, sizeof(path), "%s/store/manifest", f->folder);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 100), 1);
	close(fd);
	publisher_begin(f);
	assert_false(status_of(f, apex).has_version);
	snprintf(path, sizeof(path), "%s/store/manifest.broken", f->folder);
	assert_int_equal(access(path, R_OK), 0);
	publish(f, 8);
	assert_true(f->live);
}

static void two_control_planes_do_not_share_a_storage(void **state)
{
	struct fixture *f = *state;
	const struct publisher_ops ops = {0};
	char error[PUBLISH_REASON_MAX];
	struct publisher *second;

	assert_true(publisher_open(f->base, f->config, &ops, &second, error) < 0);
	assert_null(second);
	assert_non_null(strstr(error, "Another np-controlplane"));
}

static bool manifest_has_key(const struct fixture *f, const uint64_t key[2])
{
	char storage[96], error[MANIFEST_ERROR_MAX];
	struct manifest manifest;

	snprintf(storage, sizeof(storage), "%s/store", f->folder);
	if (manifest_load(storage, &manifest, error) < 0)
		return false;
	const bool same = memcmp(manifest.hash_key, key, sizeof(manifest.hash_key)) == 0;
	manifest_free(&manifest);
	return same;
}

// A node whose storage was lost: the key of what is served outlives the next restart, too.
static void the_key_of_what_is_served_is_taken_over_for_good(void **state)
{
	static const uint64_t key[2] = {11, 22};
	struct fixture *f = *state;

	for (unsigned i = 0; i < 100; i++) // meanwhile there is a manifest with a key of our own
		turn(f);
	memcpy(f->plane.key, key, sizeof(key));
	plane_connect(f, false);
	for (unsigned i = 0; i < 50; i++) // it said so before there was anything to build
		turn(f);
	publish(f, 7);
	assert_true(f->live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	assert_true(manifest_has_key(f, key));
}

// Its image is so large that the data plane's proof stands for ours.
#define LARGE 60000

static void a_large_version_is_stored_when_the_data_plane_has_proven_it(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	f->plane.manner = PONDER;
	publisher_publish(f->publisher, apex, 7, 0, NULL, zone_make(apex, 7, LARGE, true));
	WAIT_FOR(f, f->plane.published == 1);
	for (unsigned i = 0; i < 50; i++)
		turn(f);
	assert_int_equal(f->answers, 0);
	assert_int_equal(images_on_disk(f), 0);
	f->plane.live = f->plane.pondered.generation;
	plane_send(&f->plane, &f->plane.pondered);
	WAIT_FOR(f, f->live);
	WAIT_FOR(f, manifest_serial(f) == 7);
	// Not one that it refuses.
	f->plane.manner = REFUSE;
	publisher_publish(f->publisher, apex, 8, 0, NULL, zone_make(apex, 8, LARGE, true));
	WAIT_FOR(f, f->token == 8);
	assert_false(f->live);
	for (unsigned i = 0; i < 50; i++)
		turn(f);
	assert_int_equal(manifest_serial(f), 7);
	// Less is seen without a look into the image.
	f->plane.manner = TAKE;
	publisher_publish(f->publisher, apex, 9, 0, NULL, zone_make(apex, 9, LARGE / 3, true));
	WAIT_FOR(f, f->token == 9);
	assert_true(f->held);
}

// At any moment of the build: without it the version is proven and stored here, or it waits
// for the next one.
static void a_data_plane_goes_during_a_large_build(void **state)
{
	struct fixture *f = *state;
	int64_t began, whole_ms;

	plane_connect(f, false);
	began = now_ms();
	publisher_publish(f->publisher, apex, 1, 0, NULL, zone_make(apex, 1, LARGE, true));
	WAIT_FOR(f, f->live);
	whole_ms = now_ms() - began;
	for (uint32_t serial = 2; serial < 10; serial++) {
		const unsigned answers = f->answers;

		publisher_publish(
		    f->publisher, apex, serial, 0, NULL, zone_make(apex, serial, LARGE, true));
		for (began = now_ms(); now_ms() - began < whole_ms * (serial - 2) / 7;)
			turn(f);
		f->plane.highest = f->plane.live;
		plane_close(&f->plane);
		for (began = now_ms(); f->answers == answers && now_ms() - began < 2 * whole_ms;)
			turn(f);
		plane_connect(f, true);
		WAIT_FOR(f, f->answers > answers);
		assert_true(f->live);
		WAIT_FOR(f, manifest_serial(f) == serial);
		WAIT_FOR(f, f->plane.serial == serial);
	}
}

// --- a zone that comes again
// -----------------------------------------------------------------------------------------------

struct held_open {
	struct fixture *fixture;
	struct reading reading;
};

static void again_release(void *ctx)
{
	struct held_open *held = ctx;

	publisher_read_end(held->fixture->publisher, &held->reading);
	free(held);
}

// What is served is opened, and the records of `zone` come. Post: what is not the same.
static struct seen *again(struct fixture *f, struct records *zone, struct records **rest)
{
	struct held_open *held = calloc(1, sizeof(*held));

	held->fixture = f;
	*rest = records_new(apex);
	assert_int_equal(publisher_peek(f->publisher, apex, &held->reading), 0);
	struct seen *seen =
	    seen_new(&held->reading.version, held->reading.content, again_release, held);

	for (size_t i = 0; i < zone->count; i++) {
		const struct record *r = &zone->items[i];

		assert_int_equal(
		    seen_record(seen, *rest, r->owner, r->type, r->ttl, r->rdata, r->rdlen), 0);
	}
	assert_int_equal(seen_end(seen, *rest), 0);
	records_free(zone);
	return seen;
}

// The first `changed` hosts have another address.
static struct records *zone_changed(uint32_t serial, unsigned hosts, unsigned changed)
{
	struct records *records = zone_make(apex, serial, hosts, true);

	for (unsigned i = 0; i < changed; i++)
		((uint8_t *)(uintptr_t)records->items[2 + i].rdata)[0] = 10;
	return records;
}

static void replace(struct fixture *f, uint32_t serial, struct records *zone)
{
	struct records *rest;
	struct seen *seen = again(f, zone, &rest);

	publisher_replace(f->publisher, apex, serial, 4711, NULL, rest, seen);
	WAIT_FOR(f, f->token == serial);
}

static const struct publisher_version *newest(struct fixture *f)
{
	static struct publisher_version versions[HISTORY_VERSIONS_MAX];

	assert_true(publisher_versions(f->publisher, apex, versions) > 0);
	return &versions[0];
}

static void a_zone_that_comes_again_is_a_difference(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	const uint64_t base_size = newest(f)->image_size;

	replace(f, 8, zone_changed(8, 4000, 3));
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 8);
	assert_int_equal(newest(f)->how, HISTORY_AXFR);
	assert_int_equal(newest(f)->origin, 4711);
	assert_int_equal(newest(f)->rr_count, 4002);
	assert_true(newest(f)->image_size < base_size + 16384); // a layer
	replace(f, 9, zone_changed(9, 4001, 4));                // on layers
	assert_true(f->live);
	assert_int_equal(newest(f)->rr_count, 4003);
	WAIT_FOR(f, strcmp(journal_text(f), "7>8 -4 +4, 8>9 -2 +3") == 0);
}

static void a_zone_that_is_another_when_it_comes_again_is_taken_whole(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	replace(f, 8, zone_changed(8, 4000, 3000));
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 8);
	assert_int_equal(newest(f)->rr_count, 4002);
	WAIT_FOR(f, status_of(f, apex).durable);
	replace(f, 9, zone_make(apex, 9, 10, true)); // and is judged as such
	assert_true(f->held);
	assert_non_null(strstr(f->reason, "12 records, 3990 less than the 4002 served"));
	replace(f, 10, zone_make(apex, 10, 4000, false));
	assert_false(f->live);
	assert_non_null(strstr(f->reason, "no NS record"));
	assert_int_equal(f->plane.serial, 8);
}

static void what_came_again_is_whole_when_another_version_is_served_by_then(void **state)
{
	struct fixture *f = *state;
	struct records *rest;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	struct seen *seen = again(f, zone_changed(9, 4000, 3), &rest);

	publish_records(f, 8, zone_changed(8, 3900, 100));
	assert_true(f->live);
	publisher_replace(f->publisher, apex, 9, 0, NULL, rest, seen);
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 9);
	assert_int_equal(newest(f)->rr_count, 4002);
	// The publisher ends meanwhile.
	seen = again(f, zone_changed(11, 4000, 3), &rest);
	publisher_replace(f->publisher, apex, 11, 0, NULL, rest, seen);
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_int_equal(newest(f)->rr_count, 4002);
}

// What the transfer was compared with is that very version: it went live while the primary was
// asked.
static void what_came_again_and_is_served_by_then_is_live(void **state)
{
	struct fixture *f = *state;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	const uint64_t generation = status_of(f, apex).generation;

	f->token = 0;
	replace(f, 7, zone_make(apex, 7, 4000, true));
	assert_true(f->live);
	assert_int_equal(status_of(f, apex).generation, generation); // equal is not published
	replace(f, 8, zone_changed(8, 4000, 3));
	assert_true(f->live);
	f->token = 0;
	replace(f, 8, zone_changed(8, 4000, 3)); // on layers
	assert_true(f->live);
	assert_int_equal(f->plane.serial, 8);
	assert_int_equal(newest(f)->rr_count, 4002);
}

// The difference led to it from another version than the one it takes the place of.
static void what_was_held_over_a_rollback_is_journaled_as_it_differs(void **state)
{
	struct fixture *f = *state;
	struct records *rest;

	plane_connect(f, false);
	publish_records(f, 7, zone_make(apex, 7, 4000, true));
	publish_records(f, 8, zone_changed(8, 4000, 3));
	struct seen *seen = again(f, zone_changed(9, 4000, 4), &rest);

	publisher_replace(f->publisher, apex, 9, 0, "one primary has it", rest, seen);
	WAIT_FOR(f, f->token == 9);
	assert_false(f->live);
	assert_int_equal(publisher_rollback(f->publisher, apex, NULL, recalled, f), 0);
	WAIT_FOR(f, f->recalled == 1);
	assert_int_equal(publisher_pin(f->publisher, apex, false), 0);
	f->token = 0;
	assert_int_equal(publisher_accept(f->publisher, apex), 0);
	WAIT_FOR(f, f->token == 9);
	assert_true(f->live);
	WAIT_FOR(f, status_of(f, apex).durable);
	assert_string_equal(journal_text(f), "7>9 -5 +5");
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(the_key_of_what_is_served_is_taken_over_for_good),
	    CASE(a_large_version_is_stored_when_the_data_plane_has_proven_it),
	    CASE(a_data_plane_goes_during_a_large_build),
	    CASE(a_version_is_live_first_and_durable_soon_after),
	    CASE(without_a_data_plane_stored_is_as_good_as_live),
	    CASE(a_refused_version_changes_nothing),
	    CASE(a_zone_the_compiler_refuses_names_the_reason),
	    CASE(a_version_that_kills_the_data_plane_is_given_up),
	    CASE(a_version_beyond_memory_max_is_refused_and_the_old_one_stays),
	    CASE(versions_under_way_count_for_memory_max),
	    CASE(a_version_is_worked_on_until_it_is_answered),
	    CASE(an_equal_version_is_not_sent_again),
	    CASE(a_restarted_control_plane_serves_a_restarted_data_plane),
	    CASE(a_stored_version_that_is_refused_is_sent_again),
	    CASE(what_the_data_plane_has_already_is_not_sent),
	    CASE(generations_grow_past_what_the_data_plane_has_seen),
	    CASE(timers_outlive_a_restart),
	    CASE(timers_that_did_not_change_are_not_written_again),
	    CASE(timers_of_a_full_disk_are_those_that_were_there),
	    CASE(a_zone_that_is_taken_out_is_withdrawn),
	    CASE(three_versions_are_kept_and_found_again),
	    CASE(a_difference_makes_the_next_version_of_the_one_served),
	    CASE(a_difference_that_does_not_fit_changes_nothing),
	    CASE(what_came_since_does_not_hold_up_a_difference),
	    CASE(differences_given_out_are_bounded_together),
	    CASE(a_difference_follows_a_restart),
	    CASE(an_overlay_takes_its_base_from_the_disk_along),
	    CASE(the_origin_of_another_version_is_not_taken_for_that_of_this_one),
	    CASE(a_zone_that_comes_again_is_a_difference),
	    CASE(a_zone_that_is_another_when_it_comes_again_is_taken_whole),
	    CASE(what_came_again_is_whole_when_another_version_is_served_by_then),
	    CASE(what_came_again_and_is_served_by_then_is_live),
	    CASE(what_was_held_over_a_rollback_is_journaled_as_it_differs),
	    CASE(the_journal_has_what_led_to_the_version_served),
	    CASE(a_journal_that_cannot_be_written_holds_up_nothing),
	    CASE(a_stored_version_that_has_rotted_is_no_base_for_a_difference),
	    CASE(a_version_that_is_broken_at_a_start_is_served_as_it_was_before),
	    CASE(when_the_one_before_is_broken_too_the_zone_starts_anew),
	    CASE(a_later_serial_is_not_what_a_zone_falls_back_to),
	    CASE(what_cannot_be_read_at_a_start_is_there_at_the_next),
	    CASE(a_small_change_does_not_wait_for_a_large_base_on_disk),
	    CASE(what_cannot_be_compared_is_not_published),
	    CASE(a_zone_whose_digest_is_wrong_is_refused),
	    CASE(what_a_digest_is_worth_is_configured),
	    CASE(a_version_that_lost_most_records_waits_for_a_person),
	    CASE(a_version_that_was_served_is_served_again),
	    CASE(history_and_pin_outlive_both_processes),
	    CASE(a_pin_holds_when_its_version_cannot_be_read_at_a_start),
	    CASE(a_rollback_that_is_refused_changes_nothing),
	    CASE(without_a_data_plane_a_rollback_is_stored),
	    CASE(a_held_version_outlives_a_restart),
	    CASE(two_kept_versions_are_compared),
	    CASE(a_later_version_takes_the_place_of_one_that_is_held),
	    CASE(a_signed_zone_that_comes_unsigned_waits_for_a_person),
	    CASE(what_too_few_primaries_have_waits_for_more_or_for_a_person),
	    CASE(what_primaries_agree_on_and_lost_most_records_waits_for_a_person),
	    CASE(images_that_are_read_back_do_not_all_stay_in_memory),
	    CASE(without_a_limit_nothing_is_held),
	    CASE(a_compiler_that_crashes_twice_is_a_reported_failure),
	    CASE(a_broken_manifest_is_set_aside),
	    CASE(two_control_planes_do_not_share_a_storage),
	};

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return compiler_child_main();
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
