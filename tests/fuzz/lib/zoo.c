// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The zones that fuzz targets ask; see zoo.h.

#include "zoo.h"

#include <unistd.h>

#include "compile.h"
#include "model_layers.h"
#include "must.h"
#include "rrtype.h"
#include "zonefile.h"
#include "zone_table_probe.h"

#define NAMES_MAX   4096
#define CROWD       1600 // zones
#define CROWD_NAMES 16

const struct hash_key zoo_key = {{0x0123456789abcdefULL, 0xfedcba9876543210ULL}};
static const struct hash_key other_key = {{0x1111111111111111ULL, 0x2222222222222222ULL}};

static const struct {
	const char *file;
	const uint8_t *apex;
} zones[ZOO_ZONES] = {
    [ZOO_PLAIN] = {"plain.zone", (const uint8_t *)"\7example\3com"},
    [ZOO_NSEC] = {"nsec.zone", (const uint8_t *)"\7example\3net"},
    [ZOO_NSEC3] = {"nsec3.zone", (const uint8_t *)"\7example\3org"},
    [ZOO_CHILD] = {"child.zone", (const uint8_t *)"\5child\7example\3net"},
    [ZOO_ROOT] = {"root.zone", (const uint8_t *)""},
    [ZOO_TOP] = {"child.zone", (const uint8_t *)""},
    [ZOO_SMALL] = {"small.zone", (const uint8_t *)"\5small\3com"},
    [ZOO_SMALL_NSEC] = {"small-nsec.zone", (const uint8_t *)"\5small\3net"},
    [ZOO_SMALL_NSEC3] = {"small-nsec3.zone", (const uint8_t *)"\5small\3org"},
};

static struct zone_version versions[ZOO_ZONES], others[ZOO_ZONES], layered[ZOO_ZONES],
    bare[ZOO_ZONES];
static struct zone_table *tables[ZOO_SETS];
// LeakSanitizer does not know of pointers that have more in them (zone_lead.h).
static struct zone_version *served[2 * CROWD + ZOO_SETS * ZOO_ZONES];
static size_t served_count;
static struct records *kept[ZOO_ZONES]; // the names are theirs
static const uint8_t *names[NAMES_MAX];
static size_t name_count;

uint8_t *zoo_compile(const struct records *records, const struct hash_key *key, uint64_t id,
    size_t *size, char *error)
{
	const struct compile_options options = {.key = *key, .generation = 1, .id = id};
	struct image_buffer buffer;
	uint8_t *mem = NULL;

	must(image_buffer_open(&buffer, 1u << 26) == 0);
	if (compile_image(records, &options, &buffer, error) == 0) {
		mem = aligned_alloc(64, buffer.used);
		must(mem != NULL);
		memcpy(mem, buffer.mem, buffer.used);
		*size = buffer.used;
	}
	image_buffer_close(&buffer);
	return mem;
}

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static void image_make(const struct records *records, const struct hash_key *key, uint64_t id,
    struct zone_version *version)
{
	char error[COMPILE_ERROR_MAX];
	size_t size;
	uint8_t *mem = zoo_compile(records, key, id, &size, error);

	if (mem == NULL || image_verify(mem, size, error) != 0) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
	version->layer_count = 1;
	must(image_open(&version->layer[0], mem, size) == 0);
}

static void zone_make(enum zoo_zone zone)
{
	struct records *records = records_new(zones[zone].apex);
	struct zonefile_error error;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", FUZZ_ZONES, zones[zone].file);
	if (zonefile_parse_file(path, zones[zone].apex, collect, records, &error) != 0) {
		fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
		abort();
	}
	must(records_sort(records) == 0);
	image_make(records, &zoo_key, 1 + (uint64_t)zone, &versions[zone]);
	image_make(records, &other_key, 101 + (uint64_t)zone, &others[zone]);
	for (size_t i = 0; i < records->count; i++) {
		// Sorted: an owner's records stand together.
		if (i > 0 && name_equal(records->items[i].owner, records->items[i - 1].owner))
			continue;
		must(name_count < NAMES_MAX - CROWD_NAMES);
		names[name_count++] = records->items[i].owner;
	}
	kept[zone] = records;
}

static void name_keep(const uint8_t *name)
{
	uint8_t *own = malloc(name_len(name));

	must(own != NULL && name_count < NAMES_MAX);
	memcpy(own, name, name_len(name));
	names[name_count++] = own;
}

// Without its wildcards and DNAMEs: a name that is not there is denied without a walk. What is left
// of the chain is as good for that as the whole. Pre: kept[zone].
static void zone_make_bare(enum zoo_zone zone)
{
	const struct records *whole = kept[zone];
	struct records *records = records_new(whole->apex);

	must(records != NULL);
	for (size_t i = 0; i < whole->count; i++) {
		const struct record *r = &whole->items[i];

		if (memcmp(r->owner, "\1*", 2) != 0 && r->type != RRTYPE_DNAME)
			must(records_add(records, r->owner, r->type, r->ttl, r->rdata, r->rdlen) ==
			     0);
	}
	must(records_sort(records) == 0);
	image_make(records, &zoo_key, 401 + (uint64_t)zone, &bare[zone]);
	must((bare[zone].layer[0].flags & (IMAGE_HAS_WILD | IMAGE_HAS_DNAMES)) == 0);
	records_free(records);
}

