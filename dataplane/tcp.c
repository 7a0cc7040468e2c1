// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DNS over TCP: the threads, their listeners and their connections; see tcp.h. Each thread has its
// own listening sockets (SO_REUSEPORT), so nothing is shared but the count per client. An RCU
// reader that goes offline around epoll_wait: a thread without work holds no grace period up.
//
// Limits, all of them needed because anybody may connect: connections in all (the one longest
// unused makes room), connections per client, time without a whole message, memory for unfinished
// ones.

#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <urcu/urcu-qsbr.h>

#include "dataplane.h"
#include "heap.h"
#include "here.h"
#include "log.h"
#include "tcp_conn.h"
#include "tcp_source.h"

#define NONE        UINT32_MAX // no place
#define BACKLOG     1024
#define EVENTS      64
#define ACCEPTS     64 // at one listener in a turn
#define REPLIES_MAX 64
#define BUDGET      (UINT64_C(64) << 20) // bytes kept by the connections of a thread
#define OTHER_FDS   512                  // descriptors of the process that are no connections
#define PAUSE_MS    100                  // no accepting after the process ran out of descriptors

struct tcp_reply {
	uint64_t cookie;
	size_t len;
	uint8_t message[2048];
};

struct tcp_thread {
	struct tcp *tcp;
	pthread_t thread;
	bool started;
	int epoll_fd, wake_fd;
	int *listeners; // tcp->listener_count
	bool paused;    // listeners are not watched
	int64_t resume_ms;

	struct tcp_conn *conns;                    // conn_cap places
	uint32_t conn_cap, conn_count, free_first; // free places are linked by `newer`
	uint32_t conn_touched;                     // places from here on were never used
	uint32_t oldest, newest;

	pthread_mutex_t reply_mutex; // attach thread: put
	unsigned reply_head, reply_count;
	struct tcp_reply *replies; // REPLIES_MAX

	struct tcp_scratch scratch;
};

struct tcp {
	struct dataplane *dataplane;
	atomic_bool stop;
	struct tcp_sources sources;
	unsigned idle_ms;
	size_t listener_count;
	unsigned thread_count;
	struct tcp_thread **threads;
};

static int64_t mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

// What epoll and the control plane's answers carry: a place and its turn, so that a late event
// finds nobody. Turns begin with 1: 0 is for listeners and the wake-up.
static uint64_t cookie_of(const struct tcp_thread *t, const struct tcp_conn *conn)
{
	return (uint64_t)conn->turn << 32 | (uint32_t)(conn - t->conns);
}

static struct tcp_conn *cookie_conn(struct tcp_thread *t, uint64_t cookie)
{
	uint32_t place = (uint32_t)cookie;

	if (place >= t->conn_touched || t->conns[place].fd < 0 ||
	    t->conns[place].turn != cookie >> 32)
		return NULL;
	return &t->conns[place];
}

static void count(struct tcp_thread *t, enum thread_counter counter)
{
	counters_add(&t->scratch.counters->thread[counter], 1);
}

// --- places, in order of use
// ----------------------------------------------------------------------

static void order_remove(struct tcp_thread *t, struct tcp_conn *conn)
{
	*(conn->older != NONE ? &t->conns[conn->older].newer : &t->oldest) = conn->newer;
	*(conn->newer != NONE ? &t->conns[conn->newer].older : &t->newest) = conn->older;
}

static void order_append(struct tcp_thread *t, struct tcp_conn *conn)
{
	uint32_t place = (uint32_t)(conn - t->conns);

	conn->older = t->newest;
	conn->newer = NONE;
	*(t->newest != NONE ? &t->conns[t->newest].newer : &t->oldest) = place;
	t->newest = place;
}

static void conn_close(struct tcp_thread *t, struct tcp_conn *conn)
{
	order_remove(t, conn);
	tcp_conn_release(conn, &t->scratch);
	tcp_sources_remove(&t->tcp->sources, &conn->peer);
	close(conn->fd);
	conn->fd = -1;
	conn->newer = t->free_first;
	t->free_first = (uint32_t)(conn - t->conns);
	t->conn_count--;
	count(t, COUNT_tcp_closed);
}

static void oldest_close(struct tcp_thread *t)
{
	if (t->oldest == NONE)
		return;
	count(t, COUNT_tcp_idle);
	conn_close(t, &t->conns[t->oldest]);
}

static void idle_close(struct tcp_thread *t, int64_t now_ms)
{
	while (t->oldest != NONE && t->conns[t->oldest].used_ms + t->tcp->idle_ms <= now_ms)
		oldest_close(t);
}

