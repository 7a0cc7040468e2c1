// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Authenticated denial of existence, NSEC (RFC 4035 3.1.3) and NSEC3 (RFC 5155 7.2). A proof is
// collected when a step of the chain needs it and written when the authority section's turn comes,
// behind every answer. Nothing happens unless r->do_sigs.
#pragma once

#include "dns_render.h"

// The name of this step does not exist, nor a wildcard that would.
void denial_nxdomain(struct render *r, const struct lookup *lookup);
// The node (the name itself, or the wildcard that stands for it) does not have the type.
void denial_nodata(struct render *r, const struct lookup *lookup);
// A wildcard answered: the name itself does not exist.
void denial_wildcard(struct render *r, const struct lookup *lookup);
// The cut has no DS.
void denial_insecure(struct render *r, const struct lookup *lookup);

// Writes what was collected. Post: false when it does not fit.
bool denial_flush(struct render *r);
