// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Ready frames: every query of the load as an Ethernet frame, built once, packed one behind the
// other in the order they are sent. Sending is a copy and three 16-bit stores (identifier, low bits
// of the source port, checksum).
//
// A frame in flight is named by its slot: 16 bits of DNS identifier and 4 bits of source port, so
// that up to a million queries may be under way and the reply leads back to what was asked.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_query.h"

#define LOAD_UNIT       32 // templates begin at multiples of this
#define LOAD_UNIT_BITS  24 // 512 MB of templates at most
#define LOAD_SLOT_BITS  20
#define LOAD_SLOT_COUNT (1u << LOAD_SLOT_BITS)
#define LOAD_FRAME_MAX  400

struct load_template {
	uint16_t len;  // of the frame
	uint16_t size; // units, this head included
	uint16_t sum; // UDP: ones' complement sum with identifier and low port bits 0, as in memory
	uint16_t port;   // source port without its low bits, host order
	uint8_t udp_off; // 34 or 54
	uint8_t expect;  // enum load_expect
	uint16_t question_len;
	uint32_t spare;
	uint8_t frame[];
};
static_assert(sizeof(struct load_template) == 16, "a frame's first bytes share the head's line");

struct load_packet_options {
	uint8_t mac_from[6], mac_to[6];
	uint8_t to4[4], to6[16];     // the server
	uint8_t from4[4], from6[16]; // first client address; the last 32 bits count up
	uint32_t sources;            // how many client addresses, >= 1
	double share_edns, share_do, share_ip6, share_cookie;
	uint16_t udp_payload; // advertised in OPT
	uint64_t seed;
	int expect; // an enum load_expect for all queries, or -1: the stream's
};

struct load_templates {
	uint8_t *mem; // owned
	size_t used;  // bytes
	size_t cap;
	size_t count;
};

// Writes one frame. Pre: out has room for LOAD_FRAME_MAX bytes behind the head.
void load_template_build(struct load_template *out, const struct load_query *query,
    const struct load_packet_options *options, struct load_random *random);

// Draws `count` queries. Post: 0, -ENOMEM, or -EFBIG when they need more than 512 MB.
int load_templates_build(struct load_templates *templates, struct load_stream *stream,
    const struct load_packet_options *options, size_t count) __attribute__((warn_unused_result));
void load_templates_free(struct load_templates *templates);

static inline const struct load_template *load_template_at(
    const struct load_templates *templates, uint64_t unit)
{
	return (const void *)(templates->mem + unit * LOAD_UNIT);
}

// Marks the frame (a copy of t->frame) as the one of `slot`.
static inline void load_frame_mark(uint8_t *frame, const struct load_template *t, uint32_t slot)
{
	uint16_t id = (uint16_t)slot;
	uint16_t port_be = __builtin_bswap16((uint16_t)(t->port | slot >> 16));
	// The sum was made with identifier 0 and the port's low bits 0.
	uint32_t sum = (uint32_t)t->sum + id + __builtin_bswap16((uint16_t)(slot >> 16));
	uint16_t check;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	check = (uint16_t)~sum;
	if (check == 0)
		check = 0xffff; // RFC 768: zero means none
	__builtin_memcpy(frame + t->udp_off, &port_be, 2);
	__builtin_memcpy(frame + t->udp_off + 6, &check, 2);
	__builtin_memcpy(frame + t->udp_off + 8, &id, 2);
}
