// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The store against owners that change their mind while it writes.
#include "store.h"

#include "slice.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 4096

struct fixture {
	char folder[64];
	struct event_base *base;
	struct store *store;
	struct store_image image[3];
	unsigned stored;
	unsigned forgets; // the one of this rank that is stored takes the others along; 0: none
	bool poor;        // there is no memory for what the manifest says
	unsigned turn, turns;
	void (*between)(struct fixture *f);
	uint64_t touched;
};

// In `turns` turns; in the one before the last `between` happens.
static int state_tell(void *ctx, struct store_state *state, int64_t until_us)
{
	static uint64_t generation = 100;
	struct fixture *f = ctx;

	if (f->poor)
		return -ENOMEM;
	f->turn = state->begun ? f->turn + 1 : 0;
	state->begun = true;
	if (f->turn == f->turns && f->between != NULL) {
		void (*between)(struct fixture *) = f->between;

		f->between = NULL;
		between(f);
	}
	if (f->turn < f->turns && until_us != SLICE_ALL)
		return -EAGAIN;
	state->zones.generation_max = ++generation;
	return 0;
}

static void stored(void *ctx, struct store_image *image)
{
	struct fixture *f = ctx;

	f->stored++;
	for (unsigned i = 0; f->stored == f->forgets && i < 3; i++) {
		if (image == &f->image[i])
			continue;
		store_forget(f->store, &f->image[i]);
		memset(&f->image[i], 0xff, sizeof(f->image[i])); // as freed memory may be
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct store_ops ops = {.ctx = f, .state = state_tell, .stored = stored};
	char error[STORE_ERROR_MAX];
	struct manifest manifest;

	strcpy(f->folder, "/dev/shm/store_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->base = event_base_new();
	assert_int_equal(store_open(f->base, f->folder, &ops, &f->store, &manifest, error), 0);
	manifest_free(&manifest);
	for (unsigned i = 0; i < 3; i++) {
		f->image[i] =
		    (struct store_image){.fd = memfd_create("image", MFD_CLOEXEC), .size = SIZE};
		assert_int_equal(ftruncate(f->image[i].fd, SIZE), 0);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(f->store);
	event_base_free(f->base);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

// The first commit has the first image, the next one has those that waited for its end.
static void all_that_wait_are_stored(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		store_put(f->store, &f->image[i]);
	store_finish(f->store);
	assert_int_equal(f->stored, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(f->image[i].stored);
	assert_true(f->image[1].file_id == f->image[2].file_id);
	assert_int_not_equal(f->image[1].offset, f->image[2].offset);
	for (unsigned i = 0; i < 3; i++) {
		store_forget(f->store, &f->image[i]);
		close(f->image[i].fd);
	}
}

// Who hears that an image is durable may give up others, those of the same commit too.
static void an_image_may_be_forgotten_while_another_one_is_told_to_be_stored(void **state)
{
	struct fixture *f = *state;
	const int fd[3] = {f->image[0].fd, f->image[1].fd, f->image[2].fd};

	f->forgets = 2;
	for (unsigned i = 0; i < 3; i++)
		store_put(f->store, &f->image[i]);
	store_finish(f->store);
	assert_int_equal(f->stored, 2); // nobody is told of the third
	store_forget(f->store, &f->image[1]);
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

static void wait_committed(struct fixture *f, uint64_t mark)
{
	for (unsigned i = 0; i < 3000 && store_committed(f->store) < mark; i++) {
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_true(store_committed(f->store) >= mark);
}

static uint64_t stored_generation(const struct fixture *f)
{
	struct manifest manifest;
	char error[MANIFEST_ERROR_MAX];
	uint64_t generation;

	assert_int_equal(manifest_load(f->folder, &manifest, error), 0);
	generation = manifest.generation_max;
	manifest_free(&manifest);
	return generation;
}

// As at a start: a version that turns out to be broken lets go of a file that other zones' images,
// which are looked at after it, are in.
static void a_file_that_is_needed_again_is_not_removed(void **state)
{
	struct fixture *f = *state;
	char path[128];

	for (unsigned i = 0; i < 3; i++)
		store_put(f->store, &f->image[i]);
	store_finish(f->store);
	assert_true(f->image[1].file_id == f->image[2].file_id);
	assert_int_equal(
	    manifest_image_path(f->folder, f->image[1].file_id, path, sizeof(path)), 0);
	store_forget(f->store, &f->image[1]);
	store_forget(f->store, &f->image[2]);
	assert_int_equal(store_adopt(f->store, &f->image[2]), 0);
	wait_committed(f, store_touch(f->store));
	assert_int_equal(access(path, F_OK), 0);
	store_forget(f->store, &f->image[2]);
	wait_committed(f, store_touch(f->store));
	assert_int_equal(access(path, F_OK), -1);
	store_forget(f->store, &f->image[0]);
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

static void give_up_two(struct fixture *f)
{
	store_forget(f->store, &f->image[1]);
	store_forget(f->store, &f->image[2]);
}

// While a state is gathered a file is given up that may be named in it: it goes with the next one,
// which cannot name it.
static void what_is_given_up_while_a_state_is_gathered_stays_until_the_next(void **state)
{
	struct fixture *f = *state;
	char path[128];

	for (unsigned i = 0; i < 3; i++)
		store_put(f->store, &f->image[i]);
	wait_committed(f, store_touch(f->store));
	assert_int_equal(f->stored, 3);
	assert_int_equal(
	    manifest_image_path(f->folder, f->image[1].file_id, path, sizeof(path)), 0);
	f->turns = 5;
	f->between = give_up_two;
	const uint64_t mark = store_touch(f->store);

	assert_true(store_committed(f->store) < mark);
	wait_committed(f, mark);
	assert_null(f->between);
	assert_int_equal(access(path, F_OK), 0);
	wait_committed(f, store_touch(f->store));
	assert_int_equal(access(path, F_OK), -1);
	store_forget(f->store, &f->image[0]);
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

// What is touched meanwhile may not be in it.
static void touch_again(struct fixture *f)
{
	f->touched = store_touch(f->store);
}

static void what_is_touched_while_a_state_is_gathered_waits_for_the_next(void **state)
{
	struct fixture *f = *state;

	f->turns = 5;
	f->between = touch_again;
	const uint64_t mark = store_touch(f->store);

	while (store_committed(f->store) < mark)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_true(f->touched > mark);
	assert_int_equal(store_committed(f->store), mark);
	wait_committed(f, f->touched);
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

// An orderly end does not wait for the turns of others.
static void an_end_gathers_the_rest_at_once(void **state)
{
	struct fixture *f = *state;

	f->turns = 1000000;
	const uint64_t mark = store_touch(f->store);

	for (unsigned i = 0; i < 3; i++)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_true(store_committed(f->store) < mark);
	store_finish(f->store);
	assert_int_equal(store_committed(f->store), mark);
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

// Somebody removes what the store has written, under its hands: told, and all of it written again.
static void what_is_removed_is_written_again(void **state)
{
	static const char *const names[] = {"manifest.changes", "manifest"};
	struct fixture *f = *state;
	char path[128];

	wait_committed(f, store_touch(f->store));
	for (unsigned i = 0; i < 2; i++) {
		wait_committed(f, store_touch(f->store)); // an addition
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		const uint64_t before = stored_generation(f);

		assert_int_equal(unlink(path), 0);
		const uint64_t mark = store_touch(f->store);

		for (unsigned k = 0; k < 6000 && store_trouble(f->store)[0] == '\0'; k++) {
			event_base_loop(f->base, EVLOOP_NONBLOCK);
			usleep(10000);
		}
		assert_non_null(strstr(store_trouble(f->store), "manifest"));
		wait_committed(f, mark); // after RETRY_S
		assert_string_equal(store_trouble(f->store), "");
		assert_true(stored_generation(f) > before);
	}
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

// What the history says is all that knows of a pin, or of the way back.
static void a_history_is_not_removed_for_want_of_memory(void **state)
{
	struct fixture *f = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/history", f->folder);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	f->poor = true;
	(void)store_touch(f->store);
	store_put(f->store, &f->image[0]);
	store_finish(f->store);
	assert_int_equal(f->stored, 1);
	assert_int_equal(access(path, F_OK), 0);
	store_forget(f->store, &f->image[0]);
	for (unsigned i = 0; i < 3; i++)
		close(f->image[i].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_that_wait_are_stored, setup, teardown),
	    cmocka_unit_test_setup_teardown(
	        an_image_may_be_forgotten_while_another_one_is_told_to_be_stored, setup, teardown),
	    cmocka_unit_test_setup_teardown(
	        a_file_that_is_needed_again_is_not_removed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
	        what_is_given_up_while_a_state_is_gathered_stays_until_the_next, setup, teardown),
	    cmocka_unit_test_setup_teardown(
	        what_is_touched_while_a_state_is_gathered_waits_for_the_next, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_end_gathers_the_rest_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_removed_is_written_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(
	        a_history_is_not_removed_for_want_of_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
