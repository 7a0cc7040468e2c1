// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See overlay_of.h. Called by np-burst and np-republish.

#include "overlay_of.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "delta.h"
#include "overlay.h"
#include "records.h"

// NULL when out of memory.
static struct delta *version_change(
    const struct zone_version *version, uint64_t names, unsigned nth)
{
	const struct image_header *header = version_header(version);
	const uint64_t every = header->rr_count / (names + 1) + 1;
	struct delta *delta = delta_new(image_apex(header), header->serial);
	uint8_t soa[2 * NAME_LEN_MAX + 20];
	struct version_records at;
	struct record r;

	if (delta == NULL || !version_soa(version, &r) ||
	    delta_add(delta, false, r.owner, r.type, r.ttl, r.rdata, r.rdlen) != 0)
		return NULL;
	memcpy(soa, r.rdata, r.rdlen);
	soa[r.rdlen - 17]++;
	if (delta_add(delta, true, r.owner, r.type, r.ttl, soa, r.rdlen) != 0)
		return NULL;
	version_records_start(&at, version);
	for (uint64_t i = nth % 4 * every / 4; names > 0 && version_records_next(&at, &r);) {
		if (i++ < every || r.type == RRTYPE_SOA || r.type == RRTYPE_RRSIG)
			continue;
		if (delta_add(delta, false, r.owner, r.type, r.ttl, r.rdata, r.rdlen) != 0 ||
		    delta_add(delta, true, r.owner, r.type, r.ttl + 1, r.rdata, r.rdlen) != 0)
			return NULL;
		names--;
		i = 0;
	}
	return delta;
}

int overlay_of(const struct zone_version *below, uint64_t names, unsigned nth,
    struct image_buffer *image, char error[COMPILE_ERROR_MAX])
{
	const uint64_t *k = version_header(below)->hash_key;
	const struct compile_options options = {
	    .key = {{k[0], k[1]}}, .generation = 1, .id = 2 + nth};
	struct delta *delta = version_change(below, names, nth);
	struct overlay overlay;
	int ret;

	if (delta == NULL || below->layer_count == IMAGE_LAYERS_MAX) {
		snprintf(error, COMPILE_ERROR_MAX, "there is none to be made");
		return -EINVAL;
	}
	ret = overlay_make(below, delta, below, NULL, SIZE_MAX, &overlay, error);
	if (ret != 0)
		return ret;
	ret = image_buffer_open(image, ((size_t)names << 16) + (16 << 20));
	if (ret == 0)
		ret = compile_overlay(overlay.records, &overlay.plan, &options, image, error);
	overlay_free(&overlay);
	delta_free(delta);
	return ret;
}
