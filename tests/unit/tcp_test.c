// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS over TCP on loopback: streams cut anywhere, clients that do not read, do not write, go away
// in any state, or are too many. After each, the next client is served.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "seam_peer.h"
#include "test_clock.h"
#include "tcp.h"

#define ZONE "example.com."

struct service {
	struct peer peer;
	struct config_address address[2];
	struct config_port port;
	int reserved[2];
	struct tcp *tcp;
};

// One that nobody else gets while *fd is open: the service shares it with a socket that never
// listens.
static uint16_t port_reserve(int family, int *out)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	socklen_t len = sizeof(address);
	int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address,
	        family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)),
	    0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*out = fd;
	return ((struct sockaddr_in *)&address)->sin_port; // at the same place in both
}

static void service_start(
    struct service *s, unsigned idle_ms, unsigned connections, unsigned per_source)
{
	static const char *const columns[] = {"tcp-0", "tcp-1"};
	struct sockaddr_in *v4 = (void *)&s->address[0].addr;
	struct sockaddr_in6 *v6 = (void *)&s->address[1].addr;
	struct seam_message message;

	memset(s, 0, sizeof(*s));
	peer_folder_make(&s->peer);
	*v4 = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = port_reserve(AF_INET, &s->reserved[0]),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
	    .sin6_port = port_reserve(AF_INET6, &s->reserved[1]),
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	s->address[0].addr_len = sizeof(*v4);
	s->address[1].addr_len = sizeof(*v6);
	s->port.addresses = s->address;
	s->port.address_count = 2;
	s->peer.config.dataplane.ports = &s->port;
	s->peer.config.dataplane.port_count = 1;
	s->peer.config.dataplane.tcp_threads = 1;
	s->peer.config.dataplane.tcp_idle_ms = idle_ms;
	s->peer.config.dataplane.tcp_connections = connections;
	s->peer.config.dataplane.tcp_per_source = per_source;
	assert_int_equal(counters_open(columns, 2, 1000, &s->peer.dataplane.counters), 0);
	peer_listen(&s->peer);
	peer_start(&s->peer);
	peer_greet(&s->peer);
	peer_publish(&s->peer, ZONE, 5, 5, 10);
	peer_expect(&s->peer, &message, SEAM_LIVE);
	assert_int_equal(tcp_start(&s->peer.dataplane, &s->tcp), 0);
}

static void service_stop(struct service *s)
{
	tcp_stop(s->tcp);
	close(s->reserved[0]);
	close(s->reserved[1]);
	peer_stop(&s->peer);
	counters_close(s->peer.dataplane.counters);
}

static int client_open(const struct service *s, unsigned family)
{
	struct timeval wait = {.tv_sec = PEER_WAIT_MS / 1000};
	int one = 1, fd = socket(s->address[family].addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&s->address[family].addr,
	                     s->address[family].addr_len),
	    0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

// A SOA question about the zone, with its length before it.
static size_t query_make(uint8_t *out, uint16_t id)
{
	static const uint8_t rest[] = "\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1";
	size_t len = 2 + sizeof(rest) - 1;

	out[0] = 0;
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)(id >> 8);
	out[3] = (uint8_t)id;
	memcpy(out + 4, rest, len - 2);
	return 2 + len;
}

static bool read_all(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, bytes, len, 0);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static void write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

// Post: the reply's length, 0 at the connection's end.
static size_t reply_read(int fd, uint8_t reply[65535])
{
	uint8_t prefix[2];
	size_t len;

	if (!read_all(fd, prefix, 2))
		return 0;
	len = (size_t)prefix[0] << 8 | prefix[1];
	return read_all(fd, reply, len) ? len : 0;
}

// The next reply is to the query with this id: NOERROR, AA, one answer.
static void reply_expect(int fd, uint16_t id)
{
	static uint8_t reply[65535];
	size_t len = reply_read(fd, reply);

	assert_true(len > 12);
	assert_int_equal(reply[0] << 8 | reply[1], id);
	assert_int_equal(reply[2] & 0xfe, 0x84);
	assert_int_equal(reply[3] & 0x0f, 0);
	assert_int_equal(reply[7], 1);
}

static void assert_closed(int fd)
{
	uint8_t byte;

	assert_true(recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN);
	close(fd);
}

