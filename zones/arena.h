// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Memory that is given out in small pieces and freed all at once. Owned by one thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena *arena_new(void) __attribute__((warn_unused_result));
void arena_free(struct arena *arena); // NULL is accepted
// `n` bytes, unaligned, not zeroed; NULL when out of memory.
uint8_t *arena_take(struct arena *arena, size_t n);
size_t arena_bytes(const struct arena *arena); // bytes held