// --- layers
// ----------------------------------------------------------------------------------------

enum { BASE, MIDDLE, WHOLE, STEPS };

// What a lower layer has and the whole zone has not: a name, one below a wildcard, a cut.
static void add_gone(struct records *records, const uint8_t *apex, unsigned step)
{
	static const uint8_t address[4] = {192, 0, 2, 77};
	static const char *const labels[] = {
	    "\4gone", "\1*\1w\4gone", "\3cut\4gone", "\2ns\3cut\4gone", "\1x\1y\4gone"};
	uint8_t name[NAME_LEN_MAX], ns[NAME_LEN_MAX];

	for (unsigned i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		const size_t len = strlen(labels[i]);

		memcpy(name, labels[i], len);
		name[len - 1] = (uint8_t)('0' + step); // "gon0" of the base, "gon1"
		memcpy(name + len, apex, name_len(apex));
		must(name_len(name) == len + name_len(apex));
		if (i == 2) {
			memcpy(ns, "\2ns", 3);
			memcpy(ns + 3, name, name_len(name));
			must(records_add(records, name, RRTYPE_NS, 9, ns, name_len(ns)) == 0);
		} else {
			must(records_add(records, name, RRTYPE_A, 9, address, 4) == 0);
		}
		name_keep(name);
	}
}

// Of the names below the apex every third is missing in the base, another third has another TTL and
// other addresses; in the middle it is the other way round. Sorted.
static struct records *records_of(const struct records *whole, unsigned step)
{
	struct records *records = records_new(whole->apex);
	unsigned rank = 0;

	must(records != NULL);
	for (size_t i = 0; i < whole->count; i++) {
		const struct record *r = &whole->items[i];
		uint8_t rdata[UINT16_MAX];
		uint32_t ttl = r->ttl;

		memcpy(rdata, r->rdata, r->rdlen);
		rank += i > 0 && !name_equal(r->owner, whole->items[i - 1].owner);
		if (rank == 0 && r->type == RRTYPE_SOA)
			rdata[r->rdlen - 17] = (uint8_t)(rdata[r->rdlen - 17] + step); // serial
		if (rank > 0 && step != WHOLE && rank % 3 == step)
			continue;
		if (rank > 0 && step != WHOLE && rank % 3 == 1 - step) {
			ttl += 1 + step;
			rdata[r->rdlen - 1] ^= r->type == RRTYPE_A || r->type == RRTYPE_AAAA;
		}
		must(records_add(records, r->owner, r->type, ttl, rdata, r->rdlen) == 0);
	}
	if (step != WHOLE)
		add_gone(records, whole->apex, step);
	must(records_sort(records) == 0);
	return records;
}

// Pre: kept[zone].
static void zone_make_layered(enum zoo_zone zone)
{
	static struct layers layers;
	struct model_random random = {0};

	layers = (struct layers){.key = zoo_key, .last_id = 201 + STEPS * (uint64_t)zone};
	for (unsigned step = BASE; step < STEPS; step++) {
		struct records *records = records_of(kept[zone], step);
		const char *error = NULL;

		if (step == BASE)
			error = layers_base(&layers, records);
		while (error == NULL && layers.version.layer_count <= step)
			error = layers_step(&layers, records, &random); // as chance has it
		if (error == NULL)
			error = layers_check(&layers, records);
		if (error != NULL) {
			fprintf(stderr, "%s in layers: %s\n", zones[zone].file, error);
			abort();
		}
		records_free(records);
	}
	// In memory of exactly their size.
	for (unsigned i = 0; i < layers.version.layer_count; i++) {
		uint8_t *mem = aligned_alloc(64, layers.images[i].used);

		must(mem != NULL);
		memcpy(mem, layers.images[i].mem, layers.images[i].used);
		must(image_open(&layered[zone].layer[i], mem, layers.images[i].used) == 0);
	}
	layered[zone].layer_count = layers.version.layer_count;
	must(version_check(&layered[zone]) == 0);
	layers_drop(&layers);
}

// --- sets
// ------------------------------------------------------------------------------------------

// One of a base alone stands in front of its image, as the data plane has it.
static void serve(enum zoo_set set, const struct zone_version *version)
{
	const size_t head = offsetof(struct zone_version, layer[1]);
	const size_t size = version->layer_count == 1 ? version_header(version)->size : 0;
	struct zone_version *own =
	    aligned_alloc(64, size != 0 ? head + size : (sizeof(*own) + 63) & ~(size_t)63);
	struct zone_retired retired;

	must(own != NULL);
	memcpy(own, version, size != 0 ? head : sizeof(*own));
	if (size != 0) {
		memcpy((uint8_t *)own + head, version->layer[0].mem, size);
		must(image_open(&own->layer[0], (uint8_t *)own + head, size) == 0);
	}
	must(served_count < sizeof(served) / sizeof(served[0]));
	served[served_count++] = own;
	must(zone_table_set(tables[set], image_apex(version_header(own)), own, &retired) == 0);
	free(retired.slots); // the table has grown
}

