// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a zone's digest (ZONEMD, RFC 8976) is worth, by the configuration's word.
#pragma once

#include <assert.h>
#include <stdbool.h>

#include "config.h"
#include "records.h"
#include "zonemd.h"

struct publisher;
struct pzone;

#define DIGEST_REASON_MAX 512
static_assert(DIGEST_REASON_MAX >= RECORDS_ERROR_MAX && DIGEST_REASON_MAX >= ZONEMD_ERROR_MAX,
    "either may be the reason");

// Post: true; or false and one sentence: a version of these is to be refused. A zone without a
// digest is not even sorted where it need not have one. Any thread.
bool digest_judge(
    enum config_zonemd zonemd, struct records *records, char reason[DIGEST_REASON_MAX]);

// The configuration says another word than when the version served came: it is looked at by that
// one, soon. The loop's thread.
void publish_digest_look(struct publisher *p, struct pzone *zone);
// The next one, unless one is being looked at: now and then, for those that there was no memory
// for.
void publish_digest_tick(struct publisher *p);
