// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Records to shared memory and back; see batch.h. One pass each way, no copy on the way back.
#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "name.h"

struct batch_header {
	uint64_t count;
	uint8_t apex[NAME_LEN_MAX + 1];
	uint64_t is_overlay;
	struct compile_overlay overlay; // without the pointers
	uint64_t names_at;              // of an overlay: for each one 1 byte (gone), then the name
};

// Followed by owner_len bytes of owner (0: the owner of the record before) and the rdata.
struct batch_record {
	uint32_t ttl;
	uint16_t type;
	uint16_t rdlen;
	uint8_t owner_len;
} __attribute__((packed));

static bool owner_repeats(const struct records *records, size_t i)
{
	return i > 0 && records->items[i].owner == records->items[i - 1].owner;
}

static size_t names_size(const struct compile_overlay *overlay)
{
	size_t bytes = 0;

	for (uint32_t i = 0; overlay != NULL && i < overlay->count; i++)
		bytes += 1 + name_len(overlay->names[i]);
	return bytes;
}

static void names_write(const struct compile_overlay *overlay, uint8_t *at)
{
	for (uint32_t i = 0; i < overlay->count; i++) {
		const size_t len = name_len(overlay->names[i]);

		*at++ = overlay->gone[i];
		memcpy(at, overlay->names[i], len);
		at += len;
	}
}

int batch_write(const struct records *records, const struct compile_overlay *overlay, size_t *size)
{
	size_t bytes = sizeof(struct batch_header) + names_size(overlay);
	struct batch_header *header;
	uint8_t *mem, *at;
	int rc, fd;

	for (size_t i = 0; i < records->count; i++)
		bytes += sizeof(struct batch_record) + records->items[i].rdlen +
		         (owner_repeats(records, i) ? 0 : records->items[i].owner_len);
	fd = memfd_create("np-records", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0) {
		rc = -errno;
		goto close;
	}
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED) {
		rc = -errno;
		goto close;
	}
	header = (struct batch_header *)mem;
	header->count = records->count;
	memcpy(header->apex, records->apex, records->apex_len);
	at = mem + sizeof(*header);
	for (size_t i = 0; i < records->count; i++) {
		const struct record *item = &records->items[i];
		struct batch_record record = {.ttl = item->ttl,
		    .type = item->type,
		    .rdlen = item->rdlen,
		    .owner_len = owner_repeats(records, i) ? 0 : item->owner_len};

		memcpy(at, &record, sizeof(record));
		at += sizeof(record);
		memcpy(at, item->owner, record.owner_len);
		at += record.owner_len;
		if (item->rdlen > 0)
			memcpy(at, item->rdata, item->rdlen);
		at += item->rdlen;
	}
	if (overlay != NULL) {
		header->is_overlay = 1;
		header->overlay = *overlay;
		header->overlay.names = NULL;
		header->overlay.gone = NULL;
		header->names_at = (uint64_t)(at - mem);
		names_write(overlay, at);
	}
	munmap(mem, bytes);
	*size = bytes;
	return fd;
close:
	close(fd);
	return rc;
}

static struct records *records_read(const void *mem, size_t size)
{
	const struct batch_header *header = mem;
	const uint8_t *at = (const uint8_t *)(header + 1), *end = (const uint8_t *)mem + size;
	struct records *records;

	if (size < sizeof(*header) || name_len_checked(header->apex, NAME_LEN_MAX) == 0 ||
	    header->count > size / sizeof(struct batch_record))
		return NULL;
	records = records_new(header->apex);
	if (records == NULL)
		return NULL;
	records->items = calloc(header->count + 1, sizeof(*records->items));
	if (records->items == NULL)
		goto free;
	records->cap = header->count + 1;
	for (; records->count < header->count; records->count++) {
		struct record *item = &records->items[records->count];
		struct batch_record record;

		if ((size_t)(end - at) < sizeof(record))
			goto free;
		memcpy(&record, at, sizeof(record));
		at += sizeof(record);
		if ((size_t)(end - at) < (size_t)record.owner_len + record.rdlen)
			goto free;
		if (record.owner_len == 0 && records->count == 0)
			goto free;
		item->owner = record.owner_len > 0 ? at : item[-1].owner;
		item->owner_len = record.owner_len > 0 ? record.owner_len : item[-1].owner_len;
		item->rdata = at + record.owner_len;
		item->ttl = record.ttl;
		item->type = record.type;
		item->rdlen = record.rdlen;
		at += record.owner_len + record.rdlen;
	}
	return records;
free:
	records_free(records);
	return NULL;
}

static int names_read(
    const struct batch_header *header, size_t size, struct compile_overlay *overlay)
{
	const uint8_t *at = (const uint8_t *)header + header->names_at;
	const uint8_t *end = (const uint8_t *)header + size;

	*overlay = header->overlay;
	overlay->names = NULL;
	overlay->gone = NULL;
	if (header->names_at < sizeof(*header) || header->names_at > size ||
	    overlay->count > size - header->names_at)
		return -EINVAL;
	const uint8_t **names = calloc(overlay->count + 1u, sizeof(*names));
	bool *gone = calloc(overlay->count + 1u, sizeof(*gone));

	overlay->names = names;
	overlay->gone = gone;
	if (names == NULL || gone == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < overlay->count; i++) {
		if (at == end)
			return -EINVAL;
		gone[i] = *at++ != 0;
		names[i] = at;
		const size_t len = name_len_checked(at, (size_t)(end - at));
		if (len == 0)
			return -EINVAL;
		at += len;
	}
	return 0;
}

int batch_read(const void *mem, size_t size, struct batch *out)
{
	const struct batch_header *header = mem;
	int rc = 0;

	*out = (struct batch){0};
	if (size < sizeof(*header))
		return -EINVAL;
	out->records = records_read(mem, size);
	if (out->records == NULL)
		return -ENOMEM;
	out->is_overlay = header->is_overlay != 0;
	if (out->is_overlay)
		rc = names_read(header, size, &out->overlay);
	if (rc != 0)
		batch_free(out);
	return rc;
}

void batch_free(struct batch *batch)
{
	records_free(batch->records);
	free(batch->overlay.names);
	free((bool *)(uintptr_t)batch->overlay.gone);
	*batch = (struct batch){0};
}
