// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY in (see notify.h). The order of the checks is the order of their cost: header, question,
// zone, address, and only then the HMAC, so that a flood from strangers costs next to nothing.
// RCODEs are those of BIND, Knot and NSD where they agree, BIND's where they do not.
#include "notify.h"

#include <string.h>

#include "address.h"
#include "rrtype.h"
#include "wire.h"

#define OPT_LEN      11
#define OPT_UDP_SIZE 1232

struct notify {
	const uint8_t *msg;
	size_t len;
	struct wire_header header;
	uint8_t qname[NAME_LEN_MAX];
	size_t question_end;
	bool has_opt, has_serial;
	uint32_t serial;
	int has_tsig; // 1, 0, or -EINVAL: malformed
	struct tsig_record tsig;
};

// Header, question and OPT of the reply.
static size_t reply_begin(const struct notify *notify, unsigned rcode, uint8_t *reply)
{
	struct wire_header header = {.id = notify->header.id,
	    .flags =
	        (uint16_t)(WIRE_QR | (notify->header.flags & (WIRE_OPCODE | WIRE_RD)) | rcode)};
	size_t len = WIRE_HEADER_LEN;

	if (rcode == WIRE_RCODE_NOERROR) {
		header.flags |= WIRE_AA;
	}
	if (notify->question_end > 0) {
		header.qdcount = 1;
		memcpy(reply + len, notify->msg + len, notify->question_end - len);
		len = notify->question_end;
	}
	if (notify->has_opt) {
		static const uint8_t opt[OPT_LEN] = {
		    0, 0, RRTYPE_OPT, OPT_UDP_SIZE >> 8, OPT_UDP_SIZE & 0xff};

		header.arcount = 1;
		memcpy(reply + len, opt, OPT_LEN);
		len += OPT_LEN;
	}
	wire_header_write(reply, &header);
	return len;
}

static bool question_read(struct notify *notify)
{
	size_t offset = WIRE_HEADER_LEN;

	if (notify->header.qdcount != 1 ||
	    wire_name(notify->msg, notify->len, &offset, notify->qname) < 0 ||
	    notify->len - offset < 4) {
		return false;
	}
	notify->question_end = offset + 4;
	return wire_get16(notify->msg + offset) == RRTYPE_SOA;
}

static uint16_t question_class(const struct notify *notify)
{
	return wire_get16(notify->msg + notify->question_end - 2);
}

// The serial that a SOA in the answer section may tell (RFC 1996 3.7), and whether OPT is there.
// Pre: tsig_find() walked the message. Post: false when a record is wrong.
static bool records_read(struct notify *notify)
{
	size_t offset = notify->question_end;
	const struct wire_header *header = &notify->header;
	unsigned count = header->ancount + (unsigned)header->nscount + header->arcount;

	for (unsigned i = 0; i < count; i++) {
		uint8_t owner[NAME_LEN_MAX];
		struct wire_record record;

		if (wire_record_read(notify->msg, notify->len, &offset, owner, &record) < 0) {
			return false;
		}
		if (i < header->ancount && record.type == RRTYPE_SOA &&
		    record.rrclass == RRCLASS_IN && name_equal(owner, notify->qname)) {
			if (record.rdlen < 22) {
				return false;
			}
			notify->has_serial = true;
			notify->serial = wire_get32(notify->msg + record.rdata + record.rdlen - 20);
		}
		if (record.type == RRTYPE_OPT) {
			if (notify->has_opt || owner[0] != 0 ||
			    i < (unsigned)header->ancount + header->nscount) {
				return false; // RFC 6891 6.1.1
			}
			notify->has_opt = true;
		}
	}
	return true;
}

static size_t reply_signed(const struct notify *notify, const struct tsig_key *key,
    enum tsig_result error, uint64_t now_s, uint8_t *reply, size_t len, size_t cap)
{
	uint8_t mac[TSIG_MAC_MAX];
	size_t mac_len;

	// With BADTIME the client's time stays, and ours goes into other data (RFC 8945 5.2.3).
	return tsig_sign(key, reply, len, cap, error == TSIG_BADTIME ? notify->tsig.time_s : now_s,
	    notify->tsig.mac, notify->tsig.mac_len, error, now_s, mac, &mac_len);
}

static size_t reply_bad_tsig(struct notify_service *service, const struct notify *notify,
    const struct tsig_key *key, enum tsig_result verdict, uint64_t now_s, uint8_t *reply,
    size_t cap)
{
	service->counters->notify_bad_tsig++;
	if (verdict == TSIG_BROKEN) {
		return reply_begin(notify, WIRE_RCODE_SERVFAIL, reply);
	}
	// A MAC of an impossible length: FORMERR (RFC 8945 5.2.2.1), and the record comes back
	// without one, as it does from NSD, Knot and BIND.
	if (verdict == TSIG_FORMERR) {
		return tsig_refuse(reply, reply_begin(notify, WIRE_RCODE_FORMERR, reply), cap,
		    &notify->tsig, TSIG_BADSIG);
	}
	size_t len = reply_begin(notify, WIRE_RCODE_NOTAUTH, reply);

	if (verdict == TSIG_BADTIME || verdict == TSIG_BADTRUNC) {
		return reply_signed(notify, key, verdict, now_s, reply, len, cap);
	}
	return tsig_refuse(reply, len, cap, &notify->tsig, verdict);
}

