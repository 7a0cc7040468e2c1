// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One query through the three stages, as a worker or a TCP thread runs them, in memory that is just
// large enough, poisoned before, and looked at afterwards.
#pragma once

#include "dns.h"

// One question to the answer function, all that matters of its surroundings.
struct ask {
	const uint8_t *msg;
	uint16_t len;
	uint16_t cap; // as in struct dns_query
	enum dns_transport transport;
	const uint8_t *client; // its address, as in struct dns_query; NULL: not known
	uint8_t client_len;
	bool no_error_reply;
	bool loose; // see struct reply_rules
	const struct zone_table *table;
	const struct dns_server *server;
};

#define ASK_SERVERS 4
extern const struct dns_server ask_servers[ASK_SERVERS];
extern const uint8_t ask_client[16]; // an address
#define ASK_NOW 1795000000u          // the time of all questions

// Answers; aborts where the code broke a promise of dns.h or the reply is not one. It is answered
// four times: from compiled answers and rendered, each in memory poisoned in two ways; all replies
// must be the same bytes; so must that of ask_waiting(). Post: the verdict; DNS_REPLY: *len bytes
// at `reply` (DNS_TCP_MAX of room).
enum dns_verdict ask_all(const struct ask *ask, uint8_t *reply, uint16_t *len);

// Where it is plain, as one that waits for others of its burst (dns_plain.h): the same reply, or
// the query left as it was.
void ask_waiting(const struct ask *ask);

// Answers once, for targets that only want to see the code survive.
enum dns_verdict ask_once(
    const struct ask *ask, bool render_only, uint8_t poison, uint8_t *reply, uint16_t *len);

// Several at once, as a worker's burst has them: the replies must be those of each alone.
#define ASK_BURST_MAX 8
void ask_burst(const struct ask *asks, unsigned count);
