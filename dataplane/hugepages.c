// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See hugepages.h. Called once at start.

#include "hugepages.h"

#include <dirent.h>
#include <stdio.h>

unsigned long hugepages_free_mb(void)
{
	static const char base[] = "/sys/kernel/mm/hugepages";
	unsigned long kb, pages, sum = 0;
	DIR *dir = opendir(base);
	struct dirent *d;

	if (dir == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL) {
		char path[512];
		FILE *f;

		if (sscanf(d->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof path, "%s/%s/free_hugepages", base, d->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &pages) == 1)
			sum += pages * kb / 1024;
		fclose(f);
	}
	closedir(dir);
	return sum;
}
