// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the files of this folder share: states of a query between the stages, the message's fields.
#pragma once

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "checksum.h"
#include "dns.h"

enum query_state {
	QUERY_NEW,    // not parsed: dns_query_begin()
	QUERY_DONE,   // dropped or forwarded
	QUERY_ERROR,  // query->rcode, the question when it is known, nothing else
	QUERY_CHAOS,  // identity
	QUERY_ZONE,   // a question whose zone is still to be found
	QUERY_LOOKUP, // query->version answers
};

static_assert(QUERY_NEW == 0, "dns_query_begin()");

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

// The loop of a stage over its burst: not taken into the loops around it, which would leave it too
// few registers.
#define STAGE __attribute__((noinline))

#define DNS_POINTER 0xc0u // first byte of a pointer to what is near (RFC 1035 4.1.4)

#define RR_FIXED_LEN 10 // type, class, TTL, rdata length

#define COPY_STEP 64
static_assert(COPY_STEP <= DNS_WRITE_SLACK && COPY_STEP <= IMAGE_TAIL, "bytes_copy()");

static inline uint16_t get16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, 2);
	return be16toh(v);
}

static inline void put16(uint8_t *at, uint16_t v)
{
	v = htobe16(v);
	memcpy(at, &v, 2);
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return be32toh(v);
}

static inline void put32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, 4);
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return be64toh(v);
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

// Whole lines of 64 bytes: up to 63 bytes past the end are read (IMAGE_TAIL allows it) and written
// (DNS_WRITE_SLACK allows it; what follows comes over them).
static inline void bytes_copy(uint8_t *restrict to, const uint8_t *restrict from, size_t len)
{
	typedef uint8_t lanes __attribute__((vector_size(COPY_STEP / 2), aligned(1), may_alias));

	for (size_t i = 0; i < len; i += COPY_STEP) {
		const lanes a = *(const lanes *)(from + i);
		const lanes b = *(const lanes *)(from + i + sizeof a);
		*(lanes *)(to + i) = a;
		*(lanes *)(to + i + sizeof a) = b;
	}
}

// The reply will be an error: counts it, and says why in an EDE where that helps. Drops the query
// where an error may not be sent.
void dns_query_fail(const struct dns_context *context, struct dns_query *query, uint16_t rcode,
    enum dns_outcome outcome);
