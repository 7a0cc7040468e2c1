// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS over TCP out of any stream, cut anywhere, with a client that reads when it likes and answers
// of the control plane in between. The bytes that come out are held against the answer function,
// message by message: each reply whole, in order, once. tcp_conn.c is included; only its way to the
// attach thread is replaced.
//
// Input: choices, then steps: an operation and what it needs.

#include "../../dataplane/tcp_conn.c"

#include <fcntl.h>
#include <sys/socket.h>

#include "ask.h"
#include "cursor.h"
#include "must.h"
#include "question.h"
#include "zoo.h"

#define STREAM_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tcp_scratch scratch;
static struct thread_counters counters;
static struct dataplane dataplane;
static bool forward_taken; // what attach_forward_put() says

struct client {
	struct tcp_conn conn;
	int fd;
	bool closed;                 // by the server
	uint8_t sent[STREAM_MAX];    // all that was written
	size_t sent_len, judged;     // judged: messages up to here have been answered
	uint8_t got[2 * STREAM_MAX]; // all that was read
	size_t got_len;
	unsigned answered, answers_seen; // its answers, numbered
	const struct dns_server *server;
	const struct zone_table *table;
};

bool attach_forward_put(struct attach *attach, const struct attach_forward *forward)
{
	must(forward->len <= sizeof(forward->message) && forward->cookie == 7);
	return forward_taken;
}

static void client_drain(struct client *client, size_t most)
{
	while (most > 0) {
		size_t room = sizeof(client->got) - client->got_len;
		ssize_t n;

		must(room > 0);
		n = recv(client->fd, client->got + client->got_len, room < most ? room : most,
		    MSG_DONTWAIT);
		if (n <= 0)
			return;
		client->got_len += (size_t)n;
		most -= (size_t)n;
	}
}

static void outcome_take(struct client *client, enum tcp_outcome outcome)
{
	must(outcome == CONN_KEEP || outcome == CONN_USED || outcome == CONN_CLOSE);
	if (outcome == CONN_CLOSE)
		client->closed = true;
	// What the data plane's loop relies on: something is kept only while it is owed.
	must(client->conn.in.len <= TCP_IN_CAP && client->conn.out.len <= TCP_OUT_CAP);
}

static void client_send(struct client *client, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	if (len > sizeof(client->sent) - client->sent_len)
		return;
	n = send(client->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		memcpy(client->sent + client->sent_len, bytes, (size_t)n);
		client->sent_len += (size_t)n;
	}
}

// The control plane's answers: no query looks like them, and each has its number.
static size_t control_answer(uint8_t *out, unsigned number)
{
	memset(out, 0xee, 40);
	out[0] = (uint8_t)(number >> 8);
	out[1] = (uint8_t)number;
	return 40 + number % 2000;
}

// A reply that the stream owes.
struct owed {
	size_t len;    // 0: none any more
	bool optional; // unless the control plane took the message
	uint8_t bytes[DNS_TCP_MAX];
};

static void owed_next(struct client *client, struct owed *owed)
{
	owed->len = 0;
	owed->optional = false;
	while (client->sent_len - client->judged >= 2) {
		const uint8_t *at = client->sent + client->judged;
		const size_t len = (size_t)at[0] << 8 | at[1];
		uint16_t reply_len = 0;

		if (len < DNS_HEADER_LEN || client->sent_len - client->judged - 2 < len)
			return;
		const struct ask ask = {.msg = at + 2,
		    .len = (uint16_t)len,
		    .cap = DNS_TCP_MAX,
		    .transport = DNS_TCP,
		    .client = client->conn.peer.ss_family != 0 ? ask_client : NULL,
		    .client_len = client->conn.peer.ss_family != 0 ? 16 : 0,
		    .table = client->table,
		    .server = client->server};
		const enum dns_verdict verdict =
		    ask_once(&ask, false, 0xa5, owed->bytes, &reply_len);

		client->judged += 2 + len;
		if (verdict == DNS_FORWARD) {
			memcpy(owed->bytes, at + 2, len);
			reply_len = (uint16_t)notauth_write(owed->bytes, len);
			owed->optional = forward_taken &&
			                 len <= sizeof(((struct attach_forward *)NULL)->message);
		}
		owed->len = reply_len;
		if (reply_len > 0)
			return;
	}
}

// All that came back: replies in order, the control plane's answers anywhere between, in order.
static void stream_judge(struct client *client, bool whole)
{
	static struct owed owed;
	static uint8_t answer[4096];
	size_t at = 0;

	owed_next(client, &owed);
	while (client->got_len - at >= 2) {
		const size_t len = (size_t)client->got[at] << 8 | client->got[at + 1];
		const uint8_t *msg = client->got + at + 2;

		must(len >= DNS_HEADER_LEN);
		if (client->got_len - at - 2 < len)
			break;
		if (msg[2] == 0xee) {
			memset(answer, 0, sizeof(answer));
			must(client->answers_seen < client->answered);
			must(len == control_answer(answer, client->answers_seen++));
			must(memcmp(answer, msg, 40) == 0);
		} else {
			while (
			    owed.optional && (len != owed.len || memcmp(msg, owed.bytes, len) != 0))
				owed_next(client, &owed);
			must(len == owed.len && memcmp(msg, owed.bytes, len) == 0);
			owed_next(client, &owed);
		}
		at += 2 + len;
	}
	if (whole) {
		must(at == client->got_len);
		while (owed.optional)
			owed_next(client, &owed);
		must(owed.len == 0 && client->answers_seen == client->answered);
	}
}

