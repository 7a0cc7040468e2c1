// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One TCP connection: messages out of a byte stream, replies into it. An idle connection owns no
// buffer; what is left over from a read or a write is kept in memory that the thread's budget
// bounds. Nothing is read while a reply waits to be written. The owning TCP thread only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "attach.h"
#include "counters.h"
#include "dns.h"

#define TCP_IN_CAP (2 + 65535)
// Replies that are written by one call: room for the largest behind what is there.
#define TCP_OUT_CAP (4 * 65536)

struct tcp_bytes {
	uint8_t *mem;   // owned
	size_t at, len; // bytes at .. len are still wanted
};

struct tcp_conn {
	int fd;                // -1: this place is free
	uint32_t turn;         // counts the connections that had this place
	uint32_t older, newer; // places, in order of use
	int64_t used_ms;       // the last whole message, or the last reply written out
	struct sockaddr_storage peer;
	struct tcp_bytes in;  // the begin of a message, or messages that wait
	struct tcp_bytes out; // what the socket did not take
	unsigned forwards;    // answers expected from the control plane
	bool finished;        // the client has sent all it will
	uint32_t watched;     // epoll events
};

// What all connections of a thread share.
struct tcp_scratch {
	struct dataplane *dataplane;
	struct thread_counters *counters;
	attach_reply *reply; // for messages that are handed on
	void *reply_ctx;
	size_t budget; // bytes that connections may still keep
	uint8_t in[TCP_IN_CAP];
	size_t out_len;
	uint8_t out[TCP_OUT_CAP + DNS_WRITE_SLACK];
};

enum tcp_outcome {
	CONN_KEEP,  // nothing whole happened
	CONN_USED,  // a whole message came or the last reply byte went: not idle
	CONN_CLOSE, // the end
};

// Readable. `cookie` names the connection in a reply from the control plane.
enum tcp_outcome tcp_conn_read(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie)
    __attribute__((nonnull));
// Writable.
enum tcp_outcome tcp_conn_write(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie)
    __attribute__((nonnull));
// An answer of the control plane; len 0: none.
enum tcp_outcome tcp_conn_reply(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie,
    const uint8_t *message, size_t len) __attribute__((nonnull(1, 2)));
// Gives back what the connection keeps; the descriptor stays the caller's.
void tcp_conn_release(struct tcp_conn *conn, struct tcp_scratch *scratch) __attribute__((nonnull));

static inline bool tcp_conn_wants_write(const struct tcp_conn *conn)
{
	return conn->out.len > conn->out.at;
}