static void assert_serves(const struct service *s)
{
	for (unsigned family = 0; family < 2; family++) {
		uint8_t query[64];
		size_t len = query_make(query, 4711);
		int fd = client_open(s, family);

		write_all(fd, query, len);
		reply_expect(fd, 4711);
		close(fd);
	}
}

static uint64_t counter(const struct service *s, enum thread_counter which)
{
	struct thread_counters *column = counters_column(s->peer.dataplane.counters, 0);

	return __atomic_load_n(&column->thread[which], __ATOMIC_RELAXED);
}

// --- streams
// --------------------------------------------------------------------------------------

static void a_stream_may_be_cut_anywhere(void **state)
{
	struct service s;
	uint8_t bytes[128];
	size_t len;

	service_start(&s, 5000, 100, 100);
	len = query_make(bytes, 1);
	len += query_make(bytes + len, 2);
	for (size_t cut = 0; cut <= len; cut++) {
		int fd = client_open(&s, cut % 2);

		write_all(fd, bytes, cut);
		usleep(2000);
		write_all(fd, bytes + cut, len - cut);
		reply_expect(fd, 1);
		reply_expect(fd, 2);
		close(fd);
	}

	int fd = client_open(&s, 0);

	for (size_t i = 0; i < len; i++) {
		write_all(fd, bytes + i, 1);
		usleep(500);
	}
	reply_expect(fd, 1);
	reply_expect(fd, 2);
	close(fd);
	service_stop(&s);
}

static void a_thousand_queries_in_one_write_get_a_thousand_replies(void **state)
{
	static uint8_t bytes[64 * 1000];
	struct service s;
	size_t len = 0;
	int fd;

	service_start(&s, 5000, 100, 100);
	for (unsigned i = 0; i < 1000; i++)
		len += query_make(bytes + len, (uint16_t)i);
	fd = client_open(&s, 0);
	for (unsigned round = 0; round < 3; round++) {
		write_all(fd, bytes, len);
		for (unsigned i = 0; i < 1000; i++)
			reply_expect(fd, (uint16_t)i);
	}
	close(fd);
	// A client that says it has no more questions still gets all answers, then the end.
	fd = client_open(&s, 1);
	write_all(fd, bytes, len);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (unsigned i = 0; i < 1000; i++)
		reply_expect(fd, (uint16_t)i);
	assert_closed(fd);
	service_stop(&s);
}

static void a_response_ends_the_connection_behind_the_replies_due(void **state)
{
	uint8_t bytes[128];
	struct service s;
	size_t first, len;
	int fd;

	service_start(&s, 5000, 100, 100);
	first = query_make(bytes, 1);
	len = first + query_make(bytes + first, 2);
	bytes[first + 4] |= 0x80; // QR
	fd = client_open(&s, 0);
	write_all(fd, bytes, len);
	reply_expect(fd, 1);
	assert_closed(fd);
	service_stop(&s);
}

static void lengths_that_hold_no_header_end_the_connection(void **state)
{
	static const uint8_t lengths[] = {0, 1, 2, 11};
	static uint8_t bytes[2 + 65535];
	struct service s;

	service_start(&s, 5000, 100, 100);
	for (unsigned i = 0; i < 4; i++) {
		size_t len = query_make(bytes, 9);
		int fd = client_open(&s, 0);

		memset(bytes + len, 0, 20);
		bytes[len + 1] = lengths[i];
		write_all(fd, bytes, len + 2u + lengths[i]);
		reply_expect(fd, 9); // what came before it is answered
		assert_closed(fd);
	}
	// The longest message, of nonsense, then a question.
	int fd = client_open(&s, 0);

	memset(bytes, 0xff, sizeof(bytes));
	memset(bytes + 2, 0, 10);
	write_all(fd, bytes, sizeof(bytes));
	write_all(fd, bytes, query_make(bytes, 10));

	static uint8_t reply[65535];
	size_t len = reply_read(fd, reply);

	if (len >= 12 && reply[0] == 0) // FORMERR to the nonsense, or nothing
		len = reply_read(fd, reply);
	assert_true(len > 12);
	assert_int_equal(reply[1], 10);
	close(fd);
	service_stop(&s);
}

// --- clients that misbehave
// -----------------------------------------------------------------------

