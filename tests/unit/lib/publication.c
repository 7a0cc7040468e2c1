// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See publication.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publication.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compiler_child.h"
#include "delta.h"
#include "journal.h"
#include "manifest.h"
#include "rrtype.h"
#include "slice.h"

static void published(
    void *ctx, const uint8_t *name, uint32_t token, enum engine_verdict verdict, const char *reason)
{
	struct publication *p = ctx;

	p->answers++;
	p->live = verdict == ENGINE_LIVE;
	p->held = verdict == ENGINE_HELD;
	p->held_short = verdict == ENGINE_SHORT;
	p->no_room = verdict == ENGINE_NO_ROOM;
	p->lives += p->live;
	p->others += !p->live;
	p->token = token;
	snprintf(p->reason, sizeof(p->reason), "%s", reason != NULL ? reason : "");
	if (!p->live) {
		memcpy(p->other_zone, name, name_len(name));
		memcpy(p->other_reason, p->reason, sizeof(p->reason));
	}
	if (p->answered != NULL)
		p->answered(p);
}

static void replaced(void *ctx, const uint8_t *name, const struct zone_soa *soa, uint64_t origin)
{
	struct publication *p = ctx;

	p->replaced++;
	p->replaced_serial = soa->serial;
	p->replaced_origin = origin;
}

static void lost(void *ctx, const uint8_t *name)
{
	struct publication *p = ctx;

	p->lost++;
	publisher_load(p->publisher, name, &p->left);
}

static void doubted(void *ctx, const uint8_t *name)
{
	((struct publication *)ctx)->doubted++;
}

void publication_recalled(void *ctx, const char *reason)
{
	struct publication *p = ctx;

	p->recalled++;
	snprintf(p->recall_reason, sizeof(p->recall_reason), "%s", reason != NULL ? reason : "");
}

static struct config *config_of(const struct publication *p, const char *zones)
{
	struct config_error error;
	struct config *config;
	char *text;
	const int len = asprintf(&text,
	    "server: {rundir: %s, storage: %s}\n"
	    "remote: [{id: p, address: 192.0.2.1}]\nzone:\n%s",
	    p->rundir, p->storage, zones);

	assert_true(len > 0);
	if (config_parse(text, (size_t)len, 0, &config, &error) != 0)
		fail_msg("%u:%u: %s", error.line, error.column, error.message);
	free(text);
	return config;
}

void publication_begin(struct publication *p)
{
	const struct publisher_ops ops = {.ctx = p,
	    .published = published,
	    .replaced = replaced,
	    .lost = lost,
	    .doubted = doubted};
	char error[PUBLISH_REASON_MAX];

	if (publisher_open(p->base, p->config, &ops, &p->publisher, error) < 0)
		fail_msg("%s", error);
}

void publication_end(struct publication *p)
{
	publisher_close(p->publisher);
	p->publisher = NULL;
}

int publication_open(void **state, const char *zones)
{
	struct publication *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->folder, "/dev/shm/publication.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->rundir, sizeof(p->rundir), "%s/run", p->folder);
	snprintf(p->storage, sizeof(p->storage), "%s/store", p->folder);
	p->base = event_base_new();
	p->config = config_of(p, zones);
	plane_open(&p->plane, p->base);
	publication_begin(p);
	*state = p;
	return 0;
}

int publication_open_both(void **state)
{
	return publication_open(state, ZONES_BOTH);
}

