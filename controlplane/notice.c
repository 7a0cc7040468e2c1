// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages of NOTIFY out (see notice.h).
#include "notice.h"

#include <stdio.h>
#include <string.h>

#include "rrtype.h"
#include "wire.h"
#include "writer.h"

size_t notice_write(const uint8_t *apex, const struct record *soa, const struct tsig_key *key,
    uint16_t id, uint64_t now_s, uint8_t *out, struct notice_sent *sent)
{
	size_t len = wire_question(
	    out, id, WIRE_OPCODE_NOTIFY << 11 | WIRE_AA, apex, RRTYPE_SOA); // RFC 1996 3.3
	struct writer writer;

	sent->id = id;
	sent->mac_len = 0;
	if (soa != NULL) {
		writer_start(
		    &writer, out, len, NOTICE_MESSAGE_MAX - TSIG_LEN_MAX, WRITER_QUESTION_AT);
		if (writer_rr(&writer, NULL, RRTYPE_SOA, soa->ttl, soa->rdata, soa->rdlen)) {
			wire_put16(out + 6, 1);
			len = writer.at;
		}
	}
	return key == NULL ? len
	                   : tsig_sign(key, out, len, NOTICE_MESSAGE_MAX, now_s, NULL, 0, TSIG_OK,
	                         now_s, sent->mac, &sent->mac_len);
}

static bool is_ours(const uint8_t *apex, const struct notice_sent *sent, const uint8_t *msg,
    size_t len, struct wire_header *header)
{
	uint8_t qname[NAME_LEN_MAX];
	size_t offset = WIRE_HEADER_LEN;

	if (len < WIRE_HEADER_LEN) {
		return false;
	}
	wire_header_read(msg, header);
	if (header->id != sent->id || (header->flags & WIRE_QR) == 0 ||
	    (header->flags & WIRE_OPCODE) != WIRE_OPCODE_NOTIFY << 11) {
		return false;
	}
	// Some servers refuse without repeating the question.
	return header->qdcount == 0 ||
	       (header->qdcount == 1 && wire_name(msg, len, &offset, qname) >= 0 &&
	           name_equal(qname, apex));
}

enum notice_verdict notice_reply(const uint8_t *apex, const struct tsig_key *key,
    const struct notice_sent *sent, uint64_t now_s, const uint8_t *msg, size_t len,
    char error[NOTICE_ERROR_MAX])
{
	struct tsig_stream stream;
	struct tsig_record record;
	struct wire_header header;
	char number[16];

	if (!is_ours(apex, sent, msg, len, &header)) {
		return NOTICE_NOT_OURS;
	}
	const unsigned rcode = header.flags & WIRE_RCODE;
	const int has_tsig = tsig_find(msg, len, &record);

	if (rcode != 0) {
		bool blames = has_tsig == 1 && record.error != 0;

		snprintf(error, NOTICE_ERROR_MAX, "it answers %s%s%s",
		    wire_rcode_text(rcode, number), blames ? ", its signature record says " : "",
		    blames ? tsig_result_text((enum tsig_result)record.error) : "");
		return NOTICE_REFUSED;
	}
	if (has_tsig < 0 || tsig_stream_open(&stream, key, sent->mac, sent->mac_len) != 0) {
		snprintf(error, NOTICE_ERROR_MAX, "malformed reply");
		return NOTICE_REFUSED;
	}
	enum tsig_result verdict =
	    tsig_stream_message(&stream, msg, len, has_tsig == 1 ? &record : NULL, now_s, true);

	tsig_stream_close(&stream);
	if (verdict != TSIG_OK) {
		snprintf(error, NOTICE_ERROR_MAX, "reply: %s", tsig_result_text(verdict));
		return NOTICE_REFUSED;
	}
	return NOTICE_CONFIRMED;
}
