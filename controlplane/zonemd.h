// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The message digest of a zone (RFC 8976): scheme SIMPLE with SHA-384 and SHA-512. Pure, any
// thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "records.h"

#define ZONEMD_ERROR_MAX  256
#define ZONEMD_DIGEST_MAX 64

enum zonemd_verdict {
	ZONEMD_GOOD,   // a digest matches
	ZONEMD_ABSENT, // there is none at the apex
	ZONEMD_OTHER,  // none of a scheme and algorithm that we know
	ZONEMD_WRONG,  // there is one that we know, and none matches
};

// Pre: records_sort() and records_check() were called. Post: anything but GOOD: one sentence in
// `error`; -ENOMEM when out of memory.
int zonemd_verify(const struct records *records, char error[ZONEMD_ERROR_MAX])
    __attribute__((warn_unused_result));
