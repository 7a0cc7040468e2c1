// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publication for tests: a publisher with a folder of its own, a scripted data plane (plane.h) that
// is not connected yet, and what was answered. The compiler child is real: the test's program
// started again (publication_main()). Included after cmocka.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "name.h"
#include "plane.h"
#include "publish.h"
#include "records.h"
#include "turns.h"

static const uint8_t apex[] = "\7example";
static const uint8_t other[] = "\5other";

#define ZONES_BOTH "  - {domain: example, primaries: p}\n  - {domain: other, primaries: p}\n"

struct delta;

struct publication {
	char folder[64], rundir[80], storage[80];
	struct event_base *base;
	struct publisher *publisher;
	struct config *config;
	struct plane plane;
	// What publisher_ops.published was called with: how often, for good or not, and last.
	unsigned answers, lives, others;
	uint32_t token;
	bool live, held, held_short, no_room;
	char reason[PUBLISH_REASON_MAX];
	char other_zone[NAME_LEN_MAX]; // of the last that was not live
	char other_reason[PUBLISH_REASON_MAX];
	unsigned replaced; // times
	uint32_t replaced_serial;
	uint64_t replaced_origin;
	unsigned lost, doubted;    // times
	struct engine_stored left; // by the last time
	unsigned recalled;         // times
	char recall_reason[PUBLISH_REASON_MAX];
	// Called from within the answer. May be NULL.
	void (*answered)(struct publication *p);
};

// Turns the loop until it holds; fails when it does not.
#define WAIT_FOR(p, condition) LOOP_UNTIL((p)->base, condition)

// `zones`: of the configuration, as YAML. Post: of new ones, 0.
int publication_open(void **state, const char *zones);
int publication_open_both(void **state); // example and other
int publication_close(void **state);
// The program of a test with these cases. A compiler that is started while COMPILER_DIES is open
// dies over what it gets.
#define COMPILER_DIES 200 // a descriptor that it inherits
int publication_main(int argc, char **argv, int (*cases)(void));

void publication_turns(struct publication *p, unsigned count); // long enough for what should not be
void publication_end(struct publication *p);                   // its process ends in order
void publication_begin(struct publication *p);                 // and starts again
void publication_reconfigure(struct publication *p, const char *zones); // it may have ended
void publication_connect(struct publication *p);                        // the data plane
// For publisher_rollback().
void publication_recalled(void *ctx, const char *reason);

// Zones z0000, z0001, ...: one's name, and so many of a configuration, to be freed.
const uint8_t *numbered_apex(unsigned i);
char *numbered_zones(unsigned count);

// SOA, NS and `hosts` addresses "h<5 digits>.<name>".
struct records *zone_make(const uint8_t *name, uint32_t serial, unsigned hosts, bool ns);
void soa_rdata(uint8_t rdata[22], uint32_t serial);
// Of `apex`, from serial `from` to `to`: another host comes, h00000 goes (`wrong`: one that is not
// there).
struct delta *delta_make(uint32_t from, uint32_t to, bool wrong);

// Publishes a version of `apex` and waits for the answer.
void publish_records(struct publication *p, uint32_t token, struct records *records);
void publish(struct publication *p, uint32_t serial);                       // of a hundred hosts
void publish_from(struct publication *p, uint32_t serial, uint64_t origin); // live

struct publisher_status status_of(struct publication *p, const uint8_t *name);
uint32_t manifest_serial(const struct publication *p); // of `apex` on disk; 0: not there
unsigned images_on_disk(const struct publication *p);
// "7>8 -2 +3, 8>9 -3 +2": the steps of its journal that lead to the version served, with what they
// change.
const char *journal_text(const struct publication *p);
// Makes links of what is in the folder of images, which are not followed; or undoes it.
void images_rename(const struct publication *p, bool links);
