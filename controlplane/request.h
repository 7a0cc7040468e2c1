// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A request that came to the control plane's DNS sockets, taken apart once, and the replies that
// any of them may get. NOTIFY (notify.c) and queries from downstream (provide.c) are judged from
// it. Pure; nothing is copied but names.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tsig.h"
#include "wire.h"

#define REQUEST_OPT_LEN  11
#define REQUEST_UDP_SIZE 1232 // what our OPT offers
// Bytes of any reply made here: header, question, OPT, TSIG with the client's names.
#define REQUEST_REPLY_MAX 1024

struct request {
	const uint8_t *msg; // borrowed
	size_t len;
	struct wire_header header;
	unsigned opcode;
	size_t question_end; // 0: there is no whole question
	uint16_t qtype, qclass;
	uint8_t qname[NAME_LEN_MAX]; // as written
	bool has_opt, has_serial;
	uint8_t edns_version; // more than 0 is nothing that we know: BADVERS (RFC 6891 6.1.3)
	uint16_t
	    udp_size;    // that the client takes; 512 without OPT (RFC 1035 4.2.1, RFC 6891 6.2.3)
	uint32_t serial; // of the SOA that it carries about the question's name
	int has_tsig;    // 1, 0, or -EINVAL: the message is malformed
	struct tsig_record tsig;
};

// Header and question. Post: false when no reply must be sent: too short, or a response.
bool request_open(struct request *request, const uint8_t *msg, size_t len)
    __attribute__((warn_unused_result));
// The records behind the question: OPT, TSIG, and the SOA, which stands in the answer section of a
// NOTIFY (RFC 1996 3.7) and in the authority section of an IXFR query (RFC 1995 3).
// Pre: question_end is not 0. Post: false when the message is malformed.
bool request_records(struct request *request) __attribute__((warn_unused_result));

// Header, question and OPT of the reply; without OPT only rcodes below 16 can be said. Pre: room
// for REQUEST_REPLY_MAX. Post: its length.
size_t request_reply(const struct request *request, unsigned rcode, uint8_t *reply);

// Signs a reply as the request was signed; with BADTIME and BADTRUNC that is how it says so.
// Post: its length; 0 when OpenSSL failed.
size_t request_sign(const struct request *request, const struct tsig_key *key,
    enum tsig_result error, uint64_t now_s, uint8_t *reply, size_t len, size_t cap);

// The whole reply to a request whose TSIG did not hold. `key`: that of the request, or NULL.
size_t request_refuse_tsig(const struct request *request, const struct tsig_key *key,
    enum tsig_result verdict, uint64_t now_s, uint8_t *reply, size_t cap);
