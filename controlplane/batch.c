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

#define PIECE ((size_t)256 << 10) // more than the longest rdata

struct batch_header {
	uint64_t count;
	uint8_t apex[NAME_LEN_MAX + 1];
	uint32_t rrset_max;
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

// What was put and is not in the file yet.
struct out {
	int fd, rc;
	uint64_t at; // bytes put
	size_t held;
	uint8_t *piece;
};

static void out_flush(struct out *out)
{
	for (size_t done = 0; done < out->held && out->rc == 0;) {
		const ssize_t n = write(out->fd, out->piece + done, out->held - done);

		if (n < 0 && errno != EINTR)
			out->rc = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	out->held = 0;
}

// Pre: n <= PIECE.
static void out_put(struct out *out, const void *bytes, size_t n)
{
	if (out->held + n > PIECE)
		out_flush(out);
	if (n > 0)
		memcpy(out->piece + out->held, bytes, n);
	out->held += n;
	out->at += n;
}

static void records_write(struct out *out, const struct records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct record *item = &records->items[i];
		struct batch_record record = {.ttl = item->ttl,
		    .type = item->type,
		    .rdlen = item->rdlen,
		    .owner_len = owner_repeats(records, i) ? 0 : item->owner_len};

		out_put(out, &record, sizeof(record));
		out_put(out, item->owner, record.owner_len);
		out_put(out, item->rdata, item->rdlen);
	}
}

static void names_write(struct out *out, const struct compile_overlay *overlay)
{
	for (uint32_t i = 0; i < overlay->count; i++) {
		out_put(out, &(uint8_t){overlay->gone[i]}, 1);
		out_put(out, overlay->names[i], name_len(overlay->names[i]));
	}
}

// Written, not mapped: a page at a time the faults take longer than the copy.
int batch_write(const struct records *records, const struct compile_overlay *overlay, size_t *size)
{
	struct batch_header header = {.count = records->count, .rrset_max = records->rrset_max};
	struct out out = {.fd = memfd_create("np-records", MFD_CLOEXEC), .piece = malloc(PIECE)};

	if (out.fd < 0)
		out.rc = -errno;
	else if (out.piece == NULL)
		out.rc = -ENOMEM;
	if (out.rc == 0) {
		memcpy(header.apex, records->apex, records->apex_len);
		out_put(&out, &header, sizeof(header));
		records_write(&out, records);
	}
	if (out.rc == 0 && overlay != NULL) {
		header.is_overlay = 1;
		header.overlay = *overlay;
		header.overlay.names = NULL;
		header.overlay.gone = NULL;
		header.names_at = out.at;
		names_write(&out, overlay);
	}
	out_flush(&out);
	if (out.rc == 0 && overlay != NULL &&
	    pwrite(out.fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		out.rc = -EIO;
	free(out.piece);
	if (out.rc == 0) {
		*size = out.at;
		return out.fd;
	}
	if (out.fd >= 0)
		close(out.fd);
	return out.rc;
}

// The table is known last and stands first.
int batch_write_many(const struct batch_part *parts, unsigned count, size_t *size)
{
	struct out out = {.fd = memfd_create("np-records", MFD_CLOEXEC), .piece = malloc(PIECE)};
	struct batch_entry *table = calloc(count, sizeof(*table));
	static const uint8_t zeros[8];

	if (out.fd < 0)
		out.rc = -errno;
	else if (out.piece == NULL || table == NULL)
		out.rc = -ENOMEM;
	if (out.rc == 0)
		out_put(&out, table, count * sizeof(*table));
	for (unsigned i = 0; i < count && out.rc == 0; i++) {
		const struct records *records = parts[i].records;
		struct batch_header header = {
		    .count = records->count, .rrset_max = records->rrset_max};

		out_put(&out, zeros, -out.at & 7);
		table[i] = (struct batch_entry){.offset = out.at, .options = parts[i].options};
		memcpy(header.apex, records->apex, records->apex_len);
		out_put(&out, &header, sizeof(header));
		records_write(&out, records);
		table[i].size = out.at - table[i].offset;
	}
	out_flush(&out);
	if (out.rc == 0 &&
	    pwrite(out.fd, table, count * sizeof(*table), 0) != (ssize_t)(count * sizeof(*table)))
		out.rc = -EIO;
	free(out.piece);
	free(table);
	if (out.rc == 0) {
		*size = out.at;
		return out.fd;
	}
	if (out.fd >= 0)
		close(out.fd);
	return out.rc;
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
	records->rrset_max = header->rrset_max;
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
