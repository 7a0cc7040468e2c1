// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A name made ready for look-ups: lower case, the start of each suffix, and the keyed hash of each
// suffix, all in one pass from the root to the left. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "name.h"

// The index's hash key: random, one per node and kept by the control plane, so that one hash of a
// question serves every zone; content of a zone cannot choose collisions.
struct hash_key {
	uint64_t k[2];
};

struct qname {
	uint8_t lower[NAME_LEN_MAX + 1 + 64]; // lower case; 64 bytes past the end may be read
	uint8_t len;                          // bytes, root included
	uint8_t labels;                       // without the root
	uint8_t hashed;                       // hash[0 .. hashed] are there
	// Indexed by a number of labels n, 0 (the root) to `labels`:
	uint8_t start[NAME_LABELS_MAX + 1]; // where the suffix with n labels begins in lower[]
	uint64_t hash[NAME_LABELS_MAX + 1]; // its hash under the key of qname_hash()
};

// Reads the uncompressed name at wire[0 .. avail). Fills lower, len, labels, start; not the hashes.
// Bytes up to wire[room) may be read, though none behind the name counts. Pre: room >= avail.
// Post: its length, or 0 when malformed.
size_t qname_parse(struct qname *q, const uint8_t *wire, size_t avail, size_t room)
    __attribute__((warn_unused_result));

// No hash is there yet, but that of the root. Pre: qname_parse() was not 0.
static inline void qname_hash_start(struct qname *q, const struct hash_key *key)
{
	q->hash[0] = key->k[0];
	q->hashed = 0;
}

// Makes hash[0 .. n] be there: a long name below a delegation costs no more than its last labels.
// Pre: n <= labels; the key is that of qname_hash_start().
void qname_hash_to(struct qname *q, const struct hash_key *key, unsigned n);

// Both, for the whole name.
void qname_hash(struct qname *q, const struct hash_key *key);

// The hash of the name made of one more label in front of a name whose hash is `parent`. `label` is
// lower case; 64 bytes past it may be read.
uint64_t qname_hash_child(uint64_t parent, const uint8_t *label, const struct hash_key *key);

// The hash of one name. Pre: well formed; any case.
uint64_t name_hash(const uint8_t *name, const struct hash_key *key);
