// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A DNS message being written by a scripted primary or its client: behind two bytes for TCP's
// length, names as the caller compresses them. One thread each.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MESSAGE_MAX 65535

enum { TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_MX = 15, TYPE_TXT = 16 };
enum { TYPE_IXFR = 251, TYPE_AXFR = 252 };

struct out {
	uint8_t bytes[2 + MESSAGE_MAX];
	size_t at;
	uint16_t count; // of answers
};

static inline void put16(struct out *o, unsigned value)
{
	o->bytes[o->at++] = (uint8_t)(value >> 8);
	o->bytes[o->at++] = (uint8_t)value;
}

static inline void put32(struct out *o, uint32_t value)
{
	put16(o, value >> 16);
	put16(o, value & 0xffff);
}

static inline void put(struct out *o, const void *bytes, size_t n)
{
	memcpy(o->bytes + o->at, bytes, n);
	o->at += n;
}

// One question, for `name` (wire format).
static inline void begin(
    struct out *o, unsigned id, unsigned flags, const uint8_t *name, size_t len, unsigned type)
{
	o->at = 2;
	o->count = 0;
	put16(o, id);
	put16(o, flags);
	put16(o, 1);
	put32(o, 0);
	put16(o, 0);
	put(o, name, len);
	put16(o, type);
	put16(o, 1);
}

// What follows an answer's owner, up to its data.
static inline void record(struct out *o, unsigned type, unsigned ttl, size_t rdlen)
{
	put16(o, type);
	put16(o, 1);
	put32(o, ttl);
	put16(o, (unsigned)rdlen);
	o->count++;
}

static inline void end(struct out *o)
{
	o->bytes[0] = (uint8_t)((o->at - 2) >> 8);
	o->bytes[1] = (uint8_t)(o->at - 2);
	o->bytes[2 + 6] = (uint8_t)(o->count >> 8);
	o->bytes[2 + 7] = (uint8_t)o->count;
}
