// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Two catalogs that say anything, and change. Each step is a version of one of them, out of zone
// text through compiler and reader as in the daemon. A catalog that is accepted lists well-formed
// members, each once; a broken one has a sentence and changes nothing; whatever both say, every
// zone is configured once, those of the file stay as they are, and looking again changes nothing.
//
// Input: steps, each a byte (bit 0: which catalog; bit 1: without "version") and text up to a 0.

#include "catalog.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compile.h"
#include "members.h"
#include "must.h"
#include "name.h"
#include "reading.h"
#include "records.h"
#include "zonefile.h"

#define STEPS_MAX 6
#define TEXT_MAX  1500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *const apexes[2] = {
    (const uint8_t *)"\3one\7invalid", (const uint8_t *)"\3two\7invalid"};
static struct config *config;

static void begin(void)
{
	static const char text[] =
	    "remote: [{id: p, address: 192.0.2.1}]\n"
	    "template: [{id: plain, primaries: p}, {id: odd, primaries: p, expire: grace 1d}]\n"
	    "zone:\n"
	    "  - {domain: one.invalid, primaries: p, catalog-role: interpret,\n"
	    "     catalog-template: [plain, odd]}\n"
	    "  - {domain: two.invalid, primaries: p, catalog-role: interpret, catalog-template: "
	    "odd}\n"
	    "  - {domain: hand.example, primaries: p}\n";
	struct config_error error;

	if (config == NULL)
		must(config_parse(text, strlen(text), 0, &config, &error) == 0);
}

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	(void)records_add(ctx, owner, type, ttl, rdata, rdlen); // out of the zone: left out
	return 0;
}

// Post: false when it is no zone.
static bool version_make(
    const uint8_t *apex, const char *text, size_t len, bool version, struct reading *out)
{
	static const char head[] =
	    "$TTL 60\n@ SOA invalid. invalid. 1 60 10 3600 30\n@ NS invalid.\n",
	                  two[] = "version TXT \"2\"\n";
	const struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	struct records *records = records_new(apex);
	char error[COMPILE_ERROR_MAX];
	struct image_buffer buffer;
	struct zonefile_error where;
	bool made = false;

	must(records != NULL);
	must(zonefile_parse_text(head, sizeof(head) - 1, apex, collect, records, &where) == 0);
	if (version)
		must(
		    zonefile_parse_text(two, sizeof(two) - 1, apex, collect, records, &where) == 0);
	(void)zonefile_parse_text(text, len, apex, collect, records, &where);
	must(image_buffer_open(&buffer, 1u << 26) == 0);
	if (records_sort(records) == 0 && records_check(records, error) == 0 &&
	    compile_image(records, &options, &buffer, error) == 0) {
		const int fd = memfd_create("image", MFD_CLOEXEC);
		const size_t used = buffer.used;

		must(image_buffer_write(&buffer, fd) == 0);
		*out = (struct reading){0};
		must(reading_layer(out, fd, 0, used) == 0);
		close(fd);
		made = true;
	}
	image_buffer_close(&buffer);
	records_free(records);
	return made;
}

// Post: whether it is not broken.
static bool catalog_judge(const struct zone_version *version)
{
	char error[CATALOG_ERROR_MAX] = "";
	struct catalog *catalog;
	const int rc = catalog_read(version, &catalog, error);

	must(rc == 0 || rc == -EINVAL);
	if (rc != 0) {
		must(error[0] != '\0');
		return false;
	}
	for (size_t i = 0; i < catalog->count; i++) {
		const struct catalog_member *member = &catalog->members[i];

		must(name_len_checked(member->domain, member->domain_len) == member->domain_len);
		must(member->label[0] >= 1 && member->label[0] <= 63);
		must(catalog_find(catalog, member->domain) == member);
		must(member->coo == NULL || name_len_checked(member->coo, NAME_LEN_MAX) > 0);
		for (size_t k = 0; k < member->group_count; k++)
			must(strlen(member->groups[k]) <= 255);
	}
	catalog_free(catalog);
	return true;
}

static void configuration_judge(struct members *members, bool good)
{
	bool changed, resets;
	struct config *all, *without;

	must(members_resolve(members, config, &changed, &resets) == 0);
	must(good || !changed); // a broken one changes nothing
	must(members_extend(members, config, false, &without) == 0);
	must(
	    members_extend(members, config, true, &all) == 0); // with those left out the first time
	must(resets == (without->zone_count < all->zone_count));
	must(all->zone_count == config->zone_count + members_count(members, apexes[0]) +
	                            members_count(members, apexes[1]));
	for (size_t i = 0; i < all->zone_count; i++) {
		const struct config_zone *zone = &all->zones[i];

		must((i < config->zone_count) == (zone->member_of == NULL));
		must(i >= config->zone_count || name_equal(zone->domain, config->zones[i].domain));
		for (size_t k = 0; k < i; k++)
			must(!name_equal(all->zones[k].domain, zone->domain));
	}
	config_free(without);
	config_free(all);
	members_settle(members);
	must(members_resolve(members, config, &changed, &resets) == 0);
	must(!changed && !resets);
	members_prune(members);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct members *members;

	begin();
	members = members_open();
	must(members != NULL);
	for (unsigned step = 0; step < STEPS_MAX && size > 1; step++) {
		const unsigned which = data[0] & 1;
		const uint8_t *end = memchr(data + 1, 0, size - 1);
		const size_t len = end != NULL ? (size_t)(end - data - 1) : size - 1;
		struct reading reading;

		if (len <= TEXT_MAX && version_make(apexes[which], (const char *)data + 1, len,
		                           (data[0] & 2) == 0, &reading)) {
			const bool good = catalog_judge(&reading.version);

			members_take(members, &config->zones[which], &reading.version);
			must(good || members_error(members, apexes[which]) != NULL);
			reading_close(&reading);
			configuration_judge(members, good);
		}
		data += len + 1;
		size -= len + 1;
		if (end != NULL && size > 0) {
			data++;
			size--;
		}
	}
	members_close(members);
	return 0;
}
