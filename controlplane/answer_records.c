// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The records of an answer in order (see answer_records.h).
#include "answer_records.h"

bool answer_records_start(struct answer_records *records, enum answer_form form,
    const struct zone_version *version, const struct records *changes)
{
	records->form = form;
	records->at = AT_FIRST;
	records->changes = changes;
	records->next_change = 0;
	version_records_start(&records->body, version);
	return version_soa(version, &records->soa);
}

static bool body_next(struct answer_records *records, struct record *out)
{
	if (records->form == ANSWER_DIFFERENCE) {
		if (records->next_change == records->changes->count)
			return false;
		*out = records->changes->items[records->next_change++];
		return true;
	}
	while (version_records_next(&records->body, out))
		if (out->rdata != records->soa.rdata) // that one stands at both ends
			return true;
	return false;
}

bool answer_records_next(struct answer_records *records, struct record *out)
{
	switch (records->at) {
	case AT_FIRST:
		*out = records->soa;
		records->at = records->form == ANSWER_SOA ? AT_END : AT_BODY;
		return true;
	case AT_BODY:
		if (body_next(records, out))
			return true;
		records->at = AT_LAST;
		// fallthrough
	case AT_LAST:
		*out = records->soa;
		records->at = AT_END;
		return true;
	case AT_END:
		break;
	}
	return false;
}
