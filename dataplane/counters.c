// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Makes the counter page; see counters.h. Main thread, before the others start.

#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
	int fd;
	uint8_t *mem;
	struct counter_page_header *header;
};

#define ROW_OF(prefix, name, help, member, words)                                             \
	{                                                                                     \
		prefix #name, help, (uint32_t)(offsetof(struct thread_counters, member) / 8), \
		    words                                                                     \
	}

static const struct counter_page_row rows[] = {
#define X(id, name, help) {name, help, offsetof(struct thread_counters, frame) / 8 + id, 1},
    FRAME_VERDICTS(X)
#undef X
#define X(name, help) {#name, help, offsetof(struct thread_counters, thread) / 8 + COUNT_##name, 1},
        THREAD_COUNTERS(X)
#undef X
#define X(name, help)        \
	{"dns_" #name, help, \
	    offsetof(struct thread_counters, dns.outcome) / 8 + DNS_OUTCOME_##name, 1},
            DNS_OUTCOMES(X)
#undef X
#define X(name, help)               \
	{"dns_cookie_" #name, help, \
	    offsetof(struct thread_counters, dns.cookie) / 8 + DNS_COOKIE_##name, 1},
                DNS_COOKIES(X)
#undef X
                    ROW_OF("dns_", rendered, "answers that took the general renderer", dns.rendered,
                        1),
    ROW_OF("dns_", compiled, "answers copied from the image", dns.compiled, 1),
    ROW_OF("dns_", nsec3_hashes, "NSEC3 hashes of names that do not exist", dns.nsec3_hashes, 1),
#define X(name, help)                                                                             \
	{"stage_" #name, help,                                                                    \
	    (offsetof(struct thread_counters, stage) + STAGE_##name * 8 * COUNTER_PAGE_BUCKETS) / \
	        8,                                                                                \
	    COUNTER_PAGE_BUCKETS},
    THREAD_STAGES(X)
#undef X
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

int counters_open(
    const char *const *columns, unsigned count, uint64_t ticks_per_second, struct counters **out)
{
	size_t columns_at = sizeof(struct counter_page_header) + sizeof rows;
	size_t values_at = align_up(columns_at + count * sizeof(struct counter_page_column), 4096);
	size_t size = align_up(values_at + count * sizeof(struct thread_counters), 4096);
	struct counters *c = calloc(1, sizeof *c);
	int error;

	if (c == NULL)
		return -ENOMEM;
	c->fd = memfd_create("nameplane-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (c->fd < 0)
		goto err_free;
	if (ftruncate(c->fd, (off_t)size) != 0)
		goto err_close;
	c->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, c->fd, 0);
	if (c->mem == MAP_FAILED)
		goto err_close;
	// From here on only this mapping can write: whoever gets the descriptor can read.
	if (fcntl(c->fd, F_ADD_SEALS,
	        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
		goto err_unmap;

	c->header = (void *)c->mem;
	*c->header = (struct counter_page_header){
	    .magic = COUNTER_PAGE_MAGIC,
	    .size = size,
	    .ticks_per_second = ticks_per_second,
	    .row_count = ROW_COUNT,
	    .row_offset = sizeof *c->header,
	    .column_count = count,
	    .column_offset = (uint32_t)columns_at,
	    .values_offset = (uint32_t)values_at,
	    .column_stride = sizeof(struct thread_counters),
	    .process_id = (uint32_t)getpid(),
	};
	memcpy(c->mem + c->header->row_offset, rows, sizeof rows);
	struct counter_page_column *names = (void *)(c->mem + columns_at);
	for (unsigned i = 0; i < count; i++)
		strncpy(names[i].name, columns[i], sizeof names[i].name - 1);
	*out = c;
	return 0;

err_unmap:
	error = -errno;
	munmap(c->mem, size);
	errno = -error;
err_close:
	error = -errno;
	close(c->fd);
	errno = -error;
err_free:
	error = -errno;
	free(c);
	return error;
}

void counters_close(struct counters *c)
{
	if (c == NULL)
		return;
	munmap(c->mem, c->header->size);
	close(c->fd);
	free(c);
}

struct thread_counters *counters_column(struct counters *c, unsigned column)
{
	return (
	    void *)(c->mem + c->header->values_offset + (size_t)column * c->header->column_stride);
}

int counters_fd(const struct counters *c)
{
	return c->fd;
}

uint64_t counters_size(const struct counters *c)
{
	return c->header->size;
}
