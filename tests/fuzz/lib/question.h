// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A well-formed query out of a few of the fuzzer's bytes, so that it need not find names of zones
// byte by byte.
#pragma once

#include "cursor.h"

#define QUESTION_MAX 4096

struct image;

// Takes name, what stands before it, its case, type, flags and EDNS from `c`; what is left becomes
// the options of OPT, or garbage behind the message. The name is one of the image's, or with NULL
// one of all in the zoo. Post: the length of the query at `out`.
size_t question_make(struct cursor *c, const struct image *image, uint8_t out[QUESTION_MAX]);
