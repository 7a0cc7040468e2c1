// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-zone diff: what one zone has and the other has not, as records removed and added. The order of
// records inside an RRset and the case of owners say nothing and are not compared; TTLs and all
// bytes of the data are.

#include "np_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A total order: owner, type, data, TTL.
static int record_order(const void *left, const void *right)
{
	const struct record *a = left, *b = right;
	int order = name_compare(a->owner, b->owner);
	size_t len = a->rdlen < b->rdlen ? a->rdlen : b->rdlen;

	if (order != 0)
		return order;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	order = memcmp(a->rdata, b->rdata, len);
	if (order != 0)
		return order;
	if (a->rdlen != b->rdlen)
		return a->rdlen < b->rdlen ? -1 : 1;
	return (a->ttl > b->ttl) - (a->ttl < b->ttl);
}

static bool difference_put(const struct records *before, const struct records *after, bool quiet)
{
	size_t i = 0, k = 0;
	bool same = true;

	while (i < before->count || k < after->count) {
		int order = i == before->count  ? 1
		            : k == after->count ? -1
		                                : record_order(&before->items[i], &after->items[k]);

		same &= order == 0;
		if (order < 0 && !quiet)
			record_put("- ", &before->items[i]);
		if (order > 0 && !quiet)
			record_put("+ ", &after->items[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return same;
}

static int source_load(struct zone_source *source, const char *path, const char *origin)
{
	int code = source_open(source, path, origin);

	if (code == EXIT_OK)
		code = source_records(source);
	if (code == EXIT_OK)
		qsort(source->records->items, source->records->count, sizeof(struct record),
		    record_order);
	return code == EXIT_OK ? EXIT_OK : EXIT_TROUBLE; // 1 would say that they differ
}

int zone_diff(int argc, char **argv)
{
	const char *origin = NULL;
	char apex[NAME_TEXT_MAX];
	struct zone_source before, after;
	bool quiet = false;
	int option;

	while ((option = getopt(argc, argv, "qz:")) != -1) {
		if (option == '?')
			return EXIT_TROUBLE;
		if (option == 'q')
			quiet = true;
		else
			origin = optarg;
	}
	if (argc - optind != 2) {
		complain("diff needs two files");
		return EXIT_TROUBLE;
	}

	int code = source_load(&before, argv[optind], origin);

	// Without an origin the second file is the same zone as the first.
	if (code == EXIT_OK) {
		name_to_text(before.apex, apex);
		code = source_load(&after, argv[optind + 1], apex);
		if (code == EXIT_OK)
			code = difference_put(before.records, after.records, quiet) ? EXIT_OK
			                                                            : EXIT_BAD;
		source_close(&after);
	}
	source_close(&before);
	return code;
}
