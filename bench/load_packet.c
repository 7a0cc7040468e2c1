// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See load_packet.h.

#include "load_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checksum.h"

#define ETH_LEN   14
#define IP4_LEN   20
#define IP6_LEN   40
#define UDP_LEN   8
#define DNS_LEN   12
#define OPT_LEN   11
#define COOKIE    8 // of a client, and the option's head before it
#define COOKIE_AT 4
#define TTL       64
#define PORT_DNS  53
#define PORT_BASE 0x8000u // client ports 32768..65535, the low 4 bits belong to the slot
#define COPY_PAST 256     // bytes past the last template that a sender may read

static_assert(LOAD_FRAME_MAX >=
                  ETH_LEN + IP6_LEN + UDP_LEN + DNS_LEN + 255 + 4 + OPT_LEN + COOKIE_AT + COOKIE,
    "fits");

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t put_message(uint8_t *p, const struct load_query *q,
    const struct load_packet_options *o, struct load_random *r)
{
	bool with_do = load_random_unit(r) < o->share_do;
	bool edns = load_random_unit(r) < o->share_edns || with_do;
	// Drawn only where there may be some: what is asked otherwise stays the same.
	bool cookie = edns && o->share_cookie > 0 && load_random_unit(r) < o->share_cookie;
	uint8_t *at = p + DNS_LEN;

	memset(p, 0, DNS_LEN);
	p[5] = 1; // QDCOUNT
	memcpy(at, q->name, q->name_len);
	at += q->name_len;
	put16(at, q->type);
	put16(at + 2, 1); // IN
	at += 4;
	if (edns) {
		p[11] = 1; // ARCOUNT
		memset(at, 0, OPT_LEN);
		at[2] = 41;
		put16(at + 3, o->udp_payload);
		at[7] = with_do ? 0x80 : 0;
		at[10] = cookie ? COOKIE_AT + COOKIE : 0;
		at += OPT_LEN;
	}
	if (cookie) {
		const uint64_t random = load_random_next(r);

		put16(at, 10); // RFC 7873 4
		put16(at + 2, COOKIE);
		memcpy(at + COOKIE_AT, &random, COOKIE);
		at += COOKIE_AT + COOKIE;
	}
	return (size_t)(at - p);
}

static uint64_t put_ip4(
    uint8_t *p, size_t udp_len, uint32_t source, const struct load_packet_options *o)
{
	uint16_t sum;

	memset(p, 0, IP4_LEN);
	p[0] = 0x45;
	put16(p + 2, (unsigned)(IP4_LEN + udp_len));
	p[8] = TTL;
	p[9] = 17;
	put32(p + 12, get32(o->from4) + source);
	memcpy(p + 16, o->to4, 4);
	sum = (uint16_t)~checksum_fold(checksum_sum(p, IP4_LEN, 0));
	memcpy(p + 10, &sum, 2);
	return checksum_sum(p + 12, 8, 0);
}

static uint64_t put_ip6(
    uint8_t *p, size_t udp_len, uint32_t source, const struct load_packet_options *o)
{
	memset(p, 0, IP6_LEN);
	p[0] = 0x60;
	put16(p + 4, (unsigned)udp_len);
	p[6] = 17;
	p[7] = TTL;
	memcpy(p + 8, o->from6, 16);
	put32(p + 20, get32(o->from6 + 12) + source);
	memcpy(p + 24, o->to6, 16);
	return checksum_sum(p + 8, 32, 0);
}

void load_template_build(struct load_template *t, const struct load_query *query,
    const struct load_packet_options *o, struct load_random *r)
{
	bool ip6 = load_random_unit(r) < o->share_ip6;
	uint32_t source = (uint32_t)load_random_below(r, o->sources);
	size_t udp_off = ETH_LEN + (ip6 ? IP6_LEN : IP4_LEN);
	uint8_t *udp = t->frame + udp_off;
	size_t udp_len = UDP_LEN + put_message(udp + UDP_LEN, query, o, r);
	uint8_t pseudo[4] = {0, 17};
	uint64_t sum;

	memcpy(t->frame, o->mac_to, 6);
	memcpy(t->frame + 6, o->mac_from, 6);
	put16(t->frame + 12, ip6 ? 0x86dd : 0x0800);
	sum = ip6 ? put_ip6(t->frame + ETH_LEN, udp_len, source, o)
	          : put_ip4(t->frame + ETH_LEN, udp_len, source, o);
	t->port = (uint16_t)(PORT_BASE | (load_random_next(r) >> 49 << 4 & 0x7ff0));
	put16(udp, t->port);
	put16(udp + 2, PORT_DNS);
	put16(udp + 4, (unsigned)udp_len);
	put16(udp + 6, 0);
	put16(pseudo + 2, (unsigned)udp_len);
	sum = checksum_sum(pseudo, sizeof pseudo, sum);
	t->sum = checksum_fold(checksum_sum(udp, udp_len, sum));
	t->len = (uint16_t)(udp_off + udp_len);
	t->size = (uint16_t)((sizeof *t + t->len + LOAD_UNIT - 1) / LOAD_UNIT);
	t->udp_off = (uint8_t)udp_off;
	t->question_len = (uint16_t)(query->name_len + 4);
	t->expect = (uint8_t)(o->expect >= 0 ? (unsigned)o->expect : query->expect);
	t->spare = 0;
}

int load_templates_build(struct load_templates *templates, struct load_stream *stream,
    const struct load_packet_options *options, size_t count)
{
	const size_t most = sizeof(struct load_template) + LOAD_FRAME_MAX;
	// All of it in address space; only what is written takes memory.
	size_t cap = count * (most + LOAD_UNIT) + COPY_PAST;
	struct load_random random;
	struct load_query query;

	*templates = (struct load_templates){0};
	if (cap > ((size_t)LOAD_UNIT << LOAD_UNIT_BITS))
		cap = (size_t)LOAD_UNIT << LOAD_UNIT_BITS;
	templates->mem = mmap(
	    NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (templates->mem == MAP_FAILED) {
		templates->mem = NULL;
		return -ENOMEM;
	}
	templates->cap = cap;
	madvise(templates->mem, cap, MADV_HUGEPAGE);
	load_random_seed(&random, options->seed + 1);
	for (size_t i = 0; i < count; i++) {
		struct load_template *t = (void *)(templates->mem + templates->used);
		if (templates->used + most + COPY_PAST > cap) {
			load_templates_free(templates);
			return -EFBIG;
		}
		load_stream_next(stream, &query);
		load_template_build(t, &query, options, &random);
		templates->used += (size_t)t->size * LOAD_UNIT;
		templates->count++;
	}
	return 0;
}

void load_templates_free(struct load_templates *templates)
{
	if (templates->mem != NULL)
		munmap(templates->mem, templates->cap);
	*templates = (struct load_templates){0};
}
