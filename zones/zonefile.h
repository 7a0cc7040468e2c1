// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone text (master files, RFC 1035 5, RFC 2308 4, RFC 3597 5) to records, one callback each, in
// file order. One pass, no record is held here. Not thread-safe per call, no global state.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct zonefile_error {
	char file[256];    // the file that was being read, $INCLUDE followed; "" for text in memory
	unsigned line;     // from 1
	unsigned column;   // from 1
	char message[256]; // one sentence, names escaped
	unsigned includes; // files that were included, error or not
};

// `owner` and `rdata` are borrowed for the call. A non-zero return ends the parse; the callee may
// have set err->message, line and column are filled in by the parser.
typedef int (*zonefile_record_fn)(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err);

// Post: 0, or -errno with err filled: -EINVAL for text that is wrong, -ENOENT and the like for
// files. `origin` is the initial $ORIGIN. A record without TTL takes $TTL, else the previous
// record's TTL, else, for an SOA first, its MINIMUM (RFC 1035, BIND, NSD and Knot agree on nothing
// better).
int zonefile_parse_file(const char *path, const uint8_t *origin, zonefile_record_fn fn, void *ctx,
    struct zonefile_error *err);
int zonefile_parse_text(const char *text, size_t len, const uint8_t *origin, zonefile_record_fn fn,
    void *ctx, struct zonefile_error *err);

// One record's rdata from its text fields (used by tests and tools). Relative names end at origin.
// Post: the rdata's length in out (cap RDATA_LEN_MAX), or -EINVAL.
int rdata_from_text(
    uint16_t type, const char *text, size_t len, const uint8_t *origin, uint8_t *out);
