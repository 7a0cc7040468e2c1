// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Many small zones at once, against a scripted data plane that takes parcels, refuses all or one of
// a parcel, or dies over it. The compiler child is real: this program started again.
#include "publish.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler_child.h"
#include "image.h"
#include "rrtype.h"
#include "seam.h"

#define WAIT_MS 20000 // far more than any step takes on a busy machine
#define ZONES   200
#define ODD     77 // the zone that is another case

struct data_plane {
	int sock; // -1: not connected
	struct event *event;
	enum { TAKE, REFUSE_ODD, REFUSE_PARCELS, DIE } manner;
	unsigned parcels, in_parcels, alone; // messages, zones in them, PUBLISHes
	uint32_t serial[ZONES];              // that it serves
	uint64_t generation[ZONES];
};

struct fixture {
	char folder[64];
	struct event_base *base;
	struct publisher *publisher;
	struct config *config;
	struct data_plane plane;
	unsigned live, rejected;
	unsigned rejected_zone;
	char reason[PUBLISH_REASON_MAX];
};

static const uint8_t *zone_apex(unsigned i)
{
	static uint8_t name[8];

	snprintf((char *)name, sizeof(name), "\5z%04u", i % 10000);
	return name;
}

static unsigned zone_number(const uint8_t *name)
{
	return (unsigned)atoi((const char *)name + 2);
}

// So many tables of parcels are not written: those are what a memfd begins with.
static unsigned tables_failing;

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	if (tables_failing > 0 && at == 0 && len % sizeof(struct seam_parcel_entry) == 0 &&
	    fcntl(fd, F_GET_SEALS) == 0) {
		tables_failing--;
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

// --- the scripted data plane
// ----------------------------------------------------------------------

static void plane_close(struct data_plane *plane)
{
	if (plane->sock < 0)
		return;
	event_free(plane->event);
	close(plane->sock);
	plane->sock = -1;
}

static void plane_say(struct data_plane *plane, enum seam_type type, const struct seam_name *name,
    uint64_t generation)
{
	struct seam_message reply = {.type = type, .generation = generation};

	if (name != NULL)
		reply.zone.name = *name;
	reply.zone.id = name != NULL;
	if (type == SEAM_REJECT)
		strcpy(reply.zone.text, "it does not please");
	assert_int_equal(seam_send(plane->sock, &reply, -1), 0);
}

// It takes what is an image of that zone and serial.
static void image_take(struct data_plane *plane, const struct seam_name *name, uint32_t serial,
    uint64_t generation, const void *mem, uint64_t size)
{
	const struct image_header *header = mem;
	const unsigned zone = zone_number(name->wire);
	char error[IMAGE_ERROR_MAX];

	assert_int_equal(image_verify(mem, size, error), 0);
	assert_int_equal(header->serial, serial);
	assert_memory_equal(image_apex(header), name->wire, name->len);
	assert_true(generation > plane->generation[zone]);
	plane->serial[zone] = serial;
	plane->generation[zone] = generation;
}

static void parcel_take(struct data_plane *plane, const struct seam_message *message, int fd)
{
	const struct seam_parcel_entry *entries;
	const void *mem;

	plane->parcels++;
	assert_true(image_is_sealed(fd));
	if (plane->manner == DIE) {
		plane_close(plane);
		return;
	}
	if (plane->manner == REFUSE_PARCELS) {
		plane_say(plane, SEAM_REJECT, NULL, message->generation);
		return;
	}
	assert_int_equal(image_map(fd, 0, message->parcel.size, &mem), 0);
	entries = mem;
	for (uint64_t i = 0; i < message->parcel.count; i++) {
		plane->in_parcels++;
		if (plane->manner == REFUSE_ODD && zone_number(entries[i].name.wire) == ODD)
			plane_say(plane, SEAM_REJECT, &entries[i].name, entries[i].generation);
		else
			image_take(plane, &entries[i].name, entries[i].serial,
			    entries[i].generation, (const uint8_t *)mem + entries[i].offset,
			    entries[i].size);
	}
	image_unmap(mem, message->parcel.size);
	plane_say(plane, SEAM_LIVE, NULL, message->generation);
}

static void publish_take(struct data_plane *plane, const struct seam_message *message, int fd)
{
	const void *mem;

	plane->alone++;
	assert_true(image_is_sealed(fd));
	if (plane->manner == REFUSE_ODD && zone_number(message->publish.name.wire) == ODD) {
		plane_say(plane, SEAM_REJECT, &message->publish.name, message->generation);
		return;
	}
	assert_int_equal(
	    image_map(fd, message->publish.image_offset, message->publish.image_size, &mem), 0);
	image_take(plane, &message->publish.name, message->publish.serial, message->generation, mem,
	    message->publish.image_size);
	image_unmap(mem, message->publish.image_size);
	plane_say(plane, SEAM_LIVE, &message->publish.name, message->generation);
}

static void plane_readable(evutil_socket_t sock, short what, void *arg)
{
	struct data_plane *plane = arg;
	struct seam_message message;
	int fd, rc = seam_receive(sock, &message, &fd);

	if (rc == -EAGAIN)
		return;
	assert_int_equal(rc, 0);
	if (message.type == SEAM_PARCEL)
		parcel_take(plane, &message, fd);
	else if (message.type == SEAM_PUBLISH)
		publish_take(plane, &message, fd);
	if (fd >= 0)
		close(fd);
}

static void plane_connect(struct fixture *f)
{
	struct seam_message message = {.type = SEAM_HELLO};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct data_plane *plane = &f->plane;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/%s", f->folder, SEAM_SOCKET);
	plane->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(plane->sock, (struct sockaddr *)&address, sizeof(address)), 0);
	plane->event = event_new(f->base, plane->sock, EV_READ | EV_PERSIST, plane_readable, plane);
	event_add(plane->event, NULL);
	message.hello.protocol = SEAM_PROTOCOL;
	assert_int_equal(seam_send(plane->sock, &message, -1), 0);
	message = (struct seam_message){.type = SEAM_HELLO_END};
	assert_int_equal(seam_send(plane->sock, &message, -1), 0);
}

