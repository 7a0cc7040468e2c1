// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// May a version be built? One that does not fit into memory is refused before it is, so that what
// is served stays so: a kill for want of memory asks nobody which process it was about. Any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMISSION_REASON_MAX 256
#define ADMISSION_LOOK_MIN   ((size_t)1 << 20) // bytes of records; fewer fit

struct admission {
	uint64_t memory_max; // images of all zones together; 0: no limit but the system's
	uint64_t images;     // bytes of those that are served
};

// What an image of these records comes to, and what building it takes at most beside them, both as
// measured (bench/README.md). `bytes`: as in struct records.
uint64_t admission_image_size(uint64_t count, uint64_t bytes);
uint64_t admission_build_size(uint64_t count, uint64_t bytes);

// What the system has left: the least of /proc/meminfo and the limits of our control group and
// those above it (version 2). `root` is put before each path, "" but in tests. UINT64_MAX: unknown.
uint64_t admission_available(const char *root);

// Post: false and one sentence in `reason` when a version of these records must not be built.
bool admission_fits(const struct admission *admission, uint64_t available, uint64_t count,
    uint64_t bytes, char reason[ADMISSION_REASON_MAX]);
