// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// model-run SEED PAIRS [--general-only | --in-layers]: random zones, random questions; the answer
// by the fast way must be, byte for byte, the general renderer's and the model's. A difference is
// made small (what is not needed for it is taken out of the zone) and printed with what reproduces
// it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model_print.h"
#include "model_query.h"
#include "model_rdata.h"
#include "model_server.h"

#define QUESTIONS_PER_ZONE 100
#define DIFFERENCES_MAX    5 // then it ends

enum difference {
	NO_DIFFERENCE,
	DIFFERS_LOAD,
	DIFFERS_GENERAL,
	DIFFERS_MODEL,
	DIFFERS_SUM,
	DIFFERS_BEYOND,
	DIFFERS_HASHES,
	DIFFERS_NO_REPLY,
};

static const char *const difference_text[] = {
    [DIFFERS_LOAD] = "the zone is refused",
    [DIFFERS_GENERAL] = "compiled path and general renderer differ",
    [DIFFERS_MODEL] = "compiled path and model differ",
    [DIFFERS_SUM] = "the sum is wrong",
    [DIFFERS_BEYOND] = "bytes were written beyond the reply",
    [DIFFERS_HASHES] = "more than one NSEC3 hash for one answer",
    [DIFFERS_NO_REPLY] = "there is no reply",
};

struct answers {
	uint8_t msg[12 + MODEL_NAME_MAX + 4 + 11];
	size_t msg_len;
	struct mserver_reply compiled, rendered;
	uint8_t model[MODEL_REPLY_MAX];
	size_t model_len;
};

#define LAYER_STEPS 4

static bool general_only, layered;
static unsigned long pairs, zones, compiled_count, truncated_count;

static enum difference fault_of(const struct mserver_reply *reply)
{
	switch (reply->fault) {
	case SERVER_FINE:
		break;
	case SERVER_NO_REPLY:
		return DIFFERS_NO_REPLY;
	case SERVER_SUM:
		return DIFFERS_SUM;
	case SERVER_BEYOND:
		return DIFFERS_BEYOND;
	case SERVER_HASHES:
		return DIFFERS_HASHES;
	}
	return NO_DIFFERENCE;
}

static bool same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

// Pre: the zone is loaded.
static enum difference compare(
    const struct mzone *zone, const struct model_question *q, struct answers *a)
{
	enum difference fault;

	a->msg_len = model_query_write(q, a->msg);
	mserver_ask(a->msg, a->msg_len, q, false, &a->compiled);
	mserver_ask(a->msg, a->msg_len, q, true, &a->rendered);
	if ((fault = fault_of(&a->compiled)) != NO_DIFFERENCE ||
	    (fault = fault_of(&a->rendered)) != NO_DIFFERENCE)
		return fault;
	if (!same(a->compiled.bytes, a->compiled.len, a->rendered.bytes, a->rendered.len))
		return DIFFERS_GENERAL;
	if (general_only)
		return NO_DIFFERENCE;
	a->model_len = model_answer(zone, q, a->model);
	return same(a->compiled.bytes, a->compiled.len, a->model, a->model_len) ? NO_DIFFERENCE
	                                                                        : DIFFERS_MODEL;
}

// --- making a difference small
// ----------------------------------------------------------------------

// `out` is `in` without record `skip` of its data, signed anew.
static void zone_without(
    const struct mzone *in, size_t skip, enum mzone_proofs proofs, struct mzone *out)
{
	memcpy(out, in, sizeof(*in));
	out->count = out->used = 0;
	for (size_t i = 0; i < in->data_count; i++) {
		const struct mrecord *r = &in->records[i];
		if (i != skip)
			mzone_add(out, r->owner, r->type, r->ttl, r->rdata, r->rdlen);
	}
	out->data_count = out->count;
	out->proofs = proofs;
	mzone_sign(out);
}

static bool still(const struct mzone *zone, const struct model_question *q, enum difference what,
    struct answers *a)
{
	const bool refused = mserver_load(zone) != NULL;

	return what == DIFFERS_LOAD ? refused : !refused && compare(zone, q, a) == what;
}

