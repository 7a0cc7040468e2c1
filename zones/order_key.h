// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The beginning of a name in canonical order (RFC 4034 6.1) as a number: most comparisons of a
// search are decided by it, without a look at the name. Pure; any thread.
#pragma once

#include <stdint.h>

// The part of `name` above its last `apex_labels` labels, from the right: each label's bytes in
// lower case (0 and 1 as 01 01 and 01 02), then 00; the first eight bytes of that, big-endian.
// Pre: name well formed, apex_labels <= name_labels(name).
// Post: for names of one zone, key(a) < key(b) says that a sorts before b; equal keys say nothing.
uint64_t name_order_key(const uint8_t *name, unsigned apex_labels);

// The same by words. Pre: lower case; ORDER_KEY_SLACK bytes behind the name may be read.
#define ORDER_KEY_SLACK 8
uint64_t name_order_key_lower(const uint8_t *name, unsigned apex_labels);
// And the same where it is known where the labels begin, from the left, `labels` of them above the
// apex.
uint64_t name_order_key_labels(
    const uint8_t *name, const uint8_t *start, unsigned labels, unsigned apex_labels);
