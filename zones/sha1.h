// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// SHA-1 (RFC 3174), for NSEC3 owner hashes only (RFC 5155 5). Pure; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA1_LEN       20
#define SHA1_INPUT_MAX 511 // a name, a salt: no input here is longer

// Pre: len <= SHA1_INPUT_MAX.
void sha1(const uint8_t *in, size_t len, uint8_t out[SHA1_LEN]);

// The NSEC3 hash of a lower-case wire name: H(name salt), then `iterations` times H(hash salt).
// Pre: 64 bytes of `name` may be read, however long it is.
void nsec3_hash(const uint8_t *name, size_t name_len, const uint8_t *salt, uint8_t salt_len,
    uint16_t iterations, uint8_t out[SHA1_LEN]);
