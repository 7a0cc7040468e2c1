// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a scripted primary says in a zone transfer, message by message, and a session that has asked
// it. Included after cmocka.h.
#pragma once

#include <string.h>

#include "rrtype.h"
#include "session.h"
#include "wire.h"

#define ID 0x1234

static const uint8_t apex[] = "\x07"
                              "example\x03"
                              "com";
static const struct session_limits limits = {.bytes = 1 << 20, .records = 100, .rrset_records = 5};

struct message {
	uint8_t bytes[65535];
	size_t len;
};

static inline void begin(struct message *m)
{
	m->len = wire_question(m->bytes, ID, WIRE_QR | WIRE_AA, apex, RRTYPE_AXFR);
}

static inline void begin_ixfr(struct message *m)
{
	m->len = wire_question(m->bytes, ID, WIRE_QR | WIRE_AA, apex, RRTYPE_IXFR);
}

static inline void record_at(struct message *m, const uint8_t *owner, size_t owner_len,
    uint16_t type, uint16_t rrclass, uint32_t ttl, const void *rdata, size_t rdlen)
{
	uint8_t *p = m->bytes + m->len;

	memcpy(p, owner, owner_len);
	p += owner_len;
	wire_put16(p, type);
	wire_put16(p + 2, rrclass);
	wire_put32(p + 4, ttl);
	wire_put16(p + 8, (uint16_t)rdlen);
	memcpy(p + 10, rdata, rdlen);
	m->len += owner_len + 10 + rdlen;
	wire_put16(m->bytes + 6, (uint16_t)(wire_get16(m->bytes + 6) + 1));
}

static inline void record_in(struct message *m, uint16_t type, const void *rdata, size_t rdlen)
{
	record_at(m, (const uint8_t *)"\xc0\x0c", 2, type, RRCLASS_IN, 300, rdata, rdlen);
}

static inline void soa(struct message *m, uint32_t serial)
{
	uint8_t rdata[24] = {0xc0, 0x0c, 0xc0, 0x0c}; // both names are the apex

	wire_put32(rdata + 4, serial);
	wire_put32(rdata + 8, 3600);
	wire_put32(rdata + 12, 600);
	wire_put32(rdata + 16, 604800);
	wire_put32(rdata + 20, 300);
	record_in(m, RRTYPE_SOA, rdata, sizeof(rdata));
}

static inline void ns(struct message *m)
{
	record_in(m, RRTYPE_NS, "\x02ns\xc0\x0c", 5);
}

static inline void whole(struct message *m)
{
	begin(m);
	soa(m, 7);
	ns(m);
	record_in(m, RRTYPE_A, "\xc0\x00\x02\x01", 4);
	soa(m, 7);
}

struct row {
	void (*build)(struct message *m);
	enum session_state want;
	const char *error; // a part of it
	size_t records;
};

static inline struct session *asked(const struct tsig_key *key, bool incremental)
{
	const struct session_ask ask = {.incremental = incremental, .ours = {.serial = 5}};
	struct session *session = session_open(apex, key, ID, &ask, &limits);
	uint8_t request[1024];

	assert_non_null(session);
	assert_true(session_request(session, request, sizeof(request), 1795000000) > 0);
	return session;
}

static inline struct session *started(const struct tsig_key *key)
{
	return asked(key, false);
}
