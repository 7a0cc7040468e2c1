// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The shrink guard: is a whole, well-formed version so much less than the one served that a person
// should look at it first? (In 2010 a registry's zone came with three quarters of it missing and a
// correct SOA at its end.) Work thread.
#include "pzone.h"

#include <stdio.h>

#include "image.h"
#include "reader.h"
#include "rrtype.h"

static bool apex_has(const void *mem, uint64_t size, uint16_t type)
{
	struct image image;

	if (image_open(&image, mem, size) < 0 || image.header->apex_ref == 0)
		return false;
	const struct node_ref apex = {
	    .image = &image, .node = image_at(&image, image.header->apex_ref)};
	const struct image_rrset *rrset = node_rrset(apex, type);

	return rrset != NULL && rrset->rr_count > 0;
}

struct gate_facts gate_facts_of(const void *mem, uint64_t size)
{
	return (struct gate_facts){.rr_count = ((const struct image_header *)mem)->rr_count,
	    .has_dnskey = apex_has(mem, size, RRTYPE_DNSKEY)};
}

bool gate_holds(const struct gate_facts *served, const struct gate_facts *next,
    unsigned shrink_limit, char reason[PUBLISH_REASON_MAX])
{
	const uint64_t before = served->rr_count, after = next->rr_count;

	if (shrink_limit >= 100)
		return false;
	if (before >= SHRINK_RECORDS_MIN && after < before &&
	    (before - after) * 100 > before * shrink_limit) {
		snprintf(reason, PUBLISH_REASON_MAX,
		    "Held: it has %llu records, %llu less than the %llu served, which is more than "
		    "the "
		    "%u %% of shrink-limit.",
		    (unsigned long long)after, (unsigned long long)(before - after),
		    (unsigned long long)before, shrink_limit);
		return true;
	}
	if (served->has_dnskey && !next->has_dnskey) {
		snprintf(reason, PUBLISH_REASON_MAX,
		    "Held: it has no DNSKEY at its apex, and the version served has.");
		return true;
	}
	return false;
}
