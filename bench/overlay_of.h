// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// An overlay like that of a small IXFR, for the benchmarks.
#pragma once

#include <stdint.h>

#include "compile.h"
#include "image.h"
#include "reader.h"

// Compiles an overlay over `below` in which so many of its names have another TTL, and the SOA a
// new serial: the same ones for each fourth `nth`. Post: 0 and *image, open; or -errno and a
// sentence.
int overlay_of(const struct zone_version *below, uint64_t names, unsigned nth,
    struct image_buffer *image, char error[COMPILE_ERROR_MAX])
    __attribute__((nonnull, warn_unused_result));
