// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Reading the answer to a SOA query (see soa_query.h). Pure.
#include <stdio.h>
#include <string.h>

#include "rdata.h"
#include "soa_query.h"
#include "wire.h"

// Post: true when the message answers our question, *offset behind it.
static bool is_ours(const uint8_t *msg, size_t len, const uint8_t *apex, uint16_t id,
    struct wire_header *header, size_t *offset)
{
	uint8_t qname[NAME_LEN_MAX];

	if (len < WIRE_HEADER_LEN) {
		return false;
	}
	wire_header_read(msg, header);
	*offset = WIRE_HEADER_LEN;
	if (header->id != id || (header->flags & WIRE_QR) == 0 ||
	    (header->flags & WIRE_OPCODE) != 0) {
		return false;
	}
	if (header->qdcount == 0 && (header->flags & WIRE_RCODE) != 0) {
		return true; // some servers refuse without repeating the question
	}
	if (header->qdcount != 1 || wire_name(msg, len, offset, qname) < 0 || len - *offset < 4 ||
	    !name_equal(qname, apex) || wire_get16(msg + *offset) != RRTYPE_SOA ||
	    wire_get16(msg + *offset + 2) != RRCLASS_IN) {
		return false;
	}
	*offset += 4;
	return true;
}

static bool soa_find(const uint8_t *msg, size_t len, size_t offset, unsigned count,
    const uint8_t *apex, struct zone_soa *out)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t owner[NAME_LEN_MAX], rdata[2 * NAME_LEN_MAX + 20];
		struct wire_record record;

		if (wire_record_read(msg, len, &offset, owner, &record) < 0) {
			return false;
		}
		if (record.type != RRTYPE_SOA || record.rrclass != RRCLASS_IN ||
		    !name_equal(owner, apex)) {
			continue;
		}
		int rdlen = rdata_from_wire(
		    RRTYPE_SOA, msg, len, record.rdata, record.rdlen, rdata, sizeof(rdata));

		if (rdlen < 0 || !rdata_valid(RRTYPE_SOA, rdata, (size_t)rdlen)) {
			return false;
		}
		const uint8_t *fixed = rdata + rdlen - 20;

		out->serial = wire_get32(fixed);
		out->refresh_s = wire_get32(fixed + 4);
		out->retry_s = wire_get32(fixed + 8);
		out->expire_s = wire_get32(fixed + 12);
		return true;
	}
	return false;
}

enum soa_verdict soa_answer_read(const uint8_t *msg, size_t len, const uint8_t *apex, uint16_t id,
    struct tsig_stream *stream, uint64_t now_s, struct zone_soa *out, char error[SOA_ERROR_MAX])
{
	struct wire_header header;
	struct tsig_record record;
	size_t offset;
	char number[16];

	if (!is_ours(msg, len, apex, id, &header, &offset)) {
		return SOA_NOT_OURS;
	}
	unsigned rcode = header.flags & WIRE_RCODE;
	int has_tsig = tsig_find(msg, len, &record);

	if ((rcode == WIRE_RCODE_FORMERR || rcode == WIRE_RCODE_NOTIMP) && has_tsig == 0) {
		snprintf(
		    error, SOA_ERROR_MAX, "primary answers %s", wire_rcode_text(rcode, number));
		return SOA_NO_EDNS;
	}
	if (rcode != 0) {
		bool blames = has_tsig == 1 && record.error != 0;

		snprintf(error, SOA_ERROR_MAX, "primary answers %s%s%s",
		    wire_rcode_text(rcode, number), blames ? ", its signature record says " : "",
		    blames ? tsig_result_text((enum tsig_result)record.error) : "");
		return stream->key != NULL && tsig_key_refused(rcode, msg, len) ? SOA_KEY : SOA_BAD;
	}
	if ((header.flags & WIRE_TC) != 0) {
		return SOA_TRUNCATED; // whatever it holds: the whole one will be judged
	}
	if (has_tsig < 0) {
		snprintf(error, SOA_ERROR_MAX, "malformed answer");
		return SOA_BAD;
	}
	enum tsig_result verdict =
	    tsig_stream_message(stream, msg, len, has_tsig == 1 ? &record : NULL, now_s, true);

	if (verdict != TSIG_OK) {
		snprintf(error, SOA_ERROR_MAX, "answer: %s", tsig_result_text(verdict));
		return SOA_BAD;
	}
	if ((header.flags & WIRE_AA) == 0) {
		snprintf(error, SOA_ERROR_MAX, "primary is not authoritative for the zone");
		return SOA_BAD;
	}
	if (!soa_find(msg, len, offset, header.ancount, apex, out)) {
		snprintf(error, SOA_ERROR_MAX, "answer without a usable SOA");
		return SOA_BAD;
	}
	return SOA_GOOD;
}
