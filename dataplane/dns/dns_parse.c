// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 1: a message becomes a question, or an error, or nothing. What is
// accepted is exactly one question with at most one OPT behind it (RFC 9619); the rest is refused
// in the terms NSD, Knot and BIND agree on, and where they differ in the strictest of theirs.
#include "dns.h"

#include "dns_edns.h"
#include "dns_internal.h"
#include "dns_plain.h"
#include "zone_table_probe.h"

#define IXFR_RECORDS_MAX 2 // in the authority section of a query

enum additional_fault {
	ADDITIONAL_FINE,
	ADDITIONAL_MALFORMED, // a record that a query does not have, or none where one is announced
	ADDITIONAL_TRAILING,
	ADDITIONAL_EDNS,
	ADDITIONAL_OPTION,
	ADDITIONAL_VERSION,
	ADDITIONAL_TSIG, // well formed, to be judged where the keys are
};

static void query_drop(
    const struct dns_context *context, struct dns_query *query, enum dns_outcome outcome)
{
	query->verdict = DNS_DROP;
	query->state = QUERY_DONE;
	count(context, query, outcome);
}

static void query_forward(
    const struct dns_context *context, struct dns_query *query, enum dns_outcome outcome)
{
	query->verdict = DNS_FORWARD;
	query->state = QUERY_DONE;
	count(context, query, outcome);
}

// What an EDE adds to the rcode (RFC 8914 4); 0: nothing. NSD and Knot send the same for zones that
// are not served and for expired ones.
static uint8_t ede_of(uint16_t rcode, enum dns_outcome outcome)
{
	switch (rcode) {
	case RCODE_REFUSED:
		return outcome == DNS_OUTCOME_refused_zone  ? EDE_NOT_AUTHORITATIVE
		       : outcome == DNS_OUTCOME_refused_xfr ? EDE_PROHIBITED
		                                            : 0;
	case RCODE_NOTAUTH:
		return EDE_NOT_AUTHORITATIVE;
	case RCODE_NOTIMP:
		return EDE_NOT_SUPPORTED;
	case RCODE_SERVFAIL:
		return EDE_INVALID_DATA; // 4.25: "expired"
	default:
		return 0;
	}
}

void dns_query_fail(const struct dns_context *context, struct dns_query *query, uint16_t rcode,
    enum dns_outcome outcome)
{
	uint8_t ede = ede_of(rcode, outcome);

	if (query->no_error_reply) {
		query_drop(context, query, DNS_OUTCOME_drop_error_port);
		return;
	}
	query->state = QUERY_ERROR;
	query->rcode = rcode;
	if (ede != 0)
		dns_edns_error(query, ede);
	count(context, query, outcome);
}

// Post: the offset behind the name at `at`, pointers not followed; 0 when it leaves the message.
static size_t name_skip(const struct dns_query *query, size_t at)
{
	// At most 128 steps: a name has 127 labels.
	for (unsigned labels = 0; labels <= NAME_LABELS_MAX; labels++) {
		if (at >= query->len)
			return 0;

		uint8_t c = query->msg[at];

		if (c == 0)
			return at + 1;
		if (c >= 0xc0)
			return at + 2 <= query->len ? at + 2 : 0;
		if (c > NAME_LABEL_MAX)
			return 0;
		at += c + 1u;
	}
	return 0;
}

// Post: the offset of the type field of the record at `at`, whose rdata is inside the message; or
// 0.
static size_t record_fixed(const struct dns_query *query, size_t at)
{
	size_t fixed = name_skip(query, at);

	if (fixed == 0 || fixed + RR_FIXED_LEN > query->len ||
	    get16(query->msg + fixed + 8) > query->len - fixed - RR_FIXED_LEN)
		return 0;
	return fixed;
}

// The rdata of a TSIG record (RFC 8945 4.2): lengths only. The algorithm must not be compressed,
// and is read all the same, as NSD, Knot and BIND do.
static bool tsig_plausible(const struct dns_query *query, size_t start, size_t len)
{
	const uint8_t *rdata = query->msg + start;
	size_t end = name_skip(query, start); // of the algorithm

	if (end == 0 || end > start + len || start + len - end < 10)
		return false;

	size_t at = end - start + 8; // time and fudge
	size_t mac_len = get16(rdata + at);

	at += 2;
	if (len - at < mac_len + 6)
		return false;
	at += mac_len + 4; // original id and error
	return get16(rdata + at) == len - at - 2;
}

