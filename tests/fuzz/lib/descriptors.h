// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Counts open descriptors, so that a target sees one that was left behind. Pipes are left out: the
// fuzzer has some of its own, to the symbolizer.
#pragma once

#include <sys/stat.h>

#define DESCRIPTORS_LOOKED_AT 64

static inline unsigned descriptors_count(void)
{
	unsigned count = 0;
	struct stat st;

	for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
		count += fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode);
	return count;
}
