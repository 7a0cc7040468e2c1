// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What is known about the rdata of each type (RFC 1035 to RFC 9460); a type that is not in the
// table is opaque (RFC 3597). Rdata is held in wire form without compression, case kept. All
// functions are pure and may be called from any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rrtype.h"

#define RDATA_LEN_MAX 65535
#define RDATA_NAMES_MAX \
	2 // no type embeds more than two names in fixed places (SOA, MINFO, RP, PX, TALINK)

struct rdata_name {
	uint16_t offset;   // bytes from the start of the rdata
	uint16_t len;      // bytes of the name
	bool compressible; // may be compressed when sent (RFC 3597 4: types of RFC 1035 only)
	bool additional; // its addresses belong into the additional section (NS, MX, SRV, KX, ...,
	                 // SVCB/HTTPS)
};

// AliasMode of SVCB and HTTPS (RFC 9460 2.4.2): the target has a record of the same type instead.
// Pre: rdata_valid().
static inline bool rdata_is_alias(uint16_t type, const uint8_t *rdata)
{
	return (type == RRTYPE_SVCB || type == RRTYPE_HTTPS) && rdata[0] == 0 && rdata[1] == 0;
}

// "." as the target of SVCB and HTTPS: the owner itself, or, in AliasMode, nothing (RFC 9460 2.5).
static inline bool rdata_target_is_owner(uint16_t type, const uint8_t *rdata)
{
	return (type == RRTYPE_SVCB || type == RRTYPE_HTTPS) && rdata[2] == 0;
}

// Aliases that one answer follows into the additional section. BIND follows as many; Knot one.
#define RDATA_ALIASES_MAX 8

// True when `rdata` is well formed for `type`: every field inside, names uncompressed, nothing left
// over. An unknown type accepts any bytes. Length lies, SVCB keys out of order, bitmaps out of
// order and the like are refused; values are not judged.
bool rdata_valid(uint16_t type, const uint8_t *rdata, size_t len);

// Pre: rdata_valid(). The names embedded in the rdata, in order. HIP and IPSECKEY names are not
// listed (never compressed, never looked up).
unsigned rdata_names(
    uint16_t type, const uint8_t *rdata, size_t len, struct rdata_name out[RDATA_NAMES_MAX]);

// Rdata out of a DNS message: names of the types that may arrive compressed (RFC 3597 4, and the
// others receivers must accept: RP, AFSDB, RT, SIG, PX, NXT, SRV, NAPTR, KX, DNAME) are expanded.
// `msg[offset .. offset+rdlen)` is the rdata in the message.
// Post: the expanded length (out holds at most RDATA_LEN_MAX bytes), or -EINVAL when malformed.
int rdata_from_wire(uint16_t type, const uint8_t *msg, size_t msg_len, size_t offset, size_t rdlen,
    uint8_t *out, size_t out_cap);

// Rdata in canonical form (RFC 4034 6.2 as corrected by RFC 6840 5.1): embedded names lower-cased.
// In place.
void rdata_canonical(uint16_t type, uint8_t *rdata, size_t len);

// Order of two rdata of one type as DNS data: by the bytes, ASCII case of the names that
// rdata_names() lists aside; zero when they are the same record (RFC 2181 5). Pre: rdata_valid().
int rdata_compare(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

// Presentation form. Pre: rdata_valid(). Unknown types and types without a text form here use \#.
// Post: length of the text written (NUL-terminated) or -ENOSPC. 2 * len + 64 bytes always suffice
// for \#, RDATA_TEXT_MAX for everything: the longest is an NSEC that lists all 65,536 types.
#define RDATA_TEXT_MAX (10 * 65536 + 2048)
int rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, char *out, size_t cap);
