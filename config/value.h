// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Text of single values to what they mean: numbers, durations, sizes, addresses, base64. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

// Decimal digits only. False when it is not a number or is past `max`.
bool value_number(const char *text, uint64_t max, uint64_t *out);

// on, true, yes / off, false, no; case ignored.
bool value_bool(const char *text, bool *out);

// A number with a unit: ms, s (default), m, h, d, w; several may follow each other ("1h30m").
bool value_duration_ms(const char *text, uint64_t *out);

// Bytes with an optional unit of 1024: K, M, G.
bool value_size(const char *text, uint64_t *out);

// ADDRESS or ADDRESS@PORT. Post: NULL, or one sentence that says what is wrong.
const char *value_address(const char *text, uint16_t port_default, struct config_address *out);

// Exactly `len` bytes in hexadecimal digits of either case. False when it is something else.
bool value_hex(const char *text, size_t text_len, uint8_t *out, size_t len);

// RFC 4648 4, padding required, no white space. Post: bytes written, or -EINVAL, -ENOSPC.
int value_base64(const char *text, size_t len, uint8_t *out, size_t cap);