static void crowd_apex(unsigned n, uint8_t apex[16])
{
	memcpy(apex, "\5z0000\5crowd", 13);
	for (unsigned at = 5; n > 0; n /= 10, at--)
		apex[at] = (uint8_t)('0' + n % 10);
}

// Zones "z<n>.crowd." of an SOA and an NS.
static void crowd_make(void)
{
	static struct zone_version crowd[CROWD];
	static const uint8_t soa[22] = {[3] = 1};

	for (unsigned i = 0; i < CROWD; i++) {
		uint8_t apex[16];

		crowd_apex(i, apex);
		struct records *records = records_new(apex);
		must(records != NULL && records_add(records, apex, RRTYPE_SOA, 1, soa, 22) == 0);
		must(records_add(records, apex, RRTYPE_NS, 1, apex, name_len(apex)) == 0);
		must(records_sort(records) == 0);
		image_make(records, &zoo_key, 1000 + i, &crowd[i]);
		records_free(records);
		serve(ZOO_CROWD, &crowd[i]);
		serve(ZOO_LAYERED_CROWD, &crowd[i]);
	}
	must(zone_table_is_large(tables[ZOO_CROWD]));
	must(zone_table_is_large(tables[ZOO_LAYERED_CROWD]));
}

static void zoo_open(void)
{
	for (unsigned i = 0; i < ZOO_SETS; i++) {
		tables[i] = zone_table_new(&zoo_key);
		must(tables[i] != NULL);
	}
	for (unsigned i = 0; i < ZOO_ZONES; i++)
		zone_make((enum zoo_zone)i);
	for (unsigned i = ZOO_PLAIN; i <= ZOO_CHILD; i++)
		serve(ZOO_SIDE_BY_SIDE, &versions[i]);
	serve(ZOO_UNDER_ROOT, &versions[ZOO_ROOT]);
	serve(ZOO_UNDER_ROOT, &versions[ZOO_PLAIN]);
	for (unsigned i = ZOO_SMALL; i <= ZOO_SMALL_NSEC3; i++)
		serve(ZOO_UNDER_ROOT, &versions[i]);
	for (unsigned i = ZOO_PLAIN; i <= ZOO_NSEC3; i++)
		serve(ZOO_OTHER_KEY, &others[i]);
	atomic_store(&zone_table_get(tables[ZOO_OTHER_KEY], zones[ZOO_PLAIN].apex)->version->state,
	    ZONE_EXPIRED);
	serve(ZOO_CROWD, &versions[ZOO_TOP]);
	for (unsigned i = ZOO_PLAIN; i <= ZOO_TOP; i++)
		zone_make_layered((enum zoo_zone)i);
	for (unsigned i = ZOO_PLAIN; i <= ZOO_CHILD; i++)
		serve(ZOO_LAYERED, &layered[i]);
	for (unsigned i = ZOO_PLAIN; i <= ZOO_CHILD; i++) {
		zone_make_bare((enum zoo_zone)i);
		serve(ZOO_BARE, &bare[i]);
	}
	serve(ZOO_MIXED, &layered[ZOO_ROOT]);
	serve(ZOO_MIXED, &layered[ZOO_NSEC]);
	serve(ZOO_MIXED, &versions[ZOO_PLAIN]);
	for (unsigned i = ZOO_SMALL; i <= ZOO_SMALL_NSEC3; i++)
		serve(ZOO_MIXED, &versions[i]);
	serve(ZOO_LAYERED_CROWD, &layered[ZOO_TOP]);
	serve(ZOO_LAYERED_CROWD, &layered[ZOO_PLAIN]);
	for (unsigned i = 0; i < CROWD_NAMES; i++) {
		static uint8_t apexes[CROWD_NAMES][16];

		crowd_apex(i * 97, apexes[i]);
		names[name_count++] = apexes[i];
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

// Called once by libFuzzer in each target that uses the zoo: what is made here is nobody's slow
// input.
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	zoo_open();
	crowd_make();
	return 0;
}

const struct image *zoo_image(enum zoo_zone zone)
{
	return &versions[zone].layer[0];
}

const struct zone_table *zoo_table(enum zoo_set set)
{
	return tables[set];
}

const struct image_node *zoo_node(const struct image *image, uint32_t number)
{
	const struct image_section *order = &image->header->section[IMAGE_ORDER];
	const uint32_t rank = number % image_names(image);
	const struct image_node *node = image_at(
	    image, ((const uint32_t *)image_at(image, order->ref))[rank / IMAGE_ORDER_STEP]);

	for (uint32_t i = rank % IMAGE_ORDER_STEP; i > 0; i--)
		node = node_next(node);
	return node;
}

size_t zoo_name_count(void)
{
	return name_count;
}

const uint8_t *zoo_name(size_t i)
{
	return names[i];
}
