// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS messages byte by byte (see wire.h).
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rrtype.h"

void wire_header_read(const uint8_t *msg, struct wire_header *header)
{
	header->id = wire_get16(msg);
	header->flags = wire_get16(msg + 2);
	header->qdcount = wire_get16(msg + 4);
	header->ancount = wire_get16(msg + 6);
	header->nscount = wire_get16(msg + 8);
	header->arcount = wire_get16(msg + 10);
}

void wire_header_write(uint8_t *msg, const struct wire_header *header)
{
	wire_put16(msg, header->id);
	wire_put16(msg + 2, header->flags);
	wire_put16(msg + 4, header->qdcount);
	wire_put16(msg + 6, header->ancount);
	wire_put16(msg + 8, header->nscount);
	wire_put16(msg + 10, header->arcount);
}

int wire_name(const uint8_t *msg, size_t len, size_t *offset, uint8_t out[NAME_LEN_MAX])
{
	size_t at = *offset;
	size_t start = at; // of the segment being read; a pointer must lead before it
	size_t end = 0;    // behind the name where it began; 0 until the first pointer
	size_t used = 0;

	for (;;) { // each turn adds to `used` (at most 255) or lowers `start`
		if (at >= len) {
			return -EINVAL;
		}
		uint8_t label = msg[at];

		if (label >= 0xc0) {
			if (at + 1 >= len) {
				return -EINVAL;
			}
			size_t target = (size_t)(label & 0x3f) << 8 | msg[at + 1];

			if (end == 0) {
				end = at + 2;
			}
			if (target >= start || target < WIRE_HEADER_LEN) {
				return -EINVAL;
			}
			at = start = target;
			continue;
		}
		if (label > NAME_LABEL_MAX || at + 1 + label > len ||
		    used + 1 + label > NAME_LEN_MAX) {
			return -EINVAL; // 01 and 10: RFC 6891 5 retired them
		}
		memcpy(out + used, msg + at, 1U + label);
		used += 1U + label;
		at += 1U + label;
		if (label == 0) {
			*offset = end != 0 ? end : at;
			return (int)used;
		}
	}
}

int wire_name_skip(const uint8_t *msg, size_t len, size_t *offset)
{
	size_t at = *offset;

	while (at < len) {
		uint8_t label = msg[at];

		if (label >= 0xc0) {
			if (at + 2 > len) {
				return -EINVAL;
			}
			*offset = at + 2;
			return 0;
		}
		if (label > NAME_LABEL_MAX) {
			return -EINVAL;
		}
		at += 1U + label;
		if (label == 0) {
			*offset = at;
			return at <= len ? 0 : -EINVAL;
		}
	}
	return -EINVAL;
}

int wire_record_fixed(const uint8_t *msg, size_t len, size_t *offset, struct wire_record *record)
{
	size_t at = *offset;

	if (at > len || len - at < 10) {
		return -EINVAL;
	}
	record->type = wire_get16(msg + at);
	record->rrclass = wire_get16(msg + at + 2);
	record->ttl = wire_get32(msg + at + 4);
	record->rdlen = wire_get16(msg + at + 8);
	record->rdata = at + 10;
	if (len - record->rdata < record->rdlen) {
		return -EINVAL;
	}
	*offset = record->rdata + record->rdlen;
	return 0;
}

int wire_record_read(const uint8_t *msg, size_t len, size_t *offset, uint8_t owner[NAME_LEN_MAX],
    struct wire_record *record)
{
	record->start = *offset;
	int owner_len = wire_name(msg, len, offset, owner);

	if (owner_len < 0) {
		return owner_len;
	}
	int rc = wire_record_fixed(msg, len, offset, record);

	return rc != 0 ? rc : owner_len;
}

size_t wire_question(
    uint8_t *out, uint16_t id, uint16_t flags, const uint8_t *qname, uint16_t qtype)
{
	struct wire_header header = {.id = id, .flags = flags, .qdcount = 1};
	size_t len = name_len(qname);

	wire_header_write(out, &header);
	memcpy(out + WIRE_HEADER_LEN, qname, len);
	wire_put16(out + WIRE_HEADER_LEN + len, qtype);
	wire_put16(out + WIRE_HEADER_LEN + len + 2, RRCLASS_IN);
	return WIRE_HEADER_LEN + len + 4;
}

#define PADDING_OPTION 12  // RFC 7830 3
#define PADDING_BLOCK  128 // RFC 8467 4.1

size_t wire_opt(uint8_t *out, size_t len, bool padded, size_t behind)
{
	uint8_t *p = out + len;

	p[0] = 0; // the root
	wire_put16(p + 1, RRTYPE_OPT);
	wire_put16(p + 3, WIRE_UDP_SIZE);
	wire_put32(p + 5, 0);
	wire_put16(p + 9, 0);
	wire_put16(out + 10, 1); // ARCOUNT
	len += 11;
	if (padded) {
		size_t over = (len + 4 + behind) % PADDING_BLOCK;
		size_t padding = over == 0 ? 0 : PADDING_BLOCK - over;

		wire_put16(p + 9, (uint16_t)(4 + padding));
		wire_put16(p + 11, PADDING_OPTION);
		wire_put16(p + 13, (uint16_t)padding);
		memset(p + 15, 0, padding);
		len += 4 + padding;
	}
	return len;
}

const char *wire_rcode_text(unsigned rcode, char out[16])
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	    "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"};

	if (rcode < sizeof(names) / sizeof(names[0])) {
		return names[rcode];
	}
	snprintf(out, 16, "RCODE%u", rcode);
	return out;
}