// The additional section from `at` on: OPT, and TSIG as the last record.
static enum additional_fault additional_parse(
    const struct dns_context *context, struct dns_query *query, size_t at, unsigned records)
{
	enum additional_fault fault = ADDITIONAL_FINE;
	bool tsig = false;

	for (unsigned i = 0; i < records; i++) { // at most 2
		size_t fixed = record_fixed(query, at);

		if (fixed == 0)
			return ADDITIONAL_MALFORMED;

		const uint8_t *rr = query->msg + fixed;
		uint16_t rdlen = get16(rr + 8);
		unsigned type = get16(rr);

		if (type == RRTYPE_TSIG) {
			if (i + 1 != records || get16(rr + 2) != RRCLASS_ANY ||
			    !tsig_plausible(query, fixed + RR_FIXED_LEN, rdlen))
				return ADDITIONAL_MALFORMED;
			tsig = true;
		} else if (type == RRTYPE_OPT) {
			if (query->edns || query->msg[at] != 0)
				return ADDITIONAL_EDNS;
			switch (dns_edns_parse(context, query, rr, rdlen)) {
			case EDNS_FINE:
				break;
			case EDNS_MALFORMED:
				return ADDITIONAL_EDNS;
			case EDNS_OPTION:
				fault = ADDITIONAL_OPTION;
				break;
			case EDNS_VERSION:
				fault = ADDITIONAL_VERSION;
				break;
			}
		} else {
			return ADDITIONAL_MALFORMED;
		}
		at = fixed + RR_FIXED_LEN + rdlen;
	}
	if (at != query->len) {
		query->edns = false;
		return ADDITIONAL_TRAILING;
	}
	if (tsig)
		return ADDITIONAL_TSIG;
	return fault;
}

// All that stands behind the question; where there is none, behind the header.
static enum additional_fault sections_parse(
    const struct dns_context *context, struct dns_query *query)
{
	const uint8_t *msg = query->msg;
	unsigned an = get16(msg + 6);
	unsigned ns = get16(msg + 8);
	unsigned ar = get16(msg + 10);
	size_t at = query->question_end;

	if (an != 0 || ar > 2)
		return ADDITIONAL_MALFORMED;
	// Only IXFR has a record there, the client's SOA (RFC 1995 3). It is refused whatever that
	// is, and so, as NSD, Knot and BIND agree, is one with a record too many.
	if (ns != 0 && (query->qtype != RRTYPE_IXFR || ns > IXFR_RECORDS_MAX))
		return ADDITIONAL_MALFORMED;
	for (unsigned i = 0; i < ns; i++) { // at most IXFR_RECORDS_MAX
		at = record_fixed(query, at);
		if (at == 0)
			return ADDITIONAL_MALFORMED;
		at += RR_FIXED_LEN + (size_t)get16(msg + at + 8);
	}

	enum additional_fault fault = additional_parse(context, query, at, ar);

	if (fault == ADDITIONAL_MALFORMED || fault == ADDITIONAL_EDNS)
		query->edns = false;
	if (fault != ADDITIONAL_FINE)
		query->options = 0;
	return fault;
}

// Post: true when the question is whole: qname, qtype, qclass and question_end are set.
static bool question_parse(struct dns_query *query)
{
	if (get16(query->msg + 4) != 1)
		return false;

	// The buffer is as large as a reply may be, and so larger than what a name needs.
	const size_t avail = (size_t)query->len - DNS_HEADER_LEN;
	const size_t n = qname_parse(&query->qname, query->msg + DNS_HEADER_LEN, avail,
	    avail > DNS_UDP_MIN ? avail : DNS_UDP_MIN);

	if (n == 0 || DNS_HEADER_LEN + n + 4 > query->len)
		return false;

	const uint8_t *at = query->msg + DNS_HEADER_LEN + n;

	query->qtype = get16(at);
	query->qclass = get16(at + 2);
	query->question_end = (uint16_t)(DNS_HEADER_LEN + n + 4);
	query->question_sum = checksum_fold(checksum_sum(query->msg + DNS_HEADER_LEN, n + 4, 0));
	return true;
}

static void limits_set(const struct dns_context *context, struct dns_query *query)
{
	unsigned limit = DNS_TCP_MAX;

	if (query->transport == DNS_UDP) {
		limit = DNS_UDP_MIN;
		if (query->edns)
			limit = query->edns_size < context->server->udp_payload_max
			            ? query->edns_size
			            : context->server->udp_payload_max;
	}
	query->reply_limit = (uint16_t)(limit < query->cap ? limit : query->cap);
	query->opt_len = query->edns ? EDNS_FIXED_LEN : 0;
	if (query->options != 0)
		dns_edns_answer(context, query);
}

// No question, but a COOKIE: the client wants a server cookie, or to know whether its own is still
// good (RFC 7873 5.4).
static void cookie_only_answer(const struct dns_context *context, struct dns_query *query)
{
	switch ((enum dns_cookie)query->cookie_verdict) {
	case DNS_COOKIE_bad:
	case DNS_COOKIE_old:
	case DNS_COOKIE_future:
		dns_query_fail(context, query, RCODE_BADCOOKIE, DNS_OUTCOME_badcookie);
		break;
	default:
		query->state = QUERY_ERROR; // the reply of one, with rcode 0
		count(context, query, DNS_OUTCOME_cookie_only);
		break;
	}
}

