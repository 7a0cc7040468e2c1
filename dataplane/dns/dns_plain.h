// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The question that nearly all are: over UDP, one question in class IN for an ordinary type and a
// name of few labels, behind it nothing or an OPT without options (dns_plain_cookie.h: or with
// one); and with an answer that was compiled. Where a core's own cache holds zone table and zone it
// is answered at once (dns_plain_way.h); elsewhere it waits, so that a burst goes each step
// together (dns_plain_wait.h). The reply is the one that the three stages would make. They take
// over wherever this ends.
#pragma once

#include "checksum.h"
#include "dns.h"

#define PLAIN_LABELS_MAX 7   // of a question's name
#define PLAIN_TYPE_MAX   127 // above it stand types that are not a question's
#define TYPE_NONE        1   // in dns_plain.type_odd: no question's, either
#define TYPE_ASIDE       2   // the same: at a zone's end another zone's data
#define PLAIN_NAME_MAX   32  // of longer ones a copy is made, as of those that have capitals

// The question at hand, as far as it was read. In memory, because there are too few registers for
// it.
struct plain_question {
	const uint8_t *name; // lower case; WIDE_SLACK more may be read
	uint64_t opt;        // the OPT's first eight bytes, as they stand there; 0: none
	uint32_t at;         // of the name, where its root is
	uint32_t labels, type;
	uint32_t hashed;                     // hash[0 .. hashed] are there
	uint8_t order[PLAIN_LABELS_MAX + 1]; // where labels begin, and the root
	uint64_t hash[PLAIN_LABELS_MAX + 1]; // of the last n labels; hash[0] always
};

#define PLAIN_NO_DEPTH 63 // no such bit is in dns_plain.depths

// The zone of the last question: most often the next one is for the same. Valid within a burst;
// then hash[0 .. depth] of dns_plain.asked are those of its apex.
struct plain_zone {
	uint64_t hash;  // of its apex
	uint64_t depth; // labels of the apex; PLAIN_NO_DEPTH: there is none
	unsigned probe; // labels of the name that is looked up first; UINT_MAX: the whole name
	bool with_sigs; // it is signed
	bool layered;   // it has overlays
	enum {
		ZONE_SEARCH, // the next question is for another one
		ZONE_SAME,   // most likely for the same
		ZONE_QUICK,  // for the same, and plain_quick() knows what to do with it
	} next;
	const struct zone_version *version;
	// ZONE_QUICK: its name, and what is said of a name that is not there; NULL: that is not
	// said at once.
	const uint8_t *apex;
	const struct image_answer *no_name;
	uint64_t apex_len;
};

// How far a question came that is not answered here.
enum plain_left {
	PLAIN_LEFT_NEW,    // it is not plain, or was not looked at
	PLAIN_LEFT_ZONE,   // parsed
	PLAIN_LEFT_LOOKUP, // a name looked up
};

// A question, and what was found for it.
struct plain_asked {
	struct plain_question question;
	enum plain_left left;
	uint32_t probed;                    // labels of the name that is, or was, looked up
	const struct image *image;          // the layer that decided
	const struct image_node *node;      // what was found in it; NULL: nothing
	const struct zone_version *version; // of PLAIN_LEFT_LOOKUP
	uint8_t lower[NAME_LEN_MAX + 2 * PLAIN_NAME_MAX];
};

// How far one came that waits.
enum plain_wait {
	PLAIN_WAIT_ANSWER, // it goes on, or has its answer
	PLAIN_WAIT_ZONE,   // it is left to the stages: parsed
	PLAIN_WAIT_LOOKUP, // the same: its name is looked up
	PLAIN_WAIT_OTHER,  // it takes proofs
	PLAIN_WAIT_DENIAL, // the same, of an NSEC3, which the next step finds
};

// One that waits for others of its burst: a line of 64 bytes, since all of them are gone through at
// each step. What it does not say is found in the message once more.
struct plain_waiting {
	uint8_t *msg;
	const uint8_t *name; // lower case; WIDE_SLACK more may be read
	union {
		uint64_t apex_hash; // until the zone is found
		uint64_t lead;      // to its version (zone_lead.h)
	};
	uint64_t hash; // of the name that is looked up
	union {
		const struct image_bucket *bucket; // until that is looked into
		const struct image_node *node;     // plain_nobody: there is none
	};
	union {
		uint8_t order[PLAIN_LABELS_MAX + 1]; // as plain_question, until there is an answer
		const struct image_answer *answer;
		const struct image_nsec3 *denial; // of PLAIN_WAIT_DENIAL: what proves it
	};
	uint8_t at, labels, type; // as plain_question
	uint8_t depth;            // labels of the zone's apex
	uint8_t apex_at, own_at;  // where that, and the name that is looked up, begin in the name
	uint8_t probed;           // labels of the latter
	uint8_t layer;            // that decided, or was looked into last
	uint8_t state;            // enum plain_wait
	uint8_t outcome;          // enum dns_outcome, as the next where there is an answer
	uint8_t name_len;         // as choice.name_len
	bool with_do;
	bool with_cookie; // of the caller's own
	uint8_t alias;    // all bits: the answer begins with a CNAME
	uint16_t cap;
} __attribute__((aligned(64)));
static_assert(sizeof(struct plain_waiting) == 64, "a line");

