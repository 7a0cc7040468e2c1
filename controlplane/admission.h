// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// May a version be built? One that does not fit into memory is refused before it is, so that what
// is served stays so: a kill for want of memory asks nobody which process it was about. Any thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMISSION_REASON_MAX 256
#define ADMISSION_LOOK_MIN   ((size_t)1 << 20) // bytes of records; fewer fit

struct admission {
	pthread_mutex_t lock;
	uint64_t memory_max; // images of all zones together; 0: no limit but the system's
	uint64_t images;     // bytes of those that are served
	// What was let in and is not served yet: its images, and what those that are being built
	// take.
	uint64_t coming, building;
};

// One's part of it; all 0: none.
struct admission_claim {
	uint64_t image, build;
};

// What an image of these records comes to, and what building it takes at most beside them, both as
// measured (bench/README.md). `bytes`: as in struct records.
uint64_t admission_image_size(uint64_t count, uint64_t bytes);
uint64_t admission_build_size(uint64_t count, uint64_t bytes);

// What the system has left: the least of /proc/meminfo and the limits of our control group and
// those above it, of either version. `root` is put before each path, "" but in tests. UINT64_MAX:
// unknown.
uint64_t admission_available(const char *root);

// Pre: *claim is none. Post: true and a claim; or false and one sentence in `reason`: a version of
// these records must not be built. Two that would not fit together never have a claim at once.
bool admission_claim(struct admission *admission, uint64_t available, uint64_t count,
    uint64_t bytes, struct admission_claim *claim, char reason[ADMISSION_REASON_MAX]);
// The same asked while they come: would so many be let in now? What they take themselves is no
// longer among what is left. Post: true, or false and half a sentence in `reason`.
bool admission_room(struct admission *admission, uint64_t available, uint64_t count, uint64_t bytes,
    char reason[ADMISSION_REASON_MAX]);
void admission_built(
    struct admission *admission, struct admission_claim *claim); // the image is left
void admission_release(struct admission *admission, struct admission_claim *claim); // nothing is

void admission_limit(struct admission *admission, uint64_t memory_max);
// The images that are served are `more` bytes now, and `less` fewer.
void admission_served(struct admission *admission, uint64_t more, uint64_t less);
