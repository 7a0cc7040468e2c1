// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Catalog zones (RFC 9432): what is read out of one, what makes it broken, and whose a member is
// when catalogs disagree. Zone text goes through compiler and reader as in the daemon.
#include "catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "compile.h"
#include "members.h"
#include "name.h"
#include "reading.h"
#include "records.h"
#include "zonefile.h"

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	(void)rrclass;
	(void)err;
	return records_add(ctx, owner, type, ttl, rdata, rdlen);
}

static const uint8_t *wire(const char *text)
{
	static uint8_t names[8][NAME_LEN_MAX];
	static unsigned next;
	uint8_t *name = names[next++ % 8];

	assert_true(name_from_text(text, strlen(text), NULL, name) > 0);
	return name;
}

// A version of the catalog `apex` with these lines beside SOA and NS.
static void catalog_make(const char *apex, const char *lines, struct reading *reading)
{
	struct compile_options options = {.key = {{1, 2}}, .generation = 1, .id = 1};
	struct zonefile_error where = {0};
	struct image_buffer buffer;
	char text[4096], error[COMPILE_ERROR_MAX];
	struct records *records = records_new(wire(apex));

	snprintf(text, sizeof(text),
	    "$TTL 60\n@ SOA invalid. invalid. 1 60 10 3600 30\n@ NS invalid.\n%s", lines);
	assert_int_equal(
	    zonefile_parse_text(text, strlen(text), wire(apex), record_take, records, &where), 0);
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&buffer, 1u << 30), 0);
	assert_int_equal(compile_image(records, &options, &buffer, error), 0);
	records_free(records);
	const int fd = memfd_create("image", MFD_CLOEXEC);
	const size_t size = buffer.used;

	assert_int_equal(image_buffer_write(&buffer, fd), 0);
	image_buffer_close(&buffer);
	*reading = (struct reading){0};
	assert_int_equal(reading_layer(reading, fd, 0, size), 0);
	close(fd);
}

static int read_lines(const char *lines, struct catalog **out, char error[CATALOG_ERROR_MAX])
{
	struct reading reading;
	int rc;

	catalog_make("cat.invalid.", lines, &reading);
	rc = catalog_read(&reading.version, out, error);
	reading_close(&reading);
	return rc;
}

static void members_and_their_properties_are_read(void **state)
{
	char error[CATALOG_ERROR_MAX];
	struct catalog *catalog;

	assert_int_equal(read_lines("VERSION TXT \"2\"\n"
	                            "b.Zones PTR B.Example.\n"
	                            "GROUP.b.zones TXT \"two\"\n"
	                            "group.b.zones TXT \"one\"\n"
	                            "group.b.zones TXT \"no\" \"group\"\n"
	                            "Coo.b.zones PTR Other.Invalid.\n"
	                            "a.zones PTR a.example.\n"
	                            "a.zones TXT \"nothing\"\n"
	                            "ext.vendor.ext.a.zones TXT \"nothing\"\n"
	                            "group.nobody.zones TXT \"of no member\"\n"
	                            "zones TXT \"nothing\"\n"
	                            "c.elsewhere PTR c.example.\n",
	                     &catalog, error),
	    0);
	assert_int_equal(catalog->count, 2);
	const struct catalog_member *a = catalog_find(catalog, wire("a.example."));
	const struct catalog_member *b = catalog_find(catalog, wire("b.example."));

	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(a->group_count, 0);
	assert_null(a->coo);
	assert_memory_equal(b->label, "\1b", 2);
	assert_memory_equal(b->coo, wire("other.invalid."), 15);
	assert_int_equal(b->group_count, 2);
	assert_string_equal(b->groups[0], "two"); // as they came
	assert_string_equal(b->groups[1], "one");
	catalog_free(catalog);
}

static void a_broken_catalog_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *lines, *why;
	} rows[] = {
	    {"a.zones PTR a.example.\n", "no version"},
	    {"version TXT \"1\"\n", "not 2"},
	    {"version TXT \"22\"\n", "not 2"},
	    {"version TXT \"2\" \"2\"\n", "not 2"},
	    {"version TXT \"2\"\nversion TXT \"3\"\n", "more than one version"},
	    {"version TXT \"2\"\na.zones PTR a.example.\na.zones PTR b.example.\n",
	        "more than one PTR"},
	    {"version TXT \"2\"\na.zones PTR a.example.\nb.zones PTR A.example.\n", "listed twice"},
	    {"version TXT \"2\"\na.zones PTR a.example.\ncoo.a.zones PTR b.\ncoo.a.zones PTR c.\n",
	        "more than one PTR"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char error[CATALOG_ERROR_MAX];
		struct catalog *catalog;

		assert_true(read_lines(rows[i].lines, &catalog, error) < 0);
		assert_null(catalog);
		if (strstr(error, rows[i].why) == NULL) {
			fail_msg("row %zu: \"%s\"", i, error);
		}
	}
}

// --- whose a member is
// ----------------------------------------------------------------------------

static struct config *config;
static struct members *members;

static void begin(void)
{
	static const char text[] =
	    "remote: [{id: p, address: 192.0.2.1}]\n"
	    "template: [{id: plain, primaries: p}, {id: odd, primaries: p, expire: grace 1d}]\n"
	    "zone:\n"
	    "  - {domain: one.invalid, primaries: p, catalog-role: interpret,\n"
	    "     catalog-template: [plain, odd]}\n"
	    "  - {domain: hand.example, primaries: p}\n"
	    "  - {domain: two.invalid, primaries: p, catalog-role: interpret,\n"
	    "     catalog-template: odd}\n";
	struct config_error error;

	if (config_parse(text, strlen(text), 0, &config, &error) < 0) {
		fail_msg("%u:%u: %s", error.line, error.column, error.message);
	}
	members = members_open();
	assert_non_null(members);
}

