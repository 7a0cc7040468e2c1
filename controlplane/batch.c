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

int batch_write(const struct records *records, size_t *size)
{
	size_t bytes = sizeof(struct batch_header);
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
	munmap(mem, bytes);
	*size = bytes;
	return fd;
close:
	close(fd);
	return rc;
}

struct records *batch_read(const void *mem, size_t size)
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
