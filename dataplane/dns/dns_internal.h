// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the files of this folder share: states of a query between the stages, the message's fields,
// and the one's complement sum.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checksum.h"
#include "dns.h"

enum query_state {
	QUERY_DONE,   // dropped or forwarded
	QUERY_ERROR,  // query->rcode, the question when it is known, nothing else
	QUERY_CHAOS,  // identity
	QUERY_ZONE,   // a question whose zone is still to be found
	QUERY_LOOKUP, // query->version answers
};

enum {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_NOTAUTH = 9,
	RCODE_BADVERS = 16,
	RCODE_BADCOOKIE = 23, // RFC 7873 8
};

enum {
	OPCODE_QUERY = 0,
	OPCODE_NOTIFY = 4,
};

// Bits of header bytes 2 and 3.
#define HEADER_QR     0x80u
#define HEADER_OPCODE 0x78u
#define HEADER_AA     0x04u
#define HEADER_TC     0x02u
#define HEADER_RD     0x01u

#define RR_FIXED_LEN 10 // type, class, TTL, rdata length

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void put16(uint8_t *at, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(at, &v, 2);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put32(uint8_t *at, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(at, &v, 4);
}

// One thread writes, others read: a plain increment of an aligned word is enough.
static inline void tally(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void count(
    const struct dns_context *context, struct dns_query *query, enum dns_outcome outcome)
{
	query->outcome = outcome;
	tally(&context->counters->outcome[outcome], 1);
}

// Does the answer come with signatures and proofs? Pre: query->version.
static inline bool query_wants_sigs(const struct dns_query *query)
{
	return query->edns_do && (query->version->layer[0].flags & IMAGE_SIGNED) != 0;
}

// Whole 32-byte words: up to 31 bytes past the end are read (IMAGE_TAIL allows it) and written
// (DNS_WRITE_SLACK allows it; what follows comes over them).
static inline void bytes_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i += 32)
		memcpy(to + i, from + i, 32);
}

// The reply will be an error: counts it, and says why in an EDE where that helps. Drops the query
// where an error may not be sent.
void dns_query_fail(const struct dns_context *context, struct dns_query *query, uint16_t rcode,
    enum dns_outcome outcome);

// --- one's complement sums of big-endian words (checksum.h)
// -----------------------------------------------------------------

// The sum of bytes that stand at an odd offset, from their sum as if it were even (RFC 1071 2(B)).
static inline uint16_t sum_at(uint16_t sum, size_t offset)
{
	return offset % 2 == 0 ? sum : __builtin_bswap16(sum);
}
