// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// npctl's tables: columns as wide as their content, a dash for what is not known.
#include "npctl_table.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS  9
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

static const struct {
	const char *title, *word;
} columns[COLUMNS] = {
    {"ZONE", "zone"},
    {"TYPE", "type"},
    {"STATE", "state"},
    {"ANSWERED", "serial"}, // by the workers
    {"HELD", "serial-held"},
    {"REFRESH", "next-refresh"},
    {"EXPIRE", "expires-in"},
    {"DURABLE", "durable"},
    {"ERROR", "error"},
};

static void row(const char (*cells)[CELL_MAX], const size_t *widths)
{
	for (int i = 0; i < COLUMNS; i++)
		printf("%-*s%s", i + 1 < COLUMNS ? (int)widths[i] : 0, cells[i],
		    i + 1 < COLUMNS ? "  " : "\n");
}

void table_zones(const json_t *response)
{
	const json_t *zones = json_object_get(response, "zones");
	size_t widths[COLUMNS], i;
	char cells[COLUMNS][CELL_MAX];
	json_t *zone;

	for (int c = 0; c < COLUMNS; c++)
		widths[c] = strlen(columns[c].title);
	json_array_foreach(zones, i, zone)
	{
		for (int c = 0; c < COLUMNS; c++) {
			cell(zone, columns[c].word, cells[c]);
			if (strlen(cells[c]) > widths[c])
				widths[c] = strlen(cells[c]);
		}
	}
	for (int c = 0; c < COLUMNS; c++)
		snprintf(cells[c], CELL_MAX, "%s", columns[c].title);
	row((const char(*)[CELL_MAX])cells, widths);
	json_array_foreach(zones, i, zone)
	{
		for (int c = 0; c < COLUMNS; c++)
			cell(zone, columns[c].word, cells[c]);
		row((const char(*)[CELL_MAX])cells, widths);
	}
	if (!json_is_true(json_object_get(response, "answered")))
		fprintf(
		    stderr, "npctl: the data plane does not answer; what it serves is not known\n");
}

static void line(const json_t *o, const char *title, const char *word)
{
	char text[CELL_MAX];

	cell(o, word, text);
	printf("%-20s %s\n", title, text);
}

void table_status(const json_t *o)
{
	line(o, "identity", "identity");
	line(o, "version", "version");
	line(o, "up", "uptime");
	line(o, "data plane", "dataplane");
	line(o, "data plane process", "dataplane-pid");
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
