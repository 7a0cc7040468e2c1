// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version held open for reading, for as long as a transfer out of it takes: newer versions
// go live meanwhile, and the sealed pages of this one stay. Owned by one thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "reader.h"

struct reading {
	struct zone_version version; // as the reader wants it
	uint64_t content;            // names what it holds, for the journal
	uint64_t steps;              // given to the journal until then
	// The reading's own: what is to be unmapped.
	struct {
		const void *mem;
		size_t size;
	} map[IMAGE_LAYERS_MAX];
	unsigned map_count;
};

// Maps the next layer, the top one first. The descriptor need not stay open. Pre: a verified,
// sealed image. Post: 0 or -errno.
int reading_layer(struct reading *reading, int fd, size_t offset, size_t size)
    __attribute__((warn_unused_result));
// Unmaps all; `reading` is empty then.
void reading_close(struct reading *reading);
