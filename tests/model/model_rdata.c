// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Rdata; see model_rdata.h.
#include "model_rdata.h"

#include <string.h>

#include "model_name.h"

// One row: how many bytes stand before the first name, how many names follow.
struct row {
	uint16_t type;
	uint8_t before, names;
	bool compressed, additional;
};

static const struct row rows[] = {
    {T_NS, 0, 1, true, true},
    {T_MD, 0, 1, true, true},
    {T_MF, 0, 1, true, true},
    {T_CNAME, 0, 1, true, false},
    {T_SOA, 0, 2, true, false},
    {T_MB, 0, 1, true, true},
    {T_MG, 0, 1, true, false},
    {T_MR, 0, 1, true, false},
    {T_PTR, 0, 1, true, false},
    {T_MINFO, 0, 2, true, false},
    {T_MX, 2, 1, true, true},
    {T_RP, 0, 2, false, false},
    {T_AFSDB, 2, 1, false, true}, // RFC 1183 1
    {T_RT, 2, 1, false, true},    // RFC 1183 3.3
    {T_SRV, 6, 1, false, true},   // RFC 2782
    {T_KX, 2, 1, false, true},    // RFC 2230 4
    {T_DNAME, 0, 1, false, false},
    {T_SVCB, 2, 1, false, true}, // RFC 9460 4.1
    {T_HTTPS, 2, 1, false, true},
};

void mrdata_names(uint16_t type, const uint8_t *rdata, size_t rdlen, struct mrdata_names *out)
{
	*out = (struct mrdata_names){0};
	if (type == T_NAPTR) { // RFC 3403 4.1: behind three strings; nothing is added for it
		size_t at = 4;
		for (unsigned i = 0; i < 3; i++)
			at += rdata[at] + 1u;
		out->count = 1;
		out->at[0] = at;
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].type != type)
			continue;
		out->count = rows[i].names;
		out->compressed = rows[i].compressed;
		out->additional = rows[i].additional;
		out->at[0] = rows[i].before;
		if (out->count == 2)
			out->at[1] = out->at[0] + mname_len(rdata + out->at[0]);
	}
}

bool mrdata_equal(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	struct mrdata_names a_names, b_names;
	size_t done = 0;

	if (a_len != b_len)
		return false;
	mrdata_names(type, a, a_len, &a_names);
	mrdata_names(type, b, b_len, &b_names);
	for (unsigned i = 0; i < a_names.count; i++) {
		const size_t at = a_names.at[i];
		if (at != b_names.at[i] || memcmp(a + done, b + done, at - done) != 0 ||
		    !mname_equal(a + at, b + at))
			return false;
		done = at + mname_len(a + at);
	}
	return memcmp(a + done, b + done, a_len - done) == 0;
}
