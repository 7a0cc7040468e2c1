// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a zone must be before it may be served. Runs on sorted records, one pass.

#include "records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "name.h"
#include "rrtype.h"

static int complain(char *error, const uint8_t *owner, const char *what)
{
	char text[NAME_TEXT_MAX];

	name_to_text(owner, text);
	snprintf(error, RECORDS_ERROR_MAX, "%.250s: %s", text, what);
	return -EINVAL;
}

// The type that a signature covers, whose RRset it belongs to; 0 for what is none.
static unsigned covered(const struct record *record)
{
	return record->type == RRTYPE_RRSIG && record->rdlen >= 2
	           ? (unsigned)record->rdata[0] << 8 | record->rdata[1]
	           : 0;
}

// However the records came: a primary may have interleaved them. A signature belongs to the RRset
// it covers; signatures are counted where they stand together.
static bool rrsets_fit(const struct record *items, size_t n, uint32_t max)
{
	size_t run = 0;

	for (size_t i = 0; i < n; i++) {
		const bool same = i > 0 && items[i].type == items[i - 1].type &&
		                  covered(&items[i]) == covered(&items[i - 1]);

		run = same ? run + 1 : 1;
		if (run > max)
			return false;
	}
	return true;
}

// What one owner may hold. items[0 .. n) have the same owner, ascending type.
static int owner_check(
    const struct record *items, size_t n, bool apex, uint32_t rrset_max, char *error)
{
	size_t soa = 0, ns = 0, cname = 0, dname = 0, other = 0;

	for (size_t i = 0; i < n; i++) {
		const uint16_t type = items[i].type;
		if (rrtype_is_meta(type))
			return complain(
			    error, items[i].owner, "holds a type that cannot be zone data");
		soa += type == RRTYPE_SOA;
		ns += type == RRTYPE_NS;
		dname += type == RRTYPE_DNAME;
		if (type == RRTYPE_CNAME)
			cname++;
		else if (type != RRTYPE_RRSIG && type != RRTYPE_NSEC && type != RRTYPE_NSEC3)
			other++;
	}
	if (!rrsets_fit(items, n, rrset_max))
		return complain(error, items[0].owner, "too many records of one type");
	if (cname > 0 && other > 0)
		return complain(error, items[0].owner, "CNAME and other data (RFC 1034 3.6.2)");
	if (cname > 1)
		return complain(error, items[0].owner, "more than one CNAME (RFC 2181 10.1)");
	if (dname > 1)
		return complain(error, items[0].owner, "more than one DNAME (RFC 6672 2.4)");
	if (soa > 0 && !apex)
		return complain(error, items[0].owner, "SOA below the zone's apex");
	if (apex && soa != 1)
		return complain(error, items[0].owner,
		    soa == 0 ? "the zone has no SOA record"
		             : "the zone has more than one SOA record");
	if (apex && ns == 0)
		return complain(error, items[0].owner, "the zone has no NS record at its apex");
	return 0;
}

int records_check(const struct records *records, char error[RECORDS_ERROR_MAX])
{
	if (records->count == 0)
		return complain(error, records->apex, "the zone is empty");
	// The apex sorts before everything below it.
	if (!name_equal(records->items[0].owner, records->apex))
		return complain(error, records->apex, "the zone has no SOA record");
	for (size_t begin = 0, end; begin < records->count; begin = end) {
		for (end = begin + 1; end < records->count; end++) {
			if (records->items[end].owner != records->items[begin].owner)
				break;
		}
		const int bad = owner_check(
		    records->items + begin, end - begin, begin == 0, records->rrset_max, error);
		if (bad != 0)
			return bad;
	}
	return 0;
}

uint32_t records_serial(const struct records *records)
{
	for (size_t i = 0; i < records->count && records->items[i].type <= RRTYPE_SOA; i++) {
		const struct record *soa = &records->items[i];
		if (soa->type != RRTYPE_SOA)
			continue;
		const uint8_t *at = soa->rdata + soa->rdlen - 20;
		return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	}
	return 0;
}