static void step(struct client *client, struct cursor *c)
{
	static uint8_t bytes[QUESTION_MAX + 2], answer[4096];
	const unsigned how = cursor_u8(c);
	size_t len;

	switch (how & 7) {
	case 0: // bytes as they are
		len = cursor_bytes(c, bytes, how >> 3);
		client_send(client, bytes, len);
		break;
	case 1: // a question, once or a whole pipeline
	case 2: {
		uint8_t some[16];
		struct cursor one = {some, cursor_bytes(c, some, 4 + (how >> 3 & 7))};

		len = question_make(&one, NULL, bytes + 2);
		bytes[0] = (uint8_t)(len >> 8);
		bytes[1] = (uint8_t)len;
		for (unsigned n = (how & 7) == 2 ? 20 : 1; n > 0; n--)
			client_send(client, bytes, len + 2);
		break;
	}
	case 3: // the announcement of a message of any length, and what there is of it
		len = cursor_u16(c);
		bytes[0] = (uint8_t)(len >> 8);
		bytes[1] = (uint8_t)len;
		client_send(client, bytes, 2);
		break;
	case 4:
		outcome_take(client, tcp_conn_read(&client->conn, &scratch, 7));
		break;
	case 5:
		client_drain(client, (size_t)(how >> 3) * 2000 + 1);
		if (tcp_conn_wants_write(&client->conn))
			outcome_take(client, tcp_conn_write(&client->conn, &scratch, 7));
		break;
	case 6:
		if (client->conn.forwards == 0)
			break;
		memset(answer, 0, sizeof(answer));
		len = (how >> 3 & 1) != 0 ? control_answer(answer, client->answered) : 0;
		client->answered += len > 0;
		outcome_take(client, tcp_conn_reply(&client->conn, &scratch, 7, answer, len));
		break;
	default:
		shutdown(client->fd, SHUT_WR);
		break;
	}
}

// Lets the server finish what it owes.
static void finish(struct client *client)
{
	for (unsigned turn = 0; turn < 4096 && !client->closed; turn++) {
		const size_t before = client->got_len, used = client->conn.in.len;

		client_drain(client, STREAM_MAX);
		if (tcp_conn_wants_write(&client->conn))
			outcome_take(client, tcp_conn_write(&client->conn, &scratch, 7));
		else
			outcome_take(client, tcp_conn_read(&client->conn, &scratch, 7));
		client_drain(client, STREAM_MAX);
		if (client->got_len == before && client->conn.in.len == used &&
		    !tcp_conn_wants_write(&client->conn))
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct client client;
	struct cursor c = {data, size};
	const unsigned choice = cursor_u8(&c);
	int pair[2], small = 1;

	if (size > 4096)
		return 0;
	if (scratch.dataplane == NULL) {
		urcu_qsbr_register_thread();
		scratch.dataplane = &dataplane;
		scratch.counters = &counters;
	}
	client.conn = (struct tcp_conn){0};
	if ((choice & 0x80) != 0) {
		struct sockaddr_in6 *peer = (void *)&client.conn.peer;

		peer->sin6_family = AF_INET6;
		memcpy(&peer->sin6_addr, ask_client, 16);
	}
	client.closed = false;
	client.sent_len = client.judged = client.got_len = 0;
	client.answered = client.answers_seen = 0;
	client.table = zoo_table((enum zoo_set)(choice & 3));
	client.server = &ask_servers[choice >> 2 & 3];
	dataplane.server = *client.server;
	atomic_store(&dataplane.now, ASK_NOW);
	atomic_store(&dataplane.table, (struct zone_table *)(uintptr_t)client.table);
	dataplane.attach = (struct attach *)&dataplane; // never looked at
	forward_taken = (choice & 0x10) != 0;
	scratch.budget = (choice & 0x20) != 0 ? 600 : 1 << 22;
	const size_t budget = scratch.budget;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	if ((choice & 0x40) != 0)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	client.fd = pair[0];
	client.conn.fd = pair[1];
	while (c.left > 0 && !client.closed)
		step(&client, &c);
	finish(&client);
	client_drain(&client, STREAM_MAX);
	// Without memory, or after nonsense, it may end early; but what came is right.
	stream_judge(&client, !client.closed && budget > 600);
	tcp_conn_release(&client.conn, &scratch);
	must(scratch.budget == budget);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
