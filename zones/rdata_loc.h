// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: places on the earth (RFC 1876 2, 3), printed and read. Pure, any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rdata_code.h"

#define LOC_LEN 16

// 0, or -EINVAL when the bytes say nothing that text can say (another version, size nibbles over 9,
// a latitude past the pole).
int loc_print(struct text_out *t, const uint8_t *loc, size_t len);

// The words of a LOC, in order. Post: 0 or -EINVAL.
struct loc_word {
	const char *text;
	size_t len;
};
#define LOC_WORDS_MAX 12
int loc_scan(const struct loc_word *words, size_t count, uint8_t loc[LOC_LEN]);
