// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zone table: cases, a model with random changes, a million zones, and readers beside a writer
// (run under TSan as well: the orderings are what is tested there).

#include "zone_table_probe.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543210}};

static void wire(const char *text, uint8_t out[NAME_LEN_MAX])
{
	assert_true(name_from_text(text, strlen(text), NULL, out) > 0);
}

static void ask(struct qname *q, const uint8_t *name)
{
	assert_true(qname_parse(q, name, NAME_LEN_MAX, NAME_LEN_MAX) > 0);
	qname_hash(q, &key);
}

static void retire(const struct zone_retired *retired)
{
	free(retired->version);
	free(retired->entry);
	free(retired->slots);
}

// Versions are told apart by their pointers and a mark; the table never looks into them.
static struct zone_version *version_new(unsigned mark)
{
	struct zone_version *version = calloc(1, sizeof(*version));

	assert_non_null(version);
	version->layer_count = mark;
	return version;
}

static void set(struct zone_table *table, const uint8_t *apex, unsigned mark)
{
	struct zone_retired retired;

	assert_int_equal(zone_table_set(table, apex, version_new(mark), &retired), 0);
	assert_null(retired.entry);
	retire(&retired);
}

static bool take_out(struct zone_table *table, const uint8_t *apex)
{
	struct zone_retired retired;
	bool there = zone_table_remove(table, apex, &retired);

	assert_int_equal(there, retired.entry != NULL && retired.version != NULL);
	retire(&retired);
	return there;
}

static void table_free(struct zone_table *table)
{
	struct zone_entry *entry;
	size_t position = 0;

	while ((entry = zone_table_next(table, &position)) != NULL)
		(void)take_out(table, entry->apex);
	zone_table_free(table);
}

// --- memory that is not there

