// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// id.server, hostname.bind, version.server, version.bind; everything else in class CH is refused,
// authors.bind and types other than TXT and ANY included, as is a text that is not configured. No
// AA: no zone stands behind it (NSD and Knot do the same; BIND has zones there).
#include "dns_chaos.h"

#include "dns_internal.h"
#include "dns_reply.h"

static bool asked(const struct dns_query *query, const char *name, size_t len)
{
	return query->qname.len == len && memcmp(query->qname.lower, name, len) == 0;
}
#define ASKED(query, name) asked(query, name, sizeof(name))

// The text asked for; NULL when there is none.
static const uint8_t *text_of(
    const struct dns_server *server, const struct dns_query *query, uint8_t *len)
{
	const uint8_t *text = NULL;

	*len = 0;
	if (query->qtype != RRTYPE_TXT && query->qtype != RRTYPE_ANY)
		return NULL;
	if (ASKED(query, "\2id\6server") || ASKED(query, "\10hostname\4bind")) {
		text = server->identity;
		*len = server->identity_len;
	} else if (ASKED(query, "\7version\6server") || ASKED(query, "\7version\4bind")) {
		text = server->version;
		*len = server->version_len;
	}
	return *len != 0 ? text : NULL;
}

void dns_chaos_emit(const struct dns_context *context, struct dns_query *query)
{
	uint8_t len;
	const uint8_t *text = text_of(context->server, query, &len);
	size_t end = query->question_end + 2u + RR_FIXED_LEN + 1 + len;

	if (text == NULL) {
		dns_query_fail(context, query, RCODE_REFUSED, DNS_OUTCOME_refused_class);
		if (query->verdict == DNS_REPLY)
			dns_reply_empty(context, query);
		return;
	}
	uint8_t *at = query->msg + query->question_end;

	put16(at, 0xc000 | DNS_HEADER_LEN);
	put16(at + 2, RRTYPE_TXT);
	put16(at + 4, RRCLASS_CH);
	memset(at + 6, 0, 4); // TTL 0 (RFC 4892 3)
	put16(at + 10, (uint16_t)(len + 1));
	at[12] = len;
	memcpy(at + 13, text, len);
	count(context, query, DNS_OUTCOME_chaos);
	dns_reply_finish_summing(context, query, end, 0, reply_counts(1, 0, 0));
}
