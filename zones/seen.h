// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone that we have comes again, whole: what of it is the same as in the version we have is only
// marked, and what is not is collected. In the end that is the difference between the two versions,
// without the whole of the new one having been in memory. When too much differs for that to be
// worth it, what was marked is given back out of the old version, and the whole new one is there
// without having been asked for twice. Owned by one thread at a time.
//
// A name is the same when all of its records come in one run, whatever their order, with the owner
// spelt as it is, the TTL and each byte of the data, and no other does. What a difference makes of
// the version is what the records themselves would make: a name is spelt as the first record of its
// lowest type is, an RRset has the TTL of its first record, a repeated record counts once. But for
// this: the order of an RRset's records is no difference; and where records of one name come in
// several places, and all that we have of it in one of these, that one counts as the first.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delta.h"
#include "reader.h"
#include "records.h"

struct seen;

// `version` is copied, its images are borrowed: `release` is called with `ctx` when they are not
// needed any more. `content` is the caller's. Post: NULL when out of memory; `release` is not
// called then.
struct seen *seen_new(const struct zone_version *version, uint64_t content,
    void (*release)(void *ctx), void *ctx) __attribute__((warn_unused_result));
void seen_free(struct seen *seen); // NULL is accepted
uint64_t seen_content(const struct seen *seen);

// The next record of the new version: marked, or appended to `rest`. Pre and post as records_add();
// `rest` is the same each time.
int seen_record(struct seen *seen, struct records *rest, const uint8_t *owner, uint16_t type,
    uint32_t ttl, const uint8_t *rdata, size_t rdlen) __attribute__((warn_unused_result));
// That was the last one. Post: 0 or -ENOMEM.
int seen_end(struct seen *seen, struct records *rest) __attribute__((warn_unused_result));

// Pre: seen_end(). Post: 0, and *out leads from the version we have to the new one, `to` (the
// caller's); `rest` is sorted; -E2BIG: so much differs that the new version should be built from
// its records; -ENOMEM.
int seen_delta(struct seen *seen, struct records *rest, uint32_t to, struct delta **out)
    __attribute__((warn_unused_result));
// Pre: seen_end(). Post: 0, and `rest` has every record of the new version; or -ENOMEM.
int seen_restore(const struct seen *seen, struct records *rest) __attribute__((warn_unused_result));