static void end(void)
{
	members_close(members);
	config_free(config);
}

static void take(unsigned index, const char *lines)
{
	struct reading reading;
	char text[2048];

	snprintf(text, sizeof(text), "version TXT \"2\"\n%s", lines);
	catalog_make(index == 0 ? "one.invalid." : "two.invalid.", text, &reading);
	members_take(members, &config->zones[index], &reading.version);
	reading_close(&reading);
}

// What is configured beside the file's three zones, as "domain<catalog" (+g: with a grace), and
// with a ! in front when state is to be dropped first.
static void expect(const char *want)
{
	bool changed, resets;
	char got[512] = "";
	size_t used = 0;
	struct config *without, *all;

	assert_int_equal(members_resolve(members, config, &changed, &resets), 0);
	assert_int_equal(members_extend(members, config, false, &without), 0);
	// Those that are left out the first time.
	assert_int_equal(members_extend(members, config, true, &all), 0);
	assert_true(resets == (without->zone_count < all->zone_count));
	for (size_t i = config->zone_count; i < all->zone_count; i++) {
		const struct config_zone *zone = &all->zones[i];
		char name[NAME_TEXT_MAX], from[NAME_TEXT_MAX];
		bool there = false;

		for (size_t k = config->zone_count; k < without->zone_count; k++)
			there |= name_equal(without->zones[k].domain, zone->domain);
		name_to_text(zone->domain, name);
		name_to_text(zone->member_of, from);
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s%.1s<%.1s%s",
		    used > 0 ? " " : "", there ? "" : "!", name, from,
		    zone->expire == CONFIG_EXPIRE_GRACE ? "+g" : "");
		assert_int_equal(zone->primary_count, 1);
		assert_int_equal(zone->notify_from_count, 1);
	}
	config_free(without);
	config_free(all);
	assert_string_equal(got, want);
	members_settle(members);
	// Nothing changes by looking again.
	assert_int_equal(members_resolve(members, config, &changed, &resets), 0);
	assert_false(changed);
	assert_false(resets);
	members_prune(members);
}

static void members_come_and_go_with_their_catalog(void **state)
{
	begin();
	expect("");
	take(0, "1.zones PTR a.\n2.zones PTR b.\ngroup.2.zones TXT \"odd\"\n");
	take(2, "1.zones PTR c.\n");
	expect("a<o b<o+g c<t+g");
	take(0, "2.zones PTR b.\n");
	expect("b<o c<t+g"); // the group is another, its state the same
	take(0, "3.zones PTR b.\n");
	expect("!b<o c<t+g");           // another label is another zone
	take(2, "version TXT \"3\"\n"); // broken
	expect("b<o c<t+g");
	assert_non_null(members_error(members, wire("two.invalid.")));
	assert_null(members_error(members, wire("one.invalid.")));
	take(2, "");
	expect("b<o");
	assert_null(members_error(members, wire("two.invalid.")));
	end();
}

static void who_has_a_member_keeps_it_unless_it_gives_it_away(void **state)
{
	begin();
	take(2, "1.zones PTR a.\n");
	expect("a<t+g");
	take(0, "1.zones PTR a.\n2.zones PTR hand.example.\n");
	expect("a<t+g"); // the second catalog had it first
	assert_non_null(strstr(members_error(members, wire("one.invalid.")), "left out"));
	assert_int_equal(members_count(members, wire("one.invalid.")), 0);
	take(2, "1.zones PTR a.\ncoo.1.zones PTR other.invalid.\n");
	expect("a<t+g"); // given to somebody else
	take(2, "1.zones PTR a.\ncoo.1.zones PTR one.invalid.\n");
	expect("a<o"); // with its state: the same label
	take(2, "");
	expect("a<o");
	take(2, "9.zones PTR a.\n");
	expect("a<o");
	take(0, "1.zones PTR a.\ncoo.1.zones PTR two.invalid.\n");
	expect("!a<t+g"); // without: another label
	take(0, "");
	take(2, "");
	expect("");
	take(2, "1.zones PTR a.\n");
	expect("a<t+g");
	take(2, "");
	take(0, "1.zones PTR a.\n");
	expect("!a<o"); // it left one and came to the other
	end();
}

// What could not be taken up must not be taken for known: nobody would come to tell of it again.
static void what_was_not_taken_up_is_told_again(void **state)
{
	bool changed, resets;
	struct config *extended;

	begin();
	take(0, "1.zones PTR a.\n");
	expect("a<o");
	take(0, "2.zones PTR a.\n");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(members_resolve(members, config, &changed, &resets), 0);
		assert_true(changed);
		assert_true(resets);
		assert_int_equal(members_extend(members, config, false, &extended), 0);
		assert_int_equal(extended->zone_count, config->zone_count);
		config_free(extended);
	}
	// It was taken up without the member, and not with it.
	assert_int_equal(members_extend(members, config, true, &extended), 0);
	config_free(extended);
	assert_int_equal(members_resolve(members, config, &changed, &resets), 0);
	assert_true(changed);
	assert_false(resets);
	expect("a<o");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(members_and_their_properties_are_read),
	    cmocka_unit_test(a_broken_catalog_is_refused_with_the_reason),
	    cmocka_unit_test(members_come_and_go_with_their_catalog),
	    cmocka_unit_test(who_has_a_member_keeps_it_unless_it_gives_it_away),
	    cmocka_unit_test(what_was_not_taken_up_is_told_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