static void who_does_not_read_is_not_read(void **state)
{
	static uint8_t bytes[64 * 1000];
	struct service s;
	size_t len = 0, sent = 0, at = 0;
	int fd;

	service_start(&s, 60000, 100, 100);
	for (unsigned i = 0; i < 1000; i++)
		len += query_make(bytes + len, (uint16_t)i);
	fd = client_open(&s, 0);
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
		ssize_t n;

		if (poll(&poll_fd, 1, 300) == 0)
			break; // the service has stopped reading
		n = send(fd, bytes + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		assert_true(n > 0);
		sent += (size_t)n;
		at = (at + (size_t)n) % len;
		assert_true(sent < (size_t)100 << 20);
	}
	assert_serves(&s);
	// Nothing was lost: every whole query is answered, in order.
	size_t query_len = len / 1000;

	for (size_t i = 0; i < sent / query_len; i++)
		reply_expect(fd, (uint16_t)(i % 1000));
	close(fd);
	service_stop(&s);
}

static void resets_in_any_state_leave_nothing_behind(void **state)
{
	static uint8_t bytes[64 * 1000];
	struct linger reset = {.l_onoff = 1};
	struct service s;
	size_t len = 0;

	service_start(&s, 60000, 50, 50);
	for (unsigned i = 0; i < 1000; i++)
		len += query_make(bytes + len, (uint16_t)i);
	for (unsigned round = 0; round < 300; round++) {
		// Nothing, half a prefix, a prefix, half a message, one message, many unread.
		static const size_t sizes[] = {0, 1, 2, 20, 33, 64 * 500};
		int fd = client_open(&s, round % 2);

		write_all(fd, bytes, sizes[round / 2 % 6]);
		if (round % 5 == 0)
			usleep(1000);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		close(fd);
	}
	assert_serves(&s);
	for (unsigned i = 0;
	     i < 6000 && counter(&s, COUNT_tcp_closed) < counter(&s, COUNT_tcp_accepted); i++)
		usleep(10000);
	assert_int_equal(counter(&s, COUNT_tcp_closed), counter(&s, COUNT_tcp_accepted));
	assert_int_equal(counter(&s, COUNT_tcp_refused), 0);
	service_stop(&s);
}

#define IDLE_MS 600000 // by the test's clock

static void silence_and_dripping_end_after_the_idle_time(void **state)
{
	struct service s;
	uint8_t query[64];
	int silent, dripping;

	service_start(&s, IDLE_MS, 100, 100);
	query_make(query, 3);
	silent = client_open(&s, 0);
	dripping = client_open(&s, 1);
	for (unsigned i = 0; i < 6000 && counter(&s, COUNT_tcp_accepted) < 2; i++)
		usleep(10000);
	// A byte now and then is no message.
	for (unsigned i = 0; i < 5; i++) {
		write_all(dripping, query + i, 1);
		usleep(1000);
		test_clock_advance(IDLE_MS / 4);
	}
	assert_closed(dripping);
	assert_closed(silent);
	assert_int_equal(counter(&s, COUNT_tcp_idle), 2);

	// Who asks now and then stays.
	int fd = client_open(&s, 0);

	for (unsigned i = 0; i < 6; i++) {
		write_all(fd, query, query_make(query, 3));
		reply_expect(fd, 3);
		test_clock_advance(IDLE_MS / 2);
	}
	close(fd);
	service_stop(&s);
}

static void one_client_has_its_share_and_the_oldest_makes_room(void **state)
{
	struct service s;
	uint8_t query[64];
	int fd[12];

	service_start(&s, 60000, 8, 5);
	for (unsigned i = 0; i < 5; i++) {
		fd[i] = client_open(&s, 0);
		write_all(fd[i], query, query_make(query, 3));
		reply_expect(fd[i], 3);
	}
	assert_closed(client_open(&s, 0)); // the sixth of this address
	assert_int_equal(counter(&s, COUNT_tcp_refused), 1);
	// Eight in all: the fourth of the other address takes the place of the longest unused.
	for (unsigned i = 5; i < 9; i++) {
		fd[i] = client_open(&s, 1);
		write_all(fd[i], query, query_make(query, 3));
		reply_expect(fd[i], 3);
	}
	assert_closed(fd[0]);
	for (unsigned i = 1; i < 9; i++) {
		write_all(fd[i], query, query_make(query, 4));
		reply_expect(fd[i], 4);
		close(fd[i]);
	}
	service_stop(&s);
}