static void minimise(
    struct mzone *zone, const struct model_question *q, enum difference what, struct answers *a)
{
	static struct mzone smaller;
	bool progress = true;

	zone_without(zone, SIZE_MAX, PROOFS_NONE, &smaller);
	if (zone->proofs != PROOFS_NONE && still(&smaller, q, what, a))
		zone_without(&smaller, SIZE_MAX, PROOFS_NONE, zone);
	while (progress) {
		progress = false;
		for (size_t i = zone->data_count; i-- > 1;) { // the SOA stays
			zone_without(zone, i, zone->proofs, &smaller);
			if (!still(&smaller, q, what, a))
				continue;
			zone_without(&smaller, SIZE_MAX, smaller.proofs, zone);
			progress = true;
		}
	}
}

static void report_answers(
    const struct model_question *q, enum difference what, const struct answers *a)
{
	printf("; asked over %s, room for %u bytes:\n", q->tcp ? "TCP" : "UDP", q->cap);
	model_print_message(stdout, a->msg, a->msg_len);
	printf("; --- %s:\n", a->compiled.compiled ? "compiled" : "not compiled, rendered");
	model_print_message(stdout, a->compiled.bytes, a->compiled.len);
	printf("; --- %s:\n", what == DIFFERS_MODEL ? "model" : "rendered");
	if (what == DIFFERS_MODEL)
		model_print_message(stdout, a->model, a->model_len);
	else
		model_print_message(stdout, a->rendered.bytes, a->rendered.len);
}

static void report(const struct mzone *zone, const struct model_question *q, uint64_t question,
    enum difference what)
{
	static struct mzone small;
	static struct answers a;

	printf("--- %s\nreproduce: build/tests/model-run --one%s %llu %llu\n",
	    difference_text[what], layered ? "-in-layers" : "", (unsigned long long)zone->seed,
	    (unsigned long long)question);
	if (layered) { // as it stands: what is wrong may hang on each version before
		model_print_zone(stdout, zone);
		compare(zone, q, &a);
		report_answers(q, what, &a);
		return;
	}
	zone_without(zone, SIZE_MAX, zone->proofs, &small);
	minimise(&small, q, what, &a);
	model_print_zone(stdout, &small);
	if (what == DIFFERS_LOAD) {
		printf("; %s\n", mserver_load(&small));
		return;
	}
	still(&small, q, what, &a);
	report_answers(q, what, &a);
}

// --- the run
// --------------------------------------------------------------------------------------

static struct mzone zone;

static enum difference try_one(uint64_t question)
{
	static struct answers a;
	struct model_question q;

	model_question_random(&zone, question, &q);
	const enum difference what = compare(&zone, &q, &a);

	pairs++;
	compiled_count += a.compiled.compiled;
	truncated_count += (a.compiled.bytes[2] & 2) != 0;
	if (what == NO_DIFFERENCE)
		return what;
	report(&zone, &q, question, what);
	if (!layered && mserver_load(&zone) != NULL)
		abort(); // it was accepted before
	return what;
}

// One spelling a name and one TTL an RRset: what a difference says of them is another story.
static void zone_even(struct mzone *even)
{
	for (size_t i = 0; i < even->count; i++) {
		struct mrecord *r = &even->records[i];
		for (size_t j = 0; j < i; j++) {
			const struct mrecord *before = &even->records[j];
			if (!mname_equal(before->owner, r->owner))
				continue;
			r->owner = before->owner;
			if (before->type == r->type)
				r->ttl = before->ttl;
		}
	}
}

// `out` is `in` without some of its data, another serial, signed anew.
static void zone_thinned(const struct mzone *in, uint64_t seed, uint32_t serial, struct mzone *out)
{
	struct model_random random = {seed};
	const unsigned keep = 2 + random_below(&random, 30); // one of so many goes

	memcpy(out, in, sizeof(*in));
	out->count = out->used = 0;
	for (size_t i = 0; i < in->data_count; i++) {
		const struct mrecord *r = &in->records[i];
		uint8_t soa[2 * MODEL_NAME_MAX + 20];
		const uint8_t *rdata = r->rdata;
		if (i == 0) { // the SOA
			memcpy(soa, r->rdata, r->rdlen);
			soa[r->rdlen - 17] = (uint8_t)serial;
			rdata = soa;
		}
		const bool stays = i == 0 || (r->type == T_NS && mname_equal(r->owner, in->apex));
		if (stays || !random_one_in(&random, keep))
			mzone_add(out, r->owner, r->type, r->ttl, rdata, r->rdlen);
	}
	out->data_count = out->count;
	mzone_sign(out);
}

