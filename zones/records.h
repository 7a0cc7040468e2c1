// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// All records of one zone version on their way into an image: filled by a zone-text parse or a
// transfer, then sorted, checked and compiled. Owned by one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record {
	const uint8_t *owner; // wire form, case kept; borrowed from the collection
	const uint8_t *rdata; // uncompressed
	uint32_t ttl;         // seconds, as received
	uint16_t type;
	uint16_t rdlen;
	uint8_t owner_len;
};

struct records {
	struct record *items; // owned; any order until records_sort
	size_t count;
	size_t bytes; // memory held, for admission control
	size_t cap;
	uint32_t rrset_max;  // records that an RRset may have; RECORDS_RRSET_MAX unless lowered
	struct arena *arena; // owned: owners and rdata
	uint8_t apex[255];
	uint8_t apex_len;
};

#define RECORDS_ERROR_MAX 512
// An RRset must fit a message of 65535 bytes to be of any use: 12 bytes are the least a record
// takes.
#define RECORDS_RRSET_MAX (65535 / 12)

// Copies the apex. NULL when out of memory.
struct records *records_new(const uint8_t *apex) __attribute__((warn_unused_result));
void records_free(struct records *records); // NULL is accepted

// Copies the owner and the rdata. Pre: owner well formed, rdata_valid(type, rdata, rdlen).
// Post: 0, -ENOMEM, or -ERANGE when the owner is not at or below the apex.
int records_add(struct records *records, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen) __attribute__((warn_unused_result));

// Sorts by owner (canonical order) and type, signatures by the type they cover; keeps arrival order
// inside an RRset, drops repeated records (RFC 2181 5). Call once, after the last records_add.
// Post: records of one owner, and no others, have the very same pointer for it.
int records_sort(struct records *records) __attribute__((warn_unused_result));

// What a zone must be before it may be served: exactly one SOA, at the apex; NS at the apex; no
// CNAME beside other data (RRSIG, NSEC excepted); one CNAME, one DNAME per name; no meta types; no
// RRset of more than rrset_max records.
// Pre: sorted. Post: 0, or -EINVAL and one sentence in `error`.
int records_check(const struct records *records, char error[RECORDS_ERROR_MAX]);

// The apex SOA's serial. Pre: records_check() gave 0.
uint32_t records_serial(const struct records *records);
