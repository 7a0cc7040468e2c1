// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// May a version be built? See admission.h.
#include "admission.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Stays free: the data plane's tables, sockets, and whatever else runs on the node.
#define RESERVE_SHARE 20 // a twentieth of what is left
#define RESERVE_MIN   (UINT64_C(64) << 20)

// A TLD of delegations has 65 bytes an image's record beside what the record itself is, the signed
// root 100; sorting and compiling take less than this for each.
#define IMAGE_A_RECORD  100
#define TABLES_A_RECORD 128

uint64_t admission_image_size(uint64_t count, uint64_t bytes)
{
	return count * IMAGE_A_RECORD + bytes;
}

uint64_t admission_build_size(uint64_t count, uint64_t bytes)
{
	return admission_image_size(count, bytes) + bytes + count * TABLES_A_RECORD;
}

// The number behind `word` in a file of lines "WORD NUMBER". Post: false when there is none.
static bool field_read(const char *path, const char *word, uint64_t *out)
{
	FILE *file = fopen(path, "re");
	const size_t len = strlen(word);
	char line[256];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, word, len) == 0 && sscanf(line + len, "%" SCNu64, out) == 1;
	if (file != NULL)
		fclose(file);
	return found;
}

// "max" is no number.
static bool number_read(const char *folder, const char *name, uint64_t *out)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path) &&
	       field_read(path, "", out);
}

// How the two versions of control groups name the same.
struct hierarchy {
	const char *controllers; // in its line of /proc/self/cgroup
	const char *mount;
	const char *max, *current, *idle;
};

static const struct hierarchy hierarchies[] = {
    {"", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
    {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
        "total_inactive_file "},
};

// What one control group has left, its idle cache counted as free.
static uint64_t group_left(const struct hierarchy *in, const char *folder)
{
	uint64_t max, current, cache = 0;
	char stat[PATH_MAX];

	if (!number_read(folder, in->max, &max) || !number_read(folder, in->current, &current))
		return UINT64_MAX;
	if (snprintf(stat, sizeof(stat), "%s/memory.stat", folder) < (int)sizeof(stat))
		(void)field_read(stat, in->idle, &cache);
	current -= cache < current ? cache : current;
	return max > current ? max - current : 0;
}

// "cpu,memory" has "memory"; "" is all there is of "".
static bool controllers_have(const char *list, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = list;; at++) {
		const size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, word, len) == 0)
			return true;
		at += n;
		if (*at == '\0')
			return false;
	}
}

// The way to our group is in the line "NUMBER:CONTROLLERS:/PATH". Post: false when there is none.
static bool group_find(const char *root, const struct hierarchy *in, char out[PATH_MAX / 2])
{
	char path[PATH_MAX / 2], line[PATH_MAX / 2];
	bool found = false;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		char *controllers = strchr(line, ':');
		char *way = controllers != NULL ? strstr(controllers + 1, ":/") : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (way == NULL)
			continue;
		*way++ = '\0';
		found = controllers_have(controllers + 1, in->controllers);
		if (found)
			memcpy(out, way, strlen(way) + 1);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

// Our group and all above it. In a container the way may be the host's, and what is mounted our
// own.
static uint64_t hierarchy_left(const char *root, const struct hierarchy *in)
{
	char folder[PATH_MAX], way[PATH_MAX / 2];
	uint64_t least = UINT64_MAX;
	size_t base;
	int n;

	if (!group_find(root, in, way))
		return UINT64_MAX;
	n = snprintf(folder, sizeof(folder), "%s%s", root, in->mount);
	base = (size_t)n;
	if (n < 0 || n >= (int)sizeof(folder) ||
	    snprintf(folder + base, sizeof(folder) - base, "%s", way) >=
	        (int)(sizeof(folder) - base))
		return UINT64_MAX;
	// Bounded by the path: each round takes a part off.
	for (;;) {
		const uint64_t left = group_left(in, folder);

		least = left < least ? left : least;
		if (strlen(folder) <= base)
			return least;
		*strrchr(folder, '/') = '\0';
	}
}

static uint64_t groups_left(const char *root)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		const uint64_t left = hierarchy_left(root, &hierarchies[i]);

		least = left < least ? left : least;
	}
	return least;
}

uint64_t admission_available(const char *root)
{
	char path[PATH_MAX];
	uint64_t free_kib, groups = groups_left(root);

	if (snprintf(path, sizeof(path), "%s/proc/meminfo", root) >= (int)sizeof(path) ||
	    !field_read(path, "MemAvailable:", &free_kib))
		return groups;
	return free_kib << 10 < groups ? free_kib << 10 : groups;
}

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