// --- the fixture
// ----------------------------------------------------------------------------------

static void published(
    void *ctx, const uint8_t *name, uint32_t token, enum engine_verdict verdict, const char *reason)
{
	struct fixture *f = ctx;

	f->live += verdict == ENGINE_LIVE;
	if (verdict == ENGINE_LIVE)
		return;
	f->rejected++;
	f->rejected_zone = zone_number(name);
	snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

static void publisher_begin(struct fixture *f)
{
	const struct publisher_ops ops = {.ctx = f, .published = published};
	char error[PUBLISH_REASON_MAX];

	if (publisher_open(f->base, f->config, &ops, &f->publisher, error) < 0)
		fail_msg("%s", error);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct config_error error;
	char *text = malloc(ZONES * 40 + 256);
	int len;

	strcpy(f->folder, "/dev/shm/bundle_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	len = sprintf(text,
	    "server: {rundir: %s/run, storage: %s/store}\n"
	    "remote: [{id: p, address: 192.0.2.1}]\nzone:\n",
	    f->folder, f->folder);
	for (unsigned i = 0; i < ZONES; i++)
		len += sprintf(text + len, "  - {domain: z%04u, primaries: p}\n", i);
	assert_int_equal(config_parse(text, (size_t)len, 0, &f->config, &error), 0);
	free(text);
	f->base = event_base_new();
	f->plane.sock = -1;
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

static void zone_publish(struct fixture *f, unsigned i, uint32_t serial, bool ns)
{
	const uint8_t *name = zone_apex(i);
	struct records *records = records_new(name);
	uint8_t soa[22] = {0}; // both names are the root
	const uint32_t fields[5] = {serial, 60, 30, 600, 60};

	for (int k = 0; k < 20; k++)
		soa[2 + k] = (uint8_t)(fields[k / 4] >> (24 - 8 * (k % 4)));
	assert_int_equal(records_add(records, name, RRTYPE_SOA, 60, soa, sizeof(soa)), 0);
	if (ns)
		assert_int_equal(
		    records_add(records, name, RRTYPE_NS, 60, (const uint8_t *)"\2ns\4test", 9), 0);
	publisher_publish(f->publisher, name, serial, 0, NULL, records);
}

static void all_publish(struct fixture *f, uint32_t serial)
{
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, serial, true);
	WAIT_FOR(f, f->live + f->rejected == ZONES);
}

static bool all_durable(struct fixture *f, uint32_t serial)
{
	for (unsigned i = 0; i < ZONES; i++) {
		struct publisher_status status;

		if (!publisher_status(f->publisher, zone_apex(i), &status) || !status.durable ||
		    status.serial != serial)
			return false;
	}
	return true;
}

static void plane_serves(const struct fixture *f, uint32_t serial, unsigned but)
{
	for (unsigned i = 0; i < ZONES; i++)
		assert_int_equal(f->plane.serial[i], i == but ? 0 : serial);
}

// --- the cases
// ------------------------------------------------------------------------------------

static void many_at_once_go_in_parcels(void **state)
{
	struct fixture *f = *state;

	plane_connect(f);
	for (unsigned i = 0; i < 3; i++)
		turn(f);
	all_publish(f, 1);
	assert_int_equal(f->live, ZONES);
	plane_serves(f, 1, ZONES);
	// The first may go alone, before the others come.
	assert_in_range(f->plane.in_parcels, ZONES - 8, ZONES);
	assert_in_range(f->plane.parcels, 1, ZONES / 20);
}

static void what_a_bundle_stored_is_found_again(void **state)
{
	struct fixture *f = *state;

	all_publish(f, 1); // nobody is connected: it is live when it is stored
	WAIT_FOR(f, all_durable(f, 1));
	publisher_close(f->publisher);
	publisher_begin(f);
	assert_true(all_durable(f, 1));
	plane_connect(f);
	WAIT_FOR(f, f->plane.serial[ZONES - 1] == 1 && f->plane.alone >= ZONES);
	plane_serves(f, 1, ZONES);
}

static void one_that_does_not_compile_is_refused_alone(void **state)
{
	struct fixture *f = *state;

	plane_connect(f);
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, 1, i != ODD);
	WAIT_FOR(f, f->live + f->rejected == ZONES);
	assert_int_equal(f->rejected, 1);
	assert_int_equal(f->rejected_zone, ODD);
	assert_non_null(strstr(f->reason, "NS"));
	plane_serves(f, 1, ODD);
}