// In layers the zone is one of several that are the same but for what each of them lacks.
static const char *zone_load_layers(uint64_t seed)
{
	static struct mzone full, steps[LAYER_STEPS];
	struct model_random random = {seed ^ 0x1a7e45};
	const struct mzone *list[LAYER_STEPS + 1];
	const unsigned count = 1 + random_below(&random, LAYER_STEPS);

	zone_even(&zone);
	zone_without(&zone, SIZE_MAX, zone.proofs, &full);
	for (unsigned i = 0; i < count; i++) {
		zone_thinned(&full, random_next(&random), i, &steps[i]);
		list[i] = &steps[i];
	}
	zone_thinned(&full, random_next(&random), count, &zone);
	list[count] = &zone;
	return mserver_load_layers(list, count + 1, random_next(&random));
}

static const char *zone_load(uint64_t seed)
{
	mzone_generate(&zone, seed);
	if (layered)
		return zone_load_layers(seed);
	mzone_sign(&zone);
	return mserver_load(&zone);
}

static bool zone_ready(uint64_t seed)
{
	const char *error = zone_load(seed);

	zones++;
	if (error == NULL)
		return true;
	if (layered) {
		printf("--- zone %llu in layers: %s\n", (unsigned long long)seed, error);
		return false;
	}
	report(&zone, NULL, 0, DIFFERS_LOAD);
	return false;
}

static unsigned run(uint64_t seed, unsigned long wanted)
{
	unsigned differences = 0;

	for (uint64_t z = 0; pairs < wanted && differences < DIFFERENCES_MAX; z++) {
		if (!zone_ready(random_mix(seed, z))) {
			differences++;
			continue;
		}
		for (unsigned i = 0; i < QUESTIONS_PER_ZONE && pairs < wanted; i++) {
			if (try_one(random_mix(zone.seed, i)) == NO_DIFFERENCE)
				continue;
			if (++differences == DIFFERENCES_MAX)
				break;
			i = QUESTIONS_PER_ZONE; // one a zone tells enough
		}
	}
	return differences;
}

static int usage(void)
{
	fprintf(stderr, "usage: model-run SEED PAIRS [--general-only | --in-layers]\n"
	                "       model-run --one|--one-in-layers ZONE-SEED QUESTION-SEED\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct timespec began, ended;
	unsigned differences;

	layered = argc == 4 &&
	          (strcmp(argv[1], "--one-in-layers") == 0 || strcmp(argv[3], "--in-layers") == 0);
	if (argc == 4 && strncmp(argv[1], "--one", 5) == 0) {
		const uint64_t question = strtoull(argv[3], NULL, 10);
		if (!zone_ready(strtoull(argv[2], NULL, 10)))
			return 1;
		return try_one(question) == NO_DIFFERENCE ? 0 : 1;
	}
	if (argc < 3 || argc > 4 ||
	    (argc == 4 && !layered && strcmp(argv[3], "--general-only") != 0))
		return usage();
	general_only = argc == 4 && !layered;
	clock_gettime(CLOCK_MONOTONIC, &began);
	differences = run(strtoull(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
	clock_gettime(CLOCK_MONOTONIC, &ended);
	printf("seed %s: %lu pairs, %lu zones, %lu answers compiled, %lu truncated, %u differences "
	       "(%s), %.1f s\n",
	    argv[1], pairs, zones, compiled_count, truncated_count, differences,
	    layered        ? "in layers: model = compiled = general"
	    : general_only ? "compiled = general"
	                   : "model = compiled = general",
	    (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
	if (layered) {
		unsigned long overlays, rebuilt;
		mserver_layers(&overlays, &rebuilt);
		printf("%lu differences became overlays, %lu a new base\n", overlays, rebuilt);
	}
	return differences == 0 ? 0 : 1;
}
