// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What model_answer.c and model_denial.c share: a reply in the making.
#pragma once

#include "model_answer.h"
#include "model_rdata.h"
#include "model_writer.h"

#define MODEL_PROOFS_MAX 64

enum model_section {
	ANSWER,
	AUTHORITY,
	ADDITIONAL,
};

#define MODEL_ALIASES_MAX 8 // SVCB and HTTPS aliases followed for one answer

enum model_found {
	FOUND_NAME,     // the name itself, perhaps an empty non-terminal
	FOUND_CUT,      // a delegation at or above the name
	FOUND_DNAME,    // a DNAME above the name
	FOUND_WILDCARD, // the source of synthesis
	FOUND_NOTHING,
};

struct model_finding {
	enum model_found kind;
	uint8_t name[MODEL_NAME_MAX]; // of what was found
	unsigned encloser_labels;     // of the closest encloser (the name itself if it exists)
};

struct model_reply {
	const struct mzone *zone;
	const struct model_question *q;
	bool dnssec; // signatures and proofs are wanted, and there are some
	unsigned rcode;
	bool authoritative, truncated;
	unsigned count[3];
	struct mwriter w;

	const uint8_t *name;  // where the chain is
	const uint8_t *owner; // the same for the writer: NULL is the question name
	unsigned hops;        // names followed
	const uint8_t *dname[32];
	unsigned dname_count;
	const uint8_t *target[256]; // whose addresses are in
	unsigned target_count;

	// NSEC or NSEC3 records to be written into authority, behind what else stands there, each
	// once, in the order in which they became necessary.
	const struct mrecord *proof[MODEL_PROOFS_MAX];
	unsigned proof_count, proof_written;
};

void model_find(const struct mzone *zone, const uint8_t *name, struct model_finding *out);
const struct mrecord *model_first(const struct mzone *zone, const uint8_t *name, uint16_t type);
// The name as the zone writes it.
const uint8_t *model_owner(const struct mzone *zone, const uint8_t *name);
bool model_is_cut(const struct mzone *zone, const uint8_t *name);
bool model_put_by(struct model_reply *a, struct mwriter *w, enum model_section section,
    const uint8_t *owner, const uint8_t *name, uint16_t type, uint32_t ttl);

// model_denial.c. All about a->name, the name this step of the chain is at.
void model_deny_name(struct model_reply *a, const struct model_finding *finding);
void model_deny_type(struct model_reply *a, const struct model_finding *finding);
void model_deny_closer(struct model_reply *a, const struct model_finding *finding); // a wildcard
                                                                                    // answered
void model_deny_ds(struct model_reply *a, const uint8_t *cut);
// Writes those not yet written; sets `truncated` when one does not fit.
void model_proofs_put(struct model_reply *a);