static void one_that_the_data_plane_refuses_leaves_the_others(void **state)
{
	struct fixture *f = *state;

	f->plane.manner = REFUSE_ODD;
	plane_connect(f);
	all_publish(f, 1);
	assert_int_equal(f->rejected, 1);
	assert_int_equal(f->rejected_zone, ODD);
	assert_non_null(strstr(f->reason, "it does not please"));
	plane_serves(f, 1, ODD);
}

// What is live is what is renewed: to name another generation would let the zone expire.
static void one_that_is_refused_is_known_to_serve_what_it_had(void **state)
{
	struct fixture *f = *state;
	struct publisher_status status;

	plane_connect(f);
	for (unsigned i = 0; i < 3; i++)
		turn(f);
	all_publish(f, 1);
	f->plane.manner = REFUSE_ODD;
	f->live = f->rejected = 0;
	all_publish(f, 2);
	assert_int_equal(f->rejected, 1);
	for (unsigned i = 0; i < 20; i++) // the parcel's LIVE comes behind the REJECT
		turn(f);
	assert_true(publisher_status(f->publisher, zone_apex(ODD), &status));
	assert_int_equal(status.serial, 1);
	assert_true(status.live);
	assert_true(publisher_status(f->publisher, zone_apex(ODD + 1), &status));
	assert_int_equal(status.serial, 2);
	assert_true(status.live);
}

static void a_parcel_that_is_refused_goes_zone_by_zone(void **state)
{
	struct fixture *f = *state;

	f->plane.manner = REFUSE_PARCELS;
	plane_connect(f);
	all_publish(f, 1);
	assert_int_equal(f->live, ZONES);
	assert_int_equal(f->plane.alone, ZONES);
	plane_serves(f, 1, ZONES);
}

static void a_data_plane_that_dies_over_a_parcel_has_all_from_the_next(void **state)
{
	struct fixture *f = *state;

	f->plane.manner = DIE;
	plane_connect(f);
	for (unsigned i = 0; i < 3; i++)
		turn(f);
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, 1, true);
	WAIT_FOR(f, f->plane.sock < 0);
	f->plane.manner = TAKE;
	plane_connect(f);
	WAIT_FOR(f, f->live + f->rejected == ZONES);
	assert_int_equal(f->live, ZONES);
	WAIT_FOR(f, all_durable(f, 1));
	plane_serves(f, 1, ZONES);
}

static void what_cannot_be_looked_at_together_is_made_one_by_one(void **state)
{
	struct fixture *f = *state;

	plane_connect(f);
	for (unsigned i = 0; i < 3; i++)
		turn(f);
	tables_failing = 2;
	all_publish(f, 1);
	assert_int_equal(tables_failing, 0);
	assert_int_equal(f->live, ZONES);
	plane_serves(f, 1, ZONES);
	WAIT_FOR(f, all_durable(f, 1));
}

static void what_is_replaced_in_a_bundle_is_the_later_one(void **state)
{
	struct fixture *f = *state;

	plane_connect(f);
	all_publish(f, 1);
	f->live = 0;
	for (unsigned i = 0; i < ZONES; i++) {
		zone_publish(f, i, 2, true);
		zone_publish(f, i, 3, true);
	}
	WAIT_FOR(f, f->live == 2 * ZONES);
	plane_serves(f, 3, ZONES);
	WAIT_FOR(f, all_durable(f, 3));
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    CASE(many_at_once_go_in_parcels),
	    CASE(what_a_bundle_stored_is_found_again),
	    CASE(one_that_does_not_compile_is_refused_alone),
	    CASE(one_that_the_data_plane_refuses_leaves_the_others),
	    CASE(one_that_is_refused_is_known_to_serve_what_it_had),
	    CASE(a_parcel_that_is_refused_goes_zone_by_zone),
	    CASE(a_data_plane_that_dies_over_a_parcel_has_all_from_the_next),
	    CASE(what_cannot_be_looked_at_together_is_made_one_by_one),
	    CASE(what_is_replaced_in_a_bundle_is_the_later_one),
	};

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0)
		return compiler_child_main();
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
