// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Domain names in wire form (RFC 1035 3.1): length-prefixed labels, the root's zero byte last,
// never compressed. Comparison ignores ASCII case (RFC 4343). All functions are pure and may be
// called from any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_LEN_MAX    255  // bytes of a wire name, the root byte included (RFC 1035 2.3.4)
#define NAME_LABEL_MAX  63   // bytes of one label
#define NAME_LABELS_MAX 127  // labels of a name, the root not counted
#define NAME_TEXT_MAX   1024 // bytes that hold any name in presentation form, NUL included

// Length of the name at `wire`, or 0 when the `avail` bytes do not hold a whole, well-formed,
// uncompressed name.
size_t name_len_checked(const uint8_t *wire, size_t avail) __attribute__((warn_unused_result));

// Pre: `name` is well formed. Length in bytes, root byte included.
size_t name_len(const uint8_t *name);

// Pre: `name` is well formed. Number of labels, the root not counted.
unsigned name_labels(const uint8_t *name);

// Pre: `name` is not the root. The name without its first label (borrowed from `name`).
const uint8_t *name_parent(const uint8_t *name);

// Pre: n <= name_labels(name). The ancestor of `name` that has `n` labels (borrowed).
const uint8_t *name_suffix(const uint8_t *name, unsigned n);

// Copies `len` bytes with ASCII upper case folded to lower. A length byte is never a letter, so
// this is right for whole names. dst may equal src.
void name_lower(uint8_t *dst, const uint8_t *src, size_t len);

bool name_equal(const uint8_t *a, const uint8_t *b);

// Canonical order (RFC 4034 6.1): <0, 0, >0.
int name_compare(const uint8_t *a, const uint8_t *b);

// True when `name` equals `ancestor` or lies below it.
bool name_is_under(const uint8_t *name, const uint8_t *ancestor);

// True when the first label is the single byte '*' (RFC 4592 2.1.1).
bool name_is_wildcard(const uint8_t *name);

// Presentation form to wire. A name without a final dot is relative to `origin` (which may be NULL:
// then it is taken as absolute). Escapes: \X and \DDD.
// Post: the wire length (1..255) is returned and out[] holds the name, case kept; or -EINVAL (bad
// escape, empty label, label over 63 bytes) or -ENAMETOOLONG.
int name_from_text(const char *text, size_t len, const uint8_t *origin, uint8_t out[NAME_LEN_MAX]);

// Wire to presentation form, absolute, escaped so that name_from_text gives the same bytes.
// Post: the text's length; out is NUL-terminated. `out` holds at least NAME_TEXT_MAX bytes.
size_t name_to_text(const uint8_t *name, char *out);

// The name at msg[pos], its compression pointers followed (RFC 1035 4.1.4). Each pointer must point
// before the piece it was found in, so the walk ends, and behind the header. What stands at `pos`
// itself must end by `end`. Post: the name is in out, its length in *out_len; the bytes taken at
// `pos`, or -EINVAL.
int name_from_wire(const uint8_t *msg, size_t msg_len, size_t pos, size_t end,
    uint8_t out[NAME_LEN_MAX], size_t *out_len);
