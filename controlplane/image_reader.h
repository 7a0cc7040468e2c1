// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stored images, one after the other, as a start reads them: small ones that lie beside each other
// in a file are read together, since to open and map each takes longer than to verify it.
#pragma once

#include <stdint.h>

struct image_reader;

// `storage` is borrowed. Post: NULL when out of memory.
struct image_reader *image_reader_open(const char *storage) __attribute__((warn_unused_result));
void image_reader_close(struct image_reader *reader); // NULL is accepted

// Post: 0 and *mem, good until the next call; -ENOENT: the file is gone, or ends before the image
// does; or another -errno: it cannot be read now. Nothing is verified.
int image_reader_get(struct image_reader *reader, uint64_t file_id, uint64_t offset, uint64_t size,
    const void **mem) __attribute__((warn_unused_result));
