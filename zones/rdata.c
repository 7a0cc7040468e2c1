// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Walks over the fields of an rdata: is it well formed, where are its names, out of a message, into
// canonical form. Called by the transfer code, the compiler and the verifier; any thread.

#include "rdata.h"

#include <errno.h>
#include <string.h>

#include "name.h"
#include "rdata_field.h"
#include "rrtype.h"

bool rdata_valid(uint16_t type, const uint8_t *rdata, size_t len)
{
	const struct rdata_layout *layout = rdata_layout(type);
	size_t pos = 0;

	if (len > RDATA_LEN_MAX)
		return false;
	for (const uint8_t *field = layout->fields; *field != FIELD_END; field++) {
		int field_len = rdata_field_len(*field, rdata, len, pos);

		if (field_len < 0)
			return false;
		pos += (size_t)field_len;
	}
	return pos == len;
}

unsigned rdata_names(
    uint16_t type, const uint8_t *rdata, size_t len, struct rdata_name out[RDATA_NAMES_MAX])
{
	if (type == RRTYPE_A || type == RRTYPE_AAAA) // most of most zones
		return 0;
	const struct rdata_layout *layout = rdata_layout(type);
	unsigned count = 0;
	size_t pos = 0;

	for (const uint8_t *field = layout->fields; *field != FIELD_END; field++) {
		int field_len = rdata_field_len(*field, rdata, len, pos);

		if (field_len < 0)
			break;
		if (rdata_kind_is_name(*field) && count < RDATA_NAMES_MAX)
			out[count++] = (struct rdata_name){
			    .offset = (uint16_t)pos,
			    .len = (uint16_t)field_len,
			    .compressible = *field == FIELD_NAME_SHORT,
			    .additional = layout->additional,
			};
		pos += (size_t)field_len;
	}
	return count;
}

void rdata_canonical(uint16_t type, uint8_t *rdata, size_t len)
{
	const struct rdata_layout *layout = rdata_layout(type);
	size_t pos = 0;

	for (const uint8_t *field = layout->fields; *field != FIELD_END; field++) {
		int field_len = rdata_field_len(*field, rdata, len, pos);

		if (field_len < 0)
			return;
		if (rdata_kind_is_name(*field) && *field != FIELD_NAME)
			name_lower(rdata + pos, rdata + pos, (size_t)field_len);
		else if (*field == FIELD_A6 && rdata[0] != 0) { // RFC 4034 6.2 lists it
			size_t name_at = 1 + (128u - rdata[0] + 7) / 8;

			name_lower(rdata + name_at, rdata + name_at, len - name_at);
		}
		pos += (size_t)field_len;
	}
}

// The byte at `at`, folded when it stands in one of the names.
static uint8_t byte_folded(
    const uint8_t *rdata, size_t at, const struct rdata_name *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (at >= names[i].offset && at < (size_t)names[i].offset + names[i].len &&
		    rdata[at] >= 'A' && rdata[at] <= 'Z')
			return rdata[at] | 0x20; // a length byte is never a letter
	return rdata[at];
}

int rdata_compare(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	const size_t least = a_len < b_len ? a_len : b_len;
	struct rdata_name a_names[RDATA_NAMES_MAX], b_names[RDATA_NAMES_MAX];
	int order = least > 0 ? memcmp(a, b, least) : 0;

	if (order != 0) {
		const unsigned a_count = rdata_names(type, a, a_len, a_names);
		const unsigned b_count = rdata_names(type, b, b_len, b_names);

		for (size_t i = 0; a_count + b_count > 0 && i < least; i++) {
			order = (int)byte_folded(a, i, a_names, a_count) -
			        byte_folded(b, i, b_names, b_count);
			if (order != 0)
				break;
		}
	}
	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

int rdata_from_wire(uint16_t type, const uint8_t *msg, size_t msg_len, size_t offset, size_t rdlen,
    uint8_t *out, size_t out_cap)
{
	const struct rdata_layout *layout = rdata_layout(type);
	size_t pos = 0, out_len = 0;

	if (offset > msg_len || rdlen > msg_len - offset || rdlen > RDATA_LEN_MAX)
		return -EINVAL;
	if (out_cap > RDATA_LEN_MAX)
		out_cap = RDATA_LEN_MAX;

	const uint8_t *rdata = msg + offset;

	for (const uint8_t *field = layout->fields; *field != FIELD_END; field++) {
		uint8_t name[NAME_LEN_MAX];
		const uint8_t *from = rdata + pos;
		size_t expanded;
		int taken;

		if (*field == FIELD_NAME_SHORT || *field == FIELD_NAME_OLD) {
			taken = name_from_wire(
			    msg, msg_len, offset + pos, offset + rdlen, name, &expanded);
			from = name;
		} else {
			// No field behind an expanded name looks back, so the bytes as they came
			// will do.
			taken = rdata_field_len(*field, rdata, rdlen, pos);
			expanded = taken < 0 ? 0 : (size_t)taken;
		}
		if (taken < 0 || expanded > out_cap - out_len)
			return -EINVAL;
		if (expanded > 0)
			memcpy(out + out_len, from, expanded);
		out_len += expanded;
		pos += (size_t)taken;
	}
	return pos == rdlen ? (int)out_len : -EINVAL;
}