static void many_idle_connections_disturb_nobody(void **state)
{
	struct rlimit limit;
	struct service s;
	unsigned count = 20000;
	int *fds;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * count + 1100)
		count = (unsigned)(limit.rlim_max - 1100) / 2;
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	service_start(&s, 120000, count + 2, count + 2);
	fds = calloc(count, sizeof(*fds));
	assert_non_null(fds);
	for (unsigned i = 0; i < count; i++)
		fds[i] = client_open(&s, i % 2);
	assert_serves(&s);
	for (unsigned i = 0; i < count; i += 97) {
		uint8_t query[64];

		write_all(fds[i], query, query_make(query, (uint16_t)i));
		reply_expect(fds[i], (uint16_t)i);
	}
	assert_int_equal(counter(&s, COUNT_tcp_idle), 0);
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
	service_stop(&s);
}

// --- what is for the control plane
// ----------------------------------------------------------------

static size_t notify_make(uint8_t *out, uint16_t id)
{
	size_t len = query_make(out, id);

	out[4] = 0x24; // opcode NOTIFY, AA
	return len;
}

static void notify_goes_to_the_control_plane_and_its_answer_back(void **state)
{
	static uint8_t reply[65535];
	struct seam_message message;
	struct service s;
	uint8_t bytes[64];
	int fd;

	service_start(&s, 60000, 100, 100);
	fd = client_open(&s, 0);
	write_all(fd, bytes, notify_make(bytes, 11));
	peer_expect(&s.peer, &message, SEAM_FORWARD);
	assert_int_equal(message.forward.tcp, 1);
	assert_int_equal(message.forward.length, bytes[1]);
	assert_memory_equal(message.forward.message, bytes + 2, bytes[1]);
	assert_int_equal(message.forward.source.ss_family, AF_INET);
	assert_memory_equal(&message.forward.destination, &s.address[0].addr, 8);
	// Other questions do not wait for it.
	write_all(fd, bytes, query_make(bytes, 12));
	reply_expect(fd, 12);
	message.type = SEAM_FORWARD_REPLY;
	message.forward.message[2] |= 0x80;
	peer_send(&s.peer, &message, -1);
	assert_int_equal(reply_read(fd, reply), message.forward.length);
	assert_memory_equal(reply, message.forward.message, message.forward.length);
	// The same answer again, and one to nobody.
	peer_send(&s.peer, &message, -1);
	message.forward.token = 0;
	peer_send(&s.peer, &message, -1);
	write_all(fd, bytes, query_make(bytes, 13));
	reply_expect(fd, 13);

	// The client is gone when the answer comes.
	write_all(fd, bytes, notify_make(bytes, 14));
	peer_expect(&s.peer, &message, SEAM_FORWARD);
	close(fd);
	usleep(50000);
	message.type = SEAM_FORWARD_REPLY;
	peer_send(&s.peer, &message, -1);
	assert_serves(&s);

	// Without a control plane: not here.
	close(s.peer.sock);
	s.peer.sock = -1;
	close(s.peer.listener);
	s.peer.listener = -1;
	usleep(100000);
	fd = client_open(&s, 1);
	write_all(fd, bytes, notify_make(bytes, 15));
	assert_int_equal(reply_read(fd, reply), bytes[1]);
	assert_int_equal(reply[1], 15);
	assert_int_equal(reply[2] & 0xf8, 0xa0);
	assert_int_equal(reply[3], 9);
	close(fd);
	service_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stream_may_be_cut_anywhere),
	    cmocka_unit_test(a_thousand_queries_in_one_write_get_a_thousand_replies),
	    cmocka_unit_test(a_response_ends_the_connection_behind_the_replies_due),
	    cmocka_unit_test(lengths_that_hold_no_header_end_the_connection),
	    cmocka_unit_test(who_does_not_read_is_not_read),
	    cmocka_unit_test(resets_in_any_state_leave_nothing_behind),
	    cmocka_unit_test(silence_and_dripping_end_after_the_idle_time),
	    cmocka_unit_test(one_client_has_its_share_and_the_oldest_makes_room),
	    cmocka_unit_test(many_idle_connections_disturb_nobody),
	    cmocka_unit_test(notify_goes_to_the_control_plane_and_its_answer_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