// A name that does not exist, by its NSEC3 hash.
struct plain_denied {
	uint8_t hash[20];
	uint32_t guess; // at which of the order it may be
};

// What few of them need.
struct plain_aside {
	uint32_t depths; // where zones have apexes of several lengths: those
	union {
		uint64_t hash[PLAIN_LABELS_MAX + 1]; // as plain_question, then
		struct plain_denied denied;          // of PLAIN_WAIT_DENIAL
	};
	uint8_t lower[NAME_LEN_MAX + 2 * PLAIN_NAME_MAX]; // the name, if it was not
};

// Those of a burst. Scratch.
struct plain_queue {
	unsigned count;
	unsigned denials; // of them PLAIN_WAIT_DENIAL
	struct plain_waiting waiting[DNS_BURST_MAX];
	struct plain_aside aside[DNS_BURST_MAX];
};

struct plain_reply {
	uint64_t len;  // 0: the stages go on with the query
	uint64_t less; // what a sum over the message loses, from the query to the reply: above
	               // 2^32 and below 2^52, so that whoever goes on needs no carry
	enum dns_outcome outcome;
};

// The same of what a sum grows by.
static inline uint64_t plain_less(uint64_t more)
{
	return (UINT64_C(0xffff) << 33) - checksum_fold(more);
}

// What does not change within a burst, what is counted in it, and the question at hand. Of the
// thread that made it.
struct dns_plain {
	const struct dns_context *context;
	struct dns_query *query; // scratch, and where the stages go on
	uint64_t depths;         // of the zone table's zones
	uint32_t depth_only;  // where all have apexes as long: so many labels; else PLAIN_NO_DEPTH
	uint32_t deepest;     // labels of the longest apex, those of no plain question included
	uint64_t opt_head[2]; // of a reply's OPT, without DO and with it
	// What a sum loses by a reply's OPT, as if the query's began at an even offset: with DO or
	// without, and where it begins at another offset, odd or even, than the query's. What is in
	// the query's but DO is not counted.
	uint32_t opt_less[2][2];
	struct hash_key key;
	uint32_t cap; // as dns_query.cap
	bool far;     // a core's own cache does not hold the zone table
	bool at_once; // it does, and the zones that were asked for in this burst
	struct plain_zone zone;
	uint32_t outcomes[4]; // counted: the first of enum dns_outcome
	uint32_t proved;      // answers with proofs, whose outcomes are counted already

	struct plain_asked asked;
	struct plain_reply reply;             // of those that go out of line
	uint8_t type_odd[PLAIN_TYPE_MAX + 1]; // else 0
};

// `at_hand` was zero once. Pre: `query` is for the next question that is not answered at once; cap
// >= DNS_UDP_MIN.
void dns_plain_begin(struct dns_plain *at_hand, const struct dns_context *context,
    struct dns_query *query, unsigned cap);
// Adds up what was counted.
void dns_plain_end(const struct dns_plain *at_hand);

// Answers the message in `msg`, or leaves it to dns_plain_leave(). Pre: as dns_parse(), over UDP,
// and no error is to be held back.
struct plain_reply dns_plain_answer(struct dns_plain *at_hand, uint8_t *msg, unsigned len);

// For a message of a burst where that is not at_hand->at_once: begins with it, as one more that
// waits. Post: false: it is not plain. Pre: as dns_plain_answer(), and its header is a plain
// query's; `queue` has room.
bool dns_plain_ask(
    struct dns_plain *at_hand, struct plain_queue *queue, uint8_t *msg, unsigned len);
// Goes on with all that wait, until each can be answered from memory that is near, or is left.
void dns_plain_burst(struct dns_plain *at_hand, struct plain_queue *queue);
// As dns_plain_answer(), after that. Pre: at_hand->cap is as it was when it was asked. Post: len 0:
// it is in at_hand->asked, for dns_plain_leave().
struct plain_reply dns_plain_waited(struct dns_plain *at_hand, const struct plain_waiting *waiting);

// The question that was not answered, at_hand->asked, to the stages: they find
// in at_hand->query what they need, but what the caller of dns_parse() sets, of which `sum` is set
// already. Its state is QUERY_NEW where not even the first stage was gone through.
void dns_plain_leave(
    const struct dns_plain *at_hand, const struct plain_asked *asked, const uint8_t *msg);

// Stage 1 for such a question. True: the query is ready for stage 2, as dns_parse() would have made
// it. False says nothing: the whole of the rules is in dns_parse.c. Pre: as dns_parse().
bool dns_plain_parse(const struct dns_context *context, struct dns_query *query);
