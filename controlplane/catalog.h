// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a catalog zone (RFC 9432) says: its members and their properties, read from a version of the
// zone. Pure; what is done about it is members.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "idmap.h"

struct zone_version;

struct catalog_member {
	const uint8_t *domain; // wire form, lower case; owned by the catalog, as all of it
	const uint8_t *coo;    // the catalog that it may move to (4.3.1), or NULL
	const char **groups;   // in canonical order (4.3.2)
	size_t group_count;
	uint8_t domain_len;
	uint8_t label[64]; // the unique label: length and bytes, lower case
};

struct catalog {
	struct catalog_member *members;
	size_t count;
	struct idmap by_domain; // -> struct catalog_member
	struct pool *pool;
};

#define CATALOG_ERROR_MAX 256

// Post: 0; or -ENOMEM; or -EINVAL and one sentence: the catalog is broken and must not be used
// (4.1, 4.2, 5.1). What belongs to no known property is passed over.
int catalog_read(const struct zone_version *version, struct catalog **out,
    char error[CATALOG_ERROR_MAX]) __attribute__((warn_unused_result));
void catalog_free(struct catalog *catalog); // NULL is accepted

const struct catalog_member *catalog_find(const struct catalog *catalog, const uint8_t *domain);
