// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Many small zones at once, against a scripted data plane that takes parcels, refuses all or one of
// a parcel, or dies over it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ZONES 200
#define ODD   77 // the zone that is another case

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

static int setup(void **state)
{
	char *zones = numbered_zones(ZONES);
	static uint8_t odd[8];

	(void)publication_open(state, zones);
	free(zones);
	memcpy(odd, numbered_apex(ODD), sizeof(odd));
	((struct publication *)*state)->plane.odd = odd;
	return 0;
}

static void zone_publish(struct publication *f, unsigned i, uint32_t serial, bool ns)
{
	const uint8_t *name = numbered_apex(i);

	publisher_publish(f->publisher, name, serial, 0, NULL, zone_make(name, serial, 0, ns));
}

static void all_publish(struct publication *f, uint32_t serial)
{
	f->lives = f->others = 0;
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, serial, true);
	WAIT_FOR(f, f->lives + f->others == ZONES);
}

static bool all_durable(struct publication *f, uint32_t serial)
{
	for (unsigned i = 0; i < ZONES; i++) {
		struct publisher_status status;

		if (!publisher_status(f->publisher, numbered_apex(i), &status) || !status.durable ||
		    status.serial != serial)
			return false;
	}
	return true;
}

// And was never sent what is older than what it had.
static void plane_serves(const struct publication *f, uint32_t serial, unsigned but)
{
	for (unsigned i = 0; i < ZONES; i++)
		assert_int_equal(plane_serial(&f->plane, numbered_apex(i)), i == but ? 0 : serial);
	assert_int_equal(f->plane.older, 0);
}

// --- the cases
// ------------------------------------------------------------------------------------

static void many_at_once_go_in_parcels(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publication_turns(f, 3);
	all_publish(f, 1);
	assert_int_equal(f->lives, ZONES);
	plane_serves(f, 1, ZONES);
	// The first may go alone, before the others come.
	assert_in_range(f->plane.in_parcels, ZONES - 8, ZONES);
	assert_in_range(f->plane.parcels, 1, ZONES / 20);
}

static void what_a_bundle_stored_is_found_again(void **state)
{
	struct publication *f = *state;

	all_publish(f, 1); // nobody is connected: it is live when it is stored
	WAIT_FOR(f, all_durable(f, 1));
	publication_end(f);
	publication_begin(f);
	assert_true(all_durable(f, 1));
	publication_connect(f);
	WAIT_FOR(f, f->plane.published >= ZONES);
	plane_serves(f, 1, ZONES);
}

static void one_that_does_not_compile_is_refused_alone(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, 1, i != ODD);
	WAIT_FOR(f, f->lives + f->others == ZONES);
	assert_int_equal(f->others, 1);
	assert_string_equal(f->other_zone, numbered_apex(ODD));
	assert_non_null(strstr(f->other_reason, "NS"));
	plane_serves(f, 1, ODD);
}

static void one_that_the_data_plane_refuses_leaves_the_others(void **state)
{
	struct publication *f = *state;

	f->plane.manner = PLANE_REFUSES_ONE;
	publication_connect(f);
	all_publish(f, 1);
	assert_int_equal(f->others, 1);
	assert_string_equal(f->other_zone, numbered_apex(ODD));
	assert_non_null(strstr(f->other_reason, PLANE_REASON));
	plane_serves(f, 1, ODD);
}

// What is live is what is renewed: to name another generation would let the zone expire.
static void one_that_is_refused_is_known_to_serve_what_it_had(void **state)
{
	struct publication *f = *state;
	struct publisher_status status;

	publication_connect(f);
	publication_turns(f, 3);
	all_publish(f, 1);
	f->plane.manner = PLANE_REFUSES_ONE;
	all_publish(f, 2);
	assert_int_equal(f->others, 1);
	publication_turns(f, 20); // the parcel's LIVE comes behind the REJECT
	assert_true(publisher_status(f->publisher, numbered_apex(ODD), &status));
	assert_int_equal(status.serial, 1);
	assert_true(status.live);
	assert_true(publisher_status(f->publisher, numbered_apex(ODD + 1), &status));
	assert_int_equal(status.serial, 2);
	assert_true(status.live);
}

