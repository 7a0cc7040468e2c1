// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Is this reply an answer to that query? Looks at every byte of the headers and the question, and
// at the shape of the answer. Pure; np-load calls it for a sample of the replies.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_packet.h"

#define LOAD_FAULTS(X)                                                            \
	X(FAULT_NONE, "none", "as expected")                                      \
	X(FAULT_FRAME, "frame", "lengths of the frame and its headers disagree")  \
	X(FAULT_ADDRESS, "address", "not from where it was sent to")              \
	X(FAULT_IP_CHECKSUM, "ip_checksum", "bad IPv4 header checksum")           \
	X(FAULT_UDP_CHECKSUM, "udp_checksum", "bad or missing UDP checksum")      \
	X(FAULT_ID, "id", "another identifier or port than the query's")          \
	X(FAULT_HEADER, "header", "QR, opcode or RD is wrong")                    \
	X(FAULT_QUESTION, "question", "the question is not echoed byte for byte") \
	X(FAULT_RCODE, "rcode", "another response code than expected")            \
	X(FAULT_COUNTS, "counts", "other numbers of records than expected")       \
	X(FAULT_EDNS, "edns", "additional section without room for the OPT")      \
	X(FAULT_ECHO, "echo", "not the same bytes (--echo)")

enum load_fault {
#define X(id, word, text) id,
	LOAD_FAULTS(X)
#undef X
	    LOAD_FAULT_COUNT
};

const char *load_fault_word(enum load_fault fault);

// The reply to the query `t` that was sent as `slot`.
enum load_fault load_check_reply(
    const uint8_t *frame, size_t len, const struct load_template *t, uint32_t slot);
// The same frame come back with its MAC addresses swapped (testpmd macswap).
enum load_fault load_check_echo(
    const uint8_t *frame, size_t len, const struct load_template *t, uint32_t slot);