// Pre: the sender's address is in `sources`. True when one of its entries is content with the key.
static bool source_accepts(const struct notify_source *sources, size_t count,
    const struct sockaddr *from, const struct tsig_key *key)
{
	for (size_t i = 0; i < count; i++) {
		const struct sockaddr *addr = (const struct sockaddr *)&sources[i].addr;

		if (address_same_host(addr, from) &&
		    (sources[i].key == NULL || tsig_key_same(sources[i].key, key))) {
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

static size_t notify_judge(struct notify_service *service, struct notify *notify,
    const struct sockaddr *from, uint64_t now_s, uint8_t *reply, size_t cap)
{
	const struct tsig_key *key = NULL;
	void *zone = NULL;
	size_t count = 0;
	const struct notify_source *sources =
	    question_class(notify) == RRCLASS_IN
	        ? service->sources(service->ctx, notify->qname, &count, &zone)
	        : NULL;

	if (sources == NULL) {
		service->counters->notify_not_ours++;
		return reply_begin(notify, WIRE_RCODE_NOTAUTH, reply);
	}
	if (!source_known(sources, count, from)) {
		service->counters->notify_refused++;
		return reply_begin(notify, WIRE_RCODE_REFUSED, reply);
	}
	if (notify->has_tsig == 1) {
		key = keyring_find(service->keyring, notify->tsig.name, notify->tsig.algorithm);
		enum tsig_result verdict =
		    tsig_verify_request(key, notify->msg, &notify->tsig, now_s);

		if (verdict != TSIG_OK) {
			return reply_bad_tsig(service, notify, key, verdict, now_s, reply, cap);
		}
	}
	bool accepted = source_accepts(sources, count, from, key);
	size_t len = reply_begin(notify, accepted ? WIRE_RCODE_NOERROR : WIRE_RCODE_REFUSED, reply);

	if (accepted) {
		service->counters->notify_accepted++;
		service->accept(service->ctx, zone, from, notify->has_serial, notify->serial);
	} else {
		service->counters->notify_unsigned++;
	}
	return key == NULL ? len : reply_signed(notify, key, TSIG_OK, now_s, reply, len, cap);
}

// A question that is signed. It is not answered here; whoever signs with a wrong key learns so (RFC
// 8945 5.2), whoever signs well is refused, signed.
static size_t query_judge(struct notify_service *service, struct notify *notify, uint64_t now_s,
    uint8_t *reply, size_t cap)
{
	const struct tsig_key *key =
	    keyring_find(service->keyring, notify->tsig.name, notify->tsig.algorithm);
	enum tsig_result verdict = tsig_verify_request(key, notify->msg, &notify->tsig, now_s);

	if (verdict != TSIG_OK) {
		return reply_bad_tsig(service, notify, key, verdict, now_s, reply, cap);
	}
	service->counters->notify_opcode++;
	return reply_signed(notify, key, TSIG_OK, now_s, reply,
	    reply_begin(notify, WIRE_RCODE_REFUSED, reply), cap);
}

size_t notify_handle(struct notify_service *service, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint64_t now_s, uint8_t *reply, size_t cap)
{
	struct notify notify = {.msg = msg, .len = len};

	if (len < WIRE_HEADER_LEN || cap < NOTIFY_REPLY_MAX) {
		service->counters->notify_dropped++;
		return 0;
	}
	wire_header_read(msg, &notify.header);
	if ((notify.header.flags & WIRE_QR) !=
	    0) { // an answer: replying would be the start of a loop
		service->counters->notify_dropped++;
		return 0;
	}
	unsigned opcode = (notify.header.flags & WIRE_OPCODE) >> 11;
	bool question = question_read(&notify);

	if (opcode != WIRE_OPCODE_NOTIFY) {
		if (opcode == WIRE_OPCODE_QUERY && notify.question_end > 0 &&
		    tsig_find(msg, len, &notify.tsig) == 1 && records_read(&notify)) {
			return query_judge(service, &notify, now_s, reply, cap);
		}
		service->counters->notify_opcode++;
		return reply_begin(&notify,
		    opcode == WIRE_OPCODE_QUERY ? WIRE_RCODE_REFUSED : WIRE_RCODE_NOTIMP, reply);
	}
	notify.has_tsig = question ? tsig_find(msg, len, &notify.tsig) : 0;
	if (!question || notify.has_tsig < 0 || !records_read(&notify)) {
		service->counters->notify_malformed++;
		notify.has_opt = false;
		return reply_begin(&notify, WIRE_RCODE_FORMERR, reply);
	}
	return notify_judge(service, &notify, from, now_s, reply, cap);
}
