// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY in (see notify.h). The order of the checks is the order of their cost: header, question,
// zone, address, and only then the HMAC, so that a flood from strangers costs next to nothing.
// RCODEs are those of BIND, Knot and NSD where they agree, BIND's where they do not.
#include "notify.h"

#include <string.h>

#include "address.h"
#include "request.h"
#include "rrtype.h"

static size_t reply_bad_tsig(struct notify_service *service, const struct request *request,
    const struct tsig_key *key, enum tsig_result verdict, uint64_t now_s, uint8_t *reply,
    size_t cap)
{
	service->counters->notify_bad_tsig++;
	return request_refuse_tsig(request, key, verdict, now_s, reply, cap);
}

// Pre: the sender's address is in `sources`. True when one of its entries is content with the key.
static bool source_accepts(const struct keyring *keyring, const struct notify_source *sources,
    size_t count, const struct sockaddr *from, const struct tsig_key *key)
{
	for (size_t i = 0; i < count; i++) {
		const struct sockaddr *addr = (const struct sockaddr *)&sources[i].addr;

		if (address_same_host(addr, from) &&
		    keyring_accepts(keyring, sources[i].remote, key)) {
			return true;
		}
	}
	return false;
}

static bool source_known(
    const struct notify_source *sources, size_t count, const struct sockaddr *from)
{
	for (size_t i = 0; i < count; i++) {
		if (address_same_host((const struct sockaddr *)&sources[i].addr, from)) {
			return true;
		}
	}
	return false;
}

static size_t notify_judge(struct notify_service *service, const struct request *request,
    const struct sockaddr *from, uint64_t now_s, uint8_t *reply, size_t cap)
{
	const struct keyring *keyring = service->keyring;
	const struct tsig_key *key = NULL;
	void *zone = NULL;
	size_t count = 0;
	const struct notify_source *sources =
	    request->qclass == RRCLASS_IN
	        ? service->sources(service->ctx, request->qname, &count, &keyring, &zone)
	        : NULL;

	if (sources == NULL) {
		service->counters->notify_not_ours++;
		return request_reply(request, WIRE_RCODE_NOTAUTH, reply);
	}
	if (!source_known(sources, count, from)) {
		service->counters->notify_refused++;
		return request_reply(request, WIRE_RCODE_REFUSED, reply);
	}
	if (request->has_tsig == 1) {
		key = keyring_find(keyring, request->tsig.name, request->tsig.algorithm);
		enum tsig_result verdict =
		    tsig_verify_request(key, request->msg, &request->tsig, now_s);

		if (verdict != TSIG_OK) {
			return reply_bad_tsig(service, request, key, verdict, now_s, reply, cap);
		}
	}
	bool accepted = source_accepts(keyring, sources, count, from, key);
	size_t len =
	    request_reply(request, accepted ? WIRE_RCODE_NOERROR : WIRE_RCODE_REFUSED, reply);

	if (accepted) {
		service->counters->notify_accepted++;
		service->accept(service->ctx, zone, from, request->has_serial, request->serial);
	} else {
		service->counters->notify_unsigned++;
	}
	return key == NULL ? len : request_sign(request, key, TSIG_OK, now_s, reply, len, cap);
}

// A question that is signed. It is not answered here; whoever signs with a wrong key learns so (RFC
// 8945 5.2), whoever signs well is refused, signed.
static size_t query_judge(struct notify_service *service, const struct request *request,
    uint64_t now_s, uint8_t *reply, size_t cap)
{
	const struct tsig_key *key =
	    keyring_find(service->keyring, request->tsig.name, request->tsig.algorithm);
	enum tsig_result verdict = tsig_verify_request(key, request->msg, &request->tsig, now_s);

	if (verdict != TSIG_OK) {
		return reply_bad_tsig(service, request, key, verdict, now_s, reply, cap);
	}
	service->counters->notify_opcode++;
	return request_sign(request, key, TSIG_OK, now_s, reply,
	    request_reply(request, WIRE_RCODE_REFUSED, reply), cap);
}

size_t notify_handle(struct notify_service *service, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint64_t now_s, uint8_t *reply, size_t cap)
{
	struct request request;

	if (cap < NOTIFY_REPLY_MAX || !request_open(&request, msg, len)) {
		service->counters->notify_dropped++;
		return 0;
	}
	const bool whole = request.question_end > 0 && request_records(&request);

	if (whole && request.edns_version > 0) {
		service->counters->notify_version++;
		return request_reply(&request, WIRE_RCODE_BADVERS, reply);
	}
	if (request.opcode != WIRE_OPCODE_NOTIFY) {
		if (request.opcode == WIRE_OPCODE_QUERY && whole && request.has_tsig == 1) {
			return query_judge(service, &request, now_s, reply, cap);
		}
		service->counters->notify_opcode++;
		request.has_opt = false;
		return request_reply(&request,
		    request.opcode == WIRE_OPCODE_QUERY ? WIRE_RCODE_REFUSED : WIRE_RCODE_NOTIMP,
		    reply);
	}
	if (!whole || request.qtype != RRTYPE_SOA) {
		service->counters->notify_malformed++;
		request.has_opt = false;
		return request_reply(&request, WIRE_RCODE_FORMERR, reply);
	}
	return notify_judge(service, &request, from, now_s, reply, cap);
}
