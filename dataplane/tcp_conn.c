// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One TCP connection; see tcp_conn.h. The thread is an RCU reader while it is in here; between two
// messages it holds nothing and says so.

#include "tcp_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <urcu/urcu-qsbr.h>

#include "dataplane.h"
#include "name.h"

#define QUIESCENT_EVERY 32 // messages of a pipeline
#define FORWARDS_MAX    8  // of one connection at a time
#define RCODE_NOTAUTH   9

// --- what is kept
// ---------------------------------------------------------------------------------

static void bytes_drop(struct tcp_bytes *bytes, struct tcp_scratch *scratch)
{
	scratch->budget += bytes->len;
	free(bytes->mem);
	*bytes = (struct tcp_bytes){0};
}

// Replaces what is kept. `from` may lie in the old memory. Post: false when the thread has no more.
static bool bytes_keep(
    struct tcp_bytes *bytes, struct tcp_scratch *scratch, const uint8_t *from, size_t len)
{
	uint8_t *mem = NULL;

	if (len > 0) {
		if (scratch->budget < len || (mem = malloc(len)) == NULL)
			return false;
		memcpy(mem, from, len);
	}
	bytes_drop(bytes, scratch);
	scratch->budget -= len;
	*bytes = (struct tcp_bytes){.mem = mem, .len = len};
	return true;
}

void tcp_conn_release(struct tcp_conn *conn, struct tcp_scratch *scratch)
{
	bytes_drop(&conn->in, scratch);
	bytes_drop(&conn->out, scratch);
}

// --- writing
// --------------------------------------------------------------------------------------