// Types that are not a question's: 0 if it passed.
static uint16_t qtype_judge(const struct dns_query *query, enum dns_outcome *outcome)
{
	switch (query->qtype) {
	case RRTYPE_AXFR: // IXFR, and AXFR where it could be answered: zone_begin()
		*outcome = DNS_OUTCOME_refused_xfr;
		return query->transport == DNS_UDP ? RCODE_REFUSED : 0;
	case RRTYPE_MAILA: // obsolete (RFC 1035 3.2.3), never implemented anywhere
	case RRTYPE_MAILB:
		*outcome = DNS_OUTCOME_refused_type;
		return RCODE_NOTIMP;
	case 0:
	case RRTYPE_OPT:
	case RRTYPE_NXNAME: // RFC 9824 3.5
	case RRTYPE_TKEY:
	case RRTYPE_TSIG:
		*outcome = DNS_OUTCOME_refused_type;
		return RCODE_FORMERR;
	default:
		return 0;
	}
}

static __attribute__((noinline)) void message_parse(
    const struct dns_context *context, struct dns_query *query)
{
	enum dns_outcome outcome;

	query->verdict = DNS_REPLY;
	query->edns = query->edns_do = false;
	query->options = query->zone_options = 0;
	query->question_end = DNS_HEADER_LEN;
	query->question_sum = 0;
	query->rcode = RCODE_NOERROR;

	if (query->len < DNS_HEADER_LEN) {
		query_drop(context, query, DNS_OUTCOME_drop_short);
		return;
	}
	if (query->cap < DNS_UDP_MIN) {
		query_drop(context, query, DNS_OUTCOME_drop_space);
		return;
	}
	if ((query->msg[2] & HEADER_QR) != 0) {
		query_drop(context, query, DNS_OUTCOME_drop_response);
		return;
	}

	unsigned opcode = (query->msg[2] & HEADER_OPCODE) >> 3;
	bool whole = question_parse(query);

	if (opcode == OPCODE_NOTIFY && whole) {
		query_forward(context, query, DNS_OUTCOME_forward_notify);
		return;
	}

	enum additional_fault fault = ADDITIONAL_FINE;

	if (!whole)
		query->qtype = 0;
	// Without a question OPT still says how to answer, as NSD, Knot and BIND agree.
	if (whole || get16(query->msg + 4) == 0)
		fault = sections_parse(context, query);
	if (!whole && (opcode != OPCODE_QUERY || (query->options & EDNS_WITH_COOKIE) == 0))
		query->options = 0;
	limits_set(context, query);
	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY) {
		dns_query_fail(context, query, RCODE_NOTIMP, DNS_OUTCOME_notimp_opcode);
		return;
	}
	if (!whole) {
		if (query->options != 0)
			cookie_only_answer(context, query);
		else
			dns_query_fail(context, query, RCODE_FORMERR, DNS_OUTCOME_formerr_question);
		return;
	}
	switch (fault) {
	case ADDITIONAL_FINE:
		break;
	case ADDITIONAL_MALFORMED:
		dns_query_fail(context, query, RCODE_FORMERR, DNS_OUTCOME_formerr_sections);
		return;
	case ADDITIONAL_TRAILING:
		dns_query_fail(context, query, RCODE_FORMERR, DNS_OUTCOME_formerr_trailing);
		return;
	case ADDITIONAL_EDNS:
	case ADDITIONAL_OPTION:
		dns_query_fail(context, query, RCODE_FORMERR, DNS_OUTCOME_formerr_edns);
		return;
	case ADDITIONAL_VERSION:
		dns_query_fail(context, query, RCODE_BADVERS, DNS_OUTCOME_badvers);
		return;
	case ADDITIONAL_TSIG:
		query_forward(context, query, DNS_OUTCOME_forward_tsig);
		return;
	}
	if (query->qclass == RRCLASS_CH) {
		query->state = QUERY_CHAOS;
		return;
	}
	if (query->qclass != RRCLASS_IN) {
		dns_query_fail(context, query, RCODE_REFUSED, DNS_OUTCOME_refused_class);
		return;
	}

	uint16_t rcode = qtype_judge(query, &outcome);

	if (rcode != 0) {
		dns_query_fail(context, query, rcode, outcome);
		return;
	}
	qname_hash_start(&query->qname, zone_table_key(context->table));
	qname_hash_to(&query->qname, zone_table_key(context->table),
	    zone_table_depth(context->table, query->qname.labels));
	if (zone_table_is_large(context->table))
		zone_table_prefetch(context->table, &query->qname);
	query->state = QUERY_ZONE;
}

STAGE unsigned dns_parse_burst(
    const struct dns_context *context, struct dns_query *queries, unsigned n, uint8_t *live)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		// Others were parsed on the way that dns_plain.h tried.
		if (queries[i].state == QUERY_NEW && !dns_plain_parse(context, &queries[i]))
			message_parse(context, &queries[i]);
		live[count] = (uint8_t)i;
		count += queries[i].verdict == DNS_REPLY;
	}
	return count;
}

void dns_parse(const struct dns_context *context, struct dns_query *query)
{
	uint8_t live;

	dns_query_begin(query);
	(void)dns_parse_burst(context, query, 1, &live);
}
