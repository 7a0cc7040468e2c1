// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: the rdata of one record from the words of an entry. Used by the zone parser
// and rdata_from_text; the lexer's thread.
#pragma once

#include <stdint.h>

#include "zonefile_lexer.h"

// Reads words up to and including the end of the entry. `out` holds RDATA_LEN_MAX bytes; `origin`
// may be NULL. Post: the rdata's length, rdata_valid(); or -errno with lexer->why set.
int rdata_scan(uint16_t type, struct lexer *lexer, const uint8_t *origin, uint8_t *out);
