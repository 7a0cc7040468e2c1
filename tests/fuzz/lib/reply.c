// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A reply judged by itself; see reply.h.

#include "reply.h"

#include <string.h>

#include "must.h"
#include "rdata.h"

#define HEADER_LEN 12

static unsigned u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

// Follows the name at `at`. Every pointer must lead to before the name, or the piece of it, that it
// ends. Post: the offset behind it.
static size_t name_walk(const uint8_t *msg, size_t len, size_t at)
{
	size_t behind = 0, piece = at, bytes = 1;

	for (;;) { // each piece begins before the last one, so it ends
		must(at < len);
		if (msg[at] == 0)
			break;
		if (msg[at] >= 0xc0) {
			must(at + 2 <= len);
			const size_t to = u16(msg + at) & 0x3fff;
			must(to >= HEADER_LEN && to < piece);
			if (behind == 0)
				behind = at + 2;
			at = piece = to;
			continue;
		}
		must(msg[at] <= 63);
		bytes += msg[at] + 1u;
		must(bytes <= 255);
		at += msg[at] + 1u;
	}
	return behind != 0 ? behind : at + 1;
}

// The OPT of the reply (RFC 6891 6.1.2).
static void opt_judge(
    const uint8_t *fixed, const struct reply_rules *rules, bool section, struct reply_seen *seen)
{
	size_t left = u16(fixed + 8);
	const uint8_t *at = fixed + 10;

	must(section && !seen->opt);
	must(u16(fixed + 2) == rules->payload_max);
	must(fixed[5] == 0);                           // version
	must((fixed[6] & 0x7f) == 0 && fixed[7] == 0); // of the flags only DO
	seen->opt = true;
	seen->rcode |= (unsigned)fixed[4] << 4;
	while (left > 0) {
		must(left >= 4);
		const size_t n = u16(at + 2);
		must(n <= left - 4);
		at += 4 + n;
		left -= 4 + n;
	}
}

// One record. Post: the offset behind it.
static size_t record_judge(const uint8_t *msg, size_t len, size_t at, unsigned section,
    const struct reply_rules *rules, struct reply_seen *seen)
{
	static uint8_t rdata[RDATA_LEN_MAX];
	const size_t fixed = name_walk(msg, len, at);

	must(fixed + 10 <= len);
	const unsigned type = u16(msg + fixed), rdlen = u16(msg + fixed + 8);
	must(fixed + 10 + rdlen <= len);
	if (type == RRTYPE_OPT) {
		must(msg[at] == 0);
		opt_judge(msg + fixed, rules, section == 2, seen);
	} else {
		must(u16(msg + fixed + 2) == RRCLASS_IN ||
		     (u16(msg + fixed + 2) == RRCLASS_CH && type == RRTYPE_TXT));
		const int n = rdata_from_wire(
		    (uint16_t)type, msg, len, fixed + 10, rdlen, rdata, sizeof(rdata));
		must(n >= 0 && rdata_valid((uint16_t)type, rdata, (size_t)n));
	}
	return fixed + 10 + rdlen;
}

// The question comes back byte for byte, or there is none and then an error or EDNS. Post: the
// offset behind it.
static size_t question_judge(
    const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len)
{
	if (u16(reply + 4) == 0) {
		must((reply[3] & 15) != 0 || u16(reply + 10) != 0);
		must(u16(reply + 6) == 0 && u16(reply + 8) == 0);
		return HEADER_LEN;
	}
	must(u16(reply + 4) == 1);
	size_t end = HEADER_LEN;
	while (reply[end] != 0) { // no pointers in a question
		must(reply[end] <= 63);
		end += reply[end] + 1u;
		must(end < len);
	}
	end += 5;
	must(end <= len && end <= query_len &&
	     memcmp(query + HEADER_LEN, reply + HEADER_LEN, end - HEADER_LEN) == 0);
	return end;
}

// Steps over a name of the query, whatever it points at. Post: the offset behind it, or len.
static size_t query_name_skip(const uint8_t *msg, size_t len, size_t at)
{
	while (at < len && msg[at] != 0) {
		if (msg[at] >= 0xc0)
			return at + 2 < len ? at + 2 : len;
		at += msg[at] + 1u;
	}
	return at < len ? at + 1 : len;
}

// The size the query's OPT offers; 0: it has none. Pre: a query that got a reply with OPT, so its
// question is whole.
static unsigned offered(const uint8_t *query, size_t len, size_t question_end)
{
	unsigned left = u16(query + 8) + u16(query + 10), size = 0;
	size_t at = question_end;

	while (left-- > 0 && at < len) {
		at = query_name_skip(query, len, at);
		if (at + 10 > len)
			break;
		if (u16(query + at) == RRTYPE_OPT)
			size = u16(query + at + 2);
		at += 10 + u16(query + at + 8);
	}
	return size;
}

void reply_judge(const uint8_t *query, size_t query_len, const uint8_t *reply, size_t len,
    const struct reply_rules *rules, struct reply_seen *seen)
{
	*seen = (struct reply_seen){0};
	must(len >= HEADER_LEN && len <= rules->cap);
	must(memcmp(query, reply, 2) == 0);
	must((reply[2] & 0x80) != 0);
	must((reply[2] & 0x78) == (query[2] & 0x78)); // opcode
	must((reply[2] & 0x01) == (query[2] & 0x01)); // RD
	must((reply[3] & 0xf0) == 0);                 // RA, Z, AD, CD
	seen->rcode = reply[3] & 15u;
	seen->tc = (reply[2] & 2) != 0;
	must(!(seen->tc && rules->tcp) || rules->loose);

	const size_t question_end = question_judge(query, query_len, reply, len);

	if (rules->loose)
		return;
	size_t at = question_end;
	for (unsigned section = 0; section < 3; section++) {
		for (unsigned n = u16(reply + 6 + 2 * section); n > 0; n--)
			at = record_judge(reply, len, at, section, rules, seen);
	}
	must(at == len);
	if (rules->tcp)
		return;
	unsigned limit = 512;
	if (seen->opt) {
		const unsigned size = offered(query, query_len, question_end);
		limit = size < 512 ? 512 : size;
		limit = limit < rules->payload_max ? limit : rules->payload_max;
	}
	must(len <= limit);
}

uint16_t reply_sum(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint64_t)bytes[i] << 8 : bytes[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
