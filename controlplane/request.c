// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A request taken apart, and replies to it (see request.h).
#include "request.h"

#include <string.h>

#include "rrtype.h"

#define UDP_SIZE_LEAST 512 // RFC 6891 6.2.3

bool request_open(struct request *request, const uint8_t *msg, size_t len)
{
	size_t offset = WIRE_HEADER_LEN;

	*request = (struct request){.msg = msg, .len = len, .udp_size = UDP_SIZE_LEAST};
	if (len < WIRE_HEADER_LEN) {
		return false;
	}
	wire_header_read(msg, &request->header);
	if ((request->header.flags & WIRE_QR) != 0) { // a reply would be the start of a loop
		return false;
	}
	request->opcode = (request->header.flags & WIRE_OPCODE) >> 11;
	if (request->header.qdcount == 1 && wire_name(msg, len, &offset, request->qname) >= 0 &&
	    len - offset >= 4) {
		request->qtype = wire_get16(msg + offset);
		request->qclass = wire_get16(msg + offset + 2);
		request->question_end = offset + 4;
	}
	return true;
}

static bool opt_read(struct request *request, const uint8_t *owner,
    const struct wire_record *record, bool additional)
{
	if (request->has_opt || owner[0] != 0 || !additional) {
		return false; // RFC 6891 6.1.1
	}
	request->has_opt = true;
	request->edns_version = (uint8_t)(record->ttl >> 16);
	if (record->rrclass > request->udp_size) {
		request->udp_size = record->rrclass;
	}
	return true;
}

bool request_records(struct request *request)
{
	const struct wire_header *header = &request->header;
	const unsigned authority = header->ancount, additional = authority + header->nscount;
	const unsigned count = additional + header->arcount;
	size_t offset = request->question_end;

	request->has_tsig = tsig_find(request->msg, request->len, &request->tsig);
	if (request->has_tsig < 0) {
		return false;
	}
	for (unsigned i = 0; i < count; i++) { // tsig_find() walked as many
		uint8_t owner[NAME_LEN_MAX];
		struct wire_record record;
		bool here = request->opcode == WIRE_OPCODE_NOTIFY
		                ? i < authority
		                : i >= authority && i < additional;

		if (wire_record_read(request->msg, request->len, &offset, owner, &record) < 0) {
			return false;
		}
		if (here && record.type == RRTYPE_SOA && record.rrclass == RRCLASS_IN &&
		    name_equal(owner, request->qname)) {
			if (record.rdlen < 22) {
				return false;
			}
			request->has_serial = true;
			request->serial =
			    wire_get32(request->msg + record.rdata + record.rdlen - 20);
		}
		if (record.type == RRTYPE_OPT &&
		    !opt_read(request, owner, &record, i >= additional)) {
			return false;
		}
	}
	return true;
}

size_t request_reply(const struct request *request, unsigned rcode, uint8_t *reply)
{
	struct wire_header header = {.id = request->header.id,
	    .flags = (uint16_t)(WIRE_QR | (request->header.flags & (WIRE_OPCODE | WIRE_RD)) |
	                        (rcode & WIRE_RCODE))};
	size_t len = WIRE_HEADER_LEN;

	if (rcode == WIRE_RCODE_NOERROR) {
		header.flags |= WIRE_AA;
	}
	if (request->question_end > 0) {
		header.qdcount = 1;
		memcpy(reply + len, request->msg + len, request->question_end - len);
		len = request->question_end;
	}
	if (request->has_opt) {
		static const uint8_t opt[REQUEST_OPT_LEN] = {
		    0, 0, RRTYPE_OPT, REQUEST_UDP_SIZE >> 8, REQUEST_UDP_SIZE & 0xff};

		header.arcount = 1;
		memcpy(reply + len, opt, sizeof(opt));
		reply[len + 5] = (uint8_t)(rcode >> 4); // RFC 6891 6.1.3
		len += sizeof(opt);
	}
	wire_header_write(reply, &header);
	return len;
}

size_t request_sign(const struct request *request, const struct tsig_key *key,
    enum tsig_result error, uint64_t now_s, uint8_t *reply, size_t len, size_t cap)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len;

	// With BADTIME the client's time stays, and ours goes into other data (RFC 8945 5.2.3).
	return tsig_sign(key, reply, len, cap, error == TSIG_BADTIME ? request->tsig.time_s : now_s,
	    request->tsig.mac, request->tsig.mac_len, error, now_s, mac, &mac_len);
}

size_t request_refuse_tsig(const struct request *request, const struct tsig_key *key,
    enum tsig_result verdict, uint64_t now_s, uint8_t *reply, size_t cap)
{
	if (verdict == TSIG_BROKEN) {
		return request_reply(request, WIRE_RCODE_SERVFAIL, reply);
	}
	// A MAC of an impossible length: FORMERR (RFC 8945 5.2.2.1), and the record comes back
	// without one, as it does from NSD, Knot and BIND.
	if (verdict == TSIG_FORMERR) {
		return tsig_refuse(reply, request_reply(request, WIRE_RCODE_FORMERR, reply), cap,
		    &request->tsig, TSIG_BADSIG);
	}
	size_t len = request_reply(request, WIRE_RCODE_NOTAUTH, reply);

	if (verdict == TSIG_BADTIME || verdict == TSIG_BADTRUNC) {
		return request_sign(request, key, verdict, now_s, reply, len, cap);
	}
	return tsig_refuse(reply, len, cap, &request->tsig, verdict);
}
