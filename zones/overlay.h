// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What an overlay has to hold: the names at which a version differs from the layers that stay
// below, and those whose node or compiled answer says something about such a name. Time and memory
// are in proportion to what differs, not to the zone. Owned by one thread at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "compile.h"
#include "delta.h"
#include "reader.h"
#include "records.h"

struct overlay {
	struct records *records; // owned, sorted: of the names it holds and of those around them
	struct compile_overlay plan; // what compile_overlay() wants; its arrays are owned
	uint64_t rr_removed;         // records of the version below that are not in the new one
	void *names;                 // owned: what plan.names points to
};

// Names one after the other in wire form, any case; repeated ones do no harm.
struct overlay_names {
	const uint8_t *bytes;
	size_t len;
};

// `version` is what is served, `delta` what changes of it (NULL: nothing), `below` the layers that
// the overlay is to stand on: those under the top of `version`, or others that hold the same as it
// except for the names in `since` (NULL: except for those in the upper layers of `version`).
// Post: 0; -EINVAL when the difference does not fit, with one sentence in `error`; -E2BIG when
// more than `names_max` names would be in it or something changed that concerns every answer (is
// the zone signed, with NSEC or NSEC3): then only a new base will do; -ENOMEM.
int overlay_make(const struct zone_version *version, const struct delta *delta,
    const struct zone_version *below, const struct overlay_names *since, size_t names_max,
    struct overlay *out, char error[DELTA_ERROR_MAX]) __attribute__((warn_unused_result));
void overlay_free(struct overlay *overlay); // contents only
