// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages of an answer to a downstream server: records in, whole signed messages out, one at a
// time, as large as asked for. Each has the question (RFC 5936 2.2.1 lets all but the first leave
// it out), compressed names (a name points only at one that is the same byte for byte, so that the
// case of a zone's data survives) and, where the request was signed, its TSIG. Pure but for time,
// which is passed in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer_records.h"
#include "request.h"
#include "tsig.h"
#include "writer.h"

// Beyond 16 KB names find nothing to point at (RFC 1035 4.1.4), and a message must be written
// between two turns of the loop. A record that is larger than that gets a message of up to 64 KB.
#define ANSWER_MESSAGE_SIZE 16384

struct answer_writer {
	struct answer_records records; // to be started before the first message
	uint64_t record_count;         // written so far

	// The rest is the writer's own.
	uint16_t id, flags, qtype;
	bool opt; // in the first message, where the request had one
	bool first, has_pending, ended;
	struct record pending; // did not fit any more
	struct tsig_signer signer;
	struct writer writer;
	uint8_t qname_len;
	uint8_t qname[NAME_LEN_MAX]; // as written in the request
};

// What the request says; `key` is that which it was signed with, NULL: unsigned, borrowed as long
// as messages are written. Pre: the request is a query, judged.
void answer_writer_open(
    struct answer_writer *answer, const struct request *request, const struct tsig_key *key);

// The next message. Pre: cap is 65535, or less where only one message may come; `size` <= cap.
// Post: 1 when more follow, 0 when this was the last, *len its length; or -EMSGSIZE when a record
// does not fit into any message, -ENOMEM when OpenSSL failed.
int answer_writer_next(struct answer_writer *answer, uint8_t *msg, size_t size, size_t cap,
    uint64_t now_s, size_t *len) __attribute__((warn_unused_result));

// In place of the next message, one that says nothing but this: an rcode, or WIRE_TC. Pre: room for
// REQUEST_REPLY_MAX. Post: its length; 0: OpenSSL failed.
size_t answer_writer_fail(
    struct answer_writer *answer, unsigned flags, uint8_t *msg, size_t cap, uint64_t now_s);