static void conn_watch(struct tcp_thread *t, struct tcp_conn *conn)
{
	// Not read while replies wait; nor after the client's end.
	uint32_t want = tcp_conn_wants_write(conn) ? EPOLLOUT : conn->finished ? 0u : EPOLLIN;
	struct epoll_event event = {.events = want, .data.u64 = cookie_of(t, conn)};

	if (want == conn->watched)
		return;
	conn->watched = want;
	(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

static void conn_settle(struct tcp_thread *t, struct tcp_conn *conn, enum tcp_outcome outcome)
{
	switch (outcome) {
	case CONN_CLOSE:
		conn_close(t, conn);
		return;
	case CONN_USED:
		conn->used_ms = mono_ms();
		order_remove(t, conn);
		order_append(t, conn);
		break;
	case CONN_KEEP:
		break;
	}
	conn_watch(t, conn);
}

// --- accepting
// ------------------------------------------------------------------------------------

static void listeners_watch(struct tcp_thread *t, bool on)
{
	for (size_t i = 0; i < t->tcp->listener_count; i++) {
		struct epoll_event event = {.events = on ? EPOLLIN : 0u, .data.u64 = i};

		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, t->listeners[i], &event);
	}
	t->paused = !on;
}

// A free place, which stays free; NONE when there is none. Used ones first: the rest takes no
// memory.
static uint32_t place_find(struct tcp_thread *t)
{
	if (t->free_first == NONE && t->conn_touched < t->conn_cap) {
		t->free_first = t->conn_touched++;
		t->conns[t->free_first].fd = -1;
		t->conns[t->free_first].newer = NONE;
	}
	return t->free_first;
}

// Takes over fd.
static void conn_open(struct tcp_thread *t, int fd, const struct sockaddr_storage *peer)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct tcp_conn *conn;
	int one = 1;

	if (!tcp_sources_add(&t->tcp->sources, peer)) {
		count(t, COUNT_tcp_refused);
		close(fd);
		return;
	}
	if (place_find(t) == NONE)
		oldest_close(t);
	conn = &t->conns[t->free_first];
	event.data.u64 = (uint64_t)(conn->turn + 1) << 32 | t->free_first;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		tcp_sources_remove(&t->tcp->sources, peer);
		count(t, COUNT_tcp_refused);
		close(fd);
		return;
	}
	t->free_first = conn->newer;
	*conn = (struct tcp_conn){.fd = fd,
	    .turn = conn->turn + 1,
	    .used_ms = mono_ms(),
	    .peer = *peer,
	    .watched = EPOLLIN};
	// Replies are written whole: waiting for more would only delay them.
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	order_append(t, conn);
	t->conn_count++;
	count(t, COUNT_tcp_accepted);
}

static void accept_some(struct tcp_thread *t, int listener)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t len = sizeof(peer);
		int fd =
		    accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			conn_open(t, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			// One leaves so that one can come; not in a busy loop.
			oldest_close(t);
			listeners_watch(t, false);
			t->resume_ms = mono_ms() + PAUSE_MS;
			return;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		// The others are one connection's own misfortune: the next.
	}
}

// --- answers of the control plane
// -----------------------------------------------------------------

static void reply_put(void *ctx, uint64_t cookie, const uint8_t *message, size_t len)
{
	struct tcp_thread *t = ctx;
	struct tcp_reply *reply;

	pthread_mutex_lock(&t->reply_mutex);
	if (t->reply_count < REPLIES_MAX && len <= sizeof(reply->message)) {
		reply = &t->replies[(t->reply_head + t->reply_count++) % REPLIES_MAX];
		reply->cookie = cookie;
		reply->len = len;
		if (len > 0)
			memcpy(reply->message, message, len);
	}
	pthread_mutex_unlock(&t->reply_mutex);
	(void)eventfd_write(t->wake_fd, 1);
}

static void replies_take(struct tcp_thread *t)
{
	struct tcp_reply reply;

	for (;;) {
		struct tcp_conn *conn;

		pthread_mutex_lock(&t->reply_mutex);
		if (t->reply_count == 0) {
			pthread_mutex_unlock(&t->reply_mutex);
			return;
		}
		reply = t->replies[t->reply_head];
		t->reply_head = (t->reply_head + 1) % REPLIES_MAX;
		t->reply_count--;
		pthread_mutex_unlock(&t->reply_mutex);
		conn = cookie_conn(t, reply.cookie);
		if (conn != NULL)
			conn_settle(t, conn,
			    tcp_conn_reply(
			        conn, &t->scratch, reply.cookie, reply.message, reply.len));
	}
}

// --- the loop
// -------------------------------------------------------------------------------------

