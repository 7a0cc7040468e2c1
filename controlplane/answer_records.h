// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The records of an answer to a downstream server, in the order in which they are sent:
//
//     ANSWER_SOA         the SOA: to a SOA query, and to an IXFR query where nothing is newer
//     ANSWER_WHOLE       SOA, everything else, SOA (RFC 5936 2.2)
//     ANSWER_DIFFERENCE  SOA, for each step the SOA that goes, what goes, the SOA that comes, what
//     comes,
//                        and again the SOA (RFC 1995 4)
//
// Pure; any thread.
#pragma once

#include <stdbool.h>

#include "reader.h"
#include "records.h"

enum answer_form {
	ANSWER_SOA,
	ANSWER_WHOLE,
	ANSWER_DIFFERENCE,
};

struct answer_records {
	enum answer_form form;
	struct record soa;
	struct version_records body;
	const struct records *changes; // of ANSWER_DIFFERENCE
	size_t next_change;
	enum {
		AT_FIRST,
		AT_BODY,
		AT_LAST,
		AT_END,
	} at;
};

// `changes`: in order, as an IXFR brings them; NULL unless ANSWER_DIFFERENCE. Pre: version and
// changes are kept until the last record was given. Post: false when the version has no SOA.
bool answer_records_start(struct answer_records *records, enum answer_form form,
    const struct zone_version *version, const struct records *changes)
    __attribute__((warn_unused_result));
// Post: false at the end; else *out is the next one, borrowed from the version.
bool answer_records_next(struct answer_records *records, struct record *out);
