// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone as the model sees it: a list of records in the order they came, and how it is signed. The
// generator makes small zones full of corners; what the records of a signed zone prove is right,
// the signatures themselves are random bytes, which no server looks at.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_name.h"
#include "model_random.h"

#define MZONE_RECORDS_MAX 4096
#define MZONE_BYTES_MAX   (1u << 20) // owners and rdata of one zone

struct mrecord {
	const uint8_t *owner; // case as it came; in the zone's bytes
	const uint8_t *rdata;
	uint32_t ttl;
	uint16_t type, rdlen;
};

enum mzone_proofs {
	PROOFS_NONE, // unsigned
	PROOFS_NSEC,
	PROOFS_NSEC3,
};

struct mzone {
	uint64_t seed;
	uint8_t apex[MODEL_NAME_MAX]; // lower case
	enum mzone_proofs proofs;
	bool opt_out; // insecure delegations may be missing in the chain
	uint8_t salt[8], salt_len;
	uint16_t iterations;
	size_t
	    data_count; // records[0 .. data_count) came from the generator, the rest from signing
	size_t count;
	struct mrecord records[MZONE_RECORDS_MAX];
	size_t used;
	uint8_t bytes[MZONE_BYTES_MAX];
};

// Copies owner and rdata. Post: false when the zone is full.
bool mzone_add(struct mzone *zone, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen);
bool mzone_has(const struct mzone *zone, const uint8_t *owner, uint16_t type);

// model_zone.c: the zone of this seed, not yet signed.
void mzone_generate(struct mzone *zone, uint64_t seed);
// A name in, beside, above or below the zone's names, in random case (queries use it too).
void mzone_random_name(const struct mzone *zone, struct model_random *r, uint8_t *out);
// One below the apex that hardly any zone has, or one below that.
void mzone_absent_name(const struct mzone *zone, struct model_random *r, uint8_t *out);

// model_sign.c: drops what was signed before; adds DNSKEY, RRSIG and the chain.
void mzone_sign(struct mzone *zone);