static int wait_ms(const struct tcp_thread *t, int64_t now_ms)
{
	int64_t until = now_ms + 1000;

	if (t->oldest != NONE && t->conns[t->oldest].used_ms + t->tcp->idle_ms < until)
		until = t->conns[t->oldest].used_ms + t->tcp->idle_ms;
	if (t->paused && t->resume_ms < until)
		until = t->resume_ms;
	return until > now_ms ? (int)(until - now_ms) + 1 : 0;
}

static void event_take(struct tcp_thread *t, const struct epoll_event *event)
{
	uint64_t data = event->data.u64;
	struct tcp_conn *conn;

	if (data == t->tcp->listener_count) {
		eventfd_t value;

		(void)eventfd_read(t->wake_fd, &value);
		return;
	}
	if (data < t->tcp->listener_count) {
		accept_some(t, t->listeners[data]);
		return;
	}
	conn = cookie_conn(t, data);
	if (conn == NULL)
		return;
	if ((event->events & EPOLLERR) != 0 || (conn->finished && (event->events & EPOLLHUP) != 0))
		conn_close(t, conn);
	else if (tcp_conn_wants_write(conn))
		conn_settle(t, conn, tcp_conn_write(conn, &t->scratch, data));
	else
		conn_settle(t, conn, tcp_conn_read(conn, &t->scratch, data));
	urcu_qsbr_quiescent_state();
}

static void *tcp_main(void *arg)
{
	struct tcp_thread *t = arg;
	struct epoll_event events[EVENTS];

	urcu_qsbr_register_thread();
	while (!atomic_load_explicit(&t->tcp->stop, memory_order_relaxed)) {
		int n, timeout = wait_ms(t, mono_ms());

		urcu_qsbr_thread_offline();
		n = epoll_wait(t->epoll_fd, events, EVENTS, timeout);
		urcu_qsbr_thread_online();
		for (int i = 0; i < n; i++)
			event_take(t, &events[i]);
		replies_take(t);
		idle_close(t, mono_ms());
		if (t->paused && t->resume_ms <= mono_ms())
			listeners_watch(t, true);
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

// --- start and stop
// -------------------------------------------------------------------------------

static int listener_open(const struct config_address *address)
{
	int family = address->addr.ss_family, one = 1, ret;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	// An anycast address may come and go with the routing daemon: bind it regardless.
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) != 0 ||
	    (family == AF_INET6 &&
	        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
	    bind(fd, (const struct sockaddr *)&address->addr, address->addr_len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

// `first`: what is found is told, as it is not of the others.
static int listeners_open(struct tcp_thread *t, bool first)
{
	const struct config *config = t->tcp->dataplane->config;
	size_t count = 0;

	t->listeners = malloc(t->tcp->listener_count * sizeof(t->listeners[0]) + 1);
	if (t->listeners == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->tcp->listener_count; i++)
		t->listeners[i] = -1;
	for (size_t i = 0; i < config->dataplane.port_count; i++) {
		const struct config_port *port = &config->dataplane.ports[i];

		for (size_t k = 0; k < port->address_count; k++, count++) {
			struct epoll_event event = {.events = EPOLLIN, .data.u64 = count};
			int fd = listener_open(&port->addresses[k]);
			char text[HERE_TEXT_MAX];

			if (fd < 0) {
				log_error("TCP: cannot listen on %s: %s%s.",
				    here_text(&port->addresses[k], text), strerror(-fd),
				    fd == -EADDRINUSE ? "; another server is there" : "");
				return fd;
			}
			if (first && !here_has(&port->addresses[k]))
				log_warning("%s is no address of this machine now: give it to an "
				            "interface.",
				    here_text(&port->addresses[k], text));
			t->listeners[count] = fd;
			if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
				return -errno;
		}
	}
	return 0;
}

static int thread_open(struct tcp_thread *t, unsigned index, uint32_t conn_cap)
{
	struct dataplane *dataplane = t->tcp->dataplane;
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = t->tcp->listener_count};

	t->conn_cap = conn_cap;
	t->conns = heap_table(conn_cap * sizeof(t->conns[0]));
	t->replies = heap_table(REPLIES_MAX * sizeof(t->replies[0]));
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->conns == NULL || t->replies == NULL)
		return -ENOMEM;
	if (t->epoll_fd < 0 || t->wake_fd < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd, &event) != 0)
		return -errno;
	t->oldest = t->newest = t->free_first = NONE;
	t->scratch.dataplane = dataplane;
	t->scratch.counters = counters_column(dataplane->counters, dataplane->column_tcp + index);
	t->scratch.reply = reply_put;
	t->scratch.reply_ctx = t;
	t->scratch.budget = BUDGET;
	return listeners_open(t, index == 0);
}

static void thread_free(struct tcp_thread *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; t->conns != NULL && i < t->conn_touched; i++)
		if (t->conns[i].fd >= 0)
			conn_close(t, &t->conns[i]);
	for (size_t i = 0; t->listeners != NULL && i < t->tcp->listener_count; i++)
		if (t->listeners[i] >= 0)
			close(t->listeners[i]);
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->wake_fd >= 0)
		close(t->wake_fd);
	pthread_mutex_destroy(&t->reply_mutex);
	free(t->listeners);
	heap_table_free(t->conns, t->conn_cap * sizeof(t->conns[0]));
	heap_table_free(t->replies, REPLIES_MAX * sizeof(t->replies[0]));
	heap_table_free(t, sizeof(*t));
}

