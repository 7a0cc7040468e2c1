// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See dns_plain.h. Fields are taken from wide loads and judged together. The buffer is as large as
// a reply may be, DNS_UDP_MIN at least, so that loads may run past the query's end; what is used of
// them is judged by its length first.
#include "dns_plain.h"

#include "dns_edns.h"
#include "dns_internal.h"

#define PLAIN_TYPE_MAX 127 // above it stand types that are not a question's

static_assert(DNS_HEADER_LEN + QNAME_PLAIN_LABELS_MAX * (NAME_LABEL_MAX + 1) < DNS_UDP_MIN,
    "a walk over that many labels stays in the buffer");

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return v;
}

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return v;
}

// Numbers below are as little-endian machines load the bytes of the wire.
bool dns_plain_parse(const struct dns_context *context, struct dns_query *query)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint8_t *msg = query->msg, *name = msg + DNS_HEADER_LEN;
	struct qname *q = &query->qname;
	uint64_t starts = 0; // where the labels begin, the last one in the lowest byte
	unsigned at = 0, labels = 0, n;

	if (query->len < DNS_HEADER_LEN + 5 || query->cap < DNS_UDP_MIN ||
	    query->transport != DNS_UDP)
		return false;

	// One question; no record, or one that may be an OPT.
	const uint64_t counts = load64(msg + 4);

	if ((msg[2] & (HEADER_QR | HEADER_OPCODE)) != 0 || (counts & 0xfeffffffffffffff) != 0x0100)
		return false;

		// Unrolled, so that the number of labels need not be counted.
#pragma GCC unroll 8
	for (; labels <= QNAME_PLAIN_LABELS_MAX; labels++) {
		n = name[at];
		if (n - 1 >= NAME_LABEL_MAX)
			break;
		starts = starts << 8 | at;
		at += n + 1;
	}
	if (labels > QNAME_PLAIN_LABELS_MAX || n != 0 || at >= NAME_LEN_MAX)
		return false;

	const unsigned end = DNS_HEADER_LEN + at + 5;
	const uint8_t *opt = msg + end;
	const uint32_t fields = load32(opt - 4);
	const uint16_t type = (uint16_t)(__builtin_bswap32(fields) >> 16);
	unsigned limit = DNS_UDP_MIN;
	uint64_t sum = query->sum;

	if (fields >> 16 != RRCLASS_IN << 8 || type - 1u >= PLAIN_TYPE_MAX || type == RRTYPE_OPT)
		return false;
	if (counts >> 56 == 0) {
		if (query->len != end)
			return false;
		query->edns = query->edns_do = false;
		query->opt_len = 0;
	} else {
		// The root, type, payload size, upper bits of the rcode, version, first byte of the
		// flags; from that byte on the last four.
		const uint64_t head = load64(opt);
		const uint32_t tail = load32(opt + 7);
		const unsigned size = __builtin_bswap32((uint32_t)(head >> 8)) & 0xffff;

		if (query->len != end + EDNS_FIXED_LEN ||
		    (head & 0x00ff000000ffffff) != (uint64_t)RRTYPE_OPT << 16 || tail >> 16 != 0)
			return false;
		query->edns = true;
		query->edns_do = head >> 63 != 0;
		query->opt_len = EDNS_FIXED_LEN;
		limit = size > limit ? size : limit; // RFC 6891 6.2.3
		if (limit > context->server->udp_payload_max)
			limit = context->server->udp_payload_max;
		sum = checksum_less(sum, checksum_at(checksum_add(head, tail >> 8), end));
	}
	query->reply_limit = (uint16_t)(limit < query->cap ? limit : query->cap);
	query->question_end = (uint16_t)end;
	query->qtype = type;
	query->verdict = DNS_REPLY;
	query->state = QUERY_ZONE;
	query->options = query->zone_options = 0;
	query->rcode = RCODE_NOERROR;
	// The whole without what stands around the question.
	sum = checksum_less(sum, load32(msg));
	query->question_sum = checksum_less(sum, counts);

	qname_plain(q, name, at, labels, starts);
	qname_hash_start(q, zone_table_key(context->table));
	qname_hash_to(q, zone_table_key(context->table), zone_table_depth(context->table, labels));
	if (zone_table_is_large(context->table))
		zone_table_prefetch(context->table, q);
	return true;
#else
	return false;
#endif
}
