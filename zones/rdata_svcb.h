// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: the SvcParams of SVCB and HTTPS (RFC 9460 2.1, 7, 8, appendix A). Pure, any
// thread. svcb_valid is in rdata_field.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rdata_code.h"

// Pre: svcb_valid(). Each parameter is written with a blank before it.
void svcb_print(struct text_out *t, const uint8_t *params, size_t len);

// Adds one parameter (`key`, `key=value`, `key="value"`) to the `*len` bytes at `params`, at its
// place. Post: 0 and *len grown; -EINVAL or -E2BIG with `*why` set.
int svcb_add(
    uint8_t *params, size_t *len, size_t cap, const char *text, size_t text_len, const char **why);
