// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// An NSEC or NSEC3 with its signatures, as it goes into a message (struct image_proof). The
// compiler makes it and the verifier makes it once more: a proof is what this makes of the records.
// Pure.
#pragma once

#include "reader.h"

#define PROOF_POINTERS_MAX 255

// Room for any proof.
union proof_room {
	struct image_proof proof;
	uint8_t bytes[sizeof(struct image_proof) + 2 * PROOF_POINTERS_MAX + IMAGE_ANSWER_MAX];
};

// Pre: records, signatures and owner of `rrset`, which is `node`'s, are well formed.
// Post: the size of the whole, or 0 when it would be larger than IMAGE_ANSWER_MAX or has too many
// records: then it is rendered.
size_t proof_make(struct node_ref node, const struct image_rrset *rrset, unsigned apex_len,
    union proof_room *out) __attribute__((nonnull, warn_unused_result));
