// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Printing; see model_print.h. What is printed decides nothing, so the project's own text functions
// do it.
#include "model_print.h"

#include "name.h"
#include "rdata.h"

static void print_record(FILE *out, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen)
{
	static char text[RDATA_TEXT_MAX];
	char name[NAME_TEXT_MAX], word[16];

	name_to_text(owner, name);
	if (!rdata_valid(type, rdata, rdlen) ||
	    rdata_to_text(type, rdata, rdlen, text, sizeof(text)) < 0)
		snprintf(text, sizeof(text), "; %zu bytes that are no rdata", rdlen);
	fprintf(out, "%s %u %s %s\n", name, ttl, rrtype_to_text(type, word), text);
}

void model_print_zone(FILE *out, const struct mzone *zone)
{
	char apex[NAME_TEXT_MAX];

	name_to_text(zone->apex, apex);
	fprintf(out, "$ORIGIN %s\n", apex);
	for (size_t i = 0; i < zone->count; i++) {
		const struct mrecord *r = &zone->records[i];
		print_record(out, r->owner, r->type, r->ttl, r->rdata, r->rdlen);
	}
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

// Post: the offset behind the record at `at`, or 0 when it is malformed.
static size_t message_record(FILE *out, const uint8_t *msg, size_t len, size_t at)
{
	static uint8_t rdata[RDATA_LEN_MAX];
	uint8_t owner[NAME_LEN_MAX];
	size_t owner_len;
	const int taken = name_from_wire(msg, len, at, len, owner, &owner_len);

	if (taken < 0 || at + (size_t)taken + 10 > len)
		return 0;
	at += (size_t)taken;
	const unsigned type = get16(msg + at), rdlen = get16(msg + at + 8);
	const uint32_t ttl = get16(msg + at + 4) << 16 | get16(msg + at + 6);
	if (at + 10 + rdlen > len)
		return 0;
	if (type == RRTYPE_OPT) {
		fprintf(out, "; OPT: size %u, extended rcode and flags %08x, %u bytes\n",
		    get16(msg + at + 2), ttl, rdlen);
	} else {
		const int n =
		    rdata_from_wire((uint16_t)type, msg, len, at + 10, rdlen, rdata, sizeof(rdata));
		print_record(out, owner, (uint16_t)type, ttl, rdata, n < 0 ? 0 : (size_t)n);
	}
	return at + 10 + rdlen;
}

void model_print_message(FILE *out, const uint8_t *msg, size_t len)
{
	static const char *const sections[] = {"answer", "authority", "additional"};
	uint8_t name[NAME_LEN_MAX];
	char text[NAME_TEXT_MAX], word[16];
	size_t name_len, at = 12;

	if (len < 12) {
		fprintf(out, "; %zu bytes\n", len);
		return;
	}
	fprintf(out, "; %zu bytes, id %u, flags %02x%02x, rcode %u, counts %u %u %u %u\n", len,
	    get16(msg), msg[2], msg[3], msg[3] & 15u, get16(msg + 4), get16(msg + 6),
	    get16(msg + 8), get16(msg + 10));
	if (get16(msg + 4) == 1 && name_from_wire(msg, len, at, len, name, &name_len) > 0) {
		at += name_len;
		name_to_text(name, text);
		fprintf(out, "; question: %s %s class %u\n", text,
		    rrtype_to_text((uint16_t)get16(msg + at), word), get16(msg + at + 2));
		at += 4;
	}
	for (unsigned s = 0; s < 3; s++) {
		const unsigned count = get16(msg + 6 + 2 * s);

		if (count != 0)
			fprintf(out, "; %s\n", sections[s]);
		for (unsigned i = 0; i < count; i++) {
			at = message_record(out, msg, len, at);
			if (at == 0) {
				fprintf(out, "; the rest is malformed\n");
				return;
			}
		}
	}
}
