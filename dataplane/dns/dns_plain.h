// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The question that nearly all are, answered at once: over UDP, one question in class IN for an
// ordinary type and a name of few labels, behind it nothing or an OPT without options; to a zone
// that a core's own cache holds, and with an answer that was compiled. The reply is the one that
// the three stages would make. They take over wherever this ends. The way itself is
// dns_plain_way.h.
#pragma once

#include "dns.h"

#define PLAIN_LABELS_MAX 7   // of a question's name
#define PLAIN_TYPE_MAX   127 // above it stand types that are not a question's
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

// The zone of the last question: most often the next one is for the same. Valid within a burst.
struct plain_zone {
	uint64_t hash;  // of its apex
	uint64_t depth; // labels of the apex; PLAIN_NO_DEPTH: there is none, or it is far
	unsigned probe; // labels of the name that is looked up first; UINT_MAX: the whole name
	bool with_sigs; // it is signed
	const struct zone_entry *entry;
	const struct zone_version *version;
};

// How far a question came that is not answered at once.
enum plain_left {
	PLAIN_LEFT_NEW,    // it is not plain, or was not looked at
	PLAIN_LEFT_ZONE,   // parsed
	PLAIN_LEFT_FAR,    // its zone found, a name still to be looked up in memory that is far
	PLAIN_LEFT_LOOKUP, // a name looked up
};

struct plain_reply {
	uint64_t len; // 0: the stages go on with the query
	uint64_t sum; // what it adds to a sum over the message, from the query to the reply
	enum dns_outcome outcome;
};

// What does not change within a burst, what is counted in it, and the question at hand. Of the
// thread that made it.
struct dns_plain {
	const struct dns_context *context;
	struct dns_query *query; // scratch, and where the stages go on
	uint64_t depths;         // of the zone table's zones
	uint64_t opt_head;       // of a reply without DO
	struct hash_key key;
	uint32_t cap; // as dns_query.cap
	bool at_once; // the zone table is in a core's own cache
	struct plain_zone zone;
	uint32_t outcomes[4]; // counted: the first of enum dns_outcome
	uint32_t proved;      // answers with proofs, whose outcomes are counted already

	struct plain_question question;
	enum plain_left left;
	uint32_t probed;                      // labels of the name that is, or was, looked up
	const struct image_node *node;        // what was found; NULL: nothing
	struct plain_reply reply;             // of plain_emit_other()
	uint8_t type_odd[PLAIN_TYPE_MAX + 1]; // 1: no question's
	uint8_t lower[NAME_LEN_MAX + 2 * PLAIN_NAME_MAX];
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

// The question that was not answered, to the stages: they find in at_hand->query what they need,
// but what the caller of dns_parse() sets, of which `sum` is set already. Its state is QUERY_NEW
// where not even the first stage was gone through.
void dns_plain_leave(const struct dns_plain *at_hand, const uint8_t *msg);

// Stage 1 for such a question. True: the query is ready for stage 2, as dns_parse() would have made
// it. False says nothing: the whole of the rules is in dns_parse.c. Pre: as dns_parse().
bool dns_plain_parse(const struct dns_context *context, struct dns_query *query);
