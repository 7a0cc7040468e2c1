// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From a query's frame to its reply's for nearly all of them: frame_plain.h and dns_plain.h with
// nothing between, at once or, where memory is far, after the others of its burst. What is not like
// that goes by way of frame_classify() and the stages of dns.h. For a worker's loop over its burst;
// np-burst and the fuzzer of replies call it as well.
#pragma once

#include "dns_plain.h"
#include "dns_plain_cookie.h"
#include "frame_plain.h"

// A message over IPv6 may have as many bytes less than one over IPv4.
#define FRAME_CAP_LESS6 (IP6_LEN - IP4_LEN)
#define FRAME_CAP_MIN   (DNS_UDP_MIN + FRAME_CAP_LESS6)

// One of a burst: the query's, then the reply's.
struct frame_slot {
	uint8_t *bytes;
	size_t len;
};

// What does not change within a burst, what is counted in it, and the frame at hand. Of the thread
// that made it.
struct frame_answering {
	struct frame_plain_rules plain;
	const struct frame_rules *rules;
	struct dns_plain dns; // between two frames dns.cap is IPv4's
	// The frame at hand, if it was not answered: where its message begins, 0: it is not plain;
	// and how far its question came, NULL: it was not parsed.
	unsigned dns_off;
	const struct plain_asked *asked;
	struct plain_queue queue;
	struct frame_slot *slots[DNS_BURST_MAX];    // of those that wait
	struct plain_cookie cookies[DNS_BURST_MAX]; // theirs, if they have one
};

// *at_hand was zero once. Pre: the burst has at most DNS_BURST_MAX frames. `rules` and what
// `context` has outlive the burst. at_hand->dns.query is for the next query that is left to the
// stages. The buffers have room for FRAME_HEADERS_MAX, DNS messages of `cap` bytes and
// DNS_WRITE_SLACK; over IPv4 a message may have as many.
void frame_answer_begin(struct frame_answering *at_hand, const struct frame_rules *rules,
    const struct dns_context *context, struct dns_query *query, unsigned cap)
    __attribute__((nonnull));
// Adds up what was counted.
static inline void frame_answer_end(const struct frame_answering *at_hand)
{
	dns_plain_end(&at_hand->dns);
}

// Answers one frame after the other, or has it wait, until it comes to one that is left. Post: how
// many those were, each the reply's in place of the query's, or of length 0: then it stays where it
// is, slot and all, until frame_answer_waited(). The next one is as it was. One of length 0 is not
// tried. Pre: at_hand->dns.cap >= FRAME_CAP_MIN; PLAIN_READ bytes may be read, and 32 more than a
// frame is long, however long it is.
unsigned frame_answer(struct frame_answering *at_hand, struct frame_slot *frames, unsigned n)
    __attribute__((nonnull, warn_unused_result));

// After the last frame of the burst: goes on with those that wait. Post: how many there are.
static inline unsigned frame_answer_burst(struct frame_answering *at_hand)
{
	if (at_hand->queue.count != 0)
		dns_plain_burst(&at_hand->dns, &at_hand->queue);
	return at_hand->queue.count;
}
// From the i-th of them on, one after the other, until it comes to one that is left. Post: which
// one it is, at_hand->slots[] of it as it was but for its length, which is 0; or how many there
// are.
unsigned frame_answer_waited(struct frame_answering *at_hand, unsigned i)
    __attribute__((nonnull, warn_unused_result));

// What the last frame is, which was not answered. Post: FRAME_DNS: *frame and *at_hand->dns.query
// are filled for the stages to go on with.
enum frame_verdict frame_answer_leave(struct frame_answering *at_hand, uint8_t *bytes, size_t len,
    struct frame *frame) __attribute__((nonnull, warn_unused_result));