// Post: bytes sent (0: the socket is full), or -errno.
static ssize_t send_some(int fd, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	do
		n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

// Sends the thread's replies; keeps what the socket does not take. Pre: nothing is kept already.
static int replies_send(struct tcp_conn *conn, struct tcp_scratch *scratch)
{
	size_t sent = 0;

	while (sent < scratch->out_len) {
		ssize_t n = send_some(conn->fd, scratch->out + sent, scratch->out_len - sent);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		sent += (size_t)n;
	}
	if (sent < scratch->out_len &&
	    !bytes_keep(&conn->out, scratch, scratch->out + sent, scratch->out_len - sent))
		return -ENOMEM;
	scratch->out_len = 0;
	return 0;
}

// --- one message
// ----------------------------------------------------------------------------------

// "Not here": header and question of the query, NOTAUTH. Post: its length.
static size_t notauth_write(uint8_t *msg, size_t len)
{
	size_t name_len = 0, end = DNS_HEADER_LEN;

	if (msg[4] == 0 && msg[5] == 1)
		name_len = name_len_checked(msg + DNS_HEADER_LEN, len - DNS_HEADER_LEN);
	if (name_len != 0 && len - DNS_HEADER_LEN - name_len >= 4)
		end += name_len + 4;
	msg[2] = (uint8_t)((msg[2] & 0x79) | 0x80); // QR; opcode and RD stay
	msg[3] = RCODE_NOTAUTH;
	memset(msg + 4, 0, 8);
	msg[5] = end > DNS_HEADER_LEN;
	return end;
}

// Hands the message on. Post: false when nobody takes it.
static bool message_forward(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie,
    const uint8_t *msg, size_t len)
{
	struct attach_forward forward = {.reply = scratch->reply,
	    .ctx = scratch->reply_ctx,
	    .cookie = cookie,
	    .peer = conn->peer,
	    .len = (uint16_t)len};
	socklen_t local_len = sizeof(forward.local);

	if (scratch->dataplane->attach == NULL || len > sizeof(forward.message) ||
	    conn->forwards >= FORWARDS_MAX)
		return false;
	if (getsockname(conn->fd, (struct sockaddr *)&forward.local, &local_len) != 0)
		return false;
	memcpy(forward.message, msg, len);
	if (!attach_forward_put(scratch->dataplane->attach, &forward))
		return false;
	conn->forwards++;
	return true;
}

// The address as it stands in an IP header. Post: NULL and *len 0 when it is of neither family.
static const uint8_t *peer_bytes(const struct sockaddr_storage *peer, uint8_t *len)
{
	switch (peer->ss_family) {
	case AF_INET:
		*len = sizeof(struct in_addr);
		return (const uint8_t *)&((const struct sockaddr_in *)peer)->sin_addr;
	case AF_INET6:
		*len = sizeof(struct in6_addr);
		return (const uint8_t *)&((const struct sockaddr_in6 *)peer)->sin6_addr;
	default:
		*len = 0;
		return NULL;
	}
}

// Answers one message behind what scratch->out holds. Pre: there is room for the largest reply.
// Post: false when nothing that is sent like this deserves an answer: a response, as NSD and BIND
// do.
static bool message_answer(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie,
    const uint8_t *message, size_t len)
{
	uint8_t *prefix = scratch->out + scratch->out_len;
	struct dns_context context = {.server = &scratch->dataplane->server,
	    .table = atomic_load_explicit(&scratch->dataplane->table, memory_order_acquire), // A3
	    .now = atomic_load_explicit(&scratch->dataplane->now, memory_order_relaxed),
	    .counters = &scratch->counters->dns};
	struct dns_query query = {
	    .msg = prefix + 2, .len = (uint16_t)len, .cap = DNS_TCP_MAX, .transport = DNS_TCP};
	size_t reply_len = 0;

	query.client = peer_bytes(&conn->peer, &query.client_len);
	memcpy(query.msg, message, len);
	counters_add(&scratch->counters->thread[COUNT_tcp_queries], 1);
	dns_answer(&context, &query);
	if (query.verdict == DNS_REPLY)
		reply_len = query.len;
	else if (query.verdict == DNS_FORWARD &&
	         !message_forward(conn, scratch, cookie, message, len))
		reply_len = notauth_write(query.msg, len);
	if (reply_len == 0)
		return query.verdict != DNS_DROP;
	prefix[0] = (uint8_t)(reply_len >> 8);
	prefix[1] = (uint8_t)reply_len;
	scratch->out_len += 2 + reply_len;
	return true;
}

// --- the stream
// -----------------------------------------------------------------------------------

// Answers the whole messages among bytes[0 .. len) until the socket is full. Post: the bytes used
// up, or -errno.
static ssize_t stream_answer(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie,
    const uint8_t *bytes, size_t len)
{
	size_t at = 0;
	int ret;

	for (unsigned n = 1; len - at >= 2; n++) {
		size_t message_len = (size_t)bytes[at] << 8 | bytes[at + 1];

		// No header fits: whoever frames like that cannot be followed any further.
		if (message_len < DNS_HEADER_LEN) {
			counters_add(&scratch->counters->dns.outcome[DNS_OUTCOME_drop_short], 1);
			(void)replies_send(conn, scratch);
			return -EPROTO;
		}
		if (len - at - 2 < message_len)
			break;
		if (TCP_OUT_CAP - scratch->out_len < 2 + DNS_TCP_MAX) {
			ret = replies_send(conn, scratch);
			if (ret != 0)
				return ret;
			if (tcp_conn_wants_write(conn))
				return (ssize_t)at;
		}
		if (!message_answer(conn, scratch, cookie, bytes + at + 2, message_len)) {
			(void)replies_send(conn, scratch);
			return -EPROTO;
		}
		at += 2 + message_len;
		if (n % QUIESCENT_EVERY == 0)
			urcu_qsbr_quiescent_state();
	}
	ret = replies_send(conn, scratch);
	return ret != 0 ? ret : (ssize_t)at;
}

// Answers what is in scratch->in and keeps the rest.
static enum tcp_outcome stream_go(
    struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie, size_t len)
{
	ssize_t used;

	scratch->out_len = 0;
	used = stream_answer(conn, scratch, cookie, scratch->in, len);
	scratch->out_len = 0;
	if (used < 0 || !bytes_keep(&conn->in, scratch, scratch->in + used, len - (size_t)used))
		return CONN_CLOSE;
	if (conn->finished && !tcp_conn_wants_write(conn) && conn->forwards == 0)
		return CONN_CLOSE;
	return used > 0 ? CONN_USED : CONN_KEEP;
}

enum tcp_outcome tcp_conn_read(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie)
{
	size_t kept = conn->in.len;
	ssize_t n;

	// What is kept is less than a whole message, or nothing would be read now.
	if (kept >= sizeof(scratch->in) || tcp_conn_wants_write(conn))
		return CONN_KEEP;
	if (kept > 0)
		memcpy(scratch->in, conn->in.mem, kept);
	do
		n = recv(conn->fd, scratch->in + kept, sizeof(scratch->in) - kept, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_KEEP : CONN_CLOSE;
	if (n == 0) {
		// Half closed: it still gets what it asked for.
		conn->finished = true;
		return conn->forwards == 0 ? CONN_CLOSE : CONN_KEEP;
	}
	return stream_go(conn, scratch, cookie, kept + (size_t)n);
}

// Nothing waits to be written any more: on with the messages that came while something did.
static enum tcp_outcome waiting_go(
    struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie)
{
	size_t len = conn->in.len;

	if (len == 0)
		return conn->finished && conn->forwards == 0 ? CONN_CLOSE : CONN_USED;
	memcpy(scratch->in, conn->in.mem, len);
	return stream_go(conn, scratch, cookie, len) == CONN_CLOSE ? CONN_CLOSE : CONN_USED;
}

enum tcp_outcome tcp_conn_write(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie)
{
	while (tcp_conn_wants_write(conn)) {
		ssize_t n =
		    send_some(conn->fd, conn->out.mem + conn->out.at, conn->out.len - conn->out.at);

		if (n < 0)
			return CONN_CLOSE;
		if (n == 0)
			return CONN_KEEP;
		conn->out.at += (size_t)n;
	}
	bytes_drop(&conn->out, scratch);
	return waiting_go(conn, scratch, cookie);
}

enum tcp_outcome tcp_conn_reply(struct tcp_conn *conn, struct tcp_scratch *scratch, uint64_t cookie,
    const uint8_t *message, size_t len)
{
	if (conn->forwards > 0)
		conn->forwards--;
	if (len > 0 && len <= DNS_TCP_MAX) {
		size_t kept = conn->out.len - conn->out.at;

		// Behind what waits already; never in the middle of it.
		if (kept + 2 + len > TCP_OUT_CAP)
			return CONN_CLOSE;
		if (kept > 0)
			memcpy(scratch->out, conn->out.mem + conn->out.at, kept);
		scratch->out[kept] = (uint8_t)(len >> 8);
		scratch->out[kept + 1] = (uint8_t)len;
		memcpy(scratch->out + kept + 2, message, len);
		scratch->out_len = kept + 2 + len;
		bytes_drop(&conn->out, scratch);
		if (replies_send(conn, scratch) != 0)
			return CONN_CLOSE;
	}
	return tcp_conn_wants_write(conn) ? CONN_USED : waiting_go(conn, scratch, cookie);
}
