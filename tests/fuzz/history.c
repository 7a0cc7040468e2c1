// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// STORAGE/history out of any bytes. Bit 0 of the first byte: sizes and sums of the records are
// mended first, so that the fuzzer reaches the versions. What is accepted is well formed and
// survives being written; and a record appended where records end is read behind them, whatever
// followed there. In memory: history.c is included, the file system is /dev/shm.

#include "../../controlplane/history.c"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char storage[64], path[PATH_MAX];

struct taken {
	struct history_records again; // what was read, as it would be written
	size_t count;
	struct history_zone last;
};

static void take(void *ctx, const struct history_zone *zone)
{
	struct taken *taken = ctx;

	must(name_len_checked(zone->apex, zone->apex_len) == zone->apex_len);
	must(zone->version_count <= HISTORY_VERSIONS_MAX);
	for (unsigned i = 0; i < zone->version_count; i++) {
		const struct history_version *version = &zone->version[i];

		must(version->layer_count >= 1 && version->layer_count <= IMAGE_LAYERS_MAX);
		must(version->role <= HISTORY_HELD && version->how <= HISTORY_ROLLBACK);
	}
	must(history_put(&taken->again, zone) == 0);
	taken->count++;
	taken->last = *zone;
}

static void frame_mend(uint8_t *bytes, size_t size)
{
	struct disk_record head;

	for (size_t at = 0; at + sizeof(head) <= size; at += (size_t)head.size) {
		memcpy(&head, bytes + at, sizeof(head));
		head.magic = RECORD_MAGIC;
		head.size &= ~(uint64_t)7;
		if (head.size < sizeof(head) || head.size > size - at)
			head.size = (size - at) & ~(size_t)7;
		head.checksum = 0;
		memcpy(bytes + at, &head, sizeof(head));
		head.checksum = rotsum_of(bytes + at, (size_t)head.size);
		memcpy(bytes + at, &head, sizeof(head));
	}
}

static void file_put(const uint8_t *bytes, size_t size)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

// Post: where records end.
static uint64_t load(struct taken *taken, uint64_t size)
{
	uint64_t end;
	const int rc = history_load(storage, take, taken, &end);

	must(rc == 0 || rc == -EBADMSG);
	must(end <= size && (rc != 0 || end == size));
	return end;
}

static void append_judge(const struct taken *before, uint64_t end)
{
	const struct history_zone zone = {.apex_len = 9,
	    .apex = "\7example",
	    .pinned = true,
	    .version_count = 1,
	    .version = {{.generation = 4711, .layer_count = 1}}};
	struct history_records records = {0};
	struct taken taken = {0};
	uint64_t at = end;

	must(history_put(&records, &zone) == 0 && history_write(storage, &records, &at) == 0);
	must(at == end + records.len);
	// What follows was no record before, and cannot be one now but by a sum that fits.
	must(history_load(storage, take, &taken, &at) <= 0 && at >= end + records.len);
	must(taken.count >= before->count + 1);
	if (end == 0 || taken.count == before->count + 1) {
		must(taken.last.version[0].generation == 4711 && taken.last.pinned);
		must(before->again.len == 0 ||
		     memcmp(taken.again.bytes, before->again.bytes, before->again.len) == 0);
	}
	history_free(&taken.again);
	history_free(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct taken taken = {0}, again = {0};

	if (size < 1 || size > 65536)
		return 0;
	if (storage[0] == '\0') {
		snprintf(storage, sizeof(storage), "/dev/shm/fuzz-history-%d", (int)getpid());
		must(mkdir(storage, 0700) == 0 || errno == EEXIST);
		must(history_path(storage, "", path) == 0);
	}
	const bool mend = (*data++ & 1) != 0;
	uint8_t *bytes = malloc(size);

	must(bytes != NULL);
	memcpy(bytes, data, --size);
	if (mend)
		frame_mend(bytes, size);
	file_put(bytes, size);
	free(bytes);
	const uint64_t end = load(&taken, size);

	append_judge(&taken, end);
	if (taken.again.len > 0) {
		file_put(taken.again.bytes, taken.again.len);
		must(load(&again, taken.again.len) == taken.again.len);
		must(again.count == taken.count && again.again.len == taken.again.len);
		must(memcmp(again.again.bytes, taken.again.bytes, taken.again.len) == 0);
	}
	history_free(&taken.again);
	history_free(&again.again);
	unlink(path);
	return 0;
}
