// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Writes the sections behind a message's question, with name compression. The compiler (a child of
// the control plane) and the data plane's renderer both call this code, so that a compiled answer
// and a rendered one are the same bytes. No allocation; one writer per message, on the caller's
// stack.
//
// The rule of compression (RFC 1035 4.1.4). A name points at the longest suffix that was written
// before, at its earliest place. Targets are the suffixes of the part of the question name the
// caller names, compared without regard to case (so that an answer does not depend on the case a
// client chose), and of each compressible name written, compared byte for byte (so that the case of
// zone data survives). Names in rdata are compressed where RFC 3597 4 allows it; others are neither
// compressed nor targets. Only offsets below 16384 and the first WRITER_TARGETS_MAX suffixes become
// targets, those of one name from the shortest on: a longer one only if its shorter ones are.
//
// Why part of the question name: the bytes of a referral, of a negative answer and of a wildcard's
// answer must be the same for every question they answer, so they may lean only on the suffix all
// those questions have in common: the cut, the apex, the wildcard's parent. An exact answer leans
// on the whole name. Every pointer then grows by the same number when the question gets longer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define WRITER_QUESTION_AT 12   // the question name's offset: directly behind the header
#define WRITER_TARGETS_MAX 1024 // bounds the work of a hostile zone's largest answer
#define WRITER_CHAINS      256
#define WRITER_OFFSET_END  16384 // pointers hold 14 bits

// One name that later ones may point at.
struct writer_target {
	uint16_t offset; // of its first label in the message
	uint16_t parent; // 1 + index of the target one label shorter; 0: the root
	uint16_t next;   // 1 + index of the next one in the same chain; 0: none
	uint16_t tag;    // hash of parent and label; the low bits choose the chain
};

struct writer {
	uint8_t *buf;          // the message from its first byte
	uint32_t at;           // where the next byte goes
	uint32_t cap;          // first byte that may not be written
	uint32_t body_at;      // first byte behind the question
	uint16_t suffix_at;    // of the question name, whose targets the first name written makes
	uint16_t suffix_count; // those targets, the first ones
	bool has_targets;      // chain[] is in use
	uint16_t target_count;
	uint16_t chain[WRITER_CHAINS];
	struct writer_target target[WRITER_TARGETS_MAX];
};

// A place to come back to when an RRset does not fit.
struct writer_mark {
	uint32_t at;
	uint16_t target_count;
};

// Pre: buf[12 .. ) holds the question name, `body_at` (<= cap <= 65535) is behind the question, and
// the name's suffix that begins at `suffix_at` (12: the whole name) is what names may point at.
// Post: ready to write at body_at.
void writer_start(struct writer *w, uint8_t *buf, size_t body_at, size_t cap, size_t suffix_at)
    __attribute__((nonnull));

// Writes one record in class IN. `owner` NULL: the question name, as the pointer c0 0c.
// Pre: owner well formed, rdata_valid(type, rdata, rdlen).
// Post: true; or false when it does not fit, and nothing was written.
bool writer_rr(struct writer *w, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen) __attribute__((nonnull(1, 5), warn_unused_result));

struct writer_mark writer_mark(const struct writer *w) __attribute__((nonnull));
// Takes back all that was written since.
void writer_rewind(struct writer *w, struct writer_mark mark) __attribute__((nonnull));
