// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Bytes and names to the disk. Any thread but the loop's; 0 or -errno.
#pragma once

#include <stddef.h>
#include <stdint.h>

int disk_write_at(int fd, uint64_t offset, const void *bytes, size_t len)
    __attribute__((warn_unused_result));
// Makes the names in a folder durable.
int disk_folder_sync(const char *path) __attribute__((warn_unused_result));
