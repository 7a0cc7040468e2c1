// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone text: every record that comes out is well formed. Run by libFuzzer.

#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "rdata.h"
#include "zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	if (name_len_checked(owner, NAME_LEN_MAX) == 0 || !rdata_valid(type, rdata, rdlen))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zonefile_error err;

	zonefile_parse_text(
	    (const char *)data, size, (const uint8_t *)"\7example", check, NULL, &err);
	return 0;
}
