// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: how the rdata of each type is made of fields. One row per type in
// rdata_table.c; checking, expansion, canonical form, printing and scanning all walk that row, so
// that a new type is a new row and nothing else. Pure, any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rdata_kind {
	FIELD_END,         // no more fields
	FIELD_OPAQUE,      // any bytes to the end; the whole rdata prints as \#
	FIELD_U8,          //
	FIELD_U16,         //
	FIELD_U32,         //
	FIELD_PERIOD,      // 32 bits of seconds; text may use units (1h30m)
	FIELD_TIME,        // 32 bits of seconds since 1970; text is YYYYMMDDHHMMSS (RFC 4034 3.2)
	FIELD_TYPE,        // 16 bits, a type's mnemonic
	FIELD_ALGORITHM,   // 8 bits; a DNSSEC algorithm's mnemonic is read too
	FIELD_CERT_TYPE,   // 16 bits, a mnemonic of RFC 4398 2.1 where there is one
	FIELD_A,           // 4 bytes
	FIELD_AAAA,        // 16 bytes
	FIELD_NAME_SHORT,  // may be compressed both ways (RFC 1035 types); lower in canonical form
	FIELD_NAME_OLD,    // may arrive compressed, never sent so; lower in canonical form
	FIELD_NAME_LOWER,  // never compressed; lower in canonical form
	FIELD_NAME,        // never compressed; kept as it is in canonical form
	FIELD_STRING,      // one character-string
	FIELD_STRING_OPT,  // one character-string or the end
	FIELD_STRINGS,     // one or more character-strings to the end
	FIELD_TEXT,        // text to the end, no length byte (URI, CAA)
	FIELD_TAG,         // a character-string of letters and digits, at least one (RFC 8659 4.1)
	FIELD_HEX,         // bytes to the end, at least one
	FIELD_HEX_OPT,     // bytes to the end
	FIELD_HEX8,        // a length byte and as many bytes; "-" when none (RFC 5155 3.3)
	FIELD_HASH,        // a length byte and as many bytes, at least one; base32hex
	FIELD_BASE64,      // bytes to the end, at least one
	FIELD_BASE64_OPT,  // bytes to the end
	FIELD_BASE64_DASH, // bytes to the end; "-" when none
	FIELD_BITMAP,      // windows of type bits (RFC 4034 4.1.2), at least one
	FIELD_BITMAP_OPT,  // the same or nothing
	FIELD_BITMAP_NXT,  // the flat bitmap of RFC 2535 5.2
	FIELD_EUI48,       //
	FIELD_EUI64,       //
	FIELD_ILNP64,      // 8 bytes as four groups of hex digits (RFC 6742)
	FIELD_LOC,         // all of a LOC (RFC 1876)
	FIELD_APL,         // items to the end (RFC 3123)
	FIELD_WKS,         // protocol and port bits (RFC 1035 3.4.2)
	FIELD_SVC_PARAMS,  // items to the end (RFC 9460 2.1, 2.2)
	FIELD_GATEWAY,     // gateway type, algorithm, gateway (RFC 4025 2.1)
	FIELD_RELAY,       // D bit, relay type, relay (RFC 8777 4.2)
	FIELD_HIP,         // all of a HIP (RFC 8005 5)
	FIELD_A6,          // all of an A6 (RFC 2874 3.1)
	FIELD_NSAP,        // bytes to the end as 0x... (RFC 1706 5)
};

#define RDATA_FIELDS_MAX 10

struct rdata_layout {
	uint8_t fields[RDATA_FIELDS_MAX]; // enum rdata_kind, FIELD_END behind the last
	bool additional; // addresses of its first name belong into the additional section
};

// Never NULL; an unknown type has one FIELD_OPAQUE.
const struct rdata_layout *rdata_layout(uint16_t type) __attribute__((returns_nonnull));

// Pre: pos <= len; the fields before `pos` were measured and are well formed.
// Post: bytes the field takes (pos + result <= len), or -EINVAL when it is malformed.
int rdata_field_len(enum rdata_kind kind, const uint8_t *rdata, size_t len, size_t pos);

// Windows of type bits: strictly ascending, 1..32 bytes each, the last byte not zero.
bool rdata_bitmap_valid(const uint8_t *map, size_t len);

// SvcParams: keys strictly ascending, values as their keys demand, mandatory keys present.
bool svcb_valid(const uint8_t *params, size_t len);

static inline bool rdata_kind_is_name(enum rdata_kind kind)
{
	return kind >= FIELD_NAME_SHORT && kind <= FIELD_NAME;
}

static inline uint16_t rdata_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rdata_get32(const uint8_t *p)
{
	return (uint32_t)rdata_get16(p) << 16 | rdata_get16(p + 2);
}
