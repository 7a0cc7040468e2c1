// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The judgement of queries from downstream (see provide.h), in the order of its cost: question,
// zone, address, and only then the HMAC.
#include "provide.h"

#include <string.h>

#include "address.h"
#include "rrtype.h"

static bool remote_is(const struct config_remote *remote, const struct sockaddr *from)
{
	for (size_t i = 0; i < remote->address_count; i++) {
		if (address_same_host((const struct sockaddr *)&remote->addresses[i].addr, from)) {
			return true;
		}
	}
	return false;
}

static bool address_known(const struct config_zone *zone, const struct sockaddr *from)
{
	for (size_t i = 0; i < zone->provide_xfr_count; i++) {
		if (remote_is(zone->provide_xfr[i], from)) {
			return true;
		}
	}
	return false;
}

// One of the remotes at this address is content with the key. One without a key takes any.
// Zone data goes to one with `tls` over nothing else.
static bool key_accepted(const struct provide_service *service, const struct config_zone *zone,
    const struct sockaddr *from, const struct tsig_key *key, bool in_clear)
{
	for (size_t i = 0; i < zone->provide_xfr_count; i++) {
		const struct config_remote *remote = zone->provide_xfr[i];

		if (remote_is(remote, from) && !(remote->tls && in_clear) &&
		    keyring_accepts(service->keyring, remote, key)) {
			return true;
		}
	}
	return false;
}

static bool type_mine(const struct request *request)
{
	return request->opcode == WIRE_OPCODE_QUERY && request->question_end > 0 &&
	       request->qclass == RRCLASS_IN &&
	       (request->qtype == RRTYPE_SOA || request->qtype == RRTYPE_AXFR ||
	           request->qtype == RRTYPE_IXFR);
}

// What can be said before the zone is looked for. Post: the rcode, or -1.
static int request_rcode(
    struct provide_service *service, enum provide_transport transport, struct request *request)
{
	if (!request_records(request) || (request->qtype == RRTYPE_IXFR && !request->has_serial)) {
		service->counters->out_malformed++; // RFC 1995 3: the client's SOA must be there
		return WIRE_RCODE_FORMERR;
	}
	if (request->edns_version > 0) {
		service->counters->out_version++;
		return WIRE_RCODE_BADVERS;
	}
	if (request->qtype == RRTYPE_AXFR && transport == PROVIDE_UDP) {
		service->counters->out_udp++; // RFC 5936 4.2; as NSD and Knot have it
		return WIRE_RCODE_NOTIMP;
	}
	return -1;
}

enum provide_verdict provide_judge(struct provide_service *service,
    enum provide_transport transport, const uint8_t *msg, size_t len, const struct sockaddr *from,
    uint64_t now_s, struct request *request, struct tsig_key **key, uint8_t *reply, size_t cap,
    size_t *reply_len)
{
	uint8_t apex[NAME_LEN_MAX];

	if (!request_open(request, msg, len) || !type_mine(request)) {
		return PROVIDE_NOT_MINE;
	}
	*key = NULL;
	int rcode = request_rcode(service, transport, request);

	if (rcode >= 0) {
		request->has_opt = request->has_opt && rcode != WIRE_RCODE_FORMERR;
		*reply_len = request_reply(request, (unsigned)rcode, reply);
		return PROVIDE_REPLIED;
	}
	name_lower(apex, request->qname, name_len(request->qname));
	const struct config_zone *zone = service->zone(service->ctx, apex);
	bool transfer = request->qtype != RRTYPE_SOA;

	if (zone == NULL && (!transfer || transport == PROVIDE_FORWARDED)) {
		return PROVIDE_NOT_MINE;
	}
	if (zone != NULL && !address_known(zone, from)) {
		service->counters->out_refused++;
		*reply_len = request_reply(request, WIRE_RCODE_REFUSED, reply);
		return PROVIDE_REPLIED;
	}
	if (request->has_tsig == 1) {
		*key = keyring_find(service->keyring, request->tsig.name, request->tsig.algorithm);
		enum tsig_result verdict =
		    tsig_verify_request(*key, request->msg, &request->tsig, now_s);

		if (verdict != TSIG_OK) {
			service->counters->out_bad_tsig++;
			*reply_len = request_refuse_tsig(request, *key, verdict, now_s, reply, cap);
			return PROVIDE_REPLIED;
		}
	}
	if (zone == NULL) { // RFC 5936 2.2.1
		service->counters->out_not_ours++;
		rcode = WIRE_RCODE_NOTAUTH;
	} else if (!key_accepted(service, zone, from, *key, transfer && transport != PROVIDE_TLS) ||
	           (transfer && transport == PROVIDE_FORWARDED)) {
		service->counters->out_unsigned++;
		rcode = WIRE_RCODE_REFUSED;
	}
	if (rcode < 0) {
		return PROVIDE_ALLOWED;
	}
	*reply_len = request_reply(request, (unsigned)rcode, reply);
	if (*key != NULL) {
		*reply_len = request_sign(request, *key, TSIG_OK, now_s, reply, *reply_len, cap);
	}
	return PROVIDE_REPLIED;
}
