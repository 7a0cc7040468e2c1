// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The model's own arithmetic of names in wire form, label by label. Deliberately nothing of
// zones/name.h: the model is there to disagree with it. All names are well formed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NAME_MAX 255

size_t mname_len(const uint8_t *name);      // root byte included
unsigned mname_labels(const uint8_t *name); // the root not counted
// The name's last `n` labels (borrowed).
const uint8_t *mname_suffix(const uint8_t *name, unsigned n);
bool mname_equal(const uint8_t *a, const uint8_t *b);           // ASCII case ignored (RFC 4343)
bool mname_under(const uint8_t *name, const uint8_t *ancestor); // at or below
int mname_order(const uint8_t *a, const uint8_t *b);            // canonical (RFC 4034 6.1)
bool mname_is_wildcard(const uint8_t *name);
// "label.rest" into out. Post: false when that is longer than a name may be.
bool mname_child(const uint8_t *label, size_t label_len, const uint8_t *rest, uint8_t *out);
void mname_lower(const uint8_t *name, uint8_t *out);

// The hash of RFC 5155 5 (SHA-1).
void mname_nsec3(const uint8_t *name, const uint8_t *salt, size_t salt_len, unsigned iterations,
    uint8_t hash[20]);
// 20 bytes as 32 characters of base32hex (RFC 4648 7).
void mname_base32(const uint8_t hash[20], uint8_t out[32]);
