// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Authenticated denial of existence, NSEC (RFC 4035 3.1.3) and NSEC3 (RFC 5155 7.2): which records
// prove what an answer denies, for compiled answers and rendered ones, and those records in a
// rendered message. Pre of all: DO is set and the zone is signed.
//
// Proofs stand behind everything else of the authority section. The owner of each leans on the apex
// in the question alone, the owners of its signatures on its own; no other name leans on them. So
// their bytes do not depend on what the answer in front of them holds.
#pragma once

#include "dns_internal.h"

// At most three records for each step of a chain of RENDER_HOPS_MAX, and one for a wildcard.
#define DENIAL_MAX 52

struct denial {
	const struct zone_version *version;
	unsigned count, written;
	unsigned hashes;                  // NSEC3 hashes that had to be made
	struct node_ref node[DENIAL_MAX]; // owners of the records, each once
};

static inline void denial_start(struct denial *denial, const struct zone_version *version)
{
	denial->version = version;
	denial->count = denial->written = denial->hashes = 0;
}

// `name` does not exist, nor a wildcard that would stand for it. At most one hash, and a second one
// where several layers make a version.
void denial_nxdomain(struct denial *denial, const struct qname *name, const struct lookup *lookup);
// The node (the name itself, or the wildcard that stands for it) does not have the type.
void denial_nodata(struct denial *denial, const struct qname *name, const struct lookup *lookup);
// A wildcard answered: the name itself does not exist.
void denial_wildcard(struct denial *denial, const struct qname *name, const struct lookup *lookup);
// The cut has no DS.
void denial_insecure(struct denial *denial, const struct qname *name, const struct lookup *lookup);

// Writes what was added since the last call at msg[*at], `*at` grows, `cap` is the first byte that
// may not be written (DNS_WRITE_SLACK more may be overwritten). `apex_at`: where the zone's apex
// stands in the question. Post: *rr_count grows by the records written; false when one proof did
// not fit, and it and those behind it are not written.
bool denial_put(struct denial *denial, uint8_t *msg, size_t *at, size_t cap, size_t apex_at,
    uint16_t *rr_count) __attribute__((warn_unused_result));