int publication_close(void **state)
{
	struct publication *p = *state;
	char command[128];

	plane_free(&p->plane);
	publication_end(p);
	event_base_free(p->base);
	config_free(p->config);
	snprintf(command, sizeof(command), "rm -rf %s", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

int publication_main(int argc, char **argv, int (*cases)(void))
{
	char byte;

	if (argc == 2 && strcmp(argv[1], COMPILER_ARGUMENT) == 0) {
		if (fcntl(COMPILER_DIES, F_GETFD) >= 0 &&
		    recv(COMPILER_SOCKET, &byte, sizeof(byte), MSG_PEEK) > 0)
			raise(SIGKILL);
		return compiler_child_main();
	}
	signal(SIGPIPE, SIG_IGN); // as np_controlplane.c does
	return cases();
}

void publication_turns(struct publication *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		loop_turn(p->base);
}

void publication_reconfigure(struct publication *p, const char *zones)
{
	struct config *config = config_of(p, zones);
	int rc = 0;

	if (p->publisher != NULL)
		publisher_reconfigure(p->publisher, config);
	do // in as small slices as may be
		rc = p->publisher != NULL ? publisher_reconfigure_go(p->publisher, SLICE_ONE) : 0;
	while (rc == -EAGAIN);
	assert_int_equal(rc, 0);
	config_free(p->config);
	p->config = config;
}

void publication_connect(struct publication *p)
{
	plane_connect(&p->plane, p->rundir);
}

// --- zones
// ----------------------------------------------------------------------------------------

const uint8_t *numbered_apex(unsigned i)
{
	static uint8_t name[8];

	snprintf((char *)name, sizeof(name), "\5z%04u", i % 10000);
	return name;
}

char *numbered_zones(unsigned count)
{
	char *text = malloc(count * 40 + 1), *at = text;

	assert_non_null(text);
	*at = '\0';
	for (unsigned i = 0; i < count; i++)
		at += sprintf(at, "  - {domain: z%04u, primaries: p}\n", i);
	return text;
}

void soa_rdata(uint8_t rdata[22], uint32_t serial)
{
	const uint32_t fields[5] = {serial, 60, 30, 600, 60};

	rdata[0] = rdata[1] = 0; // both names are the root
	for (int i = 0; i < 20; i++)
		rdata[2 + i] = (uint8_t)(fields[i / 4] >> (24 - 8 * (i % 4)));
}

struct records *zone_make(const uint8_t *name, uint32_t serial, unsigned hosts, bool ns)
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
		memcpy(owner + 7, name, name_len(name));
		assert_int_equal(
		    records_add(records, owner, RRTYPE_A, 60, address, sizeof(address)), 0);
	}
	return records;
}

struct delta *delta_make(uint32_t from, uint32_t to, bool wrong)
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

void publish_records(struct publication *p, uint32_t token, struct records *records)
{
	publisher_publish(p->publisher, apex, token, 0, NULL, records);
	WAIT_FOR(p, p->token == token);
}

void publish(struct publication *p, uint32_t serial)
{
	const unsigned before = p->answers;

	publisher_publish(p->publisher, apex, serial, 0, NULL, zone_make(apex, serial, 100, true));
	WAIT_FOR(p, p->answers > before);
	assert_int_equal(p->token, serial);
}

void publish_from(struct publication *p, uint32_t serial, uint64_t origin)
{
	publisher_publish(
	    p->publisher, apex, serial, origin, NULL, zone_make(apex, serial, 100, true));
	WAIT_FOR(p, p->token == serial);
	assert_true(p->live);
}

// --- what became of them
// --------------------------------------------------------------------------

struct publisher_status status_of(struct publication *p, const uint8_t *name)
{
	struct publisher_status status;

	assert_true(publisher_status(p->publisher, name, &status));
	return status;
}

uint32_t manifest_serial(const struct publication *p)
{
	char error[MANIFEST_ERROR_MAX];
	struct manifest manifest;
	uint32_t serial = 0;

	if (manifest_load(p->storage, &manifest, error) < 0)
		return 0;
	for (size_t i = 0; i < manifest.zone_count; i++)
		if (name_equal(manifest.zones[i].apex, apex))
			serial = manifest.zones[i].serial;
	manifest_free(&manifest);
	return serial;
}

unsigned images_on_disk(const struct publication *p)
{
	char path[96];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/images", p->storage);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

const char *journal_text(const struct publication *p)
{
	static char text[256];
	char error[JOURNAL_ERROR_MAX], *at = text;
	const struct journal_step *steps;
	struct journal *journal;
	size_t count;

	if (journal_open(p->storage, apex, &journal, error) != 0)
		return "none";
	steps = journal_steps(journal, &count);
	*at = '\0';
	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s%u>%u -%u +%u", i > 0 ? ", " : "", steps[i].from, steps[i].to,
		    steps[i].removed, steps[i].added);
	journal_close(journal);
	return text;
}

void images_rename(const struct publication *p, bool links)
{
	char command[256];

	snprintf(command, sizeof(command),
	    links ? "cd %s/images && for i in *.img; do mv $i ../$i.away && ln -s ../$i.away "
	            "$i; done"
	          : "cd %s/images && for i in *.img; do [ ! -L $i ] || mv ../$i.away $i; done",
	    p->storage);
	assert_int_equal(system(command), 0);
}
