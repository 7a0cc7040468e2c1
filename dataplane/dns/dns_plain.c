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

bool dns_plain_parse(const struct dns_context *context, struct dns_query *query)
{
	const uint8_t *msg = query->msg, *name = msg + DNS_HEADER_LEN;
	struct qname *q = &query->qname;
	uint64_t starts = 0; // where the labels begin, the last one in the lowest byte
	unsigned at = 0, labels = 0, n;

	if (query->len < DNS_HEADER_LEN + 5 || query->cap < DNS_UDP_MIN ||
	    query->transport != DNS_UDP)
		return false;

	const uint64_t counts = get64(msg + 4);

	// One question; no record, or one that may be an OPT.
	if ((msg[2] & (HEADER_QR | HEADER_OPCODE)) != 0 || counts >> 1 != (uint64_t)1 << 47)
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
	const uint32_t fields = get32(opt - 4);
	const unsigned type = fields >> 16;
	unsigned limit = DNS_UDP_MIN;
	uint64_t rest_sum = 0; // of all but the question

	if ((fields & 0xffff) != RRCLASS_IN || type - 1 >= PLAIN_TYPE_MAX || type == RRTYPE_OPT)
		return false;
	query->edns = (counts & 1) != 0;
	query->edns_do = false;
	query->opt_len = 0;
	if ((counts & 1) != 0) {
		if (query->len != end + EDNS_FIXED_LEN)
			return false;

		// Owner, type, payload size, upper bits of the rcode, version, high byte of the
		// flags; then from the payload size on, down to the rdata's length.
		const uint64_t head = get64(opt), tail = get64(opt + 3);
		const unsigned size = (unsigned)(head >> 24) & 0xffff;

		if (head >> 40 != RRTYPE_OPT || (head & 0xff00) != 0 || (tail & 0xffff) != 0)
			return false;
		query->edns_do = (head & OPT_DO >> 8) != 0;
		query->opt_len = EDNS_FIXED_LEN;
		limit = size > limit ? size : limit; // RFC 6891 6.2.3
		limit = limit < context->server->udp_payload_max ? limit
		                                                 : context->server->udp_payload_max;
		rest_sum =
		    checksum_at(checksum_add(htobe64(head), htobe64((tail & 0xffffff) << 40)), end);
	} else if (query->len != end) {
		return false;
	}
	query->reply_limit = (uint16_t)(limit < query->cap ? limit : query->cap);
	query->question_end = (uint16_t)end;
	query->qtype = (uint16_t)type;
	query->verdict = DNS_REPLY;
	query->state = QUERY_ZONE;
	query->options = query->zone_options = 0;
	query->rcode = RCODE_NOERROR;

	// The whole without what stands around the question (RFC 1071 2(C)).
	uint64_t first;
	uint32_t last;

	memcpy(&first, msg, 8);
	memcpy(&last, msg + 8, 4);
	rest_sum = checksum_add(checksum_add(rest_sum, first), last);
	query->question_sum = checksum_add(query->sum, ~rest_sum);

	qname_plain(q, name, at, labels, starts);
	qname_hash_start(q, zone_table_key(context->table));
	qname_hash_to(q, zone_table_key(context->table), zone_table_depth(context->table, labels));
	if (zone_table_is_large(context->table))
		zone_table_prefetch(context->table, q);
	return true;
}