static unsigned allocations_left = UINT_MAX; // of the thread of the tests alone

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool allocation_fails(void)
{
	return allocations_left != UINT_MAX && allocations_left-- == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

// Each allocation in turn, up to when it needs no more. The sanitizers see what is not given back.
static void without_memory_nothing_changes(void **state)
{
	struct zone_table *table = NULL;
	struct zone_version *version;
	struct zone_retired retired;
	uint8_t name[NAME_LEN_MAX];
	unsigned refused = 0;
	char text[16];

	for (unsigned n = 0; table == NULL; n++) {
		allocations_left = n;
		table = zone_table_new(&key);
		allocations_left = UINT_MAX;
		assert_true((table != NULL) == (n == 2)); // itself, and its slots
	}
	for (unsigned i = 0; i < 40; i++) { // it grows meanwhile
		snprintf(text, sizeof(text), "z%u.", i);
		wire(text, name);
		version = version_new(1);
		for (unsigned n = 0;; n++) {
			allocations_left = n;
			const int rc = zone_table_set(table, name, version, &retired);

			allocations_left = UINT_MAX;
			assert_null(retired.version);
			assert_null(retired.entry);
			if (rc == 0)
				break;
			assert_int_equal(rc, -ENOMEM);
			assert_null(retired.slots);
			assert_null(zone_table_get(table, name));
			assert_int_equal(zone_table_count(table), i);
			refused++;
		}
		free(retired.slots);
		assert_ptr_equal(zone_table_get(table, name)->version, version);
		assert_int_equal(zone_table_count(table), i + 1);
	}
	assert_int_equal(refused, 40 + 2); // an entry each, and more slots for the 9th and the 33rd
	table_free(table);
	zone_table_free(NULL);
}

static const char *const zones[] = {
    "com.", "example.com.", "a.b.c.example.com.", "net.", "EXAMPLE.NET."};

static const struct {
	const char *qname;
	unsigned labels_max;
	const char *apex; // NULL: none
} finds[] = {
    {"com.", 127, "com."},
    {"COM.", 127, "com."},
    {"com.", 0, NULL},
    {"xcom.", 127, NULL},
    {".", 127, NULL},
    {"example.com.", 127, "example.com."},
    {"example.com.", 1, "com."}, // a DS question goes to the parent
    {"www.Example.Com.", 127, "example.com."},
    {"c.example.com.", 127, "example.com."},
    {"b.c.example.com.", 127, "example.com."},
    {"a.b.c.example.com.", 127, "a.b.c.example.com."},
    {"x.a.b.c.example.com.", 127, "a.b.c.example.com."},
    {"x.a.b.c.example.com.", 4, "example.com."},
    {"a.b.c.example.net.", 127, "example.net."},
    {"example.org.", 127, NULL},
    {"com.org.", 127, NULL},
};

static void the_longest_apex_at_or_above_the_name_is_found(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	uint8_t name[NAME_LEN_MAX];
	struct qname q;

	assert_non_null(table);
	assert_memory_equal(zone_table_key(table), &key, sizeof(key));
	for (size_t i = 0; i < COUNT(zones); i++) {
		wire(zones[i], name);
		set(table, name, 1);
	}
	for (size_t i = 0; i < COUNT(finds); i++) {
		const struct zone_version *version;

		wire(finds[i].qname, name);
		ask(&q, name);
		version = zone_table_find(table, &q, finds[i].labels_max);
		assert_int_equal(version != NULL, finds[i].apex != NULL);
		if (version == NULL)
			continue;
		wire(finds[i].apex, name);
		assert_int_equal(version->apex_len, name_len(name));
		assert_int_equal(version->apex_labels, name_labels(name));
		assert_int_equal(version->entry->apex_len, version->apex_len);
		assert_int_equal(version->entry->apex_labels, version->apex_labels);
		assert_memory_equal(version->entry->apex, name, version->apex_len);
	}
	// The root as a zone catches the rest.
	set(table, (const uint8_t *)"", 1);
	wire("example.org.", name);
	ask(&q, name);
	assert_int_equal(zone_table_find(table, &q, 127)->apex_len, 1);
	assert_int_equal(zone_table_find(table, &q, 0)->apex_len, 1);
	assert_true(take_out(table, (const uint8_t *)""));
	assert_null(zone_table_find(table, &q, 127));
	table_free(table);
}

static void the_longest_names_are_zones_too(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	uint8_t name[NAME_LEN_MAX];
	struct qname q;

	// 127 labels of one byte each; then its ancestor with 64 labels.
	for (unsigned i = 0; i < 254; i += 2) {
		name[i] = 1;
		name[i + 1] = 'x';
	}
	name[254] = 0;
	assert_non_null(table);
	set(table, name, 7);
	set(table, name_suffix(name, 64), 8);
	ask(&q, name);
	assert_int_equal(zone_table_find(table, &q, 127)->layer_count, 7);
	assert_int_equal(zone_table_find(table, &q, 126)->layer_count, 8);
	assert_int_equal(zone_table_find(table, &q, 64)->layer_count, 8);
	assert_null(zone_table_find(table, &q, 63));
	assert_true(take_out(table, name));
	assert_int_equal(zone_table_find(table, &q, 127)->layer_count, 8);
	table_free(table);
}

static void setting_twice_swaps_and_gives_the_old_one_back(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	struct zone_version *first = version_new(1), *second = version_new(2);
	const uint8_t *apex = (const uint8_t *)"\1A\1b";
	struct zone_retired retired;
	struct zone_entry *entry;

	assert_non_null(table);
	assert_int_equal(zone_table_set(table, apex, first, &retired), 0);
	assert_null(retired.version);
	entry = zone_table_get(table, (const uint8_t *)"\1a\1B");
	assert_non_null(entry);
	assert_int_equal(zone_table_set(table, apex, second, &retired), 0);
	assert_ptr_equal(retired.version, first);
	assert_null(retired.entry);
	assert_null(retired.slots);
	assert_ptr_equal(zone_table_get(table, apex), entry);
	assert_ptr_equal(entry->version, second);
	assert_ptr_equal(second->entry, entry);
	assert_int_equal(zone_table_count(table), 1);

	assert_false(zone_table_remove(table, (const uint8_t *)"\1b", &retired));
	assert_null(retired.entry);
	assert_true(zone_table_remove(table, apex, &retired));
	assert_ptr_equal(retired.version, second);
	assert_ptr_equal(retired.entry, entry);
	assert_int_equal(zone_table_count(table), 0);
	assert_false(zone_table_remove(table, apex, &retired));
	free(first);
	free(second);
	free(entry);
	zone_table_free(table);
	zone_table_free(NULL);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

// One of 1 + 4 + 16 + 64 + 256 names.
#define MODEL_NAMES 341

// --- what a slot says beside the version
// ----------------------------------------------------------------------

enum { FRONT = offsetof(struct zone_version, layer[1]), BUCKETS_AT = 256, BUCKET_COUNT = 3 };

// A version in front of an image, of which only the numbers count.
static struct zone_version *small_new(void)
{
	struct zone_version *version = aligned_alloc(64, 4096);
	struct image *image = &version->layer[0];

	assert_non_null(version);
	memset(version, 0, 4096);
	version->layer_count = 1;
	image->mem = (const uint8_t *)version + FRONT;
	image->buckets = (const struct image_bucket *)(const void *)(image->mem + BUCKETS_AT);
	image->bucket_count = BUCKET_COUNT;
	image->negative_ref = (BUCKETS_AT + BUCKET_COUNT * sizeof(struct image_bucket)) / 8;
	image->hash_key[0] = key.k[0];
	image->hash_key[1] = key.k[1];
	return version;
}

static uint64_t lead_of(const struct zone_table *table, const uint8_t *apex)
{
	return slots_probe(zone_table_slots(table), name_hash(apex, &key)).lead;
}

static void a_slot_says_where_a_small_zone_has_its_buckets(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	struct zone_version *version = small_new();
	struct zone_retired retired;
	uint8_t apex[NAME_LEN_MAX];

	wire("a.b.c.", apex);
	version->layer[0].flags = IMAGE_HAS_WILD;
	assert_int_equal(zone_table_set(table, apex, version, &retired), 0);
	const uint64_t lead = lead_of(table, apex);

	assert_true(lead_near(lead));
	assert_ptr_equal(lead_version(lead), version);
	assert_ptr_equal(lead_image(lead), version->layer[0].mem);
	assert_ptr_equal(lead_buckets(lead), version->layer[0].buckets);
	assert_int_equal(lead_bucket_count(lead), BUCKET_COUNT);
	assert_ptr_equal(
	    lead_negative(lead), image_at(&version->layer[0], version->layer[0].negative_ref));
	assert_int_equal(lead_labels(lead), 3);
	assert_int_equal(lead & (LEAD_WILD | LEAD_CUTS), LEAD_WILD);

	// It is not live, and is again.
	for (enum zone_state live = ZONE_STALE; live <= ZONE_EXPIRED; live++) {
		zone_table_state(table, version->entry, live);
		assert_int_equal(lead_of(table, apex), (uintptr_t)version);
		assert_int_equal(version->state, live);
	}
	// A version has the state of the one before.
	struct zone_version *next = small_new();

	next->layer[0].flags = IMAGE_HAS_CUTS;
	assert_int_equal(zone_table_set(table, apex, next, &retired), 0);
	retire(&retired);
	assert_int_equal(lead_of(table, apex), (uintptr_t)next);
	zone_table_state(table, next->entry, ZONE_LIVE);
	assert_true(lead_near(lead_of(table, apex)));
	assert_int_equal(lead_of(table, apex) & (LEAD_WILD | LEAD_CUTS), LEAD_CUTS);
	// The table grows.
	for (unsigned i = 0; i < 100; i++) {
		char name[16];
		uint8_t other[NAME_LEN_MAX];

		snprintf(name, sizeof(name), "z%u.", i);
		wire(name, other);
		set(table, other, 1);
	}
	assert_true(lead_near(lead_of(table, apex)));
	assert_ptr_equal(lead_version(lead_of(table, apex)), next);
	assert_true(take_out(table, apex));
	assert_false(lead_near(lead_of(table, apex)));
	table_free(table);
}

static void what_is_not_such_a_zone_is_only_led_to(void **state)
{
	static const uint32_t flags[] = {
	    IMAGE_OVERLAY, IMAGE_SIGNED, IMAGE_RRSIGS, IMAGE_HAS_DNAMES};
	enum { OTHERS = 9, LABELS = COUNT(flags) + OTHERS };
	static const char long_apex[] = "1.2.3.4.5.6.7.8.";
	struct zone_table *table = zone_table_new(&key);
	uint8_t apex[NAME_LEN_MAX];

	for (unsigned i = 0; i <= LABELS; i++) {
		struct zone_version *version = small_new();
		struct image *image = &version->layer[0];
		struct zone_retired retired;

		wire(i == LABELS ? long_apex : "a.", apex);
		if (i < COUNT(flags))
			image->flags |= flags[i];
		switch ((int)(i - COUNT(flags))) {
		case 0:
			version->layer_count = 2;
			break;
		case 1:
			image->mem += 64;
			break;
		case 2:
			image->bucket_count = 0;
			image->negative_ref = BUCKETS_AT / 8;
			break;
		case 3:
			image->bucket_count = LEAD_BUCKETS_MAX + 1;
			image->negative_ref += (LEAD_BUCKETS_MAX + 1 - BUCKET_COUNT) * 8;
			break;
		case 4:
			image->buckets += LEAD_LINES_MAX;
			image->negative_ref += LEAD_LINES_MAX * 8;
			break;
		case 5:
			image->buckets -= 2 * LEAD_LINES_MAX; // in front of it
			image->negative_ref -= 2 * LEAD_LINES_MAX * 8;
			break;
		case 6:
			image->negative_ref++;
			break;
		case 7:
			image->negative_ref = 0;
			break;
		case 8:
			image->hash_key[1]++;
			break;
		default:
			break;
		}
		assert_int_equal(zone_table_set(table, apex, version, &retired), 0);
		retire(&retired);
		assert_int_equal(lead_of(table, apex), (uintptr_t)version);
	}
	table_free(table);
}

static void model_name(unsigned i, uint8_t name[NAME_LEN_MAX])
{
	unsigned labels = 0, below = 1;
	uint8_t *at = name;

	for (; i >= below; below *= 4, labels++)
		i -= below;
	for (; labels > 0; labels--, i /= 4) {
		*at++ = 1;
		*at++ = (uint8_t)("abcd"[i % 4]);
	}
	*at = 0;
}

static unsigned model_find(const unsigned marks[MODEL_NAMES], const uint8_t *name, unsigned labels)
{
	uint8_t other[NAME_LEN_MAX];
	unsigned best = 0, best_labels = 0;

	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		model_name(i, other);
		if (marks[i] != 0 && name_is_under(name, other) && name_labels(other) <= labels &&
		    (best == 0 || name_labels(other) > best_labels)) {
			best = marks[i];
			best_labels = name_labels(other);
		}
	}
	return best;
}

static void random_changes_agree_with_the_model(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	unsigned marks[MODEL_NAMES] = {0};
	size_t count = 0;
	struct qname q;

	assert_non_null(table);
	for (unsigned step = 1; step < 40000; step++) {
		unsigned i = random_below(MODEL_NAMES);
		// Now many zones, now few: the array is built anew for both reasons.
		bool add = random_below(100) < (step / 5000 % 2 ? 80u : 20u);
		uint8_t name[NAME_LEN_MAX];

		model_name(i, name);
		if (add) {
			count += marks[i] == 0;
			marks[i] = step;
			set(table, name, step);
		} else {
			assert_int_equal(take_out(table, name), marks[i] != 0);
			count -= marks[i] != 0;
			marks[i] = 0;
		}
		assert_int_equal(zone_table_count(table), count);

		model_name(random_below(MODEL_NAMES), name);
		ask(&q, name);

		unsigned labels = random_below(6), want = model_find(marks, name, labels);
		const struct zone_version *version = zone_table_find(table, &q, labels);

		assert_int_equal(version != NULL, want != 0);
		if (version != NULL)
			assert_int_equal(version->layer_count, want);
		if (step % 1000 == 0) {
			struct zone_entry *each;
			size_t position = 0, seen = 0;

			while ((each = zone_table_next(table, &position)) != NULL)
				seen++;
			assert_int_equal(seen, count);
		}
	}
	table_free(table);
}

static void numbered(unsigned i, uint8_t name[NAME_LEN_MAX])
{
	char text[40];

	snprintf(text, sizeof(text), "zone-%u.%s.", i, i % 3 ? "example" : "co.example");
	wire(text, name);
}

static void a_million_zones_are_found(void **state)
{
	struct zone_table *table = zone_table_new(&key);
	const unsigned n = 1000000;
	struct zone_version *versions = calloc(n, sizeof(*versions));
	struct zone_retired retired;
	uint8_t name[NAME_LEN_MAX];
	struct qname q;

	assert_true(table != NULL && versions != NULL);
	for (unsigned i = 0; i < n; i++) {
		numbered(i, name);
		assert_int_equal(zone_table_set(table, name, &versions[i], &retired), 0);
		free(retired.slots);
	}
	assert_int_equal(zone_table_count(table), n);
	for (unsigned i = 0; i < n; i += 7) {
		numbered(i, name);
		ask(&q, name);
		assert_ptr_equal(zone_table_find(table, &q, 127), &versions[i]);
		assert_memory_equal(versions[i].entry->apex, name, name_len(name));
		numbered(i + n, name);
		ask(&q, name);
		assert_null(zone_table_find(table, &q, 127));
	}
	zone_table_free(table);
	free(versions);
}

// --- readers beside a writer
// ----------------------------------------------------------------------

#define RACE_ZONES    64 // even ones stay and are only swapped, odd ones come and go
#define RACE_STEPS    20000
#define RACE_VERSIONS RACE_STEPS

struct race {
	struct zone_table *table;
	struct zone_version *versions; // zone_version.layer_count: step * RACE_ZONES + zone
	atomic_bool stop;
	atomic_uint wrong;
	atomic_ulong found;
};

static void *race_read(void *arg)
{
	struct race *race = arg;
	unsigned newest[RACE_ZONES] = {0};
	struct qname q[RACE_ZONES];
	uint8_t name[NAME_LEN_MAX];
	unsigned long found = 0;

	for (unsigned i = 0; i < RACE_ZONES; i++) {
		numbered(i, name);
		ask(&q[i], name);
	}
	while (!atomic_load_explicit(&race->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < RACE_ZONES; i++) {
			const struct zone_version *version =
			    zone_table_find(race->table, &q[i], 127);

			if (version == NULL) {
				if (i % 2 == 0)
					atomic_fetch_add(&race->wrong, 1);
				continue;
			}

			unsigned mark = version->layer_count;

			// The zone asked for, live, and never an older version than the last time.
			if (mark % RACE_ZONES != i || mark < newest[i] ||
			    version->apex_len != q[i].len || version->state != ZONE_LIVE ||
			    memcmp(version->entry->apex, q[i].lower, version->apex_len) != 0)
				atomic_fetch_add(&race->wrong, 1);
			newest[i] = mark;
			found++;
		}
	}
	atomic_fetch_add(&race->found, found);
	return NULL;
}

static void readers_never_see_a_zone_half_made(void **state)
{
	struct race race = {.table = zone_table_new(&key),
	    .versions = calloc(RACE_VERSIONS, sizeof(struct zone_version))};
	struct zone_version *others = calloc(RACE_STEPS / 4, sizeof(*others));
	struct zone_retired *retired = calloc(RACE_STEPS, sizeof(*retired));
	uint8_t name[NAME_LEN_MAX];
	pthread_t thread[3];
	unsigned step = 0;

	assert_true(race.table != NULL && race.versions != NULL && others != NULL);
	assert_non_null(retired);
	for (; step < RACE_ZONES; step++) {
		numbered(step, name);
		race.versions[step].layer_count = step * RACE_ZONES + step;
		assert_int_equal(
		    zone_table_set(race.table, name, &race.versions[step], &retired[step]), 0);
	}
	for (size_t i = 0; i < COUNT(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race_read, &race), 0);
	for (; step < RACE_STEPS; step++) {
		unsigned i = random_below(RACE_ZONES);

		numbered(i, name);
		race.versions[step].layer_count = step * RACE_ZONES + i;
		if (i % 2 == 0 || random_below(2))
			assert_int_equal(
			    zone_table_set(race.table, name, &race.versions[step], &retired[step]),
			    0);
		else
			(void)zone_table_remove(race.table, name, &retired[step]);
		// Others make the array grow.
		if (step % 4 == 0) {
			struct zone_retired more;

			numbered(step + 1000, name);
			assert_int_equal(
			    zone_table_set(race.table, name, &others[step / 4], &more), 0);
			if (more.slots != NULL) {
				assert_null(retired[step].slots);
				retired[step].slots = more.slots;
			}
		}
	}
	atomic_store(&race.stop, true);
	for (size_t i = 0; i < COUNT(thread); i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(atomic_load(&race.wrong), 0);
	assert_true(atomic_load(&race.found) > 0);

	// This writer's grace period is the end of the readers.
	for (step = 0; step < RACE_STEPS; step++) {
		free(retired[step].entry);
		free(retired[step].slots);
	}
	zone_table_free(race.table);
	free(race.versions);
	free(others);
	free(retired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_memory_nothing_changes),
	    cmocka_unit_test(the_longest_apex_at_or_above_the_name_is_found),
	    cmocka_unit_test(the_longest_names_are_zones_too),
	    cmocka_unit_test(setting_twice_swaps_and_gives_the_old_one_back),
	    cmocka_unit_test(a_slot_says_where_a_small_zone_has_its_buckets),
	    cmocka_unit_test(what_is_not_such_a_zone_is_only_led_to),
	    cmocka_unit_test(random_changes_agree_with_the_model),
	    cmocka_unit_test(a_million_zones_are_found),
	    cmocka_unit_test(readers_never_see_a_zone_half_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
