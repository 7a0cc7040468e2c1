// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages of an answer (see answer_writer.h).
#include "answer_writer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "rrtype.h"
#include "wire.h"

void answer_writer_open(
    struct answer_writer *answer, const struct request *request, const struct tsig_key *key)
{
	answer->record_count = 0;
	answer->id = request->header.id;
	// RFC 5936 2.2.1: AA, and RD as the client has it.
	answer->flags = (uint16_t)(WIRE_QR | WIRE_AA | (request->header.flags & WIRE_RD));
	answer->qtype = request->qtype;
	answer->opt = request->has_opt;
	answer->first = true;
	answer->has_pending = answer->ended = false;
	answer->qname_len = (uint8_t)name_len(request->qname);
	memcpy(answer->qname, request->qname, answer->qname_len);
	answer->signer.key = NULL;
	if (key != NULL) {
		tsig_signer_open(&answer->signer, key, request->tsig.mac, request->tsig.mac_len);
	}
}

// Header and question. Post: the length.
static size_t message_begin(struct answer_writer *answer, unsigned flags, uint8_t *msg)
{
	return wire_question(
	    msg, answer->id, (uint16_t)(answer->flags | flags), answer->qname, answer->qtype);
}

// OPT and TSIG, for which there is room. Post: the length, or 0.
static size_t message_end(
    struct answer_writer *answer, uint8_t *msg, size_t len, size_t cap, uint64_t now_s)
{
	if (answer->opt && answer->first) {
		static const uint8_t opt[REQUEST_OPT_LEN] = {
		    0, 0, RRTYPE_OPT, REQUEST_UDP_SIZE >> 8, REQUEST_UDP_SIZE & 0xff};

		memcpy(msg + len, opt, sizeof(opt));
		len += sizeof(opt);
		wire_put16(msg + 10, 1);
	}
	answer->first = false;
	return answer->signer.key == NULL
	           ? len
	           : tsig_signer_message(&answer->signer, msg, len, cap, now_s);
}

// As many records as fit. Post: their number.
static unsigned records_write(struct answer_writer *answer, size_t cap)
{
	struct writer *w = &answer->writer;
	unsigned count = 0;

	for (;;) {
		struct record *record = &answer->pending;

		if (!answer->has_pending && !answer_records_next(&answer->records, record)) {
			answer->ended = true;
			return count;
		}
		answer->has_pending = !writer_rr(
		    w, record->owner, record->type, record->ttl, record->rdata, record->rdlen);
		if (!answer->has_pending) {
			count++;
		} else if (count == 0 && w->cap < cap) {
			w->cap = (uint32_t)cap; // a large one
		} else {
			return count;
		}
	}
}

int answer_writer_next(struct answer_writer *answer, uint8_t *msg, size_t size, size_t cap,
    uint64_t now_s, size_t *len)
{
	const size_t tail = (answer->opt && answer->first ? REQUEST_OPT_LEN : 0) +
	                    (answer->signer.key != NULL ? TSIG_LEN_MAX : 0);
	const size_t body = message_begin(answer, WIRE_RCODE_NOERROR, msg);

	assert(!answer->ended && size <= cap && cap <= WIRE_MESSAGE_MAX);
	if (size < body + tail) {
		return -EMSGSIZE;
	}
	// The question's root: names do not lean on the case that a client chose.
	writer_start(&answer->writer, msg, body, size - tail,
	    WIRE_HEADER_LEN + answer->qname_len - (size_t)1);
	const unsigned count = records_write(answer, cap - tail);

	if (count == 0 && !answer->ended) {
		return -EMSGSIZE;
	}
	answer->record_count += count;
	wire_put16(msg + 6, (uint16_t)count);
	*len = message_end(answer, msg, answer->writer.at, cap, now_s);
	if (*len == 0) {
		return -ENOMEM;
	}
	return answer->ended ? 0 : 1;
}

size_t answer_writer_fail(
    struct answer_writer *answer, unsigned flags, uint8_t *msg, size_t cap, uint64_t now_s)
{
	answer->flags &= (uint16_t)~WIRE_AA;
	return message_end(answer, msg, message_begin(answer, flags, msg), cap, now_s);
}
