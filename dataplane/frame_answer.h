// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From a query's frame to its reply's, at once, for nearly all of them: frame_plain.h and
// dns_plain.h with nothing between. What is not like that goes by way of frame_classify() and the
// stages of dns.h. For a worker's loop over its burst; np-burst and the fuzzer of replies call it
// as well.
#pragma once

#include "dns_plain.h"
#include "frame_plain.h"

// What does not change within a burst, what is counted in it, and the frame at hand. Of the thread
// that made it.
struct frame_answering {
	struct frame_plain_rules plain;
	const struct frame_rules *rules;
	bool is_plain; // the frame that was not answered
	struct dns_plain dns;
};

// *at_hand was zero once. Pre: `rules` and what `context` has outlive the burst. at_hand->dns.query
// is for the next query that is left to the stages. The buffers have room for DNS messages of `cap`
// bytes and DNS_WRITE_SLACK.
void frame_answer_begin(struct frame_answering *at_hand, const struct frame_rules *rules,
    const struct dns_context *context, struct dns_query *query, unsigned cap)
    __attribute__((nonnull));
// Adds up what was counted.
static inline void frame_answer_end(const struct frame_answering *at_hand)
{
	dns_plain_end(&at_hand->dns);
}

// Post: the length of the reply's frame, in place of the query's; or 0: the frame is as it was.
// Pre: PLAIN_READ bytes may be read, and 31 more than `len`, whatever `len` is.
size_t frame_answer(struct frame_answering *at_hand, uint8_t *bytes, size_t len)
    __attribute__((nonnull, warn_unused_result));

// What the last frame is, which was not answered. Post: FRAME_DNS: *frame and *at_hand->dns.query
// are filled for the stages to go on with.
enum frame_verdict frame_answer_leave(struct frame_answering *at_hand, uint8_t *bytes, size_t len,
    struct frame *frame) __attribute__((nonnull, warn_unused_result));