static void a_parcel_that_is_refused_goes_zone_by_zone(void **state)
{
	struct publication *f = *state;

	f->plane.manner = PLANE_REFUSES_PARCELS;
	publication_connect(f);
	all_publish(f, 1);
	assert_int_equal(f->lives, ZONES);
	assert_int_equal(f->plane.published, ZONES);
	plane_serves(f, 1, ZONES);
}

static void a_data_plane_that_dies_over_a_parcel_has_all_from_the_next(void **state)
{
	struct publication *f = *state;

	f->plane.manner = PLANE_DIES;
	publication_connect(f);
	publication_turns(f, 3);
	for (unsigned i = 0; i < ZONES; i++)
		zone_publish(f, i, 1, true);
	WAIT_FOR(f, f->plane.sock < 0);
	f->plane.manner = PLANE_TAKES;
	publication_connect(f);
	WAIT_FOR(f, f->lives + f->others == ZONES);
	assert_int_equal(f->lives, ZONES);
	WAIT_FOR(f, all_durable(f, 1));
	plane_serves(f, 1, ZONES);
}

static void what_cannot_be_looked_at_together_is_made_one_by_one(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	publication_turns(f, 3);
	tables_failing = 2;
	all_publish(f, 1);
	assert_int_equal(tables_failing, 0);
	assert_int_equal(f->lives, ZONES);
	plane_serves(f, 1, ZONES);
	WAIT_FOR(f, all_durable(f, 1));
}

static void what_is_replaced_in_a_bundle_is_the_later_one(void **state)
{
	struct publication *f = *state;

	publication_connect(f);
	all_publish(f, 1);
	f->lives = 0;
	for (unsigned i = 0; i < ZONES; i++) {
		zone_publish(f, i, 2, true);
		zone_publish(f, i, 3, true);
	}
	WAIT_FOR(f, f->lives == 2 * ZONES);
	plane_serves(f, 3, ZONES);
	WAIT_FOR(f, all_durable(f, 3));
}

// A data plane that comes back is told of what is stored, one after the other; what is built
// meanwhile goes past that.
static void what_is_stored_is_not_sent_after_what_takes_its_place(void **state)
{
	struct publication *f = *state;

	all_publish(f, 1);
	WAIT_FOR(f, all_durable(f, 1));
	publication_end(f);
	publication_begin(f); // from disk, now
	publication_connect(f);
	f->lives = 0;
	for (unsigned i = ZONES; i-- > 0;) // those first whose turn comes last
		zone_publish(f, i, 2, true);
	WAIT_FOR(f, f->lives == ZONES);
	publication_turns(f, 20);
	plane_serves(f, 2, ZONES);
	WAIT_FOR(f, all_durable(f, 2));
	for (unsigned i = 0; i < ZONES; i++) {
		assert_true(status_of(f, numbered_apex(i)).live);
		assert_string_equal(status_of(f, numbered_apex(i)).error, "");
	}
}

// Whatever it is at: for the sanitizers to look at.
static void an_end_over_bundles_leaves_nothing_behind(void **state)
{
	struct publication *f = *state;

	for (unsigned steps = 0; steps < 12; steps++) {
		for (unsigned i = 0; i < ZONES; i++)
			zone_publish(f, i, 1 + steps, true);
		for (unsigned i = 0; i < steps; i++)
			loop_step(f->base);
		publication_end(f);
		publication_begin(f);
	}
	all_publish(f, 100);
	assert_int_equal(f->lives, ZONES);
	WAIT_FOR(f, all_durable(f, 100));
}

static int cases(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, publication_close)
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
	    CASE(an_end_over_bundles_leaves_nothing_behind),
	    CASE(what_is_stored_is_not_sent_after_what_takes_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return publication_main(argc, argv, cases);
}
