// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Reading and building DNS messages (RFC 1035 4) byte by byte, without a copy of the message and
// without memory of its own: what a transfer of a million records needs. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define WIRE_HEADER_LEN  12
#define WIRE_MESSAGE_MAX 65535

enum {
	WIRE_OPCODE_QUERY = 0,
	WIRE_OPCODE_NOTIFY = 4,
};

enum {
	WIRE_RCODE_NOERROR = 0,
	WIRE_RCODE_FORMERR = 1,
	WIRE_RCODE_SERVFAIL = 2,
	WIRE_RCODE_NOTIMP = 4,
	WIRE_RCODE_REFUSED = 5,
	WIRE_RCODE_NOTAUTH = 9,
	WIRE_RCODE_BADVERS = 16, // the upper bits stand in the OPT
};

#define WIRE_QR     0x8000u
#define WIRE_AA     0x0400u
#define WIRE_TC     0x0200u
#define WIRE_RD     0x0100u
#define WIRE_OPCODE 0x7800u
#define WIRE_RCODE  0x000fu

struct wire_header {
	uint16_t id, flags;
	uint16_t qdcount, ancount, nscount, arcount;
};

struct wire_record {
	size_t start; // of the owner in the message
	size_t rdata; // of the rdata in the message
	uint16_t type, rrclass, rdlen;
	uint32_t ttl;
};

static inline uint16_t wire_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void wire_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, (uint16_t)(v >> 16));
	wire_put16(p + 2, (uint16_t)v);
}

// Pre: len >= WIRE_HEADER_LEN.
void wire_header_read(const uint8_t *msg, struct wire_header *header);
void wire_header_write(uint8_t *msg, const struct wire_header *header);

// The name at *offset, pointers followed (each strictly backwards, so that none can loop).
// Post: its length, out[] filled, *offset behind it; or -EINVAL.
int wire_name(const uint8_t *msg, size_t len, size_t *offset, uint8_t out[NAME_LEN_MAX]);

// As wire_name without looking behind pointers. Post: 0 or -EINVAL.
int wire_name_skip(const uint8_t *msg, size_t len, size_t *offset);

// The fixed part behind an owner that ends at *offset. Post: 0, *offset behind the record; or
// -EINVAL when the record does not lie within the message. `record->start` is left to the caller.
int wire_record_fixed(const uint8_t *msg, size_t len, size_t *offset, struct wire_record *record);

// Owner and fixed part. Post: the owner's length, or -EINVAL.
int wire_record_read(const uint8_t *msg, size_t len, size_t *offset, uint8_t owner[NAME_LEN_MAX],
    struct wire_record *record);

// A message with one question of class IN. Post: its length. Pre: cap >= 12 + 255 + 4.
size_t wire_question(
    uint8_t *out, uint16_t id, uint16_t flags, const uint8_t *qname, uint16_t qtype);

// Appends an OPT record (RFC 6891 6.1.2) that offers WIRE_UDP_SIZE. `padded`, for what goes out
// encrypted: with so much padding (RFC 7830) that the message is a multiple of 128 bytes (RFC 8467
// 4.1) once the `behind` bytes of a TSIG record have been added. Pre: no additional record yet; cap
// >= len + 11 + 4 + 127. Post: the new length.
#define WIRE_UDP_SIZE 1232
size_t wire_opt(uint8_t *out, size_t len, bool padded, size_t behind);

// "NOERROR", "REFUSED" ...; numbers without a name as "RCODE11".
const char *wire_rcode_text(unsigned rcode, char out[16]);