static uint64_t reserve_of(uint64_t available)
{
	const uint64_t share = available / RESERVE_SHARE;

	return share > RESERVE_MIN ? share : RESERVE_MIN;
}

// Pre of both: the lock.
static bool image_fits(const struct admission *admission, uint64_t image)
{
	const uint64_t taken = admission->images + admission->coming;

	return admission->memory_max == 0 ||
	       (image <= admission->memory_max && taken <= admission->memory_max - image);
}

// What the others have taken already is counted twice: rather too careful than killed.
static bool build_fits(const struct admission *admission, uint64_t available, uint64_t build)
{
	return available == UINT64_MAX ||
	       (build <= available && admission->building <= available - build &&
	           available - build - admission->building >= reserve_of(available));
}

// Pre: the lock.
static bool fits(const struct admission *admission, uint64_t available,
    const struct admission_claim *claim, char reason[ADMISSION_REASON_MAX])
{
	if (!image_fits(admission, claim->image)) {
		snprintf(reason, ADMISSION_REASON_MAX,
		    "It does not fit: its image would have about %" PRIu64 " MiB, %" PRIu64
		    " MiB are served, %" PRIu64 " MiB under way, and memory-max is %" PRIu64
		    " MiB.",
		    mib(claim->image), mib(admission->images), mib(admission->coming),
		    mib(admission->memory_max));
		return false;
	}
	if (!build_fits(admission, available, claim->build)) {
		snprintf(reason, ADMISSION_REASON_MAX,
		    "It does not fit: to build it takes about %" PRIu64
		    " MiB, others under way take %" PRIu64 " MiB, and the system has %" PRIu64
		    " MiB left, of which %" PRIu64 " stay free.",
		    mib(claim->build), mib(admission->building), mib(available),
		    mib(reserve_of(available)));
		return false;
	}
	return true;
}

bool admission_claim(struct admission *admission, uint64_t available, uint64_t count,
    uint64_t bytes, struct admission_claim *claim, char reason[ADMISSION_REASON_MAX])
{
	const struct admission_claim wanted = {
	    admission_image_size(count, bytes), admission_build_size(count, bytes)};
	bool good;

	pthread_mutex_lock(&admission->lock);
	good = fits(admission, available, &wanted, reason);
	if (good) {
		*claim = wanted;
		admission->coming += wanted.image;
		admission->building += wanted.build;
	}
	pthread_mutex_unlock(&admission->lock);
	return good;
}

bool admission_room(struct admission *admission, uint64_t available, uint64_t count, uint64_t bytes,
    char reason[ADMISSION_REASON_MAX])
{
	const struct admission_claim wanted = {
	    admission_image_size(count, bytes), admission_build_size(count, bytes)};
	bool good = false;

	pthread_mutex_lock(&admission->lock);
	if (!image_fits(admission, wanted.image))
		snprintf(reason, ADMISSION_REASON_MAX,
		    "memory-max is %" PRIu64 " MiB, and %" PRIu64 " MiB are taken",
		    mib(admission->memory_max), mib(admission->images + admission->coming));
	else if (!build_fits(admission, available, wanted.build))
		snprintf(reason, ADMISSION_REASON_MAX,
		    "the system has %" PRIu64 " MiB left, and to build them takes %" PRIu64 " MiB",
		    mib(available), mib(wanted.build));
	else
		good = true;
	pthread_mutex_unlock(&admission->lock);
	return good;
}

void admission_built(struct admission *admission, struct admission_claim *claim)
{
	pthread_mutex_lock(&admission->lock);
	admission->building -= claim->build;
	pthread_mutex_unlock(&admission->lock);
	claim->build = 0;
}

void admission_release(struct admission *admission, struct admission_claim *claim)
{
	pthread_mutex_lock(&admission->lock);
	admission->coming -= claim->image;
	admission->building -= claim->build;
	pthread_mutex_unlock(&admission->lock);
	*claim = (struct admission_claim){0};
}

void admission_limit(struct admission *admission, uint64_t memory_max)
{
	pthread_mutex_lock(&admission->lock);
	admission->memory_max = memory_max;
	pthread_mutex_unlock(&admission->lock);
}

void admission_served(struct admission *admission, uint64_t more, uint64_t less)
{
	pthread_mutex_lock(&admission->lock);
	admission->images += more;
	admission->images -= less;
	pthread_mutex_unlock(&admission->lock);
}
