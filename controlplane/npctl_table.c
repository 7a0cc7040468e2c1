// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// npctl's tables: columns as wide as their content, a dash for what is not known.
#include "npctl_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS  10 // at most
#define CELL_MAX 128

static void duration(double s, char out[CELL_MAX])
{
	long long whole = (long long)s;

	if (s < 0)
		snprintf(out, CELL_MAX, "past");
	else if (whole < 120)
		snprintf(out, CELL_MAX, "%llds", whole);
	else if (whole < 7200)
		snprintf(out, CELL_MAX, "%lldm", whole / 60);
	else if (whole < 172800)
		snprintf(out, CELL_MAX, "%lldh", whole / 3600);
	else
		snprintf(out, CELL_MAX, "%lldd", whole / 86400);
}

static void cell(const json_t *zone, const char *word, char out[CELL_MAX])
{
	const json_t *value = json_object_get(zone, word);

	if (json_is_string(value))
		snprintf(out, CELL_MAX, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(out, CELL_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		duration(json_real_value(value), out);
	else if (json_is_boolean(value))
		snprintf(out, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(out, CELL_MAX, "-");
}

struct column {
	const char *title, *word;
};

static const struct column zone_columns[] = {
    {"ZONE", "zone"},
    {"TYPE", "type"},
    {"STATE", "state"},
    {"ANSWERED", "serial"}, // by the workers
    {"HELD", "serial-held"},
    {"REFRESH", "next-refresh"},
    {"EXPIRE", "expires-in"},
    {"BEHIND", "behind"},
    {"DURABLE", "durable"},
    {"ERROR", "error"},
};

static const struct column version_columns[] = {
    {"SERIAL", "serial"},
    {"ROLE", "role"},
    {"WHEN", "when"},
    {"HOW", "how"},
    {"FROM", "from"},
    {"RECORDS", "records"},
    {"BYTES", "image-bytes"},
    {"DURABLE", "durable"},
    {"LIVE", "live"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
static_assert(COUNT(zone_columns) <= COLUMNS && COUNT(version_columns) <= COLUMNS, "they fit");

static void row(const char (*cells)[CELL_MAX], const size_t *widths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%-*s%s", i + 1 < count ? (int)widths[i] : 0, cells[i],
		    i + 1 < count ? "  " : "\n");
}

static void table(const json_t *rows, const struct column *columns, size_t count)
{
	size_t widths[COLUMNS], i;
	char cells[COLUMNS][CELL_MAX];
	json_t *item;

	for (size_t c = 0; c < count; c++)
		widths[c] = strlen(columns[c].title);
	json_array_foreach(rows, i, item)
	{
		for (size_t c = 0; c < count; c++) {
			cell(item, columns[c].word, cells[c]);
			if (strlen(cells[c]) > widths[c])
				widths[c] = strlen(cells[c]);
		}
	}
	for (size_t c = 0; c < count; c++)
		snprintf(cells[c], CELL_MAX, "%s", columns[c].title);
	row((const char(*)[CELL_MAX])cells, widths, count);
	json_array_foreach(rows, i, item)
	{
		for (size_t c = 0; c < count; c++)
			cell(item, columns[c].word, cells[c]);
		row((const char(*)[CELL_MAX])cells, widths, count);
	}
}

void table_zones(const json_t *response)
{
	table(json_object_get(response, "zones"), zone_columns, COUNT(zone_columns));
	if (!json_is_true(json_object_get(response, "answered")))
		fprintf(
		    stderr, "npctl: the data plane does not answer; what it serves is not known\n");
}

void table_history(const json_t *response)
{
	table(json_object_get(response, "versions"), version_columns, COUNT(version_columns));
	if (json_is_true(json_object_get(response, "pinned")))
		puts("The zone is pinned: it takes nothing newer.");
}

void table_diff(const json_t *response)
{
	const json_t *changes = json_object_get(response, "changes");
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) puts(json_string_value(change));
}

void table_rollback(const json_t *response)
{
	printf("serial %lld is %s; the zone is pinned to it\n",
	    (long long)json_integer_value(json_object_get(response, "serial")),
	    json_is_true(json_object_get(response, "live")) ? "live"
	                                                    : "stored for a data plane to come");
}

static void line(const json_t *o, const char *title, const char *word)
{
	char text[CELL_MAX];

	cell(o, word, text);
	printf("%-20s %s\n", title, text);
}

void table_status(const json_t *o)
{
	if (json_is_true(json_object_get(o, "starting"))) {
		line(o, "identity", "identity");
		line(o, "version", "version");
		line(o, "starting since", "uptime");
		line(o, "stored zones", "zones-stored");
		line(o, "  read", "zones-read");
		return;
	}
	line(o, "identity", "identity");
	line(o, "version", "version");
	line(o, "up", "uptime");
	line(o, "data plane", "dataplane");
	line(o, "data plane process", "dataplane-pid");
	line(o, "data plane error", "dataplane-error");
	line(o, "data plane up", "dataplane-uptime");
	line(o, "zones", "zones");
	line(o, "  held", "zones-held");
	line(o, "  live", "zones-live");
	line(o, "  durable", "zones-durable");
	line(o, "  being published", "zones-busy");
	line(o, "  with an error", "zones-failed");
	line(o, "image bytes", "image-bytes");
	line(o, "generation", "generation");
	line(o, "configuration", "config-file");
	line(o, "configuration error", "config-error");
}

static void joined(const json_t *list, char out[CELL_MAX])
{
	size_t used = 0, i;
	json_t *item;

	out[0] = '\0';
	json_array_foreach(list, i, item)
	{
		int n = snprintf(
		    out + used, CELL_MAX - used, "%s%s", i > 0 ? "," : "", json_string_value(item));

		if (n < 0 || (size_t)n >= CELL_MAX - used)
			break;
		used += (size_t)n;
	}
	if (out[0] == '\0')
		strcpy(out, "-");
}

void table_keys(const json_t *response)
{
	const char *format = "%-24s  %-11s  %-13s  %-7s  %-24s  %s\n";
	size_t i;
	json_t *key;

	printf(format, "KEY", "ALGORITHM", "FROM", "RETIRED", "PREFERRED", "ACCEPTED");
	json_array_foreach(json_object_get(response, "keys"), i, key)
	{
		char cells[4][CELL_MAX], preferred[CELL_MAX], accepted[CELL_MAX];

		cell(key, "key", cells[0]);
		cell(key, "algorithm", cells[1]);
		cell(key, "from", cells[2]);
		cell(key, "retired", cells[3]);
		joined(json_object_get(key, "preferred"), preferred);
		joined(json_object_get(key, "accepted"), accepted);
		printf(format, cells[0], cells[1], cells[2], cells[3], preferred, accepted);
	}
}
