// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One answer to a downstream server over TCP, from the question to the last message: waits for its
// turn, for the version to be in memory and for what the journal has, then is a connection's
// source. Internal to provider*.c and outgoing.c. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "answer_writer.h"
#include "connection.h"
#include "provider.h"
#include "reading.h"

struct outgoing {
	TAILQ_ENTRY(outgoing)
	link; // of those that wait for their turn, or of those that have had it
	struct outgoings *all;
	struct connection *connection;
	struct sockaddr_storage from;
	bool running; // has had its turn; the version is open
	bool started; // messages are written
	bool waited;
	uint32_t serial;      // IXFR: the client's; once started: ours
	struct tsig_key *key; // a reference, or NULL
	struct reading reading;
	bool asked;                    // for the difference
	struct difference_job *asking; // it is being read
	struct delta *delta;           // to be given back; or NULL
	struct answer_writer writer;
	int64_t deadline_ms, journal_ms, began_ms; // monotonic
	uint64_t bytes, messages;
	uint8_t apex[NAME_LEN_MAX]; // lower case
};
TAILQ_HEAD(outgoing_list, outgoing);

// All of them.
struct outgoings {
	struct event_base *base;
	struct provider_ops ops;
	struct provide_counters counters;
	struct outgoing_list running, waiting;
	unsigned running_count, idle_count; // idle: not started
	struct event *again;                // while there are such
};

// Post: 0 or -ENOMEM.
int outgoings_open(struct outgoings *all, struct event_base *base, const struct provider_ops *ops)
    __attribute__((warn_unused_result));
// Pre: none is left.
void outgoings_close(struct outgoings *all);

// Makes the answer the connection's source. `key`: as from provide_judge(). Post: 0 or -ENOMEM.
int outgoing_start(struct outgoings *all, struct connection *connection,
    const struct request *request, struct tsig_key *key) __attribute__((warn_unused_result));
