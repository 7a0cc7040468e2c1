// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The model: a whole reply to a well-formed query, made from a list of records by looking through
// it. Slow and obvious; to be read beside RFC 1034 4.3.2, 4592, 6672, 4035 3.1, 5155 7.2, 2308,
// 9471, 8482 and 6891. What the RFCs leave open (order of records, compression) is as
// dataplane/dns/dns_render.h and zones/writer.h say.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_zone.h"

#define MODEL_REPLY_MAX 65535
#define MODEL_UDP_MAX   1232 // what the server advertises, and never exceeds over UDP

struct model_question {
	uint8_t name[MODEL_NAME_MAX]; // as the client wrote it
	uint16_t type, rrclass;
	uint16_t id;
	bool rd, cd, tcp;
	bool edns, dnssec_ok;
	uint16_t edns_size;
	uint8_t edns_version;
	uint16_t cap; // bytes the transport has room for
};

// The query's bytes. Post: their number.
size_t model_query_write(const struct model_question *q, uint8_t *out);

// The reply's bytes. The zone is the only one served. Post: their number.
size_t model_answer(
    const struct mzone *zone, const struct model_question *q, uint8_t out[MODEL_REPLY_MAX]);