static int threads_start(struct tcp *tcp, uint32_t conn_cap)
{
	for (unsigned i = 0; i < tcp->thread_count; i++) {
		struct tcp_thread *t = heap_table(sizeof(*t));
		int ret;

		if (t == NULL)
			return -ENOMEM;
		tcp->threads[i] = t;
		t->tcp = tcp;
		t->epoll_fd = t->wake_fd = -1;
		pthread_mutex_init(&t->reply_mutex, NULL);
		ret = thread_open(t, i, conn_cap);
		if (ret == 0)
			ret = -pthread_create(&t->thread, NULL, tcp_main, t);
		if (ret != 0)
			return ret;
		t->started = true;
		pthread_setname_np(t->thread, "np-tcp");
	}
	return 0;
}

// Each connection is a descriptor; the usual soft limit is 1024. Post: connections there is room
// for.
static unsigned descriptors_raise(unsigned connections)
{
	struct rlimit limit;
	rlim_t want = (rlim_t)connections + OTHER_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want)
		return connections;
	if (limit.rlim_max < want) {
		// Root may raise that one too.
		struct rlimit more = {.rlim_cur = want, .rlim_max = want};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return connections;
		want = limit.rlim_max;
	}
	limit.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return connections; // accept_some() lives with it
	if (want >= (rlim_t)connections + OTHER_FDS)
		return connections;
	connections = want > 2 * OTHER_FDS ? (unsigned)want - OTHER_FDS : OTHER_FDS;
	log_warning("TCP: no more than %u connections: the limit of descriptors is %llu.",
	    connections, (unsigned long long)want);
	return connections;
}

int tcp_start(struct dataplane *dataplane, struct tcp **out)
{
	const struct config *config = dataplane->config;
	unsigned threads = config->dataplane.tcp_threads;
	unsigned connections = config->dataplane.tcp_connections;
	struct tcp *tcp;
	int ret;

	*out = NULL;
	if (threads == 0)
		return 0;
	connections = descriptors_raise(connections);
	if (connections < threads)
		connections = threads;
	tcp = calloc(1, sizeof(*tcp));
	if (tcp == NULL)
		return -ENOMEM;
	tcp->dataplane = dataplane;
	tcp->idle_ms = config->dataplane.tcp_idle_ms;
	tcp->thread_count = threads;
	for (size_t i = 0; i < config->dataplane.port_count; i++)
		tcp->listener_count += config->dataplane.ports[i].address_count;
	tcp->threads = calloc(threads, sizeof(tcp->threads[0]));
	// Each thread may count one more before it closes its oldest.
	ret = tcp->threads == NULL ? -ENOMEM
	                           : tcp_sources_open(&tcp->sources, connections + 2 * threads,
	                                 config->dataplane.tcp_per_source);
	if (ret == 0)
		ret = threads_start(tcp, (connections + threads - 1) / threads);
	if (ret != 0) {
		tcp_stop(tcp);
		return ret;
	}
	*out = tcp;
	return 0;
}

void tcp_stop(struct tcp *tcp)
{
	if (tcp == NULL)
		return;
	if (tcp->dataplane->attach != NULL)
		attach_forward_close(tcp->dataplane->attach);
	atomic_store_explicit(&tcp->stop, true, memory_order_relaxed);
	for (unsigned i = 0; tcp->threads != NULL && i < tcp->thread_count; i++) {
		struct tcp_thread *t = tcp->threads[i];

		if (t == NULL || !t->started)
			continue;
		(void)eventfd_write(t->wake_fd, 1);
		pthread_join(t->thread, NULL);
	}
	for (unsigned i = 0; tcp->threads != NULL && i < tcp->thread_count; i++)
		thread_free(tcp->threads[i]);
	tcp_sources_close(&tcp->sources);
	free(tcp->threads);
	free(tcp);
}
